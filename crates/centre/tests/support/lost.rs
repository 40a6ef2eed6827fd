//! A phone with a card on it that gets lost, and a bus's reader: the terminal's own code, with the centre's own list.

use std::sync::Arc;

use clearing::cux::{CuxFile, Numbered, write_taps};
use keys::{KeyService, PsamScope, SoftwareKeys};
use model::{CardTime, CityCode, PsamId, TapRecord, TerminalId};
use secure_element::SoftwareElement;
use serde_json::{Value, json};
use smartcard::Channel;
use terminal::{
    AcceptanceList, Batch, DenyList, MemoryPsamStore, MemoryStorage, PsamIdentity, Request, Settings,
    SoftwarePsam, TapOutcome, Validator,
};

use super::phone::phone;
use super::{Centre, phone_id, registry};

/// The card `c1`, by its full name on the element.
pub const SHANGHAI: &str = "A00000000386980701200001";
const CITY: &str = "2000";
const BUS: &str = "20000101";

/// A phone with card `c1` of alipay's on it, 5000 fen in its purse; the last of its loads is `o1`.
pub async fn issued(centre: &Centre) -> (SoftwareElement, String) {
    let model = phone_id();
    let mut chip = phone(&model, 1);
    let se_id = chip.se_id();
    let card = json!({"id": "c1", "user": "u", "city": CITY, "phone": model, "se_id": se_id});
    centre.ok("POST", "/v1/cards", "alipay", card).await;
    let issue = json!({"id": "i1", "kind": "issue", "card": "c1"});
    let issue = centre.ok("POST", "/v1/orders", "alipay", issue).await;
    assert_eq!(centre.carry_out(&issue, &se_id, &mut chip).await, "done");
    let order = load(centre, "o1", 5000).await;
    assert_eq!(centre.carry_out(&order, &se_id, &mut chip).await, "done");
    (chip, se_id)
}

pub async fn load(centre: &Centre, id: &str, amount: u32) -> Value {
    let paid = json!({"amount_fen": amount, "reference": format!("pay-{id}")});
    let order = json!({"id": id, "kind": "load", "card": "c1", "amount_fen": amount, "paid": paid});
    centre.ok("POST", "/v1/orders", "alipay", order).await
}

/// An order to suspend or resume the card.
pub async fn lock_order(centre: &Centre, id: &str, kind: &str) -> Value {
    centre.ok("POST", "/v1/orders", "alipay", json!({"id": id, "kind": kind, "card": "c1"})).await
}

pub async fn card_state(centre: &Centre) -> String {
    let card = centre.ok("GET", "/v1/cards/c1", "alipay", Value::Null).await;
    card["state"].as_str().unwrap().to_owned()
}

/// How a step of an order stands.
pub fn step(order: &Value, name: &str) -> String {
    let steps = order["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name);
    step.map_or_else(String::new, |step| step["state"].as_str().unwrap().to_owned())
}

/// A bus's reader.
pub struct Reader {
    validator: Validator,
    psam: SoftwarePsam,
    batch: Batch,
    pub list: Arc<DenyList>,
    /// What a ride costs.
    pub fare: u32,
}

impl Reader {
    /// With no list yet.
    pub fn new() -> Reader {
        let registry = registry();
        let bus = registry.operator(BUS.parse().unwrap()).unwrap();
        let terminal: TerminalId = bus.terminals.first;
        let keys = SoftwareKeys::demo().psam_keys(PsamScope::National).unwrap();
        let identity = PsamIdentity { id: PsamId(terminal.as_u64()), terminal, key_index: 1 };
        let psam = SoftwarePsam::new(keys, identity, Box::new(MemoryPsamStore::default())).unwrap();
        let batch = Batch::open(Box::new(MemoryStorage::default()), terminal).unwrap();
        let acceptance = Arc::new(AcceptanceList::of(&registry, bus.city, 1));
        let list = Arc::new(DenyList::default());
        let settings = Settings::new(terminal, Arc::new(bus.clone()));
        let validator = Validator::new(settings, acceptance, Arc::clone(&list));
        Reader { validator, psam, batch, list, fare: 200 }
    }

    /// The centre's list as it stands, as the city's back end hands it to its readers.
    pub async fn fetch_list(&mut self, centre: &Centre) {
        let list = centre.ok("GET", "/v1/lists/deny", "city:2000", Value::Null).await;
        let card = |card: &Value| -> (CityCode, model::CardNumber) {
            (
                card["city"].as_str().unwrap().parse().unwrap(),
                card["number"].as_str().unwrap().parse().unwrap(),
            )
        };
        let cards: Vec<_> = list["cards"].as_array().unwrap().iter().map(card).collect();
        let version = u32::try_from(list["version"].as_u64().unwrap()).unwrap();
        self.list = Arc::new(DenyList::new(version, cards));
        assert_eq!(self.validator.take_deny_list(Arc::clone(&self.list)), version, "a newer list is taken");
    }

    /// A ride; the record, or the code of the refusal.
    pub fn tap(&mut self, card: &mut dyn Channel, at: CardTime) -> Result<TapRecord, String> {
        card.reset().unwrap();
        let request = Request::Pay { list: None };
        match self.validator.tap(card, &mut self.psam, request, at, &mut self.batch) {
            TapOutcome::Accepted { record, .. } => {
                self.fare = record.amount.get();
                Ok(record)
            }
            TapOutcome::Refused(refused) => Err(refused.why.code().to_string()),
            TapOutcome::Torn(_) => panic!("torn"),
        }
    }
}

/// Sends one tap to the centre; its verdict if it is not paid.
pub async fn verdict(centre: &Centre, file: u16, record: TapRecord) -> Option<u64> {
    let now = centre.core.now();
    let day = now.date().to_string().replace('-', "");
    let name = format!("XF{CITY}0000{day}{file:04}.CUX");
    let records = vec![Numbered { local_seq: 1, record }];
    let bytes = write_taps(&CuxFile { name: name.parse().unwrap(), created: now, records }).unwrap();
    let (status, receipt) = centre.send("PUT", &format!("/v1/files/{name}"), "city:2000", bytes).await;
    assert_eq!(status, 200, "{receipt}");
    let path = format!("/v1/files/{name}/verdicts");
    let verdicts = centre.ok("GET", &path, "city:2000", Value::Null).await;
    verdicts["not_paid"].as_array().unwrap().first().map(|verdict| verdict["verdict"].as_u64().unwrap())
}
