//! The routes of the protocol (`docs/protocol.md`, “Session and HTTP”): bytes in, bytes out.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use onegrid_core::id::DeviceId;
use onegrid_core::limits::{ENROLMENT_BYTES_MAX, REQUEST_BYTES_MAX, SESSION_MESSAGE_BYTES_MAX};
use onegrid_core::sync::paths::{
    ATTACHMENTS_NEEDED_PATH, AUTHORITY_PATH, ENROL_PATH, LIVE_PATH, MEDIA_CBOR, MEDIA_SYNC,
    SESSION_PATH, SYNC_PATH,
};
use onegrid_core::system::{OsRandom, now_ms};
use onegrid_core::trust::request_mac::{MAC_HEADER, SESSION_HEADER};
use onegrid_core::trust::session::SessionMessage;

use super::attachments::needed;
use super::connection::UntilSent;
use super::live::live;
use super::node::Node;
use super::peer::Caller;
use super::shell::Place;
use crate::error::{Problem, Result};

/// Routes that phones use.
pub fn routes(node: Node) -> Router {
    Router::new()
        .route(AUTHORITY_PATH, get(authority))
        .route(ENROL_PATH, post(enrol))
        .route(SESSION_PATH, post(session))
        .route(SYNC_PATH, post(sync))
        .route(LIVE_PATH, get(live))
        .route(ATTACHMENTS_NEEDED_PATH, post(needed))
        .with_state(node)
}

async fn authority(State(node): State<Node>) -> Response {
    let root = *node.0.server.keys().anchors().root().as_bytes();
    answer("application/octet-stream", root.to_vec())
}

async fn enrol(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    node.0.enrolments.take(caller, now_ms())?;
    let held = node
        .0
        .strangers
        .read(&headers, body, ENROLMENT_BYTES_MAX)
        .await?;
    let body = node
        .work(move |server| server.handle_enrol(&held.bytes, now_ms()))
        .await?;
    node.0.meters.enrolments.inc();
    Ok(answer(MEDIA_CBOR, body))
}

/// Answers both steps of the handshake.
async fn session(State(node): State<Node>, headers: HeaderMap, body: Body) -> Result<Response> {
    let held = node
        .0
        .strangers
        .read(&headers, body, SESSION_MESSAGE_BYTES_MAX)
        .await?;
    let meters = node.0.meters.clone();
    let body = node
        .work(move |server| {
            let message =
                SessionMessage::of(&held.bytes).map_err(|error| Problem::new(error.code()))?;
            match message {
                SessionMessage::Hello => server.handle_hello(&held.bytes, now_ms(), &mut OsRandom),
                SessionMessage::Prove => {
                    let grant = server.handle_prove(&held.bytes, now_ms())?;
                    meters.sessions.inc();
                    Ok(grant)
                }
            }
        })
        .await?;
    Ok(answer(MEDIA_CBOR, body))
}

async fn sync(
    State(node): State<Node>,
    Extension(from): Extension<(Caller, Place)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let (session, mac) = tags(&headers)?;
    let bytes_max = node.0.body_bytes_max.min(REQUEST_BYTES_MAX);
    // The session is known before a byte is kept, so a stranger takes no memory of the phones.
    let seat = match node.claimed(&session, &mac).await {
        Ok(device) => node.0.syncs.take(device),
        Err(problem) => Err(problem),
    };
    let seat = match seat {
        Ok(seat) => seat,
        Err(problem) => return Ok(node.refuse(from, body, bytes_max, problem).await),
    };
    let held = node.0.bodies.read(&headers, body, bytes_max).await?;
    let inner = std::sync::Arc::clone(&node.0);
    let answered = node
        .work(move |server| {
            let (now_ms, bytes) = (now_ms(), held.bytes.as_ref());
            let (session, tag) =
                server.authenticate((&session, &mac), ("POST", SYNC_PATH), bytes, now_ms)?;
            // The device is counted only after it has proved its identity, so that no stranger can
            // use up its limit.
            inner.by_device.take(session.device, now_ms)?;
            let answered = server.answer_sync(&session, &tag, bytes, now_ms)?;
            let tally = &answered.tally;
            inner.meters.synced(bytes.len(), answered.body.len(), tally);
            Ok(answered)
        })
        .await?;
    let mut response = answer(MEDIA_SYNC, answered.body);
    let mac = HeaderValue::try_from(answered.mac)
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    response
        .headers_mut()
        .insert(HeaderName::from_static(MAC_HEADER), mac);
    // The place is free again when the phone has taken the answer, so a phone that reads nothing
    // gets no more.
    response.extensions_mut().insert(UntilSent::new(seat));
    Ok(response)
}

impl Node {
    /// Returns the device of the session that a request names. The code of the request is checked
    /// with its body.
    pub(super) async fn claimed(&self, session: &str, mac: &str) -> Result<DeviceId> {
        let (session, mac) = (session.to_owned(), mac.to_owned());
        self.work(move |server| server.claimed((&session, &mac), now_ms()))
            .await
    }
}

impl Node {
    /// Refuses an upload. A phone has to hear that its session is over, and it hears nothing before
    /// its last byte, so the rest is read: without the place of a running request, and only so many
    /// of each address. Beyond that the answer comes at once and the connection ends.
    pub(super) async fn refuse(
        &self,
        (caller, place): (Caller, Place),
        body: Body,
        bytes_max: usize,
        problem: Problem,
    ) -> Response {
        place.end();
        let Ok(_seat) = self.0.refusals.take(caller) else {
            let mut response = problem.into_response();
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            return response;
        };
        self.0.bodies.drain(body, bytes_max).await;
        problem.into_response()
    }
}

/// Reads the two session headers of a request.
pub(super) fn tags(headers: &HeaderMap) -> Result<(String, String)> {
    let read = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value
            .map(str::to_owned)
            .ok_or_else(|| Problem::new("session.malformed"))
    };
    Ok((read(SESSION_HEADER)?, read(MAC_HEADER)?))
}

fn answer(media_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
