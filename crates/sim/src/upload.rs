//! The evening (日终): back ends collect their readers' batches, upload them, and the centre closes the day.
//!
//! One back end is dishonest: it adds a forged record, a doubled one, and one of a card that does not exist.

use std::collections::BTreeMap;

use clearing::cux::FileName;
use model::{CardNumber, CardTime, CityCode, Date, Fen, PurseFen, Tac, TapRecord, TerminalId};
use serde_json::Value;

use crate::SimError;
use crate::network::Network;

/// Fewer than a file may hold, so that one is quickly taken.
const RECORDS_PER_FILE: usize = 20_000;

/// Uploads every reader's batch, closes the day, and matches it.
pub(crate) fn evening(network: &mut Network<'_>, day: Date, at: CardTime) -> Result<(), SimError> {
    network.clock.advance_to(at);
    collect(network, day, at, 1, true)?;
    close(network, day)?;
    match_day(network, day)
}

/// Wallets send their daily files, and the centre matches them with its ledger and the cards.
fn match_day(network: &mut Network<'_>, day: Date) -> Result<(), SimError> {
    network.desk.send_day(day)?;
    let (links, clock) = (network.links.clone(), network.clock.clone());
    let request = ("POST", format!("/v1/days/{day}/match"));
    let result: centre::DayMatch =
        links.signed(centre::CENTRE, (request.0, &request.1), Vec::new(), &clock, network.entropy())?;
    let books = &mut network.books.matching;
    books.orders = books.orders.saturating_add(result.orders());
    books.wallets = count(result.wallets.len());
    books.in_doubt = result.in_doubt();
    books.differences = books.differences.saturating_add(result.differences());
    books.gap_fen = books.gap_fen.plus(result.gap()).unwrap_or(books.gap_fen);
    Ok(())
}

/// Uploads every reader's batch, city by city, in files numbered from `first`.
pub(crate) fn collect(
    network: &mut Network<'_>,
    day: Date,
    at: CardTime,
    first: u16,
    mut dishonest: bool,
) -> Result<(), SimError> {
    let mut cities: BTreeMap<CityCode, Vec<(TerminalId, u64, Vec<TapRecord>)>> = BTreeMap::new();
    for (terminal, reader) in &network.readers {
        let export = reader.batch().export();
        if !export.records.is_empty() {
            let city = reader.settings().operator.city;
            cities.entry(city).or_default().push((*terminal, export.through, export.records));
        }
    }
    for (city, mut batches) in cities {
        batches.sort_by_key(|(terminal, ..)| *terminal);
        let mut records: Vec<TapRecord> =
            batches.iter().flat_map(|(_, _, records)| records.clone()).collect();
        if std::mem::take(&mut dishonest) {
            let planted = planted(&records);
            network.books.clearing.planted =
                network.books.clearing.planted.saturating_add(count(planted.len()));
            records.extend(planted);
        }
        for (chunk, sequence) in records.chunks(RECORDS_PER_FILE).zip(first..) {
            upload(network, city, day, sequence, chunk, at)?;
        }
        for (terminal, through, _) in batches {
            let marked = network.readers.get_mut(&terminal).map(|reader| reader.mark_uploaded(through));
            marked.transpose().map_err(|error| SimError::Reader { terminal, why: error.to_string() })?;
        }
    }
    Ok(())
}

/// What a dishonest back end makes of an honest record.
pub(crate) fn planted(records: &[TapRecord]) -> Vec<TapRecord> {
    let Some(honest) = records.iter().find(|record| record.amount > PurseFen::ZERO) else {
        return Vec::new();
    };
    let Ok(dearer) = PurseFen::try_from(honest.amount.get().saturating_add(1000)) else { return Vec::new() };
    let unknown = CardNumber::from_u64(honest.card.as_u64() ^ 0xFFFF);
    let forged = TapRecord {
        amount: dearer,
        terminal_seq: honest.terminal_seq.wrapping_add(900_000),
        ..honest.clone()
    };
    let ghost = TapRecord { card: unknown, tac: Tac::from_u32(1), ..forged.clone() };
    vec![
        forged,
        honest.clone(),
        TapRecord { terminal_seq: honest.terminal_seq.wrapping_add(900_001), ..ghost },
    ]
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn upload(
    network: &mut Network<'_>,
    city: CityCode,
    day: Date,
    sequence: u16,
    records: &[TapRecord],
    at: CardTime,
) -> Result<(), SimError> {
    let name = FileName::spends(city, day, sequence);
    let (links, clock) = (network.links.clone(), network.clock.clone());
    let receipt = links.upload(name, at, records.to_vec(), &clock, network.entropy())?;
    let books = &mut network.books.clearing;
    let figure = |name: &str| receipt.get(name).and_then(Value::as_u64).unwrap_or(0);
    books.files = books.files.saturating_add(1);
    books.records = books.records.saturating_add(figure("records"));
    books.paid.count = books.paid.count.saturating_add(figure("paid"));
    let paid = receipt.get("paid_fen").and_then(Value::as_i64).unwrap_or(0);
    books.paid.fen = books.paid.fen.plus(Fen::new(paid)).unwrap_or_default();
    let verdicts: Value =
        signed(network, &format!("city:{city}"), ("GET", &format!("/v1/files/{name}/verdicts")), Vec::new())?;
    let not_paid = verdicts.get("not_paid").and_then(Value::as_array).into_iter().flatten();
    for reason in not_paid.filter_map(|verdict| verdict.get("reason").and_then(Value::as_str)) {
        let counter = network.books.clearing.not_paid.entry(reason.to_owned()).or_default();
        *counter = counter.saturating_add(1);
    }
    Ok(())
}

pub(crate) fn close(network: &mut Network<'_>, day: Date) -> Result<(), SimError> {
    let _: Value = signed(network, centre::CENTRE, ("POST", &format!("/v1/days/{day}/close")), Vec::new())?;
    Ok(())
}

/// A city puts one of its cards on the deny list.
pub(crate) fn deny(network: &mut Network<'_>, city: CityCode, number: CardNumber) -> Result<(), SimError> {
    let path = format!("/v1/lists/deny/{}", number.raw());
    let _: Value = signed(network, &format!("city:{city}"), ("PUT", &path), Vec::new())?;
    Ok(())
}

fn signed(
    network: &mut Network<'_>,
    keyid: &str,
    request: (&str, &str),
    body: Vec<u8>,
) -> Result<Value, SimError> {
    let (links, clock) = (network.links.clone(), network.clock.clone());
    links.signed(keyid, request, body, &clock, network.entropy())
}
