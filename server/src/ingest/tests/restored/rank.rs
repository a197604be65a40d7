//! Verdicts have a rank: a settled one stays, is taken upon settled envelopes only, and never yields to a pack that
//! knows less.

use onegrid_core::wire::cursor::CursorAt;
use onegrid_core::wire::pack::PackContent;
use onegrid_core::wire::repair::{RepairAsk, RepairFound, RepairStep, SettledEnvelope};

use super::*;
use crate::directory;

fn accepted(at_ms: i64) -> Verdict {
    Verdict {
        status: Status::Accepted,
        at_ms,
        generation: 1,
    }
}

/// The same deployment with one record and two comments on it, and the packs after each.
fn packs_of_two() -> (SyncPhone, Envelope, Vec<PackBatch>, Vec<PackBatch>) {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let genesis = author.report("gas");
    let first = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    let second = author.act(genesis.record(), &[first.id()], &comment("b"));
    author.push(&old.server, &[&genesis, &first]);
    let early = packs_of(&old, GRID_WORKER_HU);
    author.push(&old.server, &[&second]);
    let late = packs_of(&old, GRID_WORKER_GUO);
    (author, first, early, late)
}

/// A pack that lists the same envelopes, one of them as void and without its content, would lose what was said.
#[test]
fn base_that_is_whole_stays_beside_a_later_pack() {
    let new = TestServer::new();
    let (_, mut giver) = people(&new);
    let (author, first, early, late) = packs_of_two();
    let mut pack = Pack::from_bytes(&late[0].packs[0]).unwrap();
    let entry = pack.entries.iter_mut().find(|entry| entry.id == first.id());
    let entry = entry.unwrap();
    entry.content = PackContent::Stub {
        body_kind: 3,
        change: None,
    };
    entry.verdict = Verdict {
        status: Status::Void(VoidReason::Limit),
        at_ms: entry.verdict.at_ms - 1,
        generation: 1,
    };
    let bytes = pack.to_bytes().unwrap();
    let (key, authority) = (new.keys.packs(), new.keys.authority());
    let void = PackBatch::sign(vec![bytes], 1, NOW + 60_000, key, authority);
    give(&new, &mut giver, early, &[&author]);
    give(&new, &mut giver, vec![void], &[&author]);

    is_whole(&new);
    let seen = packs_of(&new, GRID_WORKER_XU);
    let pack = Pack::from_bytes(&seen[0].packs[0]).unwrap();
    assert_eq!(pack.entries.len(), 3);
    let entry = pack.entries.iter().find(|entry| entry.id == first.id());
    let entry = entry.unwrap();
    assert_eq!(entry.verdict.status, Status::Accepted);
    assert!(matches!(entry.content, PackContent::Event(_)));
}

/// The pack brings an acceptance whose dispatch this server has as void.
#[test]
fn pack_brings_a_move_that_can_not_stay() {
    let old = TestServer::new();
    let (mut author, _) = people(&old);
    let (mut room, mut handler) = (old.phone(DISPATCHER_ZHOU), old.phone(HANDLER_SHEN));
    let genesis = author.report("gas");
    let record = genesis.record();
    let sorted = room.act(record, &[genesis.id()], &triage());
    let order = room.act(record, &[sorted.id()], &dispatch());
    let accept = Event::Accept(Step {
        assignment: order.id(),
        attachments: Vec::new(),
        note: None,
    });
    let accept = handler.act(record, &[order.id()], &accept);
    author.push(&old.server, &[&genesis]);
    room.push(&old.server, &[&sorted, &order]);
    let answer = handler.push(&old.server, &[&accept]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let packs = packs_of(&old, GRID_WORKER_HU);

    let new = TestServer::new();
    let (_, mut giver) = people(&new);
    let void = Verdict {
        status: Status::Void(VoidReason::Limit),
        ..accepted(i64::MAX / 2)
    };
    let attested = HashMap::from([(order.hash(), void)]);
    for (phone, envelope) in [(&author, &genesis), (&room, &sorted), (&room, &order)] {
        let bundle = phone.bundle(&[envelope]);
        new.server.ingest(bundle, &attested, NOW).unwrap();
    }
    give(&new, &mut giver, packs, &[&author, &room, &handler]);
    let read = |tx: &dyn crate::store::Reader| tx.verdict(accept.id());
    let (_, verdict) = new.server.store().read(read).unwrap().unwrap();
    assert!(matches!(verdict.status, Status::Void(_)), "{verdict:?}");
    is_whole(&new);
}

/// Readers get nothing of a held envelope, so they could not place what builds on it.
#[test]
fn settled_verdict_on_a_held_parent_waits_for_the_parent() {
    let new = TestServer::new();
    let (mut author, mut giver) = people(&new);
    let genesis = author.report("gas");
    let record = genesis.record();
    author.push(&new.server, &[&genesis]);
    let first = author.act(record, &[genesis.id()], &comment("a"));
    let device = author.certificate.facts().device;
    new.server.revoke(device, "admin", NOW).unwrap();
    let request = giver.ask(Some(author.bundle(&[&first])), 0);
    let answer = giver.send(&new.server, &request).unwrap();
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::Revoked)]);

    let second = giver.act(record, &[first.id()], &comment("b"));
    let attested = HashMap::from([(second.hash(), accepted(NOW + 5))]);
    let give_second = |attested: &HashMap<_, _>| {
        crate::ingest::release_given_back(&new.server.intake, attested, NOW + 9_000).unwrap();
        let bundle = giver.bundle(&[&second]);
        let ingested = new.server.ingest(bundle, attested, NOW + 9_000).unwrap();
        ingested.lines[0].verdict.status
    };
    let held = Status::Held(HeldReason::ParentHeld);
    assert_eq!(give_second(&attested), held);
    assert_eq!(give_second(&attested), held);
    assert_eq!(ids(&new, record), BTreeSet::from([genesis.id()]));
    // The parent's own verdict releases both, in the order of the graph and not of their times.
    let both = HashMap::from([
        (first.hash(), accepted(NOW + 6)),
        (second.hash(), accepted(NOW + 5)),
    ]);
    assert_eq!(give_second(&both), Status::Admitted);
    let all = BTreeSet::from([genesis.id(), first.id(), second.id()]);
    assert_eq!(ids(&new, record), all);
    is_whole(&new);
}

/// A record that no stream of the reader holds.
#[test]
fn later_verdict_on_a_stray_is_asked_for() {
    let world = TestServer::new();
    let (mut author, _) = people(&world);
    let genesis = author.report("gas");
    author.push(&world.server, &[&genesis]);
    let mut handler = world.phone(HANDLER_SHEN);
    let lacks = |handler: &mut SyncPhone, at_ms| {
        let line = SettledEnvelope {
            id: genesis.id(),
            verdict: accepted(at_ms),
        };
        let step = RepairStep::Ids {
            record: genesis.record(),
            settled: vec![line],
        };
        let mut request = handler.ask(None, 0);
        request.repair.push(RepairAsk {
            stream: StreamId::Unit(GAS),
            step,
        });
        let answer = handler.send(&world.server, &request).unwrap();
        let RepairFound::Ids {
            reader_lacks,
            server_lacks,
            ..
        } = &answer.repair[0].step
        else {
            panic!("a list");
        };
        assert_eq!(reader_lacks[..], [], "nothing shows what is in the record");
        server_lacks.clone()
    };
    assert_eq!(lacks(&mut handler, i64::MAX), [genesis.id()]);
    assert_eq!(lacks(&mut handler, 0), []);
}

/// Two pasts may have the same sum at one position and different entries before it.
#[test]
fn cursor_of_an_earlier_generation_reads_on_at_the_end() {
    let world = TestServer::new();
    let (mut author, mut reader) = people(&world);
    let genesis = author.report("gas");
    author.push(&world.server, &[&genesis]);
    reader.pull(&world.server, 1_000_000);
    let first = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    author.push(&world.server, &[&first]);
    let store = world.server.store();
    store
        .write::<_, crate::store::StoreError>(|tx| {
            directory::set_generation(tx, 2)?;
            directory::bump_policy(tx)
        })
        .unwrap();
    let answers = reader.pull(&world.server, 1_000_000);
    let village = StreamId::AreaStaff(VILLAGE);
    let pages = answers.iter().filter_map(|answer| answer.page.as_ref());
    let segments: Vec<_> = pages
        .flat_map(|page| &page.segments)
        .filter(|segment| segment.stream == village)
        .collect();
    assert_eq!(segments.len(), 1);
    assert!(segments[0].entries.is_empty());
    let CursorAt::At { generation, .. } = segments[0].next else {
        panic!("read to the end");
    };
    assert_eq!(generation, 2);
}
