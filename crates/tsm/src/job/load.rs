//! Load (空中充值, 圈存): money moves from the wallet to the purse on the card.
//!
//! Standard: PBOC electronic purse as used by CJ/T 166: INITIALIZE FOR LOAD, CREDIT FOR LOAD (card.md section 1.2).
//! Invariant: silence after CREDIT FOR LOAD is never a failure, and a refusal that the phone brings is none until the
//! card has proven it. A load in doubt is settled before another begins.

use card::command::{CreditForLoad, GetBalance, InitializeForLoad, SelectApplication, VerifyPin};
use keys::{CardRef, LoadOffer, LoadRequest};
use model::{CardTime, Tac, TerminalId};
use smartcard::{Apdu, Command};

use super::witness::{KEY_INDEX, Question, Verdict, fresh, proven};
use super::{Answers, Env, Next, Stop, refused, refused_with, selected_purse};
use crate::plan::{LoadPlan, Refusal, RefusalCode, Report, Reservation};

#[derive(Debug)]
pub(super) struct Load {
    plan: LoadPlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    /// The card is asked about a load in doubt.
    Asking {
        question: Question,
        why: Why,
    },
    /// It is settled, and that is being written down.
    Settling {
        next: Settled,
    },
    Offering {
        terminal: TerminalId,
    },
    Reserving {
        authorized: Authorized,
    },
    Crediting {
        reservation: Reservation,
    },
}

/// Why a load is in doubt.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// An earlier order's.
    Earlier,
    /// This order's, resumed.
    Resumed,
    /// This order's: what was brought back says that the card has refused it.
    Refused(Refusal),
}

/// What follows when a load that was in doubt is written down as settled.
#[derive(Clone, Copy, Debug)]
enum Settled {
    /// It was this order, and the card has the value.
    Done { reservation: Reservation, tac: Tac },
    /// The new load may begin.
    GoOn,
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
        Load { plan, step: Step::New }
    }

    /// A load in doubt comes first; otherwise the card's offer.
    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        match self.plan.unsettled.clone() {
            Some(unsettled) => {
                let why = if unsettled.same_order { Why::Resumed } else { Why::Earlier };
                self.ask(unsettled.reservation, why, env)
            }
            None => self.ask_for_offer(env),
        }
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::Asking { question, why } => self.answered(question, why, answers, env),
            Step::Offering { terminal } => self.offered(terminal, answers, env),
            Step::Crediting { reservation } => Ok(self.credited(reservation, answers, env)),
            Step::New | Step::Settling { .. } | Step::Reserving { .. } => Err(Stop::Silence),
        }
    }

    pub(super) fn confirmed(&mut self, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::Settling { next: Settled::Done { reservation, tac } } => {
                Ok(Next::Done(Report::Loaded { reservation, tac }))
            }
            Step::Settling { next: Settled::GoOn } => Ok(self.ask_for_offer(env)),
            Step::Reserving { authorized: Authorized { reservation, at, mac2 } } => {
                self.step = Step::Crediting { reservation };
                Ok(Next::Run(vec![CreditForLoad { at, mac2 }.to_apdu()]))
            }
            Step::New | Step::Asking { .. } | Step::Offering { .. } | Step::Crediting { .. } => {
                Err(Stop::Silence)
            }
        }
    }

    /// Select, and the PIN if it is asked for.
    fn select(&self) -> impl Iterator<Item = Apdu> + use<> {
        let select = SelectApplication { name: self.plan.aid.as_bytes().to_vec() }.to_apdu();
        let pin = self.plan.pin.clone().map(|pin| VerifyPin { pin }.to_apdu());
        [select].into_iter().chain(pin)
    }

    fn ask(&mut self, reservation: Reservation, why: Why, env: &mut Env<'_>) -> Next {
        let question = Question::new(reservation, self.plan.terminal, env);
        self.step = Step::Asking { question, why };
        Next::Run(self.select().chain(question.commands()).collect())
    }

    fn ask_for_offer(&mut self, env: &mut Env<'_>) -> Next {
        let terminal = fresh(self.plan.terminal, env.entropy);
        self.step = Step::Offering { terminal };
        let offer = InitializeForLoad { key_index: KEY_INDEX, amount: self.plan.amount, terminal };
        Next::Run(self.select().chain([GetBalance.to_apdu(), offer.to_apdu()]).collect())
    }

    /// The answers to [`Load::select`].
    fn selected(&self, answers: &mut Answers<'_>) -> Result<card::layout::PublicInfo, Stop> {
        let info = selected_purse(answers, self.plan.card)?;
        if self.plan.pin.is_some() {
            pin_accepted(answers)?;
        }
        Ok(info)
    }

    fn answered(
        &mut self,
        question: Question,
        why: Why,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let reservation = question.reservation;
        let verdict = self.selected(answers).and_then(|info| question.verdict(&info, answers, env));
        match (verdict, why) {
            (Err(_), Why::Refused(_)) => Ok(Next::Done(Report::Unknown { reservation })),
            (Err(stop), Why::Earlier | Why::Resumed) => Err(stop),
            (Ok(Verdict::Credited(tac)), Why::Refused(_)) => {
                Ok(Next::Done(Report::Loaded { reservation, tac }))
            }
            (Ok(Verdict::NotCredited(_)), Why::Refused(refusal)) => {
                Ok(Next::Done(Report::LoadRefused { reservation, refusal }))
            }
            (Ok(Verdict::Credited(tac)), Why::Resumed) => {
                Ok(self.settled(reservation, Some(tac), Settled::Done { reservation, tac }))
            }
            (Ok(Verdict::Credited(tac)), Why::Earlier) => {
                Ok(self.settled(reservation, Some(tac), Settled::GoOn))
            }
            (Ok(Verdict::NotCredited(_)), Why::Earlier) => Ok(self.settled(reservation, None, Settled::GoOn)),
            // The money stays reserved for this very order: the card shall get it now.
            (Ok(Verdict::NotCredited(offer)), Why::Resumed) => {
                let card = reservation.card().ok_or_else(|| refused(RefusalCode::StillInDoubt, "order"))?;
                self.authorize(&card, &offer, question.terminal, env)
            }
        }
    }

    fn offered(
        &mut self,
        terminal: TerminalId,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let info = self.selected(answers)?;
        // A card that knows its limit refuses the offer without a reason; its balance gives it.
        let balance = answers.parsed::<GetBalance>("GET BALANCE")?;
        if balance.plus(self.plan.amount).is_none_or(|sum| sum > self.plan.purse_limit) {
            return Err(refused(RefusalCode::OverLimit, "GET BALANCE"));
        }
        let offer = answers.parsed::<InitializeForLoad>("INITIALIZE FOR LOAD")?;
        self.authorize(&CardRef { city: info.city, number: info.number }, &offer, terminal, env)
    }

    fn settled(&mut self, reservation: Reservation, credited: Option<Tac>, next: Settled) -> Next {
        self.step = Step::Settling { next };
        Next::Settled { reservation, credited }
    }

    /// Checks the offer and makes MAC2; the money is then to be reserved.
    fn authorize(
        &mut self,
        card: &CardRef,
        offer: &LoadOffer,
        terminal: TerminalId,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let at = "INITIALIZE FOR LOAD";
        let request = LoadRequest { amount: self.plan.amount, terminal, at: env.now };
        let mac2 = env.keys.authorize_load(card, offer, &request);
        let mac2 = mac2.map_err(|_| refused(RefusalCode::NotGenuine, at))?;
        let reservation = Reservation::new(card, offer, self.plan.amount, terminal, env.now)
            .ok_or_else(|| refused(RefusalCode::OverLimit, at))?;
        self.step = Step::Reserving { authorized: Authorized { reservation, at: env.now, mac2 } };
        Ok(Next::Reserve(reservation))
    }

    /// No `Result`: once the bytes are sent, any answer, and silence, is an outcome. Answers to something else, such
    /// as those of a second agent that was still at an earlier script, say nothing of the credit.
    fn credited(&mut self, reservation: Reservation, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Next {
        let unknown = Next::Done(Report::Unknown { reservation });
        let [Some(response)] = answers.0 else { return unknown };
        if response.status.leaves_open() {
            return unknown;
        }
        if !response.status.is_ok() {
            let (code, at) = (RefusalCode::CardRefused, "CREDIT FOR LOAD");
            let refusal = Refusal { code, at, status: Some(response.status) };
            return self.ask(reservation, Why::Refused(refusal), env);
        }
        let tac = CreditForLoad::parse_response(&response.data).filter(|tac| proven(&reservation, *tac, env));
        tac.map_or(unknown, |tac| Next::Done(Report::Loaded { reservation, tac }))
    }
}

fn pin_accepted(answers: &mut Answers<'_>) -> Result<(), Stop> {
    let status = answers.any()?.status;
    if status.is_ok() { Ok(()) } else { Err(refused_with(RefusalCode::Pin, "VERIFY PIN", status)) }
}
