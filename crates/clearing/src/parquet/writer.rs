//! Writing: row groups of bounded size, Snappy-compressed, dictionary-coded.

use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::parser::parse_message_type;

use super::CHUNK_ROWS;
use super::error::ParquetFault;
use super::row::{Column, Kind, Row};

pub(super) fn write<R: Row>(rows: &[R]) -> Result<Vec<u8>, ParquetFault> {
    write_all(rows).map_err(ParquetFault::Write)
}

fn write_all<R: Row>(rows: &[R]) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(&schema(R::COLUMNS))?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("yikatong clearing".to_owned())
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for chunk in rows.chunks(CHUNK_ROWS) {
        let mut group = file.next_row_group()?;
        for column in R::COLUMNS {
            if let Some(mut writer) = group.next_column()? {
                write_column(&mut writer, column, chunk)?;
                writer.close()?;
            }
        }
        group.close()?;
    }
    file.into_inner()
}

fn write_column<R: Row>(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    rows: &[R],
) -> Result<(), ParquetError> {
    let levels: Option<Vec<i16>> = column
        .nullable
        .then(|| rows.iter().map(|row| i16::from(row.number(column.name).is_some())).collect());
    let levels = levels.as_deref();
    let numbers = rows.iter().filter_map(|row| row.number(column.name));
    match column.kind {
        Kind::Number(_) => {
            let values: Vec<i32> =
                numbers.filter_map(|n| u32::try_from(n).ok()).map(u32::cast_signed).collect();
            writer.typed::<Int32Type>().write_batch(&values, levels, None)?;
        }
        Kind::Long => {
            let values: Vec<i64> = numbers.map(u64::cast_signed).collect();
            writer.typed::<Int64Type>().write_batch(&values, levels, None)?;
        }
        Kind::Moment => {
            let values: Vec<i64> =
                numbers.map(|seconds| seconds.saturating_mul(1000).cast_signed()).collect();
            writer.typed::<Int64Type>().write_batch(&values, levels, None)?;
        }
        Kind::Text => {
            let values: Vec<ByteArray> =
                rows.iter().map(|row| ByteArray::from(row.text(column.name))).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
    }
    Ok(())
}

fn schema(columns: &[Column]) -> String {
    let line = |column: &Column| {
        let repetition = if column.nullable { "OPTIONAL" } else { "REQUIRED" };
        let name = column.name;
        match column.kind {
            Kind::Number(bits) => format!("{repetition} INT32 {name} (INTEGER({bits},false));"),
            Kind::Long => format!("{repetition} INT64 {name} (INTEGER(64,false));"),
            Kind::Moment => format!("{repetition} INT64 {name} (TIMESTAMP(MILLIS,false));"),
            Kind::Text => format!("{repetition} BYTE_ARRAY {name} (STRING);"),
        }
    };
    let lines: Vec<String> = columns.iter().map(line).collect();
    format!("message rows {{ {} }}", lines.join(" "))
}
