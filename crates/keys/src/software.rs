//! The key service in software, over a set of roots.
//!
//! Standard: card.md sections 2 and 3; globalplatform.md sections 1.2 and 1.4.
//! Invariant: derived keys live only inside this value; city keys are kept, card keys are made for each use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::registry::{AesCheck, KeyKind};
use model::{CityCode, Tac, TapRecord, TxnType};

use crate::batch::{Checker, TapFacts, Width};
use crate::block::Key16;
use crate::card_keys::KeyUsage;
use crate::channel::{Scp02Keys, WrappedKey};
use crate::element_keys::{ChannelKeys, ElementKeys, SealedKey};
use crate::hierarchy::card_key;
use crate::line::line_mac;
use crate::psam::PsamKeys;
use crate::purse::{LoadOffer, LoadSession, Purchase, PurchaseSession, load_tac, purchase_tac};
use crate::roots::{Roots, VERSION};
use crate::sam::{SamPurpose, write_key};
use crate::scp03::Scp03Keys;
use crate::service::{
    CardRef, Challenges, ChannelFacts, ChannelOwner, CheckValue, KeyError, KeyService, LoadProof,
    LoadRequest, PsamScope, PurchaseOfferFacts, PurchaseRequest, WrappedCardKey,
};

/// The key service over roots in memory.
pub struct SoftwareKeys {
    roots: Roots,
    cities: Mutex<HashMap<(KeyUsage, CityCode), Key16>>,
    width: Width,
}

impl SoftwareKeys {
    /// Over these roots.
    #[must_use]
    pub fn new(roots: Roots) -> Self {
        SoftwareKeys { roots, cities: Mutex::new(HashMap::new()), width: Width::widest() }
    }

    /// Checks many TACs at once at this width, not the machine's widest.
    #[must_use]
    pub fn at_width(self, width: Width) -> Self {
        SoftwareKeys { width, ..self }
    }

    /// Over the published roots of a demo network.
    #[must_use]
    pub fn demo() -> Self {
        SoftwareKeys::new(Roots::demo())
    }

    fn city_key(&self, usage: KeyUsage, city: CityCode) -> Key16 {
        let mut cities = self.cities.lock().unwrap_or_else(PoisonError::into_inner);
        cities.entry((usage, city)).or_insert_with(|| self.roots.city_key(usage, city)).clone()
    }

    fn card_key(&self, usage: KeyUsage, card: &CardRef) -> Key16 {
        card_key(&self.city_key(usage, card.city), card.number)
    }
}

fn facts(purchase: &PurchaseRequest) -> Purchase {
    let PurchaseRequest { amount, terminal, at, .. } = *purchase;
    Purchase { amount, txn_type: TxnType::Purchase.code(), terminal, at }
}

fn held(version: u8, algorithm: u8) -> Result<(), KeyError> {
    if version != VERSION {
        return Err(KeyError::UnknownVersion { version, held: VERSION });
    }
    if algorithm == 0 { Ok(()) } else { Err(KeyError::UnknownAlgorithm(algorithm)) }
}

/// Session keys: 3DES keys make those of SCP02, AES keys those of SCP03, and neither the other's.
fn session(keys: &ElementKeys, challenges: &Challenges) -> Result<ChannelKeys, KeyError> {
    match (keys, challenges) {
        (ElementKeys::TripleDes(keys), Challenges::Scp02 { sequence }) => {
            Ok(Scp02Keys::derive(keys, *sequence).into())
        }
        (ElementKeys::Aes(keys), Challenges::Scp03 { host, card }) => {
            Ok(Scp03Keys::derive(keys, host, card).into())
        }
        (keys, Challenges::Scp02 { .. }) => {
            Err(KeyError::WrongKind { held: keys.kind(), asked: KeyKind::TripleDes })
        }
        (keys, Challenges::Scp03 { .. }) => {
            Err(KeyError::WrongKind { held: keys.kind(), asked: KeyKind::Aes128 })
        }
    }
}

impl KeyService for SoftwareKeys {
    fn open_channel(&self, owner: &ChannelOwner, facts: &ChannelFacts) -> Result<ChannelKeys, KeyError> {
        let keys = match owner {
            ChannelOwner::Issuer { maker, scheme, version, kind } => {
                let unknown = || KeyError::UnknownMaker { maker: maker.clone(), version: *version };
                let keys = self.roots.maker(maker, *version, *kind).ok_or_else(unknown)?;
                if keys.kind() != *kind {
                    return Err(KeyError::WrongKind { held: keys.kind(), asked: *kind });
                }
                let diversified = keys.diversified(*scheme, &facts.diversification);
                diversified.ok_or(KeyError::WrongScheme(*kind))?
            }
            ChannelOwner::Domain { element, kind } => self.roots.domain_keys(element, *kind),
            ChannelOwner::Transport => self.roots.transport_keys().into(),
        };
        session(&keys, &facts.session)
    }

    fn wrap_domain_keys(
        &self,
        element: &str,
        kind: KeyKind,
        check: AesCheck,
        channel: &ChannelKeys,
    ) -> Result<[SealedKey; 3], KeyError> {
        Ok(channel.seal(&self.roots.domain_keys(element, kind), check))
    }

    fn wrap_card_keys(&self, card: &CardRef, channel: &ChannelKeys) -> Result<Vec<WrappedCardKey>, KeyError> {
        let wrap = |usage: KeyUsage| {
            let WrappedKey { cipher, kcv } = channel.wrap(&self.card_key(usage, card));
            WrappedCardKey { usage, version: VERSION, algorithm: 0, cipher, kcv }
        };
        Ok(KeyUsage::ALL.into_iter().map(wrap).collect())
    }

    fn authorize_load(
        &self,
        card: &CardRef,
        offer: &LoadOffer,
        load: &LoadRequest,
    ) -> Result<[u8; 4], KeyError> {
        held(offer.key_version, offer.algorithm)?;
        let session = LoadSession::new(&self.card_key(KeyUsage::Load, card), offer.random, offer.counter);
        let kind = TxnType::Load.code();
        if !session.mac1(offer.balance, load.amount, kind, load.terminal).verify(offer.mac1) {
            return Err(KeyError::WrongMac1 { card: card.number, counter: offer.counter });
        }
        Ok(session.mac2(load.amount, kind, load.terminal, load.at).bytes())
    }

    fn verify_load(&self, card: &CardRef, proof: &LoadProof, tac: Tac) -> Result<(), KeyError> {
        let LoadProof { new_balance, counter, amount, terminal, at } = *proof;
        let key = self.card_key(KeyUsage::Tac, card);
        let expected = load_tac(&key, new_balance, counter, amount, TxnType::Load.code(), terminal, at);
        if expected.verify(tac.0) { Ok(()) } else { Err(KeyError::WrongTac { card: card.number }) }
    }

    fn authorize_purchase(
        &self,
        card: &CardRef,
        offer: &PurchaseOfferFacts,
        purchase: &PurchaseRequest,
    ) -> Result<[u8; 4], KeyError> {
        held(offer.key_version, offer.algorithm)?;
        let key = self.card_key(KeyUsage::Purchase, card);
        let session = PurchaseSession::new(&key, offer.random, offer.counter, purchase.terminal_seq);
        Ok(session.mac1(&facts(purchase), offer.auth_id.as_ref()).bytes())
    }

    fn verify_purchase(&self, card: &CardRef, purchase: &PurchaseRequest, tac: Tac) -> Result<(), KeyError> {
        let key = self.card_key(KeyUsage::Tac, card);
        let expected = purchase_tac(&key, &facts(purchase), purchase.terminal_seq);
        if expected.verify(tac.0) { Ok(()) } else { Err(KeyError::WrongTac { card: card.number }) }
    }

    fn verify_tap(&self, tap: &TapRecord) -> Result<(), KeyError> {
        held(tap.key_version, tap.algorithm)?;
        if tap.kind == TxnType::Load {
            return Err(KeyError::WrongType(tap.kind.code()));
        }
        let key = self.card_key(KeyUsage::Tac, &CardRef { city: tap.issuer, number: tap.card });
        let purchase =
            Purchase { amount: tap.amount, txn_type: tap.kind.code(), terminal: tap.terminal, at: tap.at };
        let expected = purchase_tac(&key, &purchase, tap.terminal_seq);
        if expected.verify(tap.tac.0) { Ok(()) } else { Err(KeyError::WrongTac { card: tap.card }) }
    }

    fn wrong_tacs(
        &self,
        issuer: CityCode,
        (version, algorithm): (u8, u8),
        taps: &[TapFacts],
    ) -> Result<Vec<usize>, KeyError> {
        held(version, algorithm)?;
        let mut wrong = Vec::new();
        let key = self.city_key(KeyUsage::Tac, issuer);
        Checker::new(&key, self.width).check(taps, |index| wrong.push(index));
        Ok(wrong)
    }

    fn line_mac(
        &self,
        card: &CardRef,
        usage: KeyUsage,
        challenge: &[u8],
        bytes: &[u8],
    ) -> Result<[u8; 4], KeyError> {
        Ok(line_mac(&self.card_key(usage, card), challenge, bytes).bytes())
    }

    fn psam_keys(&self, scope: PsamScope) -> Result<PsamKeys, KeyError> {
        Ok(match scope {
            PsamScope::National => {
                PsamKeys::new(self.roots.card_root(KeyUsage::Purchase).clone(), VERSION, scope.levels())
            }
            PsamScope::City(city) => {
                PsamKeys::new(self.city_key(KeyUsage::Purchase, city), VERSION, scope.levels())
            }
        })
    }

    fn sam_write_key(
        &self,
        purpose: SamPurpose,
        scope: PsamScope,
        control: &Key16,
        challenge: [u8; 4],
    ) -> Result<Vec<u8>, KeyError> {
        let usage = match purpose {
            SamPurpose::Purchase => KeyUsage::Purchase,
            SamPurpose::Load => KeyUsage::Load,
        };
        let key = match scope {
            PsamScope::National => self.roots.card_root(usage).clone(),
            PsamScope::City(city) => self.city_key(usage, city),
        };
        let written = write_key(&key, (purpose, scope.levels(), VERSION), control, challenge);
        written.ok_or(KeyError::UnknownAlgorithm(0))
    }

    fn check_values(&self) -> Vec<CheckValue> {
        self.roots.check_values()
    }

    fn is_demo(&self) -> bool {
        self.roots.is_demo()
    }
}

#[cfg(test)]
mod tests {
    use model::{CardNumber, Label, Mode, OperatorId, PsamId, PurseFen, TerminalId};

    use super::*;
    use crate::{Seeded, demo_card_keys};

    fn card() -> CardRef {
        CardRef { city: CityCode::new(2000).unwrap(), number: CardNumber::from_u64(0x2000_0000_0000_0001) }
    }

    fn fen(fen: u32) -> PurseFen {
        PurseFen::try_from(fen).unwrap()
    }

    fn request() -> LoadRequest {
        let terminal = TerminalId::new([9, 9, 0, 0, 0, 1]);
        LoadRequest { amount: fen(5000), terminal, at: "2014-10-20 07:45:00".parse().unwrap() }
    }

    fn offer(keys: &crate::CardKeys) -> LoadOffer {
        let session = LoadSession::new(&keys.get(KeyUsage::Load, 1).unwrap().key, [1, 2, 3, 4], 7);
        let mac1 = session.mac1(fen(100), request().amount, 2, request().terminal).bytes();
        LoadOffer { balance: fen(100), counter: 7, key_version: 1, algorithm: 0, random: [1, 2, 3, 4], mac1 }
    }

    fn tap() -> TapRecord {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let mut tap = TapRecord {
            card: card().number,
            issuer: card().city,
            acquirer: CityCode::new(3150).unwrap(),
            operator: OperatorId::new(31_500_101).unwrap(),
            mode: Mode::Bus,
            terminal: TerminalId::new([0x31, 0x50, 1, 0, 0, 1]),
            terminal_seq: 9,
            psam: PsamId(1),
            card_seq: 1,
            amount: fen(200),
            list_fare: fen(200),
            balance_before: fen(5000),
            kind: TxnType::Purchase,
            at: request().at,
            tac: Tac([0; 4]),
            key_version: 1,
            algorithm: 0,
            line: label("1"),
            vehicle: label(""),
            stop_in: label(""),
            stop_out: label(""),
            entered_at: None,
            test: false,
        };
        let keys = demo_card_keys(&card());
        let purchase = Purchase { amount: tap.amount, txn_type: 6, terminal: tap.terminal, at: tap.at };
        tap.tac = Tac(purchase_tac(&keys.get(KeyUsage::Tac, 1).unwrap().key, &purchase, 9).bytes());
        tap
    }

    #[test]
    fn a_genuine_offer_is_authorized_and_any_other_is_refused() {
        let (service, keys) = (SoftwareKeys::demo(), demo_card_keys(&card()));
        let good = offer(&keys);
        assert!(service.authorize_load(&card(), &good, &request()).is_ok());
        let lies = [
            LoadOffer { balance: fen(99), ..good },
            LoadOffer { counter: 8, ..good },
            LoadOffer { random: [1, 2, 3, 5], ..good },
        ];
        for lie in lies {
            let error = service.authorize_load(&card(), &lie, &request()).unwrap_err();
            assert!(matches!(error, KeyError::WrongMac1 { .. }));
            assert!(!error.to_string().contains(&card().number.raw()), "{error}");
        }
        let newer = LoadOffer { key_version: 2, ..good };
        let error = service.authorize_load(&card(), &newer, &request()).unwrap_err();
        assert_eq!(error, KeyError::UnknownVersion { version: 2, held: 1 });
    }

    #[test]
    fn a_tap_proves_itself_and_no_altered_one_does() {
        let service = SoftwareKeys::demo();
        assert_eq!(service.verify_tap(&tap()), Ok(()));
        let forged = [
            TapRecord { amount: fen(201), ..tap() },
            TapRecord { terminal_seq: 10, ..tap() },
            TapRecord { kind: TxnType::Compound, ..tap() },
            TapRecord { issuer: CityCode::new(3150).unwrap(), ..tap() },
            TapRecord { tac: Tac::from_u32(tap().tac.as_u32() ^ 1), ..tap() },
        ];
        for tap in forged {
            assert!(matches!(service.verify_tap(&tap), Err(KeyError::WrongTac { .. })));
        }
    }

    #[test]
    fn a_tap_of_a_key_that_is_not_held_is_refused_by_name_and_not_by_its_tac() {
        let verify = |tap| SoftwareKeys::demo().verify_tap(&tap).unwrap_err();
        let version = verify(TapRecord { key_version: 2, ..tap() });
        assert_eq!(version, KeyError::UnknownVersion { version: 2, held: 1 });
        assert_eq!(verify(TapRecord { algorithm: 4, ..tap() }), KeyError::UnknownAlgorithm(4));
        assert_eq!(verify(TapRecord { kind: TxnType::Load, ..tap() }), KeyError::WrongType(2));
    }

    #[test]
    fn national_and_city_psams_meet_the_same_card() {
        let service = SoftwareKeys::demo();
        let national = service.psam_keys(PsamScope::National).unwrap();
        let local = service.psam_keys(PsamScope::City(card().city)).unwrap();
        let (number, city) = (card().number.bytes(), card().city.diversifier());
        let card_key = demo_card_keys(&card()).get(KeyUsage::Purchase, 1).unwrap().key.clone();
        let expected = PurchaseSession::new(&card_key, [1; 4], 2, 3).mac2(fen(1)).bytes();
        let by = |keys: &PsamKeys, by: &[[u8; 8]]| {
            keys.session(1, by, [1; 4], 2, 3).map(|session| session.mac2(fen(1)).bytes())
        };
        assert_eq!(by(&national, &[number, city]), Some(expected));
        assert_eq!(by(&local, &[number]), Some(expected));
        assert_ne!(by(&national, &[city, number]), Some(expected), "card first, then city");
        assert_eq!(by(&national, &[number]), None);
        assert!(local.session(2, &[number], [1; 4], 2, 3).is_none());
    }

    #[test]
    fn a_card_key_arrives_as_it_was_sent_and_as_no_other() {
        let service = SoftwareKeys::demo();
        let facts = ChannelFacts { diversification: [0; 10], session: Challenges::Scp02 { sequence: 3 } };
        let channel = service.open_channel(&ChannelOwner::Transport, &facts).unwrap();
        for wrapped in service.wrap_card_keys(&card(), &channel).unwrap() {
            let key = channel.unwrap_key(&wrapped.cipher, wrapped.kcv).unwrap();
            assert_eq!(key.kcv(), demo_card_keys(&card()).get(wrapped.usage, 1).unwrap().key.kcv());
            let mut flipped = wrapped.cipher;
            flipped[0] ^= 0x80;
            assert!(channel.unwrap_key(&flipped, wrapped.kcv).is_none());
        }
    }

    #[test]
    fn only_a_demo_network_knows_makers_that_brought_no_keys() {
        let owner = ChannelOwner::Issuer {
            maker: "oppo".into(),
            scheme: crate::KeyScheme::None,
            version: 1,
            kind: KeyKind::TripleDes,
        };
        let facts = ChannelFacts { diversification: [0; 10], session: Challenges::Scp02 { sequence: 0 } };
        assert!(SoftwareKeys::demo().open_channel(&owner, &facts).is_ok());
        let components = |seed| {
            let mut entropy = Seeded::new(seed);
            let component = |_| {
                let mut bytes = [0; 16];
                model::Entropy::fill(&mut entropy, &mut bytes);
                bytes
            };
            (0..Roots::names().len()).map(component).collect::<Vec<_>>()
        };
        let roots = Roots::ceremony(&[components(1), components(2)]).unwrap();
        let service = SoftwareKeys::new(roots);
        assert!(!service.is_demo());
        assert!(matches!(
            service.open_channel(&owner, &facts),
            Err(KeyError::UnknownMaker { version: 1, .. })
        ));
    }
}
