//! The key service (密钥服务): verbs, not bytes.
//!
//! Standard: the roles of CJ/T 333's key system as far as public sources show them (card.md sections 2 and 3,
//! clearing.md section 3.1).
//! Invariant: no method returns a bare key; what leaves is a MAC, a verdict, or a key enciphered for its way.

use model::registry::{AesCheck, KeyKind, KeyScheme};
use model::{CardNumber, CardTime, CityCode, PurseFen, Tac, TapRecord, TerminalId};

use crate::batch::TapFacts;
use crate::block::Key16;
use crate::card_keys::KeyUsage;
use crate::element_keys::{ChannelKeys, SealedKey};
use crate::psam::PsamKeys;
use crate::purse::LoadOffer;
use crate::sam::SamPurpose;

/// A card, as its keys are derived: city and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CardRef {
    /// The issuing city.
    pub city: CityCode,
    /// The application serial number.
    pub number: CardNumber,
}

/// Whose keys open a secure channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOwner {
    /// The issuer's security domain of a phone's element.
    Issuer {
        /// The maker's key set, as the phone's profile names it.
        maker: String,
        /// How the element's keys follow from it.
        scheme: KeyScheme,
        /// Its version.
        version: u8,
        /// What its channel takes.
        kind: KeyKind,
    },
    /// Our own security domain on an element.
    Domain {
        /// The element's identity.
        element: String,
        /// What its channel takes.
        kind: KeyKind,
    },
    /// A blank plastic card on its way from the factory.
    Transport,
}

/// What passed between card and host when a channel was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFacts {
    /// The card's key diversification data.
    pub diversification: [u8; 10],
    /// What the session's keys follow from.
    pub session: Challenges,
}

/// What the keys of a session follow from, besides the card's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenges {
    /// SCP02: the card's sequence counter.
    Scp02 {
        /// The counter.
        sequence: u16,
    },
    /// SCP03: both sides' challenges.
    Scp03 {
        /// The host's.
        host: Vec<u8>,
        /// The card's.
        card: Vec<u8>,
    },
}

/// The host's half of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadRequest {
    /// How much.
    pub amount: PurseFen,
    /// The load point.
    pub terminal: TerminalId,
    /// When.
    pub at: CardTime,
}

/// What a load's TAC proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProof {
    /// The purse after the load.
    pub new_balance: PurseFen,
    /// The online counter before the load.
    pub counter: u16,
    /// How much.
    pub amount: PurseFen,
    /// The load point.
    pub terminal: TerminalId,
    /// When.
    pub at: CardTime,
}

/// A purchase by the centre itself: what a returned card's purse loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseRequest {
    /// How much.
    pub amount: PurseFen,
    /// The draw-down point.
    pub terminal: TerminalId,
    /// Its running number.
    pub terminal_seq: u32,
    /// When.
    pub at: CardTime,
}

/// What a card's offer of a purchase gives to the session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseOfferFacts {
    /// The offline counter before the purchase.
    pub counter: u16,
    /// Version of the card's purchase key.
    pub key_version: u8,
    /// Its algorithm; 0 is 3DES.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's authentication id, where its profile wants it in MAC1.
    pub auth_id: Option<[u8; 9]>,
}

/// A card key on its way into the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappedCardKey {
    /// What for.
    pub usage: KeyUsage,
    /// Which generation.
    pub version: u8,
    /// 0 is 3DES.
    pub algorithm: u8,
    /// The key, enciphered under the channel's S-DEK.
    pub cipher: [u8; 16],
    /// Its check value.
    pub kcv: [u8; 3],
}

/// Which PSAMs a key set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PsamScope {
    /// Takes every city's cards: holds the national purchase root, derives twice.
    National,
    /// Takes one city's cards: holds its purchase key, derives once.
    City(CityCode),
}

/// A key's name and check value: safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckValue {
    /// Which key.
    pub name: String,
    /// Its version.
    pub version: u8,
    /// The first 3 bytes of the enciphered zero block.
    pub kcv: [u8; 3],
}

/// What the key service refuses. Never holds key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The card's MAC1 is not its own.
    #[error("card {card}: wrong MAC1 at load counter {counter}")]
    WrongMac1 {
        /// The card, masked.
        card: CardNumber,
        /// Its online counter.
        counter: u16,
    },
    /// A TAC that the card's key did not make.
    #[error("card {card}: wrong TAC")]
    WrongTac {
        /// The card, masked.
        card: CardNumber,
    },
    /// A key version that the vault does not hold.
    #[error("key version {version} is not held; held: {held}")]
    UnknownVersion {
        /// The version asked for.
        version: u8,
        /// The version held.
        held: u8,
    },
    /// An algorithm other than 3DES.
    #[error("algorithm {0} is not supported; expected 0 (3DES)")]
    UnknownAlgorithm(u8),
    /// A maker whose element keys were never handed over, or not in this version.
    #[error("no element keys of maker `{maker}`, version {version:02X}, in the vault")]
    UnknownMaker {
        /// The name of the key set.
        maker: String,
        /// The version asked for.
        version: u8,
    },
    /// Keys of another kind than the channel takes.
    #[error("the keys are {}; the channel takes {}", .held.name(), .asked.name())]
    WrongKind {
        /// What they are.
        held: KeyKind,
        /// What the phone's profile says.
        asked: KeyKind,
    },
    /// A diversification that makes no keys of this kind.
    #[error("the phone's key scheme makes no {} keys", .0.name())]
    WrongScheme(KeyKind),
    /// A transaction type that makes no TAC of this kind.
    #[error("transaction type {0:02X} has no such TAC")]
    WrongType(u8),
}

/// The verbs. Implemented by the software vault, and by a hardware module.
pub trait KeyService: Send + Sync {
    /// Session keys of a secure channel.
    ///
    /// # Errors
    /// [`KeyError::UnknownMaker`], [`KeyError::WrongKind`] and [`KeyError::WrongScheme`]: guessing would use up the
    /// element's tries.
    fn open_channel(&self, owner: &ChannelOwner, facts: &ChannelFacts) -> Result<ChannelKeys, KeyError>;

    /// ENC, MAC and DEK of our own domain on `element`, of that kind, enciphered for `channel`, with the check values that
    /// the element expects.
    ///
    /// # Errors
    /// None in software; a module may refuse.
    fn wrap_domain_keys(
        &self,
        element: &str,
        kind: KeyKind,
        check: AesCheck,
        channel: &ChannelKeys,
    ) -> Result<[SealedKey; 3], KeyError>;

    /// The card's own keys, enciphered for `channel`.
    ///
    /// # Errors
    /// None in software; a module may refuse.
    fn wrap_card_keys(&self, card: &CardRef, channel: &ChannelKeys) -> Result<Vec<WrappedCardKey>, KeyError>;

    /// Checks the card's MAC1 and answers with MAC2: the card may then take the money.
    ///
    /// # Errors
    /// [`KeyError::WrongMac1`]: the offer is not the card's, or not for this amount and terminal.
    fn authorize_load(
        &self,
        card: &CardRef,
        offer: &LoadOffer,
        load: &LoadRequest,
    ) -> Result<[u8; 4], KeyError>;

    /// Checks a load's TAC.
    ///
    /// # Errors
    /// [`KeyError::WrongTac`].
    fn verify_load(&self, card: &CardRef, proof: &LoadProof, tac: Tac) -> Result<(), KeyError>;

    /// MAC1 of a purchase that the centre makes itself, to draw a returned card down. The card does not prove itself
    /// in its offer: only its TAC will.
    ///
    /// # Errors
    /// Versions or algorithms that are not held.
    fn authorize_purchase(
        &self,
        card: &CardRef,
        offer: &PurchaseOfferFacts,
        purchase: &PurchaseRequest,
    ) -> Result<[u8; 4], KeyError>;

    /// Checks the TAC of such a purchase.
    ///
    /// # Errors
    /// [`KeyError::WrongTac`].
    fn verify_purchase(&self, card: &CardRef, purchase: &PurchaseRequest, tac: Tac) -> Result<(), KeyError>;

    /// Checks a tap's TAC.
    ///
    /// # Errors
    /// [`KeyError::WrongTac`], and versions or algorithms that are not held.
    fn verify_tap(&self, tap: &TapRecord) -> Result<(), KeyError>;

    /// Checks the TACs of many taps of one city's cards, all under one `key`, which is version and algorithm: the indices
    /// of those that their cards did not make, in order.
    ///
    /// # Errors
    /// Versions or algorithms that are not held.
    fn wrong_tacs(&self, issuer: CityCode, key: (u8, u8), taps: &[TapFacts]) -> Result<Vec<usize>, KeyError>;

    /// The MAC of a protected command (line protection).
    ///
    /// # Errors
    /// None in software; a module may refuse.
    fn line_mac(
        &self,
        card: &CardRef,
        usage: KeyUsage,
        challenge: &[u8],
        bytes: &[u8],
    ) -> Result<[u8; 4], KeyError>;

    /// What a PSAM is loaded with.
    ///
    /// # Errors
    /// None in software; a module may refuse.
    fn psam_keys(&self, scope: PsamScope) -> Result<PsamKeys, KeyError>;

    /// The command that writes a SAM's key, enciphered under the SAM's `control` key; `challenge` is what the SAM has
    /// just answered to GET CHALLENGE.
    ///
    /// # Errors
    /// None in software; a module may refuse.
    fn sam_write_key(
        &self,
        purpose: SamPurpose,
        scope: PsamScope,
        control: &Key16,
        challenge: [u8; 4],
    ) -> Result<Vec<u8>, KeyError>;

    /// Names and check values of the roots, and of the makers' element keys.
    fn check_values(&self) -> Vec<CheckValue>;

    /// Whether any root is a published demo constant: a network whose money is real refuses such a service.
    fn is_demo(&self) -> bool;
}
