//! Transaction record (交易明细), 23 bytes, in the purchase log and the load log.
//!
//! Standard: PBOC transaction record (card.md section 5.5). The counter is the one after the transaction, as a
//! real chip writes it; some manuals say before.

use model::{CardTime, PurseFen, TerminalId, TxnType};

use crate::fields::Fields;

/// One line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Online counter of a load, offline counter of a purchase, after the transaction.
    pub counter: u16,
    /// 0 on transit cards.
    pub overdraft_limit: [u8; 3],
    /// How much.
    pub amount: PurseFen,
    /// Load, purchase or compound purchase.
    pub kind: TxnType,
    /// Where.
    pub terminal: TerminalId,
    /// When, by the terminal's clock.
    pub at: CardTime,
}

impl LogRecord {
    /// Length of a record.
    pub const LENGTH: usize = 23;

    /// From the file. `None` for a record that was never written (all `00` or all `FF`), or of a type that
    /// transit cards do not have.
    #[must_use]
    pub fn parse(record: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut fields = Fields::new(record);
        let record = LogRecord {
            counter: u16::from_be_bytes(fields.take()?),
            overdraft_limit: fields.take()?,
            amount: PurseFen::from_be_bytes(fields.take()?)?,
            kind: TxnType::from_code(fields.byte()?)?,
            terminal: TerminalId::new(fields.take()?),
            at: CardTime::from_bcd(fields.take()?, fields.take()?)?,
        };
        fields.end(record)
    }

    /// The record.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let fields = self.counter.to_be_bytes().into_iter().chain(self.overdraft_limit);
        let fields = fields.chain(self.amount.to_be_bytes()).chain([self.kind.code()]);
        let fields = fields.chain(self.terminal.bytes()).chain(self.at.date_bcd()).chain(self.at.time_bcd());
        let mut record = [0; Self::LENGTH];
        record.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        record
    }
}
