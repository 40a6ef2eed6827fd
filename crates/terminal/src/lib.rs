//! A validator: selection, PSAM, fares, deny list, tearing recovery, offline batches.
//!
//! The tap itself does no I/O ([`tap::Step`]); [`Validator::tap`] is the one loop that does it, over a
//! [`smartcard::Channel`] for the card, another for the PSAM, and a [`Batch`].
//!
//! Invariant: no ride is debited twice, and no debit is lost: it is written down before it leaves.

mod acceptance;
mod batch;
mod deny;
pub mod fare;
mod pending;
mod place;
pub mod psam;
mod refusal;
pub mod tap;
mod validator;

pub use acceptance::AcceptanceList;
pub use batch::{Batch, BatchError, Doubt, Export, FileStorage, MemoryStorage, Note, Storage, StorageError};
pub use deny::DenyList;
pub use pending::{PendingTap, RideStep, TapId};
pub use psam::{FilePsamStore, MemoryPsamStore, PsamIdentity, PsamStore, SoftwarePsam};
pub use refusal::{Refusal, Refused};
pub use tap::{Request, TapOutcome};
pub use validator::{Settings, Validator};
