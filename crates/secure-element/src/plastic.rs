//! A software plastic card (实体卡): one purse on a chip of its own.
//!
//! Standard: the same personalisation as over the air, STORE DATA over SCP02 under the factory's transport keys
//! (globalplatform.md sections 1.2 and 1.5); afterwards the chip answers as card.md section 1 says.
//! Invariant: once personalised, the chip is a card and nothing else, for ever.

use std::io;

use card::{Purse, PurseMemory};
use keys::StaticKeys;
use minicbor::{Decode, Encode};
use model::Entropy;
use smartcard::gp::{ExternalAuthenticate, InitializeUpdate, StoreData};
use smartcard::scp02::{CardChannel, KeySet};
use smartcard::{Apdu, Channel, ChannelError, Command, Response, Status};

use crate::store::Store;

/// What the chip keeps without power.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
struct PlasticMemory {
    /// The factory's keys; gone once the card is personalised.
    #[n(0)]
    transport: Option<StaticKeys>,
    #[n(1)]
    sequence: u16,
    #[n(2)]
    purse: PurseMemory,
}

/// A plastic card.
pub struct PlasticCard {
    memory: PlasticMemory,
    purse: Purse,
    channel: CardChannel,
    entropy: Box<dyn Entropy + Send>,
    store: Box<dyn Store>,
    saved: Vec<u8>,
}

impl PlasticCard {
    /// A blank card from the factory.
    ///
    /// # Errors
    /// The store takes nothing.
    pub fn blank(
        transport: StaticKeys,
        store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Self> {
        let purse = Purse::blank();
        let memory = PlasticMemory { transport: Some(transport), sequence: 0, purse: purse.memory().clone() };
        let channel = CardChannel::new();
        let mut card = PlasticCard { memory, purse, channel, entropy, store, saved: Vec::new() };
        card.save()?;
        Ok(card)
    }

    /// The card whose memory is in `store`; `None` if the store is empty.
    ///
    /// # Errors
    /// The store cannot be read, or holds something else.
    pub fn open(mut store: Box<dyn Store>, entropy: Box<dyn Entropy + Send>) -> io::Result<Option<Self>> {
        let Some(saved) = store.load()? else { return Ok(None) };
        let memory = restored(&saved)?;
        let purse = Purse::with_memory(memory.purse.clone());
        Ok(Some(PlasticCard { memory, purse, channel: CardChannel::new(), entropy, store, saved }))
    }

    fn save(&mut self) -> io::Result<()> {
        if self.memory.purse != *self.purse.memory() {
            self.memory.purse = self.purse.memory().clone();
        }
        let bytes = minicbor::to_vec(&self.memory).map_err(io::Error::other)?;
        if bytes != self.saved {
            self.store.save(&bytes)?;
            self.saved = bytes;
        }
        Ok(())
    }

    fn process(&mut self, apdu: &Apdu) -> Response {
        let Some(transport) = self.memory.transport.clone() else {
            return self.purse.process(apdu, self.entropy.as_mut());
        };
        match (apdu.cla, apdu.ins) {
            (0x80, 0x50) if apdu.data.len() == 8 => self.initialize_update(apdu, &transport),
            (0x84, 0x82) => self.external_authenticate(apdu),
            (0x84, 0xE2) => self.store_data(apdu),
            _ => return self.purse.process(apdu, self.entropy.as_mut()),
        }
        .unwrap_or_else(Response::status)
    }

    fn initialize_update(&mut self, apdu: &Apdu, transport: &StaticKeys) -> Result<Response, Status> {
        let command = InitializeUpdate::from_apdu(apdu)?;
        let mut challenge = [0; 6];
        self.entropy.fill(&mut challenge);
        let set =
            KeySet { diversification: [0; 10], version: 1, sequence: self.memory.sequence, keys: transport };
        Ok(Response::ok(self.channel.initialize_update(&command, &set, challenge).to_bytes()))
    }

    fn external_authenticate(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let command = ExternalAuthenticate::from_apdu(apdu)?;
        self.channel.external_authenticate(&command, &mut self.memory.sequence).map(|()| Response::ok([]))
    }

    fn store_data(&mut self, apdu: &Apdu) -> Result<Response, Status> {
        let plain = self.channel.unwrap(apdu)?;
        let StoreData { last, block, .. } = StoreData::from_apdu(&plain)?;
        let (_, keys) = self.channel.session().ok_or(Status::SECURITY_NOT_SATISFIED)?;
        self.purse.store_data(&block, last, keys)?;
        if self.purse.is_personalised() {
            self.memory.transport = None;
            self.channel.close();
        }
        Ok(Response::ok([]))
    }
}

fn restored(saved: &[u8]) -> io::Result<PlasticMemory> {
    minicbor::decode(saved).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not a plastic card's memory: {error}"))
    })
}

impl Channel for PlasticCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let Ok(apdu) = Apdu::parse(command) else {
            return Ok(Response::from(Status::WRONG_LENGTH).to_bytes());
        };
        let response = self.process(&apdu);
        if self.save().is_ok() {
            return Ok(response.to_bytes());
        }
        if let Ok(memory) = restored(&self.saved) {
            self.purse = Purse::with_memory(memory.purse.clone());
            self.memory = memory;
        }
        self.channel.close();
        Ok(Response::from(Status::MEMORY_FAILURE).to_bytes())
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.channel.close();
        self.purse.reset();
        Ok(())
    }
}

impl std::fmt::Debug for PlasticCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlasticCard")
    }
}
