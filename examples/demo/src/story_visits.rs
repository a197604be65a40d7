//! Scenario 7: forty elderly residents visited in a week without network. Two people answer one visit, the
//! checklist changes in mid-week, one resident is not at home, and a finding becomes a hazard that is closed.
//!
//! The demo does not wait for a week: the phone writes each visit with the time of its day.

use std::sync::Arc;

use onegrid_core::domain::Audience;
use onegrid_core::domain::case::{Event, MoveInput, Severity, Stage};
use onegrid_core::domain::content::{Content, Field, FieldValue, StoredPosition};
use onegrid_core::domain::form::{Answer, AnswerKey, Date, Decimal, Template, TemplateId};
use onegrid_core::domain::kinds::{note, stages, visit};
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::domain::steps::StepSpec;
use onegrid_core::id::RecordId;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{
    ConflictSubject, DueFilter, Finding, FormCounts, FormDraft, FormEdit, FormPage, FormProblem,
    ReplicaError, Subject,
};
use onegrid_core::texts::{self, Lang};
use serde_json::{Value, json};

use crate::balance::kilobytes;
use crate::cast::{ACCURACY_M, Cast, Report};
use crate::deployment::Deployment;
use crate::phone::Phone;
use crate::script::Script;
use crate::story_gas::{closed, of_open, to_gas, verified};
use onegrid_server::error::{Phrase, Problem, Result};

const RESIDENTS: usize = 40;
const DAYS: usize = 7;
const DAY_MS: i64 = 24 * 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Time between two visits of one day, minutes.
const VISIT_MINUTES: i64 = 30;
/// The day before which the office changes the checklist, counted from 0.
const CHANGE_DAY: usize = 3;

/// The resident about whom the grid worker writes private words, by the place in the round.
const WITH_NOTE: usize = 3;
/// The resident who is not at home.
const ABSENT: usize = 9;
/// The resident whom two people visit.
const SHARED: usize = 30;

/// The checklist of the round.
const CARE: &str = "care_visit";
/// The question that both people answer, and that becomes a hazard.
const STOVE: &str = "stove";
/// The question that only the companion answers.
const WARMTH: &str = "room_temperature";
/// The question of the new version.
const BUTTON: &str = "emergency_button";

/// The corners of the houses in the first and in the second grid of Zhugan lane.
const HOUSES: [(f64, f64); 2] = [(30.312_15, 120.118_78), (30.310_98, 120.113_74)];
/// Distance of two doors, degrees.
const DOOR: f64 = 0.000_05;
const DOORS_A_ROW: usize = 5;

/// One resident of the round.
struct Stop {
    at: (f64, f64),
    day: usize,
    planned_ms: i64,
    visit: RecordId,
    /// The restricted record with the name.
    subject: RecordId,
}

pub(crate) async fn play(
    cast: &Cast,
    deployment: &Deployment,
    script: &mut Script<'_>,
) -> Result<()> {
    script.title("demo.title_visits")?;
    let start_ms = now_ms() - 7 * DAY_MS;
    let stops = plan(cast, start_ms, script).await?;
    let note = walk(cast, deployment, &stops, script).await?;
    deliver(cast, &stops, start_ms, script).await?;
    merge(cast, &stops[SHARED], script)?;
    let hazard = find(cast, &stops[SHARED], script).await?;
    close(cast, &stops[SHARED], hazard, script).await?;
    supervise(cast, &stops, (start_ms, note), script)?;
    again(cast, &stops[ABSENT], script)?;
    next(cast, script)?;
    cast.everybody(script).await
}

/// Plans the round on the day before it, while there is a network.
async fn plan(cast: &Cast, start_ms: i64, script: &mut Script<'_>) -> Result<Vec<Stop>> {
    let worker = cast.worker();
    let mut stops = Vec::with_capacity(RESIDENTS);
    for number in 0..RESIDENTS {
        let day = number * DAYS / RESIDENTS;
        let at = door(number);
        let of_day = stops.iter().filter(|one: &&Stop| one.day == day).count();
        let planned_ms = start_ms
            + i64::try_from(day).unwrap_or(0) * DAY_MS
            + i64::try_from(of_day).unwrap_or(0) * VISIT_MINUTES * MINUTE_MS;
        let position = Position::from_degrees(at.0, at.1, Datum::Wgs84, Some(ACCURACY_M), 0)
            .map_err(|error| script.failed(error.code()))?;
        let companions = (number == SHARED).then(|| cast.volunteer_a().member());
        let draft = FormDraft {
            subject: Some(Subject::Named {
                title: name_of(number, script.lang()),
                address: None,
                position: Some(StoredPosition::of(position)),
            }),
            companions: companions.into_iter().collect(),
            ..draft(cast, at, planned_ms, script)?
        };
        let made = script.ok(worker.replica().plan_form(&draft, start_ms - DAY_MS))?;
        let subject = made
            .subject
            .ok_or_else(|| script.failed("form.no_subject"))?;
        stops.push(Stop {
            at,
            day,
            planned_ms,
            visit: made.form,
            subject,
        });
    }
    cast.everybody(script).await?;
    let named = names_on(cast.volunteer_a(), script)?;
    script.expect("names on the companion's phone", named, 1)?;
    script.expect("names", names_on(worker, script)?, stops.len())?;
    script.done(
        &Phrase::new("demo.visits_planned")
            .with("count", stops.len())
            .with("named", named),
    )?;
    Ok(stops)
}

/// Makes the visits of the week without network. Returns the private words about one of them.
async fn walk(
    cast: &Cast,
    deployment: &Deployment,
    stops: &[Stop],
    script: &mut Script<'_>,
) -> Result<RecordId> {
    let worker = cast.worker();
    worker.set_online(false);
    refused(worker, &stops[0], script)?;
    for day in 0..DAYS {
        if day == CHANGE_DAY {
            change(cast, deployment, script).await?;
        }
        for (number, stop) in stops.iter().enumerate().filter(|(_, one)| one.day == day) {
            if number == ABSENT {
                script.ok(step(
                    worker,
                    stop.visit,
                    &visit::NOT_MET_STEP,
                    stop.planned_ms,
                ))?;
                continue;
            }
            // The first visit has begun already.
            if number > 0 {
                script.ok(step(worker, stop.visit, &visit::START, stop.planned_ms))?;
            }
            let at_ms = stop.planned_ms + 5 * MINUTE_MS;
            script.ok(answer(worker, stop.visit, &usual(number), at_ms))?;
            if number == SHARED {
                together(cast, stop, script)?;
            }
            let at_ms = stop.planned_ms + 20 * MINUTE_MS;
            script.ok(step(worker, stop.visit, &visit::FINISH, at_ms))?;
        }
    }
    let stop = &stops[WITH_NOTE];
    let words = script.text("demo.visits_note");
    let at_ms = stop.planned_ms + 25 * MINUTE_MS;
    let note = worker.replica().write_note(stop.visit, &words, &[], at_ms);
    script.ok(note)
}

/// Shows that a visit cannot be finished while answers are missing.
fn refused(worker: &Phone, stop: &Stop, script: &mut Script<'_>) -> Result<()> {
    script.ok(step(worker, stop.visit, &visit::START, stop.planned_ms))?;
    let met = [("contact", Answer::One("met".to_owned()))];
    script.ok(answer(worker, stop.visit, &met, stop.planned_ms))?;
    let missing = problems(worker, stop.visit, stop.planned_ms, script)?;
    let shown = state_of(worker, stop.visit, script)?;
    script.expect("missing answers", missing.len(), shown.1 - shown.0)?;
    script.done(&Phrase::new("demo.visits_incomplete").with("count", missing.len()))?;
    for problem in missing.iter().take(2) {
        script.detail(in_words(problem, script.lang()))?;
    }
    Ok(())
}

/// Changes the checklist at the office. A phone with a network gets it, and the phone without one continues
/// with the version that it has.
async fn change(cast: &Cast, deployment: &Deployment, script: &mut Script<'_>) -> Result<()> {
    let volunteer = cast.volunteer_a();
    let before = newest(cast.worker(), script)?;
    deployment.import(&changed(&before)?)?;
    cast.sync(volunteer, script).await?;
    let (old, new) = (newest(cast.worker(), script)?, newest(volunteer, script)?);
    script.expect("version without network", old.version(), before.version())?;
    script.expect("version", new.version(), before.version() + 1)?;
    volunteer.set_online(false);
    script.done(
        &Phrase::new("demo.visits_changed")
            .with("version", new.version())
            .with("questions", questions(&new))
            .with("old", old.version())
            .with("before", questions(&old)),
    )
}

/// Lets the companion answer the same visit on her own phone.
fn together(cast: &Cast, stop: &Stop, script: &mut Script<'_>) -> Result<()> {
    let volunteer = cast.volunteer_a();
    let warmth = Decimal::parse("11.5").expect("a number");
    let seen = [
        (STOVE, Answer::YesNo(false)),
        (WARMTH, Answer::Number(warmth)),
    ];
    let at_ms = stop.planned_ms + 10 * MINUTE_MS;
    script.ok(answer(volunteer, stop.visit, &seen, at_ms))?;
    let said = |phone, script: &Script<'_>| -> Result<String> {
        let page = page_of(phone, stop.visit, script)?;
        Ok(match given(&page, STOVE) {
            Some(Answer::YesNo(true)) => script.text("value.yes"),
            Some(Answer::YesNo(false)) => script.text("value.no"),
            _ => String::new(),
        })
    };
    let first = said(cast.worker(), script)?;
    let second = said(volunteer, script)?;
    script.expect("two answers", first == second, false)?;
    script.done(
        &Phrase::new("demo.visits_shared")
            .with("first", first)
            .with("second", second),
    )
}

/// Brings both phones back to the network.
async fn deliver(
    cast: &Cast,
    stops: &[Stop],
    start_ms: i64,
    script: &mut Script<'_>,
) -> Result<()> {
    let worker = cast.worker();
    let waiting = script.ok(worker.replica().undelivered())?;
    let own = counts(worker, worker, start_ms, script)?;
    script.expect("visits", own.done + own.in_vain, RESIDENTS as u64)?;
    script.done(
        &Phrase::new("demo.visits_walked")
            .with("done", own.done)
            .with("in_vain", own.in_vain)
            .with("count", waiting),
    )?;
    let before = worker.traffic().bytes_up;
    worker.set_online(true);
    cast.sync(worker, script).await?;
    let bytes = worker.traffic().bytes_up - before;
    let waiting = script.ok(worker.replica().undelivered())?;
    script.expect("undelivered", waiting, 0)?;
    cast.volunteer_a().set_online(true);
    cast.everybody(script).await?;
    let newest = newest(worker, script)?.version();
    let mut versions = Vec::new();
    for stop in stops {
        versions.push(page_of(cast.dispatcher(), stop.visit, script)?.version);
    }
    versions.sort_unstable();
    versions.dedup();
    script.expect("versions of the visits", versions.len(), 1)?;
    script.expect("a newer version is known", newest > versions[0], true)?;
    script.done(
        &Phrase::new("demo.visits_delivered")
            .with("size", kilobytes(bytes))
            .with("old", versions[0])
            .with("version", newest),
    )
}

/// Shows the merged answers of the visit that two people answered.
fn merge(cast: &Cast, stop: &Stop, script: &mut Script<'_>) -> Result<()> {
    let mut sentence = String::new();
    for phone in [cast.worker(), cast.volunteer_a()] {
        let page = page_of(phone, stop.visit, script)?;
        let both = given(&page, WARMTH).is_some() && given(&page, "mood").is_some();
        script.expect("answers of both", both, true)?;
        let view = script.view(phone, stop.visit)?;
        script.expect("conflicts", view.conflicts.len(), 1)?;
        let card = &view.conflicts[0];
        let field = match &card.subject {
            ConflictSubject::Field(conflict) => conflict.field.name().into_owned(),
            ConflictSubject::Workflow(_) => String::new(),
        };
        script.expect("question", field, stove().name().into_owned())?;
        card.sentence(script.lang()).clone_into(&mut sentence);
    }
    script.done(&Phrase::new("demo.visits_merged"))?;
    script.detail(format_args!("◇ {sentence}"))
}

/// Settles the answer, and reports the finding as a hazard.
async fn find(cast: &Cast, stop: &Stop, script: &mut Script<'_>) -> Result<RecordId> {
    let worker = cast.worker();
    let no = FieldValue::Text(Answer::YesNo(false).to_text());
    let settled = worker.replica().settle(stop.visit, &stove(), no, now_ms());
    script.ok(settled)?;
    let report = Report {
        title: script.text("demo.visits_hazard"),
        description: String::new(),
        category: "gas",
        severity: Some(Severity::Serious),
        at: stop.at,
        team: false,
        photos: Vec::new(),
    };
    let draft = cast.draft(&report);
    let finding = Finding {
        question: Some(key(STOVE)),
        content: draft.ok_or_else(|| script.failed("demo.outside"))?.content,
        audience: Audience::Staff,
        team: None,
        lang: script.lang(),
    };
    let hazard = worker
        .replica()
        .report_finding(stop.visit, &finding, now_ms());
    let hazard = script.ok(hazard)?;
    cast.everybody(script).await?;
    let row = script.row(cast.dispatcher(), hazard)?;
    script.done(
        &Phrase::new("demo.visits_found")
            .with("answer", script.text("value.no"))
            .with("title", &row.title),
    )?;
    let view = script.view(cast.dispatcher(), hazard)?;
    let content = view.content.as_ref().map(Content::details);
    script.detail(content.map_or("", |details| details.description.as_str()))?;
    Ok(hazard)
}

/// Takes the hazard to its end, which shows on the visit.
async fn close(cast: &Cast, stop: &Stop, hazard: RecordId, script: &mut Script<'_>) -> Result<()> {
    let (room, gas, worker) = (cast.dispatcher(), cast.gas(), cast.worker());
    script.act(room, hazard, &to_gas())?;
    cast.everybody(script).await?;
    let accept = Event::Accept(of_open(gas, hazard, None, script)?);
    script.act(gas, hazard, &accept)?;
    let resolve = Event::Resolve(of_open(gas, hazard, None, script)?);
    script.act(gas, hazard, &resolve)?;
    cast.everybody(script).await?;
    script.act(worker, hazard, &verified())?;
    script.act(worker, hazard, &closed())?;
    cast.everybody(script).await?;
    let mut shown = String::new();
    for phone in [worker, cast.volunteer_a(), cast.supervisor()] {
        let page = page_of(phone, stop.visit, script)?;
        let linked = page.linked.iter().find(|linked| linked.row.id == hazard);
        // The companion reads the visit, and not every case of the street.
        let Some(linked) = linked else {
            script.expect("reads the hazard", phone.is_of_team(), true)?;
            continue;
        };
        script.expect("stage", linked.row.stage, Stage::Closed.code())?;
        let stage = format!("stage.{}", stages::name_of(linked.row.stage));
        shown = texts::say(&stage, script.lang(), &[]);
    }
    script.done(&Phrase::new("demo.visits_closed").with("stage", shown))
}

/// Shows the part of the visits that the supervisor sees.
fn supervise(
    cast: &Cast,
    stops: &[Stop],
    (start_ms, private): (i64, RecordId),
    script: &mut Script<'_>,
) -> Result<()> {
    let supervisor = cast.supervisor();
    let seen = counts(supervisor, cast.worker(), start_ms, script)?;
    let own = counts(cast.worker(), cast.worker(), start_ms, script)?;
    script.expect("visits made", seen.done, own.done)?;
    script.expect("visits in vain", seen.in_vain, own.in_vain)?;
    for (phone, reads) in [
        (cast.worker(), true),
        (cast.dispatcher(), true),
        (cast.volunteer_a(), false),
        (supervisor, false),
    ] {
        let row = script.ok(phone.replica().row(private))?;
        script.expect("private words", row.is_some(), reads)?;
    }
    let hidden = page_of(supervisor, stops[0].visit, script)?;
    script.expect("person visited", hidden.subject.is_some(), false)?;
    let names = names_on(supervisor, script)?;
    let rows = script.ok(supervisor.replica().rows())?;
    let notes = rows.iter().filter(|row| row.kind == note::KIND.code());
    let notes = notes.count();
    script.expect("names and private words", names + notes, 0)?;
    let name = match script.lang() {
        Lang::Zh => seen.name.0,
        Lang::En => seen.name.1,
    };
    script.done(
        &Phrase::new("demo.visits_supervised")
            .with("name", name)
            .with("done", seen.done)
            .with("in_vain", seen.in_vain)
            .with("names", names)
            .with("notes", notes),
    )
}

/// Visits the absent resident again, with the new version of the checklist.
fn again(cast: &Cast, stop: &Stop, script: &mut Script<'_>) -> Result<()> {
    let worker = cast.worker();
    let draft = FormDraft {
        subject: Some(Subject::Record(stop.subject)),
        ..draft(cast, stop.at, now_ms(), script)?
    };
    let visit = script
        .ok(worker.replica().plan_form(&draft, now_ms()))?
        .form;
    script.ok(step(worker, visit, &visit::START, now_ms()))?;
    script.ok(answer(worker, visit, &usual(ABSENT), now_ms()))?;
    let missing = problems(worker, visit, now_ms(), script)?;
    let items: Vec<&str> = missing
        .iter()
        .map(|problem| problem.item.as_str())
        .collect();
    script.expect("missing answer", items.join(" "), BUTTON.to_owned())?;
    let works = [(BUTTON, Answer::YesNo(true))];
    script.ok(answer(worker, visit, &works, now_ms()))?;
    script.ok(step(worker, visit, &visit::FINISH, now_ms()))?;
    let version = page_of(worker, visit, script)?.version;
    script.done(&Phrase::new("demo.visits_again").with("version", version))?;
    script.detail(in_words(&missing[0], script.lang()))
}

/// Plans the visit that is due first, and leaves it for the page.
fn next(cast: &Cast, script: &mut Script<'_>) -> Result<()> {
    let worker = cast.worker();
    let filter = DueFilter {
        in_my_areas: true,
        template: Some(CARE.to_owned()),
        ..DueFilter::default()
    };
    let due = script.ok(worker.replica().due_forms(&filter, None, 2 * RESIDENTS))?;
    script.expect("residents with a date", due.items.len(), RESIDENTS)?;
    let first = &due.items[0];
    let due_ms = first.due_ms.unwrap_or_default();
    let at = first.at.ok_or_else(|| script.failed("form.no_subject"))?;
    let at = (f64::from(at.0) / 1e7, f64::from(at.1) / 1e7);
    let draft = FormDraft {
        subject: first.form.subject.map(Subject::Record),
        ..draft(cast, at, now_ms(), script)?
    };
    script.ok(worker.replica().plan_form(&draft, now_ms()))?;
    script.done(
        &Phrase::new("demo.visits_due")
            .with("count", due.items.len())
            .with("name", &first.subject.0)
            // A visit is overdue from the end of its due day.
            .with("date", Date::in_china(due_ms - 1)),
    )
}

/// Returns a care visit at a place, without the person.
fn draft(
    cast: &Cast,
    (lat, lon): (f64, f64),
    planned_ms: i64,
    script: &Script<'_>,
) -> Result<FormDraft> {
    let outside = || script.failed("demo.outside");
    let point = onegrid_core::domain::point::GeoPoint::from_degrees(lat, lon);
    let home = point.ok().and_then(|point| cast.place().path_at(point));
    Ok(FormDraft {
        kind: visit::KIND,
        template: care(),
        home: home.ok_or_else(outside)?,
        subject: None,
        planned_ms: Some(planned_ms),
        companions: Vec::new(),
        companion_names: None,
        audience: Audience::Staff,
        team: None,
        linked: None,
        note: None,
    })
}

/// Returns the answers of an ordinary visit, complete by the first version of the checklist.
fn usual(number: usize) -> Vec<(&'static str, Answer)> {
    let mood = if number.is_multiple_of(4) {
        "usual"
    } else {
        "good"
    };
    let one = |choice: &str| Answer::One(choice.to_owned());
    vec![
        ("contact", one("met")),
        ("mood", one(mood)),
        ("complaints", Answer::Many(vec!["none".to_owned()])),
        ("medicine", Answer::YesNo(true)),
        ("food", Answer::YesNo(true)),
        (STOVE, Answer::YesNo(true)),
        ("wires", Answer::YesNo(false)),
        ("way_out", Answer::YesNo(true)),
        ("needs", Answer::Many(vec!["none".to_owned()])),
    ]
}

/// Returns the next version of a checklist, with one more question.
fn changed(old: &Template) -> Result<Template> {
    let bad = |code: &'static str| Problem::new("demo.bad_seed").with("code", code);
    let mut next: Value =
        serde_json::from_slice(&old.to_bytes()).map_err(|_| bad("form.malformed"))?;
    let say = |lang| texts::say("demo.visits_question", lang, &[]);
    next["version"] = json!(old.version() + 1);
    let items = next["items"].as_array_mut();
    items.ok_or_else(|| bad("form.malformed"))?.push(json!({
        "type": "yes_no",
        "id": BUTTON,
        "label": { "zh": say(Lang::Zh), "en": say(Lang::En) },
        "relevant": "${contact} = 'met'",
        "required": "true()",
    }));
    Template::parse(next.to_string().as_bytes()).map_err(|error| bad(error.code()))
}

/// Takes a step with its first reason.
fn step(
    phone: &Phone,
    visit: RecordId,
    step: &StepSpec,
    at_ms: i64,
) -> std::result::Result<(), ReplicaError> {
    let input = MoveInput {
        reason: step.reasons.first().map(|reason| reason.name.to_owned()),
        ..MoveInput::of_step(step)
    };
    phone.replica().make_move(visit, &input, at_ms).map(drop)
}

fn answer(
    phone: &Phone,
    visit: RecordId,
    answers: &[(&str, Answer)],
    at_ms: i64,
) -> std::result::Result<(), ReplicaError> {
    let edits: Vec<FormEdit> = answers
        .iter()
        .map(|(question, answer)| FormEdit::Set(key(question), answer.clone()))
        .collect();
    phone.replica().answer(visit, &edits, at_ms).map(drop)
}

/// Returns the problems that keep a visit from its end.
fn problems(
    phone: &Phone,
    visit: RecordId,
    at_ms: i64,
    script: &Script<'_>,
) -> Result<Vec<FormProblem>> {
    match step(phone, visit, &visit::FINISH, at_ms) {
        Err(ReplicaError::FormIncomplete(problems)) => Ok(problems),
        Err(error) => Err(script.failed(error.code())),
        Ok(()) => Ok(Vec::new()),
    }
}

fn in_words(problem: &FormProblem, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("◇ {} {}", problem.question.0, problem.zh),
        Lang::En => format!("◇ {} {}", problem.question.1, problem.en),
    }
}

fn page_of(phone: &Phone, visit: RecordId, script: &Script<'_>) -> Result<FormPage> {
    let page = script.ok(phone.replica().form(visit, now_ms()))?;
    page.ok_or_else(|| script.failed("replica.no_record"))
}

/// Returns the answered and the required questions of a visit.
fn state_of(phone: &Phone, visit: RecordId, script: &Script<'_>) -> Result<(usize, usize)> {
    let page = page_of(phone, visit, script)?;
    let progress = page.state().map(|state| state.progress());
    let progress = progress.ok_or_else(|| script.failed("form.no_template"))?;
    Ok((progress.answered, progress.required))
}

fn given<'a>(page: &'a FormPage, question: &str) -> Option<&'a Answer> {
    page.answers.as_ref()?.get(&key(question))
}

/// Returns the newest version of the checklist on a phone.
fn newest(phone: &Phone, script: &Script<'_>) -> Result<Arc<Template>> {
    let all = script.ok(phone.replica().templates(false))?;
    let info = all.into_iter().find(|info| info.id == care());
    let template = info.and_then(|info| info.template);
    template.ok_or_else(|| script.failed("form.no_template"))
}

fn questions(template: &Template) -> usize {
    let items = template.items().iter();
    items.filter(|item| item.kind.is_question()).count()
}

/// Returns the counts of a person's visits in the week, as one phone has them.
fn counts(phone: &Phone, person: &Phone, start_ms: i64, script: &Script<'_>) -> Result<FormCounts> {
    let span_ms = (start_ms, start_ms + 7 * DAY_MS);
    let all = script.ok(phone.replica().form_counts(span_ms))?;
    let own = all
        .into_iter()
        .find(|counts| counts.member == Some(person.member()));
    own.ok_or_else(|| script.failed("replica.no_record"))
}

/// Returns the number of residents whose name a phone holds.
fn names_on(phone: &Phone, script: &Script<'_>) -> Result<usize> {
    let rows = script.ok(phone.replica().rows())?;
    let names: Vec<String> = (0..RESIDENTS)
        .map(|number| name_of(number, script.lang()))
        .collect();
    let named = rows.iter().filter(|row| names.contains(&row.title));
    Ok(named.count())
}

/// Returns the door of a resident; the residents live in two houses by turns.
fn door(number: usize) -> (f64, f64) {
    let (lat, lon) = HOUSES[number % HOUSES.len()];
    let door = number / HOUSES.len();
    let steps = |doors: usize| DOOR * f64::from(u32::try_from(doors).unwrap_or(0));
    (
        lat + steps(door / DOORS_A_ROW),
        lon + steps(door % DOORS_A_ROW),
    )
}

fn name_of(number: usize, lang: Lang) -> String {
    let number = (number + 1).to_string();
    texts::say("demo.visits_name", lang, &[("number", &number)])
}

fn care() -> TemplateId {
    CARE.parse().expect("the id of a shipped checklist")
}

fn key(question: &str) -> AnswerKey {
    AnswerKey::of(question.parse().expect("the id of a question of this file"))
}

fn stove() -> Field {
    Field::Answer(STOVE.to_owned())
}
