//! Whole jobs on software elements and cards: done, repeated, cut at every command, settled both ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)] // a test may panic

mod channels;
mod delete;
mod drain;
mod hostile;
mod lock;
mod profiles;

use card::layout::PURSE_AID;
use keys::{CardRef, Seeded, SoftwareKeys, demo_element_keys, demo_transport_keys};
use model::registry::Registry;
use model::{CardNumber, CardTime, CityCode, PurseFen, Tac, TerminalId};
use secure_element::{MemoryStore, PlasticCard, SoftwareElement, personalise};
use smartcard::gp::Aid;
use smartcard::{Apdu, Channel, ChannelError, Response};
use tsm::{
    ActivatePlan, Drain, Element, Env, IssuePlan, Job, LoadPlan, Next, ReadPlan, RefusalCode, Report,
    Reservation, Unsettled, load_pin, new_card,
};

const LOAD_POINT: TerminalId = TerminalId::new([0, 0, 0, 0, 0, 1]);

fn registry() -> Registry {
    Registry::embedded().unwrap()
}

fn now() -> CardTime {
    "2014-10-20 08:00:00".parse().unwrap()
}

fn fen(fen: u32) -> PurseFen {
    PurseFen::try_from(fen).unwrap()
}

fn instance(city: u16) -> Aid {
    let [a, b] = CityCode::new(city).unwrap().to_bcd();
    Aid::new(&[&PURSE_AID[..], &[a, b, 1]].concat()).unwrap()
}

fn card_ref(city: u16) -> CardRef {
    let number = format!("{city:04}000000000007").parse::<CardNumber>().unwrap();
    CardRef { city: CityCode::new(city).unwrap(), number }
}

fn element(phone: &str) -> (SoftwareElement, Element) {
    let registry = registry();
    let profile = registry.phone(phone).unwrap().clone();
    let maker = demo_element_keys(&profile.element.keys, profile.element.key_kind());
    let serial = [1, 2, 3, 4, 5, 6, 7, 8];
    let store = Box::new(MemoryStore::default());
    let random = Box::new(Seeded::new(1));
    let chip = SoftwareElement::manufacture(serial, &profile.element, &maker, store, random).unwrap();
    let se_id = chip.se_id();
    (chip, Element { se_id, profile })
}

fn issue(on: &Element, city: u16, others: &[u16]) -> Job {
    let (registry, card) = (registry(), card_ref(city));
    let facts = registry.city(card.city).unwrap();
    let personalisation =
        new_card(facts, card.number, now().date(), LOAD_POINT, &mut Seeded::new(5)).unwrap();
    Job::issue(IssuePlan {
        element: on.clone(),
        card,
        instance: instance(city),
        personalisation,
        others: others.iter().map(|city| instance(*city)).collect(),
        may_hold_value: false,
    })
}

fn load(city: u16, amount: u32, unsettled: Option<Unsettled>) -> Job {
    let registry = registry();
    let facts = registry.city(CityCode::new(city).unwrap()).unwrap();
    Job::load(LoadPlan {
        card: Some(card_ref(city).number),
        aid: instance(city),
        amount: fen(amount),
        purse_limit: facts.card.purse_limit_fen,
        terminal: LOAD_POINT,
        pin: load_pin(facts),
        unsettled,
    })
}

fn read(city: u16, unsettled: Option<Reservation>) -> Job {
    let registry = registry();
    let pin = registry.city(CityCode::new(city).unwrap()).and_then(load_pin);
    let card = Some(card_ref(city).number);
    Job::read(ReadPlan { aid: instance(city), card, unsettled, pin, terminal: LOAD_POINT })
}

/// What a job asked to be written down, in order.
#[derive(Default, Debug)]
struct Written {
    reserved: Vec<Reservation>,
    settled: Vec<(Reservation, Option<Tac>)>,
    drains: Vec<Drain>,
    not_drained: Vec<Drain>,
    sent: usize,
}

/// Runs a job; `cut` is the number of the command at which the link goes, and whether the card still saw it.
fn run(job: &mut Job, card: &mut dyn Channel, cut: Option<(usize, bool)>) -> (Report, Written) {
    run_with(job, card, cut, 9)
}

/// The same, with a centre's dice of its own.
fn run_with(
    job: &mut Job,
    card: &mut dyn Channel,
    cut: Option<(usize, bool)>,
    seed: u64,
) -> (Report, Written) {
    let keys = SoftwareKeys::demo();
    let mut random = Seeded::new(seed);
    let mut env = Env { keys: &keys, entropy: &mut random, now: now() };
    let mut written = Written::default();
    let mut lost = false;
    card.reset().unwrap();
    let mut next = job.start(&mut env);
    loop {
        next = match next {
            Next::Run(commands) => {
                let mut one = |command: &Apdu| -> Option<Response> {
                    if lost {
                        return None;
                    }
                    let number = written.sent;
                    written.sent += 1;
                    match cut {
                        Some((at, seen)) if at == number => {
                            lost = true;
                            if seen {
                                card.exchange(command).unwrap();
                            }
                            None
                        }
                        _ => Some(card.exchange(command).unwrap()),
                    }
                };
                let answers: Vec<_> = commands.iter().map(&mut one).collect();
                job.answers(&answers, &mut env)
            }
            Next::Reserve(reservation) => {
                written.reserved.push(reservation);
                job.confirmed(&mut env)
            }
            Next::Settled { reservation, credited } => {
                written.settled.push((reservation, credited));
                job.confirmed(&mut env)
            }
            Next::ReserveDrain(drain) => {
                written.drains.push(drain);
                job.confirmed(&mut env)
            }
            Next::NotDrained(drain) => {
                written.not_drained.push(drain);
                job.confirmed(&mut env)
            }
            Next::Done(report) => return (report, written),
        };
    }
}

fn balance(card: &mut dyn Channel, city: u16) -> u32 {
    match run(&mut read(city, None), card, None).0 {
        Report::Read(view) => view.balance.get(),
        other => panic!("{other:?}"),
    }
}

fn issued(city: u16) -> (SoftwareElement, Element) {
    let (mut chip, on) = element("oppo-find7");
    assert_eq!(run(&mut issue(&on, city, &[]), &mut chip, None).0, Report::Issued);
    (chip, on)
}

#[test]
fn every_phone_in_the_registry_gets_a_card_and_a_load() {
    for phone in registry().phones().map(|phone| phone.id.clone()) {
        let (mut chip, on) = element(&phone);
        assert_eq!(run(&mut issue(&on, 2000, &[]), &mut chip, None).0, Report::Issued, "{phone}");
        let (report, written) = run(&mut load(2000, 5000, None), &mut chip, None);
        assert!(matches!(report, Report::Loaded { .. }), "{phone}: {report:?}");
        assert_eq!((written.reserved.len(), balance(&mut chip, 2000)), (1, 5000), "{phone}");
    }
}

#[test]
fn no_command_is_longer_than_the_phone_passes() {
    struct Measured(SoftwareElement, usize);
    impl Channel for Measured {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            let data = Apdu::parse(command).unwrap().data.len();
            assert!(data <= self.1, "{data} bytes of data; the phone passes {}", self.1);
            self.0.transmit(command)
        }
        fn reset(&mut self) -> Result<(), ChannelError> {
            self.0.reset()
        }
    }
    for phone in registry().phones() {
        let (chip, on) = element(&phone.id);
        let mut measured = Measured(chip, usize::from(phone.element.max_apdu));
        assert_eq!(run(&mut issue(&on, 2000, &[]), &mut measured, None).0, Report::Issued, "{}", phone.id);
    }
}

#[test]
fn an_issue_cut_at_any_command_is_finished_by_starting_it_again() {
    let whole = {
        let (mut chip, on) = element("oppo-find7");
        run(&mut issue(&on, 2000, &[]), &mut chip, None).1.sent
    };
    assert!(whole > 10);
    for at in 0..whole {
        for seen in [false, true] {
            let (mut chip, on) = element("oppo-find7");
            let mut job = issue(&on, 2000, &[]);
            let (report, _) = run(&mut job, &mut chip, Some((at, seen)));
            assert!(matches!(report, Report::Interrupted | Report::Issued), "cut at {at}: {report:?}");
            let (report, _) = run(&mut job, &mut chip, None);
            assert_eq!(report, Report::Issued, "again after a cut at {at}, seen: {seen}");
            assert_eq!(balance(&mut chip, 2000), 0);
            let (report, _) = run(&mut load(2000, 100, None), &mut chip, None);
            assert!(matches!(report, Report::Loaded { .. }), "{report:?}");
        }
    }
}

#[test]
fn a_load_cut_at_any_command_moves_money_once_or_never() {
    for at in 0..5 {
        for seen in [false, true] {
            let (mut chip, _) = issued(2000);
            let mut job = load(2000, 5000, None);
            let (report, written) = run(&mut job, &mut chip, Some((at, seen)));
            let Some(reservation) = written.reserved.first().copied() else {
                assert_eq!(report, Report::Interrupted, "cut at {at}");
                assert_eq!(balance(&mut chip, 2000), 0);
                continue;
            };
            assert_eq!(report, Report::Unknown { reservation }, "silence after CREDIT FOR LOAD is unknown");
            assert_eq!(balance(&mut chip, 2000), if seen { 5000 } else { 0 });
            // The same order, resumed: whatever happened, the card ends up with the value once.
            let unsettled = Some(Unsettled { reservation, same_order: true });
            let (report, written) = run(&mut load(2000, 5000, unsettled), &mut chip, None);
            assert!(matches!(report, Report::Loaded { .. }), "{report:?}");
            assert_eq!(balance(&mut chip, 2000), 5000);
            assert_eq!(written.settled.len(), usize::from(seen));
            assert_eq!(written.reserved.len(), usize::from(!seen));
        }
    }
}

#[test]
fn a_load_in_doubt_is_settled_both_ways_before_the_next_one() {
    for seen in [false, true] {
        let (mut chip, _) = issued(2000);
        let (_, written) = run(&mut load(2000, 5000, None), &mut chip, Some((4, seen)));
        let reservation = written.reserved[0];
        let unsettled = Some(Unsettled { reservation, same_order: false });
        let (report, written) = run(&mut load(2000, 300, unsettled), &mut chip, None);
        assert!(matches!(report, Report::Loaded { .. }), "{report:?}");
        assert_eq!(written.settled.len(), 1);
        assert_eq!(written.settled[0].1.is_some(), seen, "credited only if the card saw it");
        assert_eq!(balance(&mut chip, 2000), if seen { 5300 } else { 300 });
    }
}

#[test]
fn a_load_in_doubt_is_settled_even_if_the_purse_has_no_room_for_another() {
    let (mut chip, _) = issued(2000);
    let (_, written) = run(&mut load(2000, 60_000, None), &mut chip, Some((4, true)));
    let reservation = written.reserved[0];
    // The very order, resumed: the card has the value, and would not take it twice.
    let same = Some(Unsettled { reservation, same_order: true });
    let (report, settled) = run(&mut load(2000, 60_000, same), &mut chip, None);
    assert!(matches!(report, Report::Loaded { .. }), "{report:?}");
    assert_eq!(settled.settled.len(), 1);
    // Another order that does not fit: the doubt is settled, then the order refused.
    let other = Some(Unsettled { reservation, same_order: false });
    let (report, settled) = run(&mut load(2000, 60_000, other), &mut chip, None);
    assert!(matches!(report, Report::Refused(refusal) if refusal.code == RefusalCode::OverLimit));
    assert_eq!(settled.settled.len(), 1);
    assert_eq!(balance(&mut chip, 2000), 60_000);
}

#[test]
fn a_look_at_the_card_settles_a_load_in_doubt() {
    for seen in [false, true] {
        let (mut chip, _) = issued(2000);
        let (_, written) = run(&mut load(2000, 5000, None), &mut chip, Some((4, seen)));
        let (report, settled) = run(&mut read(2000, Some(written.reserved[0])), &mut chip, None);
        assert!(matches!(report, Report::Read(_)));
        assert_eq!(settled.settled.len(), 1);
        assert_eq!(settled.settled[0].1.is_some(), seen);
    }
}

#[test]
fn another_card_settles_nothing() {
    let (mut chip, _) = issued(2000);
    let (_, written) = run(&mut load(2000, 5000, None), &mut chip, Some((4, true)));
    let (mut other, _) = issued(3150);
    let job = ReadPlan {
        aid: instance(3150),
        card: None,
        unsettled: Some(written.reserved[0]),
        pin: None,
        terminal: LOAD_POINT,
    };
    let (report, settled) = run(&mut Job::read(job), &mut other, None);
    assert!(matches!(report, Report::Read(_)));
    assert!(settled.settled.is_empty(), "still in doubt");
}

#[test]
fn what_would_overfill_the_purse_or_is_not_the_card_is_refused_before_money_is_at_risk() {
    let (mut chip, _) = issued(2000);
    let code = |report: Report| match report {
        Report::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    let (report, written) = run(&mut load(2000, 100_001, None), &mut chip, None);
    assert_eq!((code(report), written.reserved.len()), (RefusalCode::OverLimit, 0));
    let (report, _) = run(&mut load(3150, 100, None), &mut chip, None);
    assert_eq!(code(report), RefusalCode::NotOurCard);
}

#[test]
fn two_cities_live_on_one_phone_and_readers_see_the_one_that_is_active() {
    let (mut chip, on) = issued(2000);
    assert_eq!(run(&mut issue(&on, 3150, &[2000]), &mut chip, None).0, Report::Issued);
    let seen = |chip: &mut SoftwareElement| {
        let common = ReadPlan {
            aid: Aid::of(PURSE_AID),
            card: None,
            unsettled: None,
            pin: None,
            terminal: LOAD_POINT,
        };
        match run(&mut Job::read(common), chip, None).0 {
            Report::Read(view) => view.public_info.city.get(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(seen(&mut chip), 3150);
    let plan = ActivatePlan { element: on, instance: instance(2000), others: vec![instance(3150)] };
    assert_eq!(run(&mut Job::activate(plan), &mut chip, None).0, Report::Activated);
    assert_eq!(seen(&mut chip), 2000);
}

#[test]
fn an_element_with_other_keys_is_tried_once_and_left_as_it_was() {
    let (_, on) = element("oppo-find7");
    let stranger = demo_element_keys("somebody-else", on.profile.element.key_kind());
    let store = Box::new(MemoryStore::default());
    let facts = &on.profile.element;
    let mut chip =
        SoftwareElement::manufacture([9; 8], facts, &stranger, store, Box::new(Seeded::new(2))).unwrap();
    let (report, written) = run(&mut issue(&on, 2000, &[]), &mut chip, None);
    assert!(matches!(report, Report::Refused(refusal) if refusal.code == RefusalCode::WrongKeys));
    assert_eq!(written.sent, 3, "SELECT, SELECT, INITIALIZE UPDATE and not one command more");
}

#[test]
fn a_full_element_says_so_and_keeps_what_it_has() {
    let (mut chip, on) = element("oppo-find7");
    let room = |done: usize| format!("after {done} cards");
    let cities: Vec<u16> = registry().cities().map(|city| city.code.get()).collect();
    let mut done = 0;
    for city in cities.iter().cycle().take(400) {
        if done >= cities.len() {
            return; // this model has room for every city there is
        }
        match run(&mut issue(&on, *city, &[]), &mut chip, None).0 {
            Report::Issued => done += 1,
            Report::Refused(refusal) => {
                assert_eq!(refusal.code, RefusalCode::NoRoom, "{}", room(done));
                assert_eq!(balance(&mut chip, cities[0]), 0);
                return;
            }
            other => panic!("{other:?} {}", room(done)),
        }
    }
}

/// A store that fails once it has been written to so often, as a dying memory does.
struct Shared(std::sync::Arc<std::sync::Mutex<usize>>, MemoryStore);

impl secure_element::Store for Shared {
    fn load(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        self.1.load()
    }
    fn save(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut left = self.0.lock().unwrap();
        if *left == 0 {
            return Err(std::io::Error::other("worn out"));
        }
        *left -= 1;
        self.1.save(bytes)
    }
}

#[test]
fn a_memory_that_fails_at_any_write_leaves_the_element_before_or_after_a_command() {
    let profile = registry().phone("oppo-find7").unwrap().clone();
    let maker = demo_element_keys(&profile.element.keys, profile.element.key_kind());
    for writes in 1.. {
        let store = MemoryStore::default();
        let left = std::sync::Arc::new(std::sync::Mutex::new(writes));
        let worn = Shared(left.clone(), store.clone());
        let mut chip = SoftwareElement::manufacture(
            [1, 2, 3, 4, 5, 6, 7, 8],
            &profile.element,
            &maker,
            Box::new(worn),
            Box::new(Seeded::new(1)),
        )
        .unwrap();
        let on = Element { se_id: chip.se_id(), profile: profile.clone() };
        let (issued, _) = run(&mut issue(&on, 2000, &[]), &mut chip, None);
        let (loaded, _) = run(&mut load(2000, 5000, None), &mut chip, None);
        let worn_out = *left.lock().unwrap() == 0;
        // Power off, a new life on the same memory: every job finds its way.
        drop(chip);
        let mut chip =
            SoftwareElement::open(Box::new(store.clone()), Box::new(Seeded::new(3))).unwrap().unwrap();
        assert_eq!(
            run(&mut issue(&on, 2000, &[]), &mut chip, None).0,
            Report::Issued,
            "after {writes} writes"
        );
        let before = balance(&mut chip, 2000);
        assert_eq!(before, if matches!(loaded, Report::Loaded { .. }) { 5000 } else { 0 });
        if !worn_out {
            assert_eq!(issued, Report::Issued);
            return;
        }
    }
}

#[test]
fn a_plastic_card_is_personalised_once_and_loaded_like_any_other() {
    let (keys, mut random) = (SoftwareKeys::demo(), Seeded::new(7));
    let store = Box::new(MemoryStore::default());
    let mut plastic = PlasticCard::blank(demo_transport_keys(), store, Box::new(Seeded::new(8))).unwrap();
    let (registry, card) = (registry(), card_ref(3150));
    let facts = registry.city(card.city).unwrap();
    let plan = new_card(facts, card.number, now().date(), LOAD_POINT, &mut random).unwrap();
    personalise(&mut plastic, &card, &plan, &keys, &mut random).unwrap();
    assert!(personalise(&mut plastic, &card, &plan, &keys, &mut random).is_err(), "never twice");
    let plan = LoadPlan {
        card: None,
        aid: Aid::of(PURSE_AID),
        amount: fen(2000),
        purse_limit: fen(100_000),
        terminal: LOAD_POINT,
        pin: load_pin(facts),
        unsettled: None,
    };
    let (report, _) = run(&mut Job::load(plan), &mut plastic, None);
    assert!(matches!(report, Report::Loaded { .. }), "{report:?}");
}

#[test]
fn a_silent_channel_interrupts_every_job_without_a_trace() {
    struct Silent;
    impl Channel for Silent {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
            Err(ChannelError::Lost("silent".into()))
        }
    }
    let (_, on) = element("oppo-find7");
    for mut job in [issue(&on, 2000, &[]), load(2000, 1, None), read(2000, None)] {
        let keys = SoftwareKeys::demo();
        let mut random = Seeded::new(9);
        let mut env = Env { keys: &keys, entropy: &mut random, now: now() };
        let Next::Run(commands) = job.start(&mut env) else { panic!() };
        let answers: Vec<Option<Response>> = commands.iter().map(|c| Silent.exchange(c).ok()).collect();
        assert!(matches!(job.answers(&answers, &mut env), Next::Done(Report::Interrupted)));
    }
}
