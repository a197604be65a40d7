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
use crate::sync::transfer::FileRequest;
use crate::trust::request_mac::{MAC_HEADER, SESSION_HEADER};
use crate::wire::transfer::{FileName, TUS_RESUMABLE, UPLOAD_LENGTH, UPLOAD_OFFSET};

/// The headers of requests that the server reads.
const HEADERS: [&str; 8] = [
    SESSION_HEADER,
    MAC_HEADER,
    UPLOAD_LENGTH,
    UPLOAD_OFFSET,
    TUS_RESUMABLE,
    "content-length",
    "content-type",
    "range",
];

/// The fate of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// They are answered.
    Fair,
    /// They are read, and answered once it is fair again.
    Held,
    /// Pieces of files are read, and answered once it is fair again; all else is answered.
    HeldPieces,
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
    pieces: usize,
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

    /// Waits until so many pieces of files were read.
    pub(super) async fn until_pieces(&self, pieces: usize) {
        let mut counts = self.state.counts.subscribe();
        let read = counts.wait_for(|counts| counts.pieces >= pieces).await;
        drop(read.unwrap());
    }

    pub(super) fn describe(&self, name: FileName, length: usize) {
        self.state.server.lock().unwrap().0.describe(name, length);
    }

    /// Whether the server has the whole file.
    pub(super) fn has_file(&self, name: &FileName) -> bool {
        let server = self.state.server.lock().unwrap();
        server.0.files.stored.contains_key(name)
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
        state.counts.send_modify(|counts| {
            counts.asked += 1;
            counts.pieces += usize::from(request.is_piece());
        });
        // The live connection stands beside the syncs and is none of them.
        let turn = matches!(request, Asked::Records(_)).then(|| Turn::new(state));
        let Some(reply) = reply(&mut socket, &mut weather, state, request).await? else {
            return Ok(());
        };
        // The phone may send its next request as soon as it reads this answer.
        drop(turn);
        socket.write_all(&reply).await?;
    }
}

/// A request as it was read.
enum Asked {
    Records(Request),
    File(FileRequest),
    /// No part of a sync.
    Other,
}

impl Asked {
    fn is_piece(&self) -> bool {
        matches!(self, Self::File(request) if request.method == "PATCH")
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
    request: Asked,
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
    let is_answered = |weather: &Weather| match weather {
        Weather::HeldPieces => !request.is_piece(),
        weather => *weather == Weather::Fair,
    };
    tokio::select! {
        fair = weather.wait_for(is_answered) => drop(fair.unwrap()),
        // A phone says nothing before it has its answer.
        _ = socket.read(&mut gone) => return Ok(None),
    }
    let mut server = state.server.lock().unwrap();
    let (server, rng) = &mut *server;
    let (status, headers, body) = match request {
        Asked::Records(request) => {
            let reply = server.handle(&request, now_ms(), rng);
            let mac = reply.mac.map(|mac| (MAC_HEADER, mac));
            (reply.status, mac.into_iter().collect(), reply.body)
        }
        Asked::File(request) => {
            let reply = server.file(&request, request.body.len(), now_ms());
            (reply.status, reply.headers, reply.body)
        }
        Asked::Other => (404, Vec::new(), Vec::new()),
    };
    let headers = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    // Success without a body has no length.
    let length = (status != 204).then(|| format!("content-length: {}\r\n", body.len()));
    let head: String = headers.chain(length).collect();
    let head = format!("HTTP/1.1 {status} x\r\n{head}\r\n");
    Ok(Some([head.as_bytes(), &body].concat()))
}

/// The next request of a connection; `None` at its end.
async fn read(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<Asked>> {
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
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers = HEADERS
        .into_iter()
        .filter_map(|name| Some((name, header(name)?)))
        .collect();
    let of_records = [SESSION_PATH, SYNC_PATH]
        .into_iter()
        .find(|known| *known == path);
    let of_files = ["POST", "HEAD", "PATCH", "GET"]
        .into_iter()
        .find(|known| *known == method)
        .filter(|_| path.starts_with("/v1/attachments/"));
    Ok(Some(match (of_records, of_files) {
        (Some(path), _) => Asked::Records(Request {
            path,
            headers,
            body,
        }),
        (None, Some(method)) => Asked::File(FileRequest {
            method,
            path: path.to_owned(),
            headers,
            body,
        }),
        (None, None) => Asked::Other,
    }))
}
