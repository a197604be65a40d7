//! Photos between a phone and the server, and the faults of their line.

use onegrid_core::id::DeviceId;
use onegrid_core::limits::ARRIVAL_BYTES_MAX;
use onegrid_core::replica::Replica;
use onegrid_core::sync::paths::{ATTACHMENTS_NEEDED_PATH, ATTACHMENTS_PATH};
use onegrid_core::sync::star::{Star, SyncError};
use onegrid_core::sync::transfer::{FileAnswer, FileRequest, Step, SyncCause, Transfer};
use onegrid_core::trust::request_mac::{MAC_HEADER, SESSION_HEADER};
use onegrid_core::wire::transfer::{
    GENERATION_HEADER, NeededAnswer, NeededRequest, UPLOAD_LENGTH, UPLOAD_OFFSET, answer_lines,
    request_lines,
};
use onegrid_server::blobs::{Blobs, Progress, Resumption};
use onegrid_server::error::Problem;
use onegrid_server::store::AttachmentKey;
use rand_chacha::ChaCha20Rng;

use super::{Phone, Town};

/// The fault of one request about a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFault {
    /// No fault.
    None,
    /// The request never arrives.
    RequestLost,
    /// So many bytes of the body arrive, and no answer.
    Cut(usize),
    /// The server handles the request, and the answer never arrives.
    AnswerLost,
    /// The body of the answer ends after so many bytes.
    CutAnswer(usize),
    /// A bit of a photo is flipped, on its way up or down; an answer without a body loses its code.
    Flip(usize),
    /// The server had closed the connection before.
    Stale,
    /// The server crashes before its answer leaves.
    ServerCrash,
    /// The phone crashes before the answer arrives.
    PhoneCrash,
}

/// The result of one turn of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileTurn {
    /// There is nothing to transfer now.
    Done,
    /// The phone waits until this time of its clock, ms UTC.
    Waits(i64),
    /// Records go first.
    Syncs(SyncCause),
    /// The phone accepted the answer. `moved` says whether a file went further.
    Answered {
        /// Whether a file went further.
        moved: bool,
    },
    /// No answer came.
    Lost,
    /// The request was refused, or its answer was; the code gives the reason.
    Failed(String),
}

/// The answer to a request about a photo, as the network carries it.
pub(super) struct FileReply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

type Success = (u16, Vec<(&'static str, String)>, Vec<u8>);
type Handled<T> = Result<T, Problem>;

impl FileReply {
    /// The answer to a `HEAD` has no body.
    fn refused(problem: &Problem, method: &str) -> Self {
        let code = format!("{{\"code\":\"{}\"}}", problem.code());
        let retry = problem.retry_after_s();
        Self {
            status: problem.class().http_status(),
            headers: retry
                .map(|seconds| ("retry-after", seconds.to_string()))
                .into_iter()
                .collect(),
            body: if method == "HEAD" {
                Vec::new()
            } else {
                code.into_bytes()
            },
        }
    }
}

fn value<'a>(request: &'a FileRequest, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

fn number(request: &FileRequest, name: &str) -> u64 {
    let value = value(request, name).expect("a phone sends this header");
    value.parse().expect("a phone sends a number")
}

fn key_of(path: &str) -> AttachmentKey {
    let named = path.strip_prefix(ATTACHMENTS_PATH).expect("the path");
    let (record, id) = named[1..].split_once('/').expect("record and id");
    AttachmentKey {
        record: record.parse().expect("a record"),
        id: id.parse().expect("an id"),
    }
}

/// The bytes of a whole file that a request wants: from the first to behind the last.
fn range(request: &FileRequest, all: u64) -> (u64, u64) {
    let range = value(request, "range").and_then(|range| range.strip_prefix("bytes="));
    let (first, last) = range
        .and_then(|range| range.split_once('-'))
        .expect("a range");
    let [first, last] = [first, last].map(|text| text.parse().expect("a number"));
    (first, all.min(last + 1))
}

impl Town {
    /// Answers a request about a photo through the functions that HTTP uses. `came` bytes of its
    /// body arrive. `None` if no server runs.
    pub(super) fn file(&self, request: &FileRequest, came: usize) -> Option<FileReply> {
        let server = self.is_up().then(|| self.server())?;
        let is_question = request.path == ATTACHMENTS_NEEDED_PATH;
        let covered = if is_question {
            request.body.clone()
        } else {
            request_lines(|name| value(request, name))
        };
        let header = |name| value(request, name).unwrap_or_default();
        let tags = (header(SESSION_HEADER), header(MAC_HEADER));
        let named = (request.method, request.path.as_str());
        let answered = server
            .authenticate(tags, named, &covered, self.now_ms)
            .and_then(|known| {
                let generation = server.generation()?;
                let success = if is_question {
                    self.question(known.0.device, request, generation)?
                } else {
                    self.about(known.0.device, request, came)?
                };
                Ok((known, generation, success))
            });
        let (session, tag, generation, (status, mut headers, body)) = match answered {
            Ok(((session, tag), generation, success)) => (session, tag, generation, success),
            Err(problem) => return Some(FileReply::refused(&problem, request.method)),
        };
        let covered = if is_question {
            body.clone()
        } else {
            headers.push((GENERATION_HEADER, generation.to_string()));
            answer_lines(status, |name| {
                let found = headers.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.as_str())
            })
        };
        headers.push((MAC_HEADER, session.answer_mac(&tag.mac, &covered)));
        Some(FileReply {
            status,
            headers,
            body,
        })
    }

    fn question(
        &self,
        device: DeviceId,
        request: &FileRequest,
        generation: u32,
    ) -> Handled<Success> {
        let asked = NeededRequest::from_bytes(&request.body);
        let asked = asked.ok_or_else(|| Problem::new("wire.damaged"))?;
        let keys: Vec<AttachmentKey> = asked
            .files
            .iter()
            .map(|file| AttachmentKey {
                record: file.record,
                id: file.id,
            })
            .collect();
        let places = self.blobs().needed(device, &keys, self.now_ms)?;
        let answer = NeededAnswer { generation, places };
        Ok((200, Vec::new(), answer.to_bytes()))
    }

    fn about(&self, device: DeviceId, request: &FileRequest, came: usize) -> Handled<Success> {
        let (blobs, key, now_ms) = (self.blobs(), key_of(&request.path), self.now_ms);
        let standing = |status, progress: &Progress| {
            let headers = vec![
                (UPLOAD_OFFSET, progress.offset.to_string()),
                (UPLOAD_LENGTH, progress.bytes.to_string()),
            ];
            Ok((status, headers, Vec::new()))
        };
        match request.method {
            "POST" => {
                let bytes = number(request, UPLOAD_LENGTH);
                standing(201, &blobs.begin(device, key, bytes, now_ms)?)
            }
            "HEAD" => standing(200, &blobs.progress(device, key, now_ms)?),
            "PATCH" => {
                let progress = appended(blobs, (device, key), request, came, now_ms)?;
                standing(204, &progress)
            }
            "GET" => {
                let mut download = blobs.open_file(device, key, now_ms)?;
                let all = download.bytes;
                let (first, end) = range(request, all);
                if first >= all {
                    return Err(Problem::new("attachment.range"));
                }
                let length = usize::try_from(end - first).expect("a photo fits");
                let body = download.read(first, length)?;
                let range = format!("bytes {first}-{}/{all}", end - 1);
                Ok((206, vec![("content-range", range)], body))
            }
            other => panic!("no such method: {other}"),
        }
    }
}

fn appended(
    blobs: &Blobs,
    (device, key): (DeviceId, AttachmentKey),
    request: &FileRequest,
    came: usize,
    now_ms: i64,
) -> Handled<Progress> {
    let offset = number(request, UPLOAD_OFFSET);
    let announced = Some(number(request, "content-length"));
    let mut receiver = match blobs.resume(device, key, offset, announced, now_ms)? {
        Resumption::Whole(progress) => return Ok(progress),
        Resumption::Open(receiver) => receiver,
    };
    let received = blobs.write(&mut receiver, &request.body[..came], now_ms);
    blobs.save(&mut receiver, now_ms)?;
    received?;
    let progress = receiver.progress();
    if progress.offset < progress.bytes {
        return Ok(progress);
    }
    blobs.finish(device, key, now_ms)
}

impl Phone {
    fn file_parts(&mut self) -> (&mut Replica, &mut Star, &mut Transfer, &mut ChaCha20Rng) {
        let replica = self.replica.as_mut().expect("the phone is on");
        (replica, &mut self.star, &mut self.transfer, &mut self.rng)
    }

    /// Ends the wait of the transfer. A new app has not met any fault yet.
    pub fn begin_files(&mut self, is_new_app: bool) {
        if is_new_app {
            self.transfer = Transfer::default();
        }
        self.transfer.begin();
    }

    /// Runs one step of the transfer with this fault on the line.
    pub fn file_turn(&mut self, town: &mut Town, fault: FileFault) -> FileTurn {
        let now_ms = self.clock_ms(town);
        match self.next_of_files(now_ms) {
            Ok(Step::Send(request)) => self.carry_file(town, &request, fault),
            Ok(Step::Sync(cause)) => {
                if cause == SyncCause::SessionRefused {
                    self.star.forget_session();
                }
                FileTurn::Syncs(cause)
            }
            Ok(Step::Wait { until_ms }) => FileTurn::Waits(until_ms),
            Ok(Step::Done) => FileTurn::Done,
            Ok(Step::Awaiting) => unreachable!("every request is ended by its turn"),
            Err(error) => FileTurn::Failed(error.code().to_owned()),
        }
    }

    fn next_of_files(&mut self, now_ms: i64) -> Result<Step, SyncError> {
        let (replica, star, transfer, rng) = self.file_parts();
        let channel = star.channel(replica, now_ms)?;
        transfer.next(replica, channel, now_ms, rng)
    }

    fn carry_file(&mut self, town: &mut Town, request: &FileRequest, fault: FileFault) -> FileTurn {
        let length = request.body.len();
        let came = match fault {
            FileFault::RequestLost | FileFault::Stale => None,
            FileFault::Cut(at) => (length > 0).then(|| at % length),
            _ => Some(length),
        };
        let flipped = match fault {
            FileFault::Flip(at) if length > 0 => Some(flip(request, at)),
            _ => None,
        };
        let sent = flipped.as_ref().unwrap_or(request);
        let reply = came.and_then(|came| town.file(sent, came));
        let now_ms = self.clock_ms(town);
        match fault {
            FileFault::None | FileFault::CutAnswer(_) | FileFault::Flip(_) => {
                if let Some(reply) = reply {
                    return self.take_file(town, request, reply, fault);
                }
            }
            FileFault::ServerCrash => {
                town.crash_server();
                town.reopen_server();
            }
            FileFault::PhoneCrash => {
                self.crash();
                self.reopen();
                return FileTurn::Lost;
            }
            FileFault::Stale => {
                let (_, _, transfer, rng) = self.file_parts();
                transfer.stale(now_ms, rng);
                return FileTurn::Lost;
            }
            FileFault::RequestLost | FileFault::Cut(_) | FileFault::AnswerLost => {}
        }
        let (_, _, transfer, rng) = self.file_parts();
        transfer.failed(now_ms, rng);
        FileTurn::Lost
    }

    fn take_file(
        &mut self,
        town: &Town,
        request: &FileRequest,
        mut reply: FileReply,
        fault: FileFault,
    ) -> FileTurn {
        let is_success = reply.status < 300;
        let is_download = request.is_download() && is_success;
        if let FileFault::Flip(at) = fault {
            if is_download && !reply.body.is_empty() {
                flip_bit(&mut reply.body, at);
            } else if request.body.is_empty() {
                reply.headers.retain(|(name, _)| *name != MAC_HEADER);
            }
        }
        let end = match fault {
            FileFault::CutAnswer(at) if !reply.body.is_empty() => at % reply.body.len(),
            _ => reply.body.len(),
        };
        let taken = if is_download {
            self.take_download(town, &reply, end)
        } else {
            self.take_answer(town, &reply)
        };
        match taken {
            Ok(true) => FileTurn::Answered {
                moved: is_success
                    && request.path != ATTACHMENTS_NEEDED_PATH
                    && request.method != "HEAD",
            },
            Ok(false) => FileTurn::Lost,
            Err(error) => {
                // As the driver does where the session or the replica is in the way.
                if self.transfer.is_awaiting() {
                    let now_ms = self.clock_ms(town);
                    let (_, _, transfer, rng) = self.file_parts();
                    transfer.unreached(now_ms, rng);
                }
                FileTurn::Failed(error.code().to_owned())
            }
        }
    }

    fn take_answer(&mut self, town: &Town, reply: &FileReply) -> Result<bool, SyncError> {
        let now_ms = self.clock_ms(town);
        let (replica, star, transfer, rng) = self.file_parts();
        let answer = FileAnswer {
            status: reply.status,
            headers: &reply.headers,
            body: &reply.body,
        };
        let channel = star.channel(replica, now_ms)?;
        transfer.received(replica, channel, answer, now_ms, rng)?;
        Ok(true)
    }

    /// Returns whether the answer came to its end.
    fn take_download(
        &mut self,
        town: &Town,
        reply: &FileReply,
        end: usize,
    ) -> Result<bool, SyncError> {
        let now_ms = self.clock_ms(town);
        let (replica, star, transfer, rng) = self.file_parts();
        let head = FileAnswer {
            status: reply.status,
            headers: &reply.headers,
            body: &[],
        };
        let channel = star.channel(replica, now_ms)?;
        transfer.opened(replica, channel, head, now_ms, rng)?;
        for bytes in reply.body[..end].chunks(ARRIVAL_BYTES_MAX) {
            transfer.arrived(replica, bytes, now_ms, rng)?;
        }
        if end < reply.body.len() {
            transfer.failed(now_ms, rng);
            return Ok(false);
        }
        transfer.ended(replica, now_ms, rng)?;
        Ok(true)
    }
}

fn flip(request: &FileRequest, at: usize) -> FileRequest {
    let mut flipped = request.clone();
    flip_bit(&mut flipped.body, at);
    flipped
}

fn flip_bit(bytes: &mut [u8], at: usize) {
    let at = at % (bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
}
