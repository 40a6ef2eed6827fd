//! What the three sides can differ in: one stable code each, with its words in both languages in `i18n/texts.toml`.

use crate::store::words;

words! {
    /// A kind of case.
    Kind {
        /// The wallet has money of an order that we do not have.
        WalletOnly = "wallet-only",
        /// We have money of an order that the wallet does not name.
        LedgerOnly = "ledger-only",
        /// Both have it, with other amounts.
        AmountDiffers = "amount-differs",
        /// Both have it, and it ended otherwise for each.
        StateDiffers = "state-differs",
        /// The card holds more than our posted loads and its taps explain.
        CardHasMore = "card-has-more",
        /// A load is posted that the card does not show.
        CardHasLess = "card-has-less",
        /// The wallet sent no file for the day.
        FileMissing = "file-missing",
        /// The order's money was in doubt at the day's end, on both sides.
        InDoubt = "in-doubt",
        /// One side has it a day later than the other; the amounts agree.
        Late = "late",
        /// The card was loaded by others than us.
        LoadedElsewhere = "loaded-elsewhere",
    }
}

impl Kind {
    /// Every kind.
    #[cfg(test)]
    pub(crate) const ALL: [Kind; 10] = [
        Kind::WalletOnly,
        Kind::LedgerOnly,
        Kind::AmountDiffers,
        Kind::StateDiffers,
        Kind::CardHasMore,
        Kind::CardHasLess,
        Kind::FileMissing,
        Kind::InDoubt,
        Kind::Late,
        Kind::LoadedElsewhere,
    ];

    /// A difference that nobody has explained, until its case is settled. The others are named, and no fault.
    pub(crate) const fn is_difference(self) -> bool {
        !matches!(self, Kind::InDoubt | Kind::Late | Kind::LoadedElsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_code() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>().unwrap(), kind);
        }
    }
}
