//! Jobs over every secure channel that a profile can name, and elements that speak another one than their profile says.

use super::*;
use keys::{AesCheck, EncryptionCounter, KeyScheme, Scp};
use model::registry::ElementFacts;

fn made(facts: &ElementFacts, profile: &model::registry::Phone) -> (SoftwareElement, Element) {
    let maker = demo_element_keys(&facts.keys, facts.key_kind());
    let (store, random) = (Box::new(MemoryStore::default()), Box::new(Seeded::new(1)));
    let chip = SoftwareElement::manufacture([1, 2, 3, 4, 5, 6, 7, 8], facts, &maker, store, random).unwrap();
    let se_id = chip.se_id();
    (chip, Element { se_id, profile: profile.clone() })
}

/// The registry's own phone with SCP03, with another channel.
fn phone(scp: Scp, key_bits: Option<u16>, key_scheme: KeyScheme) -> model::registry::Phone {
    let mut profile = registry().phone("huawei-p10").unwrap().clone();
    let element = ElementFacts { scp, key_bits, key_scheme, ..profile.element };
    profile.element = element;
    profile
}

fn phones() -> Vec<model::registry::Phone> {
    let template = "$n A5 $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 00 11 22 $n";
    let template = KeyScheme::Template(template.parse().unwrap());
    let all = (2..=3).flat_map(|protocol| (0..=u8::MAX).filter_map(move |option| Scp::new(protocol, option)));
    all.flat_map(|scp| match scp {
        Scp::Scp02 { .. } => vec![phone(scp, None, template)],
        Scp::Scp03(_) => vec![
            phone(scp, None, template),
            phone(scp, Some(192), KeyScheme::Kdf3),
            phone(scp, Some(256), KeyScheme::None),
        ],
    })
    .collect()
}

#[test]
fn over_every_channel_a_card_is_issued_loaded_and_deleted() {
    for mut profile in phones() {
        profile.element.max_apdu = 231; // less than a whole command passes
        let (mut chip, on) = made(&profile.element, &profile);
        let name = format!("{} {:?}", profile.element.scp, profile.element.key_bits);
        assert_eq!(run(&mut issue(&on, 2000, &[]), &mut chip, None).0, Report::Issued, "{name}");
        let (report, _) = run(&mut load(2000, 5000, None), &mut chip, None);
        assert!(matches!(report, Report::Loaded { .. }), "{name}: {report:?}");
        assert_eq!(balance(&mut chip, 2000), 5000);
        assert_eq!(
            run(&mut issue(&on, 3150, &[2000]), &mut chip, None).0,
            Report::Issued,
            "{name}: a second"
        );
        assert_eq!(run(&mut delete::delete(&on, 3150, false), &mut chip, None).0, Report::Deleted, "{name}");
    }
}

#[test]
fn an_issue_over_scp03_cut_at_any_command_is_finished_by_starting_it_again() {
    let profile = registry().phone("huawei-p10").unwrap().clone();
    let whole = {
        let (mut chip, on) = made(&profile.element, &profile);
        run(&mut issue(&on, 2000, &[]), &mut chip, None).1.sent
    };
    for at in 0..whole {
        for seen in [false, true] {
            let (mut chip, on) = made(&profile.element, &profile);
            let mut job = issue(&on, 2000, &[]);
            let (report, _) = run(&mut job, &mut chip, Some((at, seen)));
            assert!(matches!(report, Report::Interrupted | Report::Issued), "cut at {at}: {report:?}");
            assert_eq!(run(&mut job, &mut chip, None).0, Report::Issued, "again after a cut at {at}, {seen}");
        }
    }
}

#[test]
fn an_element_that_speaks_otherwise_than_its_profile_is_sent_no_proof() {
    let (all, asked) = (phones(), registry().phone("huawei-p10").unwrap().clone());
    for other in all.iter().filter(|other| other.element.scp != asked.element.scp) {
        let (mut chip, on) = made(&other.element, &asked);
        let (report, written) = run(&mut issue(&on, 2000, &[]), &mut chip, None);
        let Report::Refused(refusal) = report else { panic!("{}: {report:?}", other.element.scp) };
        // A challenge of 8 bytes is not even taken in S16 mode.
        let codes = [RefusalCode::OtherProfile, RefusalCode::CardRefused];
        assert!(codes.contains(&refusal.code), "{}: {refusal}", other.element.scp);
        assert_eq!(written.sent, 3, "SELECT, SELECT, INITIALIZE UPDATE and not one command more");
    }
}

#[test]
fn habits_that_a_profile_names_are_spoken_and_ones_that_it_does_not_name_are_found_out() {
    let plain = registry().phone("huawei-p10").unwrap().clone();
    let mut strange = plain.clone();
    strange.element.aes_check = AesCheck::Zeros;
    strange.element.scp03_counter = EncryptionCounter::OnlyWithData;
    let (mut chip, on) = made(&strange.element, &strange);
    assert_eq!(run(&mut issue(&on, 2000, &[]), &mut chip, None).0, Report::Issued);
    let (mut chip, on) = made(&strange.element, &plain);
    let (report, _) = run(&mut issue(&on, 2000, &[]), &mut chip, None);
    assert!(matches!(report, Report::Refused(_)), "{report:?}");
}

/// A phone that changes what the element answers inside the channel.
struct Liar(SoftwareElement, usize);

impl Channel for Liar {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let mut answer = self.0.transmit(command)?;
        let protected = command.first() == Some(&0x84) && command.get(1) != Some(&0x82);
        if protected && answer.ends_with(&[0x90, 0x00]) {
            if self.1 == 0 {
                answer = vec![0x90, 0x00]; // "done", without the element's word for it
            }
            self.1 = self.1.wrapping_sub(1);
        }
        Ok(answer)
    }
    fn reset(&mut self) -> Result<(), ChannelError> {
        self.0.reset()
    }
}

#[test]
fn success_without_the_elements_own_mac_is_no_success() {
    let profile = registry().phone("huawei-p10").unwrap().clone();
    for lie in 0..5 {
        let (chip, on) = made(&profile.element, &profile);
        let (report, _) = run(&mut issue(&on, 2000, &[]), &mut Liar(chip, lie), None);
        let found = matches!(report, Report::Refused(refusal) if refusal.code == RefusalCode::NotGenuine);
        assert!(found, "lie {lie}: {report:?}");
    }
}
