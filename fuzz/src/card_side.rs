//! The card, its files and memories, and the PSAM that it meets.

use std::sync::OnceLock;

use card::command::{
    ApplicationBlock, ApplicationUnblock, CreditForLoad, DebitForPurchase, ExternalAuthenticate, GetBalance,
    GetChallenge, GetMessage, GetTransactionProve, InitializeForLoad, InitializeForPurchase,
    InternalAuthenticate, Pin, Protected, ReadBinary, ReadRecord, SelectApplication, SelectFile,
    UpdateBinary, UpdateCappDataCache, UpdateRecord, VerifyPin,
};
use card::layout::{Fci, Holder, IssueInfo, LogRecord, PublicInfo, RailRecord, RideRecord};
use card::{Personalisation, Profile, Purse, PurseMemory, PurseReader};
use keys::{
    CardKeys, CardRef, ChannelKeys, Key16, KeyService, LoadRequest, PsamScope, Scp02Keys, Seeded, SoftwareKeys,
    StaticKeys,
};
use model::{CardNumber, CardTime, CityCode, PsamId, PurseFen, TerminalId};
use smartcard::{Apdu, Channel, Command, Response};
use terminal::psam::{AuthenticationMessage, CreditSamForPurchase, InitSamForPurchase, PsamState};
use terminal::{MemoryPsamStore, PsamIdentity, SoftwarePsam};

use crate::{pieces, understood};

/// The purse's commands, in both directions.
pub fn card_commands(data: &[u8]) {
    let Ok(apdu) = Apdu::parse(data) else { return };
    understood::<SelectApplication>(&apdu);
    understood::<SelectFile>(&apdu);
    understood::<ReadBinary>(&apdu);
    understood::<ReadRecord>(&apdu);
    understood::<UpdateBinary>(&apdu);
    understood::<UpdateRecord>(&apdu);
    understood::<UpdateCappDataCache>(&apdu);
    understood::<VerifyPin>(&apdu);
    understood::<GetChallenge>(&apdu);
    understood::<ExternalAuthenticate>(&apdu);
    understood::<InternalAuthenticate>(&apdu);
    understood::<GetMessage>(&apdu);
    understood::<GetBalance>(&apdu);
    understood::<InitializeForLoad>(&apdu);
    understood::<CreditForLoad>(&apdu);
    understood::<InitializeForPurchase>(&apdu);
    understood::<DebitForPurchase>(&apdu);
    understood::<GetTransactionProve>(&apdu);
    understood::<ApplicationBlock>(&apdu);
    understood::<ApplicationUnblock>(&apdu);
    understood::<Protected<UpdateBinary>>(&apdu);
    understood::<Protected<UpdateRecord>>(&apdu);
    understood::<Protected<ApplicationBlock>>(&apdu);
    understood::<AuthenticationMessage>(&apdu);
    understood::<InitSamForPurchase>(&apdu);
    understood::<CreditSamForPurchase>(&apdu);
}

/// Any commands, one after the other, by someone without the card's keys: the card keeps its money.
pub fn purse(data: &[u8]) {
    let before = issued();
    let mut purse = Purse::with_memory(before.clone());
    let mut entropy = Seeded::new(1);
    let mut tried = false;
    for piece in pieces(data) {
        match Apdu::parse(piece) {
            Ok(apdu) => {
                // PIN and unblock tries are spent by whoever tries.
                tried |= matches!(apdu.ins, 0x20 | 0x18);
                let answer = purse.process(&apdu, &mut entropy);
                assert!(answer.data.len() <= 256);
            }
            Err(_) => purse.reset(),
        }
        assert!(tried || purse.memory() == before, "changed without a key");
    }
    assert_eq!(balance(&mut purse), balance(&mut Purse::with_memory(before.clone())));
}

/// STORE DATA blocks: the applet is a card afterwards, or as blank as before.
pub fn personalisation(data: &[u8]) {
    let mut purse = Purse::blank();
    let blocks: Vec<&[u8]> = pieces(data).collect();
    for (number, block) in blocks.iter().enumerate() {
        let last = number + 1 == blocks.len();
        let taken = purse.store_data(block, last, &channel()).is_ok();
        assert_eq!(purse.is_personalised(), taken && last);
    }
    // The true blocks with the input laid over them, byte by byte: deep inside the parser at once.
    let (told, keys) = told();
    let mut stream = told.store_data(&keys).concat();
    stream.iter_mut().zip(data).for_each(|(byte, over)| *byte ^= over);
    let mut purse = Purse::blank();
    let taken = purse.store_data(&stream, true, &channel()).is_ok();
    assert_eq!(purse.is_personalised(), taken);
    assert!(taken || *purse.memory() == PurseMemory::default(), "half a card");
}

/// FCI, files 0005, 0015 and 0016, records of 0017, log lines, and what a reader makes of a card's answers.
pub fn layout(data: &[u8]) {
    if let Some(fci) = Fci::parse(data) {
        let _ = fci.public_info();
        let again = Fci::parse(&fci.to_bytes());
        assert_eq!(again.map(|again| again.name), Some(fci.name));
    }
    written(data.first_chunk(), PublicInfo::parse, PublicInfo::to_bytes);
    written(data.first_chunk(), Holder::parse, Holder::to_bytes);
    written(data.first_chunk(), IssueInfo::parse, IssueInfo::to_bytes);
    written(data.first_chunk(), LogRecord::parse, LogRecord::to_bytes);
    if let Some(rail) = RailRecord::parse(data) {
        assert_eq!(RailRecord::parse(&rail.to_bytes()), Some(rail));
    }
    if let Some(ride) = RideRecord::parse(data) {
        assert_eq!(RideRecord::parse(&ride.to_bytes()), Some(ride));
    }
    let answers: Vec<Option<Response>> = pieces(data).map(|piece| Response::parse(piece).ok()).collect();
    let _ = PurseReader::new(&card::layout::PURSE_AID, 3).view(&answers);
}

/// A software PSAM under any commands: no transaction number twice, none without its selection.
pub fn psam(data: &[u8]) {
    let keys = SoftwareKeys::demo().psam_keys(PsamScope::National).ok();
    let identity =
        PsamIdentity { id: PsamId(1), terminal: TerminalId::new([0x20, 0, 1, 1, 0, 1]), key_index: 1 };
    let made =
        keys.and_then(|keys| SoftwarePsam::new(keys, identity, Box::new(MemoryPsamStore::default())).ok());
    let Some(mut psam) = made else { return };
    let mut last = 0;
    for piece in pieces(data) {
        let Ok(answer) = psam.transmit(piece) else { return };
        let Ok(answer) = Response::parse(&answer) else { panic!("not an answer") };
        let init = Apdu::parse(piece).is_ok_and(|apdu| InitSamForPurchase::from_apdu(&apdu).is_ok());
        if let (true, true, Some(offer)) =
            (init, answer.status.is_ok(), InitSamForPurchase::parse_response(&answer.data))
        {
            assert!(offer.terminal_seq > last);
            last = offer.terminal_seq;
        }
    }
}

/// What cards, PSAMs and the centre keep as CBOR.
pub fn memories(data: &[u8]) {
    if let Ok(memory) = minicbor::decode::<PurseMemory>(data) {
        let again = minicbor::to_vec(&memory).ok().and_then(|bytes| minicbor::decode(&bytes).ok());
        assert_eq!(again.as_ref(), Some(&memory));
        let mut purse = Purse::with_memory(memory);
        let mut entropy = Seeded::new(1);
        purse.select();
        for apdu in PurseReader::default().commands() {
            purse.process(&apdu, &mut entropy);
        }
    }
    let _ = minicbor::decode::<CardKeys>(data);
    let _ = minicbor::decode::<PsamState>(data);
    if let Ok(reservation) = minicbor::decode::<tsm::Reservation>(data) {
        let _ = (reservation.card(), reservation.proof(), reservation.amount(), reservation.balance_before());
    }
}

fn written<T: PartialEq, const N: usize>(
    bytes: Option<&[u8; N]>,
    parse: fn(&[u8; N]) -> Option<T>,
    write: fn(&T) -> [u8; N],
) {
    if let Some(value) = bytes.and_then(parse) {
        assert!(parse(&write(&value)).is_some_and(|again| again == value));
    }
}

fn channel() -> ChannelKeys {
    Scp02Keys::derive(&StaticKeys::same(Key16::new(*b"for fuzzing only")), 1).into()
}

fn shanghai() -> CardRef {
    let city = CityCode::new(2000).unwrap_or_else(|| panic!("Shanghai"));
    CardRef { city, number: CardNumber::from_u64(0x2000_0000_0000_0001) }
}

/// A card of the demo's Shanghai, and its keys in their wrapping.
fn told() -> (Personalisation, Vec<keys::WrappedCardKey>) {
    let (start, expiry) = ("2014-01-01".parse(), "2024-01-01".parse());
    let (Ok(start), Ok(expiry), Some(pin)) = (start, expiry, Pin::new(&[0x12, 0x34, 0x56])) else {
        panic!("built-in facts");
    };
    let card = shanghai();
    let public_info = PublicInfo::city_card(card.city, card.number, start, expiry);
    let profile = Profile {
        version: 1,
        purse_limit: PurseFen::try_from(100_000).unwrap_or_default(),
        mac1_includes_auth_id: true,
        pin_before_load: false,
        zero_amount_counts: false,
        pin_tries: 3,
    };
    let personalisation = Personalisation {
        public_info,
        holder: Holder::ANONYMOUS,
        issue_info: IssueInfo::of(&public_info, start, [0; 6]),
        auth_id: [0x90; 9],
        pin,
        profile,
    };
    let keys = SoftwareKeys::demo().wrap_card_keys(&card, &channel()).unwrap_or_default();
    (personalisation, keys)
}

/// That card with 50 yuan on it.
fn issued() -> &'static PurseMemory {
    static ISSUED: OnceLock<PurseMemory> = OnceLock::new();
    ISSUED.get_or_init(|| {
        let (personalisation, keys) = told();
        let mut purse = Purse::blank();
        purse
            .store_data(&personalisation.store_data(&keys).concat(), true, &channel())
            .unwrap_or_else(|s| panic!("{s}"));
        purse.select();
        let mut entropy = Seeded::new(2);
        let amount = PurseFen::try_from(5000).unwrap_or_default();
        let terminal = TerminalId::new([0, 0, 0, 0, 0, 1]);
        let at = CardTime::from_seconds(1_413_791_100).unwrap_or_else(|| panic!("a moment"));
        let offer =
            purse.process(&InitializeForLoad { key_index: 1, amount, terminal }.to_apdu(), &mut entropy);
        let offer = InitializeForLoad::parse_response(&offer.data).unwrap_or_else(|| panic!("an offer"));
        let mac2 =
            SoftwareKeys::demo().authorize_load(&shanghai(), &offer, &LoadRequest { amount, terminal, at });
        let mac2 = mac2.unwrap_or_else(|error| panic!("{error}"));
        assert!(purse.process(&CreditForLoad { at, mac2 }.to_apdu(), &mut entropy).status.is_ok());
        purse.memory().clone()
    })
}

fn balance(purse: &mut Purse) -> Option<PurseFen> {
    purse.select();
    GetBalance::parse_response(&purse.process(&GetBalance.to_apdu(), &mut Seeded::new(3)).data)
}
