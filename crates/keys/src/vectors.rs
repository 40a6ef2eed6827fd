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
use crate::scp03::AesKeys;
use crate::service::{CardRef, PurchaseOfferFacts, PurchaseRequest};
use crate::{
    AesCheck, ElementKeys, KeyKind, KeyScheme, KeyService, KeyUsage, SoftwareKeys, line_decrypt,
    line_encrypt, line_mac,
};

pub(crate) struct Vector(pub(crate) toml::Table);

pub(crate) fn read(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn folder(name: &str) -> PathBuf {
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
pub(crate) fn flipped<const N: usize>(bytes: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N).flat_map(move |at| {
        (0..8).map(move |bit| {
            let mut flipped = bytes;
            flipped[at] ^= 1 << bit;
            flipped
        })
    })
}

impl Vector {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn why(&self) -> &str {
        assert!(self.has("source"));
        self.text("why")
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    pub(crate) fn key(&self, name: &str) -> Key16 {
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
