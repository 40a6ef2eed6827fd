//! What is written into a new card besides its keys (个人化数据).
//!
//! Standard: CJ/T 166 files 0005, 0015 and 0016 (card.md section 5), security authentication id (section 2.4).
//! Invariant: an order that begins anew gives the card the same number; what is random in a card, such as its
//! authentication id, is the card's alone and stored nowhere else.

use card::command::Pin;
use card::layout::{Holder, IssueInfo, PublicInfo};
use card::{Personalisation, Profile};
use model::{CardNumber, CardTime, registry};

use crate::core::State;
use crate::plans::LOAD_POINT;
use crate::problem::{Code, Problem};

/// How long a card is good, in days: ten years with their leap days.
const GOOD_FOR_DAYS: i32 = 3652;
/// The PIN that cards over the air leave the centre with, and that a load presents where the city's card wants one.
const DEFAULT_PIN: [u8; 3] = [0x12, 0x34, 0x56];
/// First byte of every authentication id.
const AUTH_ID_HEAD: u8 = 0x90;
/// Wrong PINs in a row before a card blocks its PIN.
const PIN_TRIES: u8 = 3;

/// The PIN of cards over the air.
pub(crate) fn default_pin() -> Option<Pin> {
    Pin::new(&DEFAULT_PIN)
}

/// A new card of `city`, good from today.
pub(crate) fn personalisation(
    city: &registry::City,
    number: CardNumber,
    now: CardTime,
    state: &mut State,
) -> Result<Personalisation, Problem> {
    let today = now.date();
    let mut public_info = PublicInfo::city_card(city.code, number, today, today.plus_days(GOOD_FOR_DAYS));
    public_info.issuer = city.issuer_code;
    let mut auth_id = [AUTH_ID_HEAD; 9];
    let [_, random @ ..] = &mut auth_id;
    state.entropy.fill(random);
    Ok(Personalisation {
        public_info,
        holder: Holder::ANONYMOUS,
        issue_info: IssueInfo::of(&public_info, today, LOAD_POINT.bytes()),
        auth_id,
        pin: default_pin().ok_or_else(|| Code::Internal.about("PIN"))?,
        profile: Profile {
            version: public_info.version,
            purse_limit: city.card.purse_limit_fen,
            mac1_includes_auth_id: city.card.mac1_includes_auth_id,
            pin_before_load: city.card.pin_before_load,
            zero_amount_counts: false,
            pin_tries: PIN_TRIES,
        },
    })
}
