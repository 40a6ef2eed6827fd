//! The command line: names, arguments, examples. What each command does stands in its own module.

mod certify;
mod channel;
mod tap;
mod tls;
mod wallet;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::{CityCode, Date};

pub(crate) use certify::{Certify, CertifyWallet};
pub(crate) use channel::{Channel, ChannelLoad};
pub(crate) use tap::Tap;
pub(crate) use tls::{ClientTls, ServerTls, Trusted};
pub(crate) use wallet::Wallet;

use crate::reach::CardAddress;

/// Yikatong (一卡通): the open interconnection platform for city transit cards in phones.
///
/// Without a command: `serve --demo`, a running centre with a living demo network.
#[derive(Parser, Debug)]
#[command(
    name = "yikatong",
    version,
    after_help = "Exit codes: 0 done, 1 the job found something wrong, 2 bad use or bad input."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// A folder of registry files that adds to the built-in ones; a file of the same path replaces.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the centre (and with --demo a wallet, phones, cards and readers beside it).
    #[command(after_help = "Example: yikatong serve --demo --listen 127.0.0.1:8080")]
    Serve(Serve),
    /// A network day in simulated time: issue, load, tap, upload, clear, settle; ends with the books.
    #[command(after_help = "Example: yikatong demo --passengers 2000 --taps 20000 --seed 7 --json")]
    Demo(Demo),
    /// The whole network under every fault, from one seed; a judge of the money looks after every step.
    #[command(after_help = "Example: yikatong sim --seed 1 --steps 100000")]
    Sim(Sim),
    /// Charge a file of real taps through our terminals and compare with what was paid.
    #[command(after_help = "Example: yikatong replay real-taps.csv --city 5180")]
    Replay(Replay),
    /// A simulated phone's secure element.
    #[command(subcommand)]
    Element(Element),
    /// A simulated plastic card, personalised.
    #[command(subcommand)]
    Card(Card),
    /// Run the reference wallet alone, beside any centre; it knows the centre only through its public API.
    #[command(
        after_help = "Example: yikatong wallet --centre http://127.0.0.1:8080 --demo --listen 127.0.0.1:8081\n         yikatong wallet --centre https://centre.example --id alipay --key signing.pem --data wallet"
    )]
    Wallet(Wallet),
    /// The conformance kit for those who join, with a signed report.
    #[command(subcommand)]
    Certify(Certify),
    /// The phone's agent: relays commands between the centre and a card.
    #[command(
        after_help = "Example: yikatong phone --card tcp:127.0.0.1:9001 issue --city 2000\n         yikatong phone --card tcp:127.0.0.1:9001 load --amount 5000\n         yikatong phone --card tcp:127.0.0.1:9001 refund\n         yikatong phone --card tcp:127.0.0.1:9001 cancel 5f0c8a1e"
    )]
    Phone(Phone),
    /// A third party's app that has plastic cards loaded and is paid by a wallet.
    #[command(subcommand)]
    Channel(Channel),
    /// One tap by the validator's logic; appends to its offline batch.
    #[command(after_help = "Example: yikatong tap --card tcp:127.0.0.1:9001 --terminal 200001010001")]
    Tap(Tap),
    /// Synthetic records with true TACs, and planted faults listed apart.
    #[command(subcommand)]
    Taps(Taps),
    /// Clear a folder of records without a server: verdicts, flows, positions.
    #[command(after_help = "Example: yikatong clear --taps day --day 2014-10-20 --out cleared")]
    Clear(Clear),
    /// The key system: ceremony, check values, PSAM sets.
    #[command(subcommand)]
    Keys(Keys),
}

#[derive(Args, Debug, Default)]
pub(crate) struct Serve {
    /// Where the centre keeps its books.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The centre's books on a PostgreSQL server, which several centres may share, instead of in DIR.
    #[arg(long, value_name = "postgres://…", value_parser = postgres_address)]
    pub(crate) database: Option<String>,
    /// Address of the centre [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the reference wallet, with --demo [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDR")]
    pub(crate) wallet_listen: Option<SocketAddr>,
    /// Address of the simulated street of phones and readers, with --demo [default: 127.0.0.1:8082].
    #[arg(long, value_name = "ADDR")]
    pub(crate) street_listen: Option<SocketAddr>,
    /// The vault with the root keys, without --demo.
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// File with the vault's passphrase.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Published demo keys, a wallet, and simulated passengers.
    #[arg(long)]
    pub(crate) demo: bool,
    /// With --demo, no simulated passengers: nothing happens but what you do.
    #[arg(long, requires = "demo")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) tls: ServerTls,
}

/// The address of a database; the rest of it is the server's to judge.
fn postgres_address(text: &str) -> Result<String, &'static str> {
    let ours = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if ours {
        Ok(text.to_owned())
    } else {
        Err("an address like postgres://user@host:5432/database is expected")
    }
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The seed; the same seed gives the same day, byte for byte.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many passengers.
    #[arg(long, default_value_t = 200)]
    pub(crate) passengers: u32,
    /// How many taps are tried.
    #[arg(long, default_value_t = 2000)]
    pub(crate) taps: u32,
    /// How many days.
    #[arg(long, default_value_t = 1)]
    pub(crate) days: u32,
    /// Keep the centre's books here instead of in memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Write every APDU as a JSON line: time, who, card, command, response.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Sim {
    /// The seed; the same seed and steps give the same story [default: a random one, printed].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How many steps: a message, an APDU, a call, a kill.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) steps: u64,
    /// Folder for the simulated disks, best in memory [default: a new one in /dev/shm or the temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Plant a known mistake: drop-void, post-twice, forget-doubt, trust-timeout.
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_name = "NAME")]
    pub(crate) plant: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The file of taps.
    pub(crate) file: PathBuf,
    /// Whose fares.
    #[arg(long)]
    pub(crate) city: CityCode,
    /// Write the readers' records here, in files that `clear --taps` takes.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Socket {
    /// Connect to a virtual reader that waits for a card.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) vpcd: Option<String>,
    /// Wait for clients here.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Element {
    /// Serve a secure element on a socket.
    #[command(
        after_help = "Example: yikatong element serve --phone oppo-find7 --listen 127.0.0.1:9001 --state phone.state"
    )]
    Serve {
        /// The phone model, a file name of registry/phones.
        #[arg(long)]
        phone: String,
        /// The element's memory; made if it is not there [default: in memory only].
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        #[command(flatten)]
        socket: Socket,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Card {
    /// Serve a plastic card on a socket, personalised with the demo keys.
    #[command(
        after_help = "Example: yikatong card serve --city 2000 --listen 127.0.0.1:9002 --state card.state"
    )]
    Serve {
        /// The issuing city.
        #[arg(long)]
        city: CityCode,
        /// The card's memory; made if it is not there [default: in memory only].
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        #[command(flatten)]
        socket: Socket,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Phone {
    /// The centre.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) centre: String,
    /// The wallet that takes the payment.
    #[arg(long, default_value = "http://127.0.0.1:8081", value_name = "URL")]
    pub(crate) wallet: String,
    /// The passenger's name at the wallet; registered if new.
    #[arg(long, default_value = "passenger")]
    pub(crate) user: String,
    /// The payment password.
    #[arg(long, default_value = "135790")]
    pub(crate) password: String,
    /// The phone model, a file name of registry/phones.
    #[arg(long, default_value = "oppo-find7")]
    pub(crate) phone: String,
    /// The card: tcp:HOST:PORT, pcsc:READER or file:STATE.
    #[arg(long, value_name = "CARD")]
    pub(crate) card: CardAddress,
    /// Write every APDU as a JSON line.
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) servers: Trusted,
    #[command(subcommand)]
    pub(crate) what: PhoneJob,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PhoneJob {
    /// A city card into the phone, over the air.
    Issue {
        /// The issuing city.
        #[arg(long)]
        city: CityCode,
    },
    /// Value onto the card, over the air; works for the phone's card and for a plastic card held to it.
    Load {
        /// Whole fen.
        #[arg(long, value_name = "FEN")]
        amount: u32,
        /// Which city's card, if the phone has several.
        #[arg(long)]
        city: Option<CityCode>,
        /// The card is plastic, held to the phone.
        #[arg(long)]
        plastic: bool,
    },
    /// Balance and history, read by the centre.
    Read {
        /// Which city's card, if the phone has several.
        #[arg(long)]
        city: Option<CityCode>,
        /// The card is plastic, held to the phone.
        #[arg(long)]
        plastic: bool,
    },
    /// Make this the card that readers see.
    Activate {
        /// Which city's card.
        #[arg(long)]
        city: CityCode,
        /// Only until the element loses its power; the others stay as they are.
        #[arg(long)]
        next_tap: bool,
    },
    /// Take an empty card off the phone.
    Delete {
        /// Which city's card, if the phone has several.
        #[arg(long)]
        city: Option<CityCode>,
    },
    /// Give the card back: its whole value is taken off it and paid back to the wallet.
    #[command(
        after_help = "Example: yikatong phone --card tcp:127.0.0.1:9001 refund --city 2000\n         yikatong phone --card tcp:127.0.0.1:9002 refund --plastic"
    )]
    Refund {
        /// Which city's card, if the phone has several.
        #[arg(long)]
        city: Option<CityCode>,
        /// The card is plastic, held to the phone.
        #[arg(long, conflicts_with = "city")]
        plastic: bool,
    },
    /// Take an order back while no money has moved; the card is not asked.
    #[command(after_help = "Example: yikatong phone --card tcp:127.0.0.1:9001 cancel 5f0c8a1e")]
    Cancel {
        /// The wallet's id of the order, as it was said when it was placed.
        order: String,
    },
    /// The secure element's identity, as a wallet's request for a card names it.
    Identity,
    /// Run one session that a wallet has opened.
    Session {
        /// The session's id.
        id: String,
        /// The card is plastic, held to the phone.
        #[arg(long)]
        plastic: bool,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Taps {
    /// Make record files.
    #[command(after_help = "Example: yikatong taps make --count 20000 --out day --seed 3 --bad 200")]
    Make {
        /// How many records.
        #[arg(long)]
        count: u64,
        /// The folder, made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Faults per million records.
        #[arg(long, value_name = "PPM", default_value_t = 0)]
        bad: u32,
        /// The business day.
        #[arg(long, default_value = "2014-10-20")]
        day: Date,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// The folder of record files.
    #[arg(long, value_name = "DIR")]
    pub(crate) taps: PathBuf,
    /// The clearing day.
    #[arg(long)]
    pub(crate) day: Date,
    /// The folder for the results, made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The vault with the root keys [default: the published demo keys].
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// File with the vault's passphrase.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct VaultFile {
    /// The vault.
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: PathBuf,
    /// File with the passphrase.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: PathBuf,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Keys {
    /// The demo's root keys: published constants that no centre without --demo accepts.
    #[command(
        after_help = "Example: yikatong keys demo --json\n         yikatong keys demo --signer wechat-pay"
    )]
    Demo {
        /// Only the key that this party signs its requests with in a demo, as PEM: a wallet's id, city:CODE or centre.
        #[arg(long, value_name = "KEYID")]
        signer: Option<String>,
    },
    /// Make a vault from the custodians' components, one file each: a line for each root, in the order of `keys demo`:
    /// 32 hex digits, a space and their check value (the first 3 bytes of 8 zero bytes under the key, 3DES).
    #[command(
        after_help = "Example: yikatong keys ceremony --component a.txt --component b.txt --vault national.vault --passphrase-file pass.txt"
    )]
    Ceremony {
        /// A custodian's components; at least two.
        #[arg(long = "component", value_name = "FILE", required = true)]
        components: Vec<PathBuf>,
        #[command(flatten)]
        vault: VaultFile,
    },
    /// Take a phone maker's element keys into the vault: ENC, MAC and DEK, a line each with its check value.
    #[command(
        after_help = "Example: yikatong keys add-maker --maker oppo --version 1 --file oppo.txt --vault national.vault --passphrase-file pass.txt"
    )]
    AddMaker {
        /// The key set's name, as `keys` in registry/phones has it.
        #[arg(long)]
        maker: String,
        /// Its version, as `key_version` in registry/phones has it.
        #[arg(long)]
        version: u8,
        /// The maker's file.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        vault: VaultFile,
    },
    /// Check values of the vault's roots.
    #[command(after_help = "Example: yikatong keys check --vault national.vault --passphrase-file pass.txt")]
    Check {
        #[command(flatten)]
        vault: VaultFile,
    },
    /// The command that writes a reader's PSAM, or a load point's ISAM, under the module's own control key.
    #[command(
        after_help = "Example: yikatong keys sam --control control.txt --challenge 5D72B3FD --city 2000 --vault national.vault --passphrase-file pass.txt"
    )]
    Sam {
        /// The module's control key: 32 hex digits and their check value.
        #[arg(long, value_name = "FILE")]
        control: PathBuf,
        /// What the module has just answered to GET CHALLENGE, 8 hex digits.
        #[arg(long, value_name = "HEX")]
        challenge: String,
        /// The one city whose cards it takes [default: national, takes every city's].
        #[arg(long)]
        city: Option<CityCode>,
        /// An ISAM, for loads; otherwise a PSAM, for purchases.
        #[arg(long)]
        load: bool,
        #[command(flatten)]
        vault: VaultFile,
    },
    /// Check values of one card's keys.
    #[command(after_help = "Example: yikatong keys derive --city 2000 --card 2000000000000001")]
    Derive {
        /// The issuing city.
        #[arg(long)]
        city: CityCode,
        /// The card number, 16 hex digits.
        #[arg(long)]
        card: model::CardNumber,
    },
}

#[cfg(test)]
mod tests;
