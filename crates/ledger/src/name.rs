//! The names a ledger goes by: accounts (账户), entries, kinds of entry. Parsed once, at the edge.

use std::fmt;
use std::str::FromStr;

use model::Fen;

/// What cannot become part of an entry, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages name the fields
pub enum Malformed {
    /// Not an account.
    #[error(
        "`{text}` is not an account; expected kind:rest, such as float:2000 \
         (kind: 1 to 32 of a-z and -; rest: 1 to 64 of A-Z, a-z, 0-9 and ._:-)"
    )]
    Account { text: String },
    /// Not a client's id.
    #[error("`{text}` is not an entry's id; expected 1 to 64 of A-Z, a-z, 0-9 and ._:-")]
    Id { text: String },
    /// Not a kind of entry.
    #[error("`{text}` is not a kind of entry; expected 1 to 32 of a-z and -")]
    Kind { text: String },
    /// Money moves in one direction only: the other direction is another leg.
    #[error("{amount} from {debit} to {credit}: a leg moves more than nothing")]
    Amount { debit: AccountName, credit: AccountName, amount: Fen },
    /// A leg that goes nowhere.
    #[error("a leg from {account} to itself moves nothing")]
    SameAccount { account: AccountName },
}

/// An account: `kind:rest`, such as `paid-in:alipay` or `due:issuer:2000`. The kind chooses the balance rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

/// The client's own id of an entry, good for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(String);

/// What an entry is for, such as `load` or `refund`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKind(String);

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

/// As much of a refused text as belongs in a message.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl AccountName {
    /// The account `kind:rest`.
    ///
    /// # Errors
    /// [`Malformed::Account`].
    pub fn new(kind: &str, rest: impl fmt::Display) -> Result<Self, Malformed> {
        let account: AccountName = format!("{kind}:{rest}").parse()?;
        if account.kind() == kind { Ok(account) } else { Err(Malformed::Account { text: shortened(kind) }) }
    }

    /// What stands before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// What stands after the first colon.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, rest)| rest)
    }
}

impl FromStr for AccountName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.split_once(':') {
            Some((kind, rest)) if is_word(kind) && is_id(rest) => Ok(AccountName(text.to_owned())),
            _ => Err(Malformed::Account { text: shortened(text) }),
        }
    }
}

impl FromStr for EntryId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if is_id(text) { Ok(EntryId(text.to_owned())) } else { Err(Malformed::Id { text: shortened(text) }) }
    }
}

impl FromStr for EntryKind {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if is_word(text) {
            Ok(EntryKind(text.to_owned()))
        } else {
            Err(Malformed::Kind { text: shortened(text) })
        }
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
as_text!(AccountName, EntryId, EntryKind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_kind_and_the_rest() {
        let account: AccountName = "payable:operator:20000201".parse().unwrap();
        assert_eq!((account.kind(), account.rest()), ("payable", "operator:20000201"));
        assert_eq!(AccountName::new("payable", "operator:20000201"), Ok(account));
    }

    #[test]
    fn what_is_no_account_is_refused() {
        let long = format!("float:{}", "1".repeat(65));
        for wrong in
            ["", "float", "float:", ":2000", "Float:2000", "float 1:2000", "float:20 00", "float:二", &long]
        {
            assert!(wrong.parse::<AccountName>().is_err(), "{wrong}");
        }
        assert!(AccountName::new("due:issuer", 2000).is_err(), "a kind has no colon");
    }

    #[test]
    fn an_id_has_1_to_64_plain_characters() {
        for right in ["1", "load:2014-10-20_A.7", &"a".repeat(64)] {
            assert!(right.parse::<EntryId>().is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert!(wrong.parse::<EntryId>().is_err(), "{wrong}");
        }
    }
}
