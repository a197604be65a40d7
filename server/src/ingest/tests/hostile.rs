//! A hostile member against one record. File: `server/src/ingest/tests/hostile.rs`, with `mod hostile;` in
//! `server/src/ingest/tests.rs`.

use std::collections::HashMap;
use std::time::Instant;

use onegrid_core::crdt::{FieldEdit, inspect};
use onegrid_core::domain::Audience;
use onegrid_core::domain::case::payload::{DangerRemains, Reasoned, Verify};
use onegrid_core::domain::case::{Outcome, RecordState, Stage};
use onegrid_core::domain::content::Field;
use onegrid_core::id::{Hash, MemberId};
use onegrid_core::record::Record;
use onegrid_core::wire::body::{Body, Change, EventBody, Genesis};
use onegrid_core::wire::envelope::{RawEnvelope, VerifiedEnvelope};

use super::*;

const DAYS_MS: i64 = 24 * 3_600_000;

fn danger(words: &str) -> Event {
    Event::DangerRemains(DangerRemains {
        text: Some(Text::new(words).unwrap()),
        attachments: Vec::new(),
    })
}

fn reasoned() -> Reasoned {
    Reasoned {
        reason: Text::new("不属于受理范围").unwrap(),
    }
}

fn record(world: &World, id: RecordId) -> Record {
    world.server.open_record(id).unwrap().0
}

fn state(world: &World, id: RecordId) -> RecordState {
    record(world, id).state().unwrap().clone()
}

fn status(world: &World, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.unwrap().1.status
}

/// An event of a newer app with so many bytes.
fn heavy(phone: &mut Phone, id: RecordId, parent: EnvelopeId, bytes: usize) -> Envelope {
    let body = Body::Event(EventBody {
        salt: Some([7; 16]),
        code: 9_999,
        fold_version: 1,
        data: vec![0x80; bytes],
        on_behalf_of: None,
        replaces: None,
    });
    phone.seal(Some(id), &[parent], &body)
}

fn ingest(world: &World, phone: &Phone, envelopes: &[&Envelope], now_ms: i64) -> Vec<Status> {
    let told = world
        .server
        .ingest(phone.bundle(envelopes), &HashMap::new(), now_ms)
        .unwrap();
    assert!(told.missing.is_empty());
    told.lines.iter().map(|line| line.verdict.status).collect()
}

// 1. One upload of a member who may not even read the record silences it for good.
#[test]
fn a_stranger_does_not_silence_a_record_with_its_own_entries() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let mut stranger = world.volunteer(11);
    stranger.clock_ms = NOW + 10 * DAYS_MS;
    let flood: Vec<Envelope> = (0..4_096)
        .map(|_| stranger.act(genesis.record(), &[genesis.id()], &comment("x")))
        .collect();
    stranger.clock_ms = NOW;
    let all: Vec<&Envelope> = flood.iter().collect();
    for some in all.chunks(2_048) {
        let said = statuses(&stranger.push(&world.server, some));
        assert!(said.iter().all(|status| *status != Status::Accepted));
    }
    let warning = reporter.act(genesis.record(), &[genesis.id()], &danger("还在漏"));
    let answer = reporter.push(&world.server, &[&warning]);
    assert_eq!(statuses(&answer), [Status::Accepted], "a person who sees danger is heard");
}

// 2. The same with bytes: nothing about the record is stored any more, not even a warning.
#[test]
fn a_stranger_does_not_fill_a_record() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let mut stranger = world.volunteer(11);
    for _ in 0..4 {
        let flood: Vec<Envelope> = (0..49)
            .map(|_| heavy(&mut stranger, genesis.record(), genesis.id(), 16_000))
            .collect();
        stranger.push(&world.server, &flood.iter().collect::<Vec<_>>());
    }
    for _ in 0..100 {
        let small = stranger.act(genesis.record(), &[genesis.id()], &comment("x"));
        stranger.push(&world.server, &[&small]);
    }
    let warning = reporter.act(genesis.record(), &[genesis.id()], &danger("还在漏"));
    let answer = reporter.push(&world.server, &[&warning]);
    assert_eq!(statuses(&answer), [Status::Accepted], "a person who sees danger is heard");
}

// 3. Comments take accepted words of others out of the record.
#[test]
fn comments_do_not_make_accepted_words_of_others_void() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let certificate = std::sync::Arc::new(reporter.certificate.clone());
    let mut alone = Record::new(genesis.record());
    alone.admit(&[VerifiedEnvelope::stored(genesis.clone(), certificate)]);
    let edits = [FieldEdit::text(Field::Title, "二楼煤气泄漏")];
    let change = alone.document().unwrap().edit(reporter.actor, &edits).unwrap();
    assert!(inspect(&change).is_ok());
    let body = Body::Change(Change {
        salt: Some([8; 16]),
        change,
        replaces: None,
    });
    let edit = reporter.seal(Some(genesis.record()), &[genesis.id()], &body);
    let answer = reporter.push(&world.server, &[&genesis, &edit]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);

    let mut reader = world.grid_worker(12);
    reader.clock_ms = NOW + DAYS_MS / 2;
    let words = "长".repeat(2_000);
    let long = |n: u8| {
        Event::Comment(Comment {
            text: Some(Text::new(&words).unwrap()),
            attachments: vec![Hash([n; 32]); 16],
            mentions: vec![MemberId([n; 16]); 32],
        })
    };
    let mut parent = edit.id();
    for n in 0..8 {
        let flood: Vec<Envelope> = (0..40)
            .map(|_| {
                let said = reader.act(genesis.record(), &[parent], &long(n));
                parent = said.id();
                said
            })
            .collect();
        let said = ingest(&world, &reader, &flood.iter().collect::<Vec<_>>(), NOW + DAYS_MS / 2);
        eprintln!("BUDGET {n}: {:?}, the edit {:?}", said[39], status(&world, edit.id()));
    }
    assert_eq!(status(&world, edit.id()), Status::Accepted, "it was accepted long before");
}

// 4. Work that a held warning made possible is erased by the review, whatever it decides.
#[test]
fn work_upon_a_held_danger_stays_when_the_review_is_decided() {
    for accept in [false, true] {
        let world = World::new();
        let mut reporter = world.volunteer(10);
        let genesis = reporter.report("gas");
        let id = genesis.record();
        reporter.push(&world.server, &[&genesis]);
        let mut dispatcher = world.dispatcher(20);
        let ended = dispatcher.act(id, &[genesis.id()], &Event::Dismiss(reasoned()));
        dispatcher.push(&world.server, &[&ended]);
        let mut warner = world.volunteer(11);
        warner.clock_ms = NOW + 10 * DAYS_MS;
        let warning = warner.act(id, &[genesis.id()], &danger("还在漏"));
        warner.clock_ms = NOW;
        warner.push(&world.server, &[&warning]);
        assert_eq!(state(&world, id).stage(), Stage::Reported, "open again");
        // The office takes it seriously: the gas company is on its way.
        let triaged = dispatcher.act(id, &record(&world, id).heads(), &triage());
        let sent = dispatcher.act(id, &[triaged.id()], &dispatch());
        let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
        assert_eq!(statuses(&answer), [Status::Accepted; 2]);
        let mut handler = world.handler(13);
        let step = Step {
            assignment: sent.id(),
            attachments: Vec::new(),
            note: None,
        };
        let on_the_way = handler.act(id, &[sent.id()], &Event::Accept(step));
        assert_eq!(statuses(&handler.push(&world.server, &[&on_the_way])), [Status::Accepted]);

        world.server.decide(warning.id(), accept, "admin", NOW + 60_000).unwrap();
        let after = state(&world, id);
        let outcome = |one: &Envelope| after.outcome(one.id()).map(|item| item.outcome);
        let unit = StreamId::Unit(GAS);
        let held = world.server.store().read(|tx| tx.record_streams(id)).unwrap();
        assert!(held.contains(&unit), "accept {accept}: the unit at work keeps its case");
        assert_eq!(outcome(&on_the_way), Some(Outcome::Effective), "accept {accept}");
        assert_eq!(after.assignments().len(), 1, "accept {accept}");
    }
}

// 4b. The next decision in the record makes that accepted work void.
#[test]
fn a_later_decision_makes_no_accepted_work_void() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.dispatcher(20);
    let ended = dispatcher.act(id, &[genesis.id()], &Event::Dismiss(reasoned()));
    dispatcher.push(&world.server, &[&ended]);
    let mut warner = world.volunteer(11);
    warner.clock_ms = NOW + 10 * DAYS_MS;
    let warning = warner.act(id, &[genesis.id()], &danger("还在漏"));
    let other = warner.act(id, &[genesis.id()], &comment("x"));
    warner.clock_ms = NOW;
    warner.push(&world.server, &[&warning, &other]);
    let triaged = dispatcher.act(id, &record(&world, id).heads(), &triage());
    dispatcher.push(&world.server, &[&triaged]);
    world.server.decide(warning.id(), false, "admin", NOW + 60_000).unwrap();
    assert_eq!(status(&world, triaged.id()), Status::Accepted);
    world.server.decide(other.id(), false, "admin", NOW + 61_000).unwrap();
    assert_eq!(status(&world, triaged.id()), Status::Accepted, "nothing about it was decided");
}

// 5. An older certificate hides that its holder belongs to the responsible unit.
#[test]
fn nobody_of_the_responsible_unit_verifies_its_work_with_an_older_certificate() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut judge = world.grid_worker(30);
    let grid = Grant { role: Role::GridWorker, scope: Scope::Area(home()) };
    let gas = Grant { role: Role::Handler, scope: Scope::Unit(GAS) };
    world.member(30, vec![grid, gas]);
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch());
    dispatcher.push(&world.server, &[&triaged, &sent]);
    let mut handler = world.handler(13);
    let step = || Step { assignment: sent.id(), attachments: Vec::new(), note: None };
    let accepted = handler.act(id, &[sent.id()], &Event::Accept(step()));
    let done = handler.act(id, &[accepted.id()], &Event::Resolve(step()));
    assert_eq!(statuses(&handler.push(&world.server, &[&accepted, &done])), [Status::Accepted; 2]);
    let pass = Event::Verify(Verify { pass: true, attachments: Vec::new(), note: None });
    judge.clock_ms = NOW + 300_000_000;
    let old = judge.act(id, &[done.id()], &pass);
    let said = ingest(&world, &judge, &[&old], NOW + 300_000_000);
    assert_ne!(said, [Status::Accepted], "with the certificate from before");
    let newest = world.again(&mut judge, NOW + 300_000_000).expect("a new certificate");
    judge.certificate = newest;
    let new = judge.act(id, &[done.id()], &pass);
    let said = ingest(&world, &judge, &[&new], NOW + 300_000_000);
    assert_ne!(said, [Status::Accepted], "with the new one");
}

// 6. The team of a restricted report, once dispatched, learns the reporter.
#[test]
fn a_dispatched_team_does_not_learn_who_wrote_a_restricted_report() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let template = reporter.report("tip");
    let Body::Genesis(genesis) = template.body() else {
        unreachable!()
    };
    let body = Body::Genesis(Genesis {
        audience: Audience::Restricted,
        team: Some(TEAM),
        ..genesis.clone()
    });
    let genesis = reporter.seal(None, &[], &body);
    let id = genesis.record();
    assert_eq!(statuses(&reporter.push(&world.server, &[&genesis])), [Status::Accepted]);
    let mut mate = world.volunteer(12);
    assert!(held_by(&mate.pull(&world.server, 1_000_000)).0.is_empty(), "the team is no reader");
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &Event::Dispatch(Dispatch {
        to: Party::Unit(TEAM),
        part: Part::Lead,
        deadlines: Deadlines::default(),
        rule: None,
        note: None,
    }));
    let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let answers = mate.pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&genesis.id()));
    let pages = answers.iter().filter_map(|answer| answer.page.as_ref());
    let shown = pages.flat_map(|page| &page.certificates).map(|raw| Hash::of(&[&raw.facts]));
    assert!(
        !shown.collect::<Vec<_>>().contains(&reporter.certificate.hash()),
        "the reporter's name"
    );
}

// 7. Costs.
#[test]
fn held_dangers_of_a_stranger_cost_the_others_nothing() {
    let mut took = Vec::new();
    for count in [500, 1_000, 2_000] {
        let world = World::new();
        let mut reporter = world.volunteer(10);
        let genesis = reporter.report("gas");
        reporter.push(&world.server, &[&genesis]);
        let mut stranger = world.volunteer(11);
        stranger.clock_ms = NOW + 10 * DAYS_MS;
        // A volunteer may not reopen a case, but the clock is looked at first, so it is held.
        let reopen = Event::Reopen(reasoned());
        let flood: Vec<Envelope> = (0..count)
            .map(|_| stranger.act(genesis.record(), &[genesis.id()], &reopen))
            .collect();
        let began = Instant::now();
        ingest(&world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW);
        let own = began.elapsed();
        let said = reporter.act(genesis.record(), &[genesis.id()], &danger("x"));
        let began = Instant::now();
        assert_eq!(ingest(&world, &reporter, &[&said], NOW), [Status::Accepted]);
        eprintln!("COST stand_in: {count} held, stranger {own:?}, honest word {:?}", began.elapsed());
        took.push(began.elapsed().as_secs_f64());
    }
    assert!(took[2] < 6.0 * took[0].max(0.05), "{took:?}");
}

#[test]
fn refusing_a_chain_is_not_quadratic() {
    let mut took = Vec::new();
    for count in [250, 500, 1_000] {
        let world = World::new();
        let mut reporter = world.volunteer(10);
        let genesis = reporter.report("gas");
        reporter.push(&world.server, &[&genesis]);
        let mut stranger = world.volunteer(11);
        stranger.clock_ms = NOW + 10 * DAYS_MS;
        let mut parent = genesis.id();
        let mut flood = Vec::new();
        for _ in 0..count {
            let said = stranger.act(genesis.record(), &[parent], &comment("x"));
            parent = said.id();
            flood.push(said);
        }
        ingest(&world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW);
        let began = Instant::now();
        world.server.decide(flood[0].id(), false, "admin", NOW + 1).unwrap();
        eprintln!("COST refuse: {count} in a chain, {:?}", began.elapsed());
        took.push(began.elapsed().as_secs_f64());
    }
    assert!(took[2] < 6.0 * took[0].max(0.05), "{took:?}");
}

#[test]
fn setting_aside_is_not_quadratic() {
    let mut took = Vec::new();
    for count in [2_000, 4_000, 8_000] {
        let world = World::new();
        let mut stranger = world.volunteer(11);
        let genesis = stranger.report("gas");
        let unreadable = heavy(&mut stranger, genesis.record(), genesis.id(), 8);
        let mut newer = unreadable.raw().clone();
        // Version 2 of the header.
        assert_eq!((newer.header[0], newer.header[1]), (0x8a, 1));
        newer.header[1] = 2;
        assert!(newer.is_newer());
        let mut parent = newer.hash().envelope_id();
        let mut chain: Vec<RawEnvelope> = Vec::new();
        for _ in 0..count {
            let said = stranger.act(genesis.record(), &[parent], &comment("x"));
            parent = said.id();
            chain.push(said.raw().clone());
        }
        chain.push(newer);
        chain.reverse();
        let begin = chain.remove(0);
        chain.push(begin);
        let bundle = stranger.raw_bundle(chain);
        let began = Instant::now();
        world.server.ingest(bundle, &HashMap::new(), NOW).unwrap();
        eprintln!("COST set_aside: {count} reversed, {:?}", began.elapsed());
        took.push(began.elapsed().as_secs_f64());
    }
    assert!(took[2] < 6.0 * took[0].max(0.05), "{took:?}");
}

// 8. A reviewer who refuses a hostile envelope refuses the honest words upon it.
#[test]
fn honest_words_upon_a_held_envelope_of_another_are_not_refused_with_it() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut hostile = world.grid_worker(12);
    hostile.clock_ms = NOW + 10 * DAYS_MS;
    let poison = hostile.act(id, &[genesis.id()], &comment("x"));
    // The dispatcher met that phone out of reach of the server, and works on.
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[poison.id()], &triage());
    hostile.clock_ms = NOW;
    hostile.push(&world.server, &[&poison]);
    let answer = dispatcher.push(&world.server, &[&triaged]);
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::ParentHeld)]);
    world.server.decide(poison.id(), false, "admin", NOW + 1).unwrap();
    assert_eq!(status(&world, triaged.id()), Status::Accepted, "the triage breaks no rule");
}

// 9. One ending from a stale past erases all later work of others, without a conflict.
#[test]
fn an_ending_from_a_stale_past_erases_no_work() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch());
    dispatcher.push(&world.server, &[&triaged, &sent]);
    let mut handler = world.handler(13);
    let step = || Step { assignment: sent.id(), attachments: Vec::new(), note: None };
    let accepted = handler.act(id, &[sent.id()], &Event::Accept(step()));
    let arrived = handler.act(id, &[accepted.id()], &Event::Arrive(step()));
    handler.push(&world.server, &[&accepted, &arrived]);
    assert_eq!(state(&world, id).stage(), Stage::OnSite);
    // The lead of the village may not dismiss a case that is at work, so the changed app names the report alone.
    let village = onegrid_core::domain::AreaPath::new(&home().ids()[..3]).unwrap();
    let mut lead = world.phone(40, Role::VillageLead, Scope::Area(village));
    let now = lead.act(id, &[arrived.id()], &Event::Dismiss(reasoned()));
    let refused = Status::Void(VoidReason::CaseNotNow);
    assert_eq!(statuses(&lead.push(&world.server, &[&now])), [refused]);
    let mut other = world.phone(41, Role::VillageLead, Scope::Area(
        onegrid_core::domain::AreaPath::new(&home().ids()[..3]).unwrap(),
    ));
    let stale = other.act(id, &[genesis.id()], &Event::Dismiss(reasoned()));
    eprintln!("STALE {:?}", statuses(&other.push(&world.server, &[&stale])));
    let after = state(&world, id);
    eprintln!("STALE stage {:?}, assignments {}, conflicts {:?}, review {:?}", after.stage(),
        after.assignments().len(), after.conflicts, after.needs_review);
    let held = world.server.store().read(|tx| tx.record_streams(id)).unwrap();
    assert!(held.contains(&StreamId::Unit(GAS)), "the unit on site keeps its case");
    assert_eq!(after.stage(), Stage::OnSite);
}

// 10. A reporter who belongs to the dispatched unit is named by a renewed certificate.
#[test]
fn a_renewed_certificate_names_no_reporter_of_the_dispatched_unit() {
    let world = World::new();
    let mut reporter = world.handler(14);
    let genesis = reporter.report("our own company");
    let id = genesis.record();
    assert_eq!(statuses(&reporter.push(&world.server, &[&genesis])), [Status::Accepted]);
    let gas = Grant { role: Role::Handler, scope: Scope::Unit(GAS) };
    let team = Grant { role: Role::Volunteer, scope: Scope::Unit(TEAM) };
    world.member(14, vec![gas, team]);
    let renewed = world.again(&mut reporter, NOW + 1_000).expect("a new certificate");
    reporter.certificate = renewed;
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch());
    assert_eq!(
        statuses(&dispatcher.push(&world.server, &[&triaged, &sent])),
        [Status::Accepted; 2]
    );
    let more = reporter.act(id, &[sent.id()], &comment("又漏了"));
    assert_eq!(statuses(&reporter.push(&world.server, &[&more])), [Status::Accepted]);
    let mut colleague = world.handler(13);
    let answers = colleague.pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&more.id()));
    let device = reporter.certificate.facts().device;
    let pages = answers.iter().filter_map(|answer| answer.page.as_ref());
    let named = pages.flat_map(|page| &page.certificates).any(|raw| {
        let read = onegrid_core::trust::certificate::Certificate::from_store(raw.clone()).unwrap();
        read.facts().device == device
    });
    assert!(!named, "a certificate of the reporter's phone names the reporter");
}

// 11. The lead of the responsible team ends the team's own case by a merger, into something that never is a case.
#[test]
fn a_responsible_team_does_not_end_its_case_by_a_merger() {
    use onegrid_core::domain::case::payload::Merge;
    use onegrid_core::domain::content::Content;
    use onegrid_core::domain::kinds::place;
    let world = World::new();
    let mut reporter = world.grid_worker(30);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &Event::Dispatch(Dispatch {
        to: Party::Unit(TEAM),
        part: Part::Lead,
        deadlines: Deadlines::default(),
        rule: None,
        note: None,
    }));
    reporter.push(&world.server, &[&genesis]);
    dispatcher.push(&world.server, &[&triaged, &sent]);
    let mut lead = world.phone(50, Role::TeamLead, Scope::Unit(TEAM));
    let content = Content::from(place::Place::default());
    let shop = lead.genesis(place::KIND, &content, home());
    let merged = lead.act(id, &[sent.id()], &Event::Merge(Merge { into: shop.record(), note: None }));
    eprintln!("MERGE {:?}", statuses(&lead.push(&world.server, &[&shop, &merged])));
    world.server.tick(NOW + 60_000).unwrap();
    assert_eq!(state(&world, id).stage(), Stage::Dispatched, "nobody has looked at its work");
}

// 12. A grid that the directory does not know in the village of the case.
#[test]
fn triage_names_no_grid_of_elsewhere() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report_at("gas", onegrid_core::domain::AreaPath::new(&home().ids()[..3]).unwrap());
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(genesis.record(), &[genesis.id()], &Event::Triage(Triage {
        category: "gas".parse().unwrap(),
        severity: Severity::Serious,
        grid: Some(area(99)),
        rule: None,
        note: None,
    }));
    let answer = dispatcher.push(&world.server, &[&triaged]);
    assert_ne!(statuses(&answer), [Status::Accepted]);
}

fn overdue_rules() -> Rules {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\nseverity = \"serious\"\n\
                 dispatch_kind = \"utility\"\nescalate = true\naccept_minutes = 60\n";
    Rules::parse(rules, "test").unwrap()
}

// 13. One record that cannot be read stops the deadlines of all others.
#[test]
fn a_damaged_record_stops_no_deadline_of_others() {
    use onegrid_core::wire::pack::PackProof;
    let world = World::with(overdue_rules());
    let mut reporter = world.volunteer(10);
    let (first, second) = (reporter.report("gas"), reporter.report("gas"));
    ingest(&world, &reporter, &[&first], NOW);
    ingest(&world, &reporter, &[&second], NOW + 5_000);
    let bad = first.record();
    let damaged = crate::store::BasePack {
        hash: Hash([5; 32]),
        pack: b"damaged".to_vec(),
        proof: PackProof {
            signer: world.keys.packs().public().device(),
            generation: 1,
            time_ms: NOW,
            hashes: Vec::new(),
            signature: [0; 64],
        },
    };
    world
        .server
        .store()
        .write::<_, crate::store::StoreError>(move |tx| tx.put_base(bad, &damaged, &[]))
        .unwrap();
    world.server.records.forget(bad);
    let made = world.server.tick(NOW + 2 * 3_600_000);
    assert!(made.is_ok_and(|made| made == 1), "the other case goes up");
}

// 14. A record that is full stays due for ever, and 200 of them fill every tick.
#[test]
fn a_full_record_does_not_stay_due() {
    let world = World::with(overdue_rules());
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    ingest(&world, &reporter, &[&genesis], NOW);
    let mut stranger = world.volunteer(11);
    stranger.clock_ms = NOW + 10 * DAYS_MS;
    let flood: Vec<Envelope> =
        (0..4_096).map(|_| stranger.act(id, &[genesis.id()], &comment("x"))).collect();
    ingest(&world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW);
    let late = NOW + 2 * 3_600_000;
    let made = world.server.tick(late).unwrap();
    let due = world.server.store().read(|tx| tx.records_due(late, 200)).unwrap();
    eprintln!("DUE made {made}, still due {}", due.len());
    assert_eq!(made, 1, "the case goes up, whatever a stranger writes");
    assert_eq!(due, []);
}

// 15. After a restore, a bare copy of accepted words is judged anew, and the new verdict outranks the old one.
#[test]
fn a_bare_copy_after_a_restore_does_not_outrank_the_signed_verdict() {
    use onegrid_core::wire::verdict::Verdict;
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    ingest(&world, &reporter, &[&genesis], NOW);
    // The server had accepted this before it was restored from a backup.
    let said = reporter.act(id, &[genesis.id()], &danger("还在漏"));
    let accepted = Verdict { status: Status::Accepted, at_ms: NOW, generation: 1 };
    world
        .server
        .store()
        .write::<_, crate::store::StoreError>(|tx| crate::registry::directory::set_generation(tx, 2))
        .unwrap();
    // A stranger is the first to come: it fills the record, and then brings the words without the receipt.
    let mut stranger = world.volunteer(11);
    stranger.clock_ms = NOW + 10 * DAYS_MS;
    let flood: Vec<Envelope> =
        (0..4_096).map(|_| stranger.act(id, &[genesis.id()], &comment("x"))).collect();
    ingest(&world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW + 1_000);
    ingest(&world, &reporter, &[&said], NOW + 2_000);
    // The reporter's phone gives the signed verdict back.
    let attested = HashMap::from([(said.hash(), accepted)]);
    world.server.release_given_back(&attested, NOW + 3_000).unwrap();
    let bundle = reporter.bundle(&[&said]);
    world.server.ingest(bundle, &attested, NOW + 3_000).unwrap();
    assert_eq!(status(&world, said.id()), Status::Accepted);
}
