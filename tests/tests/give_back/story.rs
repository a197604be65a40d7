//! A town with a story before the loss of its server, and the envelopes that phones and server hold of
//! it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::id::RecordId;
use onegrid_core::sync::port::StarPort;
use onegrid_core::wire::repair::SettledEnvelope;
use onegrid_server::admin::verify::verify;
use onegrid_server::store::StoreError;
use onegrid_tests::town::{GRID, Phone, STREET, Town, VILLAGE};

/// A town with a volunteer who writes, and readers who have not synced yet.
pub(crate) struct Story {
    pub(crate) town: Town,
    pub(crate) writer: Phone,
    pub(crate) early: Phone,
    pub(crate) late: Phone,
    pub(crate) records: Vec<RecordId>,
    pub(crate) backup: PathBuf,
}

pub(crate) fn report(town: &mut Town, phone: &mut Phone, title: &str) -> RecordId {
    let draft = town.hazard(title);
    town.pass(1_000);
    let now = phone.clock_ms(town);
    phone.replica().report(&draft, now).unwrap()
}

pub(crate) fn say(town: &mut Town, phone: &mut Phone, record: RecordId, words: &str) {
    town.pass(1_000);
    let now = phone.clock_ms(town);
    let comment = Comment {
        text: Some(Text::new(words).unwrap()),
        attachments: Vec::new(),
        mentions: Vec::new(),
    };
    phone.replica().comment(record, comment, now).unwrap();
}

pub(crate) fn dispatch_to_gas(town: &mut Town, room: &mut Phone, record: RecordId) {
    for event in town.pass_on_to_gas() {
        town.pass(1_000);
        let now = room.clock_ms(town);
        room.replica().act(record, &event, None, now).unwrap();
    }
}

/// Plays the story. The backup is of the first report. `early` loads then, and `late` loads
/// everything, so both hold packs.
pub(crate) fn story(seed: u64) -> Story {
    let mut town = Town::small(seed).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut early = town.enrol("grid", "grid_worker", GRID, "");
    let mut late = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut records = vec![report(&mut town, &mut writer, "first")];
    writer.sync(&mut town);
    let backup = town.backup();
    records.push(report(&mut town, &mut writer, "second"));
    say(&mut town, &mut writer, records[0], "more of the first");
    writer.sync(&mut town);
    early.sync(&mut town);
    records.push(report(&mut town, &mut writer, "third"));
    say(&mut town, &mut writer, records[1], "more of the second");
    writer.sync(&mut town);
    late.sync(&mut town);
    Story {
        town,
        writer,
        early,
        late,
        records,
        backup,
    }
}

pub(crate) fn is_whole(town: &Town) {
    let found = verify(town.server(), &mut |_, _| {}).unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
}

/// Returns the settled envelopes of a phone, by record.
pub(crate) fn held(phone: &mut Phone) -> BTreeMap<RecordId, Vec<SettledEnvelope>> {
    let rows = phone.replica().rows().unwrap();
    rows.iter()
        .map(|row| (row.id, phone.replica().settled(&row.id).unwrap()))
        .collect()
}

/// Returns the settled envelopes of a record on the server.
pub(crate) fn there(town: &Town, record: RecordId) -> Vec<SettledEnvelope> {
    let settled = town.store().read(|tx| tx.settled(record));
    let settled: Result<_, StoreError> = settled;
    let mut settled: Vec<SettledEnvelope> = settled
        .unwrap()
        .into_iter()
        .map(|(id, verdict)| SettledEnvelope { id, verdict })
        .collect();
    settled.sort_unstable_by_key(|line| line.id);
    settled
}
