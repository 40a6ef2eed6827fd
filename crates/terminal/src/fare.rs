//! Fares (票价): what one ride costs, from the operator's facts and what the reader and the card know of it.
//!
//! The list fare comes first: flat, by distance bands, by time, or named by the caller. A card then pays its
//! share of it (刷卡优惠), rounded half up to a whole fen, and a transfer (换乘优惠) takes a fixed amount off that,
//! never below nothing. A visitor's card pays what a local card pays.
//!
//! Invariant: a fare is a pure function of its arguments, in whole fen; what it lacks is an error, never a guess.

use model::registry::{Band, Beyond, Fare, Operator, Transfer};
use model::{CardTime, CityCode, Fen, Mode, MoneyError, PurseFen};

/// A purchase of this much or more is not a small one (小额消费), and no reader takes it: 1000 yuan.
pub const SMALL_PURCHASE_BELOW_FEN: u32 = 100_000;

/// What is known of a ride when it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ride {
    /// When it began: at the entry, or now if it is paid at once. A transfer is measured to this moment.
    pub began: CardTime,
    /// When it is paid.
    pub at: CardTime,
    /// Metres between entry and exit, if known.
    pub metres: Option<u32>,
    /// The list fare, if a meter, a till or a table of the reader has named it.
    pub named: Option<PurseFen>,
    /// The ride before this one, if the card has it.
    pub before: Option<RideBefore>,
}

/// The last ride on the card's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RideBefore {
    /// What the passenger rode.
    pub mode: Mode,
    /// Where.
    pub city: CityCode,
    /// When it ended: at the exit, or when it was paid.
    pub ended: CardTime,
    /// It was on the line that this ride is on.
    pub same_line: bool,
}

/// What a ride costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Before discounts.
    pub list: PurseFen,
    /// What the purse loses.
    pub pay: PurseFen,
    /// Whether a transfer took something off.
    pub transferred: bool,
}

/// Why a ride has no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FareError {
    /// The fare goes by distance and the stops are not both known.
    #[error("the fare goes by distance, and how far the stops are apart is not known")]
    NoDistance,
    /// The fare is listed and the caller did not name it.
    #[error("the fare is named at the tap, and it was not")]
    NotNamed,
    /// The ride ends before it began, or the fare's periods have no length.
    #[error("the fare goes by time, and the time of this ride is not one")]
    NoTime,
    /// The fare is 1000 yuan or more, or does not fit in a purse.
    #[error("the fare is not under {SMALL_PURCHASE_BELOW_FEN} fen")]
    TooMuch,
}

impl From<MoneyError> for FareError {
    fn from(_: MoneyError) -> Self {
        FareError::TooMuch
    }
}

/// What `ride` costs at this operator.
///
/// # Errors
/// [`FareError`] when something is missing, or the fare is too much for a small purchase.
pub fn price(operator: &Operator, ride: &Ride) -> Result<Price, FareError> {
    let list = list_fare(&operator.fare, ride)?;
    let discounted = Fen::from(list).share(operator.pay_permille)?;
    let off = operator.transfer.as_ref().filter(|transfer| applies(transfer, operator.city, ride));
    let pay = match off {
        Some(transfer) => discounted.minus(transfer.off_fen.into())?.max(Fen::ZERO),
        None => discounted,
    };
    Ok(Price { list, pay: small(pay.try_into()?)?, transferred: pay != discounted })
}

/// The fare before discounts.
///
/// # Errors
/// As [`price`].
pub fn list_fare(fare: &Fare, ride: &Ride) -> Result<PurseFen, FareError> {
    let list = match fare {
        Fare::Flat { list_fen } => *list_fen,
        Fare::Distance { bands, beyond } => {
            by_distance(bands, *beyond, ride.metres.ok_or(FareError::NoDistance)?)?
        }
        Fare::Listed => ride.named.ok_or(FareError::NotNamed)?,
        Fare::Timed { free_minutes, per_minutes, fen } => {
            let seconds = u64::try_from(ride.at.seconds_since(ride.began)).map_err(|_| FareError::NoTime)?;
            // Only what goes beyond the free time counts; a period begun is a period paid.
            let charged = seconds.saturating_sub(u64::from(*free_minutes).saturating_mul(60));
            let period = u64::from(*per_minutes).saturating_mul(60);
            let periods = if period == 0 { None } else { Some(charged.div_ceil(period)) };
            times(*fen, periods.ok_or(FareError::NoTime)?)?
        }
    };
    small(list)
}

/// The band that the trip falls in, its longest trip included; beyond the last, each stretch begun adds.
fn by_distance(bands: &[Band], beyond: Beyond, metres: u32) -> Result<PurseFen, FareError> {
    if let Some(band) = bands.iter().find(|band| metres <= band.up_to_m) {
        return Ok(band.fen);
    }
    let last = bands.last().ok_or(FareError::NoDistance)?;
    if beyond.every_m == 0 {
        return Err(FareError::NoDistance);
    }
    let stretches = metres.saturating_sub(last.up_to_m).div_ceil(beyond.every_m);
    last.fen.plus(times(beyond.fen, stretches.into())?).ok_or(FareError::TooMuch)
}

/// Whether the card's last ride makes this one a transfer.
fn applies(transfer: &Transfer, city: CityCode, ride: &Ride) -> bool {
    let window = i64::from(transfer.within_minutes).saturating_mul(60);
    ride.before.is_some_and(|before| {
        before.city == city
            && transfer.from.contains(&before.mode)
            && !(transfer.only_to_another_line && before.same_line)
            && (0..=window).contains(&ride.began.seconds_since(before.ended))
    })
}

fn times(fen: PurseFen, count: u64) -> Result<PurseFen, FareError> {
    let product = u64::from(fen.get()).checked_mul(count).and_then(|fen| u32::try_from(fen).ok());
    product.ok_or(FareError::TooMuch).and_then(|fen| Ok(PurseFen::try_from(fen)?))
}

fn small(fen: PurseFen) -> Result<PurseFen, FareError> {
    if fen.get() < SMALL_PURCHASE_BELOW_FEN { Ok(fen) } else { Err(FareError::TooMuch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[serde(rename = "rule")]
        _rule: String,
        #[serde(rename = "source")]
        _source: String,
        operator: Operator,
        ride: Vec<Case>,
    }

    /// One row: the ride, and `list`, `pay` or `refused`.
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        why: String,
        metres: Option<u32>,
        minutes: Option<i64>,
        seconds: Option<i64>,
        named: Option<PurseFen>,
        before: Option<Mode>,
        before_city: Option<CityCode>,
        before_minutes: Option<i64>,
        same_line: Option<bool>,
        list: Option<PurseFen>,
        pay: Option<PurseFen>,
        refused: Option<String>,
    }

    impl Case {
        fn ride(&self, city: CityCode) -> Ride {
            let began: CardTime = "2014-10-20 07:45:00".parse().unwrap();
            let seconds = |minutes: Option<i64>| minutes.unwrap_or(0).saturating_mul(60);
            let before = self.before.map(|mode| RideBefore {
                mode,
                city: self.before_city.unwrap_or(city),
                ended: began.plus_seconds(seconds(self.before_minutes).saturating_neg()),
                same_line: self.same_line.unwrap_or(false),
            });
            let at = began.plus_seconds(seconds(self.minutes)).plus_seconds(self.seconds.unwrap_or(0));
            Ride { began, at, metres: self.metres, named: self.named, before }
        }
    }

    fn tables() -> impl Iterator<Item = (String, Table)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/fares");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_name().unwrap().to_string_lossy().into_owned(), table)
        })
    }

    #[test]
    fn every_table_prices_every_ride_as_its_row_says() {
        let mut rows = 0;
        for (file, table) in tables() {
            for case in &table.ride {
                let found = price(&table.operator, &case.ride(table.operator.city));
                let row = format!("{file}: {}", case.why);
                match (&case.refused, found) {
                    (None, Ok(price)) => {
                        assert_eq!((Some(price.list), Some(price.pay)), (case.list, case.pay), "{row}")
                    }
                    (Some(word), Err(error)) => assert!(error.to_string().contains(word), "{row}: {error}"),
                    (_, found) => panic!("{row}: {found:?}"),
                }
                rows += 1;
            }
        }
        assert!(rows >= 40, "{rows} rows");
    }

    #[test]
    fn a_longer_trip_never_costs_less() {
        for (file, table) in
            tables().filter(|(_, table)| matches!(table.operator.fare, Fare::Distance { .. }))
        {
            let case = &table.ride[0];
            let fares = (0..60_000).step_by(100).map(|metres| {
                let ride = Ride { metres: Some(metres), ..case.ride(table.operator.city) };
                price(&table.operator, &ride).unwrap().list
            });
            assert!(fares.is_sorted(), "{file}");
        }
    }
}
