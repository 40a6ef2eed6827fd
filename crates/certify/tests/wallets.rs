//! The kit against the reference wallet, which passes, and against wallets with one flaw each, which are found out.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use centre::http::{Target as Signed, demo_signing_key, sign};
use certify::{Ask, Checked, Config, Driver, Report, Said, Stage, Verb, check, scenario_codes};
use keys::Seeded;
use model::registry::Registry;
use model::{CardTime, Clock, Fen};
use serde_json::Value;
use wallet::{
    Core, Demo, Device, HttpTransport, Method, NoPush, PasswordCost, Payer, Pick, Reply, Request, Storage,
    Target, Transport, TransportError, demo_signing_seed,
};

const WALLET: &str = "alipay";
const PASSWORD: &str = "246800";
/// How long the wallet waits, and the kit knows.
const TIMEOUT: Duration = Duration::from_millis(1000);

struct Now;

impl Clock for Now {
    fn now(&self) -> CardTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        CardTime::from_unix_seconds(since.as_secs() as i64)
    }
}

/// What is wrong with a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    NewIdAfterSilence,
    OtherBodyAfterSilence,
    SameNonce,
    SilenceIsFailure,
    DoubtIsFailure,
    ForgetsToHold,
    DoneWhenPlaced,
    PaysBackTwice,
    NeverAsksAgain,
    BelievesTheLastWord,
}

/// A way to the centre that signs anew what it has changed.
struct Flawed {
    inner: HttpTransport,
    flaw: Flaw,
    count: AtomicU64,
    sent: Mutex<Vec<String>>,
}

impl Flawed {
    fn changed(&self, mut request: Request, change: impl FnOnce(&mut Value), nonce: &str) -> Request {
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        change(&mut body);
        if request.method == Method::Post {
            request.body = body.to_string().into_bytes();
        }
        let path = request.path_and_query.clone();
        let target = Signed { method: request.method.as_str(), path: &path, query: None };
        let now = Now.now().unix_seconds();
        let signed = sign(&demo_signing_key(WALLET), WALLET, nonce, now, target, &request.body).unwrap();
        request.headers = vec![
            ("content-type".into(), "application/json".into()),
            ("content-digest".into(), signed.content_digest),
            ("signature-input".into(), signed.signature_input),
            ("signature".into(), signed.signature),
        ];
        request
    }
}

impl Transport for Flawed {
    fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let nonce = format!("n{}", self.count.fetch_add(1, Ordering::Relaxed));
        let is_order = request.method == Method::Post && request.path_and_query == "/v1/orders";
        let repeated = is_order && {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let id = body["id"].as_str().unwrap().to_owned();
            let mut sent = self.sent.lock().unwrap();
            sent.push(id.clone());
            sent.iter().filter(|other| **other == id).count() > 1
        };
        match self.flaw {
            Flaw::NewIdAfterSilence if repeated => {
                let again =
                    self.changed(request, |body| body["id"] = Value::from(format!("again-{nonce}")), &nonce);
                self.inner.send(again)
            }
            Flaw::OtherBodyAfterSilence if repeated => {
                let again =
                    self.changed(request, |body| body["paid"]["reference"] = Value::from("again"), &nonce);
                self.inner.send(again)
            }
            Flaw::SameNonce => self.inner.send(self.changed(request, |_| (), "1")),
            _ => self.inner.send(request),
        }
    }
}

/// A wallet in process, under a driver that may lie as its wallet would.
struct InProcess {
    core: Core,
    flaw: Flaw,
    last: Option<Said>,
}

impl InProcess {
    fn on(stage: &Stage, flaw: Flaw) -> Self {
        let inner = HttpTransport::within(stage.url(), TIMEOUT);
        let transport = Flawed { inner, flaw, count: AtomicU64::new(0), sent: Mutex::default() };
        let id = WALLET.parse().unwrap();
        let core = Core::open(wallet::Config {
            signing_seed: demo_signing_seed(&id),
            name: model::registry::Name { en: "Wallet".into(), zh: "钱包".into() },
            wallet: id,
            transport: Arc::new(transport),
            centre_url: stage.url().to_owned(),
            push: Arc::new(NoPush),
            clock: Arc::new(Now),
            entropy: Box::new(Seeded::new(11)),
            storage: Storage::Memory,
            password_cost: PasswordCost::CHEAP,
            demo: Some(Demo { name: "li".into(), password: PASSWORD.into(), opening: Fen::ZERO }),
        });
        InProcess { core: core.unwrap(), flaw, last: None }
    }

    fn honest(&self, ask: &Ask) -> Result<Said, wallet::Problem> {
        let payer = Payer::new(&ask.user, PASSWORD);
        let order = match ask.verb {
            Verb::Open => {
                self.core.register(&ask.user, PASSWORD, Fen::new(ask.amount_fen))?;
                let device = Device { se_id: ask.se_id.clone(), phone: ask.phone.clone(), agent_url: None };
                self.core.add_device(&ask.user, PASSWORD, device)?;
                None
            }
            Verb::Issue => Some(self.core.issue(&payer, ask.city.parse().unwrap(), &ask.se_id)?),
            Verb::Load if ask.plastic => {
                Some(self.core.load(&payer, Target::Plastic, Fen::new(ask.amount_fen))?)
            }
            Verb::Load => {
                let pick = Pick { se_id: Some(ask.se_id.clone()), ..Pick::default() };
                Some(self.core.load(&payer, Target::Card(pick), Fen::new(ask.amount_fen))?)
            }
            Verb::Show if self.flaw == Flaw::NeverAsksAgain => Some(self.core.order(&ask.order)?),
            Verb::Show => Some(self.core.refresh(&ask.order)?),
        };
        let purse = self.core.account(&ask.user)?.purse;
        Ok(Said {
            state: order.as_ref().map(|order| order.state.as_str().to_owned()),
            order: order.map(|order| order.id),
            available_fen: purse.available.get(),
            held_fen: purse.held.get(),
        })
    }
}

impl Driver for InProcess {
    fn ask(&mut self, ask: &Ask) -> Result<Said, String> {
        let mut said = self.honest(ask).map_err(|problem| problem.to_string())?;
        let gives_back = |said: &mut Said| {
            said.state = Some("refused".into());
            (said.available_fen, said.held_fen) = (said.available_fen + said.held_fen, 0);
        };
        let state = said.state.clone().unwrap_or_default();
        match (self.flaw, state.as_str()) {
            (Flaw::SilenceIsFailure, "unknown") | (Flaw::DoubtIsFailure, "in_doubt") => gives_back(&mut said),
            (Flaw::ForgetsToHold, "created") => {
                (said.available_fen, said.held_fen) = (said.available_fen + said.held_fen, 0);
            }
            (Flaw::DoneWhenPlaced, "unknown") => said.state = Some("done".into()),
            (Flaw::PaysBackTwice, "refused") if ask.verb == Verb::Show => {
                let before = self.last.as_ref().filter(|last| last.state == said.state);
                said.available_fen += before.map_or(0, |_| 4000);
            }
            (Flaw::BelievesTheLastWord, "done") => {
                let was_done = self.last.as_ref().is_some_and(|last| last.state == said.state);
                self.last = Some(said.clone());
                if was_done {
                    said.state = Some("running".into());
                }
                return Ok(said);
            }
            _ => {}
        }
        self.last = Some(said.clone());
        Ok(said)
    }
}

fn certified(flaw: Flaw, only: &[&str]) -> Report {
    let seed = AtomicU64::new(1);
    let stage = Stage::open(Config {
        registry: Arc::new(Registry::embedded().unwrap()),
        wallet: WALLET.parse().unwrap(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        timeout: TIMEOUT,
        clock: Arc::new(Now),
        random: Box::new(move || Box::new(Seeded::new(seed.fetch_add(1, Ordering::Relaxed)))),
    });
    let stage = stage.unwrap();
    let mut driver = InProcess::on(&stage, flaw);
    let only: Vec<String> = only.iter().map(|code| (*code).to_owned()).collect();
    certify::certify(&stage, &mut driver, &only, &mut |_| ())
}

#[test]
fn the_reference_wallet_passes_every_scenario() {
    let report = certified(Flaw::None, &[]);
    assert!(report.passed, "{}", report.to_markdown());
    assert_eq!(report.scenarios.len(), scenario_codes().len());
    assert!(
        report.scenarios.iter().all(|run| run.orders.len() == if run.code == "plain-phone" { 2 } else { 1 })
    );
}

#[test]
fn each_flaw_is_found_by_its_name() {
    for (flaw, scenario, code) in [
        (Flaw::NewIdAfterSilence, "answer-lost", "double-order"),
        (Flaw::NewIdAfterSilence, "error-500", "double-order"),
        (Flaw::OtherBodyAfterSilence, "answer-lost", "body-changed"),
        (Flaw::SameNonce, "plain-phone", "nonce-reused"),
        (Flaw::SilenceIsFailure, "slow-over", "failed-too-soon"),
        (Flaw::SilenceIsFailure, "answer-lost", "money-not-held"),
        (Flaw::SilenceIsFailure, "clock-after-loss", "failed-too-soon"),
        (Flaw::DoubtIsFailure, "in-doubt", "doubt-not-shown"),
        (Flaw::DoubtIsFailure, "in-doubt", "failed-too-soon"),
        (Flaw::ForgetsToHold, "plain-plastic", "money-not-held"),
        (Flaw::DoneWhenPlaced, "error-503", "done-too-soon"),
        (Flaw::PaysBackTwice, "refused-later", "money-not-back"),
        (Flaw::NeverAsksAgain, "answer-lost", "not-repeated"),
        (Flaw::BelievesTheLastWord, "states-reordered", "final-left"),
    ] {
        let report = certified(flaw, &[scenario]);
        let run = &report.scenarios[0];
        let found: Vec<_> = run.findings.iter().map(|finding| finding.code.as_str()).collect();
        assert!(!run.passed && found.contains(&code), "{flaw:?} in {scenario}: {}", report.to_markdown());
        let words = &run.findings[0].words;
        assert!(!words.en.is_empty() && !words.zh.is_empty());
    }
}

#[test]
fn a_report_is_signed_and_a_flipped_bit_is_refused() {
    let mut report = certified(Flaw::None, &["plain-plastic"]);
    assert!(!report.passed && report.scenarios[0].passed, "a part of the kit is no pass");
    let (json, signature) = report.sign(&[7; 32]).unwrap();
    let by = hex_key(&report);
    assert_eq!(check(json.as_bytes(), &signature, Some(&by)), Checked::Good(Box::new(report.clone())));
    let flipped = json.replacen("\"passed\": false", "\"passed\": true", 1);
    assert_eq!(check(flipped.as_bytes(), &signature, None), Checked::WrongSignature);
    let other = format!("{:02x}{}", u8::from_str_radix(&signature[..2], 16).unwrap() ^ 1, &signature[2..]);
    assert_eq!(check(json.as_bytes(), &other, None), Checked::WrongSignature);
    assert!(matches!(check(json.as_bytes(), &signature, Some(&[9; 32])), Checked::OtherKey(_)));
    assert!(matches!(check(b"{}", &signature, None), Checked::Malformed(_)));
}

fn hex_key(report: &Report) -> [u8; 32] {
    let text = report.signed_by.as_ref().unwrap();
    let byte = |at: usize| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap();
    std::array::from_fn(byte)
}
