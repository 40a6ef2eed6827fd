//! TLS on the way to the centre (传输层安全): whom the wallet trusts, and the certificate that it shows.
//!
//! Invariant: a server's certificate is always verified, by the authorities given or, without them, by the web's.

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// Contents of PEM files.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrustFiles<'a> {
    /// The authorities of servers, in place of the web's.
    pub ca: Option<&'a [u8]>,
    /// The certificate that is shown where one is asked for, with those up to its authority, and its key.
    pub client: Option<(&'a [u8], &'a [u8])>,
}

/// What is trusted and shown.
#[derive(Clone, Debug, Default)]
pub struct Trust(TlsConfig);

/// Why a PEM file is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Authorities.
    #[error("the authorities: no certificate in PEM (BEGIN CERTIFICATE)")]
    Ca,
    /// The own certificate.
    #[error("the client certificate: no certificate in PEM (BEGIN CERTIFICATE)")]
    Certificate,
    /// Its key.
    #[error("the client certificate's key: no private key in PEM (BEGIN PRIVATE KEY)")]
    Key,
}

impl Trust {
    /// From the contents of files.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn new(files: TrustFiles<'_>) -> Result<Self, TrustError> {
        let mut config = TlsConfig::builder();
        if let Some(pem) = files.ca {
            config = config.root_certs(RootCerts::new_with_certs(&certificates(pem).ok_or(TrustError::Ca)?));
        }
        if let Some((certificate, key)) = files.client {
            let chain = certificates(certificate).ok_or(TrustError::Certificate)?;
            let key = PrivateKey::from_pem(key).map_err(|_| TrustError::Key)?;
            config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(Trust(config.build()))
    }

    /// For an agent of `ureq`.
    #[must_use]
    pub fn config(&self) -> TlsConfig {
        self.0.clone()
    }
}

fn certificates(pem: &[u8]) -> Option<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.ok()? {
            found.push(certificate);
        }
    }
    Some(found).filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let nothing: &[u8] = b"no PEM here";
        let new = |ca, client| Trust::new(TrustFiles { ca, client }).map(|_| ());
        assert_eq!(new(Some(nothing), None), Err(TrustError::Ca));
        assert_eq!(new(None, Some((nothing, nothing))), Err(TrustError::Certificate));
        assert_eq!(new(None, None), Ok(()));
    }
}
