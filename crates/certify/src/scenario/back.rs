//! Where money comes back: an order is taken back, a card is given back.

use serde_json::json;

use crate::driver::Said;
use crate::fault::Fault;
use crate::finding::Code;
use crate::play::{Chip, OPENING, Play, Played, state};

const AMOUNT: i64 = 5000;
const LEFT: i64 = 95_000;
const ENDS: [&str; 2] = ["refused", "cancelled"];

/// A load that the centre has and no phone has begun.
pub(super) fn placed(play: &mut Play<'_>, amount: i64, count: usize) -> Played<(Said, String)> {
    let said = play.load(amount, Chip::Plastic)?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let order = play.orders(&said, count)?;
    Ok((said, order))
}

/// The order is taken back, and what it held is free, once.
pub(super) fn taken_back(play: &mut Play<'_>, order: &str, whole: i64) -> Played {
    let said = play.cancel(order)?;
    let said = play.must_reach(said, &ENDS, Code::NotSettled)?;
    if !play.cancel_heard(order) {
        play.find(Code::CancelNotSent, format_args!("{}; order {order}", state(&said)));
    }
    play.purse(&said, (whole, 0), Code::MoneyNotBack);
    let again = play.cancel(order)?;
    play.purse(&again, (whole, 0), Code::MoneyNotBack);
    let again = play.show(&again)?;
    play.purse(&again, (whole, 0), Code::MoneyNotBack);
    Ok(())
}

pub(super) fn cancelled(play: &mut Play<'_>) -> Played {
    let (said, order) = placed(play, AMOUNT, 1)?;
    play.held(&said, AMOUNT);
    taken_back(play, &order, OPENING)
}

/// Nobody has heard the wish: the order may be carried out yet, so the money stays held.
pub(super) fn cancel_unheard(play: &mut Play<'_>) -> Played {
    let (_, order) = placed(play, AMOUNT, 1)?;
    play.on_cancel(&Fault::Status(503));
    let said = play.cancel(&order)?;
    play.held(&said, AMOUNT);
    play.stage.layer.calm();
    let said = play.show(&said)?;
    if ENDS.iter().any(|end| said.state.as_deref() == Some(end)) && play.cancel_heard(&order) {
        // It had tried again by itself, in between.
        play.purse(&said, (OPENING, 0), Code::MoneyNotBack);
        return Ok(());
    }
    play.held(&said, AMOUNT);
    taken_back(play, &order, OPENING)
}

/// A plastic card with value on it.
pub(super) fn loaded(play: &mut Play<'_>) -> Played<Said> {
    let (said, order) = placed(play, AMOUNT, 1)?;
    play.carry_out(&order, Chip::Plastic, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (LEFT, 0), Code::MoneyNotTaken);
    Ok(said)
}

pub(super) fn refund(play: &mut Play<'_>) -> Played {
    loaded(play)?;
    let said = play.refund()?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    play.purse(&said, (LEFT, 0), Code::RefundDiffers);
    let order = play.orders(&said, 2)?;
    play.leaves_at_debit(&order)?;
    let said = play.must_reach(said, &["in_doubt"], Code::DoubtNotShown)?;
    play.purse(&said, (LEFT, 0), Code::RefundDiffers);
    play.carry_out(&order, Chip::Plastic, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (OPENING, 0), Code::RefundDiffers);
    play.booked(&order, AMOUNT);
    for late in [json!({"state": "in_doubt"}), json!({"state": "refused"}), json!({"amount_fen": 9999})] {
        play.stage.layer.calm();
        play.on_look(&Fault::Says(late));
        let again = play.show(&said)?;
        play.purse(&again, (OPENING, 0), Code::RefundDiffers);
    }
    play.orders(&said, 2).map(drop)
}
