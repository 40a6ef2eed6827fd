//! `yikatong replay`: a file of real taps, charged again by our terminals.

use std::path::Path;

use clearing::cux::{self, CuxFile, FileName};
use clearing::make::RECORDS_PER_FILE;
use keys::SoftwareKeys;
use model::registry::Registry;
use model::{CardTime, CityCode, Clock, PurseFen, TapRecord};
use sim::{Comparison, Kind, RealTap, Replayed, replay};

use crate::cli::Replay;
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, make_folder, write_file};
use crate::run::{bar, print};

/// The columns that are used, of those the file must have.
#[derive(serde::Deserialize)]
struct Row {
    card: String,
    at: String,
    kind: String,
    paid_fen: u32,
    list_fen: u32,
    equipment: String,
    place: String,
    transfer: u8,
}

pub(crate) fn run(command: &Replay, registry: &Registry, json: bool) -> Outcome {
    let taps = read(&command.file)?;
    let bar = bar(u64::try_from(taps.len()).unwrap_or(u64::MAX), "taps");
    let keys = SoftwareKeys::demo();
    let replayed =
        replay(registry, command.city, taps, &keys, |done| bar.set_position(done)).map_err(Failure::input)?;
    bar.finish_and_clear();
    let Replayed { comparison, records } = replayed;
    if let Some(folder) = &command.data {
        write(folder, command.city, &records)?;
    }
    if json {
        return print(&comparison);
    }
    show(&comparison);
    Ok(())
}

fn read(path: &Path) -> Outcome<Vec<RealTap>> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| Failure::path(path, error))?;
    let mut taps = Vec::new();
    for (row, line) in reader.deserialize().zip(2..) {
        let row: Row = row.map_err(|error| Failure::path(path, error))?;
        let tap = tap(row).map_err(|what| Failure::path(path, format_args!("line {line}: {what}")))?;
        taps.push(tap);
    }
    if taps.is_empty() {
        return Err(Failure::path(path, "holds no taps"));
    }
    Ok(taps)
}

fn tap(row: Row) -> Result<RealTap, String> {
    let kind = match row.kind.as_str() {
        "bus" => Kind::Bus,
        "metro-in" => Kind::MetroIn,
        "metro-out" => Kind::MetroOut,
        other => return Err(format!("kind: `{other}`; expected bus, metro-in or metro-out")),
    };
    let fen = |name: &str, fen: u32| PurseFen::try_from(fen).map_err(|error| format!("{name}: {error}"));
    Ok(RealTap {
        card: row.card,
        at: row.at.parse::<CardTime>().map_err(|error| format!("at: {error}"))?,
        kind,
        paid: fen("paid_fen", row.paid_fen)?,
        list: fen("list_fen", row.list_fen)?,
        equipment: row.equipment,
        place: row.place,
        transfer: row.transfer != 0,
    })
}

/// Writes the records as the city's back end uploads them, a day to a file.
fn write(folder: &Path, city: CityCode, records: &[TapRecord]) -> Outcome {
    make_folder(folder)?;
    let created = SystemClock.now();
    for day in records.chunk_by(|a, b| a.at.date() == b.at.date()) {
        for (chunk, sequence) in day.chunks(RECORDS_PER_FILE).zip(1..) {
            let Some(first) = chunk.first() else { continue };
            let name = FileName::spends(city, first.at.date(), sequence);
            let file = CuxFile::new(name, created, 1, chunk.iter().cloned());
            let bytes = cux::write_taps(&file).map_err(Failure::wrong)?;
            write_file(&folder.join(name.to_string()), &bytes)?;
        }
    }
    Ok(())
}

fn show(comparison: &Comparison) {
    outln!("{} passengers, {} readers", comparison.cards, comparison.readers);
    outln!(
        "made up, because the file does not have them: {} entries and {} rides before its first minute, {} entries later",
        comparison.entries_before_the_file,
        comparison.rides_before_the_file,
        comparison.entries_the_file_misses
    );
    for (kind, compared) in &comparison.kinds {
        outln!(
            "{kind}: {} of {} taps charged as the file did ({} yuan)",
            compared.as_the_file,
            compared.taps,
            compared.as_the_file_fen
        );
        let groups = [
            ("concession cards", &compared.concession),
            ("otherwise", &compared.otherwise),
            ("refused", &compared.refused),
        ];
        for (name, counts) in groups {
            for (what, count) in counts {
                outln!("    {name}: {what}: {count}");
            }
        }
    }
}
