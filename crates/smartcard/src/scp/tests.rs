//! Both sides against the sessions in `vectors/globalplatform/`.
//!
//! Standard: SCP02 and SCP03, globalplatform.md sections 1.2, 1.3 and 5.1 to 5.5.

use keys::{AesKey, AesKeys, ElementKeys, EncryptionCounter, Key16, Scp, Scp02Keys, Scp03Keys, StaticKeys};
use toml::Table;

use super::*;
use crate::apdu::{Apdu, Command, Response, Status};
use crate::gp::{ExternalAuthenticate, InitializeUpdate, InitializeUpdateAnswer, Level, Offer};
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

/// One session of `scp02-sessions.toml` or `scp03-sessions.toml`.
struct Recorded {
    why: String,
    scp: Scp,
    keys: ElementKeys,
    /// The application that the channel is opened with.
    name: Vec<u8>,
    initialize_update: InitializeUpdate,
    answer: InitializeUpdateAnswer,
    authenticate: ExternalAuthenticate,
    commands: Vec<RecordedCommand>,
}

struct RecordedCommand {
    after: Option<[u8; 8]>,
    plain: Apdu,
    wrapped: Vec<u8>,
    /// The answer as it came, and plain.
    response: Option<(Vec<u8>, Response)>,
}

fn recorded() -> Vec<Recorded> {
    let sessions = |name| tables(&file(name)["session"]);
    sessions("scp02-sessions.toml").into_iter().chain(sessions("scp03-sessions.toml")).map(read).collect()
}

fn read(table: Table) -> Recorded {
    let apdu = |name| Apdu::parse(&bytes(&table, name)).unwrap();
    let answer = InitializeUpdate::parse_response(&bytes(&table, "answer")).unwrap();
    let keys = [0, 1, 2].map(|index| table["keys"][index].as_str().unwrap());
    let (scp, keys) = match &answer.offer {
        Offer::Scp02 { .. } => {
            let [enc, mac, dek] = keys.map(key);
            let scp = Scp::Scp02 { pseudo_random: table.contains_key("name") };
            (scp, StaticKeys::new(enc, mac, dek).into())
        }
        Offer::Scp03 { option, .. } => {
            let [enc, mac, dek] = keys.map(|key| AesKey::new(&hex::decode(key).unwrap()).unwrap());
            (Scp::Scp03(*option), AesKeys::new(enc, mac, dek).unwrap().into())
        }
    };
    let command = |table: Table| RecordedCommand {
        after: table.contains_key("after").then(|| array(&table, "after")),
        plain: Apdu::parse(&bytes(&table, "plain")).unwrap(),
        wrapped: bytes(&table, "wrapped"),
        response: table
            .contains_key("response")
            .then(|| (bytes(&table, "response"), Response::parse(&bytes(&table, "plain_response")).unwrap())),
    };
    Recorded {
        why: text(&table, "why").to_owned(),
        scp,
        keys,
        name: if table.contains_key("name") { bytes(&table, "name") } else { Vec::new() },
        initialize_update: InitializeUpdate::from_apdu(&apdu("initialize_update")).unwrap(),
        authenticate: ExternalAuthenticate::from_apdu(&apdu("authenticate")).unwrap(),
        commands: tables(&table["command"]).into_iter().map(command).collect(),
        answer,
    }
}

impl Recorded {
    fn channel_keys(&self) -> keys::ChannelKeys {
        match (&self.keys, &self.answer.offer) {
            (ElementKeys::TripleDes(keys), Offer::Scp02 { sequence, .. }) => {
                Scp02Keys::derive(keys, *sequence).into()
            }
            (ElementKeys::Aes(keys), Offer::Scp03 { challenge, .. }) => {
                Scp03Keys::derive(keys, &self.initialize_update.host_challenge, challenge).into()
            }
            _ => panic!("{}", self.why),
        }
    }

    fn opening(&self) -> Opening {
        let mut random = [0; 16];
        let challenge = &self.initialize_update.host_challenge;
        random[..challenge.len()].copy_from_slice(challenge);
        Opening::new(self.scp, self.initialize_update.key_version, random)
    }

    fn host(&self) -> (Apdu, Session) {
        self.opening().authenticate(&self.answer, self.channel_keys(), self.authenticate.level).unwrap()
    }

    /// The counter before INITIALIZE UPDATE.
    fn sequence(&self) -> u32 {
        match self.answer.offer {
            Offer::Scp02 { sequence, .. } => u32::from(sequence),
            Offer::Scp03 { sequence, .. } => {
                let [a, b, c] = sequence.unwrap();
                u32::from_be_bytes([0, a, b, c]).checked_sub(1).unwrap()
            }
        }
    }

    /// A card that has answered INITIALIZE UPDATE, and its counter.
    fn offered(&self) -> (CardChannel, u32) {
        let (mut card, mut sequence, mut random) = (CardChannel::new(), self.sequence(), [0; 16]);
        if let Offer::Scp02 { challenge, .. } = &self.answer.offer {
            random[..6].copy_from_slice(challenge);
        }
        let set = KeySet {
            scp: self.scp,
            counter: EncryptionCounter::EveryCommand,
            diversification: self.answer.diversification,
            version: self.answer.key_version,
            keys: &self.keys,
            name: &self.name,
        };
        let answer = card.initialize_update(&self.initialize_update, &set, &mut sequence, random).unwrap();
        assert_eq!(answer, self.answer, "{}", self.why);
        (card, sequence)
    }

    fn open(&self) -> CardChannel {
        let (mut card, mut sequence) = self.offered();
        card.external_authenticate(&self.authenticate, &mut sequence).unwrap();
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
        let keys = Scp02Keys::derive(
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
    let keys = Scp02Keys::derive(&StaticKeys::same(key(text(&vectors, "static_key"))), 0);
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
        let (mut card, mut sequence) = session.offered();
        assert!(card.session().is_none());
        card.external_authenticate(&session.authenticate, &mut sequence).unwrap();
        assert_eq!(sequence, session.sequence() + 1, "{}", session.why);
        assert_eq!(card.session().map(|(level, _)| level), Some(session.authenticate.level));
        for (index, command) in session.commands.iter().enumerate() {
            let wrapped = Apdu::parse(&command.wrapped).unwrap();
            let plain = session.open_before(index).unwrap(&wrapped);
            assert_eq!(plain, Ok(command.plain.clone()), "{}", session.why);
        }
    }
}

#[test]
fn answers_are_protected_and_opened_as_recorded_and_none_with_a_flipped_bit() {
    let mut seen = 0;
    for session in recorded() {
        let answered = |command: &RecordedCommand| command.response.clone();
        for (index, (response, plain)) in
            session.commands.iter().enumerate().filter_map(|(index, c)| Some((index, answered(c)?)))
        {
            let wrapped = Apdu::parse(&session.commands[index].wrapped).unwrap();
            let mut card = session.open_before(index);
            card.unwrap(&wrapped).unwrap();
            assert_eq!(card.protect(plain.clone()).to_bytes(), response, "{}", session.why);
            let host = || {
                let (_, mut host) = session.host();
                session.commands[..=index].iter().for_each(|command| drop(host.wrap(&command.plain)));
                host
            };
            let opened = host().open(&Response::parse(&response).unwrap());
            assert_eq!(opened, Ok(plain.clone()), "{}", session.why);
            if session.authenticate.level.signs_answers() {
                for bytes in spoilt(&response[..response.len() - 2]) {
                    let forged = Response::parse(&[&bytes[..], &[0x90, 0x00]].concat()).unwrap();
                    assert_eq!(host().open(&forged), Err(WrongAnswer), "{}", session.why);
                }
                let warning = Response { status: Status(0x6283), ..Response::parse(&response).unwrap() };
                assert_eq!(host().open(&warning), Err(WrongAnswer), "the status is under the MAC");
                assert_eq!(host().open(&plain), Err(WrongAnswer), "no MAC at all");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
}

#[test]
fn a_card_with_a_flipped_bit_in_its_proof_is_refused() {
    for session in recorded() {
        let right = session.answer.to_bytes();
        // Behind counter, option and challenge: the cryptogram.
        let (from, width) = match session.scp {
            Scp::Scp02 { .. } => (20, 8),
            Scp::Scp03(option) => (13 + option.width(), option.width()),
        };
        for cryptogram in spoilt(&right[from..from + width]) {
            let bytes = [&right[..from], &cryptogram, &right[from + width..]].concat();
            let answer = InitializeUpdate::parse_response(&bytes).unwrap();
            let outcome = session.opening().authenticate(&answer, session.channel_keys(), Level::Mac);
            let refused = NotAuthenticated::WrongCryptogram { key_version: answer.key_version };
            assert_eq!(outcome.err(), Some(refused), "{}", session.why);
        }
    }
}

#[test]
fn a_host_with_a_flipped_bit_in_its_proof_is_refused_and_the_counter_does_not_rise_for_it() {
    for session in recorded() {
        for bytes in spoilt(&session.authenticate.to_apdu().to_bytes()) {
            let Ok(command) = Apdu::parse(&bytes) else { continue };
            let Ok(command) = ExternalAuthenticate::from_apdu(&command) else { continue };
            let (mut card, before) = session.offered();
            let mut sequence = before;
            let refused = card.external_authenticate(&command, &mut sequence).unwrap_err();
            assert!([Status::AUTH_FAILED, Status::WRONG_P1P2].contains(&refused), "{refused}");
            assert_eq!(sequence, before);
            assert!(card.session().is_none());
            // The offer is gone: the right proof comes too late.
            let late = card.external_authenticate(&session.authenticate, &mut sequence);
            assert_eq!(late, Err(Status::CONDITIONS_NOT_SATISFIED));
        }
    }
}

#[test]
fn a_right_mac_over_a_wrong_proof_is_refused_and_scp02_counts_it() {
    for session in recorded() {
        let (mut card, before) = session.offered();
        let mut sequence = before;
        let (level, host_cryptogram) = (Level::Mac, vec![0; 8]);
        let mac = match session.channel_keys() {
            keys::ChannelKeys::Scp02(keys) => {
                scp02::authentication_mac(&keys, level, &host_cryptogram).to_vec()
            }
            keys::ChannelKeys::Scp03(keys) => {
                scp03::authentication_mac(&keys, level, &host_cryptogram)[..8].to_vec()
            }
        };
        let command = ExternalAuthenticate { level, host_cryptogram, mac };
        assert_eq!(card.external_authenticate(&command, &mut sequence), Err(Status::AUTH_FAILED));
        assert_eq!(sequence - before, u32::from(session.scp.protocol() == 2));
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
    for session in recorded().into_iter().filter(|session| !session.commands.is_empty()) {
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
}

#[test]
fn a_protected_command_without_a_session_is_refused() {
    for session in recorded().into_iter().filter(|session| !session.commands.is_empty()) {
        let wrapped = Apdu::parse(&session.commands[0].wrapped).unwrap();
        for mut card in [CardChannel::new(), session.offered().0] {
            assert_eq!(card.unwrap(&wrapped), Err(Status::SECURITY_NOT_SATISFIED));
        }
        let without = CardChannel::new().external_authenticate(&session.authenticate, &mut 0);
        assert_eq!(without, Err(Status::CONDITIONS_NOT_SATISFIED));
    }
}
