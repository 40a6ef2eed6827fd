//! `yikatong tap`: one tap by the validator's logic, on a card behind a socket or in a file.

use std::path::Path;
use std::sync::Arc;

use keys::SoftwareKeys;
use model::registry::{Flow, Registry};
use model::{Clock, PurseFen};
use serde_json::json;
use sim::{Place, national_psam};
use terminal::{
    AcceptanceList, Batch, DenyList, FilePsamStore, FileStorage, Request, SoftwarePsam, TapOutcome, Validator,
};

use crate::cli::Tap;
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, make_folder};
use crate::run::print;
use crate::transcript::Recorder;

pub(crate) fn run(command: &Tap, registry: &Registry, json: bool) -> Outcome {
    let operator = registry.operator_of_terminal(command.terminal).ok_or_else(|| {
        Failure::input(format_args!(
            "terminal {}: no operator in the registry has a reader of this number; see `terminals` in registry/operators",
            command.terminal
        ))
    })?;
    let request = request(command, operator.flow)?;
    make_folder(&command.data)?;
    let mut batch = batch(command, &command.data)?;
    let mut psam = psam(command, &command.data)?;
    let place = Place::of(operator, command.terminal);
    let settings = place.settings(command.terminal, Arc::new(operator.clone()));
    let acceptance = AcceptanceList::of(registry, operator.city, 1);
    let mut validator = Validator::new(settings, Arc::new(acceptance), Arc::new(DenyList::new(0, [])));

    let recorder = Recorder::new(command.transcript.as_deref())?;
    let outcome = {
        let card = command.card.open()?;
        let mut card = recorder.watch(card, "terminal", command.card.to_string());
        let mut psam = recorder.watch(&mut psam, "psam", command.terminal.to_string());
        validator.tap(&mut card, &mut psam, request, SystemClock.now(), &mut batch)
    };
    recorder.close()?;
    report(&outcome, json)
}

fn request(command: &Tap, flow: Flow) -> Outcome<Request> {
    let list = command.amount.map(PurseFen::try_from).transpose().map_err(Failure::input)?;
    match (flow, command.entry, command.exit) {
        (_, true, _) => Ok(Request::Enter),
        (_, _, true) => Ok(Request::Leave { list }),
        (Flow::EntryExit, ..) => Err(Failure::input("this reader has a gate: say --entry or --exit")),
        (Flow::Purchase, ..) => Ok(Request::Pay { list }),
    }
}

fn batch(command: &Tap, folder: &Path) -> Outcome<Batch> {
    let path = folder.join(format!("{}.batch", command.terminal));
    let storage = FileStorage::open(&path).map_err(Failure::input)?;
    Batch::open(Box::new(storage), command.terminal).map_err(|error| Failure::path(&path, error))
}

fn psam(command: &Tap, folder: &Path) -> Outcome<SoftwarePsam> {
    let path = folder.join(format!("{}.psam", command.terminal));
    let counter = Box::new(FilePsamStore::new(&path));
    national_psam(command.terminal, &SoftwareKeys::demo(), counter)
        .map_err(|error| Failure::path(&path, error))
}

fn report(outcome: &TapOutcome, json: bool) -> Outcome {
    match outcome {
        TapOutcome::Accepted { record, balance, recovered, .. } => {
            if json {
                return print(&json!({
                    "outcome": "accepted", "recovered": recovered, "amount_fen": record.amount.get(),
                    "list_fare_fen": record.list_fare.get(), "balance_fen": balance.get(),
                    "terminal_seq": record.terminal_seq, "card_seq": record.card_seq,
                    "tac": hex::encode_upper(record.tac.0), "at": record.at.to_string(),
                }));
            }
            let finished = if *recovered { ", a torn tap finished" } else { "" };
            outln!("通过 accepted: paid {} yuan, balance {balance} yuan{finished}", record.amount);
            Ok(())
        }
        TapOutcome::Refused(refused) => {
            let (code, zh, en) = (refused.why.code(), refused.why.zh(), refused.why.en());
            if json {
                print(&json!({ "outcome": "refused", "code": code.to_string(), "zh": zh, "en": en }))?;
            }
            Err(Failure::wrong(format_args!("{zh} {en} ({code})")))
        }
        TapOutcome::Torn(_) => {
            if json {
                print(&json!({ "outcome": "torn" }))?;
            }
            Err(Failure::wrong("请重刷 the card left too early: hold it to the same reader again"))
        }
    }
}
