//! Records among each other: which key was used, by which content, today and earlier.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use model::{CardNumber, PsamId, TapRecord, TerminalId};

use crate::record::Record;
use crate::verdict::{Reason, Verdict};

/// What may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What the TAC proves: this card, at this terminal, at this count of its PSAM, at this moment.
    Proof {
        /// Whose card.
        card: CardNumber,
        /// Which reader.
        terminal: TerminalId,
        /// The PSAM's counter.
        terminal_seq: u32,
        /// Seconds since 1970, local.
        at: i64,
    },
    /// A count of the card.
    Card {
        /// Whose card.
        card: CardNumber,
        /// Its offline counter.
        card_seq: u16,
    },
    /// A count of the PSAM.
    Psam {
        /// Which PSAM.
        psam: PsamId,
        /// Its counter.
        terminal_seq: u32,
    },
}

/// Which content used a key: the first half of a SHA-256 over everything that concerns money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 16]);

/// A key and who used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The key.
    pub key: Key,
    /// The content that has it.
    pub content: ContentId,
}

/// What kept earlier keys from being looked up.
pub type SeenError = Box<dyn std::error::Error + Send + Sync>;

/// The keys of earlier clearings, as their [`super::Judgment::claims`] gave them.
pub trait Seen {
    /// The content that has this key, if it was claimed on an earlier day.
    ///
    /// # Errors
    /// If the store cannot answer. A clearing without its answer would pay twice, so it stops.
    fn content(&self, key: &Key) -> Result<Option<ContentId>, SeenError>;
}

/// The first day: no key was ever claimed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingEarlier;

impl Seen for NothingEarlier {
    fn content(&self, _key: &Key) -> Result<Option<ContentId>, SeenError> {
        Ok(None)
    }
}

impl Key {
    /// The key as bytes for a store: a letter for its kind, then its parts, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Key::Proof { card, terminal, terminal_seq, at } => [
                b"T".as_slice(),
                &card.bytes(),
                &terminal.bytes(),
                &terminal_seq.to_be_bytes(),
                &at.to_be_bytes(),
            ]
            .concat(),
            Key::Card { card, card_seq } => {
                [b"C".as_slice(), &card.bytes(), &card_seq.to_be_bytes()].concat()
            }
            Key::Psam { psam, terminal_seq } => {
                [b"P".as_slice(), &psam.0.to_be_bytes(), &terminal_seq.to_be_bytes()].concat()
            }
        }
    }
}

/// A proven record, as little of it as the end of a clearing needs.
pub(super) struct Proven {
    order: (i64, ContentId, u64, u32),
    proof: Key,
    psam: Key,
    card: Option<Key>,
    index: usize,
    held: bool,
}

impl Proven {
    pub(super) fn new(record: &Record, index: usize, reason: Reason) -> Self {
        let tap = &record.tap;
        let (card, terminal, terminal_seq, at) =
            (tap.card, tap.terminal, tap.terminal_seq, tap.at.as_seconds());
        let counted = tap.amount.get() > 0;
        Proven {
            order: (at, content(tap), record.batch, record.line_no),
            proof: Key::Proof { card, terminal, terminal_seq, at },
            psam: Key::Psam { psam: tap.psam, terminal_seq },
            card: counted.then_some(Key::Card { card, card_seq: tap.card_seq }),
            index,
            held: reason.verdict() == Verdict::Held,
        }
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        [Some(self.proof), self.card, Some(self.psam)].into_iter().flatten()
    }
}

/// What became of the proven records' keys.
pub(super) struct Claimed {
    /// Index and reason of those that came second.
    pub(super) repeats: Vec<(usize, Reason)>,
    pub(super) claims: Vec<Claim>,
}

/// Gives each key to the first that used it, in an order that depends on the records alone.
pub(super) fn settle(mut proven: Vec<Proven>, seen: &dyn Seen) -> Result<Claimed, SeenError> {
    proven.sort_unstable_by_key(|record| record.order);
    let mut today: HashMap<Key, ContentId> = HashMap::new();
    let mut repeats = Vec::new();
    for record in &proven {
        let content = record.order.1;
        match conflict(record, &today, seen)? {
            Some(reason) => repeats.push((record.index, reason)),
            None if record.held => {}
            None => today.extend(record.keys().map(|key| (key, content))),
        }
    }
    let mut claims: Vec<Claim> = today.into_iter().map(|(key, content)| Claim { key, content }).collect();
    claims.sort_unstable();
    Ok(Claimed { repeats, claims })
}

/// Whether one of the record's keys is taken. The proof's key comes first, because it says most.
fn conflict(
    record: &Proven,
    today: &HashMap<Key, ContentId>,
    seen: &dyn Seen,
) -> Result<Option<Reason>, SeenError> {
    let content = record.order.1;
    for key in record.keys() {
        let (earlier, repeated) = match today.get(&key) {
            Some(earlier) => (Some(*earlier), Reason::RepeatedToday),
            None => (seen.content(&key)?, Reason::RepeatedLater),
        };
        let Some(earlier) = earlier else { continue };
        if earlier == content {
            return Ok(Some(repeated));
        }
        return Ok(Some(match key {
            Key::Proof { .. } => Reason::ProofReused,
            Key::Card { .. } => Reason::CardCounterReused,
            Key::Psam { .. } => Reason::PsamCounterReused,
        }));
    }
    Ok(None)
}

/// Everything that concerns money: what the TAC proves, the counters, who claims it and against which balance.
fn content(tap: &TapRecord) -> ContentId {
    let mut hash = Sha256::new();
    hash.update(tap.card.bytes());
    hash.update(tap.card_seq.to_be_bytes());
    hash.update(tap.psam.0.to_be_bytes());
    hash.update(tap.terminal.bytes());
    hash.update(tap.terminal_seq.to_be_bytes());
    hash.update(tap.amount.to_be_bytes());
    hash.update(tap.balance_before.to_be_bytes());
    hash.update([tap.kind.code(), tap.key_version, tap.algorithm]);
    hash.update(tap.at.as_seconds().to_be_bytes());
    hash.update(tap.tac.0);
    hash.update(tap.issuer.get().to_be_bytes());
    hash.update(tap.acquirer.get().to_be_bytes());
    hash.update(tap.operator.get().to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    ContentId(std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default()))
}
