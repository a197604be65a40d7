// The surroundings of the examples in the crate documentation: a deployment with one server key, phones
// that it enrolled, and a server that accepts everything. `sync` and `replica` include this file.

use std::path::Path;
use std::sync::Arc;

use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::{AreaPath, Grant, Role, Scope, StreamId};
use onegrid_core::id::{AreaId, MemberId};
use onegrid_core::replica::{FileKey, MarkerFile, Replica, ReplicaOptions, StdDisk};
use onegrid_core::sync::paths::SYNC_PATH;
use onegrid_core::sync::star::Request;
use onegrid_core::trust::certificate::{
    Anchors, Certificate, Facts, ServerKey, ServerKeys, ServerPurpose,
};
use onegrid_core::trust::peer_session::MeetingSecrets;
use onegrid_core::trust::request_mac::{MAC_HEADER, RequestTag, SESSION_HEADER};
use onegrid_core::trust::session::{
    HandshakeKey, ServerHandshake, Session, SessionId, SessionMessage,
};
use onegrid_core::trust::sign::SecretKey;
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::message::{CursorsAnswer, PROTOCOL_VERSION, SyncRequest, SyncResponse};
use onegrid_core::wire::page::{FeedEntry, Page, Segment};
use onegrid_core::wire::receipt::Receipt;
use onegrid_core::wire::verdict::{Attestation, AttestedEnvelope, Status, Verdict};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

pub type Answer<T> = Result<T, Box<dyn std::error::Error>>;

/// The keys of a deployment.
pub struct Deployment {
    key: SecretKey,
    pub anchors: Arc<Anchors>,
    pub secrets: MeetingSecrets,
}

impl Deployment {
    pub fn new(rng: &mut ChaCha20Rng) -> Answer<Self> {
        let (root, key) = (SecretKey::generate(rng), SecretKey::generate(rng));
        let listed = |purpose| ServerKey::new(&key.public(), purpose, 0, u32::MAX);
        let list = ServerKeys::sign(&root, 1, ServerPurpose::SIGNING.map(listed).to_vec());
        Ok(Self {
            anchors: Arc::new(Anchors::new(root.public(), list)?),
            secrets: MeetingSecrets::generate(rng),
            key,
        })
    }

    /// The certificate of a grid worker.
    pub fn certificate(&self, signer: &SecretKey) -> Answer<Certificate> {
        let facts = Facts {
            version: 1,
            device: signer.public().device(),
            device_key: *signer.public().as_bytes(),
            member: Some(MemberId(signer.public().device().0)),
            grants: vec![Grant {
                role: Role::GridWorker,
                scope: Scope::Area(home()),
            }],
            issued_ms: 0,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
        };
        Ok(Certificate::issue(
            &facts,
            &self.key,
            self.anchors.authority(),
        )?)
    }
}

/// District, town, village and grid.
pub fn home() -> AreaPath {
    AreaPath::new(&[1, 2, 3, 4].map(|n| AreaId([n; 16]))).expect("four levels")
}

pub fn hazard(title: &str) -> Content {
    let details = Details {
        title: Some(title.to_owned()),
        ..Details::default()
    };
    Content::from(Hazard {
        details,
        severity: None,
    })
}

/// Everything that a replica gets from its host. A real host keeps the keys in its key store, and the
/// marker outside every backup.
pub fn options(folder: &Path, signer: &SecretKey) -> ReplicaOptions {
    ReplicaOptions {
        path: folder.join("replica.db"),
        disk: Arc::new(StdDisk),
        file_key: FileKey::new([7; 32]),
        marker: Box::new(MarkerFile::new(folder.join("marker"))),
        signer: signer.clone(),
        entropy: Box::new(ChaCha20Rng::from_seed(*signer.seed())),
    }
}

/// A new phone of a grid worker.
pub fn enrolled(folder: &Path, signer: &SecretKey, deployment: &Deployment) -> Answer<Replica> {
    let mut phone = Replica::create(options(folder, signer))?;
    let own = deployment.certificate(signer)?;
    phone.enrol(&deployment.anchors, &deployment.secrets, &own)?;
    Ok(phone)
}

/// An answer as HTTP carries it.
pub struct Reply {
    pub mac: Option<String>,
    pub body: Vec<u8>,
}

/// A server that accepts everything, and publishes it in one stream.
pub struct Server {
    deployment: Deployment,
    stream: StreamId,
    sealing: Option<HandshakeKey>,
    session: Option<Session>,
    digest: Digest,
}

impl Server {
    pub fn new(deployment: Deployment, phone: &Replica) -> Self {
        Self {
            deployment,
            stream: StreamId::Member(phone.own_member().expect("the phone is enrolled")),
            sealing: None,
            session: None,
            digest: Digest::EMPTY,
        }
    }

    pub fn answer(
        &mut self,
        request: &Request,
        now_ms: i64,
        rng: &mut ChaCha20Rng,
    ) -> Answer<Reply> {
        let (deployment, body) = (&self.deployment, &request.body);
        let anchors = &deployment.anchors;
        if request.path == SYNC_PATH {
            return self.sync(request, now_ms);
        }
        let body = match SessionMessage::of(body)? {
            SessionMessage::Hello => {
                let sealing = HandshakeKey::generate(rng);
                let key = &deployment.key;
                let (_, hello) =
                    ServerHandshake::answer(body, key, anchors, &sealing, now_ms, rng)?;
                self.sealing = Some(sealing);
                hello
            }
            SessionMessage::Prove => {
                // The key seals one handshake, so a repeated proof opens nothing.
                let sealing = self.sealing.take().ok_or("a hello comes first")?;
                let handshake = ServerHandshake::open(body, &sealing)?;
                let known = |raw| Certificate::verify(raw, anchors).ok();
                let authority = anchors.authority();
                let proven = handshake.finish(body, authority, now_ms, known, |_| Ok(()))?;
                let secrets = deployment.secrets.clone();
                let id = SessionId::generate(rng);
                let (session, grant) = proven.grant(1, secrets, None, now_ms, id);
                self.session = Some(session);
                grant
            }
        };
        Ok(Reply { mac: None, body })
    }

    fn sync(&mut self, request: &Request, now_ms: i64) -> Answer<Reply> {
        let header = |name| request.headers.iter().find(|(header, _)| *header == name);
        let (_, session) = header(SESSION_HEADER).ok_or("a session")?;
        let (_, mac) = header(MAC_HEADER).ok_or("a code")?;
        let tag = RequestTag::parse(session, mac)?;
        let session = self.session.as_ref().ok_or("a session")?;
        session.check_request(&tag, "POST", SYNC_PATH, &request.body, now_ms)?;
        let asked = SyncRequest::from_bytes(&request.body)?;
        let verdict = Verdict {
            status: Status::Accepted,
            at_ms: now_ms,
            generation: 1,
        };
        let (mut lines, mut entries) = (Vec::new(), Vec::new());
        for envelope in asked.bundle.iter().flat_map(|sent| &sent.envelopes) {
            let hash = envelope.hash();
            entries.push(FeedEntry::Sent(u32::try_from(lines.len())?));
            lines.push(AttestedEnvelope {
                hash,
                verdict,
                at: Vec::new(),
            });
            let line = Digest::line(hash.envelope_id(), &verdict);
            self.digest = self.digest.plus(line);
        }
        let (key, authority) = (&self.deployment.key, self.deployment.anchors.authority());
        let receipt = Receipt::of(Attestation::sign(1, now_ms, lines, key, authority));
        let segment = Segment {
            stream: self.stream,
            first: 1,
            next: CursorAt::At {
                generation: 1,
                position: entries.len() as u64,
                digest: self.digest,
            },
            entries,
        };
        let response = SyncResponse {
            version: PROTOCOL_VERSION,
            generation: 1,
            time_ms: now_ms,
            session_expires_ms: None,
            receipt: Some(receipt),
            missing: Vec::new(),
            cursors: CursorsAnswer::Moved,
            streams: Some(vec![self.stream]),
            page: Some(Page {
                segments: vec![segment],
                ..Page::default()
            }),
            repair: Vec::new(),
            heads: self.digest,
            more: false,
            closed: None,
            sealed: Vec::new(),
            not_taken: Vec::new(),
            parcels: None,
            measure: None,
        };
        let body = response.to_bytes()?;
        let mac = Some(session.answer_mac(&tag.mac, &body));
        Ok(Reply { mac, body })
    }
}
