//! One registry file as text, and what is wrong with it: which file, which line, which field, what was expected.
//!
//! Invariant: whatever the text, reading it gives a value or a [`Problem`], never a panic.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong in one registry file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path inside the registry, such as `cities/shanghai.toml`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Field, such as `fare.flat.list_fen`; empty if the line is not a field.
    pub field: String,
    /// What is wrong, and what was expected.
    pub what: String,
}

/// Everything that is wrong with a registry, at least one problem, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RegistryError {
    problems: Vec<Problem>,
}

/// A file's path and text.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    text: &'a str,
}

impl RegistryError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        RegistryError { problems }
    }

    /// The problems, one by one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// `cities/shanghai.toml:3: code: what is wrong`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.what)
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Source { file, text }
    }

    /// The file's name without its folder and `.toml`.
    pub(super) fn stem(&self) -> &'a str {
        let name = self.file.rsplit('/').next().unwrap_or(self.file);
        name.strip_suffix(".toml").unwrap_or(name)
    }

    /// The text as a `T`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Problem {
                file: self.file.to_owned(),
                line: self.line(at),
                field: self.field_at(at).unwrap_or_default(),
                what: error.message().replace('\n', "; "),
            }
        })
    }

    /// A problem with `field`, a path such as `lines.0.code`; the line is that of the field, or of the
    /// nearest table around it that the file has.
    pub(super) fn problem(&self, field: &str, what: impl fmt::Display) -> Problem {
        let line = self.span_of(field).map_or(1, |span| self.line(span.start));
        Problem { file: self.file.to_owned(), line, field: field.to_owned(), what: what.to_string() }
    }

    /// Whether the file states `field` itself.
    pub(super) fn states(&self, field: &str) -> bool {
        DeTable::parse(self.text).is_ok_and(|table| {
            let mut steps = field.split('.');
            steps.next().and_then(|key| table.get_ref().get(key)).is_some_and(|first| {
                steps.try_fold(first.get_ref(), |value, step| child(value, step)).is_some()
            })
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count().saturating_add(1)
    }

    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let table = DeTable::parse(self.text).ok()?;
        let mut steps = field.split('.');
        let (key, first) = table.get_ref().get_key_value(steps.next()?)?;
        let (mut span, mut value) = (key.span(), first.get_ref());
        for step in steps {
            let Some((at, next)) = located(value, step) else { break };
            (span, value) = (at, next);
        }
        Some(span)
    }

    fn field_at(&self, offset: usize) -> Option<String> {
        let table = DeTable::parse(self.text).ok()?;
        path_in(table.get_ref(), offset)
    }
}

fn child<'v, 'i>(value: &'v DeValue<'i>, step: &str) -> Option<&'v DeValue<'i>> {
    located(value, step).map(|(_, next)| next)
}

/// The value behind a key or an index, and where its name (or, in an array, it) stands.
fn located<'v, 'i>(value: &'v DeValue<'i>, step: &str) -> Option<(Range<usize>, &'v DeValue<'i>)> {
    match value {
        DeValue::Table(table) => table.get_key_value(step).map(|(key, next)| (key.span(), next.get_ref())),
        DeValue::Array(array) => {
            let item = array.get(step.parse::<usize>().ok()?)?;
            Some((item.span(), item.get_ref()))
        }
        _ => None,
    }
}

/// The path of the innermost field whose key or value covers `offset`.
fn path_in(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let here = || key.span().contains(&offset) || value.span().contains(&offset);
        let inner = path_under(value.get_ref(), offset).map(|inner| format!("{}.{inner}", key.get_ref()));
        inner.or_else(|| here().then(|| key.get_ref().to_string()))
    })
}

fn path_under(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => path_in(table, offset),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, item)| {
            let inner = path_under(item.get_ref(), offset).map(|inner| format!("{index}.{inner}"));
            inner.or_else(|| item.span().contains(&offset).then(|| index.to_string()))
        }),
        _ => None,
    }
}
