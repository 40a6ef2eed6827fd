//! How a command ends when it does not end well: a clear message, and the exit code that fits.

use std::fmt;
use std::path::Path;

/// A command's result.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// 1: the job found something wrong. 2: bad use or bad input.
    pub(crate) code: u8,
    message: String,
}

impl Failure {
    /// The job found something wrong.
    pub(crate) fn wrong(message: impl fmt::Display) -> Self {
        Failure { code: 1, message: message.to_string() }
    }

    /// Bad use or bad input.
    pub(crate) fn input(message: impl fmt::Display) -> Self {
        Failure { code: 2, message: message.to_string() }
    }

    /// A file or folder that cannot be used.
    pub(crate) fn path(path: &Path, what: impl fmt::Display) -> Self {
        Failure::input(format_args!("{}: {what}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
