//! Content management: load files, domains under domains, changes of the registry, logical channels, the end of an element.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use model::registry::ElementFacts;
use ring::digest;
use secure_element::{MemoryStore, SoftwareElement, Store};
use smartcard::gp::{
    Aid, Dap, Delete, DeleteKey, GetData, GetStatus, GetValue, Install, InstallApplication, InstallLoad,
    Level, LifeCycle, Load, LoadFile, ManageChannel, Package, Privilege, Privileges, PutKey, RegistryUpdate,
    Scope, Select, SetStatus, StatusScope,
};
use smartcard::scp::Session;
use smartcard::{Apdu, Channel, Command, Response, Status};
use support::{DOMAIN, Host, facts, instance, own, phone, put_keys};

/// A package of a city: its own name, and the purse's module.
const CITY: Aid = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x20]);
const BELOW: Aid = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x00, 0x53, 0x45]);

fn within(host: &mut Host<SoftwareElement>, session: &mut Session, command: &impl Command) -> Response {
    host.send(&session.wrap(&command.to_apdu()))
}

fn module(facts: &ElementFacts) -> Aid {
    Aid::new(facts.purse_module.as_bytes()).unwrap()
}

/// The city's package and some code of that many bytes.
fn package(facts: &ElementFacts, code: usize) -> LoadFile {
    let names = Package { aid: CITY, modules: vec![module(facts), Aid::DOMAIN_MODULE] }.to_bytes();
    let [high, low] = u16::try_from(code).unwrap().to_be_bytes();
    LoadFile { signatures: vec![], code: [&names[..], &[7, high, low], &vec![0xAA; code]].concat() }
}

fn announce(file: &LoadFile) -> InstallLoad {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &file.code);
    InstallLoad { load_file: CITY, domain: None, hash: hash.as_ref().to_vec(), system: vec![] }
}

/// INSTALL [for load] and all of LOAD, up to the first that is refused.
fn load(
    host: &mut Host<SoftwareElement>,
    session: &mut Session,
    file: &LoadFile,
    load: InstallLoad,
) -> Status {
    let mut last = within(host, session, &Install::Load(load)).status;
    for block in Load::series(file, 200).unwrap() {
        if last.is_ok() {
            last = within(host, session, &block).status;
        }
    }
    last
}

fn city_card(host: &Host<SoftwareElement>) -> Install {
    Install::Application(InstallApplication { load_file: CITY, ..host.purse(instance(2000)) })
}

#[test]
fn a_package_comes_in_blocks_and_cards_are_made_from_it() {
    let mut host = phone();
    let file = package(&host.facts.clone(), 700);
    let card = city_card(&host);
    let mut session = host.domain_session();
    assert_eq!(within(&mut host, &mut session, &card).status, Status::NOT_FOUND);
    assert_eq!(load(&mut host, &mut session, &file, announce(&file)), Status::OK);
    let again = load(&mut host, &mut session, &file, announce(&file));
    assert_eq!(again, Status::CONDITIONS_NOT_SATISFIED, "the name is taken");
    assert_eq!(within(&mut host, &mut session, &card).status, Status::OK);
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK);

    let query =
        GetStatus { name: CITY.as_bytes().to_vec(), ..GetStatus::everything(Scope::LoadFilesAndModules) };
    let answer = within(&mut host, &mut session, &query);
    let entry = &GetStatus::parse_response(&answer.data).unwrap()[0];
    assert_eq!((entry.modules.len(), entry.domain), (2, Some(DOMAIN)));

    // It cannot go while a card is made from it, and goes with the card.
    let delete = |related| Delete { aid: CITY, related };
    assert_eq!(within(&mut host, &mut session, &delete(false)).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select(instance(2000)).status, Status::OK);
    let mut session = host.domain_session();
    assert_eq!(within(&mut host, &mut session, &delete(true)).status, Status::OK);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
    let mut session = host.domain_session();
    assert_eq!(within(&mut host, &mut session, &delete(true)).status, Status::NOT_FOUND);
}

#[test]
fn a_module_that_the_element_cannot_run_makes_no_application() {
    let mut host = phone();
    let file = package(&host.facts.clone(), 10);
    let mut session = host.domain_session();
    load(&mut host, &mut session, &file, announce(&file));
    let strange =
        InstallApplication { load_file: CITY, module: Aid::DOMAIN_MODULE, ..host.purse(instance(2000)) };
    let refused = within(&mut host, &mut session, &Install::Application(strange));
    assert_eq!(refused.status, Status::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn what_does_not_fit_what_was_announced_leaves_nothing_behind() {
    let (facts, store) = (facts("oppo-find7"), MemoryStore::default());
    let mut host = Host::new(support::element(&facts, store.clone()), &facts);
    host.make_domain();
    let file = package(&facts, 300);
    let foreign = Package { aid: DOMAIN, modules: vec![] }.to_bytes();
    let flipped = {
        let mut file = file.clone();
        *file.code.last_mut().unwrap() ^= 1;
        file
    };
    let unknown = Dap { domain: DOMAIN, signature: vec![1; 128] };
    let signed = LoadFile { signatures: vec![unknown], ..file.clone() };
    let foreign = LoadFile { signatures: vec![], code: foreign };
    let long = InstallLoad { hash: vec![1; 21], ..announce(&file) };
    let cases = [
        (&flipped, announce(&file), Status::WRONG_DATA, "another hash"),
        (&file, long, Status::WRONG_DATA, "no hash of that length"),
        (&signed, announce(&file), Status::NOT_FOUND, "a signature of a domain without a key for it"),
        (&foreign, announce(&foreign), Status::WRONG_DATA, "a package of another name"),
        (&file, InstallLoad { domain: Some(BELOW), ..announce(&file) }, Status::NOT_FOUND, "for nobody"),
    ];
    // The session's counter moves with each channel, so the memory is compared inside one.
    let mut session = host.domain_session();
    let before = store.clone().load().unwrap();
    for (file, load_command, expected, why) in cases {
        assert_eq!(load(&mut host, &mut session, file, load_command), expected, "{why}");
        assert_eq!(store.clone().load().unwrap(), before, "{why}");
    }
    // Blocks out of order, or without an announcement.
    let blocks = Load::series(&file, 100).unwrap();
    assert_eq!(within(&mut host, &mut session, &blocks[0]).status, Status::CONDITIONS_NOT_SATISFIED);
    within(&mut host, &mut session, &Install::Load(announce(&file)));
    assert_eq!(within(&mut host, &mut session, &blocks[1]).status, Status::WRONG_P1P2);
    assert_eq!(within(&mut host, &mut session, &blocks[0]).status, Status::CONDITIONS_NOT_SATISFIED);
    // Another command in between ends it.
    within(&mut host, &mut session, &Install::Load(announce(&file)));
    within(&mut host, &mut session, &blocks[0]);
    within(&mut host, &mut session, &Install::Personalize { target: instance(2000) });
    assert_eq!(within(&mut host, &mut session, &blocks[1]).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(store.clone().load().unwrap(), before);
    assert_eq!(load(&mut host, &mut session, &file, announce(&file)), Status::OK);
}

#[test]
fn a_package_takes_room_and_a_full_element_says_so_while_it_comes() {
    let mut facts = facts("oppo-find7");
    facts.free_bytes = 2048 + 400;
    let mut host = Host::new(support::element(&facts, MemoryStore::default()), &facts);
    host.make_domain();
    let free = |host: &mut Host<SoftwareElement>| host.send(&GetData { tag: 0xFF21 }.to_apdu()).data;
    host.select(DOMAIN);
    assert_eq!(hex::encode_upper(free(&mut host)), "FF2109810100820400000190");
    let mut session = host.domain_session();
    let file = package(&facts, 700);
    assert_eq!(load(&mut host, &mut session, &file, announce(&file)), Status::NO_ROOM);
    let file = package(&facts, 100);
    assert_eq!(load(&mut host, &mut session, &file, announce(&file)), Status::OK);
}

#[test]
fn a_file_under_a_domain_that_must_see_its_signature_is_refused_without_one() {
    for privilege in [Privilege::DapVerification, Privilege::MandatedDapVerification] {
        let mut host = phone();
        let file = package(&host.facts.clone(), 10);
        let mut session = host.issuer_session();
        let Install::Application(domain) = host.domain(&[Privilege::SecurityDomain, privilege]) else {
            panic!()
        };
        let domain = Install::Application(InstallApplication { instance: BELOW, ..domain });
        assert_eq!(within(&mut host, &mut session, &domain).status, Status::OK);
        let for_it = InstallLoad { domain: Some(BELOW), ..announce(&file) };
        assert_eq!(load(&mut host, &mut session, &file, for_it), Status::SECURITY_NOT_SATISFIED);
        let mandated = privilege == Privilege::MandatedDapVerification;
        let for_another = if mandated { Status::SECURITY_NOT_SATISFIED } else { Status::OK };
        assert_eq!(
            load(&mut host, &mut session, &file, announce(&file)),
            for_another,
            "mandated: for all files"
        );
    }
}

#[test]
fn a_domain_below_ours_opens_with_our_keys_until_it_has_its_own_and_never_gets_more_than_we_have() {
    let mut host = phone();
    let mut session = host.domain_session();
    let below = |host: &Host<SoftwareElement>, privileges: &[Privilege]| {
        let Install::Application(domain) = host.domain(privileges) else { panic!() };
        Install::Application(InstallApplication { instance: BELOW, ..domain })
    };
    let more = below(&host, &[Privilege::SecurityDomain, Privilege::GlobalDelete]);
    assert_eq!(within(&mut host, &mut session, &more).status, Status::CONDITIONS_NOT_SATISFIED);
    let manages = [Privilege::SecurityDomain, Privilege::AuthorizedManagement];
    let made = below(&host, &manages);
    assert_eq!(within(&mut host, &mut session, &made).status, Status::OK);
    let ours = within(&mut host, &mut session, &Delete { aid: DOMAIN, related: false });
    assert_eq!(
        ours.status,
        Status::CONDITIONS_NOT_SATISFIED,
        "nobody deletes itself, or what has something below it"
    );

    host.select(BELOW);
    let mut session = host.open(&own(), Level::MacAndEncryption);
    let refused = host.install_purse(&mut session, instance(2000));
    assert_eq!(refused, Status::CONDITIONS_NOT_SATISFIED, "no keys of its own yet");
    let keys = PutKey { version: 0x22, ..put_keys(&session, 0) };
    assert_eq!(within(&mut host, &mut session, &keys).status, Status::OK);
    assert_eq!(host.install_purse(&mut session, instance(2000)), Status::OK);

    let mut session = host.domain_session();
    let seen = within(&mut host, &mut session, &GetStatus::everything(Scope::Applications));
    let seen = GetStatus::parse_response(&seen.data).unwrap();
    assert_eq!(seen.iter().map(|entry| entry.aid).collect::<Vec<_>>(), [DOMAIN, BELOW, instance(2000)]);
    assert_eq!(seen[1].domain, Some(DOMAIN));
}

#[test]
fn privileges_that_exclude_each_other_or_belong_to_domains_alone_are_refused() {
    use Privilege::*;
    let mut host = phone();
    let mut session = host.issuer_session();
    let cases: [&[Privilege]; 5] = [
        &[SecurityDomain, DelegatedManagement, AuthorizedManagement],
        &[SecurityDomain, DelegatedManagement, ReceiptGeneration],
        &[SecurityDomain, DelegatedManagement, TokenVerification],
        &[SecurityDomain, CipheredLoadFile],
        &[AuthorizedManagement],
    ];
    for privileges in cases {
        let Install::Application(domain) = host.domain(privileges) else { panic!() };
        let domain = Install::Application(InstallApplication { instance: BELOW, ..domain });
        assert_eq!(within(&mut host, &mut session, &domain).status, Status::WRONG_DATA, "{privileges:?}");
    }
    let purse =
        InstallApplication { privileges: Privileges::of(&[GlobalLock]), ..host.purse(instance(2000)) };
    let purse = within(&mut host, &mut session, &Install::Application(purse));
    assert_eq!(purse.status, Status::WRONG_DATA);
}

#[test]
fn a_change_of_the_registry_is_whole_or_not_at_all() {
    let mut host = phone();
    host.issue(2000);
    let mut session = host.domain_session();
    let update = RegistryUpdate {
        domain: None,
        application: instance(2000),
        privileges: Some(Privileges::of(&[Privilege::ContactlessSelfActivation])),
        implicit_selection: None,
    };
    let nowhere = RegistryUpdate { domain: Some(BELOW), ..update.clone() };
    assert_eq!(within(&mut host, &mut session, &Install::RegistryUpdate(nowhere)).status, Status::NOT_FOUND);
    let too_much =
        RegistryUpdate { privileges: Some(Privileges::of(&[Privilege::GlobalLock])), ..update.clone() };
    assert_eq!(
        within(&mut host, &mut session, &Install::RegistryUpdate(too_much)).status,
        Status::WRONG_DATA
    );
    let shown = |host: &mut Host<SoftwareElement>, session: &mut Session| {
        let query =
            GetStatus { name: instance(2000).as_bytes().to_vec(), ..GetStatus::all(Scope::Applications) };
        GetStatus::parse_response(&within(host, session, &query).data).unwrap()[0].privileges.unwrap()
    };
    assert_eq!(shown(&mut host, &mut session), Privileges::default());
    let update = Install::RegistryUpdate(update);
    assert_eq!(within(&mut host, &mut session, &update).status, Status::OK);
    assert!(shown(&mut host, &mut session).has(Privilege::ContactlessSelfActivation));
    let hand = RegistryUpdate {
        domain: Aid::new(host.facts.isd_aid.as_bytes()),
        application: instance(2000),
        privileges: None,
        implicit_selection: None,
    };
    let hand = Install::RegistryUpdate(hand);
    assert_eq!(within(&mut host, &mut session, &hand).status, Status::OK);
    let again = within(&mut host, &mut session, &hand);
    assert_eq!(again.status, Status::CONDITIONS_NOT_SATISFIED, "not the owner any more");
}

#[test]
fn the_implicitly_selected_card_is_the_one_that_a_reader_meets_first() {
    let mut facts = facts("oppo-find7");
    facts.crs = false;
    let mut host = Host::new(support::element(&facts, MemoryStore::default()), &facts);
    host.make_domain();
    [2000, 3150, 4100].iter().for_each(|city| host.issue(*city));
    for city in [4100, 2000, 3150, 2000] {
        let mut session = host.domain_session();
        let update = RegistryUpdate {
            domain: None,
            application: instance(city),
            privileges: None,
            implicit_selection: Some(RegistryUpdate::CONTACTLESS),
        };
        assert_eq!(within(&mut host, &mut session, &Install::RegistryUpdate(update)).status, Status::OK);
        let (met, named) = (host.select(card::layout::PURSE_AID), host.select(instance(city)));
        assert_eq!(met.data, named.data, "{city}");
    }
    let mut session = host.domain_session();
    host.install_purse(&mut session, instance(5180));
    let blank = RegistryUpdate {
        domain: None,
        application: instance(5180),
        privileges: None,
        implicit_selection: Some(RegistryUpdate::CONTACTLESS),
    };
    let blank = within(&mut host, &mut session, &Install::RegistryUpdate(blank));
    assert_eq!(blank.status, Status::CONDITIONS_NOT_SATISFIED, "a card without data");
}

#[test]
fn a_domain_is_never_without_the_keys_that_it_was_given() {
    let mut host = phone();
    let mut session = host.domain_session();
    let delete = |number, version| DeleteKey { number, version };
    for absent in [delete(None, Some(0x22)), delete(Some(4), Some(0x21)), delete(Some(0), None)] {
        assert_eq!(within(&mut host, &mut session, &absent).status, Status::NOT_FOUND);
    }
    let last = within(&mut host, &mut session, &delete(None, Some(0x21)));
    assert_eq!(last.status, Status::CONDITIONS_NOT_SATISFIED);
    host.domain_session();
}

fn on(channel: u8, command: &Apdu) -> Apdu {
    Apdu { cla: command.cla | channel, ..command.clone() }
}

#[test]
fn logical_channels_keep_their_own_selection_and_their_own_secure_channel() {
    let mut host = phone();
    host.issue(2000);
    let mut session = host.domain_session();
    let open = |host: &mut Host<SoftwareElement>| {
        let answer = host.send(&ManageChannel::Open.to_apdu());
        (answer.status, ManageChannel::parse_response(&answer.data).flatten())
    };
    assert_eq!(open(&mut host), (Status::OK, Some(1)));
    assert_eq!(open(&mut host), (Status::OK, Some(2)));
    assert_eq!(open(&mut host), (Status::OK, Some(3)));
    assert_eq!(open(&mut host).0, Status::NOT_SUPPORTED, "no more of them");

    let select = Select::by_name(instance(2000)).to_apdu();
    assert_eq!(host.send(&on(1, &select)).status, Status::OK);
    assert_eq!(host.send(&on(2, &select)).status, Status::CONDITIONS_NOT_SATISFIED, "one purse, one channel");
    // The domain's session on the basic channel is still there, and does not take its card from under a reader.
    let delete = Delete { aid: instance(2000), related: false };
    assert_eq!(within(&mut host, &mut session, &delete).status, Status::CONDITIONS_NOT_SATISFIED);
    // A wrapped command belongs to its channel: another one has no session.
    let stray = session.wrap(&GetStatus::all(Scope::Applications).to_apdu());
    assert_eq!(host.send(&on(3, &stray)).status, Status::SECURITY_NOT_SATISFIED);

    assert_eq!(host.send(&ManageChannel::Close(1).to_apdu()).status, Status::OK);
    assert_eq!(host.send(&on(1, &select)).status, Status::NO_CHANNEL);
    assert_eq!(host.send(&ManageChannel::Close(1).to_apdu()).status, Status::NO_CHANNEL);
    assert_eq!(host.send(&on(2, &select)).status, Status::OK);
    assert_eq!(host.hex("C0A4040000"), Status::NO_CHANNEL);
    host.chip.reset().unwrap();
    assert_eq!(host.send(&on(2, &select)).status, Status::NO_CHANNEL, "a reset leaves the basic one alone");
}

#[test]
fn a_value_is_told_without_its_tag() {
    let mut host = phone();
    host.select([]);
    let whole = host.send(&GetData { tag: 0x45 }.to_apdu()).data;
    assert_eq!(host.send(&GetValue { tag: 0x45 }.to_apdu()).data, whole[2..]);
    assert_eq!(host.send(&GetValue { tag: 0x1234 }.to_apdu()).status, Status::NOT_FOUND);
}

#[test]
fn a_terminated_element_says_who_it_was_and_nothing_else_for_ever() {
    let mut host = phone();
    host.issue(2000);
    let mut session = host.issuer_session();
    let end = SetStatus { scope: StatusScope::Card, state: LifeCycle::TERMINATED, aid: None };
    assert_eq!(within(&mut host, &mut session, &end).status, Status::OK);
    let back = SetStatus { state: LifeCycle::SECURED, ..end };
    assert_eq!(within(&mut host, &mut session, &back).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select([]).status, Status::FILE_INVALIDATED);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
    assert_eq!(
        host.hex("8050000008000102030405060700"),
        Status::CONDITIONS_NOT_SATISFIED,
        "no channel any more"
    );
    assert_eq!(host.send(&GetData { tag: 0x45 }.to_apdu()).status, Status::OK);
    assert_eq!(
        host.send(&GetStatus::all(Scope::IssuerDomain).to_apdu()).status,
        Status::CONDITIONS_NOT_SATISFIED
    );
}

#[test]
fn a_domain_without_the_right_to_manage_personalises_its_card_and_cannot_give_it_away_or_delete_it() {
    let facts = facts("oppo-find7");
    let mut host = Host::new(support::element(&facts, MemoryStore::default()), &facts);
    assert_eq!(host.install_domain(&[Privilege::SecurityDomain]), Status::OK);
    let mut session = host.issuer_session();
    assert_eq!(host.install_purse(&mut session, instance(2000)), Status::OK);
    let hand = Install::Extradite { domain: DOMAIN, application: instance(2000) };
    assert_eq!(within(&mut host, &mut session, &hand).status, Status::OK);
    host.select(DOMAIN);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, Level::MacAndEncryption);
    let keys = put_keys(&session, 0);
    assert_eq!(within(&mut host, &mut session, &keys).status, Status::OK);
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK);
    let isd = Aid::new(facts.isd_aid.as_bytes()).unwrap();
    let back = Install::Extradite { domain: isd, application: instance(2000) };
    assert_eq!(within(&mut host, &mut session, &back).status, Status::CONDITIONS_NOT_SATISFIED);
    let delete = Delete { aid: instance(2000), related: false };
    assert_eq!(within(&mut host, &mut session, &delete).status, Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.select(instance(2000)).status, Status::OK);
}
