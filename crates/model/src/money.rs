//! Money (金额): whole fen (分), checked, never a float.
//!
//! Invariant: no amount changes silently; whatever does not fit is an error that says what did not fit.

use std::fmt;

/// Money in fen (1/100 yuan). Signed, as ledger positions are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Fen(i64);

/// Money as the card keeps it: 4 unsigned bytes, big-endian, in fen. Never more than `i32::MAX`,
/// because readers in the field ignore the top bit of a balance.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct PurseFen(u32);

/// A share in thousandths (千分比), 0 to 1000.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u16", into = "u16")]
pub struct PerMille(u16);

/// Why an amount could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit in the type.
    #[error("the amount does not fit: more than {0} fen")]
    Overflow(i64),
    /// A purse holds no negative amount.
    #[error("{0} fen is negative; a purse amount is 0 or more")]
    Negative(i64),
    /// A share above the whole.
    #[error("{0} per mille is more than the whole; expected 0 to 1000")]
    Share(u16),
    /// Text that is not an amount.
    #[error("not an amount in whole fen")]
    Text,
}

impl Fen {
    /// Nothing.
    pub const ZERO: Fen = Fen(0);

    /// `fen` fen.
    #[must_use]
    pub const fn new(fen: i64) -> Self {
        Fen(fen)
    }

    /// The number of fen.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Sum.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn plus(self, other: Fen) -> Result<Fen, MoneyError> {
        self.0.checked_add(other.0).map(Fen).ok_or(MoneyError::Overflow(i64::MAX))
    }

    /// Difference.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn minus(self, other: Fen) -> Result<Fen, MoneyError> {
        self.0.checked_sub(other.0).map(Fen).ok_or(MoneyError::Overflow(i64::MAX))
    }

    /// The same amount owed the other way.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the smallest number alone.
    pub fn negated(self) -> Result<Fen, MoneyError> {
        self.0.checked_neg().map(Fen).ok_or(MoneyError::Overflow(i64::MAX))
    }

    /// Sum of many.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn sum(amounts: impl IntoIterator<Item = Fen>) -> Result<Fen, MoneyError> {
        amounts.into_iter().try_fold(Fen::ZERO, Fen::plus)
    }

    /// `share` of this amount, rounded half up to a whole fen (half away from zero for debts).
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn share(self, share: PerMille) -> Result<Fen, MoneyError> {
        let product = i128::from(self.0).checked_mul(i128::from(share.0));
        let rounded = product.and_then(|p| {
            let half = if p < 0 { -500 } else { 500 };
            p.checked_add(half)?.checked_div(1000)
        });
        rounded.and_then(|r| i64::try_from(r).ok()).map(Fen).ok_or(MoneyError::Overflow(i64::MAX))
    }
}

impl PurseFen {
    /// An empty purse.
    pub const ZERO: PurseFen = PurseFen(0);
    /// The most that the four bytes may say.
    pub const MAX: PurseFen = PurseFen(i32::MAX as u32);

    /// From the card's four bytes. `None` if the top bit is set.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 4]) -> Option<Self> {
        PurseFen::try_from(u32::from_be_bytes(bytes)).ok()
    }

    /// The card's four bytes.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// The number of fen.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Sum, if it fits in the purse's bytes.
    #[must_use]
    pub fn plus(self, other: PurseFen) -> Option<PurseFen> {
        self.0.checked_add(other.0).and_then(|sum| PurseFen::try_from(sum).ok())
    }

    /// Difference, if it is not negative.
    #[must_use]
    pub fn minus(self, other: PurseFen) -> Option<PurseFen> {
        self.0.checked_sub(other.0).map(PurseFen)
    }
}

impl PerMille {
    /// A share, checked at compile time in constants.
    ///
    /// # Errors
    /// [`MoneyError::Share`] above 1000.
    pub const fn new(share: u16) -> Result<Self, MoneyError> {
        if share > 1000 { Err(MoneyError::Share(share)) } else { Ok(PerMille(share)) }
    }

    /// The number of thousandths.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<Fen> for PurseFen {
    type Error = MoneyError;
    fn try_from(fen: Fen) -> Result<Self, MoneyError> {
        if fen.0 < 0 {
            return Err(MoneyError::Negative(fen.0));
        }
        u32::try_from(fen.0).map_err(|_| MoneyError::Overflow(i64::from(i32::MAX)))?.try_into()
    }
}

impl TryFrom<u32> for PurseFen {
    type Error = MoneyError;
    fn try_from(fen: u32) -> Result<Self, MoneyError> {
        if fen > i32::MAX as u32 { Err(MoneyError::Overflow(i64::from(i32::MAX))) } else { Ok(PurseFen(fen)) }
    }
}

impl From<PurseFen> for u32 {
    fn from(fen: PurseFen) -> u32 {
        fen.0
    }
}

impl From<PurseFen> for Fen {
    fn from(fen: PurseFen) -> Fen {
        Fen(i64::from(fen.0))
    }
}

impl TryFrom<u16> for PerMille {
    type Error = MoneyError;
    fn try_from(share: u16) -> Result<Self, MoneyError> {
        PerMille::new(share)
    }
}

impl From<PerMille> for u16 {
    fn from(share: PerMille) -> u16 {
        share.0
    }
}

impl std::str::FromStr for Fen {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        text.parse().map(Fen).map_err(|_| MoneyError::Text)
    }
}

/// Yuan with two decimals, for people: `12.34`.
impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

impl fmt::Display for PurseFen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fen::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_rounds_half_up_to_a_whole_fen() {
        for (fen, share, expected) in [
            (200, 3, 1),
            (166, 3, 0),
            (167, 3, 1),
            (100, 5, 1),
            (99, 5, 0),
            (-100, 5, -1),
            (1000, 1000, 1000),
        ] {
            assert_eq!(
                Fen::new(fen).share(PerMille::new(share).unwrap()),
                Ok(Fen::new(expected)),
                "{fen} x {share}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Fen::new(i64::MAX).plus(Fen::new(1)), Err(MoneyError::Overflow(i64::MAX)));
        assert_eq!(PurseFen::try_from(Fen::new(-1)), Err(MoneyError::Negative(-1)));
        assert!(PurseFen::try_from(0x8000_0000).is_err());
        assert_eq!(PurseFen::from_be_bytes([0x80, 0, 0x16, 0x4E]), None);
        assert_eq!(PerMille::new(1001), Err(MoneyError::Share(1001)));
    }

    #[test]
    fn people_read_yuan() {
        assert_eq!(Fen::new(-5).to_string(), "-0.05");
        assert_eq!(Fen::new(123_456).to_string(), "1234.56");
    }
}
