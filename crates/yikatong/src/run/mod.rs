//! What each command does.

pub(crate) mod certify;
pub(crate) mod channel;
pub(crate) mod clear;
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod phone;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod serve_card;
pub(crate) mod sim;
pub(crate) mod tap;
pub(crate) mod taps;
pub(crate) mod wallet;

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Failure, Outcome};

/// Writes a line for whoever reads. A reader that has closed its end has seen enough: the process ends well.
pub(crate) fn say(words: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{words}") {
        std::process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// Prints a value as JSON.
pub(crate) fn print(value: &impl serde::Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(Failure::wrong)?;
    outln!("{text}");
    Ok(())
}

/// A progress bar on standard error; nothing where that is no terminal.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
