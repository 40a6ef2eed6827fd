//! How answers leave: problems as problem details in both languages, nothing later than the time allowed.
//!
//! Standard: RFC 9457, problem details for HTTP APIs.
//! Invariant: every answer that is not a success carries a stable code, also those that no handler gave.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::texts::Texts;

/// A request that takes longer is given up; it may be repeated under its id.
const TIME_ALLOWED: Duration = Duration::from_secs(120);

/// Problem details (RFC 9457), with the words of both languages.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ProblemDetails {
    /// `urn:yikatong:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    pub(super) code: String,
    /// In English.
    title: String,
    /// In English.
    detail: String,
    /// In Chinese.
    title_zh: String,
    /// In Chinese.
    detail_zh: String,
    /// SHA-256, in hex, of the body that is already stored under the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_digest: Option<String>,
}

/// Why an order was refused: a stable code with its words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Refusal {
    /// The stable code.
    code: String,
    /// In English.
    title: String,
    /// In English.
    detail: String,
    /// In Chinese.
    title_zh: String,
    /// In Chinese.
    detail_zh: String,
}

impl ProblemDetails {
    pub(super) fn new(problem: &Problem, texts: &Texts) -> Self {
        let (title, detail) = texts.problem(problem);
        ProblemDetails {
            kind: format!("urn:yikatong:problem:{}", problem.code),
            status: problem.code.status(),
            code: problem.code.to_string(),
            title: title.en,
            detail: detail.en,
            title_zh: title.zh,
            detail_zh: detail.zh,
            stored_digest: problem.stored.map(hex::encode),
        }
    }
}

impl Refusal {
    pub(super) fn new(code: &str, about: &str, texts: &Texts) -> Self {
        let (title, detail) = texts.refusal(code, about);
        Refusal {
            code: code.to_owned(),
            title: title.en,
            detail: detail.en,
            title_zh: title.zh,
            detail_zh: detail.zh,
        }
    }
}

/// The problem travels as it is; the layer `in_words` writes it out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A body that could not be read, where at most `most` bytes are taken.
pub(super) fn unread(rejection: &BytesRejection, most: usize) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, most),
        _ => Problem::new(Code::BodyMalformed, rejection.body_text()),
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        unread(&rejection, super::BODY_MAX)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::new(Code::QueryMalformed, rejection.body_text())
    }
}

/// Gives a request its time and no more.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_ALLOWED, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Code::TooSlow, TIME_ALLOWED.as_secs()).into_response(),
    }
}

/// Writes problems out, logs every request, keeps answers out of caches.
pub(super) async fn in_words(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), open_part(request.uri().path()));
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => {
            tracing::info!(%method, path, status, code = %problem.code, "refused");
            let details = ProblemDetails::new(&problem, core.texts());
            response = (response.status(), Json(details)).into_response();
            let kind = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            if let Some(seconds) = problem.retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
        }
        None => tracing::debug!(%method, path, status, "answered"),
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The part of a path that may stand in a log: what comes after it may be a card's number.
fn open_part(path: &str) -> String {
    path.split('/').take(3).collect::<Vec<_>>().join("/")
}

pub(super) async fn unknown_path(request: Request) -> Problem {
    Problem::new(Code::UnknownPath, request.uri().path())
}

pub(super) async fn method_not_allowed(request: Request) -> Problem {
    Problem::new(Code::MethodNotAllowed, request.uri().path())
}

/// The body of a request as a `T`.
pub(super) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    super::json::check(body)?;
    serde_json::from_slice(body).map_err(|error| Problem::new(Code::BodyMalformed, error))
}
