//! The centre itself, without HTTP: one struct that owns the store, the ledger and the sessions under way.
//!
//! Its doors are modules: `wallet`, `phone`, `operator`, `settlement`, `console`.
//!
//! Invariant: one request at a time changes anything; each change is durable before its answer is given; a killed
//! process goes on from its folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keys::{KeyService, Roots};
use ledger::{Ledger, LedgerError, PostgresLedger, Refusal, Rules, SqliteLedger};
use model::registry::{Certificate, NoKey, PublicKey, Registry};
use model::{CardTime, ChannelId, CityCode, Clock, Date, Entropy, WalletId};

use crate::hooks::HookPolicy;
use crate::http::{Pacer, WINDOW_SECONDS, demo_signing_key};
use crate::limits;
use crate::phone::Sessions;
use crate::problem::{Code, Problem};
use crate::store::{Beside, Store, StoreError, last_closed, use_nonce};
use crate::texts::Texts;
use crate::turn::{Count, Progress, Turn};

/// The `keyid` of the centre's own key.
pub const CENTRE: &str = "centre";

/// What a centre is made of.
pub struct Config {
    /// Who exists.
    pub registry: Arc<Registry>,
    /// The key system.
    pub keys: Arc<dyn KeyService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Box<dyn Entropy + Send>,
    /// Where it remembers.
    pub storage: Storage,
    /// A demo network: published keys are accepted, and no real money may be.
    pub demo: bool,
}

/// Where a centre remembers.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere: all ends with the process.
    Memory,
    /// In `centre.db` and `ledger.db` of a folder, made if it is not there.
    Folder(PathBuf),
    /// In a database of a PostgreSQL server, by its `postgres://` address. Several centres may share it.
    Postgres(String),
}

/// Why a centre does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Published keys without a demo.
    #[error("the key service holds the published demo keys; only a demo may run on them (--demo)")]
    DemoKeys,
    /// The folder cannot be made.
    #[error("{folder}: cannot be made: {source}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error("the store in {place}: {source}")]
    Store {
        /// Where.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A party's id is no part of an account's name.
    #[error(transparent)]
    Account(#[from] ledger::Malformed),
    /// The words compiled in are not whole.
    #[error("i18n/texts.toml: {0}")]
    Texts(#[from] toml::de::Error),
}

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A wallet.
    Wallet(WalletId),
    /// A city's back end.
    City(CityCode),
    /// A channel.
    Channel(ChannelId),
    /// The centre's own.
    Centre,
}

/// A running centre.
pub struct Core {
    registry: Arc<Registry>,
    keys: Arc<dyn KeyService>,
    clock: Arc<dyn Clock>,
    texts: Texts,
    demo: bool,
    pub(crate) hooks: HookPolicy,
    pacer: Pacer,
    progress: Arc<Progress>,
    state: Mutex<State>,
}

/// All that changes.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) ledger: Box<dyn Ledger>,
    pub(crate) entropy: Box<dyn Entropy + Send>,
    pub(crate) sessions: Sessions,
    pub(crate) turns: Count,
}

impl Core {
    /// Opens a centre, new or where it left off.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed.
    pub fn open(config: Config) -> Result<Core, OpenError> {
        let Config { registry, keys, clock, entropy, storage, demo } = config;
        if !demo && are_published(keys.as_ref()) {
            return Err(OpenError::DemoKeys);
        }
        let texts = Texts::embedded()?;
        let (store, ledger) = books(&storage, limits::rules(&registry)?)?;
        let state = State { store, ledger, entropy, sessions: Sessions::default(), turns: Count::default() };
        let hooks = HookPolicy::of(demo);
        let core = Core {
            registry,
            keys,
            clock,
            texts,
            demo,
            hooks,
            pacer: Pacer::default(),
            progress: Arc::default(),
            state: Mutex::new(state),
        };
        if let Err(problem) = core.finish_refusals() {
            tracing::error!(%problem, "what was left half booked is left so for now");
        }
        Ok(core)
    }

    /// With another rule of where webhooks may point.
    #[must_use]
    pub fn with_hook_policy(self, hooks: HookPolicy) -> Self {
        Core { hooks, ..self }
    }

    /// Counts each party's requests by this clock, which never goes backwards; without one nothing is counted.
    #[must_use]
    pub fn with_pace(self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Core { pacer: Pacer::by(ticks), ..self }
    }

    /// Who exists.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> CardTime {
        self.clock.now()
    }

    /// Whether this is a demo network.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.demo
    }

    pub(crate) fn keys(&self) -> &dyn KeyService {
        self.keys.as_ref()
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// One request at a time, of all centres that share a database.
    pub(crate) fn state(&self) -> Turn<'_> {
        Turn::take(&self.state, &self.progress)
    }

    /// Who signs as `keyid`, and the public key to verify with: the registered one, or the published one in a demo.
    ///
    /// A `keyid` is a party, or `PARTY#NAME` for one of several keys.
    pub(crate) fn signer(&self, keyid: &str) -> Result<(Caller, PublicKey), Problem> {
        let unknown = || Code::KeyUnknown.about(keyid);
        let (party, name) = keyid.split_once('#').map_or((keyid, None), |(party, name)| (party, Some(name)));
        let today = self.now().date();
        let (caller, registered) = match party.split_once(':') {
            Some(("city", code)) => {
                let city = code.parse().ok().and_then(|code| self.registry.city(code)).ok_or_else(unknown)?;
                (Caller::City(city.code), city.key(name, today))
            }
            Some(("channel", id)) => {
                let channel =
                    id.parse().ok().and_then(|id| self.registry.channel(&id)).ok_or_else(unknown)?;
                (Caller::Channel(channel.id.clone()), channel.key(name, today))
            }
            None if keyid == CENTRE => (Caller::Centre, Err(NoKey::Unknown)),
            _ => {
                let wallet =
                    party.parse().ok().and_then(|id| self.registry.wallet(&id)).ok_or_else(unknown)?;
                (Caller::Wallet(wallet.id.clone()), wallet.key(name, today))
            }
        };
        let key = match registered {
            Ok(key) => key,
            Err(NoKey::Unknown) if self.demo && name.is_none() => {
                PublicKey::Ed25519(demo_signing_key(keyid).verifying_key().to_bytes())
            }
            Err(NoKey::Unknown) => return Err(unknown()),
            Err(NoKey::NotYet(from)) => return Err(Code::KeyNotYetValid.about(from)),
            Err(NoKey::Over(until)) => return Err(Code::KeyExpired.about(until)),
        };
        Ok((caller, key))
    }

    /// The certificates that a party's connections may show.
    pub(crate) fn certificates(&self, caller: &Caller) -> &[Certificate] {
        match caller {
            Caller::Wallet(id) => self.registry.wallet(id).map_or(&[], |wallet| &wallet.facts.certificates),
            Caller::City(code) => self.registry.city(*code).map_or(&[], |city| &city.certificates),
            Caller::Channel(id) => {
                self.registry.channel(id).map_or(&[], |channel| &channel.facts.certificates)
            }
            Caller::Centre => &[],
        }
    }

    /// One more request of a party: whether its pace bears it.
    pub(crate) fn admit(&self, caller: &Caller) -> Result<(), Problem> {
        let pace = match caller {
            Caller::Wallet(id) => self.registry.wallet(id).map(|wallet| wallet.facts.limits.pace()),
            Caller::City(code) => self.registry.city(*code).map(|city| city.limits.pace()),
            Caller::Channel(id) => self.registry.channel(id).map(|channel| channel.facts.limits.pace()),
            Caller::Centre => None,
        };
        self.pacer.admit(caller, pace.unwrap_or_default())
    }

    /// Writes a signature's nonce down.
    pub(crate) fn use_nonce(&self, keyid: &str, nonce: &str, created: i64) -> Result<(), Problem> {
        let oldest = self.now().unix_seconds().saturating_sub(WINDOW_SECONDS);
        let fresh = self.state().store.write(|db| Ok(use_nonce(db, keyid, nonce, created, oldest)?))?;
        if fresh { Ok(()) } else { Err(Code::SignatureReplayed.about(nonce)) }
    }
}

/// The store and the ledger beside it.
fn books(storage: &Storage, rules: Rules) -> Result<(Store, Box<dyn Ledger>), OpenError> {
    let failed = |source| OpenError::Store { place: storage.to_string(), source };
    Ok(match storage {
        Storage::Memory => {
            let ledger = SqliteLedger::in_memory()?.with_rules(rules);
            (Store::in_memory().map_err(failed)?, Box::new(ledger))
        }
        Storage::Folder(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|source| OpenError::Folder { folder: folder.clone(), source })?;
            let ledger = SqliteLedger::open(folder.join("ledger.db"))?.with_rules(rules);
            let store = Store::in_file(&folder.join("centre.db")).map_err(failed)?;
            let disk = store.disk();
            (store, Box::new(Beside { ledger, disk }))
        }
        Storage::Postgres(url) => {
            let store = Store::on_postgres(url).map_err(failed)?;
            let ledger = PostgresLedger::open(url)?.flushed_by_its_caller().with_rules(rules);
            let disk = store.disk();
            (store, Box::new(Beside { ledger, disk }))
        }
    })
}

/// Whether any key is one of the published ones, by its check value.
fn are_published(keys: &dyn KeyService) -> bool {
    let published = Roots::demo().check_values();
    keys.check_values().iter().any(|value| published.contains(value))
}

impl State {
    /// The clearing day that a change made now counts for: today, or the day after the last one closed.
    pub(crate) fn open_day(&self, now: CardTime) -> Result<Date, Problem> {
        let today = now.date();
        let closed = last_closed(self.store.read())?.max(self.ledger.closed()?);
        Ok(closed.map_or(today, |closed| today.max(closed.plus_days(1))))
    }
}

/// The ledger's own words go to the log; a refusal here means that our two stores disagree.
impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::Refused(Refusal::OverCap { cap, .. }) = error {
            return Code::NetDebitCap.about(cap.get());
        }
        tracing::error!(%error, "the ledger did not take an entry");
        match error {
            LedgerError::Refused(Refusal::DayClosed { day, .. }) => Code::DayClosed.about(day),
            LedgerError::Refused(refusal) => Code::Internal.about(format!("ledger: {}", refusal.code())),
            _ => Code::StoreFailed.about("ledger.db"),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Wallet(wallet) => wallet.fmt(f),
            Caller::City(city) => write!(f, "city:{city}"),
            Caller::Channel(channel) => write!(f, "channel:{channel}"),
            Caller::Centre => f.write_str(CENTRE),
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Storage::Memory => f.write_str("memory"),
            Storage::Folder(folder) => folder.display().fmt(f),
            // Its address may hold a password.
            Storage::Postgres(_) => f.write_str("PostgreSQL"),
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("demo", &self.demo).finish_non_exhaustive()
    }
}
