//! What a webhook carries (消息): a small body, and headers by which the receiver knows whose it is.
//!
//! Standard: Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` with `v1,` HMAC-SHA256 over
//! `id.timestamp.body`; secrets as `whsec_` and base64.
//! Invariant: an event has the same id and the same body each time it is sent; only the time and the signature differ.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model::WalletId;
use sha2::Sha256;

use crate::store::Told;

/// Bytes of a secret.
pub(super) const SECRET_BYTES: usize = 32;

/// A secret as the wallet gets it, once.
pub(super) fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

/// The id of an event: the wallet's, then its cursor.
pub(crate) fn event_id(wallet: &WalletId, seq: u64) -> String {
    format!("evt_{wallet}_{seq}")
}

/// The body: `type`, `timestamp` and `data`, as they were written down.
pub(super) fn body(event: &Told) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let at = crate::http::iso(event.at);
    format!(r#"{{"type":{},"timestamp":{},"data":{}}}"#, text(&event.kind), text(&at), event.data)
}

/// `webhook-signature`: one for each secret that is valid now.
pub(super) fn signature(secrets: &[Vec<u8>], id: &str, timestamp: i64, body: &str) -> String {
    let sign = |secret: &Vec<u8>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vectors {
        vector: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
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
    fn signatures_are_those_of_the_published_libraries() {
        let text = include_str!("../../../../vectors/hooks/signature.toml");
        for vector in toml::from_str::<Vectors>(text).unwrap().vector {
            let secrets: Vec<Vec<u8>> = vector
                .secrets
                .iter()
                .map(|secret| STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap())
                .collect();
            let made = signature(&secrets, &vector.id, vector.timestamp, &vector.body);
            assert_eq!(made, vector.signature, "{}", vector.why);
            assert_eq!(shown(&secrets[0]), vector.secrets[0]);
            let other = signature(&secrets, &vector.id, vector.timestamp ^ 1, &vector.body);
            assert_ne!(other, vector.signature, "{}", vector.why);
        }
    }
}
