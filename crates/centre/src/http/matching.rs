//! The daily match (每日三方核对): wallets' files in, results and cases out, a person's decisions.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use model::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{ProblemDetails, parse};
use super::signed::Signed;
use super::{blocking, iso};
use crate::core::{Caller, Core};
use crate::matching::{DayMatch, Decision, Evidence};
use crate::problem::{Code, Problem};
use crate::store::{CaseRow, WalletDay};
use crate::texts::Texts;

/// What became of a wallet's daily file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayReceipt {
    wallet: String,
    day: String,
    /// SHA-256 of the file, in hex.
    digest: String,
    lines: u64,
    paid_fen: i64,
    refunded_fen: i64,
    held_fen: i64,
    taken_at: String,
}

/// A difference, with what each side says and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Case {
    id: u64,
    /// Grows with every change of a case; where the list goes on.
    cursor: u64,
    /// On which it was found.
    day: String,
    wallet: String,
    /// The wallet's id; absent for a missing file.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// The card's city, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    /// `wallet-only`, `ledger-only`, `amount-differs`, `state-differs`, `card-has-more`, `card-has-less`,
    /// `file-missing`; named and no fault: `in-doubt`, `late`, `loaded-elsewhere`.
    kind: String,
    en: String,
    zh: String,
    /// What the wallet has more than the ledger, or the one that is wrong; of a doubt what is held.
    gap_fen: i64,
    evidence: Evidence,
    /// `open` or `settled`.
    state: &'static str,
    /// How it was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<String>,
    /// A person's decision, with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    opened_at: String,
    changed_at: String,
}

/// A page of cases, in the order of their changes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cases {
    cases: Vec<Case>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AfterCase {
    /// The `next` of the page before, or the last `cursor` that was seen.
    #[serde(default)]
    after: u64,
}

/// A person's decision of a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionRequest {
    /// Of a doubt: `credited` or `not-credited`; of any other difference: `explained`.
    decision: String,
    /// Why: who looked at what.
    reason: String,
}

fn case(row: CaseRow, texts: &Texts) -> Case {
    let words = texts.case(row.kind.as_str());
    Case {
        id: row.seq,
        cursor: row.cursor,
        day: row.day.to_string(),
        wallet: row.wallet.to_string(),
        order: Some(row.order).filter(|order| !order.is_empty()),
        city: row.city.map(|city| city.to_string()),
        kind: row.kind.as_str().to_owned(),
        en: words.en,
        zh: words.zh,
        gap_fen: row.gap.get(),
        evidence: row.evidence,
        state: if row.how.is_some() { "settled" } else { "open" },
        how: row.how,
        decision: row.decision,
        opened_at: iso(row.opened_at),
        changed_at: iso(row.changed_at),
    }
}

fn day(text: &str) -> Result<Date, Problem> {
    text.parse().map_err(|_| Code::DayMalformed.about(text))
}

fn centre(signed: &Signed) -> Result<(), Problem> {
    if signed.caller == Caller::Centre { Ok(()) } else { Err(Code::NotYours.about(&signed.caller)) }
}

/// Sends your daily file (docs/match.md); the same file again gives the same receipt, another one is refused.
#[utoipa::path(put, path = "/v1/days/{day}/file", tag = "wallet", params(("day" = String, Path)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = DayReceipt), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn put_day_file(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(on): Path<String>,
    body: Bytes,
) -> Result<Json<DayReceipt>, Problem> {
    let (wallet, on) = (signed.wallet()?, day(&on)?);
    let WalletDay { wallet, day, digest, lines, sums, taken_at } =
        blocking(move || core.take_day(&wallet, on, &body)).await?;
    Ok(Json(DayReceipt {
        wallet: wallet.to_string(),
        day: day.to_string(),
        digest: hex::encode(digest),
        lines,
        paid_fen: sums.paid.get(),
        refunded_fen: sums.refunded.get(),
        held_fen: sums.held.get(),
        taken_at: iso(taken_at),
    }))
}

/// Matches a day, again if it was matched before; the centre's own key only.
#[utoipa::path(post, path = "/v1/days/{day}/match", tag = "operator", params(("day" = String, Path)),
    responses((status = 200, body = DayMatch), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn match_day(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(on): Path<String>,
) -> Result<Json<DayMatch>, Problem> {
    centre(&signed)?;
    let on = day(&on)?;
    Ok(Json(blocking(move || core.match_day(on)).await?))
}

/// What a day's match came to: a wallet sees its own part, the centre's key all.
#[utoipa::path(get, path = "/v1/days/{day}/match", tag = "wallet", params(("day" = String, Path)),
    responses((status = 200, body = DayMatch), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_match(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(on): Path<String>,
) -> Result<Json<DayMatch>, Problem> {
    let (on, caller) = (day(&on)?, signed.caller);
    if let Caller::City(_) | Caller::Channel(_) = caller {
        return Err(Code::NotYours.about(caller));
    }
    let result = blocking(move || core.matched(on)).await?;
    Ok(Json(match caller {
        Caller::Wallet(wallet) => result.seen_by(&wallet),
        Caller::Centre | Caller::City(_) | Caller::Channel(_) => result,
    }))
}

/// Cases that changed after a cursor: a wallet's own, those of a city's cards, or with the centre's key all.
#[utoipa::path(get, path = "/v1/cases", tag = "wallet", params(AfterCase),
    responses((status = 200, body = Cases), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_cases(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    query: Result<Query<AfterCase>, QueryRejection>,
) -> Result<Json<Cases>, Problem> {
    let Query(AfterCase { after }) = query?;
    let door = Arc::clone(&core);
    let (rows, more) = blocking(move || door.cases_after(&signed.caller, after)).await?;
    let next = if more { rows.last().map(|row| row.cursor) } else { None };
    Ok(Json(Cases { cases: rows.into_iter().map(|row| case(row, core.texts())).collect(), next }))
}

/// Decides an open case, with a reason; the centre's own key only.
#[utoipa::path(post, path = "/v1/cases/{id}/decide", tag = "operator", params(("id" = u64, Path)),
    request_body = DecisionRequest,
    responses((status = 200, body = Case), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn decide_case(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Case>, Problem> {
    centre(&signed)?;
    let id = id.parse().map_err(|_| Code::UnknownCase.about(&id))?;
    let request: DecisionRequest = parse(&body)?;
    let decision: Decision = request.decision.parse().map_err(|error| Code::BodyMalformed.about(error))?;
    let door = Arc::clone(&core);
    let row = blocking(move || door.decide(id, decision, &request.reason)).await?;
    Ok(Json(case(row, core.texts())))
}
