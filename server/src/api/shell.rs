//! The layers around every route.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use onegrid_core::system::now_ms;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::health::{self, Ready, ReloadFailures};
use super::peer::{Caller, Chain, Passage};
use super::quiet::QuietLog;
use super::rates::Rates;
use super::seats::{Seat, Seats};
use super::tls::Tls;
use super::{observe, problems};
use crate::admin::schedule::Backups;
use crate::config::{Config, LimitsConfig};
use crate::error::{Problem, Result};
use crate::limits::{REFUSAL_LINES_A_MINUTE, REQUESTS_OF_ADDRESS_MIN, REQUESTS_SHARE};
use crate::metrics::Metrics;
use crate::server::Server;

/// Dependencies of the layers.
#[derive(Clone)]
pub struct Shell {
    /// Limits of requests.
    pub limits: LimitsConfig,
    /// Counts every request.
    pub metrics: Metrics,
    /// Tells whether the server can work.
    pub ready: Ready,
    pub(super) quiet: QuietLog,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) server: Option<Arc<Server>>,
    pub(super) backups: Option<Backups>,
    pub(super) reloads: Option<ReloadFailures>,
    chain: Chain,
    by_address: Arc<Rates<Caller>>,
    running: Arc<Seats<Caller>>,
}

/// The place of a running request. A request that waits for useless bytes gives its place back
/// first.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Mutex<Option<Seat<Caller>>>>);

impl Place {
    fn new(seat: Seat<Caller>) -> Self {
        Self(Arc::new(Mutex::new(Some(seat))))
    }

    /// Frees the place.
    pub(super) fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The requests of one address at the same time, so that no address answers “busy” to all others.
pub(super) fn share_of_address(requests_max: usize) -> usize {
    let share = requests_max / REQUESTS_SHARE;
    share.max(REQUESTS_OF_ADDRESS_MIN).min(requests_max)
}

impl Shell {
    /// Makes a shell with the configured limits; `ready` decides the answer of `/healthz`.
    #[must_use]
    pub fn new(config: &Config, metrics: Metrics, ready: Ready) -> Self {
        let limits = config.limits.clone();
        let own = share_of_address(limits.requests_max);
        let running = Arc::new(Seats::new(limits.requests_max, own));
        Self {
            quiet: QuietLog::default(),
            tls: None,
            server: None,
            backups: None,
            reloads: None,
            chain: Chain::of(&config.server),
            by_address: Arc::new(Rates::per_minute(limits.address_per_minute)),
            limits,
            metrics,
            ready,
            running,
        }
    }

    /// Lets `/healthz` warn of the certificate of the listener.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Arc<Tls>>) -> Self {
        self.tls = tls;
        self
    }

    /// Lets `/healthz` warn of the audit log of the server.
    #[must_use]
    pub fn with_server(mut self, server: Arc<Server>) -> Self {
        self.server = Some(server);
        self
    }

    /// Lets `/healthz` warn of backups that fail.
    #[must_use]
    pub fn with_backups(mut self, backups: Backups) -> Self {
        self.backups = Some(backups);
        self
    }

    /// Lets `/healthz` warn of a reload that failed.
    #[must_use]
    pub fn with_reloads(mut self, reloads: ReloadFailures) -> Self {
        self.reloads = Some(reloads);
        self
    }
}

/// Puts the layers around the routes of the server. `transfers` last as long as bytes flow, so the
/// limits of time and size are not around them.
pub fn shell(app: Router, transfers: Router, shell: &Shell) -> Router {
    let panics = shell.metrics.clone();
    let on_panic = move |_: Box<dyn Any + Send>| {
        panics.panicked();
        Problem::new("server.internal").into_response()
    };
    app.layer(DefaultBodyLimit::max(shell.limits.body_bytes_max))
        .layer(from_fn_with_state(shell.clone(), refuse_large))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            shell.limits.request_wait_max,
        ))
        .merge(transfers)
        .layer(from_fn_with_state(shell.clone(), refuse_when_busy))
        .fallback(|| async { Problem::new("http.not_found") })
        .layer(from_fn_with_state(shell.clone(), count_caller))
        .merge(health::routes(shell))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(from_fn_with_state(shell.clone(), problems::speak))
        .layer(from_fn_with_state(shell.clone(), observe::observe))
}

/// Counts a request against its address, also when no route matches it. Routes find the [`Caller`]
/// among the extensions of the request.
async fn count_caller(
    State(shell): State<Shell>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let (caller, passage) = Caller::of(peer, request.headers(), &shell.chain);
    if passage == Passage::Other {
        past_the_proxy(&shell);
    }
    shell.by_address.take(caller, now_ms())?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Counts and logs a request that did not come through the configured proxies, without its address, because that
/// may belong to a person.
fn past_the_proxy(shell: &Shell) {
    let code = "http.proxy_chain";
    shell.metrics.refused(code);
    let now = std::time::Instant::now();
    if let Some(more) = shell.quiet.turn(code, REFUSAL_LINES_A_MINUTE, now) {
        let (count, advice) = (
            more + 1,
            "requests did not come through the proxies of server.proxy_hops and server.proxy_from",
        );
        tracing::warn!(code, count, "{advice}");
    }
}

/// Refuses a request by its announced length, before the first byte of the body is read.
async fn refuse_large(
    State(shell): State<Shell>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > shell.limits.body_bytes_max) {
        return Err(Problem::new("http.too_large").with("max", shell.limits.body_bytes_max));
    }
    Ok(next.run(request).await)
}

/// Answers “busy” at once, because a queue could grow without end.
async fn refuse_when_busy(
    State(shell): State<Shell>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let place = Place::new(shell.running.take(caller)?);
    request.extensions_mut().insert((caller, place.clone()));
    let response = next.run(request).await;
    place.end();
    Ok(response)
}
