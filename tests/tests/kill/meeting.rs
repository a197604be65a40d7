//! A phone's process is killed while it meets another phone over TCP, as caller and as listener.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use onegrid_core::domain::Audience;
use onegrid_core::fixtures::{photo, said};
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::net::meeting::{MeetingListener, MeetingReport};
use onegrid_core::net::now_ms;
use onegrid_core::record::Record;
use onegrid_core::replica::{AttachmentState, Draft};
use onegrid_core::sync::file_port::FilePort as _;
use onegrid_core::wire::transfer::FileName;
use onegrid_core::wire::verdict::Status;
use onegrid_tests::killed::life::{PHOTO_BYTES, hex};
use onegrid_tests::killed::meeting::{Ended, HERE, Meeting, wait};
use onegrid_tests::killed::{Counts, Point, counting, killed_at};
use onegrid_tests::town::{Card, GRID, Met, Phone, Town, TownTemplate, VILLAGE};

use super::phone::{nothing_half, whole};
use super::{End, play};

const ROUNDS: u64 = 200;
const ROUNDS_QUICK: u64 = 12;
const SIGKILL: i32 = 9;
/// Reports of each phone before the first meeting, each with a photo, and as many after it.
const REPORTS: u8 = 2;

/// One of the two phones, and its work.
struct Side {
    card: Card,
    /// Records that both may read.
    open: Vec<RecordId>,
    /// A record that the other phone may not read; it goes along in a parcel.
    hidden: RecordId,
    /// All of its envelopes that no server has.
    saved: Vec<(RecordId, EnvelopeId)>,
    /// Photos that it has.
    photos: Vec<(FileName, u8)>,
}

struct Template {
    town: TownTemplate,
    /// The phone that is killed, and the other one.
    sides: [Side; 2],
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    // Both processes use the real clock.
    let mut town = Town::small_at(31, now_ms());
    let mut phones = [
        town.enrol("grid", "grid_worker", GRID, ""),
        town.enrol("head", "station_head", VILLAGE, ""),
    ];
    for phone in &mut phones {
        phone.sync(&mut town);
    }
    let mut works: Vec<_> = phones.iter_mut().map(|phone| work(phone, &town)).collect();
    let [first, second] = &mut phones;
    assert!(matches!(first.meet(second, &town), Met::Whole(1.., 1..)));
    for (phone, other) in [(0, 1), (1, 0)] {
        for (name, _) in &works[other].2 {
            let replica = phones[phone].replica();
            replica.want_attachment(name.record, name.id).unwrap();
        }
        add_work(&mut phones[phone], &town, &mut works[phone]);
        let known = works[other].0[0];
        let words = said("看到了");
        phones[phone]
            .replica()
            .comment(known, words, town.now_ms)
            .unwrap();
    }
    let sides = works.into_iter().zip(&mut phones);
    let sides: Vec<Side> = sides
        .map(|((open, hidden, photos), phone)| Side {
            saved: own_envelopes(phone),
            card: phone.card(),
            open,
            hidden,
            photos,
        })
        .collect();
    for phone in &mut phones {
        phone.close();
    }
    drop(phones);
    let sides: Option<[Side; 2]> = sides.try_into().ok();
    Template {
        town: town.into_template(),
        sides: sides.expect("there are two"),
    }
});

type Work = (Vec<RecordId>, RecordId, Vec<(FileName, u8)>);

fn report(phone: &mut Phone, town: &Town, audience: Audience) -> RecordId {
    let draft = Draft {
        audience,
        ..town.hazard(&phone.name)
    };
    phone.replica().report(&draft, town.now_ms).unwrap()
}

/// Reports with photos, and a tip that is not for the other phone.
fn work(phone: &mut Phone, town: &Town) -> Work {
    let (mut open, mut photos) = (Vec::new(), Vec::new());
    for number in 0..REPORTS {
        let record = report(phone, town, Audience::Staff);
        let replica = phone.replica();
        let bytes = photo(PHOTO_BYTES, number);
        let id: Hash = replica.add_attachment(&bytes, town.now_ms).unwrap().id;
        replica.attach(record, id, town.now_ms).unwrap();
        open.push(record);
        photos.push((FileName { record, id }, number));
    }
    let hidden = report(phone, town, Audience::Restricted);
    (open, hidden, photos)
}

fn add_work(phone: &mut Phone, town: &Town, work: &mut Work) {
    for _ in 0..REPORTS {
        work.0.push(report(phone, town, Audience::Staff));
    }
    let words = said("再看一次");
    phone
        .replica()
        .comment(work.0[0], words, town.now_ms)
        .unwrap();
}

fn own_envelopes(phone: &mut Phone) -> Vec<(RecordId, EnvelopeId)> {
    let device = phone.device();
    let mut own = Vec::new();
    for row in phone.replica().rows().unwrap() {
        let loaded = phone.replica().load(row.id).unwrap().unwrap();
        let nodes = loaded.nodes().iter().filter(|node| node.author == device);
        own.extend(nodes.map(|node| (row.id, node.id)));
    }
    own
}

/// The part of the process that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Caller,
    Listener,
}

/// The number of each call of caller and listener.
static COUNTS: LazyLock<[Counts; 2]> = LazyLock::new(|| {
    [Part::Caller, Part::Listener].map(|part| {
        let town = copy();
        let log = town.folder().join("calls");
        let met = meets(counting(program(), &log), &town, part);
        assert!(!met.killed && met.lines.contains("met "), "{met:?}");
        let Some(Ok(MeetingReport { report, .. })) = met.other else {
            panic!("{met:?}");
        };
        assert!(report.taken > 3 && report.parcel_taken, "{report:?}");
        assert_eq!(report.files_taken, u32::from(REPORTS));
        Counts::read(&log)
    })
});

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_killed_phone"))
}

fn copy() -> Town {
    let mut town = TEMPLATE.town.copy(0);
    town.now_ms = now_ms();
    town
}

/// The meeting as both sides saw it.
#[derive(Debug)]
struct Meet {
    /// The end on the other side; `None` if the process died before it listened.
    other: Option<Ended>,
    /// The lines of the process.
    lines: String,
    killed: bool,
}

/// Lets the process meet the other phone, until it ends or is killed.
fn meets(mut command: Command, town: &Town, part: Part) -> Meet {
    let [victim, other] = &TEMPLATE.sides;
    let folder = town.folder().join("phones").join(&victim.card.name);
    let meeting = Meeting::of(other.card.open_in(town, 2_000));
    let mut start = |address: &str| {
        command.args(["meet", address]).arg(&folder);
        command.args([hex(&victim.card.seed), "1000".to_owned()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().expect("strace is installed")
    };
    let met = wait(async {
        match part {
            Part::Caller => {
                let listener = MeetingListener::bind(HERE).await.unwrap();
                let child = start(&listener.address().to_string());
                let child = tokio::task::spawn_blocking(move || end(child, String::new()));
                let stop = meeting.cancel.clone();
                let (ended, (lines, killed)) =
                    tokio::join!(meeting.driver.accept(&listener), async move {
                        let ended = child.await.unwrap();
                        // A process that died early never calls.
                        stop.cancel();
                        ended
                    });
                Meet {
                    other: Some(ended),
                    lines,
                    killed,
                }
            }
            Part::Listener => {
                let mut child = start("-");
                let mut first = String::new();
                let mut out = BufReader::new(child.stdout.take().unwrap());
                out.read_line(&mut first).unwrap();
                let address = first.trim_end().strip_prefix("listens ");
                let address: Option<SocketAddr> = address.and_then(|text| text.parse().ok());
                let mut other = None;
                if let Some(address) = address {
                    other = Some(meeting.driver.call(&[address], None).await);
                }
                out.read_to_string(&mut first).unwrap();
                let (lines, killed) = end(child, first);
                Meet {
                    other,
                    lines,
                    killed,
                }
            }
        }
    });
    meeting.close();
    met
}

/// Waits for the end of the process; returns its lines, and whether it was killed.
fn end(mut child: Child, mut lines: String) -> (String, bool) {
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut lines).unwrap();
    }
    // strace ends in the same way as the process that it watched.
    let killed = child.wait().unwrap().signal() == Some(SIGKILL);
    (lines, killed)
}

#[test]
fn meeting_killed_at_any_call_is_continued_later() {
    play(ROUNDS, ROUNDS_QUICK, |number, chance| {
        let part = [Part::Caller, Part::Listener][usize::from(number % 2 == 1)];
        let point = COUNTS[usize::from(number % 2 == 1)].draw(chance);
        round(part, point).map_err(|what| format!("{part:?} killed at {point}: {what}"))
    });
}

fn round(part: Part, point: Point) -> Result<End, String> {
    let mut town = copy();
    let met = meets(killed_at(program(), point), &town, part);
    if !met.killed && !met.lines.contains("met ") {
        return Err(format!("it was not killed and did not meet: {met:?}"));
    }
    let mut phones = TEMPLATE
        .sides
        .each_ref()
        .map(|side| side.card.open_in(&town, 3_000));
    for (side, phone) in TEMPLATE.sides.iter().zip(&mut phones) {
        phone.close();
        whole(&town, &side.card)?;
        phone.reopen();
        kept(phone, side)?;
        nothing_half(phone)?;
        no_stray_files(phone)?;
    }
    let [victim, other] = &mut phones;
    let next = victim.meet(other, &town);
    if !matches!(next, Met::Whole(..)) {
        return Err(format!("the next meeting: {next:?}"));
    }
    alike(&mut phones)?;
    delivered(&mut phones, &mut town)?;
    Ok(End::of(met.killed))
}

/// Checks that all work and all photos of a phone are there, and nothing of the other's tip.
fn kept(phone: &mut Phone, side: &Side) -> Result<(), String> {
    for (record, id) in &side.saved {
        let loaded = phone.replica().load(*record).unwrap();
        if loaded.is_none_or(|loaded| loaded.node(*id).is_none()) {
            return Err(format!("{}: {id} is gone", phone.name));
        }
    }
    for (name, number) in &side.photos {
        let read = phone.replica().read(name, 0, PHOTO_BYTES * 2);
        if read.ok() != Some(photo(PHOTO_BYTES, *number)) {
            return Err(format!("{}: photo {number} is gone", phone.name));
        }
    }
    let name = phone.name.clone();
    for other in TEMPLATE
        .sides
        .iter()
        .filter(|other| other.card.name != name)
    {
        if phone.replica().load(other.hidden).unwrap().is_some() {
            return Err(format!("{} reads a tip that is not for it", phone.name));
        }
    }
    Ok(())
}

/// Checks that each file in the folder of photos is named by a row.
fn no_stray_files(phone: &mut Phone) -> Result<(), String> {
    use AttachmentState as S;
    let mut named = phone.replica().staged().unwrap().len();
    for row in phone.replica().rows().unwrap() {
        let infos = phone.replica().attachments_of(row.id).unwrap();
        let here = |state: S| matches!(state, S::Waiting | S::Delivered | S::Arriving);
        named += infos.iter().filter(|info| here(info.state)).count();
    }
    let files = std::fs::read_dir(phone.folder().join("replica.db.files"));
    let files = files.map_or(0, Iterator::count);
    if files == named {
        Ok(())
    } else {
        Err(format!("{}: {files} files, {named} are named", phone.name))
    }
}

/// Checks that both phones have the same envelopes of the records that both may read, and all
/// photos.
fn alike(phones: &mut [Phone; 2]) -> Result<(), String> {
    let sides = &TEMPLATE.sides;
    for record in sides.iter().flat_map(|side| &side.open) {
        let [here, there] = phones.each_mut().map(|phone| {
            let loaded = phone.replica().load(*record).unwrap();
            let nodes = loaded.iter().flat_map(Record::nodes);
            nodes.map(|node| node.id).collect::<BTreeSet<_>>()
        });
        if here != there || here.is_empty() {
            return Err(format!("{record} differs after the next meeting"));
        }
    }
    for phone in phones {
        for (name, number) in sides.iter().flat_map(|side| &side.photos) {
            let read = phone.replica().read(name, 0, PHOTO_BYTES * 2);
            let read = read.map_err(|error| error.code);
            if read.as_ref() != Ok(&photo(PHOTO_BYTES, *number)) {
                let (error, whose) = (read.err(), phone.name.clone());
                let row = phone.replica().attachment(Some(name.record), name.id);
                return Err(format!("{whose} lacks photo {number}: {error:?}, {row:?}"));
            }
        }
    }
    Ok(())
}

/// Checks that the other phone brings everything to the server, and that it counts once.
fn delivered(phones: &mut [Phone; 2], town: &mut Town) -> Result<(), String> {
    for phone in phones.iter_mut().rev() {
        phone.try_sync(town)?;
    }
    for (side, phone) in TEMPLATE.sides.iter().zip(phones) {
        let report = phone.try_sync(town)?;
        if !report.equal || phone.replica().undelivered().unwrap() != 0 {
            return Err(format!("no end to the sync: {report:?}"));
        }
        for (record, id) in &side.saved {
            let loaded = phone.replica().load(*record).unwrap();
            let verdict = loaded.and_then(|loaded| loaded.node(*id)?.verdict);
            if verdict.map(|verdict| verdict.status) != Some(Status::Accepted) {
                return Err(format!("{id} has the verdict {verdict:?}"));
            }
        }
    }
    Ok(())
}
