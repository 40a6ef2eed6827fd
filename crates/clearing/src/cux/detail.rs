//! One record, one line: taps, loads, and taps with a verdict.

use model::{
    CardNumber, CardTime, CityCode, Label, LoadRecord, Mode, OperatorId, PsamId, PurseFen, Tac, TapRecord,
    TerminalId, TxnType,
};

use super::error::CuxError;
use super::field::{Field, Line, LineWriter, moment, moment_digits, time_digits};
use super::layout as at;
use super::{FileName, Numbered, TapResult};
use crate::verdict::Reason;

/// A record that knows its line.
pub(super) trait Detail: Sized {
    /// Characters in its line.
    const LEN: usize;
    /// Whether `local_seq` must grow from line to line: the sender numbers its own records, the centre's results
    /// keep the numbers they were sent with.
    const GROWING: bool;
    fn read(line: &Line<'_>, name: &FileName) -> Result<Numbered<Self>, CuxError>;
    fn write(&self, local_seq: u64, line: &mut LineWriter<'_>) -> Result<(), CuxError>;
    fn amount(&self) -> u64;
}

const SPEND: &str = "10";
const LOAD: &str = "20";

impl Detail for TapRecord {
    const LEN: usize = at::DETAIL_LEN;
    const GROWING: bool = true;

    fn read(line: &Line<'_>, name: &FileName) -> Result<Numbered<Self>, CuxError> {
        let numbered = read_tap(line)?;
        if numbered.record.acquirer != name.from {
            return Err(line.wrong(&at::TXN_CITY, format!("the sender's own city, {}", name.from)));
        }
        Ok(numbered)
    }

    fn write(&self, local_seq: u64, line: &mut LineWriter<'_>) -> Result<(), CuxError> {
        write_tap(self, local_seq, line)
    }

    fn amount(&self) -> u64 {
        self.amount.get().into()
    }
}

impl Detail for TapResult {
    const LEN: usize = at::RESULT_LEN;
    const GROWING: bool = false;

    fn read(line: &Line<'_>, _name: &FileName) -> Result<Numbered<Self>, CuxError> {
        let Numbered { local_seq, record: tap } = read_tap(line)?;
        let verdict: u8 = line.narrow(&at::VERDICT, "a verdict")?;
        let code: u8 = line.narrow(&at::REASON, "a reason")?;
        let reason = Reason::from_codes(verdict, code)
            .ok_or_else(|| line.wrong(&at::REASON, format!("a reason of verdict {verdict:02}")))?;
        let result = TapResult {
            tap,
            reason,
            clearing_day: line.day(&at::CLEARING_DAY)?,
            target_day: line.day(&at::TARGET_DAY)?,
            fee: money(line, &at::FEE)?,
        };
        Ok(Numbered { local_seq, record: result })
    }

    fn write(&self, local_seq: u64, line: &mut LineWriter<'_>) -> Result<(), CuxError> {
        write_tap(&self.tap, local_seq, line)?;
        line.number(&at::VERDICT, self.reason.verdict().code().into())?;
        line.number(&at::REASON, self.reason.code().into())?;
        line.number(&at::CLEARING_DAY, self.clearing_day.digits())?;
        line.number(&at::TARGET_DAY, self.target_day.digits())?;
        line.number(&at::FEE, self.fee.get().into())
    }

    fn amount(&self) -> u64 {
        self.tap.amount.get().into()
    }
}

impl Detail for LoadRecord {
    const LEN: usize = at::DETAIL_LEN;
    const GROWING: bool = true;

    fn read(line: &Line<'_>, _name: &FileName) -> Result<Numbered<Self>, CuxError> {
        line.exactly(&at::REC_TYPE, LOAD)?;
        let local_seq = line.number(&at::LOCAL_SEQ)?;
        let issuer = city(line, &at::ISSUER_CITY)?;
        if city(line, &at::TXN_CITY)? != issuer {
            return Err(
                line.wrong(&at::TXN_CITY, format!("the issuer's city, {issuer}: a load is made at home"))
            );
        }
        for field in [
            &at::OPERATOR,
            &at::INDUSTRY,
            &at::PSAM_NO,
            &at::TERMINAL_SEQ,
            &at::LIST_FARE,
            &at::KEY_INDEX,
            &at::ALGORITHM,
            &at::TIME_IN,
            &at::TEST_FLAG,
        ] {
            line.unused(field)?;
        }
        line.hex(&at::CARD_KIND)?;
        line.exactly(&at::TXN_TYPE, "02")?;
        let order: String = line.text(&at::WALLET_ORDER, "the wallet's order")?;
        if order.is_empty() {
            return Err(line.wrong(&at::WALLET_ORDER, "the wallet's order".to_owned()));
        }
        line.filler(&at::RESERVED)?;
        let record = LoadRecord {
            order,
            wallet: line.text(&at::WALLET, "a wallet's id")?,
            card: CardNumber::from_u64(line.hex(&at::CARD_NO)?),
            issuer,
            terminal: terminal(line)?,
            counter: line.narrow(&at::PURSE_SEQ, "a counter up to 65535")?,
            amount: money(line, &at::AMOUNT)?,
            balance_before: money(line, &at::PRE_BALANCE)?,
            at: tapped_at(line)?,
            tac: tac(line)?,
        };
        Ok(Numbered { local_seq, record })
    }

    fn write(&self, local_seq: u64, line: &mut LineWriter<'_>) -> Result<(), CuxError> {
        line.text(&at::REC_TYPE, LOAD)?;
        line.number(&at::LOCAL_SEQ, local_seq)?;
        line.number(&at::TXN_CITY, self.issuer.get().into())?;
        line.number(&at::ISSUER_CITY, self.issuer.get().into())?;
        line.number(&at::OPERATOR, 0)?;
        line.number(&at::INDUSTRY, 0)?;
        line.number(&at::TERMINAL_NO, self.terminal.as_u64())?;
        line.number(&at::PSAM_NO, 0)?;
        line.number(&at::TERMINAL_SEQ, 0)?;
        line.number(&at::CARD_NO, self.card.as_u64())?;
        line.number(&at::CARD_KIND, 0)?;
        line.number(&at::PURSE_SEQ, self.counter.into())?;
        line.number(&at::PRE_BALANCE, self.balance_before.get().into())?;
        line.number(&at::AMOUNT, self.amount.get().into())?;
        line.number(&at::LIST_FARE, 0)?;
        line.number(&at::TXN_TYPE, TxnType::Load.code().into())?;
        write_when(line, self.at, self.tac)?;
        line.number(&at::KEY_INDEX, 0)?;
        line.number(&at::ALGORITHM, 0)?;
        line.text(&at::WALLET, self.wallet.as_str())?;
        line.number(&at::TIME_IN, 0)?;
        line.number(&at::TEST_FLAG, 0)?;
        line.text(&at::WALLET_ORDER, &self.order)?;
        line.filler(&at::RESERVED)
    }

    fn amount(&self) -> u64 {
        self.amount.get().into()
    }
}

fn read_tap(line: &Line<'_>) -> Result<Numbered<TapRecord>, CuxError> {
    line.exactly(&at::REC_TYPE, SPEND)?;
    let local_seq = line.number(&at::LOCAL_SEQ)?;
    line.hex(&at::CARD_KIND)?;
    line.exactly(&at::WALLET_ORDER, &" ".repeat(usize::from(at::WALLET_ORDER.len)))?;
    line.filler(&at::RESERVED)?;
    let record = TapRecord {
        card: CardNumber::from_u64(line.hex(&at::CARD_NO)?),
        issuer: city(line, &at::ISSUER_CITY)?,
        acquirer: city(line, &at::TXN_CITY)?,
        operator: operator(line)?,
        mode: mode(line)?,
        terminal: terminal(line)?,
        terminal_seq: line.narrow(&at::TERMINAL_SEQ, "a 32-bit counter")?,
        psam: PsamId(line.hex(&at::PSAM_NO)?),
        card_seq: line.narrow(&at::PURSE_SEQ, "a counter up to 65535")?,
        amount: money(line, &at::AMOUNT)?,
        list_fare: money(line, &at::LIST_FARE)?,
        balance_before: money(line, &at::PRE_BALANCE)?,
        kind: kind(line)?,
        at: tapped_at(line)?,
        tac: tac(line)?,
        key_version: line.narrow_hex(&at::KEY_INDEX, "a key version")?,
        algorithm: line.narrow_hex(&at::ALGORITHM, "an algorithm")?,
        line: label(line, &at::LINE)?,
        vehicle: label(line, &at::VEHICLE)?,
        stop_in: label(line, &at::STOP_IN)?,
        stop_out: label(line, &at::STOP_OUT)?,
        entered_at: entered_at(line)?,
        test: test(line)?,
    };
    Ok(Numbered { local_seq, record })
}

fn write_tap(tap: &TapRecord, local_seq: u64, line: &mut LineWriter<'_>) -> Result<(), CuxError> {
    line.text(&at::REC_TYPE, SPEND)?;
    line.number(&at::LOCAL_SEQ, local_seq)?;
    line.number(&at::TXN_CITY, tap.acquirer.get().into())?;
    line.number(&at::ISSUER_CITY, tap.issuer.get().into())?;
    line.number(&at::OPERATOR, tap.operator.get().into())?;
    line.number(&at::INDUSTRY, tap.mode.code().into())?;
    line.number(&at::TERMINAL_NO, tap.terminal.as_u64())?;
    line.number(&at::PSAM_NO, tap.psam.0)?;
    line.number(&at::TERMINAL_SEQ, tap.terminal_seq.into())?;
    line.number(&at::CARD_NO, tap.card.as_u64())?;
    line.number(&at::CARD_KIND, 0)?;
    line.number(&at::PURSE_SEQ, tap.card_seq.into())?;
    line.number(&at::PRE_BALANCE, tap.balance_before.get().into())?;
    line.number(&at::AMOUNT, tap.amount.get().into())?;
    line.number(&at::LIST_FARE, tap.list_fare.get().into())?;
    line.number(&at::TXN_TYPE, tap.kind.code().into())?;
    write_when(line, tap.at, tap.tac)?;
    line.number(&at::KEY_INDEX, tap.key_version.into())?;
    line.number(&at::ALGORITHM, tap.algorithm.into())?;
    line.text(&at::LINE, tap.line.as_str())?;
    line.text(&at::VEHICLE, tap.vehicle.as_str())?;
    line.text(&at::STOP_IN, tap.stop_in.as_str())?;
    line.text(&at::STOP_OUT, tap.stop_out.as_str())?;
    line.number(&at::TIME_IN, tap.entered_at.map_or(0, moment_digits))?;
    line.number(&at::TEST_FLAG, tap.test.into())?;
    line.text(&at::WALLET_ORDER, "")?;
    line.filler(&at::RESERVED)
}

fn write_when(line: &mut LineWriter<'_>, when: CardTime, tac: Tac) -> Result<(), CuxError> {
    line.number(&at::TXN_DATE, when.date().digits())?;
    line.number(&at::TXN_TIME, time_digits(when))?;
    line.number(&at::TAC, tac.as_u32().into())
}

fn city(line: &Line<'_>, field: &Field) -> Result<CityCode, CuxError> {
    line.text(field, "a city code, 4 digits")
}

fn operator(line: &Line<'_>) -> Result<OperatorId, CuxError> {
    let number: u32 = line.narrow(&at::OPERATOR, "an operator number, 8 digits")?;
    OperatorId::new(number)
        .ok_or_else(|| line.wrong(&at::OPERATOR, "an operator number, 8 digits".to_owned()))
}

fn mode(line: &Line<'_>) -> Result<Mode, CuxError> {
    let code: u8 = line.narrow(&at::INDUSTRY, "an industry, 01 to 07")?;
    Mode::from_code(code).ok_or_else(|| line.wrong(&at::INDUSTRY, "an industry, 01 to 07".to_owned()))
}

fn terminal(line: &Line<'_>) -> Result<TerminalId, CuxError> {
    let number = line.hex(&at::TERMINAL_NO)?;
    TerminalId::from_u64(number).ok_or_else(|| line.wrong(&at::TERMINAL_NO, "12 hex digits".to_owned()))
}

fn money(line: &Line<'_>, field: &Field) -> Result<PurseFen, CuxError> {
    let fen: u32 = line.narrow(field, "an amount in fen")?;
    PurseFen::try_from(fen).map_err(|_| line.wrong(field, "an amount in fen".to_owned()))
}

fn kind(line: &Line<'_>) -> Result<TxnType, CuxError> {
    let code: u8 = line.narrow_hex(&at::TXN_TYPE, "06 or 09")?;
    TxnType::from_code(code)
        .filter(|kind| *kind != TxnType::Load)
        .ok_or_else(|| line.wrong(&at::TXN_TYPE, "06 (purchase) or 09 (compound purchase)".to_owned()))
}

fn tapped_at(line: &Line<'_>) -> Result<CardTime, CuxError> {
    let day = line.day(&at::TXN_DATE)?;
    let time = line.number(&at::TXN_TIME)?;
    moment(day.digits().saturating_mul(1_000_000).saturating_add(time))
        .ok_or_else(|| line.wrong(&at::TXN_TIME, "a time of day, hhmmss".to_owned()))
}

fn tac(line: &Line<'_>) -> Result<Tac, CuxError> {
    Ok(Tac::from_u32(line.narrow_hex(&at::TAC, "8 hex digits")?))
}

fn label(line: &Line<'_>, field: &Field) -> Result<Label, CuxError> {
    line.text(field, "printable ASCII")
}

fn entered_at(line: &Line<'_>) -> Result<Option<CardTime>, CuxError> {
    if line.number(&at::TIME_IN)? == 0 { Ok(None) } else { line.moment(&at::TIME_IN).map(Some) }
}

fn test(line: &Line<'_>) -> Result<bool, CuxError> {
    match line.number(&at::TEST_FLAG)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(line.wrong(&at::TEST_FLAG, "0 or 1".to_owned())),
    }
}
