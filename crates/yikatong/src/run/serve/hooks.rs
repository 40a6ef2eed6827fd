//! The senders of webhooks: threads that post what the centre says is due, each to the addresses it was told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use centre::{Answered, Attempt, Core};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Messages on their way at the same time.
const THREADS: usize = 4;
/// A receiver that has not answered after so long has not answered.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks while nothing is due.
const REST: Duration = Duration::from_millis(250);

/// The running senders.
pub(super) struct Senders {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Senders {
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let (core, stop) = (Arc::clone(core), Arc::clone(&stop));
            std::thread::spawn(move || send_until(&core, &stop))
        };
        let threads = (0..THREADS).map(one).collect();
        Senders { stop, threads }
    }

    /// Ends when what is on its way has been answered.
    pub(super) fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a sender of webhooks ended badly");
            }
        }
    }
}

fn send_until(core: &Core, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let sent = core.due_hook().and_then(|due| {
            let Some(attempt) = due else { return Ok(false) };
            let answered = post(&attempt);
            tracing::debug!(?attempt, ?answered, "webhook sent");
            core.hook_answered(&attempt, &answered).map(|()| true)
        });
        match sent {
            Ok(true) => {}
            Ok(false) => std::thread::sleep(REST),
            Err(problem) => {
                tracing::warn!(%problem, "webhooks wait");
                std::thread::sleep(REST);
            }
        }
    }
}

/// The addresses that the centre has checked, and no others.
#[derive(Debug)]
struct Checked(Vec<SocketAddr>);

impl Resolver for Checked {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        /// As many as the answer holds.
        const MOST: usize = 16;
        let mut addresses = self.empty();
        for address in self.0.iter().take(MOST) {
            addresses.push(*address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

fn post(attempt: &Attempt) -> Answered {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    let checked = Checked(attempt.addresses.clone());
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), checked);
    let mut request = agent.post(&attempt.url);
    for (name, value) in &attempt.headers {
        request = request.header(*name, value);
    }
    match request.send(attempt.body.as_bytes()) {
        Err(error) => Answered::Nothing(error.to_string()),
        Ok(answer) => {
            let wish = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
            Answered::Status {
                status: answer.status().as_u16(),
                retry_after: wish.and_then(|seconds| seconds.trim().parse().ok()),
            }
        }
    }
}
