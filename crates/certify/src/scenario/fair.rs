//! Where the centre does all well: plain orders, words that are not known yet, a card that leaves.

use serde_json::json;

use crate::fault::Fault;
use crate::finding::Code;
use crate::play::{Chip, OPENING, Play, Played};

const AMOUNT: i64 = 5000;

/// A load from its placing to its end, with the judge at each step.
fn load(play: &mut Play<'_>, chip: Chip, count: usize, paid_before: i64) -> Played {
    let said = play.load(AMOUNT, chip)?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let left = OPENING.saturating_sub(paid_before).saturating_sub(AMOUNT);
    play.purse(&said, (left, AMOUNT), Code::MoneyNotHeld);
    let order = play.orders(&said, count)?;
    play.booked(&order, AMOUNT);
    play.carry_out(&order, chip, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (left, 0), Code::MoneyNotTaken);
    let again = play.show(&said)?;
    play.purse(&again, (left, 0), Code::FinalLeft);
    play.orders(&again, count).map(drop)
}

fn unrefused(play: &mut Play<'_>) {
    let refused =
        play.tape().into_iter().find(|seen| seen.answer.as_ref().is_some_and(|(status, _)| *status >= 400));
    if let Some(seen) = refused {
        let said = seen.answer.map(|(status, said)| format!("{status} {}", said["code"])).unwrap_or_default();
        play.find(Code::RequestRefused, format_args!("{} {}: {said}", seen.method, seen.path));
    }
}

pub(super) fn phone(play: &mut Play<'_>) -> Played {
    let said = play.issue()?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let order = play.orders(&said, 1)?;
    play.booked(&order, 0);
    play.carry_out(&order, Chip::Phone, false)?;
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (OPENING, 0), Code::MoneyNotTaken);
    load(play, Chip::Phone, 2, 0)?;
    unrefused(play);
    Ok(())
}

pub(super) fn plastic(play: &mut Play<'_>) -> Played {
    load(play, Chip::Plastic, 1, 0)?;
    unrefused(play);
    Ok(())
}

pub(super) fn extra_fields(play: &mut Play<'_>) -> Played {
    let more =
        Fault::Says(json!({"loyalty": {"points": [1, 2.5, null]}, "note_fr": "bonjour", "amount_jiao": 500}));
    play.on_order(&more, 100);
    play.on_look(&more);
    load(play, Chip::Plastic, 1, 0)
}

pub(super) fn in_doubt(play: &mut Play<'_>) -> Played {
    let said = play.load(AMOUNT, Chip::Plastic)?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let order = play.orders(&said, 1)?;
    play.carry_out(&order, Chip::Plastic, true)?;
    let said = play.must_reach(said, &["in_doubt"], Code::DoubtNotShown)?;
    play.held(&said, AMOUNT);
    let again = play.show(&said)?;
    play.held(&again, AMOUNT);
    play.orders(&again, 1)?;
    play.carry_out(&order, Chip::Plastic, false)?;
    let said = play.must_reach(again, &["done"], Code::NotSettled)?;
    play.purse(&said, (OPENING.saturating_sub(AMOUNT), 0), Code::MoneyNotTaken);
    play.orders(&said, 1).map(drop)
}
