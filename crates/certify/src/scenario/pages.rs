//! The centre's list of the wallet's orders, walked page by page.

use super::back::placed;
use crate::fault::Fault;
use crate::finding::Code;
use crate::play::{Play, Played};

const ORDERS: usize = 5;
const AMOUNT: i64 = 1000;

/// Pages of two, one of which does not come the first time. An order may only be missing if it was never there.
pub(super) fn paging(play: &mut Play<'_>) -> Played {
    for count in 1..=ORDERS {
        placed(play, AMOUNT, count)?;
    }
    play.stage.layer.plan("GET", "/v1/orders?after=", &Fault::Status(503), 1);
    play.stage.layer.plan("GET", "/v1/orders", &Fault::Page(2), 1000);
    let Some(walked) = play.walk()? else { return Ok(()) };
    for order in play.sent() {
        if !walked.contains(&order) {
            play.find(Code::PageLost, format_args!("order {order}"));
        }
    }
    for (place, order) in walked.iter().enumerate() {
        if walked.iter().skip(place.saturating_add(1)).any(|other| other == order) {
            play.find(Code::PageDoubled, format_args!("order {order}"));
        }
    }
    Ok(())
}
