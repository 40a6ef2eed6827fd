//! Agreements (协议): how a tap's money and a load's fee are shared, as data with days of validity.
//!
//! Invariant: the centre has no share, and no field to give it one; shares of an amount add up to the amount.

use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Which};
use crate::money::{Fen, MoneyError, PerMille};
use crate::number::CityCode;
use crate::party::WalletId;
use crate::time::Date;

/// How the money of a tap is shared between the card's city, the reader's city and the operator.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapAgreement {
    /// The file's name.
    #[serde(skip)]
    pub id: String,
    #[serde(rename = "kind")]
    _kind: Kind,
    /// Whether it is about cards at home or away.
    pub scope: Scope,
    /// Whose cards.
    #[serde(deserialize_with = "text::parsed")]
    pub issuer: Which<CityCode>,
    /// Whose readers.
    #[serde(deserialize_with = "text::parsed")]
    pub acquirer: Which<CityCode>,
    /// First day.
    #[serde(deserialize_with = "text::day")]
    pub from: Date,
    /// Last day, if it ends.
    #[serde(default, deserialize_with = "text::maybe_day")]
    pub to: Option<Date>,
    /// What the card's city keeps.
    pub issuer_permille: PerMille,
    /// What the reader's city gets.
    pub acquirer_permille: PerMille,
    /// Who gets all the rest.
    pub rest_to: RestTo,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// What a wallet earns when it loads a city's card; taken from what it owes the issuer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadAgreement {
    /// The file's name.
    #[serde(skip)]
    pub id: String,
    #[serde(rename = "kind")]
    _kind: Kind,
    /// Which wallet.
    #[serde(deserialize_with = "text::parsed")]
    pub wallet: Which<WalletId>,
    /// Whose cards.
    #[serde(deserialize_with = "text::parsed")]
    pub city: Which<CityCode>,
    /// First day.
    #[serde(deserialize_with = "text::day")]
    pub from: Date,
    /// Last day, if it ends.
    #[serde(default, deserialize_with = "text::maybe_day")]
    pub to: Option<Date>,
    /// The wallet's part of the amount.
    pub fee_permille: PerMille,
    /// The least fee of an order.
    pub min_fen: Fen,
    /// The highest fee of an order.
    pub max_fen: Fen,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// Cards at home or away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Card and reader are of one city (本地).
    Home,
    /// Card and reader are of two cities (异地).
    Away,
}

/// Who gets what the shares leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestTo {
    /// The operator of the reader.
    Operator,
}

/// A tap's money, shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Kept by the card's city.
    pub issuer: Fen,
    /// For the reader's city.
    pub acquirer: Fen,
    /// For the operator.
    pub operator: Fen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Tap,
    Load,
}

/// A file of `agreements/`: its `kind` says which of the two it is.
pub(super) enum Agreement {
    Tap(TapAgreement),
    Load(LoadAgreement),
}

impl TapAgreement {
    /// Whether it is about such a tap.
    #[must_use]
    pub fn covers(&self, issuer: CityCode, acquirer: CityCode, on: Date) -> bool {
        let scope = if issuer == acquirer { Scope::Home } else { Scope::Away };
        self.scope == scope
            && self.issuer.covers(&issuer)
            && self.acquirer.covers(&acquirer)
            && valid(self.from, self.to, on)
    }

    /// How specific: an agreement that names the acquirer, then one that names the issuer, goes before one
    /// that names neither; among equals the newest.
    pub(super) fn rank(&self) -> (bool, bool, bool, Date) {
        let (issuer, acquirer) = (self.issuer.named().is_some(), self.acquirer.named().is_some());
        (issuer && acquirer, acquirer, issuer, self.from)
    }

    /// The shares of `amount`, each rounded half up; the rest is the operator's.
    ///
    /// # Errors
    /// [`MoneyError`] if the amount is beyond counting.
    pub fn split(&self, amount: Fen) -> Result<Split, MoneyError> {
        let issuer = amount.share(self.issuer_permille)?;
        // Two halves of one fen both round up; the second then has only what is left.
        let acquirer = amount.share(self.acquirer_permille)?.min(amount.minus(issuer)?);
        let RestTo::Operator = self.rest_to;
        Ok(Split { issuer, acquirer, operator: amount.minus(issuer)?.minus(acquirer)? })
    }
}

impl LoadAgreement {
    /// Whether it is about such a load.
    #[must_use]
    pub fn covers(&self, wallet: &WalletId, city: CityCode, on: Date) -> bool {
        self.wallet.covers(wallet) && self.city.covers(&city) && valid(self.from, self.to, on)
    }

    /// How specific: one that names both, then the wallet, then the city, then the newest.
    pub(super) fn rank(&self) -> (bool, bool, bool, Date) {
        let (wallet, city) = (self.wallet.named().is_some(), self.city.named().is_some());
        (wallet && city, wallet, city, self.from)
    }

    /// The fee for loading `amount`: rounded half up, within its bounds, and never more than the amount.
    ///
    /// # Errors
    /// [`MoneyError`] if the amount is beyond counting.
    pub fn fee(&self, amount: Fen) -> Result<Fen, MoneyError> {
        Ok(amount.share(self.fee_permille)?.max(self.min_fen).min(self.max_fen).min(amount))
    }
}

fn valid(from: Date, to: Option<Date>, on: Date) -> bool {
    from <= on && to.is_none_or(|to| on <= to)
}

impl Record for Agreement {
    const FOLDER: &'static str = "agreements";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        #[derive(serde::Deserialize)]
        struct Head {
            kind: Kind,
        }
        let id = source.stem().to_owned();
        Ok(match source.read::<Head>()?.kind {
            Kind::Tap => Agreement::Tap(TapAgreement { id, ..source.read()? }),
            Kind::Load => Agreement::Load(LoadAgreement { id, ..source.read()? }),
        })
    }

    fn assumed(&self) -> &[String] {
        match self {
            Agreement::Tap(tap) => &tap.assumed,
            Agreement::Load(load) => &load.assumed,
        }
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        let (from, to) = match self {
            Agreement::Tap(tap) => (tap.from, tap.to),
            Agreement::Load(load) => (load.from, load.to),
        };
        if to.is_some_and(|to| to < from) {
            problems.push(source.problem("to", format!("expected {from}, the first day, or later")));
        }
        match self {
            Agreement::Tap(tap) => {
                if tap.issuer_permille.get().saturating_add(tap.acquirer_permille.get()) > 1000 {
                    problems
                        .push(source.problem("acquirer_permille", "the two shares are more than the whole"));
                }
                let pair = tap.issuer.named().zip(tap.acquirer.named());
                let fits =
                    pair.is_none_or(|(issuer, acquirer)| (issuer == acquirer) == (tap.scope == Scope::Home));
                if !fits {
                    problems.push(source.problem("scope", "expected `home` for one city and `away` for two"));
                }
            }
            Agreement::Load(load) => {
                if load.min_fen < Fen::ZERO || load.max_fen < load.min_fen {
                    problems.push(source.problem("max_fen", "expected 0 <= min_fen <= max_fen"));
                }
            }
        }
    }
}
