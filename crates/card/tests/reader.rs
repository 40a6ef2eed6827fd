//! What a host sees of a card, and `vectors/card/memory.toml`: memories of earlier releases.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod data;

use card::{Purse, PurseMemory, PurseReader, PurseView, ReadError};
use keys::Seeded;
use serde::Deserialize;
use smartcard::{Response, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    memory: Vec<Memory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    why: String,
    #[allow(dead_code)] // for the reader of the file
    source: String,
    bytes: String,
    view: String,
}

fn memories() -> Vec<Memory> {
    data::vectors::<File>("memory").memory
}

fn purse() -> Purse {
    let kept = data::bytes(&memories().swap_remove(0).bytes);
    Purse::with_memory(minicbor::decode(&kept).unwrap())
}

fn answers(reader: &PurseReader, purse: &mut Purse) -> Vec<Option<Response>> {
    reader.commands().iter().map(|apdu| Some(purse.process(apdu, &mut Seeded::new(1)))).collect()
}

fn text(view: &PurseView) -> String {
    let log = |records: &[card::layout::LogRecord]| {
        records.iter().map(|r| format!("{}: {}", r.counter, r.amount)).collect::<Vec<_>>().join(", ")
    };
    let state = if view.blocked { "blocked" } else { "open" };
    let (loads, purchases) = (log(&view.loads), log(&view.purchases));
    let number = view.public_info.number.raw();
    format!("{number} {state} {}, loads [{loads}], purchases [{purchases}]", view.balance)
}

#[test]
fn every_memory_ever_kept_is_read() {
    for memory in memories() {
        let kept: PurseMemory = minicbor::decode(&data::bytes(&memory.bytes)).unwrap();
        let mut purse = Purse::with_memory(kept);
        let reader = PurseReader::default();
        let view = reader.view(&answers(&reader, &mut purse)).unwrap();
        assert_eq!(text(&view), memory.view, "{}", memory.why);
    }
}

#[test]
fn reading_changes_nothing() {
    let mut purse = purse();
    let before = purse.memory().clone();
    answers(&PurseReader::default(), &mut purse);
    assert!(*purse.memory() == before);
}

#[test]
fn without_logs_three_commands_are_enough() {
    let reader = PurseReader::new(&card::layout::PURSE_AID, 0);
    assert_eq!(reader.commands().len(), 3);
    let view = reader.view(&answers(&reader, &mut purse())).unwrap();
    assert_eq!((view.loads.len(), view.purchases.len()), (0, 0));
}

#[test]
fn a_blocked_card_still_says_whose_it_is() {
    let reader = PurseReader::new(&card::layout::PURSE_AID, 0);
    let mut answers = answers(&reader, &mut purse());
    if let Some(Some(select)) = answers.first_mut() {
        select.status = Status::NOT_SUPPORTED;
    }
    assert!(reader.view(&answers).unwrap().blocked);
}

#[test]
fn an_answer_that_is_missing_refused_or_foreign_is_named() {
    let reader = PurseReader::default();
    let good = answers(&reader, &mut purse());
    let with = |index: usize, answer: Option<Response>| {
        let mut answers = good.clone();
        answers[index] = answer;
        reader.view(&answers)
    };
    let missing = with(2, None);
    assert_eq!(missing, Err(ReadError::Silent { step: "GET BALANCE" }));
    let refused = with(0, Some(Response::status(Status::FILE_NOT_FOUND)));
    assert_eq!(refused, Err(ReadError::Refused { step: "SELECT", status: Status::FILE_NOT_FOUND }));
    let foreign = with(1, Some(Response::ok([0xFF; 30])));
    assert_eq!(foreign, Err(ReadError::Foreign { step: "READ BINARY 0015" }));
    assert_eq!(reader.view(&good[..5]), Err(ReadError::Silent { step: "READ RECORD" }));
    assert!(with(4, Some(Response::status(Status::RECORD_NOT_FOUND))).is_ok());
}
