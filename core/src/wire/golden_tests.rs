//! The bytes of the wire, pinned: `golden/*.hex` never change. A difference is a new version of the
//! format.
//!
//! The test writes a missing file and fails once. So run it twice to add a new one.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::fmt::Write;

use minicbor::bytes::ByteVec;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::body::{Body, EventBody, Genesis};
use super::cursor::CursorAt;
use super::digest::Digest;
use super::envelope::{Envelope, Header, RawEnvelope};
use super::frame;
use super::intern;
use super::measure::{Measure, Quantity};
use super::message::{Bundle, CursorsAnswer, Known, SyncRequest, SyncResponse};
use super::pack::{Pack, PackBatch, PackContent, PackEntry, PackEvent};
use super::page::{FeedEntry, Page, Segment};
use super::receipt::Receipt;
use super::repair::{RepairAnswer, RepairFound};
use super::sealed::SealedCertificate;
use super::signed_entry::SignedEntry;
use super::verdict::{Attestation, AttestedEnvelope, Status, StreamPosition, Verdict, VoidReason};
use crate::crdt::{ActorId, build_genesis};
use crate::domain::area::{AreaLevel, AreaVersion};
use crate::domain::areas::AreaEntry;
use crate::domain::bulletin::Summary;
use crate::domain::case::payload::Bare;
use crate::domain::case::{Event, GenesisFacts, OnBehalfOf, Party, Stage};
use crate::domain::category::Category;
use crate::domain::content::{Field, FieldValue, StoredPosition};
use crate::domain::directory::DirectoryMark;
use crate::domain::directory::{Access, DirectoryEntry, MemberName, Revocation};
use crate::domain::form::Template;
use crate::domain::kinds::hazard;
use crate::domain::names::Names;
use crate::domain::point::GeoPoint;
use crate::domain::polygon::{Boundary, Polygon, Ring};
use crate::domain::position::{Datum, Position};
use crate::domain::unit::{Unit, UnitKind};
use crate::domain::zone::{ZoneEntry, ZoneVersion};
use crate::domain::{AreaPath, Audience, Grant, Role, Scope, Source, StreamId, Text};
use crate::fixtures::{Deployment, facts, genesis, header};
use crate::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId, ZoneId};
use crate::limits::REQUEST_BYTES_MAX;
use crate::trust::certificate::{
    Anchors, Certificate, Facts, ServerKey, ServerKeys, ServerPurpose,
};
use crate::trust::peer_session::MeetingSecrets;
use crate::trust::session::{ClientHandshake, HandshakeKey, ServerHandshake, SessionId};
use crate::trust::sign::{Authority, SecretKey};

/// Compares bytes with the vector of this name. Other modules pin the formats that they alone can
/// make.
pub(crate) fn golden(name: &str, bytes: &[u8]) {
    let mut text = String::new();
    for line in bytes.chunks(48) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    let path = format!("{}/src/wire/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let Ok(kept) = std::fs::read_to_string(&path) else {
        std::fs::write(&path, text).unwrap();
        panic!("{path} was missing and has been written: look at it, then run again");
    };
    assert_eq!(kept, text, "the bytes of {name} changed");
}

fn authority() -> Authority {
    *Deployment::new().authority()
}

/// The root key has the seed 01…, the one server key of all purposes 02…, the phone 03….
fn server_keys() -> ServerKeys {
    let [root, server, retired] = [1, 2, 4].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let in_use = [
        ServerPurpose::Certificates,
        ServerPurpose::Receipts,
        ServerPurpose::Packs,
    ]
    .map(|purpose| ServerKey::new(&server.public(), purpose, 1_762_000_000_000, 1_919_000_000));
    let retired = ServerKey {
        until_ms: Some(1_762_800_000_000),
        ..ServerKey::new(&retired.public(), ServerPurpose::Packs, 0, 7)
    };
    let keys = in_use.into_iter().chain([retired]).collect();
    ServerKeys::sign(&root, 1_762_803_522_691, keys)
}

fn home() -> AreaPath {
    AreaPath::new(&["330105", "330105003", "330105003058"].map(AreaId::of_first_code)).unwrap()
}

fn certificate() -> Certificate {
    let key = SecretKey::from_seed(&[3; 32]).public();
    let grants = vec![
        Grant {
            role: Role::GridWorker,
            scope: Scope::Area(home()),
        },
        Grant {
            role: Role::Handler,
            scope: Scope::Unit(UnitId([5; 16])),
        },
    ];
    Deployment::new().certify(&Facts {
        issued_ms: 1_762_803_522_691,
        expires_ms: 1_794_339_522_691,
        issued_at: DirectoryMark {
            generation: 1,
            position: 40,
        },
        ..facts(&key, MemberId([4; 16]), grants)
    })
}

fn envelope(
    body_kind: u8,
    body: Vec<u8>,
    record: Option<RecordId>,
    parents: &[&Envelope],
) -> Envelope {
    let certificate = certificate();
    let mut parents: Vec<EnvelopeId> = parents.iter().map(|parent| parent.id()).collect();
    parents.sort_unstable();
    let header = Header {
        body_kind,
        grant: 1,
        directory_seen: DirectoryMark {
            generation: 1,
            position: 41,
        },
        ..header(&certificate, record, &parents, 1_762_803_600_000)
    };
    let body = Envelope::parse(RawEnvelope {
        header: minicbor::to_vec(&header).unwrap(),
        body,
        signature: [0; 64],
    })
    .unwrap()
    .body()
    .clone();
    Envelope::seal(header, &body, &SecretKey::from_seed(&[3; 32]), &authority()).unwrap()
}

/// Bodies are written here by hand, so that no encoder vouches for itself.
fn envelopes() -> [Envelope; 4] {
    let mut genesis = vec![0x89, 0x50];
    genesis.extend([6; 16]);
    genesis.push(1);
    genesis.extend(minicbor::to_vec(home()).unwrap());
    // staff, no team, by a member, no named reader, no link, content
    genesis.extend([0x01, 0xf6, 0x01, 0x80, 0xf6, 0x43, 0xaa, 0xbb, 0xcc]);
    let genesis = envelope(1, genesis, None, &[]);
    let record = Some(genesis.record());
    let mut change = vec![0x82, 0x50];
    change.extend([7; 16]);
    change.extend([0x43, 1, 2, 3]);
    let change = envelope(2, change, record, &[&genesis]);
    let event = Body::Event(EventBody {
        salt: Some([8; 16]),
        code: 11,
        fold_version: 1,
        // A close without a note: absent fields at the end are not written.
        data: vec![0x80],
        on_behalf_of: Some(OnBehalfOf {
            party: Party::Unit(UnitId([5; 16])),
            reason: Text::new("手机没电").unwrap(),
        }),
        replaces: Some(change.id()),
    });
    let Body::Event(event) = event else {
        unreachable!()
    };
    let event = envelope(3, minicbor::to_vec(event).unwrap(), record, &[&change]);
    let unknown = envelope(9, vec![0x81, 0x01], record, &[&change, &event]);
    [genesis, change, event, unknown]
}

fn attestation() -> Attestation {
    let at = StreamPosition {
        stream: StreamId::Unit(UnitId([5; 16])),
        position: 7,
    };
    let lines = [Status::Accepted, Status::Void(VoidReason::Clone)]
        .into_iter()
        .zip(envelopes())
        .map(|(status, envelope)| AttestedEnvelope {
            hash: envelope.hash(),
            verdict: Verdict {
                status,
                at_ms: 1_762_803_700_000,
                generation: 1,
            },
            at: vec![at],
        })
        .collect();
    let key = SecretKey::from_seed(&[2; 32]);
    Attestation::sign(1, 1_762_803_700_000, lines, &key, &authority())
}

fn pack() -> Pack {
    let [genesis, change, event, unknown] = envelopes();
    let contents = [
        PackContent::Genesis { actor: 0 },
        PackContent::Change {
            actor: 1,
            seq: 1,
            replaces: None,
        },
        PackContent::Event(PackEvent {
            code: 3,
            fold_version: 1,
            data: [&[0x82, 0x50][..], &change.id().0, &[0x80]].concat(),
            on_behalf_of: None,
            replaces: Some(EnvelopeId([9; 16])),
        }),
        PackContent::Stub {
            body_kind: 9,
            change: Some(Hash([10; 32])),
        },
    ];
    let entries = (0_u32..)
        .zip([genesis, change, event, unknown])
        .zip(contents)
        .map(|((index, envelope), content)| PackEntry {
            id: envelope.id(),
            parents: if index == 3 {
                vec![1, 2]
            } else {
                index.checked_sub(1).into_iter().collect()
            },
            author: DeviceId([11; 16]),
            certificate: Hash([12; 32]),
            grant: 1,
            clock_ms: 1_762_803_600_000 + i64::from(index) * 5_000,
            verdict: Verdict {
                status: Status::Accepted,
                at_ms: 1_762_803_700_000,
                generation: 2,
            },
            content,
        })
        .collect();
    let genesis = GenesisFacts {
        kind: hazard::KIND,
        home: home(),
        audience: Audience::Staff,
        team: None,
        source: Source::Member,
        named: vec![MemberId([13; 16])],
        linked: None,
    };
    Pack {
        genesis,
        document: b"document".to_vec(),
        entries,
    }
}

/// A report as a phone makes it: its content is a real Automerge change.
fn report() -> Envelope {
    let certificate = certificate();
    let actor = ActorId::new(&certificate.facts().device, [15; 8]);
    let position = Position::new(302_741_000, 1_201_551_000, Datum::Gcj02, Some(12), 3_000);
    let content = hazard::SPEC.content([
        (Field::Title, FieldValue::Text("武林路133号".into())),
        (Field::Category, FieldValue::Text("gas".into())),
        (Field::Own(&hazard::SEVERITY), FieldValue::Number(3)),
        (Field::OccurredMs, FieldValue::Number(1_762_803_540_000)),
        (
            Field::Position,
            FieldValue::Position(StoredPosition::of(position.unwrap())),
        ),
        (
            Field::Answer("gas_valve".into()),
            FieldValue::Text("已关闭".into()),
        ),
        (
            Field::Photo(Hash([16; 32])),
            FieldValue::Text("后厨🔥".into()),
        ),
        (
            Field::Description,
            FieldValue::Text("后厨存放6个液化气瓶。".into()),
        ),
    ]);
    let content = build_genesis(&content, actor).unwrap();
    let body = Body::Genesis(Genesis {
        nonce: [17; 16],
        team: Some(UnitId([5; 16])),
        ..genesis(hazard::KIND, home(), content)
    });
    let header = Header {
        directory_seen: certificate.facts().issued_at,
        ..header(&certificate, None, &[], 1_762_803_600_000)
    };
    Envelope::seal(header, &body, &SecretKey::from_seed(&[3; 32]), &authority()).unwrap()
}

fn ms(ms: i64) -> i64 {
    1_762_803_000_000 + ms
}

/// One entry of each kind that a directory has.
fn directory_entries() -> [DirectoryEntry; 7] {
    let names = |zh, en| Names::new(zh, en).unwrap();
    let corner = |lat, lon| GeoPoint::new(lat, lon).unwrap();
    let outer = [
        (302_700_000, 1_201_500_000),
        (302_700_000, 1_201_600_000),
        (302_800_000, 1_201_600_000),
        (302_700_000, 1_201_500_000),
    ]
    .map(|(lat, lon)| corner(lat, lon));
    let boundary = Boundary::new(vec![Polygon {
        outer: Ring::from_closed(outer.to_vec()).unwrap(),
        holes: vec![],
    }]);
    let (village, town) = (home().leaf(), home().town().unwrap());
    let (member, unit, zone) = (MemberId([4; 16]), UnitId([5; 16]), ZoneId([18; 16]));
    [
        DirectoryEntry::Area(AreaEntry {
            id: village,
            level: AreaLevel::Village,
            parent: Some(town),
            version: AreaVersion {
                code: "330105003058".parse().unwrap(),
                names: names("长庆社区", Some("Changqing")),
                boundary: Some(boundary.unwrap()),
                valid_from_ms: ms(0),
                valid_to_ms: None,
            },
            successors: vec![],
        }),
        DirectoryEntry::Zone(ZoneEntry {
            id: zone,
            names: names("中片", None),
            version: ZoneVersion {
                areas: [village].into(),
                valid_from_ms: ms(0),
                valid_to_ms: Some(ms(1)),
            },
        }),
        DirectoryEntry::Unit(Unit {
            id: unit,
            names: names("燃气公司", Some("Gas company")),
            kind: UnitKind::Utility,
            area: town,
            dissolved_at_ms: None,
        }),
        DirectoryEntry::Category(Category {
            code: "gas".to_owned().try_into().unwrap(),
            class: Some("safety".to_owned().try_into().unwrap()),
            names: names("燃气", None),
            standard_code: None,
            retired: false,
        }),
        DirectoryEntry::Revocation(Revocation {
            device: DeviceId([11; 16]),
            revoked_at_ms: ms(2),
        }),
        DirectoryEntry::MemberName(MemberName {
            member,
            public_name: Some("网格员甲".into()),
            area: village,
        }),
        DirectoryEntry::Access(Access {
            member,
            at_ms: ms(3),
            lost: vec![StreamId::Zone(zone)],
            gained: vec![StreamId::Unit(unit)],
        }),
    ]
}

fn signed_entries() -> Vec<ByteVec> {
    let server = SecretKey::from_seed(&[2; 32]);
    directory_entries()
        .iter()
        .map(|entry| {
            SignedEntry::sign(entry, &server, &authority())
                .to_bytes()
                .into()
        })
        .collect()
}

/// An entry with a template of one question.
fn signed_template() -> Vec<u8> {
    let json = r#"{"format":1,"id":"lane","version":2,"title":{"zh":"消防通道"},
            "items":[{"type":"yes_no","id":"clear",
            "label":{"zh":"畅通吗？","en":"Is it clear?"},"required":"true()"}]}"#;
    let template = Template::parse(json.as_bytes()).unwrap();
    let entry = DirectoryEntry::Template(template.into());
    let server = SecretKey::from_seed(&[2; 32]);
    SignedEntry::sign(&entry, &server, &authority()).to_bytes()
}

fn bulletin() -> Summary {
    Summary {
        record: report().record(),
        kind: hazard::KIND,
        category: Some("gas".to_owned().try_into().unwrap()),
        stage: Stage::Triaged,
        position: Some((302_740_000, 1_201_550_000)),
        reported_ms: ms(600_000),
    }
}

/// An answer with something of everything: receipt, page with packs and proof, repair, sealed
/// certificate.
#[expect(clippy::too_many_lines, reason = "a message with every field")]
fn response() -> SyncResponse {
    let server = SecretKey::from_seed(&[2; 32]);
    let [genesis, change, event, _] = envelopes();
    let verdict = |status| Verdict {
        status,
        at_ms: ms(700_000),
        generation: 1,
    };
    let (accepted, void) = (
        verdict(Status::Accepted),
        verdict(Status::Void(VoidReason::Clone)),
    );
    let (unit, village) = (StreamId::Unit(UnitId([5; 16])), home().leaf());
    let at = |position, digest| CursorAt::At {
        generation: 1,
        position,
        digest: Digest::from_bytes([digest; 16]),
    };
    let segment = |stream, first, entries, next| Segment {
        stream,
        first,
        entries,
        next,
    };
    let packs = vec![pack().to_bytes().unwrap()];
    let mut page = Page {
        certificates: vec![certificate().raw().clone()],
        envelopes: vec![
            (genesis.raw().clone(), accepted),
            (change.raw().clone(), void),
        ],
        packs: vec![PackBatch::sign(
            packs,
            1,
            ms(800_000),
            &server,
            &authority(),
        )],
        segments: vec![
            segment(
                unit,
                7,
                vec![
                    FeedEntry::Envelope(0),
                    FeedEntry::Envelope(1),
                    FeedEntry::Add {
                        record: report().record(),
                    },
                    FeedEntry::Withdraw {
                        record: RecordId([19; 16]),
                    },
                    FeedEntry::Verdict {
                        hash: event.hash(),
                        verdict: void,
                    },
                    FeedEntry::Sent(0),
                    FeedEntry::Known(event.id()),
                    FeedEntry::Nothing,
                ],
                at(14, 20),
            ),
            segment(
                StreamId::AreaStaff(village),
                0,
                vec![FeedEntry::Packs { first: 0, count: 1 }],
                CursorAt::Loading {
                    generation: 1,
                    position: 30,
                    after: vec![21; 8],
                },
            ),
            segment(
                StreamId::DirectoryBase,
                41,
                signed_entries()
                    .into_iter()
                    .map(|entry| FeedEntry::Directory(entry.to_vec()))
                    .collect(),
                at(47, 0),
            ),
            segment(
                StreamId::Bulletin(village),
                3,
                vec![FeedEntry::Bulletin(minicbor::to_vec(bulletin()).unwrap())],
                at(3, 0),
            ),
        ],
        proof: None,
    };
    page.sign(1, ms(800_000), &server, &authority()).unwrap();
    SyncResponse {
        version: 1,
        generation: 1,
        time_ms: ms(800_000),
        session_expires_ms: Some(ms(1_700_000)),
        receipt: Some(receipt()),
        missing: vec![],
        cursors: CursorsAnswer::Moved,
        streams: Some(vec![StreamId::DirectoryBase, unit]),
        page: Some(page),
        repair: vec![RepairAnswer {
            stream: unit,
            step: RepairFound::Ids {
                record: genesis.record(),
                reader_lacks: vec![event.id()],
                server_lacks: vec![],
            },
        }],
        heads: Digest::from_bytes([22; 16]),
        more: true,
        closed: None,
        sealed: vec![SealedCertificate {
            certificate: Hash([23; 32]),
            bytes: vec![24; 256],
        }],
        not_taken: vec![genesis.record()],
        parcels: None,
        measure: None,
    }
}

fn receipt() -> Receipt {
    let line = AttestedEnvelope {
        hash: report().hash(),
        verdict: Verdict {
            status: Status::Accepted,
            at_ms: ms(700_000),
            generation: 1,
        },
        at: vec![StreamPosition {
            stream: StreamId::AreaStaff(home().leaf()),
            position: 31,
        }],
    };
    let server = SecretKey::from_seed(&[2; 32]);
    Receipt::of(Attestation::sign(
        1,
        ms(700_000),
        vec![line],
        &server,
        &authority(),
    ))
}

/// A whole handshake and one exchange after it. The randomness is seeded, so the bytes are equal
/// each time.
fn session() -> Vec<Vec<u8>> {
    let [phone, server] = [3, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let mut of_phone = ChaCha20Rng::from_seed([31; 32]);
    let mut of_server = ChaCha20Rng::from_seed([32; 32]);
    // The first random bytes of each side are its secret key for this handshake.
    let mut secret = [0; 32];
    of_phone.clone().fill_bytes(&mut secret);
    let root = SecretKey::from_seed(&[1; 32]).public();
    let anchors = Anchors::new(root, server_keys()).unwrap();
    let (client, hello) = ClientHandshake::start(&authority(), &mut of_phone);
    let now_ms = ms(900_000);
    let sealing = HandshakeKey::generate(&mut ChaCha20Rng::from_seed([34; 32]));
    let (_, server_hello) =
        ServerHandshake::answer(&hello, &server, &anchors, &sealing, now_ms, &mut of_server)
            .unwrap();
    let (client, proof) = client
        .prove(&server_hello, &anchors, &phone, &certificate())
        .unwrap();
    let proven = ServerHandshake::open(&proof, &sealing)
        .unwrap()
        .finish(
            &proof,
            &authority(),
            now_ms,
            |raw| Certificate::from_store(raw).ok(),
            |_| Ok(()),
        )
        .unwrap();
    let newer = Some(certificate().raw().clone());
    let secrets = MeetingSecrets::generate(&mut ChaCha20Rng::from_seed([33; 32]));
    let id = SessionId::generate(&mut of_server);
    let (_, grant) = proven.grant(1, secrets, newer, now_ms, id);
    let (session, _) = client.finish(&grant, now_ms).unwrap();
    let (body, answer) = (b"the body of a request", b"the body of its answer");
    let tag = session.tag(0x1f, "POST", "/v1/sync", body);
    vec![
        secret.to_vec(),
        hello,
        server_hello,
        proof,
        grant,
        session.key.as_bytes().to_vec(),
        body.to_vec(),
        tag.session_header().into_bytes(),
        tag.mac_header().into_bytes(),
        answer.to_vec(),
        session.answer_mac(&tag.mac, answer).into_bytes(),
    ]
}

#[test]
fn bytes_of_sessions_never_change() {
    golden("server_keys", &minicbor::to_vec(server_keys()).unwrap());
    let session: Vec<ByteVec> = session().into_iter().map(ByteVec::from).collect();
    golden("session", &minicbor::to_vec(session).unwrap());
}

#[test]
fn bytes_of_answers_and_their_parts_never_change() {
    golden(
        "envelope_report",
        &minicbor::to_vec(report().raw()).unwrap(),
    );
    golden(
        "directory_entries",
        &minicbor::to_vec(signed_entries()).unwrap(),
    );
    golden("directory_template", &signed_template());
    golden("bulletin", &minicbor::to_vec(bulletin()).unwrap());
    golden("receipt", &minicbor::to_vec(receipt()).unwrap());
    golden("sync_response", &minicbor::to_vec(response()).unwrap());
    let request = SyncRequest::of_measure(Known::All(Vec::new()));
    golden("measure_request", &minicbor::to_vec(request).unwrap());
    let quantity = |count, bytes| Quantity { count, bytes };
    let measure = Measure {
        open: quantity(40, 18_000),
        rest: quantity(360, 120_000),
        changes: quantity(7, 900),
        directory: quantity(55, 4_100),
        certificates: quantity(12, 3_100),
        photos_open: quantity(3, 600_000),
        photos_rest: quantity(20, 4_000_000),
        is_partial: true,
    };
    golden("measure", &minicbor::to_vec(measure).unwrap());
}

#[test]
fn the_bytes_of_envelopes_certificates_and_attestations_never_change() {
    for (name, envelope) in ["genesis", "change", "event", "unknown"]
        .into_iter()
        .zip(envelopes())
    {
        golden(
            &format!("envelope_{name}"),
            &minicbor::to_vec(envelope.raw()).unwrap(),
        );
    }
    golden(
        "certificate",
        &minicbor::to_vec(certificate().raw()).unwrap(),
    );
    golden("attestation", &minicbor::to_vec(attestation()).unwrap());
}

#[test]
fn golden_event_is_one_that_is_taken() {
    let [.., event, _] = envelopes();
    let Body::Event(body) = event.body() else {
        unreachable!()
    };
    let read = Event::decode(body.code, body.fold_version, &body.data);
    assert_eq!(read, Ok(Event::Close(Bare { note: None })));
    assert!(Event::decode(body.code, body.fold_version, &[0x81, 0xf6]).is_err());
}

#[test]
fn the_bytes_of_batches_packs_and_frames_never_change() {
    let certificates = vec![certificate().raw().clone()];
    let envelopes = envelopes().map(|envelope| envelope.raw().clone()).to_vec();
    golden("batch", &intern::encode(&certificates, &envelopes));
    let bytes = pack().to_bytes().unwrap();
    golden("pack", &bytes);
    let key = SecretKey::from_seed(&[2; 32]);
    let packs = PackBatch::sign(vec![bytes], 2, 1_762_803_800_000, &key, &authority());
    golden("pack_batch", &minicbor::to_vec(packs).unwrap());
    let request = SyncRequest {
        version: 1,
        known: Known::Hash(Hash([14; 32])),
        bundle: Some(Bundle {
            certificates,
            envelopes,
        }),
        give_back: None,
        repair: vec![],
        page_bytes_max: 262_144,
        parcels: None,
        measure: None,
    };
    golden("sync_request", &minicbor::to_vec(&request).unwrap());
    // The compressor may choose other bytes in another version, but every version must read them
    // alike.
    let path = format!("{}/src/wire/golden/frame.hex", env!("CARGO_MANIFEST_DIR"));
    if !std::path::Path::new(&path).exists() {
        golden(
            "frame",
            &frame::encode(&request, REQUEST_BYTES_MAX).unwrap(),
        );
    }
    let hex: String = std::fs::read_to_string(path)
        .unwrap()
        .split_whitespace()
        .collect();
    let frame: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    assert_eq!(frame::decode(&frame, REQUEST_BYTES_MAX), Ok(request));
}
