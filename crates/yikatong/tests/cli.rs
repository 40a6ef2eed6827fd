//! The binary as a person uses it: what it prints, how it ends, and what it says to bad input.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn yikatong() -> Command {
    Command::new(env!("CARGO_BIN_EXE_yikatong"))
}

fn run(arguments: &[&str]) -> Output {
    yikatong().args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", out(output), said(output)))
}

/// Ends with its code and says each of these words.
fn refuses(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    for word in words {
        assert!(said(&output).contains(word), "{arguments:?} does not say `{word}`: {}", said(&output));
    }
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
}

/// A process that is ended with the test.
struct Running(Child, Vec<String>);

impl Running {
    /// Starts it and takes its first lines of output.
    fn start(arguments: &[&str], lines: usize) -> Self {
        let mut child = yikatong().args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut read = Vec::new();
        for _ in 0..lines {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            read.push(line);
        }
        Running(child, read)
    }

    /// What stands behind the last blank or `://` of the line that begins with `name`.
    fn address(&self, name: &str) -> String {
        let line =
            self.1.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{:?}", self.1));
        line.split_whitespace()
            .find(|word| word.contains("127.0.0.1:"))
            .unwrap()
            .trim_end_matches(';')
            .to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn help_shows_every_command_with_an_example() {
    let help = out(&run(&["--help"]));
    for command in ["serve", "demo", "replay", "element", "card", "phone", "tap", "taps", "clear", "keys"] {
        assert!(help.contains(command), "{help}");
    }
    for command in
        [&["serve"][..], &["demo"], &["replay"], &["element", "serve"], &["tap"], &["taps", "make"]]
    {
        let help = out(&run(&[command, &["--help"]].concat()));
        assert!(help.contains("Example: yikatong"), "{command:?}: {help}");
    }
}

#[test]
fn a_demo_accounts_for_every_fen_and_repeats_itself() {
    let demo = |seed: &str| run(&["demo", "--passengers", "20", "--taps", "200", "--seed", seed, "--json"]);
    let first = demo("7");
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let books = json(&first);
    assert_eq!(books["identity"]["difference_fen"], 0);
    assert_eq!(books["positions_sum_fen"], 0);
    assert!(books["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true));
    assert_eq!(first.stdout, demo("7").stdout, "the same seed, byte for byte");
    assert_ne!(first.stdout, demo("8").stdout);
}

#[test]
fn a_transcript_and_the_published_roots_let_anyone_recompute() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apdus.jsonl");
    let path = file.to_str().unwrap();
    let output = run(&["demo", "--passengers", "3", "--taps", "10", "--transcript", path]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines: Vec<Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["command"].as_str().unwrap().starts_with("8052000")));
    assert!(lines.iter().all(|line| line["time"].as_str().unwrap().starts_with("2014-10-20")));
    let roots = json(&run(&["keys", "demo", "--json"]));
    assert_eq!(roots["roots"]["purchase"], "594B542050555243484153452E2E2E2E");
}

#[test]
fn made_taps_clear_and_their_planted_faults_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (day, cleared) = (folder.path().join("day"), folder.path().join("cleared"));
    let (day, cleared) = (day.to_str().unwrap(), cleared.to_str().unwrap());
    let made = json(&run(&["taps", "make", "--count", "3000", "--out", day, "--bad", "5000", "--json"]));
    assert_eq!(made["records"], 3000);
    assert!(made["planted"].as_u64().unwrap() > 0);
    let summary = json(&run(&["clear", "--taps", day, "--day", "2014-10-20", "--out", cleared, "--json"]));
    assert_eq!(summary["records"], 3000);
    assert_eq!(summary["net_sum_fen"], 0);
    let not_paid: u64 = summary["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|verdict| verdict["verdict"] != 0)
        .map(|verdict| verdict["records"].as_u64().unwrap())
        .sum();
    assert_eq!(not_paid, made["planted"].as_u64().unwrap());
    for table in ["flows.csv", "positions.csv", "verdicts.parquet", "summary.json"] {
        assert!(Path::new(cleared).join(table).exists(), "{table}");
    }
}

#[test]
fn a_damaged_file_is_refused_whole_and_named_and_the_others_clear() {
    let folder = tempfile::tempdir().unwrap();
    let (day, cleared) = (folder.path().join("day"), folder.path().join("cleared"));
    run(&["taps", "make", "--count", "2000", "--out", day.to_str().unwrap()]);
    let cux = fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path());
    let mut cux: Vec<_> =
        cux.filter(|path| path.extension().is_some_and(|extension| extension == "CUX")).collect();
    cux.sort();
    let bytes = fs::read(&cux[0]).unwrap();
    fs::write(&cux[0], &bytes[..bytes.len() - 10]).unwrap();
    let name = cux[0].file_name().unwrap().to_str().unwrap();
    let (day, cleared) = (day.to_str().unwrap(), cleared.to_str().unwrap());
    refuses(&["clear", "--taps", day, "--day", "2014-10-20", "--out", cleared], 1, &[name]);
    assert!(Path::new(cleared).join("positions.csv").exists());
}

#[test]
fn a_vault_is_made_by_custodians_and_opens_with_its_passphrase_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Components with their check values, as custodians write them down; OpenSSL computed the values.
    fs::write(path("a"), "00112233445566778899AABBCCDDEEFF FB0975\n".repeat(11)).unwrap();
    fs::write(path("b"), "0F1E2D3C4B5A69780796A5B4C3D2E130 438066\n".repeat(11)).unwrap();
    fs::write(path("typo"), "00112233445566778899AABBCCDDEEF0 FB0975\n".repeat(11)).unwrap();
    fs::write(path("pass"), "correct horse battery\n").unwrap();
    fs::write(path("other"), "another passphrase\n").unwrap();
    let vault = path("national.vault");
    let with = |pass: &str| ["--vault".to_owned(), vault.clone(), "--passphrase-file".to_owned(), path(pass)];
    let keys = |verb: &[&str], pass: &str| {
        yikatong().args(["keys", "--json"]).args(verb).args(with(pass)).output().unwrap()
    };
    let ceremony = |b: &str| keys(&["ceremony", "--component", &path("a"), "--component", &path(b)], "pass");

    for bad in ["a", "typo"] {
        let refused = ceremony(bad);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(!Path::new(&vault).exists(), "nothing is left behind");
    }
    let made = ceremony("b");
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert_eq!(json(&made), json(&keys(&["check"], "pass")));
    assert_eq!(keys(&["check"], "other").status.code(), Some(2));
    let again = ceremony("b");
    assert_eq!(again.status.code(), Some(2), "a ceremony never replaces a vault");

    fs::write(path("maker"), "00112233445566778899AABBCCDDEEFF FB0975\n".repeat(3)).unwrap();
    let maker = keys(&["add-maker", "--maker", "oppo", "--version", "1", "--file", &path("maker")], "pass");
    assert_eq!(maker.status.code(), Some(0), "{}", said(&maker));
    assert!(
        json(&keys(&["check"], "pass")).as_array().unwrap().len() > json(&made).as_array().unwrap().len()
    );

    fs::write(path("control"), "00112233445566778899AABBCCDDEEFF FB0975\n").unwrap();
    let control = path("control");
    let sam = |more: &[&str]| {
        let head = ["sam", "--control", &control, "--challenge", "5D72B3FD"];
        json(&keys(&[&head[..], more].concat(), "pass"))["write_key"].as_str().unwrap().to_owned()
    };
    let (psam, isam, national) = (sam(&["--city", "2000"]), sam(&["--city", "2000", "--load"]), sam(&[]));
    assert!(psam.starts_with("84D400001C") && psam.len() == 66, "{psam}");
    assert!(psam != isam && psam != national, "each module has its own key");
}

#[test]
fn bad_input_is_named_with_what_was_expected() {
    refuses(
        &["element", "serve", "--phone", "nokia-3310", "--listen", "127.0.0.1:0"],
        2,
        &["nokia-3310", "oppo-find7"],
    );
    refuses(&["card", "serve", "--city", "9999", "--listen", "127.0.0.1:0"], 2, &["9999"]);
    refuses(&["card", "serve", "--city", "20", "--listen", "127.0.0.1:0"], 2, &["4 digits"]);
    refuses(
        &["tap", "--card", "tcp:127.0.0.1:1", "--terminal", "FFFFFFFFFFFF"],
        2,
        &["FFFFFFFFFFFF", "registry"],
    );
    refuses(&["tap", "--card", "nfc:0", "--terminal", "200001010001"], 2, &["tcp:HOST:PORT"]);
    refuses(
        &[
            "tap",
            "--card",
            "file:/nowhere/card.state",
            "--terminal",
            "200001010001",
            "--data",
            "/tmp/yikatong-no-card",
        ],
        2,
        &["/nowhere/card.state"],
    );
    refuses(&["replay", "/nowhere.csv", "--city", "5180"], 2, &["/nowhere.csv"]);
    refuses(&["serve"], 2, &["--vault", "--demo"]);
    refuses(&["clear", "--taps", "/nowhere", "--day", "2014-10-20", "--out", "/tmp/x"], 2, &["/nowhere"]);
    refuses(&["demo", "--passengers", "0"], 2, &["--passengers"]);
}

#[test]
fn a_registry_typo_is_named_with_file_line_and_expectation() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("wallets")).unwrap();
    fs::write(
        folder.path().join("wallets/new-wallet.toml"),
        "name = { zh = \"新\", en = \"New\" }\nmax_order_fenn = 1\n",
    )
    .unwrap();
    let registry = folder.path().to_str().unwrap();
    refuses(&["keys", "demo", "--registry", registry], 2, &["wallets/new-wallet.toml:2", "max_order_fenn"]);
}

#[test]
fn a_replay_names_the_line_that_is_no_tap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taps.csv");
    let head = "card,at,kind,paid_fen,list_fen,equipment,company,place,gate_or_bus,transfer,clearing_day\n";
    fs::write(&file, format!("{head}a,2018-09-01 08:00:00,tram,1,1,1,c,p,g,0,2018-09-01\n")).unwrap();
    refuses(&["replay", file.to_str().unwrap(), "--city", "5180"], 2, &["line 2", "tram", "metro-in"]);
    let good = "a,2018-09-01 08:00:00,bus,160,200,1,c,p,g,0,2018-09-01\na,2018-09-01 08:30:00,metro-in,0,0,2,c,p,g,0,2018-09-01\na,2018-09-01 08:50:00,metro-out,435,500,3,c,p,g,1,2018-09-01\nb,2018-09-01 08:10:00,bus,100,200,1,c,p,g,0,2018-09-01\n";
    fs::write(&file, format!("{head}{good}")).unwrap();
    let report = json(&run(&["replay", file.to_str().unwrap(), "--city", "5180", "--json"]));
    assert_eq!(report["kinds"]["bus"]["as_the_file"], 1);
    assert_eq!(report["kinds"]["bus"]["concession"]["paid 50 % of the list fare"], 1);
    assert_eq!(report["kinds"]["metro-out"]["as_the_file"], 1, "0.95 x list - 0.40 after a bus");
}

#[test]
fn what_a_replay_has_charged_can_be_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, taps, out) = (path("taps.csv"), path("taps"), path("out"));
    let rows = "a,2018-09-01 08:00:00,bus,160,200,1,c,p,g,0,2018-09-01\na,2018-09-01 08:30:00,metro-in,0,0,2,c,p,g,0,2018-09-01\na,2018-09-01 08:50:00,metro-out,435,500,3,c,p,g,1,2018-09-01\n";
    let head = "card,at,kind,paid_fen,list_fen,equipment,company,place,gate_or_bus,transfer,clearing_day\n";
    fs::write(&file, format!("{head}{rows}")).unwrap();
    assert!(run(&["replay", &file, "--city", "5180", "--data", &taps]).status.success());
    let cleared = json(&run(&["clear", "--taps", &taps, "--day", "2018-09-01", "--out", &out, "--json"]));
    assert_eq!((&cleared["records"], &cleared["amount_fen"]), (&Value::from(3), &Value::from(160 + 435)));
    let verdicts = cleared["verdicts"].as_array().unwrap();
    assert!(verdicts.iter().all(|row| row["reason"] == "accepted" || row["records"] == 0), "{cleared}");
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refuses(&["serve", "--demo", "--listen", &address], 2, &[&address, "--listen"]);
    refuses(&["element", "serve", "--phone", "oppo-n1", "--listen", &address], 2, &[&address, "--listen"]);
}

/// The README's two terminals, word for word but for the ports.
#[test]
fn a_passenger_gets_loads_and_taps_a_card_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let state = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let free = "127.0.0.1:0";
    let serve = Running::start(
        &["serve", "--demo", "--listen", free, "--wallet-listen", free, "--street-listen", free],
        4,
    );
    let (centre, wallet) = (serve.address("centre"), serve.address("wallet"));
    let element = Running::start(
        &["element", "serve", "--phone", "oppo-find7", "--listen", free, "--state", &state("phone.state")],
        1,
    );
    let phone_card = format!("tcp:{}", element.address("OPPO"));
    let card = Running::start(
        &["card", "serve", "--city", "3150", "--listen", free, "--state", &state("card.state")],
        1,
    );
    let plastic_card = format!("tcp:{}", card.address("plastic"));
    let phone = |card: &str, what: &[&str]| {
        let head = ["phone", "--json", "--centre", &centre, "--wallet", &wallet, "--card", card];
        run(&[&head[..], what].concat())
    };
    let readers = state("readers");
    let tap = |card: &str, what: &[&str]| {
        run(&[&["tap", "--json", "--data", &readers, "--card", card][..], what].concat())
    };

    assert_eq!(json(&phone(&phone_card, &["issue", "--city", "2000"]))["state"], "done");
    assert_eq!(json(&phone(&phone_card, &["load", "--amount", "5000"]))["balance_fen"], 5000);
    let bus = json(&tap(&phone_card, &["--terminal", "200001010001"]));
    assert_eq!((&bus["outcome"], &bus["balance_fen"]), (&Value::from("accepted"), &Value::from(4800)));
    let gate = json(&tap(&phone_card, &["--terminal", "214002010001", "--entry"]));
    assert_eq!(gate["amount_fen"], 0);
    assert_eq!(json(&phone(&phone_card, &["read"]))["balance_fen"], 4800);
    assert_eq!(
        json(&phone(&plastic_card, &["load", "--amount", "10000", "--plastic"]))["balance_fen"],
        10000
    );

    let again = phone(&phone_card, &["issue", "--city", "2000"]);
    assert_ne!(again.status.code(), Some(0), "one card of a city on a phone: {}", out(&again));
    let full = phone(&phone_card, &["load", "--amount", "99000"]);
    assert_eq!(full.status.code(), Some(1), "over the purse's limit: {}{}", out(&full), said(&full));
    let wrong = phone(&phone_card, &["--password", "000000", "load", "--amount", "100"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("密码"), "{}", said(&wrong));
    let empty = tap(&format!("file:{}", state("nobody.state")), &["--terminal", "200001010001"]);
    assert_eq!(empty.status.code(), Some(2));
}

#[test]
fn a_card_s_state_file_is_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("card.state");
    let path = state.to_str().unwrap();
    let first =
        Running::start(&["card", "serve", "--city", "2000", "--listen", "127.0.0.1:0", "--state", path], 1);
    drop(first); // killed, not asked
    let card = format!("file:{path}");
    let readers = folder.path().join("readers");
    let output =
        run(&["tap", "--card", &card, "--terminal", "200001010001", "--data", readers.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("balance"), "{}", said(&output));
    fs::write(&state, b"YKC1 damaged").unwrap();
    refuses(
        &["tap", "--card", &card, "--terminal", "200001010001", "--data", readers.to_str().unwrap()],
        2,
        &["card.state"],
    );
}

/// The centre, the wallet and the phone are killed, not asked, and go on where they were.
#[test]
fn a_killed_network_goes_on_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, state) = (path("data"), path("phone.state"));
    let free = "127.0.0.1:0";
    let life = |what: &[&str]| {
        let serve = [
            "serve",
            "--demo",
            "--data",
            &data,
            "--listen",
            free,
            "--wallet-listen",
            free,
            "--street-listen",
            free,
        ];
        let serve = Running::start(&serve, 4);
        let element = Running::start(
            &["element", "serve", "--phone", "oppo-n1", "--listen", free, "--state", &state],
            1,
        );
        let (centre, wallet) = (serve.address("centre"), serve.address("wallet"));
        let card = format!("tcp:{}", element.address("OPPO"));
        let head = [
            "phone",
            "--json",
            "--phone",
            "oppo-n1",
            "--user",
            "rider",
            "--password",
            "864209",
            "--centre",
            &centre,
        ];
        json(&run(&[&head[..], &["--wallet", &wallet, "--card", &card], what].concat()))
    };
    assert_eq!(life(&["issue", "--city", "3500"])["state"], "done");
    assert_eq!(life(&["load", "--amount", "3000"])["balance_fen"], 3000);
    assert_eq!(life(&["load", "--amount", "2000"])["balance_fen"], 5000);
    assert_eq!(life(&["read"])["balance_fen"], 5000);
}

/// A virtual reader that asks for the answer to reset and selects the issuer's security domain.
#[test]
fn an_element_goes_into_a_virtual_reader() {
    use std::io::{Read, Write};
    let reader = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reader.local_addr().unwrap().to_string();
    let mut child =
        yikatong().args(["element", "serve", "--phone", "xiaomi-mi3", "--vpcd", &address]).spawn().unwrap();
    let (mut card, _) = reader.accept().unwrap();
    let mut exchange = |frame: &[u8]| {
        card.write_all(frame).unwrap();
        let mut length = [0; 2];
        card.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        card.read_exact(&mut answer).unwrap();
        answer
    };
    assert_eq!(exchange(&[0, 1, 4]), [0x3B, 0x80, 0x80, 0x01, 0x01]);
    let fci = exchange(&[0, 5, 0x00, 0xA4, 0x04, 0x00, 0x00]);
    assert!(fci.starts_with(&[0x6F]) && fci.ends_with(&[0x90, 0x00]), "{fci:02X?}");
    drop(card);
    child.kill().unwrap();
    child.wait().unwrap();
}
