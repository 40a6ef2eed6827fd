//! TLS under the door (传输层安全): the centre shows its certificate, and may ask the other side for one.
//!
//! Standard: RFC 8446 and RFC 5246 (TLS 1.3 and 1.2), by rustls; RFC 9110 section 15 for the word to who speaks plainly.
//! Invariant: a certificate is only looked at once an authority of ours has issued it, and on every connection anew:
//! where certificates are asked for, no session is resumed.

use std::sync::Arc;

use model::registry::Certificate;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{
    NoServerSessionStorage, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier,
};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::problem::{Code, Problem};

/// The first byte of every TLS connection: a record of type handshake. No HTTP method begins with it.
const HANDSHAKE: u8 = 22;

/// What TLS is made of, each in PEM.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// The centre's certificate, and those up to its authority.
    pub certificate: &'a [u8],
    /// The certificate's key.
    pub key: &'a [u8],
    /// The authorities of client certificates; without them none is asked for.
    pub client_ca: Option<&'a [u8]>,
}

/// Why there is no TLS. Never the key itself.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No PEM certificate.
    #[error("no certificate in PEM (BEGIN CERTIFICATE) in the file of {0}")]
    NoCertificate(&'static str),
    /// No PEM key.
    #[error("no private key in PEM (BEGIN PRIVATE KEY)")]
    NoKey,
    /// Certificate and key do not fit, or cannot be used.
    #[error("the certificate and its key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
    /// The authorities cannot be used.
    #[error("the client authorities cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// TLS for a socket.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    asks: bool,
}

/// The certificate that a connection has shown, where it was asked for one; an authority of ours has issued it.
#[derive(Clone, Debug)]
pub(super) struct Shown(Option<Arc<CertificateDer<'static>>>);

/// How a connection began.
pub(super) enum Greeted {
    /// In TLS; with what was shown, if that was asked.
    Safe(Box<TlsStream<TcpStream>>, Option<Shown>),
    /// Without TLS.
    Plain(TcpStream),
}

impl Tls {
    /// From the contents of files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(files: TlsFiles<'_>) -> Result<Tls, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match files.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, "client authorities")? {
                    roots.add(authority)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                // Phones and browsers have none; who must have one is asked at the door.
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(files.key).map_err(|_| TlsError::NoKey)?;
        let mut config = builder.with_single_cert(certificates(files.certificate, "the centre")?, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let asks = files.client_ca.is_some();
        if asks {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), asks })
    }

    /// The handshake; how long it may take is the caller's to say.
    pub(super) async fn greet(&self, stream: TcpStream) -> std::io::Result<Greeted> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            return Ok(Greeted::Plain(stream));
        }
        let stream = self.acceptor.accept(stream).await?;
        let shown = || {
            let chain = stream.get_ref().1.peer_certificates();
            Shown(chain.and_then(<[_]>::first).map(|own| Arc::new(own.clone().into_owned())))
        };
        let shown = self.asks.then(shown);
        Ok(Greeted::Safe(Box::new(stream), shown))
    }
}

impl Shown {
    /// Whether it is one of those `registered` for `party`.
    pub(super) fn check(
        &self,
        party: impl std::fmt::Display,
        registered: &[Certificate],
    ) -> Result<(), Problem> {
        let Some(shown) = &self.0 else { return Err(Code::CertificateMissing.about(party)) };
        let is = |known: &Certificate| match known {
            Certificate::Fingerprint(digest) => <[u8; 32]>::from(Sha256::digest(shown.as_ref())) == *digest,
            Certificate::Name(name) => is_for(shown, name),
        };
        if registered.iter().any(is) { Ok(()) } else { Err(Code::CertificateDiffers.about(party)) }
    }
}

/// Whether a certificate is issued for this DNS name.
fn is_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(certificate), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(name))
    else {
        return false;
    };
    verify_server_name(&certificate, &name).is_ok()
}

fn certificates(pem: &[u8], whose: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(TlsError::NoCertificate(whose))
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("asks", &self.asks).finish_non_exhaustive()
    }
}
