//! Activate (激活): which of a phone's cards readers see.
//!
//! Standard: GlobalPlatform Amendment C, SET STATUS to the contactless registry (globalplatform.md section 2).

use smartcard::gp::crs::SetActivation;
use smartcard::gp::{Aid, Select};
use smartcard::{Apdu, Command};

use super::{Answers, Next, Stop};
use crate::plan::{ActivatePlan, Report};

#[derive(Debug)]
pub(super) struct Activate {
    plan: ActivatePlan,
}

impl Activate {
    pub(super) fn new(plan: ActivatePlan) -> Self {
        Activate { plan }
    }

    pub(super) fn start(&mut self) -> Next {
        Next::Run(commands(&self.plan.instance, &self.plan.others))
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>) -> Result<Next, Stop> {
        switched(answers, &self.plan.others)?;
        Ok(Next::Done(Report::Activated))
    }
}

/// Switches `others` off and `wanted` on.
pub(super) fn commands(wanted: &Aid, others: &[Aid]) -> Vec<Apdu> {
    let select = Select::by_name(Aid::CONTACTLESS_REGISTRY).to_apdu();
    let off = others.iter().map(|other| SetActivation { active: false, aids: vec![*other] }.to_apdu());
    let on = SetActivation { active: true, aids: vec![*wanted] }.to_apdu();
    [select].into_iter().chain(off).chain([on]).collect()
}

/// The answers to [`commands`]. An instance that is no longer there need not be switched off.
pub(super) fn switched(answers: &mut Answers<'_>, others: &[Aid]) -> Result<(), Stop> {
    answers.ok("SELECT of the contactless registry")?;
    for _ in others {
        answers.any()?;
    }
    answers.ok("SET STATUS (activation)")?;
    Ok(())
}
