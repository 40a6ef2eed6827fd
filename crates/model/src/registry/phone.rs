//! Phone models (机型): the secure element in the phone, who holds its keys, and what is already on it.
//!
//! Standard: GlobalPlatform Card Specification and its Amendment C (globalplatform.md 1.2, 1.4, 1.6, 2).

use std::fmt;
use std::str::FromStr;

use super::key_scheme::{AesCheck, KeyKind, KeyScheme};
use super::scp::{EncryptionCounter, Scp};
use super::shelf::{Problems, Record};
use super::source::{Problem, Source};
use super::text::{self, Name};
use crate::number::NumberError;

/// A phone model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// The file's name: `oppo-find7`.
    #[serde(skip)]
    pub id: String,
    /// Who makes it.
    pub maker: Name,
    /// What it is called.
    pub model: Name,
    /// Its NFC chip, for people.
    pub nfc_controller: String,
    /// Its secure element.
    pub element: ElementFacts,
    /// Fields of this file that are assumptions, not facts.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub source: String,
}

/// What the TSM must know of a secure element (安全模块).
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementFacts {
    /// Whose operating system it runs.
    pub vendor: ElementVendor,
    /// Issuer security domain.
    #[serde(deserialize_with = "text::parsed")]
    pub isd_aid: Aid,
    /// Secure channel of its security domains.
    #[serde(deserialize_with = "text::parsed")]
    pub scp: Scp,
    /// Bits of its AES keys: 128, 192 or 256; nothing for 3DES.
    #[serde(default)]
    pub key_bits: Option<u16>,
    /// How it makes the check values of AES keys.
    #[serde(default)]
    pub aes_check: AesCheck,
    /// How it counts the commands of an SCP03 session.
    #[serde(default)]
    pub scp03_counter: EncryptionCounter,
    /// How the element's keys follow from the maker's.
    pub key_scheme: KeyScheme,
    /// Version of those keys.
    pub key_version: u8,
    /// Name of the maker's key set; the keys themselves are the key service's business.
    pub keys: String,
    /// Package that security domains are made from.
    #[serde(deserialize_with = "text::parsed")]
    pub ssd_package: Aid,
    /// Module of that package.
    #[serde(deserialize_with = "text::parsed")]
    pub ssd_module: Aid,
    /// Package of the purse application.
    #[serde(deserialize_with = "text::parsed")]
    pub purse_package: Aid,
    /// Module of that package.
    #[serde(deserialize_with = "text::parsed")]
    pub purse_module: Aid,
    /// Whether it has the contactless registry service (CRS) that activates a card.
    pub crs: bool,
    /// Room for cards.
    pub free_bytes: u32,
    /// The longest command that reaches the element whole, in bytes of data.
    pub max_apdu: u8,
    /// Who may manage its contents.
    pub management: Management,
    /// Who holds the keys of the issuer security domain.
    pub keys_held_by: KeyHolder,
    /// Habits that differ from what most elements do.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
}

/// A habit of an element that the other side must know. What it means stands here and in code; a file only names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// An answer to a command with data is not given at once: `61xx` says how long it is, and GET RESPONSE fetches it.
    GetResponse,
    /// A question that expects another length than its answer has is answered `6Cxx`, and asked again with that length.
    ExactLe,
    /// The length of INSTALL's parameters is always one byte.
    OneByteInstallLengths,
    /// Only one card is active at a time: another one is refused as being in conflict with it.
    OneActiveCard,
}

impl Quirk {
    /// All there are.
    pub const ALL: [Quirk; 4] =
        [Quirk::GetResponse, Quirk::ExactLe, Quirk::OneByteInstallLengths, Quirk::OneActiveCard];

    /// As a bit, for an element's own memory; never given twice.
    #[must_use]
    pub const fn bit(self) -> u16 {
        match self {
            Quirk::GetResponse => 1,
            Quirk::ExactLe => 2,
            Quirk::OneByteInstallLengths => 4,
            Quirk::OneActiveCard => 8,
        }
    }
}

/// Who holds the keys of the issuer security domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHolder {
    /// We: they were handed to our key service.
    Us,
    /// The phone's maker.
    Maker,
    /// The mobile operator, whose card the element is in.
    Operator,
}

/// Whose operating system a secure element runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names say it
pub enum ElementVendor {
    Nxp,
    Oberthur,
    Gemalto,
}

/// Who manages the element's contents (GlobalPlatform's modes in TSM talk).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Management {
    /// The issuer's TSM does all, through the issuer security domain.
    Simple,
    /// Ours, with a token for each step.
    Delegated,
    /// Ours, inside our own security domain.
    Authorized,
}

/// Application identifier: 5 to 16 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aid(Vec<u8>);

impl Aid {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl ElementFacts {
    /// What its keys are keys of: 3DES for SCP02, AES for SCP03.
    #[must_use]
    pub const fn key_kind(&self) -> KeyKind {
        match (self.scp, self.key_bits) {
            (Scp::Scp02 { .. }, _) => KeyKind::TripleDes,
            (Scp::Scp03(_), Some(192)) => KeyKind::Aes192,
            (Scp::Scp03(_), Some(256)) => KeyKind::Aes256,
            (Scp::Scp03(_), _) => KeyKind::Aes128,
        }
    }

    fn check_channel(&self, source: &Source<'_>, problems: &mut Problems) {
        let aes = matches!(self.scp, Scp::Scp03(_));
        if self.key_bits.is_some_and(|bits| !aes || !matches!(bits, 128 | 192 | 256)) {
            let expected =
                if aes { "expected 128, 192 or 256" } else { "only AES keys have a length to choose" };
            problems.push(source.problem("element.key_bits", expected));
        }
        if !self.key_scheme.fits(self.key_kind()) {
            let what =
                format!("this scheme makes no {} keys, which {} needs", self.key_kind().name(), self.scp);
            problems.push(source.problem("element.key_scheme", what));
        }
        for (field, stated) in [
            ("element.aes_check", self.aes_check != AesCheck::default()),
            ("element.scp03_counter", self.scp03_counter != EncryptionCounter::default()),
        ] {
            if stated && !aes {
                problems.push(source.problem(field, format!("means nothing with {}", self.scp)));
            }
        }
    }
}

impl FromStr for Aid {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let bytes = hex::decode(text).ok().filter(|bytes| (5..=16).contains(&bytes.len()));
        bytes.map(Aid).ok_or_else(|| NumberError::new(text, "an AID", "5 to 16 bytes in hex"))
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({self})")
    }
}

impl Record for Phone {
    const FOLDER: &'static str = "phones";

    fn read(source: &Source<'_>) -> Result<Self, Problem> {
        source.read().map(|phone| Phone { id: source.stem().to_owned(), ..phone })
    }

    fn assumed(&self) -> &[String] {
        &self.assumed
    }

    fn check(&self, source: &Source<'_>, problems: &mut Problems) {
        if self.element.keys.is_empty() {
            problems.push(source.problem("element.keys", "expected the name of a key set"));
        }
        let mut quirks = self.element.quirks.clone();
        quirks.sort_unstable();
        if quirks.windows(2).any(|two| matches!(two, [a, b] if a == b)) {
            problems.push(source.problem("element.quirks", "the same habit twice"));
        }
        if !self.element.crs && quirks.contains(&Quirk::OneActiveCard) {
            problems.push(
                source.problem("element.quirks", "one-active-card is a habit of the contactless registry"),
            );
        }
        // GlobalPlatform key versions: 01 to 7F, or FF for keys from the factory.
        if !matches!(self.element.key_version, 0x01..=0x7F | 0xFF) {
            problems.push(source.problem("element.key_version", "expected 0x01 to 0x7F, or 0xFF"));
        }
        self.element.check_channel(source, problems);
    }
}
