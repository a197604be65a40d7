//! Scenario 11: the server is lost and comes back from an older backup; the phones give back the data that
//! it lacks.

use onegrid_core::domain::case::{Event, Severity, Stage};
use onegrid_core::id::RecordId;

use crate::cast::{Cast, Report};
use crate::deployment::Deployment;
use crate::photo::Scene;
use crate::script::Script;
use crate::story_gas::of_open;
use onegrid_server::error::{Phrase, Result};

/// In the first grid of Zhugan lane.
const AT: (f64, f64) = (30.312_60, 120.119_20);

pub(crate) async fn play(
    cast: &Cast,
    deployment: &mut Deployment,
    script: &mut Script<'_>,
) -> Result<()> {
    script.title("demo.title_loss")?;
    let backup = deployment.backup()?;
    let at_backup = deployment.records()?;
    let photos_at_backup = deployment.files()?;
    script.done(&Phrase::new("demo.loss_backup").with("records", at_backup.len()))?;

    let record = work(cast, script).await?;
    let before = deployment.records()?;
    let photos_before = deployment.files()?;
    let newer_photos = photos_before.difference(&photos_at_backup).count();
    script.expect("photos newer than the backup", newer_photos, 1)?;
    let newer = before
        .iter()
        .filter(|(id, held)| at_backup.get(id) != Some(held));
    let newer = newer.count();
    script.expect("newer than the backup", newer >= 2, true)?;
    script.done(&Phrase::new("demo.loss_work").with("records", newer))?;

    deployment.kill().await?;
    let generation = deployment.wipe_and_restore(&backup)?;
    deployment.start().await?;
    let restored = deployment.records()?;
    script.expect("as in the backup", restored == at_backup, true)?;
    script.expect("the new record", restored.contains_key(&record), false)?;
    let photos_restored = deployment.files()?;
    script.expect("photos", photos_restored == photos_at_backup, true)?;
    script.done(&Phrase::new("demo.loss_restored").with("generation", generation))?;

    cast.everybody(script).await?;
    let healed = cast
        .phones()
        .iter()
        .filter(|phone| phone.report().is_some_and(|report| report.equal));
    script.expect(
        "phones that hold the same",
        healed.count(),
        cast.phones().len(),
    )?;
    let after = deployment.records()?;
    let missing = before
        .iter()
        .filter(|(id, held)| after.get(id) != Some(held));
    script.expect("missing after the give-back", missing.count(), 0)?;
    script.done(
        &Phrase::new("demo.loss_given_back")
            .with("records", newer)
            .with("all", after.len()),
    )?;
    let photos_after = deployment.files()?;
    let missing = photos_before.difference(&photos_after).count();
    script.expect("missing photos", missing, 0)?;
    script.done(&Phrase::new("demo.loss_photos").with("count", newer_photos))
}

/// Does the work after the backup: a new case, dispatched by a rule and accepted, and a comment on an older
/// case.
async fn work(cast: &Cast, script: &mut Script<'_>) -> Result<RecordId> {
    let photo = script.photograph(cast.lead(), Scene::Cartons, AT)?;
    let report = Report {
        title: script.text("demo.loss_title"),
        description: script.text("demo.round_description"),
        category: "rubbish",
        severity: Some(Severity::General),
        at: AT,
        team: true,
        photos: vec![(photo, script.text("demo.loss_title"))],
    };
    let record = cast.report(cast.lead(), &report, script)?;
    cast.everybody(script).await?;
    let accept = Event::Accept(of_open(cast.urban(), record, None, script)?);
    script.act(cast.urban(), record, &accept)?;
    let older = script.ok(cast.volunteer_b().replica().rows())?;
    let older = older.into_iter().find(|row| row.open && row.id != record);
    if let Some(older) = older {
        let words = script.text("demo.loss_words");
        script.comment(cast.volunteer_b(), older.id, &words)?;
    }
    cast.everybody(script).await?;
    let row = script.row(cast.lead(), record)?;
    script.expect("stage", row.stage, Stage::Accepted.code())?;
    Ok(record)
}
