//! Certificates and keys from files, for a server and for a client.
//!
//! Invariant: a key file is never shown, in whole or in part.

use std::path::{Path, PathBuf};

use centre::http::{Tls, TlsFiles};
use wallet::{Trust, TrustFiles};

use crate::cli::{ClientTls, ServerTls, Trusted};
use crate::failure::{Failure, Outcome};

impl ServerTls {
    /// What the centre's door shows; `None` where it speaks plainly.
    pub(crate) fn open(&self) -> Outcome<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let (certificate, key) = (read(certificate)?, read(key)?);
        let client_ca = self.client_ca.as_deref().map(read).transpose()?;
        let files = TlsFiles { certificate: &certificate, key: &key, client_ca: client_ca.as_deref() };
        Tls::new(files).map(Some).map_err(|error| Failure::input(format_args!("--tls-cert: {error}")))
    }
}

impl ClientTls {
    /// Whom it trusts, and what it shows.
    pub(crate) fn open(&self) -> Outcome<Trust> {
        trust(self.servers.ca.as_ref(), self.client_cert.as_ref().zip(self.client_key.as_ref()))
    }
}

impl Trusted {
    /// Whom it trusts.
    pub(crate) fn open(&self) -> Outcome<Trust> {
        trust(self.ca.as_ref(), None)
    }
}

fn trust(ca: Option<&PathBuf>, client: Option<(&PathBuf, &PathBuf)>) -> Outcome<Trust> {
    let ca = ca.map(|path| read(path)).transpose()?;
    let client = client.map(|(certificate, key)| Ok((read(certificate)?, read(key)?))).transpose()?;
    let client = client.as_ref().map(|(certificate, key)| (certificate.as_slice(), key.as_slice()));
    Trust::new(TrustFiles { ca: ca.as_deref(), client }).map_err(Failure::input)
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::path(path, error))
}
