//! A wallet's limits (限额): how much a card, a passenger and the wallet itself may load in a day, and how often a
//! card in an hour.
//!
//! Invariant: they are checked in the step that writes the order down, so no two orders pass on the same room; every
//! load counts that is not refused, from the moment it is placed.

use ledger::{AccountName, Malformed, Rules};
use model::registry::{Registry, WalletLimits};
use model::{CardTime, Fen, PurseFen, WalletId};

use crate::core::{Core, State};
use crate::money::{debt, overflow};
use crate::problem::{Code, Problem};
use crate::store::{Counted, Db, OrderKind, OrderRow};

const HOUR_SECONDS: i64 = 3600;

/// What the ledger refuses: each wallet's unsettled debt has its cap.
pub(crate) fn rules(registry: &Registry) -> Result<Rules, Malformed> {
    // A city's float may be spent below what came in through us: its cards are also loaded at its own counters.
    let mut rules = Rules::none().never_below_zero("doubt");
    for wallet in registry.wallets() {
        if let Some(cap) = wallet.facts.limits.net_debit_cap_fen {
            rules = rules.cap(AccountName::new("due", format!("wallet:{}", wallet.id))?, cap);
        }
    }
    Ok(rules)
}

impl Core {
    /// Whether the wallet's unsettled debt has room for an order that is about to be written down. The ledger asks again
    /// when the money is held: what is placed at once may fit one by one and not together.
    pub(crate) fn check_debt(&self, state: &State, order: &OrderRow) -> Result<(), Problem> {
        let facts = self.registry().wallet(&order.wallet).map(|wallet| &wallet.facts);
        let cap = facts.and_then(|facts| facts.limits.net_debit_cap_fen);
        let Some(cap) = cap.filter(|_| order.amount > PurseFen::ZERO) else { return Ok(()) };
        // Whose a plastic card is, and so what is owed for it, is not known yet: then there must be any room at all.
        let owed = match self.money(state, order)? {
            Some(money) => money.owed()?.map_or(Fen::ZERO, |leg| leg.amount()),
            None => Fen::new(1),
        };
        let stands = state.ledger.balance(&debt(&order.wallet)?)?.available();
        let left = cap.plus(stands).and_then(|left| left.minus(owed)).map_err(overflow)?;
        if left >= Fen::ZERO { Ok(()) } else { Err(Code::NetDebitCap.about(cap.get())) }
    }

    /// The ledger has held nothing for an order, since its wallet owes too much: it is refused, and nothing has left.
    pub(crate) fn over_cap(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        problem: &Problem,
    ) -> Result<(), Problem> {
        let event = format!("{}-refused", order.kind.as_str());
        self.refused(state, order, problem.code.as_str(), &problem.about, &event)
    }

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
        let sum = Fen::new(fen).plus(order.amount.into()).map_err(overflow)?;
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
