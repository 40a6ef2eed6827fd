//! Settlement (资金清算): a clearing day is netted, written into the ledger, settled and closed; statements show any
//! party its part of it.
//!
//! Invariant: closing a day is a function of what was taken into it, so each step may be repeated after a break and
//! comes to the same. Positions sum to zero. A closed day never changes.

use std::collections::BTreeMap;

use clearing::judge::Route;
use clearing::netting::{Net, Netting, NettingError};
use ledger::{AccountName, Entry, Ledger, Leg, Line};
use model::registry::Split;
use model::{CardTime, Date, Fen, Party, PurseFen};

use crate::core::{Core, State};
use crate::money::{account, leg, malformed, overflow};
use crate::problem::{Code, Problem};
use crate::store::{Event, FileRow, close, rulings};

/// Lines of the ledger read at once.
const PAGE: usize = 1000;

/// A closed day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Which.
    pub day: Date,
    /// Accepted taps of the day: by whose card, at whose reader, how many, how much.
    pub net: Net,
    /// What each party gets (positive) or pays, loads included; zero-sum.
    pub positions: Vec<(String, Fen)>,
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Position in the ledger's log.
    pub position: u64,
    /// The entry's id.
    pub entry: String,
    /// What it is for.
    pub kind: String,
    /// The party's account.
    pub account: String,
    /// What the account got (positive) or gave.
    pub amount: Fen,
    /// When.
    pub at: CardTime,
    /// The client's own id, where there is one.
    pub memo: String,
}

/// What moved on a party's accounts on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whose.
    pub party: Party,
    /// Which day.
    pub day: Date,
    /// Whether it is closed, so that the statement is final.
    pub closed: bool,
    /// The lines, in the order of the log.
    pub lines: Vec<StatementLine>,
    /// Sums, by account.
    pub sums: BTreeMap<String, Fen>,
}

/// What the taps of one route come to.
struct Share {
    route: Route,
    split: Split,
}

impl Core {
    /// Closes a clearing day, after every day before it that was left open. Again, it gives the same.
    ///
    /// # Errors
    /// The day has not begun, or a later one is closed; or a store failed, and the closing may be repeated.
    pub fn close_day(&self, day: Date) -> Result<Closing, Problem> {
        let now = self.now();
        if day > now.date() {
            return Err(Code::DayNotOver.about(day));
        }
        let mut state = self.state();
        let closed = state.ledger.closed()?;
        if closed.is_some_and(|closed| closed > day) {
            return Err(Code::DayClosed.about(day));
        }
        let mut open = first_open(&state, closed)?.unwrap_or(day);
        while open < day {
            self.close_one(&mut state, open, now)?;
            open = open.plus_days(1);
        }
        let net = self.close_one(&mut state, day, now)?;
        Ok(Closing { day, net, positions: settled(&state, day)? })
    }

    /// Closes one day, all before it being closed.
    fn close_one(&self, state: &mut State, day: Date, now: CardTime) -> Result<Net, Problem> {
        // From here on nothing more is taken into the day, whatever happens to the rest of this function.
        state.store.write(|db| Ok(close(db, day, now)?))?;
        let (net, shares) = self.netted(state, day)?;
        if state.ledger.closed()?.is_some_and(|closed| closed >= day) {
            return Ok(net);
        }
        let entries = shares.iter().map(|share| cleared(share, day, now)).collect::<Result<Vec<_>, _>>()?;
        for outcome in state.ledger.record_all(&entries)? {
            outcome.map_err(ledger::LedgerError::from)?;
        }
        settle(state, day, now)?;
        state.ledger.close_day(day, now)?;
        let event = Event { at: now, kind: "day-closed".into(), about: day.to_string(), amount: None };
        state.store.write(|db| Ok(event.insert(db)?))?;
        tracing::info!(%day, routes = shares.len(), "day closed");
        Ok(net)
    }

    /// What moved on a party's accounts on a day.
    ///
    /// # Errors
    /// No such party, or the ledger cannot be read.
    pub fn statement(&self, party: &Party, day: Date) -> Result<Statement, Problem> {
        let known = match party {
            Party::Issuer(city) | Party::Acquirer(city) => self.registry().city(*city).is_some(),
            Party::Operator(operator) => self.registry().operator(*operator).is_some(),
            Party::Wallet(wallet) => self.registry().wallet(wallet).is_some(),
            Party::Channel(channel) => self.registry().channel(channel).is_some(),
        };
        if !known {
            return Err(Code::UnknownParty.about(party));
        }
        let state = self.state();
        let mut lines = Vec::new();
        let mut after = 0;
        loop {
            let page = state.ledger.read(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for line in page.iter().filter(|line| line.fact.day() == day) {
                lines.extend(of_party(state.ledger.as_ref(), line, party)?);
            }
        }
        let mut sums: BTreeMap<String, Fen> = BTreeMap::new();
        for line in &lines {
            let sum = sums.entry(line.account.clone()).or_default();
            *sum = sum.plus(line.amount).map_err(overflow)?;
        }
        let closed = state.ledger.closed()?.is_some_and(|closed| closed >= day);
        Ok(Statement { party: party.clone(), day, closed, lines, sums })
    }

    /// Every account's balance, for those who check the books.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn balances(&self) -> Result<BTreeMap<AccountName, ledger::Balance>, Problem> {
        Ok(self.state().ledger.standing()?.balances)
    }

    /// Adds the whole ledger up from its log and compares.
    ///
    /// # Errors
    /// It does not add up, or cannot be read.
    pub fn verify_books(&self) -> Result<(), Problem> {
        self.state().ledger.verify()?;
        Ok(())
    }

    /// The day's accepted taps, netted, and by route.
    fn netted(&self, state: &State, day: Date) -> Result<(Net, Vec<Share>), Problem> {
        let mut netting = Netting::new(self.registry());
        let mut shares: BTreeMap<Route, Split> = BTreeMap::new();
        rulings(state.store.read(), day, |ruling| -> Result<(), Problem> {
            netting.add(ruling)?;
            // A gate's entry moves nothing: a route of entries alone has no legs.
            if !ruling.is_paid() || ruling.amount == PurseFen::ZERO {
                return Ok(());
            }
            let one = netting.split(&ruling.route, ruling.on, ruling.amount.into())?;
            let none = Split { issuer: Fen::ZERO, acquirer: Fen::ZERO, operator: Fen::ZERO };
            let sum = shares.entry(ruling.route).or_insert(none);
            *sum = Split {
                issuer: sum.issuer.plus(one.issuer).map_err(overflow)?,
                acquirer: sum.acquirer.plus(one.acquirer).map_err(overflow)?,
                operator: sum.operator.plus(one.operator).map_err(overflow)?,
            };
            Ok(())
        })?;
        let shares = shares.into_iter().map(|(route, split)| Share { route, split }).collect();
        Ok((netting.finish()?, shares))
    }
}

/// The first day that anything may still count for: after the last closed one, or the first of all.
fn first_open(state: &State, closed: Option<Date>) -> Result<Option<Date>, Problem> {
    if let Some(closed) = closed {
        return Ok(Some(closed.plus_days(1)));
    }
    let entry = state.ledger.read(0, 1)?.first().map(|line| line.fact.day());
    let file = FileRow::first_day(state.store.read())?;
    Ok(entry.into_iter().chain(file).min())
}

/// One entry a route: value leaves the issuer's float; for an away route the issuer owes the acquirer, and the
/// acquirer its operator.
fn cleared(share: &Share, day: Date, now: CardTime) -> Result<Entry, Problem> {
    let Share { route: Route { issuer, acquirer, operator }, split } = share;
    let due = |party: &Party| account("due", party);
    let float = account("float", issuer)?;
    let mut legs = Vec::new();
    let mut add = |debit: &AccountName, credit: AccountName, amount: Fen| -> Result<(), Problem> {
        if amount > Fen::ZERO {
            legs.push(leg(debit.clone(), credit, amount)?);
        }
        Ok(())
    };
    add(&float, account("payable", Party::Operator(*operator))?, split.operator)?;
    add(&float, account("fees", Party::Issuer(*issuer))?, split.issuer)?;
    add(&float, account("fees", Party::Acquirer(*acquirer))?, split.acquirer)?;
    if share.route.is_away() {
        let crosses = split.acquirer.plus(split.operator).map_err(overflow)?;
        let (card_city, reader_city) = (due(&Party::Issuer(*issuer))?, due(&Party::Acquirer(*acquirer))?);
        add(&card_city, reader_city.clone(), crosses)?;
        add(&reader_city, due(&Party::Operator(*operator))?, split.operator)?;
    }
    entry(&format!("clear:{day}:{issuer}:{acquirer}:{operator}"), "clear", legs, day, now)
}

/// Every party's position of the day goes to its bank, in one entry.
fn settle(state: &mut State, day: Date, now: CardTime) -> Result<(), Problem> {
    let id = format!("settle:{day}");
    if state.ledger.find(&id.parse().map_err(malformed)?)?.is_some() {
        return Ok(());
    }
    let head = state.ledger.standing()?.head.position;
    let mut legs = Vec::new();
    for (name, balance) in state.ledger.positions(head, day)?.iter().filter(|(name, _)| name.kind() == "due")
    {
        let bank = account("bank", name.rest())?;
        let net = balance.credit();
        if net > Fen::ZERO {
            legs.push(leg(name.clone(), bank, net)?);
        } else if net < Fen::ZERO {
            legs.push(leg(bank, name.clone(), net.negated().map_err(overflow)?)?);
        }
    }
    if legs.is_empty() {
        return Ok(());
    }
    state.ledger.record(entry(&id, "settle", legs, day, now)?)?;
    Ok(())
}

/// What each party got or paid when the day was settled.
fn settled(state: &State, day: Date) -> Result<Vec<(String, Fen)>, Problem> {
    let Some(story) = state.ledger.find(&format!("settle:{day}").parse().map_err(malformed)?)? else {
        return Ok(Vec::new());
    };
    let legs = story.opened.fact.entry().map(|entry| entry.legs.clone()).unwrap_or_default();
    let position = |leg: &Leg| match leg.debit().kind() {
        "due" => Ok((leg.debit().rest().to_owned(), leg.amount())),
        _ => Ok((leg.credit().rest().to_owned(), leg.amount().negated().map_err(overflow)?)),
    };
    legs.iter().map(position).collect()
}

fn entry(id: &str, kind: &str, legs: Vec<Leg>, day: Date, now: CardTime) -> Result<Entry, Problem> {
    let (id, kind) = (id.parse().map_err(malformed)?, kind.parse().map_err(malformed)?);
    Ok(Entry { id, kind, legs, day, at: now, memo: String::new() })
}

/// The moves of a line on the accounts of a party.
fn of_party(ledger: &dyn Ledger, line: &Line, party: &Party) -> Result<Vec<StatementLine>, Problem> {
    let Some(entry) = line.fact.entry() else { return Ok(Vec::new()) };
    let held = match &line.fact {
        ledger::Fact::Pended(_) => return Ok(Vec::new()),
        ledger::Fact::Posted(_) => {
            ledger.find(&entry.id)?.and_then(|story| story.opened.fact.entry().cloned())
        }
        _ => None,
    };
    let held = held.map(|entry| entry.legs).unwrap_or_default();
    let mut lines = Vec::new();
    for leg in held.iter().chain(&entry.legs) {
        let sides = [(leg.credit(), leg.amount()), (leg.debit(), leg.amount().negated().map_err(overflow)?)];
        for (name, amount) in sides.into_iter().filter(|(name, _)| belongs(name, party)) {
            lines.push(StatementLine {
                position: line.position,
                entry: entry.id.to_string(),
                kind: entry.kind.to_string(),
                account: name.to_string(),
                amount,
                at: entry.at,
                memo: entry.memo.clone(),
            });
        }
    }
    Ok(lines)
}

/// Whether an account is a party's: by its role and id, or, for floats and doubts, by the issuer's city, and for
/// payments and refunds by the wallet.
fn belongs(name: &AccountName, party: &Party) -> bool {
    match (name.kind(), party) {
        ("float" | "doubt", Party::Issuer(city)) => name.rest() == city.to_string(),
        ("paid-in" | "refunds", Party::Wallet(wallet)) => name.rest() == wallet.as_str(),
        ("due" | "fees" | "payable" | "bank", _) => name.rest() == party.to_string(),
        _ => false,
    }
}

impl From<NettingError> for Problem {
    fn from(error: NettingError) -> Self {
        tracing::error!(%error, "a day cannot be netted");
        Code::Internal.about(error)
    }
}
