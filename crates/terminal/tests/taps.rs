//! Whole taps on personalised cards: fares, gates, transfers, and every reason to refuse.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

mod kit;

use kit::*;
use model::{PurseFen, TxnType};
use smartcard::{Apdu, Channel, ChannelError, Response, Status};
use terminal::{AcceptanceList, DenyList, Refusal, Request, TapOutcome};

fn gates() -> (Reader, Reader) {
    (Reader::new(shanghai_metro(), 0, "0201"), Reader::new(shanghai_metro(), 1, "0210"))
}

fn shop(list: u32) -> Request {
    Request::Pay { list: Some(fen(list)) }
}

#[test]
fn a_home_card_buys_in_a_shop_by_plain_purchase() {
    let (mut reader, mut card) = (Reader::new(shanghai_shop(), 0, ""), card(SHANGHAI, 5000));
    let record = reader.accept(&mut card, shop(1250), "12:00:00");
    assert_eq!((record.kind, record.amount, record.list_fare), (TxnType::Purchase, fen(1250), fen(1250)));
    assert_eq!((record.card_seq, record.terminal_seq, record.is_away()), (1, 1, false));
    assert_eq!((card.balance(), card.counter()), (3750, 1));
    assert_eq!(reader.batch.export().records, [record]);
}

#[test]
fn a_visitors_card_pays_what_a_local_card_pays() {
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let (mut home, mut away) = (card(SHANGHAI, 5000), card(HANGZHOU, 5000));
    let at_home = reader.accept(&mut home, PAY, "07:45:00");
    let visiting = reader.accept(&mut away, PAY, "07:45:05");
    assert_eq!((at_home.amount, visiting.amount, visiting.list_fare), (fen(180), fen(180), fen(200)));
    assert!(!at_home.is_away() && visiting.is_away());
    assert_eq!((at_home.terminal_seq, visiting.terminal_seq), (1, 2));
    assert_eq!(reader.batch.export().records, [at_home, visiting]);
}

#[test]
fn a_trip_costs_nothing_at_the_entry_and_its_distance_at_the_exit() {
    let ((mut entry, mut exit), mut card) = (gates(), card(HANGZHOU, 5000));
    let entered = entry.accept(&mut card, ENTER, "08:00:00");
    assert_eq!((entered.amount, entered.kind, entered.card_seq), (PurseFen::ZERO, TxnType::Compound, 0));
    assert_eq!((card.balance(), card.counter()), (5000, 0));
    let left = exit.accept(&mut card, LEAVE, "08:31:00");
    assert_eq!((left.amount, left.card_seq), (fen(400), 1), "15.9 km");
    assert_eq!((left.stop_in.as_str(), left.stop_out.as_str()), ("0201", "0210"));
    assert_eq!((left.entered_at, left.at), (Some(at("08:00:00")), at("08:31:00")));
    assert_eq!(card.balance(), 4600);
}

#[test]
fn a_transfer_takes_something_off_in_both_directions_and_only_in_its_window() {
    let ((mut entry, mut exit), mut bus) = (gates(), Reader::new(shanghai_bus(), 0, ""));
    let mut card = card(SHANGHAI, 5000);
    let mut bus_pays = |card: &mut TestCard, time: &str| bus.accept(card, PAY, time).amount.get();
    assert_eq!(bus_pays(&mut card, "07:00:00"), 180);
    entry.accept(&mut card, ENTER, "07:30:00");
    assert_eq!(exit.accept(&mut card, LEAVE, "08:00:00").amount, fen(300), "4 yuan less 1 after the bus");
    assert_eq!(bus_pays(&mut card, "08:10:00"), 140, "after the metro");
    assert_eq!(bus_pays(&mut card, "09:40:00"), 140, "after the bus, at the last moment");
    assert_eq!(bus_pays(&mut card, "11:10:01"), 180, "a second too late");
}

#[test]
fn a_card_without_a_ride_record_still_rides_the_bus() {
    // The shop's flow is the bus's without a record; a bus reader falls back to it.
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let mut card = NoRecords(card(SHANGHAI, 5000));
    let outcome = reader.validator.tap(&mut card, &mut reader.psam, PAY, at("07:45:00"), &mut reader.batch);
    let TapOutcome::Accepted { record, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((record.kind, record.amount), (TxnType::Purchase, fen(180)));
    let mut gate = Reader::new(shanghai_metro(), 0, "0201");
    let outcome = gate.validator.tap(&mut card, &mut gate.psam, ENTER, at("07:50:00"), &mut gate.batch);
    assert!(matches!(outcome, TapOutcome::Refused(refused) if refused.why == Refusal::NoRecord));
}

/// A card that has no file 0017.
struct NoRecords(TestCard);

impl Channel for NoRecords {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match Apdu::parse(command) {
            Ok(apdu) if apdu.ins == 0xB2 => Ok(Response::status(Status::FILE_NOT_FOUND).to_bytes()),
            _ => self.0.transmit(command),
        }
    }
}

#[test]
fn too_little_money_is_refused_before_anything_is_written() {
    let ((mut entry, mut exit), mut poor) = (gates(), card(SHANGHAI, 299));
    assert_eq!(entry.refuse(&mut poor, ENTER, "08:00:00"), Refusal::BalanceLow, "3 yuan are needed");
    let mut enough = card(SHANGHAI, 300);
    entry.accept(&mut enough, ENTER, "08:00:00");
    assert_eq!(exit.refuse(&mut enough, LEAVE, "08:31:00"), Refusal::BalanceLow);
    let mut bus = Reader::new(shanghai_bus(), 0, "");
    assert_eq!(bus.refuse(&mut card(SHANGHAI, 179), PAY, "07:45:00"), Refusal::BalanceLow);
    bus.accept(&mut card(SHANGHAI, 180), PAY, "07:45:00");
    assert!(bus.batch.pending().is_empty() && exit.batch.pending().is_empty());
}

#[test]
fn gates_refuse_what_the_trip_record_speaks_against() {
    let ((mut entry, mut exit), mut card) = (gates(), card(SHANGHAI, 5000));
    assert_eq!(exit.refuse(&mut card, LEAVE, "08:00:00"), Refusal::NotEntered);
    entry.accept(&mut card, ENTER, "08:00:00");
    assert_eq!(entry.refuse(&mut card, ENTER, "08:00:10"), Refusal::AlreadyEntered);
    assert_eq!(exit.refuse(&mut card, LEAVE, "12:00:01"), Refusal::Overstayed);
    assert_eq!(exit.refuse(&mut card, LEAVE, "07:59:59"), Refusal::Overstayed, "the entry lies ahead");
    exit.accept(&mut card, LEAVE, "12:00:00");
    assert_eq!(exit.refuse(&mut card, LEAVE, "12:00:05"), Refusal::NotEntered);
    entry.accept(&mut card, ENTER, "13:00:00");
    entry.accept(&mut card, ENTER, "17:00:01");
    let mut far = Reader::new(shanghai_metro(), 2, "NOWHERE");
    assert_eq!(far.refuse(&mut card, LEAVE, "17:10:00"), Refusal::NoFare);
}

#[test]
fn a_reader_does_only_what_its_operator_does() {
    let ((mut entry, _), mut card) = (gates(), card(SHANGHAI, 5000));
    assert_eq!(entry.refuse(&mut card, PAY, "08:00:00"), Refusal::WrongRequest);
    let mut shop_reader = Reader::new(shanghai_shop(), 0, "");
    assert_eq!(shop_reader.refuse(&mut card, ENTER, "08:00:00"), Refusal::WrongRequest);
    assert_eq!(shop_reader.refuse(&mut card, PAY, "08:00:00"), Refusal::NoFare);
    assert_eq!(shop_reader.refuse(&mut card, shop(100_000), "08:00:00"), Refusal::NoFare, "not a small one");
}

#[test]
fn a_denied_card_is_refused_under_the_version_of_the_list_that_names_it() {
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let wish = CardWish::new(HANGZHOU, 5000);
    let mut card = wish.card();
    reader.accept(&mut card, PAY, "07:45:00");
    let list = DenyList::new(8, [(wish.city, wish.number)]);
    assert_eq!(reader.validator.take_deny_list(list.into()), 8);
    assert_eq!(reader.validator.take_deny_list(DenyList::new(7, []).into()), 8, "an older list");
    let outcome = reader.tap(&mut card, PAY, "09:45:00");
    let TapOutcome::Refused(refused) = outcome else { panic!("{outcome:?}") };
    assert_eq!((refused.why, refused.deny_version, refused.card), (Refusal::Denied, 8, Some(wish.number)));
    let mut namesake = CardWish { city: city(SHANGHAI), ..CardWish::new(HANGZHOU, 5000) }.card();
    let outcome = reader.tap(&mut namesake, PAY, "09:46:00");
    assert!(matches!(outcome, TapOutcome::Accepted { deny_version: 8, .. }), "same number, another city");
}

#[test]
fn a_city_is_taken_from_its_day_on_and_others_not_at_all() {
    let bus = shanghai_bus();
    let fuzhou = std::sync::Arc::new(model::registry::Operator { city: city(3500), ..(*bus).clone() });
    let settings = terminal::Settings::new(fuzhou.terminals.first, fuzhou);
    let list = |from: &str| {
        AcceptanceList::new(1, [(city(3500), None), (city(SHANGHAI), Some(from.parse().unwrap()))])
    };
    let mut before = Reader::with(settings.clone(), list("2014-10-21"), DenyList::default());
    let mut card_of_shanghai = card(SHANGHAI, 5000);
    assert_eq!(before.refuse(&mut card_of_shanghai, PAY, "23:59:59"), Refusal::NotAcceptedHere);
    before.accept(&mut card(3500, 5000), PAY, "12:00:00");
    assert_eq!(before.refuse(&mut card(NINGBO, 5000), PAY, "12:00:00"), Refusal::NotAcceptedHere);
    let mut after = Reader::with(settings, list("2014-10-20"), DenyList::default());
    after.accept(&mut card_of_shanghai, PAY, "00:00:00");
}

#[test]
fn a_citys_own_psam_takes_its_own_cards_and_no_others() {
    let mut settings = terminal::Settings::new("200001010001".parse().unwrap(), shanghai_bus());
    settings.scope = city_scope(SHANGHAI);
    let list = AcceptanceList::new(1, [(city(SHANGHAI), None), (city(HANGZHOU), None)]);
    let mut reader = Reader::with(settings, list, DenyList::default());
    reader.accept(&mut card(SHANGHAI, 5000), PAY, "07:45:00");
    assert_eq!(reader.refuse(&mut card(HANGZHOU, 5000), PAY, "07:45:00"), Refusal::NotAcceptedHere);
}

type Change = fn(&mut card::layout::PublicInfo);

#[test]
fn a_card_that_is_not_good_today_is_refused_with_the_reason() {
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let cases: [(Change, Refusal); 4] = [
        (|info| info.expiry = "2014-10-19".parse().unwrap(), Refusal::Expired),
        (|info| info.start = "2014-10-21".parse().unwrap(), Refusal::NotYetValid),
        (|info| info.enabled = 0, Refusal::NotEnabled),
        (|info| info.test = [1, 0], Refusal::TestCard),
    ];
    for (info, why) in cases {
        let wish = CardWish { info, ..CardWish::new(SHANGHAI, 5000) };
        assert_eq!(reader.refuse(&mut wish.card(), PAY, "07:45:00"), why);
    }
    let wish = CardWish::new(SHANGHAI, 5000);
    let mut blocked = wish.card();
    blocked.block(&wish);
    assert_eq!(reader.refuse(&mut blocked, PAY, "07:45:00"), Refusal::Blocked);
}

#[test]
fn a_reader_under_test_takes_test_cards_and_says_so_in_the_record() {
    let mut settings = terminal::Settings::new("200001010001".parse().unwrap(), shanghai_bus());
    settings.under_test = true;
    let list = AcceptanceList::new(1, [(city(SHANGHAI), None)]);
    let mut reader = Reader::with(settings, list, DenyList::default());
    let wish = CardWish { info: |info| info.test = [1, 0], ..CardWish::new(SHANGHAI, 5000) };
    assert!(reader.accept(&mut wish.card(), PAY, "07:45:00").test);
    assert!(!reader.accept(&mut card(SHANGHAI, 5000), PAY, "07:45:00").test);
}

/// A card that answers from a list, then is silent.
struct Scripted(Script);

type Script = Vec<(Vec<u8>, Status)>;

impl Channel for Scripted {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.0.is_empty() {
            return Err(ChannelError::Lost("silent".to_owned()));
        }
        let (data, status) = self.0.remove(0);
        Ok(Response { data, status }.to_bytes())
    }
}

#[test]
fn a_strange_card_is_refused_by_a_stable_code_and_never_with_a_panic() {
    let fci = hex::decode("6F328409A00000000386980701A5259F0801019F0C1E20002000000000000101000020000000000000422012070120220630 0000".replace(' ', "")).unwrap();
    let offer = |balance: u32, length: usize| {
        let mut data = balance.to_be_bytes().to_vec();
        data.extend([0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 4, 9, 9]);
        data.truncate(length);
        data
    };
    let ok = Status::OK;
    let cases: Vec<(&str, Script, Refusal)> = vec![
        ("nothing in the field", vec![], Refusal::CardLeft),
        ("a bank card", vec![(vec![], Status::FILE_NOT_FOUND)], Refusal::NotOurCard),
        ("an answer that is no template", vec![(vec![1, 2, 3], ok), (vec![0; 30], ok)], Refusal::NotOurCard),
        ("no file 0015", vec![(vec![], ok), (vec![], Status::FILE_NOT_FOUND)], Refusal::NotOurCard),
        ("gone after SELECT", vec![(fci.clone(), ok)], Refusal::CardLeft),
        ("an authentication id of 8 bytes", vec![(fci.clone(), ok), (vec![0; 8], ok)], Refusal::CardWrong),
        (
            "an offer of 14 bytes",
            vec![(fci.clone(), ok), (vec![], Status::WRONG_INS), (offer(5000, 14), ok)],
            Refusal::CardWrong,
        ),
        (
            "a balance that lies: too little, but offered",
            vec![(fci.clone(), ok), (vec![], Status::WRONG_CLA), (offer(1249, 15), ok)],
            Refusal::BalanceLow,
        ),
        (
            "no such purchase key",
            vec![(fci.clone(), ok), (vec![], Status::NOT_SUPPORTED), (vec![], Status::WRONG_KEY_INDEX)],
            Refusal::KeyVersion,
        ),
        (
            "the card refuses MAC1",
            vec![(fci.clone(), ok), (vec![0; 9], ok), (offer(5000, 15), ok), (vec![], Status::WRONG_MAC)],
            Refusal::CardWrong,
        ),
        (
            "a clone: it says yes with a MAC2 of its own making",
            vec![(fci, ok), (vec![0; 9], ok), (offer(5000, 15), ok), (vec![7; 8], ok)],
            Refusal::WrongMac2,
        ),
    ];
    for (why, script, refusal) in cases {
        let mut reader = Reader::new(shanghai_shop(), 0, "");
        let mut card = Scripted(script);
        let outcome =
            reader.validator.tap(&mut card, &mut reader.psam, shop(1250), at("12:00:00"), &mut reader.batch);
        assert!(
            matches!(outcome, TapOutcome::Refused(refused) if refused.why == refusal),
            "{why}: {outcome:?}"
        );
        assert!(reader.batch.pending().is_empty() && reader.batch.export().records.is_empty(), "{why}");
        let doubted = usize::from(refusal == Refusal::WrongMac2);
        assert_eq!(reader.batch.doubted().len(), doubted, "{why}");
    }
}

#[test]
fn a_card_whose_answer_to_debit_makes_no_sense_is_torn_and_not_refused() {
    let fci = hex::decode("6F328409A00000000386980701A5259F0801019F0C1E200020000000000001010000200000000000004220120701202206300000").unwrap();
    let offer = hex::decode("000013880000000000010001020304").unwrap();
    for answer in [(vec![1; 7], Status::OK), (vec![], Status::MEMORY_FAILURE)] {
        let mut reader = Reader::new(shanghai_shop(), 0, "");
        let mut card = Scripted(vec![
            (fci.clone(), Status::OK),
            (vec![], Status::WRONG_INS),
            (offer.clone(), Status::OK),
            answer,
        ]);
        let outcome =
            reader.validator.tap(&mut card, &mut reader.psam, shop(1250), at("12:00:00"), &mut reader.batch);
        assert!(matches!(outcome, TapOutcome::Torn(_)), "{outcome:?}");
        assert_eq!(reader.batch.pending().len(), 1);
    }
}

#[test]
fn a_plain_pboc_card_without_an_authentication_id_pays_too() {
    let mut wish = CardWish::new(SHANGHAI, 5000);
    wish.profile.mac1_includes_auth_id = false;
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    reader.accept(&mut wish.card(), PAY, "07:45:00");
}

#[test]
fn a_card_that_counts_entries_as_well_rides_like_any_other() {
    let ((mut entry, mut exit), mut wish) = (gates(), CardWish::new(SHANGHAI, 5000));
    wish.profile.zero_amount_counts = true;
    let mut card = wish.card();
    entry.accept(&mut card, ENTER, "08:00:00");
    assert_eq!(exit.accept(&mut card, LEAVE, "08:31:00").amount, fen(400));
    assert_eq!((card.balance(), card.counter()), (4600, 2));
}

/// No PSAM in the slot.
struct Empty;

impl Channel for Empty {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
        Err(ChannelError::NotSent("no PSAM in the slot".to_owned()))
    }
}

#[test]
fn a_reader_without_its_psam_debits_nothing_and_works_again_with_it() {
    let (mut reader, mut card) = (Reader::new(shanghai_bus(), 0, ""), card(SHANGHAI, 5000));
    card.present();
    let absent = reader.validator.tap(&mut card, &mut Empty, PAY, at("07:45:00"), &mut reader.batch);
    assert!(matches!(absent, TapOutcome::Refused(refused) if refused.why == Refusal::PsamAbsent));
    reader.accept(&mut card, PAY, "07:45:10");
    card.present();
    let pulled = reader.validator.tap(&mut card, &mut Empty, PAY, at("07:45:20"), &mut reader.batch);
    assert!(matches!(pulled, TapOutcome::Refused(refused) if refused.why == Refusal::PsamAbsent));
    let mut other = Reader::new(shanghai_bus(), 1, "");
    card.present();
    let of_another = reader.validator.tap(&mut card, &mut other.psam, PAY, at("07:45:30"), &mut reader.batch);
    assert!(matches!(of_another, TapOutcome::Refused(refused) if refused.why == Refusal::PsamOfAnother));
    assert_eq!(card.balance(), 4820);
    reader.accept(&mut card, PAY, "07:46:00");
}

#[test]
fn a_psam_that_was_powered_off_is_opened_again() {
    let (mut reader, mut card) = (Reader::new(shanghai_bus(), 0, ""), card(SHANGHAI, 5000));
    reader.accept(&mut card, PAY, "07:45:00");
    reader.psam.reset().unwrap();
    assert_eq!(reader.refuse(&mut card, PAY, "07:45:10"), Refusal::PsamRefused);
    assert_eq!(reader.accept(&mut card, PAY, "07:45:20").terminal_seq, 2);
}

#[test]
fn the_commands_of_a_tap_are_these_and_no_more() {
    let (mut reader, mut card) = (Reader::new(shanghai_shop(), 0, ""), card(SHANGHAI, 5000));
    reader.accept(&mut card, shop(100), "12:00:00");
    let headers: Vec<String> = card.sent.iter().map(|apdu| hex::encode_upper(&apdu[..4])).collect();
    assert_eq!(headers, ["00A40400", "80CA0000", "80500102", "80540100"]);
    let (mut bus, mut entry) = (Reader::new(shanghai_bus(), 0, ""), gates().0);
    bus.accept(&mut card, PAY, "12:10:00");
    assert_eq!(card.sent.len(), 7, "SELECT, records 02 and 03, 80CA, INITIALIZE, cache, DEBIT");
    entry.accept(&mut card, ENTER, "12:20:00");
    assert_eq!(card.sent.len(), 6, "SELECT, record 02, 80CA, INITIALIZE, cache, DEBIT");
}
