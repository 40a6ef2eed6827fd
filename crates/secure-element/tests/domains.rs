//! Security domains: who may speak to them, what they say of themselves, and what they let happen.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use keys::Scp;
use secure_element::{MemoryStore, SoftwareElement};
use smartcard::gp::{
    Aid, CardData, Cplc, Delete, ExternalAuthenticate, GetData, GetStatus, InitializeUpdate, Install, Level,
    LifeCycle, Privilege, Scope, Select, SetStatus, StatusScope,
};
use smartcard::scp::{Opening, Session};
use smartcard::{Apdu, Channel, Command, Response, Status, tlv};
use support::{DOMAIN, Host, blocks, element, facts, instance, own, phone, put_keys};

fn new() -> Host<SoftwareElement> {
    let facts = facts("oppo-find7");
    Host::new(element(&facts, MemoryStore::default()), &facts)
}

/// The command inside the session.
fn within(host: &mut Host<SoftwareElement>, session: &mut Session, command: &impl Command) -> Response {
    host.send(&session.wrap(&command.to_apdu()))
}

fn list(host: &mut Host<SoftwareElement>, session: &mut Session, scope: Scope) -> Vec<smartcard::gp::Entry> {
    let mut command = GetStatus::everything(scope);
    let mut data = Vec::new();
    loop {
        let answer = within(host, session, &command);
        assert!(answer.data.len() <= 256);
        data.extend(answer.data);
        if answer.status != Status::MORE_DATA {
            assert_eq!(answer.status, Status::OK);
            return GetStatus::parse_response(&data).unwrap();
        }
        command = command.continued();
    }
}

#[test]
fn an_element_says_who_it_is_to_everybody() {
    let mut host = new();
    let said = |host: &mut Host<SoftwareElement>, tag| host.send(&GetData { tag }.to_apdu()).data;
    let number = [said(&mut host, 0x42), said(&mut host, 0x45)];
    let number = [tlv::find(&number[0], 0x42).unwrap(), tlv::find(&number[1], 0x45).unwrap()].concat();
    assert_eq!(hex::encode_upper(number), host.chip.se_id());
    let cplc = said(&mut host, Cplc::TAG);
    assert_eq!((cplc.len(), Cplc::parse(&cplc).unwrap().serial()), (45, [5, 6, 7, 8]));
    let data = CardData { version: [2, 2], protocol: 2, variant: 0x15 };
    assert_eq!(CardData::parse(&said(&mut host, CardData::TAG)), Some(data));
    assert_eq!(hex::encode_upper(said(&mut host, 0xE0)), "E012C00401208010C00402208010C00403208010");
    assert_eq!(hex::encode_upper(said(&mut host, 0xC1)), "C1020000");
    assert_eq!(host.send(&GetData { tag: 0x1234 }.to_apdu()).status, Status::NOT_FOUND);
}

#[test]
fn without_a_channel_no_content_is_changed_or_shown() {
    let mut host = phone();
    host.issue(2000);
    for name in [&[][..], DOMAIN.as_bytes()] {
        assert_eq!(host.select(name).status, Status::OK);
        for ins in ["E6", "E8", "E4", "E2", "D8", "F0", "F2"] {
            assert_eq!(host.hex(&format!("80{ins}0000")), Status::SECURITY_NOT_SATISFIED, "{ins}");
            assert_eq!(host.hex(&format!("84{ins}0000")), Status::SECURITY_NOT_SATISFIED, "{ins}");
        }
        assert_eq!(host.hex("80FE0000"), Status::WRONG_INS);
        assert_eq!(host.hex("A0A40000"), Status::WRONG_CLA);
        assert_eq!(host.hex("80500000"), Status::WRONG_LENGTH);
        assert_eq!(host.hex("8482"), Status::WRONG_LENGTH);
    }
}

#[test]
fn a_key_set_that_is_not_there_opens_nothing() {
    let mut host = new();
    let asked = |version| Opening::new(Scp::SCP02_15, version, [0; 16]).command().to_apdu();
    assert_eq!(host.send(&asked(0x21)).status, Status::NOT_FOUND);
    assert_eq!(host.send(&asked(0x20)).status, Status::OK);
    let early =
        ExternalAuthenticate { level: Level::Mac, host_cryptogram: vec![0; 8], mac: vec![0; 8] }.to_apdu();
    assert_eq!(host.send(&early).status, Status::AUTH_FAILED);
    assert_eq!(host.send(&early).status, Status::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn a_stranger_is_refused_and_the_counter_stays_and_who_knows_the_keys_moves_it() {
    let mut host = new();
    let opening = Opening::new(Scp::SCP02_15, 0, [7; 16]);
    let answer = host.send(&opening.command().to_apdu());
    let answer = InitializeUpdate::parse_response(&answer.data).unwrap();
    assert!(
        opening.authenticate(&answer, support::strange_keys(), Level::Mac).is_err(),
        "the element proves other keys"
    );
    let sequence = |host: &mut Host<SoftwareElement>| host.send(&GetData { tag: 0xC1 }.to_apdu()).data[3];
    let forged = ExternalAuthenticate { level: Level::Mac, host_cryptogram: vec![1; 8], mac: vec![2; 8] };
    assert_eq!(host.send(&forged.to_apdu()).status, Status::AUTH_FAILED);
    assert_eq!(sequence(&mut host), 0);
    host.issuer_session();
    host.select([]);
    assert_eq!(sequence(&mut host), 1);
}

#[test]
fn inside_a_channel_nothing_passes_without_its_protection_not_even_a_question() {
    for plain in [GetData { tag: 0x42 }.to_apdu(), GetStatus::all(Scope::Applications).to_apdu()] {
        let mut host = phone();
        let mut session = host.issuer_session();
        assert_eq!(within(&mut host, &mut session, &GetData { tag: 0x42 }).status, Status::OK);
        assert_eq!(host.send(&plain).status, Status::SECURITY_NOT_SATISFIED);
        let late = within(&mut host, &mut session, &GetStatus::all(Scope::Applications));
        assert_eq!(late.status, Status::SECURITY_NOT_SATISFIED, "the session is over");
    }
}

#[test]
fn a_select_ends_the_channel() {
    let mut host = phone();
    let mut session = host.issuer_session();
    assert_eq!(host.select(DOMAIN).status, Status::OK);
    let late = within(&mut host, &mut session, &GetStatus::all(Scope::Applications));
    assert_eq!(late.status, Status::SECURITY_NOT_SATISFIED);
}

#[test]
fn a_new_domain_opens_with_its_parents_keys_and_with_its_own_once_it_has_them() {
    let mut host = new();
    assert_eq!(host.install_domain(&[Privilege::SecurityDomain]), Status::OK);
    assert_eq!(host.install_domain(&[Privilege::SecurityDomain]), Status::CONDITIONS_NOT_SATISFIED, "twice");
    host.select(DOMAIN);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, Level::Mac);
    let command = put_keys(&session, 0);
    let answer = within(&mut host, &mut session, &command);
    assert_eq!(answer.data, command.expected_answer().to_bytes());
    host.select(DOMAIN);
    host.open(&own(), Level::Mac);
    assert_eq!(
        host.send(&Opening::new(Scp::SCP02_15, 0x20, [0; 16]).command().to_apdu()).status,
        Status::NOT_FOUND
    );
}

#[test]
fn a_key_with_a_flipped_bit_leaves_the_domain_as_it_was() {
    let mut host = new();
    host.install_domain(&[Privilege::SecurityDomain]);
    for (flip, bit) in [(0, 0x02), (15, 0x80), (16, 0x01)] {
        host.select(DOMAIN);
        let issuer = host.issuer();
        let mut session = host.open(&issuer, Level::MacAndEncryption);
        let mut command = put_keys(&session, 0);
        match flip {
            16 => command.keys[2].kcv[0] ^= bit,
            at => command.keys[1].cipher[at] ^= bit,
        }
        assert_eq!(within(&mut host, &mut session, &command).status, Status::WRONG_DATA);
    }
    host.select(DOMAIN);
    let issuer = host.issuer();
    host.open(&issuer, Level::Mac);
}

#[test]
fn new_keys_replace_the_old_ones_of_the_named_version_and_count_from_zero() {
    let mut host = phone();
    let mut session = host.domain_session();
    let (added, absent) = (put_keys(&session, 0), put_keys(&session, 0x22));
    assert_eq!(within(&mut host, &mut session, &added).status, Status::NOT_FOUND);
    assert_eq!(within(&mut host, &mut session, &absent).status, Status::NOT_FOUND);
    let replaced = put_keys(&session, 0x21);
    assert_eq!(within(&mut host, &mut session, &replaced).status, Status::OK);
    host.select(DOMAIN);
    assert_eq!(host.send(&GetData { tag: 0xC1 }.to_apdu()).data, [0xC1, 2, 0, 0]);
}

#[test]
fn only_the_issuer_and_a_domain_with_keys_and_the_right_make_purses() {
    let rights = [Privilege::SecurityDomain, Privilege::AuthorizedManagement];
    let mut host = new();
    let mut session = host.issuer_session();
    assert_eq!(host.install_purse(&mut session, instance(2000)), Status::OK);
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK);

    host.install_domain(&rights);
    host.select(DOMAIN);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, Level::Mac);
    let refused = host.install_purse(&mut session, instance(3150));
    assert_eq!(refused, Status::CONDITIONS_NOT_SATISFIED, "no keys of its own yet");
    let keys = put_keys(&session, 0);
    assert_eq!(within(&mut host, &mut session, &keys).status, Status::OK);
    assert_eq!(host.install_purse(&mut session, instance(3150)), Status::OK, "in the same session");
    let foreign = host.install_purse(&mut session, instance(2000));
    assert_eq!(foreign, Status::CONDITIONS_NOT_SATISFIED, "the name is taken");
    let another = Install::Personalize { target: instance(2000) };
    assert_eq!(within(&mut host, &mut session, &another).status, Status::CONDITIONS_NOT_SATISFIED);

    let mut host = new();
    host.install_domain(&[Privilege::SecurityDomain]);
    host.select(DOMAIN);
    let mut session = host.open(&issuer, Level::Mac);
    let keys = put_keys(&session, 0);
    within(&mut host, &mut session, &keys);
    assert_eq!(host.install_purse(&mut session, instance(2000)), Status::CONDITIONS_NOT_SATISFIED);
    let domain = host.domain(&rights);
    assert_eq!(within(&mut host, &mut session, &domain).status, Status::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn a_package_or_target_that_is_not_there_is_unknown() {
    let mut host = phone();
    let mut session = host.issuer_session();
    let mut strange = host.purse(instance(2000));
    strange.module = Aid::DOMAIN_MODULE;
    let unknown = Install::Application(strange);
    assert_eq!(within(&mut host, &mut session, &unknown).status, Status::NOT_FOUND);
    let nobody = Install::Personalize { target: instance(3150) };
    assert_eq!(within(&mut host, &mut session, &nobody).status, Status::NOT_FOUND);
    let gone = Delete { aid: instance(3150), related: false };
    assert_eq!(within(&mut host, &mut session, &gone).status, Status::NOT_FOUND);
}

#[test]
fn a_full_element_takes_no_more_until_something_is_deleted() {
    let mut facts = facts("oppo-find7");
    facts.free_bytes = 2048 + 6144;
    let mut host = Host::new(element(&facts, MemoryStore::default()), &facts);
    host.make_domain();
    let mut session = host.domain_session();
    assert_eq!(host.install_purse(&mut session, instance(2000)), Status::OK);
    assert_eq!(host.install_purse(&mut session, instance(3150)), Status::NO_ROOM);
    let delete = Delete { aid: instance(2000), related: false };
    assert_eq!(within(&mut host, &mut session, &delete).status, Status::OK);
    assert_eq!(host.install_purse(&mut session, instance(3150)), Status::OK);
}

#[test]
fn a_personalisation_is_whole_in_order_and_in_one_session_or_it_never_was() {
    let mut host = phone();
    let mut session = host.domain_session();
    host.install_purse(&mut session, instance(2000));
    let all = blocks(&session, 2000);
    assert!(all.len() > 1);
    let open = Install::Personalize { target: instance(2000) };

    let early = within(&mut host, &mut session, &all[0]);
    assert_eq!(early.status, Status::CONDITIONS_NOT_SATISFIED, "not opened");
    within(&mut host, &mut session, &open);
    assert_eq!(within(&mut host, &mut session, &all[1]).status, Status::WRONG_P1P2, "the second one first");
    assert_eq!(within(&mut host, &mut session, &all[0]).status, Status::CONDITIONS_NOT_SATISFIED, "closed");

    // Broken off after one block, opened again: what came before is forgotten.
    within(&mut host, &mut session, &open);
    assert_eq!(within(&mut host, &mut session, &all[0]).status, Status::OK);
    let mut session = host.open(&own(), Level::MacAndEncryption);
    let rest = within(&mut host, &mut session, &all[1]);
    assert_eq!(rest.status, Status::CONDITIONS_NOT_SATISFIED, "the other session has ended it");
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK);
    assert_eq!(within(&mut host, &mut session, &open).status, Status::CONDITIONS_NOT_SATISFIED, "once");
}

#[test]
fn the_registry_is_given_in_as_many_answers_as_it_needs_and_to_each_domain_its_own_part() {
    let mut host = phone();
    let cities = [1000, 2000, 3150, 4100, 5180, 6100, 7100];
    cities.iter().for_each(|city| host.issue(*city));
    let mut session = host.issuer_session();
    host.install_purse(&mut session, instance(2001));
    let all = list(&mut host, &mut session, Scope::Applications);
    assert_eq!(all.len(), cities.len() + 2);
    assert_eq!((all[0].aid, all[0].life_cycle), (DOMAIN, LifeCycle::PERSONALIZED));
    assert_eq!((all[1].aid, all[1].domain), (instance(1000), Some(DOMAIN)));
    assert_eq!(all.last().unwrap().life_cycle, LifeCycle::SELECTABLE, "not personalised");
    let end = within(&mut host, &mut session, &GetStatus::everything(Scope::Applications).continued());
    assert_eq!(end.status, Status::CONDITIONS_NOT_SATISFIED);

    let one = GetStatus { name: instance(3150).as_bytes().to_vec(), ..GetStatus::all(Scope::Applications) };
    let one = within(&mut host, &mut session, &one);
    assert_eq!(GetStatus::parse_response(&one.data).unwrap()[0].aid, instance(3150));
    let none = GetStatus { name: vec![0xB0; 5], ..GetStatus::all(Scope::Applications) };
    assert_eq!(within(&mut host, &mut session, &none).status, Status::NOT_FOUND);
    let issuer = list(&mut host, &mut session, Scope::IssuerDomain);
    assert!(issuer[0].privileges.unwrap().has(Privilege::GlobalDelete));
    assert_eq!(list(&mut host, &mut session, Scope::LoadFilesAndModules)[0].modules, [Aid::DOMAIN_MODULE]);

    let mut session = host.domain_session();
    assert_eq!(list(&mut host, &mut session, Scope::Applications).len(), cities.len() + 1);
}

#[test]
fn a_purse_leaves_by_its_own_domain_or_the_issuers_and_a_domain_only_when_it_is_empty() {
    let mut host = phone();
    host.issue(2000);
    host.issue(3150);
    let delete = |aid| Delete { aid, related: true };
    let mut session = host.domain_session();
    assert_eq!(within(&mut host, &mut session, &delete(instance(2000))).status, Status::OK);
    assert_eq!(within(&mut host, &mut session, &delete(DOMAIN)).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
    let mut session = host.issuer_session();
    assert_eq!(within(&mut host, &mut session, &delete(DOMAIN)).status, Status::CONDITIONS_NOT_SATISFIED);
    let package = delete(Aid::DOMAIN_PACKAGE);
    assert_eq!(within(&mut host, &mut session, &package).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(within(&mut host, &mut session, &delete(instance(3150))).status, Status::OK);
    assert_eq!(within(&mut host, &mut session, &delete(DOMAIN)).status, Status::OK);
    assert_eq!(host.select(DOMAIN).status, Status::FILE_NOT_FOUND);
}

#[test]
fn a_purse_is_handed_over_by_its_owner() {
    let mut host = phone();
    let mut session = host.issuer_session();
    host.install_purse(&mut session, instance(2000));
    let hand = |domain| Install::Extradite { domain, application: instance(2000) };
    assert_eq!(within(&mut host, &mut session, &hand(instance(3150))).status, Status::NOT_FOUND);
    assert_eq!(within(&mut host, &mut session, &hand(DOMAIN)).status, Status::OK);
    let again = within(&mut host, &mut session, &hand(DOMAIN));
    assert_eq!(again.status, Status::CONDITIONS_NOT_SATISFIED, "not the owner any more");
    let mut session = host.domain_session();
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK);
}

#[test]
fn what_is_only_installed_is_made_selectable_later() {
    let mut host = phone();
    let mut session = host.domain_session();
    let mut made = host.purse(instance(2000));
    made.selectable = false;
    assert_eq!(within(&mut host, &mut session, &Install::Application(made)).status, Status::OK);
    let personalise = Install::Personalize { target: instance(2000) };
    assert_eq!(within(&mut host, &mut session, &personalise).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
    let mut session = host.domain_session();
    let privileges = smartcard::gp::Privileges::default();
    let select = Install::MakeSelectable { instance: instance(2000), privileges };
    assert_eq!(within(&mut host, &mut session, &select).status, Status::OK);
    assert_eq!(within(&mut host, &mut session, &select).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select(instance(2000)).status, Status::OK);
}

fn set(scope: StatusScope, state: LifeCycle, aid: Option<Aid>) -> SetStatus {
    SetStatus { scope, state, aid }
}

#[test]
fn a_locked_purse_is_not_to_be_had_until_it_is_unlocked() {
    let mut host = phone();
    host.issue(2000);
    host.activate(2000, true);
    let lock = |locked: bool| {
        let state = if locked { LifeCycle::PERSONALIZED.locked() } else { LifeCycle::PERSONALIZED };
        set(StatusScope::Application, state, Some(instance(2000)))
    };
    let mut session = host.domain_session();
    assert_eq!(within(&mut host, &mut session, &lock(false)).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(within(&mut host, &mut session, &lock(true)).status, Status::OK);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
    assert_eq!(host.select(card::layout::PURSE_AID).status, Status::FILE_NOT_FOUND);
    assert_eq!(host.activate(2000, true).status, Status::SOME_FAILED);
    let mut session = host.issuer_session();
    assert_eq!(within(&mut host, &mut session, &lock(false)).status, Status::OK, "by the issuer");
    assert_eq!(host.select(card::layout::PURSE_AID).status, Status::OK);
}

#[test]
fn a_domain_is_locked_by_the_issuer_alone_or_with_all_it_owns() {
    let mut host = phone();
    host.issue(2000);
    let locked = LifeCycle::PERSONALIZED.locked();
    let mut session = host.domain_session();
    let command = set(StatusScope::Application, locked, Some(DOMAIN));
    assert_eq!(within(&mut host, &mut session, &command).status, Status::CONDITIONS_NOT_SATISFIED);
    let mut session = host.issuer_session();
    assert_eq!(within(&mut host, &mut session, &command).status, Status::OK);
    assert_eq!(host.select(DOMAIN).status, Status::FILE_NOT_FOUND);
    assert_eq!(host.select(instance(2000)).status, Status::OK);
    let mut session = host.issuer_session();
    let unlock = set(StatusScope::Application, LifeCycle::PERSONALIZED, Some(DOMAIN));
    within(&mut host, &mut session, &unlock);
    let all = set(StatusScope::DomainAndApplications, locked, Some(DOMAIN));
    assert_eq!(within(&mut host, &mut session, &all).status, Status::OK);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
}

#[test]
fn a_locked_element_has_nothing_but_its_issuers_domain() {
    let mut host = phone();
    host.issue(2000);
    let mut session = host.issuer_session();
    let lock = set(StatusScope::Card, LifeCycle::CARD_LOCKED, None);
    assert_eq!(within(&mut host, &mut session, &lock).status, Status::OK);
    let refused = host.install_purse(&mut session, instance(3150));
    assert_eq!(refused, Status::CONDITIONS_NOT_SATISFIED);
    for name in [DOMAIN, instance(2000), Aid::CONTACTLESS_REGISTRY] {
        assert_eq!(host.select(name).status, Status::FILE_NOT_FOUND);
    }
    assert_eq!(host.select([]).status, Status::FILE_INVALIDATED);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, Level::Mac);
    let back = set(StatusScope::Card, LifeCycle::INSTALLED, None);
    assert_eq!(within(&mut host, &mut session, &back).status, Status::CONDITIONS_NOT_SATISFIED);
    let unlock = set(StatusScope::Card, LifeCycle::SECURED, None);
    assert_eq!(within(&mut host, &mut session, &unlock).status, Status::OK);
    assert_eq!(host.select(instance(2000)).status, Status::OK);
}

#[test]
fn an_application_is_selected_by_the_beginning_of_its_name_and_then_the_next_one() {
    let mut host = phone();
    host.issue(2000);
    host.activate(2000, true);
    let next = |name: &[u8]| Select { name: name.to_vec(), next: true }.to_apdu();
    let common = &DOMAIN.as_bytes()[..8];
    assert_eq!(host.select(common).data, host.select(DOMAIN).data);
    let purse = host.send(&next(common));
    assert_eq!((purse.status, purse.data), (Status::OK, host.select(instance(2000)).data));
    assert_eq!(host.send(&next(common)).status, Status::FILE_NOT_FOUND);
    let issuer = host.facts.isd_aid.clone();
    assert_eq!(host.select([]).data, host.select(issuer.as_bytes()).data);
    assert_eq!(host.hex("00A4040011AABBCCDDEEFF00112233445566778899AA00"), Status::WRONG_LENGTH);
}

#[test]
fn a_select_that_finds_nothing_ends_what_the_purse_had_begun() {
    let mut host = phone();
    host.issue(2000);
    host.select(instance(2000));
    let begin = "805000020B0100001388000000000001";
    assert_eq!(host.hex(begin), Status::OK);
    assert_eq!(host.select([9; 5]).status, Status::FILE_NOT_FOUND);
    assert_eq!(host.hex("805200000B2014102008000000000000"), Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.hex("805C000204"), Status::OK, "the purse is still selected");
}

#[test]
fn power_off_forgets_selection_and_channel() {
    let mut host = phone();
    host.issue(2000);
    host.select(instance(2000));
    assert_eq!(host.hex("805C000204"), Status::OK);
    host.chip.reset().unwrap();
    assert_eq!(host.hex("805C000204"), Status::WRONG_INS, "the issuer's domain answers");
    let mut session = host.issuer_session();
    host.chip.reset().unwrap();
    let late = within(&mut host, &mut session, &GetStatus::all(Scope::Applications));
    assert_eq!(late.status, Status::SECURITY_NOT_SATISFIED);
}

#[test]
fn an_apdu_that_is_none_is_told_so() {
    let mut host = new();
    for bytes in [&[][..], &[0x80], &[0x80, 0xCA, 0], &[0x80, 0xCA, 0, 0x42, 5, 1]] {
        assert_eq!(host.chip.transmit(bytes), Ok(vec![0x67, 0x00]));
    }
    assert_eq!(host.send(&Apdu::case2([0x80, 0xCA, 0, 0x42], None)).status, Status::OK);
}
