//! Cancelling (撤单): an order whose money has not left doubtless is taken back, and what a killed process left half
//! booked is booked.
//!
//! Invariant: the order's row is ended first, by compare and set, and only then is the money given back; so no other
//! process can reserve in between. A process that dies between the two is made good by [`Core::finish_refusals`].

use ledger::InDoubt;
use model::WalletId;

use crate::core::{Core, State};
use crate::moving::row;
use crate::problem::{Code, Problem};
use crate::store::{MovePhase, OrderKind, OrderRow, OrderState, StepName, StepRow, StepState};
use crate::wallet::find_order;

/// Why an order is refused that its wallet took back.
pub(crate) const CANCELLED: &str = "cancelled";

impl Core {
    /// Takes an order back. A card that an issue has begun to make is left as it is: it has no value, the next issue of
    /// the same card makes it anew, and a delete takes it off.
    pub(crate) fn cancel(&self, wallet: &WalletId, id: &str) -> Result<OrderRow, Problem> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut order = find_order(state.store.read(), wallet, id)?;
        match order.state {
            OrderState::InDoubt => Err(Code::OrderInDoubt.about(id)),
            OrderState::Refused if order.code.as_deref() == Some(CANCELLED) => {
                self.give_back(state, &order)?;
                Ok(order)
            }
            OrderState::Done | OrderState::Refused => Err(Code::OrderOver.about(id)),
            _ if order.kind.is_lock() => Err(Code::SuspensionStands.about(id)),
            OrderState::Created | OrderState::Running => {
                if order.kind == OrderKind::Move && row(state.store.read(), &order)?.phase != MovePhase::Out {
                    return Err(Code::ValueHasLeft.about(id));
                }
                let (code, event) = (CANCELLED, "order-cancelled");
                let about = order.id.clone();
                self.refused(state, &mut order, code, &about, event)?;
                Ok(order)
            }
        }
    }

    /// Lets go of the money of an order that is refused; again is the same.
    pub(crate) fn give_back(&self, state: &mut State, order: &OrderRow) -> Result<(), Problem> {
        let Some(money) = self.money(state, order)? else { return Ok(()) };
        money.void(state.ledger.as_mut())?;
        let at = self.now();
        state.store.write(|db| {
            let order = (&order.wallet, order.id.as_str());
            Ok(StepRow::note(db, order, StepName::GiveBack, StepState::Done, at)?)
        })
    }

    /// Gives back what orders hold that were refused by a process that died before it could.
    pub(crate) fn finish_refusals(&self) -> Result<(), Problem> {
        let mut guard = self.state();
        let state = &mut *guard;
        self.finish_moves(state)?;
        for pending in state.ledger.pending()? {
            if let Some((seq, hop)) = hop_of(&pending) {
                let Some(order) = OrderRow::numbered(state.store.read(), seq)? else { continue };
                if row(state.store.read(), &order)?.hop != hop {
                    self.void_hop(state, &order, hop)?;
                }
                continue;
            }
            let Some((seq, part)) = numbered(&pending) else { continue };
            let Some(order) = OrderRow::numbered(state.store.read(), seq)? else { continue };
            if let Some(number) = part {
                if order.drain.is_none_or(|drain| drain.terminal_seq() != number) {
                    self.void_drain(state, &order, number)?;
                }
            } else if order.state == OrderState::Refused {
                tracing::warn!(wallet = %order.wallet, order = order.id, "given back late");
                self.give_back(state, &order)?;
            }
        }
        Ok(())
    }
}

/// The running number of the move, and which load of its value, that an entry is of.
fn hop_of(pending: &InDoubt) -> Option<(u64, u32)> {
    let (seq, hop) = pending.id.as_str().rsplit_once(':')?.1.split_once(".to")?;
    Some((seq.parse().ok()?, hop.parse().ok()?))
}

/// The running number of the order that an entry is of, and of a refund which of its purchases.
fn numbered(pending: &InDoubt) -> Option<(u64, Option<u32>)> {
    let (_, name) = pending.id.as_str().rsplit_once(':')?;
    match name.split_once('.') {
        Some((seq, part)) => Some((seq.parse().ok()?, Some(part.parse().ok()?))),
        None => Some((name.parse().ok()?, None)),
    }
}
