//! Webhooks: delivered, doubled, out of order, forged, old; to a wallet that has one.

use super::back::placed;
use crate::finding::Code;
use crate::hooks::{altered, forged};
use crate::play::{Chip, Play, Played, state};

const AMOUNT: i64 = 5000;
const LEFT: i64 = 95_000;
/// More than a message may be away from the wallet's clock.
const OLD: i64 = -3600;

pub(super) fn webhooks(play: &mut Play<'_>) -> Played {
    let hook = play.hook()?;
    let (said, order) = placed(play, AMOUNT, 1)?;
    play.carry_out(&order, Chip::Plastic, false)?;
    let messages = if hook.is_some() { play.messages(&order) } else { Vec::new() };
    if let Some(last) = messages.last() {
        play.must_refuse(&forged(last), Code::HookForged, "another signature");
        play.must_refuse(&altered(last), Code::HookForged, "another body under the signature");
        let before = play.mentions(&order);
        play.must_take(last);
        if !play.asks_again(&order, before) {
            play.find(Code::HookIgnored, format_args!("order {order} was not asked for"));
        }
    }
    let said = play.must_reach(said, &["done"], Code::NotSettled)?;
    play.purse(&said, (LEFT, 0), Code::MoneyNotTaken);
    // The older ones come late, and each twice; then the centre sends all anew, from the first event on.
    let anew = hook.as_ref().map(|hook| play.replayed(hook, &order)).unwrap_or_default();
    for message in messages.iter().rev().chain(&anew) {
        play.must_take(message);
        play.must_take(message);
        let again = play.show(&said)?;
        if again.state.as_deref() != Some("done") {
            play.find(Code::FinalLeft, format_args!("{} after a late webhook", state(&again)));
        }
        play.purse(&again, (LEFT, 0), Code::FinalLeft);
    }
    if hook.is_some() { old_message(play) } else { Ok(()) }
}

/// A good signature over a time that is long past.
fn old_message(play: &mut Play<'_>) -> Played {
    let (_, order) = placed(play, AMOUNT, 2)?;
    play.cancel(&order)?;
    play.stage.skew(OLD);
    let messages = play.messages(&order);
    play.stage.skew(0);
    match messages.first() {
        Some(old) => play.must_refuse(old, Code::HookOld, "an hour old"),
        None => play.find(Code::KitFailed, "the centre has no message of a cancelled order"),
    }
    Ok(())
}
