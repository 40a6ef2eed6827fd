//! The street: simulated phones, a plastic card and readers for the person at the page, and a living network.
//!
//! The phone's agent reaches the centre over HTTP as a real one does, woken by the wallet; readers keep their batches
//! and upload them as a city's back end does.

mod page;
mod scene;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use centre::Core;
use keys::{KeyService, SoftwareKeys};
use model::registry::Registry;
use model::{Clock, Entropy, Fen};
use sim::{Links, live};
use wallet::{Device, HttpTransport};

use super::{Door, Serve};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy};
use crate::run::wallet::{Key, Opening, follow, open_wallet, wait};
use scene::Scene;

/// The passenger that the wallet's page begins with.
pub(in crate::run) const PASSENGER: &str = "passenger";
pub(in crate::run) const PASSWORD: &str = "135790";
/// What every passenger finds in the wallet.
pub(in crate::run) const OPENING: Fen = Fen::new(100_000);
/// The wallet that is shown.
const WALLET: &str = "alipay";
/// The phone that stands on the street.
const PHONE: &str = "oppo-find7";
/// Between two steps of the living network.
const STEP: Duration = Duration::from_millis(1500);
/// Between two looks at the readers' batches.
const COLLECT: Duration = Duration::from_secs(2);

/// Everything on the street.
struct Street {
    registry: Arc<Registry>,
    scene: Mutex<Scene>,
    centre_url: String,
    wallet_url: String,
}

impl Street {
    fn scene(&self) -> std::sync::MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs beside the doors; it ends when this is closed.
pub(super) struct Background {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    /// Ends all of it, and waits until the last batch is uploaded.
    pub(super) fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a part of the street ended badly");
            }
        }
    }
}

/// The wallet's and the street's routers, and what runs beside them.
pub(super) fn open(
    command: &Serve,
    core: &Core,
    keys: Arc<SoftwareKeys>,
    centre: (&Door, Router),
    wallet: &Door,
    street: &Door,
) -> Outcome<(Router, Router, Background)> {
    let (centre_door, router) = centre;
    let registry = Arc::new(core.registry().clone());
    let url = |door: &Door| format!("http://{}", door.address);
    let links = Links::new(router).map_err(Failure::wrong)?;
    let scene = Scene::open(&registry, Arc::clone(&keys), command.data.as_deref())?;
    let app = Arc::new(wallet_core(command, &registry, &url(centre_door))?);
    app.register(PASSENGER, PASSWORD, OPENING).map_err(Failure::wrong)?;
    let se_id = scene.se_id();
    let agent_url = Some(format!("{}/phones/{se_id}/wake", url(street)));
    app.add_device(PASSENGER, PASSWORD, Device { se_id, phone: PHONE.to_owned(), agent_url })
        .map_err(Failure::wrong)?;
    let street = Arc::new(Street {
        registry: Arc::clone(&registry),
        scene: Mutex::new(scene),
        centre_url: url(centre_door),
        wallet_url: url(wallet),
    });
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = vec![
        std::thread::spawn({
            let (street, links, stop) = (Arc::clone(&street), links.clone(), Arc::clone(&stop));
            move || collect(&street, &links, &stop)
        }),
        std::thread::spawn({
            let (app, stop) = (Arc::clone(&app), Arc::clone(&stop));
            let hook = format!("{}/hooks/centre", url(wallet));
            move || follow(&app, &stop, Some(&hook))
        }),
    ];
    if !command.quiet {
        let stop = Arc::clone(&stop);
        threads.push(std::thread::spawn(move || living(&registry, keys, links, &stop)));
    }
    Ok((wallet::http::router(app), page::router(street), Background { stop, threads }))
}

fn wallet_core(command: &Serve, registry: &Registry, centre_url: &str) -> Outcome<wallet::Core> {
    open_wallet(
        registry,
        Opening {
            id: WALLET.parse().map_err(Failure::input)?,
            key: Key::Published,
            transport: HttpTransport::new(centre_url),
            centre_url: centre_url.to_owned(),
            data: command.data.as_ref().map(|folder| folder.join("wallet")),
        },
    )
}

/// Uploads what the readers have, as the cities' back ends do.
fn collect(street: &Street, links: &Links, stop: &AtomicBool) {
    let mut last = false;
    while !last {
        last = stop.load(Ordering::Relaxed);
        if let Err(failure) = street.scene().upload(links, last) {
            tracing::warn!(%failure, "a batch waits for the next upload");
        }
        wait(COLLECT, stop);
    }
}

fn living(registry: &Registry, keys: Arc<SoftwareKeys>, links: Links, stop: &AtomicBool) {
    let mut seed = [0; 8];
    SystemEntropy.fill(&mut seed);
    let keys: Arc<dyn KeyService> = keys;
    let pause = || {
        wait(STEP, stop);
        !stop.load(Ordering::Relaxed)
    };
    if let Err(error) =
        live(registry, keys, links, &SystemClock as &dyn Clock, u64::from_be_bytes(seed), pause)
    {
        tracing::warn!(%error, "the living network has ended");
    }
}
