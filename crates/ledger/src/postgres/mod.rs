//! The ledger on PostgreSQL: any number of processes, one writer at a time, every commit on disk before it is answered.
//!
//! A commit is a constant number of round trips, however many facts: begin and wait for the turn, what is known of the
//! ids, the balances, one statement that writes, commit; many facts stream instead (`bulk`). A connection that is lost is
//! made again, and what was under way is said once more: a repetition gets the stored outcome, so an answer that was lost costs nothing.
//!
//! Its client waits by itself: call it from a thread that may block, not from a task of an async runtime.
//!
//! Invariant: a fact, the balances and the list of doubts change in one transaction or not at all.

mod bulk;
mod draft;
mod rows;
mod session;
mod sql;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use model::Date;
use postgres::SimpleQueryMessage;
use postgres::types::ToSql;

use crate::balance::{Balance, Rules};
use crate::books::{Difference, Head, InDoubt, Line, Standing};
use crate::chain::{Digest, day_number};
use crate::entry::{Act, Fact};
use crate::error::{LedgerError, Refusal};
use crate::judge::Outcome;
use crate::ledger::{Ledger, Story};
use crate::name::{AccountName, EntryId};
use draft::{Draft, Ground, Tale};
use rows::{parse, to_sql, unreadable};
use session::{Place, Session, is_lost};

/// A [`Ledger`] in a schema `ledger` of a PostgreSQL database. Several processes may open the same one.
pub struct PostgresLedger {
    place: Place,
    /// `None` once it was lost, until the next call.
    session: RefCell<Option<Session>>,
    rules: Rules,
    /// From how many facts on a commit is streamed.
    many: usize,
}

type Answers = Vec<Result<Outcome, Refusal>>;

impl PostgresLedger {
    /// Opens the ledger at an address such as `postgres://user:password@host/database`, or begins one there, with the
    /// rules of [`Rules::centre`].
    ///
    /// # Errors
    /// [`LedgerError::NotALedger`], [`LedgerError::Newer`], or the store's.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        let place = Place::parse(url)?;
        let session = RefCell::new(Some(place.connect()?));
        Ok(PostgresLedger { place, session, rules: Rules::centre(), many: bulk::MANY })
    }

    /// The same ledger under other balance rules. They hold for the entries to come; what is stored stays.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The same ledger, which streams a commit from so many facts on instead of saying it in one statement. What it
    /// answers and stores is the same; only its pace is not.
    #[must_use]
    pub fn streaming_from(mut self, facts: usize) -> Self {
        self.many = facts;
        self
    }

    /// The same ledger, whose commits are on the disk once its caller has flushed them, by any later commit to the same
    /// server that waits for the disk. A lost connection is then an error of the call and never mended unseen: the server
    /// may have lost what was not flushed.
    #[must_use]
    pub fn flushed_by_its_caller(mut self) -> Self {
        self.place.unflushed = true;
        *self.session.get_mut() = None;
        self
    }

    /// Does something on the connection, and if that is lost once more on a new one.
    fn on_session<T>(
        &self,
        act: impl Fn(&mut Session, &Place) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut kept = self.session.borrow_mut();
        let mut tries = if self.place.unflushed { 1..2_u8 } else { 0..2 };
        loop {
            let mut session = match kept.take() {
                Some(session) => session,
                None => self.place.connect()?,
            };
            let done = act(&mut session, &self.place);
            match done {
                Err(error) if is_lost(&error) && tries.next() == Some(0) => {}
                Err(error) => {
                    // A transaction may be open; a session that cannot leave it is not kept.
                    *kept = session.client.batch_execute("ROLLBACK").is_ok().then_some(session);
                    return Err(error);
                }
                done => {
                    *kept = Some(session);
                    return done;
                }
            }
        }
    }
}

impl std::fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresLedger").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Ledger for PostgresLedger {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Answers, LedgerError> {
        if chains.iter().all(|chain| chain.is_empty()) {
            return Ok(Vec::new());
        }
        self.on_session(|session, place| commit(session, place, (&self.rules, self.many), chains))
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.on_session(|session, place| {
            let found = session.client.query(sql::LINES, &[&to_sql(after), &limit]);
            let found = found.map_err(|e| place.failed("read the log", e))?;
            Ok(found.iter().map(rows::line).collect::<Result<_, _>>()?)
        })
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.on_session(standing)
    }

    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        self.on_session(|session, place| {
            let found = session.client.query_opt(&session.balances, &[&vec![account.as_str()]]);
            let found = found.map_err(|e| place.failed("read a balance", e))?;
            Ok(found.as_ref().map(rows::balance).unwrap_or_default())
        })
    }

    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        self.on_session(|session, place| {
            let found = session.client.query(sql::STORY, &[&id.as_str()]);
            let found = found.map_err(|e| place.failed("find an entry", e))?;
            let mut lines = found.iter().map(rows::line);
            let Some(opened) = lines.next().transpose()? else { return Ok(None) };
            Ok(Some(Story { opened, ended: lines.next().transpose()? }))
        })
    }

    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        self.on_session(|session, place| {
            let found = session.client.query(sql::IN_DOUBT, &[]);
            in_doubt(&found.map_err(|e| place.failed("read what is in doubt", e))?)
        })
    }

    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        self.on_session(|session, place| {
            let found = session.client.query_one(sql::CLOSED, &[]);
            closed(&found.map_err(|e| place.failed("read the closed day", e))?)
        })
    }
}

fn closed(row: &postgres::Row) -> Result<Option<Date>, LedgerError> {
    Ok(row.get::<_, Option<i64>>(0).map(|number| rows::day(number, 0)).transpose()?)
}

fn in_doubt(found: &[postgres::Row]) -> Result<Vec<InDoubt>, LedgerError> {
    let doubt = |row| {
        let line = rows::line(row)?;
        match &line.fact {
            Fact::Pended(entry) => Ok(InDoubt::new(line.position, entry)),
            _ => Err(unreadable(line.position, "it is in doubt but not pended")),
        }
    };
    Ok(found.iter().map(doubt).collect::<Result<_, Difference>>()?)
}

fn standing(session: &mut Session, place: &Place) -> Result<Standing, LedgerError> {
    let failed = |e| place.failed("read the balances", e);
    let build = session.client.build_transaction().read_only(true);
    let mut moment =
        build.isolation_level(postgres::IsolationLevel::RepeatableRead).start().map_err(failed)?;
    let mut standing = Standing::default();
    if let Some(row) = moment.query_opt(sql::HEAD, &[]).map_err(failed)? {
        let position = rows::position(row.get(0));
        standing.head = Head { position, hash: rows::digest(row.get(1), position)? };
    }
    for row in moment.query(sql::ALL_BALANCES, &[]).map_err(failed)? {
        standing.balances.insert(parse(row.get("name"), 0, "an account")?, rows::balance(&row));
    }
    let doubts = in_doubt(&moment.query(sql::IN_DOUBT, &[]).map_err(failed)?)?;
    standing.in_doubt = doubts.into_iter().map(|doubt| doubt.id).collect::<BTreeSet<_>>();
    standing.closed = closed(&moment.query_one(sql::CLOSED, &[]).map_err(failed)?)?;
    moment.commit().map_err(failed)?;
    Ok(standing)
}

fn commit(
    session: &mut Session,
    place: &Place,
    (rules, many): (&Rules, usize),
    chains: &[&[Fact]],
) -> Result<Answers, LedgerError> {
    let facts = || chains.iter().copied().flatten();
    let many = facts().count() >= many;
    let opens = |fact: &Fact| matches!(fact.act(), Act::Recorded | Act::Pended);
    if many
        && facts().all(opens)
        && let Some(answers) = bulk::commit_new(session, place, rules, chains)?
    {
        return Ok(answers);
    }
    let mut ground = begin(session, place)?;
    read_ids(session, place, chains, &mut ground)?;
    read_balances(session, place, chains, &mut ground)?;
    let mut draft = Draft::new(rules, ground);
    let answers = if many {
        bulk::write(session, place, &mut draft, chains)?
    } else {
        let mut answers = Vec::with_capacity(chains.len());
        for chain in chains {
            draft.add_chain(chain, &mut answers);
        }
        if !draft.lines.is_empty() {
            write(session, &draft).map_err(|e| place.failed("write the entries", e))?;
        }
        answers
    };
    session.client.batch_execute("COMMIT").map_err(|e| place.failed("commit", e))?;
    Ok(answers)
}

/// Waits for the turn, and reads the end of the log.
fn begin(session: &mut Session, place: &Place) -> Result<Ground, LedgerError> {
    let told = session.client.simple_query(sql::BEGIN).map_err(|e| place.failed("begin to write", e))?;
    let mut ground = Ground::default();
    let rows = told.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == 3 => Some(row),
        _ => None,
    });
    for row in rows {
        let text = |name: &str| row.get(name).unwrap_or_default();
        let position = parse(text("position"), 0, "the end of the log")?;
        let bytes = hex::decode(text("hash")).unwrap_or_default();
        ground.head = Head { position, hash: rows::digest(&bytes, position)? };
        let number = row.get("closed").map(|number| parse::<i64>(number, 0, "the closed day"));
        ground.closed = number.transpose()?.map(|number| rows::day(number, 0)).transpose()?;
    }
    Ok(ground)
}

/// What the log says of the ids and days.
fn read_ids(
    session: &mut Session,
    place: &Place,
    chains: &[&[Fact]],
    ground: &mut Ground,
) -> Result<(), LedgerError> {
    let facts = || chains.iter().copied().flatten();
    let entries = || facts().filter_map(Fact::entry);
    let ids: Vec<&str> = entries().map(|entry| entry.id.as_str()).collect();
    if !ids.is_empty() {
        let found = session.client.query(&session.tales, &[&ids]);
        for row in found.map_err(|e| place.failed("look up ids", e))? {
            let outcome = rows::outcome(&row)?;
            let id = parse::<EntryId>(row.get("id"), outcome.position, "its id")?;
            let tale = ground.tales.entry(id).or_default();
            match outcome.act {
                Act::Recorded => tale.opened = Some(outcome),
                Act::Pended => {
                    let held = rows::legs(row.get("legs"), outcome.position)?;
                    *tale = Tale { opened: Some(outcome), held, ended: tale.ended };
                }
                Act::Posted | Act::Voided | Act::DayClosed => tale.ended = Some(outcome),
            }
        }
    }
    let days: Vec<i64> =
        facts().filter(|fact| fact.entry().is_none()).map(|fact| day_number(fact.day())).collect();
    if !days.is_empty() {
        let found = session.client.query(&session.days, &[&days]);
        for row in found.map_err(|e| place.failed("look up days", e))? {
            let outcome = rows::outcome(&row)?;
            ground.days.insert(outcome.day, outcome);
        }
    }
    Ok(())
}

/// The balances of every account that may change.
fn read_balances(
    session: &mut Session,
    place: &Place,
    chains: &[&[Fact]],
    ground: &mut Ground,
) -> Result<(), LedgerError> {
    let entries = chains.iter().copied().flatten().filter_map(Fact::entry);
    let held = ground.tales.values().flat_map(|tale| &tale.held);
    let legs = entries.flat_map(|entry| &entry.legs).chain(held);
    let names: HashSet<&str> = legs.flat_map(|leg| [leg.debit().as_str(), leg.credit().as_str()]).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if !names.is_empty() {
        let found = session.client.query(&session.balances, &[&names]);
        let found = found.map_err(|e| place.failed("read the balances", e))?;
        let mut balances = BTreeMap::new();
        for row in found {
            balances.insert(parse(row.get("name"), 0, "an account")?, rows::balance(&row));
        }
        ground.balances = balances;
    }
    Ok(())
}

fn write(session: &mut Session, draft: &Draft<'_>) -> Result<u64, postgres::Error> {
    let lines = &draft.lines;
    let numbers = |number: fn(&Fact, &Outcome) -> i64| -> Vec<i64> {
        lines.iter().map(|(fact, outcome)| number(fact, outcome)).collect()
    };
    let texts = |text: fn(&crate::entry::Entry) -> &str| -> Vec<Option<&str>> {
        lines.iter().map(|(fact, _)| fact.entry().map(text)).collect()
    };
    let digests = |digest: fn(&Outcome) -> Digest| -> Vec<Vec<u8>> {
        lines.iter().map(|(_, outcome)| digest(outcome).bytes().to_vec()).collect()
    };
    let legs: Vec<String> = lines
        .iter()
        .map(|(fact, _)| fact.entry().map_or_else(String::new, |entry| rows::legs_text(&entry.legs)))
        .collect();
    let lines: [&(dyn ToSql + Sync); 10] = [
        &numbers(|_, outcome| to_sql(outcome.position)),
        &numbers(|fact, _| i64::from(fact.act().code())),
        &texts(|entry| entry.id.as_str()),
        &texts(|entry| entry.kind.as_str()),
        &texts(|entry| entry.memo.as_str()),
        &legs,
        &numbers(|fact, _| day_number(fact.day())),
        &numbers(|fact, _| fact.at().as_seconds()),
        &digests(|outcome| outcome.digest),
        &digests(|outcome| outcome.hash),
    ];
    with_kept(draft, |kept| session.client.execute(&session.write, &[kept, &lines].concat()))
}

/// Writes what is kept beside the log, the lines being written.
fn keep(session: &mut Session, draft: &Draft<'_>) -> Result<u64, postgres::Error> {
    with_kept(draft, |kept| session.client.execute(&session.keep, kept))
}

/// The balances that change, what is in doubt, and what is no more, as values of a statement.
fn with_kept<T>(draft: &Draft<'_>, act: impl FnOnce(&[&(dyn ToSql + Sync)]) -> T) -> T {
    let names: Vec<&str> = draft.changed().map(|(name, _)| name.as_str()).collect();
    let sums = |sum: fn(&Balance) -> i64| -> Vec<i64> { draft.changed().map(|(_, b)| sum(b)).collect() };
    let places = |positions: Vec<u64>| -> Vec<i64> { positions.into_iter().map(to_sql).collect() };
    act(&[
        &names,
        &sums(|balance| balance.posted_debit.get()),
        &sums(|balance| balance.posted_credit.get()),
        &sums(|balance| balance.pending_debit.get()),
        &sums(|balance| balance.pending_credit.get()),
        &places(draft.doubts()),
        &places(draft.settled()),
    ])
}
