//! `yikatong wallet`: the reference wallet as a process of its own; `serve --demo` opens the same one beside the centre.
//!
//! Invariant: the published key signs only where that was asked for; a key file is never shown, in whole or in part.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use model::WalletId;
use model::registry::Registry;
use wallet::{Config, Core, Demo, HttpPush, HttpTransport, PasswordCost, Storage, demo_signing_seed};

use super::serve::{OPENING, PASSENGER, PASSWORD, WALLET_ADDRESS, bind, logging, runtime, serve};
use crate::cli::Wallet;
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};

/// Between two questions about open orders.
const FOLLOW: Duration = Duration::from_secs(5);

/// What a wallet signs with.
pub(crate) enum Key {
    /// The published one: a demo.
    Published,
    /// The seed of its own.
    Own([u8; 32]),
}

/// What a wallet is opened with.
pub(crate) struct Opening {
    pub(crate) id: WalletId,
    pub(crate) key: Key,
    pub(crate) transport: HttpTransport,
    pub(crate) centre_url: String,
    pub(crate) data: Option<PathBuf>,
}

pub(crate) fn run(command: &Wallet, registry: &Registry) -> Outcome {
    logging();
    let centre_url = command.centre.trim_end_matches('/').to_owned();
    if !["http://", "https://"].iter().any(|scheme| centre_url.starts_with(scheme)) {
        return Err(Failure::input(format_args!(
            "--centre {centre_url}: expected an address such as http://127.0.0.1:8080"
        )));
    }
    let key = match &command.key {
        Some(file) => Key::Own(signing_seed(file)?),
        None => Key::Published,
    };
    let opening = Opening {
        id: command.id.clone(),
        key,
        transport: HttpTransport::trusting(
            &centre_url,
            Duration::from_secs(command.timeout),
            &command.tls.open()?,
        ),
        centre_url: centre_url.clone(),
        data: command.data.clone(),
    };
    let runtime = runtime()?;
    let door = bind(&runtime, "wallet", command.listen.unwrap_or(WALLET_ADDRESS), "--listen")?;
    let core = Arc::new(open_wallet(registry, opening)?);
    outln!("{:<7} http://{}", door.name, door.address);
    outln!("{:<7} {centre_url}", "centre");
    outln!("Ctrl-C ends it.");
    let stop = Arc::new(AtomicBool::new(false));
    let public = command.public.as_ref().map(|url| format!("{}/hooks/centre", url.trim_end_matches('/')));
    let following = std::thread::spawn({
        let (core, stop) = (Arc::clone(&core), Arc::clone(&stop));
        move || follow(&core, &stop, public.as_deref())
    });
    let served = runtime.block_on(serve(vec![(door, wallet::http::router(core))]));
    stop.store(true, Ordering::Relaxed);
    if following.join().is_err() {
        tracing::error!("the wallet's questions about open orders ended badly");
    }
    served
}

/// The reference wallet, new or where it left off; a demo on the published key.
pub(crate) fn open_wallet(registry: &Registry, opening: Opening) -> Outcome<Core> {
    let Opening { id, key, transport, centre_url, data } = opening;
    let known = registry.wallet(&id).ok_or_else(|| {
        Failure::input(format_args!("the registry has no wallet {id}; --registry DIR adds one"))
    })?;
    let (signing_seed, demo) = match key {
        Key::Own(seed) => (seed, None),
        Key::Published => {
            let demo = Demo { name: PASSENGER.into(), password: PASSWORD.into(), opening: OPENING };
            (demo_signing_seed(&id), Some(demo))
        }
    };
    let core = Core::open(Config {
        signing_seed,
        name: known.facts.name.clone(),
        wallet: id,
        transport: Arc::new(transport),
        centre_url,
        push: Arc::new(HttpPush::new()),
        clock: Arc::new(SystemClock),
        entropy: Box::new(SystemEntropy),
        storage: data.map_or(Storage::Memory, Storage::Folder),
        password_cost: PasswordCost::RECOMMENDED,
        demo,
    });
    core.map_err(Failure::input)
}

/// The seed of an Ed25519 key: PKCS#8 PEM, or 64 hex digits.
pub(crate) fn signing_seed(path: &Path) -> Outcome<[u8; 32]> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::path(path, error))?;
    let text = text.trim();
    if text.starts_with("-----BEGIN") {
        let key = SigningKey::from_pkcs8_pem(text);
        return key.map(|key| key.to_bytes()).map_err(|_| {
            Failure::path(
                path,
                "no Ed25519 key in PKCS#8 PEM; `openssl genpkey -algorithm ed25519` makes one",
            )
        });
    }
    let mut seed = [0; 32];
    hex::decode_to_slice(text, &mut seed).map_err(|_| {
        Failure::path(
            path,
            "no signing key; expected an Ed25519 key as PKCS#8 PEM, or its seed as 64 hex digits",
        )
    })?;
    Ok(seed)
}

/// Tells the centre where the wallet hears of its orders, asks now and then how the open ones stand all the same, and
/// sends it the files of days that are over.
pub(crate) fn follow(core: &Core, stop: &AtomicBool, hook: Option<&str>) {
    let mut to_register = hook;
    while !stop.load(Ordering::Relaxed) {
        if let Some(url) = to_register {
            match core.register_hook(url) {
                Ok(()) => to_register = None,
                Err(problem) => tracing::info!(%problem, "the centre does not send events yet"),
            }
        }
        wait(FOLLOW, stop);
        if let Err(problem) = core.refresh_open() {
            tracing::warn!(%problem, "open orders wait for the next question");
        }
        if let Err(problem) = core.send_days() {
            tracing::warn!(%problem, "a daily file waits for the next turn");
        }
    }
}

/// Waits, but not past the end.
pub(crate) fn wait(time: Duration, stop: &AtomicBool) {
    const SLICE: Duration = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(SLICE.min(left));
        left = left.saturating_sub(SLICE);
    }
}
