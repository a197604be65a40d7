//! Parties, areas, deadlines and levels of a dispute.

use super::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload as p;
use crate::domain::case::{AssignmentState, Deadlines};
use crate::domain::stream::streams_of;
use crate::domain::{AreaPath, Scope, StreamId};
use crate::fixtures::step;
use crate::id::ZoneId;

struct NoZones;

impl crate::domain::stream::Routing for NoZones {
    fn zones_of(&self, _: &AreaPath) -> Vec<ZoneId> {
        vec![]
    }

    fn towns_and_villages_under(&self, _: &AreaPath) -> Vec<(AreaLevel, crate::id::AreaId)> {
        vec![]
    }
}

fn transfer(to: &[u8]) -> Event {
    Event::Transfer(p::Transfer {
        to: path(to),
        reason: text("属地办理"),
    })
}

fn share_with_area(to: &[u8]) -> Event {
    Event::Share(p::Share {
        with: p::Partner::Area(path(to)),
        deadlines: Deadlines::default(),
        note: None,
    })
}

fn registered() -> Log {
    Log::new(1, creator(), facts())
}

/// Noise on the boundary of two districts: another district supports, and the lead moves there later.
#[test]
fn two_districts_share_and_transfer_a_dispute() {
    let mut log = registered();
    assert_eq!(
        code(&log, creator(), share_with_area(&[8, 5, 6])),
        Some("may.role")
    );
    log.then(dispatcher(), share_with_area(&[8, 5, 6]));
    let state = log.state();
    assert_eq!(state.lead_area(), path(&[1, 2, 3, 4]));
    let streams = streams_of(&state, &NoZones);
    for village in [3, 6] {
        assert!(
            streams.contains(&StreamId::AreaStaff(area(village))),
            "{village}"
        );
    }
    // The head of the other district reads it, assigns it and becomes its lead.
    let other = in_area(60, Role::StationHead, &[8, 5, 6]);
    assert_eq!(
        code(&log, other.clone(), to_member(61, Part::Support)),
        None
    );
    log.then(dispatcher(), transfer(&[8, 5, 6]));
    let state = log.state();
    assert_eq!(state.lead_area(), path(&[8, 5, 6]));
    assert_eq!(state.place(), path(&[1, 2, 3, 4]), "the birthplace stays");
    assert_eq!(
        code(&log, other, transfer(&[8, 5, 6])),
        Some("case.same_area")
    );
    let stranger = in_area(62, Role::StationHead, &[9, 5, 6]);
    assert_eq!(
        code(&log, stranger, transfer(&[9, 5, 6])),
        Some("may.elsewhere")
    );
}

#[test]
fn assignment_has_deadline_and_extension() {
    let mut log = registered();
    let lead = log.then(head(), to_member(LEADER, Part::Lead));
    assert_eq!(log.state().next_due_ms(), Some(1_000_000));
    assert_eq!(
        code(&log, head(), to_member(LEADER, Part::Lead)),
        Some("case.already_assigned")
    );
    let ask = |until_ms| {
        Event::RequestExtension(p::RequestExtension {
            assignment: lead,
            until_ms,
            reason: text("一方出差"),
        })
    };
    assert_eq!(
        code(&log, mediator(), ask(2_000_000)),
        Some("may.not_assigned")
    );
    log.then(leader(), Event::Accept(step(lead)));
    let request = log.then(leader(), ask(2_000_000));
    let grant = Event::GrantExtension(p::GrantExtension {
        request,
        until_ms: 2_000_000,
        note: None,
    });
    log.then(head(), grant);
    assert_eq!(log.state().next_due_ms(), Some(2_000_000));
    log.then(leader(), Event::Return(give_back(lead)));
    let state = log.state();
    assert_eq!(state.assignments()[0].state, AssignmentState::Returned);
    assert!(!state.is_party(leader().member, &[]));
    assert_eq!(
        code(&log, leader(), made(&PASS_ON)),
        Some("may.not_assigned")
    );
}

#[test]
fn level_rises_from_village_to_district() {
    let mut log = registered();
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::Village);
    let skips = escalate(AreaLevel::District, false);
    assert_eq!(code(&log, mediator(), skips), Some("case.not_next_level"));
    log.then(mediator(), escalate(AreaLevel::Town, false));
    log.then(dispatcher(), escalate(AreaLevel::District, false));
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::District);
    let volunteer = in_area(50, Role::Volunteer, &[1, 2, 3]);
    let up = escalate(AreaLevel::Town, false);
    assert_eq!(code(&log, volunteer, up), Some("may.role"));
    // A rule raises an overdue dispute by itself.
    let mut log = registered();
    log.then(system(), escalate(AreaLevel::Town, true));
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::Town);
}

#[test]
fn urged_and_supervised_while_it_is_open() {
    let mut log = in_stage(1, "mediating");
    log.then(supervisor(), Event::Urge(bare()));
    log.then(supervisor(), Event::Supervise(bare()));
    let state = log.state();
    let handling = state.handling().unwrap();
    assert_eq!((handling.urged, handling.supervised), (1, true));
    assert_eq!(
        code(&log, mediator(), Event::Urge(bare())),
        Some("may.role")
    );
    for stage in [
        "concluded",
        "revisited",
        "passed_on",
        "combined",
        "cancelled",
    ] {
        let log = in_stage(1, stage);
        let urged = code(&log, supervisor(), Event::Urge(bare()));
        assert_eq!(urged, Some("case.not_now"), "{stage}");
        assert_eq!(log.state().next_due_ms(), None, "{stage}");
        let assigned = code(&log, head(), to_member(44, Part::Lead));
        assert_eq!(assigned, Some("case.not_now"), "{stage}");
    }
}

/// A mediator accepts offline, while the dispute is combined with another one. The work is kept.
#[test]
fn acceptance_after_the_end_is_kept() {
    let mut log = registered();
    let assignment = log.then(head(), to_member(MEDIATOR, Part::Support));
    let heads = log.heads();
    log.after(&heads, head(), made(&COMBINE));
    let accepted = log.after(&heads, mediator(), Event::Accept(step(assignment)));
    assert_eq!(outcome(&log, accepted), (Outcome::Effective, None));
    let state = log.state();
    assert_eq!(state.stage_name(), "combined");
    assert_eq!(state.assignments()[0].state, AssignmentState::Accepted);
}

#[test]
fn parties_and_office_write_the_content() {
    let log = in_stage(1, "mediating");
    for author in [
        creator(),
        mediator(),
        leader(),
        head(),
        dispatcher(),
        district_lead(),
    ] {
        assert_eq!(writes(&log, author.clone()), None, "{author:?}");
    }
    let volunteer = in_area(50, Role::Volunteer, &[1, 2, 3]);
    assert_eq!(writes(&log, volunteer), Some("may.not_readable"));
    let neighbour = in_area(51, Role::GridWorker, &[1, 2, 3, 5]);
    assert_eq!(writes(&log, neighbour), Some("may.not_own"));
    let other = in_area(52, Role::Mediator, &[1, 2, 3]);
    assert_eq!(writes(&log, other), Some("may.role"));
    assert_eq!(writes(&log, supervisor()), Some("may.role"));
    let far = in_area(53, Role::Dispatcher, &[1, 9]);
    assert_eq!(writes(&log, far), Some("may.not_readable"));
}

#[test]
fn roles_register_as_the_table_says() {
    let report = |author: Author, facts: GenesisFacts| {
        let log = Log::new(1, author, facts);
        judge(&[], &log.entries[0]).err().map(|why| why.code())
    };
    for role in Role::ALL {
        let may = matches!(
            role,
            Role::Volunteer
                | Role::TeamLead
                | Role::GridWorker
                | Role::CommunityOfficer
                | Role::StationHead
                | Role::VillageLead
                | Role::Dispatcher
                | Role::DistrictLead
        );
        let expected = match role {
            Role::System => Some("may.source"),
            _ => (!may).then_some("may.role"),
        };
        let author = in_area(4, *role, &[1, 2, 3]);
        assert_eq!(report(author, facts()), expected, "{role}");
    }
    let of_list = GenesisFacts {
        source: Source::Api,
        ..facts()
    };
    assert_eq!(report(system(), of_list.clone()), None, "a row of a list");
    assert_eq!(report(creator(), of_list), Some("may.source"));
    let elsewhere = author(5, Role::GridWorker, Scope::Area(path(&[7, 8, 9])));
    assert_eq!(report(elsewhere, facts()), Some("may.elsewhere"));
}

#[test]
fn other_moves_of_cases_are_no_moves_here() {
    let log = in_stage(1, "mediating");
    for event in [
        triage(),
        danger(),
        Event::Close(bare()),
        on_spot(),
        merge(4),
        suspend(),
    ] {
        assert_eq!(code(&log, district_lead(), event), Some("may.not_a_case"));
    }
}
