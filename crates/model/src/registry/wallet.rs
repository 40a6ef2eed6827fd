//! Wallets (第三方支付): who may order cards and loads, by which key, up to what amount.

use std::num::NonZeroU32;

use super::certificate::Certificate;
use super::key::{self, NoKey, PublicKey, SigningKey};
use super::pace::Pace;
use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::money::{Fen, PurseFen};
use crate::party::WalletId;
use crate::time::Date;

/// A wallet, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// The file's name: `alipay`.
    pub id: WalletId,
    /// What the file says.
    pub facts: WalletFacts,
}

/// What a wallet's file says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletFacts {
    /// What it is called.
    pub name: Name,
    /// Ed25519 key by which its requests are signed; it has no name and no last day.
    #[serde(default, deserialize_with = "text::maybe_hex_bytes")]
    pub public_key: Option<[u8; 32]>,
    /// More keys, each with a name.
    #[serde(default)]
    pub keys: Vec<SigningKey>,
    /// The client certificates that its connections may show, where the centre asks for them.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// The most that one order may load.
    pub max_order_fen: PurseFen,
    /// How much and how often it may load.
    #[serde(default)]
    pub limits: WalletLimits,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// How much and how often a wallet may load; an amount or a count of loads that is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletLimits {
    /// Onto one card in a day.
    pub card_day_fen: Option<Fen>,
    /// Loads of one card within an hour.
    pub card_hour_orders: Option<u32>,
    /// For one passenger in a day, over all the cards.
    pub user_day_fen: Option<Fen>,
    /// By the wallet in a day, over all its passengers.
    pub wallet_day_fen: Option<Fen>,
    /// The net debit cap (净借记限额): what it may owe, held and booked, that no closed day has settled yet.
    pub net_debit_cap_fen: Option<Fen>,
    /// Signed requests in a second, as in [`Pace::default`] if absent.
    pub requests_per_second: Option<NonZeroU32>,
    /// Signed requests at once, as in [`Pace::default`] if absent.
    pub requests_burst: Option<NonZeroU32>,
}

impl WalletLimits {
    /// How fast it may send requests.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::of(self.requests_per_second, self.requests_burst)
    }
}

impl Wallet {
    /// Its key by this name on a day; without a name `public_key`, else the first of `keys` that is valid.
    ///
    /// # Errors
    /// There is none, or it is not valid on that day.
    pub fn key(&self, name: Option<&str>, day: Date) -> Result<PublicKey, NoKey> {
        key::find(self.facts.public_key, &self.facts.keys, name, day)
    }
}

impl Record for Wallet {
    const FOLDER: &'static str = "wallets";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        let id = source.stem().parse().map_err(|error| source.problem("", error))?;
        source.read().map(|facts| Wallet { id, facts })
    }

    fn assumed(&self) -> &[String] {
        &self.facts.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        key::check(&self.facts.keys, source, problems);
        if self.facts.max_order_fen == PurseFen::ZERO {
            problems.push(source.problem("max_order_fen", "expected more than 0"));
        }
    }
}
