//! `yikatong demo`: days in simulated time, and the books.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use model::Date;
use model::registry::Registry;
use sim::{Books, Exchange, Observer, Settings, Weather, demo};

use crate::cli::Demo;
use crate::failure::{Failure, Outcome};
use crate::run::{bar, print};
use crate::transcript::TranscriptFile;

/// The first demo day: a Monday between the 35 cities' start and the end of the year.
const FIRST_DAY: &str = "2014-10-20";

pub(crate) fn run(command: &Demo, registry: Registry, json: bool) -> Outcome {
    if command.passengers == 0 || command.days == 0 {
        return Err(Failure::input("--passengers and --days must be at least 1"));
    }
    if let Some(folder) = command.data.as_deref().filter(|folder| holds_something(folder)) {
        return Err(Failure::path(folder, "is not empty; a demo begins in a folder of its own"));
    }
    let settings = Settings {
        seed: command.seed,
        passengers: command.passengers,
        taps: command.taps,
        days: command.days,
        first_day: FIRST_DAY.parse::<Date>().map_err(Failure::wrong)?,
        data: command.data.clone(),
        weather: Weather::default(),
    };
    let transcript = command.transcript.as_deref().map(TranscriptFile::create).transpose()?;
    let transcript = transcript.map(|file| Rc::new(RefCell::new(file)));
    let observer = transcript.clone().map(|file| -> Observer {
        Box::new(move |seen: Exchange<'_>| {
            file.borrow_mut().add(seen.at, seen.who, seen.card, seen.command, seen.response)
        })
    });
    let bar = bar(command.taps.into(), "taps");
    let books =
        demo(&settings, registry, observer, &mut |done| bar.set_position(done)).map_err(Failure::wrong);
    bar.finish_and_clear();
    let books = books?;
    if let Some(file) = transcript.and_then(Rc::into_inner) {
        file.into_inner().close()?;
    }
    if json {
        print(&books)?
    } else {
        show(&books)
    }
    if books.are_right() {
        return Ok(());
    }
    let wrong = books.checks.iter().filter(|check| !check.holds);
    let wrong: Vec<_> = wrong.map(|check| format!("{}: {}", check.what, check.detail)).collect();
    Err(Failure::wrong(format_args!("the books are not right:\n{}", wrong.join("\n"))))
}

fn holds_something(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn show(books: &Books) {
    let Books { cards, loads, taps, clearing, identity, .. } = books;
    outln!(
        "{} passengers, {} day(s) from {}, seed {}",
        books.passengers,
        books.days,
        books.first_day,
        books.seed
    );
    outln!(
        "cards    {} over the air ({} after a break), {} plastic",
        cards.issued,
        cards.issued_after_a_break,
        cards.plastic
    );
    outln!(
        "loads    {} for {} yuan; {} torn, {} of them settled by the card",
        loads.done.count,
        loads.done.fen,
        loads.torn,
        loads.settled
    );
    outln!("taps     {} tried; {} torn, {} of them finished later", taps.tried, taps.torn, taps.recovered);
    for (mode, books) in &taps.accepted {
        outln!(
            "  {mode:<8} home {:>7} for {:>10} yuan, away {:>6} for {:>9} yuan",
            books.home.count,
            books.home.fen,
            books.away.count,
            books.away.fen
        );
    }
    for (reason, count) in taps.refused.iter().chain(&loads.refused) {
        outln!("  refused  {count:>7} {reason}");
    }
    outln!(
        "clearing {} records in {} files, {} paid for {} yuan",
        clearing.records,
        clearing.files,
        clearing.paid.count,
        clearing.paid.fen
    );
    for (reason, count) in &clearing.not_paid {
        outln!("  not paid {count:>7} {reason}");
    }
    outln!("match: {}", books.matching.words());
    outln!("positions of {} parties, sum {}", books.positions.len(), books.positions_sum_fen);
    outln!("");
    outln!("  paid in    {:>14}", identity.paid_in_fen.to_string());
    outln!("= purses     {:>14}", identity.purses_fen.to_string());
    outln!("+ operators  {:>14}", identity.operators_fen.to_string());
    outln!("+ fees       {:>14}", identity.fees_fen.to_string());
    outln!("+ refunds    {:>14}", identity.refunds_fen.to_string());
    outln!("+ in doubt   {:>14}   ({} named)", identity.in_doubt_fen.to_string(), books.in_doubt.len());
    outln!("  difference {:>14}", identity.difference_fen.to_string());
    for check in &books.checks {
        outln!("{} {}: {}", if check.holds { "ok   " } else { "WRONG" }, check.what, check.detail);
    }
}
