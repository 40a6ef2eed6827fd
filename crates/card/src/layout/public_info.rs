//! File 0015: public application information (公共应用信息), 30 bytes: whose card it is and when it is good.
//!
//! Standard: CJ/T 166 (card.md section 5.2). Cities fill the reserved bytes their own way, so they are kept.

use model::{CardNumber, CityCode, Date};

use crate::fields::Fields;

/// File 0015.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicInfo {
    /// Issuer code (发卡机构): a city fills it with its telephone code or a number of its own.
    pub issuer: [u8; 2],
    /// City code.
    pub city: CityCode,
    /// Industry code; `0000` is a city card.
    pub industry: [u8; 2],
    /// Bytes 6 and 7.
    pub reserved: [u8; 2],
    /// Byte 8: `00` not enabled, `01` enabled; some cities have other values.
    pub enabled: u8,
    /// Application version.
    pub version: u8,
    /// Bytes 10 and 11: the first is `01` on a test card in some cities, others repeat the city code.
    pub test: [u8; 2],
    /// Application serial number.
    pub number: CardNumber,
    /// First day the card is good.
    pub start: Date,
    /// Last day the card is good.
    pub expiry: Date,
    /// Bytes 28 and 29.
    pub tail: [u8; 2],
}

impl PublicInfo {
    /// Length of the file.
    pub const LENGTH: usize = 30;

    /// An enabled city card of version 1.
    #[must_use]
    pub fn city_card(city: CityCode, number: CardNumber, start: Date, expiry: Date) -> Self {
        PublicInfo {
            issuer: city.to_bcd(),
            city,
            industry: [0; 2],
            reserved: [0; 2],
            enabled: 1,
            version: 1,
            test: [0; 2],
            number,
            start,
            expiry,
            tail: [0; 2],
        }
    }

    /// From the file. `None` if the city code or a date is not one.
    #[must_use]
    pub fn parse(file: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut fields = Fields::new(file);
        let info = PublicInfo {
            issuer: fields.take()?,
            city: CityCode::from_bcd(fields.take()?)?,
            industry: fields.take()?,
            reserved: fields.take()?,
            enabled: fields.byte()?,
            version: fields.byte()?,
            test: fields.take()?,
            number: CardNumber::new(fields.take()?),
            start: Date::from_bcd(fields.take()?)?,
            expiry: Date::from_bcd(fields.take()?)?,
            tail: fields.take()?,
        };
        fields.end(info)
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut file = [0; Self::LENGTH];
        let fields =
            self.issuer.into_iter().chain(self.city.to_bcd()).chain(self.industry).chain(self.reserved);
        let fields = fields.chain([self.enabled, self.version]).chain(self.test).chain(self.number.bytes());
        let fields = fields.chain(self.start.to_bcd()).chain(self.expiry.to_bcd()).chain(self.tail);
        file.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        file
    }

    /// A card that only readers under test may take.
    #[must_use]
    pub const fn is_test(&self) -> bool {
        matches!(self.test, [0x01, _])
    }
}
