//! A whole network in one process and in simulated time: phones, cards, readers, wallets, back ends, faults, a
//! seed, and the books at the end.
//!
//! Everything goes through the same doors as in a real network: the wallets' own code signs requests to the
//! centre's router, the phones' agents run scripts on secure elements, readers keep batches, back ends upload files.
//!
//! Invariant: the same settings give the same books, byte for byte; nothing here reads a clock or the machine's
//! random numbers.

mod audit;
mod books;
mod cards;
mod chaos;
mod clock;
mod counter;
mod demo;
mod desk;
mod faults;
mod links;
mod living;
mod network;
mod population;
mod reader;
mod replay;
mod upload;

use model::{CardNumber, CityCode, Mode, OperatorId, TerminalId};

pub use books::{Books, Check, Doubt, Identity, MatchBooks, Total};
pub use cards::{element, plastic, plastic_number};
#[cfg(feature = "planted-bugs")]
pub use centre::Planted;
pub use chaos::{BrokenRule, ChaosReport, ChaosSettings, chaos};
pub use counter::run_job;
pub use demo::{Settings, demo};
pub use faults::{Cut, Leaving};
pub use links::{Links, Post, SessionEnd, carry_out};
pub use living::{file_number, live};
pub use network::{Exchange, Observer, Weather};
pub use reader::{Place, Reader, national_psam};
pub use replay::{Comparison, Kind, RealTap, Replayed, replay};

/// What stops a simulated network. None of these is a fault of the story: faults are played, not raised.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A reader does not start.
    #[error("reader {terminal}: {why}")]
    Reader {
        /// Which.
        terminal: TerminalId,
        /// Why.
        why: String,
    },
    /// A card that should be there is not.
    #[error("card {card}: {why}")]
    Card {
        /// Which, masked.
        card: CardNumber,
        /// Why.
        why: String,
    },
    /// The centre answered with a problem where the story has none.
    #[error("link to the centre: {0}")]
    Link(String),
    /// A wallet refused where the story has no refusal.
    #[error("wallet: {0}")]
    Wallet(String),
    /// The centre does not open.
    #[error("centre: {0}")]
    Centre(String),
    /// A city has no operator of this mode.
    #[error("city {city} has no {mode} operator in the registry")]
    NoOperator {
        /// The city.
        city: CityCode,
        /// The mode.
        mode: Mode,
    },
    /// The file has more readers than the registry.
    #[error(
        "operator {operator} has fewer readers in the registry than the file uses; raise `terminals.count`"
    )]
    TooFewReaders {
        /// The operator.
        operator: OperatorId,
    },
    /// Nobody lives here.
    #[error(
        "the registry has no joined city with readers, a wallet and a phone; expected at least one of each"
    )]
    Empty,
}
