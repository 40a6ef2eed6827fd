//! The audit (核对): three sides added up apart from each other, and compared.

use std::collections::BTreeMap;

use centre::Core;
use ledger::{AccountName, Balance};
use model::{Fen, MoneyError, PurseFen, TapRecord};

use crate::SimError;
use crate::books::{Books, Doubt, Identity, Position};
use crate::desk::OrderEnd;
use crate::network::Network;

/// What the three sides say, before they are compared.
struct Sides {
    balances: BTreeMap<AccountName, Balance>,
    /// Taken by the wallets, by their own ledgers.
    wallets: Fen,
    /// In the purses, read from the cards.
    purses: Fen,
    doubts: Vec<Doubt>,
}

/// Asks once more how the orders stand that were open when a card left: a later contact may have settled them.
fn settle(network: &mut Network<'_>) -> Result<(), SimError> {
    let Network { riders, desk, books, .. } = network;
    for rider in riders {
        let mut open = Vec::new();
        for order in rider.open_orders.drain(..) {
            match desk.end_of(&rider.passenger, &order.placed)? {
                OrderEnd::Done { .. } => {
                    books.loads.done.add(order.amount);
                    books.loads.settled = books.loads.settled.saturating_add(1);
                }
                OrderEnd::Refused(_) => books.loads.settled = books.loads.settled.saturating_add(1),
                OrderEnd::Open => open.push(order),
            }
        }
        rider.open_orders = open;
    }
    Ok(())
}

/// Fills in the identity, the positions and the checks.
pub(crate) fn audit(network: &mut Network<'_>, core: &Core) -> Result<(), SimError> {
    settle(network)?;
    let balances = core.balances().map_err(|error| SimError::Centre(error.to_string()))?;
    let wallets = network.desk.books()?.paid;
    let purses = network.purses()?;
    let sides = Sides { balances, wallets, purses, doubts: doubts(network)? };
    let log = core.verify_books().map_err(|error| error.to_string());
    compare(&mut network.books, &sides, log).map_err(|error| SimError::Centre(error.to_string()))?;
    network.books.in_doubt = sides.doubts;
    Ok(())
}

fn compare(books: &mut Books, sides: &Sides, log: Result<(), String>) -> Result<(), MoneyError> {
    let identity = identity(sides)?;
    let positions = positions(&sides.balances)?;
    let positions_sum = Fen::sum(positions.iter().map(|position| position.net_fen))?;
    // What wallets took for good, less what they owe onwards, is what they keep by agreement.
    let taken = sum(&sides.balances, |name| name.kind() == "paid-in")?.minus(identity.refunds_fen)?;
    let owed = positions.iter().filter(|position| position.party.starts_with("wallet:"));
    let channel_fees = taken.plus(Fen::sum(owed.map(|position| position.net_fen))?)?;
    let float = sum(&sides.balances, |name| name.kind() == "float")?.negated()?;
    let cards = float.plus(in_doubt(sides, "load", true)?)?.minus(in_doubt(sides, "tap", true)?)?;
    let centre = sum_pending(&sides.balances, "paid-in")?;
    let not_paid = books.clearing.not_paid.values().copied().fold(0, u64::saturating_add);

    let (left, difference) = (identity.paid_in_fen, identity.difference_fen);
    let planted = books.clearing.planted;
    books.check(
        "paid in = purses + operators + fees + refunds + in doubt",
        difference == Fen::ZERO,
        format!("difference {difference}"),
    );
    books.check("positions sum to zero", positions_sum == Fen::ZERO, positions_sum.to_string());
    let purses = sides.purses;
    books.check("purses on the cards = the centre's float", purses == cards, format!("{purses} = {cards}"));
    books.check("wallets' ledgers = the centre's ledger", left == centre, format!("{left} = {centre}"));
    let refused = format!("{planted} = {not_paid}");
    books.check("every planted record is refused, and no other", planted == not_paid, refused);
    let (agree, says) = (books.matching.differences == 0, books.matching.words());
    books.check("wallets' files = the ledger = the cards, order by order", agree, says);
    let log_says = log.as_ref().map_or_else(Clone::clone, |()| "yes".to_owned());
    books.check("the ledger's log adds up to its balances", log.is_ok(), log_says);
    books.identity = identity;
    (books.positions, books.positions_sum_fen, books.channel_fees_fen) =
        (positions, positions_sum, channel_fees);
    Ok(())
}

fn identity(sides: &Sides) -> Result<Identity, MoneyError> {
    let credit = |kind: &str| sum(&sides.balances, |name| name.kind() == kind)?.negated();
    let (operators, fees, refunds) = (credit("payable")?, credit("fees")?, credit("refunds")?);
    // What is in doubt and not in the purses already; a torn tap may also have left a purse that the centre still
    // counts as full.
    let doubt = in_doubt(sides, "load", false)?.plus(in_doubt(sides, "tap", true)?)?;
    let paid_in = sides.wallets.plus(refunds)?;
    let right = Fen::sum([sides.purses, operators, fees, refunds, doubt])?;
    Ok(Identity {
        paid_in_fen: paid_in,
        purses_fen: sides.purses,
        operators_fen: operators,
        fees_fen: fees,
        refunds_fen: refunds,
        in_doubt_fen: doubt,
        difference_fen: paid_in.minus(right)?,
    })
}

/// What is in doubt of one kind, on the cards or not.
fn in_doubt(sides: &Sides, what: &str, on_the_card: bool) -> Result<Fen, MoneyError> {
    let wanted = sides.doubts.iter().filter(|doubt| doubt.what == what && doubt.on_the_card == on_the_card);
    Fen::sum(wanted.map(|doubt| doubt.fen))
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

/// Loads whose end nobody knows and taps that tore, one by one. What really happened to a load is read from the card,
/// which makes no other before it is settled; of a tap it is what the network saw when it tore.
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
        for open in &rider.open_orders {
            let on_the_card = view.loads.iter().any(|load| load.at == open.placed_at && open.is(load.amount));
            let (name, card) = (open.placed.order.clone(), number.to_string());
            doubts.push(Doubt { what: "load", name, card, fen: open.amount, on_the_card });
        }
        for tap in torn.iter().filter(|tap| tap.card == number && tap.amount > PurseFen::ZERO) {
            let on_the_card = network.debited.contains(&(tap.terminal, tap.terminal_seq));
            let (name, card) = (format!("{}-{}", tap.terminal, tap.terminal_seq), number.to_string());
            doubts.push(Doubt { what: "tap", name, card, fen: tap.amount.into(), on_the_card });
        }
    }
    Ok(doubts)
}
