//! For wallets (第三方支付): a move whose value has left the old card goes on to another phone, or is paid back.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{ProblemDetails, parse};
use super::blocking;
use super::signed::Signed;
use super::wallet::{Order, whole};
use crate::core::Core;
use crate::problem::Problem;
use crate::store::{MovePhase, MoveRow, OrderRow, OrderState};

/// Where the value of a `move` is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Moving {
    /// Your id of the old card.
    from: String,
    /// Your id of the new card.
    to: String,
    /// `old-card`, `order`, `new-card` or `refunded`; where the order is in doubt, it may be there or one further.
    value: String,
    /// What the old card has proven to have left it.
    out_fen: u32,
}

impl Moving {
    pub(super) fn of(moving: MoveRow, order: &OrderRow) -> Self {
        let value = match (moving.phase, order.state) {
            (MovePhase::Out, _) => "old-card",
            (MovePhase::In, OrderState::Done) => "new-card",
            (MovePhase::In, _) => "order",
            (MovePhase::Refunding | MovePhase::Refunded, _) => "refunded",
        };
        Moving { from: moving.from, to: moving.to, value: value.to_owned(), out_fen: moving.amount.get() }
    }
}

/// The card that gets the value instead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveOn {
    /// Your id of a planned card of the same passenger and city, on another phone than the old card's.
    to: String,
}

/// Sends the value that stands in a move on to another new card. Again gives the same answer.
#[utoipa::path(post, path = "/v1/orders/{id}/move-on", tag = "wallet", params(("id" = String, Path)),
    request_body = MoveOn,
    responses((status = 200, body = Order), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn move_on(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Order>, Problem> {
    let wallet = signed.wallet()?;
    let MoveOn { to } = parse(&body)?;
    Ok(Json(blocking(move || core.move_on(&wallet, &id, &to).and_then(|row| whole(&core, row))).await?))
}

/// Has the value that stands in a move paid back through you; the order ends as `refused` by `move-refunded`. Again gives
/// the same answer.
#[utoipa::path(post, path = "/v1/orders/{id}/refund", tag = "wallet", params(("id" = String, Path)),
    responses((status = 200, body = Order), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn refund_move(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<Order>, Problem> {
    let wallet = signed.wallet()?;
    Ok(Json(blocking(move || core.refund_move(&wallet, &id).and_then(|row| whole(&core, row))).await?))
}
