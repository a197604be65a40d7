//! The verbs of walks.

use onegrid_core::net::now_ms;
use onegrid_ffi::Answer;
use onegrid_ffi::phone::Phone;
use onegrid_ffi::types as t;
use serde_json::{Value, json};

use super::arguments::{Arguments, position};
use super::shown::code;

/// Makes a call about walks; `None` for another verb.
pub(super) fn walk_verb(phone: &Phone, verb: &str, with: &Arguments<'_>) -> Option<Answer<Value>> {
    let record = || with.text("record");
    Some(match verb {
        "join_code" => {
            let minutes = with.number("minutes").unwrap_or(10);
            let minutes = u8::try_from(minutes).expect("1 to 60 minutes");
            phone.join_code(record(), minutes).map(Value::from)
        }
        "join_by_code" => phone.join_by_code(with.text("code")).map(Value::from),
        "add_track" => phone
            .add_track(record(), points(with))
            .map(|added| json!({ "left_out": added.left_out })),
        "scan_checkpoint" => phone
            .scan_checkpoint(record(), with.text("code"), with.position("position"))
            .map(|scanned| json!({ "section": scanned.section, "number": scanned.number })),
        "leave_walk" => phone.leave_walk(record()).map(Value::from),
        "walk" => {
            let section = with.value("section").map(section);
            phone.walk(record(), section).map(|walk| shown_walk(&walk))
        }
        "coverage" => {
            let section = section(with.value("section").expect("a section"));
            phone
                .coverage(section, with.texts("records"), with.text("day"))
                .map(|found| shown_coverage(&found))
        }
        _ => return None,
    })
}

fn points(with: &Arguments<'_>) -> Vec<t::WayPoint> {
    let points = with.value("points").and_then(Value::as_array);
    let now = now_ms();
    let point = |value: &Value| t::WayPoint {
        at_ms: now - 1_000 * value["ago_s"].as_i64().expect("seconds"),
        position: position(value),
        after_gap: value["after_gap"].as_bool().unwrap_or_default(),
    };
    points.into_iter().flatten().map(point).collect()
}

fn section(value: &Value) -> t::WalkSection {
    let items = |name: &str| value[name].as_array().cloned().unwrap_or_default();
    let number = |value: &Value| {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        number.expect("a small number")
    };
    let checkpoint = |one: &Value| t::SectionCheckpoint {
        number: number(&one["number"]),
        position: position(&one["position"]),
        name: one["name"].as_str().expect("a name").to_owned(),
    };
    let target = |one: &Value| t::SectionTarget {
        from_minute: number(&one["from_minute"]),
        to_minute: number(&one["to_minute"]),
        wanted: number(&one["wanted"]),
        per_hour: one["per_hour"].as_bool().unwrap_or_default(),
    };
    t::WalkSection {
        id: value["id"].as_str().expect("an id").to_owned(),
        line: items("line").iter().map(position).collect(),
        checkpoints: items("checkpoints").iter().map(checkpoint).collect(),
        targets: items("targets").iter().map(target).collect(),
    }
}

fn shown_walk(walk: &t::WalkDetail) -> Value {
    let scan = |scan: &t::WalkScan| json!({ "checkpoint": scan.checkpoint, "refused": code(scan.refused.as_ref()) });
    let walker = |one: &t::Walker| {
        json!({
            "own": one.own,
            "lead": one.is_lead,
            "refused": code(one.refused.as_ref()),
            "points": one.points,
            "outside": one.outside,
            "way": one.way.len(),
            "left": one.left_ms.is_some(),
            "withheld": one.withheld,
            "scans": one.scans.iter().map(scan).collect::<Vec<_>>(),
        })
    };
    json!({
        "section": walk.section,
        "ended": walk.ended_ms.is_some(),
        "abandoned": walk.abandoned,
        "walkers": walk.walkers.iter().map(walker).collect::<Vec<_>>(),
    })
}

fn shown_coverage(found: &t::WalkCoverage) -> Value {
    json!({
        "passes": found.passes.len(),
        "records": found.passes.iter().flat_map(|pass| pass.records.clone()).collect::<Vec<_>>(),
        "shortfalls": found.shortfalls.iter().map(|gap| gap.wanted - gap.found).collect::<Vec<_>>(),
    })
}
