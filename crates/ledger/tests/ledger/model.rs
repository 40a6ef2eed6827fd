//! The slow and obvious ledger: a list of facts, and every answer a walk over all of it.

use std::collections::BTreeMap;

use ledger::{
    AccountName, Act, Balance, Digest, EntryId, Fact, Head, InDoubt, Ledger, LedgerError, Leg, Line, Outcome,
    Refusal, Standing, Story,
};
use model::{Date, Fen};

#[derive(Default)]
pub(crate) struct Slow {
    log: Vec<Line>,
}

/// The four sums of every account, too wide to overflow.
type Sums = BTreeMap<AccountName, [i128; 4]>;

fn lines_of<'a>(log: &'a [Line], id: &EntryId) -> Vec<&'a Line> {
    log.iter().filter(|line| line.fact.entry().is_some_and(|entry| entry.id == *id)).collect()
}

/// Posted at once by this fact: its own legs unless they are only held.
fn own_legs(fact: &Fact) -> Vec<Leg> {
    match fact {
        Fact::Recorded(entry) | Fact::Posted(entry) | Fact::Voided(entry) => entry.legs.clone(),
        Fact::Pended(_) | Fact::DayClosed { .. } => Vec::new(),
    }
}

fn add(sums: &mut Sums, legs: &[Leg], debit: usize, credit: usize) {
    for leg in legs {
        let fen = i128::from(leg.amount().get());
        sums.entry(leg.debit().clone()).or_default()[debit] += fen;
        sums.entry(leg.credit().clone()).or_default()[credit] += fen;
    }
}

fn sums(log: &[Line]) -> Sums {
    let mut sums = Sums::new();
    for line in log {
        add(&mut sums, &own_legs(&line.fact), 0, 1);
        if let Fact::Pended(entry) = &line.fact {
            // Every account that was ever touched is listed, so a void leaves zeros.
            add(&mut sums, &entry.legs, 2, 3);
            match lines_of(log, &entry.id).last().map(|line| line.fact.act()) {
                Some(Act::Posted) => move_held(&mut sums, &entry.legs, true),
                Some(Act::Voided) => move_held(&mut sums, &entry.legs, false),
                _ => {}
            }
        }
    }
    sums
}

fn move_held(sums: &mut Sums, legs: &[Leg], posted: bool) {
    for leg in legs {
        let fen = i128::from(leg.amount().get());
        for (account, side) in [(leg.debit(), 0), (leg.credit(), 1)] {
            let sum = sums.entry(account.clone()).or_default();
            sum[side + 2] -= fen;
            sum[side] += if posted { fen } else { 0 };
        }
    }
}

fn balances(sums: Sums) -> BTreeMap<AccountName, Balance> {
    let balance = |[a, b, c, d]: [i128; 4]| {
        let fen = |sum| Fen::new(i64::try_from(sum).unwrap());
        Balance { posted_debit: fen(a), posted_credit: fen(b), pending_debit: fen(c), pending_credit: fen(d) }
    };
    sums.into_iter().map(|(account, sums)| (account, balance(sums))).collect()
}

fn available(sums: &Sums, account: &AccountName) -> i128 {
    sums.get(account).map_or(0, |[debit, credit, held, _]| credit - debit - held)
}

fn outcome(line: &Line) -> Outcome {
    let digest = line.fact.digest();
    Outcome { position: line.position, act: line.fact.act(), day: line.fact.day(), digest, hash: line.hash }
}

impl Slow {
    fn head(&self) -> Head {
        self.log.last().map_or(Head::default(), |line| Head { position: line.position, hash: line.hash })
    }

    fn closed_day(&self) -> Option<Date> {
        let days =
            self.log.iter().filter(|line| line.fact.act() == Act::DayClosed).map(|line| line.fact.day());
        days.max()
    }

    /// What is stored under the same name, if the fact may be said at all.
    fn earlier(&self, fact: &Fact) -> Result<Option<&Line>, Refusal> {
        let Some(entry) = fact.entry() else {
            return Ok(self
                .log
                .iter()
                .find(|l| l.fact.act() == Act::DayClosed && l.fact.day() == fact.day()));
        };
        let id = entry.id.clone();
        let lines = lines_of(&self.log, &id);
        if matches!(fact.act(), Act::Recorded | Act::Pended) {
            return Ok(lines.first().copied());
        }
        match lines.as_slice() {
            [] => Err(Refusal::Unknown { id }),
            [opened, ..] if opened.fact.act() == Act::Recorded => {
                Err(Refusal::NotPended { id, position: opened.position })
            }
            [_] => Ok(None),
            [_, ended, ..] => match (fact.act(), ended.fact.act()) {
                (Act::Posted, Act::Voided) => Err(Refusal::AlreadyVoided { id, position: ended.position }),
                (Act::Voided, Act::Posted) => Err(Refusal::AlreadyPosted { id, position: ended.position }),
                _ => Ok(Some(ended)),
            },
        }
    }

    fn say(&mut self, fact: &Fact) -> Result<Outcome, Refusal> {
        if let Some(stored) = self.earlier(fact)? {
            return match fact.entry() {
                Some(entry) if stored.fact.digest() != fact.digest() => {
                    let (stored, given) = (stored.fact.digest(), fact.digest());
                    Err(Refusal::IdTaken { id: entry.id.clone(), stored, given })
                }
                _ => Ok(outcome(stored)),
            };
        }
        if let Some(closed) = self.closed_day().filter(|closed| *closed >= fact.day()) {
            return Err(Refusal::DayClosed { day: fact.day(), open: closed.plus_days(1) });
        }
        if let Fact::DayClosed { day, at } = fact
            && at.date() < *day
        {
            return Err(Refusal::DayAhead { day: *day, at: *at });
        }
        let opens = matches!(fact, Fact::Recorded(_) | Fact::Pended(_));
        if let Some(entry) = fact.entry().filter(|entry| opens && entry.legs.is_empty()) {
            return Err(Refusal::NoLegs { id: entry.id.clone() });
        }
        if let Some(entry) = fact.entry().filter(|entry| entry.memo.contains('\0')) {
            return Err(Refusal::Memo { id: entry.id.clone() });
        }
        let before = sums(&self.log);
        let head = self.head();
        let position = head.position + 1;
        let line = Line { position, fact: fact.clone(), hash: head.hash.followed_by(position, fact) };
        self.log.push(line.clone());
        if let Some(refusal) = self.broken_rule(fact, &before) {
            self.log.pop();
            return Err(refusal);
        }
        Ok(outcome(&line))
    }

    fn say_together(&mut self, chain: &[Fact]) -> Vec<Result<Outcome, Refusal>> {
        let before = self.log.len();
        let mut answers: Vec<_> = chain.iter().map(|fact| self.say(fact)).collect();
        let Some(broken) = answers.iter().position(Result::is_err) else { return answers };
        let why = answers[broken].as_ref().unwrap_err().code();
        self.log.truncate(before);
        for answer in &mut answers {
            if answer.as_ref().is_ok_and(|outcome| outcome.position > before as u64) {
                *answer = Err(Refusal::Linked { number: broken + 1, why });
            }
        }
        answers
    }

    fn broken_rule(&self, fact: &Fact, before: &Sums) -> Option<Refusal> {
        let id = fact.entry()?.id.clone();
        let after = sums(&self.log);
        let too_much = |[a, b, c, d]: &[i128; 4]| (a + c).max(b + d) > i128::from(i64::MAX);
        if let Some((account, _)) = after.iter().find(|(_, sums)| too_much(sums)) {
            return Some(Refusal::Overflow { id, account: account.clone() });
        }
        let ruled = after.keys().filter(|account| ["float", "doubt"].contains(&account.kind()));
        let mut overdrawn = ruled.filter(|account| available(&after, account) < 0);
        overdrawn.next().map(|account| {
            let available = Fen::new(i64::try_from(available(before, account)).unwrap());
            Refusal::BelowZero { id, account: account.clone(), available }
        })
    }

    fn prefix(&self, position: u64) -> Result<&[Line], LedgerError> {
        let head = self.head().position;
        let end = usize::try_from(position).unwrap();
        self.log.get(..end).ok_or(LedgerError::Beyond { position, head })
    }
}

impl Ledger for Slow {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Vec<Result<Outcome, Refusal>>, LedgerError> {
        Ok(chains.iter().flat_map(|chain| self.say_together(chain)).collect())
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        Ok(self.log.iter().filter(|line| line.position > after).take(limit).cloned().collect())
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        let in_doubt = self.pending()?.into_iter().map(|doubt| doubt.id).collect();
        let balances = balances(sums(&self.log));
        Ok(Standing { head: self.head(), balances, in_doubt, closed: self.closed_day() })
    }

    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        Ok(balances(sums(&self.log)).remove(account).unwrap_or_default())
    }

    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        let mut lines = lines_of(&self.log, id).into_iter().cloned();
        Ok(lines.next().map(|opened| Story { opened, ended: lines.next() }))
    }

    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        let doubt = |line: &Line| match &line.fact {
            Fact::Pended(entry) if lines_of(&self.log, &entry.id).len() == 1 => Some(InDoubt {
                id: entry.id.clone(),
                kind: entry.kind.clone(),
                position: line.position,
                day: entry.day,
                since: entry.at,
                legs: entry.legs.clone(),
            }),
            _ => None,
        };
        Ok(self.log.iter().filter_map(doubt).collect())
    }

    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        Ok(self.closed_day())
    }

    fn balances_at(&self, position: u64) -> Result<BTreeMap<AccountName, Balance>, LedgerError> {
        self.prefix(position).map(|log| balances(sums(log)))
    }

    fn positions(&self, prefix: u64, day: Date) -> Result<BTreeMap<AccountName, Balance>, LedgerError> {
        let log = self.prefix(prefix)?;
        let mut posted = Sums::new();
        for line in log.iter().filter(|line| line.fact.day() == day) {
            if let Fact::Posted(entry) = &line.fact {
                let pended = lines_of(log, &entry.id)[0].fact.entry().unwrap();
                add(&mut posted, &pended.legs, 0, 1);
            }
            add(&mut posted, &own_legs(&line.fact), 0, 1);
        }
        Ok(balances(posted))
    }
}

#[test]
fn the_model_starts_where_the_chain_does() {
    assert_eq!(Slow::default().head().hash, Digest::START);
}
