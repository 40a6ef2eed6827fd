//! No value onto a card that an order may take off its phone, or that was given back, by whatever name it is loaded.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::SoftwareElement;
use serde_json::{Value, json};
use support::Centre;
use support::lost::{SHANGHAI, issued, load};
use support::phone::{balance, element, plastic_load};
use tsm::agent::Agent;
use tsm::seram::AgentReport;

/// A plastic card's order, which reaches whichever card of the phone is active.
async fn by_the_bare_name(centre: &Centre, id: &str) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", plastic_load(id, 700)).await
}

/// Carries an order out so far that its load would be reserved; what the centre says then.
async fn reserving(centre: &Centre, order: &Value, se_id: &str, chip: &mut SoftwareElement) -> (u16, Value) {
    let session = order["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(se_id));
    centre.shake_hands(session, &agent).await;
    let mut report = AgentReport::polling();
    loop {
        let told = serde_json::to_string(&report).unwrap();
        let (status, said) = centre.post("remoteManagement", session, told).await;
        if status != 200 {
            return (status, said);
        }
        let done = agent.run(&serde_json::from_value(said.clone()).unwrap(), chip);
        if done.stop {
            return (status, said);
        }
        report = done.report;
    }
}

#[tokio::test]
async fn a_card_that_may_be_taken_off_gets_no_value_under_either_name_until_that_is_over() {
    let centre = Centre::in_memory();
    let (mut chip, se_id) = issued(&centre).await;
    let delete = json!({"id": "d1", "kind": "delete", "card": "c1"});
    let delete = centre.ok("POST", "/v1/orders", "alipay", delete).await;
    let orders = [load(&centre, "o2", 700).await, by_the_bare_name(&centre, "o3").await];
    centre.shake_hands(delete["session"]["id"].as_str().unwrap(), &Agent::new(element(&se_id))).await;
    for order in &orders {
        let (status, said) = reserving(&centre, order, &se_id, &mut chip).await;
        assert_eq!((status, said["code"].as_str()), (409, Some("card-busy")), "{said}");
        assert_eq!(balance(&mut chip, SHANGHAI), 5000);
        assert_eq!(centre.order(order["id"].as_str().unwrap()).await["state"], "running", "it waits");
    }
    assert_eq!(centre.account("paid-in:alipay").1, 0, "nothing is held");
    // The purse holds value, so the delete is refused; then the loads go on.
    assert_eq!(centre.carry_out(&delete, &se_id, &mut chip).await, "refused");
    for order in &orders {
        assert_eq!(centre.carry_out(order, &se_id, &mut chip).await, "done");
    }
    assert_eq!(balance(&mut chip, SHANGHAI), 6400);
    support::apart(|| centre.core.verify_books()).unwrap();
}
