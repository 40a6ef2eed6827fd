//! A request's body, whole and in time (请求正文): read before any handler runs, or not at all.
//!
//! Invariant: who sends slowly is cut off by the clock, whatever trickles; who sends too much, by the count.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::answer::unread;
use crate::problem::{Code, Problem};

/// How much of a body a door takes, and in what time.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimit {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// The whole body.
pub(super) async fn whole(request: Request, limit: BodyLimit) -> Result<Bytes, Problem> {
    let late = |_| Code::BodyTooSlow.about(limit.time.as_secs());
    let body = tokio::time::timeout(limit.time, Bytes::from_request(request, &())).await.map_err(late)?;
    body.map_err(|rejection| unread(&rejection, limit.bytes))
}

/// Reads the body before the handler runs.
pub(super) async fn first_the_body(
    State(limit): State<BodyLimit>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let limited = Request::from_parts(parts.clone(), body);
    let body = whole(limited, limit).await?;
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}
