//! What the batch's entries say, in CBOR with field numbers: a number once given never changes its meaning.

use minicbor::{Decode, Encode};
use model::{CardNumber, CardTime, CityCode, Label, Mode, OperatorId, PsamId, PurseFen};
use model::{Tac, TapRecord, TerminalId, TxnType};

use super::Doubt;
use crate::pending::{PendingTap, RideStep, TapId};

/// One entry and its place in the batch, counted from 1 without gaps.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Numbered {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) entry: Entry,
}

#[derive(Debug, Encode, Decode)]
pub(crate) enum Entry {
    /// The first entry: which format, whose batch.
    #[n(0)]
    Opened {
        #[n(0)]
        format: u8,
        #[n(1)]
        terminal: u64,
    },
    #[n(1)]
    Pending(#[n(0)] StoredTap),
    #[n(2)]
    Proven {
        #[n(0)]
        tap: StoredId,
        #[n(1)]
        tac: u32,
    },
    #[n(3)]
    Undone(#[n(0)] StoredId),
    #[n(4)]
    Doubted {
        #[n(0)]
        tap: StoredId,
        #[n(1)]
        why: Doubt,
    },
    #[n(5)]
    Uploaded {
        #[n(0)]
        through: u64,
    },
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(crate) struct StoredId {
    #[n(0)]
    psam: u64,
    #[n(1)]
    terminal_seq: u32,
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct StoredTap {
    #[n(0)]
    card: u64,
    #[n(1)]
    issuer: u16,
    #[n(2)]
    acquirer: u16,
    #[n(3)]
    operator: u32,
    #[n(4)]
    mode: u8,
    #[n(5)]
    terminal: u64,
    #[n(6)]
    terminal_seq: u32,
    #[n(7)]
    psam: u64,
    #[n(8)]
    card_seq: u16,
    #[n(9)]
    amount: u32,
    #[n(10)]
    list_fare: u32,
    #[n(11)]
    balance_before: u32,
    #[n(12)]
    kind: u8,
    #[n(13)]
    at: i64,
    #[n(14)]
    key_version: u8,
    #[n(15)]
    algorithm: u8,
    #[n(16)]
    line: String,
    #[n(17)]
    vehicle: String,
    #[n(18)]
    stop_in: String,
    #[n(19)]
    stop_out: String,
    #[n(20)]
    entered_at: Option<i64>,
    #[n(21)]
    test: bool,
    #[n(22)]
    step: RideStep,
    #[n(23)]
    counter: u16,
    #[n(24)]
    written: Option<Vec<u8>>,
    #[n(25)]
    deny_version: u32,
}

impl From<TapId> for StoredId {
    fn from(id: TapId) -> Self {
        StoredId { psam: id.psam.0, terminal_seq: id.terminal_seq }
    }
}

impl From<StoredId> for TapId {
    fn from(id: StoredId) -> Self {
        TapId { psam: PsamId(id.psam), terminal_seq: id.terminal_seq }
    }
}

impl From<&PendingTap> for StoredTap {
    fn from(pending: &PendingTap) -> Self {
        let tap = pending.facts();
        StoredTap {
            card: tap.card.as_u64(),
            issuer: tap.issuer.get(),
            acquirer: tap.acquirer.get(),
            operator: tap.operator.get(),
            mode: tap.mode.code(),
            terminal: tap.terminal.as_u64(),
            terminal_seq: tap.terminal_seq,
            psam: tap.psam.0,
            card_seq: tap.card_seq,
            amount: tap.amount.get(),
            list_fare: tap.list_fare.get(),
            balance_before: tap.balance_before.get(),
            kind: tap.kind.code(),
            at: tap.at.as_seconds(),
            key_version: tap.key_version,
            algorithm: tap.algorithm,
            line: tap.line.to_string(),
            vehicle: tap.vehicle.to_string(),
            stop_in: tap.stop_in.to_string(),
            stop_out: tap.stop_out.to_string(),
            entered_at: tap.entered_at.map(CardTime::as_seconds),
            test: tap.test,
            step: pending.step(),
            counter: pending.counter(),
            written: pending.written().map(<[u8]>::to_vec),
            deny_version: pending.deny_version(),
        }
    }
}

impl StoredTap {
    /// The pending tap; `None` if a field holds what no tap can.
    pub(crate) fn pending(&self) -> Option<PendingTap> {
        let label = |text: &str| text.parse::<Label>().ok();
        let entered_at = match self.entered_at {
            Some(seconds) => Some(CardTime::from_seconds(seconds)?),
            None => None,
        };
        let record = TapRecord {
            card: CardNumber::from_u64(self.card),
            issuer: CityCode::new(self.issuer)?,
            acquirer: CityCode::new(self.acquirer)?,
            operator: OperatorId::new(self.operator)?,
            mode: Mode::from_code(self.mode)?,
            terminal: TerminalId::from_u64(self.terminal)?,
            terminal_seq: self.terminal_seq,
            psam: PsamId(self.psam),
            card_seq: self.card_seq,
            amount: PurseFen::try_from(self.amount).ok()?,
            list_fare: PurseFen::try_from(self.list_fare).ok()?,
            balance_before: PurseFen::try_from(self.balance_before).ok()?,
            kind: TxnType::from_code(self.kind)?,
            at: CardTime::from_seconds(self.at)?,
            tac: Tac([0; 4]),
            key_version: self.key_version,
            algorithm: self.algorithm,
            line: label(&self.line)?,
            vehicle: label(&self.vehicle)?,
            stop_in: label(&self.stop_in)?,
            stop_out: label(&self.stop_out)?,
            entered_at,
            test: self.test,
        };
        Some(PendingTap::new(record, self.step, self.counter, self.written.clone(), self.deny_version))
    }
}
