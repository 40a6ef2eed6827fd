//! The net debit cap of a wallet's unsettled debt: to the fen, at once, on both databases.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use std::sync::Arc;

use model::registry::Registry;
use serde_json::{Value, json};
use support::phone::{CREDIT, Losing, Loss, balance, plastic};
use support::{Centre, registry};
use tokio::runtime::Runtime;

const CITY: &str = "2000";
const SE: &str = "3B00";
const AID: &str = "A00000000386980701";
/// What Alipay owes for a load of 5000 fen: it keeps 5 per mille.
const OWED: i64 = 4975;

fn capped(cap_fen: i64) -> Registry {
    let wallet = format!(
        "name = {{ zh = \"支付宝\", en = \"Alipay\" }}\nmax_order_fen = 50000\n[limits]\nnet_debit_cap_fen = {cap_fen}\n"
    );
    Registry::clone(&registry()).overlay([("wallets/alipay.toml", wallet)]).unwrap()
}

fn load(id: &str) -> Value {
    json!({"id": id, "kind": "load", "plastic": true, "amount_fen": 5000,
           "paid": {"amount_fen": 5000, "reference": format!("pay-{id}")}})
}

/// What the wallet owes, booked and held.
fn debt(centre: &Centre) -> (i64, i64) {
    centre.core.verify_books().unwrap();
    let balances = centre.core.balances().unwrap();
    let balance = balances.get(&"due:wallet:alipay".parse().unwrap()).copied().unwrap_or_default();
    (balance.credit().get(), balance.available().get())
}

#[tokio::test]
async fn a_load_to_the_last_fen_is_done_and_the_next_order_is_not_even_placed_until_the_day_is_closed() {
    let centre = Centre::of(capped(OWED));
    let (mut one, mut other) = (plastic(CITY, 1), plastic(CITY, 2));
    let order = centre.ok("POST", "/v1/orders", "alipay", load("a")).await;
    assert_eq!(centre.carry_out(&order, SE, &mut one).await, "done");
    assert_eq!(debt(&centre), (-OWED, -OWED));
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", load("b")).await, "net-debit-cap");
    assert_eq!(centre.send("GET", "/v1/orders/b", "alipay", "").await.0, 404, "nothing is written down");
    assert_eq!(
        centre.ok("POST", "/v1/orders", "alipay", load("a")).await["state"],
        "done",
        "placed is placed"
    );
    centre.clock.forward(86_400);
    assert_eq!(
        centre.refused("POST", "/v1/orders", "alipay", load("b")).await,
        "net-debit-cap",
        "not yet settled"
    );
    centre.core.close_day("2014-10-20".parse().unwrap()).unwrap();
    assert_eq!(debt(&centre), (0, 0));
    let order = centre.ok("POST", "/v1/orders", "alipay", load("b")).await;
    assert_eq!(centre.carry_out(&order, SE, &mut other).await, "done");
}

#[tokio::test]
async fn one_fen_over_is_refused_before_anything_is_held_or_leaves() {
    let centre = Centre::of(capped(OWED - 1));
    let mut card = plastic(CITY, 1);
    let order = centre.ok("POST", "/v1/orders", "alipay", load("a")).await;
    // Whose card it is shows when it is held to the phone, and with it the fee.
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "refused");
    let order = centre.order("a").await;
    assert_eq!(
        (&order["state"], &order["problem"]["code"]),
        (&json!("refused"), &json!("net-debit-cap")),
        "{order}"
    );
    assert_eq!((balance(&mut card, AID), debt(&centre)), (0, (0, 0)));
    for account in ["paid-in:alipay", "doubt:2000", "refunds:alipay"] {
        assert_eq!(centre.account(account), (0, 0), "{account}");
    }
    assert_eq!(
        centre.carry_out(&order, SE, &mut card).await,
        "refused",
        "a phone that asks again hears the same"
    );
    assert_eq!(balance(&mut card, AID), 0);
}

#[tokio::test]
async fn a_load_in_doubt_holds_its_room_until_the_card_has_settled_it() {
    let centre = Centre::of(capped(OWED));
    let mut card = plastic(CITY, 1);
    let order = centre.ok("POST", "/v1/orders", "alipay", load("a")).await;
    let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::Before)) };
    assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
    assert_eq!(debt(&centre), (0, -OWED));
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", load("b")).await, "net-debit-cap");
    // The same order goes on in the room that it holds.
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!((balance(&mut card, AID), debt(&centre)), (5000, (-OWED, -OWED)));
}

/// Two orders that fit one by one and not together, placed first and then carried out at once.
fn at_once(one: &Arc<Centre>, other: &Arc<Centre>) {
    let runtime = Runtime::new().unwrap();
    let orders: Vec<Value> = runtime.block_on(async {
        let first = one.ok("POST", "/v1/orders", "alipay", load("a")).await;
        vec![first, other.ok("POST", "/v1/orders", "alipay", load("b")).await]
    });
    let ends: Vec<(String, u32)> = std::thread::scope(|threads| {
        let run = |(centre, order, running): (&Arc<Centre>, Value, u8)| {
            let centre = Arc::clone(centre);
            threads.spawn(move || {
                let mut card = plastic(CITY, running);
                let end = Runtime::new().unwrap().block_on(centre.carry_out(&order, SE, &mut card));
                (end, balance(&mut card, AID))
            })
        };
        let [first, second] = orders.try_into().unwrap();
        let running = [run((one, first, 1)), run((other, second, 2))];
        running.map(|thread| thread.join().unwrap()).to_vec()
    });
    let mut ends: Vec<(&str, u32)> = ends.iter().map(|(end, fen)| (end.as_str(), *fen)).collect();
    ends.sort_unstable();
    assert_eq!(ends, [("done", 5000), ("refused", 0)]);
    assert_eq!(debt(one), (-OWED, -OWED));
    assert_eq!(one.account("float:2000"), (5000, 0));
}

#[test]
fn of_two_loads_at_once_that_fit_one_by_one_only_one_is_done_on_sqlite() {
    let centre = Arc::new(Centre::of(capped(2 * OWED - 1)));
    at_once(&centre, &centre);
}

#[test]
fn of_two_loads_at_once_at_two_centres_on_postgresql_only_one_is_done() {
    let Some(server) = postgres_server::shared() else { return };
    let url = server.database().unwrap();
    let centre = |seed| Arc::new(Centre::of_on_postgres(capped(2 * OWED - 1), &url, seed));
    at_once(&centre(7), &centre(8));
}
