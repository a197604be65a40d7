//! `GET /v1/live`: a WebSocket for wake-ups only. Data always travels by `POST /v1/sync`.
//!
//! A connection ends with its session, with the revocation of its device, after
//! [`LIVE_SILENCE_MAX`] without a message from the phone, or when the server stops.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::response::Response;
use onegrid_core::sync::paths::LIVE_PATH;
use onegrid_core::system::now_ms;
use onegrid_core::trust::session::Session;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::node::Node;
use super::routes::tags;
use crate::error::{Problem, Result};
use crate::limits::{
    LIVE_BUFFER_BYTES, LIVE_MESSAGE_BYTES_MAX, LIVE_MESSAGES_MAX, LIVE_PING_EVERY,
    LIVE_SEND_WAIT_MAX, LIVE_SILENCE_MAX, LIVE_WAKE_PAUSE,
};
use crate::store::StoreError;
use crate::wakeups::Wake;

/// Payload of a wake-up; phones ignore it.
const WAKE: &[u8] = b"!";

pub(super) async fn live(
    State(node): State<Node>,
    headers: HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let (session, mac) = tags(&headers)?;
    let inner = Arc::clone(&node.0);
    let (session, wake) = node
        .work(move |server| {
            let now_ms = now_ms();
            let request = ("GET", LIVE_PATH);
            let (session, _) = server.authenticate((&session, &mac), request, &[], now_ms)?;
            inner.by_device.take(session.device, now_ms)?;
            let wake = server.subscribe(session.device, now_ms)?;
            Ok((session, wake))
        })
        .await?;
    let upgrade = upgrade.map_err(|error| Problem::new("http.bad_request").because(&error))?;
    let seat = node.0.seats.take(session.device)?;
    // Phones send next to nothing, and thousands wait at the same time.
    let socket = upgrade
        .read_buffer_size(LIVE_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(LIVE_BUFFER_BYTES)
        .max_message_size(LIVE_MESSAGE_BYTES_MAX)
        .max_frame_size(LIVE_MESSAGE_BYTES_MAX);
    Ok(socket.on_upgrade(move |socket| async move {
        node.0.meters.live.inc();
        let line = Line {
            node: node.clone(),
            session,
            wake,
            socket,
            heard: Instant::now(),
            messages: 0,
        };
        line.run().await;
        node.0.meters.live.dec();
        drop(seat);
    }))
}

/// Reason for the end of a connection.
enum End {
    /// The phone is gone, or it breaks the rules.
    Gone,
    /// The device was revoked.
    Cut,
    /// The session ran out.
    Over,
    /// The server stops.
    Stopping,
}

struct Line {
    node: Node,
    session: Session,
    wake: watch::Receiver<Wake>,
    socket: WebSocket,
    heard: Instant,
    messages: usize,
}

impl Line {
    async fn run(mut self) {
        let end = self.serve().await;
        let (code, reason) = match end {
            End::Gone => return,
            End::Cut => {
                self.node.0.meters.cut.inc();
                (close_code::POLICY, "session.revoked")
            }
            End::Over => (close_code::POLICY, "session.expired"),
            End::Stopping => (close_code::RESTART, "server.stopping"),
        };
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        }));
        // A phone that does not receive the close message is already gone.
        let _ = timeout(LIVE_SEND_WAIT_MAX, self.socket.send(close)).await;
    }

    async fn serve(&mut self) -> End {
        let shutdown = self.node.0.shutdown.clone();
        let mut ping = interval_at(Instant::now() + LIVE_PING_EVERY, LIVE_PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut awake_from = Instant::now();
        let mut owed = false;
        loop {
            let over_at = Instant::now() + self.left();
            tokio::select! {
                () = shutdown.wait() => return End::Stopping,
                changed = self.wake.changed() => {
                    let wake = *self.wake.borrow_and_update();
                    if changed.is_err() || wake.cut {
                        return End::Cut;
                    }
                    if !owed {
                        owed = true;
                        let delay = Duration::from_millis(wake.delay_ms(self.session.device).into());
                        awake_from = awake_from.max(Instant::now() + delay);
                    }
                }
                // Several changes within the pause cause one wake-up.
                () = sleep_until(awake_from), if owed => {
                    owed = false;
                    awake_from = Instant::now() + LIVE_WAKE_PAUSE;
                    // The sync that follows tells the streams that the phone may read by then.
                    if !self.send(Message::Binary(WAKE.into())).await {
                        return End::Gone;
                    }
                }
                () = sleep_until(over_at) => {
                    if !self.is_prolonged().await {
                        return End::Over;
                    }
                }
                _ = ping.tick() => {
                    let silent = self.heard.elapsed() > LIVE_SILENCE_MAX;
                    if silent || !self.send(Message::Ping(axum::body::Bytes::new())).await {
                        return End::Gone;
                    }
                }
                message = self.socket.recv() => match message {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return End::Gone,
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        // A phone only needs to answer pings, so all other messages count.
                        self.messages += usize::from(!matches!(message, Message::Pong(_)));
                        if self.messages > LIVE_MESSAGES_MAX {
                            return End::Gone;
                        }
                    }
                },
            }
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        let sent = timeout(LIVE_SEND_WAIT_MAX, self.socket.send(message)).await;
        matches!(sent, Ok(Ok(())))
    }

    /// Reads the session's end from the store, because a sync may have prolonged the session.
    async fn is_prolonged(&mut self) -> bool {
        let id = self.session.id.0;
        let row = self
            .node
            .work(move |server| Ok(server.store().read::<_, StoreError>(|tx| tx.session(id))?))
            .await;
        if let Ok(Some(row)) = row {
            self.session.expires_ms = row.expires_ms;
        }
        !self.session.is_over(now_ms())
    }

    fn left(&self) -> Duration {
        let left_ms = self.session.expires_ms.saturating_sub(now_ms());
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    }
}
