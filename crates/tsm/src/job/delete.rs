//! Delete: an empty city card off a phone, or what an issue left half made.
//!
//! Standard: GlobalPlatform DELETE over the element's secure channel (globalplatform.md section 1.5); the purse is proven empty by INITIALIZE
//! FOR LOAD (card.md section 1.2).
//! Invariant: a purse that holds value is never deleted; its value would go with it. *Empty* needs an offer under MAC1,
//! made for a terminal number that nobody could know before: what the phone relays besides proves nothing.

use card::command::{SelectApplication, VerifyPin};
use model::{PurseFen, TerminalId};
use smartcard::gp::{Delete as DeleteCommand, InitializeUpdate, Select};
use smartcard::scp::{Opening, Session};
use smartcard::{Command, Status};

use super::witness::{fresh, untaken, witnessed};
use super::{Answers, Env, Next, Stop, issue, refused, refused_with, selected_purse};
use crate::plan::{DeletePlan, RefusalCode, Report};

#[derive(Debug)]
pub(super) struct Delete {
    plan: DeletePlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    Looking { opening: Opening, terminal: TerminalId },
    Deleting { session: Box<Session> },
}

impl Delete {
    pub(super) fn new(plan: DeletePlan) -> Self {
        Delete { plan, step: Step::New }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        let opening = issue::open(&self.plan.element, env);
        let terminal = fresh(self.plan.terminal, env.entropy);
        let select = SelectApplication { name: self.plan.instance.as_bytes().to_vec() }.to_apdu();
        let pin = self.plan.pin.clone().map(|pin| VerifyPin { pin }.to_apdu());
        let open =
            [untaken(terminal), Select::by_name(issue::DOMAIN_AID).to_apdu(), opening.command().to_apdu()];
        self.step = Step::Looking { opening, terminal };
        Next::Run([select].into_iter().chain(pin).chain(open).collect())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::New => Err(Stop::Silence),
            Step::Looking { opening, terminal } => self.looked(opening, terminal, answers, env),
            Step::Deleting { mut session } => {
                issue::authenticated(answers)?;
                answers.within_ok(&mut session, "DELETE")?;
                Ok(Next::Done(Report::Deleted))
            }
        }
    }

    fn looked(
        &mut self,
        opening: Opening,
        terminal: TerminalId,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        if let Some(Some(response)) = answers.0.first()
            && response.status == Status::FILE_NOT_FOUND
        {
            return Ok(Next::Done(Report::Deleted)); // a resumed job finds its work done
        }
        if self.plan.unfinished && unfinished(answers) {
            for _ in 0..self.plan.pin.iter().len().saturating_add(2) {
                answers.any()?;
            }
        } else {
            self.empty(terminal, answers, env)?;
        }
        answers.ok("SELECT of our security domain")?;
        let answer = answers.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let owner = issue::own(&self.plan.element);
        let (authenticate, mut session) =
            issue::authenticate(opening, &answer, &owner, &self.plan.element, env)?;
        let delete = session.wrap(&DeleteCommand { aid: self.plan.instance, related: false }.to_apdu());
        self.step = Step::Deleting { session: Box::new(session) };
        Ok(Next::Run(vec![authenticate, delete]))
    }

    /// The card that is meant, with nothing on it, by its own proof.
    fn empty(&self, terminal: TerminalId, answers: &mut Answers<'_>, env: &Env<'_>) -> Result<(), Stop> {
        selected_purse(answers, Some(self.plan.card.number))?;
        if self.plan.pin.is_some() {
            let status = answers.any()?.status;
            if !status.is_ok() {
                return Err(refused_with(RefusalCode::Pin, "VERIFY PIN", status));
            }
        }
        if witnessed(&self.plan.card, terminal, answers, env)?.balance != PurseFen::ZERO {
            return Err(refused(RefusalCode::NotEmpty, "INITIALIZE FOR LOAD"));
        }
        Ok(())
    }
}

/// An instance that was never personalised, as a cancelled issue leaves it: it holds nothing and is nobody's.
fn unfinished(answers: &Answers<'_>) -> bool {
    let Some(Some(response)) = answers.0.first() else { return false };
    let info = || SelectApplication::parse_response(&response.data).and_then(|fci| fci.public_info());
    response.status.is_ok() && info().is_none()
}
