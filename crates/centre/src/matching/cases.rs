//! Cases (差异案件): what became of each difference, and how a person decides one.
//!
//! Invariant: a case is never deleted, and none is settled without saying how. What a person decided stays so; a
//! match of an earlier day changes nothing that a later one settled.

use model::{CardTime, Date, WalletId};

use super::compare::{Finding, Moved, Sides};
use super::kind::Kind;
use crate::core::{Caller, Core, State};
use crate::phone::NOT_CREDITED;
use crate::problem::{Code, Problem};
use crate::store::{CaseRow, Db, Event, OrderKind, OrderRow, OrderState, words};

/// Cases in one page of a list.
const PAGE: u32 = 100;
/// The most characters of a reason.
const REASON_MAX: usize = 500;

words! {
    /// What a person decides.
    Decision {
        /// Of a load in doubt: the card has the money.
        Credited = "credited",
        /// Of a load in doubt: the card has not got it.
        NotCredited = "not-credited",
        /// Of any other difference: how it came about and was made good is known.
        Explained = "explained",
    }
}

/// Writes a finding down: a new case, or what changed of its old one. Whether it counts for `day`.
pub(super) fn keep(db: &Db, day: Date, now: CardTime, finding: &Finding) -> Result<bool, Problem> {
    let known = CaseRow::of_order(db, &finding.wallet, &finding.order)?
        .into_iter()
        .find(|case| case.kind == finding.kind && (case.kind != Kind::FileMissing || case.day == day));
    let settled_on = finding.how.as_ref().map(|_| day);
    let Some(mut case) = known else {
        let case = CaseRow {
            seq: 0,
            cursor: 0,
            day,
            wallet: finding.wallet.clone(),
            order: finding.order.clone(),
            city: finding.city,
            kind: finding.kind,
            gap: finding.gap,
            evidence: finding.evidence.clone(),
            how: finding.how.clone(),
            settled_on,
            decision: None,
            opened_at: now,
            changed_at: now,
        };
        case.keep(db)?;
        return Ok(true);
    };
    let of_the_day = case.day == day;
    let final_already = case.decision.is_some() || case.settled_on.is_some_and(|settled| settled > day);
    let same = case.gap == finding.gap && case.evidence == finding.evidence && case.how == finding.how;
    if !final_already && !same {
        (case.gap, case.evidence) = (finding.gap, finding.evidence.clone());
        (case.how, case.settled_on, case.changed_at) = (finding.how.clone(), settled_on, now);
        case.keep(db)?;
    }
    Ok(of_the_day)
}

/// Settles a case whose difference is no more.
pub(super) fn agreed(
    db: &Db,
    day: Date,
    now: CardTime,
    mut case: CaseRow,
    sides: Option<&Sides>,
) -> Result<(), Problem> {
    let ended = sides.and_then(|sides| sides.ledger).filter(|_| case.kind == Kind::InDoubt);
    let ended = ended.filter(|ledger| ledger.now != Moved::Pending);
    case.how = Some(match ended {
        Some(ledger) => {
            format!("{} on {}, ledger position {}", ledger.now.as_str(), ledger.now_day, ledger.position)
        }
        None if case.kind == Kind::FileMissing => format!("the file came, seen by the match of {day}"),
        None => format!("the sides agree by the match of {day}"),
    });
    if let Some(sides) = sides {
        let card = std::mem::take(&mut case.evidence.card);
        case.evidence = sides.evidence();
        if case.evidence.card.is_empty() || matches!(case.kind, Kind::CardHasLess | Kind::CardHasMore) {
            case.evidence.card = card;
        }
    }
    (case.settled_on, case.changed_at) = (Some(day), now);
    Ok(case.keep(db)?)
}

impl Core {
    /// A person has decided what became of a load in doubt.
    fn decided(&self, state: &mut State, mut order: OrderRow, credited: bool) -> Result<(), Problem> {
        if !credited {
            return self.refused(state, &mut order, NOT_CREDITED, "decision", "load-disproven");
        }
        if order.kind == OrderKind::Move {
            return self.moved_in(state, &mut order, None);
        }
        if let Some(money) = self.money(state, &order)? {
            money.post(state.ledger.as_mut())?;
        }
        self.end(state, &mut order, OrderState::Done, "load-proven")
    }

    /// A page of the cases that changed after a cursor: a wallet's own, a city's cards', or all; and whether there
    /// are more.
    pub(crate) fn cases_after(&self, caller: &Caller, after: u64) -> Result<(Vec<CaseRow>, bool), Problem> {
        let whose: (Option<&WalletId>, _) = match caller {
            Caller::Wallet(wallet) => (Some(wallet), None),
            Caller::City(city) => (None, Some(*city)),
            Caller::Channel(_) => return Err(Code::NotYours.about(caller)),
            Caller::Centre => (None, None),
        };
        let mut rows = CaseRow::after(self.state().store.read(), whose, after, PAGE.saturating_add(1))?;
        let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
        if more {
            rows.pop();
        }
        Ok((rows, more))
    }

    /// A person decides an open case, and says why. The same decision again is no error.
    pub(crate) fn decide(&self, seq: u64, decision: Decision, reason: &str) -> Result<CaseRow, Problem> {
        let plain = !reason.trim().is_empty() && !reason.chars().any(char::is_control);
        if !plain || reason.chars().count() > REASON_MAX {
            return Err(Code::ReasonMalformed.about(format!("1 to {REASON_MAX} characters")));
        }
        let mut guard = self.state();
        let state = &mut *guard;
        let unknown = || Code::UnknownCase.about(seq);
        let mut case = CaseRow::find(state.store.read(), seq)?.ok_or_else(unknown)?;
        let text = format!("{}: {reason}", decision.as_str());
        if case.decision.as_deref() == Some(text.as_str()) {
            return Ok(case);
        }
        if case.how.is_some() {
            return Err(Code::CaseSettled.about(case.how.unwrap_or_default()));
        }
        if (case.kind == Kind::InDoubt) == (decision == Decision::Explained) {
            return Err(Code::DecisionUnfit.about(case.kind.as_str()));
        }
        if case.kind == Kind::InDoubt {
            let order = OrderRow::find(state.store.read(), &case.wallet, &case.order)?.ok_or_else(unknown)?;
            if order.state != OrderState::InDoubt {
                return Err(Code::CaseSettled.about(order.state.as_str()));
            }
            self.decided(state, order, decision == Decision::Credited)?;
        }
        let now = self.now();
        case.how = Some("decided".to_owned());
        (case.decision, case.settled_on, case.changed_at) = (Some(text), Some(now.date()), now);
        tracing::warn!(case = seq, decision = decision.as_str(), "a case was decided");
        let about = format!("{} {}", case.kind.as_str(), case.wallet);
        let event = Event { at: now, kind: "case-decided".into(), about, amount: Some(case.gap) };
        state.store.write(|db| {
            case.keep(db)?;
            event.insert(db)?;
            CaseRow::find(db, seq)?.ok_or_else(unknown)
        })
    }
}
