//! `vectors/card/personalisation.toml`: a card is made whole or not at all.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod data;
mod issuing;

use card::{Purse, PurseMemory};
use keys::Seeded;
use serde::Deserialize;
use smartcard::{Apdu, Response, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    #[allow(dead_code)] // for the reader of the file
    source: String,
    blocks: Vec<String>,
    twin: String,
    refused: String,
}

fn blocks() -> Vec<Vec<u8>> {
    let vector: Vector = data::vectors("personalisation");
    vector.blocks.iter().map(|block| data::bytes(block)).collect()
}

fn store(purse: &mut Purse, blocks: &[Vec<u8>]) -> Result<(), Status> {
    let (last, first) = blocks.split_last().unwrap();
    for block in first {
        purse.store_data(block, false, &issuing::channel())?;
    }
    purse.store_data(last, true, &issuing::channel())
}

fn is_blank(purse: &Purse) -> bool {
    *purse.memory() == PurseMemory::default()
}

#[test]
fn the_host_sends_these_blocks_and_the_card_takes_them() {
    let vector: Vector = data::vectors("personalisation");
    let (personalisation, keys) = issuing::personalisation("fmcos");
    let sent: Vec<String> = personalisation.store_data(&keys).iter().map(|block| data::hex(block)).collect();
    let expected: Vec<String> = blocks().iter().map(|block| data::hex(block)).collect();
    assert_eq!(sent, expected, "{}", vector.why);
    assert!(sent.iter().all(|block| block.len() <= card::personalisation::BLOCK * 2));

    let mut purse = Purse::blank();
    assert_eq!(store(&mut purse, &blocks()), Ok(()), "{}", vector.why);
    assert!(!is_blank(&purse));
}

#[test]
fn a_wrong_check_value_leaves_the_card_blank_and_the_right_blocks_still_make_it() {
    let vector: Vector = data::vectors("personalisation");
    let mut purse = Purse::blank();
    let mut twin = blocks();
    let last = twin.last_mut().unwrap();
    assert!(data::differ_by_one_bit(last, &data::bytes(&vector.twin)));
    *last = data::bytes(&vector.twin);
    let refused = u16::from_str_radix(&vector.refused, 16).map(Status).unwrap();
    assert_eq!(store(&mut purse, &twin), Err(refused));
    assert!(is_blank(&purse));
    assert_eq!(store(&mut purse, &blocks()), Ok(()));
}

#[test]
fn a_group_may_run_over_several_blocks() {
    let stream = blocks().concat();
    for length in [1, 7, 100, 224] {
        let mut purse = Purse::blank();
        let pieces: Vec<Vec<u8>> = stream.chunks(length).map(<[u8]>::to_vec).collect();
        assert_eq!(store(&mut purse, &pieces), Ok(()), "{length} bytes each");
    }
}

#[test]
fn what_is_missing_doubled_unknown_or_cut_short_makes_no_card() {
    let whole = blocks();
    let stream = whole.concat();
    let doubled = [whole.clone(), whole.clone()].concat();
    let unknown = [whole.clone(), vec![vec![0xD0, 0x99, 0x00]]].concat();
    let cut = vec![stream[..stream.len() - 1].to_vec()];
    let without_tac = vec![stream[..stream.len() - 25].to_vec()];
    for (why, blocks) in
        [("doubled", doubled), ("unknown", unknown), ("cut short", cut), ("no TAC key", without_tac)]
    {
        let mut purse = Purse::blank();
        assert_eq!(store(&mut purse, &blocks), Err(Status::WRONG_DATA), "{why}");
        assert!(is_blank(&purse), "{why}");
    }
    let mut purse = Purse::blank();
    assert_eq!(store(&mut purse, &vec![vec![0; 224]; 20]), Err(Status::NO_ROOM));
}

#[test]
fn a_reset_forgets_half_a_personalisation() {
    let mut purse = Purse::blank();
    let whole = blocks();
    purse.store_data(&whole[0], false, &issuing::channel()).unwrap();
    purse.reset();
    assert_eq!(store(&mut purse, &whole), Ok(()));
}

#[test]
fn a_personalised_card_is_not_personalised_again() {
    let mut purse = issuing::card("fmcos");
    let before = purse.memory().clone();
    assert_eq!(store(&mut purse, &blocks()), Err(Status::CONDITIONS_NOT_SATISFIED));
    assert!(*purse.memory() == before);
}

#[test]
fn a_blank_card_can_be_selected_and_does_nothing_else() {
    let mut purse = Purse::blank();
    assert!(purse.select().status.is_ok());
    for apdu in
        ["805C000204", "805000020B010000200000112233445510", "00B095001E", "80CA000009", "0020000003123456"]
    {
        let apdu = Apdu::parse(&data::bytes(apdu)).unwrap();
        let answer = purse.process(&apdu, &mut Seeded::new(1));
        assert_eq!(answer, Response::status(Status::CONDITIONS_NOT_SATISFIED), "{apdu:?}");
    }
}
