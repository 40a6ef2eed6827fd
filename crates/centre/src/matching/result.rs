//! What a day's match came to (核对结果): figures by wallet, and one sentence in both languages.

use std::collections::BTreeMap;

use model::{Date, Fen, WalletId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::kind::Kind;

/// Orders and their money on one of the three sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Side {
    /// How many.
    pub orders: u64,
    /// What they come to.
    #[schema(value_type = i64)]
    pub fen: Fen,
}

/// One wallet's day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletMatch {
    /// Whose.
    #[schema(value_type = String)]
    pub wallet: WalletId,
    /// Whether its file is there.
    pub file: bool,
    /// Orders that one side or another named for the day.
    pub orders: u64,
    /// Of those, the ones that all sides agree on.
    pub matched: u64,
    /// What the wallet says that it took for good.
    pub wallet_paid: Side,
    /// What the ledger has posted.
    pub ledger_posted: Side,
    /// What cards have proven: loads by their TACs, and cards that were issued.
    pub cards_proven: Side,
    /// What differences come to, each without its sign.
    #[schema(value_type = i64)]
    pub gap_fen: Fen,
    /// Cases of the day, by kind.
    pub cases: BTreeMap<String, u64>,
    /// What is in doubt.
    pub in_doubt: Side,
}

/// A day's match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayMatch {
    /// Which day.
    pub day: String,
    /// In words.
    pub en: String,
    /// In words.
    pub zh: String,
    /// By wallet.
    pub wallets: Vec<WalletMatch>,
}

impl Side {
    pub(crate) fn add(&mut self, fen: Fen) {
        self.orders = self.orders.saturating_add(1);
        // More than there is money: the sides would then differ, and be named.
        self.fen = self.fen.plus(fen).unwrap_or(self.fen);
    }
}

impl WalletMatch {
    pub(crate) fn new(wallet: WalletId, file: bool) -> Self {
        let none = Side::default();
        WalletMatch {
            wallet,
            file,
            orders: 0,
            matched: 0,
            wallet_paid: none,
            ledger_posted: none,
            cards_proven: none,
            gap_fen: Fen::ZERO,
            cases: BTreeMap::new(),
            in_doubt: none,
        }
    }

    pub(crate) fn count(&mut self, kind: Kind, gap: Fen) {
        let count = self.cases.entry(kind.as_str().to_owned()).or_default();
        *count = count.saturating_add(1);
        if kind == Kind::InDoubt {
            self.in_doubt.add(gap);
        }
        if kind.is_difference() {
            let gap = Fen::new(gap.get().saturating_abs());
            self.gap_fen = self.gap_fen.plus(gap).unwrap_or(self.gap_fen);
        }
    }

    /// Differences that nobody has explained.
    #[must_use]
    pub fn differences(&self) -> u64 {
        let of = |(code, count): (&String, &u64)| {
            let difference = code.parse::<Kind>().map_or(true, Kind::is_difference);
            if difference { *count } else { 0 }
        };
        self.cases.iter().map(of).fold(0, u64::saturating_add)
    }

    /// What is named and no fault, in doubt not counted.
    fn named(&self) -> u64 {
        let all = self.cases.values().copied().fold(0, u64::saturating_add);
        all.saturating_sub(self.differences()).saturating_sub(self.in_doubt.orders)
    }
}

impl DayMatch {
    pub(crate) fn new(day: Date, wallets: Vec<WalletMatch>) -> Self {
        let mut day = DayMatch { day: day.to_string(), en: String::new(), zh: String::new(), wallets };
        (day.en, day.zh) = day.sentences();
        day
    }

    /// Only what one wallet may see.
    pub(crate) fn seen_by(mut self, wallet: &WalletId) -> Self {
        self.wallets.retain(|of| of.wallet == *wallet);
        (self.en, self.zh) = self.sentences();
        self
    }

    /// The sentence, in the language of a tag.
    #[must_use]
    pub fn words(&self, lang: &str) -> &str {
        if lang == "zh" { &self.zh } else { &self.en }
    }

    /// Differences of the day that nobody has explained.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.sum(WalletMatch::differences)
    }

    /// What they come to.
    #[must_use]
    pub fn gap(&self) -> Fen {
        Fen::sum(self.wallets.iter().map(|wallet| wallet.gap_fen)).unwrap_or_default()
    }

    /// Orders that one side or another named.
    #[must_use]
    pub fn orders(&self) -> u64 {
        self.sum(|wallet| wallet.orders)
    }

    /// Orders in doubt at the day's end.
    #[must_use]
    pub fn in_doubt(&self) -> u64 {
        self.sum(|wallet| wallet.in_doubt.orders)
    }

    fn sum(&self, of: impl Fn(&WalletMatch) -> u64) -> u64 {
        self.wallets.iter().map(of).fold(0, u64::saturating_add)
    }

    fn sentences(&self) -> (String, String) {
        let (orders, wallets) = (self.orders(), self.wallets.len());
        let (doubt, named) = (self.in_doubt(), self.sum(WalletMatch::named));
        match self.differences() {
            0 => (
                format!(
                    "{orders} orders of {wallets} wallets: three sides agree to the fen; {doubt} in doubt, {named} others named"
                ),
                format!(
                    "{wallets} 家支付机构 {orders} 笔订单：三方逐分相符；存疑 {doubt} 笔，另列明 {named} 笔"
                ),
            ),
            differences => (
                format!(
                    "{orders} orders of {wallets} wallets: {differences} differences, {} fen; {doubt} in doubt, {named} others named",
                    self.gap().get()
                ),
                format!(
                    "{wallets} 家支付机构 {orders} 笔订单：差异 {differences} 笔，共 {} 分；存疑 {doubt} 笔，另列明 {named} 笔",
                    self.gap().get()
                ),
            ),
        }
    }
}
