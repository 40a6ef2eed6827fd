//! The nudge to a phone (推送): an order waits for you, come to the centre.
//!
//! Invariant: a nudge moves nothing. Lost, doubled or late, it changes no order; the phone may also come by itself.

use std::time::Duration;

use crate::transport::agent;
use crate::trust::Trust;

/// How long a phone may take to say that it heard.
const PATIENCE: Duration = Duration::from_secs(3);

/// A phone of a passenger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The secure element's identity, in hex.
    pub se_id: String,
    /// The phone model's id, such as `oppo-find7`.
    pub phone: String,
    /// Where its agent listens; `None` for a phone that comes by itself.
    pub agent_url: Option<String>,
}

/// Why a phone was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the phone was not told: {0}")]
pub struct PushError(pub String);

/// Tells phones that a session waits for them.
pub trait Push: Send + Sync {
    /// Tells `device` to carry out `session` at the centre.
    ///
    /// # Errors
    /// [`PushError`]; the order goes on as it is.
    fn notify(&self, device: &Device, session: &str, centre_url: &str) -> Result<(), PushError>;
}

/// Tells nobody: phones come by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPush;

/// Posts `{"session", "centre"}` to the address where the phone's agent listens.
#[derive(Clone, Debug)]
pub struct HttpPush {
    agent: ureq::Agent,
}

impl Push for NoPush {
    fn notify(&self, _: &Device, _: &str, _: &str) -> Result<(), PushError> {
        Ok(())
    }
}

impl HttpPush {
    /// Ready to tell.
    #[must_use]
    pub fn new() -> Self {
        HttpPush { agent: agent(PATIENCE, PATIENCE, &Trust::default()) }
    }
}

impl Default for HttpPush {
    fn default() -> Self {
        HttpPush::new()
    }
}

impl Push for HttpPush {
    fn notify(&self, device: &Device, session: &str, centre_url: &str) -> Result<(), PushError> {
        let Some(url) = &device.agent_url else { return Ok(()) };
        let told = serde_json::json!({ "session": session, "centre": centre_url });
        let answer = self.agent.post(url).send_json(told).map_err(|error| PushError(error.to_string()))?;
        if answer.status().is_success() { Ok(()) } else { Err(PushError(answer.status().to_string())) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_phone_hears_its_session_and_where_the_centre_is() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let agent_url = Some(format!("http://{}/push", listener.local_addr().unwrap()));
        let phone = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = String::new();
            let mut bytes = [0; 1024];
            while !asked.ends_with('}') {
                let read = socket.read(&mut bytes).unwrap();
                asked.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            asked
        });
        let device = Device { se_id: "4805A0".into(), phone: "oppo-find7".into(), agent_url };
        HttpPush::new().notify(&device, "5e55", "http://centre").unwrap();
        let asked = phone.join().unwrap();
        assert!(asked.starts_with("POST /push HTTP/1.1\r\n"), "{asked}");
        let body: serde_json::Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body, serde_json::json!({"session": "5e55", "centre": "http://centre"}));
    }
}
