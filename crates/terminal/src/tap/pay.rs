//! The debit: authentication id, INITIALIZE, the PSAM's MAC1, the record, the write-ahead, DEBIT, MAC2.
//!
//! Invariant: once DEBIT may have left, silence and nonsense are [`TapOutcome::Torn`], never a refusal.

use card::command::{
    DebitForPurchase, DebitProof, GetMessage, InitializeForPurchase, PurchaseOffer, RecordPlace,
    UpdateCappDataCache,
};
use card::layout::Sfi;
use model::{PurseFen, Tac, TapRecord};
use smartcard::{Response, Status};

use super::ask::Plan;
use super::{CardStage, KeptStage, PsamStage, Step, Tap, TapOutcome, Terms, keep, parsed};
use crate::batch::{Doubt, Note};
use crate::pending::{PendingTap, TapId};
use crate::psam::{AuthenticationMessage, CreditSamForPurchase, InitSamForPurchase, SamOffer};
use crate::refusal::Refusal;

/// GET MESSAGE is sent.
pub(super) struct AskingAuthId {
    pub(super) plan: Plan,
}

/// INITIALIZE is sent, or about to be.
pub(super) struct Initializing {
    plan: Plan,
}

/// INIT SAM FOR PURCHASE is sent.
pub(super) struct Opening {
    plan: Plan,
    offer: PurchaseOffer,
}

/// Card and PSAM have both offered.
pub(super) struct Offered {
    plan: Plan,
    offer: PurchaseOffer,
    sam: SamOffer,
}

/// The tap is written down, or about to be; after that DEBIT is sent.
pub(super) struct Begun {
    pending: PendingTap,
    debit: DebitForPurchase,
}

/// The card has given its proof.
pub(super) struct Debited {
    pending: PendingTap,
    tac: Tac,
}

impl<'v> Tap<'v, AskingAuthId> {
    /// A card that does not know the command has no authentication id: a plain PBOC purse.
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: AskingAuthId { plan } } = self;
        let card = Some(plan.info.number);
        let Some(answer) = answer else { return terms.refuse(Refusal::CardLeft, card, None) };
        let next = Tap { terms, stage: Initializing { plan } };
        match (answer.status, parsed::<GetMessage>(&answer)) {
            (_, Some(auth_id)) => {
                terms.psam(&AuthenticationMessage { auth_id }, PsamStage::GivingAuthId(next))
            }
            (Status::WRONG_INS | Status::WRONG_CLA | Status::NOT_SUPPORTED, None) => next.initialize(),
            (status, None) => terms.refuse(Refusal::CardWrong, card, Some(status)),
        }
    }
}

impl<'v> Tap<'v, Initializing> {
    pub(super) fn auth_id_given(self, answer: Option<Response>) -> Step<'v> {
        let card = Some(self.stage.plan.info.number);
        match answer {
            Some(answer) if answer.status.is_ok() => self.initialize(),
            Some(answer) => self.terms.refuse(Refusal::PsamRefused, card, Some(answer.status)),
            None => self.terms.refuse(Refusal::PsamAbsent, card, None),
        }
    }

    fn initialize(self) -> Step<'v> {
        let Plan { kind, price, .. } = self.stage.plan;
        let Terms { settings, psam, .. } = self.terms;
        let initialize = InitializeForPurchase {
            kind,
            key_index: psam.key_index,
            amount: price.pay,
            terminal: settings.terminal,
        };
        self.terms.card(&initialize, CardStage::Initializing(self))
    }

    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Initializing { plan } } = self;
        let card = Some(plan.info.number);
        let Some(answer) = answer else { return terms.refuse(Refusal::CardLeft, card, None) };
        let Some(offer) = parsed::<InitializeForPurchase>(&answer) else {
            let why = match answer.status {
                Status::BALANCE_LOW => Refusal::BalanceLow,
                Status::WRONG_KEY_INDEX => Refusal::KeyVersion,
                Status::NOT_SUPPORTED | Status::APP_LOCKED => Refusal::Blocked,
                _ => Refusal::CardWrong,
            };
            return terms.refuse(why, card, Some(answer.status));
        };
        if offer.balance < plan.price.pay.max(plan.minimum) {
            return terms.refuse(Refusal::BalanceLow, card, None);
        }
        let init = InitSamForPurchase {
            random: offer.random,
            counter: offer.counter,
            amount: plan.price.pay,
            kind: plan.kind.txn_type(),
            at: terms.at,
            key_version: offer.key_version,
            algorithm: offer.algorithm,
            diversifiers: terms.settings.diversifiers(plan.info.city, plan.info.number),
        };
        terms.psam(&init, PsamStage::Opening(Tap { terms, stage: Opening { plan, offer } }))
    }
}

impl<'v> Tap<'v, Opening> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Opening { plan, offer } } = self;
        let card = Some(plan.info.number);
        let Some(answer) = answer else { return terms.refuse(Refusal::PsamAbsent, card, None) };
        let Some(sam) = parsed::<InitSamForPurchase>(&answer) else {
            let key_missing = answer.status == Status::WRONG_KEY_INDEX;
            let why = if key_missing { Refusal::KeyVersion } else { Refusal::PsamRefused };
            return terms.refuse(why, card, Some(answer.status));
        };
        let cache = plan.write.as_ref().map(|(tag, record)| UpdateCappDataCache {
            file: Sfi::COMPOUND,
            place: RecordPlace::Tag(*tag),
            record: record.clone(),
        });
        let next = Tap { terms, stage: Offered { plan, offer, sam } };
        match cache {
            Some(cache) => terms.card(&cache, CardStage::Caching(next)),
            None => next.begin(),
        }
    }
}

impl<'v> Tap<'v, Offered> {
    pub(super) fn cached(self, answer: Option<Response>) -> Step<'v> {
        let card = Some(self.stage.plan.info.number);
        match answer {
            Some(answer) if answer.status.is_ok() => self.begin(),
            Some(answer) => self.terms.refuse(Refusal::CardWrong, card, Some(answer.status)),
            None => self.terms.refuse(Refusal::CardLeft, card, None),
        }
    }

    fn begin(self) -> Step<'v> {
        let Tap { terms, stage: Offered { plan, offer, sam } } = self;
        let debit = DebitForPurchase { terminal_seq: sam.terminal_seq, at: terms.at, mac1: sam.mac1 };
        let pending = terms.pending(plan, offer, sam.terminal_seq);
        let note = Note::Pending(pending.clone());
        keep(note, KeptStage::Begun(Tap { terms, stage: Begun { pending, debit } }))
    }
}

impl<'v> Tap<'v, Begun> {
    /// Nothing leaves that is not written down.
    pub(super) fn kept(self, kept: bool) -> Step<'v> {
        if kept {
            let debit = self.stage.debit;
            return self.terms.card(&debit, CardStage::Debiting(self));
        }
        self.terms.refuse(Refusal::NotKept, Some(self.stage.pending.facts().card), None)
    }

    pub(super) fn debited(self, answer: Option<Response>) -> Step<'v> {
        let Tap { terms, stage: Begun { pending, .. } } = self;
        let Some(answer) = answer else { return Step::Done(TapOutcome::Torn(pending)) };
        if let Some(DebitProof { tac, mac2 }) = parsed::<DebitForPurchase>(&answer) {
            let next = Tap { terms, stage: Debited { pending, tac } };
            return terms.psam(&CreditSamForPurchase { mac2 }, PsamStage::Checking(next));
        }
        if answer.status.is_ok() || answer.status.leaves_open() {
            return Step::Done(TapOutcome::Torn(pending));
        }
        let why = if answer.status == Status::BALANCE_LOW { Refusal::BalanceLow } else { Refusal::CardWrong };
        let refused = terms.refused(why, Some(pending.facts().card), Some(answer.status));
        keep(Note::Undone(pending.id()), KeptStage::Refused(refused))
    }
}

impl<'v> Tap<'v, Debited> {
    /// A PSAM that fails here leaves the tap torn: the card has debited, and will prove it when it is back.
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Debited { pending, tac } = &self.stage;
        match answer.map(|answer| answer.status) {
            Some(Status::OK) => keep(Note::Proven(pending.id(), *tac), KeptStage::Finished(self)),
            Some(status @ Status::WRONG_MAC) => {
                let refused =
                    self.terms.refused(Refusal::WrongMac2, Some(pending.facts().card), Some(status));
                keep(Note::Doubted(pending.id(), Doubt::WrongMac2), KeptStage::Refused(refused))
            }
            _ => Step::Done(TapOutcome::Torn(self.stage.pending)),
        }
    }

    pub(super) fn kept(self, kept: bool) -> Step<'v> {
        let Debited { pending, tac } = self.stage;
        Step::Done(if kept { accepted(&pending, tac, false) } else { TapOutcome::Torn(pending) })
    }
}

impl Terms<'_> {
    fn pending(&self, plan: Plan, offer: PurchaseOffer, terminal_seq: u32) -> PendingTap {
        let settings = self.settings;
        let kind = plan.kind.txn_type();
        let counts = plan.price.pay > PurseFen::ZERO || plan.write.is_none();
        let record = TapRecord {
            card: plan.info.number,
            issuer: plan.info.city,
            acquirer: settings.operator.city,
            operator: settings.operator.id,
            mode: settings.operator.mode,
            terminal: settings.terminal,
            terminal_seq,
            psam: self.psam.id,
            card_seq: if counts { offer.counter.wrapping_add(1) } else { offer.counter },
            amount: plan.price.pay,
            list_fare: plan.price.list,
            balance_before: offer.balance,
            kind,
            at: self.at,
            tac: Tac([0; 4]),
            key_version: offer.key_version,
            algorithm: offer.algorithm,
            line: settings.line.clone(),
            vehicle: settings.vehicle.clone(),
            stop_in: plan.stop_in,
            stop_out: plan.stop_out,
            entered_at: plan.entered_at,
            test: plan.info.is_test(),
        };
        let written = plan.write.map(|(_, record)| record);
        PendingTap::new(record, self.request.step(), offer.counter, written, self.deny.version())
    }

    /// Whether the PSAM still has the session of this torn tap open.
    pub(super) fn has_open(&self, tap: TapId) -> bool {
        self.open_session == Some(tap)
    }
}

/// The end of a tap that is proven and recorded.
pub(super) fn accepted(pending: &PendingTap, tac: Tac, recovered: bool) -> TapOutcome {
    TapOutcome::Accepted {
        record: pending.proven(tac),
        balance: pending.balance_after(),
        recovered,
        deny_version: pending.deny_version(),
    }
}
