//! Where the centre, its clock or the way to it fails.

use std::time::Duration;

use serde_json::json;

use crate::driver::Said;
use crate::fault::Fault;
use crate::finding::Code;
use crate::play::{Chip, OPENING, Play, Played, state};

const AMOUNT: i64 = 4000;
const LEFT: i64 = 96_000;
/// More than the centre's window for signatures.
const AWAY: i64 = 3600;

/// From here on all is well: the wallet comes to know its order, once, and the passenger gets the load.
fn to_the_end(play: &mut Play<'_>, said: Said) -> Played {
    let said = play.must_reach(said, &["created"], Code::NotRepeated)?;
    let order = play.orders(&said, 1)?;
    play.booked(&order, AMOUNT);
    play.held(&said, AMOUNT);
    play.carry_out(&order, Chip::Plastic, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (LEFT, 0), Code::MoneyNotTaken);
    play.orders(&said, 1).map(drop)
}

pub(super) fn slow_within(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Slow(play.stage.timeout.checked_div(2).unwrap_or_default()), 1);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    play.held(&said, AMOUNT);
    to_the_end(play, said)
}

pub(super) fn slow_over(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Slow(play.stage.timeout.saturating_add(Duration::from_secs(1))), 1);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    play.held(&said, AMOUNT);
    to_the_end(play, said)
}

/// The order meets the fault `times` times; the wallet may try again by itself, or when it is asked.
fn fails_and_recovers(play: &mut Play<'_>, fault: &Fault, times: usize) -> Played {
    play.on_order(fault, times);
    let mut said = play.load(AMOUNT, Chip::Plastic)?;
    for _ in 0..times {
        play.held(&said, AMOUNT);
        said = play.show(&said)?;
    }
    to_the_end(play, said)
}

pub(super) fn error_500(play: &mut Play<'_>) -> Played {
    fails_and_recovers(play, &Fault::Status(500), 2)
}

pub(super) fn error_503(play: &mut Play<'_>) -> Played {
    fails_and_recovers(play, &Fault::Status(503), 2)
}

pub(super) fn answer_lost(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Lost, 1);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    play.held(&said, AMOUNT);
    let said = play.must_reach(said, &["created"], Code::NotRepeated)?;
    if let Some(order) = play.sent().first().cloned()
        && play.mentions(&order) < 2
    {
        play.find(Code::NotRepeated, format_args!("order {order}: sent once, never asked for"));
    }
    to_the_end(play, said)
}

pub(super) fn id_taken(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Problem(409, "id-taken"), 2);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    let said = play.show(&said)?;
    if said.state.as_deref() == Some("done") {
        play.find(Code::DoneTooSoon, state(&said));
    }
    whole(play, &said);
    play.orders(&said, 1).map(drop)
}

/// Held, or back: in all the passenger has what was there before.
fn whole(play: &mut Play<'_>, said: &Said) {
    let in_all = said.available_fen.saturating_add(said.held_fen);
    if in_all != OPENING {
        play.find(
            Code::MoneyAppeared,
            format_args!("{in_all} fen in all; expected {OPENING}; {}", state(said)),
        );
    }
    let back = matches!(said.state.as_deref(), Some("refused" | "cancelled"));
    play.purse(said, if back { (OPENING, 0) } else { (LEFT, AMOUNT) }, Code::MoneyNotHeld);
}

/// Refused at the door the first time, an order is not there: the wallet may give the money back, or keep it and try again.
pub(super) fn clock_skew(play: &mut Play<'_>) -> Played {
    play.stage.skew(AWAY);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    if said.state.as_deref() == Some("done") {
        play.find(Code::DoneTooSoon, state(&said));
    }
    whole(play, &said);
    play.stage.skew(0);
    if matches!(said.state.as_deref(), Some("refused" | "cancelled")) {
        let again = play.show(&said)?;
        play.purse(&again, (OPENING, 0), Code::MoneyNotBack);
        return Ok(());
    }
    to_the_end(play, said)
}

/// The order is at the centre; that a repetition is refused for its clock says nothing about it.
pub(super) fn clock_after_loss(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Lost, 1);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    play.stage.skew(AWAY);
    let said = play.show(&said)?;
    play.held(&said, AMOUNT);
    let said = play.show(&said)?;
    play.held(&said, AMOUNT);
    play.stage.skew(0);
    to_the_end(play, said)
}

pub(super) fn refused_at_door(play: &mut Play<'_>) -> Played {
    play.on_order(&Fault::Problem(422, "amount-over-limit"), 1);
    let said = play.load(AMOUNT, Chip::Plastic)?;
    back_once(play, said)
}

pub(super) fn refused_later(play: &mut Play<'_>) -> Played {
    let said = play.load(AMOUNT, Chip::Plastic)?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let words = "played by the conformance kit";
    play.on_look(&Fault::Says(json!({"state": "refused", "problem": {
        "code": "card-refused", "title": words, "detail": words, "title_zh": "由认证工具模拟", "detail_zh": "由认证工具模拟"}})));
    back_once(play, said)
}

fn back_once(play: &mut Play<'_>, said: Said) -> Played {
    let said = play.must_reach(said, &["refused"], Code::NotSettled)?;
    play.purse(&said, (OPENING, 0), Code::MoneyNotBack);
    for _ in 0..2 {
        let again = play.show(&said)?;
        play.purse(&again, (OPENING, 0), Code::MoneyNotBack);
    }
    play.orders(&said, 1).map(drop)
}

pub(super) fn reordered(play: &mut Play<'_>) -> Played {
    let said = play.load(AMOUNT, Chip::Plastic)?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let order = play.orders(&said, 1)?;
    play.carry_out(&order, Chip::Plastic, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    for old in ["running", "created", "in_doubt", "refused"] {
        play.stage.layer.calm();
        play.on_look(&Fault::Says(json!({"state": old})));
        let again = play.show(&said)?;
        if again.state.as_deref() != Some("done") {
            play.find(Code::FinalLeft, format_args!("{} after an old `{old}`", state(&again)));
        }
        play.purse(&again, (LEFT, 0), Code::FinalLeft);
    }
    play.orders(&said, 1).map(drop)
}
