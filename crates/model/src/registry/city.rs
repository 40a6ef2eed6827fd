//! Cities (城市): a card company's codes, its card's profile, and since when it is interoperable.
//!
//! Standard: CJ/T 166 card layout (card.md section 5.2); the city code is not the bank-clearing code of other networks.

use super::certificate::Certificate;
use super::key::{self, NoKey, PublicKey, SigningKey};
use super::pace::CityLimits;
use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::money::PurseFen;
use crate::number::{CardNumberFormat, CityCode};
use crate::time::Date;

/// A city and its card company (通卡公司).
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    /// The file's name: `shanghai`.
    #[serde(skip)]
    pub id: String,
    /// The code on its cards, and its number as a party.
    pub code: CityCode,
    /// What it is called.
    pub name: Name,
    /// The province, in English.
    pub province: String,
    /// Degrees east; for drawing only.
    pub lon: f64,
    /// Degrees north; for drawing only.
    pub lat: f64,
    /// What its card is called.
    pub card_brand: Option<Name>,
    /// First day of interoperability; absent: listed, but not yet part of it.
    #[serde(default, deserialize_with = "text::maybe_day")]
    pub joined: Option<Date>,
    /// Issuer code: bytes 0 and 1 of the card's file 0015.
    #[serde(deserialize_with = "text::hex_bytes")]
    pub issuer_code: [u8; 2],
    /// Generation of the keys in its cards and readers.
    pub key_generation: KeyGeneration,
    /// What its card is like.
    pub card: CardFacts,
    /// Ed25519 key of the city's back end, by which its files are signed.
    #[serde(default, deserialize_with = "text::maybe_hex_bytes")]
    pub public_key: Option<[u8; 32]>,
    /// More keys, each with a name.
    #[serde(default)]
    pub keys: Vec<SigningKey>,
    /// The client certificates that its connections may show, where the centre asks for them.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// How fast its back end may send requests.
    #[serde(default)]
    pub limits: CityLimits,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// What a city's card is like.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFacts {
    /// Layout, commands and MAC rules.
    pub profile: CardProfile,
    /// Whether MAC1 of a purchase covers the card's 9-byte authentication id.
    pub mac1_includes_auth_id: bool,
    /// Whether a load needs a verified PIN first.
    pub pin_before_load: bool,
    /// How the number is printed.
    pub number_format: CardNumberFormat,
    /// The most that the purse may hold.
    pub purse_limit_fen: PurseFen,
    /// What the issuer asks for a new card.
    pub issue_fee_fen: PurseFen,
}

/// A card profile that the code knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardProfile {
    /// The PBOC electronic purse with the City Union layout.
    Cjt166,
}

/// Generation of a city's keys; only the second is derived from the national root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "u8")]
pub enum KeyGeneration {
    /// The city's own keys, known to no other city's readers.
    First,
    /// Keys that every city's readers can derive.
    Second,
}

impl TryFrom<u8> for KeyGeneration {
    type Error = &'static str;
    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(KeyGeneration::First),
            2 => Ok(KeyGeneration::Second),
            _ => Err("expected key generation 1 or 2"),
        }
    }
}

impl City {
    /// Its back end's key by this name on a day; without a name `public_key`, else the first of `keys` that is valid.
    ///
    /// # Errors
    /// There is none, or it is not valid on that day.
    pub fn key(&self, name: Option<&str>, day: Date) -> Result<PublicKey, NoKey> {
        key::find(self.public_key, &self.keys, name, day)
    }
}

impl Record for City {
    const FOLDER: &'static str = "cities";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        source.read().map(|city| City { id: source.stem().to_owned(), ..city })
    }

    fn assumed(&self) -> &[String] {
        &self.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        key::check(&self.keys, source, problems);
        if !(-180.0..=180.0).contains(&self.lon) {
            problems.push(source.problem("lon", "expected degrees from -180 to 180"));
        }
        if !(-90.0..=90.0).contains(&self.lat) {
            problems.push(source.problem("lat", "expected degrees from -90 to 90"));
        }
        if self.card.issue_fee_fen > self.card.purse_limit_fen {
            problems.push(source.problem("card.issue_fee_fen", "expected no more than purse_limit_fen"));
        }
    }
}
