//! A commit in the making, in memory alone: what the database told, what is decided, what it is to write.
//!
//! Invariant: nothing here knows a connection; a draft that is dropped has changed nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::Date;

use crate::balance::{Balance, Rules, moves, touched};
use crate::books::Head;
use crate::chain::{Content, Digest};
use crate::entry::{Act, Fact, Leg};
use crate::error::Refusal;
use crate::judge::{Known, Outcome, fall_together};
use crate::name::{AccountName, EntryId};

/// What is known of an id: as the log says, or as the draft leaves it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tale {
    pub(super) opened: Option<Outcome>,
    pub(super) ended: Option<Outcome>,
    /// The legs pended under it, if it was opened so.
    pub(super) held: Vec<Leg>,
}

/// All that the judgement of some facts asks for, read once.
#[derive(Debug, Default)]
pub(super) struct Ground {
    pub(super) head: Head,
    pub(super) closed: Option<Date>,
    pub(super) days: BTreeMap<Date, Outcome>,
    pub(super) tales: HashMap<EntryId, Tale>,
    pub(super) balances: BTreeMap<AccountName, Balance>,
}

#[derive(Debug)]
pub(super) struct Draft<'a> {
    rules: &'a Rules,
    ground: Ground,
    /// New lines, in order.
    pub(super) lines: Vec<(&'a Fact, Outcome)>,
    pub(super) touched: HashSet<AccountName>,
}

/// What a chain may have to take back.
type Before = (Head, Option<Date>, BTreeMap<AccountName, Balance>, HashSet<AccountName>, usize);

impl<'a> Draft<'a> {
    pub(super) fn new(rules: &'a Rules, ground: Ground) -> Self {
        Draft { rules, ground, lines: Vec::new(), touched: HashSet::new() }
    }

    /// Judges facts that stand or fall together: one answer each.
    pub(super) fn add_chain(&mut self, chain: &'a [Fact], outcomes: &mut Vec<Result<Outcome, Refusal>>) {
        if let [fact] = chain {
            outcomes.push(self.add(fact));
            return;
        }
        let first = outcomes.len();
        let before: Before = (
            self.ground.head,
            self.ground.closed,
            self.ground.balances.clone(),
            self.touched.clone(),
            self.lines.len(),
        );
        for fact in chain {
            outcomes.push(self.add(fact));
        }
        if fall_together(outcomes.get_mut(first..).unwrap_or_default(), before.0.position) {
            self.take_back(before);
        }
    }

    /// The balances that the draft changes, as it leaves them.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&AccountName, &Balance)> {
        self.ground.balances.iter().filter(|(name, _)| self.touched.contains(*name))
    }

    /// Where what is in doubt no more was pended.
    pub(super) fn settled(&self) -> Vec<u64> {
        let ends = self.lines.iter().filter(|(fact, _)| matches!(fact.act(), Act::Posted | Act::Voided));
        let tales = ends.filter_map(|(fact, _)| self.ground.tales.get(&fact.entry()?.id));
        tales.filter_map(|tale| tale.opened.map(|opened| opened.position)).collect()
    }

    /// Where something is pended and not settled in the same draft.
    pub(super) fn doubts(&self) -> Vec<u64> {
        let pended = self.lines.iter().filter(|(fact, _)| fact.act() == Act::Pended);
        let open = pended.filter(|(fact, _)| {
            let tale = fact.entry().and_then(|entry| self.ground.tales.get(&entry.id));
            tale.is_none_or(|tale| tale.ended.is_none())
        });
        open.map(|(_, outcome)| outcome.position).collect()
    }

    fn take_back(&mut self, before: Before) {
        let (head, closed, balances, touched, lines) = before;
        for (fact, _) in self.lines.drain(lines..) {
            match fact.entry().and_then(|entry| self.ground.tales.get_mut(&entry.id)) {
                Some(tale) if matches!(fact.act(), Act::Posted | Act::Voided) => tale.ended = None,
                Some(tale) => *tale = Tale::default(),
                None => {
                    self.ground.days.remove(&fact.day());
                }
            }
        }
        self.ground.head = head;
        self.ground.closed = closed;
        self.ground.balances = balances;
        self.touched = touched;
    }

    fn add(&mut self, fact: &'a Fact) -> Result<Outcome, Refusal> {
        let content = fact.content();
        let digest = content.digest();
        let tale = fact.entry().and_then(|entry| self.ground.tales.get(&entry.id));
        let known = match fact.entry() {
            Some(_) => Known {
                opened: tale.and_then(|tale| tale.opened),
                ended: tale.and_then(|tale| tale.ended),
                closed: self.ground.closed,
            },
            None => Known {
                opened: None,
                ended: self.ground.days.get(&fact.day()).copied(),
                closed: self.ground.closed,
            },
        };
        if let Some(stored) = known.judge(fact, digest)? {
            return Ok(stored);
        }
        if let Some(entry) = fact.entry() {
            let ends = matches!(fact.act(), Act::Posted | Act::Voided);
            let held = tale.filter(|_| ends).map_or_else(Vec::new, |tale| tale.held.clone());
            let moves = moves(fact, &held);
            let look = |account: &AccountName| -> Result<Balance, Refusal> {
                Ok(self.ground.balances.get(account).copied().unwrap_or_default())
            };
            let mut changes = touched(&moves, look)?;
            self.rules.judge(&entry.id, &mut changes, &moves)?;
            for change in changes {
                match self.ground.balances.get_mut(change.account) {
                    Some(balance) => *balance = change.after,
                    None => {
                        self.ground.balances.insert(change.account.clone(), change.after);
                    }
                }
                if !self.touched.contains(change.account) {
                    self.touched.insert(change.account.clone());
                }
            }
        }
        Ok(self.append(fact, &content, digest))
    }

    fn append(&mut self, fact: &'a Fact, content: &Content, digest: Digest) -> Outcome {
        let position = self.ground.head.position.saturating_add(1);
        let hash = self.ground.head.hash.followed_by_content(position, fact, content);
        let outcome = Outcome { position, act: fact.act(), day: fact.day(), digest, hash };
        self.ground.head = Head { position, hash };
        match fact {
            Fact::Recorded(entry) | Fact::Pended(entry) => {
                let tale = self.ground.tales.entry(entry.id.clone()).or_default();
                tale.opened = Some(outcome);
                if fact.act() == Act::Pended {
                    tale.held.clone_from(&entry.legs);
                }
            }
            Fact::Posted(entry) | Fact::Voided(entry) => {
                self.ground.tales.entry(entry.id.clone()).or_default().ended = Some(outcome);
            }
            Fact::DayClosed { day, .. } => {
                self.ground.closed = Some(*day);
                self.ground.days.insert(*day, outcome);
            }
        }
        self.lines.push((fact, outcome));
        outcome
    }
}
