//! Noise on the boundary of two streets (scenario 2): three complaints become one dispute, two streets handle it, a
//! mediator works offline on two dates, and the rate counts the dispute once.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::case::payload::{Dispatch, KindStep, Partner, Share, Step};
use onegrid_core::domain::case::{Deadlines, Event, Part, Party};
use onegrid_core::domain::content::{Content, Details, Field, FieldValue};
use onegrid_core::domain::kinds::dispute::{
    AGREE, AGREEMENT, COMBINE, COMBINED_INTO, CONCLUDE, Counted, Dispute, KEPT, LINKS, REVISIT,
    SESSION, SPEC, resolution,
};
use onegrid_core::domain::steps::StepSpec;
use onegrid_core::domain::{Audience, Source, Text};
use onegrid_core::id::RecordId;
use onegrid_core::replica::{Draft, ReplicaError};
use onegrid_server::rules::Rules;
use onegrid_tests::town::{DAY_MS, Extent, GRID, Phone, STREET, Town, VILLAGE};

const OTHER_STREET: &str = "330105012000";

fn step(step: &StepSpec, words: &str) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason: (*step == REVISIT).then_some(KEPT.code),
        attachments: Vec::new(),
        note: Some(Text::new(words).unwrap()),
    })
}

fn noise(town: &Town, title: &str, named: &mut Phone) -> Draft {
    Draft {
        content: Content::from(Dispute {
            details: Details {
                title: Some(title.into()),
                ..Details::default()
            },
            dispute_type: Some(5),
            level: Some(2),
            parties: Some("桥下住户与广场舞队".into()),
            ..Dispute::default()
        }),
        home: town.places.path(GRID),
        audience: Audience::Staff,
        team: None,
        source: Source::Member,
        named: vec![named.replica().own_member().unwrap()],
        linked: None,
        attachments: Vec::new(),
    }
}

fn assign(phone: &mut Phone, to: &mut Phone, record: RecordId, part: Part, now_ms: i64) {
    let member = to.replica().own_member().unwrap();
    let dispatch = Event::Dispatch(Dispatch {
        to: Party::Member(member),
        part,
        deadlines: Deadlines {
            resolve_by_ms: Some(now_ms + 30 * DAY_MS),
            ..Deadlines::default()
        },
        rule: None,
        note: None,
    });
    phone
        .replica()
        .act(record, &dispatch, None, now_ms)
        .unwrap();
}

fn stage(phone: &mut Phone, record: RecordId) -> &'static str {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    loaded.state().unwrap().stage_name()
}

fn counted(phone: &mut Phone, record: RecordId) -> Counted {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    let state = loaded.state().unwrap();
    let step = Counted::combination_of(state);
    let seen = step.and_then(|step| loaded.content_seen_by(&SPEC, step));
    Counted::of(record, state, seen.as_ref()).unwrap()
}

fn refused(result: Result<onegrid_core::id::EnvelopeId, ReplicaError>) -> &'static str {
    match result {
        Err(ReplicaError::NotAllowed(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story")]
fn three_complaints_become_one_dispute_and_count_once() {
    let mut town = Town::with(11, Extent::TwoStreets, Rules::none());
    let mut worker = town.enrol("worker", "grid_worker", GRID, "");
    let mut dancer = town.enrol("dancer", "mediator", VILLAGE, "");
    let mut mediator = town.enrol("mediator", "mediator", VILLAGE, "");
    let mut leader = town.enrol("leader", "village_lead", VILLAGE, "");
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut beyond = town.enrol("beyond", "dispatcher", OTHER_STREET, "");
    // Offline, the worker registers a dispute for each of two complaints, and a third one from a call.
    let titles = ["桥下噪声（1）", "桥下噪声（2）", "110 分流：噪声"];
    let records: Vec<RecordId> = titles
        .iter()
        .map(|title| {
            let draft = noise(&town, title, &mut dancer);
            worker.replica().report(&draft, town.now_ms).unwrap()
        })
        .collect();
    town.pass(DAY_MS);
    worker.sync(&mut town);
    room.sync(&mut town);
    let (first, others) = (records[0], &records[1..]);
    let now = town.now_ms;
    for other in others {
        let into = FieldEdit::text(Field::Own(&COMBINED_INTO), first.to_string());
        room.replica().edit(*other, &[into], now).unwrap();
        let combined = step(&COMBINE, "同一件事");
        room.replica().act(*other, &combined, None, now).unwrap();
    }
    let links = others.iter().map(ToString::to_string).collect::<Vec<_>>();
    let links = FieldEdit::text(Field::Own(&LINKS), links.join(" "));
    room.replica().edit(first, &[links], now).unwrap();
    // The other street supports. A party of the dispute becomes no mediator of it.
    let area = Event::Share(Share {
        with: Partner::Area(town.places.path(OTHER_STREET)),
        deadlines: Deadlines::default(),
        note: None,
    });
    room.replica().act(first, &area, None, now).unwrap();
    let party = Event::Dispatch(Dispatch {
        to: Party::Member(dancer.replica().own_member().unwrap()),
        part: Part::Support,
        deadlines: Deadlines::default(),
        rule: None,
        note: None,
    });
    let code = refused(room.replica().act(first, &party, None, now));
    assert_eq!(code, "may.concerned");
    assign(&mut room, &mut leader, first, Part::Lead, now);
    assign(&mut room, &mut mediator, first, Part::Support, now);
    for phone in [
        &mut room,
        &mut beyond,
        &mut mediator,
        &mut leader,
        &mut dancer,
    ] {
        phone.sync(&mut town);
    }
    assert_eq!(
        stage(&mut beyond, first),
        "registered",
        "the other street reads it"
    );
    mediate(&mut town, first, (&mut mediator, &mut leader, &mut dancer));
    for phone in [&mut room, &mut worker, &mut beyond] {
        phone.sync(&mut town);
        assert_eq!(stage(phone, first), "revisited");
    }
    let loaded = worker.replica().load(first).unwrap().unwrap();
    let read = Dispute::of(&loaded.document().unwrap().content(&SPEC)).unwrap();
    assert_eq!(read.links, others);
    assert_eq!(
        read.agreement.as_deref(),
        Some("音量不超过 55 分贝，晚八点收场")
    );
    assert_eq!(
        read.amount_fen,
        Some(0),
        "the edit of the leader is there too"
    );
    let all: Vec<Counted> = records.iter().map(|id| counted(&mut worker, *id)).collect();
    let rate = resolution(&all, &town.places.path(STREET));
    assert_eq!(
        (rate.registered, rate.resolved, rate.tenths()),
        (1, 1, Some(1_000))
    );
    let beyond = resolution(&all, &town.places.path(OTHER_STREET));
    assert_eq!(
        beyond.registered, 0,
        "it supports and has no dispute of its own"
    );
}

/// Two sessions on two dates and the agreement, offline, while the leader edits too; then the leader ends it.
fn mediate(
    town: &mut Town,
    record: RecordId,
    (mediator, leader, dancer): (&mut Phone, &mut Phone, &mut Phone),
) {
    let loaded = mediator.replica().load(record).unwrap().unwrap();
    let own = mediator.replica().own_member().unwrap();
    let assignments = loaded.state().unwrap().assignments().to_vec();
    let assignment = assignments.iter().find(|one| one.to == Party::Member(own));
    let accept = Event::Accept(Step {
        assignment: assignment.unwrap().id,
        attachments: Vec::new(),
        note: None,
    });
    let now = town.now_ms;
    mediator.replica().act(record, &accept, None, now).unwrap();
    for words in ["双方到场", "商定音量"] {
        let now = town.now_ms;
        let session = step(&SESSION, words);
        mediator.replica().act(record, &session, None, now).unwrap();
        town.pass(2 * DAY_MS);
    }
    let now = town.now_ms;
    let agreement = FieldEdit::text(Field::Own(&AGREEMENT), "音量不超过 55 分贝，晚八点收场");
    mediator.replica().edit(record, &[agreement], now).unwrap();
    mediator
        .replica()
        .act(record, &step(&AGREE, "双方签字"), None, now)
        .unwrap();
    let code = refused(
        dancer
            .replica()
            .act(record, &step(&SESSION, "我也谈"), None, now),
    );
    assert!(
        ["may.not_assigned", "may.concerned"].contains(&code),
        "{code}"
    );
    let amount = FieldEdit::set(
        Field::Own(&onegrid_core::domain::kinds::dispute::AMOUNT_FEN),
        FieldValue::Number(0),
    );
    leader.replica().edit(record, &[amount], now).unwrap();
    for phone in [&mut *mediator, &mut *leader] {
        phone.sync(town);
    }
    assert_eq!(stage(leader, record), "agreed");
    let state = leader.replica().load(record).unwrap().unwrap();
    let entries = state.state().unwrap().steps().unwrap().entries.len();
    assert_eq!(entries, 3, "two sessions and the agreement");
    let now = town.now_ms;
    leader
        .replica()
        .act(record, &step(&CONCLUDE, "已履行"), None, now)
        .unwrap();
    town.pass(7 * DAY_MS);
    let now = town.now_ms;
    leader
        .replica()
        .act(record, &step(&REVISIT, "无反复"), None, now)
        .unwrap();
    leader.sync(town);
}
