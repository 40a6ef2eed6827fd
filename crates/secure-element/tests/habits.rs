//! Habits of phones' elements, each by its name in a profile.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use model::registry::{ElementFacts, Quirk};
use secure_element::{MemoryStore, SoftwareElement};
use smartcard::gp::crs::{Failures, Priority, SetActivation, SetPriority};
use smartcard::gp::{Aid, Install, InstallApplication, InstallParameters, Lengths, Select};
use smartcard::{Channel, Command, Response, Status};
use support::{Host, element, facts, instance};

fn with(quirks: &[Quirk]) -> Host<SoftwareElement> {
    let facts = ElementFacts { quirks: quirks.to_vec(), ..facts("oppo-find7") };
    let mut host = Host::new(element(&facts, MemoryStore::default()), &facts);
    host.make_domain();
    host
}

/// One command as the wire has it.
fn raw(host: &mut Host<SoftwareElement>, command: &str) -> String {
    hex::encode_upper(host.chip.transmit(&hex::decode(command).unwrap()).unwrap())
}

const SELECT_ISSUER: &str = "00A4040008A00000015100000000";

#[test]
fn an_answer_to_a_command_with_data_is_fetched_once_and_by_its_length() {
    let mut usual = with(&[]);
    let answer = raw(&mut usual, SELECT_ISSUER);
    let length = answer.len() / 2 - 2;
    let mut host = with(&[Quirk::GetResponse]);
    assert_eq!(raw(&mut host, SELECT_ISSUER), format!("61{length:02X}"));
    assert_eq!(raw(&mut host, "00C0000001"), format!("6C{length:02X}"), "not with another length");
    assert_eq!(raw(&mut host, &format!("00C00000{length:02X}")), answer);
    assert_eq!(raw(&mut host, &format!("00C00000{length:02X}")), "6985", "once");
    raw(&mut host, SELECT_ISSUER);
    assert_eq!(
        raw(&mut host, "80CA004500").len(),
        2 * (6 + 2),
        "a question without data is answered at once"
    );
    assert_eq!(raw(&mut host, &format!("00C00000{length:02X}")), "6985", "forgotten with the next command");
    assert_eq!(raw(&mut usual, "00C0000001"), "6D00", "others know no GET RESPONSE");
}

#[test]
fn a_question_with_another_length_is_asked_again_with_the_right_one_and_runs_once() {
    let mut host = with(&[Quirk::ExactLe]);
    host.select([]);
    assert_eq!(raw(&mut host, "80CA004500"), "6C06");
    assert_eq!(raw(&mut host, "80CA004506"), "450405060708".to_owned() + "9000");
    assert_eq!(raw(&mut host, "80CA004506").len(), 16, "the right length at once");
    // INITIALIZE UPDATE draws one challenge, not two.
    assert_eq!(raw(&mut host, "8050000008000102030405060700"), "6C1C");
    let first = raw(&mut host, "805000000800010203040506071C");
    assert_eq!(first.len(), 60);
    assert_eq!(raw(&mut host, "80CA004500"), "6C06");
    assert_eq!(raw(&mut host, "80CA004600"), "6A88", "another question is not the same one");
}

#[test]
fn a_whole_card_is_issued_through_both_habits_at_once() {
    let mut host = with(&[Quirk::ExactLe, Quirk::GetResponse]);
    host.issue(2000);
    assert_eq!(host.activate(2000, true).status, Status::OK);
    assert_eq!(host.select(card::layout::PURSE_AID).status, Status::OK);
}

#[test]
fn parameters_longer_than_127_bytes_are_understood_only_as_the_element_counts_them() {
    for (quirks, good, bad) in [
        (&[][..], Lengths::Ber, Lengths::OneByte),
        (&[Quirk::OneByteInstallLengths][..], Lengths::OneByte, Lengths::Ber),
    ] {
        let mut host = with(quirks);
        let parameters = InstallParameters { application: vec![1; 140], system: vec![] };
        let purse = Install::Application(InstallApplication { parameters, ..host.purse(instance(2000)) });
        let mut session = host.domain_session();
        let wrapped = session.wrap(&purse.to_apdu_with(bad));
        assert_eq!(host.send(&wrapped).status, Status::WRONG_DATA);
        let wrapped = session.wrap(&purse.to_apdu_with(good));
        assert_eq!(host.send(&wrapped).status, Status::OK);
    }
}

fn seen(host: &mut Host<SoftwareElement>) -> Vec<u8> {
    host.select(card::layout::PURSE_AID).data
}

fn card(host: &mut Host<SoftwareElement>, city: u16) -> Vec<u8> {
    host.select(instance(city)).data
}

fn priority(host: &mut Host<SoftwareElement>, priority: Priority, city: Option<u16>) -> Response {
    host.select(Aid::CONTACTLESS_REGISTRY);
    host.send(&SetPriority { priority, aid: city.map(instance) }.to_apdu())
}

#[test]
fn a_card_that_stands_in_the_way_is_named_and_nothing_is_switched() {
    let mut host = with(&[Quirk::OneActiveCard]);
    [2000, 3150].iter().for_each(|city| host.issue(*city));
    assert_eq!(host.activate(2000, true).status, Status::OK);
    assert_eq!(host.activate(2000, true).status, Status::OK, "itself is not in its way");
    let answer = host.activate(3150, true);
    let failures = Failures { conflicting: vec![instance(2000)], failed: vec![instance(3150)] };
    assert_eq!((answer.status, Failures::parse(&answer.data)), (Status::SOME_FAILED, Some(failures)));
    assert_eq!(seen(&mut host), card(&mut host, 2000));
    host.select(Aid::CONTACTLESS_REGISTRY);
    let both = SetActivation { active: false, aids: vec![instance(2000), instance(3150)] };
    assert_eq!(host.send(&both.to_apdu()).status, Status::OK);
    assert_eq!(host.activate(3150, true).status, Status::OK);
}

#[test]
fn cards_have_an_order_and_the_next_tap_is_nobodys_memory() {
    let mut host = with(&[]);
    let cities = [2000, 3150, 4100];
    for city in cities {
        host.issue(city);
        host.activate(city, true);
    }
    assert_eq!(seen(&mut host), card(&mut host, 4100));
    assert_eq!(priority(&mut host, Priority::Highest, Some(2000)).status, Status::OK);
    assert_eq!(seen(&mut host), card(&mut host, 2000));
    for city in [2000, 4100] {
        assert_eq!(priority(&mut host, Priority::Lowest, Some(city)).status, Status::OK);
    }
    assert_eq!(seen(&mut host), card(&mut host, 3150), "the two others are behind it");
    host.activate(3150, false);
    assert_eq!(seen(&mut host), card(&mut host, 2000), "the one that was put last is last");

    assert_eq!(priority(&mut host, Priority::NextTap, Some(4100)).status, Status::OK);
    host.chip.reset().unwrap();
    assert_eq!(seen(&mut host), card(&mut host, 4100), "a new field does not end it");
    assert_eq!(priority(&mut host, Priority::Usual, None).status, Status::OK);
    assert_eq!(seen(&mut host), card(&mut host, 2000));
    priority(&mut host, Priority::NextTap, Some(4100));
    host.activate(4100, false);
    host.activate(4100, true);
    host.activate(2000, true);
    assert_eq!(seen(&mut host), card(&mut host, 2000), "switched off, it is the next one no more");

    let off = priority(&mut host, Priority::NextTap, Some(3150)).status;
    assert_eq!(off, Status::CONDITIONS_NOT_SATISFIED, "a card that is not active");
    assert_eq!(priority(&mut host, Priority::Highest, Some(5180)).status, Status::NOT_FOUND);
}

#[test]
fn the_next_tap_is_gone_with_the_power() {
    let (facts, store) = (facts("oppo-find7"), MemoryStore::default());
    let mut host = Host::new(element(&facts, store.clone()), &facts);
    host.make_domain();
    for city in [2000, 3150] {
        host.issue(city);
        host.activate(city, true);
    }
    priority(&mut host, Priority::NextTap, Some(2000));
    assert_eq!(seen(&mut host), card(&mut host, 2000));
    let random = Box::new(keys::Seeded::new(9));
    let again = SoftwareElement::open(Box::new(store), random).unwrap().unwrap();
    let mut host = Host::new(again, &facts);
    assert_eq!(seen(&mut host), card(&mut host, 3150));
    assert_eq!(host.send(&Select::by_name([]).to_apdu()).status, Status::OK);
}
