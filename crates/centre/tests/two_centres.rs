//! Two centres on one PostgreSQL at once: whichever of them a wallet or a phone reaches, money moves once.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use std::sync::Arc;

use serde_json::json;
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, balance, phone, plastic, plastic_load};
use tokio::runtime::Runtime;

const CITY: &str = "2000";
const SE: &str = "3B00";
const AID: &str = "A00000000386980701";

/// Two centres on a fresh database of a real server; `None` where there is no server, which is said aloud.
fn two() -> Option<(Arc<Centre>, Arc<Centre>)> {
    let url = postgres_server::shared()?.database().unwrap();
    Some((Arc::new(Centre::on_postgres(&url, 7)), Arc::new(Centre::on_postgres(&url, 8))))
}

#[test]
fn an_order_placed_at_one_is_carried_out_at_the_other_and_stands_in_both_books() {
    let Some((one, other)) = two() else { return };
    let runtime = Runtime::new().unwrap();
    let mut card = plastic(CITY, 1);
    runtime.block_on(async {
        let order = one.ok("POST", "/v1/orders", "alipay", plastic_load("o1", 5000)).await;
        assert_eq!(other.ok("POST", "/v1/orders", "alipay", plastic_load("o1", 5000)).await, order);
        assert_eq!(other.refused("POST", "/v1/orders", "alipay", plastic_load("o1", 5001)).await, "id-taken");
        assert_eq!(other.carry_out(&order, SE, &mut card).await, "done");
        assert_eq!(one.order("o1").await["state"], "done");
        assert_eq!(one.carry_out(&order, SE, &mut card).await, "done");
    });
    assert_eq!(balance(&mut card, AID), 5000);
    for centre in [&one, &other] {
        centre.core.verify_books().unwrap();
        assert_eq!(centre.account("float:2000"), (5000, 0));
    }
}

#[test]
fn a_load_in_doubt_at_one_is_settled_at_the_other() {
    let Some((one, other)) = two() else { return };
    let runtime = Runtime::new().unwrap();
    let mut card = plastic(CITY, 2);
    runtime.block_on(async {
        let order = one.ok("POST", "/v1/orders", "alipay", plastic_load("o1", 700)).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::After)) };
        assert_eq!(one.carry_out(&order, SE, &mut losing).await, "in_doubt");
        assert_eq!(other.order("o1").await["state"], "in_doubt");
        assert_eq!(other.carry_out(&order, SE, &mut card).await, "done");
    });
    assert_eq!(balance(&mut card, AID), 700);
    assert_eq!(one.account("float:2000"), (700, 0));
}

#[test]
fn loads_at_both_at_once_lose_nothing_and_double_nothing() {
    const EACH: u8 = 12;
    let Some((one, other)) = two() else { return };
    std::thread::scope(|threads| {
        for (name, centre) in [("a", &one), ("b", &other)] {
            threads.spawn(move || {
                let runtime = Runtime::new().unwrap();
                let first = if name == "a" { 10 } else { 60 };
                for running in first..first + EACH {
                    let mut card = plastic(CITY, running);
                    let id = format!("{name}-{running}");
                    runtime.block_on(async {
                        let order = centre.ok("POST", "/v1/orders", "alipay", plastic_load(&id, 100)).await;
                        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
                        // The same id from everyone at once is one order.
                        centre
                            .ok(
                                "POST",
                                "/v1/orders",
                                "wechat-pay",
                                plastic_load(&format!("both-{}", running % 50), 50),
                            )
                            .await;
                    });
                    assert_eq!(balance(&mut card, AID), 100);
                }
            });
        }
    });
    one.core.verify_books().unwrap();
    assert_eq!(one.account("float:2000"), (i64::from(EACH) * 2 * 100, 0));
    assert_eq!(other.account("doubt:2000"), (0, 0));
}

#[test]
fn a_nonce_used_at_one_is_used_at_the_other() {
    let Some((one, other)) = two() else { return };
    let runtime = Runtime::new().unwrap();
    let ask = support::Ask { method: "GET", path: "/v1/orders", keyid: "alipay", body: Vec::new() };
    let sent = || support::signed_as(&ask, "once", one.unix());
    runtime.block_on(async {
        assert_eq!(one.json(sent()).await.0, 200);
        let (status, answer) = other.json(sent()).await;
        assert_eq!((status, &answer["code"]), (401, &json!("signature-replayed")));
    });
}

/// A move whose phones reach now the one centre, now the other, and are cut on both sides.
#[test]
fn a_move_begun_at_one_is_gone_on_with_at_the_other() {
    let Some((one, other)) = two() else { return };
    let runtime = Runtime::new().unwrap();
    let model = support::phone_id();
    let (mut old, mut new) = (phone(&model, 1), phone(&model, 2));
    let (old_id, new_id) = (old.se_id(), new.se_id());
    runtime.block_on(async {
        for (id, se_id) in [("c1", &old_id), ("c2", &new_id)] {
            let card = json!({"id": id, "user": "u", "city": CITY, "phone": model, "se_id": se_id});
            one.ok("POST", "/v1/cards", "alipay", card).await;
        }
        let issue = json!({"id": "i1", "kind": "issue", "card": "c1"});
        let issue = one.ok("POST", "/v1/orders", "alipay", issue).await;
        assert_eq!(other.carry_out(&issue, &old_id, &mut old).await, "done");
        let load = json!({"id": "o1", "kind": "load", "card": "c1", "amount_fen": 700,
                          "paid": {"amount_fen": 700, "reference": "p1"}});
        let load = one.ok("POST", "/v1/orders", "alipay", load).await;
        assert_eq!(one.carry_out(&load, &old_id, &mut old).await, "done");
        let order = json!({"id": "m1", "kind": "move", "card": "c1", "to": "c2"});
        let order = one.ok("POST", "/v1/orders", "alipay", order).await;
        let mut losing = Losing { card: &mut old, at: Some((0x54, Loss::After)) };
        assert_eq!(one.carry_out(&order, &old_id, &mut losing).await, "in_doubt");
        assert_eq!(other.carry_out(&order, &old_id, &mut old).await, "running");
        let mut losing = Losing { card: &mut new, at: Some((CREDIT, Loss::Before)) };
        assert_eq!(other.carry_out(&order, &new_id, &mut losing).await, "in_doubt");
        assert_eq!(one.carry_out(&order, &new_id, &mut new).await, "done");
    });
    assert_eq!(balance(&mut new, "A00000000386980701200001"), 700);
    for centre in [&one, &other] {
        centre.core.verify_books().unwrap();
        assert_eq!((centre.account("float:2000"), centre.account("doubt:2000")), ((700, 0), (0, 0)));
    }
}
