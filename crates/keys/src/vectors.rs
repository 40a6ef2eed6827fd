//! Everything that public sources have worked out, read from `vectors/`; each figure also with a bit flipped.
//!
//! Standard: card.md section 6.1, A to I; globalplatform.md sections 5.1, 5.8 and 5.9.
//! Invariant: a test walks a folder, so a new file needs no code; an empty folder or an unknown shape fails.

use std::path::{Path, PathBuf};

use model::{CardNumber, CardTime, CityCode, Date, PurseFen, Tac, TerminalId};

use crate::aes::AesKey;
use crate::block::{Key8, Key16};
use crate::channel::{Scp02Keys, StaticKeys};
use crate::demo::{demo_card_keys, demo_constants, demo_element_keys, demo_transport_keys};
use crate::mac::Mac4;
use crate::purse::{LoadSession, Purchase, PurchaseSession, load_tac, purchase_tac};
use crate::roots::Roots;
use crate::scp03::{AesKeys, Scp03Keys};
use crate::service::{CardRef, PurchaseOfferFacts, PurchaseRequest};
use crate::{
    AesCheck, ChannelKeys, ElementKeys, KeyKind, KeyScheme, KeyService, KeyUsage, SealedKey, SoftwareKeys,
    line_decrypt, line_encrypt, line_mac,
};

struct Vector(toml::Table);

fn read(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

fn list(table: &toml::Table) -> Vec<Vector> {
    let vectors = table["vector"].as_array().unwrap();
    vectors.iter().map(|vector| Vector(vector.as_table().unwrap().clone())).collect()
}

/// Every vector of every file in the folder, in the order of their names.
fn vectors(name: &str) -> Vec<Vector> {
    let entries = std::fs::read_dir(folder(name)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let vectors = list(&read(&path));
        assert!(!vectors.is_empty(), "{} holds no vector", path.display());
        all.extend(vectors);
    }
    assert!(!all.is_empty(), "vectors/{name} is empty");
    all
}

/// `bytes` with each of its bits flipped in turn.
fn flipped<const N: usize>(bytes: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N).flat_map(move |at| {
        (0..8).map(move |bit| {
            let mut flipped = bytes;
            flipped[at] ^= 1 << bit;
            flipped
        })
    })
}

impl Vector {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn why(&self) -> &str {
        assert!(self.has("source"));
        self.text("why")
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    fn key(&self, name: &str) -> Key16 {
        Key16::new(self.array(name))
    }

    fn amount(&self, name: &str) -> PurseFen {
        PurseFen::from_be_bytes(self.array(name)).unwrap()
    }

    fn counter(&self) -> u16 {
        u16::from_be_bytes(self.array("counter"))
    }

    fn at(&self) -> CardTime {
        let (date, time) = self.text("at").split_once(' ').unwrap();
        let bytes = |text| hex::decode(text).unwrap();
        let at = CardTime::from_bcd(bytes(date).try_into().unwrap(), bytes(time).try_into().unwrap());
        assert!(at.unwrap().date() > Date::new(2000, 1, 1).unwrap());
        at.unwrap()
    }

    /// The figure named `name` is `mac`, and no figure one bit away from it is.
    fn holds(&self, name: &str, mac: Mac4) {
        let given: [u8; 4] = self.array(name);
        assert!(mac.verify(given), "{name}: {}", self.why());
        for other in flipped(given) {
            assert!(!mac.verify(other), "{name} as {}: {}", hex::encode(other), self.why());
        }
    }

    fn check_values(&self) -> Vec<[u8; 3]> {
        let texts = self.0["kcv"].as_array().unwrap();
        texts.iter().map(|text| hex::decode(text.as_str().unwrap()).unwrap().try_into().unwrap()).collect()
    }
}

#[test]
fn loads_have_the_macs_that_chips_and_examples_show() {
    for vector in vectors("load") {
        let session = match vector.has("key") {
            true => LoadSession::new(&vector.key("key"), vector.array("random"), vector.counter()),
            false => LoadSession(Key8(vector.array("session"))),
        };
        assert_eq!(session.0.0, vector.array("session"), "{}", vector.why());
        let [kind] = vector.array("type");
        let (amount, terminal) = (vector.amount("amount"), TerminalId::new(vector.array("terminal")));
        vector.holds("mac1", session.mac1(vector.amount("balance"), amount, kind, terminal));
        if vector.has("mac2") {
            vector.holds("mac2", session.mac2(amount, kind, terminal, vector.at()));
        }
        if vector.has("tac") {
            let balance = vector.amount("balance").plus(amount).unwrap();
            let key = vector.key("tac_key");
            let tac = load_tac(&key, balance, vector.counter(), amount, kind, terminal, vector.at());
            vector.holds("tac", tac);
        }
    }
}

#[test]
fn purchases_have_the_macs_that_chips_and_examples_show() {
    for vector in vectors("purchase") {
        let seq = u32::from_be_bytes(vector.array("terminal_seq"));
        let session = match vector.has("key") {
            true => PurchaseSession::new(&vector.key("key"), vector.array("random"), vector.counter(), seq),
            false => PurchaseSession(Key8(vector.array("session"))),
        };
        assert_eq!(session.0.0, vector.array("session"), "{}", vector.why());
        let [txn_type] = vector.array("type");
        let terminal = TerminalId::new(vector.array("terminal"));
        let purchase = Purchase { amount: vector.amount("amount"), txn_type, terminal, at: vector.at() };
        let auth_id = vector.has("auth_id").then(|| vector.array("auth_id"));
        vector.holds("mac1", session.mac1(&purchase, auth_id.as_ref()));
        if vector.has("mac2") {
            vector.holds("mac2", session.mac2(purchase.amount));
        }
        if vector.has("tac") {
            vector.holds("tac", purchase_tac(&vector.key("tac_key"), &purchase, seq));
        }
    }
}

#[test]
fn the_key_service_authorizes_and_verifies_a_purchase_of_the_centres_own() {
    let keys = SoftwareKeys::demo();
    for vector in vectors("draw-down") {
        let card = CardRef {
            city: vector.text("city").parse().unwrap(),
            number: vector.text("card").parse().unwrap(),
        };
        let (counter, random) = (vector.counter(), vector.array("random"));
        let auth_id = vector.has("auth_id").then(|| vector.array("auth_id"));
        let offer = PurchaseOfferFacts { counter, key_version: 1, algorithm: 0, random, auth_id };
        let purchase = PurchaseRequest {
            amount: vector.amount("amount"),
            terminal: TerminalId::new(vector.array("terminal")),
            terminal_seq: u32::from_be_bytes(vector.array("terminal_seq")),
            at: vector.at(),
        };
        let mac1 = |offer: &PurchaseOfferFacts, purchase: &PurchaseRequest| {
            keys.authorize_purchase(&card, offer, purchase).unwrap()
        };
        assert_eq!(mac1(&offer, &purchase), vector.array("mac1"), "{}", vector.why());
        let given: [u8; 4] = vector.array("tac");
        let proven = |card: &CardRef, purchase: &PurchaseRequest, tac| {
            keys.verify_purchase(card, purchase, Tac(tac)).is_ok()
        };
        assert!(proven(&card, &purchase, given), "{}", vector.why());
        assert!(flipped(given).all(|tac| !proven(&card, &purchase, tac)), "{}", vector.why());
        for number in flipped(card.number.bytes()) {
            // A DES key's parity bits say nothing, but a card number's bits are enciphered, not keys.
            assert!(!proven(&CardRef { number: CardNumber::new(number), ..card }, &purchase, given));
        }
        for random in flipped(random) {
            assert_ne!(mac1(&PurchaseOfferFacts { random, ..offer }, &purchase), vector.array("mac1"));
        }
        for terminal in flipped(purchase.terminal.bytes()) {
            let other = PurchaseRequest { terminal: TerminalId::new(terminal), ..purchase };
            assert_ne!(mac1(&offer, &other), vector.array("mac1"), "{}", vector.why());
            assert!(!proven(&card, &other, given), "{}", vector.why());
        }
        for seq in flipped(purchase.terminal_seq.to_be_bytes()) {
            let other = PurchaseRequest { terminal_seq: u32::from_be_bytes(seq), ..purchase };
            assert!(!proven(&card, &other, given), "{}", vector.why());
        }
    }
}

#[test]
fn lines_are_protected_as_chips_took_them() {
    for vector in vectors("line") {
        if vector.has("mac") {
            protected(&vector);
        } else {
            enciphered(&vector);
        }
    }
}

fn protected(vector: &Vector) {
    let (key, challenge, data) = (vector.key("key"), vector.bytes("challenge"), vector.bytes("data"));
    vector.holds("mac", line_mac(&key, &challenge, &data));
    for at in 0..data.len() {
        let mut other = data.clone();
        other[at] ^= 1;
        assert!(
            !line_mac(&key, &challenge, &other).verify(vector.array("mac")),
            "byte {at}: {}",
            vector.why()
        );
    }
}

fn enciphered(vector: &Vector) {
    let (key, plain, cipher) = (vector.key("key"), vector.bytes("plain"), vector.bytes("cipher"));
    assert_eq!(line_encrypt(&key, &plain), Some(cipher.clone()), "{}", vector.why());
    assert_eq!(line_decrypt(&key, &cipher), Some(plain.clone()), "{}", vector.why());
    for at in 0..cipher.len() {
        let mut other = cipher.clone();
        other[at] ^= 1;
        assert_ne!(line_decrypt(&key, &other), Some(plain.clone()), "byte {at}: {}", vector.why());
    }
}

#[test]
fn keys_follow_from_the_ones_above_them() {
    for vector in vectors("diversify") {
        match () {
            () if vector.has("by") => one_level(&vector),
            () if vector.has("usage") => card_of_the_demo(&vector),
            () if vector.has("set") => name_in_the_demo(&vector),
            () => element_of_a_maker(&vector),
        }
    }
}

fn one_level(vector: &Vector) {
    let (key, by) = (vector.key("key"), vector.array("by"));
    assert_eq!(key.diversify(&by).bytes(), &vector.array("derived"), "{}", vector.why());
    for other in flipped(by) {
        assert_ne!(key.diversify(&other).bytes(), &vector.array("derived"), "{}", vector.why());
    }
}

fn published(name: &str) -> [u8; 16] {
    demo_constants().into_iter().find(|(known, _)| *known == name).unwrap().1
}

fn card_of_the_demo(vector: &Vector) {
    let usage = KeyUsage::ALL.into_iter().find(|usage| usage.name() == vector.text("usage")).unwrap();
    assert_eq!(published(usage.name()), vector.array("root"), "{}", vector.why());
    let number: CardNumber = vector.text("card").parse().unwrap();
    let city: CityCode = vector.text("city").parse().unwrap();
    let kcv = |city, number| demo_card_keys(&CardRef { city, number }).get(usage, 1).unwrap().key.kcv();
    assert_eq!(kcv(city, number), vector.array("kcv"), "{}", vector.why());
    for other in flipped(number.bytes()) {
        assert_ne!(kcv(city, CardNumber::new(other)), vector.array("kcv"), "{}", vector.why());
    }
    assert_ne!(kcv(CityCode::new(city.get() ^ 1).unwrap(), number), vector.array("kcv"), "{}", vector.why());
}

fn name_in_the_demo(vector: &Vector) {
    let (set, name) = (vector.text("set"), vector.text("name"));
    assert_eq!(published(set), vector.array("root"), "{}", vector.why());
    let keys = |name: &str| match set {
        "element" => demo_element_keys(name, KeyKind::TripleDes),
        "domain" => Roots::demo().domain_keys(name, KeyKind::TripleDes),
        "transport" => demo_transport_keys().into(),
        other => panic!("no set {other}"),
    };
    assert_eq!(keys(name).kcvs(AesCheck::Ones).to_vec(), vector.check_values(), "{}", vector.why());
    if set != "transport" {
        let mut other = name.to_owned().into_bytes();
        other[0] ^= 1;
        let other = String::from_utf8(other).unwrap();
        assert_ne!(keys(&other).kcvs(AesCheck::Ones).to_vec(), vector.check_values(), "{}", vector.why());
    }
}

fn scheme(text: &str) -> KeyScheme {
    match text {
        "none" => KeyScheme::None,
        "visa" => KeyScheme::Visa,
        "visa2" => KeyScheme::Visa2,
        "emv" => KeyScheme::Emv,
        "kdf3" => KeyScheme::Kdf3,
        template => KeyScheme::Template(template.parse().unwrap()),
    }
}

/// Which bytes of the diversification data a scheme uses.
fn used(text: &str) -> Vec<usize> {
    match text {
        "none" => vec![],
        "visa" => vec![0, 1, 2, 3, 8, 9],
        "visa2" => vec![0, 1, 4, 5, 6, 7],
        "emv" => vec![4, 5, 6, 7, 8, 9],
        "kdf3" => (0..10).collect(),
        template => (0..10).filter(|byte| template.contains(&format!("${byte}"))).collect(),
    }
}

fn element_of_a_maker(vector: &Vector) {
    let maker: ElementKeys = match vector.has("kind") {
        true => AesKeys::same(AesKey::new(&vector.bytes("master")).unwrap()).into(),
        false => StaticKeys::same(vector.key("master")).into(),
    };
    let (name, data): (_, [u8; 10]) = (vector.text("scheme"), vector.array("data"));
    let derived = |data: &[u8; 10]| maker.diversified(scheme(name), data).unwrap();
    let (keys, kcvs) = (derived(&data), derived(&data).kcvs(AesCheck::Ones));
    if vector.has("kcv") {
        assert_eq!(kcvs.to_vec(), vector.check_values(), "{}", vector.why());
    }
    if vector.has("keys") {
        let ElementKeys::TripleDes(keys) = &keys else { panic!("{}", vector.why()) };
        let whole = vector.0["keys"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
        let derived = keys.each().map(|key| hex::encode_upper(key.bytes()));
        assert_eq!(derived.to_vec(), whole.collect::<Vec<_>>(), "{}", vector.why());
    }
    if vector.has("enc") {
        let ElementKeys::Aes(keys) = &keys else { panic!("{}", vector.why()) };
        assert_eq!(keys.enc.bytes(), vector.bytes("enc"), "{}", vector.why());
    }
    for (other, bit) in flipped(data).zip(0..) {
        let same = derived(&other).kcvs(AesCheck::Ones) == kcvs;
        assert_eq!(same, !used(name).contains(&(bit / 8)), "bit {bit}: {}", vector.why());
    }
}

#[test]
fn a_scheme_makes_no_keys_of_the_wrong_kind() {
    let des = ElementKeys::from(StaticKeys::same(Key16::new([1; 16])));
    let aes = ElementKeys::from(AesKeys::same(AesKey::new(&[1; 32]).unwrap()));
    assert!(des.diversified(KeyScheme::Kdf3, &[0; 10]).is_none());
    for text in ["visa", "visa2", "emv", "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E $n"] {
        assert!(aes.diversified(scheme(text), &[0; 10]).is_none(), "{text}");
    }
}

/// The other figures in this file, made under the session keys, are `smartcard`'s to check.
#[test]
fn channels_have_the_published_session_keys() {
    let table = read(&folder("globalplatform").join("scp02-keys.toml"));
    let (maker, vectors) = (Vector(table.clone()).key("static_key"), list(&table));
    assert!(!vectors.is_empty());
    for vector in vectors {
        let sequence = u16::from_be_bytes(vector.array("sequence"));
        let keys = Scp02Keys::derive(&StaticKeys::same(maker.clone()), sequence);
        let published = ["s_enc", "s_mac", "s_dek"].map(|name| vector.array(name));
        assert_eq!(keys.each().map(|key| *key.bytes()), published, "{}", vector.why());
        let wrapped = keys.wrap(&maker);
        assert_eq!(wrapped.cipher, vector.array("wrapped_key"), "{}", vector.why());
        assert!(
            keys.unwrap_key(&wrapped.cipher, wrapped.kcv).is_some_and(|key| key.bytes() == maker.bytes())
        );
        for other in flipped(wrapped.kcv) {
            assert!(keys.unwrap_key(&wrapped.cipher, other).is_none(), "{}", vector.why());
        }
        for other in flipped(vector.array::<2>("sequence")) {
            let other = Scp02Keys::derive(&StaticKeys::same(maker.clone()), u16::from_be_bytes(other));
            assert!(other.unwrap_key(&wrapped.cipher, wrapped.kcv).is_none(), "{}", vector.why());
        }
    }
}

fn scp03(name: &str) -> Vec<Vector> {
    let table = read(&folder("globalplatform").join("scp03-keys.toml"));
    let vectors = table[name].as_array().unwrap();
    assert!(!vectors.is_empty());
    vectors.iter().map(|vector| Vector(vector.as_table().unwrap().clone())).collect()
}

fn aes(bytes: &[u8]) -> AesKey {
    AesKey::new(bytes).unwrap()
}

#[test]
fn scp03_channels_have_the_published_session_keys() {
    for vector in scp03("session") {
        let keys = AesKeys::same(aes(&vector.bytes("static_key")));
        let (host, card): ([u8; 8], [u8; 8]) =
            (vector.array("host_challenge"), vector.array("card_challenge"));
        let session = Scp03Keys::derive(&keys, &host, &card);
        let published = ["s_enc", "s_mac", "s_rmac"].map(|name| vector.bytes(name));
        assert_eq!(session.session().map(|key| key.bytes().to_vec()), published, "{}", vector.why());
        for other in flipped(host).map(|host| Scp03Keys::derive(&keys, &host, &card)) {
            assert!(
                !other.verify_host(&session.host_cryptogram())
                    && !other.verify_card(&session.card_cryptogram())
            );
        }
    }
}

#[test]
fn aes_keys_have_the_published_check_values_of_both_rules() {
    for vector in scp03("check_value") {
        let key = aes(&vector.bytes("key"));
        assert_eq!(key.kcv(AesCheck::Ones), vector.array("ones"), "{}", vector.why());
        assert_eq!(key.kcv(AesCheck::Zeros), vector.array("zeros"), "{}", vector.why());
    }
}

#[test]
fn keys_travel_through_channels_as_published_and_arrive_unless_a_bit_is_flipped() {
    for vector in scp03("sealed") {
        let bytes = vector.bytes("key");
        let keys: ElementKeys = match vector.text("kind") {
            "aes" => AesKeys::same(aes(&bytes)).into(),
            _ => StaticKeys::same(vector.key("key")).into(),
        };
        let channel: ChannelKeys = match vector.has("s_dek") {
            true => Scp02Keys::of_dek(vector.key("s_dek")).into(),
            false => {
                let dek = AesKeys::same(aes(&vector.bytes("key_dek")));
                Scp03Keys::derive(&dek, &[1; 8], &[2; 8]).into()
            }
        };
        let block = vector.bytes("block");
        let head = if keys.kind() == KeyKind::TripleDes { 2 } else { 3 };
        let (cipher, kcv) = block[head..].split_last_chunk::<3>().unwrap();
        let sealed = SealedKey { kind: keys.kind(), cipher: cipher[..cipher.len() - 1].to_vec(), kcv: *kcv };
        let three = channel.seal(&keys, AesCheck::Ones);
        assert!(three.iter().all(|key| *key == sealed), "{}", vector.why());
        let opened = channel.unseal(&three, AesCheck::Ones).unwrap();
        assert_eq!(opened.kcvs(AesCheck::Ones), keys.kcvs(AesCheck::Ones), "{}", vector.why());
        for bit in 0..sealed.cipher.len().min(bytes.len()) * 8 {
            let mut other = three.clone();
            other[1].cipher[bit / 8] ^= 1 << (bit % 8);
            assert!(channel.unseal(&other, AesCheck::Ones).is_none(), "bit {bit}: {}", vector.why());
        }
        for kcv in flipped(sealed.kcv) {
            let mut other = three.clone();
            other[2].kcv = kcv;
            assert!(channel.unseal(&other, AesCheck::Ones).is_none(), "{}", vector.why());
        }
        if keys.kind() != KeyKind::TripleDes {
            assert!(channel.unseal(&three, AesCheck::Zeros).is_none(), "the other rule of check values");
        }
    }
}

#[test]
fn a_set_has_keys_of_one_kind_and_of_whole_blocks() {
    let channel: ChannelKeys = Scp02Keys::of_dek(Key16::new([9; 16])).into();
    let short = channel.seal(&AesKeys::same(aes(&[1; 16])).into(), AesCheck::Ones);
    let long = channel.seal(&AesKeys::same(aes(&[1; 32])).into(), AesCheck::Ones);
    let des = channel.seal(&StaticKeys::same(Key16::new([1; 16])).into(), AesCheck::Ones);
    let unseal = |keys: [&SealedKey; 3]| channel.unseal(&keys.map(Clone::clone), AesCheck::Ones);
    assert!(unseal([&short[0], &short[1], &short[2]]).is_some());
    for other in [&long[0], &des[0]] {
        assert!(unseal([&short[0], &short[1], other]).is_none());
    }
    let mut more = short[0].clone();
    more.cipher.extend([0; 8]);
    assert!(unseal([&more, &short[1], &short[2]]).is_none());
    more.cipher.truncate(8);
    assert!(unseal([&more, &short[1], &short[2]]).is_none());
}

#[test]
fn a_set_of_either_kind_is_kept_and_read_again_and_a_cut_one_is_not() {
    let sets: [ElementKeys; 4] = [
        StaticKeys::same(Key16::new([1; 16])).into(),
        AesKeys::same(aes(&[2; 16])).into(),
        AesKeys::same(aes(&[3; 24])).into(),
        AesKeys::same(aes(&[4; 32])).into(),
    ];
    for keys in sets {
        let bytes = minicbor::to_vec(&keys).unwrap();
        assert_eq!(bytes.len(), minicbor::len(&keys));
        let again: ElementKeys = minicbor::decode(&bytes).unwrap();
        assert_eq!((again.kind(), again.kcvs(AesCheck::Ones)), (keys.kind(), keys.kcvs(AesCheck::Ones)));
        for end in 0..bytes.len() {
            assert!(minicbor::decode::<ElementKeys>(&bytes[..end]).is_err());
        }
    }
}
