//! A server under attack by strangers: silent, slow and senseless connections, and handshakes that
//! never end. Phones work as if nobody else were there.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::net::SocketAddr;

use onegrid_core::net::{OsRandom, Roots};
use onegrid_core::sync::paths::{SESSION_PATH, SYNC_PATH};
use onegrid_core::trust::session::ClientHandshake;
use onegrid_tests::onegrid::{OnlinePhone, Operator, Serving, way_to};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const IDLE: usize = 300;
const SLOW: usize = 500;
const GARBAGE: usize = 20;
const PHONES: usize = 20;
const REPORTS: usize = 3;
/// More than any table of begun handshakes that a server would keep.
const HELLOS: usize = 5_000;
/// Connections that carry them.
const LANES: usize = 10;

fn address(server: &Serving) -> SocketAddr {
    server.address().parse().unwrap()
}

async fn enrolled(operator: &Operator, server: &Serving) -> OnlinePhone {
    let way = way_to(&server.url, Roots::default());
    let code = operator.invite("demo-volunteer-1");
    let phone = OnlinePhone::enrol(&code, &way).await.unwrap();
    phone.sync().await;
    phone
}

/// Opens a connection, sends these bytes and leaves it open.
async fn hang(to: SocketAddr, bytes: Vec<u8>) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // The server may already have closed a connection that speaks no HTTP.
    let _ = stream.write_all(&bytes).await;
    stream
}

/// The begin of an upload that announces the largest body and then stalls.
fn stalled_upload() -> Vec<u8> {
    let tag = format!("{}.1", "0".repeat(32));
    format!(
        "POST {SYNC_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 4194304\r\n\
         x-og-session: {tag}\r\nx-og-mac: {}\r\n\r\nx",
        "0".repeat(32)
    )
    .into_bytes()
}

/// Reads one answer; returns its first line.
async fn answer(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    loop {
        let read = stream.read_buf(&mut heard).await.unwrap();
        let text = String::from_utf8_lossy(&heard);
        assert!(read > 0, "the server closed the connection: {text}");
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_lowercase();
        let length = lower.split("content-length: ").nth(1).unwrap_or("0");
        let length = length.lines().next().unwrap_or("0");
        let length: usize = length.trim().parse().unwrap();
        if heard.len() >= head.len() + 4 + length {
            return head.lines().next().unwrap_or_default().to_owned();
        }
    }
}

async fn health(to: SocketAddr) -> String {
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut stream = hang(to, request.to_vec()).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn working_phones_do_not_notice_an_attack() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let to = address(&server);
    let mut phones = Vec::new();
    for _ in 0..PHONES {
        phones.push(enrolled(&operator, &server).await);
    }

    let mut hanging = Vec::new();
    for _ in 0..IDLE {
        hanging.push(hang(to, Vec::new()).await);
    }
    for _ in 0..SLOW {
        hanging.push(hang(to, stalled_upload()).await);
    }
    for number in 0..GARBAGE {
        let byte = u8::try_from(number * 7 % 256).unwrap();
        hanging.push(hang(to, vec![byte; 70_000]).await);
    }

    let mut work = JoinSet::new();
    for phone in phones {
        work.spawn(async move {
            for number in 0..REPORTS {
                let _ = phone.report(&format!("report {number}"));
                phone.sync().await;
            }
            phone.replica().undelivered().unwrap()
        });
    }
    while let Some(undelivered) = work.join_next().await {
        assert_eq!(undelivered.unwrap(), 0);
    }
    assert!(health(to).await.starts_with("HTTP/1.1 200"));
    drop(hanging);
    let log = server.stop();
    assert!(log.lines().count() < 100, "an attack floods no log: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn begun_handshakes_lock_nobody_out() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let to = address(&server);
    let mut phone = enrolled(&operator, &server).await;
    let authority = *phone.replica().anchors().unwrap().authority();
    let (_, hello) = ClientHandshake::start(&authority, &mut OsRandom);
    let head = format!(
        "POST {SESSION_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        hello.len()
    );
    let request = [head.as_bytes(), &hello].concat();
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let request = request.clone();
        lanes.spawn(async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            let mut answered = 0;
            for _ in 0..HELLOS / LANES {
                stream.write_all(&request).await.unwrap();
                let status = answer(&mut stream).await;
                assert_eq!(status, "HTTP/1.1 200 OK");
                answered += 1;
            }
            answered
        });
    }
    let answered: usize = lanes.join_all().await.into_iter().sum();
    assert_eq!(answered, HELLOS);
    // A new way has no session, so the phone begins with a handshake.
    phone.move_to(&way_to(&server.url, Roots::default()));
    let _ = phone.report("after the flood");
    phone.sync().await;
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
}
