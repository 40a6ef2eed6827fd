//! The daily file (对账文件) and the books: what the wallet holds against the centre's word and the cards' counters.
//!
//! Standard: none; the centre's own format, docs/match.md.
//! Invariant: a file is made once and kept, so that sending it again sends the same bytes; it names every order with
//! money that was placed or changed on its day, and what it says of an order is what the ledger holds.
//! A refund stands in it once it is credited, as `refund` and `refunded`, with what the passenger got.

use std::fmt::Write as _;

use model::{CardNumber, Date, Fen, PurseFen};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::centre::Answer;
use crate::core::Core;
use crate::money::{self, Books};
use crate::problem::{Code, Problem};
use crate::store::{DayFile, OrderKind, OrderRow, OrderState};

/// The centre's receipt, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Receipt {
    digest: String,
}

impl Core {
    /// A day's file for the match: as it was sent, or else as known now.
    ///
    /// # Errors
    /// The store's.
    pub fn daily_file(&self, day: Date) -> Result<String, Problem> {
        let made = DayFile::find(self.state().store.read(), day)?;
        made.map_or_else(|| self.compose(day), |made| Ok(made.file))
    }

    /// Makes a day's file, once, and sends it until the centre has given its receipt. Open orders are asked for
    /// first, so that the file says what the centre's ledger says.
    ///
    /// # Errors
    /// The store's, or the centre is silent or refuses; the file is kept and may be sent again.
    pub fn send_day(&self, day: Date) -> Result<(), Problem> {
        self.refresh_open()?;
        let known = DayFile::find(self.state().store.read(), day)?;
        let mut made = match known {
            Some(made) => made,
            None => DayFile { day, file: self.compose(day)?, sent: false },
        };
        if made.sent {
            return Ok(());
        }
        self.state().store.write(|db| Ok(made.keep(db)?))?;
        let path = format!("/v1/days/{day}/file");
        let answer: Answer<Receipt> =
            self.with_centre(|client, moment| client.put(moment, &path, &made.file));
        match answer {
            Answer::Said(receipt) if receipt.digest == hex::encode(Sha256::digest(made.file.as_bytes())) => {
                made.sent = true;
                self.state().store.write(|db| Ok(made.keep(db)?))?;
                tracing::info!(%day, "the centre has the day's file");
                Ok(())
            }
            Answer::Said(_) => Err(Code::CentreSilent.about("a receipt of another file")),
            Answer::Problem { refusal, .. } => Err(Code::CentreRefused.about(refusal.code)),
            Answer::Silence(why) => Err(Code::CentreSilent.about(why)),
        }
    }

    /// Sends the files of all days that are over: those not acknowledged yet, and new ones from the first order on.
    ///
    /// # Errors
    /// As [`Core::send_day`]; the rest waits for the next call.
    pub fn send_days(&self) -> Result<(), Problem> {
        let today = self.now().date();
        let (unsent, first) = {
            let state = self.state();
            let db = state.store.read();
            let next = DayFile::last(db)?.map(|last| last.plus_days(1));
            (DayFile::unsent(db)?, if next.is_some() { next } else { OrderRow::first_day(db)? })
        };
        for day in unsent {
            self.send_day(day)?;
        }
        let mut day = first.unwrap_or(today);
        while day < today {
            self.send_day(day)?;
            day = day.plus_days(1);
        }
        Ok(())
    }

    /// The whole ledger in four figures, its log added up anew.
    ///
    /// # Errors
    /// The store's, or a ledger that does not add up.
    pub fn books(&self) -> Result<Books, Problem> {
        money::books(self.state().ledger())
    }

    fn compose(&self, day: Date) -> Result<String, Problem> {
        let mut orders = OrderRow::of_day(self.state().store.read(), day)?;
        // A refund has an amount once it is done, and not before.
        orders.retain(|order| {
            matches!(order.kind, OrderKind::Issue | OrderKind::Load | OrderKind::Refund)
                && order.amount > PurseFen::ZERO
        });
        orders.sort_by(|a, b| a.id.cmp(&b.id));
        let full = |error: std::fmt::Error| Code::Internal.about(error);
        let mut file = format!("WD1,{},{day},{}\n", self.wallet, self.now());
        let [mut paid, mut refunded, mut held] = [Fen::ZERO; 3];
        for order in &orders {
            let (word, sum) = match order.state {
                OrderState::Done if order.kind == OrderKind::Refund => ("refunded", &mut refunded),
                OrderState::Done => ("paid", &mut paid),
                OrderState::Refused => ("refunded", &mut refunded),
                OrderState::Unknown | OrderState::Created | OrderState::Running | OrderState::InDoubt => {
                    ("held", &mut held)
                }
            };
            *sum = sum.plus(order.amount.into()).map_err(|error| Code::Internal.about(error))?;
            let (id, kind, amount) = (&order.id, order.kind.as_str(), order.amount.get());
            let card = order.number.map(CardNumber::raw).unwrap_or_default();
            // The entry of the wallet's ledger goes by the order's id.
            writeln!(file, "{id},{kind},{card},{amount},{word},{id},{}", order.changed_at).map_err(full)?;
        }
        let digest = hex::encode(Sha256::digest(file.as_bytes()));
        let (lines, paid, refunded, held) = (orders.len(), paid.get(), refunded.get(), held.get());
        writeln!(file, "END,{lines},{paid},{refunded},{held},{digest}").map_err(full)?;
        Ok(file)
    }
}
