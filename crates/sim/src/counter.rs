//! A load point (充值网点) that does a whole job by itself: for cards that are made ready before the story begins.

use keys::KeyService;
use model::{CardTime, Entropy};
use smartcard::{Apdu, Channel, Response};
use tsm::{Env, Job, Next, Report};

/// Runs `job` on `card` to its end, taking every reservation as written down.
pub fn run_job(
    job: &mut Job,
    card: &mut dyn Channel,
    keys: &dyn KeyService,
    entropy: &mut dyn Entropy,
    now: CardTime,
) -> Report {
    let mut env = Env { keys, entropy, now };
    let mut next = job.start(&mut env);
    loop {
        next = match next {
            Next::Run(commands) => job.answers(&answers(&commands, card), &mut env),
            Next::Reserve(_) | Next::ReserveDrain(_) | Next::NotDrained(_) | Next::Settled { .. } => {
                job.confirmed(&mut env)
            }
            Next::Done(report) => return report,
        };
    }
}

/// The answers to `commands`, none after the first that did not come.
fn answers(commands: &[Apdu], card: &mut dyn Channel) -> Vec<Option<Response>> {
    let mut lost = false;
    let mut one = |command: &Apdu| {
        let answer = if lost { None } else { card.exchange(command).ok() };
        lost = answer.is_none();
        answer
    };
    commands.iter().map(&mut one).collect()
}
