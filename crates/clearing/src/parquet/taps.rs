//! The columns of a tap.

use model::{
    CardNumber, CardTime, CityCode, Mode, OperatorId, PsamId, PurseFen, Tac, TapRecord, TerminalId, TxnType,
};

use super::error::ParquetFault;
use super::row::{Cells, Column, Kind, Row, column, extra};
use crate::record::Record;

const TEXT: &str = "at most 8 printable ASCII characters";
const FEN: &str = "an amount in fen, at most 2147483647";

impl Row for Record {
    const COLUMNS: &'static [Column] = &[
        column("card", Kind::Long),
        column("issuer_city", Kind::Number(16)),
        column("acquirer_city", Kind::Number(16)),
        column("operator", Kind::Number(32)),
        column("mode", Kind::Number(8)),
        column("terminal", Kind::Long),
        column("terminal_seq", Kind::Number(32)),
        column("psam", Kind::Long),
        column("card_seq", Kind::Number(16)),
        column("amount_fen", Kind::Number(32)),
        column("balance_before_fen", Kind::Number(32)),
        column("type", Kind::Number(8)),
        column("at", Kind::Moment),
        column("tac", Kind::Number(32)),
        column("key_version", Kind::Number(8)),
        column("algorithm", Kind::Number(8)),
        column("line", Kind::Text),
        column("stop_in", Kind::Text),
        column("stop_out", Kind::Text),
        column("batch", Kind::Long),
        column("line_no", Kind::Number(32)),
        extra("list_fare_fen", Kind::Number(32), false),
        extra("vehicle", Kind::Text, false),
        extra("entered_at", Kind::Moment, true),
        extra("test", Kind::Number(8), false),
    ];

    fn number(&self, column: &str) -> Option<u64> {
        let tap = &self.tap;
        let moment = |at: CardTime| u64::try_from(at.as_seconds()).ok();
        match column {
            "card" => Some(tap.card.as_u64()),
            "issuer_city" => Some(tap.issuer.get().into()),
            "acquirer_city" => Some(tap.acquirer.get().into()),
            "operator" => Some(tap.operator.get().into()),
            "mode" => Some(tap.mode.code().into()),
            "terminal" => Some(tap.terminal.as_u64()),
            "terminal_seq" => Some(tap.terminal_seq.into()),
            "psam" => Some(tap.psam.0),
            "card_seq" => Some(tap.card_seq.into()),
            "amount_fen" => Some(tap.amount.get().into()),
            "balance_before_fen" => Some(tap.balance_before.get().into()),
            "type" => Some(tap.kind.code().into()),
            "at" => moment(tap.at),
            "tac" => Some(tap.tac.as_u32().into()),
            "key_version" => Some(tap.key_version.into()),
            "algorithm" => Some(tap.algorithm.into()),
            "batch" => Some(self.batch),
            "line_no" => Some(self.line_no.into()),
            "list_fare_fen" => Some(tap.list_fare.get().into()),
            "entered_at" => tap.entered_at.and_then(moment),
            "test" => Some(tap.test.into()),
            _ => None,
        }
    }

    fn text(&self, column: &str) -> &str {
        match column {
            "line" => self.tap.line.as_str(),
            "vehicle" => self.tap.vehicle.as_str(),
            "stop_in" => self.tap.stop_in.as_str(),
            "stop_out" => self.tap.stop_out.as_str(),
            _ => "",
        }
    }

    fn from_cells(cells: &Cells<'_>) -> Result<Self, ParquetFault> {
        let amount = cells.number("amount_fen", FEN, fen)?;
        let list_fare = match cells.maybe("list_fare_fen") {
            Some(list) => fen(list).ok_or_else(|| cells.wrong("list_fare_fen", FEN))?,
            None => amount,
        };
        let entered_at = match cells.maybe("entered_at") {
            Some(_) => Some(cells.number("entered_at", "a moment since 1970", moment)?),
            None => None,
        };
        let test = match cells.maybe("test") {
            None | Some(0) => false,
            Some(1) => true,
            Some(_) => return Err(cells.wrong("test", "0 or 1")),
        };
        let tap = TapRecord {
            card: cells.number("card", "a card number", |n| Some(CardNumber::from_u64(n)))?,
            issuer: cells.number("issuer_city", "a city code", city)?,
            acquirer: cells.number("acquirer_city", "a city code", city)?,
            operator: cells
                .number("operator", "an operator number", |n| OperatorId::new(n.try_into().ok()?))?,
            mode: cells.number("mode", "an industry, 1 to 7", |n| Mode::from_code(n.try_into().ok()?))?,
            terminal: cells.number("terminal", "a number of 6 bytes", TerminalId::from_u64)?,
            terminal_seq: cells.number("terminal_seq", "a 32-bit counter", narrow)?,
            psam: cells.number("psam", "a PSAM number", |n| Some(PsamId(n)))?,
            card_seq: cells.number("card_seq", "a 16-bit counter", narrow)?,
            amount,
            list_fare,
            balance_before: cells.number("balance_before_fen", FEN, fen)?,
            kind: cells.number("type", "6 (purchase) or 9 (compound purchase)", kind)?,
            at: cells.number("at", "a moment since 1970", moment)?,
            tac: cells.number("tac", "4 bytes", |n| narrow(n).map(Tac::from_u32))?,
            key_version: cells.number("key_version", "one byte", narrow)?,
            algorithm: cells.number("algorithm", "one byte", narrow)?,
            line: cells.text("line", TEXT)?,
            vehicle: cells.text("vehicle", TEXT)?,
            stop_in: cells.text("stop_in", TEXT)?,
            stop_out: cells.text("stop_out", TEXT)?,
            entered_at,
            test,
        };
        Ok(Record {
            batch: cells.number("batch", "a batch number", Some)?,
            line_no: cells.number("line_no", "a line number", narrow)?,
            tap,
        })
    }
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok()
}

fn city(number: u64) -> Option<CityCode> {
    CityCode::new(narrow(number)?)
}

fn fen(number: u64) -> Option<PurseFen> {
    PurseFen::try_from(narrow::<u32>(number)?).ok()
}

fn kind(number: u64) -> Option<TxnType> {
    TxnType::from_code(narrow(number)?).filter(|kind| *kind != TxnType::Load)
}

fn moment(seconds: u64) -> Option<CardTime> {
    CardTime::from_seconds(narrow(seconds)?)
}
