//! Who is at the door: the signature of a request is verified before any handler sees it.
//!
//! Standard: RFC 9421; see `signature`.
//! Invariant: a signature opens the door once; its nonce is written down before the handler runs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use model::{ChannelId, WalletId};

use super::blocking_before;
use super::signature::{Claim, Target, check_body};
use super::tls::Shown;
use super::whole::{BodyLimit, whole};
use crate::core::{Caller, Core};
use crate::problem::{Code, Problem};

/// A signed part of the house: the centre, and what a body may cost there.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) core: Arc<Core>,
    pub(super) body: BodyLimit,
}

/// A verified request: who sent it, and the digest of its body.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) caller: Caller,
    pub(super) digest: [u8; 32],
}

impl Signed {
    /// The wallet, if one is at the door.
    pub(super) fn wallet(&self) -> Result<WalletId, Problem> {
        match &self.caller {
            Caller::Wallet(wallet) => Ok(wallet.clone()),
            other => Err(Code::NotYours.about(other)),
        }
    }

    /// The channel, if one is at the door.
    pub(super) fn channel(&self) -> Result<ChannelId, Problem> {
        match &self.caller {
            Caller::Channel(channel) => Ok(channel.clone()),
            other => Err(Code::NotYours.about(other)),
        }
    }
}

pub(super) async fn authenticate(
    State(Door { core, body: limit }): State<Door>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let target = Target { method: parts.method.as_str(), path: parts.uri.path(), query: parts.uri.query() };
    let claim = Claim::read(target, &parts.headers)?;
    let (caller, key) = core.signer(&claim.keyid)?;
    claim.verify(&key, core.now().unix_seconds())?;
    if let Some(shown) = parts.extensions.get::<Shown>() {
        shown.check(&caller, core.certificates(&caller))?;
    }
    core.admit(&caller)?;
    // The signature is good: only now is the body read.
    let limited = Request::from_parts(parts.clone(), body);
    let body = whole(limited, limit).await?;
    let digest = check_body(&parts.headers, &body)?;
    if !body.is_empty() && !claim.covers_digest() {
        return Err(Code::DigestMissing.about("Signature-Input"));
    }
    let door = Arc::clone(&core);
    blocking_before(move || door.use_nonce(&claim.keyid, &claim.nonce, claim.created)).await?;
    parts.extensions.insert(Signed { caller, digest });
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}
