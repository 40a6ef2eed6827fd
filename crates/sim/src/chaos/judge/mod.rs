//! The judge (裁判): a slow and obvious model of the money, kept apart from every ledger of the network.
//!
//! It sees what no party sees: which bytes left the centre for which order, what each chip's memory holds, which command
//! changed it. From that it keeps its own tally of who paid what and what became of it, and holds the parties' books
//! against it after every step.
//!
//! Invariant: nothing that the judge believes comes from the party that it judges.

mod cards;
mod orders;
mod people;
mod refunds;
mod rides;

use std::collections::{BTreeMap, BTreeSet};

use card::Standing;
use model::{CardNumber, CityCode, TerminalId, WalletId};

use super::story::Who;

pub(super) use orders::Placed;
pub(super) use people::Opening;
pub(super) use rides::Place;

/// A rule does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The rule, in words, with what was found.
    pub(super) rule: String,
    /// Whose story tells how it came to this.
    pub(super) who: Who,
}

/// Where an order's money stands in the centre's ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Money {
    #[default]
    Untouched,
    Pending,
    Posted,
    Voided,
}

/// What an order is for, as far as money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Load,
    Refund,
    Other,
}

/// A purchase that takes a returned card's value off it.
#[derive(Clone, Copy, Debug, Default)]
struct Drain {
    pended: i64,
    money: Money,
    /// What a chip has lost by it.
    taken: i64,
}

/// An order, as the judge knows it.
struct Order {
    wallet: WalletId,
    passenger: usize,
    kind: Kind,
    amount: i64,
    /// A CREDIT FOR LOAD for it has left the centre.
    credit_left: bool,
    /// How often a chip has taken its value, and which.
    credits: u32,
    /// Whose card it was.
    holder: Option<usize>,
    /// Of a refund, the purchases that take the value off its card, by their numbers.
    drains: BTreeMap<u32, Drain>,
    money: Money,
    /// The centre's last word.
    centre: Option<&'static str>,
    /// The wallet's last word.
    wallet_says: Option<wallet::OrderState>,
}

/// A debit that a chip has carried out.
struct Debit {
    passenger: usize,
    city: CityCode,
    card: CardNumber,
    amount: i64,
    /// The clearing day of the file that has it, once the centre has taken it.
    taken: Option<model::Date>,
    /// The centre names it as without proof: a reader's wrong clock has let it take another tap's.
    unproven: bool,
}

/// A passenger, as the judge knows them.
#[derive(Default)]
struct Passenger {
    opening: i64,
    name: String,
    city: Option<CityCode>,
    /// Taken by chips for this passenger's orders.
    credited: i64,
    /// Taken by this passenger's chips, whoever ordered it.
    received: i64,
    /// Given by this passenger's chips to readers.
    spent: i64,
    /// Taken off this passenger's chips for refunds, whoever ordered them.
    drained: i64,
    /// Refunds that the wallet calls done, in sum.
    refunded: i64,
    /// Orders that may still change.
    open: BTreeSet<String>,
    /// Orders that the wallet calls done, in sum.
    done: i64,
}

/// Who is tapping where, while a card is held to a reader.
#[derive(Clone, Copy)]
struct Tapping {
    terminal: TerminalId,
    ride: u64,
}

/// The judge.
#[derive(Default)]
pub(super) struct Judge {
    orders: BTreeMap<String, Order>,
    passengers: Vec<Passenger>,
    cards: BTreeMap<(usize, CardNumber), Standing>,
    /// Which order a CREDIT FOR LOAD is for, byte for byte.
    commands: BTreeMap<Vec<u8>, String>,
    /// Which refund a DEBIT FOR PURCHASE of the centre is for, byte for byte.
    drain_commands: BTreeMap<Vec<u8>, String>,
    debits: BTreeMap<(TerminalId, u32), Debit>,
    /// The debits of each ride.
    rides: BTreeMap<u64, Vec<(TerminalId, u32)>>,
    tapping: Option<Tapping>,
    /// Lines of the centre's log that were looked at.
    log_position: u64,
    /// Orders to be held against the centre's word.
    touched: BTreeSet<String>,
    /// What each closed day moved out of each city's float.
    cleared: BTreeMap<(model::Date, CityCode), i64>,
    closed: Option<model::Date>,
}

fn broken(who: Who, rule: impl Into<String>) -> Broken {
    Broken { rule: rule.into(), who }
}

/// Nothing that the judge counts comes near the end of `i64`; if it does, a comparison fails, which is right.
fn plus(a: i64, b: i64) -> i64 {
    a.saturating_add(b)
}

fn minus(a: i64, b: i64) -> i64 {
    a.saturating_sub(b)
}

impl Judge {
    /// How many loads chips have taken, and how many debits they have made.
    pub(super) fn tally(&self) -> (u64, u64) {
        let loads = self.orders.values().filter(|order| order.credits > 0).count();
        (count(loads), count(self.debits.len()))
    }

    /// How many returned cards had their value taken off, and how many orders ended without money.
    pub(super) fn returns(&self) -> (u64, u64) {
        let emptied = |order: &&Order| order.drains.values().any(|drain| drain.taken > 0);
        let refused = |order: &&Order| order.centre == Some("refused");
        (
            count(self.orders.values().filter(emptied).count()),
            count(self.orders.values().filter(refused).count()),
        )
    }

    /// Debits that their readers could not prove, named by the centre's verdicts.
    pub(super) fn unproven(&self) -> u64 {
        count(self.debits.values().filter(|debit| debit.unproven).count())
    }

    /// Orders whose money is in doubt now.
    pub(super) fn doubts(&self) -> u64 {
        let open = |order: &&Order| {
            order.money == Money::Pending || order.drains.values().any(|drain| drain.money == Money::Pending)
        };
        count(self.orders.values().filter(open).count())
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
