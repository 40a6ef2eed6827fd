//! A returned card's value back to the passenger: drained under proof, cut at every command, settled both ways.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use serde_json::{Value, json};
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, balance, phone, plastic};

const PLASTIC: &str = "A00000000386980701";
const SHANGHAI: &str = "A00000000386980701200001";
const CITY: &str = "2000";
const SE: &str = "3B00";
/// DEBIT FOR PURCHASE.
const DEBIT: u8 = 0x54;

async fn load(centre: &Centre, id: &str, card: Option<&str>, amount: u32) -> Value {
    let mut order = json!({"id": id, "kind": "load", "amount_fen": amount,
                           "paid": {"amount_fen": amount, "reference": format!("pay-{id}")}});
    match card {
        Some(card) => order["card"] = json!(card),
        None => order["plastic"] = json!(true),
    }
    centre.ok("POST", "/v1/orders", "alipay", order).await
}

async fn refund(centre: &Centre, id: &str) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", json!({"id": id, "kind": "refund", "plastic": true})).await
}

/// float, what is in doubt on it, refunds; the identity and the positions hold at any time.
fn books(centre: &Centre) -> (i64, i64, i64) {
    support::apart(|| centre.core.verify_books()).unwrap();
    let of = |name: &str| centre.account(name).0;
    assert_eq!(of("paid-in:alipay") - of("float:2000") - of("refunds:alipay"), of("fees:issuer:2000"));
    assert_eq!(of("due:wallet:alipay") + of("due:issuer:2000"), 0, "positions sum to zero");
    assert_eq!(of("doubt:2000"), 0);
    (of("float:2000"), centre.account("doubt:2000").1, of("refunds:alipay"))
}

#[tokio::test]
async fn a_plastic_card_is_drained_denied_and_its_value_is_the_passengers() {
    let centre = Centre::in_memory();
    let mut card = plastic(CITY, 1);
    let order = load(&centre, "o1", None, 5000).await;
    centre.carry_out(&order, SE, &mut card).await;
    let owed = centre.account("due:wallet:alipay").0;
    let order = refund(&centre, "r1").await;
    assert_eq!(order["amount_fen"], 0, "nobody knows it yet");
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    let order = centre.order("r1").await;
    assert_eq!((&order["amount_fen"], &order["balance_fen"]), (&json!(5000), &json!(0)));
    assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, (0, 0, 5000)));
    assert_eq!(centre.account("due:wallet:alipay").0, owed + 5000, "the issuer owes the wallet");
    let list = centre.ok("GET", "/v1/lists/deny", "city:2000", Value::Null).await;
    assert!(list.to_string().contains("2000990000000001"), "{list}");
    // Repeated: the same order is over; another finds the card returned, and so does a load.
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    let again = refund(&centre, "r2").await;
    assert_eq!(centre.carry_out(&again, SE, &mut card).await, "refused");
    let late = load(&centre, "o2", None, 100).await;
    assert_eq!(centre.carry_out(&late, SE, &mut card).await, "refused");
    assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, (0, 0, 5000)));
}

#[tokio::test]
async fn a_refund_cut_at_any_command_pays_once_and_only_under_proof() {
    for ins in [0xA4, 0xB0, 0x50, 0x5C, 0xCA, DEBIT] {
        for loss in [Loss::Before, Loss::After] {
            let centre = Centre::in_memory();
            let mut card = plastic(CITY, 1);
            let order = load(&centre, "o1", None, 700).await;
            centre.carry_out(&order, SE, &mut card).await;
            let order = refund(&centre, "r1").await;
            let mut losing = Losing { card: &mut card, at: Some((ins, loss)) };
            let told = centre.carry_out(&order, SE, &mut losing).await;
            let cut = losing.at.is_none();
            let expected = match (cut, ins) {
                (false, _) => "done",
                (true, DEBIT) => "in_doubt",
                (true, _) => "running",
            };
            assert_eq!(told, expected, "{ins:02X} {loss:?}");
            if ins == DEBIT {
                assert_eq!(books(&centre), (700, 700, 0), "named, not posted");
                centre.clock.forward(30 * 86_400);
                let path = "/v1/orders/r1/cancel";
                assert_eq!(centre.refused("POST", path, "alipay", Value::Null).await, "order-in-doubt");
                // Meanwhile the card gets no other money, and no second refund.
                for other in [load(&centre, "o2", None, 100).await, refund(&centre, "r2").await] {
                    assert_eq!(centre.carry_out(&other, SE, &mut card).await, "refused");
                }
            }
            assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done", "{ins:02X} {loss:?}");
            assert_eq!(centre.order("r1").await["amount_fen"], 700);
            assert_eq!(balance(&mut card, PLASTIC), 0);
            let (float, doubt, refunds) = books(&centre);
            assert_eq!((float, doubt, refunds > 0), (0, 0, true));
        }
    }
}

#[tokio::test]
async fn another_card_settles_no_refund() {
    let centre = Centre::in_memory();
    let (mut card, mut other) = (plastic(CITY, 1), plastic(CITY, 2));
    for (id, card) in [("o1", &mut card), ("o2", &mut other)] {
        let order = load(&centre, id, None, 700).await;
        centre.carry_out(&order, SE, card).await;
    }
    let order = refund(&centre, "r1").await;
    let mut losing = Losing { card: &mut card, at: Some((DEBIT, Loss::After)) };
    centre.carry_out(&order, SE, &mut losing).await;
    assert_eq!(centre.carry_out(&order, SE, &mut other).await, "in_doubt");
    assert_eq!((balance(&mut other, PLASTIC), books(&centre)), (700, (1400, 700, 0)));
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!(books(&centre), (700, 0, 700));
}

#[tokio::test]
async fn a_load_in_doubt_is_settled_before_its_card_is_drained() {
    for (loss, value, back) in [(Loss::Before, 300, 1000), (Loss::After, 1000, 1000)] {
        let centre = Centre::in_memory();
        let mut card = plastic(CITY, 1);
        let order = load(&centre, "o1", None, 300).await;
        centre.carry_out(&order, SE, &mut card).await;
        let order = load(&centre, "o2", None, 700).await;
        let mut losing = Losing { card: &mut card, at: Some((CREDIT, loss)) };
        assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
        let order = refund(&centre, "r1").await;
        assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
        assert_eq!(centre.order("r1").await["amount_fen"], value, "{loss:?}");
        // What was not loaded goes back by its own order, the rest by the refund.
        assert_eq!((balance(&mut card, PLASTIC), books(&centre)), (0, (0, 0, back)));
    }
}

/// The link is cut at every command; a card on a phone is drained once, and in the end taken off.
#[tokio::test]
async fn a_card_on_a_phone_is_drained_and_taken_off_whatever_is_cut() {
    let model = support::phone_id();
    let mut cut_at = 0;
    loop {
        let centre = Centre::in_memory();
        let mut chip = phone(&model, 1);
        let se_id = chip.se_id();
        let card = json!({"id": "c1", "user": "u", "city": CITY, "phone": model, "se_id": se_id});
        centre.ok("POST", "/v1/cards", "alipay", card).await;
        let issue = json!({"id": "i1", "kind": "issue", "card": "c1"});
        let issue = centre.ok("POST", "/v1/orders", "alipay", issue).await;
        assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done");
        let order = load(&centre, "o1", Some("c1"), 700).await;
        assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
        let order = json!({"id": "r1", "kind": "refund", "card": "c1"});
        let order = centre.ok("POST", "/v1/orders", "alipay", order).await;
        let mut cutting = support::phone::Cutting { card: &mut chip, left: cut_at };
        centre.carry_out(&order, &se_id, &mut cutting).await;
        let whole = cutting.left > 0;
        assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done", "cut at {cut_at}");
        assert_eq!(books(&centre), (0, 0, 700), "cut at {cut_at}");
        let state = centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await["state"].clone();
        assert_eq!(state, "deleted", "cut at {cut_at}");
        let gone =
            smartcard::Channel::transmit(&mut chip, &hex::decode(format!("00A404000C{SHANGHAI}")).unwrap());
        assert_eq!(gone.unwrap(), [0x6A, 0x82]);
        if whole {
            break;
        }
        cut_at += 1;
    }
    assert!(cut_at > 10, "{cut_at} commands");
}
