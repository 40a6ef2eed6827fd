//! How answers leave: problems as problem details in both languages.
//!
//! Standard: RFC 9457, problem details for HTTP APIs.
//! Invariant: every answer that is not a success carries a stable code, also those that no handler gave.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::texts::Texts;

#[derive(Debug, Serialize)]
struct ProblemDetails {
    #[serde(rename = "type")]
    kind: String,
    status: u16,
    code: &'static str,
    title: String,
    detail: String,
    title_zh: String,
    detail_zh: String,
}

impl ProblemDetails {
    fn new(problem: &Problem, texts: &Texts) -> Self {
        let (title, detail) = texts.problem(problem);
        ProblemDetails {
            kind: format!("urn:yikatong:problem:{}", problem.code),
            status: problem.code.status(),
            code: problem.code.as_str(),
            title: title.en,
            detail: detail.en,
            title_zh: title.zh,
            detail_zh: detail.zh,
        }
    }
}

/// The problem travels as it is; `in_words` writes it out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Code::BodyTooLarge.about(super::BODY_MAX)
        } else {
            Code::BodyMalformed.about(rejection.body_text())
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Code::QueryMalformed.about(rejection.body_text())
    }
}

/// Writes problems out, keeps answers out of caches.
pub(super) async fn in_words(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::info!(%method, path, code = %problem.code, "refused");
        response = (response.status(), Json(ProblemDetails::new(&problem, &core.texts))).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

pub(super) async fn unknown_path(request: Request) -> Problem {
    Code::UnknownPath.about(request.uri().path())
}

pub(super) async fn method_not_allowed(request: Request) -> Problem {
    Code::MethodNotAllowed.about(request.uri().path())
}

/// The body of a request as a `T`. serde's own words never quote what stood in a text field.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    body: Result<axum::body::Bytes, BytesRejection>,
) -> Result<T, Problem> {
    serde_json::from_slice(&body?).map_err(|error| Code::BodyMalformed.about(error))
}
