//! A bound socket and the loop that serves it.
//!
//! Each connection takes a place, in all and for its address, before a byte of it is read. A
//! connection without a place is closed at once. [`super::connection`] decides when a connection
//! ends.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connection::{Counted, Judgement, Life, Served};
use super::open_files::{connections_within, raise_open_files};
use super::patience::Patience;
use super::peer::Caller;
use super::quiet::QuietLog;
use super::seats::{Seat, Seats};
use super::shutdown::Shutdown;
use super::tls::Tls;
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::limits::{
    ACCEPT_PAUSE, CONNECTION_BUFFER_BYTES_MAX, HTTP2_STREAMS_MAX, HTTP2_WINDOW_BYTES,
    LOCAL_CONNECTIONS_RESERVED, REFUSAL_LINES_A_MINUTE, SOCKET_SEND_BYTES,
};
use crate::metrics::Metrics;

/// A listening socket, so that its port is known before the first request.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    stop_wait_max: Duration,
    patience: Patience,
    doors: Doors,
    metrics: Option<Metrics>,
}

/// Places for connections.
#[derive(Debug)]
struct Doors {
    seats: Seats<Caller>,
    /// Places for this machine itself, so that a process manager reaches `/healthz` of a full
    /// server.
    local: Seats<Caller>,
}

impl Listener {
    /// Binds the configured address (port 0 takes a free port) and reads the TLS files. Raises the
    /// limit of open files as far as the system allows.
    pub fn bind(config: &Config) -> Result<Self> {
        let listen = config.server.listen;
        let failed = |e: std::io::Error| {
            Problem::new("server.listen")
                .with("listen", listen)
                .because(&e)
        };
        let tls = config.server.tls.as_ref().map(Tls::load).transpose()?;
        let tls = tls.map(Arc::new);
        let socket = TcpListener::bind(listen).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        // Connections inherit it. A large buffer of the system would hide a peer that reads
        // nothing.
        if let Err(error) = set_socket_send_buffer_size(&socket, SOCKET_SEND_BYTES) {
            tracing::warn!(%error, "the send buffer of connections keeps its usual size");
        }
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            address,
            tls,
            stop_wait_max: config.limits.stop_wait_max,
            patience: Patience::default(),
            doors: Doors::of(config, raise_open_files()),
            metrics: None,
        })
    }

    /// Sets the times after which silent connections end.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Counts refused and closed connections.
    #[must_use]
    pub fn with_metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The bound address, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the listener; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// The URL that a person opens.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until “stop”. Then it accepts no new connection and waits for running requests, at
    /// most as long as configured.
    pub async fn serve(self, app: Router, shutdown: Shutdown) -> Result<()> {
        let failed = |e: std::io::Error| Problem::new("server.internal").because(&e);
        let socket = tokio::net::TcpListener::from_std(self.socket).map_err(failed)?;
        let (quiet, metrics) = (QuietLog::default(), self.metrics.unwrap_or_default());
        let host = Arc::new(Host {
            builder: builder(&self.patience),
            tls: self.tls,
            app,
            patience: self.patience,
            shutdown: shutdown.clone(),
            metrics: metrics.clone(),
        });
        let mut guests = JoinSet::new();
        loop {
            let (stream, peer) = tokio::select! {
                () = shutdown.wait() => break,
                _ = guests.join_next(), if !guests.is_empty() => continue,
                accepted = socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Without a free file each attempt fails at once until a connection ends.
                        quiet.problem(&Problem::new("server.accept").because(&error));
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            if let Ok(seat) = self.doors.enter(peer) {
                guests.spawn(Arc::clone(&host).welcome(stream, peer, seat));
                continue;
            }
            metrics.connection_ended("no_place");
            let now = std::time::Instant::now();
            if let Some(more) = quiet.turn("full", REFUSAL_LINES_A_MINUTE, now) {
                let count = more + 1;
                tracing::warn!(count, "connections refused, because too many are open");
            }
        }
        drop(socket);
        let ended = async { while guests.join_next().await.is_some() {} };
        if timeout(self.stop_wait_max, ended).await.is_err() {
            guests.shutdown().await;
        }
        Ok(())
    }
}

impl Doors {
    fn of(config: &Config, files_max: Option<u64>) -> Self {
        let wanted = config.limits.connections_max;
        let all = connections_within(files_max, wanted);
        if all < wanted {
            let files = files_max.unwrap_or_default();
            let advice = "fewer connections than configured: raise the limit of open files \
                          (`ulimit -n`, LimitNOFILE of systemd)";
            tracing::warn!(files, wanted, connections = all, "{advice}");
        }
        // A proxy brings the connections of everybody.
        let own = if config.server.behind_proxy {
            all
        } else {
            config
                .limits
                .address_connections_max
                .min(all - all / 4)
                .max(1)
        };
        Self {
            seats: Seats::new(all, own),
            local: Seats::new(LOCAL_CONNECTIONS_RESERVED, LOCAL_CONNECTIONS_RESERVED),
        }
    }

    fn enter(&self, peer: SocketAddr) -> Result<Seat<Caller>> {
        let caller = Caller::from(peer.ip());
        self.seats.take(caller).or_else(|full| {
            if peer.ip().to_canonical().is_loopback() {
                self.local.take(caller)
            } else {
                Err(full)
            }
        })
    }
}

/// Everything that the connections of a listener share.
struct Host {
    builder: Builder<TokioExecutor>,
    tls: Option<Arc<Tls>>,
    app: Router,
    patience: Patience,
    shutdown: Shutdown,
    metrics: Metrics,
}

impl Host {
    async fn welcome(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, seat: Seat<Caller>) {
        // A wake-up is a few bytes that wait for nothing.
        let _ = stream.set_nodelay(true);
        let life = Life::new();
        let stream = Counted::new(stream, Arc::clone(&life), seat);
        match &self.tls {
            None => self.converse(stream, peer, life).await,
            Some(tls) => {
                match timeout(self.patience.handshake, tls.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => self.converse(stream, peer, life).await,
                    Ok(Err(_)) => self.metrics.connection_ended("tls"),
                    Err(_) => self.metrics.connection_ended("silent"),
                }
            }
        }
    }

    async fn converse<S>(&self, stream: S, peer: SocketAddr, life: Arc<Life>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = Served::new(self.app.clone(), peer, Arc::clone(&life));
        let served = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut served = pin!(served);
        let (mut is_stopping, mut look_at, mut leaves_at) = (false, Instant::now(), None);
        loop {
            tokio::select! {
                biased;
                // An error means that the peer is gone, or speaks no HTTP.
                _ = served.as_mut() => return,
                () = self.shutdown.wait(), if !is_stopping => {
                    is_stopping = true;
                    served.as_mut().graceful_shutdown();
                }
                () = sleep_until(leaves_at.unwrap_or(look_at)) => {
                    if leaves_at.is_some() {
                        return;
                    }
                    match life.judge(&self.patience) {
                        Judgement::Moves(left) => look_at = Instant::now() + left,
                        Judgement::Silent => {
                            self.metrics.connection_ended("silent");
                            // A peer that speaks HTTP/2 is told that the connection ends.
                            served.as_mut().graceful_shutdown();
                            leaves_at = Some(Instant::now() + self.patience.farewell);
                        }
                        Judgement::Stalled => {
                            self.metrics.connection_ended("stalled");
                            return;
                        }
                    }
                }
            }
        }
    }
}

fn builder(patience: &Patience) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(CONNECTION_BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_connection_window_size(HTTP2_WINDOW_BYTES)
        .initial_stream_window_size(HTTP2_WINDOW_BYTES)
        .max_send_buf_size(CONNECTION_BUFFER_BYTES_MAX);
    builder
}
