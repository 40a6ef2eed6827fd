//! Where each field stands. Columns count from 1; a line's length leaves out its CRLF.

use super::field::Form::{Digits, Filler, Hex, Masked, Text};
use super::field::{Field, Form};

const fn f(name: &'static str, at: u16, len: u16, form: Form) -> Field {
    Field::new(name, at, len, form)
}

/// Length of the header and of the trailer.
pub(super) const FRAME_LEN: usize = 80;
/// Length of an upload's detail.
pub(super) const DETAIL_LEN: usize = 250;
/// Length of a result's detail: an upload's, then the verdict.
pub(super) const RESULT_LEN: usize = 278;

// Header.
pub(super) const MAGIC: Field = f("magic", 1, 4, Text);
pub(super) const KIND: Field = f("type", 5, 2, Text);
pub(super) const FROM: Field = f("from", 7, 4, Digits);
pub(super) const TO: Field = f("to", 11, 4, Digits);
pub(super) const BUSINESS_DAY: Field = f("business_day", 15, 8, Digits);
pub(super) const SEQUENCE: Field = f("sequence", 23, 4, Digits);
pub(super) const CREATED: Field = f("created", 27, 14, Digits);
pub(super) const RECORD_LENGTH: Field = f("record_length", 41, 4, Digits);
pub(super) const RECORDS: Field = f("records", 45, 8, Digits);
pub(super) const TOTAL_AMOUNT: Field = f("total_amount", 53, 12, Digits);
pub(super) const HEADER_FILLER: Field = f("filler", 65, 16, Filler);

// Trailer.
pub(super) const END: Field = f("end", 1, 4, Text);
pub(super) const TRAILER_RECORDS: Field = f("records", 5, 8, Digits);
pub(super) const DIGEST: Field = f("sha256", 13, 64, Text);
pub(super) const TRAILER_FILLER: Field = f("filler", 77, 4, Filler);

// Detail.
pub(super) const REC_TYPE: Field = f("rec_type", 1, 2, Digits);
pub(super) const LOCAL_SEQ: Field = f("local_seq", 3, 12, Digits);
pub(super) const TXN_CITY: Field = f("txn_city", 15, 4, Digits);
pub(super) const ISSUER_CITY: Field = f("issuer_city", 19, 4, Digits);
pub(super) const OPERATOR: Field = f("operator", 23, 8, Digits);
pub(super) const INDUSTRY: Field = f("industry", 31, 2, Digits);
pub(super) const TERMINAL_NO: Field = f("terminal_no", 33, 12, Hex);
pub(super) const PSAM_NO: Field = f("psam_no", 45, 20, Hex);
pub(super) const TERMINAL_SEQ: Field = f("terminal_seq", 65, 10, Digits);
pub(super) const CARD_NO: Field = f("card_no", 75, 20, Masked);
pub(super) const CARD_KIND: Field = f("card_kind", 95, 4, Hex);
pub(super) const PURSE_SEQ: Field = f("purse_seq", 99, 6, Digits);
pub(super) const PRE_BALANCE: Field = f("pre_balance", 105, 8, Digits);
pub(super) const AMOUNT: Field = f("amount", 113, 8, Digits);
pub(super) const LIST_FARE: Field = f("list_fare", 121, 8, Digits);
pub(super) const TXN_TYPE: Field = f("txn_type", 129, 2, Hex);
pub(super) const TXN_DATE: Field = f("txn_date", 131, 8, Digits);
pub(super) const TXN_TIME: Field = f("txn_time", 139, 6, Digits);
pub(super) const TAC: Field = f("tac", 145, 8, Hex);
pub(super) const KEY_INDEX: Field = f("key_index", 153, 2, Hex);
pub(super) const ALGORITHM: Field = f("algorithm", 155, 2, Hex);
pub(super) const LINE: Field = f("line", 157, 8, Text);
pub(super) const VEHICLE: Field = f("vehicle", 165, 8, Text);
pub(super) const STOP_IN: Field = f("stop_in", 173, 8, Text);
pub(super) const STOP_OUT: Field = f("stop_out", 181, 8, Text);
/// In a load, the 32 columns of line, vehicle and stops hold the wallet's id.
pub(super) const WALLET: Field = f("wallet", 157, 32, Text);
pub(super) const TIME_IN: Field = f("time_in", 189, 14, Digits);
pub(super) const TEST_FLAG: Field = f("test_flag", 203, 1, Digits);
pub(super) const WALLET_ORDER: Field = f("wallet_order", 204, 32, Text);
pub(super) const RESERVED: Field = f("reserved", 236, 15, Filler);

// What a result adds.
pub(super) const VERDICT: Field = f("verdict", 251, 2, Digits);
pub(super) const REASON: Field = f("reason", 253, 2, Digits);
pub(super) const CLEARING_DAY: Field = f("clearing_day", 255, 8, Digits);
pub(super) const TARGET_DAY: Field = f("target_day", 263, 8, Digits);
pub(super) const FEE: Field = f("fee", 271, 8, Digits);

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_up(fields: &[Field], len: usize) {
        let mut next = 1_u16;
        for field in fields {
            assert_eq!(field.at, next, "{}", field.name);
            next = field.at.checked_add(field.len).unwrap();
        }
        assert_eq!(usize::from(next), len.checked_add(1).unwrap());
    }

    #[test]
    fn fields_follow_each_other_without_gap_or_overlap() {
        let header = [
            MAGIC,
            KIND,
            FROM,
            TO,
            BUSINESS_DAY,
            SEQUENCE,
            CREATED,
            RECORD_LENGTH,
            RECORDS,
            TOTAL_AMOUNT,
            HEADER_FILLER,
        ];
        lines_up(&header, FRAME_LEN);
        lines_up(&[END, TRAILER_RECORDS, DIGEST, TRAILER_FILLER], FRAME_LEN);
        let mut detail = vec![
            REC_TYPE,
            LOCAL_SEQ,
            TXN_CITY,
            ISSUER_CITY,
            OPERATOR,
            INDUSTRY,
            TERMINAL_NO,
            PSAM_NO,
            TERMINAL_SEQ,
            CARD_NO,
            CARD_KIND,
            PURSE_SEQ,
            PRE_BALANCE,
            AMOUNT,
            LIST_FARE,
            TXN_TYPE,
            TXN_DATE,
            TXN_TIME,
            TAC,
            KEY_INDEX,
            ALGORITHM,
            LINE,
            VEHICLE,
            STOP_IN,
            STOP_OUT,
            TIME_IN,
            TEST_FLAG,
            WALLET_ORDER,
            RESERVED,
        ];
        lines_up(&detail, DETAIL_LEN);
        detail.extend([VERDICT, REASON, CLEARING_DAY, TARGET_DAY, FEE]);
        lines_up(&detail, RESULT_LEN);
        assert_eq!((WALLET.at, WALLET.len), (LINE.at, TIME_IN.at.checked_sub(LINE.at).unwrap()));
    }
}
