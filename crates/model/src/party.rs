//! Who may owe whom: issuers (通卡公司), acquirers (收单方), operators (运营单位), wallets (第三方支付), channels (渠道).

use std::fmt;
use std::str::FromStr;

use crate::number::{CityCode, NumberError};

/// An operator's number: city code, industry and a running number, 8 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct OperatorId(u32);

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
    /// Whose app holds the card to the phone; a wallet pays.
    Channel(ChannelId),
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

/// An id that is the name of a file in the registry.
macro_rules! file_ids {
    ($($(#[$doc:meta])* $id:ident $what:literal)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $id(String);

        impl $id {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $id {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                let plain = (1..=32).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if plain {
                    Ok($id(text.to_owned()))
                } else {
                    Err(NumberError::new(text, $what, "1 to 32 of a-z, 0-9 and -"))
                }
            }
        }

        impl TryFrom<String> for $id {
            type Error = NumberError;
            fn try_from(text: String) -> Result<Self, NumberError> {
                text.parse()
            }
        }

        impl From<$id> for String {
            fn from(id: $id) -> String {
                id.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

file_ids! {
    /// A wallet's id in the registry: its file name, such as `alipay`.
    WalletId "a wallet id"
    /// A channel's id in the registry: its file name, such as `elechong`.
    ChannelId "a channel id"
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
            Party::Channel(_) => "channel",
        }
    }

    /// The party's own id, without its role.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Party::Issuer(city) | Party::Acquirer(city) => city.to_string(),
            Party::Operator(operator) => operator.to_string(),
            Party::Wallet(wallet) => wallet.to_string(),
            Party::Channel(channel) => channel.to_string(),
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
            Some(("channel", id)) => id.parse().map(Party::Channel),
            _ => Err(NumberError::new(text, "a party", "role:id, such as issuer:2000")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_reads_back_from_its_name() {
        for name in
            ["issuer:2000", "acquirer:0670", "operator:20000201", "wallet:baidu-wallet", "channel:elechong"]
        {
            assert_eq!(name.parse::<Party>().unwrap().to_string(), name);
        }
        for wrong in
            ["issuer", "issuer:20", "bank:1", "wallet:", "wallet:A", "channel:", "operator:123456789"]
        {
            assert!(wrong.parse::<Party>().is_err(), "{wrong}");
        }
    }
}
