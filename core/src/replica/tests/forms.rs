//! Visits: a week without a network, two people on one visit, findings, due dates and lists.

use super::directory::publish_person;
use super::meeting::meet;
use super::server::Server;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::payload::HandledOnSpot;
use crate::domain::case::{Event, MoveInput};
use crate::domain::content::{Field, FieldValue};
use crate::domain::directory::DirectoryEntry;
use crate::domain::form::{
    Answer, AnswerKey, Decimal, ItemId, Template, TemplateEntry, TemplateId, shipped,
};
use crate::domain::kinds::visit::{CANCEL, FINISH, FINISHED, JOIN, NOT_MET_STEP, START};
use crate::domain::kinds::{FormStanding, hazard as hazards, note, place, visit};
use crate::domain::steps::StepSpec;
use crate::domain::{Audience, RecordKind};
use crate::id::RecordId;
use crate::limits::{FORM_ROWS_MAX, LIST_ROWS_MAX, MERGES_FOLLOWED_MAX, REBUILD_SLICE_ROWS};
use crate::replica::table::form;
use crate::texts::Lang;

const DAY: i64 = 86_400_000;

/// A check of a shop that is due again after 7 days.
fn shop(version: u32, interval_days: u16) -> Template {
    let json = format!(
        r#"{{"format":1,"id":"shop","version":{version},"title":{{"zh":"店铺检查","en":"Shop check"}},
            "next_visit":{{"days":{interval_days}}},"lists":[{{"id":"state","choices":[
            {{"id":"good","label":{{"zh":"完好","en":"Good"}}}},
            {{"id":"bad","label":{{"zh":"损坏","en":"Broken"}}}}]}}],
            "items":[{{"type":"yes_no","id":"valve",
            "label":{{"zh":"阀门关了吗？","en":"Valve closed?"}},"required":"true()"}},
            {{"type":"one","id":"hose",
            "label":{{"zh":"软管怎样？","en":"How is the hose?"}},"list":"state"}},
            {{"type":"date","id":"on",
            "label":{{"zh":"哪天？","en":"Which day?"}},"default":"today()"}},
            {{"type":"number","id":"count","label":{{"zh":"几瓶？","en":"How many?"}},"max":"9"}},
            {{"type":"repeat","id":"flats","label":{{"zh":"房间","en":"Flat"}},
            "items":[{{"type":"text","id":"tenant","label":{{"zh":"租户","en":"Tenant"}}}}]}}]}}"#
    );
    Template::parse(json.as_bytes()).unwrap()
}

fn publish(server: &mut Server<'_>, entry: impl Into<TemplateEntry>) {
    server.publish(&DirectoryEntry::Template(entry.into()));
}

fn template(id: &str) -> TemplateId {
    id.parse().unwrap()
}

fn key(question: &str) -> AnswerKey {
    AnswerKey::of(question.parse().unwrap())
}

fn named(title: &str) -> Subject {
    let position = Position::from_degrees(30.27, 120.16, Datum::Wgs84, Some(8), 0).unwrap();
    Subject::Named {
        title: title.into(),
        address: Some("武林路133号".into()),
        position: Some(StoredPosition::of(position)),
    }
}

fn plan(id: &str, title: &str, planned_ms: i64) -> FormDraft {
    FormDraft {
        kind: visit::KIND,
        template: template(id),
        home: home(),
        subject: Some(named(title)),
        planned_ms: Some(planned_ms),
        companions: Vec::new(),
        companion_names: None,
        audience: Audience::Staff,
        team: None,
        linked: None,
        note: None,
    }
}

fn planned(phone: &mut FilePhone, id: &str, title: &str, planned_ms: i64) -> RecordId {
    let draft = plan(id, title, planned_ms);
    phone.replica().plan_form(&draft, NOW).unwrap().form
}

fn step(
    phone: &mut FilePhone,
    record: RecordId,
    step: &StepSpec,
    now_ms: i64,
) -> Result<(), ReplicaError> {
    let input = MoveInput {
        reason: step.reasons.first().map(|reason| reason.name.to_owned()),
        text: step.needs_text.then(|| "改期".to_owned()),
        ..MoveInput::of_step(step)
    };
    phone.replica().make_move(record, &input, now_ms).map(drop)
}

fn answer(phone: &mut FilePhone, record: RecordId, question: &str, answer: Answer, now_ms: i64) {
    let edit = FormEdit::Set(key(question), answer);
    phone.replica().answer(record, &[edit], now_ms).unwrap();
}

/// A visit of a shop that is made at this time.
fn made(phone: &mut FilePhone, title: &str, at_ms: i64) -> RecordId {
    let draft = plan("shop", title, at_ms);
    let record = phone.replica().plan_form(&draft, at_ms).unwrap().form;
    finish(phone, record, at_ms);
    record
}

fn finish(phone: &mut FilePhone, record: RecordId, at_ms: i64) {
    step(phone, record, &START, at_ms).unwrap();
    answer(phone, record, "valve", Answer::YesNo(true), at_ms + 1);
    step(phone, record, &FINISH, at_ms + 2).unwrap();
}

fn page(phone: &mut FilePhone, record: RecordId) -> FormPage {
    phone.replica().form(record, NOW).unwrap().unwrap()
}

fn due(phone: &mut FilePhone, filter: &DueFilter) -> Vec<(RecordId, i64)> {
    let page = phone.replica().due_forms(filter, None, 50).unwrap();
    let due = |item: FormItem| (item.row.id, item.due_ms.unwrap());
    page.items.into_iter().map(due).collect()
}

/// All that lists show of visits, without the numbers of rows, which differ from phone to phone.
fn lists(phone: &mut FilePhone) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let replica = phone.replica();
    let everything = replica.due_forms(&DueFilter::default(), None, 200).unwrap();
    all.extend(everything.items.iter().map(|item| format!("{item:?}")));
    let counts = replica.form_counts((i64::MIN, i64::MAX)).unwrap();
    all.extend(counts.iter().map(|count| format!("{count:?}")));
    for row in replica.rows().unwrap() {
        let about = replica.forms_about(row.id, None, 200).unwrap().items;
        let mut about: Vec<String> = about.iter().map(|item| format!("{item:?}")).collect();
        about.sort();
        all.extend(about);
        let mut linked: Vec<String> = replica
            .linked(row.id)
            .unwrap()
            .iter()
            .map(|linked| format!("{linked:?}"))
            .collect();
        linked.sort();
        all.extend(linked);
    }
    all.sort();
    all
}

fn town_with_shop(town: &Deployment) -> Server<'_> {
    let mut server = Server::new(town);
    publish(&mut server, shop(1, 7));
    server
}

#[test]
fn visits_of_a_week_offline_are_kept_and_delivered() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let mut visits = Vec::new();
    for day in 0..7 {
        let at_ms = NOW + day * DAY;
        let record = planned(&mut worker, "shop", &format!("店 {day}"), at_ms);
        match day {
            5 => step(&mut worker, record, &NOT_MET_STEP, at_ms).unwrap(),
            6 => step(&mut worker, record, &CANCEL, at_ms).unwrap(),
            _ => finish(&mut worker, record, at_ms),
        }
        visits.push(record);
    }
    worker.crash();
    worker.reopen();
    let counts = worker.replica().form_counts((NOW, NOW + 8 * DAY)).unwrap();
    assert_eq!(counts.len(), 1);
    let own = &counts[0];
    assert_eq!(own.member, Some(GRID_WORKER_CHEN.member()));
    assert_eq!(
        (own.done, own.in_vain, own.called_off, own.planned),
        (5, 1, 1, 0)
    );
    let first = page(&mut worker, visits[0]);
    assert_eq!(first.duration_ms, Some(2));
    let row = first.row.as_ref().unwrap();
    assert_eq!(
        (row.standing, row.complete),
        (FormStanding::Done, Some(true))
    );
    assert_eq!(
        (row.planned_ms, row.begun_ms, row.ended_ms),
        (Some(NOW), Some(NOW), Some(NOW + 2))
    );
    server.time_ms = NOW + 10 * DAY;
    server.settle(&mut worker);
    let mut supervisor = town.phone(SUPERVISOR_TANG);
    server.settle(&mut supervisor);
    let as_own = |text: String| text.replace("mine: false", "mine: true");
    let there: Vec<String> = lists(&mut supervisor).into_iter().map(as_own).collect();
    assert_eq!(lists(&mut worker), there);
}

#[test]
fn finish_without_required_answers_names_the_questions() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    step(&mut worker, record, &START, NOW).unwrap();
    answer(
        &mut worker,
        record,
        "count",
        Answer::Number(decimal("12")),
        NOW + 1,
    );
    let before = worker.replica().undelivered().unwrap();
    let refused = step(&mut worker, record, &FINISH, NOW + 2).unwrap_err();
    assert_eq!(refused.code(), "form.incomplete");
    let ReplicaError::FormIncomplete(problems) = refused else {
        panic!("{refused:?}");
    };
    let named: Vec<(&str, &str)> = problems
        .iter()
        .map(|problem| (problem.item.as_str(), problem.code))
        .collect();
    assert_eq!(
        named,
        [("valve", "form.required"), ("count", "form.too_big")]
    );
    assert_eq!(problems[0].question.1, "Valve closed?");
    assert_eq!(worker.replica().undelivered().unwrap(), before);
    assert_eq!(page(&mut worker, record).row.unwrap().complete, Some(false));
    assert_eq!(
        page(&mut worker, record)
            .state()
            .unwrap()
            .progress()
            .required,
        1
    );
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn begin_fills_in_the_defaults_once() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW + 3 * DAY);
    let given = |page: &FormPage, question: &str| {
        let answers = page.answers.as_ref().unwrap();
        answers.get(&key(question)).map(Answer::to_text)
    };
    assert_eq!(given(&page(&mut worker, record), "on"), None);
    step(&mut worker, record, &START, NOW + 3 * DAY).unwrap();
    // 2025-10-09 is the day of NOW.
    assert_eq!(
        given(&page(&mut worker, record), "on").as_deref(),
        Some("2025-10-12")
    );
}

#[test]
fn unfit_answers_are_refused_and_nothing_is_written() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    let before = worker.replica().undelivered().unwrap();
    let row = worker.replica().row_id();
    let good = FormEdit::Set(key("valve"), Answer::YesNo(true));
    for (edit, code) in [
        (
            FormEdit::Set(key("valve"), Answer::Text("是".into())),
            "form.wrong_type",
        ),
        (
            FormEdit::Set(key("hose"), Answer::One("gone".into())),
            "form.unknown_choice",
        ),
        (
            FormEdit::Set(key("nothing"), Answer::YesNo(true)),
            "form.no_question",
        ),
        (
            FormEdit::Set(key("tenant"), Answer::Text("甲".into())),
            "form.no_question",
        ),
        (FormEdit::Clear(key("nothing")), "form.no_question"),
        (
            FormEdit::AddRow("valve".parse().unwrap(), row),
            "form.no_question",
        ),
    ] {
        let refused = worker.replica().answer(record, &[good.clone(), edit], NOW);
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let hazard = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let refused = worker.replica().answer(hazard, &[good], NOW).unwrap_err();
    assert_eq!(refused.code(), "form.no_form");
    assert_eq!(worker.replica().undelivered().unwrap(), before + 1);
    assert!(worker.replica().form(hazard, NOW).unwrap().is_none());
}

#[test]
fn rows_of_a_repeat_are_added_and_removed() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    let (first, second) = (worker.replica().row_id(), worker.replica().row_id());
    let flats: ItemId = "flats".parse().unwrap();
    let tenant = |row| AnswerKey::in_row("tenant".parse().unwrap(), row);
    let edits = [
        FormEdit::AddRow(flats.clone(), first),
        FormEdit::Set(tenant(first), Answer::Text("甲".into())),
    ];
    worker.replica().answer(record, &edits, NOW + 1).unwrap();
    let edits = [
        FormEdit::AddRow(flats.clone(), second),
        FormEdit::Set(tenant(second), Answer::Text("乙".into())),
        FormEdit::RemoveRow(flats, first),
    ];
    worker.replica().answer(record, &edits, NOW + 2).unwrap();
    let page = page(&mut worker, record);
    let state = page.state().unwrap();
    assert!(state.get("tenant", Some(second)).unwrap().answer.is_some());
    assert!(state.get("tenant", Some(first)).is_none());
    let story = worker
        .replica()
        .timeline(record, None, 50)
        .unwrap()
        .unwrap();
    let said: Vec<&str> = story
        .entries
        .iter()
        .map(|entry| entry.en.as_str())
        .collect();
    assert!(said[1].contains("“Tenant (removed row)”: 甲"), "{said:?}");
    assert!(said[2].contains("“Tenant (row 1)”: 乙"), "{said:?}");
    assert!(
        said[2].contains("“Flat (removed row)”: added → removed"),
        "{said:?}"
    );
}

#[test]
fn answers_of_two_people_conflict_in_the_words_of_the_question() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    for (person, name) in [(GRID_WORKER_CHEN, "张三"), (GRID_WORKER_LIN, "李四")] {
        publish_person(&mut server, person, Some(name));
    }
    let (mut one, mut two) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut one);
    let draft = FormDraft {
        companions: vec![GRID_WORKER_LIN.member()],
        ..plan("shop", "店", NOW)
    };
    let record = one.replica().plan_form(&draft, NOW).unwrap().form;
    server.settle(&mut one);
    server.settle(&mut two);
    answer(&mut one, record, "valve", Answer::YesNo(true), NOW + 1);
    answer(
        &mut one,
        record,
        "hose",
        Answer::One("good".into()),
        NOW + 2,
    );
    answer(&mut two, record, "hose", Answer::One("bad".into()), NOW + 3);
    answer(
        &mut two,
        record,
        "count",
        Answer::Number(decimal("2")),
        NOW + 4,
    );
    server.settle(&mut one);
    server.settle(&mut two);
    server.settle(&mut one);
    for phone in [&mut one, &mut two] {
        let view = phone.replica().view(record).unwrap().unwrap();
        assert_eq!(view.conflicts.len(), 1, "all other answers merge");
        let card = &view.conflicts[0];
        for (lang, words) in [
            (Lang::Zh, ["软管怎样？", "张三", "李四", "完好", "损坏"]),
            (
                Lang::En,
                ["How is the hose?", "张三", "李四", "Good", "Broken"],
            ),
        ] {
            for word in words {
                assert!(
                    card.sentence(lang).contains(word),
                    "{}",
                    card.sentence(lang)
                );
            }
            let sentence = card.sentence(lang);
            assert!(!sentence.contains("answer."), "{sentence}");
        }
    }
    let field = crate::domain::content::Field::Answer("hose".into());
    let value = FieldValue::Text("bad".into());
    one.replica()
        .settle(record, &field, value, NOW + 9)
        .unwrap();
    assert!(
        one.replica()
            .view(record)
            .unwrap()
            .unwrap()
            .conflicts
            .is_empty()
    );
}

#[test]
fn timeline_names_question_and_both_answers() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    publish_person(&mut server, GRID_WORKER_CHEN, Some("李女士"));
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    answer(&mut worker, record, "valve", Answer::YesNo(true), NOW + 1);
    answer(&mut worker, record, "valve", Answer::YesNo(false), NOW + 2);
    answer(
        &mut worker,
        record,
        "hose",
        Answer::One("bad".into()),
        NOW + 3,
    );
    let clear = [FormEdit::Clear(key("hose"))];
    worker.replica().answer(record, &clear, NOW + 4).unwrap();
    let story = worker
        .replica()
        .timeline(record, None, 50)
        .unwrap()
        .unwrap();
    let said: Vec<(String, String)> = story
        .entries
        .into_iter()
        .map(|entry| (entry.zh, entry.en))
        .collect();
    let expected = [
        (
            "李女士 回答：“阀门关了吗？”：是",
            "李女士 answered “Valve closed?”: yes",
        ),
        (
            "李女士 回答：“阀门关了吗？”：是 → 否",
            "李女士 answered “Valve closed?”: yes → no",
        ),
        (
            "李女士 回答：“软管怎样？”：损坏",
            "李女士 answered “How is the hose?”: Broken",
        ),
        (
            "李女士 回答：“软管怎样？”：损坏 → 未填",
            "李女士 answered “How is the hose?”: Broken → no answer",
        ),
    ];
    for ((zh, en), (expected_zh, expected_en)) in said[1..].iter().zip(expected) {
        assert_eq!((zh.as_str(), en.as_str()), (expected_zh, expected_en));
    }
}

#[test]
fn template_changed_in_mid_week_leaves_planned_visits_alone() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let old = planned(&mut worker, "shop", "旧店", NOW);
    publish(&mut server, shop(2, 30));
    server.sync(&mut worker);
    let new = planned(&mut worker, "shop", "新店", NOW);
    for (record, version, days) in [(old, 1, 7), (new, 2, 30)] {
        finish(&mut worker, record, NOW);
        let page = page(&mut worker, record);
        assert_eq!((page.version, page.read_only), (version, None));
        let next_ms = page.row.unwrap().next_due_ms.unwrap();
        assert_eq!(
            (next_ms - NOW) / DAY,
            days,
            "the interval of its own version"
        );
    }
}

#[test]
fn visit_of_a_newer_template_opens_for_reading() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut worker, mut colleague) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    answer(&mut worker, record, "valve", Answer::YesNo(true), NOW + 1);
    let newer = TemplateEntry::Newer {
        id: template("shop"),
        version: 1,
        bytes: br#"{"format":2}"#.to_vec(),
    };
    // The colleague's app is old: for it the same version is of a newer format.
    let mut other = Server::new(&town);
    publish(&mut other, newer);
    other.sync(&mut colleague);
    meet(&mut worker, &mut colleague).unwrap();
    let page = page(&mut colleague, record);
    assert_eq!(page.read_only, Some("form.newer_template"));
    assert!(page.template.is_none() && page.state().is_none());
    assert_eq!(page.stored, [("valve".to_owned(), "yes".to_owned())]);
    assert_eq!(page.row.unwrap().complete, None);
    let edit = [FormEdit::Set(key("valve"), Answer::YesNo(false))];
    let refused = colleague.replica().answer(record, &edit, NOW).unwrap_err();
    assert_eq!(refused.code(), "form.newer_template");
    let refused = step(&mut colleague, record, &FINISH, NOW + 2).unwrap_err();
    assert_eq!(refused.code(), "form.newer_template");
    let draft = plan("shop", "店", NOW);
    let refused = colleague.replica().plan_form(&draft, NOW).unwrap_err();
    assert_eq!(refused.code(), "form.newer_template");
    step(&mut colleague, record, &NOT_MET_STEP, NOW + 3).unwrap();
}

#[test]
fn visit_without_its_template_is_complete_once_it_arrives() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut worker, mut colleague) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut worker);
    let record = made(&mut worker, "店", NOW);
    meet(&mut worker, &mut colleague).unwrap();
    let page_before = page(&mut colleague, record);
    assert_eq!(page_before.read_only, Some("form.no_template"));
    assert_eq!(page_before.row.unwrap().next_due_ms, None);
    server.sync(&mut colleague);
    while colleague.replica().rebuild_slice().unwrap() > 0 {}
    let row = page(&mut colleague, record).row.unwrap();
    assert_eq!(row.complete, Some(true));
    assert_eq!(Some(&row), page(&mut worker, record).row.as_ref());
    assert_eq!(due(&mut colleague, &DueFilter::default()).len(), 1);
    // Now the template alone is new, and the visit is settled.
    server.settle(&mut colleague);
    publish(&mut server, shop(1, 9));
    server.sync(&mut colleague);
    while colleague.replica().rebuild_slice().unwrap() > 0 {}
    let later = page(&mut colleague, record).row.unwrap().next_due_ms;
    assert_eq!(later, row.next_due_ms.map(|due_ms| due_ms + 2 * DAY));
}

/// After a restore the server gives its whole directory again, to phones with many visits.
#[test]
fn template_given_again_makes_no_visit_anew() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let shipped = shipped()
        .into_iter()
        .find(|one| one.id().as_str() == "fire_lane");
    let shipped = shipped.unwrap();
    for n in 0..=REBUILD_SLICE_ROWS {
        planned(&mut worker, "shop", &format!("店 {n}"), NOW);
        planned(&mut worker, "fire_lane", &format!("通道 {n}"), NOW);
    }
    publish(&mut server, shop(1, 7));
    publish(&mut server, shipped);
    server.sync(&mut worker);
    assert_eq!(worker.replica().rebuilding().unwrap(), None);
    publish(&mut server, shop(1, 8));
    server.sync(&mut worker);
    assert!(worker.replica().rebuilding().unwrap().is_some());
}

#[test]
fn volunteer_uses_templates_for_volunteers_alone() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut volunteer = town.phone(VOLUNTEER_WANG);
    server.sync(&mut volunteer);
    let draft = plan("shop", "店", NOW);
    let refused = volunteer.replica().plan_form(&draft, NOW).unwrap_err();
    assert_eq!(refused.code(), "form.not_for_role");
    let care = volunteer
        .replica()
        .plan_form(&plan("care_visit", "王奶奶", NOW), NOW);
    let care = care.unwrap().form;
    assert_eq!(page(&mut volunteer, care).read_only, None);
    // A person with both roles signs as a grid worker.
    let roles = [VOLUNTEER_WANG, GRID_WORKER_LIN];
    let mut both = town.phone_with(GRID_WORKER_LIN, &roles);
    server.sync(&mut both);
    let record = both.replica().plan_form(&draft, NOW).unwrap().form;
    let loaded = both.replica().load(record).unwrap().unwrap();
    assert_eq!(loaded.nodes()[0].role(), Some(Role::GridWorker));
}

#[test]
fn supervisor_sees_the_visit_without_place_and_note() {
    let town = Deployment::new();
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let mut supervisor = town.phone(SUPERVISOR_TANG);
    let draft = FormDraft {
        note: Some("女儿电话在冰箱上".into()),
        ..plan("care_visit", "王奶奶", NOW)
    };
    let made = worker.replica().plan_form(&draft, NOW).unwrap();
    let (subject, note) = (made.subject.unwrap(), made.note.unwrap());
    step(&mut worker, made.form, &START, NOW).unwrap();
    let contact = Answer::One("nobody".into());
    answer(&mut worker, made.form, "contact", contact, NOW + 1);
    step(&mut worker, made.form, &NOT_MET_STEP, NOW + 2).unwrap();
    meet(&mut worker, &mut supervisor).unwrap();
    let seen = page(&mut supervisor, made.form);
    assert_eq!(seen.row.as_ref().unwrap().standing, FormStanding::InVain);
    assert!(seen.subject.is_none() && seen.linked.is_empty());
    for hidden in [subject, note] {
        assert!(supervisor.replica().row(hidden).unwrap().is_none());
    }
    let view = supervisor.replica().view(made.form).unwrap().unwrap();
    assert_eq!((view.row.title.as_str(), view.row.at), ("", None));
    let counts = supervisor.replica().form_counts((NOW, NOW + DAY)).unwrap();
    assert_eq!(counts[0].in_vain, 1);
    // The worker finds the place by its name and position.
    let own = page(&mut worker, made.form);
    assert_eq!(own.subject.unwrap().title, "王奶奶");
    assert_eq!(own.linked.len(), 2);
    let again = FormDraft {
        subject: Some(Subject::Record(subject)),
        ..plan("care_visit", "", NOW + DAY)
    };
    let second = worker.replica().plan_form(&again, NOW + 3).unwrap();
    assert_eq!(second.subject, None);
    let about = worker.replica().forms_about(subject, None, 50).unwrap();
    assert_eq!(about.items.len(), 2);
    assert_eq!(about.items[0].subject.0, "王奶奶");
    let near = DueFilter {
        near: Some(Near {
            lat_e7: 302_700_000,
            lon_e7: 1_201_600_000,
            radius_m: 100,
        }),
        ..DueFilter::default()
    };
    assert_eq!(due(&mut worker, &near), [(second.form, NOW + DAY)]);
    assert_eq!(due(&mut supervisor, &near), []);
}

#[test]
fn private_note_is_written_once_and_then_changed() {
    let town = Deployment::new();
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let form = planned(&mut worker, "care_visit", "王奶奶", NOW);
    let first = worker.replica().write_note(form, "一", &[], NOW).unwrap();
    let second = worker
        .replica()
        .write_note(form, "一二", &[], NOW + 1)
        .unwrap();
    assert_eq!(first, second);
    let view = worker.replica().view(first).unwrap().unwrap();
    assert_eq!(view.content.unwrap().details().description, "一二");
    assert_eq!(view.facts.audience, Audience::Restricted);
    assert_eq!(
        (view.facts.kind, view.facts.linked),
        (note::KIND, Some(form))
    );
}

#[test]
fn note_without_words_or_record_is_refused() {
    let mut worker = Deployment::new().phone(GRID_WORKER_CHEN);
    let form = planned(&mut worker, "care_visit", "王奶奶", NOW);
    let records = worker.replica().rows().unwrap().len();
    for blank in ["", " \n\u{3000}"] {
        let refused = worker.replica().write_note(form, blank, &[], NOW);
        assert!(matches!(
            refused,
            Err(ReplicaError::BadContent("form.no_words"))
        ));
    }
    let mut alone = Draft::staff(note::Note::default().into(), home());
    alone.audience = Audience::Restricted;
    let refused = worker.replica().report(&alone, NOW);
    assert!(matches!(
        refused,
        Err(ReplicaError::BadContent("form.note_alone"))
    ));
    assert_eq!(
        worker.replica().rows().unwrap().len(),
        records,
        "nothing was written"
    );
    alone.content.details_mut().title = Some("王奶奶".into());
    worker.replica().report(&alone, NOW).unwrap();
    let first = worker.replica().write_note(form, "一", &[], NOW).unwrap();
    let cleared = worker.replica().write_note(form, "", &[], NOW + 1).unwrap();
    assert_eq!(first, cleared, "words that exist may be cleared");
}

#[test]
fn finding_is_linked_both_ways_and_its_end_shows() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "老王小店", NOW);
    answer(
        &mut worker,
        record,
        "hose",
        Answer::One("bad".into()),
        NOW + 1,
    );
    let finding = Finding {
        question: Some(key("hose")),
        content: hazard("", "软管老化"),
        audience: Audience::Staff,
        team: None,
        lang: Lang::Zh,
    };
    let found = worker
        .replica()
        .report_finding(record, &finding, NOW + 2)
        .unwrap();
    let view = worker.replica().view(found).unwrap().unwrap();
    assert_eq!(view.facts.linked, Some(record));
    assert_eq!(view.row.title, "软管怎样？");
    assert_eq!(view.row.address, "武林路133号");
    assert_eq!(view.row.at, Some((302_700_000, 1_201_600_000)));
    assert_eq!(
        view.content.unwrap().details().description,
        "软管老化\n在“店铺检查”中发现：“软管怎样？”——损坏。"
    );
    let linked = |phone: &mut FilePhone, id| phone.replica().linked(id).unwrap();
    let from_visit = linked(&mut worker, record);
    assert_eq!(from_visit.len(), 1);
    assert_eq!(from_visit[0].row.id, found);
    assert_eq!(from_visit[0].direction, LinkDirection::From);
    let from_hazard = linked(&mut worker, found);
    assert_eq!(from_hazard[0].row.id, record);
    assert_eq!(from_hazard[0].direction, LinkDirection::To);
    let before = page(&mut worker, record).linked[0].row.stage;
    let mut photos = |n| {
        vec![
            worker
                .replica()
                .add_attachment(&photo(9, n), NOW)
                .unwrap()
                .id,
        ]
    };
    let handled = Event::HandledOnSpot(HandledOnSpot {
        before: photos(1),
        after: photos(2),
        note: None,
    });
    worker
        .replica()
        .act(found, &handled, None, NOW + 3)
        .unwrap();
    let stage = worker.replica().row(found).unwrap().unwrap().stage;
    let shown = &page(&mut worker, record).linked[0].row;
    assert_eq!(
        shown.stage, stage,
        "the page of the visit follows the hazard"
    );
    assert_ne!(stage, before);
}

/// A member cannot hide the finding of another person under a flood of own ones.
#[test]
fn own_finding_is_shown_among_a_flood() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "老王小店", NOW);
    let finding = Finding {
        question: None,
        content: hazard("软管老化", ""),
        audience: Audience::Staff,
        team: None,
        lang: Lang::Zh,
    };
    let own = worker
        .replica()
        .report_finding(record, &finding, NOW)
        .unwrap();
    server.sync(&mut worker);
    server.sync(&mut other);
    for n in 0..=LIST_ROWS_MAX {
        let at_ms = NOW + 1 + i64::try_from(n).unwrap();
        let made = other.replica().report_finding(record, &finding, at_ms);
        made.unwrap();
    }
    server.sync(&mut other);
    server.sync(&mut worker);
    let linked = worker.replica().linked(record).unwrap();
    assert_eq!(linked.len(), LIST_ROWS_MAX);
    assert_eq!(linked[0].row.id, own);
}

#[test]
fn finding_at_a_restricted_place_does_not_name_it() {
    let town = Deployment::new();
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let form = planned(&mut worker, "care_visit", "王奶奶", NOW);
    let finding = |audience| Finding {
        question: None,
        content: hazard("插座过载", ""),
        audience,
        team: None,
        lang: Lang::En,
    };
    let replica = worker.replica();
    let open = replica
        .report_finding(form, &finding(Audience::Staff), NOW + 1)
        .unwrap();
    let row = replica.row(open).unwrap().unwrap();
    assert_eq!((row.address.as_str(), row.at), ("", None));
    let closed = replica
        .report_finding(form, &finding(Audience::Restricted), NOW + 2)
        .unwrap();
    let row = replica.row(closed).unwrap().unwrap();
    assert_eq!(row.address, "武林路133号");
    let view = replica.view(open).unwrap().unwrap();
    let said = view.content.unwrap().details().description.clone();
    assert_eq!(said, "Found during “Care visit”.");
}

#[test]
fn follow_up_takes_the_place_of_its_case() {
    let town = Deployment::new();
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let content = at(hazard("煤气罐", ""), 30.27, 120.16);
    let case = worker
        .replica()
        .report(&Draft::staff(content, home()), NOW)
        .unwrap();
    let draft = FormDraft {
        subject: None,
        linked: Some(case),
        ..plan("case_follow_up", "", NOW + DAY)
    };
    let form = worker.replica().plan_form(&draft, NOW + 1).unwrap().form;
    let row = worker.replica().row(form).unwrap().unwrap();
    assert_eq!(
        (row.title.as_str(), row.at),
        ("煤气罐", Some((302_700_000, 1_201_600_000)))
    );
    let linked = worker.replica().linked(case).unwrap();
    assert!(
        linked
            .iter()
            .any(|one| one.row.id == form && one.link == LinkKind::MadeFor)
    );
    let nothing = FormDraft {
        subject: None,
        ..plan("case_follow_up", "", NOW)
    };
    let refused = worker.replica().plan_form(&nothing, NOW).unwrap_err();
    assert_eq!(refused.code(), "form.no_subject");
}

#[test]
fn next_due_moves_on_with_each_visit() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let all = DueFilter::default();
    let first = planned(&mut worker, "shop", "店", NOW + DAY);
    assert_eq!(due(&mut worker, &all), [(first, NOW + DAY)], "as planned");
    finish(&mut worker, first, NOW + DAY);
    let next = due(&mut worker, &all);
    assert_eq!(next.len(), 1);
    assert_eq!(
        (next[0].0, (next[0].1 - NOW) / DAY),
        (first, 8),
        "7 days after its end"
    );
    let in_vain = planned(&mut worker, "shop", "店", NOW + 8 * DAY);
    assert_eq!(
        due(&mut worker, &all),
        [(in_vain, NOW + 8 * DAY)],
        "an open one counts"
    );
    step(&mut worker, in_vain, &NOT_MET_STEP, NOW + 8 * DAY).unwrap();
    assert_eq!(
        due(&mut worker, &all),
        next,
        "a visit in vain leaves it as it was"
    );
    let again = made(&mut worker, "店", NOW + 9 * DAY);
    let moved = due(&mut worker, &all);
    assert_eq!((moved[0].0, (moved[0].1 - NOW) / DAY), (again, 16));
    // Another template at the same place has a date of its own.
    planned(&mut worker, "fire_lane", "店", NOW);
    assert_eq!(due(&mut worker, &all).len(), 2);
    let overdue = DueFilter {
        before_ms: NOW + 17 * DAY,
        in_my_areas: true,
        template: Some("shop".into()),
        ..DueFilter::default()
    };
    assert_eq!(due(&mut worker, &overdue), moved);
    let elsewhere = DueFilter {
        area: Some(area(9)),
        ..DueFilter::default()
    };
    assert_eq!(due(&mut worker, &elsewhere), []);
    let not_yet = DueFilter {
        before_ms: NOW,
        ..overdue
    };
    assert_eq!(due(&mut worker, &not_yet), []);
}

#[test]
fn lists_of_visits_come_in_pages() {
    type Pages<'a> = Box<dyn Fn(Option<&PageToken>) -> Page<FormItem> + 'a>;
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let mut visits = Vec::new();
    for n in 0..5_i32 {
        let position = Position::from_degrees(
            30.27 + f64::from(4 - n) / 10_000.0,
            120.16,
            Datum::Wgs84,
            Some(8),
            0,
        );
        let draft = FormDraft {
            subject: Some(Subject::Named {
                title: format!("店 {n}"),
                address: None,
                position: Some(StoredPosition::of(position.unwrap())),
            }),
            ..plan("shop", "", NOW + i64::from(n))
        };
        visits.push(worker.replica().plan_form(&draft, NOW).unwrap().form);
    }
    let near = DueFilter {
        near: Some(Near {
            lat_e7: 302_700_000,
            lon_e7: 1_201_600_000,
            radius_m: 40,
        }),
        ..DueFilter::default()
    };
    let replica = &*worker.replica();
    let day = (NOW, NOW + DAY);
    let by_date = DueFilter::default();
    let lists: [(Pages<'_>, Vec<RecordId>); 3] = [
        (
            Box::new(|after| replica.due_forms(&by_date, after, 2).unwrap()),
            visits.clone(),
        ),
        (
            Box::new(|after| replica.due_forms(&near, after, 2).unwrap()),
            visits.iter().rev().take(4).copied().collect(),
        ),
        (
            Box::new(|after| replica.planned_forms(day, None, after, 2).unwrap()),
            visits.clone(),
        ),
    ];
    for (list, expected) in lists {
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = list(next.as_ref());
            found.extend(page.items.iter().map(|item| item.row.id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
    let first = replica.due_forms(&near, None, 2).unwrap();
    assert_eq!(first.items[0].distance_m, Some(0));
    let refused = replica.planned_forms(day, None, first.next.as_ref(), 2);
    assert_eq!(refused.unwrap_err().code(), "list.bad_token");
    let of_other = replica.planned_forms(day, Some(MemberId([99; 16])), None, 2);
    assert_eq!(of_other.unwrap().items, []);
}

/// Forms at every distance from 0 to 800 metres, in pages smaller and larger than a circle holds.
#[test]
fn near_pages_leave_out_no_form_at_any_distance() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let mut visits = Vec::new();
    for n in 0..48_i32 {
        let lat = 30.27 + f64::from(n) * 0.000_157;
        let position = Position::from_degrees(lat, 120.16, Datum::Wgs84, Some(8), 0);
        let draft = FormDraft {
            subject: Some(Subject::Named {
                title: format!("店 {n}"),
                address: None,
                position: Some(StoredPosition::of(position.unwrap())),
            }),
            ..plan("shop", "", NOW)
        };
        visits.push(worker.replica().plan_form(&draft, NOW).unwrap().form);
    }
    let near = DueFilter {
        near: Some(Near {
            lat_e7: 302_700_000,
            lon_e7: 1_201_600_000,
            radius_m: 1_000,
        }),
        ..DueFilter::default()
    };
    for rows in [1, 5, 11, 48] {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = worker
                .replica()
                .due_forms(&near, next.as_ref(), rows)
                .unwrap();
            found.extend(page.items.iter().map(|item| item.row.id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, visits, "{rows}");
    }
}

#[test]
fn forms_of_a_merged_subject_belong_to_the_survivor() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut worker, mut head) = (town.phone(GRID_WORKER_CHEN), town.phone(STATION_HEAD_JIN));
    server.sync(&mut worker);
    let [kept, away] = ["煤气罐", "煤气瓶"].map(|title| {
        let content = at(hazard(title, ""), 30.27, 120.16);
        worker
            .replica()
            .report(&Draft::staff(content, home()), NOW)
            .unwrap()
    });
    let about = |subject, at_ms| FormDraft {
        subject: Some(Subject::Record(subject)),
        ..plan("shop", "", at_ms)
    };
    let mut visits = Vec::new();
    for (subject, at_ms) in [(kept, NOW + 1), (away, NOW + DAY)] {
        let form = worker
            .replica()
            .plan_form(&about(subject, at_ms), NOW)
            .unwrap()
            .form;
        finish(&mut worker, form, at_ms);
        visits.push(form);
    }
    assert_eq!(due(&mut worker, &DueFilter::default()).len(), 2);
    server.time_ms = NOW + 2 * DAY;
    server.settle(&mut worker);
    server.settle(&mut head);
    let merge = Event::Merge(crate::domain::case::payload::Merge {
        into: kept,
        note: None,
    });
    head.replica()
        .act(away, &merge, None, NOW + 2 * DAY)
        .unwrap();
    server.settle(&mut head);
    server.settle(&mut worker);
    for phone in [&mut worker, &mut head] {
        let at_kept = phone.replica().forms_about(kept, None, 50).unwrap().items;
        let ids: Vec<RecordId> = at_kept.iter().map(|item| item.row.id).collect();
        assert_eq!(ids, [visits[1], visits[0]]);
        let dates = due(phone, &DueFilter::default());
        assert_eq!(dates.len(), 1, "one subject has one date");
        assert_eq!(dates[0].0, visits[1]);
    }
    let before = worker.replica().undelivered().unwrap();
    let refused = worker
        .replica()
        .plan_form(&about(away, NOW), NOW)
        .unwrap_err();
    assert_eq!(refused.code(), "form.subject_merged");
    assert_eq!(worker.replica().undelivered().unwrap(), before);
    let shown = lists(&mut worker);
    worker.replica().rebuild().unwrap();
    assert_eq!(lists(&mut worker), shown);
}

#[test]
fn rebuilt_rows_of_visits_are_the_same() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    made(&mut worker, "店甲", NOW);
    made(&mut worker, "店甲", NOW + DAY);
    planned(&mut worker, "shop", "店乙", NOW + DAY);
    let form = planned(&mut worker, "care_visit", "王奶奶", NOW);
    worker.replica().write_note(form, "私", &[], NOW).unwrap();
    let finding = Finding {
        question: None,
        content: hazard("堵", ""),
        audience: Audience::Staff,
        team: None,
        lang: Lang::Zh,
    };
    worker
        .replica()
        .report_finding(form, &finding, NOW)
        .unwrap();
    for synced in [false, true] {
        if synced {
            server.time_ms = NOW + 3 * DAY;
            server.settle(&mut worker);
        }
        let shown = lists(&mut worker);
        assert!(shown.len() > 8, "{shown:#?}");
        worker.replica().rebuild().unwrap();
        assert_eq!(lists(&mut worker), shown);
    }
    let mut fresh = town.phone(GRID_WORKER_CHEN);
    server.load(&mut fresh);
    publish(&mut server, shop(1, 7));
    server.settle(&mut fresh);
    server.settle(&mut worker);
    while fresh.replica().rebuild_slice().unwrap() > 0 {}
    assert_eq!(
        lists(&mut fresh),
        lists(&mut worker),
        "as a first load makes them"
    );
}

#[test]
fn undelivered_visits_survive_a_rescue() {
    let town = Deployment::new();
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let form = planned(&mut worker, "fire_lane", "一号楼", NOW);
    let waiting = worker.replica().undelivered().unwrap();
    let shown = lists(&mut worker);
    worker.close();
    let (rescued, _) = Replica::rescue(worker.options(), NOW).unwrap();
    worker.replica = Some(rescued);
    assert_eq!(worker.replica().undelivered().unwrap(), waiting);
    assert_eq!(page(&mut worker, form).read_only, None);
    assert_eq!(lists(&mut worker), shown);
}

#[test]
fn withdrawn_visit_leaves_no_due_date() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut worker, mut colleague) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut worker);
    let record = made(&mut worker, "店", NOW);
    server.time_ms = NOW + DAY;
    server.settle(&mut worker);
    server.settle(&mut colleague);
    assert_eq!(due(&mut colleague, &DueFilter::default()).len(), 1);
    server.feed.push(super::server::Entry::Withdraw(record));
    server.settle(&mut colleague);
    assert_eq!(due(&mut colleague, &DueFilter::default()), []);
    assert_eq!(colleague.replica().form_counts((0, i64::MAX)).unwrap(), []);
}

#[test]
fn form_spec_of_a_kind_names_its_own_parts() {
    for spec in crate::domain::kinds::KINDS {
        let Some(form) = spec.form else { continue };
        for field in form.fields() {
            assert!(spec.fields.contains(field), "{}", field.name);
        }
        assert_eq!(form.standing(FINISHED), FormStanding::Done);
        assert!(form.subject_kind.is_known() && form.note_kind.is_known());
        let restricted = |kind: RecordKind| kind.spec().unwrap().audience;
        assert_ne!(restricted(form.note_kind), Some(Audience::Staff));
    }
    assert!(hazards::SPEC.form.is_none() && place::SPEC.form.is_none());
}

/// A plan that nobody carries out would hide a person whom somebody has to visit.
#[test]
fn open_visit_never_puts_off_due_date() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    made(&mut worker, "店", NOW);
    let all = DueFilter::default();
    let before = due(&mut worker, &all);
    assert_eq!(before.len(), 1);
    for planned_ms in [None, Some(NOW + 5_000 * DAY), Some(i64::MAX)] {
        let draft = FormDraft {
            planned_ms,
            ..plan("shop", "店", NOW)
        };
        worker.replica().plan_form(&draft, NOW).unwrap();
        assert_eq!(due(&mut worker, &all), before, "{planned_ms:?}");
    }
    let sooner = planned(&mut worker, "shop", "店", NOW + DAY);
    assert_eq!(due(&mut worker, &all), [(sooner, NOW + DAY)]);
}

/// Each visitor may write the content. Another template would close the visit for all of them.
#[test]
fn visit_keeps_template_that_an_edit_replaces() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    let edits = [
        FieldEdit::text(Field::Own(&visit::TEMPLATE), "elsewhere"),
        FieldEdit::set(Field::Own(&visit::TEMPLATE_VERSION), FieldValue::Number(77)),
    ];
    worker.replica().edit(record, &edits, NOW).unwrap();
    let shown = page(&mut worker, record);
    assert_eq!((shown.id.as_str(), shown.version), ("shop", 1));
    assert_eq!(shown.read_only, None);
    finish(&mut worker, record, NOW + 1);
}

/// A record that has many duplicates is itself merged: the forms of all of them move along, as in rebuilt rows.
#[test]
fn forms_of_many_duplicates_follow_a_second_merger() {
    const DUPLICATES: usize = MERGES_FOLLOWED_MAX + 2;
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut head = town.phone(STATION_HEAD_JIN);
    server.sync(&mut head);
    let report = |phone: &mut FilePhone, title: &str| {
        let content = at(hazard(title, ""), 30.27, 120.16);
        let draft = Draft::staff(content, home());
        phone.replica().report(&draft, NOW).unwrap()
    };
    let (last, kept) = (report(&mut head, "末"), report(&mut head, "中"));
    let mut duplicates = Vec::new();
    for at_ms in NOW..NOW + i64::try_from(DUPLICATES).unwrap() {
        let duplicate = report(&mut head, "重");
        let draft = FormDraft {
            subject: Some(Subject::Record(duplicate)),
            ..plan("shop", "", at_ms)
        };
        head.replica().plan_form(&draft, NOW).unwrap();
        duplicates.push((duplicate, kept));
    }
    duplicates.push((kept, last));
    for (from, into) in duplicates {
        let merge = Event::Merge(crate::domain::case::payload::Merge { into, note: None });
        head.replica().act(from, &merge, None, NOW + DAY).unwrap();
    }
    let about = |phone: &mut FilePhone| phone.replica().forms_about(last, None, 50).unwrap().items;
    assert_eq!(about(&mut head).len(), DUPLICATES);
    assert_eq!(due(&mut head, &DueFilter::default()).len(), 1);
    let shown = lists(&mut head);
    head.replica().rebuild().unwrap();
    assert_eq!(lists(&mut head), shown);
}

/// More people read a finding for all staff than the restricted visit that it comes from.
#[test]
fn open_finding_of_restricted_visit_hides_answer() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let draft = FormDraft {
        audience: Audience::Restricted,
        ..plan("shop", "店", NOW)
    };
    let form = worker.replica().plan_form(&draft, NOW).unwrap().form;
    answer(
        &mut worker,
        form,
        "count",
        Answer::Number(decimal("7")),
        NOW,
    );
    for (audience, quotes) in [(Audience::Staff, false), (Audience::Restricted, true)] {
        let finding = Finding {
            question: Some(key("count")),
            content: hazard("瓶子太多", ""),
            audience,
            team: None,
            lang: Lang::Zh,
        };
        let found = worker
            .replica()
            .report_finding(form, &finding, NOW)
            .unwrap();
        let view = worker.replica().view(found).unwrap().unwrap();
        let content = view.content.unwrap();
        let details = content.details();
        assert_eq!(details.description.contains('7'), quotes, "{audience:?}");
        assert_eq!(details.address.is_some(), quotes);
    }
}

/// Another participant adds more rows than count, all with earlier marks. The rows of both people
/// count in turns, and the visit can end.
#[test]
fn flood_of_rows_pushes_out_only_its_own() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut ann, mut bo) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut ann);
    let shared = FormDraft {
        companions: vec![GRID_WORKER_LIN.member()],
        ..plan("shop", "店", NOW)
    };
    let record = ann.replica().plan_form(&shared, NOW).unwrap().form;
    server.settle(&mut ann);
    server.settle(&mut bo);
    let mark = |n: usize| FieldEdit::text(Field::Answer(format!("flats-{n:016x}")), "1");
    let flood: Vec<FieldEdit> = (1..=FORM_ROWS_MAX + 1).map(mark).collect();
    bo.replica().edit(record, &flood, NOW + 1).unwrap();
    server.settle(&mut bo);
    server.settle(&mut ann);
    let row = ann.replica().row_id();
    let edits = [
        FormEdit::AddRow("flats".parse().unwrap(), row),
        FormEdit::Set(
            AnswerKey::in_row("tenant".parse().unwrap(), row),
            Answer::Text("甲".into()),
        ),
    ];
    ann.replica().answer(record, &edits, NOW + 2).unwrap();
    server.settle(&mut ann);
    server.settle(&mut bo);
    for phone in [&mut ann, &mut bo] {
        let page = page(phone, record);
        let state = page.state().unwrap();
        let rows = state
            .items()
            .iter()
            .filter(|item| item.item.id.as_str() == "tenant");
        assert_eq!(rows.count(), FORM_ROWS_MAX);
        assert!(state.get("tenant", Some(row)).unwrap().answer.is_some());
        let problem = state.get("flats", None).unwrap().problem.clone();
        assert_eq!(problem.unwrap().code(), "form.too_many_rows");
    }
    finish(&mut ann, record, NOW + 3);
    assert_eq!(page(&mut ann, record).row.unwrap().complete, Some(true));
}

#[test]
fn phone_adds_no_more_rows_than_count() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    let record = planned(&mut worker, "shop", "店", NOW);
    let add = |worker: &mut FilePhone| {
        let row = worker.replica().row_id();
        FormEdit::AddRow("flats".parse().unwrap(), row)
    };
    let full: Vec<FormEdit> = (0..FORM_ROWS_MAX).map(|_| add(&mut worker)).collect();
    worker.replica().answer(record, &full, NOW + 1).unwrap();
    let surplus = [add(&mut worker)];
    let refused = worker.replica().answer(record, &surplus, NOW + 2);
    assert_eq!(refused.unwrap_err().code(), "form.row_limit");
    let FormEdit::AddRow(repeat, first) = full[0].clone() else {
        unreachable!()
    };
    let removed = [FormEdit::RemoveRow(repeat, first)];
    worker.replica().answer(record, &removed, NOW + 3).unwrap();
    worker.replica().answer(record, &surplus, NOW + 4).unwrap();
}

/// A person who joins writes on a visit that another person began, and the lists go on naming that
/// person.
#[test]
fn person_who_joins_answers_and_takes_nothing_over() {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let (mut ann, mut bo) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    server.sync(&mut ann);
    let record = planned(&mut ann, "shop", "店", NOW);
    step(&mut ann, record, &START, NOW + 1).unwrap();
    server.settle(&mut ann);
    server.settle(&mut bo);
    assert_eq!(page(&mut bo, record).read_only, Some("may.not_own"));
    step(&mut bo, record, &JOIN, NOW + 2).unwrap();
    answer(&mut bo, record, "valve", Answer::YesNo(true), NOW + 3);
    server.settle(&mut bo);
    server.settle(&mut ann);
    let shown = page(&mut ann, record);
    let row = shown.row.unwrap();
    assert_eq!(
        (row.begun_ms, row.member),
        (Some(NOW + 1), Some(GRID_WORKER_CHEN.member()))
    );
    step(&mut ann, record, &FINISH, NOW + 4).unwrap();
    let story = bo.replica().timeline(record, None, 50).unwrap().unwrap();
    let joined = story
        .entries
        .iter()
        .filter(|entry| entry.zh.ends_with("加入走访"));
    assert_eq!(joined.count(), 1);
}

/// Returns the work of the database for one more visit of a place, in its own steps.
fn work_of_one_visit(visits_before: i64) -> i32 {
    let town = Deployment::new();
    let mut server = town_with_shop(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut worker);
    for n in 0..visits_before {
        planned(&mut worker, "shop", "老王小店", NOW + n % 3);
        made(&mut worker, "老王小店", NOW + n % 3);
    }
    let steps = |worker: &mut FilePhone| -> i32 {
        let conn = worker.replica().conn().unwrap();
        let of = |sql: &str| {
            let query = conn.prepare_cached(sql).unwrap();
            query.get_status(rusqlite::StatementStatus::VmStep)
        };
        of(form::PLANNED_FIRST) + of(form::DONE_LAST)
    };
    let before = steps(&mut worker);
    made(&mut worker, "老王小店", NOW + 9);
    steps(&mut worker) - before
}

#[test]
fn due_date_of_a_crowded_place_costs_no_more() {
    let (few, many) = (work_of_one_visit(2), work_of_one_visit(60));
    assert!(few > 0 && many <= few + few / 4, "{few} {many}");
}
