//! Balances (余额), what a fact does to them, and the rules that a balance must keep.
//!
//! Invariant: each leg adds the same amount to a debit and to a credit side, so all nets always sum to zero.

use std::collections::{BTreeMap, BTreeSet};

use model::Fen;

use crate::entry::{Fact, Leg};
use crate::error::Refusal;
use crate::name::{AccountName, EntryId};

/// The four sums of an account, none negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// All that was ever debited.
    pub posted_debit: Fen,
    /// All that was ever credited.
    pub posted_credit: Fen,
    /// Debits held for entries in doubt.
    pub pending_debit: Fen,
    /// Credits held for entries in doubt.
    pub pending_credit: Fen,
}

/// How far into debit an account may go. Checked once the whole entry is added up, never between its legs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    never_below_zero: BTreeSet<String>,
    caps_of_kinds: BTreeMap<String, Fen>,
    caps: BTreeMap<AccountName, Fen>,
}

/// One side of one leg, as it changes one sum of a balance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) column: Column,
    /// Negative when a held amount is let go.
    pub(crate) fen: i64,
}

/// An account's balance before and after a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) before: Balance,
    pub(crate) after: Balance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    PostedDebit,
    PostedCredit,
    PendingDebit,
    PendingCredit,
}

impl Balance {
    /// Posted debits less posted credits: positive for a debit balance, negative for a credit balance.
    #[must_use]
    pub fn net(&self) -> Fen {
        difference(self.posted_debit.get(), self.posted_credit.get())
    }

    /// Posted credits less posted debits: what a credit account, such as a float, holds.
    #[must_use]
    pub fn credit(&self) -> Fen {
        difference(self.posted_credit.get(), self.posted_debit.get())
    }

    /// What a credit account may still spend: its credit less what is held against it.
    #[must_use]
    pub fn available(&self) -> Fen {
        difference(self.credit().get(), self.pending_debit.get())
    }

    /// [`Balance::net`] as it would be if everything in doubt were posted.
    #[must_use]
    pub fn net_with_pending(&self) -> Fen {
        let debit = self.posted_debit.get().saturating_add(self.pending_debit.get());
        difference(debit, self.posted_credit.get().saturating_add(self.pending_credit.get()))
    }

    /// With one more change; `None` if a sum, or a side with what it holds, leaves the range of [`Fen`].
    pub(crate) fn after(mut self, change: &Move<'_>) -> Option<Balance> {
        let sum = match change.column {
            Column::PostedDebit => &mut self.posted_debit,
            Column::PostedCredit => &mut self.posted_credit,
            Column::PendingDebit => &mut self.pending_debit,
            Column::PendingCredit => &mut self.pending_credit,
        };
        *sum = Fen::new(sum.get().checked_add(change.fen).filter(|sum| *sum >= 0)?);
        self.posted_debit.get().checked_add(self.pending_debit.get())?;
        self.posted_credit.get().checked_add(self.pending_credit.get())?;
        Some(self)
    }
}

/// Exact for the sums of a committed balance, which are not negative and fit in each other's range.
fn difference(one: i64, other: i64) -> Fen {
    Fen::new(one.saturating_sub(other))
}

impl Rules {
    /// Any account may stand on any side.
    #[must_use]
    pub fn none() -> Self {
        Rules::default()
    }

    /// The centre's: a city's float is never overdrawn, and no more leaves doubt than entered it.
    #[must_use]
    pub fn centre() -> Self {
        Rules::none().never_below_zero("float").never_below_zero("doubt")
    }

    /// Accounts of this kind are credit accounts whose [`Balance::available`] may not fall below zero.
    #[must_use]
    pub fn never_below_zero(mut self, kind: &str) -> Self {
        self.never_below_zero.insert(kind.to_owned());
        self
    }

    /// The net debit cap (净借记限额) of each account of a kind: its debits, posted and held, less its posted credits may
    /// not exceed `cap`. What is held in its favour does not count: it may yet be let go.
    #[must_use]
    pub fn cap_kind(mut self, kind: &str, cap: Fen) -> Self {
        self.caps_of_kinds.insert(kind.to_owned(), cap);
        self
    }

    /// The net debit cap of one account, in place of its kind's.
    #[must_use]
    pub fn cap(mut self, account: AccountName, cap: Fen) -> Self {
        self.caps.insert(account, cap);
        self
    }

    fn cap_of(&self, account: &AccountName) -> Option<Fen> {
        self.caps.get(account).or_else(|| self.caps_of_kinds.get(account.kind())).copied()
    }

    /// Adds `moves` to the balances that they touch, as [`touched`] lists them, or says which account (the first by name)
    /// does not bear them.
    ///
    /// An account that is beyond its bound already, under rules of another day, may still be helped up.
    pub(crate) fn judge(
        &self,
        id: &EntryId,
        changes: &mut [Change<'_>],
        moves: &[Move<'_>],
    ) -> Result<(), Refusal> {
        for step in moves {
            let overflow = || Refusal::Overflow { id: id.clone(), account: step.account.clone() };
            let place = changes.binary_search_by(|change| change.account.cmp(step.account)).ok();
            let change = place.and_then(|place| changes.get_mut(place)).ok_or_else(overflow)?;
            change.after = change.after.after(step).ok_or_else(overflow)?;
        }
        changes.iter().try_for_each(|change| self.bears(id, change))
    }

    fn bears(&self, id: &EntryId, change: &Change<'_>) -> Result<(), Refusal> {
        let (was, available) = (change.before.available(), change.after.available());
        if available >= was {
            return Ok(());
        }
        let named = || (id.clone(), change.account.clone());
        if available < Fen::ZERO && self.never_below_zero.contains(change.account.kind()) {
            let (id, account) = named();
            return Err(Refusal::BelowZero { id, account, available: was });
        }
        let net_debit = |available: Fen| difference(0, available.get());
        if let Some(cap) = self.cap_of(change.account).filter(|cap| net_debit(available) > *cap) {
            let (id, account) = named();
            return Err(Refusal::OverCap { id, account, cap, net_debit: net_debit(was) });
        }
        Ok(())
    }
}

/// The accounts that `moves` touch, each once, by name, with the balances that `look` knows.
pub(crate) fn touched<'a, E>(
    moves: &[Move<'a>],
    mut look: impl FnMut(&AccountName) -> Result<Balance, E>,
) -> Result<Vec<Change<'a>>, E> {
    let mut accounts: Vec<&AccountName> = moves.iter().map(|step| step.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let change = |account| look(account).map(|before| Change { account, before, after: before });
    accounts.into_iter().map(change).collect()
}

/// What `fact` changes, `held` being the legs pended under its id.
pub(crate) fn moves<'a>(fact: &'a Fact, held: &'a [Leg]) -> Vec<Move<'a>> {
    let posted = |leg| both(leg, Column::PostedDebit, Column::PostedCredit, 1);
    let hold = |leg| both(leg, Column::PendingDebit, Column::PendingCredit, 1);
    let let_go = |leg| both(leg, Column::PendingDebit, Column::PendingCredit, -1);
    match fact {
        Fact::Recorded(entry) => entry.legs.iter().flat_map(posted).collect(),
        Fact::Pended(entry) => entry.legs.iter().flat_map(hold).collect(),
        Fact::Posted(entry) => {
            let moved = held.iter().chain(&entry.legs).flat_map(posted);
            held.iter().flat_map(let_go).chain(moved).collect()
        }
        Fact::Voided(entry) => {
            held.iter().flat_map(let_go).chain(entry.legs.iter().flat_map(posted)).collect()
        }
        Fact::DayClosed { .. } => Vec::new(),
    }
}

fn both(leg: &Leg, debit: Column, credit: Column, sign: i64) -> [Move<'_>; 2] {
    let fen = leg.amount().get().saturating_mul(sign);
    [Move { account: leg.debit(), column: debit, fen }, Move { account: leg.credit(), column: credit, fen }]
}
