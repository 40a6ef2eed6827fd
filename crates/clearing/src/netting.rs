//! Netting (轧差): accepted taps become flows, and what crosses parties becomes one position a party.
//!
//! An away tap: the issuer owes its amount to the acquirer, which owes it to the operator; the issuer's and the
//! acquirer's shares by agreement are fees that they earn and the operator pays. A home tap is a flow and no more: it
//! stays the city's own business. A load: the wallet owes the amount to the issuer, and earns its fee from it.
//!
//! Standard: none; the roles are those of CJ/T 332 as far as public (clearing.md section 3.2).
//! Invariant: positions, and the fees among them, sum to zero.

use std::collections::{BTreeMap, HashMap};

use model::registry::{Registry, Split, TapAgreement};
use model::{CityCode, Date, Fen, LoadRecord, MoneyError, Party};

use crate::judge::{Route, Ruling};

/// The taps of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How many.
    pub taps: u64,
    /// What the purses lost.
    pub amount: Fen,
}

/// What a party owes, is owed, and earns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What it owes.
    pub debit: Fen,
    /// What it is owed.
    pub credit: Fen,
    /// Fees that it earns; negative: that it pays.
    pub fee: Fen,
}

/// Why a clearing cannot be netted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NettingError {
    /// A sum is beyond counting.
    #[error("the sums of {party}: {source}")]
    Money {
        /// Whose.
        party: String,
        /// What does not fit.
        source: MoneyError,
    },
    /// Two cities without an agreement.
    #[error("no agreement says how {acquirer} shares a tap of {issuer}'s cards on {on}")]
    NoAgreement {
        /// The card's city.
        issuer: CityCode,
        /// The reader's city.
        acquirer: CityCode,
        /// The day of the tap.
        on: Date,
    },
    /// A load of a wallet that has no agreement.
    #[error("no agreement says what {wallet} earns by loading cards of {city} on {on}")]
    NoLoadAgreement {
        /// The wallet.
        wallet: model::WalletId,
        /// The card's city.
        city: CityCode,
        /// The day of the load.
        on: Date,
    },
    /// The books do not close: a defect.
    #[error("positions sum to {net} and fees to {fee}; both must be zero")]
    NotZero {
        /// The sum of all positions.
        net: Fen,
        /// The sum of all fees.
        fee: Fen,
    },
}

/// Flows and positions of a clearing, each in the order of its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// Every route with accepted taps, home and away.
    pub flows: BTreeMap<Route, Flow>,
    /// Every party that owes, is owed or earns.
    pub positions: BTreeMap<Party, Position>,
}

/// Adds up a clearing.
pub struct Netting<'a> {
    registry: &'a Registry,
    agreements: HashMap<(CityCode, CityCode, Date), Option<&'a TapAgreement>>,
    net: Net,
}

impl Position {
    /// What the party gets at settlement; negative: what it pays.
    ///
    /// # Errors
    /// [`MoneyError`] if it is beyond counting.
    pub fn net(&self) -> Result<Fen, MoneyError> {
        self.credit.minus(self.debit)?.plus(self.fee)
    }
}

impl<'a> Netting<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(registry: &'a Registry) -> Self {
        Netting { registry, agreements: HashMap::new(), net: Net::default() }
    }

    /// How a tap's money is shared: what the issuer keeps, what the acquirer gets, what the operator gets. For a
    /// home tap the operator gets all.
    ///
    /// # Errors
    /// [`NettingError`], if no agreement covers it.
    pub fn split(&mut self, route: &Route, on: Date, amount: Fen) -> Result<Split, NettingError> {
        let Route { issuer, acquirer, .. } = *route;
        if !route.is_away() {
            return Ok(Split { issuer: Fen::ZERO, acquirer: Fen::ZERO, operator: amount });
        }
        let registry = self.registry;
        let find = || registry.tap_agreement(issuer, acquirer, on);
        let agreement = *self.agreements.entry((issuer, acquirer, on)).or_insert_with(find);
        let agreement = agreement.ok_or(NettingError::NoAgreement { issuer, acquirer, on })?;
        agreement.split(amount).map_err(money(&Party::Operator(route.operator)))
    }

    /// Adds a ruling, if it is paid.
    ///
    /// # Errors
    /// [`NettingError`]; nothing of the ruling has then been added to the positions.
    pub fn add(&mut self, ruling: &Ruling) -> Result<(), NettingError> {
        if !ruling.is_paid() {
            return Ok(());
        }
        let amount = Fen::from(ruling.amount);
        let split = self.split(&ruling.route, ruling.on, amount)?;
        let flow = self.net.flows.entry(ruling.route).or_default();
        flow.taps = flow.taps.saturating_add(1);
        flow.amount = flow.amount.plus(amount).map_err(money(&Party::Operator(ruling.route.operator)))?;
        if !ruling.route.is_away() {
            return Ok(());
        }
        let Route { issuer, acquirer, operator } = ruling.route;
        let fees = split.issuer.plus(split.acquirer).and_then(Fen::negated);
        let fees = fees.map_err(money(&Party::Operator(operator)))?;
        self.move_money(Party::Issuer(issuer), amount, Fen::ZERO, split.issuer)?;
        self.move_money(Party::Acquirer(acquirer), amount, amount, split.acquirer)?;
        self.move_money(Party::Operator(operator), Fen::ZERO, amount, fees)
    }

    /// Adds a load that its card has proven.
    ///
    /// # Errors
    /// [`NettingError`], if no agreement covers it.
    pub fn add_load(&mut self, load: &LoadRecord) -> Result<(), NettingError> {
        let (wallet, city, on) = (&load.wallet, load.issuer, load.at.date());
        let agreement = self.registry.load_agreement(wallet, city, on);
        let agreement =
            agreement.ok_or_else(|| NettingError::NoLoadAgreement { wallet: wallet.clone(), city, on })?;
        let (payer, payee) = (Party::Wallet(wallet.clone()), Party::Issuer(city));
        let amount = Fen::from(load.amount);
        let fee = agreement.fee(amount).map_err(money(&payer))?;
        let paid = fee.negated().map_err(money(&payee))?;
        self.move_money(payer, amount, Fen::ZERO, fee)?;
        self.move_money(payee, Fen::ZERO, amount, paid)
    }

    /// Closes the books.
    ///
    /// # Errors
    /// [`NettingError::NotZero`] if they do not close.
    pub fn finish(self) -> Result<Net, NettingError> {
        let (mut net, mut fee) = (Fen::ZERO, Fen::ZERO);
        for (party, position) in &self.net.positions {
            net = position.net().and_then(|own| net.plus(own)).map_err(money(party))?;
            fee = fee.plus(position.fee).map_err(money(party))?;
        }
        if net == Fen::ZERO && fee == Fen::ZERO {
            Ok(self.net)
        } else {
            Err(NettingError::NotZero { net, fee })
        }
    }

    fn move_money(&mut self, party: Party, debit: Fen, credit: Fen, fee: Fen) -> Result<(), NettingError> {
        if debit == Fen::ZERO && credit == Fen::ZERO && fee == Fen::ZERO {
            return Ok(());
        }
        let wrong = money(&party);
        let old = self.net.positions.get(&party).copied().unwrap_or_default();
        let sums = || {
            Ok(Position {
                debit: old.debit.plus(debit)?,
                credit: old.credit.plus(credit)?,
                fee: old.fee.plus(fee)?,
            })
        };
        let new = sums().map_err(wrong)?;
        self.net.positions.insert(party, new);
        Ok(())
    }
}

fn money(party: &Party) -> impl FnOnce(MoneyError) -> NettingError + use<> {
    let party = party.to_string();
    move |source| NettingError::Money { party, source }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests;
