//! Client certificates (客户端证书) by which a party is known to the door below its signatures.
//!
//! Standard: RFC 5280 certificates; RFC 6125 for the comparison of names, done by the TLS library.
//! Invariant: no certificate is two parties'.

use std::collections::BTreeMap;
use std::fmt;

use super::shelf::Problems;
use super::source::Source;

/// How a party's certificate is recognised, once a registered authority has issued it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Certificate {
    /// One certificate: SHA-256 of its DER.
    Fingerprint([u8; 32]),
    /// Any that is issued for this DNS name, renewed ones too.
    Name(String),
}

impl TryFrom<String> for Certificate {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut fingerprint = [0; 32];
        if hex::decode_to_slice(text.replace(':', ""), &mut fingerprint).is_ok() {
            return Ok(Certificate::Fingerprint(fingerprint));
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= 253 && text.contains('.') && text.split('.').all(label) {
            return Ok(Certificate::Name(text));
        }
        Err(format!(
            "`{text}` is no certificate; expected its SHA-256 fingerprint, 64 hex digits, or the DNS name that it is \
             issued for, such as wallet.example"
        ))
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Certificate::Fingerprint(digest) => f.write_str(&hex::encode(digest)),
            Certificate::Name(name) => f.write_str(name),
        }
    }
}

/// No certificate is two parties'.
pub(super) fn check<'a>(
    parties: impl Iterator<Item = (&'a Source<'a>, &'a [Certificate])>,
    problems: &mut Problems,
) {
    let mut first: BTreeMap<&Certificate, &str> = BTreeMap::new();
    for (source, certificates) in parties {
        for certificate in certificates {
            if let Some(other) = first.insert(certificate, source.file) {
                problems.push(
                    source.problem("certificates", format!("{certificate} is also a certificate of {other}")),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_a_fingerprint_or_a_dns_name() {
        let read = |text: &str| Certificate::try_from(text.to_owned());
        let colons = ["AB"; 32].join(":");
        assert_eq!(read(&colons), Ok(Certificate::Fingerprint([0xAB; 32])));
        assert_eq!(read(&"ab".repeat(32)), Ok(Certificate::Fingerprint([0xAB; 32])));
        assert_eq!(read("pay.example"), Ok(Certificate::Name("pay.example".into())));
        for wrong in ["", "alipay", "*.example", "Pay.example", "a..b", "-a.b", "a-.b", ".", &"ab".repeat(31)]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
