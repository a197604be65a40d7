//! A server that has lost records, and phones that give back their copies. Every `TestServer` has equal
//! keys, so a new one is the deployment after a loss of everything.

mod rank;
mod void;

use std::collections::HashMap;

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::record::{Record, StoredRecord};
use onegrid_core::wire::message::{Bundle, GiveBack as Given, SyncRequest};
use onegrid_core::wire::pack::{Pack, PackBatch};
use onegrid_core::wire::verdict::Verdict;

use super::*;
use crate::blobs::tests::photos::{describe, photo, send};
use crate::blobs::{BlobCeilings, Blobs};

/// The packs that a new reader gets.
pub(super) fn packs_of(world: &TestServer, reader: Person) -> Vec<PackBatch> {
    let mut reader = world.phone(reader);
    let answers = reader.pull(&world.server, 1_000_000);
    let pages = answers.into_iter().filter_map(|answer| answer.page);
    pages.flat_map(|page| page.packs).collect()
}

pub(super) fn give(
    world: &TestServer,
    phone: &mut SyncPhone,
    packs: Vec<PackBatch>,
    authors: &[&SyncPhone],
) {
    let certificates = authors
        .iter()
        .map(|author| author.certificate.raw().clone());
    let bundle = Bundle {
        certificates: certificates.collect(),
        envelopes: Vec::new(),
    };
    let request = SyncRequest {
        give_back: Some(Given {
            packs,
            ..Given::default()
        }),
        ..phone.ask(Some(bundle), 1_000_000)
    };
    phone.send(&world.server, &request).unwrap();
}

fn ids(world: &TestServer, record: RecordId) -> BTreeSet<EnvelopeId> {
    let read = |tx: &dyn crate::store::Reader| tx.settled_ids(record);
    world
        .server
        .store()
        .read(read)
        .unwrap()
        .into_iter()
        .collect()
}

fn is_whole(world: &TestServer) {
    digests_are_right(world);
    let found = crate::admin::verify::verify(&world.server, &mut |_, _| {}).unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
}

/// The same people in another deployment of the same keys.
fn people(world: &TestServer) -> (SyncPhone, SyncPhone) {
    (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN))
}

#[test]
fn packs_refill_a_server_that_lost_all_and_work_goes_on_upon_them() {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let genesis = author.report("gas");
    let record = genesis.record();
    let first = author.act(record, &[genesis.id()], &comment("a"));
    author.push(&old.server, &[&genesis, &first]);
    let packs = packs_of(&old, GRID_WORKER_HU);
    assert_eq!(
        packs.iter().map(|batch| batch.packs.len()).sum::<usize>(),
        1
    );

    let new = TestServer::new();
    let (_, mut giver) = people(&new);
    let mut other = new.phone(GRID_WORKER_LIN);
    other.pull(&new.server, 1_000_000);
    give(&new, &mut giver, packs.clone(), &[&author]);
    let both = BTreeSet::from([genesis.id(), first.id()]);
    assert_eq!(ids(&new, record), both);
    is_whole(&new);
    // Once more changes nothing, and a single envelope of the pack is known.
    let heads = |world: &TestServer| {
        let read = |tx: &dyn crate::store::Reader| tx.head(StreamId::AreaStaff(VILLAGE));
        world.server.store().read(read).unwrap()
    };
    let before = heads(&new);
    give(&new, &mut giver, packs, &[&author]);
    assert_eq!(
        statuses(&giver.push(&new.server, &[&first])),
        [Status::Accepted]
    );
    assert_eq!(heads(&new), before);
    // A reader who continues sees the record, and so does a new one, also after a restart.
    let (seen, _) = held_by(&other.pull(&new.server, 1_000_000));
    assert_eq!(seen, both);
    let mut fresh = new.phone(GRID_WORKER_XU);
    assert_eq!(held_by(&fresh.pull(&new.reopened(), 1_000_000)).0, both);
    // Work continues.
    let next = giver.act(record, &[first.id()], &comment("after"));
    assert_eq!(
        statuses(&giver.push(&new.server, &[&next])),
        [Status::Accepted]
    );
    let (seen, _) = held_by(&other.pull(&new.server, 1_000_000));
    assert!(seen.contains(&next.id()));
    is_whole(&new);
}

#[test]
fn a_pack_lets_in_what_waits_or_was_refused_because_its_author_was_revoked_in_between() {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let genesis = author.report("gas");
    let first = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    author.push(&old.server, &[&genesis, &first]);
    let packs = packs_of(&old, GRID_WORKER_HU);
    for refused in [false, true] {
        let new = TestServer::new();
        let (_, mut giver) = people(&new);
        let device = author.certificate.facts().device;
        new.server.revoke(device, "admin", NOW).unwrap();
        let bundle = author.bundle(&[&genesis]);
        let request = giver.ask(Some(bundle), 0);
        let answer = giver.send(&new.server, &request).unwrap();
        assert_eq!(statuses(&answer), [Status::Held(HeldReason::Revoked)]);
        if refused {
            // The reviewer does not know about the earlier decision.
            let decided = new.server.decide(genesis.id(), false, "admin", NOW + 1);
            assert_eq!(decided.unwrap().len(), 1);
        }
        give(&new, &mut giver, packs.clone(), &[&author]);
        let both = BTreeSet::from([genesis.id(), first.id()]);
        assert_eq!(ids(&new, genesis.record()), both);
        assert_eq!(new.server.waiting(10).unwrap(), []);
        is_whole(&new);
    }
}

#[test]
fn a_forged_or_unlisted_pack_changes_nothing() {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let genesis = author.report("gas");
    author.push(&old.server, &[&genesis]);
    let [batch] = &packs_of(&old, GRID_WORKER_HU)[..] else {
        panic!("one batch");
    };
    let mut pack = Pack::from_bytes(&batch.packs[0]).unwrap();
    pack.entries[0].clock_ms += 1;
    let altered = pack.to_bytes().unwrap();
    let unlisted = PackBatch {
        proof: batch.proof.clone(),
        packs: vec![altered.clone()],
    };
    let thief = SecretKey::from_seed(&[66; 32]);
    let authority = old.keys.authority();
    let forged = PackBatch::sign(vec![altered], 1, NOW, &thief, authority);
    let mut flipped = batch.clone();
    flipped.proof.time_ms += 1;
    let new = TestServer::new();
    let (_, mut giver) = people(&new);
    for packs in [unlisted, forged, flipped] {
        give(&new, &mut giver, vec![packs], &[&author]);
        assert!(ids(&new, genesis.record()).is_empty());
    }
    is_whole(&new);
    give(&new, &mut giver, vec![batch.clone()], &[&author]);
    assert_eq!(ids(&new, genesis.record()).len(), 1);
}

/// A unit that is dispatched holds the pack and only sealed names. Without these its pack is not
/// taken, so the reporter stays the reporter.
#[test]
#[expect(clippy::too_many_lines, reason = "one history, step by step")]
fn pack_without_its_author_waits_for_the_certificate() {
    let old = TestServer::new();
    let mut author = old.phone(VOLUNTEER_WANG);
    let mut room = old.phone(DISPATCHER_ZHOU);
    let genesis = author.report("gas");
    let record = genesis.record();
    author.push(&old.server, &[&genesis]);
    let sorted = room.act(record, &[genesis.id()], &triage());
    let order = room.act(record, &[sorted.id()], &dispatch());
    room.push(&old.server, &[&sorted, &order]);
    let mut handler = old.phone(HANDLER_SHEN);
    let answers = handler.pull(&old.server, 1_000_000);
    let sealed: Vec<_> = answers
        .iter()
        .flat_map(|answer| answer.sealed.clone())
        .collect();
    assert_eq!(sealed.len(), 1, "the reporter's");
    let pages = answers.into_iter().filter_map(|answer| answer.page);
    let packs: Vec<PackBatch> = pages.flat_map(|page| page.packs).collect();
    let gives = |sealed: &[_]| Given {
        packs: packs.clone(),
        sealed: sealed.to_vec(),
        ..Given::default()
    };
    for later in ["sealed", "author"] {
        let new = TestServer::new();
        let mut handler = new.phone(HANDLER_SHEN);
        let known = |room: &SyncPhone, request: SyncRequest| SyncRequest {
            bundle: Some(Bundle {
                certificates: vec![room.certificate.raw().clone()],
                envelopes: Vec::new(),
            }),
            ..request
        };
        let request = SyncRequest {
            give_back: Some(gives(&[])),
            ..handler.ask(None, 1_000_000)
        };
        let answer = handler.send(&new.server, &known(&room, request)).unwrap();
        let stored = ids(&new, record);
        if later == "sealed" {
            let request = SyncRequest {
                give_back: Some(gives(&sealed)),
                ..handler.ask(None, 1_000_000)
            };
            let answer = handler.send(&new.server, &known(&room, request)).unwrap();
            assert_eq!(answer.not_taken, []);
        } else {
            // The author's own phone arrives, and gives back its copies.
            new.again(&mut author, NOW);
            let attested = [&genesis, &sorted, &order].map(|one| {
                let verdict = Verdict {
                    status: Status::Accepted,
                    at_ms: NOW,
                    generation: 1,
                };
                (one.hash(), verdict)
            });
            let mut bundle = author.bundle(&[&genesis, &sorted, &order]);
            bundle.certificates.push(room.certificate.raw().clone());
            new.server
                .ingest(bundle, &HashMap::from(attested), NOW)
                .unwrap();
        }
        new.again(&mut author, NOW);
        let edit = retitle(&mut author, &[&genesis], "my own words");
        let answer_of_author = author.push(&new.server, &[&edit]);
        assert_eq!(statuses(&answer_of_author), [Status::Accepted], "{later}");
        let read = |tx: &dyn crate::store::Reader| tx.record_streams(record);
        let streams = new.server.store().read(read).unwrap();
        assert!(
            streams.contains(&StreamId::Member(author.member)),
            "{later}: {streams:?}"
        );
        is_whole(&new);
        assert_eq!(stored, BTreeSet::new(), "{later}");
        assert_eq!(answer.not_taken, [record], "{later}");
    }
}

#[test]
fn pasts_that_only_meet_after_the_loss_become_one_in_any_order() {
    let (left, right) = (TestServer::new(), TestServer::new());
    let (mut author, mut worker) = people(&left);
    let _ = people(&right);
    let genesis = author.report("gas");
    let record = genesis.record();
    let here = author.act(record, &[genesis.id()], &comment("here"));
    let there = worker.act(record, &[genesis.id()], &comment("there"));
    author.push(&left.server, &[&genesis]);
    let early = packs_of(&left, GRID_WORKER_HU);
    author.push(&left.server, &[&here]);
    author.push(&right.server, &[&genesis]);
    worker.push(&right.server, &[&there]);
    let packs = [
        early,
        packs_of(&left, GRID_WORKER_GUO),
        packs_of(&right, GRID_WORKER_HU),
    ];
    let mut digests = BTreeSet::new();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let new = TestServer::new();
        let (_, mut giver) = people(&new);
        for place in order {
            give(&new, &mut giver, packs[place].clone(), &[&author, &worker]);
        }
        let all = BTreeSet::from([genesis.id(), here.id(), there.id()]);
        assert_eq!(ids(&new, record), all, "{order:?}");
        is_whole(&new);
        let read = |tx: &dyn crate::store::Reader| tx.base_packs(record);
        assert_eq!(new.server.store().read(read).unwrap().len(), 2, "{order:?}");
        let mut reader = new.phone(GRID_WORKER_XU);
        let (seen, _) = held_by(&reader.pull(&new.reopened(), 1_000_000));
        assert_eq!(seen, all, "{order:?}");
        let row = |tx: &dyn crate::store::Reader| tx.record(record);
        let row = new.server.store().read(row).unwrap().unwrap();
        digests.insert(row.digest.to_bytes());
    }
    assert_eq!(digests.len(), 1);
}

#[test]
fn a_record_takes_no_more_than_its_limit_however_wide_it_forks() {
    use onegrid_core::limits::RECORD_ENTRIES_MAX;
    let world = TestServer::new();
    let (mut author, mut worker) = people(&world);
    let genesis = author.report("gas");
    author.push(&world.server, &[&genesis]);
    let half = RECORD_ENTRIES_MAX / 2 + 5;
    let free = RECORD_ENTRIES_MAX - RECORD_ENTRIES_MAX / 4;
    let over = 1 + 2 * half - free;
    for (phone, over) in [(&mut author, 0), (&mut worker, over)] {
        let mut line: Vec<Envelope> = Vec::new();
        for _ in 0..half {
            let parent = line.last().map_or(genesis.id(), Envelope::id);
            line.push(phone.act(genesis.record(), &[parent], &comment("x")));
        }
        phone.clock_ms = NOW;
        let answer = phone.push(&world.server, &line.iter().collect::<Vec<_>>());
        let statuses = statuses(&answer);
        let (good, over) = statuses.split_at(half - over);
        assert!(good.iter().all(|status| *status == Status::Accepted));
        let full = Status::Refused(RefusedReason::RecordFull);
        assert!(over.iter().all(|status| *status == full));
    }
}

/// A change of the title as this phone would make it on top of these envelopes.
fn retitle(phone: &mut SyncPhone, on: &[&Envelope], title: &str) -> Envelope {
    use onegrid_core::wire::body::{Body, Change};
    let certificate = std::sync::Arc::clone(&phone.certificate);
    let verified: Vec<_> = on
        .iter()
        .map(|envelope| {
            let authority = phone.keys.authority();
            let verified = (*envelope).clone().verify(&certificate, authority);
            verified.unwrap()
        })
        .collect();
    let mut record = Record::new(on[0].record());
    record.admit(&verified);
    let edits = [FieldEdit::text(Field::Title, title)];
    let change = record
        .document()
        .unwrap()
        .edit(phone.actor, &edits)
        .unwrap();
    let body = Body::Change(Change {
        salt: Some([8; 16]),
        change,
        replaces: None,
    });
    phone.seal(Some(record.id()), &record.heads(), &body)
}

#[test]
fn what_clashes_with_what_another_server_let_in_is_void_whichever_was_later() {
    let accepted = |at_ms| Verdict {
        status: Status::Accepted,
        at_ms,
        generation: 1,
    };
    for (given_ms, expected) in [
        (
            NOW - 9_000,
            [
                Status::Accepted,
                Status::Void(VoidReason::Clone),
                Status::Void(VoidReason::VoidParent),
            ],
        ),
        (
            NOW + 9_000_000,
            [
                Status::Void(VoidReason::Clone),
                Status::Accepted,
                Status::Accepted,
            ],
        ),
    ] {
        let world = TestServer::new();
        let (mut author, _) = people(&world);
        let genesis = author.report("gas");
        let first = retitle(&mut author, &[&genesis], "before the loss");
        // The phone went back to a copy of before, too.
        let second = retitle(&mut author, &[&genesis], "after the loss");
        let third = retitle(&mut author, &[&genesis, &second], "and later");
        let answer = author.push(&world.server, &[&genesis, &second, &third]);
        assert_eq!(statuses(&answer), [Status::Accepted; 3]);
        let attested = HashMap::from([(first.hash(), accepted(given_ms))]);
        let bundle = author.bundle(&[&first]);
        world
            .server
            .ingest(bundle, &attested, NOW + 20_000_000)
            .unwrap();
        let read = |tx: &dyn crate::store::Reader| {
            let ids = [&first, &second, &third];
            ids.iter()
                .map(|one| tx.verdict(one.id()))
                .collect::<crate::store::StoreResult<Vec<_>>>()
        };
        let found = world.server.store().read(read).unwrap();
        let found: Vec<Status> = found
            .into_iter()
            .map(|known| known.unwrap().1.status)
            .collect();
        assert_eq!(found, expected);
        is_whole(&world);
        let all = BTreeSet::from([genesis.id(), first.id(), second.id(), third.id()]);
        let mut reader = world.phone(GRID_WORKER_XU);
        let answers = reader.pull(&world.reopened(), 1_000_000);
        assert_eq!(held_by(&answers).0, all);
        assert_eq!(unpacked(answers).len(), 1);
    }
}

/// The records that arrived in packs.
fn unpacked(answers: Vec<SyncResponse>) -> Vec<Record> {
    let pages = answers.into_iter().filter_map(|answer| answer.page);
    let batches = pages.flat_map(|page| page.packs);
    batches
        .flat_map(|batch| batch.packs)
        .map(|bytes| {
            let pack = Pack::from_bytes(&bytes).unwrap();
            let id = pack.record().unwrap();
            let past = StoredRecord {
                packs: vec![pack],
                ..StoredRecord::default()
            };
            Record::load(id, past).unwrap()
        })
        .collect()
}

/// A phone has the description of a photo in a pack alone, and gives the photo back after it.
#[test]
fn pack_given_back_describes_its_files() {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let bytes = photo(5_000, 1);
    let key = describe(&old, &mut author, &bytes, [1; 16]);
    let packs = packs_of(&old, GRID_WORKER_HU);
    let new = TestServer::new();
    let (_, mut giver) = people(&new);
    let folder = tempfile::tempdir().unwrap();
    let ceilings = BlobCeilings::with_reserve(1);
    let shared = std::sync::Arc::clone(&new.server.shared);
    let blobs = Blobs::open(shared, folder.path(), ceilings).unwrap();
    let device = giver.session.device;
    assert_eq!(blobs.needed(device, &[key], NOW).unwrap(), [0_u32; 0]);
    give(&new, &mut giver, packs, &[&author]);
    let described = new.server.store().read(|tx| tx.descriptions(key)).unwrap();
    let statuses: Vec<Status> = described.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [Status::Accepted]);
    assert_eq!(blobs.needed(device, &[key], NOW).unwrap(), [0]);
    assert!(send(&blobs, device, key, &bytes).unwrap().is_new);
}
