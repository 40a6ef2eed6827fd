//! No bytes make a chip panic, and whoever has no keys changes no card.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use keys::Seeded;
use proptest::prelude::*;
use secure_element::{MemoryStore, PlasticCard, SoftwareElement, Store};
use smartcard::gp::Aid;
use smartcard::{Apdu, Channel};
use support::{DOMAIN, Host, facts, instance, phone};

/// An element with our domain and a card in it, and its memory.
fn issued() -> (Host<SoftwareElement>, MemoryStore) {
    let (facts, store) = (facts("oppo-find7"), MemoryStore::default());
    let mut host = Host::new(support::element(&facts, store.clone()), &facts);
    host.make_domain();
    host.issue(2000);
    (host, store)
}

fn instructions() -> impl Strategy<Value = u8> {
    let known = [0xA4, 0x50, 0x82, 0xCA, 0xE2, 0xE4, 0xE6, 0xD8, 0xF2, 0x52, 0x54, 0xD6, 0xDC];
    prop_oneof![prop::sample::select(known.to_vec()), any::<u8>()]
}

/// All but SET STATUS of the contactless registry, which is open to everybody, and the PIN's tries.
fn harmless(command: &Apdu) -> bool {
    command.ins != 0xF0 && command.ins != 0x20 && command.ins != 0x18
}

fn commands() -> impl Strategy<Value = Vec<(usize, Apdu)>> {
    let class = prop::sample::select(vec![0x00_u8, 0x04, 0x80, 0x84, 0xA0]);
    let data = prop::collection::vec(any::<u8>(), 0..40);
    let command = (0_usize..4, class, instructions(), any::<[u8; 2]>(), data)
        .prop_map(|(name, cla, ins, [p1, p2], data)| (name, Apdu::new([cla, ins, p1, p2], data, None)));
    prop::collection::vec(command.prop_filter("open to everybody", |(_, apdu)| harmless(apdu)), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_has_no_keys_changes_no_card(commands in commands()) {
        let (mut host, mut store) = issued();
        let before = store.load().unwrap();
        let names = [None, Some(DOMAIN), Some(instance(2000)), Some(Aid::CONTACTLESS_REGISTRY)];
        for (name, command) in commands {
            host.select(names[name].as_ref().map(Aid::as_bytes).unwrap_or_default());
            host.send(&command);
        }
        prop_assert_eq!(store.load().unwrap(), before);
    }

    #[test]
    fn no_bytes_make_an_element_panic(bytes: Vec<u8>) {
        prop_assert!(phone().chip.transmit(&bytes).unwrap().len() >= 2);
    }

    #[test]
    fn no_command_inside_a_channel_makes_an_element_panic(commands in commands()) {
        let (mut host, _) = issued();
        for (_, command) in commands {
            let mut session = host.domain_session();
            let wrapped = session.wrap(&Apdu { cla: 0x80, ..command });
            host.send(&wrapped);
            if !host.select(DOMAIN).status.is_ok() {
                return Ok(()); // the commands have locked it
            }
        }
    }

    #[test]
    fn no_memory_makes_a_chip_panic(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (_, mut store) = issued();
        let mut bytes = store.load().unwrap().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let open = |mut store: MemoryStore| {
            store.save(&bytes).unwrap();
            let _ = PlasticCard::open(Box::new(store.clone()), Box::new(Seeded::new(9)));
            SoftwareElement::open(Box::new(store), Box::new(Seeded::new(9)))
        };
        if let Ok(Some(mut chip)) = open(MemoryStore::default()) {
            chip.transmit(&[0x00, 0xA4, 0x04, 0x00]).unwrap();
        }
    }
}
