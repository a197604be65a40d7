//! The power of a phone or of the server fails at any write, with any loss of unsynced data; and the disk
//! itself fails. Nothing that was promised is lost, and nothing is half there.
//!
//! ```text
//!  one story, recorded ─▶ for each drawn event and loss: the disk after the cut ─▶ opened by the real code
//! ```
//!
//! `POWER_CUTS=10000` cuts the power of each so often, `POWER_SEED=7` draws other cuts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use onegrid_core::fixtures::photo;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::replica::ReplicaError;
use onegrid_core::wire::verdict::Status;
use onegrid_failing_disk::{Call, Event, Failure, Fault, Image, Loss, Recording, Replay};
use onegrid_server::admin::verify::verify;
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;
use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};
use onegrid_server::store::{Store, StoreError};
use onegrid_tests::killed::life::{Life, Line, PHOTO_BYTES, answer};
use onegrid_tests::sim::chance::Chance;
use onegrid_tests::town::{Phone, Town, TownTemplate, fresh_folder};

use super::phone::{Lived, TEMPLATE, goes_on, kept, nothing_half, photos_are_whole, whole};

/// Power cuts of the phone, and of the server.
const CUTS: usize = 300;
const CUTS_QUICK: usize = 40;
/// The number of different stories.
const STORIES: u64 = 2;
/// One in so many images of a phone also syncs with the server.
const SYNC_ONE_IN: usize = 25;

/// A phone's life in this process, and its carrier to the server.
struct Carrier {
    town: Town,
    phone: Arc<Recording>,
    server: Arc<Recording>,
    line: Vec<u8>,
    answers: VecDeque<u8>,
    lived: Vec<Line>,
}

impl Carrier {
    fn take_lines(&mut self) {
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let line = String::from_utf8(std::mem::replace(&mut self.line, rest)).unwrap();
            self.take(Line::read(&line).unwrap());
        }
    }

    fn take(&mut self, line: Line) {
        let number = self.lived.len() as u64;
        match &line {
            Line::Post(request) => {
                let reply = self.town.post(request).unwrap();
                self.answers.extend(answer(&reply).into_bytes());
                return;
            }
            Line::Judged(..) => {
                self.phone.promise(number);
                self.server.promise(number);
            }
            Line::Saved(..) | Line::Photo(..) => self.phone.promise(number),
            Line::Done => {}
        }
        self.lived.push(line);
    }
}

#[derive(Clone)]
struct Shared(Rc<RefCell<Carrier>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut carrier = self.0.borrow_mut();
        carrier.line.extend_from_slice(bytes);
        carrier.take_lines();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The answers, read in lines.
struct Answers {
    from: Shared,
    line: Vec<u8>,
}

impl Read for Answers {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Answers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.line.extend(self.from.0.borrow_mut().answers.drain(..));
        Ok(&self.line)
    }

    fn consume(&mut self, amount: usize) {
        self.line.drain(..amount);
    }
}

/// A story that was lived and recorded.
struct Story {
    /// The server at the end.
    town: TownTemplate,
    phone: Arc<Recording>,
    server: Arc<Recording>,
    lived: Vec<Line>,
}

fn story(number: u64) -> Story {
    let mut town = TEMPLATE.town.copy(number);
    let mut phone = TEMPLATE.volunteer.open_in(&town, 1_000 + number);
    let recorded = phone.record();
    let server = town.record_server();
    let now_ms = town.now_ms;
    let carrier = Shared(Rc::new(RefCell::new(Carrier {
        town,
        phone: Arc::clone(&recorded),
        server: Arc::clone(&server),
        line: Vec::new(),
        answers: VecDeque::new(),
        lived: Vec::new(),
    })));
    let mut out = carrier.clone();
    let mut answers = Answers {
        from: carrier.clone(),
        line: Vec::new(),
    };
    let life = Life {
        phone,
        story: Chance::new(number),
        now_ms,
        out: &mut out,
        answers: &mut answers,
    };
    life.live();
    drop((out, answers));
    let carrier = Rc::into_inner(carrier.0)
        .expect("the life is over")
        .into_inner();
    assert_eq!(carrier.lived.last(), Some(&Line::Done));
    Story {
        town: carrier.town.into_template(),
        phone: recorded,
        server,
        lived: carrier.lived,
    }
}

/// A power cut: the number of events before it, and the fate of unsynced data.
#[derive(Debug, Clone, Copy)]
struct Cut {
    event: usize,
    loss: Loss,
    seed: u64,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Draws cuts of a recording, in the order of their events.
fn draw(events: usize, chance: &mut Chance) -> Vec<Cut> {
    let quick = std::env::var_os("QUICK").map(|_| CUTS_QUICK);
    let wanted = number("POWER_CUTS").and_then(|many| usize::try_from(many).ok());
    let many = wanted.or(quick).unwrap_or(CUTS) / usize::try_from(STORIES).unwrap();
    let cut = |_| Cut {
        event: chance.below(events + 1),
        loss: chance.pick(&Loss::ALL).unwrap(),
        seed: u64::from_be_bytes(chance.bytes()),
    };
    let mut cuts: Vec<Cut> = (0..many).map(cut).collect();
    cuts.sort_by_key(|cut| cut.event);
    cuts
}

/// Shows the disk after each drawn cut to `check`, with the promises before it. Returns the number of different
/// disks.
fn cut_power(
    recording: &Recording,
    chance: &mut Chance,
    mut check: impl FnMut(&Image, &[u64], &mut Chance) -> Result<(), String>,
) -> usize {
    let mut replay = Replay::of(recording);
    assert!(replay.len() > 100, "the story is recorded");
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    let mut at = 0;
    for cut in draw(replay.len(), chance) {
        while at < cut.event {
            replay.step().unwrap();
            at += 1;
        }
        let mut dice = Chance::new(cut.seed);
        let image = replay.image(cut.loss, dice.rng());
        let promised = replay.promises();
        if !seen.insert(fingerprint(&image, promised.len())) {
            continue;
        }
        if let Err(what) = check(&image, promised, &mut dice) {
            failures.push(format!("{cut:?}: {what}"));
        }
    }
    let shown = &failures[..failures.len().min(5)];
    assert!(
        failures.is_empty(),
        "{} of {} cuts lost something, the first are\n{}",
        failures.len(),
        seen.len(),
        shown.join("\n")
    );
    seen.len()
}

fn fingerprint(image: &Image, promises: usize) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (promises, &image.0).hash(&mut hasher);
    hasher.finish()
}

/// The part of a life that was promised.
fn promised(lived: &[Line], promises: &[u64]) -> Lived {
    let mut part = Lived::default();
    for promise in promises {
        match &lived[usize::try_from(*promise).unwrap()] {
            Line::Saved(record, id, words) => part.saved.push((*record, *id, words.clone())),
            Line::Photo(id, number) => part.photos.push((*id, *number)),
            Line::Judged(record, id) => part.judged.push((*record, *id)),
            Line::Post(_) | Line::Done => {}
        }
    }
    part
}

#[test]
fn phone_without_power_keeps_all_that_it_saved() {
    let seed = number("POWER_SEED").unwrap_or(0);
    for number in 0..STORIES {
        let story = story(number);
        let from = TEMPLATE.volunteer.name.clone();
        let mut chance = Chance::new(seed.wrapping_add(number));
        let cuts = cut_power(&story.phone, &mut chance, |image, promises, dice| {
            let lived = promised(&story.lived, promises);
            let sync = dice.one_in(SYNC_ONE_IN);
            let mut town = story.town.copy(number);
            let folder = town.folder().join("phones").join(&from);
            std::fs::remove_dir_all(&folder).unwrap();
            image.write(story.phone.folder(), &folder).unwrap();
            let card = &TEMPLATE.volunteer;
            let mut phone = card.at(folder, 2_000 + number);
            phone
                .try_reopen()
                .map_err(|error| error.code().to_owned())?;
            whole(&town, card)?;
            kept(&mut phone, &lived)?;
            photos_are_whole(&mut phone, &lived)?;
            nothing_half(&mut phone)?;
            if sync {
                goes_on(&mut phone, &mut town, &lived)?;
            }
            Ok(())
        });
        assert!(cuts > 10, "only {cuts} different disks");
    }
}

#[test]
fn server_without_power_keeps_every_receipt() {
    let seed = number("POWER_SEED").unwrap_or(0);
    for number in 0..STORIES {
        let story = story(number);
        let keys = story.town.keys().clone();
        let mut chance = Chance::new(seed.wrapping_add(number));
        let cuts = cut_power(&story.server, &mut chance, |image, promises, _| {
            let folder = fresh_folder();
            image.write(story.server.folder(), folder.path()).unwrap();
            let database = folder.path().join("server.db");
            unharmed(&database)?;
            let store = SqliteStore::open(&database, SqliteOptions::default());
            let store: Arc<dyn Store> = Arc::new(store.map_err(|error| error.to_string())?);
            for (_, id) in promised(&story.lived, promises).judged {
                let verdict = store.read::<_, StoreError>(|tx| tx.verdict(id)).unwrap();
                if verdict.map(|(_, verdict)| verdict.status) != Some(Status::Accepted) {
                    return Err(format!("{id} had a receipt and is {verdict:?}"));
                }
            }
            let server = Server::open(store, keys.clone(), Rules::built_in());
            let server = server.map_err(|problem| problem.code().to_owned())?;
            let report = verify(&server, &mut |_, _| {}).map_err(|p| p.code().to_owned())?;
            if report.wrong.is_empty() {
                Ok(())
            } else {
                Err(format!("verify: {report:?}"))
            }
        });
        assert!(cuts > 10, "only {cuts} different disks");
    }
}

/// Checks that a database without a key is whole to the last page.
fn unharmed(database: &Path) -> Result<(), String> {
    let file = rusqlite::Connection::open(database).unwrap();
    let said = file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        said => Err(format!("integrity_check: {said:?}")),
    }
}

/// A connection that writes asks for a sync at each commit, in words: the default of `SQLite` may change.
#[test]
fn writing_connections_ask_for_full_sync() {
    let story = story(0);
    for (recording, file) in [(&story.phone, "replica.db"), (&story.server, "server.db")] {
        let settings = recording.settings();
        let of = |name: &str, value: &str| {
            let asked = settings.iter().filter(|(path, known, set)| {
                path.file_name().is_some_and(|path| path == file) && known == name && set == value
            });
            asked.count()
        };
        let logs = of("journal_mode", "WAL");
        assert!(logs > 0, "{file}: {settings:?}");
        assert_eq!(of("synchronous", "FULL"), logs, "{file}: {settings:?}");
    }
}

/// The faults of a disk that the phone meets while it writes, each early, later and lasting.
fn faults() -> Vec<Fault> {
    let kinds = [
        (Call::Write, Failure::Full),
        (Call::Write, Failure::Device),
        (Call::Sync, Failure::Device),
        (Call::Read, Failure::Device),
        (Call::Read, Failure::Short),
        (Call::Cut, Failure::Device),
    ];
    let mut faults = Vec::new();
    for (call, failure) in kinds {
        for nth in [1, 3, 8, 21] {
            for lasts in [false, true] {
                faults.push(Fault {
                    call,
                    nth,
                    failure,
                    lasts,
                });
            }
        }
    }
    faults
}

/// Everything that a phone said is saved.
#[derive(Debug, Default)]
struct Written {
    records: Vec<(RecordId, String)>,
    photos: Vec<(Hash, u8)>,
}

/// Writes of a phone whose disk may fail; the codes of the refusals.
fn write_on_failing_disk(
    phone: &mut Phone,
    town: &Town,
    written: &mut Written,
    part: &str,
) -> BTreeMap<String, u32> {
    let mut refusals = BTreeMap::new();
    let mut refuse = |code: &str| *refusals.entry(code.to_owned()).or_default() += 1;
    for number in 0..6_u8 {
        let words = format!("{part}{number}。");
        let draft = town.hazard(&words);
        match phone.replica().report(&draft, town.now_ms) {
            Ok(record) => written.records.push((record, words)),
            Err(error) => refuse(error.code()),
        }
        let picture = photo(PHOTO_BYTES, number);
        match phone.replica().add_attachment(&picture, town.now_ms) {
            Ok(added) => written.photos.push((added.id, number)),
            Err(error) => refuse(error.code()),
        }
    }
    refusals
}

impl Written {
    fn lived(self, phone: &mut Phone) -> Result<Lived, String> {
        let mut lived = Lived {
            photos: self.photos,
            ..Lived::default()
        };
        for (record, words) in self.records {
            let loaded = phone.replica().load(record).unwrap();
            let loaded = loaded.ok_or_else(|| format!("{words} is gone"))?;
            lived.saved.push((record, loaded.nodes()[0].id, words));
        }
        Ok(lived)
    }
}

#[test]
fn failing_disk_of_a_phone_gives_codes_and_loses_nothing() {
    let mut shown = 0;
    for (number, fault) in faults().into_iter().enumerate() {
        let town = TEMPLATE.town.copy(number as u64);
        let mut phone = TEMPLATE.volunteer.open_in(&town, 5_000 + number as u64);
        let recording = phone.record();
        let mut written = Written::default();
        let before = write_on_failing_disk(&mut phone, &town, &mut written, "前");
        assert!(before.is_empty(), "{before:?}");
        recording.fail(fault);
        let refusals = write_on_failing_disk(&mut phone, &town, &mut written, "中");
        shown += recording.mend();
        for code in refusals.keys() {
            assert!(TYPED.contains(&code.as_str()), "{fault:?}: {code}");
        }
        // The disk is sound again, and the app continues or is started again.
        let after = write_on_failing_disk(&mut phone, &town, &mut written, "后");
        phone.crash();
        phone.reopen();
        let again = write_on_failing_disk(&mut phone, &town, &mut written, "再");
        assert!(again.is_empty(), "{fault:?}: {after:?}, then {again:?}");
        let checked = written.lived(&mut phone).and_then(|lived| {
            kept(&mut phone, &lived)?;
            photos_are_whole(&mut phone, &lived)?;
            nothing_half(&mut phone)
        });
        assert_eq!(checked, Ok(()), "{fault:?}: {refusals:?}");
    }
    assert!(shown > 50, "the disk failed only {shown} times");
}

/// The codes that a failing disk may give.
const TYPED: [&str; 6] = [
    "replica.disk_full",
    "replica.storage",
    "replica.damaged",
    "replica.marker",
    "media.disk_full",
    "media.unreadable",
];

/// One bit of each page of a phone's file is flipped. The phone says that the file is damaged, or shows the same
/// content: no page is believed whose code is wrong.
#[test]
fn flipped_bit_of_a_page_is_found_or_harmless() {
    let story = story(1);
    let mut replay = Replay::of(&story.phone);
    while replay.step().is_some() {}
    let mut chance = Chance::new(3);
    let whole = replay.image(Loss::Nothing, chance.rng());
    let lived = promised(&story.lived, replay.promises());
    let name = story.phone.folder().join("replica.db");
    let read = |image: &Image| {
        let folder = fresh_folder();
        image.write(story.phone.folder(), folder.path()).unwrap();
        let mut phone = TEMPLATE.volunteer.at(folder.path().to_owned(), 9);
        let content = read_all(&mut phone, &lived);
        content.map_err(|error| error.code().to_owned())
    };
    let expected = read(&whole).unwrap();
    let pages = whole.0[&name].len() / PAGE_BYTES;
    let (mut found, mut harmless) = (0, 0);
    for page in 0..pages {
        let mut image = whole.clone();
        let bytes = image.0.get_mut(&name).unwrap();
        bytes[page * PAGE_BYTES + chance.below(PAGE_BYTES)] ^= 1 << chance.below(8);
        match read(&image) {
            Ok(content) if content == expected => harmless += 1,
            Ok(_) => panic!("page {page}: other content without a word"),
            Err(code) if code == "replica.damaged" => found += 1,
            Err(code) => panic!("page {page}: {code}"),
        }
    }
    // Pages of indexes, of the search and free ones are not read for this content.
    assert!(found > 10, "{found} found, {harmless} harmless");
}

const PAGE_BYTES: usize = 4_096;

/// Reads all records of a phone.
fn read_all(phone: &mut Phone, lived: &Lived) -> Result<String, ReplicaError> {
    phone.try_reopen()?;
    let mut content = String::new();
    for (record, id, _) in &lived.saved {
        let loaded = phone.replica().load(*record)?;
        let node = loaded.as_ref().and_then(|loaded| loaded.node(*id));
        let view = phone.replica().view(*record)?;
        write!(content, "{:?} {view:?}", node.map(|node| node.id)).unwrap();
    }
    let (rows, undelivered) = (phone.replica().rows()?, phone.replica().undelivered()?);
    write!(content, "{rows:?} {undelivered}").unwrap();
    Ok(content)
}

/// A recording knows every write, so the replayed disk is the real one.
#[test]
fn replayed_disk_equals_the_real_one() {
    let mut town = TEMPLATE.town.copy(4);
    let mut phone = TEMPLATE.volunteer.open_in(&town, 4);
    let recording = phone.record();
    write_on_failing_disk(&mut phone, &town, &mut Written::default(), "话");
    phone.sync(&mut town);
    phone.close();
    let mut replay = Replay::of(&recording);
    let mut writes = 0;
    while let Some(event) = replay.step() {
        writes += u32::from(matches!(event, Event::Write(..)));
    }
    assert!(writes > 20, "{writes}");
    for (path, bytes) in replay.image(Loss::Nothing, Chance::new(0).rng()).0 {
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
    }
}
