//! Taking an order back: the centre decides, and the money is free once.

use model::Fen;
use serde_json::json;
use wallet::{Code, OrderState, Payer, Target};

use crate::support::{Fault, PASSWORD, Wallet, lin};

fn held_load(wallet: &Wallet) -> String {
    let order = wallet.core.load(&lin(), Target::Plastic, Fen::new(5000)).unwrap();
    assert_eq!(wallet.money(), (15_000, 5000, 0));
    order.id
}

fn cancels(wallet: &Wallet) -> usize {
    wallet.centre.requests().iter().filter(|request| request.path_and_query.ends_with("/cancel")).count()
}

#[test]
fn a_cancelled_order_frees_its_hold_once_however_often_it_is_cancelled() {
    let wallet = Wallet::with_passenger();
    let id = held_load(&wallet);
    for _ in 0..3 {
        let order = wallet.core.cancel(&lin(), &id).unwrap();
        assert_eq!((order.state, order.refusal.unwrap().code.as_str()), (OrderState::Refused, "cancelled"));
        assert_eq!(wallet.money(), (20_000, 0, 0));
        wallet.core.refresh(&id).unwrap();
    }
    assert_eq!((wallet.money(), cancels(&wallet)), ((20_000, 0, 0), 1));
}

#[test]
fn silence_frees_nothing_and_a_lost_answer_is_made_good_by_asking() {
    for fault in
        [Fault::Unreachable, Fault::LostRequest, Fault::LostAnswer, Fault::GarbledAnswer, Fault::Status(500)]
    {
        let wallet = Wallet::with_passenger();
        let id = held_load(&wallet);
        let acted = matches!(fault, Fault::LostAnswer | Fault::GarbledAnswer);
        wallet.centre.fail([Fault::None, fault.clone()]);
        assert_eq!(wallet.core.cancel(&lin(), &id).unwrap_err().code, Code::CancelUnanswered, "{fault:?}");
        assert_eq!(wallet.money(), (15_000, 5000, 0), "{fault:?}");
        let state = wallet.core.refresh(&id).unwrap().state;
        assert_eq!(state, if acted { OrderState::Refused } else { OrderState::Created }, "{fault:?}");
        assert_eq!(wallet.core.cancel(&lin(), &id).unwrap().state, OrderState::Refused, "{fault:?}");
        assert_eq!(wallet.money(), (20_000, 0, 0), "{fault:?}");
    }
}

#[test]
fn an_order_on_its_way_is_brought_there_before_it_is_taken_back() {
    let wallet = Wallet::with_passenger();
    wallet.centre.fail([Fault::LostRequest]);
    let id = held_load(&wallet);
    wallet.centre.fail([Fault::LostRequest]);
    assert_eq!(wallet.core.cancel(&lin(), &id).unwrap_err().code, Code::CancelUnanswered);
    assert_eq!((wallet.money(), cancels(&wallet)), ((15_000, 5000, 0), 0));
    assert_eq!(wallet.core.cancel(&lin(), &id).unwrap().state, OrderState::Refused);
    assert_eq!((wallet.money(), wallet.centre.orders()), ((20_000, 0, 0), 1));
}

#[test]
fn what_is_done_or_in_doubt_is_not_taken_back() {
    let wallet = Wallet::with_passenger();
    let id = held_load(&wallet);
    wallet.centre.set(&id, json!({"state": "in_doubt"}));
    assert_eq!(wallet.core.cancel(&lin(), &id).unwrap_err().code, Code::OrderInDoubt);
    assert_eq!(wallet.money(), (15_000, 5000, 0));
    // The wallet does not hear that it is done until the centre objects.
    wallet.centre.done(&id, 5000);
    wallet.centre.fail([Fault::Unreachable]);
    assert_eq!(wallet.core.cancel(&lin(), &id).unwrap_err().code, Code::OrderOver);
    assert_eq!(wallet.money(), (15_000, 0, 5000), "and now it knows");
    assert_eq!(wallet.core.cancel(&lin(), &id).unwrap_err().code, Code::OrderOver);
}

#[test]
fn nobody_cancels_anothers_order_or_without_the_password() {
    let wallet = Wallet::with_passenger();
    let id = held_load(&wallet);
    wallet.core.register("wang", PASSWORD, Fen::ZERO).unwrap();
    let code = |payer: &Payer<'_>, id: &str| wallet.core.cancel(payer, id).unwrap_err().code;
    assert_eq!(code(&Payer::new("wang", PASSWORD), &id), Code::UnknownOrder);
    assert_eq!(code(&Payer::new("lin", "000000"), &id), Code::PasswordWrong);
    assert_eq!(code(&lin(), "nothing"), Code::UnknownOrder);
    assert_eq!((wallet.money(), cancels(&wallet)), ((15_000, 5000, 0), 0));
}
