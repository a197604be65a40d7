//! Pages as readers get them.

use onegrid_core::wire::cursor::cursor_set_hash;
use onegrid_core::wire::message::{CursorsAnswer, Known, SyncRequest};
use onegrid_core::wire::repair::{RepairAsk, RepairStep};

use super::*;
use crate::server::Server;

impl SyncPhone {
    /// Whether the answer to a request with only the hash of the cursors says that nothing is new.
    pub(crate) fn is_unchanged(&mut self, server: &Server) -> bool {
        let request = SyncRequest {
            known: Known::Hash(cursor_set_hash(&self.cursors)),
            ..self.ask(None, 0)
        };
        let answer = self.send(server, &request).unwrap();
        answer.cursors == CursorsAnswer::Unchanged && answer.page.is_none()
    }
}

/// Records, envelopes and digests of a reader after these pages, as a replica keeps them.
pub(super) fn held_by(answers: &[SyncResponse]) -> (BTreeSet<EnvelopeId>, BTreeMap<StreamId, u64>) {
    let mut ids = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for page in answers.iter().filter_map(|answer| answer.page.as_ref()) {
        ids.extend(
            page.envelopes
                .iter()
                .map(|(raw, _)| raw.hash().envelope_id()),
        );
        for bytes in page.packs.iter().flat_map(|batch| &batch.packs) {
            let pack = onegrid_core::wire::pack::Pack::from_bytes(bytes).unwrap();
            ids.extend(pack.entries.iter().map(|entry| entry.id));
        }
        for segment in &page.segments {
            for entry in &segment.entries {
                let count = match entry {
                    FeedEntry::Packs { count, .. } => u64::from(*count),
                    _ => 1,
                };
                *counts.entry(segment.stream).or_default() += count;
            }
        }
    }
    (ids, counts)
}

#[test]
fn pages_of_any_size_give_what_one_big_page_gives() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let reports: Vec<Envelope> = (0..60).map(|n| reporter.report(&format!("r{n}"))).collect();
    let all: Vec<&Envelope> = reports.iter().collect();
    reporter.push(&world.server, &all);
    let mut whole = world.phone(GRID_WORKER_HU);
    let mut paged = world.phone(GRID_WORKER_GUO);
    let one = whole.pull(&world.server, 4_000_000);
    let many = paged.pull(&world.server, 600);
    assert_eq!(one.len(), 1);
    assert!(many.len() > 5, "{} pages", many.len());
    assert_eq!(held_by(&one).0, held_by(&many).0);
    let expected: BTreeSet<EnvelopeId> = reports.iter().map(Envelope::id).collect();
    assert_eq!(held_by(&one).0, expected);
    assert!(whole.is_unchanged(&world.server) && paged.is_unchanged(&world.server));

    // Then the feed, in small steps and in one.
    let more: Vec<Envelope> = reports
        .iter()
        .map(|report| reporter.act(report.record(), &[report.id()], &comment("more")))
        .collect();
    reporter.push(&world.server, &more.iter().collect::<Vec<_>>());
    assert!(!whole.is_unchanged(&world.server));
    let one = whole.pull(&world.server, 4_000_000);
    let many = paged.pull(&world.server, 600);
    assert_eq!(held_by(&one).0, more.iter().map(Envelope::id).collect());
    assert_eq!(held_by(&one).0, held_by(&many).0);
    assert!(whole.is_unchanged(&world.server) && paged.is_unchanged(&world.server));
    // Another node remembers the pages of this one.
    assert!(whole.is_unchanged(&world.reopened()));
}

#[test]
fn whoever_is_dispatched_gets_the_past_but_not_the_reporter_and_loses_it_when_withdrawn() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let mut dispatcher = world.phone(DISPATCHER_ZHOU);
    let mut handler = world.phone(HANDLER_SHEN);
    handler.pull(&world.server, 100_000);
    let genesis = reporter.report("gas");
    let record: RecordId = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let sorted = dispatcher.act(record, &[genesis.id()], &triage());
    let order = dispatcher.act(record, &[sorted.id()], &dispatch());
    dispatcher.push(&world.server, &[&sorted, &order]);
    let answers = handler.pull(&world.server, 100_000);
    let (ids, _) = held_by(&answers);
    assert_eq!(ids, BTreeSet::from([genesis.id(), sorted.id(), order.id()]));
    let shown: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.page.as_ref())
        .flat_map(|page| &page.certificates)
        .collect();
    assert!(shown.contains(&dispatcher.certificate.raw()));
    assert!(
        !shown.contains(&reporter.certificate.raw()),
        "the reporter stays unknown"
    );
    let mut worker = world.phone(GRID_WORKER_HU);
    let seen = worker.pull(&world.server, 100_000);
    let shown = seen.iter().filter_map(|answer| answer.page.as_ref());
    let shown: Vec<_> = shown.flat_map(|page| &page.certificates).collect();
    assert!(
        shown.contains(&reporter.certificate.raw()),
        "colleagues know each other"
    );

    let taken = dispatcher.act(
        record,
        &[order.id()],
        &Event::Withdraw(GiveBack {
            assignment: order.id(),
            reason: Text::new("x").unwrap(),
        }),
    );
    assert_eq!(
        statuses(&dispatcher.push(&world.server, &[&taken])),
        [Status::Accepted]
    );
    let answers = handler.pull(&world.server, 100_000);
    let gone = answers
        .iter()
        .filter_map(|answer| answer.page.as_ref())
        .flat_map(|page| &page.segments)
        .any(|segment| segment.entries.contains(&FeedEntry::Withdraw { record }));
    assert!(gone);
    digests_are_right(&world);
}

#[test]
fn repair_of_a_void_move_brings_no_reporter() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let mut dispatcher = world.phone(DISPATCHER_ZHOU);
    let mut handler = world.phone(HANDLER_SHEN);
    let genesis = reporter.report("gas");
    let record: RecordId = genesis.record();
    let urge = Event::Urge(Bare { note: None });
    let void = reporter.act(record, &[genesis.id()], &urge);
    let answer = reporter.push(&world.server, &[&genesis, &void]);
    let expected = [Status::Accepted, Status::Void(VoidReason::MayRole)];
    assert_eq!(statuses(&answer), expected);
    let sorted = dispatcher.act(record, &[genesis.id(), void.id()], &triage());
    let order = dispatcher.act(record, &[sorted.id()], &dispatch());
    dispatcher.push(&world.server, &[&sorted, &order]);
    let mut answers = handler.pull(&world.server, 100_000);
    let stream = StreamId::Unit(GAS);
    for (records, envelopes) in [
        (vec![record], vec![]),
        (vec![], vec![void.id(), genesis.id()]),
    ] {
        let step = RepairStep::Want { records, envelopes };
        let request = SyncRequest {
            repair: vec![RepairAsk { stream, step }],
            ..handler.ask(None, 100_000)
        };
        answers.push(handler.send(&world.server, &request).unwrap());
    }
    let pages: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.page.as_ref())
        .collect();
    assert!(
        pages.iter().any(|page| page.envelopes.len() == 2),
        "both were given"
    );
    let shown: Vec<_> = pages.iter().flat_map(|page| &page.certificates).collect();
    assert!(shown.contains(&dispatcher.certificate.raw()));
    assert!(!shown.contains(&reporter.certificate.raw()));
    let sealed = answers.iter().flat_map(|answer| &answer.sealed);
    let carried: BTreeSet<_> = sealed.map(|sealed| sealed.certificate).collect();
    assert_eq!(carried, BTreeSet::from([reporter.certificate.hash()]));
}

/// Lines of the log, for a test.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The name of a stream may hold the id of a person, and the log names nobody.
#[test]
fn cursor_of_another_past_names_no_member_in_the_log() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    phone.pull(&world.server, 1 << 20);
    for cursor in &mut phone.cursors {
        if let onegrid_core::wire::cursor::CursorAt::At { digest, .. } = &mut cursor.at {
            *digest = digest.plus(Digest::from_bytes([1; 16]));
        }
    }
    let lines = Lines::default();
    let log = {
        let lines = lines.clone();
        tracing_subscriber::fmt()
            .with_writer(move || lines.clone())
            .finish()
    };
    tracing::subscriber::with_default(log, || phone.pull(&world.server, 1 << 20));
    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("a cursor of another past"), "{said}");
    assert!(!said.contains(&phone.member.to_string()), "{said}");
}
