//! The command line of the conformance kit.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand, Debug)]
pub(crate) enum Certify {
    /// Play the centre and its faults against a wallet's integration.
    ///
    /// The kit runs a real centre on --listen with published demo keys, and does the passengers' side itself. The
    /// wallet under test uses that centre; the kit drives it by --drive or --wallet-url, and judges by the centre's
    /// books and by what the wallet says it holds.
    #[command(after_help = "\
Example: yikatong certify wallet --id alipay --drive './drive.sh' --out report
         yikatong certify wallet --wallet-url http://127.0.0.1:8081 --timeout 2
         yikatong certify wallet --drive './drive.sh' --only answer-lost --only in-doubt --json

--drive runs a shell command once for each step. Its environment says what to do:
  YIKATONG_DO           open, issue, load, refund, cancel, hook, walk, day or show
  YIKATONG_CENTRE       the centre's address
  YIKATONG_WALLET       the wallet's id, the keyid of its signatures
  YIKATONG_USER         the passenger
  YIKATONG_AMOUNT_FEN   open: the money in the wallet; load: the amount
  YIKATONG_PLASTIC      load: 1 for a plastic card, 0 for the card on the phone
  YIKATONG_CITY, YIKATONG_PHONE, YIKATONG_SE_ID    issue: which card, onto which phone
  YIKATONG_ORDER        show, cancel: the order
  YIKATONG_DAY          day: which day's file, as 2014-10-20
  YIKATONG_SCENARIO     the scenario's code
Its last line of output is JSON: {\"order\", \"state\", \"available_fen\", \"held_fen\"}, with day also \"file\",
the daily file's text; state is one of unknown, created, running, in_doubt, done, refused, cancelled. See docs/certify-wallet.md.

Exit codes: 0 all scenarios passed, 1 something was found or not all were played, 2 bad use or bad input.")]
    Wallet(Box<CertifyWallet>),
    /// Check the signature of a report.
    #[command(
        after_help = "Example: yikatong certify check report/wallet-report.json --public-key 2152f8d19b791d24453242e15f2eab6cb7cffa7b6a5ed30097960e069881db12"
    )]
    Check {
        /// The report; its signature lies beside it, with .sig instead of .json.
        report: PathBuf,
        /// Whose signature it must be: an Ed25519 public key, 64 hex digits [default: whichever the report names].
        #[arg(long, value_name = "HEX")]
        public_key: Option<String>,
    },
}

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("way").args(["drive", "wallet_url"]).required(true).multiple(false)))]
pub(crate) struct CertifyWallet {
    /// The shell command that drives the wallet.
    #[arg(long, value_name = "CMD")]
    pub(crate) drive: Option<String>,
    /// The address of a wallet with the reference wallet's app paths.
    #[arg(long, value_name = "URL")]
    pub(crate) wallet_url: Option<String>,
    /// The wallet's id in the registry, the keyid of its signatures.
    #[arg(long, value_name = "ID", default_value = "alipay")]
    pub(crate) id: model::WalletId,
    /// Where the kit's centre listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
    /// How long the wallet waits for an answer of the centre's.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: u64,
    /// Play only this scenario; may be given again.
    #[arg(long, value_name = "CODE")]
    pub(crate) only: Vec<String>,
    /// The folder for wallet-report.json, .sig and .md [default: no files].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Sign the report with the Ed25519 key in this file, PKCS#8 PEM or 64 hex digits [default: the published demo key
    /// of `certify`, which proves nothing to others].
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}
