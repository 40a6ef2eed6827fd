//! One scenario under way: a passenger of its own, the wallet's answers, the tape since its beginning, and the judge.

use std::time::Duration;

use model::WalletId;
use secure_element::{PlasticCard, SoftwareElement};
use serde_json::Value;
use sim::{Cut, Leaving, SessionEnd};
use tsm::agent::Agent;
use tsm::seram::SecureElement;

use crate::driver::{Ask, Driver, Said, Verb};
use crate::fault::{Fault, Seen};
use crate::finding::{Code, Finding, Words};
use crate::stage::Stage;

/// What every passenger begins with, in fen.
pub(crate) const OPENING: i64 = 100_000;
/// Between two questions about an order.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a wallet is asked before it is said not to have followed.
const LOOKS: u32 = 8;
/// CREDIT FOR LOAD.
const CREDIT: u8 = 0x52;
/// DEBIT FOR PURCHASE.
const DEBIT: u8 = 0x54;
/// Orders and cards.
const POSTS: [&str; 2] = ["/v1/orders", "/v1/cards"];

/// Which chip lies at the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chip {
    Phone,
    Plastic,
}

/// A scenario ends early.
pub(crate) struct Stop;

/// `Err` ends the scenario; what was found stands in the play.
pub(crate) type Played<T = ()> = Result<T, Stop>;

/// A scenario under way.
pub(crate) struct Play<'a> {
    pub(crate) stage: &'a Stage,
    driver: &'a mut dyn Driver,
    pub(crate) ask: Ask,
    element: SoftwareElement,
    plastic: PlasticCard,
    begun: usize,
    pub(crate) findings: Vec<Finding>,
    pub(crate) note: Option<Words>,
}

impl<'a> Play<'a> {
    pub(crate) fn new(
        stage: &'a Stage,
        driver: &'a mut dyn Driver,
        scenario: &'static str,
    ) -> Result<Self, crate::StageError> {
        stage.layer.begin();
        stage.skew(0);
        let (element, plastic) = (stage.element()?, stage.plastic()?);
        let mut name = [0; 4];
        (stage.random)().fill(&mut name);
        let ask = Ask {
            verb: Verb::Open,
            scenario,
            centre: stage.url.clone(),
            wallet: stage.wallet.to_string(),
            user: format!("kit-{}", hex::encode(name)),
            city: stage.city.to_string(),
            phone: stage.phone.clone(),
            se_id: element.se_id(),
            amount_fen: OPENING,
            day: stage.now().date().to_string(),
            plastic: false,
            order: String::new(),
        };
        let begun = stage.layer.place();
        Ok(Play { begun, stage, driver, ask, element, plastic, findings: Vec::new(), note: None })
    }

    pub(crate) fn find(&mut self, code: Code, seen: impl std::fmt::Display) {
        let finding = code.seen(seen);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    pub(crate) fn said(&mut self, ask: Ask) -> Played<Said> {
        let verb = ask.verb;
        self.driver.ask(&ask).map_err(|why| {
            self.find(Code::DriverFailed, format_args!("{}: {why}", verb.as_str()));
            Stop
        })
    }

    /// The passenger comes, with money.
    pub(crate) fn open(&mut self) -> Played {
        let said = self.said(Ask { verb: Verb::Open, amount_fen: OPENING, ..self.ask.clone() })?;
        self.purse(&said, (OPENING, 0), Code::MoneyAppeared);
        if self.findings.is_empty() { Ok(()) } else { Err(Stop) }
    }

    pub(crate) fn issue(&mut self) -> Played<Said> {
        self.said(Ask { verb: Verb::Issue, amount_fen: 0, ..self.ask.clone() })
    }

    pub(crate) fn load(&mut self, amount_fen: i64, chip: Chip) -> Played<Said> {
        self.said(Ask { verb: Verb::Load, amount_fen, plastic: chip == Chip::Plastic, ..self.ask.clone() })
    }

    /// The plastic card is to be given back.
    pub(crate) fn refund(&mut self) -> Played<Said> {
        self.said(Ask { verb: Verb::Refund, amount_fen: 0, plastic: true, ..self.ask.clone() })
    }

    /// The passenger takes the order back.
    pub(crate) fn cancel(&mut self, order: &str) -> Played<Said> {
        self.said(Ask { verb: Verb::Cancel, order: order.to_owned(), amount_fen: 0, ..self.ask.clone() })
    }

    /// The wallet's file of the day on which the scenario began.
    pub(crate) fn day_file(&mut self) -> Played<String> {
        let said = self.said(Ask { verb: Verb::Day, amount_fen: 0, ..self.ask.clone() })?;
        said.file.ok_or_else(|| {
            self.find(Code::DayFileBad, "the driver's answer has no `file`");
            Stop
        })
    }

    /// All orders that the centre has, as the wallet walks its pages. `None`: it walks none, and the report says so.
    pub(crate) fn walk(&mut self) -> Played<Option<Vec<String>>> {
        let said = self.said(Ask { verb: Verb::Walk, amount_fen: 0, ..self.ask.clone() })?;
        if said.orders.is_none() {
            self.note = Some(Words {
                en: "The wallet walks no pages: it was not judged on them.".to_owned(),
                zh: "钱包不逐页读取订单，未评定。".to_owned(),
            });
        }
        Ok(said.orders)
    }

    /// The day on which the scenario began.
    pub(crate) fn day(&self) -> &str {
        &self.ask.day
    }

    /// Whether the wallet asked the centre to take the order back, and was heard.
    pub(crate) fn cancel_heard(&self, order: &str) -> bool {
        let path = format!("/v1/orders/{order}/cancel");
        let heard = |seen: &Seen| seen.answer.as_ref().is_some_and(|(status, _)| *status == 200);
        self.tape().iter().any(|seen| seen.method == "POST" && seen.path == path && heard(seen))
    }

    /// The wallet is asked to look.
    pub(crate) fn show(&mut self, said: &Said) -> Played<Said> {
        let order = said.order.clone().or_else(|| self.sent().pop()).unwrap_or_default();
        let now = self.said(Ask { verb: Verb::Show, order, amount_fen: 0, ..self.ask.clone() })?;
        Ok(Said { order: now.order.clone().or_else(|| said.order.clone()), ..now })
    }

    /// Looks until the wallet says one of these, or long enough.
    pub(crate) fn until(&mut self, said: Said, states: &[&str]) -> Played<Said> {
        let mut said = said;
        for look in 0..LOOKS {
            if states.iter().any(|state| said.state.as_deref() == Some(state)) {
                break;
            }
            if look > 0 {
                std::thread::sleep(PAUSE);
            }
            said = self.show(&said)?;
        }
        Ok(said)
    }

    /// The same, and it is a finding if the wallet does not come to it.
    pub(crate) fn must_reach(&mut self, said: Said, states: &[&str], code: Code) -> Played<Said> {
        let said = self.until(said, states)?;
        if !states.iter().any(|state| said.state.as_deref() == Some(state)) {
            self.find(code, format_args!("{}; expected {}", state(&said), states.join(" or ")));
        }
        Ok(said)
    }

    /// What the passenger has is as it must be.
    pub(crate) fn purse(&mut self, said: &Said, (available, held): (i64, i64), code: Code) {
        if (said.available_fen, said.held_fen) != (available, held) {
            let seen = format!(
                "available {}, held {} fen; expected {available} and {held}; {}",
                said.available_fen,
                said.held_fen,
                state(said)
            );
            self.find(code, seen);
        }
    }

    /// What a load of so much must have come to while nothing of its end is known.
    pub(crate) fn held(&mut self, said: &Said, amount: i64) {
        if said.state.as_deref() == Some("done") {
            self.find(Code::DoneTooSoon, state(said));
        }
        if matches!(said.state.as_deref(), Some("refused" | "cancelled")) {
            self.find(Code::FailedTooSoon, state(said));
        }
        self.purse(said, (OPENING.saturating_sub(amount), amount), Code::MoneyNotHeld);
    }

    /// The passenger holds the chip to the phone until the order is through, or leaves at CREDIT FOR LOAD.
    pub(crate) fn carry_out(&mut self, order: &str, chip: Chip, leaves: bool) -> Played {
        self.session_of(order, chip, leaves.then_some(CREDIT))
    }

    /// The card leaves at DEBIT FOR PURCHASE: the value is off it, and nobody has heard.
    pub(crate) fn leaves_at_debit(&mut self, order: &str) -> Played {
        self.session_of(order, Chip::Plastic, Some(DEBIT))
    }

    fn session_of(&mut self, order: &str, chip: Chip, leaves_at: Option<u8>) -> Played {
        let leaves = leaves_at.is_some();
        let Some(session) = self.session(order) else {
            self.find(Code::OrderNotSent, format_args!("order {order}: the centre has none of this id"));
            return Err(Stop);
        };
        let at = leaves_at.map(|instruction| (instruction, Cut::Answer));
        let links = &self.stage.links;
        let end = match chip {
            Chip::Phone => {
                let agent = Agent::new(SecureElement::embedded(&self.ask.se_id, &self.ask.phone));
                links.run_session(&session, &agent, &mut Leaving::new(&mut self.element, at))
            }
            Chip::Plastic => {
                let agent = Agent::new(SecureElement::plastic());
                links.run_session(&session, &agent, &mut Leaving::new(&mut self.plastic, at))
            }
        };
        match end {
            Ok(SessionEnd::CardGone) if leaves => Ok(()),
            Ok(SessionEnd::Stopped(notice)) if !leaves && notice == "done" => Ok(()),
            other => {
                self.find(Code::KitFailed, format_args!("order {order}: the session ended with {other:?}"));
                Err(Stop)
            }
        }
    }

    /// The session that the centre opened for an order, as its own answers have it.
    fn session(&self, order: &str) -> Option<String> {
        let said = |seen: &Seen| seen.answer.as_ref().map(|(_, said)| said.clone());
        let mut answers = self.tape().iter().filter_map(said).collect::<Vec<Value>>().into_iter();
        answers.find_map(|said| {
            (said["id"] == order).then(|| said["session"]["id"].as_str().map(str::to_owned)).flatten()
        })
    }

    /// All that came since the scenario began.
    pub(crate) fn tape(&self) -> Vec<Seen> {
        self.stage.layer.since(self.begun)
    }

    /// The ids of the orders that the wallet sent, each once, in their order.
    pub(crate) fn sent(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for seen in self.tape() {
            if let Some((path, id, _)) = posted(&seen)
                && path == POSTS[0]
                && !self.stage.layer.is_older(&id)
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        ids
    }

    /// How often an order was sent or asked for.
    pub(crate) fn mentions(&self, order: &str) -> usize {
        let path = format!("/v1/orders/{order}");
        let tape = self.tape();
        tape.iter()
            .filter(|seen| seen.path == path || posted(seen).is_some_and(|(_, id, _)| id == order))
            .count()
    }

    /// The wallet sent this many orders, the last of them as it says; each was always sent with the same bytes.
    pub(crate) fn orders(&mut self, said: &Said, count: usize) -> Played<String> {
        let sent = self.sent();
        if sent.len() > count {
            self.find(Code::DoubleOrder, format_args!("orders {}; expected {count}", sent.join(", ")));
        }
        let Some(last) = sent
            .get(count.saturating_sub(1))
            .filter(|last| said.order.as_ref().is_none_or(|order| *last == order || sent.contains(order)))
        else {
            self.find(
                Code::OrderNotSent,
                format_args!("the wallet says {:?}; the centre saw {sent:?}", said.order),
            );
            return Err(Stop);
        };
        Ok(last.clone())
    }

    /// The centre's own book has this order with this amount, and in this state.
    pub(crate) fn booked(&mut self, order: &str, amount: i64) {
        let wallet: WalletId = self.stage.wallet.clone();
        match self.stage.core.order_standing(&wallet, order) {
            Ok(Some(standing)) if i64::from(standing.amount.get()) == amount => {}
            Ok(Some(standing)) => {
                self.find(
                    Code::AmountDiffers,
                    format_args!("{} fen; expected {amount}", standing.amount.get()),
                );
            }
            Ok(None) => self.find(Code::OrderNotSent, format_args!("order {order}")),
            Err(problem) => self.find(Code::KitFailed, problem),
        }
    }

    /// The next so many sendings of an order meet a fault.
    pub(crate) fn on_order(&self, fault: &Fault, times: usize) {
        self.stage.layer.plan("POST", POSTS[0], fault, times);
    }

    /// Every wish to take an order back meets a fault, until all is calm again.
    pub(crate) fn on_cancel(&self, fault: &Fault) {
        self.stage.layer.plan("POST", "/v1/orders/", fault, 1000);
    }

    /// Every question about an order meets a fault, until all is calm again.
    pub(crate) fn on_look(&self, fault: &Fault) {
        self.stage.layer.plan("GET", "/v1/orders/", fault, 1000);
    }

    /// What holds in every scenario: the same id with the same bytes, each nonce once, no bad signature. `clock_was_wrong`
    /// excuses the centre's word about the clock, and nothing else.
    pub(crate) fn manners(&mut self) {
        let tape = self.tape();
        let (mut bodies, mut nonces) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
        for seen in &tape {
            if let Some((path, id, body)) = posted(seen) {
                let first = bodies.entry((path, id.clone())).or_insert_with(|| body.to_vec());
                if first.as_slice() != body {
                    self.find(Code::BodyChanged, format_args!("{} {id}", seen.path));
                }
            }
            if let Some(nonce) = nonce(&seen.signature_input)
                && !nonces.insert(nonce.clone())
            {
                self.find(Code::NonceReused, format_args!("{} {} {nonce}", seen.method, seen.path));
            }
            let code = seen.answer.as_ref().and_then(|(_, said)| said["code"].as_str()).unwrap_or_default();
            let bad = code.starts_with("signature-") && code != "signature-clock";
            if bad || code.starts_with("digest-") || code.starts_with("key-") {
                self.find(Code::SignatureBad, format_args!("{} {}: {code}", seen.method, seen.path));
            }
        }
    }
}

/// A posted card or order: the path, its id, the bytes.
fn posted(seen: &Seen) -> Option<(&'static str, String, &[u8])> {
    let path = POSTS.into_iter().find(|path| seen.method == "POST" && seen.path == *path)?;
    let body: Value = serde_json::from_slice(&seen.body).ok()?;
    Some((path, body["id"].as_str()?.to_owned(), &seen.body))
}

/// The nonce of a signature.
fn nonce(input: &str) -> Option<String> {
    let input: sfv::Dictionary = sfv::Parser::new(input).parse().ok()?;
    let Some((_, sfv::ListEntry::InnerList(covered))) = input.first() else { return None };
    covered.params.get("nonce")?.as_string().map(|nonce| nonce.as_str().to_owned())
}

pub(crate) fn state(said: &Said) -> String {
    format!("the wallet says `{}`", said.state.as_deref().unwrap_or("nothing"))
}
