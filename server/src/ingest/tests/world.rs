//! A small deployment with a real store, and phones that write envelopes and sync.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use onegrid_core::domain::case::Event;
use onegrid_core::domain::category::Categories;
use onegrid_core::domain::content::Content;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::kinds::hazard;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::{AreaPath, Grant};
use onegrid_core::fixtures::{NOW, Person, VILLAGE, Writer, directory, home};
use onegrid_core::id::{EnvelopeId, MemberId, RecordId};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentRequest};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::session::{ClientHandshake, Session};
use onegrid_core::trust::sign::SecretKey;
use onegrid_core::wire::cursor::Cursor;
use onegrid_core::wire::envelope::{Envelope, RawEnvelope};
use onegrid_core::wire::message::{Bundle, Known, SyncRequest, SyncResponse};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::error::Result;
use crate::keys::Keys;
use crate::registry::members::MemberDescription;
use crate::rules::Rules;
use crate::server::Server;
use crate::store::Store;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::twice::TwiceStore;

/// A server over a store in a file, with its keys.
pub(crate) struct TestServer {
    folder: tempfile::TempDir,
    pub(crate) keys: Keys,
    pub(crate) server: Arc<Server>,
    pub(super) rng: std::sync::Mutex<ChaCha20Rng>,
}

impl TestServer {
    pub(crate) fn new() -> Self {
        Self::with(Rules::none())
    }

    pub(crate) fn with(rules: Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("onegrid.db"));
        Self::over(store, folder, rules)
    }

    /// A server over an empty store.
    pub(crate) fn over(store: Arc<dyn Store>, folder: tempfile::TempDir, rules: Rules) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (keys, _) = Keys::create(NOW - 1_000, &mut rng).unwrap();
        Server::prepare(&store, &keys, NOW).unwrap();
        let server = Arc::new(Server::open(store, keys.clone(), rules).unwrap());
        let world = Self {
            folder,
            keys,
            server,
            rng: std::sync::Mutex::new(rng),
        };
        world.server.publish(published(), "admin", NOW).unwrap();
        world
    }

    /// The folder of the database.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The same file once more.
    pub(crate) fn store_again(&self) -> Arc<dyn Store> {
        open(&self.folder.path().join("onegrid.db"))
    }

    /// Copies all committed data into a new file.
    pub(crate) fn copy_store(&self, to: &std::path::Path) {
        let file = self.folder.path().join("onegrid.db");
        let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
        store.backup(to).unwrap();
    }

    /// Changes the file behind the back of the store, as a failing disk does.
    pub(crate) fn spoil(&self, sql: &str, of: &[u8]) {
        let file = rusqlite::Connection::open(self.folder.path().join("onegrid.db")).unwrap();
        assert!(file.execute(sql, [of]).unwrap() > 0, "{sql}");
    }

    /// Another node over the same file, as after a restart.
    pub(crate) fn reopened(&self) -> Server {
        let store = self.store_again();
        Server::open(store, self.keys.clone(), Rules::none()).unwrap()
    }

    /// Another node over the same file, with rules of automatic moves.
    pub(crate) fn second_node(&self, rules: Rules) -> Server {
        Server::open(self.store_again(), self.keys.clone(), rules).unwrap()
    }

    /// Writes or changes the roles of a person.
    pub(crate) fn member(&self, person: Person, grants: Vec<Grant>) {
        let described = MemberDescription {
            id: person.member(),
            public_name: Some(person.name.to_owned()),
            area: VILLAGE,
            grants,
        };
        self.server
            .put_members(vec![described], "admin", NOW)
            .unwrap();
    }

    /// Gives a person of the cast the role, and enrols the phone.
    pub(crate) fn phone(&self, person: Person) -> SyncPhone {
        self.phone_with(person, vec![person.grant()])
    }

    /// Gives a person these roles, and enrols the phone.
    pub(crate) fn phone_with(&self, person: Person, grants: Vec<Grant>) -> SyncPhone {
        self.member(person, grants);
        let member = person.member();
        let mut rng = self.rng.lock().unwrap();
        let invited = self
            .server
            .invite(member, 3_600_000, "admin", NOW, &mut *rng)
            .unwrap();
        let ticket = Ticket::parse(&invited.code).unwrap();
        let key = person.key();
        let authority = self.keys.authority();
        let asked = EnrolmentRequest::write(&ticket, authority, &key, "phone");
        let answer = self.server.handle_enrol(&asked, NOW).unwrap();
        let enrolled = EnrolmentAnswer::check(&answer, &ticket, &key.public()).unwrap();
        let own = enrolled.certificate;
        let session = session(&self.server, &self.keys, &key, &own, &mut rng, NOW).unwrap();
        let mut writer = Writer::new(key, Arc::new(own), authority);
        writer.clock_ms = NOW;
        SyncPhone {
            writer,
            session,
            keys: self.keys.clone(),
            member,
            cursors: Vec::new(),
            number: 0,
        }
    }
}

fn open(path: &std::path::Path) -> Arc<dyn Store> {
    let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
    Arc::new(TwiceStore::new(Arc::new(store)))
}

pub(crate) fn session(
    server: &Server,
    keys: &Keys,
    key: &SecretKey,
    certificate: &Certificate,
    rng: &mut ChaCha20Rng,
    now_ms: i64,
) -> Result<Session> {
    let (client, hello) = ClientHandshake::start(keys.authority(), rng);
    let answer = server.handle_hello(&hello, now_ms, rng)?;
    let (waiting, prove) = client
        .prove(&answer, keys.anchors(), key, certificate)
        .unwrap();
    let grant = server.handle_prove(&prove, now_ms)?;
    Ok(waiting.finish(&grant, now_ms).unwrap().0)
}

/// The places of the cast and the built-in categories.
fn published() -> Vec<DirectoryEntry> {
    let categories = Categories::built_in();
    let categories = categories.iter().cloned().map(DirectoryEntry::Category);
    directory().into_iter().chain(categories).collect()
}

/// A person of the cast who writes by hand and syncs by the real protocol.
pub(crate) struct SyncPhone {
    writer: Writer,
    pub(crate) session: Session,
    pub(crate) keys: Keys,
    pub(crate) member: MemberId,
    pub(crate) cursors: Vec<Cursor>,
    number: u64,
}

impl Deref for SyncPhone {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for SyncPhone {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl SyncPhone {
    pub(crate) fn report(&mut self, title: &str) -> Envelope {
        self.report_at(title, home())
    }

    pub(crate) fn report_at(&mut self, title: &str, home: AreaPath) -> Envelope {
        self.nonce += 1;
        let mut content = Content::from(Hazard {
            severity: None,
            ..onegrid_core::fixtures::hazard(title)
        });
        content.details_mut().category = Some("gas".into());
        self.genesis(hazard::KIND, &content, home)
    }

    pub(crate) fn act(
        &mut self,
        record: RecordId,
        parents: &[EnvelopeId],
        event: &Event,
    ) -> Envelope {
        self.event(record, parents, event)
    }

    pub(crate) fn bundle(&self, envelopes: &[&Envelope]) -> Bundle {
        let raw = envelopes
            .iter()
            .map(|envelope| envelope.raw().clone())
            .collect();
        self.raw_bundle(raw)
    }

    pub(crate) fn raw_bundle(&self, envelopes: Vec<RawEnvelope>) -> Bundle {
        Bundle {
            certificates: vec![self.certificate.raw().clone()],
            envelopes,
        }
    }

    pub(crate) fn ask(&self, bundle: Option<Bundle>, page_bytes_max: u32) -> SyncRequest {
        SyncRequest {
            version: 1,
            known: Known::All(self.cursors.clone()),
            bundle,
            give_back: None,
            repair: Vec::new(),
            page_bytes_max,
            parcels: None,
            measure: None,
        }
    }

    /// One request over the whole way: headers, codes, bytes. The cursors follow the page.
    pub(crate) fn send(&mut self, server: &Server, request: &SyncRequest) -> Result<SyncResponse> {
        self.number += 1;
        let body = request.to_bytes().unwrap();
        let tag = self.session.tag(self.number, "POST", "/v1/sync", &body);
        let headers = (tag.session_header(), tag.mac_header());
        let answer =
            server.handle_sync((&headers.0, &headers.1), "/v1/sync", &body, self.clock_ms)?;
        self.session
            .check_answer(&tag.mac, Some(&answer.mac), &answer.body)
            .unwrap();
        let response = SyncResponse::from_bytes(&answer.body).unwrap();
        if let Some(streams) = &response.streams {
            self.cursors
                .retain(|cursor| streams.contains(&cursor.stream));
        }
        if let Some(page) = &response.page {
            page.verify(self.keys.anchors()).unwrap();
            for segment in &page.segments {
                self.cursors
                    .retain(|cursor| cursor.stream != segment.stream);
                let at = segment.next.clone();
                self.cursors.push(Cursor {
                    stream: segment.stream,
                    at,
                });
            }
        }
        Ok(response)
    }

    pub(crate) fn push(&mut self, server: &Server, envelopes: &[&Envelope]) -> SyncResponse {
        let request = self.ask(Some(self.bundle(envelopes)), 0);
        self.send(server, &request).unwrap()
    }

    /// Reads to the end and returns all answers.
    pub(crate) fn pull(&mut self, server: &Server, page_bytes_max: u32) -> Vec<SyncResponse> {
        let mut answers = Vec::new();
        loop {
            let request = self.ask(None, page_bytes_max);
            let answer = self.send(server, &request).unwrap();
            let more = answer.more;
            answers.push(answer);
            if !more {
                return answers;
            }
            assert!(answers.len() < 1_000, "it ends");
        }
    }
}
