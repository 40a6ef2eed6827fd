//! A plastic card: blank, personalised once, and then a card for ever.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use card::layout::{IssueInfo, PURSE_AID, ROOT_NAME};
use keys::{ChannelOwner, Seeded, SoftwareKeys, demo_element_keys, demo_transport_keys};
use secure_element::{ATR, MemoryStore, PersonaliseError, PlasticCard, SoftwareElement, personalise};
use smartcard::gp::Level;
use smartcard::scp::Opening;
use smartcard::{Apdu, Channel, ChannelError, Command, Status, vpcd};
use support::{Host, blocks, card_ref, facts, plan};

fn blank(store: &MemoryStore) -> PlasticCard {
    PlasticCard::blank(demo_transport_keys(), Box::new(store.clone()), Box::new(Seeded::new(3))).unwrap()
}

fn make(card: &mut dyn Channel) -> Result<(), PersonaliseError> {
    let mut random = Seeded::new(4);
    personalise(card, &card_ref(3150), &plan(3150), &SoftwareKeys::demo(), &mut random)
}

fn host(card: PlasticCard) -> Host<PlasticCard> {
    Host::new(card, &facts("oppo-find7"))
}

#[test]
fn a_blank_becomes_the_citys_card_and_answers_as_one() {
    let mut plastic = blank(&MemoryStore::default());
    assert!(!plastic.is_personalised());
    make(&mut plastic).unwrap();
    assert!(plastic.is_personalised());
    let mut host = host(plastic);
    assert_eq!(host.select(ROOT_NAME).status, Status::OK);
    let file = host.send(&Apdu::case2([0x00, 0xB0, 0x85, 0x00], Some(40)));
    let info = IssueInfo::parse(file.data.first_chunk().unwrap()).unwrap();
    assert_eq!((info.city, info.number), (card_ref(3150).city, card_ref(3150).number));
    assert_eq!(host.select(PURSE_AID).status, Status::OK);
    assert_eq!(host.hex("805C000204"), Status::OK);
    assert_eq!(host.select([9; 5]).status, Status::FILE_NOT_FOUND);
}

#[test]
fn a_card_is_never_personalised_again_and_has_forgotten_the_factorys_keys() {
    let store = MemoryStore::default();
    let mut plastic = blank(&store);
    make(&mut plastic).unwrap();
    let again = make(&mut plastic).unwrap_err();
    assert!(again.to_string().contains("INITIALIZE UPDATE: the card answered 6985"), "{again}");
    let mut reopened = PlasticCard::open(Box::new(store.clone()), Box::new(Seeded::new(5))).unwrap().unwrap();
    assert!(make(&mut reopened).is_err());
    let kept = secure_element::Store::load(&mut store.clone()).unwrap().unwrap();
    let transport = minicbor::to_vec(demo_transport_keys()).unwrap();
    assert!(!kept.windows(transport.len()).any(|window| window == transport));
}

#[test]
fn a_blank_answers_no_purse_command_and_no_stranger() {
    let mut host = host(blank(&MemoryStore::default()));
    assert_eq!(host.select(PURSE_AID).status, Status::OK);
    assert_eq!(host.hex("805C000204"), Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(host.hex("80E2880000"), Status::SECURITY_NOT_SATISFIED);
    assert_eq!(
        host.send(&Opening::new(keys::Scp::SCP02_15, 0x20, [0; 16]).command().to_apdu()).status,
        Status::NOT_FOUND
    );
    let (scheme, kind) = (keys::KeyScheme::None, keys::KeyKind::TripleDes);
    let stranger = ChannelOwner::Issuer { maker: "x".into(), scheme, version: 1, kind };
    let opening = Opening::new(keys::Scp::SCP02_15, 0, [1; 16]);
    let answer = host.send(&opening.command().to_apdu());
    let answer = smartcard::gp::InitializeUpdate::parse_response(&answer.data).unwrap();
    let facts = opening.facts(&answer);
    let theirs = keys::KeyService::open_channel(&SoftwareKeys::demo(), &stranger, &facts).unwrap();
    assert!(opening.authenticate(&answer, theirs, Level::Mac).is_err());
}

#[test]
fn a_personalisation_that_breaks_off_or_skips_a_block_leaves_a_blank() {
    let mut host = host(blank(&MemoryStore::default()));
    let mut session = host.open(&ChannelOwner::Transport, Level::MacAndEncryption);
    let all = blocks(&session, 3150);
    assert_eq!(host.send(&session.wrap(&all[1].to_apdu())).status, Status::WRONG_P1P2);
    let late = host.send(&session.wrap(&all[0].to_apdu())).status;
    assert_eq!(late, Status::SECURITY_NOT_SATISFIED, "begin again");
    let mut session = host.open(&ChannelOwner::Transport, Level::MacAndEncryption);
    let all = blocks(&session, 3150);
    assert_eq!(host.send(&session.wrap(&all[0].to_apdu())).status, Status::OK);
    make(&mut host.chip).unwrap();
}

#[test]
fn a_flipped_bit_in_the_second_block_leaves_a_blank() {
    let mut plastic = blank(&MemoryStore::default());
    for flip in [5, 25, 105] {
        struct Flipping<'a>(&'a mut PlasticCard, usize, bool);
        impl Channel for Flipping<'_> {
            fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
                let mut command = command.to_vec();
                if command[1] == 0xE2 {
                    self.2 = !self.2;
                    if !self.2 {
                        command[self.1] ^= 0x10;
                    }
                }
                self.0.transmit(&command)
            }
        }
        let refused = make(&mut Flipping(&mut plastic, flip, false)).unwrap_err();
        assert!(refused.to_string().contains("STORE DATA: the card answered 6982"), "{refused}");
        assert!(!plastic.is_personalised());
    }
    make(&mut plastic).unwrap();
}

#[test]
fn neither_chip_is_taken_for_the_other() {
    let (plastic, phone) = (MemoryStore::default(), MemoryStore::default());
    blank(&plastic);
    support::element(&facts("oppo-find7"), phone.clone());
    let error = SoftwareElement::open(Box::new(plastic), Box::new(Seeded::new(1))).unwrap_err();
    assert_eq!(error.to_string(), "memory: the memory of a plastic card; expected that of a secure element");
    assert!(PlasticCard::open(Box::new(phone.clone()), Box::new(Seeded::new(1))).is_err());
    let over = PlasticCard::blank(demo_transport_keys(), Box::new(phone.clone()), Box::new(Seeded::new(1)));
    assert_eq!(over.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    let facts = facts("oppo-find7");
    let maker = demo_element_keys(&facts.keys, facts.key_kind());
    let over =
        SoftwareElement::manufacture([0; 8], &facts, &maker, Box::new(phone), Box::new(Seeded::new(1)));
    assert!(over.is_err());
}

#[test]
fn a_card_is_personalised_through_a_socket_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut plastic = blank(&MemoryStore::default());
        vpcd::serve(listener.accept().unwrap().0, &mut plastic, &ATR).unwrap();
        plastic.is_personalised()
    });
    let mut client = vpcd::Client::new(std::net::TcpStream::connect(address).unwrap());
    assert_eq!(client.atr(), Ok(ATR.to_vec()));
    make(&mut client).unwrap();
    drop(client);
    assert!(server.join().unwrap());
}
