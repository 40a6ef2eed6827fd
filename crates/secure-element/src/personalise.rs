//! The personalisation bureau (个人化中心): makes a blank plastic card a city card.
//!
//! Standard: STORE DATA over SCP02 under the transport keys (globalplatform.md sections 1.2 and 1.5).
//! Invariant: the card's own keys leave the key service enciphered for this one session.

use card::Personalisation;
use keys::{CardRef, ChannelOwner, KeyError, KeyService, Scp};
use model::Entropy;
use smartcard::gp::{InitializeUpdate, Level, StoreData};
use smartcard::scp::{NotAuthenticated, Opening};
use smartcard::{Apdu, Channel, ChannelError, Command, Status};

/// Why a card did not become a city card.
#[derive(Debug, thiserror::Error)]
pub enum PersonaliseError {
    /// No answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The key service refused.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The blank is not under our transport keys.
    #[error("not a blank card of ours: {0}")]
    NotOurs(#[from] NotAuthenticated),
    /// The answer to INITIALIZE UPDATE is not that of SCP02.
    #[error("INITIALIZE UPDATE: the answer is not that of a blank card of ours")]
    Foreign,
    /// More than STORE DATA can number.
    #[error("STORE DATA: more than 256 blocks for one card")]
    TooMuch,
    /// The card refused a step.
    #[error("{step}: the card answered {status}")]
    Refused {
        /// The command.
        step: &'static str,
        /// Its answer.
        status: Status,
    },
}

/// Writes `plan` and the card's own keys into a blank card.
///
/// # Errors
/// [`PersonaliseError`]. The card is then as blank as before, and the call may be repeated; only if an answer was
/// lost ([`PersonaliseError::Channel`]) it may be a card already, and is to be read first.
pub fn personalise(
    card: &mut dyn Channel,
    card_ref: &CardRef,
    plan: &Personalisation,
    keys: &dyn KeyService,
    entropy: &mut dyn Entropy,
) -> Result<(), PersonaliseError> {
    let mut random = [0; 16];
    entropy.fill(&mut random);
    card.reset()?;
    let opening = Opening::new(Scp::SCP02_15, 0, random);
    let answer = good(card, &opening.command().to_apdu(), "INITIALIZE UPDATE")?;
    let answer = InitializeUpdate::parse_response(&answer).ok_or(PersonaliseError::Foreign)?;
    let channel = keys.open_channel(&ChannelOwner::Transport, &opening.facts(&answer))?;
    let (authenticate, mut session) = opening.authenticate(&answer, channel, Level::MacAndEncryption)?;
    good(card, &authenticate, "EXTERNAL AUTHENTICATE")?;
    let wrapped = keys.wrap_card_keys(card_ref, session.keys())?;
    let blocks = StoreData::series(plan.store_data(&wrapped), true).ok_or(PersonaliseError::TooMuch)?;
    for block in &blocks {
        good(card, &session.wrap(&block.to_apdu()), "STORE DATA")?;
    }
    Ok(())
}

fn good(card: &mut dyn Channel, command: &Apdu, step: &'static str) -> Result<Vec<u8>, PersonaliseError> {
    let response = card.exchange(command)?;
    if response.status.is_ok() {
        return Ok(response.data);
    }
    Err(PersonaliseError::Refused { step, status: response.status })
}
