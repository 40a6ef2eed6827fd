//! Secure channels of every variant, level and key length, through the element's own APDUs; what opens none, and for how long.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test may fail loudly

mod support;

use keys::{
    AesCheck, ChannelOwner, EncryptionCounter, KeyKind, KeyScheme, KeyService, Scp, Scp03, SoftwareKeys,
    demo_element_keys,
};
use model::Entropy;
use model::registry::ElementFacts;
use secure_element::{MemoryStore, SoftwareElement, Store};
use smartcard::gp::{
    CardData, ExternalAuthenticate, GetData, GetStatus, InitializeUpdate, Install, Level, Privilege, PutKey,
    Scope,
};
use smartcard::scp::{NotAuthenticated, Opening, Session};
use smartcard::{Channel, Command, Response, Status, tlv};
use support::{DOMAIN, Host, SERIAL, facts};

/// Every channel that a profile can name, with every length of its keys.
fn profiles() -> Vec<ElementFacts> {
    let all = (2..=3).flat_map(|protocol| (0..=u8::MAX).filter_map(move |option| Scp::new(protocol, option)));
    let of = |scp, key_bits, key_scheme| ElementFacts { scp, key_bits, key_scheme, ..facts("oppo-find7") };
    all.flat_map(|scp| match scp {
        Scp::Scp02 { .. } => vec![of(scp, None, KeyScheme::Visa)],
        Scp::Scp03(_) => [128, 192, 256].map(|bits| of(scp, Some(bits), KeyScheme::Kdf3)).to_vec(),
    })
    .collect()
}

fn host(facts: &ElementFacts) -> (Host<SoftwareElement>, MemoryStore) {
    let store = MemoryStore::default();
    (Host::new(support::element(facts, store.clone()), facts), store)
}

fn own(facts: &ElementFacts) -> ChannelOwner {
    ChannelOwner::Domain { element: hex::encode_upper(SERIAL), kind: facts.key_kind() }
}

/// The command inside the session, its answer opened.
fn within(host: &mut Host<SoftwareElement>, session: &mut Session, command: &impl Command) -> Response {
    let answer = host.send(&session.wrap(&command.to_apdu()));
    session.open(&answer).unwrap()
}

fn put_keys(session: &Session, facts: &ElementFacts, replaces: u8, version: u8) -> PutKey {
    let element = hex::encode_upper(SERIAL);
    let sealed =
        SoftwareKeys::demo().wrap_domain_keys(&element, facts.key_kind(), facts.aes_check, session.keys());
    PutKey { replaces, version, first_key: 1, keys: sealed.unwrap().to_vec() }
}

/// A domain of ours with its own keys, made at that level.
fn make_domain(host: &mut Host<SoftwareElement>, level: Level) {
    let (facts, issuer) = (host.facts.clone(), host.issuer());
    host.select([]);
    let mut session = host.open(&issuer, level);
    let domain = host.domain(&[Privilege::SecurityDomain, Privilege::AuthorizedManagement]);
    assert_eq!(within(host, &mut session, &domain).status, Status::OK);
    host.select(DOMAIN);
    let mut session = host.open(&issuer, level);
    let put = put_keys(&session, &facts, 0, 0x21);
    let taken = within(host, &mut session, &put);
    assert_eq!((taken.status, taken.data), (Status::OK, put.expected_answer().to_bytes()));
}

#[test]
fn every_channel_at_every_level_opens_manages_and_closes() {
    let mut opened = 0;
    for facts in profiles() {
        for level in Level::ALL.into_iter().filter(|level| level.fits(facts.scp)) {
            let (mut host, _) = host(&facts);
            make_domain(&mut host, level);
            host.select(DOMAIN);
            let mut session = host.open(&own(&facts), level);
            let asked = within(&mut host, &mut session, &GetData { tag: 0x42 });
            assert_eq!(tlv::find(&asked.data, 0x42), Some(&SERIAL[..4]), "{} {level:?}", facts.scp);
            for city in [2000, 3150] {
                let purse = Install::Application(host.purse(support::instance(city)));
                assert_eq!(within(&mut host, &mut session, &purse).status, Status::OK);
            }
            let list = within(&mut host, &mut session, &GetStatus::all(Scope::Applications));
            assert_eq!(GetStatus::parse_response(&list.data).unwrap().len(), 3);
            let twice = Install::Application(host.purse(support::instance(2000)));
            let refused = within(&mut host, &mut session, &twice).status;
            assert_eq!(refused, Status::CONDITIONS_NOT_SATISFIED, "a refusal leaves the session open");
            assert_eq!(within(&mut host, &mut session, &GetData { tag: 0x45 }).status, Status::OK);
            host.select(DOMAIN);
            let late = host.send(&session.wrap(&GetStatus::all(Scope::Applications).to_apdu())).status;
            assert_eq!(late, Status::SECURITY_NOT_SATISFIED);
            opened += 1;
        }
    }
    assert_eq!(opened, 2 * 3 + 3 * (4 * 3 + 4 * 5 + 4 * 6));
}

#[test]
fn an_element_says_which_channel_and_which_keys_it_has() {
    for facts in profiles() {
        let (mut host, _) = host(&facts);
        let data = host.send(&GetData { tag: CardData::TAG }.to_apdu()).data;
        let said = CardData::parse(&data).unwrap();
        assert_eq!(Scp::new(said.protocol, said.variant), Some(facts.scp));
        let keys = host.send(&GetData { tag: 0xE0 }.to_apdu()).data;
        let kind: u8 = if facts.key_kind() == KeyKind::TripleDes { 0x80 } else { 0x88 };
        let expected = [facts.key_version, kind, facts.key_kind().bytes() as u8];
        assert_eq!(keys[5..8], expected, "{}", facts.scp);
    }
}

/// The counter of the selected domain's keys, where it has one.
fn counter(host: &mut Host<SoftwareElement>) -> Option<u32> {
    let answer = host.send(&GetData { tag: 0xC1 }.to_apdu());
    let value = tlv::find(&answer.data, 0xC1)?;
    Some(value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

#[test]
fn counters_rise_as_each_protocol_says_and_survive_a_power_cut() {
    for facts in profiles() {
        let (mut host, store) = host(&facts);
        let issuer = host.issuer();
        let offered = Opening::new(facts.scp, 0, [5; 16]);
        assert_eq!(host.send(&offered.command().to_apdu()).status, Status::OK);
        let pseudo = matches!(facts.scp, Scp::Scp03(Scp03 { pseudo_random: true, .. }));
        let counted = match facts.scp {
            Scp::Scp02 { .. } => [Some(0), Some(1)],
            Scp::Scp03(_) if pseudo => [Some(1), Some(2)],
            Scp::Scp03(_) => [None, None],
        };
        assert_eq!(counter(&mut host), counted[0], "{}: offered", facts.scp);
        host.open(&issuer, Level::Mac);
        host.select([]);
        assert_eq!(counter(&mut host), counted[1], "{}: opened", facts.scp);
        drop(host);
        let random = Box::new(keys::Seeded::new(8));
        let chip = SoftwareElement::open(Box::new(store), random).unwrap().unwrap();
        let mut host = Host::new(chip, &facts);
        assert_eq!(counter(&mut host), counted[1], "{}: kept", facts.scp);
        host.open(&issuer, Level::Mac);
    }
}

#[test]
fn a_challenge_is_never_the_same_twice() {
    for facts in profiles() {
        let (mut host, _) = host(&facts);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let issuer = host.issuer();
            let offered = Opening::new(facts.scp, 0, [5; 16]);
            let answer = host.send(&offered.command().to_apdu()).data;
            assert!(!seen.contains(&answer), "{}", facts.scp);
            seen.push(answer);
            host.open(&issuer, Level::Plain);
        }
    }
}

#[test]
fn ten_wrong_proofs_in_a_row_close_a_key_set_and_a_right_one_before_them_opens_it_anew() {
    for facts in profiles() {
        let (mut host, _) = host(&facts);
        let width = if let Scp::Scp03(option) = facts.scp { option.width() } else { 8 };
        let wrong = |host: &mut Host<SoftwareElement>| {
            let mut random = [0; 16];
            host.random.fill(&mut random);
            let update = host.send(&Opening::new(facts.scp, 0, random).command().to_apdu()).status;
            let proof = ExternalAuthenticate {
                level: Level::Mac,
                host_cryptogram: vec![1; width],
                mac: vec![2; width],
            };
            (update, host.send(&proof.to_apdu()).status)
        };
        let issuer = host.issuer();
        for _ in 0..9 {
            assert_eq!(wrong(&mut host), (Status::OK, Status::AUTH_FAILED));
        }
        host.open(&issuer, Level::Mac); // in time
        for _ in 0..10 {
            host.chip.reset().unwrap(); // power does not give tries back
            assert_eq!(wrong(&mut host), (Status::OK, Status::AUTH_FAILED));
        }
        assert_eq!(
            wrong(&mut host),
            (Status::AUTH_BLOCKED, Status::CONDITIONS_NOT_SATISFIED),
            "{}",
            facts.scp
        );
    }
}

#[test]
fn a_host_with_other_keys_sends_no_proof() {
    for facts in profiles() {
        let maker = demo_element_keys("somebody-else", facts.key_kind());
        let store = MemoryStore::default();
        let random = Box::new(keys::Seeded::new(1));
        let chip =
            SoftwareElement::manufacture(SERIAL, &facts, &maker, Box::new(store.clone()), random).unwrap();
        let mut host = Host::new(chip, &facts);
        let opening = Opening::new(facts.scp, 0, [7; 16]);
        let answer = host.send(&opening.command().to_apdu());
        let answer = InitializeUpdate::parse_response(&answer.data).unwrap();
        let keys = SoftwareKeys::demo().open_channel(&host.issuer(), &opening.facts(&answer)).unwrap();
        let refused = opening.authenticate(&answer, keys, Level::Mac).err();
        assert_eq!(refused, Some(NotAuthenticated::WrongCryptogram { key_version: facts.key_version }));
    }
}

#[test]
fn keys_of_another_kind_make_no_element_and_enter_no_domain() {
    let aes =
        ElementFacts { scp: Scp::new(3, 0x70).unwrap(), key_scheme: KeyScheme::None, ..facts("oppo-find7") };
    let made = |facts: &ElementFacts, kind| {
        let (maker, store) = (demo_element_keys("oppo", kind), Box::new(MemoryStore::default()));
        SoftwareElement::manufacture(SERIAL, facts, &maker, store, Box::new(keys::Seeded::new(1))).map(drop)
    };
    assert!(made(&aes, KeyKind::Aes256).is_ok());
    assert!(made(&aes, KeyKind::TripleDes).unwrap_err().to_string().contains("3DES"));
    assert!(made(&facts("oppo-find7"), KeyKind::Aes128).is_err());

    let (mut host, _) = host(&aes);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, Level::Full);
    let domain = support_domain(&host);
    assert_eq!(within(&mut host, &mut session, &domain).status, Status::OK);
    host.select(DOMAIN);
    let mut session = host.open(&issuer, Level::Full);
    let (element, check) = (hex::encode_upper(SERIAL), AesCheck::Ones);
    let sealed = SoftwareKeys::demo().wrap_domain_keys(&element, KeyKind::TripleDes, check, session.keys());
    let put = PutKey { replaces: 0, version: 0x21, first_key: 1, keys: sealed.unwrap().to_vec() };
    assert_eq!(within(&mut host, &mut session, &put).status, Status::WRONG_DATA);
}

fn support_domain(host: &Host<SoftwareElement>) -> Install {
    host.domain(&[Privilege::SecurityDomain, Privilege::AuthorizedManagement])
}

#[test]
fn an_elements_own_habits_are_met_by_a_host_that_knows_them_and_by_no_other() {
    let strange = ElementFacts {
        scp: Scp::new(3, 0x70).unwrap(),
        key_scheme: KeyScheme::Kdf3,
        aes_check: AesCheck::Zeros,
        scp03_counter: EncryptionCounter::OnlyWithData,
        ..facts("oppo-find7")
    };
    let (mut told, _) = host(&strange);
    make_domain(&mut told, Level::Full);

    // The same element, and a host that goes by the standard.
    let (mut untold, _) = host(&strange);
    untold.facts.scp03_counter = EncryptionCounter::EveryCommand;
    let issuer = untold.issuer();
    let mut session = untold.open(&issuer, Level::Full);
    let bare = untold.send(&session.wrap(&GetData { tag: 0x42 }.to_apdu()));
    assert!(session.open(&bare).is_err(), "the answer is enciphered under another number");
    let list = untold.send(&session.wrap(&GetStatus::all(Scope::Applications).to_apdu())).status;
    assert_ne!(list, Status::OK);

    let (mut other, _) = host(&strange);
    let mut session = other.open(&issuer, Level::Full);
    let domain = support_domain(&other);
    assert_eq!(within(&mut other, &mut session, &domain).status, Status::OK);
    other.select(DOMAIN);
    let mut session = other.open(&issuer, Level::Full);
    let standard = ElementFacts { aes_check: AesCheck::Ones, ..strange.clone() };
    let put = put_keys(&session, &standard, 0, 0x21);
    assert_eq!(within(&mut other, &mut session, &put).status, Status::WRONG_DATA, "the other check values");
}

#[test]
fn a_domains_keys_are_rotated_and_the_old_ones_open_nothing() {
    for facts in profiles() {
        let (mut host, _) = host(&facts);
        let level = Level::strongest(facts.scp);
        make_domain(&mut host, level);
        host.select(DOMAIN);
        let mut session = host.open(&own(&facts), level);
        let put = put_keys(&session, &facts, 0x21, 0x22);
        assert_eq!(within(&mut host, &mut session, &put).status, Status::OK);
        host.select(DOMAIN);
        let old = Opening::new(facts.scp, 0x21, [1; 16]).command().to_apdu();
        assert_eq!(host.send(&old).status, Status::NOT_FOUND);
        let new = Opening::new(facts.scp, 0x22, [1; 16]).command().to_apdu();
        assert_eq!(host.send(&new).status, Status::OK);
        host.open(&own(&facts), level);
    }
}

#[test]
fn without_keys_no_variant_lets_a_memory_change_but_its_counters_and_tries() {
    for facts in profiles() {
        let (mut host, mut store) = host(&facts);
        let before = store.load().unwrap().unwrap();
        for ins in ["E6", "E8", "E4", "E2", "D8", "F0", "F2"] {
            assert_eq!(host.hex(&format!("80{ins}0000")), Status::SECURITY_NOT_SATISFIED, "{ins}");
            assert_eq!(host.hex(&format!("84{ins}0000")), Status::SECURITY_NOT_SATISFIED, "{ins}");
        }
        assert_eq!(store.load().unwrap().unwrap(), before);
        let update = Opening::new(facts.scp, 0, [1; 16]).command().to_apdu();
        assert_eq!(host.send(&update).status, Status::OK);
        let kept = store.load().unwrap().unwrap();
        let pseudo = matches!(facts.scp, Scp::Scp03(Scp03 { pseudo_random: true, .. }));
        assert_eq!(kept == before, !pseudo, "{}", facts.scp);
        assert_eq!(host.hex("80F22000024F00"), Status::SECURITY_NOT_SATISFIED, "an offer is no session");
    }
}
