//! Cards in a real PC/SC stack: pcscd with the virtual reader's driver, seen by public tools and used by our commands.
//!
//! Needs pcscd, the virtual reader's driver (vsmartcard-vpcd), opensc and pcsc-tools, and the right to start pcscd where
//! none runs; without them the test fails and says what is missing.

#![cfg(feature = "pcsc")]
#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where the virtual reader waits for its cards: one slot a port.
const SLOTS: [&str; 2] = ["127.0.0.1:35963", "127.0.0.1:35964"];
const PATIENCE: Duration = Duration::from_secs(20);
/// The software chips' answer to reset, as tools print it.
const ATR: &str = "3b:80:80:01:01";

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn yikatong() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yikatong"))
}

fn until<T>(what: &str, mut try_it: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = try_it() {
            return done;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The running service, or one of our own.
fn service() -> Option<Running> {
    if Path::new("/run/pcscd/pcscd.comm").exists() && TcpStream::connect(SLOTS[0]).is_ok() {
        return None;
    }
    let child = Command::new("pcscd")
        .args(["--foreground", "--force-reader-polling"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("pcscd does not start ({error}): install pcscd and vsmartcard-vpcd"));
    Some(Running(child))
}

/// Starts one of our chips; it tells when it is in the reader.
fn chip(arguments: &[&str]) -> Running {
    until("the virtual reader takes a card", || {
        let mut child =
            yikatong().args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Running(child);
        line.contains("in the virtual reader").then_some(running)
    })
}

/// What a public tool prints.
fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{name} ({error}): install opensc and pcsc-tools"));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(arguments: &[&str]) -> Value {
    let output = yikatong().args(arguments).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A demo network without its living passengers; the addresses of centre and wallet.
fn network(data: &str) -> (Running, String, String) {
    let serve = ["serve", "--demo", "--quiet", "--listen", "127.0.0.1:0", "--data", data];
    let mut child = yikatong().args(serve).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = |name: &str| {
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .find(|word| word.contains("127.0.0.1:"))
            .unwrap()
            .trim_end_matches(';')
            .to_owned()
    };
    let (centre, wallet) = (address("centre"), address("wallet"));
    std::thread::spawn(move || lines.for_each(drop));
    (Running(child), centre, wallet)
}

#[test]
fn public_tools_see_our_chips_and_our_commands_use_them_through_a_reader() {
    let _service = service();
    let _element = chip(&["element", "serve", "--phone", "oppo-find7", "--vpcd", SLOTS[0]]);
    let _plastic = chip(&["card", "serve", "--city", "3150", "--vpcd", SLOTS[1]]);

    let readers = until("both slots hold a card", || {
        let list = tool("opensc-tool", &["--list-readers"]);
        (list.matches("Yes").count() >= 2).then_some(list)
    });
    assert!(readers.contains("Virtual PCD 00 00"), "{readers}");
    for slot in ["0", "1"] {
        let atr = tool("opensc-tool", &["--reader", slot, "--atr"]);
        assert_eq!(atr.trim(), ATR);
    }
    // SELECT of the issuer's security domain, and of nothing that is there.
    let isd = tool("opensc-tool", &["--reader", "0", "--send-apdu", "00:A4:04:00:00"]);
    assert!(isd.contains("SW1=0x90, SW2=0x00"), "{isd}");
    let absent = tool("opensc-tool", &["--reader", "0", "--send-apdu", "00:A4:04:00:05:F0:00:00:00:01"]);
    assert!(absent.contains("SW1=0x6A, SW2=0x82"), "{absent}");
    let scan = tool("timeout", &["3", "pcsc_scan", "-n"]);
    assert!(scan.replace(' ', ":").to_lowercase().contains(ATR), "{scan}");

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("centre");
    let (_network, centre, wallet) = network(data.to_str().unwrap());
    let readers = folder.path().join("readers");
    let phone = |card: &str, what: &[&str]| {
        let head = ["phone", "--json", "--centre", &centre, "--wallet", &wallet, "--card", card];
        json(&[&head[..], what].concat())
    };
    let (first, second) = ("pcsc:Virtual PCD 00 00", "pcsc:00 01");
    assert_eq!(phone(first, &["issue", "--city", "2000"])["state"], "done");
    assert_eq!(phone(first, &["load", "--amount", "5000"])["balance_fen"], 5000);
    assert_eq!(phone(second, &["load", "--amount", "1000", "--plastic"])["balance_fen"], 1000);
    let tap =
        ["tap", "--json", "--data", readers.to_str().unwrap(), "--terminal", "200001010001", "--card", first];
    assert_eq!(json(&tap)["outcome"], "accepted");
    assert_eq!(phone(first, &["read"])["balance_fen"], 4800);

    let unknown = yikatong().args(["phone", "--card", "pcsc:Omnikey", "read"]).output().unwrap();
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2), "{said}");
    assert!(said.contains("Omnikey") && said.contains("Virtual PCD 00 00"), "{said}");
}
