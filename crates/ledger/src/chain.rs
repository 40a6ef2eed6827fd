//! The hash chain (哈希链) over the log: whoever holds one hash holds the whole prefix to its word.
//!
//! Bytes, all numbers big-endian, a text being its length (4 bytes) and its UTF-8:
//!
//! ```text
//! content = act (1) | id | kind | memo | number of legs (4) | per leg: debit, credit, amount (8)
//!         = 05 | day (8)                                           for the end of a day
//! digest  = SHA-256(content)
//! line    = 01 | position (8) | day (8, since 1970-01-01) | at (8, seconds since then, local) | content
//! hash    = SHA-256(hash of the line before, or 32 zero bytes | line)
//! ```
//!
//! Invariant: these bytes never change; a later form has another first byte.

use std::fmt;

use model::{CardTime, Date};
use sha2::{Digest as _, Sha256};

use crate::entry::Fact;

/// The form of a line described above.
const FORM: u8 = 1;
const SECONDS_A_DAY: i64 = 86_400;

/// A SHA-256 digest: of an entry's content, or of the log up to a line.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// What stands for a fact in its digest and in the chain.
pub(crate) struct Content(Vec<u8>);

impl Content {
    pub(crate) fn digest(&self) -> Digest {
        Digest(Sha256::digest(&self.0).into())
    }
}

impl Digest {
    /// What stands before the first line.
    pub const START: Digest = Digest([0; 32]);

    /// From its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The hash of the log with `fact` at `position`, this being the hash of the log before it.
    #[must_use]
    pub fn followed_by(self, position: u64, fact: &Fact) -> Digest {
        self.followed_by_content(position, fact, &fact.content())
    }

    /// The same, the content being at hand.
    pub(crate) fn followed_by_content(self, position: u64, fact: &Fact, content: &Content) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update([FORM]);
        hasher.update(position.to_be_bytes());
        hasher.update(day_number(fact.day()).to_be_bytes());
        hasher.update(fact.at().as_seconds().to_be_bytes());
        hasher.update(&content.0);
        Digest(hasher.finalize().into())
    }
}

impl Fact {
    /// The digest of its content: equal for a repetition, whatever its day and time.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.content().digest()
    }

    /// Its content in bytes.
    pub(crate) fn content(&self) -> Content {
        Content(content(self))
    }
}

/// Days since 1970-01-01.
pub(crate) fn day_number(day: Date) -> i64 {
    day.start().as_seconds().div_euclid(SECONDS_A_DAY)
}

/// The day of a [`day_number`]; `None` beyond the calendar.
pub(crate) fn day_from_number(number: i64) -> Option<Date> {
    number.checked_mul(SECONDS_A_DAY).and_then(CardTime::from_seconds).map(CardTime::date)
}

fn content(fact: &Fact) -> Vec<u8> {
    // Most entries are shorter.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(fact.act().code());
    let Some(entry) = fact.entry() else {
        bytes.extend(day_number(fact.day()).to_be_bytes());
        return bytes;
    };
    text(&mut bytes, entry.id.as_str());
    text(&mut bytes, entry.kind.as_str());
    text(&mut bytes, &entry.memo);
    length(&mut bytes, entry.legs.len());
    for leg in &entry.legs {
        text(&mut bytes, leg.debit().as_str());
        text(&mut bytes, leg.credit().as_str());
        bytes.extend(leg.amount().get().to_be_bytes());
    }
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    length(bytes, text.len());
    bytes.extend(text.as_bytes());
}

/// Four bytes; nothing in memory on any machine of ours is longer.
fn length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// 64 hex digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
