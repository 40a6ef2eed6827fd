//! Fixed-width fields: one table says where each stands, one reader and one writer obey it.
//!
//! Invariant: a field that does not hold exactly what its kind allows is an error with its place; nothing is
//! trimmed, guessed or repaired.

use model::{CardTime, Date};

use super::error::{CuxError, Place};

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Decimal digits, zeros on the left.
    Digits,
    /// Upper-case hex digits, zeros on the left.
    Hex,
    /// Printable ASCII, spaces on the right.
    Text,
    /// Nothing but the letter F.
    Filler,
    /// As digits or hex, but never shown in an error.
    Masked,
}

/// One field of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// First column, counted from 1.
    pub(super) at: u16,
    pub(super) len: u16,
    pub(super) form: Form,
}

impl Field {
    pub(super) const fn new(name: &'static str, at: u16, len: u16, form: Form) -> Self {
        Field { name, at, len, form }
    }

    fn range(&self) -> std::ops::Range<usize> {
        let start = usize::from(self.at).saturating_sub(1);
        start..start.saturating_add(usize::from(self.len))
    }
}

/// One line of a file, without its CRLF.
pub(super) struct Line<'a> {
    pub(super) file: &'a str,
    pub(super) number: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Line<'a> {
    fn raw(&self, field: &Field) -> Result<&'a str, CuxError> {
        let bytes = self.bytes.get(field.range()).unwrap_or_default();
        let printable =
            bytes.len() == usize::from(field.len) && bytes.iter().all(|b| (0x20..0x7F).contains(b));
        let text = if printable { std::str::from_utf8(bytes).ok() } else { None };
        text.ok_or_else(|| self.wrong(field, format!("{} printable ASCII characters", field.len)))
    }

    /// A decimal number.
    pub(super) fn number(&self, field: &Field) -> Result<u64, CuxError> {
        let text = self.raw(field)?;
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| self.wrong(field, format!("{} decimal digits", field.len)))
    }

    /// A decimal number of a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&self, field: &Field, expected: &str) -> Result<T, CuxError> {
        let number = self.number(field)?;
        T::try_from(number).map_err(|_| self.wrong(field, expected.to_owned()))
    }

    /// A hex number of at most 64 bits; wider fields start with zeros.
    pub(super) fn hex(&self, field: &Field) -> Result<u64, CuxError> {
        let text = self.raw(field)?;
        let upper = text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        let number = if upper { u128::from_str_radix(text, 16).ok() } else { None };
        let number =
            number.ok_or_else(|| self.wrong(field, format!("{} upper-case hex digits", field.len)))?;
        u64::try_from(number).map_err(|_| self.wrong(field, "at most 16 hex digits after zeros".to_owned()))
    }

    /// A hex number of a narrower type.
    pub(super) fn narrow_hex<T: TryFrom<u64>>(&self, field: &Field, expected: &str) -> Result<T, CuxError> {
        let number = self.hex(field)?;
        T::try_from(number).map_err(|_| self.wrong(field, expected.to_owned()))
    }

    /// Text, parsed into `T`.
    pub(super) fn text<T: std::str::FromStr>(&self, field: &Field, expected: &str) -> Result<T, CuxError> {
        self.raw(field)?.trim_end_matches(' ').parse().map_err(|_| self.wrong(field, expected.to_owned()))
    }

    /// A day, `YYYYMMDD`.
    pub(super) fn day(&self, field: &Field) -> Result<Date, CuxError> {
        day(self.number(field)?).ok_or_else(|| self.wrong(field, "a day, YYYYMMDD".to_owned()))
    }

    /// A moment, `YYYYMMDDhhmmss`.
    pub(super) fn moment(&self, field: &Field) -> Result<CardTime, CuxError> {
        moment(self.number(field)?).ok_or_else(|| self.wrong(field, "a moment, YYYYMMDDhhmmss".to_owned()))
    }

    /// Exactly this text.
    pub(super) fn exactly(&self, field: &Field, expected: &str) -> Result<(), CuxError> {
        if self.raw(field)? == expected { Ok(()) } else { Err(self.wrong(field, format!("`{expected}`"))) }
    }

    /// Nothing but F.
    pub(super) fn filler(&self, field: &Field) -> Result<(), CuxError> {
        let full = self.raw(field)?.bytes().all(|b| b == b'F');
        if full { Ok(()) } else { Err(self.wrong(field, format!("{} x F", field.len))) }
    }

    /// A zero in a field that this kind of record does not use.
    pub(super) fn unused(&self, field: &Field) -> Result<(), CuxError> {
        if self.hex(field)? == 0 { Ok(()) } else { Err(self.wrong(field, "zeros".to_owned())) }
    }

    /// The error that names this line and field.
    pub(super) fn wrong(&self, field: &Field, expected: String) -> CuxError {
        let found = if field.form == Form::Masked {
            "(masked)".to_owned()
        } else {
            let bytes = self.bytes.get(field.range()).unwrap_or_default();
            bytes
                .iter()
                .take(24)
                .map(|&b| if (0x20..0x7F).contains(&b) { char::from(b) } else { '?' })
                .collect()
        };
        CuxError::Field { place: place(self.file, self.number, field), expected, found }
    }
}

/// Builds one line, field after field in the table's order.
pub(super) struct LineWriter<'a> {
    pub(super) file: &'a str,
    pub(super) number: u32,
    pub(super) text: String,
}

impl<'a> LineWriter<'a> {
    pub(super) fn new(file: &'a str, number: u32, capacity: usize) -> Self {
        LineWriter { file, number, text: String::with_capacity(capacity) }
    }

    /// A number, in the field's own form.
    pub(super) fn number(&mut self, field: &Field, value: u64) -> Result<(), CuxError> {
        let width = usize::from(field.len);
        let text = match field.form {
            Form::Hex | Form::Masked => format!("{value:0width$X}"),
            Form::Digits | Form::Text | Form::Filler => format!("{value:0width$}"),
        };
        self.push(field, text)
    }

    /// Text, spaces on the right.
    pub(super) fn text(&mut self, field: &Field, value: &str) -> Result<(), CuxError> {
        let width = usize::from(field.len);
        self.push(field, format!("{value:<width$}"))
    }

    /// The filler.
    pub(super) fn filler(&mut self, field: &Field) -> Result<(), CuxError> {
        self.push(field, "F".repeat(usize::from(field.len)))
    }

    fn push(&mut self, field: &Field, text: String) -> Result<(), CuxError> {
        let printable = text.bytes().all(|b| (0x20..0x7F).contains(&b));
        if text.len() != usize::from(field.len) || !printable {
            let value = if field.form == Form::Masked { "(masked)".to_owned() } else { text };
            let width = usize::from(field.len);
            return Err(CuxError::Width { place: place(self.file, self.number, field), value, width });
        }
        self.text.push_str(&text);
        Ok(())
    }
}

fn place(file: &str, line: u32, field: &Field) -> Place {
    Place { file: file.to_owned(), line, field: field.name, column: field.at }
}

/// The day of `YYYYMMDD`.
pub(super) fn day(digits: u64) -> Option<Date> {
    if digits > 99_999_999 {
        return None;
    }
    Date::from_bcd(model::bcd::encode(digits))
}

/// The moment of `YYYYMMDDhhmmss`.
pub(super) fn moment(digits: u64) -> Option<CardTime> {
    let date = u64::checked_div(digits, 1_000_000).filter(|date| *date <= 99_999_999)?;
    CardTime::from_bcd(model::bcd::encode(date), model::bcd::encode(digits % 1_000_000))
}

/// `YYYYMMDDhhmmss` of a moment, as a number.
pub(super) fn moment_digits(at: CardTime) -> u64 {
    at.date().digits().saturating_mul(1_000_000).saturating_add(time_digits(at))
}

/// `hhmmss` of a moment, as a number.
pub(super) fn time_digits(at: CardTime) -> u64 {
    model::bcd::decode(&at.time_bcd()).unwrap_or(0)
}
