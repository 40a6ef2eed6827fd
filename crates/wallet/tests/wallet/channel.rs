//! Paying a channel's order: the password pays it once, in the amount that was seen; what the centre refuses is free again.

use model::Fen;
use wallet::{Code, Order, OrderState, Problem};

use crate::support::{Fault, Wallet, lin};

fn pay(wallet: &Wallet, request: Option<&str>, order: &str, fen: i64) -> Result<Order, Problem> {
    wallet.core.pay_channel(&lin().request(request), "elechong", order, Fen::new(fen))
}

#[test]
fn a_payment_names_the_channels_order_and_is_held_until_the_centre_says_how_it_ended() {
    let wallet = Wallet::with_passenger();
    let order = pay(&wallet, Some("r1"), "c1", 5000).unwrap();
    assert_eq!(
        (order.state, order.card.clone(), wallet.money()),
        (OrderState::Created, None, (15_000, 5000, 0))
    );
    let sent = wallet.centre.posted("/v1/orders");
    let sent: serde_json::Value = serde_json::from_slice(&sent[0]).unwrap();
    assert_eq!(sent["channel"], serde_json::json!({"id": "elechong", "order": "c1"}));
    assert_eq!((&sent["plastic"], &sent["amount_fen"]), (&true.into(), &5000.into()));
    assert!(!sent.to_string().contains("135790"), "the password stays here");
    assert_eq!(pay(&wallet, Some("r1"), "c1", 5000).unwrap().id, order.id, "the same request is one payment");
    assert_eq!(pay(&wallet, Some("r1"), "c2", 5000).unwrap_err().code, Code::RequestTaken);
    wallet.centre.done(&order.id, 5000);
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Done);
    assert_eq!(wallet.money(), (15_000, 0, 5000));
}

#[test]
fn what_the_centre_refuses_is_the_passengers_again_and_silence_frees_nothing() {
    for code in
        ["channel-order-paid", "channel-order-expired", "channel-order-differs", "unknown-channel-order"]
    {
        let wallet = Wallet::with_passenger();
        wallet.centre.fail([Fault::Problem(409, code)]);
        let order = pay(&wallet, None, "c1", 5000).unwrap();
        assert_eq!((order.state, order.refusal.unwrap().code.as_str()), (OrderState::Refused, code));
        assert_eq!(wallet.money(), (20_000, 0, 0));
    }
    let wallet = Wallet::with_passenger();
    wallet.centre.fail([Fault::LostAnswer]);
    let order = pay(&wallet, None, "c1", 5000).unwrap();
    assert_eq!((order.state, wallet.money()), (OrderState::Unknown, (15_000, 5000, 0)));
    assert_eq!(wallet.core.refresh(&order.id).unwrap().state, OrderState::Created);
    assert_eq!(wallet.centre.orders(), 1);
}

#[test]
fn a_bad_payment_has_its_code_and_reaches_nobody() {
    let wallet = Wallet::with_passenger();
    for (channel, order, fen, code) in [
        ("elechong", "c1", 0, Code::AmountNotPositive),
        ("elechong", "c1", 20_001, Code::InsufficientBalance),
        ("elechong", "../orders", 100, Code::ChannelOrderMalformed),
        ("elechong", "", 100, Code::ChannelOrderMalformed),
        ("..", "c1", 100, Code::ChannelOrderMalformed),
    ] {
        let refused = wallet.core.pay_channel(&lin(), channel, order, Fen::new(fen)).unwrap_err();
        assert_eq!(refused.code, code, "{channel} {order} {fen}");
    }
    let wrong = wallet::Payer::new("lin", "000000");
    let refused = wallet.core.pay_channel(&wrong, "elechong", "c1", Fen::new(100)).unwrap_err();
    assert_eq!(refused.code, Code::PasswordWrong);
    assert_eq!((wallet.money(), wallet.centre.orders()), ((20_000, 0, 0), 0));
}
