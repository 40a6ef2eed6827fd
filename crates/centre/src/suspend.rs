//! Suspend and resume on loss (挂失, 解挂): a lost phone's card is denied at once, and locked by script when its phone is
//! next seen, whatever that phone came for.
//!
//! Standard: GlobalPlatform SET STATUS through our security domain (globalplatform.md section 1.5).
//! Invariant: what protects the passenger is the centre's own: the card's state and the deny list, both written in the
//! transaction that takes the order. The lock is the phone's word, since SCP02 signs no answers (and of SCP03 only some
//! options do), so it is called *reported*
//! and neither shortens nor replaces the stay on the list. Of the orders that suspend and resume a card at most one is
//! open: a new one withdraws it. A script is begun under a new attempt, so what an earlier one brings is refused.

use tsm::{Job, LockPlan, LockReport, Next, Refusal, RefusalCode, Report, load_pin};

use crate::core::{Core, State};
use crate::fence::{overtaken, save};
use crate::operator::DENY_GRACE_SECONDS;
use crate::phone::{Live, env, find};
use crate::plans::{LOAD_POINT, Planned, element, instance_aid, plan, unsettled};
use crate::problem::{Code, Problem};
use crate::reached::is_its_element;
use crate::store::{
    CardRow, CardState, Db, Event, OrderKind, OrderRow, OrderState, StepName, StepRow, StepState, deny_lost,
    lift_lost,
};

/// Why an order to suspend or resume is refused in whose place a later one has come.
pub(crate) const WITHDRAWN: &str = "withdrawn";

impl Core {
    /// What is true from the moment the order is written down, in the same transaction. A resume of a card whose lock
    /// was never begun is done with it.
    pub(crate) fn lock_placed(&self, db: &Db, order: &OrderRow) -> Result<(), Problem> {
        let (true, Some(card), Some(number), Some(city)) =
            (order.kind.is_lock(), &order.card, order.number, order.city)
        else {
            return Ok(());
        };
        let (now, wallet) = (order.placed_at, &order.wallet);
        if let Some(mut open) = OrderRow::open_lock(db, wallet, card, &order.id)? {
            (open.state, open.changed_at) = (OrderState::Refused, now);
            (open.code, open.about) = (Some(WITHDRAWN.to_owned()), Some(order.id.clone()));
            open.update(db)?;
            StepRow::note(db, (wallet, &open.id), StepName::List, StepState::Undone, now)?;
        }
        let kind = if order.kind == OrderKind::Suspend {
            deny_lost(db, city, number, now.plus_seconds(DENY_GRACE_SECONDS))?;
            if !CardRow::is_suspended(db, number)? {
                CardRow::set_state(db, wallet, card, CardState::Suspended, now)?;
            }
            "card-suspended"
        } else {
            lift_lost(db, city, number, now)?;
            if !OrderRow::may_be_locked(db, wallet, card)? {
                CardRow::set_state(db, wallet, card, CardState::Issued, now)?;
                OrderRow { state: OrderState::Done, ..order.clone() }.update(db)?;
            }
            "card-resumed"
        };
        StepRow::note(db, (wallet, &order.id), StepName::List, StepState::Done, now)?;
        let about = format!("{city} {wallet}");
        Ok(Event { at: now, kind: kind.into(), about, amount: None }.insert(db)?)
    }

    /// Whether a lost card waits for the element behind this order's session.
    pub(crate) fn is_awaited(&self, state: &State, order: &OrderRow, element: &str) -> Result<bool, Problem> {
        Ok(awaited(state, order, element, 0)?.is_some())
    }

    /// The next script that waits for the element behind the session, begun: the phone is seen.
    fn visit(
        &self,
        state: &mut State,
        order: &OrderRow,
        (element, after): (&str, u64),
    ) -> Result<Option<(OrderRow, Planned, Next)>, Problem> {
        let Some(mut lock) = awaited(state, order, element, after)? else { return Ok(None) };
        let now = self.now();
        let fresh = state.store.write(|db| {
            StepRow::note(db, (&lock.wallet, &lock.id), StepName::Contact, StepState::Running, now)?;
            Ok(lock.begin(db)?)
        })?;
        if !fresh {
            return Err(overtaken(&order.session));
        }
        (lock.state, lock.changed_at) = (OrderState::Running, now);
        save(state, &lock, |_| Ok(()))?;
        let Ok(mut planned) = plan(self, state, &lock)? else { return Ok(None) };
        tracing::info!(wallet = %lock.wallet, order = lock.id, "a lost phone is seen");
        let next = planned.job.start(&mut env(self, state));
        Ok(Some((lock, planned, next)))
    }

    /// What comes next in a session: a lost card that waits for this element, then what the phone came for; `None` if
    /// that is nothing here.
    pub(crate) fn begin_next(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        live: &mut Live,
    ) -> Result<Option<Next>, Problem> {
        let after = live.visit.take().map_or(0, |visited| visited.seq);
        if let Some((lock, planned, next)) = self.visit(state, order, (&live.element, after))? {
            (live.attempt, live.card) = (order.attempt, lock.number);
            state.sessions.0.retain(|_, other| other.card != lock.number);
            (live.job, live.visit) = (Some(planned), Some(lock));
            return Ok(Some(next));
        }
        match self.to_take_off(state, order, &live.element)? {
            Some(card) => self.begin_take_off(state, &card, order, live).map(Some),
            None if !is_its_element(state, order, &live.element)? => Ok(None),
            None => self.begin(state, order, live).map(Some),
        }
    }

    /// A lost card's script is over; what it settled may have been the very load that the phone came for. What comes
    /// next in the session, if anything does.
    pub(crate) fn end_visit(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        live: &mut Live,
        report: Report,
    ) -> Result<Option<Next>, Problem> {
        live.job = None;
        let silent = report == Report::Interrupted;
        if let Some(lock) = &mut live.visit {
            self.visited(state, lock, report)?;
        }
        *order = find(state, &order.session)?;
        if silent || matches!(order.state, OrderState::Done | OrderState::Refused) {
            return Ok(None);
        }
        self.begin_next(state, order, live)
    }

    /// What the element says, as the phone relays it: the order is done, its lock *reported*.
    pub(crate) fn lock_reported(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        report: LockReport,
    ) -> Result<(), Problem> {
        let now = self.now();
        (order.state, order.changed_at) = (OrderState::Done, now);
        let event = self.event(&format!("{}-done", order.kind.as_str()), order);
        tracing::info!(wallet = %order.wallet, order = order.id, ?report, "a lock is reported");
        save(state, order, |db| {
            let of = (&order.wallet, order.id.as_str());
            if let (LockReport::Unlocked, Some(card)) = (report, &order.card) {
                CardRow::set_state(db, &order.wallet, card, CardState::Issued, now)?;
            }
            StepRow::note(db, of, StepName::Contact, StepState::Done, now)?;
            StepRow::note(db, of, StepName::Card, StepState::Reported, now)?;
            Ok(event.insert(db)?)
        })
    }

    /// How a script ended that was carried out in another order's session. Only a lock that is reported ends its order.
    fn visited(&self, state: &mut State, lock: &mut OrderRow, report: Report) -> Result<(), Problem> {
        match report {
            Report::Lock(report) => self.lock_reported(state, lock, report),
            Report::Refused(refusal) => {
                still_waiting(lock, &refusal);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The first order after `after` that waits for the element. What is held to a phone, a plastic card, is no element.
fn awaited(state: &State, order: &OrderRow, element: &str, after: u64) -> Result<Option<OrderRow>, Problem> {
    if order.card.is_none() {
        return Ok(None);
    }
    let element = element.to_ascii_uppercase();
    Ok(OrderRow::next_lock(state.store.read(), &element, after, order.seq)?)
}

/// A phone's refusal does not end an order to lock or unlock: the next contact tries again.
pub(crate) fn still_waiting(order: &OrderRow, refusal: &Refusal) {
    tracing::warn!(wallet = %order.wallet, order = order.id, %refusal, "not locked or unlocked yet");
}

/// The script of an order to suspend or resume.
pub(crate) fn lock(core: &Core, state: &State, order: &OrderRow, card: &CardRow) -> Result<Job, Problem> {
    let suspends = order.kind == OrderKind::Suspend;
    Ok(Job::lock(LockPlan {
        element: element(core, card)?,
        card: card.number,
        instance: instance_aid(card.city).ok_or_else(|| Code::Internal.about("AID"))?,
        lock: suspends,
        unsettled: unsettled(state, order)?.map(|u| u.reservation).filter(|_| suspends),
        pin: core.registry().city(card.city).and_then(load_pin),
        terminal: LOAD_POINT,
    }))
}

/// Why an order of a suspended card is not begun; its own money in doubt stays so.
pub(crate) fn suspended(state: &State, order: &OrderRow) -> Result<Option<Refusal>, Problem> {
    let Some(number) = order.number.filter(|_| !order.kind.is_lock()) else { return Ok(None) };
    let code = RefusalCode::Suspended;
    let suspended = CardRow::is_suspended(state.store.read(), number)?;
    Ok(suspended.then_some(Refusal { code, at: "suspend", status: None }))
}

/// Which orders a card takes that is suspended, or shall be.
pub(crate) fn check_lock(db: &Db, card: &CardRow, kind: OrderKind) -> Result<(), Problem> {
    match (card.state, kind) {
        (CardState::Suspended, OrderKind::Resume) => Ok(()),
        (CardState::Suspended, OrderKind::Suspend) => {
            // Found, and lost again before it was unlocked.
            let open = OrderRow::open_lock(db, &card.wallet, &card.id, "")?;
            let resumed = open.is_some_and(|open| open.kind == OrderKind::Resume);
            if resumed { Ok(()) } else { Err(Code::CardSuspended.about(&card.id)) }
        }
        (CardState::Suspended, _) => Err(Code::CardSuspended.about(&card.id)),
        (_, OrderKind::Resume) => Err(Code::CardNotSuspended.about(&card.id)),
        _ => Ok(()),
    }
}
