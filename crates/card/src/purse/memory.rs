//! What the card keeps without power.
//!
//! Standard: the files of card.md section 5, the counters and proofs of sections 1.2 to 1.5; the form is CBOR.
//! Invariant: it is replaced whole, never field by field: a transaction makes the next [`Issued`] beside the old
//! one, and one assignment puts it in place. What one release has written every later one reads: fields have
//! numbers, numbers are never given twice, and a new field has a default.

use keys::CardKeys;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use model::{PurseFen, Tac, TxnType};

use crate::command::TransactionProof;
use crate::layout::{Holder, IssueInfo, LOG_RECORDS, LogRecord, PublicInfo};

/// The applet's memory: nothing before personalisation, everything after.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub struct PurseMemory {
    #[n(0)]
    pub(super) issued: Option<Issued>,
}

/// What this card does where cities and chips differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Profile {
    /// Application version in the answer to SELECT.
    #[n(0)]
    pub version: u8,
    /// The most the purse may hold.
    #[cbor(n(1), with = "purse_fen")]
    pub purse_limit: PurseFen,
    /// CJ/T: MAC1 of a purchase also covers the 9-byte authentication id. Plain PBOC leaves it out.
    #[n(2)]
    pub mac1_includes_auth_id: bool,
    /// A load needs a verified PIN.
    #[n(3)]
    pub pin_before_load: bool,
    /// A compound purchase of amount 0 moves the counter and writes the log, as any other. The real chip of
    /// Changsha does neither (`false`).
    #[n(4)]
    pub zero_amount_counts: bool,
    /// Wrong PINs in a row before the PIN is blocked, 1 to 15.
    #[n(5)]
    pub pin_tries: u8,
}

/// A personalised card.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct Issued {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) public_info: [u8; PublicInfo::LENGTH],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) holder: [u8; Holder::LENGTH],
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) issue_info: [u8; IssueInfo::LENGTH],
    #[n(3)]
    pub(super) compound: Vec<ByteVec>,
    #[n(4)]
    pub(super) purchases: Log,
    #[n(5)]
    pub(super) loads: Log,
    #[cbor(n(6), with = "minicbor::bytes")]
    pub(super) auth_id: [u8; 9],
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(super) pin: Vec<u8>,
    #[n(8)]
    pub(super) pin_tries: u8,
    #[n(9)]
    pub(super) profile: Profile,
    #[n(10)]
    pub(super) keys: CardKeys,
    #[cbor(n(11), with = "purse_fen")]
    pub(super) balance: PurseFen,
    /// Counts loads.
    #[n(12)]
    pub(super) online: u16,
    /// Counts purchases.
    #[n(13)]
    pub(super) offline: u16,
    #[n(14)]
    pub(super) state: State,
    #[n(15)]
    pub(super) unblock_tries: u8,
    #[n(16)]
    pub(super) proofs: Proofs,
}

/// Whether the application moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum State {
    #[n(0)]
    Open,
    #[n(1)]
    Blocked,
    #[n(2)]
    Dead,
}

/// A cyclic file: the newest record first, [`LOG_RECORDS`] at most.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Log(#[n(0)] Vec<ByteArray<{ LogRecord::LENGTH }>>);

/// The last transaction of each type, for GET TRANSACTION PROVE.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct Proofs {
    #[n(0)]
    load: Option<Proof>,
    #[n(1)]
    purchase: Option<Proof>,
    #[n(2)]
    compound: Option<Proof>,
}

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
struct Proof {
    #[n(0)]
    counter: u16,
    #[cbor(n(1), with = "minicbor::bytes")]
    mac: [u8; 4],
    #[cbor(n(2), with = "minicbor::bytes")]
    tac: [u8; 4],
}

/// The same bytes would be kept. (Keys have no `==` of their own.)
impl PartialEq for PurseMemory {
    fn eq(&self, other: &Self) -> bool {
        minicbor::to_vec(self).ok() == minicbor::to_vec(other).ok()
    }
}

impl std::fmt::Debug for PurseMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.issued.is_some() { "PurseMemory(secret)" } else { "PurseMemory(blank)" })
    }
}

impl Log {
    pub(super) fn push(&mut self, record: &LogRecord) {
        self.0.insert(0, record.to_bytes().into());
        self.0.truncate(usize::from(LOG_RECORDS));
    }

    /// Record `number`, from 1; zeros if it was never written. `None` beyond the file.
    pub(super) fn record(&self, number: u8) -> Option<[u8; LogRecord::LENGTH]> {
        let index = number.checked_sub(1).filter(|index| *index < LOG_RECORDS)?;
        Some(self.0.get(usize::from(index)).map_or([0; LogRecord::LENGTH], |record| **record))
    }
}

impl Proofs {
    fn of(&mut self, kind: TxnType) -> &mut Option<Proof> {
        match kind {
            TxnType::Load => &mut self.load,
            TxnType::Purchase => &mut self.purchase,
            TxnType::Compound => &mut self.compound,
        }
    }

    /// Keeps the proof of the transaction that left `counter` behind, in place of the one before.
    pub(super) fn keep(&mut self, kind: TxnType, counter: u16, proof: TransactionProof) {
        *self.of(kind) = Some(Proof { counter, mac: proof.mac, tac: proof.tac.0 });
    }

    pub(super) fn find(&self, kind: TxnType, counter: u16) -> Option<TransactionProof> {
        let proof = match kind {
            TxnType::Load => &self.load,
            TxnType::Purchase => &self.purchase,
            TxnType::Compound => &self.compound,
        };
        let proof = proof.as_ref().filter(|proof| proof.counter == counter)?;
        Some(TransactionProof { mac: proof.mac, tac: Tac(proof.tac) })
    }
}

/// [`PurseFen`] as a number.
mod purse_fen {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};
    use model::PurseFen;

    pub(super) fn encode<C, W: Write>(
        fen: &PurseFen,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.u32(fen.get()).map(|_| ())
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<PurseFen, Error> {
        PurseFen::try_from(d.u32()?).map_err(|_| Error::message("more than a purse holds"))
    }
}
