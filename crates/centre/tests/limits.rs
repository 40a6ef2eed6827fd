//! A wallet's limits, each to the fen.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use model::registry::Registry;
use serde_json::{Value, json};
use support::{Centre, registry};

fn limited(limits: &str) -> Centre {
    let wallet =
        format!("name = {{ zh = \"支付宝\", en = \"Alipay\" }}\nmax_order_fen = 50000\n[limits]\n{limits}\n");
    Centre::of(Registry::clone(&registry()).overlay([("wallets/alipay.toml", wallet)]).unwrap())
}

/// Places a load of a plastic card; gives the code, or `ok`.
async fn load(centre: &Centre, id: &str, fen: u32) -> String {
    let body = json!({"id": id, "kind": "load", "plastic": true, "amount_fen": fen,
        "paid": {"amount_fen": fen, "reference": "p"}});
    let (_, answer): (u16, Value) = centre.send("POST", "/v1/orders", "alipay", body.to_string()).await;
    answer["code"].as_str().unwrap_or("ok").to_owned()
}

#[tokio::test]
async fn a_wallet_loads_to_the_last_fen_of_its_day_and_again_the_next() {
    let centre = limited("wallet_day_fen = 10000");
    assert_eq!(load(&centre, "1", 9_999).await, "ok");
    assert_eq!(load(&centre, "2", 2).await, "limit-wallet-day");
    assert_eq!(load(&centre, "3", 1).await, "ok");
    assert_eq!(load(&centre, "1", 9_999).await, "ok", "an order that is placed again takes no new room");
    assert_eq!(load(&centre, "4", 1).await, "limit-wallet-day");
    let (status, _) = centre.send("GET", "/v1/orders/4", "alipay", "").await;
    assert_eq!(status, 404, "nothing is written down");
    centre.clock.forward(86_400);
    assert_eq!(load(&centre, "4", 1).await, "ok");
}

/// A card of `user`, issued onto a phone of its own.
async fn card(centre: &Centre, id: &str, user: &str, serial: u8) {
    let model = support::phone_id();
    let mut phone = support::phone::phone(&model, serial);
    let se_id = format!("4805A000000000{serial:02X}");
    let body = json!({"id": id, "user": user, "city": "2000", "phone": model, "se_id": se_id});
    centre.ok("POST", "/v1/cards", "alipay", body).await;
    let fee = registry().city("2000".parse().unwrap()).unwrap().card.issue_fee_fen.get();
    let mut order = json!({"id": format!("issue-{id}"), "kind": "issue", "card": id});
    if fee > 0 {
        order["paid"] = json!({"amount_fen": fee, "reference": "p"});
    }
    let order = centre.ok("POST", "/v1/orders", "alipay", order).await;
    centre.carry_out(&order, &se_id, &mut phone).await;
}

async fn load_card(centre: &Centre, id: &str, card: &str, fen: u32) -> String {
    let body = json!({"id": id, "kind": "load", "card": card, "amount_fen": fen,
        "paid": {"amount_fen": fen, "reference": "p"}});
    let (_, answer): (u16, Value) = centre.send("POST", "/v1/orders", "alipay", body.to_string()).await;
    answer["code"].as_str().unwrap_or("ok").to_owned()
}

#[tokio::test]
async fn a_card_and_a_passenger_have_their_day_and_a_card_its_hour() {
    let centre = limited("card_day_fen = 1000\nuser_day_fen = 1500\ncard_hour_orders = 2");
    card(&centre, "a", "li", 1).await;
    card(&centre, "b", "li", 2).await;
    card(&centre, "c", "wang", 3).await;
    assert_eq!(load_card(&centre, "1", "a", 999).await, "ok");
    assert_eq!(load_card(&centre, "2", "a", 2).await, "limit-card-day");
    assert_eq!(load_card(&centre, "3", "a", 1).await, "ok");
    assert_eq!(load_card(&centre, "4", "b", 501).await, "limit-user-day");
    assert_eq!(load_card(&centre, "5", "b", 500).await, "ok");
    for (id, expected) in [("6", "ok"), ("7", "ok"), ("8", "limit-card-hour")] {
        assert_eq!(load_card(&centre, id, "c", 1).await, expected);
    }
    centre.clock.forward(3599);
    assert_eq!(load_card(&centre, "9", "c", 1).await, "limit-card-hour");
    centre.clock.forward(1);
    assert_eq!(load_card(&centre, "9", "c", 1).await, "ok");
}

/// Places a load and gives the code and `Retry-After`.
async fn refused_until(centre: &Centre, id: &str, fen: u32) -> (String, Option<u32>) {
    let body = json!({"id": id, "kind": "load", "card": "a", "amount_fen": fen,
        "paid": {"amount_fen": fen, "reference": "p"}});
    let ask = support::Ask {
        method: "POST",
        path: "/v1/orders",
        keyid: "alipay",
        body: body.to_string().into_bytes(),
    };
    let (_, headers, body) = centre.raw(centre.signed(&ask)).await;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let after = headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (answer["code"].as_str().unwrap_or("ok").to_owned(), after)
}

#[tokio::test]
async fn who_is_refused_for_a_time_hears_for_how_long_and_then_has_room() {
    let centre = limited("card_hour_orders = 2\ncard_day_fen = 1000");
    card(&centre, "a", "li", 1).await;
    assert_eq!(refused_until(&centre, "1", 1).await, ("ok".into(), None));
    centre.clock.forward(100);
    assert_eq!(refused_until(&centre, "2", 1).await, ("ok".into(), None));
    centre.clock.forward(500);
    assert_eq!(refused_until(&centre, "3", 1).await, ("limit-card-hour".into(), Some(3000)));
    centre.clock.forward(2999);
    assert_eq!(refused_until(&centre, "3", 1).await, ("limit-card-hour".into(), Some(1)));
    centre.clock.forward(1);
    assert_eq!(refused_until(&centre, "3", 1).await, ("ok".into(), None));
    // The day's room is there again at midnight: it is 8:45 now; for more than a day's it is never there.
    assert_eq!(refused_until(&centre, "4", 998).await, ("limit-card-day".into(), Some(15 * 3600 + 900)));
    assert_eq!(refused_until(&centre, "4", 1001).await, ("limit-card-day".into(), None));
    centre.clock.forward(15 * 3600 + 900);
    assert_eq!(refused_until(&centre, "4", 998).await, ("ok".into(), None));
}

#[tokio::test]
async fn what_is_owed_for_a_known_card_is_judged_when_the_order_is_placed() {
    let fee = registry().city("2000".parse().unwrap()).unwrap().card.issue_fee_fen.get();
    // Of 1000 fen the wallet keeps 5; a card's price it keeps nothing of.
    let centre = limited(&format!("net_debit_cap_fen = {}", fee + 995));
    card(&centre, "a", "li", 1).await;
    assert_eq!(load_card(&centre, "1", "a", 1001).await, "net-debit-cap");
    assert_eq!(load_card(&centre, "1", "a", 1000).await, "ok");
}
