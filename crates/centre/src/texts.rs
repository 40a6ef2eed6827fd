//! Every word the centre says to people, in Chinese and English: one data file, checked when the centre opens.
//!
//! Invariant: each problem code has its words, and there are no words without a code.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::problem::{Code, Problem};

const EMBEDDED: &str = include_str!("../i18n/texts.toml");

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
    /// 中文.
    Zh,
    /// English.
    #[default]
    En,
}

/// One thing said in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrase {
    /// 中文.
    pub(crate) zh: String,
    /// English.
    pub(crate) en: String,
}

/// Title and detail of a problem.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemText {
    pub(crate) title: Phrase,
    pub(crate) detail: Phrase,
}

/// The words of the page; a missing or unknown one is an error when the file is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the file says them
pub(crate) struct PageTexts {
    pub(crate) title: Phrase,
    pub(crate) subtitle: Phrase,
    pub(crate) demo: Phrase,
    pub(crate) other_language: Phrase,
    pub(crate) now: Phrase,
    pub(crate) cities: Phrase,
    pub(crate) wallets: Phrase,
    pub(crate) phones: Phrase,
    pub(crate) cards: Phrase,
    pub(crate) loads: Phrase,
    pub(crate) loaded: Phrase,
    pub(crate) taps_home: Phrase,
    pub(crate) taps_away: Phrase,
    pub(crate) in_doubt: Phrase,
    pub(crate) in_doubt_fen: Phrase,
    pub(crate) positions: Phrase,
    pub(crate) positions_note: Phrase,
    pub(crate) party: Phrase,
    pub(crate) net: Phrase,
    pub(crate) sum: Phrase,
    pub(crate) none: Phrase,
    pub(crate) events: Phrase,
    pub(crate) matching: Phrase,
    pub(crate) wallet: Phrase,
    pub(crate) matched_orders: Phrase,
    pub(crate) wallet_side: Phrase,
    pub(crate) ledger_side: Phrase,
    pub(crate) card_side: Phrase,
    pub(crate) gap: Phrase,
    pub(crate) open_cases: Phrase,
    pub(crate) map: Phrase,
    pub(crate) for_developers: Phrase,
}

/// All of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) page: PageTexts,
    pub(crate) event: BTreeMap<String, Phrase>,
    pub(crate) problem: BTreeMap<String, ProblemText>,
    pub(crate) refusal: BTreeMap<String, ProblemText>,
    /// What the passenger is to do while an order is under way.
    pub(crate) advice: BTreeMap<String, Phrase>,
    pub(crate) case: BTreeMap<String, Phrase>,
}

impl Texts {
    /// The words compiled into the centre.
    pub(crate) fn embedded() -> Result<Self, toml::de::Error> {
        toml::from_str(EMBEDDED)
    }

    /// Title and detail of `problem`.
    pub(crate) fn problem(&self, problem: &Problem) -> (Phrase, Phrase) {
        words(&self.problem, problem.code.as_str(), &problem.about)
    }

    /// Title and detail of an order's refusal.
    pub(crate) fn refusal(&self, code: &str, about: &str) -> (Phrase, Phrase) {
        words(&self.refusal, code, about)
    }

    /// What a kind of case is.
    pub(crate) fn case(&self, kind: &str) -> Phrase {
        let bare = || Phrase { zh: kind.to_owned(), en: kind.to_owned() };
        self.case.get(kind).cloned().unwrap_or_else(bare)
    }

    /// The name of an event; the bare word if the file has none.
    pub(crate) fn event(&self, kind: &str, lang: Lang) -> String {
        self.event.get(kind).map_or_else(|| kind.to_owned(), |phrase| phrase.of(lang).to_owned())
    }
}

/// The words of a code; the bare code where the file has none, which a test rules out.
fn words(of: &BTreeMap<String, ProblemText>, code: &str, about: &str) -> (Phrase, Phrase) {
    let bare = |text: &str| Phrase { zh: text.to_owned(), en: text.to_owned() };
    match of.get(code) {
        Some(text) => (text.title.clone(), text.detail.about(about)),
        None => (bare(code), bare(about)),
    }
}

impl Phrase {
    /// The words in `lang`.
    pub(crate) fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }

    fn about(&self, about: &str) -> Phrase {
        Phrase { zh: self.zh.replace("{about}", about), en: self.en.replace("{about}", about) }
    }
}

impl Lang {
    /// From `?lang=`, else from Accept-Language: the first of zh and en that it names.
    pub(crate) fn choose(asked: Option<&str>, accepted: Option<&str>) -> Self {
        let named = |text: &str| match text.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("zh") => Some(Lang::Zh),
            Some("en") => Some(Lang::En),
            _ => None,
        };
        let accepted = accepted.into_iter().flat_map(|text| text.split(','));
        asked.into_iter().chain(accepted).find_map(named).unwrap_or_default()
    }

    /// As HTML and HTTP name it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh",
            Lang::En => "en",
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Lang {
        match self {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }
}

impl Code {
    /// Whether a text of this name belongs to a code.
    #[cfg(test)]
    fn is_named(name: &str) -> bool {
        Code::ALL.iter().any(|code| code.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words_and_every_word_a_code() {
        let texts = Texts::embedded().unwrap();
        for code in Code::ALL {
            assert!(texts.problem.contains_key(code.as_str()), "{code} has no words");
        }
        for name in texts.problem.keys() {
            assert!(Code::is_named(name), "words for `{name}`, which is no code");
        }
    }

    #[test]
    fn every_refusal_of_the_tsm_has_words() {
        let texts = Texts::embedded().unwrap();
        use tsm::RefusalCode as R;
        let all = [
            R::NotOurCard,
            R::OtherCard,
            R::Blocked,
            R::OverLimit,
            R::Pin,
            R::WrongKeys,
            R::NoRoom,
            R::AlreadyThere,
            R::NotEmpty,
            R::StillInDoubt,
            R::NotGenuine,
            R::CardRefused,
            R::BadAnswer,
            R::Suspended,
            R::Ours,
        ];
        for code in all {
            assert!(texts.refusal.contains_key(code.as_str()), "{} has no words", code.as_str());
        }
        assert!(texts.refusal.contains_key(crate::phone::NOT_CREDITED));
        assert!(texts.refusal.contains_key(crate::cancel::CANCELLED));
        assert!(texts.refusal.contains_key(crate::moving::REFUNDED));
        assert!(texts.refusal.contains_key(crate::suspend::WITHDRAWN));
    }

    #[test]
    fn every_kind_of_case_has_words() {
        let texts = Texts::embedded().unwrap();
        let mut kinds: Vec<_> = crate::matching::Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(texts.case.keys().collect::<Vec<_>>(), kinds);
    }

    #[test]
    fn every_event_has_words() {
        let texts = Texts::embedded().unwrap();
        let orders = ["issue", "load", "read", "delete", "refund", "move", "suspend", "resume"];
        let of_orders = orders.iter().flat_map(|kind| [format!("{kind}-done"), format!("{kind}-refused")]);
        let others = [
            "card-planned",
            "card-suspended",
            "card-resumed",
            "order-cancelled",
            "refund-in-doubt",
            "move-in-doubt",
            "move-out",
            "move-not-credited",
            "move-stands",
            "load-in-doubt",
            "load-proven",
            "load-disproven",
            "file-taken-in",
            "day-closed",
            "wallet-file-taken-in",
            "day-matched",
            "case-decided",
        ];
        let mut all: Vec<String> = of_orders.chain(others.map(str::to_owned)).collect();
        all.sort();
        assert_eq!(texts.event.keys().cloned().collect::<Vec<_>>(), all);
    }

    #[test]
    fn every_advice_has_words_in_both_languages() {
        let texts = Texts::embedded().unwrap();
        let codes: Vec<&str> = texts.advice.keys().map(String::as_str).collect();
        let mut given =
            [&crate::advice::CODES.concat()[..], &crate::advice::MOVE_CODES, &crate::advice::LOST].concat();
        given.sort_unstable();
        assert_eq!(codes, given);
    }

    #[test]
    fn a_problem_says_what_it_is_about_in_both_languages() {
        let texts = Texts::embedded().unwrap();
        let (_, detail) = texts.problem(&Problem::new(Code::UnknownCity, "9999"));
        assert_eq!(detail.of(Lang::Zh), "城市 9999 没有登记。");
        assert_eq!(detail.of(Lang::En), "No city 9999 is registered.");
    }

    #[test]
    fn the_asked_language_wins_over_the_accepted_one() {
        assert_eq!(Lang::choose(Some("en"), Some("zh-CN,zh;q=0.9")), Lang::En);
        assert_eq!(Lang::choose(None, Some("fr, zh-CN;q=0.8, en;q=0.5")), Lang::Zh);
        assert_eq!(Lang::choose(Some("xx"), None), Lang::En);
    }
}
