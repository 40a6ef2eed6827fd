//! What a channel asks a passenger to pay (渠道订单): shown before the payment password is given.
//!
//! Invariant: the card's number is shown masked; whoever knows the order's id sees this much and no more.

use model::{CardNumber, ChannelId, CityCode, PurseFen};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::problem::{Code, Problem};

/// An order of a channel, as the passenger sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelOrder {
    /// Which channel.
    pub channel: String,
    /// Its own id of the order.
    pub id: String,
    /// The card's city.
    pub city: CityCode,
    /// The card's number, masked.
    pub card_number: String,
    /// What the card is to get, and the passenger to pay.
    pub amount_fen: PurseFen,
    /// `awaiting_payment`, `expired` or `paid`.
    pub state: String,
    /// The last second in which it may be paid.
    pub pay_by: String,
}

/// The same as the centre tells it.
#[derive(Deserialize)]
struct Told {
    channel: String,
    id: String,
    city: CityCode,
    card_number: String,
    amount_fen: PurseFen,
    state: String,
    pay_by: String,
}

impl Core {
    /// What a channel asks for.
    ///
    /// # Errors
    /// [`Code::ChannelOrderMalformed`], or as [`Core::cities`].
    pub fn channel_order(&self, channel: &str, order: &str) -> Result<ChannelOrder, Problem> {
        let channel = channel_order(channel, order)?;
        let told: Told = self.ask(&format!("/v1/channel-orders/{channel}/{order}"))?;
        let number: CardNumber =
            told.card_number.parse().map_err(|_| Code::CentreSilent.about("card_number"))?;
        let Told { channel, id, city, amount_fen, state, pay_by, .. } = told;
        Ok(ChannelOrder { channel, id, city, card_number: number.to_string(), amount_fen, state, pay_by })
    }
}

/// The channel, if both ids are such as stand in a path as they are.
pub(crate) fn channel_order(channel: &str, order: &str) -> Result<ChannelId, Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if !(1..=64).contains(&order.len()) || !order.bytes().all(plain) || matches!(order, "." | "..") {
        return Err(Code::ChannelOrderMalformed.about("order"));
    }
    channel.parse().map_err(|_| Code::ChannelOrderMalformed.about("channel"))
}
