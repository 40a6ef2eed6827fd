//! Faults of the centre and of the way to it (故障注入), and the tape of all that a wallet sent.
//!
//! Invariant: the layer writes down what came before anything is done with it; a fault is used up by one request.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

const BODY_MAX: usize = 1024 * 1024;
/// More than any run of the kit sends; a wallet that sends more is heard no longer.
const TAPE_MAX: usize = 100_000;

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Done, and answered so much later.
    Slow(Duration),
    /// Not done; a bare status, as a broken server or a proxy gives it.
    Status(u16),
    /// Done, and the connection breaks before the answer is there.
    Lost,
    /// Not done; a problem with this code.
    Problem(u16, &'static str),
    /// Done, and these fields are put over those of the answer.
    Says(Value),
    /// Done, and a list of orders is answered in pages of so many.
    Page(usize),
}

/// Which requests a fault waits for: a method, and how the path begins.
struct Planned {
    method: &'static str,
    path: String,
    fault: Fault,
}

/// A request as it came, and what the centre itself said to it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) signature_input: String,
    pub(crate) body: Vec<u8>,
    /// Of the centre; absent where a fault kept the request from it.
    pub(crate) answer: Option<(u16, Value)>,
}

/// The tape and the faults that wait.
#[derive(Default)]
pub(crate) struct Layer {
    tape: Mutex<Vec<Seen>>,
    planned: Mutex<VecDeque<Planned>>,
    /// Orders of earlier scenarios, which a wallet may go on sending by itself.
    older: Mutex<BTreeSet<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Layer {
    /// The next so many such requests meet the fault.
    pub(crate) fn plan(&self, method: &'static str, path: &str, fault: &Fault, times: usize) {
        let one = || Planned { method, path: path.to_owned(), fault: fault.clone() };
        locked(&self.planned).extend(std::iter::repeat_with(one).take(times));
    }

    /// A scenario begins: what was sent before is none of its business, and meets none of its faults.
    pub(crate) fn begin(&self) {
        self.calm();
        let tape = locked(&self.tape);
        locked(&self.older).extend(tape.iter().filter_map(|seen| posted_id(&seen.method, &seen.body)));
    }

    /// Whether an order, or a card, was sent before the scenario began.
    pub(crate) fn is_older(&self, id: &str) -> bool {
        locked(&self.older).contains(id)
    }

    /// From now on all goes well.
    pub(crate) fn calm(&self) {
        locked(&self.planned).clear();
    }

    /// What came since a place on the tape.
    pub(crate) fn since(&self, place: usize) -> Vec<Seen> {
        locked(&self.tape).get(place..).unwrap_or_default().to_vec()
    }

    /// How much is on the tape.
    pub(crate) fn place(&self) -> usize {
        locked(&self.tape).len()
    }

    fn next(&self, method: &str, path: &str) -> Option<Fault> {
        let mut planned = locked(&self.planned);
        let at = planned.iter().position(|plan| plan.method == method && path.starts_with(&plan.path))?;
        planned.remove(at).map(|plan| plan.fault)
    }

    fn write(&self, seen: Seen) {
        let mut tape = locked(&self.tape);
        if tape.len() < TAPE_MAX {
            tape.push(seen);
        }
    }
}

/// The centre behind the layer. Phones come through unhindered: what a link does to them is played at the card.
pub(crate) fn router(centre: Router, layer: Arc<Layer>) -> Router {
    Router::new().fallback(through).with_state((centre, layer))
}

async fn through(State((centre, layer)): State<(Router, Arc<Layer>)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (method, path) =
        (parts.method.to_string(), parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned());
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signature_input = header("signature-input").to_owned();
    let seen = |answer| Seen {
        method: method.clone(),
        path: path.clone(),
        signature_input,
        body: body.to_vec(),
        answer,
    };
    let is_older = posted_id(&method, &body).is_some_and(|id| layer.is_older(&id));
    let fault = if is_older { None } else { layer.next(&method, &path) };
    match fault {
        Some(Fault::Status(status)) => {
            layer.write(seen(None));
            return StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        Some(Fault::Problem(status, code)) => {
            layer.write(seen(None));
            return problem(status, code);
        }
        Some(Fault::Slow(_) | Fault::Lost | Fault::Says(_) | Fault::Page(_)) | None => {}
    }
    let Ok(answer) = centre.oneshot(Request::from_parts(parts, Body::from(body.clone()))).await;
    let (mut head, answer) = answer.into_parts();
    let Ok(bytes) = to_bytes(answer, usize::MAX).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    layer.write(seen(Some((head.status.as_u16(), said.clone()))));
    match fault {
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Some(Fault::Lost) => return Response::new(Body::new(Torn)),
        Some(fault @ (Fault::Says(_) | Fault::Page(_))) if head.status.is_success() => {
            let said = match fault {
                Fault::Page(most) => paged(said, most),
                Fault::Says(fields) => over(said, &fields),
                _ => said,
            };
            head.headers = HeaderMap::from_iter([(
                axum::http::header::CONTENT_TYPE,
                axum::http::HeaderValue::from_static("application/json"),
            )]);
            return Response::from_parts(head, Body::from(said.to_string()));
        }
        _ => {}
    }
    Response::from_parts(head, Body::from(bytes))
}

/// The id in a posted body.
fn posted_id(method: &str, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok().filter(|_| method == "POST")?;
    body["id"].as_str().map(str::to_owned)
}

/// An object with fields put over its own; anything else is left as it is.
fn over(mut said: Value, fields: &Value) -> Value {
    if let (Some(object), Some(fields)) = (said.as_object_mut(), fields.as_object()) {
        object.extend(fields.clone());
    }
    said
}

/// A shorter page, as a centre with smaller pages gives it; anything but a list of orders is left as it is.
fn paged(mut said: Value, most: usize) -> Value {
    let Some(orders) = said["orders"].as_array_mut().filter(|orders| orders.len() > most) else {
        return said;
    };
    orders.truncate(most);
    let next = orders.last().map(|order| order["cursor"].clone()).unwrap_or_default();
    said["next"] = next;
    said
}

fn problem(status: u16, code: &str) -> Response {
    let body = json!({
        "type": format!("urn:yikatong:problem:{code}"), "status": status, "code": code,
        "title": code, "detail": "played by the conformance kit",
        "title_zh": code, "detail_zh": "由认证工具模拟",
        "stored_digest": format!("sha-256=:{}:", "A".repeat(43) + "="),
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}

/// A body that breaks off.
struct Torn;

impl http_body::Body for Torn {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())))
    }
}
