//! The reference wallet behind its own app door, as its page drives it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Ask, Driver, Said, Verb};

const PASSWORD: &str = "246800";

/// Drives a wallet that has the reference wallet's `/app` paths.
#[derive(Clone, Debug)]
pub struct AppDriver {
    agent: ureq::Agent,
    base: String,
}

impl AppDriver {
    /// The wallet's address, and how long it may take for an answer.
    #[must_use]
    pub fn new(base: &str, patience: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(patience))
            .build()
            .into();
        AppDriver { agent, base: base.trim_end_matches('/').to_owned() }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.agent.post(format!("{}{path}", self.base)).send_json(body);
        read(path, answer)
    }

    /// A file, as it is.
    fn text(&self, path: &str) -> Result<String, String> {
        let answer = self.agent.get(format!("{}{path}", self.base)).call();
        let mut answer = answer.map_err(|error| format!("{path}: {error}"))?;
        let text = answer.body_mut().read_to_string().map_err(|error| format!("{path}: {error}"))?;
        if answer.status().is_success() {
            Ok(text)
        } else {
            Err(format!("{path}: {}: {text}", answer.status()))
        }
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        read(path, self.agent.get(format!("{}{path}", self.base)).call())
    }
}

fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut answer = answer.map_err(|error| format!("{path}: {error}"))?;
    let said: Value = answer.body_mut().read_json().map_err(|error| format!("{path}: {error}"))?;
    if answer.status().is_success() { Ok(said) } else { Err(format!("{path}: {}: {said}", answer.status())) }
}

impl Driver for AppDriver {
    fn ask(&mut self, ask: &Ask) -> Result<Said, String> {
        let who = json!({"name": ask.user, "password": PASSWORD});
        let with = |more: &[(&str, Value)]| {
            let mut body = who.clone();
            for (name, value) in more {
                body[*name] = value.clone();
            }
            body
        };
        let se_id = || ("se_id", json!(ask.se_id));
        let order = match ask.verb {
            Verb::Open => {
                let account = self.post("/app/register", &who)?;
                self.post("/app/devices", &with(&[se_id(), ("phone", json!(ask.phone))]))?;
                let missing =
                    ask.amount_fen.saturating_sub(account["available_fen"].as_i64().unwrap_or_default());
                if missing > 0 {
                    self.post("/app/top-up", &with(&[("amount_fen", json!(missing))]))?;
                }
                Value::Null
            }
            Verb::Issue => self.post("/app/issue", &with(&[se_id(), ("city", json!(ask.city))]))?,
            Verb::Load => {
                let card = if ask.plastic { ("plastic", json!(true)) } else { se_id() };
                self.post("/app/load", &with(&[card, ("amount_fen", json!(ask.amount_fen))]))?
            }
            Verb::Refund => self.post("/app/refund", &with(&[("plastic", json!(true))]))?,
            Verb::Cancel => {
                // Whether it was heard, the order says.
                let _ = self.post(&format!("/app/orders/{}/cancel", ask.order), &who);
                self.get(&format!("/app/orders/{}", ask.order))?
            }
            // A wallet that knows its own address has registered its webhook by itself.
            Verb::Hook | Verb::Day => Value::Null,
            Verb::Walk => self.get("/app/centre/orders")?,
            Verb::Show => self.get(&format!("/app/orders/{}", ask.order))?,
        };
        let day = (ask.verb == Verb::Day).then(|| self.text(&format!("/app/days/{}/file", ask.day)));
        let me = self.get(&format!("/app/me?name={}", ask.user))?;
        let fen = |name: &str| me[name].as_i64().ok_or_else(|| format!("/app/me: no {name}"));
        let text = |name: &str| order[name].as_str().map(str::to_owned);
        Ok(Said {
            order: text("id"),
            state: text("state"),
            available_fen: fen("available_fen")?,
            held_fen: fen("held_fen")?,
            orders: serde_json::from_value(order["orders"].clone()).unwrap_or_default(),
            file: day.transpose()?,
        })
    }
}
