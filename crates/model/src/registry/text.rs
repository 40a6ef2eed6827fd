//! How facts are written in TOML: numbers of ours and hex as strings, days as TOML dates.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

use crate::time::Date;

/// A name in both languages of the network.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Chinese.
    pub zh: String,
    /// English, or Hanyu Pinyin without tone marks.
    pub en: String,
}

/// A condition on a party: one of them by name, or, written `*`, any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which<T> {
    /// Whoever it is.
    Any,
    /// This one alone.
    Only(T),
}

impl<T: PartialEq> Which<T> {
    /// Whether `one` is meant.
    #[must_use]
    pub fn covers(&self, one: &T) -> bool {
        match self {
            Which::Any => true,
            Which::Only(named) => named == one,
        }
    }

    /// The one that is named.
    #[must_use]
    pub fn named(&self) -> Option<&T> {
        match self {
            Which::Any => None,
            Which::Only(named) => Some(named),
        }
    }
}

impl<T: FromStr> FromStr for Which<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "*" { Ok(Which::Any) } else { text.parse().map(Which::Only) }
    }
}

/// A string that is one of our numbers.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A string of exactly `2 * N` hex digits.
pub(super) fn hex_bytes<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(&text, &mut bytes).map_err(|_| {
        let digits = N.saturating_mul(2);
        D::Error::custom(format!("expected {digits} hex digits, found {} characters", text.chars().count()))
    })?;
    Ok(bytes)
}

/// [`hex_bytes`] of a field that may be absent.
pub(super) fn maybe_hex_bytes<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[u8; N]>, D::Error> {
    hex_bytes(deserializer).map(Some)
}

/// A TOML date, such as `2014-06-18`.
pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let moment = toml::value::Datetime::deserialize(deserializer)?;
    let (date, time) = (moment.date, moment.time);
    let day = date.filter(|_| time.is_none()).and_then(|date| {
        Date::new(
            i16::try_from(date.year).ok()?,
            i8::try_from(date.month).ok()?,
            i8::try_from(date.day).ok()?,
        )
    });
    day.ok_or_else(|| D::Error::custom("expected a date without a time, such as 2014-06-18"))
}

/// [`day`] of a field that may be absent.
pub(super) fn maybe_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    day(deserializer).map(Some)
}
