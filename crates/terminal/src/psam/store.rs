//! What a software PSAM must never forget: its next transaction number, and how often a MAC2 was wrong.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minicbor::{Decode, Encode};

use crate::batch::{StorageError, sync_folder};

/// A PSAM's memory beside its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PsamState {
    /// The transaction number that the next INIT SAM FOR PURCHASE takes.
    #[n(0)]
    pub next_seq: u32,
    /// Wrong MAC2s in a row.
    #[n(1)]
    pub wrong_mac2: u8,
}

/// Keeps a [`PsamState`].
pub trait PsamStore: Send {
    /// What was saved last; `None` for a new PSAM.
    ///
    /// # Errors
    /// [`StorageError`] when there is something that cannot be read.
    fn load(&mut self) -> Result<Option<PsamState>, StorageError>;

    /// Returns once `state` survives a power cut.
    ///
    /// # Errors
    /// [`StorageError`] when that cannot be promised; what was saved before is then still there.
    fn save(&mut self, state: PsamState) -> Result<(), StorageError>;
}

/// Memory. Clones share it, so a test may kill a PSAM and start it again.
#[derive(Clone, Debug, Default)]
pub struct MemoryPsamStore(Arc<Mutex<Option<PsamState>>>);

/// A file that the caller names, replaced as a whole at each save.
#[derive(Debug)]
pub struct FilePsamStore {
    path: PathBuf,
}

impl Default for PsamState {
    fn default() -> Self {
        PsamState { next_seq: 1, wrong_mac2: 0 }
    }
}

impl PsamStore for MemoryPsamStore {
    fn load(&mut self) -> Result<Option<PsamState>, StorageError> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save(&mut self, state: PsamState) -> Result<(), StorageError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(())
    }
}

impl FilePsamStore {
    /// The file need not exist yet; its folder must.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        FilePsamStore { path: path.to_owned() }
    }

    fn failed(&self, verb: &'static str, reason: &str) -> StorageError {
        StorageError::new(&self.path.display().to_string(), verb, reason)
    }
}

impl PsamStore for FilePsamStore {
    fn load(&mut self) -> Result<Option<PsamState>, StorageError> {
        match fs::read(&self.path) {
            Ok(bytes) => minicbor::decode(&bytes)
                .map(Some)
                .map_err(|_| self.failed("read", "it does not hold a PSAM's state")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", &error.to_string())),
        }
    }

    fn save(&mut self, state: PsamState) -> Result<(), StorageError> {
        let bytes = minicbor::to_vec(state).map_err(|error| self.failed("save", &error.to_string()))?;
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        let written = File::create(&fresh).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)?;
            sync_folder(&self.path)
        });
        written.map_err(|error| self.failed("save", &error.to_string()))
    }
}
