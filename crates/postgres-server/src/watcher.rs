//! A shell that outlives us by a moment: when our end of its pipe closes, it stops the server and clears up.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::account::Account;
use crate::programs::Programs;

/// `$0` is pg_ctl, `$1` the data, `$2` the folder. `cat` ends when the pipe does.
const SCRIPT: &str = r#"cat; "$0" -D "$1" stop -w -m immediate; cd / && rm -rf "$2""#;

#[derive(Debug)]
pub(crate) struct Watcher(Child);

impl Watcher {
    pub(crate) fn begin(
        programs: &Programs,
        account: Option<&Account>,
        folder: &Path,
    ) -> std::io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).arg(programs.path("pg_ctl")).arg(crate::data(folder)).arg(folder);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A Ctrl-C at the terminal is for us; the watcher sees the pipe close.
        command.process_group(0);
        if let Some(account) = account {
            account.lend(&mut command);
        }
        command.spawn().map(Watcher)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nothing is left to do about a failure here.
        let _ended = self.0.wait();
    }
}
