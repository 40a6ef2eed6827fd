//! The door of the app and the page, through the router.

use std::sync::Arc;

use crate::support::{Fault, PASSWORD, SE_ID, Wallet};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

async fn send(wallet: &Wallet, request: Request<Body>) -> (u16, String, String) {
    let response = wallet::http::router(Arc::clone(&wallet.core)).oneshot(request).await.unwrap();
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
}

async fn post(wallet: &Wallet, path: &str, body: Value) -> (u16, Value) {
    let request = Request::post(path).body(Body::from(body.to_string())).unwrap();
    let (status, kind, body) = send(wallet, request).await;
    let problem = kind == "application/problem+json";
    assert_eq!(problem, status != 200, "{status} {kind} {body}");
    (status, serde_json::from_str(&body).unwrap())
}

async fn get(wallet: &Wallet, path: &str) -> (u16, Value) {
    let (status, _, body) = send(wallet, Request::get(path).body(Body::empty()).unwrap()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// With the passenger's name and password.
fn by_lin(mut body: Value) -> Value {
    body["name"] = "lin".into();
    body["password"] = PASSWORD.into();
    body
}

#[tokio::test]
async fn a_passenger_registers_issues_loads_and_sees_it() {
    let wallet = Wallet::in_memory();
    let (status, me) = post(&wallet, "/app/register", by_lin(json!({}))).await;
    assert_eq!((status, &me["available_fen"]), (200, &json!(20_000)));
    let device = json!({"se_id": "4805a0", "phone": "oppo-find7"});
    let (_, device) = post(&wallet, "/app/devices", by_lin(device)).await;
    assert_eq!(device, json!({"se_id": SE_ID, "phone": "oppo-find7"}));
    let (_, cities) = get(&wallet, "/app/cities").await;
    assert_eq!(cities[0]["code"], "2000");

    let (status, order) = post(&wallet, "/app/issue", by_lin(json!({"city": "2000", "se_id": SE_ID}))).await;
    assert_eq!((status, &order["state"], &order["kind"]), (200, &json!("created"), &json!("issue")));
    assert_eq!(order["session"]["url"], "/gp/seram");
    assert_eq!(order["session"]["centre"], "http://centre.test");
    let path = format!("/app/orders/{}", order["id"].as_str().unwrap());
    wallet.centre.done(order["id"].as_str().unwrap(), 0);
    let (_, done) = get(&wallet, &path).await;
    assert_eq!((&done["state"], &done["balance_fen"]), (&json!("done"), &json!(0)));

    let load = json!({"card": order["card"], "amount_fen": 5000, "request": "r-1"});
    let (_, load) = post(&wallet, "/app/load", by_lin(load)).await;
    assert_eq!((&load["state"], &load["amount_fen"]), (&json!("created"), &json!(5000)));
    let (_, me) = get(&wallet, "/app/me?name=lin").await;
    assert_eq!((&me["available_fen"], &me["held_fen"]), (&json!(15_000), &json!(5000)));
    assert_eq!(me["cards"][0]["number"], "2000********0001", "masked");
    assert_eq!(me["orders"][0]["id"], load["id"]);
    let history = format!("/app/cards/{}/history", order["card"].as_str().unwrap());
    assert_eq!(get(&wallet, &history).await.1["taps"][0]["amount_fen"], 160);

    let (_, read) = post(&wallet, "/app/read", by_lin(json!({"plastic": true}))).await;
    assert_eq!((&read["kind"], read.get("card")), (&json!("read"), None));
    let (_, refund) = post(&wallet, "/app/refund", by_lin(json!({"city": "2000"}))).await;
    assert_eq!((&refund["kind"], &refund["amount_fen"]), (&json!("refund"), &json!(0)));
    let cancel = format!("/app/orders/{}/cancel", refund["id"].as_str().unwrap());
    let (status, cancelled) = post(&wallet, &cancel, by_lin(json!({}))).await;
    assert_eq!((status, &cancelled["problem"]["code"]), (200, &json!("cancelled")));
    let (_, delete) = post(&wallet, "/app/delete", by_lin(json!({"city": "2000"}))).await;
    assert_eq!(delete["kind"], "delete");
}

#[tokio::test]
async fn a_session_is_told_to_nobody_without_the_password() {
    let wallet = Wallet::with_passenger();
    let (_, order) = post(&wallet, "/app/load", by_lin(json!({"plastic": true, "amount_fen": 100}))).await;
    let session = order["session"]["id"].as_str().unwrap();
    for path in [format!("/app/orders/{}", order["id"].as_str().unwrap()), "/app/me?name=lin".to_owned()] {
        let (status, answer) = get(&wallet, &path).await;
        assert_eq!(status, 200);
        assert!(!answer.to_string().contains(session), "{answer}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_code_and_words_in_both_languages() {
    let wallet = Wallet::with_passenger();
    let load = |amount: Value| by_lin(json!({"plastic": true, "amount_fen": amount}));
    let with = |mut body: Value, field: &str, value: Value| {
        body[field] = value;
        body
    };
    for (path, body, status, code) in [
        ("/app/load", with(load(json!(100)), "password", json!("000000")), 403, "password-wrong"),
        ("/app/load", with(load(json!(100)), "name", json!("wang")), 404, "unknown-passenger"),
        ("/app/load", load(json!(0)), 422, "amount-not-positive"),
        ("/app/load", load(json!(-5)), 422, "amount-not-positive"),
        ("/app/load", load(json!(1.5)), 422, "amount-not-whole-fen"),
        ("/app/load", load(json!(1e2)), 422, "amount-not-whole-fen"),
        ("/app/load", load(json!(u64::MAX)), 422, "amount-not-whole-fen"),
        ("/app/load", load(json!(9_000_000_000_i64)), 422, "amount-over-limit"),
        ("/app/load", load(json!("100")), 400, "body-malformed"),
        ("/app/load", load(json!(99_999)), 409, "insufficient-balance"),
        ("/app/load", by_lin(json!({"plastic": true})), 422, "field-missing"),
        ("/app/load", with(load(json!(1)), "card", json!("c")), 422, "field-not-expected"),
        ("/app/load", by_lin(json!({"card": "c", "amount_fen": 1})), 404, "unknown-card"),
        ("/app/load", with(load(json!(1)), "tip", json!(1)), 400, "body-malformed"),
        ("/app/load", with(load(json!(1)), "request", json!("a b")), 422, "request-malformed"),
        ("/app/read", load(json!(1)), 422, "field-not-expected"),
        ("/app/refund", load(json!(1)), 422, "field-not-expected"),
        ("/app/refund", by_lin(json!({"city": "2000"})), 404, "unknown-card"),
        ("/app/orders/x/cancel", by_lin(json!({})), 404, "unknown-order"),
        ("/app/orders/x/cancel", with(by_lin(json!({})), "password", json!("000000")), 403, "password-wrong"),
        ("/app/delete", by_lin(json!({"plastic": true})), 422, "field-not-expected"),
        ("/app/issue", by_lin(json!({"city": "上海", "se_id": SE_ID})), 422, "unknown-city"),
        ("/app/issue", by_lin(json!({"city": "9999", "se_id": SE_ID})), 422, "unknown-city"),
        ("/app/issue", by_lin(json!({"city": "2000", "se_id": "xx"})), 422, "element-malformed"),
        ("/app/issue", by_lin(json!({"city": "2000", "se_id": "00"})), 404, "unknown-device"),
        ("/app/register", json!({"name": "wang", "password": "1"}), 422, "password-weak"),
        ("/app/register", json!([]), 400, "body-malformed"),
        ("/app/top-up", by_lin(json!({"amount_fen": 0})), 422, "amount-not-positive"),
        ("/app/orders/x", json!({}), 405, "method-not-allowed"),
        ("/app/nothing", json!({}), 404, "unknown-path"),
        ("/app/register", json!({"name": "x".repeat(20_000), "password": "1"}), 413, "body-too-large"),
    ] {
        let (got, problem) = post(&wallet, path, body.clone()).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{path} {problem}");
        assert_eq!(problem["type"], format!("urn:yikatong:problem:{code}"));
        for words in ["title", "detail", "title_zh", "detail_zh"] {
            assert!(!problem[words].as_str().unwrap().is_empty(), "{code} {words}");
        }
        assert!(!problem.to_string().contains(PASSWORD), "{problem}");
    }
    assert_eq!((wallet.money(), wallet.centre.orders()), ((20_000, 0, 0), 0), "nothing moved");
    assert_eq!(get(&wallet, "/app/me").await.1["code"], "query-malformed");
    assert_eq!(get(&wallet, "/app/me?name=wang").await.1["code"], "unknown-passenger");
    assert_eq!(get(&wallet, "/app/orders/x").await.1["code"], "unknown-order");
    wallet.centre.fail([Fault::Unreachable]);
    assert_eq!(get(&wallet, "/app/cities").await, (503, get_problem(&wallet).await));
}

async fn get_problem(wallet: &Wallet) -> Value {
    wallet.centre.fail([Fault::Unreachable]);
    let (_, problem) = get(wallet, "/app/cities").await;
    assert_eq!(problem["code"], "centre-silent");
    problem
}

#[tokio::test]
async fn a_locked_password_says_until_when() {
    let wallet = Wallet::with_passenger();
    for _ in 0..5 {
        post(&wallet, "/app/read", json!({"name": "lin", "password": "000000", "plastic": true})).await;
    }
    let (status, problem) = post(&wallet, "/app/read", by_lin(json!({"plastic": true}))).await;
    assert_eq!((status, problem["code"].as_str()), (423, Some("password-locked")));
    assert!(problem["detail"].as_str().unwrap().contains("2014-10-20 08:00:00"));
    assert!(problem["detail_zh"].as_str().unwrap().contains("2014-10-20 08:00:00"));
}

#[tokio::test]
async fn the_page_speaks_both_languages_and_fetches_nothing_from_elsewhere() {
    let wallet = Wallet::with_passenger();
    for (path, accept, lang, words) in [
        ("/", "zh-CN,zh;q=0.9", "zh", ["支付宝", "空中开卡", "退实体卡"]),
        ("/?lang=en", "zh", "en", ["Alipay", "Issue over the air", "Return a plastic card"]),
    ] {
        let request = Request::get(path).header("accept-language", accept).body(Body::empty()).unwrap();
        let (status, kind, page) = send(&wallet, request).await;
        assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"));
        assert!(page.contains(&format!("<html lang=\"{lang}\">")));
        for word in words {
            assert!(page.contains(word), "{word}");
        }
        assert!(
            page.contains("value=\"lin\"") && page.contains(PASSWORD),
            "the demo's passenger is filled in"
        );
        for foreign in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}

#[tokio::test]
async fn a_name_from_the_address_cannot_become_markup() {
    let wallet = Wallet::with_passenger();
    let request = Request::get("/?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").body(Body::empty()).unwrap();
    let (_, _, page) = send(&wallet, request).await;
    assert!(!page.contains("<script>alert"), "{page}");
}

#[tokio::test]
async fn the_pulse_is_felt() {
    let wallet = Wallet::in_memory();
    let request = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(&wallet, request).await, (200, "text/plain; charset=utf-8".into(), "ok\n".into()));
}
