//! `vectors/secure-element/memory.toml`: every memory that a release has ever kept is read by this one.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use card::PurseReader;
use card::layout::PURSE_AID;
use keys::Seeded;
use secure_element::{MemoryStore, PlasticCard, SoftwareElement, Store};
use smartcard::Channel;
use support::{Host, SERIAL, facts};
use toml::Table;

fn memories() -> Vec<Table> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/secure-element/memory.toml");
    let file: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    file["memory"].as_array().unwrap().iter().map(|memory| memory.as_table().unwrap().clone()).collect()
}

fn store(memory: &Table) -> Box<MemoryStore> {
    let mut store = MemoryStore::default();
    let bytes: String = memory["bytes"].as_str().unwrap().split_whitespace().collect();
    store.save(&hex::decode(bytes).unwrap()).unwrap();
    Box::new(store)
}

fn balance(chip: &mut dyn Channel) -> i64 {
    let reader = PurseReader::new(&PURSE_AID, 10);
    let answers: Vec<_> =
        reader.commands().iter().map(|command| Some(chip.exchange(command).unwrap())).collect();
    i64::from(reader.view(&answers).unwrap().balance.get())
}

#[test]
fn every_memory_ever_kept_is_read() {
    assert!(!memories().is_empty());
    for memory in memories() {
        let (store, random) = (store(&memory), Box::new(Seeded::new(9)));
        let expected = memory["balance_fen"].as_integer().unwrap();
        match memory["chip"].as_str().unwrap() {
            "element" => {
                let chip = SoftwareElement::open(store, random).unwrap().unwrap();
                assert_eq!(chip.se_id(), hex::encode_upper(SERIAL), "{}", memory["why"]);
                let mut host = Host::new(chip, &facts("oppo-find7"));
                let _ = host.domain_session(); // under its own keys
                assert_eq!(balance(&mut host.chip), expected, "{}", memory["why"]);
            }
            "plastic" => {
                let mut chip = PlasticCard::open(store, random).unwrap().unwrap();
                assert!(chip.is_personalised());
                assert_eq!(balance(&mut chip), expected, "{}", memory["why"]);
            }
            other => panic!("{other}"),
        }
    }
}
