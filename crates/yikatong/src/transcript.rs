//! Transcripts: every APDU as a JSON line, so that anyone can recompute every cryptogram with their own code.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use model::{CardTime, Clock};
use smartcard::{Channel, ChannelError};

use crate::failure::{Failure, Outcome};
use crate::machine::SystemClock;

/// One exchange.
#[derive(serde::Serialize)]
pub(crate) struct Line<'a> {
    /// When, local.
    pub(crate) time: String,
    /// Who sent the command: `tsm`, `terminal`, `psam`.
    pub(crate) who: &'a str,
    /// The card or element.
    pub(crate) card: &'a str,
    /// The command, hex.
    pub(crate) command: String,
    /// The answer with its status word, hex; nothing if none came.
    pub(crate) response: Option<String>,
}

/// A file of lines.
pub(crate) struct TranscriptFile {
    path: PathBuf,
    file: BufWriter<File>,
    broken: Option<std::io::Error>,
}

impl TranscriptFile {
    /// A new file; an old one of that name is replaced.
    pub(crate) fn create(path: &Path) -> Outcome<Self> {
        let file = File::create(path).map_err(|error| Failure::path(path, error))?;
        Ok(TranscriptFile { path: path.to_owned(), file: BufWriter::new(file), broken: None })
    }

    /// Adds a line; the first error is kept for [`TranscriptFile::close`].
    pub(crate) fn add(
        &mut self,
        time: CardTime,
        who: &str,
        card: &str,
        command: &[u8],
        answer: Option<&[u8]>,
    ) {
        let (command, response) = (hex::encode_upper(command), answer.map(hex::encode_upper));
        let line = Line { time: time.to_string(), who, card, command, response };
        let written = serde_json::to_string(&line)
            .map_err(std::io::Error::other)
            .and_then(|text| writeln!(self.file, "{text}"));
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }

    /// Everything is in the file, or an error says why not.
    pub(crate) fn close(mut self) -> Outcome {
        let flushed = self.file.flush();
        let result = self.broken.map_or(flushed, Err);
        result.map_err(|error| Failure::path(&self.path, error))
    }
}

/// A transcript that several channels write to, if the user asked for one.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Option<Rc<RefCell<TranscriptFile>>>);

impl Recorder {
    /// Records to `path`, or nowhere.
    pub(crate) fn new(path: Option<&Path>) -> Outcome<Self> {
        let file = path.map(TranscriptFile::create).transpose()?;
        Ok(Recorder(file.map(|file| Rc::new(RefCell::new(file)))))
    }

    /// `channel`, with everything that passes written down.
    pub(crate) fn watch<C: Channel>(
        &self,
        channel: C,
        who: &'static str,
        card: String,
    ) -> impl Channel + use<C> {
        let file = self.0.clone();
        smartcard::Transcript::new(channel, move |command: &[u8], answer: Result<&[u8], &ChannelError>| {
            if let Some(file) = &file {
                file.borrow_mut().add(SystemClock.now(), who, &card, command, answer.ok());
            }
        })
    }

    /// Closes the file; every channel that was watched must be gone.
    pub(crate) fn close(self) -> Outcome {
        let Some(file) = self.0 else { return Ok(()) };
        match Rc::try_unwrap(file) {
            Ok(file) => file.into_inner().close(),
            Err(_) => Err(Failure::wrong("the transcript is still in use")),
        }
    }
}
