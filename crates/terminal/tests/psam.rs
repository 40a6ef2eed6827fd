//! The software PSAM against bytes made without it, and killed where it hurts.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

use keys::{KeyService, PsamScope, SoftwareKeys};
use model::PsamId;
use smartcard::{Channel, Command};
use terminal::psam::{
    AuthenticationMessage, CreditSamForPurchase, InitSamForPurchase, PsamFacts, PsamState, SamOffer,
};
use terminal::{FilePsamStore, MemoryPsamStore, PsamIdentity, PsamStore, SoftwarePsam};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    #[serde(rename = "source")]
    _source: String,
    psam: String,
    next_seq: u32,
    lines: Vec<String>,
}

fn vectors() -> Vec<Vector> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/terminal/psam.toml");
    toml::from_str::<File>(&std::fs::read_to_string(path).unwrap()).unwrap().vector
}

fn identity() -> PsamIdentity {
    let terminal = "200001010001".parse().unwrap();
    PsamIdentity { id: PsamId(0x2000_0000_0001), terminal, key_index: 1 }
}

fn psam(scope: PsamScope, store: impl PsamStore + 'static) -> SoftwarePsam {
    let keys = SoftwareKeys::demo().psam_keys(scope).unwrap();
    SoftwarePsam::new(keys, identity(), Box::new(store)).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "")).unwrap()
}

fn ask(psam: &mut SoftwarePsam, command: &str) -> String {
    hex::encode_upper(psam.transmit(&bytes(command)).unwrap())
}

const SELECT: &str = "00A4000002100100";
const INIT: &str = "8070000024A1B2C3D40007000000C806201410200745000100310012345678004\
                    23100FF000000000008";

#[test]
fn every_vector_replays_byte_for_byte() {
    for vector in vectors() {
        let scope = match vector.psam.as_str() {
            "national" => PsamScope::National,
            city => PsamScope::City(city.parse().unwrap()),
        };
        let mut store = MemoryPsamStore::default();
        store.save(PsamState { next_seq: vector.next_seq, wrong_mac2: 0 }).unwrap();
        let mut psam = psam(scope, store);
        for line in &vector.lines {
            let (command, answer) = line.split_once('>').unwrap();
            assert_eq!(ask(&mut psam, command), answer.replace(' ', ""), "{}: {line}", vector.why);
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_in_init_is_refused_or_changes_mac1() {
    let command = bytes(INIT);
    let mut whole = psam(PsamScope::National, MemoryPsamStore::default());
    ask(&mut whole, SELECT);
    let right = whole.transmit(&command).unwrap();
    for bit in 5 * 8..(command.len() - 1) * 8 {
        let mut twin = command.clone();
        twin[bit / 8] ^= 1 << (bit % 8);
        let mut psam = psam(PsamScope::National, MemoryPsamStore::default());
        ask(&mut psam, SELECT);
        let answer = psam.transmit(&twin).unwrap();
        assert_ne!(answer, right, "bit {bit}");
    }
}

#[test]
fn the_commands_read_back_what_they_write() {
    let lines: Vec<String> = vectors().into_iter().flat_map(|vector| vector.lines).collect();
    let mut seen = 0;
    for line in lines.iter().filter(|line| line.replace(' ', "").ends_with("9000")) {
        let (command, answer) = line.split_once('>').unwrap();
        let apdu = smartcard::Apdu::parse(&bytes(command)).unwrap();
        let data = bytes(answer);
        let data = &data[..data.len() - 2];
        match apdu.ins {
            0xCA => {
                assert_eq!(AuthenticationMessage::from_apdu(&apdu).unwrap().to_apdu(), apdu);
                assert_eq!(AuthenticationMessage::parse_response(data), Some(()));
            }
            0x70 => {
                assert_eq!(InitSamForPurchase::from_apdu(&apdu).unwrap().to_apdu(), apdu);
                assert_eq!(
                    InitSamForPurchase::parse_response(data).map(|o: SamOffer| o.to_bytes()).unwrap(),
                    data
                );
            }
            0x72 => assert_eq!(CreditSamForPurchase::from_apdu(&apdu).unwrap().to_apdu(), apdu),
            _ => continue,
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen} commands");
}

#[test]
fn a_reader_learns_from_its_psam_who_it_is() {
    let mut psam = psam(PsamScope::National, MemoryPsamStore::default());
    let facts = PsamFacts::read(&mut psam).unwrap();
    let PsamIdentity { id, terminal, key_index } = identity();
    assert_eq!(facts, PsamFacts { id, terminal, key_index });
}

#[test]
fn a_killed_psam_never_gives_a_number_twice() {
    let store = MemoryPsamStore::default();
    let mut given = Vec::new();
    for _ in 0..3 {
        let mut psam = psam(PsamScope::National, store.clone());
        for _ in 0..3 {
            ask(&mut psam, SELECT);
            given.push(ask(&mut psam, INIT)[..8].to_owned());
        }
    }
    assert_eq!(given.first().unwrap(), "00000001");
    assert!(given.is_sorted() && given.windows(2).all(|pair| pair[0] != pair[1]), "{given:?}");
}

/// A store whose power fails at a save.
struct Failing;

impl PsamStore for Failing {
    fn load(&mut self) -> Result<Option<PsamState>, terminal::StorageError> {
        Ok(None)
    }
    fn save(&mut self, _: PsamState) -> Result<(), terminal::StorageError> {
        Err(terminal::StorageError::new("flash", "save", "no power"))
    }
}

#[test]
fn a_number_that_cannot_be_kept_is_not_given() {
    let mut psam = psam(PsamScope::National, Failing);
    ask(&mut psam, SELECT);
    assert_eq!(ask(&mut psam, INIT), "6581");
}

#[test]
fn fifteen_wrong_mac2s_in_a_row_lock_the_psam_for_good() {
    let store = MemoryPsamStore::default();
    let mut first = psam(PsamScope::National, store.clone());
    ask(&mut first, SELECT);
    for wrong in 1..=15 {
        assert!(ask(&mut first, INIT).ends_with("9000"), "{wrong}");
        assert_eq!(ask(&mut first, "807200000400000000"), "9302");
    }
    for mut locked in [first, psam(PsamScope::National, store)] {
        ask(&mut locked, SELECT);
        assert_eq!(ask(&mut locked, INIT), "9303");
        assert_eq!(ask(&mut locked, "8072000004B6256CAF"), "9303");
    }
}

#[test]
fn a_right_mac2_forgives_the_wrong_ones_before_it() {
    let mut psam = psam(PsamScope::National, MemoryPsamStore::default());
    ask(&mut psam, SELECT);
    for _ in 0..14 {
        ask(&mut psam, INIT);
        ask(&mut psam, "807200000400000000");
    }
    // Number 15 has a session key of its own; a purchase of the last allowed try is right.
    let offer = ask(&mut psam, INIT);
    assert!(offer.starts_with("0000000F"));
    let keys = SoftwareKeys::demo().psam_keys(PsamScope::National).unwrap();
    let InitSamForPurchase { diversifiers, random, counter, amount, .. } =
        InitSamForPurchase::from_apdu(&smartcard::Apdu::parse(&bytes(INIT)).unwrap()).unwrap();
    let session = keys.session(1, &diversifiers.levels(), random, counter, 15).unwrap();
    let mac2 = hex::encode(session.mac2(amount).bytes());
    assert_eq!(ask(&mut psam, &format!("8072000004{mac2}")), "9000");
    ask(&mut psam, INIT);
    assert_eq!(ask(&mut psam, "807200000400000000"), "9302");
    assert!(ask(&mut psam, INIT).ends_with("9000"));
}

#[test]
fn power_off_ends_the_session_and_the_authentication_id() {
    let mut psam = psam(PsamScope::National, MemoryPsamStore::default());
    ask(&mut psam, SELECT);
    ask(&mut psam, INIT);
    psam.reset().unwrap();
    assert_eq!(ask(&mut psam, "8072000004B6256CAF"), "6985");
    ask(&mut psam, SELECT);
    assert_eq!(ask(&mut psam, "8072000004B6256CAF"), "6901");
}

#[test]
fn a_file_keeps_the_number_and_a_broken_one_is_not_read_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("psam");
    for expected in ["00000001", "00000002"] {
        let mut psam = psam(PsamScope::National, FilePsamStore::new(&path));
        ask(&mut psam, SELECT);
        assert!(ask(&mut psam, INIT).starts_with(expected));
    }
    std::fs::write(&path, [0xFF]).unwrap();
    let error = FilePsamStore::new(&path).load().unwrap_err();
    assert!(error.to_string().contains("does not hold a PSAM's state"));
}
