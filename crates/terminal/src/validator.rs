//! The validator (读卡终端): a reader's settings and lists, and the one loop that does a tap's I/O.

use std::sync::Arc;

use keys::PsamScope;
use model::registry::Operator;
use model::{CardNumber, CardTime, CityCode, Label, TerminalId};
use smartcard::Channel;

use crate::acceptance::AcceptanceList;
use crate::batch::Batch;
use crate::deny::DenyList;
use crate::pending::TapId;
use crate::psam::{Diversifiers, PsamError, PsamFacts};
use crate::refusal::{Refusal, Refused};
use crate::tap::{self, Request, Step, TapOutcome, Terms};

/// What a reader is told when it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its number.
    pub terminal: TerminalId,
    /// Who runs it, with what fare.
    pub operator: Arc<Operator>,
    /// What its PSAM can derive.
    pub scope: PsamScope,
    /// The line it stands on, if any.
    pub line: Label,
    /// The vehicle it is in, if any.
    pub vehicle: Label,
    /// The stop it stands at, if any.
    pub stop: Label,
    /// How long after the entry an exit is still let out, in seconds.
    pub longest_trip_s: i64,
    /// Takes test cards; their taps are never paid.
    pub under_test: bool,
}

/// A reader.
#[derive(Debug)]
pub struct Validator {
    settings: Settings,
    acceptance: Arc<AcceptanceList>,
    deny: Arc<DenyList>,
    psam: Option<PsamFacts>,
    open_session: Option<TapId>,
}

impl Settings {
    /// A reader with a national PSAM, a trip of four hours at most, and no line, vehicle or stop yet.
    #[must_use]
    pub fn new(terminal: TerminalId, operator: Arc<Operator>) -> Self {
        Settings {
            terminal,
            operator,
            scope: PsamScope::National,
            line: Label::default(),
            vehicle: Label::default(),
            stop: Label::default(),
            longest_trip_s: 4 * 3600,
            under_test: false,
        }
    }

    /// Whether the PSAM can derive the keys of this city's cards.
    pub(crate) fn reaches(&self, issuer: CityCode) -> bool {
        match self.scope {
            PsamScope::National => true,
            PsamScope::City(city) => city == issuer,
        }
    }

    pub(crate) fn diversifiers(&self, issuer: CityCode, card: CardNumber) -> Diversifiers {
        match self.scope {
            PsamScope::National => Diversifiers::national(card, issuer),
            PsamScope::City(_) => Diversifiers::local(card),
        }
    }
}

impl Validator {
    /// A reader with its lists.
    #[must_use]
    pub fn new(settings: Settings, acceptance: Arc<AcceptanceList>, deny: Arc<DenyList>) -> Self {
        Validator { settings, acceptance, deny, psam: None, open_session: None }
    }

    /// What it was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a newer deny list; an older one than it has is left alone. Returns the version it now holds.
    pub fn take_deny_list(&mut self, list: Arc<DenyList>) -> u32 {
        if list.version() > self.deny.version() {
            self.deny = list;
        }
        self.deny.version()
    }

    /// Takes a newer acceptance list; an older one than it has is left alone. Returns the version it now holds.
    pub fn take_acceptance_list(&mut self, list: Arc<AcceptanceList>) -> u32 {
        if list.version() > self.acceptance.version() {
            self.acceptance = list;
        }
        self.acceptance.version()
    }

    /// Begins a tap whose steps the caller takes: what [`Validator::tap`] does with channels at hand.
    /// `open_session` is the torn tap whose session the PSAM has had no reason to forget, if there is one.
    #[must_use]
    pub fn begin(
        &self,
        psam: PsamFacts,
        open_session: Option<TapId>,
        request: Request,
        at: CardTime,
    ) -> Step<'_> {
        tap::begin(Terms {
            settings: &self.settings,
            acceptance: &self.acceptance,
            deny: &self.deny,
            psam,
            open_session,
            request,
            at,
        })
    }

    /// One tap of one card at the moment `at`.
    pub fn tap(
        &mut self,
        card: &mut dyn Channel,
        psam: &mut dyn Channel,
        request: Request,
        at: CardTime,
        batch: &mut Batch,
    ) -> TapOutcome {
        let facts = match self.open(psam) {
            Ok(facts) => facts,
            Err(why) => return TapOutcome::Refused(self.out_of_service(why)),
        };
        let open_session = self.open_session.take();
        let mut psam_lost = false;
        let mut step = self.begin(facts, open_session, request, at);
        let outcome = loop {
            step = match step {
                Step::Card { command, then } => then.answer(card.exchange(&command).ok()),
                Step::Psam { command, then } => {
                    let answer = psam.exchange(&command).ok();
                    psam_lost |= answer.is_none();
                    then.answer(answer)
                }
                Step::Recall { issuer, card, then } => then.found(batch.pending_of(issuer, card).cloned()),
                Step::Keep { note, then } => then.kept(batch.write(&note).is_ok()),
                Step::Done(outcome) => break outcome,
            }
        };
        let psam_refuses =
            matches!(&outcome, TapOutcome::Refused(refused) if refused.why == Refusal::PsamRefused);
        if psam_lost || psam_refuses {
            // Powered off, or another one in the slot: opened afresh at the next tap.
            self.psam = None;
        } else if let TapOutcome::Torn(pending) = &outcome {
            self.open_session = Some(pending.id());
        }
        outcome
    }

    /// The PSAM's facts, asked for once; it must be the one made for this reader.
    fn open(&mut self, psam: &mut dyn Channel) -> Result<PsamFacts, Refusal> {
        if let Some(facts) = self.psam {
            return Ok(facts);
        }
        let facts = PsamFacts::read(psam).map_err(|error| match error {
            PsamError::Channel(_) => Refusal::PsamAbsent,
            PsamError::Refused { .. } | PsamError::Short(_) => Refusal::PsamRefused,
        })?;
        if facts.terminal != self.settings.terminal {
            return Err(Refusal::PsamOfAnother);
        }
        self.psam = Some(facts);
        self.open_session = None;
        Ok(facts)
    }

    fn out_of_service(&self, why: Refusal) -> Refused {
        Refused { why, card: None, status: None, deny_version: self.deny.version() }
    }
}
