//! Kills (杀进程): processes that end without a word, the disks that they leave, and their next lives.
//!
//! Invariant: a killed process opens again from its folder, whatever its last write had come to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::judge::{Broken, Placed};
use super::story::Who;
use super::wire::QUESTIONS;
use super::world::World;

/// Of a hundred kills, so many leave a torn write.
const TORN_PERCENT: u64 = 50;
/// Wallet calls during which the wallet is killed, in ten thousand.
const WALLET_DIES: u64 = 200;

fn no_disk(error: impl std::fmt::Display) -> Broken {
    Broken { rule: format!("the simulator's own disk works: {error}"), who: Who::All }
}

impl World {
    /// The centre is gone. Its disk stays as it was at that moment, or with the beginning of one more write.
    pub(super) fn centre_dies(&mut self) -> Result<(), Broken> {
        let host = {
            let mut state = self.wire.state();
            state.killed = false;
            state.host.take()
        };
        let Some(host) = host else { return Ok(()) };
        self.story.fault(Who::All, "centre killed");
        let torn = self.dice.below(100) < TORN_PERCENT;
        if torn {
            self.story.fault(Who::All, "torn write on the centre's disk");
        }
        let random: Option<&mut dyn model::Entropy> = if torn { Some(&mut self.dice) } else { None };
        self.centre_disk.kill(random).map_err(no_disk)?;
        drop(host);
        self.centre_disk.bury().map_err(no_disk)
    }

    /// The centre comes back, if it is not there.
    pub(super) fn centre_returns(&mut self) -> Result<(), Broken> {
        if self.wire.state().host.is_some() {
            return Ok(());
        }
        self.open_centre().map_err(|error| Broken {
            rule: format!("a killed centre goes on from its folder: {error}"),
            who: Who::All,
        })?;
        self.story.tell(Who::All, "the centre is back".into());
        self.look_at_centre()
    }

    pub(super) fn till_dies(&mut self, index: usize) -> Result<(), Broken> {
        let torn = self.dice.below(100) < TORN_PERCENT;
        let Some(till) = self.tills.get_mut(index) else { return Ok(()) };
        let Some(core) = till.core.take() else { return Ok(()) };
        self.story.fault(Who::All, "wallet killed");
        if torn {
            self.story.fault(Who::All, "torn write on a wallet's disk");
        }
        let random: Option<&mut dyn model::Entropy> = if torn { Some(&mut self.dice) } else { None };
        till.disk.kill(random).map_err(no_disk)?;
        drop(core);
        till.disk.bury().map_err(no_disk)
    }

    /// A wallet comes back, if it is not there; its passengers' money is as it was.
    pub(super) fn till_returns(&mut self, index: usize) -> Result<(), Broken> {
        if self.tills.get(index).is_none_or(|till| till.core.is_some()) {
            return Ok(());
        }
        self.open_till(index).map_err(|error| Broken {
            rule: format!("a killed wallet goes on from its folder: {error}"),
            who: Who::All,
        })?;
        self.story.tell(Who::All, format!("wallet {index} is back"));
        self.look_at_centre()?;
        for person in 0..self.people.len() {
            if self.people.get(person).is_some_and(|person| person.wallet == index) {
                self.look_at_passenger(person)?;
            }
        }
        Ok(())
    }

    /// Holds one passenger's wallet against their cards, if the wallet is up.
    pub(super) fn look_at_passenger(&mut self, index: usize) -> Result<(), Broken> {
        let till = self.people.get(index).and_then(|person| self.tills.get(person.wallet));
        match till.and_then(|till| till.core.as_ref()) {
            Some(core) => self.judge.passenger(index, core),
            None => Ok(()),
        }
    }

    /// Calls a passenger's wallet. `None`: it is down, or was killed before it answered.
    pub(super) fn call<T>(
        &mut self,
        index: usize,
        verb: impl FnOnce(&wallet::Core, &str) -> T,
    ) -> Result<Option<T>, Broken> {
        let dies = self.strikes(WALLET_DIES);
        let questions = u32::try_from(self.dice.below(QUESTIONS).saturating_add(1)).unwrap_or(1);
        let Some(person) = self.people.get(index) else { return Ok(None) };
        let wallet = person.wallet;
        let Some(till) = self.tills.get_mut(wallet) else { return Ok(None) };
        let Some(core) = &till.core else { return Ok(None) };
        if dies {
            till.clock.light(questions);
        }
        let answer = catch_unwind(AssertUnwindSafe(|| verb(core, &person.name)));
        let killed = till.clock.put_out();
        if answer.is_err() && !killed {
            let rule = "no request makes a wallet panic".to_owned();
            return Err(Broken { rule, who: Who::Passenger(index) });
        }
        self.note_sent(index);
        if killed {
            self.till_dies(wallet)?;
        }
        self.look_at_centre()?;
        self.look_at_passenger(index)?;
        Ok(answer.ok())
    }

    /// The judge reads what wallets have sent.
    fn note_sent(&mut self, passenger: usize) {
        let sent = std::mem::take(&mut self.wire.state().sent);
        let wallet = self.people.get(passenger).and_then(|person| self.tills.get(person.wallet));
        let Some(wallet) = wallet.map(|till| till.id.clone()) else { return };
        for request in sent.iter().filter(|request| request.method == "POST" && request.path == "/v1/orders")
        {
            let Ok(body) = serde_json::from_slice::<serde_json::Value>(&request.body) else { continue };
            let text = |field: &str| body.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
            let amount = body.get("amount_fen").and_then(serde_json::Value::as_i64).unwrap_or(0);
            self.judge.placed(&Placed {
                id: text("id"),
                kind: text("kind"),
                amount,
                wallet: &wallet,
                passenger,
            });
        }
    }
}
