//! What a centre has answered is on the disk, also where many requests are flushed together and the server crashes.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)] // a test that fails shall stop

mod support;

use std::sync::Arc;

use postgres_server::{Durability, Server, Stop};
use serde_json::Value;
use support::Centre;
use support::phone::{balance, plastic, plastic_load};
use tokio::runtime::Runtime;

const CITY: &str = "2000";
const SE: &str = "3B00";
const AID: &str = "A00000000386980701";

/// A server that writes its log to the disk only when it is told to.
fn lazy_server() -> Option<Server> {
    match postgres_server::available() {
        Ok(()) => Some(Server::start_with(Durability::Full, &[("wal_writer_delay", "10s")]).unwrap()),
        Err(why) => {
            postgres_server::skipped(&why);
            None
        }
    }
}

/// An order, placed again under the same id as long as the centre cannot use its store.
async fn placed(centre: &Centre, order: &Value) -> Value {
    loop {
        match centre.send("POST", "/v1/orders", "alipay", order.to_string()).await {
            (200, placed) => return placed,
            (status, refused) => assert_eq!(status, 503, "{refused}"),
        }
    }
}

#[test]
fn what_was_answered_is_there_after_the_server_crashed() {
    let Some(server) = lazy_server() else { return };
    let centre = Centre::on_postgres(&server.socket_url("postgres"), 7);
    let runtime = Runtime::new().unwrap();
    let mut card = plastic(CITY, 1);
    runtime.block_on(async {
        for round in 0..2 {
            let id = format!("o{round}");
            let order = placed(&centre, &plastic_load(&id, 100)).await;
            server.restart(Stop::Immediate).unwrap();
            // The first who finds the connection gone may be refused; nothing that was answered is.
            let found = loop {
                let (status, found) = centre.send("GET", &format!("/v1/orders/{id}"), "alipay", "").await;
                if status != 503 {
                    break found;
                }
            };
            assert_eq!(found["state"], "created", "{found}");
            // The ledger's connection went with the store's; where that is found out, the phone begins anew.
            while centre.try_to_carry_out(&order, SE, &mut card).await.as_deref() != Some("done") {}
            server.restart(Stop::Immediate).unwrap();
            while centre.send("GET", "/v1/orders", "alipay", "").await.0 == 503 {}
            assert_eq!(centre.order(&id).await["state"], "done");
        }
    });
    assert_eq!(balance(&mut card, AID), 200);
    while centre.core.balances().is_err() {}
    centre.core.verify_books().unwrap();
    assert_eq!(centre.account("float:2000"), (200, 0));
}

#[test]
fn a_crash_amid_many_loads_loses_no_answer() {
    const CALLERS: u8 = 8;
    const EACH: u8 = 3;
    let Some(server) = lazy_server() else { return };
    let centre = Arc::new(Centre::on_postgres(&server.socket_url("postgres"), 7));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let centre = Arc::clone(&centre);
            std::thread::spawn(move || {
                let runtime = Runtime::new().unwrap();
                let mut card = plastic(CITY, 10 + caller);
                for number in 0..EACH {
                    let order = plastic_load(&format!("{caller}-{number}"), 100);
                    runtime.block_on(async {
                        let order = placed(&centre, &order).await;
                        while centre.try_to_carry_out(&order, SE, &mut card).await.as_deref() != Some("done")
                        {
                        }
                    });
                }
                assert_eq!(balance(&mut card, AID), 100 * u32::from(EACH));
            })
        })
        .collect();
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(150));
        server.restart(Stop::Immediate).unwrap();
    }
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    server.restart(Stop::Immediate).unwrap();
    while centre.core.balances().is_err() {}
    centre.core.verify_books().unwrap();
    assert_eq!(centre.account("float:2000"), (i64::from(CALLERS) * i64::from(EACH) * 100, 0));
}
