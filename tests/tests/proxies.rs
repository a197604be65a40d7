//! The examples of `packaging/proxy`, run by the real nginx and Caddy in front of a real server.
//!
//! ```text
//!  phone ─▶ line that breaks ─▶ nginx or Caddy (TLS) ─▶ onegrid serve
//! ```

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use onegrid_core::id::{Hash, RecordId};
use onegrid_core::net::{Budget, Cancel, NetConfig, Roots, now_ms};
use onegrid_core::replica::AttachmentState;
use onegrid_tests::line::{Line, Profile};
use onegrid_tests::onegrid::{OnlinePhone, Operator, way_to};
use onegrid_tests::photos::photo;
use reqwest::{Certificate, Client, StatusCode};
use tempfile::TempDir;
use tokio::time::timeout;

/// A sync that takes longer has failed.
const PATIENCE: Budget = Budget {
    time_ms: Some(300_000),
    bytes: None,
};
/// A proxy that does not listen after this time has failed.
const START: Duration = Duration::from_secs(20);
/// Photos, and the lines of each, about 2 MB.
const PHOTOS: u64 = 3;
const LINES: u16 = 1_700;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nginx,
    Caddy,
}

/// A running proxy with one of the examples; ended when dropped.
struct Proxy {
    child: Child,
    port: u16,
    _folder: TempDir,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn tls(name: &str) -> PathBuf {
    root().join("tests/data/tls").join(name)
}

/// Returns the example with the names of this test in place of its own.
fn example(name: &str, replaced: &[(&str, String)]) -> String {
    let mut text = std::fs::read_to_string(root().join("packaging/proxy").join(name)).unwrap();
    for (from, to) in replaced {
        assert!(text.contains(from), "{name} has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

impl Proxy {
    /// Starts the proxy in front of the server at `upstream`.
    fn start(kind: Kind, upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let names = [
            ("127.0.0.1:8787", upstream.to_owned()),
            (
                "/etc/ssl/certs/grid.example.org.pem",
                tls("server.pem").display().to_string(),
            ),
            (
                "/etc/ssl/private/grid.example.org.key",
                tls("server.key").display().to_string(),
            ),
        ];
        let mut command = match kind {
            Kind::Nginx => nginx(folder.path(), port, &names),
            Kind::Caddy => caddy(folder.path(), port, &names),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("nginx and caddy are installed: scripts/prereqs packaging");
        let mut proxy = Self {
            child,
            port,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "{kind:?} ended: {ended:?}");
            assert!(begun.elapsed() < START, "{kind:?} does not listen");
            std::thread::yield_now();
        }
        proxy
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A plain kill would leave the workers of nginx behind.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

/// The example is a part of the configuration of nginx; this is the rest.
fn nginx(folder: &Path, port: u16, names: &[(&str, String)]) -> Command {
    let mut names = names.to_vec();
    names.push(("listen 443 ", format!("listen 127.0.0.1:{port} ")));
    names.push(("grid.example.org;", "localhost;".to_owned()));
    let at = folder.display();
    let main = format!(
        "daemon off;\npid {at}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\n\
         include {at}/onegrid.conf;\n}}\n"
    );
    std::fs::write(folder.join("onegrid.conf"), example("nginx.conf", &names)).unwrap();
    std::fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(folder);
    command.arg("-c").arg(folder.join("nginx.conf"));
    command
}

fn caddy(folder: &Path, port: u16, names: &[(&str, String)]) -> Command {
    let mut names = names.to_vec();
    names.push((
        "grid.example.org {",
        format!("https://localhost:{port}, https://127.0.0.1:{port} {{"),
    ));
    let global = "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\tlevel ERROR\n\t}\n}\n";
    let file = folder.join("Caddyfile");
    std::fs::write(&file, format!("{global}{}", example("Caddyfile", &names))).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(file).env("HOME", folder);
    command
}

fn roots() -> Vec<u8> {
    std::fs::read(tls("ca.pem")).unwrap()
}

fn way(url: &str) -> NetConfig {
    way_to(url, Roots::Pinned(roots()))
}

fn operator() -> Operator {
    Operator::with_demo()
        .set("server.behind_proxy=true")
        .set("server.proxy_hops=1")
        .set("server.proxy_from=127.0.0.1")
}

/// 8 Mbit/s, cut every two seconds.
fn cutting() -> Profile {
    Profile {
        bits_s: 8_000_000,
        round_trip: Duration::from_millis(60),
        lost_per_mille: 2,
        cut_every: Some(Duration::from_secs(2)),
        seed: 1,
    }
}

async fn phone(operator: &Operator, proxy: &Proxy, member: &str) -> OnlinePhone {
    let code = operator.invite(member);
    let phone = OnlinePhone::enrol(&code, &way(&proxy.url())).await.unwrap();
    phone.sync().await;
    phone
}

/// Takes photos for a record; returns their ids and their bytes in all.
fn take_photos(phone: &OnlinePhone, record: RecordId) -> (Vec<Hash>, u64) {
    let (mut ids, mut bytes) = (Vec::new(), 0);
    for seed in 0..PHOTOS {
        let taken = photo(LINES, seed);
        bytes += taken.len() as u64;
        let mut replica = phone.replica();
        let added = replica.add_attachment(&taken, now_ms()).unwrap();
        replica.attach(record, added.id, now_ms()).unwrap();
        ids.push(added.id);
    }
    (ids, bytes)
}

/// Enrols, syncs, wakes another phone, and sends photos over a line that breaks: the server keeps the part
/// that had passed the proxy.
async fn phone_works_through(kind: Kind) {
    let operator = operator();
    let serving = operator.serve();
    let proxy = Proxy::start(kind, serving.address());
    let mut author = phone(&operator, &proxy, "demo-volunteer-1").await;
    let reader = phone(&operator, &proxy, "demo-grid-worker").await;

    let live = timeout(START, reader.live()).await.expect("a WebSocket");
    let record = author.report("液化气瓶");
    author.sync().await;
    let mut status = reader.driver.status();
    let arrived = status.wait_for(|_| reader.title(record).is_some());
    let waited = timeout(START, arrived).await;
    // The answer holds a lock of the driver's status, so it ends here.
    assert!(waited.is_ok_and(|known| known.is_ok()), "no wake-up");
    live.abort();

    let (photos, bytes) = take_photos(&author, record);
    let line = Line::to(&proxy.url(), cutting()).unwrap();
    author.move_to(&way(&line.url("https")));
    let cancel = Cancel::new();
    let report = author.driver.sync_within(PATIENCE, &cancel).await.unwrap();
    assert!(report.equal && !report.more, "{report:?}");
    let ((up, _), cuts) = (line.bytes(), line.cuts());
    assert!(cuts > 1, "{cuts} cuts");
    assert!(up * 100 <= bytes * 110, "{up} for {bytes}, {cuts} cuts");
    eprintln!("{kind:?}: {up} bytes for {bytes} with {cuts} cuts");

    reader.sync().await;
    for id in &photos {
        reader.replica().want_attachment(record, *id).unwrap();
    }
    let report = reader.driver.sync_within(PATIENCE, &cancel).await.unwrap();
    assert!(report.equal && !report.more, "{report:?}");
    for id in photos {
        let info = reader.replica().attachment(Some(record), id).unwrap();
        assert_eq!(info.unwrap().state, AttachmentState::Delivered);
    }
    keep_metrics(&serving.url).await;
    let log = serving.stop();
    assert!(!log.contains("http.proxy_chain"), "{log}");
}

/// Writes the metrics of a server that has worked into the file that `METRICS_OUT` names, for the check of the
/// dashboard and of the alerts.
async fn keep_metrics(url: &str) {
    let Some(file) = std::env::var_os("METRICS_OUT") else {
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = Client::new().get(format!("{url}/metrics"));
    let request = request.header("x-forwarded-for", "127.0.0.1");
    let text = request.send().await.unwrap().text().await.unwrap();
    std::fs::write(file, text).unwrap();
}

/// Shows the paths that strangers reach, and counts a caller by its own address whatever it writes into
/// `x-forwarded-for`.
async fn stranger_is_counted_through(kind: Kind) {
    const PER_MINUTE: usize = 20;
    let operator = operator().set(&format!("limits.address_per_minute={PER_MINUTE}"));
    let serving = operator.serve();
    let proxy = Proxy::start(kind, serving.address());
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .tls_certs_only([Certificate::from_pem(&roots()).unwrap()])
        .build()
        .unwrap();
    let get = async |path: &str, forged: usize| {
        let request = client.get(format!("{}{path}", proxy.url()));
        let request = request.header("x-forwarded-for", format!("6.6.6.{forged}"));
        request.send().await.unwrap().status()
    };
    assert_eq!(get("/healthz", 0).await, StatusCode::OK);
    assert_eq!(get("/metrics", 0).await, StatusCode::NOT_FOUND);
    let mut last = StatusCode::OK;
    for forged in 0..=PER_MINUTE {
        last = get("/v1/nothing", forged).await;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let log = serving.stop();
    assert!(!log.contains("http.proxy_chain"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "scripts/test-packaging runs it, because it needs nginx"]
async fn phone_works_through_nginx() {
    phone_works_through(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "scripts/test-packaging runs it, because it needs Caddy"]
async fn phone_works_through_caddy() {
    phone_works_through(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "scripts/test-packaging runs it, because it needs nginx"]
async fn stranger_is_counted_through_nginx() {
    stranger_is_counted_through(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "scripts/test-packaging runs it, because it needs Caddy"]
async fn stranger_is_counted_through_caddy() {
    stranger_is_counted_through(Kind::Caddy).await;
}
