//! A channel's order in the wallet's app (渠道订单付款): what it is, and the payment password that pays it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Number;

use super::answer::parse;
use super::app::{Body, OrderShown, placed, whole_fen};
use super::blocking;
use crate::channel::ChannelOrder;
use crate::core::Core;
use crate::place::Payer;
use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pay {
    name: String,
    password: String,
    #[serde(default)]
    request: Option<String>,
    /// As the passenger has seen it.
    amount_fen: Number,
}

/// What the passenger is asked to pay.
pub(super) async fn see(
    State(core): State<Arc<Core>>,
    Path((channel, id)): Path<(String, String)>,
) -> Result<Json<ChannelOrder>, Problem> {
    blocking(move || core.channel_order(&channel, &id)).await.map(Json)
}

/// The passenger pays it.
pub(super) async fn pay(
    State(core): State<Arc<Core>>,
    Path((channel, id)): Path<(String, String)>,
    body: Body,
) -> Result<Json<OrderShown>, Problem> {
    let Pay { name, password, request, amount_fen } = parse(body)?;
    let amount = whole_fen(&amount_fen)?;
    placed(core, move |core| {
        core.pay_channel(&Payer::new(&name, &password).request(request.as_deref()), &channel, &id, amount)
    })
    .await
}
