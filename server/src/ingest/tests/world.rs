//! A small deployment with a real store, and phones that write envelopes and sync.

use std::sync::Arc;

use onegrid_core::crdt::{ActorId, build_genesis};
use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::case::{Event, FOLD_VERSION};
use onegrid_core::domain::category::Categories;
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::kinds::hazard;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::unit::{Unit, UnitKind};
use onegrid_core::domain::{AreaPath, Audience, Grant, RecordKind, Role, Scope, Source};
use onegrid_core::id::{AreaId, EnvelopeId, MemberId, RecordId, UnitId};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::enrolment::{EnrolmentAnswer, EnrolmentRequest};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::session::{ClientHandshake, Session};
use onegrid_core::trust::sign::SecretKey;
use onegrid_core::wire::body::{Body, EventBody, Genesis};
use onegrid_core::wire::cursor::Cursor;
use onegrid_core::wire::envelope::{Envelope, Header, RawEnvelope};
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

pub(crate) const ROOM: UnitId = UnitId([0x70; 16]);
pub(crate) const TEAM: UnitId = UnitId([0x71; 16]);
pub(crate) const GAS: UnitId = UnitId([0x72; 16]);
pub(crate) const NOW: i64 = 1_760_000_000_000;

pub(crate) fn area(n: u8) -> AreaId {
    AreaId([n; 16])
}

pub(crate) fn home() -> AreaPath {
    AreaPath::new(&[area(1), area(2), area(3), area(4)]).unwrap()
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) keys: Keys,
    pub(crate) server: Arc<Server>,
    pub(super) rng: std::sync::Mutex<ChaCha20Rng>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Rules::none())
    }

    pub(crate) fn with(rules: Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (keys, _) = Keys::create(NOW - 1_000, &mut rng).unwrap();
        let store = open(&folder.path().join("onegrid.db"));
        Server::prepare(&store, &keys, NOW).unwrap();
        let server = Arc::new(Server::open(store, keys.clone(), rules).unwrap());
        let world = Self {
            folder,
            keys,
            server,
            rng: std::sync::Mutex::new(rng),
        };
        world.server.publish(directory(), "admin", NOW).unwrap();
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

    pub(crate) fn member(&self, n: u8, grants: Vec<Grant>) -> MemberId {
        let id = MemberId([n; 16]);
        let described = MemberDescription {
            id,
            public_name: Some(format!("m{n}")),
            area: area(3),
            grants,
        };
        self.server
            .put_members(vec![described], "admin", NOW)
            .unwrap();
        id
    }

    pub(crate) fn phone(&self, n: u8, role: Role, scope: Scope) -> Phone {
        let member = self.member(n, vec![Grant { role, scope }]);
        self.phone_of(member, n)
    }

    pub(crate) fn phone_of(&self, member: MemberId, n: u8) -> Phone {
        let mut rng = self.rng.lock().unwrap();
        let invited = self
            .server
            .invite(member, 3_600_000, "admin", NOW, &mut *rng)
            .unwrap();
        let ticket = Ticket::parse(&invited.code).unwrap();
        let key = SecretKey::from_seed(&[n; 32]);
        let asked = EnrolmentRequest::write(&ticket, self.keys.authority(), &key, "phone");
        let answer = self.server.handle_enrol(&asked, NOW).unwrap();
        let enrolled = EnrolmentAnswer::check(&answer, &ticket, &key.public()).unwrap();
        Phone {
            actor: ActorId::new(&key.public().device(), [n; 8]),
            session: session(
                &self.server,
                &self.keys,
                &key,
                &enrolled.certificate,
                &mut rng,
                NOW,
            )
            .unwrap(),
            certificate: enrolled.certificate,
            key,
            keys: self.keys.clone(),
            member,
            cursors: Vec::new(),
            clock_ms: NOW,
            number: 0,
            nonce: 0,
            seen: DirectoryMark::default(),
        }
    }

    pub(crate) fn volunteer(&self, n: u8) -> Phone {
        self.phone(n, Role::Volunteer, Scope::Unit(TEAM))
    }

    pub(crate) fn grid_worker(&self, n: u8) -> Phone {
        self.phone(n, Role::GridWorker, Scope::Area(home()))
    }

    pub(crate) fn dispatcher(&self, n: u8) -> Phone {
        let town = AreaPath::new(&home().ids()[..2]).unwrap();
        self.phone(n, Role::Dispatcher, Scope::Area(town))
    }

    pub(crate) fn handler(&self, n: u8) -> Phone {
        self.phone(n, Role::Handler, Scope::Unit(GAS))
    }
}

fn open(path: &std::path::Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path, SqliteOptions::default()).unwrap())
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
    let grant = server.handle_prove(&prove, now_ms, rng)?;
    Ok(waiting.finish(&grant, now_ms).unwrap().0)
}

fn directory() -> Vec<DirectoryEntry> {
    let names = |zh: &str| Names::new(zh, None).unwrap();
    let levels = [
        (1, AreaLevel::District, None, "330105000000"),
        (2, AreaLevel::Town, Some(1), "330105013000"),
        (3, AreaLevel::Village, Some(2), "330105013003"),
        (4, AreaLevel::Grid, Some(3), "330105013003001"),
    ];
    let areas = levels.map(|(n, level, parent, code)| {
        DirectoryEntry::Area(AreaEntry {
            id: area(n),
            level,
            parent: parent.map(area),
            version: AreaVersion {
                code: code.parse().unwrap(),
                names: names("某地"),
                boundary: None,
                valid_from_ms: 0,
                valid_to_ms: None,
            },
            successors: Vec::new(),
        })
    });
    let unit = |id, kind| {
        DirectoryEntry::Unit(Unit {
            id,
            names: names("某单位"),
            kind,
            area: area(2),
            dissolved_at_ms: None,
        })
    };
    let units = [
        unit(ROOM, UnitKind::CommandRoom),
        unit(TEAM, UnitKind::Team),
        unit(GAS, UnitKind::Utility),
    ];
    let categories = Categories::built_in();
    let categories: Vec<_> = categories
        .iter()
        .cloned()
        .map(DirectoryEntry::Category)
        .collect();
    areas.into_iter().chain(units).chain(categories).collect()
}

pub(crate) struct Phone {
    pub(crate) key: SecretKey,
    pub(crate) certificate: Certificate,
    pub(crate) actor: ActorId,
    pub(crate) session: Session,
    pub(crate) keys: Keys,
    pub(crate) member: MemberId,
    pub(crate) cursors: Vec<Cursor>,
    pub(crate) clock_ms: i64,
    pub(crate) seen: DirectoryMark,
    number: u64,
    pub(super) nonce: u8,
}

impl Phone {
    pub(crate) fn seal(
        &mut self,
        record: Option<RecordId>,
        parents: &[EnvelopeId],
        body: &Body,
    ) -> Envelope {
        self.clock_ms += 1_000;
        let header = Header {
            version: 1,
            suite: 1,
            body_kind: 0,
            record,
            author: self.certificate.facts().device,
            certificate: self.certificate.hash(),
            grant: 0,
            parents: parents.to_vec(),
            directory_seen: self.seen,
            clock_ms: self.clock_ms,
        };
        Envelope::seal(header, body, &self.key, self.keys.authority()).unwrap()
    }

    pub(crate) fn report(&mut self, title: &str) -> Envelope {
        self.report_at(title, home())
    }

    pub(crate) fn report_at(&mut self, title: &str, home: AreaPath) -> Envelope {
        self.nonce += 1;
        let details = Details {
            title: Some(title.into()),
            category: Some("gas".into()),
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: None,
        });
        self.genesis(hazard::KIND, &content, home)
    }

    pub(crate) fn genesis(
        &mut self,
        kind: RecordKind,
        content: &Content,
        home: AreaPath,
    ) -> Envelope {
        let body = Body::Genesis(Genesis {
            nonce: [self.nonce; 16],
            kind,
            home,
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            content: build_genesis(content, self.actor).unwrap(),
        });
        self.seal(None, &[], &body)
    }

    pub(crate) fn act(
        &mut self,
        record: RecordId,
        parents: &[EnvelopeId],
        event: &Event,
    ) -> Envelope {
        let (code, data) = event.encode();
        let body = Body::Event(EventBody {
            salt: Some([9; 16]),
            code,
            fold_version: FOLD_VERSION,
            data,
            on_behalf_of: None,
            replaces: None,
        });
        self.seal(Some(record), parents, &body)
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
