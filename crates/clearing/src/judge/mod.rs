//! Judging (判定): each record gets one verdict.
//!
//! First each record by itself: parties, test flag, TAC, limits, deny list, days. Then the proven ones among each
//! other and against earlier days: three keys may each be used once.
//!
//! | key | who counts | claimed by |
//! |---|---|---|
//! | card, terminal, terminal's counter, moment | what the TAC proves | every proven tap |
//! | card, card's counter | the card | a tap that moved money |
//! | PSAM, PSAM's counter | the PSAM | every proven tap |
//!
//! A compound purchase of amount 0 (a metro entry) does not move the card's counter, so it shares that number with
//! the purchase before it, and with other entries; it claims only the other two keys. The TAC covers neither the
//! card's counter nor the PSAM's number, so the first key is what stops a proven tap from being sent again with
//! other counters around it.
//!
//! A key used again by the same content is a duplicate; with other content it is a clone, raised and not paid. The
//! earliest tap has the key, ties going to the smaller content, batch and line, so the order in which files come
//! changes nothing. Whatever the TAC does not prove claims no key: a forger cannot push a true tap aside. A held
//! record claims none either, because it may still come to be paid.
//!
//! Standard: none; verdicts of CUX 1, the project's own (clearing.md section 3.4).
//! Invariant: every record gets exactly one verdict; of all records with one key, over all days, at most one is paid.

mod claim;
mod examine;
mod proof;

use std::collections::BTreeMap;

use model::registry::Registry;
use model::{CardNumber, CardTime, CityCode, Date, OperatorId, PurseFen};

use crate::record::Record;
use crate::verdict::{Reason, Verdict};

pub use claim::{Claim, ContentId, Key, NothingEarlier, Seen, SeenError};
pub use proof::{ByCity, Proofs};

use examine::Examiner;

/// Everything that a verdict depends on beside the records.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// Who exists, who takes whose cards, who agreed what.
    pub registry: &'a Registry,
    /// Who can check a TAC.
    pub proofs: &'a dyn Proofs,
    /// The keys claimed on earlier days.
    pub seen: &'a dyn Seen,
    /// The deny list, if the centre keeps one.
    pub deny: Option<&'a DenyList>,
    /// The clearing day.
    pub day: Date,
    /// How early and how late a tap may be.
    pub window: Window,
}

/// Which taps a clearing day takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Days that a record may take from the tap to the clearing day.
    pub late_after_days: u16,
    /// Hour of the next morning at which the clearing day ends.
    pub cut_off_hour: u8,
}

impl Default for Window {
    /// Ten days; 02:00.
    fn default() -> Self {
        Window { late_after_days: 10, cut_off_hour: 2 }
    }
}

/// The centre's deny list (黑名单), and when each card on it is or was to be refused, grace time included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    /// The list's version.
    pub version: u32,
    /// Who is or was on it, and when a tap is not paid.
    pub cards: BTreeMap<(CityCode, CardNumber), Vec<Denial>>,
}

/// One stay of a card on the deny list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// A tap from then on is not paid.
    pub since: CardTime,
    /// A tap from then on is paid again; `None`: the card is on the list.
    pub until: Option<CardTime>,
}

impl DenyList {
    /// Whether a tap of the card at that moment is not paid.
    #[must_use]
    pub fn denies(&self, city: CityCode, card: CardNumber, at: CardTime) -> bool {
        let denies = |denial: &Denial| at >= denial.since && denial.until.is_none_or(|until| at < until);
        self.cards.get(&(city, card)).is_some_and(|stays| stays.iter().any(denies))
    }

    /// The cards that are on it now, each with the moment from which it is not paid.
    pub fn standing(&self) -> impl Iterator<Item = (CityCode, CardNumber, CardTime)> + '_ {
        self.cards.iter().filter_map(|((city, card), stays)| {
            let since = stays.iter().filter(|stay| stay.until.is_none()).map(|stay| stay.since).min()?;
            Some((*city, *card, since))
        })
    }
}

/// Whose card, whose reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The card's city.
    pub issuer: CityCode,
    /// The reader's city.
    pub acquirer: CityCode,
    /// Who runs the reader.
    pub operator: OperatorId,
}

impl Route {
    /// Whether the card was tapped outside its issuer's city (异地).
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.issuer != self.acquirer
    }
}

/// One record's verdict, with what netting needs of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The record's batch.
    pub batch: u64,
    /// The record's line.
    pub line_no: u32,
    /// The verdict and why.
    pub reason: Reason,
    /// Between whom.
    pub route: Route,
    /// The day of the tap.
    pub on: Date,
    /// What the purse lost.
    pub amount: PurseFen,
}

impl Ruling {
    /// Whether the tap is accepted.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        self.reason.verdict() == Verdict::Paid
    }
}

/// All verdicts of a clearing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgment {
    /// One ruling a record, in the order in which the records were given.
    pub rulings: Vec<Ruling>,
    /// The keys that this clearing's taps have claimed: what [`Seen`] must know on later days. Sorted.
    pub claims: Vec<Claim>,
}

/// Takes records as they come, and judges them together at the end.
pub struct Judge<'a> {
    bench: Bench<'a>,
    examiner: Examiner<'a>,
    rulings: Vec<Ruling>,
    proven: Vec<claim::Proven>,
}

impl<'a> Judge<'a> {
    /// A clearing with nothing in it.
    #[must_use]
    pub fn new(bench: Bench<'a>) -> Self {
        Judge { bench, examiner: Examiner::new(bench), rulings: Vec::new(), proven: Vec::new() }
    }

    /// Examines some records by themselves; of each only what is needed at the end is kept.
    pub fn add(&mut self, records: &[Record]) {
        for (record, finding) in records.iter().zip(self.examiner.examine(records)) {
            let tap = &record.tap;
            let route = Route { issuer: tap.issuer, acquirer: tap.acquirer, operator: tap.operator };
            if finding.proven {
                let reason = finding.reason;
                self.proven.push(claim::Proven::new(record, self.rulings.len(), reason));
            }
            self.rulings.push(Ruling {
                batch: record.batch,
                line_no: record.line_no,
                reason: finding.reason,
                route,
                on: tap.at.date(),
                amount: tap.amount,
            });
        }
    }

    /// Judges the proven records among each other and against earlier days.
    ///
    /// # Errors
    /// Whatever kept [`Seen`] from answering.
    pub fn finish(self) -> Result<Judgment, SeenError> {
        let Judge { bench, mut rulings, proven, .. } = self;
        let claimed = claim::settle(proven, bench.seen)?;
        for (index, reason) in claimed.repeats {
            if let Some(ruling) = rulings.get_mut(index) {
                ruling.reason = reason;
            }
        }
        Ok(Judgment { rulings, claims: claimed.claims })
    }
}

/// Judges records that are all at hand.
///
/// # Errors
/// As [`Judge::finish`].
pub fn judge(records: &[Record], bench: Bench<'_>) -> Result<Judgment, SeenError> {
    let mut judge = Judge::new(bench);
    judge.add(records);
    judge.finish()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests;
