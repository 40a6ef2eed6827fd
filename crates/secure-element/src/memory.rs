//! What a secure element keeps without power, and what it forgets.
//!
//! Standard: life cycles, privileges and registry of GlobalPlatform (globalplatform.md sections 1.5 and 1.6).
//! Invariant: fields are numbered for ever; a later release reads what an earlier one has kept.

use card::Purse;
use keys::{AesCheck, ElementKeys, EncryptionCounter, Key16};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use model::registry::{self, ElementFacts, Quirk};
use ring::signature::{RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents};
use smartcard::gp::{Aid, Lengths, LifeCycle, Privilege, Privileges};
use smartcard::scp::CardChannel;

use crate::channels::Volatile;
use crate::content::Loading;

/// Room that an instance takes, of the size of a real applet's data.
pub(crate) const DOMAIN_BYTES: u32 = 2048;
pub(crate) const PURSE_BYTES: u32 = 6144;

/// A secure element's whole state.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Element {
    #[n(0)]
    pub(crate) birth: Birth,
    /// The keys of the issuer's security domain.
    #[n(1)]
    pub(crate) issuer: DomainKeys,
    #[n(2)]
    pub(crate) domains: Vec<Domain>,
    #[n(3)]
    pub(crate) purses: Vec<Instance>,
    /// Counts activations, so that the last one is the one that readers see.
    #[n(4)]
    pub(crate) activations: u32,
    /// The contactless registry's update counter.
    #[n(5)]
    pub(crate) updates: u16,
    /// The issuer has locked the whole element.
    #[n(6)]
    pub(crate) locked: bool,
    /// Load files that came after birth.
    #[cbor(n(7), default)]
    pub(crate) files: Vec<LoadedFile>,
    /// The element's life is over: it says who it was, and nothing else.
    #[cbor(n(8), default)]
    pub(crate) terminated: bool,
    /// With which the issuer's tokens are checked.
    #[n(9)]
    pub(crate) token_key: Option<PublicKey>,
    /// The key and number of receipts.
    #[n(10)]
    pub(crate) receipts: Option<Receipts>,
    #[cbor(skip)]
    pub(crate) session: Session,
    #[cbor(skip)]
    pub(crate) volatile: Volatile,
}

/// What does not change after manufacture.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Birth {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) serial: [u8; 8],
    #[cbor(n(1), with = "name")]
    pub(crate) isd: Aid,
    #[cbor(n(2), with = "name")]
    pub(crate) ssd_package: Aid,
    #[cbor(n(3), with = "name")]
    pub(crate) ssd_module: Aid,
    #[cbor(n(4), with = "name")]
    pub(crate) purse_package: Aid,
    #[cbor(n(5), with = "name")]
    pub(crate) purse_module: Aid,
    #[n(6)]
    pub(crate) has_crs: bool,
    #[n(7)]
    pub(crate) free_bytes: u32,
    /// The longest command data that reaches the element whole.
    #[n(8)]
    pub(crate) longest: u8,
    /// Habits of its own, as bits: see [`Birth::has`].
    #[cbor(n(9), default)]
    pub(crate) quirks: u16,
    /// Its domains' secure channel: protocol and option; 0: SCP02, option 15.
    #[cbor(n(10), default)]
    pub(crate) scp: u16,
    /// The check values of AES keys are made from zeros.
    #[cbor(n(11), default)]
    pub(crate) zero_checks: bool,
    /// An SCP03 session counts only commands with data.
    #[cbor(n(12), default)]
    pub(crate) counts_data: bool,
}

/// A security domain's key set.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct DomainKeys {
    #[n(0)]
    pub(crate) keys: ElementKeys,
    #[n(1)]
    pub(crate) version: u8,
    #[n(2)]
    pub(crate) sequence: u32,
    /// Wrong proofs in a row.
    #[cbor(n(3), default)]
    pub(crate) failures: u8,
}

/// A supplementary security domain.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Domain {
    #[cbor(n(0), with = "name")]
    pub(crate) name: Aid,
    /// May manage what is inside it without the issuer.
    #[n(1)]
    pub(crate) manages: bool,
    /// Its own keys; until it has them it opens with the issuer's.
    #[n(2)]
    pub(crate) own: Option<DomainKeys>,
    #[n(3)]
    pub(crate) selectable: bool,
    #[n(4)]
    pub(crate) locked: bool,
    #[cbor(n(5), default)]
    pub(crate) privileges: [u8; 3],
    /// The domain that made it; `None`: the issuer's.
    #[n(6)]
    pub(crate) parent: Option<Named>,
    /// With which it checks load files.
    #[n(7)]
    pub(crate) dap_key: Option<PublicKey>,
}

/// A load file and its modules' names.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct LoadedFile {
    #[n(0)]
    pub(crate) name: Named,
    /// The domain that it belongs to.
    #[n(1)]
    pub(crate) domain: Named,
    #[n(2)]
    pub(crate) modules: Vec<Named>,
    /// Room that it takes.
    #[n(3)]
    pub(crate) bytes: u32,
}

/// How the element confirms what was delegated.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Receipts {
    #[n(0)]
    pub(crate) key: Key16,
    /// The number of the last one.
    #[n(1)]
    pub(crate) counter: u16,
}

/// An RSA public key.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct PublicKey {
    #[n(0)]
    pub(crate) version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) modulus: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) exponent: Vec<u8>,
}

/// A name, where there may be none or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named(pub(crate) Aid);

/// A purse instance.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct Instance {
    #[cbor(n(0), with = "name")]
    pub(crate) name: Aid,
    /// The domain that it belongs to.
    #[cbor(n(1), with = "name")]
    pub(crate) domain: Aid,
    #[n(2)]
    pub(crate) selectable: bool,
    #[n(3)]
    pub(crate) locked: bool,
    /// When it was activated, as a count; 0: it is not.
    #[n(4)]
    pub(crate) activated: u32,
    #[cbor(n(5), with = "purse")]
    pub(crate) purse: Purse,
    /// What it was made from; `None`: the package that the element was born with.
    #[n(6)]
    pub(crate) load_file: Option<Named>,
    #[cbor(n(7), default)]
    pub(crate) privileges: [u8; 3],
}

/// What the element forgets without power.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) selected: Selected,
    pub(crate) channel: CardChannel,
    pub(crate) personalizing: Option<Personalizing>,
    pub(crate) loading: Option<Loading>,
    /// Rows of the last GET STATUS that are still to be given.
    pub(crate) rows: Vec<Vec<u8>>,
}

/// Which application takes the next command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Selected {
    #[default]
    Issuer,
    Domain(Aid),
    Registry,
    Purse(Aid),
}

/// INSTALL for personalization has opened a purse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Personalizing {
    pub(crate) purse: Aid,
    /// The number that the next STORE DATA must have.
    pub(crate) next: u8,
}

impl Birth {
    pub(crate) fn new(serial: [u8; 8], facts: &ElementFacts) -> Self {
        Birth {
            serial,
            isd: parsed(&facts.isd_aid),
            ssd_package: parsed(&facts.ssd_package),
            ssd_module: parsed(&facts.ssd_module),
            purse_package: parsed(&facts.purse_package),
            purse_module: parsed(&facts.purse_module),
            has_crs: facts.crs,
            free_bytes: facts.free_bytes,
            longest: facts.max_apdu,
            quirks: facts.quirks.iter().fold(0, |bits, quirk| bits | quirk.bit()),
            scp: u16::from_be_bytes([facts.scp.protocol(), facts.scp.option()]),
            zero_checks: facts.aes_check == AesCheck::Zeros,
            counts_data: facts.scp03_counter == EncryptionCounter::OnlyWithData,
        }
    }

    /// How it counts the length of INSTALL's parameters.
    pub(crate) fn lengths(&self) -> Lengths {
        if self.has(Quirk::OneByteInstallLengths) { Lengths::OneByte } else { Lengths::Ber }
    }

    /// Has it this habit?
    pub(crate) const fn has(&self, quirk: Quirk) -> bool {
        self.quirks & quirk.bit() != 0
    }

    /// The ten bytes from which the maker derives this element's keys.
    pub(crate) fn diversification(&self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.serial;
        [0, 0, a, b, c, d, e, f, g, h]
    }
}

impl Element {
    /// Bytes taken by domains and purses.
    pub(crate) fn used_bytes(&self) -> u32 {
        let of = |count: usize, bytes: u32| u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(bytes);
        let files = self.files.iter().fold(0, |sum: u32, file| sum.saturating_add(file.bytes));
        of(self.domains.len(), DOMAIN_BYTES)
            .saturating_add(of(self.purses.len(), PURSE_BYTES))
            .saturating_add(files)
    }

    pub(crate) fn domain(&self, name: &Aid) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == *name)
    }

    pub(crate) fn domain_index(&self, name: &Aid) -> Option<usize> {
        self.domains.iter().position(|domain| domain.name == *name)
    }

    pub(crate) fn domain_mut(&mut self, name: &Aid) -> Option<&mut Domain> {
        self.domains.iter_mut().find(|domain| domain.name == *name)
    }

    pub(crate) fn instance(&self, name: &Aid) -> Option<&Instance> {
        self.purses.iter().find(|instance| instance.name == *name)
    }

    pub(crate) fn instance_mut(&mut self, name: &Aid) -> Option<&mut Instance> {
        self.purses.iter_mut().find(|instance| instance.name == *name)
    }

    /// The name is that of something on the element.
    pub(crate) fn is_taken(&self, name: &Aid) -> bool {
        let Birth { isd, ssd_package, purse_package, .. } = &self.birth;
        [isd, ssd_package, purse_package, &Aid::CONTACTLESS_REGISTRY].contains(&name)
            || self.domain(name).is_some()
            || self.instance(name).is_some()
            || self.files.iter().any(|file| file.name.0 == *name)
    }

    /// The contactless registry has changed; whoever polls its counter looks again.
    pub(crate) fn registry_changed(&mut self) {
        self.updates = self.updates.wrapping_add(1);
    }
}

impl Domain {
    pub(crate) fn life_cycle(&self) -> LifeCycle {
        let state = match (&self.own, self.selectable) {
            (Some(_), _) => LifeCycle::PERSONALIZED,
            (None, true) => LifeCycle::SELECTABLE,
            (None, false) => LifeCycle::INSTALLED,
        };
        if self.locked { state.locked() } else { state }
    }

    pub(crate) fn privileges(&self) -> Privileges {
        let manages = if self.manages { &[Privilege::AuthorizedManagement][..] } else { &[] };
        Privileges(self.privileges)
            .and(Privileges::of(&[Privilege::SecurityDomain]))
            .and(Privileges::of(manages))
    }
}

impl PublicKey {
    /// Is this the signature (RSASSA-PKCS1-v1_5 with SHA-1) over these bytes?
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, signed, signature).is_ok()
    }
}

impl<C> Encode<C> for Named {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        name::encode(&self.0, e, c)
    }
}

impl<'b, C> Decode<'b, C> for Named {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        name::decode(d, c).map(Named)
    }
}

impl Instance {
    pub(crate) fn life_cycle(&self) -> LifeCycle {
        let state = match (self.purse.is_personalised(), self.selectable) {
            (_, false) => LifeCycle::INSTALLED,
            (true, true) => LifeCycle::PERSONALIZED,
            (false, true) => LifeCycle::SELECTABLE,
        };
        if self.locked { state.locked() } else { state }
    }
}

/// An AID of the registry, which allows the same lengths and no others.
fn parsed(aid: &registry::Aid) -> Aid {
    Aid::new(aid.as_bytes()).unwrap_or(Aid::ISSUER_DOMAIN)
}

/// [`Aid`] as bytes.
mod name {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};
    use smartcard::gp::Aid;

    pub(super) fn encode<C, W: Write>(
        name: &Aid,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(name.as_bytes()).map(|_| ())
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Aid, Error> {
        Aid::new(d.bytes()?).ok_or_else(|| Error::message("an AID has 5 to 16 bytes"))
    }
}

/// A purse as its memory.
pub(crate) mod purse {
    use card::{Purse, PurseMemory};
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(crate) fn encode<C, W: Write>(
        purse: &Purse,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.encode(purse.memory()).map(|_| ())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Purse, Error> {
        d.decode::<PurseMemory>().map(Purse::with_memory)
    }
}
