//! A card with a torn tap has done other things before it comes back: its own debit is still found among them.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

mod kit;

use keys::{KeyService, SoftwareKeys};
use kit::*;
use model::TapRecord;
use terminal::{Doubt, Request, TapOutcome};

/// A purchase for so much.
fn buy(amount: u32) -> Request {
    Request::Pay { list: Some(fen(amount)) }
}

/// The card runs DEBIT, which is its last command of the tap, and is gone.
fn torn_after_debit(reader: &mut Reader, card: &mut TestCard, request: Request, commands: usize) {
    card.tear = Some(Tear::After(commands - 1));
    let outcome = reader.tap(card, request, "08:00:00");
    assert!(matches!(outcome, TapOutcome::Torn(_)), "{outcome:?}");
    card.tear = None;
}

/// How many commands the card gets for this request, untorn.
fn commands(mut reader: Reader, request: Request) -> usize {
    let mut card = card(SHANGHAI, 5000);
    reader.accept(&mut card, request, "07:00:00");
    card.sent.len()
}

fn shop() -> Reader {
    Reader::new(shanghai_shop(), 0, "")
}

fn bus() -> Reader {
    Reader::new(shanghai_bus(), 0, "")
}

fn proven(reader: &Reader) -> Vec<TapRecord> {
    let records = reader.batch.export().records;
    records.iter().for_each(|record| SoftwareKeys::demo().verify_tap(record).unwrap());
    records
}

#[test]
fn a_torn_purchase_is_finished_although_a_ride_of_the_other_kind_came_after_it() {
    for rides in [1, 2, 9] {
        let (mut shop, mut card) = (shop(), card(SHANGHAI, 9000));
        torn_after_debit(&mut shop, &mut card, buy(1000), commands(self::shop(), buy(1000)));
        let mut bus = bus();
        (0..rides).for_each(|_| drop(bus.accept(&mut card, PAY, "08:05:00")));
        shop.accept(&mut card, buy(300), "18:00:00");
        let amounts: Vec<u32> = proven(&shop).iter().map(|record| record.amount.get()).collect();
        assert_eq!(amounts, [1000, 300], "{rides} rides since");
        assert!(shop.batch.pending().is_empty() && shop.batch.doubted().is_empty());
    }
}

#[test]
fn a_readers_clock_that_is_set_back_makes_no_second_ride_of_a_torn_one() {
    for (back, debits) in
        [("07:59:58", 1), ("07:45:00", 1), ("07:44:59", 2), ("08:15:00", 1), ("08:15:01", 2)]
    {
        let (mut shop, mut card) = (shop(), card(SHANGHAI, 9000));
        torn_after_debit(&mut shop, &mut card, buy(1000), commands(self::shop(), buy(1000)));
        shop.accept(&mut card, buy(1000), back);
        assert_eq!(proven(&shop).len(), debits, "the reader's clock says {back}");
    }
}

#[test]
fn a_torn_purchase_that_never_was_is_not_found_among_rides_of_the_other_kind() {
    let (mut shop, mut card) = (shop(), card(SHANGHAI, 9000));
    card.tear = Some(Tear::Before(commands(self::shop(), buy(1000)) - 1));
    assert!(matches!(shop.tap(&mut card, buy(1000), "08:00:00"), TapOutcome::Torn(_)));
    card.tear = None;
    // Another till takes the number, and rides follow.
    let mut other = Reader::new(shanghai_shop(), 5, "");
    other.accept(&mut card, buy(500), "08:03:00");
    bus().accept(&mut card, PAY, "08:05:00");
    shop.accept(&mut card, buy(300), "18:00:00");
    let amounts: Vec<u32> = proven(&shop).iter().map(|record| record.amount.get()).collect();
    assert_eq!(amounts, [300]);
    assert!(shop.batch.pending().is_empty() && shop.batch.doubted().is_empty());
}

#[test]
fn a_proof_that_an_entry_of_amount_0_has_replaced_is_doubted_and_never_sent_as_the_rides() {
    for (buys, killed) in [(0, false), (0, true), (1, false), (1, true)] {
        let (mut reader, mut card) = (bus(), card(SHANGHAI, 9000));
        torn_after_debit(&mut reader, &mut card, PAY, commands(bus(), PAY));
        reader = if killed { reader.killed() } else { reader };
        Reader::new(shanghai_metro(), 0, "0201").accept(&mut card, ENTER, "08:20:00");
        (0..buys).for_each(|_| drop(shop().accept(&mut card, buy(100), "08:30:00")));
        let next = reader.accept(&mut card, PAY, "09:00:00");
        assert_eq!(proven(&reader), [next]);
        let doubted = reader.batch.doubted();
        assert_eq!((doubted.len(), doubted[0].1), (1, Doubt::MovedOn));
        assert_eq!(doubted[0].0.facts().at, at("08:00:00"));
    }
}

#[test]
fn a_torn_ride_is_not_proven_by_a_free_transfer_at_a_reader_whose_clock_is_slow() {
    let free = model::registry::Operator {
        fare: model::registry::Fare::Flat { list_fen: fen(0) },
        ..(*shanghai_bus()).clone()
    };
    let (mut reader, mut card) = (bus(), card(SHANGHAI, 9000));
    torn_after_debit(&mut reader, &mut card, PAY, commands(bus(), PAY));
    Reader::new(free.into(), 3, "").accept(&mut card, PAY, "07:30:00");
    let next = reader.accept(&mut card, PAY, "08:30:00");
    assert_eq!(proven(&reader), [next]);
    assert_eq!(reader.batch.doubted().len(), 1);
}

#[test]
fn a_torn_entry_is_not_proven_by_a_free_ride_that_came_after_it() {
    let free = model::registry::Operator {
        fare: model::registry::Fare::Flat { list_fen: fen(40) },
        ..(*shanghai_bus()).clone()
    };
    let mut card = card(SHANGHAI, 9000);
    bus().accept(&mut card, PAY, "07:50:00");
    let mut gate = Reader::new(shanghai_metro(), 0, "0201");
    torn_after_debit(&mut gate, &mut card, ENTER, commands(Reader::new(shanghai_metro(), 1, "0201"), ENTER));
    let ride = Reader::new(free.into(), 3, "").accept(&mut card, PAY, "08:05:00");
    assert_eq!(ride.amount, fen(0), "a transfer");
    let _ = gate.tap(&mut card, ENTER, "08:06:00");
    assert!(proven(&gate).is_empty());
    assert_eq!((gate.batch.pending().len(), gate.batch.doubted().len()), (0, 1));
}
