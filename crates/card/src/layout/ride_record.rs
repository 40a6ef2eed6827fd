//! Record `03` of file 0017: the last ride that was paid at once (公交), 27 bytes, for transfer discounts.
//!
//! Standard: the tag is that of the bus record of CJ/T 166 cards in Changsha (card.md section 5.6). The
//! length and the offsets are this project's own:
//!
//! | offset | length | field |
//! | --- | --- | --- |
//! | 0 | 3 | `03 19` lock |
//! | 3 | 1 | mode: industry code of the record files; 00 no ride yet |
//! | 4 | 4 | time: seconds since 1970 of the local calendar |
//! | 8 | 2 | city (BCD) |
//! | 10 | 4 | operator |
//! | 14 | 2 | line, as the operator numbers them |
//! | 16 | 6 | terminal |
//! | 22 | 4 | amount paid, in fen |
//! | 26 | 1 | transfers made in a row so far, this ride included |

use model::{CardTime, CityCode, Mode, OperatorId, PurseFen, TerminalId};

use super::Head;
use super::rail_record::{parse_seconds, seconds};
use crate::fields::Fields;

/// The ride record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RideRecord {
    /// The issuer has shut rides for this card.
    pub locked: bool,
    /// The last ride, if there was one.
    pub last: Option<LastRide>,
}

/// A ride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRide {
    /// Bus, ferry, taxi, ...
    pub mode: Mode,
    /// When.
    pub at: CardTime,
    /// Where.
    pub city: CityCode,
    /// Who ran it.
    pub operator: OperatorId,
    /// Line, as the operator numbers them.
    pub line: u16,
    /// The reader.
    pub terminal: TerminalId,
    /// What it cost after discounts.
    pub paid: PurseFen,
    /// Transfers in a row, this ride included; 0: the ride began a new chain.
    pub transfers: u8,
}

impl RideRecord {
    /// The record's tag.
    pub const TAG: u8 = 0x03;
    /// Length of the record.
    pub const LENGTH: usize = 27;
    /// As issued.
    pub const BLANK: RideRecord = RideRecord { locked: false, last: None };

    /// From the record. `None` if it is not one of ours.
    #[must_use]
    pub fn parse(record: &[u8]) -> Option<Self> {
        let (head, body) = Head::split(record)?;
        if head.tag != Self::TAG || record.len() != Self::LENGTH {
            return None;
        }
        let mut fields = Fields::new(body);
        let mode = fields.byte()?;
        if mode == 0 {
            return Some(RideRecord { locked: head.locked, last: None });
        }
        let last = LastRide {
            mode: Mode::from_code(mode)?,
            at: parse_seconds(fields.take()?)?,
            city: CityCode::from_bcd(fields.take()?)?,
            operator: OperatorId::new(u32::from_be_bytes(fields.take()?))?,
            line: u16::from_be_bytes(fields.take()?),
            terminal: TerminalId::new(fields.take()?),
            paid: PurseFen::from_be_bytes(fields.take()?)?,
            transfers: fields.byte()?,
        };
        fields.end(RideRecord { locked: head.locked, last: Some(last) })
    }

    /// The record.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let head = Head { tag: Self::TAG, locked: self.locked };
        let Some(ride) = self.last else { return head.write([]) };
        let body = [ride.mode.code()].into_iter().chain(seconds(ride.at)).chain(ride.city.to_bcd());
        let body = body.chain(ride.operator.get().to_be_bytes()).chain(ride.line.to_be_bytes());
        let body = body.chain(ride.terminal.bytes()).chain(ride.paid.to_be_bytes()).chain([ride.transfers]);
        head.write(body)
    }
}
