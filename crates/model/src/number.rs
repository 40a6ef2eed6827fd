//! The numbers that stand on cards and terminals: stored raw, shown per city, masked in logs.

use std::fmt;
use std::str::FromStr;

/// Text that is not the number it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}; expected {expected}")]
pub struct NumberError {
    text: String,
    what: &'static str,
    expected: &'static str,
}

impl NumberError {
    pub(crate) fn new(text: &str, what: &'static str, expected: &'static str) -> Self {
        NumberError { text: text.chars().take(40).collect(), what, expected }
    }
}

/// Application serial number (应用序列号, the logical card number): bytes 12 to 19 of file 0015.
///
/// `Display` and `Debug` mask all but the first and last two bytes, so it is safe in logs;
/// [`CardNumber::raw`] and [`CardNumber::shown`] give it whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardNumber([u8; 8]);

/// How a city prints its card numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardNumberFormat {
    /// All 16 hex digits.
    #[default]
    Hex16,
    /// The last four bytes as a decimal number, big-endian.
    DecimalBigEndian,
    /// The last four bytes as a decimal number, little-endian.
    DecimalLittleEndian,
}

impl CardNumber {
    /// From the card's eight bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        CardNumber(bytes)
    }

    /// The card's eight bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// The eight bytes as one big-endian number, as record files keep it.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// From the number of a record file.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        CardNumber(number.to_be_bytes())
    }

    /// The 16 hex digits, unmasked: for files and answers to those who may know them, never for logs.
    #[must_use]
    pub fn raw(self) -> String {
        hex::encode_upper(self.0)
    }

    /// As the city prints it on the card, unmasked.
    #[must_use]
    pub fn shown(self, format: CardNumberFormat) -> String {
        let [.., a, b, c, d] = self.0;
        match format {
            CardNumberFormat::Hex16 => self.raw(),
            CardNumberFormat::DecimalBigEndian => u32::from_be_bytes([a, b, c, d]).to_string(),
            CardNumberFormat::DecimalLittleEndian => u32::from_le_bytes([a, b, c, d]).to_string(),
        }
    }
}

impl FromStr for CardNumber {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| NumberError::new("(masked)", "a card number", "16 hex digits"))?;
        Ok(CardNumber(bytes))
    }
}

/// Masked: `3100********0042`.
impl fmt::Display for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, .., y, z] = self.0;
        write!(f, "{a:02X}{b:02X}********{y:02X}{z:02X}")
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardNumber({self})")
    }
}

/// A terminal's number (终端机编号): 6 bytes, part of every MAC and TAC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalId([u8; 6]);

impl TerminalId {
    /// From the six bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        TerminalId(bytes)
    }

    /// The six bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The six bytes as a number, as record files keep it.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// From the number of a record file. `None` above six bytes.
    #[must_use]
    pub const fn from_u64(number: u64) -> Option<Self> {
        match number.to_be_bytes() {
            [0, 0, a, b, c, d, e, f] => Some(TerminalId([a, b, c, d, e, f])),
            _ => None,
        }
    }
}

impl FromStr for TerminalId {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let mut bytes = [0; 6];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| NumberError::new(text, "a terminal number", "12 hex digits"))?;
        Ok(TerminalId(bytes))
    }
}

impl fmt::Display for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for TerminalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TerminalId({self})")
    }
}

/// A PSAM's serial number (消费安全存取模块).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PsamId(pub u64);

impl fmt::Display for PsamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// City Union city code (城市代码): the first four digits of the city's postal code, BCD on the card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CityCode(u16);

impl CityCode {
    /// From the four decimal digits as a number: `2000` is Shanghai. `None` above 9999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code > 9999 { None } else { Some(CityCode(code)) }
    }

    /// The four digits as a number, as record files keep it.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The card's two BCD bytes: `20 00`.
    #[must_use]
    pub fn to_bcd(self) -> [u8; 2] {
        crate::bcd::encode(u64::from(self.0))
    }

    /// From the card's two BCD bytes.
    #[must_use]
    pub fn from_bcd(bytes: [u8; 2]) -> Option<Self> {
        crate::bcd::decode(&bytes).and_then(|n| u16::try_from(n).ok()).and_then(CityCode::new)
    }

    /// The 8 bytes that derive a city's keys from the national root: `2000 FF 00 00 00 00 00`.
    ///
    /// Standard: City Union interoperability, the terminal's level-2 diversifier (card.md section 3).
    #[must_use]
    pub fn diversifier(self) -> [u8; 8] {
        let [a, b] = self.to_bcd();
        [a, b, 0xFF, 0, 0, 0, 0, 0]
    }
}

impl FromStr for CityCode {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
        let code = if digits { text.parse().ok().and_then(CityCode::new) } else { None };
        code.ok_or_else(|| NumberError::new(text, "a city code", "4 digits, such as 2000"))
    }
}

impl fmt::Display for CityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for CityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CityCode({self})")
    }
}

impl TryFrom<String> for CityCode {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

impl From<CityCode> for String {
    fn from(code: CityCode) -> String {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_never_show_a_whole_card_number() {
        let card: CardNumber = "3100123456780042".parse().unwrap();
        assert_eq!(format!("{card} {card:?}"), "3100********0042 CardNumber(3100********0042)");
        assert_eq!(card.raw(), "3100123456780042");
    }

    #[test]
    fn cities_print_their_numbers_their_own_way() {
        let card: CardNumber = "B8C646E2AC300CA7".parse().unwrap();
        assert_eq!(card.shown(CardNumberFormat::DecimalBigEndian), 0xAC30_0CA7_u32.to_string());
        assert_eq!(card.shown(CardNumberFormat::DecimalLittleEndian), 0xA70C_30AC_u32.to_string());
    }

    #[test]
    fn a_city_code_is_the_same_in_digits_in_bcd_and_in_keys() {
        let shanghai: CityCode = "2000".parse().unwrap();
        assert_eq!(shanghai.to_bcd(), [0x20, 0x00]);
        assert_eq!(CityCode::from_bcd([0x20, 0x00]), Some(shanghai));
        assert_eq!(CityCode::from_bcd([0x2A, 0x00]), None);
        assert_eq!(shanghai.diversifier(), [0x20, 0, 0xFF, 0, 0, 0, 0, 0]);
        assert!("200".parse::<CityCode>().is_err());
        assert!("+200".parse::<CityCode>().is_err());
    }

    #[test]
    fn a_terminal_number_survives_the_record_file() {
        let terminal: TerminalId = "000001000050".parse().unwrap();
        assert_eq!(TerminalId::from_u64(terminal.as_u64()), Some(terminal));
        assert_eq!(TerminalId::from_u64(1 << 48), None);
    }
}
