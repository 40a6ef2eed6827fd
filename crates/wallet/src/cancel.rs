//! Cancelling (撤单): the passenger takes an order back while no money has moved.
//!
//! Invariant: the centre decides. The money is let go because the centre says that the order is refused, never because
//! the passenger asked; silence leaves the order as it was, and asking again is the same.

use crate::centre::{Answer, OrderAnswer};
use crate::core::Core;
use crate::orders::{Order, find};
use crate::place::Payer;
use crate::problem::{Code, Problem};
use crate::store::{OrderRow, OrderState};

impl Core {
    /// Takes a passenger's own order back. An order that was refused already, for whatever reason, is no error: what
    /// was asked for is so.
    ///
    /// # Errors
    /// Those of the password; [`Code::UnknownOrder`], also for another's; [`Code::OrderOver`] if it is done,
    /// [`Code::OrderInDoubt`] while the card may have the money; [`Code::CancelUnanswered`] if nobody knows.
    pub fn cancel(&self, payer: &Payer<'_>, id: &str) -> Result<Order, Problem> {
        let passenger = self.authenticate(payer.name(), payer.password())?;
        let order = find(&self.state(), id)?;
        if order.passenger != passenger.id {
            return Err(Code::UnknownOrder.about(id));
        }
        // An order that may still be on its way is brought there first: the centre takes back only what it has.
        let order = self.follow(order, false)?;
        match order.state {
            OrderState::Done => Err(Code::OrderOver.about(id)),
            OrderState::Refused => Ok(order.into()),
            OrderState::Unknown => Err(Code::CancelUnanswered.about(id)),
            OrderState::Created | OrderState::Running | OrderState::InDoubt => self.take_back(order),
        }
    }

    fn take_back(&self, order: OrderRow) -> Result<Order, Problem> {
        let path = format!("/v1/orders/{}/cancel", order.id);
        let order = match self.with_centre(|client, moment| client.post::<OrderAnswer>(moment, &path, "")) {
            Answer::Said(answer) => self.take(&order.id, answer)?,
            Answer::Problem { refusal, .. } => match refusal.code.as_str() {
                "order-in-doubt" => return Err(Code::OrderInDoubt.about(&order.id)),
                // It ended in between: how, it says itself.
                "order-over" => self.follow(order, false)?,
                _ => return Err(Code::CancelUnanswered.about(refusal.code)),
            },
            Answer::Silence(why) => return Err(Code::CancelUnanswered.about(why)),
        };
        match order.state {
            OrderState::Refused => Ok(order.into()),
            OrderState::Done => Err(Code::OrderOver.about(&order.id)),
            _ => Err(Code::CancelUnanswered.about(&order.id)),
        }
    }
}
