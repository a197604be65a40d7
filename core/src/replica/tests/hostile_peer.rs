//! Forbidden uses of genuine words of the server by another phone: to remove undelivered work, to prove a
//! forgery, to fill the disk.

use rand_chacha::rand_core::Rng as _;

use super::meeting::{ids, meet, revocation};
use super::server::*;
use super::writing::triage;
use super::*;
use crate::domain::Audience;
use crate::domain::case::payload::HandledOnSpot;
use crate::domain::case::{Event, Party};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{OUTBOX_BYTES_FIRST, PEER_UNJUDGED_AUTHOR_BYTES_MAX};
use crate::replica::port::carried::parents_first;
use crate::replica::table::envelope;
use crate::sync::port::{GiveAsk, Handover, OutboxAsk, PeerPort, StarPort};
use crate::trust::certificate::RawCertificate;
use crate::wire::body::Body;
use crate::wire::envelope::{Envelope, RawEnvelope};
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::verdict::{
    Attestation, AttestedEnvelope, HeldReason, RefusedReason, Status, StreamPosition, Verdict,
};

/// Verdicts of the server that are not final.
const OPEN: [Status; 9] = [
    Status::Refused(RefusedReason::Malformed),
    Status::Refused(RefusedReason::BadSignature),
    Status::Refused(RefusedReason::BadCertificate),
    Status::Refused(RefusedReason::Rejected),
    Status::Refused(RefusedReason::TooMany),
    Status::Refused(RefusedReason::RecordFull),
    Status::Held(HeldReason::TooMany),
    Status::Held(HeldReason::Newer),
    REVOKED,
];

/// Signed by the server, at a time of its own.
fn attested(town: &Deployment, after: i64, lines: &[(Hash, Status)]) -> Attestation {
    let line = |(hash, status): &(Hash, Status)| AttestedEnvelope {
        hash: *hash,
        verdict: Verdict {
            status: *status,
            at_ms: NOW + after,
            generation: 1,
        },
        at: Vec::new(),
    };
    let lines = lines.iter().map(line).collect();
    let authority = town.anchors.authority();
    Attestation::sign(1, NOW + after, lines, &town.server, authority)
}

fn bytes(phone: &mut FilePhone, record: RecordId) -> Vec<RawEnvelope> {
    let stored = envelope::of_record(phone.replica().conn().unwrap(), record).unwrap();
    stored.into_iter().map(|stored| stored.raw).collect()
}

fn certificate(phone: &mut FilePhone) -> RawCertificate {
    phone.replica().certificate().unwrap().raw().clone()
}

/// Another phone hands this over, unasked.
fn give(
    phone: &mut FilePhone,
    certificates: &[RawCertificate],
    attestations: &[Attestation],
    envelopes: &[RawEnvelope],
) {
    let peer = phone.replica().certificate().unwrap().clone();
    let given = Handover {
        give_back: GiveBack {
            attestations: attestations.to_vec(),
            ..GiveBack::default()
        },
        bundle: Bundle {
            certificates: certificates.to_vec(),
            envelopes: envelopes.to_vec(),
        },
        ..Handover::default()
    };
    let replica = phone.replica();
    replica.apply_peer(&given, &peer, NOW + 100).unwrap();
}

fn attestations(phone: &mut FilePhone) -> i64 {
    let conn = phone.replica().conn().unwrap();
    conn.query_row("SELECT count(*) FROM attestation", [], |row| row.get(0))
        .unwrap()
}

fn undelivered(phone: &mut FilePhone) -> u64 {
    phone.replica().undelivered().unwrap()
}

fn is_shown(phone: &mut FilePhone, record: RecordId) -> bool {
    phone.replica().row(record).unwrap().is_some()
}

#[test]
fn only_a_settled_verdict_takes_anything_out_of_the_outbox() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut author, &mut other).unwrap();
    let raw = bytes(&mut author, record);
    for phone in [&mut author, &mut other] {
        for (after, status) in (1..).zip(OPEN) {
            let receipt = attested(&town, after, &[(raw[0].hash(), status)]);
            give(phone, &[], &[receipt], &raw);
            assert_eq!(undelivered(phone), 1, "{status:?}");
            let loaded = phone.replica().load(record).unwrap().unwrap();
            assert_eq!(loaded.nodes()[0].verdict, None, "{status:?}");
            assert_eq!(phone.replica().notices().unwrap(), [], "{status:?}");
            assert_eq!(attestations(phone), 0, "nothing of it is of use");
        }
    }
    server.settle(&mut other);
    let accepted = attested(&town, 20, &[(raw[0].hash(), Status::Accepted)]);
    give(&mut author, &[], &[accepted], &raw);
    assert_eq!(undelivered(&mut author), 0);
}

#[test]
fn what_the_server_put_off_stays_undelivered_though_the_receipt_travels_with_what_it_took() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let taken = author.replica().report(&draft("煤气罐"), NOW).unwrap();
    let put_off = author.replica().report(&draft("井盖"), NOW).unwrap();
    let raw = [taken, put_off].map(|record| bytes(&mut author, record).remove(0));
    let receipt = attested(
        &town,
        1,
        &[
            (raw[0].hash(), Status::Accepted),
            (raw[1].hash(), Status::Refused(RefusedReason::TooMany)),
        ],
    );
    give(&mut other, &[certificate(&mut author)], &[receipt], &raw);
    assert_eq!((undelivered(&mut other), attestations(&mut other)), (1, 1));
    for (record, provisional) in [(taken, false), (put_off, true)] {
        let row = other.replica().row(record).unwrap().unwrap();
        assert_eq!(row.provisional, provisional);
    }
    server.sync(&mut other);
    assert_eq!(undelivered(&mut other), 0);
    assert!(server.records.contains_key(&put_off));
}

#[test]
fn what_a_server_held_or_turned_down_is_taken_along_unseen_and_asked_about() {
    for status in [REVOKED, Status::Refused(RefusedReason::Rejected)] {
        let town = Deployment::new();
        let mut server = Server::new(&town);
        let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
        let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
        let raw = bytes(&mut author, record);
        let said = attested(&town, 1, &[(raw[0].hash(), status)]);
        give(&mut other, &[certificate(&mut author)], &[said], &raw);
        assert!(!is_shown(&mut other, record));
        assert_eq!((undelivered(&mut other), attestations(&mut other)), (1, 0));
        server.settle(&mut other);
        assert!(is_shown(&mut other, record), "this server decides");
    }
}

#[test]
fn what_is_not_settled_vouches_for_nothing() {
    let town = Deployment::new();
    let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let mut witness = town.phone(GRID_WORKER_HU);
    let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut author, &mut other).unwrap();
    meet(&mut author, &mut witness).unwrap();
    let words = said("我也看到了");
    let words = witness.replica().comment(record, words, NOW + 1).unwrap();
    let mut forged = bytes(&mut witness, record).remove(1);
    forged.signature[9] ^= 1;
    for (after, status) in (1..).zip(OPEN) {
        let answer = attested(&town, after, &[(forged.hash(), status)]);
        give(&mut other, &[], &[answer], std::slice::from_ref(&forged));
        assert!(!ids(&mut other, record).contains(&words), "{status:?}");
        assert_eq!(attestations(&mut other), 0, "{status:?}");
    }
}

#[test]
fn an_attestation_is_kept_once_and_only_where_it_proves_something() {
    let town = Deployment::new();
    let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut author, &mut other).unwrap();
    let raw = bytes(&mut author, record);
    let elsewhere = attested(&town, 1, &[(Hash([9; 32]), Status::Accepted)]);
    give(&mut other, &[], &vec![elsewhere; 20], &raw);
    assert_eq!(attestations(&mut other), 0);
    for after in 2..20 {
        let accepted = attested(&town, 2, &[(raw[0].hash(), Status::Accepted)]);
        give(&mut other, &[], &[accepted], &raw);
        let again = attested(&town, 1, &[(raw[0].hash(), Status::Accepted)]);
        give(&mut other, &[], &[again], &raw);
        assert_eq!(attestations(&mut other), 1, "{after}");
    }
    assert_eq!(undelivered(&mut other), 0);
}

/// A report that the lost server had held. It is carried, out of sight, and the new server is to be asked.
fn asked_again<'a>(
    town: &'a Deployment,
    author: &mut FilePhone,
    other: &mut FilePhone,
) -> (Server<'a>, RecordId) {
    let mut server = Server::new(town);
    let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(author, other).unwrap();
    server.verdicts.insert(ids(other, record)[0], REVOKED);
    server.sync(other);
    server.generation = 2;
    server.sync(other);
    assert_eq!(undelivered(other), 1);
    assert!(!is_shown(other, record));
    (server, record)
}

#[test]
fn what_is_taken_along_stays_whatever_comes_to_it_by_a_meeting() {
    for by_a_meeting in [true, false] {
        let town = Deployment::new();
        let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
        let (mut server, record) = asked_again(&town, &mut author, &mut other);
        let genesis = ids(&mut other, record)[0];
        let words = said("还在");
        let words = author.replica().comment(record, words, NOW + 60).unwrap();
        if by_a_meeting {
            meet(&mut other, &mut author).unwrap();
        } else {
            give(&mut other, &[], &[], &bytes(&mut author, record)[1..]);
        }
        let here = ids(&mut other, record);
        assert!(here.contains(&genesis) && here.contains(&words));
        assert_eq!(undelivered(&mut other), 2);
        assert!(!is_shown(&mut other, record), "still taken along");
        server.change_verdict(record, genesis, Status::Accepted);
        server.sync(&mut other);
        assert_eq!(undelivered(&mut other), 0);
        let loaded = other.replica().load(record).unwrap().unwrap();
        assert!(loaded.counts(genesis) && loaded.counts(words));
    }
}

#[test]
fn a_report_of_a_revoked_device_is_taken_along_by_who_may_read_it() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut thief, mut worker) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    let (mut dispatcher, mut handler) = (town.phone(DISPATCHER_GAO), town.phone(HANDLER_YU));
    let record = thief.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut thief, &mut worker).unwrap();
    let revoked = [revocation(&town, &thief)];
    for phone in [&mut dispatcher, &mut handler] {
        let replica = phone.replica();
        replica.apply_revocations(&revoked, NOW + 2).unwrap();
    }
    meet(&mut worker, &mut dispatcher).unwrap();
    let raw = bytes(&mut worker, record);
    give(&mut handler, &[certificate(&mut thief)], &[], &raw);
    for (phone, count) in [(&mut dispatcher, 1), (&mut handler, 0)] {
        assert!(!is_shown(phone, record));
        assert_eq!(ids(phone, record).len(), count);
        assert_eq!(undelivered(phone), count as u64);
    }
    assert_eq!(meet(&mut worker, &mut dispatcher).unwrap(), (0, 0));
    assert_eq!(meet(&mut dispatcher, &mut worker).unwrap(), (0, 0));
    server.settle(&mut dispatcher);
    assert!(is_shown(&mut dispatcher, record), "the server decides");
    assert_eq!(dispatcher.replica().strays().unwrap(), []);
}

/// An event that a changed app makes upon these parents.
fn crafted(
    author: &mut FilePhone,
    record: RecordId,
    parents: &[EnvelopeId],
    clock_ms: i64,
    (code, data): (u16, Vec<u8>),
) -> RawEnvelope {
    let writer = author.writer();
    let header = header(&writer.certificate, Some(record), parents, clock_ms);
    let body = Body::Event(raw_event(code, data));
    writer.sign(header, &body).raw().clone()
}

/// A record that the server has, and another phone that is hostile.
fn with_hostile(town: &Deployment) -> (Server<'_>, FilePhone, FilePhone, RecordId) {
    let mut server = Server::new(town);
    let (mut worker, hostile) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_HU));
    let record = worker.replica().report(&draft("气瓶"), NOW).unwrap();
    server.settle(&mut worker);
    (server, worker, hostile, record)
}

fn heads(phone: &mut FilePhone, record: RecordId) -> Vec<EnvelopeId> {
    phone.replica().load(record).unwrap().unwrap().heads()
}

#[test]
fn unknown_event_from_a_meeting_freezes_nothing() {
    let town = Deployment::new();
    let (mut server, mut worker, mut hostile, record) = with_hostile(&town);
    let heads = heads(&mut worker, record);
    let newer = (9_999, vec![0x80]);
    let raw = crafted(&mut hostile, record, &heads, NOW, newer);
    let id = raw.hash().envelope_id();
    give(&mut worker, &[certificate(&mut hostile)], &[], &[raw]);
    let mut staged = |n| {
        vec![
            worker
                .replica()
                .add_attachment(&photo(9, n), NOW)
                .unwrap()
                .id,
        ]
    };
    let done = Event::HandledOnSpot(HandledOnSpot {
        before: staged(1),
        after: staged(2),
        note: None,
    });
    let acted = worker.replica().act(record, &done, None, NOW + 200);
    assert!(
        acted.is_ok(),
        "no server has accepted that event: {acted:?}"
    );
    assert_eq!(undelivered(&mut worker), 4, "the event goes along");
    server.verdicts.insert(id, Status::Accepted);
    server.settle(&mut worker);
    let view = worker.replica().view(record).unwrap().unwrap();
    assert!(view.row.needs_newer_app, "the server has accepted it");
}

#[test]
fn own_words_build_on_no_wild_clock() {
    let town = Deployment::new();
    let (_server, mut worker, mut hostile, record) = with_hostile(&town);
    let heads = heads(&mut worker, record);
    let day_ms = 24 * 3_600_000;
    for clock_ms in [NOW + 10 * day_ms, NOW - 401 * day_ms] {
        let event = Event::Comment(said("x")).encode();
        let wild = crafted(&mut hostile, record, &heads, clock_ms, event);
        let poison = wild.hash().envelope_id();
        give(&mut worker, &[certificate(&mut hostile)], &[], &[wild]);
        assert!(ids(&mut worker, record).contains(&poison), "it goes along");
        let own = worker
            .replica()
            .comment(record, said("还在"), NOW + 200)
            .unwrap();
        let loaded = worker.replica().load(record).unwrap().unwrap();
        assert!(!loaded.is_ancestor(poison, own));
    }
}

/// Without the author's certificate the server's word is enough, so a meeting can bring a broken signature.
#[test]
fn broken_signature_from_a_meeting_is_mended() {
    for by_the_server in [true, false] {
        let town = Deployment::new();
        let mut server = Server::new(&town);
        let (mut author, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
        server.settle(&mut other);
        let record = author.replica().report(&draft("煤气罐"), NOW).unwrap();
        let genuine = bytes(&mut author, record).remove(0);
        server.settle(&mut author);
        let accepted = attested(&town, 1, &[(genuine.hash(), Status::Accepted)]);
        let mut forged = genuine.clone();
        forged.signature[9] ^= 1;
        give(&mut other, &[], &[accepted], &[forged.clone()]);
        assert_eq!(bytes(&mut other, record), [forged.clone()]);
        if by_the_server {
            server.settle(&mut other);
        } else {
            let shown = [certificate(&mut author)];
            give(&mut other, &shown, &[], std::slice::from_ref(&genuine));
        }
        assert_eq!(bytes(&mut other, record), std::slice::from_ref(&genuine));
        give(&mut other, &[], &[], &[forged]);
        assert_eq!(bytes(&mut other, record), [genuine]);
    }
}

#[test]
fn reversed_chain_is_ordered_in_one_pass() {
    let town = Deployment::new();
    let (_server, mut worker, mut hostile, record) = with_hostile(&town);
    let mut parents = heads(&mut worker, record);
    let root = parents[0];
    let mut chain = Vec::new();
    for n in 0..50 {
        let event = Event::Comment(said("x")).encode();
        let raw = crafted(&mut hostile, record, &parents, NOW + n, event);
        parents = vec![raw.hash().envelope_id()];
        chain.push(raw);
    }
    let held = (chain[0].hash(), Status::Held(HeldReason::Clock));
    chain.reverse();
    let parsed = chain
        .iter()
        .cloned()
        .map(|raw| Envelope::parse(raw).unwrap());
    let parsed: Vec<Envelope> = parsed.collect();
    let mut asked = 0;
    let order = parents_first(&parsed.iter().collect::<Vec<_>>(), |parent| {
        asked += 1;
        Ok(parent == root)
    });
    assert_eq!(order.unwrap(), (0..50).rev().collect::<Vec<_>>());
    assert_eq!(asked, 50, "one question for each parent");
    let shown = [certificate(&mut hostile)];
    give(&mut worker, &shown, &[attested(&town, 1, &[held])], &chain);
    assert_eq!(undelivered(&mut worker), 50, "all of it goes along");
}

/// A receipt of the server that accepts these envelopes, for a reader who reads this stream.
fn receipt(
    town: &Deployment,
    envelopes: &[RawEnvelope],
    stream: StreamId,
    after: i64,
) -> Attestation {
    let line = |raw: &RawEnvelope| AttestedEnvelope {
        hash: raw.hash(),
        verdict: Verdict {
            status: Status::Accepted,
            at_ms: NOW + after,
            generation: 1,
        },
        at: vec![StreamPosition {
            stream,
            position: 1,
        }],
    };
    let lines = envelopes.iter().map(line).collect();
    let authority = town.anchors.authority();
    Attestation::sign(1, NOW + after, lines, &town.server, authority)
}

fn whole(record: RecordId) -> GiveAsk {
    GiveAsk {
        records: vec![record],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    }
}

/// The reporter's receipt names the stream that only the reporter reads, and the reporter's other work.
#[test]
fn receipt_names_neither_reporter_nor_tip_to_a_unit() {
    for with_tip in [true, false] {
        let town = Deployment::new();
        let (mut reporter, mut other, mut handler) = (
            town.phone(GRID_WORKER_CHEN),
            town.phone(DISPATCHER_ZHOU),
            town.phone(HANDLER_SHEN),
        );
        let mut colleague = town.phone(GRID_WORKER_XU);
        let open = reporter.replica().report(&draft("煤气罐"), NOW).unwrap();
        let tip = Draft {
            audience: Audience::Restricted,
            ..draft("线索")
        };
        let tip = reporter.replica().report(&tip, NOW).unwrap();
        let raw = [open, tip].map(|record| bytes(&mut reporter, record).remove(0));
        let own = StreamId::Member(GRID_WORKER_CHEN.member());
        let lines = if with_tip { &raw[..] } else { &raw[..1] };
        let receipt = receipt(&town, lines, own, 1);
        give(
            &mut other,
            &[certificate(&mut reporter)],
            &[receipt],
            &raw[..1],
        );

        // A colleague reads the name in the report, so the receipt tells it nothing new.
        let peer = colleague.replica().certificate().unwrap().clone();
        let given = other.replica().give_to_peer(&whole(open), &peer).unwrap();
        assert_eq!(given.bundle.envelopes.len(), 1);
        assert_eq!(given.give_back.attestations.is_empty(), with_tip);

        for (after, event) in [(200, triage()), (201, dispatch_to(Party::Unit(GAS)))] {
            let other = other.replica();
            other.act(open, &event, None, NOW + after).unwrap();
        }
        let peer = handler.replica().certificate().unwrap().clone();
        let given = other.replica().give_to_peer(&whole(open), &peer).unwrap();
        assert!(given.give_back.attestations.is_empty());
        assert!(given.is_empty(), "nothing else proves the report");
    }
}

/// The reporter's receipt stays back, and the words of the dispatcher go to a unit that has the report.
#[test]
fn words_reach_a_unit_without_the_receipt_below_them() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut reporter, mut other, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let record = reporter.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut reporter);
    server.settle(&mut other);
    for (after, event) in [(200, triage()), (201, dispatch_to(Party::Unit(GAS)))] {
        let other = other.replica();
        other.act(record, &event, None, NOW + after).unwrap();
    }
    server.settle(&mut other);
    server.settle(&mut handler);
    let raw = bytes(&mut reporter, record);
    let own = StreamId::Member(GRID_WORKER_CHEN.member());
    let late = receipt(&town, &raw[..1], own, 900_000);
    give(&mut other, &[], &[late], &raw[..1]);
    let words = said("请尽快");
    let words = other.replica().comment(record, words, NOW + 300).unwrap();
    let peer = handler.replica().certificate().unwrap().clone();
    let given = other.replica().give_to_peer(&whole(record), &peer).unwrap();
    assert!(given.bundle.is_empty(), "a new reader gets no proof");
    assert_eq!(meet(&mut other, &mut handler).unwrap(), (0, 1));
    assert!(ids(&mut handler, record).contains(&words));
}

/// Envelopes of 250 KiB that the phone can only carry, in a record of the hostile author.
fn flood(to: &mut FilePhone, hostile: &mut FilePhone, record: RecordId, count: u64) {
    let (genesis, writer) = (ids(hostile, record)[0], hostile.writer());
    let shown = [certificate(hostile)];
    for n in 0..count {
        let mut noise = vec![0; 250 * 1_024];
        ChaCha8Rng::seed_from_u64(n).fill_bytes(&mut noise);
        let noise = minicbor::to_vec(minicbor::bytes::ByteVec::from(noise)).unwrap();
        let header = header(&writer.certificate, Some(record), &[genesis], NOW);
        let raw = writer.sign(header, &Body::Unknown(99, noise)).raw().clone();
        give(to, &shown, &[], &[raw]);
    }
}

fn sent(phone: &mut FilePhone, bytes_max: usize) -> Vec<EnvelopeId> {
    let ask = OutboxAsk {
        bytes_max,
        envelopes_max: 100,
        without: &std::collections::BTreeSet::new(),
    };
    let bundle = phone.replica().outbox(&ask).unwrap();
    let ids = bundle.envelopes.iter().map(|raw| raw.hash().envelope_id());
    ids.collect()
}

#[test]
fn own_work_goes_before_a_flood_of_a_meeting() {
    let town = Deployment::new();
    let (mut worker, mut hostile) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_HU));
    let junk = hostile.replica().report(&draft("气瓶"), NOW).unwrap();
    meet(&mut hostile, &mut worker).unwrap();
    flood(&mut worker, &mut hostile, junk, 4);
    let own = worker
        .replica()
        .report(&draft("煤气罐"), NOW + 200)
        .unwrap();
    let own = ids(&mut worker, own)[0];
    assert!(sent(&mut worker, OUTBOX_BYTES_FIRST).contains(&own));
}

#[test]
fn record_above_one_message_ends_no_meeting() {
    let town = Deployment::new();
    for worker_calls in [true, false] {
        let (mut worker, mut other, mut hostile) = (
            town.phone(GRID_WORKER_CHEN),
            town.phone(DISPATCHER_ZHOU),
            town.phone(GRID_WORKER_HU),
        );
        let junk = hostile.replica().report(&draft("气瓶"), NOW).unwrap();
        meet(&mut hostile, &mut worker).unwrap();
        flood(&mut worker, &mut hostile, junk, 20);
        let own = worker
            .replica()
            .report(&draft("煤气罐"), NOW + 200)
            .unwrap();
        let met = if worker_calls {
            meet(&mut worker, &mut other)
        } else {
            meet(&mut other, &mut worker)
        };
        assert!(met.is_ok(), "{met:?}");
        assert!(is_shown(&mut other, own));
        assert_eq!(ids(&mut other, junk), ids(&mut worker, junk));
    }
}

#[test]
fn undelivered_work_of_one_author_is_bounded() {
    let town = Deployment::new();
    let (mut worker, mut hostile) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_HU));
    let mut honest = town.phone(GRID_WORKER_LIN);
    let junk = hostile.replica().report(&draft("气瓶"), NOW).unwrap();
    meet(&mut hostile, &mut worker).unwrap();
    flood(&mut worker, &mut hostile, junk, 34);
    let kept = bytes(&mut worker, junk);
    let amount: usize = kept.iter().map(RawEnvelope::len).sum();
    let most = usize::try_from(PEER_UNJUDGED_AUTHOR_BYTES_MAX).unwrap();
    assert!((most - 300 * 1_024..=most).contains(&amount), "{amount}");
    let report = honest.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut honest, &mut worker).unwrap();
    assert!(is_shown(&mut worker, report), "another author has room");
    // Once the server has judged it, the rest finds room.
    let lines: Vec<_> = kept
        .iter()
        .map(|raw| (raw.hash(), Status::Accepted))
        .collect();
    give(&mut worker, &[], &[attested(&town, 1, &lines)], &kept);
    flood(&mut worker, &mut hostile, junk, 34);
    assert_eq!(ids(&mut worker, junk).len(), 35);
}
