//! Why a reader did not take a card: a stable code for machines, words for the passenger and the staff.
//!
//! Invariant: a code once given never changes; a new reason gets a new one.

use std::fmt;

use model::CardNumber;
use smartcard::Status;

macro_rules! refusals {
    ($($name:ident = $code:literal, $zh:literal, $en:literal;)*) => {
        /// Why a card was not taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal {
            $(#[doc = $en] $name,)*
        }

        impl Refusal {
            /// Every reason.
            pub const ALL: &[Refusal] = &[$(Refusal::$name,)*];

            /// Its code, for good.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Refusal::$name => $code,)* }
            }

            /// What the reader shows, in Chinese.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Refusal::$name => $zh,)* }
            }

            /// What the reader shows, in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Refusal::$name => $en,)* }
            }
        }
    };
}
refusals! {
    NotOurCard = "not-our-card", "非公共交通卡", "This is not a city transit card.";
    Blocked = "blocked", "卡已锁定，请联系发卡公司", "The card is blocked; please ask its issuer.";
    NotEnabled = "not-enabled", "卡未启用", "The card is not enabled yet.";
    NotYetValid = "not-yet-valid", "卡未到启用日期", "The card is not valid yet.";
    Expired = "expired", "卡已过期", "The card has expired.";
    TestCard = "test-card", "测试卡，不受理", "This is a test card.";
    NotAcceptedHere = "not-accepted-here", "本地暂不受理该城市的卡", "Cards of this city are not taken here yet.";
    Denied = "denied", "卡已列入黑名单，请联系发卡公司", "The card is on the deny list; please ask its issuer.";
    BalanceLow = "balance-low", "余额不足，请充值", "The balance is too low; please top up.";
    NotEntered = "not-entered", "无进站记录，请到服务台处理", "No entry on the card; please go to the service desk.";
    AlreadyEntered = "already-entered", "已有进站记录，请到服务台处理", "Already entered; please go to the service desk.";
    Overstayed = "overstayed", "超时，请到服务台处理", "Entered too long ago; please go to the service desk.";
    NoRecord = "no-record", "该卡不支持进出站记录", "The card has no place for a trip with entry and exit.";
    KeyVersion = "key-version", "卡密钥版本不受理", "The card's key version is not taken here.";
    NoFare = "no-fare", "无法计算票价", "The fare is not known; please ask the staff.";
    CardLeft = "card-left", "请重新刷卡", "Please tap again.";
    CardWrong = "card-wrong", "卡应答错误", "The card answers wrongly.";
    WrongMac2 = "wrong-mac2", "卡认证失败，请到服务台处理", "The card could not prove itself; please go to the service desk.";
    PsamAbsent = "psam-absent", "终端安全模块无应答", "Reader out of service: its security module does not answer.";
    PsamRefused = "psam-refused", "终端安全模块拒绝", "Reader out of service: its security module refuses.";
    PsamOfAnother = "psam-of-another", "终端安全模块与终端不符", "Reader out of service: another reader's security module is in it.";
    NotKept = "not-kept", "终端存储故障", "Reader out of service: it cannot keep records.";
    WrongRequest = "wrong-request", "终端不支持该操作", "This reader does not do that.";
}

/// A card that was not taken, and nothing was debited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Refusal,
    /// Whose card, if it came to say so.
    pub card: Option<CardNumber>,
    /// What the card or the PSAM answered, if that is why.
    pub status: Option<Status>,
    /// The version of the deny list that the reader holds.
    pub deny_version: u32,
}

/// `balance-low: card 3100********0042 answered 9401 (balance too low)`.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why.code())?;
        match (self.card, self.status) {
            (Some(card), Some(status)) => write!(f, ": card {card}, answer {status}"),
            (Some(card), None) => write!(f, ": card {card}"),
            (None, Some(status)) => write!(f, ": answer {status}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_words_in_both_languages() {
        for (index, refusal) in Refusal::ALL.iter().enumerate() {
            assert!(
                refusal.code().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(!refusal.zh().is_ascii() && refusal.en().ends_with('.'));
            assert!(Refusal::ALL[..index].iter().all(|other| other.code() != refusal.code()));
        }
    }

    #[test]
    fn a_refusal_in_a_log_masks_the_card() {
        let refused = Refused {
            why: Refusal::BalanceLow,
            card: Some("3100123456780042".parse().unwrap()),
            status: Some(Status::BALANCE_LOW),
            deny_version: 3,
        };
        assert_eq!(refused.to_string(), "balance-low: card 3100********0042, answer 9401 (balance too low)");
    }
}
