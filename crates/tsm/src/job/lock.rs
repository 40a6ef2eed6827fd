//! Locking a lost phone's card (挂失), and unlocking it (解挂): the application instance is locked on the element through
//! our security domain, so that no reader and no application reaches it.
//!
//! Standard: GlobalPlatform SET STATUS, bit 8 of an application's life cycle, and GET STATUS over SCP02
//! (globalplatform.md section 1.5). A change to the state that stands already is refused by the element, so GET STATUS
//! behind it says what is true.
//! Invariant: a load in doubt is asked after before the lock, since a locked purse answers nothing; what is not proven
//! stays in doubt and does not hold the lock up. The card's cryptogram proves that the element itself took part; the
//! answers behind it carry a MAC only in the channels that have one (SCP03 with R-MAC, where a changed answer is not
//! taken), so the report is called no more than the phone's word.

use card::command::{SelectApplication, VerifyPin};
use smartcard::gp::{GetStatus, InitializeUpdate, LifeCycle, Scope, Select, SetStatus, StatusScope};
use smartcard::scp::{Opening, Session};
use smartcard::{Apdu, Command, Status};

use super::witness::{Question, Verdict};
use super::{Answers, Env, Next, Stop, issue, refused, refused_with, selected_purse};
use crate::plan::{LockPlan, LockReport, RefusalCode, Report};

/// "No state but the lock": the element looks at bit 8 alone.
const UNLOCKED: LifeCycle = LifeCycle(0x00);

#[derive(Debug)]
pub(super) struct Lock {
    plan: LockPlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    Looking {
        question: Option<Question>,
        opening: Opening,
    },
    /// A load that was in doubt is being written down as settled.
    Settling {
        script: Vec<Apdu>,
        session: Box<Session>,
    },
    Switching {
        session: Box<Session>,
    },
}

impl Lock {
    pub(super) fn new(plan: LockPlan) -> Self {
        Lock { plan, step: Step::New }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        let question =
            self.plan.unsettled.map(|reservation| Question::new(reservation, self.plan.terminal, env));
        let opening = issue::open(&self.plan.element, env);
        let asked = question.map(|question| self.ask(&question)).unwrap_or_default();
        let channel = [Select::by_name(issue::DOMAIN_AID).to_apdu(), opening.command().to_apdu()];
        self.step = Step::Looking { question, opening };
        Next::Run(asked.into_iter().chain(channel).collect())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::New | Step::Settling { .. } => Err(Stop::Silence),
            Step::Looking { question, opening } => self.looked(question, opening, answers, env),
            Step::Switching { mut session } => self.switched(&mut session, answers),
        }
    }

    pub(super) fn confirmed(&mut self) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::Settling { script, session } => Ok(self.switch(script, session)),
            _ => Err(Stop::Silence),
        }
    }

    /// What the purse is asked about a load in doubt.
    fn ask(&self, question: &Question) -> Vec<Apdu> {
        let select = SelectApplication { name: self.plan.instance.as_bytes().to_vec() }.to_apdu();
        let pin = self.plan.pin.clone().map(|pin| VerifyPin { pin }.to_apdu());
        [select].into_iter().chain(pin).chain(question.commands()).collect()
    }

    fn looked(
        &mut self,
        question: Option<Question>,
        opening: Opening,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let asked = question.map_or(0, |question| self.ask(&question).len());
        let (asked, channel) = answers.0.split_at_checked(asked).ok_or(Stop::Silence)?;
        let settled = question.and_then(|question| Some((question, self.verdict(&question, asked, env)?)));
        let mut channel = Answers(channel);
        channel.ok("SELECT of our security domain")?;
        let answer = channel.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let owner = issue::own(&self.plan.element);
        let (authenticate, mut session) =
            issue::authenticate(opening, &answer, &owner, &self.plan.element, env)?;
        let state = if self.plan.lock { UNLOCKED.locked() } else { UNLOCKED };
        let (scope, aid) = (StatusScope::Application, Some(self.plan.instance));
        let set = session.wrap(&SetStatus { scope, state, aid }.to_apdu());
        let name = self.plan.instance.as_bytes().to_vec();
        let get = session.wrap(&GetStatus { name, ..GetStatus::all(Scope::Applications) }.to_apdu());
        let script = vec![authenticate, set, get];
        let Some((question, verdict)) = settled else { return Ok(self.switch(script, Box::new(session))) };
        self.step = Step::Settling { script, session: Box::new(session) };
        let credited = match verdict {
            Verdict::Credited(tac) => Some(tac),
            Verdict::NotCredited(_) => None,
        };
        Ok(Next::Settled { reservation: question.reservation, credited })
    }

    /// What the purse has proven of the load in doubt; `None`: nothing.
    fn verdict(
        &self,
        question: &Question,
        answers: &[Option<smartcard::Response>],
        env: &Env<'_>,
    ) -> Option<Verdict> {
        let mut answers = Answers(answers);
        let info = selected_purse(&mut answers, Some(self.plan.card)).ok()?;
        if self.plan.pin.is_some() {
            answers.any().ok()?;
        }
        question.verdict(&info, &mut answers, env).ok()
    }

    fn switch(&mut self, script: Vec<Apdu>, session: Box<Session>) -> Next {
        self.step = Step::Switching { session };
        Next::Run(script)
    }

    fn switched(&mut self, session: &mut Session, answers: &mut Answers<'_>) -> Result<Next, Stop> {
        issue::authenticated(answers)?;
        let set = answers.within(session, "SET STATUS")?.status;
        let at = "GET STATUS";
        let response = answers.within(session, at)?;
        let entries = match response.status {
            Status::NOT_FOUND => Vec::new(),
            status if status.is_ok() => GetStatus::parse_response(&response.data)
                .ok_or_else(|| refused(RefusalCode::BadAnswer, at))?,
            status => return Err(refused_with(RefusalCode::CardRefused, at, status)),
        };
        let entry = entries.iter().find(|entry| entry.aid == self.plan.instance);
        match (entry.map(|entry| entry.life_cycle.is_locked()), self.plan.lock) {
            (Some(true), true) => Ok(Next::Done(Report::Lock(LockReport::Locked))),
            (Some(false), false) => Ok(Next::Done(Report::Lock(LockReport::Unlocked))),
            (None, true) => Ok(Next::Done(Report::Lock(LockReport::Gone))),
            (None, false) => Err(refused(RefusalCode::NotOurCard, at)),
            (Some(_), _) => Err(refused_with(RefusalCode::CardRefused, "SET STATUS", set)),
        }
    }
}
