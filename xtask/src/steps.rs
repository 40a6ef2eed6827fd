//! The steps of `cargo xtask test`: each is one command line that a person could type.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::examples::{self, Ended};
use crate::{pcsc, tidy};

struct Run {
    failed: Vec<String>,
    skipped: Vec<String>,
}

/// Runs every check; goes on after a failure, so that one run tells all.
pub(crate) fn test(install: bool) -> ExitCode {
    let mut run = Run { failed: Vec::new(), skipped: Vec::new() };
    if install {
        pcsc::install();
    }
    // What cannot be built here is left out by name.
    let without: &[&str] = if pcsc::has_library() { &[] } else { &["--exclude", "pcsc-reader"] };
    let on_all = |arguments: &[&'static str], more: &[&'static str]| [arguments, without, more].concat();
    run.step("format", &["fmt", "--all", "--check"], &[]);
    let lints = on_all(&["clippy", "--workspace", "--all-targets", "--quiet"], &["--", "-D", "warnings"]);
    run.step("lints", &lints, &[]);
    run.step("tests", &on_all(&["test", "--workspace", "--no-fail-fast"], &[]), &[]);
    let simulator =
        ["test", "-p", "sim", "--features", "planted-bugs", "--test", "planted", "--", "--nocapture"];
    run.step("simulator", &simulator, &[]);
    let docs = on_all(&["doc", "--workspace", "--no-deps", "--quiet"], &[]);
    run.step("docs", &docs, &[("RUSTDOCFLAGS", "-D warnings")]);
    run.readers();
    run.examples();
    run.licences(install);
    run.close()
}

/// Every phone model, and what an issue and a load cost on it.
pub(crate) fn phones() -> ExitCode {
    let mut run = Run { failed: Vec::new(), skipped: Vec::new() };
    run.step("phones", &["test", "-p", "yikatong", "--test", "phones", "--", "--nocapture"], &[]);
    run.close()
}

/// Installs the optional tools.
pub(crate) fn setup() -> ExitCode {
    let mut run = Run { failed: Vec::new(), skipped: Vec::new() };
    if !has_deny() {
        run.step("install cargo-deny", &["install", "cargo-deny", "--locked", "--quiet"], &[]);
    }
    pcsc::install();
    run.close()
}

/// The map, the sizes and the headers.
pub(crate) fn tidy() -> ExitCode {
    let findings = tidy::findings(&root());
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} findings", findings.len());
    ExitCode::from(u8::from(!findings.is_empty()))
}

/// The workspace's folder.
pub(crate) fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn has_deny() -> bool {
    let quiet = Command::new("cargo")
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

impl Run {
    fn step(&mut self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) {
        println!("\n== {name}: cargo {}", arguments.join(" "));
        let started = Instant::now();
        let mut command = Command::new("cargo");
        command.args(arguments).envs(variables.iter().copied()).current_dir(root());
        let done = command.status().is_ok_and(|status| status.success());
        println!("== {name}: {} in {} s", if done { "done" } else { "FAILED" }, started.elapsed().as_secs());
        if !done {
            self.failed.push(name.to_owned());
        }
    }

    /// A card in a real reader's stack.
    fn readers(&mut self) {
        if !pcsc::has_stack() {
            let why = "needs libpcsclite, pcscd, vsmartcard-vpcd, opensc, pcsc-tools (cargo xtask setup)";
            println!("\n== pc/sc: SKIPPED: {why}");
            self.skipped.push(format!("pc/sc: {why}"));
            return;
        }
        self.step("pc/sc", &["test", "-p", "yikatong", "--features", "pcsc", "--test", "pcsc"], &[]);
    }

    fn examples(&mut self) {
        for (name, ended) in examples::run() {
            match ended {
                Ended::Done => println!("== {name}: done"),
                Ended::Failed(why) => {
                    println!("== {name}: FAILED: {why}");
                    self.failed.push(name.to_owned());
                }
                Ended::Skipped(why) => {
                    println!("== {name}: SKIPPED: {why}");
                    self.skipped.push(format!("{name}: {why}"));
                }
            }
        }
    }

    fn licences(&mut self, install: bool) {
        if install && !has_deny() {
            println!("\n== licences: cargo-deny is missing; installing it");
            let mut command = Command::new("cargo");
            let installed = command.args(["install", "cargo-deny", "--locked", "--quiet"]).status();
            println!(
                "== licences: {}",
                if installed.is_ok_and(|s| s.success()) { "installed" } else { "not installed" }
            );
        }
        if has_deny() {
            self.step("licences", &["deny", "check", "bans", "licenses", "sources"], &[]);
        } else {
            self.skipped
                .push("licences: cargo-deny is not installed (cargo xtask setup, or test --install)".into());
        }
    }

    fn close(self) -> ExitCode {
        println!();
        for skipped in &self.skipped {
            println!("SKIPPED {skipped}");
        }
        for failed in &self.failed {
            println!("FAILED {failed}");
        }
        if self.failed.is_empty() {
            println!("all that ran has passed; {} skipped", self.skipped.len());
            return ExitCode::SUCCESS;
        }
        ExitCode::FAILURE
    }
}
