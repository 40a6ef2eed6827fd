//! The kit against the reference wallet, which passes, and against wallets with one flaw each, which are found out.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use centre::http::{Target as Signed, demo_signing_key, sign};
use certify::{Ask, Checked, Config, Driver, Report, Said, Stage, Verb, check, scenario_codes};
use keys::Seeded;
use model::registry::Registry;
use model::{CardTime, Clock, Fen};
use serde_json::Value;
use sha2::{Digest, Sha256};
use wallet::{
    Core, Demo, Device, HttpTransport, Method, NoPush, PasswordCost, Payer, Pick, Reply, Request, Storage,
    Target, Told, Transport, TransportError, demo_signing_seed,
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
    CancelsByItself,
    CancelKeepsTheHold,
    CancelPaysTwice,
    RefundsAtOnce,
    RefundsTwice,
    RefundIsLess,
    ReadsTheFirstPage,
    StepsBackAPage,
    HookDeaf,
    HookSlammed,
    HookBelievesAnyone,
    HookTakesOld,
    HookBelievesTheBody,
    HookPaysEachTime,
    DayOneFenOff,
    DayWithoutAnOrder,
    DayWithOneTwice,
    DayWrongWord,
    DayWrongDigest,
    DayOfAnotherWallet,
}

/// As a wallet walks that goes on from the last order but one of each page.
fn flawed_walk(flaw: Flaw, orders: Vec<String>) -> Vec<String> {
    if flaw != Flaw::StepsBackAPage {
        return orders;
    }
    orders.chunks(2).flat_map(|page| [page, &page[page.len() - 1..]].concat()).collect()
}

/// A daily file with other lines, and with a trailer that fits them.
fn rewritten(file: &str, change: impl FnOnce(&mut Vec<Vec<String>>)) -> String {
    let rows: Vec<&str> = file.lines().collect();
    let fields = |row: &&str| row.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines: Vec<Vec<String>> = rows[1..rows.len() - 1].iter().map(fields).collect();
    change(&mut lines);
    let sum = |word: &str| -> i64 {
        lines.iter().filter(|l| l[4] == word).map(|l| l[3].parse::<i64>().unwrap()).sum()
    };
    let text = |line: &Vec<String>| line.join(",") + "\n";
    let body = format!("{}\n{}", rows[0], lines.iter().map(text).collect::<String>());
    let (paid, refunded, held) = (sum("paid"), sum("refunded"), sum("held"));
    let digest = hex::encode(Sha256::digest(body.as_bytes()));
    format!("{body}END,{},{paid},{refunded},{held},{digest}\n", lines.len())
}

fn flawed_day(flaw: Flaw, file: String) -> String {
    match flaw {
        Flaw::DayOneFenOff => rewritten(&file, |lines| {
            let line = lines.iter_mut().find(|line| line[4] == "paid").unwrap();
            line[3] = (line[3].parse::<i64>().unwrap() + 1).to_string();
        }),
        Flaw::DayWithoutAnOrder => rewritten(&file, |lines| {
            lines.retain(|line| line[1] != "refund");
        }),
        Flaw::DayWithOneTwice => rewritten(&file, |lines| lines.insert(0, lines[0].clone())),
        Flaw::DayWrongWord => rewritten(&file, |lines| {
            lines.iter_mut().find(|line| line[4] == "held").unwrap()[4] = "paid".into();
        }),
        Flaw::DayWrongDigest => file.replacen("load", "LOAD", 1),
        Flaw::DayOfAnotherWallet => file.replacen(WALLET, "wechat-pay", 1),
        _ => file,
    }
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
            Flaw::ReadsTheFirstPage if request.path_and_query.starts_with("/v1/orders?") => {
                let mut reply = self.inner.send(request)?;
                let mut said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                if let Some(page) = said.as_object_mut() {
                    page.remove("next");
                    reply.body = said.to_string().into_bytes();
                }
                Ok(reply)
            }
            _ => self.inner.send(request),
        }
    }
}

/// A wallet in process, under a driver that may lie as its wallet would.
struct InProcess {
    core: Arc<Core>,
    /// Where its webhook is, and the events that it took.
    hook: String,
    heard: Arc<Mutex<Vec<Value>>>,
    _runtime: tokio::runtime::Runtime,
    flaw: Flaw,
    last: Option<Said>,
}

/// The wallet's door for webhooks, with its flaw.
fn hear(core: &Core, flaw: Flaw, heard: &Mutex<Vec<Value>>, headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let sent: i64 = header("webhook-timestamp").parse().unwrap_or_default();
    match flaw {
        Flaw::HookDeaf => return StatusCode::NO_CONTENT,
        Flaw::HookSlammed => return StatusCode::INTERNAL_SERVER_ERROR,
        Flaw::HookTakesOld if (Now.now().unix_seconds() - sent).abs() > 300 => return StatusCode::NO_CONTENT,
        Flaw::HookBelievesAnyone => {
            let _ = core.refresh(event["data"]["id"].as_str().unwrap());
            return StatusCode::NO_CONTENT;
        }
        _ => {}
    }
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    match core.hear(Told { id, timestamp, signature: header("webhook-signature") }, body) {
        Ok(()) => {
            heard.lock().unwrap().push(event);
            StatusCode::NO_CONTENT
        }
        Err(problem) => StatusCode::from_u16(problem.code.status()).unwrap(),
    }
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
        let (core, heard) = (Arc::new(core.unwrap()), Arc::new(Mutex::default()));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let hook = format!("http://{}/hooks/centre", listener.local_addr().unwrap());
        let (ours, taken) = (Arc::clone(&core), Arc::clone(&heard));
        let door = axum::Router::new().route(
            "/hooks/centre",
            post(move |headers: HeaderMap, body: Bytes| async move {
                let hear = move || hear(&ours, flaw, &taken, &headers, &body);
                tokio::task::spawn_blocking(hear).await.unwrap()
            }),
        );
        runtime.spawn(async move { axum::serve(listener, door).await });
        InProcess { core, hook, heard, _runtime: runtime, flaw, last: None }
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
            Verb::Refund => Some(self.core.refund(&payer, Target::Plastic)?),
            Verb::Cancel if self.flaw == Flaw::CancelsByItself => Some(self.core.order(&ask.order)?),
            Verb::Cancel => {
                let _ = self.core.cancel(&payer, &ask.order); // whether it was heard, the order says
                Some(self.core.refresh(&ask.order)?)
            }
            Verb::Hook => {
                self.core.register_hook(&self.hook)?;
                None
            }
            Verb::Walk | Verb::Day => None,
            Verb::Show if self.flaw == Flaw::NeverAsksAgain => Some(self.core.order(&ask.order)?),
            Verb::Show => Some(self.core.refresh(&ask.order)?),
        };
        let purse = self.core.account(&ask.user)?.purse;
        Ok(Said {
            state: order.as_ref().map(|order| order.state.as_str().to_owned()),
            order: order.map(|order| order.id),
            available_fen: purse.available.get(),
            held_fen: purse.held.get(),
            orders: (ask.verb == Verb::Walk)
                .then(|| self.core.orders_at_centre())
                .transpose()?
                .map(|orders| flawed_walk(self.flaw, orders)),
            file: (ask.verb == Verb::Day)
                .then(|| self.core.daily_file(ask.day.parse().unwrap()))
                .transpose()?
                .map(|file| flawed_day(self.flaw, file)),
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
            (Flaw::HookBelievesTheBody, "done") => {
                let heard = self.heard.lock().unwrap();
                said.state =
                    heard.last().and_then(|event| event["data"]["state"].as_str()).map(str::to_owned);
            }
            (Flaw::HookPaysEachTime, "done") => {
                let times = self.heard.lock().unwrap().len() as i64;
                said.available_fen -= 5000 * (times - 1);
            }
            (Flaw::CancelsByItself, "created") if ask.verb == Verb::Cancel => gives_back(&mut said),
            (Flaw::CancelKeepsTheHold, "refused") => {
                (said.available_fen, said.held_fen) = (said.available_fen - 5000, 5000);
            }
            (Flaw::CancelPaysTwice, "refused")
                if self.last.as_ref().is_some_and(|l| l.state == said.state) =>
            {
                said.available_fen += 5000;
            }
            (Flaw::RefundsAtOnce, "created") if ask.verb == Verb::Refund => said.available_fen += 5000,
            (Flaw::RefundsTwice, "done") if said.available_fen == 100_000 => {
                let before = self.last.as_ref().filter(|last| last.state == said.state);
                said.available_fen += before.map_or(0, |_| 5000);
            }
            (Flaw::RefundIsLess, "done") if said.available_fen == 100_000 => said.available_fen -= 1,
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
    for run in &report.scenarios {
        let orders = match run.code.as_str() {
            "plain-phone" | "refund" | "webhooks" => 2,
            "daily-file" => 4,
            "paging" => 5,
            _ => 1,
        };
        assert_eq!(run.orders.len(), orders, "{}", run.code);
    }
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
        (Flaw::CancelsByItself, "cancel", "cancel-not-sent"),
        (Flaw::CancelsByItself, "cancel-unheard", "failed-too-soon"),
        (Flaw::CancelsByItself, "cancel-unheard", "money-not-held"),
        (Flaw::CancelKeepsTheHold, "cancel", "money-not-back"),
        (Flaw::CancelPaysTwice, "cancel", "money-not-back"),
        (Flaw::RefundsAtOnce, "refund", "refund-differs"),
        (Flaw::RefundsTwice, "refund", "refund-differs"),
        (Flaw::RefundIsLess, "refund", "refund-differs"),
        (Flaw::DoubtIsFailure, "refund", "doubt-not-shown"),
        (Flaw::ReadsTheFirstPage, "paging", "page-lost"),
        (Flaw::StepsBackAPage, "paging", "page-doubled"),
        (Flaw::HookDeaf, "webhooks", "hook-ignored"),
        (Flaw::HookSlammed, "webhooks", "hook-refused"),
        (Flaw::HookBelievesAnyone, "webhooks", "hook-forged"),
        (Flaw::HookTakesOld, "webhooks", "hook-old"),
        (Flaw::HookBelievesTheBody, "webhooks", "final-left"),
        (Flaw::HookPaysEachTime, "webhooks", "final-left"),
        (Flaw::DayOneFenOff, "daily-file", "day-differs"),
        (Flaw::DayWithoutAnOrder, "daily-file", "day-order-missing"),
        (Flaw::DayWithOneTwice, "daily-file", "day-order-twice"),
        (Flaw::DayWrongWord, "daily-file", "day-differs"),
        (Flaw::DayWrongDigest, "daily-file", "day-file-bad"),
        (Flaw::DayOfAnotherWallet, "daily-file", "day-file-bad"),
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
