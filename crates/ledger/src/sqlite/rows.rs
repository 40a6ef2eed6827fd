//! Rows as our types and back. A row that is none of ours is damage, named by its line.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use model::{CardTime, Date, Fen};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::store::Place;
use crate::balance::Balance;
use crate::books::{Difference, Head, InDoubt, Line, Standing};
use crate::chain::{Digest, day_from_number};
use crate::entry::{Act, Entry, Fact, Leg};
use crate::error::LedgerError;
use crate::judge::Outcome;
use crate::name::{AccountName, EntryId};

/// A line as it is stored, before it is believed.
struct RawLine {
    position: i64,
    act: u8,
    texts: Option<[String; 3]>,
    day: i64,
    at: i64,
    digest: [u8; 32],
    hash: [u8; 32],
}

/// Position, act, day, digest and hash of a line, before they are believed.
type RawOutcome = (i64, u8, i64, [u8; 32], [u8; 32]);

const LINES: &str = "SELECT position, act, id, kind, memo, day, at, digest, hash FROM log
                     WHERE position > ?1 ORDER BY position LIMIT ?2";
const LEGS: &str = "SELECT debit, credit, amount FROM leg WHERE position = ?1 ORDER BY number";
const OUTCOMES: &str = "SELECT position, act, day, digest, hash FROM log WHERE id = ?1 ORDER BY position";
const DAY_END: &str = "SELECT position, act, day, digest, hash FROM log WHERE act = 5 AND day = ?1";
const HEAD: &str = "SELECT position, hash FROM log ORDER BY position DESC LIMIT 1";
const CLOSED: &str = "SELECT max(day) FROM log WHERE act = 5";
const BALANCE: &str =
    "SELECT posted_debit, posted_credit, pending_debit, pending_credit FROM account WHERE name = ?1";
const BALANCES: &str = "SELECT posted_debit, posted_credit, pending_debit, pending_credit, name FROM account";

/// All positions fit: they are counted up from 1.
pub(super) fn to_sql(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn position(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn unreadable(position: u64, what: &'static str) -> Difference {
    Difference::Unreadable { position, what }
}

fn parse<T: FromStr>(text: &str, position: u64, what: &'static str) -> Result<T, Difference> {
    text.parse().map_err(|_| unreadable(position, what))
}

/// At most `limit` lines after position `after`, each with its legs.
pub(super) fn lines(
    connection: &Connection,
    place: &Place,
    after: u64,
    limit: usize,
) -> Result<Vec<Line>, LedgerError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = || -> rusqlite::Result<Vec<RawLine>> {
        let mut statement = connection.prepare_cached(LINES)?;
        statement.query_map(params![to_sql(after), limit], raw_line)?.collect()
    };
    let raw = read().map_err(|e| place.failed("read the log", e))?;
    raw.into_iter().map(|raw| believed(connection, place, raw)).collect()
}

/// The line at a position that is known to exist.
pub(super) fn line(connection: &Connection, place: &Place, position: u64) -> Result<Line, LedgerError> {
    let line = lines(connection, place, position.saturating_sub(1), 1)?.into_iter().next();
    Ok(line
        .filter(|line| line.position == position)
        .ok_or_else(|| unreadable(position, "it is not there"))?)
}

fn raw_line(row: &Row<'_>) -> rusqlite::Result<RawLine> {
    let id: Option<String> = row.get("id")?;
    let texts = match id {
        Some(id) => Some([id, row.get("kind")?, row.get("memo")?]),
        None => None,
    };
    Ok(RawLine {
        position: row.get("position")?,
        act: row.get("act")?,
        texts,
        day: row.get("day")?,
        at: row.get("at")?,
        digest: row.get("digest")?,
        hash: row.get("hash")?,
    })
}

fn believed(connection: &Connection, place: &Place, raw: RawLine) -> Result<Line, LedgerError> {
    let position = position(raw.position);
    let act = Act::from_code(raw.act).ok_or_else(|| unreadable(position, "its act"))?;
    let day = day_from_number(raw.day).ok_or_else(|| unreadable(position, "its day"))?;
    let at = CardTime::from_seconds(raw.at).ok_or_else(|| unreadable(position, "its time"))?;
    let entry = || -> Result<Entry, LedgerError> {
        let [id, kind, memo] = raw.texts.as_ref().ok_or_else(|| unreadable(position, "its id"))?;
        let id = parse(id, position, "its id")?;
        let kind = parse(kind, position, "its kind")?;
        let legs = legs(connection, place, position)?;
        Ok(Entry { id, kind, legs, day, at, memo: memo.clone() })
    };
    let fact = match act {
        Act::Recorded => Fact::Recorded(entry()?),
        Act::Pended => Fact::Pended(entry()?),
        Act::Posted => Fact::Posted(entry()?),
        Act::Voided => Fact::Voided(entry()?),
        Act::DayClosed => Fact::DayClosed { day, at },
    };
    let (stored, computed) = (Digest::new(raw.digest), fact.digest());
    if stored != computed {
        return Err(Difference::Content { position, stored, computed }.into());
    }
    Ok(Line { position, fact, hash: Digest::new(raw.hash) })
}

pub(super) fn legs(connection: &Connection, place: &Place, position: u64) -> Result<Vec<Leg>, LedgerError> {
    let read = || -> rusqlite::Result<Vec<(String, String, i64)>> {
        let mut statement = connection.prepare_cached(LEGS)?;
        let raw =
            statement.query_map([to_sql(position)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        raw.collect()
    };
    let raw = read().map_err(|e| place.failed("read the legs", e))?;
    raw.into_iter()
        .map(|(debit, credit, amount)| {
            let account = |name: &str| parse::<AccountName>(name, position, "an account");
            let leg = Leg::new(account(&debit)?, account(&credit)?, Fen::new(amount));
            Ok(leg.map_err(|_| unreadable(position, "a leg"))?)
        })
        .collect()
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<RawOutcome> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn believed_outcome(raw: RawOutcome) -> Result<Outcome, Difference> {
    let (stored, act, day, digest, hash) = raw;
    let position = position(stored);
    let act = Act::from_code(act).ok_or_else(|| unreadable(position, "its act"))?;
    let day = day_from_number(day).ok_or_else(|| unreadable(position, "its day"))?;
    Ok(Outcome { position, act, day, digest: Digest::new(digest), hash: Digest::new(hash) })
}

/// How `id` was opened, and how it ended.
pub(super) fn outcomes(
    connection: &Connection,
    place: &Place,
    id: &EntryId,
) -> Result<(Option<Outcome>, Option<Outcome>), LedgerError> {
    let read = || -> rusqlite::Result<Vec<_>> {
        connection.prepare_cached(OUTCOMES)?.query_map([id.as_str()], outcome)?.collect()
    };
    let mut found = (None, None);
    for raw in read().map_err(|e| place.failed("look up an id", e))? {
        let outcome = believed_outcome(raw)?;
        match outcome.act {
            Act::Recorded | Act::Pended => found.0 = Some(outcome),
            Act::Posted | Act::Voided | Act::DayClosed => found.1 = Some(outcome),
        }
    }
    Ok(found)
}

/// How `day` itself was closed.
pub(super) fn day_end(
    connection: &Connection,
    place: &Place,
    day: i64,
) -> Result<Option<Outcome>, LedgerError> {
    let read = || connection.prepare_cached(DAY_END)?.query_row([day], outcome).optional();
    let raw = read().map_err(|e| place.failed("look up a day", e))?;
    Ok(raw.map(believed_outcome).transpose()?)
}

pub(super) fn head(connection: &Connection, place: &Place) -> Result<Head, LedgerError> {
    let read = || {
        let row = |row: &Row<'_>| {
            Ok(Head { position: position(row.get(0)?), hash: Digest::new(row.get::<_, [u8; 32]>(1)?) })
        };
        connection.prepare_cached(HEAD)?.query_row([], row).optional()
    };
    Ok(read().map_err(|e| place.failed("read the end of the log", e))?.unwrap_or_default())
}

pub(super) fn closed(connection: &Connection, place: &Place) -> Result<Option<Date>, LedgerError> {
    let read = || connection.prepare_cached(CLOSED)?.query_row([], |row| row.get::<_, Option<i64>>(0));
    let number = read().map_err(|e| place.failed("read the closed day", e))?;
    Ok(number
        .map(|number| day_from_number(number).ok_or_else(|| unreadable(0, "the closed day")))
        .transpose()?)
}

fn sums(row: &Row<'_>) -> rusqlite::Result<Balance> {
    Ok(Balance {
        posted_debit: Fen::new(row.get(0)?),
        posted_credit: Fen::new(row.get(1)?),
        pending_debit: Fen::new(row.get(2)?),
        pending_credit: Fen::new(row.get(3)?),
    })
}

pub(super) fn balance(
    connection: &Connection,
    place: &Place,
    name: &AccountName,
) -> Result<Balance, LedgerError> {
    let read = || connection.prepare_cached(BALANCE)?.query_row([name.as_str()], sums).optional();
    Ok(read().map_err(|e| place.failed("read a balance", e))?.unwrap_or_default())
}

pub(super) fn standing(connection: &Connection, place: &Place) -> Result<Standing, LedgerError> {
    let read = || -> rusqlite::Result<Vec<(String, Balance)>> {
        let mut statement = connection.prepare_cached(BALANCES)?;
        statement.query_map([], |row| Ok((row.get(4)?, sums(row)?)))?.collect()
    };
    let mut balances = BTreeMap::new();
    for (name, balance) in read().map_err(|e| place.failed("read the balances", e))? {
        balances.insert(parse(&name, 0, "an account")?, balance);
    }
    let in_doubt: BTreeSet<EntryId> =
        in_doubt(connection, place)?.into_iter().map(|doubt| doubt.id).collect();
    Ok(Standing { head: head(connection, place)?, balances, in_doubt, closed: closed(connection, place)? })
}

pub(super) fn in_doubt(connection: &Connection, place: &Place) -> Result<Vec<InDoubt>, LedgerError> {
    let read = || -> rusqlite::Result<Vec<i64>> {
        let mut statement = connection.prepare_cached("SELECT position FROM doubt ORDER BY position")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let positions = read().map_err(|e| place.failed("read what is in doubt", e))?;
    positions
        .into_iter()
        .map(|stored| match line(connection, place, position(stored))?.fact {
            Fact::Pended(entry) => Ok(InDoubt::new(position(stored), &entry)),
            _ => Err(unreadable(position(stored), "it is in doubt but not pended").into()),
        })
        .collect()
}
