//! `cargo xtask bench`: what a newcomer waits for, each figure beside something they know.

mod money;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::steps::root;

pub(crate) use money::money;

const TAPS: u32 = 20_000;
/// The simulated day is open from 6 to 22.
const DAY: Duration = Duration::from_secs(16 * 3600);
/// What a passenger in Tokyo waits at a gate, at most.
const GATE: Duration = Duration::from_millis(200);

/// Builds the release binary, then measures it in one run.
pub(crate) fn bench() -> ExitCode {
    let built = Command::new("cargo").args(["build", "--release", "--quiet"]).current_dir(root()).status();
    if !built.is_ok_and(|status| status.success()) {
        println!("the release build failed");
        return ExitCode::FAILURE;
    }
    let binary = root().join("target/release/yikatong");
    let day = demo(&binary);
    let start = idle(&binary);
    if day.and(start).is_none() {
        println!("a part did not run; see above");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A network day: every byte real, from issue to settlement.
fn demo(binary: &Path) -> Option<()> {
    let started = Instant::now();
    let taps = TAPS.to_string();
    let day = ["demo", "--passengers", "2000", "--taps", &taps, "--seed", "7", "--json"];
    let status = Command::new(binary).args(day).stdout(Stdio::null()).status().ok()?;
    let took = started.elapsed();
    let each = took.checked_div(TAPS)?;
    println!(
        "demo: 2,000 passengers, {TAPS} taps in {} ms: {} times as fast as the day it plays",
        took.as_millis(),
        DAY.as_millis().checked_div(took.as_millis())?
    );
    println!(
        "one tap, with its share of issue, load, clearing and settlement: {} us, 1/{} of a 200 ms gate",
        each.as_micros(),
        GATE.as_micros().checked_div(each.as_micros().max(1))?
    );
    status.success().then_some(())
}

/// A running demo centre: how soon it answers, and what it takes while nobody asks.
fn idle(binary: &Path) -> Option<()> {
    let free = "127.0.0.1:0";
    let serve = ["serve", "--demo", "--listen", free, "--wallet-listen", free, "--street-listen", free];
    let started = Instant::now();
    let mut child = Command::new(binary).args(serve).stdout(Stdio::piped()).spawn().ok()?;
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take()?).read_line(&mut line);
    println!("serve: first address after {} ms: {}", started.elapsed().as_millis(), line.trim());
    std::thread::sleep(Duration::from_secs(10));
    let memory = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let resident = memory.lines().find(|line| line.starts_with("VmRSS"));
    println!("serve: {} after 10 s", resident.unwrap_or("VmRSS: not told by this system"));
    child.kill().and_then(|()| child.wait()).ok()?;
    read.is_ok().then_some(())
}
