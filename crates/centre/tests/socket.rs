//! Slow, silent and too many clients, on a real socket.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)] // a test that fails shall stop

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use centre::http::{Limits, Socket, Target, demo_signing_key, router_in, sign};
use support::Centre;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const HEAD: Duration = Duration::from_millis(400);
const BODY: Duration = Duration::from_millis(600);
/// What a test may take beyond the time it waits for.
const SLACK: Duration = Duration::from_secs(5);

struct Door {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn open(centre: &Centre, connections: usize) -> Door {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { head: HEAD, connections, ..Limits::default() };
    let (stop, stopped) = oneshot::channel();
    let router = router_in(Arc::clone(&centre.core), BODY);
    let served = tokio::spawn(Socket::new(limits).unwrap().serve(listener, router, async {
        let _ = stopped.await;
    }));
    Door { address, stop, served }
}

/// Sends a byte every 100 ms for as long as the other side listens; gives what it said and how long it took.
async fn trickle(address: SocketAddr, at_once: &[u8], slowly: &[u8]) -> (String, Duration) {
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let at_once = at_once.to_vec();
    let slowly = slowly.to_vec();
    let sender = tokio::spawn(async move {
        let _ = writer.write_all(&at_once).await;
        for byte in slowly.into_iter().cycle() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SLACK, reader.read_to_end(&mut answer)).await;
    sender.abort();
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

fn head(centre: &Centre, body: &[u8], nonce: &str) -> String {
    let target = Target { method: "POST", path: "/v1/orders", query: None };
    let signed = sign(&demo_signing_key("alipay"), "alipay", nonce, centre.unix(), target, body).unwrap();
    format!(
        "POST /v1/orders HTTP/1.1\r\nHost: centre\r\nContent-Length: {}\r\nContent-Digest: {}\r\n\
         Signature-Input: {}\r\nSignature: {}\r\n\r\n",
        body.len(),
        signed.content_digest,
        signed.signature_input,
        signed.signature
    )
}

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: centre\r\n\r\n";

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = tokio::time::timeout(SLACK, stream.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off_and_told_why() {
    let centre = Centre::in_memory();
    let door = open(&centre, 10).await;
    let (said, took) = trickle(door.address, b"GET /healthz HTTP/1.1\r\nX-Slow: ", b"a").await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"head-too-slow\""), "{said}");
    assert!(said.contains("title_zh") && took >= HEAD && took < SLACK, "{took:?}");
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off_and_nothing_is_ordered() {
    let centre = Centre::in_memory();
    let door = open(&centre, 10).await;
    let body = br#"{"id":"slow-1","kind":"load","plastic":true,"amount_fen":5000,"paid":{"amount_fen":5000,"reference":"p"}}"#;
    let (said, took) = trickle(door.address, head(&centre, body, "slow").as_bytes(), body).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"body-too-slow\""), "{said}");
    assert!(took >= BODY && took < SLACK, "{took:?}");
    let seram =
        b"POST /gp/seram/handshake?sessionId=1 HTTP/1.1\r\nHost: centre\r\nContent-Length: 100\r\n\r\n";
    let (said, _) = trickle(door.address, seram, b"{").await;
    assert!(said.contains("\"body-too-slow\""), "{said}");
    let (status, _) = centre.send("GET", "/v1/orders/slow-1", "alipay", "").await;
    assert_eq!(status, 404);
    // Whole, it is the same request, and its nonce is not used up.
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(&[head(&centre, body, "slow").as_bytes(), body].concat()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_but_not_for_ever_and_closes_without_a_word() {
    let centre = Centre::in_memory();
    let door = open(&centre, 10).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
        tokio::time::sleep(HEAD / 4).await;
    }
    let begun = Instant::now();
    assert_eq!(answer(&mut stream).await, "", "an idle client is told nothing it could take for an answer");
    assert!(begun.elapsed() >= HEAD / 2);
}

#[tokio::test]
async fn one_client_too_many_is_told_so_and_has_room_when_another_leaves() {
    let centre = Centre::in_memory();
    let door = open(&centre, 2).await;
    let mut first = TcpStream::connect(door.address).await.unwrap();
    let mut second = TcpStream::connect(door.address).await.unwrap();
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 200 "));
    }
    let mut third = TcpStream::connect(door.address).await.unwrap();
    let said = answer(&mut third).await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\"too-many-connections\""), "{said}");
    assert!(said.contains("Retry-After: 1\r\n"), "{said}");
    drop(first);
    tokio::time::sleep(HEAD / 4).await;
    let mut fourth = TcpStream::connect(door.address).await.unwrap();
    fourth.write_all(GET).await.unwrap();
    assert!(answer(&mut fourth).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_has_its_most_bytes() {
    let centre = Centre::in_memory();
    let door = open(&centre, 10).await;
    let long = [b"GET /healthz HTTP/1.1\r\nX-Long: ".as_slice(), &vec![b'a'; 64 * 1024]].concat();
    let (said, _) = trickle(door.address, &long, b"a").await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
}

#[tokio::test]
async fn a_door_that_closes_lets_idle_clients_go() {
    let centre = Centre::in_memory();
    let door = open(&centre, 10).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    answer(&mut stream).await;
    door.stop.send(()).unwrap();
    tokio::time::timeout(HEAD / 2, door.served).await.unwrap().unwrap().unwrap();
}
