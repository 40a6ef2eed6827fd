//! `cargo xtask test phones`: every phone model of the registry as its own process behind a socket, with a centre and a wallet
//! beside it: three cards, loads, each card active in its turn and tapped, one taken off again. What an issue and a load
//! cost is counted on the wire, printed, and held against the table in `docs/phones.md`.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::print_stdout)] // a test may fail loudly; this one prints

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use model::registry::{Phone, Quirk, Registry};
use serde_json::Value;

const FREE: &str = "127.0.0.1:0";
/// A bus reader in Shanghai, whose cards' cities all are joined.
const READER: &str = "200001010001";

struct Running(Child, Vec<String>);

impl Running {
    /// Starts it and takes its first lines of output.
    fn start(arguments: &[&str], lines: usize) -> Self {
        let command = &mut Command::new(env!("CARGO_BIN_EXE_yikatong"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let read = (0..lines).map(|_| {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line
        });
        let read = read.collect();
        Running(child, read)
    }

    /// The address in the line that begins with `name`.
    fn address(&self, name: &str) -> String {
        let line =
            self.1.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{:?}", self.1));
        let word = line.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap();
        word.trim_end_matches(';').trim_start_matches("http://").to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Passes everything on to the centre and counts what phones post to it.
struct Counted {
    address: String,
    posts: Arc<AtomicUsize>,
}

impl Counted {
    fn before(centre: &str) -> Self {
        let listener = TcpListener::bind(FREE).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (posts, centre) = (Arc::new(AtomicUsize::new(0)), centre.to_owned());
        let counted = posts.clone();
        thread::spawn(move || {
            for phone in listener.incoming().map_while(Result::ok) {
                let Ok(centre) = TcpStream::connect(&centre) else { continue };
                let (back, to) = (centre.try_clone().unwrap(), phone.try_clone().unwrap());
                let counted = counted.clone();
                thread::spawn(move || pass(phone, centre, &counted));
                thread::spawn(move || pass(back, to, &AtomicUsize::new(0)));
            }
        });
        Counted { address, posts }
    }

    /// Since the last time.
    fn take(&self) -> usize {
        self.posts.swap(0, Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, posts: &AtomicUsize) {
    let mut bytes = [0; 65536];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let head = b"POST /gp/seram/";
        posts.fetch_add(usize::from(bytes[..length].starts_with(head)), Ordering::SeqCst);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// HTTP exchanges and commands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    posts: usize,
    apdus: usize,
}

struct Network {
    _serve: Running,
    wallet: String,
    centre: Counted,
    folder: tempfile::TempDir,
}

/// One phone of the network.
struct Held<'a> {
    network: &'a Network,
    id: &'a str,
    card: String,
    /// Commands with which the phone finds out which element it has, before any order.
    known: usize,
}

impl Network {
    fn new() -> Self {
        let doors = ["--listen", FREE, "--wallet-listen", FREE, "--street-listen", FREE];
        let serve = Running::start(&[&["serve", "--demo", "--quiet"][..], &doors].concat(), 4);
        let (centre, wallet) = (Counted::before(&serve.address("centre")), serve.address("wallet"));
        Network {
            wallet: format!("http://{wallet}"),
            centre,
            _serve: serve,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Held<'_> {
    fn run(&self, transcript: &Path, what: &[&str]) -> Output {
        let centre = format!("http://{}", self.network.centre.address);
        let head = ["phone", "--json", "--phone", self.id, "--user", self.id, "--password", "864209"];
        let tail =
            ["--centre", &centre, "--wallet", &self.network.wallet, "--card", &self.card, "--transcript"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_yikatong"));
        command.args(head).args(tail).arg(transcript).args(what).output().unwrap()
    }

    /// What is ordered is done, and costs that much.
    fn does(&self, what: &[&str]) -> (Value, Cost) {
        let transcript = self.network.path("transcript.jsonl");
        self.network.centre.take();
        let output = self.run(&transcript, what);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {what:?}: {said}", self.id);
        let answer = serde_json::from_slice(&output.stdout).unwrap();
        let apdus = fs::read_to_string(&transcript).unwrap().lines().count() - self.known;
        (answer, Cost { posts: self.network.centre.take(), apdus })
    }

    /// What is left in the purse that a reader meets.
    fn tap(&self) -> i64 {
        let readers = self.network.path("readers");
        let mut command = Command::new(env!("CARGO_BIN_EXE_yikatong"));
        command.args(["tap", "--json", "--card", &self.card, "--terminal", READER, "--data"]).arg(&readers);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}: {said}", self.id));
        assert_eq!(answer["outcome"], "accepted", "{}: {answer}", self.id);
        answer["balance_fen"].as_i64().unwrap()
    }
}

/// All that a passenger does with a phone; the cost of its first issue and its first load.
fn lived(network: &Network, phone: &Phone) -> [Cost; 2] {
    let element = Running::start(&["element", "serve", "--phone", &phone.id, "--listen", FREE], 1);
    let card = format!("tcp:{}", element.address(""));
    let mut held = Held { network, id: &phone.id, card, known: 0 };
    held.known = held.does(&["identity"]).1.apdus;
    let issue = held.does(&["issue", "--city", "2000"]).1;
    let (loaded, load) = held.does(&["load", "--city", "2000", "--amount", "5000"]);
    assert_eq!(loaded["balance_fen"], 5000, "{}", phone.id);
    held.does(&["issue", "--city", "3150"]);
    held.does(&["load", "--city", "3150", "--amount", "3000"]);
    held.does(&["issue", "--city", "5180"]);
    // Each in its turn: the balance tells which card the reader met.
    for (city, before) in [("3150", 3000), ("2000", 5000)] {
        held.does(&["activate", "--city", city]);
        let left = held.tap();
        assert!((before - 300..before).contains(&left), "{}: {left} of {before}", phone.id);
    }
    if phone.element.crs && !phone.element.quirks.contains(&Quirk::OneActiveCard) {
        held.does(&["activate", "--city", "3150", "--next-tap"]);
        assert!(held.tap() < 3000, "{}: the next tap", phone.id);
    } else {
        let refused =
            held.run(&network.path("transcript.jsonl"), &["activate", "--city", "3150", "--next-tap"]);
        assert!(!refused.status.success(), "{}", phone.id);
        assert!(held.tap() > 3000, "{}: the card before is active still", phone.id);
    }
    held.does(&["activate", "--city", "5180"]);
    held.does(&["delete", "--city", "5180"]);
    held.does(&["activate", "--city", "2000"]);
    assert!(held.tap() < 5000, "{}", phone.id);
    [issue, load]
}

/// One line of the table.
fn line(registry: &Registry, phone: &Phone, [issue, load]: [Cost; 2], chinese: bool) -> String {
    let element = &phone.element;
    let (maker, model) = match chinese {
        true => (&phone.maker.zh, &phone.model.zh),
        false => (&phone.maker.en, &phone.model.en),
    };
    let quirk = |quirk: &Quirk| format!("`{}`", word(*quirk));
    let mut habits: Vec<String> = element.quirks.iter().map(quirk).collect();
    if !element.crs {
        habits.push(if chinese { "无 CRS".into() } else { "no CRS".into() });
    }
    format!(
        "| `{}` | {maker} {model} | {} | {} | {} | {} | {} | {} | {} |\n",
        phone.id,
        channel(registry, phone),
        element.max_apdu,
        habits.join(" "),
        issue.posts,
        issue.apdus,
        load.posts,
        load.apdus
    )
}

/// The secure channel as the phone's file names it.
fn channel<'a>(registry: &'a Registry, phone: &Phone) -> &'a str {
    let path = format!("phones/{}.toml", phone.id);
    let (_, text) = registry.files().find(|(file, _)| *file == path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("scp = ")).unwrap();
    line.split('"').nth(1).unwrap()
}

const fn word(quirk: Quirk) -> &'static str {
    match quirk {
        Quirk::GetResponse => "get-response",
        Quirk::ExactLe => "exact-le",
        Quirk::OneByteInstallLengths => "one-byte-install-lengths",
        Quirk::OneActiveCard => "one-active-card",
    }
}

#[test]
fn every_phone_lives_a_passengers_day_and_costs_what_the_docs_say() {
    let registry = Registry::embedded().unwrap();
    let network = Network::new();
    let costs: Vec<_> = registry.phones().map(|phone| (phone, lived(&network, phone))).collect();
    for (page, chinese) in [("docs/phones.md", false), ("docs/zh/phones.md", true)] {
        let mut table = String::new();
        costs.iter().for_each(|(phone, cost)| table.push_str(&line(&registry, phone, *cost, chinese)));
        println!("{table}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
        let text = fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once("|---|---|---|---|---|---|---|---|---|\n").unwrap();
        let tail = rest.split_once("\n\n").map_or("", |(_, tail)| tail);
        let mut expected = String::new();
        write!(expected, "{head}|---|---|---|---|---|---|---|---|---|\n{table}\n{tail}").unwrap();
        if std::env::var_os("YIKATONG_WRITE").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        assert!(text == expected || std::env::var_os("YIKATONG_WRITE").is_some(), "{page} says otherwise");
    }
}
