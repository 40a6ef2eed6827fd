//! What a clearing puts on paper: `flows.csv`, `positions.csv`, and the figures of `summary.json`.
//!
//! Invariant: the same clearing gives the same bytes.

use std::collections::BTreeMap;

use model::{Date, Fen};

use crate::judge::Ruling;
use crate::netting::Net;
use crate::parquet::VerdictRow;
use crate::verdict::Reason;

/// Why a table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A sum is beyond counting.
    #[error("the sums of {party}: {source}")]
    Money {
        /// Whose.
        party: String,
        /// What does not fit.
        source: model::MoneyError,
    },
    /// The table's writer failed.
    #[error("cannot write {table}: {source}")]
    Csv {
        /// Which table.
        table: &'static str,
        /// What its writer says.
        source: csv::Error,
    },
}

/// The figures of a clearing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// The clearing day.
    pub day: String,
    /// Files that were cleared.
    pub files: Vec<String>,
    /// Files that were refused whole, and why.
    pub refused: Vec<RefusedFile>,
    /// Files that hold no taps.
    pub passed_over: Vec<String>,
    /// Records in the cleared files.
    pub records: u64,
    /// What all the records' purses lost, accepted or not.
    pub amount_fen: Fen,
    /// Accepted taps at home.
    pub home: Total,
    /// Accepted taps away.
    pub away: Total,
    /// Records by verdict and reason, those that occur.
    pub verdicts: Vec<VerdictTotal>,
    /// Records that the centre must look into: clones.
    pub alarms: u64,
    /// Parties with a position.
    pub positions: u64,
    /// The sum of all positions: zero.
    pub net_sum_fen: Fen,
}

/// A file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RefusedFile {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub error: String,
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Total {
    /// Records.
    pub records: u64,
    /// What their purses lost.
    pub amount_fen: Fen,
}

/// The records of one verdict and reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerdictTotal {
    /// The stable code.
    pub verdict: u8,
    /// The reason's stable name.
    pub reason: &'static str,
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
    /// Records.
    pub records: u64,
    /// What their purses lost.
    pub amount_fen: Fen,
}

impl Total {
    fn add(&mut self, amount: Fen, what: &str) -> Result<(), ReportError> {
        self.records = self.records.saturating_add(1);
        let sum = self.amount_fen.plus(amount);
        self.amount_fen = sum.map_err(|source| ReportError::Money { party: what.to_owned(), source })?;
        Ok(())
    }
}

impl Summary {
    /// The figures of rulings and their net.
    ///
    /// # Errors
    /// [`ReportError::Money`].
    pub fn of(day: Date, rulings: &[Ruling], net: &Net) -> Result<Self, ReportError> {
        let (mut all, mut home, mut away) = (Total::default(), Total::default(), Total::default());
        let mut by_reason: BTreeMap<Reason, Total> = BTreeMap::new();
        for ruling in rulings {
            let amount = Fen::from(ruling.amount);
            all.add(amount, "all records")?;
            by_reason.entry(ruling.reason).or_default().add(amount, ruling.reason.name())?;
            if ruling.is_paid() {
                let side = if ruling.route.is_away() { &mut away } else { &mut home };
                side.add(amount, "accepted taps")?;
            }
        }
        let alarms =
            by_reason.iter().filter(|(reason, _)| reason.is_alarm()).map(|(_, total)| total.records).sum();
        let verdicts = by_reason.into_iter().map(|(reason, total)| VerdictTotal {
            verdict: reason.verdict().code(),
            reason: reason.name(),
            zh: reason.zh(),
            en: reason.en(),
            records: total.records,
            amount_fen: total.amount_fen,
        });
        let mut net_sum_fen = Fen::ZERO;
        for (party, position) in &net.positions {
            let sum = position.net().and_then(|own| net_sum_fen.plus(own));
            net_sum_fen = sum.map_err(|source| ReportError::Money { party: party.to_string(), source })?;
        }
        Ok(Summary {
            day: day.to_string(),
            records: all.records,
            amount_fen: all.amount_fen,
            home,
            away,
            verdicts: verdicts.collect(),
            alarms,
            positions: u64::try_from(net.positions.len()).unwrap_or(u64::MAX),
            net_sum_fen,
            ..Summary::default()
        })
    }
}

/// The rows of `verdicts.parquet`: every record that was not plainly accepted, in the order of batch and line.
pub(crate) fn verdict_rows(rulings: &[Ruling]) -> Vec<VerdictRow> {
    let open = rulings.iter().filter(|ruling| ruling.reason != Reason::Accepted);
    let mut rows: Vec<VerdictRow> = open
        .map(|ruling| VerdictRow { batch: ruling.batch, line_no: ruling.line_no, reason: ruling.reason })
        .collect();
    rows.sort_unstable();
    rows
}

/// `flows.csv`.
///
/// # Errors
/// [`ReportError::Csv`].
pub(crate) fn flows_csv(net: &Net) -> Result<Vec<u8>, ReportError> {
    let rows = net.flows.iter().map(|(route, flow)| {
        Ok([
            route.issuer.to_string(),
            route.acquirer.to_string(),
            route.operator.to_string(),
            flow.taps.to_string(),
            flow.amount.get().to_string(),
        ])
    });
    table("flows.csv", ["issuer_city", "acquirer_city", "operator", "taps", "amount_fen"], rows)
}

/// `positions.csv`.
///
/// # Errors
/// [`ReportError`].
pub(crate) fn positions_csv(net: &Net) -> Result<Vec<u8>, ReportError> {
    let rows = net.positions.iter().map(|(party, position)| {
        let own = position.net().map_err(|source| ReportError::Money { party: party.to_string(), source })?;
        let fen = [position.debit, position.credit, position.fee, own].map(|fen| fen.get().to_string());
        let [debit, credit, fee, net] = fen;
        Ok([party.id(), party.role().to_owned(), debit, credit, fee, net])
    });
    table("positions.csv", ["party", "role", "debit_fen", "credit_fen", "fee_fen", "net_fen"], rows)
}

fn table<const N: usize>(
    name: &'static str,
    head: [&str; N],
    rows: impl Iterator<Item = Result<[String; N], ReportError>>,
) -> Result<Vec<u8>, ReportError> {
    let failed = |source: csv::Error| ReportError::Csv { table: name, source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).map_err(failed)?;
    for row in rows {
        writer.write_record(row?).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error().into()))
}
