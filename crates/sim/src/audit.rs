//! The audit (核对): three sides added up apart from each other, and compared.

use std::collections::BTreeMap;

use card::layout::LogRecord;
use centre::Core;
use ledger::{AccountName, Balance};
use model::{Fen, MoneyError, PurseFen, TapRecord};

use crate::SimError;
use crate::books::{Doubt, Identity, Position};
use crate::network::Network;

/// Fills in the identity, the positions and the checks.
pub(crate) fn audit(network: &mut Network<'_>, core: &Core) -> Result<(), SimError> {
    let centre = |error: centre::Problem| SimError::Centre(error.to_string());
    let balances = core.balances().map_err(centre)?;
    let wallets = network.desk.books()?;
    let purses = network.purses()?;
    let doubts = doubts(network)?;

    let credit = |kind: &str| sum(&balances, |name| name.kind() == kind).and_then(Fen::negated);
    let operators = credit("payable").map_err(money)?;
    let fees = credit("fees").map_err(money)?;
    let refunds = credit("refunds").map_err(money)?;
    let float = credit("float").map_err(money)?;
    // What is in doubt and not in the purses already; a torn tap may also have left a purse that the centre
    // still counts as full.
    let amount =
        |wanted: &dyn Fn(&Doubt) -> bool| Fen::sum(doubts.iter().filter(|d| wanted(d)).map(|d| d.fen));
    let loads_open = amount(&|d| d.what == "load" && !d.on_the_card).map_err(money)?;
    let loads_on_cards = amount(&|d| d.what == "load" && d.on_the_card).map_err(money)?;
    let taps_debited = amount(&|d| d.what == "tap" && d.on_the_card).map_err(money)?;
    let in_doubt = loads_open.plus(taps_debited).map_err(money)?;
    let paid_in = wallets.paid.plus(refunds).map_err(money)?;
    let right = Fen::sum([purses, operators, fees, refunds, in_doubt]).map_err(money)?;
    let difference = paid_in.minus(right).map_err(money)?;
    let identity = Identity {
        paid_in_fen: paid_in,
        purses_fen: purses,
        operators_fen: operators,
        fees_fen: fees,
        refunds_fen: refunds,
        in_doubt_fen: in_doubt,
        difference_fen: difference,
    };

    let positions = positions(&balances).map_err(money)?;
    let positions_sum = Fen::sum(positions.iter().map(|position| position.net_fen)).map_err(money)?;
    // What wallets took for good, less what they owe onwards, is what they keep by agreement.
    let taken = sum(&balances, |name| name.kind() == "paid-in")
        .and_then(|taken| taken.minus(refunds))
        .map_err(money)?;
    let owed = positions
        .iter()
        .filter(|position| position.party.starts_with("wallet:"))
        .map(|position| position.net_fen);
    let channel_fees = Fen::sum(owed).and_then(|owed| taken.plus(owed)).map_err(money)?;
    let expected = float.plus(loads_on_cards).and_then(|sum| sum.minus(taps_debited)).map_err(money)?;
    let centre_paid_in = sum_pending(&balances, "paid-in").map_err(money)?;
    let verified = core.verify_books();
    let planted_paid = network.books.clearing.planted;
    let not_paid: u64 = network.books.clearing.not_paid.values().sum();

    let books = &mut network.books;
    books.check(
        "paid in = purses + operators + fees + refunds + in doubt",
        difference == Fen::ZERO,
        format!("{paid_in} = {right}"),
    );
    books.check("positions sum to zero", positions_sum == Fen::ZERO, positions_sum.to_string());
    books.check(
        "purses on the cards = the centre's float",
        purses == expected,
        format!("{purses} = {expected}"),
    );
    books.check(
        "wallets' ledgers = the centre's ledger",
        centre_paid_in == paid_in,
        format!("{paid_in} = {centre_paid_in}"),
    );
    books.check(
        "every planted record is refused, and no other",
        planted_paid == not_paid,
        format!("{planted_paid} = {not_paid}"),
    );
    books.check(
        "the ledger's log adds up to its balances",
        verified.is_ok(),
        verified.map_or_else(|e| e.to_string(), |()| "yes".into()),
    );
    books.channel_fees_fen = channel_fees;
    books.identity = identity;
    books.positions = positions;
    books.positions_sum_fen = positions_sum;
    books.in_doubt = doubts;
    Ok(())
}

fn money(error: model::MoneyError) -> SimError {
    SimError::Centre(error.to_string())
}

/// The sum of the nets (debit positive) of the accounts that are wanted.
fn sum(
    balances: &BTreeMap<AccountName, Balance>,
    wanted: impl Fn(&AccountName) -> bool,
) -> Result<Fen, MoneyError> {
    Fen::sum(balances.iter().filter(|(name, _)| wanted(name)).map(|(_, balance)| balance.net()))
}

fn sum_pending(balances: &BTreeMap<AccountName, Balance>, kind: &str) -> Result<Fen, MoneyError> {
    let wanted = balances.iter().filter(|(name, _)| name.kind() == kind);
    Fen::sum(wanted.map(|(_, balance)| balance.net_with_pending()))
}

/// What each party gets (negative: pays): settled to its bank, or still due.
fn positions(balances: &BTreeMap<AccountName, Balance>) -> Result<Vec<Position>, MoneyError> {
    let mut parties: BTreeMap<String, Fen> = BTreeMap::new();
    for (name, balance) in balances.iter().filter(|(name, _)| matches!(name.kind(), "due" | "bank")) {
        let sum = parties.entry(name.rest().to_owned()).or_default();
        *sum = sum.plus(balance.credit())?;
    }
    let moved = parties.into_iter().filter(|(_, net)| *net != Fen::ZERO);
    Ok(moved.map(|(party, net_fen)| Position { party, net_fen }).collect())
}

/// Loads whose end nobody knows and taps that tore, one by one; what really happened is read from the cards.
fn doubts(network: &mut Network<'_>) -> Result<Vec<Doubt>, SimError> {
    let mut doubts = Vec::new();
    let mut torn: Vec<TapRecord> = Vec::new();
    for reader in network.readers.values() {
        torn.extend(reader.batch().pending().iter().map(|tap| tap.facts().clone()));
        torn.extend(reader.batch().doubted().iter().map(|(tap, _)| tap.facts().clone()));
    }
    torn.sort_by_key(|tap| (tap.terminal, tap.terminal_seq));
    for rider in &mut network.riders {
        let Some(view) = rider.look() else { continue };
        let number = view.public_info.number;
        if let Some(open) = &rider.open_order {
            let on_the_card = view.loads.first().is_some_and(|load| load.at >= open.placed_at);
            let (name, card) = (open.order.clone(), number.to_string());
            doubts.push(Doubt { what: "load", name, card, fen: open.amount, on_the_card });
        }
        for tap in torn.iter().filter(|tap| tap.card == number && tap.amount > PurseFen::ZERO) {
            let same =
                |log: &LogRecord| (log.terminal, log.amount, log.at) == (tap.terminal, tap.amount, tap.at);
            let on_the_card = view.purchases.iter().any(same);
            let (name, card) = (format!("{}-{}", tap.terminal, tap.terminal_seq), number.to_string());
            doubts.push(Doubt { what: "tap", name, card, fen: tap.amount.into(), on_the_card });
        }
    }
    Ok(doubts)
}
