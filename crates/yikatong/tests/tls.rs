//! A centre in TLS that asks for client certificates; a wallet and a phone that load a card through it.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const FREE: &str = "127.0.0.1:0";

/// A process that is ended with the test, its first line, and its output.
struct Running(Child, String, #[allow(dead_code)] BufReader<ChildStdout>); // held, not read

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = yikatong(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        Running(child, line, lines)
    }

    fn url(&self) -> &str {
        self.1.split_whitespace().find(|word| word.starts_with("http")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn yikatong(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yikatong"));
    command.args(arguments);
    command
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `NAME.pem` and `NAME.key` into the folder.
fn issue(folder: &Path, by: &CertifiedIssuer<'static, KeyPair>, name: &str, of: &str) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![of.to_owned()]).unwrap().signed_by(&key, by).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[test]
fn a_card_is_loaded_through_tls_by_a_wallet_that_shows_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ours, other) = (authority(), authority());
    fs::write(path("ca.pem"), ours.pem()).unwrap();
    fs::write(path("other.pem"), other.pem()).unwrap();
    issue(folder.path(), &ours, "centre", "127.0.0.1");
    issue(folder.path(), &ours, "wallet", "pay.wechat.example");
    fs::create_dir_all(path("registry/wallets")).unwrap();
    let facts = "name = { zh = \"微信支付\", en = \"WeChat Pay\" }\nmax_order_fen = 50000\n";
    let facts = format!("{facts}certificates = [\"pay.wechat.example\"]\n");
    fs::write(path("registry/wallets/wechat-pay.toml"), facts).unwrap();

    let (registry, ca) = (path("registry"), path("ca.pem"));
    let doors = ["--listen", FREE, "--wallet-listen", FREE, "--street-listen", FREE];
    let (certificate, key) = (path("centre.pem"), path("centre.key"));
    let tls = ["--tls-cert", &certificate, "--tls-key", &key, "--client-ca", &ca];
    let serve = ["serve", "--demo", "--quiet", "--registry", &registry];
    let centre = Running::start(&[&serve[..], &doors, &tls].concat());
    assert!(centre.url().starts_with("https://"), "{}", centre.1);

    let wallet = |own: &[&str]| {
        let head = [
            "wallet",
            "--demo",
            "--id",
            "wechat-pay",
            "--centre",
            centre.url(),
            "--listen",
            FREE,
            "--ca",
            &ca,
        ];
        Running::start(&[&head[..], own].concat())
    };
    let (certificate, key) = (path("wallet.pem"), path("wallet.key"));
    let known = wallet(&["--client-cert", &certificate, "--client-key", &key]);
    let unknown = wallet(&[]);

    let state = path("card.state");
    drop(Running::start(&["card", "serve", "--city", "2000", "--listen", FREE, "--state", &state]));
    let card = format!("file:{state}");
    let load = |wallet: &Running, ca: &str| -> Output {
        let head = ["phone", "--centre", centre.url(), "--wallet", wallet.url(), "--ca", ca, "--card", &card];
        yikatong(&[&head[..], &["load", "--plastic", "--amount", "5000"]].concat()).output().unwrap()
    };
    let done = load(&known, &ca);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("balance 50.00"), "{done:?}");
    let refused = String::from_utf8_lossy(&load(&unknown, &ca).stderr).into_owned();
    assert!(refused.contains("certificate-missing"), "{refused}");
    let strangers = load(&known, &path("other.pem"));
    assert!(!strangers.status.success(), "the phone trusts nobody whom --ca does not name");
}

#[test]
fn half_of_a_certificate_is_no_certificate() {
    for (arguments, word) in [
        (&["serve", "--demo", "--tls-cert", "a.pem"][..], "--tls-key"),
        (&["serve", "--demo", "--client-ca", "a.pem"], "--tls-cert"),
        (&["serve", "--demo", "--tls-cert", "no-such.pem", "--tls-key", "no-such.key"], "no-such.pem"),
        (&["wallet", "--demo", "--centre", "https://127.0.0.1:9", "--client-cert", "a.pem"], "--client-key"),
        (&["wallet", "--demo", "--centre", "https://127.0.0.1:9", "--ca", "no-such.pem"], "no-such.pem"),
    ] {
        let output = yikatong(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
}
