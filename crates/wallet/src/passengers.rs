//! Passengers (乘客): who they are, their payment password, their phones, what they have.
//!
//! Invariant: a try at a password is counted before it is judged, so that no number of tries at once is worth more than
//! five; while a passenger is locked, the right password is refused like a wrong one.

use model::{CardNumber, CardTime, CityCode, Fen, PurseFen};

use crate::core::{Core, State};
use crate::money::{self, Purse};
use crate::orders::Order;
use crate::problem::{Code, Problem};
use crate::push::Device;
use crate::store::{CardRow, CardState, OrderRow, PassengerRow, Tries, add_device, devices};

/// Wrong tries in a row that lock a passenger.
const TRIES: u32 = 5;
/// For how long.
const LOCK_SECONDS: i64 = 15 * 60;
/// Orders in an overview.
const LAST_ORDERS: u32 = 20;
/// The most characters of a name.
const NAME_MAX: usize = 32;

/// A passenger at a glance.
#[derive(Clone, Debug)]
pub struct Account {
    /// Chosen by the passenger.
    pub name: String,
    /// Registered at.
    pub since: CardTime,
    /// Money in the wallet.
    pub purse: Purse,
    /// Phones.
    pub devices: Vec<Device>,
    /// Cards that are ordered or on a phone, oldest first.
    pub cards: Vec<Card>,
    /// The last orders, newest first.
    pub orders: Vec<Order>,
}

/// A card of a passenger.
#[derive(Clone, Debug)]
pub struct Card {
    /// The wallet's id of it.
    pub id: String,
    /// Who issues it.
    pub city: CityCode,
    /// The secure element that carries it.
    pub se_id: String,
    /// Once the centre has told it.
    pub number: Option<CardNumber>,
    /// How far it has come.
    pub state: CardState,
    /// As last seen on the card.
    pub balance: Option<PurseFen>,
    /// When that was.
    pub seen_at: Option<CardTime>,
}

impl Tries {
    /// With one more try; or until when none may be made.
    fn plus_one(self, now: CardTime) -> Result<Tries, CardTime> {
        let before = match self.locked_until {
            Some(until) if now < until => return Err(until),
            Some(_) => 0,
            None => self.count,
        };
        let count = before.saturating_add(1);
        let locked_until = (count >= TRIES).then(|| now.plus_seconds(LOCK_SECONDS));
        Ok(Tries { count, locked_until })
    }

    /// What is said once this try has proved wrong.
    fn problem(self) -> Problem {
        match self.locked_until {
            Some(until) => Code::PasswordLocked.about(until),
            None => Code::PasswordWrong.about(TRIES.saturating_sub(self.count)),
        }
    }
}

impl Core {
    /// Registers a passenger, with `opening` paid in by the bank. Who is registered already and gives the right
    /// password is welcome back; the opening is paid once.
    ///
    /// # Errors
    /// [`Code::NameMalformed`], [`Code::PasswordWeak`]; for a name that is taken those of a wrong password.
    pub fn register(&self, name: &str, password: &str, opening: Fen) -> Result<Account, Problem> {
        let plain = name.trim() == name && !name.chars().any(char::is_control);
        if !plain || !(1..=NAME_MAX).contains(&name.chars().count()) {
            return Err(Code::NameMalformed.about(NAME_MAX));
        }
        if opening < Fen::ZERO {
            return Err(Code::AmountNotPositive.about(opening.get()));
        }
        let known = PassengerRow::named(self.state().store.read(), name)?.is_some();
        let made = if known { false } else { self.make_passenger(name, password)? };
        let passenger = if made { self.passenger(name)? } else { self.authenticate(name, password)? };
        if opening > Fen::ZERO {
            let at = self.now();
            let id = format!("open:{}", passenger.id);
            let paid = money::pay_in(self.state().ledger(), &id, &passenger.id, opening, at);
            if let Err(problem) = paid.map(drop)
                && problem.code != Code::RequestTaken
            {
                return Err(problem);
            }
        }
        self.account(name)
    }

    /// `false` if another was faster.
    fn make_passenger(&self, name: &str, password: &str) -> Result<bool, Problem> {
        let (mut id, mut salt) = ([0; 8], [0; 16]);
        let mut state = self.state();
        state.fill(&mut id);
        state.fill(&mut salt);
        drop(state); // hashing takes its time
        let hash = self.passwords.hash(password, salt).map_err(|_| Code::PasswordWeak.about("password"))?;
        let row = PassengerRow {
            id: hex::encode(id),
            name: name.to_owned(),
            password: hash,
            tries: Tries::default(),
            since: self.now(),
        };
        self.state().store.write(|db| {
            if PassengerRow::named(db, name)?.is_some() {
                return Ok(false);
            }
            row.insert(db)?;
            tracing::info!(passenger = row.id, "registered");
            Ok(true)
        })
    }

    /// Money from the passenger's bank; in a demo only. The same `request` pays in once.
    ///
    /// # Errors
    /// [`Code::DemoOnly`], those of the password, [`Code::AmountNotPositive`], [`Code::RequestTaken`].
    pub fn top_up(
        &self,
        name: &str,
        password: &str,
        request: Option<&str>,
        amount: Fen,
    ) -> Result<Purse, Problem> {
        if self.demo.is_none() {
            return Err(Code::DemoOnly.about("top-up"));
        }
        let passenger = self.authenticate(name, password)?;
        if amount <= Fen::ZERO {
            return Err(Code::AmountNotPositive.about(amount.get()));
        }
        let at = self.now();
        let mut state = self.state();
        let id = match request {
            Some(request) => format!("top-up:{}:{}", passenger.id, check_request(request)?),
            None => format!("top-up:{}", state.fresh_id()),
        };
        money::pay_in(state.ledger(), &id, &passenger.id, amount, at)?;
        money::purse(state.ledger(), &passenger.id)
    }

    /// A phone of the passenger's, new or known by its element.
    ///
    /// # Errors
    /// Those of the password, [`Code::ElementMalformed`], [`Code::PhoneMalformed`].
    pub fn add_device(&self, name: &str, password: &str, device: Device) -> Result<Device, Problem> {
        let passenger = self.authenticate(name, password)?;
        let phone = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=64).contains(&device.phone.len()) || !device.phone.bytes().all(phone) {
            return Err(Code::PhoneMalformed.about("phone"));
        }
        let device = Device { se_id: element_id(&device.se_id)?, ..device };
        self.state().store.write(|db| Ok(add_device(db, &passenger.id, &device)?))?;
        Ok(device)
    }

    /// A passenger at a glance.
    ///
    /// # Errors
    /// [`Code::UnknownPassenger`].
    pub fn account(&self, name: &str) -> Result<Account, Problem> {
        let mut guard = self.state();
        let state: &mut State = &mut guard;
        let passenger = find(state, name)?;
        let purse = money::purse(state.ledger(), &passenger.id)?;
        let db = state.store.read();
        let alive = |card: &CardRow| matches!(card.state, CardState::Planned | CardState::Issued);
        let orders = OrderRow::last_of(db, &passenger.id, LAST_ORDERS)?;
        Ok(Account {
            purse,
            devices: devices(db, &passenger.id)?,
            cards: CardRow::of(db, &passenger.id)?.into_iter().filter(alive).map(Card::from).collect(),
            orders: orders.into_iter().map(Order::from).collect(),
            since: passenger.since,
            name: passenger.name,
        })
    }

    fn passenger(&self, name: &str) -> Result<PassengerRow, Problem> {
        find(&self.state(), name)
    }

    /// The passenger, if the password is right and not locked.
    pub(crate) fn authenticate(&self, name: &str, password: &str) -> Result<PassengerRow, Problem> {
        let now = self.now();
        let (passenger, tries) = self.state().store.write(|db| {
            let passenger =
                PassengerRow::named(db, name)?.ok_or_else(|| Code::UnknownPassenger.about(name))?;
            let tries = passenger.tries.plus_one(now).map_err(|until| Code::PasswordLocked.about(until))?;
            tries.keep(db, &passenger.id)?;
            Ok((passenger, tries))
        })?;
        if !self.passwords.verify(password, &passenger.password) {
            tracing::info!(passenger = passenger.id, tries = tries.count, "wrong payment password");
            return Err(tries.problem());
        }
        self.state().store.write(|db| Ok(Tries::default().keep(db, &passenger.id)?))?;
        Ok(passenger)
    }
}

fn find(state: &State, name: &str) -> Result<PassengerRow, Problem> {
    let row = PassengerRow::named(state.store.read(), name)?;
    row.ok_or_else(|| Code::UnknownPassenger.about(name))
}

/// A secure element's identity, in upper-case hex.
pub(crate) fn element_id(text: &str) -> Result<String, Problem> {
    let digits = (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let whole = digits && text.len().is_multiple_of(2);
    if whole { Ok(text.to_ascii_uppercase()) } else { Err(Code::ElementMalformed.about("se_id")) }
}

/// The app's own id of a request.
pub(crate) fn check_request(request: &str) -> Result<&str, Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let fits = (1..=40).contains(&request.len()) && request.bytes().all(plain);
    if fits { Ok(request) } else { Err(Code::RequestMalformed.about("request")) }
}

impl From<CardRow> for Card {
    fn from(row: CardRow) -> Self {
        let CardRow { id, city, se_id, number, state, balance, seen_at, .. } = row;
        Card { id, city, se_id, number, state, balance, seen_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_try_locks_and_time_unlocks() {
        let now: CardTime = "2014-10-20 07:45:00".parse().unwrap();
        let until = now.plus_seconds(LOCK_SECONDS);
        let mut tries = Tries::default();
        for left in [4, 3, 2, 1] {
            tries = tries.plus_one(now).unwrap();
            assert_eq!(tries.problem(), Code::PasswordWrong.about(left));
        }
        tries = tries.plus_one(now).unwrap();
        assert_eq!(tries.problem(), Code::PasswordLocked.about(until));
        assert_eq!(tries.plus_one(until.plus_seconds(-1)), Err(until));
        assert_eq!(tries.plus_one(until), Ok(Tries { count: 1, locked_until: None }));
    }
}
