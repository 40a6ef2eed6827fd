//! The one door (接入网关): every wallet, phone, operator and browser comes in through this router.
//!
//! Standard: RFC 9421 and RFC 9530 under `/v1`, GlobalPlatform SERAM 2.0 under `/gp/seram`, RFC 9457 for problems.
//! Invariant: handlers only read and write JSON; what they do, [`Core`] does, on a thread that may block.

mod algorithm;
mod answer;
mod channel;
mod hooks;
mod json;
mod matching;
mod moves;
mod operator;
mod pace;
mod pages;
mod phone;
mod signature;
mod signed;
mod socket;
mod tls;
mod wallet;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use pace::Pacer;
pub(crate) use signature::WINDOW_SECONDS;
pub use signature::{SignedHeaders, Target, content_digest, demo_signing_key, sign};

pub use socket::{Limits, Socket};
pub use tls::{Tls, TlsError, TlsFiles};

use signed::Door;
use whole::BodyLimit;

use crate::core::Core;
use crate::problem::{Code, Problem};
use crate::turn;

/// The most bytes of a body, but for record files.
const BODY_MAX: usize = 256 * 1024;
/// Time for a body, but for record files.
const BODY_TIME: Duration = Duration::from_secs(20);
/// The most bytes of a record file.
const FILE_MAX: usize = 64 * 1024 * 1024;
/// Time for a record file.
const FILE_TIME: Duration = Duration::from_secs(100);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Yikatong centre",
        description = "Wallets order cards and loads; phones run the scripts; operators send record files and read \
            verdicts and statements. Everything under /v1 but the page is signed by RFC 9421 (ed25519, \
            ecdsa-p256-sha256, rsa-v1_5-sha256 or sm2-sm3, as the key is registered) over \
            \"@method\" \"@path\" \"@query\" \"content-digest\" with created, keyid and nonce; keyid is the wallet's id, or \
            city:CODE for a city's back end or channel:ID for a channel, with #NAME behind it for one of several keys. Ids are the client's and good for ever: the same id with the same body \
            gives the same answer, with another body it is refused with the stored digest. Amounts are whole fen.",
        license(name = "Apache-2.0 OR MIT")
    ),
    tags(
        (name = "wallet", description = "For wallets (第三方支付)"),
        (name = "channel", description = "For channels, whose loads a wallet pays (渠道)"),
        (name = "phone", description = "For phones: GlobalPlatform SERAM 2.0 (手机)"),
        (name = "operator", description = "For cities and their operators (通卡公司、运营单位)"),
    )
)]
struct Api;

/// The centre's router.
pub fn router(core: Arc<Core>) -> axum::Router {
    router_in(core, BODY_TIME)
}

/// The centre's router, with this time for a body that is no record file.
pub fn router_in(core: Arc<Core>, body_time: Duration) -> axum::Router {
    let (router, api) = described(&core, body_time).split_for_parts();
    router
        .merge(pages::router(api))
        .fallback(answer::unknown_path)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn(answer::in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&core), answer::in_words))
        .with_state(core)
}

/// Answers on a socket until `stop` is done, and then what is under way.
///
/// # Errors
/// The socket's.
pub async fn serve(
    core: Arc<Core>,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let socket = Socket::new(Limits::default()).map_err(std::io::Error::other)?;
    socket.serve(listener, router(core), stop).await
}

fn described(core: &Arc<Core>, time: Duration) -> OpenApiRouter<Arc<Core>> {
    let usual = BodyLimit { bytes: BODY_MAX, time };
    let signed = |router: OpenApiRouter<Arc<Core>>, body: BodyLimit| {
        let door = Door { core: Arc::clone(core), body };
        router
            .route_layer(middleware::from_fn_with_state(door, signed::authenticate))
            .layer(DefaultBodyLimit::max(body.bytes))
    };
    let small = OpenApiRouter::new()
        .routes(routes!(wallet::list_cities))
        .routes(routes!(wallet::list_phones))
        .routes(routes!(wallet::create_card))
        .routes(routes!(wallet::get_card))
        .routes(routes!(wallet::get_history))
        .routes(routes!(wallet::place_order, wallet::list_orders))
        .routes(routes!(wallet::get_order))
        .routes(routes!(wallet::cancel_order))
        .routes(routes!(channel::ask_for_load, channel::list_channel_orders))
        .routes(routes!(channel::get_channel_order))
        .routes(routes!(moves::move_on))
        .routes(routes!(moves::refund_move))
        .routes(routes!(hooks::list_events))
        .routes(routes!(hooks::list_webhooks))
        .routes(routes!(hooks::put_webhook, hooks::delete_webhook))
        .routes(routes!(hooks::rotate_secret))
        .routes(routes!(hooks::replay))
        .routes(routes!(hooks::list_deliveries))
        .routes(routes!(operator::list_verdicts))
        .routes(routes!(operator::deny_list))
        .routes(routes!(operator::deny))
        .routes(routes!(operator::acceptance_list))
        .routes(routes!(operator::get_statement))
        .routes(routes!(operator::close_day))
        .routes(routes!(matching::match_day, matching::get_match))
        .routes(routes!(matching::list_cases))
        .routes(routes!(matching::decide_case));
    let files =
        OpenApiRouter::new().routes(routes!(operator::put_file)).routes(routes!(matching::put_day_file));
    let phones = OpenApiRouter::new()
        .routes(routes!(phone::handshake))
        .routes(routes!(phone::remote_management))
        .route_layer(middleware::from_fn_with_state(usual, whole::first_the_body))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(signed(small, usual))
        .merge(signed(files, BodyLimit { bytes: FILE_MAX, time: FILE_TIME }))
        .merge(phones)
}

/// Runs what may block off the threads that carry connections, and gives its answer when all of it is on the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    off_thread(|| turn::settled(work)).await
}

/// The same for what comes before a request's own work: its answer is not waited for, since nothing is told of it yet.
async fn blocking_before<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    off_thread(|| turn::together(work)).await
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a handler did not end");
        Err(Problem::new(Code::Internal, "handler"))
    })
}

/// The local time of the network as clients read it: `2014-10-20T07:45:00+08:00`.
pub(crate) fn iso(time: model::CardTime) -> String {
    format!("{}+08:00", time.to_string().replace(' ', "T"))
}
