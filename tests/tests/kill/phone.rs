//! A phone's process is killed while it writes, edits, moves and syncs.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use onegrid_core::fixtures::photo;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::sync::file_port::FilePort;
use onegrid_core::wire::verdict::{Status, Verdict};
use onegrid_server::store::StoreError;
use onegrid_tests::killed::life::{Line, PHOTO_BYTES, answer, hex};
use onegrid_tests::killed::{Counts, Point, counting, killed_at};
use onegrid_tests::town::{Card, Phone, Town, TownTemplate, copy_database};

use super::{End, enrolled, play};

const ROUNDS: u64 = 300;
const ROUNDS_QUICK: u64 = 20;
const SIGKILL: i32 = 9;
/// The number of different lives of phones.
const STORIES: u64 = 6;

pub(super) struct Template {
    pub(super) town: TownTemplate,
    pub(super) volunteer: Card,
    pub(super) head: Card,
}

pub(super) static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let mut town = Town::small(11);
    let [volunteer, head] = enrolled(&mut town);
    Template {
        town: town.into_template(),
        volunteer,
        head,
    }
});

/// The number of each call in each story.
static COUNTS: LazyLock<Vec<Counts>> = LazyLock::new(|| {
    let count = |story| {
        let mut town = TEMPLATE.town.copy(story);
        let log = town.folder().join("calls");
        let lived = live(counting(program(), &log), &mut town, story);
        assert!(lived.done, "a story that does not end: {lived:?}");
        assert!(lived.saved.len() > 8 && lived.judged.len() > 8, "{lived:?}");
        Counts::read(&log)
    };
    (0..STORIES).map(count).collect()
});

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_killed_phone"))
}

/// The reports of a phone before the kill.
#[derive(Debug, Default)]
pub(super) struct Lived {
    pub(super) saved: Vec<(RecordId, EnvelopeId, String)>,
    pub(super) photos: Vec<(Hash, u8)>,
    pub(super) judged: Vec<(RecordId, EnvelopeId)>,
    pub(super) done: bool,
    pub(super) killed: bool,
}

/// Runs the phone until it ends or is killed, and carries its requests.
fn live(mut command: Command, town: &mut Town, story: u64) -> Lived {
    let card = &TEMPLATE.volunteer;
    command.arg(town.folder().join("phones").join(&card.name));
    command.args([hex(&card.seed), (1_000 + story).to_string()]);
    command.args([story.to_string(), town.now_ms.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("strace is installed");
    let mut answers = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lived = Lived::default();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        match Line::read(&line) {
            Some(Line::Saved(record, id, words)) => lived.saved.push((record, id, words)),
            Some(Line::Photo(id, number)) => lived.photos.push((id, number)),
            Some(Line::Judged(record, id)) => lived.judged.push((record, id)),
            Some(Line::Post(request)) => {
                let reply = town.post(&request).unwrap();
                // The process may have been killed while it waited.
                let _ = answers.write_all(answer(&reply).as_bytes());
            }
            Some(Line::Done) => lived.done = true,
            None => {}
        }
        line.clear();
    }
    // strace ends in the same way as the process that it watched.
    lived.killed = child.wait().unwrap().signal() == Some(SIGKILL);
    lived
}

#[test]
fn a_phone_killed_at_any_call_has_all_that_it_said_is_saved() {
    play(ROUNDS, ROUNDS_QUICK, |number, chance| {
        let story = number % STORIES;
        let point = COUNTS[usize::try_from(story).unwrap()].draw(chance);
        round(story, point).map_err(|what| format!("killed at {point}: {what}"))
    });
}

fn round(story: u64, point: Point) -> Result<End, String> {
    let mut town = TEMPLATE.town.copy(story);
    let lived = live(killed_at(program(), point), &mut town, story);
    let card = &TEMPLATE.volunteer;
    whole(&town, card)?;
    let mut phone = card.open_in(&town, 2_000 + story);
    kept(&mut phone, &lived)?;
    photos_are_whole(&mut phone, &lived)?;
    nothing_half(&mut phone)?;
    goes_on(&mut phone, &mut town, &lived)?;
    Ok(End::of(lived.killed))
}

/// Checks that the file is whole to the last page.
pub(super) fn whole(town: &Town, card: &Card) -> Result<(), String> {
    let copy = town.folder().join("looked-at.db");
    let folder = town.folder().join("phones").join(&card.name);
    copy_database(&folder.join("replica.db"), &copy);
    let file = rusqlite::Connection::open(&copy).unwrap();
    let key = format!("PRAGMA key = \"x'{}'\";", hex(&card.seed));
    file.execute_batch(&key).unwrap();
    // The check of the codes reads the file alone, without its log.
    let moved = file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    moved.map_err(|error| format!("wal_checkpoint: {error}"))?;
    for check in ["integrity_check", "cipher_integrity_check"] {
        let mut statement = file.prepare(&format!("PRAGMA {check}")).unwrap();
        let said = statement.query_map([], |row| row.get::<_, String>(0));
        let said: Vec<String> = said.unwrap().map(Result::unwrap).collect();
        if said.iter().any(|line| line != "ok") {
            return Err(format!("{check}: {said:?}"));
        }
    }
    Ok(())
}

/// Checks that each saved envelope is there with its words, and that each verdict is still there.
pub(super) fn kept(phone: &mut Phone, lived: &Lived) -> Result<(), String> {
    for (record, id, words) in &lived.saved {
        let loaded = phone.replica().load(*record).unwrap();
        let node = loaded.as_ref().and_then(|loaded| loaded.node(*id));
        if node.is_none() {
            return Err(format!("{words} was saved and is gone"));
        }
        let view = phone.replica().view(*record).unwrap();
        if !format!("{view:?}").contains(words) && !overwritten(lived, record, words) {
            return Err(format!("{words} is not on the page of its record"));
        }
    }
    for (record, id) in &lived.judged {
        if verdict_on(phone, *record, *id).is_none() {
            return Err(format!("{id} had a verdict and has none"));
        }
    }
    Ok(())
}

/// Checks that each saved photo is there, that every photo is whole, and that no other file is left.
pub(super) fn photos_are_whole(phone: &mut Phone, lived: &Lived) -> Result<(), String> {
    let mut all = phone.replica().staged().unwrap();
    for row in phone.replica().rows().unwrap() {
        all.extend(phone.replica().attachments_of(row.id).unwrap());
    }
    for (id, number) in &lived.photos {
        let info = all.iter().find(|info| info.id == *id);
        let info = info.ok_or_else(|| format!("photo {number} was saved and is gone"))?;
        let read = phone
            .replica()
            .read_attachment(info.record, *id, 0, PHOTO_BYTES * 2);
        if read.map_err(|error| error.code().to_owned())? != photo(PHOTO_BYTES, *number) {
            return Err(format!("photo {number} is another one"));
        }
    }
    for info in &all {
        let read = phone
            .replica()
            .read_attachment(info.record, info.id, 0, PHOTO_BYTES * 2);
        let read = read.map_err(|error| format!("a photo is not whole: {}", error.code()))?;
        if read.len() as u64 != info.bytes {
            return Err(format!(
                "a photo of {} bytes has {}",
                info.bytes,
                read.len()
            ));
        }
    }
    let folder = phone.folder().join("replica.db.files");
    let files = std::fs::read_dir(folder).map_or(0, Iterator::count);
    if files == all.len() {
        Ok(())
    } else {
        Err(format!("{files} files for {} photos", all.len()))
    }
}

/// Whether the phone wrote in that record again; a later address replaces an earlier one.
fn overwritten(lived: &Lived, record: &RecordId, words: &str) -> bool {
    let mut later = lived.saved.iter().filter(|(other, _, _)| other == record);
    later.any(|(_, _, said)| said != words)
}

fn verdict_on(phone: &mut Phone, record: RecordId, id: EnvelopeId) -> Option<Verdict> {
    let loaded = phone.replica().load(record).unwrap()?;
    loaded.node(id)?.verdict
}

/// Checks that every record can be read, that its row follows from its envelopes, and that each envelope
/// without a verdict is in the outbox.
pub(super) fn nothing_half(phone: &mut Phone) -> Result<(), String> {
    let rows = phone.replica().rows().unwrap();
    let mut unjudged = 0;
    for row in &rows {
        let loaded = phone.replica().load(row.id).unwrap();
        let loaded = loaded.ok_or_else(|| format!("a row without its record: {}", row.id))?;
        let awaits = loaded.nodes().iter().filter(|node| node.verdict.is_none());
        unjudged += u64::try_from(awaits.count()).unwrap();
    }
    let outbox = phone.replica().undelivered().unwrap();
    if outbox != unjudged {
        return Err(format!(
            "{unjudged} await a verdict, {outbox} are in the outbox"
        ));
    }
    phone.replica().rebuild().unwrap();
    if phone.replica().rows().unwrap() != rows {
        return Err("rows made anew are others".to_owned());
    }
    Ok(())
}

/// Checks that sync continues, that everything saved is accepted, and that another phone sees it.
pub(super) fn goes_on(phone: &mut Phone, town: &mut Town, lived: &Lived) -> Result<(), String> {
    let report = phone.try_sync(town)?;
    if !report.equal || phone.replica().undelivered().unwrap() != 0 {
        return Err(format!("no end to the sync: {report:?}"));
    }
    let left = phone.replica().files_left().unwrap().uploads;
    let mut sent = BTreeSet::new();
    while let Some(next) = phone.replica().next_upload(&sent).unwrap() {
        let read = FilePort::read(phone.replica(), &next.name, 0, PHOTO_BYTES * 2);
        if read.map(|read| read.len() as u64).ok() != Some(next.bytes) {
            return Err("a photo cannot be sent".to_owned());
        }
        sent.insert(next.name);
    }
    if sent.len() as u64 != left {
        return Err(format!(
            "{left} photos are left and {} can be sent",
            sent.len()
        ));
    }
    let mut head = TEMPLATE.head.open_in(town, 3_000);
    head.try_sync(town)?;
    for (record, id, words) in &lived.saved {
        let there = town
            .store()
            .read::<_, StoreError>(|tx| tx.verdict(*id))
            .unwrap();
        let here = verdict_on(phone, *record, *id);
        if there.is_none() || here.map(|v| v.status) != Some(Status::Accepted) {
            return Err(format!("{words}: {here:?} here, {there:?} there"));
        }
        let seen = head.replica().load(*record).unwrap();
        if seen.is_none_or(|seen| seen.node(*id).is_none()) {
            return Err(format!("{words} never came to another phone"));
        }
    }
    Ok(())
}
