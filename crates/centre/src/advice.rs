//! What the passenger is told while an order is under way (提示): what is true, and what to do.
//!
//! Invariant: a plastic card pulled away in the middle is the normal case. While money may be on the card the passenger
//! is told that it is safe and not to pay again, whatever else is known.

use crate::store::{OrderKind, OrderRow, OrderState};

/// Of a plastic card, and of a card on a phone: before the first contact, after it, and with money in doubt.
pub(crate) const CODES: [[&str; 3]; 2] =
    [["hold-card", "hold-again", "hold-again-safe"], ["open-app", "go-on", "go-on-safe"]];

/// Of a move: while the value is on the old card, and once it has left it.
pub(crate) const MOVE_CODES: [&str; 2] = ["move-old-phone", "move-new-phone"];

/// Of a lost phone's card: until its lock is reported, and, found again, its unlock.
pub(crate) const LOST: [&str; 2] = ["lost", "found"];

/// The code of the advice; none for an order that is over.
pub(crate) fn advice(order: &OrderRow) -> Option<&'static str> {
    let [plastic, phone] = CODES;
    let [first, again, safe] = if order.card.is_some() { phone } else { plastic };
    let [old, new] = MOVE_CODES;
    let [lost, found] = LOST;
    match order.state {
        OrderState::Created | OrderState::Running if order.kind == OrderKind::Move => {
            Some(if order.balance.is_some() { new } else { old })
        }
        OrderState::Created | OrderState::Running if order.kind == OrderKind::Suspend => Some(lost),
        OrderState::Created | OrderState::Running if order.kind == OrderKind::Resume => Some(found),
        OrderState::Created => Some(first),
        OrderState::Running => Some(again),
        OrderState::InDoubt => Some(safe),
        OrderState::Done | OrderState::Refused => None,
    }
}
