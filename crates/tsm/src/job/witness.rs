//! What became of a load in doubt, by proofs that only the card can make: the phone between us relays bytes, and its
//! word alone moves no money.
//!
//! Standard: GET TRANSACTION PROVE and INITIALIZE FOR LOAD (card.md sections 1.2 and 1.5).
//! Invariant: *credited* needs the load's own TAC. *Not credited* needs an offer under MAC1 whose counter has not
//! moved, made for a terminal number that nobody could know before: the card is here, now, and by making the offer
//! it has forgotten the one that the kept CREDIT FOR LOAD was for.

use card::command::{GetTransactionProve, InitializeForLoad, TransactionProof};
use card::layout::PublicInfo;
use keys::{CardRef, LoadOffer, LoadRequest};
use model::{Entropy, PurseFen, Tac, TerminalId, TxnType};
use smartcard::{Apdu, Command};

use super::{Answers, Env, Stop, refused};
use crate::plan::{RefusalCode, Reservation};

/// The load key's index; a card has one.
pub(super) const KEY_INDEX: u8 = 1;

/// What the card is asked about one load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) reservation: Reservation,
    /// Drawn for this question alone.
    pub(super) terminal: TerminalId,
}

/// What the card has proven.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// It has the value.
    Credited(Tac),
    /// It has not, and never will by that command; it offers to take the same load now.
    NotCredited(LoadOffer),
}

/// A load point's number for one exchange: its first two bytes, and four that nobody could know before.
pub(super) fn fresh(point: TerminalId, entropy: &mut dyn Entropy) -> TerminalId {
    let [a, b, ..] = point.bytes();
    let mut random = [0; 4];
    entropy.fill(&mut random);
    let [c, d, e, f] = random;
    TerminalId::new([a, b, c, d, e, f])
}

impl Question {
    pub(super) fn new(reservation: Reservation, point: TerminalId, env: &mut Env<'_>) -> Self {
        Question { reservation, terminal: fresh(point, env.entropy) }
    }

    /// To be sent to the selected card, its PIN presented if it wants one.
    pub(super) fn commands(&self) -> [Apdu; 2] {
        let counter = self.reservation.counter().wrapping_add(1);
        let (amount, terminal) = (self.reservation.amount(), self.terminal);
        [
            GetTransactionProve { kind: TxnType::Load, counter }.to_apdu(),
            InitializeForLoad { key_index: KEY_INDEX, amount, terminal }.to_apdu(),
        ]
    }

    /// The answers to [`Question::commands`] of the card that said `info` of itself.
    ///
    /// # Errors
    /// Nothing is proven: the load stays in doubt.
    pub(super) fn verdict(
        &self,
        info: &PublicInfo,
        answers: &mut Answers<'_>,
        env: &Env<'_>,
    ) -> Result<Verdict, Stop> {
        let at = "GET TRANSACTION PROVE";
        let doubt = refused(RefusalCode::StillInDoubt, at);
        let card = self.reservation.card().filter(|card| card.number == info.number).ok_or(doubt)?;
        let proof = answers.any()?;
        let proof = Some(proof).filter(|response| response.status.is_ok());
        let proof = proof.and_then(|response| GetTransactionProve::parse_response(&response.data));
        if let Some(TransactionProof { tac, .. }) = proof
            && proven(&self.reservation, tac, env)
        {
            return Ok(Verdict::Credited(tac));
        }
        let offer = answers.any()?;
        let offer = Some(offer).filter(|response| response.status.is_ok());
        let offer =
            offer.and_then(|response| InitializeForLoad::parse_response(&response.data)).ok_or(doubt)?;
        let request = LoadRequest { amount: self.reservation.amount(), terminal: self.terminal, at: env.now };
        let genuine = env.keys.authorize_load(&card, &offer, &request).is_ok();
        if genuine && offer.counter == self.reservation.counter() {
            return Ok(Verdict::NotCredited(offer));
        }
        Err(doubt)
    }
}

/// Asks for an offer of a load that is never taken: MAC1 over it proves balance and online counter.
pub(super) fn untaken(terminal: TerminalId) -> Apdu {
    InitializeForLoad { key_index: KEY_INDEX, amount: PurseFen::ZERO, terminal }.to_apdu()
}

/// The answer to [`untaken`], if it is the card's own and made for this very terminal number.
///
/// # Errors
/// It is not: whatever it says proves nothing.
pub(super) fn witnessed(
    card: &CardRef,
    terminal: TerminalId,
    answers: &mut Answers<'_>,
    env: &Env<'_>,
) -> Result<LoadOffer, Stop> {
    let at = "INITIALIZE FOR LOAD";
    let offer = answers.parsed::<InitializeForLoad>(at)?;
    let request = LoadRequest { amount: PurseFen::ZERO, terminal, at: env.now };
    let genuine = env.keys.authorize_load(card, &offer, &request);
    genuine.map(|_| offer).map_err(|_| refused(RefusalCode::NotGenuine, at))
}

/// Whether the TAC is that of this load.
pub(super) fn proven(reservation: &Reservation, tac: Tac, env: &Env<'_>) -> bool {
    let (Some(card), Some(proof)) = (reservation.card(), reservation.proof()) else { return false };
    env.keys.verify_load(&card, &proof, tac).is_ok()
}
