//! Scenario 11: the server is lost and comes back from an older backup; the phones give back what it missed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::PathBuf;

use onegrid_core::crdt::{Content, Details, Field, FieldEdit, FieldValue, Hazard};
use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::id::RecordId;
use onegrid_core::replica::Draft;
use onegrid_tests::town::{Phone, Town};

const VILLAGE: &str = "330105013003";
const GRID: &str = "330105013003001";
const TOWN: &str = "330105013000";

/// A town with a volunteer who writes, and readers who have not synced yet.
struct Story {
    town: Town,
    writer: Phone,
    early: Phone,
    late: Phone,
    records: Vec<RecordId>,
    backup: PathBuf,
}

fn report(town: &mut Town, phone: &mut Phone, title: &str) -> RecordId {
    let details = Details {
        title: Some(title.to_owned()),
        category: Some("gas".to_owned()),
        ..Details::default()
    };
    let content = Content::Hazard(Hazard {
        details,
        severity: None,
    });
    let draft = Draft::staff(content, town.places.path(GRID));
    town.pass(1_000);
    let now = phone.clock_ms(town);
    phone.replica().report(&draft, now).unwrap()
}

fn say(town: &mut Town, phone: &mut Phone, record: RecordId, words: &str) {
    town.pass(1_000);
    let now = phone.clock_ms(town);
    let comment = Comment {
        text: Some(Text::new(words).unwrap()),
        attachments: Vec::new(),
        mentions: Vec::new(),
    };
    phone.replica().comment(record, comment, now).unwrap();
}

/// The backup is of the first report. `early` loads then, `late` loads all: both hold packs.
fn story(seed: u64) -> Story {
    let mut town = Town::small(seed);
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut early = town.enrol("grid", "grid_worker", GRID, "");
    let mut late = town.enrol("room", "dispatcher", TOWN, "wulin-command-room");
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

fn is_whole(town: &Town) {
    let found = town.server().verify(&mut |_, _| {}).unwrap();
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
}

#[test]
fn records_that_survive_only_in_packs_come_back_and_work_goes_on_upon_them() {
    let mut story = story(11);
    let town = &mut story.town;
    drop(story.writer);
    drop(story.early);
    town.restore(&story.backup);
    let report = story.late.sync(town);
    assert!(report.equal, "{report:?}");
    is_whole(town);
    let mut other = town.enrol("grid two", "grid_worker", GRID, "");
    for record in &story.records {
        say(town, &mut story.late, *record, "the command room goes on");
    }
    for _ in 0..2 {
        for phone in [&mut story.late, &mut other] {
            let report = phone.sync(town);
            assert!(report.equal, "{}: {report:?}", phone.name);
        }
    }
    for record in &story.records {
        let (here, there) = (
            story.late.replica().row(*record).unwrap().unwrap(),
            other.replica().row(*record).unwrap().unwrap(),
        );
        assert_eq!(here.title, there.title);
        assert!(!here.provisional && here.undelivered == 0);
    }
    is_whole(town);
}

#[test]
fn a_revocation_that_the_backup_does_not_know_comes_back_before_the_work() {
    let mut story = story(13);
    let town = &mut story.town;
    let device = story.writer.device();
    let now = town.now_ms;
    town.server().revoke(device, "admin", now).unwrap();
    story.late.sync(town);
    town.restore(&story.backup);
    assert!(story.late.sync(town).equal);
    let record = report(town, &mut story.writer, "after the loss");
    assert!(story.writer.try_sync(town).is_err(), "cut off again");
    assert!(story.late.sync(town).equal);
    assert!(story.late.replica().row(record).unwrap().is_none());
    // What it had delivered before stays.
    for record in &story.records {
        assert!(story.late.replica().row(*record).unwrap().is_some());
    }
    is_whole(town);
}

#[test]
fn two_phones_with_one_key_lose_nothing() {
    let mut town = Town::small(14);
    let mut phone = town.enrol("grid", "grid_worker", GRID, "");
    let mut reader = town.enrol("room", "dispatcher", TOWN, "wulin-command-room");
    phone.sync(&mut town);
    let record = report(&mut town, &mut phone, "the one");
    phone.sync(&mut town);
    phone.close();
    let under = town.folder().join("clones");
    let mut clone = phone.clone_to("clone", &under, true);
    phone.reopen();
    let mut records = vec![record];
    for (twin, title) in [(&mut phone, "mine"), (&mut clone, "the twin's")] {
        records.push(report(&mut town, twin, title));
        let now = twin.clock_ms(&town);
        let value = FieldValue::Text(title.to_owned());
        let edit = FieldEdit::set(Field::Title, value);
        twin.replica().edit(record, &[edit], now).unwrap();
    }
    for _ in 0..4 {
        phone.sync(&mut town);
        clone.sync(&mut town);
        reader.sync(&mut town);
    }
    for phone in [&mut phone, &mut clone, &mut reader] {
        assert!(phone.sync(&mut town).equal, "{}", phone.name);
        for record in &records {
            assert!(phone.replica().row(*record).unwrap().is_some());
        }
        assert_eq!(phone.replica().undelivered().unwrap(), 0);
    }
    is_whole(&town);
}
