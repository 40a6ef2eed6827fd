//! PUT KEY of a public key: with which a domain checks tokens, or the signatures of load files.
//!
//! Standard: GlobalPlatform PUT KEY, key types `A1` (RSA modulus) and `A0` (exponent), globalplatform.md section 1.5: new KVN, then
//! `A1 len modulus A0 len exponent 00`, no check value. The card answers the new KVN.
//! Invariant: one key a command, and all of it: 1024 bits fit, longer ones would need more than one command.

use super::{ALL, expect};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Puts one RSA public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutPublicKey {
    /// The key version that is replaced; `00`: none.
    pub replaces: u8,
    /// Its version from here on, 1 to 127: by convention 70 for tokens, 73 for load files.
    pub version: u8,
    /// Its number.
    pub number: u8,
    /// The modulus.
    pub modulus: Vec<u8>,
    /// The public exponent.
    pub exponent: Vec<u8>,
}

const MODULUS: u8 = 0xA1;
const EXPONENT: u8 = 0xA0;

impl PutPublicKey {
    /// Does this PUT KEY carry a public key?
    #[must_use]
    pub fn is_meant(apdu: &Apdu) -> bool {
        apdu.data.get(1) == Some(&MODULUS)
    }
}

impl Command for PutPublicKey {
    /// The version.
    type Response = u8;

    fn to_apdu(&self) -> Apdu {
        let mut data = vec![self.version, MODULUS];
        tlv::write_lv(&mut data, &self.modulus);
        data.push(EXPONENT);
        tlv::write_lv(&mut data, &self.exponent);
        data.push(0);
        Apdu::new([0x80, 0xD8, self.replaces, self.number], data, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xD8)?;
        if apdu.p1 > 0x7F || !(1..=0x7F).contains(&apdu.p2) {
            return Err(Status::WRONG_P1P2);
        }
        let key = || {
            let (version, rest) = apdu.data.split_first()?;
            let (modulus, rest) = tlv::read_lv(rest.strip_prefix(&[MODULUS])?)?;
            let (exponent, rest) = tlv::read_lv(rest.strip_prefix(&[EXPONENT])?)?;
            let sound =
                (1..=0x7F).contains(version) && rest == [0] && !modulus.is_empty() && !exponent.is_empty();
            let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
            sound.then_some(PutPublicKey {
                replaces: apdu.p1,
                version: *version,
                number: apdu.p2,
                modulus,
                exponent,
            })
        };
        key().ok_or(Status::WRONG_DATA)
    }

    fn parse_response(data: &[u8]) -> Option<u8> {
        if let [version] = data { Some(*version) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_survives_the_wire_and_no_cut_is_taken() {
        let command = PutPublicKey {
            replaces: 0,
            version: 0x70,
            number: 1,
            modulus: vec![0xC1; 128],
            exponent: vec![1, 0, 1],
        };
        let apdu = Apdu::parse(&command.to_apdu().checked_bytes().unwrap()).unwrap();
        assert!(hex::encode_upper(&apdu.data).starts_with("70A18180C1"));
        assert!(hex::encode_upper(&apdu.data).ends_with("A00301000100"));
        assert!(PutPublicKey::is_meant(&apdu));
        assert_eq!(PutPublicKey::from_apdu(&apdu), Ok(command));
        for cut in 0..apdu.data.len() {
            let short = Apdu { data: apdu.data[..cut].to_vec(), ..apdu.clone() };
            assert_eq!(PutPublicKey::from_apdu(&short), Err(Status::WRONG_DATA));
        }
        assert_eq!(PutPublicKey::from_apdu(&Apdu { p2: 0x81, ..apdu }), Err(Status::WRONG_P1P2));
    }
}
