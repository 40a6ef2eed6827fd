//! `vectors/card/files.toml`: what files and records say, and that one flipped bit is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may fail loudly

mod data;

use card::layout::{Fci, Holder, IssueInfo, LogRecord, PublicInfo, RailRecord, RailTrip, RideRecord};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    #[allow(dead_code)] // for the reader of the file
    source: String,
    file: String,
    bytes: String,
    #[serde(default)]
    twin: String,
    #[serde(default)]
    says: String,
}

/// What the bytes say, and the bytes written again.
fn read(file: &str, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    Some(match file {
        "fci" => {
            let fci = Fci::parse(bytes)?;
            let version = fci.version.map_or("no version".into(), |version| format!("version {version}"));
            let says = format!("name {}, {version}, {}", data::hex(&fci.name), public(&fci.public_info()?));
            (says, fci.to_bytes())
        }
        "public info" | "refused public info" => {
            let info = PublicInfo::parse(bytes.try_into().ok()?)?;
            (public(&info), info.to_bytes().to_vec())
        }
        "log" | "refused log" => {
            let record = LogRecord::parse(bytes.try_into().ok()?)?;
            let LogRecord { counter, amount, kind, terminal, at, .. } = record;
            (format!("{counter}: {kind:?} of {amount} at {terminal}, {at}"), record.to_bytes().to_vec())
        }
        "issue" => {
            let info = IssueInfo::parse(bytes.try_into().ok()?)?;
            let says = format!(
                "issuer {}, city {}, test {:02X}, number {}, issued {} by {}, {} to {}",
                data::hex(&info.issuer),
                info.city,
                info.test,
                info.number.raw(),
                info.issued,
                data::hex(&info.device),
                info.start,
                info.expiry
            );
            (says, info.to_bytes().to_vec())
        }
        "holder" => {
            let holder = Holder::parse(bytes.try_into().ok()?)?;
            let says = format!("{holder:?}, staff {}, sex {}", holder.staff, holder.sex);
            (says, holder.to_bytes().to_vec())
        }
        "rail" => {
            let record = RailRecord::parse(bytes)?;
            (format!("{}, {}", lock(record.locked), trip(&record.trip)), record.to_bytes().to_vec())
        }
        "ride" => {
            let record = RideRecord::parse(bytes)?;
            let last = record.last.map_or("none".into(), |ride| {
                format!(
                    "{} {} {} {} line {} at {} for {}, transfer {}",
                    ride.mode,
                    ride.at,
                    ride.city,
                    ride.operator,
                    ride.line,
                    ride.terminal,
                    ride.paid,
                    ride.transfers
                )
            });
            (format!("{}, {last}", lock(record.locked)), record.to_bytes().to_vec())
        }
        other => panic!("no parser for `{other}`"),
    })
}

fn public(info: &PublicInfo) -> String {
    format!(
        "issuer {}, city {}, enabled {:02X}, number {}, {} to {}",
        data::hex(&info.issuer),
        info.city,
        info.enabled,
        info.number.raw(),
        info.start,
        info.expiry
    )
}

fn lock(locked: bool) -> &'static str {
    if locked { "locked" } else { "open" }
}

fn trip(trip: &RailTrip) -> String {
    let pass = |pass: &card::layout::GatePass| {
        let card::layout::GatePass { city, operator, line, stop, terminal, at } = pass;
        format!("{city} {operator} {line}/{stop} at {terminal} {at}")
    };
    match trip {
        RailTrip::None => "None".into(),
        RailTrip::Entered { entry } => format!("Entered {}", pass(entry)),
        RailTrip::Left { entry, exit, fare } => format!("Left {} to {} for {fare}", pass(entry), pass(exit)),
        RailTrip::Cancelled { entry } => format!("Cancelled {}", pass(entry)),
    }
}

#[test]
fn every_file_says_what_it_says_and_is_written_as_it_was_read() {
    let file: File = data::vectors("files");
    for vector in file.vector {
        let bytes = data::bytes(&vector.bytes);
        if vector.file.starts_with("refused") {
            assert_eq!(read(&vector.file, &bytes), None, "{}", vector.why);
            continue;
        }
        assert_eq!(read(&vector.file, &bytes), Some((vector.says, bytes.clone())), "{}", vector.why);
        let twin = data::bytes(&vector.twin);
        assert!(data::differ_by_one_bit(&bytes, &twin), "{}: the twin is not one", vector.why);
        assert_eq!(read(&vector.file, &twin), None, "{}: the twin", vector.why);
    }
}
