//! Phones that meet without a server, over real sockets, and the courier that brings their day to the server.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use onegrid_core::domain::Audience;
use onegrid_core::fixtures::said;
use onegrid_core::id::RecordId;
use onegrid_core::net::meeting::{MeetingDriver, MeetingError, MeetingListener, MeetingReport};
use onegrid_core::net::{Cancel, Roots, now_ms};
use onegrid_core::replica::Draft;
use onegrid_core::sync::peer::PeerError;
use onegrid_tests::onegrid::{OnlinePhone, Operator, hazard, home, way_to};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The reports of each of the four phones that write: 500 records in a day.
const REPORTS: usize = 125;
const SEED: u64 = 20_261_130;

/// The last one reads nothing of this day, because no case is dispatched to its unit.
const PEOPLE: [&str; 6] = [
    "demo-grid-worker",
    "demo-dispatcher",
    "demo-volunteer-1",
    "demo-volunteer-2",
    "demo-supervisor",
    "demo-handler-gas",
];

type Ended = Result<MeetingReport, MeetingError>;

async fn enrolled(operator: &Operator, url: &str) -> Vec<OnlinePhone> {
    let way = way_to(url, Roots::default());
    let mut phones = Vec::new();
    for person in PEOPLE {
        let phone = OnlinePhone::enrol(&operator.invite(person), &way).await;
        let phone = phone.unwrap();
        phone.sync().await;
        phones.push(phone);
    }
    phones
}

/// Two phones meet by the code of one of them. `way` leads to the listener.
async fn meet_by(
    caller: &OnlinePhone,
    listening: &OnlinePhone,
    way: impl AsyncFnOnce(SocketAddr) -> SocketAddr,
) -> (Ended, Ended) {
    let listener = MeetingListener::bind(HERE).await.unwrap();
    let code = listener.code(None, &[]).unwrap();
    let address = [way(listener.address()).await];
    // A failed call leaves the listener waiting for the next one.
    let stop = Cancel::new();
    let calls = MeetingDriver::new(caller.handle(), Cancel::new());
    let accepts = MeetingDriver::new(listening.handle(), stop.clone());
    tokio::join!(
        async {
            let ended = calls.call(&address, Some(code.commitment())).await;
            if ended.is_err() {
                stop.cancel();
            }
            ended
        },
        accepts.accept(&listener),
    )
}

/// Returns the envelopes that moved.
async fn met(a: &OnlinePhone, b: &OnlinePhone) -> u32 {
    let (called, accepted) = meet_by(a, b, async |address| address).await;
    let (called, accepted) = (called.unwrap(), accepted.unwrap());
    assert_eq!(called.report.bytes_up, accepted.report.bytes_down);
    called.report.taken + accepted.report.taken
}

fn records(phone: &OnlinePhone) -> BTreeSet<RecordId> {
    let rows = phone.replica().rows().unwrap();
    rows.iter().map(|row| row.id).collect()
}

fn write_a_day(phones: &[OnlinePhone], rng: &mut ChaCha8Rng) {
    for (number, phone) in phones[..4].iter().enumerate() {
        for n in 0..REPORTS {
            let draft = Draft {
                audience: if n % 5 == 4 {
                    Audience::Restricted
                } else {
                    Audience::Staff
                },
                ..Draft::staff(hazard(&format!("险情 {number}/{n}")), home())
            };
            let record = phone.replica().report(&draft, now_ms()).unwrap();
            if rng.next_u32().is_multiple_of(3) {
                let words = said(&format!("补充 {n}"));
                phone.replica().comment(record, words, now_ms()).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn six_phones_without_a_server_share_a_day() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let phones = enrolled(&operator, &server.url).await;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    write_a_day(&phones, &mut rng);

    let mut pairs: Vec<(usize, usize)> = (0..6)
        .flat_map(|a| (0..6).map(move |b| (a, b)))
        .filter(|(a, b)| a < b)
        .collect();
    loop {
        for at in (1..pairs.len()).rev() {
            let other = rng.next_u32() as usize % (at + 1);
            pairs.swap(at, other);
        }
        let mut moved = 0;
        for (a, b) in &pairs {
            let (a, b) = if rng.next_u32().is_multiple_of(2) {
                (a, b)
            } else {
                (b, a)
            };
            moved += met(&phones[*a], &phones[*b]).await;
        }
        if moved == 0 {
            break;
        }
    }
    let before: Vec<BTreeSet<RecordId>> = phones.iter().map(records).collect();
    let all: BTreeSet<&RecordId> = before.iter().flatten().collect();
    assert_eq!(all.len(), 4 * REPORTS, "seed {SEED}");
    assert!(before[0].len() >= 4 * REPORTS * 4 / 5, "staff read all");
    assert!(before[5].is_empty(), "the handler reads nothing");

    // One courier brings everything: the work that it may not read in parcels.
    let courier = phones[0].sync().await;
    assert!(courier.pushed > 0 && courier.incidents.is_empty());
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["records"], 4 * REPORTS, "{status}");
    for (phone, held) in phones.iter().zip(&before) {
        phone.sync().await;
        assert_eq!(phone.replica().undelivered().unwrap(), 0);
        assert_eq!(records(phone), *held, "the meetings brought all records");
    }
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["records"], 4 * REPORTS, "everything is there once");
    assert_eq!(status["held"], 0, "{status}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn late_work_of_a_revoked_phone_is_held() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let phones = enrolled(&operator, &server.url).await;
    let (worker, thief) = (&phones[0], &phones[2]);
    let device = thief.replica().device().to_string();
    operator.ok(&["revoke", &device]);
    let late = thief.report("之后写的");
    // Neither phone knows of the revocation.
    assert_eq!(met(thief, worker).await, 1);
    assert!(worker.title(late).is_some());
    worker.sync().await;
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["held"], 1, "{status}");
    // Now the worker knows, and leaves the phone before it shows anything.
    let (called, accepted) = meet_by(thief, worker, async |address| address).await;
    assert_eq!(called, Err(MeetingError::Broken));
    assert_eq!(accepted, Err(MeetingError::Cancelled), "it waits on");
    let (called, _) = meet_by(worker, thief, async |address| address).await;
    assert_eq!(called, Err(MeetingError::Peer(PeerError::Revoked)));
    server.stop();
}

/// A phone in between, such as the owner of the hotspot, that reads along.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn before(listener: SocketAddr) -> Self {
        let socket = TcpListener::bind((HERE, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let heard = Arc::default();
        tokio::spawn({
            let heard = Arc::clone(&heard);
            async move {
                let (near, _) = socket.accept().await.unwrap();
                let far = TcpStream::connect(listener).await.unwrap();
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = far.into_split();
                tokio::join!(
                    pass(from_near, to_far, Arc::clone(&heard)),
                    pass(from_far, to_near, heard),
                );
            }
        });
        Self { address, heard }
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    heard: Arc<Mutex<Vec<u8>>>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        heard.lock().await.extend(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_in_between_learns_nothing() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let phones = enrolled(&operator, &server.url).await;
    let (a, b) = (&phones[0], &phones[1]);
    let title = "竹竿巷小吃店又堆煤气罐";
    let record = a.report(title);
    let mut tap = None;
    let (called, accepted) = meet_by(b, a, async |address| {
        let between = Tap::before(address).await;
        let address = between.address;
        tap = Some(between);
        address
    })
    .await;
    assert_eq!(called.unwrap().report.taken, 1);
    accepted.unwrap();
    assert_eq!(b.title(record).as_deref(), Some(title));
    let heard = tap.unwrap().heard.lock().await.clone();
    assert!(heard.len() > 1_000, "it did hear the meeting");
    let mut planted: Vec<Vec<u8>> = vec![title.into(), record.0.to_vec()];
    for phone in [a, b] {
        let replica = phone.replica();
        let facts = replica.certificate().unwrap().facts();
        planted.push(facts.device.0.to_vec());
        planted.push(facts.device_key.to_vec());
        planted.push(facts.member.unwrap().0.to_vec());
        let authority = replica.anchors().unwrap().authority();
        planted.push(authority.0.as_bytes().to_vec());
    }
    for needle in planted {
        let spelled = onegrid_tests::killed::life::hex(&needle);
        for needle in [&needle[..], spelled.as_bytes()] {
            let shown = heard.windows(needle.len()).any(|window| window == needle);
            assert!(!shown, "{spelled} shows");
        }
    }
    server.stop();
}
