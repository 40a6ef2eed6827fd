//! `yikatong channel load`: a third party's app in one command. It reads the card's number, asks the centre for a load,
//! lets the passenger pay at the wallet, and carries the wallet's order out on the card.
//!
//! Invariant: the payment password goes to the wallet alone; what goes to the centre is signed by the channel's key.

use centre::http::{Target, demo_signing_key, sign};
use ed25519_dalek::SigningKey;
use keys::SoftwareKeys;
use model::{Clock, Entropy, Fen};
use serde_json::{Value, json};
use sim::{SessionEnd, run_job};
use smartcard::Channel as _;
use smartcard::gp::Aid;
use tsm::agent::Agent;
use tsm::seram::SecureElement;
use tsm::{Job, ReadPlan, Report};

use super::phone::{good, http, post, run_session};
use super::print;
use super::wallet::signing_seed;
use crate::cli::{Channel, ChannelLoad};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};

/// A card that left is asked for so many times before the command gives up; nothing is lost by giving up.
const TRIES: u32 = 2;

/// The channel's way to the centre.
struct Signing<'a> {
    http: &'a ureq::Agent,
    centre: &'a str,
    key: SigningKey,
    keyid: String,
}

pub(crate) fn run(command: &Channel, json: bool) -> Outcome {
    let Channel::Load(load) = command;
    let http = http(&load.servers.open()?);
    let party = format!("channel:{}", load.id);
    let (key, keyid) = match (&load.key, &load.key_name) {
        (None, _) => (demo_signing_key(&party), party),
        (Some(file), None) => (SigningKey::from_bytes(&signing_seed(file)?), party),
        (Some(file), Some(name)) => (SigningKey::from_bytes(&signing_seed(file)?), format!("{party}#{name}")),
    };
    let centre = Signing { http: &http, centre: load.centre.trim_end_matches('/'), key, keyid };
    let mut card = load.card.open()?;
    let asked = ask(load, &centre, card.as_mut())?;
    let id = text(&asked, "id");
    eprintln!(
        "channel order {id}: {} yuan for card {}",
        Fen::new(load.amount.into()),
        text(&asked, "card_number")
    );
    pay(load, &http, &id)?;
    let path = format!("/v1/channel-orders/{}/{id}", load.id);
    let paid = centre.get(&path)?;
    let session = text(&paid["order"]["session"], "id");
    let agent = Agent::new(SecureElement::plastic());
    for _ in 0..TRIES {
        match run_session(&http, centre.centre, &session, &agent, card.as_mut()).map_err(Failure::wrong)? {
            SessionEnd::Stopped(_) => break,
            SessionEnd::CardGone => eprintln!("卡片离开了 the card has left: hold it to the phone again"),
        }
        if card.reset().is_err() {
            break;
        }
    }
    report(&centre.get(&path)?, json)
}

/// Reads which card it is, and asks the centre for its load.
fn ask(load: &ChannelLoad, centre: &Signing<'_>, card: &mut dyn smartcard::Channel) -> Outcome<Value> {
    let none = || Failure::input("no plastic city card there");
    let aid = Aid::new(&card::layout::PURSE_AID).ok_or_else(none)?;
    let plan = ReadPlan { aid, card: None, unsettled: None, pin: None, terminal: centre::LOAD_POINT };
    // No key is asked for anything: the number stands in the clear.
    let read =
        run_job(&mut Job::read(plan), card, &SoftwareKeys::demo(), &mut SystemEntropy, SystemClock.now());
    let Report::Read(view) = read else { return Err(none()) };
    let body = json!({
        "id": fresh(),
        "wallet": load.under,
        "city": view.public_info.city,
        "card_number": view.public_info.number.raw(),
        "amount_fen": load.amount,
    });
    centre.post("/v1/channel-orders", &body)
}

/// The passenger gives the password to the wallet. An app would first show what the wallet says of the channel's order; the
/// command pays the amount that it has asked for itself, and the centre refuses any other.
fn pay(load: &ChannelLoad, http: &ureq::Agent, id: &str) -> Outcome {
    let wallet = load.wallet.trim_end_matches('/');
    let post = |path: &str, body: Value| -> Outcome<Value> {
        let answer = post(http, &format!("{wallet}{path}"), body.to_string().into_bytes())?;
        serde_json::from_slice(&answer).map_err(Failure::wrong)
    };
    let passenger = json!({ "name": load.user, "password": load.password });
    post("/app/register", passenger.clone())?;
    let mut payment = passenger;
    (payment["request"], payment["amount_fen"]) = (json!(id), json!(load.amount));
    let order = post(&format!("/app/channel-orders/{}/{id}/pay", load.id), payment)?;
    match text(&order, "state").as_str() {
        "refused" => Err(refused(&order["problem"])),
        "unknown" => Err(Failure::wrong("the centre has not answered the wallet; nothing is lost")),
        _ => Ok(()),
    }
}

fn report(asked: &Value, json: bool) -> Outcome {
    if json {
        print(asked)?;
    }
    let order = &asked["order"];
    match text(order, "state").as_str() {
        "done" if json => Ok(()),
        "done" => {
            let balance = order["balance_fen"].as_i64().map(Fen::new).unwrap_or_default();
            outln!("load done: card {}, balance {balance} yuan", text(asked, "card_number"));
            Ok(())
        }
        "refused" => Err(refused(&order["problem"])),
        state => Err(Failure::wrong(format_args!(
            "the load is not done: it stays `{state}`, and nothing of it is lost; the card's next contact settles it"
        ))),
    }
}

fn refused(problem: &Value) -> Failure {
    let word = |name: &str| text(problem, name);
    Failure::wrong(format_args!("{} {} ({})", word("title_zh"), word("title"), word("code")))
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// 32 hex digits that nobody has used.
fn fresh() -> String {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    hex::encode(bytes)
}

impl Signing<'_> {
    fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        let body = body.to_string().into_bytes();
        let url = format!("{}{path}", self.centre);
        let mut request = self.http.post(&url).header("content-type", "application/json");
        for (name, value) in self.headers("POST", path, &body)? {
            request = request.header(name, value);
        }
        answer(&url, request.send(body))
    }

    fn get(&self, path: &str) -> Outcome<Value> {
        let url = format!("{}{path}", self.centre);
        let mut request = self.http.get(&url);
        for (name, value) in self.headers("GET", path, &[])? {
            request = request.header(name, value);
        }
        answer(&url, request.call())
    }

    fn headers(&self, method: &str, path: &str, body: &[u8]) -> Outcome<[(&'static str, String); 3]> {
        let (target, created) = (Target { method, path, query: None }, SystemClock.now().unix_seconds());
        let signed = sign(&self.key, &self.keyid, &fresh(), created, target, body).map_err(Failure::wrong)?;
        Ok([
            ("content-digest", signed.content_digest),
            ("signature-input", signed.signature_input),
            ("signature", signed.signature),
        ])
    }
}

fn answer(url: &str, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Outcome<Value> {
    let sent = sent.map_err(|error| Failure::wrong(format_args!("{url}: {error}")))?;
    serde_json::from_slice(&good(url, sent)?).map_err(Failure::wrong)
}
