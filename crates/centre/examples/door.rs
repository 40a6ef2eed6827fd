//! How many loads a second come through the centre's door: signed orders and phones' exchanges over real connections, each
//! load proven by a software card and on disk before it is answered, on SQLite and on a real PostgreSQL.
//!
//! `cargo xtask bench money` builds and runs it; `--json` prints one object a line.

// A measurement talks to a person, and a failure of any part of it is the end of it.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use centre::http::{Target, demo_signing_key, serve, sign};
use centre::{Config, Core, Storage};
use keys::{CardRef, Seeded, SoftwareKeys, demo_transport_keys};
use model::registry::Registry;
use model::{CardNumber, CardTime, Clock, TerminalId};
use postgres_server::{Durability, Server};
use secure_element::{MemoryStore, PlasticCard, personalise};
use serde_json::{Value, json};
use tsm::agent::Agent;
use tsm::seram::{AgentReport, Orders, SecureElement};

type Failed = Box<dyn Error + Send + Sync>;

const WINDOW: Duration = Duration::from_secs(6);
const WALLET: &str = "alipay";

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> CardTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        CardTime::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

/// What one load took, in microseconds: the order, the phone's exchanges, all of it, and of that the caller's own work.
type Took = [u128; 4];

fn main() -> Result<(), Failed> {
    let json = std::env::args().any(|word| word == "--json");
    for callers in [1, 32] {
        let folder = tempfile::tempdir()?;
        measure("SQLite", Storage::Folder(folder.path().to_owned()), callers, json)?;
        match postgres_server::available() {
            Ok(()) => {
                let server = Server::start_with(Durability::Full, &[("shared_buffers", "256MB")])?;
                let storage = Storage::Postgres(server.socket_url("postgres"));
                measure("PostgreSQL", storage, callers, json)?;
            }
            Err(why) => println!("SKIPPED postgres: {why}"),
        }
    }
    Ok(())
}

fn measure(store: &str, storage: Storage, callers: u8, json: bool) -> Result<(), Failed> {
    let registry = Arc::new(Registry::embedded()?);
    let core = Arc::new(Core::open(Config {
        registry: Arc::clone(&registry),
        keys: Arc::new(SoftwareKeys::demo()),
        clock: Arc::new(SystemClock),
        entropy: Box::new(Seeded::new(7)),
        storage,
        demo: true,
    })?);
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let door = Arc::clone(&core);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        serve(door, listener, std::future::pending()).await
    });
    let cards: Vec<PlasticCard> =
        (0..callers).map(|number| plastic(&registry, number)).collect::<Result<_, _>>()?;
    let started = Instant::now();
    let callers: Vec<_> = (0..)
        .zip(cards)
        .map(|(number, card)| thread::spawn(move || call(address, number, card, started + WINDOW)))
        .collect();
    let mut loads: Vec<Took> = Vec::new();
    let count = callers.len();
    for caller in callers {
        loads.extend(caller.join().map_err(|_| "a caller panicked")??);
    }
    let took = started.elapsed();
    core.verify_books()?;
    // The centre's connections may not be closed inside the runtime, so ours is the last hold on it.
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(core);
    print(store, count, &loads, took, json);
    Ok(())
}

fn print(store: &str, callers: usize, loads: &[Took], took: Duration, json: bool) {
    let loads_s = loads.len() as u128 * 1_000_000 / took.as_micros().max(1);
    let [order, phone, whole, own] = [0, 1, 2, 3].map(|part| {
        let mut all: Vec<u128> = loads.iter().map(|took| took[part]).collect();
        all.sort_unstable();
        [50, 99].map(|percent| all.get(all.len() * percent / 100).copied().unwrap_or_default())
    });
    if json {
        println!(
            "{{\"door\":\"{store}\",\"callers\":{callers},\"loads_per_s\":{loads_s},\"order_p50_us\":{},\"order_p99_us\":{},\
             \"phone_p50_us\":{},\"phone_p99_us\":{},\"load_p50_us\":{},\"load_p99_us\":{},\"own_p50_us\":{}}}",
            order[0], order[1], phone[0], phone[1], whole[0], whole[1], own[0]
        );
        return;
    }
    println!(
        "through the door, {store}, {callers} at once: {loads_s} durable loads/s, each proven by its card"
    );
    println!(
        "  order: p50 {} us, p99 {} us; the phone's exchanges: p50 {} us, p99 {} us; all: p50 {} us, p99 {} us",
        order[0], order[1], phone[0], phone[1], whole[0], whole[1]
    );
    println!("  of that the caller's own signature and card: p50 {} us", own[0]);
}

/// One wallet's connection and one passenger's card, load after load.
fn call(address: SocketAddr, number: u8, mut card: PlasticCard, end: Instant) -> Result<Vec<Took>, Failed> {
    let mut line = Line(TcpStream::connect(address)?);
    line.0.set_nodelay(true)?;
    let agent = Agent::new(SecureElement::plastic());
    let mut loads = Vec::new();
    while Instant::now() < end {
        let (started, mut own) = (Instant::now(), Duration::ZERO);
        let id = format!("load-{number}-{}", loads.len());
        let body = json!({"id": id, "kind": "load", "plastic": true, "amount_fen": 1,
                          "paid": {"amount_fen": 1, "reference": id}});
        let head = signed(&id, body.to_string().as_bytes())?;
        own += started.elapsed();
        let order = line.post("/v1/orders", &head, &body.to_string())?;
        let ordered = started.elapsed();
        let session = order["session"]["id"].as_str().ok_or("no session")?.to_owned();
        let hands = serde_json::to_string(&agent.handshake())?;
        line.post(&format!("/gp/seram/handshake?sessionId={session}"), "", &hands)?;
        let mut report = AgentReport::polling();
        loop {
            let path = format!("/gp/seram/remoteManagement?sessionId={session}");
            let orders = line.post(&path, "", &serde_json::to_string(&report)?)?;
            let orders: Orders = serde_json::from_value(orders)?;
            let before = Instant::now();
            let done = agent.run(&orders, &mut card);
            own += before.elapsed();
            if done.stop {
                if done.notices.concat() != "done" {
                    return Err(format!("{id}: {:?}", done.notices).into());
                }
                break;
            }
            report = done.report;
        }
        let whole = started.elapsed();
        loads.push([ordered, whole - ordered, whole, own].map(|part| part.as_micros()));
    }
    Ok(loads)
}

/// Headers of a request that the demo wallet signs.
fn signed(nonce: &str, body: &[u8]) -> Result<String, Failed> {
    let target = Target { method: "POST", path: "/v1/orders", query: None };
    let now = SystemClock.now().unix_seconds();
    let headers = sign(&demo_signing_key(WALLET), WALLET, nonce, now, target, body)?;
    Ok(format!(
        "content-digest: {}\r\nsignature-input: {}\r\nsignature: {}\r\n",
        headers.content_digest, headers.signature_input, headers.signature
    ))
}

/// A connection that is kept.
struct Line(TcpStream);

impl Line {
    fn post(&mut self, path: &str, head: &str, body: &str) -> Result<Value, Failed> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: centre\r\ncontent-type: application/json\r\n{head}content-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let (mut whole, mut start) = (usize::MAX, 0);
        while answer.len() < whole {
            let mut some = [0; 8192];
            let read = self.0.read(&mut some)?;
            if read == 0 {
                return Err(format!("{path}: the centre hung up").into());
            }
            answer.extend_from_slice(&some[..read]);
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
            if let (usize::MAX, Some(end)) = (whole, end) {
                start = end + 4;
                let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                whole = start + length.ok_or("no length")?.parse::<usize>()?;
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("{path}: {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer[start..])?)
    }
}

/// A personalised card of the first city with loads.
fn plastic(registry: &Registry, number: u8) -> Result<PlasticCard, Failed> {
    let city = registry.city("2000".parse()?).ok_or("no city")?;
    let [a, b] = city.code.to_bcd();
    let serial = [number / 100, number / 10 % 10 * 16 + number % 10];
    let card =
        CardRef { city: city.code, number: CardNumber::new([a, b, 0x99, 0, 0, 0, serial[0], serial[1]]) };
    let mut entropy = Seeded::new(u64::from(number));
    let (store, random) = (Box::new(MemoryStore::default()), Box::new(entropy.fork("card")));
    let mut plastic = PlasticCard::blank(demo_transport_keys(), store, random)?;
    let told = tsm::new_card(city, card.number, "2014-01-01".parse()?, TerminalId::new([0; 6]), &mut entropy)
        .ok_or("no facts")?;
    personalise(&mut plastic, &card, &told, &SoftwareKeys::demo(), &mut entropy)?;
    Ok(plastic)
}
