//! Clearing a folder: files in, tables out.
//!
//! Invariant: a bad file is refused whole and named, and the others clear; the outputs depend on the files' names and
//! contents alone.

use std::collections::BTreeMap;

use crate::cux::{self, CuxError};
use crate::judge::{Bench, Judge, Judgment, SeenError};
use crate::netting::{Net, Netting, NettingError};
use crate::parquet::{self, ParquetFault};
use crate::record::Record;
use crate::report::{self, RefusedFile, ReportError, Summary};

/// The tables that a clearing writes.
pub const TABLES: [&str; 3] = ["flows.csv", "positions.csv", "verdicts.parquet"];

/// Where the files are: a folder on a disk, an object store, a test's map. Only one file is held at a time.
pub trait Folder {
    /// The names of all files.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn names(&self) -> std::io::Result<Vec<String>>;
    /// A file's bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>>;
}

/// Why a folder could not be cleared.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// The folder cannot be listed.
    #[error("cannot list the files: {0}")]
    List(std::io::Error),
    /// A file cannot be read. Clearing without it would be another day's clearing, so this is not passed over.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Which file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Earlier keys cannot be looked up.
    #[error("cannot look up earlier records: {0}")]
    Seen(SeenError),
    /// The books cannot be closed.
    #[error(transparent)]
    Netting(#[from] NettingError),
    /// A table cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The verdicts cannot be written.
    #[error(transparent)]
    Parquet(#[from] ParquetFault),
}

/// A cleared folder.
pub struct Cleared {
    /// Every record's verdict, and the keys to remember.
    pub judgment: Judgment,
    /// Flows and positions.
    pub net: Net,
    /// The tables by name, see [`TABLES`].
    pub tables: BTreeMap<&'static str, Vec<u8>>,
    /// The figures; the caller writes them as `summary.json`.
    pub summary: Summary,
}

#[derive(Debug, thiserror::Error)]
enum FileFault {
    #[error(transparent)]
    Cux(#[from] CuxError),
    #[error(transparent)]
    Parquet(#[from] ParquetFault),
}

/// Clears every record file (`XF….CUX`) and every Parquet file of taps in a folder.
///
/// Other files are passed over; among them loads (`CZ`), which were settled when their cards proved them.
///
/// # Errors
/// [`ClearError`]. A file that is damaged is no error; it stands in the summary.
pub fn clear_folder(folder: &dyn Folder, bench: Bench<'_>) -> Result<Cleared, ClearError> {
    let mut names = folder.names().map_err(ClearError::List)?;
    names.sort_unstable();
    let mut judge = Judge::new(bench);
    let (mut files, mut refused, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        if !holds_taps(&name) {
            passed_over.push(name);
            continue;
        }
        let bytes = folder.read(&name).map_err(|source| ClearError::Read { file: name.clone(), source })?;
        match read_file(&name, bytes, &mut judge) {
            Ok(()) => files.push(name),
            Err(fault) => refused.push(RefusedFile { error: fault.to_string(), file: name }),
        }
    }
    let judgment = judge.finish().map_err(ClearError::Seen)?;
    let mut netting = Netting::new(bench.registry);
    for ruling in &judgment.rulings {
        netting.add(ruling)?;
    }
    let net = netting.finish()?;
    let summary = Summary::of(bench.day, &judgment.rulings, &net)?;
    let verdicts = parquet::write_verdicts(&report::verdict_rows(&judgment.rulings))?;
    let [flows, positions, verdicts_name] = TABLES;
    let tables = BTreeMap::from([
        (flows, report::flows_csv(&net)?),
        (positions, report::positions_csv(&net)?),
        (verdicts_name, verdicts),
    ]);
    Ok(Cleared { judgment, net, tables, summary: Summary { files, refused, passed_over, ..summary } })
}

fn holds_taps(name: &str) -> bool {
    let upload = name.starts_with("XF") && name.ends_with(".CUX");
    let columns = name.ends_with(".parquet") && !TABLES.contains(&name);
    upload || columns
}

/// Hands a file's records to the judge, all or none: columns are read through once before any record counts.
fn read_file(name: &str, bytes: Vec<u8>, judge: &mut Judge<'_>) -> Result<(), FileFault> {
    if name.ends_with(".CUX") {
        judge.add(&records(cux::read_taps(name, &bytes)?));
        return Ok(());
    }
    let bytes = bytes::Bytes::from(bytes);
    for chunk in parquet::read_taps(name, bytes.clone())? {
        chunk?;
    }
    for chunk in parquet::read_taps(name, bytes)? {
        judge.add(&chunk?);
    }
    Ok(())
}

/// The records of a file of taps, each with its batch and line.
#[must_use]
pub fn records(file: cux::CuxFile<model::TapRecord>) -> Vec<Record> {
    let batch = file.name.batch();
    let lines = (cux::FIRST_LINE..).zip(file.records);
    lines.map(|(line_no, numbered)| Record { batch, line_no, tap: numbered.record }).collect()
}

/// Files held in memory.
impl Folder for BTreeMap<String, Vec<u8>> {
    fn names(&self) -> std::io::Result<Vec<String>> {
        Ok(self.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        self.get(name).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}
