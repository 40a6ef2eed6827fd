//! What a tap (刷卡) and a load (圈存) leave behind: everything needed to recompute the TAC, and who was there.

use std::fmt;
use std::str::FromStr;

use crate::money::PurseFen;
use crate::number::{CardNumber, CityCode, NumberError, PsamId, TerminalId};
use crate::party::{OperatorId, WalletId};
use crate::time::CardTime;

/// Transaction verification code (交易验证码): the 4-byte MAC that proves a transaction.
///
/// Comparing two records may use `==`; proving one goes through `keys`, in constant time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tac(pub [u8; 4]);

/// The kind of service a reader belongs to; the number is the industry code of the record files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names say it
pub enum Mode {
    Bus = 1,
    Metro = 2,
    Ferry = 3,
    Taxi = 4,
    Bike = 5,
    Parking = 6,
    Shop = 7,
}

/// Transaction type as the card's log and every MAC has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TxnType {
    /// `02`: load of the electronic purse.
    Load = 0x02,
    /// `06`: purchase.
    Purchase = 0x06,
    /// `09`: compound purchase (复合消费).
    Compound = 0x09,
}

/// At most 8 printable ASCII characters: a line, a vehicle, a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// One accepted tap, as the terminal recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapRecord {
    /// Whose card.
    pub card: CardNumber,
    /// The card's city.
    pub issuer: CityCode,
    /// The reader's city.
    pub acquirer: CityCode,
    /// Who runs the reader.
    pub operator: OperatorId,
    /// What the passenger rode or bought.
    pub mode: Mode,
    /// The reader's number, as in the TAC.
    pub terminal: TerminalId,
    /// The PSAM's transaction counter, as in the TAC.
    pub terminal_seq: u32,
    /// The security module in the reader.
    pub psam: PsamId,
    /// The card's offline counter as its log keeps it: after this purchase (for amount 0 of a
    /// compound purchase the counter does not move).
    pub card_seq: u16,
    /// What the purse lost.
    pub amount: PurseFen,
    /// The fare before discounts.
    pub list_fare: PurseFen,
    /// The purse before the tap.
    pub balance_before: PurseFen,
    /// Purchase or compound purchase.
    pub kind: TxnType,
    /// When, local, as in the TAC.
    pub at: CardTime,
    /// The proof.
    pub tac: Tac,
    /// Version of the purchase key that the card named.
    pub key_version: u8,
    /// Algorithm that the card named; 0 is 3DES.
    pub algorithm: u8,
    /// Line, if any.
    pub line: Label,
    /// Vehicle, if any.
    pub vehicle: Label,
    /// Where the passenger entered, if the mode has it.
    pub stop_in: Label,
    /// Where the passenger left, if the mode has it.
    pub stop_out: Label,
    /// When the passenger entered, if the mode has it.
    pub entered_at: Option<CardTime>,
    /// A test card's tap: never paid.
    pub test: bool,
}

/// One load that a card has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRecord {
    /// The wallet's order.
    pub order: String,
    /// Who took the money.
    pub wallet: WalletId,
    /// Whose card.
    pub card: CardNumber,
    /// The card's city.
    pub issuer: CityCode,
    /// The load point's number, as in the TAC.
    pub terminal: TerminalId,
    /// The card's online counter before this load, as in the TAC.
    pub counter: u16,
    /// What the purse got.
    pub amount: PurseFen,
    /// The purse before the load.
    pub balance_before: PurseFen,
    /// When, local, as in the TAC.
    pub at: CardTime,
    /// The proof.
    pub tac: Tac,
}

impl TapRecord {
    /// Whether the card was tapped outside its issuer's city (异地).
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.issuer != self.acquirer
    }
}

impl Mode {
    /// Every mode, in the order of its industry code.
    pub const ALL: [Mode; 7] =
        [Mode::Bus, Mode::Metro, Mode::Ferry, Mode::Taxi, Mode::Bike, Mode::Parking, Mode::Shop];

    /// From the industry code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Mode::ALL.into_iter().find(|mode| mode.code() == code)
    }

    /// The industry code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The mode's name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Bus => "bus",
            Mode::Metro => "metro",
            Mode::Ferry => "ferry",
            Mode::Taxi => "taxi",
            Mode::Bike => "bike",
            Mode::Parking => "parking",
            Mode::Shop => "shop",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TxnType {
    /// From the card's byte.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x02 => Some(TxnType::Load),
            0x06 => Some(TxnType::Purchase),
            0x09 => Some(TxnType::Compound),
            _ => None,
        }
    }

    /// The card's byte.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl Tac {
    /// As the number of a record file.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// From the number of a record file.
    #[must_use]
    pub const fn from_u32(number: u32) -> Self {
        Tac(number.to_be_bytes())
    }
}

impl Label {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let fits = text.len() <= 8 && text.bytes().all(|b| (0x20..0x7F).contains(&b));
        if !fits {
            return Err(NumberError::new(text, "a label", "at most 8 printable ASCII characters"));
        }
        Ok(Label(text.trim_end().to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
