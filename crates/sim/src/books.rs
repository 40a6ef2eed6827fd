//! The books of a simulated network: what happened, and whether every fen is accounted for.
//!
//! Three sides are added up apart from each other: the wallets' ledgers (what passengers paid), the centre's ledger
//! (what parties owe), and the cards themselves (what is in the purses).
//!
//! Invariant: the books are right only if the three sides meet to the fen, and what is in doubt is named.

use std::collections::BTreeMap;

use model::Fen;
use serde::Serialize;

/// A count and its money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// What they come to, in fen.
    pub fen: Fen,
}

impl Total {
    /// One more.
    pub fn add(&mut self, fen: Fen) {
        self.count = self.count.saturating_add(1);
        // A sum beyond i64 would be more money than there is; the identity below would not hold.
        self.fen = self.fen.plus(fen).unwrap_or(self.fen);
    }
}

/// Cards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CardBooks {
    /// City cards issued over the air.
    pub issued: u64,
    /// Issues that a broken link interrupted and a later session finished.
    pub issued_after_a_break: u64,
    /// Plastic cards, issued at a counter.
    pub plastic: u64,
    /// Cards that were put on the deny list.
    pub denied: u64,
}

/// Loads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadBooks {
    /// Proven by the card's TAC.
    pub done: Total,
    /// Refused, nothing moved.
    pub refused: BTreeMap<String, u64>,
    /// The card left after CREDIT FOR LOAD was on its way.
    pub torn: u64,
    /// Of those, settled by the next contact with the card.
    pub settled: u64,
}

/// Taps of one mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModeBooks {
    /// In the card's own city.
    pub home: Total,
    /// In another.
    pub away: Total,
}

/// Taps, as the readers saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TapBooks {
    /// Cards held to a reader.
    pub tried: u64,
    /// Accepted, by mode.
    pub accepted: BTreeMap<&'static str, ModeBooks>,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// The card left before its answer.
    pub torn: u64,
    /// Of those, finished when the card came back: never a second debit.
    pub recovered: u64,
}

/// Clearing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClearingBooks {
    /// Files uploaded.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Records paid.
    pub paid: Total,
    /// Records not paid, by reason; a few are planted by a dishonest back end.
    pub not_paid: BTreeMap<String, u64>,
    /// Records that a dishonest back end planted.
    pub planted: u64,
}

/// The daily matches of wallets' files, ledger and cards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MatchBooks {
    /// Orders, over all days.
    pub orders: u64,
    /// Wallets that had any.
    pub wallets: u64,
    /// Orders in doubt at the end of the last day.
    pub in_doubt: u64,
    /// Differences that nobody has explained, over all days.
    pub differences: u64,
    /// What they come to.
    pub gap_fen: Fen,
}

impl MatchBooks {
    /// In one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let MatchBooks { orders, wallets, in_doubt, differences, gap_fen } = self;
        match differences {
            0 => format!(
                "{orders} orders of {wallets} wallets, three sides agree to the fen; {in_doubt} in doubt named"
            ),
            _ => format!(
                "{orders} orders of {wallets} wallets, {differences} differences of {} fen; {in_doubt} in doubt named",
                gap_fen.get()
            ),
        }
    }
}

/// What is in doubt, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// A load or a tap.
    pub what: &'static str,
    /// The order or the reader.
    pub name: String,
    /// The card, masked.
    pub card: String,
    /// How much.
    pub fen: Fen,
    /// What really happened, as only the judge of a simulation knows: the purse holds the new balance.
    pub on_the_card: bool,
}

/// Paid in = purses + owed + fees + refunds + in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// What passengers paid, by the wallets' own ledgers.
    pub paid_in_fen: Fen,
    /// What is in the purses, read from the cards.
    pub purses_fen: Fen,
    /// What operators are owed or got.
    pub operators_fen: Fen,
    /// Fees out of taps and issues.
    pub fees_fen: Fen,
    /// What wallets gave back, and owe their passengers.
    pub refunds_fen: Fen,
    /// What is in doubt, as far as it is in none of the above.
    pub in_doubt_fen: Fen,
    /// Left side less right side: zero, or something is lost.
    pub difference_fen: Fen,
}

/// A sum that must be zero, or two that must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is compared.
    pub what: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// The figures.
    pub detail: String,
}

/// A party's position after a day's close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// `role:id`.
    pub party: String,
    /// What it gets; negative: pays.
    pub net_fen: Fen,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// The seed.
    pub seed: u64,
    /// The first day.
    pub first_day: String,
    /// Days.
    pub days: u32,
    /// Passengers.
    pub passengers: u32,
    /// Cards.
    pub cards: CardBooks,
    /// Loads.
    pub loads: LoadBooks,
    /// Taps.
    pub taps: TapBooks,
    /// Clearing.
    pub clearing: ClearingBooks,
    /// The daily matches.
    pub matching: MatchBooks,
    /// Positions of all days, by party.
    pub positions: Vec<Position>,
    /// Their sum: zero.
    pub positions_sum_fen: Fen,
    /// What wallets keep of loads by agreement, and issuers bear: out of their own pockets, so it stands beside
    /// the identity and not in it.
    pub channel_fees_fen: Fen,
    /// The identity, with every term.
    pub identity: Identity,
    /// What is in doubt, one by one.
    pub in_doubt: Vec<Doubt>,
    /// What was compared.
    pub checks: Vec<Check>,
}

impl Books {
    /// Notes a comparison.
    pub fn check(&mut self, what: &'static str, holds: bool, detail: String) {
        self.checks.push(Check { what, holds, detail });
    }

    /// Whether every fen is accounted for.
    #[must_use]
    pub fn are_right(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}
