//! Webhooks: what wallets are told, in which order, how often, and where nothing is ever sent.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use centre::{Answered, Attempt};
use serde_json::{Value, json};
use support::{Centre, phone, phone_id};

const SE: &str = "4805A00000000001";
const URL: &str = "http://127.0.0.1:9000/hooks";

fn ok() -> Answered {
    Answered::Status { status: 200, retry_after: None }
}

fn busy() -> Answered {
    Answered::Status { status: 503, retry_after: None }
}

fn header(attempt: &Attempt, name: &str) -> String {
    attempt.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone()
}

fn told(attempt: &Attempt) -> (String, String) {
    let body: Value = serde_json::from_str(&attempt.body).unwrap();
    (body["type"].as_str().unwrap().to_owned(), body["data"]["id"].as_str().unwrap().to_owned())
}

impl Centre {
    async fn hook(&self) -> Value {
        self.ok("PUT", "/v1/webhooks/main", "alipay", json!({ "url": URL })).await
    }

    /// A card on a phone and a load of it: six events and more.
    async fn a_card_with_a_load(&self) {
        let mut element = phone::phone(&phone_id(), 1);
        let card = json!({ "id": "c1", "user": "u", "city": "2000", "phone": phone_id(), "se_id": SE });
        self.ok("POST", "/v1/cards", "alipay", card).await;
        let issue = json!({ "id": "o1", "kind": "issue", "card": "c1" });
        let issue = self.ok("POST", "/v1/orders", "alipay", issue).await;
        assert_eq!(self.carry_out(&issue, SE, &mut element).await, "done");
        let paid = json!({ "amount_fen": 5000, "reference": "p1" });
        let load = json!({ "id": "o2", "kind": "load", "card": "c1", "amount_fen": 5000, "paid": paid });
        let load = self.ok("POST", "/v1/orders", "alipay", load).await;
        assert_eq!(self.carry_out(&load, SE, &mut element).await, "done");
    }

    fn due(&self) -> Option<Attempt> {
        self.core.due_hook().unwrap()
    }

    async fn deliveries(&self) -> Vec<Value> {
        let log = self.ok("GET", "/v1/webhooks/main/deliveries", "alipay", Value::Null).await;
        log["deliveries"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn every_change_of_an_order_and_a_card_is_told_in_its_order_and_may_be_pulled() {
    let centre = Centre::in_memory();
    let hook = centre.hook().await;
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"));
    assert!(centre.hook().await.get("secret").is_none(), "a secret is told once");
    centre.a_card_with_a_load().await;
    let mut heard = Vec::new();
    while let Some(attempt) = centre.due() {
        heard.push(told(&attempt));
        centre.core.hook_answered(&attempt, &ok()).unwrap();
    }
    let of =
        |id: &str| heard.iter().filter(|(_, of)| of == id).map(|(kind, _)| kind.as_str()).collect::<Vec<_>>();
    assert_eq!(of("o1"), ["order.running", "order.done"]);
    assert_eq!(of("o2"), ["order.running", "order.in_doubt", "order.done"]);
    assert_eq!(of("c1"), ["card.issued"]);
    let pulled = centre.ok("GET", "/v1/events", "alipay", Value::Null).await;
    let pulled = pulled["events"].as_array().unwrap();
    assert_eq!(pulled.len(), heard.len());
    assert_eq!((&pulled[0]["cursor"], &pulled[0]["id"]), (&json!(1), &json!("evt_alipay_1")));
    let rest = centre.ok("GET", "/v1/events?after=4", "alipay", Value::Null).await;
    assert_eq!(rest["events"][0], pulled[4]);
    let others = centre.ok("GET", "/v1/events", "wechat-pay", Value::Null).await;
    assert_eq!(others["events"], json!([]));
}

#[tokio::test]
async fn an_order_that_is_taken_back_is_told_as_cancelled() {
    let centre = Centre::in_memory();
    centre.hook().await;
    let paid = json!({ "amount_fen": 5000, "reference": "p1" });
    let load = json!({ "id": "o9", "kind": "load", "plastic": true, "amount_fen": 5000, "paid": paid });
    centre.ok("POST", "/v1/orders", "alipay", load).await;
    centre.ok("POST", "/v1/orders/o9/cancel", "alipay", json!({})).await;
    let attempt = centre.due().unwrap();
    assert_eq!(told(&attempt), ("order.cancelled".into(), "o9".into()));
}

#[tokio::test]
async fn the_next_event_of_an_order_waits_for_the_one_before_and_others_do_not() {
    let centre = Centre::in_memory();
    centre.hook().await;
    centre.a_card_with_a_load().await;
    let first = centre.due().unwrap();
    assert_eq!(told(&first), ("order.running".into(), "o1".into()));
    centre.core.hook_answered(&first, &busy()).unwrap();
    let mut heard = Vec::new();
    while let Some(attempt) = centre.due() {
        heard.push(told(&attempt).1);
        centre.core.hook_answered(&attempt, &ok()).unwrap();
    }
    assert!(!heard.contains(&"o1".to_owned()) && heard.contains(&"o2".to_owned()), "{heard:?}");
    centre.clock.forward(10);
    let again = centre.due().unwrap();
    assert_eq!((header(&again, "webhook-id"), &again.body), (header(&first, "webhook-id"), &first.body));
    assert_ne!(header(&again, "webhook-signature"), header(&first, "webhook-signature"));
    centre.core.hook_answered(&again, &ok()).unwrap();
    assert_eq!(told(&centre.due().unwrap()), ("order.done".into(), "o1".into()));
}

#[tokio::test]
async fn what_one_sender_has_in_hand_no_other_sends_until_its_lease_ends() {
    let centre = Centre::in_memory();
    centre.hook().await;
    centre.a_card_with_a_load().await;
    let (one, two) = (centre.due().unwrap(), centre.due().unwrap());
    assert_ne!(header(&one, "webhook-id"), header(&two, "webhook-id"));
    assert!(centre.due().is_none(), "a receiver gets two at a time");
    centre.clock.forward(61);
    let again = centre.due().unwrap();
    assert_eq!(header(&again, "webhook-id"), header(&one, "webhook-id"));
    // The late answer of the one whose lease has ended counts for nothing.
    centre.core.hook_answered(&one, &ok()).unwrap();
    assert_eq!(centre.deliveries().await[0]["state"], "waiting");
    centre.core.hook_answered(&again, &ok()).unwrap();
    assert_eq!(centre.deliveries().await[0]["state"], "accepted");
}

#[tokio::test]
async fn after_a_day_it_is_given_up_shown_and_replayed_from_any_point() {
    let centre = Centre::in_memory();
    centre.hook().await;
    centre.a_card_with_a_load().await;
    let mut attempts = 0;
    for _ in 0..(25 * 60) {
        while let Some(attempt) = centre.due() {
            attempts += 1;
            centre.core.hook_answered(&attempt, &Answered::Nothing("timeout".into())).unwrap();
        }
        centre.clock.forward(60);
    }
    assert!(attempts > 10);
    let log = centre.deliveries().await;
    assert_eq!(log[0]["state"], "given_up");
    let made = log[0]["attempts"].as_array().unwrap();
    assert_eq!(made[0]["error"], "timeout");
    assert!(made[0].get("next").is_some() && made.last().unwrap().get("next").is_none());
    let hooks = centre.ok("GET", "/v1/webhooks", "alipay", Value::Null).await;
    assert!(hooks[0]["given_up"].as_u64().unwrap() > 0);
    centre.ok("POST", "/v1/webhooks/main/replay", "alipay", json!({ "after": 0 })).await;
    let mut heard = Vec::new();
    while let Some(attempt) = centre.due() {
        heard.push(header(&attempt, "webhook-id"));
        centre.core.hook_answered(&attempt, &ok()).unwrap();
    }
    assert_eq!(heard[0], "evt_alipay_1");
    assert!(centre.deliveries().await.iter().all(|delivery| delivery["state"] == "accepted"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_no_more_until_it_is_put_again() {
    let centre = Centre::in_memory();
    centre.hook().await;
    centre.a_card_with_a_load().await;
    let attempt = centre.due().unwrap();
    centre.core.hook_answered(&attempt, &Answered::Status { status: 410, retry_after: None }).unwrap();
    centre.clock.forward(3600);
    assert!(centre.due().is_none());
    let hooks = centre.ok("GET", "/v1/webhooks", "alipay", Value::Null).await;
    assert_eq!(hooks[0]["state"], "gone");
    assert_eq!(centre.hook().await["state"], "active");
    assert!(centre.due().is_some());
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_sign() {
    let centre = Centre::in_memory();
    let old = centre.hook().await["secret"].clone();
    let rotated = centre.ok("POST", "/v1/webhooks/main/secret", "alipay", Value::Null).await;
    assert_ne!(rotated["secret"], old);
    centre.a_card_with_a_load().await;
    let both = centre.due().unwrap();
    assert_eq!(header(&both, "webhook-signature").split(' ').count(), 2);
    centre.core.hook_answered(&both, &ok()).unwrap();
    centre.clock.forward(24 * 3600 + 1);
    assert_eq!(header(&centre.due().unwrap(), "webhook-signature").split(' ').count(), 1);
}

#[tokio::test]
async fn a_webhook_takes_only_the_types_it_wants_and_is_deleted_with_its_log() {
    let centre = Centre::in_memory();
    let put = json!({ "url": URL, "types": ["order.done"] });
    centre.ok("PUT", "/v1/webhooks/main", "alipay", put).await;
    centre.a_card_with_a_load().await;
    let attempt = centre.due().unwrap();
    assert_eq!(told(&attempt).0, "order.done");
    let ask = support::Ask { method: "DELETE", path: "/v1/webhooks/main", keyid: "alipay", body: Vec::new() };
    assert_eq!(centre.raw(centre.signed(&ask)).await.0, 204);
    centre.core.hook_answered(&attempt, &ok()).unwrap();
    assert!(centre.due().is_none());
    let code = centre.refused("POST", "/v1/webhooks/main/replay", "alipay", json!({ "after": 0 })).await;
    assert_eq!(code, "unknown-webhook");
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused_with_its_own_code() {
    let centre = Centre::in_memory();
    let cases = [
        ("http://10.0.0.1/", "webhook-address-private"),
        ("https://169.254.169.254/latest", "webhook-address-private"),
        ("https://[::ffff:192.168.0.1]/", "webhook-address-private"),
        ("ftp://example.com/", "webhook-url-malformed"),
        ("", "webhook-url-malformed"),
    ];
    for (url, code) in cases {
        let put = json!({ "url": url });
        assert_eq!(centre.refused("PUT", "/v1/webhooks/x", "alipay", put).await, code, "{url}");
    }
    for at in 0..10 {
        centre.ok("PUT", &format!("/v1/webhooks/h{at}"), "alipay", json!({ "url": URL })).await;
    }
    let code = centre.refused("PUT", "/v1/webhooks/h10", "alipay", json!({ "url": URL })).await;
    assert_eq!(code, "webhook-limit");
}
