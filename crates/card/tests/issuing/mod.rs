//! Makes the cards of `vectors/card/cards.toml`, by personalisation.
#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;

use card::command::Pin;
use card::layout::{Holder, IssueInfo, PublicInfo};
use card::{Personalisation, Profile, Purse};
use keys::{ChannelKeys, Key16, KeyUsage, Scp02Keys, StaticKeys, WrappedCardKey, WrappedKey};
use model::PurseFen;
use serde::Deserialize;

use crate::data;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    public_info: String,
    auth_id: String,
    pin: String,
    profile: CardProfile,
    keys: Vec<CardKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardProfile {
    version: u8,
    purse_limit_fen: u32,
    mac1_includes_auth_id: bool,
    pin_before_load: bool,
    zero_amount_counts: bool,
    pin_tries: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardKey {
    usage: String,
    version: u8,
    key: String,
}

/// Keys of a channel that only these tests have.
pub(crate) fn channel() -> ChannelKeys {
    Scp02Keys::derive(&StaticKeys::same(Key16::new(*b"for tests only!!")), 1).into()
}

pub(crate) fn personalisation(name: &str) -> (Personalisation, Vec<WrappedCardKey>) {
    let cards: BTreeMap<String, Card> = data::vectors("cards");
    let card = &cards[name];
    let public_info = PublicInfo::parse(data::bytes(&card.public_info).first_chunk().unwrap()).unwrap();
    let profile = Profile {
        version: card.profile.version,
        purse_limit: PurseFen::try_from(card.profile.purse_limit_fen).unwrap(),
        mac1_includes_auth_id: card.profile.mac1_includes_auth_id,
        pin_before_load: card.profile.pin_before_load,
        zero_amount_counts: card.profile.zero_amount_counts,
        pin_tries: card.profile.pin_tries,
    };
    let personalisation = Personalisation {
        public_info,
        holder: Holder::ANONYMOUS,
        issue_info: IssueInfo::of(&public_info, public_info.start, [0, 0, 0, 0, 0, 1]),
        auth_id: data::bytes(&card.auth_id).try_into().unwrap(),
        pin: Pin::new(&data::bytes(&card.pin)).unwrap(),
        profile,
    };
    let keys = card.keys.iter().map(|key| {
        let usage = KeyUsage::ALL.into_iter().find(|usage| usage.name() == key.usage).unwrap();
        let bytes: [u8; 16] = data::bytes(&key.key).try_into().unwrap();
        let WrappedKey { cipher, kcv } = channel().wrap(&Key16::new(bytes));
        WrappedCardKey { usage, version: key.version, algorithm: 0, cipher, kcv }
    });
    (personalisation, keys.collect())
}

/// A card as it leaves the issuer.
pub(crate) fn card(name: &str) -> Purse {
    let (personalisation, keys) = personalisation(name);
    let mut purse = Purse::blank();
    let blocks = personalisation.store_data(&keys);
    let (last, first) = blocks.split_last().unwrap();
    first.iter().for_each(|block| purse.store_data(block, false, &channel()).unwrap());
    purse.store_data(last, true, &channel()).unwrap();
    purse.select();
    purse
}
