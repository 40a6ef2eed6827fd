//! The centre's webhook: it wakes the wallet, and nothing it says is believed.

use std::sync::Arc;

use crate::support::{HOOK_SECRET, Wallet, lin};
use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use tower::ServiceExt;
use wallet::{OrderState, Target};

async fn told(wallet: &Wallet, id: &str, body: String, secret: &[u8]) -> u16 {
    let at = wallet.core.now().unix_seconds();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let request = Request::post("/hooks/centre")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(Body::from(body))
        .unwrap();
    wallet::http::router(Arc::clone(&wallet.core)).oneshot(request).await.unwrap().status().as_u16()
}

fn done(order: &str) -> String {
    json!({ "type": "order.done", "timestamp": "-", "data": { "id": order, "state": "done" } }).to_string()
}

#[tokio::test]
async fn a_webhook_makes_the_wallet_ask_once_and_only_the_answer_counts() {
    let wallet = Wallet::with_passenger();
    wallet.core.register_hook("http://wallet.test/hooks/centre").unwrap();
    let order = wallet.load(&wallet.issued_card(), 5000).unwrap();
    let state = || wallet.core.order(&order.id).unwrap().state;
    // The body says done, the centre does not.
    assert_eq!(told(&wallet, "evt_1", done(&order.id), HOOK_SECRET).await, 204);
    assert_eq!(state(), OrderState::Created);
    wallet.centre.done(&order.id, 5000);
    let asked = wallet.centre.requests().len();
    assert_eq!(told(&wallet, "evt_1", done(&order.id), HOOK_SECRET).await, 204);
    assert_eq!(wallet.centre.requests().len(), asked, "the same event again is nothing new");
    assert_eq!(told(&wallet, "evt_2", done(&order.id), b"another secret").await, 401);
    assert_eq!(state(), OrderState::Created);
    assert_eq!(told(&wallet, "evt_2", done(&order.id), HOOK_SECRET).await, 204);
    assert_eq!(state(), OrderState::Done);
    assert_eq!(told(&wallet, "evt_3", done("nobodys"), HOOK_SECRET).await, 204);
    assert_eq!(told(&wallet, "evt_4", "[".into(), HOOK_SECRET).await, 400);
}

#[tokio::test]
async fn a_refund_told_by_webhook_twice_late_and_by_polling_credits_once() {
    let wallet = Wallet::with_passenger();
    wallet.core.register_hook("http://wallet.test/hooks/centre").unwrap();
    let order = wallet.core.refund(&lin(), Target::Plastic).unwrap();
    wallet.centre.refunded(&order.id, 4321);
    let event =
        |kind: &str| json!({ "type": kind, "timestamp": "-", "data": { "id": order.id } }).to_string();
    for (id, kind) in [
        ("evt_3", "order.done"),
        ("evt_3", "order.done"),
        ("evt_1", "order.created"),
        ("evt_4", "order.done"),
        ("evt_2", "order.in_doubt"),
    ] {
        assert_eq!(told(&wallet, id, event(kind), HOOK_SECRET).await, 204);
        wallet.core.refresh_open().unwrap();
        assert_eq!(wallet.money(), (24_321, 0, -4321), "{id}");
    }
}

#[tokio::test]
async fn before_it_is_registered_no_webhook_is_believed() {
    let wallet = Wallet::in_memory();
    assert_eq!(told(&wallet, "evt_1", done("x"), HOOK_SECRET).await, 401);
}
