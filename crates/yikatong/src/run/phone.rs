//! `yikatong phone`: the wallet's app and the phone's agent in one: orders at the wallet, and relays the centre's
//! scripts to a secure element or a plastic card.

use std::time::Duration;

use keys::SoftwareKeys;
use model::registry::Registry;
use model::{CityCode, Clock};
use serde_json::{Value, json};
use sim::{SessionEnd, SimError, carry_out, run_job};
use smartcard::gp::crs::{GetActivation, Priority, SetActivation, SetPriority};
use smartcard::gp::{Aid, GetData, Select};
use smartcard::{Channel, Command, Status};
use tsm::agent::Agent;
use tsm::seram::SecureElement;
use tsm::{ActivatePlan, Element, Job, Report};
use wallet::Trust;

use crate::cli::{Phone, PhoneJob};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};
use crate::run::print;
use crate::transcript::Recorder;

/// A server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(40);
/// A card that left is asked for so many times before the command gives up; nothing is lost by giving up.
const TRIES: u32 = 2;

/// What is ordered at the wallet.
struct Order {
    path: &'static str,
    city: Option<CityCode>,
    amount: Option<u32>,
    plastic: bool,
}

impl Order {
    /// An order for the phone's own card.
    fn of(path: &'static str, city: Option<CityCode>) -> Self {
        Order { path, city, amount: None, plastic: false }
    }
}

pub(crate) fn run(command: &Phone, registry: &Registry, json: bool) -> Outcome {
    if let PhoneJob::Cancel { order } = &command.what {
        return cancel(command, order, json);
    }
    let recorder = Recorder::new(command.transcript.as_deref())?;
    let done = {
        let card = command.card.open()?;
        let mut card = recorder.watch(card, "tsm", command.card.to_string());
        match &command.what {
            PhoneJob::Activate { city, next_tap: true } => {
                next_tap(command, registry, *city, &mut card, json)
            }
            PhoneJob::Activate { city, next_tap: false } => {
                activate(command, registry, *city, &mut card, json)
            }
            PhoneJob::Identity => identity(&mut card, json),
            PhoneJob::Session { id, plastic } => session(command, id, *plastic, &mut card, json),
            PhoneJob::Issue { city } => {
                order(command, &Order::of("/app/issue", Some(*city)), &mut card, json)
            }
            PhoneJob::Load { amount, city, plastic } => {
                let load =
                    Order { amount: Some(*amount), plastic: *plastic, ..Order::of("/app/load", *city) };
                order(command, &load, &mut card, json)
            }
            PhoneJob::Read { city, plastic } => {
                let read = Order { plastic: *plastic, ..Order::of("/app/read", *city) };
                order(command, &read, &mut card, json)
            }
            PhoneJob::Delete { city } => order(command, &Order::of("/app/delete", *city), &mut card, json),
            PhoneJob::Refund { city, plastic } => {
                let refund = Order { plastic: *plastic, ..Order::of("/app/refund", *city) };
                order(command, &refund, &mut card, json)
            }
            PhoneJob::Cancel { .. } => Ok(()), // done above, without the card
        }
    };
    recorder.close()?;
    done
}

/// The agent of this phone, for its own element.
fn agent(command: &Phone, se_id: &str) -> Agent {
    Agent::new(SecureElement::embedded(se_id, &command.phone))
}

/// The element's identity: issuer identification number and card image number, tags 42 and 45.
fn se_id(card: &mut dyn Channel) -> Outcome<String> {
    let none = |what: &str| {
        Failure::input(format_args!("no secure element there: {what}; a plastic card wants --plastic"))
    };
    let mut ask =
        |command: smartcard::Apdu| card.exchange(&command).map_err(|error| none(&error.to_string()));
    ask(Select::by_name([]).to_apdu())?;
    let mut id = String::new();
    for tag in [0x0042, 0x0045] {
        let answer = ask(GetData { tag }.to_apdu())?;
        let value = smartcard::tlv::find(&answer.data, u32::from(tag)).filter(|_| answer.status.is_ok());
        id.push_str(&hex::encode_upper(
            value.ok_or_else(|| none(&format!("tag {tag:02X} answered {}", answer.status)))?,
        ));
    }
    Ok(id)
}

/// Says which element it is.
fn identity(card: &mut dyn Channel, json: bool) -> Outcome {
    let se_id = se_id(card)?;
    if json {
        return print(&json!({ "se_id": se_id }));
    }
    outln!("{se_id}");
    Ok(())
}

/// Goes on with a session by its id alone.
fn session(command: &Phone, id: &str, plastic: bool, card: &mut dyn Channel, json: bool) -> Outcome {
    let agent = if plastic { Agent::new(SecureElement::plastic()) } else { agent(command, &se_id(card)?) };
    let notice = carry_on(command, id, &agent, card)?;
    if json {
        print(&json!({ "session": id, "state": notice }))?;
    }
    match notice.as_str() {
        "done" if json => Ok(()),
        "done" => {
            outln!("session done");
            Ok(())
        }
        state => Err(Failure::wrong(format_args!("the session has ended, its order is `{state}`"))),
    }
}

/// Orders at the wallet, then carries the order out.
fn order(command: &Phone, order: &Order, card: &mut dyn Channel, json: bool) -> Outcome {
    let se_id = if order.plastic { None } else { Some(se_id(card)?) };
    let mut body = json!({ "name": command.user, "password": command.password });
    wallet(command, "/app/register", &body)?;
    let agent = if let Some(se_id) = se_id {
        body["se_id"] = json!(se_id);
        let mut device = body.clone();
        device["phone"] = json!(command.phone);
        wallet(command, "/app/devices", &device)?;
        agent(command, &se_id)
    } else {
        body["plastic"] = json!(true);
        Agent::new(SecureElement::plastic())
    };
    if let Some(amount) = order.amount {
        body["amount_fen"] = json!(amount);
    }
    if let Some(city) = order.city {
        body["city"] = json!(city);
    }
    let placed = wallet(command, order.path, &body)?;
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = text(&placed, "id");
    eprintln!("order {id}");
    let session =
        placed.get("session").map(|session| text(session, "id")).filter(|session| !session.is_empty());
    if let Some(session) = session {
        carry_on(command, &session, &agent, card)?;
    }
    report(&get(command, &format!("/app/orders/{id}"))?, json)
}

/// Takes an order back at the wallet.
fn cancel(command: &Phone, order: &str, json: bool) -> Outcome {
    let path = format!("/app/orders/{order}/cancel");
    let body = json!({ "name": command.user, "password": command.password });
    let ended = wallet(command, &path, &body)?;
    if json {
        return print(&ended);
    }
    outln!("order {order} is cancelled, and what it held is free");
    Ok(())
}

/// Carries a session with the centre out, over HTTP.
pub(crate) fn run_session(
    http: &ureq::Agent,
    centre: &str,
    session: &str,
    agent: &Agent,
    card: &mut dyn Channel,
) -> Result<SessionEnd, SimError> {
    let mut post = |path: &str, body: Vec<u8>| {
        let url = format!("{}{path}", centre.trim_end_matches('/'));
        post(http, &url, body).map_err(|failure| SimError::Link(failure.to_string()))
    };
    carry_out(&mut post, session, agent, card)
}

/// Carries a session out, to the centre's last notice; a card that left is asked for again.
fn carry_on(command: &Phone, session: &str, agent: &Agent, card: &mut dyn Channel) -> Outcome<String> {
    let http = http(&command.servers.open()?);
    for _ in 0..TRIES {
        match run_session(&http, &command.centre, session, agent, card).map_err(Failure::wrong)? {
            SessionEnd::Stopped(notice) => return Ok(notice),
            SessionEnd::CardGone => eprintln!("卡片离开了 the card has left: hold it to the phone again"),
        }
        if card.reset().is_err() {
            break;
        }
    }
    Err(Failure::wrong(format_args!(
        "the card is gone; what it had begun stays named, and its next contact settles it; \
         `phone session {session}` goes on with it (with --plastic for a plastic card)"
    )))
}

fn report(order: &Value, json: bool) -> Outcome {
    if json {
        print(order)?;
    }
    let text = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default();
    let state = text("state");
    if state == "refused" {
        let problem = order.get("problem").or_else(|| order.get("refusal")).cloned().unwrap_or_default();
        let word = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Err(Failure::wrong(format_args!(
            "{} {} ({})",
            word("title_zh"),
            word("title"),
            word("code")
        )));
    }
    if state != "done" {
        return Err(Failure::wrong(format_args!(
            "{} is not done: it stays `{state}`, and nothing of it is lost; \
             while no money has moved, `phone cancel {}` takes it back",
            text("kind"),
            text("id")
        )));
    }
    if !json {
        let fen = |name: &str| order.get(name).and_then(Value::as_i64).map(model::Fen::new);
        if text("kind") == "refund" {
            let amount = fen("amount_fen").unwrap_or_default();
            outln!("refund done: card {}, {amount} yuan paid back", text("card_number"));
            return Ok(());
        }
        let balance = fen("balance_fen");
        let balance = balance.map(|balance| format!(", balance {balance} yuan")).unwrap_or_default();
        outln!("{} done: card {}{balance}", text("kind"), text("card_number"));
    }
    Ok(())
}

/// The other cards that the element's own registry lists beside this one.
fn beside(city: CityCode, instance: &Aid, card: &mut dyn Channel) -> Outcome<Vec<Aid>> {
    let lost = |error: smartcard::ChannelError| Failure::wrong(error);
    card.exchange(&Select::by_name(Aid::CONTACTLESS_REGISTRY).to_apdu()).map_err(lost)?;
    let (mut command, mut rows) = (GetActivation::default(), Vec::new());
    loop {
        let listed = card.exchange(&command.to_apdu()).map_err(lost)?;
        rows.extend(listed.data);
        if listed.status != Status::MORE_DATA {
            break;
        }
        command = command.continued();
    }
    let cards = GetActivation::parse_response(&rows).unwrap_or_default();
    if !cards.iter().any(|found| found.aid == *instance) {
        return Err(Failure::wrong(format_args!("no card of city {city} on this phone")));
    }
    Ok(cards.iter().map(|found| found.aid).filter(|aid| aid != instance).collect())
}

fn profile<'a>(command: &Phone, registry: &'a Registry) -> Outcome<&'a model::registry::Phone> {
    let unknown = || Failure::input(format_args!("no phone model `{}`", command.phone));
    registry.phone(&command.phone).ok_or_else(unknown)
}

/// Switches the other city cards off and this one on, by the element's own registry; where it has none, through our security
/// domain, whose keys only a demo network's phone can have beside it.
fn activate(
    command: &Phone,
    registry: &Registry,
    city: CityCode,
    card: &mut dyn Channel,
    json: bool,
) -> Outcome {
    let profile = profile(command, registry)?;
    let instance = centre::instance_aid(city).ok_or_else(|| Failure::input("no such city"))?;
    let others = if profile.element.crs { beside(city, &instance, card)? } else { Vec::new() };
    let element = Element { se_id: se_id(card)?, profile: profile.clone() };
    let mut job = Job::activate(ActivatePlan { element, instance, others });
    match run_job(&mut job, card, &SoftwareKeys::demo(), &mut SystemEntropy, SystemClock.now()) {
        Report::Activated if json => print(&json!({ "state": "activated", "city": city })),
        Report::Activated => {
            outln!("card of city {city} is active");
            Ok(())
        }
        other => Err(Failure::wrong(format_args!("{other:?}"))),
    }
}

/// The card for the next tap: before all others that are active, until the element loses its power.
fn next_tap(
    command: &Phone,
    registry: &Registry,
    city: CityCode,
    card: &mut dyn Channel,
    json: bool,
) -> Outcome {
    let profile = profile(command, registry)?;
    if !profile.element.crs {
        return Err(Failure::input(format_args!(
            "`{}` has no contactless registry: it knows no next tap; `phone activate` without it",
            command.phone
        )));
    }
    let instance = centre::instance_aid(city).ok_or_else(|| Failure::input("no such city"))?;
    let script = [
        Select::by_name(Aid::CONTACTLESS_REGISTRY).to_apdu(),
        SetActivation { active: true, aids: vec![instance] }.to_apdu(),
        SetPriority { priority: Priority::NextTap, aid: Some(instance) }.to_apdu(),
    ];
    for step in script {
        let answer = card.exchange(&step).map_err(Failure::wrong)?;
        if answer.status == Status::SOME_FAILED {
            return Err(Failure::wrong(format_args!(
                "no card of city {city} can be active beside the others"
            )));
        }
        if !answer.status.is_ok() {
            return Err(Failure::wrong(format_args!("the element refused: {}", answer.status)));
        }
    }
    if json {
        return print(&json!({ "state": "next-tap", "city": city }));
    }
    outln!("card of city {city} is the one for the next tap");
    Ok(())
}

fn wallet(command: &Phone, path: &str, body: &Value) -> Outcome<Value> {
    let bytes = serde_json::to_vec(body).map_err(Failure::wrong)?;
    let answer = post(
        &http(&command.servers.open()?),
        &format!("{}{path}", command.wallet.trim_end_matches('/')),
        bytes,
    )?;
    serde_json::from_slice(&answer).map_err(Failure::wrong)
}

/// For short exchanges, with those whom `trust` names.
pub(crate) fn http(trust: &Trust) -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
    config.tls_config(trust.config()).build().into()
}

fn get(command: &Phone, path: &str) -> Outcome<Value> {
    let url = format!("{}{path}", command.wallet.trim_end_matches('/'));
    let sent = http(&command.servers.open()?).get(&url).call();
    let answer = sent.map_err(|error| Failure::wrong(format_args!("{url}: {error}")))?;
    serde_json::from_slice(&good(&url, answer)?).map_err(Failure::wrong)
}

/// Posts JSON; the body of a good answer, or the problem of any other.
pub(crate) fn post(http: &ureq::Agent, url: &str, body: Vec<u8>) -> Outcome<Vec<u8>> {
    let sent = http.post(url).header("content-type", "application/json").send(body);
    good(url, sent.map_err(|error| Failure::wrong(format_args!("{url}: {error}")))?)
}

pub(crate) fn good(url: &str, mut answer: ureq::http::Response<ureq::Body>) -> Outcome<Vec<u8>> {
    let body =
        answer.body_mut().read_to_vec().map_err(|error| Failure::wrong(format_args!("{url}: {error}")))?;
    if answer.status().is_success() {
        return Ok(body);
    }
    let Ok(problem) = serde_json::from_slice::<Value>(&body) else {
        return Err(Failure::wrong(format_args!("{url}: answered {}", answer.status())));
    };
    let word = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = format!("{} {} {} ({})", word("title_zh"), word("title"), word("detail"), word("code"));
    // What cannot be understood or does not exist was asked wrongly; all else is a finding.
    Err(match answer.status().as_u16() {
        400 | 422 => Failure::input(said),
        _ => Failure::wrong(said),
    })
}
