//! Who opens a secure channel (安全通道) to a security domain, and how often one may be wrong.
//!
//! Standard: GlobalPlatform INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, key information (globalplatform.md sections 1.2, 1.3
//! and 1.5). Elements in the field close a key set after about ten wrong proofs in a row; the number is this project's choice.
//! Invariant: a counter that has risen, and a wrong proof, are kept before the answer leaves; a closed key set stays closed.

use keys::{AesCheck, EncryptionCounter, KeyKind, Scp};
use model::Entropy;
use smartcard::gp::{CardData, ExternalAuthenticate, InitializeUpdate};
use smartcard::scp::KeySet;
use smartcard::{Apdu, Command, Response, Status, tlv};

use crate::memory::{Birth, Element};

/// Wrong proofs in a row that a key set takes.
const TRIES: u8 = 10;

impl Birth {
    /// The channel that its domains offer. Elements born before there was a choice offer SCP02, option 15.
    pub(crate) fn scp(&self) -> Scp {
        let [protocol, option] = self.scp.to_be_bytes();
        Scp::new(protocol, option).unwrap_or(Scp::SCP02_15)
    }

    pub(crate) const fn aes_check(&self) -> AesCheck {
        if self.zero_checks { AesCheck::Zeros } else { AesCheck::Ones }
    }

    const fn counter(&self) -> EncryptionCounter {
        if self.counts_data { EncryptionCounter::OnlyWithData } else { EncryptionCounter::EveryCommand }
    }

    /// Whether its channel takes keys of this kind.
    pub(crate) fn takes(&self, kind: KeyKind) -> bool {
        (self.scp().protocol() == 0x02) == (kind == KeyKind::TripleDes)
    }
}

impl Element {
    pub(crate) fn initialize_update(
        &mut self,
        apdu: &Apdu,
        entropy: &mut dyn Entropy,
    ) -> Result<Response, Status> {
        let command = InitializeUpdate::from_apdu(apdu)?;
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let mut held = self.keys().clone();
        if command.key_version != 0 && command.key_version != held.version {
            return Err(Status::NOT_FOUND);
        }
        self.session.personalizing = None; // its keys come under those of one session
        if held.failures >= TRIES {
            self.session.channel.close();
            return Err(Status::AUTH_BLOCKED);
        }
        let name = self.name(self.session.selected);
        let set = KeySet {
            scp: self.birth.scp(),
            counter: self.birth.counter(),
            diversification: self.birth.diversification(),
            version: held.version,
            keys: &held.keys,
            name: name.as_bytes(),
        };
        let channel = &mut self.session.channel;
        let answer = channel.initialize_update(&command, &set, &mut held.sequence, random)?;
        self.keys().sequence = held.sequence;
        Ok(Response::ok(answer.to_bytes()))
    }

    pub(crate) fn external_authenticate(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        let mut sequence = self.keys().sequence;
        let outcome = self.session.channel.external_authenticate(&command, &mut sequence);
        let keys = self.keys();
        keys.sequence = sequence; // it counts attempts that knew the MAC key, also failed ones
        match outcome {
            Ok(()) => keys.failures = 0,
            Err(Status::AUTH_FAILED) => keys.failures = keys.failures.saturating_add(1),
            Err(_) => {}
        }
        outcome.map(|()| Response::ok([]))
    }

    /// The counter of the selected domain's key set, in as many bytes as its channel has.
    pub(crate) fn sequence_object(&mut self) -> Result<Vec<u8>, Status> {
        let [_, a, b, c] = self.keys().sequence.to_be_bytes();
        match self.birth.scp() {
            Scp::Scp02 { .. } => Ok(tlv::object(0xC1, &[b, c])),
            Scp::Scp03(option) if option.pseudo_random => Ok(tlv::object(0xC1, &[a, b, c])),
            Scp::Scp03(_) => Err(Status::NOT_FOUND), // it counts nothing
        }
    }

    /// Key information: number, version, type and length of each key.
    pub(crate) fn key_information(&mut self) -> Vec<u8> {
        let (version, kind) = (self.keys().version, self.keys().keys.kind());
        let key_type = if kind == KeyKind::TripleDes { 0x80 } else { 0x88 };
        let length = u8::try_from(kind.bytes()).unwrap_or_default();
        let keys = (1..=3).flat_map(|number| tlv::object(0xC0, &[number, version, key_type, length]));
        tlv::object(0xE0, &keys.collect::<Vec<u8>>())
    }

    pub(crate) fn card_data(&self) -> Vec<u8> {
        let scp = self.birth.scp();
        CardData { version: [2, 2], protocol: scp.protocol(), variant: scp.option() }.to_bytes()
    }
}
