//! A small network for the tests: personalised cards that can be torn away, and readers that can be killed.
#![allow(dead_code, clippy::unwrap_used, clippy::arithmetic_side_effects)] // each test file uses its part, and fails loudly

use std::sync::Arc;

use card::command::{CreditForLoad, InitializeForLoad, Pin, VerifyPin};
use card::layout::{Holder, IssueInfo, PublicInfo};
use card::{Personalisation, Profile, Purse, PurseMemory};
use keys::{
    CardRef, Challenges, ChannelFacts, ChannelOwner, KeyService, LoadRequest, PsamScope, Seeded, SoftwareKeys,
};
use model::registry::Operator;
use model::{CardNumber, CardTime, CityCode, PsamId, PurseFen, TapRecord, TerminalId};
use smartcard::{Apdu, Channel, ChannelError, Command};
use terminal::{
    AcceptanceList, Batch, DenyList, MemoryPsamStore, MemoryStorage, PsamIdentity, Refusal, Request,
    Settings, SoftwarePsam, TapOutcome, Validator,
};

pub(crate) const SHANGHAI: u16 = 2000;
pub(crate) const HANGZHOU: u16 = 3100;
pub(crate) const NINGBO: u16 = 3150;

/// A moment of the day of the tests.
pub(crate) fn at(time: &str) -> CardTime {
    format!("2014-10-20 {time}").parse().unwrap()
}

pub(crate) fn fen(fen: u32) -> PurseFen {
    fen.try_into().unwrap()
}

pub(crate) fn city(code: u16) -> CityCode {
    CityCode::new(code).unwrap()
}

pub(crate) fn number(city: u16, n: u64) -> CardNumber {
    CardNumber::from_u64(u64::from_str_radix(&format!("{city}{n:012}"), 16).unwrap())
}

/// Where the card leaves the field: commands are counted from the first of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tear {
    /// The command does not reach the card.
    Before(usize),
    /// The card runs the command, the answer does not come back.
    After(usize),
}

/// A card held to a reader.
pub(crate) struct TestCard {
    purse: Purse,
    entropy: Seeded,
    pub(crate) tear: Option<Tear>,
    /// Commands of this tap.
    pub(crate) sent: Vec<Vec<u8>>,
    gone: bool,
}

pub(crate) struct CardWish {
    pub(crate) number: CardNumber,
    pub(crate) city: CityCode,
    pub(crate) balance: u32,
    pub(crate) info: fn(&mut PublicInfo),
    pub(crate) profile: Profile,
}

pub(crate) fn profile() -> Profile {
    Profile {
        version: 1,
        purse_limit: fen(100_000),
        mac1_includes_auth_id: true,
        pin_before_load: false,
        zero_amount_counts: false,
        pin_tries: 3,
    }
}

impl CardWish {
    pub(crate) fn new(code: u16, balance: u32) -> Self {
        CardWish { number: number(code, 42), city: city(code), balance, info: |_| {}, profile: profile() }
    }

    pub(crate) fn card(&self) -> TestCard {
        TestCard::issued(self)
    }
}

/// A card of `code` with so much on it.
pub(crate) fn card(code: u16, balance: u32) -> TestCard {
    CardWish::new(code, balance).card()
}

impl TestCard {
    fn issued(wish: &CardWish) -> Self {
        let keys = SoftwareKeys::demo();
        let (start, expiry) = ("2012-07-01".parse().unwrap(), "2022-06-30".parse().unwrap());
        let mut info = PublicInfo::city_card(wish.city, wish.number, start, expiry);
        (wish.info)(&mut info);
        let facts = ChannelFacts { diversification: [0; 10], session: Challenges::Scp02 { sequence: 0 } };
        let channel = keys.open_channel(&ChannelOwner::Transport, &facts).unwrap();
        let wrapped =
            keys.wrap_card_keys(&CardRef { city: wish.city, number: wish.number }, &channel).unwrap();
        let personalisation = Personalisation {
            public_info: info,
            holder: Holder::ANONYMOUS,
            issue_info: IssueInfo::of(&info, start, [0; 6]),
            auth_id: [0x85, 0x88, 0xD3, 0x2B, 0x76, 0x88, 0xD3, 0x2B, 0x76],
            pin: Pin::new(&[0x12, 0x34, 0x56]).unwrap(),
            profile: wish.profile,
        };
        let mut purse = Purse::blank();
        let blocks = personalisation.store_data(&wrapped);
        for (index, block) in blocks.iter().enumerate() {
            purse.store_data(block, index + 1 == blocks.len(), &channel).unwrap();
        }
        let entropy = Seeded::new(wish.number.as_u64());
        let mut card = TestCard { purse, entropy, tear: None, sent: Vec::new(), gone: false };
        if wish.balance > 0 {
            card.load(&keys, CardRef { city: wish.city, number: wish.number }, fen(wish.balance));
        }
        card
    }

    fn load(&mut self, keys: &SoftwareKeys, card: CardRef, amount: PurseFen) {
        let terminal: TerminalId = "999999999999".parse().unwrap();
        let at = at("06:00:00");
        self.purse.select();
        let verify = VerifyPin { pin: Pin::new(&[0x12, 0x34, 0x56]).unwrap() };
        self.ask(&verify);
        let offer = self.ask(&InitializeForLoad { key_index: 1, amount, terminal });
        let mac2 = keys.authorize_load(&card, &offer, &LoadRequest { amount, terminal, at }).unwrap();
        self.ask(&CreditForLoad { at, mac2 });
    }

    fn ask<C: Command>(&mut self, command: &C) -> C::Response {
        let answer = self.purse.process(&command.to_apdu(), &mut self.entropy);
        assert!(answer.status.is_ok(), "{:?}", answer.status);
        C::parse_response(&answer.data).unwrap()
    }

    /// What is on the card, read out of the field.
    pub(crate) fn balance(&mut self) -> u32 {
        self.purse.reset();
        self.ask(&card::command::GetBalance).get()
    }

    /// The newest line of the purchase log with its counter, or 0 before the first.
    pub(crate) fn counter(&mut self) -> u16 {
        self.purse.reset();
        let look = card::command::InitializeForPurchase {
            kind: card::command::PurchaseKind::Plain,
            key_index: 1,
            amount: PurseFen::ZERO,
            terminal: TerminalId::new([0; 6]),
        };
        self.ask(&look).counter
    }

    pub(crate) fn memory(&self) -> PurseMemory {
        self.purse.memory().clone()
    }

    /// Blocks the application, as the issuer would.
    pub(crate) fn block(&mut self, wish: &CardWish) {
        use card::command::{ApplicationBlock, ChallengeLength, GetChallenge, Protected};
        self.purse.select();
        let challenge = self.ask(&GetChallenge { length: ChallengeLength::Four });
        let keys = SoftwareKeys::demo();
        let owner = CardRef { city: wish.city, number: wish.number };
        let command = ApplicationBlock { permanent: false };
        let bytes = Protected::mac_input(&command);
        let mac = keys.line_mac(&owner, keys::KeyUsage::Maintenance, &challenge, &bytes).unwrap();
        self.ask(&Protected { command, mac });
    }

    /// A new tap: the card is in the field again.
    pub(crate) fn present(&mut self) {
        self.purse.reset();
        self.sent.clear();
        self.gone = false;
    }
}

impl Channel for TestCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let lost = || Err(ChannelError::Lost("the card left the field".to_owned()));
        let index = self.sent.len();
        if self.gone || self.tear == Some(Tear::Before(index)) {
            self.gone = true;
            return lost();
        }
        self.sent.push(command.to_vec());
        let answer = self.purse.process(&Apdu::parse(command).unwrap(), &mut self.entropy);
        if self.tear == Some(Tear::After(index)) {
            self.gone = true;
            return lost();
        }
        Ok(answer.to_bytes())
    }
}

/// A reader with its PSAM and its batch.
pub(crate) struct Reader {
    pub(crate) settings: Settings,
    pub(crate) validator: Validator,
    pub(crate) psam: SoftwarePsam,
    pub(crate) batch: Batch,
    pub(crate) storage: MemoryStorage,
    psam_store: MemoryPsamStore,
    acceptance: Arc<AcceptanceList>,
    deny: Arc<DenyList>,
}

/// Operators as the fare vectors have them.
pub(crate) fn operator(toml: &str) -> Arc<Operator> {
    Arc::new(toml::from_str(toml).unwrap())
}

pub(crate) fn shanghai_metro() -> Arc<Operator> {
    operator(
        r#"
        id = "20000201"
        city = "2000"
        mode = "metro"
        name = { zh = "上海地铁", en = "Shanghai Metro" }
        flow = "entry-exit"
        terminals = { first = "200002010001", count = 99 }
        fare = { distance = { bands = [{ up_to_m = 6000, fen = 300 }, { up_to_m = 16000, fen = 400 }], beyond = { every_m = 10000, fen = 100 } } }
        transfer = { from = ["bus"], within_minutes = 120, off_fen = 100 }
        minimum_balance_fen = 300
        [[lines]]
        code = "2"
        name = { zh = "2号线", en = "Line 2" }
        stops = [
            { code = "0201", name = { zh = "徐泾东", en = "East Xujing" }, at_m = 0 },
            { code = "0203", name = { zh = "淞虹路", en = "Songhong Road" }, at_m = 5200 },
            { code = "0210", name = { zh = "人民广场", en = "People's Square" }, at_m = 15900 },
        ]
        "#,
    )
}

pub(crate) fn shanghai_bus() -> Arc<Operator> {
    operator(
        r#"
        id = "20000101"
        city = "2000"
        mode = "bus"
        name = { zh = "公交", en = "Bus" }
        flow = "purchase"
        terminals = { first = "200001010001", count = 99 }
        fare = { flat = { list_fen = 200 } }
        pay_permille = 900
        transfer = { from = ["metro", "bus"], within_minutes = 90, off_fen = 40 }
        "#,
    )
}

pub(crate) fn shanghai_shop() -> Arc<Operator> {
    operator(
        r#"
        id = "20000701"
        city = "2000"
        mode = "shop"
        name = { zh = "便利店", en = "Shop" }
        flow = "purchase"
        terminals = { first = "200007010001", count = 99 }
        fare = "listed"
        "#,
    )
}

impl Reader {
    /// The `n`-th reader of an operator, at a stop, with a national PSAM, taking cards of Shanghai and Hangzhou.
    pub(crate) fn new(operator: Arc<Operator>, n: u32, stop: &str) -> Self {
        let terminal = operator.terminals.get(n).unwrap();
        let mut settings = Settings::new(terminal, operator);
        settings.stop = stop.parse().unwrap();
        settings.line = "2".parse().unwrap();
        let from = "2012-07-01".parse().unwrap();
        let acceptance = AcceptanceList::new(1, [(city(SHANGHAI), None), (city(HANGZHOU), Some(from))]);
        Reader::with(settings, acceptance, DenyList::default())
    }

    pub(crate) fn with(settings: Settings, acceptance: AcceptanceList, deny: DenyList) -> Self {
        let (storage, psam_store) = (MemoryStorage::default(), MemoryPsamStore::default());
        Reader::start(settings, storage, psam_store, Arc::new(acceptance), Arc::new(deny))
    }

    fn start(
        settings: Settings,
        storage: MemoryStorage,
        psam_store: MemoryPsamStore,
        acceptance: Arc<AcceptanceList>,
        deny: Arc<DenyList>,
    ) -> Self {
        let keys = SoftwareKeys::demo().psam_keys(settings.scope).unwrap();
        let terminal = settings.terminal;
        let identity = PsamIdentity { id: PsamId(terminal.as_u64()), terminal, key_index: 1 };
        Reader {
            validator: Validator::new(settings.clone(), Arc::clone(&acceptance), Arc::clone(&deny)),
            psam: SoftwarePsam::new(keys, identity, Box::new(psam_store.clone())).unwrap(),
            batch: Batch::open(Box::new(storage.clone()), terminal).unwrap(),
            settings,
            storage,
            psam_store,
            acceptance,
            deny,
        }
    }

    /// Power off and on: what is left is what was written.
    pub(crate) fn killed(self) -> Self {
        let Reader { settings, storage, psam_store, acceptance, deny, .. } = self;
        Reader::start(settings, storage, psam_store, acceptance, deny)
    }

    pub(crate) fn tap(&mut self, card: &mut TestCard, request: Request, time: &str) -> TapOutcome {
        card.present();
        self.validator.tap(card, &mut self.psam, request, at(time), &mut self.batch)
    }

    /// A tap that must be accepted; its TAC is checked as the centre would.
    pub(crate) fn accept(&mut self, card: &mut TestCard, request: Request, time: &str) -> TapRecord {
        match self.tap(card, request, time) {
            TapOutcome::Accepted { record, balance, .. } => {
                assert_eq!(balance.get() + record.amount.get(), record.balance_before.get());
                SoftwareKeys::demo().verify_tap(&record).unwrap();
                record
            }
            other => panic!("{time}: {other:?}"),
        }
    }

    /// A tap that must be refused; nothing may have changed on the card.
    pub(crate) fn refuse(&mut self, card: &mut TestCard, request: Request, time: &str) -> Refusal {
        let before = card.memory();
        match self.tap(card, request, time) {
            TapOutcome::Refused(refused) => {
                assert_eq!(card.memory(), before);
                refused.why
            }
            other => panic!("{time}: {other:?}"),
        }
    }
}

pub(crate) const PAY: Request = Request::Pay { list: None };
pub(crate) const ENTER: Request = Request::Enter;
pub(crate) const LEAVE: Request = Request::Leave { list: None };

pub(crate) fn city_scope(code: u16) -> PsamScope {
    PsamScope::City(city(code))
}
