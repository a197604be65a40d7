//! The bytes of the wire, pinned: `golden/*.hex` never change. A difference is a new version of the format.
//!
//! A file that is missing is written, and the test fails once: so a new one is added by running it twice.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::fmt::Write;

use super::body::{Body, EventBody};
use super::envelope::{DirectoryMark, Envelope, Header, RawEnvelope};
use super::frame;
use super::intern;
use super::message::{Bundle, Known, SyncRequest};
use super::pack::{Pack, PackBatch, PackContent, PackEntry, PackEvent};
use super::verdict::{Attestation, AttestedEnvelope, Status, StreamPosition, Verdict, VoidReason};
use crate::domain::case::{GenesisFacts, OnBehalfOf, Party};
use crate::domain::{AreaPath, Audience, Grant, RecordKind, Role, Scope, Source, StreamId, Text};
use crate::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::limits::REQUEST_BYTES_MAX;
use crate::trust::certificate::{Certificate, Facts};
use crate::trust::sign::{Authority, SecretKey};

fn golden(name: &str, bytes: &[u8]) {
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
    Authority::of_root(&SecretKey::from_seed(&[1; 32]).public())
}

fn home() -> AreaPath {
    AreaPath::new(&["330105", "330105003", "330105003058"].map(AreaId::of_first_code)).unwrap()
}

fn certificate() -> Certificate {
    let key = SecretKey::from_seed(&[3; 32]).public();
    let facts = Facts {
        version: 1,
        device: key.device(),
        device_key: *key.as_bytes(),
        member: Some(MemberId([4; 16])),
        grants: vec![
            Grant {
                role: Role::GridWorker,
                scope: Scope::Area(home()),
            },
            Grant {
                role: Role::Handler,
                scope: Scope::Unit(UnitId([5; 16])),
            },
        ],
        issued_ms: 1_762_803_522_691,
        expires_ms: 1_794_339_522_691,
        issued_at: DirectoryMark {
            generation: 1,
            position: 40,
        },
        issuer: SecretKey::from_seed(&[2; 32]).public().device(),
    };
    Certificate::issue(&facts, &SecretKey::from_seed(&[2; 32]), &authority()).unwrap()
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
        version: 1,
        suite: 1,
        body_kind,
        record,
        author: certificate.facts().device,
        certificate: certificate.hash(),
        grant: 1,
        parents,
        directory_seen: DirectoryMark {
            generation: 1,
            position: 41,
        },
        clock_ms: 1_762_803_600_000,
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
    // staff, no team, by a member, nobody named, no link, content
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
        data: vec![0x81, 0xf6],
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
        kind: RecordKind::Hazard,
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
    };
    golden("sync_request", &minicbor::to_vec(&request).unwrap());
    // The compressor may choose other bytes in another version; what must not change is how they are read.
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
