//! A card with a torn tap is back: finish that tap, or show that it never happened.
//!
//! Standard: GET TRANSACTION PROVE (card.md section 1.5). The card gives the proof of its last transaction of a
//! type by its number; that the number is really this tap's is seen in the log, or in the trip record where
//! amount 0 leaves the number unmoved. A compound purchase of amount 0 after the torn one may have put its own proof
//! under the same number; the trip records give that away.
//!
//! Invariant: no second debit. What can be neither finished nor shown undone is doubted, by name.

use card::command::{
    GetTransactionProve, InitializeForPurchase, PurchaseKind, ReadRecord, RecordPlace, Records,
    TransactionProof,
};
use card::layout::{LOG_RECORDS, LogRecord, PublicInfo, RailRecord, RailTrip, RideRecord, Sfi};
use model::{CardTime, PurseFen, Tac, TxnType};
use smartcard::{Response, Status};

use super::admit::Selected;
use super::pay::accepted;
use super::{CardStage, KeptStage, PsamStage, Step, Tap, TapOutcome, Terms, keep, parsed};
use crate::batch::{Doubt, Note};
use crate::pending::PendingTap;
use crate::psam::CreditSamForPurchase;
use crate::refusal::Refusal;

/// A torn tap finished within this time is the tap that the passenger makes now; later, it is another one. A reader whose
/// clock was set back meanwhile sees it as much in the future.
const SAME_RIDE_S: i64 = 15 * 60;

/// The torn tap, and the card that is back.
pub(super) struct Torn {
    info: PublicInfo,
    pending: PendingTap,
}

/// Amount 0: the trip record is asked for, whether it is the one that the debit wrote.
pub(super) struct RecheckingRecord(Torn);

/// GET TRANSACTION PROVE is sent with `counter`.
pub(super) struct Proving {
    torn: Torn,
    counter: u16,
}

/// There is a proof; the log is asked whose it is, line by line from the newest.
pub(super) struct Identifying {
    torn: Torn,
    proof: TransactionProof,
    line: u8,
}

/// The proof's number is the torn tap's; the trip record `tag` is asked for, whether it is newer.
pub(super) struct Dating {
    torn: Torn,
    proof: TransactionProof,
    tag: u8,
}

/// There is no proof; INITIALIZE is sent to see the card's counter.
pub(super) struct Counting(Torn);

/// The counter has moved on; the log is asked by whom.
pub(super) struct Searching(Torn);

/// The torn tap happened, and this is its TAC.
pub(super) struct Proven {
    torn: Torn,
    tac: Tac,
}

/// The torn tap is off the list without a TAC.
pub(super) struct Settled {
    torn: Torn,
    /// Refused for good: the card could not prove itself.
    refused: bool,
}

impl<'v> Tap<'v, Selected> {
    pub(super) fn recover(self, pending: PendingTap) -> Step<'v> {
        let Tap { terms, stage: Selected { info } } = self;
        let torn = Torn { info, pending };
        match torn.unmoved_record() {
            Some(tag) => {
                let read = record(Sfi::COMPOUND, RecordPlace::Tag(tag));
                terms.card(&read, CardStage::RecheckingRecord(Tap { terms, stage: RecheckingRecord(torn) }))
            }
            None => terms.prove(torn),
        }
    }
}

impl Torn {
    /// The tag of the record by which a tap of amount 0 is known, if it is one.
    fn unmoved_record(&self) -> Option<u8> {
        let amount_zero = self.pending.facts().amount == PurseFen::ZERO;
        self.pending.written().filter(|_| amount_zero).and_then(|record| record.first().copied())
    }

    /// Whether a trip record was written after this tap. The one that the tap itself wrote says so whatever the clocks of
    /// readers say: it is there, or another is in its place.
    fn is_followed_by(&self, tag: u8, record: &[u8]) -> bool {
        match self.pending.written().filter(|written| written.first() == Some(&tag)) {
            Some(ours) => record != ours,
            None => last_time(tag, record).is_some_and(|written| written > self.pending.facts().at),
        }
    }

    /// Whether a line of the card's log is this tap.
    fn is(&self, line: &LogRecord) -> bool {
        let tap = self.pending.facts();
        line.terminal == tap.terminal
            && line.at == tap.at
            && line.amount == tap.amount
            && line.kind == tap.kind
    }
}

impl<'v> Terms<'v> {
    fn prove(self, torn: Torn) -> Step<'v> {
        let counter = torn.pending.facts().card_seq;
        self.prove_by(torn, counter)
    }

    fn prove_by(self, torn: Torn, counter: u16) -> Step<'v> {
        let prove = GetTransactionProve { kind: torn.pending.facts().kind, counter };
        self.card(&prove, CardStage::Proving(Tap { terms: self, stage: Proving { torn, counter } }))
    }

    /// The card answers no more: the tap stays as torn as it was.
    fn still_torn(self, torn: Torn) -> Step<'v> {
        Step::Done(TapOutcome::Torn(torn.pending))
    }

    fn undone(self, torn: Torn) -> Step<'v> {
        let note = Note::Undone(torn.pending.id());
        let stage = Settled { torn, refused: false };
        keep(note, KeptStage::RecoveredElse(Tap { terms: self, stage }))
    }

    fn doubted(self, torn: Torn, why: Doubt) -> Step<'v> {
        let note = Note::Doubted(torn.pending.id(), why);
        let stage = Settled { torn, refused: why == Doubt::WrongMac2 };
        keep(note, KeptStage::RecoveredElse(Tap { terms: self, stage }))
    }

    /// Asks for line `line` of the log: whose debit has the number of the proof?
    fn identify(self, torn: Torn, proof: TransactionProof, line: u8) -> Step<'v> {
        let read = record(Sfi::PURCHASES, RecordPlace::Number(line));
        self.card(
            &read,
            CardStage::Identifying(Tap { terms: self, stage: Identifying { torn, proof, line } }),
        )
    }

    /// Asks for a trip record: is it newer than the torn tap, so that the proof may be its own?
    fn date(self, torn: Torn, proof: TransactionProof, tag: u8) -> Step<'v> {
        let read = record(Sfi::COMPOUND, RecordPlace::Tag(tag));
        self.card(&read, CardStage::Dating(Tap { terms: self, stage: Dating { torn, proof, tag } }))
    }

    /// The tap happened. If the PSAM still has its session open, it checks MAC2, as it would have.
    fn happened(self, torn: Torn, proof: TransactionProof) -> Step<'v> {
        let is_open = self.has_open(torn.pending.id());
        let next = Tap { terms: self, stage: Proven { torn, tac: proof.tac } };
        if is_open {
            let credit = CreditSamForPurchase { mac2: proof.mac };
            return self.psam(&credit, PsamStage::Rechecking(next));
        }
        next.record()
    }
}

impl<'v> Tap<'v, RecheckingRecord> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: RecheckingRecord(torn) } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        match parsed::<ReadRecord>(&answer) {
            Some(found) if torn.pending.written() == Some(found.as_slice()) => terms.prove(torn),
            Some(_) => terms.undone(torn),
            None => terms.refuse(Refusal::CardWrong, Some(torn.info.number), Some(answer.status)),
        }
    }
}

impl<'v> Tap<'v, Proving> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Proving { torn, counter } } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        let proof = parsed::<GetTransactionProve>(&answer);
        if torn.unmoved_record().is_some() {
            // On some cards amount 0 counts as well.
            let other = counter == torn.pending.counter();
            return match proof {
                Some(proof) => terms.date(torn, proof, RailRecord::TAG),
                None if other => terms.prove_by(torn, counter.wrapping_add(1)),
                None => terms.doubted(torn, Doubt::MovedOn),
            };
        }
        match proof {
            Some(proof) => terms.identify(torn, proof, 1),
            None => {
                let look = InitializeForPurchase {
                    kind: PurchaseKind::Plain,
                    key_index: terms.psam.key_index,
                    amount: PurseFen::ZERO,
                    terminal: terms.settings.terminal,
                };
                terms.card(&look, CardStage::Counting(Tap { terms, stage: Counting(torn) }))
            }
        }
    }
}

impl<'v> Tap<'v, Identifying> {
    /// Another reader's tap may have taken the number that ours never used. A tap of the other kind leaves our
    /// proof where it is, and its own line above ours.
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Identifying { torn, proof, line } } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        let Some(found) = log_line(&answer).filter(|found| !torn.is(found)) else {
            // A card whose log cannot be read is believed, as readers in the field do.
            return match torn.pending.facts().kind {
                TxnType::Compound => terms.date(torn, proof, RailRecord::TAG),
                _ => terms.happened(torn, proof),
            };
        };
        match found.counter.wrapping_sub(torn.pending.facts().card_seq) {
            // A card may also write the number before the debit.
            0 | u16::MAX => terms.undone(torn),
            newer if line == 1 && newer < u16::from(LOG_RECORDS) => {
                let back = u8::try_from(newer).unwrap_or(u8::MAX).saturating_add(1);
                terms.identify(torn, proof, back)
            }
            _ => terms.doubted(torn, Doubt::MovedOn),
        }
    }
}

impl<'v> Tap<'v, Dating> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Dating { torn, proof, tag } } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        let newer = parsed::<ReadRecord>(&answer).is_some_and(|record| torn.is_followed_by(tag, &record));
        if newer {
            return terms.doubted(torn, Doubt::MovedOn);
        }
        match tag {
            RailRecord::TAG => terms.date(torn, proof, RideRecord::TAG),
            _ => terms.happened(torn, proof),
        }
    }
}

impl<'v> Tap<'v, Counting> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Counting(torn) } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        let Some(offer) = parsed::<InitializeForPurchase>(&answer) else {
            return terms.refuse(Refusal::CardWrong, Some(torn.info.number), Some(answer.status));
        };
        let moved = offer.counter.wrapping_sub(torn.pending.counter());
        match u8::try_from(moved) {
            Ok(0) => terms.undone(torn),
            // The newest line has the card's number, so ours is as many back as it has moved.
            Ok(back @ 1..=LOG_RECORDS) => {
                let line = record(Sfi::PURCHASES, RecordPlace::Number(back));
                terms.card(&line, CardStage::Searching(Tap { terms, stage: Searching(torn) }))
            }
            _ => terms.doubted(torn, Doubt::MovedOn),
        }
    }
}

impl<'v> Tap<'v, Searching> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Searching(torn) } = self;
        let Some(answer) = answer else { return terms.still_torn(torn) };
        match log_line(&answer) {
            Some(line) if !torn.is(&line) => terms.undone(torn),
            _ => terms.doubted(torn, Doubt::MovedOn),
        }
    }
}

impl<'v> Tap<'v, Proven> {
    /// Only a wrong MAC2 speaks against the card; a PSAM that has forgotten the session says nothing.
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        match answer {
            Some(answer) if answer.status == Status::WRONG_MAC => {
                self.terms.doubted(self.stage.torn, Doubt::WrongMac2)
            }
            _ => self.record(),
        }
    }

    fn record(self) -> Step<'v> {
        let note = Note::Proven(self.stage.torn.pending.id(), self.stage.tac);
        keep(note, KeptStage::RecoveredProven(self))
    }

    pub(super) fn kept(self, kept: bool) -> Step<'v> {
        let Tap { terms, stage: Proven { torn: Torn { info, pending }, tac } } = self;
        if !kept {
            return Step::Done(TapOutcome::Torn(pending));
        }
        let age = terms.at.seconds_since(pending.facts().at);
        if pending.step() == terms.request.step() && (-SAME_RIDE_S..=SAME_RIDE_S).contains(&age) {
            return Step::Done(accepted(&pending, tac, true));
        }
        Tap { terms, stage: Selected { info } }.admit()
    }
}

impl<'v> Tap<'v, Settled> {
    pub(super) fn kept(self, kept: bool) -> Step<'v> {
        let Tap { terms, stage: Settled { torn: Torn { info, pending }, refused } } = self;
        if !kept {
            return Step::Done(TapOutcome::Torn(pending));
        }
        if refused {
            return terms.refuse(Refusal::WrongMac2, Some(info.number), Some(Status::WRONG_MAC));
        }
        Tap { terms, stage: Selected { info } }.admit()
    }
}

fn record(file: Sfi, place: RecordPlace) -> ReadRecord {
    ReadRecord { file, records: Records::One(place), length: 0 }
}

/// When a trip record was last written, as far as it says so.
fn last_time(tag: u8, record: &[u8]) -> Option<CardTime> {
    if tag == RideRecord::TAG {
        return RideRecord::parse(record)?.last.map(|ride| ride.at);
    }
    match RailRecord::parse(record)?.trip {
        RailTrip::Entered { entry } => Some(entry.at),
        RailTrip::Left { exit, .. } => Some(exit.at),
        _ => None,
    }
}

fn log_line(answer: &Response) -> Option<LogRecord> {
    parsed::<ReadRecord>(answer).and_then(|record| LogRecord::parse(record.first_chunk()?))
}
