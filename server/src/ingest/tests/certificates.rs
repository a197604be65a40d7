//! Certificates in time: renewed, run out, and made again when roles or zones change.

use std::sync::Arc;

use onegrid_core::domain::directory::{Access, DirectoryEntry};
use onegrid_core::domain::names::Names;
use onegrid_core::domain::zone::{ZoneEntry, ZoneVersion};
use onegrid_core::id::{AreaId, ZoneId};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::session::ClientHandshake;
use onegrid_core::wire::message::CloseReason;
use onegrid_core::wire::signed_entry::SignedEntry;

use super::meanwhile::{MeanwhileStore, Moment};
use super::*;
use crate::limits::{CERTIFICATE_MS, RENEW_BEFORE_MS};
use crate::registry::devices;
use crate::registry::members::MemberDescription;

const DAY_MS: i64 = 24 * 3_600_000;
const ZONE: ZoneId = ZoneId([0x5a; 16]);

impl TestServer {
    /// Opens a session anew and returns the certificate that arrived with it.
    pub(crate) fn again(&self, phone: &mut SyncPhone, now_ms: i64) -> Option<Certificate> {
        let mut rng = self.rng.lock().unwrap();
        let (client, hello) = ClientHandshake::start(self.keys.authority(), &mut *rng);
        let server = &self.server;
        let answer = server.handle_hello(&hello, now_ms, &mut *rng).unwrap();
        let anchors = self.keys.anchors();
        let (waiting, prove) = client
            .prove(&answer, anchors, &phone.key, &phone.certificate)
            .unwrap();
        let grant = server.handle_prove(&prove, now_ms).unwrap();
        let (session, grant) = waiting.finish(&grant, now_ms).unwrap();
        phone.session = session;
        phone.clock_ms = now_ms;
        grant
            .grant
            .certificate
            .map(|raw| Certificate::verify(raw, anchors).unwrap())
    }
}

/// The announcements in the stream of the member.
fn announced(world: &TestServer, phone: &SyncPhone) -> Vec<Access> {
    let stream = StreamId::Member(phone.member);
    let rows = world.server.store().read(|tx| tx.feed(stream, 0, 1_000));
    let entries = rows.unwrap().into_iter().filter_map(|row| match row.entry {
        Entry::Directory(data) => Some(data),
        _ => None,
    });
    entries
        .map(|data| {
            let signed = SignedEntry::from_bytes(&data).unwrap();
            match signed.verify(phone.keys.anchors()).unwrap() {
                DirectoryEntry::Access(access) => access,
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

fn code(answer: crate::error::Result<SyncResponse>) -> &'static str {
    answer.unwrap_err().code()
}

fn zone(areas: &[AreaId], from_ms: i64) -> DirectoryEntry {
    DirectoryEntry::Zone(ZoneEntry {
        id: ZONE,
        names: Names::new("中片区", None).unwrap(),
        version: ZoneVersion {
            areas: areas.iter().copied().collect(),
            valid_from_ms: from_ms,
            valid_to_ms: None,
        },
    })
}

fn areas_of(certificate: &Certificate) -> Vec<AreaId> {
    match &certificate.facts().grants[0].scope {
        Scope::Zone { areas, .. } => areas.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_renewed_in_time_with_the_grants_of_today_and_old_work_stays_valid() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let early = NOW + CERTIFICATE_MS - RENEW_BEFORE_MS - DAY_MS;
    assert_eq!(world.again(&mut phone, early), None, "not yet");
    let genesis = phone.report("under the old one");
    phone.push(&world.server, &[&genesis]);
    let waiting = phone.act(genesis.record(), &[genesis.id()], &comment("not sent yet"));
    let due = NOW + CERTIFICATE_MS - RENEW_BEFORE_MS + DAY_MS;
    phone.clock_ms = due;
    // A session that lasts without end would never ask, so it is not prolonged.
    phone.session.expires_ms = due;
    let request = phone.ask(None, 0);
    assert_eq!(code(phone.send(&world.server, &request)), "session.expired");
    let renewed = world.again(&mut phone, due).expect("a new certificate");
    assert_eq!(renewed.facts().expires_ms, due + CERTIFICATE_MS);
    assert_eq!(renewed.facts().grants, phone.certificate.facts().grants);
    let old = std::mem::replace(&mut phone.certificate, Arc::new(renewed));
    assert_eq!(world.again(&mut phone, due), None, "once");
    phone.clock_ms = due + 14 * 60_000;
    let under_new = phone.act(genesis.record(), &[waiting.id()], &comment("new"));
    let mut bundle = phone.bundle(&[&waiting, &under_new]);
    bundle.certificates.push(old.raw().clone());
    let request = phone.ask(Some(bundle), 0);
    let answer = phone.send(&world.server, &request).unwrap();
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    assert!(answer.session_expires_ms.is_some(), "prolonged again");
    digests_are_right(&world);
}

#[test]
fn an_expired_certificate_ends_reading_and_never_late_writing() {
    let world = TestServer::new();
    let mut phone = world.phone(GRID_WORKER_CHEN);
    let mut other = world.phone(VOLUNTEER_WANG);
    let genesis = other.report("gas");
    other.push(&world.server, &[&genesis]);
    let over = NOW + CERTIFICATE_MS;
    assert_eq!(
        world.again(&mut phone, over),
        None,
        "it is too late for that"
    );
    phone.clock_ms = over;
    let late = phone.report("late work");
    let request = phone.ask(Some(phone.bundle(&[&late])), 1 << 20);
    let answer = phone.send(&world.server, &request).unwrap();
    assert_eq!(statuses(&answer), [Status::Accepted]);
    assert_eq!(answer.closed, Some(CloseReason::Expired));
    assert_eq!(
        (answer.page, answer.streams, answer.heads),
        (None, None, Digest::EMPTY)
    );
    assert!(answer.receipt.unwrap().lines[0].at.is_empty());
    let device = phone.certificate.facts().device;
    let live = world.server.subscribe(device, over).unwrap_err();
    assert_eq!(live.code(), "session.certificate_expired");
    // An administrator renews it; the open session ends, the next one brings the certificate.
    let until_ms = world.server.renew(device, "admin", over).unwrap();
    let request = phone.ask(None, 1 << 20);
    assert_eq!(code(phone.send(&world.server, &request)), "session.unknown");
    let renewed = world
        .again(&mut phone, over + 1)
        .expect("a new certificate");
    assert_eq!(renewed.facts().expires_ms, until_ms);
    let read = phone.pull(&world.server, 1 << 20);
    assert!(read.iter().all(|answer| answer.closed.is_none()));
    assert!(read.iter().any(|answer| answer.page.is_some()));
    world.server.revoke(device, "admin", over + 2).unwrap();
    let refused = world.server.renew(device, "admin", over + 3).unwrap_err();
    assert_eq!(refused.code(), "registry.device_revoked");
}

#[test]
fn other_grants_end_the_session_make_a_certificate_and_are_announced_with_what_is_lost() {
    let world = TestServer::new();
    let mut phone = world.phone(GRID_WORKER_CHEN);
    phone.pull(&world.server, 1 << 20);
    let village = StreamId::AreaStaff(VILLAGE);
    assert!(phone.cursors.iter().any(|cursor| cursor.stream == village));
    assert_eq!(announced(&world, &phone), []);
    let volunteer = VOLUNTEER_WANG.grant();
    world.member(GRID_WORKER_CHEN, vec![volunteer.clone()]);
    let request = phone.ask(None, 1 << 20);
    assert_eq!(code(phone.send(&world.server, &request)), "session.unknown");
    let made = world.again(&mut phone, NOW).expect("a new certificate");
    assert_eq!(made.facts().grants, [volunteer]);
    let news = announced(&world, &phone);
    assert_eq!(news.len(), 1);
    assert!(news[0].lost.contains(&village) && news[0].gained.contains(&StreamId::Unit(TEAM)));
    let answers = phone.pull(&world.server, 1 << 20);
    let streams = answers[0].streams.as_ref().expect("all that is left");
    assert!(!streams.contains(&village));
    let told = answers.iter().flat_map(|answer| &answer.page).any(|page| {
        let mut entries = page.segments.iter().flat_map(|segment| &segment.entries);
        entries.any(|entry| matches!(entry, FeedEntry::Directory(_)))
    });
    assert!(told, "the announcement is in the page");
    // An equal list of grants changes nothing and tells no reader.
    world.member(GRID_WORKER_CHEN, made.facts().grants.clone());
    assert_eq!(announced(&world, &phone).len(), 1);
}

/// The clock of the server was far ahead when a certificate was made. A phone takes only a certificate that is
/// issued later than its own, so the next one is, although the clock is right again.
#[test]
fn certificate_follows_one_of_a_clock_ahead() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let device = phone.certificate.facts().device;
    let ahead = NOW + 30 * DAY_MS;
    world.server.renew(device, "admin", ahead).unwrap();
    let made = world.again(&mut phone, ahead).expect("a new certificate");
    phone.certificate = Arc::new(made);

    // The clock is put right, and the person gets another role.
    let grants = vec![GRID_WORKER_CHEN.grant()];
    world.member(VOLUNTEER_WANG, grants.clone());
    let made = world.again(&mut phone, NOW + 60_000);
    let made = made.expect("a new certificate");
    assert_eq!(made.facts().grants, grants);
    assert!(made.facts().issued_ms > phone.certificate.facts().issued_ms);
    assert!(made.facts().expires_ms < phone.certificate.facts().expires_ms);
}

#[test]
fn roles_in_a_zone_follow_the_zone_when_it_changes_and_when_its_time_comes() {
    let world = TestServer::new();
    world
        .server
        .publish(vec![zone(&[VILLAGE], 0)], "admin", NOW)
        .unwrap();
    let role = Role::StationHead;
    let scope = Scope::Zone {
        zone: ZONE,
        areas: vec![VILLAGE],
    };
    let mut phone = world.phone_with(STATION_HEAD_JIN, vec![Grant { role, scope }]);
    world.server.keep_zones(NOW).unwrap();
    assert_eq!(announced(&world, &phone), [], "nothing has changed");
    let later = NOW + DAY_MS;
    let versions = vec![zone(&[GRID], NOW - 5), zone(&[VILLAGE, GRID], later)];
    world.server.publish(versions, "admin", NOW).unwrap();
    let made = world.again(&mut phone, NOW).expect("a new certificate");
    assert_eq!(areas_of(&made), [GRID]);
    phone.certificate = Arc::new(made);
    assert_eq!(announced(&world, &phone).len(), 1);
    world.server.keep_zones(later - 1).unwrap();
    assert_eq!(world.again(&mut phone, later - 1), None);
    assert_eq!(world.server.keep_zones(later).unwrap(), 1);
    let made = world.again(&mut phone, later).expect("a new certificate");
    assert_eq!(areas_of(&made), [VILLAGE, GRID]);
    assert_eq!(world.server.keep_zones(later + DAY_MS).unwrap(), 0);
    assert_eq!(announced(&world, &phone).len(), 2);
}

#[test]
fn whoever_waits_for_wake_ups_is_woken_by_what_it_reads_now_and_all_who_are_revoked_are_cut() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_ZHAO);
    let device = phone.certificate.facts().device;
    let mut live = world.server.subscribe(device, NOW).unwrap();
    world.member(VOLUNTEER_ZHAO, vec![GRID_WORKER_CHEN.grant()]);
    phone.certificate = Arc::new(world.again(&mut phone, NOW).unwrap());
    phone.pull(&world.server, 1 << 20);
    live.mark_unchanged();
    let mut other = world.phone(VOLUNTEER_WANG);
    let genesis = other.report("gas");
    other.push(&world.server, &[&genesis]);
    assert!(live.has_changed().unwrap(), "its village has news");
    // Revoked by another process.
    world.reopened().revoke(device, "admin", NOW).unwrap();
    world.server.cut_revoked().unwrap();
    assert!(live.borrow_and_update().cut);
}

/// The clock of the server was a year ahead for one look, and is right again.
#[test]
fn zones_are_followed_after_a_clock_ahead() {
    let world = TestServer::new();
    let versions = vec![zone(&[VILLAGE], 0)];
    world.server.publish(versions, "admin", NOW).unwrap();
    let role = Role::StationHead;
    let scope = Scope::Zone {
        zone: ZONE,
        areas: vec![VILLAGE],
    };
    let phone = world.phone_with(STATION_HEAD_JIN, vec![Grant { role, scope }]);
    world.server.keep_zones(NOW + 365 * DAY_MS).unwrap();
    let later = NOW + DAY_MS;
    let versions = vec![zone(&[VILLAGE, GRID], later)];
    world.server.publish(versions, "admin", NOW).unwrap();
    assert_eq!(announced(&world, &phone), []);
    assert_eq!(world.server.keep_zones(later).unwrap(), 1);
}

/// A fresh phone loads the base of the directory, so it holds one entry for each member whose roles changed.
#[test]
fn repeated_changes_of_roles_leave_one_entry() {
    let world = TestServer::new();
    world.phone(GRID_WORKER_CHEN);
    let people = [VOLUNTEER_WANG, DISPATCHER_GAO, VILLAGE_LEAD_QIAN];
    for (after_ms, person) in (1..).zip(people) {
        let described = MemberDescription {
            id: GRID_WORKER_CHEN.member(),
            public_name: None,
            area: VILLAGE,
            grants: vec![person.grant()],
        };
        let put = world
            .server
            .put_members(vec![described], "admin", NOW + after_ms);
        assert_eq!(put.unwrap().changed, 1);
    }
    let base = StreamId::DirectoryBase;
    let entries = world.server.store().read(|tx| tx.current(base, 0, 1_000));
    let changes = entries.unwrap().into_iter().filter(|entry| {
        let signed = SignedEntry::from_bytes(&entry.data).unwrap();
        let entry: DirectoryEntry = minicbor::decode(&signed.entry).unwrap();
        entry.code() == 7
    });
    assert_eq!(changes.count(), 1);
}

/// The office takes a role while the server is about to renew the certificate.
#[test]
fn renewed_certificate_has_the_roles_of_its_moment() {
    let world = TestServer::new();
    world.phone(VOLUNTEER_WANG);
    let member = VOLUNTEER_WANG.member();
    let devices = world.server.store().read(|tx| tx.devices_of(member));
    let device = devices.unwrap()[0].id;
    let (server, store) = MeanwhileStore::server(&world);
    let office = world.reopened();
    store.meanwhile(Moment::BeforeAWrite, move || {
        let take = |described: &mut MemberDescription| {
            described.grants = vec![GRID_WORKER_CHEN.grant()];
            Ok(())
        };
        office.change_member(member, "zhang", NOW, take).unwrap();
    });
    server.renew(device, "li", NOW + 1).unwrap();
    let newest = world.server.store().read(|tx| devices::newest(tx, device));
    let newest = newest.unwrap().unwrap();
    assert_eq!(newest.facts().grants, [GRID_WORKER_CHEN.grant()]);
}
