//! A software plastic card (实体卡): one purse on a chip of its own.
//!
//! Standard: the same personalisation as over the air, STORE DATA over SCP02 under the factory's transport keys
//! (globalplatform.md sections 1.2 and 1.5); afterwards the chip answers as card.md section 1 says.
//! Invariant: once personalised, the chip is a card and nothing else, for ever: the transport keys leave its memory
//! in the same step in which the card's own keys enter it.

use std::io;

use card::Purse;
use keys::{ElementKeys, EncryptionCounter, Scp, StaticKeys};
use minicbor::{Decode, Encode};
use model::Entropy;
use smartcard::gp::{ExternalAuthenticate, InitializeUpdate, StoreData};
use smartcard::scp::{CardChannel, KeySet};
use smartcard::{Apdu, Channel, ChannelError, Command, Response, Status};

use crate::chip::{Chip, System};
use crate::memory::purse;
use crate::store::Store;

/// A plastic card.
pub struct PlasticCard(Chip<Plastic>);

/// Version of the transport keys.
const TRANSPORT_VERSION: u8 = 1;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Plastic {
    /// The factory's keys; gone once the card is personalised.
    #[n(0)]
    transport: Option<StaticKeys>,
    /// Their sequence counter.
    #[n(1)]
    sequence: u16,
    #[cbor(n(2), with = "purse")]
    purse: Purse,
    #[cbor(skip)]
    bureau: Bureau,
}

/// What a blank card forgets without power.
#[derive(Default)]
struct Bureau {
    channel: CardChannel,
    /// The number that the next STORE DATA must have.
    next: u8,
}

impl PlasticCard {
    /// A blank card from the factory.
    ///
    /// # Errors
    /// The store takes nothing, or holds a chip's memory already.
    pub fn blank(
        transport: StaticKeys,
        store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Self> {
        let plastic = Plastic {
            transport: Some(transport),
            sequence: 0,
            purse: Purse::blank(),
            bureau: Bureau::default(),
        };
        Chip::new(plastic, store, entropy).map(PlasticCard)
    }

    /// The card whose memory is in `store`; `None` if the store is empty.
    ///
    /// # Errors
    /// The store cannot be read, or holds something else.
    pub fn open(store: Box<dyn Store>, entropy: Box<dyn Entropy + Send>) -> io::Result<Option<Self>> {
        Ok(Chip::open(store, entropy)?.map(PlasticCard))
    }

    /// Whether the blank has become a card.
    #[must_use]
    pub fn is_personalised(&self) -> bool {
        self.0.system().purse.is_personalised()
    }

    /// What its purse holds, read from its memory without a command; `None` before it is personalised.
    #[must_use]
    pub fn purse(&self) -> Option<card::Standing> {
        self.0.system().purse.standing()
    }
}

impl Channel for PlasticCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.0.transmit(command)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.0.reset()
    }
}

impl std::fmt::Debug for PlasticCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_personalised() { "PlasticCard" } else { "PlasticCard(blank)" })
    }
}

impl System for Plastic {
    const KIND: &'static str = "plastic card";

    fn process(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Response {
        let Some(transport) = self.transport.clone() else { return self.card(apdu, entropy) };
        let answer = match (apdu.cla, apdu.ins) {
            (0x00, 0xA4) => {
                self.power_off();
                return self.purse.process(apdu, entropy);
            }
            (0x80, 0x50) => self.initialize_update(apdu, &transport, entropy),
            (0x84, 0x82) => self.external_authenticate(apdu),
            _ => match self.bureau.channel.unwrap(apdu) {
                Ok(plain) if (plain.cla, plain.ins) == (0x80, 0xE2) => self.store_data(&plain),
                Ok(plain) => return self.purse.process(&plain, entropy),
                Err(status) => Err(status),
            },
        };
        answer.unwrap_or_else(Response::status)
    }

    fn power_off(&mut self) {
        self.bureau = Bureau::default();
        self.purse.reset();
    }
}

impl Plastic {
    /// A card now. Who wants to personalise it is told that it is too late; the purse has instruction `50` of its own.
    fn card(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Response {
        let answer = self.purse.process(apdu, entropy);
        if InitializeUpdate::from_apdu(apdu).is_ok() {
            return Status::CONDITIONS_NOT_SATISFIED.into();
        }
        answer
    }

    fn initialize_update(
        &mut self,
        apdu: &Apdu,
        transport: &StaticKeys,
        entropy: &mut dyn Entropy,
    ) -> Result<Response, Status> {
        let command = InitializeUpdate::from_apdu(apdu)?;
        if ![0, TRANSPORT_VERSION].contains(&command.key_version) {
            return Err(Status::NOT_FOUND);
        }
        self.power_off();
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let (keys, mut sequence) = (ElementKeys::from(transport.clone()), u32::from(self.sequence));
        let set = KeySet {
            scp: Scp::SCP02_15,
            counter: EncryptionCounter::EveryCommand,
            diversification: [0; 10],
            version: TRANSPORT_VERSION,
            keys: &keys,
            name: &card::layout::PURSE_AID,
        };
        let answer = self.bureau.channel.initialize_update(&command, &set, &mut sequence, random)?;
        Ok(Response::ok(answer.to_bytes()))
    }

    fn external_authenticate(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        let mut sequence = u32::from(self.sequence);
        let outcome = self.bureau.channel.external_authenticate(&command, &mut sequence);
        self.sequence = u16::try_from(sequence).unwrap_or(u16::MAX);
        outcome.map(|()| Response::ok([]))
    }

    /// A block that is refused ends the attempt: it begins again with INITIALIZE UPDATE.
    fn store_data(&mut self, plain: &Apdu) -> Result<Response, Status> {
        let stored = self.store_block(plain);
        if stored.is_err() || self.purse.is_personalised() {
            self.power_off();
        }
        stored.map(|()| Response::ok([]))
    }

    fn store_block(&mut self, plain: &Apdu) -> Result<(), Status> {
        let (_, keys) = self.bureau.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        let StoreData { number, last, block, .. } = StoreData::from_apdu(plain)?;
        if number != self.bureau.next {
            return Err(Status::WRONG_P1P2);
        }
        self.purse.store_data(&block, last, keys)?;
        self.bureau.next = number.wrapping_add(1);
        if self.purse.is_personalised() {
            self.transport = None;
        }
        Ok(())
    }
}
