//! A chip: what runs on it, the memory it keeps without power, and the store under it.
//!
//! Standard: status word `6581` for a memory that cannot be written (card.md section 1.7).
//! Invariant: an answer leaves only when the command's effect is in the store. Where the store refuses, the effect is
//! undone and the answer is `6581`; where nobody can say what the store now holds, the chip falls silent.
//!
//! The kept bytes are CBOR: what kind of chip, the number of the format, the memory. Fields of a memory are
//! numbered, and a number is never given twice.

use std::io;

use minicbor::{Decode, Decoder, Encode};
use model::Entropy;
use smartcard::{Apdu, ChannelError, Response, Status};

use crate::store::Store;

/// The format of the kept bytes.
const FORMAT: u8 = 1;

/// What runs on a chip. Its CBOR is what the chip keeps; all else is gone without power.
pub(crate) trait System: Encode<()> + for<'b> Decode<'b, ()> {
    /// What the kept bytes call this kind of chip.
    const KIND: &'static str;

    fn process(&mut self, command: &Apdu, entropy: &mut dyn Entropy) -> Response;

    fn power_off(&mut self);
}

pub(crate) struct Chip<S> {
    system: S,
    entropy: Box<dyn Entropy + Send>,
    store: Box<dyn Store>,
    /// What the store holds.
    kept: Vec<u8>,
    /// Nobody knows what the store holds.
    silent: bool,
}

impl<S: System> Chip<S> {
    /// A new chip. A store that holds a memory already is refused: it would be lost.
    pub(crate) fn new(
        system: S,
        mut store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Self> {
        if store.load()?.is_some() {
            let text = format!("{}: there is a chip's memory already", store.place());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let kept = to_bytes(&system)?;
        store.save(&kept)?;
        Ok(Chip { system, entropy, store, kept, silent: false })
    }

    /// The chip whose memory is in `store`; `None` if nothing is.
    pub(crate) fn open(
        mut store: Box<dyn Store>,
        entropy: Box<dyn Entropy + Send>,
    ) -> io::Result<Option<Self>> {
        let Some(kept) = store.load()? else { return Ok(None) };
        let system = from_bytes(&kept)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", store.place())))?;
        Ok(Some(Chip { system, entropy, store, kept, silent: false }))
    }

    pub(crate) fn system(&self) -> &S {
        &self.system
    }

    pub(crate) fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.silent {
            return Err(ChannelError::NotSent("the chip is out of order: its memory failed".into()));
        }
        let Ok(command) = Apdu::parse(command) else {
            return Ok(Response::from(Status::WRONG_LENGTH).to_bytes());
        };
        let response = self.system.process(&command, self.entropy.as_mut());
        match self.keep() {
            Ok(()) => Ok(response.to_bytes()),
            Err(error) => self.undo(&error),
        }
    }

    pub(crate) fn reset(&mut self) -> Result<(), ChannelError> {
        self.system.power_off();
        Ok(())
    }

    /// Memory that did not change is not written again.
    fn keep(&mut self) -> io::Result<()> {
        let bytes = to_bytes(&self.system)?;
        if bytes != self.kept {
            self.store.save(&bytes)?;
            self.kept = bytes;
        }
        Ok(())
    }

    /// Back to the memory before the command, if the store still has it.
    fn undo(&mut self, error: &io::Error) -> Result<Vec<u8>, ChannelError> {
        let unchanged = self.store.load().is_ok_and(|held| held.as_deref() == Some(&self.kept[..]));
        match from_bytes(&self.kept) {
            Ok(before) if unchanged => {
                self.system = before;
                Ok(Response::from(Status::MEMORY_FAILURE).to_bytes())
            }
            _ => {
                self.silent = true;
                Err(ChannelError::Lost(format!("the chip's memory failed: {error}")))
            }
        }
    }
}

fn to_bytes<S: System>(system: &S) -> io::Result<Vec<u8>> {
    minicbor::to_vec((S::KIND, FORMAT, system)).map_err(io::Error::other)
}

/// The error says what is wrong with the bytes, for people.
fn from_bytes<S: System>(bytes: &[u8]) -> Result<S, String> {
    let strange = |_| format!("not the memory of a {}", S::KIND);
    let mut decoder = Decoder::new(bytes);
    if decoder.array().map_err(strange)? != Some(3) {
        return Err(format!("not the memory of a {}", S::KIND));
    }
    let kind = decoder.str().map_err(strange)?;
    if kind != S::KIND {
        return Err(format!("the memory of a {kind}; expected that of a {}", S::KIND));
    }
    let format = decoder.u8().map_err(strange)?;
    if format != FORMAT {
        return Err(format!("format {format} of a {kind}'s memory; this program reads {FORMAT}"));
    }
    let system = decoder.decode().map_err(|error| format!("damaged memory of a {kind}: {error}"))?;
    if decoder.position() == bytes.len() {
        Ok(system)
    } else {
        Err(format!("bytes behind a {kind}'s memory"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};

    use keys::Seeded;

    use super::*;
    use crate::store::MemoryStore;

    /// Counts commands of instruction `01`; any other changes nothing.
    #[derive(Encode, Decode)]
    #[cbor(map)]
    struct Counter {
        #[n(0)]
        count: u8,
    }

    impl System for Counter {
        const KIND: &'static str = "counter";

        fn process(&mut self, command: &Apdu, _: &mut dyn Entropy) -> Response {
            self.count = self.count.wrapping_add(u8::from(command.ins == 1));
            Response::ok([self.count])
        }

        fn power_off(&mut self) {}
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        /// Nothing is written.
        Refuses,
        /// It is written, but the writer is told that it was not.
        WritesAndFails,
    }

    #[derive(Clone)]
    struct Flaky {
        memory: MemoryStore,
        fault: Arc<Mutex<Fault>>,
        saves: Arc<AtomicU32>,
    }

    impl Store for Flaky {
        fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
            self.memory.load()
        }

        fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.saves.fetch_add(1, Ordering::Relaxed);
            let fault = *self.fault.lock().unwrap();
            if fault != Fault::Refuses {
                self.memory.save(bytes)?;
            }
            if fault == Fault::None { Ok(()) } else { Err(io::Error::other("worn out")) }
        }
    }

    fn flaky() -> Flaky {
        Flaky {
            memory: MemoryStore::default(),
            fault: Arc::new(Mutex::new(Fault::None)),
            saves: Arc::default(),
        }
    }

    fn chip(store: &Flaky) -> Chip<Counter> {
        Chip::new(Counter { count: 0 }, Box::new(store.clone()), Box::new(Seeded::new(1))).unwrap()
    }

    fn reopened(store: &Flaky) -> io::Result<Option<Chip<Counter>>> {
        Chip::open(Box::new(store.clone()), Box::new(Seeded::new(1)))
    }

    const COUNT: [u8; 4] = [0, 1, 0, 0];
    const LOOK: [u8; 4] = [0, 2, 0, 0];

    #[test]
    fn what_a_command_changed_is_kept_before_its_answer_and_a_look_writes_nothing() {
        let store = flaky();
        let mut chip = chip(&store);
        assert_eq!(chip.transmit(&COUNT), Ok(vec![1, 0x90, 0]));
        assert_eq!(chip.transmit(&LOOK), Ok(vec![1, 0x90, 0]));
        assert_eq!(
            store.saves.load(Ordering::Relaxed),
            2,
            "one at birth, one for the command that changed something"
        );
        assert_eq!(reopened(&store).unwrap().unwrap().transmit(&LOOK), Ok(vec![1, 0x90, 0]));
    }

    #[test]
    fn a_memory_that_takes_nothing_answers_6581_and_nothing_changed() {
        let store = flaky();
        let mut chip = chip(&store);
        *store.fault.lock().unwrap() = Fault::Refuses;
        assert_eq!(chip.transmit(&COUNT), Ok(vec![0x65, 0x81]));
        assert_eq!(chip.transmit(&LOOK), Ok(vec![0, 0x90, 0]));
        *store.fault.lock().unwrap() = Fault::None;
        assert_eq!(chip.transmit(&COUNT), Ok(vec![1, 0x90, 0]));
    }

    #[test]
    fn where_nobody_knows_what_was_kept_the_chip_is_silent_and_never_says_that_nothing_changed() {
        let store = flaky();
        let mut chip = chip(&store);
        *store.fault.lock().unwrap() = Fault::WritesAndFails;
        assert!(matches!(chip.transmit(&COUNT), Err(ChannelError::Lost(_))));
        assert!(matches!(chip.transmit(&LOOK), Err(ChannelError::NotSent(_))));
        assert_eq!(reopened(&store).unwrap().unwrap().transmit(&LOOK), Ok(vec![1, 0x90, 0]));
    }

    #[test]
    fn a_chip_is_not_made_over_another() {
        let store = flaky();
        chip(&store);
        let again = Chip::new(Counter { count: 0 }, Box::new(store), Box::new(Seeded::new(1)));
        assert_eq!(again.err().map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn bytes_of_another_kind_or_format_are_refused_by_name() {
        let refused = |bytes: &[u8]| {
            let mut store = flaky();
            store.save(bytes).unwrap();
            reopened(&store).err().map(|error| error.to_string()).unwrap()
        };
        let whole = to_bytes(&Counter { count: 7 }).unwrap();
        assert_eq!(hex::encode(&whole), "8367636f756e74657201a10007");
        let other = minicbor::to_vec(("plastic card", 1, 0)).unwrap();
        assert!(refused(&other).contains("the memory of a plastic card; expected that of a counter"));
        let later = minicbor::to_vec(("counter", 2, 0)).unwrap();
        assert!(refused(&later).contains("format 2"));
        assert!(refused(&[&whole[..], &[0]].concat()).contains("bytes behind"));
        for cut in 0..whole.len() {
            refused(&whole[..cut]);
        }
    }
}
