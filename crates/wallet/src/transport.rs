//! The way to the centre (传输): one request out, one answer back, or a silence that says how much it proves.
//!
//! Invariant: [`TransportError::Unreachable`] is only said when the centre has not seen the request. Whatever else
//! goes wrong is [`TransportError::NoAnswer`]: the centre may have done what was asked.

use std::io;
use std::time::Duration;

use ureq::Timeout;

use crate::trust::Trust;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a whole exchange may take; the centre gives a request 60 seconds.
const WHOLE: Duration = Duration::from_secs(65);
/// The most bytes of an answer.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // HTTP's own words
pub enum Method {
    Get,
    Post,
    Put,
}

/// A request to the centre, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` or `PUT`.
    pub method: Method,
    /// From the first slash on.
    pub path_and_query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Empty for a `GET`.
    pub body: Vec<u8>,
}

/// What the centre answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent.
    #[error("the centre cannot be reached: {0}")]
    Unreachable(String),
    /// It was sent, or may have been.
    #[error("the centre gave no answer: {0}")]
    NoAnswer(String),
}

/// Carries requests to the centre: a socket, or a simulation's router in process.
pub trait Transport: Send + Sync {
    /// Sends `request` once, and waits.
    ///
    /// # Errors
    /// [`TransportError`]; never for a status, whatever it is.
    fn send(&self, request: Request) -> Result<Reply, TransportError>;
}

/// The real one, over HTTP.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    agent: ureq::Agent,
    base: String,
}

impl Method {
    /// As it stands in the request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

impl HttpTransport {
    /// To the centre at `base`, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        HttpTransport::within(base, WHOLE)
    }

    /// To the centre at `base`, which may take so long for a whole exchange.
    #[must_use]
    pub fn within(base: &str, whole: Duration) -> Self {
        HttpTransport::trusting(base, whole, &Trust::default())
    }

    /// The same, trusting and showing what is said.
    #[must_use]
    pub fn trusting(base: &str, whole: Duration, trust: &Trust) -> Self {
        let agent = agent(CONNECT.min(whole), whole, trust);
        HttpTransport { agent, base: base.trim_end_matches('/').to_owned() }
    }
}

/// An agent that takes every status as an answer, follows no redirect and asks no proxy.
pub(crate) fn agent(connect: Duration, whole: Duration, trust: &Trust) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .tls_config(trust.config())
        .timeout_connect(Some(connect))
        .timeout_global(Some(whole))
        .build()
        .into()
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.base, request.path_and_query));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let answered = match request.method {
            Method::Get => builder.body(()).map_err(ureq::Error::from).and_then(|r| self.agent.run(r)),
            Method::Post | Method::Put => {
                builder.body(request.body).map_err(ureq::Error::from).and_then(|r| self.agent.run(r))
            }
        };
        let mut answer = answered.map_err(silence)?;
        let body = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        let headers = answer.headers().iter().filter_map(|(name, value)| {
            value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
        });
        Ok(Reply {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: body.map_err(|error| TransportError::NoAnswer(error.to_string()))?,
        })
    }
}

/// What a failure proves. Only those that come before the first byte prove that nothing was sent.
fn silence(error: ureq::Error) -> TransportError {
    use ureq::Error as E;
    let before = match &error {
        E::Http(_) | E::BadUri(_) | E::HostNotFound | E::ConnectionFailed | E::InvalidProxyUrl => true,
        E::Timeout(timeout) => matches!(timeout, Timeout::Resolve | Timeout::Connect),
        E::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    };
    if before {
        TransportError::Unreachable(error.to_string())
    } else {
        TransportError::NoAnswer(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn get(base: &str) -> Result<Reply, TransportError> {
        HttpTransport::new(base).send(Request {
            method: Method::Get,
            path_and_query: "/v1/cities".into(),
            headers: vec![("signature".into(), "sig1=:AA==:".into())],
            body: Vec::new(),
        })
    }

    /// A server that answers one request with `answer`, and gives back what it was asked.
    fn once(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut bytes = [0; 2048];
            let read = socket.read(&mut bytes).unwrap();
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        });
        (format!("http://{address}"), server)
    }

    #[test]
    fn a_closed_port_proves_that_nothing_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert!(matches!(get(&base), Err(TransportError::Unreachable(_))));
    }

    #[test]
    fn a_connection_that_ends_without_an_answer_proves_nothing() {
        let (base, server) = once("");
        assert!(matches!(get(&base), Err(TransportError::NoAnswer(_))));
        server.join().unwrap();
    }

    #[test]
    fn an_answer_cut_short_is_no_answer() {
        let (base, server) = once("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[");
        assert!(matches!(get(&base), Err(TransportError::NoAnswer(_))));
        server.join().unwrap();
    }

    #[test]
    fn every_status_is_an_answer() {
        let (base, server) = once("HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno");
        let reply = get(&base).unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (503, b"no".as_slice()));
        let asked = server.join().unwrap();
        assert!(asked.starts_with("GET /v1/cities HTTP/1.1\r\n") && asked.contains("sig1=:AA==:"), "{asked}");
    }
}
