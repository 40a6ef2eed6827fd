//! Signatures under a registered key (验签): the key says how, never the request.
//!
//! Standard: RFC 9421 section 3.3, algorithms `ed25519`, `ecdsa-p256-sha256` (`r || s`, 64 bytes), `rsa-v1_5-sha256`;
//! GB/T 32918.2 and 32905, `sm2-sm3` (国密; `r || s`, 64 bytes), a name of ours, with the usual identity `1234567812345678`.
//! Invariant: verify only; the centre signs nothing by ECDSA, RSA or SM2.

use ed25519_dalek::{Signature, VerifyingKey};
use model::registry::PublicKey;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use sm2::dsa::signature::Verifier;

/// The identity that every signer has unless it says another; ours say none.
const SM2_IDENTITY: &str = "1234567812345678";

/// Whether `signature` is this key's over `message`.
pub(super) fn verifies(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    };
    match key {
        PublicKey::Ed25519(key) => VerifyingKey::from_bytes(key)
            .and_then(|key| key.verify_strict(message, &Signature::from_slice(signature)?))
            .is_ok(),
        PublicKey::EcdsaP256(point) => by(&ECDSA_P256_SHA256_FIXED, point),
        PublicKey::Rsa(key) => by(&RSA_PKCS1_2048_8192_SHA256, key),
        PublicKey::Sm2(point) => sm2::dsa::VerifyingKey::from_sec1_bytes(SM2_IDENTITY, point)
            .and_then(|key| key.verify(message, &sm2::dsa::Signature::from_slice(signature)?))
            .is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vectors {
        key: Vec<Key>,
        vector: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Key {
        id: String,
        #[serde(rename = "source")]
        _source: String,
        pem: String,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        why: String,
        #[serde(rename = "source")]
        _source: String,
        key: String,
        algorithm: String,
        base: String,
        signature: String,
    }

    fn bytes_of_base64(text: &str) -> Vec<u8> {
        let item: sfv::Item = sfv::Parser::new(&format!(":{text}:")).parse().unwrap();
        item.bare_item.as_byte_sequence().unwrap().to_vec()
    }

    #[test]
    fn published_signatures_of_each_algorithm_verify_and_a_flipped_bit_does_not() {
        let text = include_str!("../../../../vectors/http/algorithms.toml");
        let Vectors { key: keys, vector: vectors } = toml::from_str(text).unwrap();
        let keys: Vec<(String, PublicKey)> =
            keys.into_iter().map(|key| (key.id, PublicKey::parse(&key.pem).unwrap())).collect();
        assert_eq!(vectors.len(), 6);
        for vector in vectors {
            let signature = bytes_of_base64(&vector.signature);
            for (id, key) in &keys {
                let own = *id == vector.key;
                assert_eq!(verifies(key, vector.base.as_bytes(), &signature), own, "{} {id}", vector.why);
                assert!(!own || key.algorithm().as_str() == vector.algorithm);
            }
            let key = &keys.iter().find(|(id, _)| *id == vector.key).unwrap().1;
            let mut base = vector.base.clone().into_bytes();
            base[3] ^= 1;
            assert!(!verifies(key, &base, &signature), "{}", vector.why);
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut other = signature.clone();
                other[at] ^= 1;
                assert!(!verifies(key, vector.base.as_bytes(), &other), "{} byte {at}", vector.why);
            }
            assert!(!verifies(key, vector.base.as_bytes(), &signature[1..]));
            assert!(!verifies(key, vector.base.as_bytes(), &[]));
        }
    }
}
