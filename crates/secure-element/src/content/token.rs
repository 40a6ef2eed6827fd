//! Delegated management (委托管理): a domain that may change the content only with the issuer's token, and the element's receipt.
//!
//! Standard: tokens RSASSA-PKCS1-v1_5 with SHA-1, DES receipts (globalplatform.md section 1.6); key versions 70, 71 and 73 by
//! convention.
//! Invariant: a token that is there is checked, whoever brings it; where one is needed and there is none, or another
//! command's, nothing changes. The receipt counter never wraps: at its end nothing more is delegated.

use keys::{KeyKind, receipt_mac};
use smartcard::gp::{Aid, Confirmation, Privilege, PutKey, PutPublicKey, Receipt, Tokened};
use smartcard::{Apdu, Command, Response, Status};

use super::no_receipt;
use crate::memory::{Domain, Element, PublicKey, Receipts, Selected};

const TOKEN_KEY: u8 = 0x70;
const RECEIPT_KEY: u8 = 0x71;
const LOAD_FILE_KEY: u8 = 0x73;

impl Element {
    /// Does the domain that is spoken to need a token for each step?
    fn is_delegated(&self) -> bool {
        let Selected::Domain(name) = self.session.selected else { return false };
        let delegated = |domain: &Domain| domain.privileges().has(Privilege::DelegatedManagement);
        self.domain(&name).is_some_and(delegated)
    }

    /// The issuer's consent to this very command.
    pub(super) fn check_token(&self, command: &impl Tokened, token: &[u8]) -> Result<(), Status> {
        let delegated = self.is_delegated();
        if delegated && self.receipts.as_ref().is_some_and(|receipts| receipts.counter == u16::MAX) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        if token.is_empty() {
            return if delegated { Err(Status::SECURITY_NOT_SATISFIED) } else { Ok(()) };
        }
        let key = self.token_key.as_ref().ok_or(Status::NOT_FOUND)?;
        if key.verifies(&command.token_input(), token) { Ok(()) } else { Err(Status::SECURITY_NOT_SATISFIED) }
    }

    /// The answer to a step that was done: a receipt, if it was delegated and the issuer has given a key for it.
    pub(super) fn confirmed(&mut self, names: &[Aid]) -> Response {
        let delegated = self.is_delegated();
        let Some(receipts) = self.receipts.as_mut().filter(|_| delegated) else { return no_receipt() };
        receipts.counter = receipts.counter.saturating_add(1);
        let confirmation = Confirmation { counter: receipts.counter, card: self.birth.serial.to_vec() };
        let mac = receipt_mac(&receipts.key, &confirmation.receipt_input(names)).to_vec();
        Response::ok(Receipt { mac, confirmation }.to_bytes())
    }

    /// PUT KEY of any kind: the issuer's key for tokens or receipts, a domain's for load files, or a key set.
    pub(crate) fn put_any_key(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        if PutPublicKey::is_meant(apdu) {
            return self.put_public_key(PutPublicKey::from_apdu(apdu)?);
        }
        if self.session.selected == Selected::Issuer && apdu.data.first() == Some(&RECEIPT_KEY) {
            return self.put_receipt_key(&PutKey::from_apdu(apdu)?);
        }
        self.put_key(apdu)
    }

    fn put_public_key(&mut self, command: PutPublicKey) -> Result<Response, Status> {
        let place = match (self.session.selected, command.version) {
            (Selected::Issuer, TOKEN_KEY) => &mut self.token_key,
            (Selected::Domain(name), LOAD_FILE_KEY) => {
                let domain = self.domain_mut(&name).ok_or(Status::NOT_FOUND)?;
                let checks = [Privilege::DapVerification, Privilege::MandatedDapVerification];
                if !checks.iter().any(|check| domain.privileges().has(*check)) {
                    return Err(Status::CONDITIONS_NOT_SATISFIED);
                }
                &mut domain.dap_key
            }
            _ => return Err(Status::WRONG_DATA),
        };
        if command.replaces != place.as_ref().map_or(0, |held| held.version) {
            return Err(Status::NOT_FOUND);
        }
        let PutPublicKey { version, modulus, exponent, .. } = command;
        *place = Some(PublicKey { version, modulus, exponent });
        Ok(Response::ok([version]))
    }

    /// A new key goes on counting where the old one was: a receipt's number is never given twice.
    fn put_receipt_key(&mut self, command: &PutKey) -> Result<Response, Status> {
        let (_, channel) = self.session.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let [wrapped] = command.keys.as_slice() else { return Err(Status::WRONG_DATA) };
        let cipher = wrapped.cipher.as_slice().try_into().map_err(|_| Status::WRONG_DATA)?;
        let des = wrapped.kind == KeyKind::TripleDes;
        let key = channel.unwrap_key(cipher, wrapped.kcv).filter(|_| des).ok_or(Status::WRONG_DATA)?;
        if command.replaces != self.receipts.as_ref().map_or(0, |_| RECEIPT_KEY) {
            return Err(Status::NOT_FOUND);
        }
        let counter = self.receipts.as_ref().map_or(0, |receipts| receipts.counter);
        self.receipts = Some(Receipts { key, counter });
        Ok(Response::ok(command.expected_answer().to_bytes()))
    }
}
