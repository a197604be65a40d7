//! `GET /v1/live`: the server says “there is something new”, and nothing else.
//!
//! A wake-up is believed only as far as to ask; a lost one costs the time until the next pause is over, never
//! data.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand_core::Rng;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::connection::Stream;
use super::error::NetError;
use super::http::Http;
use super::meter::Pulse;
use crate::sync::paths::LIVE_PATH;
use crate::system::OsRandom;
use crate::trust::request_mac::{MAC_HEADER, RequestTag, SESSION_HEADER};

/// The answer to the opening of the connection may take so long.
const OPEN: Duration = Duration::from_secs(30);
/// Silence after which the server counts as gone: it asks after the phone every 30 s.
const SILENCE: Duration = Duration::from_mins(2);
/// First and longest pause before the connection is made again.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_mins(15);
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_mins(1);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LiveEnd {
    /// The server cannot be reached at all.
    Unreached,
    /// The server is there, and something refuses or blocks this kind of connection.
    Blocked,
    /// It broke.
    Broken,
    /// The server ended it, and a request will tell why.
    Closed,
}

/// Pauses between connections: longer each time, half of each by chance, so that a thousand phones that lost
/// one server do not return together.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: PAUSE_FIRST }
    }

    /// The pause after a connection that held for this long.
    pub(super) fn after(&mut self, held: Duration, rng: &mut dyn Rng) -> Duration {
        if held > GOOD {
            self.next = PAUSE_FIRST;
        }
        let full = self.next;
        self.next = (full * 2).min(PAUSE_MAX);
        full.div_f64(2.0) + full.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }
}

/// The part of the driver that listens for wake-ups.
pub(super) trait Listener: Sync {
    /// Lets one connection in.
    type Tag: Send;

    /// A tag of the open session; `None` where there is none.
    fn tag(&self) -> impl Future<Output = Option<Self::Tag>> + Send;

    /// Makes a connection, and listens until it ends.
    fn listen(&self, tag: Self::Tag) -> impl Future<Output = LiveEnd> + Send;

    /// Returns once a sync has succeeded.
    fn synced(&self) -> impl Future<Output = ()> + Send;

    /// Asks for a sync.
    fn wake(&self);
}

/// Keeps a connection while there is a session: makes it again after pauses that are its own. A network that
/// blocks it costs ever rarer attempts, and no sync.
pub(super) async fn keep(listener: &impl Listener) {
    let mut pauses = Pauses::new();
    loop {
        let Some(tag) = listener.tag().await else {
            listener.synced().await;
            continue;
        };
        let began = Instant::now();
        let end = listener.listen(tag).await;
        let held = match end {
            LiveEnd::Unreached | LiveEnd::Blocked => Duration::ZERO,
            LiveEnd::Broken | LiveEnd::Closed => began.elapsed(),
        };
        if end == LiveEnd::Closed {
            // The session or the device may be over: the answer to a request tells.
            listener.wake();
        }
        let pause = pauses.after(held, &mut OsRandom);
        if end == LiveEnd::Unreached {
            // A sync that succeeds meanwhile shows that the network is back.
            let _ = timeout(pause, listener.synced()).await;
        } else {
            sleep(pause).await;
        }
    }
}

/// Listens until the connection ends; calls `wake` once it is open, because something may have come since
/// the last sync, and for every message.
pub(super) async fn listen(http: &Http, tag: &RequestTag, wake: impl Fn()) -> LiveEnd {
    let Ok(stream) = http.connect(&Pulse::new()).await else {
        return LiveEnd::Unreached;
    };
    let opened = timeout(OPEN, open(http, stream, tag)).await;
    let Ok(Ok(mut socket)) = opened else {
        return LiveEnd::Blocked;
    };
    wake();
    while let Ok(Some(message)) = timeout(SILENCE, socket.next()).await {
        match message {
            Ok(Message::Text(_) | Message::Binary(_)) => wake(),
            Ok(Message::Close(_)) => return LiveEnd::Closed,
            // Pings are answered by the library when the next write is flushed.
            Ok(_) if socket.flush().await.is_ok() => {}
            _ => return LiveEnd::Broken,
        }
    }
    LiveEnd::Broken
}

async fn open(
    http: &Http,
    stream: Stream,
    tag: &RequestTag,
) -> Result<WebSocketStream<Stream>, NetError> {
    let url = http.address().live_url(LIVE_PATH);
    let mut request = url
        .into_client_request()
        .map_err(|_| NetError::BadAddress)?;
    for (name, value) in [
        (SESSION_HEADER, tag.session_header()),
        (MAC_HEADER, tag.mac_header()),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|_| NetError::BadAddress)?;
        request.headers_mut().insert(name, value);
    }
    // A wake-up is a few bytes; nothing larger is read.
    let limits = WebSocketConfig::default()
        .max_message_size(Some(1_024))
        .max_frame_size(Some(1_024))
        .read_buffer_size(1_024);
    let (socket, _) = client_async_with_config(request, stream, Some(limits))
        .await
        .map_err(|_| NetError::Offline)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Lets time go by as a paused runtime advances it.
    async fn pass(time: Duration) {
        let _ = timeout(time, std::future::pending::<()>()).await;
    }

    /// A connection that always ends alike.
    struct Day {
        end: LiveEnd,
        held: Duration,
        synced: Notify,
        tries: AtomicU32,
        wakes: AtomicU32,
    }

    impl Listener for Day {
        type Tag = ();

        async fn tag(&self) -> Option<()> {
            Some(())
        }

        async fn listen(&self, (): ()) -> LiveEnd {
            self.tries.fetch_add(1, Ordering::Relaxed);
            if matches!(self.end, LiveEnd::Broken | LiveEnd::Closed) {
                // Listening wakes once when the connection opens.
                self.wake();
            }
            pass(self.held).await;
            self.end
        }

        async fn synced(&self) {
            self.synced.notified().await;
        }

        fn wake(&self) {
            self.wakes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often a connection is tried in a day, and how often a sync is asked for.
    async fn day(end: LiveEnd, held: Duration, synced_every: Option<Duration>) -> (u32, u32) {
        let day = Day {
            end,
            held,
            synced: Notify::new(),
            tries: AtomicU32::new(0),
            wakes: AtomicU32::new(0),
        };
        let syncs = async {
            match synced_every {
                None => std::future::pending().await,
                Some(every) => loop {
                    pass(every).await;
                    day.synced.notify_one();
                },
            }
        };
        tokio::select! {
            () = keep(&day) => {}
            () = syncs => {}
            () = pass(Duration::from_hours(24)) => {}
        }
        let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        (count(&day.tries), count(&day.wakes))
    }

    #[tokio::test(start_paused = true)]
    async fn blocked_connection_costs_no_sync() {
        let (tries, wakes) = day(LiveEnd::Blocked, Duration::ZERO, None).await;
        assert_eq!(wakes, 0);
        assert!((90..220).contains(&tries), "{tries} tries in a day");
        let syncing = Some(Duration::from_mins(5));
        let (tries, wakes) = day(LiveEnd::Blocked, Duration::ZERO, syncing).await;
        assert_eq!(wakes, 0);
        assert!(tries < 220, "syncs do not hurry it: {tries}");
    }

    #[tokio::test(start_paused = true)]
    async fn connection_that_stood_asks_once_and_comes_back() {
        let (tries, wakes) = day(LiveEnd::Broken, Duration::from_hours(1), None).await;
        assert!(
            (23..=24).contains(&tries) && wakes == tries,
            "{tries} {wakes}"
        );
        let (tries, wakes) = day(LiveEnd::Closed, Duration::from_hours(1), None).await;
        assert!(wakes >= 2 * (tries - 1), "the server's reason is asked for");
    }

    #[tokio::test(start_paused = true)]
    async fn server_that_is_back_is_listened_to_after_a_sync() {
        // A sync ends every pause, also the shortest one of a long wait, so chance decides nothing here.
        let syncing = Some(Duration::from_mins(5));
        let (alone, _) = day(LiveEnd::Unreached, Duration::ZERO, None).await;
        let (with_syncs, wakes) = day(LiveEnd::Unreached, Duration::ZERO, syncing).await;
        assert!(with_syncs > alone && wakes == 0, "{with_syncs} {alone}");
    }

    #[test]
    fn blocked_connection_is_tried_ever_more_rarely() {
        let mut pauses = Pauses::new();
        let mut rng = OsRandom;
        let (mut spent, mut tries) = (Duration::ZERO, 0);
        while spent < Duration::from_hours(24) {
            let full = pauses.next;
            let pause = pauses.after(Duration::ZERO, &mut rng);
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            spent += pause;
            tries += 1;
        }
        assert!(tries < 220, "{tries} tries in a day");
        assert_eq!(pauses.next, PAUSE_MAX);
        pauses.after(GOOD * 2, &mut rng);
        assert_eq!(pauses.next, PAUSE_FIRST * 2, "a good one begins anew");
    }
}
