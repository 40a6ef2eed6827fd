//! Passengers (乘客): what they hold, what they have ordered, what they do next.
//!
//! Invariant: a passenger knows what their app knows; what is true, the judge alone knows.

use model::{CityCode, Fen, PurseFen};
use tsm::agent::Agent;
use wallet::{Order, OrderKind, Payer, Pick, Target};

use super::chip::Held;
use super::disk::ChipMemory;
use super::judge::Broken;
use super::phone::Talk;
use super::story::Who;
use super::street::Ride;
use super::world::{PASSWORD, World, below};

/// A purse with less than this is worth a load.
const LOW_FEN: u32 = 15_000;
/// Orders that an app keeps asking for at once.
const ORDERS_MAX: usize = 4;

/// A passenger.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) wallet: usize,
    pub(super) home: CityCode,
    pub(super) held: Held,
    pub(super) memory: ChipMemory,
    pub(super) agent: Agent,
    /// The phone's element; none for whoever holds a plastic card.
    pub(super) se_id: Option<String>,
    /// Gone, with phone and card, for ever.
    pub(super) lost: bool,
    /// The phone lies.
    pub(super) lies: bool,
    /// How often the chip has lost its power.
    pub(super) lives: u32,
    /// Orders that the app knows and that have not ended.
    pub(super) orders: Vec<Open>,
    pub(super) talk: Talk,
    pub(super) ride: Option<Ride>,
    /// Inside the gates of this reader's operator.
    pub(super) inside: Option<usize>,
    /// Commands that a lying phone has kept.
    pub(super) kept: Vec<String>,
    /// A request that may not have arrived: its number and what it was.
    pub(super) asked: Option<(u64, Ask)>,
}

/// An order that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) id: String,
    pub(super) session: Option<String>,
}

/// What a passenger asks a wallet for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Issue,
    Load(u32),
    Read,
    Delete,
    Refund,
}

impl Person {
    #[allow(clippy::too_many_arguments)] // what a passenger is made of
    pub(super) fn new(
        name: String,
        wallet: usize,
        home: CityCode,
        held: Held,
        memory: ChipMemory,
        agent: Agent,
        se_id: Option<String>,
    ) -> Self {
        Person {
            name,
            wallet,
            home,
            held,
            memory,
            agent,
            se_id,
            lost: false,
            lies: false,
            lives: 0,
            orders: Vec::new(),
            talk: Talk::default(),
            ride: None,
            inside: None,
            kept: Vec::new(),
            asked: None,
        }
    }

    fn balance(&self) -> Option<u32> {
        self.held.purses().first().map(|purse| purse.balance.get())
    }

    /// What the app makes of the wallet's word.
    pub(super) fn learns(&mut self, order: &Order) {
        let known = self.orders.iter_mut().find(|open| open.id == order.id);
        let session = order.session.as_ref().map(|session| session.id.clone());
        match (order.state.is_final(), known) {
            (true, _) => self.orders.retain(|open| open.id != order.id),
            (false, Some(open)) => open.session = session.or(open.session.take()),
            (false, None) => self.orders.push(Open { id: order.id.clone(), session }),
        }
    }
}

impl World {
    /// What a passenger does of their own accord.
    pub(super) fn person_acts(&mut self, index: usize) -> Result<(), Broken> {
        let choice = self.dice.below(100);
        let Some(person) = self.people.get(index).filter(|person| !person.lost) else { return Ok(()) };
        if person.talk.is_waiting() && choice < 50 {
            return self.loses_patience(index);
        }
        if !person.orders.is_empty() && choice < 45 {
            let Some(open) = person.orders.get(below(&mut self.dice, person.orders.len())).cloned() else {
                return Ok(());
            };
            return match open.session {
                Some(session) if choice < 38 => self.hello(index, open.id, session),
                _ if choice == 38 => self.takes_back(index, &open.id),
                _ => self.asks_about(index, &open.id),
            };
        }
        if person.asked.is_some() && choice < 70 {
            return self.asks_again(index);
        }
        let (busy, low) =
            (person.orders.len() >= ORDERS_MAX, person.balance().is_some_and(|fen| fen < LOW_FEN));
        match person.balance() {
            None if busy => self.asks_after_all(index),
            None => self.asks(index, Ask::Issue),
            Some(_) if choice < 75 && !low => self.tap(index),
            Some(_) if choice < 96 && !busy => {
                let amount = [1_000, 2_000, 3_000, 5_000, 10_000].get(below(&mut self.dice, 5)).copied();
                self.asks(index, Ask::Load(amount.unwrap_or(5_000)))
            }
            Some(_) if choice == 96 && !busy => self.asks(index, Ask::Read),
            Some(_) if choice == 98 && !busy => self.asks(index, Ask::Delete),
            Some(_) if !busy => self.gives_back(index),
            Some(_) if choice < 80 => self.tap(index),
            Some(_) => self.asks_after_all(index),
        }
    }

    fn asks(&mut self, index: usize, ask: Ask) -> Result<(), Broken> {
        let number = self.fresh();
        if let Some(person) = self.people.get_mut(index) {
            person.asked = Some((number, ask));
        }
        self.asks_again(index)
    }

    /// The request that may not have arrived, under the number that it had.
    fn asks_again(&mut self, index: usize) -> Result<(), Broken> {
        let Some(person) = self.people.get(index) else { return Ok(()) };
        let Some((number, ask)) = person.asked else { return Ok(()) };
        let (home, se_id) = (person.home, person.se_id.clone());
        let request = format!("r-{number}");
        let target = match se_id {
            None => Target::Plastic,
            Some(_) => Target::Card(Pick::default()),
        };
        let said = self.call(index, |core, name| {
            let payer = Payer::new(name, PASSWORD).request(Some(&request));
            match (ask, se_id) {
                (Ask::Issue, Some(se_id)) => core.issue(&payer, home, &se_id),
                (Ask::Load(amount), _) => core.load(&payer, target, Fen::new(amount.into())),
                (Ask::Delete, Some(_)) => core.delete(&payer, Pick::default()),
                (Ask::Refund, _) => core.refund(&payer, target),
                (Ask::Issue | Ask::Read | Ask::Delete, _) => core.read(&payer, target),
            }
        })?;
        let Some(person) = self.people.get_mut(index) else { return Ok(()) };
        match said {
            None => {
                self.story.tell(Who::Passenger(index), format!("asks for {ask:?}: no answer of the wallet"))
            }
            Some(Ok(order)) => {
                person.asked = None;
                person.learns(&order);
                let (id, state) = (&order.id, order.state.as_str());
                self.story.tell(Who::Passenger(index), format!("asks for {ask:?}: order {id} is {state}"));
            }
            Some(Err(problem)) => {
                person.asked = None;
                self.story.tell(Who::Passenger(index), format!("asks for {ask:?}: {problem}"));
            }
        }
        Ok(())
    }

    /// A card goes back to its city; plastic, which nobody gets anew here, less often.
    fn gives_back(&mut self, index: usize) -> Result<(), Broken> {
        let plastic = self.people.get(index).is_some_and(|person| person.se_id.is_none());
        if plastic && self.dice.below(10) != 0 {
            return self.tap(index);
        }
        self.asks(index, Ask::Refund)
    }

    /// The passenger thinks better of an order.
    fn takes_back(&mut self, index: usize, id: &str) -> Result<(), Broken> {
        self.judge.touch(id);
        let said = self.call(index, |core, name| core.cancel(&Payer::new(name, PASSWORD), id))?;
        let Some(person) = self.people.get_mut(index) else { return Ok(()) };
        let word = match said {
            None => "no answer of the wallet".to_owned(),
            Some(Ok(order)) => {
                person.learns(&order);
                order.state.as_str().to_owned()
            }
            Some(Err(problem)) => problem.to_string(),
        };
        self.story.tell(Who::Passenger(index), format!("takes order {id} back: {word}"));
        Ok(())
    }

    /// The app asks how an order stands.
    pub(super) fn asks_about(&mut self, index: usize, id: &str) -> Result<(), Broken> {
        self.judge.touch(id);
        let said = self.call(index, |core, _| core.refresh(id))?;
        let Some(person) = self.people.get_mut(index) else { return Ok(()) };
        if let Some(Ok(order)) = said {
            person.learns(&order);
            self.story.tell(Who::Passenger(index), format!("order {id} is {}", order.state.as_str()));
        }
        Ok(())
    }

    /// The app asks for everything: orders that it never heard of are in it, too.
    pub(super) fn asks_after_all(&mut self, index: usize) -> Result<(), Broken> {
        let said = self.call(index, |core, name| core.account(name))?;
        let Some(Ok(account)) = said else { return Ok(()) };
        if let Some(person) = self.people.get_mut(index) {
            let moves = |order: &&Order| {
                use OrderKind::{Delete, Issue, Load, Read, Refund};
                matches!(order.kind, Load | Issue | Read | Delete | Refund)
            };
            account.orders.iter().filter(moves).for_each(|order| person.learns(order));
        }
        Ok(())
    }

    /// The phone's battery is taken out, or the plastic card leaves every field.
    pub(super) fn chip_dies(&mut self, index: usize) {
        let Some(person) = self.people.get_mut(index) else { return };
        person.lives = person.lives.saturating_add(1);
        let label = format!("chip-{index}-{}", person.lives);
        person.held.revive(&person.memory, Box::new(self.root.fork(&label)));
        person.talk = Talk::default();
        self.story.fault(Who::Passenger(index), "phone killed");
    }

    /// A passenger is never seen again.
    pub(super) fn is_lost(&mut self, index: usize) {
        if let Some(person) = self.people.get_mut(index).filter(|person| !person.lost) {
            person.lost = true;
            self.story.fault(Who::Passenger(index), "phone lost for ever");
        }
    }

    /// The value that a lying phone asks for is nothing a purse could hold.
    pub(super) fn asks_nonsense(&mut self, index: usize) -> Result<(), Broken> {
        let most = Fen::new(i64::from(PurseFen::MAX.get()));
        let said = self.call(index, |core, name| {
            let payer = Payer::new(name, PASSWORD);
            core.load(&payer, Target::Plastic, most)
        })?;
        if let Some(Ok(order)) = said {
            let rule = format!("an order beyond every limit is refused: {} is {:?}", order.id, order.state);
            if !order.state.is_final() && order.session.is_some() {
                return Err(Broken { rule, who: Who::Passenger(index) });
            }
        }
        Ok(())
    }
}
