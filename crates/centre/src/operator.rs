//! The cities' door (通卡公司与运营单位接入): record files in, verdicts and lists out.
//!
//! Standard: CUX 1, the project's own format (clearing.md section 3.4).
//! Invariant: a file is taken whole or not at all, once, by its content; every record of it gets one verdict at
//! intake. A city sends only its own taps and reads only its own files.

use clearing::Record;
use clearing::cux::{self, CuxFile};
use clearing::judge::{Bench, ByCity, DenyList, Judgment, Window, judge};
use model::{CardNumber, CityCode, Date, Fen, TapRecord};
use sha2::{Digest, Sha256};

use crate::core::{Core, State};
use crate::money::overflow;
use crate::problem::{Code, Problem};
use crate::store::{Claims, Event, FileRow, NotPaid, add_sights, deny, deny_list};

/// Readers fetch their lists once a day at least.
pub(crate) const DENY_GRACE_SECONDS: i64 = 24 * 3600;

impl Core {
    /// Takes a file of taps in and judges it; the same file again gives the same receipt.
    pub(crate) fn take_in(&self, sender: CityCode, name: &str, bytes: &[u8]) -> Result<FileRow, Problem> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let mut state = self.state();
        if let Some(stored) = known(&state, sender, name, &digest)? {
            return Ok(stored);
        }
        let file = cux::read_taps(name, bytes).map_err(|error| Code::FileRefused.about(error))?;
        if file.name.from != sender {
            return Err(Code::NotYours.about(name));
        }
        if file.name.to != cux::CENTRE {
            return Err(Code::FileRefused
                .about(format!("{name} is addressed to {}, not to the centre", file.name.to)));
        }
        let day = state.open_day(self.now())?;
        let records = numbered(&file);
        let judgment = self.judged(&state, &records, day)?;
        let row = self.receipt(&file, digest, day, &judgment)?;
        let about = format!("{name}: {} / {}", row.paid, row.records);
        let event =
            Event { at: row.taken_at, kind: "file-taken-in".into(), about, amount: Some(row.paid_amount) };
        state.store.write(|db| {
            row.insert(db, &records, &judgment)?;
            add_sights(db, day, &records, &judgment)?;
            event.insert(db)?;
            Ok(())
        })?;
        tracing::info!(file = name, records = row.records, paid = row.paid, "file taken in");
        Ok(row)
    }

    /// A file's receipt and the records of it that were not plainly accepted.
    pub(crate) fn verdicts(&self, sender: CityCode, name: &str) -> Result<(FileRow, Vec<NotPaid>), Problem> {
        let state = self.state();
        let db = state.store.read();
        let file = FileRow::find(db, name)?.ok_or_else(|| Code::UnknownFile.about(name))?;
        if file.sender != sender {
            return Err(Code::NotYours.about(name));
        }
        let not_paid = file.not_paid(db)?;
        Ok((file, not_paid))
    }

    /// The deny list as it stands.
    pub(crate) fn deny_list(&self) -> Result<DenyList, Problem> {
        Ok(deny_list(self.state().store.read())?)
    }

    /// Puts a city's own card on the deny list. Taps are paid until its grace time (宽限期) has passed: a reader that
    /// holds the list before this one could not know.
    pub(crate) fn deny(&self, city: CityCode, number: CardNumber) -> Result<DenyList, Problem> {
        let since = self.now().plus_seconds(DENY_GRACE_SECONDS);
        self.state().store.write(|db| {
            deny(db, city, number, since)?;
            Ok(deny_list(db)?)
        })
    }

    fn judged(&self, state: &State, records: &[Record], day: Date) -> Result<Judgment, Problem> {
        let db = state.store.read();
        let denied = deny_list(db)?;
        let bench = Bench {
            registry: self.registry(),
            proofs: &ByCity(self.keys()),
            seen: &Claims(db),
            deny: Some(&denied),
            day,
            window: Window::default(),
        };
        judge(records, bench).map_err(|error| {
            tracing::error!(%error, "claims cannot be looked up");
            Code::StoreFailed.about("centre.db")
        })
    }

    fn receipt(
        &self,
        file: &CuxFile<TapRecord>,
        digest: [u8; 32],
        day: Date,
        judgment: &Judgment,
    ) -> Result<FileRow, Problem> {
        let paid = || judgment.rulings.iter().filter(|ruling| ruling.is_paid());
        let count = |rulings: usize| u64::try_from(rulings).unwrap_or(u64::MAX);
        Ok(FileRow {
            name: file.name.to_string(),
            batch: file.name.batch(),
            digest,
            sender: file.name.from,
            day,
            records: count(judgment.rulings.len()),
            paid: count(paid().count()),
            paid_amount: Fen::sum(paid().map(|ruling| ruling.amount.into())).map_err(overflow)?,
            home: count(paid().filter(|ruling| !ruling.route.is_away()).count()),
            taken_at: self.now(),
        })
    }
}

/// The receipt, if this very file was taken in before; a problem, if its name or its content was.
fn known(state: &State, sender: CityCode, name: &str, digest: &[u8; 32]) -> Result<Option<FileRow>, Problem> {
    let db = state.store.read();
    match FileRow::find(db, name)? {
        Some(stored) if stored.sender != sender => Err(Code::NotYours.about(name)),
        Some(stored) if stored.digest == *digest => Ok(Some(stored)),
        Some(stored) => Err(Problem::taken(Code::FileNameTaken, name, stored.digest)),
        None => match FileRow::with_digest(db, digest)? {
            Some(other) => Err(Code::FileContentKnown.about(other.name)),
            None => Ok(None),
        },
    }
}

fn numbered(file: &CuxFile<TapRecord>) -> Vec<Record> {
    let batch = file.name.batch();
    file.lines().map(|(line_no, numbered)| Record { batch, line_no, tap: numbered.record.clone() }).collect()
}
