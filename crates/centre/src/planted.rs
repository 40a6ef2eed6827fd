//! Planted bugs: known mistakes with money, for the tests of the simulator that must find them. Compiled only with the
//! feature `planted-bugs`, and asleep until one is chosen.
//!
//! Invariant: a build without the feature has none of this.

use std::sync::atomic::{AtomicU8, Ordering};

use ledger::{Entry, Ledger};

use crate::core::{Core, State};
use crate::money::{account, leg, malformed};
use crate::problem::Problem;
use crate::store::{OrderRow, OrderState};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A void is forgotten.
    DropVoid,
    /// A load is posted once more under another id.
    PostTwice,
    /// An order in doubt is set back as if nothing had left.
    ForgetDoubt,
    /// Silence after CREDIT FOR LOAD counts as failure.
    TrustTimeout,
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 4] =
        [Planted::DropVoid, Planted::PostTwice, Planted::ForgetDoubt, Planted::TrustTimeout];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Planted::DropVoid => "drop-void",
            Planted::PostTwice => "post-twice",
            Planted::ForgetDoubt => "forget-doubt",
            Planted::TrustTimeout => "trust-timeout",
        }
    }

    /// From now on every centre of this process has it, and no other.
    pub fn choose(chosen: Option<Planted>) {
        CHOSEN.store(chosen.map_or(0, Planted::code), Ordering::Relaxed);
    }

    /// Whether it is the chosen one.
    pub(crate) fn is_chosen(self) -> bool {
        CHOSEN.load(Ordering::Relaxed) == self.code()
    }

    const fn code(self) -> u8 {
        match self {
            Planted::DropVoid => 1,
            Planted::PostTwice => 2,
            Planted::ForgetDoubt => 3,
            Planted::TrustTimeout => 4,
        }
    }
}

/// Posts once more what has been posted.
pub(crate) fn post_again(ledger: &mut dyn Ledger, posted: &Entry) -> Result<(), Problem> {
    if !Planted::PostTwice.is_chosen() {
        return Ok(());
    }
    let amount = posted.legs.first().map(ledger::Leg::amount).unwrap_or_default();
    let Some(float) = posted.legs.first().map(|leg| leg.credit().clone()) else { return Ok(()) };
    let legs = vec![leg(account("paid-in", "again")?, float, amount)?];
    let id = format!("again:{}", posted.id).parse().map_err(malformed)?;
    ledger.record(Entry { id, legs, ..posted.clone() })?;
    Ok(())
}

impl Core {
    /// What the chosen mistake makes of an order whose CREDIT FOR LOAD was not answered. Whether it made something.
    pub(crate) fn mistakes_silence(&self, state: &mut State, order: &mut OrderRow) -> Result<bool, Problem> {
        if Planted::TrustTimeout.is_chosen() {
            self.refused(state, order, "timeout", "CREDIT FOR LOAD", "load-refused")?;
            return Ok(true);
        }
        if Planted::ForgetDoubt.is_chosen() {
            (order.state, order.reservation) = (OrderState::Running, None);
            state.store.write(|db| Ok(order.update(db)?))?;
            return Ok(true);
        }
        Ok(false)
    }
}
