//! Replay (重放): a file of real taps, charged again by our terminals, and compared with what was paid.
//!
//! Each passenger of the file gets a plastic card of the city, personalised and loaded; each reader of the file is
//! one of ours with the operator's fare. The file's list fare is what the reader's table or driver would name.
//! Where the file begins in the middle of a trip, or has only its end, the missing part is made up: an entry for
//! whoever only leaves, a ride for whoever is shown with a transfer.
//!
//! Invariant: what is charged comes from the card, the PSAM and the fare data alone; the file's paid amount is only
//! compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use card::layout::PURSE_AID;
use keys::{CardRef, KeyService, Seeded};
use model::registry::{Operator, Registry};
use model::{CardTime, CityCode, Fen, Mode, PsamId, PurseFen, TapRecord, TerminalId};
use secure_element::{MemoryStore, PlasticCard};
use serde::Serialize;
use smartcard::gp::Aid;
use terminal::{AcceptanceList, DenyList, Refusal, Request, TapOutcome};
use tsm::{Job, LoadPlan, Report};

use crate::SimError;
use crate::cards;
use crate::counter::run_job;
use crate::reader::{Place, Reader};

/// What happened at a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A bus ride, paid at boarding.
    Bus,
    /// Through the gate into the metro.
    MetroIn,
    /// Through the gate out of the metro, paid.
    MetroOut,
}

/// One row of the file.
#[derive(Clone, Debug)]
pub struct RealTap {
    /// The card's name in the file.
    pub card: String,
    /// When.
    pub at: CardTime,
    /// What.
    pub kind: Kind,
    /// What the passenger paid.
    pub paid: PurseFen,
    /// The fare before discounts.
    pub list: PurseFen,
    /// The reader's name in the file.
    pub equipment: String,
    /// The line or the station that the file names.
    pub place: String,
    /// The file calls it a transfer.
    pub transfer: bool,
}

/// How the taps of one kind compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Taps of this kind in the file.
    pub taps: u64,
    /// Charged what the file says.
    pub as_the_file: u64,
    /// What the file was paid by those.
    pub as_the_file_fen: Fen,
    /// Concession cards: the file was paid less than our rule for an ordinary card, by share of the list fare.
    pub concession: BTreeMap<String, u64>,
    /// Charged otherwise, and not explained by a concession.
    pub otherwise: BTreeMap<String, u64>,
    /// Not taken by our reader, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// The comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Passengers, each with a card.
    pub cards: u64,
    /// Readers.
    pub readers: u64,
    /// Entries made up because the file begins after them.
    pub entries_before_the_file: u64,
    /// Entries made up because the file has the exit alone, in the middle of the morning.
    pub entries_the_file_misses: u64,
    /// Rides made up because the file shows their transfer.
    pub rides_before_the_file: u64,
    /// By kind.
    pub kinds: BTreeMap<&'static str, Compared>,
}

/// What a replay leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// What was charged, against the file.
    pub comparison: Comparison,
    /// The readers' records, as a back end collects them, by time.
    pub records: Vec<TapRecord>,
}

/// What every card is loaded with.
const LOAD_FEN: u32 = 50_000;
/// The reader of what is made up.
const MADE_UP: &str = "not in the file";
/// A made-up entry or ride is so long before the tap that shows it.
const EARLIER_SECONDS: i64 = 1800;

/// Charges `taps` (in any order) through the readers of `city`.
///
/// # Errors
/// [`SimError`] if the city has no bus or no metro, or more readers in the file than in the registry.
pub fn replay(
    registry: &Registry,
    city: CityCode,
    mut taps: Vec<RealTap>,
    keys: &dyn KeyService,
    mut progress: impl FnMut(u64),
) -> Result<Replayed, SimError> {
    taps.sort_by_key(|tap| tap.at);
    let mut network = Network::new(registry, city, keys)?;
    network.made_up(&taps)?;
    for (tap, done) in taps.iter().zip(1..) {
        let outcome = network.tap(tap)?;
        network.compare(tap, &outcome);
        progress(done);
    }
    network.report.readers = u64::try_from(network.readers.len()).unwrap_or(u64::MAX);
    network.report.cards = u64::try_from(network.cards.len()).unwrap_or(u64::MAX);
    let batches = network.readers.values().flat_map(|reader| reader.batch().export().records);
    let mut records: Vec<TapRecord> = batches.collect();
    records.sort_by_key(|record| (record.at, record.terminal, record.terminal_seq));
    Ok(Replayed { comparison: network.report, records })
}

struct Network<'a> {
    keys: &'a dyn KeyService,
    registry: &'a Registry,
    city: CityCode,
    bus: Arc<Operator>,
    metro: Arc<Operator>,
    acceptance: Arc<AcceptanceList>,
    deny: Arc<DenyList>,
    readers: HashMap<(Mode, String), Reader>,
    /// The file's lines, numbered in the order in which they come.
    lines: HashMap<String, u32>,
    used: BTreeMap<Mode, u32>,
    cards: HashMap<String, PlasticCard>,
    /// Each card's last tap in the file so far.
    last: HashMap<String, CardTime>,
    report: Comparison,
}

impl<'a> Network<'a> {
    fn new(registry: &'a Registry, city: CityCode, keys: &'a dyn KeyService) -> Result<Self, SimError> {
        let of = |mode: Mode| {
            let found = registry.operators_of(city).find(|operator| operator.mode == mode);
            found.map(|operator| Arc::new(operator.clone())).ok_or(SimError::NoOperator { city, mode })
        };
        let (bus, metro) = (of(Mode::Bus)?, of(Mode::Metro)?);
        let mut report = Comparison::default();
        for kind in [Kind::Bus, Kind::MetroIn, Kind::MetroOut] {
            report.kinds.insert(kind.name(), Compared::default());
        }
        Ok(Network {
            keys,
            registry,
            city,
            bus,
            metro,
            acceptance: Arc::new(AcceptanceList::new(1, [(city, None)])),
            deny: Arc::new(DenyList::new(1, [])),
            readers: HashMap::new(),
            lines: HashMap::new(),
            used: BTreeMap::new(),
            cards: HashMap::new(),
            last: HashMap::new(),
            report,
        })
    }

    /// The part of trips that lies before the file.
    fn made_up(&mut self, taps: &[RealTap]) -> Result<(), SimError> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for tap in taps.iter() {
            if !seen.insert(&tap.card) {
                continue;
            }
            let earlier = |seconds: i64| tap.at.plus_seconds(0_i64.saturating_sub(seconds));
            if tap.transfer {
                // Off a vehicle of the other kind, or another bus, shortly before.
                let request = Request::Pay { list: PurseFen::try_from(200).ok() };
                self.hold(tap, Mode::Bus, MADE_UP, request, earlier(EARLIER_SECONDS * 2))?;
                self.report.rides_before_the_file = self.report.rides_before_the_file.saturating_add(1);
            }
            if tap.kind == Kind::MetroOut {
                self.hold(tap, Mode::Metro, MADE_UP, Request::Enter, earlier(EARLIER_SECONDS))?;
                self.report.entries_before_the_file = self.report.entries_before_the_file.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The passenger's card is held to a reader; card and reader are made when they first come.
    fn hold(
        &mut self,
        tap: &RealTap,
        mode: Mode,
        equipment: &str,
        request: Request,
        at: CardTime,
    ) -> Result<TapOutcome, SimError> {
        if !self.cards.contains_key(&tap.card) {
            let card = self.issue(at)?;
            self.cards.insert(tap.card.clone(), card);
        }
        let key = (mode, equipment.to_owned());
        if !self.readers.contains_key(&key) {
            let reader =
                self.reader(mode, if equipment == tap.equipment { &tap.place } else { equipment })?;
            self.readers.insert(key.clone(), reader);
        }
        match (self.readers.get_mut(&key), self.cards.get_mut(&tap.card)) {
            (Some(reader), Some(card)) => Ok(reader.tap(card, request, at)),
            _ => Err(SimError::NoOperator { city: self.city, mode }),
        }
    }

    fn tap(&mut self, tap: &RealTap) -> Result<TapOutcome, SimError> {
        let list = Some(tap.list);
        let (mode, request) = match tap.kind {
            Kind::Bus => (Mode::Bus, Request::Pay { list }),
            Kind::MetroIn => (Mode::Metro, Request::Enter),
            Kind::MetroOut => (Mode::Metro, Request::Leave { list }),
        };
        let mut outcome = self.hold(tap, mode, &tap.equipment, request, tap.at)?;
        if matches!(&outcome, TapOutcome::Refused(refused) if refused.why == Refusal::NotEntered) {
            let earlier = tap.at.plus_seconds(0_i64.saturating_sub(EARLIER_SECONDS));
            let entered = self.last.get(&tap.card).map_or(earlier, |last| earlier.max(last.plus_seconds(1)));
            self.hold(tap, Mode::Metro, MADE_UP, Request::Enter, entered)?;
            self.report.entries_the_file_misses = self.report.entries_the_file_misses.saturating_add(1);
            outcome = self.hold(tap, mode, &tap.equipment, request, tap.at)?;
        }
        self.last.insert(tap.card.clone(), tap.at);
        Ok(outcome)
    }

    fn reader(&mut self, mode: Mode, line: &str) -> Result<Reader, SimError> {
        let next = u32::try_from(self.lines.len()).unwrap_or(u32::MAX).saturating_add(1);
        let number = *self.lines.entry(line.to_owned()).or_insert(next);
        let place = Place { line: number.to_string().parse().unwrap_or_default(), ..Place::default() };
        let operator = if mode == Mode::Bus { &self.bus } else { &self.metro };
        let used = self.used.entry(mode).or_default();
        let terminal: TerminalId =
            operator.terminals.get(*used).ok_or(SimError::TooFewReaders { operator: operator.id })?;
        *used = used.saturating_add(1);
        let lists = (&self.acceptance, &self.deny);
        Reader::new(terminal, operator, place, self.keys, lists, PsamId(terminal.as_u64()))
    }

    /// A personalised and loaded plastic card of the city.
    fn issue(&mut self, at: CardTime) -> Result<PlasticCard, SimError> {
        let running = u64::try_from(self.cards.len()).unwrap_or(u64::MAX);
        let number = cards::plastic_number(self.city, running);
        let card = CardRef { city: self.city, number };
        let mut random = Seeded::new(0).fork(&number.raw());
        let (store, chip) = (Box::new(MemoryStore::default()), cards::chip(&random, "chip"));
        let mut plastic =
            cards::plastic(self.registry, &card, at.date(), self.keys, store, chip, &mut random)?;
        let plan = LoadPlan {
            card: Some(number),
            aid: Aid::of(PURSE_AID),
            amount: PurseFen::try_from(LOAD_FEN).unwrap_or(PurseFen::ZERO),
            purse_limit: PurseFen::MAX,
            terminal: cards::COUNTER,
            pin: self.registry.city(self.city).and_then(tsm::load_pin),
            unsettled: None,
        };
        match run_job(&mut Job::load(plan), &mut plastic, self.keys, &mut random, at.plus_seconds(-7200)) {
            Report::Loaded { .. } => Ok(plastic),
            other => Err(SimError::Card { card: number, why: format!("load: {other:?}") }),
        }
    }

    fn compare(&mut self, tap: &RealTap, outcome: &TapOutcome) {
        let compared = self.report.kinds.entry(tap.kind.name()).or_default();
        let count = |counts: &mut BTreeMap<String, u64>, what: String| {
            let counter = counts.entry(what).or_default();
            *counter = counter.saturating_add(1);
        };
        compared.taps = compared.taps.saturating_add(1);
        match outcome {
            TapOutcome::Accepted { record, .. } if record.amount == tap.paid => {
                compared.as_the_file = compared.as_the_file.saturating_add(1);
                compared.as_the_file_fen = compared.as_the_file_fen.plus(tap.paid.into()).unwrap_or_default();
            }
            TapOutcome::Accepted { record, .. } => match tap.paid < record.amount {
                true => count(&mut compared.concession, share(tap)),
                false => {
                    let what = format!("paid {} of {}, ours {}", tap.paid, tap.list, record.amount);
                    count(&mut compared.otherwise, what);
                }
            },
            TapOutcome::Refused(refused) => count(&mut compared.refused, refused.why.code().to_string()),
            TapOutcome::Torn(_) => count(&mut compared.refused, "torn".to_owned()),
        }
    }
}

/// What part of the list fare was paid, in per cent, as a name for a kind of concession.
fn share(tap: &RealTap) -> String {
    let percent = u64::from(tap.paid.get()).saturating_mul(100).checked_div(tap.list.get().into());
    percent.map_or_else(|| "no list fare".to_owned(), |percent| format!("paid {percent} % of the list fare"))
}

impl Kind {
    /// The kind's name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Bus => "bus",
            Kind::MetroIn => "metro-in",
            Kind::MetroOut => "metro-out",
        }
    }
}
