//! Acceptance (受理): whose cards a city's readers take, since when.
//!
//! Invariant: acceptance is a directed matrix; that A takes B says nothing about B taking A.

use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::number::CityCode;
use crate::time::Date;

/// An exception to the rule that two joined cities take each other's cards from the later joining day.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The city whose readers are meant.
    pub acquirer: CityCode,
    /// The city whose cards are meant.
    pub issuer: CityCode,
    /// First day on which they are taken; absent: they are not.
    #[serde(default, deserialize_with = "text::maybe_day")]
    pub from: Option<Date>,
    /// Why.
    pub reason: Name,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// Why a city's readers do not take a card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedBecause {
    /// The registry has no such city.
    #[error("no city has the code {city}")]
    UnknownCity {
        /// The code.
        city: CityCode,
    },
    /// A city is not interoperable yet.
    #[error("{city} is not interoperable on {on}{}", since(*.joins))]
    NotJoined {
        /// Which city.
        city: CityCode,
        /// The day in question.
        on: Date,
        /// When it will be, if known.
        joins: Option<Date>,
    },
    /// A city's keys are its own, so others' readers cannot check its cards, nor its readers theirs.
    #[error("{city} has first-generation keys, which other cities do not share")]
    KeyGeneration {
        /// Which city.
        city: CityCode,
    },
    /// The two cities have an exception.
    #[error("the readers of {acquirer} do not take cards of {issuer} on {on}{}", since(*.from))]
    Exception {
        /// The readers' city.
        acquirer: CityCode,
        /// The card's city.
        issuer: CityCode,
        /// The day in question.
        on: Date,
        /// When they will, if known.
        from: Option<Date>,
    },
}

fn since(day: Option<Date>) -> String {
    day.map(|day| format!(", only from {day}")).unwrap_or_default()
}

impl Record for Acceptance {
    const FOLDER: &'static str = "acceptance";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        source.read()
    }

    fn assumed(&self) -> &[String] {
        &self.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        if self.acquirer == self.issuer {
            problems.push(
                source.problem("issuer", "a city takes its own cards; expected another city than acquirer"),
            );
        }
    }
}
