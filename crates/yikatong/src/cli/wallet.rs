//! The command line of the reference wallet.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("signing").args(["demo", "key"]).required(true).multiple(false)))]
pub(crate) struct Wallet {
    /// The centre.
    #[arg(long, value_name = "URL")]
    pub(crate) centre: String,
    /// Its id in the registry, the keyid of its signatures.
    #[arg(long, value_name = "ID", default_value = "alipay")]
    pub(crate) id: model::WalletId,
    /// Where the wallet keeps its passengers and its ledger [default: in memory only].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of its app's door and its page [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the centre reaches this wallet, such as `https://wallet.example`: events then come by webhook, too.
    #[arg(long, value_name = "URL")]
    pub(crate) public: Option<String>,
    /// Sign with the published demo key, and give every passenger money that does not exist.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Sign with the Ed25519 key in this file: PKCS#8 PEM (as `openssl genpkey -algorithm ed25519` writes it), or its
    /// seed as 64 hex digits.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// How long the centre may take for an answer before it counts as none.
    #[arg(long, value_name = "SECONDS", default_value_t = 65, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) tls: super::ClientTls,
}
