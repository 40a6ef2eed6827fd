//! Reading a card (读卡): the commands to send, and what the answers say. For hosts, phones and anyone who shows
//! a card to its holder.
//!
//! Standard: SELECT, READ BINARY, GET BALANCE, READ RECORD (card.md sections 1.1 and 1.2).
//! Invariant: nothing here changes a card.

use model::PurseFen;
use smartcard::{Apdu, Command, Response, Status};

use crate::command::{
    BinaryPlace, GetBalance, ReadBinary, ReadRecord, RecordPlace, Records, SelectApplication,
};
use crate::layout::{LOG_RECORDS, LogRecord, PURSE_AID, PublicInfo, Sfi};

/// Which card to read, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurseReader {
    name: Vec<u8>,
    records: u8,
}

/// What a card says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurseView {
    /// File 0015.
    pub public_info: PublicInfo,
    /// The application is blocked.
    pub blocked: bool,
    /// The purse.
    pub balance: PurseFen,
    /// The last loads, newest first.
    pub loads: Vec<LogRecord>,
    /// The last purchases, newest first.
    pub purchases: Vec<LogRecord>,
}

/// Why a card could not be read. It is the card's doing, or that of whoever carries its answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The card refused.
    #[error("{step}: the card answered {status}")]
    Refused {
        /// The command.
        step: &'static str,
        /// Its status word.
        status: Status,
    },
    /// No answer came, or fewer than there were commands.
    #[error("{step}: no answer from the card")]
    Silent {
        /// The command.
        step: &'static str,
    },
    /// The answer is not what a City Union card gives.
    #[error("{step}: the answer is not that of a City Union card")]
    Foreign {
        /// The command.
        step: &'static str,
    },
}

impl Default for PurseReader {
    /// The City Union purse with all of its logs.
    fn default() -> Self {
        PurseReader { name: PURSE_AID.to_vec(), records: LOG_RECORDS }
    }
}

impl PurseReader {
    /// The application with this name, and the newest `records` of each log.
    #[must_use]
    pub fn new(name: &[u8], records: u8) -> Self {
        PurseReader { name: name.to_vec(), records: records.min(LOG_RECORDS) }
    }

    /// The commands, in order. Records are read one by one, because not every card gives all at once.
    #[must_use]
    pub fn commands(&self) -> Vec<Apdu> {
        let mut commands = vec![
            SelectApplication { name: self.name.clone() }.to_apdu(),
            ReadBinary { place: BinaryPlace::Sfi(Sfi::PUBLIC_INFO, 0), length: 30 }.to_apdu(),
            GetBalance.to_apdu(),
        ];
        for file in [Sfi::LOADS, Sfi::PURCHASES] {
            commands.extend((1..=self.records).map(|number| {
                let records = Records::One(RecordPlace::Number(number));
                ReadRecord { file, records, length: 23 }.to_apdu()
            }));
        }
        commands
    }

    /// What the answers say, `None` being one that did not come.
    ///
    /// # Errors
    /// [`ReadError`] with the command at which it went wrong. A record that is not there is no error.
    pub fn view(&self, answers: &[Option<Response>]) -> Result<PurseView, ReadError> {
        let mut answers = answers.iter().map(Option::as_ref);
        let mut next = |step| answers.next().flatten().ok_or(ReadError::Silent { step });

        let select = next("SELECT")?;
        let blocked = select.status == Status::NOT_SUPPORTED && !select.data.is_empty();
        if !select.status.is_ok() && !blocked {
            return Err(ReadError::Refused { step: "SELECT", status: select.status });
        }
        let public_info = parsed("READ BINARY 0015", next("READ BINARY 0015")?, |data| {
            PublicInfo::parse(data.first_chunk()?)
        })?;
        let balance = parsed("GET BALANCE", next("GET BALANCE")?, GetBalance::parse_response)?;
        let mut log = || -> Result<Vec<LogRecord>, ReadError> {
            let answers: Result<Vec<&Response>, _> = (0..self.records).map(|_| next("READ RECORD")).collect();
            let records = answers?.into_iter().filter(|answer| answer.status.is_ok());
            Ok(records.filter_map(|answer| LogRecord::parse(answer.data.first_chunk()?)).collect())
        };
        Ok(PurseView { public_info, blocked, balance, loads: log()?, purchases: log()? })
    }
}

fn parsed<T>(
    step: &'static str,
    answer: &Response,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, ReadError> {
    if !answer.status.is_ok() {
        return Err(ReadError::Refused { step, status: answer.status });
    }
    parse(&answer.data).ok_or(ReadError::Foreign { step })
}
