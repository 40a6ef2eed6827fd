//! A record by itself: does it name parties that exist and take each other's cards, is it proven, is it in bounds?

use std::collections::HashMap;

use model::registry::Registry;
use model::{CardTime, Date, PurseFen, TapRecord, TerminalId};

use super::{Bench, Route};
use crate::record::Record;
use crate::verdict::Reason;

/// What can be said of a record without looking at others.
#[derive(Clone, Copy)]
pub(super) struct Finding {
    /// The verdict, unless its keys turn out to be used.
    pub(super) reason: Reason,
    /// Whether the TAC proves it, so that it may claim its keys.
    pub(super) proven: bool,
}

/// Remembers what the registry says of a route on a day; a day has millions of taps and a few hundred routes.
pub(super) struct Examiner<'a> {
    bench: Bench<'a>,
    routes: HashMap<(Route, Date), Option<Reason>>,
    last_moment: CardTime,
    first_day: Date,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(bench: Bench<'a>) -> Self {
        let next_day = bench.day.plus_days(1).start();
        let cut_off = i64::from(bench.window.cut_off_hour).saturating_mul(3600);
        Examiner {
            bench,
            routes: HashMap::new(),
            last_moment: next_day.plus_seconds(cut_off),
            first_day: bench.day.plus_days(i32::from(bench.window.late_after_days).saturating_neg()),
        }
    }

    /// One finding a record.
    pub(super) fn examine(&mut self, records: &[Record]) -> Vec<Finding> {
        let mut findings: Vec<Option<Finding>> =
            records.iter().map(|record| self.unproven(&record.tap)).collect();
        let open: Vec<&TapRecord> = records
            .iter()
            .zip(&findings)
            .filter(|(_, finding)| finding.is_none())
            .map(|(record, _)| &record.tap)
            .collect();
        let mut proofs = self.bench.proofs.verify(&open).into_iter();
        for (record, finding) in records.iter().zip(&mut findings) {
            if finding.is_none() {
                let proven = proofs.next().unwrap_or(false);
                let reason = if proven { self.proven(&record.tap) } else { Reason::TacDiffers };
                *finding = Some(Finding { reason, proven });
            }
        }
        findings.into_iter().flatten().collect()
    }

    /// What speaks against a tap before its TAC is looked at.
    fn unproven(&mut self, tap: &TapRecord) -> Option<Finding> {
        let route = Route { issuer: tap.issuer, acquirer: tap.acquirer, operator: tap.operator };
        let registry = self.bench.registry;
        let by_route = *self
            .routes
            .entry((route, tap.at.date()))
            .or_insert_with_key(|(route, on)| against(registry, route, *on));
        let reason = by_route
            .or_else(|| foreign_terminal(registry, &route, tap.terminal))
            .or_else(|| tap.test.then_some(Reason::TestRecord));
        reason.map(|reason| Finding { reason, proven: false })
    }

    /// What speaks against a tap that its card has proven.
    fn proven(&self, tap: &TapRecord) -> Reason {
        if tap.at.date() < self.first_day {
            return Reason::TooLate;
        }
        if tap.at >= self.last_moment {
            return Reason::InTheFuture;
        }
        let city = self.bench.registry.city(tap.issuer);
        let limit = city.map_or(PurseFen::MAX, |city| city.card.purse_limit_fen);
        if tap.amount > limit {
            return Reason::AmountOverLimit;
        }
        if tap.balance_before > limit {
            return Reason::BalanceOverLimit;
        }
        if tap.amount > tap.balance_before {
            return Reason::AmountOverBalance;
        }
        let denied = self.bench.deny.is_some_and(|list| list.denies(tap.issuer, tap.card, tap.at));
        if denied { Reason::OnDenyList } else { Reason::Accepted }
    }
}

/// What the registry has against a tap of this route on this day.
fn against(registry: &Registry, route: &Route, on: Date) -> Option<Reason> {
    if registry.city(route.issuer).is_none() {
        return Some(Reason::UnknownIssuer);
    }
    if registry.city(route.acquirer).is_none() {
        return Some(Reason::UnknownAcquirer);
    }
    match registry.operator(route.operator) {
        None => return Some(Reason::UnknownOperator),
        Some(operator) if operator.city != route.acquirer => return Some(Reason::ForeignOperator),
        Some(_) => {}
    }
    if registry.accepts(route.acquirer, route.issuer, on).is_err() {
        return Some(Reason::NotAccepted);
    }
    let agreed = !route.is_away() || registry.tap_agreement(route.issuer, route.acquirer, on).is_some();
    (!agreed).then_some(Reason::NoAgreement)
}

fn foreign_terminal(registry: &Registry, route: &Route, terminal: TerminalId) -> Option<Reason> {
    let operator = registry.operator(route.operator)?;
    (!operator.terminals.contains(terminal)).then_some(Reason::ForeignTerminal)
}
