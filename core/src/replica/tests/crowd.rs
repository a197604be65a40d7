//! Many people at one record, and people with several roles.

use super::server::Server;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::Text;
use crate::domain::case::payload::Reasoned;
use crate::domain::case::{Event, Stage};
use crate::domain::content::{Field, FieldValue};
use crate::id::{EnvelopeId, RecordId};
use crate::limits::PARENTS_MAX;

fn answer(n: u8) -> Field {
    Field::Answer(format!("q{n}"))
}

fn dismiss() -> Event {
    Event::Dismiss(Reasoned {
        reason: Text::new("已核实").unwrap(),
    })
}

#[test]
#[expect(clippy::too_many_lines, reason = "one history, step by step")]
fn forty_people_write_at_the_same_time_and_the_next_one_goes_on() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut reporter = town.phone(GRID_WORKER_CHEN);
    let record = reporter.replica().report(&draft("联合检查"), NOW).unwrap();
    server.settle(&mut reporter);
    let mut crowd: Vec<FilePhone> = (100..140)
        .map(|seed| town.phone(GRID_WORKER_CHEN.like(seed)))
        .collect();
    for phone in &mut crowd {
        server.settle(phone);
    }
    for phone in &mut crowd {
        let edit = FieldEdit::set(
            answer(phone.person.seed),
            FieldValue::Text(format!("{}", phone.person.seed)),
        );
        phone.replica().edit(record, &[edit], NOW + 1).unwrap();
    }
    for phone in &mut crowd {
        server.settle(phone);
    }

    // One of the forty writes again. Their own change must be in the past of the next one.
    let mut one = crowd.swap_remove(0);
    server.settle(&mut one);
    let replica = one.replica();
    assert!(replica.load(record).unwrap().unwrap().has_too_many_heads());
    let edit = FieldEdit::set(answer(one.person.seed), FieldValue::Text("again".into()));
    let edited = one.replica().edit(record, &[edit], NOW + 2).unwrap();
    server.settle(&mut one);
    // A dispatcher then decides, with knowledge of all of it.
    let mut decider = town.phone(DISPATCHER_ZHOU);
    server.settle(&mut decider);
    decider
        .replica()
        .act(record, &triage(), None, NOW + 3)
        .unwrap();
    let closed = decider
        .replica()
        .act(record, &dismiss(), None, NOW + 4)
        .unwrap();
    server.settle(&mut decider);

    for phone in [&mut one, &mut decider, &mut crowd[0]] {
        server.settle(phone);
        let loaded = phone.replica().load(record).unwrap().unwrap();
        assert!(loaded.counts(edited) && loaded.counts(closed));
        assert!(
            loaded.nodes().iter().all(|node| loaded.counts(node.id)),
            "nothing is set aside"
        );
        assert!(
            loaded
                .nodes()
                .iter()
                .all(|node| node.parents.len() <= PARENTS_MAX)
        );
        let document = loaded.document().unwrap();
        for n in 100..140 {
            let said = if n == 100 {
                "again".to_owned()
            } else {
                n.to_string()
            };
            assert_eq!(
                document.field(&answer(n)),
                Some(FieldValue::Text(said)),
                "{n}"
            );
        }
        let view = phone.replica().view(record).unwrap().unwrap();
        assert_eq!(view.row.stage, Stage::Dismissed.code());
        assert!(
            view.conflicts.is_empty(),
            "whoever decided had seen all of it"
        );
    }
}

fn role_of(phone: &mut FilePhone, record: RecordId, id: EnvelopeId) -> Role {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    let node = loaded.node(id).unwrap();
    let certificate = node.certificate.as_ref().unwrap();
    certificate.facts().grants[usize::from(node.grant)].role
}

#[test]
fn a_person_with_several_roles_acts_under_the_nearest_or_the_one_that_is_named() {
    let town = Deployment::new();
    let roles = [VOLUNTEER_WANG, DISPATCHER_ZHOU, GRID_WORKER_CHEN];
    let mut phone = town.phone_with(GRID_WORKER_CHEN, &roles);
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    assert_eq!(
        phone.replica().load(record).unwrap().unwrap().nodes()[0].grant,
        2
    );
    let comment = phone.replica().comment(record, said("一"), NOW).unwrap();
    assert_eq!(role_of(&mut phone, record, comment), Role::GridWorker);
    let triaged = phone.replica().act(record, &triage(), None, NOW).unwrap();
    assert_eq!(role_of(&mut phone, record, triaged), Role::Dispatcher);

    let named = |n: usize| Some(roles[n].grant());
    phone.replica().act_as(named(0)).unwrap();
    let comment = phone.replica().comment(record, said("二"), NOW).unwrap();
    assert_eq!(role_of(&mut phone, record, comment), Role::Volunteer);
    let refused = phone
        .replica()
        .act(record, &dismiss(), None, NOW)
        .unwrap_err();
    assert_eq!(refused.code(), "may.role", "no other role steps in");
    phone.replica().act_as(None).unwrap();
    phone.replica().act(record, &dismiss(), None, NOW).unwrap();

    let foreign = Grant {
        role: Role::DistrictLead,
        scope: Scope::Area(AreaPath::new(&home().ids()[..1]).unwrap()),
    };
    let refused = phone.replica().act_as(Some(foreign)).unwrap_err();
    assert_eq!(refused.code(), "may.role");
}
