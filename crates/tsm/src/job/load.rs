//! Load (空中充值, 圈存): money moves from the wallet to the purse on the card.
//!
//! Standard: PBOC electronic purse as used by CJ/T 166: INITIALIZE FOR LOAD, CREDIT FOR LOAD (card.md section 1.2).
//! Invariant: silence after CREDIT FOR LOAD is never a failure. A load in doubt is settled before another begins.

use card::command::{
    CreditForLoad, GetBalance, GetTransactionProve, InitializeForLoad, ReadRecord, RecordPlace, Records,
    SelectApplication, TransactionProof, VerifyPin,
};
use card::layout::{LogRecord, PublicInfo, Sfi};
use keys::{CardRef, LoadOffer, LoadRequest};
use model::{CardTime, Tac, TxnType};
use smartcard::{Apdu, Command, Response, Status};

use super::{Answers, Env, Next, Stop, refused, refused_with, selected_purse};
use crate::plan::{LoadPlan, Refusal, RefusalCode, Report, Reservation};

/// The load key's index; a card has one.
const KEY_INDEX: u8 = 1;

#[derive(Debug)]
pub(super) struct Load {
    plan: LoadPlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Offering,
    Settling { next: Box<Settled> },
    Reserving { authorized: Authorized },
    Crediting { reservation: Reservation },
}

/// What follows when a load that was in doubt is written down as settled.
#[derive(Clone, Copy, Debug)]
enum Settled {
    /// It was this order, and the card has the value.
    Done { reservation: Reservation, tac: Tac },
    /// The new load may go on with the card's offer, if it made one.
    GoOn { card: CardRef, offer: Result<LoadOffer, Stop> },
}

/// MAC1 is checked and MAC2 made; nothing has left yet.
#[derive(Clone, Copy, Debug)]
struct Authorized {
    reservation: Reservation,
    at: CardTime,
    mac2: [u8; 4],
}

impl Load {
    pub(super) fn new(plan: LoadPlan) -> Self {
        Load { plan, step: Step::Offering }
    }

    /// Select, PIN if asked for, proof of a load in doubt, and the card's offer for the new one.
    pub(super) fn start(&mut self) -> Next {
        self.step = Step::Offering;
        let select = SelectApplication { name: self.plan.aid.as_bytes().to_vec() }.to_apdu();
        let pin = self.plan.pin.clone().map(|pin| VerifyPin { pin }.to_apdu());
        let settle = self.plan.unsettled.as_ref().map(|u| [newest_load(), prove(&u.reservation)]);
        let offer = InitializeForLoad {
            key_index: KEY_INDEX,
            amount: self.plan.amount,
            terminal: self.plan.terminal,
        };
        Next::Run(
            [select]
                .into_iter()
                .chain(pin)
                .chain(settle.into_iter().flatten())
                .chain([GetBalance.to_apdu(), offer.to_apdu()])
                .collect(),
        )
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match &self.step {
            Step::Offering => self.offered(answers, env),
            Step::Crediting { reservation } => Ok(credited(*reservation, answers, env)),
            Step::Settling { .. } | Step::Reserving { .. } => Err(Stop::Silence),
        }
    }

    pub(super) fn confirmed(&mut self, env: &mut Env<'_>) -> Result<Next, Stop> {
        match &self.step {
            Step::Settling { next } => match **next {
                Settled::Done { reservation, tac } => Ok(Next::Done(Report::Loaded { reservation, tac })),
                Settled::GoOn { card, offer } => self.authorize(&card, &offer?, env),
            },
            Step::Reserving { authorized } => {
                let Authorized { reservation, at, mac2 } = *authorized;
                self.step = Step::Crediting { reservation };
                Ok(Next::Run(vec![CreditForLoad { at, mac2 }.to_apdu()]))
            }
            Step::Offering | Step::Crediting { .. } => Err(Stop::Silence),
        }
    }

    fn offered(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        let info = selected_purse(answers, self.plan.card)?;
        let card = CardRef { city: info.city, number: info.number };
        if self.plan.pin.is_some() {
            pin_accepted(answers)?;
        }
        let Some(unsettled) = self.plan.unsettled.clone() else {
            let offer = self.offer(answers)?;
            return self.authorize(&card, &offer, env);
        };
        // First the load in doubt, by what the card says of it: that the new one does not fit is no reason.
        let reservation = unsettled.reservation;
        let counter = load_counter(answers.any()?)?;
        let verdict = settle(&reservation, &info, counter, Some(answers.any()?), env)?;
        let offer = self.offer(answers);
        match (verdict, unsettled.same_order) {
            // The money stays reserved for this very order: the card shall get it now.
            (None, true) => self.authorize(&card, &offer?, env),
            (None, false) => Ok(self.settled(reservation, None, Settled::GoOn { card, offer })),
            (Some(tac), true) => Ok(self.settled(reservation, Some(tac), Settled::Done { reservation, tac })),
            (Some(tac), false) => Ok(self.settled(reservation, Some(tac), Settled::GoOn { card, offer })),
        }
    }

    /// The card's offer for the new load, if it fits into the purse.
    fn offer(&self, answers: &mut Answers<'_>) -> Result<LoadOffer, Stop> {
        // A card that knows its limit refuses the offer without a reason; its balance gives it.
        let balance = answers.parsed::<GetBalance>("GET BALANCE")?;
        if balance.plus(self.plan.amount).is_none_or(|sum| sum > self.plan.purse_limit) {
            return Err(refused(RefusalCode::OverLimit, "GET BALANCE"));
        }
        answers.parsed::<InitializeForLoad>("INITIALIZE FOR LOAD")
    }

    fn settled(&mut self, reservation: Reservation, credited: Option<Tac>, next: Settled) -> Next {
        self.step = Step::Settling { next: Box::new(next) };
        Next::Settled { reservation, credited }
    }

    /// Checks the offer and makes MAC2; the money is then to be reserved.
    fn authorize(&mut self, card: &CardRef, offer: &LoadOffer, env: &mut Env<'_>) -> Result<Next, Stop> {
        let at = "INITIALIZE FOR LOAD";
        let request = LoadRequest { amount: self.plan.amount, terminal: self.plan.terminal, at: env.now };
        let mac2 = env
            .keys
            .authorize_load(card, offer, &request)
            .map_err(|_| refused(RefusalCode::NotGenuine, at))?;
        let reservation = Reservation::new(card, offer, self.plan.amount, self.plan.terminal, env.now)
            .ok_or_else(|| refused(RefusalCode::OverLimit, at))?;
        self.step = Step::Reserving { authorized: Authorized { reservation, at: env.now, mac2 } };
        Ok(Next::Reserve(reservation))
    }
}

fn pin_accepted(answers: &mut Answers<'_>) -> Result<(), Stop> {
    let status = answers.any()?.status;
    if status.is_ok() { Ok(()) } else { Err(refused_with(RefusalCode::Pin, "VERIFY PIN", status)) }
}

/// No `Result`: once the bytes are sent, any answer, and silence, is an outcome. Answers to something else, such as
/// those of a second agent that was still at an earlier script, say nothing of the credit.
fn credited(reservation: Reservation, answers: &mut Answers<'_>, env: &Env<'_>) -> Next {
    let unknown = Next::Done(Report::Unknown { reservation });
    let [Some(response)] = answers.0 else { return unknown };
    if response.status.leaves_open() {
        return unknown;
    }
    if !response.status.is_ok() {
        let refusal =
            Refusal { code: RefusalCode::CardRefused, at: "CREDIT FOR LOAD", status: Some(response.status) };
        return Next::Done(Report::LoadRefused { reservation, refusal });
    }
    let tac = CreditForLoad::parse_response(&response.data).filter(|tac| proven(&reservation, *tac, env));
    Next::Done(match tac {
        Some(tac) => Report::Loaded { reservation, tac },
        None => Report::Unknown { reservation },
    })
}

fn proven(reservation: &Reservation, tac: Tac, env: &Env<'_>) -> bool {
    let (Some(card), Some(proof)) = (reservation.card(), reservation.proof()) else { return false };
    env.keys.verify_load(&card, &proof, tac).is_ok()
}

/// Asks for the newest line of the card's load log.
fn newest_load() -> Apdu {
    let records = Records::One(RecordPlace::Number(1));
    ReadRecord { file: Sfi::LOADS, records, length: 0 }.to_apdu()
}

/// The card's online counter by its newest load: the log has the counter after it.
fn load_counter(answer: &Response) -> Result<u16, Stop> {
    match answer.status {
        status if status.is_ok() => {
            let record = answer.data.first_chunk().and_then(LogRecord::parse);
            Ok(record.map_or(0, |newest| newest.counter)) // an empty line is no load
        }
        Status::RECORD_NOT_FOUND => Ok(0),
        status => Err(refused_with(RefusalCode::StillInDoubt, "READ RECORD", status)),
    }
}

/// Asks the card to prove a load whose answer was lost.
pub(super) fn prove(reservation: &Reservation) -> Apdu {
    let counter = reservation.counter().wrapping_add(1);
    GetTransactionProve { kind: TxnType::Load, counter }.to_apdu()
}

/// What became of a load in doubt, by the card's own online counter and its proof.
///
/// `Ok(Some)`: the card has the value, proven by its TAC. `Ok(None)`: the counter has not moved, so it has not.
///
/// # Errors
/// The card says something else: the load stays in doubt.
pub(super) fn settle(
    reservation: &Reservation,
    info: &PublicInfo,
    counter: u16,
    proof: Option<&Response>,
    env: &Env<'_>,
) -> Result<Option<Tac>, Stop> {
    let at = "GET TRANSACTION PROVE";
    if reservation.card().is_none_or(|card| card.number != info.number) {
        return Err(refused(RefusalCode::StillInDoubt, at));
    }
    if counter == reservation.counter() {
        return Ok(None);
    }
    let tac = proof
        .filter(|response| response.status.is_ok())
        .and_then(|response| GetTransactionProve::parse_response(&response.data))
        .map(|TransactionProof { tac, .. }| tac)
        .filter(|tac| proven(reservation, *tac, env));
    tac.map(Some).ok_or_else(|| refused(RefusalCode::StillInDoubt, at))
}
