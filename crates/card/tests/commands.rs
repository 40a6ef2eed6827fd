//! `vectors/card/commands.toml`: each command is read as it is written, and one flipped bit is noticed.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may fail loudly

mod data;

use std::fmt::Debug;

use card::command::{
    ApplicationBlock, ApplicationUnblock, CreditForLoad, DebitForPurchase, ExternalAuthenticate, GetBalance,
    GetChallenge, GetMessage, GetTransactionProve, InitializeForLoad, InitializeForPurchase,
    InternalAuthenticate, Protected, ReadBinary, ReadRecord, SelectApplication, SelectFile, UpdateBinary,
    UpdateCappDataCache, UpdateRecord, VerifyPin,
};
use proptest::prelude::*;
use serde::Deserialize;
use smartcard::{Apdu, Command, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    why: String,
    #[allow(dead_code)] // for the reader of the file
    source: String,
    command: String,
    apdu: String,
    answer: String,
    mac_input: Option<String>,
    twin: String,
    status: String,
    bad_answer: Option<String>,
}

fn check<C: Command + Debug + PartialEq>(vector: &Vector) {
    let bytes = data::bytes(&vector.apdu);
    let command =
        C::from_apdu(&Apdu::parse(&bytes).unwrap()).unwrap_or_else(|s| panic!("{}: {s}", vector.why));
    assert_eq!(data::hex(&command.to_apdu().to_bytes()), data::hex(&bytes), "{}", vector.why);
    assert!(C::parse_response(&data::bytes(&vector.answer)).is_some(), "{}: the answer", vector.why);
    if let Some(bad) = &vector.bad_answer {
        assert!(C::parse_response(&data::bytes(bad)).is_none(), "{}: the bad answer", vector.why);
    }
    let twin_bytes = data::bytes(&vector.twin);
    assert!(data::differ_by_one_bit(&bytes, &twin_bytes), "{}: the twin is not one", vector.why);
    let twin = C::from_apdu(&Apdu::parse(&twin_bytes).unwrap());
    let expected = u16::from_str_radix(&vector.status, 16).map(Status).unwrap();
    assert_eq!(twin, Err(expected), "{}: the twin", vector.why);
}

fn check_protected<C: Command + Debug + PartialEq>(vector: &Vector) {
    check::<Protected<C>>(vector);
    let apdu = Apdu::parse(&data::bytes(&vector.apdu)).unwrap();
    let protected = Protected::<C>::from_apdu(&apdu).unwrap();
    let expected = data::bytes(vector.mac_input.as_ref().unwrap());
    assert_eq!(Protected::mac_input(&protected.command), expected, "{}: the MAC's input", vector.why);
}

#[test]
fn every_command_is_read_as_it_is_written_and_its_twin_is_refused() {
    let file: File = data::vectors("commands");
    for vector in &file.vector {
        match vector.command.as_str() {
            "SelectApplication" => check::<SelectApplication>(vector),
            "SelectFile" => check::<SelectFile>(vector),
            "ReadBinary" => check::<ReadBinary>(vector),
            "ReadRecord" => check::<ReadRecord>(vector),
            "UpdateBinary" => check::<UpdateBinary>(vector),
            "Protected UpdateBinary" => check_protected::<UpdateBinary>(vector),
            "UpdateRecord" => check::<UpdateRecord>(vector),
            "Protected UpdateRecord" => check_protected::<UpdateRecord>(vector),
            "GetBalance" => check::<GetBalance>(vector),
            "InitializeForLoad" => check::<InitializeForLoad>(vector),
            "CreditForLoad" => check::<CreditForLoad>(vector),
            "InitializeForPurchase" => check::<InitializeForPurchase>(vector),
            "UpdateCappDataCache" => check::<UpdateCappDataCache>(vector),
            "DebitForPurchase" => check::<DebitForPurchase>(vector),
            "GetTransactionProve" => check::<GetTransactionProve>(vector),
            "GetChallenge" => check::<GetChallenge>(vector),
            "ExternalAuthenticate" => check::<ExternalAuthenticate>(vector),
            "InternalAuthenticate" => check::<InternalAuthenticate>(vector),
            "VerifyPin" => check::<VerifyPin>(vector),
            "Protected ApplicationBlock" => check_protected::<ApplicationBlock>(vector),
            "Protected ApplicationUnblock" => check_protected::<ApplicationUnblock>(vector),
            "GetMessage" => check::<GetMessage>(vector),
            other => panic!("no command `{other}`"),
        }
    }
}

/// What the applet makes a MAC over is what came over the wire, so reading may not lose a bit of it.
fn survives<C: Command>(apdu: &Apdu) {
    if let Ok(command) = C::from_apdu(apdu) {
        let again = command.to_apdu();
        assert_eq!((again.header(), again.data), (apdu.header(), apdu.data.clone()));
    }
}

proptest! {
    #[test]
    fn no_command_loses_a_bit(
        header in prop::sample::select(vec![
            [0x00, 0xA4], [0x00, 0xB0], [0x00, 0xB2], [0x04, 0xD6], [0x04, 0xDC], [0x80, 0xDC], [0x80, 0x5C],
            [0x80, 0x50], [0x80, 0x52], [0x80, 0x54], [0x80, 0x5A], [0x84, 0x1E], [0x84, 0x18],
        ]),
        p1: u8, p2: u8, data in prop::collection::vec(any::<u8>(), 0..40), le: Option<u8>,
    ) {
        let apdu = Apdu::new([header[0], header[1], p1, p2], data, le.map(u16::from));
        survives::<SelectApplication>(&apdu);
        survives::<SelectFile>(&apdu);
        survives::<ReadBinary>(&apdu);
        survives::<ReadRecord>(&apdu);
        survives::<Protected<UpdateBinary>>(&apdu);
        survives::<Protected<UpdateRecord>>(&apdu);
        survives::<UpdateCappDataCache>(&apdu);
        survives::<GetBalance>(&apdu);
        survives::<InitializeForLoad>(&apdu);
        survives::<CreditForLoad>(&apdu);
        survives::<InitializeForPurchase>(&apdu);
        survives::<DebitForPurchase>(&apdu);
        survives::<GetTransactionProve>(&apdu);
        survives::<Protected<ApplicationBlock>>(&apdu);
        survives::<Protected<ApplicationUnblock>>(&apdu);
    }
}
