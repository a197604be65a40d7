//! The way of an envelope, the hard cases first, over the whole protocol.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod budget;
mod certificates;
mod damaged;
mod dangers;
mod failing;
mod flood;
mod hostile;
mod listed;
mod loads;
mod meanwhile;
mod merges;
mod moved;
mod newer;
mod nodes;
mod overdue;
mod pages;
mod parcels;
mod ration;
mod readings;
mod reroute;
mod restored;
mod review;
mod templates;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::case::payload::{Bare, Comment, GiveBack, Step, Triage};
use onegrid_core::domain::case::{Event, Party};
use onegrid_core::domain::{Grant, Role, Scope, StreamId, Text};
use onegrid_core::fixtures::*;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::trust::enrolment::EnrolmentRequest;
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::SecretKey;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::message::SyncResponse;
use onegrid_core::wire::page::FeedEntry;
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, Status, VoidReason};

use crate::rules::Rules;
use crate::store::Entry;
use pages::held_by;
use world::*;

fn statuses(answer: &SyncResponse) -> Vec<Status> {
    let receipt = answer.receipt.as_ref().expect("a receipt");
    receipt
        .lines
        .iter()
        .map(|line| line.verdict.status)
        .collect()
}

/// Compares every stream's digest with the sum over its stored records.
fn digests_are_right(world: &TestServer) {
    world
        .server
        .store()
        .read::<_, crate::store::StoreError>(|tx| {
            for stream in tx.streams()? {
                let mut sum = Digest::EMPTY;
                for item in tx.stream_items(stream)? {
                    let of_record: Digest = tx.settled(item.record)?.into_iter().collect();
                    assert_eq!(item.digest, of_record, "{stream}");
                    sum = sum.plus(of_record);
                }
                let head = tx.head(stream)?;
                assert_eq!(head.digest, sum, "{stream}");
                let rows = tx.feed(stream, 0, usize::MAX)?;
                assert!(rows.iter().map(|row| row.position).eq(1..=head.position));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_bundle_in_any_order_is_accepted_once_and_its_duplicates_get_the_same_verdict() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let first = phone.act(genesis.record(), &[genesis.id()], &comment("a"));
    let second = phone.act(genesis.record(), &[first.id()], &comment("b"));
    let answer = phone.push(&world.server, &[&second, &genesis, &first, &genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted; 4]);
    let again = phone.push(&world.server, &[&first, &second]);
    let (lines, before) = (again.receipt.unwrap().lines, answer.receipt.unwrap().lines);
    assert_eq!(lines[0].verdict, before[2].verdict);
    assert_eq!(lines[1].verdict, before[0].verdict);
    digests_are_right(&world);
}

#[test]
fn an_open_bundle_names_what_is_missing_and_stores_nothing() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let first = phone.act(genesis.record(), &[genesis.id()], &comment("a"));
    let second = phone.act(genesis.record(), &[first.id()], &comment("b"));
    let other = phone.report("whole");
    let answer = phone.push(&world.server, &[&second, &genesis, &other]);
    assert_eq!((answer.missing, answer.receipt), (vec![first.id()], None));
    let stored = world
        .server
        .store()
        .read(|tx| tx.verdict(other.id()))
        .unwrap();
    assert_eq!(stored, None);
    let answer = phone.push(&world.server, &[&second, &genesis, &other, &first]);
    assert_eq!(statuses(&answer), [Status::Accepted; 4]);
}

#[test]
fn one_bad_change_among_fifty_takes_only_its_descendants_along() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let reports: Vec<Envelope> = (0..50).map(|n| phone.report(&format!("r{n}"))).collect();
    let below = phone.act(reports[20].record(), &[reports[20].id()], &comment("below"));
    let mut raw: Vec<_> = reports
        .iter()
        .map(|envelope| envelope.raw().clone())
        .collect();
    raw[20].signature[3] ^= 1;
    raw[30].body.truncate(5);
    raw.push(below.raw().clone());
    let request = phone.ask(Some(phone.raw_bundle(raw)), 0);
    let answer = phone.send(&world.server, &request).unwrap();
    for (n, status) in statuses(&answer).into_iter().enumerate() {
        let expected = match n {
            20 | 50 => Status::Refused(RefusedReason::BadSignature),
            30 => Status::Refused(RefusedReason::Malformed),
            _ => Status::Accepted,
        };
        assert_eq!(status, expected, "{n}");
    }
    digests_are_right(&world);
}

#[test]
fn what_the_role_does_not_allow_is_void_and_has_positions() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let order = phone.act(genesis.record(), &[genesis.id()], &triage());
    let answer = phone.push(&world.server, &[&genesis, &order]);
    let expected = [Status::Accepted, Status::Void(VoidReason::MayRole)];
    assert_eq!(statuses(&answer), expected);
    assert!(!answer.receipt.unwrap().lines[1].at.is_empty());
    digests_are_right(&world);
}

#[test]
fn a_revoked_device_is_cut_off_and_what_another_brings_of_it_is_held() {
    let world = TestServer::new();
    let mut lost = world.phone(VOLUNTEER_WANG);
    let mut carrier = world.phone(VOLUNTEER_ZHAO);
    let before = lost.report("before");
    assert_eq!(
        statuses(&lost.push(&world.server, &[&before])),
        [Status::Accepted]
    );
    let late = lost.report("late");
    let device = lost.certificate.facts().device;
    let wake = world.server.subscribe(device, NOW).unwrap();
    assert!(world.server.revoke(device, "admin", NOW + 1).unwrap());
    assert!(wake.borrow().cut, "cut off at once");
    let refused = lost
        .send(&world.server, &lost.ask(None, 1_000))
        .unwrap_err();
    assert_eq!(refused.code(), "session.unknown");
    let request = carrier.ask(Some(lost.bundle(&[&late, &before])), 0);
    let answer = carrier.send(&world.server, &request).unwrap();
    let expected = [Status::Held(HeldReason::Revoked), Status::Accepted];
    assert_eq!(statuses(&answer), expected, "what had arrived stays");
    assert!(!world.server.revoke(device, "admin", NOW + 2).unwrap());
}

#[test]
fn revoking_and_accepting_race_without_a_gap() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let device = phone.certificate.facts().device;
    let reports: Vec<Envelope> = (0..40).map(|n| phone.report(&format!("r{n}"))).collect();
    let server = std::sync::Arc::clone(&world.server);
    let barrier = std::sync::Barrier::new(2);
    let none = std::collections::HashMap::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            server.revoke(device, "admin", NOW).unwrap();
        });
        barrier.wait();
        for report in &reports {
            world
                .server
                .ingest(phone.bundle(&[report]), &none, NOW)
                .unwrap();
        }
    });
    // Once one is held, all after it are.
    let verdicts: Vec<Status> = reports
        .iter()
        .map(|report| {
            let found = world
                .server
                .store()
                .read(|tx| tx.verdict(report.id()))
                .unwrap();
            found.unwrap().1.status
        })
        .collect();
    let held = Status::Held(HeldReason::Revoked);
    let first = verdicts
        .iter()
        .position(|status| *status == held)
        .unwrap_or(verdicts.len());
    assert!(
        verdicts[..first]
            .iter()
            .all(|status| *status == Status::Accepted)
    );
    assert!(verdicts[first..].iter().all(|status| *status == held));
    digests_are_right(&world);
}

#[test]
fn work_under_a_role_that_changed_counts_if_its_author_did_not_know() {
    let world = TestServer::new();
    let mut phone = world.phone(DISPATCHER_ZHOU);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let unaware = phone.act(genesis.record(), &[genesis.id()], &comment("unaware"));
    world.member(DISPATCHER_ZHOU, vec![VOLUNTEER_WANG.grant()]);
    let mark = world
        .server
        .store()
        .read(|tx| crate::directory::mark(tx))
        .unwrap();
    phone.seen = mark;
    // It opens a session with its old certificate and does not take the new one.
    world.again(&mut phone, NOW).expect("a new certificate");
    let aware = phone.act(genesis.record(), &[unaware.id()], &comment("aware"));
    let answer = phone.push(&world.server, &[&unaware, &aware]);
    let expected = [Status::Accepted, Status::Held(HeldReason::RoleChanged)];
    assert_eq!(statuses(&answer), expected);
}

#[test]
fn author_that_forgets_what_it_had_seen_is_held() {
    let world = TestServer::new();
    let mut phone = world.phone(DISPATCHER_ZHOU);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    world.member(DISPATCHER_ZHOU, vec![VOLUNTEER_WANG.grant()]);
    let before = phone.seen;
    let read = |tx: &dyn crate::store::Reader| crate::directory::mark(tx);
    phone.seen = world.server.store().read(read).unwrap();
    world.again(&mut phone, NOW).expect("a new certificate");
    let aware = phone.act(genesis.record(), &[genesis.id()], &comment("aware"));
    phone.seen = before;
    let forgetful = phone.act(genesis.record(), &[aware.id()], &comment("forgetful"));
    let answer = phone.push(&world.server, &[&aware, &forgetful]);
    let expected = Status::Held(HeldReason::RoleChanged);
    assert_eq!(statuses(&answer), [expected, expected]);
}

#[test]
fn directory_mark_of_the_future_is_held() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let read = |tx: &dyn crate::store::Reader| crate::directory::mark(tx);
    let mark = world.server.store().read(read).unwrap();
    let held = Status::Held(HeldReason::Directory);
    for (generation, position, expected) in [
        (mark.generation, mark.position, Status::Accepted),
        (mark.generation, mark.position + 1, held),
        (mark.generation + 1, 0, held),
        (mark.generation - 1, u64::MAX, Status::Accepted),
    ] {
        phone.seen.generation = generation;
        phone.seen.position = position;
        let report = phone.report("gas");
        let answer = phone.push(&world.server, &[&report]);
        assert_eq!(statuses(&answer), [expected], "{generation} {position}");
    }
}

#[test]
fn claimed_source_of_another_role_is_void() {
    use onegrid_core::domain::Source;
    use onegrid_core::wire::body::{Body, Genesis};
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    for (source, expected) in [
        (Source::Task, Status::Accepted),
        (Source::Api, Status::Void(VoidReason::MaySource)),
    ] {
        let Body::Genesis(genesis) = phone.report("gas").body().clone() else {
            unreachable!()
        };
        let body = Body::Genesis(Genesis { source, ..genesis });
        let report = phone.seal(None, &[], &body);
        assert_eq!(
            statuses(&phone.push(&world.server, &[&report])),
            [expected],
            "{source}"
        );
    }
}

#[test]
fn revoked_device_gets_no_certificate_again() {
    let world = TestServer::new();
    world.member(VOLUNTEER_WANG, vec![]);
    let member = VOLUNTEER_WANG.member();
    let mut rng = world.rng.lock().unwrap();
    let invited = world
        .server
        .invite(member, 3_600_000, "admin", NOW, &mut *rng)
        .unwrap();
    let ticket = Ticket::parse(&invited.code).unwrap();
    let key = VOLUNTEER_WANG.key();
    let asked = EnrolmentRequest::write(&ticket, world.keys.authority(), &key, "phone");
    let first = world.server.handle_enrol(&asked, NOW).unwrap();
    assert_eq!(
        world.server.handle_enrol(&asked, NOW).unwrap(),
        first,
        "the answer was lost"
    );
    world
        .server
        .revoke(key.public().device(), "admin", NOW)
        .unwrap();
    let refused = world.server.handle_enrol(&asked, NOW).unwrap_err();
    assert_eq!(refused.code(), "session.revoked");
}

#[test]
fn directory_entry_beyond_the_limit_is_not_published() {
    use onegrid_core::domain::directory::{DirectoryEntry, DirectoryError};
    let world = TestServer::new();
    let entry = |bytes: usize| DirectoryEntry::Unknown {
        code: 900,
        payload: vec![7; bytes],
    };
    let max = onegrid_core::limits::DIRECTORY_ENTRY_BYTES_MAX;
    let refused = world
        .server
        .publish(vec![entry(max + 1)], "admin", NOW)
        .unwrap_err();
    assert_eq!(refused.code(), DirectoryError::TooLarge.code());
    world
        .server
        .publish(vec![entry(max)], "admin", NOW)
        .unwrap();
    let answers = world.phone(GRID_WORKER_CHEN).pull(&world.server, 10_000);
    let pages = answers.iter().filter_map(|answer| answer.page.as_ref());
    let mut entries = pages
        .flat_map(|page| &page.segments)
        .flat_map(|segment| &segment.entries);
    let long =
        |entry: &FeedEntry| matches!(entry, FeedEntry::Directory(bytes) if bytes.len() > max);
    assert!(entries.any(long), "a phone can read the longest");
}

#[test]
fn a_path_that_the_directory_does_not_know_waits() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let wrong = onegrid_core::domain::AreaPath::new(&[DISTRICT, VILLAGE]).unwrap();
    let genesis = phone.report_at("elsewhere", wrong);
    let answer = phone.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::Directory)]);
}

#[test]
fn automatic_moves_are_made_once_and_go_up_when_time_has_passed() {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
                 severity = \"serious\"\ndispatch_kind = \"utility\"\naccept_minutes = 30\n\
                 resolve_minutes = 600\nescalate = true\n";
    let world = TestServer::with(Rules::parse(rules, "test").unwrap());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let count = || {
        let stored = world
            .server
            .store()
            .read(|tx| tx.envelopes(genesis.record()))
            .unwrap();
        assert!(
            stored
                .iter()
                .all(|stored| stored.verdict.status == Status::Accepted)
        );
        stored.len()
    };
    assert_eq!(count(), 3, "report, triage, dispatch");
    reporter.push(&world.server, &[&genesis]);
    assert_eq!((count(), world.server.tick(NOW + 60_000).unwrap()), (3, 0));
    let late = NOW + 31 * 60_000 + 10_000;
    assert_eq!(world.server.tick(late).unwrap(), 1);
    assert_eq!((count(), world.server.tick(late).unwrap()), (4, 0), "once");
    assert_eq!(
        world.server.tick(NOW + 601 * 60_000 + 10_000).unwrap(),
        1,
        "the second deadline"
    );
    digests_are_right(&world);
    let mut handler = world.phone(HANDLER_SHEN);
    assert_eq!(held_by(&handler.pull(&world.server, 100_000)).0.len(), 5);
    let step = Step {
        assignment: genesis.id(),
        attachments: Vec::new(),
        note: None,
    };
    let nonsense = handler.act(genesis.record(), &[genesis.id()], &Event::Accept(step));
    let answer = handler.push(&world.server, &[&nonsense]);
    assert!(matches!(statuses(&answer)[..], [Status::Void(_)]));
}

#[test]
fn the_audit_log_shows_any_change() {
    let world = TestServer::new();
    world.phone(VOLUNTEER_WANG);
    let store = world.server.store();
    let verify = || store.read(|tx| crate::registry::audit::verify(tx)).unwrap();
    let lines = verify().unwrap();
    assert!(lines >= 4, "{lines}");
    store
        .write::<_, crate::store::StoreError>(move |tx| {
            let row = tx.audit_last()?.unwrap();
            tx.put_audit(&crate::store::AuditRow {
                no: row.no + 1,
                ..row
            })
        })
        .unwrap();
    assert_eq!(verify(), Err(lines + 1));
}
