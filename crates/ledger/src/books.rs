//! The books (账簿) as a pure function of a prefix of the log: what anyone who holds the log can add up again.
//!
//! Invariant: nothing here knows a store; two who hold the same lines hold the same books.

use std::collections::{BTreeMap, BTreeSet};

use model::{CardTime, Date, Fen};

use crate::balance::{Balance, Column, moves};
use crate::chain::Digest;
use crate::entry::{Act, Entry, Fact, Leg};
use crate::name::{AccountName, EntryId, EntryKind};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1 for the first, and one more for each that follows.
    pub position: u64,
    /// What happened.
    pub fact: Fact,
    /// The hash of the log up to and with this line.
    pub hash: Digest,
}

/// The end of a prefix of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last line's position; 0 before the first.
    pub position: u64,
    /// The last line's hash.
    pub hash: Digest,
}

/// An entry that is pended and neither posted nor voided: money in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// The entry's id.
    pub id: EntryId,
    /// What it is for.
    pub kind: EntryKind,
    /// Where it was pended.
    pub position: u64,
    /// The settlement day it was pended on.
    pub day: Date,
    /// Since when.
    pub since: CardTime,
    /// What is held.
    pub legs: Vec<Leg>,
}

/// What a store keeps beside the log so as not to add it up each time, read at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The end of the log at that moment.
    pub head: Head,
    /// Every account that was ever touched.
    pub balances: BTreeMap<AccountName, Balance>,
    /// The ids in doubt.
    pub in_doubt: BTreeSet<EntryId>,
    /// The last closed day.
    pub closed: Option<Date>,
}

/// The first thing that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages name the fields
pub enum Difference {
    #[error("line {expected} is missing: line {found} stands in its place")]
    Gap { expected: u64, found: u64 },
    #[error("line {position} cannot be read: {what}")]
    Unreadable { position: u64, what: &'static str },
    #[error("line {position}: its hash is stored as {stored}, its bytes give {computed}")]
    Hash { position: u64, stored: Digest, computed: Digest },
    #[error("line {position}: the entry {id} may not stand here ({act})")]
    Order { position: u64, id: EntryId, act: Act },
    #[error("line {position}: it counts for {day}, which was closed before")]
    Day { position: u64, day: Date },
    #[error("line {position}: the sums of {account} do not fit")]
    Overflow { position: u64, account: AccountName },
    #[error("account {account}: kept as {kept:?}, the log gives {added:?}")]
    Balance { account: AccountName, kept: Balance, added: Balance },
    #[error("entry {id}: in doubt in one of the log and the list of doubts, not in the other")]
    Doubt { id: EntryId },
    #[error("the last closed day is kept as {kept:?}, the log gives {added:?}")]
    ClosedDay { kept: Option<Date>, added: Option<Date> },
    #[error("line {position}: the digest of its content is stored as {stored}, its bytes give {computed}")]
    Content { position: u64, stored: Digest, computed: Digest },
}

/// Everything that follows from the lines added so far.
#[derive(Clone, Debug, Default)]
pub struct Books {
    head: Head,
    balances: BTreeMap<AccountName, Balance>,
    in_doubt: BTreeMap<EntryId, InDoubt>,
    /// Ids that nothing may be done to any more, because recorded, posted or voided.
    settled: BTreeSet<EntryId>,
    closed: Option<Date>,
}

impl InDoubt {
    pub(crate) fn new(position: u64, entry: &Entry) -> Self {
        InDoubt {
            id: entry.id.clone(),
            kind: entry.kind.clone(),
            position,
            day: entry.day,
            since: entry.at,
            legs: entry.legs.clone(),
        }
    }

    /// How long it has been in doubt, in seconds; negative if the caller's clock went back.
    #[must_use]
    pub fn age_s(&self, now: CardTime) -> i64 {
        now.seconds_since(self.since)
    }
}

impl Books {
    /// The end of the prefix.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Every account that was ever touched.
    #[must_use]
    pub fn balances(&self) -> &BTreeMap<AccountName, Balance> {
        &self.balances
    }

    /// What is in doubt at this point.
    #[must_use]
    pub fn in_doubt(&self) -> &BTreeMap<EntryId, InDoubt> {
        &self.in_doubt
    }

    /// The last closed day at this point.
    #[must_use]
    pub fn closed(&self) -> Option<Date> {
        self.closed
    }

    /// Adds the next line, having checked its place, its hash and that it may follow.
    ///
    /// # Errors
    /// What is wrong with it. The books are then of no more use.
    pub fn add(&mut self, line: &Line) -> Result<(), Difference> {
        let position = line.position;
        let expected = self.head.position.saturating_add(1);
        if position != expected {
            return Err(Difference::Gap { expected, found: position });
        }
        let computed = self.head.hash.followed_by(position, &line.fact);
        if computed != line.hash {
            return Err(Difference::Hash { position, stored: line.hash, computed });
        }
        if self.closed.is_some_and(|closed| line.fact.day() <= closed) {
            return Err(Difference::Day { position, day: line.fact.day() });
        }
        let held = self.step(line)?;
        for change in moves(&line.fact, &held) {
            let account = change.account;
            let balance = self.balances.get(account).copied().unwrap_or_default().after(&change);
            let overflow = || Difference::Overflow { position, account: account.clone() };
            self.balances.insert(account.clone(), balance.ok_or_else(overflow)?);
        }
        self.head = Head { position, hash: line.hash };
        Ok(())
    }

    /// What `line`, not yet added, posts to each account, pending columns left at zero.
    pub(crate) fn add_posted(
        &self,
        line: &Line,
        sums: &mut BTreeMap<AccountName, Balance>,
    ) -> Result<(), Difference> {
        let held = line.fact.entry().and_then(|entry| self.in_doubt.get(&entry.id));
        let held = held.map_or(&[][..], |doubt| &doubt.legs);
        let posted = |column| matches!(column, Column::PostedDebit | Column::PostedCredit);
        for change in moves(&line.fact, held).iter().filter(|change| posted(change.column)) {
            let sum = sums.entry(change.account.clone()).or_default();
            let overflow =
                || Difference::Overflow { position: line.position, account: change.account.clone() };
            *sum = sum.after(change).ok_or_else(overflow)?;
        }
        Ok(())
    }

    /// The first way in which a store's standing is not what its log gives.
    ///
    /// # Errors
    /// The difference.
    pub fn compare(&self, standing: &Standing) -> Result<(), Difference> {
        for account in self.balances.keys().chain(standing.balances.keys()) {
            let kept = standing.balances.get(account).copied().unwrap_or_default();
            let added = self.balances.get(account).copied().unwrap_or_default();
            if kept != added {
                return Err(Difference::Balance { account: account.clone(), kept, added });
            }
        }
        let added: BTreeSet<EntryId> = self.in_doubt.keys().cloned().collect();
        if let Some(id) = added.symmetric_difference(&standing.in_doubt).next() {
            return Err(Difference::Doubt { id: id.clone() });
        }
        if self.closed != standing.closed {
            return Err(Difference::ClosedDay { kept: standing.closed, added: self.closed });
        }
        Ok(())
    }

    /// The sum of all nets: zero, whatever the lines. Wide enough for any number of accounts.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.balances.values().map(Balance::net).map(Fen::get).map(i128::from).sum()
    }

    /// Moves the entry's state on, and gives the legs that were held under its id.
    fn step(&mut self, line: &Line) -> Result<Vec<Leg>, Difference> {
        let order = |id: &EntryId| Difference::Order {
            position: line.position,
            id: id.clone(),
            act: line.fact.act(),
        };
        let known = |id| self.in_doubt.contains_key(id) || self.settled.contains(id);
        match &line.fact {
            Fact::Recorded(entry) | Fact::Pended(entry) if known(&entry.id) => Err(order(&entry.id)),
            Fact::Recorded(entry) => {
                self.settled.insert(entry.id.clone());
                Ok(Vec::new())
            }
            Fact::Pended(entry) => {
                self.in_doubt.insert(entry.id.clone(), InDoubt::new(line.position, entry));
                Ok(Vec::new())
            }
            Fact::Posted(entry) | Fact::Voided(entry) => {
                let doubt = self.in_doubt.remove(&entry.id).ok_or_else(|| order(&entry.id))?;
                self.settled.insert(entry.id.clone());
                Ok(doubt.legs)
            }
            Fact::DayClosed { day, .. } => {
                self.closed = Some(*day);
                Ok(Vec::new())
            }
        }
    }
}
