//! Tokens (令牌) and receipts (回执): the issuer's consent to a step of delegated management, and the card's word that it was done.
//!
//! Standard: globalplatform.md section 1.6. A token is a signature over `P1 P2 Lc <data without the token>`, with the Lc that
//! the command had before. A receipt stands where else a single `00` stands: a MAC over the confirmation data and the
//! names of what was changed.
//! Invariant: the signature itself is made and checked elsewhere; here are the bytes that it covers.

use super::{Aid, Delete, Install};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// A command that may need the issuer's token.
pub trait Tokened: Command {
    /// The command with the token in its place.
    fn with_token(&self, token: &[u8]) -> Apdu;

    /// The command and its token, which is empty where there is none.
    ///
    /// # Errors
    /// As [`Command::from_apdu`].
    fn split_token(apdu: &Apdu) -> Result<(Self, Vec<u8>), Status>;

    /// What the token's signature covers.
    fn token_input(&self) -> Vec<u8> {
        let apdu = self.with_token(&[]);
        let data = apdu.data.get(..apdu.data.len().saturating_sub(Self::EMPTY_TOKEN)).unwrap_or(&apdu.data);
        let lc = u8::try_from(data.len()).unwrap_or(u8::MAX);
        [&[apdu.p1, apdu.p2, lc][..], data].concat()
    }

    /// Bytes that say that there is no token.
    const EMPTY_TOKEN: usize;
}

impl Tokened for Install {
    const EMPTY_TOKEN: usize = 1;

    fn with_token(&self, token: &[u8]) -> Apdu {
        let mut apdu = self.to_apdu();
        apdu.data.pop();
        tlv::write_lv(&mut apdu.data, token);
        apdu
    }

    fn split_token(apdu: &Apdu) -> Result<(Self, Vec<u8>), Status> {
        let cut = super::install::without_token(apdu.p1, &apdu.data);
        let (head, token) = cut.ok_or(Status::WRONG_DATA)?;
        let bare = Apdu { data: [head, &[0]].concat(), ..apdu.clone() };
        Ok((Install::from_apdu(&bare)?, token.to_vec()))
    }
}

/// Tag of the token behind what DELETE names.
const TOKEN: u32 = 0x9E;

impl Tokened for Delete {
    const EMPTY_TOKEN: usize = 0;

    fn with_token(&self, token: &[u8]) -> Apdu {
        let mut apdu = self.to_apdu();
        if !token.is_empty() {
            tlv::write(&mut apdu.data, TOKEN, token);
        }
        apdu
    }

    fn split_token(apdu: &Apdu) -> Result<(Self, Vec<u8>), Status> {
        let row = tlv::read_all(&apdu.data).ok_or(Status::WRONG_DATA)?;
        let token = row.iter().find(|object| object.tag == TOKEN).map(|object| object.value.to_vec());
        let rest = row.iter().filter(|object| object.tag != TOKEN);
        let data: Vec<u8> = rest.flat_map(|object| tlv::object(object.tag, object.value)).collect();
        Ok((Delete::from_apdu(&Apdu { data, ..apdu.clone() })?, token.unwrap_or_default()))
    }
}

/// What the card confirms beside the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The receipt counter: rises by one with each receipt, never wraps.
    pub counter: u16,
    /// The issuer's number and the card's: values of tags 42 and 45.
    pub card: Vec<u8>,
}

/// The card's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The MAC over [`Confirmation::receipt_input`].
    pub mac: Vec<u8>,
    /// What is confirmed.
    pub confirmation: Confirmation,
}

impl Confirmation {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        tlv::write_lv(&mut bytes, &self.counter.to_be_bytes());
        tlv::write_lv(&mut bytes, &self.card);
        bytes
    }

    /// What the receipt's MAC covers: the confirmation, then each name behind its length.
    #[must_use]
    pub fn receipt_input(&self, names: &[Aid]) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        names.iter().for_each(|name| tlv::write_lv(&mut bytes, name.as_bytes()));
        bytes
    }
}

impl Receipt {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        tlv::write_lv(&mut bytes, &self.mac);
        [bytes, self.confirmation.to_bytes()].concat()
    }

    /// From the answer's data; `None` also for the `00` that says that there is none.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (mac, rest) = tlv::read_lv(data)?;
        let (counter, rest) = tlv::read_lv(rest)?;
        let (card, []) = tlv::read_lv(rest)? else { return None };
        let counter = u16::from_be_bytes(counter.try_into().ok()?);
        (!mac.is_empty()).then_some(())?;
        Some(Receipt { mac: mac.to_vec(), confirmation: Confirmation { counter, card: card.to_vec() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_covers_the_command_as_it_was_without_one() {
        let install = Install::Extradite { domain: Aid::DOMAIN_MODULE, application: Aid::ISSUER_DOMAIN };
        let expected = "10001408A0000001515350410007A00000015100000000";
        assert_eq!(hex::encode_upper(install.token_input()), expected);
        for length in [1, 127, 128, 200] {
            let token = vec![7; length];
            let apdu = install.with_token(&token);
            assert_eq!(Install::split_token(&apdu), Ok((install.clone(), token)));
            assert!(Install::from_apdu(&apdu).is_err(), "where no token is taken, none is passed over");
        }
        assert_eq!(Install::split_token(&install.to_apdu()), Ok((install, vec![])));

        let delete = Delete { aid: Aid::DOMAIN_MODULE, related: true };
        assert_eq!(hex::encode_upper(delete.token_input()), "00800A4F08A000000151535041");
        let apdu = delete.with_token(&[7; 128]);
        assert!(Delete::from_apdu(&apdu).is_err());
        assert_eq!(Delete::split_token(&apdu), Ok((delete, vec![7; 128])));
    }

    #[test]
    fn a_token_of_128_bytes_may_state_its_length_in_one_byte() {
        let install = Install::Personalize { target: Aid::DOMAIN_MODULE };
        let mut apdu = install.to_apdu();
        apdu.data.pop();
        apdu.data.push(0x80);
        apdu.data.extend([7; 128]);
        assert_eq!(Install::split_token(&apdu), Ok((install, vec![7; 128])));
    }

    #[test]
    fn a_receipt_survives_the_wire() {
        let confirmation = Confirmation { counter: 0x0102, card: vec![1, 2, 3, 4, 5, 6, 7, 8] };
        let receipt = Receipt { mac: vec![9; 8], confirmation };
        assert_eq!(hex::encode_upper(receipt.to_bytes()), "080909090909090909020102080102030405060708");
        assert_eq!(Receipt::parse(&receipt.to_bytes()), Some(receipt.clone()));
        assert_eq!(Receipt::parse(&[0]), None);
        let cut = receipt.to_bytes();
        assert_eq!(Receipt::parse(&cut[..cut.len() - 1]), None);
        let names = receipt.confirmation.receipt_input(&[Aid::DOMAIN_MODULE]);
        assert_eq!(hex::encode_upper(names), "02010208010203040506070808A000000151535041");
    }
}
