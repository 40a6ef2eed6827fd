//! What stands on the street: one phone, one plastic card, a reader for each operator.
//!
//! Invariant: a tap is in a reader's batch until the centre has given its receipt for it.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use card::layout::PURSE_AID;
use card::{PurseReader, PurseView};
use clearing::cux::FileName;
use keys::SoftwareKeys;
use model::registry::{Fare, Flow, Operator, Registry};
use model::{CityCode, Clock, Date, PurseFen, TerminalId};
use secure_element::{PlasticCard, SoftwareElement};
use serde_json::{Value, json};
use sim::{Cut, Leaving, Links, Place, Reader, SessionEnd, SimError, file_number};
use smartcard::Channel;
use smartcard::gp::Aid;
use terminal::{
    AcceptanceList, DenyList, FilePsamStore, FileStorage, MemoryPsamStore, MemoryStorage, PsamStore, Request,
    Storage, TapOutcome,
};
use tsm::agent::Agent;
use tsm::seram::SecureElement;
use tsm::{ActivatePlan, Element, Job};
use wallet::Trust;

use super::page::Tap;
use super::{PASSENGER, PHONE};
use crate::chip;
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemClock, SystemEntropy, make_folder};
use crate::run::phone::{http, post, run_session};

/// INS of DEBIT FOR PURCHASE: where a card is pulled away early.
const DEBIT: u8 = 0x54;
/// The plastic card's city.
const PLASTIC_CITY: CityCode = match CityCode::new(2000) {
    Some(city) => city,
    None => unreachable!(),
};
const PLASTIC: &str = "plastic";
/// Which of a city's two senders of files the street is; the living network is the other.
const SENDER: u16 = 1;
/// What the page loads onto the plastic card.
const PLASTIC_LOAD_FEN: u32 = 5000;
/// Lines of the page's list.
const SHOWN_TAPS: usize = 12;
/// The fare that a driver, a till or a meter names on this street, where the operator's own does not follow.
const NAMED_FARE_FEN: u32 = 300;

/// The street's things.
pub(super) struct Scene {
    keys: Arc<SoftwareKeys>,
    folder: Option<PathBuf>,
    phone: SoftwareElement,
    plastic: PlasticCard,
    readers: BTreeMap<TerminalId, Reader>,
    taps: VecDeque<Value>,
    uploaded_at: BTreeMap<CityCode, (Date, u16)>,
}

impl Scene {
    /// The things, new or as the folder has kept them.
    pub(super) fn open(registry: &Registry, keys: Arc<SoftwareKeys>, data: Option<&Path>) -> Outcome<Self> {
        let folder = data.map(|data| data.join("street"));
        if let Some(folder) = &folder {
            make_folder(folder)?;
        }
        let memory = |name: &str| folder.as_ref().map(|folder| folder.join(name));
        let profile = registry
            .phone(PHONE)
            .ok_or_else(|| Failure::input(format_args!("the registry has no phone {PHONE}")))?;
        let phone = chip::element(profile, memory("phone.state").as_deref())?;
        let plastic =
            chip::plastic(registry, PLASTIC_CITY, keys.as_ref(), memory("plastic.state").as_deref())?;
        let (readers, taps, uploaded_at) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        Ok(Scene { keys, folder, phone, plastic, readers, taps, uploaded_at })
    }

    /// The phone's element.
    pub(super) fn se_id(&self) -> String {
        self.phone.se_id()
    }

    /// The phone's agent carries out a session.
    pub(super) fn carry_out(&mut self, centre: &str, session: &str) -> Result<SessionEnd, SimError> {
        let agent = Agent::new(SecureElement::embedded(&self.se_id(), PHONE));
        run_session(&http(&Trust::default()), centre, session, &agent, &mut self.phone)
    }

    /// The plastic card is held to the phone, and loaded through the wallet.
    pub(super) fn load_plastic(&mut self, centre: &str, wallet: &str, password: &str) -> Outcome {
        let order = json!({ "name": PASSENGER, "password": password, "plastic": true, "amount_fen": PLASTIC_LOAD_FEN });
        let http = http(&Trust::default());
        let placed = post(&http, &format!("{wallet}/app/load"), order.to_string().into_bytes())?;
        let placed: Value = serde_json::from_slice(&placed).map_err(Failure::wrong)?;
        let session = placed.pointer("/session/id").and_then(Value::as_str);
        let session = session.ok_or_else(|| Failure::wrong("the wallet has opened no session"))?.to_owned();
        let agent = Agent::new(SecureElement::plastic());
        run_session(&http, centre, &session, &agent, &mut self.plastic).map_err(Failure::wrong)?;
        Ok(())
    }

    /// What the page shows.
    pub(super) fn shown(&mut self, registry: &Registry) -> Value {
        let cities: Vec<Value> =
            registry.cities().filter(|city| city.joined.is_some()).map(city_shown).collect();
        let mut cards: Vec<Value> = Vec::new();
        let active = look(&mut self.phone, Aid::of(PURSE_AID).as_bytes()).map(|view| view.public_info.number);
        for city in registry.cities() {
            let Some(instance) = centre::instance_aid(city.code) else { continue };
            let view =
                look(&mut self.phone, instance.as_bytes()).filter(|view| view.public_info.city == city.code);
            cards.extend(view.map(|view| {
                json!({ "id": city.code, "city": city_shown(city), "plastic": false, "balance_fen": view.balance.get(),
                        "number": view.public_info.number.to_string(), "active": active == Some(view.public_info.number) })
            }));
        }
        if let (Some(view), Some(city)) = (look(&mut self.plastic, &PURSE_AID), registry.city(PLASTIC_CITY)) {
            cards.push(json!({ "id": PLASTIC, "city": city_shown(city), "plastic": true, "active": true,
                               "balance_fen": view.balance.get(), "number": view.public_info.number.to_string() }));
        }
        let readers: Vec<Value> = registry.operators().map(reader_shown).collect();
        json!({ "cards": cards, "cities": cities, "readers": readers, "taps": self.taps, "passenger": PASSENGER })
    }

    /// A card is held to a reader.
    pub(super) fn tap(&mut self, registry: &Registry, tap: &Tap) -> Value {
        match self.try_tap(registry, tap) {
            Ok((operator, outcome)) => {
                let (good, said) = said(&outcome);
                let row = json!({ "at": SystemClock.now().to_string(), "reader": operator, "said": said });
                self.taps.push_front(row);
                self.taps.truncate(SHOWN_TAPS);
                json!({ "good": good, "said": said })
            }
            Err(failure) => {
                json!({ "good": false, "said": { "zh": failure.to_string(), "en": failure.to_string() } })
            }
        }
    }

    fn try_tap(&mut self, registry: &Registry, tap: &Tap) -> Outcome<(Value, TapOutcome)> {
        let gate: TerminalId = tap.terminal.parse().map_err(Failure::input)?;
        let operator = registry.operator_of_terminal(gate).ok_or_else(|| Failure::input("no such reader"))?;
        let list =
            matches!(operator.fare, Fare::Listed).then(|| PurseFen::try_from(NAMED_FARE_FEN).ok()).flatten();
        let (request, terminal) = match tap.request.as_str() {
            "enter" => (Request::Enter, gate),
            "leave" => (
                Request::Leave { list },
                operator.terminals.get(operator.terminals.count / 2).unwrap_or(gate),
            ),
            _ => (Request::Pay { list }, gate),
        };
        let now = SystemClock.now();
        let torn = tap.early.then_some((DEBIT, Cut::Answer));
        if tap.card != PLASTIC {
            self.activate(registry, &tap.card)?;
        }
        self.reader(registry, operator, terminal)?;
        let reader = self.readers.get_mut(&terminal).ok_or_else(|| Failure::wrong("no such reader"))?;
        let card: &mut dyn Channel = if tap.card == PLASTIC { &mut self.plastic } else { &mut self.phone };
        card.reset().map_err(Failure::wrong)?;
        let outcome = reader.tap(&mut Leaving::new(card, torn), request, now);
        Ok((json!({ "zh": operator.name.zh, "en": operator.name.en }), outcome))
    }

    /// The phone shows the card that its holder chose.
    fn activate(&mut self, registry: &Registry, city: &str) -> Outcome {
        let city: CityCode = city.parse().map_err(Failure::input)?;
        let instance = centre::instance_aid(city).ok_or_else(|| Failure::input("no such city"))?;
        let shown = look(&mut self.phone, &PURSE_AID).map(|view| view.public_info.city);
        let profile = registry.phone(PHONE).cloned();
        let (Some(profile), true) = (profile, shown != Some(city)) else { return Ok(()) };
        let others = registry
            .cities()
            .filter(|other| other.code != city)
            .filter_map(|other| centre::instance_aid(other.code));
        let others = others.filter(|aid| look(&mut self.phone, aid.as_bytes()).is_some()).collect();
        let plan = ActivatePlan { element: Element { se_id: self.phone.se_id(), profile }, instance, others };
        let report = sim::run_job(
            &mut Job::activate(plan),
            &mut self.phone,
            self.keys.as_ref(),
            &mut SystemEntropy,
            SystemClock.now(),
        );
        if report == tsm::Report::Activated {
            Ok(())
        } else {
            Err(Failure::wrong("the card cannot be activated"))
        }
    }

    fn reader(&mut self, registry: &Registry, operator: &Operator, terminal: TerminalId) -> Outcome {
        if self.readers.contains_key(&terminal) {
            return Ok(());
        }
        let acceptance = Arc::new(AcceptanceList::of(registry, operator.city, 1));
        let deny = Arc::new(DenyList::new(0, []));
        let (batch, psam): (Box<dyn Storage>, Box<dyn PsamStore>) = match &self.folder {
            None => (Box::new(MemoryStorage::default()), Box::new(MemoryPsamStore::default())),
            Some(folder) => {
                let batch =
                    FileStorage::open(&folder.join(format!("{terminal}.batch"))).map_err(Failure::wrong)?;
                (Box::new(batch), Box::new(FilePsamStore::new(&folder.join(format!("{terminal}.psam")))))
            }
        };
        let (operator, place) = (Arc::new(operator.clone()), Place::of(operator, terminal));
        let reader =
            Reader::on(terminal, &operator, place, self.keys.as_ref(), (&acceptance, &deny), (batch, psam));
        self.readers.insert(terminal, reader.map_err(Failure::wrong)?);
        Ok(())
    }

    /// Each city's back end uploads what its readers have, in a file of its own number.
    pub(super) fn upload(&mut self, links: &Links, last: bool) -> Result<(), SimError> {
        let now = SystemClock.now();
        let mut number = file_number(now, SENDER);
        let terminals: Vec<TerminalId> = self.readers.keys().copied().collect();
        for terminal in terminals {
            let Some(reader) = self.readers.get_mut(&terminal) else { continue };
            let export = reader.batch().export();
            let city = reader.settings().operator.city;
            let used =
                self.uploaded_at.get(&city).filter(|(day, used)| *day == now.date() && *used >= number);
            match (export.records.is_empty(), used) {
                (true, _) => continue,
                (false, Some((_, used))) if last => number = used.saturating_add(2),
                (false, Some(_)) => continue,
                (false, None) => {}
            }
            let name = FileName::spends(city, now.date(), number);
            links.upload(name, now, export.records, &SystemClock, &mut SystemEntropy)?;
            self.uploaded_at.insert(city, (now.date(), number));
            reader
                .mark_uploaded(export.through)
                .map_err(|error| SimError::Reader { terminal, why: error.to_string() })?;
        }
        Ok(())
    }
}

/// What a card says of itself; `None` if it is not there.
fn look(card: &mut dyn Channel, name: &[u8]) -> Option<PurseView> {
    card.reset().ok()?;
    let reader = PurseReader::new(name, 0);
    let answers: Vec<_> = reader.commands().iter().map(|command| card.exchange(command).ok()).collect();
    reader.view(&answers).ok()
}

fn city_shown(city: &model::registry::City) -> Value {
    json!({ "code": city.code, "zh": city.name.zh, "en": city.name.en })
}

fn reader_shown(operator: &Operator) -> Value {
    json!({ "terminal": operator.terminals.first.to_string(), "city": operator.city, "gates": operator.flow == Flow::EntryExit,
            "zh": operator.name.zh, "en": operator.name.en })
}

fn said(outcome: &TapOutcome) -> (bool, Value) {
    match outcome {
        TapOutcome::Accepted { record, balance, recovered, .. } => {
            let paid = record.amount;
            let (finished_zh, finished_en) = if *recovered {
                ("，上次中断的已补完", ", the torn tap is finished")
            } else {
                ("", "")
            };
            let zh = format!("通过 扣款 {paid} 元，余额 {balance} 元{finished_zh}");
            let en = format!("Accepted: paid {paid} yuan, balance {balance} yuan{finished_en}");
            (true, json!({ "zh": zh, "en": en }))
        }
        TapOutcome::Refused(refused) => (false, json!({ "zh": refused.why.zh(), "en": refused.why.en() })),
        TapOutcome::Torn(_) => (
            false,
            json!({
            "zh": "卡片离开过早，请在同一读卡器重刷", "en": "The card left too early: hold it to the same reader again" }),
        ),
    }
}
