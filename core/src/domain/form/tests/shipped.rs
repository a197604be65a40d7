//! The shipped templates and the task list.

use std::collections::BTreeSet;

use super::support::today;
use crate::domain::content::FieldValue;
use crate::domain::form::{Answers, Template, evaluate, shipped, shipped_task_list, task_name};
use crate::texts::Lang;

#[test]
fn every_shipped_template_is_sound_and_bilingual() {
    let mut ids = BTreeSet::new();
    for template in shipped() {
        assert!(ids.insert(template.id().clone()), "{} twice", template.id());
        let questions = template
            .items()
            .iter()
            .filter(|item| item.kind.is_question());
        let count = questions.count();
        assert!(
            (8..=30).contains(&count),
            "{}: {count} questions",
            template.id()
        );
        let labels = template.items().iter().map(|item| &item.label);
        let choices = template.lists().flat_map(|(_, choices)| choices);
        for words in labels.chain(choices.map(|choice| &choice.label)) {
            assert!(words.en.is_some(), "{}: {}", template.id(), words.zh);
        }
        let again = Template::parse(&template.to_bytes()).unwrap();
        assert_eq!(again.hash(), template.hash());
        let empty = Answers::new(template.id().clone(), template.version());
        let state = evaluate(&template, &empty, today()).unwrap();
        assert!(!state.is_complete(), "an empty visit is not done");
    }
    assert_eq!(ids.len(), 7);
}

#[test]
fn a_care_visit_without_answer_asks_for_danger_signs() {
    let template = shipped().remove(0);
    assert!(template.has_restricted_place() && template.is_for_volunteers());
    let fields = [
        ("contact", "nobody"),
        ("neighbour_asked", "no"),
        ("danger_sign", "yes"),
        ("mood", "good"),
    ]
    .map(|(key, text)| (key, FieldValue::Text(text.to_owned())));
    let fields = fields.iter().map(|(key, value)| (*key, value));
    let answers = Answers::read(&template, 1, fields);
    let state = evaluate(&template, &answers, today()).unwrap();
    assert!(state.get("call_now", None).unwrap().relevant);
    assert!(!state.get("mood", None).unwrap().relevant);
    assert!(state.is_complete());
}

#[test]
fn the_task_list_has_ids_alone_until_the_town_fills_it_in() {
    let list = shipped_task_list();
    let counts = (
        list.classes().len(),
        list.items().count(),
        list.clauses().count(),
    );
    assert_eq!(counts, (6, 18, 73));
    assert!(list.clauses().all(|clause| clause.name.is_none()));
    let clause = list.clauses().next().unwrap();
    assert_eq!(
        task_name(&clause.id, None, Lang::Zh),
        "c1-i1-1（由镇街填写）"
    );
}
