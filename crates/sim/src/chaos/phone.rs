//! Phones (手机): conversations with the centre, message by message, and what a lying phone makes of them.
//!
//! Invariant: an honest phone answers what it was asked with what its chip said; a message may get lost, come twice or
//! late, and the phone then says it again, begins anew, or gives up.

use smartcard::Channel;
use tsm::seram::{AgentReport, Orders, RamCommand};

use super::chip::{Contact, Weather};
use super::judge::Broken;
use super::story::Who;
use super::wire::{Delivery, Sent};
use super::world::{World, below};

/// Phone's messages that are lost on the way, in ten thousand.
const LOST: u64 = 300;
const DOUBLED: u64 = 300;
const LATE: u64 = 400;
/// Messages at which the centre is killed.
const KILLS: u64 = 300;
/// How many steps late a late message is, at most.
const LATE_STEPS: u64 = 400;
const INTERNAL_ERROR: u16 = 500;
const OK: u16 = 200;

/// A message under way.
pub(super) struct Mail {
    /// Not before this step.
    pub(super) due: u64,
    pub(super) letter: Letter,
}

/// What is in it.
#[derive(Clone)]
pub(super) enum Letter {
    /// A phone's, to the centre.
    ToCentre { from: usize, number: u64, order: String, sent: Sent },
    /// The centre's, to a phone: the answer to the phone's message of this number.
    ToPhone { to: usize, number: u64, status: u16, body: Vec<u8> },
}

/// What a phone has said and not heard an answer to.
#[derive(Default)]
pub(super) enum Talk {
    #[default]
    Silent,
    Waiting {
        number: u64,
        order: String,
        session: String,
        said: Said,
    },
}

#[derive(Clone)]
pub(super) enum Said {
    Hello,
    Report(AgentReport),
}

impl Talk {
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Talk::Waiting { .. })
    }
}

impl World {
    /// A phone begins a session, or begins it anew.
    pub(super) fn hello(&mut self, index: usize, order: String, session: String) -> Result<(), Broken> {
        self.story.tell(Who::Passenger(index), format!("begins the session of order {order}"));
        self.says(index, order, session, Said::Hello);
        Ok(())
    }

    fn says(&mut self, index: usize, order: String, session: String, said: Said) {
        let number = self.fresh();
        let Some(person) = self.people.get_mut(index) else { return };
        let (word, body) = match &said {
            Said::Hello => ("handshake", serde_json::to_vec(&person.agent.handshake())),
            Said::Report(report) => ("remoteManagement", serde_json::to_vec(report)),
        };
        let sent = Sent {
            method: "POST",
            path: format!("/gp/seram/{word}?sessionId={session}"),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.unwrap_or_default(),
        };
        let letter = Letter::ToCentre { from: index, number, order: order.clone(), sent };
        person.talk = Talk::Waiting { number, order, session, said };
        self.post(index, letter);
    }

    /// Hands a message to the network, which may lose it, double it, or be slow.
    fn post(&mut self, who: usize, letter: Letter) {
        let who = Who::Passenger(who);
        if self.strikes(LOST) {
            let kind = if matches!(letter, Letter::ToCentre { .. }) {
                "phone's message lost"
            } else {
                "centre's answer to a phone lost"
            };
            self.story.fault(who, kind);
            return;
        }
        if self.strikes(DOUBLED) {
            self.story.fault(who, "message doubled");
            let due = self.story.step().saturating_add(self.dice.below(LATE_STEPS));
            self.mail.push(Mail { due, letter: letter.clone() });
        }
        let mut due = self.story.step();
        if self.strikes(LATE) {
            self.story.fault(who, "message late");
            due = due.saturating_add(self.dice.below(LATE_STEPS));
        }
        self.mail.push(Mail { due, letter });
    }

    /// One message that is due arrives; any of them, so that they overtake each other.
    pub(super) fn mail_arrives(&mut self) -> Result<bool, Broken> {
        let now = self.story.step();
        let due: Vec<usize> = (0..self.mail.len())
            .filter(|index| self.mail.get(*index).is_some_and(|mail| mail.due <= now))
            .collect();
        let Some(index) = due.get(below(&mut self.dice, due.len())).copied() else { return Ok(false) };
        match self.mail.swap_remove(index).letter {
            Letter::ToCentre { from, number, order, sent } => {
                self.centre_hears(from, number, &order, &sent)?
            }
            Letter::ToPhone { to, number, status, body } => self.phone_hears(to, number, status, &body)?,
        }
        Ok(true)
    }

    fn centre_hears(&mut self, from: usize, number: u64, order: &str, sent: &Sent) -> Result<(), Broken> {
        let who = Who::Passenger(from);
        let dies = self.strikes(KILLS);
        self.judge.touch(order);
        let delivery = self.wire.state().deliver(sent, dies);
        let word = sent.path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let (status, body) = match delivery {
            Delivery::Killed => {
                self.story.fault(who, "centre killed at a phone's message");
                return self.centre_dies();
            }
            Delivery::Down => (0, Vec::new()),
            Delivery::Answered(answer) => (answer.status, answer.body),
        };
        self.story.tell(who, format!("centre hears {word} of order {order}: {status}"));
        if status == INTERNAL_ERROR {
            let said = String::from_utf8_lossy(&body);
            return Err(Broken {
                rule: format!("no message makes the centre fail: order {order}: {said}"),
                who,
            });
        }
        if status == OK
            && let Ok(orders) = serde_json::from_slice::<Orders>(&body)
        {
            self.judge_commands(order, &orders)?;
        }
        self.look_at_centre()?;
        self.post(from, Letter::ToPhone { to: from, number, status, body });
        Ok(())
    }

    /// The judge reads what the centre tells a chip.
    fn judge_commands(&mut self, order: &str, orders: &Orders) -> Result<(), Broken> {
        let scripts = orders.ram_commands.iter().filter_map(|command| match command {
            RamCommand::Script { script } => Some(&script.commands),
            _ => None,
        });
        for command in scripts.flatten() {
            let bytes = || hex::decode(command).unwrap_or_default();
            if command.starts_with("8052") {
                self.look_at_centre()?;
                self.judge.credit_leaves(order, bytes())?;
            } else if command.starts_with("8054") {
                self.look_at_centre()?;
                self.judge.drain_leaves(order, bytes())?;
            }
        }
        Ok(())
    }

    fn phone_hears(&mut self, to: usize, number: u64, status: u16, body: &[u8]) -> Result<(), Broken> {
        let Some(person) = self.people.get_mut(to).filter(|person| !person.lost) else { return Ok(()) };
        let lies = person.lies && self.rough;
        let expected = matches!(&person.talk, Talk::Waiting { number: waiting, .. } if *waiting == number);
        if !expected {
            if lies && status == OK && self.dice.below(4) == 0 {
                self.story.fault(Who::Passenger(to), "a lying phone runs old orders again");
                if let Ok(orders) = serde_json::from_slice::<Orders>(body) {
                    self.run(to, &orders)?;
                }
            }
            return Ok(());
        }
        let Talk::Waiting { order, session, said, .. } = std::mem::take(&mut person.talk) else {
            return Ok(());
        };
        if status != OK {
            self.story.tell(Who::Passenger(to), format!("the session of order {order} breaks off: {status}"));
            return Ok(());
        }
        if matches!(said, Said::Hello) {
            self.says(to, order, session, Said::Report(AgentReport::polling()));
            return Ok(());
        }
        let Ok(orders) = serde_json::from_slice::<Orders>(body) else { return Ok(()) };
        if orders.ends() {
            self.story.tell(Who::Passenger(to), format!("the session of order {order} ends"));
            return self.asks_about(to, &order);
        }
        let report =
            if lies && self.dice.below(3) == 0 { self.lie(to, &orders)? } else { self.run(to, &orders)? };
        let gone = report.local_agent_status.error_msg.is_some();
        self.says(to, order, session, Said::Report(report));
        if gone && self.dice.below(2) == 0 {
            // Nobody waits for the answer: the card is away.
            if let Some(person) = self.people.get_mut(to) {
                person.talk = Talk::Silent;
            }
        }
        Ok(())
    }

    /// The agent runs orders on the passenger's chip.
    pub(super) fn run(&mut self, index: usize, orders: &Orders) -> Result<AgentReport, Broken> {
        let agent = self.people.get(index).map(|person| person.agent.clone());
        let Some(agent) = agent else { return Ok(AgentReport::polling()) };
        self.touching(index, |contact| agent.run(orders, contact).report)
    }

    /// A chip in contact, for as long as `what` takes.
    pub(super) fn touching<T>(
        &mut self,
        index: usize,
        what: impl FnOnce(&mut Contact<'_>) -> T,
    ) -> Result<T, Broken> {
        let Some(person) = self.people.get_mut(index) else {
            return Err(Broken { rule: "the simulator knows its passengers".into(), who: Who::All });
        };
        let tear = match (self.rough, person.se_id.is_some()) {
            (false, _) => 0,
            (true, true) => 40,
            (true, false) => 150,
        };
        let weather = Weather { tear, worn: if self.rough { 10 } else { 0 } };
        let mut contact = Contact {
            held: &mut person.held,
            memory: &person.memory,
            whose: index,
            weather,
            dice: &mut self.dice,
            story: &mut self.story,
            judge: &mut self.judge,
            gone: false,
            broken: None,
        };
        let done = what(&mut contact);
        match contact.broken.take() {
            Some(broken) => Err(broken),
            None => Ok(done),
        }
    }

    /// A lying phone: keeps a command and says that the card refused or was silent, runs it and denies it, makes proofs up.
    fn lie(&mut self, index: usize, orders: &Orders) -> Result<AgentReport, Broken> {
        let who = Who::Passenger(index);
        let commands: Vec<String> = orders
            .ram_commands
            .iter()
            .filter_map(|command| match command {
                RamCommand::Script { script } => Some(script.commands.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        let keeps = self.dice.below(2) == 0;
        let mut report = if keeps {
            self.story.fault(who, "a lying phone keeps its orders");
            if let Some(person) = self.people.get_mut(index) {
                person.kept.extend(commands.iter().cloned());
                person.kept.drain(..person.kept.len().saturating_sub(12));
            }
            // It needs a report of the right shape: the answers follow.
            let mut report = AgentReport::polling();
            report.local_agent_status.local_agent_status_enum = tsm::seram::AgentStatus::Processed;
            let responses = vec!["9000".to_owned(); commands.len()];
            let list = tsm::seram::ResponseList { responses };
            report.ram_responses.push(tsm::seram::RamResponse { se_ram_response: list });
            report
        } else {
            self.story.fault(who, "a lying phone changes answers");
            self.run(index, orders)?
        };
        let Some(list) = report.ram_responses.last_mut() else { return Ok(report) };
        let answers = &mut list.se_ram_response.responses;
        let at = if self.dice.below(2) == 0 {
            answers.len().saturating_sub(1)
        } else {
            below(&mut self.dice, answers.len())
        };
        let lie = match self.dice.below(6) {
            0 => "6985".to_owned(),
            1 => "9302".to_owned(),
            2 => String::new(),
            3 => format!("{:08X}9000", self.dice.below(1 << 32)),
            4 => "6581".to_owned(),
            _ => "6A88".to_owned(),
        };
        if let Some(answer) = answers.get_mut(at) {
            *answer = lie;
        }
        Ok(report)
    }

    /// A lying phone plays a command that it has kept.
    pub(super) fn plays_kept(&mut self, index: usize) -> Result<(), Broken> {
        let Some(person) = self.people.get(index).filter(|person| !person.kept.is_empty() && !person.lost)
        else {
            return Ok(());
        };
        let command = person.kept.get(below(&mut self.dice, person.kept.len())).cloned().unwrap_or_default();
        self.story.fault(Who::Passenger(index), "a lying phone plays a kept command");
        let bytes = hex::decode(command).unwrap_or_default();
        self.touching(index, |contact| drop(contact.transmit(&bytes)))
    }

    /// Whoever waits for an answer says it again, begins anew, or gives up.
    pub(super) fn loses_patience(&mut self, index: usize) -> Result<(), Broken> {
        let Some(person) = self.people.get_mut(index) else { return Ok(()) };
        let Talk::Waiting { order, session, said, .. } = std::mem::take(&mut person.talk) else {
            return Ok(());
        };
        match self.dice.below(3) {
            0 => {
                self.story.tell(Who::Passenger(index), format!("says it again for order {order}"));
                self.says(index, order, session, said);
            }
            1 => return self.hello(index, order, session),
            _ => self.story.tell(Who::Passenger(index), format!("gives up the session of order {order}")),
        }
        Ok(())
    }
}
