//! The account that runs the server when we are root, which PostgreSQL refuses to be.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::ServerError;

const ROOT: u32 = 0;
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// Whose name we lend.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// `None` if we are not root and need to lend nothing.
    pub(crate) fn to_lend() -> Result<Option<Self>, ServerError> {
        // Whoever makes a file is its owner: the one way to ask who we are that is the same everywhere.
        let probe = tempfile::tempfile().and_then(|file| file.metadata());
        let ours = probe.map_err(|source| ServerError::Io { doing: "see who we are", source })?.uid();
        if ours != ROOT {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = NAMES.iter().find_map(|name| find(&accounts, name));
        found.map(Some).ok_or(ServerError::NoAccount)
    }

    pub(crate) fn give(&self, path: &Path) -> std::io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }

    pub(crate) fn lend(&self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }
}

/// A line of `/etc/passwd` is name, password, user, group and more, between colons.
fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut parts = line.split(':');
        let is_named = parts.next() == Some(name);
        let (user, group) = (parts.nth(1)?.parse().ok()?, parts.next()?.parse().ok()?);
        is_named.then_some(Account { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_name() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n\npostgres:x:101:104:,,,:/var/lib:/bin/sh\n";
        let found = find(accounts, "postgres").map(|account| (account.user, account.group));
        assert_eq!(found, Some((101, 104)));
        assert!(find(accounts, "nobody").is_none());
    }
}
