//! A phone of a town, and a hand that sends arbitrary bytes in the phone's name.

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::sync::paths::SYNC_PATH;
use onegrid_core::sync::port::{OutboxAsk, StarPort};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::session::{ClientHandshake, Session};
use onegrid_core::trust::sign::{Purpose, SecretKey};
use onegrid_core::wire::body::{Body, EventBody};
use onegrid_core::wire::envelope::{Envelope, Header, RawEnvelope};
use onegrid_core::wire::message::{Bundle, Known, SyncRequest, SyncResponse};
use onegrid_core::wire::verdict::Status;
use onegrid_server::store::StoreError;
use onegrid_tests::town::{Phone, Town, VILLAGE};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A town with one phone, and a hand that sends arbitrary bytes in the phone's name.
pub(crate) struct Bench {
    pub(crate) town: Town,
    pub(crate) phone: Phone,
    session: Session,
    certificate: Certificate,
    number: u64,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let mut town = Town::small(seed);
        let mut phone = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
        phone.sync(&mut town);
        let certificate = phone.replica().certificate().unwrap();
        let certificate = Certificate::clone(certificate);
        let session = session(&mut town, &phone.key(), &certificate);
        Self {
            town,
            phone,
            session,
            certificate,
            number: 0,
        }
    }

    pub(crate) fn report(&mut self, title: &str) -> RecordId {
        let draft = self.town.hazard(title);
        let now_ms = self.town.now_ms;
        self.phone.replica().report(&draft, now_ms).unwrap()
    }

    /// Returns the bundle that the phone would send.
    pub(crate) fn outbox(&mut self) -> Bundle {
        let none = std::collections::BTreeSet::new();
        let ask = OutboxAsk {
            bytes_max: 1 << 20,
            envelopes_max: 1_000,
            without: &none,
        };
        let mut bundle = self.phone.replica().outbox(&ask).unwrap();
        bundle.certificates = vec![self.certificate.raw().clone()];
        bundle
    }

    /// Sends a body under a true code; the error is the code of the refusal.
    pub(crate) fn post(&mut self, body: &[u8]) -> Result<SyncResponse, &'static str> {
        self.number += 1;
        self.post_as(self.number, body)
    }

    pub(crate) fn post_as(
        &mut self,
        number: u64,
        body: &[u8],
    ) -> Result<SyncResponse, &'static str> {
        let tag = self.session.tag(number, "POST", SYNC_PATH, body);
        let headers = (tag.session_header(), tag.mac_header());
        let answered = self
            .town
            .server()
            .handle_sync((&headers.0, &headers.1), SYNC_PATH, body, self.town.now_ms)
            .map_err(|problem| problem.code())?;
        Ok(SyncResponse::from_bytes(&answered.body).unwrap())
    }

    pub(crate) fn push(&mut self, envelopes: Vec<RawEnvelope>) -> SyncResponse {
        let bundle = Bundle {
            certificates: vec![self.certificate.raw().clone()],
            envelopes,
        };
        self.post(&request(bundle)).unwrap()
    }

    pub(crate) fn header(&self, record: Option<RecordId>, parents: &[EnvelopeId]) -> Header {
        Header {
            body_kind: 3,
            ..onegrid_core::fixtures::header(&self.certificate, record, parents, self.town.now_ms)
        }
    }

    pub(crate) fn event(&self, record: RecordId, parents: &[EnvelopeId], code: u16) -> Envelope {
        let header = self.header(Some(record), parents);
        let body = Body::Event(EventBody {
            salt: Some([9; 16]),
            code,
            fold_version: 1,
            data: vec![0x80],
            on_behalf_of: None,
            replaces: None,
        });
        let authority = self.town.keys().authority();
        Envelope::seal(header, &body, &self.phone.key(), authority).unwrap()
    }

    /// Signs any header over any body, also those that `Envelope::seal` would refuse.
    pub(crate) fn signed(&self, header: &Header, body: Vec<u8>) -> RawEnvelope {
        let mut raw = RawEnvelope {
            header: minicbor::to_vec(header).unwrap(),
            body,
            signature: [0; 64],
        };
        let authority = self.town.keys().authority();
        let hash = raw.hash();
        raw.signature = self
            .phone
            .key()
            .sign(Purpose::Envelope, authority, &[hash.as_bytes()]);
        raw
    }

    /// Returns the whole content of the store's streams as text.
    pub(crate) fn stored(&self) -> String {
        let heads = self.town.store().read::<_, StoreError>(|tx| {
            let mut heads = Vec::new();
            for stream in tx.streams()? {
                let head = tx.head(stream)?;
                heads.push(format!("{stream} {} {:?}", head.position, head.digest));
            }
            Ok(heads)
        });
        heads.unwrap().join("\n")
    }

    /// Checks that the phone works as before: all its work arrives and both sides agree.
    pub(crate) fn goes_on(&mut self) {
        let report = self.phone.sync(&mut self.town);
        assert!(report.equal, "{report:?}");
        assert_eq!(self.phone.replica().undelivered().unwrap(), 0);
        let rows = self.phone.replica().rows().unwrap();
        assert!(rows.iter().all(|row| !row.provisional), "{rows:?}");
    }
}

fn session(town: &mut Town, key: &SecretKey, certificate: &Certificate) -> Session {
    let (server, now_ms) = (town.server(), town.now_ms);
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (client, hello) = ClientHandshake::start(town.keys().authority(), &mut rng);
    let answer = server.handle_hello(&hello, now_ms, &mut rng).unwrap();
    let (waiting, prove) = client
        .prove(&answer, town.keys().anchors(), key, certificate)
        .unwrap();
    let grant = server.handle_prove(&prove, now_ms).unwrap();
    waiting.finish(&grant, now_ms).unwrap().0
}

pub(crate) fn request(bundle: Bundle) -> Vec<u8> {
    let request = SyncRequest {
        version: 1,
        known: Known::All(Vec::new()),
        bundle: Some(bundle),
        give_back: None,
        repair: Vec::new(),
        page_bytes_max: 0,
        parcels: None,
        measure: None,
    };
    request.to_bytes().unwrap()
}

pub(crate) fn statuses(answer: &SyncResponse) -> Vec<Status> {
    let lines = answer.receipt.iter().flat_map(|receipt| &receipt.lines);
    lines.map(|line| line.verdict.status).collect()
}
