#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::config::{Config, Effective, Inputs, LogFormat};
use crate::error::Problem;
use crate::metrics::Metrics;
use crate::telemetry::tests::Heard;

mod connections;

/// A running server with the controls of the test.
struct Running {
    address: SocketAddr,
    metrics: Metrics,
    trigger: Trigger,
    done: tokio::task::JoinHandle<crate::error::Result<()>>,
}

/// Holds a request.
#[derive(Default)]
struct Gate {
    /// Notified when the request is under way.
    entered: Notify,
    /// Lets the request end.
    opened: Notify,
}

fn configured(flags: &[&str]) -> Config {
    let mut flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
    flags.push("server.listen=127.0.0.1:0".to_owned());
    let inputs = Inputs {
        flags,
        ..Inputs::default()
    };
    Effective::load(&inputs).unwrap().config
}

/// Starts a server with one route that counts bytes, one that panics and one that waits for `gate`.
fn start(flags: &[&str], gate: Arc<Gate>, ready: Ready) -> Running {
    let config = configured(flags);
    let metrics = Metrics::new();
    let app = Router::new()
        .route(
            "/count",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route(
            "/bug",
            get(|| async { panic!("张三 139 canary") as String }),
        )
        .route(
            "/wait",
            get(move || async move {
                gate.entered.notify_one();
                gate.opened.notified().await;
                "waited"
            }),
        );
    let shell = super::shell(
        app,
        Router::new(),
        &Shell::new(&config, metrics.clone(), ready),
    );
    let listener = Listener::bind(&config).unwrap();
    let address = listener.address();
    let (trigger, shutdown) = Shutdown::new();
    let done = tokio::spawn(listener.serve(shell, shutdown));
    Running {
        address,
        metrics,
        trigger,
        done,
    }
}

fn plain() -> Running {
    start(&[], Arc::default(), Arc::new(|| Ok(())))
}

/// Sends raw HTTP/1.1 and reads the answer to the end of the connection.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn get_as(address: SocketAddr, path: &str, lang: &str) -> String {
    let head = format!("Host: x\r\nAccept-Language: {lang}\r\nConnection: close\r\n\r\n");
    raw(address, &format!("GET {path} HTTP/1.1\r\n{head}")).await
}

#[tokio::test]
async fn every_failure_has_a_code_and_speaks_the_callers_language() {
    let server = plain();
    let missing = get_as(server.address, "/no/such?name=zhang", "en").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    assert!(missing.contains("application/problem+json") && missing.contains("http.not_found"));
    assert!(missing.contains("content-language: en"), "{missing}");
    assert!(
        missing.contains(r#""title":"There is nothing"#),
        "{missing}"
    );
    let chinese = get_as(server.address, "/no/such", "zh-CN,en;q=0.1").await;
    assert!(chinese.contains(r#""title":"没有这个地址"#), "{chinese}");
    let method = get_as(server.address, "/count", "en").await;
    assert!(
        method.contains("http.method") && method.contains("allow: POST"),
        "{method}"
    );
}

#[tokio::test]
async fn a_bug_fails_one_request_and_says_nothing_of_what_it_met() {
    let server = plain();
    for _ in 0..2 {
        let answer = get_as(server.address, "/bug", "en").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(
            answer.contains("server.internal") && !answer.contains("张三"),
            "{answer}"
        );
    }
    assert!(
        get_as(server.address, "/healthz", "en")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        server
            .metrics
            .render()
            .contains("onegrid_http_panics_total 2")
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let server = start(
        &["limits.body_bytes_max=4096"],
        Arc::default(),
        Arc::new(|| Ok(())),
    );
    let head = "POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let announced = raw(
        server.address,
        &format!("{head}Content-Length: 99999999\r\n\r\n"),
    )
    .await;
    assert!(
        announced.contains("http.too_large") && announced.contains("4096"),
        "{announced}"
    );
    let chunk = "x".repeat(5_000);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n1388\r\n{chunk}\r\n0\r\n\r\n");
    let streamed = raw(server.address, &chunked).await;
    assert!(streamed.starts_with("HTTP/1.1 413"), "{streamed}");
    assert!(streamed.contains("http.too_large"), "{streamed}");
    let fits = raw(
        server.address,
        &format!("{head}Content-Length: 3\r\n\r\nabc"),
    )
    .await;
    assert!(
        fits.starts_with("HTTP/1.1 200") && fits.ends_with('3'),
        "{fits}"
    );
}

#[tokio::test]
async fn a_full_server_answers_busy_at_once_and_health_still_answers() {
    let gate = Arc::<Gate>::default();
    let server = start(
        &["limits.requests_max=1"],
        gate.clone(),
        Arc::new(|| Ok(())),
    );
    let waiting = tokio::spawn(async move { get_as(server.address, "/wait", "en").await });
    gate.entered.notified().await;
    let busy = raw(
        server.address,
        "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(
        busy.starts_with("HTTP/1.1 503") && busy.contains("http.busy"),
        "{busy}"
    );
    assert!(busy.contains("retry-after"), "{busy}");
    assert!(
        get_as(server.address, "/healthz", "en")
            .await
            .starts_with("HTTP/1.1 200")
    );
    gate.opened.notify_one();
    assert!(waiting.await.unwrap().ends_with("waited"));
}

/// Requests that only wait must not answer “busy” to the phones of everybody else.
#[tokio::test]
async fn address_with_its_share_leaves_room_for_others() {
    let gate = Arc::<Gate>::default();
    let flags = ["limits.requests_max=64", "server.behind_proxy=true"];
    let server = start(&flags, gate.clone(), Arc::new(|| Ok(())));
    let address = server.address;
    let from = |request: &str, who: &str| {
        format!(
            "{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-Forwarded-For: {who}\r\n\
             Connection: close\r\n\r\n"
        )
    };
    let mut waiting = Vec::new();
    for _ in 0..16 {
        let request = from("GET /wait", "192.0.2.1");
        waiting.push(tokio::spawn(async move { raw(address, &request).await }));
        gate.entered.notified().await;
    }
    let busy = raw(address, &from("POST /count", "192.0.2.1")).await;
    assert!(busy.starts_with("HTTP/1.1 503"), "{busy}");
    let served = raw(address, &from("POST /count", "192.0.2.2")).await;
    assert!(served.starts_with("HTTP/1.1 200"), "{served}");
    gate.opened.notify_waiters();
    for one in waiting {
        assert!(one.await.unwrap().ends_with("waited"));
    }
    let again = raw(address, &from("POST /count", "192.0.2.1")).await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_takes_nothing_new() {
    let gate = Arc::<Gate>::default();
    let server = start(
        &["limits.requests_max=1"],
        gate.clone(),
        Arc::new(|| Ok(())),
    );
    let address = server.address;
    let waiting = tokio::spawn(async move { get_as(address, "/wait", "en").await });
    gate.entered.notified().await;
    server.trigger.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.opened.notify_one();
    assert!(waiting.await.unwrap().ends_with("waited"));
    server.done.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_work_is_not_healthy() {
    let ready: Ready = Arc::new(|| Err(Problem::new("server.stopping")));
    let server = start(&[], Arc::default(), ready);
    let answer = get_as(server.address, "/healthz", "en").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("server.stopping"),
        "{answer}"
    );
}

#[tokio::test]
async fn metrics_name_routes_never_paths() {
    let server = plain();
    get_as(server.address, "/people/zhangsan?id=139", "en").await;
    get_as(server.address, "/count", "en").await;
    let text = get_as(server.address, "/metrics", "en").await;
    assert!(
        text.contains(r#"route="/count""#) && text.contains(r#"route="unmatched""#),
        "{text}"
    );
    assert!(!text.contains("zhangsan"), "{text}");
}

#[tokio::test]
async fn the_log_holds_no_trace_of_a_person() {
    let (heard, guard) = Heard::start(LogFormat::Text);
    let server = plain();
    let address = server.address;
    for request in [
        "GET /people/canary?phone=canary HTTP/1.1\r\nHost: canary\r\nAuthorization: canary",
        "GET /bug HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: canary\r\nCookie: canary=canary",
        "CANARY /count HTTP/1.1\r\nHost: x\r\nAccept-Language: canary",
        "POST /count HTTP/1.1\r\nHost: x\r\nContent-Type: canary\r\nContent-Length: canary",
        "canary",
    ] {
        raw(address, &format!("{request}\r\nConnection: close\r\n\r\n")).await;
    }
    let long = format!(
        "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n{}",
        "\r\ncanary"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(long.as_bytes()).await.unwrap();
    let peer = stream.local_addr().unwrap();
    drop(stream);
    assert!(
        get_as(address, "/count", "en")
            .await
            .starts_with("HTTP/1.1 405")
    );
    server.trigger.stop();
    server.done.await.unwrap().unwrap();
    drop(guard);
    let text = heard.text().to_lowercase();
    assert!(
        text.contains("http.not_found") && text.contains("/count"),
        "nothing was logged: {text}"
    );
    assert!(!text.contains("canary"), "{text}");
    assert!(
        !text.contains(&peer.to_string()) && !text.contains("127.0.0.1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_taken_port_is_a_coded_problem() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let flags = vec![format!("server.listen={}", taken.local_addr().unwrap())];
    let config = Effective::load(&Inputs {
        flags,
        ..Inputs::default()
    })
    .unwrap()
    .config;
    assert_eq!(Listener::bind(&config).unwrap_err().code(), "server.listen");
}
