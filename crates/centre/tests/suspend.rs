//! A lost phone's card: denied at once, locked when its phone is seen, judged by what the list said, and found again.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use serde_json::{Value, json};
use smartcard::{Channel, ChannelError};
use support::Centre;
use support::lost::{Reader, SHANGHAI, card_state, issued, load, lock_order, step, verdict};
use support::phone::{CREDIT, Cutting, Losing, Loss, balance, element};
use tsm::agent::Agent;
use tsm::seram::AgentReport;

const DAY: i64 = 24 * 3600;
const SET_STATUS: u8 = 0xF0;

/// Whether a SELECT by full name reaches the card.
fn is_there(chip: &mut dyn Channel) -> bool {
    chip.reset().unwrap();
    chip.transmit(&hex::decode(format!("00A404000C{SHANGHAI}")).unwrap()).unwrap().ends_with(&[0x90, 0x00])
}

#[tokio::test]
async fn a_lost_card_is_denied_at_once_and_locked_by_whatever_its_phone_comes_for() {
    let centre = Centre::in_memory();
    let (mut chip, se_id) = issued(&centre).await;
    let mut reader = Reader::new();
    assert!(reader.tap(&mut chip, centre.core.now()).is_ok());
    // Before: an order of another wallet's, for another city's card on the same element, not yet carried out.
    let other =
        json!({"id": "x1", "user": "v", "city": "3150", "phone": support::phone_id(), "se_id": se_id});
    centre.ok("POST", "/v1/cards", "wechat-pay", other).await;
    let issue = json!({"id": "i9", "kind": "issue", "card": "x1"});
    let issue = centre.ok("POST", "/v1/orders", "wechat-pay", issue).await;

    let order = lock_order(&centre, "s1", "suspend").await;
    assert_eq!(lock_order(&centre, "s1", "suspend").await, order, "again is the same");
    let body = json!({"id": "s1", "kind": "resume", "card": "c1"});
    assert_eq!(centre.refused("POST", "/v1/orders", "alipay", body).await, "id-taken");
    assert_eq!(order["advice"]["code"], "lost");
    assert_eq!((card_state(&centre).await, step(&order, "list")), ("suspended".into(), "done".into()));
    let refused = async |kind: &str| {
        let body = json!({"id": format!("n-{kind}"), "kind": kind, "card": "c1"});
        centre.refused("POST", "/v1/orders", "alipay", body).await
    };
    for kind in ["suspend", "read", "delete", "refund", "issue"] {
        assert_eq!(refused(kind).await, "card-suspended", "{kind}");
    }
    assert_eq!(
        centre.refused("POST", "/v1/orders/s1/cancel", "alipay", Value::Null).await,
        "suspension-stands"
    );
    // The next list stops it everywhere; until then a reader takes it.
    assert!(reader.tap(&mut chip, centre.core.now()).is_ok());
    reader.fetch_list(&centre).await;
    assert_eq!(reader.tap(&mut chip, centre.core.now()).unwrap_err(), "denied");

    // The phone comes for something else, and the lock is carried out first.
    assert!(is_there(&mut chip));
    assert_eq!(centre.order("s1").await["state"], "created");
    let session = |order: &Value| order["session"]["id"].as_str().unwrap().to_owned();
    assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done", "{}", session(&issue));
    let order = centre.order("s1").await;
    assert_eq!((&order["state"], step(&order, "card")), (&json!("done"), "reported".into()), "{order}");
    assert!(!is_there(&mut chip));
    assert_ne!(
        Reader::new().tap(&mut chip, centre.core.now()).unwrap_err(),
        "denied",
        "it is not seen at all"
    );
    assert_eq!(card_state(&centre).await, "suspended");
    reader.fetch_list(&centre).await;
    assert_eq!(reader.list.len(), 1, "a reported lock takes no card off the list");

    // Found: off the list at once, unlocked by script, and as before.
    let order = lock_order(&centre, "r1", "resume").await;
    assert_eq!((&order["state"], &order["advice"]["code"]), (&json!("created"), &json!("found")));
    let before = reader.list.version();
    reader.fetch_list(&centre).await;
    assert_eq!((reader.list.len(), reader.list.version()), (0, before + 1));
    assert_eq!(card_state(&centre).await, "suspended", "until it is unlocked");
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
    assert_eq!(card_state(&centre).await, "issued");
    assert_eq!(refused("resume").await, "card-not-suspended");
    assert_eq!(balance(&mut chip, SHANGHAI), 5000 - 2 * reader.fare);
    let order = load(&centre, "o2", 100).await;
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
}

#[tokio::test]
async fn a_tap_is_judged_by_what_the_list_said_when_it_was_made() {
    let centre = Centre::in_memory();
    let (mut chip, _) = issued(&centre).await;
    let mut old = Reader::new(); // it never gets a newer list
    let mut tap = async |file: u16| {
        let record = old.tap(&mut chip, centre.core.now()).unwrap();
        verdict(&centre, file, record).await
    };
    assert_eq!(tap(1).await, None);
    lock_order(&centre, "s1", "suspend").await;
    centre.clock.forward(DAY - 1);
    assert_eq!(tap(2).await, None, "no reader could be asked to know yet");
    centre.clock.forward(1);
    assert_eq!(tap(3).await, Some(15));
    // Its phone was never seen, so there is nothing to unlock: the resume is done as it is placed.
    let order = lock_order(&centre, "r1", "resume").await;
    assert_eq!((&order["state"], card_state(&centre).await), (&json!("done"), "issued".into()));
    let withdrawn = centre.order("s1").await;
    assert_eq!(
        (&withdrawn["state"], &withdrawn["problem"]["code"]),
        (&json!("refused"), &json!("withdrawn"))
    );
    assert_eq!(tap(4).await, None);
    // Its city's own word is not the wallet's to take back.
    centre.ok("PUT", "/v1/lists/deny/2000000000000001", "city:2000", Value::Null).await;
    lock_order(&centre, "s2", "suspend").await;
    lock_order(&centre, "r2", "resume").await;
    centre.clock.forward(DAY);
    assert_eq!(tap(5).await, Some(15));
}

/// The link is cut at every command of a lock, then of an unlock; the phone comes again, for this order or another.
#[tokio::test]
async fn a_suspension_cut_at_any_command_is_whole_at_the_next_contact() {
    for same_session in [true, false] {
        let mut whole = false;
        let mut cut_at = 0;
        while !whole {
            let centre = Centre::in_memory();
            let (mut chip, se_id) = issued(&centre).await;
            let reading = json!({"id": "q1", "kind": "read", "card": "c1"});
            let reading = centre.ok("POST", "/v1/orders", "alipay", reading).await;
            for (id, kind, state, there) in
                [("s1", "suspend", "suspended", false), ("r1", "resume", "issued", true)]
            {
                let order = lock_order(&centre, id, kind).await;
                let mut cutting = Cutting { card: &mut chip, left: cut_at };
                centre.carry_out(&order, &se_id, &mut cutting).await;
                let after = centre.order(id).await["state"].clone();
                whole = after == "done";
                assert!(whole || after == "running", "{kind} cut at {cut_at}: {after}");
                centre.carry_out(if same_session { &order } else { &reading }, &se_id, &mut chip).await;
                assert_eq!(centre.order(id).await["state"], "done", "{kind} cut at {cut_at}");
                assert_eq!((card_state(&centre).await.as_str(), is_there(&mut chip)), (state, there));
            }
            assert_eq!(balance(&mut chip, SHANGHAI), 5000);
            cut_at += 1;
        }
        assert!(cut_at > 4, "{cut_at} commands");
    }
}

#[tokio::test]
async fn a_load_in_doubt_is_settled_by_the_contact_that_locks_its_card() {
    for (loss, state, held) in [(Loss::Before, "refused", 5000), (Loss::After, "done", 5700)] {
        for by_the_load in [true, false] {
            let centre = Centre::in_memory();
            let (mut chip, se_id) = issued(&centre).await;
            let order = load(&centre, "o2", 700).await;
            let mut losing = Losing { card: &mut chip, at: Some((CREDIT, loss)) };
            assert_eq!(centre.carry_out(&order, &se_id, &mut losing).await, "in_doubt");
            let suspend = lock_order(&centre, "s1", "suspend").await;
            assert_eq!(centre.order("o2").await["state"], "in_doubt", "named as before");
            let session = if by_the_load { &order } else { &suspend };
            centre.carry_out(session, &se_id, &mut chip).await;
            assert_eq!(centre.order("o2").await["state"], state, "{loss:?}");
            assert_eq!(centre.order("s1").await["state"], "done");
            assert!(!is_there(&mut chip));
            let resume = lock_order(&centre, "r1", "resume").await;
            centre.carry_out(&resume, &se_id, &mut chip).await;
            assert_eq!(i64::from(balance(&mut chip, SHANGHAI)), held);
            assert_eq!((centre.account("float:2000"), centre.account("doubt:2000").1), ((held, 0), 0));
            centre.core.verify_books().unwrap();
        }
    }
}

/// The suspension comes between the card's offer and CREDIT FOR LOAD: no money may be put at risk any more.
#[tokio::test]
async fn a_load_that_is_under_way_goes_no_further_and_its_money_goes_back() {
    let centre = Centre::in_memory();
    let (mut chip, se_id) = issued(&centre).await;
    let order = load(&centre, "o2", 700).await;
    let session = order["session"]["id"].as_str().unwrap();
    let agent = Agent::new(element(&se_id));
    centre.shake_hands(session, &agent).await;
    let offer = agent.run(&centre.report(session, &AgentReport::polling()).await, &mut chip).report;
    lock_order(&centre, "s1", "suspend").await;
    let (status, answer) =
        centre.post("remoteManagement", session, serde_json::to_string(&offer).unwrap()).await;
    assert_eq!((status, &answer["code"]), (409, &json!("report-unexpected")));
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "refused");
    assert_eq!(centre.order("o2").await["problem"]["code"], "card-suspended");
    assert_eq!((centre.account("float:2000"), centre.account("doubt:2000").1), ((5000, 0), 0));
    assert_eq!(centre.order("s1").await["state"], "done", "and the phone was seen");
    centre.core.verify_books().unwrap();
}

/// Found and lost again, in every order of contacts: what may be locked is unlocked, what is lost is on the list.
#[tokio::test]
async fn a_lock_that_was_begun_is_undone_even_if_it_was_withdrawn() {
    let centre = Centre::in_memory();
    let (mut chip, se_id) = issued(&centre).await;
    // The lock is carried out, and the answer lost; then the card is found.
    let order = lock_order(&centre, "s1", "suspend").await;
    let mut losing = Losing { card: &mut chip, at: Some((SET_STATUS, Loss::After)) };
    assert_eq!(centre.carry_out(&order, &se_id, &mut losing).await, "running");
    assert!(!is_there(&mut chip));
    let found = lock_order(&centre, "r1", "resume").await;
    assert_eq!(found["state"], "created", "it may be locked");
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "refused", "withdrawn");
    // The withdrawn order's own session has shown the phone.
    assert_eq!(centre.order("r1").await["state"], "done");
    assert!(is_there(&mut chip));
    // Locked, found, lost again and found again, with no contact in between.
    let order = lock_order(&centre, "s2", "suspend").await;
    centre.carry_out(&order, &se_id, &mut chip).await;
    for (id, kind, on_list) in [("r2", "resume", 0), ("s3", "suspend", 1), ("r3", "resume", 0)] {
        let order = lock_order(&centre, id, kind).await;
        assert_eq!(order["state"], "created", "{id}");
        let mut reader = Reader::new();
        reader.fetch_list(&centre).await;
        assert_eq!(reader.list.len(), on_list, "{id}");
    }
    for id in ["r2", "s3"] {
        assert_eq!(centre.order(id).await["problem"]["code"], "withdrawn", "{id}");
    }
    let order = centre.order("r3").await;
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
    assert_eq!((card_state(&centre).await.as_str(), is_there(&mut chip)), ("issued", true));
}

/// Answers as its holder likes from EXTERNAL AUTHENTICATE on: "locked", with the element's own words of another time.
struct Liar<'c> {
    card: &'c mut dyn Channel,
    status: Vec<u8>,
}

impl Channel for Liar<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match command[1] {
            0x82 | SET_STATUS => Ok(vec![0x90, 0x00]),
            0xF2 => Ok(self.status.clone()),
            _ => self.card.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

#[tokio::test]
async fn a_phone_that_says_locked_is_believed_no_further_than_its_word() {
    let centre = Centre::in_memory();
    let (mut chip, se_id) = issued(&centre).await;
    let order = lock_order(&centre, "s1", "suspend").await;
    let status = hex::decode(format!("E3124F0C{SHANGHAI}9F7001879000")).unwrap();
    let mut liar = Liar { card: &mut chip, status };
    assert_eq!(centre.carry_out(&order, &se_id, &mut liar).await, "done");
    assert!(is_there(&mut chip), "it lied");
    let order = centre.order("s1").await;
    assert_eq!(step(&order, "card"), "reported", "never done");
    // What counts is the list: the tap is refused where it is known, and not paid where it should have been.
    let (mut current, mut old) = (Reader::new(), Reader::new());
    current.fetch_list(&centre).await;
    assert_eq!(current.tap(&mut chip, centre.core.now()).unwrap_err(), "denied");
    centre.clock.forward(DAY);
    let record = old.tap(&mut chip, centre.core.now()).unwrap();
    assert_eq!(verdict(&centre, 1, record).await, Some(15));
    // And a refusal does not end the order.
    let mut other = support::phone::phone(&support::phone_id(), 2);
    lock_order(&centre, "r1", "resume").await;
    let order = lock_order(&centre, "s2", "suspend").await;
    assert_eq!(centre.carry_out(&order, &se_id, &mut other).await, "running", "another element");
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
    assert!(!is_there(&mut chip));
}

#[test]
fn a_card_suspended_at_one_centre_is_locked_and_judged_at_another() {
    let Some(server) = postgres_server::shared() else { return };
    let url = server.database().unwrap();
    let (one, other) = (Centre::on_postgres(&url, 7), Centre::on_postgres(&url, 8));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (mut chip, se_id) = issued(&one).await;
        let order = lock_order(&one, "s1", "suspend").await;
        assert_eq!(lock_order(&other, "s1", "suspend").await, order);
        let mut reader = Reader::new();
        reader.fetch_list(&other).await;
        assert_eq!((reader.list.len(), reader.list.version()), (1, 1));
        let mut cutting = Cutting { card: &mut chip, left: 2 };
        assert_eq!(one.carry_out(&order, &se_id, &mut cutting).await, "running");
        assert_eq!(other.carry_out(&order, &se_id, &mut chip).await, "done");
        assert!(!is_there(&mut chip));
        let order = lock_order(&other, "r1", "resume").await;
        assert_eq!(one.carry_out(&order, &se_id, &mut chip).await, "done");
        assert_eq!(card_state(&other).await, "issued");
        reader.fetch_list(&one).await;
        assert_eq!((reader.list.len(), reader.list.version()), (0, 2));
        one.ok("PUT", "/v1/lists/deny/2000000000000009", "city:2000", Value::Null).await;
        reader.fetch_list(&one).await;
        assert_eq!((reader.list.len(), reader.list.version()), (1, 3));
    });
}
