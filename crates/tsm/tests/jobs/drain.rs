//! The drain behind a phone that lies, keeps and replays: what it says of a purse moves nothing.

use model::{CityCode, TerminalId};
use secure_element::SoftwareElement;
use smartcard::{Channel, ChannelError};
use tsm::{Drain, DrainPlan, Job, RefusalCode, Report, load_pin};

use super::{balance, card_ref, instance, issued, load, registry, run, run_with};

const DRAW_DOWN_POINT: TerminalId = TerminalId::new([0, 1, 0, 0, 0, 1]);
/// INITIALIZE FOR LOAD, GET BALANCE, INITIALIZE FOR PURCHASE, DEBIT FOR PURCHASE, GET TRANSACTION PROVE.
const OFFER: [u8; 3] = [0x80, 0x50, 0x00];
const BALANCE: [u8; 3] = [0x80, 0x5C, 0x00];
const PURCHASE: [u8; 3] = [0x80, 0x50, 0x01];
const DEBIT: [u8; 3] = [0x80, 0x54, 0x01];
const PROVE: [u8; 3] = [0x80, 0x5A, 0x00];

fn drain(city: u16, attempt: u32, begun: Option<Drain>) -> Job {
    let registry = registry();
    let facts = registry.city(CityCode::new(city).unwrap()).unwrap();
    Job::drain(DrainPlan {
        card: card_ref(city),
        aid: instance(city),
        auth_id: facts.card.mac1_includes_auth_id,
        terminal: DRAW_DOWN_POINT,
        terminal_seq: attempt,
        pin: load_pin(facts),
        unsettled: None,
        begun,
        overspent: false,
    })
}

/// A phone that answers, keeps, and remembers.
struct Phone<'c> {
    card: &'c mut SoftwareElement,
    /// The answer to commands that begin so; what is answered so is kept from the card, and here.
    lies: Vec<([u8; 3], Vec<u8>)>,
    kept: Vec<Vec<u8>>,
    /// Every command with its true answer.
    seen: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'c> Phone<'c> {
    fn new(card: &'c mut SoftwareElement, lies: Vec<([u8; 3], Vec<u8>)>) -> Self {
        Phone { card, lies, kept: Vec::new(), seen: Vec::new() }
    }

    fn answer(&self, begin: [u8; 3]) -> Vec<u8> {
        self.seen.iter().rfind(|(command, _)| command.starts_with(&begin)).unwrap().1.clone()
    }
}

impl Channel for Phone<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if let Some((_, lie)) = self.lies.iter().find(|(begin, _)| command.starts_with(begin)) {
            self.kept.push(command.to_vec());
            return Ok(lie.clone());
        }
        let answer = self.card.transmit(command)?;
        self.seen.push((command.to_vec(), answer.clone()));
        Ok(answer)
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

fn loaded(amount: u32) -> SoftwareElement {
    let (mut chip, _) = issued(2000);
    run(&mut load(2000, amount, None), &mut chip, None);
    chip
}

#[test]
fn a_purse_is_drained_whole_and_once() {
    let mut chip = loaded(5000);
    let (report, written) = run(&mut drain(2000, 1, None), &mut chip, None);
    assert!(matches!(report, Report::Drained { proof: Some((drain, _)) } if drain.amount().get() == 5000));
    assert_eq!((balance(&mut chip, 2000), written.drains.len()), (0, 1));
    let (report, written) = run(&mut drain(2000, 2, None), &mut chip, None);
    assert_eq!((report, written.drains.len()), (Report::Drained { proof: None }, 0));
}

#[test]
fn a_phone_that_lies_about_the_balance_moves_nothing() {
    let mut chip = loaded(5000);
    let (mut empty, _) = issued(2000);
    let mut watched = Phone::new(&mut empty, Vec::new());
    run_with(&mut drain(2000, 1, None), &mut watched, None, 1);
    let of_the_empty = watched.answer(OFFER);
    let mut watched = Phone::new(&mut chip, Vec::new());
    run_with(&mut drain(2000, 1, None), &mut watched, Some((3, true)), 1);
    let mut more = watched.answer(OFFER);
    more[2] ^= 0x40;
    let refused = |report: &Report, code| matches!(report, Report::Refused(r) if r.code == code);
    for lie in [of_the_empty, more] {
        let mut phone = Phone::new(&mut chip, vec![(OFFER, lie)]);
        let (report, written) = run(&mut drain(2000, 2, None), &mut phone, None);
        assert!(refused(&report, RefusalCode::NotGenuine), "{report:?}");
        assert!(written.drains.is_empty());
    }
    for (begin, lie) in [(BALANCE, vec![0, 0, 0, 1, 0x90, 0]), (PURCHASE, vec![0; 15])] {
        let lie = if begin == PURCHASE { [lie, vec![0x90, 0]].concat() } else { lie };
        let mut phone = Phone::new(&mut chip, vec![(begin, lie)]);
        let (report, written) = run(&mut drain(2000, 3, None), &mut phone, None);
        assert!(matches!(report, Report::Interrupted | Report::Refused(_)), "{report:?}");
        assert!(written.drains.is_empty(), "nothing was reserved by the phone's word");
    }
    assert_eq!(balance(&mut chip, 2000), 5000);
}

#[test]
fn a_debit_that_a_phone_keeps_back_is_worth_nothing_once_the_card_has_disproven_it() {
    for lie in
        [vec![0x69, 0x85], vec![0x94, 0x01], vec![0x90, 0x00], [[0; 8].to_vec(), vec![0x90, 0]].concat()]
    {
        let mut chip = loaded(5000);
        let mut phone = Phone::new(&mut chip, vec![(DEBIT, lie)]);
        let (report, written) = run_with(&mut drain(2000, 1, None), &mut phone, None, 1);
        let (kept, begun) = (phone.kept, written.drains[0]);
        assert_eq!(report, Report::DrainUnknown, "no word of the phone ends it");
        // The next contact: disproven, and begun anew in the same session; then the kept command is played.
        let mut phone = Phone::new(&mut chip, vec![(DEBIT, vec![0x69, 0x85])]);
        let (report, written) = run_with(&mut drain(2000, 2, Some(begun)), &mut phone, None, 2);
        assert_eq!((report, written.not_drained.len()), (Report::DrainUnknown, 1));
        for command in kept {
            chip.transmit(&command).unwrap();
        }
        assert_eq!(balance(&mut chip, 2000), 5000, "the purchase that was let go never happens");
    }
}

#[test]
fn a_debit_that_a_phone_plays_later_is_proven_at_the_next_contact() {
    let mut chip = loaded(5000);
    let mut phone = Phone::new(&mut chip, vec![(DEBIT, vec![0x69, 0x85])]);
    let (_, written) = run_with(&mut drain(2000, 1, None), &mut phone, None, 1);
    let (kept, begun) = (phone.kept, written.drains[0]);
    chip.transmit(&kept[0]).unwrap();
    assert_eq!(balance(&mut chip, 2000), 0);
    // The phone denies it: the value is neither drained again nor called still there.
    let mut phone = Phone::new(&mut chip, vec![(PROVE, vec![0x69, 0x85])]);
    let (report, written) = run_with(&mut drain(2000, 2, Some(begun)), &mut phone, None, 2);
    assert!(matches!(report, Report::Refused(r) if r.code == RefusalCode::StillInDoubt), "{report:?}");
    assert!(written.not_drained.is_empty());
    let (report, _) = run_with(&mut drain(2000, 3, Some(begun)), &mut chip, None, 3);
    assert!(matches!(report, Report::Drained { proof: Some((drain, _)) } if drain == begun), "{report:?}");
}

#[test]
fn an_answer_of_an_earlier_time_proves_no_drain_and_disproves_none() {
    let mut chip = loaded(300);
    let mut watched = Phone::new(&mut chip, Vec::new());
    run_with(&mut drain(2000, 1, None), &mut watched, None, 1);
    let old_tac = watched.answer(DEBIT);
    run(&mut load(2000, 300, None), &mut chip, None);
    // The same sum again: the old proof is answered for the new purchase, which the card never sees.
    let mut phone = Phone::new(&mut chip, vec![(DEBIT, old_tac.clone())]);
    let (report, written) = run_with(&mut drain(2000, 2, None), &mut phone, None, 2);
    assert_eq!(report, Report::DrainUnknown);
    let begun = written.drains[0];
    let (with_value, tac_alone) = (phone.answer(OFFER), [&old_tac[4..8], &old_tac[..4], &[0x90, 0]].concat());
    let mut phone = Phone::new(&mut chip, vec![(PROVE, tac_alone), (OFFER, with_value)]);
    let (report, written) = run_with(&mut drain(2000, 3, Some(begun)), &mut phone, None, 3);
    assert!(matches!(report, Report::Refused(r) if r.code == RefusalCode::NotGenuine), "{report:?}");
    assert!(written.not_drained.is_empty());
    assert_eq!(balance(&mut chip, 2000), 300);
}
