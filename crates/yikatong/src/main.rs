//! The one binary: see `yikatong --help`.

/// `println!` that ends quietly when whoever reads has seen enough.
macro_rules! outln {
    ($($words:tt)*) => { $crate::run::say(format_args!($($words)*)) };
}

mod chip;
mod cli;
mod failure;
mod machine;
mod reach;
mod run;
mod tls;
mod transcript;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, Serve};
use failure::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("yikatong: {failure}");
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let Cli { command, registry, json } = cli;
    let registry = machine::registry(registry.as_deref())?;
    match command.unwrap_or_else(|| Command::Serve(Serve { demo: true, ..Serve::default() })) {
        Command::Keys(command) => run::keys::run(command, json),
        Command::Taps(command) => run::taps::run(command, &registry, json),
        Command::Clear(command) => run::clear::run(&command, &registry, json),
        Command::Demo(command) => run::demo::run(&command, registry, json),
        Command::Sim(command) => run::sim::run(&command, registry, json),
        Command::Replay(command) => run::replay::run(&command, &registry, json),
        Command::Element(command) => run::serve_card::element(&command, &registry),
        Command::Card(command) => run::serve_card::card(&command, &registry),
        Command::Serve(command) => run::serve::run(&command, registry),
        Command::Wallet(command) => run::wallet::run(&command, &registry),
        Command::Certify(command) => run::certify::run(&command, registry, json),
        Command::Phone(command) => run::phone::run(&command, &registry, json),
        Command::Channel(command) => run::channel::run(&command, json),
        Command::Tap(command) => run::tap::run(&command, &registry, json),
    }
}
