//! Reading and writing files.
//!
//! Standard: READ and UPDATE of ISO 7816-4 with PBOC secure messaging (card.md sections 1.1 and 2.4).

use keys::KeyUsage;
use smartcard::{Apdu, Command, Status, tlv};

use super::memory::Issued;
use super::{Directory, Purse};
use crate::command::{BinaryPlace, ReadBinary, ReadRecord, RecordPlace, Records, UpdateBinary, UpdateRecord};
use crate::layout::{Head, LOG_RECORDS, PURSE_AID, Sfi};

/// Bit 3 of the class: the command carries a MAC.
const PROTECTED: u8 = 0x04;

impl Purse {
    /// Whether the selected directory has this file.
    pub(super) fn check_file(&self, file: Sfi) -> Result<(), Status> {
        let here = match self.session.directory {
            Directory::Root => [Sfi::DIRECTORY, Sfi::ISSUE_INFO].contains(&file),
            Directory::Purse => {
                let files = [Sfi::PUBLIC_INFO, Sfi::HOLDER, Sfi::COMPOUND, Sfi::PURCHASES, Sfi::LOADS];
                files.contains(&file)
            }
        };
        if here { Ok(()) } else { Err(Status::FILE_NOT_FOUND) }
    }

    /// The file and the offset in it.
    fn binary_place(&self, place: BinaryPlace) -> Result<(Sfi, usize), Status> {
        let (file, offset) = match place {
            BinaryPlace::Sfi(file, offset) => (file, usize::from(offset)),
            BinaryPlace::Current(offset) => {
                (self.session.file.ok_or(Status::FILE_NOT_FOUND)?, usize::from(offset))
            }
        };
        self.check_file(file)?;
        Ok((file, offset))
    }

    pub(super) fn read_binary(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let command = ReadBinary::from_apdu(apdu)?;
        let issued = self.issued()?;
        let (file, offset) = self.binary_place(command.place)?;
        let bytes = binary(issued, file)?;
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or(Status::WRONG_OFFSET)?;
        cut(rest, command.length)
    }

    pub(super) fn read_record(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let command = ReadRecord::from_apdu(apdu)?;
        let issued = self.issued()?;
        self.check_file(command.file)?;
        let bytes = match command.records {
            Records::One(place) => record(issued, command.file, place)?,
            Records::AllFrom(first) => {
                let all = (first..=LOG_RECORDS)
                    .map_while(|number| record(issued, command.file, RecordPlace::Number(number)).ok());
                let all: Vec<Vec<u8>> = all.collect();
                if all.is_empty() {
                    record(issued, command.file, RecordPlace::Number(first))?;
                }
                all.concat()
            }
        };
        cut(&bytes, command.length)
    }

    pub(super) fn update_binary(
        &mut self,
        apdu: &Apdu,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let command = self.written::<UpdateBinary>(apdu, challenge)?;
        let (file, offset) = self.binary_place(command.place)?;
        let mut next = self.usable()?.clone();
        let bytes = binary_mut(&mut next, file)?;
        let end = offset.checked_add(command.data.len()).ok_or(Status::WRONG_OFFSET)?;
        bytes.get_mut(offset..end).ok_or(Status::WRONG_OFFSET)?.copy_from_slice(&command.data);
        self.memory.issued = Some(next);
        Ok(Vec::new())
    }

    pub(super) fn update_record(
        &mut self,
        apdu: &Apdu,
        challenge: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let command = self.written::<UpdateRecord>(apdu, challenge)?;
        self.check_file(command.file)?;
        let mut next = self.usable()?.clone();
        let place = compound_index(&next, command.file, command.place)?;
        replace(&mut next, place, &command.data)?;
        self.memory.issued = Some(next);
        Ok(Vec::new())
    }

    /// The command, if its sender may write: it carries the right MAC, or its sender is authenticated.
    fn written<C: Command>(&self, apdu: &Apdu, challenge: Option<Vec<u8>>) -> Result<C, Status> {
        let issued = self.usable()?;
        if apdu.cla & PROTECTED != 0 {
            return super::security::open_line(issued, KeyUsage::Maintenance, apdu, challenge);
        }
        let command = C::from_apdu(apdu)?;
        if self.session.writer { Ok(command) } else { Err(Status::SECURITY_NOT_SATISFIED) }
    }
}

/// `length` bytes from the front, 0 being all; where there are fewer, `6Cxx` says how many.
fn cut(bytes: &[u8], length: u8) -> Result<Vec<u8>, Status> {
    if length == 0 {
        return Ok(bytes.to_vec());
    }
    bytes
        .get(..usize::from(length))
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Status(0x6C00 | u16::from(u8::try_from(bytes.len()).unwrap_or(0))))
}

fn binary(issued: &Issued, file: Sfi) -> Result<&[u8], Status> {
    match file {
        Sfi::PUBLIC_INFO => Ok(&issued.public_info),
        Sfi::HOLDER => Ok(&issued.holder),
        Sfi::ISSUE_INFO => Ok(&issued.issue_info),
        _ => Err(Status::WRONG_FILE_TYPE),
    }
}

fn binary_mut(issued: &mut Issued, file: Sfi) -> Result<&mut [u8], Status> {
    match file {
        Sfi::PUBLIC_INFO => Ok(&mut issued.public_info),
        Sfi::HOLDER => Ok(&mut issued.holder),
        Sfi::ISSUE_INFO => Ok(&mut issued.issue_info),
        _ => Err(Status::WRONG_FILE_TYPE),
    }
}

fn record(issued: &Issued, file: Sfi, place: RecordPlace) -> Result<Vec<u8>, Status> {
    match (file, place) {
        (Sfi::PURCHASES, RecordPlace::Number(number)) => {
            issued.purchases.record(number).map(Vec::from).ok_or(Status::RECORD_NOT_FOUND)
        }
        (Sfi::LOADS, RecordPlace::Number(number)) => {
            issued.loads.record(number).map(Vec::from).ok_or(Status::RECORD_NOT_FOUND)
        }
        (Sfi::DIRECTORY, RecordPlace::Number(1)) => Ok(directory_entry()),
        (Sfi::DIRECTORY, _) => Err(Status::RECORD_NOT_FOUND),
        (Sfi::COMPOUND, _) => {
            let index = compound_index(issued, file, place)?;
            issued.compound.get(index).map(|record| record.to_vec()).ok_or(Status::RECORD_NOT_FOUND)
        }
        _ => Err(Status::WRONG_FILE_TYPE),
    }
}

/// The one entry of file 0001: the purse's AID.
fn directory_entry() -> Vec<u8> {
    tlv::object(0x61, &tlv::object(0x4F, &PURSE_AID))
}

/// Where a record of file 0017 stands. Other files do not let their records be replaced.
pub(super) fn compound_index(issued: &Issued, file: Sfi, place: RecordPlace) -> Result<usize, Status> {
    if file != Sfi::COMPOUND {
        return Err(Status::SECURITY_NOT_SATISFIED);
    }
    let index = match place {
        RecordPlace::Number(number) => usize::from(number).checked_sub(1),
        RecordPlace::Tag(tag) => issued.compound.iter().position(|record| record.first() == Some(&tag)),
    };
    index.filter(|index| *index < issued.compound.len()).ok_or(Status::RECORD_NOT_FOUND)
}

/// Puts `record` in the place of one with the same tag and length.
fn replace(issued: &mut Issued, index: usize, record: &[u8]) -> Result<(), Status> {
    let old = issued.compound.get_mut(index).ok_or(Status::RECORD_NOT_FOUND)?;
    if old.len() != record.len() {
        return Err(Status::WRONG_LENGTH);
    }
    let tags = (Head::split(old).map(|(head, _)| head.tag), Head::split(record).map(|(head, _)| head.tag));
    match tags {
        (Some(old_tag), Some(new_tag)) if old_tag == new_tag => {
            *old = record.to_vec().into();
            Ok(())
        }
        _ => Err(Status::WRONG_DATA),
    }
}

/// [`replace`] by a compound purchase: only in an open record, which stays open.
pub(super) fn replace_open(issued: &mut Issued, index: usize, record: &[u8]) -> Result<(), Status> {
    let open = |bytes: &[u8]| Head::split(bytes).is_some_and(|(head, _)| !head.locked);
    let old = issued.compound.get(index).ok_or(Status::RECORD_NOT_FOUND)?;
    if !open(old) {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    if old.len() == record.len() && !open(record) {
        return Err(Status::WRONG_DATA);
    }
    replace(issued, index, record)
}
