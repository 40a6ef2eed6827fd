//! A channel's load of a plastic card, paid by a wallet: done, torn, in doubt, and every way to get one without paying.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use std::sync::Arc;

use model::registry::Registry;
use serde_json::{Value, json};
use support::phone::{CREDIT, Cutting, Losing, Loss, balance, phone, plastic};
use support::{Centre, registry};

const CHANNEL: &str = "channel:elechong";
const CITY: &str = "2140";
const SE: &str = "3B00";
const AID: &str = "A00000000386980701";

fn number(running: u8) -> String {
    format!("{CITY}9900000000{running:02X}")
}

fn ask(id: &str, running: u8, amount: u32) -> Value {
    json!({"id": id, "wallet": "alipay", "city": CITY, "card_number": number(running), "amount_fen": amount})
}

async fn asked(centre: &Centre, id: &str, running: u8, amount: u32) -> Value {
    centre.ok("POST", "/v1/channel-orders", CHANNEL, ask(id, running, amount)).await
}

fn pay(id: &str, of: &str, amount: u32) -> Value {
    json!({"id": id, "kind": "load", "plastic": true, "amount_fen": amount,
           "paid": {"amount_fen": amount, "reference": format!("pay-{id}")},
           "channel": {"id": "elechong", "order": of}})
}

async fn paid(centre: &Centre, id: &str, of: &str, amount: u32) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", pay(id, of, amount)).await
}

/// What the channel itself sees.
async fn seen(centre: &Centre, id: &str) -> Value {
    centre.ok("GET", &format!("/v1/channel-orders/elechong/{id}"), CHANNEL, Value::Null).await
}

/// paid-in, float, doubt (pending), refunds, and what the wallet, the issuer and the channel get.
fn books(centre: &Centre) -> [i64; 7] {
    centre.core.verify_books().unwrap();
    let of = |name: &str| centre.account(name).0;
    let [wallet, issuer, channel] =
        ["wallet:alipay", "issuer:2140", "channel:elechong"].map(|p| of(&format!("due:{p}")));
    assert_eq!(wallet + issuer + channel, 0, "positions sum to zero");
    assert_eq!(
        of("paid-in:alipay") - of("float:2140") - of("refunds:alipay"),
        0,
        "paid in = purses + refunds"
    );
    let doubt = centre.account("doubt:2140").1;
    [of("paid-in:alipay"), of("float:2140"), doubt, of("refunds:alipay"), wallet, issuer, channel]
}

/// 5000 fen: the wallet keeps 25 of them and owes the channel 2 per mille and 5 fen.
const LOADED: [i64; 7] = [5000, 5000, 0, 0, -4990, 4975, 15];

#[tokio::test]
async fn a_load_that_a_channel_asked_for_and_a_wallet_paid_is_booked_with_the_channels_fee() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = asked(&centre, "c1", 1, 5000).await;
    assert_eq!((&order["state"], &order["fee_fen"]), (&json!("awaiting_payment"), &json!(15)));
    assert!(order["order"].is_null(), "there is no session before it is paid");
    assert_eq!(asked(&centre, "c1", 1, 5000).await, order, "asked again is asked once");
    let wallets = centre.ok("GET", "/v1/channel-orders/elechong/c1", "alipay", Value::Null).await;
    assert_eq!(wallets, order, "the wallet sees what it is to pay");
    let payment = paid(&centre, "w1", "c1", 5000).await;
    assert_eq!(paid(&centre, "w1", "c1", 5000).await, payment, "paid again is paid once");
    let order = seen(&centre, "c1").await;
    assert_eq!((&order["state"], &order["order"]["session"]), (&json!("paid"), &payment["session"]));
    assert_eq!(books(&centre), [0; 7], "nothing moves before a card is there");
    assert_eq!(centre.carry_out(&order["order"], SE, &mut card).await, "done");
    assert_eq!(balance(&mut card, AID), 5000);
    assert_eq!(seen(&centre, "c1").await["order"]["state"], "done");
    assert_eq!(centre.order("w1").await["state"], "done");
    assert_eq!(books(&centre), LOADED);
    // Once more, by either side: nothing moves.
    assert_eq!(centre.carry_out(&order["order"], SE, &mut card).await, "done");
    assert_eq!((balance(&mut card, AID), books(&centre)), (5000, LOADED));
}

#[tokio::test]
async fn a_card_torn_at_any_command_gets_the_load_once_and_the_channel_its_fee_once() {
    for left in 0..12 {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        asked(&centre, "c1", 1, 5000).await;
        let order = paid(&centre, "w1", "c1", 5000).await;
        let mut cutting = Cutting { card: &mut card, left };
        let told = centre.carry_out(&order, SE, &mut cutting).await;
        assert_eq!(books(&centre)[6], if told == "done" { 15 } else { 0 }, "{left}: {told}");
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done", "{left}");
        assert_eq!((balance(&mut card, AID), books(&centre)), (5000, LOADED), "{left}");
    }
}

#[tokio::test]
async fn a_doubt_keeps_the_fee_back_and_its_end_decides_over_both() {
    for (loss, state, books_then) in [
        (Loss::Before, "refused", [5700, 700, 0, 5000, -702, 696, 6]),
        (Loss::After, "done", [5700, 5700, 0, 0, -5692, 5671, 21]),
    ] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        asked(&centre, "c1", 1, 5000).await;
        let order = paid(&centre, "w1", "c1", 5000).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
        assert_eq!(books(&centre), [0, 0, 5000, 0, 0, 0, 0], "the money is named, nobody owes yet");
        assert_eq!(centre.account("due:channel:elechong"), (0, 15), "the fee is held with it");
        asked(&centre, "c2", 1, 700).await;
        let next = paid(&centre, "w2", "c2", 700).await;
        assert_eq!(centre.carry_out(&next, SE, &mut card).await, "done");
        assert_eq!(seen(&centre, "c1").await["order"]["state"], state);
        assert_eq!(books(&centre), books_then, "{loss:?}");
    }
}

#[tokio::test]
async fn a_cancelled_load_gives_the_channel_nothing() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    asked(&centre, "c1", 1, 5000).await;
    let order = paid(&centre, "w1", "c1", 5000).await;
    assert_eq!(centre.refused("POST", "/v1/orders/w1/cancel", CHANNEL, json!({})).await, "not-yours");
    centre.ok("POST", "/v1/orders/w1/cancel", "alipay", Value::Null).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "refused");
    assert_eq!((balance(&mut card, AID), books(&centre)), (0, [0; 7]));
    let again = pay("w2", "c1", 5000);
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", again).await, "channel-order-paid");
}

#[tokio::test]
async fn a_payment_is_of_the_named_wallet_and_amount_in_time_and_once() {
    let centre = Centre::in_memory();
    asked(&centre, "c1", 1, 5000).await;
    let refused = async |keyid: &str, body: Value| centre.refused("POST", "/v1/orders", keyid, body).await;
    assert_eq!(refused("wechat-pay", pay("x1", "c1", 5000)).await, "unknown-channel-order");
    assert_eq!(refused("alipay", pay("w1", "c1", 4999)).await, "channel-order-differs");
    assert_eq!(refused("alipay", pay("w1", "c9", 5000)).await, "unknown-channel-order");
    assert_eq!(refused(CHANNEL, pay("w1", "c1", 5000)).await, "not-yours");
    let mut short = pay("w1", "c1", 5000);
    short["paid"]["amount_fen"] = json!(4999);
    assert_eq!(refused("alipay", short).await, "paid-differs");
    let mut read = json!({"id": "w1", "kind": "read", "plastic": true});
    read["channel"] = json!({"id": "elechong", "order": "c1"});
    assert_eq!(refused("alipay", read).await, "field-not-expected");
    let (status, _) = centre.send("GET", "/v1/orders/w1", "alipay", "").await;
    assert_eq!((status, &seen(&centre, "c1").await["state"]), (404, &json!("awaiting_payment")));
    paid(&centre, "w1", "c1", 5000).await;
    assert_eq!(refused("alipay", pay("w2", "c1", 5000)).await, "channel-order-paid");
    assert_eq!(refused("alipay", pay("w1", "c2", 5000)).await, "id-taken", "one order pays one");
    // To the last second, and not a second longer.
    asked(&centre, "c2", 2, 5000).await;
    asked(&centre, "c3", 3, 5000).await;
    centre.clock.forward(15 * 60);
    paid(&centre, "w2", "c2", 5000).await;
    centre.clock.forward(1);
    assert_eq!(seen(&centre, "c3").await["state"], "expired");
    assert_eq!(refused("alipay", pay("w3", "c3", 5000)).await, "channel-order-expired");
    assert_eq!(seen(&centre, "c2").await["state"], "paid");
    assert_eq!(paid(&centre, "w2", "c2", 5000).await["id"], "w2", "an answer that was lost is given again");
}

#[tokio::test]
async fn only_the_named_card_is_loaded() {
    // The last is another city's card of the same number.
    for (mut other, number) in [
        (plastic(CITY, 2), number(1)),
        (plastic("2000", 1), number(1)),
        (plastic("2000", 1), "2000990000000001".to_owned()),
    ] {
        let centre = Centre::in_memory();
        let mut body = ask("c1", 1, 5000);
        body["card_number"] = json!(number);
        centre.ok("POST", "/v1/channel-orders", CHANNEL, body).await;
        let order = paid(&centre, "w1", "c1", 5000).await;
        assert_eq!(centre.carry_out(&order, SE, &mut other).await, "refused");
        assert_eq!(centre.order("w1").await["problem"]["code"], "card-is-another");
        assert_eq!((balance(&mut other, AID), books(&centre)), (0, [0; 7]));
    }
}

#[tokio::test]
async fn a_channel_asks_within_its_agreements_and_cities_and_each_refusal_has_its_code() {
    let centre = Centre::in_memory();
    let with = |field: &str, value: Value| {
        let mut body = ask("c1", 1, 5000);
        body[field] = value;
        body
    };
    for (body, code) in [
        (with("wallet", json!("wechat-pay")), "channel-wallet"),
        (with("wallet", json!("nobody")), "channel-wallet"),
        (with("city", json!("2000")), "channel-city"),
        (with("city", json!("9999")), "unknown-city"),
        (with("card_number", json!("21409900")), "card-number-malformed"),
        (with("amount_fen", json!(0)), "amount-not-positive"),
        (with("amount_fen", json!(-5)), "amount-not-positive"),
        (with("amount_fen", json!(20_001)), "amount-over-limit"),
        (with("amount_fen", json!(0.5)), "amount-not-whole-fen"),
        (with("id", json!("a/b")), "id-malformed"),
        (with("payment_password", json!("123456")), "body-malformed"),
    ] {
        assert_eq!(centre.refused("POST", "/v1/channel-orders", CHANNEL, body).await, code);
    }
    for keyid in ["alipay", "city:2140", "centre"] {
        let code = centre.refused("POST", "/v1/channel-orders", keyid, ask("c1", 1, 5000)).await;
        assert_eq!(code, "not-yours", "{keyid}");
    }
    for path in ["/v1/orders", "/v1/cases", "/v1/events", "/v1/days/2014-10-20/match"] {
        assert_eq!(centre.refused("GET", path, CHANNEL, Value::Null).await, "not-yours", "{path}");
    }
    asked(&centre, "c1", 1, 5000).await;
    let taken = centre.refused("POST", "/v1/channel-orders", CHANNEL, ask("c1", 1, 5001)).await;
    assert_eq!(taken, "id-taken");
    let path = "/v1/channel-orders/elechong/c1";
    assert_eq!(centre.refused("GET", path, "wechat-pay", Value::Null).await, "unknown-channel-order");
    assert_eq!(centre.refused("GET", path, "city:2140", Value::Null).await, "not-yours");
    let list = async |keyid: &str| centre.ok("GET", "/v1/channel-orders", keyid, Value::Null).await;
    for (keyid, count) in [(CHANNEL, 1), ("alipay", 1), ("wechat-pay", 0)] {
        assert_eq!(list(keyid).await["orders"].as_array().unwrap().len(), count, "{keyid}");
    }
}

#[tokio::test]
async fn a_card_on_a_phone_is_loaded_only_where_the_channel_may() {
    for virtual_cards in [false, true] {
        let text = file("channels/elechong.toml");
        let text = text.replacen("cities =", &format!("virtual_cards = {virtual_cards}\ncities ="), 1);
        let centre = with_file("channels/elechong.toml", text);
        let model = support::phone_id();
        let body =
            json!({"id": "k1", "user": "u", "city": CITY, "phone": model, "se_id": "4805A00000000001"});
        let card = centre.ok("POST", "/v1/cards", "alipay", body).await;
        let fee = registry().city(CITY.parse().unwrap()).unwrap().card.issue_fee_fen.get();
        let mut issue = json!({"id": "i1", "kind": "issue", "card": "k1"});
        if fee > 0 {
            issue["paid"] = json!({"amount_fen": fee, "reference": "p"});
        }
        let issue = centre.ok("POST", "/v1/orders", "alipay", issue).await;
        let mut phone = phone(&model, 1);
        assert_eq!(centre.carry_out(&issue, "4805A00000000001", &mut phone).await, "done");
        let mut body = ask("c1", 1, 5000);
        body["card_number"] = card["number"].clone();
        if virtual_cards {
            centre.ok("POST", "/v1/channel-orders", CHANNEL, body).await;
            let order = paid(&centre, "w1", "c1", 5000).await;
            assert_eq!(centre.carry_out(&order, "4805A00000000001", &mut phone).await, "done");
            assert_eq!(centre.account("due:channel:elechong"), (15, 0));
        } else {
            let code = centre.refused("POST", "/v1/channel-orders", CHANNEL, body).await;
            assert_eq!(code, "channel-virtual-card");
        }
    }
}

fn file(path: &str) -> String {
    registry().files().find(|(p, _)| *p == path).unwrap().1.to_owned()
}

fn with_file(path: &str, text: String) -> Centre {
    Centre::of(Registry::clone(&registry()).overlay([(path, text)]).unwrap())
}

fn limited(from: &str, to: &str) -> Centre {
    let text = file("channels/elechong.toml");
    assert!(text.contains(from));
    with_file("channels/elechong.toml", text.replace(from, to))
}

fn wallet_limited(limits: &str) -> Centre {
    let text =
        format!("name = {{ zh = \"支付宝\", en = \"Alipay\" }}\nmax_order_fen = 50000\n[limits]\n{limits}\n");
    with_file("wallets/alipay.toml", text)
}

#[tokio::test]
async fn the_wallets_net_debit_cap_covers_the_channels_fee_before_the_card_gets_anything() {
    for (cap, told, held) in [(4990, "done", 5000), (4989, "refused", 0)] {
        let centre = wallet_limited(&format!("net_debit_cap_fen = {cap}"));
        let mut card = plastic(CITY, 1);
        asked(&centre, "c1", 1, 5000).await;
        let order = paid(&centre, "w1", "c1", 5000).await;
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, told, "{cap}");
        assert_eq!((balance(&mut card, AID), books(&centre)[1]), (held, held.into()), "{cap}");
    }
}

#[tokio::test]
async fn a_channels_limits_hold_to_the_fen_and_what_came_to_nothing_gives_its_room_back() {
    let code = async |centre: &Centre, id: &str, running, fen| {
        let (_, answer) =
            centre.send("POST", "/v1/channel-orders", CHANNEL, ask(id, running, fen).to_string()).await;
        answer["code"].as_str().unwrap_or("ok").to_owned()
    };
    for (from, to, other_card, refusal) in [
        ("card_day_fen = 50000", "card_day_fen = 10000", "ok", "limit-channel-card-day"),
        ("channel_day_fen = 100000000", "channel_day_fen = 10000", "limit-channel-day", "limit-channel-day"),
    ] {
        let centre = limited(from, to);
        assert_eq!(code(&centre, "1", 1, 9_999).await, "ok");
        assert_eq!(code(&centre, "2", 1, 2).await, refusal);
        assert_eq!(code(&centre, "3", 1, 1).await, "ok");
        assert_eq!(code(&centre, "1", 1, 9_999).await, "ok", "asked again takes no new room");
        assert_eq!(code(&centre, "4", 2, 1).await, other_card);
        // What is paid counts past its time, what is not counts no longer, nor what was taken back.
        paid(&centre, "w1", "1", 9_999).await;
        centre.clock.forward(15 * 60 + 1);
        assert_eq!(code(&centre, "5", 1, 1).await, "ok");
        assert_eq!(code(&centre, "6", 1, 1).await, refusal);
        centre.ok("POST", "/v1/orders/w1/cancel", "alipay", Value::Null).await;
        assert_eq!(code(&centre, "6", 1, 9_999).await, "ok");
        centre.clock.forward(86_400);
        assert_eq!(code(&centre, "7", 1, 10_000).await, "ok");
    }
    let centre = limited("card_hour_orders = 6", "card_hour_orders = 2");
    for (id, running, expected) in
        [("1", 1, "ok"), ("2", 1, "ok"), ("3", 1, "limit-channel-card-hour"), ("3", 2, "ok")]
    {
        assert_eq!(code(&centre, id, running, 1).await, expected);
    }
    // The wallet's own limits hold beside them.
    let centre = wallet_limited("wallet_day_fen = 100");
    asked(&centre, "c1", 1, 101).await;
    let refusal = centre.refused("POST", "/v1/orders", "alipay", pay("w1", "c1", 101)).await;
    assert_eq!(
        (refusal.as_str(), &seen(&centre, "c1").await["state"]),
        ("limit-wallet-day", &json!("awaiting_payment"))
    );
}

#[tokio::test]
async fn a_channels_key_and_agreement_end_with_their_last_day() {
    let hex = "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb";
    let key = format!(
        "[[keys]]\nid = \"k1\"\nalg = \"ed25519\"\npublic_key = \"{hex}\"\n\
                       valid_until = 2014-10-19\n\n[[under]]"
    );
    let centre = limited("[[under]]", &key);
    assert_eq!(
        centre.refused("GET", "/v1/channel-orders", "channel:elechong#k1", Value::Null).await,
        "key-expired"
    );
    assert_eq!(
        centre.refused("GET", "/v1/channel-orders", "channel:elechong#k2", Value::Null).await,
        "key-unknown"
    );
    assert_eq!(
        centre.refused("GET", "/v1/channel-orders", "channel:nobody", Value::Null).await,
        "key-unknown"
    );
    assert_eq!(
        centre.refused("GET", "/v1/channel-orders", "bank:elechong", Value::Null).await,
        "key-unknown"
    );
    let centre = limited("from = 2014-06-18", "from = 2014-06-18\nto = 2014-10-20");
    asked(&centre, "c1", 1, 100).await;
    centre.clock.forward(86_400);
    let late = centre.refused("POST", "/v1/channel-orders", CHANNEL, ask("c2", 1, 100)).await;
    assert_eq!(late, "channel-wallet");
}

#[tokio::test]
async fn the_issuer_may_bear_the_fee_and_statement_settlement_and_match_show_it_once() {
    let centre = limited("borne_by = \"wallet\"", "borne_by = \"issuer\"");
    let mut card = plastic(CITY, 1);
    asked(&centre, "c1", 1, 5000).await;
    let order = paid(&centre, "w1", "c1", 5000).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!(books(&centre), [5000, 5000, 0, 0, -4975, 4960, 15]);
    let statement = "/v1/statements/channel:elechong/2014-10-20";
    let lines = centre.ok("GET", statement, CHANNEL, Value::Null).await;
    assert_eq!(lines["lines"].as_array().unwrap().len(), 1, "{lines}");
    assert_eq!((&lines["lines"][0]["amount_fen"], &lines["lines"][0]["memo"]), (&json!(15), &json!("w1")));
    assert_eq!(centre.refused("GET", statement, "alipay", Value::Null).await, "not-yours");
    let wallets = "/v1/statements/wallet:alipay/2014-10-20";
    assert_eq!(centre.refused("GET", wallets, CHANNEL, Value::Null).await, "not-yours");
    let day = centre.core.close_day("2014-10-20".parse().unwrap()).unwrap();
    let positions: Vec<_> = day.positions.iter().map(|(party, fen)| (party.as_str(), fen.get())).collect();
    assert_eq!(positions, [("channel:elechong", 15), ("issuer:2140", 4960), ("wallet:alipay", -4975)]);
    assert_eq!(day.positions.iter().map(|(_, fen)| fen.get()).sum::<i64>(), 0);
    centre.core.verify_books().unwrap();
}

/// Two wallets' servers at once, with the answer to each lost and asked for again: one order is placed.
fn raced(one: &Arc<Centre>, other: &Arc<Centre>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(asked(one, "c1", 1, 5000));
    let answers: Vec<(u16, Value)> = std::thread::scope(|threads| {
        let send = |centre: &Arc<Centre>, id: &'static str| {
            let centre = Arc::clone(centre);
            threads.spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let body = pay(id, "c1", 5000).to_string();
                runtime.block_on(centre.send("POST", "/v1/orders", "alipay", body))
            })
        };
        let both = [send(one, "w1"), send(other, "w2")];
        both.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let placed: Vec<&Value> =
        answers.iter().filter(|(status, _)| *status == 200).map(|(_, order)| order).collect();
    let refused: Vec<&Value> =
        answers.iter().filter(|(status, _)| *status == 409).map(|(_, p)| &p["code"]).collect();
    assert_eq!((placed.len(), refused), (1, vec![&json!("channel-order-paid")]));
    let mut card = plastic(CITY, 1);
    assert_eq!(runtime.block_on(other.carry_out(placed[0], SE, &mut card)), "done");
    assert_eq!(balance(&mut card, AID), 5000);
    assert_eq!((books(one), books(other)), (LOADED, LOADED));
}

#[test]
fn of_two_payments_at_once_one_is_placed() {
    let centre = Arc::new(Centre::in_memory());
    raced(&centre, &centre);
}

#[test]
fn of_two_payments_at_two_centres_on_one_postgresql_one_is_placed() {
    let Some(server) = postgres_server::shared() else { return };
    let url = server.database().unwrap();
    raced(&Arc::new(Centre::on_postgres(&url, 7)), &Arc::new(Centre::on_postgres(&url, 8)));
}
