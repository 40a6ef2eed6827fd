//! What the wallet answers when it does not do what was asked: one stable code each, in both languages.
//!
//! Standard: RFC 9457, problem details; the JSON of it is written in `http`.
//! Invariant: a problem means that no money moved; what became of money is an order's state, never a problem.

use std::fmt;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What it is about: a name, a field, a figure. Never a password, never a whole card number.
    pub about: String,
}

macro_rules! codes {
    ($($code:ident $status:literal $name:literal)*) => {
        /// The stable codes; `i18n/texts.toml` has their words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // their words are in the texts
        pub enum Code { $($code),* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The code as clients read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => $name),* }
            }

            /// The HTTP status it travels under.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Code::$code => $status),* }
            }
        }
    };
}

codes! {
    NameMalformed 422 "name-malformed"
    PasswordWeak 422 "password-weak"
    PasswordWrong 403 "password-wrong"
    PasswordLocked 423 "password-locked"
    UnknownPassenger 404 "unknown-passenger"
    UnknownDevice 404 "unknown-device"
    UnknownCity 422 "unknown-city"
    UnknownCard 404 "unknown-card"
    UnknownOrder 404 "unknown-order"
    OrderOver 409 "order-over"
    OrderInDoubt 409 "order-in-doubt"
    CancelUnanswered 503 "cancel-unanswered"
    CardAmbiguous 422 "card-ambiguous"
    CardNotIssued 409 "card-not-issued"
    ElementMalformed 422 "element-malformed"
    PhoneMalformed 422 "phone-malformed"
    AmountNotWholeFen 422 "amount-not-whole-fen"
    AmountNotPositive 422 "amount-not-positive"
    AmountOverLimit 422 "amount-over-limit"
    InsufficientBalance 409 "insufficient-balance"
    RequestMalformed 422 "request-malformed"
    RequestTaken 409 "request-taken"
    DemoOnly 403 "demo-only"
    FieldMissing 422 "field-missing"
    FieldNotExpected 422 "field-not-expected"
    BodyMalformed 400 "body-malformed"
    BodyTooLarge 413 "body-too-large"
    QueryMalformed 400 "query-malformed"
    HookWrong 401 "hook-wrong"
    HookClock 401 "hook-clock"
    UnknownPath 404 "unknown-path"
    MethodNotAllowed 405 "method-not-allowed"
    ChannelOrderMalformed 422 "channel-order-malformed"
    CentreSilent 503 "centre-silent"
    CentreRefused 502 "centre-refused"
    StoreFailed 503 "store-failed"
    Internal 500 "internal"
}

impl Code {
    /// A problem about `about`.
    pub fn about(self, about: impl fmt::Display) -> Problem {
        Problem { code: self, about: about.to_string().chars().take(120).collect() }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.about)
    }
}

impl std::error::Error for Problem {}

/// The store could not be read or written: a full disk, a lost file. The reason goes to the log.
impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the store failed");
        Code::StoreFailed.about("wallet.db")
    }
}

/// The ledger could not be read or written, or refused what our own rows ask of it.
impl From<ledger::LedgerError> for Problem {
    fn from(error: ledger::LedgerError) -> Self {
        tracing::error!(%error, "the ledger did not take an entry");
        match error {
            ledger::LedgerError::Refused(refusal) => {
                Code::Internal.about(format!("ledger: {}", refusal.code()))
            }
            _ => Code::StoreFailed.about("wallet-ledger.db"),
        }
    }
}

/// Every name and amount that reaches the ledger was checked before.
impl From<ledger::Malformed> for Problem {
    fn from(error: ledger::Malformed) -> Self {
        tracing::error!(%error, "an entry cannot be written");
        Code::Internal.about("ledger: malformed")
    }
}
