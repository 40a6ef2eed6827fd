//! The command line of a tap.

use std::path::PathBuf;

use clap::Args;
use model::TerminalId;

use crate::reach::CardAddress;

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("kind").args(["entry", "exit"]).multiple(false)))]
pub(crate) struct Tap {
    /// The card: tcp:HOST:PORT, pcsc:READER or file:STATE.
    #[arg(long, value_name = "CARD")]
    pub(crate) card: CardAddress,
    /// The reader's number, 12 hex digits; it says whose reader it is.
    #[arg(long)]
    pub(crate) terminal: TerminalId,
    /// The passenger enters (metro, ferry with gates, bike).
    #[arg(long)]
    pub(crate) entry: bool,
    /// The passenger leaves.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Fare before discounts, in fen, where the reader does not know it (taxi, shop) [default: the operator's fare].
    #[arg(long, value_name = "FEN")]
    pub(crate) amount: Option<u32>,
    /// Folder of the reader's batch and counters.
    #[arg(long, value_name = "DIR", default_value = "yikatong-data/readers")]
    pub(crate) data: PathBuf,
    /// Write every APDU as a JSON line.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
}
