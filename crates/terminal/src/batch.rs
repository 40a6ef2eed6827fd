//! The offline batch (脱机批次): what a reader keeps until the centre has it.
//!
//! Append-only. A tap is written twice: as pending before its DEBIT leaves, and as proven when the card has
//! given its TAC. Nothing is changed in place; what the batch holds is what its entries add up to.
//!
//! Invariant: killed at any byte, a batch opens again with every entry whose write had returned. Only a torn
//! tail is dropped; a change anywhere else is refused with its place, never skipped.

mod entry;
mod frame;
mod storage;
#[cfg(test)]
mod tests;

use model::{CardNumber, CityCode, Tac, TapRecord, TerminalId};

use crate::pending::{PendingTap, TapId};
use entry::{Entry, Numbered};
use frame::Frame;
pub(crate) use storage::sync_folder;
pub use storage::{FileStorage, MemoryStorage, Storage, StorageError};

/// The first entry names it; a batch of another format is not opened.
const FORMAT: u8 = 1;

/// A fact that must be on storage before the tap goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// DEBIT is about to leave.
    Pending(PendingTap),
    /// The card has given the proof.
    Proven(TapId, Tac),
    /// The card has not debited, and that is certain.
    Undone(TapId),
    /// Neither can be shown any more: for people to look into.
    Doubted(TapId, Doubt),
}

/// Why a tap can be neither finished nor undone by the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Doubt {
    /// The card's answer to DEBIT had a MAC2 that the PSAM refused.
    #[n(0)]
    WrongMac2,
    /// The card has made other transactions since and no longer gives this one's proof.
    #[n(1)]
    MovedOn,
}

/// Why the batch did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum BatchError {
    #[error("batch of terminal {terminal}: {reason}")]
    Storage { terminal: TerminalId, reason: StorageError },
    #[error("batch of terminal {terminal}: entry {number} at byte {offset} is not what was written")]
    Damaged { terminal: TerminalId, number: u64, offset: usize },
    #[error("batch belongs to terminal {found}, not to {terminal}")]
    OtherTerminal { terminal: TerminalId, found: TerminalId },
    #[error("batch of terminal {terminal}: format {format} is newer than this reader's {FORMAT}")]
    OtherFormat { terminal: TerminalId, format: u8 },
    #[error("batch of terminal {terminal}: tap {} of PSAM {} is not pending", .tap.terminal_seq, .tap.psam)]
    NotPending { terminal: TerminalId, tap: TapId },
    #[error("batch of terminal {terminal}: tap {} of PSAM {} is already pending", .tap.terminal_seq, .tap.psam)]
    AlreadyPending { terminal: TerminalId, tap: TapId },
    #[error(
        "batch of terminal {terminal}: an earlier write failed, nothing more is taken until it is reopened"
    )]
    Closed { terminal: TerminalId },
    #[error("batch of terminal {terminal}: entry {through} does not exist yet; the last is {last}")]
    NotWritten { terminal: TerminalId, through: u64, last: u64 },
}

/// Records for the centre, and the entry through which they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// For [`Batch::mark_uploaded`], once the centre has given its receipt.
    pub through: u64,
    /// Proven taps in the order they were proven.
    pub records: Vec<TapRecord>,
}

/// A reader's batch on its storage.
pub struct Batch {
    terminal: TerminalId,
    storage: Box<dyn Storage>,
    contents: Contents,
    /// Bytes that are whole entries.
    length: u64,
    dropped: usize,
    closed: bool,
}

/// What the entries add up to.
#[derive(Debug, Default)]
struct Contents {
    last: u64,
    pending: Vec<PendingTap>,
    proven: Vec<(u64, TapRecord)>,
    doubted: Vec<(PendingTap, Doubt)>,
}

impl Batch {
    /// Opens the batch, or begins one on empty storage. A torn tail is cut off.
    ///
    /// # Errors
    /// [`BatchError`] when the storage fails, or holds a damaged or another terminal's batch.
    pub fn open(storage: Box<dyn Storage>, terminal: TerminalId) -> Result<Self, BatchError> {
        let mut batch =
            Batch { terminal, storage, contents: Contents::default(), length: 0, dropped: 0, closed: false };
        let bytes = batch.storage.read_all().map_err(|reason| BatchError::Storage { terminal, reason })?;
        let whole = batch.replay(&bytes)?;
        batch.dropped = bytes.len().saturating_sub(whole);
        batch.length = u64::try_from(whole).unwrap_or(u64::MAX);
        if batch.dropped > 0 {
            let cut = batch.storage.truncate(batch.length).and_then(|()| batch.storage.sync());
            cut.map_err(|reason| BatchError::Storage { terminal, reason })?;
        }
        if batch.contents.last == 0 {
            batch.append(Entry::Opened { format: FORMAT, terminal: terminal.as_u64() })?;
        }
        Ok(batch)
    }

    /// Whose batch.
    #[must_use]
    pub const fn terminal(&self) -> TerminalId {
        self.terminal
    }

    /// Bytes of a torn tail that opening has dropped.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Taps begun and neither proven nor undone.
    #[must_use]
    pub fn pending(&self) -> &[PendingTap] {
        &self.contents.pending
    }

    /// This card's torn tap, if it has one here.
    #[must_use]
    pub fn pending_of(&self, issuer: CityCode, card: CardNumber) -> Option<&PendingTap> {
        self.contents.pending.iter().find(|tap| tap.is_of(issuer, card))
    }

    /// Taps that no reader can decide any more.
    #[must_use]
    pub fn doubted(&self) -> &[(PendingTap, Doubt)] {
        &self.contents.doubted
    }

    /// Writes one fact and returns when it survives a power cut, with its place in the batch.
    ///
    /// # Errors
    /// [`BatchError`] when it is not on storage, or does not fit what the batch holds.
    pub fn write(&mut self, note: &Note) -> Result<u64, BatchError> {
        self.append(match note {
            Note::Pending(tap) => Entry::Pending(tap.into()),
            Note::Proven(id, tac) => Entry::Proven { tap: (*id).into(), tac: tac.as_u32() },
            Note::Undone(id) => Entry::Undone((*id).into()),
            Note::Doubted(id, why) => Entry::Doubted { tap: (*id).into(), why: *why },
        })
    }

    /// Proven taps that are not marked uploaded.
    #[must_use]
    pub fn export(&self) -> Export {
        let records = self.contents.proven.iter().map(|(_, record)| record.clone()).collect();
        Export { through: self.contents.last, records }
    }

    /// Marks everything up to entry `through` as received by the centre; asking twice changes nothing.
    ///
    /// # Errors
    /// [`BatchError`] when it is not on storage, or there is no such entry.
    pub fn mark_uploaded(&mut self, through: u64) -> Result<(), BatchError> {
        if through > self.contents.last {
            return Err(BatchError::NotWritten {
                terminal: self.terminal,
                through,
                last: self.contents.last,
            });
        }
        if self.contents.proven.iter().all(|(number, _)| *number > through) {
            return Ok(());
        }
        self.append(Entry::Uploaded { through }).map(|_| ())
    }

    /// Takes in all whole entries and returns how many bytes they are.
    fn replay(&mut self, bytes: &[u8]) -> Result<usize, BatchError> {
        let mut rest = frame::without_zero_tail(bytes);
        let total = rest.len();
        loop {
            let offset = total.saturating_sub(rest.len());
            match frame::read(rest) {
                Frame::Torn => return Ok(offset),
                Frame::Damaged => return Err(self.damaged(offset)),
                Frame::Whole { payload, rest: behind } => {
                    let numbered: Numbered = minicbor::decode(payload).map_err(|_| self.damaged(offset))?;
                    if numbered.number != self.contents.last.saturating_add(1) {
                        return Err(self.damaged(offset));
                    }
                    let entry = numbered.entry;
                    self.check_opening(&entry, numbered.number, offset)?;
                    self.contents.check(&entry, self.terminal)?;
                    self.contents.take(numbered.number, &entry).ok_or_else(|| self.damaged(offset))?;
                    rest = behind;
                }
            }
        }
    }

    /// The first entry, and only it, says whose batch it is.
    fn check_opening(&self, entry: &Entry, number: u64, offset: usize) -> Result<(), BatchError> {
        let terminal = self.terminal;
        match (number, entry) {
            (1, Entry::Opened { format, .. }) if *format != FORMAT => {
                Err(BatchError::OtherFormat { terminal, format: *format })
            }
            (1, Entry::Opened { terminal: found, .. }) => match TerminalId::from_u64(*found) {
                Some(found) if found == terminal => Ok(()),
                Some(found) => Err(BatchError::OtherTerminal { terminal, found }),
                None => Err(self.damaged(offset)),
            },
            (1, _) | (_, Entry::Opened { .. }) => Err(self.damaged(offset)),
            _ => Ok(()),
        }
    }

    fn damaged(&self, offset: usize) -> BatchError {
        BatchError::Damaged { terminal: self.terminal, number: self.contents.last.saturating_add(1), offset }
    }

    fn append(&mut self, entry: Entry) -> Result<u64, BatchError> {
        let terminal = self.terminal;
        if self.closed {
            return Err(BatchError::Closed { terminal });
        }
        self.contents.check(&entry, terminal)?;
        let number = self.contents.last.saturating_add(1);
        let numbered = Numbered { number, entry };
        let framed = minicbor::to_vec(&numbered).ok().and_then(|payload| frame::frame(&payload));
        let bytes = framed.ok_or_else(|| self.damaged(usize::try_from(self.length).unwrap_or(usize::MAX)))?;
        if let Err(reason) = self.storage.append(&bytes).and_then(|()| self.storage.sync()) {
            // A part may have been written: what follows it would then be a damaged middle.
            self.closed = self.storage.truncate(self.length).and_then(|()| self.storage.sync()).is_err();
            return Err(BatchError::Storage { terminal, reason });
        }
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.contents.take(number, &numbered.entry);
        Ok(number)
    }
}

impl Contents {
    /// Whether the entry fits what is there.
    fn check(&self, entry: &Entry, terminal: TerminalId) -> Result<(), BatchError> {
        let is_pending = |tap: TapId| self.pending.iter().any(|pending| pending.id() == tap);
        match entry {
            Entry::Pending(stored) => match stored.pending().map(|tap| tap.id()) {
                Some(tap) if is_pending(tap) => Err(BatchError::AlreadyPending { terminal, tap }),
                _ => Ok(()),
            },
            Entry::Proven { tap, .. } | Entry::Undone(tap) | Entry::Doubted { tap, .. } => {
                let tap = TapId::from(*tap);
                if is_pending(tap) { Ok(()) } else { Err(BatchError::NotPending { terminal, tap }) }
            }
            Entry::Opened { .. } | Entry::Uploaded { .. } => Ok(()),
        }
    }

    /// Adds an entry that has been checked. `None` if a field holds what none can.
    fn take(&mut self, number: u64, entry: &Entry) -> Option<()> {
        match entry {
            Entry::Opened { .. } => {}
            Entry::Pending(stored) => self.pending.push(stored.pending()?),
            Entry::Proven { tap, tac } => {
                let pending = self.resolve((*tap).into())?;
                self.proven.push((number, pending.proven(Tac::from_u32(*tac))));
            }
            Entry::Undone(tap) => {
                self.resolve((*tap).into())?;
            }
            Entry::Doubted { tap, why } => {
                let pending = self.resolve((*tap).into())?;
                self.doubted.push((pending, *why));
            }
            Entry::Uploaded { through } => self.proven.retain(|(number, _)| number > through),
        }
        self.last = number;
        Some(())
    }

    fn resolve(&mut self, tap: TapId) -> Option<PendingTap> {
        let place = self.pending.iter().position(|pending| pending.id() == tap)?;
        Some(self.pending.remove(place))
    }
}
