//! A server in memory that speaks the real protocol.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::paths::{SESSION_PATH, SYNC_PATH};
use super::star::Request;
use super::testing::{STREAMS, accepted, header_of, streams_of};
use crate::domain::stream::StreamId;
use crate::fixtures::Deployment;
use crate::id::{DeviceId, EnvelopeId, RecordId};
use crate::trust::certificate::Certificate;
use crate::trust::request_mac::{MAC_HEADER, RequestTag, SESSION_HEADER};
use crate::trust::session::{
    HandshakeId, HandshakeKey, ServerHandshake, Session, SessionError, SessionId, SessionMessage,
};
use crate::wire::cursor::{Cursor, CursorAt, cursor_set_hash};
use crate::wire::digest::Digest;
use crate::wire::envelope::RawEnvelope;
use crate::wire::message::{CursorsAnswer, Known, PROTOCOL_VERSION, SyncRequest, SyncResponse};
use crate::wire::page::{FeedEntry, Page, Segment};
use crate::wire::parcel::ParcelOutcome;
use crate::wire::receipt::Receipt;
use crate::wire::verdict::{Attestation, AttestedEnvelope, Verdict};

mod files;
mod measures;
mod repairs;

pub(crate) use files::{FileReply, ServerFiles};

/// An answer as the network carries it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) mac: Option<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) deployment: Deployment,
    pub(crate) generation: u32,
    pub(crate) envelopes: BTreeMap<EnvelopeId, (RawEnvelope, RecordId, Verdict)>,
    pub(crate) feeds: BTreeMap<StreamId, Vec<EnvelopeId>>,
    pub(crate) revoked: BTreeSet<Vec<u8>>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    sealing: Arc<HandshakeKey>,
    used: BTreeSet<HandshakeId>,
    handed: BTreeMap<DeviceId, Vec<Cursor>>,
    pub(crate) page_envelopes: usize,
    pub(crate) needed: u32,
    pub(crate) files: ServerFiles,
    /// The outcome of every parcel; `None` for a server that does not know parcels.
    pub(crate) parcels: Option<ParcelOutcome>,
    /// Whether the server answers the question for the measure, as an older one does not.
    pub(crate) measures: bool,
    /// Number of parcels that arrived.
    pub(crate) parcels_seen: usize,
    /// Envelopes of the server when the last parcel arrived.
    pub(crate) envelopes_before_parcel: usize,
}

impl Server {
    pub(crate) fn new(deployment: Deployment) -> Self {
        Self {
            deployment,
            generation: 1,
            envelopes: BTreeMap::new(),
            feeds: STREAMS.iter().map(|stream| (*stream, Vec::new())).collect(),
            revoked: BTreeSet::new(),
            sessions: BTreeMap::new(),
            sealing: Arc::new(HandshakeKey::generate(&mut ChaCha20Rng::from_seed([5; 32]))),
            used: BTreeSet::new(),
            handed: BTreeMap::new(),
            page_envelopes: 40,
            needed: 0,
            files: ServerFiles::default(),
            parcels: Some(ParcelOutcome::Taken),
            measures: true,
            parcels_seen: 0,
            envelopes_before_parcel: 0,
        }
    }

    /// Replaces this server by an old copy of it.
    pub(crate) fn restore(&mut self, copy: &Self) {
        let generation = self.generation + 1;
        *self = copy.clone();
        self.generation = generation;
        self.sessions.clear();
        self.handed.clear();
    }

    pub(crate) fn handle(&mut self, request: &Request, now: i64, rng: &mut ChaCha20Rng) -> Reply {
        let answered = match request.path {
            SESSION_PATH => self
                .session(&request.body, now, rng)
                .map(|body| (None, body)),
            SYNC_PATH => self.sync(request, now),
            other => panic!("{other}"),
        };
        match answered {
            Ok((mac, body)) => Reply {
                status: 200,
                mac,
                body,
            },
            Err(error) => {
                let body = format!("{{\"title\":\"x\", \"code\": \"{}\"}}", error.code());
                Reply {
                    status: 401,
                    mac: None,
                    body: body.into_bytes(),
                }
            }
        }
    }

    fn session(
        &mut self,
        body: &[u8],
        now: i64,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<u8>, SessionError> {
        let deployment = self.deployment.clone();
        match SessionMessage::of(body)? {
            SessionMessage::Hello => {
                let (_, answer) = ServerHandshake::answer(
                    body,
                    &deployment.server,
                    &deployment.anchors,
                    &self.sealing,
                    now,
                    rng,
                )?;
                Ok(answer)
            }
            SessionMessage::Prove => {
                let state = ServerHandshake::open(body, &self.sealing)?;
                if !self.used.insert(state.id()) {
                    return Err(SessionError::HandshakeOver);
                }
                let revoked = &self.revoked;
                let certify = |raw| Certificate::verify(raw, &deployment.anchors).ok();
                let authority = deployment.anchors.authority();
                let proven = state.finish(body, authority, now, certify, |certificate| {
                    let device = certificate.facts().device.0.to_vec();
                    if revoked.contains(&device) {
                        Err(SessionError::Revoked)
                    } else {
                        Ok(())
                    }
                })?;
                let (id, secrets) = (SessionId::generate(rng), deployment.secrets);
                let (session, grant) = proven.grant(self.generation, secrets, None, now, id);
                self.sessions.insert(session.id, session);
                Ok(grant)
            }
        }
    }

    fn sync(
        &mut self,
        request: &Request,
        now: i64,
    ) -> Result<(Option<String>, Vec<u8>), SessionError> {
        let header = |name| {
            let of = request.headers.iter().find(|(header, _)| *header == name);
            of.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let tag = RequestTag::parse(header(SESSION_HEADER), header(MAC_HEADER))?;
        let session = self
            .sessions
            .get(&tag.session)
            .ok_or(SessionError::Unknown)?
            .clone();
        session.check_request(&tag, "POST", SYNC_PATH, &request.body, now)?;
        let asked = SyncRequest::from_bytes(&request.body).map_err(|_| SessionError::Malformed)?;
        let response = self.answer(&asked, session.device, now).to_bytes().unwrap();
        Ok((Some(session.answer_mac(&tag.mac, &response)), response))
    }

    fn answer(&mut self, asked: &SyncRequest, device: DeviceId, now: i64) -> SyncResponse {
        let mut attested = Vec::new();
        if let Some(give) = &asked.give_back {
            self.revoked
                .extend(give.directory.iter().map(|entry| entry.to_vec()));
            for attestation in &give.attestations {
                assert!(attestation.verify(&self.deployment.anchors).is_ok());
                attested.push(attestation.clone());
            }
        }
        let (receipt, missing) = self.ingest(asked, &attested, now);
        let mut page = Page::default();
        let repair = asked
            .repair
            .iter()
            .map(|ask| self.repair(ask, &mut page))
            .collect();
        let measured = self.measure(asked, device);
        let (cursors, more) = match &measured {
            Some((cursors, _)) => (*cursors, false),
            None => self.read(asked, device, &mut page),
        };
        let authority = *self.deployment.anchors.authority();
        page.sign(self.generation, now, &self.deployment.server, &authority)
            .unwrap();
        let heads = STREAMS
            .iter()
            .flat_map(|stream| self.items(stream))
            .map(|i| i.digest)
            .sum();
        let brought = asked.parcels.as_ref().map_or(0, Vec::len);
        self.parcels_seen += brought;
        if brought > 0 {
            self.envelopes_before_parcel = self.envelopes.len();
        }
        let outcomes = self.parcels.map(|outcome| vec![outcome; brought]);
        SyncResponse {
            version: PROTOCOL_VERSION,
            generation: self.generation,
            time_ms: now,
            session_expires_ms: None,
            receipt,
            missing,
            cursors,
            streams: Some(STREAMS.to_vec()),
            page: (!page.is_empty()).then_some(page),
            repair,
            heads,
            more,
            closed: None,
            sealed: Vec::new(),
            not_taken: Vec::new(),
            parcels: outcomes.filter(|_| brought > 0),
            measure: measured.and_then(|(_, measure)| measure),
        }
    }

    fn ingest(
        &mut self,
        asked: &SyncRequest,
        attested: &[Attestation],
        now: i64,
    ) -> (Option<Receipt>, Vec<EnvelopeId>) {
        let Some(bundle) = &asked.bundle else {
            return (None, Vec::new());
        };
        let mut known: BTreeSet<EnvelopeId> = self.envelopes.keys().copied().collect();
        known.insert(EnvelopeId([0; 16]));
        let mut missing = Vec::new();
        for raw in &bundle.envelopes {
            missing.extend(
                header_of(raw)
                    .parents
                    .iter()
                    .filter(|id| !known.contains(id)),
            );
            known.insert(raw.hash().envelope_id());
        }
        if !missing.is_empty() {
            return (None, missing);
        }
        let mut lines = Vec::new();
        for raw in &bundle.envelopes {
            let (hash, id) = (raw.hash(), raw.hash().envelope_id());
            let earlier = attested
                .iter()
                .filter_map(|attestation| attestation.verdict_on(id))
                .reduce(|one, other| {
                    if other.is_later_than(&one) {
                        other
                    } else {
                        one
                    }
                });
            let record = header_of(raw).record.unwrap();
            if !self.envelopes.contains_key(&id) {
                let verdict = earlier.unwrap_or(accepted(now, self.generation));
                self.envelopes.insert(id, (raw.clone(), record, verdict));
                for stream in streams_of(&record) {
                    self.feeds.get_mut(&stream).unwrap().push(id);
                }
            }
            let known = self.envelopes.get_mut(&id).unwrap();
            if let Some(earlier) = earlier.filter(|earlier| earlier.is_later_than(&known.2)) {
                known.2 = earlier;
            }
            let verdict = known.2;
            lines.push(AttestedEnvelope {
                hash,
                verdict,
                at: Vec::new(),
            });
        }
        let authority = self.deployment.anchors.authority();
        let signed = Attestation::sign(
            self.generation,
            now,
            lines,
            &self.deployment.server,
            authority,
        );
        (Some(Receipt::of(signed)), Vec::new())
    }

    fn at(&self, position: usize) -> CursorAt {
        CursorAt::At {
            generation: self.generation,
            position: position as u64,
            digest: Digest::EMPTY,
        }
    }

    fn read(
        &mut self,
        asked: &SyncRequest,
        device: DeviceId,
        page: &mut Page,
    ) -> (CursorsAnswer, bool) {
        let cursors = match &asked.known {
            Known::All(cursors) => cursors.clone(),
            Known::Hash(hash) => match self.handed.get(&device) {
                Some(cursors) if cursor_set_hash(cursors) == *hash => cursors.clone(),
                _ => {
                    self.needed += 1;
                    return (CursorsAnswer::Needed, false);
                }
            },
        };
        let (mut next, mut more, mut moved) = (Vec::new(), false, false);
        for stream in STREAMS {
            let feed = &self.feeds[&stream];
            let at = cursors
                .iter()
                .find(|cursor| cursor.stream == stream)
                .map(|c| &c.at);
            let from = match at {
                Some(CursorAt::At {
                    generation,
                    position,
                    ..
                }) if *generation == self.generation => {
                    usize::try_from(*position).unwrap().min(feed.len())
                }
                // A cursor of an older generation reads from here on; the digests find the differences.
                Some(CursorAt::At { .. }) => feed.len(),
                _ => 0,
            };
            let to = feed.len().min(from + self.page_envelopes);
            more |= to < feed.len();
            let now = Cursor {
                stream,
                at: self.at(to),
            };
            if at != Some(&now.at) {
                moved = true;
                let mut entries = Vec::new();
                for id in &feed[from..to] {
                    let (raw, _, verdict) = &self.envelopes[id];
                    let hash = raw.hash();
                    let place = page
                        .envelopes
                        .iter()
                        .position(|(raw, _)| raw.hash() == hash);
                    let place = place.unwrap_or_else(|| {
                        page.envelopes.push((raw.clone(), *verdict));
                        page.envelopes.len() - 1
                    });
                    entries.push(FeedEntry::Envelope(u32::try_from(place).unwrap()));
                }
                let first = from as u64 + 1;
                page.segments.push(Segment {
                    stream,
                    first,
                    entries,
                    next: now.at.clone(),
                });
            }
            next.push(now);
        }
        self.handed.insert(device, next);
        (
            if moved {
                CursorsAnswer::Moved
            } else {
                CursorsAnswer::Unchanged
            },
            more,
        )
    }
}
