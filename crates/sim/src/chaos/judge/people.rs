//! Passengers: what is in the wallet, in the purses and spent is what they began with, or the difference is named.

use wallet::OrderState;

use super::{Broken, Judge, Kind, Passenger, broken, minus, plus};
use crate::chaos::story::Who;

/// What a passenger begins with.
pub(in crate::chaos) struct Opening {
    pub(in crate::chaos) name: String,
    pub(in crate::chaos) city: model::CityCode,
    pub(in crate::chaos) fen: i64,
}

impl Judge {
    /// One more passenger.
    pub(in crate::chaos) fn joins(&mut self, opening: Opening) {
        let Opening { name, city, fen } = opening;
        self.passengers.push(Passenger { opening: fen, name, city: Some(city), ..Passenger::default() });
    }

    /// Holds a passenger's wallet against their cards.
    pub(in crate::chaos) fn passenger(&mut self, index: usize, wallet: &wallet::Core) -> Result<(), Broken> {
        self.wallet_says(index, wallet)?;
        let who = Who::Passenger(index);
        let purses = self.purses_of(index);
        let Some(passenger) = self.passengers.get(index) else { return Ok(()) };
        let failed = |error| broken(who, format!("a wallet knows its passenger: {error}"));
        let account = wallet.account(&passenger.name).map_err(failed)?;
        let in_wallet = plus(account.purse.available.get(), account.purse.held.get());
        let paid = minus(passenger.opening, in_wallet);
        if paid != minus(passenger.done, passenger.refunded) {
            let rule =
                "a wallet takes what its orders cost, when they are done, and pays back what cards gave up";
            let (done, refunded) = (passenger.done, passenger.refunded);
            return Err(broken(
                who,
                format!("{rule}: it took {paid}, its orders cost {done}, its refunds were {refunded}"),
            ));
        }
        // On the card already, and still held at the wallet: each such order is open there, and so named.
        let named = passenger.open.iter().filter_map(|id| self.orders.get(id));
        let named = named.map(|order| i64::from(order.credits).saturating_mul(order.amount)).fold(0, plus);
        let held = account.purse.held.get();
        if held < named {
            return Err(broken(who, format!("what is in doubt is held: {held} held, {named} named")));
        }
        let Passenger { opening, credited, received, spent, drained, done, .. } = passenger;
        if plus(*done, named) != *credited || *received != plus(plus(purses, *spent), *drained) {
            return Err(broken(
                who,
                format!(
                    "wallet + purses + spent = what they began with, or the difference is named: began with {opening}, \
                     wallet {in_wallet}, ordered onto cards {credited}, named {named}, received {received}, \
                     purses {purses}, spent {spent}, given back {drained}"
                ),
            ));
        }
        Ok(())
    }

    /// Takes the wallet's word on the passenger's open orders.
    fn wallet_says(&mut self, index: usize, wallet: &wallet::Core) -> Result<(), Broken> {
        let who = Who::Passenger(index);
        let Some(passenger) = self.passengers.get_mut(index) else { return Ok(()) };
        let mut ended = Vec::new();
        for id in &passenger.open {
            let (Some(order), Ok(said)) = (self.orders.get_mut(id), wallet.order(id)) else { continue };
            order.wallet_says = Some(said.state);
            let taken = order.taken();
            let at_risk = order.credits > 0 || taken > 0 || matches!(order.centre, Some("in_doubt" | "done"));
            match said.state {
                OrderState::Refused if at_risk => {
                    let centre = order.centre.unwrap_or("not there");
                    let rule =
                        format!("a wallet gives back only what cannot reach the card: order {id}, {centre}");
                    return Err(broken(who, rule));
                }
                OrderState::Done if order.kind == Kind::Load && order.credits != 1 => {
                    return Err(broken(who, format!("a wallet takes money for value on a card: order {id}")));
                }
                OrderState::Done if order.kind == Kind::Refund => {
                    if i64::from(said.amount.get()) != taken {
                        let rule = "a wallet pays back what was taken off the card";
                        return Err(broken(who, format!("{rule}: order {id}, {} of {taken}", said.amount)));
                    }
                    passenger.refunded = plus(passenger.refunded, taken);
                    ended.push(id.clone());
                }
                OrderState::Done => {
                    passenger.done = plus(passenger.done, order.amount);
                    ended.push(id.clone());
                }
                OrderState::Refused => ended.push(id.clone()),
                _ => {}
            }
        }
        for id in ended {
            passenger.open.remove(&id);
        }
        Ok(())
    }

    /// Orders of a passenger that have not ended.
    pub(in crate::chaos) fn open_ids(&self, index: usize) -> Vec<String> {
        self.passengers
            .get(index)
            .map(|passenger| passenger.open.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The same, in words.
    pub(in crate::chaos) fn open_orders(&self, index: usize) -> Vec<String> {
        let Some(passenger) = self.passengers.get(index) else { return Vec::new() };
        let word = |id: &String| {
            let order = self.orders.get(id);
            let centre = order.and_then(|order| order.centre).unwrap_or("not there");
            let wallet = order.and_then(|order| order.wallet_says).map_or("not there", OrderState::as_str);
            format!("{id} (centre {centre}, wallet {wallet})")
        };
        passenger.open.iter().map(word).collect()
    }
}
