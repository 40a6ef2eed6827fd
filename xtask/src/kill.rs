//! `cargo xtask kill`: rounds of `kill -9` during loads, on SQLite and on PostgreSQL, then a match of three sides.

use std::process::{Command, ExitCode};

use crate::steps::root;

/// Runs `rounds` on both databases; where there is no PostgreSQL, its part is skipped aloud.
pub(crate) fn kill(rounds: &str) -> ExitCode {
    let build =
        ["build", "--release", "--quiet", "--package", "yikatong", "--bin", "yikatong", "--example", "kills"];
    if !Command::new("cargo").args(build).current_dir(root()).status().is_ok_and(|status| status.success()) {
        println!("the release build failed");
        return ExitCode::FAILURE;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut failed = false;
    for database in ["sqlite", "postgres"] {
        let mut command = Command::new(target.join("release/examples/kills"));
        command
            .args(["--rounds", rounds, "--database", database, "--binary"])
            .arg(target.join("release/yikatong"));
        failed |= !command.status().is_ok_and(|status| status.success());
    }
    ExitCode::from(u8::from(failed))
}
