//! Every word the wallet says to people, in Chinese and English: one data file, checked when the wallet opens.
//!
//! Invariant: each problem code has its words, and there are no words without a code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

const EMBEDDED: &str = include_str!("../i18n/texts.toml");

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
    /// 中文.
    Zh,
    /// English.
    #[default]
    En,
}

/// One thing said in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrase {
    pub(crate) zh: String,
    pub(crate) en: String,
}

/// Title and detail of a problem.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemText {
    pub(crate) title: Phrase,
    pub(crate) detail: Phrase,
}

/// All of it. The page's words go by their names to its script, too.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) page: BTreeMap<String, Phrase>,
    pub(crate) problem: BTreeMap<String, ProblemText>,
}

impl Texts {
    /// The words compiled into the wallet.
    pub(crate) fn embedded() -> Result<Self, toml::de::Error> {
        toml::from_str(EMBEDDED)
    }

    /// Title and detail of `problem`.
    pub(crate) fn problem(&self, problem: &Problem) -> (Phrase, Phrase) {
        let bare = |text: &str| Phrase { zh: text.to_owned(), en: text.to_owned() };
        match self.problem.get(problem.code.as_str()) {
            Some(text) => (text.title.clone(), text.detail.about(&problem.about)),
            None => (bare(problem.code.as_str()), bare(&problem.about)),
        }
    }

    /// The page's words in one language.
    pub(crate) fn page(&self, lang: Lang) -> BTreeMap<&str, &str> {
        self.page.iter().map(|(name, phrase)| (name.as_str(), phrase.of(lang))).collect()
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
    /// From `?lang=`, else the first of zh and en that Accept-Language names.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use crate::store::{OrderKind, OrderState};

    #[test]
    fn every_code_has_words_and_every_word_a_code() {
        let texts = Texts::embedded().unwrap();
        for code in Code::ALL {
            assert!(texts.problem.contains_key(code.as_str()), "{code} has no words");
        }
        for name in texts.problem.keys() {
            assert!(
                Code::ALL.iter().any(|code| code.as_str() == name),
                "words for `{name}`, which is no code"
            );
        }
    }

    /// Names that stand in `page` after `before`, up to what cannot be part of a name.
    fn named<'a>(page: &'a str, before: &str) -> impl Iterator<Item = &'a str> {
        let end =
            |rest: &str| rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        page.split(before).skip(1).map(move |rest| rest.get(..end(rest)).unwrap_or_default())
    }

    #[test]
    fn the_page_says_every_word_of_the_file_and_no_other() {
        let texts = Texts::embedded().unwrap();
        let page = include_str!("../templates/wallet.html");
        let said: Vec<&str> = named(page, "words.").chain(named(page, "word(\"")).collect();
        for name in &said {
            assert!(texts.page.contains_key(*name), "the page says `{name}`, which is not in the file");
        }
        let by_rule = OrderState::ALL.iter().map(|state| format!("state_{}", state.as_str()));
        let by_rule: Vec<String> =
            by_rule.chain(OrderKind::ALL.iter().map(|kind| format!("kind_{}", kind.as_str()))).collect();
        for name in &by_rule {
            assert!(texts.page.contains_key(name), "no word for `{name}`");
        }
        for name in texts.page.keys() {
            assert!(said.contains(&name.as_str()) || by_rule.contains(name), "`{name}` is never said");
        }
    }

    #[test]
    fn a_problem_says_what_it_is_about_in_both_languages() {
        let texts = Texts::embedded().unwrap();
        let (_, detail) = texts.problem(&Code::PasswordLocked.about("2014-10-20 08:00:00"));
        assert_eq!(detail.zh, "输错次数太多，2014-10-20 08:00:00 之前不能再试。");
        assert_eq!(detail.en, "Too many wrong tries; the next may be made at 2014-10-20 08:00:00.");
    }

    #[test]
    fn the_asked_language_wins_over_the_accepted_one() {
        assert_eq!(Lang::choose(Some("en"), Some("zh-CN,zh;q=0.9")), Lang::En);
        assert_eq!(Lang::choose(None, Some("fr, zh-CN;q=0.8, en;q=0.5")), Lang::Zh);
        assert_eq!(Lang::choose(Some("xx"), None), Lang::En);
    }
}
