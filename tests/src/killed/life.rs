//! The life of a phone in a process of its own, and its reports about that life.
//!
//! Each line on its standard output is one word and its values; the answer to `post` is one line on its
//! standard input. The process at the other ends carries the requests to a server.
//!
//! | line | meaning |
//! |---|---|
//! | `saved RECORD ENVELOPE WORDS` | the replica said that this is saved |
//! | `photo ID NUMBER` | the replica said that this photo is saved, whether a record names it or not |
//! | `judged RECORD ENVELOPE` | the replica showed a verdict on it |
//! | `post PATH SESSION MAC BODY` | a request; the body in hex, `-` for an absent value |
//! | `done` | the story is over |

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, Write};

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::Text;
use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload as p;
use onegrid_core::domain::content::Field;
use onegrid_core::fixtures::photo;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::replica::Draft;
use onegrid_core::sync::paths::{SESSION_PATH, SYNC_PATH};
use onegrid_core::sync::star::{Incoming, Request, Step};
use onegrid_core::trust::request_mac::{MAC_HEADER, SESSION_HEADER};

use crate::onegrid::{hazard, home};
use crate::sim::chance::Chance;
use crate::town::server::Reply;
use crate::town::{MINUTE_MS, Phone};

/// Acts of a phone in its life, syncs not counted.
const DEEDS: usize = 12;
/// Bytes of a photo, more than one segment of a sealed file.
pub const PHOTO_BYTES: usize = 70_000;
/// Turns of one sync.
const TURNS_MAX: usize = 200;

/// A phone that acts and reports its acts.
pub struct Life<'a> {
    /// The phone.
    pub phone: Phone,
    /// The only source of its choices.
    pub story: Chance,
    /// Its clock, ms UTC.
    pub now_ms: i64,
    /// The output for its reports.
    pub out: &'a mut dyn Write,
    /// The input for answers.
    pub answers: &'a mut dyn BufRead,
}

impl Life<'_> {
    /// Runs the story to its end.
    pub fn live(mut self) {
        let mut mine: Vec<(RecordId, EnvelopeId)> = Vec::new();
        let mut judged = BTreeSet::new();
        for deed in 0..DEEDS {
            self.now_ms += MINUTE_MS;
            let words = format!("话{deed}。");
            let photo = u8::try_from(deed).unwrap();
            if let Some(said) = self.does(&mine, &words, photo) {
                let (record, id) = said;
                self.tell(&format!("saved {record} {id} {words}"));
                mine.push(said);
            }
            if deed % 4 == 3 {
                self.syncs(&mine, &mut judged);
            }
        }
        self.phone.close();
        self.tell("done");
    }

    fn does(
        &mut self,
        mine: &[(RecordId, EnvelopeId)],
        words: &str,
        photo: u8,
    ) -> Option<(RecordId, EnvelopeId)> {
        let now_ms = self.now_ms;
        let about = self.story.pick(mine).map(|(record, _)| record);
        let (kind, Some(record)) = (self.story.below(7), about) else {
            return Some(self.reports(words));
        };
        let mut attachments = Vec::new();
        if kind >= 5 {
            attachments.push(self.adds(photo));
        }
        let replica = self.phone.replica();
        let note = Text::new(words).ok();
        let event = match kind {
            0 | 1 => {
                let field = if kind == 0 {
                    Field::Address
                } else {
                    Field::Description
                };
                let edit = FieldEdit::text(field, words.to_owned());
                return Some((record, replica.edit(record, &[edit], now_ms).unwrap()));
            }
            2 | 5 => Event::Comment(p::Comment {
                text: note,
                attachments,
                mentions: Vec::new(),
            }),
            3 | 6 => Event::DangerRemains(p::DangerRemains {
                text: note,
                attachments,
            }),
            _ => return Some(self.reports(words)),
        };
        // The rules may refuse the move; then nothing was promised.
        let id = replica.act(record, &event, None, now_ms).ok()?;
        Some((record, id))
    }

    fn adds(&mut self, number: u8) -> Hash {
        let (replica, now_ms) = (self.phone.replica(), self.now_ms);
        let added = replica.add_attachment(&photo(PHOTO_BYTES, number), now_ms);
        let id = added.unwrap().id;
        self.tell(&format!("photo {id} {number}"));
        id
    }

    fn reports(&mut self, words: &str) -> (RecordId, EnvelopeId) {
        let draft = Draft::staff(hazard(words), home());
        let replica = self.phone.replica();
        let record = replica.report(&draft, self.now_ms).unwrap();
        let loaded = replica.load(record).unwrap().unwrap();
        (record, loaded.nodes()[0].id)
    }

    fn syncs(&mut self, mine: &[(RecordId, EnvelopeId)], judged: &mut BTreeSet<EnvelopeId>) {
        let now_ms = self.now_ms;
        for _ in 0..TURNS_MAX {
            let (replica, star, rng) = self.phone.parts();
            match star.next(replica, now_ms, rng).unwrap() {
                Step::Done(_) => return,
                Step::Wait { .. } => star.wake(),
                Step::Awaiting => unreachable!("every answer is taken at once"),
                Step::Send(request) => {
                    self.tell(&post(&request));
                    let mut line = String::new();
                    self.answers.read_line(&mut line).unwrap();
                    let reply = read_reply(&line).expect("an answer");
                    let incoming = Incoming {
                        status: reply.status,
                        mac: reply.mac.as_deref(),
                        body: &reply.body,
                    };
                    let (replica, star, rng) = self.phone.parts();
                    star.received(replica, incoming, now_ms, rng).unwrap();
                    self.shows(mine, judged);
                }
            }
        }
        panic!("a sync that never ends");
    }

    fn shows(&mut self, mine: &[(RecordId, EnvelopeId)], judged: &mut BTreeSet<EnvelopeId>) {
        for (record, id) in mine {
            let loaded = self.phone.replica().load(*record).unwrap();
            let verdict = loaded.and_then(|loaded| loaded.node(*id)?.verdict);
            if verdict.is_some() && judged.insert(*id) {
                self.tell(&format!("judged {record} {id}"));
            }
        }
    }

    fn tell(&mut self, line: &str) {
        // A line is written at once, so it arrives whole or not at all.
        self.out.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.out.flush().unwrap();
    }
}

/// A line of a phone's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A saved envelope with its words.
    Saved(RecordId, EnvelopeId, String),
    /// A saved photo with its number.
    Photo(Hash, u8),
    /// A verdict that was shown.
    Judged(RecordId, EnvelopeId),
    /// A request for the server.
    Post(Request),
    /// The end of the story.
    Done,
}

impl Line {
    /// Reads a line; `None` for a line that the kill has cut.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_suffix('\n')?.split(' ');
        let kind = words.next()?;
        let mut next = || words.next();
        Some(match kind {
            "saved" => Self::Saved(
                next()?.parse().ok()?,
                next()?.parse().ok()?,
                next()?.to_owned(),
            ),
            "photo" => Self::Photo(next()?.parse().ok()?, next()?.parse().ok()?),
            "judged" => Self::Judged(next()?.parse().ok()?, next()?.parse().ok()?),
            "post" => {
                let path = [SESSION_PATH, SYNC_PATH];
                let named = next()?;
                let path = path.into_iter().find(|path| *path == named)?;
                let mut headers = Vec::new();
                for name in [SESSION_HEADER, MAC_HEADER] {
                    let value = next()?;
                    if value != "-" {
                        headers.push((name, value.to_owned()));
                    }
                }
                Self::Post(Request {
                    path,
                    headers,
                    body: bytes_of(next()?)?,
                })
            }
            "done" => Self::Done,
            _ => return None,
        })
    }
}

fn post(request: &Request) -> String {
    let header = |name| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map_or("-", |(_, value)| value.as_str())
    };
    let (session, mac) = (header(SESSION_HEADER), header(MAC_HEADER));
    format!(
        "post {} {session} {mac} {}",
        request.path,
        hex(&request.body)
    )
}

/// Returns the line that answers a request.
#[must_use]
pub fn answer(reply: &Reply) -> String {
    let mac = reply.mac.as_deref().unwrap_or("-");
    format!("{} {mac} {}\n", reply.status, hex(&reply.body))
}

fn read_reply(line: &str) -> Option<Reply> {
    let mut words = line.trim_end().split(' ');
    let status = words.next()?.parse().ok()?;
    let mac = words.next().filter(|mac| *mac != "-").map(str::to_owned);
    let body = bytes_of(words.next()?)?;
    Some(Reply { status, mac, body })
}

/// Encodes bytes in hex, `-` for none.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Decodes hex.
#[must_use]
pub fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if hex == "-" {
        return Some(Vec::new());
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect()
}
