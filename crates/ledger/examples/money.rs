//! How fast money becomes durable here, on SQLite and on a real PostgreSQL, beside the bare database in the same run.
//!
//! `cargo xtask bench money` builds and runs it; `--json` prints one object a line.

// A measurement talks to a person, and a failure of any part of it is the end of it.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use ledger::{Entry, Ledger, Leg, PostgresLedger, Rules, SharedLedger, SqliteLedger};
use model::Fen;
use postgres::{Client, NoTls};
use postgres_server::{Durability, Server};
use rusqlite::Connection;

type Failed = Box<dyn Error + Send + Sync>;

const CALLERS: usize = 64;
/// How long loads, and bare commits, are measured.
const WINDOW: Duration = Duration::from_secs(4);
const RECORDS: usize = 300_000;
/// Entries, or bare rows, in one transaction.
const BATCH: usize = 10_000;
/// Bare rows in one statement of SQLite.
const ROWS: usize = 100;
/// As many bytes as a line of the log has beside its numbers: id, kind, legs, digest and hash.
const ROW_BYTES: usize = 160;

/// What one database can do.
struct Figures {
    store: &'static str,
    loads_s: u128,
    pend_us: [u128; 2],
    post_us: [u128; 2],
    bare_commits_s: u128,
    records_s: u128,
    bare_rows_s: u128,
}

fn main() -> Result<(), Failed> {
    let json = std::env::args().any(|word| word == "--json");
    let told = |figures: &Figures| if json { figures.print_json() } else { figures.print() };
    if !json {
        let cores = thread::available_parallelism().map_or(0, usize::from);
        println!("money: {CALLERS} callers, {cores} cores, every step on disk before it is answered");
    }
    told(&sqlite()?);
    match postgres_server::available() {
        Ok(()) => told(&postgres()?),
        Err(why) => println!("SKIPPED postgres: {why}"),
    }
    Ok(())
}

fn sqlite() -> Result<Figures, Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.db");
    let loads = loads(SqliteLedger::open(&path)?)?;
    let records_s = bulk(&mut SqliteLedger::open(&path)?.with_rules(Rules::none()))?;
    SqliteLedger::open(&path)?.verify()?;

    let bare = Connection::open(folder.path().join("bare.db"))?;
    bare.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE bare (a INTEGER PRIMARY KEY, b TEXT)")?;
    let row = "x".repeat(ROW_BYTES);
    let mut one = bare.prepare("INSERT INTO bare (b) VALUES (?1)")?;
    let bare_commits_s = repeat(|| Ok(one.execute([&row]).map(|_| ())?))?;
    let many = format!("INSERT INTO bare (b) VALUES {}", vec!["(?1)"; ROWS].join(", "));
    let mut many = bare.prepare(&many)?;
    let started = Instant::now();
    for _ in 0..RECORDS / BATCH {
        bare.execute_batch("BEGIN")?;
        for _ in 0..BATCH / ROWS {
            many.execute([&row])?;
        }
        bare.execute_batch("COMMIT")?;
    }
    let bare_rows_s = a_second(RECORDS, started.elapsed());
    Ok(loads.beside("SQLite", bare_commits_s, records_s, bare_rows_s))
}

fn postgres() -> Result<Figures, Failed> {
    let settings = [("shared_buffers", "256MB"), ("max_wal_size", "4GB")];
    let server = Server::start_with(Durability::Full, &settings)?;
    let url = server.socket_url("postgres");
    let loads = loads(PostgresLedger::open(&url)?)?;
    let records_s = bulk(&mut PostgresLedger::open(&url)?.with_rules(Rules::none()))?;
    PostgresLedger::open(&url)?.verify()?;

    let mut bare = Client::connect(&url, NoTls)?;
    bare.batch_execute("CREATE TABLE bare (a BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b TEXT)")?;
    let row = "x".repeat(ROW_BYTES);
    let one = bare.prepare("INSERT INTO bare (b) VALUES ($1)")?;
    let bare_commits_s = repeat(|| Ok(bare.execute(&one, &[&row]).map(|_| ())?))?;
    let batch = format!("{row}\n").repeat(BATCH);
    let started = Instant::now();
    for _ in 0..RECORDS / BATCH {
        let mut copy = bare.copy_in("COPY bare (b) FROM STDIN")?;
        std::io::Write::write_all(&mut copy, batch.as_bytes())?;
        copy.finish()?;
    }
    let bare_rows_s = a_second(RECORDS, started.elapsed());
    Ok(loads.beside("PostgreSQL", bare_commits_s, records_s, bare_rows_s))
}

/// Loads by many callers, all through the same three accounts.
fn loads(ledger: impl Ledger + 'static) -> Result<Loads, Failed> {
    let shared = SharedLedger::new(ledger)?;
    let end = Instant::now() + WINDOW;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let mut shared = shared.clone();
            thread::spawn(move || -> Result<Vec<[Duration; 2]>, Failed> {
                let mut steps = Vec::new();
                while Instant::now() < end {
                    let id = format!("load-{caller}-{}", steps.len());
                    let started = Instant::now();
                    shared.pend(entry(&id, "paid-in:alipay", "doubt:2000")?)?;
                    let pended = started.elapsed();
                    shared.post(entry(&id, "doubt:2000", "float:2000")?)?;
                    steps.push([pended, started.elapsed() - pended]);
                }
                Ok(steps)
            })
        })
        .collect();
    let started = Instant::now();
    let mut steps = Vec::new();
    for caller in callers {
        steps.extend(caller.join().map_err(|_| "a caller panicked")??);
    }
    Ok(Loads { took: started.elapsed(), steps })
}

/// Clearing entries, one leg each, as a day's taps become them.
fn bulk(ledger: &mut impl Ledger) -> Result<u128, Failed> {
    let mut entries = Vec::with_capacity(RECORDS);
    for number in 0..RECORDS {
        entries.push(entry(&format!("tap-{number:016}"), "due:issuer:2000", "due:acquirer:0670")?);
    }
    let started = Instant::now();
    for batch in entries.chunks(BATCH) {
        for outcome in ledger.record_all(batch)? {
            outcome?;
        }
    }
    Ok(a_second(RECORDS, started.elapsed()))
}

fn entry(id: &str, debit: &str, credit: &str) -> Result<Entry, Failed> {
    Ok(Entry {
        id: id.parse()?,
        kind: "bench".parse()?,
        legs: vec![Leg::new(debit.parse()?, credit.parse()?, Fen::new(100))?],
        day: "2014-10-20".parse()?,
        at: "2014-10-20 07:45:00".parse()?,
        memo: String::new(),
    })
}

/// Durable single-row commits a second, one after the other.
fn repeat(mut commit: impl FnMut() -> Result<(), Failed>) -> Result<u128, Failed> {
    let (started, mut done) = (Instant::now(), 0);
    while started.elapsed() < WINDOW {
        commit()?;
        done += 1;
    }
    Ok(a_second(done, started.elapsed()))
}

fn a_second(count: usize, took: Duration) -> u128 {
    count as u128 * 1_000_000 / took.as_micros().max(1)
}

struct Loads {
    took: Duration,
    steps: Vec<[Duration; 2]>,
}

impl Loads {
    fn beside(
        self,
        store: &'static str,
        bare_commits_s: u128,
        records_s: u128,
        bare_rows_s: u128,
    ) -> Figures {
        let [pend_us, post_us] = [0, 1].map(|step| self.percentiles(step));
        let loads_s = a_second(self.steps.len(), self.took);
        Figures { store, loads_s, pend_us, post_us, bare_commits_s, records_s, bare_rows_s }
    }

    /// The 50th and the 99th, in microseconds.
    fn percentiles(&self, step: usize) -> [u128; 2] {
        let mut all: Vec<u128> = self.steps.iter().map(|steps| steps[step].as_micros()).collect();
        all.sort_unstable();
        [50, 99].map(|percent| all.get(all.len() * percent / 100).copied().unwrap_or_default())
    }
}

impl Figures {
    fn print(&self) {
        let Figures { store, loads_s, pend_us, post_us, bare_commits_s, records_s, bare_rows_s } = self;
        println!("{store}: {loads_s} durable loads/s (each: pend, then post, on hot accounts)");
        println!(
            "  pend: p50 {} us, p99 {} us; post: p50 {} us, p99 {} us",
            pend_us[0], pend_us[1], post_us[0], post_us[1]
        );
        println!(
            "  a bare loop of single-row commits: {bare_commits_s}/s; a load needs two, so {} % of its pace",
            200 * loads_s / bare_commits_s.max(&1)
        );
        println!(
            "  bulk: {records_s} clearing entries/s; bare rows of the same bytes, no checks: {bare_rows_s}/s; {} % of it",
            100 * records_s / bare_rows_s.max(&1)
        );
    }

    fn print_json(&self) {
        let Figures { store, loads_s, pend_us, post_us, bare_commits_s, records_s, bare_rows_s } = self;
        println!(
            "{{\"store\":\"{store}\",\"callers\":{CALLERS},\"loads_per_s\":{loads_s},\
             \"pend_p50_us\":{},\"pend_p99_us\":{},\"post_p50_us\":{},\"post_p99_us\":{},\
             \"bare_commits_per_s\":{bare_commits_s},\"records_per_s\":{records_s},\"bare_rows_per_s\":{bare_rows_s}}}",
            pend_us[0], pend_us[1], post_us[0], post_us[1]
        );
    }
}
