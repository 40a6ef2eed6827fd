//! Following orders (订单跟踪): sending what was written down, asking how far it has come, settling the money.
//!
//! Invariant: the row is changed first and the ledger follows it, and both may be repeated: after a kill between the
//! two, the next look brings the money to where the row says. A final state is never left again.
//! Invariant: a refund's amount is nobody's word but the centre's last; the row that takes it also says that it is owed,
//! until the ledger has the one entry under the order's id.

use model::{CardNumber, CardTime, PurseFen};

use crate::centre::{Answer, CardAnswer, OrderAnswer, is_judgement};
use crate::core::{Core, State};
use crate::money::{self, Held};
use crate::problem::{Code, Problem};
use crate::store::{CardRow, CardState, OrderKind, OrderRow, OrderState, Refusal, Session};

/// An order as its passenger may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The wallet's id, also at the centre.
    pub id: String,
    /// What is asked for.
    pub kind: OrderKind,
    /// How far it has come.
    pub state: OrderState,
    /// The wallet's id of the card; `None` for a plastic card.
    pub card: Option<String>,
    /// Its number, once known.
    pub number: Option<CardNumber>,
    /// What it costs: the amount of a load, the fee of an issue. Of a refund that is done, what was paid back.
    pub amount: PurseFen,
    /// What the card held afterwards.
    pub balance: Option<PurseFen>,
    /// Where a phone carries it out; for the passenger's own phone alone.
    pub session: Option<Session>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// Written down at.
    pub placed_at: CardTime,
    /// Last changed at.
    pub changed_at: CardTime,
}

impl Core {
    /// An order as the wallet knows it, without asking the centre.
    ///
    /// # Errors
    /// [`Code::UnknownOrder`].
    pub fn order(&self, id: &str) -> Result<Order, Problem> {
        find(&self.state(), id).map(Order::from)
    }

    /// Asks the centre how far an order has come (or sends it again, if it is not known to have arrived) and settles
    /// the money by its word. Without a word the order stays as it is, for as long as it takes.
    ///
    /// # Errors
    /// [`Code::UnknownOrder`].
    pub fn refresh(&self, id: &str) -> Result<Order, Problem> {
        let order = find(&self.state(), id)?;
        self.follow(order, false).map(Order::from)
    }

    /// [`Core::refresh`] for every order that is not at its end, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub fn refresh_open(&self) -> Result<Vec<Order>, Problem> {
        self.settle_ended()?;
        let open = OrderRow::open(self.state().store.read())?;
        open.iter().map(|id| self.refresh(id)).collect()
    }

    /// Brings the money of orders that ended to its end. There is something to do only after a kill or a full disk.
    pub(crate) fn settle_ended(&self) -> Result<(), Problem> {
        let mut state = self.state();
        for doubt in state.ledger().pending()? {
            let order = find(&state, doubt.id.as_str())?;
            self.settle(&mut state, &order)?;
        }
        for id in OrderRow::owed(state.store.read())? {
            let order = find(&state, &id)?;
            self.settle(&mut state, &order)?;
        }
        Ok(())
    }

    /// One step further. `first`: nothing of this order was ever sent.
    pub(crate) fn follow(&self, order: OrderRow, first: bool) -> Result<OrderRow, Problem> {
        match order.state {
            OrderState::Done | OrderState::Refused => {
                self.settle(&mut self.state(), &order)?;
                Ok(order)
            }
            OrderState::Unknown => self.submit(order, first),
            OrderState::Created | OrderState::Running | OrderState::InDoubt => {
                let path = format!("/v1/orders/{}", order.id);
                match self.with_centre(|client, moment| client.get(moment, &path)) {
                    Answer::Said(answer) => self.take(&order.id, answer),
                    Answer::Problem { .. } | Answer::Silence(_) => Ok(order),
                }
            }
        }
    }

    /// Holds the money, then sends the order: the first time, or once more with the same bytes.
    fn submit(&self, order: OrderRow, first: bool) -> Result<OrderRow, Problem> {
        let held = money::hold(self.state().ledger(), &order, self.now())?;
        if held == Held::TooLittle {
            return self.refuse(&order.id, self.too_little(&order)?);
        }
        if let Some(body) = &order.card_body {
            match self.with_centre(|client, moment| client.post::<CardAnswer>(moment, "/v1/cards", body)) {
                Answer::Said(answer) if Some(&answer.id) == order.card.as_ref() => {
                    self.number_told(&answer)?;
                }
                Answer::Problem { status, refusal } if is_judgement(status, &refusal.code, first) => {
                    return self.refuse(&order.id, refusal);
                }
                Answer::Said(_) | Answer::Problem { .. } | Answer::Silence(_) => return Ok(order),
            }
        }
        match self.with_centre(|client, moment| client.post(moment, "/v1/orders", &order.body)) {
            Answer::Said(answer) => self.take(&order.id, answer),
            Answer::Problem { status, refusal } if is_judgement(status, &refusal.code, first) => {
                self.refuse(&order.id, refusal)
            }
            Answer::Problem { .. } | Answer::Silence(_) => Ok(order),
        }
    }

    /// Takes the centre's word on an order.
    pub(crate) fn take(&self, id: &str, answer: OrderAnswer) -> Result<OrderRow, Problem> {
        let mut state = self.state();
        let mut order = find(&state, id)?;
        let said = OrderState::from_word(&answer.state).ok().filter(|said| *said != OrderState::Unknown);
        // What a refund comes to is the centre's to say: nobody knew it when the order was placed.
        let known = order.kind != OrderKind::Refund;
        let meant = answer.id == order.id
            && answer.kind == order.kind.as_str()
            && (!known || answer.amount_fen == order.amount);
        let (Some(said), true) = (said, meant) else {
            tracing::error!(order = id, said = answer.state, "the centre's word is not about this order");
            return Ok(order);
        };
        if order.state.is_final() {
            return Ok(order); // another thread was faster
        }
        let before = order.state;
        order.state = said;
        order.session = Some(answer.session);
        order.number = answer.card_number.and_then(|number| number.parse().ok()).or(order.number);
        order.balance = answer.balance_fen.or(order.balance);
        if said == OrderState::Refused {
            order.refusal = answer.problem;
        }
        if !known && said == OrderState::Done {
            (order.amount, order.owed) = (answer.amount_fen, answer.amount_fen > PurseFen::ZERO);
        }
        self.keep(&mut state, &mut order, before)?;
        Ok(order)
    }

    /// The order will never be carried out: the centre has judged it, and does not have it.
    fn refuse(&self, id: &str, refusal: Refusal) -> Result<OrderRow, Problem> {
        let mut state = self.state();
        let mut order = find(&state, id)?;
        if order.state != OrderState::Unknown {
            return Ok(order); // another thread was faster
        }
        let before = order.state;
        (order.state, order.refusal) = (OrderState::Refused, Some(refusal));
        self.keep(&mut state, &mut order, before)?;
        Ok(order)
    }

    /// Writes down a changed order with its card, then lets the ledger follow.
    fn keep(&self, state: &mut State, order: &mut OrderRow, before: OrderState) -> Result<(), Problem> {
        if order.state != before {
            order.changed_at = self.now();
            tracing::info!(order = order.id, from = before.as_str(), to = order.state.as_str(), "order");
        }
        state.store.write(|db| {
            order.update(db)?;
            let card = order.card.as_ref().map(|id| CardRow::find(db, id)).transpose()?.flatten();
            if let Some(mut card) = card {
                card_follows(&mut card, order);
                card.update(db)?;
            }
            Ok(())
        })?;
        self.settle(state, order)
    }

    /// The ledger follows the row.
    fn settle(&self, state: &mut State, order: &OrderRow) -> Result<(), Problem> {
        match order.state {
            OrderState::Done if order.kind == OrderKind::Refund => self.pay_back(state, order),
            OrderState::Done => money::pass_on(state.ledger(), order, self.now()),
            OrderState::Refused => money::let_go(state.ledger(), order, self.now()),
            OrderState::Unknown | OrderState::Created | OrderState::Running | OrderState::InDoubt => Ok(()),
        }
    }

    /// Credits a refund, once, and notes that it is.
    fn pay_back(&self, state: &mut State, order: &OrderRow) -> Result<(), Problem> {
        if !order.owed {
            return Ok(());
        }
        money::pay_back(state.ledger(), order, self.now())?;
        state.store.write(|db| Ok(OrderRow::credited(db, &order.id)?))
    }

    /// The centre has given a card its number.
    fn number_told(&self, answer: &CardAnswer) -> Result<(), Problem> {
        self.state().store.write(|db| {
            let Some(mut card) = CardRow::find(db, &answer.id)? else { return Ok(()) };
            card.number = answer.number.parse().ok();
            Ok(card.update(db)?)
        })
    }

    /// Between writing an order down and holding its money, the money went elsewhere.
    fn too_little(&self, order: &OrderRow) -> Result<Refusal, Problem> {
        let available = money::purse(self.state().ledger(), &order.passenger)?.available;
        let problem = Code::InsufficientBalance.about(available);
        let (title, detail) = self.texts.problem(&problem);
        Ok(Refusal {
            code: problem.code.to_string(),
            title: title.en,
            detail: detail.en,
            title_zh: title.zh,
            detail_zh: detail.zh,
        })
    }
}

/// What an order's new state says about its card.
fn card_follows(card: &mut CardRow, order: &OrderRow) {
    card.number = order.number.or(card.number);
    match (order.kind, order.state) {
        (OrderKind::Issue, OrderState::Done) => card.state = CardState::Issued,
        (OrderKind::Issue, OrderState::Refused) => card.state = CardState::Refused,
        (OrderKind::Delete, OrderState::Done) => card.state = CardState::Deleted,
        (OrderKind::Refund, OrderState::Done) => card.state = CardState::Returned,
        _ => {}
    }
    if let (OrderState::Done, Some(balance)) = (order.state, order.balance) {
        (card.balance, card.seen_at) = (Some(balance), Some(order.changed_at));
    }
}

pub(crate) fn find(state: &State, id: &str) -> Result<OrderRow, Problem> {
    OrderRow::find(state.store.read(), id)?.ok_or_else(|| Code::UnknownOrder.about(id))
}

impl From<OrderRow> for Order {
    fn from(row: OrderRow) -> Self {
        let OrderRow { id, kind, state, card, number, amount, balance, session, refusal, .. } = row;
        let (placed_at, changed_at) = (row.placed_at, row.changed_at);
        Order { id, kind, state, card, number, amount, balance, session, refusal, placed_at, changed_at }
    }
}
