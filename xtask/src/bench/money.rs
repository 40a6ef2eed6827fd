//! `cargo xtask bench money`: how fast money becomes durable, on each database, beside the bare database; then
//! loads through the centre's door.

use std::process::{Command, ExitCode};

use crate::steps::root;

/// Builds the ledger's and the centre's examples in release and runs them. They measure by themselves: nothing is compiled
/// meanwhile.
pub(crate) fn money(json: bool) -> ExitCode {
    for (package, example) in [("ledger", "money"), ("centre", "door")] {
        let mut command = Command::new("cargo");
        command.args(["run", "--release", "--quiet", "--package", package, "--example", example]);
        if json {
            command.args(["--", "--json"]);
        }
        if !command.current_dir(root()).status().is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
