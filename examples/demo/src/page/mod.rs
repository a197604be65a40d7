//! The page of the demo: the same phones behind buttons. The page works like an app: it calls the phone's
//! `Replica` and lets the driver sync.
//!
//! ```text
//!  browser ─▶ POST api/phones/<name>/… ─▶ Replica (report, act, settle …) ─▶ driver ─▶ server
//!          ◀─ GET api/state             ◀─ lists of all phones
//!          ◀─ GET api/events (SSE)      ◀─ “something changed”
//!          ◀─ GET …/photos/<id>/full    ◀─ the file as this phone has it
//! ```
//!
//! It listens on this machine only, takes JSON and photos only (so no other page can make a browser send
//! them), and loads nothing from elsewhere.

mod act;
mod forms;
mod meetings;
mod moves;
mod photos;
mod show;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use futures_util::stream::unfold;
use onegrid_core::limits::MEDIA_INPUT_BYTES_MAX;
use onegrid_core::net::Status;
use tokio::sync::watch;

use crate::cast::Cast;
use crate::phone::Phone;
use onegrid_server::api::Shutdown;
use onegrid_server::error::{Problem, Result};

/// The files of the page.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("style.css"),
    ),
    (
        "/words.js",
        "text/javascript; charset=utf-8",
        include_str!("words.js"),
    ),
    (
        "/app.js",
        "text/javascript; charset=utf-8",
        include_str!("app.js"),
    ),
];
/// The page may load only its own files.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The shared state of all routes.
#[derive(Clone)]
pub(super) struct Shown {
    cast: Arc<Cast>,
    /// Counts changes. Its receivers look again after each change.
    changes: watch::Sender<u64>,
    shutdown: Shutdown,
}

/// The page, bound to its port.
pub(super) struct Page {
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    cast: Arc<Cast>,
}

impl Page {
    pub(super) async fn bind(cast: Arc<Cast>, listen: SocketAddr) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Problem::new("server.listen")
                .with("listen", listen)
                .because(&error)
        };
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            cast,
        })
    }

    /// Returns the URL of the page.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches every phone online and serves the page until it is told to stop.
    pub(super) async fn serve(self, shutdown: Shutdown) -> Result<()> {
        let shown = Shown {
            cast: self.cast,
            changes: watch::Sender::new(0),
            shutdown: shutdown.clone(),
        };
        for phone in shown.cast.phones() {
            shown.switch(phone, true)?;
        }
        let served = axum::serve(self.listener, router(shown))
            .with_graceful_shutdown(async move { shutdown.wait().await });
        served
            .await
            .map_err(|error| Problem::new("server.internal").because(&error))
    }
}

impl Shown {
    /// Notes a change for the viewers of the page.
    fn touch(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Switches a phone online or offline. A running driver reports its own changes.
    fn switch(&self, phone: &Phone, online: bool) -> Result<()> {
        if let Some(status) = phone.switch(online)? {
            tokio::spawn(follow(status, self.clone()));
        }
        self.touch();
        Ok(())
    }
}

async fn follow(mut status: watch::Receiver<Status>, shown: Shown) {
    while status.changed().await.is_ok() {
        shown.touch();
    }
}

fn router(shown: Shown) -> Router {
    let mut router = Router::new();
    for (path, media_type, text) in FILES {
        router = router.route(path, get(file(media_type, text)));
    }
    router
        .route("/api/state", get(show::state))
        .route("/api/map", get(show::map))
        .route("/api/events", get(events))
        .route("/api/phones/{phone}/records/{record}", get(show::record))
        .route("/api/phones/{phone}/online", post(act::online))
        .route("/api/phones/{phone}/report", post(act::report))
        .route("/api/phones/{phone}/visit", post(forms::plan))
        .route("/api/phones/{phone}/templates", get(forms::templates))
        .route("/api/phones/{phone}/meet", post(meetings::meet))
        .route(
            "/api/phones/{phone}/photos",
            post(photos::add).layer(DefaultBodyLimit::max(MEDIA_INPUT_BYTES_MAX)),
        )
        .route("/api/phones/{phone}/photos/sample", post(photos::sample))
        .route(
            "/api/phones/{phone}/photos/{id}",
            get(photos::staged).delete(photos::remove),
        )
        .route(
            "/api/phones/{phone}/records/{record}/photos/{id}/{size}",
            get(photos::photo),
        )
        .route(
            "/api/phones/{phone}/records/{record}/{what}",
            post(act::on_record),
        )
        .with_state(shown)
}

/// Makes a handler that returns the same bytes to everybody.
fn file(
    media_type: &'static str,
    text: &'static str,
) -> impl Fn() -> Ready<Response> + Clone + Send + Sync + 'static {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    move || ready((headers.clone(), text).into_response())
}

/// Sends one event at once, and one for every later change; changes that come together count once.
async fn events(
    State(shown): State<Shown>,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let mut changes = shown.changes.subscribe();
    changes.mark_changed();
    let stream = unfold(
        (changes, shown.shutdown),
        |(mut changes, shutdown)| async move {
            let count = tokio::select! {
                changed = changes.changed() => {
                    changed.ok()?;
                    *changes.borrow_and_update()
                }
                () = shutdown.wait() => return None,
            };
            let event = Event::default().data(count.to_string());
            Some((Ok(event), (changes, shutdown)))
        },
    );
    Sse::new(stream).keep_alive(KeepAlive::default())
}
