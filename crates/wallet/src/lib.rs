//! The reference wallet (第三方支付): passengers, payment passwords, their money, and orders to the centre.
//!
//! It is what a wallet's developer reads, and what the demo's passengers use. It knows the centre only through its
//! public API, so no wallet is privileged: [`Core`] is the wallet without HTTP, [`Transport`] its way to the centre,
//! [`http::router`] the door for its app and page.
//!
//! Invariant: an order is on the disk and its money held before the centre hears of it; a repetition sends the same id
//! and the same bytes; money moves on when the centre says done, comes back when it says refused, and otherwise stays
//! held. Silence and time settle nothing.
//! Invariant: the payment password never leaves the wallet.

mod cancel;
mod centre;
mod channel;
mod core;
mod daily;
mod hooks;
pub mod http;
mod money;
mod orders;
mod pages;
mod passengers;
mod password;
mod place;
mod problem;
mod push;
mod signature;
mod store;
mod texts;
mod transport;
mod trust;

pub use crate::core::{Config, Core, Demo, OpenError, Storage};
pub use centre::{City, History, PastLoad, PastTap};
pub use channel::ChannelOrder;
pub use hooks::Told;
pub use money::{Books, Purse};
pub use orders::Order;
pub use passengers::{Account, Card};
pub use password::PasswordCost;
pub use place::{Payer, Pick, Target};
pub use problem::{Code, Problem};
pub use push::{Device, HttpPush, NoPush, Push, PushError};
pub use signature::demo_signing_seed;
pub use store::{CardState, OrderKind, OrderState, Refusal, Session, StoreError};
pub use transport::{HttpTransport, Method, Reply, Request, Transport, TransportError};
pub use trust::{Trust, TrustError, TrustFiles};
