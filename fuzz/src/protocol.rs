//! Bytes on the wire: APDUs, TLV, GlobalPlatform, the secure channel, card sockets, the phone's messages.

use std::io::{self, Read, Write};

use keys::{
    AesKey, AesKeys, Challenges, ElementKeys, EncryptionCounter, Key16, Scp, Scp02Keys, Scp03Keys, StaticKeys,
};
use smartcard::gp::{
    Level, key_block as blocks,
    CardData, Cplc, Delete, DeleteKey, Entry, ExternalAuthenticate, Fci, GetData, GetStatus, GetValue,
    InitializeUpdate, Install, Load, LoadFile, ManageChannel, Package, PutKey, PutPublicKey, Receipt, Select,
    SetStatus, StoreData, Tokened, crs,
};
use smartcard::scp::{CardChannel, KeySet, Opening};
use smartcard::{Apdu, Channel, ChannelError, Command, Response, tlv as ber, vpcd as frames};
use tsm::seram::{AgentReport, HandshakeRequest, HandshakeResponse, Orders};

use crate::{pieces, understood};

/// Command and response APDUs.
pub fn apdu(data: &[u8]) {
    if let Ok(command) = Apdu::parse(data) {
        assert_eq!(Apdu::parse(&command.to_bytes()).as_ref(), Ok(&command));
        assert_eq!(command.checked_bytes(), Ok(command.to_bytes()));
    }
    if let Ok(response) = Response::parse(data) {
        assert_eq!(response.to_bytes(), data);
        let _ = (response.status.to_string(), response.status.tries_left());
    }
}

/// BER-TLV.
pub fn tlv(data: &[u8]) {
    if let Some((object, rest)) = ber::read(data) {
        assert!(object.value.len() + rest.len() < data.len());
    }
    if let Some(objects) = ber::read_all(data) {
        let mut written = Vec::new();
        objects.iter().for_each(|object| ber::write(&mut written, object.tag, object.value));
        assert_eq!(ber::read_all(&written).as_deref(), Some(objects.as_slice()));
        for object in &objects {
            assert!(ber::find(data, object.tag).is_some());
        }
    }
    let _ = ber::find_path(data, &[0x6F, 0xA5, 0x9F0C]);
}

/// DGI values over several blocks.
pub fn dgi(data: &[u8]) {
    let mut reader = smartcard::gp::dgi::Reader::default();
    let values: Vec<_> = pieces(data).flat_map(|block| reader.push(block)).collect();
    let whole = reader.is_whole();
    if let Some(blocks) = smartcard::gp::dgi::blocks(&values, 200) {
        let mut again = smartcard::gp::dgi::Reader::default();
        let read: Vec<_> = blocks.iter().flat_map(|block| again.push(block)).collect();
        assert!(read == values && again.is_whole());
    }
    let _ = whole;
}

/// GlobalPlatform commands and answers.
pub fn gp(data: &[u8]) {
    let Ok(apdu) = Apdu::parse(data) else { return };
    understood::<Select>(&apdu);
    understood::<InitializeUpdate>(&apdu);
    understood::<ExternalAuthenticate>(&apdu);
    understood::<GetData>(&apdu);
    understood::<GetValue>(&apdu);
    understood::<DeleteKey>(&apdu);
    understood::<Load>(&apdu);
    understood::<PutPublicKey>(&apdu);
    understood::<ManageChannel>(&apdu);
    understood::<crs::SetPriority>(&apdu);
    let _ = (Install::split_token(&apdu), Delete::split_token(&apdu), Receipt::parse(&apdu.data));
    let _ = (LoadFile::parse(&apdu.data), Package::parse(&apdu.data));
    understood::<GetStatus>(&apdu);
    understood::<Install>(&apdu);
    understood::<PutKey>(&apdu);
    understood::<StoreData>(&apdu);
    understood::<Delete>(&apdu);
    understood::<SetStatus>(&apdu);
    understood::<crs::GetActivation>(&apdu);
    understood::<crs::SetActivation>(&apdu);
    let answer = &apdu.data;
    let _ = (CardData::parse(answer), Cplc::parse(answer), crs::CrsInfo::parse(answer));
    let _: (Option<Fci>, Option<Vec<Entry>>) =
        (Select::parse_response(answer), GetStatus::parse_response(answer));
}

/// The card's end of a secure channel of every variant, in the hands of a host without its keys, and the host's end before
/// a card without them.
pub fn scp(data: &[u8]) {
    let Some((variant, data)) = data.split_first() else { return };
    let all = [(2, 0x15), (2, 0x55), (3, 0x00), (3, 0x10), (3, 0x60), (3, 0x70), (3, 0x71)];
    let picked = all.get(usize::from(*variant) % all.len()).and_then(|(scp, option)| Scp::new(*scp, *option));
    let Some(scp) = picked else { return };
    let keys = keys_for(scp);
    let rises = matches!(scp, Scp::Scp03(option) if option.pseudo_random);
    let (mut sequence, mut updates) = (7, 7);
    let mut channel = CardChannel::new();
    for piece in pieces(data) {
        let Ok(apdu) = Apdu::parse(piece) else { continue };
        if let Ok(update) = InitializeUpdate::from_apdu(&apdu) {
            let set = KeySet {
                scp,
                counter: EncryptionCounter::EveryCommand,
                diversification: [0; 10],
                version: 1,
                keys: &keys,
                name: b"domain",
            };
            let answered = channel.initialize_update(&update, &set, &mut sequence, [9; 16]).is_ok();
            updates += u32::from(answered && rises);
        } else if let Ok(proof) = ExternalAuthenticate::from_apdu(&apdu) {
            let _ = channel.external_authenticate(&proof, &mut sequence);
        } else {
            let _ = channel.unwrap(&apdu);
            let answer = Response::ok(apdu.data.clone());
            assert_eq!(channel.protect(answer.clone()), answer, "protected for nobody");
        }
        assert!(channel.session().is_none(), "a session without the keys");
    }
    assert_eq!(sequence, updates, "the counter rises behind a right MAC, or where each INITIALIZE UPDATE counts");
    if let Some(answer) = InitializeUpdate::parse_response(data) {
        assert_eq!(answer.to_bytes(), data);
        let opening = Opening::new(scp, 1, [1; 16]);
        let session = match (&keys, opening.facts(&answer).session) {
            (ElementKeys::TripleDes(keys), Challenges::Scp02 { sequence }) => Scp02Keys::derive(keys, sequence).into(),
            (ElementKeys::Aes(keys), Challenges::Scp03 { host, card }) => Scp03Keys::derive(keys, &host, &card).into(),
            _ => return,
        };
        assert!(opening.authenticate(&answer, session, Level::Mac).is_err(), "a card without the keys is believed");
    }
}

fn keys_for(scp: Scp) -> ElementKeys {
    let secret = *b"for fuzzing only";
    match (scp, AesKey::new(&secret)) {
        (Scp::Scp03(_), Some(key)) => AesKeys::same(key).into(),
        _ => StaticKeys::same(Key16::new(secret)).into(),
    }
}

/// Keys as PUT KEY carries them.
pub fn key_block(data: &[u8]) {
    if let Some((key, _)) = blocks::read(data) {
        let mut again = Vec::new();
        blocks::write(&mut again, &key);
        assert_eq!(blocks::read(&again), Some((key, &[][..])));
    }
}

/// Frames of a card socket, on both sides.
pub fn vpcd(data: &[u8]) {
    struct Wire<'a>(&'a [u8]);
    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Echo;
    impl Channel for Echo {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            Ok(command.iter().copied().take(256).chain([0x90, 0x00]).collect())
        }
    }
    let _ = frames::serve(Wire(data), &mut Echo, &[0x3B, 0x00]);
    let mut client = frames::Client::new(Wire(data));
    let _ = client.atr();
    let _ = client.transmit(&[0x00, 0x84, 0x00, 0x00, 0x04]);
    let _ = client.reset();
}

/// The messages between a phone and the TSM.
pub fn seram(data: &[u8]) {
    let _: Option<HandshakeRequest> = serde_json::from_slice(data).ok();
    let _: Option<HandshakeResponse> = serde_json::from_slice(data).ok();
    if let Ok(orders) = serde_json::from_slice::<Orders>(data) {
        let again = serde_json::to_vec(&orders).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<Orders>(&again).ok().as_ref(), Some(&orders));
    }
    if let Ok(report) = serde_json::from_slice::<AgentReport>(data) {
        let _ = report.answers();
        let again = serde_json::to_vec(&report).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<AgentReport>(&again).ok(), Some(report));
    }
}
