//! Orders taken back, at every point where they may be; and two centres on one store, of which one goes on.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::PlasticCard;
use serde_json::{Value, json};
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, balance, element, phone, plastic};
use tsm::agent::Agent;
use tsm::seram::AgentReport;

const PLASTIC: &str = "A00000000386980701";
const CITY: &str = "2000";
const SE: &str = "3B00";

async fn placed(centre: &Centre, id: &str, amount: u32) -> Value {
    let order = json!({"id": id, "kind": "load", "plastic": true, "amount_fen": amount,
                       "paid": {"amount_fen": amount, "reference": format!("pay-{id}")}});
    centre.ok("POST", "/v1/orders", "alipay", order).await
}

async fn cancel(centre: &Centre, id: &str) -> Value {
    centre.ok("POST", &format!("/v1/orders/{id}/cancel"), "alipay", Value::Null).await
}

/// A phone carries an order on until it holds the card's offer, which the centre has not seen: the session, the report.
async fn offered<'a>(centre: &Centre, order: &'a Value, card: &mut PlasticCard) -> (&'a str, AgentReport) {
    let session = order["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(SE));
    centre.shake_hands(session, &agent).await;
    let mut report = AgentReport::polling();
    for _ in 0..2 {
        report = agent.run(&centre.report(session, &report).await, card).report;
    }
    (session, report)
}

async fn not_cancelled(centre: &Centre, id: &str) -> String {
    centre.refused("POST", &format!("/v1/orders/{id}/cancel"), "alipay", Value::Null).await
}

/// paid-in with what is held, float, refunds.
fn books(centre: &Centre) -> ((i64, i64), i64, i64) {
    centre.core.verify_books().unwrap();
    let of = |name: &str| centre.account(name);
    (of("paid-in:alipay"), of("float:2000").0, of("refunds:alipay").0)
}

#[tokio::test]
async fn an_order_that_no_phone_came_for_is_taken_back_once() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = placed(&centre, "o1", 700).await;
    assert_eq!(order["advice"]["code"], "hold-card");
    let first = cancel(&centre, "o1").await;
    assert_eq!((&first["state"], &first["problem"]["code"]), (&json!("refused"), &json!("cancelled")));
    assert_eq!(first["advice"], Value::Null);
    assert_eq!(cancel(&centre, "o1").await, first, "again is the same");
    // A phone that comes late is told so, and the card gets nothing.
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "refused");
    assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, ((0, 0), 0, 0)));
    assert_eq!(not_cancelled(&centre, "o9").await, "unknown-order");
    let path = "/v1/orders/o1/cancel";
    assert_eq!(centre.refused("POST", path, "baidu-wallet", Value::Null).await, "unknown-order");
}

#[tokio::test]
async fn an_order_cut_before_its_money_left_is_taken_back_and_its_phone_is_stopped() {
    for ins in [0xA4, 0x5C, 0x50] {
        for loss in [Loss::Before, Loss::After] {
            let centre = Centre::in_memory();
            let mut card = plastic(CITY, 1);
            let order = placed(&centre, "o1", 700).await;
            let mut losing = Losing { card: &mut card, at: Some((ins, loss)) };
            assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "running");
            assert_eq!(centre.order("o1").await["advice"]["code"], "hold-again");
            assert_eq!(cancel(&centre, "o1").await["state"], "refused", "{ins:02X} {loss:?}");
            assert_eq!(centre.carry_out(&order, SE, &mut card).await, "refused");
            assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, ((0, 0), 0, 0)));
        }
    }
}

#[tokio::test]
async fn a_session_under_way_ends_when_its_order_is_taken_back() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = placed(&centre, "o1", 700).await;
    let (session, report) = offered(&centre, &order, &mut card).await;
    cancel(&centre, "o1").await;
    // The card's offer comes back, and is not taken.
    assert!(centre.report(session, &report).await.ends());
    assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, ((0, 0), 0, 0)));
}

#[tokio::test]
async fn an_order_in_doubt_is_not_taken_back_until_the_card_has_spoken() {
    for (loss, code, held) in [(Loss::Before, "done", 700), (Loss::After, "done", 700)] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        let order = placed(&centre, "o1", 700).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        centre.carry_out(&order, SE, &mut losing).await;
        assert_eq!(not_cancelled(&centre, "o1").await, "order-in-doubt");
        let stored = centre.order("o1").await;
        assert_eq!(stored["advice"]["code"], "hold-again-safe");
        assert!(stored["advice"]["text_zh"].as_str().unwrap().contains("不要重复付款"));
        let steps: Vec<_> =
            stored["steps"].as_array().unwrap().iter().map(|s| (&s["name"], &s["state"])).collect();
        let expected = [("placed", "done"), ("contact", "done"), ("reserve", "done"), ("prove", "in_doubt")];
        assert_eq!(json!(steps), json!(expected));
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, code);
        assert_eq!(not_cancelled(&centre, "o1").await, "order-over");
        assert_eq!((balance(&mut card, PLASTIC), books(&centre).1), (held, 700));
        assert_eq!(centre.order("o1").await["steps"][3]["state"], "done");
    }
}

/// The link is cut at every command of an issue; what is on the phone then is taken off, or made anew.
#[tokio::test]
async fn a_half_made_card_of_a_cancelled_issue_is_deletable_or_taken_up_by_the_next_issue() {
    let model = support::phone_id();
    let ask = async |centre: &Centre, id: &str, kind: &str| {
        let mut order = json!({"id": id, "kind": kind, "card": "c1"});
        let fee = centre.core.registry().city(CITY.parse().unwrap()).unwrap().card.issue_fee_fen.get();
        if kind == "issue" && fee > 0 {
            order["paid"] = json!({"amount_fen": fee, "reference": id});
        }
        centre.ok("POST", "/v1/orders", "alipay", order).await
    };
    for ins in [0xA4, 0x50, 0x82, 0xE6, 0xD8, 0xE2, 0xF0] {
        for loss in [Loss::Before, Loss::After] {
            for then in ["delete", "issue"] {
                let centre = Centre::in_memory();
                let mut chip = phone(&model, 1);
                let se_id = chip.se_id();
                let card = json!({"id": "c1", "user": "u", "city": CITY, "phone": model, "se_id": se_id});
                centre.ok("POST", "/v1/cards", "alipay", card).await;
                let issue = ask(&centre, "i1", "issue").await;
                let mut losing = Losing { card: &mut chip, at: Some((ins, loss)) };
                assert_eq!(
                    centre.carry_out(&issue, &se_id, &mut losing).await,
                    "running",
                    "{ins:02X} {loss:?}"
                );
                assert_eq!(cancel(&centre, "i1").await["state"], "refused");
                assert_eq!(books(&centre).0, (books(&centre).2, 0), "the fee goes back");
                let next = ask(&centre, "n1", then).await;
                assert_eq!(
                    centre.carry_out(&next, &se_id, &mut chip).await,
                    "done",
                    "{then} {ins:02X} {loss:?}"
                );
                let state = centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await["state"].clone();
                assert_eq!(state, if then == "delete" { "deleted" } else { "issued" });
            }
        }
    }
}

/// Two processes on one store, each with a phone at the same order: the card is credited once.
#[tokio::test]
async fn of_two_centres_with_the_same_order_one_reserves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Centre::in_folder(folder.path(), 1), Centre::in_folder(folder.path(), 2));
    let mut card = plastic(CITY, 1);
    let order = placed(&first, "o1", 900).await;
    let session = order["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(SE));
    first.shake_hands(session, &agent).await;
    let mut offer = AgentReport::polling();
    for _ in 0..2 {
        offer = agent.run(&first.report(session, &offer).await, &mut card).report;
    }
    // The phone's link broke, and it came back to the other process.
    second.shake_hands(session, &agent).await;
    let late = agent.run(&second.report(session, &AgentReport::polling()).await, &mut card).report;
    let body = serde_json::to_string(&offer).unwrap();
    let (status, answer) = first.post("remoteManagement", session, body).await;
    assert_eq!((status, &answer["code"]), (409, &json!("report-unexpected")));
    let done = agent.run(&second.report(session, &late).await, &mut card);
    assert!(second.report(session, &done.report).await.ends());
    assert_eq!((balance(&mut card, PLASTIC), books(&first).1), (900, 900));
}

/// Two orders of two processes on one card: the second is not reserved while the first is in doubt.
#[tokio::test]
async fn of_two_centres_with_the_same_card_one_load_is_in_doubt_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Centre::in_folder(folder.path(), 1), Centre::in_folder(folder.path(), 2));
    let mut card = plastic(CITY, 1);
    let (a, b) = (placed(&first, "a", 900).await, placed(&first, "b", 50).await);
    let session = b["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(SE));
    second.shake_hands(session, &agent).await;
    let mut report = AgentReport::polling();
    for _ in 0..2 {
        report = agent.run(&second.report(session, &report).await, &mut card).report;
    }
    let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::After)) };
    assert_eq!(first.carry_out(&a, SE, &mut losing).await, "in_doubt");
    let body = serde_json::to_string(&report).unwrap();
    assert_eq!(second.post("remoteManagement", session, body).await.0, 409);
    // Begun anew, it settles the first and then loads.
    assert_eq!(second.carry_out(&b, SE, &mut card).await, "done");
    assert_eq!((first.order("a").await["state"].clone(), balance(&mut card, PLASTIC)), (json!("done"), 950));
    assert_eq!(books(&second).1, 950);
}

/// Cancelled at one process while the other holds the card's offer: nothing is reserved any more.
#[tokio::test]
async fn an_order_cancelled_at_another_centre_is_not_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Centre::in_folder(folder.path(), 1), Centre::in_folder(folder.path(), 2));
    let mut card = plastic(CITY, 1);
    let order = placed(&first, "o1", 900).await;
    let (session, report) = offered(&first, &order, &mut card).await;
    cancel(&second, "o1").await;
    assert!(first.report(session, &report).await.ends());
    assert_eq!((balance(&mut card, PLASTIC), books(&first)), (0, ((0, 0), 0, 0)));
}

/// The process died between ending the row and giving the money back.
#[tokio::test]
async fn money_of_a_refused_order_is_given_back_when_a_process_died_before_it_could() {
    let folder = tempfile::tempdir().unwrap();
    let mut card = plastic(CITY, 1);
    {
        let centre = Centre::in_folder(folder.path(), 1);
        let order = placed(&centre, "o1", 900).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::Before)) };
        centre.carry_out(&order, SE, &mut losing).await;
        assert_eq!(books(&centre).0, (0, 900));
    }
    let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
    db.execute("UPDATE orders SET state = 'refused', code = 'load-not-credited'", []).unwrap();
    drop(db);
    let centre = Centre::in_folder(folder.path(), 2);
    assert_eq!(books(&centre), ((900, 0), 0, 900));
}
