//! AES keys of GlobalPlatform security domains, and the session keys of one SCP03 secure channel.
//!
//! Standard: SCP03 key derivation, cryptograms, challenge, C-MAC, R-MAC and the encryption of commands and responses
//! (globalplatform.md section 1.3).
//! Invariant: session keys are used here and never given out; other keys leave only enciphered under Key-DEK.

use model::registry::KeyKind;
use subtle::ConstantTimeEq;

use crate::aes::{AesKey, Block16};

/// The three AES keys of a security domain, all of one length.
#[derive(Clone)]
pub struct AesKeys {
    pub(crate) enc: AesKey,
    pub(crate) mac: AesKey,
    pub(crate) dek: AesKey,
}

impl AesKeys {
    /// Three keys; `None` if their lengths differ.
    #[must_use]
    pub fn new(enc: AesKey, mac: AesKey, dek: AesKey) -> Option<Self> {
        (enc.kind() == mac.kind() && mac.kind() == dek.kind()).then_some(AesKeys { enc, mac, dek })
    }

    /// One key for all three purposes.
    #[must_use]
    pub fn same(key: AesKey) -> Self {
        AesKeys { enc: key.clone(), mac: key.clone(), dek: key }
    }

    /// Which of the three lengths.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.enc.kind()
    }

    pub(crate) fn each(&self) -> [&AesKey; 3] {
        [&self.enc, &self.mac, &self.dek]
    }

    /// The card challenge that follows from the counter and the name of the application that opens the channel.
    #[must_use]
    pub fn challenge(&self, counter: [u8; 3], name: &[u8], width: usize) -> Vec<u8> {
        derive(&self.enc, CARD_CHALLENGE, width, &[&counter, name])
    }
}

impl std::fmt::Debug for AesKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesKeys(secret)")
    }
}

const CARD_CRYPTOGRAM: u8 = 0x00;
const HOST_CRYPTOGRAM: u8 = 0x01;
const CARD_CHALLENGE: u8 = 0x02;
const S_ENC: u8 = 0x04;
const S_MAC: u8 = 0x06;
const S_RMAC: u8 = 0x07;
/// Top byte of the counter block for responses.
const RESPONSE: u8 = 0x80;

/// The session keys of one secure channel, and the domain's Key-DEK, which is no session key.
#[derive(Clone)]
pub struct Scp03Keys {
    enc: AesKey,
    mac: AesKey,
    rmac: AesKey,
    pub(crate) dek: AesKey,
    host: Vec<u8>,
    card: Vec<u8>,
}

impl Scp03Keys {
    /// The keys of the session between these two challenges. Their common length, 8 or 16 bytes, is that of its
    /// cryptograms.
    #[must_use]
    pub fn derive(keys: &AesKeys, host: &[u8], card: &[u8]) -> Self {
        let kind = keys.kind();
        let session = |key: &AesKey, constant| {
            let bytes = zeroize::Zeroizing::new(derive(key, constant, kind.bytes(), &[host, card]));
            // As long as the key that it comes from, so always a key.
            AesKey::new(&bytes).unwrap_or_else(|| key.clone())
        };
        Scp03Keys {
            enc: session(&keys.enc, S_ENC),
            mac: session(&keys.mac, S_MAC),
            rmac: session(&keys.mac, S_RMAC),
            dek: keys.dek.clone(),
            host: host.to_vec(),
            card: card.to_vec(),
        }
    }

    /// What proves that the card holds the keys.
    #[must_use]
    pub fn card_cryptogram(&self) -> Vec<u8> {
        self.cryptogram(CARD_CRYPTOGRAM)
    }

    /// What proves that the host holds them.
    #[must_use]
    pub fn host_cryptogram(&self) -> Vec<u8> {
        self.cryptogram(HOST_CRYPTOGRAM)
    }

    /// Whether `given` is the card's proof, in constant time.
    #[must_use]
    pub fn verify_card(&self, given: &[u8]) -> bool {
        self.card_cryptogram().ct_eq(given).into()
    }

    /// Whether `given` is the host's proof, in constant time.
    #[must_use]
    pub fn verify_host(&self, given: &[u8]) -> bool {
        self.host_cryptogram().ct_eq(given).into()
    }

    fn cryptogram(&self, constant: u8) -> Vec<u8> {
        derive(&self.mac, constant, self.host.len(), &[&self.host, &self.card])
    }

    /// C-MAC, whole: the chaining value of the next one; its first bytes are sent.
    #[must_use]
    pub fn command_mac(&self, chaining: Block16, command: &[u8]) -> Block16 {
        self.mac.cmac(&[&chaining, command])
    }

    /// The C-MAC, if `given` are its first bytes; compared in constant time.
    #[must_use]
    pub fn verify_command_mac(&self, chaining: Block16, command: &[u8], given: &[u8]) -> Option<Block16> {
        let mac = self.command_mac(chaining, command);
        bool::from(mac.get(..given.len())?.ct_eq(given)).then_some(mac)
    }

    /// R-MAC, whole; its first bytes are sent.
    #[must_use]
    pub fn response_mac(&self, chaining: Block16, response: &[u8]) -> Block16 {
        self.rmac.cmac(&[&chaining, response])
    }

    /// Whether `given` are the first bytes of the R-MAC, in constant time.
    #[must_use]
    pub fn verify_response_mac(&self, chaining: Block16, response: &[u8], given: &[u8]) -> bool {
        let mac = self.response_mac(chaining, response);
        mac.get(..given.len()).is_some_and(|mac| mac.ct_eq(given).into())
    }

    /// Command data, padded and enciphered, for the command of this number.
    #[must_use]
    pub fn encrypt_command(&self, number: u64, plain: &[u8]) -> Vec<u8> {
        self.enc.encrypt_cbc(self.iv(0, number), &padded(plain))
    }

    /// Command data as it was before [`Scp03Keys::encrypt_command`]; `None` if its padding is not whole.
    #[must_use]
    pub fn decrypt_command(&self, number: u64, cipher: &[u8]) -> Option<Vec<u8>> {
        self.decrypt(self.iv(0, number), cipher)
    }

    /// Response data, padded and enciphered, for the command of this number.
    #[must_use]
    pub fn encrypt_response(&self, number: u64, plain: &[u8]) -> Vec<u8> {
        self.enc.encrypt_cbc(self.iv(RESPONSE, number), &padded(plain))
    }

    /// Response data as it was before [`Scp03Keys::encrypt_response`]; `None` if its padding is not whole.
    #[must_use]
    pub fn decrypt_response(&self, number: u64, cipher: &[u8]) -> Option<Vec<u8>> {
        self.decrypt(self.iv(RESPONSE, number), cipher)
    }

    fn decrypt(&self, iv: Block16, cipher: &[u8]) -> Option<Vec<u8>> {
        if cipher.is_empty() || !cipher.len().is_multiple_of(16) {
            return None;
        }
        crate::block::unpadded(&self.enc.decrypt_cbc(iv, cipher))
    }

    fn iv(&self, top: u8, number: u64) -> Block16 {
        let mut block = u128::from(number).to_be_bytes();
        let [first, ..] = &mut block;
        *first = top;
        self.enc.encrypt_block(block)
    }

    #[cfg(test)]
    pub(crate) fn session(&self) -> [&AesKey; 3] {
        [&self.enc, &self.mac, &self.rmac]
    }
}

impl std::fmt::Debug for Scp03Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scp03Keys(secret)")
    }
}

/// `length` bytes, at most 32, for a purpose: 11 zeros, the purpose, `00`, the length in bits, a block number, the context.
fn derive(key: &AesKey, constant: u8, length: usize, context: &[&[u8]]) -> Vec<u8> {
    let length = length.min(32);
    let [high, low] = u16::try_from(length.saturating_mul(8)).unwrap_or(u16::MAX).to_be_bytes();
    let block = |number: u8| {
        let label = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, constant, 0x00, high, low, number];
        key.cmac(&[&[&label[..]], context].concat())
    };
    let mut bytes = block(1).to_vec();
    if length > bytes.len() {
        bytes.extend(block(2));
    }
    bytes.truncate(length);
    bytes
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    bytes.push(0x80);
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    bytes
}
