//! The keys of a security domain, whichever protocol they are for; their diversification; their way through a channel.
//!
//! Standard: PUT KEY's encipherment and check values (globalplatform.md sections 1.2, 1.3 and 5.9); diversification VISA,
//! VISA2, EMV CPS 1.1 and KDF3 (section 1.4).
//! Invariant: a set has three keys of one kind; it leaves this crate into a chip's own memory, the vault, or a channel.

use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{CborLen, Decode, Encode};
use model::registry::{AesCheck, KeyKind, KeyScheme};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aes::AesKey;
use crate::block::Key16;
use crate::channel::{Scp02Keys, StaticKeys, WrappedKey};
use crate::scp03::{AesKeys, Scp03Keys};

/// The keys of a security domain.
#[derive(Clone, Debug)]
pub enum ElementKeys {
    /// For SCP02.
    TripleDes(StaticKeys),
    /// For SCP03.
    Aes(AesKeys),
}

/// The session keys of a secure channel.
#[derive(Clone, Debug)]
pub enum ChannelKeys {
    /// 3DES.
    Scp02(Scp02Keys),
    /// AES.
    Scp03(Scp03Keys),
}

/// A security domain's key on its way: enciphered under a channel's key encryption key, with its check value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// What it is a key of.
    pub kind: KeyKind,
    /// The enciphered key, in whole blocks of the channel's cipher.
    pub cipher: Vec<u8>,
    /// The key's check value.
    pub kcv: [u8; 3],
}

impl ElementKeys {
    /// What they are keys of.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self {
            ElementKeys::TripleDes(_) => KeyKind::TripleDes,
            ElementKeys::Aes(keys) => keys.kind(),
        }
    }

    /// Check values of ENC, MAC and DEK.
    #[must_use]
    pub fn kcvs(&self, check: AesCheck) -> [[u8; 3]; 3] {
        match self {
            ElementKeys::TripleDes(keys) => keys.kcvs(),
            ElementKeys::Aes(keys) => keys.each().map(|key| key.kcv(check)),
        }
    }

    /// One element's keys, from its maker's and the ten diversification bytes it gives; `None` if the scheme makes no
    /// keys of this kind.
    #[must_use]
    pub fn diversified(&self, scheme: KeyScheme, data: &[u8; 10]) -> Option<Self> {
        if !scheme.fits(self.kind()) {
            return None;
        }
        match self {
            ElementKeys::TripleDes(keys) => {
                let [a, b, c] = keys.each();
                let derive = |key: &Key16, purpose| diversified(key, scheme, data, purpose);
                Some(StaticKeys::new(derive(a, 1)?, derive(b, 2)?, derive(c, 3)?).into())
            }
            ElementKeys::Aes(keys) => {
                let [a, b, c] = keys.each();
                let derive = |key: &AesKey, purpose| diversified_aes(key, scheme, data, purpose);
                AesKeys::new(derive(a, 1)?, derive(b, 2)?, derive(c, 3)?).map(ElementKeys::Aes)
            }
        }
    }
}

/// A 3DES key of one purpose; its two halves are enciphered blocks.
fn diversified(key: &Key16, scheme: KeyScheme, data: &[u8; 10], purpose: u8) -> Option<Key16> {
    let [a, b, c, d, e, f, g, h, i, j] = *data;
    let [p, q, r, s, t, u] = match scheme {
        KeyScheme::None => return Some(key.clone()),
        KeyScheme::Visa => [a, b, c, d, i, j],
        KeyScheme::Visa2 => [a, b, e, f, g, h],
        KeyScheme::Emv => [e, f, g, h, i, j],
        KeyScheme::Kdf3 => return None,
        KeyScheme::Template(template) => {
            let cipher = Zeroizing::new(key.encrypt_ecb(&template.fill(data, purpose)));
            return cipher.as_slice().try_into().ok().map(Key16::new);
        }
    };
    let half = |mark: u8| key.encrypt_block([p, q, r, s, t, u, mark, purpose]);
    Some(Key16::from_halves(half(0xF0), half(0x0F)))
}

/// An AES key of one purpose.
fn diversified_aes(key: &AesKey, scheme: KeyScheme, data: &[u8; 10], purpose: u8) -> Option<AesKey> {
    match scheme {
        KeyScheme::None => Some(key.clone()),
        KeyScheme::Kdf3 => {
            AesKey::derived(key.kind(), |number| key.cmac(&[&[number, 0, 0, 0, purpose, 0], data]))
        }
        KeyScheme::Template(template) => {
            let cipher = Zeroizing::new(key.encrypt_ecb(&template.fill(data, purpose)));
            cipher.get(..key.kind().bytes()).and_then(AesKey::new)
        }
        KeyScheme::Visa | KeyScheme::Visa2 | KeyScheme::Emv => None,
    }
}

impl ChannelKeys {
    /// A card's own key to be sent through this channel: 3DES, whatever the channel's cipher is.
    #[must_use]
    pub fn wrap(&self, key: &Key16) -> WrappedKey {
        match self {
            ChannelKeys::Scp02(keys) => keys.wrap(key),
            ChannelKeys::Scp03(keys) => {
                let mut cipher = [0; 16];
                let enciphered = keys.dek.encrypt_cbc([0; 16], key.secret());
                cipher.iter_mut().zip(enciphered).for_each(|(to, from)| *to = from);
                WrappedKey { cipher, kcv: key.kcv() }
            }
        }
    }

    /// A key that came through this channel; `None` if its check value does not fit.
    #[must_use]
    pub fn unwrap_key(&self, cipher: &[u8; 16], kcv: [u8; 3]) -> Option<Key16> {
        match self {
            ChannelKeys::Scp02(keys) => keys.unwrap_key(cipher, kcv),
            ChannelKeys::Scp03(keys) => {
                let plain = Zeroizing::new(keys.dek.decrypt_cbc([0; 16], cipher));
                let key = Key16::new(plain.as_slice().try_into().ok()?);
                bool::from(key.kcv().ct_eq(&kcv)).then_some(key)
            }
        }
    }

    /// A security domain's keys, ENC, MAC and DEK, to be sent through this channel.
    #[must_use]
    pub fn seal(&self, keys: &ElementKeys, check: AesCheck) -> [SealedKey; 3] {
        let seal = |kind, bytes: &[u8], kcv| SealedKey { kind, cipher: self.encipher(bytes), kcv };
        match keys {
            ElementKeys::TripleDes(keys) => {
                keys.each().map(|key| seal(KeyKind::TripleDes, key.secret(), key.kcv()))
            }
            ElementKeys::Aes(keys) => keys.each().map(|key| seal(key.kind(), key.bytes(), key.kcv(check))),
        }
    }

    /// The three keys that came through this channel; `None` if they are not of one kind, or a check value does not fit.
    #[must_use]
    pub fn unseal(&self, keys: &[SealedKey; 3], check: AesCheck) -> Option<ElementKeys> {
        let [enc, mac, dek] = keys.each_ref().map(|key| self.opened(key, check));
        match (enc?, mac?, dek?) {
            (Opened::TripleDes(enc), Opened::TripleDes(mac), Opened::TripleDes(dek)) => {
                Some(StaticKeys::new(enc, mac, dek).into())
            }
            (Opened::Aes(enc), Opened::Aes(mac), Opened::Aes(dek)) => {
                AesKeys::new(enc, mac, dek).map(ElementKeys::Aes)
            }
            _ => None,
        }
    }

    fn opened(&self, sealed: &SealedKey, check: AesCheck) -> Option<Opened> {
        let plain = Zeroizing::new(self.decipher(&sealed.cipher));
        let bytes = plain.get(..sealed.kind.bytes())?;
        if sealed.cipher.len() != bytes.len().next_multiple_of(self.block()) {
            return None;
        }
        let (key, kcv) = match sealed.kind {
            KeyKind::TripleDes => {
                let key = Key16::new(bytes.try_into().ok()?);
                let kcv = key.kcv();
                (Opened::TripleDes(key), kcv)
            }
            KeyKind::Aes128 | KeyKind::Aes192 | KeyKind::Aes256 => {
                let key = AesKey::new(bytes)?;
                let kcv = key.kcv(check);
                (Opened::Aes(key), kcv)
            }
        };
        bool::from(kcv.ct_eq(&sealed.kcv)).then_some(key)
    }

    /// SCP02: 3DES-ECB under S-DEK; SCP03: AES-CBC under Key-DEK, filled up to whole blocks.
    fn encipher(&self, key: &[u8]) -> Vec<u8> {
        match self {
            ChannelKeys::Scp02(keys) => keys.encipher(key),
            ChannelKeys::Scp03(keys) => {
                let mut filled = Zeroizing::new([0; 32]);
                filled.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
                let whole = key.len().next_multiple_of(16);
                keys.dek.encrypt_cbc([0; 16], filled.get(..whole).unwrap_or_default())
            }
        }
    }

    fn decipher(&self, cipher: &[u8]) -> Vec<u8> {
        match self {
            ChannelKeys::Scp02(keys) => keys.decipher(cipher),
            ChannelKeys::Scp03(keys) => keys.dek.decrypt_cbc([0; 16], cipher),
        }
    }

    const fn block(&self) -> usize {
        match self {
            ChannelKeys::Scp02(_) => 8,
            ChannelKeys::Scp03(_) => 16,
        }
    }
}

enum Opened {
    TripleDes(Key16),
    Aes(AesKey),
}

impl From<StaticKeys> for ElementKeys {
    fn from(keys: StaticKeys) -> Self {
        ElementKeys::TripleDes(keys)
    }
}

impl From<AesKeys> for ElementKeys {
    fn from(keys: AesKeys) -> Self {
        ElementKeys::Aes(keys)
    }
}

impl From<WrappedKey> for SealedKey {
    fn from(key: WrappedKey) -> Self {
        SealedKey { kind: KeyKind::TripleDes, cipher: key.cipher.to_vec(), kcv: key.kcv }
    }
}

impl From<Scp02Keys> for ChannelKeys {
    fn from(keys: Scp02Keys) -> Self {
        ChannelKeys::Scp02(keys)
    }
}

impl From<Scp03Keys> for ChannelKeys {
    fn from(keys: Scp03Keys) -> Self {
        ChannelKeys::Scp03(keys)
    }
}

/// What stands before the keys of an AES set; a 3DES set is its three keys alone, as it ever was.
const AES: u8 = 0x88;

impl<C> Encode<C> for ElementKeys {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            ElementKeys::TripleDes(keys) => keys.encode(e, ctx),
            ElementKeys::Aes(keys) => {
                e.array(4)?.u8(AES)?;
                keys.each().into_iter().try_for_each(|key| e.bytes(key.bytes()).map(|_| ()))
            }
        }
    }
}

impl<'b, C> Decode<'b, C> for ElementKeys {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        if d.probe().array()? == Some(3) {
            return d.decode_with::<C, StaticKeys>(ctx).map(ElementKeys::TripleDes);
        }
        let strange = || decode::Error::message("not the keys of a security domain");
        if d.array()? != Some(4) || d.u8()? != AES {
            return Err(strange());
        }
        let mut key = || AesKey::new(d.bytes()?).ok_or_else(strange);
        AesKeys::new(key()?, key()?, key()?).map(ElementKeys::Aes).ok_or_else(strange)
    }
}

impl<C> CborLen<C> for ElementKeys {
    fn cbor_len(&self, ctx: &mut C) -> usize {
        match self {
            ElementKeys::TripleDes(keys) => keys.cbor_len(ctx),
            // Array, marker of two bytes, three byte strings with heads of at most two bytes.
            ElementKeys::Aes(keys) => {
                let key = keys.kind().bytes();
                let head: usize = if key < 24 { 1 } else { 2 };
                key.saturating_add(head).saturating_mul(3).saturating_add(3)
            }
        }
    }
}
