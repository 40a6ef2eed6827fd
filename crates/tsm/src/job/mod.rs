//! Jobs: what the TSM does on a card, as steps that return the next commands and take their answers.
//!
//! Invariant: no step does I/O; every job may be started again from the beginning at any time, looks at what is
//! already there, and goes on from it. Only CREDIT FOR LOAD and DEBIT FOR PURCHASE move money, and [`Next::Reserve`] or
//! [`Next::ReserveDrain`] stands before them.

mod activate;
mod delete;
mod drain;
mod issue;
mod load;
mod lock;
mod read;
mod witness;

use card::command::SelectApplication;
use card::layout::PublicInfo;
use keys::KeyService;
use model::{CardNumber, CardTime, Entropy, Tac};
use smartcard::scp::Session;
use smartcard::{Apdu, Command, Response, Status};

use crate::plan::{
    ActivatePlan, DeletePlan, Drain, DrainPlan, IssuePlan, LoadPlan, LockPlan, ReadPlan, Refusal,
    RefusalCode, Report, Reservation,
};

/// What a step may use.
pub struct Env<'a> {
    /// The key service.
    pub keys: &'a dyn KeyService,
    /// Random bytes for host challenges.
    pub entropy: &'a mut dyn Entropy,
    /// The time that goes into MACs and logs.
    pub now: CardTime,
}

/// What the caller must do next.
#[derive(Debug)]
pub enum Next {
    /// Send these in order, stop at the first that is not answered, bring back what came.
    Run(Vec<Apdu>),
    /// Write this down and the ledger's pending entry, durably; then [`Job::confirmed`].
    Reserve(Reservation),
    /// A load that was in doubt is settled; post or void it, durably; then [`Job::confirmed`].
    Settled {
        /// The load.
        reservation: Reservation,
        /// The proof that it happened; `None`: it is proven that it did not.
        credited: Option<Tac>,
    },
    /// Write this down and the ledger's pending entry, durably; then [`Job::confirmed`].
    ReserveDrain(Drain),
    /// It is proven that this purchase did not happen: void it, durably; then [`Job::confirmed`].
    NotDrained(Drain),
    /// The job is over.
    Done(Report),
}

/// One job on one card.
#[derive(Debug)]
pub struct Job(Kind);

#[derive(Debug)]
enum Kind {
    Issue(Box<issue::Issue>),
    Load(Box<load::Load>),
    Read(Box<read::Read>),
    Delete(Box<delete::Delete>),
    Activate(Box<activate::Activate>),
    Drain(Box<drain::Draining>),
    Lock(Box<lock::Lock>),
}

impl Job {
    /// A city card into a phone.
    #[must_use]
    pub fn issue(plan: IssuePlan) -> Self {
        Job(Kind::Issue(Box::new(issue::Issue::new(plan))))
    }

    /// Value onto a card.
    #[must_use]
    pub fn load(plan: LoadPlan) -> Self {
        Job(Kind::Load(Box::new(load::Load::new(plan))))
    }

    /// A look at a card.
    #[must_use]
    pub fn read(plan: ReadPlan) -> Self {
        Job(Kind::Read(Box::new(read::Read::new(plan))))
    }

    /// A card off a phone.
    #[must_use]
    pub fn delete(plan: DeletePlan) -> Self {
        Job(Kind::Delete(Box::new(delete::Delete::new(plan))))
    }

    /// The whole value off a card.
    #[must_use]
    pub fn drain(plan: DrainPlan) -> Self {
        Job(Kind::Drain(Box::new(drain::Draining::new(plan))))
    }

    /// A lost phone's card locked on its element, or unlocked.
    #[must_use]
    pub fn lock(plan: LockPlan) -> Self {
        Job(Kind::Lock(Box::new(lock::Lock::new(plan))))
    }

    /// The card that readers see.
    #[must_use]
    pub fn activate(plan: ActivatePlan) -> Self {
        Job(Kind::Activate(Box::new(activate::Activate::new(plan))))
    }

    /// The first commands. May be called again at any time: the job then begins anew.
    pub fn start(&mut self, env: &mut Env<'_>) -> Next {
        match &mut self.0 {
            Kind::Issue(job) => job.start(env),
            Kind::Load(job) => job.start(env),
            Kind::Read(job) => job.start(env),
            Kind::Delete(job) => job.start(env),
            Kind::Activate(job) => job.start(env),
            Kind::Drain(job) => job.start(env),
            Kind::Lock(job) => job.start(env),
        }
    }

    /// Takes the answers to the last [`Next::Run`], `None` where none came.
    pub fn answers(&mut self, answers: &[Option<Response>], env: &mut Env<'_>) -> Next {
        let mut answers = Answers(answers);
        let step = match &mut self.0 {
            Kind::Issue(job) => job.answers(&mut answers, env),
            Kind::Load(job) => job.answers(&mut answers, env),
            Kind::Read(job) => job.answers(&mut answers, env),
            Kind::Delete(job) => job.answers(&mut answers, env),
            Kind::Activate(job) => job.answers(&mut answers, env),
            Kind::Drain(job) => job.answers(&mut answers, env),
            Kind::Lock(job) => job.answers(&mut answers, env),
        };
        step.unwrap_or_else(|stop| Next::Done(stop.into()))
    }

    /// The caller has done what [`Next::Reserve`] or [`Next::Settled`] asked.
    pub fn confirmed(&mut self, env: &mut Env<'_>) -> Next {
        let step = match &mut self.0 {
            Kind::Load(job) => job.confirmed(env),
            Kind::Read(job) => job.confirmed(),
            Kind::Drain(job) => job.confirmed(env),
            Kind::Lock(job) => job.confirmed(),
            Kind::Issue(_) | Kind::Delete(_) | Kind::Activate(_) => Err(Stop::Silence),
        };
        step.unwrap_or_else(|stop| Next::Done(stop.into()))
    }
}

/// Why a step cannot go on.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Silence,
    Refused(Refusal),
}

impl From<Stop> for Report {
    fn from(stop: Stop) -> Report {
        match stop {
            Stop::Silence => Report::Interrupted,
            Stop::Refused(refusal) => Report::Refused(refusal),
        }
    }
}

fn refused(code: RefusalCode, at: &'static str) -> Stop {
    Stop::Refused(Refusal { code, at, status: None })
}

fn refused_with(code: RefusalCode, at: &'static str, status: Status) -> Stop {
    Stop::Refused(Refusal { code, at, status: Some(status) })
}

/// The answers of one script, taken one by one.
struct Answers<'a>(&'a [Option<Response>]);

impl<'a> Answers<'a> {
    /// The next answer, whatever it says.
    fn any(&mut self) -> Result<&'a Response, Stop> {
        let (first, rest) = self.0.split_first().ok_or(Stop::Silence)?;
        self.0 = rest;
        first.as_ref().ok_or(Stop::Silence)
    }

    /// The next answer, which must be `9000`.
    fn ok(&mut self, at: &'static str) -> Result<&'a Response, Stop> {
        let response = self.any()?;
        match response.status {
            status if status.is_ok() => Ok(response),
            Status::NO_ROOM => Err(refused_with(RefusalCode::NoRoom, at, response.status)),
            status => Err(refused_with(RefusalCode::CardRefused, at, status)),
        }
    }

    /// The next answer, opened as the session that its command was sent in says.
    fn within(&mut self, session: &mut Session, at: &'static str) -> Result<Response, Stop> {
        session.open(self.any()?).map_err(|_| refused(RefusalCode::NotGenuine, at))
    }

    /// The same, which must be `9000`.
    fn within_ok(&mut self, session: &mut Session, at: &'static str) -> Result<Response, Stop> {
        let response = self.within(session, at)?;
        Answers(&[Some(response.clone())]).ok(at)?;
        Ok(response)
    }

    /// The next answer, which must be `9000` with the data that answers `C`.
    fn parsed<C: Command>(&mut self, at: &'static str) -> Result<C::Response, Stop> {
        let response = self.ok(at)?;
        C::parse_response(&response.data).ok_or_else(|| refused(RefusalCode::BadAnswer, at))
    }
}

/// The answer to SELECT of a purse: a card of ours, and the one that is meant.
fn selected_purse(answers: &mut Answers<'_>, meant: Option<CardNumber>) -> Result<PublicInfo, Stop> {
    let at = "SELECT";
    let response = answers.any()?;
    match response.status {
        status if status.is_ok() => {}
        Status::NOT_SUPPORTED => return Err(refused_with(RefusalCode::Blocked, at, response.status)),
        status => return Err(refused_with(RefusalCode::NotOurCard, at, status)),
    }
    let fci = SelectApplication::parse_response(&response.data);
    let info = fci.and_then(|fci| fci.public_info()).ok_or_else(|| refused(RefusalCode::NotOurCard, at))?;
    if meant.is_some_and(|meant| meant != info.number) {
        return Err(refused(RefusalCode::OtherCard, at));
    }
    Ok(info)
}
