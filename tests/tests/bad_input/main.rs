//! Bytes that a phone with a changed app could send over a true session. Each gets its coded error or verdict,
//! no stored data change, nothing is lost, and the server answers the next phone as before. Input that needs
//! no session is in `hostile_http`; docs/testing.md has the whole table.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod hand;

use onegrid_core::id::EnvelopeId;
use onegrid_core::limits::REQUEST_BYTES_MAX;
use onegrid_core::sync::port::StarPort;
use onegrid_core::trust::sign::{Purpose, SecretKey};
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::message::{Known, SyncRequest, SyncResponse};
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, Status};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use hand::{Bench, request, statuses};

#[test]
fn truncated_frames_are_refused_by_code_and_store_nothing() {
    let mut bench = Bench::new(1);
    bench.report("煤气罐");
    let body = request(bench.outbox());
    let before = bench.stored();
    for length in (0..body.len()).step_by(7) {
        let code = bench.post(&body[..length]).unwrap_err();
        assert!(code.starts_with("wire."), "{length}: {code}");
    }
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn flipped_bits_are_refused_or_judged_and_the_true_envelope_is_the_only_one_that_is_stored() {
    let mut bench = Bench::new(2);
    bench.report("煤气罐");
    let bundle = bench.outbox();
    let ids: Vec<EnvelopeId> = bundle
        .envelopes
        .iter()
        .map(|raw| raw.hash().envelope_id())
        .collect();
    let body = request(bundle);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for _ in 0..400 {
        let mut damaged = body.clone();
        let at = usize::try_from(rng.next_u32()).unwrap() % damaged.len();
        damaged[at] ^= 1 << (rng.next_u32() % 8);
        match bench.post(&damaged) {
            Err(code) => assert!(code.starts_with("wire."), "{code}"),
            Ok(answer) => {
                let sent = SyncRequest::from_bytes(&damaged).unwrap().bundle;
                let sent = sent.into_iter().flat_map(|bundle| bundle.envelopes);
                for (raw, status) in sent.zip(statuses(&answer)) {
                    let true_one = ids.contains(&raw.hash().envelope_id());
                    let refused = matches!(status, Status::Refused(_));
                    assert!(true_one || refused, "{status:?}");
                }
            }
        }
    }
    bench.goes_on();
}

#[test]
fn oversized_and_inflating_frames_are_refused_before_they_are_read() {
    let mut bench = Bench::new(3);
    let before = bench.stored();
    let large = vec![1; REQUEST_BYTES_MAX + 1];
    assert_eq!(bench.post(&large).unwrap_err(), "wire.too_large");
    // A hundred megabytes of zeros in a few kilobytes.
    let zeros = zstd::bulk::compress(&vec![0; 100 << 20], 3).unwrap();
    assert!(zeros.len() < 20_000, "{}", zeros.len());
    let mut frame = vec![1, 0];
    frame.extend(zeros);
    assert_eq!(bench.post(&frame).unwrap_err(), "wire.inflates");
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn unknown_versions_of_frame_and_protocol_ask_for_a_newer_app() {
    let mut bench = Bench::new(4);
    bench.report("煤气罐");
    let body = request(bench.outbox());
    let before = bench.stored();
    let mut newer = body.clone();
    newer[0] = 2;
    assert_eq!(bench.post(&newer).unwrap_err(), "wire.newer");
    let mut plain = vec![1, 2];
    let empty = SyncRequest {
        version: 9,
        known: Known::All(Vec::new()),
        bundle: None,
        give_back: None,
        repair: Vec::new(),
        page_bytes_max: 0,
        parcels: None,
        measure: None,
    };
    plain.extend(minicbor::to_vec(&empty).unwrap());
    assert_eq!(bench.post(&plain).unwrap_err(), "wire.newer");
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn what_a_newer_app_writes_is_held_whether_event_body_format_or_suite() {
    let mut bench = Bench::new(5);
    let records = [bench.report("煤气罐"), bench.report("井盖")];
    bench.goes_on();
    let heads = records.map(|record| bench.phone.replica().record_ids(&record).unwrap());
    let before = bench.stored();
    let unknown = bench.event(records[0], &heads[0], 60_000);
    let mut header = bench.header(Some(records[1]), &heads[1]);
    header.version = 9;
    let format = bench.signed(&header, unknown.raw().body.clone());
    header.version = 1;
    header.suite = 7;
    let suite = bench.signed(&header, unknown.raw().body.clone());
    header.suite = 1;
    header.body_kind = 200;
    let kind = bench.signed(&header, unknown.raw().body.clone());
    let answer = bench.push(vec![unknown.raw().clone(), format, suite, kind]);
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::Newer); 4]);
    assert_eq!(bench.stored(), before, "what is held is in no stream");
    bench.goes_on();
}

#[test]
fn forged_envelopes_are_refused_one_by_one() {
    let mut bench = Bench::new(6);
    let record = bench.report("煤气罐");
    bench.goes_on();
    let genesis = bench.phone.replica().record_ids(&record).unwrap()[0];
    let before = bench.stored();
    let real = bench.event(record, &[genesis], 30);
    // Another key signs in the phone's name, another body replaces the signed one, a grant is invented, and an
    // envelope names a certificate that no server has issued.
    let stranger = SecretKey::from_seed(&[66; 32]);
    let authority = *bench.town.keys().authority();
    let mut by_another = real.raw().clone();
    let hash = by_another.hash();
    by_another.signature = stranger.sign(Purpose::Envelope, &authority, &[hash.as_bytes()]);
    let mut exchanged = bench.event(record, &[genesis], 31).raw().clone();
    exchanged.signature = real.raw().signature;
    let mut header = bench.header(Some(record), &[genesis]);
    header.grant = 9;
    let granted = bench.signed(&header, real.raw().body.clone());
    header.grant = 0;
    header.certificate = hash;
    let certified = bench.signed(&header, real.raw().body.clone());
    let answer = bench.push(vec![by_another, exchanged, granted, certified]);
    let expected = [
        Status::Refused(RefusedReason::BadSignature),
        Status::Refused(RefusedReason::BadSignature),
        Status::Refused(RefusedReason::BadCertificate),
        Status::Refused(RefusedReason::BadCertificate),
    ];
    assert_eq!(statuses(&answer), expected);
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn a_replayed_request_gets_the_same_verdicts_and_stores_nothing_twice() {
    let mut bench = Bench::new(7);
    bench.report("煤气罐");
    let body = request(bench.outbox());
    let first = bench.post_as(9, &body).unwrap();
    assert_eq!(statuses(&first), [Status::Accepted]);
    let after = bench.stored();
    // The very same bytes, and a number that comes late.
    for number in [9, 9, 3] {
        let again = bench.post_as(number, &body).unwrap();
        let lines = |answer: &SyncResponse| {
            let receipt = answer.receipt.clone().unwrap();
            receipt
                .lines
                .iter()
                .map(|line| line.verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&again), lines(&first));
    }
    assert_eq!(bench.stored(), after);
    bench.town.pass(24 * 60 * 60_000);
    let code = bench.post_as(9, &body).unwrap_err();
    assert_eq!(code, "session.expired");
    bench.goes_on();
}

#[test]
fn parents_that_nobody_wrote_are_named_missing_and_nothing_of_the_bundle_is_stored() {
    let mut bench = Bench::new(8);
    let (record, other) = (bench.report("煤气罐"), bench.report("井盖"));
    bench.goes_on();
    bench.report("还没送出");
    let mut envelopes = bench.outbox().envelopes;
    let before = bench.stored();
    let invented = EnvelopeId([0xee; 16]);
    envelopes.push(bench.event(record, &[invented], 30).raw().clone());
    let answer = bench.push(envelopes);
    assert_eq!((answer.missing, answer.receipt), (vec![invented], None));
    assert_eq!(bench.stored(), before);
    // A parent in another record is no parent.
    let elsewhere = bench.phone.replica().record_ids(&other).unwrap()[0];
    let answer = bench.push(vec![bench.event(record, &[elsewhere], 30).raw().clone()]);
    assert!(!statuses(&answer).contains(&Status::Accepted), "{answer:?}");
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn a_second_genesis_can_not_claim_a_record() {
    let mut bench = Bench::new(9);
    let record = bench.report("煤气罐");
    let raw = bench.outbox().envelopes.remove(0);
    bench.goes_on();
    let genesis = Envelope::parse(raw.clone()).unwrap();
    let before = bench.stored();
    // The same words under the record's own id, with and without the first Genesis as parent.
    let mut header = genesis.header().clone();
    header.record = Some(record);
    let second = bench.signed(&header, raw.body.clone());
    header.parents = vec![genesis.id()];
    let below = bench.signed(&header, raw.body.clone());
    let answer = bench.push(vec![second, below]);
    let refused = Status::Refused(RefusedReason::Malformed);
    assert_eq!(statuses(&answer), [refused, refused]);
    assert_eq!(bench.stored(), before);
    // The first Genesis is accepted again, because it is the same envelope.
    assert_eq!(statuses(&bench.push(vec![raw])), [Status::Accepted]);
    assert_eq!(bench.stored(), before);
    bench.goes_on();
}

#[test]
fn one_bad_envelope_among_fifty_leaves_forty_nine_accepted_and_the_phone_delivers_the_last() {
    let mut bench = Bench::new(10);
    for n in 0..50 {
        bench.report(&format!("隐患 {n}"));
    }
    let mut envelopes = bench.outbox().envelopes;
    assert_eq!(envelopes.len(), 50);
    envelopes[20].signature[3] ^= 1;
    let answer = bench.push(envelopes);
    for (n, status) in statuses(&answer).into_iter().enumerate() {
        let expected = if n == 20 {
            Status::Refused(RefusedReason::BadSignature)
        } else {
            Status::Accepted
        };
        assert_eq!(status, expected, "{n}");
    }
    bench.goes_on();
    assert_eq!(bench.phone.replica().rows().unwrap().len(), 50);
}
