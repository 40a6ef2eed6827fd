//! Several keys of one party: by name, by algorithm, from a first day to a last.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use centre::http::{Target, content_digest, demo_signing_key, sign};
use model::registry::Registry;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;
use sm2::dsa::signature::Signer;
use support::{Centre, registry};

/// A wallet that changes its key: the old one's last day is the 21st, the new one's first day the 20th.
fn rotating(p256_pem: &str) -> Registry {
    let hex = |keyid: &str| hex::encode(demo_signing_key(keyid).verifying_key().as_bytes());
    let wallet = format!(
        "name = {{ zh = \"市民付\", en = \"Citizen Pay\" }}\nmax_order_fen = 50000\n\
         [[keys]]\nid = \"old\"\nalg = \"ed25519\"\npublic_key = \"{}\"\nvalid_until = 2014-10-21\n\
         [[keys]]\nid = \"new\"\nalg = \"ed25519\"\npublic_key = \"{}\"\nvalid_from = 2014-10-20\n\
         [[keys]]\nid = \"later\"\nalg = \"ed25519\"\npublic_key = \"{}\"\nvalid_from = 2014-11-01\n\
         [[keys]]\nid = \"hsm\"\nalg = \"ecdsa-p256-sha256\"\npublic_key = \"\"\"{p256_pem}\"\"\"\n",
        hex("old"),
        hex("new"),
        hex("later"),
    );
    Registry::clone(&registry()).overlay([("wallets/citizen-pay.toml", wallet)]).unwrap()
}

fn headed(input: &str, signature: &str) -> Request<Body> {
    Request::get("/v1/cities")
        .header("content-digest", content_digest(b""))
        .header("signature-input", input)
        .header("signature", signature)
        .body(Body::empty())
        .unwrap()
}

/// Asks for the cities as `keyid`, signed by the published key called `by`; gives the code, or `ok`.
async fn asks(centre: &Centre, keyid: &str, by: &str) -> String {
    let nonce = format!("{keyid}-{by}-{}", centre.unix());
    let target = Target { method: "GET", path: "/v1/cities", query: None };
    let headers = sign(&demo_signing_key(by), keyid, &nonce, centre.unix(), target, b"").unwrap();
    answered(centre, headed(&headers.signature_input, &headers.signature)).await
}

async fn answered(centre: &Centre, request: Request<Body>) -> String {
    let (_, answer): (u16, Value) = centre.json(request).await;
    answer["code"].as_str().map_or_else(|| "ok".into(), str::to_owned)
}

fn p256() -> (EcdsaKeyPair, String) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let mut spki = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    spki.extend_from_slice(pair.public_key().as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
    (pair, pem)
}

#[tokio::test]
async fn an_old_key_works_until_its_last_day_and_the_new_one_from_its_first() {
    let centre = Centre::of(rotating(&p256().1));
    for (keyid, by, expected) in [
        ("citizen-pay#old", "old", "ok"),
        ("citizen-pay#new", "new", "ok"),
        ("citizen-pay", "old", "ok"), // without a name: the first that is valid
        ("citizen-pay", "new", "signature-wrong"),
        ("citizen-pay#new", "old", "signature-wrong"),
        ("citizen-pay#later", "later", "key-not-yet-valid"),
        ("citizen-pay#lost", "old", "key-unknown"),
        ("citizen-pay#", "old", "key-unknown"),
        ("alipay#old", "old", "key-unknown"),
        ("centre#old", "centre", "key-unknown"),
        ("alipay#alipay", "alipay#alipay", "key-unknown"), // the demo's key is for the bare name
    ] {
        assert_eq!(asks(&centre, keyid, by).await, expected, "{keyid} by {by}");
    }
    centre.clock.forward(2 * 86_400);
    assert_eq!(asks(&centre, "citizen-pay#old", "old").await, "key-expired");
    assert_eq!(asks(&centre, "citizen-pay", "old").await, "signature-wrong");
    assert_eq!(asks(&centre, "citizen-pay", "new").await, "ok");
}

#[tokio::test]
async fn the_algorithm_is_the_registered_keys_and_never_the_requests() {
    let (pair, pem) = p256();
    let centre = Centre::of(rotating(&pem));
    let by = |keyid: &str, nonce: &str, alg: &str| {
        let input = format!(
            "(\"@method\" \"@path\" \"@query\" \"content-digest\");created={};keyid=\"{keyid}\";nonce=\"{nonce}\"{alg}",
            centre.unix()
        );
        let base = format!(
            "\"@method\": GET\n\"@path\": /v1/cities\n\"@query\": ?\n\"content-digest\": {}\n\"@signature-params\": {input}",
            content_digest(b"")
        );
        let signature = pair.sign(&SystemRandom::new(), base.as_bytes()).unwrap();
        let signature = format!("sig1=:{}:", STANDARD.encode(signature));
        headed(&format!("sig1={input}"), &signature)
    };
    let named = ";alg=\"ecdsa-p256-sha256\"";
    for (keyid, nonce, alg, expected) in [
        ("citizen-pay#hsm", "1", "", "ok"),
        ("citizen-pay#hsm", "2", named, "ok"),
        ("citizen-pay#hsm", "3", ";alg=\"ed25519\"", "algorithm-differs"),
        ("citizen-pay#hsm", "4", ";alg=\"none\"", "algorithm-differs"),
        ("citizen-pay#old", "5", named, "algorithm-differs"),
        ("citizen-pay#old", "6", "", "signature-wrong"),
    ] {
        assert_eq!(answered(&centre, by(keyid, nonce, alg)).await, expected, "{keyid} {nonce}");
    }
    assert_eq!(answered(&centre, by("citizen-pay#hsm", "1", "")).await, "signature-replayed");
}

#[tokio::test]
async fn a_wallet_may_sign_by_sm2() {
    // The published key of GB/T 32918.5-2017.
    let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAECfnfMR5UIaFQ3X0WHkvFxnIXn60Y\n\
               M/wHa7CP81bzUCDM6kkM4md1pS3G6nGMwapgCu0F+/NeCEpmMvYHLamtEw==\n-----END PUBLIC KEY-----\n";
    let secret = hex::decode("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8").unwrap();
    let wallet = format!(
        "name = {{ zh = \"市民付\", en = \"Citizen Pay\" }}\nmax_order_fen = 50000\n\
         [[keys]]\nid = \"gm\"\nalg = \"sm2-sm3\"\npublic_key = \"\"\"{pem}\"\"\"\n"
    );
    let files = [("wallets/citizen-pay.toml", wallet)];
    let centre = Centre::of(Registry::clone(&registry()).overlay(files).unwrap());
    let by = |identity: &str, nonce: &str, alg: &str| {
        let input = format!(
            "(\"@method\" \"@path\" \"@query\");created={};keyid=\"citizen-pay#gm\";nonce=\"{nonce}\"{alg}",
            centre.unix()
        );
        let base =
            format!("\"@method\": GET\n\"@path\": /v1/cities\n\"@query\": ?\n\"@signature-params\": {input}");
        let key = sm2::dsa::SigningKey::from_slice(identity, &secret).unwrap();
        let signature: sm2::dsa::Signature = key.sign(base.as_bytes());
        headed(&format!("sig1={input}"), &format!("sig1=:{}:", STANDARD.encode(signature.to_bytes())))
    };
    for (identity, nonce, alg, expected) in [
        ("1234567812345678", "1", "", "ok"),
        ("1234567812345678", "2", ";alg=\"sm2-sm3\"", "ok"),
        ("1234567812345678", "3", ";alg=\"ecdsa-p256-sha256\"", "algorithm-differs"),
        ("ALICE123@YAHOO.COM", "4", "", "signature-wrong"),
    ] {
        assert_eq!(answered(&centre, by(identity, nonce, alg)).await, expected, "{identity} {nonce}");
    }
}
