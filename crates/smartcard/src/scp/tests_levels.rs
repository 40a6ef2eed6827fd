//! Both sides against each other: every variant, level and key length; what is replayed, downgraded, counted out or too long.
//!
//! Standard: SCP02 and SCP03, globalplatform.md sections 1.2 and 1.3.

use keys::{
    AesKey, AesKeys, Challenges, ChannelKeys, ElementKeys, EncryptionCounter, Key16, Scp, Scp02Keys, Scp03,
    Scp03Keys, StaticKeys,
};
use proptest::prelude::*;

use super::*;
use crate::apdu::{Apdu, ApduError, Command, Response, Status};
use crate::gp::{ExternalAuthenticate, InitializeUpdateAnswer, Level};

const EVERY: EncryptionCounter = EncryptionCounter::EveryCommand;
const NAME: &[u8] = &[0xA0, 0, 0, 1, 0x51];

/// Every variant that a profile can name, with every length of key that it takes.
fn variants() -> Vec<(Scp, ElementKeys)> {
    let all = (2..=3).flat_map(|protocol| (0..=u8::MAX).filter_map(move |option| Scp::new(protocol, option)));
    all.flat_map(|scp| match scp {
        Scp::Scp02 { .. } => vec![(scp, StaticKeys::same(Key16::new([7; 16])).into())],
        Scp::Scp03(_) => {
            let keys = |length| AesKeys::same(AesKey::new(&vec![7; length]).unwrap()).into();
            vec![(scp, keys(16)), (scp, keys(24)), (scp, keys(32))]
        }
    })
    .collect()
}

fn derive(keys: &ElementKeys, opening: &Opening, answer: &InitializeUpdateAnswer) -> ChannelKeys {
    match (keys, opening.facts(answer).session) {
        (ElementKeys::TripleDes(keys), Challenges::Scp02 { sequence }) => {
            Scp02Keys::derive(keys, sequence).into()
        }
        (ElementKeys::Aes(keys), Challenges::Scp03 { host, card }) => {
            Scp03Keys::derive(keys, &host, &card).into()
        }
        _ => panic!("keys of another protocol"),
    }
}

/// A card that has answered INITIALIZE UPDATE.
fn offered(
    scp: Scp,
    keys: &ElementKeys,
    counter: EncryptionCounter,
    sequence: &mut u32,
) -> Result<(CardChannel, Opening, InitializeUpdateAnswer), Status> {
    let (mut card, opening) = (CardChannel::new(), Opening::new(scp, 0, [1; 16]).counting(counter));
    let set = KeySet { scp, counter, diversification: [9; 10], version: 1, keys, name: NAME };
    let answer = card.initialize_update(opening.command(), &set, sequence, [2; 16])?;
    Ok((card, opening, answer))
}

/// Host and card at that level.
fn pair(scp: Scp, keys: &ElementKeys, counter: EncryptionCounter, level: Level) -> (Session, CardChannel) {
    let mut sequence = 4;
    let (mut card, opening, answer) = offered(scp, keys, counter, &mut sequence).unwrap();
    let session = derive(keys, &opening, &answer);
    let (apdu, host) = opening.authenticate(&answer, session, level).unwrap();
    card.external_authenticate(&ExternalAuthenticate::from_apdu(&apdu).unwrap(), &mut sequence).unwrap();
    let counted = !matches!(scp, Scp::Scp03(Scp03 { pseudo_random: false, .. }));
    assert_eq!(sequence, if counted { 5 } else { 4 });
    (host, card)
}

fn levels(scp: Scp) -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(move |level| level.fits(scp))
}

fn commands() -> [Apdu; 5] {
    [
        Apdu::case2([0x80, 0xF2, 0x20, 0x02], None),
        Apdu::case2([0x80, 0xCA, 0x00, 0x66], Some(256)),
        Apdu::new([0x80, 0xE2, 0x00, 0x00], vec![5; 33], None),
        Apdu::new([0x80, 0xE2, 0x00, 0x01], vec![5; 32], Some(256)),
        Apdu::new([0x80, 0xE6, 0x0C, 0x00], vec![0x80, 0], None),
    ]
}

#[test]
fn every_variant_at_every_level_carries_commands_and_answers() {
    let mut sessions = 0;
    for (scp, keys) in variants() {
        for level in levels(scp) {
            let (mut host, mut card) = pair(scp, &keys, EVERY, level);
            // All commands leave before the first answer comes, as in a script.
            let wrapped: Vec<Apdu> = commands().iter().map(|command| host.wrap(command)).collect();
            for (wrapped, (plain, data)) in
                wrapped.iter().zip(commands().into_iter().zip([0, 1, 15, 16, 239]))
            {
                let wire = Apdu::parse(&wrapped.checked_bytes().unwrap()).unwrap();
                assert_eq!(card.unwrap(&wire), Ok(plain), "{scp} {level:?}");
                let status = if data == 1 { Status::MORE_DATA } else { Status::OK };
                let answer = Response { data: vec![6; data], status };
                let sent = card.protect(answer.clone());
                assert!(sent.data.len() <= 256);
                assert_eq!(sent.data == answer.data, !level.signs_answers());
                assert_eq!(host.open(&sent), Ok(answer), "{scp} {level:?}");
            }
            let error = Response::status(Status::WRONG_DATA);
            assert_eq!(card.protect(error.clone()), error, "errors come bare");
            sessions += 1;
        }
    }
    assert_eq!(sessions, 2 * 3 + 3 * (4 * 3 + 4 * 5 + 4 * 6));
}

#[test]
fn an_answer_stands_for_its_own_command_alone() {
    let (scp, keys) = (Scp::new(3, 0x70).unwrap(), variants().pop().unwrap().1);
    let (mut host, mut card) = pair(scp, &keys, EVERY, Level::Full);
    let [first, second, ..] = commands().map(|command| host.wrap(&command));
    card.unwrap(&first).unwrap();
    let one = card.protect(Response::ok([1; 20]));
    card.unwrap(&second).unwrap();
    let two = card.protect(Response::ok([1; 20]));
    assert_ne!(one.data, two.data);
    assert_eq!(host.open(&two), Err(WrongAnswer), "the second command's answer instead of the first's");
    assert_eq!(host.open(&one), Err(WrongAnswer), "and the other way round");
}

#[test]
fn a_level_that_the_channel_does_not_have_is_neither_asked_for_nor_taken() {
    for (scp, keys) in variants() {
        for level in Level::ALL.into_iter().filter(|level| !level.fits(scp)) {
            let mut sequence = 1;
            let (mut card, opening, answer) = offered(scp, &keys, EVERY, &mut sequence).unwrap();
            let session = derive(&keys, &opening, &answer);
            let asked = opening.authenticate(&answer, session, level);
            assert_eq!(asked.err(), Some(NotAuthenticated::NoSuchLevel { scp, level }));
            let width = if let Scp::Scp03(option) = scp { option.width() } else { 8 };
            let forced = ExternalAuthenticate { level, host_cryptogram: vec![0; width], mac: vec![0; width] };
            assert_eq!(card.external_authenticate(&forced, &mut sequence), Err(Status::WRONG_P1P2));
        }
    }
}

#[test]
fn a_card_that_offers_another_channel_than_its_profile_is_refused() {
    let all = variants();
    for (scp, keys) in &all {
        for (other, _) in &all {
            let (_, opening, answer) = offered(*scp, keys, EVERY, &mut 1).unwrap();
            let session = derive(keys, &opening, &answer);
            let outcome = Opening::new(*other, 0, [1; 16]).authenticate(&answer, session, Level::Mac);
            // SCP02 does not say which option it is; the host's side is the same.
            let same = scp == other || scp.protocol() == 2 && other.protocol() == 2;
            assert_eq!(outcome.is_ok(), same, "{scp} instead of {other}");
        }
    }
}

#[test]
fn a_session_seen_before_opens_nothing() {
    for (scp, keys) in variants() {
        let mut sequence = 4;
        let (mut card, opening, answer) = offered(scp, &keys, EVERY, &mut sequence).unwrap();
        let session = derive(&keys, &opening, &answer);
        let (apdu, mut host) = opening.authenticate(&answer, session, Level::Mac).unwrap();
        let proof = ExternalAuthenticate::from_apdu(&apdu).unwrap();
        let command = host.wrap(&commands()[0]);
        card.external_authenticate(&proof, &mut sequence).unwrap();
        // The same INITIALIZE UPDATE again, the card's random bytes apart.
        let set =
            KeySet { scp, counter: EVERY, diversification: [9; 10], version: 1, keys: &keys, name: NAME };
        let update = Opening::new(scp, 0, [1; 16]);
        card.initialize_update(update.command(), &set, &mut sequence, [3; 16]).unwrap();
        assert_eq!(card.external_authenticate(&proof, &mut sequence), Err(Status::AUTH_FAILED), "{scp}");
        assert_eq!(card.unwrap(&command), Err(Status::SECURITY_NOT_SATISFIED));
    }
}

#[test]
fn a_counter_at_its_end_opens_no_session_and_does_not_wrap() {
    for (scp, keys) in variants() {
        match scp {
            Scp::Scp02 { .. } => {
                let mut sequence = u32::from(u16::MAX);
                let (mut card, opening, answer) = offered(scp, &keys, EVERY, &mut sequence).unwrap();
                let session = derive(&keys, &opening, &answer);
                let (apdu, _) = opening.authenticate(&answer, session, Level::Mac).unwrap();
                let proof = ExternalAuthenticate::from_apdu(&apdu).unwrap();
                let outcome = card.external_authenticate(&proof, &mut sequence);
                assert_eq!((outcome, sequence), (Err(Status::CONDITIONS_NOT_SATISFIED), 0xFFFF));
            }
            Scp::Scp03(option) => {
                let mut sequence = 0x00FF_FFFE;
                assert!(offered(scp, &keys, EVERY, &mut sequence).is_ok());
                let last = offered(scp, &keys, EVERY, &mut sequence);
                assert_eq!(last.is_ok(), !option.pseudo_random, "{scp}");
                assert_eq!(sequence, if option.pseudo_random { 0x00FF_FFFF } else { 0x00FF_FFFE });
            }
        }
    }
}

#[test]
fn a_counter_that_skips_commands_without_data_meets_only_its_like() {
    let (scp, keys) = (Scp::new(3, 0x70).unwrap(), variants().pop().unwrap().1);
    let skips = EncryptionCounter::OnlyWithData;
    let talk = |host: &mut Session, card: &mut CardChannel| {
        commands().into_iter().all(|command| {
            let taken = card.unwrap(&host.wrap(&command));
            let answer = host.open(&card.protect(Response::ok([8; 8])));
            taken == Ok(command) && answer == Ok(Response::ok([8; 8]))
        })
    };
    for (ours, theirs) in [(EVERY, EVERY), (skips, skips), (EVERY, skips), (skips, EVERY)] {
        let (mut host, _) = pair(scp, &keys, ours, Level::Full);
        let (_, mut card) = pair(scp, &keys, theirs, Level::Full);
        assert_eq!(talk(&mut host, &mut card), ours == theirs, "{ours:?} {theirs:?}");
        // With a MAC alone nothing is counted: the two are the same.
        let (mut host, _) = pair(scp, &keys, ours, Level::Macs);
        let (_, mut card) = pair(scp, &keys, theirs, Level::Macs);
        assert!(talk(&mut host, &mut card));
    }
}

#[test]
fn what_is_too_long_is_refused_and_the_session_goes_on() {
    for (scp, keys) in variants() {
        for level in levels(scp).filter(|level| level.signs_commands()) {
            let wide = matches!(scp, Scp::Scp03(Scp03 { wide: true, .. }));
            let most = match (level.encrypts_commands(), wide) {
                (true, false) => MAX_DATA,
                (true, true) => MAX_DATA - 16,
                (false, false) => 247,
                (false, true) => 239,
            };
            let (mut host, mut card) = pair(scp, &keys, EVERY, level);
            let command = |length| Apdu::new([0x80, 0xE2, 0x88, 0], vec![5; length], None);
            assert!(matches!(host.wrap(&command(most + 1)).checked_bytes(), Err(ApduError::TooLong(_))));
            let longest = host.wrap(&command(most));
            assert_eq!(card.unwrap(&longest), Ok(command(most)), "{scp} {level:?}");
            let answer = Response::ok(vec![1; card.longest_answer()]);
            let sent = card.protect(answer.clone());
            assert!(sent.data.len() <= 256 && card.longest_answer() >= 224);
            assert_eq!(host.open(&sent), Ok(answer));
        }
    }
}

proptest! {
    #[test]
    fn what_the_host_wraps_the_card_unwraps(
        (scp, keys) in prop::sample::select(variants()),
        level in prop::sample::select(Level::ALL.to_vec()),
        commands in prop::collection::vec(
            (any::<[u8; 3]>(), prop::collection::vec(any::<u8>(), 0..=MAX_DATA - 16), prop::option::of(1_u16..=256)), 1..6),
    ) {
        prop_assume!(level.fits(scp));
        let (mut host, mut card) = pair(scp, &keys, EVERY, level);
        for ([ins, p1, p2], data, le) in commands {
            let plain = Apdu::new([0x80, ins, p1, p2], data, le);
            let wire = host.wrap(&plain).checked_bytes().unwrap();
            prop_assert_eq!(card.unwrap(&Apdu::parse(&wire).unwrap()), Ok(plain));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_bytes_make_either_side_panic_or_believe(header: [u8; 4], data: Vec<u8>, status: u16) {
        for (scp, keys) in variants() {
            for level in levels(scp) {
                let (mut host, mut card) = pair(scp, &keys, EVERY, level);
                let taken = card.unwrap(&Apdu::new(header, data.clone(), None));
                prop_assert!(!level.signs_commands() || taken.is_err());
                let _ = host.wrap(&commands()[0]);
                let believed = host.open(&Response { data: data.clone(), status: Status(status) });
                let good = status == 0x9000 || (0x6200..0x6400).contains(&status);
                prop_assert!(!(level.signs_answers() && good) || believed.is_err());
            }
        }
    }
}
