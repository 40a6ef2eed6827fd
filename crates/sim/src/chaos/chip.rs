//! What a passenger holds: a phone's element or a plastic card in software, the contact between it and whoever commands
//! it, and the judge who looks into its memory after every command.

use card::Standing;
use keys::Seeded;
use model::Entropy;
use secure_element::{PlasticCard, SoftwareElement};
use smartcard::{Channel, ChannelError};

use super::disk::ChipMemory;
use super::judge::{Broken, Judge};
use super::story::{Story, Who};

/// STORE DATA, CREDIT FOR LOAD, DEBIT: a tear hurts most here.
const TENDER: [u8; 4] = [0xE2, 0x52, 0x54, 0x50];

/// A chip.
pub(super) enum Held {
    Phone(Box<SoftwareElement>),
    Plastic(Box<PlasticCard>),
}

impl Held {
    /// The chip's purses, read past every command.
    pub(super) fn purses(&self) -> Vec<Standing> {
        match self {
            Held::Phone(element) => element.purses(),
            Held::Plastic(card) => card.purse().into_iter().collect(),
        }
    }

    /// Power off and on: what it keeps is in its memory.
    pub(super) fn revive(&mut self, memory: &ChipMemory, random: Box<dyn Entropy + Send>) {
        let store = Box::new(memory.clone());
        match self {
            Held::Phone(chip) => {
                if let Ok(Some(again)) = SoftwareElement::open(store, random) {
                    **chip = again;
                }
            }
            Held::Plastic(card) => {
                if let Ok(Some(again)) = PlasticCard::open(store, random) {
                    **card = again;
                }
            }
        }
    }
}

impl Channel for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self {
            Held::Phone(element) => element.transmit(command),
            Held::Plastic(card) => card.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        match self {
            Held::Phone(element) => element.reset(),
            Held::Plastic(card) => card.reset(),
        }
    }
}

/// How a contact may go wrong.
pub(super) struct Weather {
    /// A tear at any command, in ten thousand; ten times as often at those that change a card.
    pub(super) tear: u64,
    /// A memory that fails at a command, in ten thousand.
    pub(super) worn: u64,
}

/// A chip in contact with a reader or a phone's antenna. Each command is a step, and the judge looks after it.
pub(super) struct Contact<'a> {
    pub(super) held: &'a mut Held,
    pub(super) memory: &'a ChipMemory,
    pub(super) whose: usize,
    pub(super) weather: Weather,
    pub(super) dice: &'a mut Seeded,
    pub(super) story: &'a mut Story,
    pub(super) judge: &'a mut Judge,
    pub(super) gone: bool,
    pub(super) broken: Option<Broken>,
}

fn lost() -> ChannelError {
    ChannelError::Lost("the card has left the field".into())
}

impl Contact<'_> {
    fn strikes(&mut self, in_ten_thousand: u64) -> bool {
        self.dice.below(10_000) < in_ten_thousand
    }

    fn look(&mut self, command: &[u8]) {
        let found = self.judge.chip_touched(self.whose, &self.held.purses(), command);
        if let Err(broken) = found {
            self.broken.get_or_insert(broken);
        }
    }
}

impl Channel for Contact<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.gone || self.broken.is_some() {
            return Err(lost());
        }
        self.story.next_step();
        let who = Who::Passenger(self.whose);
        let tender = command.get(1).is_some_and(|ins| TENDER.contains(ins));
        let torn =
            self.strikes(if tender { self.weather.tear.saturating_mul(10) } else { self.weather.tear });
        if torn && self.dice.below(2) == 0 {
            self.gone = true;
            self.story.fault(who, "card torn away before a command");
            return Err(lost());
        }
        if self.strikes(self.weather.worn) {
            self.memory.fail_once(self.dice.below(2) == 0);
            self.story.fault(who, "chip's memory fails");
        }
        let answer = self.held.transmit(command);
        self.memory.is_sound();
        self.look(command);
        let shown = command.get(..2).map(hex::encode_upper).unwrap_or_default();
        let status = answer.as_ref().map_or_else(
            |_| "silence".to_owned(),
            |bytes| hex::encode_upper(bytes.get(bytes.len().saturating_sub(2)..).unwrap_or_default()),
        );
        self.story.tell(who, format!("APDU {shown} -> {status}"));
        if torn {
            self.gone = true;
            self.story.fault(who, "card torn away before its answer");
            return Err(lost());
        }
        answer
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        if self.gone { Err(lost()) } else { self.held.reset() }
    }
}
