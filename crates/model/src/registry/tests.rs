//! The registry as a joiner meets it: what is there, and what a mistake is answered with.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::money::Fen;
use crate::record::{Label, Mode};

fn embedded() -> Registry {
    Registry::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn city(code: &str) -> CityCode {
    code.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn file(path: &str) -> String {
    let registry = embedded();
    registry.files().find(|(p, _)| *p == path).unwrap_or_else(|| panic!("no {path}")).1.to_owned()
}

/// What the embedded registry with this file laid over it is answered with.
fn refused(path: &str, text: &str) -> Vec<String> {
    let problems = embedded().overlay([(path, text)]).err();
    problems.iter().flat_map(RegistryError::problems).map(ToString::to_string).collect()
}

#[test]
fn every_embedded_file_parses() {
    let registry = embedded();
    assert_eq!(registry.cities().filter(|city| city.joined.is_some()).count(), 35);
    assert!(registry.cities().any(|city| city.code == self::city("5180") && city.joined.is_none()));
    assert!(registry.phones().count() >= 8);
    let wallets: Vec<&str> = registry.wallets().map(|wallet| wallet.id.as_str()).collect();
    assert_eq!(wallets, ["alipay", "baidu-wallet", "wechat-pay"]);
}

#[test]
fn every_city_has_a_bus_and_every_operator_a_city() {
    let registry = embedded();
    for city in registry.cities() {
        assert!(registry.operators_of(city.code).any(|operator| operator.mode == Mode::Bus), "{}", city.id);
    }
    for operator in registry.operators() {
        assert!(registry.city(operator.city).is_some(), "{}", operator.id);
    }
}

#[test]
fn phones_stand_on_elements_of_both_vendors() {
    let vendors: Vec<ElementVendor> = embedded().phones().map(|phone| phone.element.vendor).collect();
    assert!(vendors.contains(&ElementVendor::Nxp) && vendors.contains(&ElementVendor::Oberthur));
    assert!(embedded().phone("oppo-find7").is_some());
}

#[test]
fn fuzhou_refuses_shanghai_before_the_day_and_takes_it_after() {
    let registry = embedded();
    let (fuzhou, shanghai) = (city("3500"), city("2000"));
    let (before, from) = (day("2015-11-11"), day("2015-11-12"));
    let refused = registry.accepts(fuzhou, shanghai, before).unwrap_err();
    let exception =
        RefusedBecause::Exception { acquirer: fuzhou, issuer: shanghai, on: before, from: Some(from) };
    assert_eq!(refused, exception);
    let said = "the readers of 3500 do not take cards of 2000 on 2015-11-11, only from 2015-11-12";
    assert_eq!(refused.to_string(), said);
    assert_eq!(registry.accepts(fuzhou, shanghai, from), Ok(()));
    assert_eq!(registry.accepts(shanghai, fuzhou, before), Ok(()), "the matrix is directed");
}

#[test]
fn two_cities_take_each_other_from_the_later_joining_day() {
    let registry = embedded();
    let (shanghai, zhumadian, shenzhen) = (city("2000"), city("4630"), city("5180"));
    let (on, joins) = (day("2013-09-30"), Some(day("2013-10-01")));
    let not_yet = RefusedBecause::NotJoined { city: zhumadian, on, joins };
    assert_eq!(registry.accepts(shanghai, zhumadian, on), Err(not_yet.clone()));
    assert_eq!(registry.accepts(zhumadian, shanghai, on), Err(not_yet));
    assert_eq!(registry.accepts(shanghai, zhumadian, day("2013-10-01")), Ok(()));
    let never = registry.accepts(shanghai, shenzhen, day("2014-06-18"));
    assert!(matches!(never, Err(RefusedBecause::NotJoined { joins: None, .. })), "{never:?}");
    assert_eq!(registry.accepts(shenzhen, shenzhen, on), Ok(()), "a city takes its own cards");
    let unknown = RefusedBecause::UnknownCity { city: city("9999") };
    assert_eq!(registry.accepts(shanghai, city("9999"), on), Err(unknown));
}

#[test]
fn first_generation_keys_keep_a_city_apart() {
    let text = file("cities/wuxi.toml").replace("key_generation = 2", "key_generation = 1");
    let registry = embedded().overlay([("cities/wuxi.toml", text)]).unwrap();
    let (shanghai, wuxi, on) = (city("2000"), city("2140"), day("2014-06-18"));
    let refused = Err(RefusedBecause::KeyGeneration { city: wuxi });
    assert_eq!(registry.accepts(shanghai, wuxi, on), refused);
    assert_eq!(registry.accepts(wuxi, shanghai, on), refused);
    assert_eq!(registry.accepts(wuxi, wuxi, on), Ok(()));
}

#[derive(serde::Deserialize)]
struct Mistakes {
    vector: Vec<Mistake>,
}

#[derive(serde::Deserialize)]
struct Mistake {
    why: String,
    file: String,
    replace: String,
    with: String,
    expect: String,
}

#[test]
fn every_mistake_names_its_file_line_and_field() {
    let vectors: Mistakes =
        toml::from_str(include_str!("../../../../vectors/registry/mistakes.toml")).unwrap();
    for Mistake { why, file: path, replace, with, expect } in vectors.vector {
        let text = file(&path);
        assert!(text.contains(&replace), "{why}: {path} has no {replace}");
        let said = refused(&path, &text.replacen(&replace, &with, 1));
        let expected = format!("{path}:{expect}");
        assert!(
            said.iter().any(|line| line.starts_with(&expected)),
            "{why}: not {expected}, but\n{}",
            said.join("\n")
        );
    }
}

#[test]
fn an_operator_of_an_unknown_city_is_refused() {
    let text =
        file("operators/wuxi-shop.toml").replace("\"2140\"", "\"9999\"").replace("21400701", "99990701");
    let said = refused("operators/nowhere-shop.toml", &text);
    let expected =
        "operators/nowhere-shop.toml:3: city: no city has the code 9999; expected that of a file in cities/";
    assert_eq!(said, [expected]);
}

#[test]
fn a_file_in_no_known_folder_is_refused_and_notes_are_passed_over() {
    let said = refused("towns/wuxi.toml", "");
    assert!(
        said[0]
            .starts_with("towns/wuxi.toml:1: not a registry file; expected NAME.toml in one of acceptance")
    );
    assert!(!refused("cities/wuxi.tml", "").is_empty());
    assert_eq!(embedded().overlay([("cities/NOTES.md", "# not TOML")]).unwrap(), embedded());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let two = [("wallets/b.toml", "name = 1"), ("wallets/a.toml", "name = {}"), ("wallets/C.toml", "")];
    let error = embedded().overlay(two).unwrap_err();
    let files: Vec<&str> = error.problems().iter().map(|problem| problem.file.as_str()).collect();
    assert_eq!(files, ["wallets/C.toml", "wallets/a.toml", "wallets/b.toml"]);
}

#[test]
fn an_overlay_adds_a_city_and_replaces_another() {
    let xian = file("cities/wuxi.toml").replace("\"2140\"", "\"7100\"").replace("Wuxi", "Xi'an");
    let wuxi = file("cities/wuxi.toml").replace("issue_fee_fen = 0", "issue_fee_fen = 2000");
    let registry = embedded().overlay([("cities/xian.toml", xian), ("cities/wuxi.toml", wuxi)]).unwrap();
    assert_eq!(registry.city(city("7100")).unwrap().id, "xian");
    assert_eq!(registry.city(city("2140")).unwrap().card.issue_fee_fen.get(), 2000);
    assert_eq!(registry.cities().count(), embedded().cities().count() + 1);
    let alone = Registry::parse([("cities/wuxi.toml", file("cities/wuxi.toml"))]).unwrap();
    assert_eq!(alone.cities().count(), 1, "a registry may also be replaced whole");
}

#[test]
fn the_order_of_files_does_not_matter() {
    let mut files: Vec<(String, String)> =
        embedded().files().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    files.reverse();
    assert_eq!(Registry::parse(files).unwrap(), embedded());
}

#[test]
fn a_terminal_leads_to_its_operator() {
    let registry = embedded();
    let mut seen = BTreeSet::new();
    for operator in registry.operators() {
        for terminal in operator.terminals.iter() {
            assert_eq!(registry.operator_of_terminal(terminal).map(|found| found.id), Some(operator.id));
            assert!(seen.insert(terminal), "{terminal}");
        }
        assert_eq!(operator.terminals.get(operator.terminals.count), None);
    }
    assert!(registry.operator_of_terminal("000001000050".parse().unwrap()).is_none());
}

#[test]
fn distances_follow_the_line_and_one_change() {
    let registry = embedded();
    let metro = registry.operators_of(city("2000")).find(|operator| operator.mode == Mode::Metro).unwrap();
    let metres = |from: &str, to: &str| {
        metro.distance_m(&from.parse::<Label>().unwrap(), &to.parse::<Label>().unwrap())
    };
    let (xinzhuang, square_1, square_2, lujiazui) = ("110111", "110123", "110245", "110247");
    assert_eq!(metres(xinzhuang, xinzhuang), Some(0));
    let (first, second) = (metres(xinzhuang, square_1).unwrap(), metres(square_2, lujiazui).unwrap());
    assert_eq!(metres(lujiazui, xinzhuang), Some(first + second));
    assert_eq!(metres(square_1, square_2), Some(0));
    assert_eq!(metres(xinzhuang, "nowhere"), None);
}

#[test]
fn the_most_specific_agreement_goes_before_the_newest() {
    let home = file("agreements/home.toml");
    let newer = file("agreements/away.toml").replace("2012-07-01", "2014-07-01");
    let registry = embedded().overlay([("agreements/away-2014.toml", newer)]).unwrap();
    let of = |issuer: &str, acquirer: &str, on: &str| {
        registry.tap_agreement(city(issuer), city(acquirer), day(on)).map(|tap| tap.id.clone())
    };
    assert_eq!(of("2000", "2000", "2014-08-01").as_deref(), Some("home"), "{home}");
    assert_eq!(of("2000", "3150", "2014-08-01").as_deref(), Some("away-shanghai-at-ningbo"));
    assert_eq!(of("2000", "3120", "2014-08-01").as_deref(), Some("away-2014"));
    assert_eq!(of("2000", "3120", "2014-06-30").as_deref(), Some("away"));
    assert_eq!(of("2000", "3120", "2012-06-30"), None);
}

#[test]
fn shares_of_a_tap_add_up_to_the_tap() {
    let text = file("agreements/away.toml")
        .replace("acquirer_permille = 5", "acquirer_permille = 500")
        .replace("issuer_permille = 0", "issuer_permille = 500");
    let registry = embedded().overlay([("agreements/away.toml", text)]).unwrap();
    let half = registry.tap_agreement(city("3120"), city("3150"), day("2014-08-01")).unwrap();
    for (amount, issuer, acquirer, operator) in [(0, 0, 0, 0), (1, 1, 0, 0), (2, 1, 1, 0), (3, 2, 1, 0)] {
        let [issuer, acquirer, operator] = [issuer, acquirer, operator].map(Fen::new);
        assert_eq!(half.split(Fen::new(amount)), Ok(Split { issuer, acquirer, operator }), "{amount}");
    }
}

#[test]
fn a_load_fee_is_rounded_and_kept_within_its_bounds() {
    let registry = embedded();
    for (wallet, amount, fee) in [
        ("alipay", 10_000, 50),
        ("alipay", 1, 1),
        ("alipay", 0, 0),
        ("alipay", 200_000, 500),
        ("alipay", 300, 2),
        ("wechat-pay", 10_000, 60),
        ("baidu-wallet", 10_000, 40),
    ] {
        let agreement =
            registry.load_agreement(&wallet.parse().unwrap(), city("2000"), day("2014-08-01")).unwrap();
        assert_eq!(agreement.fee(Fen::new(amount)), Ok(Fen::new(fee)), "{wallet} {amount}");
    }
}

const FOLDERS: &str =
    "(cities|operators|phones|wallets|agreements|acceptance|elsewhere)/[a-z]{1,8}\\.(toml|md)";

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(path in FOLDERS, text in "\\PC{0,80}") {
        let _ = Registry::parse([(path, text)]);
    }

    #[test]
    fn a_damaged_file_is_refused_without_a_panic(
        pick in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "\\PC{0,3}|\n|\\[|\"|="
    ) {
        let registry = embedded();
        let files: Vec<(&str, &str)> = registry.files().collect();
        let (path, text) = *pick.get(&files);
        let at = at.index(text.chars().count());
        let head: String = text.chars().take(at).collect();
        let tail: String = text.chars().skip(at.saturating_add(1)).collect();
        let damaged = format!("{head}{with}{tail}");
        if let Err(error) = Registry::parse([(path, damaged.as_str())]) {
            for problem in error.problems() {
                prop_assert!(problem.line >= 1 && problem.line <= damaged.lines().count().max(1).saturating_add(1));
            }
        }
    }
}
