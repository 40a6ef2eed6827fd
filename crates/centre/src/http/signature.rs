//! Signed requests (报文签名): who sent this, untouched, now, and once.
//!
//! Standard: RFC 9421, HTTP Message Signatures, under the algorithm of the registered key; RFC 9530, Content-Digest with `sha-256`.
//! Invariant: nothing of a request is acted on before its signature is verified; the body is under the signature
//! through its digest, and a request without a body may leave the digest out.

use axum::http::HeaderMap;
use ed25519_dalek::{Signer, SigningKey};
use model::registry::PublicKey;
use sfv::{
    BareItem, Dictionary, InnerList, Item, KeyRef, ListEntry, ListSerializer, Parameters, Parser, StringRef,
};
use sha2::{Digest, Sha256};

use super::algorithm::verifies;
use crate::problem::{Code, Problem};

/// How far a signature's time may be from the centre's clock.
pub(crate) const WINDOW_SECONDS: i64 = 300;

const MUST_COVER: [&str; 3] = ["@method", "@path", "@query"];
const DIGEST: &str = "content-digest";
const NONCE_MAX: usize = 64;

/// What a signature speaks about, besides the headers.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `GET`, `POST`, `PUT`.
    pub method: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The query, as sent, without the question mark.
    pub query: Option<&'a str>,
}

/// The headers that make a request a signed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Content-Digest`.
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// A signature as it came, not yet verified.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) keyid: String,
    pub(crate) nonce: String,
    pub(crate) created: i64,
    base: String,
    signature: Vec<u8>,
    /// The algorithm that the request names, if it names one.
    algorithm: Option<String>,
    covered: Vec<String>,
}

/// The key that `keyid` signs with in a demo network: published, worthless, the same everywhere.
///
/// The seed is `SHA-256("yikatong demo key " || keyid)`; no centre accepts it unless it runs a demo.
#[must_use]
pub fn demo_signing_key(keyid: &str) -> SigningKey {
    let seed = Sha256::new().chain_update(b"yikatong demo key ").chain_update(keyid.as_bytes()).finalize();
    SigningKey::from_bytes(&seed.into())
}

/// Signs a request as the centre expects it; `created` is Unix time.
///
/// # Errors
/// `keyid` or `nonce` holds what a structured field cannot: anything but printable ASCII.
pub fn sign(
    key: &SigningKey,
    keyid: &str,
    nonce: &str,
    created: i64,
    target: Target<'_>,
    body: &[u8],
) -> Result<SignedHeaders, sfv::Error> {
    let content_digest = content_digest(body);
    let mut params = Parameters::new();
    params.insert(KeyRef::from_str("created")?.to_owned(), sfv::Integer::try_from(created)?.into());
    params.insert(KeyRef::from_str("keyid")?.to_owned(), StringRef::from_str(keyid)?.to_owned().into());
    params.insert(KeyRef::from_str("nonce")?.to_owned(), StringRef::from_str(nonce)?.to_owned().into());
    params.insert(KeyRef::from_str("alg")?.to_owned(), StringRef::from_str("ed25519")?.to_owned().into());
    let mut items = Vec::new();
    for name in MUST_COVER.into_iter().chain([DIGEST]) {
        items.push(Item::new(StringRef::from_str(name)?.to_owned()));
    }
    let covered = InnerList::with_params(items, params);
    let value = |name: &str| match name {
        DIGEST => Some(content_digest.clone()),
        _ => target.derived(name, &HeaderMap::new()),
    };
    let base = base(&covered, value).unwrap_or_default();
    let signature = BareItem::ByteSequence(key.sign(base.as_bytes()).to_bytes().to_vec());
    let mut text = sfv::DictSerializer::new();
    text.bare_item(KeyRef::from_str("sig1")?, &signature);
    Ok(SignedHeaders {
        content_digest,
        signature_input: format!("sig1={}", serialized(&covered)),
        signature: text.finish().unwrap_or_default(),
    })
}

/// The `Content-Digest` of a body.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    let digest = BareItem::ByteSequence(Sha256::digest(body).to_vec());
    let mut text = sfv::DictSerializer::new();
    text.bare_item(sfv::key_ref("sha-256"), &digest);
    text.finish().unwrap_or_default()
}

/// Checks the body against its digest, and gives the digest.
pub(crate) fn check_body(headers: &HeaderMap, body: &[u8]) -> Result<[u8; 32], Problem> {
    let actual: [u8; 32] = Sha256::digest(body).into();
    let Some(text) = field(headers, DIGEST) else {
        return if body.is_empty() { Ok(actual) } else { Err(Code::DigestMissing.about(DIGEST)) };
    };
    let stated = Parser::new(&text).parse::<Dictionary>().ok();
    let stated = match stated.as_ref().and_then(|d| d.get("sha-256")) {
        Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence().map(<[u8]>::to_vec),
        _ => None,
    };
    match stated {
        None => Err(Code::DigestMissing.about(DIGEST)),
        Some(stated) if stated == actual => Ok(actual),
        Some(_) => Err(Code::DigestWrong.about(DIGEST)),
    }
}

impl Claim {
    /// Reads the signature of a request, and holds it to what this centre wants covered.
    pub(crate) fn read(target: Target<'_>, headers: &HeaderMap) -> Result<Claim, Problem> {
        let claim = Claim::parse(target, headers)?;
        if let Some(missing) =
            MUST_COVER.into_iter().find(|must| !claim.covered.iter().any(|name| name == must))
        {
            return Err(Code::SignatureMalformed.about(missing));
        }
        match claim.nonce.len() {
            1..=NONCE_MAX => Ok(claim),
            _ => Err(Code::SignatureMalformed.about("nonce")),
        }
    }

    /// Reads any signature; the first, if a request has several.
    fn parse(target: Target<'_>, headers: &HeaderMap) -> Result<Claim, Problem> {
        let malformed = |what: &str| Code::SignatureMalformed.about(what);
        let header = |name: &str| field(headers, name).ok_or_else(|| Code::SignatureMissing.about(name));
        let input: Dictionary =
            Parser::new(&header("signature-input")?).parse().map_err(|_| malformed("signature-input"))?;
        let signatures: Dictionary =
            Parser::new(&header("signature")?).parse().map_err(|_| malformed("signature"))?;
        let Some((label, ListEntry::InnerList(covered))) = input.first() else {
            return Err(malformed("signature-input"));
        };
        let signature = match signatures.get(label) {
            Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence().map(<[u8]>::to_vec),
            _ => None,
        };
        let param = |name: &str| covered.params.get(name);
        let text = |name: &str| param(name).and_then(BareItem::as_string).map(|s| s.as_str().to_owned());
        let created = param("created").and_then(BareItem::as_integer).map(i64::from);
        let names = names(covered).ok_or_else(|| malformed("signature-input"))?;
        let value = |name: &str| target.derived(name, headers).or_else(|| field(headers, name));
        Ok(Claim {
            keyid: text("keyid").ok_or_else(|| malformed("keyid"))?,
            nonce: text("nonce").unwrap_or_default(),
            created: created.ok_or_else(|| malformed("created"))?,
            base: base(covered, value).ok_or_else(|| malformed("signature-input"))?,
            algorithm: text("alg"),
            signature: signature.ok_or_else(|| malformed("signature"))?,
            covered: names.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Whether the body is under the signature.
    pub(crate) fn covers_digest(&self) -> bool {
        self.covered.iter().any(|name| name == DIGEST)
    }

    /// Verifies it: the time, the algorithm, which is the key's, and the signature itself.
    pub(crate) fn verify(&self, key: &PublicKey, now: i64) -> Result<(), Problem> {
        let away = now.saturating_sub(self.created);
        if away.unsigned_abs() > WINDOW_SECONDS.unsigned_abs() {
            return Err(Code::SignatureClock.about(away));
        }
        let registered = key.algorithm().as_str();
        if self.algorithm.as_ref().is_some_and(|named| named != registered) {
            return Err(Code::AlgorithmDiffers.about(registered));
        }
        let good = verifies(key, self.base.as_bytes(), &self.signature);
        if good { Ok(()) } else { Err(Code::SignatureWrong.about(&self.keyid)) }
    }
}

impl Target<'_> {
    /// RFC 9421 section 2.2, the derived components that we know.
    fn derived(&self, name: &str, headers: &HeaderMap) -> Option<String> {
        match name {
            "@authority" => field(headers, "host").map(|host| host.to_ascii_lowercase()),
            "@method" => Some(self.method.to_owned()),
            "@path" => Some(if self.path.is_empty() { "/".to_owned() } else { self.path.to_owned() }),
            "@query" => Some(format!("?{}", self.query.unwrap_or_default())),
            _ => None,
        }
    }
}

/// A header's value, its lines joined (RFC 9421 section 2.1).
fn field(headers: &HeaderMap, name: &str) -> Option<String> {
    if name.starts_with('@') {
        return None;
    }
    let lines: Option<Vec<&str>> =
        headers.get_all(name).iter().map(|v| v.to_str().ok().map(str::trim)).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", "))
}

/// The covered components; `None` if one is no plain name or comes twice.
fn names(covered: &InnerList) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for item in &covered.items {
        let name = item.bare_item.as_string().filter(|_| item.params.is_empty())?.as_str();
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

/// RFC 9421 section 2.5: the signature base. `None` if a component has no value.
fn base(covered: &InnerList, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut base = String::new();
    for name in names(covered)? {
        base.push_str(&format!("\"{name}\": {}\n", value(name)?));
    }
    base.push_str(&format!("\"@signature-params\": {}", serialized(covered)));
    Some(base)
}

fn serialized(covered: &InnerList) -> String {
    let mut list = ListSerializer::new();
    let mut inner = list.inner_list();
    inner.items(&covered.items);
    inner.finish().parameters(&covered.params);
    list.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vectors {
        vector: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        why: String,
        #[serde(rename = "source")]
        _source: String,
        public_key: String,
        method: String,
        path: String,
        query: Option<String>,
        headers: Vec<[String; 2]>,
        signs: bool,
    }

    #[test]
    fn published_signatures_verify_and_their_neighbours_do_not() {
        let text = include_str!("../../../../vectors/http/signature.toml");
        for vector in toml::from_str::<Vectors>(text).unwrap().vector {
            let mut headers = HeaderMap::new();
            for [name, value] in &vector.headers {
                let name: axum::http::HeaderName = name.parse().unwrap();
                headers.append(name, value.parse().unwrap());
            }
            let target =
                Target { method: &vector.method, path: &vector.path, query: vector.query.as_deref() };
            let claim = Claim::parse(target, &headers).unwrap();
            let key: [u8; 32] = hex::decode(&vector.public_key).unwrap().try_into().unwrap();
            let key = PublicKey::Ed25519(key);
            assert_eq!(claim.verify(&key, claim.created).is_ok(), vector.signs, "{}", vector.why);
        }
    }

    #[test]
    fn the_published_demo_key_is_the_one_anyone_can_make() {
        // printf 'yikatong demo key alipay' | sha256sum
        let seed = hex::decode("e7343642954fc59654928f80e8dbb3aac8ac35560aab0c2078c5f6bfe837d3b1").unwrap();
        assert_eq!(demo_signing_key("alipay").to_bytes().as_slice(), seed);
    }
}
