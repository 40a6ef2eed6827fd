//! Cards taken off phones: only under the purse's own proof that it is empty, whatever the phone says.

use card::layout::PURSE_AID;
use keys::Seeded;
use model::CityCode;
use smartcard::{Channel, ChannelError};
use tsm::{DeletePlan, Element, IssuePlan, Job, RefusalCode, Report, load_pin, new_card};

use super::{LOAD_POINT, balance, card_ref, instance, issue, issued, load, now, registry, run, run_with};

pub(super) fn delete(on: &Element, city: u16, unfinished: bool) -> Job {
    let pin = registry().city(CityCode::new(city).unwrap()).and_then(load_pin);
    let (card, instance) = (card_ref(city), instance(city));
    Job::delete(DeletePlan { element: on.clone(), card, instance, pin, terminal: LOAD_POINT, unfinished })
}

fn code(report: &Report) -> RefusalCode {
    match report {
        Report::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_card_with_value_is_not_deleted_and_an_empty_one_is() {
    for city in registry().cities().map(|city| city.code.get()) {
        let (mut chip, on) = issued(city);
        run(&mut load(city, 5000, None), &mut chip, None);
        let (report, _) = run(&mut delete(&on, city, false), &mut chip, None);
        assert_eq!((code(&report), balance(&mut chip, city)), (RefusalCode::NotEmpty, 5000));

        let (mut chip, on) = issued(city);
        assert_eq!(run(&mut delete(&on, city, false), &mut chip, None).0, Report::Deleted);
        let (again, _) = run(&mut delete(&on, city, false), &mut chip, None);
        assert_eq!(again, Report::Deleted, "a repeated delete is done");
    }
}

/// A phone that answers for the card what its holder wants.
struct Liar<'c, C: Channel> {
    card: &'c mut C,
    /// What the commands that begin so are answered with.
    lies: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<C: Channel> Channel for Liar<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let truth = self.card.transmit(command)?;
        let lie = self.lies.iter().find(|(begin, _)| command.starts_with(begin));
        Ok(lie.map_or(truth, |(_, lie)| lie.clone()))
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

/// What the card answers an offer of nothing with, under the centre's dice of that seed.
fn offer(chip: &mut secure_element::SoftwareElement, on: &Element, seed: u64) -> Vec<u8> {
    let mut found = Vec::new();
    let watch = |command: &[u8], answer: Result<&[u8], &ChannelError>| {
        if command.starts_with(&[0x80, 0x50, 0x00]) {
            found = answer.unwrap().to_vec();
        }
    };
    run_with(
        &mut delete(on, 2000, false),
        &mut smartcard::Transcript::new(chip, watch),
        Some((3, true)),
        seed,
    );
    found
}

#[test]
fn a_card_that_may_hold_value_is_not_made_anew_on_a_phones_word() {
    let (mut chip, on) = issued(2000);
    run(&mut load(2000, 5000, None), &mut chip, None);
    let unfinished = vec![(vec![0x00, 0xA4, 0x04, 0x00, 0x0C], vec![0x6F, 0x00, 0x90, 0x00])];
    let issue_where = |may_hold_value| {
        let (registry, card) = (registry(), card_ref(2000));
        let facts = registry.city(card.city).unwrap();
        let personalisation =
            new_card(facts, card.number, now().date(), LOAD_POINT, &mut Seeded::new(5)).unwrap();
        let (element, instance) = (on.clone(), instance(2000));
        Job::issue(IssuePlan { element, card, instance, personalisation, others: vec![], may_hold_value })
    };
    let mut liar = Liar { card: &mut chip, lies: unfinished.clone() };
    let (report, _) = run(&mut issue_where(true), &mut liar, None);
    assert_eq!((code(&report), balance(&mut chip, 2000)), (RefusalCode::AlreadyThere, 5000));
    // The lie is a good one: where no value can be, the instance is made anew.
    run(&mut issue_where(false), &mut Liar { card: &mut chip, lies: unfinished }, None);
    assert_eq!(balance(&mut chip, 2000), 0);
}

#[test]
fn a_phone_that_calls_a_purse_empty_is_refused_and_the_value_stays() {
    let (mut chip, on) = issued(2000);
    let empty = offer(&mut chip, &on, 1);
    assert_eq!(empty.len(), 18);
    run(&mut load(2000, 5000, None), &mut chip, None);
    let whole = offer(&mut chip, &on, 2);
    let mut zeroed = whole.clone();
    zeroed[..4].fill(0);
    let offer = vec![0x80, 0x50, 0x00];
    let select =
        [&[0x00, 0xA4, 0x04, 0x00][..], &[u8::try_from(PURSE_AID.len()).unwrap() + 3], &PURSE_AID].concat();
    let blank = vec![0x6F, 0x02, 0x84, 0x00, 0x90, 0x00];
    for (lies, expected) in [
        (vec![(offer.clone(), empty)], RefusalCode::NotGenuine), // an answer of the time when it was
        (vec![(offer.clone(), zeroed)], RefusalCode::NotGenuine), // today's, with another balance
        (vec![(offer.clone(), whole)], RefusalCode::NotGenuine), // yesterday's
        (vec![(offer, vec![0x6A, 0x81])], RefusalCode::CardRefused),
        (vec![(vec![0x80, 0x5C], vec![0, 0, 0, 0, 0x90, 0])], RefusalCode::NotEmpty), // nobody asks
        (vec![(select, blank)], RefusalCode::NotOurCard), // called never personalised
    ] {
        let mut phone = Liar { card: &mut chip, lies };
        let (report, _) = run_with(&mut delete(&on, 2000, false), &mut phone, None, 3);
        assert_eq!((code(&report), balance(&mut chip, 2000)), (expected, 5000));
    }
}

#[test]
fn what_an_issue_left_half_made_goes_only_where_no_load_was_ever_reserved() {
    let (_, on) = issued(2000);
    let half = |at| {
        let (mut chip, _) = super::element("oppo-find7");
        run(&mut issue(&on, 2000, &[]), &mut chip, Some((at, false)));
        chip
    };
    let mut gone = 0;
    for at in 0..20 {
        let report = run(&mut delete(&on, 2000, false), &mut half(at), None).0;
        let trusted = run(&mut delete(&on, 2000, true), &mut half(at), None).0;
        if matches!(&report, Report::Refused(refusal) if refusal.code == RefusalCode::NotOurCard) {
            assert_eq!(trusted, Report::Deleted, "cut at {at}");
            gone += 1;
        }
    }
    assert!(gone > 1, "{gone} times a half made instance was there");
}
