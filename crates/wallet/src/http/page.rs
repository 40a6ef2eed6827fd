//! The page (页面): everything a passenger does, in two languages, in one file that fetches nothing from elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::texts::Lang;

/// Everything on the page comes from itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
    name: Option<String>,
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct Wallet<'a> {
    lang: &'static str,
    other: &'static str,
    title: &'a str,
    passenger: &'a str,
    password: Option<&'a str>,
    words: BTreeMap<&'a str, &'a str>,
    /// The words for the script: JSON in which no tag can begin.
    json: String,
}

impl Wallet<'_> {
    /// A word of the page; a test holds that there is one.
    fn word(&self, name: &str) -> &str {
        self.words.get(name).copied().unwrap_or_default()
    }
}

pub(super) async fn page(
    State(core): State<Arc<Core>>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(Asked { lang, name }) = asked?;
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(lang.as_deref(), accepted);
    let demo = core.demo.as_ref();
    let words = core.texts.page(lang);
    let json = serde_json::to_string(&words).map_err(|error| Code::Internal.about(error))?;
    let page = Wallet {
        lang: lang.tag(),
        other: lang.other().tag(),
        title: if lang == Lang::Zh { &core.name.zh } else { &core.name.en },
        passenger: name.as_deref().or(demo.map(|demo| demo.name.as_str())).unwrap_or_default(),
        password: demo.map(|demo| demo.password.as_str()),
        words,
        json: json.replace('<', "\\u003c"),
    };
    let html = page.render().map_err(|error| Code::Internal.about(error))?;
    let mut response = Html(html).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language"));
    Ok(response)
}
