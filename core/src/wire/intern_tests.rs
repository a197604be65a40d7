#![allow(clippy::unwrap_used, reason = "tests")]
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::columns::Columns;
use super::super::envelope::Header;
use super::super::samples::{Samples, bytes, damage};
use super::super::verdict::{HeldReason, Status, VoidReason};
use super::layout::*;
use super::*;
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};

#[test]
fn real_bundles_come_back_bit_for_bit_and_small() {
    let mut samples = Samples::new(1);
    let cases: Vec<_> = (0..50).map(|_| samples.hazard()).collect();
    let bundle = samples.bundle(&cases);
    let bytes = encode(&bundle.certificates, &bundle.envelopes);
    assert_eq!(
        decode(&bytes).unwrap(),
        (bundle.certificates.clone(), bundle.envelopes.clone())
    );
    let headers: usize = bundle.envelopes.iter().map(|raw| raw.header.len()).sum();
    let rest: usize = bundle.envelopes.iter().map(|raw| raw.body.len() + 64).sum();
    let facts: usize = bundle
        .certificates
        .iter()
        .map(|raw| raw.facts.len() + 64)
        .sum();
    let per_header = (bytes.len() - rest - facts) / bundle.envelopes.len();
    assert!(
        headers / bundle.envelopes.len() > 80,
        "a header alone is large"
    );
    assert!(per_header <= 12, "a header costs {per_header} B in a batch");
}

/// Headers of all kinds. A phone would write few of them.
fn odd_header(rng: &mut ChaCha8Rng, before: &[RawEnvelope]) -> Vec<u8> {
    let mut small = |n: u64| rng.next_u64() % n;
    let (parents, kind, version, raw) = (small(5), small(6), small(9), small(8));
    let (same_record, clock, mark) = (small(3), small(4), small(3));
    let mut any_parent = || match rng.next_u32() % 3 {
        0 => EnvelopeId(bytes(rng)),
        _ if before.is_empty() => EnvelopeId([9; 16]),
        _ => {
            let at = usize::try_from(rng.next_u64() % before.len() as u64).unwrap();
            before[at].hash().envelope_id()
        }
    };
    let many = if parents == 4 { 20 } else { parents };
    let header = Header {
        version: if version == 0 { 7 } else { 1 },
        suite: if version == 1 { 9 } else { 1 },
        body_kind: u8::try_from(kind).unwrap(),
        record: (same_record > 0).then_some(RecordId([u8::try_from(same_record).unwrap(); 16])),
        author: DeviceId([u8::try_from(clock).unwrap(); 16]),
        certificate: Hash([3; 32]),
        grant: u8::try_from(mark).unwrap(),
        parents: (0..many).map(|_| any_parent()).collect(),
        directory_seen: DirectoryMark {
            generation: u32::MAX,
            position: [0, 5, u64::MAX][usize::try_from(mark).unwrap()],
        },
        clock_ms: [0, i64::MIN, i64::MAX, 1_762_803_522_691][usize::try_from(clock).unwrap()],
    };
    let mut bytes = minicbor::to_vec(header).unwrap();
    match raw {
        0 => damage(rng, &mut bytes),
        1 => bytes.push(0),
        2 => bytes.clear(),
        3 => bytes.splice(1..2, [0x18, 1]).for_each(drop),
        _ => {}
    }
    bytes
}

#[test]
fn odd_headers_come_back_bit_for_bit() {
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut envelopes: Vec<RawEnvelope> = Vec::new();
        for _ in 0..rng.next_u32() % 20 {
            let header = odd_header(&mut rng, &envelopes);
            let len = usize::try_from(rng.next_u32() % 40).unwrap();
            let signature = bytes(&mut rng);
            envelopes.push(RawEnvelope {
                header,
                body: vec![7; len],
                signature,
            });
            if rng.next_u32().is_multiple_of(5) {
                envelopes.push(envelopes[0].clone());
            }
        }
        let odd = RawCertificate {
            facts: vec![1, 2, 3],
            signature: [0; 64],
        };
        let certificates = vec![odd; usize::try_from(seed % 3).unwrap()];
        let written = encode(&certificates, &envelopes);
        assert_eq!(
            decode(&written),
            Ok((certificates, envelopes)),
            "seed {seed}"
        );
    }
}

#[test]
fn verdicts_travel_beside_the_envelopes() {
    let mut samples = Samples::new(2);
    let case = samples.hazard();
    let statuses = [
        Status::Accepted,
        Status::Void(VoidReason::Clone),
        Status::Held(HeldReason::Newer),
    ];
    let judged: Vec<_> = case
        .raw()
        .into_iter()
        .zip(statuses.into_iter().cycle())
        .zip([5, i64::MIN, i64::MAX].into_iter().cycle())
        .map(|((raw, status), at_ms)| {
            (
                raw,
                Verdict {
                    status,
                    at_ms,
                    generation: 3,
                },
            )
        })
        .collect();
    let bytes = encode_judged(&[], &judged);
    assert_eq!(decode_judged(&bytes), Ok((vec![], judged)));
    assert_eq!(
        decode(&bytes),
        Err(ColumnError),
        "verdicts where none belong"
    );
    let unjudged = encode(&[], &case.raw());
    assert_eq!(
        decode_judged(&unjudged),
        Err(ColumnError),
        "no verdicts where some belong"
    );
}

#[test]
fn damaged_batches_are_refused_or_read_as_something_and_never_panic() {
    let mut samples = Samples::new(3);
    let cases = [samples.hazard(), samples.hazard(), samples.hazard()];
    let bundle = samples.bundle(&cases);
    let whole = encode(&bundle.certificates, &bundle.envelopes);
    for len in 0..whole.len() {
        assert_eq!(decode(&whole[..len]), Err(ColumnError), "cut at {len}");
    }
    for seed in 0..4_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = whole.clone();
        for _ in 0..=seed % 4 {
            damage(&mut rng, &mut bytes);
        }
        if let Ok((certificates, envelopes)) = decode(&bytes) {
            let again = encode(&certificates, &envelopes);
            assert_eq!(decode(&again), Ok((certificates, envelopes)), "seed {seed}");
        }
    }
    for seed in 0..2_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let noise: [u8; 80] = bytes(&mut rng);
        assert!(decode(&[&[VERSION][..], &noise].concat()).is_err());
    }
}

#[test]
fn counts_beyond_the_limit_or_beyond_the_bytes_are_refused() {
    for (certificates, envelopes) in [
        (0, u64::MAX),
        (u64::MAX, 0),
        (0, 60_000),
        (9_000, 0),
        (0, 70_000),
    ] {
        let mut out = Columns::<COLUMNS>::new();
        out.uint(COUNTS, certificates);
        out.uint(COUNTS, envelopes);
        let mut bytes = vec![VERSION];
        out.finish(&mut bytes);
        assert_eq!(decode(&bytes), Err(ColumnError));
    }
}
