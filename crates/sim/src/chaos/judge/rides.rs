//! Rides: every debit of a chip is in one place, with its reader, under way or paid, and an operator is paid for it once.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AccountName, Entry};
use model::{CityCode, Date, Fen, TapRecord, TerminalId};

use super::{Broken, Debit, Judge, Money, Tapping, broken, minus, plus};
use crate::chaos::story::Who;

/// Where a debit's record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::chaos) enum Place {
    /// In its reader's batch, proven.
    Proven,
    /// In its reader's batch, torn: the card has not come back.
    Torn,
    /// In its reader's batch, doubted by name.
    Doubted,
    /// With the back end, in a file that is not acknowledged.
    Underway,
}

impl Judge {
    /// A card is held to a reader for a ride; until [`Judge::taps_no_more`].
    pub(in crate::chaos) fn taps(&mut self, terminal: TerminalId, ride: u64) {
        self.tapping = Some(Tapping { terminal, ride });
    }

    pub(in crate::chaos) fn taps_no_more(&mut self) {
        self.tapping = None;
    }

    /// The card has left the reader: the ride is debited once. Only a debit that the reader has doubted by name, because it
    /// could neither prove nor disprove it, may stand beside another.
    pub(in crate::chaos) fn ride_once(
        &self,
        whose: usize,
        ride: u64,
        doubted: &BTreeSet<(TerminalId, u32)>,
    ) -> Result<(), Broken> {
        let debits = self.rides.get(&ride).map_or(&[][..], Vec::as_slice);
        let plain = debits.iter().filter(|debit| !doubted.contains(debit)).count();
        if plain <= 1 {
            return Ok(());
        }
        Err(broken(
            Who::Passenger(whose),
            format!("no ride is debited twice: ride {ride}, debits {debits:?}"),
        ))
    }

    /// A reader has accepted a tap: the card has debited it.
    pub(in crate::chaos) fn accepted(&self, whose: usize, record: &TapRecord) -> Result<(), Broken> {
        let amount = i64::from(record.amount.get());
        let debit = self.debits.get(&(record.terminal, record.terminal_seq));
        let right = debit.map_or(amount == 0, |debit| debit.amount == amount && debit.card == record.card);
        let rule = || {
            format!("a reader charges what its card was debited: {} {}", record.terminal, record.terminal_seq)
        };
        if right { Ok(()) } else { Err(broken(Who::Passenger(whose), rule())) }
    }

    /// What the centre owes for a file of these records.
    pub(in crate::chaos) fn owed(&self, records: &[TapRecord]) -> i64 {
        let fits = |record: &&TapRecord| self.debit_of(record).is_some_and(|debit| debit.taken.is_none());
        let keys: BTreeMap<_, i64> = records
            .iter()
            .filter(fits)
            .map(|record| ((record.terminal, record.terminal_seq), record.amount.get().into()))
            .collect();
        keys.into_values().fold(0, plus)
    }

    fn debit_of(&self, record: &TapRecord) -> Option<&Debit> {
        let debit = self.debits.get(&(record.terminal, record.terminal_seq))?;
        let same = debit.card == record.card && debit.amount == i64::from(record.amount.get());
        same.then_some(debit)
    }

    /// The centre has taken a file of these records into a day, and says what of it is paid. `unproven` are those that it
    /// names as without their card's proof.
    pub(in crate::chaos) fn file_taken(
        &mut self,
        records: &[TapRecord],
        day: Date,
        paid: Fen,
        unproven: &[&TapRecord],
    ) -> Result<(), Broken> {
        let owed = minus(self.owed(records), self.owed_for(unproven));
        for record in records {
            if self.debit_of(record).is_none() {
                continue;
            }
            let named = unproven.contains(&record);
            if let Some(debit) = self.debits.get_mut(&(record.terminal, record.terminal_seq)) {
                debit.taken.get_or_insert(day);
                debit.unproven |= named;
            }
        }
        if owed == paid.get() {
            return Ok(());
        }
        let rule = "what cards were debited is paid once, and nothing else";
        Err(broken(Who::All, format!("{rule}: {owed} fen of debits, {} paid", paid.get())))
    }

    fn owed_for(&self, records: &[&TapRecord]) -> i64 {
        let records: Vec<TapRecord> = records.iter().copied().cloned().collect();
        self.owed(&records)
    }

    /// An entry that is no order's: a day's route moves value out of a city's float.
    pub(super) fn cleared(&mut self, entry: &Entry) {
        for leg in entry.legs.iter().filter(|leg| leg.debit().kind() == "float") {
            if let Ok(city) = leg.debit().rest().parse::<CityCode>() {
                let sum = self.cleared.entry((entry.day, city)).or_default();
                *sum = plus(*sum, leg.amount().get());
            }
        }
    }

    /// A day is closed.
    pub(super) fn day_closed(&mut self, day: Date) {
        self.closed = Some(day);
    }

    /// Every closed day has paid what it took.
    fn every_closed_day(&self) -> Result<(), Broken> {
        let mut taken: BTreeMap<(Date, CityCode), i64> = BTreeMap::new();
        for debit in self.debits.values().filter(|debit| !debit.unproven) {
            let Some(day) = debit.taken.filter(|day| self.closed.is_some_and(|closed| *day <= closed)) else {
                continue;
            };
            let sum = taken.entry((day, debit.city)).or_default();
            *sum = plus(*sum, debit.amount);
        }
        if taken == self.cleared {
            return Ok(());
        }
        let rule = format!("a closed day pays what it took: took {taken:?}, paid {:?}", self.cleared);
        Err(broken(Who::All, rule))
    }

    /// Every debit that the centre has not taken is in exactly one place.
    pub(in crate::chaos) fn every_debit(
        &self,
        places: &BTreeMap<(TerminalId, u32), Vec<Place>>,
    ) -> Result<(), Broken> {
        for (key, debit) in &self.debits {
            let found = places.get(key).map_or(&[][..], Vec::as_slice);
            let right = match (debit.taken, found) {
                (None, [_]) => true,
                // Taken, and the receipt is not yet back.
                (Some(_), [] | [Place::Underway | Place::Proven]) => true,
                _ => false,
            };
            if !right {
                let rule = "a debit is in one place: at its reader, under way, or paid";
                let what = format!("{} {}, taken {:?}, found {found:?}", key.0, key.1, debit.taken);
                return Err(broken(Who::Passenger(debit.passenger), format!("{rule}: {what}")));
            }
        }
        Ok(())
    }

    /// The centre's books, held against the chips': floats, and positions that sum to zero.
    pub(in crate::chaos) fn books(&self, core: &centre::Core) -> Result<(), Broken> {
        let failed = |error| broken(Who::All, format!("the ledger's log adds up: {error}"));
        core.verify_books().map_err(failed)?;
        self.every_closed_day()?;
        let balances = core.balances().map_err(failed)?;
        let net = |kind: &str| {
            balances
                .iter()
                .filter(|(name, _)| name.kind() == kind)
                .map(|(_, balance)| balance.net().get())
                .fold(0, plus)
        };
        if net("due") != 0 {
            return Err(broken(Who::All, format!("positions sum to zero: {}", net("due"))));
        }
        let mut floats: BTreeMap<CityCode, i64> = BTreeMap::new();
        for (index, passenger) in self.passengers.iter().enumerate() {
            let Some(city) = passenger.city else { continue };
            let sum = floats.entry(city).or_default();
            *sum = plus(*sum, self.purses_of(index));
        }
        for order in self.orders.values().filter(|order| order.credits > 0 && order.money != Money::Posted) {
            let holder = order.holder.and_then(|holder| self.passengers.get(holder));
            let city = holder.and_then(|passenger| passenger.city);
            if let Some(sum) = city.and_then(|city| floats.get_mut(&city)) {
                *sum = minus(*sum, order.amount);
            }
        }
        for order in self.orders.values() {
            let holder = order.holder.and_then(|holder| self.passengers.get(holder));
            let city = holder.and_then(|passenger| passenger.city);
            for drain in order.drains.values().filter(|drain| drain.money != Money::Posted) {
                if let Some(sum) = city.and_then(|city| floats.get_mut(&city)) {
                    *sum = plus(*sum, drain.taken);
                }
            }
        }
        let closed = |day| self.closed.is_some_and(|closed| day <= closed);
        let cleared = |debit: &Debit| !debit.unproven && debit.taken.is_some_and(closed);
        for debit in self.debits.values().filter(|debit| !cleared(debit)) {
            if let Some(sum) = floats.get_mut(&debit.city) {
                *sum = plus(*sum, debit.amount);
            }
        }
        for (city, expected) in floats {
            let kept = balances.get(&account("float", city)?).map_or(0, |balance| balance.credit().get());
            if kept != expected {
                let rule =
                    "a city's float is what its purses hold, its doubts and its unpaid rides allowed for";
                return Err(broken(Who::All, format!("{rule}: city {city} {kept}, chips {expected}")));
            }
        }
        Ok(())
    }
}

fn account(kind: &str, rest: CityCode) -> Result<AccountName, Broken> {
    AccountName::new(kind, rest).map_err(|error| broken(Who::All, error.to_string()))
}
