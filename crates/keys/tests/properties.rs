//! What holds for every key, amount, card and time, through the public door alone.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use keys::vault::{self, Cost, Lock};
use keys::{
    AesCheck, AesKey, AesKeys, CardRef, Challenges, ChannelFacts, ChannelKeys, ChannelOwner, Component,
    ElementKeys, Key16, KeyError, KeyKind, KeyScheme, KeyService, KeyUsage, LoadOffer, LoadProof,
    LoadRequest, LoadSession, PsamScope, Purchase, PurchaseSession, Roots, Scp02Keys, Scp03Keys, Seeded,
    SoftwareKeys, StaticKeys, demo_card_keys, line_decrypt, line_encrypt, line_mac, load_tac, purchase_tac,
};
use model::{CardNumber, CardTime, CityCode, PurseFen, Tac, TerminalId};
use proptest::collection::vec;
use proptest::prelude::*;

const LOAD: u8 = 2;

fn key() -> impl Strategy<Value = Key16> {
    any::<[u8; 16]>().prop_map(Key16::new)
}

fn channel() -> impl Strategy<Value = Scp02Keys> {
    (key(), key(), key(), any::<u16>())
        .prop_map(|(enc, mac, dek, sequence)| Scp02Keys::derive(&StaticKeys::new(enc, mac, dek), sequence))
}

fn card() -> impl Strategy<Value = CardRef> {
    (0_u16..=9999, any::<[u8; 8]>()).prop_map(|(city, number)| CardRef {
        city: CityCode::new(city).unwrap(),
        number: CardNumber::new(number),
    })
}

fn amount() -> impl Strategy<Value = PurseFen> {
    (0_u32..1 << 30).prop_map(|fen| PurseFen::try_from(fen).unwrap())
}

fn at() -> impl Strategy<Value = CardTime> {
    (1_300_000_000_i64..1_900_000_000).prop_map(|seconds| CardTime::from_seconds(seconds).unwrap())
}

fn terminal() -> impl Strategy<Value = TerminalId> {
    any::<[u8; 6]>().prop_map(TerminalId::new)
}

/// A bit of the four bytes of a MAC.
fn flip(mac: [u8; 4], bit: u8) -> [u8; 4] {
    (u32::from_be_bytes(mac) ^ (1 << bit)).to_be_bytes()
}

proptest! {
    #[test]
    fn protected_data_comes_back_as_it_was(key in key(), plain in vec(any::<u8>(), 0..=255)) {
        let cipher = line_encrypt(&key, &plain).unwrap();
        prop_assert!(cipher.len().is_multiple_of(8));
        prop_assert_eq!(line_decrypt(&key, &cipher), Some(plain));
        prop_assert_eq!(line_decrypt(&key, &cipher[1..]), None);
    }

    #[test]
    fn no_bytes_make_a_decipherer_panic(key in key(), channel in channel(), bytes in vec(any::<u8>(), 0..300)) {
        let plain = line_decrypt(&key, &bytes);
        prop_assert!(plain.is_none_or(|plain| plain.len() < bytes.len()));
        let plain = channel.decrypt(&bytes);
        prop_assert!(plain.is_none_or(|plain| plain.len() < bytes.len()));
    }

    #[test]
    fn channel_data_comes_back_as_it_was(channel in channel(), plain in vec(any::<u8>(), 0..256)) {
        let cipher = channel.encrypt(&plain);
        prop_assert!(cipher.len() > plain.len() && cipher.len().is_multiple_of(8));
        prop_assert_eq!(channel.decrypt(&cipher), Some(plain));
    }

    #[test]
    fn a_key_arrives_whole_or_not_at_all(channel in channel(), key in key(), at in 0_usize..16, bit in 0_u8..8) {
        let wrapped = channel.wrap(&key);
        let arrived = channel.unwrap_key(&wrapped.cipher, wrapped.kcv).unwrap();
        prop_assert_eq!(line_mac(&arrived, &[], b"data").bytes(), line_mac(&key, &[], b"data").bytes());
        let mut altered = wrapped.cipher;
        altered[at] ^= 1 << bit;
        prop_assert!(channel.unwrap_key(&altered, wrapped.kcv).is_none());
    }

    #[test]
    fn a_mac_is_no_other_mac(key in key(), data in vec(any::<u8>(), 1..80), random: [u8; 4], bit in 0_u8..32) {
        let mac = line_mac(&key, &random, &data);
        prop_assert!(mac.verify(mac.bytes()));
        prop_assert!(!mac.verify(flip(mac.bytes(), bit)));
        let mut altered = data.clone();
        altered[0] ^= 1;
        prop_assert!(!line_mac(&key, &random, &altered).verify(mac.bytes()));
        prop_assert!(!line_mac(&key, &flip(random, bit), &data).verify(mac.bytes()));
    }

    #[test]
    fn a_load_is_authorized_and_proven_by_the_card_s_own_keys_alone(
        card in card(), balance in amount(), amount in amount(), terminal in terminal(), at in at(),
        random: [u8; 4], counter: u16, bit in 0_u8..32,
    ) {
        let (service, keys) = (SoftwareKeys::demo(), demo_card_keys(&card));
        let key = |usage| &keys.get(usage, 1).unwrap().key;
        let session = LoadSession::new(key(KeyUsage::Load), random, counter);
        let mac1 = session.mac1(balance, amount, LOAD, terminal).bytes();
        let offer = LoadOffer { balance, counter, key_version: 1, algorithm: 0, random, mac1 };
        let load = LoadRequest { amount, terminal, at };
        let mac2 = service.authorize_load(&card, &offer, &load).unwrap();
        prop_assert!(session.mac2(amount, LOAD, terminal, at).verify(mac2));
        let lie = LoadOffer { mac1: flip(mac1, bit), ..offer };
        let error = service.authorize_load(&card, &lie, &load).unwrap_err();
        prop_assert_eq!(error, KeyError::WrongMac1 { card: card.number, counter });

        let new_balance = balance.plus(amount).unwrap_or(balance);
        let proof = LoadProof { new_balance, counter, amount, terminal, at };
        let tac = load_tac(key(KeyUsage::Tac), new_balance, counter, amount, LOAD, terminal, at).bytes();
        prop_assert_eq!(service.verify_load(&card, &proof, Tac(tac)), Ok(()));
        let wrong = Err(KeyError::WrongTac { card: card.number });
        prop_assert_eq!(service.verify_load(&card, &proof, Tac(flip(tac, bit))), wrong.clone());
        let later = LoadProof { counter: counter ^ 1, ..proof };
        prop_assert_eq!(service.verify_load(&card, &later, Tac(tac)), wrong);
    }

    #[test]
    fn every_psam_that_takes_a_card_has_its_session(
        card in card(), random: [u8; 4], counter: u16, seq: u32, amount in amount(), terminal in terminal(), at in at(),
    ) {
        let (service, keys) = (SoftwareKeys::demo(), demo_card_keys(&card));
        let own = PurchaseSession::new(&keys.get(KeyUsage::Purchase, 1).unwrap().key, random, counter, seq);
        let purchase = Purchase { amount, txn_type: 6, terminal, at };
        let levels = [card.number.bytes(), card.city.diversifier()];
        for (scope, levels) in [(PsamScope::National, &levels[..]), (PsamScope::City(card.city), &levels[..1])] {
            let psam = service.psam_keys(scope).unwrap();
            let session = psam.session(1, levels, random, counter, seq).unwrap();
            prop_assert!(own.mac1(&purchase, None).verify(session.mac1(&purchase, None).bytes()));
            prop_assert!(!own.mac1(&purchase, None).verify(session.mac1(&purchase, Some(&[0; 9])).bytes()));
            prop_assert!(own.mac2(amount).verify(session.mac2(amount).bytes()));
            prop_assert!(psam.session(2, levels, random, counter, seq).is_none());
            prop_assert!(psam.session(1, &levels[1..], random, counter, seq).is_none());
        }
    }

    #[test]
    fn a_tac_covers_the_whole_terminal_counter(
        key in key(), amount in amount(), terminal in terminal(), at in at(), seq: u32, bit in 0_u8..32,
    ) {
        let purchase = Purchase { amount, txn_type: 6, terminal, at };
        let tac = purchase_tac(&key, &purchase, seq).bytes();
        // A key whose halves are equal folds to zeros and still tells counters apart.
        prop_assert!(!purchase_tac(&key, &purchase, seq ^ (1 << bit)).verify(tac));
    }

    #[test]
    fn roots_do_not_depend_on_who_brings_which_component(
        a in vec(any::<[u8; 16]>(), 11), b in vec(any::<[u8; 16]>(), 11), c in vec(any::<[u8; 16]>(), 11),
    ) {
        let typed = |parts: &[[u8; 16]]| -> Vec<Component> {
            let line = |part: &[u8; 16]| format!("{} {}", hex::encode(part), hex::encode(Key16::new(*part).kcv()));
            parts.iter().map(|part| line(part).parse().unwrap()).collect()
        };
        let one = Roots::ceremony(&[a.clone(), b.clone(), c.clone()]).unwrap();
        let other = Roots::ceremony(&[typed(&c), typed(&a), typed(&b)]).unwrap();
        prop_assert_eq!(one.check_values(), other.check_values());
        let without = Roots::ceremony(&[a, b]).unwrap();
        prop_assert_ne!(one.check_values(), without.check_values());
    }

    #[test]
    fn no_bytes_make_a_vault_panic(bytes in vec(any::<u8>(), 0..200), format in 0_u8..4, kind in 0_u8..4) {
        let lock = Lock::KeyFile(&[7; 32]);
        prop_assert!(vault::open(&bytes, &lock).is_err());
        let framed = [&b"YKTV"[..], &[format, kind], &bytes].concat();
        prop_assert!(vault::open(&framed, &lock).is_err());
    }

    #[test]
    fn a_vault_gives_back_what_it_took(seed: u64, parts in vec(vec(any::<[u8; 16]>(), 11), 2..4), version: u8, maker in key()) {
        let mut roots = Roots::ceremony(&parts).unwrap();
        roots.add_maker("oppo", version, StaticKeys::same(maker));
        let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let lock = Lock::Passphrase("four words, any words");
        let bytes = vault::seal(&roots, &lock, cost, &mut Seeded::new(seed)).unwrap();
        let opened = vault::open(&bytes, &lock).unwrap();
        prop_assert_eq!(opened.check_values(), roots.check_values());
        prop_assert!(!opened.is_demo());
        for part in parts.iter().flatten() {
            prop_assert!(!bytes.windows(16).any(|window| window == part));
        }
    }

    #[test]
    fn no_two_labels_of_one_seed_give_the_same_bytes(seed: u64, one in "[a-z0-9:]{0,40}", other in "[a-z0-9:]{0,40}") {
        let root = Seeded::new(seed);
        let mut drawn = root.clone();
        let first = |mut source: Seeded| source.next_u64();
        let _ = drawn.next_u64();
        prop_assert_eq!(first(root.fork(&one)), first(drawn.fork(&one)), "whatever was drawn before");
        prop_assert_eq!(first(root.fork(&one)) == first(root.fork(&other)), one == other);
        prop_assert_ne!(first(root.fork(&one)), first(root));
    }
}

/// Opens the channel that `owner` names, on both sides of the wire.
fn both_sides(owner: &ChannelOwner, keys: &ElementKeys, diversification: [u8; 10]) {
    let open = |session| SoftwareKeys::demo().open_channel(owner, &ChannelFacts { diversification, session });
    let scp02 = open(Challenges::Scp02 { sequence: 5 });
    let scp03 = open(Challenges::Scp03 { host: vec![1; 8], card: vec![2; 8] });
    match keys {
        ElementKeys::TripleDes(keys) => {
            let (Ok(ChannelKeys::Scp02(host)), card) = (scp02, Scp02Keys::derive(keys, 5)) else { panic!() };
            assert!(card.verify_cryptogram(b"host", &host.cryptogram(b"host")));
            assert!(card.verify_retail_mac([0; 8], b"command", &host.retail_mac([0; 8], b"command")));
            let mut wrong = host.cryptogram(b"host");
            wrong[7] ^= 1;
            assert!(!card.verify_cryptogram(b"host", &wrong));
            assert!(matches!(scp03, Err(KeyError::WrongKind { held: KeyKind::TripleDes, .. })));
        }
        ElementKeys::Aes(keys) => {
            let card = Scp03Keys::derive(keys, &[1; 8], &[2; 8]);
            let Ok(ChannelKeys::Scp03(host)) = scp03 else { panic!() };
            assert!(card.verify_host(&host.host_cryptogram()) && host.verify_card(&card.card_cryptogram()));
            assert!(!card.verify_host(&host.card_cryptogram()), "the two proofs differ");
            assert!(!card.verify_host(&host.host_cryptogram()[..7]), "a cut proof is none");
            assert!(matches!(scp02, Err(KeyError::WrongKind { asked: KeyKind::TripleDes, .. })));
        }
    }
}

const AES: [KeyKind; 3] = [KeyKind::Aes128, KeyKind::Aes192, KeyKind::Aes256];

#[test]
fn an_element_and_a_blank_card_meet_the_host_in_their_channels() {
    let data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    let meet = |scheme, kind| {
        let owner = ChannelOwner::Issuer { maker: "oppo".into(), scheme, version: 0x20, kind };
        both_sides(&owner, &keys::demo_element_keys("oppo", kind).diversified(scheme, &data).unwrap(), data);
    };
    for scheme in [KeyScheme::None, KeyScheme::Visa, KeyScheme::Visa2, KeyScheme::Emv] {
        meet(scheme, KeyKind::TripleDes);
    }
    for kind in AES {
        meet(KeyScheme::None, kind);
        meet(KeyScheme::Kdf3, kind);
    }
    both_sides(&ChannelOwner::Transport, &keys::demo_transport_keys().into(), data);
}

#[test]
fn a_domain_s_keys_travel_through_the_issuer_s_channel_and_then_open_its_own() {
    let service = SoftwareKeys::demo();
    for kind in [KeyKind::TripleDes, KeyKind::Aes128, KeyKind::Aes192, KeyKind::Aes256] {
        let issuer =
            ChannelOwner::Issuer { maker: "oppo".into(), scheme: KeyScheme::None, version: 0x20, kind };
        let session = match kind {
            KeyKind::TripleDes => Challenges::Scp02 { sequence: 0 },
            _ => Challenges::Scp03 { host: vec![1; 16], card: vec![2; 16] },
        };
        let channel =
            service.open_channel(&issuer, &ChannelFacts { diversification: [3; 10], session }).unwrap();
        for check in [AesCheck::Ones, AesCheck::Zeros] {
            let sealed = service.wrap_domain_keys("element-1", kind, check, &channel).unwrap();
            let keys = channel.unseal(&sealed, check).unwrap();
            assert_eq!(keys.kind(), kind);
            both_sides(&ChannelOwner::Domain { element: "element-1".into(), kind }, &keys, [0; 10]);
        }
    }
}

#[test]
fn keys_handed_over_open_a_channel_of_their_kind_and_no_other() {
    let mut roots = Roots::ceremony(&[
        (0..11_u8).map(|root| std::array::from_fn(|at| root << 4 | at as u8)).collect(),
        vec![[0x80; 16]; 11],
    ])
    .unwrap();
    let handed = AesKeys::same(AesKey::new(&[7; 32]).unwrap());
    roots.add_maker("oppo", 0x30, handed.clone());
    let service = SoftwareKeys::new(roots);
    let open = |kind, scheme| {
        let owner = ChannelOwner::Issuer { maker: "oppo".into(), scheme, version: 0x30, kind };
        let session = Challenges::Scp03 { host: vec![1; 8], card: vec![2; 8] };
        service.open_channel(&owner, &ChannelFacts { diversification: [3; 10], session })
    };
    assert!(open(KeyKind::Aes256, KeyScheme::None).is_ok());
    for kind in [KeyKind::TripleDes, KeyKind::Aes128, KeyKind::Aes192] {
        let refused = KeyError::WrongKind { held: KeyKind::Aes256, asked: kind };
        assert_eq!(open(kind, KeyScheme::None).unwrap_err(), refused);
    }
    let scheme = open(KeyKind::Aes256, KeyScheme::Emv).unwrap_err();
    assert_eq!(scheme, KeyError::WrongScheme(KeyKind::Aes256));
}

#[test]
fn a_protected_command_is_for_one_card_one_use_and_one_challenge() {
    let service = SoftwareKeys::demo();
    let card = |number| CardRef { city: CityCode::new(2000).unwrap(), number: CardNumber::from_u64(number) };
    let mac = |number, usage, challenge: &[u8]| {
        service.line_mac(&card(number), usage, challenge, b"\x84\x1E\0\0\x04").unwrap()
    };
    let own = mac(1, KeyUsage::Maintenance, &[1, 2, 3, 4]);
    let key = demo_card_keys(&card(1)).get(KeyUsage::Maintenance, 1).unwrap().key.clone();
    assert!(line_mac(&key, &[1, 2, 3, 4], b"\x84\x1E\0\0\x04").verify(own));
    assert_eq!(
        own,
        mac(1, KeyUsage::Maintenance, &[1, 2, 3, 4, 0, 0, 0, 0]),
        "four bytes and zeros, or eight"
    );
    assert_ne!(own, mac(2, KeyUsage::Maintenance, &[1, 2, 3, 4]));
    assert_ne!(own, mac(1, KeyUsage::Control, &[1, 2, 3, 4]));
    assert_ne!(own, mac(1, KeyUsage::Maintenance, &[1, 2, 3, 5]));
}

#[test]
fn nothing_that_is_printed_holds_a_key() {
    let key = Key16::new(*b"KEYKEYKEYKEYKEY!");
    let set = StaticKeys::same(key.clone());
    let channel = ChannelKeys::from(Scp02Keys::derive(&set, 0));
    let aes = AesKeys::same(AesKey::new(b"KEYKEYKEYKEYKEY!").unwrap());
    let scp03 = Scp03Keys::derive(&aes, &[0; 8], &[0; 8]);
    let psam = SoftwareKeys::demo().psam_keys(PsamScope::National).unwrap();
    let card = CardRef { city: CityCode::new(2000).unwrap(), number: CardNumber::from_u64(1) };
    let printed = format!(
        "{key:?} {set:?} {channel:?} {aes:?} {scp03:?} {psam:?} {:?} {:?}",
        Roots::demo(),
        demo_card_keys(&card)
    );
    for secret in ["KEYKEY", "4B45594B", "75, 69", "YKT", "594B54", "89, 75"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn a_seed_gives_the_same_bytes_in_every_release() {
    let bytes = |mut source: Seeded| {
        let mut bytes = [0; 8];
        model::Entropy::fill(&mut source, &mut bytes);
        hex::encode(bytes)
    };
    // ChaCha20 of OpenSSL: the seed is the key's first 8 bytes; a fork XORs its label, then 80, into bytes 16 on.
    let seed = Seeded::new(7);
    assert_eq!(bytes(seed.clone()), "35a47cc623cb205b");
    assert_eq!(bytes(seed.fork("cards")), "b2f10fa64fbda4d9");
    assert!((0..1000).all(|_| seed.clone().below(10) < 10));
    assert_eq!(seed.clone().below(0), 0);
}
