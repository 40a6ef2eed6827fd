//! A wallet on a scripted centre: a small one that keeps cards and orders, checks every signature, and fails on demand.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, SigningKey};
use model::registry::Name;
use model::{CardTime, Clock, Entropy, Fen};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wallet::{
    Config, Core, Demo, Device, Method, Order, OrderState, PasswordCost, Payer, Push, PushError, Reply,
    Request, Storage, Target, Transport, TransportError, demo_signing_seed,
};

pub(crate) const WALLET: &str = "alipay";
pub(crate) const PASSWORD: &str = "135790";
/// What the centre signs its webhooks with.
pub(crate) const HOOK_SECRET: &[u8] = b"a secret of the webhook's, 32 long";
pub(crate) const SE_ID: &str = "4805A0";

/// What goes wrong with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It cannot be sent.
    Unreachable,
    /// It is lost on its way.
    LostRequest,
    /// It is done, and its answer is lost.
    LostAnswer,
    /// It is done, and its answer cannot be read.
    GarbledAnswer,
    /// Not done, with this status and no problem in the body.
    Status(u16),
    /// Not done, with this problem.
    Problem(u16, &'static str),
}

#[derive(Default)]
struct Kept {
    cards: BTreeMap<String, String>,
    /// Body, state, balance, problem.
    orders: BTreeMap<String, (String, Value)>,
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
    nonces: HashSet<String>,
    /// Digests of daily files, by path.
    files: BTreeMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Centre(Mutex<Kept>);

impl Centre {
    /// What goes wrong with the next requests, in order.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults.extend(faults);
    }

    /// How far an order has come.
    pub(crate) fn set(&self, order: &str, change: Value) {
        let mut kept = self.0.lock().unwrap();
        let (_, stored) = kept.orders.get_mut(order).expect("the centre has the order");
        for (name, value) in change.as_object().unwrap() {
            stored[name] = value.clone();
        }
    }

    pub(crate) fn done(&self, order: &str, balance_fen: u32) {
        self.set(
            order,
            json!({"state": "done", "balance_fen": balance_fen, "card_number": "2000000000000001"}),
        );
    }

    pub(crate) fn refused(&self, order: &str) {
        let problem = json!({"code": "card-refused", "title": "The card refused", "detail": "-",
                             "title_zh": "卡拒绝了操作", "detail_zh": "-"});
        self.set(order, json!({"state": "refused", "problem": problem}));
    }

    /// A refund is proven: so much was on the card.
    pub(crate) fn refunded(&self, order: &str, amount_fen: u32) {
        let number = "2000000000000001";
        self.set(
            order,
            json!({"state": "done", "amount_fen": amount_fen, "balance_fen": 0, "card_number": number}),
        );
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.lock().unwrap().requests.clone()
    }

    /// The bodies that were posted to a path, as they came.
    pub(crate) fn posted(&self, path: &str) -> Vec<Vec<u8>> {
        let here = |r: &Request| r.method == Method::Post && r.path_and_query == path;
        self.requests().into_iter().filter(here).map(|r| r.body).collect()
    }

    pub(crate) fn orders(&self) -> usize {
        self.0.lock().unwrap().orders.len()
    }
}

impl Transport for Centre {
    fn send(&self, request: Request) -> Result<Reply, TransportError> {
        let mut kept = self.0.lock().unwrap();
        let fault = kept.faults.pop_front().unwrap_or(Fault::None);
        if matches!(fault, Fault::Unreachable) {
            return Err(TransportError::Unreachable("no route".into()));
        }
        kept.requests.push(request.clone());
        if matches!(fault, Fault::LostRequest) {
            return Err(TransportError::NoAnswer("timed out".into()));
        }
        let nonce = checked_nonce(&request);
        assert!(kept.nonces.insert(nonce), "a nonce was used twice");
        let (status, body) = match fault {
            Fault::Status(status) => (status, Value::Null),
            Fault::Problem(status, code) => (status, problem(code)),
            _ => kept.answer(&request),
        };
        let body = match fault {
            Fault::LostAnswer => return Err(TransportError::NoAnswer("connection reset".into())),
            Fault::GarbledAnswer => b"<html>".to_vec(),
            _ => body.to_string().into_bytes(),
        };
        Ok(Reply { status, headers: Vec::new(), body })
    }
}

fn problem(code: &str) -> Value {
    json!({"type": format!("urn:yikatong:problem:{code}"), "status": 0, "code": code, "title": "t", "detail": "d",
           "title_zh": "题", "detail_zh": "细"})
}

impl Kept {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let parsed: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let id = parsed["id"].as_str().unwrap_or_default().to_owned();
        match (request.method, request.path_and_query.as_str()) {
            (Method::Get, "/v1/cities") => (200, cities()),
            (Method::Post, "/v1/cards") => {
                let stored = self.cards.entry(id.clone()).or_insert(body.clone());
                if *stored != body {
                    return (409, problem("id-taken"));
                }
                (200, json!({"id": id, "number": "2000000000000001", "state": "planned"}))
            }
            (Method::Post, "/v1/orders") => {
                let number = self.orders.len();
                let (stored, order) = self
                    .orders
                    .entry(id.clone())
                    .or_insert_with(|| (body.clone(), new_order(&parsed, number)));
                if *stored == body { (200, order.clone()) } else { (409, problem("id-taken")) }
            }
            // Pages of two; a cursor is a place in the list.
            (Method::Get, path) if path.starts_with("/v1/orders?after=") => {
                let after: usize = path.trim_start_matches("/v1/orders?after=").parse().unwrap();
                let orders: Vec<&Value> =
                    self.orders.values().map(|(_, order)| order).skip(after).take(2).collect();
                let next = (after + 2 < self.orders.len()).then_some(after + 2);
                (200, json!({"orders": orders, "next": next}))
            }
            (Method::Get, path) if path.starts_with("/v1/cards/") => (
                200,
                json!({"loads": [], "taps": [{"at": "2014-10-20T07:45:00+08:00", "city": "3120",
                     "operator": "31200101", "mode": "bus", "amount_fen": 160}]}),
            ),
            (Method::Get, path) => {
                match self.orders.get(path.strip_prefix("/v1/orders/").unwrap_or_default()) {
                    Some((_, order)) => (200, order.clone()),
                    None => (404, problem("unknown-order")),
                }
            }
            (Method::Put, "/v1/webhooks/main") => {
                (200, json!({"id": "main", "secret": format!("whsec_{}", STANDARD.encode(HOOK_SECRET))}))
            }
            (Method::Put, path) => {
                let digest = hex::encode(Sha256::digest(&request.body));
                let stored = self.files.entry(path.to_owned()).or_insert(digest.clone());
                if *stored == digest {
                    (200, json!({"digest": digest}))
                } else {
                    (409, problem("file-name-taken"))
                }
            }
            (Method::Post, path) => match path.strip_suffix("/cancel") {
                Some(order) => self.cancel(order.trim_start_matches("/v1/orders/")),
                None => (404, problem("unknown-path")),
            },
        }
    }
}

impl Kept {
    fn cancel(&mut self, id: &str) -> (u16, Value) {
        let Some((_, order)) = self.orders.get_mut(id) else { return (404, problem("unknown-order")) };
        match order["state"].as_str().unwrap() {
            "in_doubt" => (409, problem("order-in-doubt")),
            "done" => (409, problem("order-over")),
            "refused" if order["problem"]["code"] != "cancelled" => (409, problem("order-over")),
            _ => {
                order["state"] = "refused".into();
                order["problem"] = problem("cancelled");
                (200, order.clone())
            }
        }
    }
}

fn new_order(request: &Value, number: usize) -> Value {
    let mut order = json!({"id": request["id"], "kind": request["kind"], "state": "created",
        "session": {"id": format!("5e55{number:028}"), "url": "/gp/seram"},
        "amount_fen": request["paid"]["amount_fen"].as_u64().unwrap_or(0),
        "placed_at": "2014-10-20T07:45:00+08:00", "changed_at": "2014-10-20T07:45:00+08:00", "cursor": 1});
    if let Some(card) = request.get("card") {
        order["card"] = card.clone();
    }
    order
}

fn cities() -> Value {
    let city = |code: &str, name: &str, zh: &str, fee: u32, joined: Option<&str>| {
        json!({"code": code, "name": name, "name_zh": zh, "joined": joined, "issue_fee_fen": fee,
               "purse_limit_fen": 100_000})
    };
    json!([
        city("2000", "Shanghai", "上海", 0, Some("2014-01-01")),
        city("3120", "Suzhou", "苏州", 2000, None)
    ])
}

/// Checks a request's signature over a base put together by hand, and its body's digest; gives its nonce.
fn checked_nonce(request: &Request) -> String {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    };
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&request.body)));
    assert_eq!(header("content-digest"), digest);
    let input = header("signature-input");
    let params = input.strip_prefix("sig1=").unwrap();
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((&request.path_and_query, ""));
    let base = format!(
        "\"@method\": {}\n\"@path\": {path}\n\"@query\": ?{query}\n\"content-digest\": {digest}\n\"@signature-params\": {params}",
        request.method.as_str()
    );
    let signature = header("signature");
    let signature = signature.strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
    let signature = Signature::from_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    let key = SigningKey::from_bytes(&demo_signing_seed(&WALLET.parse().unwrap())).verifying_key();
    key.verify_strict(base.as_bytes(), &signature).expect("the signature is good");
    params.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// A clock that moves when told to.
pub(crate) struct Hand(Mutex<CardTime>);

impl Hand {
    pub(crate) fn forward(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus_seconds(seconds);
    }
}

impl Clock for Hand {
    fn now(&self) -> CardTime {
        *self.0.lock().unwrap()
    }
}

/// Different bytes each time, the same in each run with the same seed.
struct Counted(u64);

impl Entropy for Counted {
    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            self.0 += 1;
            let block = Sha256::digest(self.0.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Remembers who was told what.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(String, String)>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }
}

impl Push for Told {
    fn notify(&self, device: &Device, session: &str, centre: &str) -> Result<(), PushError> {
        assert_eq!(centre, "http://centre.test");
        self.0.lock().unwrap().push((device.se_id.clone(), session.to_owned()));
        Err(PushError("the phone is off".into())) // which changes nothing
    }
}

/// A wallet with all that it stands on.
pub(crate) struct Wallet {
    pub(crate) core: Arc<Core>,
    pub(crate) centre: Arc<Centre>,
    pub(crate) clock: Arc<Hand>,
    pub(crate) told: Arc<Told>,
}

impl Wallet {
    pub(crate) fn in_memory() -> Wallet {
        Wallet::open(Storage::Memory, Arc::new(Centre::default()), 0)
    }

    pub(crate) fn in_folder(folder: &Path, centre: &Arc<Centre>, seed: u64) -> Wallet {
        Wallet::open(Storage::Folder(folder.to_owned()), Arc::clone(centre), seed)
    }

    fn open(storage: Storage, centre: Arc<Centre>, seed: u64) -> Wallet {
        let clock = Arc::new(Hand(Mutex::new("2014-10-20 07:45:00".parse().unwrap())));
        let told = Arc::new(Told::default());
        let core =
            Core::open(config(storage, Arc::clone(&centre), Arc::clone(&clock), Arc::clone(&told), seed));
        Wallet { core: Arc::new(core.unwrap()), centre, clock, told }
    }

    /// With the passenger `lin`, who has 200 yuan and a phone.
    pub(crate) fn with_passenger() -> Wallet {
        let wallet = Wallet::in_memory();
        wallet.register();
        wallet
    }

    pub(crate) fn register(&self) {
        self.core.register("lin", PASSWORD, Fen::new(20_000)).unwrap();
        let device = Device { se_id: SE_ID.into(), phone: "oppo-find7".into(), agent_url: None };
        self.core.add_device("lin", PASSWORD, device).unwrap();
    }

    /// The passenger's issued card.
    pub(crate) fn issued_card(&self) -> String {
        let order = self.issue("2000").unwrap();
        self.centre.done(&order.id, 0);
        assert_eq!(self.core.refresh(&order.id).unwrap().state, OrderState::Done);
        order.card.unwrap()
    }

    pub(crate) fn issue(&self, city: &str) -> Result<Order, wallet::Problem> {
        self.core.issue(&lin(), city.parse().unwrap(), SE_ID)
    }

    pub(crate) fn load(&self, card: &str, fen: i64) -> Result<Order, wallet::Problem> {
        self.core.load(&lin(), Target::card(card), Fen::new(fen))
    }

    /// Checks the books, and gives what is available, held and due.
    pub(crate) fn money(&self) -> (i64, i64, i64) {
        let (books, account) = (self.core.books().unwrap(), self.core.account("lin").unwrap());
        assert_eq!(books.bank_in, books.passengers.plus(books.due).unwrap(), "the books sum to zero");
        let open = account.orders.iter().filter(|order| !order.state.is_final());
        let open = Fen::sum(open.map(|order| Fen::from(order.amount))).unwrap();
        assert_eq!(books.held, open, "held is what the open orders cost");
        assert_eq!(account.purse.held, open);
        (account.purse.available.get(), books.held.get(), books.due.get())
    }
}

pub(crate) fn config(
    storage: Storage,
    centre: Arc<Centre>,
    clock: Arc<Hand>,
    told: Arc<Told>,
    seed: u64,
) -> Config {
    let wallet: model::WalletId = WALLET.parse().unwrap();
    Config {
        signing_seed: demo_signing_seed(&wallet),
        wallet,
        name: Name { zh: "支付宝".into(), en: "Alipay".into() },
        transport: centre,
        centre_url: "http://centre.test".into(),
        push: told,
        clock,
        entropy: Box::new(Counted(seed << 32)),
        storage,
        password_cost: PasswordCost::CHEAP,
        demo: Some(Demo { name: "lin".into(), password: PASSWORD.into(), opening: Fen::new(20_000) }),
    }
}

pub(crate) fn lin() -> Payer<'static> {
    Payer::new("lin", PASSWORD)
}
