//! The daily match: a clean day has nothing to say; each planted difference is found by its kind, to the fen.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use secure_element::PlasticCard;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::Centre;
use support::phone::{CREDIT, Losing, Loss, plastic};

const DAY: &str = "2014-10-20";
const NEXT: &str = "2014-10-21";
const WALLET: &str = "alipay";

fn file(day: &str, lines: &[(&str, u32, &str)]) -> String {
    let mut text = format!("WD1,{WALLET},{day},2014-10-21 00:05:00\n");
    let sum = |word: &str| -> u32 { lines.iter().filter(|line| line.2 == word).map(|line| line.1).sum() };
    let mut sorted = lines.to_vec();
    sorted.sort_unstable();
    for (order, amount, word) in sorted {
        text += &format!("{order},load,,{amount},{word},pay-{order},2014-10-20 08:00:00\n");
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    text + &format!("END,{},{},{},{},{digest}\n", lines.len(), sum("paid"), sum("refunded"), sum("held"))
}

async fn order(centre: &Centre, id: &str, amount: u32) -> Value {
    let body = json!({"id": id, "kind": "load", "plastic": true, "amount_fen": amount,
                      "paid": {"amount_fen": amount, "reference": format!("pay-{id}")}});
    centre.ok("POST", "/v1/orders", WALLET, body).await
}

async fn loaded(centre: &Centre, id: &str, amount: u32, card: &mut PlasticCard) {
    let placed = order(centre, id, amount).await;
    assert_eq!(centre.carry_out(&placed, "3B00", card).await, "done");
    centre.clock.forward(60);
}

/// CREDIT FOR LOAD is lost on the way, or its answer is.
async fn torn(centre: &Centre, id: &str, amount: u32, card: &mut PlasticCard, loss: Loss) {
    let placed = order(centre, id, amount).await;
    let mut losing = Losing { card, at: Some((CREDIT, loss)) };
    centre.carry_out(&placed, "3B00", &mut losing).await;
    centre.clock.forward(60);
}

async fn send(centre: &Centre, day: &str, lines: &[(&str, u32, &str)]) {
    let (status, answer) =
        centre.send("PUT", &format!("/v1/days/{day}/file"), WALLET, file(day, lines)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn matched(centre: &Centre, day: &str) -> Value {
    centre.ok("POST", &format!("/v1/days/{day}/match"), "centre", Value::Null).await
}

/// Kind, order, gap and state of every case, in the order of their changes.
async fn cases(centre: &Centre) -> Vec<(String, String, i64, String)> {
    let list = centre.ok("GET", "/v1/cases", "centre", Value::Null).await;
    let text = |case: &Value, field: &str| case[field].as_str().unwrap_or_default().to_owned();
    let case = |case: &Value| {
        assert!(!text(case, "zh").is_empty() && case["evidence"]["wallet"].is_string(), "{case}");
        (text(case, "kind"), text(case, "order"), case["gap_fen"].as_i64().unwrap(), text(case, "state"))
    };
    list["cases"].as_array().unwrap().iter().map(case).collect()
}

fn is(kind: &str, order: &str, gap: i64, state: &str) -> (String, String, i64, String) {
    (kind.into(), order.into(), gap, state.into())
}

async fn two_loads() -> Centre {
    let centre = Centre::in_memory();
    let (mut one, mut two) = (plastic("2000", 1), plastic("2000", 2));
    loaded(&centre, "o1", 5000, &mut one).await;
    loaded(&centre, "o2", 700, &mut two).await;
    loaded(&centre, "o3", 300, &mut two).await;
    centre
}

#[tokio::test]
async fn a_clean_day_agrees_to_the_fen_and_says_so_and_again_byte_for_byte() {
    let centre = two_loads().await;
    send(&centre, DAY, &[("o1", 5000, "paid"), ("o2", 700, "paid"), ("o3", 300, "paid")]).await;
    let result = matched(&centre, DAY).await;
    assert!(result["en"].as_str().unwrap().contains("three sides agree to the fen"), "{result}");
    assert!(result["zh"].as_str().unwrap().contains("三方逐分相符"));
    let wallet = &result["wallets"][0];
    assert_eq!(
        (&wallet["orders"], &wallet["matched"], &wallet["gap_fen"]),
        (&json!(3), &json!(3), &json!(0))
    );
    for side in ["wallet_paid", "ledger_posted", "cards_proven"] {
        assert_eq!(wallet[side], json!({"orders": 3, "fen": 6000}), "{side}");
    }
    assert_eq!(cases(&centre).await, []);
    assert_eq!(matched(&centre, DAY).await.to_string(), result.to_string());
    assert_eq!(centre.ok("GET", &format!("/v1/days/{DAY}/match"), WALLET, Value::Null).await, result);
    let other = centre.ok("GET", &format!("/v1/days/{DAY}/match"), "baidu-wallet", Value::Null).await;
    assert_eq!(other["wallets"], json!([]), "no wallet sees another's figures");
}

#[tokio::test]
async fn a_load_that_a_channel_asked_for_is_counted_once_as_the_wallets() {
    let centre = Centre::in_memory();
    let ask = json!({"id": "c1", "wallet": WALLET, "city": "2140", "card_number": "2140990000000001", "amount_fen": 5000});
    centre.ok("POST", "/v1/channel-orders", "channel:elechong", ask).await;
    let pay = json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 5000,
                     "paid": {"amount_fen": 5000, "reference": "pay-o1"}, "channel": {"id": "elechong", "order": "c1"}});
    let order = centre.ok("POST", "/v1/orders", WALLET, pay).await;
    assert_eq!(centre.carry_out(&order, "3B00", &mut plastic("2140", 1)).await, "done");
    centre.clock.forward(60);
    send(&centre, DAY, &[("o1", 5000, "paid")]).await;
    let result = matched(&centre, DAY).await;
    for side in ["wallet_paid", "ledger_posted", "cards_proven"] {
        assert_eq!(result["wallets"][0][side], json!({"orders": 1, "fen": 5000}), "{side}");
    }
    assert_eq!(cases(&centre).await, []);
}

#[tokio::test]
async fn each_planted_difference_between_file_and_ledger_is_found_to_the_fen() {
    let all = [("o1", 5000, "paid"), ("o2", 700, "paid"), ("o3", 300, "paid")];
    for (wrong, expected) in [
        (vec![("o1", 5001, "paid"), all[1], all[2]], is("amount-differs", "o1", 1, "open")),
        (vec![all[0], all[2]], is("ledger-only", "o2", -700, "open")),
        (vec![all[0], all[1], all[2], ("o9", 100, "paid")], is("wallet-only", "o9", 100, "open")),
        (vec![all[0], all[1], ("o3", 300, "refunded")], is("state-differs", "o3", -300, "open")),
        (vec![all[0], all[1], ("o3", 300, "held")], is("late", "o3", 0, "open")),
    ] {
        let centre = two_loads().await;
        send(&centre, DAY, &wrong).await;
        let result = matched(&centre, DAY).await;
        let again = matched(&centre, DAY).await;
        assert_eq!((cases(&centre).await, again.to_string()), (vec![expected.clone()], result.to_string()));
        let fault = expected.0 != "late";
        assert_eq!(result["en"].as_str().unwrap().contains("agree"), !fault, "{result}");
        // What the wallet mends stands in its next file, and the case closes; nothing of it is deleted.
        centre.clock.forward(86_400);
        send(&centre, NEXT, &all).await;
        matched(&centre, NEXT).await;
        let settled = cases(&centre).await;
        if expected.0 == "wallet-only" {
            assert_eq!(settled[0].3, "open", "it still has the money");
        } else {
            assert_eq!(settled, [is(&expected.0, &expected.1, expected.2, "settled")]);
        }
        // Matching the earlier day again does not open what a later one settled.
        assert_eq!(matched(&centre, DAY).await.to_string(), result.to_string());
        assert_eq!(cases(&centre).await, settled);
    }
}

#[tokio::test]
async fn a_missing_file_is_one_case_and_a_late_one_settles_it_by_itself() {
    let centre = two_loads().await;
    let result = matched(&centre, DAY).await;
    assert_eq!(
        (&result["wallets"][0]["matched"], &result["wallets"][0]["gap_fen"]),
        (&json!(0), &json!(6000))
    );
    assert_eq!(cases(&centre).await, [is("file-missing", "", -6000, "open")]);
    centre.clock.forward(86_400);
    send(&centre, DAY, &[("o1", 5000, "paid"), ("o2", 700, "paid"), ("o3", 300, "paid")]).await;
    assert_eq!(cases(&centre).await, [is("file-missing", "", -6000, "settled")]);
    let result = centre.ok("GET", &format!("/v1/days/{DAY}/match"), "centre", Value::Null).await;
    assert!(result["en"].as_str().unwrap().contains("agree to the fen"), "{result}");
}

#[tokio::test]
async fn a_doubt_is_named_and_the_next_offer_of_the_card_settles_it() {
    for (loss, word) in [(Loss::After, "paid"), (Loss::Before, "refunded")] {
        let centre = Centre::in_memory();
        let mut card = plastic("2000", 1);
        torn(&centre, "o1", 5000, &mut card, loss).await;
        send(&centre, DAY, &[("o1", 5000, "held")]).await;
        let result = matched(&centre, DAY).await;
        assert!(result["en"].as_str().unwrap().contains("agree to the fen; 1 in doubt"), "{result}");
        assert_eq!(cases(&centre).await, [is("in-doubt", "o1", 5000, "open")]);
        centre.clock.forward(86_400);
        loaded(&centre, "o2", 100, &mut card).await;
        send(&centre, NEXT, &[("o1", 5000, word), ("o2", 100, "paid")]).await;
        let next = matched(&centre, NEXT).await;
        assert!(next["en"].as_str().unwrap().contains("agree to the fen; 0 in doubt"), "{next}");
        assert_eq!(cases(&centre).await, [is("in-doubt", "o1", 5000, "settled")]);
        assert_eq!(matched(&centre, DAY).await, result);
    }
}

#[tokio::test]
async fn a_person_decides_a_doubt_with_a_reason_and_nobody_else() {
    for (decision, float, refunds) in [("credited", 5000, 0), ("not-credited", 0, 5000)] {
        let centre = Centre::in_memory();
        let mut card = plastic("2000", 1);
        torn(&centre, "o1", 5000, &mut card, Loss::After).await;
        send(&centre, DAY, &[("o1", 5000, "held")]).await;
        matched(&centre, DAY).await;
        let path = "/v1/cases/1/decide";
        let body = |decision: &str, reason: &str| json!({"decision": decision, "reason": reason});
        assert_eq!(centre.refused("POST", path, WALLET, body(decision, "mine")).await, "not-yours");
        assert_eq!(centre.refused("POST", path, "centre", body(decision, " ")).await, "reason-malformed");
        assert_eq!(centre.refused("POST", path, "centre", body("explained", "x")).await, "decision-unfit");
        assert_eq!(centre.refused("POST", path, "centre", body("maybe", "x")).await, "body-malformed");
        assert_eq!(
            centre.refused("POST", "/v1/cases/9/decide", "centre", body(decision, "x")).await,
            "unknown-case"
        );
        assert_eq!((centre.account("doubt:2000").1, centre.account("float:2000").0), (5000, 0));
        let decided =
            centre.ok("POST", path, "centre", body(decision, "the card was read at the counter")).await;
        assert_eq!(decided["decision"], format!("{decision}: the card was read at the counter"));
        assert_eq!(
            centre.ok("POST", path, "centre", body(decision, "the card was read at the counter")).await,
            decided
        );
        assert_eq!(centre.refused("POST", path, "centre", body(decision, "another")).await, "case-settled");
        let now = ["doubt:2000", "float:2000", "refunds:alipay"].map(|name| centre.account(name));
        assert_eq!(now, [(0, 0), (float, 0), (refunds, 0)]);
        let word = if decision == "credited" { "paid" } else { "refunded" };
        centre.clock.forward(86_400);
        send(&centre, NEXT, &[("o1", 5000, word)]).await;
        let next = matched(&centre, NEXT).await;
        assert!(next["en"].as_str().unwrap().contains("agree"), "{next}");
    }
}

/// A load that is done, and what a bug or a thief made of its row.
async fn edited(sql: &[&str], word: &str) -> Vec<(String, String, i64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let mut card = plastic("2000", 1);
    {
        let centre = Centre::in_folder(folder.path(), 1);
        loaded(&centre, "o1", 5000, &mut card).await;
        loaded(&centre, "o2", 100, &mut card).await;
    }
    for sql in sql {
        let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
        db.execute(sql, []).unwrap();
    }
    let centre = Centre::in_folder(folder.path(), 2);
    send(&centre, DAY, &[("o1", 5000, word), ("o2", 100, "paid")]).await;
    matched(&centre, DAY).await;
    cases(&centre).await
}

#[tokio::test]
async fn a_card_that_has_less_than_was_posted_is_found() {
    let lost = edited(&["UPDATE orders SET tac = tac - 1 WHERE id = 'o1'"], "paid").await;
    assert_eq!(lost, [is("card-has-less", "o1", 5000, "open")]);
}

#[tokio::test]
async fn a_credited_load_that_was_called_refused_is_found_by_the_card() {
    let voided =
        edited(&["UPDATE orders SET state = 'refused', tac = NULL WHERE id = 'o1'"], "refunded").await;
    assert!(voided.contains(&is("state-differs", "o1", -5000, "open")), "{voided:?}");
    assert!(voided.contains(&is("card-has-more", "o1", 5000, "open")), "{voided:?}");
}

#[tokio::test]
async fn a_bad_file_is_refused_with_line_and_field_and_another_one_with_the_stored_digest() {
    let centre = two_loads().await;
    let path = format!("/v1/days/{DAY}/file");
    let good = file(DAY, &[("o1", 5000, "paid")]);
    let bad = good.replace("5000,paid", "50.00,paid");
    let (status, answer) = centre.send("PUT", &path, WALLET, bad).await;
    assert_eq!((status, &answer["code"]), (422, &json!("file-refused")));
    assert!(answer["detail"].as_str().unwrap().contains("line 2 amount_fen"), "{answer}");
    let (_, receipt) = centre.send("PUT", &path, WALLET, good.clone()).await;
    assert_eq!((&receipt["lines"], &receipt["paid_fen"]), (&json!(1), &json!(5000)));
    assert_eq!(centre.send("PUT", &path, WALLET, good).await.1, receipt, "the same file, the same receipt");
    let (status, answer) = centre.send("PUT", &path, WALLET, file(DAY, &[])).await;
    assert_eq!((status, &answer["code"]), (409, &json!("file-name-taken")));
    assert_eq!(answer["stored_digest"], receipt["digest"]);
    let tomorrow = format!("/v1/days/{NEXT}/file");
    assert_eq!(centre.send("PUT", &tomorrow, WALLET, file(NEXT, &[])).await.1["code"], "day-not-over");
    assert_eq!(centre.send("PUT", &path, "city:2000", file(DAY, &[])).await.1["code"], "not-yours");
    assert_eq!(
        centre.send("GET", "/v1/days/2014-10-19/match", WALLET, "").await.1["code"],
        "day-not-matched"
    );
    assert_eq!(centre.send("POST", "/v1/days/2014-10-20/match", WALLET, "").await.1["code"], "not-yours");
    assert_eq!(
        centre.send("POST", "/v1/days/2014-13-20/match", "centre", "").await.1["code"],
        "day-malformed"
    );
}

#[tokio::test]
async fn a_day_is_matched_by_itself_when_the_files_are_there_or_their_time_has_come() {
    let centre = two_loads().await;
    assert_eq!(
        support::apart(|| centre.core.match_due()).unwrap().len(),
        1,
        "2014-10-19 is waited for no more, and had nothing"
    );
    centre.clock.forward(17 * 3600);
    assert!(
        support::apart(|| centre.core.match_due()).unwrap().is_empty(),
        "files of the day before may still come"
    );
    send(&centre, DAY, &[("o1", 5000, "paid"), ("o2", 700, "paid"), ("o3", 300, "paid")]).await;
    centre.clock.forward(4 * 3600);
    let days = support::apart(|| centre.core.match_due()).unwrap();
    assert_eq!((days.len(), days[0].day.as_str(), days[0].differences()), (1, DAY, 0));
    assert!(support::apart(|| centre.core.match_due()).unwrap().is_empty());
}
