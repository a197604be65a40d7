//! Scenario 1: gas cylinders at 133 Wulin Road, from the report without network to the follow-up.

use onegrid_core::domain::case::payload::{Bare, Dispatch, FollowUp, Seen, Step, Verify};
use onegrid_core::domain::case::{Deadlines, Event, Part, Party, Stage};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::AttachmentState;

use crate::balance::kilobytes;
use crate::cast::{Cast, Report, note, unit};
use crate::phone::Phone;
use crate::photo::Scene;
use crate::script::Script;
use onegrid_server::error::{Phrase, Result};

const HOUR_MS: i64 = 3_600_000;
/// 133 Wulin Road, in the first grid of Zhugan lane. The real address lies elsewhere, because boundaries of
/// the seed are schematic.
const AT: (f64, f64) = (30.312_15, 120.118_78);

/// The photos of the report with their captions.
const PHOTOS: [(Scene, &str); 2] = [
    (Scene::Kitchen, "demo.gas_photo_kitchen"),
    (Scene::Flame, "demo.gas_photo_flame"),
];

/// Rungs of the receipt ladder, as [`onegrid_core::replica::RecordRow::ladder`] counts them.
const STORED: u8 = 0;
const DELIVERED: u8 = 1;
const SEEN: u8 = 2;
const HANDLED: u8 = 3;

pub(crate) async fn play(cast: &Cast, script: &mut Script<'_>) -> Result<()> {
    script.title("demo.title_gas")?;
    let record = report(cast, script).await?;
    dispatch(cast, record, script).await?;
    handle(cast, record, script).await?;
    judge(cast, record, script).await
}

async fn report(cast: &Cast, script: &mut Script<'_>) -> Result<RecordId> {
    let volunteer = cast.volunteer_a();
    volunteer.set_online(false);
    let mut photos = Vec::new();
    for (scene, caption) in PHOTOS {
        photos.push((
            script.photograph(volunteer, scene, AT)?,
            script.text(caption),
        ));
    }
    let report = Report {
        title: script.text("demo.gas_title"),
        description: script.text("demo.gas_description"),
        category: "gas",
        severity: None,
        at: AT,
        team: true,
        photos,
    };
    let record = cast.report(volunteer, &report, script)?;
    let row = script.row(volunteer, record)?;
    script.expect("ladder", row.ladder, STORED)?;
    let refused = volunteer
        .sync()
        .await
        .err()
        .map(|error| error.code().to_owned());
    script.expect(
        "sync",
        refused.unwrap_or_default(),
        "sync.offline".to_owned(),
    )?;
    script.done(&Phrase::new("demo.gas_reported").with("title", &row.title))?;
    let left = script.ok(volunteer.replica().files_left())?;
    script.expect_photos((volunteer, record), PHOTOS.len(), AttachmentState::Waiting)?;
    script.done(
        &Phrase::new("demo.gas_photographed")
            .with("count", left.uploads)
            .with("size", kilobytes(left.upload_bytes)),
    )?;

    volunteer.set_online(true);
    cast.sync(volunteer, script).await?;
    let view = script.view(volunteer, record)?;
    script.expect("ladder", view.row.ladder, DELIVERED)?;
    script.expect("stage", view.row.stage, Stage::Triaged.code())?;
    script.expect("category", view.row.category.as_str(), "gas")?;
    let state = view.state.as_ref();
    let grid = state.map(|state| cast.place().name(&state.place()));
    script.done(&Phrase::new("demo.gas_delivered").with("grid", grid.unwrap_or_default()))?;
    script.expect_photos(
        (volunteer, record),
        PHOTOS.len(),
        AttachmentState::Delivered,
    )?;
    script.done(&Phrase::new("demo.gas_photos_sent").with("count", PHOTOS.len()))?;
    Ok(record)
}

async fn dispatch(cast: &Cast, record: RecordId, script: &mut Script<'_>) -> Result<()> {
    let room = cast.dispatcher();
    cast.sync(room, script).await?;
    script.act(room, record, &Event::Seen(Seen {}))?;
    cast.sync(room, script).await?;
    cast.sync(cast.volunteer_a(), script).await?;
    let row = script.row(cast.volunteer_a(), record)?;
    script.expect("ladder", row.ladder, SEEN)?;
    script.done(&Phrase::new("demo.gas_seen"))?;
    look(cast, record, script).await?;

    script.act(room, record, &to_gas())?;
    cast.sync(room, script).await?;
    cast.everybody(script).await?;
    let row = script.row(cast.gas(), record)?;
    script.expect("stage", row.stage, Stage::Dispatched.code())?;
    let elsewhere = script.ok(cast.urban().replica().row(record))?;
    script.expect("urban", elsewhere.is_some(), false)?;
    script.done(&Phrase::new("demo.gas_dispatched"))?;

    let there = script.view(cast.gas(), record)?.state;
    let reporter = there.and_then(|state| state.reporter);
    script.expect("reporter", reporter.is_some(), false)?;
    let here = script.view(cast.volunteer_a(), record)?.state;
    let reporter = here.and_then(|state| state.reporter);
    script.expect(
        "reporter",
        reporter == Some(cast.volunteer_a().member()),
        true,
    )?;
    script.done(&Phrase::new("demo.gas_anonymous"))
}

/// The command room sees the small pictures at once, and fetches a full photo.
async fn look(cast: &Cast, record: RecordId, script: &mut Script<'_>) -> Result<()> {
    let room = cast.dispatcher();
    script.expect_photos((room, record), PHOTOS.len(), AttachmentState::Absent)?;
    let photos = script.photos(room, record)?;
    let small: usize = photos
        .iter()
        .filter_map(|one| room.replica().thumbnail(Some(record), one.id).ok()?)
        .map(|picture| picture.len())
        .sum();
    for photo in &photos {
        let full = cast.fetch(room, (record, photo.id), script).await?;
        let original = script.ok(cast.volunteer_a().full_photo(record, photo.id))?;
        script.expect("the same photo", full == original, true)?;
    }
    let full = photos.iter().map(|one| one.bytes).sum();
    script.done(
        &Phrase::new("demo.gas_photos_seen")
            .with("small", kilobytes(u64::try_from(small).unwrap_or(u64::MAX)))
            .with("full", kilobytes(full)),
    )
}

async fn handle(cast: &Cast, record: RecordId, script: &mut Script<'_>) -> Result<()> {
    let gas = cast.gas();
    for (step, stage, line) in [
        (
            Event::Accept as fn(Step) -> Event,
            Stage::Accepted,
            "demo.gas_accepted",
        ),
        (Event::Arrive, Stage::OnSite, "demo.gas_arrived"),
    ] {
        let event = step(of_open(gas, record, None, script)?);
        script.act(gas, record, &event)?;
        both(cast, gas, record, stage, script).await?;
        script.done(&Phrase::new(line))?;
    }
    let words = script.text("demo.gas_result");
    let after = script.photograph(gas, Scene::Yard, AT)?;
    let mut step = of_open(gas, record, note(&words), script)?;
    step.attachments.push(after);
    script.act(gas, record, &Event::Resolve(step))?;
    both(cast, gas, record, Stage::Resolved, script).await?;
    let row = script.row(cast.volunteer_a(), record)?;
    script.expect("ladder", row.ladder, HANDLED)?;
    script.done(&Phrase::new("demo.gas_resolved").with("words", words))?;
    let full = cast
        .fetch(cast.volunteer_a(), (record, after), script)
        .await?;
    let original = script.ok(gas.full_photo(record, after))?;
    script.expect("the same photo", full == original, true)?;
    script.done(&Phrase::new("demo.gas_photo_after"))
}

async fn judge(cast: &Cast, record: RecordId, script: &mut Script<'_>) -> Result<()> {
    let own = cast
        .gas()
        .replica()
        .act(record, &verified(), None, now_ms());
    let refused = own.err().map(|error| error.code()).unwrap_or_default();
    script.expect("own work", refused, "may.role")?;
    script.done(&Phrase::new("demo.gas_not_own"))?;

    let worker = cast.worker();
    cast.sync(worker, script).await?;
    for (event, stage, line) in [
        (verified(), Stage::Verified, "demo.gas_verified"),
        (closed(), Stage::Closed, "demo.gas_closed"),
        (followed_up(), Stage::FollowedUp, "demo.gas_followed_up"),
    ] {
        script.act(worker, record, &event)?;
        both(cast, worker, record, stage, script).await?;
        script.done(&Phrase::new(line))?;
    }
    let view = script.view(cast.volunteer_a(), record)?;
    let steps = view
        .timeline
        .iter()
        .filter(|entry| !matches!(entry.event, None | Some(Event::Attach(_))))
        .count();
    // Triage, seen, dispatch, accept, arrive, resolve, verify, close, follow-up.
    script.expect("steps", steps, 9)?;
    script.done(&Phrase::new("demo.gas_whole").with("steps", steps))
}

/// Syncs the sending phone, then the reporter's phone, which shows the stage.
async fn both(
    cast: &Cast,
    phone: &Phone,
    record: RecordId,
    stage: Stage,
    script: &Script<'_>,
) -> Result<()> {
    cast.sync(phone, script).await?;
    cast.sync(cast.volunteer_a(), script).await?;
    let row = script.row(cast.volunteer_a(), record)?;
    script.expect("stage", row.stage, stage.code())
}

/// Returns a dispatch to the gas company, due in a day.
pub(crate) fn to_gas() -> Event {
    let now = now_ms();
    Event::Dispatch(Dispatch {
        to: Party::Unit(unit("gas-company")),
        part: Part::Lead,
        deadlines: Deadlines {
            accept_by_ms: Some(now + HOUR_MS),
            arrive_by_ms: Some(now + 4 * HOUR_MS),
            resolve_by_ms: Some(now + 24 * HOUR_MS),
        },
        rule: None,
        note: None,
    })
}

/// Returns a step on the open assignment that a phone shows.
pub(crate) fn of_open(
    phone: &Phone,
    record: RecordId,
    words: Option<onegrid_core::domain::Text>,
    script: &Script<'_>,
) -> Result<Step> {
    let state = script.view(phone, record)?.state;
    let open = state.and_then(|state| {
        let open = state.assignments().iter().find(|one| one.state.is_open());
        open.map(|one| one.id)
    });
    let assignment: EnvelopeId = open.ok_or_else(|| script.failed("case.no_assignment"))?;
    Ok(Step {
        assignment,
        attachments: Vec::new(),
        note: words,
    })
}

/// Returns a verification by another person: the work is done.
pub(crate) fn verified() -> Event {
    Event::Verify(Verify {
        pass: true,
        attachments: Vec::new(),
        note: None,
    })
}

pub(crate) fn closed() -> Event {
    Event::Close(Bare { note: None })
}

fn followed_up() -> Event {
    Event::FollowUp(FollowUp {
        satisfied: Some(true),
        note: None,
    })
}
