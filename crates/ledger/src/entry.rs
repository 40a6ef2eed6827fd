//! Entries (分录) and the facts of the log: what may happen to money, and the five ways it can be said.

use model::{CardTime, Date, Fen};

use crate::name::{AccountName, EntryId, EntryKind, Malformed};

/// Money from one account to another: debit (借) one, credit (贷) the other, more than nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    debit: AccountName,
    credit: AccountName,
    amount: Fen,
}

/// Legs that move together or not at all.
///
/// The content of an entry is its id, kind, legs (in their order) and memo. The day and the time belong to the
/// attempt: who repeats an entry later, even after its day is closed, gets the stored outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The client's id, good for ever.
    pub id: EntryId,
    /// What it is for.
    pub kind: EntryKind,
    /// What moves. At least one leg to record or to pend; a post or a void may add none.
    pub legs: Vec<Leg>,
    /// The settlement day (清算日) it counts for; must not be closed.
    pub day: Date,
    /// When it was handed in, by the caller's clock.
    pub at: CardTime,
    /// For people; part of the content.
    pub memo: String,
}

/// One line of the log before it has its place: what is asked for, and once committed what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The legs moved.
    Recorded(Entry),
    /// The legs are held: pending on both sides until posted or voided.
    Pended(Entry),
    /// The legs held under this id moved, and with them the legs given here.
    Posted(Entry),
    /// The legs held under this id are let go; the legs given here moved.
    Voided(Entry),
    /// No entry after this one counts for this day or an earlier one.
    DayClosed {
        /// The last day that is closed.
        day: Date,
        /// When, by the caller's clock.
        at: CardTime,
    },
}

/// The name of a [`Fact`]; the number is its code in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // as in `Fact`
pub enum Act {
    Recorded = 1,
    Pended = 2,
    Posted = 3,
    Voided = 4,
    DayClosed = 5,
}

impl Leg {
    /// `amount` from the account that is debited to the one that is credited.
    ///
    /// # Errors
    /// [`Malformed::Amount`], [`Malformed::SameAccount`].
    pub fn new(debit: AccountName, credit: AccountName, amount: Fen) -> Result<Self, Malformed> {
        if amount <= Fen::ZERO {
            return Err(Malformed::Amount { debit, credit, amount });
        }
        if debit == credit {
            return Err(Malformed::SameAccount { account: debit });
        }
        Ok(Leg { debit, credit, amount })
    }

    /// The account that is debited.
    #[must_use]
    pub fn debit(&self) -> &AccountName {
        &self.debit
    }

    /// The account that is credited.
    #[must_use]
    pub fn credit(&self) -> &AccountName {
        &self.credit
    }

    /// How much, more than nothing.
    #[must_use]
    pub fn amount(&self) -> Fen {
        self.amount
    }
}

impl Fact {
    /// Its name.
    #[must_use]
    pub fn act(&self) -> Act {
        match self {
            Fact::Recorded(_) => Act::Recorded,
            Fact::Pended(_) => Act::Pended,
            Fact::Posted(_) => Act::Posted,
            Fact::Voided(_) => Act::Voided,
            Fact::DayClosed { .. } => Act::DayClosed,
        }
    }

    /// The entry, if it is not the end of a day.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Fact::Recorded(entry) | Fact::Pended(entry) | Fact::Posted(entry) | Fact::Voided(entry) => {
                Some(entry)
            }
            Fact::DayClosed { .. } => None,
        }
    }

    /// The settlement day.
    #[must_use]
    pub fn day(&self) -> Date {
        match self {
            Fact::DayClosed { day, .. } => *day,
            Fact::Recorded(entry) | Fact::Pended(entry) | Fact::Posted(entry) | Fact::Voided(entry) => {
                entry.day
            }
        }
    }

    /// When it was handed in.
    #[must_use]
    pub fn at(&self) -> CardTime {
        match self {
            Fact::DayClosed { at, .. } => *at,
            Fact::Recorded(entry) | Fact::Pended(entry) | Fact::Posted(entry) | Fact::Voided(entry) => {
                entry.at
            }
        }
    }
}

impl Act {
    /// The code in the log.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the code in the log.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Act::Recorded),
            2 => Some(Act::Pended),
            3 => Some(Act::Posted),
            4 => Some(Act::Voided),
            5 => Some(Act::DayClosed),
            _ => None,
        }
    }
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Act::Recorded => "recorded",
            Act::Pended => "pended",
            Act::Posted => "posted",
            Act::Voided => "voided",
            Act::DayClosed => "day closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_moves_more_than_nothing_between_two_accounts() {
        let account = |name: &str| name.parse::<AccountName>().unwrap();
        let leg = |to: &str, fen| Leg::new(account("float:2000"), account(to), Fen::new(fen));
        assert!(leg("float:0670", 1).is_ok());
        assert!(matches!(leg("float:0670", 0), Err(Malformed::Amount { .. })));
        assert!(matches!(leg("float:0670", -1), Err(Malformed::Amount { .. })));
        assert!(matches!(leg("float:2000", 1), Err(Malformed::SameAccount { .. })));
    }

    #[test]
    fn every_act_reads_back_from_its_code() {
        for code in 1..=5 {
            assert_eq!(Act::from_code(code).map(Act::code), Some(code));
        }
        assert_eq!((Act::from_code(0), Act::from_code(6)), (None, None));
    }
}
