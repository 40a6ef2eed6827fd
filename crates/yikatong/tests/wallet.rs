//! The reference wallet as a process of its own, against a real centre: killed, restarted, and locked out.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const FREE: &str = "127.0.0.1:0";

/// A process that is ended with the test, the address in its first line, and its output: a process whose output nobody
/// reads ends.
struct Running(Child, String, #[allow(dead_code)] BufReader<ChildStdout>); // held, not read

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yikatong"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let word = line.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap();
        let address = word.trim_start_matches("http://").trim_end_matches(';').to_owned();
        Running(child, address, lines)
    }

    fn centre(listen: &str, data: &Path) -> Self {
        let data = data.to_str().unwrap();
        let doors = ["--listen", listen, "--wallet-listen", FREE, "--street-listen", FREE];
        Running::start(&[&["serve", "--demo", "--data", data], &doors[..]].concat())
    }

    fn wallet(listen: &str, centre: &str, data: &Path) -> Self {
        let centre = format!("http://{centre}");
        let data = data.to_str().unwrap();
        Running::start(&[
            "wallet",
            "--demo",
            "--id",
            "wechat-pay",
            "--centre",
            &centre,
            "--data",
            data,
            "--listen",
            listen,
        ])
    }

    /// `kill -9`.
    fn kill(mut self) -> String {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        self.1.clone()
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.post(format!("http://{}{path}", self.1)).send_json(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        ureq::get(format!("http://{}{path}", self.1)).call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(password: &str, request: &str) -> Value {
    json!({"name": "li", "password": password, "plastic": true, "amount_fen": 5000, "request": request})
}

#[test]
fn a_locked_password_stays_locked_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Running::wallet(FREE, "127.0.0.1:9", folder.path());
    assert_eq!(wallet.post("/app/register", &json!({"name": "li", "password": "246800"})).0, 200);
    for _ in 0..4 {
        let (status, said) = wallet.post("/app/load", &load("000000", "a"));
        assert_eq!((status, said["code"].as_str()), (403, Some("password-wrong")), "{said}");
    }
    let (status, locked) = wallet.post("/app/load", &load("000000", "a"));
    assert_eq!((status, locked["code"].as_str()), (423, Some("password-locked")), "{locked}");
    let address = wallet.kill();
    let wallet = Running::wallet(&address, "127.0.0.1:9", folder.path());
    let (status, again) = wallet.post("/app/load", &load("246800", "a"));
    assert_eq!((status, &again), (423, &locked), "the right password, and the same hour of unlocking");
    let me = wallet.get("/app/me?name=li");
    assert_eq!((&me["available_fen"], &me["held_fen"]), (&json!(100_000), &json!(0)));
}

#[test]
fn a_killed_wallet_and_a_killed_centre_lose_no_order_and_no_fen() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("wallet"), folder.path().join("centre"));
    let centre = Running::centre(FREE, &theirs);
    let wallet = Running::wallet(FREE, &centre.1, &ours);
    wallet.post("/app/register", &json!({"name": "li", "password": "246800"}));
    let centre = centre.kill();
    let (status, order) = wallet.post("/app/load", &load("246800", "a"));
    assert_eq!((status, order["state"].as_str()), (200, Some("unknown")), "{order}");
    let wallet = wallet.kill();
    let wallet = Running::wallet(&wallet, &centre, &ours);
    let (_, again) = wallet.post("/app/load", &load("246800", "a"));
    assert_eq!(again["id"], order["id"], "the app's request stands for one order");
    let me = wallet.get("/app/me?name=li");
    assert_eq!((&me["available_fen"], &me["held_fen"]), (&json!(95_000), &json!(5000)));

    let centre = Running::centre(&centre, &theirs);
    let path = format!("/app/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(wallet.get(&path)["state"], "created", "asked, the wallet sends it again");
    let (_, whole) = wallet.post("/app/load", &load("246800", "a"));
    let card = folder.path().join("card.state");
    let card = card.to_str().unwrap();
    let chip = Running::start(&["card", "serve", "--city", "2000", "--listen", FREE, "--state", card]);
    let _ = chip.kill(); // made, and in its file
    let session = whole["session"]["id"].as_str().unwrap();
    let phone = Command::new(env!("CARGO_BIN_EXE_yikatong"))
        .args(["phone", "--centre", &format!("http://{}", centre.1), "--card", &format!("file:{card}")])
        .args(["session", session, "--plastic"])
        .output()
        .unwrap();
    assert!(phone.status.success(), "{}", String::from_utf8_lossy(&phone.stderr));
    let by = Instant::now() + Duration::from_secs(30);
    let me = loop {
        let me = wallet.get("/app/me?name=li");
        if me["held_fen"] == 0 || Instant::now() > by {
            break me; // the wallet asked by itself
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!((&me["available_fen"], &me["held_fen"]), (&json!(95_000), &json!(0)), "{me}");
    assert_eq!(me["orders"].as_array().unwrap().len(), 1);
    assert_eq!(me["orders"][0]["balance_fen"], 5000);
}

#[test]
fn a_signing_key_is_read_from_a_file_or_refused_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    for good in [file("key.pem", pem), file("key.hex", &format!("{}\n", "5a".repeat(32)))] {
        let wallet =
            Running::start(&["wallet", "--centre", "http://127.0.0.1:9", "--key", &good, "--listen", FREE]);
        let (_, said) =
            wallet.post("/app/top-up", &json!({"name": "li", "password": "246800", "amount_fen": 1}));
        assert_eq!(said["code"], "demo-only", "with a key of its own it gives no money away");
    }
    let refuses = |arguments: &[&str], word: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_yikatong")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word) && !said.contains("5a5a"), "{said}");
    };
    let wallet = ["wallet", "--centre", "http://127.0.0.1:9"];
    refuses(&wallet, "--demo");
    refuses(&[&wallet[..], &["--demo", "--key", "x"]].concat(), "cannot be used with");
    refuses(&[&wallet[..], &["--key", "no-such-file"]].concat(), "no-such-file");
    refuses(&[&wallet[..], &["--key", &file("short", "5a5a")]].concat(), "64 hex digits");
    refuses(
        &[&wallet[..], &["--key", &file("rsa.pem", &pem.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vx"))]]
            .concat(),
        "PKCS#8",
    );
    refuses(&["wallet", "--demo", "--centre", "127.0.0.1:9"], "http://");
    refuses(&["wallet", "--demo", "--centre", "http://127.0.0.1:9", "--id", "nobody"], "nobody");
}
