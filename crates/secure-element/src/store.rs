//! Where a chip's non-volatile memory is kept: whole, or as it was before.
//!
//! Invariant: whatever the moment at which the process is killed, the next start finds the memory either before
//! or after a command, never between. A memory in a file is one process's at a time: two would be two cards that
//! spend the same value.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Non-volatile memory as one block of bytes.
pub trait Store: Send {
    /// What was saved last; `None` if nothing ever was.
    ///
    /// # Errors
    /// I/O, or bytes that were not saved by [`Store::save`].
    fn load(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces what is saved, in one atomic step, durably.
    ///
    /// # Errors
    /// I/O. What is there is then what was saved before or, if only the last step failed, these bytes, whole.
    fn save(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Where that is, for messages.
    fn place(&self) -> String {
        "memory".to_owned()
    }
}

/// Memory that lives as long as the process; clones share it, as a chip is the same chip after a reset.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Option<Vec<u8>>>>);

impl Store for MemoryStore {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.to_vec());
        Ok(())
    }
}

/// Memory in a file: magic, CRC-32 of the rest, the bytes. Replaced by writing a neighbour and renaming it.
///
/// From its first use until it is dropped no other process may use the file; the lock is on a neighbour, because the
/// file itself is replaced.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    lock: Option<Arc<File>>,
}

const MAGIC: &[u8; 4] = b"YKC1";

impl FileStore {
    /// The file need not exist yet; its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileStore { path: path.into(), lock: None }
    }

    fn neighbour(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(ending);
        self.path.with_file_name(name)
    }

    /// Keeps other processes out.
    fn hold(&mut self) -> io::Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        let opened = File::options().create(true).truncate(false).write(true).open(self.neighbour(".lock"));
        let file = opened.map_err(|error| self.named(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            // A file system without locks: its user alone can keep others out.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(self.named(&error)),
            Err(TryLockError::WouldBlock) => {
                let text = format!("{}: another process has this card", self.path.display());
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
            }
        }
        self.lock = Some(Arc::new(file));
        Ok(())
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let neighbour = self.neighbour(".new");
        let mut file = File::create(&neighbour)?;
        file.write_all(MAGIC)?;
        file.write_all(&crc32fast::hash(bytes).to_be_bytes())?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&neighbour, &self.path)?;
        sync_folder(&self.path)
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }

    fn bad(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", self.path.display()))
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.hold()?;
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.named(&error)),
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
            self.bad("not a card's memory; expected a file made by `element serve` or `card serve`")
        })?;
        let (sum, memory) = rest.split_first_chunk::<4>().ok_or_else(|| self.bad("cut short"))?;
        if crc32fast::hash(memory) != u32::from_be_bytes(*sum) {
            return Err(self.bad("damaged: its check sum does not fit"));
        }
        Ok(Some(memory.to_vec()))
    }

    fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hold()?;
        self.replace(bytes).map_err(|error| self.named(&error))
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// Makes a rename durable, where the system lets a folder be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(_) => Ok(()), // not every system opens a folder as a file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_what_was_saved_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.state");
        assert_eq!(FileStore::new(&path).load().unwrap(), None);
        FileStore::new(&path).save(b"one").unwrap();
        FileStore::new(&path).save(b"two").unwrap();
        assert_eq!(FileStore::new(&path).load().unwrap().as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn a_file_is_one_store_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.state");
        let mut first = FileStore::new(&path);
        first.save(b"100 yuan").unwrap();
        let mut second = FileStore::new(&path);
        assert_eq!(second.load().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(second.save(b"other").unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        first.save(b"20 yuan").unwrap();
        drop(first);
        assert_eq!(second.load().unwrap().as_deref(), Some(&b"20 yuan"[..]));
    }

    #[test]
    fn a_kill_before_the_rename_leaves_the_memory_before_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.state");
        FileStore::new(&path).save(b"before").unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(folder.path().join("card.state.new"), &whole[..cut]).unwrap();
            assert_eq!(FileStore::new(&path).load().unwrap().as_deref(), Some(&b"before"[..]));
        }
        FileStore::new(&path).save(b"after").unwrap();
        assert_eq!(FileStore::new(&path).load().unwrap().as_deref(), Some(&b"after"[..]));
    }

    #[test]
    fn a_damaged_file_is_named_and_never_half_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.state");
        FileStore::new(&path).save(b"memory").unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let error = FileStore::new(&path).load().unwrap_err().to_string();
            assert!(error.contains("card.state"), "{error}");
        }
    }
}
