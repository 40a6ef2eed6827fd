//! One tap (刷卡), without I/O: says what to send to the card or the PSAM, what to look up and what to write down.
//!
//! Standard: the terminal's flow for one tap on a City Union card (card.md section 4): SELECT, file 0015,
//! records of file 0017, GET MESSAGE, INITIALIZE FOR (CAPP) PURCHASE, INIT SAM FOR PURCHASE, UPDATE CAPP DATA
//! CACHE, DEBIT, CREDIT SAM FOR PURCHASE; after a lost answer GET TRANSACTION PROVE.
//!
//! Each [`Step`] carries what takes its answer, and taking it consumes it: no step is skipped or repeated.
//!
//! Invariant: DEBIT never leaves before the tap is written down; a card with a torn tap here is not debited
//! again before that tap is finished or shown not to have happened.

mod admit;
mod ask;
mod pay;
mod recover;

use card::command::SelectApplication;
use card::layout::PURSE_AID;
use model::{CardNumber, CardTime, CityCode, PurseFen, TapRecord};
use smartcard::{Apdu, Command, Response, Status};

use crate::acceptance::AcceptanceList;
use crate::batch::Note;
use crate::deny::DenyList;
use crate::pending::{PendingTap, RideStep, TapId};
use crate::psam::PsamFacts;
use crate::refusal::{Refusal, Refused};
use crate::validator::Settings;

/// What the passenger is to do at this reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Pay at once.
    Pay {
        /// The list fare, where a meter, a till or a table names it.
        list: Option<PurseFen>,
    },
    /// Go in.
    Enter,
    /// Go out and pay.
    Leave {
        /// The list fare, where a table names it.
        list: Option<PurseFen>,
    },
}

/// How a tap ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapOutcome {
    /// Done and recorded: open the gate.
    Accepted {
        /// The record for the centre.
        record: TapRecord,
        /// The purse after it.
        balance: PurseFen,
        /// Whether it had been torn, and was finished now.
        recovered: bool,
        /// The version of the deny list that the card was judged by.
        deny_version: u32,
    },
    /// Not taken, nothing debited.
    Refused(Refused),
    /// The card left before its answer: it may or may not have debited. Kept in the batch until it is seen again.
    Torn(PendingTap),
}

/// What the tap needs next, and what takes the answer.
pub enum Step<'v> {
    /// Send this to the card.
    Card {
        /// The command.
        command: Apdu,
        /// Takes the answer.
        then: OnCard<'v>,
    },
    /// Send this to the PSAM.
    Psam {
        /// The command.
        command: Apdu,
        /// Takes the answer.
        then: OnPsam<'v>,
    },
    /// Look up whether this card has a torn tap in the batch.
    Recall {
        /// The card's city.
        issuer: CityCode,
        /// The card.
        card: CardNumber,
        /// Takes what was found.
        then: OnRecall<'v>,
    },
    /// Write this to the batch, so that it survives a power cut.
    Keep {
        /// What to write.
        note: Note,
        /// Takes whether it is written.
        then: OnKept<'v>,
    },
    /// Over.
    Done(TapOutcome),
}

/// Waits for the card.
pub struct OnCard<'v>(CardStage<'v>);
/// Waits for the PSAM.
pub struct OnPsam<'v>(PsamStage<'v>);
/// Waits for a look-up in the batch.
pub struct OnRecall<'v>(Tap<'v, admit::Selected>);
/// Waits for the batch.
pub struct OnKept<'v>(KeptStage<'v>);

/// A tap in one of its stages.
struct Tap<'v, Stage> {
    terms: Terms<'v>,
    stage: Stage,
}

/// What does not change during a tap.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'v> {
    pub(crate) settings: &'v Settings,
    pub(crate) acceptance: &'v AcceptanceList,
    pub(crate) deny: &'v DenyList,
    pub(crate) psam: PsamFacts,
    /// The torn tap whose session the PSAM still has open.
    pub(crate) open_session: Option<TapId>,
    pub(crate) request: Request,
    pub(crate) at: CardTime,
}

enum CardStage<'v> {
    Selecting(Tap<'v, admit::Selecting>),
    ReadingInfo(Tap<'v, admit::ReadingInfo>),
    RecheckingRecord(Tap<'v, recover::RecheckingRecord>),
    Proving(Tap<'v, recover::Proving>),
    Identifying(Tap<'v, recover::Identifying>),
    Dating(Tap<'v, recover::Dating>),
    Counting(Tap<'v, recover::Counting>),
    Searching(Tap<'v, recover::Searching>),
    ReadingRail(Tap<'v, ask::ReadingRail>),
    ReadingRide(Tap<'v, ask::ReadingRide>),
    AskingAuthId(Tap<'v, pay::AskingAuthId>),
    Initializing(Tap<'v, pay::Initializing>),
    Caching(Tap<'v, pay::Offered>),
    Debiting(Tap<'v, pay::Begun>),
}

enum PsamStage<'v> {
    GivingAuthId(Tap<'v, pay::Initializing>),
    Opening(Tap<'v, pay::Opening>),
    Checking(Tap<'v, pay::Debited>),
    Rechecking(Tap<'v, recover::Proven>),
}

enum KeptStage<'v> {
    Begun(Tap<'v, pay::Begun>),
    Finished(Tap<'v, pay::Debited>),
    Refused(Refused),
    RecoveredProven(Tap<'v, recover::Proven>),
    RecoveredElse(Tap<'v, recover::Settled>),
}

impl Request {
    /// What it does for the passenger.
    #[must_use]
    pub const fn step(self) -> RideStep {
        match self {
            Request::Pay { .. } => RideStep::Pay,
            Request::Enter => RideStep::Enter,
            Request::Leave { .. } => RideStep::Leave,
        }
    }
}

/// Begins a tap.
pub(crate) fn begin(terms: Terms<'_>) -> Step<'_> {
    let select = SelectApplication { name: PURSE_AID.to_vec() };
    terms.card(&select, CardStage::Selecting(Tap { terms, stage: admit::Selecting }))
}

impl<'v> OnCard<'v> {
    /// Takes the card's answer; `None` for silence, after which what the command did is unknown.
    #[must_use]
    pub fn answer(self, answer: Option<Response>) -> Step<'v> {
        match self.0 {
            CardStage::Selecting(tap) => tap.answer(answer),
            CardStage::ReadingInfo(tap) => tap.answer(answer),
            CardStage::RecheckingRecord(tap) => tap.answer(answer),
            CardStage::Proving(tap) => tap.answer(answer),
            CardStage::Identifying(tap) => tap.answer(answer),
            CardStage::Dating(tap) => tap.answer(answer),
            CardStage::Counting(tap) => tap.answer(answer),
            CardStage::Searching(tap) => tap.answer(answer),
            CardStage::ReadingRail(tap) => tap.answer(answer),
            CardStage::ReadingRide(tap) => tap.answer(answer),
            CardStage::AskingAuthId(tap) => tap.answer(answer),
            CardStage::Initializing(tap) => tap.answer(answer),
            CardStage::Caching(tap) => tap.cached(answer),
            CardStage::Debiting(tap) => tap.debited(answer),
        }
    }
}

impl<'v> OnPsam<'v> {
    /// Takes the PSAM's answer; `None` for silence.
    #[must_use]
    pub fn answer(self, answer: Option<Response>) -> Step<'v> {
        match self.0 {
            PsamStage::GivingAuthId(tap) => tap.auth_id_given(answer),
            PsamStage::Opening(tap) => tap.answer(answer),
            PsamStage::Checking(tap) => tap.answer(answer),
            PsamStage::Rechecking(tap) => tap.answer(answer),
        }
    }
}

impl<'v> OnRecall<'v> {
    /// Takes this card's torn tap, if the batch has one.
    #[must_use]
    pub fn found(self, torn: Option<PendingTap>) -> Step<'v> {
        match torn {
            Some(torn) => self.0.recover(torn),
            None => self.0.admit(),
        }
    }
}

impl<'v> OnKept<'v> {
    /// Takes whether the note is on storage.
    #[must_use]
    pub fn kept(self, kept: bool) -> Step<'v> {
        match self.0 {
            KeptStage::Begun(tap) => tap.kept(kept),
            KeptStage::Finished(tap) => tap.kept(kept),
            // Not kept, the torn tap is looked into when the card comes back, and found undone.
            KeptStage::Refused(refused) => Step::Done(TapOutcome::Refused(refused)),
            KeptStage::RecoveredProven(tap) => tap.kept(kept),
            KeptStage::RecoveredElse(tap) => tap.kept(kept),
        }
    }
}

impl<'v> Terms<'v> {
    fn card(self, command: &impl Command, then: CardStage<'v>) -> Step<'v> {
        Step::Card { command: command.to_apdu(), then: OnCard(then) }
    }

    fn psam(self, command: &impl Command, then: PsamStage<'v>) -> Step<'v> {
        Step::Psam { command: command.to_apdu(), then: OnPsam(then) }
    }

    fn refused(self, why: Refusal, card: Option<CardNumber>, status: Option<Status>) -> Refused {
        Refused { why, card, status, deny_version: self.deny.version() }
    }

    fn refuse(self, why: Refusal, card: Option<CardNumber>, status: Option<Status>) -> Step<'v> {
        Step::Done(TapOutcome::Refused(self.refused(why, card, status)))
    }
}

fn keep<'v>(note: Note, then: KeptStage<'v>) -> Step<'v> {
    Step::Keep { note, then: OnKept(then) }
}

/// The answer to a command of this kind, if it is a good one.
fn parsed<C: Command>(answer: &Response) -> Option<C::Response> {
    if answer.status.is_ok() { C::parse_response(&answer.data) } else { None }
}
