//! `yikatong serve`: the centre on a socket; with `--demo` a wallet, a street and a living network beside it.

mod hooks;
mod street;

pub(super) use street::{OPENING, PASSENGER, PASSWORD};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use centre::http::{Limits, Socket, Tls};
use centre::{Config, Core, Storage};
use keys::SoftwareKeys;
use model::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::cli::Serve;
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy, open_vault};

const CENTRE: SocketAddr = local(8080);
pub(super) const WALLET_ADDRESS: SocketAddr = local(8081);
const STREET: SocketAddr = local(8082);

/// Between two looks whether a day is to be matched.
const MATCH: Duration = Duration::from_secs(60);
/// How long requests that are under way may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(3);

const fn local(port: u16) -> SocketAddr {
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port))
}

/// A socket that is ours, and what will answer on it.
pub(super) struct Door {
    pub(super) name: &'static str,
    listener: TcpListener,
    pub(super) address: SocketAddr,
    tls: Option<Tls>,
}

pub(crate) fn run(command: &Serve, registry: Registry) -> Outcome {
    logging();
    let runtime = runtime()?;
    let keys = Arc::new(keys(command)?);
    let tls = command.tls.open()?;
    let door = Door { tls, ..bind(&runtime, "centre", command.listen.unwrap_or(CENTRE), "--listen")? };
    let core = Core::open(Config {
        registry: Arc::new(registry),
        keys: keys.clone(),
        clock: Arc::new(SystemClock),
        entropy: Box::new(SystemEntropy),
        storage: match &command.database {
            Some(url) => Storage::Postgres(url.clone()),
            None => storage(command.data.as_ref(), "centre"),
        },
        demo: command.demo,
    });
    let begun = Instant::now();
    let core = Arc::new(core.map_err(Failure::input)?.with_pace(move || begun.elapsed()));
    let router = centre::http::router(Arc::clone(&core));
    let mut background = None;
    let doors = if command.demo {
        let wallet =
            bind(&runtime, "wallet", command.wallet_listen.unwrap_or(WALLET_ADDRESS), "--wallet-listen")?;
        let street = bind(&runtime, "street", command.street_listen.unwrap_or(STREET), "--street-listen")?;
        // Where the centre's own door is in TLS, wallet and street beside it have a plain one in this machine.
        let beside =
            door.tls.is_some().then(|| bind(&runtime, "beside", local(0), "--listen")).transpose()?;
        let centre = (beside.as_ref().unwrap_or(&door), router.clone());
        let opened = street::open(command, &core, keys, centre, &wallet, &street)?;
        let (wallet_router, street_router, threads) = opened;
        background = Some(threads);
        let beside = beside.map(|door| (door, router.clone()));
        let open = [(door, router), (wallet, wallet_router), (street, street_router)];
        open.into_iter().chain(beside).collect()
    } else {
        vec![(door, router)]
    };
    for (door, _) in &doors {
        let scheme = if door.tls.is_some() { "https" } else { "http" };
        outln!("{:<7} {scheme}://{}", door.name, door.address);
    }
    outln!("Ctrl-C ends it.");
    let senders = hooks::Senders::start(&core);
    runtime.spawn(match_days(Arc::clone(&core)));
    let served = runtime.block_on(serve(doors));
    senders.close();
    if let Some(background) = background {
        background.close();
    }
    served
}

/// Matches each day soon after its end, for as long as the doors are open.
async fn match_days(core: Arc<Core>) {
    let mut turns = tokio::time::interval(MATCH);
    loop {
        turns.tick().await;
        let core = Arc::clone(&core);
        match tokio::task::spawn_blocking(move || core.match_due()).await {
            Ok(Ok(days)) => days.iter().for_each(|day| tracing::info!(day = day.day, "{}", day.en)),
            Ok(Err(problem)) => tracing::warn!(%problem, "the match waits for the next turn"),
            Err(error) => tracing::error!(%error, "the match ended badly"),
        }
    }
}

/// Threads for doors.
pub(super) fn runtime() -> Outcome<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::wrong)
}

fn keys(command: &Serve) -> Outcome<SoftwareKeys> {
    match (&command.vault, command.demo) {
        (Some(vault), _) => open_vault(vault, command.passphrase_file.as_ref()).map(SoftwareKeys::new),
        (None, true) => Ok(SoftwareKeys::demo()),
        (None, false) => Err(Failure::input(
            "a centre needs its root keys: --vault FILE --passphrase-file FILE (made by `yikatong keys ceremony`), or --demo",
        )),
    }
}

pub(super) fn storage(data: Option<&PathBuf>, what: &str) -> Storage {
    data.map_or(Storage::Memory, |folder| Storage::Folder(folder.join(what)))
}

pub(super) fn bind(
    runtime: &Runtime,
    name: &'static str,
    address: SocketAddr,
    option: &str,
) -> Outcome<Door> {
    let taken = |error: std::io::Error| {
        Failure::input(format_args!(
            "{name}: cannot listen on {address}: {error}; choose another with {option} ADDR"
        ))
    };
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    Ok(Door { name, listener, address, tls: None })
}

/// All doors, until Ctrl-C; a client that does not finish its request does not keep them open.
pub(super) async fn serve(doors: Vec<(Door, Router)>) -> Outcome {
    let mut open = Vec::new();
    for (door, router) in doors {
        open.push(tokio::spawn(async move {
            let socket = Socket::new(Limits::default()).map_err(std::io::Error::other)?.with_tls(door.tls);
            socket.serve(door.listener, router, interrupted()).await
        }));
    }
    let all = async {
        for door in open {
            door.await.map_err(Failure::wrong)?.map_err(Failure::wrong)?;
        }
        Ok(())
    };
    let enough = async {
        interrupted().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = all => done,
        () = enough => Ok(()),
    }
}

async fn interrupted() {
    // Without signals there is nothing to wait for, and the doors stay open.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

pub(super) fn logging() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A second subscriber, in tests, is no reason to stop.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
