#![allow(clippy::unwrap_used, reason = "tests")]
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::cursor::CursorAt;
use super::super::digest::Digest;
use super::super::message::{CursorsAnswer, Known, SyncRequest, SyncResponse};
use super::super::page::{FeedEntry, Page, PageError, Segment};
use super::super::receipt::Receipt;
use super::super::samples::{START_MS, Samples, bytes, damage};
use super::super::verdict::{Attestation, AttestedEnvelope, Status, StreamPosition, Verdict};
use super::*;
use crate::domain::StreamId;
use crate::id::{Hash, UnitId};
use crate::limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};

const STREAM: StreamId = StreamId::Unit(UnitId([4; 16]));

fn nothing_changed() -> (SyncRequest, SyncResponse) {
    let request = SyncRequest {
        version: 1,
        known: Known::Hash(Hash::of(&[b"cursors"])),
        bundle: None,
        give_back: None,
        repair: vec![],
        page_bytes_max: 262_144,
        parcels: None,
        measure: None,
    };
    let response = SyncResponse {
        version: 1,
        generation: 1,
        time_ms: START_MS,
        session_expires_ms: Some(START_MS + 900_000),
        receipt: None,
        missing: vec![],
        cursors: CursorsAnswer::Unchanged,
        streams: None,
        page: None,
        repair: vec![],
        heads: Digest::from_bytes(Hash::of(&[b"heads"]).first16()),
        more: false,
        closed: None,
        sealed: Vec::new(),
        not_taken: Vec::new(),
        parcels: None,
        measure: None,
    };
    (request, response)
}

/// An answer with a receipt and a page of some cases.
#[expect(clippy::too_many_lines, reason = "one value for each field")]
fn full_response(samples: &mut Samples) -> SyncResponse {
    let verdict = Verdict {
        status: Status::Accepted,
        at_ms: START_MS,
        generation: 1,
    };
    let case = samples.hazard();
    let sent = case.envelopes[0].hash();
    let at = vec![StreamPosition {
        stream: STREAM,
        position: 4,
    }];
    let line = AttestedEnvelope {
        hash: sent,
        verdict,
        at,
    };
    let receipt = Attestation::sign(
        1,
        START_MS,
        vec![line],
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let envelopes: Vec<_> = case.raw().into_iter().map(|raw| (raw, verdict)).collect();
    let mut entries: Vec<_> = (0..u32::try_from(envelopes.len()).unwrap())
        .map(FeedEntry::Envelope)
        .collect();
    entries.extend([
        FeedEntry::Sent(0),
        FeedEntry::Nothing,
        FeedEntry::Add {
            record: case.envelopes[0].record(),
        },
        FeedEntry::Verdict {
            hash: sent,
            verdict,
        },
        FeedEntry::Directory(vec![1, 2, 3]),
    ]);
    let packs = vec![samples.hazard().pack(7).to_bytes().unwrap()];
    let packs = super::super::pack::PackBatch::sign(
        packs,
        1,
        5,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let next = CursorAt::At {
        generation: 1,
        position: 99,
        digest: Digest::EMPTY,
    };
    let mut page = Page {
        certificates: vec![samples.devices[0].certificate.raw().clone()],
        envelopes,
        packs: vec![packs],
        segments: vec![Segment {
            stream: STREAM,
            first: 4,
            entries,
            next,
        }],
        proof: None,
    };
    page.sign(
        1,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    )
    .unwrap();
    let mut response = nothing_changed().1;
    response.receipt = Some(Receipt::of(receipt));
    response.streams = Some(vec![STREAM, StreamId::DirectoryBase]);
    response.page = Some(page);
    response
}

#[test]
fn nothing_changed_costs_less_than_300_bytes_both_ways() {
    let (request, response) = nothing_changed();
    let (up, down) = (request.to_bytes().unwrap(), response.to_bytes().unwrap());
    assert!(up.len() + down.len() < 300, "{} + {}", up.len(), down.len());
    assert_eq!(SyncRequest::from_bytes(&up), Ok(request));
    assert_eq!(SyncResponse::from_bytes(&down), Ok(response));
}

#[test]
fn messages_come_back_and_their_signatures_hold() {
    let mut samples = Samples::new(1);
    let cases: Vec<_> = (0..5).map(|_| samples.hazard()).collect();
    let mut request = nothing_changed().0;
    request.bundle = Some(samples.bundle(&cases));
    let up = request.to_bytes().unwrap();
    assert_eq!(SyncRequest::from_bytes(&up), Ok(request));

    let response = full_response(&mut samples);
    let down = response.to_bytes().unwrap();
    let again = SyncResponse::from_bytes(&down).unwrap();
    assert_eq!(again, response);
    let page = again.page.unwrap();
    let kept = page.verify(&samples.deployment.anchors).unwrap().unwrap();
    assert_eq!(kept.envelopes.len(), page.envelopes.len() + 1);
    assert_eq!(
        kept.envelopes[0].at,
        [StreamPosition {
            stream: STREAM,
            position: 4
        }]
    );
    let sent = page.envelopes[0].0.hash();
    let receipt = again.receipt.unwrap();
    receipt
        .clone()
        .attestation(&[sent])
        .unwrap()
        .verify(&samples.deployment.anchors)
        .unwrap();
    assert!(receipt.clone().attestation(&[]).is_err());
    let of_others = receipt.attestation(&[Hash([1; 32])]).unwrap();
    assert!(of_others.verify(&samples.deployment.anchors).is_err());
}

#[test]
fn thorough_frame_is_smaller_and_reads_the_same() {
    let mut samples = Samples::new(4);
    let mut response = full_response(&mut samples);
    // One message is small enough for the dictionary, the other one is too large.
    for entries in [400, 4_000_u32] {
        let entry = |n: u32| FeedEntry::Directory(format!("area {} of {n}", n * n % 977).into());
        response.page.as_mut().unwrap().segments[0].entries = (0..entries).map(entry).collect();
        let usual = response.to_bytes().unwrap();
        let thorough = response.to_bytes_with(Effort::Thorough).unwrap();
        assert!(thorough.len() < usual.len(), "{entries}");
        assert_eq!(thorough[..2], usual[..2], "the same form");
        assert_eq!(SyncResponse::from_bytes(&thorough).unwrap(), response);
    }
}

#[test]
fn a_page_whose_parts_were_moved_does_not_verify() {
    let mut samples = Samples::new(2);
    let page = full_response(&mut samples).page.unwrap();
    let spoil: [fn(&mut Page); 5] = [
        |page| page.segments[0].first += 1,
        |page| page.segments[0].entries.swap(0, 1),
        |page| page.envelopes[0].1.at_ms += 1,
        |page| page.proof = None,
        |page| page.segments[0].stream = StreamId::DirectoryBase,
    ];
    for (index, spoil) in spoil.into_iter().enumerate() {
        let mut spoilt = page.clone();
        // With a single envelope, swapping means swapping in another entry. Its positions still
        // move.
        spoil(&mut spoilt);
        assert!(
            matches!(
                spoilt.verify(&samples.deployment.anchors),
                Err(PageError::Signature(_))
            ),
            "{index}"
        );
    }
    let mut beyond = page.clone();
    beyond.segments[0].entries.push(FeedEntry::Envelope(9_999));
    assert_eq!(
        beyond.verify(&samples.deployment.anchors),
        Err(PageError::Index)
    );
    let mut far = page;
    far.segments[0].first = u64::MAX;
    assert_eq!(
        far.verify(&samples.deployment.anchors),
        Err(PageError::Index)
    );
}

#[test]
fn a_frame_that_would_inflate_is_refused_before_it_is_inflated() {
    let zeros = vec![0_u8; 395 * 1_024 * 1_024];
    let mut bomb = vec![VERSION, ZSTD];
    bomb.extend(zstd::bulk::compress(&zeros, 3).unwrap());
    drop(zeros);
    assert!(bomb.len() < 100_000);
    assert_eq!(inflate(&bomb), Err(FrameError::Inflates));

    // The bomb declares no size, or a false one.
    let mut silent = vec![VERSION, ZSTD];
    silent.extend(zstd::stream::encode_all(&vec![0_u8; 20_000_000][..], 3).unwrap());
    assert_eq!(inflate(&silent), Err(FrameError::Damaged));
    let mut lying = vec![VERSION, ZSTD];
    lying.extend(zstd::bulk::compress(&vec![0_u8; 100_000], 3).unwrap());
    let at = lying
        .windows(4)
        .position(|four| four == 100_000_u32.to_le_bytes())
        .unwrap();
    lying[at..at + 4].copy_from_slice(&90_000_u32.to_le_bytes());
    assert_eq!(inflate(&lying), Err(FrameError::Damaged));
}

#[test]
fn what_compresses_too_well_travels_as_it_is() {
    let plain = minicbor::to_vec(minicbor::bytes::ByteVec::from(vec![0; 2_000_000])).unwrap();
    let frame = deflate(&plain, Effort::Usual).unwrap();
    assert_eq!(frame[1], STORED);
    assert_eq!(inflate(&frame).unwrap(), plain);
}

#[test]
fn damaged_frames_are_refused_with_a_code() {
    let mut samples = Samples::new(3);
    let response = full_response(&mut samples);
    let frame = response.to_bytes().unwrap();
    for len in 0..frame.len() {
        assert!(
            SyncResponse::from_bytes(&frame[..len]).is_err(),
            "cut at {len}"
        );
    }
    let mut longer = frame.clone();
    longer.push(0);
    assert!(SyncResponse::from_bytes(&longer).is_err());
    assert_eq!(
        decode::<SyncResponse>(&frame, 10),
        Err(FrameError::TooLarge)
    );
    let mut newer = frame.clone();
    newer[0] = 2;
    assert_eq!(SyncResponse::from_bytes(&newer), Err(FrameError::Version));
    newer[..2].copy_from_slice(&[VERSION, 9]);
    assert_eq!(SyncResponse::from_bytes(&newer), Err(FrameError::Version));
    let mut other = response;
    other.version = 2;
    assert_eq!(
        SyncResponse::from_bytes(&other.to_bytes().unwrap()),
        Err(FrameError::Version)
    );
    assert_eq!(SyncRequest::from_bytes(&frame), Err(FrameError::Shape));
}

#[test]
fn damaged_messages_never_panic() {
    let mut samples = Samples::new(4);
    let cases = [samples.hazard(), samples.hazard()];
    let mut request = nothing_changed().0;
    request.bundle = Some(samples.bundle(&cases));
    let request = minicbor::to_vec(request).unwrap();
    let response = minicbor::to_vec(full_response(&mut samples)).unwrap();
    let (mut requests, mut responses) = (0, 0);
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for whole in [&request, &response] {
            let mut plain = whole.clone();
            (0..=seed % 4).for_each(|_| damage(&mut rng, &mut plain));
            let mut frame = vec![VERSION, STORED];
            frame.extend(plain);
            requests += usize::from(decode::<SyncRequest>(&frame, REQUEST_BYTES_MAX).is_ok());
            if let Ok(response) = decode::<SyncResponse>(&frame, RESPONSE_BYTES_MAX) {
                let again = response.to_bytes().unwrap();
                // Not by the way in, which would refuse a damaged version.
                let read = decode::<SyncResponse>(&again, RESPONSE_BYTES_MAX);
                assert_eq!(read, Ok(response), "seed {seed}");
                responses += 1;
            }
        }
        let noise: [u8; 60] = bytes(&mut rng);
        for form in [ZSTD, ZSTD_DICTIONARY, STORED] {
            let _ = decode::<SyncResponse>(&[&[VERSION, form][..], &noise].concat(), 100);
        }
    }
    assert!(requests > 0 && responses > 0, "{requests}, {responses}");
}
