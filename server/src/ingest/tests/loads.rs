//! First loads of many streams at once.

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::case::payload::Reasoned;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::names::Names;
use onegrid_core::id::AreaId;
use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::pack::Pack;

use super::*;
use crate::limits::FIRST_CASES_MAX;

/// Villages of the town, beside the one that is there.
const VILLAGES: u8 = 12;
/// Cases of each village. The oldest ones are open.
const CASES: u8 = 16;
const OPEN: u8 = 3;

fn village(n: u8) -> AreaPath {
    AreaPath::new(&[DISTRICT, TOWN, area(100 + n)]).unwrap()
}

fn villages(world: &TestServer) {
    publish(
        world,
        (0..VILLAGES).map(|n| (area(100 + n), 100 + u16::from(n))),
    );
}

/// Publishes villages of the town, each with the last three digits of its code.
fn publish(world: &TestServer, villages: impl Iterator<Item = (AreaId, u16)>) {
    let entries = villages.map(|(id, n)| {
        DirectoryEntry::Area(AreaEntry {
            id,
            level: AreaLevel::Village,
            parent: Some(TOWN),
            version: AreaVersion {
                code: format!("330105013{n:03}").parse().unwrap(),
                names: Names::new("某社区", None).unwrap(),
                boundary: None,
                valid_from_ms: 0,
                valid_to_ms: None,
            },
            successors: Vec::new(),
        })
    });
    world
        .server
        .publish(entries.collect(), "admin", NOW)
        .unwrap();
}

fn end() -> Event {
    let reason = Text::new("x").unwrap();
    Event::Dismiss(Reasoned { reason })
}

/// The records of the packs of an answer.
fn packed(answer: &SyncResponse) -> Vec<RecordId> {
    let pages = answer.page.iter();
    pages
        .flat_map(|page| &page.packs)
        .flat_map(|batch| &batch.packs)
        .map(|bytes| Pack::from_bytes(bytes).unwrap().record().unwrap())
        .collect()
}

/// Many villages with cases; some of the open ones are with the gas company too. Returns open and
/// ended ones.
fn cases(world: &TestServer, room: &mut SyncPhone) -> (Vec<Envelope>, Vec<Envelope>) {
    let (mut open, mut ended) = (Vec::new(), Vec::new());
    for n in 0..VILLAGES {
        let mut reporter = world.phone(VOLUNTEER_WANG.like(150 + n));
        for case in 0..CASES {
            let report = reporter.report_at(&format!("{n} {case}"), village(n));
            reporter.push(&world.server, &[&report]);
            let record = report.record();
            room.clock_ms = room.clock_ms.max(reporter.clock_ms);
            if case >= OPEN {
                let end = room.act(record, &[report.id()], &end());
                assert_eq!(
                    statuses(&room.push(&world.server, &[&end])),
                    [Status::Accepted]
                );
                ended.push(report);
                continue;
            }
            if case == 0 {
                let sorted = room.act(record, &[report.id()], &triage());
                let order = room.act(record, &[sorted.id()], &dispatch());
                room.push(&world.server, &[&sorted, &order]);
            }
            open.push(report);
        }
    }
    (open, ended)
}

/// A phone that reads the villages and the cases of the gas company.
fn lead(world: &TestServer, seed: u8) -> SyncPhone {
    let roles = [DISPATCHER_ZHOU, HANDLER_SHEN].map(Person::grant);
    world.phone_with(DISPATCHER_ZHOU.like(seed), roles.to_vec())
}

#[test]
fn open_cases_of_all_streams_come_before_what_has_ended_and_each_once() {
    let world = TestServer::new();
    villages(&world);
    let mut room = world.phone(DISPATCHER_ZHOU);
    let (open, ended) = cases(&world, &mut room);
    let open: BTreeSet<RecordId> = open.iter().map(Envelope::record).collect();
    let ended: BTreeSet<RecordId> = ended.iter().map(Envelope::record).collect();
    let mut lead = lead(&world, 90);
    let mut seen: Vec<RecordId> = Vec::new();
    let (mut pages, mut breaks) = (0, 0);
    loop {
        let before = lead.cursors.clone();
        let request = lead.ask(None, 1_200);
        let answer = lead.send(&world.server, &request).unwrap();
        pages += 1;
        assert!(pages < 400, "it ends");
        if pages % 5 == 3 {
            // This answer never arrived, so the phone asks again from its old cursors.
            lead.cursors = before;
            breaks += 1;
            continue;
        }
        let page = packed(&answer);
        let was_whole = open.iter().all(|record| seen.contains(record));
        seen.extend(&page);
        let ended_now = seen.iter().filter(|record| ended.contains(record)).count();
        if !was_whole {
            let place =
                |records: &BTreeSet<RecordId>| page.iter().position(|r| records.contains(r));
            let last_open = page.iter().rposition(|record| open.contains(record));
            if let Some(first_ended) = place(&ended) {
                assert!(last_open.is_none_or(|last| last < first_ended), "{pages}");
                assert!(open.iter().all(|record| seen.contains(record)), "{pages}");
            }
            assert!(ended_now * 4 < ended.len(), "{ended_now} on page {pages}");
        }
        if !answer.more {
            break;
        }
    }
    assert!(pages > 8 && breaks > 1, "{pages} pages");
    let all: BTreeSet<RecordId> = open.union(&ended).copied().collect();
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(seen.len(), all.len(), "each once");
    assert!(lead.is_unchanged(&world.server));
}

/// A screen of cases precedes a directory that takes many pages, also when a page is lost. Each
/// entry still arrives once.
#[test]
fn fresh_reader_gets_cases_before_the_directory() {
    let world = TestServer::new();
    // Numbers that villages of the world do not have.
    let ids = (0..400_u16).map(|n| {
        (
            AreaId([(n + 0x7f00).to_be_bytes(); 8].concat().try_into().unwrap()),
            500 + n,
        )
    });
    publish(&world, ids);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let reports: Vec<Envelope> = (0..120)
        .map(|n| reporter.report(&format!("r{n}")))
        .collect();
    reporter.push(&world.server, &reports.iter().collect::<Vec<_>>());
    let newest: BTreeSet<RecordId> = reports[100..].iter().map(Envelope::record).collect();
    let mut reader = world.phone(GRID_WORKER_HU);
    // The first answer never arrives.
    let request = reader.ask(None, 8_000);
    reader.send(&world.server, &request).unwrap();
    reader.cursors.clear();
    let (mut seen, mut entries) = (Vec::new(), Vec::new());
    let mut directory_was_whole = false;
    for page in 0.. {
        assert!(page < 100, "it ends");
        let request = reader.ask(None, 8_000);
        let answer = reader.send(&world.server, &request).unwrap();
        let records = packed(&answer);
        if page == 0 {
            assert_eq!(records.iter().copied().collect::<BTreeSet<_>>(), newest);
        }
        seen.extend(records);
        for segment in answer.page.iter().flat_map(|page| &page.segments) {
            if segment.stream == StreamId::DirectoryBase {
                entries.extend(segment.entries.clone());
                directory_was_whole = matches!(segment.next, CursorAt::At { .. });
            }
        }
        assert!(
            directory_was_whole || seen.len() == FIRST_CASES_MAX,
            "page {page}"
        );
        if !answer.more {
            assert!(page > 3, "{page} pages");
            break;
        }
    }
    let all: BTreeSet<RecordId> = reports.iter().map(Envelope::record).collect();
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(seen.len(), all.len(), "each once");
    let said: BTreeSet<Vec<u8>> = entries
        .iter()
        .map(|entry| match entry {
            FeedEntry::Directory(bytes) => bytes.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        (said.len(), said.len() > 400),
        (entries.len(), true),
        "each once"
    );
    assert!(reader.is_unchanged(&world.server));
}

#[test]
fn what_changes_while_many_streams_load_is_missed_by_nobody() {
    let world = TestServer::new();
    villages(&world);
    let mut room = world.phone(DISPATCHER_ZHOU);
    let (open, ended) = cases(&world, &mut room);
    let mut lead = lead(&world, 90);
    let mut answers = Vec::new();
    let mut written = BTreeSet::new();
    let mut reporter = world.phone(VOLUNTEER_WANG.like(91));
    for page in 0..400 {
        let request = lead.ask(None, 1_200);
        answers.push(lead.send(&world.server, &request).unwrap());
        if page < 8 {
            // An open case ends, an ended one is open again, one more is reported, and one gets a
            // comment.
            room.clock_ms += 60_000;
            let at = page * 4;
            let case = &open[page * 3 + 1];
            let over = room.act(case.record(), &[tip(&world, case)], &end());
            let reason = Text::new("again").unwrap();
            let again = Event::Reopen(Reasoned { reason });
            let from = &ended[ended.len() - 1 - at * 3];
            let back = room.act(from.record(), &[tip(&world, from)], &again);
            let other = &ended[at * 3];
            let words = room.act(other.record(), &[tip(&world, other)], &comment("more"));
            let said = room.push(&world.server, &[&over, &back, &words]);
            assert_eq!(statuses(&said), [Status::Accepted; 3]);
            reporter.clock_ms = room.clock_ms;
            let report = reporter.report_at("new", village(u8::try_from(page).unwrap()));
            reporter.push(&world.server, &[&report]);
            written.extend([&over, &back, &words, &report].map(Envelope::id));
        } else if !answers.last().unwrap().more {
            break;
        }
    }
    let (held, _) = held_by(&answers);
    assert!(written.is_subset(&held));
    let all: BTreeSet<EnvelopeId> = world
        .server
        .store()
        .read::<_, crate::store::StoreError>(|tx| {
            let mut all = BTreeSet::new();
            for record in open.iter().chain(&ended).map(Envelope::record) {
                all.extend(tx.settled_ids(record)?);
            }
            Ok(all)
        })
        .unwrap();
    assert!(all.is_subset(&held));
    assert!(lead.is_unchanged(&world.server));
    digests_are_right(&world);
}

/// The newest envelope of a record.
fn tip(world: &TestServer, report: &Envelope) -> EnvelopeId {
    let read = |tx: &dyn crate::store::Reader| tx.settled_ids(report.record());
    let ids: crate::store::StoreResult<Vec<EnvelopeId>> = world.server.store().read(read);
    *ids.unwrap().last().unwrap()
}

#[test]
fn who_comes_first_waits_for_no_more_packs_than_the_server_makes_at_once() {
    let world = TestServer::new();
    let most = crate::limits::PACKS_MADE_A_PAGE_MAX;
    let mut all = BTreeSet::new();
    for phone in 0.. {
        if all.len() > most {
            break;
        }
        let mut reporter = world.phone(GRID_WORKER_CHEN.like(60 + phone));
        let reports: Vec<Envelope> = (0..200)
            .map(|n| reporter.report(&format!("case {phone} {n}")))
            .collect();
        let said = reporter.push(&world.server, &reports.iter().collect::<Vec<_>>());
        assert!(statuses(&said).iter().all(|said| *said == Status::Accepted));
        all.extend(reports.iter().map(Envelope::record));
    }
    let mut lead = lead(&world, 90);
    let answers = lead.pull(&world.server, u32::MAX);
    let pages: Vec<Vec<RecordId>> = answers.iter().map(packed).collect();
    assert_eq!(pages.iter().map(Vec::len).max(), Some(most));
    let seen: Vec<RecordId> = pages.concat();
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(seen.len(), all.len(), "each once");
    assert!(lead.is_unchanged(&world.server));
}
