//! National root to city to card (全国根密钥、城市密钥、卡片密钥): how each level's keys follow from the one above.
//!
//! Standard: one diversification a level, as a national PSAM's two diversifiers show for purchase keys (card.md
//! section 3). This project's own choices stand in this file and nowhere else (card.md section 8, point 5):
//! - the order root, city, card, which public sources imply but no public trace with keys proves;
//! - every other use than purchase takes the same city level, so that a city is handed one key a use;
//! - keys that belong to a name, not to a card, follow from the name's CBC-MAC.

use model::{CardNumber, CityCode};

use model::registry::KeyKind;

use crate::aes::AesKey;
use crate::block::Key16;
use crate::channel::StaticKeys;
use crate::element_keys::ElementKeys;
use crate::scp03::AesKeys;

/// A city's key, from the national root of its use.
pub(crate) fn city_key(root: &Key16, city: CityCode) -> Key16 {
    root.diversify(&city.diversifier())
}

/// A card's key, from its city's.
pub(crate) fn card_key(city_key: &Key16, number: CardNumber) -> Key16 {
    city_key.diversify(&number.bytes())
}

/// ENC, MAC and DEK of whoever is called `name`, of that kind.
pub(crate) fn named_keys(root: &Key16, name: &str, kind: KeyKind) -> ElementKeys {
    named_aes(root, name, kind).map_or_else(|| named_set(root, name).into(), ElementKeys::Aes)
}

/// AES keys of whoever is called `name`; `None` for 3DES.
///
/// Bytes 1 to 16 of a key come, as in [`named_set`], from the text `NAME enc aes 1`, 17 to 32 from `NAME enc aes 2`. They
/// are worth what their 3DES root is worth, 112 bits, however long they are.
fn named_aes(root: &Key16, name: &str, kind: KeyKind) -> Option<AesKeys> {
    let key = |purpose: &str| {
        AesKey::derived(kind, |number| {
            *root.diversify(&root.cbc_mac(format!("{name} {purpose} aes {number}").as_bytes())).secret()
        })
    };
    AesKeys::new(key("enc")?, key("mac")?, key("dek")?)
}

/// 3DES keys of whoever is called `name`: by the texts `NAME enc`, `NAME mac` and `NAME dek`.
///
/// Each key is diversified by the 3DES CBC-MAC of its text under the same root: zero initial vector, `80 00..`
/// padding, the last block whole.
pub(crate) fn named_set(root: &Key16, name: &str) -> StaticKeys {
    let key = |purpose: &str| root.diversify(&root.cbc_mac(format!("{name} {purpose}").as_bytes()));
    StaticKeys::new(key("enc"), key("mac"), key("dek"))
}
