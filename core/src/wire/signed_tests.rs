//! A signed structure has one spelling. No extra item rides along, and no absent field is written.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::body::{Body, Change, EventBody, Genesis};
use super::envelope::{Envelope, EnvelopeError, Header, RawEnvelope};
use super::verdict::Attestation;
use crate::domain::directory::DirectoryMark;
use crate::domain::kinds::tip;
use crate::domain::{Audience, Grant, Role, Scope};
use crate::fixtures::above;
use crate::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::limits::{ATTESTED_MAX, GRANTS_MAX, NAMED_MAX};
use crate::trust::certificate::{Certificate, CertificateError, Facts, RawCertificate};
use crate::trust::sign::{Authority, SecretKey};

fn header(record: Option<RecordId>, kind: u8) -> Header {
    Header {
        version: 1,
        suite: 1,
        body_kind: kind,
        record,
        author: DeviceId([1; 16]),
        certificate: Hash([2; 32]),
        grant: 0,
        parents: record.map(|_| EnvelopeId([3; 16])).into_iter().collect(),
        directory_seen: DirectoryMark::default(),
        clock_ms: 5,
    }
}

fn parse(header: &[u8], body: &[u8]) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(RawEnvelope {
        header: header.to_vec(),
        body: body.to_vec(),
        signature: [0; 64],
    })
}

/// The array with one item more, written by hand.
fn longer(array: &[u8], item: &[u8]) -> Vec<u8> {
    let mut longer = [array, item].concat();
    assert!((0x80..0x97).contains(&longer[0]));
    longer[0] += 1;
    longer
}

#[test]
fn absent_fields_written_at_the_end_are_refused() {
    let on = minicbor::to_vec(header(Some(RecordId([4; 16])), 2)).unwrap();
    let event_on = minicbor::to_vec(header(Some(RecordId([4; 16])), 3)).unwrap();
    let change = minicbor::to_vec(Change {
        salt: None,
        change: vec![1],
        replaces: None,
    });
    let event = minicbor::to_vec(EventBody {
        salt: None,
        code: 11,
        fold_version: 1,
        data: vec![0x80],
        on_behalf_of: None,
        replaces: None,
    });
    for (header, body) in [(on, change.unwrap()), (event_on, event.unwrap())] {
        assert!(parse(&header, &body).is_ok());
        assert_eq!(
            parse(&header, &longer(&body, &[0xf6])),
            Err(EnvelopeError::Shape)
        );
        assert_eq!(
            parse(&header, &longer(&body, &[0x00])),
            Err(EnvelopeError::Shape)
        );
        assert_eq!(
            parse(&longer(&header, &[0xf6]), &body),
            Err(EnvelopeError::Shape)
        );
    }
}

#[test]
fn item_more_inside_a_header_is_refused() {
    let body = minicbor::to_vec(Change {
        salt: None,
        change: vec![1],
        replaces: None,
    })
    .unwrap();
    let header = minicbor::to_vec(header(Some(RecordId([4; 16])), 2)).unwrap();
    let mark = [0x82, 0x00, 0x00];
    let at = header
        .windows(3)
        .rposition(|window| window == mark)
        .unwrap();
    let wide = [&header[..at], &longer(&mark, &[0x07]), &header[at + 3..]].concat();
    assert!(crate::cbor::canonical::check(&wide).is_ok());
    assert_eq!(parse(&wide, &body), Err(EnvelopeError::Shape));
}

#[test]
fn genesis_that_names_too_many_is_refused() {
    let header = minicbor::to_vec(header(None, 1)).unwrap();
    for (count, expected) in [(NAMED_MAX, true), (NAMED_MAX + 1, false)] {
        let genesis = Genesis {
            audience: Audience::Restricted,
            named: vec![MemberId([9; 16]); count],
            ..crate::fixtures::genesis(tip::KIND, above(1), vec![1])
        };
        let body = minicbor::to_vec(&genesis).unwrap();
        let read = parse(&header, &body);
        assert_eq!(read.is_ok(), expected, "{count}");
        assert!(read.is_err() || matches!(read.unwrap().body(), Body::Genesis(_)));
    }
}

fn facts(grants: usize) -> Facts {
    let key = SecretKey::from_seed(&[3; 32]).public();
    let grant = Grant {
        role: Role::Volunteer,
        scope: Scope::Unit(UnitId([5; 16])),
    };
    crate::fixtures::facts(&key, MemberId([4; 16]), vec![grant; grants])
}

#[test]
fn certificate_with_an_item_more_is_refused() {
    let read = |facts: Vec<u8>| {
        Certificate::from_store(RawCertificate {
            facts,
            signature: [0; 64],
        })
    };
    let good = minicbor::to_vec(facts(1)).unwrap();
    assert!(read(good.clone()).is_ok());
    let refused = Err(CertificateError::Malformed);
    assert_eq!(read(longer(&good, &[0x01])), refused);
    assert_eq!(read(longer(&good, &[0xf6])), refused);
    // One inside a grant: [role, scope, something].
    let grant = minicbor::to_vec(&facts(1).grants[0]).unwrap();
    let at = good
        .windows(grant.len())
        .position(|window| window == grant)
        .unwrap();
    let wide = [
        &good[..at],
        &longer(&grant, &[0x01]),
        &good[at + grant.len()..],
    ]
    .concat();
    assert_eq!(read(wide), refused);
    let issuer = SecretKey::from_seed(&[2; 32]);
    let authority = Authority::of_root(&SecretKey::from_seed(&[1; 32]).public());
    for (grants, expected) in [(GRANTS_MAX, true), (GRANTS_MAX + 1, false)] {
        let issued = Certificate::issue(&facts(grants), &issuer, &authority);
        assert_eq!(issued.is_ok(), expected, "{grants}");
    }
}

#[test]
fn attestation_with_too_many_lines_is_refused_unread() {
    let mut bytes = Vec::new();
    let mut e = minicbor::Encoder::new(&mut bytes);
    e.array(5).unwrap().encode(DeviceId([1; 16])).unwrap();
    e.u32(1)
        .unwrap()
        .i64(1)
        .unwrap()
        .array(ATTESTED_MAX as u64 + 1)
        .unwrap();
    let error = minicbor::decode::<Attestation>(&bytes).unwrap_err();
    assert!(
        error.to_string().contains("more items than allowed"),
        "{error}"
    );
}
