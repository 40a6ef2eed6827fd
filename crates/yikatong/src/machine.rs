//! What this machine gives: the time, random bytes, files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use keys::vault::{self, Lock};
use keys::{Roots, SoftwareKeys};
use model::registry::Registry;
use model::{CardTime, Clock, Entropy};

use crate::failure::{Failure, Outcome};

/// The machine's clock, in China's time.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> CardTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        CardTime::from_unix_seconds(seconds)
    }
}

/// Random bytes from the operating system.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, buffer: &mut [u8]) {
        #[allow(clippy::expect_used)] // without random bytes nothing here may go on
        getrandom::fill(buffer).expect("the operating system gives no random bytes");
    }
}

/// The built-in registry, and over it the files of `folder`.
pub(crate) fn registry(folder: Option<&Path>) -> Outcome<Registry> {
    let embedded = Registry::embedded().map_err(Failure::input)?;
    let Some(folder) = folder else { return Ok(embedded) };
    let mut files = Vec::new();
    read_folder(folder, folder, &mut files)?;
    embedded.overlay(files).map_err(|error| Failure::path(folder, error))
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Outcome {
    let entries = fs::read_dir(folder).map_err(|error| Failure::path(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| Failure::path(folder, error))?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).map_err(|error| Failure::path(&path, error))?;
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            files.push((parts.join("/"), text));
        }
    }
    Ok(())
}

/// The roots in a vault file.
pub(crate) fn open_vault(vault: &Path, passphrase_file: Option<&PathBuf>) -> Outcome<Roots> {
    let passphrase_file = passphrase_file
        .ok_or_else(|| Failure::input("--vault needs --passphrase-file, the file with its passphrase"))?;
    let bytes = fs::read(vault).map_err(|error| Failure::path(vault, error))?;
    let passphrase = passphrase(passphrase_file)?;
    vault::open(&bytes, &Lock::Passphrase(&passphrase)).map_err(|error| Failure::path(vault, error))
}

/// The first line of a passphrase file.
pub(crate) fn passphrase(path: &Path) -> Outcome<String> {
    let text = fs::read_to_string(path).map_err(|error| Failure::path(path, error))?;
    let line = text.lines().next().unwrap_or_default().to_owned();
    if line.len() < 8 {
        return Err(Failure::path(path, "the passphrase is shorter than 8 characters"));
    }
    Ok(line)
}

/// The key service of a vault file, or of the published demo roots.
pub(crate) fn keys(vault: Option<&PathBuf>, passphrase_file: Option<&PathBuf>) -> Outcome<SoftwareKeys> {
    match vault {
        None => Ok(SoftwareKeys::demo()),
        Some(vault) => open_vault(vault, passphrase_file).map(SoftwareKeys::new),
    }
}

/// Writes a file whole or not at all, also if the power fails.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Outcome {
    write_files(&[(path.to_path_buf(), bytes)])
}

/// Writes files that belong together: a neighbour of each first, on the disk, and only then their names. On a full disk
/// none of them has changed.
pub(crate) fn write_files(files: &[(PathBuf, &[u8])]) -> Outcome {
    let neighbour = |path: &Path| {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        path.with_file_name(name)
    };
    let written = files.iter().try_for_each(|(path, bytes)| {
        let written = fs::File::create(neighbour(path)).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|error| Failure::path(path, error))
    });
    let named = written.and_then(|()| {
        files.iter().try_for_each(|(path, _)| {
            fs::rename(neighbour(path), path).map_err(|error| Failure::path(path, error))
        })
    });
    if named.is_err() {
        for (path, _) in files {
            let _ = fs::remove_file(neighbour(path)); // best effort: the error that matters is the first
        }
    }
    named
}

/// A folder, made if it is not there.
pub(crate) fn make_folder(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|error| Failure::path(path, error))
}
