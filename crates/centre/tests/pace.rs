//! Requests in a second, at the door: who is over is told when to come back, and nothing has moved.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use model::registry::Registry;
use serde_json::{Value, json};
use support::{Ask, Centre, registry, signed_as};

/// A centre where Alipay has 2 requests a second and 3 at once, and its clock in milliseconds.
fn paced() -> (Centre, Arc<AtomicU64>) {
    let wallet = "name = { zh = \"支付宝\", en = \"Alipay\" }\nmax_order_fen = 50000\n\
                  [limits]\nrequests_per_second = 2\nrequests_burst = 3\n";
    let registry =
        Registry::clone(&registry()).overlay([("wallets/alipay.toml", wallet.to_owned())]).unwrap();
    let millis = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&millis);
    (Centre::paced(registry, move || Duration::from_millis(clock.load(Ordering::Relaxed))), millis)
}

/// The code, or `ok`, and `Retry-After`.
async fn sends(centre: &Centre, request: Request<Body>) -> (String, Option<String>) {
    let (status, headers, body) = centre.raw(request).await;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let code = answer["code"].as_str().unwrap_or("ok").to_owned();
    assert_eq!(status == 429, code == "too-many-requests", "{answer}");
    assert!(status != 429 || (answer["title_zh"].is_string() && answer["title"].is_string()), "{answer}");
    (code, headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned()))
}

fn orders<'a>(keyid: &'a str) -> Ask<'a> {
    Ask { method: "GET", path: "/v1/orders", keyid, body: Vec::new() }
}

#[tokio::test]
async fn a_request_too_many_is_refused_and_the_same_one_is_good_a_moment_later() {
    let (centre, millis) = paced();
    let body = json!({"id": "a", "kind": "load", "plastic": true, "amount_fen": 100,
        "paid": {"amount_fen": 100, "reference": "p"}});
    let order =
        Ask { method: "POST", path: "/v1/orders", keyid: "alipay", body: body.to_string().into_bytes() };
    for _ in 0..3 {
        assert_eq!(sends(&centre, centre.signed(&orders("alipay"))).await.0, "ok");
    }
    let too_soon = signed_as(&order, "the-order", centre.unix());
    let (code, after) = sends(&centre, too_soon).await;
    assert_eq!((code.as_str(), after.as_deref()), ("too-many-requests", Some("1")));
    // Another party is not held up, and a forged request takes nobody's place.
    assert_eq!(
        sends(&centre, centre.signed(&Ask { path: "/v1/cities", ..orders("wechat-pay") })).await.0,
        "ok"
    );
    millis.store(500, Ordering::Relaxed);
    for _ in 0..10 {
        let forged = signed_as(&orders("alipay"), "forged", centre.unix());
        let (mut parts, body) = forged.into_parts();
        parts.uri = "/v1/cities".parse().unwrap();
        assert_eq!(sends(&centre, Request::from_parts(parts, body)).await.0, "signature-wrong");
    }
    // Half a second is one request; its nonce was not used up, and it was not placed before.
    assert_eq!(sends(&centre, signed_as(&order, "the-order", centre.unix())).await.0, "ok");
    assert_eq!(sends(&centre, centre.signed(&orders("alipay"))).await.0, "too-many-requests");
    millis.store(1000, Ordering::Relaxed);
    let (_, answer) = centre.json(centre.signed(&orders("alipay"))).await;
    assert_eq!(answer["orders"].as_array().unwrap().len(), 1, "{answer}");
}

#[tokio::test]
async fn a_city_without_a_pace_of_its_own_has_the_usual_one() {
    let (centre, _) = paced();
    let deny_list = Ask { method: "GET", path: "/v1/lists/deny", keyid: "city:2000", body: Vec::new() };
    for number in 0..201 {
        let expected = if number < 200 { "ok" } else { "too-many-requests" };
        assert_eq!(sends(&centre, centre.signed(&deny_list)).await.0, expected, "{number}");
    }
}

#[test]
fn no_pace_is_zero() {
    let zero = "name = { zh = \"支付宝\", en = \"Alipay\" }\nmax_order_fen = 50000\n[limits]\nrequests_per_second = 0\n";
    let error = Registry::clone(&registry()).overlay([("wallets/alipay.toml", zero.to_owned())]).unwrap_err();
    assert!(error.to_string().contains("wallets/alipay.toml:4"), "{error}");
}
