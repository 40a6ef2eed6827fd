//! AES keys and the keys of channels, read from `vectors/globalplatform/scp03-keys.toml`; each figure also with a bit flipped.
//!
//! Standard: globalplatform.md sections 1.3, 5.5, 5.7 and 5.9.

use crate::aes::AesKey;
use crate::block::Key16;
use crate::channel::{Scp02Keys, StaticKeys};
use crate::scp03::{AesKeys, Scp03Keys};
use crate::vectors::{Vector, flipped, folder, read};
use crate::{AesCheck, ChannelKeys, ElementKeys, KeyKind, SealedKey};

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
