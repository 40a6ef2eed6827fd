//! The socket under the door (接入端口): every client has its time, and there are so many clients and no more.
//!
//! Standard: RFC 9112; 408 and 503 by RFC 9110.
//! Invariant: a client that is slow, silent or one of too many costs a bounded time and a bounded memory, and moves
//! nothing: a request is acted on only when it is whole. With TLS the handshake has the time of a head, and its place
//! among the connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::answer::ProblemDetails;
use super::tls::{Greeted, Shown, Tls};
use crate::problem::{Code, Problem};
use crate::texts::Texts;

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for the head of a request, and for the wait for the next one on the same connection: longer than the
    /// 15 s that common clients keep an unused connection for.
    pub head: Duration,
    /// Connections at once.
    pub connections: usize,
    /// The most bytes of a head.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { head: Duration::from_secs(20), connections: 1024, head_bytes: 32 * 1024 }
    }
}

/// One door on one socket.
pub struct Socket {
    limits: Limits,
    free: Arc<Semaphore>,
    too_slow: Arc<[u8]>,
    too_many: Arc<[u8]>,
    plain: Arc<[u8]>,
    tls: Option<Tls>,
}

/// What a connection is carried by.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

impl Socket {
    /// A socket with these limits.
    ///
    /// # Errors
    /// The words compiled in are not whole.
    pub fn new(limits: Limits) -> Result<Self, toml::de::Error> {
        let texts = Texts::embedded()?;
        let slow = Problem::new(Code::HeadTooSlow, limits.head.as_secs());
        let many = Problem::new(Code::TooManyConnections, limits.connections).retry_after(1);
        let plain = Problem::new(Code::TlsWanted, "https://");
        Ok(Socket {
            limits,
            free: Arc::new(Semaphore::new(limits.connections)),
            too_slow: written(&slow, &texts).into(),
            too_many: written(&many, &texts).into(),
            plain: written(&plain, &texts).into(),
            tls: None,
        })
    }

    /// The same, in TLS alone.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Socket { tls, ..self }
    }

    /// Answers on `listener` by `router` until `stop` is done, and then what is under way.
    ///
    /// # Errors
    /// The socket's own.
    pub async fn serve(
        self,
        listener: TcpListener,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (closing, closed) = watch::channel(false);
        let mut open = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                () = &mut stop => break,
                Some(_) = open.join_next(), if !open.is_empty() => continue,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, or the client is gone: neither ends the door.
                        tracing::warn!(%error, "a connection was not taken");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                },
            };
            let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
                // In TLS there are no words before the handshake, which is what there is no room for.
                if self.tls.is_none() {
                    refuse(&stream, &self.too_many);
                }
                continue;
            };
            let connection = Connection {
                limits: self.limits,
                too_slow: Arc::clone(&self.too_slow),
                plain: Arc::clone(&self.plain),
                router: router.clone(),
                closed: closed.clone(),
                _permit: permit,
            };
            let tls = self.tls.clone();
            open.spawn(async move {
                // Small answers leave at once; a socket that cannot do so still works.
                let _ = stream.set_nodelay(true);
                match tls {
                    Some(tls) => connection.carry_in(&tls, stream).await,
                    None => connection.carry(stream, None).await,
                }
            });
        }
        drop(listener);
        // The receivers that are left are those of open connections.
        let _ = closing.send(true);
        while open.join_next().await.is_some() {}
        Ok(())
    }
}

struct Connection {
    limits: Limits,
    too_slow: Arc<[u8]>,
    plain: Arc<[u8]>,
    router: Router,
    closed: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// The handshake, and then the requests. Who does not come to an end with it is let go without a word.
    async fn carry_in(self, tls: &Tls, stream: TcpStream) {
        let mut closed = self.closed.clone();
        let greeted = tokio::select! {
            greeted = timeout(self.limits.head, tls.greet(stream)) => greeted,
            () = async { drop(closed.wait_for(|closed| *closed).await) } => return,
        };
        match greeted {
            Ok(Ok(Greeted::Safe(stream, shown))) => self.carry(stream, shown).await,
            Ok(Ok(Greeted::Plain(stream))) => say(stream, &self.plain).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn carry(self, stream: impl Stream, shown: Option<Shown>) {
        let served = Arc::new(AtomicBool::new(false));
        let inner = TowerToHyperService::new(self.router);
        let service = service_fn(|mut request: Request<Incoming>| {
            served.store(true, Ordering::Relaxed);
            if let Some(shown) = &shown {
                request.extensions_mut().insert(shown.clone());
            }
            inner.call(request.map(Body::new))
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(self.limits.head_bytes);
        let mut connection = http.serve_connection(TokioIo::new(stream), service);
        let mut closed = self.closed;
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = async { drop(closed.wait_for(|closed| *closed).await) } => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        // A client whose first head does not come is told so; one that is idle after an answer might take the
        // words for its next answer.
        if ended.is_err_and(|error| error.is_timeout()) && !served.load(Ordering::Relaxed) {
            say(connection.into_parts().io.into_inner(), &self.too_slow).await;
        }
    }
}

/// The last words to a client. It may be gone, or not read: then nobody is told.
async fn say(mut stream: impl Stream, words: &[u8]) {
    let said = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        // What it still sends is taken off the wire: closed before that, a socket takes back the words.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(Duration::from_secs(1), said).await;
}

/// Says no without waiting: the words fit into the socket's buffer.
fn refuse(stream: &TcpStream, words: &[u8]) {
    if stream.try_write(words).is_err() {
        tracing::debug!("a client too many left before it was told");
    }
}

/// A problem as a whole HTTP answer, for those whom no handler will hear.
fn written(problem: &Problem, texts: &Texts) -> Vec<u8> {
    let body = serde_json::to_string(&ProblemDetails::new(problem, texts)).unwrap_or_default();
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let later = problem.retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n{later}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
