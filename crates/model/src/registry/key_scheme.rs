//! What kind of keys an element has (密钥算法), and how they follow from its maker's (密钥分散).
//!
//! Standard: the public schemes of card vendors (globalplatform.md section 1.4) and the check values of keys; a
//! vendor's own scheme is a template in the phone's profile.
//! Invariant: a template names every byte of the block, in its order; what it cannot say is no template.

use std::str::FromStr;

use crate::number::NumberError;

/// What a key is a key of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Two-key 3DES.
    TripleDes,
    /// AES-128.
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
}

/// What the check value of an AES key is the cipher of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AesCheck {
    /// Sixteen bytes `01`, as the standard says.
    #[default]
    Ones,
    /// Sixteen bytes `00`: what some vendors do.
    Zeros,
}

/// How an element's keys follow from the maker's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyScheme {
    /// They are the maker's keys.
    None,
    /// VISA diversification, the old one.
    Visa,
    /// VISA2 diversification.
    Visa2,
    /// EMV CPS 1.1 diversification.
    Emv,
    /// The key derivation function of SP 800-108 in counter mode, AES alone.
    Kdf3,
    /// A vendor's own: this block, enciphered under the maker's key.
    Template(Template),
}

/// The block that is enciphered under a maker's key to give an element's key.
///
/// Written as words: two hex digits for a constant byte, `$0` to `$9` for a byte of the element's diversification
/// data, `$n` for the key's purpose (01 ENC, 02 MAC, 03 DEK). 16 words, or 32 for AES-192 (which takes the first
/// 24 bytes) and AES-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    first: [Part; 16],
    second: Option<[Part; 16]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Constant(u8),
    Data(u8),
    Purpose,
}

impl KeyKind {
    /// Bytes of a key.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            KeyKind::TripleDes | KeyKind::Aes128 => 16,
            KeyKind::Aes192 => 24,
            KeyKind::Aes256 => 32,
        }
    }

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            KeyKind::TripleDes => "3DES",
            KeyKind::Aes128 => "AES-128",
            KeyKind::Aes192 => "AES-192",
            KeyKind::Aes256 => "AES-256",
        }
    }
}

impl KeyScheme {
    /// Whether keys of this kind can be made so.
    #[must_use]
    pub const fn fits(&self, kind: KeyKind) -> bool {
        match (self, kind) {
            (KeyScheme::None, _) => true,
            (KeyScheme::Visa | KeyScheme::Visa2 | KeyScheme::Emv, kind) => matches!(kind, KeyKind::TripleDes),
            (KeyScheme::Kdf3, kind) => !matches!(kind, KeyKind::TripleDes),
            (KeyScheme::Template(template), kind) => (kind.bytes() > 16) == template.second.is_some(),
        }
    }
}

impl Template {
    /// The block for one element and one purpose: 16 or 32 bytes.
    #[must_use]
    pub fn fill(&self, data: &[u8; 10], purpose: u8) -> Vec<u8> {
        let byte = |part: &Part| match *part {
            Part::Constant(byte) => byte,
            Part::Data(index) => data.get(usize::from(index)).copied().unwrap_or_default(),
            Part::Purpose => purpose,
        };
        self.first.iter().chain(self.second.iter().flatten()).map(byte).collect()
    }
}

impl FromStr for Part {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        match word.as_bytes() {
            b"$n" => Ok(Part::Purpose),
            [b'$', digit @ b'0'..=b'9'] => Ok(Part::Data(digit.wrapping_sub(b'0'))),
            [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                u8::from_str_radix(word, 16).map(Part::Constant).map_err(|_| ())
            }
            _ => Err(()),
        }
    }
}

impl FromStr for Template {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let wrong = |shown: &str, expected| NumberError::new(shown, "a key template", expected);
        let mut parts = Vec::new();
        for word in text.split_ascii_whitespace() {
            let form = "words of two hex digits, $0 to $9 or $n";
            parts.push(word.parse::<Part>().map_err(|()| wrong(word, form))?);
        }
        if !parts.contains(&Part::Purpose) {
            return Err(wrong(text, "$n in it, or the three keys are one"));
        }
        match parts.as_chunks() {
            ([first], []) => Ok(Template { first: *first, second: None }),
            ([first, second], []) => Ok(Template { first: *first, second: Some(*second) }),
            _ => Err(wrong(text, "16 words, or 32 for AES-192 and AES-256")),
        }
    }
}

impl TryFrom<String> for Template {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMV: &str = "$4 $5 $6 $7 $8 $9 F0 $n $4 $5 $6 $7 $8 $9 0F $n";

    #[test]
    fn a_template_is_filled_byte_by_byte() {
        let template: Template = EMV.parse().unwrap();
        let block = template.fill(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2);
        assert_eq!(block, [4, 5, 6, 7, 8, 9, 0xF0, 2, 4, 5, 6, 7, 8, 9, 0x0F, 2]);
        let twice: Template = format!("{EMV} {EMV}").parse().unwrap();
        assert_eq!(twice.fill(&[1; 10], 3).len(), 32);
    }

    #[test]
    fn what_is_no_template_is_told_what_one_is() {
        let error = |text: &str| text.parse::<Template>().unwrap_err().to_string();
        assert!(error(&EMV.replace("$9", "$A")).contains("$A"), "the word at fault is named");
        assert!(error(&EMV.replace("F0", "F")).contains("two hex digits"));
        assert!(error(&EMV.replace("F0", "+1")).contains("two hex digits"));
        assert!(error(&EMV[3..]).contains("16 words"));
        assert!(error(&EMV.replace("$n", "00")).contains("$n"));
    }

    #[test]
    fn a_scheme_fits_the_keys_that_it_can_make() {
        let template = |text: String| KeyScheme::Template(text.parse().unwrap());
        let (short, long) = (template(EMV.to_owned()), template(format!("{EMV} {EMV}")));
        let kinds = [KeyKind::TripleDes, KeyKind::Aes128, KeyKind::Aes192, KeyKind::Aes256];
        let fits = |scheme: KeyScheme| kinds.map(|kind| scheme.fits(kind));
        assert_eq!(fits(KeyScheme::None), [true; 4]);
        assert_eq!(fits(KeyScheme::Emv), [true, false, false, false]);
        assert_eq!(fits(KeyScheme::Kdf3), [false, true, true, true]);
        assert_eq!((fits(short), fits(long)), ([true, true, false, false], [false, false, true, true]));
    }
}
