//! A grid worker's phone with 10,000 hazards and 10,000 visits: the bytes of a visit of 30 questions, and
//! the waiting times of a person.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use onegrid_core::domain::case::MoveInput;
use onegrid_core::domain::content::StoredPosition;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::form::{Answer, AnswerKey, Template, TemplateId};
use onegrid_core::domain::kinds::visit;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::domain::steps::StepSpec;
use onegrid_core::domain::{AreaPath, Audience};
use onegrid_core::id::RecordId;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{DueFilter, Filter, FormDraft, FormEdit, Near, Replica, Subject};

use super::alone;
use super::deployment::{Deployment, MemberLine};
use super::people::{enrol, sync_counted, wait};
use super::recipe::{VILLAGE_10, VILLAGE_GRID};
use super::table::Table;
use super::wire::Wire;
use super::{figures, process};
use crate::histories;

const BENCH: &str = "a phone with 10,000 hazards and 10,000 visits";
/// Visits in all.
const VISITS: usize = 10_000;
/// Visits of one upload.
const BATCH: usize = 100;
/// Questions of one visit.
const QUESTIONS: usize = 30;
/// Shops of the village. Each is visited several times.
const SHOPS: usize = 2_500;
const TEMPLATE: &str = "bench_check";
const DAY_MS: i64 = 86_400_000;
/// The middle of the shops, 1e-7 degrees WGS-84.
const CENTRE_E7: (i32, i32) = (302_740_000, 1_201_550_000);

/// The most bytes of one visit, uploaded and in a first load.
const VISIT_BYTES_MAX: f64 = 600.0;
const OPEN_MS_MAX: f64 = 30.0;
const LIST_MS_MAX: f64 = 10.0;
const SAVE_MS_MAX: f64 = 25.0;
const PEAK_MB_MAX: f64 = 50.0;

pub(super) fn measure(table: &mut Table) {
    eprintln!("visits");
    let deployment = Deployment::of(&VILLAGE_10);
    let people = ["bench-visits", "bench-visits-fresh"]
        .map(|name| MemberLine::new(name, "grid_worker", VILLAGE_GRID));
    let codes = deployment.invite(&people);
    let entry = DirectoryEntry::Template(template().into());
    let office = deployment.office();
    office.publish(vec![entry], "bench", now_ms()).unwrap();
    let serving = deployment.serve();
    let wire = Wire::to(&serving.url);
    let (folder, signer) = wait(async {
        let phone = enrol(&wire, &codes[0]).await;
        let (_, before) = sync_counted(&wire, &phone).await;
        for batch in 0..VISITS / BATCH {
            for n in 0..BATCH {
                make(&mut phone.replica(), batch * BATCH + n);
            }
            let (_, bytes) = sync_counted(&wire, &phone).await;
            if batch == 1 {
                let name = format!("a visit of {QUESTIONS} questions, uploaded with {BATCH}");
                let each = bytes.up as f64 / BATCH as f64;
                table.budget(BENCH, &name, each, "B", VISIT_BYTES_MAX);
            }
        }
        let fresh = enrol(&wire, &codes[1]).await;
        let (_, after) = sync_counted(&wire, &fresh).await;
        let name = format!("a visit of {QUESTIONS} questions, in a first load");
        let each = (after.down - before.down) as f64 / VISITS as f64;
        table.budget(BENCH, &name, each, "B", VISIT_BYTES_MAX);
        fresh.put_away()
    });
    drop(serving);
    alone::run(table, BENCH, "visits-child", (folder.path(), &signer));
}

/// Runs in the other process and prints its figures.
pub fn child(folder: &Path) {
    let options = alone::options(folder);
    alone::opening("open", &options, OPEN_MS_MAX);
    let mut replica = Replica::open(options()).unwrap();
    let records = replica.count(&Filter::default()).unwrap();
    figures::say("records", records as f64, "records", None);
    reading(&replica);
    saving(&mut replica);
    figures::say("peak memory", process::peak_mb(), "MB", Some(PEAK_MB_MAX));
}

fn reading(replica: &Replica) {
    let near = DueFilter {
        near: Some(Near {
            lat_e7: CENTRE_E7.0,
            lon_e7: CENTRE_E7.1,
            radius_m: 500,
        }),
        ..DueFilter::default()
    };
    let overdue = DueFilter {
        before_ms: now_ms() + 90 * DAY_MS,
        in_my_areas: true,
        ..DueFilter::default()
    };
    let due = replica.due_forms(&near, None, 50).unwrap().items;
    assert_eq!(due.len(), 50, "shops are near");
    let day = (now_ms() - DAY_MS, now_ms() + DAY_MS);
    let visited = due[0].row.id;
    timed("due near me, 50", || {
        drop(replica.due_forms(&near, None, 50).unwrap());
    });
    timed("due in my areas, 50", || {
        drop(replica.due_forms(&overdue, None, 50).unwrap());
    });
    timed("planned for a day, 50", || {
        drop(replica.planned_forms(day, None, None, 50).unwrap());
    });
    timed("visits of a place, 50", || {
        drop(replica.forms_about(visited, None, 50).unwrap());
    });
    timed("counts by person", || {
        drop(replica.form_counts(day).unwrap());
    });
}

/// Saves all answers of a visit at once.
fn saving(replica: &mut Replica) {
    let mut samples = Vec::new();
    for n in 0..200 {
        let record = plan(replica, VISITS + n);
        let answers = answers(n);
        let start = Instant::now();
        replica.answer(record, &answers, now_ms()).unwrap();
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let name = format!("save of {QUESTIONS} answers");
    alone::say(&name, &mut samples, None, Some(SAVE_MS_MAX));
}

/// A visit from its plan to its end.
fn make(replica: &mut Replica, n: usize) {
    let record = plan(replica, n);
    step(replica, record, &visit::START);
    replica.answer(record, &answers(n), now_ms()).unwrap();
    step(replica, record, &visit::FINISH);
}

fn plan(replica: &mut Replica, n: usize) -> RecordId {
    let shop = n % SHOPS;
    let offset = |n: usize| i32::try_from(n).unwrap() * 2_000 - 50_000;
    let (lat, lon) = (
        CENTRE_E7.0 + offset(shop / 50),
        CENTRE_E7.1 + offset(shop % 50),
    );
    let position = Position::new(lat, lon, Datum::Wgs84, Some(8), 0).unwrap();
    let draft = FormDraft {
        kind: visit::KIND,
        template: TEMPLATE.parse::<TemplateId>().unwrap(),
        home: home(),
        subject: Some(Subject::Named {
            title: format!("长庆街{}号店", shop + 1),
            address: None,
            position: Some(StoredPosition::of(position)),
        }),
        planned_ms: Some(now_ms()),
        companions: Vec::new(),
        companion_names: None,
        audience: Audience::Staff,
        team: None,
        linked: None,
        note: None,
    };
    replica.plan_form(&draft, now_ms()).unwrap().form
}

fn step(replica: &mut Replica, record: RecordId, step: &StepSpec) {
    let input = MoveInput::of_step(step);
    replica.make_move(record, &input, now_ms()).unwrap();
}

fn home() -> AreaPath {
    static HOME: LazyLock<AreaPath> = LazyLock::new(|| {
        let first = histories::read()[0].clone();
        first.moved_to(VILLAGE_GRID).home()
    });
    *HOME
}

/// Two of three questions are yes or no, the others have a choice of four.
fn template() -> Template {
    let label =
        |n: usize| format!(r#"{{"zh":"第{n}项是否符合要求？","en":"Is item {n} in order?"}}"#);
    let items: Vec<String> = (0..QUESTIONS)
        .map(|n| {
            let (kind, list) = if n.is_multiple_of(3) {
                ("one", r#","list":"state""#)
            } else {
                ("yes_no", "")
            };
            let label = label(n);
            format!(
                r#"{{"type":"{kind}","id":"item_{n}","label":{label},"required":"true()"{list}}}"#
            )
        })
        .collect();
    let choices: Vec<String> = ["good", "worn", "broken", "absent"]
        .map(|id| format!(r#"{{"id":"{id}","label":{{"zh":"{id}"}}}}"#))
        .into();
    let json = format!(
        r#"{{"format":1,"id":"{TEMPLATE}","version":1,"title":{{"zh":"三十项检查"}},"next_visit":{{"days":30}},
            "lists":[{{"id":"state","choices":[{}]}}],"items":[{}]}}"#,
        choices.join(","),
        items.join(",")
    );
    Template::parse(json.as_bytes()).unwrap()
}

fn answers(n: usize) -> Vec<FormEdit> {
    (0..QUESTIONS)
        .map(|item| {
            let key = AnswerKey::of(format!("item_{item}").parse().unwrap());
            let answer = if item.is_multiple_of(3) {
                let choices = ["good", "worn", "broken", "absent"];
                Answer::One(choices[(n / 7 + item) % 4].to_owned())
            } else {
                Answer::YesNo(!(n + item).is_multiple_of(5))
            };
            FormEdit::Set(key, answer)
        })
        .collect()
}

fn timed(name: &str, work: impl FnMut()) {
    alone::timed(name, 200, LIST_MS_MAX, work);
}
