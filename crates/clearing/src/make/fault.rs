//! Planted faults: each a record of its own beside an honest one, wrong in exactly one way.

use keys::{CardRef, Seeded};
use model::registry::Registry;
use model::{CityCode, PurseFen, Tac, TapRecord};

use super::passenger::{Counters, card_number, count, pick};
use super::{Cards, Made};
use crate::judge::Window;
use crate::verdict::Reason;

/// Cards of planted records are numbered from here, above all passengers.
const FIRST_CARD: u64 = 900_000_000_000;

/// What can be planted.
#[derive(Clone, Copy)]
enum Fault {
    WrongTac,
    Repeat,
    ClonedCard,
    UnknownIssuer,
    ForeignOperator,
    OverLimit,
    Test,
    TooLate,
}

const ALL: [Fault; 8] = [
    Fault::WrongTac,
    Fault::Repeat,
    Fault::ClonedCard,
    Fault::UnknownIssuer,
    Fault::ForeignOperator,
    Fault::OverLimit,
    Fault::Test,
    Fault::TooLate,
];

/// Says when a fault is due, and makes it.
pub(super) struct Faults<'a> {
    registry: &'a Registry,
    ppm: u64,
    owed: u64,
    planted: u64,
    unknown: Option<CityCode>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(registry: &'a Registry, ppm: u32) -> Self {
        let unknown = (1..=9999).rev().filter_map(CityCode::new).find(|code| registry.city(*code).is_none());
        Faults { registry, ppm: ppm.into(), owed: 0, planted: 0, unknown }
    }

    /// Counts one honest record more; whether a fault is due after it. The share is exact: so many in a million of
    /// all records, the planted ones among them.
    pub(super) fn due(&mut self) -> bool {
        let honest = 1_000_000_u64.saturating_sub(self.ppm);
        self.owed = self.owed.saturating_add(self.ppm);
        if self.owed < honest.max(1) {
            return false;
        }
        self.owed = self.owed.saturating_sub(honest);
        true
    }

    /// A fault beside `honest`. `None` if the registry is too small for the kind whose turn it is.
    pub(super) fn plant(
        &mut self,
        honest: &TapRecord,
        random: &mut Seeded,
        counters: &mut Counters,
        cards: &dyn Cards,
    ) -> Option<Made> {
        let kinds: &[Fault] = &ALL;
        let kind = *pick(kinds, |_| 1, random)?;
        self.planted = self.planted.saturating_add(1);
        let mut tap = self.fresh(honest, counters);
        let reason = match kind {
            Fault::WrongTac => Reason::TacDiffers,
            Fault::Repeat => {
                return Some(Made { tap: honest.clone(), planted: Some(Reason::RepeatedToday) });
            }
            // Amount 0 does not move the card's counter, so there is no counter to use twice.
            Fault::ClonedCard if honest.amount == PurseFen::ZERO => {
                return Some(Made { tap: honest.clone(), planted: Some(Reason::RepeatedToday) });
            }
            Fault::ClonedCard => {
                let at =
                    honest.at.plus_seconds(i64::try_from(random.below(600)).unwrap_or(0).saturating_add(1));
                tap = TapRecord { at, terminal_seq: tap.terminal_seq, ..honest.clone() };
                Reason::CardCounterReused
            }
            Fault::UnknownIssuer => {
                tap.issuer = self.unknown?;
                Reason::UnknownIssuer
            }
            Fault::ForeignOperator => {
                let elsewhere: Vec<_> =
                    self.registry.operators().filter(|operator| operator.city != tap.acquirer).collect();
                tap.operator = pick(&elsewhere, |_| 1, random)?.id;
                Reason::ForeignOperator
            }
            Fault::OverLimit => {
                let limit = self.registry.city(tap.issuer)?.card.purse_limit_fen;
                let over = u32::try_from(random.below(10_000)).unwrap_or(0).saturating_add(1);
                tap.amount = limit.plus(PurseFen::try_from(over).ok()?)?;
                tap.balance_before = tap.amount;
                Reason::AmountOverLimit
            }
            Fault::Test => {
                tap.test = true;
                Reason::TestRecord
            }
            Fault::TooLate => {
                let days = i64::from(Window::default().late_after_days).saturating_add(2);
                tap.at = tap.at.plus_seconds(days.saturating_mul(-86_400));
                Reason::TooLate
            }
        };
        let card = CardRef { city: tap.issuer, number: tap.card };
        cards.sign(&card, std::slice::from_mut(&mut tap));
        if matches!(kind, Fault::WrongTac) {
            let bit = 1_u32 << random.below(32);
            tap.tac = Tac::from_u32(tap.tac.as_u32() ^ bit);
        }
        Some(Made { tap, planted: Some(reason) })
    }

    /// The same ride by a card that rides nowhere else, at its home city.
    fn fresh(&self, honest: &TapRecord, counters: &mut Counters) -> TapRecord {
        let number = FIRST_CARD.saturating_add(self.planted);
        TapRecord {
            card: card_number(honest.acquirer, number),
            issuer: honest.acquirer,
            card_seq: 1,
            terminal_seq: count(counters, honest.terminal),
            ..honest.clone()
        }
    }
}
