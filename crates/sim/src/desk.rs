//! The wallets' desk: the reference wallet's own code, once for each wallet of the registry, on in-process links.
//!
//! Invariant: a wallet reaches the centre by its public API alone; what passengers paid is what its ledger says.

use std::collections::BTreeMap;
use std::sync::Arc;

use keys::Seeded;
use model::registry::Registry;
use model::{CardNumber, Fen, PurseFen, WalletId};
use wallet::{
    Config, Core, Device, NoPush, Order, OrderState, PasswordCost, Payer, Pick, Reply, Request, Storage,
    Target, Transport, TransportError, demo_signing_seed,
};

use crate::SimError;
use crate::clock::SimClock;
use crate::links::Links;
use crate::population::Passenger;

/// Every passenger of a simulation has this payment password.
const PASSWORD: &str = "246810";
/// What the bank has put into each passenger's wallet: enough for any day.
const OPENING: Fen = Fen::new(100_000_000);

/// All wallets.
pub(crate) struct Desk {
    wallets: BTreeMap<WalletId, Core>,
}

/// An order that the centre has taken.
pub(crate) struct Placed {
    pub(crate) order: String,
    pub(crate) session: String,
}

/// How an order stands.
#[derive(Debug)]
pub(crate) enum OrderEnd {
    /// Done.
    Done { number: Option<CardNumber> },
    /// Refused, by code.
    Refused(String),
    /// Not known yet.
    Open,
}

/// What all wallets' ledgers say together.
pub(crate) struct WalletBooks {
    /// Taken from passengers for orders that are done or open.
    pub(crate) paid: Fen,
}

impl Transport for Links {
    fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let Request { method, path_and_query, headers, body } = request;
        let answer = Links::send(self, method.as_str(), &path_and_query, &headers, body);
        let answer = answer.map_err(|error| TransportError::NoAnswer(error.to_string()))?;
        Ok(Reply { status: answer.status, headers: Vec::new(), body: answer.body })
    }
}

fn refused(error: wallet::Problem) -> SimError {
    SimError::Wallet(error.to_string())
}

impl Desk {
    /// A wallet for each in the registry.
    pub(crate) fn open(
        registry: &Registry,
        links: &Links,
        clock: &SimClock,
        random: &Seeded,
    ) -> Result<Self, SimError> {
        let mut wallets = BTreeMap::new();
        for known in registry.wallets() {
            let core = Core::open(Config {
                wallet: known.id.clone(),
                name: known.facts.name.clone(),
                signing_seed: demo_signing_seed(&known.id),
                transport: Arc::new(links.clone()),
                centre_url: "http://centre".into(),
                push: Arc::new(NoPush),
                clock: Arc::new(clock.clone()),
                entropy: Box::new(random.fork(known.id.as_str())),
                storage: Storage::Memory,
                password_cost: PasswordCost::CHEAP,
                demo: None,
            });
            wallets.insert(known.id.clone(), core.map_err(|error| SimError::Wallet(error.to_string()))?);
        }
        Ok(Desk { wallets })
    }

    fn of(&self, passenger: &Passenger) -> Result<&Core, SimError> {
        self.wallets
            .get(&passenger.wallet)
            .ok_or_else(|| SimError::Wallet(format!("no wallet {}", passenger.wallet)))
    }

    pub(crate) fn register(&self, passenger: &Passenger) -> Result<(), SimError> {
        self.of(passenger)?.register(&passenger.name, PASSWORD, OPENING).map_err(refused)?;
        Ok(())
    }

    pub(crate) fn add_phone(&self, passenger: &Passenger, se_id: &str) -> Result<(), SimError> {
        let device = Device { se_id: se_id.to_owned(), phone: passenger.phone.clone(), agent_url: None };
        self.of(passenger)?.add_device(&passenger.name, PASSWORD, device).map_err(refused)?;
        Ok(())
    }

    pub(crate) fn issue(&self, passenger: &Passenger, se_id: &str) -> Result<Placed, SimError> {
        let payer = Payer::new(&passenger.name, PASSWORD);
        placed(self.of(passenger)?.issue(&payer, passenger.home, se_id))
    }

    pub(crate) fn load(&self, passenger: &Passenger, amount: PurseFen) -> Result<Placed, SimError> {
        let payer = Payer::new(&passenger.name, PASSWORD);
        let target = if passenger.plastic { Target::Plastic } else { Target::Card(Pick::default()) };
        placed(self.of(passenger)?.load(&payer, target, amount.into()))
    }

    /// Asks the centre how the order stands.
    pub(crate) fn end_of(&self, passenger: &Passenger, placed: &Placed) -> Result<OrderEnd, SimError> {
        let order = self.of(passenger)?.refresh(&placed.order).map_err(refused)?;
        Ok(match order.state {
            OrderState::Done => OrderEnd::Done { number: order.number },
            OrderState::Refused => OrderEnd::Refused(order.refusal.map(|r| r.code).unwrap_or_default()),
            _ => OrderEnd::Open,
        })
    }

    /// Every wallet sends its file of the day.
    pub(crate) fn send_day(&self, day: model::Date) -> Result<(), SimError> {
        self.wallets.values().try_for_each(|core| core.send_day(day).map_err(refused))
    }

    /// Every wallet's ledger, added up anew.
    pub(crate) fn books(&self) -> Result<WalletBooks, SimError> {
        let mut paid = Fen::ZERO;
        for core in self.wallets.values() {
            core.refresh_open().map_err(refused)?;
            let books = core.books().map_err(refused)?;
            let sum = paid.plus(books.due).and_then(|paid| paid.plus(books.held));
            paid = sum.map_err(|error| SimError::Wallet(error.to_string()))?;
        }
        Ok(WalletBooks { paid })
    }
}

fn placed(order: Result<Order, wallet::Problem>) -> Result<Placed, SimError> {
    let order = order.map_err(refused)?;
    let session = order.session.as_ref().map(|session| session.id.clone());
    let session = session
        .ok_or_else(|| SimError::Wallet(format!("order {} has no session: {:?}", order.id, order.refusal)))?;
    Ok(Placed { order: order.id, session })
}
