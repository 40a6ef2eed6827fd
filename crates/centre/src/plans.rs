//! From an order to the TSM's job (作业): everything that a job must know, looked up anew each time it begins.
//!
//! Invariant: a plan is made from what is stored and from the registry alone, so a job that begins anew after any
//! break goes on to the same end.

use card::layout::PURSE_AID;
use keys::CardRef;
use model::{CardNumber, CityCode, TerminalId, registry};
use smartcard::gp::Aid;
use tsm::{
    DeletePlan, DrainPlan, Element, IssuePlan, Job, LoadPlan, ReadPlan, Refusal, RefusalCode, Unsettled,
    load_pin, new_card,
};

use crate::channel::is_for_another_card;
use crate::core::{Core, State};
use crate::moving::row;
use crate::problem::{Code, Problem};
use crate::refund::DRAW_DOWN_POINT;
use crate::spent::overspent;
use crate::store::{CardRow, CardState, MovePhase, MoveRow, OrderKind, OrderRow, OrderState};
use crate::suspend::{lock, suspended};

/// The number of the centre's own load point (充值点), part of every MAC of a load over the air.
pub const LOAD_POINT: TerminalId = TerminalId::new([0, 0, 0, 0, 0, 1]);

/// A plastic card's purse goes by the bare name.
const PLASTIC: Aid = Aid::of(PURSE_AID);

/// A job with what the centre must know of it.
pub(crate) struct Planned {
    pub(crate) job: Job,
    /// It only finds out which plastic card is there; the order's own job comes after it.
    pub(crate) is_look: bool,
    /// It takes a card off its phone whose value has left it.
    pub(crate) takes_off: bool,
}

/// The instance of a city's card on a phone: the purse's name, the city's code, the first of its kind.
#[must_use]
pub fn instance_aid(city: CityCode) -> Option<Aid> {
    let [a, b] = city.to_bcd();
    Aid::new(&[PURSE_AID.as_slice(), &[a, b, 1]].concat())
}

/// The job of an order, or why there can be none.
pub(crate) fn plan(
    core: &Core,
    state: &mut State,
    order: &OrderRow,
) -> Result<Result<Planned, Refusal>, Problem> {
    let job = |job: Job| Ok(Ok(Planned { job, is_look: false, takes_off: false }));
    if let Some(code) = returned(state, order)? {
        return Ok(Err(Refusal { code, at: "refund", status: None }));
    }
    if order.reservation.is_none() && is_for_another_card(state, order)? {
        return Ok(Err(Refusal { code: RefusalCode::OtherCard, at: "channel", status: None }));
    }
    if let Some(refusal) = suspended(state, order)? {
        return Ok(Err(refusal));
    }
    let Some(id) = &order.card else { return plastic(core, state, order) };
    let card =
        CardRow::find(state.store.read(), &order.wallet, id)?.ok_or_else(|| Code::UnknownCard.about(id))?;
    let city = core.registry().city(card.city).ok_or_else(|| Code::UnknownCity.about(card.city))?;
    let instance = instance_aid(card.city).ok_or_else(|| Code::Internal.about("AID"))?;
    let kind = match order.kind {
        // The value is on the old card, or the new card is not there, or it is to get the value.
        OrderKind::Move if row(state.store.read(), order)?.phase == MovePhase::Out => OrderKind::Refund,
        OrderKind::Move if card.state == CardState::Planned => OrderKind::Issue,
        OrderKind::Move if card.state == CardState::Issued => OrderKind::Load,
        kind => kind,
    };
    match kind {
        OrderKind::Issue => {
            let element = element(core, &card)?;
            let today = core.now().date();
            let personalisation = new_card(city, card.number, today, LOAD_POINT, state.entropy.as_mut())
                .ok_or_else(|| Code::Internal.about("PIN"))?;
            let others = others(state, &card, &element)?;
            let may_hold_value = card.neighbour_may_hold_value(state.store.read())?;
            let card = CardRef { city: card.city, number: card.number };
            job(Job::issue(IssuePlan { element, card, instance, personalisation, others, may_hold_value }))
        }
        OrderKind::Load => job(load(state, order, city, instance)?),
        OrderKind::Read => job(read(state, order, Some(city), instance)?),
        OrderKind::Refund => job(drain(core, state, order, city, card.number, instance)?),
        OrderKind::Move => Ok(Err(Refusal { code: RefusalCode::NotOurCard, at: "registry", status: None })),
        OrderKind::Suspend | OrderKind::Resume => job(lock(core, state, order, &card)?),
        OrderKind::Delete => {
            // With the card would go what settles money in doubt; another look at the card comes first.
            let leaving = OrderRow::refund_of(state.store.read(), card.number, order.seq)?;
            if unsettled(state, order)?.is_some() || leaving == Some(OrderState::InDoubt) {
                return Ok(Err(Refusal { code: RefusalCode::StillInDoubt, at: "DELETE", status: None }));
            }
            job(Job::delete(delete(core, state, &card)?))
        }
    }
}

/// A plastic card is looked at first: only then is it known whose it is, and whether a load of it is in doubt.
fn plastic(core: &Core, state: &State, order: &OrderRow) -> Result<Result<Planned, Refusal>, Problem> {
    match (order.kind, order.city) {
        (OrderKind::Refund, Some(code)) => match (core.registry().city(code), order.number) {
            (Some(city), Some(number)) => Ok(Ok(Planned {
                job: drain(core, state, order, city, number, PLASTIC)?,
                is_look: false,
                takes_off: false,
            })),
            _ => Ok(Err(Refusal { code: RefusalCode::NotOurCard, at: "registry", status: None })),
        },
        (OrderKind::Load, Some(code)) => {
            let Some(city) = core.registry().city(code) else {
                return Ok(Err(Refusal { code: RefusalCode::NotOurCard, at: "registry", status: None }));
            };
            Ok(Ok(Planned { job: load(state, order, city, PLASTIC)?, is_look: false, takes_off: false }))
        }
        (_, None) => {
            Ok(Ok(Planned { job: read(state, order, None, PLASTIC)?, is_look: true, takes_off: false }))
        }
        (_, Some(code)) => {
            let city = core.registry().city(code);
            Ok(Ok(Planned { job: read(state, order, city, PLASTIC)?, is_look: false, takes_off: false }))
        }
    }
}

/// Why a card gets no more money and no second refund: one is done, or in doubt.
fn returned(state: &State, order: &OrderRow) -> Result<Option<RefusalCode>, Problem> {
    let (OrderKind::Load | OrderKind::Refund | OrderKind::Move, Some(number)) = (order.kind, order.number)
    else {
        return Ok(None);
    };
    if order.reservation.is_some() {
        return Ok(None); // its own load, in doubt: the card shall say
    }
    if MoveRow::has_left(state.store.read(), number)? {
        return Ok(Some(RefusalCode::Blocked));
    }
    Ok(match OrderRow::refund_of(state.store.read(), number, order.seq)? {
        Some(OrderState::InDoubt) => Some(RefusalCode::StillInDoubt),
        Some(_) => Some(RefusalCode::Blocked),
        None => None,
    })
}

fn drain(
    core: &Core,
    state: &State,
    order: &OrderRow,
    city: &registry::City,
    number: CardNumber,
    aid: Aid,
) -> Result<Job, Problem> {
    let overspent = order.drain.map(|drain| overspent(core, state, &drain)).transpose()?.unwrap_or(false);
    Ok(Job::drain(DrainPlan {
        card: CardRef { city: city.code, number },
        aid,
        auth_id: city.card.mac1_includes_auth_id,
        terminal: DRAW_DOWN_POINT,
        terminal_seq: order.attempt,
        pin: load_pin(city),
        unsettled: unsettled(state, order)?.map(|u| u.reservation),
        begun: order.drain,
        overspent,
    }))
}

fn load(state: &State, order: &OrderRow, city: &registry::City, aid: Aid) -> Result<Job, Problem> {
    Ok(Job::load(LoadPlan {
        card: order.number,
        aid,
        amount: order.amount,
        purse_limit: city.card.purse_limit_fen,
        terminal: LOAD_POINT,
        pin: load_pin(city),
        unsettled: unsettled(state, order)?,
    }))
}

/// `city` is the card's, once it is known; a load in doubt is of a known card.
fn read(state: &State, order: &OrderRow, city: Option<&registry::City>, aid: Aid) -> Result<Job, Problem> {
    let unsettled = unsettled(state, order)?.map(|u| u.reservation);
    let pin = city.and_then(load_pin);
    Ok(Job::read(ReadPlan { aid, card: order.number, unsettled, pin, terminal: LOAD_POINT }))
}

/// A card off its phone. Only one that never came so far that a load of it was reserved may be there half made.
pub(crate) fn delete(core: &Core, state: &State, card: &CardRow) -> Result<DeletePlan, Problem> {
    let city = core.registry().city(card.city).ok_or_else(|| Code::UnknownCity.about(card.city))?;
    let planned = card.state == CardState::Planned;
    Ok(DeletePlan {
        element: element(core, card)?,
        card: CardRef { city: card.city, number: card.number },
        instance: instance_aid(card.city).ok_or_else(|| Code::Internal.about("AID"))?,
        pin: load_pin(city),
        terminal: LOAD_POINT,
        unfinished: planned && !card.neighbour_may_hold_value(state.store.read())?,
    })
}

/// The load in doubt that stands before this order on its card: its own, resumed, or another's.
pub(crate) fn unsettled(state: &State, order: &OrderRow) -> Result<Option<Unsettled>, Problem> {
    if let Some(reservation) = order.reservation {
        return Ok(Some(Unsettled { reservation, same_order: true }));
    }
    let Some(number) = order.number else { return Ok(None) };
    let other = OrderRow::unsettled(state.store.read(), number)?.and_then(|other| other.reservation);
    Ok(other.map(|reservation| Unsettled { reservation, same_order: false }))
}

pub(crate) fn element(core: &Core, card: &CardRow) -> Result<Element, Problem> {
    let profile = core.registry().phone(&card.phone).ok_or_else(|| Code::UnknownPhone.about(&card.phone))?;
    Ok(Element { se_id: card.se_id.clone(), profile: profile.clone() })
}

/// The other city cards on the element.
fn others(state: &State, card: &CardRow, element: &Element) -> Result<Vec<Aid>, Problem> {
    let cards = CardRow::on_element(state.store.read(), &element.se_id)?;
    Ok(cards
        .iter()
        .filter(|other| other.city != card.city)
        .filter_map(|other| instance_aid(other.city))
        .collect())
}
