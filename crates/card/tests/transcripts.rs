//! `vectors/card/{load,purchase,compound,security}.toml`: the applet answers byte for byte, the host's side
//! reads every answer, and a command with one flipped bit changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may fail loudly

mod data;
mod issuing;

use std::collections::VecDeque;

use card::Purse;
use card::command::{
    CreditForLoad, DebitForPurchase, GetBalance, GetChallenge, GetMessage, GetTransactionProve,
    InitializeForLoad, InitializeForPurchase, InternalAuthenticate, SelectApplication,
};
use model::Entropy;
use serde::Deserialize;
use smartcard::{Apdu, Command, Response};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    transcript: Vec<Transcript>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcript {
    why: String,
    #[allow(dead_code)] // for the reader of the file
    source: String,
    card: String,
    random: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    why: String,
    send: String,
    answer: String,
    twin: Option<String>,
    refused: Option<String>,
}

/// Random numbers from the transcript.
struct Scripted(VecDeque<Vec<u8>>);

impl Entropy for Scripted {
    fn fill(&mut self, buffer: &mut [u8]) {
        let next = self.0.pop_front().expect("the transcript has no more random numbers");
        buffer.copy_from_slice(&next);
    }
}

struct Run {
    purse: Purse,
    random: Scripted,
}

impl Run {
    fn of(transcript: &Transcript) -> Run {
        let random = transcript.random.iter().map(|text| data::bytes(text)).collect();
        Run { purse: issuing::card(&transcript.card), random: Scripted(random) }
    }

    fn send(&mut self, bytes: &[u8]) -> Response {
        self.purse.process(&Apdu::parse(bytes).unwrap(), &mut self.random)
    }
}

/// The host must read what the applet answers, if it answers `9000`.
fn host_reads(apdu: &Apdu, answer: &Response) -> bool {
    fn reads<C: Command>(apdu: &Apdu, answer: &Response) -> bool {
        C::from_apdu(apdu).is_ok_and(|command| command.to_apdu() == *apdu)
            && C::parse_response(&answer.data).is_some()
    }
    let by = match (apdu.cla, apdu.ins, apdu.p1) {
        (0x00, 0xA4, 0x04) => reads::<SelectApplication>,
        (0x00, 0x84, _) => reads::<GetChallenge>,
        (0x00, 0x88, _) => reads::<InternalAuthenticate>,
        (0x80, 0x50, 0x00) => reads::<InitializeForLoad>,
        (0x80, 0x50, _) => reads::<InitializeForPurchase>,
        (0x80, 0x52, _) => reads::<CreditForLoad>,
        (0x80, 0x54, _) => reads::<DebitForPurchase>,
        (0x80, 0x5A, _) => reads::<GetTransactionProve>,
        (0x80, 0x5C, _) => reads::<GetBalance>,
        (0x80, 0xCA, _) => reads::<GetMessage>,
        _ => return true,
    };
    !answer.status.is_ok() || by(apdu, answer)
}

fn replay(transcript: &Transcript) {
    let mut run = Run::of(transcript);
    for (index, step) in transcript.steps.iter().enumerate() {
        let at = format!("{}: step {index}, {}", transcript.why, step.why);
        let bytes = data::bytes(&step.send);
        if let Some(twin) = &step.twin {
            let twin = data::bytes(twin);
            assert!(data::differ_by_one_bit(&bytes, &twin), "{at}: the twin is not one");
            refuse(transcript, index, &twin, step.refused.as_ref().unwrap(), &at);
        }
        let answer = run.send(&bytes);
        assert_eq!(data::hex(&answer.to_bytes()), data::hex(&data::bytes(&step.answer)), "{at}");
        assert!(host_reads(&Apdu::parse(&bytes).unwrap(), &answer), "{at}: the host cannot read the answer");
        let kept = minicbor::to_vec(run.purse.memory()).unwrap();
        assert_eq!(minicbor::decode(&kept).ok().as_ref(), Some(run.purse.memory()), "{at}: the kept memory");
    }
}

/// Sends `twin` to a card that has come as far as `steps` steps: nothing that counts may change.
fn refuse(transcript: &Transcript, steps: usize, twin: &[u8], status: &str, at: &str) {
    let mut run = Run::of(transcript);
    for step in &transcript.steps[..steps] {
        run.send(&data::bytes(&step.send));
    }
    let before = run.purse.memory().clone();
    let answer = run.send(twin);
    assert_eq!(data::hex(&answer.to_bytes()), status, "{at}: the twin");
    // A wrong PIN costs a try: that is the one thing a refused command may change.
    if answer.status.tries_left().is_none() {
        assert!(*run.purse.memory() == before, "{at}: the twin changed the card");
    }
}

fn replay_file(name: &str) {
    let file: File = data::vectors(name);
    file.transcript.iter().for_each(replay);
}

#[test]
fn loads_go_as_written() {
    replay_file("load");
}

#[test]
fn purchases_go_as_written() {
    replay_file("purchase");
}

#[test]
fn compound_purchases_go_as_written() {
    replay_file("compound");
}

#[test]
fn security_commands_go_as_written() {
    replay_file("security");
}
