//! Where an order's money stands in the ledger (记账): pended before CREDIT FOR LOAD leaves, posted on proof, voided
//! on proven refusal.
//!
//! Accounts of the value side: `paid-in:WALLET` is the debit side, all others credit: `doubt:CITY`, `float:CITY`,
//! `payable:operator:ID`, `fees:ROLE:ID`, `refunds:WALLET`. A refund takes `float:CITY` to `refunds:WALLET`: see `refund`.
//! A move to a new phone takes it to `moving:WALLET:ORDER` and back to `float:CITY`: see `moving`. Positions between
//! parties: `due:ROLE:ID`, zero-sum.
//!
//! What the wallet will owe is held with the money, so that its net debit cap (净借记限额) is judged inside the ledger,
//! before anything leaves: `due:wallet:ID` counts what is held and what no closed day has settled.
//!
//! Invariant: an order has one entry, pended once, and ended once by a post or a void; every call may be repeated.

use ledger::{AccountName, Entry, EntryId, EntryKind, Ledger, Leg, Malformed};
use model::registry::Registry;
use model::{CardTime, CityCode, Date, Fen, WalletId};

use crate::channel::ChannelFee;
use crate::core::{Core, State};
use crate::problem::{Code, Problem};
use crate::store::{OrderKind, OrderRow};

/// One order's money.
pub(crate) struct OrderMoney<'a> {
    registry: &'a Registry,
    order: &'a OrderRow,
    city: CityCode,
    amount: Fen,
    /// What a channel gets for it, if one asked for it.
    channel: Option<ChannelFee>,
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
        Some(OrderMoney { registry, order, city, amount, channel: None, day, now })
    }

    /// The same, with what a channel gets for it.
    pub(crate) fn with_channel(self, channel: Option<ChannelFee>) -> Self {
        OrderMoney { channel, ..self }
    }

    /// Names the money as in doubt, before the card may get it, and holds what the wallet will owe the issuer for it,
    /// and whoever bears it a channel.
    ///
    /// # Errors
    /// [`Code::NetDebitCap`]: the wallet owes too much already, and nothing is held.
    pub(crate) fn pend(&self, ledger: &mut dyn Ledger) -> Result<(), Problem> {
        let mut held = vec![leg(paid_in(&self.order.wallet)?, doubt(self.city)?, self.amount)?];
        held.extend(self.dues()?);
        ledger.pend(self.entry(held)?)?;
        Ok(())
    }

    /// The card has proven it: out of doubt, and the wallet owes the issuer.
    pub(crate) fn post(&self, ledger: &mut dyn Ledger) -> Result<(), Problem> {
        let to = match self.order.kind {
            OrderKind::Load => account("float", self.city)?,
            _ => account("fees", format!("issuer:{}", self.city))?,
        };
        let mut legs = vec![leg(doubt(self.city)?, to, self.amount)?];
        // What an earlier release has pended does not hold the debt yet.
        let held = ledger.find(&self.id()?)?.and_then(|story| story.opened.fact.entry().cloned());
        if !held.is_some_and(|entry| entry.legs.iter().any(|leg| leg.debit().kind() == "due")) {
            legs.extend(self.dues()?);
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

    /// What will be owed: by the wallet to the issuer, and a channel's fee.
    fn dues(&self) -> Result<Vec<Leg>, Problem> {
        let mut dues = Vec::from_iter(self.owed()?);
        if let Some(channel) = &self.channel {
            dues.extend(channel.leg(self.order, self.city)?);
        }
        Ok(dues)
    }

    /// What the wallet will owe the issuer: the amount less its fee.
    pub(crate) fn owed(&self) -> Result<Option<Leg>, Problem> {
        let fee = if self.order.kind == OrderKind::Load { self.wallet_fee()? } else { Fen::ZERO };
        let owed = self.amount.minus(fee).map_err(overflow)?;
        if owed <= Fen::ZERO {
            return Ok(None);
        }
        let issuer = account("due", format!("issuer:{}", self.city))?;
        leg(debt(&self.order.wallet)?, issuer, owed).map(Some)
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

impl Core {
    /// An order's money as of now, with what a channel gets for it.
    pub(crate) fn money<'a>(
        &'a self,
        state: &State,
        order: &'a OrderRow,
    ) -> Result<Option<OrderMoney<'a>>, Problem> {
        let now = self.now();
        let Some(money) = OrderMoney::of(self.registry(), order, state.open_day(now)?, now) else {
            return Ok(None);
        };
        Ok(Some(money.with_channel(ChannelFee::of(state, order)?)))
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

/// What a wallet owes the issuers; its debit side is what its cap is about.
pub(crate) fn debt(wallet: &WalletId) -> Result<AccountName, Problem> {
    account("due", format!("wallet:{wallet}"))
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
