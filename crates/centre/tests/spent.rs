//! A refund whose DEBIT was lost, and a card that readers then brought to zero: its taps say what the card cannot.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use card::command::{DebitForPurchase, GetMessage, InitializeForPurchase, PurchaseKind, SelectApplication};
use clearing::cux::{CuxFile, Numbered, write_taps};
use keys::{CardRef, KeyService, PurchaseOfferFacts, PurchaseRequest, SoftwareKeys};
use model::{CardNumber, CityCode, PsamId, PurseFen, TapRecord, TxnType};
use secure_element::PlasticCard;
use serde_json::{Value, json};
use smartcard::{Channel, Command};
use support::Centre;
use support::phone::{Losing, Loss, plastic};

const SE: &str = "3B00";
const DEBIT: u8 = 0x54;

/// A purchase that the card itself carries out and proves.
fn tap(card: &mut PlasticCard, seq: u32, amount: u32) -> TapRecord {
    let registry = support::registry();
    let bus = registry.operator("20000101".parse().unwrap()).unwrap();
    let city: CityCode = "2000".parse().unwrap();
    let of = CardRef { city, number: CardNumber::new([0x20, 0, 0x99, 0, 0, 0, 0, 1]) };
    let (amount, terminal) = (PurseFen::try_from(amount).unwrap(), bus.terminals.first);
    let at = "2014-10-20 07:30:00".parse().unwrap();
    let mut ask = |apdu: smartcard::Apdu| {
        let answer = card.transmit(&apdu.to_bytes()).unwrap();
        assert!(answer.ends_with(&[0x90, 0]), "{answer:02X?}");
        answer[..answer.len() - 2].to_vec()
    };
    ask(SelectApplication { name: hex::decode("A00000000386980701").unwrap() }.to_apdu());
    let includes = registry.city(city).unwrap().card.mac1_includes_auth_id;
    let auth_id = includes.then(|| GetMessage::parse_response(&ask(GetMessage.to_apdu())).unwrap());
    let offer =
        ask(InitializeForPurchase { kind: PurchaseKind::Plain, key_index: 1, amount, terminal }.to_apdu());
    let offer = InitializeForPurchase::parse_response(&offer).unwrap();
    let (key_version, algorithm) = (offer.key_version, offer.algorithm);
    let facts =
        PurchaseOfferFacts { counter: offer.counter, key_version, algorithm, random: offer.random, auth_id };
    let request = PurchaseRequest { amount, terminal, terminal_seq: seq, at };
    let mac1 = SoftwareKeys::demo().authorize_purchase(&of, &facts, &request).unwrap();
    let proof = ask(DebitForPurchase { terminal_seq: seq, at, mac1 }.to_apdu());
    TapRecord {
        card: of.number,
        issuer: city,
        acquirer: bus.city,
        operator: bus.id,
        mode: bus.mode,
        terminal,
        terminal_seq: seq,
        psam: PsamId(1),
        card_seq: offer.counter + 1,
        amount,
        list_fare: amount,
        balance_before: offer.balance,
        kind: TxnType::Purchase,
        at,
        tac: DebitForPurchase::parse_response(&proof).unwrap().tac,
        key_version,
        algorithm,
        line: "71".parse().unwrap(),
        vehicle: "A1".parse().unwrap(),
        stop_in: "".parse().unwrap(),
        stop_out: "".parse().unwrap(),
        entered_at: None,
        test: false,
    }
}

async fn send(centre: &Centre, sequence: u16, tap: TapRecord) {
    let name = format!("XF2000000020141020{sequence:04}.CUX");
    let records = vec![Numbered { local_seq: 1, record: tap }];
    let created = "2014-10-20 07:40:00".parse().unwrap();
    let bytes = write_taps(&CuxFile { name: name.parse().unwrap(), created, records }).unwrap();
    let (status, receipt) = centre.send("PUT", &format!("/v1/files/{name}"), "city:2000", bytes).await;
    assert_eq!((status, &receipt["paid"]), (200, &json!(1)), "{receipt}");
}

/// A card loaded with 700 and tapped for 200 whose refund lost its DEBIT, or DEBIT's answer.
async fn doubted(centre: &Centre, loss: Loss) -> (PlasticCard, TapRecord, Value) {
    let mut card = plastic("2000", 1);
    let load = json!({"id": "o1", "kind": "load", "plastic": true, "amount_fen": 700,
                      "paid": {"amount_fen": 700, "reference": "p"}});
    let load = centre.ok("POST", "/v1/orders", "alipay", load).await;
    assert_eq!(centre.carry_out(&load, SE, &mut card).await, "done");
    let before = tap(&mut card, 1, 200);
    let order = json!({"id": "r1", "kind": "refund", "plastic": true});
    let order = centre.ok("POST", "/v1/orders", "alipay", order).await;
    let mut losing = Losing { card: &mut card, at: Some((DEBIT, loss)) };
    assert_eq!(centre.carry_out(&order, SE, &mut losing).await, "in_doubt");
    (card, before, order)
}

#[tokio::test]
async fn taps_that_took_the_value_disprove_the_drain_and_earlier_ones_that_come_late_do_not() {
    let centre = Centre::in_memory();
    let (mut card, before, order) = doubted(&centre, Loss::Before).await;
    let (third, last) = (tap(&mut card, 2, 200), tap(&mut card, 3, 300));
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "in_doubt", "nothing is known of the taps");
    send(&centre, 1, before).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "in_doubt", "it was made before the offer");
    send(&centre, 2, third).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!(centre.order("r1").await["amount_fen"], 0, "the taps took it");
    assert_eq!((centre.account("doubt:2000"), centre.account("refunds:alipay").0), ((0, 0), 0));
    assert_eq!(centre.account("float:2000").0, 700, "it is the readers', at the day's end");
    send(&centre, 3, last).await;
    support::apart(|| centre.core.verify_books()).unwrap();
}

#[tokio::test]
async fn a_drain_that_was_carried_out_is_never_disproven() {
    let centre = Centre::in_memory();
    let (mut card, before, order) = doubted(&centre, Loss::After).await;
    send(&centre, 1, before).await;
    assert_eq!(centre.carry_out(&order, SE, &mut card).await, "done");
    assert_eq!(centre.order("r1").await["amount_fen"], 500);
    assert_eq!(centre.account("refunds:alipay").0, 500);
}
