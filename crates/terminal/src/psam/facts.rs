//! What a reader asks its PSAM once, when it starts: its number, whose it is, which purchase key to use.

use card::command::{BinaryPlace, ReadBinary, SelectApplication, SelectFile};
use card::layout::{ROOT_ID, Sfi};
use model::{PsamId, TerminalId};
use smartcard::{Apdu, Channel, ChannelError, Command, Status};

use super::{APPLICATION_ID, APPLICATION_NAME, KEY_INDEX, NUMBER, TERMINAL};

/// A PSAM's own facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PsamFacts {
    /// Its number.
    pub id: PsamId,
    /// The terminal it was made for.
    pub terminal: TerminalId,
    /// The index that INITIALIZE FOR PURCHASE names.
    pub key_index: u8,
}

/// Why a PSAM could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PsamError {
    /// No answer.
    #[error("PSAM: {0}")]
    Channel(#[from] ChannelError),
    /// An answer that is a refusal.
    #[error("PSAM refuses {what}: {status}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        status: Status,
    },
    /// An answer of another length than the file has.
    #[error("PSAM: {0} has too few bytes")]
    Short(&'static str),
}

impl PsamFacts {
    /// Opens the PSAM, leaves its purchase application selected, and reads its facts.
    ///
    /// # Errors
    /// [`PsamError`].
    pub fn read(psam: &mut dyn Channel) -> Result<Self, PsamError> {
        ask(psam, "its root", &SelectFile { id: ROOT_ID }.to_apdu())?;
        let number = file(psam, "its number", NUMBER, 0)?;
        let Some([_, _, number @ ..]) = number.first_chunk::<10>() else {
            return Err(PsamError::Short("its number"));
        };
        let id = PsamId(u64::from_be_bytes(*number));
        let terminal = file(psam, "the terminal's number", TERMINAL, 6)?;
        let terminal = terminal.first_chunk().copied().map(TerminalId::new);
        let by_name = SelectApplication { name: APPLICATION_NAME.to_vec() }.to_apdu();
        match ask(psam, "its application", &by_name) {
            Err(PsamError::Refused { .. }) => {
                ask(psam, "its application", &SelectFile { id: APPLICATION_ID }.to_apdu())?
            }
            other => other?,
        };
        let key_index = file(psam, "the key index", KEY_INDEX, 1)?.first().copied();
        Ok(PsamFacts {
            id,
            terminal: terminal.ok_or(PsamError::Short("the terminal's number"))?,
            key_index: key_index.ok_or(PsamError::Short("the key index"))?,
        })
    }
}

fn file(psam: &mut dyn Channel, what: &'static str, file: Sfi, length: u8) -> Result<Vec<u8>, PsamError> {
    ask(psam, what, &ReadBinary { place: BinaryPlace::Sfi(file, 0), length }.to_apdu())
}

fn ask(psam: &mut dyn Channel, what: &'static str, command: &Apdu) -> Result<Vec<u8>, PsamError> {
    let answer = psam.exchange(command)?;
    if answer.status.is_ok() {
        Ok(answer.data)
    } else {
        Err(PsamError::Refused { what, status: answer.status })
    }
}
