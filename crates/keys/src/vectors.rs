//! Everything that public sources have worked out, read from `vectors/`; each figure also with a bit flipped.
//!
//! Standard: card.md section 6.1; globalplatform.md sections 5.8 and 5.9.

use model::{CardNumber, CardTime, Date, PurseFen, TerminalId};

use crate::block::{Key8, Key16};
use crate::channel::StaticKeys;
use crate::demo::{demo_card_keys, demo_constants};
use crate::mac::Mac4;
use crate::purse::{LoadSession, Purchase, PurchaseSession, load_tac, purchase_tac};
use crate::service::CardRef;
use crate::{KeyScheme, KeyUsage, line_decrypt, line_encrypt, line_mac};

struct Vector(toml::Table);

fn vectors(file: &str) -> Vec<Vector> {
    let path = format!("{}/../../vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let vectors = table["vector"].as_array().unwrap();
    assert!(!vectors.is_empty(), "{path} holds no vector");
    vectors.iter().map(|vector| Vector(vector.as_table().unwrap().clone())).collect()
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
        for bit in 0..32 {
            let mut flipped = given;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!mac.verify(flipped), "{name} with bit {bit} flipped: {}", self.why());
        }
    }
}

#[test]
fn loads_have_the_macs_that_chips_and_examples_show() {
    for vector in vectors("load/mac.toml") {
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
    for vector in vectors("purchase/mac.toml") {
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
fn protected_commands_have_the_macs_that_chips_took() {
    for vector in vectors("line/mac.toml") {
        vector.holds("mac", line_mac(&vector.key("key"), &vector.bytes("challenge"), &vector.bytes("data")));
    }
}

#[test]
fn enciphered_data_is_what_a_psam_took() {
    for vector in vectors("line/encrypt.toml") {
        let (key, plain, cipher) = (vector.key("key"), vector.bytes("plain"), vector.bytes("cipher"));
        assert_eq!(line_encrypt(&key, &plain), Some(cipher.clone()), "{}", vector.why());
        assert_eq!(line_decrypt(&key, &cipher), Some(plain.clone()), "{}", vector.why());
        for at in 0..cipher.len() {
            let mut flipped = cipher.clone();
            flipped[at] ^= 1;
            assert_ne!(line_decrypt(&key, &flipped), Some(plain.clone()), "byte {at}");
        }
    }
}

#[test]
fn a_card_key_follows_from_the_one_above_it() {
    for vector in vectors("diversify/card.toml") {
        let derived = vector.key("key").diversify(&vector.array("by"));
        assert_eq!(derived.bytes(), &vector.array("derived"), "{}", vector.why());
        let mut other: [u8; 8] = vector.array("by");
        other[7] ^= 1;
        assert_ne!(vector.key("key").diversify(&other).bytes(), &vector.array("derived"));
    }
}

#[test]
fn a_demo_card_s_keys_are_three_levels_below_a_published_root() {
    for vector in vectors("diversify/hierarchy.toml") {
        let usage = KeyUsage::ALL.into_iter().find(|usage| usage.name() == vector.text("usage")).unwrap();
        let root = demo_constants().into_iter().find(|(name, _)| *name == usage.name()).unwrap().1;
        assert_eq!(root, vector.array("root"), "{}", vector.why());
        let number: CardNumber = vector.text("card").parse().unwrap();
        let card = CardRef { city: vector.text("city").parse().unwrap(), number };
        let kcv = |card| demo_card_keys(card).get(usage, 1).unwrap().key.kcv();
        assert_eq!(kcv(&card), vector.array("kcv"), "{}", vector.why());
        let other = CardRef { number: CardNumber::from_u64(number.as_u64() ^ 1), ..card };
        assert_ne!(kcv(&other), vector.array("kcv"));
    }
}

#[test]
fn an_element_s_keys_follow_from_its_maker_s() {
    for vector in vectors("diversify/element.toml") {
        let scheme = match vector.text("scheme") {
            "none" => KeyScheme::None,
            "visa2" => KeyScheme::Visa2,
            "emv" => KeyScheme::Emv,
            other => panic!("no scheme {other}"),
        };
        let keys = StaticKeys::same(vector.key("master")).diversified(scheme, &vector.array("data"));
        let list = |name: &str| -> Option<Vec<Vec<u8>>> {
            let texts = vector.0.get(name)?.as_array().unwrap();
            Some(texts.iter().map(|text| hex::decode(text.as_str().unwrap()).unwrap()).collect())
        };
        if let Some(kcvs) = list("kcv") {
            assert_eq!(keys.kcvs().map(|kcv| kcv.to_vec()).to_vec(), kcvs, "{}", vector.why());
        }
        if let Some(whole) = list("keys") {
            assert_eq!(keys.each().map(|key| key.bytes().to_vec()).to_vec(), whole, "{}", vector.why());
        }
    }
}
