//! Loads behind a phone that lies, replays and keeps: its word alone moves no money.

use keys::{Seeded, SoftwareKeys};
use secure_element::SoftwareElement;
use smartcard::{Channel, ChannelError, Response};
use tsm::{Env, Next, Report};

use super::{balance, issued, load, now, read, run};

/// The load, up to the point where CREDIT FOR LOAD is on its way and `answers` come back in its place.
fn credit_answered_with(answers: &[Option<Response>]) -> Report {
    let (mut chip, _) = issued(2000);
    let (keys, mut random) = (SoftwareKeys::demo(), Seeded::new(9));
    let mut env = Env { keys: &keys, entropy: &mut random, now: now() };
    let mut job = load(2000, 5000, None);
    let Next::Run(offer) = job.start(&mut env) else { panic!("no script") };
    let offered: Vec<_> = offer.iter().map(|command| Some(chip.exchange(command).unwrap())).collect();
    assert!(matches!(job.answers(&offered, &mut env), Next::Reserve(_)));
    assert!(matches!(job.confirmed(&mut env), Next::Run(credit) if credit.len() == 1));
    let mut next = job.answers(answers, &mut env);
    if let Next::Run(question) = &next {
        // A refusal is asked after: the card, which never saw the credit, proves that it has not got it.
        let proofs: Vec<_> = question.iter().map(|command| Some(chip.exchange(command).unwrap())).collect();
        next = job.answers(&proofs, &mut env);
    }
    match next {
        Next::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_a_refusal_of_the_credit_itself_that_the_card_then_proves_is_one() {
    let status = |status: u16| Some(Response::status(smartcard::Status(status)));
    for refusal in [0x9302, 0x6985, 0x6A81] {
        let report = credit_answered_with(&[status(refusal)]);
        assert!(matches!(report, Report::LoadRefused { .. }), "{refusal:04X}: {report:?}");
    }
    for open in [0x6581, 0x6F00, 0x6104, 0x6310] {
        let report = credit_answered_with(&[status(open)]);
        assert!(matches!(report, Report::Unknown { .. }), "{open:04X}: {report:?}");
    }
    // A second agent of the same session answers an earlier script while the first one has the credit in hand.
    let report = credit_answered_with(&[status(0x6A82), None, None]);
    assert!(matches!(report, Report::Unknown { .. }), "{report:?}");
    assert!(matches!(credit_answered_with(&[]), Report::Unknown { .. }));
}

/// A phone that says what its holder wants, and keeps what the centre sends.
struct HostilePhone<'c> {
    card: &'c mut SoftwareElement,
    kept: Vec<Vec<u8>>,
    /// The answer to CREDIT FOR LOAD, which the card never sees.
    lie: [u8; 2],
    /// Answers of an earlier time, by command; replayed where there is one.
    recorded: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Channel for HostilePhone<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if command.starts_with(&[0x80, 0x52]) {
            self.kept.push(command.to_vec());
            return Ok(self.lie.to_vec());
        }
        match self.recorded.iter().find(|(asked, _)| asked == command) {
            Some((_, answer)) => Ok(answer.clone()),
            None => self.card.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.card.reset()
    }
}

#[test]
fn a_phone_that_keeps_the_credit_and_says_refused_gets_nothing_twice() {
    let (mut chip, _) = issued(2000);
    for lie in [[0x69, 0x85], [0x93, 0x02], [0x6F, 0x00]] {
        let before = balance(&mut chip, 2000);
        let mut phone = HostilePhone { card: &mut chip, kept: Vec::new(), lie, recorded: Vec::new() };
        let (report, _) = run(&mut load(2000, 5000, None), &mut phone, None);
        let kept = phone.kept.clone();
        let voided = matches!(report, Report::LoadRefused { .. });
        assert!(voided || matches!(report, Report::Unknown { .. }), "{report:?}");
        for command in kept {
            chip.transmit(&command).unwrap();
        }
        let gained = balance(&mut chip, 2000) - before;
        assert!(!(voided && gained > 0), "refunded and on the card");
        if !voided {
            let reservation = match report {
                Report::Unknown { reservation } => reservation,
                other => panic!("{other:?}"),
            };
            let (_, settled) = run(&mut read(2000, Some(reservation)), &mut chip, None);
            assert_eq!(settled.settled.len(), 1);
            assert_eq!(settled.settled[0].1.is_some(), gained > 0, "the truth, by the card's own proof");
        }
    }
}

#[test]
fn a_recording_of_the_card_settles_nothing() {
    let (mut chip, _) = issued(2000);
    // What an honest look at the card is answered with, before the load: recorded command by command.
    let mut recorded: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    {
        let watch = |command: &[u8], answer: Result<&[u8], &ChannelError>| {
            recorded.push((command.to_vec(), answer.unwrap().to_vec()));
        };
        let (_, written) = run(&mut load(2000, 5000, None), &mut issued(2000).0, Some((4, false)));
        let mut watched = smartcard::Transcript::new(&mut chip, watch);
        run(&mut read(2000, Some(written.reserved[0])), &mut watched, None);
    }
    let mut phone =
        HostilePhone { card: &mut chip, kept: Vec::new(), lie: [0x6F, 0x00], recorded: Vec::new() };
    let (report, written) = run(&mut load(2000, 5000, None), &mut phone, None);
    let (reservation, kept) = (written.reserved[0], phone.kept.clone());
    assert_eq!(report, Report::Unknown { reservation });
    let mut phone = HostilePhone { card: &mut chip, kept: Vec::new(), lie: [0x6F, 0x00], recorded };
    let (_, settled) = run(&mut read(2000, Some(reservation)), &mut phone, None);
    for (_, credited) in &settled.settled {
        assert!(credited.is_none(), "there is nothing on the card");
    }
    // Whatever was settled, the kept command is worth nothing afterwards.
    for command in kept {
        chip.transmit(&command).unwrap();
    }
    let on_the_card = balance(&mut chip, 2000);
    assert!(settled.settled.is_empty() || on_the_card == 0, "refunded and on the card");
}
