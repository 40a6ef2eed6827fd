//! The centre's console (控制台): the numbers of the page, read at one moment.
//!
//! Invariant: nothing here changes anything, and nothing shown names a passenger or a whole card number.

use model::{CardTime, Fen};

use crate::core::Core;
use crate::matching::DayMatch;
use crate::money::overflow;
use crate::problem::{Code, Problem};
use crate::store::{CardRow, CaseRow, Event, FileRow, OrderRow, last_match};

/// Events on the page.
const EVENTS: u32 = 12;
/// Open cases on the page.
const CASES: u32 = 12;

/// The network at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// When it was read.
    pub now: CardTime,
    /// Cards on phones.
    pub cards: u64,
    /// Loads that cards have proven.
    pub loads: u64,
    /// What they came to.
    pub loaded: Fen,
    /// Taps at home in today's files.
    pub taps_home: u64,
    /// Taps away in today's files.
    pub taps_away: u64,
    /// Orders whose money is in doubt, named one by one in the ledger.
    pub in_doubt: usize,
    /// Their money.
    pub in_doubt_fen: Fen,
    /// Who is owed how much (positive) or owes it (negative), by account; zero-sum.
    pub positions: Vec<(String, Fen)>,
    /// The last day that was matched.
    pub matched: Option<DayMatch>,
    /// Open cases, newest first: number, kind, wallet and order, gap.
    pub cases: Vec<(u64, String, String, Fen)>,
    /// The last things that happened, newest first: when, what, about what, how much.
    pub events: Vec<(CardTime, String, String, Option<Fen>)>,
}

impl Core {
    /// The network at a glance.
    ///
    /// # Errors
    /// The store or the ledger cannot be read.
    pub fn overview(&self) -> Result<Overview, Problem> {
        let now = self.now();
        let state = self.state();
        let db = state.store.read();
        let (loads, loaded) = OrderRow::loads_done(db)?;
        let (taps_home, taps_away) = FileRow::taps_on(db, state.open_day(now)?)?;
        let standing = state.ledger.standing()?;
        let due = standing.balances.iter().filter(|(account, _)| account.kind() == "due");
        let positions = due.map(|(account, balance)| (account.rest().to_owned(), balance.credit()));
        let doubts = standing.balances.iter().filter(|(account, _)| account.kind() == "doubt");
        let in_doubt_fen = Fen::sum(doubts.map(|(_, balance)| balance.pending_credit)).map_err(overflow)?;
        let result = last_match(db)?.map(|result| serde_json::from_str(&result)).transpose();
        let matched = result.map_err(|error| Code::Internal.about(error))?;
        let case = |case: CaseRow| {
            (case.seq, case.kind.as_str().to_owned(), format!("{} {}", case.wallet, case.order), case.gap)
        };
        let event = |event: Event| (event.at, event.kind, event.about, event.amount);
        Ok(Overview {
            now,
            cards: CardRow::issued(db)?,
            loads,
            loaded: Fen::new(loaded),
            taps_home,
            taps_away,
            in_doubt: standing.in_doubt.len(),
            in_doubt_fen,
            matched,
            cases: CaseRow::open(db, CASES)?.into_iter().map(case).collect(),
            positions: positions.filter(|(_, net)| *net != Fen::ZERO).collect(),
            events: Event::last(db, EVENTS)?.into_iter().map(event).collect(),
        })
    }
}
