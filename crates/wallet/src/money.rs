//! The wallet's own small ledger (钱包账): whose money lies here, what is held for open orders, what is due.
//!
//! Credit accounts `passenger:ID`, `held:ID` and `centre:due`; debit account `bank:in`. An order holds its amount
//! (pended from the passenger to `held`), and at its end either passes it on to `centre:due` or lets it go. A refund
//! comes back from `centre:due`, which may then show that the centre owes the wallet.
//!
//! Invariant: all nets sum to zero; what is held is what the open orders cost; nobody spends what is not theirs.

use ledger::{AccountName, Entry, EntryKind, Ledger, LedgerError, Leg, Malformed, Outcome, Refusal, Rules};
use model::{CardTime, Fen, PurseFen};

use crate::problem::{Code, Problem};
use crate::store::OrderRow;

/// What a passenger has here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purse {
    /// May be spent.
    pub available: Fen,
    /// Held for open orders.
    pub held: Fen,
}

/// The whole ledger in four figures: `bank_in = passengers + due`, and `held` is a part of `passengers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Put in by banks.
    pub bank_in: Fen,
    /// Belongs to passengers, held or not.
    pub passengers: Fen,
    /// Held for open orders.
    pub held: Fen,
    /// Owed onwards for orders that are done, less what was paid back for cards; below zero it is owed to the wallet.
    pub due: Fen,
}

/// The rules of balance: nobody spends more than is theirs and free.
pub(crate) fn rules() -> Rules {
    Rules::none().never_below_zero("passenger").never_below_zero("held")
}

/// What holding an order's money came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is held, or there is nothing to hold.
    Yes,
    /// There is not enough.
    TooLittle,
}

fn passenger(id: &str) -> Result<AccountName, Malformed> {
    AccountName::new("passenger", id)
}

fn held(id: &str) -> Result<AccountName, Malformed> {
    AccountName::new("held", id)
}

/// The legs are the same whenever they are made: a repetition is one to the ledger, too.
fn entry(id: &str, kind: &str, legs: Vec<Leg>, at: CardTime) -> Result<Entry, Malformed> {
    let kind: EntryKind = kind.parse()?;
    Ok(Entry { id: id.parse()?, kind, legs, day: at.date(), at, memo: String::new() })
}

/// Holds what an order costs.
pub(crate) fn hold(ledger: &mut dyn Ledger, order: &OrderRow, at: CardTime) -> Result<Held, Problem> {
    if order.amount == PurseFen::ZERO {
        return Ok(Held::Yes);
    }
    let leg = Leg::new(passenger(&order.passenger)?, held(&order.passenger)?, order.amount.into())?;
    match ledger.pend(entry(&order.id, order.kind.as_str(), vec![leg], at)?) {
        Ok(_) => Ok(Held::Yes),
        Err(LedgerError::Refused(Refusal::BelowZero { .. })) => Ok(Held::TooLittle),
        Err(error) => Err(error.into()),
    }
}

/// The order is done: what was held is due to the centre's settlement.
pub(crate) fn pass_on(ledger: &mut dyn Ledger, order: &OrderRow, at: CardTime) -> Result<(), Problem> {
    if order.amount == PurseFen::ZERO {
        return Ok(());
    }
    let due = AccountName::new("centre", "due")?;
    let leg = Leg::new(held(&order.passenger)?, due, order.amount.into())?;
    ledger.post(entry(&order.id, order.kind.as_str(), vec![leg], at)?)?;
    Ok(())
}

/// The order is refused: what was held is the passenger's again. Nothing to do if it never came to be held.
pub(crate) fn let_go(ledger: &mut dyn Ledger, order: &OrderRow, at: CardTime) -> Result<(), Problem> {
    if order.amount == PurseFen::ZERO {
        return Ok(());
    }
    match ledger.void(entry(&order.id, order.kind.as_str(), Vec::new(), at)?) {
        Ok(_) | Err(LedgerError::Refused(Refusal::Unknown { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A refund is done: what the card has proven is the passenger's. Again is the same entry.
pub(crate) fn pay_back(ledger: &mut dyn Ledger, order: &OrderRow, at: CardTime) -> Result<(), Problem> {
    if order.amount == PurseFen::ZERO {
        return Ok(());
    }
    let due = AccountName::new("centre", "due")?;
    let leg = Leg::new(due, passenger(&order.passenger)?, order.amount.into())?;
    ledger.record(entry(&order.id, order.kind.as_str(), vec![leg], at)?)?;
    Ok(())
}

/// Money comes in from the passenger's bank, once for each `id`.
pub(crate) fn pay_in(
    ledger: &mut dyn Ledger,
    id: &str,
    passenger_id: &str,
    amount: Fen,
    at: CardTime,
) -> Result<Outcome, Problem> {
    let leg = Leg::new(AccountName::new("bank", "in")?, passenger(passenger_id)?, amount)?;
    ledger.record(entry(id, "pay-in", vec![leg], at)?).map_err(|error| match error {
        LedgerError::Refused(Refusal::IdTaken { .. }) => Code::RequestTaken.about(id),
        LedgerError::Refused(Refusal::Overflow { .. }) => Code::AmountOverLimit.about(amount.get()),
        error => error.into(),
    })
}

/// What a passenger has.
pub(crate) fn purse(ledger: &dyn Ledger, passenger_id: &str) -> Result<Purse, Problem> {
    let balance = ledger.balance(&passenger(passenger_id)?)?;
    Ok(Purse { available: balance.available(), held: balance.pending_debit })
}

/// The whole ledger in four figures, its log added up anew.
pub(crate) fn books(ledger: &dyn Ledger) -> Result<Books, Problem> {
    ledger.verify()?;
    let mut books = Books::default();
    for (account, balance) in &ledger.standing()?.balances {
        let (sum, amount) = match account.kind() {
            "passenger" => (&mut books.passengers, balance.credit()),
            "held" => (&mut books.held, balance.pending_credit),
            "centre" => (&mut books.due, balance.credit()),
            "bank" => (&mut books.bank_in, balance.net()),
            _ => continue,
        };
        *sum = sum.plus(amount).map_err(|error| Code::Internal.about(error))?;
    }
    Ok(books)
}
