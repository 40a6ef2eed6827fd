//! The registry (登记): which cities, operators, phones, wallets and agreements exist, one TOML file each, no logic.
//!
//! A registry is made from the texts of its files, all at once: it is whole and its references hold, or
//! there is a [`RegistryError`] that names every file and line at fault. One registry is compiled in.
//!
//! Invariant: the same files give the same registry in the same order, whatever order they came in.

mod acceptance;
mod agreement;
mod certificate;
mod channel;
mod city;
mod key;
mod key_scheme;
mod operator;
mod pace;
mod phone;
mod scp;
mod shelf;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod wallet;

use std::collections::BTreeMap;

pub use acceptance::{Acceptance, RefusedBecause};
pub use agreement::{LoadAgreement, RestTo, Scope, Split, TapAgreement};
pub use certificate::Certificate;
pub use channel::{Bearer, Channel, ChannelFacts, ChannelLimits, UnderWallet};
pub use city::{CardFacts, CardProfile, City, KeyGeneration};
pub use key::{Algorithm, NoKey, PublicKey, SigningKey};
pub use key_scheme::{AesCheck, KeyKind, KeyScheme, Template};
pub use operator::{Band, Beyond, Fare, Flow, Line, Operator, Stop, Terminals, Transfer};
pub use pace::{CityLimits, Pace};
pub use phone::{Aid, ElementFacts, ElementVendor, KeyHolder, Management, Phone, Quirk};
pub use scp::{EncryptionCounter, ResponseSecurity, Scp, Scp03};
pub use source::{Problem, RegistryError};
pub use text::{Name, Which};
pub use wallet::{Wallet, WalletFacts, WalletLimits};

use agreement::Agreement;
use shelf::Shelves;

use crate::number::{CityCode, TerminalId};
use crate::party::{ChannelId, OperatorId, WalletId};
use crate::time::Date;

#[derive(rust_embed::RustEmbed)]
#[folder = "../../registry"]
struct Embedded;

/// Who exists, and what they have agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct Registry {
    files: BTreeMap<String, String>,
    cities: BTreeMap<CityCode, City>,
    operators: BTreeMap<OperatorId, Operator>,
    readers: BTreeMap<TerminalId, OperatorId>,
    phones: BTreeMap<String, Phone>,
    wallets: BTreeMap<WalletId, Wallet>,
    channels: BTreeMap<ChannelId, Channel>,
    taps: Vec<TapAgreement>,
    loads: Vec<LoadAgreement>,
    acceptance: BTreeMap<(CityCode, CityCode), Acceptance>,
}

impl Registry {
    /// From (path, text) of every file; paths are relative to the registry's folder, with `/`. Files whose
    /// name ends in `.md`, for people, are passed over.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn parse<P: Into<String>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Registry, RegistryError> {
        let files = files.into_iter().map(|(path, text)| (path.into(), text.into()));
        Registry::from_files(files.filter(|(path, _): &(String, String)| !path.ends_with(".md")).collect())
    }

    /// The registry that is compiled in.
    ///
    /// # Errors
    /// As [`Registry::parse`]; a test holds that there are none.
    pub fn embedded() -> Result<Registry, RegistryError> {
        Registry::parse(Embedded::iter().filter_map(|path| {
            let file = Embedded::get(&path)?;
            Some((path, String::from_utf8_lossy(&file.data).into_owned()))
        }))
    }

    /// This registry with `files` laid over it: one with the path of an old one replaces it, others are added.
    ///
    /// # Errors
    /// As [`Registry::parse`], for all files together.
    pub fn overlay<P: Into<String>, T: Into<String>>(
        self,
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Registry, RegistryError> {
        let over = files.into_iter().map(|(path, text)| (path.into(), text.into()));
        Registry::parse(self.files.into_iter().chain(over))
    }

    fn from_files(files: BTreeMap<String, String>) -> Result<Registry, RegistryError> {
        let mut problems = Vec::new();
        let shelves = Shelves::read(&files, &mut problems);
        // While a file cannot be read, references to it would be called wrong; first things first.
        if problems.is_empty() {
            shelves.check_together(&mut problems);
        }
        if !problems.is_empty() {
            return Err(RegistryError::new(problems));
        }
        let Shelves { cities, operators, phones, wallets, channels, agreements, acceptance } = shelves;
        let (mut taps, mut loads) = (Vec::new(), Vec::new());
        for (_, agreement) in agreements {
            match agreement {
                Agreement::Tap(tap) => taps.push(tap),
                Agreement::Load(load) => loads.push(load),
            }
        }
        Ok(Registry {
            cities: cities.into_iter().map(|(_, city)| (city.code, city)).collect(),
            readers: operators.iter().map(|(_, operator)| (operator.terminals.first, operator.id)).collect(),
            operators: operators.into_iter().map(|(_, operator)| (operator.id, operator)).collect(),
            phones: phones.into_iter().map(|(_, phone)| (phone.id.clone(), phone)).collect(),
            wallets: wallets.into_iter().map(|(_, wallet)| (wallet.id.clone(), wallet)).collect(),
            channels: channels.into_iter().map(|(_, channel)| (channel.id.clone(), channel)).collect(),
            acceptance: acceptance.into_iter().map(|(_, a)| ((a.acquirer, a.issuer), a)).collect(),
            taps,
            loads,
            files,
        })
    }

    /// (path, text) of every file, in the order of their paths: what a digest of the registry is made over.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every city, in the order of their codes.
    pub fn cities(&self) -> impl Iterator<Item = &City> {
        self.cities.values()
    }

    /// The city with this code.
    #[must_use]
    pub fn city(&self, code: CityCode) -> Option<&City> {
        self.cities.get(&code)
    }

    /// Every operator, in the order of their numbers.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.operators.values()
    }

    /// The operator with this number.
    #[must_use]
    pub fn operator(&self, id: OperatorId) -> Option<&Operator> {
        self.operators.get(&id)
    }

    /// The operators of a city, in the order of their numbers.
    pub fn operators_of(&self, city: CityCode) -> impl Iterator<Item = &Operator> {
        self.operators().filter(move |operator| operator.city == city)
    }

    /// The operator whose reader has this number.
    #[must_use]
    pub fn operator_of_terminal(&self, terminal: TerminalId) -> Option<&Operator> {
        let (_, id) = self.readers.range(..=terminal).next_back()?;
        self.operator(*id).filter(|operator| operator.terminals.contains(terminal))
    }

    /// Every phone model, in the order of their ids.
    pub fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.phones.values()
    }

    /// The phone model with this file name, such as `oppo-find7`.
    #[must_use]
    pub fn phone(&self, id: &str) -> Option<&Phone> {
        self.phones.get(id)
    }

    /// Every wallet, in the order of their ids.
    pub fn wallets(&self) -> impl Iterator<Item = &Wallet> {
        self.wallets.values()
    }

    /// The wallet with this id.
    #[must_use]
    pub fn wallet(&self, id: &WalletId) -> Option<&Wallet> {
        self.wallets.get(id)
    }

    /// Every channel, in the order of their ids.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// The channel with this id.
    #[must_use]
    pub fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.channels.get(id)
    }

    /// Every exception to the rule of [`Registry::accepts`].
    pub fn exceptions(&self) -> impl Iterator<Item = &Acceptance> {
        self.acceptance.values()
    }

    /// Whether the readers of `acquirer` take cards of `issuer` on a day. A city takes its own cards; two
    /// cities with second-generation keys take each other's from the later joining day, or as an exception says.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts(&self, acquirer: CityCode, issuer: CityCode, on: Date) -> Result<(), RefusedBecause> {
        let known = |city| self.city(city).ok_or(RefusedBecause::UnknownCity { city });
        let (readers, cards) = (known(acquirer)?, known(issuer)?);
        if acquirer == issuer {
            return Ok(());
        }
        for city in [cards, readers] {
            if city.key_generation == KeyGeneration::First {
                return Err(RefusedBecause::KeyGeneration { city: city.code });
            }
        }
        if let Some(exception) = self.acceptance.get(&(acquirer, issuer)) {
            let from = exception.from;
            let taken = from.is_some_and(|from| from <= on);
            return if taken {
                Ok(())
            } else {
                Err(RefusedBecause::Exception { acquirer, issuer, on, from })
            };
        }
        for city in [cards, readers] {
            if city.joined.is_none_or(|joined| joined > on) {
                return Err(RefusedBecause::NotJoined { city: city.code, on, joins: city.joined });
            }
        }
        Ok(())
    }

    /// The agreement for a tap; the most specific one, among those the newest.
    #[must_use]
    pub fn tap_agreement(&self, issuer: CityCode, acquirer: CityCode, on: Date) -> Option<&TapAgreement> {
        self.taps.iter().filter(|tap| tap.covers(issuer, acquirer, on)).max_by_key(|tap| tap.rank())
    }

    /// The agreement for a load; the most specific one, among those the newest.
    #[must_use]
    pub fn load_agreement(&self, wallet: &WalletId, city: CityCode, on: Date) -> Option<&LoadAgreement> {
        self.loads.iter().filter(|load| load.covers(wallet, city, on)).max_by_key(|load| load.rank())
    }
}
