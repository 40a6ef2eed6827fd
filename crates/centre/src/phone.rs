//! The phones' door (手机接入): sessions in which a phone's agent carries an order out, script by script.
//!
//! Standard: GlobalPlatform SERAM 2.0, the remote agent (globalplatform.md section 3.2).
//! Invariant: a session may break anywhere. A handshake begins its job anew, which is always safe: the job looks at
//! the card, and a load in doubt is settled before a new one. A report that comes again gets the same orders again;
//! that a second, equal report is a repetition follows from the jobs: whatever leads to another script holds
//! random bytes of the card.

use std::collections::HashMap;

use model::{CardNumber, PurseFen};

use tsm::seram::{AgentReport, HandshakeRequest, HandshakeResponse, Orders};
use tsm::{Env, Next, Report, Reservation};

use crate::core::{Core, State};
use crate::fence::{masked, overtaken, save};
use crate::plans::{Planned, plan, unsettled};
use crate::problem::{Code, Problem};
use crate::reached::element_for;
use crate::store::{
    CardRow, CardState, Event, OrderKind, OrderRow, OrderState, StepName, StepRow, StepState,
};
use crate::suspend::still_waiting;

/// Why an order is refused whose load a later contact with the card disproved.
pub(crate) const NOT_CREDITED: &str = "load-not-credited";

const PROTOCOL: &str = "seram";
const FORMAT: &str = "json";
const VERSION: &str = "2.0.0";

/// Sessions under way. They live in memory only: after a restart the phone shakes hands again.
#[derive(Default)]
pub(crate) struct Sessions(pub(crate) HashMap<String, Live>);

/// A session with a phone behind it.
pub(crate) struct Live {
    /// `None` until the phone asks for orders.
    pub(crate) job: Option<Planned>,
    /// Which of the order's attempts it is.
    pub(crate) attempt: u32,
    /// The element behind it.
    pub(crate) element: String,
    /// While a lost phone's card is being locked, or unlocked, before anything else: that order.
    pub(crate) visit: Option<OrderRow>,
    /// The card it is about, once known.
    pub(crate) card: Option<CardNumber>,
    /// What came last, and what was answered.
    last: Option<(AgentReport, Orders)>,
}

/// What a finished or waiting session tells the application on the phone: the order's state.
fn stop(order: &OrderRow) -> Orders {
    Orders::stop(order.state.as_str())
}

impl Core {
    /// Begins a session, or begins it anew.
    pub(crate) fn handshake(
        &self,
        session: &str,
        request: HandshakeRequest,
    ) -> Result<HandshakeResponse, Problem> {
        let mut state = self.state();
        let mut order = find(&state, session)?;
        let common =
            [(&request.protocols, PROTOCOL), (&request.formats, FORMAT), (&request.versions, VERSION)];
        if let Some((_, ours)) = common.into_iter().find(|(theirs, ours)| !theirs.iter().any(|t| t == ours)) {
            return Err(Code::NoCommonOption.about(ours));
        }
        let element = element_for(self, &state, &order, request.secure_elements)?;
        if order.state == OrderState::Created {
            order.state = OrderState::Running;
            order.changed_at = self.now();
            save(&mut state, &order, |_| Ok(()))?;
        }
        tracing::info!(wallet = %order.wallet, order = order.id, state = order.state.as_str(), "a phone shook hands");
        let behind = element.se_id.clone();
        let live =
            Live { job: None, attempt: 0, element: behind, visit: None, card: order.number, last: None };
        state.sessions.0.insert(session.to_owned(), live);
        Ok(HandshakeResponse {
            secure_element: element,
            protocol: PROTOCOL.into(),
            format: FORMAT.into(),
            version: VERSION.into(),
        })
    }

    /// Takes what became of the last orders, gives the next.
    pub(crate) fn report(&self, session: &str, report: AgentReport) -> Result<Orders, Problem> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut order = find(state, session)?;
        let over = |order: &OrderRow| matches!(order.state, OrderState::Done | OrderState::Refused);
        let more = match state.sessions.0.get(session) {
            Some(live) => {
                self.to_take_off(state, &order, &live.element)?.is_some()
                    || self.is_awaited(state, &order, &live.element)?
            }
            None => false,
        };
        if over(&order) && !more {
            state.sessions.0.remove(session);
            return Ok(stop(&order));
        }
        // Out of the map while it works: if a step fails, the session is gone and the phone must begin anew.
        let mut live = state.sessions.0.remove(session).ok_or_else(|| overtaken(session))?;
        if live.job.is_some() && live.attempt != order.attempt {
            return Err(overtaken(session)); // another process, or another phone, has begun it anew
        }
        if let Some((last, orders)) = live.last.take_if(|(last, _)| *last == report && !report.is_polling()) {
            let again = orders.clone();
            live.last = Some((last, orders));
            state.sessions.0.insert(session.to_owned(), live);
            return Ok(again);
        }
        let orders = match self.advance(state, &mut order, &mut live, &report) {
            Err(problem) if problem.code == Code::NetDebitCap => {
                live.job = None;
                self.over_cap(state, &mut order, &problem)?;
                stop(&order)
            }
            other => other?,
        };
        if !over(&order) || live.job.is_some() {
            live.last = Some((report, orders.clone()));
            state.sessions.0.insert(session.to_owned(), live);
        }
        Ok(orders)
    }

    /// One turn of the job: from the phone's answers to its next orders.
    fn advance(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        live: &mut Live,
        report: &AgentReport,
    ) -> Result<Orders, Problem> {
        let mut first = false;
        let mut next = match live.job.as_mut().filter(|_| !report.is_polling()) {
            Some(planned) => {
                let answers = report.answers().map_err(|error| Code::ReportMalformed.about(error))?;
                planned.job.answers(&answers, &mut env(self, state))
            }
            None => {
                (first, live.visit) = (true, None);
                let Some(next) = self.begin_next(state, order, live)? else { return Ok(stop(order)) };
                next
            }
        };
        loop {
            next = match next {
                Next::Run(commands) => return Ok(Orders::run(&commands, first)),
                Next::Reserve(reservation) => {
                    self.reserve(state, order, reservation)?;
                    confirmed(self, state, live)
                }
                Next::ReserveDrain(drain) => {
                    self.reserve_drain(state, order, drain)?;
                    confirmed(self, state, live)
                }
                Next::NotDrained(drain) => {
                    self.not_drained(state, order, drain)?;
                    confirmed(self, state, live)
                }
                Next::Settled { reservation, credited } => {
                    let current = live.visit.as_ref().unwrap_or(order).seq;
                    self.settle_other(state, current, &reservation, credited)?;
                    confirmed(self, state, live)
                }
                Next::Done(report) if live.visit.is_some() => {
                    let Some(next) = self.end_visit(state, order, live, report)? else {
                        return Ok(stop(order));
                    };
                    next
                }
                Next::Done(Report::Read(view)) if live.job.take_if(|planned| planned.is_look).is_some() => {
                    order.number = Some(view.public_info.number);
                    order.city = Some(view.public_info.city);
                    order.changed_at = self.now();
                    save(state, order, |_| Ok(()))?;
                    if order.kind == OrderKind::Read && unsettled(state, order)?.is_none() {
                        Next::Done(Report::Read(view))
                    } else {
                        self.begin(state, order, live)?
                    }
                }
                Next::Done(done) => {
                    let took_off = live.job.take().is_some_and(|planned| planned.takes_off);
                    let drained = matches!(done, Report::Drained { .. });
                    let issued = matches!(done, Report::Issued);
                    match order.kind {
                        OrderKind::Move => self.finish_move(state, order, done, took_off)?,
                        _ => self.finish(state, order, done)?,
                    }
                    match self.to_take_off(state, order, &live.element)?.filter(|_| drained) {
                        Some(card) => self.begin_take_off(state, &card, order, live)?,
                        None if issued && order.state == OrderState::Running => {
                            self.begin(state, order, live)?
                        }
                        None => return Ok(stop(order)),
                    }
                }
            };
        }
    }

    /// Plans the order's job from what is stored, and starts it. Other sessions with the same card are over:
    /// the card has forgotten what they had begun. Other processes' sessions with the same order are over too: what they
    /// would write down is of an earlier attempt.
    pub(crate) fn begin(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        live: &mut Live,
    ) -> Result<Next, Problem> {
        let now = self.now();
        let fresh = state.store.write(|db| {
            let of = (&order.wallet.clone(), order.id.clone());
            StepRow::note(db, (of.0, &of.1), StepName::Contact, StepState::Running, now)?;
            Ok(order.begin(db)?)
        })?;
        if !fresh {
            return Err(overtaken(&order.session));
        }
        live.attempt = order.attempt;
        let mut planned = match plan(self, state, order)? {
            Ok(planned) => planned,
            Err(refusal) => return Ok(Next::Done(Report::Refused(refusal))),
        };
        if let (OrderKind::Issue, Some(money)) = (order.kind, self.money(state, order)?) {
            money.pend(state.ledger.as_mut())?;
            self.still_wanted(state, order)?;
        }
        live.card = order.number;
        state.sessions.0.retain(|_, other| live.card.is_none() || other.card != live.card);
        let next = planned.job.start(&mut env(self, state));
        live.job = Some(planned);
        Ok(next)
    }

    /// A returned card leaves its phone in the session that drained it, or in a later one of the same order.
    pub(crate) fn begin_take_off(
        &self,
        state: &mut State,
        card: &CardRow,
        order: &OrderRow,
        live: &mut Live,
    ) -> Result<Next, Problem> {
        let (planned, next) = self.take_off(state, card)?;
        (live.job, live.attempt) = (Some(planned), order.attempt);
        Ok(next)
    }

    /// The reservation is on the disk and the money pending: now CREDIT FOR LOAD may leave. The reservation comes first,
    /// by compare and set: of two processes with the same order, or with the same card, one gets no further.
    fn reserve(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        reservation: Reservation,
    ) -> Result<(), Problem> {
        stays(state, &reservation)?;
        if order.kind == OrderKind::Move {
            return self.reserve_move(state, order, reservation);
        }
        if let Some(card) = reservation.card() {
            // A number is a city's own: another city's card of that number is another card.
            if order.city.is_some_and(|city| city != card.city) {
                return Err(Code::ReportUnexpected.about(&order.session));
            }
            (order.number, order.city) = (Some(card.number), Some(card.city));
        }
        order.reservation = Some(reservation);
        order.state = OrderState::InDoubt;
        order.changed_at = self.now();
        let now = order.changed_at;
        save(state, order, |db| {
            let of = (&order.wallet, order.id.as_str());
            StepRow::note(db, of, StepName::Contact, StepState::Done, now)?;
            StepRow::note(db, of, StepName::Reserve, StepState::Done, now)?;
            Ok(StepRow::note(db, of, StepName::Prove, StepState::InDoubt, now)?)
        })?;
        if let Some(money) = self.money(state, order)? {
            money.pend(state.ledger.as_mut())?;
        }
        Ok(())
    }

    /// Writes down how a job ended.
    pub(crate) fn finish(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        report: Report,
    ) -> Result<(), Problem> {
        match report {
            Report::Loaded { reservation, tac } => {
                self.credited(state, order, &reservation, tac, "load-done")
            }
            Report::LoadRefused { refusal, .. } => {
                self.refused(state, order, refusal.code.as_str(), &refusal.to_string(), "load-refused")
            }
            // The money is back; only the empty card is still there.
            Report::Refused(refusal) if order.state == OrderState::Done => {
                tracing::warn!(wallet = %order.wallet, order = order.id, %refusal, "still on the phone");
                Ok(())
            }
            Report::Refused(refusal) if order.reservation.is_some() || order.drain.is_some() => {
                // This contact settled nothing, so the order's own load is as much in doubt as before.
                tracing::warn!(wallet = %order.wallet, order = order.id, %refusal, "still in doubt");
                Ok(())
            }
            Report::Refused(refusal) if order.kind.is_lock() => {
                still_waiting(order, &refusal);
                Ok(())
            }
            Report::Lock(report) => self.lock_reported(state, order, report),
            Report::Refused(refusal) => {
                let event = format!("{}-refused", order.kind.as_str());
                self.refused(state, order, refusal.code.as_str(), &refusal.to_string(), &event)
            }
            #[cfg(feature = "planted-bugs")]
            Report::Unknown { .. } if self.mistakes_silence(state, order)? => Ok(()),
            Report::Unknown { reservation } => {
                tracing::warn!(wallet = %order.wallet, order = order.id, amount = %reservation.amount(), "in doubt");
                let event = self.event("load-in-doubt", order);
                state.store.write(|db| Ok(event.insert(db)?))
            }
            Report::Interrupted => {
                tracing::info!(wallet = %order.wallet, order = order.id, "interrupted; nothing was at risk");
                Ok(())
            }
            Report::Drained { proof } => self.drained(state, order, proof),
            Report::DrainUnknown => {
                tracing::warn!(wallet = %order.wallet, order = order.id, amount = %order.amount, "in doubt");
                let event = self.event("refund-in-doubt", order);
                state.store.write(|db| Ok(event.insert(db)?))
            }
            Report::Deleted if order.kind == OrderKind::Refund => {
                let card = order.card.clone().unwrap_or_default();
                let now = self.now();
                state.store.write(|db| {
                    CardRow::set_state(db, &order.wallet, &card, CardState::Deleted, now)?;
                    let of = (&order.wallet, order.id.as_str());
                    Ok(StepRow::note(db, of, StepName::Card, StepState::Done, now)?)
                })
            }
            Report::Issued => self.card_done(state, order, Some(CardState::Issued)),
            Report::Deleted => self.card_done(state, order, Some(CardState::Deleted)),
            Report::Activated => self.card_done(state, order, None),
            Report::Read(view) => {
                (order.number, order.city) = (Some(view.public_info.number), Some(view.public_info.city));
                order.balance = Some(view.balance);
                self.card_done(state, order, None)
            }
        }
    }

    /// It is proven that no money reached the card: refused, then void. In this order, since a process that was
    /// overtaken must not void what another has reserved.
    pub(crate) fn refused(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        code: &str,
        about: &str,
        event: &str,
    ) -> Result<(), Problem> {
        if order.kind == OrderKind::Move && order.reservation.is_some() {
            return self.not_moved_in(state, order, code, about);
        }
        (order.code, order.about) = (Some(code.to_owned()), Some(about.to_owned()));
        self.end(state, order, OrderState::Refused, event)?;
        self.give_back(state, order)
    }

    /// The card is as the order wanted it.
    fn card_done(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        to: Option<CardState>,
    ) -> Result<(), Problem> {
        if let (OrderKind::Issue, Some(money)) = (order.kind, self.money(state, order)?) {
            money.post(state.ledger.as_mut())?;
        }
        if to == Some(CardState::Issued) {
            order.balance = Some(PurseFen::ZERO);
        }
        if let (Some(to), Some(card)) = (to, order.card.clone()) {
            let wallet = order.wallet.clone();
            let now = self.now();
            state.store.write(|db| Ok(CardRow::set_state(db, &wallet, &card, to, now)?))?;
        }
        let event = format!("{}-done", order.kind.as_str());
        self.end(state, order, OrderState::Done, &event)
    }

    pub(crate) fn end(
        &self,
        state: &mut State,
        order: &mut OrderRow,
        to: OrderState,
        event: &str,
    ) -> Result<(), Problem> {
        order.state = to;
        order.changed_at = self.now();
        let event = self.event(event, order);
        tracing::info!(wallet = %order.wallet, order = order.id, event = event.kind, "an order ended");
        let step = match (order.reservation.is_some(), order.kind) {
            (true, OrderKind::Move) => StepName::ProveNew,
            (false, OrderKind::Move) if to == OrderState::Done => StepName::NewCard,
            (true, _) | (_, OrderKind::Refund | OrderKind::Move) => StepName::Prove,
            (false, OrderKind::Issue | OrderKind::Delete) => StepName::Card,
            (false, _) => StepName::Contact,
        };
        let how = if to == OrderState::Done { StepState::Done } else { StepState::Undone };
        save(state, order, |db| {
            if order.attempt > 0 {
                StepRow::note(db, (&order.wallet, &order.id), step, how, order.changed_at)?;
            }
            if let (OrderState::Done, Some(number), Some(balance)) = (to, order.number, order.balance) {
                CardRow::seen(db, number, balance, order.changed_at)?;
            }
            event.insert(db)?;
            Ok(())
        })
    }

    pub(crate) fn event(&self, kind: &str, order: &OrderRow) -> Event {
        let city = order.city.map(|city| city.to_string()).unwrap_or_default();
        let amount = (order.amount > PurseFen::ZERO).then_some(order.amount.into());
        Event { at: self.now(), kind: kind.into(), about: format!("{city} {}", order.wallet), amount }
    }
}

/// The job goes on after what it asked for is on the disk.
fn confirmed(core: &Core, state: &mut State, live: &mut Live) -> Next {
    let go_on = |planned: &mut Planned| planned.job.confirmed(&mut env(core, state));
    live.job.as_mut().map_or(Next::Done(Report::Interrupted), go_on)
}

pub(crate) fn env<'a>(core: &'a Core, state: &'a mut State) -> Env<'a> {
    Env { keys: core.keys(), entropy: state.entropy.as_mut(), now: core.now() }
}

pub(crate) fn find(state: &State, session: &str) -> Result<OrderRow, Problem> {
    OrderRow::of_session(state.store.read(), session)?
        .ok_or_else(|| Code::UnknownSession.about(masked(session)))
}

/// A card of ours, by whatever name the order calls it, gets value only while it is nobody's to take off and was not given
/// back: another process may have done so since the offer.
fn stays(state: &State, reservation: &Reservation) -> Result<(), Problem> {
    let db = state.store.read();
    let Some(of) = reservation.card() else { return Ok(()) };
    let Some(card) = CardRow::of_number(db, of.city, of.number)? else { return Ok(()) };
    match card.state {
        CardState::Returned => Err(Code::CardReturned.about(of.number)),
        CardState::Deleted => Err(Code::CardDeleted.about(of.number)),
        _ if card.may_be_taken_off(db)? => Err(Code::CardBusy.about(of.number)),
        _ => Ok(()),
    }
}
