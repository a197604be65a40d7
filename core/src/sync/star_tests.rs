#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::fixtures::Deployment;
use crate::id::RecordId;
use crate::limits::{
    GIVE_BACK_DIRECTORY_MAX, PAGE_BYTES_DEFAULT, PAGE_BYTES_MIN, RETRY_MS_CUT, RETRY_MS_FIRST,
};
use crate::sync::report::Incident;
use crate::sync::test_server::{Reply, Server};
use crate::sync::testing::{MemoryReplica, accepted, record};
use crate::wire::measure::Measure;
use crate::wire::message::SyncRequest;
use crate::wire::verdict::{Status, Verdict, VoidReason};

#[path = "star_world.rs"]
mod world;
use world::FaultyNetwork;

#[test]
fn what_is_written_offline_reaches_the_server_and_the_other_phones() {
    let mut w = FaultyNetwork::new(1, 3);
    w.write(0, 130);
    w.write(1, 5);
    let report = w.sync(0);
    assert_eq!((report.pushed, report.equal), (130, true));
    assert!(report.incidents.is_empty());
    assert_eq!(w.sync(1).pushed, 5);
    w.assert_equal();
}

#[test]
fn with_nothing_changed_one_round_trip_and_few_bytes() {
    let mut w = FaultyNetwork::new(2, 1);
    w.write(0, 200);
    w.sync(0);
    let report = w.sync(0);
    assert_eq!(report.round_trips, 1, "the session is kept");
    assert!(report.equal);
    assert!(report.bytes_up + report.bytes_down < 300, "{report:?}");
    assert_eq!(w.server.needed, 0, "one hash stands for all cursors");
}

#[test]
fn a_push_and_a_pull_share_a_round_trip() {
    let mut w = FaultyNetwork::new(3, 2);
    w.write(0, 30);
    w.sync(0);
    w.sync(1);
    w.write(0, 3);
    w.sync(0);
    w.write(1, 4);
    let report = w.sync(1);
    assert_eq!((report.round_trips, report.pushed), (1, 4));
    assert!(report.pulled >= 3);
}

#[test]
fn under_faults_of_every_kind_nothing_is_lost_and_all_become_equal() {
    for seed in 0..24 {
        let mut w = FaultyNetwork::new(100 + seed, 3);
        for _ in 0..12 {
            let phone = w.rng.next_u32() as usize % 3;
            let count = w.rng.next_u32() as usize % 12;
            w.write(phone, count);
            let faults = w.rng.next_u32() % 60;
            w.run(phone, faults);
        }
        let written: usize = w
            .phones
            .iter()
            .map(|(port, _)| port.order.len())
            .max()
            .unwrap();
        w.assert_equal();
        assert!(w.server.envelopes.len() >= written, "seed {seed}");
    }
}

#[test]
fn a_server_restored_from_an_old_copy_gets_back_what_it_lost() {
    for seed in 0..8 {
        let mut w = FaultyNetwork::new(300 + seed, 3);
        w.write(0, 20);
        w.write(1, 20);
        w.assert_equal();
        let copy = w.server.clone();
        w.write(0, 15);
        w.write(2, 15);
        w.assert_equal();
        let all = w.server.envelopes.clone();
        w.phones[2].0.revocations.push(vec![9; 16]);
        w.server.restore(&copy);
        w.write(1, 3);
        let report = w.sync(2);
        let changed = Incident::GenerationChanged { from: 1, to: 2 };
        assert!(report.incidents.contains(&changed), "{report:?}");
        assert!(
            !report.incidents.contains(&Incident::DigestMismatch),
            "{report:?}"
        );
        assert!(report.equal, "seed {seed}: {report:?}");
        assert!(
            w.server.revoked.contains(&vec![9; 16]),
            "revocations come back"
        );
        w.assert_equal();
        for (id, (_, _, verdict)) in &all {
            assert_eq!(
                w.server.envelopes[id].2, *verdict,
                "attested verdicts are kept"
            );
        }
    }
}

/// One request holds only a part of them.
#[test]
fn all_revocations_come_back_over_several_requests() {
    let mut w = FaultyNetwork::new(9, 1);
    w.write(0, 1);
    w.assert_equal();
    let copy = w.server.clone();
    let count = GIVE_BACK_DIRECTORY_MAX + 1;
    let revocations = (0..count).map(|n| n.to_be_bytes().to_vec());
    w.phones[0].0.revocations.extend(revocations);
    w.server.restore(&copy);
    let report = w.sync(0);
    assert!(report.equal, "{report:?}");
    assert_eq!(w.server.revoked.len(), count);
}

/// So the server judges own work beside everything that was settled before the loss.
#[test]
fn phone_behind_a_restored_server_gives_back_before_it_sends() {
    let mut w = FaultyNetwork::new(8, 1);
    w.write(0, 20);
    w.sync(0);
    let copy = w.server.clone();
    w.write(0, 30);
    w.sync(0);
    w.server.restore(&copy);
    let known = w.phones[0].0.order.len();
    w.write(0, 3);
    let own: BTreeSet<_> = w.phones[0].0.order[known..].iter().copied().collect();
    let mut sent = BTreeSet::new();
    loop {
        let (port, star) = &mut w.phones[0];
        match star.next(port, w.now, &mut w.rng).unwrap() {
            Step::Done(report) => {
                assert!(report.equal, "{report:?}");
                break;
            }
            Step::Wait { until_ms } => w.now = until_ms,
            Step::Awaiting => panic!("nobody waits here"),
            Step::Send(request) => {
                // The restored server does not know the session, so it refuses the first request.
                let known = !w.server.sessions.is_empty();
                if known && request.path == crate::sync::paths::SYNC_PATH {
                    let bundle = SyncRequest::from_bytes(&request.body).unwrap().bundle;
                    let envelopes = bundle.into_iter().flat_map(|bundle| bundle.envelopes);
                    let ids: BTreeSet<_> = envelopes.map(|raw| raw.hash().envelope_id()).collect();
                    for id in ids.intersection(&own) {
                        let record = port.held[id].record;
                        for (other, held) in &port.held {
                            let settled = held.record == record && held.verdict.is_some();
                            let there = w.server.envelopes.contains_key(other);
                            assert!(!settled || there || ids.contains(other));
                        }
                        sent.insert(*id);
                    }
                }
                w.exchange(0, &request, 0);
            }
        }
    }
    assert_eq!(sent, own);
}

#[test]
fn an_older_server_is_not_followed_back() {
    let mut w = FaultyNetwork::new(5, 1);
    w.write(0, 5);
    w.server.generation = 4;
    w.sync(0);
    w.server.generation = 3;
    w.server.sessions.clear();
    let before = w.phones[0].0.held.clone();
    let (port, star) = &mut w.phones[0];
    let mut codes = Vec::new();
    for _ in 0..8 {
        match star.next(port, w.now, &mut w.rng).unwrap() {
            Step::Send(request) => {
                let reply = w.server.handle(&request, w.now, &mut w.rng);
                let incoming = Incoming {
                    status: reply.status,
                    mac: reply.mac.as_deref(),
                    body: &reply.body,
                };
                if let Err(error) = star.received(port, incoming, w.now, &mut w.rng) {
                    codes.push(error.code().to_owned());
                }
            }
            Step::Wait { until_ms } => w.now = until_ms,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        codes.contains(&"sync.older_generation".to_owned()),
        "{codes:?}"
    );
    assert_eq!(before, port.held);
}

#[test]
fn what_another_phone_brings_while_an_answer_is_on_its_way_is_no_difference() {
    let mut w = FaultyNetwork::new(7, 2);
    w.write(0, 20);
    w.assert_equal();
    let (port, star) = &mut w.phones[1];
    let Step::Send(request) = star.next(port, w.now, &mut w.rng).unwrap() else {
        panic!("a session is open");
    };
    let slow = w.server.handle(&request, w.now, &mut w.rng);
    w.write(0, 1);
    w.sync(0);
    let newest = w.phones[0].0.order.last().copied().unwrap();
    let news = w.phones[0].0.held[&newest].clone();
    assert!(news.verdict.is_some());
    let (port, star) = &mut w.phones[1];
    port.insert(news.raw, news.verdict);
    let incoming = Incoming {
        status: slow.status,
        mac: slow.mac.as_deref(),
        body: &slow.body,
    };
    star.received(port, incoming, w.now, &mut w.rng).unwrap();
    let report = w.sync(1);
    assert!(report.equal);
    assert_eq!(report.incidents, []);
    assert_eq!(report.round_trips, 2);
}

#[test]
fn a_silent_difference_is_found_repaired_and_reported() {
    let mut w = FaultyNetwork::new(6, 2);
    w.write(0, 150);
    w.assert_equal();
    // The phone loses some, the server others, and neither notices.
    let lost: Vec<_> = w.phones[1].0.held.keys().step_by(17).copied().collect();
    for id in &lost {
        w.phones[1].0.held.remove(id);
        w.phones[1].0.order.retain(|other| other != id);
    }
    let report = w.sync(1);
    assert!(report.equal);
    assert!(report.incidents.contains(&Incident::DigestMismatch));
    assert!(
        report
            .incidents
            .iter()
            .any(|i| matches!(i, Incident::Repaired { .. }))
    );
    let gone: Vec<_> = w
        .server
        .envelopes
        .keys()
        .skip(5)
        .step_by(29)
        .copied()
        .collect();
    for id in &gone {
        w.server.envelopes.remove(id);
        w.server
            .feeds
            .values_mut()
            .for_each(|feed| feed.retain(|other| other != id));
    }
    for (port, _) in &mut w.phones {
        port.cursors.clear();
    }
    assert!(w.sync(0).equal);
    w.assert_equal();
    assert!(gone.iter().all(|id| w.server.envelopes.contains_key(id)));
}

#[test]
fn another_verdict_on_the_same_envelopes_is_found_and_the_later_one_wins() {
    let mut w = FaultyNetwork::new(16, 2);
    w.write(0, 120);
    w.assert_equal();
    // The feed and the outbox name none of these: the server has decided anew, and it has forgotten.
    let ids: Vec<_> = w.server.envelopes.keys().copied().collect();
    let (anew, forgotten) = (ids[7], ids[70]);
    let void = Status::Void(VoidReason::CaseNotNow);
    w.server.envelopes.get_mut(&anew).unwrap().2 = Verdict {
        status: void,
        ..accepted(w.now + 1, 1)
    };
    let (raw, _, verdict) = w.server.envelopes.get_mut(&forgotten).unwrap();
    let (hash, before) = (raw.hash(), *verdict);
    verdict.at_ms -= 1;
    for phone in [0, 1] {
        let report = w.sync(phone);
        assert!(report.equal);
        let found = report.incidents.contains(&Incident::DigestMismatch);
        assert!(found, "{report:?}");
        assert_eq!(w.phones[phone].0.held[&anew].verdict.unwrap().status, void);
        assert_eq!(w.phones[phone].0.held[&forgotten].verdict, Some(before));
    }
    let (raw, _, verdict) = &w.server.envelopes[&forgotten];
    assert_eq!((raw.hash(), *verdict), (hash, before), "given back");
    for phone in [0, 1] {
        let report = w.sync(phone);
        assert_eq!((report.round_trips, report.incidents.len()), (1, 0));
    }
}

#[test]
fn missing_parents_are_sent_and_what_nobody_has_blocks_nothing_else() {
    let mut w = FaultyNetwork::new(7, 1);
    let (a, b) = (RecordId([3; 16]), RecordId([4; 16]));
    let phone = &mut w.phones[0].0;
    let first = phone.write(a, &mut w.rng);
    phone.write(a, &mut w.rng);
    w.sync(0);
    // The server forgets the first; the phone, which has its verdict, builds on it.
    w.server.envelopes.clear();
    w.server.feeds.values_mut().for_each(Vec::clear);
    w.phones[0].0.write(a, &mut w.rng);
    w.sync(0);
    assert!(w.server.envelopes.contains_key(&first));
    // The parent of this one is lost everywhere.
    let orphan = w.phones[0].0.write(b, &mut w.rng);
    let child = w.phones[0].0.write(b, &mut w.rng);
    w.phones[0].0.held.remove(&orphan);
    w.phones[0].0.order.retain(|id| *id != orphan);
    let other = w.phones[0].0.write(a, &mut w.rng);
    let report = w.sync(0);
    assert!(
        report.incidents.contains(&Incident::MissingParents),
        "{report:?}"
    );
    assert!(w.server.envelopes.contains_key(&other));
    assert!(!w.server.envelopes.contains_key(&child));
    assert!(
        w.phones[0].0.held[&child].verdict.is_none(),
        "it is kept and waits"
    );
    // The sync ends, and the next one as well, after one answer more than without an orphan.
    for report in [report, w.sync(0)] {
        assert_eq!(report.incidents, [Incident::MissingParents], "{report:?}");
        assert!(report.equal && report.round_trips <= 4, "{report:?}");
        assert_eq!(w.phones[0].0.orphaning, BTreeSet::from([orphan]));
    }
}

/// A restored server gets back every record except one whose beginning is lost everywhere, and except the
/// envelopes that build on it.
#[test]
fn orphan_leaves_room_for_every_other_repair() {
    let mut w = FaultyNetwork::new(17, 1);
    let records: Vec<RecordId> = (1..=30).map(|n| RecordId([n; 16])).collect();
    let empty = w.server.clone();
    for record in &records {
        for _ in 0..3 {
            w.phones[0].0.write(*record, &mut w.rng);
        }
    }
    w.sync(0);
    let all = w.server.envelopes.len();
    w.server.restore(&empty);
    let phone = &mut w.phones[0].0;
    let first = phone.order[0];
    phone.held.remove(&first);
    phone.order.retain(|id| *id != first);
    let own = phone.write(records[9], &mut w.rng);
    let report = w.sync(0);
    assert_eq!(w.server.envelopes.len(), all + 1 - 3, "{report:?}");
    assert!(w.server.envelopes.contains_key(&own));
    for report in [report, w.sync(0)] {
        let stuck = [Incident::Unrepaired, Incident::NoProgress];
        let of_stuck = |incident| stuck.contains(incident);
        assert!(!report.incidents.iter().any(of_stuck), "{report:?}");
        assert!(report.incidents.contains(&Incident::MissingParents));
        assert!(report.round_trips < 20, "{report:?}");
    }
}

#[test]
fn a_revoked_phone_is_refused_keeps_its_work_and_does_not_hammer() {
    let mut w = FaultyNetwork::new(8, 1);
    w.write(0, 3);
    w.server
        .revoked
        .insert(w.phones[0].0.identity.certificate.facts().device.0.to_vec());
    let (port, star) = &mut w.phones[0];
    let (mut requests, start) = (0, w.now);
    while w.now < start + 3_600_000 {
        match star.next(port, w.now, &mut w.rng).unwrap() {
            Step::Send(request) => {
                requests += 1;
                let reply = w.server.handle(&request, w.now, &mut w.rng);
                let incoming = Incoming {
                    status: 403,
                    mac: None,
                    body: &reply.body,
                };
                let incoming = if reply.status == 200 {
                    Incoming {
                        status: 200,
                        ..incoming
                    }
                } else {
                    incoming
                };
                if let Err(error) = star.received(port, incoming, w.now, &mut w.rng) {
                    assert_eq!(error.code(), "session.revoked");
                }
            }
            Step::Wait { until_ms } => {
                assert!(until_ms > w.now && until_ms <= w.now + RETRY_MS_MAX);
                w.now = until_ms;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(requests < 70, "{requests} requests in an hour");
    assert_eq!(port.held.len(), 3);
}

/// Bytes of the page that the next request asks for.
fn page_asked(w: &mut FaultyNetwork) -> u32 {
    let (port, star) = &mut w.phones[0];
    let Step::Send(request) = star.next(port, w.now, &mut w.rng).unwrap() else {
        panic!("a session is open");
    };
    let asked = SyncRequest::from_bytes(&request.body).unwrap();
    w.exchange(0, &request, 0);
    asked.page_bytes_max
}

#[test]
fn pages_shrink_with_losses_and_grow_again() {
    let mut w = FaultyNetwork::new(10, 2);
    w.sync(0);
    let (port, star) = &mut w.phones[0];
    for _ in 0..12 {
        star.begin();
        assert!(matches!(
            star.next(port, w.now, &mut w.rng),
            Ok(Step::Send(_))
        ));
        star.failed(w.now, &mut w.rng);
    }
    star.begin();
    assert_eq!(page_asked(&mut w), PAGE_BYTES_MIN);
    // The line is good again: every answer that is cut at its size makes the next one larger.
    for _ in 0..8 {
        w.write(1, 120);
        w.sync(1);
        w.sync(0);
    }
    w.phones[0].1.begin();
    assert_eq!(page_asked(&mut w), PAGE_BYTES_DEFAULT);
}

#[test]
fn cut_line_is_tried_again_at_once_but_once() {
    let mut w = FaultyNetwork::new(14, 1);
    w.sync(0);
    let lose = |w: &mut FaultyNetwork| {
        let (port, star) = &mut w.phones[0];
        star.begin();
        let sent = star.next(port, w.now, &mut w.rng);
        assert!(matches!(sent, Ok(Step::Send(_))));
        star.failed(w.now, &mut w.rng);
        let Ok(Step::Wait { until_ms }) = star.next(port, w.now, &mut w.rng) else {
            panic!("it waits");
        };
        until_ms - w.now
    };
    assert!((1..=RETRY_MS_CUT).contains(&lose(&mut w)));
    // The second loss in a row waits as long as the second failure of any sort, the third longer.
    assert!(lose(&mut w) >= RETRY_MS_FIRST);
    assert!(lose(&mut w) >= 2 * RETRY_MS_FIRST);
    w.phones[0].1.begin();
    page_asked(&mut w);
    assert!(
        (1..=RETRY_MS_CUT).contains(&lose(&mut w)),
        "after an answer"
    );
}

#[test]
fn unreached_server_leaves_the_page_as_it_was() {
    let mut w = FaultyNetwork::new(11, 1);
    w.sync(0);
    let before = page_asked(&mut w);
    let (port, star) = &mut w.phones[0];
    for _ in 0..12 {
        star.begin();
        assert!(matches!(
            star.next(port, w.now, &mut w.rng),
            Ok(Step::Send(_))
        ));
        star.unreached(w.now, &mut w.rng);
    }
    w.phones[0].1.begin();
    assert_eq!(page_asked(&mut w), before);
}

#[test]
fn sync_given_up_in_a_request_begins_anew() {
    let mut w = FaultyNetwork::new(12, 1);
    w.write(0, 5);
    w.sync(0);
    w.write(0, 5);
    let (port, star) = &mut w.phones[0];
    assert!(matches!(
        star.next(port, w.now, &mut w.rng),
        Ok(Step::Send(_))
    ));
    star.begin();
    assert!(!star.is_awaiting());
    let report = w.sync(0);
    assert_eq!((report.pushed, report.equal), (5, true));
}

#[test]
fn paused_sync_reports_more_and_goes_on() {
    let mut w = FaultyNetwork::new(13, 2);
    w.write(1, 130);
    w.sync(1);
    let mut pulled = 0;
    let mut parts = 0;
    let report = loop {
        let (port, star) = &mut w.phones[0];
        match star.next(port, w.now, &mut w.rng).unwrap() {
            Step::Send(request) => w.exchange(0, &request, 0),
            Step::Done(report) => break report,
            other => panic!("{other:?}"),
        }
        if let Some(part) = w.phones[0].1.pause() {
            assert!(part.more);
            pulled += part.pulled;
            parts += 1;
        }
    };
    assert!(parts > 3 && report.equal && !report.more);
    assert_eq!(pulled + report.pulled, 130);
}

#[test]
fn answers_that_nobody_asked_for_and_clocks_set_back_do_no_harm() {
    let mut w = FaultyNetwork::new(9, 1);
    let (port, star) = &mut w.phones[0];
    let incoming = Incoming {
        status: 200,
        mac: None,
        body: b"x",
    };
    let unasked = star.received(port, incoming, 0, &mut w.rng);
    assert_eq!(unasked, Err(SyncError::Unasked));
    assert!(matches!(
        star.next(port, 1_000_000_000, &mut w.rng),
        Ok(Step::Send(_))
    ));
    assert_eq!(
        star.next(port, 1_000_000_000, &mut w.rng),
        Ok(Step::Awaiting)
    );
    star.failed(1_000_000_000, &mut w.rng);
    let Ok(Step::Wait { until_ms }) = star.next(port, 0, &mut w.rng) else {
        panic!()
    };
    assert!(
        until_ms <= RETRY_MS_MAX,
        "a clock set back does not make it wait for days"
    );
    star.wake();
    assert!(matches!(star.next(port, 0, &mut w.rng), Ok(Step::Send(_))));
}

#[test]
fn the_code_of_a_problem_is_read_carefully() {
    assert_eq!(problem_code(b"{\"code\":\"http.busy\"}"), Some("http.busy"));
    assert_eq!(
        problem_code(b"{\"a\":1, \"code\" : \"a.b_1\" }"),
        Some("a.b_1")
    );
    for bad in [
        &b""[..],
        b"{}",
        b"{\"code\":7}",
        b"{\"code\":\"A<b>\"}",
        b"\xff",
        b"\"code\":\"a",
    ] {
        assert_eq!(problem_code(bad), None);
    }
}

fn carry(w: &mut FaultyNetwork, phone: usize, count: u8) {
    let parcels = (0..count).map(|n| crate::wire::parcel::Parcel {
        tag: [n; 16],
        bytes: vec![n; 4_000],
    });
    w.phones[phone].0.parcels.extend(parcels);
}

#[test]
fn parcels_go_after_own_work_and_are_forgotten() {
    let mut w = FaultyNetwork::new(61, 1);
    w.write(0, 20);
    carry(&mut w, 0, 40);
    let report = w.sync(0);
    assert!(report.equal && report.incidents.is_empty(), "{report:?}");
    assert_eq!((report.pushed, report.parcels), (20, 40));
    assert_eq!(w.server.parcels_seen, 40, "each once");
    assert!(w.phones[0].0.parcels.is_empty());
}

#[test]
fn refused_parcel_is_dropped_with_its_reason() {
    let mut w = FaultyNetwork::new(62, 1);
    let outcome = crate::wire::parcel::ParcelOutcome::NotOpened;
    w.server.parcels = Some(outcome);
    carry(&mut w, 0, 1);
    let report = w.sync(0);
    assert_eq!(report.incidents, [Incident::ParcelRefused { outcome }]);
    assert_eq!(report.parcels, 0);
    assert!(w.phones[0].0.parcels.is_empty());
}

/// The server may take them another time, so the courier keeps them and asks once in a sync.
#[test]
fn parcels_that_are_not_taken_now_stay() {
    use crate::wire::parcel::ParcelOutcome::{Later, MissingParents, TooMany, UnknownKey};
    for outcome in [TooMany, MissingParents, Later, UnknownKey] {
        let mut w = FaultyNetwork::new(66, 1);
        w.server.parcels = Some(outcome);
        carry(&mut w, 0, 40);
        let report = w.sync(0);
        assert!(report.equal && report.parcels == 0, "{report:?}");
        assert_eq!(w.phones[0].0.parcels.len(), 40, "{outcome:?}");
        let seen = w.server.parcels_seen;
        assert_eq!(seen == 40, outcome != TooMany, "{outcome:?}: {seen}");
    }
}

#[test]
fn server_without_parcels_leaves_them_for_later() {
    let mut w = FaultyNetwork::new(63, 1);
    w.server.parcels = None;
    w.write(0, 3);
    carry(&mut w, 0, 2);
    let report = w.sync(0);
    assert!(report.equal && report.incidents.is_empty(), "{report:?}");
    assert_eq!(w.server.parcels_seen, 2, "asked once");
    assert_eq!(w.phones[0].0.parcels.len(), 2);
}

/// The answer to the request with parcels is lost: the sync ends without them, and the next one brings
/// them.
#[test]
fn lost_request_with_parcels_holds_nothing_up() {
    let mut w = FaultyNetwork::new(64, 1);
    w.sync(0);
    carry(&mut w, 0, 2);
    let (port, star) = &mut w.phones[0];
    let Step::Send(request) = star.next(port, w.now, &mut w.rng).unwrap() else {
        panic!("a request")
    };
    w.server.handle(&request, w.now, &mut w.rng);
    star.failed(w.now, &mut w.rng);
    let report = w.sync(0);
    assert!(report.equal && report.parcels == 0, "{report:?}");
    assert_eq!(w.sync(0).parcels, 2);
}

#[test]
fn parcels_under_faults_arrive_and_nothing_else_changes() {
    for seed in 0..12 {
        let mut w = FaultyNetwork::new(300 + seed, 2);
        for round in 0..8 {
            w.write(0, 5);
            carry(&mut w, 0, round);
            w.run(0, 40);
        }
        w.assert_equal();
        assert!(w.phones[0].0.parcels.is_empty(), "seed {seed}");
    }
}

#[test]
fn parcels_wait_while_the_phone_is_behind() {
    let mut w = FaultyNetwork::new(65, 1);
    w.write(0, 30);
    let copy = w.server.clone();
    w.sync(0);
    w.server.restore(&copy);
    carry(&mut w, 0, 1);
    let report = w.sync(0);
    assert!(report.equal, "{report:?}");
    assert_eq!((report.parcels, w.server.envelopes_before_parcel), (1, 30));
}

/// Runs a plan to its end, and returns the measure and the report.
fn plan(w: &mut FaultyNetwork, phone: usize) -> (Measure, Report) {
    w.phones[phone].1.begin_plan();
    let report = w.sync(phone);
    (w.phones[phone].1.take_measure().unwrap(), report)
}

#[test]
fn plan_counts_and_moves_nothing() {
    let mut w = FaultyNetwork::new(41, 2);
    w.write(0, 60);
    w.sync(0);
    w.write(1, 5);
    let (measure, report) = plan(&mut w, 1);
    assert!(measure.open.count >= 60, "{measure:?}");
    assert_eq!((report.pushed, report.pulled), (0, 0));
    assert_eq!(report.round_trips, 3, "the handshake and one question");
    let (port, _) = &w.phones[1];
    assert!(port.cursors.is_empty() && port.held.len() == 5);
    assert_eq!(w.phones[1].1.take_measure(), None, "once");
    let report = w.sync(1);
    assert!(
        report.equal && report.pushed == 5,
        "the sync follows: {report:?}"
    );
    assert_eq!(plan(&mut w, 1).0, Measure::default());
}

#[test]
fn plan_asks_again_with_all_cursors() {
    let mut w = FaultyNetwork::new(42, 2);
    w.write(0, 10);
    w.sync(0);
    w.sync(1);
    w.write(0, 3);
    w.sync(0);
    let copy = w.server.clone();
    w.server.restore(&copy);
    w.server.generation = 1;
    let (measure, _) = plan(&mut w, 1);
    assert!(measure.open.count >= 3, "{measure:?}");
    assert_eq!(w.server.needed, 1);
}

#[test]
fn plan_of_an_older_server_fails_by_code() {
    let mut w = FaultyNetwork::new(43, 1);
    w.server.measures = false;
    w.write(0, 4);
    w.phones[0].1.begin_plan();
    let mut code = None;
    for _ in 0..8 {
        let (port, star) = &mut w.phones[0];
        match star.next(port, w.now, &mut w.rng).unwrap() {
            Step::Send(request) => {
                let reply = w.server.handle(&request, w.now, &mut w.rng);
                let incoming = Incoming {
                    status: reply.status,
                    mac: reply.mac.as_deref(),
                    body: &reply.body,
                };
                let taken = star.received(port, incoming, w.now, &mut w.rng);
                code = taken.err().map(|error| error.code().to_owned()).or(code);
            }
            Step::Wait { .. } => break,
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(code.as_deref(), Some("sync.unmeasured"));
    w.phones[0].1.begin();
    assert!(w.sync(0).equal, "the sync itself needs no plan");
}

#[test]
fn sync_after_an_unfinished_plan_is_a_sync() {
    let mut w = FaultyNetwork::new(44, 1);
    w.write(0, 4);
    w.phones[0].1.begin_plan();
    let (port, star) = &mut w.phones[0];
    assert!(matches!(
        star.next(port, w.now, &mut w.rng),
        Ok(Step::Send(_))
    ));
    star.begin();
    let report = w.sync(0);
    assert_eq!((report.pushed, report.equal), (4, true));
    assert_eq!(w.phones[0].1.take_measure(), None);
}
