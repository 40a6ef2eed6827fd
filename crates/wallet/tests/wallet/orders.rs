//! What becomes of an order and its money, whatever the centre says or does not say.

use crate::support::{Fault, PASSWORD, SE_ID, Wallet, lin};
use model::Fen;
use serde_json::{Value, json};
use wallet::{CardState, Code, Device, OrderState, Pick, Target};

#[test]
fn a_load_is_held_when_placed_and_due_when_done() {
    let wallet = Wallet::with_passenger();
    let card = wallet.issued_card();
    let order = wallet.load(&card, 5000).unwrap();
    assert_eq!((order.state, wallet.money()), (OrderState::Created, (15_000, 5000, 0)));
    wallet.centre.set(&order.id, json!({"state": "running"}));
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Running);
    assert_eq!(wallet.money(), (15_000, 5000, 0));
    wallet.centre.done(&order.id, 5000);
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Done);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
    let card = wallet.core.account("lin").unwrap().cards.remove(0);
    assert_eq!((card.state, card.balance.map(u32::from)), (CardState::Issued, Some(5000)));
}

#[test]
fn the_centre_is_asked_as_its_interface_says() {
    let wallet = Wallet::with_passenger();
    let card = wallet.issued_card();
    let order = wallet.load(&card, 5000).unwrap();
    let cards: Value = serde_json::from_slice(&wallet.centre.posted("/v1/cards")[0]).unwrap();
    let user = cards["user"].as_str().unwrap();
    assert_eq!(
        cards,
        json!({"id": card, "user": user, "city": "2000", "phone": "oppo-find7", "se_id": SE_ID})
    );
    assert!(
        user != "lin" && !cards.to_string().contains(PASSWORD),
        "the centre learns no name and no password"
    );
    let orders = wallet.centre.posted("/v1/orders");
    let issue: Value = serde_json::from_slice(&orders[0]).unwrap();
    assert_eq!(issue, json!({"id": issue["id"], "kind": "issue", "card": card}));
    let load: Value = serde_json::from_slice(&orders[1]).unwrap();
    assert_eq!(
        load,
        json!({"id": order.id, "kind": "load", "card": card, "amount_fen": 5000,
               "paid": {"amount_fen": 5000, "reference": order.id}})
    );
    let plastic = wallet.core.read(&lin(), Target::Plastic).unwrap();
    let read: Value = serde_json::from_slice(&wallet.centre.posted("/v1/orders")[2]).unwrap();
    assert_eq!(read, json!({"id": plastic.id, "kind": "read", "plastic": true}));
}

#[test]
fn a_refused_load_comes_back_whole() {
    let wallet = Wallet::with_passenger();
    let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    wallet.centre.refused(&order.id);
    let order = wallet.core.refresh(&order.id).unwrap();
    assert_eq!((order.state, wallet.money()), (OrderState::Refused, (20_000, 0, 0)));
    assert_eq!(order.refusal.unwrap().code, "card-refused");
}

#[test]
fn doubt_holds_the_money_until_the_card_speaks() {
    for (done, expected) in [(true, (15_000, 0, 5000)), (false, (20_000, 0, 0))] {
        let wallet = Wallet::with_passenger();
        let card = wallet.issued_card();
        let order = wallet.load(&card, 5000).unwrap();
        wallet.centre.set(&order.id, json!({"state": "in_doubt"}));
        for _ in 0..3 {
            wallet.clock.forward(400 * 86_400); // time settles nothing
            assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::InDoubt);
            assert_eq!(wallet.money(), (15_000, 5000, 0));
        }
        if done {
            wallet.centre.done(&order.id, 5000)
        } else {
            wallet.centre.refused(&order.id)
        }
        wallet.core.refresh(&order.id).unwrap();
        assert_eq!(wallet.money(), expected);
    }
}

#[test]
fn silence_keeps_the_order_and_a_repetition_sends_the_same_bytes() {
    for fault in
        [Fault::Unreachable, Fault::LostRequest, Fault::LostAnswer, Fault::GarbledAnswer, Fault::Status(500)]
    {
        let wallet = Wallet::with_passenger();
        let card = wallet.issued_card();
        let before = wallet.centre.orders();
        wallet.centre.fail([fault.clone(), fault.clone()]);
        let order = wallet.load(&card, 5000).unwrap();
        assert_eq!((order.state, wallet.money()), (OrderState::Unknown, (15_000, 5000, 0)), "{fault:?}");
        let order = wallet.core.refresh(&order.id).unwrap();
        assert_eq!((order.state, wallet.money()), (OrderState::Unknown, (15_000, 5000, 0)), "{fault:?}");
        let order = wallet.core.refresh(&order.id).unwrap();
        assert_eq!(order.state, OrderState::Created, "{fault:?}");
        assert_eq!(wallet.centre.orders(), before + 1, "{fault:?}: one order, however often it was sent");
        let mut sent = wallet.centre.posted("/v1/orders").split_off(1);
        sent.dedup();
        assert_eq!(sent.len(), 1, "{fault:?}: the same bytes each time");
        wallet.centre.done(&order.id, 5000);
        wallet.core.refresh_open().unwrap();
        assert_eq!(wallet.money(), (15_000, 0, 5000), "{fault:?}");
    }
}

#[test]
fn an_issue_whose_first_half_got_no_answer_is_sent_again_whole() {
    let wallet = Wallet::with_passenger();
    wallet.centre.fail([Fault::None, Fault::LostAnswer, Fault::None, Fault::LostAnswer]);
    let order = wallet.issue("2000").unwrap();
    assert_eq!(order.state, OrderState::Unknown);
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Unknown);
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Created);
    let mut cards = wallet.centre.posted("/v1/cards");
    assert_eq!(cards.len(), 3);
    cards.dedup();
    assert_eq!(cards.len(), 1);
    assert_eq!(wallet.centre.posted("/v1/orders").len(), 2);
}

#[test]
fn a_judgement_refuses_the_order_and_gives_the_money_back() {
    for (status, code) in [(422, "amount-over-limit"), (409, "card-deleted"), (401, "key-unknown")] {
        let wallet = Wallet::with_passenger();
        wallet.centre.fail([Fault::Problem(status, code)]);
        let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
        assert_eq!((order.state, wallet.money()), (OrderState::Refused, (20_000, 0, 0)), "{code}");
        assert_eq!(order.refusal.unwrap().code, code);
    }
}

#[test]
fn after_a_lost_answer_a_bad_signature_or_a_taken_id_proves_nothing() {
    for (status, code) in
        [(401, "signature-clock"), (403, "not-yours"), (409, "id-taken"), (503, "store-failed")]
    {
        let wallet = Wallet::with_passenger();
        wallet.centre.fail([Fault::LostAnswer, Fault::Problem(status, code)]);
        let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
        let order = wallet.core.refresh(&order.id).unwrap();
        assert_eq!((order.state, wallet.money()), (OrderState::Unknown, (15_000, 5000, 0)), "{code}");
        assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Created, "{code}");
    }
}

#[test]
fn a_problem_on_the_way_changes_nothing_about_an_order_that_the_centre_has() {
    let wallet = Wallet::with_passenger();
    let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    for fault in
        [Fault::Problem(404, "unknown-order"), Fault::Status(502), Fault::LostAnswer, Fault::Unreachable]
    {
        wallet.centre.fail([fault]);
        assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Created);
        assert_eq!(wallet.money(), (15_000, 5000, 0));
    }
}

#[test]
fn a_word_about_another_order_is_not_believed() {
    for change in [
        json!({"id": "another"}),
        json!({"kind": "read"}),
        json!({"amount_fen": 4999}),
        json!({"state": "paid"}),
        json!({"state": "unknown"}),
    ] {
        let wallet = Wallet::with_passenger();
        let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
        wallet.centre.done(&order.id, 5000);
        wallet.centre.set(&order.id, change.clone());
        assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Created, "{change}");
        assert_eq!(wallet.money(), (15_000, 5000, 0), "{change}");
    }
}

#[test]
fn an_end_is_an_end() {
    let wallet = Wallet::with_passenger();
    let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    wallet.centre.done(&order.id, 5000);
    wallet.core.refresh(&order.id).unwrap();
    wallet.centre.refused(&order.id);
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Done);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
}

#[test]
fn the_apps_request_asked_again_is_the_same_order() {
    let wallet = Wallet::with_passenger();
    let payer = lin().request(Some("r-1"));
    wallet.centre.fail([Fault::LostAnswer]);
    let first = wallet.core.load(&payer, Target::Plastic, Fen::new(5000)).unwrap();
    assert_eq!(first.state, OrderState::Unknown);
    let again = wallet.core.load(&payer, Target::Plastic, Fen::new(5000)).unwrap();
    assert_eq!((&again.id, again.state), (&first.id, OrderState::Created));
    assert!(again.session.is_some());
    assert_eq!((wallet.money(), wallet.centre.orders()), ((15_000, 5000, 0), 1));
    let other = wallet.core.load(&payer, Target::Plastic, Fen::new(5001)).unwrap_err();
    assert_eq!(other, Code::RequestTaken.about("r-1"));
    let malformed = wallet.core.read(&lin().request(Some("r 1")), Target::Plastic).unwrap_err();
    assert_eq!(malformed.code, Code::RequestMalformed);
}

#[test]
fn nobody_spends_what_is_not_there_or_is_held() {
    let wallet = Wallet::with_passenger();
    let too_much = wallet.core.load(&lin(), Target::Plastic, Fen::new(20_001)).unwrap_err();
    assert_eq!(too_much, Code::InsufficientBalance.about("200.00"));
    wallet.core.load(&lin(), Target::Plastic, Fen::new(15_000)).unwrap();
    let held = wallet.core.load(&lin(), Target::Plastic, Fen::new(5001)).unwrap_err();
    assert_eq!(held, Code::InsufficientBalance.about("50.00"));
    wallet.core.top_up("lin", PASSWORD, Some("t-1"), Fen::new(1)).unwrap();
    wallet.core.top_up("lin", PASSWORD, Some("t-1"), Fen::new(1)).unwrap();
    wallet.core.load(&lin(), Target::Plastic, Fen::new(5001)).unwrap();
    assert_eq!(wallet.money(), (0, 20_001, 0), "and the same top-up counts once");
    let other = wallet.core.top_up("lin", PASSWORD, Some("t-1"), Fen::new(2)).unwrap_err();
    assert_eq!(other.code, Code::RequestTaken);
}

#[test]
fn an_amount_is_more_than_nothing_and_fits_a_purse() {
    let wallet = Wallet::with_passenger();
    for (fen, code) in
        [(0, Code::AmountNotPositive), (-1, Code::AmountNotPositive), (1 << 31, Code::AmountOverLimit)]
    {
        let problem = wallet.core.load(&lin(), Target::Plastic, Fen::new(fen)).unwrap_err();
        assert_eq!(problem.code, code, "{fen}");
    }
    assert_eq!((wallet.money(), wallet.centre.orders()), ((20_000, 0, 0), 0));
}

#[test]
fn a_citys_fee_is_held_and_passed_on_like_a_load() {
    let wallet = Wallet::with_passenger();
    let order = wallet.issue("3120").unwrap();
    assert_eq!((order.amount.get(), wallet.money()), (2000, (18_000, 2000, 0)));
    let body: Value = serde_json::from_slice(&wallet.centre.posted("/v1/orders")[0]).unwrap();
    assert_eq!((&body["paid"]["amount_fen"], body.get("amount_fen")), (&json!(2000), None));
    wallet.centre.done(&order.id, 0);
    wallet.core.refresh(&order.id).unwrap();
    assert_eq!(wallet.money(), (18_000, 0, 2000));
}

#[test]
fn a_card_is_named_or_is_the_only_one() {
    let wallet = Wallet::with_passenger();
    let any = || Target::Card(Pick::default());
    let load = |target| wallet.core.load(&lin(), target, Fen::new(100)).map_err(|problem| problem.code);
    assert_eq!(load(any()), Err(Code::UnknownCard));
    let planned = wallet.issue("3120").unwrap();
    assert_eq!(load(any()), Err(Code::CardNotIssued));
    wallet.centre.done(&planned.id, 0);
    wallet.core.refresh(&planned.id).unwrap();
    assert_eq!(load(any()).unwrap().card, planned.card);
    let shanghai = wallet.issued_card();
    assert_eq!(load(any()), Err(Code::CardAmbiguous));
    let city = Target::Card(Pick { city: Some("2000".parse().unwrap()), ..Pick::default() });
    assert_eq!(load(city).unwrap().card, Some(shanghai.clone()));
    wallet.core.register("wang", PASSWORD, Fen::new(20_000)).unwrap();
    let wang = wallet::Payer::new("wang", PASSWORD);
    let others = wallet.core.load(&wang, Target::card(&shanghai), Fen::new(100)).unwrap_err();
    assert_eq!(others.code, Code::UnknownCard, "another's card is not there");
}

#[test]
fn a_deleted_card_is_gone() {
    let wallet = Wallet::with_passenger();
    let card = wallet.issued_card();
    let order = wallet.core.delete(&lin(), Pick::default()).unwrap();
    wallet.centre.set(&order.id, json!({"state": "done"}));
    wallet.core.refresh(&order.id).unwrap();
    assert!(wallet.core.account("lin").unwrap().cards.is_empty());
    assert_eq!(wallet.load(&card, 100).unwrap_err().code, Code::UnknownCard);
}

#[test]
fn an_issue_needs_a_registered_phone_and_a_city_of_the_centres() {
    let wallet = Wallet::with_passenger();
    assert_eq!(wallet.issue("9999").unwrap_err().code, Code::UnknownCity);
    let other = wallet.core.issue(&lin(), "2000".parse().unwrap(), "4805A1").unwrap_err();
    assert_eq!(other.code, Code::UnknownDevice);
    wallet.centre.fail([Fault::Unreachable]);
    assert_eq!(wallet.issue("2000").unwrap_err().code, Code::CentreSilent);
    assert!(wallet.core.account("lin").unwrap().orders.is_empty(), "nothing was written down");
    wallet.centre.fail([Fault::None, Fault::Problem(422, "phone-not-eligible")]);
    let order = wallet.issue("2000").unwrap();
    assert_eq!(order.refusal.unwrap().code, "phone-not-eligible");
    assert!(wallet.core.account("lin").unwrap().cards.is_empty(), "its card never came to be");
}

#[test]
fn the_phone_that_carries_the_card_is_told_and_a_plastic_one_tells_nobody() {
    let wallet = Wallet::with_passenger();
    let second = Device { se_id: "4805b1".into(), phone: "oppo-find5".into(), agent_url: None };
    wallet.core.add_device("lin", PASSWORD, second).unwrap();
    let issue = wallet.issue("2000").unwrap();
    wallet.core.load(&lin(), Target::Plastic, Fen::new(100)).unwrap();
    let session = issue.session.unwrap().id;
    assert_eq!(wallet.told.all(), [(SE_ID.to_owned(), session)]);
}

#[test]
fn a_killed_wallet_goes_on_where_it_left_off() {
    let folder = tempfile::tempdir().unwrap();
    let first = Wallet::in_folder(folder.path(), &std::sync::Arc::default(), 1);
    first.register();
    first.centre.fail([Fault::LostAnswer]);
    let order = first.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    let centre = std::sync::Arc::clone(&first.centre);
    drop(first);
    let second = Wallet::in_folder(folder.path(), &centre, 2);
    assert_eq!(second.money(), (15_000, 5000, 0));
    assert_eq!(second.core.refresh(&order.id).unwrap().state, OrderState::Created);
    assert_eq!(centre.orders(), 1);
}

#[test]
fn money_follows_the_row_after_a_kill_between_the_two() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::in_folder(folder.path(), &std::sync::Arc::default(), 1);
    wallet.register();
    let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    let other = wallet.core.load(&lin(), Target::Plastic, Fen::new(100)).unwrap();
    let centre = std::sync::Arc::clone(&wallet.centre);
    drop(wallet);
    let store = rusqlite::Connection::open(folder.path().join("wallet.db")).unwrap();
    for (state, id) in [("done", &order.id), ("refused", &other.id)] {
        store.execute("UPDATE orders SET state = ?1 WHERE id = ?2", [state, id]).unwrap();
    }
    let wallet = Wallet::in_folder(folder.path(), &centre, 2);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
}

#[test]
fn a_days_file_names_every_order_of_the_day() {
    let wallet = Wallet::with_passenger();
    let card = wallet.issued_card();
    let done = wallet.load(&card, 5000).unwrap();
    wallet.centre.done(&done.id, 5000);
    wallet.core.refresh(&done.id).unwrap();
    let open = wallet.core.load(&lin(), Target::Plastic, Fen::new(100)).unwrap();
    let day: model::Date = "2014-10-20".parse().unwrap();
    wallet.clock.forward(86_400);
    wallet.core.send_days().unwrap();
    let file = wallet.core.daily_file(day).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines[0], "WD1,alipay,2014-10-20,2014-10-21 07:45:00");
    let loaded = format!("{0},load,,5000,paid,{0},2014-10-20 07:45:00", done.id);
    assert!(lines.iter().any(|line| line.replace("2000000000000001", "") == loaded), "{file}");
    assert!(file.contains(&format!("{0},load,,100,held,{0},2014-10-20 07:45:00\n", open.id)), "{file}");
    assert!(lines.last().unwrap().starts_with("END,") && lines.last().unwrap().contains(",0,100,"), "{file}");
    // Once it is sent, it never changes; what happens later stands in the next day's file.
    wallet.centre.refused(&open.id);
    wallet.core.refresh(&open.id).unwrap();
    wallet.core.send_day(day).unwrap();
    assert_eq!(wallet.core.daily_file(day).unwrap(), file);
    wallet.clock.forward(86_400);
    wallet.core.send_days().unwrap();
    let next = wallet.core.daily_file(day.plus_days(1)).unwrap();
    assert!(next.contains(&format!("{0},load,,100,refunded,{0},2014-10-21 07:45:00\n", open.id)), "{next}");
    assert_eq!(next.lines().count(), 3, "{next}");
    let sent = wallet.centre.requests().into_iter().filter(|r| r.path_and_query.ends_with("/file")).count();
    assert_eq!(sent, 2, "an acknowledged file is not sent again");
}

#[test]
fn the_centres_list_is_walked_page_by_page_and_a_lost_page_is_asked_for_again() {
    let wallet = Wallet::with_passenger();
    let load = || wallet.core.load(&lin(), Target::Plastic, Fen::new(100)).unwrap().id;
    let mut placed: Vec<String> = (0..5).map(|_| load()).collect();
    placed.sort();
    assert_eq!(wallet.core.orders_at_centre().unwrap(), placed);
    wallet.centre.fail([Fault::None, Fault::LostAnswer, Fault::GarbledAnswer]);
    assert_eq!(wallet.core.orders_at_centre().unwrap(), placed);
    wallet.centre.fail([Fault::Unreachable, Fault::Unreachable, Fault::Unreachable]);
    assert_eq!(wallet.core.orders_at_centre().unwrap_err().code, Code::CentreSilent);
}
