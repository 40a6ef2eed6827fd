//! Turns (轮次): one request at a time has all that changes, and what waits becomes durable together (组提交, group commit).
//!
//! A request's transactions are written when they are committed, and on the disk when a flush says so. The turn that ends
//! with nobody waiting behind it, or as the last of [`TOGETHER`], flushes for all since the flush before, while it still
//! holds the database's lock; only then are their answers released. So one hot account, or one lock, costs the requests
//! that wait one disk write together and not one for each of their transactions.
//!
//! Order is kept as if each had been alone. A database's log is a prefix of what was written to it, whatever is lost; where
//! the ledger has a file of its own, what was written to the store before is flushed before the ledger writes.
//!
//! Invariant: no answer leaves before all that it tells, or follows from, is on the disk. If a flush fails, every request
//! that waited for it is refused, and the phones' sessions, which may know of what was lost, are over.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::core::State;
use crate::phone::Sessions;
use crate::problem::{Code, Problem};

/// Turns that are flushed together at most: so long another centre on the same database waits.
const TOGETHER: u64 = 64;

thread_local! {
    /// Inside [`settled`]: the last turn of this thread that ended unflushed.
    static LEFT: RefCell<Option<Option<Left>>> = const { RefCell::new(None) };
}

/// A turn that ended and waits for a flush.
struct Left {
    progress: Arc<Progress>,
    number: u64,
}

/// Who waits for a turn, and how far what was written is on the disk.
#[derive(Default)]
pub(crate) struct Progress {
    waiting: AtomicUsize,
    flushed: Mutex<Flushed>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Flushed {
    /// Turns up to this one are on the disk, or were said to have failed.
    upto: u64,
    /// Of them, those up to this one may be lost.
    failed: u64,
}

/// How many turns there were; kept with what they change.
#[derive(Default)]
pub(crate) struct Count {
    ended: u64,
    flushed: u64,
}

/// All that changes, ours for one request.
pub(crate) struct Turn<'a> {
    state: MutexGuard<'a, State>,
    progress: &'a Arc<Progress>,
}

/// Does a request's work, whose turns may be flushed with others, and waits until all of it is on the disk.
pub(crate) fn settled<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    let (done, left) = collected(work);
    match left {
        Some(left) if !left.progress.wait(left.number) => Err(Code::StoreFailed.about("flush")),
        _ => done,
    }
}

/// Does a part of a request's work, whose turns may be flushed later: nothing may be answered before another part is
/// [`settled`].
pub(crate) fn together<T>(work: impl FnOnce() -> T) -> T {
    collected(work).0
}

fn collected<T>(work: impl FnOnce() -> T) -> (T, Option<Left>) {
    /// Threads are used again, also after a panic.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            LEFT.set(None);
        }
    }
    LEFT.set(Some(None));
    let _reset = Reset;
    let done = work();
    (done, LEFT.take().flatten())
}

impl<'a> Turn<'a> {
    /// Waits for the turn. A panic inside one left its transaction undone, so the next may go on.
    pub(crate) fn take(state: &'a Mutex<State>, progress: &'a Arc<Progress>) -> Self {
        progress.waiting.fetch_add(1, Ordering::SeqCst);
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        progress.waiting.fetch_sub(1, Ordering::SeqCst);
        state.store.read().enter();
        Turn { state, progress }
    }
}

impl Deref for Turn<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let count = &mut self.state.turns;
        count.ended = count.ended.saturating_add(1);
        let number = count.ended;
        // Whoever waits will have a turn, and at its end decide again.
        let others = self.progress.waiting.load(Ordering::SeqCst) > 0;
        let later = others && number.saturating_sub(count.flushed) < TOGETHER;
        let kept = LEFT.with_borrow_mut(|left| {
            let Some(left) = left else { return false };
            *left = Some(Left { progress: Arc::clone(self.progress), number });
            true
        });
        if later && kept {
            return;
        }
        self.state.turns.flushed = number;
        let failed = self.state.store.flush().err();
        if let Some(error) = &failed {
            tracing::error!(%error, "what was written may be lost; those who wait for it are refused");
            self.state.sessions = Sessions::default();
        }
        self.state.store.read().leave();
        self.progress.tell(number, failed.is_some());
    }
}

impl Progress {
    fn tell(&self, number: u64, failed: bool) {
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        flushed.upto = number;
        if failed {
            flushed.failed = number;
        }
        drop(flushed);
        self.changed.notify_all();
    }

    /// Whether a turn came to the disk. Who asks late may be told of a later failure: a lost answer, no more.
    fn wait(&self, number: u64) -> bool {
        let flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        let flushed = self.changed.wait_while(flushed, |flushed| flushed.upto < number);
        flushed.unwrap_or_else(PoisonError::into_inner).failed < number
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use keys::Seeded;
    use ledger::SqliteLedger;

    use super::*;
    use crate::store::{Store, use_nonce};

    struct House {
        state: Mutex<State>,
        progress: Arc<Progress>,
    }

    impl House {
        fn new(store: Store) -> House {
            let ledger = Box::new(SqliteLedger::in_memory().unwrap());
            let entropy = Box::new(Seeded::new(1));
            let (sessions, turns) = (Sessions::default(), Count::default());
            let state = Mutex::new(State { store, ledger, entropy, sessions, turns });
            House { state, progress: Arc::default() }
        }

        fn write(&self, nonce: &str) -> Result<(), Problem> {
            let mut turn = Turn::take(&self.state, &self.progress);
            turn.store.write(|db| Ok(use_nonce(db, "alipay", nonce, 1, 0)?)).map(|_| ())
        }

        fn upto(&self) -> u64 {
            self.progress.flushed.lock().unwrap().upto
        }
    }

    #[test]
    fn whoever_has_nobody_behind_is_flushed_at_once_and_the_last_flushes_for_all() {
        let house = House::new(Store::in_memory().unwrap());
        settled(|| house.write("alone")).unwrap();
        assert_eq!(house.upto(), 1);
        let (alone, waiters) = (house.upto(), 3);
        let gate = AtomicBool::new(false);
        let wait_for = |what: &dyn Fn() -> bool| {
            while !what() {
                thread::yield_now();
            }
        };
        thread::scope(|threads| {
            let first = settled(|| {
                let held = Turn::take(&house.state, &house.progress);
                for _ in 0..waiters {
                    threads.spawn(|| {
                        settled(|| {
                            let _held = Turn::take(&house.state, &house.progress);
                            wait_for(&|| gate.load(Ordering::SeqCst));
                            Ok(())
                        })
                        .unwrap();
                    });
                }
                wait_for(&|| house.progress.waiting.load(Ordering::SeqCst) == waiters);
                let number = held.turns.ended + 1;
                drop(held);
                assert_eq!(house.upto(), alone, "others stand behind, so it ends unflushed");
                gate.store(true, Ordering::SeqCst);
                Ok(number)
            });
            assert!(house.upto() >= first.unwrap(), "its answer waits for the flush of another");
        });
        assert_eq!(house.upto(), house.state.lock().unwrap().turns.ended);
    }

    #[test]
    fn where_the_disk_fails_everyone_who_waits_is_refused_and_sessions_are_over() {
        let folder = tempfile::tempdir().unwrap();
        let house = House::new(Store::in_file(&folder.path().join("centre.db")).unwrap());
        settled(|| house.write("a")).unwrap();
        house.state.lock().unwrap().store.disk().fail();
        for nonce in ["b", "c"] {
            let problem = settled(|| house.write(nonce)).unwrap_err();
            assert_eq!(problem.code, Code::StoreFailed, "a disk that failed once is not believed again");
        }
    }

    #[test]
    fn a_part_that_is_not_waited_for_leaves_no_mark_on_its_thread() {
        let house = House::new(Store::in_memory().unwrap());
        together(|| house.write("before")).unwrap();
        assert!(LEFT.with_borrow(Option::is_none));
        let panicked = std::panic::catch_unwind(|| together(|| panic!("in a turn")));
        assert!(panicked.is_err() && LEFT.with_borrow(Option::is_none));
    }
}
