//! The channels' door (渠道接入, the e乐充 way): a third party's app asks for a load of a card that it holds to the
//! phone, a wallet pays it by an order of its own, and the channel carries that order out.
//!
//! The passenger's payment password stays with the wallet, whose signed order is the only word that the money was
//! taken. What a channel asks for moves nothing and has no session until then.
//!
//! Invariant: what a channel asks for is paid once, by the wallet it named, in the amount it named, in time, and loads
//! the card it named; of two orders that would pay it one is placed. The fee is held, posted and let go in the load's own entry.

use ledger::Leg;
use model::registry::{Bearer, Channel};
use model::{CardNumber, CardTime, ChannelId, CityCode, Fen};

use crate::core::{Core, State};
use crate::money::{account, leg, overflow};
use crate::problem::{Code, Problem};
use crate::store::{CardRow, ChannelOrder, Db, OrderKind, OrderRow, Seen};
use crate::wallet::{check_amount, check_id, same};

/// Orders in one page of a list.
const PAGE: u32 = 100;
const HOUR_SECONDS: i64 = 3600;

/// What a channel asks for.
#[derive(Clone, Debug)]
pub(crate) struct NewChannelOrder {
    pub(crate) id: String,
    pub(crate) wallet: String,
    pub(crate) city: String,
    pub(crate) card_number: String,
    pub(crate) amount_fen: i64,
    /// Of the request's body.
    pub(crate) digest: [u8; 32],
}

/// Which of a channel's orders an order of a wallet pays.
#[derive(Clone, Debug)]
pub(crate) struct PaidFor {
    pub(crate) channel: String,
    pub(crate) order: String,
}

/// What a channel asked for, and the wallet's order that pays it.
pub(crate) struct Asked {
    pub(crate) row: ChannelOrder,
    pub(crate) order: Option<OrderRow>,
}

/// A channel's fee of one load.
pub(crate) struct ChannelFee {
    channel: ChannelId,
    fee: Fen,
    borne_by: Bearer,
}

impl Core {
    /// Writes down what a channel asks for, or gives what is written already. Nothing is paid and no card is touched.
    pub(crate) fn ask_for_load(&self, channel: &ChannelId, new: NewChannelOrder) -> Result<Asked, Problem> {
        check_id("id", &new.id)?;
        let now = self.now();
        self.state().store.write(|db| {
            if let Some(row) = ChannelOrder::find(db, channel, &new.id)? {
                same(row.digest, new.digest, &new.id)?;
                return asked(db, row);
            }
            let row = self.asked_for(db, channel, new, now)?;
            row.insert(db)?;
            let row = find(db, channel, &row.id)?;
            Ok(Asked { row, order: None })
        })
    }

    /// One of a channel's orders; a wallet sees those that it may pay.
    pub(crate) fn channel_order(&self, seen: &Seen, channel: &str, id: &str) -> Result<Asked, Problem> {
        let state = self.state();
        let db = state.store.read();
        let unknown = || Code::UnknownChannelOrder.about(id);
        let channel: ChannelId = channel.parse().map_err(|_| unknown())?;
        let row = find(db, &channel, id)?;
        let may = match seen {
            Seen::By(caller) => *caller == channel,
            Seen::Under(wallet) => *wallet == row.wallet,
        };
        if may { asked(db, row) } else { Err(unknown()) }
    }

    /// A page of them after a cursor, oldest first, and whether there are more.
    pub(crate) fn channel_orders_after(
        &self,
        seen: &Seen,
        after: u64,
    ) -> Result<(Vec<Asked>, bool), Problem> {
        let state = self.state();
        let db = state.store.read();
        let mut rows = ChannelOrder::after(db, seen, after, PAGE.saturating_add(1))?;
        let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
        if more {
            rows.pop();
        }
        let rows = rows.into_iter().map(|row| asked(db, row)).collect::<Result<_, _>>()?;
        Ok((rows, more))
    }

    /// A wallet's order that is being written down pays what a channel asked for; in the same transaction.
    pub(crate) fn pay_channel(&self, db: &Db, paid: &PaidFor, order: &OrderRow) -> Result<(), Problem> {
        if order.kind != OrderKind::Load || order.card.is_some() {
            return Err(Code::FieldNotExpected.about("channel"));
        }
        let unknown = || Code::UnknownChannelOrder.about(&paid.order);
        let channel: ChannelId = paid.channel.parse().map_err(|_| unknown())?;
        let row = find(db, &channel, &paid.order)?;
        if row.wallet != order.wallet {
            return Err(unknown());
        }
        if row.amount != order.amount {
            return Err(Code::ChannelOrderDiffers.about(row.amount.get()));
        }
        if row.paid_as.is_none() && row.pay_by < order.placed_at {
            return Err(Code::ChannelOrderExpired.about(row.pay_by));
        }
        if row.pay(db, &order.id)? { Ok(()) } else { Err(Code::ChannelOrderPaid.about(&row.id)) }
    }

    /// What is asked for as it will be stored, if everything about it is as it must be.
    fn asked_for(
        &self,
        db: &Db,
        id: &ChannelId,
        new: NewChannelOrder,
        now: CardTime,
    ) -> Result<ChannelOrder, Problem> {
        let channel = self.registry().channel(id).ok_or_else(|| Code::KeyUnknown.about(id))?;
        let wallet = new.wallet.parse().ok().and_then(|wallet| self.registry().wallet(&wallet));
        let agreed = wallet.and_then(|wallet| Some((wallet, channel.under(&wallet.id, now.date())?)));
        let (wallet, under) = agreed.ok_or_else(|| Code::ChannelWallet.about(&new.wallet))?;
        let city = new.city.parse().ok().and_then(|code| self.registry().city(code));
        let city = city.ok_or_else(|| Code::UnknownCity.about(&new.city))?;
        if !channel.loads(city.code) {
            return Err(Code::ChannelCity.about(city.code));
        }
        let number: CardNumber =
            new.card_number.parse().map_err(|_| Code::CardNumberMalformed.about("card_number"))?;
        if !channel.facts.virtual_cards && CardRow::is_virtual(db, city.code, number)? {
            return Err(Code::ChannelVirtualCard.about(number));
        }
        let most = channel.facts.max_order_fen.min(wallet.facts.max_order_fen).min(city.card.purse_limit_fen);
        let amount = check_amount(new.amount_fen, most)?;
        check_limits(db, channel, (city.code, number), amount.into(), now)?;
        let wait = i64::from(channel.facts.pay_within_minutes).saturating_mul(60);
        Ok(ChannelOrder {
            seq: 0, // given by the store
            channel: id.clone(),
            id: new.id,
            digest: new.digest,
            wallet: wallet.id.clone(),
            city: city.code,
            number,
            amount,
            fee: under.fee(amount.into()).map_err(overflow)?,
            borne_by: under.borne_by,
            placed_at: now,
            pay_by: now.plus_seconds(wait),
            paid_as: None,
        })
    }
}

impl ChannelFee {
    /// The fee of a load, if a channel asked for it.
    pub(crate) fn of(state: &State, order: &OrderRow) -> Result<Option<Self>, Problem> {
        let row = for_channel(state, order)?;
        Ok(row.map(|row| ChannelFee { channel: row.channel, fee: row.fee, borne_by: row.borne_by }))
    }

    /// Whoever bears it owes it to the channel.
    pub(crate) fn leg(&self, order: &OrderRow, city: CityCode) -> Result<Option<Leg>, Problem> {
        if self.fee == Fen::ZERO {
            return Ok(None);
        }
        let bearer = match self.borne_by {
            Bearer::Wallet => account("due", format!("wallet:{}", order.wallet))?,
            Bearer::Issuer => account("due", format!("issuer:{city}"))?,
        };
        leg(bearer, account("due", format!("channel:{}", self.channel))?, self.fee).map(Some)
    }
}

/// Whether the card that is there is not the one that a channel named.
pub(crate) fn is_for_another_card(state: &State, order: &OrderRow) -> Result<bool, Problem> {
    let (Some(city), Some(number)) = (order.city, order.number) else { return Ok(false) };
    Ok(for_channel(state, order)?.is_some_and(|row| (row.city, row.number) != (city, number)))
}

/// What a channel asked for, if the order is such a one.
fn for_channel(state: &State, order: &OrderRow) -> Result<Option<ChannelOrder>, Problem> {
    if order.kind != OrderKind::Load || order.card.is_some() {
        return Ok(None);
    }
    Ok(ChannelOrder::paid_by(state.store.read(), order)?)
}

fn find(db: &Db, channel: &ChannelId, id: &str) -> Result<ChannelOrder, Problem> {
    ChannelOrder::find(db, channel, id)?.ok_or_else(|| Code::UnknownChannelOrder.about(id))
}

fn asked(db: &Db, row: ChannelOrder) -> Result<Asked, Problem> {
    let order = match &row.paid_as {
        Some(id) => OrderRow::find(db, &row.wallet, id)?,
        None => None,
    };
    Ok(Asked { row, order })
}

/// Whether the channel's limits have room; checked in the step that writes the order down.
fn check_limits(
    db: &Db,
    channel: &Channel,
    card: (CityCode, CardNumber),
    amount: Fen,
    now: CardTime,
) -> Result<(), Problem> {
    let limits = channel.facts.limits;
    let day = now.date().start();
    let room = |most: Option<Fen>, card, code: Code| -> Result<(), Problem> {
        let Some(most) = most else { return Ok(()) };
        let (_, fen) = ChannelOrder::loads_since(db, &channel.id, card, (day, now))?;
        let sum = Fen::new(fen).plus(amount).map_err(overflow)?;
        if sum <= most { Ok(()) } else { Err(code.about(most.get())) }
    };
    room(limits.card_day_fen, Some(card), Code::LimitChannelCardDay)?;
    if let Some(most) = limits.card_hour_orders {
        let since = now.plus_seconds(1_i64.saturating_sub(HOUR_SECONDS));
        let (orders, _) = ChannelOrder::loads_since(db, &channel.id, Some(card), (since, now))?;
        if orders >= u64::from(most) {
            return Err(Code::LimitChannelCardHour.about(most));
        }
    }
    room(limits.channel_day_fen, None, Code::LimitChannelDay)
}
