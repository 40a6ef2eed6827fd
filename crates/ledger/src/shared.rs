//! One ledger for many callers (组提交, group commit): what waits is committed together, in one transaction.
//!
//! A thread owns the ledger. While it commits, callers queue; what has queued is its next commit. So the cost of
//! making something durable is shared by all who wait, and an account that every load touches holds none of them up.
//!
//! Invariant: a call returns when its own facts are durable; who else waits changes neither their order nor their judgement.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use model::Date;

use crate::balance::Balance;
use crate::books::{InDoubt, Line, Standing};
use crate::entry::Fact;
use crate::error::{LedgerError, Refusal};
use crate::judge::Outcome;
use crate::ledger::{Ledger, Story};
use crate::name::{AccountName, EntryId};

/// A commit takes no more than this many facts, unless one caller hands in more: nobody waits long for others.
const TOGETHER: usize = 1024;

/// A [`Ledger`] that may be cloned and called from many threads; each clone is the same ledger. The thread behind it
/// ends with the last clone.
#[derive(Clone, Debug)]
pub struct SharedLedger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` only while it is dropped.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

type Answers = Vec<Result<Outcome, Refusal>>;
type Look = Box<dyn FnOnce(&dyn Ledger) + Send>;

enum Job {
    Commit(Waiting),
    Look(Look),
}

/// The chains of one caller.
struct Waiting {
    facts: Vec<Fact>,
    /// How many of them are in each chain.
    lengths: Vec<usize>,
    answer: SyncSender<Result<Answers, LedgerError>>,
}

impl SharedLedger {
    /// Gives the ledger to a thread of its own.
    ///
    /// # Errors
    /// [`LedgerError::Stopped`] if the system has no thread to give.
    pub fn new(ledger: impl Ledger + 'static) -> Result<Self, LedgerError> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        let thread = thread.spawn(move || work(ledger, &queue)).map_err(|_| LedgerError::Stopped)?;
        let inner = Inner { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) };
        Ok(SharedLedger(Arc::new(inner)))
    }

    fn ask<T>(&self, job: impl FnOnce(SyncSender<T>) -> Job) -> Result<T, LedgerError> {
        let (answer, answered) = sync_channel(1);
        {
            let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = jobs.as_ref().ok_or(LedgerError::Stopped)?;
            jobs.send(job(answer)).map_err(|_| LedgerError::Stopped)?;
        }
        answered.recv().map_err(|_| LedgerError::Stopped)
    }

    fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&dyn Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ask(|answer| {
            Job::Look(Box::new(move |ledger| {
                // Whoever asked may be gone.
                let _told = answer.send(look(ledger));
            }))
        })?
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.jobs.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // The last handle may be dropped by the thread itself; and if it panicked, its callers were told.
            if thread.thread().id() != std::thread::current().id() {
                let _ended = thread.join();
            }
        }
    }
}

impl Ledger for SharedLedger {
    fn commit_chains(&mut self, chains: &[&[Fact]]) -> Result<Answers, LedgerError> {
        let facts = chains.concat();
        let lengths = chains.iter().map(|chain| chain.len()).collect();
        self.ask(|answer| Job::Commit(Waiting { facts, lengths, answer }))?
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Line>, LedgerError> {
        self.look(move |ledger| ledger.read(after, limit))
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.look(|ledger| ledger.standing())
    }

    fn balance(&self, account: &AccountName) -> Result<Balance, LedgerError> {
        let account = account.clone();
        self.look(move |ledger| ledger.balance(&account))
    }

    fn find(&self, id: &EntryId) -> Result<Option<Story>, LedgerError> {
        let id = id.clone();
        self.look(move |ledger| ledger.find(&id))
    }

    fn pending(&self) -> Result<Vec<InDoubt>, LedgerError> {
        self.look(|ledger| ledger.pending())
    }

    fn closed(&self) -> Result<Option<Date>, LedgerError> {
        self.look(|ledger| ledger.closed())
    }
}

/// The thread: takes what waits, until nobody is left who could ask.
fn work(mut ledger: impl Ledger, queue: &Receiver<Job>) {
    let mut next = queue.recv().ok();
    while let Some(job) = next.take() {
        let mut together = Vec::new();
        let mut facts = 0_usize;
        let mut waits = Some(job);
        while let Some(job) = waits {
            match job {
                Job::Look(look) => look(&ledger),
                Job::Commit(one) => {
                    let sum = facts.saturating_add(one.facts.len());
                    if sum > TOGETHER && !together.is_empty() {
                        next = Some(Job::Commit(one));
                        break;
                    }
                    facts = sum;
                    together.push(one);
                }
            }
            waits = queue.try_recv().ok();
        }
        commit(&mut ledger, together);
        next = next.or_else(|| queue.recv().ok());
    }
}

/// One transaction, then to each caller its own part of the answers.
fn commit(ledger: &mut impl Ledger, together: Vec<Waiting>) {
    if together.is_empty() {
        return;
    }
    let chains: Vec<&[Fact]> = together.iter().flat_map(Waiting::chains).collect();
    match ledger.commit_chains(&chains) {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for one in &together {
                let own: Answers = answers.by_ref().take(one.facts.len()).collect();
                let whole = own.len() == one.facts.len();
                one.tell(if whole { Ok(own) } else { Err(LedgerError::NoAnswer) });
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for one in &together {
                one.tell(Err(LedgerError::Together(Arc::clone(&error))));
            }
        }
    }
}

impl Waiting {
    fn chains(&self) -> impl Iterator<Item = &[Fact]> {
        let mut rest = self.facts.as_slice();
        self.lengths.iter().map(move |length| {
            let (chain, after) = rest.split_at_checked(*length).unwrap_or((rest, &[]));
            rest = after;
            chain
        })
    }

    fn tell(&self, answer: Result<Answers, LedgerError>) {
        // Whoever asked may be gone; what was committed stays, and a repetition will be told the same.
        let _told = self.answer.send(answer);
    }
}
