//! The driver contract (驱动约定): a few verbs that a wallet's developer writes in an evening, in any language.
//!
//! Each is one request to the wallet and one line of JSON back; the wallet keeps its own state between them, as it does
//! between the taps of a passenger. Sessions need no hand-over: the kit is the centre, and knows them.

use serde::Deserialize;

/// What a driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A new passenger with a phone, and with money in the wallet.
    Open,
    /// Order a card of the city onto the passenger's phone.
    Issue,
    /// Order a load of the card on the phone, or of the plastic card held to it.
    Load,
    /// Order the plastic card back, and its whole value with it.
    Refund,
    /// Take the order back; then say how it stands, whether the centre was heard or not.
    Cancel,
    /// Register the webhook at the centre; nothing to do for a wallet that has none or has registered it.
    Hook,
    /// Walk the pages of the wallet's orders at the centre.
    Walk,
    /// Make the daily file of the day, as far as it has come.
    Day,
    /// Ask the centre how the order stands, as the wallet does for a passenger who looks.
    Show,
}

/// One request to a driver; the environment of a command.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What to do: `YIKATONG_DO`.
    pub verb: Verb,
    /// The scenario's code: `YIKATONG_SCENARIO`.
    pub scenario: &'static str,
    /// The centre: `YIKATONG_CENTRE`.
    pub centre: String,
    /// The wallet's id, the keyid of its signatures: `YIKATONG_WALLET`.
    pub wallet: String,
    /// The passenger's name: `YIKATONG_USER`.
    pub user: String,
    /// The city that issues: `YIKATONG_CITY`.
    pub city: String,
    /// The phone model: `YIKATONG_PHONE`.
    pub phone: String,
    /// The phone's secure element: `YIKATONG_SE_ID`.
    pub se_id: String,
    /// With `open` the money in the wallet, with `load` the amount: `YIKATONG_AMOUNT_FEN`.
    pub amount_fen: i64,
    /// With `day`, which: `YIKATONG_DAY`, as 2014-10-20.
    pub day: String,
    /// Whether the load is of a plastic card: `YIKATONG_PLASTIC`, 1 or 0.
    pub plastic: bool,
    /// With `show` and `cancel`, the order: `YIKATONG_ORDER`.
    pub order: String,
}

/// A driver's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// The wallet's id of the order, the one that it gave the centre.
    #[serde(default)]
    pub order: Option<String>,
    /// How the wallet says it stands: `unknown` (no word of the centre), `created`, `running`, `in_doubt`, `done`,
    /// `refused`, `cancelled`.
    #[serde(default)]
    pub state: Option<String>,
    /// The passenger's money that may be spent.
    pub available_fen: i64,
    /// The passenger's money that is held for open orders.
    pub held_fen: i64,
    /// With `walk`, the ids of all orders that the centre has; absent for a wallet that walks no pages.
    #[serde(default)]
    pub orders: Option<Vec<String>>,
    /// With `day`, the file's text.
    #[serde(default)]
    pub file: Option<String>,
}

/// The way to the wallet under test.
pub trait Driver {
    /// Does what is asked, and says how the wallet stands afterwards.
    ///
    /// # Errors
    /// The driver's own words; the scenario ends there.
    fn ask(&mut self, ask: &Ask) -> Result<Said, String>;
}

impl Verb {
    /// As the environment has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Open => "open",
            Verb::Issue => "issue",
            Verb::Load => "load",
            Verb::Refund => "refund",
            Verb::Cancel => "cancel",
            Verb::Hook => "hook",
            Verb::Walk => "walk",
            Verb::Day => "day",
            Verb::Show => "show",
        }
    }
}

impl Ask {
    /// The environment of a command.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 12] {
        [
            ("YIKATONG_DO", self.verb.as_str().to_owned()),
            ("YIKATONG_SCENARIO", self.scenario.to_owned()),
            ("YIKATONG_CENTRE", self.centre.clone()),
            ("YIKATONG_WALLET", self.wallet.clone()),
            ("YIKATONG_USER", self.user.clone()),
            ("YIKATONG_CITY", self.city.clone()),
            ("YIKATONG_PHONE", self.phone.clone()),
            ("YIKATONG_SE_ID", self.se_id.clone()),
            ("YIKATONG_AMOUNT_FEN", self.amount_fen.to_string()),
            ("YIKATONG_DAY", self.day.clone()),
            ("YIKATONG_PLASTIC", u8::from(self.plastic).to_string()),
            ("YIKATONG_ORDER", self.order.clone()),
        ]
    }
}
