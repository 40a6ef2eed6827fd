//! The links of the simulated network: every request goes through the centre's own HTTP router, in process.
//!
//! Invariant: what a wallet, a phone or a back end sends here is byte for byte what it would send over a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use centre::http::{Target, demo_signing_key, sign};
use clearing::cux::{self, CuxFile, FileName};
use model::{CardTime, Clock, Entropy, TapRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smartcard::Channel;
use tower::ServiceExt;
use tsm::agent::Agent;
use tsm::seram::{AgentReport, HandshakeResponse, Orders};

use crate::SimError;

const OK: u16 = 200;
/// More than any answer has.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// A session ends long before; more turns than this are a defect, not patience.
const TURNS_MAX: u32 = 64;

/// One router, and the runtime that its handlers run on.
#[derive(Clone)]
pub struct Links {
    router: Router,
    runtime: std::sync::Arc<tokio::runtime::Runtime>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// How a phone's session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The centre said stop; its word to the passenger is the order's state.
    Stopped(String),
    /// The card left before the end.
    CardGone,
}

impl Links {
    /// Links to `router`.
    ///
    /// # Errors
    /// [`SimError::Link`] if no runtime starts.
    pub fn new(router: Router) -> Result<Self, SimError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| SimError::Link(error.to_string()))?;
        Ok(Links { router, runtime: std::sync::Arc::new(runtime) })
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// [`SimError::Link`] for a request that is none, or an answer that breaks off.
    pub fn send(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Answer, SimError> {
        let link = |error: String| SimError::Link(format!("{method} {path_and_query}: {error}"));
        let mut request = Request::builder().method(method).uri(path_and_query).header("host", "centre");
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(Body::from(body)).map_err(|error| link(error.to_string()))?;
        self.runtime.block_on(async {
            let answer =
                self.router.clone().oneshot(request).await.map_err(|error| link(error.to_string()))?;
            let status = answer.status().as_u16();
            let body =
                to_bytes(answer.into_body(), ANSWER_MAX).await.map_err(|error| link(error.to_string()))?;
            Ok(Answer { status, body: body.to_vec() })
        })
    }

    /// Sends a request signed with the demo key of `keyid`, and reads a good answer as JSON.
    ///
    /// # Errors
    /// [`SimError::Link`] with the centre's problem, if its answer is one.
    pub fn signed<T: DeserializeOwned>(
        &self,
        keyid: &str,
        (method, path): (&str, &str),
        body: Vec<u8>,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Result<T, SimError> {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let target = Target { method, path, query: None };
        let created = clock.now().unix_seconds();
        let signed = sign(&demo_signing_key(keyid), keyid, &hex::encode(nonce), created, target, &body)
            .map_err(|error| SimError::Link(error.to_string()))?;
        let headers = [
            ("content-digest".to_owned(), signed.content_digest),
            ("signature-input".to_owned(), signed.signature_input),
            ("signature".to_owned(), signed.signature),
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ];
        let answer = self.send(method, path, &headers, body)?;
        if answer.status != OK {
            return Err(SimError::Link(format!("{path}: {}", text(&answer))));
        }
        read(path, &answer.body)
    }

    /// A city's back end uploads taps; gives the centre's receipt.
    ///
    /// # Errors
    /// [`SimError::Link`] if the taps fit into no file, or the centre refuses it.
    pub fn upload(
        &self,
        name: FileName,
        created: CardTime,
        taps: Vec<TapRecord>,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Result<Value, SimError> {
        let file = cux::write_taps(&CuxFile::new(name, created, 1, taps));
        let file = file.map_err(|error| SimError::Link(error.to_string()))?;
        let keyid = format!("city:{}", name.from);
        self.signed(&keyid, ("PUT", &format!("/v1/files/{name}")), file, clock, entropy)
    }

    /// A phone's agent carries out a session on `card`.
    ///
    /// # Errors
    /// [`SimError::Link`] if the centre answers with a problem.
    pub fn run_session(
        &self,
        session: &str,
        agent: &Agent,
        card: &mut dyn Channel,
    ) -> Result<SessionEnd, SimError> {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let mut post = |path: &str, body: Vec<u8>| {
            let answer = self.send("POST", path, &headers, body)?;
            if answer.status == OK {
                Ok(answer.body)
            } else {
                Err(SimError::Link(format!("{path}: {}", text(&answer))))
            }
        };
        carry_out(&mut post, session, agent, card)
    }
}

/// Posts a JSON body to a path of the centre; gives the body of a good answer.
pub type Post<'a> = dyn FnMut(&str, Vec<u8>) -> Result<Vec<u8>, SimError> + 'a;

/// Carries out a session: posts the agent's reports and runs what comes back, until the centre says stop or the card
/// has left. `post` takes a path and a JSON body, and gives the body of a good answer.
///
/// # Errors
/// What `post` says, or [`SimError::Link`] for an answer that is not SERAM.
pub fn carry_out(
    post: &mut Post<'_>,
    session: &str,
    agent: &Agent,
    card: &mut dyn Channel,
) -> Result<SessionEnd, SimError> {
    let path = format!("/gp/seram/handshake?sessionId={session}");
    let _: HandshakeResponse = read(&path, &post(&path, written(&agent.handshake())?)?)?;
    let path = format!("/gp/seram/remoteManagement?sessionId={session}");
    let mut report = AgentReport::polling();
    for _ in 0..TURNS_MAX {
        let orders: Orders = read(&path, &post(&path, written(&report)?)?)?;
        let done = agent.run(&orders, card);
        if done.stop {
            return Ok(SessionEnd::Stopped(done.notices.join(" ")));
        }
        let gone = done.report.local_agent_status.error_msg.is_some();
        report = done.report;
        if gone {
            // What the card said last still reaches the centre; then there is nothing left to run.
            post(&path, written(&report)?)?;
            return Ok(SessionEnd::CardGone);
        }
    }
    Err(SimError::Link(format!("{path}: the session does not end")))
}

fn written(message: &impl Serialize) -> Result<Vec<u8>, SimError> {
    serde_json::to_vec(message).map_err(|error| SimError::Link(error.to_string()))
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, SimError> {
    serde_json::from_slice(body).map_err(|error| SimError::Link(format!("{path}: {error}")))
}

fn text(answer: &Answer) -> String {
    format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
}
