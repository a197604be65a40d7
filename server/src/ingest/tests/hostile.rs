//! A hostile member with a changed app, against the records of others.

use std::collections::HashMap;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::case::payload::{Merge, Reasoned, Verify};
use onegrid_core::domain::case::{Outcome, RecordState, Stage};
use onegrid_core::domain::content::Content;
use onegrid_core::domain::kinds::place::{self, Place};
use onegrid_core::id::UnitId;

use super::*;

fn state(world: &TestServer, id: RecordId) -> RecordState {
    let record = crate::ingest::plan::open_record(&world.server.intake, id)
        .unwrap()
        .0;
    record.state().unwrap().clone()
}

fn status(world: &TestServer, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.unwrap().1.status
}

fn village() -> AreaPath {
    AreaPath::new(&home().ids()[..3]).unwrap()
}

/// The status of an envelope that another phone takes along, since a change of roles ends the session.
fn carried(world: &TestServer, author: &SyncPhone, envelope: &Envelope) -> Status {
    let bundle = author.bundle(&[envelope]);
    let told = world.server.ingest(bundle, &HashMap::new(), NOW).unwrap();
    told.lines[0].verdict.status
}

/// A case of a volunteer that the dispatcher sent to a unit.
struct Sent {
    world: TestServer,
    genesis: Envelope,
    dispatch: Envelope,
}

impl Sent {
    fn to(unit: UnitId) -> Self {
        let world = TestServer::new();
        let mut reporter = world.phone(VOLUNTEER_WANG);
        let genesis = reporter.report("gas");
        reporter.push(&world.server, &[&genesis]);
        let mut dispatcher = world.phone(DISPATCHER_GAO);
        let triaged = dispatcher.act(genesis.record(), &[genesis.id()], &triage());
        let dispatch = dispatcher.act(
            genesis.record(),
            &[triaged.id()],
            &dispatch_to(Party::Unit(unit)),
        );
        let answer = dispatcher.push(&world.server, &[&triaged, &dispatch]);
        assert_eq!(statuses(&answer), [Status::Accepted; 2]);
        Self {
            world,
            genesis,
            dispatch,
        }
    }

    fn id(&self) -> RecordId {
        self.genesis.record()
    }

    /// The gas company accepts, and makes another move. Returns both.
    fn worked(&self, next: fn(Step) -> Event) -> [Envelope; 2] {
        let mut handler = self.world.phone(HANDLER_SHEN);
        let sent = self.dispatch.id();
        let accepted = handler.act(self.id(), &[sent], &Event::Accept(step(sent)));
        let after = handler.act(self.id(), &[accepted.id()], &next(step(sent)));
        let answer = handler.push(&self.world.server, &[&accepted, &after]);
        assert_eq!(statuses(&answer), [Status::Accepted; 2]);
        [accepted, after]
    }
}

/// The lead of the village may not dismiss a case that is at work, so the changed app names the report alone.
#[test]
fn stale_dismissal_takes_no_case_from_its_unit() {
    let case = Sent::to(GAS);
    case.worked(Event::Arrive);
    let mut lead = case.world.phone(VILLAGE_LEAD_QIAN);
    let reason = Text::new("不属于受理范围").unwrap();
    let dismiss = Event::Dismiss(Reasoned { reason });
    let stale = lead.act(case.id(), &[case.genesis.id()], &dismiss);
    let answer = lead.push(&case.world.server, &[&stale]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let after = state(&case.world, case.id());
    assert_eq!(after.stage(), Stage::OnSite);
    assert_eq!(
        after.outcome(stale.id()).unwrap().outcome,
        Outcome::Superseded
    );
    assert!(!after.conflicts.is_empty(), "people see both");
    let store = case.world.server.store();
    let held = store.read(|tx| tx.record_streams(case.id())).unwrap();
    assert!(
        held.contains(&StreamId::Unit(GAS)),
        "the unit on site keeps its case"
    );
}

#[test]
fn older_certificate_verifies_no_work_of_own_unit() {
    let case = Sent::to(GAS);
    let mut judge = case.world.phone(GRID_WORKER_LUO);
    let roles = [GRID_WORKER_LUO, HANDLER_SHEN].map(Person::grant);
    case.world.member(GRID_WORKER_LUO, roles.to_vec());
    let [_, done] = case.worked(Event::Resolve);
    let pass = Event::Verify(Verify {
        pass: true,
        attachments: Vec::new(),
        note: None,
    });
    let pass = judge.act(case.id(), &[done.id()], &pass);
    let held = Status::Held(HeldReason::RoleChanged);
    assert_eq!(carried(&case.world, &judge, &pass), held);
    assert_eq!(state(&case.world, case.id()).stage(), Stage::Resolved);
}

#[test]
fn older_certificate_verifies_work_of_other_units() {
    let case = Sent::to(GAS);
    let mut judge = case.world.phone(GRID_WORKER_LUO);
    let roles = [GRID_WORKER_LUO, VOLUNTEER_WANG].map(Person::grant);
    case.world.member(GRID_WORKER_LUO, roles.to_vec());
    let [_, done] = case.worked(Event::Resolve);
    let pass = Event::Verify(Verify {
        pass: true,
        attachments: Vec::new(),
        note: None,
    });
    let pass = judge.act(case.id(), &[done.id()], &pass);
    assert_eq!(carried(&case.world, &judge, &pass), Status::Accepted);
}

#[test]
fn responsible_team_ends_no_case_by_a_merger() {
    let case = Sent::to(TEAM);
    let mut lead = case.world.phone(TEAM_LEAD_HE);
    let shop = lead.genesis(place::KIND, &Content::from(Place::default()), home());
    let merge = Event::Merge(Merge {
        into: shop.record(),
        note: None,
    });
    let merged = lead.act(case.id(), &[case.dispatch.id()], &merge);
    lead.push(&case.world.server, &[&shop]);
    let answer = lead.push(&case.world.server, &[&merged]);
    let void = Status::Void(VoidReason::MayResponsibleParty);
    assert_eq!(statuses(&answer), [void]);
    assert_eq!(state(&case.world, case.id()).stage(), Stage::Dispatched);
}

#[test]
fn triage_with_grid_of_elsewhere_is_held() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report_at("gas", village());
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    let mut triaged = |grid| {
        let Event::Triage(data) = triage() else {
            unreachable!()
        };
        let event = Event::Triage(Triage {
            grid: Some(grid),
            ..data
        });
        let triaged = dispatcher.act(genesis.record(), &[genesis.id()], &event);
        statuses(&dispatcher.push(&world.server, &[&triaged]))
    };
    let held = Status::Held(HeldReason::Directory);
    assert_eq!(triaged(area(99)), [held]);
    assert_eq!(triaged(home().ids()[3]), [Status::Accepted]);
}

/// The dispatcher met the changed app out of reach of the server, and worked on.
#[test]
fn refusal_takes_no_words_of_others_along() {
    for later in [false, true] {
        let world = TestServer::new();
        let mut reporter = world.phone(VOLUNTEER_WANG);
        let genesis = reporter.report("gas");
        let id = genesis.record();
        reporter.push(&world.server, &[&genesis]);
        let mut hostile = world.phone(GRID_WORKER_LIN);
        hostile.clock_ms = NOW + 10 * 24 * 3_600_000;
        let poison = hostile.act(id, &[genesis.id()], &comment("x"));
        hostile.clock_ms = NOW;
        let more = hostile.act(id, &[poison.id()], &comment("y"));
        let mut dispatcher = world.phone(DISPATCHER_GAO);
        let triaged = dispatcher.act(id, &[poison.id()], &triage());
        let said = dispatcher.act(id, &[triaged.id()], &comment("去看看"));
        hostile.push(&world.server, &[&poison, &more]);
        let held = Status::Held(HeldReason::ParentHeld);
        let push = |dispatcher: &mut SyncPhone| {
            let answer = dispatcher.push(&world.server, &[&triaged, &said]);
            assert_eq!(statuses(&answer), [held; 2]);
        };
        if !later {
            push(&mut dispatcher);
        }
        world
            .server
            .decide(poison.id(), false, "admin", NOW + 1)
            .unwrap();
        if later {
            push(&mut dispatcher);
            world
                .server
                .decide(triaged.id(), true, "admin", NOW + 2)
                .unwrap();
        }
        assert_eq!(
            status(&world, poison.id()),
            Status::Void(VoidReason::Rejected)
        );
        let rejected = Status::Refused(RefusedReason::Rejected);
        assert_eq!(status(&world, more.id()), rejected, "of the same author");
        for id in [triaged.id(), said.id()] {
            assert_eq!(status(&world, id), Status::Admitted, "it breaks no rule");
        }
        assert_eq!(state(&world, id).stage(), Stage::Triaged);
        let mut worker = world.phone(GRID_WORKER_LUO);
        let (ids, _) = held_by(&worker.pull(&world.server, 4_000_000));
        let all = [&genesis, &poison, &triaged, &said].map(Envelope::id);
        assert_eq!(ids, BTreeSet::from(all), "every reader has the whole past");
        assert_eq!(world.server.waiting(10).unwrap(), []);
        digests_are_right(&world);
        let found = crate::admin::verify::verify(&world.server, &mut |_, _| {}).unwrap();
        assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    }
}

#[test]
fn refusal_leaves_other_reasons_to_wait() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let (mut hostile, mut other) = (world.phone(GRID_WORKER_LIN), world.phone(GRID_WORKER_LUO));
    for phone in [&mut hostile, &mut other] {
        phone.clock_ms = NOW + 10 * 24 * 3_600_000;
    }
    let poison = hostile.act(id, &[genesis.id()], &comment("x"));
    let wrong_clock = other.act(id, &[poison.id()], &comment("y"));
    hostile.clock_ms = NOW;
    other.clock_ms = NOW;
    let above = other.act(id, &[wrong_clock.id()], &comment("z"));
    hostile.push(&world.server, &[&poison]);
    other.push(&world.server, &[&wrong_clock, &above]);
    let decide = |id, accept, at| world.server.decide(id, accept, "admin", NOW + at).unwrap();
    decide(poison.id(), false, 1);
    assert_eq!(
        status(&world, wrong_clock.id()),
        Status::Held(HeldReason::Clock)
    );
    assert_eq!(
        status(&world, above.id()),
        Status::Held(HeldReason::ParentHeld)
    );
    decide(wrong_clock.id(), true, 2);
    for id in [wrong_clock.id(), above.id()] {
        assert_eq!(status(&world, id), Status::Admitted);
    }
    digests_are_right(&world);
}
