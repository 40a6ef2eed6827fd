//! Whatever a card says, a caller sends or a disk holds: an answer, never a panic, never money for nothing.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod kit;

use keys::{KeyService, PsamScope, SoftwareKeys};
use kit::*;
use model::PsamId;
use proptest::prelude::*;
use smartcard::{Channel, ChannelError};
use terminal::{Batch, MemoryPsamStore, MemoryStorage, PsamIdentity, SoftwarePsam, TapOutcome};

/// A card that says anything.
struct Babbling(Vec<(Vec<u8>, bool)>);

impl Channel for Babbling {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let (mut answer, good) = self.0.pop().ok_or(ChannelError::Lost("silent".to_owned()))?;
        if good {
            answer.extend([0x90, 0x00]);
        }
        Ok(answer)
    }
}

fn words() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let fci = hex::decode(
        "6F328409A00000000386980701A5259F0801019F0C1E200020000000000001010000200000000000004220120701202206300000",
    );
    let offer = hex::decode("000013880000000000010001020304");
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        Just(fci.unwrap()),
        Just(offer.unwrap()),
        prop::collection::vec(any::<u8>(), 8..=9),
    ];
    prop::collection::vec((word, any::<bool>()), 0..12)
}

proptest! {
    #[test]
    fn a_card_that_says_anything_is_never_accepted(first in words(), second in words(), enter: bool) {
        let operator = if enter { shanghai_metro() } else { shanghai_bus() };
        let request = if enter { ENTER } else { PAY };
        let mut reader = Reader::new(operator, 0, "0201");
        for said in [first, second] {
            let mut card = Babbling(said);
            let outcome = reader.validator.tap(
                &mut card, &mut reader.psam, request, at("08:00:00"), &mut reader.batch,
            );
            let accepted = matches!(outcome, TapOutcome::Accepted { .. });
            prop_assert!(!accepted, "{:?}", outcome);
        }
    }

    #[test]
    fn a_psam_answers_whatever_it_is_sent(commands in prop::collection::vec(
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            (any::<[u8; 2]>(), prop::collection::vec(any::<u8>(), 0..50)).prop_map(|([p1, p2], data)| {
                let length = u8::try_from(data.len()).unwrap();
                [&[0x80, 0x70, p1 & 1, p2 & 1, length][..], &data, &[8]].concat()
            }),
            Just(hex::decode("00A4000002100100").unwrap()),
        ],
        0..20,
    )) {
        let identity =
            PsamIdentity { id: PsamId(1), terminal: "200001010001".parse().unwrap(), key_index: 1 };
        let keys = SoftwareKeys::demo().psam_keys(PsamScope::National).unwrap();
        let mut psam = SoftwarePsam::new(keys, identity, Box::new(MemoryPsamStore::default())).unwrap();
        for command in commands {
            prop_assert!(psam.transmit(&command).unwrap().len() >= 2);
        }
    }

    #[test]
    fn a_batch_of_any_bytes_is_opened_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let terminal = "200001010001".parse().unwrap();
        let opened = Batch::open(Box::new(MemoryStorage::holding(bytes)), terminal);
        prop_assert!(opened.is_err() || opened.is_ok_and(|batch| batch.export().records.is_empty()));
    }
}
