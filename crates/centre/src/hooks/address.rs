//! Where a webhook may point (防内网访问): at public addresses only, so that no wallet can make the centre knock on a
//! door inside the network.
//!
//! Standard: the IANA special-purpose address registries (RFC 6890 and its updates).
//! Invariant: a name is looked up once for each delivery, all that it resolves to is checked, and the connection goes
//! to those very addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use axum::http::Uri;

use crate::problem::{Code, Problem};

/// The most bytes of a webhook's address.
const URL_MAX: usize = 1024;

/// Looks names up.
pub trait Names: Send + Sync {
    /// Every address of `host`.
    ///
    /// # Errors
    /// There is none, or nobody can be asked.
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The machine's own way to look names up.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// An address as a wallet gave it: of the right form, not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: u16,
}

/// Reads a webhook's address. `loopback`: this centre may also reach its own machine, without TLS.
pub(super) fn parse(url: &str, loopback: bool) -> Result<Place, Problem> {
    let malformed = || Code::WebhookUrlMalformed.about(url);
    let uri: Uri = url.parse().map_err(|_| malformed())?;
    let authority = uri.authority().ok_or_else(malformed)?;
    let plain = url.len() <= URL_MAX && !authority.as_str().contains('@') && !url.contains('#');
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if !plain || host.is_empty() {
        return Err(malformed());
    }
    let default = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") if loopback => 80,
        Some("http") => return Err(Code::WebhookNotHttps.about(url)),
        _ => return Err(malformed()),
    };
    Ok(Place { host: host.to_owned(), port: authority.port_u16().unwrap_or(default) })
}

impl Place {
    /// The addresses to connect to, each of them allowed.
    pub(super) fn look_up(&self, names: &dyn Names, loopback: bool) -> Result<Vec<SocketAddr>, Problem> {
        let found = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, self.port)],
            Err(_) => names.resolve(&self.host, self.port).unwrap_or_default(),
        };
        if found.is_empty() {
            return Err(Code::WebhookUnresolved.about(&self.host));
        }
        let allowed = |at: &SocketAddr| is_public(at.ip()) || (loopback && is_loopback(at.ip()));
        if found.iter().all(allowed) { Ok(found) } else { Err(Code::WebhookAddressPrivate.about(&self.host)) }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether an address is one of the open net.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,                   // this network, private, loopback
        [100, b, ..] if b & 0xC0 == 64 => true,       // shared by a carrier; also a metadata address
        [169, 254, ..] => true,                       // link-local; also metadata addresses
        [172, b, ..] if b & 0xF0 == 16 => true,       // private
        [192, 0, 0 | 2, _] => true,                   // protocol assignments, documentation
        [192, 88, 99, _] => true,                     // 6to4 relays
        [192, 168, ..] => true,                       // private
        [198, 18 | 19, ..] => true,                   // benchmarks
        [198, 51, 100, _] | [203, 0, 113, _] => true, // documentation
        [168, 63, 129, 16] => true,                   // a cloud's metadata address in public space
        [a, ..] => a >= 224,                          // multicast, reserved, broadcast
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] => v4(high, low), // IPv4-mapped
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => v4(high, low), // NAT64
        [0x2002, high, low, ..] => v4(high, low),            // 6to4
        [0x2001, b, ..] if b < 0x200 => false,               // Teredo and other protocol assignments
        [0x2001, 0xDB8, ..] | [0x3FFF, ..] => false,         // documentation
        // Only global unicast is given out: not unique-local, link-local, site-local, multicast, loopback.
        [a, ..] => a & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vectors {
        address: Vec<Vector>,
        url: Vec<UrlVector>,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Vector {
        why: String,
        at: String,
        public: bool,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct UrlVector {
        why: String,
        url: String,
        /// In a demo.
        #[serde(default)]
        loopback: bool,
        /// What the name resolves to.
        #[serde(default)]
        names: Vec<String>,
        /// None: it may be delivered to.
        code: Option<String>,
    }

    fn vectors() -> Vectors {
        toml::from_str(include_str!("../../../../vectors/hooks/addresses.toml")).unwrap()
    }

    struct Book(Vec<String>);

    impl Names for Book {
        fn resolve(&self, _: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
            Ok(self.0.iter().map(|at| SocketAddr::new(at.parse().unwrap(), port)).collect())
        }
    }

    #[test]
    fn only_addresses_of_the_open_net_are_public() {
        for Vector { why, at, public } in vectors().address {
            assert_eq!(is_public(at.parse().unwrap()), public, "{at}: {why}");
        }
    }

    #[test]
    fn every_url_is_taken_or_refused_with_its_own_code() {
        for vector in vectors().url {
            let found = parse(&vector.url, vector.loopback)
                .and_then(|place| place.look_up(&Book(vector.names), vector.loopback));
            let code = found.err().map(|problem| problem.code.to_string());
            assert_eq!(code, vector.code, "{}: {}", vector.url, vector.why);
        }
    }
}
