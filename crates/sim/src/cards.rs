//! Cards and elements of the simulated network, made as a factory and a bureau make them.

use keys::{CardRef, KeyService, Seeded, demo_element_keys, demo_transport_keys};
use model::registry::{Phone, Registry};
use model::{CardNumber, CityCode, Date, Entropy, TerminalId};
use secure_element::{PlasticCard, SoftwareElement, Store, personalise};

use crate::SimError;

/// The counter at which cities make and sell their plastic cards.
pub(crate) const COUNTER: TerminalId = TerminalId::new([0, 0, 0, 0, 0, 2]);

/// The number of a city's `running`-th plastic card. Cards over the air are numbered by the centre, below these.
pub fn plastic_number(city: CityCode, running: u64) -> CardNumber {
    let [a, b] = city.to_bcd();
    let [c, d, e, f, g] = model::bcd::encode::<5>(running);
    CardNumber::new([a, b, 0x90, c, d, e, f, g])
}

/// A personalised plastic card.
///
/// # Errors
/// [`SimError::Card`] if the registry does not have the city, or the chip takes nothing.
pub fn plastic(
    registry: &Registry,
    card: &CardRef,
    today: Date,
    keys: &dyn KeyService,
    store: Box<dyn Store>,
    chip: Box<dyn Entropy + Send>,
    random: &mut dyn Entropy,
) -> Result<PlasticCard, SimError> {
    let broken = |why: String| SimError::Card { card: card.number, why };
    let city = registry.city(card.city).ok_or_else(|| broken(format!("no city {}", card.city)))?;
    let plan =
        tsm::new_card(city, card.number, today, COUNTER, random).ok_or_else(|| broken("PIN".into()))?;
    let blank = PlasticCard::blank(demo_transport_keys(), store, chip);
    let mut plastic = blank.map_err(|error| broken(error.to_string()))?;
    personalise(&mut plastic, card, &plan, keys, random).map_err(|error| broken(error.to_string()))?;
    Ok(plastic)
}

/// A new phone's secure element, with its maker's demo keys and a serial number of its own.
///
/// # Errors
/// The store takes nothing.
pub fn element(
    phone: &Phone,
    store: Box<dyn Store>,
    mut chip: Box<dyn Entropy + Send>,
) -> std::io::Result<SoftwareElement> {
    let mut serial = [0; 8];
    chip.fill(&mut serial);
    let maker = demo_element_keys(&phone.element.keys, phone.element.key_kind());
    SoftwareElement::manufacture(serial, &phone.element, &maker, store, chip)
}

/// Random bytes for one chip of a simulated network.
pub(crate) fn chip(root: &Seeded, label: &str) -> Box<dyn Entropy + Send> {
    Box::new(root.fork(label))
}
