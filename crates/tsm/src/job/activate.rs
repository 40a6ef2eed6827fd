//! Activate (激活): which of a phone's cards readers see.
//!
//! Standard: GlobalPlatform Amendment C, SET STATUS to the contactless registry (globalplatform.md section 2). On a phone without
//! that registry the card becomes the one that is implicitly selected over the air, by INSTALL [for registry update]
//! through its own security domain (section 1.5).
//! Invariant: cards in conflict with the wanted one are switched off once; where it still cannot be switched on, they are
//! switched on again, so that the passenger is not left without a card.

use smartcard::gp::crs::{Failures, SetActivation};
use smartcard::gp::{Aid, InitializeUpdate, Install, RegistryUpdate, Select};
use smartcard::scp::{Opening, Session};
use smartcard::{Apdu, Command, Status};

use super::{Answers, Env, Next, Stop, issue, refused_with};
use crate::plan::{ActivatePlan, Refusal, RefusalCode, Report};

const SWITCH: &str = "SET STATUS (activation)";

#[derive(Debug)]
pub(super) struct Activate {
    plan: ActivatePlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    Switching,
    /// These stood in the way and are switched off.
    Resolving(Vec<Aid>),
    /// They are switched on again.
    Restoring(Vec<Aid>, Refusal),
    /// Without a registry: a channel to our security domain.
    Opening(Opening),
    Updating(Box<Session>),
}

/// What came of switching.
pub(super) enum Switched {
    Done,
    /// These are active and stand in the way.
    Conflict(Vec<Aid>, Refusal),
}

impl Activate {
    pub(super) fn new(plan: ActivatePlan) -> Self {
        Activate { plan, step: Step::New }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        if self.plan.element.facts().crs {
            self.step = Step::Switching;
            return Next::Run(commands(&self.plan.instance, &self.plan.others));
        }
        let opening = issue::open(&self.plan.element, env);
        let look = vec![Select::by_name(issue::DOMAIN_AID).to_apdu(), opening.command().to_apdu()];
        self.step = Step::Opening(opening);
        Next::Run(look)
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::New => Err(Stop::Silence),
            Step::Switching => match switched(answers, &self.plan.others)? {
                Switched::Done => Ok(Next::Done(Report::Activated)),
                Switched::Conflict(conflicting, _) => Ok(self.resolve(conflicting)),
            },
            Step::Resolving(conflicting) => match switched(answers, &conflicting) {
                Ok(Switched::Done) => Ok(Next::Done(Report::Activated)),
                Ok(Switched::Conflict(_, refusal)) | Err(Stop::Refused(refusal)) => {
                    let on = conflicting.iter().map(|aid| switch(*aid, true));
                    let script = [select()].into_iter().chain(on).collect();
                    self.step = Step::Restoring(conflicting, refusal);
                    Ok(Next::Run(script))
                }
                Err(Stop::Silence) => Err(Stop::Silence),
            },
            Step::Restoring(restored, refusal) => {
                for _ in 0..=restored.len() {
                    answers.any()?;
                }
                Err(Stop::Refused(refusal))
            }
            Step::Opening(opening) => self.opened(opening, answers, env),
            Step::Updating(mut session) => {
                issue::authenticated(answers)?;
                answers.within_ok(&mut session, "INSTALL for registry update")?;
                Ok(Next::Done(Report::Activated))
            }
        }
    }

    /// Switches off what stands in the way, and tries again.
    pub(super) fn resolve(&mut self, conflicting: Vec<Aid>) -> Next {
        let script = commands(&self.plan.instance, &conflicting);
        self.step = Step::Resolving(conflicting);
        Next::Run(script)
    }

    fn opened(
        &mut self,
        opening: Opening,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        answers.ok("SELECT of our security domain")?;
        let answer = answers.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let owner = issue::own(&self.plan.element);
        let (authenticate, mut session) =
            issue::authenticate(opening, &answer, &owner, &self.plan.element, env)?;
        let update = session.wrap(&implicit(self.plan.instance).to_apdu());
        self.step = Step::Updating(Box::new(session));
        Ok(Next::Run(vec![authenticate, update]))
    }
}

/// Makes this card the one that is selected over the air.
pub(super) fn implicit(application: Aid) -> Install {
    Install::RegistryUpdate(RegistryUpdate {
        domain: None,
        application,
        privileges: None,
        implicit_selection: Some(RegistryUpdate::CONTACTLESS),
    })
}

fn select() -> Apdu {
    Select::by_name(Aid::CONTACTLESS_REGISTRY).to_apdu()
}

fn switch(aid: Aid, active: bool) -> Apdu {
    SetActivation { active, aids: vec![aid] }.to_apdu()
}

/// Switches `others` off and `wanted` on.
pub(super) fn commands(wanted: &Aid, others: &[Aid]) -> Vec<Apdu> {
    let off = others.iter().map(|other| switch(*other, false));
    [select()].into_iter().chain(off).chain([switch(*wanted, true)]).collect()
}

/// The answers to [`commands`]. An instance that is no longer there need not be switched off.
pub(super) fn switched(answers: &mut Answers<'_>, others: &[Aid]) -> Result<Switched, Stop> {
    answers.ok("SELECT of the contactless registry")?;
    for _ in others {
        answers.any()?;
    }
    let answer = answers.any()?;
    if answer.status.is_ok() {
        return Ok(Switched::Done);
    }
    let refusal = Refusal { code: RefusalCode::CardRefused, at: SWITCH, status: Some(answer.status) };
    let failures = Failures::parse(&answer.data).filter(|_| answer.status == Status::SOME_FAILED);
    match failures {
        Some(Failures { conflicting, .. }) if !conflicting.is_empty() => {
            Ok(Switched::Conflict(conflicting, refusal))
        }
        _ => Err(refused_with(refusal.code, refusal.at, answer.status)),
    }
}
