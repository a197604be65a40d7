//! Connections that say nothing, read nothing or come in floods.

use std::time::Duration;

use axum::http::header;
use onegrid_core::id::DeviceId;

use super::*;
use crate::api::connection::{Judgement, Life, UntilSent};
use crate::api::seats::Seats;

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_mins(10);

/// No time that a test does not name runs out.
const fn patient() -> Patience {
    Patience {
        handshake: LONG,
        head: LONG,
        answer: LONG,
        farewell: SHORT,
    }
}

/// Starts a server whose `/big` answers with 32 MiB.
fn start(flags: &[&str], patience: Patience, seats: Arc<Seats<DeviceId>>) -> Running {
    let big = get(move || async move {
        let seat = seats.take(DeviceId([1; 16]))?;
        let body = axum::body::Body::from(vec![b'x'; 32 * 1_024 * 1_024]);
        let mut response = axum::response::Response::new(body);
        response.extensions_mut().insert(UntilSent::new(seat));
        Ok::<_, Problem>(response)
    });
    let config = configured(flags);
    let metrics = Metrics::new();
    let shell = Shell::new(&config, metrics.clone(), Arc::new(|| Ok(())));
    let app = super::super::shell(Router::new().route("/big", big), Router::new(), &shell);
    let listener = Listener::bind(&config)
        .unwrap()
        .with_patience(patience)
        .with_metrics(&metrics);
    let address = listener.address();
    let (trigger, shutdown) = Shutdown::new();
    let done = tokio::spawn(listener.serve(app, shutdown));
    Running {
        address,
        metrics,
        trigger,
        done,
    }
}

fn places() -> Arc<Seats<DeviceId>> {
    Arc::new(Seats::new(100, 100))
}

/// Waits for the end of a connection, and drops all bytes before it.
async fn ended(stream: &mut TcpStream) {
    let mut buffer = [0; 4_096];
    while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
}

fn counted(server: &Running, reason: &str) -> bool {
    let line = format!("onegrid_connections_ended_total{{reason=\"{reason}\"}}");
    server.metrics.render().contains(&line)
}

#[tokio::test]
async fn connection_without_a_byte_is_closed() {
    let patience = Patience {
        head: SHORT,
        ..patient()
    };
    let server = start(&[], patience, places());
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"PRI * HT").await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    for stream in [&mut silent, &mut half, &mut slow] {
        ended(stream).await;
    }
    assert!(counted(&server, "silent"));
}

#[tokio::test]
async fn idle_connection_is_closed_after_its_answer() {
    let patience = Patience {
        head: SHORT,
        ..patient()
    };
    let server = start(&[], patience, places());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// A ping of HTTP/2 costs nothing, so it must not keep a connection open.
#[tokio::test]
async fn pinging_http2_connection_without_requests_is_closed() {
    let patience = Patience {
        head: SHORT,
        ..patient()
    };
    let server = start(&[], patience, places());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(SETTINGS).await.unwrap();
    let mut buffer = [0; 4_096];
    loop {
        // Each answered ping brings the next one.
        if stream.write_all(PING).await.is_err() {
            break;
        }
        if matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {
            break;
        }
    }
    assert!(counted(&server, "silent"));
}

#[tokio::test]
async fn reader_that_takes_nothing_is_closed() {
    let patience = Patience {
        answer: SHORT,
        ..patient()
    };
    let server = start(&[], patience, places());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    while !counted(&server, "stalled") {
        tokio::task::yield_now().await;
    }
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken).await;
    assert!(
        taken.len() < 16 * 1_024 * 1_024,
        "the kernel kept {}",
        taken.len()
    );
}

/// This peer reads every byte, and allows the stream no further one.
#[tokio::test]
async fn http2_stream_without_a_window_is_closed() {
    let patience = Patience {
        answer: SHORT,
        ..patient()
    };
    let server = start(&[], patience, places());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let block = b"\x82\x86\x04\x04/big\x41\x01x";
    let mut frames = [PREFACE, SETTINGS].concat();
    let length = u8::try_from(block.len()).unwrap();
    frames.extend([0, 0, length, 1, 5, 0, 0, 0, 1]);
    frames.extend(block);
    stream.write_all(&frames).await.unwrap();
    ended(&mut stream).await;
    assert!(counted(&server, "stalled"));
}

#[tokio::test]
async fn place_is_held_until_the_answer_is_read() {
    let seats = Arc::new(Seats::new(1, 1));
    let server = start(&[], patient(), Arc::clone(&seats));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let busy = get_as(server.address, "/big", "en").await;
    assert!(busy.contains("http.busy"), "{}", &busy[..80]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > 32 * 1_024 * 1_024, "the whole answer came");
    while seats.take(DeviceId([1; 16])).is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn judgement_is_about_progress_and_not_about_time() {
    let patience = Patience {
        head: Duration::from_secs(20),
        answer: Duration::from_mins(1),
        ..patient()
    };
    let life = Life::new();
    assert!(matches!(life.judge(&patience), Judgement::Moves(_)));
    for _ in 0..100 {
        life.note_write(&std::task::Poll::Pending);
        tokio::time::advance(Duration::from_secs(50)).await;
        assert!(matches!(life.judge(&patience), Judgement::Moves(_)));
        life.note_write(&std::task::Poll::Ready(Ok(1)));
    }
    life.note_write(&std::task::Poll::Pending);
    tokio::time::advance(Duration::from_secs(61)).await;
    // A repeated attempt that fails is no progress.
    life.note_write(&std::task::Poll::Pending);
    assert_eq!(life.judge(&patience), Judgement::Stalled);
    life.note_write(&std::task::Poll::Ready(Ok(1)));
    assert!(matches!(life.judge(&patience), Judgement::Moves(_)));
    tokio::time::advance(Duration::from_secs(21)).await;
    life.note_write(&std::task::Poll::Ready(Ok(1)));
    assert_eq!(life.judge(&patience), Judgement::Silent);
}

#[tokio::test]
async fn flood_of_connections_is_refused_and_logged_once() {
    let (heard, guard) = Heard::start(LogFormat::Text);
    let flags = [
        "limits.connections_max=40",
        "limits.address_connections_max=2",
    ];
    let server = start(&flags, patient(), places());
    let mut open = Vec::new();
    // Two places for the address, and the ones that this machine itself has.
    for _ in 0..2 + crate::limits::LOCAL_CONNECTIONS_RESERVED {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        open.push(stream);
    }
    for _ in 0..50 {
        ended(&mut TcpStream::connect(server.address).await.unwrap()).await;
    }
    assert!(counted(&server, "no_place"));
    drop(open);
    // The places are free as soon as the server has seen the ends.
    loop {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        if answer.starts_with(b"HTTP/1.1 200") {
            break;
        }
    }
    drop(guard);
    let lines = heard.text().matches("connections refused").count();
    assert_eq!(lines, 1, "{}", heard.text());
}

#[tokio::test]
async fn unmatched_paths_pass_the_rate_limit() {
    let server = start(&["limits.address_per_minute=3"], patient(), places());
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(get_as(server.address, "/no/such", "en").await);
    }
    assert!(
        answers[..3]
            .iter()
            .all(|answer| answer.contains("http.not_found"))
    );
    assert!(answers[3].contains("http.too_many"), "{}", answers[3]);
}

#[tokio::test]
async fn flood_of_refusals_is_counted_and_logged_once() {
    let (heard, guard) = Heard::start(LogFormat::Text);
    let server = start(&[], patient(), places());
    for _ in 0..100 {
        let answer = get_as(server.address, "/no/such", "en").await;
        assert!(answer.contains("http.not_found"));
    }
    drop(guard);
    let text = heard.text();
    assert_eq!(text.matches("http.not_found").count(), 1, "{text}");
    let line = "onegrid_http_problems_total{code=\"http.not_found\"} 100";
    assert!(server.metrics.render().contains(line));
    // The route's template is known, and the answer has its media type.
    let answer = get_as(server.address, "/no/such", "en").await;
    assert!(answer.contains(header::CONTENT_TYPE.as_str()));
}
