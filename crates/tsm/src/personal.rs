//! What is written into a new card besides its keys (个人化数据), in a phone and on plastic alike.
//!
//! Standard: CJ/T 166 files 0005, 0015 and 0016, security authentication id (card.md sections 1.6 and 5).
//! Invariant: an order that begins anew gives the card the same number; what is random in a card, such as its
//! authentication id, is the card's alone and stored nowhere else.

use card::command::Pin;
use card::layout::{Holder, IssueInfo, PublicInfo};
use card::{Personalisation, Profile};
use model::registry::City;
use model::{CardNumber, Date, Entropy, TerminalId};

/// How long a card is good, in days: ten years with their leap days.
const GOOD_FOR_DAYS: i32 = 3652;
/// The PIN that cards leave with, and that a load presents where the city's card wants one.
const DEFAULT_PIN: [u8; 3] = [0x12, 0x34, 0x56];
/// First byte of every authentication id.
const AUTH_ID_HEAD: u8 = 0x90;
/// Wrong PINs in a row before a card blocks its PIN.
const PIN_TRIES: u8 = 3;

/// The PIN to present before a load of this city's cards, if they want one.
#[must_use]
pub fn load_pin(city: &City) -> Option<Pin> {
    if city.card.pin_before_load { Pin::new(&DEFAULT_PIN) } else { None }
}

/// A new card of `city`, good from `today`, written at the load point `device`.
///
/// `None` only if the built-in PIN were not one.
#[must_use]
pub fn new_card(
    city: &City,
    number: CardNumber,
    today: Date,
    device: TerminalId,
    entropy: &mut dyn Entropy,
) -> Option<Personalisation> {
    let mut public_info = PublicInfo::city_card(city.code, number, today, today.plus_days(GOOD_FOR_DAYS));
    public_info.issuer = city.issuer_code;
    let mut auth_id = [AUTH_ID_HEAD; 9];
    let [_, random @ ..] = &mut auth_id;
    entropy.fill(random);
    Some(Personalisation {
        public_info,
        holder: Holder::ANONYMOUS,
        issue_info: IssueInfo::of(&public_info, today, device.bytes()),
        auth_id,
        pin: Pin::new(&DEFAULT_PIN)?,
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
