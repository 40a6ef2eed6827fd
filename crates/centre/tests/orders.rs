//! What a wallet may ask for, and what it is told when it may not.

#![allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should

mod support;

use serde_json::{Value, json};
use support::Centre;

fn new_card(id: &str, city: &str) -> Value {
    json!({"id": id, "user": "u-1", "city": city, "phone": support::phone_id(), "se_id": "4805A0"})
}

#[tokio::test]
async fn a_card_gets_a_number_of_its_citys_range_once() {
    let centre = Centre::in_memory();
    let first = centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await;
    assert_eq!(
        (first["number"].as_str(), first["state"].as_str()),
        (Some("2000000000000001"), Some("planned"))
    );
    let again = centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await;
    assert_eq!(again, first);
    assert_eq!(centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await, first);
    // Another wallet has ids of its own.
    let other = centre.ok("POST", "/v1/cards", "wechat-pay", new_card("c1", "2000")).await;
    assert_eq!(other["number"], "2000000000000002");
}

#[tokio::test]
async fn the_same_id_with_another_body_is_refused_with_the_stored_digest() {
    let centre = Centre::in_memory();
    centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await;
    let (status, answer) =
        centre.send("POST", "/v1/cards", "alipay", new_card("c1", "3120").to_string()).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("id-taken")));
    let digest = answer["stored_digest"].as_str().unwrap();
    let stored = centre::http::content_digest(new_card("c1", "2000").to_string().as_bytes());
    assert!(stored.starts_with("sha-256=:") && digest.len() == 64, "{stored} {digest}");
}

#[tokio::test]
async fn a_card_names_a_city_a_phone_and_an_element_that_exist() {
    let centre = Centre::in_memory();
    let with = |field: &str, value: &str| {
        let mut card = new_card("c1", "2000");
        card[field] = value.into();
        card
    };
    for (field, value, expected) in [
        ("city", "9999", "unknown-city"),
        ("city", "上海", "unknown-city"),
        ("phone", "no-such-phone", "unknown-phone"),
        ("se_id", "", "element-malformed"),
        ("se_id", "48G5", "element-malformed"),
        ("se_id", "480", "element-malformed"),
        ("id", "", "id-malformed"),
        ("id", "a/b", "id-malformed"),
        ("user", "a b", "id-malformed"),
    ] {
        let code = centre.refused("POST", "/v1/cards", "alipay", with(field, value)).await;
        assert_eq!(code, expected, "{field} = {value}");
    }
    let first = centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await;
    assert_eq!(first["number"], "2000000000000001", "nothing was left of what was refused");
}

#[tokio::test]
async fn an_order_is_checked_before_it_is_stored() {
    let centre = Centre::in_memory();
    centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await;
    let load = |amount: Value| {
        json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": amount.clone(),
               "paid": {"amount_fen": amount, "reference": "p-1"}})
    };
    for (order, expected) in [
        (load(json!(0)), "amount-not-positive"),
        (load(json!(-100)), "amount-not-positive"),
        (load(json!(100.5)), "amount-not-whole-fen"),
        (load(json!(1e3)), "amount-not-whole-fen"),
        (load(json!(100_000_000)), "amount-over-limit"),
        (load(json!(9_000_000_000_000_000_000_u64)), "amount-over-limit"),
        (load(json!("100")), "body-malformed"),
        (json!({"id": "o1", "kind": "load", "plastic": true}), "field-missing"),
        (json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 100}), "field-missing"),
        (
            json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 100,
                   "paid": {"amount_fen": 99, "reference": "p"}}),
            "paid-differs",
        ),
        (
            json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 100,
                   "paid": {"amount_fen": 100, "reference": "a b"}}),
            "id-malformed",
        ),
        (json!({"id": "o1", "kind": "load", "card": "c1", "amount_fen": 100}), "card-not-issued"),
        (json!({"id": "o1", "kind": "issue", "card": "c2"}), "unknown-card"),
        (json!({"id": "o1", "kind": "issue", "card": "c1", "amount_fen": 1}), "field-not-expected"),
        (json!({"id": "o1", "kind": "issue", "card": "c1", "plastic": true}), "field-not-expected"),
        (json!({"id": "o1", "kind": "issue", "plastic": true}), "field-missing"),
        (json!({"id": "o1", "kind": "gift", "card": "c1"}), "body-malformed"),
        (json!({"id": "", "kind": "issue", "card": "c1"}), "id-malformed"),
    ] {
        let code = centre.refused("POST", "/v1/orders", "alipay", order.clone()).await;
        assert_eq!(code, expected, "{order}");
    }
    let list = centre.ok("GET", "/v1/orders", "alipay", Value::Null).await;
    assert_eq!(list, json!({"orders": []}), "nothing was left of what was refused");
}

#[tokio::test]
async fn an_order_is_placed_once_and_found_again() {
    let centre = Centre::in_memory();
    let order = json!({"id": "o1", "kind": "read", "plastic": true});
    let placed = centre.ok("POST", "/v1/orders", "alipay", order.clone()).await;
    assert_eq!(placed["state"], "created");
    assert_eq!(placed["session"]["id"].as_str().unwrap().len(), 32);
    assert_eq!(centre.ok("POST", "/v1/orders", "alipay", order).await, placed);
    assert_eq!(centre.ok("GET", "/v1/orders/o1", "alipay", Value::Null).await, placed);
    let other = json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 100,
                       "paid": {"amount_fen": 100, "reference": "p"}});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", other).await, "id-taken");
    assert_eq!(centre.refused("GET", "/v1/orders/o1", "wechat-pay", Value::Null).await, "unknown-order");
}

#[tokio::test]
async fn a_list_goes_on_from_its_cursor() {
    let centre = Centre::in_memory();
    for number in 0..103 {
        let order = json!({"id": format!("o{number}"), "kind": "read", "plastic": true});
        centre.ok("POST", "/v1/orders", "alipay", order).await;
    }
    let first = centre.ok("GET", "/v1/orders", "alipay", Value::Null).await;
    assert_eq!(first["orders"].as_array().unwrap().len(), 100);
    let next = format!("/v1/orders?after={}", first["next"]);
    let rest = centre.ok("GET", &next, "alipay", Value::Null).await;
    assert_eq!(rest["orders"].as_array().unwrap().len(), 3);
    assert_eq!((&rest["orders"][2]["id"], rest.get("next")), (&json!("o102"), None));
    let (status, answer) = centre.send("GET", "/v1/orders?after=x", "alipay", "").await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("query-malformed")));
}

#[tokio::test]
async fn orders_and_numbers_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let card = {
        let centre = Centre::in_folder(folder.path(), 1);
        centre.ok("POST", "/v1/cards", "alipay", new_card("c1", "2000")).await
    };
    let centre = Centre::in_folder(folder.path(), 2);
    assert_eq!(centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await, card);
    let next = centre.ok("POST", "/v1/cards", "alipay", new_card("c2", "2000")).await;
    assert_eq!(next["number"], "2000000000000002");
}

#[tokio::test]
async fn a_centre_without_demo_refuses_the_published_keys() {
    use std::sync::Arc;
    struct Still;
    impl model::Clock for Still {
        fn now(&self) -> model::CardTime {
            "2014-10-20 07:45:00".parse().unwrap()
        }
    }
    let config = centre::Config {
        registry: support::registry(),
        keys: Arc::new(keys::SoftwareKeys::demo()),
        clock: Arc::new(Still),
        entropy: Box::new(keys::Seeded::new(1)),
        storage: centre::Storage::Memory,
        demo: false,
    };
    assert!(matches!(centre::Core::open(config), Err(centre::OpenError::DemoKeys)));
}
