//! What a card's taps say of a purchase in doubt (刷卡佐证): value that taps took is value that the drain did not.
//!
//! A purse gets what its loads bring and gives what its purchases take. When the drain was offered it held the drain's
//! whole amount, by MAC1; had the drain taken it, nothing could be tapped after. So taps of all its life would come to
//! no more than its loads less that amount. If the proven ones come to more, the drain has taken nothing.
//!
//! Standard: PBOC electronic purse (card.md sections 1.2 and 2.1); a TAC covers a tap's amount, reader and time.
//! Invariant: no clock is asked: a tap counts the same whether it was made before the offer or after. Where one load
//! of the card is not proven by its own TAC, or the card was not empty when it took its first, nothing is said.

use std::collections::BTreeMap;

use model::{CardTime, PurseFen};
use tsm::Drain;

use crate::core::{Core, State};
use crate::problem::{Code, Problem};
use crate::store::{OrderRow, proven_taps};

/// Whether taps that are here already took what the drain would have taken, if the card was not loaded since.
/// That it was not, the card itself must say, under MAC1.
pub(crate) fn overspent(core: &Core, state: &State, drain: &Drain) -> Result<bool, Problem> {
    let card = drain.card().ok_or_else(|| Code::Internal.about("drain"))?;
    let db = state.store.read();
    let first = CardTime::from_seconds(0).ok_or_else(|| Code::Internal.about("time"))?;
    let mut loads: BTreeMap<u16, i64> = BTreeMap::new();
    for order in OrderRow::reserved_since(db, card.number, first)? {
        let Some((reservation, tac)) = order.reservation.zip(order.tac) else { continue };
        let Some(proof) = reservation.proof().filter(|_| reservation.card() == Some(card)) else { continue };
        if core.keys().verify_load(&card, &proof, tac).is_err() {
            continue;
        }
        let empty_at_first = reservation.counter() > 0 || reservation.balance_before() == PurseFen::ZERO;
        let again = loads.insert(reservation.counter(), reservation.amount().get().into());
        if again.is_some() || !empty_at_first {
            return Ok(false);
        }
    }
    let all = loads.keys().copied().eq(0..drain.online());
    let loaded: i64 = loads.values().sum();
    let taken = proven_taps(db, card.city, card.number)?;
    let amount: i64 = drain.amount().get().into();
    Ok(all && taken > loaded.saturating_sub(amount) && taken <= loaded)
}
