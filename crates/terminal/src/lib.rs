//! A validator: selection, PSAM, fares, deny list, tearing recovery, offline batches.

mod batch;
mod deny;
mod pending;

pub use batch::{Batch, BatchError, Doubt, Export, FileStorage, MemoryStorage, Note, Storage, StorageError};
pub use deny::DenyList;
pub use pending::{PendingTap, TapId};
