//! The processes: centre, wallet, a plastic card on a socket, and a phone for each load.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use centre::http::{Target, demo_signing_key, sign};
use serde_json::{Value, json};

const FREE: &str = "127.0.0.1:0";
const WALLET: &str = "wechat-pay";
const PASSENGER: &str = "li";
const PASSWORD: &str = "246800";

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Centre,
    Wallet,
    Card,
    Phone,
}

impl Victim {
    pub(crate) const ALL: [Victim; 4] = [Victim::Centre, Victim::Wallet, Victim::Card, Victim::Phone];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Victim::Centre => "centre",
            Victim::Wallet => "wallet",
            Victim::Card => "card",
            Victim::Phone => "phone",
        }
    }
}

/// A process that says its address in its first line; its output is held open.
struct Running {
    child: Child,
    address: String,
    _lines: BufReader<ChildStdout>,
}

/// A load under way.
pub(crate) struct Phone(Child);

/// All of them, and what they keep.
pub(crate) struct Network {
    binary: String,
    database: Option<String>,
    folder: tempfile::TempDir,
    centre: Option<Running>,
    wallet: Option<Running>,
    card: Option<Running>,
    /// The addresses, which stay the same over every kill.
    at: [String; 3],
    nonce: u64,
}

impl Running {
    fn start(binary: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(binary);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a process");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        lines.read_line(&mut line).expect("its first line");
        let word = line.split_whitespace().find(|word| word.contains("127.0.0.1:"));
        let word = word.unwrap_or_else(|| panic!("no address in `{line}` of {arguments:?}"));
        let address = word.trim_start_matches("http://").trim_end_matches([';', ',', '.']).to_owned();
        Running { child, address, _lines: lines }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // -9
        let _ = self.child.wait();
    }
}

impl Phone {
    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
    }

    /// Whether it ends by itself, in time and with its load done; one that does not is killed.
    pub(crate) fn ends_well(mut self, patience: Duration) -> bool {
        let by = Instant::now() + patience;
        loop {
            match self.0.try_wait().expect("a child") {
                Some(status) => return status.success(),
                None if Instant::now() > by => self.kill(),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Network {
    /// Everybody, on free ports; a passenger with the demo's opening balance.
    pub(crate) fn start(binary: &str, database: Option<String>) -> Network {
        let folder = tempfile::tempdir().expect("a folder");
        let at = [FREE.to_owned(), FREE.to_owned(), FREE.to_owned()];
        let mut network = Network {
            binary: binary.into(),
            database,
            folder,
            centre: None,
            wallet: None,
            card: None,
            at,
            nonce: 0,
        };
        network.revive();
        network.post("/app/register", &json!({ "name": PASSENGER, "password": PASSWORD }));
        network
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().expect("a plain path").to_owned()
    }

    /// Whoever is not there comes back, on its old address and from its own folder.
    pub(crate) fn revive(&mut self) {
        if self.centre.is_none() {
            let folder = self.path("centre");
            let mut words = vec!["serve", "--demo", "--quiet", "--data", &folder, "--listen", &self.at[0]];
            words.extend(["--wallet-listen", FREE, "--street-listen", FREE]);
            if let Some(url) = &self.database {
                words.extend(["--database", url]);
            }
            self.centre = Some(Running::start(&self.binary, &words));
            self.at[0].clone_from(&self.centre.as_ref().expect("just started").address);
        }
        if self.wallet.is_none() {
            let (folder, centre) = (self.path("wallet"), format!("http://{}", self.at[0]));
            let words = ["wallet", "--demo", "--id", WALLET, "--centre", &centre, "--data", &folder];
            let words = [&words[..], &["--listen", &self.at[1], "--timeout", "5"]].concat();
            self.wallet = Some(Running::start(&self.binary, &words));
            self.at[1].clone_from(&self.wallet.as_ref().expect("just started").address);
        }
        if self.card.is_none() {
            let state = self.path("card.state");
            let words = ["card", "serve", "--city", "2000", "--listen", &self.at[2], "--state", &state];
            self.card = Some(Running::start(&self.binary, &words));
            self.at[2].clone_from(&self.card.as_ref().expect("just started").address);
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Centre => self.centre = None,
            Victim::Wallet => self.wallet = None,
            Victim::Card => self.card = None,
            Victim::Phone => {}
        }
    }

    fn phone(&self, job: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        let [centre, wallet, card] = &self.at;
        command.args(["--json", "phone", "--user", PASSENGER, "--password", PASSWORD]);
        command.args(["--centre", &format!("http://{centre}"), "--wallet", &format!("http://{wallet}")]);
        command.args(["--card", &format!("tcp:{card}")]).args(job);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// A load begins.
    pub(crate) fn load(&self, fen: u32) -> Phone {
        Phone(self.phone(&["load", "--plastic", "--amount", &fen.to_string()]).spawn().expect("a phone"))
    }

    /// The session of an order is carried out anew; asked for it, the wallet sends an order again that the centre lacks.
    pub(crate) fn carry_out(&mut self, id: &str) {
        self.get(&format!("/app/orders/{id}"));
        let stored = self.signed("GET", &format!("/v1/orders/{id}"), WALLET, b"");
        let session = stored["session"]["id"].as_str().expect("its session");
        self.phone(&["session", session, "--plastic"]).output().expect("a phone");
        self.get(&format!("/app/orders/{id}"));
    }

    /// What the chip itself says it holds, in fen.
    pub(crate) fn purse(&mut self) -> i64 {
        let output = self.phone(&["read", "--plastic"]).output().expect("a phone");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        said["balance_fen"].as_i64().unwrap_or_else(|| panic!("the card was not read: {said}"))
    }

    /// What the wallet shows the passenger.
    pub(crate) fn me(&self) -> Value {
        self.get(&format!("/app/me?name={PASSENGER}"))
    }

    /// The wallet's file of today: one line an order.
    fn file(&self) -> String {
        let path = format!("http://{}/app/days/{}/file", self.at[1], today());
        ureq::get(path).call().expect("the day's file").body_mut().read_to_string().expect("the day's file")
    }

    /// The orders whose money the wallet holds.
    pub(crate) fn open(&self) -> Vec<String> {
        let held = |line: &str| line.split(',').nth(4) == Some("held");
        let id = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
        self.file().lines().filter(|line| held(line)).map(id).collect()
    }

    /// The wallet's file of today goes to the centre, and the centre matches: what it came to, and what differs.
    pub(crate) fn matched(&mut self) -> (Value, Vec<Value>) {
        let (day, file) = (today(), self.file());
        self.signed("PUT", &format!("/v1/days/{day}/file"), WALLET, file.as_bytes());
        self.signed("POST", &format!("/v1/days/{day}/match"), "centre", b"");
        let matched = self.signed("GET", &format!("/v1/days/{day}/match"), WALLET, b"");
        let cases = self.signed("GET", "/v1/cases", WALLET, b"");
        let all = cases["cases"].as_array().cloned().unwrap_or_default();
        // Nobody else loads this card, so a load by others would be one of ours that was taken for theirs.
        let wrong = |case: &Value| case["state"] == "open" || case["kind"] == "loaded-elsewhere";
        (matched, all.into_iter().filter(wrong).collect())
    }

    fn signed(&mut self, method: &str, path: &str, keyid: &str, body: &[u8]) -> Value {
        self.nonce += 1;
        let created = now();
        let nonce = format!("kills-{created}-{}", self.nonce);
        let target = Target { method, path, query: None };
        let headers =
            sign(&demo_signing_key(keyid), keyid, &nonce, created, target, body).expect("a signature");
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.at[0]))
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.run(request.body(body.to_vec()).expect("a request")).expect("an answer");
        let status = answer.status();
        let said: Value = answer.body_mut().read_json().unwrap_or_default();
        assert!(status.is_success(), "{method} {path}: {status} {said}");
        said
    }

    fn post(&self, path: &str, body: &Value) {
        ureq::post(format!("http://{}{path}", self.at[1])).send_json(body).expect("the wallet");
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("http://{}{path}", self.at[1])).call().expect("the wallet");
        answer.body_mut().read_json().expect("JSON")
    }
}

fn today() -> String {
    model::CardTime::from_unix_seconds(now()).date().to_string()
}

/// Unix time.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_secs()).expect("a clock")
}
