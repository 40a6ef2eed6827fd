//! A real PostgreSQL for tests and measurements: found on this machine, started in a temporary folder, gone with us.
//!
//! The server listens on 127.0.0.1 at a free port and on a socket in its folder; whoever connects there is let in.
//! It refuses to run as root, so root lends it the name of `postgres` or `nobody`. A watcher holds one end of a pipe whose
//! other end is ours: when this process ends, however it ends, the watcher stops the server and removes the folder.
//!
//! Invariant: nothing of it is in the shipped binary; it is a development dependency only.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Some(server) = postgres_server::shared() else { return Ok(()) };
//! let url = server.database()?;
//! let mut client = postgres::Client::connect(&url, postgres::NoTls)?;
//! assert_eq!(client.query_one("SELECT 1 + 1", &[])?.get::<_, i32>(0), 2);
//! # Ok(())
//! # }
//! ```

mod account;
mod programs;
mod watcher;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use account::Account;
use programs::Programs;
use watcher::Watcher;

/// Another program may take a free port between our look and the server's.
const TRIES: usize = 5;
/// The superuser, and the only user.
const USER: &str = "yikatong";

/// Whether what is answered is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `fsync` off: for tests of behaviour.
    None,
    /// `fsync` on, as a server is run: for kills and for measurements.
    Full,
}

/// How the server is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, the rest is finished.
    Fast,
    /// As if it had crashed: the next start recovers from its log.
    Immediate,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages name the fields
pub enum ServerError {
    /// PostgreSQL is not on this machine.
    #[error("no initdb, postgres and pg_ctl in PATH or /usr/lib/postgresql/*/bin")]
    NotInstalled,
    /// Root cannot run it, and there is nobody to lend a name.
    #[error("PostgreSQL does not run as root, and /etc/passwd has no `postgres` or `nobody`")]
    NoAccount,
    /// A file or a program could not be used.
    #[error("cannot {doing}: {source}")]
    Io {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// A program of PostgreSQL said no.
    #[error("{program} failed: {said}")]
    Program { program: &'static str, said: String },
    /// The server answers, but not as hoped.
    #[error("cannot {doing}: {source}")]
    Sql {
        doing: &'static str,
        #[source]
        source: postgres::Error,
    },
}

/// A running server. Stopped and removed on drop, and also if this process is killed.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    account: Option<Account>,
    folder: PathBuf,
    port: u16,
    settings: String,
    databases: AtomicU32,
    /// Its drop ends the server.
    _watcher: Watcher,
}

/// Whether a server could be started here, and if not, why.
///
/// # Errors
/// [`ServerError::NotInstalled`], [`ServerError::NoAccount`].
pub fn available() -> Result<(), ServerError> {
    Programs::find()?;
    Account::to_lend()?;
    Ok(())
}

/// The one server of this process, started when first asked for; without durability. `None` where PostgreSQL is not
/// installed: then this says so aloud, and the test that asked has nothing to do.
///
/// # Panics
/// If PostgreSQL is installed and does not start: that is a failed test.
#[allow(clippy::panic)] // called by tests alone
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(|| {
        available().ok()?;
        Some(Server::start(Durability::None).unwrap_or_else(|why| panic!("PostgreSQL does not start: {why}")))
    });
    if let (None, Err(why)) = (server, available()) {
        skipped(&why);
    }
    server.as_ref()
}

/// Says aloud that a test had nothing to do: past the harness, which keeps what a test that passes prints.
pub fn skipped(why: &ServerError) {
    // Who has no standard error hears nothing; there is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED postgres: {why}");
}

impl Server {
    /// Makes a new server in a temporary folder and starts it.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start(durability: Durability) -> Result<Self, ServerError> {
        Self::start_with(durability, &[])
    }

    /// [`Server::start`] with settings of `postgresql.conf`, such as `("max_connections", "200")`.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start_with(durability: Durability, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        let programs = Programs::find()?;
        let account = Account::to_lend()?;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().map_err(io("make a folder"))?;
        if let Some(account) = &account {
            account.give(folder.path()).map_err(io("give the folder away"))?;
        }
        let folder = folder.keep();
        let watcher = Watcher::begin(&programs, account.as_ref(), &folder).map_err(io("begin to watch"))?;
        let mut flags = format!("-k {} -c listen_addresses=127.0.0.1", folder.display());
        if durability == Durability::None {
            flags.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        for (name, value) in settings {
            flags.push_str(&format!(" -c {name}={value}"));
        }
        let databases = AtomicU32::new(0);
        let mut server =
            Server { programs, account, folder, port: 0, settings: flags, databases, _watcher: watcher };
        server.initdb(durability)?;
        let mut last = Ok(());
        for _ in 0..TRIES {
            server.port = free_port().map_err(io("find a free port"))?;
            last = server.begin();
            if last.is_ok() {
                break;
            }
        }
        last.map(|()| server)
    }

    /// Where the database `postgres` is, over TCP.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The same over the socket in the server's folder, as words that a connection takes.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let (folder, port) = (self.folder.display(), self.port);
        format!("host={folder} port={port} user={USER} dbname={database}")
    }

    /// Makes a new and empty database: where it is, over TCP.
    ///
    /// # Errors
    /// The server's.
    pub fn database(&self) -> Result<String, ServerError> {
        let sql = |source| ServerError::Sql { doing: "make a database", source };
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut client = postgres::Client::connect(&self.url(), postgres::NoTls).map_err(sql)?;
        client.batch_execute(&format!("CREATE DATABASE {name}")).map_err(sql)?;
        Ok(self.url_of(&name))
    }

    /// Stops the server; its files stay until the drop.
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub fn stop(&self, how: Stop) -> Result<(), ServerError> {
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        self.pg_ctl(&["stop", "-w", "-m", mode])
    }

    /// Starts it again after a [`Server::stop`], at the same address.
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub fn begin(&self) -> Result<(), ServerError> {
        let options = format!("{} -p {}", self.settings, self.port);
        let log = self.folder.join("log");
        let log = log.display().to_string();
        self.pg_ctl(&["start", "-w", "-t", "60", "-l", &log, "-o", &options])
    }

    /// [`Server::stop`], then [`Server::begin`].
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub fn restart(&self, how: Stop) -> Result<(), ServerError> {
        self.stop(how)?;
        self.begin()
    }

    /// What the server has written about itself.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn initdb(&self, durability: Durability) -> Result<(), ServerError> {
        let mut command = self.command("initdb");
        command.arg("-D").arg(data(&self.folder)).args([
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]);
        if durability == Durability::None {
            command.arg("--no-sync");
        }
        run("initdb", &mut command)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<(), ServerError> {
        let done = run("pg_ctl", self.command("pg_ctl").arg("-D").arg(data(&self.folder)).args(arguments));
        done.map_err(|error| match error {
            ServerError::Program { program, said } => {
                ServerError::Program { program, said: format!("{said}\n{}", self.log()) }
            }
            other => other,
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        command.current_dir(&self.folder);
        if let Some(account) = &self.account {
            account.lend(&mut command);
        }
        command
    }
}

/// Where a server in `folder` keeps its data.
fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> ServerError {
    move |source| ServerError::Io { doing, source }
}

/// Runs a program to its end. What it says goes to a file: a server that it leaves behind would hold a pipe open.
fn run(program: &'static str, command: &mut Command) -> Result<(), ServerError> {
    let said = tempfile::NamedTempFile::new().map_err(io("keep a program's words"))?;
    let output = || said.reopen().map_err(io("keep a program's words"));
    command.stdin(std::process::Stdio::null()).stdout(output()?).stderr(output()?);
    let status = command.status().map_err(io("run a program of PostgreSQL"))?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(said.path()).unwrap_or_default();
    Err(ServerError::Program { program, said: said.trim().to_owned() })
}
