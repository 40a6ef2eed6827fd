//! Whatever is sent to a card by someone without its keys, it answers, and it keeps its money.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may fail loudly

mod data;
mod issuing;
mod transcript;

use card::command::{ApplicationBlock, GetChallenge, Protected};
use card::{Purse, PurseMemory};
use keys::{Key16, Seeded};
use proptest::prelude::*;
use smartcard::{Apdu, Command, Status};

/// A card with money, a trip and a log: the end of the first compound transcript.
fn used_card() -> PurseMemory {
    let (transcript, issued) = transcript::of("compound").swap_remove(0);
    let steps = transcript.steps.len();
    transcript::Run::after(steps, &transcript, &issued).purse.memory().clone()
}

/// The same, blocked by its issuer.
fn blocked_card() -> PurseMemory {
    let mut purse = Purse::with_memory(used_card());
    let challenge = GetChallenge { length: card::command::ChallengeLength::Four }.to_apdu();
    let challenge = purse.process(&challenge, &mut Seeded::new(7)).data;
    let maintenance = Key16::new(std::array::from_fn(|index| 0x40 | u8::try_from(index).unwrap()));
    let command = ApplicationBlock { permanent: false };
    let mac = keys::line_mac(&maintenance, &challenge, &Protected::mac_input(&command)).bytes();
    let answer = purse.process(&Protected { command, mac }.to_apdu(), &mut Seeded::new(8));
    assert_eq!(answer.status, Status::OK);
    purse.memory().clone()
}

/// Any bytes at all.
fn noise() -> impl Strategy<Value = Apdu> {
    (any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 0..256), any::<Option<u8>>())
        .prop_map(|(header, data, le)| Apdu::new(header, data, le.map(u16::from)))
}

/// Commands that a card knows, with data of nearly the right shape.
fn plausible() -> impl Strategy<Value = Apdu> {
    let header = prop::sample::select(vec![
        [0x00, 0xA4, 0x00, 0x00],
        [0x00, 0xA4, 0x04, 0x00],
        [0x00, 0xB0, 0x95, 0x00],
        [0x00, 0xB2, 0x01, 0xC4],
        [0x04, 0xD6, 0x95, 0x00],
        [0x00, 0xD6, 0x96, 0x00],
        [0x04, 0xDC, 0x02, 0xB8],
        [0x00, 0xDC, 0x02, 0xB8],
        [0x00, 0x82, 0x00, 0x39],
        [0x00, 0x84, 0x00, 0x00],
        [0x00, 0x88, 0x00, 0x33],
        [0x84, 0x1E, 0x00, 0x00],
        [0x84, 0x1E, 0x00, 0x01],
        [0x80, 0x50, 0x00, 0x02],
        [0x80, 0x50, 0x01, 0x02],
        [0x80, 0x50, 0x03, 0x02],
        [0x80, 0x52, 0x00, 0x00],
        [0x80, 0x54, 0x01, 0x00],
        [0x80, 0x5A, 0x00, 0x09],
        [0x80, 0x5C, 0x00, 0x02],
        [0x80, 0xCA, 0x00, 0x00],
        [0x80, 0xDC, 0x02, 0xB8],
    ]);
    let data = prop_oneof![
        Just(data::bytes("01 00000001 410002130001")),
        Just(data::bytes("00000005 20141020 080500 01020304")),
        Just(data::bytes("20141020 080500 01020304")),
        Just([data::bytes("022E00"), vec![0; 45]].concat()),
        prop::sample::select(vec![0_usize, 1, 2, 4, 8, 11, 15, 48, 52])
            .prop_flat_map(|length| { prop::collection::vec(any::<u8>(), length) }),
    ];
    let le = prop::sample::select(vec![None, Some(4), Some(8), Some(15), Some(16), Some(256)]);
    (header, data, le).prop_map(|(header, data, le)| Apdu::new(header, data, le))
}

/// PIN and unblock tries are spent by whoever tries: left out where memory must not change at all.
fn costs_a_try(apdu: &Apdu) -> bool {
    matches!(apdu.ins, 0x20 | 0x18)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn without_its_keys_a_card_does_not_change(
        commands in prop::collection::vec(prop_oneof![plausible(), noise()], 1..24),
        seed: u64,
    ) {
        for memory in [used_card(), blocked_card(), PurseMemory::default()] {
            let mut purse = Purse::with_memory(memory.clone());
            let mut entropy = Seeded::new(seed);
            for command in commands.iter().filter(|command| !costs_a_try(command)) {
                purse.process(command, &mut entropy);
                prop_assert!(*purse.memory() == memory, "{:?}", command);
            }
        }
    }

    #[test]
    fn memory_that_is_not_ours_is_refused(bytes: Vec<u8>) {
        if let Ok(memory) = minicbor::decode::<PurseMemory>(&bytes) {
            let again = minicbor::to_vec(&memory).unwrap();
            prop_assert_eq!(minicbor::decode::<PurseMemory>(&again).ok(), Some(memory));
        }
    }
}
