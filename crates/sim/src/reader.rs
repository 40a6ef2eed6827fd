//! A reader of the simulated network: the validator's own code, a software PSAM in its slot, a batch in memory.

use std::sync::Arc;

use keys::{KeyService, PsamScope};
use model::registry::Operator;
use model::{CardTime, Label, PsamId, TerminalId};
use smartcard::Channel;
use terminal::{
    AcceptanceList, Batch, BatchError, DenyList, MemoryPsamStore, MemoryStorage, PsamIdentity, PsamStore,
    Request, Settings, SoftwarePsam, Storage, TapOutcome, Validator,
};

use crate::SimError;

/// The purchase key's index in every PSAM.
const KEY_INDEX: u8 = 1;

/// One reader.
pub struct Reader {
    validator: Validator,
    psam: SoftwarePsam,
    batch: Batch,
}

/// Where a reader stands.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The line.
    pub line: Label,
    /// The vehicle.
    pub vehicle: Label,
    /// The stop.
    pub stop: Label,
}

impl Reader {
    /// A reader with a national PSAM that forgets everything with the process, its counter too: `psam` is therefore a
    /// number that no other PSAM has or had.
    ///
    /// # Errors
    /// [`SimError::Reader`] if one of its parts does not start.
    pub fn new(
        terminal: TerminalId,
        operator: &Arc<Operator>,
        place: Place,
        keys: &dyn KeyService,
        (acceptance, deny): (&Arc<AcceptanceList>, &Arc<DenyList>),
        psam: PsamId,
    ) -> Result<Self, SimError> {
        let psam = numbered_psam(psam, terminal, keys, Box::new(MemoryPsamStore::default()))?;
        let settings = place.settings(terminal, Arc::clone(operator));
        Reader::of(settings, (acceptance, deny), Box::new(MemoryStorage::default()), psam)
    }

    /// A reader with a national PSAM, with its lists, and its batch and its PSAM's counter where `memory` keeps them.
    ///
    /// # Errors
    /// [`SimError::Reader`] if one of its parts does not start.
    pub fn on(
        terminal: TerminalId,
        operator: &Arc<Operator>,
        place: Place,
        keys: &dyn KeyService,
        (acceptance, deny): (&Arc<AcceptanceList>, &Arc<DenyList>),
        (batch, psam): (Box<dyn Storage>, Box<dyn PsamStore>),
    ) -> Result<Self, SimError> {
        let psam = national_psam(terminal, keys, psam)?;
        Reader::of(place.settings(terminal, Arc::clone(operator)), (acceptance, deny), batch, psam)
    }

    fn of(
        settings: Settings,
        (acceptance, deny): (&Arc<AcceptanceList>, &Arc<DenyList>),
        batch: Box<dyn Storage>,
        psam: SoftwarePsam,
    ) -> Result<Self, SimError> {
        let terminal = settings.terminal;
        let batch = Batch::open(batch, terminal);
        Ok(Reader {
            validator: Validator::new(settings, Arc::clone(acceptance), Arc::clone(deny)),
            psam,
            batch: batch.map_err(|error| SimError::Reader { terminal, why: error.to_string() })?,
        })
    }

    /// A card is held to the reader.
    pub fn tap(&mut self, card: &mut dyn Channel, request: Request, at: CardTime) -> TapOutcome {
        self.validator.tap(card, &mut self.psam, request, at, &mut self.batch)
    }

    /// What the reader has to upload and what is still torn.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The centre has given its receipt for everything up to `through`.
    ///
    /// # Errors
    /// The batch cannot be written.
    pub fn mark_uploaded(&mut self, through: u64) -> Result<(), BatchError> {
        self.batch.mark_uploaded(through)
    }

    /// Takes a newer deny list.
    pub fn take_deny_list(&mut self, list: &Arc<DenyList>) {
        self.validator.take_deny_list(Arc::clone(list));
    }

    /// The reader's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.validator.settings()
    }
}

/// A reader's own PSAM, which takes every city's cards: bound to its reader by the same running number.
///
/// # Errors
/// [`SimError::Reader`] if the keys are not there, or `counter` is not readable.
pub fn national_psam(
    terminal: TerminalId,
    keys: &dyn KeyService,
    counter: Box<dyn PsamStore>,
) -> Result<SoftwarePsam, SimError> {
    numbered_psam(PsamId(terminal.as_u64()), terminal, keys, counter)
}

fn numbered_psam(
    id: PsamId,
    terminal: TerminalId,
    keys: &dyn KeyService,
    counter: Box<dyn PsamStore>,
) -> Result<SoftwarePsam, SimError> {
    let broken = |why: String| SimError::Reader { terminal, why };
    let keys = keys.psam_keys(PsamScope::National).map_err(|error| broken(error.to_string()))?;
    let identity = PsamIdentity { id, terminal, key_index: KEY_INDEX };
    SoftwarePsam::new(keys, identity, counter).map_err(|error| broken(error.to_string()))
}

impl Place {
    /// The settings of the operator's reader that stands here.
    #[must_use]
    pub fn settings(self, terminal: TerminalId, operator: Arc<Operator>) -> Settings {
        let Place { line, vehicle, stop } = self;
        Settings { line, vehicle, stop, ..Settings::new(terminal, operator) }
    }

    /// Where the operator's reader of this number stands: its readers are spread evenly over its lines and stops.
    #[must_use]
    pub fn of(operator: &Operator, terminal: TerminalId) -> Place {
        let index = terminal.as_u64().saturating_sub(operator.terminals.first.as_u64());
        let places = operator.lines.iter().flat_map(|line| {
            let stops = line.stops.iter().map(|stop| stop.code.clone());
            let none = line.stops.is_empty().then(Label::default);
            stops.chain(none).map(|stop| Place { line: line.code.clone(), vehicle: Label::default(), stop })
        });
        let places: Vec<Place> = places.collect();
        let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
        let chosen = index.checked_rem(count).and_then(|index| usize::try_from(index).ok());
        chosen.and_then(|index| places.get(index)).cloned().unwrap_or_default()
    }
}
