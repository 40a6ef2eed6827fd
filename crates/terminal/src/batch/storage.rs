//! Where the batch's bytes lie: in memory for a simulated reader, in a file for a real one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the storage did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: cannot {verb}: {reason}")]
pub struct StorageError {
    place: String,
    verb: &'static str,
    reason: String,
}

impl StorageError {
    /// `place: cannot verb: reason`.
    #[must_use]
    pub fn new(place: &str, verb: &'static str, reason: &str) -> Self {
        StorageError { place: place.to_owned(), verb, reason: reason.to_owned() }
    }
}

/// Bytes that only grow at the end.
pub trait Storage: Send {
    /// Everything written so far.
    ///
    /// # Errors
    /// [`StorageError`] when the place cannot be read.
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError>;

    /// Adds bytes at the end. After an error any part of them may have been written.
    ///
    /// # Errors
    /// [`StorageError`], such as a full disk.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// Returns once everything appended survives a power cut.
    ///
    /// # Errors
    /// [`StorageError`] when that cannot be promised.
    fn sync(&mut self) -> Result<(), StorageError>;

    /// Cuts off a torn tail behind the first `length` bytes.
    ///
    /// # Errors
    /// [`StorageError`] when the place cannot be written.
    fn truncate(&mut self, length: u64) -> Result<(), StorageError>;
}

/// Bytes in memory. Clones share them, so a test may kill a reader and open its batch again.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Vec<u8>>>);

/// A file that the caller names.
#[derive(Debug)]
pub struct FileStorage {
    path: PathBuf,
    file: File,
}

impl MemoryStorage {
    /// Storage that already holds `bytes`.
    #[must_use]
    pub fn holding(bytes: Vec<u8>) -> Self {
        MemoryStorage(Arc::new(Mutex::new(bytes)))
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError> {
        Ok(self.bytes().clone())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.bytes().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<(), StorageError> {
        self.bytes().truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }
}

impl FileStorage {
    /// Opens the file, or makes an empty one. Until it is dropped, nobody else may: two readers on one batch, and on
    /// the PSAM beside it, would use the same numbers twice.
    ///
    /// # Errors
    /// [`StorageError`] when it can be neither opened nor made, or another process has it.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let kept = opened.and_then(|file| sync_folder(path).map(|()| file));
        match kept.and_then(alone) {
            Ok(file) => Ok(FileStorage { path: path.to_owned(), file }),
            Err(error) => Err(failed(path, "open", &error)),
        }
    }
}

impl Storage for FileStorage {
    fn read_all(&mut self) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        (self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(|error| failed(&self.path, "read", &error))?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, "append", &error))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(|error| failed(&self.path, "sync", &error))
    }

    fn truncate(&mut self, length: u64) -> Result<(), StorageError> {
        self.file.set_len(length).map_err(|error| failed(&self.path, "truncate", &error))
    }
}

/// The file, if no other process has it.
fn alone(file: File) -> std::io::Result<File> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        // A file system without locks: its user alone can keep others out.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            Err(std::io::Error::new(ErrorKind::ResourceBusy, "another process has it"))
        }
    }
}

fn failed(path: &Path, verb: &'static str, error: &std::io::Error) -> StorageError {
    StorageError::new(&path.display().to_string(), verb, &error.to_string())
}

/// A new name in a folder survives a power cut once the folder is synced, where the system has that.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if cfg!(unix) { File::open(folder.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
}
