//! Read: balance and logs, without keys; settles a load in doubt by the way.
//!
//! Standard: GET BALANCE, READ RECORD, GET TRANSACTION PROVE (card.md sections 1.1, 1.2, 1.5).
//! Invariant: nothing on the card changes: an offer that is not taken is forgotten.

use card::command::VerifyPin;
use card::layout::LOG_RECORDS;
use card::{PurseReader, PurseView, ReadError};
use smartcard::Command;

use super::witness::{Question, Verdict};
use super::{Answers, Env, Next, Stop, refused, refused_with};
use crate::plan::{ReadPlan, RefusalCode, Report};

#[derive(Debug)]
pub(super) struct Read {
    plan: ReadPlan,
    reader: PurseReader,
    question: Option<Question>,
    seen: Option<PurseView>,
}

impl Read {
    pub(super) fn new(plan: ReadPlan) -> Self {
        let reader = PurseReader::new(plan.aid.as_bytes(), LOG_RECORDS);
        Read { plan, reader, question: None, seen: None }
    }

    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        self.seen = None;
        self.question =
            self.plan.unsettled.map(|reservation| Question::new(reservation, self.plan.terminal, env));
        let pin = self.plan.pin.clone().filter(|_| self.question.is_some());
        let pin = pin.map(|pin| VerifyPin { pin }.to_apdu());
        let asked = self.question.map(|question| question.commands()).into_iter().flatten();
        Next::Run(self.reader.commands().into_iter().chain(pin).chain(asked).collect())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        let (look, asked) = answers.0.split_at_checked(self.reader.commands().len()).ok_or(Stop::Silence)?;
        let view = self.reader.view(look).map_err(stop)?;
        if self.plan.card.is_some_and(|meant| meant != view.public_info.number) {
            return Err(refused(RefusalCode::OtherCard, "SELECT"));
        }
        let Some(question) = self.question else { return Ok(Next::Done(Report::Read(view))) };
        let mut asked = Answers(asked);
        if self.plan.pin.is_some() && asked.any().is_err() {
            return Ok(Next::Done(Report::Read(view)));
        }
        let credited = match question.verdict(&view.public_info, &mut asked, env) {
            Ok(Verdict::Credited(tac)) => Some(tac),
            Ok(Verdict::NotCredited(_)) => None,
            Err(_) => return Ok(Next::Done(Report::Read(view))), // still in doubt; the look itself is good
        };
        self.seen = Some(view);
        Ok(Next::Settled { reservation: question.reservation, credited })
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
