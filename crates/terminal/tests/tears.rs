//! The card leaves the field at every point of every flow, and comes back: one ride, one debit, one record.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

mod kit;

use keys::{KeyService, SoftwareKeys};
use kit::*;
use model::{CardTime, TapRecord};
use proptest::prelude::*;
use smartcard::{Apdu, Channel, ChannelError, Response, Status};
use terminal::{Batch, Doubt, MemoryStorage, Refusal, Request, Storage, StorageError, TapOutcome};

/// One way to use a card.
struct Flow {
    name: &'static str,
    request: Request,
    fare: u32,
    /// The reader, and a card that is ready for it.
    ready: fn(CardWish) -> (Reader, TestCard),
}

const FLOWS: [Flow; 4] = [
    Flow {
        name: "plain purchase",
        request: Request::Pay { list: None },
        fare: 180,
        ready: |wish| {
            let bus = std::sync::Arc::new(model::registry::Operator {
                mode: model::Mode::Parking,
                transfer: None,
                ..(*shanghai_bus()).clone()
            });
            (Reader::new(bus, 0, ""), wish.card())
        },
    },
    Flow {
        name: "compound purchase with a ride record",
        request: PAY,
        fare: 180,
        ready: |wish| (Reader::new(shanghai_bus(), 0, ""), wish.card()),
    },
    Flow {
        name: "entry",
        request: ENTER,
        fare: 0,
        ready: |wish| (Reader::new(shanghai_metro(), 0, "0201"), wish.card()),
    },
    Flow {
        name: "exit",
        request: LEAVE,
        fare: 400,
        ready: |wish| {
            let mut card = wish.card();
            Reader::new(shanghai_metro(), 0, "0201").accept(&mut card, ENTER, "07:30:00");
            (Reader::new(shanghai_metro(), 1, "0210"), card)
        },
    },
];

/// What happens to the reader before the card is back.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    AnotherCard,
    Killed,
}

fn wish(counts: bool) -> CardWish {
    let mut wish = CardWish::new(SHANGHAI, 5000);
    wish.profile.zero_amount_counts = counts;
    wish
}

fn later(reader: Reader, flow: &Flow, meanwhile: Meanwhile) -> Reader {
    match meanwhile {
        Meanwhile::Nothing => reader,
        Meanwhile::Killed => reader.killed(),
        Meanwhile::AnotherCard => {
            let mut reader = reader;
            let other = CardWish { number: number(SHANGHAI, 77), ..CardWish::new(SHANGHAI, 900) };
            let (_, mut card) = (flow.ready)(other);
            reader.accept(&mut card, flow.request, "08:00:30");
            reader
        }
    }
}

/// This card's records at the reader.
fn records(reader: &Reader) -> Vec<TapRecord> {
    let all = reader.batch.export().records;
    all.into_iter().filter(|record| record.card == number(SHANGHAI, 42)).collect()
}

/// One debit and one record, which proves itself.
fn one_ride(reader: &Reader, card: &mut TestCard, flow: &Flow, what: &str) {
    let records = records(reader);
    assert_eq!(records.len(), 1, "{what}");
    SoftwareKeys::demo().verify_tap(&records[0]).unwrap();
    assert_eq!(records[0].amount, fen(flow.fare), "{what}");
    assert_eq!(card.balance(), 5000 - flow.fare, "{what}");
    assert!(reader.batch.pending().is_empty() && reader.batch.doubted().is_empty(), "{what}");
}

/// How many commands the card gets in this flow, untorn.
fn commands(flow: &Flow) -> usize {
    let (mut reader, mut card) = (flow.ready)(wish(false));
    reader.accept(&mut card, flow.request, "08:00:00");
    card.sent.len()
}

#[test]
fn torn_at_any_point_and_back_a_card_has_paid_exactly_once() {
    let mut cases = 0;
    for flow in &FLOWS {
        let commands = commands(flow);
        for (index, counts) in (0..commands).flat_map(|index| [(index, false), (index, true)]) {
            for tear in [Tear::Before(index), Tear::After(index)] {
                for meanwhile in [Meanwhile::Nothing, Meanwhile::AnotherCard, Meanwhile::Killed] {
                    let what = format!("{}: {tear:?} of {commands}, {meanwhile:?}", flow.name);
                    let (mut reader, mut card) = (flow.ready)(wish(counts));
                    card.tear = Some(tear);
                    let torn = reader.tap(&mut card, flow.request, "08:00:00");
                    let debit = index + 1 == commands;
                    match torn {
                        TapOutcome::Torn(_) if debit => assert_eq!(reader.batch.pending().len(), 1, "{what}"),
                        TapOutcome::Refused(refused) if !debit => {
                            assert_eq!(refused.why, Refusal::CardLeft, "{what}");
                            assert!(reader.batch.pending().is_empty(), "{what}");
                        }
                        other => panic!("{what}: {other:?}"),
                    }
                    let mut reader = later(reader, flow, meanwhile);
                    card.tear = None;
                    let outcome = reader.tap(&mut card, flow.request, "08:01:00");
                    let debited = tear == Tear::After(commands - 1);
                    match outcome {
                        TapOutcome::Accepted { recovered, record, .. } => {
                            assert_eq!(recovered, debited, "{what}");
                            let time = if debited { "08:00:00" } else { "08:01:00" };
                            assert_eq!(record.at, at(time), "{what}: the original record");
                        }
                        other => panic!("{what}: {other:?}"),
                    }
                    one_ride(&reader, &mut card, flow, &what);
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} tears, none charged twice");
}

#[test]
fn torn_again_while_it_is_finished_a_card_has_still_paid_exactly_once() {
    for flow in &FLOWS {
        let last = commands(flow) - 1;
        for (first, counts) in
            [(Tear::Before(last), false), (Tear::After(last), false), (Tear::After(last), true)]
        {
            for index in 0..12 {
                for second in [Tear::Before(index), Tear::After(index)] {
                    let what = format!("{}: {first:?}, then {second:?}", flow.name);
                    let (mut reader, mut card) = (flow.ready)(wish(counts));
                    card.tear = Some(first);
                    assert!(matches!(reader.tap(&mut card, flow.request, "08:00:00"), TapOutcome::Torn(_)));
                    card.tear = Some(second);
                    let outcome = reader.tap(&mut card, flow.request, "08:01:00");
                    card.tear = None;
                    if !matches!(outcome, TapOutcome::Accepted { .. }) {
                        let outcome = reader.tap(&mut card, flow.request, "08:02:00");
                        assert!(matches!(outcome, TapOutcome::Accepted { .. }), "{what}: {outcome:?}");
                    }
                    one_ride(&reader, &mut card, flow, &what);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn however_often_it_is_torn_a_ride_is_paid_once(
        flow in 0..FLOWS.len(),
        counts: bool,
        tears in prop::collection::vec((0..10_usize, any::<bool>(), 0..3_u8), 0..6),
    ) {
        let flow = &FLOWS[flow];
        let (mut reader, mut card) = (flow.ready)(wish(counts));
        let mut time: CardTime = at("08:00:00");
        let mut tap = |reader: &mut Reader, card: &mut TestCard| {
            card.present();
            let outcome = reader.validator.tap(card, &mut reader.psam, flow.request, time, &mut reader.batch);
            time = time.plus_seconds(60);
            matches!(outcome, TapOutcome::Accepted { .. })
        };
        let mut done = false;
        for (index, before, meanwhile) in tears {
            card.tear = Some(if before { Tear::Before(index) } else { Tear::After(index) });
            if tap(&mut reader, &mut card) {
                done = true;
                break;
            }
            reader = later(reader, flow, if meanwhile == 0 { Meanwhile::Killed } else { Meanwhile::Nothing });
        }
        card.tear = None;
        prop_assert!(done || tap(&mut reader, &mut card));
        one_ride(&reader, &mut card, flow, flow.name);
    }
}

/// A card on which one instruction's answer is changed on its way.
struct Meddled<'c> {
    card: &'c mut TestCard,
    ins: u8,
    change: fn(Vec<u8>) -> Vec<u8>,
}

impl Channel for Meddled<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.card.transmit(command)?;
        Ok(if command[1] == self.ins { (self.change)(answer) } else { answer })
    }
}

fn torn_after_debit(flow: &Flow) -> (Reader, TestCard) {
    let (mut reader, mut card) = (flow.ready)(wish(false));
    card.tear = Some(Tear::After(commands(flow) - 1));
    assert!(matches!(reader.tap(&mut card, flow.request, "08:00:00"), TapOutcome::Torn(_)));
    card.tear = None;
    card.present();
    (reader, card)
}

#[test]
fn while_the_psam_remembers_a_proof_with_a_wrong_mac2_opens_no_gate() {
    for flow in &FLOWS {
        let (mut reader, mut card) = torn_after_debit(flow);
        let mut meddled = Meddled {
            card: &mut card,
            ins: 0x5A,
            change: |mut answer| {
                answer[0] ^= 1;
                answer
            },
        };
        let outcome = reader.validator.tap(
            &mut meddled,
            &mut reader.psam,
            flow.request,
            at("08:01:00"),
            &mut reader.batch,
        );
        assert!(matches!(outcome, TapOutcome::Refused(refused) if refused.why == Refusal::WrongMac2));
        assert_eq!(reader.batch.doubted().len(), 1);
        assert_eq!(reader.batch.doubted()[0].1, Doubt::WrongMac2);
        assert!(records(&reader).is_empty());
    }
}

#[test]
fn another_readers_debit_is_never_taken_for_the_torn_one() {
    let flow = &FLOWS[1];
    let (mut reader, mut card) = (flow.ready)(wish(false));
    card.tear = Some(Tear::Before(commands(flow) - 1));
    assert!(matches!(reader.tap(&mut card, PAY, "08:00:00"), TapOutcome::Torn(_)));
    card.tear = None;
    // The other reader's tap takes the number that the torn one was to have.
    let mut other = Reader::new(shanghai_bus(), 7, "");
    assert_eq!(other.accept(&mut card, PAY, "08:02:00").card_seq, 1);
    let fresh = reader.accept(&mut card, PAY, "08:10:00");
    assert_eq!((fresh.at, fresh.card_seq, fresh.amount), (at("08:10:00"), 2, fen(140)));
    assert_eq!((records(&reader).len(), card.balance()), (1, 5000 - 180 - 140));
    assert!(reader.batch.pending().is_empty() && reader.batch.doubted().is_empty());
}

#[test]
fn a_torn_debit_that_the_card_no_longer_proves_is_kept_by_name() {
    for rides in [2, 12] {
        let (mut reader, mut card) = torn_after_debit(&FLOWS[1]);
        let mut other = Reader::new(shanghai_bus(), 7, "");
        for _ in 0..rides {
            other.accept(&mut card, PAY, "08:02:00");
        }
        reader.accept(&mut card, PAY, "08:10:00");
        let doubted = reader.batch.doubted();
        assert_eq!((doubted.len(), doubted[0].1), (1, Doubt::MovedOn), "{rides} rides since");
        assert_eq!(doubted[0].0.facts().at, at("08:00:00"));
        assert_eq!(records(&reader).len(), 1);
    }
}

#[test]
fn a_torn_tap_never_run_is_undone_also_when_the_card_has_ridden_elsewhere_since() {
    let flow = &FLOWS[1];
    let (mut reader, mut card) = (flow.ready)(wish(false));
    card.tear = Some(Tear::Before(commands(flow) - 1));
    assert!(matches!(reader.tap(&mut card, PAY, "08:00:00"), TapOutcome::Torn(_)));
    card.tear = None;
    let mut other = Reader::new(shanghai_bus(), 7, "");
    for _ in 0..3 {
        other.accept(&mut card, PAY, "08:02:00");
    }
    reader.accept(&mut card, PAY, "08:10:00");
    assert!(reader.batch.pending().is_empty() && reader.batch.doubted().is_empty());
}

#[test]
fn a_torn_tap_of_the_morning_is_settled_and_the_evening_ride_is_paid_as_well() {
    let (mut reader, mut card) = torn_after_debit(&FLOWS[1]);
    let evening = reader.accept(&mut card, PAY, "18:00:00");
    assert_eq!(evening.at, at("18:00:00"));
    let times: Vec<CardTime> = records(&reader).iter().map(|record| record.at).collect();
    assert_eq!(times, [at("08:00:00"), at("18:00:00")]);
    assert_eq!(card.balance(), 5000 - 2 * 180);
}

#[test]
fn a_card_denied_meanwhile_still_settles_its_torn_tap() {
    let (mut reader, mut card) = torn_after_debit(&FLOWS[1]);
    let wish = CardWish::new(SHANGHAI, 0);
    let list = terminal::DenyList::new(2, [(wish.city, wish.number)]);
    reader.validator.take_deny_list(list.into());
    assert_eq!(reader.refuse(&mut card, PAY, "18:00:00"), Refusal::Denied);
    one_ride(&reader, &mut card, &FLOWS[1], "settled, then refused");
}

#[test]
fn a_psam_that_fails_after_the_debit_leaves_the_tap_torn_and_not_lost() {
    let (mut reader, mut card) = (Reader::new(shanghai_bus(), 0, ""), card(SHANGHAI, 5000));
    let mut dying = DiesAt { psam: &mut reader.psam, ins: 0x72 };
    card.present();
    let outcome = reader.validator.tap(&mut card, &mut dying, PAY, at("08:00:00"), &mut reader.batch);
    assert!(matches!(outcome, TapOutcome::Torn(_)), "{outcome:?}");
    let outcome = reader.tap(&mut card, PAY, "08:01:00");
    assert!(matches!(outcome, TapOutcome::Accepted { recovered: true, .. }), "{outcome:?}");
    one_ride(&reader, &mut card, &FLOWS[1], "the PSAM is back");
}

/// A PSAM that says nothing to one instruction.
struct DiesAt<'p> {
    psam: &'p mut terminal::SoftwarePsam,
    ins: u8,
}

impl Channel for DiesAt<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if command[1] == self.ins {
            return Err(ChannelError::Lost("the PSAM is silent".to_owned()));
        }
        self.psam.transmit(command)
    }
}

/// A card that looks into the reader's batch when DEBIT arrives.
struct Watching {
    card: TestCard,
    storage: MemoryStorage,
    written: Option<bool>,
}

impl Channel for Watching {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if command[1] == 0x54 {
            let terminal = shanghai_bus().terminals.first;
            let batch = Batch::open(Box::new(self.storage.clone()), terminal).unwrap();
            self.written = Some(batch.pending().len() == 1);
        }
        self.card.transmit(command)
    }
}

#[test]
fn the_tap_is_written_down_before_its_debit_leaves() {
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let mut card = Watching { card: card(SHANGHAI, 5000), storage: reader.storage.clone(), written: None };
    reader.validator.tap(&mut card, &mut reader.psam, PAY, at("08:00:00"), &mut reader.batch);
    assert_eq!(card.written, Some(true));
}

/// Storage that takes its first entry and no more.
struct Broken(MemoryStorage);

impl Storage for Broken {
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError> {
        self.0.read_all()
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if self.0.read_all()?.is_empty() {
            self.0.append(bytes)
        } else {
            Err(StorageError::new("disk", "append", "full"))
        }
    }
    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
    fn truncate(&mut self, length: u64) -> Result<(), StorageError> {
        self.0.truncate(length)
    }
}

#[test]
fn a_reader_that_cannot_write_debits_nothing() {
    let mut reader = Reader::new(shanghai_bus(), 0, "");
    let terminal = reader.settings.terminal;
    reader.batch = Batch::open(Box::new(Broken(MemoryStorage::default())), terminal).unwrap();
    assert_eq!(reader.refuse(&mut card(SHANGHAI, 5000), PAY, "08:00:00"), Refusal::NotKept);
}

/// A card without a log, as some are.
struct NoLog<'c>(&'c mut TestCard);

impl Channel for NoLog<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match Apdu::parse(command) {
            Ok(apdu) if apdu.ins == 0xB2 && apdu.p2 >> 3 == 0x18 => {
                Ok(Response::status(Status::FILE_NOT_FOUND).to_bytes())
            }
            _ => self.0.transmit(command),
        }
    }
}

#[test]
fn a_card_without_a_log_is_believed_by_its_proof() {
    let (mut reader, mut card) = torn_after_debit(&FLOWS[1]);
    let outcome =
        reader.validator.tap(&mut NoLog(&mut card), &mut reader.psam, PAY, at("08:01:00"), &mut reader.batch);
    assert!(matches!(outcome, TapOutcome::Accepted { recovered: true, .. }), "{outcome:?}");
    one_ride(&reader, &mut card, &FLOWS[1], "no log");
}
