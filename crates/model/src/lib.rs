//! Money, card and terminal numbers, dates, parties, records, and the registry of who exists.
//!
//! Everything else stands on this crate, and it stands on nothing of ours. It does no I/O: the
//! registry's TOML is compiled in, and an overlay is handed in as text.

pub mod bcd;
mod money;
mod number;
mod party;
mod record;
pub mod registry;
mod time;

pub use money::{Fen, MoneyError, PerMille, PurseFen};
pub use number::{CardNumber, CardNumberFormat, CityCode, NumberError, PsamId, TerminalId};
pub use party::{ChannelId, OperatorId, Party, WalletId};
pub use record::{Label, LoadRecord, Mode, Tac, TapRecord, TxnType};
pub use time::{CardTime, Clock, Date, Entropy};
