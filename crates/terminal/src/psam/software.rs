//! A PSAM in software: the same bytes as one in a slot.
//!
//! Standard: PSAM files and commands of the MoHURD terminals (card.md section 4). Left open by the sources and
//! chosen here: the transaction number advances with each INIT SAM FOR PURCHASE; 15 wrong MAC2s in a row lock
//! the PSAM (`9303`); the check of the authentication id (`6300`) is left out, because its rule is not public.

use card::command::{BinaryPlace, ReadBinary, SelectApplication, SelectFile};
use card::layout::{Fci, ROOT_ID, ROOT_NAME, Sfi};
use keys::{PsamKeys, Purchase, PurchaseSession};
use model::{PsamId, PurseFen, TerminalId};
use smartcard::{Apdu, Channel, ChannelError, Command, Response, Status};

use super::command::{AuthenticationMessage, CreditSamForPurchase, InitSamForPurchase, SamOffer};
use super::store::{PsamState, PsamStore};
use super::{APPLICATION_ID, APPLICATION_NAME, KEY_INDEX, NUMBER, TERMINAL};
use crate::batch::StorageError;

/// Wrong MAC2s in a row that lock the PSAM.
const WRONG_MAC2_LIMIT: u8 = 15;

/// What a PSAM is personalised with beside its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PsamIdentity {
    /// Its number.
    pub id: PsamId,
    /// The terminal it is for.
    pub terminal: TerminalId,
    /// The index of the purchase key on the cards.
    pub key_index: u8,
}

/// A PSAM in software.
pub struct SoftwarePsam {
    keys: PsamKeys,
    identity: PsamIdentity,
    store: Box<dyn PsamStore>,
    state: PsamState,
    session: Session,
}

/// What a reset forgets.
#[derive(Default)]
struct Session {
    in_application: bool,
    auth_id: Option<[u8; 9]>,
    purchase: Option<(PurchaseSession, PurseFen)>,
}

impl SoftwarePsam {
    /// A PSAM that goes on where its store says it stopped.
    ///
    /// # Errors
    /// [`StorageError`] when the store cannot be read.
    pub fn new(
        keys: PsamKeys,
        identity: PsamIdentity,
        mut store: Box<dyn PsamStore>,
    ) -> Result<Self, StorageError> {
        let state = store.load()?.unwrap_or_default();
        Ok(SoftwarePsam { keys, identity, store, state, session: Session::default() })
    }

    fn process(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        match (apdu.cla, apdu.ins) {
            (0x00, 0xA4) => self.select(apdu),
            (0x00, 0xB0) => self.read_binary(apdu),
            (0x80, 0xCA) => self.authentication_message(apdu),
            (0x80, 0x70) => self.init_for_purchase(apdu),
            (0x80, 0x72) => self.credit_for_purchase(apdu),
            (0x00 | 0x80, _) => Err(Status::WRONG_INS),
            _ => Err(Status::WRONG_CLA),
        }
    }

    fn select(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let in_application = if apdu.p1 == 0x04 {
            match SelectApplication::from_apdu(apdu)?.name {
                name if name == APPLICATION_NAME => true,
                name if name == ROOT_NAME => false,
                _ => return Err(Status::FILE_NOT_FOUND),
            }
        } else {
            match SelectFile::from_apdu(apdu)?.id {
                APPLICATION_ID => true,
                ROOT_ID => false,
                _ => return Err(Status::FILE_NOT_FOUND),
            }
        };
        self.session = Session { in_application, ..Session::default() };
        let name = if in_application { APPLICATION_NAME.to_vec() } else { ROOT_NAME.to_vec() };
        Ok(Fci { name, version: None, issuer_data: Vec::new(), directory: None }.to_bytes())
    }

    fn read_binary(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let ReadBinary { place, length } = ReadBinary::from_apdu(apdu)?;
        let BinaryPlace::Sfi(sfi, offset) = place else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
        let file = self.file(sfi).ok_or(Status::FILE_NOT_FOUND)?;
        let from = file.get(usize::from(offset)..).ok_or(Status::WRONG_OFFSET)?;
        match usize::from(length) {
            0 => Ok(from.to_vec()),
            length => from.get(..length).map(<[u8]>::to_vec).ok_or(Status::WRONG_LENGTH),
        }
    }

    fn file(&self, sfi: Sfi) -> Option<Vec<u8>> {
        let PsamIdentity { id, terminal, key_index } = self.identity;
        match (sfi, self.session.in_application) {
            (NUMBER, false) => Some([&[0; 2][..], &id.0.to_be_bytes(), &[1, 0, 0, 0]].concat()),
            (TERMINAL, false) => Some(terminal.bytes().to_vec()),
            (KEY_INDEX, true) => Some(vec![key_index]),
            _ => None,
        }
    }

    /// Good until the next INIT SAM FOR PURCHASE, which uses it up.
    fn authentication_message(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let AuthenticationMessage { auth_id } = AuthenticationMessage::from_apdu(apdu)?;
        self.in_application()?;
        self.session.auth_id = Some(auth_id);
        Ok(Vec::new())
    }

    fn init_for_purchase(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let auth_id = self.session.auth_id.take();
        self.session.purchase = None;
        let command = InitSamForPurchase::from_apdu(apdu)?;
        self.in_application()?;
        let terminal_seq = self.state.next_seq;
        let InitSamForPurchase { random, counter, amount, kind, at, key_version, .. } = command;
        if command.algorithm != 0 {
            return Err(Status::WRONG_KEY_INDEX);
        }
        let levels = command.diversifiers.levels();
        if levels.len() != usize::from(self.keys.levels()) {
            return Err(Status::WRONG_LENGTH);
        }
        let session = self.keys.session(key_version, &levels, random, counter, terminal_seq);
        let session = session.ok_or(Status::WRONG_KEY_INDEX)?;
        // The number is spent before anyone sees it.
        let next_seq = terminal_seq.checked_add(1).ok_or(Status::COUNTER_MAX)?;
        self.save(PsamState { next_seq, ..self.state })?;
        let purchase = Purchase { amount, txn_type: kind.code(), terminal: self.identity.terminal, at };
        let mac1 = session.mac1(&purchase, auth_id.as_ref()).bytes();
        self.session.purchase = Some((session, amount));
        Ok(SamOffer { terminal_seq, mac1 }.to_bytes())
    }

    fn credit_for_purchase(&mut self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let purchase = self.session.purchase.take();
        let CreditSamForPurchase { mac2 } = CreditSamForPurchase::from_apdu(apdu)?;
        self.in_application()?;
        let (session, amount) = purchase.ok_or(Status::NOT_IN_THIS_STATE)?;
        let right = session.mac2(amount).verify(mac2);
        let wrong_mac2 = if right { 0 } else { self.state.wrong_mac2.saturating_add(1) };
        if wrong_mac2 != self.state.wrong_mac2 {
            self.save(PsamState { wrong_mac2, ..self.state })?;
        }
        if right { Ok(Vec::new()) } else { Err(Status::WRONG_MAC) }
    }

    /// Whether the purchase application is selected and not locked.
    fn in_application(&self) -> Result<(), Status> {
        if !self.session.in_application {
            Err(Status::CONDITIONS_NOT_SATISFIED)
        } else if self.state.wrong_mac2 >= WRONG_MAC2_LIMIT {
            Err(Status::APP_LOCKED)
        } else {
            Ok(())
        }
    }

    fn save(&mut self, state: PsamState) -> Result<(), Status> {
        self.store.save(state).map_err(|_| Status::MEMORY_FAILURE)?;
        self.state = state;
        Ok(())
    }
}

impl Channel for SoftwarePsam {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = match Apdu::parse(command) {
            Ok(apdu) => self.process(&apdu).map_or_else(Response::status, Response::ok),
            Err(_) => Response::status(Status::WRONG_LENGTH),
        };
        Ok(answer.to_bytes())
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.session = Session::default();
        Ok(())
    }
}
