//! Operators (运营单位): who runs readers, of which kind, at what fare.

use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::money::{PerMille, PurseFen};
use crate::number::{CityCode, TerminalId};
use crate::party::OperatorId;
use crate::record::{Label, Mode};

/// A bus, metro, ferry, bike-rental or taxi company, a car park or a shop.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// City code, industry code and a running number: 2000 02 01.
    #[serde(deserialize_with = "text::parsed")]
    pub id: OperatorId,
    /// The city whose card company acquires its taps.
    pub city: CityCode,
    /// Kind of service.
    pub mode: Mode,
    /// What it is called.
    pub name: Name,
    /// One tap or two.
    pub flow: Flow,
    /// Its readers.
    pub terminals: Terminals,
    /// The fare before discounts.
    pub fare: Fare,
    /// What a card pays of the list fare: 800 is a discount of 20 %. Visitors' cards pay the same.
    #[serde(default = "whole")]
    pub pay_permille: PerMille,
    /// Money off for those who have just left another vehicle.
    pub transfer: Option<Transfer>,
    /// The least that the purse must hold at entry.
    #[serde(default)]
    pub minimum_balance_fen: PurseFen,
    /// Lines, as far as known.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// How many taps make a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// One tap: a purchase (消费).
    Purchase,
    /// A tap in and a tap out: compound purchase (复合消费).
    EntryExit,
}

/// A row of consecutive terminal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminals {
    /// The first number.
    #[serde(deserialize_with = "text::parsed")]
    pub first: TerminalId,
    /// How many.
    pub count: u32,
}

/// The fare before discounts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fare {
    /// The same for every ride.
    Flat {
        /// The fare.
        list_fen: PurseFen,
    },
    /// By the metres between entry and exit.
    Distance {
        /// From the shortest trip to the longest.
        bands: Vec<Band>,
        /// What is added beyond the last band.
        beyond: Beyond,
    },
    /// Named at the tap: a taxi meter, a till, a table of fares that the reader holds.
    Listed,
    /// By the minutes between entry and exit.
    Timed {
        /// How long it costs nothing.
        free_minutes: u32,
        /// A period, of which each that is begun costs `fen`.
        per_minutes: u32,
        /// The fare of a period.
        fen: PurseFen,
    },
}

/// A fare for trips up to a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The longest trip of this band, in metres.
    pub up_to_m: u32,
    /// Its fare.
    pub fen: PurseFen,
}

/// The fare beyond the last band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beyond {
    /// A stretch, in metres, of which each that is begun costs `fen` more.
    pub every_m: u32,
    /// What a stretch adds.
    pub fen: PurseFen,
}

/// Money off after a ride with another mode in the same city (换乘优惠).
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The modes that the passenger may come from.
    pub from: Vec<Mode>,
    /// How long after that ride's last tap this ride's first may be.
    pub within_minutes: u32,
    /// What is taken off, after the discount.
    pub off_fen: PurseFen,
    /// Not for another ride on the same line.
    #[serde(default)]
    pub only_to_another_line: bool,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// As records have it.
    #[serde(deserialize_with = "text::parsed")]
    pub code: Label,
    /// What it is called.
    pub name: Name,
    /// Stops in their order, as far as known.
    #[serde(default)]
    pub stops: Vec<Stop>,
}

/// A stop of one line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// As records have it; two lines at one station have two codes.
    #[serde(deserialize_with = "text::parsed")]
    pub code: Label,
    /// What it is called.
    pub name: Name,
    /// Metres from the line's first stop.
    pub at_m: Option<u32>,
}

fn whole() -> PerMille {
    PerMille::new(1000).unwrap_or_default()
}

impl Terminals {
    /// The number at `index`, from 0; `None` beyond the last.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<TerminalId> {
        let inside = index < self.count;
        inside
            .then(|| self.first.as_u64().checked_add(u64::from(index)))
            .flatten()
            .and_then(TerminalId::from_u64)
    }

    /// Whether `terminal` is one of them.
    #[must_use]
    pub fn contains(&self, terminal: TerminalId) -> bool {
        let offset = terminal.as_u64().checked_sub(self.first.as_u64());
        offset.is_some_and(|offset| offset < u64::from(self.count))
    }

    /// Every number, in order.
    pub fn iter(&self) -> impl Iterator<Item = TerminalId> + use<> {
        let row = *self;
        (0..row.count).filter_map(move |index| row.get(index))
    }
}

impl Operator {
    /// Metres between two stops by their codes: along a line, or over one change at a station of the
    /// same name; `None` if the registry does not know.
    #[must_use]
    pub fn distance_m(&self, from: &Label, to: &Label) -> Option<u32> {
        let places = |code: &Label| {
            self.lines.iter().find_map(|line| line.stops.iter().find(|s| s.code == *code).map(|s| (line, s)))
        };
        let ((line_a, a), (line_b, b)) = (places(from)?, places(to)?);
        let between = |one: &Stop, other: &Stop| one.at_m?.abs_diff(other.at_m?).into();
        if line_a.code == line_b.code {
            return between(a, b);
        }
        let changes = line_a.stops.iter().flat_map(|x| line_b.stops.iter().map(move |y| (x, y)));
        let trips = changes.filter(|(x, y)| x.name.zh == y.name.zh).filter_map(|(x, y)| {
            let (first, second): (Option<u32>, Option<u32>) = (between(a, x), between(y, b));
            first?.checked_add(second?)
        });
        trips.min()
    }

    fn check_fare(&self, source: &Source<'_>, problems: &mut Problems) {
        let mut wrong = |field: &str, what: &str| problems.push(source.problem(field, what));
        match &self.fare {
            Fare::Flat { .. } | Fare::Listed => {}
            Fare::Distance { bands, beyond } => {
                let rises = bands.windows(2).all(|pair| match pair {
                    [a, b] => a.up_to_m < b.up_to_m && a.fen <= b.fen,
                    _ => true,
                });
                if bands.is_empty() || !rises {
                    wrong(
                        "fare.distance.bands",
                        "expected at least one band, each longer and no cheaper than the last",
                    );
                }
                if beyond.every_m == 0 {
                    wrong("fare.distance.beyond.every_m", "expected at least 1 metre");
                }
                let placed = self.lines.iter().all(|line| line.stops.iter().all(|stop| stop.at_m.is_some()));
                let trip = self.lines.iter().any(|line| line.stops.len() >= 2);
                if !placed || !trip {
                    wrong("lines", "a fare by distance needs a line with two stops, and at_m at every stop");
                }
            }
            Fare::Timed { per_minutes, .. } => {
                if *per_minutes == 0 {
                    wrong("fare.timed.per_minutes", "expected at least 1 minute");
                }
            }
        }
        let needs_exit = matches!(self.fare, Fare::Distance { .. } | Fare::Timed { .. });
        if needs_exit && self.flow == Flow::Purchase {
            wrong("flow", "a fare by distance or by time is known only at the exit; expected `entry-exit`");
        }
    }

    fn check_codes(&self, source: &Source<'_>, problems: &mut Problems) {
        let number = u64::from(self.id.get());
        let city_and_mode =
            u64::from(self.city.get()).saturating_mul(100).saturating_add(u64::from(self.mode.code()));
        if number / 100 != city_and_mode {
            let what = format!(
                "expected {city_and_mode:06} (city and industry) and 2 digits more, found {}",
                self.id
            );
            problems.push(source.problem("id", what));
        }
        let last = self.terminals.count.checked_sub(1).and_then(|last| self.terminals.get(last));
        if last.is_none() {
            problems.push(
                source.problem("terminals.count", "expected at least 1 and no number beyond FFFFFFFFFFFF"),
            );
        }
        let stops = self.lines.iter().zip(0_usize..).flat_map(|(line, l)| {
            line.stops
                .iter()
                .zip(0_usize..)
                .map(move |(stop, s)| (format!("lines.{l}.stops.{s}.code"), &stop.code))
        });
        let lines = self.lines.iter().zip(0_usize..).map(|(line, l)| (format!("lines.{l}.code"), &line.code));
        for codes in [lines.collect::<Vec<_>>(), stops.collect()] {
            for (index, (field, code)) in codes.iter().enumerate() {
                if codes.iter().take(index).any(|(_, earlier)| earlier == code) {
                    problems.push(
                        source.problem(field, format!("`{code}` stands twice; expected codes of its own")),
                    );
                }
            }
        }
    }
}

impl Record for Operator {
    const FOLDER: &'static str = "operators";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        source.read()
    }

    fn assumed(&self) -> &[String] {
        &self.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        self.check_codes(source, problems);
        self.check_fare(source, problems);
    }
}
