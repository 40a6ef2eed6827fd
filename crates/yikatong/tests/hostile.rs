//! The binary against those who mean it ill, and against a full disk: a clear word, an exit code, nothing half done.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn yikatong() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yikatong"))
}

/// Ends with its code and says this.
fn refuses(arguments: &[&str], code: i32, word: &str) {
    let output = yikatong().args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(word) && !said.contains("panicked"), "{arguments:?} does not say `{word}`: {said}");
}

/// A demo network, ended with the test: process, and the addresses of centre, wallet and street.
struct Demo(Child, [String; 3]);

impl Demo {
    fn start() -> Self {
        let any = "127.0.0.1:0";
        let arguments = ["serve", "--demo", "--listen", any, "--wallet-listen", any, "--street-listen", any];
        let mut child = yikatong().args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || lines.next().unwrap().unwrap().split_whitespace().last().unwrap().to_owned();
        let addresses = [address(), address(), address()];
        lines.next();
        Demo(child, addresses)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers each command with a frame of no bytes.
fn nonsense(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut payload).unwrap();
            let answer: &[u8] = match payload.as_slice() {
                [4] => &[0, 2, 0x3B, 0],
                [_] => &[],
                _ => &[0, 0],
            };
            stream.write_all(answer).unwrap();
        }
    }
}

#[test]
fn a_card_that_answers_nonsense_fails_the_order_and_says_so() {
    let demo = Demo::start();
    let [centre, wallet, street] = demo.1.each_ref().map(String::as_str);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let card = format!("tcp:{}", listener.local_addr().unwrap());
    std::thread::spawn(move || nonsense(&listener));
    let load = |wallet, amount, code, word| {
        let head = ["phone", "--centre", centre, "--wallet", wallet, "--card", &card];
        refuses(&[&head[..], &["load", "--amount", amount, "--plastic"]].concat(), code, word);
    };
    load(wallet, "100", 1, "the card is gone");
    load(wallet, "0", 2, "amount-not-positive");
    load(street, "100", 1, "answered 404");
    refuses(
        &["phone", "--centre", centre, "--card", &card, "session", "none", "--plastic"],
        1,
        "unknown-session",
    );
}

#[cfg(unix)]
#[test]
fn a_client_that_never_finishes_does_not_keep_the_centre_open() {
    let mut demo = Demo::start();
    let mut slow = TcpStream::connect(demo.1[0].trim_start_matches("http://")).unwrap();
    slow.write_all(b"POST /gp/seram/handshake?sessionId=x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300)); // until the request is under way
    assert!(Command::new("kill").args(["-INT", &demo.0.id().to_string()]).status().unwrap().success());
    let ended = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        demo.0.try_wait().unwrap().is_some_and(|status| status.success())
    });
    assert!(ended, "ten seconds after Ctrl-C");
}

#[test]
fn a_result_that_cannot_be_written_leaves_the_earlier_one_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (taps, out) = (path("taps"), path("out"));
    let clear = ["clear", "--taps", &taps, "--day", "2014-10-20", "--out", &out];
    let made = yikatong().args(["taps", "make", "--count", "40", "--out", &taps]).output().unwrap();
    assert!(made.status.success());
    fs::create_dir_all(path("out/summary.json.new")).unwrap(); // the last of the four cannot be written
    fs::write(path("out/flows.csv"), "yesterday's").unwrap();
    refuses(&clear, 2, "summary.json");
    assert_eq!(fs::read_to_string(path("out/flows.csv")).unwrap(), "yesterday's");
    let mut left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["flows.csv", "summary.json.new"]);
}

#[test]
fn a_demo_does_not_begin_in_the_books_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = ["demo", "--passengers", "3", "--taps", "5", "--data", data.to_str().unwrap()];
    assert!(yikatong().args(demo).output().unwrap().status.success());
    refuses(&demo, 2, "is not empty");
}

#[test]
fn a_file_without_taps_is_no_replay() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.csv");
    fs::write(&file, "").unwrap();
    refuses(&["replay", file.to_str().unwrap(), "--city", "5180"], 2, "no taps");
}
