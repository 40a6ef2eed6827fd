//! Move to a new phone (迁出、迁入): a city card's value leaves one phone's element under the old card's proof, stands in
//! the order, and is loaded onto a new card on another element under that card's proof.
//!
//! Ledger: `float:CITY` to `doubt:CITY` is pended before DEBIT leaves and posted on to `moving:WALLET:ORDER` by the old
//! card's TAC; from there to `doubt:CITY` is pended before CREDIT FOR LOAD leaves, and posted on to `float:CITY` by the new
//! card's TAC. No party comes to owe another anything, unless the value is paid back on the way.
//!
//! Invariant: the order's row and its `moves` row say together where the value is: on the old card, in doubt there, in the
//! order, in doubt on the new card, on it, or paid back; each is written before what follows from it leaves. The two cards
//! have two numbers, and the old one is denied before the new one gets a fen.

use ledger::{Entry, EntryId, EntryKind, Leg};
use model::{CityCode, Fen, PurseFen, Tac, WalletId};
use tsm::{Drain, Refusal, Report, Reservation};

use crate::core::{Core, State};
use crate::fence::save;
use crate::money::{account, doubt, leg, malformed};
use crate::operator::DENY_GRACE_SECONDS;
use crate::problem::{Code, Problem};
use crate::store::{
    CardRow, CardState, Db, MovePhase, MoveRow, OrderKind, OrderRow, OrderState, StepName, StepRow,
    StepState, deny,
};
use crate::wallet::{find_card, find_order};

/// Why a move has ended whose value was paid back on the way.
pub(crate) const REFUNDED: &str = "move-refunded";

impl Core {
    /// What a move has beside its order.
    pub(crate) fn move_of(&self, order: &OrderRow) -> Result<Option<MoveRow>, Problem> {
        if order.kind != OrderKind::Move {
            return Ok(None);
        }
        Ok(Some(row(self.state().store.read(), order)?))
    }

    /// Writes down how a move's job ended.
    pub(crate) fn finish_move(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        report: Report,
        took_off: bool,
    ) -> Result<(), Problem> {
        let moving = row(state.store.read(), order)?;
        match report {
            Report::Deleted if took_off => {
                let at = self.now();
                state.store.write(|db| {
                    CardRow::set_state(db, &order.wallet, &moving.from, CardState::Deleted, at)?;
                    Ok(StepRow::note(db, (&order.wallet, &order.id), StepName::Card, StepState::Done, at)?)
                })
            }
            other if took_off => {
                tracing::warn!(wallet = %order.wallet, order = order.id, ?other, "the old card stays on its phone");
                Ok(())
            }
            Report::Drained { proof } => self.moved_out(state, order, moving, proof),
            Report::DrainUnknown => {
                tracing::warn!(wallet = %order.wallet, order = order.id, amount = %order.amount, "in doubt");
                let event = self.event("move-in-doubt", order);
                state.store.write(|db| Ok(event.insert(db)?))
            }
            Report::Issued => self.new_card_there(state, order, &moving),
            Report::Loaded { reservation, tac } => self.moved_in(state, order, Some((&reservation, tac))),
            Report::LoadRefused { refusal, .. } => {
                self.not_moved_in(state, order, refusal.code.as_str(), &refusal.to_string())
            }
            Report::Refused(refusal) if moving.phase == MovePhase::In && order.reservation.is_none() => {
                self.stands(state, order, refusal)
            }
            other => self.finish(state, order, other),
        }
    }

    /// The old card has proven that its value is off it, or that it held none: booked, denied, and from here on the order is
    /// about the new card.
    fn moved_out(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        moving: MoveRow,
        proof: Option<(Drain, Tac)>,
    ) -> Result<(), Problem> {
        let amount = proof.map_or(PurseFen::ZERO, |(drain, _)| drain.amount());
        if let Some((drain, _)) = proof {
            let legs = vec![leg(doubt(city(order)?)?, stands_in(order)?, amount.into())?];
            let entry = self.entry(state, order, &drain.terminal_seq().to_string(), legs)?;
            state.ledger.post(entry)?;
        }
        let new = find_card(state.store.read(), &order.wallet, &moving.to)?;
        let now = self.now();
        (order.drain, order.tac, order.amount, order.balance) = (None, None, amount, Some(PurseFen::ZERO));
        let (old_number, old_city) = (moving.from_number, city(order)?);
        (order.card, order.number, order.changed_at) = (Some(new.id), Some(new.number), now);
        order.state = OrderState::Running;
        let moving = MoveRow { phase: MovePhase::In, amount, out: proof, ..moving };
        let event = self.event("move-out", order);
        save(state, order, |db| {
            moving.keep(db)?;
            deny(db, old_city, old_number, now.plus_seconds(DENY_GRACE_SECONDS))?;
            CardRow::set_state(db, &order.wallet, &moving.from, CardState::Returned, now)?;
            CardRow::seen(db, old_number, PurseFen::ZERO, now)?;
            StepRow::note(db, (&order.wallet, &order.id), StepName::Prove, StepState::Done, now)?;
            Ok(event.insert(db)?)
        })
    }

    /// The new card is on the new phone; nothing is asked for it. Without value there is nothing else to do.
    fn new_card_there(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        moving: &MoveRow,
    ) -> Result<(), Problem> {
        let now = self.now();
        (order.code, order.about, order.changed_at) = (None, None, now);
        save(state, order, |db| {
            if order.amount == PurseFen::ZERO {
                CardRow::came_from(db, &order.wallet, &moving.to, moving.from_number)?;
            }
            CardRow::set_state(db, &order.wallet, &moving.to, CardState::Issued, now)?;
            let of = (&order.wallet, order.id.as_str());
            StepRow::note(db, of, StepName::Contact, StepState::Done, now)?;
            Ok(StepRow::note(db, of, StepName::NewCard, StepState::Done, now)?)
        })?;
        if order.amount == PurseFen::ZERO {
            self.end(state, order, OrderState::Done, "move-done")
        } else {
            Ok(())
        }
    }

    /// The reservation is on the disk and the value pending: now CREDIT FOR LOAD may leave for the new card.
    pub(crate) fn reserve_move(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        reservation: Reservation,
    ) -> Result<(), Problem> {
        let (moving, now) = (row(state.store.read(), order)?, self.now());
        (order.code, order.about) = (None, None);
        (order.reservation, order.state, order.changed_at) = (Some(reservation), OrderState::InDoubt, now);
        save(state, order, |db| {
            let of = (&order.wallet, order.id.as_str());
            StepRow::note(db, of, StepName::Contact, StepState::Done, now)?;
            StepRow::note(db, of, StepName::ReserveNew, StepState::Done, now)?;
            Ok(StepRow::note(db, of, StepName::ProveNew, StepState::InDoubt, now)?)
        })?;
        let legs = vec![leg(stands_in(order)?, doubt(city(order)?)?, order.amount.into())?];
        let entry = self.entry(state, order, &hop(moving.hop), legs)?;
        state.ledger.pend(entry)?;
        Ok(())
    }

    /// The new card has the value; without a proof, a person has decided so.
    pub(crate) fn moved_in(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        proof: Option<(&Reservation, Tac)>,
    ) -> Result<(), Problem> {
        let moving = row(state.store.read(), order)?;
        let city = city(order)?;
        let legs = vec![leg(doubt(city)?, account("float", city)?, order.amount.into())?];
        let entry = self.entry(state, order, &hop(moving.hop), legs)?;
        state.ledger.post(entry)?;
        state.store.write(|db| Ok(CardRow::came_from(db, &order.wallet, &moving.to, moving.from_number)?))?;
        if let Some((reservation, tac)) = proof {
            (order.reservation, order.tac) = (Some(*reservation), Some(tac));
            order.balance = reservation.balance_before().plus(reservation.amount());
        }
        self.end(state, order, OrderState::Done, "move-done")
    }

    /// It is proven that the new card has not got it: the value stands in the order again.
    pub(crate) fn not_moved_in(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        code: &str,
        about: &str,
    ) -> Result<(), Problem> {
        let moving = row(state.store.read(), order)?;
        let now = self.now();
        let was = moving.hop;
        let moving = MoveRow { hop: was.saturating_add(1), ..moving };
        (order.code, order.about) = (Some(code.to_owned()), Some(about.to_owned()));
        (order.reservation, order.state, order.changed_at) = (None, OrderState::Running, now);
        let event = self.event("move-not-credited", order);
        save(state, order, |db| {
            moving.keep(db)?;
            StepRow::note(db, (&order.wallet, &order.id), StepName::ProveNew, StepState::Undone, now)?;
            Ok(event.insert(db)?)
        })?;
        self.void_hop(state, order, was)
    }

    /// The new phone did not get its card or the value; nothing has moved, and why is shown.
    fn stands(&self, state: &mut State, order: &mut OrderRow, refusal: Refusal) -> Result<(), Problem> {
        (order.code, order.about) = (Some(refusal.code.as_str().to_owned()), Some(refusal.to_string()));
        order.changed_at = self.now();
        let event = self.event("move-stands", order);
        save(state, order, |db| Ok(event.insert(db)?))
    }

    /// The value goes on to a card on another phone of the same passenger. Again is the same.
    pub(crate) fn move_on(&self, wallet: &WalletId, id: &str, to: &str) -> Result<OrderRow, Problem> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut order = find_order(state.store.read(), wallet, id)?;
        let moving = standing(state.store.read(), &order)?;
        if moving.to == to {
            return Ok(order);
        }
        let old = find_card(state.store.read(), wallet, &moving.from)?;
        let new = target(state.store.read(), &old, to, id)?;
        let was = moving.hop;
        let moving = MoveRow { to: new.id.clone(), hop: was.saturating_add(1), ..moving };
        (order.code, order.about) = (None, None);
        (order.card, order.number, order.changed_at) = (Some(new.id), Some(new.number), self.now());
        state.store.write(|db| {
            // A new attempt: a session with the phone that is left would write down nothing any more.
            if !order.begin(db)? || !order.update(db)? {
                return Err(Code::OrderOver.about(id));
            }
            Ok(moving.keep(db)?)
        })?;
        self.void_hop(state, &order, was)?;
        Ok(order)
    }

    /// The value that stands in a move is paid back through the wallet, and the order is over. Again is the same.
    pub(crate) fn refund_move(&self, wallet: &WalletId, id: &str) -> Result<OrderRow, Problem> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut order = find_order(state.store.read(), wallet, id)?;
        if order.state == OrderState::Refused && order.code.as_deref() == Some(REFUNDED) {
            self.pay_move_back(state, row(state.store.read(), &order)?)?;
            return Ok(order);
        }
        let moving = MoveRow { phase: MovePhase::Refunding, ..standing(state.store.read(), &order)? };
        let now = self.now();
        (order.code, order.about) = (Some(REFUNDED.to_owned()), Some(order.id.clone()));
        (order.state, order.changed_at) = (OrderState::Refused, now);
        let event = self.event("move-refused", &order);
        save(state, &order, |db| {
            moving.keep(db)?;
            StepRow::note(db, (wallet, id), StepName::GiveBack, StepState::Done, now)?;
            Ok(event.insert(db)?)
        })?;
        self.pay_move_back(state, moving)?;
        Ok(order)
    }

    /// Books what is to be paid back and is not yet, because a process died before it could. What cannot be booked stays
    /// to be booked, and keeps no other from it.
    pub(crate) fn finish_moves(&self, state: &mut State) -> Result<(), Problem> {
        for moving in MoveRow::refunding(state.store.read())? {
            let (wallet, order) = (moving.wallet.clone(), moving.order.clone());
            if let Err(problem) = self.pay_move_back(state, moving) {
                tracing::error!(%wallet, order, %problem, "a move's value is not paid back yet");
            }
        }
        Ok(())
    }

    /// Books one; again is the same.
    fn pay_move_back(&self, state: &mut State, moving: MoveRow) -> Result<(), Problem> {
        if moving.phase != MovePhase::Refunding {
            return Ok(());
        }
        let order = find_order(state.store.read(), &moving.wallet, &moving.order)?;
        self.void_hop(state, &order, moving.hop)?;
        if moving.amount > PurseFen::ZERO {
            let (amount, city): (Fen, CityCode) = (moving.amount.into(), city(&order)?);
            let due = |party: String| account("due", party);
            let legs = vec![
                leg(stands_in(&order)?, account("refunds", &order.wallet)?, amount)?,
                leg(due(format!("issuer:{city}"))?, due(format!("wallet:{}", order.wallet))?, amount)?,
            ];
            let entry = self.entry(state, &order, "refund", legs)?;
            if state.ledger.find(&entry.id)?.is_none() {
                state.ledger.record(entry)?;
            }
        }
        let done = MoveRow { phase: MovePhase::Refunded, ..moving };
        state.store.write(|db| Ok(done.keep(db)?))
    }

    /// Lets the hold go that a load of this number has on the order's value, if it has one.
    pub(crate) fn void_hop(&self, state: &mut State, order: &OrderRow, number: u32) -> Result<(), Problem> {
        let entry = self.entry(state, order, &hop(number), Vec::new())?;
        if state.ledger.find(&entry.id)?.is_some_and(|story| story.ended.is_none()) {
            state.ledger.void(entry)?;
        }
        Ok(())
    }

    fn entry(&self, state: &State, order: &OrderRow, part: &str, legs: Vec<Leg>) -> Result<Entry, Problem> {
        let kind = OrderKind::Move.as_str();
        let id: EntryId =
            format!("{kind}:{}:{}.{part}", order.wallet, order.seq).parse().map_err(malformed)?;
        let kind: EntryKind = kind.parse().map_err(malformed)?;
        let at = self.now();
        Ok(Entry { id, kind, legs, day: state.open_day(at)?, at, memo: order.id.clone() })
    }
}

/// The account of the order in which the value stands.
fn stands_in(order: &OrderRow) -> Result<ledger::AccountName, Problem> {
    account("moving", format!("{}:{}", order.wallet, order.seq))
}

/// A load of the value onto a new card, as the ledger names it.
fn hop(number: u32) -> String {
    format!("to{number}")
}

fn city(order: &OrderRow) -> Result<CityCode, Problem> {
    order.city.ok_or_else(|| Code::Internal.about("city"))
}

/// What the order has beside its row.
pub(crate) fn row(db: &Db, order: &OrderRow) -> Result<MoveRow, Problem> {
    MoveRow::find(db, &order.wallet, &order.id)?.ok_or_else(|| Code::Internal.about("move"))
}

/// The move of an order whose value is off the old card and not on its way to a new one.
fn standing(db: &Db, order: &OrderRow) -> Result<MoveRow, Problem> {
    if order.kind != OrderKind::Move {
        return Err(Code::MoveUnfit.about("kind"));
    }
    let moving = row(db, order)?;
    match order.state {
        OrderState::InDoubt => Err(Code::OrderInDoubt.about(&order.id)),
        OrderState::Done | OrderState::Refused => Err(Code::OrderOver.about(&order.id)),
        _ if moving.phase == MovePhase::In => Ok(moving),
        _ => Err(Code::MoveUnfit.about("value")),
    }
}

/// The card that a card's value may go to: planned, of the same passenger and city, on another element.
pub(crate) fn target(db: &Db, old: &CardRow, to: &str, order: &str) -> Result<CardRow, Problem> {
    let new = find_card(db, &old.wallet, to)?;
    let unfit = |what: &str| Err(Code::MoveUnfit.about(what));
    match () {
        () if new.user != old.user => unfit("user"),
        () if new.city != old.city => unfit("city"),
        () if new.se_id == old.se_id => unfit("se_id"),
        () if new.state != CardState::Planned => Err(Code::CardAlreadyIssued.about(to)),
        () if OrderRow::exists(db, &old.wallet, to, OrderKind::Issue)? => {
            Err(Code::CardAlreadyIssued.about(to))
        }
        () if MoveRow::aims_at(db, &old.wallet, to, order)? => unfit("to"),
        () => Ok(new),
    }
}
