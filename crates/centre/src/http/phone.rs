//! For phones: GlobalPlatform SERAM 2.0 as JSON.
//!
//! Standard: GP SERAM 2.0, `handshake` and `remoteManagement` (globalplatform.md section 3.2).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::Deserialize;
use tsm::seram::{HandshakeResponse, Orders};
use utoipa::IntoParams;

use super::answer::{ProblemDetails, parse};
use super::blocking;
use crate::core::Core;
use crate::problem::Problem;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct SessionId {
    /// From the wallet's order.
    session_id: String,
}

/// Begins a session, or begins it anew after a broken link.
#[utoipa::path(post, path = "/gp/seram/handshake", tag = "phone", params(SessionId),
    request_body(content = Object, description = "SERAM handshake request"),
    responses((status = 200, body = Object, description = "SERAM handshake response"),
              (status = "4XX", body = ProblemDetails)))]
pub(super) async fn handshake(
    State(core): State<Arc<Core>>,
    query: Result<Query<SessionId>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<HandshakeResponse>, Problem> {
    let Query(SessionId { session_id }) = query?;
    let request = parse(&body?)?;
    Ok(Json(blocking(move || core.handshake(&session_id, request)).await?))
}

/// Takes what became of the last script, gives the next. A report that comes again gets the same script again.
#[utoipa::path(post, path = "/gp/seram/remoteManagement", tag = "phone", params(SessionId),
    request_body(content = Object, description = "SERAM report of the local agent"),
    responses((status = 200, body = Object, description = "SERAM orders"), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn remote_management(
    State(core): State<Arc<Core>>,
    query: Result<Query<SessionId>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Orders>, Problem> {
    let Query(SessionId { session_id }) = query?;
    let report = parse(&body?)?;
    Ok(Json(blocking(move || core.report(&session_id, report)).await?))
}
