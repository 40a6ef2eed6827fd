//! For wallets (第三方支付): webhooks, their log, and the same events to pull.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use model::{CardTime, WalletId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::answer::{ProblemDetails, parse};
use super::signed::Signed;
use super::wallet::After;
use super::{blocking, iso};
use crate::core::Core;
use crate::hooks::{Delivery, Hook, NewHook, event_id};
use crate::problem::Problem;
use crate::store::Told;

/// Where events are to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookRequest {
    /// An https address outside private networks.
    url: String,
    /// Only these types, such as `order.done`; leave it out for all.
    #[serde(default)]
    types: Vec<String>,
}

/// From which point events are to be sent anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayRequest {
    /// A cursor; 0 for everything since the beginning.
    after: u64,
}

/// A webhook of yours.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhook {
    id: String,
    url: String,
    types: Vec<String>,
    /// `active`, or `gone` after your receiver answered 410; PUT it again to go on.
    state: String,
    /// Events up to here are sent or waiting.
    upto: u64,
    /// Deliveries that are not accepted yet.
    waiting: u64,
    /// Deliveries that were tried for a day; replay to have them again.
    given_up: u64,
    created_at: String,
    /// `whsec_` and base64. Told once: when it is made, and when it is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// An event, as a webhook carries it, with its id and cursor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventTold {
    /// `webhook-id` of the message.
    id: String,
    cursor: u64,
    /// Such as `order.done`, `order.refused`, `order.in_doubt`, `card.issued`.
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    /// Ids and states, enough to know what to ask for.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<EventTold>,
    /// `after` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// How the sending of an event stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryStatus {
    /// `webhook-id` of the message.
    event: String,
    cursor: u64,
    #[serde(rename = "type")]
    kind: String,
    /// `waiting`, `accepted` or `given_up`.
    state: String,
    attempts: Vec<AttemptMade>,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttemptMade {
    attempt: u32,
    at: String,
    /// What your receiver answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer; a problem code where the centre itself refused the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of the delivery log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<DeliveryStatus>,
    /// `after` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

fn webhook(hook: Hook) -> Webhook {
    Webhook {
        id: hook.row.id,
        url: hook.row.url,
        types: hook.row.types,
        state: hook.row.state.as_str().to_owned(),
        upto: hook.row.upto,
        waiting: hook.waiting,
        given_up: hook.given_up,
        created_at: iso(hook.row.created_at),
        secret: hook.secret,
    }
}

fn event(wallet: &WalletId, told: Told) -> EventTold {
    EventTold {
        id: event_id(wallet, told.seq),
        cursor: told.seq,
        kind: told.kind,
        timestamp: iso(told.at),
        data: RawValue::from_string(told.data).unwrap_or_else(|_| RawValue::NULL.to_owned()),
    }
}

fn status(wallet: &WalletId, delivery: Delivery) -> DeliveryStatus {
    let made = |attempt: crate::store::AttemptRow| AttemptMade {
        attempt: attempt.number,
        at: iso(attempt.at),
        status: attempt.status,
        error: attempt.error,
        next: attempt.next_at.map(|at: CardTime| iso(at)),
    };
    DeliveryStatus {
        event: event_id(wallet, delivery.row.seq),
        cursor: delivery.row.seq,
        kind: delivery.event.kind,
        state: delivery.row.state.as_str().to_owned(),
        attempts: delivery.log.into_iter().map(made).collect(),
    }
}

/// What became of your orders and cards, oldest first, a page at a time, from any point.
#[utoipa::path(get, path = "/v1/events", tag = "wallet", params(After),
    responses((status = 200, body = Events), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_events(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Events>, Problem> {
    let wallet = signed.wallet()?;
    let Query(After { after }) = query?;
    let of = wallet.clone();
    let page = blocking(move || core.events_after(&of, after)).await?;
    let next = page.rows.last().filter(|_| page.more).map(|told| told.seq);
    Ok(Json(Events { events: page.rows.into_iter().map(|told| event(&wallet, told)).collect(), next }))
}

/// Your webhooks.
#[utoipa::path(get, path = "/v1/webhooks", tag = "wallet",
    responses((status = 200, body = Vec<Webhook>), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_webhooks(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
) -> Result<Json<Vec<Webhook>>, Problem> {
    let wallet = signed.wallet()?;
    let hooks = blocking(move || core.hooks_of(&wallet)).await?;
    Ok(Json(hooks.into_iter().map(webhook).collect()))
}

/// Makes a webhook, or changes where it points. It begins with the events that come from then on.
#[utoipa::path(put, path = "/v1/webhooks/{id}", tag = "wallet", params(("id" = String, Path)),
    request_body = WebhookRequest,
    responses((status = 200, body = Webhook), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn put_webhook(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Webhook>, Problem> {
    let wallet = signed.wallet()?;
    let WebhookRequest { url, types } = parse(&body)?;
    let new = NewHook { id, url, types };
    Ok(Json(webhook(blocking(move || core.put_hook(&wallet, new)).await?)))
}

/// Forgets a webhook with its log.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "wallet", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn delete_webhook(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let wallet = signed.wallet()?;
    blocking(move || core.delete_hook(&wallet, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new secret. For a day messages carry two signatures, so that you can change over in peace.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = Webhook), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn rotate_secret(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<Webhook>, Problem> {
    let wallet = signed.wallet()?;
    Ok(Json(webhook(blocking(move || core.rotate_hook(&wallet, &id)).await?)))
}

/// Sends the events after a cursor again, in order; also those that were given up, and those from before it was made.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "wallet", params(("id" = String, Path)),
    request_body = ReplayRequest,
    responses((status = 200, body = Webhook), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn replay(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Webhook>, Problem> {
    let wallet = signed.wallet()?;
    let ReplayRequest { after } = parse(&body)?;
    Ok(Json(webhook(blocking(move || core.replay_hook(&wallet, &id, after)).await?)))
}

/// The log of a webhook: each event with its attempts.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "wallet",
    params(("id" = String, Path), After),
    responses((status = 200, body = Deliveries), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_deliveries(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<Deliveries>, Problem> {
    let wallet = signed.wallet()?;
    let Query(After { after }) = query?;
    let of = wallet.clone();
    let page = blocking(move || core.deliveries(&of, &id, after)).await?;
    let next = page.rows.last().filter(|_| page.more).map(|delivery| delivery.row.seq);
    let rows = page.rows.into_iter().map(|delivery| status(&wallet, delivery));
    Ok(Json(Deliveries { deliveries: rows.collect(), next }))
}
