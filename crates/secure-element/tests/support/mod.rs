//! A host for the elements of these tests: opens channels, sends commands, knows the demo network's keys.
#![allow(dead_code)] // each test file uses its part

use card::command::Pin;
use card::layout::{Holder, IssueInfo, PURSE_AID, PublicInfo};
use card::{Personalisation, Profile};
use keys::{
    AesCheck, CardRef, ChannelFacts, ChannelKeys, ChannelOwner, ElementKeys, KeyKind, KeyService, Scp,
    Scp02Keys, Seeded, SoftwareKeys, demo_element_keys,
};
use model::registry::{ElementFacts, Registry};
use model::{CityCode, Date, Entropy, PurseFen};
use secure_element::{SoftwareElement, Store};
use smartcard::gp::{
    Aid, InitializeUpdate, Install, InstallApplication, InstallParameters, Level, Privilege, Privileges,
    PutKey, Select, StoreData,
};
use smartcard::scp::{Opening, Session};
use smartcard::{Apdu, Channel, Command, Response, Status};

pub(crate) const DOMAIN: Aid = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x00, 0x53, 0x44]);
pub(crate) const SERIAL: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

pub(crate) fn facts(phone: &str) -> ElementFacts {
    Registry::embedded().unwrap().phone(phone).unwrap().element.clone()
}

pub(crate) fn element(facts: &ElementFacts, store: impl Store + 'static) -> SoftwareElement {
    let (maker, random) = (demo_element_keys(&facts.keys, facts.key_kind()), Box::new(Seeded::new(1)));
    SoftwareElement::manufacture(SERIAL, facts, &maker, Box::new(store), random).unwrap()
}

pub(crate) fn fen(fen: u32) -> PurseFen {
    PurseFen::try_from(fen).unwrap()
}

pub(crate) fn card_ref(city: u16) -> CardRef {
    CardRef { city: CityCode::new(city).unwrap(), number: format!("{city:04}000000000007").parse().unwrap() }
}

pub(crate) fn instance(city: u16) -> Aid {
    let [a, b] = CityCode::new(city).unwrap().to_bcd();
    Aid::new(&[&PURSE_AID[..], &[a, b, 1]].concat()).unwrap()
}

pub(crate) fn plan(city: u16) -> Personalisation {
    let today: Date = "2014-10-20".parse().unwrap();
    let card = card_ref(city);
    let public_info = PublicInfo::city_card(card.city, card.number, today, today.plus_days(3652));
    Personalisation {
        public_info,
        holder: Holder::ANONYMOUS,
        issue_info: IssueInfo::of(&public_info, today, [0, 0, 0, 0, 0, 1]),
        auth_id: [0x90, 1, 2, 3, 4, 5, 6, 7, 8],
        pin: Pin::new(&[0x12, 0x34, 0x56]).unwrap(),
        profile: Profile {
            version: 1,
            purse_limit: fen(100_000),
            mac1_includes_auth_id: true,
            pin_before_load: false,
            zero_amount_counts: false,
            pin_tries: 3,
        },
    }
}

/// Who talks to a chip.
pub(crate) struct Host<C> {
    pub(crate) chip: C,
    pub(crate) facts: ElementFacts,
    pub(crate) random: Seeded,
    /// The channel that is spoken: that of the facts, unless a test says otherwise.
    pub(crate) scp: Scp,
}

impl<C: Channel> Host<C> {
    pub(crate) fn new(chip: C, facts: &ElementFacts) -> Self {
        Host { chip, facts: facts.clone(), random: Seeded::new(2), scp: facts.scp }
    }

    pub(crate) fn send(&mut self, command: &Apdu) -> Response {
        self.chip.exchange(command).unwrap()
    }

    pub(crate) fn hex(&mut self, command: &str) -> Status {
        let answer = self.chip.transmit(&hex::decode(command).unwrap()).unwrap();
        Response::parse(&answer).unwrap().status
    }

    pub(crate) fn select(&mut self, name: impl AsRef<[u8]>) -> Response {
        self.send(&Select::by_name(name).to_apdu())
    }

    pub(crate) fn issuer(&self) -> ChannelOwner {
        let facts = &self.facts;
        ChannelOwner::Issuer {
            maker: facts.keys.clone(),
            scheme: facts.key_scheme,
            version: facts.key_version,
            kind: facts.key_kind(),
        }
    }

    /// A channel to the selected domain.
    pub(crate) fn open(&mut self, owner: &ChannelOwner, level: Level) -> Session {
        self.open_with(level, |facts| SoftwareKeys::demo().open_channel(owner, facts).unwrap())
    }

    pub(crate) fn open_with(
        &mut self,
        level: Level,
        keys: impl FnOnce(&ChannelFacts) -> ChannelKeys,
    ) -> Session {
        let mut random = [0; 16];
        self.random.fill(&mut random);
        let opening = Opening::new(self.scp, 0, random).counting(self.facts.scp03_counter);
        let answer = self.send(&opening.command().to_apdu());
        assert_eq!(answer.status, Status::OK);
        let answer = InitializeUpdate::parse_response(&answer.data).unwrap();
        let keys = keys(&opening.facts(&answer));
        let (authenticate, session) = opening.authenticate(&answer, keys, level).unwrap();
        assert_eq!(self.send(&authenticate).status, Status::OK);
        session
    }

    /// A channel to the issuer's domain, selected.
    pub(crate) fn issuer_session(&mut self) -> Session {
        assert_eq!(self.select([]).status, Status::OK);
        let owner = self.issuer();
        self.open(&owner, Level::MacAndEncryption)
    }

    /// A channel to our domain under its own keys, selected.
    pub(crate) fn domain_session(&mut self) -> Session {
        assert_eq!(self.select(DOMAIN).status, Status::OK);
        self.open(&own(), Level::MacAndEncryption)
    }

    pub(crate) fn install_domain(&mut self, privileges: &[Privilege]) -> Status {
        let mut session = self.issuer_session();
        let command = self.domain(privileges).to_apdu();
        self.send(&session.wrap(&command)).status
    }

    /// Our domain with the right to manage, and its own keys in it.
    pub(crate) fn make_domain(&mut self) {
        let rights = [Privilege::SecurityDomain, Privilege::AuthorizedManagement];
        assert_eq!(self.install_domain(&rights), Status::OK);
        assert_eq!(self.select(DOMAIN).status, Status::OK);
        let owner = self.issuer();
        let mut session = self.open(&owner, Level::MacAndEncryption);
        let command = put_keys(&session, 0).to_apdu();
        assert_eq!(self.send(&session.wrap(&command)).status, Status::OK);
    }

    pub(crate) fn domain(&self, privileges: &[Privilege]) -> Install {
        let name = |aid: &model::registry::Aid| Aid::new(aid.as_bytes()).unwrap();
        Install::Application(InstallApplication {
            load_file: name(&self.facts.ssd_package),
            module: name(&self.facts.ssd_module),
            instance: DOMAIN,
            privileges: Privileges::of(privileges),
            parameters: InstallParameters::default(),
            selectable: true,
        })
    }

    pub(crate) fn purse(&self, instance: Aid) -> InstallApplication {
        let name = |aid: &model::registry::Aid| Aid::new(aid.as_bytes()).unwrap();
        InstallApplication {
            load_file: name(&self.facts.purse_package),
            module: name(&self.facts.purse_module),
            instance,
            privileges: Privileges::default(),
            parameters: InstallParameters::default(),
            selectable: true,
        }
    }

    pub(crate) fn install_purse(&mut self, session: &mut Session, instance: Aid) -> Status {
        let command = Install::Application(self.purse(instance)).to_apdu();
        self.send(&session.wrap(&command)).status
    }

    /// INSTALL for personalization and all of STORE DATA.
    pub(crate) fn personalise(&mut self, session: &mut Session, city: u16, target: Aid) -> Status {
        let open = self.send(&session.wrap(&Install::Personalize { target }.to_apdu())).status;
        if !open.is_ok() {
            return open;
        }
        let mut last = open;
        for block in blocks(session, city) {
            last = self.send(&session.wrap(&block.to_apdu())).status;
            if !last.is_ok() {
                break;
            }
        }
        last
    }

    /// A card of `city` in our domain, which is there.
    pub(crate) fn issue(&mut self, city: u16) {
        let mut session = self.domain_session();
        assert_eq!(self.install_purse(&mut session, instance(city)), Status::OK);
        assert_eq!(self.personalise(&mut session, city, instance(city)), Status::OK);
    }

    pub(crate) fn activate(&mut self, city: u16, active: bool) -> Response {
        assert_eq!(self.select(Aid::CONTACTLESS_REGISTRY).status, Status::OK);
        let command = smartcard::gp::crs::SetActivation { active, aids: vec![instance(city)] };
        self.send(&command.to_apdu())
    }
}

/// Our own domain on the element.
pub(crate) fn own() -> ChannelOwner {
    ChannelOwner::Domain { element: hex::encode_upper(SERIAL), kind: KeyKind::TripleDes }
}

pub(crate) fn put_keys(session: &Session, replaces: u8) -> PutKey {
    let element = hex::encode_upper(SERIAL);
    let (kind, check) = (KeyKind::TripleDes, AesCheck::Ones);
    let keys = SoftwareKeys::demo().wrap_domain_keys(&element, kind, check, session.keys()).unwrap();
    PutKey { replaces, version: 0x21, first_key: 1, keys: keys.to_vec() }
}

/// A purse's whole STORE DATA inside this session.
pub(crate) fn blocks(session: &Session, city: u16) -> Vec<StoreData> {
    let keys = SoftwareKeys::demo().wrap_card_keys(&card_ref(city), session.keys()).unwrap();
    StoreData::series(plan(city).store_data(&keys), true).unwrap()
}

/// A phone with our domain on it.
pub(crate) fn phone() -> Host<SoftwareElement> {
    let facts = facts("oppo-find7");
    let mut host = Host::new(element(&facts, secure_element::MemoryStore::default()), &facts);
    host.make_domain();
    host
}

/// Session keys of nobody here.
pub(crate) fn strange_keys() -> ChannelKeys {
    match demo_element_keys("somebody-else", KeyKind::TripleDes) {
        ElementKeys::TripleDes(keys) => Scp02Keys::derive(&keys, 0).into(),
        ElementKeys::Aes(_) => panic!("3DES was asked for"),
    }
}
