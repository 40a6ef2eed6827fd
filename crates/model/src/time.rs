//! Dates and times as the card network keeps them: local (China), to the second, BCD on the wire.
//!
//! Invariant: no function here reads a clock; [`Clock`] is handed in.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil;

use crate::number::NumberError;

/// Where the time comes from: the machine's clock, or a simulated day.
pub trait Clock: Send + Sync {
    /// The local time, to the second.
    fn now(&self) -> CardTime;
}

/// Where random bytes come from: the machine, or a seed.
pub trait Entropy {
    /// Fills `buffer` with random bytes.
    fn fill(&mut self, buffer: &mut [u8]);
}

/// A calendar day; BCD `YYYYMMDD` on the card. Also the clearing day (清算日).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A local date and time to the second; 4 + 3 BCD bytes on the card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardTime(civil::DateTime);

const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

fn short<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok()
}

impl Date {
    /// A day of the calendar; `None` if there is no such day.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        civil::Date::new(year, month, day).ok().map(Date)
    }

    /// From the card's four BCD bytes; `None` if they are not a day.
    #[must_use]
    pub fn from_bcd(bytes: [u8; 4]) -> Option<Self> {
        let number = crate::bcd::decode(&bytes)?;
        Date::new(short(number / 10_000)?, short(number / 100 % 100)?, short(number % 100)?)
    }

    /// The card's four BCD bytes.
    #[must_use]
    pub fn to_bcd(self) -> [u8; 4] {
        let part = |part: i8| crate::bcd::encode::<1>(part.unsigned_abs().into());
        let [century, year] = crate::bcd::encode(self.0.year().unsigned_abs().into());
        let ([month], [day]) = (part(self.0.month()), part(self.0.day()));
        [century, year, month, day]
    }

    /// `YYYYMMDD` as a number.
    #[must_use]
    pub fn digits(self) -> u64 {
        crate::bcd::decode(&self.to_bcd()).unwrap_or(0)
    }

    /// `days` later (or earlier); stops at the ends of the calendar.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Date(self.0.saturating_add(days.days()))
    }

    /// The moment the day begins.
    #[must_use]
    pub fn start(self) -> CardTime {
        CardTime(self.0.at(0, 0, 0, 0))
    }
}

impl CardTime {
    /// A moment; `None` if there is no such day or time.
    #[must_use]
    pub fn new(date: Date, hour: i8, minute: i8, second: i8) -> Option<Self> {
        civil::Time::new(hour, minute, second, 0).ok().map(|time| CardTime(date.0.to_datetime(time)))
    }

    /// From the card's BCD bytes; `None` if they are not a moment.
    #[must_use]
    pub fn from_bcd(date: [u8; 4], time: [u8; 3]) -> Option<Self> {
        let number = crate::bcd::decode(&time)?;
        let date = Date::from_bcd(date)?;
        CardTime::new(date, short(number / 10_000)?, short(number / 100 % 100)?, short(number % 100)?)
    }

    /// The day.
    #[must_use]
    pub fn date(self) -> Date {
        Date(self.0.date())
    }

    /// The four BCD bytes of the date.
    #[must_use]
    pub fn date_bcd(self) -> [u8; 4] {
        self.date().to_bcd()
    }

    /// The three BCD bytes of the time.
    #[must_use]
    pub fn time_bcd(self) -> [u8; 3] {
        let part = |part: i8| crate::bcd::encode::<1>(part.unsigned_abs().into());
        let ([hour], [minute], [second]) =
            (part(self.0.hour()), part(self.0.minute()), part(self.0.second()));
        [hour, minute, second]
    }

    /// Hour of the day, 0 to 23.
    #[must_use]
    pub fn hour(self) -> u8 {
        self.0.hour().unsigned_abs()
    }

    /// Seconds since 1970-01-01 00:00 of the local calendar, as record files keep it.
    #[must_use]
    pub fn as_seconds(self) -> i64 {
        self.0.duration_since(EPOCH).as_secs()
    }

    /// Seconds since 1970-01-01 00:00 UTC, this moment being one of China (UTC+8): as HTTP signatures keep time.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.as_seconds().saturating_sub(8 * 3600)
    }

    /// From Unix time, as a machine's clock gives it; before or beyond the calendar, the nearest moment in it.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        CardTime(EPOCH).plus_seconds(seconds).plus_seconds(8 * 3600)
    }

    /// From the seconds of a record file; `None` beyond the calendar.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let span = jiff::SignedDuration::from_secs(seconds);
        EPOCH.checked_add(span).ok().map(CardTime)
    }

    /// `seconds` later (or earlier); stops at the ends of the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        CardTime(self.0.saturating_add(jiff::SignedDuration::from_secs(seconds)))
    }

    /// Seconds from `earlier` to this moment; negative if it is later.
    #[must_use]
    pub fn seconds_since(self, earlier: CardTime) -> i64 {
        self.0.duration_since(earlier.0).as_secs()
    }
}

impl FromStr for Date {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let shape = text.len() == 10;
        let day = if shape { text.parse().ok() } else { None };
        day.map(Date).ok_or_else(|| NumberError::new(text, "a date", "YYYY-MM-DD"))
    }
}

impl FromStr for CardTime {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let shape = text.len() == 19;
        let time = if shape { text.parse().ok() } else { None };
        time.map(CardTime).ok_or_else(|| NumberError::new(text, "a time", "YYYY-MM-DD hh:mm:ss"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `2014-10-20 07:45:00`.
impl fmt::Display for CardTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M:%S"))
    }
}

impl fmt::Debug for CardTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! text_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
text_serde!(Date);
text_serde!(CardTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcd_is_a_moment_or_nothing() {
        let time = CardTime::from_bcd([0x20, 0x14, 0x08, 0x25], [0x10, 0x31, 0x00]).unwrap();
        assert_eq!(time.to_string(), "2014-08-25 10:31:00");
        assert_eq!((time.date_bcd(), time.time_bcd()), ([0x20, 0x14, 0x08, 0x25], [0x10, 0x31, 0x00]));
        assert_eq!(CardTime::from_bcd([0x20, 0x14, 0x02, 0x30], [0, 0, 0]), None);
        assert_eq!(CardTime::from_bcd([0xFF; 4], [0xFF; 3]), None);
    }

    #[test]
    fn seconds_come_and_go() {
        let time: CardTime = "2014-10-20 23:59:59".parse().unwrap();
        assert_eq!(CardTime::from_seconds(time.as_seconds()), Some(time));
        assert_eq!(time.plus_seconds(1).to_string(), "2014-10-21 00:00:00");
        assert_eq!(time.plus_seconds(1).date(), time.date().plus_days(1));
        assert_eq!(time.plus_seconds(61).seconds_since(time), 61);
        assert_eq!(CardTime::from_unix_seconds(time.unix_seconds()), time);
        assert_eq!(time.unix_seconds(), 1_413_820_799); // 2014-10-20 15:59:59 UTC
    }
}
