//! What a card's own story says of its loads (卡片轨迹): offers under MAC1, and the balances that readers recorded.
//!
//! An offer's balance and counter are under the card's MAC1, so they prove. A tap's TAC covers amount, reader and
//! time, not the balance: that is the reader's word, and moves no money by itself.
//!
//! Standard: PBOC electronic purse (card.md sections 2.1 and 2.2).
//! Invariant: pure; only an offer under MAC1 settles. Where a tap may be missing, nothing is said.

use model::{CardTime, Fen};

use super::compare::Moved;
use super::kind::Kind;

/// A load that was reserved: the card's offer, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadPoint {
    pub(crate) at: CardTime,
    pub(crate) counter: u16,
    pub(crate) before: i64,
    pub(crate) amount: i64,
    pub(crate) moved: Moved,
}

/// A paid tap, as its reader recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TapPoint {
    pub(crate) at: CardTime,
    /// The offline counter after it; a tap of nothing does not move it.
    pub(crate) seq: u16,
    pub(crate) amount: i64,
    pub(crate) before: i64,
}

/// Something that a card's story says of one of its loads, by its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CardSign {
    pub(crate) load: usize,
    pub(crate) says: Says,
    pub(crate) text: String,
}

/// What.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// A case.
    Case(Kind, Fen),
    /// Proof: the load in doubt was not credited, and never will be.
    NotCredited,
    /// Of a load in doubt: circumstance that a person may weigh.
    PointsTo,
}

/// Counters this far apart are taken for one that went back.
const HALF: u16 = 0x8000;
/// A reader's clock may be so wrong; a tap this near to an offer is not surely on either side of it.
const CLOCKS_SECONDS: i64 = 600;

impl LoadPoint {
    /// Where it stands in its card's story. Times are whole seconds; within one the counter tells, and of two offers
    /// with one counter the one that was credited came last.
    pub(crate) fn place(&self) -> (CardTime, u16, u8) {
        let end = match self.moved {
            Moved::Voided => 0,
            Moved::Pending => 1,
            Moved::Posted => 2,
        };
        (self.at, self.counter, end)
    }
}

/// What a card's story says; `loads` by [`LoadPoint::place`], `taps` by time.
pub(crate) fn signs(loads: &[LoadPoint], taps: &[TapPoint]) -> Vec<CardSign> {
    let mut signs = offers(loads, taps);
    for sign in runs(loads, taps) {
        let kind = |sign: &CardSign| match sign.says {
            Says::Case(kind, _) => Some(kind),
            Says::NotCredited | Says::PointsTo => None,
        };
        if !signs.iter().any(|known| known.load == sign.load && kind(known) == kind(&sign)) {
            signs.push(sign);
        }
    }
    signs.sort_by_key(|sign| sign.load);
    signs
}

/// Each offer beside the next one.
fn offers(loads: &[LoadPoint], taps: &[TapPoint]) -> Vec<CardSign> {
    let pairs = loads.iter().enumerate().zip(loads.iter().skip(1));
    pairs.filter_map(|((index, load), next)| offer(index, load, next, taps)).collect()
}

fn offer(index: usize, load: &LoadPoint, next: &LoadPoint, taps: &[TapPoint]) -> Option<CardSign> {
    let moved = next.counter.wrapping_sub(load.counter);
    // Within one second nobody knows which of two equal offers came first: neither proves anything of the other.
    if moved >= HALF || (moved == 0 && next.at <= load.at) {
        return None;
    }
    let (from, to) =
        (load.at.plus_seconds(CLOCKS_SECONDS), next.at.plus_seconds(CLOCKS_SECONDS.saturating_neg()));
    let spent: i64 = taps.iter().filter(|t| t.at > from && t.at < to).map(|t| t.amount).sum();
    // At least so much: a tap that is not here yet, or not surely between, has only taken away.
    let rose = next.before.saturating_sub(load.before).saturating_add(spent);
    let text = format!(
        "offers under MAC1: counter {} with {} fen at {}, counter {} with {} fen at {}; taps between {spent} fen",
        load.counter, load.before, load.at, next.counter, next.before, next.at
    );
    let sign = |says| Some(CardSign { load: index, says, text: text.clone() });
    let more = |fen: i64| sign(Says::Case(Kind::CardHasMore, Fen::new(fen)));
    match (load.moved, moved) {
        (Moved::Posted, 0) => sign(Says::Case(Kind::CardHasLess, Fen::new(load.amount))),
        (Moved::Pending, 0) => sign(Says::NotCredited),
        (Moved::Voided, 0) => None,
        (Moved::Posted, 1) if rose > load.amount => more(rose.saturating_sub(load.amount)),
        (Moved::Posted, 1) => None,
        (Moved::Pending, _) => sign(Says::PointsTo),
        // One load was credited, and it may well be this one; unless more was put on than that.
        (Moved::Voided, 1) if rose <= load.amount => more(load.amount),
        (Moved::Posted, _) => sign(elsewhere(rose.saturating_sub(load.amount))),
        (Moved::Voided, _) => sign(elsewhere(rose)),
    }
}

fn elsewhere(fen: i64) -> Says {
    Says::Case(Kind::LoadedElsewhere, Fen::new(fen.max(0)))
}

/// Each run of taps of which none can be missing: what the purse rose by between two of them is what was loaded.
fn runs(loads: &[LoadPoint], taps: &[TapPoint]) -> Vec<CardSign> {
    let mut signs = Vec::new();
    let mut run: Vec<(&TapPoint, &TapPoint)> = Vec::new();
    for (tap, next) in taps.iter().zip(taps.iter().skip(1)) {
        if next.seq == tap.seq.wrapping_add(u16::from(next.amount > 0)) {
            run.push((tap, next));
        } else {
            signs.extend(of_run(loads, &std::mem::take(&mut run)));
        }
    }
    signs.extend(of_run(loads, &run));
    signs
}

fn of_run(loads: &[LoadPoint], run: &[(&TapPoint, &TapPoint)]) -> Vec<CardSign> {
    let mut signs = Vec::new();
    let mut left = 0_i64;
    for (tap, next) in run {
        let rose = next.before.saturating_sub(tap.before.saturating_sub(tap.amount));
        let between: Vec<(usize, &LoadPoint)> =
            loads.iter().enumerate().filter(|(_, load)| load.at > tap.at && load.at <= next.at).collect();
        let posted: i64 =
            between.iter().filter(|(_, load)| load.moved == Moved::Posted).map(|(_, load)| load.amount).sum();
        let rest = rose.saturating_sub(posted);
        let text = format!(
            "readers' records, none missing: {} fen left at {}, {} fen found at {}",
            tap.before.saturating_sub(tap.amount),
            tap.at,
            next.before,
            next.at
        );
        let doubt = between.iter().find(|(_, load)| load.moved == Moved::Pending);
        let culprit = |moved, fen| between.iter().find(|(_, load)| load.moved == moved && load.amount == fen);
        let (load, says) = match (rest, doubt) {
            (_, Some((index, load))) => {
                if rest != 0 && rest != load.amount {
                    left = left.saturating_add(rest);
                }
                (*index, Says::PointsTo)
            }
            (0, None) => continue,
            (_, None) => {
                left = left.saturating_add(rest);
                let less = culprit(Moved::Posted, rest.saturating_neg());
                let more = culprit(Moved::Voided, rest);
                match (less, more, between.first()) {
                    (Some((index, _)), ..) => {
                        (*index, Says::Case(Kind::CardHasLess, Fen::new(rest.saturating_neg())))
                    }
                    (None, Some((index, _)), _) => (*index, Says::Case(Kind::CardHasMore, Fen::new(rest))),
                    (None, None, Some((index, _))) if rest < 0 => {
                        (*index, Says::Case(Kind::CardHasLess, Fen::new(rest.saturating_neg())))
                    }
                    (None, None, Some((index, _))) => (*index, elsewhere(rest)),
                    // No load of ours is near: others loaded it, or a reader's clock is wrong.
                    (None, None, None) => continue,
                }
            }
        };
        signs.push(CardSign { load, says, text });
    }
    // A load that only stands at the wrong tap by a reader's clock evens out over the run.
    if left == 0 {
        signs.retain(|sign| sign.says == Says::PointsTo);
    }
    signs
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)] // a test that overflows fails, as it should
mod tests {
    use super::*;

    fn at(minute: i64) -> CardTime {
        "2014-10-20 08:00:00".parse::<CardTime>().unwrap().plus_seconds(minute * 60)
    }

    fn load(minute: i64, counter: u16, before: i64, amount: i64, moved: Moved) -> LoadPoint {
        LoadPoint { at: at(minute), counter, before, amount, moved }
    }

    fn tap(minute: i64, seq: u16, amount: i64, before: i64) -> TapPoint {
        TapPoint { at: at(minute), seq, amount, before }
    }

    fn said(loads: &[LoadPoint], taps: &[TapPoint]) -> Vec<(usize, Says)> {
        signs(loads, taps).into_iter().map(|sign| (sign.load, sign.says)).collect()
    }

    use Moved::{Pending, Posted, Voided};

    #[test]
    fn a_card_whose_story_adds_up_says_nothing() {
        let loads =
            [load(0, 0, 0, 5000, Posted), load(10, 1, 4800, 1000, Posted), load(20, 2, 5500, 300, Posted)];
        let taps = [tap(5, 1, 200, 5000), tap(15, 2, 300, 5800), tap(21, 2, 0, 5800), tap(25, 3, 100, 5800)];
        assert_eq!(said(&loads, &taps), []);
        assert_eq!(said(&loads[..2], &[]), [], "a tap that is not here yet says nothing");
    }

    #[test]
    fn an_offer_whose_counter_has_not_moved_proves_that_nothing_was_credited() {
        let next = load(10, 0, 0, 1000, Posted);
        let less = Says::Case(Kind::CardHasLess, Fen::new(5000));
        assert_eq!(said(&[load(0, 0, 0, 5000, Posted), next], &[]), [(0, less)]);
        assert_eq!(said(&[load(0, 0, 0, 5000, Pending), next], &[]), [(0, Says::NotCredited)]);
        assert_eq!(said(&[load(0, 0, 0, 5000, Voided), next], &[]), []);
    }

    #[test]
    fn a_voided_load_that_the_card_carries_is_found_by_the_offer_and_by_the_readers() {
        let more = Says::Case(Kind::CardHasMore, Fen::new(5000));
        let voided = load(3, 0, 100, 5000, Voided);
        assert_eq!(said(&[voided, load(10, 1, 5100, 1000, Posted)], &[]), [(0, more)]);
        assert_eq!(said(&[voided], &[tap(1, 1, 100, 200), tap(5, 2, 200, 5100)]), [(0, more)]);
        assert_eq!(said(&[voided], &[tap(1, 1, 100, 200), tap(5, 3, 200, 5100)]), [], "a tap may be missing");
    }

    #[test]
    fn a_posted_load_that_readers_do_not_see_is_found_by_one_fen() {
        let posted = load(3, 0, 100, 5000, Posted);
        let less = |fen| Says::Case(Kind::CardHasLess, Fen::new(fen));
        assert_eq!(said(&[posted], &[tap(1, 1, 100, 200), tap(5, 2, 50, 100)]), [(0, less(5000))]);
        assert_eq!(said(&[posted], &[tap(1, 1, 100, 200), tap(5, 2, 50, 5099)]), [(0, less(1))]);
        let more = Says::Case(Kind::CardHasMore, Fen::new(1));
        assert_eq!(said(&[posted, load(9, 1, 5101, 10, Posted)], &[]), [(0, more)]);
    }

    #[test]
    fn within_one_second_the_counter_tells_the_order_and_an_equal_one_proves_nothing() {
        let stories = [
            [load(0, 1, 500, 100, Posted), load(0, 0, 0, 500, Posted)],
            [load(0, 0, 0, 500, Posted), load(0, 0, 0, 300, Voided)],
            [load(0, 0, 0, 500, Pending), load(0, 0, 0, 300, Voided)],
            [load(0, 0, 0, 500, Voided), load(0, 0, 0, 300, Pending)],
        ];
        for mut story in stories {
            story.sort_by_key(LoadPoint::place);
            assert_eq!(said(&story, &[]), [], "{story:?}");
        }
        let mut three =
            [load(0, 0, 0, 500, Posted), load(0, 0, 0, 900, Voided), load(1, 1, 500, 100, Posted)];
        three.sort_by_key(LoadPoint::place);
        assert_eq!(
            said(&three, &[]),
            [],
            "the offer that was let go is not taken for the one that was credited"
        );
    }

    #[test]
    fn a_load_by_others_is_named_and_no_fault_of_ours() {
        let loads = [load(0, 0, 0, 5000, Posted), load(10, 2, 8000, 1000, Posted)];
        assert_eq!(said(&loads, &[]), [(0, Says::Case(Kind::LoadedElsewhere, Fen::new(3000)))]);
    }

    #[test]
    fn readers_only_point_to_what_became_of_a_doubt() {
        let doubt = load(3, 0, 100, 5000, Pending);
        for found in [100, 5100] {
            let taps = [tap(1, 1, 100, 200), tap(5, 2, 50, found)];
            assert_eq!(said(&[doubt], &taps), [(0, Says::PointsTo)]);
        }
    }

    #[test]
    fn a_reader_whose_clock_is_wrong_accuses_nobody() {
        let posted = load(3, 0, 100, 5000, Posted);
        // The second tap came after the load, by a clock that is late by ten minutes.
        let taps = [tap(1, 1, 100, 200), tap(2, 2, 200, 5100), tap(5, 3, 100, 4900)];
        assert_eq!(said(&[posted], &taps), []);
    }
}
