//! A lost phone's card: locked through the channel, found locked, unlocked; and what a lying phone can say of it.

use smartcard::{Channel, ChannelError};
use tsm::{Element, Job, LockPlan, LockReport, RefusalCode, Report, Reservation, load_pin};

use super::{
    LOAD_POINT, balance, card_ref, element, fen, instance, issue, issued, load, read, registry, run,
};

/// The name that readers select by.
const COMMON: &str = "A00000000386980701";
const OWN: &str = "A00000000386980701200001";
const SET_STATUS: u8 = 0xF0;

fn lock(on: &Element, lock: bool, unsettled: Option<Reservation>) -> Job {
    let (registry, card) = (registry(), card_ref(2000));
    let pin = registry.city(card.city).and_then(load_pin);
    let (element, instance) = (on.clone(), instance(2000));
    Job::lock(LockPlan { element, card: card.number, instance, lock, unsettled, pin, terminal: LOAD_POINT })
}

fn selected(card: &mut dyn Channel, name: &str) -> [u8; 2] {
    card.reset().unwrap();
    let answer =
        card.transmit(&hex::decode(format!("00A40400{:02X}{name}", name.len() / 2)).unwrap()).unwrap();
    answer[answer.len() - 2..].try_into().unwrap()
}

fn stands(card: &mut dyn Channel) -> ([u8; 2], [u8; 2]) {
    (selected(card, COMMON), selected(card, OWN))
}

const NOWHERE: ([u8; 2], [u8; 2]) = ([0x6A, 0x82], [0x6A, 0x82]);
const THERE: ([u8; 2], [u8; 2]) = ([0x90, 0x00], [0x90, 0x00]);

#[test]
fn a_locked_card_is_reached_by_nobody_and_is_as_before_when_it_is_unlocked_on_every_phone() {
    for phone in registry().phones() {
        let (mut chip, on) = element(&phone.id);
        assert_eq!(run(&mut issue(&on, 2000, &[]), &mut chip, None).0, Report::Issued);
        run(&mut load(2000, 5000, None), &mut chip, None);
        for _ in 0..2 {
            let (report, _) = run(&mut lock(&on, true, None), &mut chip, None);
            assert_eq!(
                (report, stands(&mut chip)),
                (Report::Lock(LockReport::Locked), NOWHERE),
                "{}",
                phone.id
            );
        }
        let (refused, _) = run(&mut load(2000, 100, None), &mut chip, None);
        assert!(matches!(refused, Report::Refused(_)), "{refused:?}");
        for _ in 0..2 {
            let (report, _) = run(&mut lock(&on, false, None), &mut chip, None);
            assert_eq!(
                (report, stands(&mut chip)),
                (Report::Lock(LockReport::Unlocked), THERE),
                "{}",
                phone.id
            );
        }
        assert_eq!(balance(&mut chip, 2000), 5000);
    }
}

#[test]
fn a_lock_cut_at_any_command_is_found_or_made_at_the_next_contact() {
    for (want, report, stand) in [(true, LockReport::Locked, NOWHERE), (false, LockReport::Unlocked, THERE)] {
        for at in 0..5 {
            for seen in [false, true] {
                let (mut chip, on) = issued(2000);
                if !want {
                    run(&mut lock(&on, true, None), &mut chip, None);
                }
                let (cut, written) = run(&mut lock(&on, want, None), &mut chip, Some((at, seen)));
                assert_eq!((cut, written.sent), (Report::Interrupted, at + 1), "{want} {at} {seen}");
                let (again, _) = run(&mut lock(&on, want, None), &mut chip, None);
                assert_eq!((again, stands(&mut chip)), (Report::Lock(report), stand), "{want} {at} {seen}");
            }
        }
    }
}

#[test]
fn a_load_in_doubt_is_asked_after_before_the_lock_which_waits_for_nothing() {
    for seen in [false, true] {
        let (mut chip, on) = issued(2000);
        let (_, written) = run(&mut load(2000, 5000, None), &mut chip, Some((4, seen)));
        let doubt = written.reserved[0];
        let (report, written) = run(&mut lock(&on, true, Some(doubt)), &mut chip, None);
        assert_eq!(report, Report::Lock(LockReport::Locked));
        assert_eq!((written.settled.len(), written.settled[0].1.is_some()), (1, seen));
        // Asked too late, nothing is proven, and nothing is settled: it stays in doubt.
        let (report, written) = run(&mut lock(&on, true, Some(doubt)), &mut chip, None);
        assert_eq!((report, written.settled.len()), (Report::Lock(LockReport::Locked), 0));
        run(&mut lock(&on, false, None), &mut chip, None);
        let (_, written) = run(&mut read(2000, Some(doubt)), &mut chip, None);
        assert_eq!((written.settled.len(), written.settled[0].1.is_some()), (1, seen));
        assert_eq!(balance(&mut chip, 2000), if seen { fen(5000).get() } else { 0 });
    }
}

#[test]
fn what_is_not_on_the_element_needs_no_lock_and_cannot_be_unlocked() {
    let (mut chip, on) = issued(3150);
    let (report, _) = run(&mut lock(&on, true, None), &mut chip, None);
    assert_eq!(report, Report::Lock(LockReport::Gone));
    let (report, _) = run(&mut lock(&on, false, None), &mut chip, None);
    assert!(matches!(report, Report::Refused(refusal) if refusal.code == RefusalCode::NotOurCard));
    assert_eq!(selected(&mut chip, COMMON), [0x90, 0x00], "the other city's card is as it was");
}

/// A phone that does as it is told but for one command, and answers that one as it likes.
struct Liar<'c, C: Channel> {
    card: &'c mut C,
    swallows: u8,
    says: Vec<u8>,
    kept: Vec<Vec<u8>>,
}

impl<C: Channel> Channel for Liar<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.kept.push(command.to_vec());
        if command[1] == self.swallows { Ok(self.says.clone()) } else { self.card.transmit(command) }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

#[test]
fn a_phone_that_swallows_the_lock_breaks_the_chain_of_macs_behind_it() {
    let (mut chip, on) = issued(2000);
    let mut phone = Liar { card: &mut chip, swallows: SET_STATUS, says: vec![0x90, 0x00], kept: Vec::new() };
    let (report, _) = run(&mut lock(&on, true, None), &mut phone, None);
    assert!(matches!(report, Report::Refused(refusal) if refusal.at == "GET STATUS"), "{report:?}");
    assert_eq!(stands(&mut chip), THERE);
}

#[test]
fn another_element_does_not_lock_in_its_place() {
    let (mut chip, on) = issued(2000);
    let (mut other, _) = element("huawei-mate-s");
    let (report, _) = run(&mut lock(&on, true, None), &mut other, None);
    assert!(matches!(report, Report::Refused(_)), "{report:?}");
    // Answers of the right element, recorded before, answer no fresh challenge.
    let mut phone = Liar { card: &mut chip, swallows: 0, says: Vec::new(), kept: Vec::new() };
    run(&mut lock(&on, true, None), &mut phone, None);
    let unlocking = run(&mut lock(&on, false, None), &mut phone, None).0;
    assert_eq!(unlocking, Report::Lock(LockReport::Unlocked));
    let kept = phone.kept.clone();
    run(&mut lock(&on, true, None), &mut chip, None);
    chip.reset().unwrap();
    for command in kept {
        chip.transmit(&command).unwrap();
    }
    assert_eq!(stands(&mut chip), NOWHERE, "kept scripts unlock nothing");
}
