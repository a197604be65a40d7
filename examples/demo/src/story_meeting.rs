//! Three phones without network meet in pairs, and one courier brings the records of all to the server.

use onegrid_core::domain::case::Severity;
use onegrid_core::id::RecordId;
use onegrid_core::replica::AttachmentState;

use crate::cast::{Cast, PEOPLE, Report};
use crate::deployment::Deployment;
use crate::phone::Phone;
use crate::photo::Scene;
use crate::script::Script;
use onegrid_server::error::{Phrase, Result};

/// A hazard that one of the three finds.
struct Find {
    at: (f64, f64),
    category: &'static str,
    title: &'static str,
    photo: Option<(Scene, &'static str)>,
}

/// Found by volunteer A, volunteer B and the lead. Two of them take a photo.
const FINDS: [Find; 3] = [
    Find {
        at: (30.315_52, 120.109_62),
        category: "ebike",
        title: "demo.meeting_ebike",
        photo: Some((Scene::Stairwell, "demo.meeting_ebike_photo")),
    },
    Find {
        at: (30.306_71, 120.106_20),
        category: "wire",
        title: "demo.meeting_wire",
        photo: Some((Scene::Cables, "demo.meeting_wire_photo")),
    },
    Find {
        at: (30.308_60, 120.115_40),
        category: "occupied_road",
        title: "demo.meeting_road",
        photo: None,
    },
];

pub(crate) async fn play(
    cast: &Cast,
    deployment: &Deployment,
    script: &mut Script<'_>,
) -> Result<()> {
    script.title("demo.title_meeting")?;
    let records_before = deployment.records()?.len();
    let records = write(cast, script)?;
    pair(cast, &records, script)?;
    courier(cast, deployment, (records_before, &records), script).await?;
    bring_photos(cast, deployment, (records_before, &records), script).await
}

fn finders(cast: &Cast) -> [&Phone; 3] {
    [cast.volunteer_a(), cast.volunteer_b(), cast.lead()]
}

fn write(cast: &Cast, script: &mut Script<'_>) -> Result<Vec<RecordId>> {
    let mut records = Vec::new();
    for (phone, find) in finders(cast).into_iter().zip(&FINDS) {
        phone.set_online(false);
        let mut photos = Vec::new();
        if let Some((scene, caption)) = find.photo {
            let id = script.photograph(phone, scene, find.at)?;
            photos.push((id, script.text(caption)));
        }
        let report = Report {
            title: script.text(find.title),
            description: script.text("demo.round_description"),
            category: find.category,
            severity: Some(Severity::Elevated),
            at: find.at,
            team: true,
            photos,
        };
        records.push(cast.report(phone, &report, script)?);
    }
    script.done(&Phrase::new("demo.meeting_written").with("count", records.len()))?;
    Ok(records)
}

/// Lets the three meet in pairs. The lead gets the record of volunteer A from volunteer B.
fn pair(cast: &Cast, records: &[RecordId], script: &mut Script<'_>) -> Result<()> {
    let [a, b, lead] = finders(cast);
    for (caller, listener, there, back) in [(a, b, 1, 1), (b, lead, 2, 1), (lead, a, 1, 0)] {
        let meeting = cast.meet(caller, listener);
        let meeting = meeting.map_err(|code| script.failed(&code))?;
        let [came_back, came_there] = &meeting.ends;
        script.expect("records brought", came_there.records.len(), there)?;
        script.expect("records brought back", came_back.records.len(), back)?;
        script.done(
            &Phrase::new("demo.meeting_met")
                .with("caller", name_of(caller, script))
                .with("listener", name_of(listener, script))
                .with("there", there)
                .with("back", back),
        )?;
    }
    for (at, phone) in finders(cast).into_iter().enumerate() {
        for (from, record) in records.iter().enumerate() {
            let state = if at == from {
                AttachmentState::Waiting
            } else {
                AttachmentState::Absent
            };
            let count = usize::from(FINDS[from].photo.is_some());
            script.expect_photos((phone, *record), count, state)?;
        }
    }
    script.done(&Phrase::new("demo.meeting_small"))
}

/// Lets the lead alone have a network.
async fn courier(
    cast: &Cast,
    deployment: &Deployment,
    (before, records): (usize, &[RecordId]),
    script: &mut Script<'_>,
) -> Result<()> {
    let photos_before = deployment.files()?.len();
    let lead = cast.lead();
    lead.set_online(true);
    cast.sync(lead, script).await?;
    let held = deployment.records()?;
    let there = records.iter().filter(|id| held.contains_key(id)).count();
    script.expect("on the server", there, records.len())?;
    script.expect("new on the server", held.len() - before, records.len())?;
    script.expect("photos", deployment.files()?.len(), photos_before)?;
    let room = cast.dispatcher();
    cast.sync(room, script).await?;
    for (record, find) in records.iter().zip(&FINDS) {
        let count = usize::from(find.photo.is_some());
        script.expect_photos((room, *record), count, AttachmentState::Absent)?;
    }
    script.done(&Phrase::new("demo.meeting_courier").with("count", there))
}

/// Lets the two volunteers bring their photos. The records are there already.
async fn bring_photos(
    cast: &Cast,
    deployment: &Deployment,
    (before, records): (usize, &[RecordId]),
    script: &mut Script<'_>,
) -> Result<()> {
    let [a, b, _] = finders(cast);
    a.set_online(true);
    b.set_online(true);
    cast.everybody(script).await?;
    let held = deployment.records()?;
    script.expect("new on the server", held.len() - before, records.len())?;
    let files = deployment.files()?;
    let mut count = 0;
    for (phone, record) in [(a, records[0]), (b, records[1])] {
        for photo in script.photos(phone, record)? {
            script.expect("photo", files.contains(&(record, photo.id)), true)?;
            let room = cast.dispatcher();
            let full = cast.fetch(room, (record, photo.id), script).await?;
            let original = script.ok(phone.full_photo(record, photo.id))?;
            script.expect("the same photo", full == original, true)?;
            count += 1;
        }
        let waiting = script.ok(phone.replica().undelivered())?;
        script.expect("undelivered", waiting, 0)?;
    }
    script.done(&Phrase::new("demo.meeting_photos").with("count", count))
}

fn name_of(phone: &Phone, script: &Script<'_>) -> String {
    let person = PEOPLE.iter().find(|person| person.key == phone.name());
    person.map_or_else(String::new, |person| script.text(person.role))
}
