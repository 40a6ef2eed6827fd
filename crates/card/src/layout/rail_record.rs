//! Record `02` of file 0017: the rail trip (轨道交通), 48 bytes: where the passenger entered and left.
//!
//! Standard: the tag, the length and the status codes are those of CJ/T 166 cards in Changsha (card.md
//! section 5.6). The offsets are this project's own:
//!
//! | offset | length | field |
//! | --- | --- | --- |
//! | 0 | 3 | `02 2E` lock |
//! | 3 | 1 | status: 00 no trip, 04 entered, 05 left, 0F cancelled |
//! | 4 | 20 | entry: city 2 (BCD), operator 4, line 2, stop 2, terminal 6, time 4 |
//! | 24 | 20 | exit, likewise |
//! | 44 | 4 | what the trip cost, in fen |
//!
//! Numbers are big-endian; a time is in seconds since 1970 of the local calendar. Lines and stops have the
//! numbers their operator gives them.

use model::{CardTime, CityCode, OperatorId, PurseFen, TerminalId};

use super::Head;
use crate::fields::Fields;

/// The rail record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RailRecord {
    /// The issuer has shut rail for this card.
    pub locked: bool,
    /// The last trip.
    pub trip: RailTrip,
}

/// How far the last trip got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RailTrip {
    /// Never used.
    None,
    /// Inside the paid area.
    Entered {
        /// Where and when.
        entry: GatePass,
    },
    /// Outside again, paid.
    Left {
        /// Where and when the trip began.
        entry: GatePass,
        /// Where and when it ended.
        exit: GatePass,
        /// What it cost.
        fare: PurseFen,
    },
    /// Entered, and let out again as if never entered.
    Cancelled {
        /// Where and when.
        entry: GatePass,
    },
}

/// One passage of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatePass {
    /// The gate's city.
    pub city: CityCode,
    /// Who runs it.
    pub operator: OperatorId,
    /// Line, as the operator numbers them.
    pub line: u16,
    /// Stop, as the operator numbers them.
    pub stop: u16,
    /// The gate.
    pub terminal: TerminalId,
    /// When.
    pub at: CardTime,
}

const PASS: usize = 20;

impl RailRecord {
    /// The record's tag.
    pub const TAG: u8 = 0x02;
    /// Length of the record.
    pub const LENGTH: usize = 48;
    /// As issued.
    pub const BLANK: RailRecord = RailRecord { locked: false, trip: RailTrip::None };

    /// From the record. `None` if it is not one of ours.
    #[must_use]
    pub fn parse(record: &[u8]) -> Option<Self> {
        let (head, body) = Head::split(record)?;
        if head.tag != Self::TAG || record.len() != Self::LENGTH {
            return None;
        }
        let mut fields = Fields::new(body);
        let (status, entry, exit) = (fields.byte()?, fields.take::<PASS>()?, fields.take::<PASS>()?);
        let fare = PurseFen::from_be_bytes(fields.take()?)?;
        let trip = match status {
            0x00 => RailTrip::None,
            0x04 => RailTrip::Entered { entry: GatePass::parse(&entry)? },
            0x05 => RailTrip::Left { entry: GatePass::parse(&entry)?, exit: GatePass::parse(&exit)?, fare },
            0x0F => RailTrip::Cancelled { entry: GatePass::parse(&entry)? },
            _ => return None,
        };
        fields.end(RailRecord { locked: head.locked, trip })
    }

    /// The record.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let none = [0; PASS];
        let (status, entry, exit, fare) = match self.trip {
            RailTrip::None => (0x00, none, none, PurseFen::ZERO),
            RailTrip::Entered { entry } => (0x04, entry.to_bytes(), none, PurseFen::ZERO),
            RailTrip::Left { entry, exit, fare } => (0x05, entry.to_bytes(), exit.to_bytes(), fare),
            RailTrip::Cancelled { entry } => (0x0F, entry.to_bytes(), none, PurseFen::ZERO),
        };
        let body = [status].into_iter().chain(entry).chain(exit).chain(fare.to_be_bytes());
        Head { tag: Self::TAG, locked: self.locked }.write(body)
    }
}

impl GatePass {
    fn parse(bytes: &[u8; PASS]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let pass = GatePass {
            city: CityCode::from_bcd(fields.take()?)?,
            operator: OperatorId::new(u32::from_be_bytes(fields.take()?))?,
            line: u16::from_be_bytes(fields.take()?),
            stop: u16::from_be_bytes(fields.take()?),
            terminal: TerminalId::new(fields.take()?),
            at: parse_seconds(fields.take()?)?,
        };
        fields.end(pass)
    }

    fn to_bytes(self) -> [u8; PASS] {
        let fields = self.city.to_bcd().into_iter().chain(self.operator.get().to_be_bytes());
        let fields = fields.chain(self.line.to_be_bytes()).chain(self.stop.to_be_bytes());
        let fields = fields.chain(self.terminal.bytes()).chain(seconds(self.at));
        let mut bytes = [0; PASS];
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        bytes
    }
}

/// Seconds as four bytes: enough until 2106.
pub(super) fn seconds(at: CardTime) -> [u8; 4] {
    u32::try_from(at.as_seconds().max(0)).unwrap_or(u32::MAX).to_be_bytes()
}

/// [`seconds`] read back.
pub(super) fn parse_seconds(bytes: [u8; 4]) -> Option<CardTime> {
    CardTime::from_seconds(i64::from(u32::from_be_bytes(bytes)))
}
