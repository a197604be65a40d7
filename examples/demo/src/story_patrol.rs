//! A round without network, and its upload. On request, the server is killed in the middle of the upload.

use onegrid_core::domain::case::Severity;
use onegrid_core::id::RecordId;

use crate::cast::{Cast, Report, reach};
use crate::deployment::Deployment;
use crate::relay::{Cut, Relay};
use crate::script::Script;
use onegrid_server::error::{Phrase, Problem, Result};

/// The hazards that the volunteer finds: place, category, title.
const ROUND: [((f64, f64), &str, &str); 8] = [
    ((30.318_57, 120.118_13), "fire_lane", "demo.round_fire_lane"),
    ((30.315_40, 120.109_40), "ebike", "demo.round_ebike"),
    ((30.306_98, 120.105_90), "wire", "demo.round_wire"),
    ((30.305_21, 120.113_73), "rubbish", "demo.round_rubbish"),
    ((30.299_31, 120.111_97), "building", "demo.round_building"),
    ((30.294_71, 120.117_00), "tree", "demo.round_tree"),
    (
        (30.303_06, 120.119_81),
        "street_trading",
        "demo.round_trading",
    ),
    ((30.308_77, 120.115_68), "occupied_road", "demo.round_road"),
];

/// The first bytes of the request that carries the round.
const SYNC: &[u8] = b"POST /v1/sync";

pub(crate) async fn play(
    cast: &Cast,
    deployment: &mut Deployment,
    kill_server: bool,
    script: &mut Script<'_>,
) -> Result<()> {
    script.title("demo.title_patrol")?;
    let phone = cast.volunteer_b();
    phone.set_online(false);
    let mut written = Vec::new();
    for (at, category, title) in ROUND {
        let report = Report {
            title: script.text(title),
            description: script.text("demo.round_description"),
            category,
            severity: Some(Severity::General),
            at,
            team: true,
            photos: Vec::new(),
        };
        written.push(cast.report(phone, &report, script)?);
    }
    let waiting = script.ok(phone.replica().undelivered())?;
    script.expect("undelivered", waiting, ROUND.len() as u64)?;
    script.done(&Phrase::new("demo.round_walked").with("count", waiting))?;
    phone.set_online(true);
    if kill_server {
        kill(cast, deployment, &written, script).await?;
    }
    cast.everybody(script).await?;
    let waiting = script.ok(phone.replica().undelivered())?;
    script.expect("undelivered", waiting, 0)?;
    let held = deployment.records()?;
    let there = written.iter().filter(|id| held.contains_key(id)).count();
    script.expect("on the server", there, written.len())?;
    script.done(&Phrase::new("demo.round_delivered").with("count", there))
}

/// Kills the server twice: while the upload is on its way, and after the server has stored the upload but
/// before the phone hears of that.
async fn kill(
    cast: &Cast,
    deployment: &mut Deployment,
    written: &[RecordId],
    script: &mut Script<'_>,
) -> Result<()> {
    for (cut, line) in [
        (Cut::Upload(SYNC), "demo.killed_upload"),
        (Cut::Answer(SYNC), "demo.killed_answer"),
    ] {
        let acknowledged = deployment.records()?;
        let lost = |error: &std::io::Error| Problem::new("demo.io").because(error);
        let relay = Relay::bind(deployment.address()).await;
        let relay = relay.map_err(|error| lost(&error))?;
        let address = relay.address().map_err(|error| lost(&error))?;
        let config = reach(address, script)?;
        let synced = cast.volunteer_b().sync_by(&config);
        tokio::pin!(synced);
        // The dead wire stays in place until the server is dead.
        let dead = tokio::select! {
            dead = relay.until(cut) => dead.map_err(|error| lost(&error))?,
            _ = &mut synced => return Err(script.failed("demo.not_cut")),
        };
        deployment.kill().await?;
        drop(dead);
        script.expect("sync through a cut wire", synced.await.is_ok(), false)?;
        deployment.start().await?;
        let after = deployment.records()?;
        for (id, before) in &acknowledged {
            let same = after.get(id) == Some(before) || written.contains(id);
            script.expect("acknowledged and there", same, true)?;
        }
        let waiting = script.ok(cast.volunteer_b().replica().undelivered())?;
        script.expect("undelivered", waiting, written.len() as u64)?;
        let stored = written.iter().filter(|id| after.contains_key(id)).count();
        let expected = if matches!(cut, Cut::Answer(_)) {
            written.len()
        } else {
            0
        };
        script.expect("stored before the kill", stored, expected)?;
        script.done(&Phrase::new(line).with("count", stored))?;
    }
    Ok(())
}
