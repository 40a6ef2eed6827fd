//! A card moved to a new phone: its value out under the old card's proof, in under the new card's; cut everywhere, repeated,
//! lied about, lost, and nothing gone or doubled.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::SoftwareElement;
use serde_json::{Value, json};
use smartcard::{Channel, ChannelError};
use support::Centre;
use support::phone::{CREDIT, Cutting, Losing, Loss, balance, element, phone};
use tsm::agent::Agent;
use tsm::seram::AgentReport;

const SHANGHAI: &str = "A00000000386980701200001";
const CITY: &str = "2000";
/// DEBIT FOR PURCHASE, INSTALL, DELETE.
const DEBIT: u8 = 0x54;
const INSTALL: u8 = 0xE6;
const DELETE: u8 = 0xE4;
const VALUE: u32 = 700;

/// A card planned on a phone.
async fn planned(centre: &Centre, id: &str, user: &str, serial: u8) -> SoftwareElement {
    let model = support::phone_id();
    let chip = phone(&model, serial);
    let card = json!({"id": id, "user": user, "city": CITY, "phone": model, "se_id": chip.se_id()});
    centre.ok("POST", "/v1/cards", "alipay", card).await;
    chip
}

/// Two phones of one passenger: on the old one card `c1` with value, for the new one `c2`, planned.
async fn two_phones(centre: &Centre, value: u32) -> (SoftwareElement, SoftwareElement) {
    let mut old = planned(centre, "c1", "u", 1).await;
    let se_id = old.se_id();
    let issue = json!({"id": "i1", "kind": "issue", "card": "c1"});
    let issue = centre.ok("POST", "/v1/orders", "alipay", issue).await;
    assert_eq!(centre.carry_out(&issue, &se_id, &mut old).await, "done");
    if value > 0 {
        let load = json!({"id": "o1", "kind": "load", "card": "c1", "amount_fen": value,
                          "paid": {"amount_fen": value, "reference": "pay-o1"}});
        let load = centre.ok("POST", "/v1/orders", "alipay", load).await;
        assert_eq!(centre.carry_out(&load, &se_id, &mut old).await, "done");
    }
    (old, planned(centre, "c2", "u", 2).await)
}

async fn ordered(centre: &Centre) -> Value {
    let order = json!({"id": "m1", "kind": "move", "card": "c1", "to": "c2"});
    centre.ok("POST", "/v1/orders", "alipay", order).await
}

/// The order carried out with a phone.
async fn with(centre: &Centre, order: &Value, chip: &mut SoftwareElement) -> String {
    let se_id = chip.se_id();
    centre.carry_out(order, &se_id, chip).await
}

async fn state_of(centre: &Centre, card: &str) -> String {
    let card = centre.ok("GET", &format!("/v1/cards/{card}"), "alipay", Value::Null).await;
    card["state"].as_str().unwrap().to_owned()
}

/// float, what is in doubt, what stands in moves, refunds. The identity and the positions hold at any time.
fn books(centre: &Centre) -> (i64, i64, i64, i64) {
    centre.core.verify_books().unwrap();
    let of = |name: &str| centre.account(name).0;
    let balances = centre.core.balances().unwrap();
    let moving = balances.iter().filter(|(name, _)| name.kind() == "moving");
    let moving: i64 = moving.map(|(_, balance)| balance.credit().get()).sum();
    assert_eq!(
        of("paid-in:alipay"),
        of("float:2000") + of("refunds:alipay") + moving + of("fees:issuer:2000")
    );
    assert_eq!(of("due:wallet:alipay") + of("due:issuer:2000"), 0, "positions sum to zero");
    assert_eq!(of("doubt:2000"), 0);
    (of("float:2000"), centre.account("doubt:2000").1, moving, of("refunds:alipay"))
}

fn on(chip: &mut SoftwareElement) -> Option<u32> {
    let select = hex::decode(format!("00A404000C{SHANGHAI}")).unwrap();
    let there = chip.transmit(&select).unwrap() != [0x6A, 0x82];
    there.then(|| balance(chip, SHANGHAI))
}

#[tokio::test]
async fn a_card_moves_with_its_value_under_both_cards_proofs() {
    for value in [VALUE, 0] {
        let centre = Centre::in_memory();
        let (mut old, mut new) = two_phones(&centre, value).await;
        let (sum, owed) = (i64::from(value), centre.account("due:wallet:alipay").0);
        let order = ordered(&centre).await;
        assert_eq!(order["advice"]["code"], "move-old-phone");
        assert_eq!(with(&centre, &order, &mut old).await, "running");
        assert_eq!((on(&mut old), books(&centre)), (None, (0, 0, sum, 0)), "off the old phone, in the order");
        let half = centre.order("m1").await;
        let moving = json!({"from": "c1", "to": "c2", "value": "order", "out_fen": value});
        assert_eq!((&half["move"], &half["advice"]["code"]), (&moving, &json!("move-new-phone")));
        assert!(half["advice"]["text_zh"].as_str().unwrap().contains("不要重复付款"));
        assert_eq!(with(&centre, &order, &mut new).await, "done");
        assert_eq!((on(&mut new), books(&centre)), (Some(value), (sum, 0, 0, 0)));
        assert_eq!(centre.account("due:wallet:alipay").0, owed, "nobody owes more than before");
        let whole = centre.order("m1").await;
        assert_eq!((&whole["move"]["value"], &whole["balance_fen"]), (&json!("new-card"), &json!(value)));
        assert!(whole["steps"].as_array().unwrap().iter().all(|step| step["state"] == "done"), "{whole}");
        let get =
            async |card: &str| centre.ok("GET", &format!("/v1/cards/{card}"), "alipay", Value::Null).await;
        let (from, to) = (get("c1").await, get("c2").await);
        assert_eq!((&from["state"], &to["state"]), (&json!("deleted"), &json!("issued")));
        assert_eq!(to["moved_from"], from["number"], "another number, and where it came from");
        assert_ne!(to["number"], from["number"]);
        let list = centre.ok("GET", "/v1/lists/deny", "city:2000", Value::Null).await.to_string();
        assert!(
            list.contains(from["number"].as_str().unwrap()) && !list.contains(to["number"].as_str().unwrap())
        );
        // The new card is a card like any other.
        let load = json!({"id": "o2", "kind": "load", "card": "c2", "amount_fen": 50,
                          "paid": {"amount_fen": 50, "reference": "p2"}});
        let load = centre.ok("POST", "/v1/orders", "alipay", load).await;
        assert_eq!(with(&centre, &load, &mut new).await, "done");
        assert_eq!((on(&mut new), books(&centre).0), (Some(value + 50), sum + 50));
    }
}

/// The link is cut at every command, on the old phone and on the new one; each side is then gone on with.
#[tokio::test]
async fn a_move_cut_at_any_command_of_either_phone_ends_with_the_value_on_the_new_one() {
    for cut_new in [false, true] {
        let mut cut_at = 0;
        loop {
            let centre = Centre::in_memory();
            let (mut old, mut new) = two_phones(&centre, VALUE).await;
            let order = ordered(&centre).await;
            if cut_new {
                assert_eq!(with(&centre, &order, &mut old).await, "running");
            }
            let chip = if cut_new { &mut new } else { &mut old };
            let se_id = chip.se_id();
            let mut cutting = Cutting { card: chip, left: cut_at };
            centre.carry_out(&order, &se_id, &mut cutting).await;
            let whole = cutting.left > 0;
            let (float, _, standing, back) = books(&centre);
            assert_eq!((float + standing, back), (i64::from(VALUE), 0), "cut at {cut_at}");
            if !cut_new {
                with(&centre, &order, &mut old).await;
                assert_eq!((on(&mut old), on(&mut new)), (None, None), "cut at {cut_at}");
                assert_eq!(state_of(&centre, "c1").await, "deleted");
            }
            assert_eq!(with(&centre, &order, &mut new).await, "done", "cut at {cut_at}");
            assert_eq!((on(&mut new), books(&centre)), (Some(VALUE), (i64::from(VALUE), 0, 0, 0)));
            if whole {
                break;
            }
            cut_at += 1;
        }
        assert!(cut_at > 10, "{cut_at} commands");
    }
}

#[tokio::test]
async fn doubt_on_either_phone_is_named_and_settled_by_that_phone_alone() {
    for loss in [Loss::Before, Loss::After] {
        let centre = Centre::in_memory();
        let (mut old, mut new) = two_phones(&centre, VALUE).await;
        let order = ordered(&centre).await;
        let (old_id, new_id) = (old.se_id(), new.se_id());
        let mut losing = Losing { card: &mut old, at: Some((DEBIT, loss)) };
        assert_eq!(centre.carry_out(&order, &old_id, &mut losing).await, "in_doubt");
        assert_eq!(books(&centre), (700, 700, 0, 0), "named, not posted");
        centre.clock.forward(30 * 86_400);
        for path in ["cancel", "refund"] {
            let path = format!("/v1/orders/m1/{path}");
            assert_eq!(centre.refused("POST", &path, "alipay", Value::Null).await, "order-in-doubt");
        }
        // The new phone is not asked for anything yet.
        let session = order["session"]["id"].as_str().unwrap();
        let hello = serde_json::to_string(&Agent::new(element(&new_id)).handshake()).unwrap();
        assert_eq!(centre.post("handshake", session, hello).await.1["code"], "wrong-element");
        assert_eq!(with(&centre, &order, &mut old).await, "running", "{loss:?}");
        assert_eq!(books(&centre), (0, 0, 700, 0));
        let mut losing = Losing { card: &mut new, at: Some((CREDIT, loss)) };
        assert_eq!(centre.carry_out(&order, &new_id, &mut losing).await, "in_doubt");
        assert_eq!(books(&centre), (0, 700, 700, 0), "named, not posted");
        for (path, body) in [("refund", Value::Null), ("move-on", json!({"to": "c3"}))] {
            let path = format!("/v1/orders/m1/{path}");
            assert_eq!(centre.refused("POST", &path, "alipay", body).await, "order-in-doubt");
        }
        assert_eq!(with(&centre, &order, &mut new).await, "done", "{loss:?}");
        assert_eq!((on(&mut new), books(&centre)), (Some(VALUE), (700, 0, 0, 0)));
    }
}

/// Another order on the new card settles the move's load in doubt, both ways.
#[tokio::test]
async fn a_look_at_the_new_card_settles_what_is_in_doubt_there() {
    for (loss, value, state) in [(Loss::Before, 0, "running"), (Loss::After, VALUE, "done")] {
        let centre = Centre::in_memory();
        let (mut old, mut new) = two_phones(&centre, VALUE).await;
        let order = ordered(&centre).await;
        with(&centre, &order, &mut old).await;
        let new_id = new.se_id();
        let mut losing = Losing { card: &mut new, at: Some((CREDIT, loss)) };
        centre.carry_out(&order, &new_id, &mut losing).await;
        let read = json!({"id": "r1", "kind": "read", "card": "c2"});
        let read = centre.ok("POST", "/v1/orders", "alipay", read).await;
        assert_eq!(with(&centre, &read, &mut new).await, "done");
        assert_eq!((on(&mut new), &centre.order("m1").await["state"]), (Some(value), &json!(state)));
        if state == "running" {
            assert_eq!(centre.order("m1").await["problem"]["code"], "load-not-credited");
            assert_eq!(books(&centre), (0, 0, 700, 0), "it stands in the order again");
        }
        assert_eq!(with(&centre, &order, &mut new).await, "done", "{loss:?}");
        assert_eq!((on(&mut new), books(&centre)), (Some(VALUE), (700, 0, 0, 0)));
    }
}

#[tokio::test]
async fn every_request_may_come_twice_and_another_body_is_refused() {
    let centre = Centre::in_memory();
    let (mut old, mut new) = two_phones(&centre, VALUE).await;
    let order = ordered(&centre).await;
    assert_eq!(ordered(&centre).await["cursor"], order["cursor"]);
    planned(&centre, "c3", "u", 3).await;
    let other = json!({"id": "m1", "kind": "move", "card": "c1", "to": "c3"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", other).await, "id-taken");
    let session = order["session"]["id"].as_str().unwrap();
    for chip in [&mut old, &mut new] {
        let agent = Agent::new(element(&chip.se_id()));
        centre.shake_hands(session, &agent).await;
        centre.shake_hands(session, &agent).await;
        let mut report = AgentReport::polling();
        loop {
            let first = centre.report(session, &report).await;
            let done = agent.run(&first, chip);
            if done.stop {
                break;
            }
            if !report.is_polling() {
                assert_eq!(centre.report(session, &report).await, first, "the same report, the same orders");
            }
            report = done.report;
        }
    }
    assert_eq!((on(&mut old), on(&mut new), books(&centre)), (None, Some(VALUE), (700, 0, 0, 0)));
    assert_eq!(with(&centre, &order, &mut new).await, "done");
    for path in ["cancel", "refund"] {
        let path = format!("/v1/orders/m1/{path}");
        assert_eq!(centre.refused("POST", &path, "alipay", Value::Null).await, "order-over");
    }
}

/// A phone that answers for the card what its holder wants, and keeps what the centre sends.
struct Liar<'c> {
    card: &'c mut SoftwareElement,
    lies: Vec<(u8, Vec<u8>)>,
    kept: Vec<Vec<u8>>,
}

impl Channel for Liar<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let ins = command.get(1).copied().unwrap_or_default();
        if let Some((_, lie)) = self.lies.iter().find(|(lied, _)| *lied == ins) {
            self.kept.push(command.to_vec());
            return Ok(lie.clone());
        }
        self.card.transmit(command)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

#[tokio::test]
async fn an_old_phone_that_says_drained_and_keeps_the_value_gets_nothing_on_the_new_one() {
    let ok = |data: &[u8]| [data, &[0x90, 0x00]].concat();
    for (lies, told) in [
        (vec![(DEBIT, ok(&[7; 8]))], "in_doubt"),
        (vec![(DEBIT, vec![0x90, 0x00])], "in_doubt"),
        (vec![(DEBIT, vec![0x94, 0x01])], "in_doubt"),
        (vec![(0x50, ok(&[0; 16]))], "refused"), // holds nothing, it says
        (vec![(0xA4, vec![0x6A, 0x82])], "refused"),
    ] {
        let centre = Centre::in_memory();
        let (mut old, mut new) = two_phones(&centre, VALUE).await;
        let order = ordered(&centre).await;
        let se_id = old.se_id();
        let mut liar = Liar { card: &mut old, lies, kept: Vec::new() };
        assert_eq!(centre.carry_out(&order, &se_id, &mut liar).await, told);
        let kept = liar.kept;
        assert_eq!((on(&mut old), books(&centre).2), (Some(VALUE), 0));
        if told == "refused" {
            assert_eq!(with(&centre, &order, &mut old).await, "refused");
            assert_eq!((on(&mut new), books(&centre)), (None, (700, 0, 0, 0)));
            continue;
        }
        // It keeps the command, has the card disprove it, and plays it later: worth nothing.
        let mut liar = Liar { card: &mut old, lies: vec![(DEBIT, vec![0x69, 0x85])], kept: Vec::new() };
        assert_eq!(centre.carry_out(&order, &se_id, &mut liar).await, "in_doubt");
        for command in kept {
            old.transmit(&command).unwrap();
        }
        assert_eq!(on(&mut old), Some(VALUE));
        assert_eq!(with(&centre, &order, &mut old).await, "running");
        assert_eq!(with(&centre, &order, &mut new).await, "done");
        assert_eq!((on(&mut old), on(&mut new), books(&centre)), (None, Some(VALUE), (700, 0, 0, 0)));
    }
}

/// The old phone is lost when the value is off it and its card is not: the card is empty and denied, the move goes on.
#[tokio::test]
async fn an_old_phone_lost_midway_holds_nothing_up_and_is_cleared_whenever_it_returns() {
    let centre = Centre::in_memory();
    let (mut old, mut new) = two_phones(&centre, VALUE).await;
    let order = ordered(&centre).await;
    let old_id = old.se_id();
    let mut losing = Losing { card: &mut old, at: Some((DELETE, Loss::Before)) };
    assert_eq!(centre.carry_out(&order, &old_id, &mut losing).await, "running");
    assert_eq!((on(&mut old), state_of(&centre, "c1").await.as_str()), (Some(0), "returned"));
    assert_eq!(with(&centre, &order, &mut new).await, "done");
    assert_eq!((on(&mut new), books(&centre)), (Some(VALUE), (700, 0, 0, 0)));
    // The old card gets no value any more, neither by its id nor as whatever card is held to a phone.
    let late = json!({"id": "o9", "kind": "load", "plastic": true, "amount_fen": 5,
                      "paid": {"amount_fen": 5, "reference": "p9"}});
    let late = centre.ok("POST", "/v1/orders", "alipay", late).await;
    assert_eq!(centre.carry_out(&late, "3B00", &mut old).await, "refused");
    assert_eq!(with(&centre, &order, &mut old).await, "done");
    assert_eq!((on(&mut old), state_of(&centre, "c1").await.as_str()), (None, "deleted"));
}

#[tokio::test]
async fn a_new_phone_without_room_leaves_the_value_in_the_order_which_goes_on_to_another_or_is_paid_back() {
    for paid_back in [false, true] {
        let centre = Centre::in_memory();
        let (mut old, mut new) = two_phones(&centre, VALUE).await;
        let order = ordered(&centre).await;
        let on_path = "/v1/orders/m1/move-on";
        let mut third = planned(&centre, "c3", "u", 3).await;
        let early = centre.refused("POST", on_path, "alipay", json!({"to": "c3"})).await;
        assert_eq!(early, "move-unfit", "the value is still on the old card");
        with(&centre, &order, &mut old).await;
        let se_id = new.se_id();
        let mut full = Liar { card: &mut new, lies: vec![(INSTALL, vec![0x6A, 0x84])], kept: Vec::new() };
        assert_eq!(centre.carry_out(&order, &se_id, &mut full).await, "running");
        let stands = centre.order("m1").await;
        assert_eq!(
            (&stands["problem"]["code"], &stands["move"]["value"]),
            (&json!("element-full"), &json!("order"))
        );
        let cancel = centre.refused("POST", "/v1/orders/m1/cancel", "alipay", Value::Null).await;
        assert_eq!((cancel.as_str(), books(&centre)), ("value-has-left", (0, 0, 700, 0)));
        if paid_back {
            let owed = centre.account("due:wallet:alipay").0;
            let first = centre.ok("POST", "/v1/orders/m1/refund", "alipay", Value::Null).await;
            assert_eq!(
                (&first["state"], &first["problem"]["code"]),
                (&json!("refused"), &json!("move-refunded"))
            );
            assert_eq!((&first["move"]["value"], &first["amount_fen"]), (&json!("refunded"), &json!(700)));
            assert_eq!(centre.ok("POST", "/v1/orders/m1/refund", "alipay", Value::Null).await, first);
            assert_eq!((books(&centre), centre.account("due:wallet:alipay").0), ((0, 0, 0, 700), owed + 700));
            assert_eq!(with(&centre, &order, &mut new).await, "refused");
            assert_eq!(centre.refused("POST", on_path, "alipay", json!({"to": "c3"})).await, "order-over");
            continue;
        }
        planned(&centre, "x1", "somebody", 4).await;
        for (to, code) in [("x1", "move-unfit"), ("c1", "move-unfit"), ("c9", "unknown-card")] {
            assert_eq!(centre.refused("POST", on_path, "alipay", json!({ "to": to })).await, code, "{to}");
        }
        let first = centre.ok("POST", on_path, "alipay", json!({"to": "c3"})).await;
        assert_eq!(
            centre.ok("POST", on_path, "alipay", json!({"to": "c3"})).await,
            first,
            "again is the same"
        );
        let session = order["session"]["id"].as_str().unwrap();
        let hello = serde_json::to_string(&Agent::new(element(&se_id)).handshake()).unwrap();
        assert_eq!(centre.post("handshake", session, hello).await.1["code"], "wrong-element");
        assert_eq!(with(&centre, &order, &mut third).await, "done");
        assert_eq!((on(&mut new), on(&mut third), books(&centre)), (None, Some(VALUE), (700, 0, 0, 0)));
    }
}

#[tokio::test]
async fn a_move_is_taken_back_before_the_first_fen_has_moved() {
    let centre = Centre::in_memory();
    let (mut old, mut new) = two_phones(&centre, VALUE).await;
    let order = ordered(&centre).await;
    let se_id = old.se_id();
    let mut losing = Losing { card: &mut old, at: Some((0x5C, Loss::After)) };
    assert_eq!(centre.carry_out(&order, &se_id, &mut losing).await, "running");
    let taken = centre.ok("POST", "/v1/orders/m1/cancel", "alipay", Value::Null).await;
    assert_eq!(taken["problem"]["code"], "cancelled");
    assert_eq!(centre.ok("POST", "/v1/orders/m1/cancel", "alipay", Value::Null).await, taken);
    for chip in [&mut old, &mut new] {
        let agent = Agent::new(element(&chip.se_id()));
        let hello = serde_json::to_string(&agent.handshake()).unwrap();
        centre.post("handshake", order["session"]["id"].as_str().unwrap(), hello).await;
    }
    assert_eq!((on(&mut old), on(&mut new), books(&centre)), (Some(VALUE), None, (700, 0, 0, 0)));
    let again = json!({"id": "m2", "kind": "move", "card": "c1", "to": "c2"});
    let again = centre.ok("POST", "/v1/orders", "alipay", again).await;
    with(&centre, &again, &mut old).await;
    assert_eq!(with(&centre, &again, &mut new).await, "done");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_any_phone_is_asked() {
    let centre = Centre::in_memory();
    let (old, _) = two_phones(&centre, VALUE).await;
    planned(&centre, "x1", "somebody", 4).await;
    let (model, se_id) = (support::phone_id(), old.se_id());
    for (id, city, se_id) in [("same", CITY, se_id.as_str()), ("away", "3150", "4805A00000000009")] {
        let card = json!({"id": id, "user": "u", "city": city, "phone": model, "se_id": se_id});
        centre.ok("POST", "/v1/cards", "alipay", card).await;
    }
    for (to, code) in [
        (json!("x1"), "move-unfit"),
        (json!("same"), "move-unfit"),
        (json!("away"), "move-unfit"),
        (json!("c9"), "unknown-card"),
        (Value::Null, "field-missing"),
    ] {
        let mut order = json!({"id": "m9", "kind": "move", "card": "c1", "to": to});
        if to.is_null() {
            order.as_object_mut().unwrap().remove("to");
        }
        assert_eq!(centre.refused("POST", "/v1/orders", "alipay", order).await, code, "{to}");
    }
    let read = json!({"id": "r9", "kind": "read", "card": "c1", "to": "c2"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", read).await, "field-not-expected");
    ordered(&centre).await;
    let second = json!({"id": "m2", "kind": "move", "card": "c1", "to": "c2"});
    assert_eq!(
        centre.refused("POST", "/v1/orders", "alipay", second).await,
        "move-unfit",
        "one move to a card"
    );
    assert_eq!(centre.refused("POST", "/v1/orders/i1/refund", "alipay", Value::Null).await, "move-unfit");
}

/// The process dies with the value in doubt on the new card, and again between a refund's word and its booking.
#[tokio::test]
async fn a_centre_that_dies_finds_the_value_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (order, mut new) = {
        let centre = Centre::in_folder(folder.path(), 1);
        let (mut old, mut new) = two_phones(&centre, VALUE).await;
        let order = ordered(&centre).await;
        with(&centre, &order, &mut old).await;
        let se_id = new.se_id();
        let mut losing = Losing { card: &mut new, at: Some((CREDIT, Loss::Before)) };
        assert_eq!(centre.carry_out(&order, &se_id, &mut losing).await, "in_doubt");
        (order, new)
    };
    let centre = Centre::in_folder(folder.path(), 2);
    assert_eq!(books(&centre), (0, 700, 700, 0));
    drop(centre);
    let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
    // As if the card had disproven it, and the passenger had then asked for the money: nothing of it booked yet.
    db.execute("UPDATE moves SET phase = 'refunding' WHERE \"order\" = 'm1'", []).unwrap();
    db.execute("UPDATE orders SET state = 'refused', code = 'move-refunded' WHERE id = 'm1'", []).unwrap();
    drop(db);
    for seed in [3, 4] {
        let centre = Centre::in_folder(folder.path(), seed);
        assert_eq!(books(&centre), (0, 0, 0, 700), "booked once");
        assert_eq!(with(&centre, &order, &mut new).await, "refused");
    }
}
