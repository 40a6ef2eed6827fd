//! INIT SAM FOR PURCHASE: the PSAM derives the card's purchase key, opens the session and gives MAC1.
//!
//! Standard: PSAM command `80 70` (card.md section 4): Lc is `1C`, `24` or `2C` with one, two or three
//! diversifiers, the card's own first.

use model::{CardNumber, CardTime, CityCode, PurseFen, TxnType};
use smartcard::{Apdu, Command, Status};

use super::expect_header;

const HEADER: [u8; 4] = [0x80, 0x70, 0x00, 0x00];
/// Bytes before the diversifiers.
const FACTS: usize = 20;

/// `80 70 00 00`: everything MAC1 is made of, from the card's answer to INITIALIZE. Answered by [`SamOffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitSamForPurchase {
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's offline counter.
    pub counter: u16,
    /// What the purse is to lose.
    pub amount: PurseFen,
    /// Purchase or compound purchase.
    pub kind: TxnType,
    /// The terminal's date and time.
    pub at: CardTime,
    /// Version of the card's purchase key.
    pub key_version: u8,
    /// Algorithm of the card's purchase key.
    pub algorithm: u8,
    /// What leads from the PSAM's key to the card's.
    pub diversifiers: Diversifiers,
}

/// 8-byte diversifiers in the order of the wire: the card's number first, then the levels above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diversifiers {
    /// For a PSAM that holds its city's key.
    Card([u8; 8]),
    /// For a PSAM that holds the national root: card, city.
    CardAndCity([u8; 8], [u8; 8]),
    /// For a PSAM with one more level above the city.
    CardCityAndRegion([u8; 8], [u8; 8], [u8; 8]),
}

/// The PSAM's transaction number and MAC1. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamOffer {
    /// Never given twice.
    pub terminal_seq: u32,
    /// Proves the terminal to the card.
    pub mac1: [u8; 4],
}

impl Diversifiers {
    /// For a card as a PSAM of its own city derives it.
    #[must_use]
    pub const fn local(card: CardNumber) -> Self {
        Diversifiers::Card(card.bytes())
    }

    /// For a card as a national PSAM derives it.
    #[must_use]
    pub fn national(card: CardNumber, city: CityCode) -> Self {
        Diversifiers::CardAndCity(card.bytes(), city.diversifier())
    }

    /// In the order of the wire.
    #[must_use]
    pub fn levels(&self) -> Vec<[u8; 8]> {
        match *self {
            Diversifiers::Card(card) => vec![card],
            Diversifiers::CardAndCity(card, city) => vec![card, city],
            Diversifiers::CardCityAndRegion(card, city, region) => vec![card, city, region],
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.as_chunks::<8>() {
            ([card], []) => Some(Diversifiers::Card(*card)),
            ([card, city], []) => Some(Diversifiers::CardAndCity(*card, *city)),
            ([card, city, region], []) => Some(Diversifiers::CardCityAndRegion(*card, *city, *region)),
            _ => None,
        }
    }
}

impl SamOffer {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.terminal_seq.to_be_bytes(), self.mac1].concat()
    }
}

impl Command for InitSamForPurchase {
    type Response = SamOffer;

    fn to_apdu(&self) -> Apdu {
        let mut data = self.random.to_vec();
        data.extend(self.counter.to_be_bytes());
        data.extend(self.amount.to_be_bytes());
        data.push(self.kind.code());
        data.extend(self.at.date_bcd());
        data.extend(self.at.time_bcd());
        data.extend([self.key_version, self.algorithm]);
        data.extend(self.diversifiers.levels().concat());
        Apdu::new(HEADER, data, Some(8))
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect_header(apdu, HEADER)?;
        let (facts, levels) = apdu.data.split_first_chunk::<FACTS>().ok_or(Status::WRONG_LENGTH)?;
        let diversifiers = Diversifiers::parse(levels).ok_or(Status::WRONG_LENGTH)?;
        let [r1, r2, r3, r4, c1, c2, a1, a2, a3, a4, kind, d1, d2, d3, d4, t1, t2, t3, version, algorithm] =
            *facts;
        Ok(InitSamForPurchase {
            random: [r1, r2, r3, r4],
            counter: u16::from_be_bytes([c1, c2]),
            amount: PurseFen::from_be_bytes([a1, a2, a3, a4]).ok_or(Status::WRONG_DATA)?,
            kind: TxnType::from_code(kind).ok_or(Status::WRONG_DATA)?,
            at: CardTime::from_bcd([d1, d2, d3, d4], [t1, t2, t3]).ok_or(Status::WRONG_DATA)?,
            key_version: version,
            algorithm,
            diversifiers,
        })
    }

    fn parse_response(data: &[u8]) -> Option<SamOffer> {
        match *data {
            [s1, s2, s3, s4, m1, m2, m3, m4] => {
                Some(SamOffer { terminal_seq: u32::from_be_bytes([s1, s2, s3, s4]), mac1: [m1, m2, m3, m4] })
            }
            _ => None,
        }
    }
}
