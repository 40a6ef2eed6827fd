//! `cargo xtask examples`: the examples in Python and TypeScript against a real demo network, each on its own phone.
//!
//! What they are made of comes from PyPI and npm, into `target/examples`, in the versions that stand beside them. Where
//! that cannot be had, the example is skipped, and says why.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::steps::root;

/// An example takes a second or two.
const PATIENCE: Duration = Duration::from_secs(120);
const FREE: &str = "127.0.0.1:0";

/// How one example ended.
pub(crate) enum Ended {
    Done,
    Failed(String),
    Skipped(String),
}

/// Runs both, alone.
pub(crate) fn alone() -> ExitCode {
    let ended = run();
    let failed = ended.iter().any(|(_, ended)| matches!(ended, Ended::Failed(_)));
    for (name, ended) in ended {
        match ended {
            Ended::Done => println!("{name}: done"),
            Ended::Failed(why) => println!("FAILED {name}: {why}"),
            Ended::Skipped(why) => println!("SKIPPED {name}: {why}"),
        }
    }
    ExitCode::from(u8::from(failed))
}

/// Runs both; each says how it ended.
pub(crate) fn run() -> Vec<(&'static str, Ended)> {
    println!("\n== examples: Python and TypeScript, over the public API of `yikatong serve --demo`");
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--package", "yikatong"])
        .current_dir(root())
        .status()
        .is_ok_and(|status| status.success());
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("debug/yikatong");
    let folder = target.join("examples");
    let made = [("example in Python", python(&folder)), ("example in TypeScript", typescript(&folder))];
    let centre = Running::start(
        &binary,
        &["serve", "--demo", "--listen", FREE, "--wallet-listen", FREE, "--street-listen", FREE],
    );
    made.map(|(name, made)| {
        let ended = match (made, &centre) {
            (Err(ended), _) => ended,
            (Ok(_), _) if !built => Ended::Failed("yikatong does not build".into()),
            (Ok(_), None) => Ended::Failed("yikatong serve --demo did not start".into()),
            (Ok(example), Some(centre)) => on_a_phone(&binary, centre, example),
        };
        (name, ended)
    })
    .into()
}

/// A virtual environment with the pinned packages.
fn python(folder: &Path) -> Result<Command, Ended> {
    let (source, folder) = (root().join("examples/python"), folder.join("python"));
    let script = source.join("issue_and_load.py");
    let python = folder.join("bin/python");
    if !python.exists() {
        let mut venv = Command::new("python3");
        prepared(venv.args(["-m", "venv"]).arg(&folder), "python3 -m venv")?;
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    prepared(pip.arg(source.join("requirements.txt")), "pip install")?;
    let mut example = Command::new(python);
    example.arg(script);
    Ok(example)
}

/// The pinned packages beside a copy of the example, compiled with all of TypeScript's checks.
fn typescript(folder: &Path) -> Result<Command, Ended> {
    let (source, folder) = (root().join("examples/typescript"), folder.join("typescript"));
    let copied = fs::create_dir_all(&folder).and_then(|()| {
        let files = ["issue_and_load.ts", "package.json", "package-lock.json", "tsconfig.json", ".npmrc"];
        files.iter().try_for_each(|file| fs::copy(source.join(file), folder.join(file)).map(|_| ()))
    });
    copied.map_err(|error| Ended::Failed(format!("{}: {error}", folder.display())))?;
    let mut node = Command::new("node");
    prepared(node.arg("--version"), "node")?;
    let mut npm = Command::new("npm");
    let quiet = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    prepared(npm.args(quiet).current_dir(&folder), "npm ci")?;
    let mut compiler = Command::new("node");
    let compiled = compiler.arg("node_modules/typescript/bin/tsc").current_dir(&folder).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return Err(Ended::Failed("tsc found something wrong".into()));
    }
    let mut example = Command::new("node");
    example.arg(folder.join("out/issue_and_load.js"));
    Ok(example)
}

/// What an example needs from outside; without it, it is skipped.
fn prepared(command: &mut Command, what: &str) -> Result<(), Ended> {
    let output = command.output().map_err(|error| Ended::Skipped(format!("{what}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(Ended::Skipped(format!("{what}: {last}")))
}

/// Runs an example with a phone of its own.
fn on_a_phone(binary: &Path, centre: &Running, mut example: Command) -> Ended {
    let element = ["element", "serve", "--phone", "oppo-find7", "--listen", FREE];
    let Some(phone) = Running::start(binary, &element) else {
        return Ended::Failed("yikatong element serve did not start".into());
    };
    example
        .env("CENTRE", format!("http://{}", centre.address))
        .env("CARD", format!("tcp:{}", phone.address))
        .env("YIKATONG", binary);
    let mut child = match example.spawn() {
        Ok(child) => child,
        Err(error) => return Ended::Failed(error.to_string()),
    };
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Ok(Some(status)) if status.success() => return Ended::Done,
            Ok(Some(status)) => return Ended::Failed(status.to_string()),
            Err(error) => return Ended::Failed(error.to_string()),
        }
    }
    let _ = child.kill().and_then(|()| child.wait()); // it has failed already
    Ended::Failed(format!("it did not end within {} s", PATIENCE.as_secs()))
}

/// A process that is ended with this value.
struct Running {
    child: Child,
    /// The first address that it says.
    address: String,
    /// Held open: a process whose reader has gone ends itself.
    _output: BufReader<ChildStdout>,
}

impl Running {
    fn start(binary: &Path, arguments: &[&str]) -> Option<Self> {
        let mut child = Command::new(binary).args(arguments).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take()?);
        let read = output.read_line(&mut line);
        let word = line.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap_or_default();
        let address = word.trim_start_matches("http://").trim_end_matches(';').to_owned();
        let running = Running { child, address, _output: output };
        (read.is_ok() && !running.address.is_empty()).then_some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait()); // nothing more can be done here
    }
}
