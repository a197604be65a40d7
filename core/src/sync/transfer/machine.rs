//! The transfer of the files of one phone: it chooses the next request and acts on each answer.

use std::collections::{BTreeSet, VecDeque};

use rand_core::CryptoRng;

use super::message::{FileAnswer, FileRequest, RETRY_AFTER};
use super::pieces::Pieces;
use super::rate::{FilesProgress, Rate};
use super::refusal::{Kind, Meaning, meaning};
use super::rests::{Rests, rest_ms};
use crate::limits::{NEEDED_MAX, RETRY_MS_CUT, STALE_CONNECTIONS_MAX};
use crate::sync::answer::AnswerError;
use crate::sync::channel::Channel;
use crate::sync::file_port::{Download, FilePort, Giver, Upload};
use crate::sync::paths::{ATTACHMENTS_NEEDED_PATH, MEDIA_CBOR, attachment_path};
use crate::sync::pause::{Pause, by_chance};
use crate::sync::port::PortError;
use crate::sync::star::problem_code;
use crate::sync::star_error::SyncError;
use crate::trust::request_mac::{MAC_HEADER, RequestMac, SESSION_HEADER};
use crate::trust::session::SessionError;
use crate::wire::transfer::{
    FileName, GENERATION_HEADER, MEDIA_UPLOAD, NeededAnswer, NeededRequest, TUS_RESUMABLE,
    TUS_VERSION, UPLOAD_LENGTH, UPLOAD_OFFSET, answer_lines, request_lines,
};

const CONTENT_LENGTH: &str = "content-length";
const CONTENT_TYPE: &str = "content-type";
const RANGE: &str = "range";
/// Code of the replica for a sealed file that is damaged or gone.
const UNREADABLE: &str = "media.unreadable";
/// Code of the replica for a disk that fails.
const STORAGE: &str = "replica.storage";

/// Why records are synced before the next file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncCause {
    /// There is no open session.
    NoSession,
    /// The server does not know the session any more, so the star forgets it first.
    SessionRefused,
    /// The server lacks the description of a file.
    Description,
    /// The server has another generation than the replica.
    Generation,
}

/// The next action of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this. Then call [`Transfer::received`], or for a successful download [`Transfer::opened`],
    /// [`Transfer::arrived`] and [`Transfer::ended`], or [`Transfer::failed`].
    Send(FileRequest),
    /// An answer is awaited.
    Awaiting,
    /// Run the star session to its end, then come back.
    Sync(SyncCause),
    /// Come back at this time (milliseconds UTC).
    Wait {
        /// Time to come back at, milliseconds UTC.
        until_ms: i64,
    },
    /// There is nothing to transfer now.
    Done,
}

/// A request about a file that waits for its answer.
#[derive(Debug)]
struct Sent {
    ask: Ask,
    mac: RequestMac,
    at_ms: i64,
}

#[derive(Debug)]
enum Ask {
    Needed(Vec<FileName>),
    Begin,
    Look,
    Piece { offset: u64, bytes: u64 },
    Confirm(FileName),
    Fetch(Fetch),
}

/// A part of a file on its way to the phone.
#[derive(Debug)]
struct Fetch {
    download: Download,
    /// Bytes that are here.
    at: u64,
    /// End of the part that was asked for.
    end: u64,
    /// The generation of the server that sends it; 0 before the head of the answer.
    generation: u32,
    measured_ms: i64,
}

/// The upload under way.
#[derive(Debug)]
struct Current {
    upload: Upload,
    next: Next,
    /// Bytes that the server is known to have.
    known: u64,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Begin,
    Look,
    Piece { offset: u64 },
}

/// The facts of an answer whose code is right.
struct Proof {
    generation: u32,
    offset: Option<u64>,
    length: Option<u64>,
}

/// The transfer of the files of one phone.
#[derive(Debug, Default)]
pub struct Transfer {
    sent: Option<Sent>,
    upload: Option<Current>,
    /// The generation in which the server was asked which files it lacks, and the last file that was named.
    asked: Option<(u32, Option<FileName>)>,
    all_asked: bool,
    /// Held files that the server does not know. It is asked again after their rest, because another phone may give
    /// their description back meanwhile.
    absent: BTreeSet<FileName>,
    /// Files that the server seems to have, for a receipt.
    confirming: VecDeque<FileName>,
    up: Pieces,
    down: Pieces,
    rests: Rests,
    rate: Rate,
    pause: Pause,
    hold_up: Pause,
    hold_down: Pause,
    /// The question was refused.
    hold_question: Pause,
    due: Option<SyncCause>,
    /// Requests in a row that brought nothing and were made again at once.
    stale: u32,
    trouble: Option<String>,
    hold_code: Option<String>,
}

/// A session is opened only for a reason, because a phone without files has none.
fn without_session(port: &dyn FilePort) -> Result<Step, PortError> {
    let left = port.files_left()?;
    let is_idle = left.uploads + left.downloads == 0;
    Ok(if is_idle {
        Step::Done
    } else {
        Step::Sync(SyncCause::NoSession)
    })
}

impl Transfer {
    /// Returns the next action of the caller. `channel` is the open session of the star, if there is one.
    pub fn next(
        &mut self,
        port: &mut dyn FilePort,
        channel: Option<Channel<'_>>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Step, SyncError> {
        if self.sent.is_some() {
            return Ok(Step::Awaiting);
        }
        if let Some(until_ms) = self.pause.until(now_ms) {
            return Ok(Step::Wait { until_ms });
        }
        if let Some(cause) = self.due.take() {
            return Ok(Step::Sync(cause));
        }
        let step = match channel {
            None => without_session(port),
            Some(mut channel) => match self.choose(port, channel.generation(), now_ms) {
                Ok(Some((ask, body))) => {
                    Ok(Step::Send(self.request(ask, body, &mut channel, now_ms)))
                }
                Ok(None) => self.idle(port, now_ms),
                Err(error) => Err(error),
            },
        };
        step.map_err(|error| {
            self.pause.grow(now_ms, rng);
            error.into()
        })
    }

    /// Acts on the answer to a request, also on a refused download. An error describes the fault; nothing
    /// of such an answer was used.
    pub fn received(
        &mut self,
        port: &mut dyn FilePort,
        channel: Option<Channel<'_>>,
        answer: FileAnswer<'_>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), SyncError> {
        let Some(sent) = self.sent.take() else {
            return Err(SyncError::Unasked);
        };
        if !answer.is_success() {
            return Err(self.refused(port, sent.ask, answer, now_ms, rng));
        }
        let acted = match &sent.ask {
            Ask::Needed(files) => self.needed(port, files, &sent, channel, answer, now_ms),
            _ => match proof(&sent.mac, channel, answer) {
                Ok(proof) => self.answered(port, &sent, &proof, now_ms),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = &acted {
            self.note_generation(error);
            self.put_back(&sent.ask);
            self.pause.grow(now_ms, rng);
        }
        acted
    }

    /// Acts on the head of a successful answer to a download. After an error its body is not to be used.
    pub fn opened(
        &mut self,
        port: &mut dyn FilePort,
        channel: Option<Channel<'_>>,
        head: FileAnswer<'_>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), SyncError> {
        let Some(Sent {
            ask: Ask::Fetch(fetch),
            mac,
            ..
        }) = &mut self.sent
        else {
            return Err(SyncError::Unasked);
        };
        match proof(mac, channel, head) {
            Ok(proof) => {
                if let Some(end) = end_of_part(&head, fetch) {
                    (fetch.generation, fetch.end) = (proof.generation, end);
                    return Ok(());
                }
                // The description tells another length than the server. Another description may tell the right one;
                // otherwise this file rests and the others continue.
                let name = fetch.download.name;
                let shown = head.range().map(|(_, _, all)| all);
                let shown = shown.filter(|all| *all != fetch.download.bytes);
                self.sent = None;
                let has_other = match shown {
                    Some(all) => port.other_length(&name, Giver::Server, Some(all)),
                    None => Ok(false),
                };
                match has_other {
                    Ok(true) => {
                        self.rests.fault(&name, now_ms);
                    }
                    Ok(false) => self.rests.rest(&name, now_ms),
                    Err(error) if is_of_file(error) => self.rests.rest(&name, now_ms),
                    Err(error) => {
                        self.pause.grow(now_ms, rng);
                        return Err(error.into());
                    }
                }
                Err(AnswerError::Contradiction.into())
            }
            Err(error) => {
                self.note_generation(&error);
                self.give_up();
                self.pause.grow(now_ms, rng);
                Err(error)
            }
        }
    }

    /// Keeps bytes of the download under way. After an error the rest of the body is not to be used.
    pub fn arrived(
        &mut self,
        port: &mut dyn FilePort,
        bytes: &[u8],
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), SyncError> {
        let Some(Sent {
            ask: Ask::Fetch(fetch),
            ..
        }) = &mut self.sent
        else {
            return Err(SyncError::Unasked);
        };
        let after = fetch.at + bytes.len() as u64;
        if fetch.generation == 0 || after > fetch.end {
            self.give_up();
            self.pause.grow(now_ms, rng);
            return Err(AnswerError::Contradiction.into());
        }
        let name = fetch.download.name;
        match port.arrived(&name, Giver::Server, fetch.at, bytes) {
            Ok(()) => {
                self.rate
                    .moved(fetch.measured_ms, now_ms, bytes.len() as u64);
                (fetch.at, fetch.measured_ms) = (after, now_ms);
                self.rests.moved(&name);
                self.progressed();
                Ok(())
            }
            Err(error) => {
                self.sent = None;
                if error.code == "media.disk_full" {
                    self.hold_down.grow(now_ms, rng);
                    self.hold_code = Some(error.code.to_owned());
                } else if is_of_file(error) {
                    self.rests.rest(&name, now_ms);
                } else {
                    if error.code == STORAGE {
                        self.rests.fruitless(&name, now_ms);
                    }
                    self.pause.grow(now_ms, rng);
                }
                Err(error.into())
            }
        }
    }

    /// The body of the download has ended.
    pub fn ended(
        &mut self,
        port: &mut dyn FilePort,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), SyncError> {
        let Some(Sent {
            ask: Ask::Fetch(fetch),
            at_ms,
            ..
        }) = self.sent.take()
        else {
            return Err(SyncError::Unasked);
        };
        if fetch.at < fetch.end {
            if fetch.at == fetch.download.offset {
                self.rests.fruitless(&fetch.download.name, now_ms);
            }
            // The right to read it may be gone; the next answer tells.
            self.pause.grow(now_ms, rng);
            return Err(AnswerError::Contradiction.into());
        }
        let bytes = fetch.end.saturating_sub(fetch.download.offset);
        self.down.done(bytes, now_ms.saturating_sub(at_ms));
        self.hold_down.reset();
        if fetch.at < fetch.download.bytes {
            return Ok(());
        }
        let generation = Some(fetch.generation);
        let completed = self.complete(port, &fetch.download.name, generation, now_ms);
        if completed.is_err() {
            self.pause.grow(now_ms, rng);
        }
        Ok(completed?)
    }

    /// No answer arrived for a request that was on its way. If requests succeeded before, the line was only cut,
    /// so the first wait is short. A download rests after some answers in a row that ended before their first byte.
    pub fn failed(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        let is_first = self.pause.failures() == 0;
        if let Some(Sent {
            ask: Ask::Fetch(fetch),
            ..
        }) = &self.sent
            && fetch.at == fetch.download.offset
        {
            self.down.lost();
            if fetch.generation > 0 {
                self.rests.fruitless(&fetch.download.name, now_ms);
            }
        }
        self.unreached(now_ms, rng);
        if is_first {
            self.pause.wait(by_chance(RETRY_MS_CUT, rng), now_ms);
        }
    }

    /// No request left the phone, because there was no connection.
    pub fn unreached(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.trouble = None;
        self.give_up();
        self.pause.grow(now_ms, rng);
    }

    /// The request met a connection that the server had closed before. It is made again at once, a few times.
    pub fn stale(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.give_up();
        if !self.may_repeat() {
            self.pause.grow(now_ms, rng);
        }
    }

    /// Records go before the request that is under way: it is given up without a pause, and the next pieces are
    /// half as large.
    pub fn overtaken(&mut self) {
        match self.sent.as_ref().map(|sent| &sent.ask) {
            Some(Ask::Piece { .. }) => self.up.lost(),
            Some(Ask::Fetch(_)) => self.down.lost(),
            _ => {}
        }
        self.give_up();
    }

    /// Begins anew for the next caller. A pause ends, and an answer that is still awaited is given up without blame
    /// for the line.
    pub fn begin(&mut self) {
        self.give_up();
        self.pause.wake();
    }

    /// Caps the pieces that follow at this number of bytes.
    pub fn cap_piece(&mut self, bytes_max: Option<u64>) {
        self.up.cap(bytes_max);
        self.down.cap(bytes_max);
    }

    /// Files and bytes that are left, and the minutes that they take.
    pub fn left(&self, port: &dyn FilePort, now_ms: i64) -> Result<FilesProgress, PortError> {
        let left = port.files_left()?;
        let sent = self.upload.as_ref().map_or(0, |current| current.known);
        let bytes_left = left.upload_bytes.saturating_sub(sent) + left.download_bytes;
        Ok(FilesProgress {
            files_left: left.uploads + left.downloads,
            bytes_left,
            minutes_left: self.rate.minutes(bytes_left, now_ms),
        })
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        self.sent.is_some()
    }

    /// The stable code of the last refusal that made files wait; `None` since something succeeded.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// All transfers wait now: tells until when a direction is held.
    fn idle(&mut self, port: &dyn FilePort, now_ms: i64) -> Result<Step, PortError> {
        let left = port.files_left()?;
        let up = self.hold_up.until(now_ms).filter(|_| left.uploads > 0);
        let down = self.hold_down.until(now_ms).filter(|_| left.downloads > 0);
        let until_ms = up.into_iter().chain(down).min();
        if until_ms.is_some() {
            self.trouble.clone_from(&self.hold_code);
        }
        Ok(until_ms.map_or(Step::Done, |until_ms| Step::Wait { until_ms }))
    }

    /// The next request in the order of the module, with its body.
    fn choose(
        &mut self,
        port: &mut dyn FilePort,
        generation: u32,
        now_ms: i64,
    ) -> Result<Option<(Ask, Vec<u8>)>, PortError> {
        if let Some(files) = self.question(port, generation, now_ms)? {
            let body = NeededRequest {
                files: files.clone(),
            }
            .to_bytes();
            return Ok(Some((Ask::Needed(files), body)));
        }
        if self.hold_up.until(now_ms).is_none()
            && let Some(chosen) = self.upload_request(port, now_ms)?
        {
            return Ok(Some(chosen));
        }
        if self.hold_down.until(now_ms).is_none()
            && let Some(fetch) = self.fetch(port, now_ms)?
        {
            return Ok(Some((Ask::Fetch(fetch), Vec::new())));
        }
        let confirmed = self.confirming.pop_front();
        Ok(confirmed.map(|name| (Ask::Confirm(name), Vec::new())))
    }

    /// The next held files that the server of this generation was not asked about, or that it did not know when it
    /// was asked.
    fn question(
        &mut self,
        port: &dyn FilePort,
        generation: u32,
        now_ms: i64,
    ) -> Result<Option<Vec<FileName>>, PortError> {
        if self.asked.is_none_or(|(asked, _)| asked != generation) {
            self.asked = Some((generation, None));
            self.all_asked = false;
            self.confirming.clear();
            self.absent.clear();
            self.hold_question.reset();
        }
        if self.hold_question.until(now_ms).is_some() {
            return Ok(None);
        }
        if self.all_asked {
            let resting = self.rests.resting(now_ms);
            let absent = self.absent.difference(&resting).take(NEEDED_MAX);
            let files: Vec<FileName> = absent.copied().collect();
            return Ok((!files.is_empty()).then_some(files));
        }
        let after = self.asked.and_then(|(_, after)| after);
        let files = port.unconfirmed(generation, after.as_ref(), NEEDED_MAX)?;
        self.all_asked = files.is_empty();
        Ok((!files.is_empty()).then_some(files))
    }

    fn upload_request(
        &mut self,
        port: &mut dyn FilePort,
        now_ms: i64,
    ) -> Result<Option<(Ask, Vec<u8>)>, PortError> {
        loop {
            if self.upload.is_none() {
                let next = port.next_upload(&self.rests.resting(now_ms))?;
                self.upload = next.map(|upload| Current {
                    upload,
                    next: Next::Begin,
                    known: 0,
                });
            }
            let Some(current) = &self.upload else {
                return Ok(None);
            };
            let Upload { name, bytes } = current.upload;
            let offset = match current.next {
                Next::Begin => return Ok(Some((Ask::Begin, Vec::new()))),
                Next::Look => return Ok(Some((Ask::Look, Vec::new()))),
                Next::Piece { offset } => offset,
            };
            let piece = self.up.bytes().min(bytes.saturating_sub(offset));
            let piece = usize::try_from(piece).unwrap_or(usize::MAX);
            match port.read(&name, offset, piece) {
                Ok(read) if read.len() == piece && piece > 0 => {
                    let bytes = read.len() as u64;
                    return Ok(Some((Ask::Piece { offset, bytes }, read)));
                }
                Err(error) if !is_of_file(error) => return Err(error),
                // No later try reads it, so the person is told.
                Err(error) if error.code == UNREADABLE => {
                    self.upload = None;
                    if !of_file(port.refused(&name, UNREADABLE, now_ms))? {
                        self.rests.rest(&name, now_ms);
                    }
                }
                // The file is gone from here.
                Ok(_) | Err(_) => {
                    self.upload = None;
                    self.rests.rest(&name, now_ms);
                }
            }
        }
    }

    fn fetch(&mut self, port: &mut dyn FilePort, now_ms: i64) -> Result<Option<Fetch>, PortError> {
        loop {
            let Some(download) = port.next_download(&self.rests.resting(now_ms))? else {
                return Ok(None);
            };
            if download.offset < download.bytes {
                let piece = self.down.bytes();
                return Ok(Some(Fetch {
                    at: download.offset,
                    end: download.bytes.min(download.offset.saturating_add(piece)),
                    download,
                    generation: 0,
                    measured_ms: now_ms,
                }));
            }
            // A phone that died before the check makes up for it. The server of that time is not known.
            self.complete(port, &download.name, None, now_ms)?;
        }
    }

    fn complete(
        &mut self,
        port: &mut dyn FilePort,
        name: &FileName,
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<(), PortError> {
        match port.complete(name, Giver::Server, generation, now_ms) {
            Ok(true) => self.rests.clear(name),
            Ok(false) => {
                self.rests.fault(name, now_ms);
            }
            Err(error) if is_of_file(error) => self.rests.rest(name, now_ms),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn request(
        &mut self,
        ask: Ask,
        body: Vec<u8>,
        channel: &mut Channel<'_>,
        now_ms: i64,
    ) -> FileRequest {
        let (method, path, mut headers) = self.head(&ask);
        let covered = match &ask {
            Ask::Needed(_) => body.clone(),
            _ => request_lines(|name| {
                let found = headers.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.as_str())
            }),
        };
        let tag = channel.tag(method, &path, &covered);
        headers.push((SESSION_HEADER, tag.session_header()));
        headers.push((MAC_HEADER, tag.mac_header()));
        self.sent = Some(Sent {
            ask,
            mac: tag.mac,
            at_ms: now_ms,
        });
        FileRequest {
            method,
            path,
            headers,
            body,
        }
    }

    /// Method, path and headers of a request, without those of the session.
    fn head(&self, ask: &Ask) -> (&'static str, String, Vec<(&'static str, String)>) {
        let of = |name: &FileName| attachment_path(name.record, name.id);
        let upload = self.upload.as_ref().map(|current| current.upload);
        let current = || upload.map(|upload| of(&upload.name)).unwrap_or_default();
        let number = |name: &'static str, value: u64| (name, value.to_string());
        let tus = (TUS_RESUMABLE, TUS_VERSION.to_owned());
        match ask {
            Ask::Needed(_) => {
                let media = (CONTENT_TYPE, MEDIA_CBOR.to_owned());
                ("POST", ATTACHMENTS_NEEDED_PATH.to_owned(), vec![media])
            }
            Ask::Begin => {
                let length = upload.map_or(0, |upload| upload.bytes);
                let headers = [number(UPLOAD_LENGTH, length), number(CONTENT_LENGTH, 0)];
                ("POST", current(), [&headers[..], &[tus]].concat())
            }
            Ask::Look => ("HEAD", current(), vec![tus]),
            Ask::Confirm(name) => ("HEAD", of(name), vec![tus]),
            Ask::Piece { offset, bytes } => {
                let headers = [
                    number(UPLOAD_OFFSET, *offset),
                    number(CONTENT_LENGTH, *bytes),
                    (CONTENT_TYPE, MEDIA_UPLOAD.to_owned()),
                    tus,
                ];
                ("PATCH", current(), headers.to_vec())
            }
            Ask::Fetch(fetch) => {
                let range = format!("bytes={}-{}", fetch.at, fetch.end.saturating_sub(1));
                ("GET", of(&fetch.download.name), vec![(RANGE, range)])
            }
        }
    }

    fn needed(
        &mut self,
        port: &mut dyn FilePort,
        files: &[FileName],
        sent: &Sent,
        channel: Option<Channel<'_>>,
        answer: FileAnswer<'_>,
        now_ms: i64,
    ) -> Result<(), SyncError> {
        let channel = channel.ok_or(SessionError::Unknown)?;
        channel.check(&sent.mac, answer.header(MAC_HEADER), answer.body)?;
        let said = NeededAnswer::from_bytes(answer.body).ok_or(AnswerError::Contradiction)?;
        if said.generation != channel.generation() {
            return Err(AnswerError::OlderGeneration.into());
        }
        let mut lacking = Vec::new();
        for place in &said.places {
            let file = usize::try_from(*place).ok().and_then(|at| files.get(at));
            lacking.push(*file.ok_or(AnswerError::Contradiction)?);
        }
        if !lacking.is_empty() {
            port.lacking(&lacking, now_ms)?;
        }
        for file in files {
            self.absent.remove(file);
        }
        for file in &lacking {
            self.rests.clear(file);
        }
        let is_there = |file: &&FileName| !lacking.contains(file);
        self.confirming
            .extend(files.iter().filter(is_there).copied());
        if !self.all_asked {
            self.asked = Some((said.generation, files.last().copied()));
        }
        self.hold_question.reset();
        self.progressed();
        Ok(())
    }

    fn answered(
        &mut self,
        port: &mut dyn FilePort,
        sent: &Sent,
        proof: &Proof,
        now_ms: i64,
    ) -> Result<(), SyncError> {
        let (Some(offset), Some(length)) = (proof.offset, proof.length) else {
            return Err(AnswerError::Contradiction.into());
        };
        if offset > length {
            return Err(AnswerError::Contradiction.into());
        }
        if let Ask::Confirm(name) = &sent.ask {
            if offset == length {
                // A file that has gone from here needs no receipt.
                of_file(port.delivered(name, proof.generation, now_ms))?;
                self.rests.clear(name);
            }
            self.progressed();
            return Ok(());
        }
        let Some(current) = &mut self.upload else {
            return Err(SyncError::Unasked);
        };
        let Upload { name, bytes } = current.upload;
        if length != bytes {
            self.upload = None;
            self.rests.rest(&name, now_ms);
            return Ok(());
        }
        let moved = offset.saturating_sub(current.known);
        if offset == length {
            let is_noted = of_file(port.delivered(&name, proof.generation, now_ms))?;
            self.upload = None;
            if is_noted {
                self.rests.clear(&name);
            } else {
                self.rests.rest(&name, now_ms);
            }
        } else {
            current.known = offset;
            current.next = Next::Piece { offset };
        }
        match sent.ask {
            Ask::Begin => self.progressed(),
            Ask::Piece { bytes, .. } if moved > 0 => {
                self.rests.moved(&name);
                self.rate.moved(sent.at_ms, now_ms, moved);
                self.up.done(bytes, now_ms.saturating_sub(sent.at_ms));
                self.hold_up.reset();
                self.progressed();
            }
            _ if moved > 0 || offset == length => {
                self.rests.moved(&name);
                self.rate.moved(sent.at_ms, now_ms, moved);
                self.progressed();
            }
            // The last piece is lost whole.
            _ => {
                self.up.lost();
                let is_piece = matches!(sent.ask, Ask::Piece { .. });
                let rests = self.rests.fruitless(&name, now_ms);
                if rests || (is_piece && !self.may_repeat()) {
                    self.rest_upload(&name, now_ms);
                }
            }
        }
        Ok(())
    }

    fn refused(
        &mut self,
        port: &mut dyn FilePort,
        ask: Ask,
        answer: FileAnswer<'_>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> SyncError {
        let code = problem_code(answer.body);
        let kind = match &ask {
            Ask::Needed(_) => Kind::Needed,
            Ask::Begin => Kind::Begin,
            Ask::Look | Ask::Confirm(_) => Kind::Look,
            Ask::Piece { .. } => Kind::Piece,
            Ask::Fetch(_) => Kind::Fetch,
        };
        let read = meaning(kind, answer.status, code, answer.number(RETRY_AFTER));
        let acted = match (read, ask) {
            (Meaning::Session, ask) => {
                // The first time a new session is made at once.
                let is_first = self.pause.failures() == 0;
                self.pause.grow(now_ms, rng);
                if is_first {
                    self.pause.wake();
                }
                self.due = Some(SyncCause::SessionRefused);
                self.put_back(&ask);
                Ok(())
            }
            (Meaning::Busy(least_ms), ask) => {
                self.pause.grow(now_ms, rng);
                self.pause.at_least(least_ms, now_ms);
                self.put_back(&ask);
                Ok(())
            }
            // The server has no such file for this phone, so there is no receipt.
            (_, Ask::Confirm(name)) => {
                self.absent.insert(name);
                self.rests.rest(&name, now_ms);
                Ok(())
            }
            // The question must not keep files from being sent.
            (_, Ask::Needed(_)) => {
                let rest_ms = rest_ms(self.hold_question.failures());
                self.hold_question.grow(now_ms, rng);
                self.hold_question.wait(rest_ms, now_ms);
                Ok(())
            }
            (read, Ask::Fetch(fetch)) => self.fetch_refused(port, &fetch, read, now_ms, rng),
            (read, Ask::Begin | Ask::Look | Ask::Piece { .. }) => {
                self.upload_refused(port, read, now_ms, rng)
            }
        };
        self.trouble = Some(code.unwrap_or("sync.refused").to_owned());
        if matches!(read, Meaning::Hold(_)) {
            self.hold_code.clone_from(&self.trouble);
        }
        match acted {
            Ok(()) => SyncError::Refused(code.unwrap_or("sync.refused").to_owned()),
            Err(error) => {
                self.pause.grow(now_ms, rng);
                error.into()
            }
        }
    }

    fn upload_refused(
        &mut self,
        port: &mut dyn FilePort,
        read: Meaning,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), PortError> {
        let Some(current) = &mut self.upload else {
            return Ok(());
        };
        let name = current.upload.name;
        let may_try = match read {
            Meaning::Look(wait_ms) => {
                current.next = Next::Look;
                let may_try = self.may_repeat();
                if may_try {
                    self.pause.at_least(wait_ms, now_ms);
                }
                may_try
            }
            Meaning::Begin | Meaning::Anew => {
                (current.next, current.known) = (Next::Begin, 0);
                self.rests.fault(&name, now_ms)
            }
            Meaning::Describe => {
                let may_try = self.rests.fault(&name, now_ms);
                if may_try {
                    self.due = Some(SyncCause::Description);
                    (current.next, current.known) = (Next::Begin, 0);
                }
                may_try
            }
            Meaning::Hold(least_ms) => {
                self.hold_up.grow(now_ms, rng);
                self.hold_up.at_least(least_ms, now_ms);
                // The server may forget the upload meanwhile.
                current.next = Next::Begin;
                true
            }
            Meaning::Tell(code) => {
                self.upload = None;
                if !of_file(port.refused(&name, code, now_ms))? {
                    self.rests.rest(&name, now_ms);
                }
                return Ok(());
            }
            _ => {
                self.rests.rest(&name, now_ms);
                false
            }
        };
        if !may_try {
            self.rest_upload(&name, now_ms);
        }
        Ok(())
    }

    /// Notes a request that brought nothing. Returns whether it may be made again at once.
    fn may_repeat(&mut self) -> bool {
        self.stale += 1;
        self.stale <= STALE_CONNECTIONS_MAX
    }

    /// The file of the upload under way rests, so the others continue.
    fn rest_upload(&mut self, name: &FileName, now_ms: i64) {
        self.upload = None;
        self.stale = 0;
        if !self.rests.resting(now_ms).contains(name) {
            self.rests.rest(name, now_ms);
        }
    }

    fn fetch_refused(
        &mut self,
        port: &mut dyn FilePort,
        fetch: &Fetch,
        read: Meaning,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), PortError> {
        let name = fetch.download.name;
        match read {
            Meaning::FromStart => {
                // The bytes here are not those of the server.
                if of_file(port.begin_anew(&name))? {
                    self.rests.fault(&name, now_ms);
                } else {
                    self.rests.rest(&name, now_ms);
                }
            }
            Meaning::Hold(least_ms) => {
                self.hold_down.grow(now_ms, rng);
                self.hold_down.at_least(least_ms, now_ms);
            }
            _ => self.rests.rest(&name, now_ms),
        }
        Ok(())
    }

    /// Gives the request up that waits for its answer. The next one asks how far the server is.
    fn give_up(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.put_back(&sent.ask);
        }
    }

    fn put_back(&mut self, ask: &Ask) {
        match ask {
            Ask::Confirm(name) => self.confirming.push_front(*name),
            Ask::Piece { .. } => {
                if let Some(current) = &mut self.upload {
                    current.next = Next::Look;
                }
            }
            Ask::Needed(_) | Ask::Begin | Ask::Look | Ask::Fetch(_) => {}
        }
    }

    fn note_generation(&mut self, error: &SyncError) {
        if matches!(error, SyncError::Answer(AnswerError::OlderGeneration)) {
            self.due = Some(SyncCause::Generation);
        }
    }

    fn progressed(&mut self) {
        self.pause.reset();
        self.stale = 0;
        self.trouble = None;
    }
}

/// Reads an answer, if its code is right and the replica follows its generation.
fn proof(
    mac: &RequestMac,
    channel: Option<Channel<'_>>,
    answer: FileAnswer<'_>,
) -> Result<Proof, SyncError> {
    let channel = channel.ok_or(SessionError::Unknown)?;
    let covered = answer_lines(answer.status, |name| answer.header(name));
    channel.check(mac, answer.header(MAC_HEADER), &covered)?;
    let generation = answer.number(GENERATION_HEADER);
    if generation != Some(u64::from(channel.generation())) {
        return Err(AnswerError::OlderGeneration.into());
    }
    Ok(Proof {
        generation: channel.generation(),
        offset: answer.number(UPLOAD_OFFSET),
        length: answer.number(UPLOAD_LENGTH),
    })
}

/// The end of the part that an answer brings; `None` if it is not the part that was asked for.
fn end_of_part(head: &FileAnswer<'_>, fetch: &Fetch) -> Option<u64> {
    let whole = fetch.download.bytes;
    let (first, end) = match head.range() {
        Some((first, last, all)) if all == whole => (first, last.saturating_add(1)),
        // A server may ignore the range and send the whole file.
        None if head.status == 200 => (0, whole),
        _ => return None,
    };
    (first == fetch.at && end > first && end <= whole).then_some(end)
}

/// Whether a file took it; an error of the replica itself is passed on.
fn of_file(done: Result<(), PortError>) -> Result<bool, PortError> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_of_file(error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an error is about one file, not about the replica.
fn is_of_file(error: PortError) -> bool {
    error.code.starts_with("media.")
}
