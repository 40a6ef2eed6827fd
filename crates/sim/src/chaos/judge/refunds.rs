//! Refunds: a card's whole value goes by a purchase that the centre made for an order, once, and comes to the wallet.

use ledger::{Entry, Fact};
use model::CardNumber;

use super::{Broken, Drain, Judge, Money, Order, broken, plus};
use crate::chaos::story::Who;

impl Order {
    /// What chips have lost by this order's purchases.
    pub(super) fn taken(&self) -> i64 {
        self.drains.values().map(|drain| drain.taken).fold(0, plus)
    }

    /// A line of the ledger's log about one of this refund's purchases.
    pub(super) fn drain_moves(&mut self, fact: &Fact, entry: &Entry) -> Result<(), Broken> {
        let who = Who::Passenger(self.passenger);
        let found = |rule: &str, drain: &Drain| Err(broken(who, format!("{rule}: {}, {drain:?}", entry.id)));
        let number = entry.id.as_str().rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let Some(number) = number else {
            return Err(broken(who, format!("a refund's entry is of one purchase: {}", entry.id)));
        };
        let amount = entry.legs.first().map_or(0, |leg| leg.amount().get());
        let open = self.drains.iter().any(|(at, drain)| *at != number && drain.money == Money::Pending);
        let drain = self.drains.entry(number).or_default();
        match (fact, drain.money) {
            (Fact::Pended(_), Money::Untouched) if open => {
                found("one purchase of a refund is open at a time", drain)
            }
            (Fact::Pended(_), Money::Untouched) => {
                (drain.pended, drain.money) = (amount, Money::Pending);
                Ok(())
            }
            (Fact::Posted(_), Money::Pending) if drain.taken != drain.pended || amount != drain.pended => {
                found("what is paid back was taken off the card", drain)
            }
            (Fact::Posted(_), Money::Pending) => {
                drain.money = Money::Posted;
                Ok(())
            }
            (Fact::Voided(_), Money::Pending) if drain.taken != 0 => {
                found("what was taken off the card is paid back", drain)
            }
            (Fact::Voided(_), Money::Pending) => {
                drain.money = Money::Voided;
                Ok(())
            }
            _ => found("a refund's purchase is pended once, and posted or voided once", drain),
        }
    }

    /// Holds the centre's word on a refund against what chips have lost.
    pub(super) fn refund_is(&self, now: Option<&str>) -> Result<(), Broken> {
        let pending = self.drains.values().any(|drain| drain.money == Money::Pending);
        let unpaid = self.drains.values().any(|drain| drain.taken != 0 && drain.money != Money::Posted);
        let rule = match now {
            Some("done") if pending || unpaid => "a refund that is done has paid back what it took",
            Some("refused") if pending || self.taken() != 0 => "a refund that is refused has taken nothing",
            Some("created" | "running") if pending || unpaid => {
                "a refund whose DEBIT has left is in doubt until its end is proven"
            }
            None if pending || unpaid => "a refund whose money has moved is visible at the centre",
            _ => return Ok(()),
        };
        let is = now.unwrap_or("not there");
        Err(broken(Who::Passenger(self.passenger), format!("{rule}: it is {is}, {:?}", self.drains)))
    }
}

impl Judge {
    /// Bytes of a DEBIT FOR PURCHASE have left the centre for this order.
    pub(in crate::chaos) fn drain_leaves(&mut self, id: &str, command: Vec<u8>) -> Result<(), Broken> {
        let Some(order) = self.orders.get(id) else {
            return Err(broken(Who::All, format!("the centre's DEBIT is for an order of a wallet: {id}")));
        };
        let who = Who::Passenger(order.passenger);
        if !order.drains.values().any(|drain| drain.money == Money::Pending) {
            return Err(broken(
                who,
                format!("money is pending before the centre's DEBIT leaves: order {id}"),
            ));
        }
        let other = self.drain_commands.insert(command, id.to_owned());
        if other.is_some_and(|other| other != id) {
            return Err(broken(who, format!("a DEBIT of the centre is for one order: {id}")));
        }
        Ok(())
    }

    /// A chip has carried out a DEBIT of the centre.
    pub(super) fn drained(
        &mut self,
        whose: usize,
        (command, number): (&[u8], u32),
        card: CardNumber,
        amount: i64,
    ) -> Result<(), Broken> {
        let who = Who::Passenger(whose);
        let order =
            self.drain_commands.get(command).and_then(|id| self.orders.get_mut(id).map(|order| (id, order)));
        let Some((id, order)) = order else {
            return Err(broken(who, format!("value goes for an order alone: card {card} lost {amount}")));
        };
        let drain = order.drains.entry(number).or_default();
        if drain.money != Money::Pending || drain.taken != 0 || drain.pended != amount {
            let rule = "a returned card loses what is pending, once";
            return Err(broken(who, format!("{rule}: order {id}, card {card} lost {amount}, {drain:?}")));
        }
        drain.taken = amount;
        order.holder = Some(whose);
        self.touched.insert(id.clone());
        if let Some(passenger) = self.passengers.get_mut(whose) {
            passenger.drained = plus(passenger.drained, amount);
        }
        Ok(())
    }
}
