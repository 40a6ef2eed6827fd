//! PUT KEY: gives a security domain its keys, each encrypted under the session's key encryption key.
//!
//! Standard: GlobalPlatform PUT KEY, `80 D8 <old KVN> P2`, globalplatform.md section 1.5: new KVN, then a
//! [block](super::key_block) for each key. Old KVN `00` makes a new key set. P2 is the number of the first key, with
//! bit 8 if several follow. The card answers the new KVN and the check values.
//! Invariant: a key that arrives is a cipher and stays one here.

use keys::SealedKey;

use super::{ALL, expect, key_block};
use crate::apdu::{Apdu, Command, Status};

/// Puts keys `first_key`, `first_key` + 1 and so on into a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutKey {
    /// The key set that is replaced; `00`: none, a new one is made.
    pub replaces: u8,
    /// Version of the key set from here on, 1 to 127.
    pub version: u8,
    /// Number of the first key: 1 ENC, 2 MAC, 3 DEK.
    pub first_key: u8,
    /// The keys, at least one.
    pub keys: Vec<SealedKey>,
}

/// What the card has understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutKeyAnswer {
    /// Version of the key set.
    pub version: u8,
    /// Check value of each key.
    pub check_values: Vec<[u8; 3]>,
}

const SEVERAL: u8 = 0x80;

impl PutKey {
    /// What the card answers when it took all keys; the host compares.
    #[must_use]
    pub fn expected_answer(&self) -> PutKeyAnswer {
        PutKeyAnswer { version: self.version, check_values: self.keys.iter().map(|key| key.kcv).collect() }
    }
}

impl PutKeyAnswer {
    /// Version and check values.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        std::iter::once(self.version).chain(self.check_values.iter().flatten().copied()).collect()
    }
}

impl Command for PutKey {
    type Response = PutKeyAnswer;

    fn to_apdu(&self) -> Apdu {
        let mut data = vec![self.version];
        self.keys.iter().for_each(|key| key_block::write(&mut data, key));
        let several = if self.keys.len() > 1 { SEVERAL } else { 0 };
        Apdu::new([0x80, 0xD8, self.replaces, self.first_key | several], data, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xD8)?;
        let (several, first_key) = (apdu.p2 & SEVERAL != 0, apdu.p2 & !SEVERAL);
        if apdu.p1 > 0x7F || first_key == 0 {
            return Err(Status::WRONG_P1P2);
        }
        let (version, keys) = read_keys(&apdu.data).ok_or(Status::WRONG_DATA)?;
        if keys.is_empty() || (keys.len() > 1) != several || !(1..=0x7F).contains(&version) {
            return Err(Status::WRONG_DATA);
        }
        Ok(PutKey { replaces: apdu.p1, version, first_key, keys })
    }

    fn parse_response(data: &[u8]) -> Option<PutKeyAnswer> {
        let (version, check_values) = data.split_first()?;
        let (check_values, []) = check_values.as_chunks() else { return None };
        Some(PutKeyAnswer { version: *version, check_values: check_values.to_vec() })
    }
}

fn read_keys(data: &[u8]) -> Option<(u8, Vec<SealedKey>)> {
    let (version, mut rest) = data.split_first()?;
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let (key, tail) = key_block::read(rest)?;
        keys.push(key);
        rest = tail;
    }
    Some((*version, keys))
}
