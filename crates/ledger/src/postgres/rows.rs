//! Rows as our types and back. A row that is none of ours is damage, named by its line.

use std::str::FromStr;

use model::{CardTime, Date, Fen};
use postgres::Row;

use crate::balance::Balance;
use crate::books::{Difference, Line};
use crate::chain::{Digest, day_from_number};
use crate::entry::{Act, Entry, Fact, Leg};
use crate::judge::Outcome;
use crate::name::AccountName;

/// All positions fit: they are counted up from 1.
pub(super) fn to_sql(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

pub(super) fn unreadable(position: u64, what: &'static str) -> Difference {
    Difference::Unreadable { position, what }
}

pub(super) fn parse<T: FromStr>(text: &str, position: u64, what: &'static str) -> Result<T, Difference> {
    text.parse().map_err(|_| unreadable(position, what))
}

pub(super) fn position(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// Legs as one text, which [`legs`] reads back.
pub(super) fn legs_text(legs: &[Leg]) -> String {
    let mut text = String::new();
    for leg in legs {
        if !text.is_empty() {
            text.push(' ');
        }
        for part in [leg.debit().as_str(), ">", leg.credit().as_str(), "=", &leg.amount().get().to_string()] {
            text.push_str(part);
        }
    }
    text
}

pub(super) fn legs(text: &str, position: u64) -> Result<Vec<Leg>, Difference> {
    let leg = |word: &str| -> Option<Leg> {
        let (debit, rest) = word.split_once('>')?;
        let (credit, amount) = rest.split_once('=')?;
        let account = |name: &str| name.parse::<AccountName>().ok();
        Leg::new(account(debit)?, account(credit)?, Fen::new(amount.parse().ok()?)).ok()
    };
    let words = text.split(' ').filter(|word| !word.is_empty());
    words.map(|word| leg(word).ok_or_else(|| unreadable(position, "a leg"))).collect()
}

/// A row of `position, act, id, kind, memo, legs, day, at, digest, hash`.
pub(super) fn line(row: &Row) -> Result<Line, Difference> {
    let outcome = outcome(row)?;
    let (position, day) = (outcome.position, outcome.day);
    let at = CardTime::from_seconds(row.get("at")).ok_or_else(|| unreadable(position, "its time"))?;
    let entry = || -> Result<Entry, Difference> {
        let text = |name| row.get::<_, Option<&str>>(name).ok_or_else(|| unreadable(position, "its id"));
        let id = parse(text("id")?, position, "its id")?;
        let kind = parse(text("kind")?, position, "its kind")?;
        let legs = legs(row.get("legs"), position)?;
        Ok(Entry { id, kind, legs, day, at, memo: text("memo")?.to_owned() })
    };
    let fact = match outcome.act {
        Act::Recorded => Fact::Recorded(entry()?),
        Act::Pended => Fact::Pended(entry()?),
        Act::Posted => Fact::Posted(entry()?),
        Act::Voided => Fact::Voided(entry()?),
        Act::DayClosed => Fact::DayClosed { day, at },
    };
    let (stored, computed) = (outcome.digest, fact.digest());
    if stored != computed {
        return Err(Difference::Content { position, stored, computed });
    }
    Ok(Line { position, fact, hash: outcome.hash })
}

/// A row with at least `position, act, day, digest, hash`.
pub(super) fn outcome(row: &Row) -> Result<Outcome, Difference> {
    let position = position(row.get("position"));
    let act = u8::try_from(row.get::<_, i64>("act")).ok().and_then(Act::from_code);
    let act = act.ok_or_else(|| unreadable(position, "its act"))?;
    let day = day(row.get("day"), position)?;
    let (digest, hash) = (digest(row.get("digest"), position)?, digest(row.get("hash"), position)?);
    Ok(Outcome { position, act, day, digest, hash })
}

pub(super) fn day(number: i64, position: u64) -> Result<Date, Difference> {
    day_from_number(number).ok_or_else(|| unreadable(position, "its day"))
}

pub(super) fn digest(bytes: &[u8], position: u64) -> Result<Digest, Difference> {
    bytes.try_into().map(Digest::new).map_err(|_| unreadable(position, "a digest"))
}

/// A row with the four sums.
pub(super) fn balance(row: &Row) -> Balance {
    let sum = |name| Fen::new(row.get(name));
    Balance {
        posted_debit: sum("posted_debit"),
        posted_credit: sum("posted_credit"),
        pending_debit: sum("pending_debit"),
        pending_credit: sum("pending_credit"),
    }
}
