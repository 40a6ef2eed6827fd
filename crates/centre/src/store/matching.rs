//! What the daily match stands on and comes to: readers' sights of purses, wallets' files, results, cases.

use clearing::Record;
use clearing::judge::Judgment;
use model::{CardNumber, CardTime, CityCode, Date, Fen, WalletId};

use super::db::{Db, DbError, DbResult, Row, Value, params};
use super::{parsed, parsed_if_any};
use crate::matching::{Evidence, Kind, Sums, TapPoint, WalletLine, WalletSays};

/// A wallet's file that was taken in.
#[derive(Clone, Debug)]
pub(crate) struct WalletDay {
    pub(crate) wallet: WalletId,
    pub(crate) day: Date,
    pub(crate) digest: [u8; 32],
    pub(crate) lines: u64,
    pub(crate) sums: Sums,
    pub(crate) taken_at: CardTime,
}

/// A difference, with what each side says and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct CaseRow {
    pub(crate) seq: u64,
    pub(crate) cursor: u64,
    pub(crate) day: Date,
    pub(crate) wallet: WalletId,
    pub(crate) order: String,
    pub(crate) city: Option<CityCode>,
    pub(crate) kind: Kind,
    pub(crate) gap: Fen,
    pub(crate) evidence: Evidence,
    /// `None`: open.
    pub(crate) how: Option<String>,
    pub(crate) settled_on: Option<Date>,
    pub(crate) decision: Option<String>,
    pub(crate) opened_at: CardTime,
    pub(crate) changed_at: CardTime,
}

/// Writes down what readers recorded of the purses of paid taps.
pub(crate) fn add_sights(db: &Db, day: Date, records: &[Record], judgment: &Judgment) -> DbResult<()> {
    let row = |record: &Record| -> Vec<Value> {
        let tap = &record.tap;
        params![
            record.batch,
            record.line_no,
            day.to_string(),
            tap.card.raw(),
            tap.issuer.to_string(),
            tap.at.to_string(),
            tap.card_seq,
            tap.amount.get(),
            tap.balance_before.get(),
        ]
        .to_vec()
    };
    let paid = records.iter().zip(&judgment.rulings).filter(|(_, ruling)| ruling.is_paid());
    db.insert_all(
        "INSERT INTO sights (batch, line_no, day, card, issuer, at, card_seq, amount_fen, balance_fen)",
        paid.map(|(record, _)| row(record)),
    )
}

/// What all taps of a card came to that its TAC proves and that claim their keys, whatever else was said of them.
pub(crate) fn proven_taps(db: &Db, city: CityCode, card: CardNumber) -> DbResult<i64> {
    db.figure(
        "SELECT CAST(coalesce(sum(amount_fen), 0) AS BIGINT) FROM records
         WHERE card = $1 AND issuer = $2 AND verdict IN (0, 14, 15)",
        params![card.raw(), city.to_string()],
    )
}

/// A card's sights from `since` on and the last one before, in files of days up to `day`, by time.
pub(crate) fn sights_of(
    db: &Db,
    (city, card): (CityCode, CardNumber),
    since: CardTime,
    day: Date,
) -> DbResult<Vec<TapPoint>> {
    db.all(
        "SELECT * FROM sights WHERE card = $1 AND issuer = $2 AND day <= $4 AND at >= coalesce(
             (SELECT max(at) FROM sights WHERE card = $1 AND issuer = $2 AND day <= $4 AND at < $3), $3)
         ORDER BY at, card_seq, batch, line_no",
        params![card.raw(), city.to_string(), since.to_string(), day.to_string()],
        |row| {
            Ok(TapPoint {
                at: parsed(row, "at")?,
                seq: row.get("card_seq")?,
                amount: row.get("amount_fen")?,
                before: row.get("balance_fen")?,
            })
        },
    )
}

/// The cards that files of `day` have sights of and that we ever reserved a load for, after `after`, in order.
pub(crate) fn cards_seen(db: &Db, day: Date, after: &str, most: u32) -> DbResult<Vec<CardNumber>> {
    db.all(
        "SELECT DISTINCT card FROM sights WHERE day = $1 AND card > $2
             AND EXISTS (SELECT 1 FROM orders WHERE number = card AND reservation IS NOT NULL)
         ORDER BY card LIMIT $3",
        params![day.to_string(), after, most],
        |row| parsed(row, "card"),
    )
}

impl WalletDay {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        let fen = |column: &str| row.get::<i64>(column).map(Fen::new);
        Ok(WalletDay {
            wallet: parsed(row, "wallet")?,
            day: parsed(row, "day")?,
            digest: row.get("digest")?,
            lines: row.get("lines")?,
            sums: Sums { paid: fen("paid_fen")?, refunded: fen("refunded_fen")?, held: fen("held_fen")? },
            taken_at: parsed(row, "taken_at")?,
        })
    }

    pub(crate) fn find(db: &Db, wallet: &WalletId, day: Date) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM wallet_days WHERE wallet = $1 AND day = $2",
            params![wallet.as_str(), day.to_string()],
            WalletDay::read,
        )
    }

    pub(crate) fn insert(&self, db: &Db, lines: &[WalletLine]) -> DbResult<()> {
        db.execute(
            "INSERT INTO wallet_days (wallet, day, digest, lines, paid_fen, refunded_fen, held_fen, taken_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                self.wallet.as_str(),
                self.day.to_string(),
                self.digest,
                self.lines,
                self.sums.paid.get(),
                self.sums.refunded.get(),
                self.sums.held.get(),
                self.taken_at.to_string(),
            ],
        )?;
        let row = |line: &WalletLine| -> Vec<Value> {
            params![
                self.wallet.as_str(),
                &line.order,
                self.day.to_string(),
                line.kind.as_str(),
                line.card.map(CardNumber::raw),
                line.amount.get(),
                line.word.as_str(),
                &line.reference,
                line.at.to_string(),
            ]
            .to_vec()
        };
        db.insert_all(
            "INSERT INTO wallet_lines (wallet, \"order\", day, kind, card, amount_fen, word, reference, at)",
            lines.iter().map(row),
        )
    }
}

fn says(row: &Row<'_>) -> DbResult<WalletSays> {
    Ok(WalletSays {
        amount: Fen::new(row.get("amount_fen")?),
        word: parsed(row, "word")?,
        day: parsed(row, "day")?,
        reference: row.get("reference")?,
    })
}

/// A wallet's newest line of an order, in files of days up to `day`.
pub(crate) fn wallet_says(
    db: &Db,
    wallet: &WalletId,
    order: &str,
    day: Date,
) -> DbResult<Option<WalletSays>> {
    db.one(
        "SELECT * FROM wallet_lines WHERE wallet = $1 AND \"order\" = $2 AND day <= $3
         ORDER BY day DESC LIMIT 1",
        params![wallet.as_str(), order, day.to_string()],
        says,
    )
}

/// A page of what a wallet's file of a day says, after an order's id, in the order of ids. Refunds are kept and not
/// held against the ledger's loads.
pub(crate) fn wallet_page(
    db: &Db,
    wallet: &WalletId,
    day: Date,
    after: &str,
    most: u32,
) -> DbResult<Vec<(String, WalletSays)>> {
    db.all(
        "SELECT * FROM wallet_lines WHERE day = $1 AND wallet = $2 AND \"order\" > $3 AND kind <> 'refund'
         ORDER BY \"order\" LIMIT $4",
        params![day.to_string(), wallet.as_str(), after, most],
        |row| Ok((row.get("order")?, says(row)?)),
    )
}

/// The result of a day's match, as it was stored.
pub(crate) fn find_match(db: &Db, day: Date) -> DbResult<Option<String>> {
    db.one("SELECT result FROM matches WHERE day = $1", params![day.to_string()], |row| row.at(0))
}

/// The result of the last day that was matched.
pub(crate) fn last_match(db: &Db) -> DbResult<Option<String>> {
    db.one("SELECT * FROM matches ORDER BY day DESC LIMIT 1", params![], |row| row.get("result"))
}

/// Where in the ledger's log to begin for `day`: what counts for it comes after there.
pub(crate) fn log_before(db: &Db, day: Date) -> DbResult<u64> {
    let after = db.one(
        "SELECT after FROM matches WHERE day < $1 ORDER BY day DESC LIMIT 1",
        params![day.to_string()],
        |row| row.at(0),
    )?;
    Ok(after.unwrap_or(0))
}

/// Writes a day's result down, in the place of an earlier one.
pub(crate) fn keep_match(db: &Db, day: Date, after: u64, result: &str) -> DbResult<()> {
    db.execute(
        "INSERT INTO matches (day, after, result) VALUES ($1, $2, $3)
         ON CONFLICT (day) DO UPDATE SET after = excluded.after, result = excluded.result",
        params![day.to_string(), after, result],
    )?;
    Ok(())
}

impl CaseRow {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        let evidence: String = row.get("evidence")?;
        let evidence = serde_json::from_str(&evidence)
            .map_err(|e| DbError::Column { column: "evidence".into(), what: e.to_string() })?;
        Ok(CaseRow {
            seq: row.get("seq")?,
            cursor: row.get("cursor")?,
            day: parsed(row, "day")?,
            wallet: parsed(row, "wallet")?,
            order: row.get("order")?,
            city: parsed_if_any(row, "city")?,
            kind: parsed(row, "kind")?,
            gap: Fen::new(row.get("gap_fen")?),
            evidence,
            how: row.get("how")?,
            settled_on: parsed_if_any(row, "settled_on")?,
            decision: row.get("decision")?,
            opened_at: parsed(row, "opened_at")?,
            changed_at: parsed(row, "changed_at")?,
        })
    }

    pub(crate) fn find(db: &Db, seq: u64) -> DbResult<Option<Self>> {
        db.one("SELECT * FROM cases WHERE seq = $1", params![seq], CaseRow::read)
    }

    /// The cases of an order, oldest first; of a missing file by its empty order.
    pub(crate) fn of_order(db: &Db, wallet: &WalletId, order: &str) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM cases WHERE wallet = $1 AND \"order\" = $2 ORDER BY seq",
            params![wallet.as_str(), order],
            CaseRow::read,
        )
    }

    /// The open cases that were found on `day` or before, oldest first.
    pub(crate) fn open_until(db: &Db, day: Date) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM cases WHERE how IS NULL AND day <= $1 ORDER BY seq",
            params![day.to_string()],
            CaseRow::read,
        )
    }

    /// What changed after a cursor, in the order of changes, of one wallet or one city where it is given.
    pub(crate) fn after(
        db: &Db,
        (wallet, city): (Option<&WalletId>, Option<CityCode>),
        cursor: u64,
        most: u32,
    ) -> DbResult<Vec<Self>> {
        let (wallet, city) = (wallet.map(WalletId::as_str), city.map(|city| city.to_string()));
        db.all(
            "SELECT * FROM cases WHERE cursor > $1 AND ($2 = '' OR wallet = $2) AND ($3 = '' OR city = $3)
             ORDER BY cursor LIMIT $4",
            params![cursor, wallet.unwrap_or_default(), city.unwrap_or_default(), most],
            CaseRow::read,
        )
    }

    /// The newest open ones.
    pub(crate) fn open(db: &Db, most: u32) -> DbResult<Vec<Self>> {
        db.all(
            "SELECT * FROM cases WHERE how IS NULL ORDER BY seq DESC LIMIT $1",
            params![most],
            CaseRow::read,
        )
    }

    /// Writes it down, new (`seq` 0) or changed, under the next cursor.
    pub(crate) fn keep(&self, db: &Db) -> DbResult<()> {
        let next: u64 = db.figure("SELECT coalesce(max(cursor), 0) + 1 FROM cases", params![])?;
        let evidence = serde_json::to_string(&self.evidence).unwrap_or_default();
        if self.seq > 0 {
            db.execute(
                "UPDATE cases SET cursor = $2, gap_fen = $3, evidence = $4, how = $5, settled_on = $6,
                                  decision = $7, changed_at = $8
                 WHERE seq = $1",
                params![
                    self.seq,
                    next,
                    self.gap.get(),
                    evidence,
                    &self.how,
                    self.settled_on.map(|day| day.to_string()),
                    &self.decision,
                    self.changed_at.to_string(),
                ],
            )?;
            return Ok(());
        }
        db.execute("INSERT INTO cases (cursor, day, wallet, \"order\", city, kind, gap_fen, evidence, how, settled_on,
                                opened_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)", params![
            next,
            self.day.to_string(),
            self.wallet.as_str(),
            &self.order,
            self.city.map(|city| city.to_string()),
            self.kind.as_str(),
            self.gap.get(),
            evidence,
            &self.how,
            self.settled_on.map(|day| day.to_string()),
            self.opened_at.to_string(),
        ])?;
        Ok(())
    }
}
