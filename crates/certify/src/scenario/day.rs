//! The daily file (对账文件), held against what the scenario's orders came to.
//!
//! Standard: none; the centre's own format, docs/match.md.
//! Invariant: read here by itself, not by the centre's reader, so that the two check each other.

use sha2::{Digest, Sha256};

use super::back::{loaded, placed, taken_back};
use crate::finding::Code;
use crate::play::{Chip, Play, Played};

const OPEN: i64 = 4000;
const TAKEN_BACK: i64 = 3000;
const LOADED: i64 = 5000;

/// What a line must say of an order: kind, amount, state.
type Expected = (String, [String; 3]);

/// A load that is done, one that is taken back, a card that is given back, one order that stays open: then the file.
pub(super) fn daily_file(play: &mut Play<'_>) -> Played {
    let done = loaded(play)?.order.unwrap_or_default();
    let (_, back) = placed(play, TAKEN_BACK, 2)?;
    taken_back(play, &back, 95_000)?;
    let said = play.refund()?;
    let said = play.must_reach(said, &["created"], Code::NotSettled)?;
    let refund = play.orders(&said, 3)?;
    play.carry_out(&refund, Chip::Plastic, false)?;
    play.must_reach(said, &["done"], Code::NotSettled)?;
    let (_, open) = placed(play, OPEN, 4)?;
    let file = play.day_file()?;
    let says = |kind: &str, amount: i64, word: &str| [kind.to_owned(), amount.to_string(), word.to_owned()];
    let expected = [
        (done, says("load", LOADED, "paid")),
        (back, says("load", TAKEN_BACK, "refunded")),
        (refund, says("refund", LOADED, "refunded")),
        (open, says("load", OPEN, "held")),
    ];
    judge(play, &file, &expected);
    Ok(())
}

fn judge(play: &mut Play<'_>, file: &str, expected: &[Expected]) {
    let wallet = play.stage.wallet.to_string();
    let lines = match lines(file, &wallet, play.day()) {
        Ok(lines) => lines,
        Err(why) => {
            play.find(Code::DayFileBad, why);
            Vec::new()
        }
    };
    let mut last = "";
    for [order, ..] in &lines {
        if *order == last {
            play.find(Code::DayOrderTwice, format_args!("order {order}"));
        } else if *order < last {
            play.find(Code::DayFileBad, format_args!("order {order} after {last}"));
        }
        last = order;
    }
    for (order, says) in expected {
        match lines.iter().find(|line| line[0] == order.as_str()) {
            None => play.find(Code::DayOrderMissing, format_args!("order {order}: {}", says.join(" "))),
            Some(line) if line[1..] == says.each_ref().map(String::as_str) => {}
            Some(line) => {
                let seen = format!("order {order}: {}; expected {}", line[1..].join(" "), says.join(" "));
                play.find(Code::DayDiffers, seen);
            }
        }
    }
}

/// Order, kind, amount and state of each line, of a file whose head, sums and digest are right.
fn lines<'a>(file: &'a str, wallet: &str, day: &str) -> Result<Vec<[&'a str; 4]>, String> {
    let body = file.strip_suffix('\n').filter(|_| file.is_ascii()).ok_or("no ASCII, or no LF at its end")?;
    let rows: Vec<&str> = body.split('\n').collect();
    let [head, rows @ .., end] = rows.as_slice() else { return Err("no head and no trailer".into()) };
    if !head.starts_with(&format!("WD1,{wallet},{day},")) {
        return Err(format!("its head is {head}"));
    }
    let mut lines = Vec::new();
    let mut sums = [0_i64; 3];
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let [order, kind, _, amount, word, _, _] = fields.as_slice() else {
            return Err(format!("{} fields in a line, not 7", fields.len()));
        };
        let place = ["paid", "refunded", "held"].iter().position(|known| known == word);
        let sum = place.and_then(|place| sums.get_mut(place)).ok_or_else(|| format!("state {word}"))?;
        let fen: i64 = amount.parse().map_err(|_| format!("amount {amount}"))?;
        *sum = sum.saturating_add(fen);
        lines.push([*order, *kind, *amount, *word]);
    }
    let before = file.get(..body.len().saturating_sub(end.len())).unwrap_or_default();
    let digest = hex::encode(Sha256::digest(before.as_bytes()));
    let [paid, refunded, held] = sums;
    let right = format!("END,{},{paid},{refunded},{held},{digest}", lines.len());
    if *end == right { Ok(lines) } else { Err(format!("its trailer is {end}; expected {right}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_each_change_of_it_is_refused() {
        let body = "WD1,alipay,2014-10-20,2014-10-21 00:05:00\no1,load,,5000,paid,o1,2014-10-20 07:45:00\n";
        let digest = hex::encode(Sha256::digest(body.as_bytes()));
        let file = format!("{body}END,1,5000,0,0,{digest}\n");
        let read = |file: &str| lines(file, "alipay", "2014-10-20").map(|lines| lines.len());
        assert_eq!(read(&file), Ok(1));
        for (from, to) in [
            ("alipay", "wechat"),
            ("WD1,alipay,2014-10-20", "WD1,alipay,2014-10-21"),
            ("5000,paid", "5001,paid"),
            ("5000,paid", "5000,held"),
            ("END,1", "END,2"),
            (",,5000", ",5000"),
            ("00:05:00", "00:05:01"),
        ] {
            assert!(read(&file.replacen(from, to, 1)).is_err(), "{from} to {to}");
        }
        assert!(read(file.trim_end()).is_err() && read("").is_err());
    }
}
