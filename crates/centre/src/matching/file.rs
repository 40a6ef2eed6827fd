//! A wallet's daily file (对账文件): one line for each order it took money for, or gave money back on, that day.
//! A `refund` stands in it once the passenger has the money, and so only as `refunded`.
//!
//! ASCII, every line ended by LF, fields parted by commas, none quoted. Line 1: `WD1,WALLET,DAY,CREATED`. Then, by
//! order id: `ORDER,KIND,CARD,AMOUNT_FEN,STATE,REFERENCE,AT`. Last: `END,LINES,PAID_FEN,REFUNDED_FEN,HELD_FEN,SHA256`,
//! the digest over all bytes before its own line.
//!
//! Standard: none; the project's own format (docs/match.md).
//! Invariant: a file is taken whole or refused whole, and the refusal names line, field and what was expected.

use std::str::FromStr;

use model::{CardNumber, CardTime, Date, Fen, PurseFen, WalletId};
use sha2::{Digest, Sha256};

use crate::store::{OrderKind, words};

words! {
    /// What a wallet says of the money of one order at the end of its day.
    Word {
        /// Taken from the passenger for good: the order is done.
        Paid = "paid",
        /// Given back: the order is refused.
        Refunded = "refunded",
        /// Taken and held: the order is open.
        Held = "held",
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WalletLine {
    pub(crate) order: String,
    pub(crate) kind: OrderKind,
    /// As far as the wallet knows it.
    pub(crate) card: Option<CardNumber>,
    pub(crate) amount: PurseFen,
    pub(crate) word: Word,
    /// The wallet's own, of its ledger.
    pub(crate) reference: String,
    /// When the wallet last changed it.
    pub(crate) at: CardTime,
}

/// A file that was read: every check of the format has been passed.
#[derive(Clone, Debug)]
pub(crate) struct DayFile {
    pub(crate) lines: Vec<WalletLine>,
    pub(crate) sums: Sums,
}

/// What a wallet's orders of a day come to, by its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) paid: Fen,
    pub(crate) refunded: Fen,
    pub(crate) held: Fen,
}

/// What is wrong with a file, said so that its sender can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {field}: expected {expected}, found `{found}`")]
pub(crate) struct FileError {
    line: u64,
    field: &'static str,
    expected: String,
    found: String,
}

const MAGIC: &str = "WD1";
const FIELDS: [&str; 7] = ["order", "kind", "card", "amount_fen", "state", "reference", "at"];

struct Line<'a> {
    number: u64,
    fields: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn new(number: u64, text: &'a str, count: usize) -> Result<Self, FileError> {
        let fields: Vec<&str> = text.split(',').collect();
        if fields.len() == count {
            return Ok(Line { number, fields });
        }
        let found = format!("{} fields", fields.len());
        Err(FileError { line: number, field: "fields", expected: format!("{count} fields"), found })
    }

    fn raw(&self, index: usize) -> &'a str {
        self.fields.get(index).copied().unwrap_or_default()
    }

    fn wrong(&self, index: usize, field: &'static str, expected: impl Into<String>) -> FileError {
        let found = self.raw(index).chars().take(24);
        let found = if field == "card" { "(masked)".into() } else { found.collect() };
        FileError { line: self.number, field, expected: expected.into(), found }
    }

    fn parsed<T: FromStr>(&self, index: usize, field: &'static str, expected: &str) -> Result<T, FileError> {
        self.raw(index).parse().map_err(|_| self.wrong(index, field, expected))
    }

    fn exactly(&self, index: usize, field: &'static str, expected: &str) -> Result<(), FileError> {
        if self.raw(index) == expected {
            Ok(())
        } else {
            Err(self.wrong(index, field, format!("`{expected}`")))
        }
    }

    fn plain(&self, index: usize, field: &'static str) -> Result<String, FileError> {
        let text = self.raw(index);
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if plain && (1..=64).contains(&text.len()) {
            return Ok(text.to_owned());
        }
        Err(self.wrong(index, field, "1 to 64 of A-Z a-z 0-9 . _ -"))
    }

    /// Digits only: no sign, no space.
    fn fen(&self, index: usize, field: &'static str) -> Result<i64, FileError> {
        let text = self.raw(index);
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let fen = text.parse().ok().filter(|_| digits);
        fen.ok_or_else(|| self.wrong(index, field, "whole fen, digits only"))
    }
}

/// Reads the file that `wallet` sends for `day`.
///
/// # Errors
/// The first thing that is not as the format says.
pub(crate) fn read(wallet: &WalletId, day: Date, bytes: &[u8]) -> Result<DayFile, FileError> {
    let whole = |expected: &str, found: String| FileError {
        line: 1,
        field: "file",
        expected: expected.to_owned(),
        found,
    };
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii());
    let text = text.ok_or_else(|| whole("ASCII", "other bytes".into()))?;
    let body = text.strip_suffix('\n').ok_or_else(|| whole("a last line ended by LF", "none".into()))?;
    let rows: Vec<&str> = body.split('\n').collect();
    let [head, lines @ .., end] = rows.as_slice() else {
        return Err(whole("a header and a trailer", format!("{} line", rows.len())));
    };
    let head = Line::new(1, head, 4)?;
    head.exactly(0, "magic", MAGIC)?;
    head.exactly(1, "wallet", wallet.as_str())?;
    head.exactly(2, "day", &day.to_string())?;
    let _: CardTime = head.parsed(3, "created", "YYYY-MM-DD hh:mm:ss")?;
    let mut read = DayFile { lines: Vec::with_capacity(lines.len()), sums: Sums::default() };
    for (number, text) in (2..).zip(lines) {
        let line = Line::new(number, text, FIELDS.len())?;
        let next = read_line(&line)?;
        if read.lines.last().is_some_and(|last| last.order >= next.order) {
            return Err(line.wrong(0, "order", "an id after the line before, in the order of bytes"));
        }
        read.sums.add(&next).ok_or_else(|| line.wrong(3, "amount_fen", "a sum that fits"))?;
        read.lines.push(next);
    }
    let number = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    trailer(&Line::new(number, end, 6)?, &read, bytes.get(..body.len().saturating_sub(end.len())))?;
    Ok(read)
}

fn read_line(line: &Line<'_>) -> Result<WalletLine, FileError> {
    let kinds = "issue, load or refund";
    let kind = line.parsed(1, "kind", kinds)?;
    if !matches!(kind, OrderKind::Issue | OrderKind::Load | OrderKind::Refund) {
        return Err(line.wrong(1, "kind", kinds));
    }
    let word = line.parsed(4, "state", "paid, refunded or held")?;
    if kind == OrderKind::Refund && word != Word::Refunded {
        return Err(line.wrong(4, "state", "refunded, of a refund"));
    }
    let card = match line.raw(2) {
        "" => None,
        _ => Some(line.parsed(2, "card", "16 hex digits or nothing")?),
    };
    let amount = line.fen(3, "amount_fen")?;
    let amount = PurseFen::try_from(Fen::new(amount)).ok().filter(|amount| *amount > PurseFen::ZERO);
    Ok(WalletLine {
        order: line.plain(0, "order")?,
        kind,
        card,
        amount: amount.ok_or_else(|| line.wrong(3, "amount_fen", "more than 0, at most 2147483647"))?,
        word,
        reference: line.plain(5, "reference")?,
        at: line.parsed(6, "at", "YYYY-MM-DD hh:mm:ss")?,
    })
}

fn trailer(line: &Line<'_>, read: &DayFile, before: Option<&[u8]>) -> Result<(), FileError> {
    line.exactly(0, "end", "END")?;
    line.exactly(1, "lines", &read.lines.len().to_string())?;
    line.exactly(2, "paid_fen", &read.sums.paid.get().to_string())?;
    line.exactly(3, "refunded_fen", &read.sums.refunded.get().to_string())?;
    line.exactly(4, "held_fen", &read.sums.held.get().to_string())?;
    line.exactly(5, "sha256", &hex::encode(Sha256::digest(before.unwrap_or_default())))
}

impl Sums {
    /// `None` if the sum would not fit.
    pub(crate) fn add(&mut self, line: &WalletLine) -> Option<()> {
        let sum = match line.word {
            Word::Paid => &mut self.paid,
            Word::Refunded => &mut self.refunded,
            Word::Held => &mut self.held,
        };
        *sum = sum.plus(line.amount.into()).ok()?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &str, end: &str) -> String {
        let body = format!("WD1,alipay,2014-10-20,2014-10-21 00:05:00\n{lines}");
        let digest = hex::encode(Sha256::digest(body.as_bytes()));
        format!("{body}END,{end},{digest}\n")
    }

    fn said(text: &str) -> String {
        let read = read(&"alipay".parse().unwrap(), "2014-10-20".parse().unwrap(), text.as_bytes());
        read.map_or_else(|error| error.to_string(), |file| format!("{} lines", file.lines.len()))
    }

    const LINE: &str = "o1,load,2000990000000001,5000,paid,o1,2014-10-20 07:45:00\n";

    #[test]
    fn a_good_file_is_read_and_an_empty_day_is_a_file() {
        let two = format!("{LINE}o2,issue,,2000,held,o2,2014-10-20 08:00:00\n");
        assert_eq!(said(&file(&two, "2,5000,0,2000")), "2 lines");
        assert_eq!(said(&file("", "0,0,0,0")), "0 lines");
        let refund = LINE.replace("load", "refund").replace("paid", "refunded");
        assert_eq!(said(&file(&refund, "1,0,5000,0")), "1 lines");
    }

    #[test]
    fn a_bad_file_is_refused_with_line_and_field() {
        let line = |from: &str, to: &str| file(&LINE.replace(from, to), "1,5000,0,0");
        let good = file(LINE, "1,5000,0,0");
        for (text, expected) in [
            (line("5000", "50.00"), "line 2 amount_fen"),
            (line("5000", "-5000"), "line 2 amount_fen"),
            (line("5000", "0"), "line 2 amount_fen"),
            (line("load", "read"), "line 2 kind"),
            (line("load", "refund"), "line 2 state: expected refunded, of a refund"),
            (line("paid", "PAID"), "line 2 state"),
            (
                line("2000990000000001", "20009900000000"),
                "line 2 card: expected 16 hex digits or nothing, found `(masked)`",
            ),
            (line("o1,load", "o 1,load"), "line 2 order"),
            (line("paid,o1", "paid,"), "line 2 reference"),
            (line("07:45", "27:45"), "line 2 at"),
            (line(",paid", ""), "line 2 fields"),
            (file(&format!("{LINE}{LINE}"), "2,10000,0,0"), "line 3 order"),
            (file(LINE, "2,5000,0,0"), "line 3 lines"),
            (file(LINE, "1,5001,0,0"), "line 3 paid_fen"),
            (file(LINE, "1,5000,1,0"), "line 3 refunded_fen"),
            (file(LINE, "1,5000,0,1"), "line 3 held_fen"),
            (good.replace("5000,paid", "5000,held"), "line 3 paid_fen"),
            (good.replace("00:05:00", "00:05:01"), "line 3 sha256"),
            (good.replace("alipay", "wechat"), "line 1 wallet"),
            (good.replace("alipay,2014-10-20", "alipay,2014-10-21"), "line 1 day"),
            (good.trim_end().to_owned(), "line 1 file"),
            (String::new(), "line 1 file"),
            ("\n".into(), "line 1 file"),
            (good.replace('\n', "\r\n"), "line 1 created"),
            (good.replace("o1,load", "ö1,load"), "line 1 file"),
        ] {
            assert!(said(&text).starts_with(expected), "{text}\n{}", said(&text));
        }
    }
}
