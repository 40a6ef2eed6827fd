//! Taps for tests: one plain example, any tap at all, and cards whose TAC is quick to make.

use keys::CardRef;
use model::registry::Registry;
use model::{
    CardNumber, CardTime, CityCode, Mode, OperatorId, PsamId, PurseFen, Tac, TapRecord, TerminalId, TxnType,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::judge::Proofs;
use crate::make::Cards;

/// The registry that is compiled in.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: std::sync::LazyLock<Registry> =
        std::sync::LazyLock::new(|| Registry::embedded().unwrap());
    &REGISTRY
}

/// Cards, and their judge, whose TAC is a plain hash of what a TAC covers.
pub(crate) struct QuickCards;

fn quick_tac(card: &CardRef, tap: &TapRecord) -> Tac {
    let mut hash = Sha256::new();
    hash.update([card.city.to_bcd().as_slice(), &card.number.bytes(), &tap.amount.to_be_bytes()].concat());
    hash.update(
        [&[tap.kind.code()], tap.terminal.bytes().as_slice(), &tap.terminal_seq.to_be_bytes()].concat(),
    );
    hash.update(tap.at.as_seconds().to_be_bytes());
    let digest = hash.finalize();
    Tac([digest[0], digest[1], digest[2], digest[3]])
}

impl Cards for QuickCards {
    fn sign(&self, card: &CardRef, taps: &mut [TapRecord]) {
        taps.iter_mut().for_each(|tap| tap.tac = quick_tac(card, tap));
    }
}

impl Proofs for QuickCards {
    fn verify(&self, taps: &[&TapRecord]) -> Vec<bool> {
        taps.iter().map(|tap| tap.tac == signed((*tap).clone()).tac).collect()
    }
}

/// The tap with the TAC that its card would have made.
pub(crate) fn signed(mut tap: TapRecord) -> TapRecord {
    tap.tac = quick_tac(&CardRef { city: tap.issuer, number: tap.card }, &tap);
    tap
}

/// A Ningbo card on a Shanghai bus.
pub(crate) fn tap() -> TapRecord {
    TapRecord {
        card: CardNumber::from_u64(0x3150_0000_0000_0042),
        issuer: CityCode::new(3150).unwrap(),
        acquirer: CityCode::new(2000).unwrap(),
        operator: OperatorId::new(20_000_101).unwrap(),
        mode: Mode::Bus,
        terminal: TerminalId::from_u64(0x2000_0101_0001).unwrap(),
        terminal_seq: 77,
        psam: PsamId(0x2000_0101_0001),
        card_seq: 5,
        amount: PurseFen::try_from(200).unwrap(),
        list_fare: PurseFen::try_from(200).unwrap(),
        balance_before: PurseFen::try_from(5_000).unwrap(),
        kind: TxnType::Purchase,
        at: "2014-10-20 07:45:00".parse().unwrap(),
        tac: Tac([0xDE, 0xAD, 0xBE, 0xEF]),
        key_version: 1,
        algorithm: 0,
        line: "71".parse().unwrap(),
        vehicle: "A1234".parse().unwrap(),
        stop_in: "".parse().unwrap(),
        stop_out: "".parse().unwrap(),
        entered_at: None,
        test: false,
    }
}

fn moment() -> impl Strategy<Value = CardTime> {
    (0_i64..4_000_000_000).prop_map(|seconds| CardTime::from_seconds(seconds).unwrap())
}

fn fen() -> impl Strategy<Value = PurseFen> {
    (0_u32..100_000_000).prop_map(|fen| PurseFen::try_from(fen).unwrap())
}

fn label() -> impl Strategy<Value = model::Label> {
    "[A-Z0-9]{0,8}".prop_map(|text| text.parse().unwrap())
}

/// Any tap that a record file can hold, of the acquirer 2000.
pub(crate) fn any_tap() -> impl Strategy<Value = TapRecord> {
    let who = (any::<u64>(), 0_u16..10_000, 0_u32..100_000_000, 1_u8..=7, 0_u64..1 << 48);
    let counters = (any::<u32>(), any::<u64>(), any::<u16>(), any::<u32>(), any::<u8>(), any::<u8>());
    let money = (fen(), fen(), fen(), prop::bool::ANY, prop::bool::ANY);
    let place = (label(), label(), label(), label(), moment(), prop::option::of(moment()));
    (who, counters, money, place).prop_map(|(who, counters, money, place)| TapRecord {
        card: CardNumber::from_u64(who.0),
        issuer: CityCode::new(who.1).unwrap(),
        acquirer: CityCode::new(2000).unwrap(),
        operator: OperatorId::new(who.2).unwrap(),
        mode: Mode::from_code(who.3).unwrap(),
        terminal: TerminalId::from_u64(who.4).unwrap(),
        terminal_seq: counters.0,
        psam: PsamId(counters.1),
        card_seq: counters.2,
        tac: Tac::from_u32(counters.3),
        key_version: counters.4,
        algorithm: counters.5,
        amount: money.0,
        list_fare: money.1,
        balance_before: money.2,
        kind: if money.3 { TxnType::Purchase } else { TxnType::Compound },
        test: money.4,
        line: place.0,
        vehicle: place.1,
        stop_in: place.2,
        stop_out: place.3,
        at: place.4,
        entered_at: place.5,
    })
}
