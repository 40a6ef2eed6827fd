//! A demo centre in memory, driven through its router as everyone drives it.
#![allow(dead_code, unreachable_pub)] // each test file uses its own part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

pub mod lost;
pub mod phone;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use centre::http::{Target, demo_signing_key, router, sign};
use centre::{Config, Core, Storage};
use keys::{Seeded, SoftwareKeys};
use model::registry::Registry;
use model::{CardTime, Clock};
use serde_json::Value;
use tower::ServiceExt;

/// A clock that a test sets.
pub struct Hands(Mutex<CardTime>);

impl Clock for Hands {
    fn now(&self) -> CardTime {
        *self.0.lock().unwrap()
    }
}

impl Hands {
    pub fn forward(&self, seconds: i64) {
        let mut time = self.0.lock().unwrap();
        *time = time.plus_seconds(seconds);
    }
}

/// Does what may wait for a server, away from a test's async runtime.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| threads.spawn(work).join().unwrap())
}

/// A running centre.
pub struct Centre {
    pub core: Arc<Core>,
    pub clock: Arc<Hands>,
    router: axum::Router,
    nonce: AtomicU64,
}

/// A request before it is signed.
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub keyid: &'a str,
    pub body: Vec<u8>,
}

pub fn registry() -> Arc<Registry> {
    Arc::new(Registry::embedded().unwrap())
}

/// The first phone model of the registry.
pub fn phone_id() -> String {
    registry().phones().find(|phone| phone.element.crs).unwrap().id.clone()
}

impl Centre {
    /// In memory; in a file of tests that is named so, on a database of a real server.
    pub fn in_memory() -> Centre {
        Centre::usual(registry())
    }

    /// The same, on a registry of the test's own.
    pub fn of(registry: Registry) -> Centre {
        Centre::usual(Arc::new(registry))
    }

    fn usual(registry: Arc<Registry>) -> Centre {
        if !env!("CARGO_CRATE_NAME").ends_with("_on_postgres") {
            return Centre::open(Storage::Memory, 7, registry);
        }
        apart(|| {
            let url = postgres_server::shared().map(|server| server.database().unwrap());
            let centre = Centre::open(url.map_or(Storage::Memory, Storage::Postgres), 7, registry);
            // Its connections cannot be closed inside an async runtime, where a test ends; they end with the process.
            std::mem::forget(Arc::clone(&centre.core));
            centre
        })
    }

    pub fn in_folder(folder: &Path, seed: u64) -> Centre {
        Centre::open(Storage::Folder(folder.to_owned()), seed, registry())
    }

    /// A centre on a server's database. To be opened and dropped outside of an async runtime.
    pub fn on_postgres(url: &str, seed: u64) -> Centre {
        Centre::open(Storage::Postgres(url.to_owned()), seed, registry())
    }

    /// A centre that counts requests by a clock of the test's own.
    pub fn paced(registry: Registry, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Centre {
        Centre::made(Storage::Memory, 7, Arc::new(registry), |core| core.with_pace(ticks))
    }

    /// A centre on a server's database, on a registry of the test's own.
    pub fn of_on_postgres(registry: Registry, url: &str, seed: u64) -> Centre {
        Centre::open(Storage::Postgres(url.to_owned()), seed, Arc::new(registry))
    }

    fn open(storage: Storage, seed: u64, registry: Arc<Registry>) -> Centre {
        Centre::made(storage, seed, registry, |core| core)
    }

    fn made(storage: Storage, seed: u64, registry: Arc<Registry>, with: impl FnOnce(Core) -> Core) -> Centre {
        let clock = Arc::new(Hands(Mutex::new("2014-10-20 07:45:00".parse().unwrap())));
        let config = Config {
            registry,
            keys: Arc::new(SoftwareKeys::demo()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Box::new(Seeded::new(seed)),
            storage,
            demo: true,
        };
        let core = Arc::new(with(Core::open(config).unwrap()));
        // Nonces of a centre that was opened again must not repeat.
        let nonce = AtomicU64::new(seed * 1_000_000);
        Centre { router: router(Arc::clone(&core)), core, clock, nonce }
    }

    pub fn unix(&self) -> i64 {
        self.clock.now().unix_seconds()
    }

    pub async fn raw(&self, request: Request<Body>) -> (u16, HeaderMap, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, bytes.to_vec())
    }

    pub async fn json(&self, request: Request<Body>) -> (u16, Value) {
        let (status, _, bytes) = self.raw(request).await;
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// Sends a request signed by the demo key of `keyid`.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        keyid: &str,
        body: impl Into<Vec<u8>>,
    ) -> (u16, Value) {
        let ask = Ask { method, path, keyid, body: body.into() };
        self.json(self.signed(&ask)).await
    }

    pub fn signed(&self, ask: &Ask<'_>) -> Request<Body> {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed).to_string();
        signed_as(ask, &nonce, self.unix())
    }

    /// A request that must succeed.
    pub async fn ok(&self, method: &str, path: &str, keyid: &str, body: Value) -> Value {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (status, answer) = self.send(method, path, keyid, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A request that must be refused; gives the code.
    pub async fn refused(&self, method: &str, path: &str, keyid: &str, body: Value) -> String {
        let (status, answer) = self.send(method, path, keyid, body.to_string()).await;
        assert!(status >= 400, "{method} {path}: {status} {answer}");
        assert_eq!(answer["status"], status);
        assert!(!answer["title_zh"].as_str().unwrap().is_empty());
        answer["code"].as_str().unwrap().to_owned()
    }
}

pub fn signed_as(ask: &Ask<'_>, nonce: &str, created: i64) -> Request<Body> {
    let (path, query) = match ask.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (ask.path, None),
    };
    let target = Target { method: ask.method, path, query };
    let headers = sign(&demo_signing_key(ask.keyid), ask.keyid, nonce, created, target, &ask.body).unwrap();
    Request::builder()
        .method(ask.method)
        .uri(ask.path)
        .header("content-type", "application/json")
        .header("content-digest", headers.content_digest)
        .header("signature-input", headers.signature_input)
        .header("signature", headers.signature)
        .body(Body::from(ask.body.clone()))
        .unwrap()
}
