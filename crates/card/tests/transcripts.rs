//! `vectors/card/{load,purchase,compound,security}.toml`: the applet answers byte for byte, the host's side
//! reads every answer, and a command with one flipped bit changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may fail loudly

mod data;
mod issuing;
mod transcript;

use card::PurseMemory;
use card::command::{
    CreditForLoad, DebitForPurchase, GetBalance, GetChallenge, GetMessage, GetTransactionProve,
    InitializeForLoad, InitializeForPurchase, InternalAuthenticate, SelectApplication,
};
use smartcard::{Apdu, Command, Response};

use transcript::{Run, Transcript};

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

fn replay(transcript: &Transcript, issued: &PurseMemory) {
    let mut run = Run::after(0, transcript, issued);
    for (index, step) in transcript.steps.iter().enumerate() {
        let at = format!("{}: step {index}, {}", transcript.why, step.why);
        let bytes = data::bytes(&step.send);
        if let (Some(twin), Some(refused)) = (&step.twin, &step.refused) {
            let twin = data::bytes(twin);
            assert!(data::differ_by_one_bit(&bytes, &twin), "{at}: the twin is not one");
            refuse(Run::after(index, transcript, issued), &twin, refused, &at);
        }
        let answer = run.send(&bytes);
        assert_eq!(data::hex(&answer.to_bytes()), data::hex(&data::bytes(&step.answer)), "{at}");
        assert!(host_reads(&Apdu::parse(&bytes).unwrap(), &answer), "{at}: the host cannot read the answer");
        let kept = minicbor::to_vec(run.purse.memory()).unwrap();
        assert_eq!(minicbor::decode(&kept).ok().as_ref(), Some(run.purse.memory()), "{at}: the kept memory");
    }
    assert!(run.is_spent(), "{}: random numbers are left over", transcript.why);
}

/// Sends a twin: nothing may change. (A wrong PIN costs a try: the one thing a refused command changes.)
fn refuse(mut run: Run, twin: &[u8], status: &str, at: &str) {
    let before = run.purse.memory().clone();
    let answer = run.send(twin);
    assert_eq!(data::hex(&answer.to_bytes()), status, "{at}: the twin");
    let unchanged = *run.purse.memory() == before || answer.status.tries_left().is_some();
    assert!(unchanged, "{at}: the twin changed the card");
}

fn replay_file(name: &str) {
    transcript::of(name).iter().for_each(|(transcript, issued)| replay(transcript, issued));
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

/// The high half of the terminal's counter in DEBIT: MAC1 does not cover it, neither in its data nor in its
/// session key. The TAC does, so a terminal that errs there spoils its own record and nobody's money.
const UNGUARDED: (u8, [usize; 2]) = (0x54, [5, 6]);

/// CREDIT, DEBIT and whatever carries a line MAC, but for APPLICATION UNBLOCK, where a wrong MAC costs a try.
fn is_mac_guarded(apdu: &Apdu) -> bool {
    matches!((apdu.cla, apdu.ins), (0x80, 0x52 | 0x54) | (0x04, _) | (0x84, 0x1E))
}

#[test]
fn no_bit_of_a_guarded_command_can_be_flipped() {
    for (transcript, issued) in transcript::all() {
        for (index, step) in transcript.steps.iter().enumerate() {
            let apdu = Apdu::parse(&data::bytes(&step.send)).unwrap();
            if !is_mac_guarded(&apdu) || !step.answer.ends_with("9000") {
                continue;
            }
            // Le is no part of what a command does.
            let bytes = Apdu { le: None, ..apdu.clone() }.to_bytes();
            for (byte, bit) in (0..bytes.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
                if apdu.ins == UNGUARDED.0 && UNGUARDED.1.contains(&byte) {
                    continue;
                }
                let mut twin = bytes.clone();
                twin[byte] ^= 1_u8 << bit;
                let Ok(twin) = Apdu::parse(&twin) else { continue };
                let mut run = Run::after(index, &transcript, &issued);
                let before = run.purse.memory().clone();
                run.send(&twin.to_bytes());
                let same = *run.purse.memory() == before;
                assert!(same, "{}: step {index}, {}: byte {byte}, bit {bit}", transcript.why, step.why);
            }
        }
    }
}
