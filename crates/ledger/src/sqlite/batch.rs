//! Facts written together: each judged with those before it counted, balances written once at the end.

use std::collections::BTreeMap;

use model::Date;
use rusqlite::{Connection, params};

use super::rows;
use super::store::Place;
use crate::balance::{Balance, Rules, moves, touched};
use crate::books::Head;
use crate::chain::day_number;
use crate::entry::{Fact, Leg};
use crate::error::{LedgerError, Refusal};
use crate::judge::{Known, Outcome, fall_together};
use crate::name::AccountName;

/// A write in progress, inside the transaction that `connection` has open.
pub(super) struct Batch<'a> {
    connection: &'a Connection,
    place: &'a Place,
    rules: &'a Rules,
    head: Head,
    closed: Option<Date>,
    /// Balances as the batch leaves them, not yet written.
    touched: BTreeMap<AccountName, Balance>,
}

const ADD_LINE: &str = "INSERT INTO log (position, act, id, kind, memo, day, at, digest, hash)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const ADD_LEG: &str = "INSERT INTO leg (position, number, debit, credit, amount) VALUES (?1, ?2, ?3, ?4, ?5)";
const KEEP: &str = "INSERT INTO account (name, posted_debit, posted_credit, pending_debit, pending_credit)
                    VALUES (?1, ?2, ?3, ?4, ?5)
                    ON CONFLICT (name) DO UPDATE SET
                        posted_debit = excluded.posted_debit, posted_credit = excluded.posted_credit,
                        pending_debit = excluded.pending_debit, pending_credit = excluded.pending_credit";

impl<'a> Batch<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        place: &'a Place,
        rules: &'a Rules,
    ) -> Result<Self, LedgerError> {
        let head = rows::head(connection, place)?;
        let closed = rows::closed(connection, place)?;
        Ok(Batch { connection, place, rules, head, closed, touched: BTreeMap::new() })
    }

    /// Judges facts that stand or fall together: one answer each.
    pub(super) fn add_chain(
        &mut self,
        chain: &[Fact],
        outcomes: &mut Vec<Result<Outcome, Refusal>>,
    ) -> Result<(), LedgerError> {
        if let [fact] = chain {
            outcomes.push(self.judged(fact)?);
            return Ok(());
        }
        let before = (self.head, self.closed, self.touched.clone());
        let first = outcomes.len();
        self.statement("SAVEPOINT chain")?;
        for fact in chain {
            outcomes.push(self.judged(fact)?);
        }
        let answers = outcomes.get_mut(first..).unwrap_or_default();
        if fall_together(answers, before.0.position) {
            self.statement("ROLLBACK TO chain")?;
            (self.head, self.closed, self.touched) = before;
        }
        self.statement("RELEASE chain")
    }

    fn statement(&self, sql: &str) -> Result<(), LedgerError> {
        self.connection.execute_batch(sql).map_err(|e| self.place.failed("write linked entries", e))
    }

    fn judged(&mut self, fact: &Fact) -> Result<Result<Outcome, Refusal>, LedgerError> {
        match self.add(fact) {
            Err(LedgerError::Refused(refusal)) => Ok(Err(refusal)),
            outcome => Ok(Ok(outcome?)),
        }
    }

    /// Judges a fact and, if it is new and taken, appends it. A refusal has written nothing.
    pub(super) fn add(&mut self, fact: &Fact) -> Result<Outcome, LedgerError> {
        let content = fact.content();
        let digest = content.digest();
        let known = self.known(fact)?;
        if let Some(stored) = known.judge(fact, digest)? {
            return Ok(stored);
        }
        let pended = known.opened.map(|outcome| outcome.position);
        let held = pended.map(|position| rows::legs(self.connection, self.place, position)).transpose()?;
        self.move_money(fact, &held.unwrap_or_default())?;
        let position = self.head.position.saturating_add(1);
        let hash = self.head.hash.followed_by_content(position, fact, &content);
        let outcome = Outcome { position, act: fact.act(), day: fact.day(), digest, hash };
        self.append(fact, &outcome, pended).map_err(|e| self.place.failed("write an entry", e))?;
        self.head = Head { position, hash };
        if let Fact::DayClosed { day, .. } = fact {
            self.closed = Some(*day);
        }
        Ok(outcome)
    }

    /// Writes the balances of all accounts that the batch touched.
    pub(super) fn keep_balances(&self) -> Result<(), LedgerError> {
        let write = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(KEEP)?;
            for (name, balance) in &self.touched {
                statement.execute(params![
                    name.as_str(),
                    balance.posted_debit.get(),
                    balance.posted_credit.get(),
                    balance.pending_debit.get(),
                    balance.pending_credit.get(),
                ])?;
            }
            Ok(())
        };
        write().map_err(|e| self.place.failed("write the balances", e))
    }

    fn known(&self, fact: &Fact) -> Result<Known, LedgerError> {
        let (opened, ended) = match fact.entry() {
            Some(entry) => rows::outcomes(self.connection, self.place, &entry.id)?,
            None => (None, rows::day_end(self.connection, self.place, day_number(fact.day()))?),
        };
        Ok(Known { opened, ended, closed: self.closed })
    }

    /// Counts the legs into the balances, or leaves them as they are.
    fn move_money(&mut self, fact: &Fact, held: &[Leg]) -> Result<(), LedgerError> {
        let Some(entry) = fact.entry() else { return Ok(()) };
        let moves = moves(fact, held);
        let mut changes = touched(&moves, |account| match self.touched.get(account) {
            Some(balance) => Ok(*balance),
            None => rows::balance(self.connection, self.place, account),
        })?;
        self.rules.judge(&entry.id, &mut changes, &moves)?;
        for change in changes {
            match self.touched.get_mut(change.account) {
                Some(balance) => *balance = change.after,
                None => {
                    self.touched.insert(change.account.clone(), change.after);
                }
            }
        }
        Ok(())
    }

    fn append(&self, fact: &Fact, outcome: &Outcome, pended: Option<u64>) -> rusqlite::Result<()> {
        let position = rows::to_sql(outcome.position);
        let entry = fact.entry();
        self.connection.prepare_cached(ADD_LINE)?.execute(params![
            position,
            fact.act().code(),
            entry.map(|entry| entry.id.as_str()),
            entry.map(|entry| entry.kind.as_str()),
            entry.map(|entry| entry.memo.as_str()),
            day_number(fact.day()),
            fact.at().as_seconds(),
            outcome.digest.bytes(),
            outcome.hash.bytes(),
        ])?;
        let mut add_leg = self.connection.prepare_cached(ADD_LEG)?;
        for (leg, number) in entry.iter().flat_map(|entry| &entry.legs).zip(1_i64..) {
            add_leg.execute(params![
                position,
                number,
                leg.debit().as_str(),
                leg.credit().as_str(),
                leg.amount().get()
            ])?;
        }
        match (fact, pended) {
            (Fact::Pended(_), _) => {
                self.connection
                    .prepare_cached("INSERT INTO doubt (position) VALUES (?1)")?
                    .execute([position])?;
            }
            (Fact::Posted(_) | Fact::Voided(_), Some(pended)) => {
                let mut settle = self.connection.prepare_cached("DELETE FROM doubt WHERE position = ?1")?;
                settle.execute([rows::to_sql(pended)])?;
            }
            _ => {}
        }
        Ok(())
    }
}
