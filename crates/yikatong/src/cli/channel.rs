//! The command line of a channel.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::{ChannelId, WalletId};

use super::Trusted;
use crate::reach::CardAddress;

#[derive(Subcommand, Debug)]
pub(crate) enum Channel {
    /// Has a plastic card loaded, paid by a wallet: asks the centre, lets the passenger pay, carries the order out.
    #[command(after_help = "Example: yikatong channel load --demo --card tcp:127.0.0.1:9002 --amount 5000")]
    Load(ChannelLoad),
}

#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("signing").args(["demo", "key"]).required(true).multiple(false)))]
pub(crate) struct ChannelLoad {
    /// The centre.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) centre: String,
    /// The app's door of the wallet that is to pay.
    #[arg(long, default_value = "http://127.0.0.1:8081", value_name = "URL")]
    pub(crate) wallet: String,
    /// That wallet's id in the registry.
    #[arg(long, default_value = "alipay", value_name = "ID")]
    pub(crate) under: WalletId,
    /// The channel's id in the registry.
    #[arg(long, default_value = "elechong", value_name = "ID")]
    pub(crate) id: ChannelId,
    /// Sign with the published demo key.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Sign with the Ed25519 key in this file: PKCS#8 PEM, or its seed as 64 hex digits.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The key's name in the channel's file, if it has several.
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(crate) key_name: Option<String>,
    /// The plastic card: tcp:HOST:PORT, pcsc:READER or file:STATE.
    #[arg(long, value_name = "CARD")]
    pub(crate) card: CardAddress,
    /// Whole fen.
    #[arg(long, value_name = "FEN")]
    pub(crate) amount: u32,
    /// The passenger's name at the wallet; registered if new.
    #[arg(long, default_value = "passenger")]
    pub(crate) user: String,
    /// The payment password, for the wallet alone.
    #[arg(long, default_value = "135790")]
    pub(crate) password: String,
    #[command(flatten)]
    pub(crate) servers: Trusted,
}
