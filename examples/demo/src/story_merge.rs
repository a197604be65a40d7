//! Scenario 6: two phones, one hazard, no network. Every word is kept, the case stays open, and the
//! people concerned see the reason.

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::case::payload::{DangerRemains, Merge};
use onegrid_core::domain::case::{Event, Severity, Stage};
use onegrid_core::domain::content::{Content, Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::id::RecordId;
use onegrid_core::net::now_ms;
use onegrid_core::replica::ConflictSubject;

use crate::cast::{Cast, Report, note};
use crate::script::Script;
use crate::story_gas::{closed, of_open, to_gas, verified};
use onegrid_server::error::{Phrase, Result};

/// The corner of the second grid of Zhugan lane.
const AT: (f64, f64) = (30.310_98, 120.113_74);
const NEARBY: (f64, f64) = (30.311_05, 120.113_90);

/// The case that continues, and its duplicate.
struct Pair {
    case: RecordId,
    double: RecordId,
}

pub(crate) async fn play(cast: &Cast, script: &mut Script<'_>) -> Result<()> {
    script.title("demo.title_merge")?;
    let pair = report(cast, script).await?;
    link(cast, &pair, script).await?;
    apart(cast, &pair, script)?;
    together(cast, &pair, script).await?;
    settle(cast, &pair, script).await
}

async fn report(cast: &Cast, script: &mut Script<'_>) -> Result<Pair> {
    let (a, b) = (cast.volunteer_a(), cast.volunteer_b());
    a.set_online(false);
    b.set_online(false);
    let one = |description: &'static str, at, script: &Script<'_>| Report::<'static> {
        title: script.text("demo.merge_title"),
        description: script.text(description),
        category: "gas",
        severity: Some(Severity::Elevated),
        at,
        team: true,
        photos: Vec::new(),
    };
    let case = cast.report(a, &one("demo.merge_words_a", AT, script), script)?;
    let double = cast.report(b, &one("demo.merge_words_b", NEARBY, script), script)?;
    let known = script.ok(b.replica().row(case))?.is_some();
    script.expect("known to the other", known, false)?;
    script.done(&Phrase::new("demo.merge_reported"))?;
    a.set_online(true);
    b.set_online(true);
    cast.everybody(script).await?;
    Ok(Pair { case, double })
}

async fn link(cast: &Cast, pair: &Pair, script: &mut Script<'_>) -> Result<()> {
    let room = cast.dispatcher();
    let merge = Event::Merge(Merge {
        into: pair.case,
        note: None,
    });
    script.act(room, pair.double, &merge)?;
    script.act(room, pair.case, &to_gas())?;
    cast.everybody(script).await?;
    let row = script.row(cast.volunteer_b(), pair.double)?;
    script.expect("stage", row.stage, Stage::Merged.code())?;
    let kept = description(cast, pair.double, script)?;
    script.expect("words", kept, script.text("demo.merge_words_b"))?;
    script.done(&Phrase::new("demo.merge_linked"))?;

    let gas = cast.gas();
    let accept = Event::Accept(of_open(gas, pair.case, None, script)?);
    script.act(gas, pair.case, &accept)?;
    let words = note(&script.text("demo.merge_result"));
    let resolve = Event::Resolve(of_open(gas, pair.case, words, script)?);
    script.act(gas, pair.case, &resolve)?;
    cast.everybody(script).await?;
    let row = script.row(cast.worker(), pair.case)?;
    script.expect("stage", row.stage, Stage::Resolved.code())?;
    script.act(cast.worker(), pair.case, &verified())?;
    cast.everybody(script).await?;
    script.done(&Phrase::new("demo.merge_resolved"))
}

/// Lets three people work without sight of each other's work.
fn apart(cast: &Cast, pair: &Pair, script: &mut Script<'_>) -> Result<()> {
    let (worker, volunteer, room) = (cast.worker(), cast.volunteer_a(), cast.dispatcher());
    for phone in [worker, volunteer, room] {
        phone.set_online(false);
    }
    script.ok(worker
        .replica()
        .edit(pair.case, &[severity(Severity::General)], now_ms()))?;
    script.act(worker, pair.case, &closed())?;
    let row = script.row(worker, pair.case)?;
    script.expect("stage", row.stage, Stage::Closed.code())?;
    script.done(&Phrase::new("demo.merge_closed"))?;

    let danger = Event::DangerRemains(DangerRemains {
        text: note(&script.text("demo.merge_danger_words")),
        attachments: Vec::new(),
    });
    script.act(volunteer, pair.case, &danger)?;
    script.done(&Phrase::new("demo.merge_danger"))?;

    script.ok(room
        .replica()
        .edit(pair.case, &[severity(Severity::Critical)], now_ms()))?;
    script.done(&Phrase::new("demo.merge_edited"))
}

async fn together(cast: &Cast, pair: &Pair, script: &mut Script<'_>) -> Result<()> {
    for phone in [cast.worker(), cast.volunteer_a(), cast.dispatcher()] {
        phone.set_online(true);
    }
    cast.everybody(script).await?;
    let mut cards = Vec::new();
    for phone in [cast.worker(), cast.volunteer_a(), cast.dispatcher()] {
        let view = script.view(phone, pair.case)?;
        script.expect("open", view.row.open, true)?;
        script.expect("conflicts", view.conflicts.len(), 2)?;
        cards = view.conflicts;
    }
    script.done(&Phrase::new("demo.merge_open"))?;
    let kept = description(cast, pair.case, script)?;
    script.expect("words", kept, script.text("demo.merge_words_a"))?;
    let fields = cards
        .iter()
        .filter(|card| matches!(card.subject, ConflictSubject::Field(_)));
    script.expect("conflicts of a field", fields.count(), 1)?;
    for card in &cards {
        let mark = match card.subject {
            ConflictSubject::Field(_) => "◇",
            ConflictSubject::Workflow(_) => "◆",
        };
        script.detail(format_args!("{mark} {}", card.sentence(script.lang())))?;
    }
    Ok(())
}

async fn settle(cast: &Cast, pair: &Pair, script: &mut Script<'_>) -> Result<()> {
    let room = cast.dispatcher();
    let chosen = FieldValue::Number(Severity::Critical.code().into());
    let settled =
        room.replica()
            .settle(pair.case, &Field::Own(&hazard::SEVERITY), chosen, now_ms());
    script.ok(settled)?;
    cast.everybody(script).await?;
    let row = script.row(cast.worker(), pair.case)?;
    script.expect("conflicts", row.conflicts, 1)?;
    script.done(&Phrase::new("demo.merge_settled"))?;

    let gas = cast.gas();
    let words = note(&script.text("demo.merge_result_again"));
    let resolve = Event::Resolve(of_open(gas, pair.case, words, script)?);
    script.act(gas, pair.case, &resolve)?;
    cast.everybody(script).await?;
    script.act(cast.worker(), pair.case, &verified())?;
    script.act(cast.worker(), pair.case, &closed())?;
    cast.everybody(script).await?;
    for phone in [cast.worker(), cast.volunteer_a(), room, gas] {
        let row = script.row(phone, pair.case)?;
        script.expect("stage", row.stage, Stage::Closed.code())?;
        script.expect("conflicts", row.conflicts, 0)?;
    }
    script.done(&Phrase::new("demo.merge_over"))
}

fn severity(severity: Severity) -> FieldEdit {
    FieldEdit::set(
        Field::Own(&hazard::SEVERITY),
        FieldValue::Number(severity.code().into()),
    )
}

/// Returns the description as the command room reads it.
fn description(cast: &Cast, record: RecordId, script: &Script<'_>) -> Result<String> {
    let view = script.view(cast.dispatcher(), record)?;
    let content = view.content.as_ref().map(Content::details);
    Ok(content
        .map(|details| details.description.clone())
        .unwrap_or_default())
}
