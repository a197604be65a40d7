//! The files of the server in memory, over the protocol of `docs/protocol.md`, “Attachments”.

use std::collections::VecDeque;

use super::*;
use crate::media::attachment_id;
use crate::sync::paths::{ATTACHMENTS_NEEDED_PATH, attachment_path};
use crate::sync::testing::SALT;
use crate::sync::transfer::FileRequest;
use crate::wire::transfer::{
    FileName, GENERATION_HEADER, NeededAnswer, NeededRequest, UPLOAD_LENGTH, UPLOAD_OFFSET,
    answer_lines, request_lines,
};

/// An answer about a file as the network carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileReply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Default)]
pub(crate) struct ServerFiles {
    /// Length of each described file.
    pub(crate) described: BTreeMap<FileName, u64>,
    pub(crate) stored: BTreeMap<FileName, Vec<u8>>,
    pub(crate) uploads: BTreeMap<FileName, Vec<u8>>,
    /// Refusals of the next requests to send or fetch bytes.
    pub(crate) refusals: VecDeque<(u16, &'static str)>,
    /// Refusals of the next questions which files are lacking.
    pub(crate) question_refusals: VecDeque<(u16, &'static str)>,
    /// Pieces are answered, and their bytes are not kept.
    pub(crate) is_forgetful: bool,
    /// All bytes of uploads that came.
    pub(crate) received: u64,
    /// Method and path of each request.
    pub(crate) log: Vec<(&'static str, String)>,
}

type Refusal = (u16, &'static str);
type Success = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn value<'a>(request: &'a FileRequest, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

fn number(request: &FileRequest, name: &str) -> u64 {
    value(request, name).unwrap().parse().unwrap()
}

impl Server {
    pub(crate) fn describe(&mut self, name: FileName, length: usize) {
        self.files.described.insert(name, length as u64);
    }

    /// Answers a request of which `came` bytes of the body arrived; fewer than all are a cut.
    pub(crate) fn file(&mut self, request: &FileRequest, came: usize, now: i64) -> FileReply {
        let log = (request.method, request.path.clone());
        self.files.log.push(log);
        match self.known(request, now) {
            Err(error) => refusal((401, error.code())),
            Ok((session, tag)) => match self.act(request, came) {
                Err(refused) => refusal(refused),
                Ok((status, mut headers, body)) => {
                    let is_needed = request.path == ATTACHMENTS_NEEDED_PATH;
                    let covered = if is_needed {
                        body.clone()
                    } else {
                        headers.push((GENERATION_HEADER, self.generation.to_string()));
                        answer_lines(status, |name| {
                            let found = headers.iter().find(|(known, _)| *known == name);
                            found.map(|(_, value)| value.as_str())
                        })
                    };
                    headers.push((MAC_HEADER, session.answer_mac(&tag.mac, &covered)));
                    FileReply {
                        status,
                        headers,
                        body,
                    }
                }
            },
        }
    }

    fn known(
        &self,
        request: &FileRequest,
        now: i64,
    ) -> Result<(Session, RequestTag), SessionError> {
        let header = |name| value(request, name).unwrap_or_default();
        let tag = RequestTag::parse(header(SESSION_HEADER), header(MAC_HEADER))?;
        let session = self.sessions.get(&tag.session);
        let session = session.ok_or(SessionError::Unknown)?.clone();
        let covered = if request.path == ATTACHMENTS_NEEDED_PATH {
            request.body.clone()
        } else {
            request_lines(|name| value(request, name))
        };
        session.check_request(&tag, request.method, &request.path, &covered, now)?;
        Ok((session, tag))
    }

    fn act(&mut self, request: &FileRequest, came: usize) -> Result<Success, Refusal> {
        let files = &mut self.files;
        if request.path == ATTACHMENTS_NEEDED_PATH {
            if let Some(refused) = files.question_refusals.pop_front() {
                return Err(refused);
            }
            let asked = NeededRequest::from_bytes(&request.body).unwrap();
            let lacks = |name: &FileName| {
                files.described.contains_key(name) && !files.stored.contains_key(name)
            };
            let places = (0..).zip(&asked.files).filter(|(_, name)| lacks(name));
            let answer = NeededAnswer {
                generation: self.generation,
                places: places.map(|(place, _)| place).collect(),
            };
            return Ok((200, Vec::new(), answer.to_bytes()));
        }
        if request.method != "HEAD"
            && let Some(refused) = files.refusals.pop_front()
        {
            return Err(refused);
        }
        let mut described = files.described.iter();
        let found =
            described.find(|(name, _)| attachment_path(name.record, name.id) == request.path);
        let Some((name, length)) = found.map(|(name, length)| (*name, *length)) else {
            return Err((404, "attachment.not_described"));
        };
        match request.method {
            "POST" if number(request, UPLOAD_LENGTH) != length => Err((400, "attachment.length")),
            "POST" => {
                if !files.stored.contains_key(&name) {
                    files.uploads.entry(name).or_default();
                }
                self.standing(201, name, length)
            }
            "HEAD" => self.standing(200, name, length),
            "PATCH" => self.append(request, name, length, came),
            "GET" => self.part(request, name),
            other => panic!("{other}"),
        }
    }

    fn standing(&self, status: u16, name: FileName, length: u64) -> Result<Success, Refusal> {
        let offset = match (self.files.stored.get(&name), self.files.uploads.get(&name)) {
            (Some(_), _) => length,
            (None, Some(upload)) => upload.len() as u64,
            (None, None) => return Err((404, "attachment.absent")),
        };
        let headers = vec![
            (UPLOAD_OFFSET, offset.to_string()),
            (UPLOAD_LENGTH, length.to_string()),
        ];
        Ok((status, headers, Vec::new()))
    }

    fn append(
        &mut self,
        request: &FileRequest,
        name: FileName,
        length: u64,
        came: usize,
    ) -> Result<Success, Refusal> {
        let files = &mut self.files;
        if files.stored.contains_key(&name) {
            return self.standing(204, name, length);
        }
        let upload = files.uploads.get_mut(&name);
        let upload = upload.ok_or((404, "attachment.absent"))?;
        if number(request, UPLOAD_OFFSET) != upload.len() as u64 {
            return Err((409, "attachment.offset"));
        }
        assert_eq!(number(request, "content-length"), request.body.len() as u64);
        if files.is_forgetful {
            return self.standing(204, name, length);
        }
        upload.extend_from_slice(&request.body[..came]);
        files.received += came as u64;
        if upload.len() as u64 == length {
            let whole = files.uploads.remove(&name).unwrap();
            if attachment_id(&SALT, &whole) != name.id {
                return Err((460, "attachment.hash"));
            }
            files.stored.insert(name, whole);
        }
        self.standing(204, name, length)
    }

    fn part(&self, request: &FileRequest, name: FileName) -> Result<Success, Refusal> {
        let file = self.files.stored.get(&name);
        let file = file.ok_or((404, "attachment.absent"))?;
        let range = value(request, "range").unwrap();
        let (first, last) = range
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let first: usize = first.parse().unwrap();
        if first >= file.len() {
            return Err((416, "attachment.range"));
        }
        let last = last.parse::<usize>().unwrap().min(file.len() - 1);
        let range = format!("bytes {first}-{last}/{}", file.len());
        Ok((
            206,
            vec![("content-range", range)],
            file[first..=last].to_vec(),
        ))
    }
}

fn refusal((status, code): Refusal) -> FileReply {
    FileReply {
        status,
        headers: Vec::new(),
        body: format!("{{\"code\":\"{code}\"}}").into_bytes(),
    }
}
