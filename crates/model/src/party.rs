//! Who may owe whom: issuers (通卡公司), acquirers (收单方), operators (运营单位), wallets (第三方支付).

use std::fmt;
use std::str::FromStr;

use crate::number::{CityCode, NumberError};

/// An operator's number: city code, industry and a running number, 8 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct OperatorId(u32);

/// A wallet's id in the registry: its file name, such as `alipay`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WalletId(String);

/// One side of a position. A city card company is an issuer for its cards and an acquirer for its readers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The city whose card it is.
    Issuer(CityCode),
    /// The city whose operator took the tap.
    Acquirer(CityCode),
    /// Who runs the reader.
    Operator(OperatorId),
    /// Who takes the passenger's money.
    Wallet(WalletId),
}

impl OperatorId {
    /// From the 8 digits as a number. `None` if it has more.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number > 99_999_999 { None } else { Some(OperatorId(number)) }
    }

    /// The 8 digits as a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for OperatorId {
    type Error = NumberError;
    fn try_from(number: u32) -> Result<Self, NumberError> {
        OperatorId::new(number)
            .ok_or_else(|| NumberError::new(&number.to_string(), "an operator number", "at most 8 digits"))
    }
}

impl From<OperatorId> for u32 {
    fn from(id: OperatorId) -> u32 {
        id.0
    }
}

impl FromStr for OperatorId {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let digits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let id = if digits { text.parse().ok().and_then(OperatorId::new) } else { None };
        id.ok_or_else(|| NumberError::new(text, "an operator number", "8 digits"))
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

impl WalletId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WalletId {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let plain = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain {
            return Err(NumberError::new(text, "a wallet id", "1 to 32 of a-z, 0-9 and -"));
        }
        Ok(WalletId(text.to_owned()))
    }
}

impl TryFrom<String> for WalletId {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

impl From<WalletId> for String {
    fn from(id: WalletId) -> String {
        id.0
    }
}

impl fmt::Display for WalletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Party {
    /// The role's name in `positions.csv` and account names.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self {
            Party::Issuer(_) => "issuer",
            Party::Acquirer(_) => "acquirer",
            Party::Operator(_) => "operator",
            Party::Wallet(_) => "wallet",
        }
    }

    /// The party's own id, without its role.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Party::Issuer(city) | Party::Acquirer(city) => city.to_string(),
            Party::Operator(operator) => operator.to_string(),
            Party::Wallet(wallet) => wallet.to_string(),
        }
    }
}

/// `role:id`, such as `issuer:2000`.
impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role(), self.id())
    }
}

impl FromStr for Party {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        match text.split_once(':') {
            Some(("issuer", id)) => id.parse().map(Party::Issuer),
            Some(("acquirer", id)) => id.parse().map(Party::Acquirer),
            Some(("operator", id)) => id.parse().map(Party::Operator),
            Some(("wallet", id)) => id.parse().map(Party::Wallet),
            _ => Err(NumberError::new(text, "a party", "role:id, such as issuer:2000")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_reads_back_from_its_name() {
        for name in ["issuer:2000", "acquirer:0670", "operator:20000201", "wallet:baidu-wallet"] {
            assert_eq!(name.parse::<Party>().unwrap().to_string(), name);
        }
        for wrong in ["issuer", "issuer:20", "bank:1", "wallet:", "wallet:A", "operator:123456789"] {
            assert!(wrong.parse::<Party>().is_err(), "{wrong}");
        }
    }
}
