//! Channels (渠道): a third party's app that has a city's cards loaded and is paid by a wallet: under which wallets,
//! for which cities, up to what amount, for what fee.
//!
//! Invariant: a channel takes no money from a passenger; each of its orders is paid by a wallet that it has an
//! agreement with. What is absent is not allowed, but for limits: what is absent there is not limited.

use std::num::NonZeroU32;

use super::certificate::Certificate;
use super::key::{self, NoKey, PublicKey, SigningKey};
use super::pace::Pace;
use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::money::{Fen, MoneyError, PerMille, PurseFen};
use crate::number::CityCode;
use crate::party::{ChannelId, WalletId};
use crate::time::Date;

/// A channel, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The file's name: `elechong`.
    pub id: ChannelId,
    /// What the file says.
    pub facts: ChannelFacts,
}

/// What a channel's file says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelFacts {
    /// What it is called.
    pub name: Name,
    /// The keys by which its requests are signed, each with a name.
    #[serde(default)]
    pub keys: Vec<SigningKey>,
    /// The client certificates that its connections may show, where the centre asks for them.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// The cities whose cards it may load.
    pub cities: Vec<CityCode>,
    /// Whether it may also load cards that live on phones; otherwise plastic alone.
    #[serde(default)]
    pub virtual_cards: bool,
    /// The most that one order may load.
    pub max_order_fen: PurseFen,
    /// How long the wallet has to say that it took the money.
    pub pay_within_minutes: u32,
    /// How much and how often it may load.
    #[serde(default)]
    pub limits: ChannelLimits,
    /// The wallets that it may act under.
    #[serde(default)]
    pub under: Vec<UnderWallet>,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// How much and how often a channel may load, over all the wallets; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelLimits {
    /// Onto one card in a day.
    pub card_day_fen: Option<Fen>,
    /// Orders for one card within an hour.
    pub card_hour_orders: Option<u32>,
    /// By the channel in a day.
    pub channel_day_fen: Option<Fen>,
    /// Signed requests in a second, as in [`Pace::default`] if absent.
    pub requests_per_second: Option<NonZeroU32>,
    /// Signed requests at once, as in [`Pace::default`] if absent.
    pub requests_burst: Option<NonZeroU32>,
}

impl ChannelLimits {
    /// How fast it may send requests.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::of(self.requests_per_second, self.requests_burst)
    }
}

/// What a channel and a wallet have agreed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnderWallet {
    /// Which wallet pays.
    pub wallet: WalletId,
    /// First day.
    #[serde(deserialize_with = "text::day")]
    pub from: Date,
    /// Last day, if it ends.
    #[serde(default, deserialize_with = "text::maybe_day")]
    pub to: Option<Date>,
    /// The channel's part of the amount.
    #[serde(default)]
    pub fee_permille: PerMille,
    /// The channel's fee of each order beside it.
    #[serde(default)]
    pub fee_fixed_fen: Fen,
    /// Who owes the fee.
    pub borne_by: Bearer,
    /// By which paper the wallet agreed.
    pub consent: String,
}

/// Who owes a channel its fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bearer {
    /// The wallet, out of what it keeps.
    Wallet,
    /// The card's city.
    Issuer,
}

/// An hour at most: a passenger waits with the card in hand.
const PAY_WITHIN_MINUTES: std::ops::RangeInclusive<u32> = 1..=60;

impl Channel {
    /// Its key by this name on a day; without a name the first that is valid.
    ///
    /// # Errors
    /// There is none, or it is not valid on that day.
    pub fn key(&self, name: Option<&str>, day: Date) -> Result<PublicKey, NoKey> {
        key::find(None, &self.facts.keys, name, day)
    }

    /// The agreement with a wallet on a day; there is one at most.
    #[must_use]
    pub fn under(&self, wallet: &WalletId, on: Date) -> Option<&UnderWallet> {
        self.facts.under.iter().find(|under| under.wallet == *wallet && under.covers(on))
    }

    /// Whether it may load this city's cards.
    #[must_use]
    pub fn loads(&self, city: CityCode) -> bool {
        self.facts.cities.contains(&city)
    }
}

impl UnderWallet {
    fn covers(&self, on: Date) -> bool {
        self.from <= on && self.to.is_none_or(|to| on <= to)
    }

    fn overlaps(&self, other: &UnderWallet) -> bool {
        self.wallet == other.wallet
            && self.to.is_none_or(|to| other.from <= to)
            && other.to.is_none_or(|to| self.from <= to)
    }

    /// The fee for loading `amount`: its part rounded half up, then the fixed sum, never more than the amount.
    ///
    /// # Errors
    /// [`MoneyError`] if the amount is beyond counting.
    pub fn fee(&self, amount: Fen) -> Result<Fen, MoneyError> {
        Ok(amount.share(self.fee_permille)?.plus(self.fee_fixed_fen)?.min(amount))
    }
}

impl Bearer {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Bearer::Wallet => "wallet",
            Bearer::Issuer => "issuer",
        }
    }
}

impl std::str::FromStr for Bearer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "wallet" => Ok(Bearer::Wallet),
            "issuer" => Ok(Bearer::Issuer),
            _ => Err(format!("`{text}` bears no fee; expected `wallet` or `issuer`")),
        }
    }
}

impl Record for Channel {
    const FOLDER: &'static str = "channels";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        let id = source.stem().parse().map_err(|error| source.problem("", error))?;
        source.read().map(|facts| Channel { id, facts })
    }

    fn assumed(&self) -> &[String] {
        &self.facts.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        let facts = &self.facts;
        key::check(&facts.keys, source, problems);
        if facts.max_order_fen == PurseFen::ZERO {
            problems.push(source.problem("max_order_fen", "expected more than 0"));
        }
        if !PAY_WITHIN_MINUTES.contains(&facts.pay_within_minutes) {
            problems.push(source.problem("pay_within_minutes", "expected 1 to 60"));
        }
        for (number, city) in facts.cities.iter().enumerate() {
            if facts.cities.iter().take(number).any(|other| other == city) {
                problems
                    .push(source.problem(&format!("cities.{number}"), format!("{city} stands here twice")));
            }
        }
        for (number, under) in facts.under.iter().enumerate() {
            let at = |field: &str| format!("under.{number}.{field}");
            if under.to.is_some_and(|to| to < under.from) {
                let what = format!("expected {}, the first day, or later", under.from);
                problems.push(source.problem(&at("to"), what));
            }
            if under.fee_fixed_fen < Fen::ZERO {
                problems.push(source.problem(&at("fee_fixed_fen"), "expected 0 or more"));
            }
            if under.consent.trim().is_empty() {
                problems
                    .push(source.problem(&at("consent"), "expected the paper by which the wallet agreed"));
            }
            if facts.under.iter().take(number).any(|other| other.overlaps(under)) {
                let what = format!("two agreements with {} hold on one day", under.wallet);
                problems.push(source.problem(&at("from"), what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(fee: &str) -> UnderWallet {
        let text =
            format!("wallet = \"alipay\"\nfrom = 2014-06-18\nborne_by = \"wallet\"\nconsent = \"x\"\n{fee}");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_fee_is_a_part_rounded_half_up_and_a_fixed_sum_and_never_more_than_the_amount() {
        for (fee, amount, expected) in [
            ("fee_permille = 3", 5000, 15),
            ("fee_permille = 3", 500, 2),
            ("fee_permille = 3", 499, 1),
            ("fee_fixed_fen = 20", 5000, 20),
            ("fee_permille = 3\nfee_fixed_fen = 20", 5000, 35),
            ("fee_fixed_fen = 20", 7, 7),
            ("", 5000, 0),
        ] {
            assert_eq!(under(fee).fee(Fen::new(amount)).unwrap().get(), expected, "{fee}: {amount}");
        }
    }

    #[test]
    fn an_agreement_holds_from_its_first_day_to_its_last() {
        let facts = "name = { zh = \"e乐充\", en = \"Elechong\" }\ncities = [\"2140\"]\nmax_order_fen = 20000\n\
                     pay_within_minutes = 15\n[[under]]\nwallet = \"alipay\"\nfrom = 2014-06-18\nto = 2014-12-31\n\
                     borne_by = \"issuer\"\nconsent = \"x\"\n";
        let channel = Channel { id: "elechong".parse().unwrap(), facts: toml::from_str(facts).unwrap() };
        let wallet =
            |id: &str, day: &str| channel.under(&id.parse().unwrap(), day.parse().unwrap()).is_some();
        assert!(wallet("alipay", "2014-06-18") && wallet("alipay", "2014-12-31"));
        assert!(!wallet("alipay", "2014-06-17") && !wallet("alipay", "2015-01-01"));
        assert!(!wallet("wechat-pay", "2014-06-18"));
        assert!(channel.loads("2140".parse().unwrap()) && !channel.loads("2000".parse().unwrap()));
    }
}
