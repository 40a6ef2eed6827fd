//! The contactless registry: which card a reader meets.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use card::layout::PURSE_AID;
use card::{PurseReader, PurseView};
use secure_element::{MemoryStore, SoftwareElement};
use smartcard::gp::crs::{Activation, Availability, CrsInfo, Failures, GetActivation, SetActivation};
use smartcard::gp::{Aid, Delete, Select};
use smartcard::{Command, Status, tlv};
use support::{Host, element, facts, instance, phone};

/// What a reader sees that selects by the cards' common name.
fn seen(host: &mut Host<SoftwareElement>) -> Option<u16> {
    let reader = PurseReader::new(&PURSE_AID, 0);
    let answers: Vec<_> = reader.commands().iter().map(|command| Some(host.send(command))).collect();
    reader.view(&answers).ok().map(|PurseView { public_info, .. }| public_info.city.get())
}

fn counter(host: &mut Host<SoftwareElement>) -> u16 {
    host.select(Aid::CONTACTLESS_REGISTRY);
    let answer = host.send(&smartcard::gp::GetData { tag: 0x00A5 }.to_apdu());
    CrsInfo::parse(tlv::find(&answer.data, 0xA5).unwrap()).unwrap().update_counter
}

#[test]
fn a_reader_meets_the_card_that_was_activated_last() {
    let mut host = phone();
    [2000, 3150, 4100].iter().for_each(|city| host.issue(*city));
    assert_eq!(seen(&mut host), None, "a card that is not active is not met");
    for city in [2000, 3150] {
        assert_eq!(host.activate(city, true).status, Status::OK);
        assert_eq!(seen(&mut host), Some(city));
    }
    host.activate(2000, true);
    assert_eq!(seen(&mut host), Some(2000), "again, so it is the last one");
    host.activate(2000, false);
    assert_eq!(seen(&mut host), Some(3150));
    host.activate(3150, false);
    assert_eq!(seen(&mut host), None);
    for city in [2000, 3150, 4100] {
        assert_eq!(host.select(instance(city)).status, Status::OK, "by its full name");
    }
}

#[test]
fn a_full_name_means_one_application_even_where_another_begins_so() {
    let mut host = phone();
    host.issue(2000);
    host.activate(2000, true);
    let mut session = host.domain_session();
    assert_eq!(host.install_purse(&mut session, Aid::of(PURSE_AID)), Status::OK);
    assert_eq!(host.personalise(&mut session, 3150, Aid::of(PURSE_AID)), Status::OK);
    assert_eq!(seen(&mut host), Some(3150));
    let next = Select { name: PURSE_AID.to_vec(), next: true }.to_apdu();
    assert_eq!(host.send(&next).data, host.select(instance(2000)).data);
}

#[test]
fn a_deleted_card_makes_room_for_the_one_before() {
    let mut host = phone();
    for city in [2000, 3150] {
        host.issue(city);
        host.activate(city, true);
    }
    let mut session = host.domain_session();
    let delete = Delete { aid: instance(3150), related: false }.to_apdu();
    assert_eq!(host.send(&session.wrap(&delete)).status, Status::OK);
    assert_eq!(seen(&mut host), Some(2000));
}

#[test]
fn an_element_without_the_service_shows_all_its_cards() {
    let mut facts = facts("oppo-find7");
    facts.crs = false;
    let mut host = Host::new(element(&facts, MemoryStore::default()), &facts);
    host.make_domain();
    host.issue(2000);
    assert_eq!(host.select(Aid::CONTACTLESS_REGISTRY).status, Status::FILE_NOT_FOUND);
    assert_eq!(seen(&mut host), Some(2000));
}

#[test]
fn the_service_lists_every_card_and_the_counter_rises_with_each_change_alone() {
    let mut host = phone();
    let cities = [1000, 2000, 3150, 4100, 5180, 6100, 7100, 8500, 9200, 1100, 2100, 3000, 3100, 3300];
    cities.iter().for_each(|city| host.issue(*city));
    let before = counter(&mut host);
    host.activate(3150, true);
    assert_eq!(counter(&mut host), before + 1);
    host.activate(2000, false);
    assert_eq!(counter(&mut host), before + 1, "it was off already");

    let mut command = GetActivation::default();
    let (mut rows, mut answers) = (Vec::new(), 0);
    loop {
        let answer = host.send(&command.to_apdu());
        assert!(answer.data.len() <= 256);
        rows.extend(answer.data);
        answers += 1;
        match answer.status {
            Status::MORE_DATA => command = command.continued(),
            status => break assert_eq!(status, Status::OK),
        }
    }
    let rows: Vec<Activation> = GetActivation::parse_response(&rows).unwrap();
    assert!(answers > 1);
    assert_eq!(rows.iter().map(|row| row.aid).collect::<Vec<_>>(), cities.map(instance));
    let active = rows.iter().filter(|row| row.availability == Availability::Activated);
    assert_eq!(active.map(|row| row.aid).collect::<Vec<_>>(), [instance(3150)]);
    let none = GetActivation { name: vec![9; 5], next: false };
    assert_eq!(host.send(&none.to_apdu()).status, Status::NOT_FOUND);
}

#[test]
fn what_cannot_be_switched_is_named_and_the_rest_is_switched() {
    let mut host = phone();
    host.issue(2000);
    let mut session = host.domain_session();
    assert_eq!(host.install_purse(&mut session, instance(3150)), Status::OK);
    host.select(Aid::CONTACTLESS_REGISTRY);
    let aids = vec![instance(3150), instance(2000), instance(4100)];
    let answer = host.send(&SetActivation { active: true, aids }.to_apdu());
    assert_eq!(answer.status, Status::SOME_FAILED);
    let failed = vec![instance(3150), instance(4100)];
    assert_eq!(Failures::parse(&answer.data), Some(Failures { conflicting: vec![], failed }));
    assert_eq!(seen(&mut host), Some(2000));
}

#[test]
fn the_service_knows_its_own_commands_alone() {
    let mut host = phone();
    let answer = host.select(Aid::CONTACTLESS_REGISTRY);
    let fci = Select::parse_response(&answer.data).unwrap();
    assert_eq!(fci.name, Aid::CONTACTLESS_REGISTRY.as_bytes());
    assert!(CrsInfo::parse(&fci.proprietary).is_some());
    let told = ["80CA004200", "80E60000", "00B00000", "84F00101", "80F0020000", "80F001010100"];
    let told = told.map(|command| host.hex(command));
    let [absent, ins, read, class, priority, nonsense] = told;
    assert_eq!(absent, Status::NOT_FOUND);
    assert_eq!((ins, read, class), (Status::WRONG_INS, Status::WRONG_INS, Status::WRONG_CLA));
    assert_eq!((priority, nonsense), (Status::WRONG_P1P2, Status::WRONG_DATA));
}
