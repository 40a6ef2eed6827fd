//! The wallet itself, without HTTP: one struct that owns the store and the ledger.
//!
//! Its verbs are modules: `passengers`, `place`, `orders`, `cancel`, `daily`.
//!
//! Invariant: nothing waits for the centre, a phone or a password's hash while it holds the store; a killed process
//! goes on from its folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::{Ledger, LedgerError, SqliteLedger};
use model::registry::Name;
use model::{CardTime, Clock, Entropy, Fen, WalletId};

use crate::centre::{Answer, City, Client, History};
use crate::money;
use crate::password::{PasswordCost, Passwords};
use crate::problem::{Code, Problem};
use crate::push::Push;
use crate::signature::{Moment, Signer};
use crate::store::{CardRow, OrderRow, Store, StoreError};
use crate::texts::Texts;
use crate::transport::Transport;

/// What a wallet is made of.
pub struct Config {
    /// Its id in the registry; also the `keyid` of its signatures.
    pub wallet: WalletId,
    /// What its page calls it.
    pub name: Name,
    /// Seed of its Ed25519 key; in a demo that of [`crate::demo_signing_seed`].
    pub signing_seed: [u8; 32],
    /// The way to the centre.
    pub transport: Arc<dyn Transport>,
    /// Where phones find the centre, such as `http://127.0.0.1:8080`.
    pub centre_url: String,
    /// The way to phones.
    pub push: Arc<dyn Push>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Box<dyn Entropy + Send>,
    /// Where it remembers.
    pub storage: Storage,
    /// What a guess at a password costs.
    pub password_cost: PasswordCost,
    /// Set in a demo network, where banks give money away.
    pub demo: Option<Demo>,
}

/// What is special in a demo.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The passenger that the page begins with.
    pub name: String,
    /// The payment password that the page gives away.
    pub password: String,
    /// What each passenger who registers through the app begins with.
    pub opening: Fen,
}

/// Where a wallet remembers.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere: all ends with the process.
    Memory,
    /// In `wallet.db` and `wallet-ledger.db` of a folder, made if it is not there.
    Folder(PathBuf),
}

/// Why a wallet does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("{folder}: cannot be made: {source}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error("wallet.db in {place}: {source}")]
    Store {
        /// Where.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The words compiled in are not whole.
    #[error("i18n/texts.toml: {0}")]
    Texts(#[from] toml::de::Error),
    /// Argon2 does not take the cost.
    #[error("a password cannot be hashed at the cost {0:?}")]
    Cost(PasswordCost),
    /// What the last run left open cannot be brought to its end.
    #[error("the orders that the last run ended cannot be settled: {0}")]
    Settle(#[from] Problem),
}

/// A running wallet.
pub struct Core {
    pub(crate) wallet: WalletId,
    pub(crate) name: Name,
    pub(crate) centre_url: String,
    pub(crate) demo: Option<Demo>,
    pub(crate) texts: Texts,
    pub(crate) passwords: Passwords,
    pub(crate) push: Arc<dyn Push>,
    signer: Signer,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// All that changes.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) ledger: SqliteLedger,
    entropy: Box<dyn Entropy + Send>,
}

impl Core {
    /// Opens a wallet, new or where it left off.
    ///
    /// # Errors
    /// [`OpenError`]; no money was moved that the wallet had not decided to move before.
    pub fn open(config: Config) -> Result<Core, OpenError> {
        let Config { wallet, name, signing_seed, transport, centre_url, push, clock, .. } = config;
        let passwords = Passwords::new(config.password_cost).ok_or(OpenError::Cost(config.password_cost))?;
        let texts = Texts::embedded()?;
        let (store, ledger) = match &config.storage {
            Storage::Memory => (Store::in_memory(), SqliteLedger::in_memory()?),
            Storage::Folder(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|source| OpenError::Folder { folder: folder.clone(), source })?;
                let ledger = SqliteLedger::open(folder.join("wallet-ledger.db"))?;
                (Store::in_file(&folder.join("wallet.db")), ledger)
            }
        };
        let store = store.map_err(|source| OpenError::Store { place: config.storage.to_string(), source })?;
        let ledger = ledger.with_rules(money::rules());
        let core = Core {
            signer: Signer::new(&signing_seed, wallet.clone()),
            wallet,
            name,
            centre_url,
            demo: config.demo,
            texts,
            passwords,
            push,
            transport,
            clock,
            state: Mutex::new(State { store, ledger, entropy: config.entropy }),
        };
        core.settle_ended()?;
        Ok(core)
    }

    /// Its id in the registry.
    #[must_use]
    pub fn wallet(&self) -> &WalletId {
        &self.wallet
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> CardTime {
        self.clock.now()
    }

    /// The cities that issue cards, as the centre tells them now.
    ///
    /// # Errors
    /// [`Code::CentreSilent`] or [`Code::CentreRefused`].
    pub fn cities(&self) -> Result<Vec<City>, Problem> {
        self.ask("/v1/cities")
    }

    /// What moved on a card, as far as the centre has seen it.
    ///
    /// # Errors
    /// [`Code::UnknownCard`], or as [`Core::cities`].
    pub fn history(&self, card: &str) -> Result<History, Problem> {
        let known = CardRow::find(self.state().store.read(), card)?;
        let card = known.ok_or_else(|| Code::UnknownCard.about(card))?;
        self.ask(&format!("/v1/cards/{}/history", card.id))
    }

    /// Whether the store and the ledger can be read.
    pub(crate) fn probe(&self) -> Result<(), Problem> {
        let mut state = self.state();
        OrderRow::open(state.store.read())?;
        state.ledger().closed()?;
        Ok(())
    }

    /// A question that may be asked again at will.
    pub(crate) fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        match self.with_centre(|client, moment| client.get(moment, path)) {
            Answer::Said(said) => Ok(said),
            Answer::Problem { refusal, .. } => Err(Code::CentreRefused.about(refusal.code)),
            Answer::Silence(why) => Err(Code::CentreSilent.about(why)),
        }
    }

    /// One signed exchange with the centre, under a nonce of its own.
    pub(crate) fn with_centre<T>(&self, exchange: impl FnOnce(&Client<'_>, &Moment<'_>) -> T) -> T {
        let nonce = self.state().fresh_id();
        let client = Client { signer: &self.signer, transport: self.transport.as_ref() };
        exchange(&client, &Moment { created: self.now().unix_seconds(), nonce: &nonce })
    }

    /// The store and the ledger. A panic of another holder left its transaction undone, so the next may go on.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        self.entropy.fill(buffer);
    }

    /// 32 hex digits that nobody can guess.
    pub(crate) fn fresh_id(&mut self) -> String {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// The ledger, as its verbs want it.
    pub(crate) fn ledger(&mut self) -> &mut dyn Ledger {
        &mut self.ledger
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Storage::Memory => f.write_str("memory"),
            Storage::Folder(folder) => folder.display().fmt(f),
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("wallet", &self.wallet).finish_non_exhaustive()
    }
}
