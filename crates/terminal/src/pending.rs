//! A tap that has been begun and is not yet proven: written down before DEBIT leaves the reader.
//!
//! Invariant: what is written here is all that is needed to finish the tap when the card comes back, with the
//! record it would have had, and never with a second debit.

use model::{CardNumber, CityCode, PsamId, PurseFen, Tac, TapRecord};

/// Names one tap for good: a PSAM never uses a transaction number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId {
    /// The security module in the reader.
    pub psam: PsamId,
    /// Its transaction number for this tap.
    pub terminal_seq: u32,
}

/// What a tap does for the passenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum RideStep {
    /// Pays at once.
    #[n(0)]
    Pay,
    /// Goes in; costs nothing yet.
    #[n(1)]
    Enter,
    /// Goes out and pays.
    #[n(2)]
    Leave,
}

/// A tap whose DEBIT has left, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTap {
    /// The record as it will be; its TAC is zero until the card has given it.
    record: TapRecord,
    /// What it does for the passenger.
    step: RideStep,
    /// The card's offline counter as it stood before.
    counter: u16,
    /// The record that the debit writes into file 0017, if it writes one.
    written: Option<Vec<u8>>,
    /// The version of the deny list that the card was judged by.
    deny_version: u32,
}

impl PendingTap {
    /// A tap about to be debited. The TAC in `record` is not looked at.
    #[must_use]
    pub fn new(
        record: TapRecord,
        step: RideStep,
        counter: u16,
        written: Option<Vec<u8>>,
        deny_version: u32,
    ) -> Self {
        PendingTap { record: TapRecord { tac: Tac([0; 4]), ..record }, step, counter, written, deny_version }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> TapId {
        TapId { psam: self.record.psam, terminal_seq: self.record.terminal_seq }
    }

    /// The finished record, once the card has given its TAC.
    #[must_use]
    pub fn proven(&self, tac: Tac) -> TapRecord {
        TapRecord { tac, ..self.record.clone() }
    }

    /// What is known of the tap; the TAC in it is not a proof.
    #[must_use]
    pub const fn facts(&self) -> &TapRecord {
        &self.record
    }

    /// What it does for the passenger.
    #[must_use]
    pub const fn step(&self) -> RideStep {
        self.step
    }

    /// The record that the debit writes into file 0017, if it writes one.
    #[must_use]
    pub fn written(&self) -> Option<&[u8]> {
        self.written.as_deref()
    }

    /// The purse after this tap.
    #[must_use]
    pub fn balance_after(&self) -> PurseFen {
        self.record.balance_before.minus(self.record.amount).unwrap_or_default()
    }

    /// The card's offline counter before this tap.
    #[must_use]
    pub const fn counter(&self) -> u16 {
        self.counter
    }

    /// The version of the deny list that the card was judged by.
    #[must_use]
    pub const fn deny_version(&self) -> u32 {
        self.deny_version
    }

    /// Whether it is a tap of this card.
    #[must_use]
    pub fn is_of(&self, issuer: CityCode, card: CardNumber) -> bool {
        self.record.issuer == issuer && self.record.card == card
    }
}
