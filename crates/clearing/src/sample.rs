//! Taps for tests: one plain example, and any tap at all.

use model::{
    CardNumber, CardTime, CityCode, Mode, OperatorId, PsamId, PurseFen, Tac, TapRecord, TerminalId, TxnType,
};
use proptest::prelude::*;

/// A Hangzhou card on a Shanghai bus.
pub(crate) fn tap() -> TapRecord {
    TapRecord {
        card: CardNumber::from_u64(0x3100_0000_0000_0042),
        issuer: CityCode::new(3100).unwrap(),
        acquirer: CityCode::new(2000).unwrap(),
        operator: OperatorId::new(20_000_101).unwrap(),
        mode: Mode::Bus,
        terminal: TerminalId::from_u64(0x2000_0000_0001).unwrap(),
        terminal_seq: 77,
        psam: PsamId(0x2000_0000_0000_0001),
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
