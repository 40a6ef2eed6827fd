//! Signing requests (报文签名): the centre sees who sent them, untouched, now, and once.
//!
//! Standard: RFC 9421, HTTP Message Signatures, algorithm `ed25519`; RFC 9530, Content-Digest with `sha-256`.
//! Invariant: method, path, query and body are all under the signature; a nonce is never used twice.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use model::WalletId;
use sha2::{Digest, Sha256};

use crate::transport::Method;

/// Who signs, and with what.
pub(crate) struct Signer {
    key: SigningKey,
    wallet: WalletId,
}

/// What makes one signature differ from the next.
pub(crate) struct Moment<'a> {
    /// Unix time.
    pub(crate) created: i64,
    /// Letters and digits.
    pub(crate) nonce: &'a str,
}

/// The seed of the key that `wallet` signs with in a demo network: published, worthless, the same everywhere.
///
/// It is `SHA-256("yikatong demo key " || wallet)`; no centre accepts the key unless it runs a demo.
#[must_use]
pub fn demo_signing_seed(wallet: &WalletId) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"yikatong demo key ")
        .chain_update(wallet.as_str().as_bytes())
        .finalize()
        .into()
}

impl Signer {
    pub(crate) fn new(seed: &[u8; 32], wallet: WalletId) -> Self {
        Signer { key: SigningKey::from_bytes(seed), wallet }
    }

    /// The three headers that make a request a signed one.
    pub(crate) fn headers(
        &self,
        moment: &Moment<'_>,
        method: Method,
        path_and_query: &str,
        body: &[u8],
    ) -> [(String, String); 3] {
        let digest = content_digest(body);
        let params = self.params(moment);
        let base = base(method, path_and_query, &digest, &params);
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()).to_bytes());
        [
            ("content-digest".to_owned(), digest),
            ("signature-input".to_owned(), format!("sig1={params}")),
            ("signature".to_owned(), format!("sig1=:{signature}:")),
        ]
    }

    /// The covered components and the parameters. A wallet's id and a nonce hold nothing that needs quoting.
    fn params(&self, moment: &Moment<'_>) -> String {
        format!(
            "(\"@method\" \"@path\" \"@query\" \"content-digest\");created={};keyid=\"{}\";nonce=\"{}\";alg=\"ed25519\"",
            moment.created, self.wallet, moment.nonce
        )
    }
}

/// The `Content-Digest` of a body.
fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// The signature base: a line for each covered component, then the parameters.
fn base(method: Method, path_and_query: &str, digest: &str, params: &str) -> String {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    format!(
        "\"@method\": {}\n\"@path\": {path}\n\"@query\": ?{query}\n\"content-digest\": {digest}\n\
         \"@signature-params\": {params}",
        method.as_str()
    )
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, VerifyingKey};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vector: Vec<Vector>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        #[allow(dead_code)] // for people
        why: String,
        #[allow(dead_code)] // for people
        source: String,
        wallet: String,
        seed: String,
        public_key: String,
        created: i64,
        nonce: String,
        method: String,
        path_and_query: String,
        body: String,
        digest: String,
        base: String,
        signature: String,
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../../../vectors/wallet/signature.toml");
        toml::from_str::<Vectors>(text).unwrap().vector
    }

    fn hex32(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn method(vector: &Vector) -> Method {
        if vector.method == "GET" { Method::Get } else { Method::Post }
    }

    fn headers(vector: &Vector, body: &str) -> [String; 3] {
        let signer = Signer::new(&hex32(&vector.seed), vector.wallet.parse().unwrap());
        let moment = Moment { created: vector.created, nonce: &vector.nonce };
        signer
            .headers(&moment, method(vector), &vector.path_and_query, body.as_bytes())
            .map(|(_, value)| value)
    }

    /// A base put together by hand, from the headers as they are sent, as a reader of RFC 9421 would.
    fn base_by_hand(vector: &Vector, headers: &[String; 3]) -> String {
        let (path, query) = vector.path_and_query.split_once('?').unwrap_or((&vector.path_and_query, ""));
        [
            format!("\"@method\": {}", vector.method),
            format!("\"@path\": {path}"),
            format!("\"@query\": ?{query}"),
            format!("\"content-digest\": {}", headers[0]),
            format!("\"@signature-params\": {}", headers[1].strip_prefix("sig1=").unwrap()),
        ]
        .join("\n")
    }

    fn signature(header: &str) -> Signature {
        let text = header.strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
        Signature::from_slice(&STANDARD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn every_vector_is_signed_to_the_byte() {
        for vector in vectors() {
            let headers = headers(&vector, &vector.body);
            assert_eq!(headers[0], vector.digest, "{}", vector.why);
            assert_eq!(base_by_hand(&vector, &headers), vector.base, "{}", vector.why);
            assert_eq!(headers[2], vector.signature, "{}", vector.why);
        }
    }

    #[test]
    fn every_signature_verifies_over_a_base_put_together_by_hand() {
        for vector in vectors() {
            let headers = headers(&vector, &vector.body);
            let key = VerifyingKey::from_bytes(&hex32(&vector.public_key)).unwrap();
            let base = base_by_hand(&vector, &headers);
            assert!(key.verify_strict(base.as_bytes(), &signature(&headers[2])).is_ok(), "{}", vector.why);
        }
    }

    #[test]
    fn one_flipped_bit_of_base_signature_or_body_is_refused() {
        for vector in vectors() {
            let headers = headers(&vector, &vector.body);
            let key = VerifyingKey::from_bytes(&hex32(&vector.public_key)).unwrap();
            let mut base = vector.base.clone().into_bytes();
            for at in [0, base.len() / 2, base.len() - 1] {
                base[at] ^= 1;
                assert!(key.verify_strict(&base, &signature(&headers[2])).is_err(), "{} {at}", vector.why);
                base[at] ^= 1;
            }
            let mut bytes = signature(&headers[2]).to_bytes();
            bytes[40] ^= 1;
            assert!(key.verify_strict(&base, &Signature::from_bytes(&bytes)).is_err(), "{}", vector.why);
            let other = super::tests::headers(&vector, &format!("{} ", vector.body));
            assert_ne!((&other[0], &other[2]), (&headers[0], &headers[2]), "{}", vector.why);
        }
    }

    #[test]
    fn the_demo_seed_is_the_published_rule() {
        let vector = &vectors()[0];
        assert_eq!(demo_signing_seed(&vector.wallet.parse().unwrap()), hex32(&vector.seed));
    }
}
