//! What a card has proven of a load (写卡证明): of the order at hand, or of another that its contact settles.
//!
//! Invariant: what is posted has the load's own TAC; what is given back was disproven by the card under MAC1.

use model::Tac;
use tsm::Reservation;

use crate::core::{Core, State};
use crate::phone::NOT_CREDITED;
use crate::problem::Problem;
use crate::store::{OrderKind, OrderRow, OrderState};

impl Core {
    /// Another order's load on this card was in doubt, and the card has settled it. This order's own is settled
    /// when its job ends, in the same turn.
    pub(crate) fn settle_other(
        &self,
        state: &mut State,
        current: u64,
        reservation: &Reservation,
        credited: Option<Tac>,
    ) -> Result<(), Problem> {
        let Some(card) = reservation.card() else { return Ok(()) };
        let Some(mut other) = OrderRow::unsettled(state.store.read(), card.number)? else { return Ok(()) };
        if other.seq == current || other.reservation != Some(*reservation) {
            return Ok(());
        }
        match credited {
            Some(tac) => self.credited(state, &mut other, reservation, tac, "load-proven"),
            None => self.refused(state, &mut other, NOT_CREDITED, "GET TRANSACTION PROVE", "load-disproven"),
        }
    }

    /// The card has proven a load: post, then done.
    pub(crate) fn credited(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        reservation: &Reservation,
        tac: Tac,
        event: &str,
    ) -> Result<(), Problem> {
        if order.kind == OrderKind::Move {
            return self.moved_in(state, order, Some((reservation, tac)));
        }
        if let Some(money) = self.money(state, order)? {
            money.post(state.ledger.as_mut())?;
        }
        order.reservation = Some(*reservation);
        order.tac = Some(tac);
        order.balance = reservation.balance_before().plus(reservation.amount());
        self.end(state, order, OrderState::Done, event)
    }
}
