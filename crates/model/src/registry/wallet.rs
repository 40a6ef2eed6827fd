//! Wallets (第三方支付): who may order cards and loads, by which key, up to what amount.

use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::money::PurseFen;
use crate::party::WalletId;

/// A wallet, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// The file's name: `alipay`.
    pub id: WalletId,
    /// What the file says.
    pub facts: WalletFacts,
}

/// What a wallet's file says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletFacts {
    /// What it is called.
    pub name: Name,
    /// Ed25519 key by which its requests are signed.
    #[serde(default, deserialize_with = "text::maybe_hex_bytes")]
    pub public_key: Option<[u8; 32]>,
    /// The most that one order may load.
    pub max_order_fen: PurseFen,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

impl Record for Wallet {
    const FOLDER: &'static str = "wallets";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        let id = source.stem().parse().map_err(|error| source.problem("", error))?;
        source.read().map(|facts| Wallet { id, facts })
    }

    fn assumed(&self) -> &[String] {
        &self.facts.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        if self.facts.max_order_fen == PurseFen::ZERO {
            problems.push(source.problem("max_order_fen", "expected more than 0"));
        }
    }
}
