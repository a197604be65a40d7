//! A bound socket and the loop that serves it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;

use super::shutdown::Shutdown;
use super::tls;
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::limits::{CONNECTION_BUFFER_BYTES_MAX, HANDSHAKE_WAIT_MAX, HEAD_WAIT_MAX};

/// A listening socket, so that its port is known before the first request.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    stop_wait_max: Duration,
}

impl Listener {
    /// Binds the configured address (port 0 takes a free port) and reads the TLS files.
    pub fn bind(config: &Config) -> Result<Self> {
        let listen = config.server.listen;
        let failed = |e: std::io::Error| {
            Problem::new("server.listen")
                .with("listen", listen)
                .because(&e)
        };
        let tls = config.server.tls.as_ref().map(tls::load).transpose()?;
        let socket = TcpListener::bind(listen).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self {
            socket,
            address,
            tls,
            stop_wait_max: config.limits.stop_wait_max,
        })
    }

    /// The bound address, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that a person opens.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until “stop”. Then it accepts no new connection and waits for running requests, at most as
    /// long as configured.
    pub async fn serve(self, app: Router, shutdown: Shutdown) -> Result<()> {
        let handle = Handle::new();
        let stopper = {
            let (handle, wait_max) = (handle.clone(), self.stop_wait_max);
            tokio::spawn(async move {
                shutdown.wait().await;
                handle.graceful_shutdown(Some(wait_max));
            })
        };
        let failed = |e: std::io::Error| Problem::new("server.internal").because(&e);
        let mut server = axum_server::from_tcp(self.socket)
            .map_err(failed)?
            .handle(handle);
        // A connection that never sends its whole request head would otherwise stay open without end.
        let mut builder = server.http_builder().http1();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT_MAX)
            .max_buf_size(CONNECTION_BUFFER_BYTES_MAX);
        server.http_builder().http2().timer(TokioTimer::new());
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let outcome = match self.tls {
            None => server.serve(service).await,
            Some(config) => {
                let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config))
                    .handshake_timeout(HANDSHAKE_WAIT_MAX);
                server.acceptor(acceptor).serve(service).await
            }
        };
        stopper.abort();
        outcome.map_err(failed)
    }
}
