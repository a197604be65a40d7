//! Uploads and downloads over a real socket, with phones that sign their requests, and lines that break.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{Either, select};
use onegrid_core::sync::paths::{AUTHORITY_PATH, SYNC_PATH, attachment_path};
use onegrid_core::trust::request_mac::{MAC_HEADER, RequestTag, SESSION_HEADER};
use onegrid_core::trust::session::{Session, SessionId};
use onegrid_core::wire::transfer::{
    FileName, GENERATION_HEADER, NeededAnswer, NeededRequest, answer_lines, request_lines,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use crate::api::{Listener, Node, Shell, Shutdown, Trigger, routes, shell, transfers};
use crate::blobs::tests::photos::{describe, hold_checks, photo, send_part};
use crate::blobs::{BlobCeilings, Blobs};
use crate::config::{Effective, Inputs, LogFormat};
use crate::ingest::tests::world::{SyncPhone, TestServer};
use crate::metrics::Metrics;
use crate::store::AttachmentKey;
use crate::telemetry::tests::Heard;
use onegrid_core::fixtures::VOLUNTEER_WANG;

/// A server that listens, with the session of one phone.
struct Running {
    world: TestServer,
    address: SocketAddr,
    metrics: Metrics,
    blobs: Arc<Blobs>,
    phone: SyncPhone,
    session: Session,
    number: AtomicU64,
    _trigger: Trigger,
    _folder: tempfile::TempDir,
}

/// An answer, read to the end of its connection.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut named = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    fn offset(&self) -> u64 {
        self.header("upload-offset").unwrap().parse().unwrap()
    }

    fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["status"], self.status);
        body["code"].as_str().unwrap().to_owned()
    }
}

impl Running {
    fn new() -> Self {
        Self::with(BlobCeilings::with_reserve(1), &[])
    }

    /// Sessions have the real time, because routes do.
    fn with(ceilings: BlobCeilings, settings: &[&str]) -> Self {
        let (world, folder) = (TestServer::new(), tempfile::tempdir().unwrap());
        let mut phone = world.phone(VOLUNTEER_WANG);
        let now_ms = onegrid_core::system::now_ms();
        world
            .server
            .renew(phone.session.device, "admin", now_ms)
            .unwrap();
        phone.certificate = Arc::new(world.again(&mut phone, now_ms).unwrap());
        let session = phone.session.clone();
        let settings = [&["server.listen=127.0.0.1:0"], settings].concat();
        let flags = settings.into_iter().map(str::to_owned).collect();
        let inputs = Inputs {
            flags,
            ..Inputs::default()
        };
        let config = Effective::load(&inputs).unwrap().config;
        let shared = Arc::clone(&world.server.shared);
        let blobs = Arc::new(Blobs::open(shared, folder.path(), ceilings).unwrap());
        let (metrics, (trigger, shutdown)) = (Metrics::new(), Shutdown::new());
        let server = Arc::clone(&world.server);
        let node = Node::new(
            server,
            Arc::clone(&blobs),
            &config,
            &metrics,
            shutdown.clone(),
        );
        let limits = Shell::new(&config, metrics.clone(), Arc::new(|| Ok(())));
        let app = shell(routes(node.clone()), transfers(node), &limits);
        let listener = Listener::bind(&config).unwrap();
        let address = listener.address();
        tokio::spawn(listener.serve(app, shutdown));
        Self {
            world,
            address,
            metrics,
            blobs,
            phone,
            session,
            number: AtomicU64::new(1_000),
            _trigger: trigger,
            _folder: folder,
        }
    }

    fn describe(&mut self, bytes: &[u8]) -> AttachmentKey {
        describe(&self.world, &mut self.phone, bytes, [1; 16])
    }

    fn tag(&self, method: &str, path: &str, covered: &[u8]) -> RequestTag {
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        self.session.tag(number, method, path, covered)
    }

    /// The head of a request with its code.
    fn head(&self, method: &str, path: &str, headers: &[(&str, String)]) -> (RequestTag, String) {
        let value = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        let tag = self.tag(method, path, &request_lines(value));
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let codes = [
            (SESSION_HEADER, tag.session_header()),
            (MAC_HEADER, tag.mac_header()),
            ("tus-resumable", "1.0.0".to_owned()),
        ];
        for (name, value) in codes.iter().chain(headers) {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        }
        head.push_str("\r\n");
        (tag, head)
    }

    /// Sends a request, and checks the code of a success.
    async fn ask(
        &self,
        method: &str,
        key: AttachmentKey,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Answer {
        let path = attachment_path(key.record, key.id);
        let (tag, head) = self.head(method, &path, headers);
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refusal may come before the whole body is read.
        let _ = stream.write_all(body).await;
        let answer = read(stream).await;
        if answer.status < 300 {
            let covered = answer_lines(answer.status, |name| answer.header(name));
            let mac = answer.header(MAC_HEADER);
            self.session.check_answer(&tag.mac, mac, &covered).unwrap();
            assert_eq!(answer.header(GENERATION_HEADER), Some("1"));
        }
        assert_eq!(answer.header("tus-resumable"), Some("1.0.0"));
        answer
    }

    async fn begin(&self, key: AttachmentKey, bytes: usize) -> Answer {
        let length = ("upload-length", bytes.to_string());
        self.ask("POST", key, &[length], b"").await
    }

    async fn append(&self, key: AttachmentKey, offset: u64, bytes: &[u8]) -> Answer {
        self.ask("PATCH", key, &patch(offset, bytes.len()), bytes)
            .await
    }

    async fn fetch(&self, key: AttachmentKey, range: &str) -> Answer {
        let range = ("range", range.to_owned());
        self.ask("GET", key, &[range], b"").await
    }

    async fn offset(&self, key: AttachmentKey) -> u64 {
        let answer = self.ask("HEAD", key, &[], b"").await;
        assert_eq!(answer.status, 200);
        answer.offset()
    }
}

fn patch(offset: u64, length: usize) -> [(&'static str, String); 3] {
    [
        ("upload-offset", offset.to_string()),
        ("content-length", length.to_string()),
        ("content-type", "application/offset+octet-stream".to_owned()),
    ]
}

async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection may be reset after a refusal; its answer is there before.
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an answer");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: bytes.split_off(end + 4),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn photo_travels_up_in_parts_and_down_in_ranges() {
    let mut server = Running::new();
    let bytes = photo(200_000, 1);
    let key = server.describe(&bytes);
    let begun = server.begin(key, bytes.len()).await;
    assert_eq!((begun.status, begun.offset()), (201, 0));
    let path = attachment_path(key.record, key.id);
    assert_eq!(begun.header("location"), Some(path.as_str()));
    let part = server.append(key, 0, &bytes[..70_000]).await;
    assert_eq!((part.status, part.offset()), (204, 70_000));
    assert_eq!(server.offset(key).await, 70_000);
    let begun = server.begin(key, bytes.len()).await;
    assert_eq!((begun.status, begun.offset()), (201, 70_000));
    let whole = server.append(key, 70_000, &bytes[70_000..]).await;
    assert_eq!((whole.status, whole.offset()), (204, bytes.len() as u64));
    let again = server.append(key, bytes.len() as u64, b"").await;
    assert_eq!((again.status, again.offset()), (204, bytes.len() as u64));
    let all = server.ask("GET", key, &[], b"").await;
    assert_eq!(
        (all.status, all.header("content-type")),
        (200, Some("image/jpeg"))
    );
    assert_eq!(all.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(all.body, bytes);
    for (range, expected) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=70000-", &bytes[70_000..]),
        ("bytes=5-99999999", &bytes[5..]),
    ] {
        let part = server.fetch(key, range).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, expected, "{range}");
    }
    let behind = server.fetch(key, "bytes=99999999-").await;
    assert_eq!(
        (behind.status, behind.code().as_str()),
        (416, "attachment.range")
    );
    let ignored = server.fetch(key, "bytes=-5").await;
    assert_eq!((ignored.status, ignored.body.len()), (200, bytes.len()));
    let ended = server.ask("DELETE", key, &[], b"").await;
    assert_eq!(ended.code(), "attachment.absent", "a whole file stays");
    let metrics = server.metrics.render();
    for line in [
        format!(
            "onegrid_attachment_bytes_total{{direction=\"up\"}} {}",
            bytes.len()
        ),
        "onegrid_attachments_stored_total 1".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_patch_takes_over_a_dead_one() {
    let mut server = Running::new();
    let bytes = photo(300_000, 1);
    let key = server.describe(&bytes);
    server.begin(key, bytes.len()).await;
    // The line goes dead: the server waits for bytes that never come.
    let path = attachment_path(key.record, key.id);
    let (_, head) = server.head("PATCH", &path, &patch(0, bytes.len()));
    let mut dead = TcpStream::connect(server.address).await.unwrap();
    dead.write_all(head.as_bytes()).await.unwrap();
    dead.write_all(&bytes[..200_000]).await.unwrap();
    let mut taken = Box::pin(read(dead));
    let taken = loop {
        // The first look may reach the server before the upload.
        match select(&mut taken, Box::pin(server.offset(key))).await {
            Either::Left((answer, _)) => break answer,
            Either::Right((offset, _)) => assert!(offset <= 200_000, "{offset}"),
        }
    };
    assert_eq!(
        (taken.status, taken.code().as_str()),
        (423, "attachment.locked")
    );
    let offset = server.offset(key).await;
    let from = usize::try_from(offset).unwrap();
    let whole = server.append(key, offset, &bytes[from..]).await;
    assert_eq!((whole.status, whole.offset()), (204, bytes.len() as u64));
    assert_eq!(server.ask("GET", key, &[], b"").await.body, bytes);
}

/// A hostile phone finishes more uploads at once than there are workers.
#[tokio::test(flavor = "multi_thread")]
async fn checks_leave_the_workers_to_others() {
    let ceilings = BlobCeilings::with_reserve(1);
    let mut server = Running::with(ceilings, &["limits.workers_max=1"]);
    let photos = [photo(5_000, 1), photo(5_000, 2), photo(5_000, 3)];
    let keys = [0, 1, 2].map(|n| server.describe(&photos[n]));
    for (key, bytes) in keys.iter().zip(&photos) {
        server.begin(*key, bytes.len()).await;
    }
    let release = hold_checks(&server.blobs);
    let finish = async |n: usize| server.append(keys[n], 0, &photos[n]).await;
    let others = async {
        // Both files have arrived, so both checks wait.
        let all = photos[0].len() + photos[1].len();
        let arrived = format!("onegrid_attachment_bytes_total{{direction=\"up\"}} {all}");
        while !server.metrics.render().contains(&arrived) {
            tokio::task::yield_now().await;
        }
        for _ in 0..9 {
            assert_eq!(server.offset(keys[2]).await, 0);
        }
        release();
    };
    // The time only ends a test that hangs.
    let all = timeout(Duration::from_mins(1), async {
        tokio::join!(finish(0), finish(1), others)
    });
    let (first, second, ()) = all.await.expect("another request is answered");
    assert_eq!((first.status, second.status), (204, 204));
}

/// A server that died between the last byte and the check makes up for it at the next question.
#[tokio::test(flavor = "multi_thread")]
async fn late_check_leaves_the_workers_to_others() {
    let ceilings = BlobCeilings::with_reserve(1);
    let mut server = Running::with(ceilings, &["limits.workers_max=1"]);
    let photos = [photo(5_000, 1), photo(5_000, 2)];
    let keys = [0, 1].map(|n| server.describe(&photos[n]));
    server.begin(keys[1], photos[1].len()).await;
    send_part(
        &server.blobs,
        server.session.device,
        keys[0],
        &photos[0],
        photos[0].len(),
    );
    let release = hold_checks(&server.blobs);
    let path = attachment_path(keys[0].record, keys[0].id);
    let (_, head) = server.head("HEAD", &path, &[]);
    let mut asking = TcpStream::connect(server.address).await.unwrap();
    asking.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..9 {
        let other = timeout(Duration::from_mins(1), server.offset(keys[1]));
        assert_eq!(other.await.expect("another request is answered"), 0);
    }
    release();
    assert_eq!(read(asking).await.offset(), photos[0].len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_before_a_broken_line_are_kept() {
    let mut server = Running::new();
    let bytes = photo(300_000, 1);
    let key = server.describe(&bytes);
    server.begin(key, bytes.len()).await;
    let path = attachment_path(key.record, key.id);
    let mut offset = 0;
    while offset < bytes.len() as u64 {
        let from = usize::try_from(offset).unwrap();
        let (_, head) = server.head("PATCH", &path, &patch(offset, bytes.len() - from));
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let end = bytes.len().min(from + 50_000);
        stream.write_all(&bytes[from..end]).await.unwrap();
        if end < bytes.len() {
            stream.shutdown().await.unwrap();
        }
        // Read to its end, so that all bytes were received.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        let reached = server.offset(key).await;
        assert_eq!(reached, end as u64, "no byte is sent twice");
        offset = reached;
    }
    assert_eq!(server.ask("GET", key, &[], b"").await.body, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_uploads_get_their_codes() {
    let mut server = Running::new();
    let bytes = photo(5_000, 1);
    let key = server.describe(&bytes);
    let unknown = AttachmentKey {
        id: onegrid_core::id::Hash([7; 32]),
        ..key
    };
    let refused = async |answer: Answer| (answer.status, answer.code());
    let at = |status: u16, code: &str| (status, code.to_owned());
    let begun = server.begin(unknown, bytes.len()).await;
    assert_eq!(refused(begun).await, at(404, "attachment.not_described"));
    let begun = server.begin(key, bytes.len() + 1).await;
    assert_eq!(refused(begun).await, at(400, "attachment.length"));
    let begun = server.begin(key, usize::MAX).await;
    assert_eq!(refused(begun).await, at(413, "http.too_large"));
    let early = server.append(key, 0, &bytes).await;
    assert_eq!(refused(early).await, at(404, "attachment.absent"));
    server.begin(key, bytes.len()).await;
    let gap = server.append(key, 9, &bytes[9..]).await;
    assert_eq!(refused(gap).await, at(409, "attachment.offset"));
    let long = [&bytes[..], b"more"].concat();
    let long = server.append(key, 0, &long).await;
    assert_eq!(refused(long).await, at(413, "http.too_large"));
    let other = server.append(key, 0, &photo(5_000, 2)).await;
    assert_eq!(refused(other).await, at(460, "attachment.hash"));
    let form = [("upload-offset", "0".to_owned())];
    let form = server.ask("PATCH", key, &form, b"").await;
    assert_eq!(refused(form).await, at(415, "http.media_type"));
    let none = server.ask("POST", key, &[], b"").await;
    assert_eq!(refused(none).await, at(400, "http.bad_request"));
    let metrics = server.metrics.render();
    let line = r#"onegrid_attachment_refusals_total{code="attachment.hash"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_without_its_code_or_version_is_refused() {
    let mut server = Running::new();
    let bytes = photo(5_000, 1);
    let key = server.describe(&bytes);
    let path = attachment_path(key.record, key.id);
    let length = [("upload-length", bytes.len().to_string())];
    let (_, good) = server.head("POST", &path, &length);
    let send = async |head: String| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        read(stream).await
    };
    let lie = send(good.replace("upload-length: 5", "upload-length: 4")).await;
    assert_eq!((lie.status, lie.code().as_str()), (401, "session.bad_mac"));
    let other = good.replace("POST", "DELETE");
    assert_eq!(send(other).await.code(), "session.bad_mac");
    let twice = good.replace("upload-length", "upload-length: 1\r\nupload-length");
    assert_eq!(send(twice).await.code(), "http.bad_request");
    let old = send(good.replace("tus-resumable: 1.0.0", "tus-resumable: 0.2.2")).await;
    assert_eq!(
        (old.status, old.code().as_str()),
        (412, "attachment.tus_version")
    );
    assert_eq!(old.header("tus-version"), Some("1.0.0"));
    let none = send(format!(
        "HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(none.status, 422);
    let abilities = send(format!(
        "OPTIONS {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(abilities.status, 204);
    assert_eq!(
        abilities.header("tus-extension"),
        Some("creation,termination")
    );
    assert_eq!(send(good).await.status, 201, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_server_answers_507() {
    let mut server = Running::with(BlobCeilings::with_reserve(u64::MAX), &[]);
    let bytes = photo(5_000, 1);
    let key = server.describe(&bytes);
    let begun = server.begin(key, bytes.len()).await;
    assert_eq!(
        (begun.status, begun.code().as_str()),
        (507, "attachment.server_full")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_of_a_day_answers_429() {
    let ceilings = BlobCeilings {
        device_day_files: 0,
        ..BlobCeilings::with_reserve(1)
    };
    let mut server = Running::with(ceilings, &[]);
    let bytes = photo(5_000, 1);
    let key = server.describe(&bytes);
    let begun = server.begin(key, bytes.len()).await;
    assert_eq!(
        (begun.status, begun.code().as_str()),
        (429, "attachment.too_many")
    );
    assert!(begun.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn server_names_the_files_that_it_lacks() {
    let mut server = Running::new();
    let (first, second) = (photo(500, 1), photo(500, 2));
    let keys = [server.describe(&first), server.describe(&second)];
    server.begin(keys[0], first.len()).await;
    server.append(keys[0], 0, &first).await;
    let files = keys.map(|key| FileName {
        record: key.record,
        id: key.id,
    });
    let body = NeededRequest {
        files: files.to_vec(),
    }
    .to_bytes();
    let ask = async |body: &[u8], signed: &[u8]| {
        let path = "/v1/attachments/needed";
        let tag = server.tag("POST", path, signed);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\
             {SESSION_HEADER}: {}\r\n{MAC_HEADER}: {}\r\n\r\n",
            body.len(),
            tag.session_header(),
            tag.mac_header()
        );
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        (tag, read(stream).await)
    };
    let (tag, answer) = ask(&body, &body).await;
    let mac = answer.header(MAC_HEADER);
    let checked = server.session.check_answer(&tag.mac, mac, &answer.body);
    checked.unwrap();
    let needed = NeededAnswer::from_bytes(&answer.body).unwrap();
    assert_eq!((needed.generation, needed.places), (1, vec![1]));
    let (_, forged) = ask(&body, b"other").await;
    assert_eq!(forged.code(), "session.bad_mac");
    let (_, garbage) = ask(b"\xff", b"\xff").await;
    assert_eq!(garbage.code(), "wire.damaged");
}

/// A log is heard thread by thread, so each worker listens from its start.
#[test]
fn log_names_no_file_record_or_device() {
    let (heard, guard) = Heard::start(LogFormat::Text);
    let workers = heard.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || std::mem::forget(workers.listen(LogFormat::Text)))
        .build()
        .unwrap();
    runtime.block_on(refused_uploads(&heard));
    drop(guard);
}

async fn refused_uploads(heard: &Heard) {
    let mut server = Running::new();
    let bytes = photo(5_000, 1);
    let key = server.describe(&bytes);
    server.begin(key, bytes.len()).await;
    server.append(key, 0, &photo(5_000, 2)).await;
    server.begin(key, bytes.len()).await;
    server.append(key, 3, &bytes).await;
    let line = tokio::task::spawn_blocking(|| tracing::info!("of a worker"));
    line.await.unwrap();
    let (log, metrics) = (heard.text(), server.metrics.render());
    assert!(metrics.contains("attachment.hash"), "{metrics}");
    assert!(log.contains("of a worker"), "workers are heard: {log}");
    let device = server.session.device.to_string();
    for name in [key.id.to_string(), key.record.to_string(), device] {
        for text in [&log, &metrics] {
            assert!(!text.contains(&name), "{name} in {text}");
        }
    }
}

/// The rest of a refused upload is read only so that the phone hears the answer. Other requests do
/// not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn stalled_upload_without_session_keeps_no_place() {
    let server = Running::with(BlobCeilings::with_reserve(1), &["limits.requests_max=1"]);
    let mut stranger = server.session.clone();
    stranger.id = SessionId([9; 16]);
    let tag = stranger.tag(1, "POST", SYNC_PATH, b"x");
    let head = format!(
        "POST {SYNC_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\
         {SESSION_HEADER}: {}\r\n{MAC_HEADER}: {}\r\n\r\nx",
        tag.session_header(),
        tag.mac_header(),
    );
    let stall = || async {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let two = async {
        let mut first = Box::pin(read(stall().await));
        loop {
            let second = Box::pin(read(stall().await));
            let (Either::Left((answer, other)) | Either::Right((answer, other))) =
                select(first, second).await;
            // One request has the place until its session is known to be none.
            if answer.status != 503 {
                return (answer, other);
            }
            first = other;
        }
    };
    let (answer, stalled) = timeout(Duration::from_secs(10), two).await.unwrap();
    assert_eq!(answer.code(), "session.unknown");
    assert_eq!(answer.header("connection"), Some("close"));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {AUTHORITY_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(read(stream).await.status, 200);
    drop(stalled);
}
