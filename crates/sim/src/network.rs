//! The simulated network: the centre behind its router, wallets, passengers with their cards, readers with their
//! batches, and what may go wrong between them.
//!
//! Invariant: money enters by a wallet's order and leaves a purse at a reader, both through the real code; the
//! network only counts what it is told, and never sets a balance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use card::{PurseReader, PurseView};
use keys::{CardRef, KeyService, Seeded};
use model::registry::{Fare, Operator, Registry};
use model::{CardNumber, CardTime, CityCode, Entropy, Fen, PsamId, PurseFen, TerminalId};
use secure_element::{MemoryStore, PlasticCard, SoftwareElement};
use smartcard::{Channel, ChannelError, Transcript};
use terminal::{AcceptanceList, DenyList, Request, TapOutcome};
use tsm::agent::Agent;
use tsm::seram::SecureElement;

use crate::SimError;
use crate::books::{Books, Total};
use crate::cards::{chip, element, plastic, plastic_number};
use crate::clock::SimClock;
use crate::desk::{Desk, OrderEnd, Placed};
use crate::faults::{Cut, Leaving};
use crate::links::{Links, SessionEnd};
use crate::population::{Passenger, Population, has_gates, pick};
use crate::reader::{Place, Reader};

/// INS of CREDIT FOR LOAD: where a cut puts a load in doubt.
const CREDIT_FOR_LOAD: u8 = 0x52;
/// INS of DEBIT FOR PURCHASE: where a cut tears a tap.
const DEBIT: u8 = 0x54;
/// INS of STORE DATA: where a cut leaves an issue half done.
const STORE_DATA: u8 = 0xE2;
/// A city has so many numbers for plastic cards: ten digits.
const PLASTIC_NUMBERS: u64 = 10_000_000_000;

/// How often things go wrong, in ten thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The card leaves while a load is credited.
    pub torn_loads: u64,
    /// The card leaves while a tap is debited.
    pub torn_taps: u64,
    /// The phone leaves while a card is issued.
    pub torn_issues: u64,
    /// Whoever tore something and never comes back, in a hundred.
    pub never_back_percent: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Weather { torn_loads: 100, torn_taps: 40, torn_issues: 50, never_back_percent: 10 }
    }
}

/// One exchange with a card, for those who watch.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// When.
    pub at: CardTime,
    /// `tsm` or `terminal`.
    pub who: &'static str,
    /// The card's holder.
    pub card: &'a str,
    /// The command.
    pub command: &'a [u8],
    /// The answer; none if it was lost.
    pub response: Option<&'a [u8]>,
}

/// Is told of every exchange.
pub type Observer = Box<dyn FnMut(Exchange<'_>)>;

/// What a passenger holds.
enum Held {
    Phone(Box<SoftwareElement>),
    Plastic(Box<PlasticCard>),
}

impl Channel for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self {
            Held::Phone(chip) => chip.transmit(command),
            Held::Plastic(card) => card.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        match self {
            Held::Phone(chip) => chip.reset(),
            Held::Plastic(card) => card.reset(),
        }
    }
}

/// An order whose end is not known yet.
pub(crate) struct OpenOrder {
    pub(crate) placed: Placed,
    pub(crate) amount: Fen,
    pub(crate) placed_at: CardTime,
}

impl OpenOrder {
    /// Whether it is about this amount.
    pub(crate) fn is(&self, amount: PurseFen) -> bool {
        self.amount == amount.into()
    }
}

/// One passenger with a card.
pub(crate) struct Rider {
    pub(crate) passenger: Passenger,
    held: Held,
    agent: Agent,
    /// Inside these gates.
    inside: Option<Arc<Operator>>,
    /// Orders whose end was not known when the card left.
    pub(crate) open_orders: Vec<OpenOrder>,
    /// Found out at a reader that the purse is too low.
    pub(crate) wants_load: bool,
    /// The card, once it is known.
    pub(crate) number: Option<CardNumber>,
}

/// Everything.
pub(crate) struct Network<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) keys: Arc<dyn KeyService>,
    pub(crate) links: Links,
    pub(crate) desk: Desk,
    pub(crate) clock: SimClock,
    pub(crate) random: Seeded,
    pub(crate) riders: Vec<Rider>,
    pub(crate) readers: HashMap<TerminalId, Reader>,
    pub(crate) books: Books,
    population: Population<'a>,
    weather: Weather,
    acceptance: BTreeMap<CityCode, Arc<AcceptanceList>>,
    deny: Arc<DenyList>,
    observer: Option<Observer>,
    /// Torn taps whose debit the card carried out, by terminal and its counter; a card's log forgets it after ten more.
    pub(crate) debited: BTreeSet<(TerminalId, u32)>,
    /// Sets this network's PSAMs and plastic cards apart from those of another that the same centre has seen: their
    /// counters begin anew, so their numbers must not come again.
    life: u64,
}

impl<'a> Network<'a> {
    /// An empty network on `links`.
    ///
    /// # Errors
    /// [`SimError::Empty`] if nobody could live in it.
    #[allow(clippy::too_many_arguments)] // the parts of a network; a struct for them would be this one again
    pub(crate) fn new(
        registry: &'a Registry,
        keys: Arc<dyn KeyService>,
        links: Links,
        desk: Desk,
        clock: SimClock,
        random: Seeded,
        weather: Weather,
        observer: Option<Observer>,
    ) -> Result<Self, SimError> {
        let population = Population::new(registry, model::Clock::now(&clock).date());
        if population.is_empty() {
            return Err(SimError::Empty);
        }
        Ok(Network {
            life: random.fork("life").next_u64(),
            debited: BTreeSet::new(),
            registry,
            keys,
            links,
            desk,
            clock,
            random,
            riders: Vec::new(),
            readers: HashMap::new(),
            books: Books::default(),
            population,
            weather,
            acceptance: BTreeMap::new(),
            deny: Arc::new(DenyList::new(0, [])),
            observer,
        })
    }

    /// A passenger joins: registers at a wallet, gets a card, loads it.
    pub(crate) fn join(&mut self, at: CardTime) -> Result<(), SimError> {
        self.clock.advance_to(at);
        let index = self.riders.len();
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let passenger = self.population.passenger(number, &mut self.random).ok_or(SimError::Empty)?;
        self.desk.register(&passenger)?;
        let rider =
            if passenger.plastic { self.with_plastic(passenger, at)? } else { self.with_phone(passenger)? };
        self.riders.push(rider);
        if !self.riders.get(index).is_some_and(|rider| rider.passenger.plastic) {
            self.issue(index)?;
        }
        self.load(index)
    }

    fn with_plastic(&mut self, passenger: Passenger, at: CardTime) -> Result<Rider, SimError> {
        let running = u64::try_from(self.riders.len()).unwrap_or(u64::MAX);
        let running = self.life.wrapping_add(running) % PLASTIC_NUMBERS;
        let card = CardRef { city: passenger.home, number: plastic_number(passenger.home, running) };
        let own = chip(&self.random, &passenger.name);
        let store = Box::new(MemoryStore::default());
        let made =
            plastic(self.registry, &card, at.date(), self.keys.as_ref(), store, own, &mut self.random)?;
        self.books.cards.plastic = self.books.cards.plastic.saturating_add(1);
        let agent = Agent::new(SecureElement::plastic());
        Ok(Rider::new(passenger, Held::Plastic(Box::new(made)), agent, Some(card.number)))
    }

    fn with_phone(&mut self, passenger: Passenger) -> Result<Rider, SimError> {
        let phone = self.registry.phone(&passenger.phone).ok_or(SimError::Empty)?;
        let own = chip(&self.random, &passenger.name);
        let made = element(phone, Box::new(MemoryStore::default()), own)
            .map_err(|e| SimError::Centre(e.to_string()))?;
        let se_id = made.se_id();
        self.desk.add_phone(&passenger, &se_id)?;
        let agent = Agent::new(SecureElement::embedded(&se_id, &passenger.phone));
        Ok(Rider::new(passenger, Held::Phone(Box::new(made)), agent, None))
    }

    fn issue(&mut self, index: usize) -> Result<(), SimError> {
        let torn = self.strikes(self.weather.torn_issues).then_some((STORE_DATA, Cut::Command));
        let Some(rider) = self.riders.get(index) else { return Ok(()) };
        let placed = self.desk.issue(&rider.passenger, &rider.se_id())?;
        let mut end = self.session(index, &placed.session, torn)?;
        if end == SessionEnd::CardGone {
            end = self.session(index, &placed.session, None)?;
            self.books.cards.issued_after_a_break = self.books.cards.issued_after_a_break.saturating_add(1);
        }
        match self.desk.end_of(&self.riders[index].passenger, &placed)? {
            OrderEnd::Done { number, .. } => {
                self.riders[index].number = number;
                self.books.cards.issued = self.books.cards.issued.saturating_add(1);
                Ok(())
            }
            other => Err(SimError::Wallet(format!("issue {}: {other:?} after {end:?}", placed.order))),
        }
    }

    /// A load, perhaps torn; whoever tore it mostly holds the card to the phone again.
    pub(crate) fn load(&mut self, index: usize) -> Result<(), SimError> {
        const AMOUNTS: [u32; 4] = [2_000, 3_000, 5_000, 10_000];
        let amount = *pick(&AMOUNTS, &mut self.random).unwrap_or(&5_000);
        let amount = PurseFen::try_from(amount).unwrap_or(PurseFen::ZERO);
        let torn = self.strikes(self.weather.torn_loads).then(|| (CREDIT_FOR_LOAD, self.cut()));
        let comes_back = self.comes_back();
        let rider = &mut self.riders[index];
        rider.wants_load = false;
        let placed = self.desk.load(&rider.passenger, amount)?;
        let placed_at = model::Clock::now(&self.clock);
        let end = self.session(index, &placed.session, torn)?;
        if end == SessionEnd::CardGone {
            self.books.loads.torn = self.books.loads.torn.saturating_add(1);
            if !comes_back {
                self.riders[index].open_orders.push(OpenOrder { placed, amount: amount.into(), placed_at });
                return Ok(());
            }
            self.session(index, &placed.session, None)?;
        }
        match self.desk.end_of(&self.riders[index].passenger, &placed)? {
            OrderEnd::Done { number, .. } => {
                self.riders[index].number = number.or(self.riders[index].number);
                self.books.loads.done.add(amount.into());
                if end == SessionEnd::CardGone {
                    self.books.loads.settled = self.books.loads.settled.saturating_add(1);
                }
            }
            OrderEnd::Refused(code) => count(&mut self.books.loads.refused, code),
            OrderEnd::Open => {
                self.riders[index].open_orders.push(OpenOrder { placed, amount: amount.into(), placed_at })
            }
        }
        Ok(())
    }

    /// One session of the phone's agent with the centre.
    fn session(
        &mut self,
        index: usize,
        session: &str,
        torn: Option<(u8, Cut)>,
    ) -> Result<SessionEnd, SimError> {
        let at = model::Clock::now(&self.clock);
        let Some(rider) = self.riders.get_mut(index) else { return Ok(SessionEnd::CardGone) };
        let mut leaving = Leaving::new(&mut rider.held, torn);
        match &mut self.observer {
            None => self.links.run_session(session, &rider.agent, &mut leaving),
            Some(observer) => {
                let name = rider.passenger.name.clone();
                let watch = |command: &[u8], answer: Result<&[u8], &ChannelError>| {
                    observer(Exchange { at, who: "tsm", card: &name, command, response: answer.ok() });
                };
                self.links.run_session(session, &rider.agent, &mut Transcript::new(leaving, watch))
            }
        }
    }

    /// The card is held to a reader; where and for what follows from where its holder is.
    pub(crate) fn tap(&mut self, index: usize, at: CardTime) -> Result<(), SimError> {
        self.clock.advance_to(at);
        let Some(rider) = self.riders.get(index) else { return Ok(()) };
        let leaving = rider.inside.clone();
        let operator = match &leaving {
            Some(operator) => Arc::clone(operator),
            None => match self.population.ride(rider.passenger.home, &mut self.random) {
                Some(operator) => Arc::new(operator.clone()),
                None => return Ok(()),
            },
        };
        let list = self.named_fare(&operator);
        let request = match (has_gates(&operator), &leaving) {
            (false, _) => Request::Pay { list },
            (true, None) => Request::Enter,
            (true, Some(_)) => Request::Leave { list },
        };
        let readers = u64::from(operator.terminals.count);
        let chosen = u32::try_from(self.random.below(readers)).unwrap_or(0);
        let terminal = operator.terminals.get(chosen).ok_or(SimError::Empty)?;
        let torn = self.strikes(self.weather.torn_taps).then(|| (DEBIT, self.cut()));
        let comes_back = self.comes_back();
        self.books.taps.tried = self.books.taps.tried.saturating_add(1);
        let mut outcome = self.hold(index, terminal, &operator, request, at, torn)?;
        if let TapOutcome::Torn(pending) = &outcome {
            self.books.taps.torn = self.books.taps.torn.saturating_add(1);
            if torn == Some((DEBIT, Cut::Answer)) {
                let tap = pending.facts();
                self.debited.insert((tap.terminal, tap.terminal_seq));
            }
            if comes_back {
                outcome = self.hold(index, terminal, &operator, request, at.plus_seconds(5), None)?;
            }
        }
        self.note(index, &operator, request, &outcome);
        Ok(())
    }

    fn hold(
        &mut self,
        index: usize,
        terminal: TerminalId,
        operator: &Arc<Operator>,
        request: Request,
        at: CardTime,
        torn: Option<(u8, Cut)>,
    ) -> Result<TapOutcome, SimError> {
        if !self.readers.contains_key(&terminal) {
            let acceptance = self.acceptance(operator.city);
            let place = Place::of(operator, terminal);
            let psam = PsamId(self.life ^ terminal.as_u64());
            let lists = (&acceptance, &self.deny);
            let reader = Reader::new(terminal, operator, place, self.keys.as_ref(), lists, psam)?;
            self.readers.insert(terminal, reader);
        }
        let (Some(reader), Some(rider)) = (self.readers.get_mut(&terminal), self.riders.get_mut(index))
        else {
            return Err(SimError::Empty);
        };
        rider.held.reset().map_err(|error| SimError::Link(error.to_string()))?; // into the field
        let mut leaving = Leaving::new(&mut rider.held, torn);
        Ok(match &mut self.observer {
            None => reader.tap(&mut leaving, request, at),
            Some(observer) => {
                let name = rider.passenger.name.clone();
                let watch = |command: &[u8], answer: Result<&[u8], &ChannelError>| {
                    observer(Exchange { at, who: "terminal", card: &name, command, response: answer.ok() });
                };
                reader.tap(&mut Transcript::new(leaving, watch), request, at)
            }
        })
    }

    fn note(&mut self, index: usize, operator: &Arc<Operator>, request: Request, outcome: &TapOutcome) {
        let Some(rider) = self.riders.get_mut(index) else { return };
        match outcome {
            TapOutcome::Accepted { record, recovered, .. } => {
                rider.inside = matches!(request, Request::Enter).then(|| Arc::clone(operator));
                let mode = self.books.taps.accepted.entry(record.mode.name()).or_default();
                let total: &mut Total = if record.is_away() { &mut mode.away } else { &mut mode.home };
                total.add(record.amount.into());
                if *recovered {
                    self.books.taps.recovered = self.books.taps.recovered.saturating_add(1);
                }
            }
            TapOutcome::Refused(refused) => {
                let code = refused.why.code().to_string();
                rider.wants_load |= code == "balance-low";
                rider.inside = rider.inside.take().filter(|_| code == "balance-low");
                count(&mut self.books.taps.refused, code);
            }
            TapOutcome::Torn(_) => rider.inside = None,
        }
    }

    /// Readers get a newer deny list.
    pub(crate) fn give_deny_list(&mut self, list: DenyList) {
        self.deny = Arc::new(list);
        for reader in self.readers.values_mut() {
            reader.take_deny_list(&self.deny);
        }
    }

    fn acceptance(&mut self, city: CityCode) -> Arc<AcceptanceList> {
        let make = || Arc::new(AcceptanceList::of(self.registry, city, 1));
        Arc::clone(self.acceptance.entry(city).or_insert_with(make))
    }

    /// The fare that a meter, a till or a driver names, where the operator's fare does not follow from the reader.
    fn named_fare(&mut self, operator: &Operator) -> Option<PurseFen> {
        let named = matches!(operator.fare, Fare::Listed);
        let steps = named.then(|| self.random.below(40))?;
        u32::try_from(steps.saturating_mul(50).saturating_add(150))
            .ok()
            .and_then(|fen| PurseFen::try_from(fen).ok())
    }

    fn strikes(&mut self, in_ten_thousand: u64) -> bool {
        self.random.below(10_000) < in_ten_thousand
    }

    fn cut(&mut self) -> Cut {
        if self.random.below(2) == 0 { Cut::Command } else { Cut::Answer }
    }

    fn comes_back(&mut self) -> bool {
        self.random.below(100) >= self.weather.never_back_percent
    }

    /// What is really in every purse.
    pub(crate) fn purses(&mut self) -> Result<Fen, SimError> {
        let balances =
            self.riders.iter_mut().map(|rider| rider.look().map(|view| i64::from(view.balance.get())));
        balances
            .sum::<Option<i64>>()
            .map(Fen::new)
            .ok_or_else(|| SimError::Link("a card does not say its balance".into()))
    }

    /// Whether the passenger is inside a gate.
    pub(crate) fn is_inside(&self, index: usize) -> bool {
        self.riders.get(index).is_some_and(|rider| rider.inside.is_some())
    }

    pub(crate) fn entropy(&mut self) -> &mut dyn Entropy {
        &mut self.random
    }
}

impl Rider {
    fn new(passenger: Passenger, held: Held, agent: Agent, number: Option<CardNumber>) -> Self {
        Rider { passenger, held, agent, inside: None, open_orders: Vec::new(), wants_load: false, number }
    }

    fn se_id(&self) -> String {
        match &self.held {
            Held::Phone(chip) => chip.se_id(),
            Held::Plastic(_) => "plastic".to_owned(),
        }
    }

    /// What the card says of itself.
    pub(crate) fn look(&mut self) -> Option<PurseView> {
        self.held.reset().ok()?;
        let reader = PurseReader::default();
        let answers: Vec<_> =
            reader.commands().iter().map(|command| self.held.exchange(command).ok()).collect();
        reader.view(&answers).ok()
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: String) {
    let counter = counts.entry(what).or_default();
    *counter = counter.saturating_add(1);
}
