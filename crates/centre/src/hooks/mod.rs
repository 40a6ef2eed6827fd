//! Webhooks (事件推送): wallets hear what became of their orders and cards, without asking.
//!
//! Standard: Standard Webhooks 1.0. The same events may be pulled, from any point, for ever.
//! Invariant: an event tells of a change and moves nothing. Events of one order or card go to a receiver one after the
//! other; whether they arrive or not, the centre's own state is what it is.

mod address;
mod message;
mod retry;
mod sender;

use std::fmt;
use std::sync::Arc;

use model::WalletId;

pub use address::{Names, SystemNames};
pub(crate) use message::event_id;
pub use sender::{Answered, Attempt};

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::store::{
    AttemptRow, Db, DeliveryRow, DeliveryState, HookRow, HookState, Told, events_after, is_unnumbered,
    last_event, number_events,
};
use crate::wallet::check_id;

/// Webhooks that a wallet may have.
const MOST: usize = 10;
/// Events and deliveries in one page.
const PAGE: u32 = 100;
/// How long the old secret still signs after a rotation.
const OLD_SECRET_SECONDS: i64 = 24 * 3600;
/// Secrets that sign one message, at most.
const SECRETS_MOST: u32 = 4;

/// Where webhooks may point, and who looks their names up.
#[derive(Clone)]
pub struct HookPolicy {
    /// The centre's own machine may be reached, also without TLS: for a demo and for tests. Nothing else that is
    /// private ever may.
    pub allow_private_webhooks: bool,
    /// Looks names up.
    pub names: Arc<dyn Names>,
}

/// A webhook with its counts, as its wallet sees it.
pub(crate) struct Hook {
    pub(crate) row: HookRow,
    pub(crate) waiting: u64,
    pub(crate) given_up: u64,
    /// Only when it has just been made.
    pub(crate) secret: Option<String>,
}

/// What a wallet asks for.
pub(crate) struct NewHook {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) types: Vec<String>,
}

/// A page of a wallet's events.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) more: bool,
}

/// A delivery with its event and its log.
pub(crate) struct Delivery {
    pub(crate) row: DeliveryRow,
    pub(crate) event: Told,
    pub(crate) log: Vec<AttemptRow>,
}

impl Core {
    /// Makes a webhook, or changes where it points; one that was gone is active again. Making it gives the secret.
    pub(crate) fn put_hook(&self, wallet: &WalletId, new: NewHook) -> Result<Hook, Problem> {
        check_id("id", &new.id)?;
        check_types(&new.types)?;
        let policy = &self.hooks;
        address::parse(&new.url, policy.allow_private_webhooks)?
            .look_up(policy.names.as_ref(), policy.allow_private_webhooks)?;
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let mut secret = vec![0; message::SECRET_BYTES];
        state.entropy.fill(&mut secret);
        state.store.write(|db| {
            let known = HookRow::find(db, wallet, &new.id)?;
            let is_new = known.is_none();
            if is_new && HookRow::of(db, wallet)?.len() >= MOST {
                return Err(Code::WebhookLimit.about(MOST));
            }
            if is_new && is_unnumbered(db, wallet)? {
                number_events(db, wallet)?; // it begins with what comes from now on
            }
            let (created_at, upto) = match known {
                Some(known) => (known.created_at, known.upto),
                None => (now, last_event(db, wallet)?),
            };
            let (id, url, types) = (new.id, new.url, new.types);
            let row = HookRow {
                wallet: wallet.clone(),
                id,
                url,
                types,
                state: HookState::Active,
                upto,
                created_at,
            };
            row.put(db)?;
            if is_new {
                row.add_secret(db, &secret, now.unix_seconds())?;
            }
            tracing::info!(%wallet, hook = row.id, is_new, "webhook put");
            shown(db, row, is_new.then(|| message::shown(&secret)))
        })
    }

    /// A new secret; the old one signs beside it for a day.
    pub(crate) fn rotate_hook(&self, wallet: &WalletId, id: &str) -> Result<Hook, Problem> {
        let now = self.now().unix_seconds();
        let mut guard = self.state();
        let state = &mut *guard;
        let mut secret = vec![0; message::SECRET_BYTES];
        state.entropy.fill(&mut secret);
        state.store.write(|db| {
            let row = find(db, wallet, id)?;
            row.add_secret(db, &secret, now.saturating_add(OLD_SECRET_SECONDS))?;
            shown(db, row, Some(message::shown(&secret)))
        })
    }

    /// This wallet's webhooks.
    pub(crate) fn hooks_of(&self, wallet: &WalletId) -> Result<Vec<Hook>, Problem> {
        let state = self.state();
        let db = state.store.read();
        HookRow::of(db, wallet)?.into_iter().map(|row| shown(db, row, None)).collect()
    }

    /// Forgets a webhook with its log.
    pub(crate) fn delete_hook(&self, wallet: &WalletId, id: &str) -> Result<(), Problem> {
        self.state().store.write(|db| Ok(find(db, wallet, id)?.delete(db)?))
    }

    /// Sends everything after a cursor anew, in order.
    pub(crate) fn replay_hook(&self, wallet: &WalletId, id: &str, after: u64) -> Result<Hook, Problem> {
        self.state().store.write(|db| {
            let mut row = find(db, wallet, id)?;
            if after < row.upto && row.move_to(db, after)? {
                row.upto = after;
            }
            shown(db, row, None)
        })
    }

    /// Sends everything anew, from the first event on: for who drives a centre in its own process.
    ///
    /// # Errors
    /// [`Code::UnknownWebhook`], or the store's.
    pub fn replay_webhook(&self, wallet: &WalletId, id: &str) -> Result<(), Problem> {
        self.replay_hook(wallet, id, 0).map(drop)
    }

    /// How the deliveries of a webhook stand, after a cursor.
    pub(crate) fn deliveries(
        &self,
        wallet: &WalletId,
        id: &str,
        after: u64,
    ) -> Result<Page<Delivery>, Problem> {
        let state = self.state();
        let db = state.store.read();
        let hook = find(db, wallet, id)?;
        let page = page(DeliveryRow::after(db, &hook, after, PAGE.saturating_add(1))?);
        let with_log = |row: DeliveryRow| {
            let event = Told::find(db, wallet, row.seq)?.ok_or_else(|| Code::Internal.about(row.seq))?;
            Ok(Delivery { event, log: row.log(db)?, row })
        };
        let rows = page.rows.into_iter().map(with_log).collect::<Result<_, Problem>>()?;
        Ok(Page { rows, more: page.more })
    }

    /// A wallet's events after a cursor.
    pub(crate) fn events_after(&self, wallet: &WalletId, after: u64) -> Result<Page<Told>, Problem> {
        let mut state = self.state();
        if is_unnumbered(state.store.read(), wallet)? {
            state.store.write(|db| number_events(db, wallet))?;
        }
        Ok(page(events_after(state.store.read(), wallet, after, PAGE.saturating_add(1))?))
    }
}

fn page<T>(mut rows: Vec<T>) -> Page<T> {
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if more {
        rows.pop();
    }
    Page { rows, more }
}

fn find(db: &Db, wallet: &WalletId, id: &str) -> Result<HookRow, Problem> {
    HookRow::find(db, wallet, id)?.ok_or_else(|| Code::UnknownWebhook.about(id))
}

fn shown(db: &Db, row: HookRow, secret: Option<String>) -> Result<Hook, Problem> {
    let waiting = row.count(db, DeliveryState::Waiting)?;
    let given_up = row.count(db, DeliveryState::GivenUp)?;
    Ok(Hook { row, waiting, given_up, secret })
}

/// Event types are words with dots between.
fn check_types(types: &[String]) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b);
    let fits = |text: &String| (1..=64).contains(&text.len()) && text.bytes().all(plain);
    let all = types.len() <= 50 && types.iter().all(fits);
    if all { Ok(()) } else { Err(Code::IdMalformed.about("types")) }
}

impl HookPolicy {
    /// What a centre does unless it is told otherwise: in a demo its own machine may be reached.
    #[must_use]
    pub fn of(demo: bool) -> Self {
        HookPolicy { allow_private_webhooks: demo, names: Arc::new(SystemNames) }
    }
}

impl fmt::Debug for HookPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("HookPolicy");
        text.field("allow_private_webhooks", &self.allow_private_webhooks).finish_non_exhaustive()
    }
}
