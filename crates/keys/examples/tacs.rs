//! How fast TACs are checked: one after the other, and bitsliced at every width that this machine has.
#![allow(clippy::print_stdout, clippy::arithmetic_side_effects)] // a person reads it; counts of an example

use std::time::Instant;

use keys::{KeyService, Purchase, Seeded, SoftwareKeys, TapFacts, Width};
use model::{CardNumber, CardTime, CityCode, Entropy, PurseFen, Tac, TerminalId};

const RECORDS: usize = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = CityCode::new(2000).ok_or("city")?;
    let mut random = Seeded::new(3);
    let start: CardTime = "2014-10-20 06:00:00".parse()?;
    let mut taps = Vec::with_capacity(RECORDS);
    for index in 0..RECORDS {
        let mut terminal = [0; 6];
        random.fill(&mut terminal);
        let purchase = Purchase {
            amount: PurseFen::try_from(200)?,
            txn_type: 6,
            terminal: TerminalId::new(terminal),
            at: start.plus_seconds(i64::try_from(index % 50_000)?),
        };
        let card = CardNumber::from_u64(random.next_u64());
        taps.push(TapFacts::new(card, &purchase, u32::try_from(index)?, Tac::from_u32(0)));
    }
    for width in Width::available() {
        let keys = SoftwareKeys::demo().at_width(width);
        keys.wrong_tacs(issuer, (1, 0), taps.get(..1024).unwrap_or_default())?;
        let began = Instant::now();
        let wrong = keys.wrong_tacs(issuer, (1, 0), &taps)?.len();
        let took = began.elapsed();
        let each = took.as_nanos() / u128::try_from(RECORDS)?;
        println!(
            "{:>8}: {:>8} records/ms, {each} ns each, {wrong} wrong",
            width.name(),
            u128::try_from(RECORDS)? * 1_000_000 / took.as_nanos()
        );
    }
    Ok(())
}
