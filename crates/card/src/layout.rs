//! What lies where on the card: names, files, records, each in both directions.
//!
//! Standard: CJ/T 166 application on a PBOC file system (card.md section 5); the Changsha (4100) sizes where
//! cities differ. The records of file 0017 are ours, see [`RailRecord`] and [`RideRecord`].
//!
//! | file | in | kind | content |
//! | --- | --- | --- | --- |
//! | 0001 | root | records | directory: which applications there are |
//! | 0005 | root | 40 bytes | [`IssueInfo`] |
//! | 0015 | purse | 30 bytes | [`PublicInfo`], also inside the [`Fci`] |
//! | 0016 | purse | 92 bytes | [`Holder`] |
//! | 0017 | purse | tagged records | [`RailRecord`], [`RideRecord`] |
//! | 0018 | purse | cyclic, 10 x 23 bytes | purchases: [`LogRecord`] |
//! | 001A | purse | cyclic, 10 x 23 bytes | loads: [`LogRecord`] |
//!
//! File 0010, a log of purchases in other cities on some cards, is left out: a card cannot tell from a
//! terminal number which city it is in.

mod fci;
mod holder;
mod issue_info;
mod log_record;
mod public_info;
mod rail_record;
mod ride_record;
mod tagged;

pub use fci::Fci;
pub use holder::{Holder, HolderKind};
pub use issue_info::IssueInfo;
pub use log_record::LogRecord;
pub use public_info::PublicInfo;
pub use rail_record::{GatePass, RailRecord, RailTrip};
pub use ride_record::{LastRide, RideRecord};
pub use tagged::Head;

/// AID of the City Union purse (住建部), the name every City Union reader selects.
pub const PURSE_AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01];
/// Name of the root: `1PAY.SYS.DDF01`.
pub const ROOT_NAME: &[u8; 14] = b"1PAY.SYS.DDF01";
/// File id of the root.
pub const ROOT_ID: u16 = 0x3F00;
/// File ids of the purse directory: one of these, depending on the city.
pub const PURSE_IDS: [u16; 2] = [0x1001, 0x3F01];
/// Records that a log keeps.
pub const LOG_RECORDS: u8 = 10;

/// Short file identifier (短文件标识符), 1 to 30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sfi(u8);

impl Sfi {
    /// 0001 in the root: the directory.
    pub const DIRECTORY: Sfi = Sfi(0x01);
    /// 0005 in the root: issue information.
    pub const ISSUE_INFO: Sfi = Sfi(0x05);
    /// 0015: public information.
    pub const PUBLIC_INFO: Sfi = Sfi(0x15);
    /// 0016: the holder.
    pub const HOLDER: Sfi = Sfi(0x16);
    /// 0017: records of compound purchases.
    pub const COMPOUND: Sfi = Sfi(0x17);
    /// 0018: purchases.
    pub const PURCHASES: Sfi = Sfi(0x18);
    /// 001A: loads.
    pub const LOADS: Sfi = Sfi(0x1A);

    /// `None` unless 1 to 30.
    #[must_use]
    pub const fn new(sfi: u8) -> Option<Self> {
        if sfi >= 1 && sfi <= 30 { Some(Sfi(sfi)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
