//! The judgement on a fact, apart from any store: a store brings what it knows and writes what is decided.
//!
//! Invariant: a repetition is recognised before anything else is asked of it, so it never depends on the day, the
//! balances or the rules of the moment.

use model::Date;

use crate::chain::Digest;
use crate::entry::{Act, Entry, Fact};
use crate::error::Refusal;

/// What became of a fact: the same for ever, however often it is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its place in the log.
    pub position: u64,
    /// What it is.
    pub act: Act,
    /// The settlement day it counts for.
    pub day: Date,
    /// The digest of its content.
    pub digest: Digest,
    /// The hash of the log up to and with it.
    pub hash: Digest,
}

/// What a store has to look up before a fact can be judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// What was recorded or pended under the id.
    pub(crate) opened: Option<Outcome>,
    /// What was posted or voided under the id; for the end of a day, its earlier end.
    pub(crate) ended: Option<Outcome>,
    /// The last closed day.
    pub(crate) closed: Option<Date>,
}

impl Known {
    /// The stored outcome of a repetition, or `None` for a fact that is new and may stand in the log,
    /// as far as ids and days go.
    pub(crate) fn judge(&self, fact: &Fact, digest: Digest) -> Result<Option<Outcome>, Refusal> {
        let stored = match fact {
            Fact::Recorded(entry) | Fact::Pended(entry) => repetition(entry, digest, self.opened)?,
            Fact::Posted(entry) | Fact::Voided(entry) => self.end(entry, fact.act(), digest)?,
            Fact::DayClosed { .. } => self.ended,
        };
        if stored.is_some() {
            return Ok(stored);
        }
        if let Some(closed) = self.closed.filter(|closed| fact.day() <= *closed) {
            return Err(Refusal::DayClosed { day: fact.day(), open: closed.plus_days(1) });
        }
        if let Some(entry) = fact.entry().filter(|entry| entry.memo.contains('\0')) {
            return Err(Refusal::Memo { id: entry.id.clone() });
        }
        match fact {
            Fact::Recorded(entry) | Fact::Pended(entry) if entry.legs.is_empty() => {
                Err(Refusal::NoLegs { id: entry.id.clone() })
            }
            Fact::DayClosed { day, at } if *day > at.date() => Err(Refusal::DayAhead { day: *day, at: *at }),
            _ => Ok(None),
        }
    }

    fn end(&self, entry: &Entry, act: Act, digest: Digest) -> Result<Option<Outcome>, Refusal> {
        let id = || entry.id.clone();
        match (self.opened, self.ended) {
            (None, _) => Err(Refusal::Unknown { id: id() }),
            (Some(opened), _) if opened.act != Act::Pended => {
                Err(Refusal::NotPended { id: id(), position: opened.position })
            }
            (Some(_), Some(ended)) if ended.act != act => Err(match ended.act {
                Act::Voided => Refusal::AlreadyVoided { id: id(), position: ended.position },
                _ => Refusal::AlreadyPosted { id: id(), position: ended.position },
            }),
            (Some(_), ended) => repetition(entry, digest, ended),
        }
    }
}

fn repetition(entry: &Entry, given: Digest, stored: Option<Outcome>) -> Result<Option<Outcome>, Refusal> {
    match stored {
        Some(outcome) if outcome.digest != given => {
            Err(Refusal::IdTaken { id: entry.id.clone(), stored: outcome.digest, given })
        }
        stored => Ok(stored),
    }
}

/// Whether a chain falls, and if so what its facts are told. What stood in the log up to `head`, before the chain,
/// keeps its stored outcome.
pub(crate) fn fall_together(answers: &mut [Result<Outcome, Refusal>], head: u64) -> bool {
    let refusals = (1..).zip(answers.iter());
    let first = refusals.filter_map(|(number, answer)| Some((number, answer.as_ref().err()?.code()))).next();
    let Some((number, why)) = first else { return false };
    for answer in answers {
        if answer.as_ref().is_ok_and(|outcome| outcome.position > head) {
            *answer = Err(Refusal::Linked { number, why });
        }
    }
    true
}
