//! For wallets (第三方支付): cities and phones, cards, orders, history.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use model::registry;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{ProblemDetails, Refusal, parse};
use super::moves::Moving;
use super::signed::Signed;
use super::{blocking, iso};
use crate::advice::advice;
use crate::channel::PaidFor;
use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::store::{CardRow, HistoryTap, OrderRow, StepRow};
use crate::texts::Texts;
use crate::wallet::{NewCard, NewOrder, Payment};

/// Where phones begin a session: the session's `url`, then `/handshake?sessionId=`.
const SERAM: &str = "/gp/seram";

/// A city that issues cards.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CityFacts {
    /// Four digits, such as `2000`.
    #[schema(example = "2000")]
    code: String,
    name: String,
    name_zh: String,
    /// First day of interoperability; absent: listed, not yet part of it.
    joined: Option<String>,
    /// What a new card costs.
    issue_fee_fen: u32,
    /// The most that a purse may hold.
    purse_limit_fen: u32,
}

/// A phone model that can carry cards.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PhoneFacts {
    #[schema(example = "oppo-find7")]
    id: String,
    maker: String,
    maker_zh: String,
    model: String,
    model_zh: String,
}

/// Asks for a new card; an order of kind `issue` then puts it on the phone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CardRequest {
    /// Yours, good for ever: 1 to 64 letters, digits, dots, underscores, hyphens.
    id: String,
    /// Your own name for the passenger; means nothing to the centre.
    user: String,
    /// The issuing city's code.
    city: String,
    /// The phone model's id.
    phone: String,
    /// The secure element's identity as the phone's agent reports it, in hex.
    se_id: String,
}

/// A card of yours.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Card {
    id: String,
    user: String,
    city: String,
    phone: String,
    se_id: String,
    /// The card's number, 16 hex digits.
    number: String,
    /// `planned`, `issued`, `suspended`, `returned` or `deleted`.
    state: String,
    /// As the card itself said when it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_fen: Option<u32>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<String>,
    /// Number of the card on an earlier phone whose value it got.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<String>,
}

/// A payment that you took from the passenger.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentTaken {
    /// Exactly what the order costs.
    #[schema(value_type = i64)]
    amount_fen: serde_json::Number,
    /// Your own number of the payment.
    reference: String,
}

/// An order. A phone carries it out in the session that the answer names.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRequest {
    /// Yours, good for ever.
    id: String,
    /// `issue`, `load`, `read`, `delete`, `refund`, `move`, `suspend` or `resume`.
    kind: String,
    /// Your id of the card; leave it out for a plastic card.
    #[serde(default)]
    card: Option<String>,
    /// Whatever plastic card is held to the phone.
    #[serde(default)]
    plastic: bool,
    /// For `move` only: your id of a planned card of the same passenger and city on another phone, which gets the value.
    #[serde(default)]
    to: Option<String>,
    /// What the purse is to get; for `load` only.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    amount_fen: Option<serde_json::Number>,
    /// For `load` the amount, for `issue` the city's fee, if it has one.
    #[serde(default)]
    paid: Option<PaymentTaken>,
    /// The order of a channel that this load pays: one of the passenger's plastic card, by the channel's word.
    #[serde(default)]
    channel: Option<ChannelOrderRef>,
}

/// Names an order of a channel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelOrderRef {
    /// The channel.
    id: String,
    /// Its own id of the order.
    order: String,
}

/// Where a phone carries the order out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Secret: whoever knows it may carry the order out.
    id: String,
    /// Relative to the centre's address; `/handshake?sessionId=` comes after it.
    #[schema(example = "/gp/seram")]
    url: String,
}

/// An order of yours.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Order {
    id: String,
    kind: String,
    /// `created`, `running`, `in_doubt`, `done` or `refused`. Time never turns doubt into refusal.
    state: String,
    session: Session,
    /// Your id of the card; of a `move` the old card until the value has left it, then the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    /// The number of the card; of a plastic one, once it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    card_number: Option<String>,
    /// The city that issued the card, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    /// Of a refund: what the card has proven was taken off it, once it has.
    amount_fen: u32,
    /// What the card held afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_fen: Option<u32>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Refusal>,
    /// What the passenger is to do; absent when the order is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Advice>,
    /// Of a `move`: where the value is; not in lists.
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    moving: Option<Moving>,
    /// How far it came; not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    placed_at: String,
    changed_at: String,
    /// For `after`.
    cursor: u64,
}

/// What the passenger is told: a stable code with its words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Advice {
    /// Such as `hold-again-safe`.
    code: String,
    text: String,
    text_zh: String,
}

/// One step of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Step {
    /// `placed`, `list`, `contact`, `reserve`, `prove`, `card`, `new-card`, `reserve-new`, `prove-new`, `give-back`.
    name: String,
    /// `running`, `in_doubt`, `reported`, `done` or `undone`.
    state: String,
    at: String,
}

/// A page of orders, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Orders {
    orders: Vec<Order>,
    /// For the next page's `after`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// The `next` of the page before.
    #[serde(default)]
    pub(super) after: u64,
}

/// What moved on a card, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    loads: Vec<PastLoad>,
    taps: Vec<PastTap>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PastLoad {
    order: String,
    amount_fen: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_fen: Option<u32>,
    at: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PastTap {
    at: String,
    /// The reader's city.
    city: String,
    operator: String,
    mode: String,
    amount_fen: u32,
}

fn card(row: CardRow) -> Card {
    Card {
        id: row.id,
        user: row.user,
        city: row.city.to_string(),
        phone: row.phone,
        se_id: row.se_id,
        number: row.number.raw(),
        state: row.state.as_str().to_owned(),
        balance_fen: row.balance.map(u32::from),
        seen_at: row.seen_at.map(iso),
        moved_from: row.moved_from.map(model::CardNumber::raw),
    }
}

pub(super) fn order(row: OrderRow, texts: &Texts) -> Order {
    let advice = advice(&row).and_then(|code| {
        let words = texts.advice.get(code)?;
        Some(Advice { code: code.to_owned(), text: words.en.clone(), text_zh: words.zh.clone() })
    });
    let about = row.about.unwrap_or_default();
    Order {
        advice,
        moving: None,
        steps: Vec::new(),
        id: row.id,
        kind: row.kind.as_str().to_owned(),
        state: row.state.as_str().to_owned(),
        session: Session { id: row.session, url: SERAM.to_owned() },
        card: row.card,
        card_number: row.number.map(model::CardNumber::raw),
        city: row.city.map(|city| city.to_string()),
        amount_fen: row.amount.get(),
        balance_fen: row.balance.map(u32::from),
        problem: row.code.map(|code| Refusal::new(&code, &about, texts)),
        placed_at: iso(row.placed_at),
        changed_at: iso(row.changed_at),
        cursor: row.seq,
    }
}

/// An order with its steps.
pub(super) fn whole(core: &Core, row: OrderRow) -> Result<Order, Problem> {
    let step = |step: StepRow| Step {
        name: step.name.as_str().to_owned(),
        state: step.state.as_str().to_owned(),
        at: iso(step.at),
    };
    let steps = core.steps(&row)?.into_iter().map(step).collect();
    let moving = core.move_of(&row)?.map(|moving| Moving::of(moving, &row));
    Ok(Order { steps, moving, ..order(row, core.texts()) })
}

/// A whole number of fen, of any sign; whether it may be is the core's business.
pub(super) fn whole_fen(number: &serde_json::Number) -> Result<i64, Problem> {
    match number.as_i64() {
        Some(fen) => Ok(fen),
        None if number.is_u64() => Err(Code::AmountOverLimit.about(i64::MAX)),
        None => Err(Code::AmountNotWholeFen.about(number)),
    }
}

/// The cities that issue cards.
#[utoipa::path(get, path = "/v1/cities", tag = "wallet", responses((status = 200, body = Vec<CityFacts>)))]
pub(super) async fn list_cities(State(core): State<Arc<Core>>) -> Json<Vec<CityFacts>> {
    let facts = |city: &registry::City| CityFacts {
        code: city.code.to_string(),
        name: city.name.en.clone(),
        name_zh: city.name.zh.clone(),
        joined: city.joined.map(|day| day.to_string()),
        issue_fee_fen: city.card.issue_fee_fen.get(),
        purse_limit_fen: city.card.purse_limit_fen.get(),
    };
    Json(core.registry().cities().map(facts).collect())
}

/// The phone models that can carry cards.
#[utoipa::path(get, path = "/v1/phones", tag = "wallet", responses((status = 200, body = Vec<PhoneFacts>)))]
pub(super) async fn list_phones(State(core): State<Arc<Core>>) -> Json<Vec<PhoneFacts>> {
    let facts = |phone: &registry::Phone| PhoneFacts {
        id: phone.id.clone(),
        maker: phone.maker.en.clone(),
        maker_zh: phone.maker.zh.clone(),
        model: phone.model.en.clone(),
        model_zh: phone.model.zh.clone(),
    };
    Json(core.registry().phones().map(facts).collect())
}

/// Gives a card its number.
#[utoipa::path(post, path = "/v1/cards", tag = "wallet", request_body = CardRequest,
    responses((status = 200, body = Card), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn create_card(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    body: Bytes,
) -> Result<Json<Card>, Problem> {
    let wallet = signed.wallet()?;
    let CardRequest { id, user, city, phone, se_id } = parse(&body)?;
    let new = NewCard { id, user, city, phone, se_id, digest: signed.digest };
    Ok(Json(card(blocking(move || core.create_card(&wallet, new)).await?)))
}

/// A card of yours.
#[utoipa::path(get, path = "/v1/cards/{id}", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = Card), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_card(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<Card>, Problem> {
    let wallet = signed.wallet()?;
    Ok(Json(card(blocking(move || core.card(&wallet, &id)).await?)))
}

/// What moved on a card of yours, as far as the centre has seen it.
#[utoipa::path(get, path = "/v1/cards/{id}/history", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = History), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_history(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<History>, Problem> {
    let wallet = signed.wallet()?;
    let (loads, taps) = blocking(move || core.history(&wallet, &id)).await?;
    let load = |row: OrderRow| PastLoad {
        order: row.id,
        amount_fen: row.amount.get(),
        balance_fen: row.balance.map(u32::from),
        at: iso(row.changed_at),
    };
    let tap = |tap: HistoryTap| PastTap {
        at: iso(tap.at),
        city: tap.acquirer.to_string(),
        operator: tap.operator.to_string(),
        mode: tap.mode.to_string(),
        amount_fen: tap.amount.get(),
    };
    Ok(Json(History {
        loads: loads.into_iter().map(load).collect(),
        taps: taps.into_iter().map(tap).collect(),
    }))
}

/// Places an order, or gives the stored one if it is placed again.
#[utoipa::path(post, path = "/v1/orders", tag = "wallet", request_body = OrderRequest,
    responses((status = 200, body = Order), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn place_order(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    body: Bytes,
) -> Result<Json<Order>, Problem> {
    let wallet = signed.wallet()?;
    let request: OrderRequest = parse(&body)?;
    let paid = match request.paid {
        Some(paid) => Some(Payment { amount_fen: whole_fen(&paid.amount_fen)?, reference: paid.reference }),
        None => None,
    };
    let new = NewOrder {
        id: request.id,
        kind: request.kind.parse().map_err(|error| Problem::new(Code::BodyMalformed, error))?,
        card: request.card,
        plastic: request.plastic,
        to: request.to,
        amount_fen: request.amount_fen.as_ref().map(whole_fen).transpose()?,
        paid,
        channel: request.channel.map(|named| PaidFor { channel: named.id, order: named.order }),
        digest: signed.digest,
    };
    Ok(Json(blocking(move || core.place_order(&wallet, new).and_then(|row| whole(&core, row))).await?))
}

/// An order of yours.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = Order), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_order(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<Order>, Problem> {
    let wallet = signed.wallet()?;
    Ok(Json(blocking(move || core.order(&wallet, &id).and_then(|row| whole(&core, row))).await?))
}

/// Takes an order back whose money has not left. Again gives the same answer; an order in doubt is not taken back.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = Order), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn cancel_order(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<Order>, Problem> {
    let wallet = signed.wallet()?;
    Ok(Json(blocking(move || core.cancel(&wallet, &id).and_then(|row| whole(&core, row))).await?))
}

/// Your orders, oldest first, a page at a time.
#[utoipa::path(get, path = "/v1/orders", tag = "wallet", params(After),
    responses((status = 200, body = Orders), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_orders(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Orders>, Problem> {
    let wallet = signed.wallet()?;
    let Query(After { after }) = query?;
    let door = Arc::clone(&core);
    let (rows, more) = blocking(move || door.orders_after(&wallet, after)).await?;
    let next = if more { rows.last().map(|row| row.seq) } else { None };
    Ok(Json(Orders { orders: rows.into_iter().map(|row| order(row, core.texts())).collect(), next }))
}
