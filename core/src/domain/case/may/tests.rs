#![allow(clippy::unwrap_used, reason = "tests")]
//! The permission table of the domain, cell by cell.

use super::*;
use crate::domain::AreaPath;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload::{self as p, Part};
use crate::domain::case::tests::support::*;
use crate::domain::case::{Author, OnBehalfOf};

/// Rows as the domain's table has them, for the kinds in scope; columns: volunteer, team lead, guard, grid
/// worker, mediator, community officer, station head, village lead, dispatcher, handler, supervisor,
/// district lead, system.
///
/// Each cell names the relations to the record under which the role may act: `r` reporter, `R` reporter after
/// the record was accepted, `t` shared with the team or unit of the role, `s` in scope, `v` in the scope's
/// village, `a` assigned, `b` on behalf in scope, `n` no relation at all.
const TABLE: &str = "
report            n      n      n      n      n      n      n      n      n      n      n      n      n
read              rRta   rRta   rRtas  rRtasv rRtasv rRtas  rRtas  rRtas  rRtas  rRta   rRtas  rRtas  all
comment           rRta   rRta   rRtas  rRtasv rRtasv rRtas  rRtas  rRtas  rRtas  rRta   rRtas  rRtas  -
seen              rRta   rRta   rRtas  rRtasv rRtasv rRtas  rRtas  rRtas  rRtas  rRta   rRtas  rRtas  -
danger_remains    all    all    all    all    all    all    all    all    all    all    all    all    -
danger_held       -      -      -      -      -      -      -      -      -      -      -      -      all
edit              r      t      rR     s      -      s      st     st     st     a      -      st     -
handled_on_spot   rRta   rRta   rRtas  rRtasv -      rRtas  rRtas  rRtas  -      rRta   -      -      -
triage            -      t      -      -      -      -      st     st     st     -      -      st     all
dispatch          -      -      -      -      -      -      st     st     st     -      -      st     all
dispatch_inside   -      t      -      -      -      -      st     st     st     -      -      st     all
share             -      -      -      -      -      -      st     st     st     -      -      st     -
transfer          -      -      -      -      -      -      st     st     st     -      -      st     -
withdraw          -      t      -      -      -      -      st     st     st     -      -      st     -
merge             -      t      -      -      -      -      st     st     st     -      -      st     -
unmerge           -      t      -      -      -      -      st     st     st     -      -      st     -
merge_undone      -      -      -      -      -      -      -      -      -      -      -      -      all
suspend           -      t      -      -      -      -      st     st     st     -      -      st     -
resume            -      t      -      -      -      -      st     st     st     -      -      st     -
dismiss           -      -      -      -      -      -      st     st     st     -      -      st     -
hand_to_police    -      -      -      -      -      -      st     st     st     -      -      st     -
grant_extension   -      -      -      -      -      -      st     st     st     -      -      st     -
assign_finally    -      -      -      -      -      -      -      -      -      -      -      st     -
accept            a      a      a      a      a      a      a      a      ab     a      -      ab     -
arrive            a      a      a      a      a      a      a      a      ab     a      -      ab     -
resolve           a      a      a      a      a      a      a      a      ab     a      -      ab     -
return            a      a      a      a      a      a      a      a      ab     a      -      ab     -
request_extension a      a      a      a      a      a      a      a      ab     a      -      ab     -
escalate          -      rRta   -      rRtasv rRtasv rRtas  rRtas  rRtas  rRtas  rRta   rRtas  rRtas  all
verify            -      -      -      s      -      s      st     st     st     -      -      st     -
close             -      -      -      s      -      s      st     st     st     -      -      st     -
follow_up         -      -      -      s      -      s      st     st     st     -      -      st     -
reopen            -      -      -      s      -      s      st     st     st     -      st     st     -
urge              -      -      -      -      -      -      st     st     st     -      rRtas  rRtas  -
supervise         -      -      -      -      -      -      st     st     st     -      rRtas  rRtas  -
";

const RELATIONS: &str = "rRtsvabn";
const ME: u8 = 40;
const MY_UNIT: u8 = 41;
const MY_TEAM: u8 = 42;

/// The record lies in grid 4 of village 3 of town 2. The actor has only the properties that the relation
/// gives.
fn actor(role: Role, relation: char) -> Author {
    let mut me = match relation {
        't' => in_unit(ME, role, MY_TEAM),
        's' | 'b' if role == Role::GridWorker => in_area(ME, role, &[1, 2, 3, 4]),
        's' | 'b' => in_area(ME, role, &[1, 2, 3]),
        'v' => in_area(ME, role, &[1, 2, 3, 5]),
        _ => in_area(ME, role, &[1, 8]),
    };
    if relation == 'a' {
        me.units = vec![unit(MY_UNIT)];
    }
    me.member = Some(member(ME));
    me
}

fn record(relation: char) -> RecordState {
    let mut facts = hazard();
    facts.team = None;
    if relation == 't' {
        facts.team = Some(unit(MY_TEAM));
    }
    let own = matches!(relation, 'r' | 'R');
    let mut reporter = in_area(if own { ME } else { 39 }, Role::GridWorker, &[1, 2, 3, 4]);
    reporter.units = vec![unit(MY_TEAM)];
    let mut log = Log::new(3, reporter, facts);
    log.triaged();
    let to = Party::Unit(unit(if relation == 'a' { MY_UNIT } else { 60 }));
    let assignment = log.then(dispatcher(), dispatch_to(to, Part::Lead));
    if relation == 'R' {
        log.then(handler(60), Event::Accept(step(assignment)));
    }
    log.state()
}

#[allow(clippy::too_many_lines, reason = "one arm for each row")]
fn event_of(row: &str, role: Role, state: &RecordState) -> Event {
    let assignment = state.assignments()[0].id;
    let rule = (role == Role::System).then(rule);
    let deadlines = p::Deadlines::default();
    let (reason, note) = (text("原因"), None);
    match row {
        "comment" => comment("话"),
        "seen" => Event::Seen(p::Seen {}),
        "danger_remains" => danger(),
        "danger_held" => danger_held(assignment),
        "merge_undone" => merge_undone(assignment, p::MergeFault::Dismissed),
        "handled_on_spot" => on_spot(),
        "triage" => {
            let Event::Triage(data) = triage() else {
                unreachable!()
            };
            Event::Triage(p::Triage { rule, ..data })
        }
        "dispatch" | "dispatch_inside" => {
            let inside = row == "dispatch_inside";
            let to = if inside {
                Party::Unit(unit(MY_TEAM))
            } else {
                Party::Unit(unit(90))
            };
            Event::Dispatch(p::Dispatch {
                to,
                part: Part::Lead,
                deadlines,
                rule,
                note,
            })
        }
        "share" => share(90),
        "transfer" => Event::Transfer(p::Transfer {
            to: path(&[1, 9]),
            reason,
        }),
        "withdraw" => Event::Withdraw(give_back(assignment)),
        "merge" => Event::Merge(p::Merge {
            into: crate::id::RecordId([6; 16]),
            note,
        }),
        "unmerge" => Event::Unmerge(bare()),
        "suspend" => suspend(),
        "resume" => Event::Resume(bare()),
        "dismiss" => Event::Dismiss(reasoned()),
        "hand_to_police" => Event::HandToPolice(p::HandToPolice { to: None, reason }),
        "grant_extension" => Event::GrantExtension(p::GrantExtension {
            request: assignment,
            until_ms: 1,
            note,
        }),
        "assign_finally" => {
            let to = Party::Unit(unit(90));
            Event::AssignFinally(p::AssignFinally {
                to,
                deadlines,
                reason,
            })
        }
        "accept" => Event::Accept(step(assignment)),
        "arrive" => Event::Arrive(step(assignment)),
        "resolve" => Event::Resolve(step(assignment)),
        "return" => Event::Return(give_back(assignment)),
        "request_extension" => Event::RequestExtension(p::RequestExtension {
            assignment,
            until_ms: 1,
            reason,
        }),
        "escalate" => escalate(AreaLevel::Town, role == Role::System),
        "verify" => verify(true),
        "close" => Event::Close(bare()),
        "follow_up" => Event::FollowUp(p::FollowUp {
            satisfied: None,
            note,
        }),
        "reopen" => Event::Reopen(reasoned()),
        "urge" => Event::Urge(bare()),
        "supervise" => Event::Supervise(bare()),
        other => panic!("no row {other}"),
    }
}

fn allowed(row: &str, role: Role, relation: char) -> bool {
    let me = actor(role, relation);
    let grant = me.grant.as_ref().unwrap();
    let actor = Actor {
        member: me.member,
        grant,
        units: &me.units,
    };
    let state = record(relation);
    match row {
        "report" => {
            let mut facts = hazard();
            facts.team = None;
            return may(&actor, &Action::Report(&facts)).is_ok();
        }
        "read" => return may(&actor, &Action::Read(&state)).is_ok(),
        "edit" => return may(&actor, &Action::Edit(&state)).is_ok(),
        _ => {}
    }
    let event = event_of(row, role, &state);
    let behalf = OnBehalfOf {
        party: state.assignments()[0].to,
        reason: text("原因"),
    };
    let on_behalf_of = (relation == 'b').then_some(&behalf);
    may(
        &actor,
        &Action::Do {
            state: &state,
            event: &event,
            on_behalf_of,
        },
    )
    .is_ok()
}

fn expected(row: &str, cell: &str, relation: char) -> bool {
    let granted = cell != "-" && (cell == "all" || cell.contains(relation));
    match (row, relation) {
        ("report", _) => cell == "n",
        // Acting on behalf is a way to work. For reading and editing, the cell of the scope counts.
        ("read" | "edit", 'b') => granted || cell.contains('s'),
        (_, 'b') => cell.contains('b'),
        _ => granted,
    }
}

#[test]
fn every_cell_of_the_permission_table() {
    let (mut cells, mut wrong) = (0, vec![]);
    for line in TABLE.trim().lines() {
        let mut words = line.split_whitespace();
        let row = words.next().unwrap();
        let columns: Vec<&str> = words.collect();
        assert_eq!(columns.len(), Role::ALL.len(), "{row}");
        for (role, cell) in Role::ALL.iter().zip(columns) {
            for relation in RELATIONS.chars() {
                cells += 1;
                let found = allowed(row, *role, relation);
                if found != expected(row, cell, relation) {
                    wrong.push(format!("{row} × {role} × {relation}: code says {found}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cells, 35 * 13 * 8);
}

#[test]
fn role_of_newer_app_awaits_newer_version() {
    for movement in Move::ALL {
        assert_eq!(cell(row_of(*movement), Role::Unknown(99)), Cell::No);
        assert!(
            Role::ALL
                .iter()
                .any(|role| cell(row_of(*movement), *role) != Cell::No)
        );
    }
    let state = record('s');
    let stranger = actor(Role::Unknown(99), 's');
    let grant = stranger.grant.as_ref().unwrap();
    let nobody = Actor {
        member: Some(member(98)),
        grant,
        units: &[],
    };
    let comment = comment("话");
    let speak = Action::Do {
        state: &state,
        event: &comment,
        on_behalf_of: None,
    };
    for action in [
        Action::Read(&state),
        Action::Report(&hazard()),
        Action::Edit(&state),
        speak,
    ] {
        assert_eq!(may(&nobody, &action), Err(Denied::Newer), "{action:?}");
    }
    assert!(moves_of(Role::Unknown(99)).is_empty());
    assert!(!moves_of(Role::Volunteer).contains(&Move::Dispatch));
}

#[test]
fn a_zone_grant_reaches_the_areas_that_it_lists() {
    let state = record('n');
    let officer = |areas: &[u8]| {
        let areas = areas.iter().map(|n| area(*n)).collect();
        let scope = Scope::Zone {
            zone: crate::id::ZoneId([1; 16]),
            areas,
        };
        author(ME, Role::CommunityOfficer, scope)
    };
    let verdict = |me: &Author| {
        let grant = me.grant.as_ref().unwrap();
        let actor = Actor {
            member: me.member,
            grant,
            units: &me.units,
        };
        may(&actor, &Action::Edit(&state))
    };
    assert_eq!(verdict(&officer(&[9, 3])), Ok(()));
    assert_eq!(verdict(&officer(&[9, 4])), Ok(()));
    assert_eq!(verdict(&officer(&[9])), Err(Denied::Elsewhere));
    assert_eq!(verdict(&officer(&[])), Err(Denied::Elsewhere));
}

#[test]
fn a_report_stays_in_the_district_and_with_ones_own_team() {
    let me = volunteer(ME);
    let grant = me.grant.as_ref().unwrap();
    let actor = Actor {
        member: me.member,
        grant,
        units: &me.units,
    };
    assert_eq!(may(&actor, &Action::Report(&hazard())), Ok(()));
    let foreign = GenesisFacts {
        team: Some(unit(99)),
        ..hazard()
    };
    assert_eq!(may(&actor, &Action::Report(&foreign)), Err(Denied::NotTeam));
    let elsewhere: AreaPath = path(&[77, 2]);
    let outside = GenesisFacts {
        home: elsewhere,
        ..hazard()
    };
    let worker = grid_worker();
    let grant = worker.grant.as_ref().unwrap();
    let actor = Actor {
        member: worker.member,
        grant,
        units: &worker.units,
    };
    assert_eq!(
        may(&actor, &Action::Report(&outside)),
        Err(Denied::Elsewhere)
    );
}

#[test]
fn source_of_a_report_belongs_to_its_role() {
    let call = [Role::Dispatcher, Role::System];
    let system = [Role::System];
    let all: Vec<Role> = Role::ALL.to_vec();
    for (source, allowed) in [
        (Source::Member, &all[..]),
        (Source::Task, &all[..]),
        (Source::Diverted110, &call[..]),
        (Source::ResidentCode, &system[..]),
        (Source::Api, &system[..]),
    ] {
        for role in &all {
            let me = in_area(ME, *role, &[1, 2]);
            let grant = me.grant.clone().unwrap();
            let actor = Actor {
                member: me.member,
                grant: &grant,
                units: &[],
            };
            let mut facts = hazard();
            (facts.source, facts.team) = (source, None);
            let expected = allowed.contains(role).then_some(()).ok_or(Denied::Source);
            assert_eq!(
                may(&actor, &Action::Report(&facts)),
                expected,
                "{role} {source}"
            );
        }
    }
}

#[test]
fn team_lead_dispatches_to_the_team_alone() {
    let state = record('t');
    let lead = in_unit(ME, Role::TeamLead, MY_TEAM);
    let verdict = |to| {
        let actor = Actor {
            member: lead.member,
            grant: lead.grant.as_ref().unwrap(),
            units: &lead.units,
        };
        let event = dispatch_to(to, Part::Lead);
        let action = Action::Do {
            state: &state,
            event: &event,
            on_behalf_of: None,
        };
        may(&actor, &action)
    };
    assert_eq!(verdict(Party::Unit(unit(MY_TEAM))), Ok(()));
    let stranger = Party::Member(member(97));
    assert_eq!(verdict(stranger), Err(Denied::NotTeam));
    assert_eq!(verdict(Party::Unit(unit(90))), Err(Denied::NotTeam));
}

#[test]
fn responsible_team_ends_no_case_of_its_own() {
    let mut log = Log::new(3, volunteer(1), hazard());
    log.triaged();
    let reported = log.state();
    log.then(
        dispatcher(),
        dispatch_to(Party::Unit(unit(MY_TEAM)), Part::Lead),
    );
    let sent = log.state();
    let lead = Author {
        units: vec![unit(MY_TEAM)],
        ..in_area(ME, Role::VillageLead, &[1, 2, 3])
    };
    let verdict = |state: &RecordState, row| {
        let actor = Actor {
            member: lead.member,
            grant: lead.grant.as_ref().unwrap(),
            units: &lead.units,
        };
        let event = event_of(row, Role::VillageLead, &sent);
        let action = Action::Do {
            state,
            event: &event,
            on_behalf_of: None,
        };
        may(&actor, &action)
    };
    for row in [
        "dismiss",
        "hand_to_police",
        "merge",
        "suspend",
        "close",
        "reopen",
    ] {
        assert_eq!(verdict(&reported, row), Ok(()), "{row}");
        assert_eq!(verdict(&sent, row), Err(Denied::ResponsibleParty), "{row}");
    }
    for row in [
        "resolve",
        "handled_on_spot",
        "danger_remains",
        "share",
        "withdraw",
    ] {
        assert_eq!(verdict(&sent, row), Ok(()), "{row}");
    }
}

#[test]
fn acting_on_behalf_needs_a_readable_record() {
    let facts = GenesisFacts {
        audience: crate::domain::Audience::Restricted,
        team: None,
        ..hazard()
    };
    let mut log = Log::new(3, volunteer(1), facts);
    log.triaged();
    let assignment = log.then(dispatcher(), dispatch(60));
    let state = log.state();
    let behalf = OnBehalfOf {
        party: Party::Unit(unit(60)),
        reason: text("原因"),
    };
    let event = Event::Accept(step(assignment));
    let verdict = |me: &Author| {
        let actor = Actor {
            member: me.member,
            grant: me.grant.as_ref().unwrap(),
            units: &me.units,
        };
        let action = Action::Do {
            state: &state,
            event: &event,
            on_behalf_of: Some(&behalf),
        };
        may(&actor, &action)
    };
    assert_eq!(verdict(&dispatcher()), Ok(()));
    assert_eq!(verdict(&district_lead()), Err(Denied::NotReadable));
}
