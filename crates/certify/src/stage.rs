//! The stage (测试环境): a real centre in memory behind a local port, its clock, and chips for the passengers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use centre::Core;
use keys::{CardRef, KeyService, SoftwareKeys};
use model::registry::Registry;
use model::{CardTime, CityCode, Clock, Entropy, WalletId};
use secure_element::{MemoryStore, PlasticCard, SoftwareElement};
use sim::Links;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::fault::{Layer, router};

/// Running numbers of plastic cards have ten digits.
const NUMBERS: u64 = 10_000_000_000;

/// Gives random bytes, as often as it is asked for.
pub type Random = Box<dyn Fn() -> Box<dyn Entropy + Send> + Send + Sync>;

/// What a stage is made of.
pub struct Config {
    /// Who exists; the wallet under test is one of them.
    pub registry: Arc<Registry>,
    /// The wallet under test.
    pub wallet: WalletId,
    /// Where the centre listens.
    pub listen: SocketAddr,
    /// How long the wallet waits for an answer of the centre's.
    pub timeout: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Random,
}

/// Why there is no stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The registry lacks somebody.
    #[error("the registry has no {0}")]
    Unknown(String),
    /// The port.
    #[error("cannot listen on {0}: {1}; choose another with --listen ADDR")]
    Listen(SocketAddr, std::io::Error),
    /// The centre, its links or a chip.
    #[error("the kit's own {0}: {1}")]
    Own(&'static str, String),
}

/// A clock that can be wrong.
struct Skewed {
    true_clock: Arc<dyn Clock>,
    by: AtomicI64,
}

impl Clock for Skewed {
    fn now(&self) -> CardTime {
        self.true_clock.now().plus_seconds(self.by.load(Ordering::Relaxed))
    }
}

/// Everything that a scenario plays on.
pub struct Stage {
    pub(crate) core: Arc<Core>,
    pub(crate) layer: Arc<Layer>,
    pub(crate) links: Links,
    pub(crate) wallet: WalletId,
    pub(crate) city: CityCode,
    pub(crate) phone: String,
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    pub(crate) random: Random,
    registry: Arc<Registry>,
    keys: Arc<SoftwareKeys>,
    clock: Arc<Skewed>,
    _runtime: Runtime,
}

fn own(what: &'static str) -> impl Fn(String) -> StageError {
    move |why| StageError::Own(what, why)
}

impl Stage {
    /// Opens the centre, and its door on the port.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn open(config: Config) -> Result<Stage, StageError> {
        let Config { registry, wallet, listen, timeout, clock, random } = config;
        registry.wallet(&wallet).ok_or_else(|| StageError::Unknown(format!("wallet {wallet}")))?;
        let now = clock.now().date();
        let city = registry
            .cities()
            .find(|city| city.joined.is_some_and(|day| day <= now) && city.card.issue_fee_fen.get() == 0);
        let city =
            city.or_else(|| registry.cities().next()).ok_or_else(|| StageError::Unknown("city".into()))?.code;
        let phone = registry.phones().next().ok_or_else(|| StageError::Unknown("phone".into()))?.id.clone();
        let keys = Arc::new(SoftwareKeys::demo());
        let clock = Arc::new(Skewed { true_clock: clock, by: AtomicI64::new(0) });
        let core = Core::open(centre::Config {
            registry: Arc::clone(&registry),
            keys: keys.clone() as Arc<dyn KeyService>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: random(),
            storage: centre::Storage::Memory,
            demo: true,
        });
        let core = Arc::new(core.map_err(|error| own("centre")(error.to_string()))?);
        let door = centre::http::router(Arc::clone(&core));
        let links = Links::new(door.clone()).map_err(|error| own("links")(error.to_string()))?;
        let layer = Arc::new(Layer::default());
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| own("runtime")(error.to_string()))?;
        let taken = |error| StageError::Listen(listen, error);
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(taken)?;
        let url = format!("http://{}", listener.local_addr().map_err(taken)?);
        let served = axum::serve(listener, router(door, Arc::clone(&layer)));
        runtime.spawn(async move { served.await });
        Ok(Stage {
            core,
            layer,
            links,
            wallet,
            city,
            phone,
            url,
            timeout,
            random,
            registry,
            keys,
            clock,
            _runtime: runtime,
        })
    }

    /// Where the wallet finds the centre.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The true time.
    #[must_use]
    pub fn now(&self) -> CardTime {
        self.clock.true_clock.now()
    }

    /// The centre's clock goes wrong by so much, or right again by zero.
    pub(crate) fn skew(&self, seconds: i64) {
        self.clock.by.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn element(&self) -> Result<SoftwareElement, StageError> {
        let phone =
            self.registry.phone(&self.phone).ok_or_else(|| StageError::Unknown(self.phone.clone()))?;
        sim::element(phone, Box::new(MemoryStore::default()), (self.random)())
            .map_err(|error| own("secure element")(error.to_string()))
    }

    pub(crate) fn plastic(&self) -> Result<PlasticCard, StageError> {
        let mut running = [0; 8];
        (self.random)().fill(&mut running);
        let number = sim::plastic_number(self.city, u64::from_be_bytes(running) % NUMBERS);
        let card = CardRef { city: self.city, number };
        let store = Box::new(MemoryStore::default());
        let today = self.now().date();
        sim::plastic(
            &self.registry,
            &card,
            today,
            self.keys.as_ref(),
            store,
            (self.random)(),
            (self.random)().as_mut(),
        )
        .map_err(|error| own("plastic card")(error.to_string()))
    }
}
