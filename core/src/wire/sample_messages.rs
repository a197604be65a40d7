//! Samples of messages that make and measure the dictionary.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use rand_core::Rng;

use super::cursor::CursorAt;
use super::digest::Digest;
use super::envelope::RawEnvelope;
use super::message::{Bundle, CursorsAnswer, Known, SyncRequest, SyncResponse};
use super::page::{FeedEntry, Page, Segment};
use super::receipt::Receipt;
use super::samples::{Case, Samples, bytes};
use super::verdict::{Attestation, AttestedEnvelope, Status, StreamPosition, Verdict};
use crate::domain::StreamId;
use crate::id::{AreaId, Hash, UnitId};

/// Messages as phones and servers exchange them, most of them small. The dictionary is made from
/// them.
pub(super) fn messages(seed: u64) -> Vec<Vec<u8>> {
    let mut samples = Samples::new(seed);
    let mut messages = Vec::new();
    for round in 0..8_u32 {
        let cases: Vec<Case> = (0..=round % 4).map(|_| samples.hazard()).collect();
        let mut bundle = samples.bundle(&cases);
        let count = usize::try_from(1 + samples.rng.next_u32() % 12).unwrap();
        let skip = usize::try_from(samples.rng.next_u32() % 3).unwrap();
        bundle.certificates.truncate(usize::from(round % 3 == 0));
        bundle.envelopes = bundle
            .envelopes
            .into_iter()
            .skip(skip)
            .take(count)
            .collect();
        if bundle.envelopes.is_empty() {
            continue;
        }
        let hashes: Vec<Hash> = bundle.envelopes.iter().map(RawEnvelope::hash).collect();
        messages.push(cbor(&request(&mut samples, Some(bundle.clone()))));
        messages.push(cbor(&request(&mut samples, None)));
        messages.push(cbor(&response(&mut samples, &hashes, &bundle)));
    }
    messages
}

fn cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).unwrap()
}

fn request(samples: &mut Samples, bundle: Option<Bundle>) -> SyncRequest {
    let known = Known::Hash(Hash(bytes(&mut samples.rng)));
    SyncRequest {
        version: 1,
        known,
        bundle,
        give_back: None,
        repair: vec![],
        page_bytes_max: crate::limits::PAGE_BYTES_DEFAULT,
        parcels: None,
        measure: None,
    }
}

/// The answer to an upload of these hashes, with a page of other people's envelopes.
#[expect(clippy::too_many_lines, reason = "one value for each field")]
fn response(samples: &mut Samples, sent: &[Hash], page: &Bundle) -> SyncResponse {
    let time_ms = samples.later(1_000);
    let verdict = Verdict {
        status: Status::Accepted,
        at_ms: time_ms,
        generation: 1,
    };
    let area = AreaId::of_first_code("330105003058");
    let streams = [
        StreamId::AreaStaff(area),
        StreamId::Unit(UnitId(bytes(&mut samples.rng))),
    ];
    let base = samples.rng.next_u64() % 100_000;
    let line = |(index, hash): (u64, &Hash)| AttestedEnvelope {
        hash: *hash,
        verdict,
        at: streams
            .map(|stream| StreamPosition {
                stream,
                position: base + index,
            })
            .to_vec(),
    };
    let lines = (0..).zip(sent).map(line).collect();
    let receipt = Attestation::sign(
        1,
        time_ms,
        lines,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let places = (0..).take(page.envelopes.len());
    let entries: Vec<FeedEntry> = places.map(FeedEntry::Envelope).collect();
    let digest = Digest::from_bytes(bytes(&mut samples.rng));
    let segment = |stream| {
        let next = CursorAt::At {
            generation: 1,
            position: base + sent.len() as u64,
            digest,
        };
        Segment {
            stream,
            first: base,
            entries: entries.clone(),
            next,
        }
    };
    let mut page = Page {
        certificates: page.certificates.clone(),
        envelopes: page
            .envelopes
            .iter()
            .map(|raw| (raw.clone(), verdict))
            .collect(),
        packs: vec![],
        segments: streams.map(segment).to_vec(),
        proof: None,
    };
    page.sign(
        1,
        time_ms,
        &samples.deployment.server,
        samples.deployment.authority(),
    )
    .unwrap();
    SyncResponse {
        version: 1,
        generation: 1,
        time_ms,
        session_expires_ms: Some(time_ms + 900_000),
        receipt: Some(Receipt::of(receipt)),
        missing: vec![],
        cursors: CursorsAnswer::Moved,
        streams: None,
        page: Some(page),
        repair: vec![],
        heads: digest,
        more: false,
        closed: None,
        sealed: Vec::new(),
        not_taken: Vec::new(),
        parcels: None,
        measure: None,
    }
}
