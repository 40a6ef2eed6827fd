//! What the centre answers when it does not do what was asked: one stable code each, in both languages.
//!
//! Standard: RFC 9457, problem details; the JSON of it is written in `http`.
//! Invariant: a problem means that no money moved; silence of a card is an order's state, never a problem.

use std::fmt;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What it is about: an id, a field, a figure. Never a whole card number, never a key.
    pub about: String,
    /// The SHA-256 of what is already stored under the id, where that is the reason.
    pub stored: Option<[u8; 32]>,
    /// After how many seconds the same request may be answered otherwise, where that is known.
    pub retry_after: Option<u32>,
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
    SignatureMissing 401 "signature-missing"
    SignatureMalformed 401 "signature-malformed"
    SignatureWrong 401 "signature-wrong"
    SignatureClock 401 "signature-clock"
    SignatureReplayed 401 "signature-replayed"
    KeyUnknown 401 "key-unknown"
    KeyNotYetValid 401 "key-not-yet-valid"
    KeyExpired 401 "key-expired"
    AlgorithmDiffers 401 "algorithm-differs"
    CertificateMissing 401 "certificate-missing"
    CertificateDiffers 403 "certificate-differs"
    TlsWanted 421 "tls-wanted"
    DigestMissing 400 "digest-missing"
    DigestWrong 400 "digest-wrong"
    NotYours 403 "not-yours"
    BodyMalformed 400 "body-malformed"
    BodyTooLarge 413 "body-too-large"
    QueryMalformed 400 "query-malformed"
    JsonTooDeep 400 "json-too-deep"
    JsonStringTooLong 400 "json-string-too-long"
    JsonNumberTooLong 400 "json-number-too-long"
    JsonMemberTwice 400 "json-member-twice"
    HeadTooSlow 408 "head-too-slow"
    BodyTooSlow 408 "body-too-slow"
    TooManyConnections 503 "too-many-connections"
    TooManyRequests 429 "too-many-requests"
    TooSlow 408 "too-slow"
    UnknownPath 404 "unknown-path"
    MethodNotAllowed 405 "method-not-allowed"
    IdMalformed 422 "id-malformed"
    IdTaken 409 "id-taken"
    UnknownCity 422 "unknown-city"
    UnknownPhone 422 "unknown-phone"
    UnknownCard 404 "unknown-card"
    UnknownOrder 404 "unknown-order"
    UnknownWebhook 404 "unknown-webhook"
    UnknownSession 404 "unknown-session"
    UnknownFile 404 "unknown-file"
    UnknownParty 404 "unknown-party"
    ElementMalformed 422 "element-malformed"
    FieldMissing 422 "field-missing"
    FieldNotExpected 422 "field-not-expected"
    AmountNotWholeFen 422 "amount-not-whole-fen"
    AmountNotPositive 422 "amount-not-positive"
    AmountOverLimit 422 "amount-over-limit"
    LimitCardDay 422 "limit-card-day"
    LimitCardHour 422 "limit-card-hour"
    LimitUserDay 422 "limit-user-day"
    LimitWalletDay 422 "limit-wallet-day"
    NetDebitCap 422 "net-debit-cap"
    LimitChannelCardDay 422 "limit-channel-card-day"
    LimitChannelCardHour 422 "limit-channel-card-hour"
    LimitChannelDay 422 "limit-channel-day"
    ChannelWallet 403 "channel-wallet"
    ChannelCity 403 "channel-city"
    ChannelVirtualCard 403 "channel-virtual-card"
    CardNumberMalformed 422 "card-number-malformed"
    UnknownChannelOrder 404 "unknown-channel-order"
    ChannelOrderDiffers 422 "channel-order-differs"
    ChannelOrderExpired 409 "channel-order-expired"
    ChannelOrderPaid 409 "channel-order-paid"
    PaidDiffers 422 "paid-differs"
    CardNotIssued 409 "card-not-issued"
    CardAlreadyIssued 409 "card-already-issued"
    CardBusy 409 "card-busy"
    CardDeleted 409 "card-deleted"
    CardReturned 409 "card-returned"
    CardSuspended 409 "card-suspended"
    CardNotSuspended 409 "card-not-suspended"
    SuspensionStands 409 "suspension-stands"
    OrderOver 409 "order-over"
    OrderInDoubt 409 "order-in-doubt"
    MoveUnfit 409 "move-unfit"
    ValueHasLeft 409 "value-has-left"
    NumbersExhausted 503 "numbers-exhausted"
    NoCommonOption 406 "no-common-option"
    WrongElement 409 "wrong-element"
    ReportMalformed 400 "report-malformed"
    ReportUnexpected 409 "report-unexpected"
    FileRefused 422 "file-refused"
    FileNameTaken 409 "file-name-taken"
    FileContentKnown 409 "file-content-known"
    DayNotMatched 404 "day-not-matched"
    UnknownCase 404 "unknown-case"
    CaseSettled 409 "case-settled"
    DecisionUnfit 422 "decision-unfit"
    ReasonMalformed 422 "reason-malformed"
    DayMalformed 422 "day-malformed"
    DayClosed 409 "day-closed"
    DayNotOver 409 "day-not-over"
    WebhookUrlMalformed 422 "webhook-url-malformed"
    WebhookNotHttps 422 "webhook-not-https"
    WebhookUnresolved 422 "webhook-unresolved"
    WebhookAddressPrivate 422 "webhook-address-private"
    WebhookLimit 409 "webhook-limit"
    StoreFailed 503 "store-failed"
    Internal 500 "internal"
}

impl Problem {
    /// A problem about `about`.
    pub fn new(code: Code, about: impl fmt::Display) -> Self {
        let about = about.to_string().chars().take(120).collect();
        Problem { code, about, stored: None, retry_after: None }
    }

    /// The id is taken by other content, whose digest is `stored`.
    pub fn taken(code: Code, about: impl fmt::Display, stored: [u8; 32]) -> Self {
        Problem { stored: Some(stored), ..Problem::new(code, about) }
    }

    /// The same, and when to come back; at least a second from now.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Problem { retry_after: Some(seconds.max(1)), ..self }
    }
}

impl Code {
    /// A problem about `about`, for `map_err` and `ok_or_else`.
    pub fn about(self, about: impl fmt::Display) -> Problem {
        Problem::new(self, about)
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

/// The store could not be read or written: a full disk, a lost file. The word for the client is the same; the
/// reason goes to the log.
impl From<crate::store::DbError> for Problem {
    fn from(error: crate::store::DbError) -> Self {
        tracing::error!(%error, "the store failed");
        Problem::new(Code::StoreFailed, "centre.db")
    }
}
