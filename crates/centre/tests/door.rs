//! The door itself: signatures, bodies, words, pages, and the description of the interface.

#![allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should

mod support;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use support::{Ask, Centre, signed_as};

fn cities() -> Ask<'static> {
    Ask { method: "GET", path: "/v1/cities", keyid: "alipay", body: Vec::new() }
}

async fn code(centre: &Centre, request: Request<Body>) -> (u16, String) {
    let (status, answer) = centre.json(request).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_signed_request_comes_in() {
    let centre = Centre::in_memory();
    let cities = centre.ok("GET", "/v1/cities", "alipay", Value::Null).await;
    assert!(
        cities.as_array().unwrap().iter().any(|city| city["code"] == "2000" && city["name_zh"] == "上海")
    );
    let phones = centre.ok("GET", "/v1/phones", "city:2000", Value::Null).await;
    assert!(!phones.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_signature_keeps_the_door_shut() {
    let centre = Centre::in_memory();
    let signed = |path, method, body: &[u8]| {
        signed_as(&Ask { method, path, keyid: "alipay", body: body.to_vec() }, "1", centre.unix())
    };
    let body = br#"{"id":"c1"}"#;
    let mut other_path = signed("/v1/cards", "POST", body);
    *other_path.uri_mut() = "/v1/orders".parse().unwrap();
    let mut other_query = signed("/v1/orders?after=1", "GET", b"");
    *other_query.uri_mut() = "/v1/orders?after=2".parse().unwrap();
    let mut other_method = signed("/v1/orders", "GET", b"");
    *other_method.method_mut() = axum::http::Method::POST;
    let mut other_digest = signed("/v1/cards", "POST", body);
    let digest = centre::http::content_digest(b"other").parse().unwrap();
    other_digest.headers_mut().insert("content-digest", digest);
    let mut other_keyid = signed("/v1/cities", "GET", b"");
    let input = other_keyid.headers()["signature-input"].to_str().unwrap().replace("alipay", "wechat-pay");
    other_keyid.headers_mut().insert("signature-input", input.parse().unwrap());
    for request in [other_path, other_query, other_method, other_digest, other_keyid] {
        let what = format!("{} {}", request.method(), request.uri());
        assert_eq!(code(&centre, request).await, (401, "signature-wrong".into()), "{what}");
    }
    let mut other_body = signed("/v1/cards", "POST", body);
    *other_body.body_mut() = Body::from(r#"{"id":"c2"}"#);
    assert_eq!(code(&centre, other_body).await, (400, "digest-wrong".into()));
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_named() {
    let centre = Centre::in_memory();
    let without = |header: &str| {
        let mut request = centre.signed(&cities());
        request.headers_mut().remove(header);
        request
    };
    let with_input = |change: fn(String) -> String| {
        let mut request = centre.signed(&cities());
        let input = change(request.headers()["signature-input"].to_str().unwrap().to_owned());
        request.headers_mut().insert("signature-input", input.parse().unwrap());
        request
    };
    let cases: Vec<(Request<Body>, &str)> = vec![
        (without("signature"), "signature-missing"),
        (without("signature-input"), "signature-missing"),
        (without("content-digest"), "signature-malformed"),
        (with_input(|_| "sig1=((".into()), "signature-malformed"),
        (with_input(|_| "sig1=?1".into()), "signature-malformed"),
        (with_input(|input| input.replace("\"@path\" ", "")), "signature-malformed"),
        (with_input(|input| input.replace(";nonce=", ";nouns=")), "signature-malformed"),
        (with_input(|input| input.replace("ed25519", "hmac-sha256")), "algorithm-differs"),
        (with_input(|input| input.replace("\"@path\"", "\"@path\" \"@path\"")), "signature-malformed"),
        (with_input(|input| input.replace("alipay", "nobody")), "key-unknown"),
        (with_input(|input| input.replace("alipay", "city:9999")), "key-unknown"),
        (with_input(|input| input.replace("alipay", "../etc")), "key-unknown"),
    ];
    for (number, (request, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(&centre, request).await, (401, expected.into()), "case {number}");
    }
}

#[tokio::test]
async fn a_body_outside_the_signature_is_refused() {
    let centre = Centre::in_memory();
    let mut request = centre.signed(&cities());
    *request.body_mut() = Body::from("{}");
    assert_eq!(code(&centre, request).await, (400, "digest-wrong".into()));
}

#[tokio::test]
async fn a_signature_opens_the_door_once_and_only_now() {
    let centre = Centre::in_memory();
    let at = |nonce: &str, created| signed_as(&cities(), nonce, created);
    let now = centre.unix();
    assert_eq!(centre.json(at("1", now)).await.0, 200);
    assert_eq!(code(&centre, at("1", now)).await, (401, "signature-replayed".into()));
    for (nonce, away, expected) in [("2", -300, 200), ("3", -301, 401), ("4", 300, 200), ("5", 301, 401)] {
        assert_eq!(centre.json(at(nonce, now + away)).await.0, expected, "{away} s away");
    }
    // Long after the nonce is forgotten, the time refuses what it would have refused.
    centre.clock.forward(601);
    centre.ok("GET", "/v1/cities", "alipay", Value::Null).await;
    assert_eq!(code(&centre, at("1", now)).await, (401, "signature-clock".into()));
}

#[tokio::test]
async fn a_body_has_its_limit_and_its_shape() {
    let centre = Centre::in_memory();
    let (status, answer) = centre.send("POST", "/v1/cards", "alipay", vec![b' '; 256 * 1024 + 1]).await;
    assert_eq!((status, answer["code"].as_str()), (413, Some("body-too-large")));
    let (deep, digits) = ("[".repeat(200_000), "9".repeat(200_000));
    let (long, number) = (format!("{{\"id\":\"{digits}\"}}"), format!("{{\"id\":{digits}}}"));
    for (body, expected) in [
        ("", "body-malformed"),
        ("{", "body-malformed"),
        ("[]", "body-malformed"),
        (r#"{"id":1}"#, "body-malformed"),
        (r#"{"id":1e999}"#, "body-malformed"),
        (r#"{"id":"1","unknown":true}"#, "body-malformed"),
        ("\u{0}", "body-malformed"),
        (r#"{"id":"1","id":"2"}"#, "json-member-twice"),
        (r#"{"id":"1","\u0069d":"2"}"#, "body-malformed"),
        (&deep, "json-too-deep"),
        (&long, "json-string-too-long"),
        (&number, "json-number-too-long"),
    ] {
        let (status, answer) = centre.send("POST", "/v1/cards", "alipay", body.to_owned()).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some(expected)), "{:.20}", body);
    }
}

#[tokio::test]
async fn a_bad_order_has_its_own_code_and_moves_nothing() {
    let centre = Centre::in_memory();
    let order = |id: &str, amount: &str, paid: &str| {
        format!(
            r#"{{"id":"{id}","kind":"load","plastic":true,"amount_fen":{amount},"paid":{{"amount_fen":{paid},"reference":"p"}}}}"#
        )
    };
    let (status, first) = centre.send("POST", "/v1/orders", "alipay", order("1", "5000", "5000")).await;
    assert_eq!((status, first["state"].as_str()), (200, Some("created")));
    for (body, status, code) in [
        (order("1", "5001", "5001"), 409, "id-taken"),
        (order("../1", "5000", "5000"), 422, "id-malformed"),
        (order("2", "0", "0"), 422, "amount-not-positive"),
        (order("2", "-1", "-1"), 422, "amount-not-positive"),
        (order("2", "50001", "50001"), 422, "amount-over-limit"),
        (order("2", "9223372036854775808", "5000"), 422, "amount-over-limit"),
        (order("2", "18446744073709551615", "5000"), 422, "amount-over-limit"),
        (order("2", "50.5", "50.5"), 422, "amount-not-whole-fen"),
        (order("2", "1e2", "100"), 422, "amount-not-whole-fen"),
        (order("2", "5000", "4999"), 422, "paid-differs"),
        (order("2", "\"5000\"", "5000"), 400, "body-malformed"),
        (order("2", "5000", "null"), 400, "body-malformed"),
        (order("2", "NaN", "5000"), 400, "body-malformed"),
        (order("2", "5000", "5000").replace("load", "steal"), 400, "body-malformed"),
        (order("2", "5000", "5000").replace("\"plastic\":true", "\"card\":\"none\""), 404, "unknown-card"),
    ] {
        let (actual, answer) = centre.send("POST", "/v1/orders", "alipay", body.clone()).await;
        assert_eq!((actual, answer["code"].as_str()), (status, Some(code)), "{body}");
        assert!(
            !answer["title"].as_str().unwrap().is_empty()
                && !answer["detail_zh"].as_str().unwrap().is_empty()
        );
        assert_eq!(answer["stored_digest"].is_string(), code == "id-taken");
    }
    let orders = centre.ok("GET", "/v1/orders", "alipay", Value::Null).await;
    assert_eq!(orders["orders"].as_array().unwrap().len(), 1);
    assert!(centre.core.balances().unwrap().is_empty(), "no account has moved");
}

#[tokio::test]
async fn even_a_wrong_address_gets_a_code_in_both_languages() {
    let centre = Centre::in_memory();
    let request =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (status, headers, body) = centre.raw(request("GET", "/v2/cities")).await;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, answer["code"].as_str()), (404, Some("unknown-path")));
    assert_eq!(answer["type"], "urn:yikatong:problem:unknown-path");
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(answer["title_zh"], "没有这个地址");
    assert_eq!(code(&centre, request("DELETE", "/healthz")).await, (405, "method-not-allowed".into()));
}

#[tokio::test]
async fn the_page_speaks_both_languages() {
    let centre = Centre::in_memory();
    let page = async |uri: &str, accepted: &str| {
        let request =
            Request::builder().uri(uri).header("accept-language", accepted).body(Body::empty()).unwrap();
        let (status, headers, body) = centre.raw(request).await;
        assert_eq!(status, 200);
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
        String::from_utf8(body).unwrap()
    };
    let chinese = page("/", "zh-CN,zh;q=0.9,en;q=0.8").await;
    assert!(
        chinese.contains("一卡通清算中心") && chinese.contains("上海") && chinese.contains("lang=\"zh\"")
    );
    let english = page("/?lang=en", "zh-CN").await;
    assert!(english.contains("Yikatong clearing centre") && english.contains("Shanghai"));
    assert!(english.contains("published constants"), "a demo says that it is one");
}

#[tokio::test]
async fn the_checked_in_description_is_the_codes() {
    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let centre = Centre::in_memory();
    let (status, api) =
        centre.json(Request::builder().uri("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((status, api["openapi"].as_str()), (200, Some("3.1.0")));
    let actual = serde_json::to_string_pretty(&api).unwrap() + "\n";
    if std::env::var_os("YIKATONG_WRITE").is_some() {
        std::fs::write(CHECKED_IN, &actual).unwrap();
    }
    let stored = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        stored == actual,
        "docs/openapi.json is not the code's; run `YIKATONG_WRITE=1 cargo test -p centre` and read the difference"
    );
}

#[tokio::test]
async fn wallets_and_cities_keep_to_their_own_doors() {
    let centre = Centre::in_memory();
    for (method, path, keyid) in [
        ("GET", "/v1/orders/1", "city:2000"),
        ("POST", "/v1/cards", "city:2000"),
        ("GET", "/v1/lists/deny", "alipay"),
        ("GET", "/v1/statements/wallet:alipay/2014-10-20", "wechat-pay"),
        ("GET", "/v1/statements/issuer:2000/2014-10-20", "city:3120"),
        ("POST", "/v1/days/2014-10-20/close", "city:2000"),
    ] {
        let body = json!({"id": "1", "user": "u", "city": "2000", "phone": "p", "se_id": "00"});
        assert_eq!(centre.refused(method, path, keyid, body).await, "not-yours", "{method} {path} {keyid}");
    }
}
