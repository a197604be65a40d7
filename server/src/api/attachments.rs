//! Photos and recordings over tus 1.0 (`docs/protocol.md`, “Attachments”).
//!
//! A request is authenticated before its body is read. The body of an upload is received in a task of its own,
//! because the bytes of a connection that broke have to be saved too.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::StreamExt as _;
use futures_util::stream;
use onegrid_core::id::{DeviceId, Hash, RecordId};
use onegrid_core::limits::{ATTACHMENT_BYTES_MAX, NEEDED_BYTES_MAX};
use onegrid_core::sync::paths::{
    ATTACHMENTS_NEEDED_PATH, ATTACHMENTS_PATH, MEDIA_CBOR, attachment_path,
};
use onegrid_core::system::now_ms;
use onegrid_core::trust::request_mac::{MAC_HEADER, RequestTag};
use onegrid_core::trust::session::Session;
use onegrid_core::wire::transfer::{
    GENERATION_HEADER, MEDIA_UPLOAD, NeededAnswer, NeededRequest, REQUEST_HEADERS, TUS_RESUMABLE,
    TUS_VERSION, UPLOAD_LENGTH, UPLOAD_OFFSET, answer_lines, request_lines,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::node::Node;
use super::patience::Pace;
use super::peer::Caller;
use super::routes::tags;
use super::seats::Seat;
use super::shell::Place;
use crate::blobs::{Blobs, Download, Progress, Receiver, Resumption, Turn};
use crate::error::{Problem, Result};
use crate::limits::{ANSWER_SILENCE_MAX, DOWNLOAD_PIECES_A_LOOK, UPLOAD_PIECE_BYTES};
use crate::store::AttachmentKey;

/// Header with the versions of tus that the server speaks.
pub(super) const TUS_VERSIONS: &str = "tus-version";

/// Routes that last as long as bytes flow.
pub fn transfers(node: Node) -> Router {
    let one = format!("{ATTACHMENTS_PATH}/{{record}}/{{id}}");
    Router::new()
        .route(
            &one,
            get(read)
                .post(create)
                .head(progress)
                .patch(append)
                .delete(end)
                .options(abilities),
        )
        .layer(from_fn_with_state(node.clone(), mark))
        .with_state(node)
}

/// A request about one file with a right session and code.
struct Asked {
    known: Known,
    key: AttachmentKey,
    headers: HeaderMap,
}

impl Asked {
    /// The names of the upload that the request is about.
    const fn upload(&self) -> (DeviceId, AttachmentKey) {
        (self.known.device(), self.key)
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        number(&self.headers, name)
    }
}

impl FromRequestParts<Node> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Node) -> Result<Self> {
        let named = Path::<(String, String)>::from_request_parts(parts, node).await;
        let headers = std::mem::take(&mut parts.headers);
        let lines = lines_of(&headers)?;
        let request = (parts.method.as_str(), parts.uri.path());
        let known = node.known(&headers, request, lines).await?;
        // Ranges are of HTTP, so any of its clients may read.
        if parts.method != Method::GET {
            check_version(&headers)?;
        }
        let named = named
            .ok()
            .and_then(|Path((record, id))| named_key(&record, &id));
        let key = named.ok_or_else(|| Problem::new("attachment.absent"))?;
        Ok(Self {
            known,
            key,
            headers,
        })
    }
}

/// The session and the code of a request, both right.
struct Known {
    session: Session,
    tag: RequestTag,
    generation: u32,
}

impl Known {
    const fn device(&self) -> DeviceId {
        self.session.device
    }

    /// An answer whose code covers its status and headers.
    fn answer(
        &self,
        status: StatusCode,
        headers: &[(&'static str, String)],
        body: Body,
    ) -> Result<Response> {
        let generation = self.generation.to_string();
        let value = |name: &str| {
            if name == GENERATION_HEADER {
                return Some(generation.as_str());
            }
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        let covered = answer_lines(status.as_u16(), value);
        let mac = self.session.answer_mac(&self.tag.mac, &covered);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let extra = [(GENERATION_HEADER, generation.clone()), (MAC_HEADER, mac)];
        for (name, value) in headers.iter().chain(&extra) {
            let value = HeaderValue::try_from(value.as_str())
                .map_err(|error| Problem::new("server.internal").because(&error))?;
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        Ok(response)
    }

    fn standing(&self, status: StatusCode, progress: &Progress) -> Result<Response> {
        let headers = [
            (UPLOAD_OFFSET, progress.offset.to_string()),
            (UPLOAD_LENGTH, progress.bytes.to_string()),
            ("cache-control", "no-store".to_owned()),
        ];
        self.answer(status, &headers, Body::empty())
    }
}

/// Adds the version of tus to every answer, and counts refusals.
async fn mark(State(node): State<Node>, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions().get::<Problem>() {
        node.0.meters.transfer_refused(problem.code());
    }
    let version = HeaderValue::from_static(TUS_VERSION);
    let is_other = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(TUS_RESUMABLE), version.clone());
    if is_other {
        headers.insert(HeaderName::from_static(TUS_VERSIONS), version);
    }
    response
}

/// Tells a client of tus what this server can do. It says nothing about files, so it asks for no session.
async fn abilities() -> Response {
    let most = ATTACHMENT_BYTES_MAX.to_string();
    let headers = [
        (TUS_VERSIONS, TUS_VERSION),
        ("tus-extension", "creation,termination"),
        ("tus-max-size", most.as_str()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn create(State(node): State<Node>, asked: Asked) -> Result<Response> {
    let bytes = asked.number(UPLOAD_LENGTH)?.ok_or_else(malformed)?;
    if bytes > ATTACHMENT_BYTES_MAX as u64 {
        return Err(Problem::new("http.too_large").with("max", ATTACHMENT_BYTES_MAX));
    }
    let (device, key) = asked.upload();
    let progress = node
        .in_turn(&asked, move |blobs| {
            blobs.begin(device, key, bytes, now_ms())
        })
        .await?;
    node.0.meters.stored(progress.is_new);
    let mut response = asked.known.standing(StatusCode::CREATED, &progress)?;
    let location = HeaderValue::try_from(attachment_path(key.record, key.id))
        .map_err(|error| Problem::new("server.internal").because(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn progress(State(node): State<Node>, asked: Asked) -> Result<Response> {
    let (device, key) = asked.upload();
    let progress = node
        .in_turn(&asked, move |blobs| blobs.progress(device, key, now_ms()))
        .await?;
    node.0.meters.stored(progress.is_new);
    asked.known.standing(StatusCode::OK, &progress)
}

async fn end(State(node): State<Node>, asked: Asked) -> Result<Response> {
    let (device, key) = asked.upload();
    node.in_turn(&asked, move |blobs| blobs.end(device, key))
        .await?;
    asked
        .known
        .answer(StatusCode::NO_CONTENT, &[], Body::empty())
}

async fn append(State(node): State<Node>, asked: Asked, body: Body) -> Result<Response> {
    if one(&asked.headers, "content-type")? != Some(MEDIA_UPLOAD) {
        return Err(Problem::new("http.media_type"));
    }
    let offset = asked.number(UPLOAD_OFFSET)?.ok_or_else(malformed)?;
    let announced = asked.number("content-length")?;
    let (device, key) = asked.upload();
    let known = asked.known;
    let seat = node.0.transfers.take(device)?;
    let turn = node.0.blobs.take_turn(device, key).await?;
    let (resumed, turn) = node
        .with_blobs(move |blobs| {
            let resumed = blobs.resume(device, key, offset, announced, now_ms())?;
            Ok((resumed, turn))
        })
        .await?;
    let receiver = match resumed {
        Resumption::Whole(progress) => return known.standing(StatusCode::NO_CONTENT, &progress),
        Resumption::Open(receiver) => receiver,
    };
    let incoming = Incoming {
        node,
        receiver: Some(receiver),
        body,
        _seat: seat,
    };
    // The connection may break, and with it this future. The task saves the bytes that have come.
    let received = tokio::spawn(incoming.run(turn, device, key)).await;
    match received {
        Ok(progress) => known.standing(StatusCode::NO_CONTENT, &progress?),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Problem::new("server.stopping")),
        },
    }
}

/// The body of an upload on its way to the disk.
struct Incoming {
    node: Node,
    /// Absent only while a worker writes with it.
    receiver: Option<Receiver>,
    body: Body,
    _seat: Seat<DeviceId>,
}

impl Incoming {
    async fn run(mut self, turn: Turn, device: DeviceId, key: AttachmentKey) -> Result<Progress> {
        let before = self.receiver()?.durable();
        let received = self.receive(&turn).await;
        let saved = self
            .on_disk(|blobs, receiver| blobs.save(receiver, now_ms()))
            .await;
        let receiver = self.receiver()?;
        let progress = receiver.progress();
        self.node
            .0
            .meters
            .transferred("up", progress.offset.saturating_sub(before));
        received?;
        saved?;
        if progress.offset < progress.bytes {
            return Ok(progress);
        }
        let finished = self
            .node
            .check_blobs(move |blobs| blobs.finish(device, key, now_ms()))
            .await?;
        self.node.0.meters.stored(finished.is_new);
        Ok(finished)
    }

    /// Receives until the body ends. Small parts are joined, so that the disk gets pieces.
    async fn receive(&mut self, turn: &Turn) -> Result<()> {
        let body = std::mem::replace(&mut self.body, Body::empty());
        let mut parts = body.into_data_stream();
        let mut piece: Vec<u8> = Vec::with_capacity(UPLOAD_PIECE_BYTES);
        let shutdown = self.node.0.shutdown.clone();
        let mut clock = Pace::of_transfers().start();
        let ended = loop {
            let part = tokio::select! {
                part = clock.wait(parts.next()) => part,
                () = turn.taken_over() => break Err(Problem::new("attachment.locked")),
                () = shutdown.wait() => break Err(Problem::new("server.stopping")),
            };
            match part {
                Err(problem) => break Err(problem),
                Ok(None) => break Ok(()),
                Ok(Some(Err(error))) => {
                    break Err(Problem::new("http.bad_request").because(&error));
                }
                Ok(Some(Ok(part))) => {
                    clock.arrived(part.len());
                    for part in part.chunks(UPLOAD_PIECE_BYTES) {
                        if piece.len() + part.len() > UPLOAD_PIECE_BYTES {
                            self.write(&mut piece).await?;
                        }
                        piece.extend_from_slice(part);
                    }
                }
            }
        };
        self.write(&mut piece).await?;
        ended
    }

    async fn write(&mut self, piece: &mut Vec<u8>) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(piece, Vec::with_capacity(UPLOAD_PIECE_BYTES));
        self.on_disk(move |blobs, receiver| blobs.write(receiver, &bytes, now_ms()))
            .await
    }

    async fn on_disk(
        &mut self,
        work: impl FnOnce(&Blobs, &mut Receiver) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let mut receiver = self.receiver.take().ok_or_else(stopping)?;
        let (receiver, done) = self
            .node
            .with_blobs(move |blobs| {
                let done = work(blobs, &mut receiver);
                Ok((receiver, done))
            })
            .await?;
        self.receiver = Some(receiver);
        done
    }

    fn receiver(&self) -> Result<&Receiver> {
        self.receiver.as_ref().ok_or_else(stopping)
    }
}

fn stopping() -> Problem {
    Problem::new("server.stopping")
}

async fn read(State(node): State<Node>, asked: Asked) -> Result<Response> {
    let (device, key) = asked.upload();
    let seat = node.0.transfers.take(device)?;
    let download = node
        .with_blobs(move |blobs| blobs.open_file(device, key, now_ms()))
        .await?;
    let (all, media) = (download.bytes, download.media);
    let wanted = one(&asked.headers, "range")?.and_then(range_of);
    let (status, first, last) = match wanted {
        None => (StatusCode::OK, 0, all.saturating_sub(1)),
        Some((first, last)) if first < all => {
            let last = last.unwrap_or(u64::MAX).min(all - 1);
            (StatusCode::PARTIAL_CONTENT, first, last)
        }
        Some(_) => return Err(Problem::new("attachment.range")),
    };
    let mut headers = vec![
        ("accept-ranges", "bytes".to_owned()),
        ("cache-control", "private, no-store".to_owned()),
        ("content-disposition", "attachment".to_owned()),
        ("content-length", (last - first + 1).to_string()),
        ("content-type", media.name().to_owned()),
        ("etag", format!("\"{}\"", key.id)),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{last}/{all}");
        headers.push(("content-range", range));
    }
    let mut outgoing = Outgoing {
        node,
        download: Some(download),
        device,
        key,
        at: first,
        end: last + 1,
        first: None,
        _seat: seat,
    };
    // A disk that does not give the file is a refusal, and no body that ends early.
    outgoing.first = Some(outgoing.piece(0).await?);
    asked.known.answer(status, &headers, outgoing.into_body())
}

/// A file on its way to a reader.
struct Outgoing {
    node: Node,
    /// Absent only while a worker reads from it.
    download: Option<Download>,
    device: DeviceId,
    key: AttachmentKey,
    at: u64,
    end: u64,
    /// The piece that was read before the head of the answer left.
    first: Option<Vec<u8>>,
    _seat: Seat<DeviceId>,
}

impl Outgoing {
    /// Sends the pieces through a channel, so that a reader that falls silent gives its place back.
    fn into_body(self) -> Body {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.run(sender));
        Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        }))
    }

    async fn run(mut self, sender: mpsc::Sender<std::io::Result<Vec<u8>>>) {
        let mut pieces = 0;
        while self.at < self.end {
            let piece = match self.first.take() {
                Some(first) => Ok(first),
                None => self.piece(pieces).await,
            };
            pieces += 1;
            let piece = piece.map_err(|problem| {
                problem.log();
                // The body ends early, and with it the connection.
                std::io::Error::other(problem.code())
            });
            let (bytes, is_last) = match &piece {
                Ok(piece) => (piece.len() as u64, false),
                Err(_) => (0, true),
            };
            let shutdown = self.node.0.shutdown.clone();
            let sent = tokio::select! {
                sent = timeout(ANSWER_SILENCE_MAX, sender.send(piece)) => sent,
                () = shutdown.wait() => return,
            };
            if is_last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
            self.at += bytes;
            self.node.0.meters.transferred("down", bytes);
        }
    }

    async fn piece(&mut self, number: u64) -> Result<Vec<u8>> {
        let (device, key, at) = (self.device, self.key, self.at);
        let left = usize::try_from(self.end - at).unwrap_or(UPLOAD_PIECE_BYTES);
        let bytes = left.min(UPLOAD_PIECE_BYTES);
        let looks = number > 0 && number.is_multiple_of(DOWNLOAD_PIECES_A_LOOK);
        let mut download = self.download.take().ok_or_else(stopping)?;
        let (download, piece) = self
            .node
            .with_blobs(move |blobs| {
                if looks {
                    blobs.look_again(device, key, now_ms())?;
                }
                let piece = download.read(at, bytes)?;
                Ok((download, piece))
            })
            .await?;
        self.download = Some(download);
        Ok(piece)
    }
}

/// Names the files that the server lacks. The body is short, so the usual limits of time and size are around it.
pub(super) async fn needed(
    State(node): State<Node>,
    Extension(from): Extension<(Caller, Place)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let (session, mac) = tags(&headers)?;
    if let Err(problem) = node.claimed(&session, &mac).await {
        return Ok(node.refuse(from, body, NEEDED_BYTES_MAX, problem).await);
    }
    let held = node.0.bodies.read(&headers, body, NEEDED_BYTES_MAX).await?;
    let request = ("POST", ATTACHMENTS_NEEDED_PATH);
    let known = node.known(&headers, request, held.bytes.clone()).await?;
    let asked =
        NeededRequest::from_bytes(&held.bytes).ok_or_else(|| Problem::new("wire.damaged"))?;
    let (device, generation) = (known.device(), known.generation);
    let keys: Vec<AttachmentKey> = asked
        .files
        .iter()
        .map(|file| AttachmentKey {
            record: file.record,
            id: file.id,
        })
        .collect();
    let places = node
        .with_blobs(move |blobs| blobs.needed(device, &keys, now_ms()))
        .await?;
    let answer = NeededAnswer { generation, places }.to_bytes();
    let mac = known.session.answer_mac(&known.tag.mac, &answer);
    let headers = [
        (header::CONTENT_TYPE, MEDIA_CBOR.to_owned()),
        (HeaderName::from_static(MAC_HEADER), mac),
    ];
    Ok((headers, answer).into_response())
}

impl Node {
    /// Authenticates a request. `covered` stands for its body.
    async fn known(
        &self,
        headers: &HeaderMap,
        (method, path): (&str, &str),
        covered: Vec<u8>,
    ) -> Result<Known> {
        let (session, mac) = tags(headers)?;
        let (method, path) = (method.to_owned(), path.to_owned());
        let inner = Arc::clone(&self.0);
        self.work(move |server| {
            let now_ms = now_ms();
            let request = (method.as_str(), path.as_str());
            let (session, tag) =
                server.authenticate((&session, &mac), request, &covered, now_ms)?;
            inner.by_device.take(session.device, now_ms)?;
            Ok(Known {
                session,
                tag,
                generation: server.generation()?,
            })
        })
        .await
    }

    /// Works in the turn of a request. The work may outlive its request, so it holds the turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        asked: &Asked,
        work: impl FnOnce(&Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (device, key) = asked.upload();
        let turn = self.0.blobs.take_turn(device, key).await?;
        let is_unchecked = self
            .with_blobs(move |blobs| blobs.is_unchecked(device, key))
            .await?;
        let work = move |blobs: &Blobs| {
            let done = work(blobs);
            drop(turn);
            done
        };
        if is_unchecked {
            self.check_blobs(work).await
        } else {
            self.with_blobs(work).await
        }
    }

    async fn with_blobs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let blobs = Arc::clone(&self.0.blobs);
        self.work(move |_| work(&blobs)).await
    }

    /// Works on a file whose bytes are checked; such work waits for another check.
    async fn check_blobs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let blobs = Arc::clone(&self.0.blobs);
        self.check(move |_| work(&blobs)).await
    }
}

fn malformed() -> Problem {
    Problem::new("http.bad_request")
}

fn check_version(headers: &HeaderMap) -> Result<()> {
    if one(headers, TUS_RESUMABLE)? == Some(TUS_VERSION) {
        Ok(())
    } else {
        Err(Problem::new("attachment.tus_version"))
    }
}

/// The lines that the code of a request covers.
fn lines_of(headers: &HeaderMap) -> Result<Vec<u8>> {
    for name in REQUEST_HEADERS {
        one(headers, name)?;
    }
    Ok(request_lines(|name| headers.get(name)?.to_str().ok()))
}

/// The value of a header that may stand once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(malformed());
    }
    value
        .map(|value| value.to_str().map_err(|_| malformed()))
        .transpose()
}

fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>> {
    let digits = |value: &str| {
        let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| value.parse().ok()).flatten()
    };
    let value = one(headers, name)?;
    value
        .map(|value| digits(value).ok_or_else(malformed))
        .transpose()
}

/// Reads record and id in their one spelling, because the code of a request covers the path as it is written.
fn named_key(record: &str, id: &str) -> Option<AttachmentKey> {
    let key = AttachmentKey {
        record: record.parse::<RecordId>().ok()?,
        id: id.parse::<Hash>().ok()?,
    };
    (key.record.to_string() == record).then_some(key)
}

/// Reads a single range with a beginning. Other forms are ignored, as HTTP allows, so the whole file is sent.
fn range_of(value: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let first = first.parse().ok()?;
    let last: Option<u64> = match last {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    last.is_none_or(|last| last >= first)
        .then_some((first, last))
}

#[cfg(test)]
mod tests;
