//! Conversations with a card, and how far one has come.
#![allow(dead_code)] // each test file uses its part

use std::collections::VecDeque;
use std::iter;

use card::{Purse, PurseMemory};
use model::Entropy;
use serde::Deserialize;
use smartcard::{Apdu, Response};

use crate::{data, issuing};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    transcript: Vec<Transcript>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transcript {
    pub(crate) why: String,
    pub(crate) source: String,
    pub(crate) card: String,
    pub(crate) random: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) why: String,
    pub(crate) send: String,
    pub(crate) answer: String,
    pub(crate) twin: Option<String>,
    pub(crate) refused: Option<String>,
}

/// Random numbers from the transcript; zeros when it has no more.
pub(crate) struct Scripted(VecDeque<Vec<u8>>);

impl Entropy for Scripted {
    fn fill(&mut self, buffer: &mut [u8]) {
        let next = self.0.pop_front().unwrap_or_default();
        buffer.iter_mut().zip(next.into_iter().chain(iter::repeat(0))).for_each(|(to, from)| *to = from);
    }
}

/// A card on its way through a transcript.
pub(crate) struct Run {
    pub(crate) purse: Purse,
    random: Scripted,
}

impl Run {
    /// A card with the memory of one just issued, after the first `steps` steps.
    pub(crate) fn after(steps: usize, transcript: &Transcript, issued: &PurseMemory) -> Run {
        let random = transcript.random.iter().map(|text| data::bytes(text)).collect();
        let mut run = Run { purse: Purse::with_memory(issued.clone()), random: Scripted(random) };
        run.purse.select();
        for step in transcript.steps.iter().take(steps) {
            run.send(&data::bytes(&step.send));
        }
        run
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Response {
        self.purse.process(&Apdu::parse(bytes).unwrap(), &mut self.random)
    }

    /// Whether every random number has been drawn.
    pub(crate) fn is_spent(&self) -> bool {
        self.random.0.is_empty()
    }
}

/// Every transcript, with the memory of its card as issued.
pub(crate) fn all() -> Vec<(Transcript, PurseMemory)> {
    ["load", "purchase", "compound", "security"].into_iter().flat_map(of).collect()
}

/// The transcripts of one file, likewise.
pub(crate) fn of(file: &str) -> Vec<(Transcript, PurseMemory)> {
    let file: File = data::vectors(file);
    let with_card = |transcript: Transcript| {
        let issued = issuing::card(&transcript.card).memory().clone();
        (transcript, issued)
    };
    file.transcript.into_iter().map(with_card).collect()
}
