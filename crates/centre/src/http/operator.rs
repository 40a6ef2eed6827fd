//! For cities and their operators (通卡公司、运营单位): files, verdicts, lists, statements, and the end of a day.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use clearing::judge::DenyList;
use model::{CityCode, Date, Party};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::ProblemDetails;
use super::signed::Signed;
use super::{blocking, iso};
use crate::core::{Caller, Core};
use crate::problem::{Code, Problem};
use crate::settlement::{Closing, Statement, StatementLine};
use crate::store::{FileRow, NotPaid};

/// What became of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipt {
    name: String,
    /// SHA-256 of the file, in hex.
    digest: String,
    /// The clearing day that it was taken into.
    day: String,
    records: u64,
    /// Accepted records.
    paid: u64,
    /// Their sum.
    paid_fen: i64,
    taken_at: String,
}

/// A file's receipt, and every record of it that was not plainly accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verdicts {
    receipt: Receipt,
    not_paid: Vec<Verdict>,
}

/// What the centre says about a record.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verdict {
    /// The line in the file; its first record stands in line 2.
    line_no: u32,
    /// `10` wrong TAC, `11` duplicate, `12` unknown party, `13` test, `14` over a limit, `15` denied, `20` held.
    verdict: u8,
    /// The stable name of the reason.
    reason: String,
    en: String,
    zh: String,
}

/// The deny list (黑名单).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Denied {
    /// Grows with each card that comes or, lost and found again, leaves.
    version: u32,
    cards: Vec<DeniedCard>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeniedCard {
    city: String,
    /// 16 hex digits.
    number: String,
    /// Taps from then on are not paid.
    since: String,
}

/// Whose cards your readers take today (受理矩阵).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcceptanceList {
    acquirer: String,
    day: String,
    issuers: Vec<AcceptedIssuer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcceptedIssuer {
    city: String,
    name: String,
    name_zh: String,
}

/// What moved on a party's accounts on one day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatementBody {
    /// `issuer:2000`, `acquirer:2000`, `operator:20000101` or `wallet:alipay`.
    party: String,
    day: String,
    /// Final: the day is closed.
    closed: bool,
    lines: Vec<StatementLineBody>,
    sums: Vec<AccountSum>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatementLineBody {
    /// Position in the ledger's log.
    position: u64,
    entry: String,
    kind: String,
    account: String,
    /// What the account got; negative: gave.
    amount_fen: i64,
    at: String,
    memo: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountSum {
    account: String,
    amount_fen: i64,
}

/// A closed clearing day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClosingBody {
    day: String,
    flows: Vec<FlowBody>,
    /// Zero-sum.
    positions: Vec<AccountSum>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowBody {
    issuer: String,
    acquirer: String,
    operator: String,
    taps: u64,
    amount_fen: i64,
}

impl From<FileRow> for Receipt {
    fn from(row: FileRow) -> Self {
        Receipt {
            name: row.name,
            digest: hex::encode(row.digest),
            day: row.day.to_string(),
            records: row.records,
            paid: row.paid,
            paid_fen: row.paid_amount.get(),
            taken_at: iso(row.taken_at),
        }
    }
}

impl From<NotPaid> for Verdict {
    fn from(NotPaid { line_no, reason }: NotPaid) -> Self {
        Verdict {
            line_no,
            verdict: reason.verdict().code(),
            reason: reason.name().into(),
            en: reason.en().into(),
            zh: reason.zh().into(),
        }
    }
}

impl From<DenyList> for Denied {
    fn from(list: DenyList) -> Self {
        let card = |(city, number, since): (CityCode, model::CardNumber, model::CardTime)| DeniedCard {
            city: city.to_string(),
            number: number.raw(),
            since: iso(since),
        };
        Denied { version: list.version, cards: list.standing().map(card).collect() }
    }
}

impl From<Statement> for StatementBody {
    fn from(statement: Statement) -> Self {
        let line = |line: StatementLine| StatementLineBody {
            position: line.position,
            entry: line.entry,
            kind: line.kind,
            account: line.account,
            amount_fen: line.amount.get(),
            at: iso(line.at),
            memo: line.memo,
        };
        let sum = |(account, amount): (String, model::Fen)| AccountSum { account, amount_fen: amount.get() };
        StatementBody {
            party: statement.party.to_string(),
            day: statement.day.to_string(),
            closed: statement.closed,
            lines: statement.lines.into_iter().map(line).collect(),
            sums: statement.sums.into_iter().map(sum).collect(),
        }
    }
}

impl From<Closing> for ClosingBody {
    fn from(closing: Closing) -> Self {
        let flows = closing.net.flows.iter().map(|(route, flow)| FlowBody {
            issuer: route.issuer.to_string(),
            acquirer: route.acquirer.to_string(),
            operator: route.operator.to_string(),
            taps: flow.taps,
            amount_fen: flow.amount.get(),
        });
        let position = |(account, net): (String, model::Fen)| AccountSum { account, amount_fen: net.get() };
        ClosingBody {
            day: closing.day.to_string(),
            flows: flows.collect(),
            positions: closing.positions.into_iter().map(position).collect(),
        }
    }
}

/// The city, if one is at the door.
fn city(signed: &Signed) -> Result<CityCode, Problem> {
    match &signed.caller {
        Caller::City(city) => Ok(*city),
        other => Err(Code::NotYours.about(other)),
    }
}

fn day(text: &str) -> Result<Date, Problem> {
    text.parse().map_err(|_| Code::DayMalformed.about(text))
}

/// Sends a record file (CUX); the same file again gives the same receipt.
#[utoipa::path(put, path = "/v1/files/{name}", tag = "operator", params(("name" = String, Path)),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = Receipt), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn put_file(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Receipt>, Problem> {
    let sender = city(&signed)?;
    Ok(Json(blocking(move || core.take_in(sender, &name, &body)).await?.into()))
}

/// What became of a file of yours.
#[utoipa::path(get, path = "/v1/files/{name}/verdicts", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, body = Verdicts), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn list_verdicts(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(name): Path<String>,
) -> Result<Json<Verdicts>, Problem> {
    let sender = city(&signed)?;
    let (file, not_paid) = blocking(move || core.verdicts(sender, &name)).await?;
    Ok(Json(Verdicts { receipt: file.into(), not_paid: not_paid.into_iter().map(Verdict::from).collect() }))
}

/// The deny list.
#[utoipa::path(get, path = "/v1/lists/deny", tag = "operator",
    responses((status = 200, body = Denied), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn deny_list(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
) -> Result<Json<Denied>, Problem> {
    city(&signed)?;
    Ok(Json(blocking(move || core.deny_list()).await?.into()))
}

/// Puts a card of yours on the deny list, from now on.
#[utoipa::path(put, path = "/v1/lists/deny/{number}", tag = "operator", params(("number" = String, Path)),
    responses((status = 200, body = Denied), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn deny(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(number): Path<String>,
) -> Result<Json<Denied>, Problem> {
    let city = city(&signed)?;
    let number = number.parse().map_err(|_| Code::UnknownCard.about("number"))?;
    Ok(Json(blocking(move || core.deny(city, number)).await?.into()))
}

/// Whose cards your readers take today.
#[utoipa::path(get, path = "/v1/lists/acceptance", tag = "operator",
    responses((status = 200, body = AcceptanceList), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn acceptance_list(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
) -> Result<Json<AcceptanceList>, Problem> {
    let acquirer = city(&signed)?;
    let (registry, today) = (core.registry(), core.now().date());
    let accepted = registry.cities().filter(|issuer| registry.accepts(acquirer, issuer.code, today).is_ok());
    let issuer = |city: &model::registry::City| AcceptedIssuer {
        city: city.code.to_string(),
        name: city.name.en.clone(),
        name_zh: city.name.zh.clone(),
    };
    let issuers = accepted.map(issuer).collect();
    Ok(Json(AcceptanceList { acquirer: acquirer.to_string(), day: today.to_string(), issuers }))
}

/// What moved on a party's accounts on a day: a city's own, its operators', a wallet's or a channel's own.
#[utoipa::path(get, path = "/v1/statements/{party}/{day}", tag = "operator",
    params(("party" = String, Path), ("day" = String, Path)),
    responses((status = 200, body = StatementBody), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn get_statement(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path((party, on)): Path<(String, String)>,
) -> Result<Json<StatementBody>, Problem> {
    let party: Party = party.parse().map_err(|_| Code::UnknownParty.about(&party))?;
    let on = day(&on)?;
    let may = match (&signed.caller, &party) {
        (Caller::Centre, _) => true,
        (Caller::Wallet(wallet), Party::Wallet(of)) => wallet == of,
        (Caller::Channel(channel), Party::Channel(of)) => channel == of,
        (Caller::City(city), Party::Issuer(of) | Party::Acquirer(of)) => city == of,
        (Caller::City(city), Party::Operator(of)) => {
            core.registry().operator(*of).is_some_and(|o| o.city == *city)
        }
        _ => false,
    };
    if !may {
        return Err(Code::NotYours.about(&party));
    }
    Ok(Json(blocking(move || core.statement(&party, on)).await?.into()))
}

/// Closes a clearing day; the centre's own key only.
#[utoipa::path(post, path = "/v1/days/{day}/close", tag = "operator", params(("day" = String, Path)),
    responses((status = 200, body = ClosingBody), (status = "4XX", body = ProblemDetails)))]
pub(super) async fn close_day(
    State(core): State<Arc<Core>>,
    Extension(signed): Extension<Signed>,
    Path(on): Path<String>,
) -> Result<Json<ClosingBody>, Problem> {
    if signed.caller != Caller::Centre {
        return Err(Code::NotYours.about(&signed.caller));
    }
    let on = day(&on)?;
    Ok(Json(blocking(move || core.close_day(on)).await?.into()))
}
