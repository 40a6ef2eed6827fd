//! Sending (投递), without a socket: what is due now, and what an answer means.
//!
//! Standard: Standard Webhooks, "Delivery success and failure": 2xx is success, 410 ends the webhook, all else is tried
//! again; no redirect is followed.
//! Invariant: an attempt is handed out under a lease, and only its holder's answer counts. A sender that dies loses
//! nothing: the lease ends and the event is sent again, under the same id.

use std::fmt;
use std::net::SocketAddr;

use model::{CardTime, WalletId};

use super::{SECRETS_MOST, address, message, retry};
use crate::core::{Core, State};
use crate::problem::{Code, Problem};
use crate::store::{
    AttemptRow, DeliveryRow, DeliveryState, HookRow, HookState, Told, events_after, is_unnumbered,
    number_events,
};
use crate::turn::settled;

/// How long a sender may hold an attempt: longer than any answer is waited for.
const LEASE_SECONDS: i64 = 60;
/// Events that get their deliveries in one transaction.
const AT_ONCE: u32 = 200;

/// One message to be posted now.
#[derive(Clone)]
pub struct Attempt {
    /// The webhook's address.
    pub url: String,
    /// What its host resolved to; connect to these and to no others.
    pub addresses: Vec<SocketAddr>,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
    delivery: DeliveryRow,
    lease: i64,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// An answer, whatever it is.
    Status {
        /// HTTP's.
        status: u16,
        /// Retry-After, in seconds.
        retry_after: Option<u32>,
    },
    /// None.
    Nothing(String),
}

impl Core {
    /// The next message whose time and turn have come, taken in hand for its sender. `None`: nothing is due.
    ///
    /// # Errors
    /// The store's.
    pub fn due_hook(&self) -> Result<Option<Attempt>, Problem> {
        settled(|| self.next_due())
    }

    fn next_due(&self) -> Result<Option<Attempt>, Problem> {
        self.spread()?;
        while let Some((delivery, hook, lease)) = self.take_due()? {
            let private = self.hooks.allow_private_webhooks;
            let place = address::parse(&hook.url, private);
            match place.and_then(|place| place.look_up(self.hooks.names.as_ref(), private)) {
                Ok(addresses) => return self.attempt(delivery, &hook, addresses, lease).map(Some),
                Err(problem) => {
                    self.close(delivery, lease, &Answered::Nothing(problem.code.to_string()))?;
                }
            }
        }
        Ok(None)
    }

    /// Takes what became of an attempt.
    ///
    /// # Errors
    /// The store's; the lease then ends and the event is sent again.
    pub fn hook_answered(&self, attempt: &Attempt, answered: &Answered) -> Result<(), Problem> {
        self.close(attempt.delivery.clone(), attempt.lease, answered)
    }

    /// Gives each new event a delivery to each webhook that wants it.
    fn spread(&self) -> Result<(), Problem> {
        let now = self.now().unix_seconds();
        let mut guard = self.state();
        let state = &mut *guard;
        let mut last: Option<WalletId> = None;
        for hook in HookRow::active(state.store.read())? {
            let next_wallet = last.as_ref() != Some(&hook.wallet);
            if next_wallet && is_unnumbered(state.store.read(), &hook.wallet)? {
                state.store.write(|db| number_events(db, &hook.wallet))?;
            }
            last = Some(hook.wallet.clone());
            let events = events_after(state.store.read(), &hook.wallet, hook.upto, AT_ONCE)?;
            let Some(upto) = events.last().map(|event| event.seq) else { continue };
            state.store.write(|db| {
                if hook.move_to(db, upto)? {
                    for event in events.iter().filter(|event| wants(&hook, event)) {
                        hook.deliver(db, event, now)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn take_due(&self) -> Result<Option<(DeliveryRow, HookRow, i64)>, Problem> {
        let now = self.now().unix_seconds();
        let lease = now.saturating_add(LEASE_SECONDS);
        let mut state = self.state();
        if DeliveryRow::due(state.store.read(), now)?.is_none() {
            return Ok(None);
        }
        state.store.write(|db| {
            let Some(delivery) = DeliveryRow::due(db, now)? else { return Ok(None) };
            let hook = HookRow::find(db, &delivery.wallet, &delivery.hook)?;
            match hook {
                Some(hook) if delivery.take(db, now, lease)? => Ok(Some((delivery, hook, lease))),
                _ => Ok(None),
            }
        })
    }

    fn attempt(
        &self,
        delivery: DeliveryRow,
        hook: &HookRow,
        addresses: Vec<SocketAddr>,
        lease: i64,
    ) -> Result<Attempt, Problem> {
        let now = self.now().unix_seconds();
        let state = self.state();
        let db = state.store.read();
        let event = Told::find(db, &hook.wallet, delivery.seq)?;
        let event = event.ok_or_else(|| Code::Internal.about(delivery.seq))?;
        let secrets = hook.secrets(db, now, SECRETS_MOST)?;
        let (id, body) = (message::event_id(&hook.wallet, event.seq), message::body(&event));
        let signature = message::signature(&secrets, &id, now, &body);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature),
        ];
        Ok(Attempt { url: hook.url.clone(), addresses, headers, body, delivery, lease })
    }

    fn close(&self, mut delivery: DeliveryRow, lease: i64, answered: &Answered) -> Result<(), Problem> {
        let now = self.now();
        let mut guard = self.state();
        let state = &mut *guard;
        let next = after_attempt(&mut delivery, now, answered, state);
        state.store.write(|db| {
            if !delivery.close(db, lease)? {
                return Ok(()); // replayed, deleted, or in another's hand
            }
            let (status, error) = match answered {
                Answered::Status { status, .. } => (Some(*status), None),
                Answered::Nothing(why) => (None, Some(why.chars().take(200).collect())),
            };
            let number = delivery.attempts;
            delivery.note(db, &AttemptRow { number, at: now, status, error, next_at: next })?;
            if let (Some(410), Some(hook)) = (status, HookRow::find(db, &delivery.wallet, &delivery.hook)?) {
                tracing::warn!(wallet = %hook.wallet, hook = hook.id, "the receiver wants no more events");
                hook.set_state(db, HookState::Gone)?;
            }
            Ok(())
        })
    }
}

/// What a delivery has come to; gives the time of the next attempt, if there is to be one.
fn after_attempt(
    delivery: &mut DeliveryRow,
    now: CardTime,
    answered: &Answered,
    state: &mut State,
) -> Option<CardTime> {
    delivery.attempts = delivery.attempts.saturating_add(1);
    let first = *delivery.first_at.get_or_insert(now.unix_seconds());
    let asked = match answered {
        Answered::Status { status: 200..=299, .. } => {
            delivery.state = DeliveryState::Accepted;
            return None;
        }
        Answered::Status { retry_after, .. } => *retry_after,
        Answered::Nothing(_) => None,
    };
    let mut random = [0; 2];
    state.entropy.fill(&mut random);
    match retry::next(first, now.unix_seconds(), asked, u16::from_be_bytes(random)) {
        Some(next) => {
            delivery.next_at = next;
            Some(CardTime::from_unix_seconds(next))
        }
        None => {
            tracing::warn!(wallet = %delivery.wallet, hook = delivery.hook, event = delivery.seq, "given up");
            delivery.state = DeliveryState::GivenUp;
            None
        }
    }
}

fn wants(hook: &HookRow, event: &Told) -> bool {
    hook.types.is_empty() || hook.types.contains(&event.kind)
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Attempt");
        text.field("url", &self.url).field("event", &self.delivery.seq).finish_non_exhaustive()
    }
}
