//! Giving a card back: what the centre says it was worth is the passenger's, exactly once.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use wallet::{CardState, Code, OrderState, Target};

use crate::support::{Centre, Fault, Wallet, lin};

/// A card with 50 yuan on it, of 200 that the passenger had.
fn loaded_card(wallet: &Wallet) -> String {
    let card = wallet.issued_card();
    let order = wallet.load(&card, 5000).unwrap();
    wallet.centre.done(&order.id, 5000);
    wallet.core.refresh(&order.id).unwrap();
    assert_eq!(wallet.money(), (15_000, 0, 5000));
    card
}

#[test]
fn a_refund_credits_what_the_card_has_proven_once_by_whatever_way_it_is_told() {
    let wallet = Wallet::with_passenger();
    let card = loaded_card(&wallet);
    let order = wallet.core.refund(&lin(), Target::card(&card)).unwrap();
    assert_eq!(
        (order.state, order.amount.get(), wallet.money()),
        (OrderState::Created, 0, (15_000, 0, 5000))
    );
    // While it is in doubt the centre names an amount, and nothing is credited.
    wallet.centre.set(&order.id, json!({"state": "in_doubt", "amount_fen": 4321}));
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::InDoubt);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
    wallet.centre.refunded(&order.id, 4321);
    for _ in 0..3 {
        let order = wallet.core.refresh(&order.id).unwrap();
        assert_eq!((order.state, order.amount.get()), (OrderState::Done, 4321));
        wallet.core.refresh_open().unwrap();
        assert_eq!(wallet.money(), (19_321, 0, 679));
    }
    // Late words move nothing: an older state, another amount.
    for late in [json!({"state": "in_doubt"}), json!({"state": "done", "amount_fen": 9999})] {
        wallet.centre.set(&order.id, late);
        wallet.core.refresh(&order.id).unwrap();
        assert_eq!(wallet.money(), (19_321, 0, 679));
    }
    assert!(wallet.core.account("lin").unwrap().cards.is_empty(), "the card is given back");
    assert_eq!(wallet.load(&card, 100).unwrap_err().code, Code::UnknownCard);
    assert!(CardState::ALL.contains(&CardState::Returned));
}

#[test]
fn an_empty_card_comes_back_without_money_and_a_refused_refund_leaves_the_card() {
    let wallet = Wallet::with_passenger();
    let card = loaded_card(&wallet);
    let refused = wallet.core.refund(&lin(), Target::card(&card)).unwrap();
    wallet.centre.refused(&refused.id);
    assert_eq!(wallet.core.refresh(&refused.id).unwrap().state, OrderState::Refused);
    let cancelled = wallet.core.refund(&lin(), Target::card(&card)).unwrap();
    assert_eq!(wallet.core.cancel(&lin(), &cancelled.id).unwrap().state, OrderState::Refused);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
    let empty = wallet.core.refund(&lin(), Target::card(&card)).unwrap();
    wallet.centre.refunded(&empty.id, 0);
    assert_eq!(wallet.core.refresh(&empty.id).unwrap().state, OrderState::Done);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
}

#[test]
fn a_plastic_card_may_bring_more_than_was_ever_loaded_here() {
    let wallet = Wallet::with_passenger();
    let order = wallet.core.refund(&lin(), Target::Plastic).unwrap();
    wallet.centre.refunded(&order.id, 7000);
    wallet.core.refresh(&order.id).unwrap();
    assert_eq!(wallet.money(), (27_000, 0, -7000), "the centre owes it to the wallet");
}

#[test]
fn a_refund_is_asked_for_with_no_amount_and_lost_answers_make_no_second_one() {
    let wallet = Wallet::with_passenger();
    wallet.centre.fail([Fault::LostAnswer]);
    let payer = lin().request(Some("r-1"));
    let order = wallet.core.refund(&payer, Target::Plastic).unwrap();
    assert_eq!(order.state, OrderState::Unknown);
    let again = wallet.core.refund(&payer, Target::Plastic).unwrap();
    assert_eq!((&again.id, again.state, wallet.centre.orders()), (&order.id, OrderState::Created, 1));
    let body: serde_json::Value = serde_json::from_slice(&wallet.centre.posted("/v1/orders")[0]).unwrap();
    assert_eq!(body, json!({"id": order.id, "kind": "refund", "plastic": true}));
}

/// A wallet that was killed after the order's row said done, before the ledger had it or after.
fn killed(folder: &Path, credited: bool) -> (Wallet, String) {
    let centre: Arc<Centre> = Arc::default();
    let wallet = Wallet::in_folder(folder, &centre, 1);
    wallet.register();
    let order = wallet.core.refund(&lin(), Target::Plastic).unwrap();
    centre.refunded(&order.id, 4321);
    if credited {
        wallet.core.refresh(&order.id).unwrap();
    }
    drop(wallet);
    let store = rusqlite::Connection::open(folder.join("wallet.db")).unwrap();
    store
        .execute("UPDATE orders SET state = 'done', amount_fen = 4321, owed = 1 WHERE kind = 'refund'", [])
        .unwrap();
    drop(store);
    (Wallet::in_folder(folder, &centre, 2), order.id)
}

#[test]
fn a_kill_between_the_row_and_the_ledger_or_after_it_credits_once() {
    for credited in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (wallet, id) = killed(folder.path(), credited);
        assert_eq!(wallet.money(), (24_321, 0, -4321), "credited before: {credited}");
        wallet.core.refresh(&id).unwrap();
        wallet.core.refresh_open().unwrap();
        assert_eq!(wallet.money(), (24_321, 0, -4321), "credited before: {credited}");
    }
}

#[test]
fn the_days_file_names_a_refund_once_it_is_credited() {
    let wallet = Wallet::with_passenger();
    let done = wallet.core.refund(&lin(), Target::Plastic).unwrap();
    wallet.core.refund(&lin(), Target::Plastic).unwrap();
    wallet.centre.refunded(&done.id, 4321);
    wallet.core.refresh(&done.id).unwrap();
    let file = wallet.core.daily_file("2014-10-20".parse().unwrap()).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    let line = format!("{0},refund,2000000000000001,4321,refunded,{0},2014-10-20 07:45:00", done.id);
    assert_eq!((lines.len(), lines[1]), (3, line.as_str()), "{file}");
    assert!(lines[2].starts_with("END,1,0,4321,0,"), "{file}");
}
