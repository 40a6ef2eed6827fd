//! File 0005 in the root: issue information (发行信息), 40 bytes.
//!
//! Standard: CJ/T 166 in the Changsha form (card.md section 5.3); another city has another order.

use model::{CardNumber, CityCode, Date};

use super::PublicInfo;
use crate::fields::Fields;

/// File 0005.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueInfo {
    /// Issuer code.
    pub issuer: [u8; 2],
    /// City code.
    pub city: CityCode,
    /// Industry code.
    pub industry: [u8; 2],
    /// `01` on a test card.
    pub test: u8,
    /// Byte 7.
    pub reserved: u8,
    /// Application serial number.
    pub number: CardNumber,
    /// Kind of card, by the issuer's own list.
    pub card_kind: [u8; 2],
    /// Day of issue.
    pub issued: Date,
    /// The device that issued it.
    pub device: [u8; 6],
    /// Version of the card.
    pub version: [u8; 2],
    /// First day the card is good.
    pub start: Date,
    /// Last day the card is good.
    pub expiry: Date,
    /// The last two bytes.
    pub tail: [u8; 2],
}

impl IssueInfo {
    /// Length of the file.
    pub const LENGTH: usize = 40;

    /// What file 0015 already says, issued on `issued` by `device`.
    #[must_use]
    pub fn of(info: &PublicInfo, issued: Date, device: [u8; 6]) -> Self {
        IssueInfo {
            issuer: info.issuer,
            city: info.city,
            industry: info.industry,
            test: u8::from(info.is_test()),
            reserved: 0,
            number: info.number,
            card_kind: [0; 2],
            issued,
            device,
            version: [0, info.version],
            start: info.start,
            expiry: info.expiry,
            tail: [0; 2],
        }
    }

    /// From the file. `None` if the city code or a date is not one.
    #[must_use]
    pub fn parse(file: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut fields = Fields::new(file);
        let info = IssueInfo {
            issuer: fields.take()?,
            city: CityCode::from_bcd(fields.take()?)?,
            industry: fields.take()?,
            test: fields.byte()?,
            reserved: fields.byte()?,
            number: CardNumber::new(fields.take()?),
            card_kind: fields.take()?,
            issued: Date::from_bcd(fields.take()?)?,
            device: fields.take()?,
            version: fields.take()?,
            start: Date::from_bcd(fields.take()?)?,
            expiry: Date::from_bcd(fields.take()?)?,
            tail: fields.take()?,
        };
        fields.end(info)
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let fields = self.issuer.into_iter().chain(self.city.to_bcd()).chain(self.industry);
        let fields =
            fields.chain([self.test, self.reserved]).chain(self.number.bytes()).chain(self.card_kind);
        let fields = fields.chain(self.issued.to_bcd()).chain(self.device).chain(self.version);
        let fields = fields.chain(self.start.to_bcd()).chain(self.expiry.to_bcd()).chain(self.tail);
        let mut file = [0; Self::LENGTH];
        file.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        file
    }
}
