//! One store on SQLite or PostgreSQL: statements in the words that both know, rows in the types that both have.
//!
//! Statements name their values `$1`, `$2`, … and hold no other `$`: SQLite is told `?1`, `?2`. Tables are written for SQLite, and
//! [`for_postgres`] says the same to PostgreSQL. Sums are cast to `BIGINT`, since PostgreSQL widens them.
//!
//! Invariant: a statement runs only between [`Db::enter`] and [`Db::leave`], so that of several centres on one
//! PostgreSQL one works at a time; a lost connection is an error of the request it was lost in, never a retry.

use std::cell::RefCell;

use super::postgres::Postgres;

/// The store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// SQLite's own reason.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL's own reason.
    #[error(transparent)]
    Postgres(#[from] ::postgres::Error),
    /// A column does not hold what this program writes there.
    #[error("column {column}: {what}")]
    Column {
        /// Which.
        column: String,
        /// What is wrong with it.
        what: String,
    },
    /// A number that no column holds.
    #[error("{0} is beyond what a column holds")]
    TooLarge(u64),
    /// What was written could not be flushed.
    #[error("the disk does not take what was written: {0}")]
    Disk(std::io::Error),
    /// The connection was lost, and the request that finds it so is refused.
    #[error("the connection to the database was lost")]
    Lost,
}

pub(crate) type DbResult<T> = Result<T, DbError>;

/// A value as both databases have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
    /// Refused when it is bound.
    TooLarge(u64),
}

/// The values of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use params;

/// An open database.
#[allow(clippy::large_enum_variant)] // there is one in a centre
pub(crate) enum Db {
    Sqlite(rusqlite::Connection),
    Postgres(RefCell<Postgres>),
}

/// A row of an answer.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a ::postgres::Row),
}

impl Db {
    /// Runs a statement that answers with no rows; says how many it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value]) -> DbResult<u64> {
        match self {
            Db::Sqlite(db) => {
                let changed =
                    db.prepare_cached(&for_sqlite(sql))?.execute(rusqlite::params_from_iter(values))?;
                Ok(u64::try_from(changed).unwrap_or(u64::MAX))
            }
            Db::Postgres(db) => db.borrow_mut().execute(sql, values),
        }
    }

    /// Gives each row to `each`, which must not use the database itself.
    pub(crate) fn each<E: From<DbError>>(
        &self,
        sql: &str,
        values: &[Value],
        mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Db::Sqlite(db) => {
                let mut query = db.prepare_cached(&for_sqlite(sql)).map_err(DbError::from)?;
                let mut rows = query.query(rusqlite::params_from_iter(values)).map_err(DbError::from)?;
                while let Some(row) = rows.next().map_err(DbError::from)? {
                    each(&Row::Sqlite(row))?;
                }
                Ok(())
            }
            Db::Postgres(db) => db.borrow_mut().each(sql, values, |row| each(&Row::Postgres(row))),
        }
    }

    /// Every row, as `read` makes it.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> DbResult<Vec<T>> {
        let mut all = Vec::new();
        self.each(sql, values, |row| -> DbResult<()> {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl Fn(&Row<'_>) -> DbResult<T>,
    ) -> DbResult<Option<T>> {
        Ok(self.all(sql, values, read)?.into_iter().next())
    }

    /// The only value of the only row, such as a count.
    pub(crate) fn figure<T: FromValue>(&self, sql: &str, values: &[Value]) -> DbResult<T> {
        let figure = self.one(sql, values, |row| row.at(0))?;
        figure.ok_or_else(|| DbError::Column { column: "0".into(), what: "no row".into() })
    }

    /// Inserts many rows; `into` ends before `VALUES`.
    pub(crate) fn insert_all(&self, into: &str, rows: impl IntoIterator<Item = Vec<Value>>) -> DbResult<()> {
        /// Rows a statement: below the number of values that either database takes.
        const AT_ONCE: usize = 100;
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<Vec<Value>> = rows.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut places = 1_u32..;
            let mut row_places = |row: &Vec<Value>| {
                let names: Vec<String> =
                    row.iter().filter_map(|_| places.next()).map(|n| format!("${n}")).collect();
                format!("({})", names.join(", "))
            };
            let places: Vec<String> = some.iter().map(&mut row_places).collect();
            let values: Vec<Value> = some.into_iter().flatten().collect();
            self.execute(&format!("{into} VALUES {}", places.join(", ")), &values)?;
        }
    }

    /// Runs statements that take no values.
    pub(crate) fn batch(&self, sql: &str) -> DbResult<()> {
        match self {
            Db::Sqlite(db) => Ok(db.execute_batch(sql)?),
            Db::Postgres(db) => db.borrow_mut().batch(sql),
        }
    }

    /// Waits for this centre's turn, and mends a lost connection. Where it fails, every statement fails.
    pub(crate) fn enter(&self) {
        if let Db::Postgres(db) = self {
            db.borrow_mut().enter();
        }
    }

    /// The turn is over.
    pub(crate) fn leave(&self) {
        if let Db::Postgres(db) = self {
            db.borrow_mut().leave();
        }
    }

    /// Whether it is a server that other centres may share.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Db::Postgres(_))
    }
}

/// SQLite counts `$1` as a name, in the order of first use; `?1` is the first value wherever it stands.
fn for_sqlite(sql: &str) -> String {
    sql.replace('$', "?")
}

/// A type that a column gives.
pub(crate) trait FromValue: Sized {
    /// `None` if it is none of ours.
    fn from_value(value: Value) -> Option<Self>;
}

impl Row<'_> {
    /// The column's value.
    pub(crate) fn get<T: FromValue>(&self, column: &str) -> DbResult<T> {
        let value = match self {
            Row::Sqlite(row) => row.get::<_, Value>(column)?,
            Row::Postgres(row) => row.try_get::<_, Value>(column)?,
        };
        read(column, value)
    }

    /// The value of the column at a place, from 0.
    pub(crate) fn at<T: FromValue>(&self, place: usize) -> DbResult<T> {
        let value = match self {
            Row::Sqlite(row) => row.get::<_, Value>(place)?,
            Row::Postgres(row) => row.try_get::<_, Value>(place)?,
        };
        read(&place.to_string(), value)
    }
}

fn read<T: FromValue>(column: &str, value: Value) -> DbResult<T> {
    let what = value.kind();
    T::from_value(value).ok_or_else(|| DbError::Column { column: column.into(), what: what.into() })
}

impl Value {
    /// What it is, without saying it.
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing where something is expected",
            Value::Integer(_) => "a number where none is expected, or out of range",
            Value::Text(_) => "a text where none is expected",
            Value::Blob(_) => "bytes where none are expected, or too many or too few",
            Value::TooLarge(_) => "a number out of range",
        }
    }
}

macro_rules! integers {
    ($($number:ty)*) => { $(
        impl From<$number> for Value {
            fn from(number: $number) -> Self { Value::Integer(number.into()) }
        }
        impl FromValue for $number {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )* };
}
integers!(u8 u16 u32 i64);

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Value::TooLarge(number), Value::Integer)
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Integer(truth.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(text.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Blob(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Blob(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Value::Blob(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Value::Blob(bytes.to_vec())
    }
}

impl<T> From<Option<T>> for Value
where
    Value: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Value::from(text.clone())
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value) -> Option<Self> {
        Vec::from_value(value)?.try_into().ok()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::TooLarge(number) => {
                return Err(rusqlite::Error::ToSqlConversionFailure(DbError::TooLarge(*number).into()));
            }
        }))
    }
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        use rusqlite::types::{FromSqlError, ValueRef};
        Ok(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|e| FromSqlError::Other(Box::new(e)))?;
                Value::Text(text.to_owned())
            }
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            ValueRef::Real(_) => return Err(FromSqlError::InvalidType),
        })
    }
}
