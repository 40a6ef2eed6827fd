//! What a line of the log, an entry's story and an order's row say, in the match's words.

use ledger::{Act, Entry, Fact, Story};
use model::{CityCode, Date, WalletId};

use super::cards::LoadPoint;
use super::compare::{CardSays, LedgerSays, Moved};
use crate::core::Core;
use crate::store::{OrderKind, OrderRow, OrderState};

/// The order that a line of the log is about, what it did, and its entry.
pub(super) fn order_line(fact: &Fact) -> Option<((WalletId, String), Moved, &Entry)> {
    let moved = moved(fact.act())?;
    let entry = fact.entry()?;
    let mut parts = entry.id.as_str().split(':');
    let (kind, wallet) = (parts.next()?, parts.next()?);
    let money = matches!(kind.parse(), Ok(OrderKind::Issue | OrderKind::Load));
    let wallet = wallet.parse().ok().filter(|_| money)?;
    Some(((wallet, entry.memo.clone()), moved, entry))
}

pub(super) fn moved(act: Act) -> Option<Moved> {
    match act {
        Act::Pended => Some(Moved::Pending),
        Act::Posted => Some(Moved::Posted),
        Act::Voided => Some(Moved::Voided),
        Act::Recorded | Act::DayClosed => None,
    }
}

/// What the ledger says of an order at the end of `day`, by its whole story.
pub(super) fn of_story(story: &Story, day: Date) -> LedgerSays {
    let last = story.ended.as_ref().unwrap_or(&story.opened);
    let lines = [Some(&story.opened), story.ended.as_ref()];
    let by_day = lines.into_iter().flatten().rfind(|line| line.fact.day() <= day);
    let leg = |line: &ledger::Line| line.fact.entry().and_then(|e| e.legs.first().map(ledger::Leg::amount));
    LedgerSays {
        amount: leg(&story.opened).unwrap_or_default(),
        by_day: by_day.and_then(|line| moved(line.fact.act())),
        now: moved(last.fact.act()).unwrap_or(Moved::Pending),
        now_day: last.fact.day(),
        position: last.position,
    }
}

/// What the card has proven of an order's load.
pub(super) fn card_says(core: &Core, order: &OrderRow) -> CardSays {
    let Some(reservation) = order.reservation.filter(|_| order.kind == OrderKind::Load) else {
        return CardSays::Nothing;
    };
    let verified = reservation.card().zip(reservation.proof()).zip(order.tac);
    let verified =
        verified.is_some_and(|((card, proof), tac)| core.keys().verify_load(&card, &proof, tac).is_ok());
    if verified { CardSays::Proven } else { CardSays::Unproven }
}

pub(super) fn load_point(order: &OrderRow) -> Option<(CityCode, LoadPoint)> {
    let reservation = order.reservation?;
    let moved = match order.state {
        OrderState::Done => Moved::Posted,
        OrderState::Refused => Moved::Voided,
        OrderState::Created | OrderState::Running | OrderState::InDoubt => Moved::Pending,
    };
    let point = LoadPoint {
        at: reservation.proof()?.at,
        counter: reservation.counter(),
        before: reservation.balance_before().get().into(),
        amount: reservation.amount().get().into(),
        moved,
    };
    Some((reservation.card()?.city, point))
}
