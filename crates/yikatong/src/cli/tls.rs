//! TLS on the command line: what a server shows, and whom a client trusts.

use std::path::PathBuf;

use clap::Args;

/// The centre's side.
#[derive(Args, Debug, Default)]
pub(crate) struct ServerTls {
    /// The centre's certificate in PEM, with those up to its authority: its port then speaks TLS alone.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Authorities in PEM of client certificates: every signed request then needs one that is registered for its party.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
}

/// A client's side.
#[derive(Args, Debug, Default)]
pub(crate) struct ClientTls {
    #[command(flatten)]
    pub(crate) servers: Trusted,
    /// The certificate in PEM that is shown to a centre that asks for one.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
}

/// Whom a client trusts.
#[derive(Args, Debug, Default)]
pub(crate) struct Trusted {
    /// Authorities in PEM of the certificates of https addresses [default: those that browsers trust].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}
