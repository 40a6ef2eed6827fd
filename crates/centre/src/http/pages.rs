//! The pages: the centre at a glance in two languages, the description of its interface, and its pulse.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use model::{CardTime, Fen, registry};
use serde::Deserialize;
use utoipa::openapi::OpenApi;

use super::blocking;
use crate::console::Overview;
use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::texts::{Lang, PageTexts};

/// Everything on the page comes from itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

#[derive(Debug, Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// A city on the map.
struct Dot {
    x: i64,
    y: i64,
    joined: bool,
    name: String,
}

/// A line of the list of events.
struct Happening {
    at: CardTime,
    what: String,
    about: String,
    amount: Option<Fen>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    lang: Lang,
    t: &'a PageTexts,
    demo: bool,
    cities: usize,
    wallets: usize,
    phones: usize,
    now: Overview,
    sum: Fen,
    dots: Vec<Dot>,
    events: Vec<Happening>,
    /// Number, what it is, wallet and order, gap.
    cases: Vec<(u64, String, String, Fen)>,
}

pub(super) fn router(api: OpenApi) -> Router<Arc<Core>> {
    let description = Arc::new(api);
    let describe = move || {
        let description = Arc::clone(&description);
        async move { Json((*description).clone()) }
    };
    Router::new().route("/", get(home)).route("/openapi.json", get(describe)).route("/healthz", get(health))
}

/// Whether the store can be read.
async fn health(State(core): State<Arc<Core>>) -> Result<&'static str, Problem> {
    blocking(move || core.overview()).await.map(|_| "ok\n")
}

async fn home(
    State(core): State<Arc<Core>>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(asked?.0.lang.as_deref(), accepted);
    let html = blocking(move || page(&core, lang)).await?;
    let mut response = Html(html).into_response();
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language"));
    Ok(response)
}

fn page(core: &Core, lang: Lang) -> Result<String, Problem> {
    let now = core.overview()?;
    let (registry, texts) = (core.registry(), core.texts());
    let today = now.now.date();
    let dot = |city: &registry::City| {
        let (x, y) = place(city);
        let name = if lang == Lang::Zh { &city.name.zh } else { &city.name.en };
        Dot { x, y, joined: city.joined.is_some_and(|day| day <= today), name: name.clone() }
    };
    let happening = |(at, kind, about, amount): &(CardTime, String, String, Option<Fen>)| Happening {
        at: *at,
        what: texts.event(kind, lang),
        about: about.clone(),
        amount: *amount,
    };
    let case = |(number, kind, about, gap): &(u64, String, String, Fen)| {
        (*number, texts.case(kind).of(lang).to_owned(), about.clone(), *gap)
    };
    let dots: Vec<Dot> = registry.cities().map(dot).collect();
    let home = Home {
        lang,
        t: &texts.page,
        demo: core.is_demo(),
        cities: dots.iter().filter(|dot| dot.joined).count(),
        wallets: registry.wallets().count(),
        phones: registry.phones().count(),
        sum: Fen::sum(now.positions.iter().map(|(_, net)| *net)).unwrap_or_default(),
        events: now.events.iter().map(happening).collect(),
        cases: now.cases.iter().map(case).collect(),
        dots,
        now,
    };
    home.render().map_err(|error| Code::Internal.about(error))
}

/// Where a city stands on a drawing of 660 by 500.
#[allow(clippy::float_arithmetic, clippy::cast_possible_truncation)] // degrees on a drawing; no money, no card
fn place(city: &registry::City) -> (i64, i64) {
    (((city.lon - 73.0) * 10.5) as i64, ((55.0 - city.lat) * 13.0) as i64)
}
