//! A living network comes back to books that the centre has kept: new cards and readers, and every tap is paid.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

use std::path::Path;
use std::sync::{Arc, Mutex};

use centre::{Config, Core, Storage};
use keys::{KeyService, Seeded, SoftwareKeys};
use model::registry::Registry;
use model::{CardTime, Clock};
use sim::{Links, live};

struct Hands(Mutex<CardTime>);

impl Clock for Hands {
    fn now(&self) -> CardTime {
        *self.0.lock().unwrap()
    }
}

/// A life of so many moments. Paid and all records of the files that the centre's page still shows.
fn life(folder: &Path, clock: &Arc<Hands>, seed: u64, moments: u32) -> Vec<(u64, u64)> {
    let registry = Arc::new(Registry::embedded().unwrap());
    let keys: Arc<dyn KeyService> = Arc::new(SoftwareKeys::demo());
    let core = Core::open(Config {
        registry: Arc::clone(&registry),
        keys: Arc::clone(&keys),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Box::new(Seeded::new(seed)),
        storage: Storage::Folder(folder.to_owned()),
        demo: true,
    });
    let core = Arc::new(core.unwrap());
    let links = Links::new(centre::http::router(Arc::clone(&core))).unwrap();
    let mut left = moments;
    let pause = || {
        let mut now = clock.0.lock().unwrap();
        *now = now.plus_seconds(7);
        left -= 1;
        left > 0
    };
    live(&registry, keys, links, clock.as_ref(), seed, pause).unwrap();
    let events = core.overview().unwrap().events;
    let files = events.into_iter().filter(|(_, kind, ..)| kind == "file-taken-in");
    let figures = files.map(|(_, _, about, _)| {
        let (paid, records) = about.rsplit_once(": ").unwrap().1.split_once(" / ").unwrap();
        (paid.parse().unwrap(), records.parse().unwrap())
    });
    figures.collect()
}

#[test]
fn a_network_that_comes_back_uses_no_number_again_whose_counter_it_has_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hands(Mutex::new("2014-10-20 08:00:00".parse().unwrap())));
    for seed in [1000, 1001] {
        let files = life(folder.path(), &clock, seed, 400);
        assert!(files.len() > 3, "{files:?}");
        for (paid, records) in files {
            assert_eq!(paid, records, "life {seed}");
        }
    }
}
