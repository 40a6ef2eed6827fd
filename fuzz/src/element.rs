//! A whole secure element with our domain and a card on it, in the hands of somebody without its keys.

use std::sync::OnceLock;

use keys::{CardRef, Seeded, SoftwareKeys, demo_element_keys};
use model::registry::Registry;
use model::{CardTime, CityCode, TerminalId};
use secure_element::{MemoryStore, SoftwareElement, Store};
use smartcard::gp::Aid;
use smartcard::{Apdu, Channel};
use tsm::{Element, Env, IssuePlan, Job, Next, Report};

use crate::pieces;

const CITY: u16 = 2000;

/// Any commands, one after the other; an empty one is a reset. The card keeps its value, and the element its whole memory
/// unless it was asked for what is open to everybody: which card is active, and the PIN's tries.
pub fn element(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let memory = if which % 2 == 0 { &issued()[0] } else { &issued()[1] };
    let mut store = MemoryStore::default();
    store.save(memory).expect("a store in memory");
    let opened = SoftwareElement::open(Box::new(store.clone()), Box::new(Seeded::new(3)));
    let mut chip = opened.expect("its own memory").expect("an element");
    let before = chip.purses();
    let mut harmless = true;
    for piece in pieces(data) {
        if piece.is_empty() {
            chip.reset().expect("a reset");
            continue;
        }
        // SET STATUS of the contactless registry, VERIFY, APPLICATION UNBLOCK; on any logical channel.
        harmless &= !Apdu::parse(piece).is_ok_and(|apdu| matches!(apdu.ins, 0xF0 | 0x20 | 0x18));
        let answer = chip.transmit(piece).expect("an answer");
        assert!((2..=258).contains(&answer.len()), "{} bytes are no answer", answer.len());
    }
    assert_eq!(chip.purses(), before, "value has moved without a key");
    let after = store.load().expect("a store in memory");
    assert!(!harmless || after.as_ref() == Some(memory), "the element has changed without a secure channel");
}

/// The memories of two elements with a card, one of them with every habit of a wired interface.
fn issued() -> &'static [Vec<u8>; 2] {
    static ISSUED: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    ISSUED.get_or_init(|| ["oppo-find7", "zte-u807n"].map(issue))
}

fn issue(phone: &str) -> Vec<u8> {
    let registry = Registry::embedded().expect("the registry");
    let profile = registry.phone(phone).expect("the phone").clone();
    let maker = demo_element_keys(&profile.element.keys, profile.element.key_kind());
    let (mut store, random) = (MemoryStore::default(), Box::new(Seeded::new(1)));
    let made = SoftwareElement::manufacture([7; 8], &profile.element, &maker, Box::new(store.clone()), random);
    let mut chip = made.expect("an element");
    let city = CityCode::new(CITY).expect("a city");
    let card = CardRef { city, number: "2000000000000007".parse().expect("a number") };
    let now: CardTime = "2014-10-20 08:00:00".parse().expect("a time");
    let (facts, point) = (registry.city(city).expect("a city"), TerminalId::new([0, 0, 0, 0, 0, 1]));
    let mut random = Seeded::new(5);
    let personalisation =
        tsm::new_card(facts, card.number, now.date(), point, &mut random).expect("a card's data");
    let element = Element { se_id: chip.se_id(), profile };
    let instance = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x01, 0x20, 0x00, 0x01]);
    let others = Vec::new();
    let mut job = Job::issue(IssuePlan { element, card, instance, personalisation, others });
    let keys = SoftwareKeys::demo();
    let mut env = Env { keys: &keys, entropy: &mut random, now };
    let mut next = job.start(&mut env);
    while let Next::Run(commands) = next {
        let answers: Vec<_> = commands.iter().map(|command| chip.exchange(command).ok()).collect();
        next = job.answers(&answers, &mut env);
    }
    assert!(matches!(next, Next::Done(Report::Issued)), "{next:?}");
    store.load().expect("a store in memory").expect("a memory")
}
