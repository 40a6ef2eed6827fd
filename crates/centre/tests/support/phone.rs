//! A phone for tests: the TSM's own agent, over the centre's router, on any card; and a card that loses answers.

use axum::body::Body;
use axum::http::Request;
use card::Purse;
use keys::{CardRef, ChannelKeys, Key16, KeyService, Seeded, SoftwareKeys, StaticKeys};
use model::{CardNumber, TerminalId};
use serde_json::Value;
use smartcard::{Apdu, Channel, ChannelError};
use tsm::agent::Agent;
use tsm::seram::{AgentReport, HandshakeResponse, Orders, SeType, SecureElement};

use super::{Centre, registry};

/// CREDIT FOR LOAD.
pub const CREDIT: u8 = 0x52;

/// A plastic card of a city, personalised.
pub struct Plastic {
    purse: Purse,
    entropy: Seeded,
}

impl Plastic {
    pub fn new(city: &str, running: u8) -> Plastic {
        let registry = registry();
        let city = registry.city(city.parse().unwrap()).unwrap();
        let [a, b] = city.code.to_bcd();
        let number = CardNumber::new([a, b, 0x99, 0, 0, 0, 0, running]);
        let mut entropy = Seeded::new(u64::from(running));
        let day = "2014-01-01".parse().unwrap();
        let told = tsm::new_card(city, number, day, TerminalId::new([0; 6]), &mut entropy).unwrap();
        let channel = ChannelKeys::derive(&StaticKeys::same(Key16::new([0x40; 16])), 1);
        let keys =
            SoftwareKeys::demo().wrap_card_keys(&CardRef { city: city.code, number }, &channel).unwrap();
        let mut purse = Purse::blank();
        let blocks = told.store_data(&keys);
        for (index, block) in blocks.iter().enumerate() {
            purse.store_data(block, index + 1 == blocks.len(), &channel).unwrap();
        }
        Plastic { purse, entropy }
    }
}

impl Channel for Plastic {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let apdu = Apdu::parse(command).unwrap();
        let response =
            if apdu.ins == 0xA4 { self.purse.select() } else { self.purse.process(&apdu, &mut self.entropy) };
        Ok(response.to_bytes())
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.purse.reset();
        Ok(())
    }
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

/// What the phone reports to be reached by it.
pub fn element(se_id: &str) -> SecureElement {
    SecureElement { se_type: SeType::eSE, se_id: se_id.into(), se_extra_info: None }
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

    pub async fn order(&self, id: &str) -> Value {
        self.ok("GET", &format!("/v1/orders/{id}"), "alipay", Value::Null).await
    }

    /// The balance of an account: what it holds, and what is held on it.
    pub fn account(&self, name: &str) -> (i64, i64) {
        let balances = self.core.balances().unwrap();
        let balance = balances.get(&name.parse().unwrap()).copied().unwrap_or_default();
        let sign = if name.starts_with("paid-in") { -1 } else { 1 };
        let pending = balance.pending_credit.get() - balance.pending_debit.get();
        (sign * balance.credit().get(), sign * pending)
    }
}
