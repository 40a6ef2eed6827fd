//! `yikatong certify`: the conformance kit on a port, its report in files, and the check of a report.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certify::{
    AppDriver, Checked, CommandDriver, Config, Driver, Report, Run, Stage, StageError, check, scenario_codes,
};
use model::registry::Registry;

use super::print;
use super::wallet::signing_seed;
use crate::cli::{Certify, CertifyWallet};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy, make_folder, write_files};

/// A driver may take so much longer than the centre's slowest answer.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) fn run(command: &Certify, registry: Registry, json: bool) -> Outcome {
    match command {
        Certify::Wallet(command) => wallet(command, registry, json),
        Certify::Check { report, public_key } => check_file(report, public_key.as_deref(), json),
    }
}

fn wallet(command: &CertifyWallet, registry: Registry, json: bool) -> Outcome {
    let known = scenario_codes();
    if let Some(unknown) = command.only.iter().find(|code| !known.contains(&code.as_str())) {
        return Err(Failure::input(format_args!("no scenario `{unknown}`; there are {}", known.join(", "))));
    }
    let seed = match &command.key {
        Some(file) => signing_seed(file)?,
        None => centre::http::demo_signing_key("certify").to_bytes(),
    };
    let timeout = Duration::from_secs(command.timeout);
    let stage = Stage::open(Config {
        registry: Arc::new(registry),
        wallet: command.id.clone(),
        listen: command.listen,
        timeout,
        clock: Arc::new(SystemClock),
        random: Box::new(|| Box::new(SystemEntropy)),
    });
    let stage = stage.map_err(|error| match error {
        StageError::Own(..) => Failure::wrong(error),
        StageError::Unknown(_) | StageError::Listen(..) => Failure::input(error),
    })?;
    let patience = timeout.saturating_mul(3).saturating_add(MARGIN);
    let mut driver: Box<dyn Driver> = match (&command.drive, &command.wallet_url) {
        (Some(line), _) => Box::new(CommandDriver::new(line, patience)),
        (None, Some(url)) => Box::new(AppDriver::new(url, patience)),
        (None, None) => return Err(Failure::input("--drive CMD or --wallet-url URL")),
    };
    if !json {
        outln!("centre  {}", stage.url());
    }
    let mut report = certify::certify(&stage, driver.as_mut(), &command.only, &mut |run| {
        if !json {
            say(run);
        }
    });
    let (text, signature) = report.sign(&seed).map_err(Failure::wrong)?;
    if let Some(folder) = &command.out {
        make_folder(folder)?;
        let markdown = report.to_markdown();
        write_files(&[
            (folder.join("wallet-report.json"), text.as_bytes()),
            (folder.join("wallet-report.sig"), signature.as_bytes()),
            (folder.join("wallet-report.md"), markdown.as_bytes()),
        ])?;
    }
    if json {
        print(&report)?;
    } else if let Some(folder) = &command.out {
        outln!("report  {}", folder.join("wallet-report.md").display());
    }
    verdict(&report)
}

fn say(run: &Run) {
    let word = if run.passed { "passed 通过" } else { "FAILED 未通过" };
    outln!("{word:<10} {:<18} {} {}", run.code, run.title.en, run.title.zh);
    for finding in &run.findings {
        outln!("  {} {} {}", finding.code, finding.words.en, finding.words.zh);
        outln!("    {}", finding.seen);
    }
}

fn verdict(report: &Report) -> Outcome {
    let failed = report.scenarios.iter().filter(|run| !run.passed).count();
    match (failed, report.not_played.len()) {
        (0, 0) => Ok(()),
        (0, left) => Err(Failure::wrong(format_args!("no pass: {left} scenarios were not played"))),
        (failed, _) => Err(Failure::wrong(format_args!(
            "{failed} of {} scenarios found something",
            report.scenarios.len()
        ))),
    }
}

fn check_file(path: &Path, public_key: Option<&str>, json: bool) -> Outcome {
    let expected = public_key.map(|text| {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key)
            .map(|()| key)
            .map_err(|_| Failure::input("--public-key: expected an Ed25519 public key, 64 hex digits"))
    });
    let expected = expected.transpose()?;
    let bytes = std::fs::read(path).map_err(|error| Failure::path(path, error))?;
    let beside = path.with_extension("sig");
    let signature = std::fs::read_to_string(&beside).map_err(|error| Failure::path(&beside, error))?;
    match check(&bytes, &signature, expected.as_ref()) {
        Checked::Good(report) => {
            if json {
                return print(
                    &serde_json::json!({ "signature": "good", "signed_by": report.signed_by, "passed": report.passed }),
                );
            }
            let word = if report.passed { "passed" } else { "did not pass" };
            let by = report.signed_by.unwrap_or_default();
            outln!("good signature by {by}: {} {} {word}, {}", report.subject, report.id, report.at);
            Ok(())
        }
        Checked::WrongSignature => Err(wrong(path, "the signature is not this report's")),
        Checked::OtherKey(key) => Err(wrong(path, format_args!("signed by another key: {key}"))),
        Checked::Malformed(why) => Err(Failure::path(path, format_args!("no report: {why}"))),
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::wrong(format_args!("{}: {what}", path.display()))
}
