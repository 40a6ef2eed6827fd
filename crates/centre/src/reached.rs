//! Which secure element a session is with (会话对方): the one of the card that the order is about now, or one that a card
//! is still to be taken off.
//!
//! Invariant: what an element says of itself opens nothing; its keys do. Here it only chooses what is tried.

use tsm::seram::SecureElement;

use crate::core::{Core, State};
use crate::moving::row;
use crate::problem::{Code, Problem};
use crate::store::{CardRow, OrderKind, OrderRow};
use crate::wallet::find_card;

impl Core {
    /// The card that this order still has to take off the element that is behind a session.
    pub(crate) fn to_take_off(
        &self,
        state: &State,
        order: &OrderRow,
        element: &str,
    ) -> Result<Option<CardRow>, Problem> {
        let card = self.returned_card(state, order)?;
        Ok(card.filter(|card| card.se_id.eq_ignore_ascii_case(element)))
    }

    /// The element that a move comes from.
    fn old_element(&self, state: &State, order: &OrderRow) -> Result<Option<String>, Problem> {
        if order.kind != OrderKind::Move {
            return Ok(None);
        }
        let db = state.store.read();
        Ok(Some(find_card(db, &order.wallet, &row(db, order)?.from)?.se_id))
    }
}

/// Whether the element behind a session is the one of the card that the order is about now.
pub(crate) fn is_its_element(state: &State, order: &OrderRow, element: &str) -> Result<bool, Problem> {
    let Some(id) = &order.card else { return Ok(true) };
    let card = CardRow::find(state.store.read(), &order.wallet, id)?;
    Ok(card.is_none_or(|card| card.se_id.eq_ignore_ascii_case(element)))
}

/// The element that the order is for: the card's own, or for a plastic card whatever the phone reaches; besides, the one
/// that a move has left, to take the card off it or to say that nothing is left to do there.
pub(crate) fn element_for(
    core: &Core,
    state: &State,
    order: &OrderRow,
    offered: Vec<SecureElement>,
) -> Result<SecureElement, Problem> {
    let wanted = match &order.card {
        None => None,
        Some(id) => CardRow::find(state.store.read(), &order.wallet, id)?.map(|card| card.se_id),
    };
    let off = core.old_element(state, order)?;
    let is = |element: &SecureElement, id: &String| element.se_id.eq_ignore_ascii_case(id);
    let fits = |element: &&SecureElement| wanted.as_ref().is_none_or(|id| is(element, id));
    let leaves = |element: &&SecureElement| off.as_ref().is_some_and(|id| is(element, id));
    let found = offered.iter().find(fits).or_else(|| offered.iter().find(leaves));
    found.cloned().ok_or_else(|| Code::WrongElement.about(wanted.as_deref().unwrap_or("card")))
}
