//! Healing (恢复): faults end, everybody who is not lost comes back, and what can be settled must be settled.

use super::clock::PartyClock;
use super::judge::Broken;
use super::phone::Talk;
use super::story::Who;
use super::world::World;

/// So often everybody tries again.
const ROUNDS: usize = 4;
/// Messages of one session, at most.
const MESSAGES: usize = 200;
const NIGHT_S: i64 = 24 * 3600;

impl World {
    /// A sweep of everything: every passenger, every order, every debit, the books.
    pub(super) fn sweep(&mut self) -> Result<(), Broken> {
        self.centre_returns()?;
        (0..self.tills.len()).try_for_each(|index| self.till_returns(index))?;
        (0..self.stands.len()).try_for_each(|index| self.stand_returns(index))?;
        let Some(core) = self.wire.core() else { return Ok(()) };
        self.judge.every_order(&core)?;
        (0..self.people.len()).try_for_each(|index| self.look_at_passenger(index))?;
        for till in self.tills.iter().filter_map(|till| till.core.as_ref()) {
            let failed =
                |error| Broken { rule: format!("a wallet's ledger adds up: {error}"), who: Who::All };
            till.books().map_err(failed)?;
        }
        self.judge.every_debit(&self.places())?;
        let unsure =
            self.offices.iter().filter_map(|office| office.underway.as_ref()).any(|file| file.unsure);
        if unsure { Ok(()) } else { self.judge.books(&core) }
    }

    /// Faults end; everybody is brought to an end.
    pub(super) fn heal(&mut self) -> Result<(), Broken> {
        self.story.tell(Who::All, "the faults are over".into());
        self.calm(true);
        self.wire.state().clock.set_wrong_by(0);
        self.tills.iter().map(|till| &till.clock).for_each(|clock: &PartyClock| clock.set_wrong_by(0));
        self.stands.iter_mut().for_each(|stand| stand.wrong_by = 0);
        self.sweep()?;
        while !self.wire.state().late.is_empty() {
            self.late_arrives()?;
        }
        self.post_office_empties()?;
        let present: Vec<usize> = (0..self.people.len())
            .filter(|index| self.people.get(*index).is_some_and(|person| !person.lost))
            .collect();
        for index in &present {
            self.chip_dies(*index);
        }
        for _ in 0..ROUNDS {
            for index in &present {
                self.comes_back(*index)?;
            }
        }
        self.torn_taps(&present)?;
        self.night()?;
        // What only the night's files could tell is known now.
        for index in &present {
            self.comes_back(*index)?;
        }
        for index in &present {
            let open = self.judge.open_orders(*index);
            if let Some(order) = open.first() {
                let rule = format!("when everybody is back, every order comes to its end: {order}");
                return Err(Broken { rule, who: Who::Passenger(*index) });
            }
        }
        self.sweep()
    }

    fn comes_back(&mut self, index: usize) -> Result<(), Broken> {
        self.asks_after_all(index)?;
        for id in self.judge.open_ids(index) {
            self.story.next_step();
            self.asks_about(index, &id)?;
            let open =
                self.people.get(index).and_then(|person| person.orders.iter().find(|open| open.id == id));
            let Some(session) = open.and_then(|open| open.session.clone()) else { continue };
            self.hello(index, id.clone(), session)?;
            self.post_office_empties()?;
            if let Some(person) = self.people.get_mut(index) {
                person.talk = Talk::Silent;
            }
            self.asks_about(index, &id)?;
        }
        Ok(())
    }

    fn post_office_empties(&mut self) -> Result<(), Broken> {
        self.mail.iter_mut().for_each(|mail| mail.due = 0);
        for _ in 0..MESSAGES.max(self.mail.len().saturating_mul(8)) {
            self.story.next_step();
            if !self.mail_arrives()? {
                break;
            }
            self.mail.iter_mut().for_each(|mail| mail.due = 0);
        }
        Ok(())
    }

    /// Whoever left a torn tap holds the card to that reader once more.
    fn torn_taps(&mut self, present: &[usize]) -> Result<(), Broken> {
        for stand in 0..self.stands.len() {
            let Some(reader) = self.stands.get(stand).and_then(|stand| stand.reader.as_ref()) else {
                continue;
            };
            let torn: Vec<_> = reader.batch().pending().iter().map(|tap| tap.facts().card).collect();
            for card in torn {
                let holds = |index: &&usize| {
                    let person = self.people.get(**index);
                    person.is_some_and(|person| person.held.purses().iter().any(|purse| purse.number == card))
                };
                let Some(index) = present.iter().find(holds).copied() else { continue };
                self.story.next_step();
                self.recovers(index, stand)?;
                let reader = self.stands.get(stand).and_then(|stand| stand.reader.as_ref());
                let still = reader.is_some_and(|reader| {
                    reader.batch().pending().iter().any(|tap| tap.facts().card == card)
                });
                if still {
                    let rule =
                        "a card that is back settles its torn tap: it is paid, undone, or doubted by name";
                    return Err(Broken { rule: rule.into(), who: Who::Passenger(index) });
                }
            }
        }
        Ok(())
    }

    /// The last files are sent, and the day is closed.
    fn night(&mut self) -> Result<(), Broken> {
        for _ in 0..2 {
            for index in 0..self.offices.len() {
                self.story.next_step();
                self.office_acts(index)?;
            }
        }
        self.time.pass(NIGHT_S);
        self.day_closes()?;
        self.sweep()
    }
}
