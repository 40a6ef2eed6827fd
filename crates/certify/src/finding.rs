//! What the kit finds (认证结论): one stable code for each kind of fault, with its words in both languages.

use serde::{Deserialize, Serialize};

/// The same in English and Chinese.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// One thing that a wallet does wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable code, such as `double-order`.
    pub code: String,
    /// What it means.
    pub words: Words,
    /// What was seen, and what was expected.
    pub seen: String,
}

macro_rules! codes {
    ($($code:ident $name:literal $en:literal $zh:literal)*) => {
        /// The codes of findings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // their words stand beside them
        pub enum Code { $($code),* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// As reports have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => $name),* }
            }

            /// What it means.
            #[must_use]
            pub fn words(self) -> Words {
                let (en, zh) = match self { $(Code::$code => ($en, $zh)),* };
                Words { en: en.to_owned(), zh: zh.to_owned() }
            }
        }
    };
}

codes! {
    DriverFailed "driver-failed" "The driver did not do what it was asked." "驱动程序没有完成要求的操作。"
    OrderNotSent "order-not-sent" "The wallet placed no order with the centre, or another than it says." "钱包没有向清算中心下单，或所报订单号与实际不符。"
    DoubleOrder "double-order" "One payment became two orders: a repetition must carry the same id." "一次付款变成了两笔订单：重发必须使用相同的编号。"
    BodyChanged "body-changed" "A repetition carried another body: the same id must carry the same bytes." "重发的报文内容不同：相同编号必须携带相同字节。"
    AmountDiffers "amount-differs" "The order's amount is not what the passenger asked for." "订单金额与乘客要求不符。"
    NotRepeated "not-repeated" "After silence the wallet neither sent the order again nor asked for it." "没有收到应答后，钱包既不重发订单也不查询。"
    MoneyNotHeld "money-not-held" "While an order's end is not known, its money must be held: not spendable, and not gone." "订单结果未明时，款项必须冻结：不可再用，也不可消失。"
    MoneyNotTaken "money-not-taken" "The order is done, and the passenger's money is not what it must be." "订单已完成，但乘客的余额不对。"
    MoneyNotBack "money-not-back" "The order is refused, and the money is not back exactly once." "订单已拒绝，款项没有恰好退回一次。"
    MoneyAppeared "money-appeared" "The passenger's money in all is not what it must be." "乘客的总金额不对。"
    DoneTooSoon "done-too-soon" "The wallet says done before the centre did." "清算中心尚未确认，钱包已显示完成。"
    FailedTooSoon "failed-too-soon" "The wallet says refused, and the centre did not." "清算中心没有拒绝，钱包已显示失败。"
    DoubtNotShown "doubt-not-shown" "An order in doubt must be shown as in doubt." "存疑的订单必须显示为存疑。"
    NotSettled "not-settled" "The wallet did not follow the centre's last word on the order." "钱包没有按清算中心的最终结果处理订单。"
    FinalLeft "final-left" "A late or repeated answer moved an order that was at its end." "迟到或重复的应答改动了已结束的订单。"
    CancelNotSent "cancel-not-sent" "The wallet says that the order is taken back, and did not have the centre take it back." "钱包显示已撤单，但没有让清算中心撤单。"
    RefundDiffers "refund-differs" "What the passenger has got for the returned card is not what the card has proven, exactly once." "乘客退卡所得与卡所证明的金额不符，或没有恰好入账一次。"
    DayFileBad "day-file-bad" "The daily file is not as docs/match.md says." "日对账文件格式不符合 docs/zh/match.md。"
    DayOrderMissing "day-order-missing" "The daily file does not name an order of the day." "日对账文件缺少当日的订单。"
    DayOrderTwice "day-order-twice" "The daily file names an order twice." "日对账文件中同一订单出现两次。"
    DayDiffers "day-differs" "The daily file says another amount or another state of an order than is so." "日对账文件中订单的金额或状态不对。"
    PageLost "page-lost" "Walking the centre's pages, the wallet lost an order." "逐页读取清算中心的订单时漏了订单。"
    PageDoubled "page-doubled" "Walking the centre's pages, the wallet saw an order twice." "逐页读取清算中心的订单时重复了订单。"
    HookRefused "hook-refused" "The wallet did not take a good webhook: each is answered 2xx, also the second time." "钱包没有接受正确的推送：每次都应答 2xx，重复的也一样。"
    HookIgnored "hook-ignored" "The wallet took a webhook and did not ask the centre about its order." "钱包收到推送后没有向清算中心查询订单。"
    HookForged "hook-forged" "The wallet took a webhook whose signature does not verify." "钱包接受了签名不正确的推送。"
    HookOld "hook-old" "The wallet took a webhook whose time is long past." "钱包接受了时间早已过去的推送。"
    NonceReused "nonce-reused" "A nonce was used twice: each request, also a repetition, is signed anew." "随机数重复使用：每次请求（包括重发）都要重新签名。"
    SignatureBad "signature-bad" "The centre refused a signature or a digest." "清算中心拒绝了签名或摘要。"
    RequestRefused "request-refused" "The centre refused a request in a scenario where nothing was wrong." "在没有故障的场景中，清算中心拒绝了请求。"
    KitFailed "kit-failed" "The kit itself could not play the scenario." "认证工具自身无法完成该场景。"
}

impl Code {
    /// A finding of this kind.
    #[must_use]
    pub fn seen(self, seen: impl std::fmt::Display) -> Finding {
        Finding { code: self.as_str().to_owned(), words: self.words(), seen: seen.to_string() }
    }
}
