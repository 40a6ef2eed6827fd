//! The app's JSON (应用接口): what the passenger's app sends, and what it is shown.
//!
//! Invariant: a session's id is shown only to who gave the payment password; card numbers are masked; a password is
//! read, used and dropped.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use model::{CardTime, CityCode, Fen};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::answer::parse;
use super::blocking;
use crate::centre::{City, History};
use crate::core::Core;
use crate::hooks::Told;
use crate::orders::Order;
use crate::passengers::{Account, Card};
use crate::place::{Payer, Pick, Target};
use crate::problem::{Code, Problem};
use crate::push::Device;
use crate::store::Refusal;

pub(super) type Body = Result<Bytes, BytesRejection>;

/// The centre's webhook.
pub(super) async fn hear(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = body?;
    let hear = move || {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let told = Told {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        core.hear(told, &body)
    };
    blocking(hear).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    name: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddDevice {
    name: String,
    password: String,
    se_id: String,
    phone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopUp {
    name: String,
    password: String,
    #[serde(default)]
    request: Option<String>,
    amount_fen: Number,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    name: String,
    password: String,
    #[serde(default)]
    request: Option<String>,
    city: String,
    se_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    name: String,
    password: String,
}

/// A load, a read, a delete or a refund: whose, and of which card.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnCard {
    name: String,
    password: String,
    #[serde(default)]
    request: Option<String>,
    #[serde(default)]
    card: Option<String>,
    #[serde(default)]
    city: Option<String>,
    #[serde(default)]
    se_id: Option<String>,
    #[serde(default)]
    plastic: bool,
    #[serde(default)]
    amount_fen: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    name: String,
}

#[derive(Serialize)]
pub(super) struct AccountShown {
    name: String,
    available_fen: Fen,
    held_fen: Fen,
    devices: Vec<DeviceShown>,
    cards: Vec<CardShown>,
    orders: Vec<OrderShown>,
}

#[derive(Serialize)]
pub(super) struct PurseShown {
    available_fen: Fen,
    held_fen: Fen,
}

#[derive(Serialize)]
pub(super) struct DeviceShown {
    se_id: String,
    phone: String,
}

#[derive(Serialize)]
pub(super) struct CardShown {
    id: String,
    city: CityCode,
    se_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_fen: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct OrderShown {
    id: String,
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_number: Option<String>,
    amount_fen: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance_fen: Option<u32>,
    /// Where the phone carries the order out; absent until the centre has told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Refusal>,
    placed_at: String,
    changed_at: String,
}

#[derive(Serialize)]
pub(super) struct SessionShown {
    id: String,
    /// Relative to the centre's address.
    url: String,
    centre: String,
}

/// `2014-10-20T07:45:00+08:00`.
fn iso(time: CardTime) -> String {
    format!("{}+08:00", time.to_string().replace(' ', "T"))
}

impl OrderShown {
    /// As anyone may see it who knows its id.
    fn open(order: Order) -> Self {
        OrderShown {
            kind: order.kind.as_str(),
            state: order.state.as_str(),
            card: order.card,
            card_number: order.number.map(|number| number.to_string()),
            amount_fen: order.amount.get(),
            balance_fen: order.balance.map(u32::from),
            session: None,
            problem: order.refusal,
            placed_at: iso(order.placed_at),
            changed_at: iso(order.changed_at),
            id: order.id,
        }
    }

    /// As the passenger sees it who gave the password.
    fn whole(mut order: Order, core: &Core) -> Self {
        let session = order.session.take();
        let session = session.map(|s| SessionShown { id: s.id, url: s.url, centre: core.centre_url.clone() });
        OrderShown { session, ..OrderShown::open(order) }
    }
}

impl From<Card> for CardShown {
    fn from(card: Card) -> Self {
        CardShown {
            id: card.id,
            city: card.city,
            se_id: card.se_id,
            number: card.number.map(|number| number.to_string()),
            state: card.state.as_str(),
            balance_fen: card.balance.map(u32::from),
            seen_at: card.seen_at.map(iso),
        }
    }
}

impl From<Device> for DeviceShown {
    fn from(device: Device) -> Self {
        DeviceShown { se_id: device.se_id, phone: device.phone }
    }
}

impl From<Account> for AccountShown {
    fn from(account: Account) -> Self {
        AccountShown {
            name: account.name,
            available_fen: account.purse.available,
            held_fen: account.purse.held,
            devices: account.devices.into_iter().map(DeviceShown::from).collect(),
            cards: account.cards.into_iter().map(CardShown::from).collect(),
            orders: account.orders.into_iter().map(OrderShown::open).collect(),
        }
    }
}

/// A whole number of fen, of any sign; whether it may be is the core's business.
pub(super) fn whole_fen(number: &Number) -> Result<Fen, Problem> {
    number.as_i64().map(Fen::new).ok_or_else(|| Code::AmountNotWholeFen.about(number))
}

fn city_code(text: &str) -> Result<CityCode, Problem> {
    text.parse().map_err(|_| Code::UnknownCity.about(text))
}

impl OnCard {
    fn pick(&self) -> Result<Pick, Problem> {
        let city = self.city.as_deref().map(city_code).transpose()?;
        Ok(Pick { card: self.card.clone(), city, se_id: self.se_id.clone() })
    }

    fn target(&self) -> Result<Target, Problem> {
        if !self.plastic {
            return self.pick().map(Target::Card);
        }
        let named = self.card.is_some() || self.city.is_some() || self.se_id.is_some();
        if named { Err(Code::FieldNotExpected.about("plastic")) } else { Ok(Target::Plastic) }
    }

    fn without_amount(&self) -> Result<(), Problem> {
        self.amount_fen.as_ref().map_or(Ok(()), |_| Err(Code::FieldNotExpected.about("amount_fen")))
    }

    fn payer(&self) -> Payer<'_> {
        Payer::new(&self.name, &self.password).request(self.request.as_deref())
    }
}

/// Whether the store and the ledger can be read.
pub(super) async fn health(State(core): State<Arc<Core>>) -> Result<&'static str, Problem> {
    blocking(move || core.probe()).await.map(|()| "ok\n")
}

pub(super) async fn register(
    State(core): State<Arc<Core>>,
    body: Body,
) -> Result<Json<AccountShown>, Problem> {
    let Register { name, password } = parse(body)?;
    let opening = core.demo.as_ref().map_or(Fen::ZERO, |demo| demo.opening);
    Ok(Json(blocking(move || core.register(&name, &password, opening)).await?.into()))
}

pub(super) async fn add_device(
    State(core): State<Arc<Core>>,
    body: Body,
) -> Result<Json<DeviceShown>, Problem> {
    let AddDevice { name, password, se_id, phone } = parse(body)?;
    // No address from outside: the wallet calls none that a stranger names.
    let device = Device { se_id, phone, agent_url: None };
    Ok(Json(blocking(move || core.add_device(&name, &password, device)).await?.into()))
}

pub(super) async fn top_up(State(core): State<Arc<Core>>, body: Body) -> Result<Json<PurseShown>, Problem> {
    let TopUp { name, password, request, amount_fen } = parse(body)?;
    let amount = whole_fen(&amount_fen)?;
    let purse = blocking(move || core.top_up(&name, &password, request.as_deref(), amount)).await?;
    Ok(Json(PurseShown { available_fen: purse.available, held_fen: purse.held }))
}

pub(super) async fn issue(State(core): State<Arc<Core>>, body: Body) -> Result<Json<OrderShown>, Problem> {
    let Issue { name, password, request, city, se_id } = parse(body)?;
    let city = city_code(&city)?;
    placed(core, move |core| {
        core.issue(&Payer::new(&name, &password).request(request.as_deref()), city, &se_id)
    })
    .await
}

pub(super) async fn load(State(core): State<Arc<Core>>, body: Body) -> Result<Json<OrderShown>, Problem> {
    let asked: OnCard = parse(body)?;
    let amount = asked.amount_fen.as_ref().ok_or_else(|| Code::FieldMissing.about("amount_fen"))?;
    let (amount, target) = (whole_fen(amount)?, asked.target()?);
    placed(core, move |core| core.load(&asked.payer(), target, amount)).await
}

pub(super) async fn read(State(core): State<Arc<Core>>, body: Body) -> Result<Json<OrderShown>, Problem> {
    let asked: OnCard = parse(body)?;
    asked.without_amount()?;
    let target = asked.target()?;
    placed(core, move |core| core.read(&asked.payer(), target)).await
}

pub(super) async fn delete(State(core): State<Arc<Core>>, body: Body) -> Result<Json<OrderShown>, Problem> {
    let asked: OnCard = parse(body)?;
    asked.without_amount()?;
    if asked.plastic {
        return Err(Code::FieldNotExpected.about("plastic"));
    }
    let pick = asked.pick()?;
    placed(core, move |core| core.delete(&asked.payer(), pick)).await
}

pub(super) async fn refund(State(core): State<Arc<Core>>, body: Body) -> Result<Json<OrderShown>, Problem> {
    let asked: OnCard = parse(body)?;
    asked.without_amount()?;
    let target = asked.target()?;
    placed(core, move |core| core.refund(&asked.payer(), target)).await
}

pub(super) async fn cancel(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<OrderShown>, Problem> {
    let Cancel { name, password } = parse(body)?;
    placed(core, move |core| core.cancel(&Payer::new(&name, &password), &id)).await
}

pub(super) async fn placed(
    core: Arc<Core>,
    place: impl FnOnce(&Core) -> Result<Order, Problem> + Send + 'static,
) -> Result<Json<OrderShown>, Problem> {
    blocking(move || place(&core).map(|order| Json(OrderShown::whole(order, &core)))).await
}

/// Asks the centre on the way, so that polling shows progress.
pub(super) async fn order(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Result<Json<OrderShown>, Problem> {
    blocking(move || core.refresh(&id)).await.map(|order| Json(OrderShown::open(order)))
}

pub(super) async fn history(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Result<Json<History>, Problem> {
    blocking(move || core.history(&id)).await.map(Json)
}

pub(super) async fn cities(State(core): State<Arc<Core>>) -> Result<Json<Vec<City>>, Problem> {
    blocking(move || core.cities()).await.map(Json)
}

/// A day's file, for the wallet's own people; over this door only in a demo, where cards and money are none.
pub(super) async fn day_file(
    State(core): State<Arc<Core>>,
    Path(day): Path<String>,
) -> Result<String, Problem> {
    let path = || Code::UnknownPath.about(format!("/app/days/{day}/file"));
    let day = day.parse().ok().filter(|_| core.demo.is_some()).ok_or_else(path)?;
    blocking(move || core.daily_file(day)).await
}

#[derive(Serialize)]
pub(super) struct AtCentre {
    orders: Vec<String>,
}

/// What the centre has of this wallet; like a day's file, over this door only in a demo.
pub(super) async fn orders_at_centre(State(core): State<Arc<Core>>) -> Result<Json<AtCentre>, Problem> {
    if core.demo.is_none() {
        return Err(Code::UnknownPath.about("/app/centre/orders"));
    }
    blocking(move || core.orders_at_centre()).await.map(|orders| Json(AtCentre { orders }))
}

pub(super) async fn me(
    State(core): State<Arc<Core>>,
    who: Result<Query<Who>, QueryRejection>,
) -> Result<Json<AccountShown>, Problem> {
    let Query(Who { name }) = who?;
    blocking(move || core.account(&name)).await.map(|account| Json(account.into()))
}
