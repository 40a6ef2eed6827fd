//! What lies on a disk or comes as a file: record files, columns, the registry, the vault, a reader's batch.

use std::sync::OnceLock;

use clearing::cux::{self as text, CuxFile};
use clearing::parquet as columns;
use keys::vault::{self as locked, Cost, Lock};
use keys::{Roots, Seeded};
use model::TerminalId;
use model::registry::Registry;
use sha2::{Digest, Sha256};
use terminal::{Batch, MemoryStorage};

use crate::pieces;

/// Header and trailer of a record file, with their CRLF.
const FRAME: usize = 82;

/// Record files of all four kinds, as they come and with their digest mended, so that the lines are reached.
pub fn cux(data: &[u8]) {
    let _ = std::str::from_utf8(data).map(|name| name.parse::<text::FileName>());
    read(data);
    let mut mended = data.to_vec();
    if let Some(body) = mended.len().checked_sub(FRAME) {
        let digest = hex::encode_upper(Sha256::digest(&mended[..body]));
        mended[body + 12..body + 76].copy_from_slice(digest.as_bytes());
        read(&mended);
    }
    // An example of each kind with the input laid over it: what is not zero in the input changes a character.
    for (_, example) in EXAMPLES {
        let mut altered = example.to_vec();
        altered.iter_mut().zip(data).filter(|(_, over)| **over != 0).for_each(|(byte, over)| *byte = *over);
        let body = altered.len() - FRAME;
        let digest = hex::encode_upper(Sha256::digest(&altered[..body]));
        altered[body + 12..body + 76].copy_from_slice(digest.as_bytes());
        read(&altered);
    }
}

const EXAMPLES: [(&str, &[u8]); 4] = [
    ("XF20000000201410200001.CUX", include_bytes!("../../vectors/clearing/XF20000000201410200001.CUX")),
    ("CZ31500000201410200001.CUX", include_bytes!("../../vectors/clearing/CZ31500000201410200001.CUX")),
    ("XD00003150201410210001.CUX", include_bytes!("../../vectors/clearing/XD00003150201410210001.CUX")),
    ("XR00002000201410210001.CUX", include_bytes!("../../vectors/clearing/XR00002000201410210001.CUX")),
];

fn read(bytes: &[u8]) {
    let [(spends, _), (loads, _), (issuer, _), (acquirer, _)] = EXAMPLES;
    again(text::read_taps(spends, bytes), text::write_taps, |b| text::read_taps(spends, b));
    again(text::read_loads(loads, bytes), text::write_loads, |b| text::read_loads(loads, b));
    again(text::read_results(issuer, bytes), text::write_results, |b| text::read_results(issuer, b));
    again(text::read_results(acquirer, bytes), text::write_results, |b| text::read_results(acquirer, b));
}

fn again<T: PartialEq>(
    first: Result<CuxFile<T>, text::CuxError>,
    write: fn(&CuxFile<T>) -> Result<Vec<u8>, text::CuxError>,
    read: impl Fn(&[u8]) -> Result<CuxFile<T>, text::CuxError>,
) {
    match first {
        Ok(file) => {
            let written = write(&file).unwrap_or_else(|error| panic!("read but not written: {error}"));
            assert!(
                read(&written).is_ok_and(|again| again == file),
                "written and read again it is another file"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Taps and verdicts as columns, as they come and as an example with the input laid over its end, where the
/// description of the columns stands.
pub fn parquet(data: &[u8]) {
    let example: &[u8] = include_bytes!("../../vectors/clearing/taps.parquet");
    let mut altered = example.to_vec();
    altered.iter_mut().rev().skip(8).zip(data).for_each(|(byte, over)| *byte ^= over);
    for bytes in [data, &altered] {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        if let Ok(chunks) = columns::read_taps("taps.parquet", bytes.clone()) {
            for chunk in chunks.take(64) {
                let Ok(records) = chunk else { break };
                let written = columns::write_taps(&records).unwrap_or_else(|error| panic!("{error}"));
                let read: Vec<_> =
                    columns::read_taps("again.parquet", written).into_iter().flatten().flatten().collect();
                assert_eq!(read.concat(), records);
            }
        }
        if let Ok(chunks) = columns::read_verdicts("verdicts.parquet", bytes) {
            chunks.take(64).for_each(drop);
        }
    }
}

/// One registry file of any folder: alone, where its references lead nowhere, and laid over the built-in registry.
pub fn registry(data: &[u8]) {
    static EMBEDDED: OnceLock<Option<Registry>> = OnceLock::new();
    let Some(embedded) = EMBEDDED.get_or_init(|| Registry::embedded().ok()) else { return };
    let Some((folder, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let paths = [
        "cities/wuxi.toml",
        "operators/wuxi-metro.toml",
        "phones/oppo-find7.toml",
        "wallets/alipay.toml",
        "agreements/away.toml",
        "acceptance/fuzhou-shanghai.toml",
        "nowhere/file.toml",
    ];
    let path = paths[usize::from(*folder) % paths.len()];
    if let Err(error) = Registry::parse([(path, text)]) {
        for problem in error.problems() {
            assert!(problem.line >= 1 && !problem.what.is_empty(), "{problem}");
        }
    }
    // The whole registry takes a thousand times as long as one file, so only some inputs are laid over it.
    if *folder >= 0x80 && text.len() > 64 {
        match embedded.clone().overlay([(path, text)]) {
            Ok(whole) => assert!(whole.files().any(|(file, found)| file == path && found == text)),
            Err(error) => assert!(!error.problems().is_empty()),
        }
    }
}

/// The vault: any bytes, and a true one with the input laid over it.
pub fn vault(data: &[u8]) {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    let lock = Lock::KeyFile(&[7; 32]);
    let sealed = SEALED.get_or_init(|| {
        let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        locked::seal(&Roots::demo(), &lock, cost, &mut Seeded::new(1)).unwrap_or_default()
    });
    assert!(locked::open(data, &lock).is_err(), "a vault that nobody sealed opens");
    let mut altered = sealed.clone();
    altered.iter_mut().zip(data).for_each(|(byte, over)| *byte ^= over);
    assert_eq!(locked::open(&altered, &lock).is_ok(), altered == *sealed);
    // A passphrase: only where the file does not ask for much memory, which is an honest cost and no defect.
    let cheap = data.get(6..11).is_some_and(|memory| memory[0] == 0 && memory[1] == 0 && memory[2] == 0);
    let short = data
        .get(10..14)
        .is_some_and(|passes| passes[0] == 0 && passes[1] == 0 && passes[2] == 0 && passes[3] < 4);
    if cheap && short {
        assert!(locked::open(data, &Lock::Passphrase("a guess")).is_err());
    }
}

/// A reader's batch: any bytes, and entries of any content in true frames.
pub fn batch(data: &[u8]) {
    let terminal = TerminalId::new([0x20, 0, 1, 1, 0, 1]);
    opened(data.to_vec(), terminal);
    let mut framed = Vec::new();
    // The entry with which every batch of this terminal begins.
    let storage = MemoryStorage::default();
    let _ = Batch::open(Box::new(storage.clone()), terminal);
    framed.extend(terminal::Storage::read_all(&mut storage.clone()).unwrap_or_default());
    for payload in pieces(data) {
        let length = u16::try_from(payload.len()).unwrap_or(0);
        framed.extend(length.to_be_bytes());
        framed.extend((!length).to_be_bytes());
        framed.extend(payload);
        framed.extend(crc32fast::hash(payload).to_be_bytes());
        framed.push(0xA5);
    }
    opened(framed, terminal);
}

/// What opens, opens again to the same.
fn opened(bytes: Vec<u8>, terminal: TerminalId) {
    let storage = MemoryStorage::holding(bytes);
    if let Ok(first) = Batch::open(Box::new(storage.clone()), terminal) {
        let again = Batch::open(Box::new(storage), terminal).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(first.export(), again.export());
        assert_eq!((first.pending(), first.doubted()), (again.pending(), again.doubted()));
        assert_eq!(again.dropped(), 0, "a torn tail was cut off at the first opening");
    }
}
