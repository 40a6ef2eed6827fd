//! The applet (电子钱包应用): answers every command of [`command`](crate::command) from its memory.
//!
//! Standard: PBOC electronic purse with the CJ/T 166 additions (card.md sections 1 and 2).
//! Invariant: balance, counter, log, cached record and proof change together or not at all, and only behind the
//! right MAC. A transaction stands between its INITIALIZE and its CREDIT or DEBIT; any other command ends it,
//! UPDATE CAPP DATA CACHE alone excepted.
//!
//! Choices where sources are silent or disagree (card.md section 8):
//! * a credit or debit without its INITIALIZE answers `6985`; a wrong MAC `9302`, and the transaction is over;
//! * a load above the purse's limit answers `6985` to INITIALIZE FOR LOAD;
//! * a blocked application can still be read (balance, files, proofs), so that its holder can be refunded; all
//!   else answers `6A81` while it may be unblocked, `9303` when it is locked for ever;
//! * files 0005, 0015, 0016 and 0017 are written by their issuer alone: with a MAC under the maintenance key, or
//!   plainly after EXTERNAL AUTHENTICATE with the control key. Record 0017 is also written by a compound purchase, unless its
//!   lock is set. Logs are written by transactions alone.

mod files;
mod issue;
mod memory;
mod security;
mod transactions;

use model::{CardNumber, Entropy, PurseFen};
use smartcard::{Apdu, Command, Response, Status};

pub use memory::{Profile, PurseMemory};

use crate::command::{GetMessage, SelectApplication, SelectFile};
use crate::layout::{Fci, PURSE_AID, PURSE_IDS, PublicInfo, ROOT_ID, ROOT_NAME, Sfi};
use memory::{Issued, State};
use transactions::Pending;

/// What a purse holds at a moment, read from its memory past every command: for whoever checks a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The card.
    pub number: CardNumber,
    /// The value in it.
    pub balance: PurseFen,
    /// Loads so far.
    pub loads: u16,
    /// Purchases so far.
    pub purchases: u16,
}

/// A purse on a chip or in a secure element.
#[derive(Default)]
pub struct Purse {
    memory: PurseMemory,
    session: Session,
}

/// What the card forgets without power.
#[derive(Default)]
struct Session {
    directory: Directory,
    /// The selected file.
    file: Option<Sfi>,
    /// Good for the next command only.
    challenge: Option<Vec<u8>>,
    pin_verified: bool,
    /// The issuer has authenticated itself and may write plainly.
    writer: bool,
    pending: Option<Pending>,
    /// STORE DATA so far.
    store_data: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Directory {
    Root,
    #[default]
    Purse,
}

impl Purse {
    /// Installed, not personalised: answers purse commands with `6985`.
    #[must_use]
    pub fn blank() -> Self {
        Purse::default()
    }

    /// With a memory kept from before.
    #[must_use]
    pub fn with_memory(memory: PurseMemory) -> Self {
        Purse { memory, session: Session::default() }
    }

    /// What to keep. It has changed only if a command changed it.
    #[must_use]
    pub const fn memory(&self) -> &PurseMemory {
        &self.memory
    }

    /// Whether the applet has become a card.
    #[must_use]
    pub const fn is_personalised(&self) -> bool {
        self.memory.issued.is_some()
    }

    /// What it holds now; `None` before it is personalised.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let Issued { public_info, balance, online, offline, .. } = self.memory.issued.as_ref()?;
        let number = PublicInfo::parse(public_info)?.number;
        Some(Standing { number, balance: *balance, loads: *online, purchases: *offline })
    }

    /// Power off and on, or a new field.
    pub fn reset(&mut self) {
        self.session = Session::default();
    }

    /// The applet has been selected by whichever name it is known under.
    pub fn select(&mut self) -> Response {
        self.open(Directory::Purse)
    }

    /// Answers a command.
    pub fn process(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Response {
        // Taken here, so that whatever a command does not put back is gone.
        let pending = self.session.pending.take();
        let challenge = self.session.challenge.take();
        let answer = match (apdu.cla, apdu.ins) {
            (0x00, 0xA4) => return self.select_command(apdu).unwrap_or_else(Response::status),
            (0x00, 0x84) => self.get_challenge(apdu, entropy),
            (0x00, 0xB0) => self.read_binary(apdu),
            (0x00, 0xB2) => self.read_record(apdu),
            (0x00 | 0x04, 0xD6) => self.update_binary(apdu, challenge),
            (0x00 | 0x04, 0xDC) => self.update_record(apdu, challenge),
            (0x00, 0x20) => self.verify_pin(apdu),
            (0x00, 0x82) => self.external_authenticate(apdu, challenge),
            (0x00, 0x88) => self.internal_authenticate(apdu),
            (0x80 | 0x84, 0x1E) => self.application_block(apdu, challenge),
            (0x80 | 0x84, 0x18) => self.application_unblock(apdu, challenge),
            (0x80, 0xCA) => self.get_message(apdu),
            (0x80, 0x5C) => self.get_balance(apdu),
            (0x80, 0x50) => self.initialize(apdu, entropy),
            (0x80, 0x52) => self.credit_for_load(apdu, pending),
            (0x80, 0xDC) => self.update_capp_data_cache(apdu, pending),
            (0x80, 0x54) => self.debit_for_purchase(apdu, pending),
            (0x80, 0x5A) => self.get_transaction_prove(apdu),
            (0x00 | 0x04 | 0x80 | 0x84, _) => Err(Status::WRONG_INS),
            _ => Err(Status::WRONG_CLA),
        };
        answer.map_or_else(Response::status, Response::ok)
    }

    fn issued(&self) -> Result<&Issued, Status> {
        self.memory.issued.as_ref().ok_or(Status::CONDITIONS_NOT_SATISFIED)
    }

    /// The card, if its purse directory is selected.
    fn purse(&self) -> Result<&Issued, Status> {
        let issued = self.issued()?;
        match self.session.directory {
            Directory::Purse => Ok(issued),
            Directory::Root => Err(Status::CONDITIONS_NOT_SATISFIED),
        }
    }

    /// The card, if it may do more than be read.
    fn usable(&self) -> Result<&Issued, Status> {
        let issued = self.issued()?;
        match issued.state {
            State::Open => Ok(issued),
            State::Blocked => Err(Status::NOT_SUPPORTED),
            State::Dead => Err(Status::APP_LOCKED),
        }
    }

    /// The card, if its purse directory is selected and it may move money.
    fn usable_purse(&self) -> Result<&Issued, Status> {
        self.purse().and_then(|_| self.usable())
    }

    fn select_command(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        if apdu.p1 == 0x04 {
            let name = SelectApplication::from_apdu(apdu)?.name;
            let directory = match name.as_slice() {
                name if name == PURSE_AID => Directory::Purse,
                name if name == ROOT_NAME => Directory::Root,
                _ => return Err(Status::FILE_NOT_FOUND),
            };
            return Ok(self.open(directory));
        }
        let id = SelectFile::from_apdu(apdu)?.id;
        if id == ROOT_ID {
            return Ok(self.open(Directory::Root));
        }
        if PURSE_IDS.contains(&id) {
            return Ok(self.open(Directory::Purse));
        }
        let file = u8::try_from(id).ok().and_then(Sfi::new).ok_or(Status::FILE_NOT_FOUND)?;
        self.check_file(file)?;
        self.session.file = Some(file);
        Ok(Response::ok([]))
    }

    /// Selecting a directory ends all that the session had gained.
    fn open(&mut self, directory: Directory) -> Response {
        self.session = Session { directory, ..Session::default() };
        let issued = self.memory.issued.as_ref();
        let fci = match directory {
            Directory::Root => Fci {
                name: ROOT_NAME.to_vec(),
                version: None,
                issuer_data: Vec::new(),
                directory: Some(Sfi::DIRECTORY.get()),
            },
            Directory::Purse => Fci {
                name: PURSE_AID.to_vec(),
                version: issued.map(|issued| issued.profile.version),
                issuer_data: issued.map(|issued| issued.public_info.to_vec()).unwrap_or_default(),
                directory: None,
            },
        };
        let blocked = issued.is_some_and(|issued| issued.state != State::Open);
        let status = if blocked { Status::NOT_SUPPORTED } else { Status::OK };
        Response { data: fci.to_bytes(), status }
    }

    fn get_message(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        GetMessage::from_apdu(apdu)?;
        let issued = self.issued()?;
        // A plain PBOC card does not know the command; a terminal tells the two apart by it.
        if issued.profile.mac1_includes_auth_id {
            Ok(issued.auth_id.to_vec())
        } else {
            Err(Status::WRONG_INS)
        }
    }
}
