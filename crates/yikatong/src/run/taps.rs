//! `yikatong taps make`: synthetic record files with true TACs, and planted faults listed apart.

use std::path::Path;

use clearing::make::{DemoCards, Form, Maker, Plan, planted_csv};
use model::registry::Registry;
use serde_json::json;

use crate::cli::Taps;
use crate::failure::{Failure, Outcome};
use crate::machine::{make_folder, write_file};
use crate::run::{bar, print};

pub(crate) fn run(command: Taps, registry: &Registry, json: bool) -> Outcome {
    let Taps::Make { count, out, seed, bad, day } = command;
    let plan = Plan { count, bad_ppm: bad, seed, day, form: Form::Cux };
    make(plan, &out, registry, json)
}

fn make(plan: Plan, out: &Path, registry: &Registry, json: bool) -> Outcome {
    make_folder(out)?;
    let maker = Maker::new(plan, registry, &DemoCards).map_err(Failure::input)?;
    let bar = bar(plan.count, "records");
    let (mut files, mut records, mut planted) = (0_u64, 0_u64, Vec::new());
    for file in maker {
        let file = file.map_err(Failure::wrong)?;
        write_file(&out.join(&file.name), &file.bytes)?;
        let made = u64::try_from(file.records).unwrap_or(u64::MAX);
        bar.inc(made);
        files = files.saturating_add(1);
        records = records.saturating_add(made);
        planted.extend(file.planted);
    }
    bar.finish_and_clear();
    write_file(&out.join("planted.csv"), planted_csv(&planted).as_bytes())?;
    if json {
        return print(&json!({ "files": files, "records": records, "planted": planted.len() }));
    }
    outln!("{records} records in {files} files, {} planted faults in planted.csv", planted.len());
    Ok(())
}
