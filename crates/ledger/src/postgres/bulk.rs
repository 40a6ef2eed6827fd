//! Many facts in one commit: they stream to the server while they are judged, so that one side hashes as the other writes.
//!
//! Facts that only open ids are first taken for new. Nothing is looked up: the log's own unique index knows who was there
//! before. If one was, or one is refused, all of it is undone, looked up, and judged once more.
//!
//! Standard: PostgreSQL's binary COPY format, version 3 of the protocol.
//! Invariant: what is answered is what the judgement with everything looked up would have answered.

use std::io::Write;

use postgres::CopyInWriter;
use postgres::error::SqlState;

use super::draft::Draft;
use super::rows::{legs_text, to_sql};
use super::session::{Place, Session};
use super::{Answers, begin, keep, read_balances, sql};
use crate::balance::Rules;
use crate::chain::day_number;
use crate::entry::Fact;
use crate::error::LedgerError;
use crate::judge::Outcome;

/// From how many facts on a commit is streamed: below it, one statement is fewer round trips.
pub(super) const MANY: usize = 256;
/// Bytes handed to the connection at once.
const CHUNK: usize = 64 * 1024;
const DOING: &str = "write the entries";

/// Commits facts that open ids, as if none was known. `None`, and nothing is written, if that was too bold.
pub(super) fn commit_new(
    session: &mut Session,
    place: &Place,
    rules: &Rules,
    chains: &[&[Fact]],
) -> Result<Option<Answers>, LedgerError> {
    let mut ground = begin(session, place)?;
    read_balances(session, place, chains, &mut ground)?;
    let mut draft = Draft::new(rules, ground);
    let answers = match judge(session, place, &mut draft, chains, true) {
        Err(LedgerError::Store { source, .. }) if is_known_id(source.as_ref()) => None,
        answers => answers?,
    };
    let end = if answers.is_some() {
        keep(session, &draft).map_err(|e| place.failed(DOING, e))?;
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    session.client.batch_execute(end).map_err(|e| place.failed("commit", e))?;
    Ok(answers)
}

/// Judges facts of which all is known, and writes what is taken; the transaction stays open.
pub(super) fn write<'a>(
    session: &mut Session,
    place: &Place,
    draft: &mut Draft<'a>,
    chains: &[&'a [Fact]],
) -> Result<Answers, LedgerError> {
    let answers = judge(session, place, draft, chains, false)?.unwrap_or_default();
    keep(session, draft).map_err(|e| place.failed(DOING, e))?;
    Ok(answers)
}

/// Streams each chain's lines once the chain is judged. `None` at the first refusal, where
/// the ids were only taken for new.
fn judge<'a>(
    session: &mut Session,
    place: &Place,
    draft: &mut Draft<'a>,
    chains: &[&'a [Fact]],
    only_new: bool,
) -> Result<Option<Answers>, LedgerError> {
    let mut copy = session.client.copy_in(sql::COPY).map_err(|e| place.failed(DOING, e))?;
    let mut answers = Vec::with_capacity(chains.len());
    let mut rows = Rows::begin();
    for chain in chains {
        let (told, written) = (answers.len(), draft.lines.len());
        draft.add_chain(chain, &mut answers);
        let refused = answers.iter().skip(told).any(Result::is_err);
        if only_new && refused {
            return Ok(None); // the copy is given up with its writer
        }
        draft.lines.iter().skip(written).for_each(|(fact, outcome)| rows.add(fact, outcome));
        if rows.0.len() >= CHUNK {
            send(&mut copy, &mut rows, place)?;
        }
    }
    rows.end();
    send(&mut copy, &mut rows, place)?;
    copy.finish().map_err(|e| place.failed(DOING, e))?;
    Ok(Some(answers))
}

fn send(copy: &mut CopyInWriter<'_>, rows: &mut Rows, place: &Place) -> Result<(), LedgerError> {
    let sent = copy.write_all(&rows.0);
    rows.0.clear();
    sent.map_err(|error| match error.downcast::<postgres::Error>() {
        Ok(error) => place.failed(DOING, error),
        Err(error) => place.stopped(DOING, error),
    })
}

/// Whether a line was not taken since its id is in the log.
fn is_known_id(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = source.downcast_ref::<postgres::Error>();
    error.and_then(postgres::Error::code) == Some(&SqlState::UNIQUE_VIOLATION)
}

/// Lines of the log as COPY takes them.
struct Rows(Vec<u8>);

impl Rows {
    /// The signature, no flags, no extension.
    fn begin() -> Self {
        let mut bytes = Vec::with_capacity(CHUNK.saturating_mul(2));
        bytes.extend_from_slice(b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0");
        Rows(bytes)
    }

    /// A row: how many fields, then each with its length, which is -1 for none.
    fn add(&mut self, fact: &Fact, outcome: &Outcome) {
        const FIELDS: i16 = 10;
        let entry = fact.entry();
        self.0.extend(FIELDS.to_be_bytes());
        self.number(to_sql(outcome.position));
        self.number(i64::from(fact.act().code()));
        self.field(entry.map(|entry| entry.id.as_str().as_bytes()));
        self.field(entry.map(|entry| entry.kind.as_str().as_bytes()));
        self.field(entry.map(|entry| entry.memo.as_bytes()));
        self.field(Some(entry.map_or_else(String::new, |entry| legs_text(&entry.legs)).as_bytes()));
        self.number(day_number(fact.day()));
        self.number(fact.at().as_seconds());
        self.field(Some(&outcome.digest.bytes()));
        self.field(Some(&outcome.hash.bytes()));
    }

    fn end(&mut self) {
        self.0.extend((-1_i16).to_be_bytes());
    }

    fn number(&mut self, number: i64) {
        self.field(Some(&number.to_be_bytes()));
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        let length = bytes.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend(length.to_be_bytes());
        self.0.extend_from_slice(bytes.unwrap_or_default());
    }
}
