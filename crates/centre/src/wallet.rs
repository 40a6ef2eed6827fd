//! The wallets' door (支付机构接入): cards and orders, each under the wallet's own id, good for ever.
//!
//! Invariant: what a wallet sends twice is done once; another body under the same id is refused with the digest of
//! the stored one. No wallet has a field or a path of its own, and none sees another's cards or orders.

use model::{Fen, PurseFen, WalletId, registry};

use crate::channel::PaidFor;
use crate::core::{Core, State};
use crate::moving::target;
use crate::problem::{Code, Problem};
use crate::store::{
    CardRow, CardState, Db, Event, HistoryTap, MovePhase, MoveRow, OrderKind, OrderRow, OrderState, StepName,
    StepRow, StepState,
};
use crate::suspend::check_lock;

/// Orders in one page of a list.
const PAGE: u32 = 100;
/// Loads and taps in a history.
const HISTORY: u32 = 50;

/// A card to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewCard {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) city: String,
    pub(crate) phone: String,
    pub(crate) se_id: String,
    /// Of the request's body.
    pub(crate) digest: [u8; 32],
}

/// An order to be placed.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) id: String,
    pub(crate) kind: OrderKind,
    pub(crate) card: Option<String>,
    pub(crate) plastic: bool,
    /// Of a move: the card that gets the value.
    pub(crate) to: Option<String>,
    pub(crate) amount_fen: Option<i64>,
    pub(crate) paid: Option<Payment>,
    /// What a channel asked for.
    pub(crate) channel: Option<PaidFor>,
    /// Of the request's body.
    pub(crate) digest: [u8; 32],
}

/// What the wallet took from the passenger.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) amount_fen: i64,
    pub(crate) reference: String,
}

impl Core {
    /// Gives a card its number; the phone is asked for nothing yet.
    pub(crate) fn create_card(&self, wallet: &WalletId, new: NewCard) -> Result<CardRow, Problem> {
        check_id("id", &new.id)?;
        check_id("user", &new.user)?;
        let now = self.now();
        self.state().store.write(|db| {
            if let Some(stored) = CardRow::find(db, wallet, &new.id)? {
                return same(stored.digest, new.digest, &new.id).map(|()| stored);
            }
            let city = self.city_for_cards(&new.city)?;
            let phone =
                self.registry().phone(&new.phone).ok_or_else(|| Code::UnknownPhone.about(&new.phone))?;
            let se_id = element_id(&new.se_id)?;
            let row = CardRow {
                wallet: wallet.clone(),
                id: new.id,
                digest: new.digest,
                user: new.user,
                city: city.code,
                phone: phone.id.clone(),
                se_id,
                number: CardRow::next_number(db, city.code)?,
                state: CardState::Planned,
                balance: None,
                seen_at: None,
                moved_from: None,
            };
            row.insert(db)?;
            let about = format!("{} {wallet}", city.code);
            Event { at: now, kind: "card-planned".into(), about, amount: None }.insert(db)?;
            tracing::info!(%wallet, card = %row.number, "card planned");
            Ok(row)
        })
    }

    /// A card of this wallet.
    pub(crate) fn card(&self, wallet: &WalletId, id: &str) -> Result<CardRow, Problem> {
        find_card(self.state().store.read(), wallet, id)
    }

    /// Loads and taps of a card of this wallet, newest first.
    pub(crate) fn history(
        &self,
        wallet: &WalletId,
        id: &str,
    ) -> Result<(Vec<OrderRow>, Vec<HistoryTap>), Problem> {
        let state = self.state();
        let db = state.store.read();
        let card = find_card(db, wallet, id)?;
        Ok((OrderRow::loads_of(db, card.number, HISTORY)?, HistoryTap::of(db, card.number, HISTORY)?))
    }

    /// Writes an order down, or gives the one that is written already.
    pub(crate) fn place_order(&self, wallet: &WalletId, new: NewOrder) -> Result<OrderRow, Problem> {
        check_id("id", &new.id)?;
        let mut state = self.state();
        if let Some(stored) = OrderRow::find(state.store.read(), wallet, &new.id)? {
            return same(stored.digest, new.digest, &new.id).map(|()| stored);
        }
        let channel = new.channel.clone();
        let to = new.to.clone();
        let row = self.checked(&mut state, wallet, new)?;
        self.check_debt(&state, &row)?;
        let moving = to.map(|to| planned_move(&row, to)).transpose()?;
        state.store.write(|db| {
            self.check_limits(db, &row)?;
            row.insert(db)?;
            if let Some(paid) = &channel {
                self.pay_channel(db, paid, &row)?;
            }
            if let Some(moving) = &moving {
                moving.keep(db)?;
            }
            StepRow::note(db, (wallet, &row.id), StepName::Placed, StepState::Done, row.placed_at)?;
            self.lock_placed(db, &row)?;
            find_order(db, wallet, &row.id)
        })
    }

    /// An order of this wallet.
    pub(crate) fn order(&self, wallet: &WalletId, id: &str) -> Result<OrderRow, Problem> {
        find_order(self.state().store.read(), wallet, id)
    }

    /// How far an order came.
    pub(crate) fn steps(&self, order: &OrderRow) -> Result<Vec<StepRow>, Problem> {
        Ok(StepRow::of(self.state().store.read(), &order.wallet, &order.id)?)
    }

    /// A page of this wallet's orders after a cursor, oldest first, and whether there are more.
    pub(crate) fn orders_after(
        &self,
        wallet: &WalletId,
        after: u64,
    ) -> Result<(Vec<OrderRow>, bool), Problem> {
        let most = PAGE.saturating_add(1);
        let mut rows = OrderRow::after(self.state().store.read(), wallet, after, most)?;
        let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
        if more {
            rows.pop();
        }
        Ok((rows, more))
    }

    /// A city that may issue cards today.
    fn city_for_cards(&self, code: &str) -> Result<&registry::City, Problem> {
        let city = code.parse().ok().and_then(|code| self.registry().city(code));
        city.ok_or_else(|| Code::UnknownCity.about(code))
    }

    /// The order as it will be stored, if everything about it is as it must be.
    fn checked(&self, state: &mut State, wallet: &WalletId, new: NewOrder) -> Result<OrderRow, Problem> {
        let card = match (&new.card, new.plastic) {
            (Some(id), false) => Some(find_card(state.store.read(), wallet, id)?),
            (None, true) if matches!(new.kind, OrderKind::Load | OrderKind::Read | OrderKind::Refund) => None,
            (None, _) => return Err(Code::FieldMissing.about("card")),
            (Some(_), true) => return Err(Code::FieldNotExpected.about("plastic")),
        };
        if let Some(card) = &card {
            check_card_state(state.store.read(), card, new.kind)?;
        }
        match (new.kind, &new.to, &card) {
            (OrderKind::Move, Some(to), Some(card)) => drop(target(state.store.read(), card, to, &new.id)?),
            (OrderKind::Move, ..) => return Err(Code::FieldMissing.about("to")),
            (_, Some(_), _) => return Err(Code::FieldNotExpected.about("to")),
            _ => {}
        }
        let city = card.as_ref().and_then(|card| self.registry().city(card.city));
        let (amount, due) = self.amounts(wallet, &new, city)?;
        let reference = check_paid(due, new.paid)?;
        let mut session = [0; 16];
        state.entropy.fill(&mut session);
        let now = self.now();
        Ok(OrderRow {
            seq: 0, // given by the store
            wallet: wallet.clone(),
            id: new.id,
            digest: new.digest,
            kind: new.kind,
            number: card.as_ref().map(|card| card.number),
            city: card.as_ref().map(|card| card.city),
            card: card.map(|card| card.id),
            amount,
            reference,
            session: hex::encode(session),
            state: OrderState::Created,
            code: None,
            about: None,
            balance: None,
            reservation: None,
            drain: None,
            tac: None,
            attempt: 0,
            placed_at: now,
            changed_at: now,
        })
    }

    /// What the purse gets (for an issue: what the card costs), and what the passenger must have paid for it.
    fn amounts(
        &self,
        wallet: &WalletId,
        new: &NewOrder,
        city: Option<&registry::City>,
    ) -> Result<(PurseFen, PurseFen), Problem> {
        match (new.kind, new.amount_fen) {
            (OrderKind::Load, Some(fen)) => {
                let most = self.registry().wallet(wallet).map_or(PurseFen::ZERO, |w| w.facts.max_order_fen);
                let most = city.map_or(most, |city| most.min(city.card.purse_limit_fen));
                let amount = check_amount(fen, most)?;
                Ok((amount, amount))
            }
            (OrderKind::Load, None) => Err(Code::FieldMissing.about("amount_fen")),
            (_, Some(_)) => Err(Code::FieldNotExpected.about("amount_fen")),
            (OrderKind::Issue, None) => {
                let fee = city.map_or(PurseFen::ZERO, |city| city.card.issue_fee_fen);
                Ok((fee, fee))
            }
            (_, None) => Ok((PurseFen::ZERO, PurseFen::ZERO)),
        }
    }
}

/// A move at its beginning.
fn planned_move(order: &OrderRow, to: String) -> Result<MoveRow, Problem> {
    Ok(MoveRow {
        wallet: order.wallet.clone(),
        order: order.id.clone(),
        from: order.card.clone().unwrap_or_default(),
        to,
        from_number: order.number.ok_or_else(|| Code::Internal.about("number"))?,
        phase: MovePhase::Out,
        amount: PurseFen::ZERO,
        out: None,
        hop: 0,
    })
}

/// Ids travel in paths, logs and files, so they are plain.
pub(crate) fn check_id(field: &str, id: &str) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(plain);
    if fits { Ok(()) } else { Err(Code::IdMalformed.about(field)) }
}

/// A secure element's identity, in upper-case hex.
pub(crate) fn element_id(text: &str) -> Result<String, Problem> {
    let digits = (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let whole = digits && text.len().is_multiple_of(2);
    if whole { Ok(text.to_ascii_uppercase()) } else { Err(Code::ElementMalformed.about("se_id")) }
}

pub(crate) fn same(stored: [u8; 32], given: [u8; 32], id: &str) -> Result<(), Problem> {
    if stored == given { Ok(()) } else { Err(Problem::taken(Code::IdTaken, id, stored)) }
}

pub(crate) fn find_card(db: &Db, wallet: &WalletId, id: &str) -> Result<CardRow, Problem> {
    CardRow::find(db, wallet, id)?.ok_or_else(|| Code::UnknownCard.about(id))
}

pub(crate) fn find_order(db: &Db, wallet: &WalletId, id: &str) -> Result<OrderRow, Problem> {
    OrderRow::find(db, wallet, id)?.ok_or_else(|| Code::UnknownOrder.about(id))
}

fn check_card_state(db: &Db, card: &CardRow, kind: OrderKind) -> Result<(), Problem> {
    check_lock(db, card, kind)?;
    match (card.state, kind) {
        (CardState::Deleted, _) => Err(Code::CardDeleted.about(&card.id)),
        (CardState::Returned, OrderKind::Delete) => Ok(()),
        (CardState::Returned, _) => Err(Code::CardReturned.about(&card.id)),
        (CardState::Issued, OrderKind::Issue) => Err(Code::CardAlreadyIssued.about(&card.id)),
        (CardState::Planned, OrderKind::Issue) => {
            let under_way = OrderRow::exists(db, &card.wallet, &card.id, OrderKind::Issue)?;
            if under_way { Err(Code::CardAlreadyIssued.about(&card.id)) } else { Ok(()) }
        }
        // What a cancelled issue left on the phone may be taken off.
        (CardState::Planned, OrderKind::Delete)
            if OrderRow::was_begun(db, &card.wallet, &card.id, OrderKind::Issue)? =>
        {
            Ok(())
        }
        (CardState::Planned, _) => Err(Code::CardNotIssued.about(&card.id)),
        (CardState::Issued | CardState::Suspended, _) => Ok(()),
    }
}

pub(crate) fn check_amount(fen: i64, most: PurseFen) -> Result<PurseFen, Problem> {
    if fen <= 0 {
        return Err(Code::AmountNotPositive.about(fen));
    }
    let amount = PurseFen::try_from(Fen::new(fen)).ok().filter(|amount| *amount <= most);
    amount.ok_or_else(|| Code::AmountOverLimit.about(most.get()))
}

/// The passenger has paid exactly what is due, no more, no less.
fn check_paid(due: PurseFen, paid: Option<Payment>) -> Result<Option<String>, Problem> {
    match paid {
        None if due == PurseFen::ZERO => Ok(None),
        None => Err(Code::FieldMissing.about("paid")),
        Some(_) if due == PurseFen::ZERO => Err(Code::FieldNotExpected.about("paid")),
        Some(paid) if paid.amount_fen == i64::from(due.get()) => {
            check_id("paid.reference", &paid.reference)?;
            Ok(Some(paid.reference))
        }
        Some(_) => Err(Code::PaidDiffers.about(due.get())),
    }
}
