//! The conformance kit as a person uses it: against the reference wallet's own process, and against a driver that lies.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yikatong")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// A wallet that is ended with the test; its output is held open, or it would end.
struct Wallet(Child, String, #[allow(dead_code)] BufReader<ChildStdout>);

impl Wallet {
    fn start(centre: &str) -> Self {
        let centre = format!("http://{centre}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_yikatong"))
            .args(["wallet", "--demo", "--timeout", "1", "--listen", "127.0.0.1:0", "--centre", &centre])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().unwrap().to_owned();
        Wallet(child, url, lines)
    }
}

impl Drop for Wallet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_reference_wallet_passes_as_a_process_and_its_report_is_signed() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = port.local_addr().unwrap().to_string();
    drop(port);
    let wallet = Wallet::start(&listen);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let kit = ["certify", "wallet", "--wallet-url", &wallet.1, "--listen", &listen, "--timeout", "1"];
    let output = run(&[&kit[..], &["--out", out]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = folder.path().join("wallet-report.json");
    let path = report.to_str().unwrap();
    let text = fs::read_to_string(&report).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["passed"], &json["id"]), (&Value::from(true), &Value::from("alipay")));
    let markdown = fs::read_to_string(folder.path().join("wallet-report.md")).unwrap();
    assert!(markdown.contains("answer-lost") && markdown.contains("通过"), "{markdown}");

    let checked = run(&["certify", "check", path, "--public-key", json["signed_by"].as_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    let other = run(&["certify", "check", path, "--public-key", &"00".repeat(32)]);
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    fs::write(&report, text.replace("alipay", "anypay")).unwrap();
    let changed = run(&["certify", "check", path]);
    assert_eq!(changed.status.code(), Some(1), "{}", said(&changed));
}

#[test]
fn a_wallet_that_only_says_so_is_found_out() {
    let liar = r#"echo "{\"order\":\"1\",\"state\":\"done\",\"available_fen\":100000,\"held_fen\":0}""#;
    let kit = [
        "certify",
        "wallet",
        "--listen",
        "127.0.0.1:0",
        "--drive",
        liar,
        "--only",
        "plain-plastic",
        "--json",
    ];
    let output = run(&kit);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes: Vec<_> =
        report["scenarios"][0]["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
    assert!(codes.contains(&&Value::from("order-not-sent")), "{report:#}");
}

#[test]
fn bad_use_is_told_apart_from_a_bad_wallet() {
    for (arguments, word) in [
        (&["certify", "wallet"][..], "--drive"),
        (&["certify", "wallet", "--drive", "true", "--only", "no-such"], "answer-lost"),
        (&["certify", "wallet", "--drive", "true", "--id", "nobody"], "nobody"),
        (&["certify", "wallet", "--drive", "true", "--key", "no-such-file"], "no-such-file"),
        (&["certify", "check", "no-such-report.json"], "no-such-report"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{arguments:?}: {}", said(&output));
    }
}
