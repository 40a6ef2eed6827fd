//! The batch killed, cut, flipped, filled up and opened again.

use model::{CardTime, Mode, OperatorId, PsamId, PurseFen, TxnType};

use super::*;
use crate::pending::RideStep;

fn terminal() -> TerminalId {
    "000001000050".parse().unwrap()
}

/// The `n`-th tap of this reader.
fn tap(n: u32) -> PendingTap {
    let at: CardTime = "2014-10-20 07:45:00".parse().unwrap();
    let record = TapRecord {
        card: CardNumber::from_u64(0x3100_1234_5678_0000 + u64::from(n)),
        issuer: CityCode::new(3100).unwrap(),
        acquirer: CityCode::new(2000).unwrap(),
        operator: OperatorId::new(20_000_201).unwrap(),
        mode: Mode::Metro,
        terminal: terminal(),
        terminal_seq: n,
        psam: PsamId(0x2000_0000_0001),
        card_seq: 8,
        amount: PurseFen::try_from(400).unwrap(),
        list_fare: PurseFen::try_from(400).unwrap(),
        balance_before: PurseFen::try_from(5000).unwrap(),
        kind: TxnType::Compound,
        at: at.plus_seconds(i64::from(n)),
        tac: Tac([0; 4]),
        key_version: 1,
        algorithm: 0,
        line: "2".parse().unwrap(),
        vehicle: "".parse().unwrap(),
        stop_in: "0203".parse().unwrap(),
        stop_out: "0210".parse().unwrap(),
        entered_at: n.is_multiple_of(2).then_some(at),
        test: false,
    };
    PendingTap::new(record, RideStep::Leave, 7, Some(vec![0x02, 0x2E, 0x00]), 3)
}

fn tac(n: u32) -> Tac {
    Tac::from_u32(0xA0B0_0000 | n)
}

fn open(storage: &MemoryStorage) -> Result<Batch, BatchError> {
    Batch::open(Box::new(storage.clone()), terminal())
}

fn kept(storage: &MemoryStorage) -> Vec<u8> {
    storage.clone().read_all().unwrap()
}

/// Five taps: proven, undone, doubted, pending, proven. Returns what the batch held after each write.
fn a_day(storage: &MemoryStorage) -> Vec<(usize, Vec<PendingTap>, Vec<TapRecord>, usize)> {
    let mut batch = open(storage).unwrap();
    let mut states = vec![(0, vec![], vec![], 0)];
    let notes = [
        Note::Pending(tap(1)),
        Note::Proven(tap(1).id(), tac(1)),
        Note::Pending(tap(2)),
        Note::Undone(tap(2).id()),
        Note::Pending(tap(3)),
        Note::Doubted(tap(3).id(), Doubt::WrongMac2),
        Note::Pending(tap(4)),
        Note::Pending(tap(5)),
        Note::Proven(tap(5).id(), tac(5)),
    ];
    for note in &notes {
        batch.write(note).unwrap();
        states.push((
            kept(storage).len(),
            batch.pending().to_vec(),
            batch.export().records,
            batch.doubted().len(),
        ));
    }
    states
}

#[test]
fn what_was_written_is_there_when_the_batch_is_opened_again() {
    let storage = MemoryStorage::default();
    a_day(&storage);
    let batch = open(&storage).unwrap();
    assert_eq!(batch.dropped(), 0);
    assert_eq!(batch.pending(), [tap(4)]);
    assert_eq!(batch.export().records, [tap(1).proven(tac(1)), tap(5).proven(tac(5))]);
    assert_eq!(batch.doubted(), [(tap(3), Doubt::WrongMac2)]);
    let card = tap(4).facts().card;
    assert_eq!(batch.pending_of(CityCode::new(3100).unwrap(), card), Some(&tap(4)));
    assert_eq!(batch.pending_of(CityCode::new(3150).unwrap(), card), None);
}

#[test]
fn a_batch_killed_at_any_byte_opens_with_every_entry_that_was_whole() {
    let storage = MemoryStorage::default();
    let states = a_day(&storage);
    let bytes = kept(&storage);
    for cut in 0..=bytes.len() {
        for zeros in [0, 512] {
            let mut left = bytes[..cut].to_vec();
            left.resize(cut + zeros, 0);
            let survivor = MemoryStorage::holding(left);
            let mut batch = open(&survivor).unwrap();
            let (_, pending, records, doubted) =
                states.iter().rev().find(|(length, ..)| *length <= cut).unwrap();
            assert_eq!(batch.pending(), pending, "cut at {cut}");
            assert_eq!(&batch.export().records, records, "cut at {cut}");
            assert_eq!(batch.doubted().len(), *doubted, "cut at {cut}");
            batch.write(&Note::Pending(tap(9))).unwrap();
            let again = open(&survivor).unwrap();
            assert_eq!((again.dropped(), again.pending().last()), (0, Some(&tap(9))), "cut at {cut}");
        }
    }
}

#[test]
fn a_batch_with_any_flipped_bit_is_refused_with_its_place() {
    let storage = MemoryStorage::default();
    a_day(&storage);
    let bytes = kept(&storage);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let opened = open(&MemoryStorage::holding(flipped)).map(|_| ());
        let place = match opened {
            Err(BatchError::Damaged { offset, .. }) => offset,
            other => panic!("bit {bit}: {other:?}"),
        };
        assert!(place <= bit / 8, "bit {bit} was blamed on byte {place}");
    }
}

#[test]
fn a_missing_middle_is_damage_and_not_a_shorter_batch() {
    let storage = MemoryStorage::default();
    let states = a_day(&storage);
    let mut bytes = kept(&storage);
    bytes.drain(states[2].0..states[3].0);
    assert!(matches!(open(&MemoryStorage::holding(bytes)), Err(BatchError::Damaged { number: 4, .. })));
}

#[test]
fn the_batch_of_another_terminal_is_not_opened() {
    let storage = MemoryStorage::default();
    a_day(&storage);
    let other = "000001000051".parse().unwrap();
    let refused = Batch::open(Box::new(storage), other).map(|_| ());
    assert_eq!(refused, Err(BatchError::OtherTerminal { terminal: other, found: terminal() }));
}

#[test]
fn an_uploaded_record_is_exported_once_and_stays_uploaded() {
    let storage = MemoryStorage::default();
    a_day(&storage);
    let mut batch = open(&storage).unwrap();
    let export = batch.export();
    assert_eq!(export.records.len(), 2);
    batch.write(&Note::Proven(tap(4).id(), tac(4))).unwrap();
    batch.mark_uploaded(export.through).unwrap();
    let length = kept(&storage).len();
    batch.mark_uploaded(export.through).unwrap();
    assert_eq!(kept(&storage).len(), length, "a second receipt writes nothing");
    for batch in [batch, open(&storage).unwrap()] {
        assert_eq!(batch.export().records, [tap(4).proven(tac(4))]);
    }
    let mut batch = open(&storage).unwrap();
    assert!(matches!(batch.mark_uploaded(99), Err(BatchError::NotWritten { through: 99, .. })));
}

#[test]
fn a_tap_is_proven_or_undone_once_and_only_if_it_was_begun() {
    let mut batch = open(&MemoryStorage::default()).unwrap();
    let id = tap(1).id();
    let not_pending = Err(BatchError::NotPending { terminal: terminal(), tap: id });
    assert_eq!(batch.write(&Note::Proven(id, tac(1))), not_pending);
    batch.write(&Note::Pending(tap(1))).unwrap();
    let twice = batch.write(&Note::Pending(tap(1)));
    assert_eq!(twice, Err(BatchError::AlreadyPending { terminal: terminal(), tap: id }));
    batch.write(&Note::Proven(id, tac(1))).unwrap();
    assert_eq!(batch.write(&Note::Undone(id)), not_pending);
    assert_eq!(batch.export().records.len(), 1);
}

/// A disk with room for so many bytes.
struct FullDisk(MemoryStorage, usize);

impl Storage for FullDisk {
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError> {
        self.0.read_all()
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let room = self.1.saturating_sub(kept(&self.0).len());
        self.0.append(&bytes[..bytes.len().min(room)])?;
        if bytes.len() <= room { Ok(()) } else { Err(StorageError::new("disk", "append", "no space left")) }
    }
    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
    fn truncate(&mut self, length: u64) -> Result<(), StorageError> {
        self.0.truncate(length)
    }
}

#[test]
fn a_full_disk_refuses_the_entry_and_leaves_the_batch_whole() {
    let storage = MemoryStorage::default();
    let mut batch = Batch::open(Box::new(FullDisk(storage.clone(), 190)), terminal()).unwrap();
    batch.write(&Note::Pending(tap(1))).unwrap();
    assert!(matches!(batch.write(&Note::Pending(tap(2))), Err(BatchError::Storage { .. })));
    assert_eq!(batch.pending(), [tap(1)]);
    batch.write(&Note::Proven(tap(1).id(), tac(1))).unwrap();
    let again = open(&storage).unwrap();
    assert_eq!((again.dropped(), again.export().records.len()), (0, 1));
}

#[test]
fn a_file_keeps_the_batch_from_one_opening_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch");
    let file = || Box::new(FileStorage::open(&path).unwrap());
    let mut batch = Batch::open(file(), terminal()).unwrap();
    batch.write(&Note::Pending(tap(1))).unwrap();
    batch.write(&Note::Proven(tap(1).id(), tac(1))).unwrap();
    let second = FileStorage::open(&path).map(|_| ()).unwrap_err().to_string();
    assert!(second.contains("another process"), "{second}");
    drop(batch);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let mut batch = Batch::open(file(), terminal()).unwrap();
    assert_eq!(batch.pending(), [tap(1)]);
    batch.write(&Note::Proven(tap(1).id(), tac(1))).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    let missing = FileStorage::open(&folder.path().join("no/such/batch")).map(|_| ());
    assert!(missing.unwrap_err().to_string().contains("cannot open"));
}
