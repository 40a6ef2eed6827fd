//! Webhooks to the wallet under test (事件推送): the centre's own messages, delivered as the kit wants them.
//!
//! Standard: Standard Webhooks; the messages are made and signed by the centre (docs/webhooks.md).
//! Invariant: the kit makes no signature: a message is the centre's, byte for byte, or spoilt on purpose.

use std::time::Duration;

use centre::{Answered, Attempt};
use serde_json::Value;

use crate::driver::{Ask, Said, Verb};
use crate::fault::Seen;
use crate::finding::{Code, Words};
use crate::play::{Play, Played};

/// More than all scenarios before come to.
const QUEUE_MAX: usize = 10_000;
/// Longer than a wallet may take for an answer to a webhook.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often, and after which pauses, the tape is looked at for the wallet's question.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

impl Play<'_> {
    /// The wallet registers its webhook, if it has one: its id. `None`: it has none, and the report says so.
    pub(crate) fn hook(&mut self) -> Played<Option<String>> {
        let _: Said = self.said(Ask { verb: Verb::Hook, amount_fen: 0, ..self.ask.clone() })?;
        let taken = |seen: &Seen| seen.answer.as_ref().is_some_and(|(status, _)| *status == 200);
        let tape = self.stage.layer.since(0);
        let mut puts = tape.iter().filter(|seen| seen.method == "PUT" && taken(seen));
        let registered = puts.find_map(|seen| seen.path.strip_prefix("/v1/webhooks/").map(str::to_owned));
        if registered.is_none() {
            self.note = Some(Words {
                en: "The wallet registered no webhook: it was judged as one that asks.".to_owned(),
                zh: "钱包没有登记推送地址，按只查询的钱包评定。".to_owned(),
            });
        }
        Ok(registered)
    }

    /// The messages about an order that the centre has to send now, in their order. The centre takes them for delivered.
    pub(crate) fn messages(&mut self, order: &str) -> Vec<Attempt> {
        let mut about = Vec::new();
        for _ in 0..QUEUE_MAX {
            let attempt = match self.stage.core.due_hook() {
                Ok(Some(attempt)) => attempt,
                Ok(None) => break,
                Err(problem) => {
                    self.find(Code::KitFailed, problem);
                    break;
                }
            };
            let taken = Answered::Status { status: 200, retry_after: None };
            if let Err(problem) = self.stage.core.hook_answered(&attempt, &taken) {
                self.find(Code::KitFailed, problem);
            }
            let body: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
            if body["data"]["id"] == order {
                about.push(attempt);
            }
        }
        about
    }

    /// The centre is asked to send all events anew; those about the order.
    pub(crate) fn replayed(&mut self, hook: &str, order: &str) -> Vec<Attempt> {
        if let Err(problem) = self.stage.core.replay_webhook(&self.stage.wallet, hook) {
            self.find(Code::KitFailed, problem);
        }
        let messages = self.messages(order);
        if messages.is_empty() {
            self.find(Code::KitFailed, "nothing was sent anew");
        }
        messages
    }

    /// Posts a message to where the wallet wants it. `None`: no answer.
    pub(crate) fn deliver(&self, attempt: &Attempt) -> Option<u16> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = agent.post(&attempt.url);
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        request.send(&attempt.body).ok().map(|answer| answer.status().as_u16())
    }

    /// A good message: the wallet must take it.
    pub(crate) fn must_take(&mut self, attempt: &Attempt) {
        let status = self.deliver(attempt);
        if !status.is_some_and(|status| (200..300).contains(&status)) {
            self.find(Code::HookRefused, answered(status));
        }
    }

    /// A message that no wallet may take.
    pub(crate) fn must_refuse(&mut self, attempt: &Attempt, code: Code, what: &str) {
        let status = self.deliver(attempt);
        if status.is_none_or(|status| (200..300).contains(&status)) {
            self.find(code, format_args!("{what}: {}", answered(status)));
        }
    }

    /// Whether the wallet asks for the order once more than it had, by itself.
    pub(crate) fn asks_again(&self, order: &str, before: usize) -> bool {
        (0..LOOKS).any(|_| {
            let more = self.mentions(order) > before;
            if !more {
                std::thread::sleep(PAUSE);
            }
            more
        })
    }
}

/// The same message with another signature.
pub(crate) fn forged(attempt: &Attempt) -> Attempt {
    let mut forged = attempt.clone();
    for (name, value) in &mut forged.headers {
        if *name == "webhook-signature" {
            *value = format!("v1,{}=", "A".repeat(43));
        }
    }
    forged
}

/// Another message with the same signature.
pub(crate) fn altered(attempt: &Attempt) -> Attempt {
    let mut altered = attempt.clone();
    altered.body.push(' ');
    altered
}

fn answered(status: Option<u16>) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| format!("the wallet answered {status}"))
}
