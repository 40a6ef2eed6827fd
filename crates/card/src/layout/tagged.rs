//! The head of a record in file 0017: `tag len lock`.
//!
//! Standard: CJ/T 166 compound records in the Changsha form (card.md section 5.6): the first byte of every value
//! is a lock. What follows the lock is ours in every record of this project, because no public source has the
//! offsets; for the same reason there is no CRC: a record is written together with the debit or not at all.

/// Head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which record.
    pub tag: u8,
    /// The issuer has shut this use of the card. Only the issuer sets and clears it, under line protection.
    pub locked: bool,
}

impl Head {
    /// The head and what follows it. `None` if the length byte does not fit.
    #[must_use]
    pub fn split(record: &[u8]) -> Option<(Head, &[u8])> {
        match record {
            [tag, length, lock, body @ ..] if usize::from(*length) == body.len().checked_add(1)? => {
                Some((Head { tag: *tag, locked: *lock != 0 }, body))
            }
            _ => None,
        }
    }

    /// Writes `body` behind the head, `LENGTH` bytes in all.
    pub(super) fn write<const LENGTH: usize>(self, body: impl IntoIterator<Item = u8>) -> [u8; LENGTH] {
        let length = u8::try_from(LENGTH.saturating_sub(2)).unwrap_or(u8::MAX);
        let bytes = [self.tag, length, u8::from(self.locked)].into_iter().chain(body);
        let mut record = [0; LENGTH];
        record.iter_mut().zip(bytes).for_each(|(byte, field)| *byte = field);
        record
    }
}
