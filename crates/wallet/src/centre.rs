//! The centre as a wallet sees it (接入网关): its public API and nothing else.
//!
//! Standard: RFC 9457 for its problems; the messages are those of its OpenAPI document.
//! Invariant: an answer that cannot be read counts as none; only a problem that judged the order refuses it.

use model::{ChannelId, CityCode, PurseFen};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::signature::{Moment, Signer};
use crate::store::{Refusal, Session};
use crate::transport::{Method, Request, Transport, TransportError};

/// A city that issues cards, as the centre tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct City {
    /// Four digits, such as `2000`.
    pub code: CityCode,
    /// In English.
    pub name: String,
    /// In Chinese.
    pub name_zh: String,
    /// First day of interoperability; `None`: listed, not yet part of it.
    #[serde(default)]
    pub joined: Option<model::Date>,
    /// What a new card costs.
    pub issue_fee_fen: PurseFen,
    /// The most that a purse may hold.
    pub purse_limit_fen: PurseFen,
}

/// What moved on a card, newest first, as far as the centre has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Loads.
    pub loads: Vec<PastLoad>,
    /// Taps that were cleared.
    pub taps: Vec<PastTap>,
}

/// A load that a card has proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLoad {
    /// The order's id.
    pub order: String,
    /// How much.
    pub amount_fen: PurseFen,
    /// What the card held afterwards.
    #[serde(default)]
    pub balance_fen: Option<PurseFen>,
    /// Local time with its offset.
    pub at: String,
}

/// A tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTap {
    /// Local time with its offset.
    pub at: String,
    /// The reader's city.
    pub city: String,
    /// Who runs the reader.
    pub operator: String,
    /// `bus`, `metro` and so on.
    pub mode: String,
    /// How much.
    pub amount_fen: PurseFen,
}

/// Body of `POST /v1/cards`.
#[derive(Debug, Serialize)]
pub(crate) struct CardRequest<'a> {
    pub(crate) id: &'a str,
    pub(crate) user: &'a str,
    pub(crate) city: String,
    pub(crate) phone: &'a str,
    pub(crate) se_id: &'a str,
}

/// Body of `POST /v1/orders`.
#[derive(Debug, Serialize)]
pub(crate) struct OrderRequest<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) card: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plastic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount_fen: Option<PurseFen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paid: Option<Payment<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<ChannelRef<'a>>,
}

/// The order of a channel that a load pays.
#[derive(Debug, Serialize)]
pub(crate) struct ChannelRef<'a> {
    pub(crate) id: &'a ChannelId,
    pub(crate) order: &'a str,
}

/// What was taken from the passenger: the wallet signs that it holds it.
#[derive(Debug, Serialize)]
pub(crate) struct Payment<'a> {
    pub(crate) amount_fen: PurseFen,
    pub(crate) reference: &'a str,
}

/// The part of a card's answer that matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct CardAnswer {
    pub(crate) id: String,
    pub(crate) number: String,
}

/// An order as the centre has it.
#[derive(Debug, Deserialize)]
pub(crate) struct OrderAnswer {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) session: Session,
    #[serde(default)]
    pub(crate) card_number: Option<String>,
    pub(crate) amount_fen: PurseFen,
    #[serde(default)]
    pub(crate) balance_fen: Option<PurseFen>,
    #[serde(default)]
    pub(crate) problem: Option<Refusal>,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// What was asked for.
    Said(T),
    /// A problem of the centre's.
    Problem { status: u16, refusal: Refusal },
    /// Nothing that can be read: the centre may have done it or not.
    Silence(String),
}

/// Sends signed requests.
pub(crate) struct Client<'a> {
    pub(crate) signer: &'a Signer,
    pub(crate) transport: &'a dyn Transport,
}

impl Client<'_> {
    pub(crate) fn get<T: DeserializeOwned>(&self, moment: &Moment<'_>, path: &str) -> Answer<T> {
        self.send(moment, Method::Get, path, "")
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, moment: &Moment<'_>, path: &str, body: &str) -> Answer<T> {
        self.send(moment, Method::Post, path, body)
    }

    /// A daily file.
    pub(crate) fn put<T: DeserializeOwned>(&self, moment: &Moment<'_>, path: &str, body: &str) -> Answer<T> {
        self.send(moment, Method::Put, path, body)
    }

    fn send<T: DeserializeOwned>(
        &self,
        moment: &Moment<'_>,
        method: Method,
        path: &str,
        body: &str,
    ) -> Answer<T> {
        let mut headers = self.signer.headers(moment, method, path, body.as_bytes()).to_vec();
        headers.push(("accept".to_owned(), "application/json, application/problem+json".to_owned()));
        let content = match method {
            Method::Get => None,
            Method::Post => Some("application/json"),
            Method::Put => Some("text/csv"),
        };
        headers.extend(content.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        let request =
            Request { method, path_and_query: path.to_owned(), headers, body: body.as_bytes().to_vec() };
        let answer = match self.transport.send(request) {
            Ok(reply) => read(reply.status, &reply.body),
            Err(error @ (TransportError::Unreachable(_) | TransportError::NoAnswer(_))) => {
                Answer::Silence(error.to_string())
            }
        };
        match &answer {
            Answer::Said(_) => tracing::debug!(method = method.as_str(), path, "the centre answered"),
            Answer::Problem { status, refusal } => {
                tracing::info!(
                    method = method.as_str(),
                    path,
                    status,
                    code = refusal.code,
                    "the centre objects"
                );
            }
            Answer::Silence(why) => {
                tracing::warn!(method = method.as_str(), path, why, "no word of the centre")
            }
        }
        answer
    }
}

fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Answer<T> {
    if (200..300).contains(&status) {
        return match serde_json::from_slice(body) {
            Ok(said) => Answer::Said(said),
            Err(error) => Answer::Silence(format!("status {status}, but its body cannot be read: {error}")),
        };
    }
    match serde_json::from_slice(body) {
        Ok(refusal) => Answer::Problem { status, refusal },
        Err(_) => Answer::Silence(format!("status {status} without a problem's code")),
    }
}

/// Whether a problem says that the order is not there and will not be.
///
/// The centre gives a stored order before it judges anything but the signature; so a judgement means that none is
/// stored. A problem with the signature, the speed or the store judges nothing: it only proves something the first
/// time, when nothing was sent before.
pub(crate) fn is_judgement(status: u16, code: &str, first: bool) -> bool {
    match (status, code) {
        // Either says that something of ours is there already.
        (_, "id-taken" | "signature-replayed") => false,
        (_, "unknown-path" | "method-not-allowed") | (401 | 403, _) => first,
        (400 | 404 | 409 | 413 | 422, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_judgement_refuses_an_order() {
        for (status, code, first, judged) in [
            (422, "unknown-city", false, true),
            (404, "unknown-card", false, true),
            (409, "card-already-issued", false, true),
            (400, "body-malformed", false, true),
            (409, "id-taken", true, false),
            (401, "signature-replayed", true, false),
            (401, "signature-clock", true, true),
            (401, "signature-clock", false, false),
            (403, "not-yours", false, false),
            (404, "unknown-path", false, false),
            (408, "too-slow", true, false),
            (421, "tls-wanted", false, false),
            (429, "too-many-requests", true, false),
            (500, "internal", true, false),
            (503, "store-failed", true, false),
        ] {
            assert_eq!(is_judgement(status, code, first), judged, "{status} {code} first: {first}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_silence() {
        assert!(matches!(read::<CardAnswer>(200, b"<html>"), Answer::Silence(_)));
        assert!(matches!(read::<CardAnswer>(200, b"{\"id\":1}"), Answer::Silence(_)));
        assert!(matches!(read::<CardAnswer>(502, b"Bad gateway"), Answer::Silence(_)));
        assert!(matches!(read::<CardAnswer>(404, b"{\"code\":\"unknown-card\"}"), Answer::Problem { .. }));
    }
}
