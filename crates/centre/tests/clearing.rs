//! Record files in, verdicts out, and the end of a day.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use clearing::cux::{CuxFile, Numbered, read_taps, write_taps};
use keys::{CardRef, KeyUsage, Purchase, demo_card_keys, purchase_tac};
use model::{CardNumber, PsamId, PurseFen, Tac, TapRecord, TxnType};
use serde_json::{Value, json};
use support::Centre;

/// A purchase by a card of `issuer` at Shanghai's bus, with its true TAC.
fn tap(issuer: &str, running: u8, count: u16, amount: u32) -> TapRecord {
    let registry = support::registry();
    let bus = registry.operator("20000101".parse().unwrap()).unwrap();
    let issuer = registry.city(issuer.parse().unwrap()).unwrap().code;
    let [a, b] = issuer.to_bcd();
    let number = CardNumber::new([a, b, 0x99, 0, 0, 0, 0, running]);
    let keys = demo_card_keys(&CardRef { city: issuer, number });
    let key = keys.get(KeyUsage::Tac, 0).or_else(|| keys.get(KeyUsage::Tac, 1)).unwrap();
    let fen = |fen: u32| PurseFen::try_from(fen).unwrap();
    let mut tap = TapRecord {
        card: number,
        issuer,
        acquirer: bus.city,
        operator: bus.id,
        mode: bus.mode,
        terminal: bus.terminals.first,
        terminal_seq: u32::from(running) * 1000 + u32::from(count),
        psam: PsamId(1),
        card_seq: count,
        amount: fen(amount),
        list_fare: fen(amount),
        balance_before: fen(5000),
        kind: TxnType::Purchase,
        at: "2014-10-20 07:30:00".parse().unwrap(),
        tac: Tac([0; 4]),
        key_version: key.version,
        algorithm: key.algorithm,
        line: "71".parse().unwrap(),
        vehicle: "A1".parse().unwrap(),
        stop_in: "".parse().unwrap(),
        stop_out: "".parse().unwrap(),
        entered_at: None,
        test: false,
    };
    let purchase =
        Purchase { amount: tap.amount, txn_type: tap.kind.code(), terminal: tap.terminal, at: tap.at };
    tap.tac = Tac(purchase_tac(&key.key, &purchase, tap.terminal_seq).bytes());
    tap
}

fn file(sequence: u16, taps: Vec<TapRecord>) -> (String, Vec<u8>) {
    let name = format!("XF2000000020141020{sequence:04}.CUX");
    let records = (1..).zip(taps).map(|(local_seq, record)| Numbered { local_seq, record }).collect();
    let created = "2014-10-20 07:40:00".parse().unwrap();
    let bytes = write_taps(&CuxFile { name: name.parse().unwrap(), created, records }).unwrap();
    assert!(read_taps(&name, &bytes).is_ok());
    (name, bytes)
}

async fn put(centre: &Centre, name: &str, keyid: &str, bytes: &[u8]) -> (u16, Value) {
    centre.send("PUT", &format!("/v1/files/{name}"), keyid, bytes.to_vec()).await
}

#[tokio::test]
async fn a_file_is_taken_in_once_and_each_record_has_its_verdict() {
    let centre = Centre::in_memory();
    let mut forged = tap("3150", 2, 1, 300);
    forged.tac.0[0] ^= 1;
    let (name, bytes) =
        file(1, vec![tap("2000", 1, 1, 200), forged, tap("3150", 2, 2, 300), tap("3150", 2, 2, 300)]);
    let (status, receipt) = put(&centre, &name, "city:2000", &bytes).await;
    assert_eq!(status, 200, "{receipt}");
    assert_eq!(
        (&receipt["records"], &receipt["paid"], &receipt["paid_fen"]),
        (&json!(4), &json!(2), &json!(500))
    );
    assert_eq!(
        put(&centre, &name, "city:2000", &bytes).await,
        (200, receipt.clone()),
        "the same receipt again"
    );
    let verdicts = centre.ok("GET", &format!("/v1/files/{name}/verdicts"), "city:2000", Value::Null).await;
    assert_eq!(verdicts["receipt"], receipt);
    let found: Vec<(u64, u64)> = verdicts["not_paid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verdict| (verdict["line_no"].as_u64().unwrap(), verdict["verdict"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, [(3, 10), (5, 11)]);
}

#[tokio::test]
async fn a_tap_that_comes_again_in_another_file_is_paid_once() {
    let centre = Centre::in_memory();
    let (first, bytes) = file(1, vec![tap("2000", 1, 1, 200)]);
    put(&centre, &first, "city:2000", &bytes).await;
    let (second, bytes) = file(2, vec![tap("2000", 1, 1, 200), tap("2000", 1, 2, 200)]);
    let (_, receipt) = put(&centre, &second, "city:2000", &bytes).await;
    assert_eq!((&receipt["records"], &receipt["paid"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn a_file_is_whole_its_senders_own_and_once_by_name_and_content() {
    let centre = Centre::in_memory();
    let (name, bytes) = file(1, vec![tap("2000", 1, 1, 200)]);
    let code = async |name: &str, keyid: &str, bytes: &[u8]| {
        let (status, answer) = put(&centre, name, keyid, bytes).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(code(&name, "city:2000", &bytes[..bytes.len() - 1]).await, (422, "file-refused".into()));
    for at in [10, 100, 240, bytes.len() - 10] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert_eq!(code(&name, "city:2000", &flipped).await, (422, "file-refused".into()), "bit at {at}");
    }
    assert_eq!(code("XF2000.CUX", "city:2000", &bytes).await, (422, "file-refused".into()));
    assert_eq!(code(&name, "city:3150", &bytes).await, (403, "not-yours".into()));
    assert_eq!(code(&name, "alipay", &bytes).await, (403, "not-yours".into()));
    assert_eq!(code(&name, "city:2000", &bytes).await.0, 200);
    let (_, other) = file(1, vec![tap("2000", 1, 2, 200)]);
    assert_eq!(code(&name, "city:2000", &other).await, (409, "file-name-taken".into()));
    assert_eq!(
        code("XF20000000201410200002.CUX", "city:2000", &bytes).await,
        (409, "file-content-known".into())
    );
    let verdicts = format!("/v1/files/{name}/verdicts");
    assert_eq!(centre.refused("GET", &verdicts, "city:3150", Value::Null).await, "not-yours");
    let none = "/v1/files/XF20000000201410200009.CUX/verdicts";
    assert_eq!(centre.refused("GET", none, "city:2000", Value::Null).await, "unknown-file");
}

#[tokio::test]
async fn a_denied_card_is_paid_until_every_reader_can_know_it() {
    let centre = Centre::in_memory();
    let denied = tap("2000", 1, 1, 200);
    let path = format!("/v1/lists/deny/{}", denied.card.raw());
    let list = centre.ok("PUT", &path, "city:2000", Value::Null).await;
    assert_eq!((&list["version"], &list["cards"][0]["city"]), (&json!(1), &json!("2000")));
    assert_eq!(centre.ok("PUT", &path, "city:2000", Value::Null).await, list);
    assert_eq!(centre.ok("GET", "/v1/lists/deny", "city:3150", Value::Null).await, list);
    // Readers have a day to fetch the list; the tap above is within it.
    assert!(list["cards"][0]["since"].as_str().unwrap().starts_with("2014-10-21T"), "{list}");
    let (name, bytes) = file(1, vec![denied]);
    assert_eq!(put(&centre, &name, "city:2000", &bytes).await.1["paid"], 1);
    let list = centre.ok("GET", "/v1/lists/acceptance", "city:2000", Value::Null).await;
    let issuers = list["issuers"].as_array().unwrap();
    assert!(
        issuers.iter().any(|city| city["city"] == "2000")
            && issuers.iter().any(|city| city["city"] == "3150")
    );
}

#[tokio::test]
async fn a_day_closes_to_positions_that_sum_to_zero_and_closes_once() {
    let centre = Centre::in_memory();
    let (name, bytes) =
        file(1, vec![tap("2000", 1, 1, 200), tap("3150", 2, 1, 1000), tap("3150", 2, 2, 1000)]);
    put(&centre, &name, "city:2000", &bytes).await;
    assert_eq!(
        centre.refused("POST", "/v1/days/2014-10-21/close", "centre", Value::Null).await,
        "day-not-over"
    );
    assert_eq!(centre.refused("POST", "/v1/days/today/close", "centre", Value::Null).await, "day-malformed");
    let closing = centre.ok("POST", "/v1/days/2014-10-20/close", "centre", Value::Null).await;
    assert_eq!(
        closing["positions"],
        json!([
            {"account": "acquirer:2000", "amount_fen": 10},
            {"account": "issuer:3150", "amount_fen": -2000},
            {"account": "operator:20000101", "amount_fen": 1990},
        ])
    );
    assert_eq!(closing["flows"].as_array().unwrap().len(), 2);
    assert_eq!(centre.ok("POST", "/v1/days/2014-10-20/close", "centre", Value::Null).await, closing);
    centre.core.verify_books().unwrap();
    // Value: what left the purses is what operators and acquirers have got; home and away.
    assert_eq!(centre.account("float:2000").0 + centre.account("float:3150").0, -2200);
    assert_eq!(centre.account("payable:operator:20000101").0, 2190);
    assert_eq!(centre.account("fees:acquirer:2000").0, 10);
    for due in ["due:issuer:3150", "due:acquirer:2000", "due:operator:20000101"] {
        assert_eq!(centre.account(due).0, 0, "{due} went to its bank");
    }
    assert_eq!(centre.account("bank:issuer:3150").0, -2000);
    // What comes now counts for the next day.
    let (name, bytes) = file(2, vec![tap("3150", 2, 3, 500)]);
    assert_eq!(put(&centre, &name, "city:2000", &bytes).await.1["day"], "2014-10-21");
    centre.clock.forward(86_400);
    let next = centre.ok("POST", "/v1/days/2014-10-21/close", "centre", Value::Null).await;
    assert_eq!(next["positions"][1], json!({"account": "issuer:3150", "amount_fen": -500}));
    assert_eq!(
        centre.refused("POST", "/v1/days/2014-10-20/close", "centre", Value::Null).await,
        "day-closed"
    );
}

#[tokio::test]
async fn days_left_open_are_closed_first_each_with_its_own_taps() {
    let centre = Centre::in_memory();
    let (name, bytes) = file(1, vec![tap("3150", 2, 1, 1000)]);
    put(&centre, &name, "city:2000", &bytes).await;
    centre.clock.forward(2 * 86_400);
    let (name, bytes) = file(2, vec![tap("3150", 2, 2, 500)]);
    assert_eq!(put(&centre, &name, "city:2000", &bytes).await.1["day"], "2014-10-22");
    let closing = centre.core.close_day("2014-10-22".parse().unwrap()).unwrap();
    assert_eq!(closing.positions[1], ("issuer:3150".into(), model::Fen::new(-500)));
    assert_eq!(centre.account("bank:issuer:3150").0, -1500, "both days were settled");
    centre.core.verify_books().unwrap();
}

#[tokio::test]
async fn a_statement_shows_a_party_its_own_part() {
    let centre = Centre::in_memory();
    let (name, bytes) = file(1, vec![tap("3150", 2, 1, 1000)]);
    put(&centre, &name, "city:2000", &bytes).await;
    let path = "/v1/statements/operator:20000101/2014-10-20";
    let open = centre.ok("GET", path, "city:2000", Value::Null).await;
    assert_eq!((&open["closed"], &open["lines"]), (&json!(false), &json!([])));
    centre.core.close_day("2014-10-20".parse().unwrap()).unwrap();
    let statement = centre.ok("GET", path, "city:2000", Value::Null).await;
    assert_eq!(statement["closed"], true);
    assert_eq!(
        statement["sums"],
        json!([
            {"account": "bank:operator:20000101", "amount_fen": 995},
            {"account": "due:operator:20000101", "amount_fen": 0},
            {"account": "payable:operator:20000101", "amount_fen": 995},
        ])
    );
    let strange = "/v1/statements/operator:99999999/2014-10-20";
    assert_eq!(centre.refused("GET", strange, "centre", Value::Null).await, "unknown-party");
}

#[tokio::test]
async fn a_closing_that_broke_off_is_finished_by_closing_again() {
    let folder = tempfile::tempdir().unwrap();
    {
        let centre = Centre::in_folder(folder.path(), 1);
        let (name, bytes) = file(1, vec![tap("3150", 2, 1, 1000)]);
        put(&centre, &name, "city:2000", &bytes).await;
    }
    // The process died right after it had decided that the day is over.
    let db = rusqlite::Connection::open(folder.path().join("centre.db")).unwrap();
    db.execute("INSERT INTO days VALUES ('2014-10-20', '2014-10-20 23:59:59')", []).unwrap();
    drop(db);
    let centre = Centre::in_folder(folder.path(), 2);
    let (name, bytes) = file(2, vec![tap("3150", 2, 2, 1000)]);
    assert_eq!(
        put(&centre, &name, "city:2000", &bytes).await.1["day"],
        "2014-10-21",
        "the day takes nothing more"
    );
    let closing = centre.core.close_day("2014-10-20".parse().unwrap()).unwrap();
    let sum: i64 = closing.positions.iter().map(|(_, net)| net.get()).sum();
    assert_eq!((closing.positions.len(), sum), (3, 0));
    assert_eq!(centre.core.close_day("2014-10-20".parse().unwrap()).unwrap(), closing);
}
