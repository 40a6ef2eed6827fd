//! Delete: an empty city card off a phone, or what an issue left half made.
//!
//! Standard: GlobalPlatform DELETE over SCP02 (globalplatform.md section 1.5).
//! Invariant: a purse that holds value is never deleted; its value would go with it.

use card::command::{GetBalance, SelectApplication};
use model::PurseFen;
use smartcard::gp::{Delete as DeleteCommand, InitializeUpdate, Select};
use smartcard::scp02::Opening;
use smartcard::{Command, Status};

use super::{Answers, Env, Next, Stop, issue, refused, selected_purse};
use crate::plan::{DeletePlan, RefusalCode, Report};

#[derive(Debug)]
pub(super) struct Delete {
    plan: DeletePlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    Looking { opening: Opening },
    Deleting,
}

impl Delete {
    pub(super) fn new(plan: DeletePlan) -> Self {
        Delete { plan, step: Step::New }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        let opening = issue::open(env);
        let look = [
            SelectApplication { name: self.plan.instance.as_bytes().to_vec() }.to_apdu(),
            GetBalance.to_apdu(),
            Select::by_name(issue::DOMAIN_AID).to_apdu(),
            opening.command().to_apdu(),
        ];
        self.step = Step::Looking { opening };
        Next::Run(look.to_vec())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::New => Err(Stop::Silence),
            Step::Looking { opening } => self.looked(opening, answers, env),
            Step::Deleting => {
                issue::authenticated(answers)?;
                answers.ok("DELETE")?;
                Ok(Next::Done(Report::Deleted))
            }
        }
    }

    fn looked(
        &mut self,
        opening: Opening,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        if let Some(Some(response)) = answers.0.first()
            && response.status == Status::FILE_NOT_FOUND
        {
            return Ok(Next::Done(Report::Deleted)); // a resumed job finds its work done
        }
        if unfinished(answers) {
            answers.any()?;
            answers.any()?;
        } else {
            self.empty(answers)?;
        }
        answers.ok("SELECT of our security domain")?;
        let answer = answers.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let owner = issue::own(&self.plan.element);
        let (authenticate, mut session) = issue::authenticate(opening, &answer, &owner, env)?;
        let delete = session.wrap(&DeleteCommand { aid: self.plan.instance, related: false }.to_apdu());
        self.step = Step::Deleting;
        Ok(Next::Run(vec![authenticate, delete]))
    }

    /// The card that is meant, with nothing on it.
    fn empty(&self, answers: &mut Answers<'_>) -> Result<(), Stop> {
        selected_purse(answers, Some(self.plan.card))?;
        if answers.parsed::<GetBalance>("GET BALANCE")? != PurseFen::ZERO {
            return Err(refused(RefusalCode::NotEmpty, "GET BALANCE"));
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
