//! Days of whole networks: the books are right in any weather, and the same seed gives the same day.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::cell::RefCell;
use std::rc::Rc;

use model::Fen;
use model::registry::Registry;
use sim::{Books, Exchange, Observer, Settings, Weather, demo};

fn settings(seed: u64) -> Settings {
    Settings {
        seed,
        passengers: 40,
        taps: 400,
        days: 1,
        first_day: "2014-10-20".parse().unwrap(),
        data: None,
        weather: Weather::default(),
    }
}

fn run(settings: &Settings, observer: Option<Observer>) -> Books {
    demo(settings, Registry::embedded().unwrap(), observer, &mut |_| ()).unwrap()
}

fn wrong(books: &Books) -> Vec<String> {
    let wrong = books.checks.iter().filter(|check| !check.holds);
    wrong.map(|check| format!("{}: {}", check.what, check.detail)).collect()
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_seed_another() {
    let books = run(&settings(7), None);
    assert_eq!(books, run(&settings(7), None));
    assert_ne!(books, Books { seed: 7, ..run(&settings(8), None) });
}

#[test]
fn every_fen_is_accounted_for_in_any_weather() {
    let storm = Weather { torn_loads: 3000, torn_taps: 2000, torn_issues: 3000, never_back_percent: 40 };
    let calm = Weather { torn_loads: 0, torn_taps: 0, torn_issues: 0, never_back_percent: 0 };
    for (seed, weather) in [(1, storm), (2, storm), (3, storm), (4, calm)] {
        let books = run(&Settings { weather, ..settings(seed) }, None);
        assert_eq!(wrong(&books), Vec::<String>::new(), "seed {seed}");
        assert_eq!(books.identity.difference_fen, Fen::ZERO);
        assert_eq!(books.positions_sum_fen, Fen::ZERO);
        let torn = books.loads.torn + books.taps.torn;
        assert_eq!(torn > 0, weather == storm, "the weather is felt");
        assert_eq!(books.in_doubt.is_empty(), weather == calm, "who never comes back is named");
    }
}

#[test]
fn every_fen_is_accounted_for_when_cards_have_long_forgotten_what_tore() {
    let storm = Weather { torn_loads: 3000, torn_taps: 3000, torn_issues: 3000, never_back_percent: 60 };
    for seed in [100, 101, 102] {
        let busy = Settings { passengers: 12, taps: 1500, days: 2, weather: storm, ..settings(seed) };
        assert_eq!(wrong(&run(&busy, None)), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn several_days_follow_each_other_on_one_set_of_books() {
    let books = run(&Settings { days: 3, ..settings(5) }, None);
    assert_eq!(wrong(&books), Vec::<String>::new());
    assert_eq!(books.taps.tried, 400);
    assert_eq!(books.clearing.planted, 9, "a dishonest back end tries each evening");
}

#[test]
fn books_in_a_folder_are_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Settings { data: Some(folder.path().to_owned()), ..settings(6) };
    assert_eq!(run(&kept, None), run(&settings(6), None));
    assert!(folder.path().join("ledger.db").exists());
}

#[test]
fn whoever_watches_sees_real_commands_and_changes_nothing() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&seen);
    let observer: Observer = Box::new(move |exchange: Exchange<'_>| {
        notes.borrow_mut().push((
            exchange.who,
            exchange.command.to_vec(),
            exchange.response.map(<[u8]>::to_vec),
        ));
    });
    assert_eq!(run(&settings(7), Some(observer)), run(&settings(7), None));
    let seen = seen.borrow();
    let credit = seen.iter().filter(|(who, command, _)| *who == "tsm" && command.starts_with(&[0x80, 0x52]));
    let debit =
        seen.iter().filter(|(who, command, _)| *who == "terminal" && command.starts_with(&[0x80, 0x54]));
    assert!(credit.count() >= 40 && debit.count() >= 300);
}
