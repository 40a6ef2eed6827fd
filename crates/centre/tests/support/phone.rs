//! A phone for tests: the TSM's own agent, over the centre's router, on any card; and a card that loses answers.

use axum::body::Body;
use axum::http::Request;
use keys::{CardRef, Seeded, SoftwareKeys, demo_element_keys, demo_transport_keys};
use model::{CardNumber, TerminalId};
use secure_element::{MemoryStore, PlasticCard, SoftwareElement, personalise};
use serde_json::{Value, json};
use smartcard::{Channel, ChannelError};
use tsm::agent::Agent;
use tsm::seram::{AgentReport, HandshakeResponse, Orders, SeType, SecureElement};

use super::{Centre, registry};

/// CREDIT FOR LOAD.
pub const CREDIT: u8 = 0x52;

/// A plastic card of a city, personalised.
pub fn plastic(city: &str, running: u8) -> PlasticCard {
    let registry = registry();
    let city = registry.city(city.parse().unwrap()).unwrap();
    let [a, b] = city.code.to_bcd();
    let card = CardRef { city: city.code, number: CardNumber::new([a, b, 0x99, 0, 0, 0, 0, running]) };
    let mut entropy = Seeded::new(u64::from(running));
    let (store, random) = (Box::new(MemoryStore::default()), Box::new(entropy.fork("card")));
    let mut plastic = PlasticCard::blank(demo_transport_keys(), store, random).unwrap();
    let day = "2014-01-01".parse().unwrap();
    let told = tsm::new_card(city, card.number, day, TerminalId::new([0; 6]), &mut entropy).unwrap();
    personalise(&mut plastic, &card, &told, &SoftwareKeys::demo(), &mut entropy).unwrap();
    plastic
}

/// The secure element of a phone.
pub fn phone(model: &str, serial: u8) -> SoftwareElement {
    let registry = registry();
    let facts = &registry.phone(model).unwrap().element;
    let (store, random) = (Box::new(MemoryStore::default()), Box::new(Seeded::new(u64::from(serial))));
    let serial = [0x48, 0x05, 0xA0, 0, 0, 0, 0, serial];
    let maker = demo_element_keys(&facts.keys, facts.key_kind());
    SoftwareElement::manufacture(serial, facts, &maker, store, random).unwrap()
}

/// What a card itself says that its purse holds, in fen.
pub fn balance(card: &mut dyn Channel, aid: &str) -> u32 {
    card.reset().unwrap();
    let mut ask = |command: &str| card.transmit(&hex::decode(command).unwrap()).unwrap();
    ask(&format!("00A40400{:02X}{aid}", aid.len() / 2));
    let answer = ask("805C000204");
    assert_eq!(answer[4..], [0x90, 0x00]);
    u32::from_be_bytes(answer[..4].try_into().unwrap())
}

/// Where a card loses the answer to one command.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// The command never reaches the card.
    Before,
    /// The card carries it out; the answer is lost.
    After,
}

/// A card that loses the answer to the first command with this instruction.
pub struct Losing<'a, C: Channel> {
    pub card: &'a mut C,
    pub at: Option<(u8, Loss)>,
}

impl<C: Channel> Channel for Losing<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let loss = self.at.take_if(|(ins, _)| command.get(1) == Some(ins)).map(|(_, loss)| loss);
        match loss {
            None => self.card.transmit(command),
            Some(Loss::Before) => Err(ChannelError::Lost("cut".into())),
            Some(Loss::After) => {
                self.card.transmit(command)?;
                Err(ChannelError::Lost("cut".into()))
            }
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

/// A card that leaves after so many commands: the last is carried out, its answer is lost.
pub struct Cutting<'a, C: Channel> {
    pub card: &'a mut C,
    pub left: usize,
}

impl<C: Channel> Channel for Cutting<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.card.transmit(command);
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err(ChannelError::Lost("cut".into())),
        }
        answer
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

/// What the phone reports to be reached by it.
pub fn element(se_id: &str) -> SecureElement {
    SecureElement { se_type: SeType::eSE, se_id: se_id.into(), se_extra_info: None }
}

/// A load of whatever plastic card is held to the phone.
pub fn plastic_load(id: &str, amount: u32) -> Value {
    json!({"id": id, "kind": "load", "plastic": true, "amount_fen": amount,
           "paid": {"amount_fen": amount, "reference": format!("pay-{id}")}})
}

impl Centre {
    pub async fn post(&self, path: &str, session: &str, body: String) -> (u16, Value) {
        let uri = format!("/gp/seram/{path}?sessionId={session}");
        self.json(Request::post(uri).body(Body::from(body)).unwrap()).await
    }

    pub async fn shake_hands(&self, session: &str, agent: &Agent) -> HandshakeResponse {
        let request = serde_json::to_string(&agent.handshake()).unwrap();
        let (status, answer) = self.post("handshake", session, request).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    pub async fn report(&self, session: &str, report: &AgentReport) -> Orders {
        let (status, answer) =
            self.post("remoteManagement", session, serde_json::to_string(report).unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    /// Carries an order out on a card, until the centre says stop; gives what the passenger's application is told.
    pub async fn carry_out(&self, order: &Value, se_id: &str, card: &mut dyn Channel) -> String {
        let session = order["session"]["id"].as_str().unwrap();
        let agent = Agent::new(element(se_id));
        self.shake_hands(session, &agent).await;
        let mut report = AgentReport::polling();
        for _ in 0..20 {
            let done = agent.run(&self.report(session, &report).await, card);
            if done.stop {
                return done.notices.concat();
            }
            report = done.report;
        }
        panic!("the session does not end");
    }

    /// As [`Centre::carry_out`], where the centre may refuse: `None` if it did.
    pub async fn try_to_carry_out(
        &self,
        order: &Value,
        se_id: &str,
        card: &mut dyn Channel,
    ) -> Option<String> {
        let session = order["session"]["id"].as_str().unwrap();
        let agent = Agent::new(element(se_id));
        let hands = serde_json::to_string(&agent.handshake()).unwrap();
        if self.post("handshake", session, hands).await.0 != 200 {
            return None;
        }
        let mut report = AgentReport::polling();
        for _ in 0..20 {
            let told = serde_json::to_string(&report).unwrap();
            let (status, orders) = self.post("remoteManagement", session, told).await;
            let orders = (status == 200).then(|| serde_json::from_value(orders).unwrap())?;
            let done = agent.run(&orders, card);
            if done.stop {
                return Some(done.notices.concat());
            }
            report = done.report;
        }
        panic!("the session does not end");
    }

    pub async fn order(&self, id: &str) -> Value {
        self.ok("GET", &format!("/v1/orders/{id}"), "alipay", Value::Null).await
    }

    /// The balance of an account: what it holds, and what is held on it.
    pub fn account(&self, name: &str) -> (i64, i64) {
        let balances = super::apart(|| self.core.balances()).unwrap();
        let balance = balances.get(&name.parse().unwrap()).copied().unwrap_or_default();
        let sign = if name.starts_with("paid-in") { -1 } else { 1 };
        let pending = balance.pending_credit.get() - balance.pending_debit.get();
        (sign * balance.credit().get(), sign * pending)
    }
}
