//! Orders: the centre's ledger and its word, held against what the chips have done.

use std::collections::BTreeMap;

use ledger::{Fact, Line};
use model::WalletId;

use super::{Broken, Judge, Kind, Money, Order, broken};
use crate::chaos::story::Who;

/// Lines of the log read at once.
const PAGE: usize = 256;

/// What an order is, as the wallet's own bytes say.
pub(in crate::chaos) struct Placed<'a> {
    pub(in crate::chaos) id: &'a str,
    pub(in crate::chaos) kind: &'a str,
    pub(in crate::chaos) amount: i64,
    pub(in crate::chaos) wallet: &'a WalletId,
    pub(in crate::chaos) passenger: usize,
}

impl Judge {
    /// A wallet has sent an order, arrived or not.
    pub(in crate::chaos) fn placed(&mut self, placed: &Placed<'_>) {
        let Placed { id, kind, amount, wallet, passenger } = placed;
        self.touched.insert((*id).to_owned());
        if self.orders.contains_key(*id) {
            return;
        }
        let order = Order {
            wallet: (*wallet).clone(),
            passenger: *passenger,
            kind: match *kind {
                "load" => Kind::Load,
                "refund" => Kind::Refund,
                _ => Kind::Other,
            },
            amount: *amount,
            credit_left: false,
            credits: 0,
            holder: None,
            drains: BTreeMap::new(),
            money: Money::Untouched,
            centre: None,
            wallet_says: None,
        };
        self.orders.insert((*id).to_owned(), order);
        if let Some(person) = self.passengers.get_mut(*passenger) {
            person.open.insert((*id).to_owned());
        }
    }

    /// The order's session has had a visit.
    pub(in crate::chaos) fn touch(&mut self, id: &str) {
        self.touched.insert(id.to_owned());
    }

    /// The centre has worked: its new lines of the log, and its word on every order that was touched.
    pub(in crate::chaos) fn centre_worked(&mut self, core: &centre::Core) -> Result<(), Broken> {
        loop {
            let failed = |error| broken(Who::All, format!("the ledger can be read: {error}"));
            let lines = core.log_after(self.log_position, PAGE).map_err(failed)?;
            let last = lines.len() < PAGE;
            for line in &lines {
                self.log_position = line.position;
                self.line(line)?;
            }
            if last {
                break;
            }
        }
        for id in std::mem::take(&mut self.touched) {
            self.centre_says(core, &id)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Broken> {
        let entry = match &line.fact {
            Fact::DayClosed { day, .. } => {
                self.day_closed(*day);
                return Ok(());
            }
            Fact::Recorded(entry) | Fact::Pended(entry) | Fact::Posted(entry) | Fact::Voided(entry) => entry,
        };
        let Some(order) = self.orders.get_mut(&entry.memo) else {
            return match entry.kind.as_str() {
                "load" | "issue" | "refund" => {
                    Err(broken(Who::All, format!("money moves for an order that was placed: {}", entry.id)))
                }
                _ => {
                    self.cleared(entry);
                    Ok(())
                }
            };
        };
        self.touched.insert(entry.memo.clone());
        if order.kind == Kind::Refund {
            return order.drain_moves(&line.fact, entry);
        }
        let who = Who::Passenger(order.passenger);
        let id = &entry.memo;
        let to = match (&line.fact, order.money) {
            (Fact::Pended(_), Money::Untouched) => Money::Pending,
            (Fact::Posted(_), Money::Pending) => Money::Posted,
            (Fact::Voided(_), Money::Pending) => Money::Voided,
            (fact, from) => {
                let act = fact.act();
                let rule = format!(
                    "an order's money is pended once, and posted or voided once: order {id} is {from:?}, {} is {act}",
                    entry.id
                );
                return Err(broken(who, rule));
            }
        };
        order.money = to;
        let credits = order.credits;
        match to {
            Money::Posted if order.kind == Kind::Load && credits != 1 => Err(broken(
                who,
                format!("what is posted is on the card: order {id} was credited {credits} times"),
            )),
            Money::Voided if credits != 0 => {
                Err(broken(who, format!("what is voided is not on the card: order {id} was credited")))
            }
            Money::Pending if entry.legs.first().is_some_and(|leg| leg.amount().get() != order.amount) => {
                Err(broken(who, format!("what is pended is what was ordered: order {id}")))
            }
            _ => Ok(()),
        }
    }

    /// Holds the centre's word on one order against the judge's own count.
    fn centre_says(&mut self, core: &centre::Core, id: &str) -> Result<(), Broken> {
        let Some(order) = self.orders.get_mut(id) else { return Ok(()) };
        let who = Who::Passenger(order.passenger);
        let failed = |error| broken(who, format!("the centre's store can be read: {error}"));
        let said = core.order_standing(&order.wallet, id).map_err(failed)?;
        let before = order.centre;
        order.centre = said.as_ref().map(|said| said.state);
        let (now, money, credits) = (order.centre, order.money, order.credits);
        let found = |rule: &str| {
            let (was, is) = (before.unwrap_or("not there"), now.unwrap_or("not there"));
            let figures = format!("money {money:?}, credited {credits} times");
            Err(broken(who, format!("{rule}: order {id} was {was}, is {is}, {figures}")))
        };
        if matches!(before, Some("done" | "refused")) && now != before {
            return found("an order that has ended stays as it ended");
        }
        if before.is_some() && now.is_none() {
            return found("an order that the centre has taken is not forgotten");
        }
        match order.kind {
            Kind::Load => {}
            Kind::Refund => return order.refund_is(now),
            Kind::Other => return Ok(()),
        }
        match now {
            Some("done") if credits != 1 => found("an order that is done has its value on the card"),
            Some("done") if money != Money::Posted => found("an order that is done is posted"),
            Some("refused") if credits != 0 => found("an order that is refused has no value on a card"),
            Some("refused") if money == Money::Pending => {
                found("the money of an order that is refused is given back")
            }
            Some("created" | "running") if order.credit_left => {
                found("an order whose CREDIT FOR LOAD has left is in doubt until its end is proven")
            }
            None if money != Money::Untouched || credits != 0 => {
                found("an order whose money has moved is visible at the centre")
            }
            _ => Ok(()),
        }
    }

    /// Every order there is, held against the centre's word.
    pub(in crate::chaos) fn every_order(&mut self, core: &centre::Core) -> Result<(), Broken> {
        self.touched.extend(self.orders.keys().cloned());
        self.centre_worked(core)
    }
}
