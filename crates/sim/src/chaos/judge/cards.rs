//! What chips really hold: value comes only by a CREDIT FOR LOAD that the centre made for an order, once, and goes only
//! by a debit at a reader.

use card::Standing;
use card::command::DebitForPurchase;
use model::CardNumber;
use smartcard::{Apdu, Command};

use super::{Broken, Debit, Judge, Money, Order, broken, minus, plus};
use crate::chaos::story::Who;

const CREDIT_FOR_LOAD: [u8; 2] = [0x80, 0x52];

fn fen(standing: &Standing) -> i64 {
    standing.balance.get().into()
}

impl Judge {
    /// A chip has answered `command`, or was silent; these are its purses now.
    pub(in crate::chaos) fn chip_touched(
        &mut self,
        whose: usize,
        purses: &[Standing],
        command: &[u8],
    ) -> Result<(), Broken> {
        for purse in purses {
            let before = self.cards.insert((whose, purse.number), *purse);
            let (was, loads) = before.map_or((0, 0), |before| (fen(&before), before.loads));
            let moved = minus(fen(purse), was);
            if moved > 0 || purse.loads != loads {
                self.credited(whose, purse, moved, command)?;
            }
            if moved < 0 {
                self.debited(whose, purse.number, minus(0, moved), command)?;
            }
        }
        let held = purses.len();
        let known: Vec<CardNumber> = self
            .cards
            .range((whose, CardNumber::from_u64(0))..=(whose, CardNumber::from_u64(u64::MAX)))
            .map(|((_, number), _)| *number)
            .collect();
        if known.len() == held {
            return Ok(());
        }
        for number in known.into_iter().filter(|number| purses.iter().all(|purse| purse.number != *number)) {
            let gone = self.cards.remove(&(whose, number)).map_or(0, |purse| fen(&purse));
            if gone != 0 {
                return Err(broken(
                    Who::Passenger(whose),
                    format!("a purse that holds value is never taken off: card {number} held {gone} fen"),
                ));
            }
        }
        Ok(())
    }

    fn credited(&mut self, whose: usize, purse: &Standing, moved: i64, command: &[u8]) -> Result<(), Broken> {
        let who = Who::Passenger(whose);
        let number = purse.number;
        if command.get(..2) != Some(&CREDIT_FOR_LOAD) {
            return Err(broken(
                who,
                format!("value comes by CREDIT FOR LOAD alone: card {number} got {moved}"),
            ));
        }
        let order =
            self.commands.get(command).and_then(|id| self.orders.get_mut(id).map(|order| (id, order)));
        let Some((id, order)) = order else {
            return Err(broken(
                who,
                format!("no value without the centre's order: card {number} got {moved}"),
            ));
        };
        order.credits = order.credits.saturating_add(1);
        let found = |rule: &str| {
            Err(broken(who, format!("{rule}: order {id} of {} fen, card {number} got {moved}", order.amount)))
        };
        if order.credits > 1 {
            return found("no order is credited twice");
        }
        if moved != order.amount {
            return found("a card gets what was ordered");
        }
        if matches!(order.money, Money::Voided) || order.centre == Some("refused") {
            return found("an order that was refused is never credited");
        }
        order.holder = Some(whose);
        let payer = order.passenger;
        self.touched.insert(id.clone());
        if let Some(passenger) = self.passengers.get_mut(payer) {
            passenger.credited = plus(passenger.credited, moved);
        }
        if let Some(passenger) = self.passengers.get_mut(whose) {
            passenger.received = plus(passenger.received, moved);
        }
        Ok(())
    }

    fn debited(&mut self, whose: usize, card: CardNumber, amount: i64, command: &[u8]) -> Result<(), Broken> {
        let who = Who::Passenger(whose);
        let debit = Apdu::parse(command).ok().and_then(|apdu| DebitForPurchase::from_apdu(&apdu).ok());
        if let (Some(debit), true) = (&debit, self.drain_commands.contains_key(command)) {
            return self.drained(whose, (command, debit.terminal_seq), card, amount);
        }
        let (Some(debit), Some(tapping)) = (debit, self.tapping) else {
            return Err(broken(
                who,
                format!("value goes by a debit at a reader, or by a refund's: card {card} lost {amount}"),
            ));
        };
        let Some(passenger) = self.passengers.get_mut(whose) else { return Ok(()) };
        passenger.spent = plus(passenger.spent, amount);
        let Some(city) = passenger.city else { return Ok(()) };
        let key = (tapping.terminal, debit.terminal_seq);
        self.rides.entry(tapping.ride).or_default().push(key);
        if self
            .debits
            .insert(key, Debit { passenger: whose, city, card, amount, taken: None, unproven: false })
            .is_some()
        {
            let rule = format!(
                "a reader's number stands for one debit: {} at {}",
                debit.terminal_seq, tapping.terminal
            );
            return Err(broken(who, rule));
        }
        Ok(())
    }

    /// Bytes of a CREDIT FOR LOAD have left the centre for this order.
    pub(in crate::chaos) fn credit_leaves(&mut self, id: &str, command: Vec<u8>) -> Result<(), Broken> {
        let Some(order) = self.orders.get_mut(id) else {
            return Err(broken(Who::All, format!("CREDIT FOR LOAD is for an order of a wallet: {id}")));
        };
        let Order { passenger, money, .. } = *order;
        let who = Who::Passenger(passenger);
        if money != Money::Pending {
            let rule = format!("money is pending before CREDIT FOR LOAD leaves: order {id} is {money:?}");
            return Err(broken(who, rule));
        }
        order.credit_left = true;
        let other = self.commands.insert(command, id.to_owned());
        if other.is_some_and(|other| other != id) {
            return Err(broken(who, format!("a CREDIT FOR LOAD is for one order: {id}")));
        }
        Ok(())
    }

    /// What all of a passenger's purses hold.
    pub(super) fn purses_of(&self, passenger: usize) -> i64 {
        let range = (passenger, CardNumber::from_u64(0))..=(passenger, CardNumber::from_u64(u64::MAX));
        self.cards.range(range).map(|(_, purse)| fen(purse)).fold(0, plus)
    }
}
