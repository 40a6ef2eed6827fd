//! A wallet's limits (限额): how much a card, a passenger and the wallet itself may load in a day, and how often a
//! card in an hour.
//!
//! Invariant: they are checked in the step that writes the order down, so no two orders pass on the same room; every
//! load counts that is not refused, from the moment it is placed.

use model::registry::WalletLimits;
use model::{CardTime, Fen, WalletId};

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::store::{Counted, Db, OrderKind, OrderRow};

const HOUR_SECONDS: i64 = 3600;

impl Core {
    /// Whether the wallet's limits have room for an order that is about to be written down.
    pub(crate) fn check_limits(&self, db: &Db, order: &OrderRow) -> Result<(), Problem> {
        let limits = self.registry().wallet(&order.wallet).map(|wallet| wallet.facts.limits);
        match limits {
            Some(limits) if order.kind == OrderKind::Load => check(db, limits, order),
            _ => Ok(()),
        }
    }
}

fn check(db: &Db, limits: WalletLimits, order: &OrderRow) -> Result<(), Problem> {
    let WalletLimits { card_day_fen, card_hour_orders, user_day_fen, wallet_day_fen, .. } = limits;
    let day: CardTime = order.placed_at.date().start();
    let tomorrow = seconds(order.placed_at.date().plus_days(1).start(), order.placed_at);
    let wallet: &WalletId = &order.wallet;
    let room = |most: Option<Fen>, of: Counted<'_>, code: Code| -> Result<(), Problem> {
        let Some(most) = most else { return Ok(()) };
        let (_, fen) = OrderRow::loads_since(db, wallet, of, day)?;
        let sum = Fen::new(fen).plus(order.amount.into()).map_err(crate::money::overflow)?;
        match sum <= most {
            true => Ok(()),
            // Tomorrow has as much room, if that is enough for it.
            false if Fen::from(order.amount) <= most => Err(code.about(most.get()).retry_after(tomorrow)),
            false => Err(code.about(most.get())),
        }
    };
    if let Some(card) = &order.card {
        room(card_day_fen, Counted::Card(card), Code::LimitCardDay)?;
        room(user_day_fen, Counted::UserOf(card), Code::LimitUserDay)?;
        if let Some(most) = card_hour_orders {
            let since = order.placed_at.plus_seconds(1_i64.saturating_sub(HOUR_SECONDS));
            let (orders, _) = OrderRow::loads_since(db, wallet, Counted::Card(card), since)?;
            if orders >= u64::from(most) {
                // There is room when so many of the hour's loads are an hour old that one fewer than the most are left.
                let over = orders.saturating_sub(most.into());
                let oldest = OrderRow::load_since(db, wallet, card, since, over)?;
                let free = oldest.unwrap_or(order.placed_at).plus_seconds(HOUR_SECONDS);
                return Err(Code::LimitCardHour.about(most).retry_after(seconds(free, order.placed_at)));
            }
        }
    }
    room(wallet_day_fen, Counted::Wallet, Code::LimitWalletDay)
}

fn seconds(until: CardTime, now: CardTime) -> u32 {
    u32::try_from(until.seconds_since(now)).unwrap_or(0)
}
