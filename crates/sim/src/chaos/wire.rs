//! The wire (线路) to the centre, and the process at its end: requests that are lost before or after the centre acted,
//! doubled, late; answers that are cut off; a centre that is killed in the middle of one.
//!
//! Invariant: whatever reaches the centre goes through its own router, byte for byte as its sender made it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use centre::Core;
use keys::Seeded;
use wallet::{Reply, Request, Transport, TransportError};

use super::clock::PartyClock;
use crate::links::{Answer, Links};

/// Wallets' requests that meet with a fault, in a thousand.
const ROUGH_PER_MILLE: u64 = 120;
/// A killed centre has asked the time so often at most.
pub(super) const QUESTIONS: u64 = 8;

/// A running centre.
pub(super) struct Host {
    pub(super) core: Arc<Core>,
    links: Links,
}

/// A request as it was sent.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What became of a request.
pub(super) enum Delivery {
    Answered(Answer),
    /// There is no centre.
    Down,
    /// The centre was killed while it worked.
    Killed,
}

/// Everything between the wallets, the phones, the back ends and the centre.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) host: Option<Host>,
    pub(super) clock: PartyClock,
    pub(super) dice: Seeded,
    /// Faults strike.
    pub(super) rough: bool,
    /// What wallets sent since it was last looked at, whether it arrived or not.
    pub(super) sent: Vec<Sent>,
    /// Wallets' requests that are still under way; nobody waits for them any more.
    pub(super) late: Vec<Sent>,
    /// Faults that struck since it was last looked at.
    pub(super) struck: Vec<&'static str>,
    /// The centre was killed, and its folder is as it left it.
    pub(super) killed: bool,
}

impl Host {
    pub(super) fn new(core: Core) -> Result<Self, crate::SimError> {
        let core = Arc::new(core);
        Ok(Host { links: Links::new(centre::http::router(Arc::clone(&core)))?, core })
    }
}

impl Wire {
    pub(super) fn new(clock: PartyClock, dice: Seeded) -> Self {
        Wire(Arc::new(Mutex::new(State {
            host: None,
            clock,
            dice,
            rough: true,
            sent: Vec::new(),
            late: Vec::new(),
            struck: Vec::new(),
            killed: false,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running centre's core.
    pub(super) fn core(&self) -> Option<Arc<Core>> {
        self.state().host.as_ref().map(|host| Arc::clone(&host.core))
    }
}

impl State {
    pub(super) fn strikes(&mut self, per_mille: u64) -> bool {
        self.rough && self.dice.below(1000) < per_mille
    }

    /// Brings one request to the centre. `dies`: it may be killed while it works.
    pub(super) fn deliver(&mut self, sent: &Sent, dies: bool) -> Delivery {
        let Some(host) = &self.host else { return Delivery::Down };
        if dies {
            let questions = self.dice.below(QUESTIONS).saturating_add(1);
            self.clock.light(u32::try_from(questions).unwrap_or(1));
        }
        let body = sent.body.clone();
        let work = || host.links.send(sent.method, &sent.path, &sent.headers, body);
        let answer = catch_unwind(AssertUnwindSafe(work));
        if self.clock.put_out() {
            self.killed = true;
            return Delivery::Killed;
        }
        match answer {
            Ok(Ok(answer)) => Delivery::Answered(answer),
            _ => Delivery::Down,
        }
    }

    /// What a wallet gets for its request.
    fn of_wallet(&mut self, sent: &Sent) -> Result<Reply, TransportError> {
        let lost = || TransportError::NoAnswer("the link broke".into());
        if !self.strikes(ROUGH_PER_MILLE) {
            return reply(self.deliver(sent, false));
        }
        let fate = self.dice.below(7);
        self.struck.push(match fate {
            0 => "wallet's request lost, and it knows",
            1 => "wallet's request lost",
            2 => "centre's answer to a wallet lost",
            3 => "wallet's request doubled",
            4 => "wallet's request late",
            5 => "centre's answer to a wallet cut off",
            _ => "centre killed at a wallet's request",
        });
        match fate {
            0 => Err(TransportError::Unreachable("no route".into())),
            1 => Err(lost()),
            2 => {
                self.deliver(sent, false);
                Err(lost())
            }
            3 => {
                let first = reply(self.deliver(sent, false));
                let second = reply(self.deliver(sent, false));
                if self.dice.below(2) == 0 { first } else { second }
            }
            4 => {
                self.late.push(sent.clone());
                Err(lost())
            }
            5 => {
                let mut whole = reply(self.deliver(sent, false))?;
                whole.body.truncate(whole.body.len() / 2);
                Ok(whole)
            }
            _ => reply(self.deliver(sent, true)),
        }
    }
}

fn reply(delivery: Delivery) -> Result<Reply, TransportError> {
    match delivery {
        Delivery::Answered(answer) => {
            Ok(Reply { status: answer.status, headers: Vec::new(), body: answer.body })
        }
        Delivery::Down => Err(TransportError::Unreachable("connection refused".into())),
        Delivery::Killed => Err(TransportError::NoAnswer("connection reset".into())),
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let method = request.method.as_str();
        let Request { path_and_query, headers, body, .. } = request;
        let sent = Sent { method, path: path_and_query, headers, body };
        let mut state = self.state();
        let answer = state.of_wallet(&sent);
        state.sent.push(sent);
        answer
    }
}
