//! PostgreSQL's own programs: in PATH, or where Debian and its kin put them.

use std::path::PathBuf;

use crate::ServerError;

const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_ctl"];
/// One folder a major version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder that holds all of them.
#[derive(Clone, Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    pub(crate) fn find() -> Result<Self, ServerError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(versions());
        let whole = |folder: &PathBuf| NEEDED.iter().all(|program| folder.join(program).is_file());
        folders.into_iter().find(whole).map(Programs).ok_or(ServerError::NotInstalled)
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.0.join(program)
    }
}

/// The newest first.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    numbered.sort();
    numbered.into_iter().rev().map(|(_, folder)| folder).collect()
}
