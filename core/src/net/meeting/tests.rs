//! Meetings over real sockets and over pipes that misbehave.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::fixtures::Deployment;
use crate::id::RecordId;
use crate::net::{Cancel, OsRandom};
use crate::sync::peer::PeerError;
use crate::sync::shared::Shared;
use crate::sync::testing::MemoryReplica;
use crate::trust::meeting_key::MeetingKey;
use crate::trust::session::SessionError;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Port = Arc<Shared<MemoryReplica>>;

struct MeetingBench {
    rng: ChaCha20Rng,
    deployment: Deployment,
}

impl MeetingBench {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let deployment = Deployment::generate(&mut rng);
        Self { rng, deployment }
    }

    /// A phone that wrote on some records.
    fn phone(&mut self, records: std::ops::Range<u8>) -> Port {
        let mut replica = MemoryReplica::new(&self.deployment, &mut self.rng);
        for n in records {
            replica.write(RecordId([n; 16]), &mut self.rng);
        }
        Arc::new(Shared::new(replica))
    }
}

fn driver(port: &Port) -> MeetingDriver<Port> {
    MeetingDriver::new(Arc::clone(port), Cancel::new())
}

fn count(port: &Port) -> usize {
    port.lock().held.len()
}

/// Limits that end a silent meeting soon. No test waits for more than one of them.
fn short() -> Pace {
    Pace {
        silence_ms_max: 50,
        ..Pace::default()
    }
}

async fn listener() -> MeetingListener {
    MeetingListener::bind(HERE).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_meet_one_listener_after_the_other() {
    let mut bench = MeetingBench::new(1);
    let [a, b, c] = [0..30, 30..60, 60..90].map(|records| bench.phone(records));
    let listener = listener().await;
    let code: MeetingCode = listener
        .code(None, &[])
        .unwrap()
        .to_string()
        .parse()
        .unwrap();
    let at_a = driver(&a);
    for other in [&b, &c] {
        let called = driver(other);
        let (accepted, called) = tokio::join!(
            at_a.accept(&listener),
            called.call(code.addresses(), Some(code.commitment())),
        );
        let (accepted, called) = (accepted.unwrap(), called.unwrap());
        let (mine, theirs) = (accepted.report, called.report);
        assert_eq!((mine.given, mine.taken), (theirs.taken, theirs.given));
        assert_eq!(mine.bytes_up, theirs.bytes_down);
        assert_eq!(accepted.device, other.lock().identity.key.public().device());
        assert_eq!(at_a.progress().borrow().report, mine);
    }
    assert_eq!([count(&a), count(&b), count(&c)], [90, 60, 90]);
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_leaves_a_phone_that_showed_no_code() {
    let mut bench = MeetingBench::new(2);
    let (a, b) = (bench.phone(0..3), bench.phone(3..6));
    let listener = listener().await;
    let other = MeetingKey::generate(&mut OsRandom).commitment();
    let (at_a, at_b) = (driver(&a), driver(&b));
    let address = [listener.address()];
    let called = async {
        let ended = at_b.call(&address, Some(other)).await;
        at_a.cancel.cancel();
        ended
    };
    let (accepted, called) = tokio::join!(at_a.accept(&listener), called);
    let refused = PeerError::from(SessionError::OtherPhone);
    assert_eq!(called, Err(MeetingError::Peer(refused)));
    assert_eq!(accepted, Err(MeetingError::Cancelled), "it waits on");
    assert_eq!([count(&a), count(&b)], [3, 3]);
}

/// A connection that sends more than a handshake may have, until the listener closes it.
async fn garbage(address: SocketAddr) {
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(&[0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    drop(garbage.read(&mut [0; 9]).await);
}

/// However many strangers call, a phone of the deployment is met.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_left_and_a_phone_is_met() {
    let mut bench = MeetingBench::new(3);
    let (a, b) = (bench.phone(0..3), bench.phone(3..6));
    let stranger = MeetingBench::new(4).phone(0..3);
    let listener = listener().await;
    let address = [listener.address()];
    let at_a = driver(&a).with_pace(Pace {
        tries_max: 2,
        pause_ms_max: 1,
        ..Pace::default()
    });
    for _ in 0..2 {
        let calls = async {
            let ended = driver(&stranger).call(&address, None).await;
            let foreign = PeerError::from(SessionError::WrongAuthority);
            assert_eq!(ended, Err(MeetingError::Peer(foreign)));
            let mut web = TcpStream::connect(address[0]).await.unwrap();
            web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            drop(web.read(&mut [0; 9]).await);
            garbage(address[0]).await;
            driver(&b).call(&address, None).await
        };
        let (accepted, called) = tokio::join!(at_a.accept(&listener), calls);
        assert!(
            accepted.is_ok() && called.is_ok(),
            "{accepted:?} {called:?}"
        );
    }
    assert_eq!([count(&a), count(&b)], [6, 6]);
}

/// More silent connections than the listener answers at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn silent_strangers_hold_up_no_caller() {
    let mut bench = MeetingBench::new(11);
    let (a, b) = (bench.phone(0..3), bench.phone(3..6));
    let (listener, hour) = (listener().await, 3_600_000);
    let at_a = driver(&a).with_pace(Pace {
        silence_ms_max: hour,
        handshake_ms_max: hour,
        meeting_ms_max: hour,
        ..Pace::default()
    });
    let mut silent = Vec::new();
    for _ in 0..=crate::limits::MEETING_CALLS_MAX {
        let stream = TcpStream::connect(listener.address()).await.unwrap();
        silent.push(stream);
    }
    let (address, at_b) = ([listener.address()], driver(&b));
    let called = async {
        let ended = at_b.call(&address, None).await;
        if ended.is_err() {
            at_a.cancel.cancel();
        }
        ended
    };
    let (accepted, called) = tokio::join!(at_a.accept(&listener), called);
    assert!(
        accepted.is_ok() && called.is_ok(),
        "{accepted:?} {called:?}"
    );
    // The listener has left the others.
    for mut stream in silent {
        assert!(matches!(stream.read(&mut [0; 9]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_fault_ends_the_wait_for_callers() {
    let mut bench = MeetingBench::new(12);
    let (a, b) = (bench.phone(0..3), bench.phone(3..6));
    a.lock().identity.secrets = None;
    let listener = listener().await;
    let (address, at_a) = ([listener.address()], driver(&a));
    let at_b = driver(&b);
    // The wait would otherwise go on for ever.
    let accepted = timeout(Duration::from_mins(1), at_a.accept(&listener));
    let (accepted, called) = tokio::join!(accepted, at_b.call(&address, None));
    assert_eq!(accepted, Ok(Err(MeetingError::Peer(PeerError::NoSecret))));
    assert!(called.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_absent_phones_end_the_call() {
    let mut bench = MeetingBench::new(5);
    let a = bench.phone(0..3);
    let socket = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = [socket.local_addr().unwrap()];
    let called = driver(&a).with_pace(short()).call(&address, None).await;
    assert_eq!(called, Err(MeetingError::Silent));
    let handshake = Pace {
        handshake_ms_max: 50,
        ..Pace::default()
    };
    let called = driver(&a).with_pace(handshake).call(&address, None).await;
    assert_eq!(called, Err(MeetingError::Silent));
    let whole = Pace {
        meeting_ms_max: 50,
        ..Pace::default()
    };
    let called = driver(&a).with_pace(whole).call(&address, None).await;
    assert_eq!(called, Err(MeetingError::TooLong));
    drop(socket);
    let called = driver(&a).call(&address, None).await;
    assert_eq!(called, Err(MeetingError::Unreachable));
    assert_eq!(
        driver(&a).call(&[], None).await,
        Err(MeetingError::Unreachable)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_waiting_and_meeting() {
    let mut bench = MeetingBench::new(6);
    let a = bench.phone(0..3);
    let listener = listener().await;
    let at_a = driver(&a);
    let mut caller = TcpStream::connect(listener.address()).await.unwrap();
    let hello_is_read = async {
        // The listener is in the meeting once it closes this call, which it does at the cancel.
        caller.write_all(&[0, 0, 0, 9]).await.unwrap();
        at_a.cancel.cancel();
    };
    let (accepted, ()) = tokio::join!(at_a.accept(&listener), hello_is_read);
    assert_eq!(accepted, Err(MeetingError::Cancelled));
    assert_eq!(at_a.accept(&listener).await, Err(MeetingError::Cancelled));
    let socket = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = [socket.local_addr().unwrap()];
    let at_a = driver(&a);
    let cancelled = async {
        let (mut stream, _) = socket.accept().await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        at_a.cancel.cancel();
        stream
    };
    let (called, _stream) = tokio::join!(at_a.call(&address, None), cancelled);
    assert_eq!(called, Err(MeetingError::Cancelled));
}

/// A meeting that breaks after every number of bytes goes on in the next one.
#[tokio::test(flavor = "multi_thread")]
async fn broken_meeting_continues_in_the_next() {
    let mut bench = MeetingBench::new(7);
    let (a, b) = (bench.phone(0..200), bench.phone(100..255));
    let mut room = 1_000;
    let mut meetings = 0;
    loop {
        let (left, right) = Pipe::pair(room);
        let (at_a, at_b) = (driver(&a), driver(&b));
        let (called, accepted) = tokio::join!(
            at_a.over(left, Side::Caller(None)),
            at_b.over(right, Side::Listener(None)),
        );
        meetings += 1;
        if called.is_ok() && accepted.is_ok() {
            break;
        }
        for ended in [called, accepted] {
            assert!(
                matches!(ended, Ok(_) | Err(MeetingError::Broken)),
                "{ended:?}"
            );
        }
        room += room / 2;
    }
    assert!(meetings > 2, "some of them broke");
    assert_eq!(
        a.lock().ids(&RecordId([150; 16])),
        b.lock().ids(&RecordId([150; 16]))
    );
    assert_eq!([count(&a), count(&b)], [355, 355]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_pipe_that_hangs_or_fails_ends_the_call() {
    let mut bench = MeetingBench::new(8);
    let a = bench.phone(0..3);
    for fault in [
        Fault::Hangs,
        Fault::Fails,
        Fault::Panics,
        Fault::GivesTooMuch,
    ] {
        let hung = driver(&a).with_pace(short());
        let ended = hung.over(Arc::new(fault), Side::Caller(None)).await;
        let expected = match fault {
            Fault::Hangs => MeetingError::Silent,
            Fault::Panics => MeetingError::Bug,
            Fault::Fails | Fault::GivesTooMuch => MeetingError::Broken,
        };
        assert_eq!(ended, Err(expected), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn meeting_beyond_its_bytes_ends() {
    let mut bench = MeetingBench::new(9);
    let (a, b) = (bench.phone(0..100), bench.phone(100..200));
    let (left, right) = Pipe::pair(usize::MAX);
    let small = Pace {
        bytes_max: 5_000,
        ..Pace::default()
    };
    let (at_a, at_b) = (driver(&a).with_pace(small), driver(&b));
    let (called, _) = tokio::join!(
        at_a.over(left, Side::Caller(None)),
        at_b.over(right, Side::Listener(None)),
    );
    assert_eq!(called, Err(MeetingError::TooLarge));
}

#[tokio::test]
async fn code_holds_only_addresses_that_answer() {
    let everywhere = MeetingListener::bind(Ipv4Addr::UNSPECIFIED.into()).await;
    let own = ["fe80::1", "fe80::2", "fe80::3", "fd00::7", "192.168.43.1"];
    let own = own.map(|address| address.parse().unwrap());
    let code = everywhere.unwrap().code(None, &own).unwrap();
    let held: Vec<IpAddr> = code.addresses().iter().map(SocketAddr::ip).collect();
    assert_eq!(held, [own[4]]);
}

#[tokio::test]
async fn announcement_names_nobody() {
    let (one, other) = (listener().await, listener().await);
    assert_ne!(one.service().name, other.service().name);
    assert_eq!(one.service().port, one.address().port());
    assert_eq!(one.service().txt, [("v".to_owned(), "1".to_owned())]);
    let everywhere = MeetingListener::bind(Ipv4Addr::UNSPECIFIED.into())
        .await
        .unwrap();
    assert_eq!(everywhere.code(None, &[]), Err(MeetingError::CannotListen));
    let code = everywhere.code(None, &[HERE]).unwrap();
    let at = SocketAddr::new(HERE, everywhere.address().port());
    assert_eq!(code.addresses(), [at]);
    assert_eq!(parse_addresses(&[at.to_string()]), Ok(vec![at]));
    for bad in ["192.168.1.1", "8.8.8.8:53", "phone.local:9", ""] {
        assert_eq!(
            parse_addresses(&[bad.to_owned()]),
            Err(MeetingError::BadAddress)
        );
    }
}

/// One end of a pipe in memory that breaks after some bytes.
struct Pipe {
    inward: Arc<Flow>,
    outward: Arc<Flow>,
}

#[derive(Default)]
struct Flow {
    state: Mutex<FlowState>,
    changed: Condvar,
}

#[derive(Default)]
struct FlowState {
    bytes: VecDeque<u8>,
    room: usize,
    closed: bool,
}

impl Pipe {
    fn pair(room: usize) -> (Arc<Self>, Arc<Self>) {
        let [forth, back] = [(); 2].map(|()| {
            let flow = Flow::default();
            flow.state.lock().unwrap().room = room;
            Arc::new(flow)
        });
        let left = Self {
            inward: Arc::clone(&back),
            outward: Arc::clone(&forth),
        };
        let right = Self {
            inward: forth,
            outward: back,
        };
        (Arc::new(left), Arc::new(right))
    }
}

impl BytePipe for Pipe {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, PipeBroken> {
        let state = self.inward.state.lock().unwrap();
        let waits = |state: &mut FlowState| state.bytes.is_empty() && !state.closed;
        let mut state = self.inward.changed.wait_while(state, waits).unwrap();
        let count = state.bytes.len().min(bytes_max);
        Ok(state.bytes.drain(..count).collect())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), PipeBroken> {
        let mut state = self.outward.state.lock().unwrap();
        if state.closed || state.room < bytes.len() {
            drop(state);
            self.close();
            return Err(PipeBroken);
        }
        state.room -= bytes.len();
        state.bytes.extend(bytes);
        self.outward.changed.notify_all();
        Ok(())
    }

    fn close(&self) {
        for flow in [&self.inward, &self.outward] {
            flow.state.lock().unwrap().closed = true;
            flow.changed.notify_all();
        }
    }
}

/// A pipe of a host with a bug.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Hangs,
    Fails,
    Panics,
    GivesTooMuch,
}

impl BytePipe for Fault {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, PipeBroken> {
        match self {
            Self::Hangs => loop {
                std::thread::park();
            },
            Self::Fails => Err(PipeBroken),
            Self::Panics => panic!("a bug of the host"),
            Self::GivesTooMuch => Ok(vec![0; bytes_max + 1]),
        }
    }

    fn write(&self, _: &[u8]) -> Result<(), PipeBroken> {
        Ok(())
    }

    fn close(&self) {
        if matches!(self, Self::Hangs) {
            loop {
                std::thread::park();
            }
        }
    }
}
