//! A card's life on a phone: issued over the air on every model, loaded, read, deleted; cut anywhere, gone on.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::SoftwareElement;
use serde_json::{Value, json};
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, balance, phone};

const SHANGHAI: &str = "A00000000386980701200001";

async fn planned(centre: &Centre, id: &str, city: &str, model: &str, chip: &SoftwareElement) -> Value {
    let card = json!({"id": id, "user": "u-1", "city": city, "phone": model, "se_id": chip.se_id()});
    centre.ok("POST", "/v1/cards", "alipay", card).await
}

async fn ordered(centre: &Centre, id: &str, kind: &str, card: &str) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", json!({"id": id, "kind": kind, "card": card})).await
}

async fn load(centre: &Centre, id: &str, card: &str, amount: u32) -> Value {
    let order = json!({"id": id, "kind": "load", "card": card, "amount_fen": amount,
                       "paid": {"amount_fen": amount, "reference": id}});
    centre.ok("POST", "/v1/orders", "alipay", order).await
}

#[tokio::test]
async fn a_card_is_issued_loaded_read_and_deleted_on_every_phone_model() {
    let registry = support::registry();
    for (serial, model) in (1..).zip(registry.phones().map(|phone| phone.id.as_str())) {
        let centre = Centre::in_memory();
        let mut chip = phone(model, serial);
        let se_id = chip.se_id();
        planned(&centre, "c1", "2000", model, &chip).await;
        let issue = ordered(&centre, "i1", "issue", "c1").await;
        assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done", "{model}");
        assert_eq!(centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await["state"], "issued");
        let order = load(&centre, "o1", "c1", 5000).await;
        assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done", "{model}");
        assert_eq!(balance(&mut chip, SHANGHAI), 5000);
        let read = ordered(&centre, "r1", "read", "c1").await;
        assert_eq!(centre.carry_out(&read, &se_id, &mut chip).await, "done", "{model}");
        let card = centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await;
        assert_eq!(card["balance_fen"], 5000);
        let history = centre.ok("GET", "/v1/cards/c1/history", "alipay", Value::Null).await;
        assert_eq!((&history["loads"][0]["order"], &history["taps"]), (&json!("o1"), &json!([])));
        // A card that holds value stays.
        let delete = ordered(&centre, "d1", "delete", "c1").await;
        assert_eq!(centre.carry_out(&delete, &se_id, &mut chip).await, "refused", "{model}");
        assert_eq!(centre.order("d1").await["problem"]["code"], "card-not-empty");
        assert_eq!(centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await["state"], "issued");
        let overview = centre.core.overview().unwrap();
        assert_eq!(
            (overview.cards, overview.loads, overview.loaded.get(), overview.in_doubt),
            (1, 1, 5000, 0)
        );
    }
}

#[tokio::test]
async fn an_empty_card_is_deleted_and_takes_no_more_orders() {
    let centre = Centre::in_memory();
    let model = support::phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    planned(&centre, "c1", "2000", &model, &chip).await;
    for (id, kind) in [("i1", "issue"), ("d1", "delete")] {
        let order = ordered(&centre, id, kind, "c1").await;
        assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
    }
    assert_eq!(centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await["state"], "deleted");
    let read = json!({"id": "r1", "kind": "read", "card": "c1"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", read).await, "card-deleted");
    // A new card of the city finds its place.
    planned(&centre, "c2", "2000", &model, &chip).await;
    let issue = ordered(&centre, "i2", "issue", "c2").await;
    assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done");
}

/// An empty card may be one that has not got its load, or one whose load is spent: only the card can tell.
#[tokio::test]
async fn a_card_with_a_load_in_doubt_is_not_deleted_before_it_was_looked_at() {
    let centre = Centre::in_memory();
    let model = support::phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    planned(&centre, "c1", "2000", &model, &chip).await;
    let issue = ordered(&centre, "i1", "issue", "c1").await;
    centre.carry_out(&issue, &se_id, &mut chip).await;
    let order = load(&centre, "o1", "c1", 700).await;
    let mut losing = Losing { card: &mut chip, at: Some((CREDIT, Loss::Before)) };
    assert_eq!(centre.carry_out(&order, &se_id, &mut losing).await, "in_doubt");
    let delete = ordered(&centre, "d1", "delete", "c1").await;
    assert_eq!(centre.carry_out(&delete, &se_id, &mut chip).await, "refused");
    assert_eq!(centre.order("d1").await["problem"]["code"], "card-still-in-doubt");
    for (id, kind) in [("r1", "read"), ("d2", "delete")] {
        let order = ordered(&centre, id, kind, "c1").await;
        assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done", "{kind}");
    }
    assert_eq!(centre.order("o1").await["state"], "refused");
    assert_eq!((centre.account("doubt:2000"), centre.account("refunds:alipay").0), ((0, 0), 700));
}

#[tokio::test]
async fn cards_of_several_cities_live_on_one_phone_and_one_city_has_one() {
    let centre = Centre::in_memory();
    let model = support::phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    for (number, city) in ["2000", "3150", "2155"].into_iter().enumerate() {
        let (card, order) = (format!("c{number}"), format!("i{number}"));
        planned(&centre, &card, city, &model, &chip).await;
        let issue = ordered(&centre, &order, "issue", &card).await;
        assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done", "{city}");
    }
    let issued = json!({"id": "i9", "kind": "issue", "card": "c0"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", issued).await, "card-already-issued");
    planned(&centre, "c9", "2000", &model, &chip).await;
    let second = ordered(&centre, "i9", "issue", "c9").await;
    assert_eq!(centre.carry_out(&second, &se_id, &mut chip).await, "refused");
    assert_eq!(centre.order("i9").await["problem"]["code"], "card-already-there");
}

/// The link is cut at each kind of command of an issue, before and after the element has carried it out.
#[tokio::test]
async fn an_issue_cut_anywhere_goes_on_to_one_card() {
    let mut cuts = 0;
    for ins in [0xA4, 0xB0, 0x50, 0x82, 0xE6, 0xD8, 0xE2, 0xF0] {
        for loss in [Loss::Before, Loss::After] {
            let centre = Centre::in_memory();
            let model = support::phone_id();
            let mut chip = phone(&model, 1);
            let se_id = chip.se_id();
            let number = planned(&centre, "c1", "2000", &model, &chip).await["number"].clone();
            let issue = ordered(&centre, "i1", "issue", "c1").await;
            let mut losing = Losing { card: &mut chip, at: Some((ins, loss)) };
            let told = centre.carry_out(&issue, &se_id, &mut losing).await;
            let cut = losing.at.is_none();
            assert_eq!(told, if cut { "running" } else { "done" }, "{ins:02X} {loss:?}");
            cuts += u32::from(cut);
            assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done", "{ins:02X} {loss:?}");
            let order = load(&centre, "o1", "c1", 100).await;
            assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done", "{ins:02X} {loss:?}");
            let order = centre.order("o1").await;
            assert_eq!((&order["card_number"], balance(&mut chip, SHANGHAI)), (&number, 100));
        }
    }
    assert!(cuts >= 14, "{cuts}");
}

#[tokio::test]
async fn what_a_card_costs_is_pended_at_the_start_and_posted_when_the_card_is_there() {
    let files: Vec<(String, String)> = support::registry()
        .files()
        .map(|(path, text)| (path.to_owned(), text.replace("issue_fee_fen = 0", "issue_fee_fen = 2000")))
        .collect();
    let centre = Centre::of(model::registry::Registry::parse(files).unwrap());
    let model = support::phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    planned(&centre, "c1", "2000", &model, &chip).await;
    let unpaid = json!({"id": "i1", "kind": "issue", "card": "c1"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", unpaid).await, "field-missing");
    let paid =
        json!({"id": "i1", "kind": "issue", "card": "c1", "paid": {"amount_fen": 2000, "reference": "p"}});
    let issue = centre.ok("POST", "/v1/orders", "alipay", paid).await;
    let mut losing = Losing { card: &mut chip, at: Some((0xE2, Loss::After)) };
    assert_eq!(centre.carry_out(&issue, &se_id, &mut losing).await, "running");
    assert_eq!(centre.account("doubt:2000"), (0, 2000), "named while the card is not there");
    assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done");
    assert_eq!(centre.account("doubt:2000"), (0, 0));
    assert_eq!((centre.account("paid-in:alipay").0, centre.account("fees:issuer:2000").0), (2000, 2000));
    assert_eq!(centre.account("due:issuer:2000").0, 2000);
    // A second card of the city is refused by the phone: the fee goes back.
    planned(&centre, "c2", "2000", &model, &chip).await;
    let paid =
        json!({"id": "i2", "kind": "issue", "card": "c2", "paid": {"amount_fen": 2000, "reference": "p2"}});
    let issue = centre.ok("POST", "/v1/orders", "alipay", paid).await;
    assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "refused");
    assert_eq!(centre.account("refunds:alipay").0, 2000);
    assert_eq!((centre.account("paid-in:alipay").0, centre.account("doubt:2000")), (4000, (0, 0)));
}

#[tokio::test]
async fn another_phone_cannot_take_the_card() {
    let centre = Centre::in_memory();
    let model = support::phone_id();
    let (chip, other) = (phone(&model, 1), phone(&model, 2));
    planned(&centre, "c1", "2000", &model, &chip).await;
    let issue = ordered(&centre, "i1", "issue", "c1").await;
    let agent = tsm::agent::Agent::new(support::phone::element(&other.se_id()));
    let hello = serde_json::to_string(&agent.handshake()).unwrap();
    let (status, answer) = centre.post("handshake", issue["session"]["id"].as_str().unwrap(), hello).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("wrong-element")));
}

/// Two orders of one card at once: the second contact ends the first one's session, and settles it.
#[tokio::test]
async fn a_second_session_of_the_card_ends_the_first() {
    let centre = Centre::in_memory();
    let model = support::phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    planned(&centre, "c1", "2000", &model, &chip).await;
    let issue = ordered(&centre, "i1", "issue", "c1").await;
    centre.carry_out(&issue, &se_id, &mut chip).await;
    let (first, second) = (load(&centre, "o1", "c1", 700).await, load(&centre, "o2", "c1", 50).await);
    let session = first["session"]["id"].as_str().unwrap();
    let agent = tsm::agent::Agent::new(support::phone::element(&se_id));
    centre.shake_hands(session, &agent).await;
    let offer = agent.run(&centre.report(session, &tsm::seram::AgentReport::polling()).await, &mut chip);
    let credit = centre.report(session, &offer.report).await;
    assert_eq!(centre.order("o1").await["state"], "in_doubt", "CREDIT FOR LOAD is on its way");
    assert_eq!(centre.carry_out(&second, &se_id, &mut chip).await, "done");
    assert_eq!(centre.order("o1").await["state"], "refused", "the card shows that it has not got it");
    // The late CREDIT FOR LOAD finds a card that has forgotten its offer.
    let late = agent.run(&credit, &mut chip);
    assert!(centre.report(session, &late.report).await.ends());
    assert_eq!(balance(&mut chip, SHANGHAI), 50);
    centre.core.verify_books().unwrap();
    assert_eq!((centre.account("float:2000").0, centre.account("refunds:alipay").0), (50, 700));
}
