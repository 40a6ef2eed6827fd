//! Where an order's money stands in the ledger (记账): pended before CREDIT FOR LOAD leaves, posted on proof, voided
//! on proven refusal.
//!
//! Accounts of the value side: `paid-in:WALLET` is the debit side, all others credit: `doubt:CITY`, `float:CITY`,
//! `payable:operator:ID`, `fees:ROLE:ID`, `refunds:WALLET`. A refund takes `float:CITY` to `refunds:WALLET`: see `refund`. Positions between parties: `due:ROLE:ID`, zero-sum.
//!
//! Invariant: an order has one entry, pended once, and ended once by a post or a void; every call may be repeated.

use ledger::{AccountName, Entry, EntryId, EntryKind, Ledger, Leg, Malformed};
use model::registry::Registry;
use model::{CardTime, CityCode, Date, Fen, WalletId};

use crate::problem::{Code, Problem};
use crate::store::{OrderKind, OrderRow};

/// One order's money.
pub(crate) struct OrderMoney<'a> {
    registry: &'a Registry,
    order: &'a OrderRow,
    city: CityCode,
    amount: Fen,
    /// What the change counts for, and when it is made.
    day: Date,
    now: CardTime,
}

impl<'a> OrderMoney<'a> {
    /// The money of an order whose card's city is known. `None` if the order moves none.
    pub(crate) fn of(registry: &'a Registry, order: &'a OrderRow, day: Date, now: CardTime) -> Option<Self> {
        let amount = Fen::from(order.amount);
        let moves = matches!(order.kind, OrderKind::Issue | OrderKind::Load) && amount > Fen::ZERO;
        let city = order.city.filter(|_| moves)?;
        Some(OrderMoney { registry, order, city, amount, day, now })
    }

    /// Names the money as in doubt, before the card may get it.
    pub(crate) fn pend(&self, ledger: &mut dyn Ledger) -> Result<(), Problem> {
        let held = vec![leg(paid_in(&self.order.wallet)?, doubt(self.city)?, self.amount)?];
        ledger.pend(self.entry(held)?)?;
        Ok(())
    }

    /// The card has proven it: out of doubt, and the wallet owes the issuer.
    pub(crate) fn post(&self, ledger: &mut dyn Ledger) -> Result<(), Problem> {
        let (to, fee) = match self.order.kind {
            OrderKind::Load => (account("float", self.city)?, self.wallet_fee()?),
            _ => (account("fees", format!("issuer:{}", self.city))?, Fen::ZERO),
        };
        let mut legs = vec![leg(doubt(self.city)?, to, self.amount)?];
        let owed = self.amount.minus(fee).map_err(overflow)?;
        if owed > Fen::ZERO {
            let wallet = account("due", format!("wallet:{}", self.order.wallet))?;
            legs.push(leg(wallet, account("due", format!("issuer:{}", self.city))?, owed)?);
        }
        let entry = self.entry(legs)?;
        #[cfg(feature = "planted-bugs")]
        crate::planted::post_again(ledger, &entry)?;
        ledger.post(entry)?;
        Ok(())
    }

    /// It is proven that the card has not got it: the wallet gives it back. Nothing, if it was never pended.
    pub(crate) fn void(&self, ledger: &mut dyn Ledger) -> Result<(), Problem> {
        if ledger.find(&self.id()?)?.is_none() {
            return Ok(());
        }
        #[cfg(feature = "planted-bugs")]
        if crate::planted::Planted::DropVoid.is_chosen() {
            return Ok(());
        }
        let refund = account("refunds", &self.order.wallet)?;
        let legs = vec![leg(paid_in(&self.order.wallet)?, refund, self.amount)?];
        ledger.void(self.entry(legs)?)?;
        Ok(())
    }

    /// What the wallet keeps of a load, by its agreement on the day the order was placed.
    fn wallet_fee(&self) -> Result<Fen, Problem> {
        let agreement = self.registry.load_agreement(&self.order.wallet, self.city, self.order.day());
        agreement.map_or(Ok(Fen::ZERO), |agreement| agreement.fee(self.amount).map_err(overflow))
    }

    fn id(&self) -> Result<EntryId, Problem> {
        self.order.entry_id()
    }

    fn entry(&self, legs: Vec<Leg>) -> Result<Entry, Problem> {
        let kind: EntryKind = self.order.kind.as_str().parse().map_err(malformed)?;
        Ok(Entry { id: self.id()?, kind, legs, day: self.day, at: self.now, memo: self.order.id.clone() })
    }
}

impl OrderRow {
    /// The id of its entry in the ledger.
    pub(crate) fn entry_id(&self) -> Result<EntryId, Problem> {
        format!("{}:{}:{}", self.kind.as_str(), self.wallet, self.seq).parse().map_err(malformed)
    }
}

/// An account of the centre's books.
pub(crate) fn account(kind: &str, rest: impl std::fmt::Display) -> Result<AccountName, Problem> {
    AccountName::new(kind, rest).map_err(malformed)
}

/// A leg of the centre's books.
pub(crate) fn leg(debit: AccountName, credit: AccountName, amount: Fen) -> Result<Leg, Problem> {
    Leg::new(debit, credit, amount).map_err(malformed)
}

fn paid_in(wallet: &WalletId) -> Result<AccountName, Problem> {
    account("paid-in", wallet)
}

pub(crate) fn doubt(city: CityCode) -> Result<AccountName, Problem> {
    account("doubt", city)
}

pub(crate) fn malformed(error: Malformed) -> Problem {
    Code::Internal.about(error)
}

pub(crate) fn overflow(error: model::MoneyError) -> Problem {
    Code::Internal.about(error)
}
