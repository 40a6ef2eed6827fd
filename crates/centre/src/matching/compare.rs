//! One order, three words (逐笔核对): what the wallet says, what the ledger says, what the card has proven.
//!
//! Invariant: pure; the same words give the same finding. Money in doubt at both is no difference, and no money in
//! doubt is anything but held.

use model::{CityCode, Date, Fen, WalletId};
use serde::{Deserialize, Serialize};

use super::file::Word;
use super::kind::Kind;
use crate::store::{OrderKind, OrderState};

/// What the wallet's newest line of an order says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WalletSays {
    pub(crate) amount: Fen,
    pub(crate) word: Word,
    /// Of the file that says it.
    pub(crate) day: Date,
    pub(crate) reference: String,
}

/// Where an order's money stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Pending,
    Posted,
    Voided,
}

/// What the ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LedgerSays {
    pub(crate) amount: Fen,
    /// At the end of the day that is matched; `None`: nothing yet.
    pub(crate) by_day: Option<Moved>,
    /// The last word, whatever its day.
    pub(crate) now: Moved,
    pub(crate) now_day: Date,
    /// Position of the last line in the log.
    pub(crate) position: u64,
}

/// What the card has proven of this load by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CardSays {
    /// Nothing is asked of it: an issue, or nothing was reserved.
    #[default]
    Nothing,
    /// The load's own TAC, verified.
    Proven,
    /// There is no TAC of it that verifies.
    Unproven,
}

/// One order with its three sides.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub(crate) wallet: WalletId,
    pub(crate) order: String,
    pub(crate) kind: Option<OrderKind>,
    pub(crate) city: Option<CityCode>,
    pub(crate) says: Option<WalletSays>,
    pub(crate) state: Option<OrderState>,
    pub(crate) ledger: Option<LedgerSays>,
    pub(crate) card: CardSays,
    /// A person has decided it, with a reason.
    pub(crate) decided: bool,
}

/// What each side says, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Evidence {
    /// The wallet's file.
    pub(crate) wallet: String,
    /// The ledger, and the order at the centre.
    pub(crate) ledger: String,
    /// The card: TACs, offers under MAC1, readers' records.
    pub(crate) card: String,
}

/// Something that must be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) wallet: WalletId,
    pub(crate) order: String,
    pub(crate) kind: Kind,
    pub(crate) city: Option<CityCode>,
    /// What one side has more than another; what is at stake, where no side has more.
    pub(crate) gap: Fen,
    pub(crate) evidence: Evidence,
    /// It is settled already, and how.
    pub(crate) how: Option<String>,
}

/// Compares one order's three sides at the end of `day`. `None`: they agree.
pub(crate) fn compare(day: Date, sides: &Sides) -> Option<Finding> {
    let (kind, gap) = difference(day, sides)?;
    let settled = match (kind, sides.ledger) {
        (Kind::InDoubt, Some(LedgerSays { now: Moved::Posted, now_day, position, .. })) => {
            Some(format!("posted on {now_day}, ledger position {position}"))
        }
        (Kind::InDoubt, Some(LedgerSays { now: Moved::Voided, now_day, position, .. })) => {
            Some(format!("voided on {now_day}, ledger position {position}"))
        }
        _ => None,
    };
    Some(Finding {
        wallet: sides.wallet.clone(),
        order: sides.order.clone(),
        kind,
        city: sides.city,
        gap,
        evidence: sides.evidence(),
        how: settled,
    })
}

/// The kind of difference, and how much the wallet has more than the ledger (or the ledger more than the card).
fn difference(day: Date, sides: &Sides) -> Option<(Kind, Fen)> {
    let ledger = sides.ledger.filter(|ledger| ledger.by_day.is_some());
    let moved = ledger.and_then(|ledger| ledger.by_day);
    let said = sides.says.as_ref();
    let (theirs, ours) = (said.map_or(Fen::ZERO, |s| s.amount), ledger.map_or(Fen::ZERO, |l| l.amount));
    let gap = |kind| Some((kind, theirs.minus(ours).unwrap_or(theirs)));
    match (said.map(|s| s.word), moved) {
        (Some(_), Some(_)) if theirs != ours => gap(Kind::AmountDiffers),
        (Some(Word::Held), Some(Moved::Pending)) => Some((Kind::InDoubt, ours)),
        (Some(Word::Paid), Some(Moved::Posted)) | (Some(Word::Refunded), Some(Moved::Voided)) => {
            card(sides, ours)
        }
        (Some(word), Some(_) | None) => otherwise(day, sides, word, theirs),
        // What is voided here and never was at the wallet moved nothing.
        (None, Some(Moved::Voided)) => Some((Kind::LedgerOnly, Fen::ZERO)),
        (None, Some(Moved::Pending | Moved::Posted)) => gap(Kind::LedgerOnly),
        (None, None) => None,
    }
}

/// Both agree; the card has the last word.
fn card(sides: &Sides, amount: Fen) -> Option<(Kind, Fen)> {
    let moved = sides.ledger.and_then(|ledger| ledger.by_day);
    match (moved, sides.card) {
        (Some(Moved::Posted), CardSays::Unproven) if !sides.decided => Some((Kind::CardHasLess, amount)),
        (Some(Moved::Voided), CardSays::Proven) => Some((Kind::CardHasMore, amount)),
        _ => None,
    }
}

/// The wallet names it, and it does not stand in the ledger as the wallet says.
fn otherwise(day: Date, sides: &Sides, word: Word, amount: Fen) -> Option<(Kind, Fen)> {
    let moved = sides.ledger.and_then(|ledger| ledger.by_day);
    let counts = |held: bool| if held { amount } else { Fen::ZERO };
    let gap =
        counts(word != Word::Refunded).minus(counts(matches!(moved, Some(Moved::Pending | Moved::Posted))));
    let gap = gap.unwrap_or(amount);
    let later = sides.ledger.filter(|ledger| ledger.now_day >= day).map(|ledger| ledger.now);
    let agrees_later = matches!(
        (word, later),
        (Word::Paid, Some(Moved::Posted)) | (Word::Refunded, Some(Moved::Voided)) | (Word::Held, Some(_))
    );
    match (sides.state, moved) {
        _ if agrees_later => Some((Kind::Late, Fen::ZERO)),
        (None, None) if word == Word::Refunded => None,
        (None, None) => Some((Kind::WalletOnly, gap)),
        // The order is there, and no phone has yet taken it so far that money was reserved.
        (Some(OrderState::Created | OrderState::Running | OrderState::InDoubt), None)
            if word == Word::Held =>
        {
            None
        }
        (Some(OrderState::Refused), None) if word == Word::Refunded => None,
        // Refused before anything was reserved, and the wallet has not heard it yet.
        (Some(OrderState::Refused), None) if word == Word::Held && sides.fresh(day) => {
            Some((Kind::Late, Fen::ZERO))
        }
        _ => Some((Kind::StateDiffers, gap)),
    }
}

impl Sides {
    /// Whether the wallet's line is of the day itself: it may not have heard yet.
    fn fresh(&self, day: Date) -> bool {
        self.says.as_ref().is_some_and(|says| says.day >= day)
    }

    pub(super) fn evidence(&self) -> Evidence {
        let wallet = self.says.as_ref().map(|says| {
            format!(
                "{} fen {}, file of {}, reference {}",
                says.amount.get(),
                says.word.as_str(),
                says.day,
                says.reference
            )
        });
        let state = self.state.map_or("no such order", OrderState::as_str);
        let ledger = self.ledger.map_or_else(
            || format!("no entry; order: {state}"),
            |ledger| {
                let (now, on, at) = (ledger.now.as_str(), ledger.now_day, ledger.position);
                format!("{} fen {now} on {on}, position {at}; order: {state}", ledger.amount.get())
            },
        );
        let card = match self.card {
            CardSays::Nothing => "",
            CardSays::Proven => "the load's TAC verifies",
            CardSays::Unproven => "no TAC of the load",
        };
        Evidence { wallet: wallet.unwrap_or_else(|| "not in its files".into()), ledger, card: card.into() }
    }
}

impl Moved {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Moved::Pending => "pending",
            Moved::Posted => "posted",
            Moved::Voided => "voided",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = "2014-10-20";

    fn found(
        said: Option<(i64, Word)>,
        state: Option<OrderState>,
        ledger: Option<(i64, Moved)>,
        card: CardSays,
    ) -> String {
        let day = DAY.parse().unwrap();
        let says =
            said.map(|(fen, word)| WalletSays { amount: Fen::new(fen), word, day, reference: "r".into() });
        let ledger = ledger.map(|(fen, moved)| LedgerSays {
            amount: Fen::new(fen),
            by_day: Some(moved),
            now: moved,
            now_day: day,
            position: 1,
        });
        let (wallet, order) = ("alipay".parse().unwrap(), "o1".into());
        let kind = Some(OrderKind::Load);
        let sides = Sides { wallet, order, kind, city: None, says, state, ledger, card, decided: false };
        compare(day, &sides).map_or("-".into(), |f| format!("{} {}", f.kind.as_str(), f.gap.get()))
    }

    #[test]
    fn each_way_in_which_three_sides_may_differ_has_its_kind_and_gap() {
        use CardSays::{Nothing, Proven, Unproven};
        use Moved::{Pending, Posted, Voided};
        use OrderState::{Created, Done, InDoubt, Refused, Running};
        use Word::{Held, Paid, Refunded};
        for (said, state, ledger, card, expected) in [
            (Some((5000, Paid)), Some(Done), Some((5000, Posted)), Proven, "-"),
            (Some((5000, Refunded)), Some(Refused), Some((5000, Voided)), Unproven, "-"),
            (Some((5000, Refunded)), Some(Refused), None, Nothing, "-"),
            (Some((5000, Held)), Some(Created), None, Nothing, "-"),
            (Some((5000, Held)), Some(Running), None, Nothing, "-"),
            (Some((5000, Refunded)), None, None, Nothing, "-"),
            (Some((2000, Paid)), Some(Done), Some((2000, Posted)), Nothing, "-"),
            (Some((5000, Held)), Some(InDoubt), Some((5000, Pending)), Unproven, "in-doubt 5000"),
            (Some((5000, Held)), Some(Done), Some((5000, Posted)), Proven, "late 0"),
            (Some((5000, Held)), Some(Refused), Some((5000, Voided)), Unproven, "late 0"),
            (Some((5000, Held)), Some(Refused), None, Nothing, "late 0"),
            (Some((5001, Paid)), Some(Done), Some((5000, Posted)), Proven, "amount-differs 1"),
            (Some((4999, Held)), Some(InDoubt), Some((5000, Pending)), Unproven, "amount-differs -1"),
            (Some((5000, Paid)), None, None, Nothing, "wallet-only 5000"),
            (Some((5000, Held)), None, None, Nothing, "wallet-only 5000"),
            (None, Some(Done), Some((5000, Posted)), Proven, "ledger-only -5000"),
            (None, Some(InDoubt), Some((5000, Pending)), Unproven, "ledger-only -5000"),
            (Some((5000, Refunded)), Some(Done), Some((5000, Posted)), Proven, "state-differs -5000"),
            (Some((5000, Paid)), Some(Refused), Some((5000, Voided)), Unproven, "state-differs 5000"),
            (Some((5000, Paid)), Some(InDoubt), Some((5000, Pending)), Unproven, "state-differs 0"),
            (Some((5000, Refunded)), Some(InDoubt), Some((5000, Pending)), Unproven, "state-differs -5000"),
            (Some((5000, Refunded)), Some(Running), None, Nothing, "state-differs 0"),
            (Some((5000, Paid)), Some(Created), None, Nothing, "state-differs 5000"),
            (Some((5000, Paid)), Some(Done), Some((5000, Posted)), Unproven, "card-has-less 5000"),
            (Some((5000, Refunded)), Some(Refused), Some((5000, Voided)), Proven, "card-has-more 5000"),
        ] {
            assert_eq!(found(said, state, ledger, card), expected, "{said:?} {state:?} {ledger:?} {card:?}");
        }
    }
}
