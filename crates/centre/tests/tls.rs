//! TLS and client certificates, on a real socket.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use centre::http::{Limits, Socket, Target, Tls, TlsError, TlsFiles, demo_signing_key, router, sign};
use model::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use support::{Centre, registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const HEAD: Duration = Duration::from_millis(400);
const SLACK: Duration = Duration::from_secs(5);

/// An authority.
type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, in PEM.
#[derive(Clone)]
struct Papers {
    certificate: String,
    key: String,
}

impl Papers {
    fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()))
    }
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(by: &Authority, name: &str, usage: ExtendedKeyUsagePurpose) -> Papers {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap().pem();
    Papers { certificate, key: key.serialize_pem() }
}

fn server(by: &Authority) -> Papers {
    issue(by, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth)
}

fn client(by: &Authority, name: &str) -> Papers {
    issue(by, name, ExtendedKeyUsagePurpose::ClientAuth)
}

struct Door {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Opens a door in TLS, with room for 2 connections.
async fn open(centre: &Centre, papers: &Papers, client_ca: Option<String>) -> Door {
    let files = TlsFiles {
        certificate: papers.certificate.as_bytes(),
        key: papers.key.as_bytes(),
        client_ca: client_ca.as_ref().map(String::as_bytes),
    };
    let limits = Limits { head: HEAD, connections: 2, ..Limits::default() };
    let socket = Socket::new(limits).unwrap().with_tls(Some(Tls::new(files).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(socket.serve(listener, router(Arc::clone(&centre.core)), async {
        let _ = stopped.await;
    }));
    Door { address, stop, served }
}

/// Connects as one who trusts `ca` and may show a certificate.
async fn connect(
    door: &Door,
    ca: &Authority,
    shows: Option<&Papers>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        None => config.with_no_client_auth(),
        Some(papers) => {
            let chain = vec![CertificateDer::from_pem_slice(papers.certificate.as_bytes()).unwrap()];
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    let stream = TcpStream::connect(door.address).await?;
    TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into().unwrap(), stream).await
}

/// Sends a request; gives the answer, or nothing where there is none.
async fn said(stream: std::io::Result<TlsStream<TcpStream>>, request: &str) -> String {
    let Ok(mut stream) = stream else { return String::new() };
    if stream.write_all(request.as_bytes()).await.is_err() {
        return String::new();
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SLACK, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: centre\r\nConnection: close\r\n\r\n";

fn orders(centre: &Centre, keyid: &str, nonce: &str) -> String {
    let target = Target { method: "GET", path: "/v1/cities", query: None };
    let signed = sign(&demo_signing_key(keyid), keyid, nonce, centre.unix(), target, b"").unwrap();
    format!(
        "GET /v1/cities HTTP/1.1\r\nHost: centre\r\nConnection: close\r\nContent-Digest: {}\r\n\
         Signature-Input: {}\r\nSignature: {}\r\n\r\n",
        signed.content_digest, signed.signature_input, signed.signature
    )
}

/// A centre whose two wallets have registered these.
fn with_certificates(alipay: &str, wechat: &str) -> Centre {
    let file = |id: &str, certificate: &str| {
        let facts = "name = { zh = \"钱包\", en = \"Wallet\" }\nmax_order_fen = 50000\n";
        (format!("wallets/{id}.toml"), format!("{facts}certificates = [\"{certificate}\"]\n"))
    };
    let files = [file("alipay", alipay), file("wechat-pay", wechat)];
    Centre::of(Registry::clone(&registry()).overlay(files).unwrap())
}

#[tokio::test]
async fn who_trusts_the_authority_is_served_and_who_does_not_leaves() {
    let (ours, other) = (authority(), authority());
    let centre = Centre::in_memory();
    let door = open(&centre, &server(&ours), None).await;
    let answer = said(connect(&door, &ours, None).await, HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // Without client authorities a signature is enough.
    let answer = said(connect(&door, &ours, None).await, &orders(&centre, "alipay", "1")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(connect(&door, &other, None).await.is_err());
}

#[tokio::test]
async fn who_speaks_plainly_to_a_tls_port_is_told_so() {
    let ours = authority();
    let centre = Centre::in_memory();
    let door = open(&centre, &server(&ours), None).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(orders(&centre, "alipay", "plain").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(SLACK, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("\"tls-wanted\""), "{answer}");
    // Nothing of it was done: its nonce is still good.
    let answer = said(connect(&door, &ours, None).await, &orders(&centre, "alipay", "plain")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_signed_request_needs_a_certificate_of_its_own_party() {
    let (ours, other) = (authority(), authority());
    let (alipay, wechat) = (client(&ours, "pay.alipay.example"), client(&ours, "pay.wechat.example"));
    let centre = with_certificates(&alipay.fingerprint(), "pay.wechat.example");
    let door = open(&centre, &server(&ours), Some(ours.pem())).await;
    let renewed = client(&ours, "pay.wechat.example");
    let forged = client(&other, "pay.wechat.example");
    let stranger = client(&ours, "stranger.example");
    let not_for_clients = issue(&ours, "pay.wechat.example", ExtendedKeyUsagePurpose::ServerAuth);
    for (number, (shows, keyid, expected)) in [
        (Some(&alipay), "alipay", "HTTP/1.1 200 "),
        (Some(&wechat), "wechat-pay", "HTTP/1.1 200 "),
        (Some(&renewed), "wechat-pay", "HTTP/1.1 200 "),
        (None, "alipay", "certificate-missing"),
        (Some(&wechat), "alipay", "certificate-differs"),
        (Some(&alipay), "wechat-pay", "certificate-differs"),
        (Some(&stranger), "alipay", "certificate-differs"),
        (Some(&alipay), "city:2000", "certificate-differs"),
        (Some(&alipay), "centre", "certificate-differs"),
        (Some(&forged), "wechat-pay", ""),
        (Some(&not_for_clients), "wechat-pay", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let request = orders(&centre, keyid, &number.to_string());
        let answer = said(connect(&door, &ours, shows).await, &request).await;
        assert_eq!(answer.is_empty(), expected.is_empty(), "{number}: {answer}");
        assert!(answer.contains(expected), "{number}: {answer}");
    }
}

#[tokio::test]
async fn a_phone_and_a_browser_need_no_certificate() {
    let ours = authority();
    let centre = with_certificates("pay.alipay.example", "pay.wechat.example");
    let door = open(&centre, &server(&ours), Some(ours.pem())).await;
    let answer = said(connect(&door, &ours, None).await, HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let seram = "POST /gp/seram/handshake?sessionId=1 HTTP/1.1\r\nHost: centre\r\nConnection: close\r\n\
                 Content-Length: 2\r\n\r\n{}";
    let answer = said(connect(&door, &ours, None).await, seram).await;
    assert!(answer.starts_with("HTTP/1.1 ") && !answer.contains("certificate-"), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut_off_and_leaves_its_place() {
    let ours = authority();
    let centre = Centre::in_memory();
    let door = open(&centre, &server(&ours), None).await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    let mut halfway = TcpStream::connect(door.address).await.unwrap();
    halfway.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    tokio::time::sleep(HEAD / 4).await;
    // Both places are taken: a third waits for nothing.
    assert!(connect(&door, &ours, None).await.is_err());
    for stream in [&mut silent, &mut halfway] {
        let mut heard = Vec::new();
        let _ = tokio::time::timeout(SLACK, stream.read_to_end(&mut heard)).await.unwrap();
        assert!(heard.is_empty() || heard[0] == 21, "no word but an alert: {heard:?}");
    }
    assert!(begun.elapsed() >= HEAD);
    tokio::time::sleep(HEAD / 4).await;
    assert!(said(connect(&door, &ours, None).await, HEALTH).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_that_trickles_in_tls_is_told_so_in_tls() {
    let ours = authority();
    let centre = Centre::in_memory();
    let door = open(&centre, &server(&ours), None).await;
    let answer = said(connect(&door, &ours, None).await, "GET /healthz HTTP/1.1\r\nX-Slow: ").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"head-too-slow\""), "{answer}");
}

#[tokio::test]
async fn a_door_that_closes_waits_for_no_handshake() {
    let ours = authority();
    let centre = Centre::in_memory();
    let door = open(&centre, &server(&ours), None).await;
    let _silent = TcpStream::connect(door.address).await.unwrap();
    tokio::time::sleep(HEAD / 8).await;
    door.stop.send(()).unwrap();
    tokio::time::timeout(HEAD / 2, door.served).await.unwrap().unwrap().unwrap();
}

#[test]
fn a_key_that_does_not_fit_and_files_without_pem_are_refused_at_the_start() {
    let ours = authority();
    let (one, other) = (server(&ours), server(&ours));
    let new = |certificate: &str, key: &str, ca: Option<&str>| {
        let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
        Tls::new(TlsFiles { certificate, key, client_ca: ca.map(str::as_bytes) })
    };
    assert!(new(&one.certificate, &one.key, Some(&ours.pem())).is_ok());
    assert!(matches!(new(&one.certificate, &other.key, None), Err(TlsError::Unfit(_))));
    assert!(matches!(new(&one.key, &one.key, None), Err(TlsError::NoCertificate(_))));
    assert!(matches!(new(&one.certificate, &one.certificate, None), Err(TlsError::NoKey)));
    assert!(matches!(new(&one.certificate, &one.key, Some("")), Err(TlsError::NoCertificate(_))));
}

#[test]
fn no_two_parties_have_the_same_certificate() {
    let facts =
        "name = { zh = \"钱包\", en = \"Wallet\" }\nmax_order_fen = 50000\ncertificates = [\"a.example\"]\n";
    let files =
        [("wallets/alipay.toml", facts), ("wallets/wechat-pay.toml", facts)].map(|(a, b)| (a, b.to_owned()));
    let error = Registry::clone(&registry()).overlay(files).unwrap_err().to_string();
    assert!(error.contains("a.example is also a certificate of wallets/alipay.toml"), "{error}");
}
