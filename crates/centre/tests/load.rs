//! A load over the air of a plastic card: done, repeated, lost, settled both ways, and killed.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::PlasticCard;
use serde_json::{Value, json};
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, element, plastic, plastic_load};
use tsm::agent::Agent;
use tsm::seram::AgentReport;

const CITY: &str = "2000";
const SE: &str = "3B00";

async fn placed(centre: &Centre, id: &str, amount: u32) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", plastic_load(id, amount)).await
}

fn balance(card: &mut PlasticCard) -> u32 {
    support::phone::balance(card, "A00000000386980701")
}

/// paid-in, float, doubt (pending), refunds, and what the wallet owes.
fn books(centre: &Centre) -> (i64, i64, i64, i64, i64) {
    centre.core.verify_books().unwrap();
    let of = |name: &str| centre.account(name).0;
    let doubt = centre.account("doubt:2000");
    assert_eq!(doubt.0, 0, "posted doubt is never left behind");
    let identity = of("paid-in:alipay") - of("float:2000") - of("refunds:alipay");
    assert_eq!(identity, 0, "paid in = purses + refunds");
    assert_eq!(of("due:wallet:alipay") + of("due:issuer:2000"), 0, "positions sum to zero");
    (of("paid-in:alipay"), of("float:2000"), doubt.1, of("refunds:alipay"), of("due:wallet:alipay"))
}

#[tokio::test]
async fn a_proven_load_is_posted_and_the_wallet_owes_the_issuer_the_rest() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = placed(&centre, "o1", 5000).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!(balance(&mut card), 5000);
    let order = centre.order("o1").await;
    assert_eq!((&order["state"], &order["balance_fen"]), (&json!("done"), &json!(5000)));
    assert_eq!((&order["card_number"], &order["city"]), (&json!("2000990000000001"), &json!(CITY)));
    let registry = support::registry();
    let agreement = registry
        .load_agreement(&"alipay".parse().unwrap(), CITY.parse().unwrap(), "2014-10-20".parse().unwrap())
        .unwrap();
    let fee = agreement.fee(model::Fen::new(5000)).unwrap().get();
    assert_eq!(books(&centre), (5000, 5000, 0, 0, fee - 5000));
    // A phone that comes again is told that it is over; nothing moves.
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!((balance(&mut card), books(&centre).0), (5000, 5000));
}

#[tokio::test]
async fn a_report_that_comes_again_gets_the_same_orders_again() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = placed(&centre, "o1", 100).await;
    let session = order["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(SE));
    centre.shake_hands(session, &agent).await;
    let mut report = AgentReport::polling();
    loop {
        let orders = centre.report(session, &report).await;
        if !report.is_polling() {
            for _ in 0..2 {
                assert_eq!(centre.report(session, &report).await, orders);
            }
        }
        let done = agent.run(&orders, &mut card);
        if done.stop {
            break;
        }
        report = done.report;
    }
    assert_eq!(centre.order("o1").await["state"], "done");
    assert_eq!((balance(&mut card), books(&centre).1), (100, 100));
}

#[tokio::test]
async fn an_answer_lost_before_money_is_at_risk_is_simply_begun_again() {
    for ins in [0xA4, 0x50, 0x5C] {
        for loss in [Loss::Before, Loss::After] {
            let centre = Centre::in_memory();
            let mut card = plastic(CITY, 1);
            let order = placed(&centre, "o1", 300).await;
            let mut losing = Losing { card: &mut card, at: Some((ins, loss)) };
            let told = centre.carry_out(&order, SE, &mut losing).await;
            assert_eq!((told.as_str(), books(&centre)), ("running", (0, 0, 0, 0, 0)), "{ins:02X} {loss:?}");
            assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
            assert_eq!((balance(&mut card), books(&centre).1), (300, 300));
        }
    }
}

#[tokio::test]
async fn silence_after_credit_for_load_is_doubt_and_the_same_order_goes_on_from_it() {
    for loss in [Loss::Before, Loss::After] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        let order = placed(&centre, "o1", 700).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
        assert_eq!(books(&centre), (0, 0, 700, 0, 0), "named, not posted");
        // Time settles nothing.
        centre.clock.forward(30 * 86_400);
        assert_eq!(centre.order("o1").await["state"], "in_doubt");
        // The same order again: the card shows whether it has the value, and has it once in the end.
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done", "{loss:?}");
        assert_eq!(balance(&mut card), 700);
        let (paid, float, doubt, refunds, _) = books(&centre);
        assert_eq!((paid, float, doubt, refunds), (700, 700, 0, 0));
    }
}

#[tokio::test]
async fn a_doubt_is_settled_by_the_next_order_of_the_card_before_its_own_load() {
    for (loss, first, held, refunds) in [(Loss::Before, "refused", 50, 700), (Loss::After, "done", 750, 0)] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        let order = placed(&centre, "o1", 700).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
        let next = placed(&centre, "o2", 50).await;
        assert_eq!(centre.carry_out(&next, SE, &mut card).await, "done");
        let order = centre.order("o1").await;
        assert_eq!(order["state"], first, "{loss:?}");
        if first == "refused" {
            assert_eq!(order["problem"]["code"], "load-not-credited");
        }
        assert_eq!(balance(&mut card), held);
        let books = books(&centre);
        assert_eq!((books.0, books.1, books.2, books.3), (750, i64::from(held), 0, refunds));
        // The order that was settled is over, whatever its phone still says.
        let session = order["session"]["id"].as_str().unwrap();
        assert!(centre.report(session, &AgentReport::polling()).await.ends());
        assert_eq!(balance(&mut card), held);
    }
}

#[tokio::test]
async fn a_look_at_the_card_settles_a_doubt_too() {
    for (loss, state, held) in [(Loss::Before, "refused", 0), (Loss::After, "done", 700)] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        let order = placed(&centre, "o1", 700).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        centre.carry_out(&order, SE, &mut losing).await;
        // The first look finds out which card it is; the second, of the same card, settles.
        let look = json!({"id": "r1", "kind": "read", "plastic": true});
        let look = centre.ok("POST", "/v1/orders", "alipay", look).await;
        assert_eq!(centre.carry_out(&look, SE, &mut card).await, "done");
        assert_eq!(centre.order("r1").await["balance_fen"], held);
        assert_eq!(centre.order("o1").await["state"], state, "{loss:?}");
        assert_eq!(books(&centre).1, i64::from(held));
    }
}

#[tokio::test]
async fn another_card_settles_nothing_and_is_not_charged() {
    let centre = Centre::in_memory();
    let (mut card, mut other) = (plastic(CITY, 1), plastic(CITY, 2));
    let order = placed(&centre, "o1", 700).await;
    let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::After)) };
    centre.carry_out(&order, SE, &mut losing).await;
    assert_eq!(centre.carry_out(&order, SE, &mut other).await, "in_doubt");
    assert_eq!((balance(&mut other), books(&centre).2), (0, 700));
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!((balance(&mut card), books(&centre).1), (700, 700));
}

#[tokio::test]
async fn a_purse_over_its_limit_refuses_the_load_and_nothing_is_owed() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    for (id, amount, state) in [("o1", 50_000, "done"), ("o2", 49_901, "done"), ("o3", 100, "refused")] {
        let order = placed(&centre, id, amount).await;
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, state);
    }
    assert_eq!(centre.order("o3").await["problem"]["code"], "purse-over-limit");
    assert_eq!((balance(&mut card), books(&centre).0, books(&centre).3), (99_901, 99_901, 0));
}

/// The centre is killed after each of its answers in turn; the phone, which got none after that, begins again.
#[tokio::test]
async fn a_killed_centre_goes_on_from_its_folder() {
    for kill_after in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut card = plastic(CITY, 1);
        let order = {
            let centre = Centre::in_folder(folder.path(), 1);
            let order = placed(&centre, "o1", 900).await;
            let session = order["session"]["id"].as_str().unwrap();
            let agent = Agent::new(element(SE));
            centre.shake_hands(session, &agent).await;
            let mut report = AgentReport::polling();
            for _ in 0..kill_after {
                let done = agent.run(&centre.report(session, &report).await, &mut card);
                report = done.report;
            }
            order
        };
        let centre = Centre::in_folder(folder.path(), 2);
        // The phone's old session is unknown to the new process, unless its order is over.
        let session = order["session"]["id"].as_str().unwrap();
        let report = serde_json::to_string(&AgentReport::polling()).unwrap();
        let (status, answer) = centre.post("remoteManagement", session, report).await;
        assert!(status == 200 || answer["code"] == "report-unexpected", "{answer}");
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done", "killed after {kill_after}");
        assert_eq!(balance(&mut card), 900);
        let (paid, float, doubt, refunds, _) = books(&centre);
        assert_eq!((paid, float, doubt, refunds), (900, 900, 0, 0), "killed after {kill_after}");
    }
}

/// The money was pended and the process died before the reservation was written: the next try pends it again,
/// which is the same, and goes on.
#[tokio::test]
async fn a_crash_between_pend_and_persist_leaves_one_pending_entry() {
    let folder = tempfile::tempdir().unwrap();
    let mut card = plastic(CITY, 1);
    let order = {
        let centre = Centre::in_folder(folder.path(), 1);
        let order = placed(&centre, "o1", 900).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::Before)) };
        centre.carry_out(&order, SE, &mut losing).await;
        order
    };
    // What the store would look like, had the process died one step earlier.
    let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
    db.execute("UPDATE orders SET state = 'running', reservation = NULL", []).unwrap();
    drop(db);
    let centre = Centre::in_folder(folder.path(), 2);
    assert_eq!(books(&centre).2, 900);
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!((balance(&mut card), books(&centre).1, books(&centre).2), (900, 900, 0));
}

/// The load was posted and the process died before the order was written as done: the card says so again.
#[tokio::test]
async fn a_crash_between_post_and_persist_posts_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut card = plastic(CITY, 1);
    let order = {
        let centre = Centre::in_folder(folder.path(), 1);
        let order = placed(&centre, "o1", 900).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, Loss::After)) };
        centre.carry_out(&order, SE, &mut losing).await;
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
        order
    };
    let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
    db.execute("UPDATE orders SET state = 'in_doubt', tac = NULL, balance_fen = NULL", []).unwrap();
    drop(db);
    let centre = Centre::in_folder(folder.path(), 2);
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!((balance(&mut card), books(&centre).1, books(&centre).2), (900, 900, 0));
}

#[tokio::test]
async fn a_session_has_its_manners() {
    let centre = Centre::in_memory();
    let order = placed(&centre, "o1", 100).await;
    let session = order["session"]["id"].as_str().unwrap();
    let code = async |path: &str, session: &str, body: &str| {
        let (status, answer) = centre.post(path, session, body.to_owned()).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let hello = serde_json::to_value(Agent::new(element(SE)).handshake()).unwrap();
    let polling = serde_json::to_string(&AgentReport::polling()).unwrap();
    assert_eq!(code("handshake", "0000", &hello.to_string()).await, (404, "unknown-session".into()));
    assert_eq!(code("remoteManagement", "0000", &polling).await, (404, "unknown-session".into()));
    assert_eq!(code("remoteManagement", session, &polling).await, (409, "report-unexpected".into()));
    let mut old = hello.clone();
    old["versions"] = json!(["1.0.0"]);
    assert_eq!(code("handshake", session, &old.to_string()).await, (406, "no-common-option".into()));
    assert_eq!(code("handshake", session, "{}").await, (400, "body-malformed".into()));
    assert_eq!(code("handshake", session, &hello.to_string()).await.0, 200);
    let nonsense = polling
        .replace("POLLING", "PROCESSED")
        .replace("[]", r#"[{"seRamResponse":{"listOfRAPDU":["xx"]}}]"#);
    assert_eq!(code("remoteManagement", session, &polling).await.0, 200);
    assert_eq!(code("remoteManagement", session, &nonsense).await, (400, "report-malformed".into()));
}
