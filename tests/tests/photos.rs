//! Photos between real phones and a real server, over lines that break.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use onegrid_core::id::{Hash, RecordId};
use onegrid_core::net::{Budget, Cancel, FilesPolicy, NetConfig, Roots, now_ms};
use onegrid_core::replica::AttachmentState;
use onegrid_tests::line::{Line, Profile};
use onegrid_tests::onegrid::{OnlinePhone, way_to};
use onegrid_tests::photos::photo;
use onegrid_tests::testbed::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A sync that takes longer has failed.
const PATIENCE: Budget = Budget {
    time_ms: Some(300_000),
    bytes: None,
};
/// Lines of a photo of two megabytes.
const TWO_MEGABYTES: u16 = 1_700;

fn start() -> Client {
    Client::start(env!("CARGO_BIN_EXE_testbed"), &[])
}

fn url(testbed: &mut Client) -> String {
    let address = testbed.ok("address", &json!({}));
    address["address"].as_str().unwrap().to_owned()
}

fn way(url: &str) -> NetConfig {
    way_to(url, Roots::Public)
}

async fn phone(testbed: &mut Client, who: &str) -> OnlinePhone {
    let invited = testbed.ok("invite", &json!({ "who": who }));
    let url = url(testbed);
    let code = invited["qr"].as_str().unwrap();
    let phone = OnlinePhone::enrol(code, &way(&url)).await.unwrap();
    phone.sync().await;
    phone
}

/// Takes a photo and adds it to a record.
fn take(phone: &OnlinePhone, record: RecordId, bytes: &[u8]) -> Hash {
    let mut replica = phone.replica();
    let added = replica.add_attachment(bytes, now_ms()).unwrap();
    replica.attach(record, added.id, now_ms()).unwrap();
    added.id
}

/// The bytes of a photo on a phone.
fn content(phone: &OnlinePhone, record: RecordId, id: Hash) -> Vec<u8> {
    let mut replica = phone.replica();
    replica
        .read_attachment(Some(record), id, 0, usize::MAX)
        .unwrap()
}

fn state(phone: &OnlinePhone, record: RecordId, id: Hash) -> Option<AttachmentState> {
    let replica = phone.replica();
    let info = replica.attachment(Some(record), id).unwrap();
    info.map(|info| info.state)
}

/// Files that wait to be sent.
fn waiting(phone: &OnlinePhone) -> u64 {
    phone.replica().files_left().unwrap().uploads
}

/// Fetches photos with another phone, and compares each byte.
async fn assert_seen_by(reader: &OnlinePhone, author: &OnlinePhone, photos: &[(RecordId, Hash)]) {
    reader
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    for (record, id) in photos {
        reader.replica().want_attachment(*record, *id).unwrap();
    }
    let report = reader
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert!(report.equal && !report.more, "{report:?}");
    for (record, id) in photos {
        assert_eq!(
            state(reader, *record, *id),
            Some(AttachmentState::Delivered)
        );
        let (here, there) = (content(author, *record, *id), content(reader, *record, *id));
        assert!(here == there && !here.is_empty(), "{id}");
    }
}

/// 8 Mbit/s, cut every two seconds.
fn cutting(seed: u64) -> Profile {
    Profile {
        bits_s: 8_000_000,
        round_trip: Duration::from_millis(60),
        lost_per_mille: 2,
        cut_every: Some(Duration::from_secs(2)),
        seed,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_photos_on_a_cutting_line_cost_five_percent() {
    let mut testbed = start();
    let mut author = phone(&mut testbed, "volunteer-1").await;
    let reader = phone(&mut testbed, "grid-worker").await;
    let record = author.report("液化气瓶");
    let mut photos = Vec::new();
    let mut bytes = 0;
    for seed in 0..10 {
        let taken = photo(TWO_MEGABYTES, seed);
        bytes += taken.len() as u64;
        photos.push((record, take(&author, record, &taken)));
    }
    assert!(bytes > 18_000_000, "{bytes}");
    let line = Line::to(&url(&mut testbed), cutting(1)).unwrap();
    author.move_to(&way(&line.url("http")));
    let report = author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert!(report.equal && !report.more, "{report:?}");
    assert_eq!(waiting(&author), 0);
    let (up, _) = line.bytes();
    let cuts = line.cuts();
    assert!(cuts > 2, "{cuts} cuts");
    assert!(up * 100 <= bytes * 105, "{up} for {bytes} with {cuts} cuts");
    assert_seen_by(&reader, &author, &photos).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_thumbnails_arrive_before_photos() {
    let mut testbed = start();
    let author = phone(&mut testbed, "volunteer-1").await;
    let reader = phone(&mut testbed, "grid-worker").await;
    let record = author.report("消防通道");
    let id = take(&author, record, &photo(TWO_MEGABYTES, 1));
    let little = Budget {
        bytes: Some(60_000),
        ..PATIENCE
    };
    let report = author
        .driver
        .sync_within(little, &Cancel::new())
        .await
        .unwrap();
    assert!(report.more, "the photo is left: {report:?}");
    assert_eq!(author.replica().undelivered().unwrap(), 0);
    assert_eq!(waiting(&author), 1);
    let left = author.driver.status().borrow().progress.files;
    assert_eq!(left.files_left, 1);
    reader.sync().await;
    assert_eq!(state(&reader, record, id), Some(AttachmentState::Absent));
    let thumbnail = reader.replica().thumbnail(Some(record), id).unwrap();
    assert!(thumbnail.is_some_and(|bytes| bytes.len() > 500));
    author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert_seen_by(&reader, &author, &[(record, id)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_phone_continues_at_its_offset() {
    const KILLS: u64 = 10;
    let mut testbed = start();
    let mut author = phone(&mut testbed, "volunteer-1").await;
    let reader = phone(&mut testbed, "grid-worker").await;
    let record = author.report("井盖");
    let taken = photo(TWO_MEGABYTES, 2);
    let bytes = taken.len() as u64;
    let id = take(&author, record, &taken);
    author.driver.set_files(FilesPolicy::Never);
    author.sync().await;
    let profile = Profile {
        cut_every: None,
        ..cutting(2)
    };
    let line = Line::to(&url(&mut testbed), profile).unwrap();
    for kill in 1..=KILLS {
        author.move_to(&way(&line.url("http")));
        let driver = author.driver.clone();
        let syncing =
            tokio::spawn(async move { driver.sync_within(PATIENCE, &Cancel::new()).await });
        line.until_sent(kill * bytes / (KILLS + 2)).await;
        // The machine and its connection end without a word.
        syncing.abort();
        assert!(syncing.await.is_err());
    }
    author.move_to(&way(&line.url("http")));
    author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert_eq!(waiting(&author), 0);
    let (up, _) = line.bytes();
    // Each kill costs a handshake and the bytes on their way; a start from zero would cost megabytes.
    assert!(up < bytes + KILLS * 100_000, "{up} for {bytes}");
    assert_seen_by(&reader, &author, &[(record, id)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_downloads_keep_the_bytes_that_came() {
    let mut testbed = start();
    let author = phone(&mut testbed, "volunteer-1").await;
    let mut reader = phone(&mut testbed, "grid-worker").await;
    let record = author.report("树枝");
    let mut photos = Vec::new();
    let mut bytes = 0;
    for seed in 20..22 {
        let taken = photo(TWO_MEGABYTES, seed);
        bytes += taken.len() as u64;
        photos.push((record, take(&author, record, &taken)));
    }
    author.sync().await;
    let line = Line::to(&url(&mut testbed), cutting(4)).unwrap();
    reader.move_to(&way(&line.url("http")));
    assert_seen_by(&reader, &author, &photos).await;
    let ((_, down), cuts) = (line.bytes(), line.cuts());
    assert!(
        cuts > 0 && down * 100 <= bytes * 125,
        "{down} for {bytes} with {cuts} cuts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_report_overtakes_a_photo() {
    let mut testbed = start();
    let mut author = phone(&mut testbed, "volunteer-1").await;
    let record = author.report("外墙");
    take(&author, record, &photo(3 * TWO_MEGABYTES, 3));
    let line = Line::to(
        &url(&mut testbed),
        Profile {
            cut_every: None,
            ..cutting(3)
        },
    )
    .unwrap();
    author.move_to(&way(&line.url("http")));
    let driver = author.driver.clone();
    let running = tokio::spawn(async move { driver.run().await });
    line.until_sent(300_000).await;
    let urgent = author.report("煤气泄漏");
    author.driver.notify();
    let mut status = author.driver.status();
    loop {
        status.changed().await.unwrap();
        if author.replica().undelivered().unwrap() == 0 {
            break;
        }
    }
    assert_eq!(waiting(&author), 1, "the photo is still on its way");
    let view = testbed.ok("server_view", &json!({ "record": urgent.to_string() }));
    assert_eq!(view["known"], true, "{view}");
    author.driver.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_server_gets_its_photos_back() {
    let mut testbed = start();
    let author = phone(&mut testbed, "volunteer-1").await;
    let reader = phone(&mut testbed, "grid-worker").await;
    let before = author.report("备份之前");
    let kept = take(&author, before, &photo(60, 4));
    author.sync().await;
    testbed.ok("backup", &json!({}));
    let after = author.report("备份之后");
    let lost = take(&author, after, &photo(90, 5));
    author.sync().await;
    assert_eq!(waiting(&author), 0);
    testbed.ok("kill_server", &json!({}));
    let address = testbed.ok("address", &json!({}));
    let folder = Path::new(address["folder"].as_str().unwrap());
    // The disk with the photos is lost too.
    std::fs::remove_dir_all(folder.join("own/server/blobs")).unwrap();
    testbed.ok("restore", &json!({}));
    testbed.ok("start_server", &json!({}));
    let report = author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert!(report.equal && !report.more, "{report:?}");
    assert_eq!(waiting(&author), 0);
    let freed = author.replica().free_space(u64::MAX).unwrap();
    assert!(
        freed > 100_000,
        "both have a receipt of the new generation: {freed}"
    );
    author.replica().want_attachment(before, kept).unwrap();
    author.replica().want_attachment(after, lost).unwrap();
    author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert_seen_by(&reader, &author, &[(before, kept), (after, lost)]).await;
    let verified = testbed.ok("server_verify", &json!({}));
    assert_eq!(verified["wrong"], json!([]), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_decides_when_photos_are_sent() {
    let mut testbed = start();
    let author = phone(&mut testbed, "volunteer-1").await;
    author.driver.set_files(FilesPolicy::Never);
    let record = author.report("路灯");
    let id = take(&author, record, &photo(60, 6));
    author.sync().await;
    assert_eq!(waiting(&author), 1);
    assert_eq!(author.driver.status().borrow().progress.files.files_left, 1);
    let asked = author
        .driver
        .sync_files_within(PATIENCE, &Cancel::new())
        .await;
    assert!(asked.unwrap().equal);
    assert_eq!(state(&author, record, id), Some(AttachmentState::Delivered));
    take(&author, record, &photo(60, 7));
    author.driver.set_files(FilesPolicy::Always);
    author.sync().await;
    assert_eq!(waiting(&author), 0);
}

/// A tus server of other authors, `tests/interop/tus_server.mjs`. It ends with its standard input.
struct ForeignServer {
    program: Child,
    /// The facts that it prints: its port, and an invitation.
    facts: Value,
    folder: TempDir,
}

impl ForeignServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/tus_server.mjs");
        let mut program = Command::new("node")
            .arg(script)
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(program.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line).unwrap();
        Self {
            program,
            facts,
            folder,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.facts["port"])
    }

    /// The bytes of a photo that it keeps.
    fn kept(&self, record: RecordId, id: Hash) -> Vec<u8> {
        std::fs::read(self.folder.path().join(format!("{record}_{id}"))).unwrap()
    }

    fn end(mut self) {
        drop(self.program.stdin.take());
        assert!(self.program.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node and packages of npm, which scripts/test-interop installs"]
async fn foreign_server_takes_photos_over_cut_lines() {
    let server = ForeignServer::start();
    let code = server.facts["qr"].as_str().unwrap();
    let mut author = OnlinePhone::enrol(code, &way(&server.url())).await.unwrap();
    let record = author.report("液化气瓶");
    let photos: Vec<_> = [TWO_MEGABYTES, 60]
        .into_iter()
        .zip(30..)
        .map(|(lines, seed)| take(&author, record, &photo(lines, seed)))
        .collect();
    let line = Line::to(&server.url(), cutting(1)).unwrap();
    author.move_to(&way(&line.url("http")));
    let report = author
        .driver
        .sync_within(PATIENCE, &Cancel::new())
        .await
        .unwrap();
    assert!(!report.more, "{report:?}");
    assert!(line.cuts() > 0);
    assert_eq!(waiting(&author), 0);
    for id in photos {
        assert_eq!(state(&author, record, id), Some(AttachmentState::Delivered));
        assert!(server.kept(record, id) == content(&author, record, id));
    }
    server.end();
}

/// The plan of a phone without records has the photos apart, and its bytes are those that come over the socket.
#[tokio::test(flavor = "multi_thread")]
async fn plan_counts_photos_apart() {
    let mut testbed = start();
    let author = phone(&mut testbed, "volunteer-1").await;
    let record = author.report("液化气瓶");
    let mut bytes = 0;
    for seed in 0..2 {
        let taken = photo(60, seed);
        let id = take(&author, record, &taken);
        bytes += content(&author, record, id).len() as u64;
    }
    let plan = author.driver.plan(&Cancel::new()).await.unwrap();
    assert_eq!(
        (plan.photos_to_send.count, plan.photos_to_send.bytes),
        (2, bytes)
    );
    assert_eq!((plan.uploads, plan.photos.count), (3, 0));
    let uncounted = author.driver.traffic();
    author.sync().await;
    assert_eq!(waiting(&author), 0);
    assert!(author.driver.traffic().bytes_up > uncounted.bytes_up + bytes);

    testbed.ok("records", &json!({ "n": 120 }));
    let invited = testbed.ok("invite", &json!({ "who": "grid-worker" }));
    let way = way(&url(&mut testbed));
    let reader = OnlinePhone::enrol(invited["qr"].as_str().unwrap(), &way)
        .await
        .unwrap();
    let plan = reader.driver.plan(&Cancel::new()).await.unwrap();
    assert_eq!(plan.records.count, 121);
    assert_eq!((plan.photos.count, plan.photos.bytes), (2, bytes));
    assert_eq!(plan.photos_open, plan.photos);
    assert_eq!(plan.photos_wanted.count, 0);
    assert_eq!(plan.records.minutes, None, "nothing was measured yet");
    assert!(plan.open.bytes <= plan.records.bytes && !plan.is_partial);
    let before = reader.driver.traffic().bytes();
    reader.sync().await;
    let real = reader.driver.traffic().bytes() - before;
    let (planned, quarter) = (plan.records.bytes, real / 4);
    assert!(planned.abs_diff(real) < quarter, "{planned} and {real}");
    let id = reader.replica().attachments_of(record).unwrap()[0].id;
    reader.replica().want_attachment(record, id).unwrap();
    let plan = reader.driver.plan(&Cancel::new()).await.unwrap();
    assert_eq!((plan.records.count, plan.photos_wanted.count), (0, 1));
    assert_eq!(plan.records.minutes, Some(1));
}
