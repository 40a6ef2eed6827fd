//! The name of a record file: kind, from whom, to whom, which day, which number.

use std::fmt;
use std::str::FromStr;

use model::{CityCode, Date};

use super::error::CuxError;

/// What a record file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `XF` (消费上送): taps, from the place of use up to the centre.
    Spends,
    /// `CZ` (充值上送): loads, up to the centre.
    Loads,
    /// `XD` (消费下发): judged taps, from the centre down to the card's issuer.
    IssuerResults,
    /// `XR` (消费结果): judged taps, from the centre down to the place of use.
    AcquirerResults,
}

/// The centre's code in names: `0000`.
pub const CENTRE: CityCode = match CityCode::new(0) {
    Some(code) => code,
    None => unreachable!(),
};

/// A record file's name: `XF2000` `0000` `20141020` `0001` `.CUX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// What it holds.
    pub kind: FileKind,
    /// Who sends it.
    pub from: CityCode,
    /// Who gets it.
    pub to: CityCode,
    /// The business day of its records.
    pub day: Date,
    /// The sender's number of the file within the day, 0 to 9999.
    pub sequence: u16,
}

const SHAPE: &str = "TT, from (4 digits), to (4 digits), YYYYMMDD, number (4 digits), then `.CUX`";

impl FileKind {
    /// Every kind.
    pub const ALL: [FileKind; 4] =
        [FileKind::Spends, FileKind::Loads, FileKind::IssuerResults, FileKind::AcquirerResults];

    /// The two letters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            FileKind::Spends => "XF",
            FileKind::Loads => "CZ",
            FileKind::IssuerResults => "XD",
            FileKind::AcquirerResults => "XR",
        }
    }

    /// What it holds, for messages.
    #[must_use]
    pub const fn holds(self) -> &'static str {
        match self {
            FileKind::Spends => "spends (XF)",
            FileKind::Loads => "loads (CZ)",
            FileKind::IssuerResults => "results for an issuer (XD)",
            FileKind::AcquirerResults => "results for an acquirer (XR)",
        }
    }
}

impl FileName {
    /// The name of a city's upload of taps.
    #[must_use]
    pub const fn spends(from: CityCode, day: Date, sequence: u16) -> Self {
        FileName { kind: FileKind::Spends, from, to: CENTRE, day, sequence }
    }

    /// The file as one number, the same whoever reads it: sender, day and sequence, 16 decimal digits.
    ///
    /// Sender and sequence stay within four digits by their types and by [`FromStr`], so no two files of one
    /// kind share a number.
    #[must_use]
    pub fn batch(&self) -> u64 {
        let sender = u64::from(self.from.get()).saturating_mul(1_000_000_000_000);
        let day = self.day.digits().saturating_mul(10_000);
        sender.saturating_add(day).saturating_add(u64::from(self.sequence))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.day.digits();
        write!(f, "{}{}{}{day:08}{:04}.CUX", self.kind.code(), self.from, self.to, self.sequence)
    }
}

impl FromStr for FileName {
    type Err = CuxError;
    fn from_str(text: &str) -> Result<Self, CuxError> {
        parse(text).ok_or_else(|| CuxError::Name { file: text.chars().take(64).collect(), expected: SHAPE })
    }
}

fn parse(text: &str) -> Option<FileName> {
    let stem = text.strip_suffix(".CUX").filter(|stem| stem.len() == 22 && stem.is_ascii())?;
    let kind = FileKind::ALL.into_iter().find(|kind| stem.get(..2) == Some(kind.code()))?;
    let digits = stem.get(2..).filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()))?;
    Some(FileName {
        kind,
        from: digits.get(0..4)?.parse().ok()?,
        to: digits.get(4..8)?.parse().ok()?,
        day: super::field::day(digits.get(8..16)?.parse().ok()?)?,
        sequence: digits.get(16..20)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written() {
        for name in ["XF20000000201410200001.CUX", "CZ31000000201402280042.CUX", "XR00002000201410209999.CUX"]
        {
            assert_eq!(name.parse::<FileName>().unwrap().to_string(), name);
        }
        assert_eq!("XF20000000201410200001.CUX".parse::<FileName>().unwrap().batch(), 2_000_201_410_200_001);
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_the_shape_of_one() {
        for (name, why) in [
            ("", "empty"),
            ("XF20000000201410200001.cux", "lower case"),
            ("XX20000000201410200001.CUX", "unknown kind"),
            ("XF2000000020141020001.CUX", "short"),
            ("XF200000002014102000011.CUX", "long"),
            ("XF20000000201402300001.CUX", "no such day"),
            ("XF+0000000201410200001.CUX", "sign"),
            ("XF２000000201410200001.CUX", "not ASCII"),
        ] {
            let error = name.parse::<FileName>().unwrap_err();
            assert!(error.to_string().contains("YYYYMMDD"), "{why}: {error}");
        }
    }
}
