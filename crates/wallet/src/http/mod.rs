//! The wallet's door (钱包入口): its app's JSON and its page, through one router.
//!
//! Standard: RFC 9457 for problems.
//! Invariant: handlers only read and write JSON; what they do, [`Core`] does, on a thread that may block.

mod answer;
mod app;
mod channel;
mod page;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::core::Core;
use crate::problem::{Code, Problem};

/// The most bytes of a body.
const BODY_MAX: usize = 16 * 1024;

/// The wallet's router.
pub fn router(core: Arc<Core>) -> axum::Router {
    axum::Router::new()
        .route("/", get(page::page))
        .route("/healthz", get(app::health))
        .route("/app/register", post(app::register))
        .route("/app/devices", post(app::add_device))
        .route("/app/top-up", post(app::top_up))
        .route("/app/issue", post(app::issue))
        .route("/app/load", post(app::load))
        .route("/app/read", post(app::read))
        .route("/app/delete", post(app::delete))
        .route("/app/refund", post(app::refund))
        .route("/app/channel-orders/{channel}/{id}", get(channel::see))
        .route("/app/channel-orders/{channel}/{id}/pay", post(channel::pay))
        .route("/app/orders/{id}", get(app::order))
        .route("/app/orders/{id}/cancel", post(app::cancel))
        .route("/app/cards/{id}/history", get(app::history))
        .route("/app/cities", get(app::cities))
        .route("/hooks/centre", post(app::hear))
        .route("/app/me", get(app::me))
        .route("/app/centre/orders", get(app::orders_at_centre))
        .route("/app/days/{day}/file", get(app::day_file))
        .fallback(answer::unknown_path)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&core), answer::in_words))
        .with_state(core)
}

/// Runs what may block off the threads that carry connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a handler did not end");
        Err(Code::Internal.about("handler"))
    })
}
