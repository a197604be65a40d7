//! A phone with 10,000 records comes back: nothing changed, then 50 changed records on each side.

use onegrid_core::crdt::{Field, FieldEdit, FieldValue};
use onegrid_core::replica::Filter;

use super::table::Table;
use super::{bundle_of, plain_sizes};
use crate::histories::{Cast, Written};
use crate::town::{Phone, Town};

const BENCH: &str = "a phone with 10,000 records comes back, bodies";
const CHANGED: usize = 50;

#[allow(
    clippy::too_many_lines,
    reason = "one measurement after the other, on the same town"
)]
pub(super) fn measure(table: &mut Table, town: &mut Town, cast: &mut Cast, cases: &[Written]) {
    eprintln!("reconnect");
    let mut lead = town.enrol("lead", "district_lead", "330105000000", "");
    lead.sync(town);
    let records = lead.replica().count(&Filter::default()).unwrap();
    table.note(
        BENCH,
        "records of the district lead",
        records as f64,
        "records",
    );
    let idle = lead.sync(town);
    table.note(
        BENCH,
        "nothing changed: round trips",
        f64::from(idle.round_trips),
        "",
    );
    let bodies = (idle.bytes_up + idle.bytes_down) as f64;
    table.budget(
        BENCH,
        "nothing changed: bytes both ways, bodies",
        bodies,
        "B",
        1_000.0,
    );

    // Fifty records change elsewhere.
    let news = cast.continue_some(cases, CHANGED);
    let (_, packed) = plain_sizes(news.iter().flat_map(|case| &case.envelopes));
    let taken = town
        .server()
        .ingest(
            bundle_of(&news),
            &std::collections::HashMap::new(),
            town.now_ms,
        )
        .unwrap();
    assert!(taken.missing.is_empty());
    let pull = lead.sync(town);
    table.note(
        BENCH,
        "50 changed there: round trips",
        f64::from(pull.round_trips),
        "",
    );
    table.note(BENCH, "50 changed there: bytes both ways", both(&pull), "B");
    table.note(
        BENCH,
        "50 changed there: zstd-3 of the missing envelopes",
        packed as f64,
        "B",
    );
    table.budget(
        BENCH,
        "50 changed there: of that size",
        both(&pull) / packed as f64,
        "×",
        1.3,
    );

    let written = change_here(&mut lead, town);
    let (_, packed) = plain_sizes(written.iter());
    let push = lead.sync(town);
    assert!(push.equal, "phone and server agree");
    table.note(
        BENCH,
        "50 changed here: round trips",
        f64::from(push.round_trips),
        "",
    );
    table.note(
        BENCH,
        "50 changed here: bytes up",
        push.bytes_up as f64,
        "B",
    );
    table.note(BENCH, "50 changed here: bytes both ways", both(&push), "B");
    table.note(
        BENCH,
        "50 changed here: zstd-3 of the missing envelopes",
        packed as f64,
        "B",
    );
    table.budget(
        BENCH,
        "50 changed here: of that size",
        both(&push) / packed as f64,
        "×",
        1.3,
    );
}

fn both(report: &onegrid_core::sync::report::Report) -> f64 {
    (report.bytes_up + report.bytes_down) as f64
}

fn change_here(
    lead: &mut Phone,
    town: &Town,
) -> Vec<onegrid_core::wire::envelope::VerifiedEnvelope> {
    let page = lead
        .replica()
        .list(&Filter::default(), None, CHANGED)
        .unwrap();
    let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    let mut written = Vec::new();
    for (n, id) in ids.into_iter().enumerate() {
        let note = format!("第{n}处：已电话联系店主，约定下午现场看。");
        let edit = FieldEdit::set(Field::Answer("visit".into()), FieldValue::Text(note));
        let made = lead.replica().edit(id, &[edit], town.now_ms).unwrap();
        written.push((id, made));
    }
    let bundle = {
        use onegrid_core::sync::port::{OutboxAsk, StarPort};
        let ask = OutboxAsk {
            bytes_max: usize::MAX / 2,
            envelopes_max: 10_000,
            without: &std::collections::BTreeSet::new(),
        };
        lead.replica().outbox(&ask).unwrap()
    };
    bundle
        .envelopes
        .into_iter()
        .map(|raw| {
            let envelope = onegrid_core::wire::envelope::Envelope::parse(raw).unwrap();
            onegrid_core::wire::envelope::VerifiedEnvelope::vouched(envelope)
        })
        .collect()
}
