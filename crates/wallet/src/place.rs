//! Placing orders (下单): what a passenger may ask for, checked, written down, held, and only then sent.
//!
//! Invariant: the ids and bodies of an order are made once and kept; the app's own request id makes a repetition one
//! order, and another request under it is refused.

use model::{ChannelId, CityCode, Fen, PurseFen};
use serde::Serialize;

use crate::centre::{CardRequest, ChannelRef, OrderRequest, Payment};
use crate::channel::channel_order;
use crate::core::Core;
use crate::money;
use crate::orders::Order;
use crate::passengers::{check_request, element_id};
use crate::problem::{Code, Problem};
use crate::push::Device;
use crate::store::{CardRow, CardState, OrderKind, OrderRow, OrderState, PassengerRow, devices};

/// Who asks.
#[derive(Clone, Copy)]
pub struct Payer<'a> {
    name: &'a str,
    password: &'a str,
    request: Option<&'a str>,
}

/// Which card an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Target {
    /// Whatever plastic card is held to the phone. Nobody is told to begin: the app begins when the card lies there.
    Plastic,
    /// A card on a phone.
    Card(Pick),
}

/// One of the passenger's issued cards: the only one of which all that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pick {
    /// The wallet's id of it.
    pub card: Option<String>,
    /// Who issued it.
    pub city: Option<CityCode>,
    /// The element that carries it.
    pub se_id: Option<String>,
}

/// What is asked for; kept as JSON to know a repetition.
#[derive(Serialize)]
enum Ask {
    Issue { city: CityCode, se_id: String },
    Load { target: Target, amount: PurseFen },
    Channel { channel: ChannelId, order: String, amount: PurseFen },
    Read { target: Target },
    Delete { pick: Pick },
    Refund { target: Target },
}

impl<'a> Payer<'a> {
    /// The passenger `name` with the payment password.
    #[must_use]
    pub fn new(name: &'a str, password: &'a str) -> Self {
        Payer { name, password, request: None }
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    pub(crate) fn password(&self) -> &str {
        self.password
    }

    /// Under the app's own id: 1 to 40 letters, digits, dots, underscores and hyphens, good for ever. The same
    /// request again gives the same order.
    #[must_use]
    pub fn request(self, request: Option<&'a str>) -> Self {
        Payer { request, ..self }
    }
}

impl Target {
    /// The card with this id.
    #[must_use]
    pub fn card(id: &str) -> Self {
        Target::Card(Pick { card: Some(id.to_owned()), ..Pick::default() })
    }
}

impl Core {
    /// Orders a card of `city` onto the phone with the element `se_id`.
    ///
    /// # Errors
    /// Those of the password; [`Code::UnknownDevice`], [`Code::UnknownCity`], [`Code::InsufficientBalance`] for the
    /// city's fee; [`Code::CentreSilent`] before anything was written down. What the centre refuses is an order.
    pub fn issue(&self, payer: &Payer<'_>, city: CityCode, se_id: &str) -> Result<Order, Problem> {
        self.place(payer, Ask::Issue { city, se_id: element_id(se_id)? })
    }

    /// Orders value onto a card.
    ///
    /// # Errors
    /// Those of the password; [`Code::AmountNotPositive`], [`Code::AmountOverLimit`], [`Code::InsufficientBalance`];
    /// [`Code::UnknownCard`], [`Code::CardAmbiguous`], [`Code::CardNotIssued`].
    pub fn load(&self, payer: &Payer<'_>, target: Target, amount: Fen) -> Result<Order, Problem> {
        self.place(payer, Ask::Load { target, amount: purse_amount(amount)? })
    }

    /// Pays the order of a channel, of `amount` as the passenger has seen it: a load of the plastic card that the
    /// channel named. Whether it is still to be paid, and of this amount, the centre says.
    ///
    /// # Errors
    /// As [`Core::load`]; [`Code::ChannelOrderMalformed`].
    pub fn pay_channel(
        &self,
        payer: &Payer<'_>,
        channel: &str,
        order: &str,
        amount: Fen,
    ) -> Result<Order, Problem> {
        let channel = channel_order(channel, order)?;
        let amount = purse_amount(amount)?;
        self.place(payer, Ask::Channel { channel, order: order.to_owned(), amount })
    }

    /// Orders a look at a card.
    ///
    /// # Errors
    /// As [`Core::load`], without the amount's.
    pub fn read(&self, payer: &Payer<'_>, target: Target) -> Result<Order, Problem> {
        self.place(payer, Ask::Read { target })
    }

    /// Orders an empty card off its phone.
    ///
    /// # Errors
    /// As [`Core::read`].
    pub fn delete(&self, payer: &Payer<'_>, pick: Pick) -> Result<Order, Problem> {
        self.place(payer, Ask::Delete { pick })
    }

    /// Orders a card back, and its whole value with it: what that is, the card proves to the centre.
    ///
    /// # Errors
    /// As [`Core::read`].
    pub fn refund(&self, payer: &Payer<'_>, target: Target) -> Result<Order, Problem> {
        self.place(payer, Ask::Refund { target })
    }

    fn place(&self, payer: &Payer<'_>, ask: Ask) -> Result<Order, Problem> {
        let request = payer.request.map(check_request).transpose()?;
        let passenger = self.authenticate(payer.name, payer.password)?;
        let asked = to_json(&ask)?;
        if let Some(stored) = self.requested(&passenger.id, request, &asked)? {
            let order = self.follow(stored, false)?;
            self.nudge(&order)?;
            return Ok(order.into());
        }
        let (order, card) = self.planned(&passenger, request, asked, ask)?;
        let kept = self.state().store.write(|db| {
            if let Some(request) = request
                && let Some(stored) = OrderRow::requested(db, &passenger.id, request)?
            {
                return same(stored, &order.asked, request).map(Some); // another thread was faster
            }
            card.iter().try_for_each(|card| card.insert(db))?;
            order.insert(db)?;
            Ok(None)
        })?;
        tracing::info!(order = order.id, kind = order.kind.as_str(), amount = %order.amount, "written down");
        let order = match kept {
            Some(stored) => self.follow(stored, false)?,
            None => self.follow(order, true)?,
        };
        self.nudge(&order)?;
        Ok(order.into())
    }

    /// The order that the app's request stands for already.
    fn requested(
        &self,
        passenger: &str,
        request: Option<&str>,
        asked: &str,
    ) -> Result<Option<OrderRow>, Problem> {
        let Some(request) = request else { return Ok(None) };
        let stored = OrderRow::requested(self.state().store.read(), passenger, request)?;
        stored.map(|stored| same(stored, asked, request)).transpose()
    }

    /// The order as it will be kept, and for an issue its card.
    fn planned(
        &self,
        passenger: &PassengerRow,
        request: Option<&str>,
        asked: String,
        ask: Ask,
    ) -> Result<(OrderRow, Option<CardRow>), Problem> {
        let mut channel = None;
        let (kind, amount, new, card) = match ask {
            Ask::Issue { city, se_id } => {
                let device = self.device(passenger, &se_id)?;
                let fee = self.issue_fee(city)?;
                let card = self.new_card(passenger, city, &device);
                let id = card.id.clone();
                (OrderKind::Issue, fee, Some((card, device)), Some(id))
            }
            Ask::Load { target, amount } => (OrderKind::Load, amount, None, self.target(passenger, &target)?),
            Ask::Channel { channel: id, order, amount } => {
                channel = Some((id, order));
                (OrderKind::Load, amount, None, None)
            }
            Ask::Read { target } => (OrderKind::Read, PurseFen::ZERO, None, self.target(passenger, &target)?),
            Ask::Refund { target } => {
                (OrderKind::Refund, PurseFen::ZERO, None, self.target(passenger, &target)?)
            }
            Ask::Delete { pick } => {
                (OrderKind::Delete, PurseFen::ZERO, None, Some(self.pick(passenger, &pick)?))
            }
        };
        let available = money::purse(self.state().ledger(), &passenger.id)?.available;
        if available < Fen::from(amount) {
            return Err(Code::InsufficientBalance.about(available));
        }
        let id = self.state().fresh_id();
        let paid = Payment { amount_fen: amount, reference: &id };
        let body = to_json(&OrderRequest {
            id: &id,
            kind: kind.as_str(),
            card: card.as_deref(),
            plastic: card.is_none(),
            amount_fen: (kind == OrderKind::Load).then_some(amount),
            paid: (amount > PurseFen::ZERO).then_some(paid),
            channel: channel.as_ref().map(|(id, order)| ChannelRef { id, order }),
        })?;
        let card_body = new.as_ref().map(|(card, device)| card_body(passenger, card, device)).transpose()?;
        let now = self.now();
        let order = OrderRow {
            id,
            passenger: passenger.id.clone(),
            request: request.map(str::to_owned),
            asked,
            kind,
            card,
            amount,
            card_body,
            body,
            state: OrderState::Unknown,
            session: None,
            number: None,
            balance: None,
            refusal: None,
            owed: false,
            placed_at: now,
            changed_at: now,
        };
        Ok((order, new.map(|(card, _)| card)))
    }

    fn device(&self, passenger: &PassengerRow, se_id: &str) -> Result<Device, Problem> {
        let devices = devices(self.state().store.read(), &passenger.id)?;
        let device = devices.into_iter().find(|device| device.se_id == se_id);
        device.ok_or_else(|| Code::UnknownDevice.about(se_id))
    }

    fn issue_fee(&self, city: CityCode) -> Result<PurseFen, Problem> {
        let cities = self.cities()?;
        let city =
            cities.iter().find(|known| known.code == city).ok_or_else(|| Code::UnknownCity.about(city));
        city.map(|city| city.issue_fee_fen)
    }

    fn new_card(&self, passenger: &PassengerRow, city: CityCode, device: &Device) -> CardRow {
        CardRow {
            id: self.state().fresh_id(),
            passenger: passenger.id.clone(),
            city,
            se_id: device.se_id.clone(),
            number: None,
            state: CardState::Planned,
            balance: None,
            seen_at: None,
        }
    }

    fn target(&self, passenger: &PassengerRow, target: &Target) -> Result<Option<String>, Problem> {
        match target {
            Target::Plastic => Ok(None),
            Target::Card(pick) => self.pick(passenger, pick).map(Some),
        }
    }

    /// The id of the one issued card that is meant.
    fn pick(&self, passenger: &PassengerRow, pick: &Pick) -> Result<String, Problem> {
        let se_id = pick.se_id.as_deref().map(element_id).transpose()?;
        let meant = |card: &CardRow| {
            pick.card.as_ref().is_none_or(|id| *id == card.id)
                && pick.city.is_none_or(|city| city == card.city)
                && se_id.as_ref().is_none_or(|se_id| *se_id == card.se_id)
        };
        let mut cards = CardRow::of(self.state().store.read(), &passenger.id)?;
        cards.retain(|card| meant(card) && matches!(card.state, CardState::Planned | CardState::Issued));
        let about = || pick.card.clone().or(pick.city.map(|city| city.to_string())).unwrap_or_default();
        let mut issued = cards.iter().filter(|card| card.state == CardState::Issued);
        match (issued.next(), issued.next()) {
            (Some(card), None) => Ok(card.id.clone()),
            (Some(_), Some(_)) => Err(Code::CardAmbiguous.about("card")),
            (None, _) if cards.is_empty() => Err(Code::UnknownCard.about(about())),
            (None, _) => Err(Code::CardNotIssued.about(about())),
        }
    }

    /// Tells the phone that carries the card, if it has not begun yet. That it cannot be told changes nothing.
    fn nudge(&self, order: &OrderRow) -> Result<(), Problem> {
        let (OrderState::Created, Some(session), Some(card)) = (order.state, &order.session, &order.card)
        else {
            return Ok(());
        };
        let device = {
            let state = self.state();
            let Some(card) = CardRow::find(state.store.read(), card)? else { return Ok(()) };
            let mut devices = devices(state.store.read(), &card.passenger)?.into_iter();
            devices.find(|device| device.se_id == card.se_id)
        };
        let Some(device) = device else { return Ok(()) };
        if let Err(error) = self.push.notify(&device, &session.id, &self.centre_url) {
            tracing::warn!(order = order.id, %error, "the phone must come by itself");
        }
        Ok(())
    }
}

fn purse_amount(amount: Fen) -> Result<PurseFen, Problem> {
    if amount <= Fen::ZERO {
        return Err(Code::AmountNotPositive.about(amount.get()));
    }
    PurseFen::try_from(amount).map_err(|_| Code::AmountOverLimit.about(PurseFen::MAX.get()))
}

fn card_body(passenger: &PassengerRow, card: &CardRow, device: &Device) -> Result<String, Problem> {
    to_json(&CardRequest {
        id: &card.id,
        user: &passenger.id,
        city: card.city.to_string(),
        phone: &device.phone,
        se_id: &card.se_id,
    })
}

fn same(stored: OrderRow, asked: &str, request: &str) -> Result<OrderRow, Problem> {
    if stored.asked == asked { Ok(stored) } else { Err(Code::RequestTaken.about(request)) }
}

fn to_json(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| Code::Internal.about(error))
}
