//! One connection: its stream, its requests and answers, and the judgement whether it still moves.
//!
//! ```text
//!  socket ─▶ Counted (takes a place, notes written bytes) ─▶ TLS ─▶ hyper ─▶ Served ─▶ routes
//!                         │                                            │
//!                         └──────────────▶ Life ◀── answers under way ─┘
//! ```
//!
//! **Invariant:** a connection ends unless a request runs, or bytes move. No total time limits an
//! answer, so a photo reaches a phone on a slow line.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use onegrid_core::id::DeviceId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::patience::Patience;
use super::peer::Caller;
use super::seats::Seat;
use crate::limits::ANSWER_PIECE_BYTES;

/// A place that is held until the whole answer was handed to the connection. A route puts it among
/// the extensions of its answer.
#[derive(Debug, Clone)]
pub(super) struct UntilSent {
    _seat: Arc<Seat<DeviceId>>,
}

impl UntilSent {
    pub(super) fn new(seat: Seat<DeviceId>) -> Self {
        Self {
            _seat: Arc::new(seat),
        }
    }
}

/// The state of a connection, as its parts report it. Times are milliseconds since its begin.
#[derive(Debug)]
pub(super) struct Life {
    begun: Instant,
    /// Time of the last written byte.
    written_ms: AtomicU64,
    /// Whether the socket takes no more bytes now.
    is_blocked: AtomicBool,
    /// Time at which the socket last took bytes again.
    unblocked_ms: AtomicU64,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    running: usize,
    /// Time of the end of the last request.
    idle_ms: u64,
    answers: Vec<Weak<Answer>>,
}

/// An answer under way.
#[derive(Debug, Default)]
struct Answer {
    /// Time at which the connection last asked for a piece.
    asked_ms: AtomicU64,
    /// Whether the route has no piece yet, so that the peer is not the slow one.
    is_waiting: AtomicBool,
}

/// The judgement about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It moves. Look again after this time.
    Moves(Duration),
    /// No request came in time.
    Silent,
    /// The peer does not take the bytes that wait for it.
    Stalled,
}

impl Life {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            written_ms: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            unblocked_ms: AtomicU64::new(0),
            requests: Mutex::default(),
        })
    }

    /// Judges the connection now.
    pub(super) fn judge(&self, patience: &Patience) -> Judgement {
        let now_ms = self.now_ms();
        let since = |at_ms: u64| Duration::from_millis(now_ms.saturating_sub(at_ms));
        let written_ms = self.written_ms.load(Ordering::Relaxed);
        if self.is_blocked.load(Ordering::Relaxed) {
            return judge_wait(since(written_ms), patience.answer, Judgement::Stalled);
        }
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.running == 0 {
            // Written bytes alone prove nothing, because pings of HTTP/2 are answered.
            let unblocked_ms = self.unblocked_ms.load(Ordering::Relaxed);
            let idle = since(requests.idle_ms.max(unblocked_ms));
            return judge_wait(idle, patience.head, Judgement::Silent);
        }
        let slowest = requests
            .answers
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|answer| !answer.is_waiting.load(Ordering::Relaxed))
            .map(|answer| since(answer.asked_ms.load(Ordering::Relaxed)))
            .max();
        judge_wait(
            slowest.unwrap_or_default(),
            patience.answer,
            Judgement::Stalled,
        )
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note_write(&self, written: &Poll<std::io::Result<usize>>) {
        let is_blocked = written.is_pending();
        let was_blocked = self.is_blocked.swap(is_blocked, Ordering::Relaxed);
        if is_blocked && was_blocked {
            return;
        }
        let now_ms = self.now_ms();
        // The wait begins with the first byte that the socket does not take.
        self.written_ms.store(now_ms, Ordering::Relaxed);
        if was_blocked {
            self.unblocked_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    fn requests(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn judge_wait(waited: Duration, wait_max: Duration, end: Judgement) -> Judgement {
    match wait_max.checked_sub(waited) {
        Some(left) if !left.is_zero() => Judgement::Moves(left),
        _ => end,
    }
}

/// The stream of a connection. It holds the places of the connection as long as it exists, also
/// after an upgrade to a WebSocket.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    life: Arc<Life>,
    _seat: Seat<Caller>,
}

impl Counted {
    pub(super) const fn new(stream: TcpStream, life: Arc<Life>, seat: Seat<Caller>) -> Self {
        Self {
            stream,
            life,
            _seat: seat,
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.life.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.life.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The routes as one connection reaches them.
#[derive(Debug, Clone)]
pub(super) struct Served {
    app: TowerToHyperService<Router>,
    peer: SocketAddr,
    life: Arc<Life>,
}

impl Served {
    pub(super) fn new(app: Router, peer: SocketAddr, life: Arc<Life>) -> Self {
        Self {
            app: TowerToHyperService::new(app),
            peer,
            life,
        }
    }
}

impl Service<hyper::Request<Incoming>> for Served {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let running = Running::begin(&self.life);
        let answer = self.app.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let held = response.extensions_mut().remove::<UntilSent>();
            Ok(response.map(|body| Body::new(running.answer(body, held))))
        })
    }
}

/// A request from its head to the last byte of its answer.
#[derive(Debug)]
struct Running {
    life: Arc<Life>,
}

impl Running {
    fn begin(life: &Arc<Life>) -> Self {
        life.requests(|requests| requests.running += 1);
        Self {
            life: Arc::clone(life),
        }
    }

    fn answer(self, body: Body, held: Option<UntilSent>) -> Pieces {
        let answer = Arc::new(Answer::default());
        answer.asked_ms.store(self.life.now_ms(), Ordering::Relaxed);
        self.life.requests(|requests| {
            requests.answers.retain(|known| known.strong_count() > 0);
            requests.answers.push(Arc::downgrade(&answer));
        });
        Pieces {
            body,
            rest: Bytes::new(),
            answer,
            running: self,
            _held: held,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let now_ms = self.life.now_ms();
        self.life.requests(|requests| {
            requests.running -= 1;
            requests.idle_ms = now_ms;
        });
    }
}

/// The body of an answer in pieces, so that it reaches the buffers of the connection only as fast
/// as the peer reads.
#[derive(Debug)]
struct Pieces {
    body: Body,
    rest: Bytes,
    answer: Arc<Answer>,
    running: Running,
    _held: Option<UntilSent>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let now_ms = this.running.life.now_ms();
        this.answer.asked_ms.store(now_ms, Ordering::Relaxed);
        if this.rest.is_empty() {
            let polled = Pin::new(&mut this.body).poll_frame(cx);
            let is_waiting = polled.is_pending();
            this.answer.is_waiting.store(is_waiting, Ordering::Relaxed);
            match ready!(polled) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = this.rest.len().min(ANSWER_PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, inner) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(inner.lower().saturating_add(rest));
        hint
    }
}
