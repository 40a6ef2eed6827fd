//! Draining a returned card (退卡): its whole value is taken off by a purchase that the centre makes over the air.
//!
//! Standard: PBOC electronic purse, INITIALIZE FOR PURCHASE, DEBIT FOR PURCHASE, GET TRANSACTION PROVE (card.md sections
//! 1.3 and 1.5). The purse has no UNLOAD; a purchase of the whole balance is the standard means.
//! Invariant: *drained* needs the purchase's own TAC. *Not drained* needs an offer of a load under MAC1, made for a
//! terminal number that nobody could know before, that shows value under an unmoved online counter: the purchase would
//! have left none, and by making the offer the card has forgotten it. Value that proven taps took in its stead says the
//! same. A load in doubt is settled first.

use card::command::{
    DebitForPurchase, GetBalance, GetMessage, GetTransactionProve, InitializeForPurchase, PurchaseKind,
    SelectApplication, VerifyPin,
};
use keys::{LoadOffer, PurchaseOfferFacts, PurchaseRequest};
use model::{PurseFen, Tac, TerminalId, TxnType};
use smartcard::{Apdu, Command};

use super::witness::{KEY_INDEX, Question, Verdict, fresh, untaken, witnessed};
use super::{Answers, Env, Next, Stop, refused, refused_with, selected_purse};
use crate::plan::{Drain, DrainPlan, RefusalCode, Report};

#[derive(Debug)]
pub(super) struct Draining {
    plan: DrainPlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    /// The card is asked about a load in doubt.
    Asking {
        question: Question,
    },
    /// The card is asked about this order's own purchase.
    AskingDrain {
        drain: Drain,
        terminal: TerminalId,
    },
    /// What was in doubt is being written down as settled.
    Settling,
    /// How much is there, and the counter of loads, under MAC1.
    Looking {
        terminal: TerminalId,
    },
    Offering {
        amount: PurseFen,
        online: u16,
        auth_id: Option<[u8; 9]>,
        terminal: TerminalId,
    },
    Reserving {
        drain: Drain,
        debit: DebitForPurchase,
    },
    Debiting {
        drain: Drain,
    },
}

impl Draining {
    pub(super) fn new(plan: DrainPlan) -> Self {
        Draining { plan, step: Step::New }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        if let Some(drain) = self.plan.begun {
            return self.ask(drain, env);
        }
        if let Some(reservation) = self.plan.unsettled {
            let question = Question::new(reservation, self.plan.terminal, env);
            let script = self.select(true).chain(question.commands()).collect();
            self.step = Step::Asking { question };
            return Next::Run(script);
        }
        self.look(env)
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::Asking { question } => {
                let info = self.selected(true, answers)?;
                let credited = match question.verdict(&info, answers, env)? {
                    Verdict::Credited(tac) => Some(tac),
                    Verdict::NotCredited(_) => None,
                };
                self.step = Step::Settling;
                Ok(Next::Settled { reservation: question.reservation, credited })
            }
            Step::AskingDrain { drain, terminal } => self.asked(drain, terminal, answers, env),
            Step::Looking { terminal } => self.looked(terminal, answers, env),
            Step::Offering { amount, online, auth_id, terminal } => {
                self.offered((amount, online), auth_id, terminal, answers, env)
            }
            Step::Debiting { drain } => Ok(debited(drain, answers, env)),
            Step::New | Step::Settling | Step::Reserving { .. } => Err(Stop::Silence),
        }
    }

    pub(super) fn confirmed(&mut self, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::Settling => Ok(self.look(env)),
            Step::Reserving { drain, debit } => {
                self.step = Step::Debiting { drain };
                Ok(Next::Run(vec![debit.to_apdu()]))
            }
            _ => Err(Stop::Silence),
        }
    }

    /// Select, and the PIN if an offer of a load is to be asked for and the card wants one.
    fn select(&self, for_offer: bool) -> impl Iterator<Item = Apdu> + use<> {
        let select = SelectApplication { name: self.plan.aid.as_bytes().to_vec() }.to_apdu();
        let pin = self.plan.pin.clone().filter(|_| for_offer).map(|pin| VerifyPin { pin }.to_apdu());
        [select].into_iter().chain(pin)
    }

    fn selected(&self, for_offer: bool, answers: &mut Answers<'_>) -> Result<card::layout::PublicInfo, Stop> {
        let info = selected_purse(answers, Some(self.plan.card.number))?;
        if for_offer && self.plan.pin.is_some() {
            let status = answers.any()?.status;
            if !status.is_ok() {
                return Err(refused_with(RefusalCode::Pin, "VERIFY PIN", status));
            }
        }
        Ok(info)
    }

    fn ask(&mut self, drain: Drain, env: &mut Env<'_>) -> Next {
        let terminal = fresh(self.plan.terminal, env.entropy);
        self.step = Step::AskingDrain { drain, terminal };
        let counter = drain.counter().wrapping_add(1);
        let prove = GetTransactionProve { kind: TxnType::Purchase, counter }.to_apdu();
        Next::Run(self.select(true).chain([prove, untaken(terminal)]).collect())
    }

    fn asked(
        &mut self,
        drain: Drain,
        terminal: TerminalId,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        self.selected(true, answers)?;
        let proof = answers.any()?;
        let proof = Some(proof).filter(|response| response.status.is_ok());
        let proof = proof.and_then(|response| GetTransactionProve::parse_response(&response.data));
        if let Some(tac) = proof.map(|proof| proof.tac).filter(|tac| proven(&drain, *tac, env)) {
            return Ok(Next::Done(Report::Drained { proof: Some((drain, tac)) }));
        }
        let offer = witnessed(&self.plan.card, terminal, answers, env)?;
        if offer.counter == drain.online() && (offer.balance > PurseFen::ZERO || self.plan.overspent) {
            self.step = Step::Settling;
            return Ok(Next::NotDrained(drain));
        }
        Err(refused(RefusalCode::StillInDoubt, "GET TRANSACTION PROVE"))
    }

    fn look(&mut self, env: &mut Env<'_>) -> Next {
        let terminal = fresh(self.plan.terminal, env.entropy);
        self.step = Step::Looking { terminal };
        let auth_id = self.plan.auth_id.then(|| GetMessage.to_apdu());
        Next::Run(self.select(true).chain([untaken(terminal)]).chain(auth_id).collect())
    }

    fn looked(
        &mut self,
        terminal: TerminalId,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        self.selected(true, answers)?;
        let LoadOffer { balance: amount, counter: online, .. } =
            witnessed(&self.plan.card, terminal, answers, env)?;
        if amount == PurseFen::ZERO {
            return Ok(Next::Done(Report::Drained { proof: None }));
        }
        let auth_id =
            if self.plan.auth_id { Some(answers.parsed::<GetMessage>("GET MESSAGE")?) } else { None };
        let terminal = fresh(self.plan.terminal, env.entropy);
        self.step = Step::Offering { amount, online, auth_id, terminal };
        let kind = PurchaseKind::Plain;
        let offer = InitializeForPurchase { kind, key_index: KEY_INDEX, amount, terminal }.to_apdu();
        Ok(Next::Run(self.select(false).chain([GetBalance.to_apdu(), offer]).collect()))
    }

    fn offered(
        &mut self,
        (amount, online): (PurseFen, u16),
        auth_id: Option<[u8; 9]>,
        terminal: TerminalId,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        self.selected(false, answers)?;
        let balance = answers.parsed::<GetBalance>("GET BALANCE")?;
        let offer = answers.parsed::<InitializeForPurchase>("INITIALIZE FOR PURCHASE")?;
        if balance != amount || offer.balance != amount {
            return Err(Stop::Silence); // a tap came in between: begin anew
        }
        let (key_version, algorithm) = (offer.key_version, offer.algorithm);
        let facts = PurchaseOfferFacts {
            counter: offer.counter,
            key_version,
            algorithm,
            random: offer.random,
            auth_id,
        };
        let terminal_seq = self.plan.terminal_seq;
        let purchase = PurchaseRequest { amount, terminal, terminal_seq, at: env.now };
        let mac1 = env.keys.authorize_purchase(&self.plan.card, &facts, &purchase);
        let mac1 = mac1.map_err(|_| refused(RefusalCode::Ours, "key service"))?;
        let drain = Drain::new(&self.plan.card, offer.counter, online, &purchase);
        let debit = DebitForPurchase { terminal_seq, at: env.now, mac1 };
        self.step = Step::Reserving { drain, debit };
        Ok(Next::ReserveDrain(drain))
    }
}

/// No `Result`: once the bytes are sent, any answer, and silence, is an outcome. A refusal that the phone brings is none
/// until the card has proven it, at the next contact.
fn debited(drain: Drain, answers: &mut Answers<'_>, env: &Env<'_>) -> Next {
    let [Some(response)] = answers.0 else { return Next::Done(Report::DrainUnknown) };
    let proof = Some(response).filter(|response| response.status.is_ok());
    let proof = proof.and_then(|response| DebitForPurchase::parse_response(&response.data));
    let tac = proof.map(|proof| proof.tac).filter(|tac| proven(&drain, *tac, env));
    Next::Done(tac.map_or(Report::DrainUnknown, |tac| Report::Drained { proof: Some((drain, tac)) }))
}

/// Whether the TAC is that of this purchase.
fn proven(drain: &Drain, tac: Tac, env: &Env<'_>) -> bool {
    let (Some(card), Some(purchase)) = (drain.card(), drain.proof()) else { return false };
    env.keys.verify_purchase(&card, &purchase, tac).is_ok()
}
