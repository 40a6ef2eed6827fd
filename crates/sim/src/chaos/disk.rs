//! Disks (磁盘): folders that a killed process leaves behind, with a torn write at their end, and a chip's memory that
//! sometimes fails.
//!
//! Invariant: what a process had committed is in the folder that its next life opens; what it had only begun may be there
//! in part.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use model::Entropy;
use secure_element::{MemoryStore, Store};

/// A process's folder, one for each of its lives.
pub(super) struct Disk {
    root: PathBuf,
    life: u32,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Disk { root, life: 0 }
    }

    /// Where the present life keeps its files.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.join(format!("life-{}", self.life))
    }

    pub(super) fn life(&self) -> u32 {
        self.life
    }

    /// The disk at the moment of a kill becomes the folder of the next life: to be called while the process still has its
    /// files open, so that nothing is tidied away. With `torn`, a write that was under way has got as far as these bytes.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn kill(&mut self, torn: Option<&mut dyn Entropy>) -> io::Result<()> {
        let before = self.folder();
        self.life = self.life.saturating_add(1);
        let after = self.folder();
        fs::create_dir_all(&after)?;
        for entry in fs::read_dir(&before)? {
            let from = entry?.path();
            let Some(name) = from.file_name() else { continue };
            // The shared-memory index is no part of the disk's truth.
            if from.extension().is_none_or(|ending| ending != "db-shm") {
                fs::copy(&from, after.join(name))?;
            }
        }
        match torn {
            Some(random) => tear(&after, random),
            None => Ok(()),
        }
    }

    /// The folder of the life before is not needed any more.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn bury(&self) -> io::Result<()> {
        match self.life.checked_sub(1) {
            Some(before) => fs::remove_dir_all(self.root.join(format!("life-{before}"))),
            None => Ok(()),
        }
    }
}

/// Every write-ahead log gets the beginning of one more frame, as a write that was cut off leaves it.
fn tear(folder: &Path, random: &mut dyn Entropy) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "db-wal") {
            let mut length = [0; 2];
            random.fill(&mut length);
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length)) % 6000];
            random.fill(&mut bytes);
            OpenOptions::new().append(true).open(&path)?.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// What the next write of a chip's memory comes to.
const GOOD: u8 = 0;
const REFUSED: u8 = 1;
const WRITTEN_AND_FAILED: u8 = 2;

/// A chip's memory; clones are the same memory.
#[derive(Clone, Default)]
pub(super) struct ChipMemory {
    memory: MemoryStore,
    next: Arc<AtomicU8>,
}

impl ChipMemory {
    /// The next write fails: before anything is written, or after.
    pub(super) fn fail_once(&self, written: bool) {
        self.next.store(if written { WRITTEN_AND_FAILED } else { REFUSED }, Ordering::Relaxed);
    }

    /// The next write is good again.
    pub(super) fn is_sound(&self) {
        self.next.store(GOOD, Ordering::Relaxed);
    }
}

impl Store for ChipMemory {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.memory.load()
    }

    fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
        let next = self.next.swap(GOOD, Ordering::Relaxed);
        if next != REFUSED {
            self.memory.save(bytes)?;
        }
        if next == GOOD { Ok(()) } else { Err(io::Error::other("the memory is worn out")) }
    }
}
