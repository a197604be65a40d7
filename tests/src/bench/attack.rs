//! A server under attack by strangers, beside 200 working phones: the time of a sync, and the
//! memory of connections that wait for wake-ups.
//!
//! 1. The phones sync alone.
//! 2. They sync beside 5,000 idle connections, 500 uploads of a byte a second and 200 connections
//!    of garbage, which strangers at 57 addresses open again as soon as the server closes them.
//! 3. The strangers leave, and the phones open four wake-up connections each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use onegrid_core::net::{OsRandom, Roots, now_ms};
use onegrid_core::sync::paths::{LIVE_PATH, SESSION_PATH, SYNC_PATH};
use onegrid_core::trust::session::{ClientHandshake, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::deployment::{Deployment, MemberLine};
use super::people::wait;
use super::process;
use super::recipe::VILLAGE_500;
use super::table::{Table, percentiles};
use crate::onegrid::{OnlinePhone, way_to};

const BENCH: &str = "a server under attack, HTTP/1.1 over loopback, a process of its own";
const PHONES: usize = 200;
const IDLE: usize = 5_000;
const SLOW: usize = 500;
const GARBAGE: usize = 200;
/// Wake-up connections of one device.
const LIVE_EACH: usize = 4;
/// Phones that sync at the same time.
const LANES: usize = 8;
const ROUNDS: usize = 5;
const LIVE_KB_MAX: f64 = 30.0;
/// Addresses of the strangers, each another one of 127.0.0.0/8; the phones have 127.0.0.1.
const ADDRESSES: usize = 57;
/// The p99 under attack, as a multiple of the p99 of a quiet server.
const SLOWER_MAX: f64 = 2.0;

pub(super) fn measure(table: &mut Table) {
    eprintln!("attack");
    let deployment = Deployment::of(&VILLAGE_500);
    let name = |n: usize| MemberLine::idle_handler(&format!("bench-attack-{n}"));
    let people: Vec<MemberLine> = (0..PHONES).map(name).collect();
    let codes = deployment.invite(&people);
    // All phones enrol within a minute, from one address.
    let serving = deployment.serve_with(&["limits.enrolments_per_minute=1000".to_owned()]);
    let to: SocketAddr = serving.url.split_once("://").unwrap().1.parse().unwrap();
    let note = |table: &mut Table, name: &str, value: f64, unit: &'static str| {
        table.note(BENCH, name, value, unit);
    };
    wait(async {
        let way = way_to(&serving.url, Roots::default());
        let mut phones = Vec::new();
        for code in &codes {
            let phone = OnlinePhone::enrol(code, &way).await.unwrap();
            phone.sync().await;
            phones.push(phone);
        }
        let phones = Arc::new(phones);
        let (median, quiet) = syncs(&phones).await;
        note(table, "quiet: median", median, "ms");
        note(table, "quiet: p99", quiet, "ms");

        let strangers = attack(to);
        let (median, loud) = syncs(&phones).await;
        note(table, "under attack: median", median, "ms");
        note(table, "under attack: p99", loud, "ms");
        let name = "under attack: p99 as a multiple of quiet";
        table.budget(BENCH, name, loud / quiet, "×", SLOWER_MAX);
        let peak = process::peak_mb_of(serving.pid());
        note(table, "peak memory under attack", peak, "MB");
        drop(strangers);

        let mut sessions = Vec::new();
        for phone in phones.iter() {
            sessions.push(session(to, phone).await);
        }
        let before = process::resident_mb_of(serving.pid());
        let mut live = Vec::new();
        for session in &sessions {
            for number in 0..LIVE_EACH {
                live.push(listen(to, session, number as u64 + 1).await);
            }
        }
        let each = (process::resident_mb_of(serving.pid()) - before) * 1e3 / live.len() as f64;
        note(table, "live connections", live.len() as f64, "connections");
        table.budget(
            BENCH,
            "memory of a live connection",
            each,
            "kB",
            LIVE_KB_MAX,
        );
    });
}

/// Lets all phones sync some times; returns median and p99, ms.
async fn syncs(phones: &Arc<Vec<OnlinePhone>>) -> (f64, f64) {
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let phones = Arc::clone(phones);
        lanes.spawn(async move {
            let mut samples = Vec::new();
            for _ in 0..ROUNDS {
                for phone in phones.iter().skip(lane).step_by(LANES) {
                    let start = Instant::now();
                    phone.sync().await;
                    samples.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            samples
        });
    }
    let mut samples: Vec<f64> = lanes.join_all().await.into_iter().flatten().collect();
    percentiles(&mut samples)
}

/// Starts the strangers; dropping the result ends them.
fn attack(to: SocketAddr) -> JoinSet<()> {
    let mut strangers = JoinSet::new();
    for number in 0..IDLE {
        strangers.spawn(again_and_again(address(number), to, Vec::new(), None));
    }
    let head = format!(
        "POST {SYNC_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\
         x-og-session: {:032x}.1\r\nx-og-mac: {:032x}\r\n\r\n",
        0, 0
    );
    for number in 0..SLOW {
        let drip = Some(Duration::from_secs(1));
        let head = head.clone().into_bytes();
        strangers.spawn(again_and_again(address(number), to, head, drip));
    }
    for number in 0..GARBAGE {
        let byte = u8::try_from(number % 256).unwrap();
        strangers.spawn(again_and_again(
            address(number),
            to,
            vec![byte; 70_000],
            None,
        ));
    }
    strangers
}

/// The address of a stranger.
fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 9, 0, u8::try_from(number % ADDRESSES + 1).unwrap())
}

/// Opens a connection, sends these bytes, then a byte each time, and begins again when it is
/// closed.
async fn again_and_again(from: Ipv4Addr, to: SocketAddr, bytes: Vec<u8>, drip: Option<Duration>) {
    let pause = Duration::from_millis(100);
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        if let Ok(mut stream) = socket.connect(to).await {
            let _ = stream.write_all(&bytes).await;
            let mut buffer = [0; 1_024];
            if let Some(drip) = drip {
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(drip).await;
                }
            } else {
                while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Opens a session by hand, as the phone's driver does.
pub(super) async fn session(to: SocketAddr, phone: &OnlinePhone) -> Session {
    let (anchors, certificate) = {
        let replica = phone.replica();
        let certificate = replica.certificate().unwrap().clone();
        (replica.anchors().unwrap().clone(), certificate)
    };
    let (state, hello) = ClientHandshake::start(anchors.authority(), &mut OsRandom);
    let answer = post(to, &hello).await;
    let (state, proof) = state
        .prove(&answer, &anchors, phone.signer(), &certificate)
        .unwrap();
    let grant = post(to, &proof).await;
    state.finish(&grant, now_ms()).unwrap().0
}

async fn post(to: SocketAddr, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {SESSION_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = [head.as_bytes(), body].concat();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    answer.split_off(head + 4)
}

/// Opens a wake-up connection by hand.
pub(super) async fn listen(to: SocketAddr, session: &Session, number: u64) -> TcpStream {
    let tag = session.tag(number, "GET", LIVE_PATH, b"");
    let request = format!(
        "GET {LIVE_PATH} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         x-og-session: {}\r\nx-og-mac: {}\r\n\r\n",
        tag.session_header(),
        tag.mac_header()
    );
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    stream
}
