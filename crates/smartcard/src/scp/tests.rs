//! Both sides against the vectors in `vectors/globalplatform/`, and against each other.
//!
//! Standard: SCP02 i=15, globalplatform.md sections 1.2 and 5.1 to 5.4.

use keys::{ChannelKeys, Key16, StaticKeys};
use proptest::prelude::*;
use toml::Table;

use super::*;
use crate::apdu::{ApduError, Command, Status};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer};
use crate::vectors::{array, bytes, file, tables, text};

fn key(hex_text: &str) -> Key16 {
    Key16::new(hex::decode(hex_text).unwrap().try_into().unwrap())
}

/// Each way to flip one bit.
fn spoilt(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |index| {
        (0..8).map(move |bit| {
            let mut spoilt = bytes.to_vec();
            spoilt[index] ^= 1 << bit;
            spoilt
        })
    })
}

/// One session of `scp02-sessions.toml`.
struct Recorded {
    why: String,
    keys: StaticKeys,
    initialize_update: InitializeUpdate,
    answer: InitializeUpdateAnswer,
    authenticate: ExternalAuthenticate,
    commands: Vec<RecordedCommand>,
    challenge_over: Option<Vec<u8>>,
}

struct RecordedCommand {
    after: Option<[u8; 8]>,
    plain: Apdu,
    wrapped: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let session = |table: Table| {
        let apdu = |name| Apdu::parse(&bytes(&table, name)).unwrap();
        let static_key = |index: usize| key(table["keys"][index].as_str().unwrap());
        let command = |table: Table| RecordedCommand {
            after: table.contains_key("after").then(|| array(&table, "after")),
            plain: Apdu::parse(&bytes(&table, "plain")).unwrap(),
            wrapped: bytes(&table, "wrapped"),
        };
        Recorded {
            why: text(&table, "why").to_owned(),
            keys: StaticKeys::new(static_key(0), static_key(1), static_key(2)),
            initialize_update: InitializeUpdate::from_apdu(&apdu("initialize_update")).unwrap(),
            answer: InitializeUpdate::parse_response(&bytes(&table, "answer")).unwrap(),
            authenticate: ExternalAuthenticate::from_apdu(&apdu("authenticate")).unwrap(),
            commands: tables(&table["command"]).into_iter().map(command).collect(),
            challenge_over: table.contains_key("challenge_over").then(|| bytes(&table, "challenge_over")),
        }
    };
    tables(&file("scp02-sessions.toml")["session"]).into_iter().map(session).collect()
}

impl Recorded {
    fn channel_keys(&self) -> ChannelKeys {
        ChannelKeys::derive(&self.keys, self.answer.sequence)
    }

    fn opening(&self) -> Opening {
        Opening::new(self.initialize_update.key_version, self.initialize_update.host_challenge)
    }

    fn host(&self) -> (Apdu, Session) {
        self.opening().authenticate(&self.answer, self.channel_keys(), self.authenticate.level).unwrap()
    }

    /// A card that has answered INITIALIZE UPDATE.
    fn offered(&self) -> CardChannel {
        let mut card = CardChannel::new();
        let set = KeySet {
            diversification: self.answer.diversification,
            version: self.answer.key_version,
            sequence: self.answer.sequence,
            keys: &self.keys,
        };
        let answer = card.initialize_update(&self.initialize_update, &set, self.answer.card_challenge);
        assert_eq!(answer, self.answer, "{}", self.why);
        card
    }

    fn open(&self) -> CardChannel {
        let mut card = self.offered();
        card.external_authenticate(&self.authenticate, &mut self.answer.sequence.clone()).unwrap();
        card
    }

    /// A card that has taken all commands before this one.
    fn open_before(&self, index: usize) -> CardChannel {
        let mut card = self.open();
        for command in &self.commands[..index] {
            command.after.into_iter().for_each(|mac| card.continue_after(mac));
            card.unwrap(&Apdu::parse(&command.wrapped).unwrap()).unwrap();
        }
        self.commands[index].after.into_iter().for_each(|mac| card.continue_after(mac));
        card
    }
}

#[test]
fn session_keys_give_the_published_figures() {
    let vectors = file("scp02-keys.toml");
    let (input, icv) = (bytes(&vectors, "input"), array(&vectors, "icv"));
    let static_key = || key(text(&vectors, "static_key"));
    let kcv: [u8; 3] = array(&vectors, "key_check_value");
    for vector in tables(&vectors["vector"]) {
        let keys = ChannelKeys::derive(
            &StaticKeys::same(static_key()),
            u16::from_be_bytes(array(&vector, "sequence")),
        );
        let why = text(&vector, "why");
        assert_eq!(keys.cryptogram(&input), array(&vector, "cryptogram"), "{why}");
        assert_eq!(keys.encrypt(&input), bytes(&vector, "encrypted"), "{why}");
        assert_eq!(keys.decrypt(&bytes(&vector, "encrypted")), Some(input.clone()), "{why}");
        assert_eq!(keys.retail_mac(icv, &input), array(&vector, "retail_mac"), "{why}");
        assert_eq!(keys.encrypt_icv(icv), array(&vector, "encrypted_icv"), "{why}");
        let wrapped = keys.wrap(&static_key());
        assert_eq!((wrapped.cipher, wrapped.kcv), (array(&vector, "wrapped_key"), kcv), "{why}");
        assert!(keys.unwrap_key(&wrapped.cipher, wrapped.kcv).is_some(), "{why}");
    }
}

#[test]
fn a_wrapped_key_with_a_flipped_bit_is_refused() {
    let vectors = file("scp02-keys.toml");
    let keys = ChannelKeys::derive(&StaticKeys::same(key(text(&vectors, "static_key"))), 0);
    let kcv: [u8; 3] = array(&vectors, "key_check_value");
    let cipher = bytes(&tables(&vectors["vector"])[0], "wrapped_key");
    let unwraps = |cipher: &[u8], kcv: &[u8]| {
        keys.unwrap_key(cipher.try_into().unwrap(), kcv.try_into().unwrap()).is_some()
    };
    assert!(unwraps(&cipher, &kcv));
    assert!(!spoilt(&cipher).any(|cipher| unwraps(&cipher, &kcv)));
    assert!(!spoilt(&kcv).any(|kcv| unwraps(&cipher, &kcv)));
}

#[test]
fn the_host_sends_what_was_recorded() {
    for session in recorded() {
        assert_eq!(session.opening().command(), &session.initialize_update);
        let (authenticate, mut host) = session.host();
        assert_eq!(authenticate, session.authenticate.to_apdu(), "{}", session.why);
        for command in &session.commands {
            command.after.into_iter().for_each(|mac| host.continue_after(mac));
            let wrapped = host.wrap(&command.plain).to_bytes();
            assert_eq!(hex::encode(wrapped), hex::encode(&command.wrapped), "{}", session.why);
        }
    }
}

#[test]
fn the_card_takes_what_was_recorded() {
    for session in recorded() {
        let mut card = session.offered();
        assert!(card.session().is_none());
        let mut sequence = session.answer.sequence;
        assert_eq!(
            card.external_authenticate(&session.authenticate, &mut sequence),
            Ok(()),
            "{}",
            session.why
        );
        assert_eq!(sequence, session.answer.sequence + 1);
        assert_eq!(card.session().map(|(level, _)| level), Some(session.authenticate.level));
        for (index, command) in session.commands.iter().enumerate() {
            let wrapped = Apdu::parse(&command.wrapped).unwrap();
            assert_eq!(
                session.open_before(index).unwrap(&wrapped),
                Ok(command.plain.clone()),
                "{}",
                session.why
            );
        }
    }
}

#[test]
fn a_challenge_over_the_domains_name_is_its_mac() {
    let session = recorded().into_iter().find(|session| session.challenge_over.is_some()).unwrap();
    let mac = session.channel_keys().retail_mac([0; 8], session.challenge_over.as_ref().unwrap());
    assert_eq!(mac[..6], session.answer.card_challenge);
}

#[test]
fn a_card_with_a_flipped_bit_in_its_proof_is_refused() {
    for session in recorded() {
        for cryptogram in spoilt(&session.answer.card_cryptogram) {
            let answer = InitializeUpdateAnswer {
                card_cryptogram: cryptogram.try_into().unwrap(),
                ..session.answer.clone()
            };
            let outcome = session.opening().authenticate(&answer, session.channel_keys(), Level::Mac);
            assert!(outcome.is_err(), "{}", session.why);
        }
    }
}

#[test]
fn a_host_with_a_flipped_bit_in_its_proof_is_refused_and_the_counter_stays() {
    for session in recorded() {
        for bytes in spoilt(&session.authenticate.to_apdu().to_bytes()) {
            let Ok(command) = Apdu::parse(&bytes) else { continue };
            let Ok(command) = ExternalAuthenticate::from_apdu(&command) else { continue };
            let (mut card, mut sequence) = (session.offered(), session.answer.sequence);
            let refused = card.external_authenticate(&command, &mut sequence);
            assert_eq!((refused, sequence), (Err(Status::AUTH_FAILED), session.answer.sequence));
            assert!(card.session().is_none());
            // The offer is gone: the right proof comes too late.
            let late = card.external_authenticate(&session.authenticate, &mut sequence);
            assert_eq!(late, Err(Status::CONDITIONS_NOT_SATISFIED));
        }
    }
}

#[test]
fn a_right_mac_over_a_wrong_proof_is_refused_but_the_counter_rises() {
    for session in recorded() {
        let (mut card, mut sequence) = (session.offered(), session.answer.sequence);
        let wrong = authentication(Level::Mac, [0; 8]);
        let mac = command_mac(&session.channel_keys(), None, &wrong);
        let command = ExternalAuthenticate { level: Level::Mac, host_cryptogram: [0; 8], mac };
        assert_eq!(card.external_authenticate(&command, &mut sequence), Err(Status::AUTH_FAILED));
        assert_eq!(sequence, session.answer.sequence + 1);
        assert!(card.session().is_none());
    }
}

#[test]
fn a_command_with_a_flipped_bit_is_refused_and_ends_the_session() {
    for session in recorded() {
        for (index, command) in session.commands.iter().enumerate() {
            // The expected length at the end is not under the MAC.
            let (right, le) =
                (Apdu::parse(&command.wrapped).unwrap(), usize::from(command.plain.le.is_some()));
            let (signed, tail) = command.wrapped.split_at(command.wrapped.len() - le);
            for bytes in spoilt(signed) {
                let Ok(command) = Apdu::parse(&[&bytes[..], tail].concat()) else { continue };
                let mut card = session.open_before(index);
                assert_eq!(card.unwrap(&command), Err(Status::SECURITY_NOT_SATISFIED), "{command:?}");
                assert_eq!(card.unwrap(&right), Err(Status::SECURITY_NOT_SATISFIED));
                assert!(card.session().is_none());
            }
        }
    }
}

#[test]
fn a_command_sent_twice_or_in_clear_ends_the_session_until_it_is_opened_anew() {
    let [session, ..] = &recorded()[..] else { panic!("no session") };
    let command = &session.commands[0];
    let wrapped = Apdu::parse(&command.wrapped).unwrap();
    for second in [&wrapped, &command.plain] {
        let mut card = session.open();
        assert_eq!(card.unwrap(&wrapped), Ok(command.plain.clone()));
        assert_eq!(card.unwrap(second), Err(Status::SECURITY_NOT_SATISFIED));
        assert_eq!(card.unwrap(&command.plain), Err(Status::SECURITY_NOT_SATISFIED));
        card.close();
        assert_eq!(card.unwrap(&command.plain), Ok(command.plain.clone()));
    }
}

#[test]
fn a_protected_command_without_a_session_is_refused() {
    let [session, ..] = &recorded()[..] else { panic!("no session") };
    let wrapped = Apdu::parse(&session.commands[0].wrapped).unwrap();
    for mut card in [CardChannel::new(), session.offered()] {
        assert_eq!(card.unwrap(&wrapped), Err(Status::SECURITY_NOT_SATISFIED));
    }
    let without = CardChannel::new().external_authenticate(&session.authenticate, &mut 0);
    assert_eq!(without, Err(Status::CONDITIONS_NOT_SATISFIED));
}

/// Host and card with one key set, at the given level.
fn pair(level: Level) -> (Session, CardChannel) {
    let keys = StaticKeys::same(Key16::new([7; 16]));
    let (mut card, opening, mut sequence) = (CardChannel::new(), Opening::new(0, [1; 8]), 4);
    let set = KeySet { diversification: [9; 10], version: 1, sequence, keys: &keys };
    let answer = card.initialize_update(opening.command(), &set, [2; 6]);
    let (apdu, host) = opening.authenticate(&answer, ChannelKeys::derive(&keys, 4), level).unwrap();
    card.external_authenticate(&ExternalAuthenticate::from_apdu(&apdu).unwrap(), &mut sequence).unwrap();
    (host, card)
}

#[test]
fn a_counter_at_its_end_opens_no_session() {
    let keys = StaticKeys::same(Key16::new([7; 16]));
    let (mut card, opening, mut sequence) = (CardChannel::new(), Opening::new(0, [1; 8]), u16::MAX);
    let set = KeySet { diversification: [9; 10], version: 1, sequence, keys: &keys };
    let answer = card.initialize_update(opening.command(), &set, [2; 6]);
    let (apdu, _) = opening.authenticate(&answer, ChannelKeys::derive(&keys, sequence), Level::Mac).unwrap();
    let command = ExternalAuthenticate::from_apdu(&apdu).unwrap();
    assert_eq!(card.external_authenticate(&command, &mut sequence), Err(Status::CONDITIONS_NOT_SATISFIED));
}

#[test]
fn what_is_too_long_is_refused_and_the_session_goes_on() {
    for (level, most) in [(Level::Mac, 247), (Level::MacAndEncryption, MAX_DATA)] {
        let (mut host, mut card) = pair(level);
        let command = |length| Apdu::new([0x80, 0xE2, 0x88, 0], vec![5; length], None);
        assert!(matches!(host.wrap(&command(most + 1)).checked_bytes(), Err(ApduError::TooLong(_))));
        let longest = host.wrap(&command(most));
        assert_eq!(card.unwrap(&longest), Ok(command(most)));
    }
}

proptest! {
    #[test]
    fn what_the_host_wraps_the_card_unwraps(
        level in prop::sample::select(vec![Level::Plain, Level::Mac, Level::MacAndEncryption]),
        commands in prop::collection::vec(
            (any::<[u8; 3]>(), prop::collection::vec(any::<u8>(), 0..=MAX_DATA), prop::option::of(1_u16..=256)), 1..6),
    ) {
        let (mut host, mut card) = pair(level);
        for ([ins, p1, p2], data, le) in commands {
            let plain = Apdu::new([0x80, ins, p1, p2], data, le);
            let wire = host.wrap(&plain).checked_bytes().unwrap();
            prop_assert_eq!(card.unwrap(&Apdu::parse(&wire).unwrap()), Ok(plain));
        }
    }

    #[test]
    fn no_bytes_make_the_card_panic(header: [u8; 4], data: Vec<u8>) {
        for level in [Level::Plain, Level::Mac, Level::MacAndEncryption] {
            let _ = pair(level).1.unwrap(&Apdu::new(header, data.clone(), None));
        }
    }
}
