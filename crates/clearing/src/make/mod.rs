//! Making test days: honest taps with true TACs, and a known share of planted faults, listed apart.
//!
//! Passengers of big cities are many, of small ones few; most ride at home, some away where they are accepted; metro
//! trips leave an entry of amount 0 and an exit. Each card's counter and balance follow from tap to tap.
//!
//! Invariant: the same plan gives the same bytes; every planted fault has its line and verdict in the list, and
//! nothing outside the list is wrong.

mod fault;
mod passenger;
mod signer;

use std::collections::BTreeMap;

use keys::Seeded;
use model::registry::Registry;
use model::{CityCode, Date, TapRecord};

use crate::cux::{self, CuxError, CuxFile, FileName};
use crate::parquet::{self, ParquetFault};
use crate::record::Record;
use crate::verdict::Reason;

pub use signer::{Cards, DemoCards};

use fault::Faults;
use passenger::{Counters, Network};

/// Records in a file at most; a file is written when it is full, so this bounds the memory.
pub const RECORDS_PER_FILE: usize = 20_000;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Records in all, planted ones included.
    pub count: u64,
    /// Planted faults in a million records.
    pub bad_ppm: u32,
    /// Another seed, another day.
    pub seed: u64,
    /// The day of the taps.
    pub day: Date,
    /// Text or columns.
    pub form: Form,
}

/// How the records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As record files, `.CUX`.
    Cux,
    /// As columns, `.parquet`.
    Parquet,
}

/// One file, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many records it holds.
    pub records: usize,
    /// The faults planted in it, by line.
    pub planted: Vec<Planted>,
}

/// A planted fault: the truth that a clearing must find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The file.
    pub file: String,
    /// The file's batch number.
    pub batch: u64,
    /// The line.
    pub line_no: u32,
    /// The verdict that it must get, and why.
    pub reason: Reason,
}

/// Why a day cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// Nobody to ride with.
    #[error("the registry has no operator with a terminal; expected at least one")]
    NoOperator,
    /// One city has more files than a day has numbers.
    #[error("city {0} has more files in a day than numbers (9999)")]
    TooManyFiles(CityCode),
    /// A record does not fit in its line.
    #[error(transparent)]
    Cux(#[from] CuxError),
    /// The columns cannot be written.
    #[error(transparent)]
    Parquet(#[from] ParquetFault),
}

/// A tap, and what is wrong with it, if it was planted.
pub(crate) struct Made {
    pub(crate) tap: TapRecord,
    pub(crate) planted: Option<Reason>,
}

#[derive(Default)]
struct Open {
    taps: Vec<Made>,
    next_file: u16,
    next_local: u64,
}

/// Makes a day, file by file.
pub struct Maker<'a> {
    plan: Plan,
    cards: &'a dyn Cards,
    network: Network<'a>,
    faults: Faults<'a>,
    random: Seeded,
    counters: Counters,
    open: BTreeMap<CityCode, Open>,
    passengers: u64,
    made: u64,
}

impl<'a> Maker<'a> {
    /// Prepares a day on the network of `registry`, whose cards are played by `cards`.
    ///
    /// # Errors
    /// [`MakeError::NoOperator`].
    pub fn new(plan: Plan, registry: &'a Registry, cards: &'a dyn Cards) -> Result<Self, MakeError> {
        let network = Network::new(registry, plan.day).ok_or(MakeError::NoOperator)?;
        Ok(Maker {
            plan,
            cards,
            network,
            faults: Faults::new(registry, plan.bad_ppm),
            random: Seeded::new(plan.seed).fork("taps"),
            counters: Counters::new(),
            open: BTreeMap::new(),
            passengers: 0,
            made: 0,
        })
    }

    /// One passenger's day, with the faults that are due after each tap.
    fn add_passenger(&mut self) -> Option<()> {
        self.passengers = self.passengers.saturating_add(1);
        let mut day = self.network.passenger(self.passengers, &mut self.random, &mut self.counters)?;
        self.cards.sign(&day.card, &mut day.taps);
        for tap in day.taps {
            if self.made >= self.plan.count {
                break;
            }
            // The fault is made from the tap but is a record of its own, so the card's own story stays true.
            let due = self.made.saturating_add(1) < self.plan.count && self.faults.due();
            let fault = due
                .then(|| self.faults.plant(&tap, &mut self.random, &mut self.counters, self.cards))
                .flatten();
            self.push(Made { tap, planted: None });
            if let Some(fault) = fault {
                self.push(fault);
            }
        }
        Some(())
    }

    fn push(&mut self, made: Made) {
        self.made = self.made.saturating_add(1);
        self.open.entry(made.tap.acquirer).or_default().taps.push(made);
    }

    /// Takes a city's open taps, in the order of their times; a planted repeat comes after its original.
    fn close(&mut self, city: CityCode) -> Result<MadeFile, MakeError> {
        let open = self.open.entry(city).or_default();
        let mut taps = std::mem::take(&mut open.taps);
        taps.sort_by_key(|made| (made.tap.at, made.planted.is_some()));
        open.next_file =
            open.next_file.checked_add(1).filter(|n| *n <= 9999).ok_or(MakeError::TooManyFiles(city))?;
        let name = FileName::spends(city, self.plan.day, open.next_file);
        let first_local = open.next_local.saturating_add(1);
        open.next_local = open.next_local.saturating_add(u64::try_from(taps.len()).unwrap_or(u64::MAX));
        write_file(name, first_local, taps, self.plan.form)
    }
}

impl Iterator for Maker<'_> {
    type Item = Result<MadeFile, MakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let done = self.made >= self.plan.count;
            let ready = |open: &Open| open.taps.len() >= RECORDS_PER_FILE || (done && !open.taps.is_empty());
            if let Some(city) = self.open.iter().find(|(_, open)| ready(open)).map(|(city, _)| *city) {
                return Some(self.close(city));
            }
            if done {
                return None;
            }
            self.add_passenger()?;
        }
    }
}

fn write_file(name: FileName, first_local: u64, taps: Vec<Made>, form: Form) -> Result<MadeFile, MakeError> {
    let text_name = name.to_string();
    let file = match form {
        Form::Cux => text_name,
        Form::Parquet => text_name.replace(".CUX", ".parquet"),
    };
    let batch = name.batch();
    let lines = (cux::FIRST_LINE..).zip(&taps);
    let planted = lines.filter_map(|(line_no, made)| {
        made.planted.map(|reason| Planted { file: file.clone(), batch, line_no, reason })
    });
    let planted = planted.collect();
    let records = taps.len();
    let taps = taps.into_iter().map(|made| made.tap);
    let bytes = match form {
        Form::Cux => {
            let created = name.day.plus_days(1).start().plus_seconds(2 * 3600);
            cux::write_taps(&CuxFile::new(name, created, first_local, taps))?
        }
        Form::Parquet => {
            let records: Vec<Record> =
                (cux::FIRST_LINE..).zip(taps).map(|(line_no, tap)| Record { batch, line_no, tap }).collect();
            parquet::write_taps(&records)?
        }
    };
    Ok(MadeFile { name: file, bytes, records, planted })
}

/// The list of planted faults as CSV: file, batch, line, verdict, reason.
#[must_use]
pub fn planted_csv(planted: &[Planted]) -> String {
    let row = |p: &Planted| {
        let (verdict, reason) = (p.reason.verdict().code(), p.reason.name());
        format!("{},{},{},{verdict:02},{reason}\n", p.file, p.batch, p.line_no)
    };
    let rows: String = planted.iter().map(row).collect();
    format!("file,batch,line_no,verdict,reason\n{rows}")
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests;
