//! Read: balance and logs, without keys; settles a load in doubt by the way.
//!
//! Standard: GET BALANCE, READ RECORD, GET TRANSACTION PROVE (card.md sections 1.1, 1.2, 1.5).
//! Invariant: nothing on the card changes.

use card::layout::LOG_RECORDS;
use card::{PurseReader, PurseView, ReadError};
use smartcard::Response;

use super::load::{prove, settle};
use super::{Answers, Env, Next, Stop, refused, refused_with};
use crate::plan::{ReadPlan, RefusalCode, Report};

#[derive(Debug)]
pub(super) struct Read {
    plan: ReadPlan,
    reader: PurseReader,
    seen: Option<PurseView>,
}

impl Read {
    pub(super) fn new(plan: ReadPlan) -> Self {
        let reader = PurseReader::new(plan.aid.as_bytes(), LOG_RECORDS);
        Read { plan, reader, seen: None }
    }

    pub(super) fn start(&mut self) -> Next {
        self.seen = None;
        let prove = self.plan.unsettled.as_ref().map(prove);
        Next::Run(self.reader.commands().into_iter().chain(prove).collect())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        let (look, proof) = answers.0.split_at_checked(self.reader.commands().len()).ok_or(Stop::Silence)?;
        let view = self.reader.view(look).map_err(stop)?;
        if self.plan.card.is_some_and(|meant| meant != view.public_info.number) {
            return Err(refused(RefusalCode::OtherCard, "SELECT"));
        }
        let Some(reservation) = self.plan.unsettled else { return Ok(Next::Done(Report::Read(view))) };
        // The newest load's number is the online counter after it: that of the next offer.
        let counter = view.loads.first().map_or(0, |newest| newest.counter);
        let proof: Option<&Response> = proof.first().and_then(Option::as_ref);
        match settle(&reservation, &view.public_info, counter, proof, env) {
            Ok(credited) => {
                self.seen = Some(view);
                Ok(Next::Settled { reservation, credited })
            }
            Err(_) => Ok(Next::Done(Report::Read(view))), // still in doubt; the look itself is good
        }
    }

    pub(super) fn confirmed(&mut self) -> Result<Next, Stop> {
        self.seen.take().map(|view| Next::Done(Report::Read(view))).ok_or(Stop::Silence)
    }
}

fn stop(error: ReadError) -> Stop {
    match error {
        ReadError::Silent { .. } => Stop::Silence,
        ReadError::Refused { step, status } => refused_with(RefusalCode::NotOurCard, step, status),
        ReadError::Foreign { step } => refused(RefusalCode::NotOurCard, step),
    }
}
