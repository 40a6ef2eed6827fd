//! Every phone model: three cards, each of them active in its turn, a reader that meets it, and one taken off again.

use super::*;
use smartcard::gp::Select;
use smartcard::gp::crs::{Activation, Availability, GetActivation};
use smartcard::{Command, Status};

const CITIES: [u16; 3] = [2000, 3150, 5180];

/// What a reader meets that selects by the cards' common name.
fn met(chip: &mut SoftwareElement) -> Option<u16> {
    let common =
        ReadPlan { aid: Aid::of(PURSE_AID), card: None, unsettled: None, pin: None, terminal: LOAD_POINT };
    match run(&mut Job::read(common), chip, None).0 {
        Report::Read(view) => Some(view.public_info.city.get()),
        _ => None,
    }
}

fn activate(on: &Element, city: u16, others: &[u16]) -> Job {
    let others = others.iter().map(|city| instance(*city)).collect();
    Job::activate(ActivatePlan { element: on.clone(), instance: instance(city), others })
}

fn others(city: u16) -> Vec<u16> {
    CITIES.into_iter().filter(|other| *other != city).collect()
}

/// An element of this model with three cards, the last of them active.
fn three_cards(phone: &str) -> (SoftwareElement, Element) {
    let (mut chip, on) = element(phone);
    for (at, city) in CITIES.into_iter().enumerate() {
        let report = run(&mut issue(&on, city, &CITIES[..at]), &mut chip, None).0;
        assert_eq!(report, Report::Issued, "{phone}, {city}");
        assert_eq!(met(&mut chip), Some(city), "{phone}");
    }
    (chip, on)
}

#[test]
fn on_every_phone_each_of_three_cards_is_the_one_that_readers_meet_and_one_goes_again() {
    for phone in registry().phones() {
        let (mut chip, on) = three_cards(&phone.id);
        for city in [2000, 5180, 3150, 2000] {
            let (report, _) = run(&mut activate(&on, city, &others(city)), &mut chip, None);
            assert_eq!((report, met(&mut chip)), (Report::Activated, Some(city)), "{}", phone.id);
        }
        // A card that is not active is loaded all the same.
        let (report, _) = run(&mut load(3150, 5000, None), &mut chip, None);
        assert!(matches!(report, Report::Loaded { .. }), "{}: {report:?}", phone.id);
        assert_eq!((met(&mut chip), balance(&mut chip, 3150)), (Some(2000), 5000), "{}", phone.id);
        assert_eq!(
            run(&mut delete::delete(&on, 2000, false), &mut chip, None).0,
            Report::Deleted,
            "{}",
            phone.id
        );
        assert_ne!(met(&mut chip), Some(2000), "{}", phone.id);
    }
}

#[test]
fn an_activation_cut_at_any_command_is_finished_by_starting_it_again() {
    for phone in registry().phones() {
        let (mut chip, on) = three_cards(&phone.id);
        for at in 0..8 {
            for seen in [false, true] {
                let city = if at % 2 == 0 { 2000 } else { 3150 };
                let (report, _) = run(&mut activate(&on, city, &others(city)), &mut chip, Some((at, seen)));
                assert!(
                    matches!(report, Report::Interrupted | Report::Activated),
                    "{}: {report:?}",
                    phone.id
                );
                let (report, _) = run(&mut activate(&on, city, &others(city)), &mut chip, None);
                assert_eq!((report, met(&mut chip)), (Report::Activated, Some(city)), "{}", phone.id);
            }
        }
    }
}

#[test]
fn a_card_in_conflict_is_switched_off_though_nobody_knew_of_it() {
    let (mut chip, on) = three_cards("xiaomi-mi5s");
    let (report, written) = run(&mut activate(&on, 2000, &[]), &mut chip, None);
    assert_eq!((report, met(&mut chip)), (Report::Activated, Some(2000)));
    assert_eq!(written.sent, 2 + 3, "once refused, once off and on");
    // The same while a card is issued.
    let report = run(&mut issue(&on, 3000, &[]), &mut chip, None).0;
    assert_eq!((report, met(&mut chip)), (Report::Issued, Some(3000)));
}

#[test]
fn where_the_wanted_card_cannot_be_active_the_one_before_is_active_again() {
    /// A registry that finds a conflict, and then refuses all the same.
    struct Stubborn(SoftwareElement, u8);
    impl Channel for Stubborn {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            let wanted = Aid::new(instance(2000).as_bytes()).unwrap();
            if command.starts_with(&[0x80, 0xF0, 0x01, 0x01])
                && command.ends_with(&[wanted.as_bytes(), &[0]].concat())
            {
                self.1 += 1;
                if self.1 == 2 {
                    return Ok(vec![0x69, 0x85]);
                }
            }
            self.0.transmit(command)
        }
        fn reset(&mut self) -> Result<(), ChannelError> {
            self.0.reset()
        }
    }
    let (chip, on) = three_cards("xiaomi-mi5s");
    let mut chip = Stubborn(chip, 0);
    let (report, _) = run(&mut activate(&on, 2000, &[]), &mut chip, None);
    let Report::Refused(refusal) = report else { panic!("{report:?}") };
    assert_eq!(
        (refusal.code, refusal.status),
        (RefusalCode::CardRefused, Some(Status::CONDITIONS_NOT_SATISFIED))
    );
    assert_eq!(met(&mut chip.0), Some(5180), "the passenger is not left without a card");
}

#[test]
fn on_a_phone_without_the_registry_the_domains_keys_are_tried_once() {
    let (mut chip, mut on) = three_cards("htc-one");
    on.se_id = "0000000000000000".into();
    let (report, written) = run(&mut activate(&on, 2000, &[]), &mut chip, None);
    assert!(matches!(report, Report::Refused(refusal) if refusal.code == RefusalCode::WrongKeys));
    assert_eq!((written.sent, met(&mut chip)), (2, Some(5180)));
}

#[test]
fn only_one_card_is_active_where_the_phone_says_so() {
    for phone in ["xiaomi-mi5s", "oppo-find7"] {
        let (mut chip, _) = three_cards(phone);
        chip.exchange(&Select::by_name(Aid::CONTACTLESS_REGISTRY).to_apdu()).unwrap();
        let rows = chip.exchange(&GetActivation::default().to_apdu()).unwrap();
        let rows: Vec<Activation> = GetActivation::parse_response(&rows.data).unwrap();
        assert_eq!(
            rows.iter().filter(|row| row.availability == Availability::Activated).count(),
            1,
            "{phone}"
        );
    }
}

/// `phones/*.toml` of a folder of one's own, and nothing else: no code, no list.
#[test]
fn a_new_phone_model_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("phones")).unwrap();
    let text = r#"
        maker = { zh = "努比亚", en = "nubia" }
        model = { zh = "Z17", en = "Z17" }
        nfc_controller = "NXP PN553"
        assumed = ["element"]
        [element]
        vendor = "gemalto"
        isd_aid = "A000000018434D00"
        scp = "scp02-15"
        key_scheme = "emv"
        key_version = 0x42
        keys = "nubia"
        ssd_package = "A0000001515350"
        ssd_module = "A000000151535041"
        purse_package = "A00000000386980700"
        purse_module = "A0000000038698070100"
        crs = false
        free_bytes = 100000
        max_apdu = 128
        management = "simple"
        keys_held_by = "us"
        quirks = ["get-response", "exact-le", "one-byte-install-lengths"]
    "#;
    std::fs::write(folder.path().join("phones/nubia-z17.toml"), text).unwrap();
    let files = std::fs::read_dir(folder.path().join("phones")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = format!("phones/{}", path.file_name().unwrap().to_str().unwrap());
        (name, std::fs::read_to_string(&path).unwrap())
    });
    let registry = registry().overlay(files).unwrap();
    let profile = registry.phone("nubia-z17").unwrap().clone();
    let maker = demo_element_keys(&profile.element.keys, profile.element.key_kind());
    let (store, random) = (Box::new(MemoryStore::default()), Box::new(Seeded::new(1)));
    let mut chip = SoftwareElement::manufacture([7; 8], &profile.element, &maker, store, random).unwrap();
    let on = Element { se_id: chip.se_id(), profile };
    for (at, city) in CITIES.into_iter().enumerate() {
        assert_eq!(run(&mut issue(&on, city, &CITIES[..at]), &mut chip, None).0, Report::Issued);
        assert!(matches!(run(&mut load(city, 100, None), &mut chip, None).0, Report::Loaded { .. }));
    }
    assert_eq!(run(&mut activate(&on, 2000, &others(2000)), &mut chip, None).0, Report::Activated);
    assert_eq!(met(&mut chip), Some(2000));
}
