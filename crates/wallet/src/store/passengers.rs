//! Passengers (乘客) and their phones.

use model::CardTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::{parsed, parsed_if_any};
use crate::push::Device;

/// One passenger.
#[derive(Clone, Debug)]
pub(crate) struct PassengerRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// PHC string.
    pub(crate) password: String,
    pub(crate) tries: Tries,
    pub(crate) since: CardTime,
}

/// The tries at a password that were not right, since the last right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) count: u32,
    pub(crate) locked_until: Option<CardTime>,
}

impl PassengerRow {
    pub(crate) fn named(db: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached("SELECT * FROM passengers WHERE name = ?1")?
            .query_row(params![name], |row| {
                Ok(PassengerRow {
                    id: row.get("id")?,
                    name: row.get("name")?,
                    password: row.get("password")?,
                    tries: Tries {
                        count: row.get("tries")?,
                        locked_until: parsed_if_any(row, "locked_until")?,
                    },
                    since: parsed(row, "since")?,
                })
            })
            .optional()
    }

    pub(crate) fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached("INSERT INTO passengers (id, name, password, since) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.id, self.name, self.password, self.since.to_string()])?;
        Ok(())
    }
}

impl Tries {
    /// Writes them down.
    pub(crate) fn keep(self, db: &Connection, passenger: &str) -> rusqlite::Result<()> {
        db.prepare_cached("UPDATE passengers SET tries = ?2, locked_until = ?3 WHERE id = ?1")?
            .execute(params![passenger, self.count, self.locked_until.map(|until| until.to_string())])?;
        Ok(())
    }
}

/// A passenger's phones, in the order of their elements.
pub(crate) fn devices(db: &Connection, passenger: &str) -> rusqlite::Result<Vec<Device>> {
    db.prepare_cached("SELECT se_id, phone, agent_url FROM devices WHERE passenger = ?1 ORDER BY se_id")?
        .query_map(params![passenger], |row| {
            Ok(Device { se_id: row.get(0)?, phone: row.get(1)?, agent_url: row.get(2)? })
        })?
        .collect()
}

/// A phone, new or known by its element. An address that is not given leaves the known one.
pub(crate) fn add_device(db: &Connection, passenger: &str, device: &Device) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO devices (passenger, se_id, phone, agent_url) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (passenger, se_id)
         DO UPDATE SET phone = excluded.phone, agent_url = coalesce(excluded.agent_url, agent_url)",
    )?
    .execute(params![passenger, device.se_id, device.phone, device.agent_url])?;
    Ok(())
}
