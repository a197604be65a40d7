//! A server on loopback that speaks the real protocol, in any weather.

use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::fixtures::Deployment;
use crate::net::now_ms;
use crate::sync::paths::{SESSION_PATH, SYNC_PATH};
use crate::sync::star::Request;
use crate::sync::test_server::Server;
use crate::trust::request_mac::{MAC_HEADER, SESSION_HEADER};

/// The fate of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// They are answered.
    Fair,
    /// They are read, and answered once it is fair again.
    Held,
    /// Connections are taken and nothing is read.
    Deaf,
    /// The next one is read and its connection cut; it is fair afterwards.
    CutNext,
}

/// The counters.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    connections: usize,
    asked: usize,
    at_once: usize,
    at_once_max: usize,
}

struct State {
    server: Mutex<(Server, ChaCha20Rng)>,
    weather: watch::Sender<Weather>,
    counts: watch::Sender<Counts>,
}

pub(super) struct Loopback {
    url: String,
    deployment: Deployment,
    state: Arc<State>,
}

impl Loopback {
    pub(super) fn start(deployment: Deployment) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little room, so that a phone is still sending to a deaf server.
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = Server::new(deployment.clone());
        server.page_envelopes = 10;
        let state = Arc::new(State {
            server: Mutex::new((server, ChaCha20Rng::seed_from_u64(99))),
            weather: watch::Sender::new(Weather::Fair),
            counts: watch::Sender::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            url,
            deployment,
            state,
        }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    pub(super) fn deployment(&self) -> Deployment {
        self.deployment.clone()
    }

    pub(super) fn set(&self, weather: Weather) {
        self.state.weather.send_replace(weather);
    }

    /// Waits until so many requests were begun.
    pub(super) async fn until_asked(&self, requests: usize) {
        let mut counts = self.state.counts.subscribe();
        let asked = counts.wait_for(|counts| counts.asked >= requests).await;
        drop(asked.unwrap());
    }

    pub(super) fn forget_asked(&self) {
        self.state.counts.send_modify(|counts| counts.asked = 0);
    }

    /// Most requests of syncs that were under way together.
    pub(super) fn at_once_max(&self) -> usize {
        self.state.counts.borrow().at_once_max
    }

    pub(super) fn connections(&self) -> usize {
        self.state.counts.borrow().connections
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        state.counts.send_modify(|counts| counts.connections += 1);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A phone that is gone ends its connection.
            let _ = serve(socket, &state).await;
        });
    }
}

async fn serve(mut socket: TcpStream, state: &State) -> std::io::Result<()> {
    let mut weather = state.weather.subscribe();
    let mut bytes = Vec::new();
    loop {
        socket.readable().await?;
        if *weather.borrow() == Weather::Deaf {
            state.counts.send_modify(|counts| counts.asked += 1);
            let heard = weather.wait_for(|weather| *weather != Weather::Deaf).await;
            drop(heard.unwrap());
        }
        let Some(request) = read(&mut socket, &mut bytes).await? else {
            return Ok(());
        };
        state.counts.send_modify(|counts| counts.asked += 1);
        // The live connection stands beside the syncs and is none of them.
        let turn = request.is_some().then(|| Turn::new(state));
        let Some(reply) = reply(&mut socket, &mut weather, state, request).await? else {
            return Ok(());
        };
        // The phone may send its next request as soon as it reads this answer.
        drop(turn);
        socket.write_all(&reply).await?;
    }
}

/// One request of a sync that is under way.
struct Turn<'a>(&'a State);

impl<'a> Turn<'a> {
    fn new(state: &'a State) -> Self {
        state.counts.send_modify(|counts| {
            counts.at_once += 1;
            counts.at_once_max = counts.at_once_max.max(counts.at_once);
        });
        Self(state)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.at_once -= 1);
    }
}

/// The answer to one request; `None` when its connection is to be cut.
async fn reply(
    socket: &mut TcpStream,
    weather: &mut watch::Receiver<Weather>,
    state: &State,
    request: Option<Request>,
) -> std::io::Result<Option<Vec<u8>>> {
    let cut = state.weather.send_if_modified(|weather| {
        let cut = *weather == Weather::CutNext;
        if cut {
            *weather = Weather::Fair;
        }
        cut
    });
    if cut {
        return Ok(None);
    }
    let mut gone = [0];
    tokio::select! {
        fair = weather.wait_for(|weather| *weather == Weather::Fair) => drop(fair.unwrap()),
        // A phone says nothing before it has its answer.
        _ = socket.read(&mut gone) => return Ok(None),
    }
    let Some(request) = request else {
        let refused = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        return Ok(Some(refused.to_vec()));
    };
    let reply = {
        let mut server = state.server.lock().unwrap();
        let (server, rng) = &mut *server;
        server.handle(&request, now_ms(), rng)
    };
    let mac = reply.mac.map(|mac| format!("{MAC_HEADER}: {mac}\r\n"));
    let head = format!(
        "HTTP/1.1 {} x\r\ncontent-length: {}\r\n{}\r\n",
        reply.status,
        reply.body.len(),
        mac.unwrap_or_default()
    );
    Ok(Some([head.as_bytes(), &reply.body].concat()))
}

/// The next request of a connection: `Some(None)` for one that is no part of the sync, `None` at its end.
async fn read(
    socket: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> std::io::Result<Option<Option<Request>>> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let header = |wanted: &str| {
        let mut lines = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let found = lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if socket.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
    let body = bytes[end..end + length].to_vec();
    bytes.drain(..end + length);
    let path = [SESSION_PATH, SYNC_PATH]
        .into_iter()
        .find(|path| head.starts_with(&format!("POST {path} ")));
    let headers = [SESSION_HEADER, MAC_HEADER]
        .into_iter()
        .filter_map(|name| Some((name, header(name)?)))
        .collect();
    Ok(Some(path.map(|path| Request {
        path,
        headers,
        body,
    })))
}
