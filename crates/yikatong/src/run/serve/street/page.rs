//! The street's page and what it calls.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Street;

const PAGE: &str = include_str!("../../../../pages/street.html");

pub(super) fn router(street: Arc<Street>) -> Router {
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/state", get(state))
        .route("/tap", post(tap))
        .route("/load-plastic", post(load_plastic))
        .route("/phones/{se_id}/wake", post(wake))
        .with_state(street)
}

/// What the person at the page does.
#[derive(Deserialize)]
pub(super) struct Tap {
    /// Which card is held.
    pub(super) card: String,
    /// To which reader.
    pub(super) terminal: String,
    /// `pay`, `enter` or `leave`.
    pub(super) request: String,
    /// Pulled away before the answer.
    #[serde(default)]
    pub(super) early: bool,
}

/// The payment password, typed on the phone.
#[derive(Deserialize)]
struct Pay {
    password: String,
}

/// What the wallet posts to the phone's agent.
#[derive(Deserialize)]
struct Wake {
    session: String,
}

async fn state(State(street): State<Arc<Street>>) -> Result<Json<Value>, StatusCode> {
    blocking(move || {
        let mut shown = street.scene().shown(&street.registry);
        shown["centre"] = json!(street.centre_url);
        shown["wallet"] = json!(street.wallet_url);
        shown
    })
    .await
    .map(Json)
}

async fn tap(State(street): State<Arc<Street>>, Json(tap): Json<Tap>) -> Result<Json<Value>, StatusCode> {
    blocking(move || street.scene().tap(&street.registry, &tap)).await.map(Json)
}

async fn load_plastic(
    State(street): State<Arc<Street>>,
    Json(Pay { password }): Json<Pay>,
) -> Result<Json<Value>, StatusCode> {
    blocking(move || {
        let loaded = street.scene().load_plastic(&street.centre_url, &street.wallet_url, &password);
        match loaded {
            Ok(()) => json!({ "good": true, "said": { "zh": "已充值", "en": "Loaded" } }),
            Err(failure) => {
                json!({ "good": false, "said": { "zh": failure.to_string(), "en": failure.to_string() } })
            }
        }
    })
    .await
    .map(Json)
}

/// The agent begins at once, and answers at once: the session itself takes its time.
async fn wake(
    State(street): State<Arc<Street>>,
    Path(se_id): Path<String>,
    Json(Wake { session }): Json<Wake>,
) -> Result<(), StatusCode> {
    if street.scene().se_id() != se_id {
        return Err(StatusCode::NOT_FOUND);
    }
    std::thread::spawn(move || {
        if let Err(error) = street.scene().carry_out(&street.centre_url, &session) {
            tracing::warn!(%error, "a session broke off");
        }
    });
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StatusCode> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
