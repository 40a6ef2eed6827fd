//! A passenger's day: which card, where, when, how much.

use std::collections::BTreeMap;

use keys::{CardRef, Seeded};
use model::registry::{City, Fare, Flow, Line, Operator, Registry};
use model::{
    CardNumber, CardTime, CityCode, Date, Fen, Label, PsamId, PurseFen, Tac, TapRecord, TerminalId, TxnType,
};

/// One passenger in so many rides in another city.
const AWAY_ONE_IN: u64 = 12;
/// Readers beyond this number make an operator no busier.
const READERS_COUNTED: u64 = 100;
/// Version of the purchase key in the cards.
const KEY_VERSION: u8 = 1;

/// The last count of each PSAM.
pub(super) type Counters = BTreeMap<TerminalId, u32>;

/// A city and its operators.
struct Place<'a> {
    city: &'a City,
    operators: Vec<&'a Operator>,
    weight: u64,
}

/// Where passengers ride on a day.
pub(super) struct Network<'a> {
    registry: &'a Registry,
    day: Date,
    places: Vec<Place<'a>>,
}

/// A card and its unsigned taps.
pub(super) struct PassengerDay {
    pub(super) card: CardRef,
    pub(super) taps: Vec<TapRecord>,
}

/// A passenger on the way.
struct Rider<'r> {
    card: CardRef,
    seq: u16,
    balance: PurseFen,
    at: CardTime,
    taps: Vec<TapRecord>,
    random: &'r mut Seeded,
    counters: &'r mut Counters,
}

impl<'a> Network<'a> {
    /// `None` if there is no operator with a reader.
    pub(super) fn new(registry: &'a Registry, day: Date) -> Option<Self> {
        let place = |city: &'a City| {
            let operators: Vec<_> = registry.operators_of(city.code).filter(|o| readers(o) > 0).collect();
            let sum = operators.iter().map(|operator| busyness(operator)).fold(0, u64::saturating_add);
            // Big cities are bigger still than their number of readers says.
            Place { city, operators, weight: sum.saturating_mul(sum) }
        };
        let places: Vec<Place<'a>> = registry.cities().map(place).filter(|place| place.weight > 0).collect();
        (!places.is_empty()).then_some(Network { registry, day, places })
    }

    /// The day of the passenger with this number; `None` only of a network without readers.
    pub(super) fn passenger(
        &self,
        number: u64,
        random: &mut Seeded,
        counters: &mut Counters,
    ) -> Option<PassengerDay> {
        let home = pick(&self.places, |place| place.weight, random)?;
        let place = self.place_to_ride(home, random);
        let card = CardRef { city: home.city.code, number: card_number(home.city.code, number) };
        let mut rider = Rider {
            card,
            seq: u16::try_from(random.below(2_000)).unwrap_or(0),
            balance: fen(5_000_u64.saturating_add(random.below(20_000))),
            at: self.day.start().plus_seconds(first_second(random)),
            taps: Vec::new(),
            random,
            counters,
        };
        for _ in 0..=rider.random.below(4) {
            let operator = pick(&place.operators, |operator| busyness(operator), rider.random)?;
            rider.ride(operator);
            rider.wait(1_200, 14_400);
            if rider.at.date() != self.day || rider.at.hour() >= 22 {
                break;
            }
        }
        Some(PassengerDay { card: rider.card, taps: rider.taps })
    }

    /// Mostly home; else a city that takes the card and has an agreement about it.
    fn place_to_ride<'n>(&'n self, home: &'n Place<'a>, random: &mut Seeded) -> &'n Place<'a> {
        if random.below(AWAY_ONE_IN) != 0 {
            return home;
        }
        let elsewhere = |place: &Place<'_>| if place.city.code == home.city.code { 0 } else { place.weight };
        let Some(away) = pick(&self.places, elsewhere, random) else { return home };
        let (acquirer, issuer) = (away.city.code, home.city.code);
        let taken = self.registry.accepts(acquirer, issuer, self.day).is_ok();
        let agreed = self.registry.tap_agreement(issuer, acquirer, self.day).is_some();
        if taken && agreed { away } else { home }
    }
}

impl Rider<'_> {
    fn ride(&mut self, operator: &Operator) {
        let list = list_fare(&operator.fare, self.random);
        let paid =
            Fen::from(list).share(operator.pay_permille).ok().and_then(|paid| PurseFen::try_from(paid).ok());
        let Some(paid) = paid.filter(|paid| *paid <= self.balance) else { return };
        let line = pick(&operator.lines, |_| 1, self.random);
        match operator.flow {
            Flow::Purchase => {
                let mut tap = self.tap(operator, line, TxnType::Purchase, paid, list);
                tap.vehicle = label(&format!("V{:05}", tap.terminal.as_u64() % 100_000));
                self.taps.push(tap);
            }
            Flow::EntryExit => {
                let mut entry = self.tap(operator, line, TxnType::Compound, PurseFen::ZERO, PurseFen::ZERO);
                entry.stop_in = self.stop(line);
                let (entered_at, stop_in) = (entry.at, entry.stop_in.clone());
                self.taps.push(entry);
                self.wait(300, 3_600);
                let mut exit = self.tap(operator, line, TxnType::Compound, paid, list);
                exit.stop_out = self.stop(line);
                exit.stop_in = stop_in;
                exit.entered_at = Some(entered_at);
                self.taps.push(exit);
            }
        }
    }

    /// A tap that takes `amount` from the purse. Amount 0 does not move the card's counter.
    fn tap(
        &mut self,
        operator: &Operator,
        line: Option<&Line>,
        kind: TxnType,
        amount: PurseFen,
        list_fare: PurseFen,
    ) -> TapRecord {
        let terminal = random_terminal(operator, self.random);
        let balance_before = self.balance;
        self.balance = self.balance.minus(amount).unwrap_or_default();
        self.seq = self.seq.saturating_add((amount > PurseFen::ZERO).into());
        TapRecord {
            card: self.card.number,
            issuer: self.card.city,
            acquirer: operator.city,
            operator: operator.id,
            mode: operator.mode,
            terminal,
            terminal_seq: count(self.counters, terminal),
            psam: PsamId(terminal.as_u64()),
            card_seq: self.seq,
            amount,
            list_fare,
            balance_before,
            kind,
            at: self.at,
            tac: Tac([0; 4]),
            key_version: KEY_VERSION,
            algorithm: 0,
            line: line.map(|line| line.code.clone()).unwrap_or_default(),
            vehicle: Label::default(),
            stop_in: Label::default(),
            stop_out: Label::default(),
            entered_at: None,
            test: false,
        }
    }

    fn stop(&mut self, line: Option<&Line>) -> Label {
        let stop = line.and_then(|line| pick(&line.stops, |_| 1, self.random));
        stop.map(|stop| stop.code.clone()).unwrap_or_default()
    }

    fn wait(&mut self, least: u64, most: u64) {
        let seconds = least.saturating_add(self.random.below(most.saturating_sub(least)));
        self.at = self.at.plus_seconds(i64::try_from(seconds).unwrap_or(0));
    }
}

/// The next count of a terminal's PSAM.
pub(super) fn count(counters: &mut Counters, terminal: TerminalId) -> u32 {
    let counter = counters.entry(terminal).or_default();
    *counter = counter.saturating_add(1);
    *counter
}

/// A card's number: the city's code, then 12 decimal digits.
pub(super) fn card_number(city: CityCode, number: u64) -> CardNumber {
    let [a, b] = city.to_bcd();
    let [c, d, e, f, g, h] = model::bcd::encode(number);
    CardNumber::new([a, b, c, d, e, f, g, h])
}

/// One of `items`, the heavier the likelier; `None` if nothing has weight.
pub(super) fn pick<'i, T>(items: &'i [T], weight: impl Fn(&T) -> u64, random: &mut Seeded) -> Option<&'i T> {
    let total = items.iter().map(&weight).fold(0, u64::saturating_add);
    let mut left = random.below(total);
    items.iter().find(|item| {
        let own = weight(item);
        let here = left < own;
        left = left.saturating_sub(own);
        here
    })
}

fn readers(operator: &Operator) -> u64 {
    operator.terminals.count.into()
}

fn busyness(operator: &Operator) -> u64 {
    readers(operator).min(READERS_COUNTED)
}

fn random_terminal(operator: &Operator, random: &mut Seeded) -> TerminalId {
    let index = u32::try_from(random.below(readers(operator))).unwrap_or(0);
    operator.terminals.get(index).unwrap_or(operator.terminals.first)
}

fn list_fare(fare: &Fare, random: &mut Seeded) -> PurseFen {
    match fare {
        Fare::Flat { list_fen } => *list_fen,
        Fare::Distance { bands, .. } => pick(bands, |_| 1, random).map(|band| band.fen).unwrap_or_default(),
        Fare::Listed => fen(random.below(290).saturating_add(10).saturating_mul(10)),
        Fare::Timed { fen: per_period, .. } => {
            fen(u64::from(per_period.get()).saturating_mul(random.below(3)))
        }
    }
}

/// Two rush hours, and the hours between.
fn first_second(random: &mut Seeded) -> i64 {
    let (from, hours) = match random.below(10) {
        0..=4 => (6_u64, 3_u64),
        5..=7 => (16, 3),
        _ => (9, 7),
    };
    let seconds = from.saturating_mul(3_600).saturating_add(random.below(hours.saturating_mul(3_600)));
    i64::try_from(seconds).unwrap_or(0)
}

fn fen(amount: u64) -> PurseFen {
    u32::try_from(amount).ok().and_then(|amount| PurseFen::try_from(amount).ok()).unwrap_or(PurseFen::MAX)
}

fn label(text: &str) -> Label {
    text.parse().unwrap_or_default()
}
