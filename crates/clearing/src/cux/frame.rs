//! Header, lines and trailer: everything that holds for a file as a whole.

use sha2::{Digest, Sha256};

use super::detail::Detail;
use super::error::CuxError;
use super::field::{Line, LineWriter, moment_digits};
use super::layout as at;
use super::{CuxFile, FIRST_LINE, FileKind, FileName, Numbered};

/// The most records that one file may hold.
pub const MAX_RECORDS: u32 = 100_000;

const CRLF: &[u8] = b"\r\n";
const FRAME: usize = at::FRAME_LEN + CRLF.len();

struct Header {
    name: FileName,
    created: model::CardTime,
    records: u32,
    total: u64,
}

/// Reads a file whose name says one of `kinds`.
pub(super) fn read<T: Detail>(name: &str, bytes: &[u8], kinds: &[FileKind]) -> Result<CuxFile<T>, CuxError> {
    let named: FileName = name.parse()?;
    check_kind(&named, kinds)?;
    let head = header_line(name, bytes)?;
    let header = read_header(&head, &named, T::LEN)?;
    let (details, trailer) = split(name, bytes, header.records, T::LEN)?;
    read_trailer(&trailer, header.records, bytes)?;
    let mut records: Vec<Numbered<T>> = Vec::with_capacity(details.len());
    let mut total = 0_u64;
    let mut last_seq = None;
    for line in &details {
        let numbered = T::read(line, &named)?;
        if T::GROWING && last_seq.is_some_and(|last| last >= numbered.local_seq) {
            let expected = "a number above the line before";
            return Err(line.wrong(&at::LOCAL_SEQ, expected.to_owned()));
        }
        last_seq = Some(numbered.local_seq);
        total = total.saturating_add(numbered.record.amount());
        records.push(numbered);
    }
    if total != header.total {
        return Err(head.wrong(&at::TOTAL_AMOUNT, format!("the sum of the records, {total}")));
    }
    Ok(CuxFile { name: header.name, created: header.created, records })
}

/// Writes a file whose name says one of `kinds`.
pub(super) fn write<T: Detail>(file: &CuxFile<T>, kinds: &[FileKind]) -> Result<Vec<u8>, CuxError> {
    check_kind(&file.name, kinds)?;
    let name = file.name.to_string();
    let records = u32::try_from(file.records.len()).ok().filter(|records| *records <= MAX_RECORDS);
    let records = records.ok_or_else(|| CuxError::TooMany {
        file: name.clone(),
        found: file.records.len(),
        limit: MAX_RECORDS,
    })?;
    let total = file.records.iter().map(|numbered| numbered.record.amount()).fold(0, u64::saturating_add);
    let mut bytes = Vec::with_capacity(expected_size(records, T::LEN));
    let header = Header { name: file.name, created: file.created, records, total };
    push(&mut bytes, &write_header(&name, &header, T::LEN)?);
    for (number, numbered) in file.lines() {
        let mut line = LineWriter::new(&name, number, T::LEN);
        numbered.record.write(numbered.local_seq, &mut line)?;
        push(&mut bytes, &line.text);
    }
    let mut trailer = LineWriter::new(&name, records.saturating_add(FIRST_LINE), at::FRAME_LEN);
    trailer.text(&at::END, "END")?;
    trailer.number(&at::TRAILER_RECORDS, records.into())?;
    trailer.text(&at::DIGEST, &digest(&bytes))?;
    trailer.filler(&at::TRAILER_FILLER)?;
    push(&mut bytes, &trailer.text);
    Ok(bytes)
}

fn check_kind(name: &FileName, kinds: &[FileKind]) -> Result<(), CuxError> {
    if kinds.contains(&name.kind) {
        return Ok(());
    }
    let expected = kinds.first().map_or("nothing", |kind| kind.holds());
    Err(CuxError::Kind { file: name.to_string(), found: name.kind.holds(), expected })
}

fn header_line<'a>(file: &'a str, bytes: &'a [u8]) -> Result<Line<'a>, CuxError> {
    let line = bytes.get(..FRAME).and_then(|line| line.strip_suffix(CRLF));
    let bytes = line.ok_or_else(|| CuxError::Size {
        file: file.to_owned(),
        found: bytes.len(),
        expected: FRAME.saturating_mul(2),
        why: "at least a header and a trailer of 80 characters, each ended by CRLF".to_owned(),
    })?;
    Ok(Line { file, number: 1, bytes })
}

fn read_header(line: &Line<'_>, name: &FileName, detail_len: usize) -> Result<Header, CuxError> {
    line.exactly(&at::MAGIC, "CUX1")?;
    line.exactly(&at::KIND, name.kind.code())?;
    line.exactly(&at::FROM, &name.from.to_string())?;
    line.exactly(&at::TO, &name.to.to_string())?;
    line.exactly(&at::BUSINESS_DAY, &format!("{:08}", name.day.digits()))?;
    line.exactly(&at::SEQUENCE, &format!("{:04}", name.sequence))?;
    let created = line.moment(&at::CREATED)?;
    line.exactly(&at::RECORD_LENGTH, &format!("{detail_len:04}"))?;
    let records: u32 = line.narrow(&at::RECORDS, "a number of records")?;
    if records > MAX_RECORDS {
        return Err(line.wrong(&at::RECORDS, format!("at most {MAX_RECORDS} records")));
    }
    let total = line.number(&at::TOTAL_AMOUNT)?;
    line.filler(&at::HEADER_FILLER)?;
    Ok(Header { name: *name, created, records, total })
}

fn write_header(file: &str, header: &Header, detail_len: usize) -> Result<String, CuxError> {
    let mut line = LineWriter::new(file, 1, at::FRAME_LEN);
    line.text(&at::MAGIC, "CUX1")?;
    line.text(&at::KIND, header.name.kind.code())?;
    line.number(&at::FROM, header.name.from.get().into())?;
    line.number(&at::TO, header.name.to.get().into())?;
    line.number(&at::BUSINESS_DAY, header.name.day.digits())?;
    line.number(&at::SEQUENCE, header.name.sequence.into())?;
    line.number(&at::CREATED, moment_digits(header.created))?;
    line.number(&at::RECORD_LENGTH, u64::try_from(detail_len).unwrap_or(u64::MAX))?;
    line.number(&at::RECORDS, header.records.into())?;
    line.number(&at::TOTAL_AMOUNT, header.total)?;
    line.filler(&at::HEADER_FILLER)?;
    Ok(line.text)
}

/// The detail lines and the trailer, if the file has exactly the length that its header promises.
fn split<'a>(
    file: &'a str,
    bytes: &'a [u8],
    records: u32,
    detail_len: usize,
) -> Result<(Vec<Line<'a>>, Line<'a>), CuxError> {
    let expected = expected_size(records, detail_len);
    let size = |why: String| CuxError::Size { file: file.to_owned(), found: bytes.len(), expected, why };
    if bytes.len() != expected {
        return Err(size(format!("the header says {records} records of {detail_len} characters")));
    }
    let mut lines = Vec::new();
    let mut rest = bytes.get(FRAME..).unwrap_or_default();
    for number in FIRST_LINE..=records.saturating_add(FIRST_LINE) {
        let last = number == records.saturating_add(FIRST_LINE);
        let len = if last { at::FRAME_LEN } else { detail_len };
        let (line, after) = rest.split_at_checked(len.saturating_add(CRLF.len())).unwrap_or((rest, &[]));
        let Some(line) = line.strip_suffix(CRLF) else {
            return Err(size(format!("line {number} does not end with CRLF after {len} characters")));
        };
        lines.push(Line { file, number, bytes: line });
        rest = after;
    }
    let trailer = lines.pop().ok_or_else(|| size("no trailer".to_owned()))?;
    Ok((lines, trailer))
}

fn read_trailer(line: &Line<'_>, records: u32, bytes: &[u8]) -> Result<(), CuxError> {
    line.exactly(&at::END, "END ")?;
    line.exactly(&at::TRAILER_RECORDS, &format!("{records:08}"))?;
    let covered = bytes.get(..bytes.len().saturating_sub(FRAME)).unwrap_or_default();
    line.exactly(&at::DIGEST, &digest(covered))?;
    line.filler(&at::TRAILER_FILLER)
}

fn expected_size(records: u32, detail_len: usize) -> usize {
    let records = usize::try_from(records).unwrap_or(usize::MAX);
    records.saturating_mul(detail_len.saturating_add(CRLF.len())).saturating_add(FRAME.saturating_mul(2))
}

fn digest(bytes: &[u8]) -> String {
    hex::encode_upper(Sha256::digest(bytes))
}

fn push(bytes: &mut Vec<u8>, line: &str) {
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(CRLF);
}
