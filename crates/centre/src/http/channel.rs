//! For channels (渠道): a load that a wallet is to pay; and for wallets, what they are asked to pay.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{ProblemDetails, parse};
use super::signed::Signed;
use super::wallet::{After, Order, order, whole_fen};
use super::{blocking, iso};
use crate::channel::{Asked, NewChannelOrder};
use crate::core::{Caller, Core};
use crate::problem::{Code, Problem};
use crate::store::Seen;

/// A load of the card that is held to the phone. The wallet pays it by an order of kind `load` that names it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelOrderRequest {
    /// Yours, good for ever.
    id: String,
    /// The wallet that is to pay.
    wallet: String,
    /// The card's city.
    city: String,
    /// The card's number, 16 hex digits: no other card is loaded.
    card_number: String,
    #[schema(value_type = i64)]
    amount_fen: serde_json::Number,
}

/// What a channel asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelOrderBody {
    id: String,
    channel: String,
    wallet: String,
    city: String,
    card_number: String,
    amount_fen: u32,
    /// The channel's, owed once the card has proven the load.
    fee_fen: i64,
    /// `wallet` or `issuer`.
    fee_borne_by: String,
    /// `awaiting_payment`, `expired` or `paid`.
    state: String,
    placed_at: String,
    /// The last second in which the wallet may pay it.
    pay_by: String,
    /// The wallet's order that has paid it, with the session in which the card is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
    /// For `after`.
    cursor: u64,
}

/// A page of channels' orders, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelOrders {
    orders: Vec<ChannelOrderBody>,
    /// For the next page's `after`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

fn seen(signed: Signed) -> Result<Seen, Problem> {
    match signed.caller {
        Caller::Channel(channel) => Ok(Seen::By(channel)),
        Caller::Wallet(wallet) => Ok(Seen::Under(wallet)),
        other => Err(Code::NotYours.about(other)),
    }
}

fn body(core: &Core, Asked { row, order: paid }: Asked) -> ChannelOrderBody {
    let state = match row.paid_as {
        Some(_) => "paid",
        None if row.pay_by < core.now() => "expired",
        None => "awaiting_payment",
    };
    ChannelOrderBody {
        id: row.id,
        channel: row.channel.to_string(),
        wallet: row.wallet.to_string(),
        city: row.city.to_string(),
        card_number: row.number.raw(),
        amount_fen: row.amount.get(),
        fee_fen: row.fee.get(),
        fee_borne_by: row.borne_by.as_str().to_owned(),
        state: state.to_owned(),
        placed_at: iso(row.placed_at),
        pay_by: iso(row.pay_by),
        order: paid.map(|paid| order(paid, core.texts())),
        cursor: row.seq,
    }
}

/// Asks for a load that a wallet is to pay, or gives what is stored if it is asked for again.
#[utoipa::path(post, path = "/v1/channel-orders", tag = "channel", request_body = ChannelOrderRequest,
    responses((status = 200, body = ChannelOrderBody), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn ask_for_load(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    bytes: Bytes,
) -> Result<Json<ChannelOrderBody>, Problem> {
    let channel = signed.channel()?;
    let ChannelOrderRequest { id, wallet, city, card_number, amount_fen } = parse(&bytes)?;
    let amount_fen = whole_fen(&amount_fen)?;
    let new = NewChannelOrder { id, wallet, city, card_number, amount_fen, digest: signed.digest };
    Ok(Json(blocking(move || core.ask_for_load(&channel, new).map(|asked| body(&core, asked))).await?))
}

/// An order of a channel: your own, or one that you, a wallet, may pay.
#[utoipa::path(get, path = "/v1/channel-orders/{channel}/{id}", tag = "channel",
    params(("channel" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ChannelOrderBody), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_channel_order(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path((channel, id)): Path<(String, String)>,
) -> Result<Json<ChannelOrderBody>, Problem> {
    let seen = seen(signed)?;
    let work = move || core.channel_order(&seen, &channel, &id).map(|asked| body(&core, asked));
    Ok(Json(blocking(work).await?))
}

/// Orders of channels, oldest first, a page at a time: your own, or those that you, a wallet, were asked to pay.
#[utoipa::path(get, path = "/v1/channel-orders", tag = "channel", params(After),
    responses((status = 200, body = ChannelOrders), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_channel_orders(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<ChannelOrders>, Problem> {
    let seen = seen(signed)?;
    let Query(After { after }) = query?;
    let door = Arc::clone(&core);
    let (rows, more) = blocking(move || door.channel_orders_after(&seen, after)).await?;
    let next = if more { rows.last().map(|asked| asked.row.seq) } else { None };
    Ok(Json(ChannelOrders { orders: rows.into_iter().map(|asked| body(&core, asked)).collect(), next }))
}
