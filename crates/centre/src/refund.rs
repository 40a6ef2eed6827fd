//! Refund of a returned card (退卡): its whole value is taken off the card by a purchase that the centre makes over the
//! air, proven by the card's TAC, and paid back through the wallet.
//!
//! Ledger: `float:CITY` to `doubt:CITY` is pended before DEBIT leaves; the post moves it on to `refunds:WALLET`, and the
//! issuer owes the wallet. The wallet's fee for the loads is not taken back. A void leaves all as it was.
//!
//! Invariant: each purchase has an entry of its own, named by the order and the draw-down point's running number. What
//! the card has proven is booked before the order is done; then the card is denied and, on a phone, taken off.

use ledger::{Entry, EntryId, EntryKind, Leg};
use model::{CardTime, CityCode, Fen, PurseFen, Tac, TerminalId};
use tsm::{Drain, Job, Next};

use crate::core::{Core, State};
use crate::fence::save;
use crate::money::{account, doubt, leg, malformed};
use crate::moving::row;
use crate::operator::DENY_GRACE_SECONDS;
use crate::phone::env;
use crate::plans::{Planned, delete};
use crate::problem::{Code, Problem};
use crate::store::{CardRow, CardState, OrderKind, OrderRow, OrderState, StepName, StepRow, StepState, deny};

/// The number of the centre's own draw-down point (退卡点): its first two bytes stand in every purchase it makes.
pub const DRAW_DOWN_POINT: TerminalId = TerminalId::new([0, 1, 0, 0, 0, 1]);

impl Core {
    /// The purchase is on the disk and its amount pending: now DEBIT FOR PURCHASE may leave.
    pub(crate) fn reserve_drain(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        drain: Drain,
    ) -> Result<(), Problem> {
        let now = self.now();
        (order.drain, order.amount) = (Some(drain), drain.amount());
        (order.state, order.changed_at) = (OrderState::InDoubt, now);
        save(state, order, |db| {
            let of = (&order.wallet, order.id.as_str());
            StepRow::note(db, of, StepName::Contact, StepState::Done, now)?;
            StepRow::note(db, of, StepName::Reserve, StepState::Done, now)?;
            Ok(StepRow::note(db, of, StepName::Prove, StepState::InDoubt, now)?)
        })?;
        let (float, held) = (account("float", city(&drain)?)?, doubt(city(&drain)?)?);
        let legs = vec![leg(float, held, drain.amount().into())?];
        let entry = self.drain_entry(state, order, drain.terminal_seq(), legs)?;
        state.ledger.pend(entry)?;
        Ok(())
    }

    /// The card has proven that this purchase did not happen: it is let go, and the order goes on.
    pub(crate) fn not_drained(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        drain: Drain,
    ) -> Result<(), Problem> {
        (order.drain, order.amount) = (None, PurseFen::ZERO);
        (order.state, order.changed_at) = (OrderState::Running, self.now());
        save(state, order, |db| {
            let of = (&order.wallet, order.id.as_str());
            Ok(StepRow::note(db, of, StepName::Prove, StepState::Undone, order.changed_at)?)
        })?;
        self.void_drain(state, order, drain.terminal_seq())
    }

    /// Lets a purchase go that did not happen, if it was ever pended.
    pub(crate) fn void_drain(&self, state: &mut State, order: &OrderRow, number: u32) -> Result<(), Problem> {
        let entry = self.drain_entry(state, order, number, Vec::new())?;
        if state.ledger.find(&entry.id)?.is_some() {
            state.ledger.void(entry)?;
        }
        Ok(())
    }

    /// The card has proven that its value is off it, or that it held none: booked, denied, done.
    pub(crate) fn drained(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        proof: Option<(Drain, Tac)>,
    ) -> Result<(), Problem> {
        if let Some((drain, tac)) = proof {
            let city = city(&drain)?;
            let amount: Fen = drain.amount().into();
            let due = |party: String| account("due", party);
            let legs = vec![
                leg(doubt(city)?, account("refunds", &order.wallet)?, amount)?,
                leg(due(format!("issuer:{city}"))?, due(format!("wallet:{}", order.wallet))?, amount)?,
            ];
            let entry = self.drain_entry(state, order, drain.terminal_seq(), legs)?;
            state.ledger.post(entry)?;
            (order.drain, order.tac, order.amount) = (Some(drain), Some(tac), drain.amount());
        }
        order.balance = Some(PurseFen::ZERO);
        let now = self.now();
        let since = now.plus_seconds(DENY_GRACE_SECONDS);
        state.store.write(|db| {
            if let (Some(city), Some(number)) = (order.city, order.number) {
                deny(db, city, number, since)?;
            }
            if let Some(card) = &order.card {
                CardRow::set_state(db, &order.wallet, card, CardState::Returned, now)?;
            }
            Ok(())
        })?;
        self.end(state, order, OrderState::Done, "refund-done")
    }

    /// The card of a refund that is done, or of a move that has left it, and that is still on its phone.
    pub(crate) fn returned_card(&self, state: &State, order: &OrderRow) -> Result<Option<CardRow>, Problem> {
        if order.kind == OrderKind::Move {
            let from = row(state.store.read(), order)?.from;
            let card = CardRow::find(state.store.read(), &order.wallet, &from)?;
            return Ok(card.filter(|card| card.state == CardState::Returned));
        }
        let Some(card) = order.card.as_ref().filter(|_| order.kind == OrderKind::Refund) else {
            return Ok(None);
        };
        let card = CardRow::find(state.store.read(), &order.wallet, card)?;
        Ok(card.filter(|card| order.state == OrderState::Done && card.state == CardState::Returned))
    }

    /// Begins to take a returned card off its phone.
    pub(crate) fn take_off(&self, state: &mut State, card: &CardRow) -> Result<(Planned, Next), Problem> {
        let mut job = Job::delete(delete(self, state, card)?);
        let next = job.start(&mut env(self, state));
        Ok((Planned { job, is_look: false, takes_off: true }, next))
    }

    fn drain_entry(
        &self,
        state: &State,
        order: &OrderRow,
        number: u32,
        legs: Vec<Leg>,
    ) -> Result<Entry, Problem> {
        let kind = order.kind.as_str();
        let id: EntryId =
            format!("{kind}:{}:{}.{number}", order.wallet, order.seq).parse().map_err(malformed)?;
        let kind: EntryKind = kind.parse().map_err(malformed)?;
        let at: CardTime = self.now();
        Ok(Entry { id, kind, legs, day: state.open_day(at)?, at, memo: order.id.clone() })
    }
}

fn city(drain: &Drain) -> Result<CityCode, Problem> {
    drain.card().map(|card| card.city).ok_or_else(|| Code::Internal.about("drain"))
}
