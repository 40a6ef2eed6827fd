//! Verdicts (清分结论): what the centre says about a record, and why.
//!
//! Standard: none; CUX 1, the project's own record format (clearing.md section 3.4).
//! Invariant: a record gets exactly one verdict; a code, once given out, never changes its meaning.

use std::fmt;

/// What happens to a record's money. The number is the verdict of the record files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// `00`: accepted; it moves money, or is the city's own business.
    Paid = 0,
    /// `10`: the TAC does not prove it.
    WrongTac = 10,
    /// `11`: it was there before, or a counter was used twice.
    Duplicate = 11,
    /// `12`: a party that the registry or the acceptance matrix does not know.
    UnknownParty = 12,
    /// `13`: a test card's tap.
    Test = 13,
    /// `14`: more than a purse may hold.
    OverLimit = 14,
    /// `15`: the card was on the deny list.
    Denied = 15,
    /// `20`: held, because it came too late or from a wrong clock.
    Held = 20,
}

/// Why a record got its verdict. Each reason belongs to one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nothing to say against it.
    Accepted,
    /// The TAC differs from the one that the card would have made, or no key can check it.
    TacDiffers,
    /// The same tap stands in this day's records already.
    RepeatedToday,
    /// The same tap was judged on an earlier day.
    RepeatedLater,
    /// The card's counter was used by another tap: a cloned or rolled-back card.
    CardCounterReused,
    /// The PSAM's counter was used by another tap: a cloned or rolled-back PSAM.
    PsamCounterReused,
    /// The proven part of an earlier tap, with other figures or another claimant around it.
    ProofReused,
    /// No such issuer.
    UnknownIssuer,
    /// The acquirer does not take this issuer's cards on the day of the tap.
    NotAccepted,
    /// No such acquirer.
    UnknownAcquirer,
    /// No such operator.
    UnknownOperator,
    /// The operator belongs to another city.
    ForeignOperator,
    /// The terminal is not one of the operator's.
    ForeignTerminal,
    /// No agreement says how the two cities share such a tap.
    NoAgreement,
    /// The record says itself that it is a test.
    TestRecord,
    /// The amount is above the purse limit.
    AmountOverLimit,
    /// The balance before the tap is above the purse limit.
    BalanceOverLimit,
    /// The purse would have lost more than it held.
    AmountOverBalance,
    /// The card was on the deny list when it was tapped.
    OnDenyList,
    /// Older than the days a record may take.
    TooLate,
    /// Dated after the clearing day's end.
    InTheFuture,
}

/// What there is to say of a reason.
struct Row {
    reason: Reason,
    verdict: Verdict,
    code: u8,
    name: &'static str,
    zh: &'static str,
    en: &'static str,
}

const fn row(
    reason: Reason,
    verdict: Verdict,
    code: u8,
    name: &'static str,
    zh: &'static str,
    en: &'static str,
) -> Row {
    Row { reason, verdict, code, name, zh, en }
}

/// One row a reason, in the order of the enum.
#[rustfmt::skip] // a table reads by its columns
const TABLE: [Row; 21] = [
    row(Reason::Accepted, Verdict::Paid, 0, "accepted", "已受理", "accepted"),
    row(Reason::TacDiffers, Verdict::WrongTac, 1, "tac-differs", "验证码与卡片应产生的不符", "the TAC is not the card's"),
    row(Reason::RepeatedToday, Verdict::Duplicate, 1, "repeated-today", "当日已有同一笔", "the same tap stands in this day already"),
    row(Reason::RepeatedLater, Verdict::Duplicate, 2, "repeated-later", "往日已有同一笔", "the same tap was judged on an earlier day"),
    row(Reason::CardCounterReused, Verdict::Duplicate, 3, "card-counter-reused", "卡计数器被另一笔使用, 疑似克隆卡", "another tap used the card's counter: cloned card?"),
    row(Reason::PsamCounterReused, Verdict::Duplicate, 4, "psam-counter-reused", "PSAM计数器被另一笔使用, 疑似克隆PSAM", "another tap used the PSAM's counter: cloned PSAM?"),
    row(Reason::ProofReused, Verdict::Duplicate, 5, "proof-reused", "同一验证码配以其他内容", "an earlier tap's proof with another content"),
    row(Reason::UnknownIssuer, Verdict::UnknownParty, 1, "unknown-issuer", "发卡方未登记", "no such issuer"),
    row(Reason::NotAccepted, Verdict::UnknownParty, 2, "not-accepted", "该地当日不受理此城市的卡", "the acquirer does not take this issuer's cards that day"),
    row(Reason::UnknownAcquirer, Verdict::UnknownParty, 3, "unknown-acquirer", "收单方未登记", "no such acquirer"),
    row(Reason::UnknownOperator, Verdict::UnknownParty, 4, "unknown-operator", "运营单位未登记", "no such operator"),
    row(Reason::ForeignOperator, Verdict::UnknownParty, 5, "foreign-operator", "运营单位属于另一城市", "the operator belongs to another city"),
    row(Reason::ForeignTerminal, Verdict::UnknownParty, 6, "foreign-terminal", "终端不属于该运营单位", "the terminal is not one of the operator's"),
    row(Reason::NoAgreement, Verdict::UnknownParty, 7, "no-agreement", "两地之间无清分协议", "no agreement covers the two cities that day"),
    row(Reason::TestRecord, Verdict::Test, 1, "test-record", "测试记录不付款", "a test is never paid"),
    row(Reason::AmountOverLimit, Verdict::OverLimit, 1, "amount-over-limit", "交易金额超过钱包上限", "the amount is above the purse limit"),
    row(Reason::BalanceOverLimit, Verdict::OverLimit, 2, "balance-over-limit", "交易前余额超过钱包上限", "the balance before is above the purse limit"),
    row(Reason::AmountOverBalance, Verdict::OverLimit, 3, "amount-over-balance", "交易金额超过交易前余额", "the amount is above the balance before"),
    row(Reason::OnDenyList, Verdict::Denied, 1, "on-deny-list", "交易时卡已列入黑名单", "the card was on the deny list"),
    row(Reason::TooLate, Verdict::Held, 1, "too-late", "超过上送期限", "older than a record may be"),
    row(Reason::InTheFuture, Verdict::Held, 2, "in-the-future", "交易时间晚于清分日", "dated after the clearing day"),
];

impl Verdict {
    /// Every verdict, in the order of its code.
    pub const ALL: [Verdict; 8] = [
        Verdict::Paid,
        Verdict::WrongTac,
        Verdict::Duplicate,
        Verdict::UnknownParty,
        Verdict::Test,
        Verdict::OverLimit,
        Verdict::Denied,
        Verdict::Held,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stable code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Verdict::ALL.into_iter().find(|verdict| verdict.code() == code)
    }

    /// In Chinese.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Verdict::Paid => "已清分",
            Verdict::WrongTac => "交易验证码错误",
            Verdict::Duplicate => "重复交易",
            Verdict::UnknownParty => "参与方未登记或不受理",
            Verdict::Test => "测试卡交易",
            Verdict::OverLimit => "金额超限",
            Verdict::Denied => "黑名单卡交易",
            Verdict::Held => "挂起",
        }
    }

    /// In English.
    #[must_use]
    pub const fn en(self) -> &'static str {
        match self {
            Verdict::Paid => "paid",
            Verdict::WrongTac => "wrong TAC",
            Verdict::Duplicate => "duplicate",
            Verdict::UnknownParty => "unknown or not accepted party",
            Verdict::Test => "test",
            Verdict::OverLimit => "over the limit",
            Verdict::Denied => "on the deny list",
            Verdict::Held => "held",
        }
    }
}

impl Reason {
    /// Every reason, by verdict and code.
    pub fn all() -> impl Iterator<Item = Reason> {
        TABLE.iter().map(|row| row.reason)
    }

    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The verdict that this reason gives.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        self.row().verdict
    }

    /// The stable code within its verdict.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.row().code
    }

    /// From the two codes of a result file.
    #[must_use]
    pub fn from_codes(verdict: u8, code: u8) -> Option<Self> {
        Reason::all().find(|reason| reason.verdict().code() == verdict && reason.code() == code)
    }

    /// The stable name, as `verdicts.parquet` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// From the stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Reason::all().find(|reason| reason.name() == name)
    }

    /// In Chinese.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        self.row().zh
    }

    /// In English.
    #[must_use]
    pub const fn en(self) -> &'static str {
        self.row().en
    }

    /// Whether the centre must look into it: a counter or a proof was used twice with different content, which
    /// no honest card, PSAM or back end does.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        matches!(self, Reason::CardCounterReused | Reason::PsamCounterReused | Reason::ProofReused)
    }
}

/// `11/03 duplicate: another tap used the card's counter: cloned card?`
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict();
        write!(f, "{:02}/{:02} {}: {}", verdict.code(), self.code(), verdict.en(), self.en())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_codes_and_its_name() {
        for (reason, row) in Reason::all().zip(&TABLE) {
            assert_eq!(reason.row().name, row.name, "the table is in the order of the enum");
            assert_eq!(Reason::from_codes(reason.verdict().code(), reason.code()), Some(reason));
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
            assert!(!reason.zh().is_ascii() && reason.en().is_ascii(), "{reason}");
        }
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_code(verdict.code()), Some(verdict));
            assert!(Reason::all().any(|reason| reason.verdict() == verdict), "{verdict:?} has no reason");
        }
        assert_eq!(Reason::from_codes(0, 1), None);
        assert_eq!(Verdict::from_code(22), None);
    }

    #[test]
    fn codes_are_the_published_ones() {
        let codes: Vec<u8> = Verdict::ALL.into_iter().map(Verdict::code).collect();
        assert_eq!(codes, [0, 10, 11, 12, 13, 14, 15, 20]);
    }
}
