//! `yikatong clear`: a folder of records, cleared without a server.

use std::fs;
use std::io;
use std::path::Path;

use clearing::judge::{Bench, ByCity, NothingEarlier, Window};
use clearing::{Folder, clear_folder};
use model::registry::Registry;

use crate::cli::Clear;
use crate::failure::{Failure, Outcome};
use crate::machine::{keys, make_folder, write_files};
use crate::run::print;

struct Disk<'a>(&'a Path);

impl Folder for Disk<'_> {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.0)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }
}

pub(crate) fn run(command: &Clear, registry: &Registry, json: bool) -> Outcome {
    let keys = keys(command.vault.as_ref(), command.passphrase_file.as_ref())?;
    if !command.taps.is_dir() {
        return Err(Failure::path(&command.taps, "is not a folder of record files"));
    }
    let bench = Bench {
        registry,
        proofs: &ByCity(&keys),
        seen: &NothingEarlier,
        deny: None,
        day: command.day,
        window: Window::default(),
    };
    let cleared = clear_folder(&Disk(&command.taps), bench).map_err(Failure::wrong)?;
    make_folder(&command.out)?;
    let mut summary = serde_json::to_string_pretty(&cleared.summary).map_err(Failure::wrong)?;
    summary.push('\n');
    let tables = cleared.tables.iter().map(|(name, bytes)| (command.out.join(name), bytes.as_slice()));
    let summary_file = (command.out.join("summary.json"), summary.as_bytes());
    write_files(&tables.chain([summary_file]).collect::<Vec<_>>())?;
    if json {
        print(&cleared.summary)?;
    } else {
        outln!(
            "{} records in {} files; results in {}",
            cleared.summary.records,
            cleared.summary.files.len(),
            command.out.display()
        );
        for verdict in &cleared.summary.verdicts {
            outln!("  {:02} {:<24} {}", verdict.verdict, verdict.reason, verdict.records);
        }
    }
    match cleared.summary.refused.as_slice() {
        [] => Ok(()),
        refused => {
            let lines: Vec<_> = refused.iter().map(|file| format!("{}: {}", file.file, file.error)).collect();
            Err(Failure::wrong(format_args!("refused whole, the others are cleared:\n{}", lines.join("\n"))))
        }
    }
}
