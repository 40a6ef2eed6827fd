//! Keys by which a party signs its requests (签名公钥): several at once, each with a name, an algorithm and its days.
//!
//! A party rotates its key by adding a second one to its file: both sign until the old one's last day.
//!
//! Standard: RFC 9421 section 3.3 for the algorithms' names; RFC 5280 SubjectPublicKeyInfo in PEM (RFC 7468) for
//! keys; RFC 8410, RFC 5480 and RFC 8017 for what is in them; GM/T 0006 for the number of SM2's curve.
//! Invariant: the algorithm is the key's, said in the registry; no request chooses it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shelf::Problems;
use super::source::Source;
use super::text;
use crate::time::Date;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Algorithm {
    /// EdDSA on edwards25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256; a signature is `r || s`.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
    /// SM2 (国密) on its recommended curve with SM3 and the usual identity `1234567812345678`; a signature is `r || s`.
    #[serde(rename = "sm2-sm3")]
    Sm2Sm3,
}

/// A public key, as its algorithm's library reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// 32 bytes.
    Ed25519([u8; 32]),
    /// The point, uncompressed: 04, x, y.
    EcdsaP256([u8; 65]),
    /// PKCS #1 RSAPublicKey in DER, 2048 bits or more.
    Rsa(Vec<u8>),
    /// The point, uncompressed: 04, x, y.
    Sm2([u8; 65]),
}

/// One key of a party.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "KeyText")]
pub struct SigningKey {
    /// Its name: what stands behind `#` in a `keyid`.
    pub id: String,
    /// The key; it says the algorithm.
    pub key: PublicKey,
    /// First day.
    pub valid_from: Option<Date>,
    /// Last day.
    pub valid_until: Option<Date>,
}

/// As it stands in a file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    id: String,
    alg: Algorithm,
    public_key: String,
    #[serde(default, deserialize_with = "text::maybe_day")]
    valid_from: Option<Date>,
    #[serde(default, deserialize_with = "text::maybe_day")]
    valid_until: Option<Date>,
}

/// Why no key of a party may verify a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// There is none of this name.
    Unknown,
    /// Its first day is yet to come.
    NotYet(Date),
    /// Its last day is over.
    Over(Date),
}

const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const SM2: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81,
    0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];
/// AlgorithmIdentifier of rsaEncryption, with its NULL.
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// An RSA modulus has 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

impl Algorithm {
    /// The name in RFC 9421's registry; `sm2-sm3` is ours, since the registry has none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Algorithm::RsaV15Sha256 => "rsa-v1_5-sha256",
            Algorithm::Sm2Sm3 => "sm2-sm3",
        }
    }
}

impl PublicKey {
    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::Ed25519(_) => Algorithm::Ed25519,
            PublicKey::EcdsaP256(_) => Algorithm::EcdsaP256Sha256,
            PublicKey::Rsa(_) => Algorithm::RsaV15Sha256,
            PublicKey::Sm2(_) => Algorithm::Sm2Sm3,
        }
    }

    /// From 64 hex digits (Ed25519 alone), or from PEM, `BEGIN PUBLIC KEY`.
    #[must_use]
    pub fn parse(text: &str) -> Option<PublicKey> {
        let mut raw = [0; 32];
        if hex::decode_to_slice(text, &mut raw).is_ok() {
            return Some(PublicKey::Ed25519(raw));
        }
        let lines = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let lines = lines.strip_suffix("-----END PUBLIC KEY-----")?;
        let body: String = lines.split_ascii_whitespace().collect();
        PublicKey::from_spki(&STANDARD.decode(body).ok()?)
    }

    fn from_spki(der: &[u8]) -> Option<PublicKey> {
        if let Some(key) = der.strip_prefix(ED25519) {
            return key.try_into().ok().map(PublicKey::Ed25519);
        }
        let point = |bytes: &[u8]| bytes.try_into().ok().filter(|point: &[u8; 65]| point[0] == 4);
        if let Some(bytes) = der.strip_prefix(P256) {
            return point(bytes).map(PublicKey::EcdsaP256);
        }
        if let Some(bytes) = der.strip_prefix(SM2) {
            return point(bytes).map(PublicKey::Sm2);
        }
        let (info, rest) = element(0x30, der)?;
        let (bits, end) = element(0x03, info.strip_prefix(RSA)?)?;
        let key = bits.strip_prefix(&[0])?;
        let (numbers, tail) = element(0x30, key)?;
        let (modulus, _) = element(0x02, numbers)?;
        let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
        let whole =
            rest.is_empty() && end.is_empty() && tail.is_empty() && RSA_BYTES.contains(&modulus.len());
        whole.then(|| PublicKey::Rsa(key.to_vec()))
    }
}

/// The content of the DER element with this tag at the beginning, and what comes after it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

impl TryFrom<KeyText> for SigningKey {
    type Error = String;
    fn try_from(text: KeyText) -> Result<Self, String> {
        let KeyText { id, alg, public_key, valid_from, valid_until } = text;
        let key = PublicKey::parse(&public_key).ok_or(
            "expected the public key: 64 hex digits for ed25519, or PEM (BEGIN PUBLIC KEY) of Ed25519, P-256, \
             SM2 or RSA of 2048 to 8192 bits",
        )?;
        if key.algorithm() != alg {
            return Err(format!(
                "`{}` is not the algorithm of this key: {}",
                alg.as_str(),
                key.algorithm().as_str()
            ));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=32).contains(&id.len()) || !id.bytes().all(plain) {
            return Err(format!(
                "`{id}` is no name of a key; expected 1 to 32 letters, digits, dots, _ and -"
            ));
        }
        if valid_from.zip(valid_until).is_some_and(|(from, until)| until < from) {
            return Err(format!("key `{id}` ends before it begins"));
        }
        Ok(SigningKey { id, key, valid_from, valid_until })
    }
}

impl SigningKey {
    /// Whether it signs on this day.
    fn on(&self, day: Date) -> Result<&PublicKey, NoKey> {
        match (self.valid_from, self.valid_until) {
            (Some(from), _) if day < from => Err(NoKey::NotYet(from)),
            (_, Some(until)) if until < day => Err(NoKey::Over(until)),
            _ => Ok(&self.key),
        }
    }
}

/// The key of a party by its name; without a name its unnamed key, else the first of `keys` that is valid.
pub(super) fn find(
    unnamed: Option<[u8; 32]>,
    keys: &[SigningKey],
    name: Option<&str>,
    day: Date,
) -> Result<PublicKey, NoKey> {
    match (name, unnamed) {
        (None, Some(key)) => Ok(PublicKey::Ed25519(key)),
        (None, None) => {
            let valid = keys.iter().find_map(|key| key.on(day).ok());
            let last = || keys.last().and_then(|key| key.on(day).err()).unwrap_or(NoKey::Unknown);
            valid.cloned().ok_or_else(last)
        }
        (Some(name), _) => keys.iter().find(|key| key.id == name).ok_or(NoKey::Unknown)?.on(day).cloned(),
    }
}

/// No name twice.
pub(super) fn check(keys: &[SigningKey], source: &Source<'_>, problems: &mut Problems) {
    for (number, key) in keys.iter().enumerate() {
        if keys.iter().take(number).any(|other| other.id == key.id) {
            problems.push(source.problem("keys", format!("two keys are called `{}`", key.id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----";

    const SM2_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAECfnfMR5UIaFQ3X0WHkvFxnIXn60Y
M/wHa7CP81bzUCDM6kkM4md1pS3G6nGMwapgCu0F+/NeCEpmMvYHLamtEw==
-----END PUBLIC KEY-----";

    fn key(alg: &str, public_key: &str, days: &str) -> Result<SigningKey, toml::de::Error> {
        toml::from_str(&format!(
            "id = \"k\"\nalg = \"{alg}\"\npublic_key = \"\"\"\n{public_key}\"\"\"\n{days}"
        ))
    }

    #[test]
    fn a_key_is_of_the_algorithm_that_its_file_says() {
        let ed = "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb";
        assert!(key("ed25519", ed, "").is_ok() && key("ecdsa-p256-sha256", P256_PEM, "").is_ok());
        assert!(key("ecdsa-p256-sha256", ed, "").is_err() && key("ed25519", P256_PEM, "").is_err());
        assert!(key("rsa-v1_5-sha256", P256_PEM, "").is_err() && key("hmac-sha256", ed, "").is_err());
        assert!(key("sm2-sm3", SM2_PEM, "").is_ok() && key("sm2-sm3", P256_PEM, "").is_err());
        assert!(key("ecdsa-p256-sha256", SM2_PEM, "").is_err());
        assert!(key("ed25519", &ed[2..], "").is_err());
        assert!(key("ecdsa-p256-sha256", &P256_PEM.replace("DQgAEq", "DQgACq"), "").is_err());
        assert!(key("ecdsa-p256-sha256", &P256_PEM.replace("XQ==", "=="), "").is_err());
    }

    #[test]
    fn a_key_signs_from_its_first_day_to_its_last_and_the_unnamed_one_always() {
        let days = "valid_from = 2014-10-01\nvalid_until = 2014-10-31";
        let keys = [key("ecdsa-p256-sha256", P256_PEM, days).unwrap()];
        let on = |name, day: &str| find(None, &keys, name, day.parse().unwrap()).map(|key| key.algorithm());
        let (first, last) = ("2014-10-01".parse().unwrap(), "2014-10-31".parse().unwrap());
        for name in [Some("k"), None] {
            assert_eq!(on(name, "2014-09-30"), Err(NoKey::NotYet(first)));
            assert_eq!(on(name, "2014-10-01"), Ok(Algorithm::EcdsaP256Sha256));
            assert_eq!(on(name, "2014-10-31"), Ok(Algorithm::EcdsaP256Sha256));
            assert_eq!(on(name, "2014-11-01"), Err(NoKey::Over(last)));
        }
        assert_eq!(on(Some("other"), "2014-10-01"), Err(NoKey::Unknown));
        let unnamed = find(Some([7; 32]), &keys, None, "2030-01-01".parse().unwrap());
        assert_eq!(unnamed, Ok(PublicKey::Ed25519([7; 32])));
        assert!(
            key("ecdsa-p256-sha256", P256_PEM, "valid_from = 2014-10-02\nvalid_until = 2014-10-01").is_err()
        );
    }
}
