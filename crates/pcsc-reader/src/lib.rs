//! Cards in PC/SC readers (读卡器) as channels: the desk reader of a counter, a phone's element on a test board.
//!
//! Standard: PC/SC part 5 (ICC resource manager), by the system's own library.
//! Invariant: a command that the resource manager may have handed to the reader counts as sent, whatever it says after;
//! a card belongs to one process alone while it is used, and is powered down when it is let go.

use std::ffi::{CStr, CString};

use pcsc::{Card, Context, Disposition, Error, MAX_BUFFER_SIZE_EXTENDED, Protocols, Scope, ShareMode};
use smartcard::{Channel, ChannelError};

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The resource manager is not there.
    #[error("no PC/SC service (pcscd): {0}")]
    NoService(Error),
    /// No reader is plugged in.
    #[error("no PC/SC reader is plugged in")]
    NoReader,
    /// No reader of this name.
    #[error("no reader is called `{asked}`; there are: {}", there.join(", "))]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is.
        there: Vec<String>,
    },
    /// More than one reader fits.
    #[error("`{asked}` fits more than one reader: {}", fits.join(", "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// What fits.
        fits: Vec<String>,
    },
    /// The reader has no card, or another program holds it.
    #[error("reader `{reader}`: {source}")]
    NoCard {
        /// Which.
        reader: String,
        /// Why, in the words of PC/SC.
        source: Error,
    },
}

/// A card in a reader, with its power on.
pub struct ReaderCard {
    card: Card,
}

/// The names of all readers.
///
/// # Errors
/// [`ReaderError::NoService`].
pub fn readers() -> Result<Vec<String>, ReaderError> {
    let names = names(&Context::establish(Scope::User).map_err(ReaderError::NoService)?)?;
    Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

fn names(context: &Context) -> Result<Vec<CString>, ReaderError> {
    match context.list_readers_owned() {
        Ok(names) => Ok(names),
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(error) => Err(ReaderError::NoService(error)),
    }
}

impl ReaderCard {
    /// The card in the reader of this name, or in the only one whose name has this part.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub fn open(asked: &str) -> Result<Self, ReaderError> {
        let context = Context::establish(Scope::User).map_err(ReaderError::NoService)?;
        let names = names(&context)?;
        let reader = chosen(asked, &names)?;
        let no_card = |source| ReaderError::NoCard { reader: reader.to_string_lossy().into_owned(), source };
        let card = context.connect(reader, ShareMode::Exclusive, Protocols::ANY).map_err(no_card)?;
        let mut opened = ReaderCard { card };
        opened.power_cycle().map_err(no_card)?;
        Ok(opened)
    }

    /// The card's answer to reset.
    ///
    /// # Errors
    /// [`ChannelError::NotSent`]: the card has left.
    pub fn atr(&self) -> Result<Vec<u8>, ChannelError> {
        let status = self.card.status2_owned().map_err(|error| ChannelError::NotSent(error.to_string()))?;
        Ok(status.atr().to_vec())
    }

    fn power_cycle(&mut self) -> Result<(), Error> {
        self.card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::UnpowerCard)
    }
}

fn chosen<'a>(asked: &str, names: &'a [CString]) -> Result<&'a CStr, ReaderError> {
    let texts = |names: &[&'a CString]| -> Vec<String> {
        names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
    };
    let asked = asked.to_owned();
    if let Some(exact) = names.iter().find(|name| name.as_bytes() == asked.as_bytes()) {
        return Ok(exact);
    }
    let fits: Vec<&CString> =
        names.iter().filter(|name| name.to_string_lossy().contains(asked.as_str())).collect();
    match fits.as_slice() {
        [one] => Ok(one),
        [] if names.is_empty() => Err(ReaderError::NoReader),
        [] => Err(ReaderError::Unknown { asked, there: texts(&names.iter().collect::<Vec<_>>()) }),
        _ => Err(ReaderError::Ambiguous { asked, fits: texts(&fits) }),
    }
}

impl Channel for ReaderCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let mut answer = [0; MAX_BUFFER_SIZE_EXTENDED];
        match self.card.transmit(command, &mut answer) {
            Ok(answer) => Ok(answer.to_vec()),
            Err(error) if is_before_sending(error) => Err(ChannelError::NotSent(error.to_string())),
            Err(error) => Err(ChannelError::Lost(error.to_string())),
        }
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.power_cycle().map_err(|error| ChannelError::Lost(error.to_string()))
    }
}

/// What the resource manager says of the call itself, before any byte goes to a reader.
fn is_before_sending(error: Error) -> bool {
    matches!(
        error,
        Error::InvalidHandle | Error::InvalidParameter | Error::InvalidValue | Error::SharingViolation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<CString> {
        texts.iter().map(|text| CString::new(*text).unwrap()).collect()
    }

    #[test]
    fn a_reader_is_found_by_its_name_or_by_a_part_that_no_other_has() {
        let names = names(&["Virtual PCD 00 00", "Virtual PCD 00 01", "ACS ACR122U", "ACS"]);
        let found = |asked: &str| chosen(asked, &names).map(|name| name.to_string_lossy().into_owned());
        assert_eq!(found("ACR122U").unwrap(), "ACS ACR122U");
        assert_eq!(found("00 01").unwrap(), "Virtual PCD 00 01");
        assert_eq!(found("ACS").unwrap(), "ACS", "a whole name goes before a part");
        let many = found("Virtual").unwrap_err().to_string();
        assert!(many.contains("more than one") && many.contains("00 00") && many.contains("00 01"), "{many}");
        let none = found("Omnikey").unwrap_err().to_string();
        assert!(none.contains("Omnikey") && none.contains("ACR122U"), "{none}");
        assert!(matches!(chosen("any", &[]), Err(ReaderError::NoReader)));
    }

    #[test]
    fn only_a_fault_of_the_call_itself_means_that_nothing_was_sent() {
        for sent in
            [Error::RemovedCard, Error::ResetCard, Error::CommError, Error::NotTransacted, Error::Timeout]
        {
            assert!(!is_before_sending(sent), "{sent:?}");
        }
        assert!(is_before_sending(Error::InvalidHandle));
    }
}
