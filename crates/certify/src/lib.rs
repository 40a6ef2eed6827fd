//! The conformance kit (接入认证): plays the centre and its faults against a wallet's integration, and judges by the
//! centre's own books and by what the wallet says it holds.
//!
//! The kit runs the real centre in memory behind a layer that can be slow, fail, lose its answers and lie about the
//! time; software phones and plastic cards do the passengers' side. The wallet under test is reached through a
//! [`Driver`]: a command of its developer's, or the reference wallet's own app door.
//!
//! Invariant: a verdict rests on what was seen: requests on the wire, the centre's orders, the wallet's own figures.
//! What could not be played is named as such, and is no pass.

mod app;
mod command;
mod driver;
mod fault;
mod finding;
mod hooks;
mod play;
mod report;
mod scenario;
mod stage;

pub use app::AppDriver;
pub use command::CommandDriver;
pub use driver::{Ask, Driver, Said, Verb};
pub use finding::{Code, Finding, Words};
pub use report::{Checked, Report, Run, check};
pub use scenario::{certify, scenario_codes};
pub use stage::{Config, Random, Stage, StageError};
