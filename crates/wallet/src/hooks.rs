//! Hearing of orders (接收推送): the centre's webhook wakes the wallet, which then asks as it always does.
//!
//! Standard: Standard Webhooks: `v1` signatures by HMAC-SHA256 over `id.timestamp.body`.
//! Invariant: a webhook moves no money. Its body only says which order to ask for; the centre's signed answer decides.
//! What is lost, doubled or late costs nothing, since the wallet also asks by itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::centre::Answer;
use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::store::{hook_secret, keep_secret, note_heard, was_heard};

/// Our name of the webhook at the centre.
const HOOK: &str = "main";
/// How far a message's time may be from ours.
const WINDOW_SECONDS: i64 = 300;
/// How long an event is known to have been acted on: longer than the centre sends it again by itself.
const MEMORY_SECONDS: i64 = 2 * 24 * 3600;

/// The headers of a message.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

#[derive(Deserialize)]
struct Webhook {
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: About,
}

#[derive(Deserialize)]
struct About {
    id: String,
}

impl Core {
    /// Tells the centre to send events to `url`. Where it has the webhook but we have no secret, a new one is made.
    ///
    /// # Errors
    /// [`Code::CentreSilent`] or [`Code::CentreRefused`]; the wallet then goes on asking by itself.
    pub fn register_hook(&self, url: &str) -> Result<(), Problem> {
        let path = format!("/v1/webhooks/{HOOK}");
        let body = serde_json::json!({ "url": url }).to_string();
        let put = self.with_centre(|client, moment| client.put(moment, &path, &body));
        let secret = match said::<Webhook>(put)?.secret {
            Some(secret) => Some(secret),
            None if hook_secret(self.state().store.read(), HOOK)?.is_some() => None,
            None => {
                let path = format!("{path}/secret");
                said::<Webhook>(self.with_centre(|client, moment| client.post(moment, &path, "")))?.secret
            }
        };
        match secret {
            Some(secret) => self.state().store.write(|db| Ok(keep_secret(db, HOOK, &secret)?)),
            None => Ok(()),
        }
    }

    /// Takes a message: verifies it, and asks the centre about the order that it names. Again is no error and does
    /// nothing.
    ///
    /// # Errors
    /// [`Code::HookWrong`] or [`Code::HookClock`]; nothing was done.
    pub fn hear(&self, told: Told<'_>, body: &[u8]) -> Result<(), Problem> {
        let now = self.now();
        let secret = hook_secret(self.state().store.read(), HOOK)?;
        let secret = secret.ok_or_else(|| Code::HookWrong.about("secret"))?;
        verify(&secret, told, body, now.unix_seconds())?;
        if was_heard(self.state().store.read(), told.id)? {
            return Ok(());
        }
        let event: Event = serde_json::from_slice(body).map_err(|error| Code::BodyMalformed.about(error))?;
        if event.kind.starts_with("order.") {
            match self.refresh(&event.data.id) {
                Err(problem) if problem.code != Code::UnknownOrder => return Err(problem),
                Ok(_) | Err(_) => {} // an order that is not ours is none of our business
            }
        }
        let oldest = now.plus_seconds(MEMORY_SECONDS.wrapping_neg());
        self.state().store.write(|db| Ok(note_heard(db, told.id, now, oldest)?))
    }
}

fn said<T>(answer: Answer<T>) -> Result<T, Problem> {
    match answer {
        Answer::Said(said) => Ok(said),
        Answer::Problem { refusal, .. } => Err(Code::CentreRefused.about(refusal.code)),
        Answer::Silence(why) => Err(Code::CentreSilent.about(why)),
    }
}

/// One good signature is enough: while a secret is changed there are two.
fn verify(secret: &str, told: Told<'_>, body: &[u8], now: i64) -> Result<(), Problem> {
    let wrong = |what: &str| Code::HookWrong.about(what);
    let key = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let key = key.ok_or_else(|| wrong("secret"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| wrong("secret"))?;
    mac.update(format!("{}.{}.", told.id, told.timestamp).as_bytes());
    mac.update(body);
    let good = |text: &str| {
        let made = text.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        made.is_some_and(|made| mac.clone().verify_slice(&made).is_ok()) // constant time
    };
    if !told.signature.split(' ').any(good) {
        return Err(wrong("webhook-signature"));
    }
    let sent: i64 = told.timestamp.parse().map_err(|_| wrong("webhook-timestamp"))?;
    let away = now.saturating_sub(sent);
    if away.unsigned_abs() > WINDOW_SECONDS.unsigned_abs() {
        return Err(Code::HookClock.about(away));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vector: Vec<Vector>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        why: String,
        #[serde(rename = "source")]
        _source: String,
        secrets: Vec<String>,
        id: String,
        timestamp: i64,
        body: String,
        signature: String,
    }

    #[test]
    fn published_signatures_verify_under_each_secret_and_their_neighbours_do_not() {
        let text = include_str!("../../../vectors/hooks/signature.toml");
        for vector in toml::from_str::<Vectors>(text).unwrap().vector {
            let timestamp = vector.timestamp.to_string();
            let told = Told { id: &vector.id, timestamp: &timestamp, signature: &vector.signature };
            let code = |secret: &str, told: Told<'_>, body: &str, now: i64| {
                verify(secret, told, body.as_bytes(), now).err().map(|problem| problem.code)
            };
            for secret in &vector.secrets {
                let (body, at) = (vector.body.as_str(), vector.timestamp);
                assert_eq!(code(secret, told, body, at), None, "{}", vector.why);
                assert_eq!(code(secret, told, body, at + 300), None);
                assert_eq!(code(secret, told, body, at + 301), Some(Code::HookClock));
                assert_eq!(code(secret, told, body, at - 301), Some(Code::HookClock));
                assert_eq!(code(secret, told, &format!("{body} "), at), Some(Code::HookWrong));
                assert_eq!(code(secret, Told { id: "evt_other", ..told }, body, at), Some(Code::HookWrong));
                let later = (at + 1).to_string();
                assert_eq!(code(secret, Told { timestamp: &later, ..told }, body, at), Some(Code::HookWrong));
                assert_eq!(code(secret, Told { signature: "", ..told }, body, at), Some(Code::HookWrong));
            }
            let other = format!("whsec_{}", STANDARD.encode([1; 32]));
            assert_eq!(code(&other, told, &vector.body, vector.timestamp), Some(Code::HookWrong));
        }
    }
}
