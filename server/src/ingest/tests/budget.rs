//! Every record that is taken in has a pack, and every answer holds at least one pack.

use std::sync::Arc;

use onegrid_core::crdt::{ActorId, FieldEdit};
use onegrid_core::domain::Audience;
use onegrid_core::domain::content::Field;
use onegrid_core::id::MemberId;
use onegrid_core::limits::{NAMED_MAX, RECORD_BYTES_MAX};
use onegrid_core::record::Record;
use onegrid_core::trust::sign::Purpose;
use onegrid_core::wire::body::{Body, Change, Genesis};
use onegrid_core::wire::envelope::{Header, RawEnvelope};
use onegrid_core::wire::message::SyncRequest;
use onegrid_core::wire::pack::Pack;
use onegrid_core::wire::repair::{RepairAsk, RepairFound, RepairStep};

use super::*;
use crate::store::BasePack;

const FULL: Status = Status::Refused(RefusedReason::RecordFull);
const OVER: Status = Status::Void(VoidReason::Limit);

/// A signed restricted report that names so many members, with any rules.
fn naming(phone: &mut SyncPhone, count: usize) -> RawEnvelope {
    let template = phone.report("tip");
    let Body::Genesis(genesis) = template.body() else {
        unreachable!()
    };
    let named =
        (0..count).map(|n| MemberId(onegrid_core::id::Hash::of(&[&n.to_be_bytes()]).first16()));
    let body = Genesis {
        audience: Audience::Restricted,
        named: named.collect(),
        ..genesis.clone()
    };
    signed(phone, template.header(), minicbor::to_vec(&body).unwrap())
}

/// These bytes under the signature of the phone.
fn signed(phone: &SyncPhone, header: &Header, body: Vec<u8>) -> RawEnvelope {
    let mut raw = RawEnvelope {
        header: minicbor::to_vec(header).unwrap(),
        body,
        signature: [0; 64],
    };
    let authority = phone.keys.authority();
    raw.signature = phone
        .key
        .sign(Purpose::Envelope, authority, &[raw.hash().as_bytes()]);
    raw
}

/// All earlier readers of the record read further, and some readers are new.
fn everybody_reads(world: &TestServer) {
    for mut reader in [
        world.phone(GRID_WORKER_LUO),
        world.phone(DISPATCHER_DENG),
        world.phone(HANDLER_LU),
    ] {
        reader.pull(&world.server, 1_000_000);
    }
    let in_room = DISPATCHER_MA.acting_as(Role::Dispatcher, Workplace::Unit(ROOM));
    world.phone(in_room).pull(&world.server, 1_000_000);
    digests_are_right(world);
    let found = crate::admin::verify::verify(&world.server, &mut |_, _| {}).unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
}

#[test]
fn report_that_names_too_many_is_refused() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    for (count, expected) in [
        (NAMED_MAX, Status::Accepted),
        (NAMED_MAX + 1, Status::Refused(RefusedReason::Malformed)),
        (300, Status::Refused(RefusedReason::Malformed)),
    ] {
        let raw = naming(&mut phone, count);
        let request = phone.ask(Some(phone.raw_bundle(vec![raw])), 1_000_000);
        let answer = phone.send(&world.server, &request).unwrap();
        assert_eq!(statuses(&answer), [expected], "{count}");
    }
    phone.pull(&world.server, 1_000_000);
    everybody_reads(&world);
}

/// One of many changes that all build on the report alone, each by another installation of the author.
fn aside(
    phone: &mut SyncPhone,
    genesis: &Envelope,
    parent: EnvelopeId,
    n: u8,
    edits: &[FieldEdit],
) -> Envelope {
    let certificate = Arc::clone(&phone.certificate);
    let author = genesis.header().author == certificate.facts().device;
    let verified = if author {
        genesis
            .clone()
            .verify(&certificate, phone.keys.authority())
            .unwrap()
    } else {
        onegrid_core::wire::envelope::VerifiedEnvelope::stored(genesis.clone(), certificate)
    };
    let mut record = Record::new(genesis.record());
    record.admit(&[verified]);
    let actor = ActorId::new(&phone.certificate.facts().device, [100 + n; 8]);
    let change = record.document().unwrap().edit(actor, edits).unwrap();
    let body = Body::Change(Change {
        salt: Some([8; 16]),
        change,
        replaces: None,
    });
    phone.seal(Some(genesis.record()), &[parent], &body)
}

/// Words that hardly compress: about 240 kB over twenty answers.
fn heap(n: u8) -> Vec<FieldEdit> {
    let mut state = u32::from(n) + 1;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 8) % 20_000).unwrap()
    };
    (0..20)
        .map(|answer| {
            let words: String = (0..4_000).map(|_| letter()).collect();
            FieldEdit::text(Field::Answer(format!("q{answer}")), words)
        })
        .collect()
}

#[test]
fn heavy_edits_end_at_the_budget_of_the_record() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    let mut found = Vec::new();
    let mut parent = genesis.id();
    for step in 0..6 {
        let edits: Vec<Envelope> = (0..10)
            .map(|n| {
                let n = step * 10 + n;
                let edit = aside(&mut phone, &genesis, parent, n, &heap(n));
                parent = edit.id();
                edit
            })
            .collect();
        let answer = phone.push(&world.server, &edits.iter().collect::<Vec<_>>());
        found.extend(statuses(&answer));
    }
    let accepted = found
        .iter()
        .take_while(|status| **status == Status::Accepted)
        .count();
    assert!(accepted >= 6, "{found:?}");
    assert!(
        found[accepted..]
            .iter()
            .all(|status| [OVER, FULL].contains(status)),
        "{found:?}"
    );
    assert!(found.contains(&OVER) && found.contains(&FULL), "{found:?}");
    everybody_reads(&world);
    // A person who sees danger is still heard.
    let mut worker = world.phone(GRID_WORKER_CHEN);
    let said = worker.act(genesis.record(), &[genesis.id()], &comment("still there"));
    let other = worker.report("other");
    let answer = worker.push(&world.server, &[&said, &other]);
    assert_eq!(statuses(&answer)[1], Status::Accepted);
}

#[test]
fn three_authors_at_their_quota_leave_a_pack() {
    let world = TestServer::new();
    let mut first = world.phone(VOLUNTEER_WANG);
    let genesis = first.report("gas");
    first.push(&world.server, &[&genesis]);
    let mut found = Vec::new();
    let authors = [
        first,
        world.phone(GRID_WORKER_CHEN),
        world.phone(GRID_WORKER_LIN),
    ];
    for mut author in authors {
        let mut parent = genesis.id();
        let mut edits = Vec::new();
        for n in 0..10 {
            let words: String = (0..4_990_u32)
                .map(|i| char::from_u32(0x4e00 + (i * 7 + u32::from(n)) % 20_000).unwrap())
                .collect();
            let edit = [FieldEdit::text(Field::Description, words)];
            edits.push(aside(&mut author, &genesis, parent, n, &edit));
            parent = edits.last().unwrap().id();
        }
        let answer = author.push(&world.server, &edits.iter().collect::<Vec<_>>());
        found.extend(statuses(&answer));
    }
    let accepted = found
        .iter()
        .filter(|status| **status == Status::Accepted)
        .count();
    assert!(accepted >= 15, "{found:?}");
    assert!(
        found[accepted..].iter().all(|status| *status == OVER),
        "{found:?}"
    );
    everybody_reads(&world);
    let read = |tx: &dyn crate::store::Reader| {
        crate::records::load(tx, &world.server.shared.certificates, genesis.record())
    };
    let pack = world.server.store().read(read).unwrap().to_pack().unwrap();
    let bytes = pack.to_bytes().unwrap();
    assert!(bytes.len() <= RECORD_BYTES_MAX, "{}", bytes.len());
    assert_eq!(Pack::from_bytes(&bytes).unwrap(), pack);
}

/// The store cannot read one record of the village. Everybody gets the others, the loss is counted,
/// envelopes about the damaged record are put off, and the record is given out once it is mended.
#[test]
fn damaged_record_is_left_out_until_mended() {
    let old = TestServer::new();
    let world = TestServer::new();
    let (mut author, mut reader) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN));
    let _ = old.phone(VOLUNTEER_WANG);
    let bad = author.report("bad");
    let good = author.report("good");
    old.phone(VOLUNTEER_QIU);
    let mut carrier = old.phone(GRID_WORKER_CHEN);
    let request = carrier.ask(Some(author.bundle(&[&bad])), 0);
    carrier.send(&old.server, &request).unwrap();
    let packs = restored::packs_of(&old, GRID_WORKER_HU);
    // Here the pack is the only source of the record.
    restored::give(&world, &mut reader, packs, &[&author]);
    author.push(&world.server, &[&good]);
    let read = |tx: &dyn crate::store::Reader| tx.base_packs(bad.record());
    let whole = world.server.store().read(read).unwrap().remove(0);
    replace_base(&world, bad.record(), &whole, b"damaged");

    let mut fresh = world.phone(GRID_WORKER_LIN);
    let answers = fresh.pull(&world.server, 1_000_000);
    assert_eq!(held_by(&answers).0, BTreeSet::from([good.id()]));
    let heads = answers.last().unwrap().heads;
    let step = |records| RepairStep::Want {
        records,
        envelopes: vec![bad.id()],
    };
    let stream = StreamId::AreaStaff(VILLAGE);
    let wanted = |phone: &SyncPhone| SyncRequest {
        repair: vec![RepairAsk {
            stream,
            step: step(vec![bad.record(), good.record()]),
        }],
        ..phone.ask(None, 1_000_000)
    };
    let answer = fresh.send(&world.server, &wanted(&fresh)).unwrap();
    let RepairFound::Given {
        absent_records,
        absent,
        covered,
    } = &answer.repair[0].step
    else {
        panic!("{:?}", answer.repair)
    };
    assert_eq!(
        (absent_records, absent, *covered),
        (&vec![bad.record()], &vec![bad.id()], 3)
    );
    // The author continues with everything else.
    let more = author.act(bad.record(), &[bad.id()], &comment("more"));
    let other = author.report("other");
    let answer = author.push(&world.reopened(), &[&more, &other]);
    let put_off = Status::Refused(RefusedReason::RecordDamaged);
    assert_eq!(statuses(&answer), [put_off, Status::Accepted]);
    let request = wanted(&fresh);
    assert_eq!(counted(&world, &mut fresh, &request), 1);

    replace_base(&world, bad.record(), &whole, &whole.pack);
    let answer = fresh.send(&world.server, &wanted(&fresh)).unwrap();
    assert!(held_by(&[answer]).0.contains(&bad.id()));
    assert_eq!(
        statuses(&author.push(&world.reopened(), &[&more])),
        [Status::Accepted]
    );
    let answers = world.phone(GRID_WORKER_XU).pull(&world.server, 1_000_000);
    let expected = BTreeSet::from([bad.id(), good.id(), more.id(), other.id()]);
    assert_eq!(held_by(&answers).0, expected);
    assert_ne!(answers.last().unwrap().heads, heads);
    digests_are_right(&world);
}

/// Puts these bytes in the place of the base of a record, and forgets the packs that were made of it.
fn replace_base(world: &TestServer, record: RecordId, known: &BasePack, bytes: &[u8]) {
    let base = BasePack {
        hash: onegrid_core::id::Hash::of(&[bytes, b"again"]),
        pack: bytes.to_vec(),
        ..known.clone()
    };
    let read = |tx: &dyn crate::store::Reader| tx.base_packs(record);
    let stored = world.server.store().read(read).unwrap();
    let replaced: Vec<_> = stored.iter().map(|base| base.hash).collect();
    world
        .server
        .store()
        .write::<_, crate::store::StoreError>(move |tx| tx.put_base(record, &base, &replaced))
        .unwrap();
    world.server.intake.records.forget(record);
}

/// Records that the metrics learn to be damaged.
fn counted(world: &TestServer, phone: &mut SyncPhone, request: &SyncRequest) -> u64 {
    let body = request.to_bytes().unwrap();
    let tag = phone.session.tag(10_000, "POST", "/v1/sync", &body);
    let headers = (tag.session_header(), tag.mac_header());
    let headers = (headers.0.as_str(), headers.1.as_str());
    let answer = world
        .server
        .handle_sync(headers, "/v1/sync", &body, phone.clock_ms);
    answer.unwrap().tally.damaged
}

#[test]
fn repair_beyond_a_page_goes_on_in_the_next() {
    let world = TestServer::new();
    let mut author = world.phone(VOLUNTEER_WANG);
    let reports: Vec<Envelope> = (0..200).map(|n| author.report(&format!("r{n}"))).collect();
    for some in reports.chunks(50) {
        author.push(&world.server, &some.iter().collect::<Vec<_>>());
    }
    let mut reader = world.phone(GRID_WORKER_CHEN);
    reader.pull(&world.server, 1_000_000);
    let mut wanted: Vec<RecordId> = reports.iter().map(Envelope::record).collect();
    let mut answers = Vec::new();
    while !wanted.is_empty() {
        let step = RepairStep::Want {
            records: wanted.clone(),
            envelopes: Vec::new(),
        };
        let stream = StreamId::AreaStaff(VILLAGE);
        let request = SyncRequest {
            repair: vec![RepairAsk { stream, step }],
            ..reader.ask(None, 4_096)
        };
        let answer = reader.send(&world.server, &request).unwrap();
        let RepairFound::Given { covered, .. } = answer.repair[0].step else {
            panic!("{:?}", answer.repair)
        };
        assert!(covered > 0);
        wanted.drain(..covered as usize);
        answers.push(answer);
    }
    assert!(answers.len() > 1, "more than one answer");
    assert_eq!(
        held_by(&answers).0,
        reports.iter().map(Envelope::id).collect()
    );
}

/// The store cannot read a pack that was given back earlier. Another phone gives back that record and one more,
/// and the other record is imported.
#[test]
fn damaged_base_stops_no_later_give_back() {
    let old = TestServer::new();
    let world = TestServer::new();
    let (mut author, mut giver) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN));
    let _ = old.phone(VOLUNTEER_WANG);
    let bad = author.report("bad");
    let other = author.report("other");
    let mut carrier = old.phone(GRID_WORKER_CHEN);
    let request = carrier.ask(Some(author.bundle(&[&bad])), 0);
    carrier.send(&old.server, &request).unwrap();
    restored::give(
        &world,
        &mut giver,
        restored::packs_of(&old, GRID_WORKER_HU),
        &[&author],
    );
    let read = |tx: &dyn crate::store::Reader| tx.base_packs(bad.record());
    let whole = world.server.store().read(read).unwrap().remove(0);
    replace_base(&world, bad.record(), &whole, b"damaged");

    // The old server went on before it was lost: the record has one more comment.
    let more = author.act(bad.record(), &[bad.id()], &comment("more"));
    let request = carrier.ask(Some(author.bundle(&[&more, &other])), 0);
    carrier.send(&old.server, &request).unwrap();
    let packs = restored::packs_of(&old, GRID_WORKER_GUO);
    restored::give(&world, &mut giver, packs, &[&author]);
    let found = world.server.store().read(|tx| tx.record(other.record()));
    assert!(found.unwrap().is_some(), "the other record is taken");
}
