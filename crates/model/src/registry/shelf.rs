//! From files to records: each folder of the registry is a shelf of one kind, and every reference is checked.

use std::collections::BTreeMap;

use super::acceptance::Acceptance;
use super::agreement::{Agreement, LoadAgreement, TapAgreement};
use super::certificate;
use super::channel::Channel;
use super::city::City;
use super::operator::Operator;
use super::phone::Phone;
use super::source::{Problem, Source};
use super::text::Which;
use super::wallet::Wallet;
use crate::number::{CityCode, TerminalId};
use crate::party::WalletId;

/// What is found wrong on the way.
pub(super) type Problems = Vec<Problem>;

/// One kind of registry file.
pub(super) trait Record: Sized {
    /// The folder that holds this kind.
    const FOLDER: &'static str;

    /// Parses the file; where its name is the record's id, takes that too.
    fn read(source: &Source<'_>) -> Result<Self, Problem>;

    /// The fields said to be assumptions.
    fn assumed(&self) -> &[String];

    /// What types alone cannot say.
    fn check(&self, source: &Source<'_>, problems: &mut Problems);
}

/// Every record beside the file that it is from.
#[derive(Default)]
pub(super) struct Shelves<'a> {
    pub(super) cities: Vec<(Source<'a>, City)>,
    pub(super) operators: Vec<(Source<'a>, Operator)>,
    pub(super) phones: Vec<(Source<'a>, Phone)>,
    pub(super) wallets: Vec<(Source<'a>, Wallet)>,
    pub(super) channels: Vec<(Source<'a>, Channel)>,
    pub(super) agreements: Vec<(Source<'a>, Agreement)>,
    pub(super) acceptance: Vec<(Source<'a>, Acceptance)>,
}

const FOLDERS: [&str; 7] = [
    Acceptance::FOLDER,
    Agreement::FOLDER,
    Channel::FOLDER,
    City::FOLDER,
    Operator::FOLDER,
    Phone::FOLDER,
    Wallet::FOLDER,
];

fn put<'a, T: Record>(shelf: &mut Vec<(Source<'a>, T)>, source: Source<'a>, problems: &mut Problems) {
    match T::read(&source) {
        Ok(record) => {
            record.check(&source, problems);
            for field in record.assumed().iter().filter(|field| !source.states(field)) {
                let what = format!(
                    "`{field}` is not a field of this file; expected the name of one, such as `fare`"
                );
                problems.push(source.problem("assumed", what));
            }
            shelf.push((source, record));
        }
        Err(problem) => problems.push(problem),
    }
}

impl<'a> Shelves<'a> {
    /// Parses every file. A file that cannot be parsed is a problem and stands on no shelf.
    pub(super) fn read(files: &'a BTreeMap<String, String>, problems: &mut Problems) -> Self {
        let mut shelves = Shelves::default();
        for (file, text) in files {
            let source = Source::new(file, text);
            match file.split_once('/').filter(|(_, name)| name.ends_with(".toml") && !name.contains('/')) {
                Some((City::FOLDER, _)) => put(&mut shelves.cities, source, problems),
                Some((Operator::FOLDER, _)) => put(&mut shelves.operators, source, problems),
                Some((Phone::FOLDER, _)) => put(&mut shelves.phones, source, problems),
                Some((Wallet::FOLDER, _)) => put(&mut shelves.wallets, source, problems),
                Some((Channel::FOLDER, _)) => put(&mut shelves.channels, source, problems),
                Some((Agreement::FOLDER, _)) => put(&mut shelves.agreements, source, problems),
                Some((Acceptance::FOLDER, _)) => put(&mut shelves.acceptance, source, problems),
                _ => {
                    let what =
                        format!("not a registry file; expected NAME.toml in one of {}", FOLDERS.join(", "));
                    problems.push(source.problem("", what));
                }
            }
        }
        shelves
    }

    /// What one file alone cannot show: names used twice, and references to what is not there.
    pub(super) fn check_together(&self, problems: &mut Problems) {
        self.check_cities(problems);
        self.check_operators(problems);
        self.check_agreements(problems);
        self.check_channels(problems);
        self.check_acceptance(problems);
        let cities = self.cities.iter().map(|(source, city)| (source, city.certificates.as_slice()));
        let wallets =
            self.wallets.iter().map(|(source, wallet)| (source, wallet.facts.certificates.as_slice()));
        let channels =
            self.channels.iter().map(|(source, channel)| (source, channel.facts.certificates.as_slice()));
        certificate::check(cities.chain(wallets).chain(channels), problems);
    }

    fn city(&self, code: CityCode) -> Option<&City> {
        self.cities.iter().map(|(_, city)| city).find(|city| city.code == code)
    }

    fn want_city(&self, source: &Source<'_>, field: &str, code: CityCode, problems: &mut Problems) {
        if self.city(code).is_none() {
            let what = format!("no city has the code {code}; expected that of a file in {}/", City::FOLDER);
            problems.push(source.problem(field, what));
        }
    }

    fn check_cities(&self, problems: &mut Problems) {
        let mut first: BTreeMap<CityCode, &str> = BTreeMap::new();
        for (source, city) in &self.cities {
            if let Some(other) = first.insert(city.code, source.file) {
                problems.push(source.problem("code", format!("{} is also the code of {other}", city.code)));
            }
        }
    }

    fn check_operators(&self, problems: &mut Problems) {
        let mut ids = BTreeMap::new();
        let mut rows: Vec<(TerminalId, &Source<'_>, &Operator)> = Vec::new();
        for (source, operator) in &self.operators {
            self.want_city(source, "city", operator.city, problems);
            if let Some(city) = self.city(operator.city) {
                let start = format!("{}-{}", city.id, operator.mode);
                let rest = source.stem().strip_prefix(&start);
                if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
                    let what =
                        format!("city and mode ask for the file name {start}.toml or {start}-SOMETHING.toml");
                    problems.push(source.problem("mode", what));
                }
            }
            if let Some(other) = ids.insert(operator.id, source.file) {
                problems.push(source.problem("id", format!("{} is also the number of {other}", operator.id)));
            }
            rows.push((operator.terminals.first, source, operator));
        }
        rows.sort_by_key(|(first, ..)| *first);
        for pair in rows.windows(2) {
            if let [(_, other, before), (first, source, _)] = pair
                && before.terminals.contains(*first)
            {
                let what = format!("terminal {first} is also one of {}", other.file);
                problems.push(source.problem("terminals.first", what));
            }
        }
    }

    fn check_agreements(&self, problems: &mut Problems) {
        let mut taps: Vec<(&str, &TapAgreement)> = Vec::new();
        let mut loads: Vec<(&str, &LoadAgreement)> = Vec::new();
        for (source, agreement) in &self.agreements {
            let twin = match agreement {
                Agreement::Tap(tap) => {
                    for (field, city) in [("issuer", tap.issuer), ("acquirer", tap.acquirer)] {
                        if let Which::Only(city) = city {
                            self.want_city(source, field, city, problems);
                        }
                    }
                    let key = |t: &TapAgreement| (t.scope, t.issuer, t.acquirer, t.from);
                    let twin = taps.iter().find(|(_, other)| key(other) == key(tap)).map(|(file, _)| *file);
                    taps.push((source.file, tap));
                    twin
                }
                Agreement::Load(load) => {
                    if let Which::Only(city) = load.city {
                        self.want_city(source, "city", city, problems);
                    }
                    if let Some(id) = load.wallet.named() {
                        self.want_wallet(source, "wallet", id, problems);
                    }
                    let key = |l: &LoadAgreement| (l.wallet.clone(), l.city, l.from);
                    let twin = loads.iter().find(|(_, other)| key(other) == key(load)).map(|(file, _)| *file);
                    loads.push((source.file, load));
                    twin
                }
            };
            if let Some(twin) = twin {
                problems.push(
                    source.problem("from", format!("{twin} is for the same parties from the same day")),
                );
            }
        }
    }

    fn want_wallet(&self, source: &Source<'_>, field: &str, id: &WalletId, problems: &mut Problems) {
        if !self.wallets.iter().any(|(_, wallet)| wallet.id == *id) {
            let what = format!("no wallet is called {id}; expected a file name of {}/", Wallet::FOLDER);
            problems.push(source.problem(field, what));
        }
    }

    fn check_channels(&self, problems: &mut Problems) {
        for (source, channel) in &self.channels {
            for (number, city) in channel.facts.cities.iter().enumerate() {
                self.want_city(source, &format!("cities.{number}"), *city, problems);
            }
            for (number, under) in channel.facts.under.iter().enumerate() {
                self.want_wallet(source, &format!("under.{number}.wallet"), &under.wallet, problems);
            }
        }
    }

    fn check_acceptance(&self, problems: &mut Problems) {
        let mut pairs = BTreeMap::new();
        for (source, exception) in &self.acceptance {
            self.want_city(source, "acquirer", exception.acquirer, problems);
            self.want_city(source, "issuer", exception.issuer, problems);
            if let Some(other) = pairs.insert((exception.acquirer, exception.issuer), source.file) {
                problems.push(source.problem("issuer", format!("{other} is about the same two cities")));
            }
        }
    }
}
