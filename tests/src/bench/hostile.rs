//! Uploads of a hostile member, a megabyte each on the wire, and the cost of the worst of them for the server.

use std::collections::HashMap;
use std::sync::Arc;

use onegrid_core::crdt::{ActorId, Document, FieldEdit, build_genesis};
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::domain::case::{Event, FOLD_VERSION};
use onegrid_core::domain::content::{Content, Details, Field};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::{Audience, Source, Text};
use onegrid_core::fixtures::header;
use onegrid_core::id::{DeviceId, EnvelopeId, RecordId};
use onegrid_core::limits::{CHANGE_OPS_MAX, DESCRIPTION_CHARS_MAX, OPS_PER_AUTHOR_MAX};
use onegrid_core::limits::{RECORD_ENTRIES_MAX, REQUEST_BYTES_MAX};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::{Authority, SecretKey};
use onegrid_core::wire::body::{Body, Change, EventBody, Genesis};
use onegrid_core::wire::envelope::{Envelope, Header};
use onegrid_core::wire::frame;
use onegrid_core::wire::message::Bundle;
use onegrid_server::rules::Rules;

use super::process;
use super::table::Table;
use crate::town::{Extent, Town};

const BENCH: &str = "1 MB of a hostile member, one upload";
const FRAME_BYTES: usize = 1_000_000;
const CPU_S_MAX: f64 = 2.0;
const MEMORY_MB_MAX: f64 = 200.0;

/// Makes the n-th record of an upload.
type Attack = fn(&mut Attacker, u16) -> Vec<Envelope>;

const ATTACKS: [(&str, Attack); 3] = [
    ("deletions by run length", deletions),
    ("chains, children first", chains),
    ("fans on one parent", fans),
];

pub(super) fn measure(table: &mut Table) {
    eprintln!("hostile");
    for (name, attack) in ATTACKS {
        let mut town = Town::on_disk(9, Extent::TwoStreets, Rules::none());
        let mut attacker = Attacker::enrol(&mut town);
        let frame = attacker.frame(attack);
        let (cpu_s, before_mb) = (process::cpu_s(), process::reset_peak_mb());
        let bundle: Bundle = frame::decode(&frame, REQUEST_BYTES_MAX).unwrap();
        let count = bundle.envelopes.len();
        let none = HashMap::new();
        let taken = town.server().ingest(bundle, &none, town.now_ms).unwrap();
        let (cpu_s, grown_mb) = (process::cpu_s() - cpu_s, process::peak_mb() - before_mb);
        assert_eq!(taken.lines.len(), count);
        let figure = |what: &str| format!("{name}: {what}");
        table.note(BENCH, &figure("envelopes"), count as f64, "envelopes");
        table.note(BENCH, &figure("frame"), frame.len() as f64, "B");
        table.budget(BENCH, &figure("CPU"), cpu_s, "s", CPU_S_MAX);
        table.budget(BENCH, &figure("memory"), grown_mb, "MB", MEMORY_MB_MAX);
    }
}

struct Attacker {
    key: SecretKey,
    certificate: Arc<Certificate>,
    authority: Authority,
    home: onegrid_core::domain::AreaPath,
    clock_ms: i64,
    /// The changes of [`deletions`]: equal in all records, because the content of their Genesis is.
    gone: Vec<Vec<u8>>,
}

impl Attacker {
    fn enrol(town: &mut Town) -> Self {
        let mut phone = town.enrol("hacked", "grid_worker", "330105013001001", "");
        Self {
            key: phone.key(),
            certificate: Arc::clone(phone.replica().certificate().unwrap()),
            authority: *town.keys().authority(),
            home: town.places.path("330105013001001"),
            clock_ms: town.now_ms,
            gone: Vec::new(),
        }
    }

    /// As many records as a frame holds.
    fn frame(&mut self, attack: Attack) -> Vec<u8> {
        let mut bundle = Bundle {
            certificates: vec![self.certificate.raw().clone()],
            envelopes: Vec::new(),
        };
        let (mut frame, mut records) = (Vec::new(), 0);
        let mut batch = 1;
        while records < u16::MAX {
            let before = bundle.envelopes.len();
            for _ in 0..batch {
                let envelopes = attack(self, records);
                let raw = envelopes.iter().map(|envelope| envelope.raw().clone());
                bundle.envelopes.extend(raw);
                records += 1;
            }
            match frame::encode(&bundle, FRAME_BYTES) {
                Ok(fits) => frame = fits,
                Err(_) if batch == 1 => break,
                Err(_) => {
                    bundle.envelopes.truncate(before);
                    batch = 1;
                    continue;
                }
            }
            batch = (batch * 2).min(64);
        }
        frame
    }

    fn device(&self) -> DeviceId {
        self.certificate.facts().device
    }

    fn seal(&self, record: Option<RecordId>, parents: &[EnvelopeId], body: &Body) -> Envelope {
        let header = Header {
            directory_seen: self.certificate.facts().issued_at,
            ..header(&self.certificate, record, parents, self.clock_ms)
        };
        Envelope::seal(header, body, &self.key, &self.authority).unwrap()
    }

    fn report(&self, n: u16, description: String) -> (Envelope, Document) {
        let details = Details {
            title: Some("x".into()),
            description,
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: None,
        });
        let content = build_genesis(&content, self.actor(0)).unwrap();
        let document = Document::genesis(&content, self.device()).unwrap();
        let mut nonce = [0; 16];
        nonce[..2].copy_from_slice(&n.to_be_bytes());
        let body = Body::Genesis(Genesis {
            nonce,
            kind: hazard::KIND,
            home: self.home,
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            content,
        });
        (self.seal(None, &[], &body), document)
    }

    fn comment(&self, record: RecordId, parent: EnvelopeId, n: usize) -> Envelope {
        let event = Event::Comment(Comment {
            text: Some(Text::new(n.to_string()).unwrap()),
            attachments: Vec::new(),
            mentions: Vec::new(),
        });
        let (code, data) = event.encode();
        let body = Body::Event(EventBody {
            salt: Some([0; 16]),
            code,
            fold_version: FOLD_VERSION,
            data,
            on_behalf_of: None,
            replaces: None,
        });
        self.seal(Some(record), &[parent], &body)
    }

    fn actor(&self, epoch: u8) -> ActorId {
        ActorId::new(&self.device(), [epoch; 8])
    }
}

/// A long description, and as many changes that delete all of it as an author may write: each is a hundred bytes,
/// depends on the Genesis alone and is the first of its epoch.
fn deletions(attacker: &mut Attacker, n: u16) -> Vec<Envelope> {
    let chars = DESCRIPTION_CHARS_MAX.min(CHANGE_OPS_MAX);
    let (genesis, document) = attacker.report(n, "a".repeat(chars));
    let (record, mut parent) = (genesis.record(), genesis.id());
    if attacker.gone.is_empty() {
        let epochs = 1..u8::try_from(OPS_PER_AUTHOR_MAX / chars as u64).unwrap();
        let empty = [FieldEdit::text(Field::Description, "")];
        let gone = epochs.map(|epoch| document.edit(attacker.actor(epoch), &empty).unwrap());
        attacker.gone = gone.collect();
    }
    let mut envelopes = vec![genesis];
    for change in &attacker.gone {
        let body = Body::Change(Change {
            salt: Some([0; 16]),
            change: change.clone(),
            replaces: None,
        });
        let envelope = attacker.seal(Some(record), &[parent], &body);
        parent = envelope.id();
        envelopes.push(envelope);
    }
    envelopes
}

/// A record as long as it may become, in the worst order.
fn chains(attacker: &mut Attacker, n: u16) -> Vec<Envelope> {
    let (genesis, _) = attacker.report(n, String::new());
    let (record, mut parent) = (genesis.record(), genesis.id());
    let mut envelopes = vec![genesis];
    for n in 1..RECORD_ENTRIES_MAX {
        let envelope = attacker.comment(record, parent, n);
        parent = envelope.id();
        envelopes.push(envelope);
    }
    envelopes.reverse();
    envelopes
}

/// A record with comments that have all seen the Genesis and nothing else.
fn fans(attacker: &mut Attacker, n: u16) -> Vec<Envelope> {
    let (genesis, _) = attacker.report(n, String::new());
    let (record, parent) = (genesis.record(), genesis.id());
    let comments = (1..RECORD_ENTRIES_MAX).map(|n| attacker.comment(record, parent, n));
    std::iter::once(genesis.clone()).chain(comments).collect()
}
