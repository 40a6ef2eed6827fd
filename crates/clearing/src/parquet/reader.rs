//! Reading: a file of ours, or one that another program wrote with the same columns.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;

use super::CHUNK_ROWS;
use super::error::ParquetFault;
use super::row::{Cells, Column, Kind, Row, Values};

/// How the numbers of a column in this file become ours.
#[derive(Clone, Copy)]
enum Numbers {
    Signed,
    Unsigned,
    /// Ticks in a second.
    Ticks(u64),
}

/// Where one of our columns stands in this file.
#[derive(Clone, Copy)]
struct Found {
    index: usize,
    numbers: Numbers,
    optional: bool,
}

/// A row group being read.
struct Group {
    columns: Vec<Option<ColumnReader>>,
    rows_left: usize,
}

/// Reads rows, at most [`CHUNK_ROWS`] at once. After an error it gives nothing more.
pub(super) struct Reader<R> {
    file: String,
    reader: SerializedFileReader<Bytes>,
    found: Vec<Option<Found>>,
    next_group: usize,
    group: Option<Group>,
    rows_read: u64,
    failed: bool,
    row: PhantomData<R>,
}

impl<R: Row> Reader<R> {
    pub(super) fn open(file: &str, bytes: Bytes) -> Result<Self, ParquetFault> {
        guarded(file, || Self::open_unguarded(file, bytes))
    }

    fn open_unguarded(file: &str, bytes: Bytes) -> Result<Self, ParquetFault> {
        let reader = SerializedFileReader::new(bytes)
            .map_err(|source| ParquetFault::Open { file: file.to_owned(), source })?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let locate = |column: &Column| {
            let at = schema.columns().iter().position(|found| found.path().string() == column.name);
            match at {
                Some(index) => check(file, column, &schema.column(index), index).map(Some),
                None if column.needed => {
                    let (column, expected) = (column.name, column.kind.expected());
                    Err(ParquetFault::Missing { file: file.to_owned(), column, expected })
                }
                None => Ok(None),
            }
        };
        let found = R::COLUMNS.iter().map(locate).collect::<Result<_, _>>()?;
        let file = file.to_owned();
        Ok(Reader {
            file,
            reader,
            found,
            next_group: 0,
            group: None,
            rows_read: 0,
            failed: false,
            row: PhantomData,
        })
    }

    /// The group with rows left to read, opening the next ones as needed; `None` at the end.
    fn current_group(&mut self) -> Result<Option<&mut Group>, ParquetFault> {
        while self.group.as_ref().is_none_or(|group| group.rows_left == 0) {
            if self.next_group >= self.reader.num_row_groups() {
                return Ok(None);
            }
            let open = |source| ParquetFault::Open { file: self.file.clone(), source };
            let group = self.reader.get_row_group(self.next_group).map_err(open)?;
            self.next_group = self.next_group.saturating_add(1);
            let rows = group.metadata().num_rows();
            let rows_left = usize::try_from(rows)
                .map_err(|_| open(ParquetError::General(format!("a row group of {rows} rows"))))?;
            let columns = R::COLUMNS.iter().zip(&self.found).map(|(column, found)| {
                let reader = found.map(|found| group.get_column_reader(found.index)).transpose();
                reader.map_err(|source| self.damaged(column, source))
            });
            let columns = columns.collect::<Result<_, _>>()?;
            self.group = Some(Group { columns, rows_left });
        }
        Ok(self.group.as_mut())
    }

    fn read_chunk(&mut self) -> Result<Option<Vec<R>>, ParquetFault> {
        let file = self.file.clone();
        let found = self.found.clone();
        let first = self.rows_read;
        let Some(group) = self.current_group()? else { return Ok(None) };
        let rows = group.rows_left.min(CHUNK_ROWS);
        let mut values = Vec::with_capacity(R::COLUMNS.len());
        for ((column, found), reader) in R::COLUMNS.iter().zip(&found).zip(&mut group.columns) {
            values.push(match (found, reader) {
                (Some(found), Some(reader)) => read_column(&file, column, *found, reader, rows)?,
                _ => Values::Absent,
            });
        }
        group.rows_left = group.rows_left.saturating_sub(rows);
        let chunk = (0..rows).zip(first.saturating_add(1)..).map(|(index, row)| {
            R::from_cells(&Cells { file: &file, columns: R::COLUMNS, values: &values, index, row })
        });
        let chunk: Vec<R> = chunk.collect::<Result<_, _>>()?;
        self.rows_read = first.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        Ok(Some(chunk))
    }

    fn damaged(&self, column: &Column, source: ParquetError) -> ParquetFault {
        ParquetFault::Column { file: self.file.clone(), column: column.name, source }
    }
}

impl<R: Row> Iterator for Reader<R> {
    type Item = Result<Vec<R>, ParquetFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let file = self.file.clone();
        let chunk = guarded(&file, || self.read_chunk()).transpose();
        self.failed = matches!(chunk, Some(Err(_)));
        chunk
    }
}

/// Runs a step of the format's reader, which panics on some damaged files; a reader that has panicked is not asked
/// again, so nothing half-changed is ever seen.
fn guarded<T>(file: &str, step: impl FnOnce() -> Result<T, ParquetFault>) -> Result<T, ParquetFault> {
    catch_unwind(AssertUnwindSafe(step))
        .unwrap_or_else(|_| Err(ParquetFault::Damaged { file: file.to_owned() }))
}

fn check(file: &str, column: &Column, found: &ColumnDescriptor, index: usize) -> Result<Found, ParquetFault> {
    let wrong = || ParquetFault::Type {
        file: file.to_owned(),
        column: column.name,
        found: format!("{:?} {:?}", found.physical_type(), found.converted_type()),
        expected: column.kind.expected(),
    };
    let (physical, logical) = (found.physical_type(), found.logical_type_ref());
    let unsigned = matches!(logical, Some(LogicalType::Integer(kind)) if !kind.is_signed)
        || matches!(
            found.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
    let plain = if unsigned { Numbers::Unsigned } else { Numbers::Signed };
    let numbers = match (column.kind, physical) {
        (Kind::Number(_), Type::INT32 | Type::INT64) | (Kind::Long, Type::INT64) => plain,
        (Kind::Text, Type::BYTE_ARRAY) => Numbers::Signed,
        (Kind::Moment, Type::INT64) => Numbers::Ticks(ticks(found).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    let flat = found.max_rep_level() == 0 && (0..=1).contains(&found.max_def_level());
    if !flat {
        return Err(wrong());
    }
    Ok(Found { index, numbers, optional: found.max_def_level() == 1 })
}

fn ticks(found: &ColumnDescriptor) -> Option<u64> {
    match (found.logical_type_ref(), found.converted_type()) {
        (Some(LogicalType::Timestamp(kind)), _) => match kind.unit {
            TimeUnit::MILLIS => Some(1_000),
            TimeUnit::MICROS => Some(1_000_000),
            TimeUnit::NANOS => Some(1_000_000_000),
        },
        (_, ConvertedType::TIMESTAMP_MILLIS) => Some(1_000),
        (_, ConvertedType::TIMESTAMP_MICROS) => Some(1_000_000),
        _ => None,
    }
}

fn read_column(
    file: &str,
    column: &Column,
    found: Found,
    reader: &mut ColumnReader,
    rows: usize,
) -> Result<Values, ParquetFault> {
    let values = match reader {
        ColumnReader::Int32ColumnReader(reader) => {
            let cells = read_cells(reader, found.optional, rows);
            cells.map(|cells| {
                Values::Numbers(cells.into_iter().map(|n| n.and_then(|n| narrow(n, found))).collect())
            })
        }
        ColumnReader::Int64ColumnReader(reader) => {
            let cells = read_cells(reader, found.optional, rows);
            cells.map(|cells| {
                Values::Numbers(cells.into_iter().map(|n| n.and_then(|n| wide(n, found))).collect())
            })
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            read_cells(reader, found.optional, rows).map(Values::Texts)
        }
        _ => Ok(Values::Absent),
    };
    let values = values.map_err(|source| ParquetFault::Column {
        file: file.to_owned(),
        column: column.name,
        source,
    })?;
    let count = match &values {
        Values::Absent => 0,
        Values::Numbers(numbers) => numbers.len(),
        Values::Texts(texts) => texts.len(),
    };
    if count != rows {
        let file = file.to_owned();
        return Err(ParquetFault::Short { file, column: column.name, found: count, expected: rows });
    }
    Ok(values)
}

fn narrow(number: i32, found: Found) -> Option<u64> {
    match found.numbers {
        Numbers::Unsigned => Some(number.cast_unsigned().into()),
        Numbers::Signed | Numbers::Ticks(_) => u64::try_from(number).ok(),
    }
}

fn wide(number: i64, found: Found) -> Option<u64> {
    match found.numbers {
        Numbers::Unsigned => Some(number.cast_unsigned()),
        Numbers::Signed => u64::try_from(number).ok(),
        Numbers::Ticks(ticks) => {
            let number = u64::try_from(number).ok().filter(|number| number.checked_rem(ticks) == Some(0))?;
            number.checked_div(ticks)
        }
    }
}

fn read_cells<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    optional: bool,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let levels_wanted = optional.then_some(&mut levels);
    reader.read_records(rows, levels_wanted, None, &mut values)?;
    if !optional {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
}
