//! `cargo xtask bench money`: how fast money becomes durable, on each database, beside the bare database.

use std::process::{Command, ExitCode};

use crate::steps::root;

/// Builds the ledger's example in release and runs it. It measures by itself: nothing is compiled meanwhile.
pub(crate) fn money(json: bool) -> ExitCode {
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--quiet", "--package", "ledger", "--example", "money"]);
    if json {
        command.args(["--", "--json"]);
    }
    let done = command.current_dir(root()).status().is_ok_and(|status| status.success());
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
