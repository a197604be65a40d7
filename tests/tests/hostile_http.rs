//! Bytes from outside that no phone of ours would send. Each gets its coded answer, nothing is stored, and
//! the server continues to run.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::net::{OsRandom, Roots, now_ms};
use onegrid_core::sync::paths::{ENROL_PATH, LIVE_PATH, SESSION_PATH, SYNC_PATH};
use onegrid_core::trust::request_mac::{MAC_HEADER, SESSION_HEADER};
use onegrid_core::trust::session::{ClientHandshake, Session};
use onegrid_tests::onegrid::{OnlinePhone, Operator, Serving, way_to};
use reqwest::{Client, Response};

fn client() -> Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

async fn post(server: &Serving, path: &str, body: Vec<u8>) -> Response {
    let url = format!("{}{path}", server.url);
    client().post(url).body(body).send().await.unwrap()
}

/// Returns status and code of a refusal.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(body["status"], status);
    assert!(body["zh"].is_string() && body["en"].is_string(), "{body}");
    (status, body["code"].as_str().unwrap().to_owned())
}

/// Opens a session by hand, as the phone's driver does.
async fn session(server: &Serving, phone: &OnlinePhone) -> Session {
    let (anchors, certificate) = {
        let replica = phone.replica();
        let certificate = replica.certificate().unwrap().clone();
        (replica.anchors().unwrap().clone(), certificate)
    };
    let (state, hello) = ClientHandshake::start(anchors.authority(), &mut OsRandom);
    let answer = post(server, SESSION_PATH, hello).await;
    let answer = answer.bytes().await.unwrap();
    let (state, prove) = state
        .prove(&answer, &anchors, phone.signer(), &certificate)
        .unwrap();
    let spent = prove.clone();
    let grant = post(server, SESSION_PATH, prove).await;
    let grant = grant.bytes().await.unwrap();
    let (session, _) = state.finish(&grant, now_ms()).unwrap();
    let again = refusal(post(server, SESSION_PATH, spent).await).await;
    assert_eq!(again.1, "session.handshake_over", "a proof is good once");
    session
}

async fn one_phone(operator: &Operator, server: &Serving) -> OnlinePhone {
    let way = way_to(&server.url, Roots::default());
    let phone = OnlinePhone::enrol(&operator.invite("demo-volunteer-1"), &way).await;
    let phone = phone.unwrap();
    phone.sync().await;
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_oversized_bodies_get_codes() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    for path in [ENROL_PATH, SESSION_PATH, SYNC_PATH] {
        for body in [
            Vec::new(),
            vec![0xff; 100],
            vec![0x83; 1_000],
            b"{}".to_vec(),
        ] {
            let (status, code) = refusal(post(&server, path, body).await).await;
            assert!((400..500).contains(&status), "{path}: {status} {code}");
            assert!(!code.starts_with("server."), "{path}: {code}");
        }
    }
    for path in [ENROL_PATH, SESSION_PATH] {
        let large = refusal(post(&server, path, vec![0; 40_000]).await).await;
        assert_eq!(large, (413, "http.too_large".to_owned()), "{path}");
    }
    let phone = one_phone(&operator, &server).await;
    assert_eq!(
        phone.replica().undelivered().unwrap(),
        0,
        "the server lives"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_code_is_wrong_is_refused_and_costs_the_phone_nothing() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let phone = one_phone(&operator, &server).await;
    let session = session(&server, &phone).await;
    let send = |headers: Option<(String, String)>, body: &'static [u8]| {
        let mut request = client()
            .post(format!("{}{SYNC_PATH}", server.url))
            .body(body);
        if let Some((session, mac)) = headers {
            request = request
                .header(SESSION_HEADER, session)
                .header(MAC_HEADER, mac);
        }
        request.send()
    };
    let tag = session.tag(1, "POST", SYNC_PATH, b"what was signed");
    let headers = (tag.session_header(), tag.mac_header());
    let other = session.tag(1, "GET", LIVE_PATH, b"");
    let unknown = (format!("{}.1", "0".repeat(32)), headers.1.clone());
    let of_another = (other.session_header(), other.mac_header());
    for (headers, body, status, code) in [
        (None, &b"x"[..], 422, "session.malformed"),
        (
            Some(headers.clone()),
            b"what was not",
            401,
            "session.bad_mac",
        ),
        (Some(of_another), b"", 401, "session.bad_mac"),
        (Some(unknown), b"what was signed", 401, "session.unknown"),
    ] {
        let refused = refusal(send(headers, body).await.unwrap()).await;
        assert_eq!(refused, (status, code.to_owned()));
    }
    // The right phone has signed garbage, so the frame is refused, and the session continues.
    let garbage = refusal(send(Some(headers), b"what was signed").await.unwrap()).await;
    assert!(garbage.1.starts_with("wire."), "{garbage:?}");
    phone.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_in_between_who_relayed_the_handshake_can_do_nothing_with_it() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let phone = one_phone(&operator, &server).await;
    // The attacker knows everything that went over the wire: hello, proof, grant, and the id of the
    // session.
    let known = session(&server, &phone).await;
    let forged = format!("{}.{:x}", hex(&known.id.0), 2);
    for mac in ["0".repeat(32), hex(&known.id.0)] {
        let request = client()
            .post(format!("{}{SYNC_PATH}", server.url))
            .header(SESSION_HEADER, &forged)
            .header(MAC_HEADER, mac)
            .body(b"forged".to_vec());
        let refused = refusal(request.send().await.unwrap()).await;
        assert_eq!(refused.1, "session.bad_mac");
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let operator = Operator::with_demo().set("limits.address_per_minute=5");
    let server = operator.serve();
    // A slow machine gets more requests through, because a token returns every twelve seconds.
    let mut allowed = 0;
    let last = loop {
        let answer = post(&server, SESSION_PATH, vec![1]).await;
        if answer.status() == 429 {
            break answer;
        }
        allowed += 1;
    };
    assert!(allowed >= 5, "{allowed} requests");
    let wait: u32 = last.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let refused = refusal(last).await;
    assert_eq!(refused, (429, "http.too_many".to_owned()));
    let health = client().get(format!("{}/healthz", server.url)).send().await;
    assert_eq!(health.unwrap().status(), 200, "health is never limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_metrics_name_nobody() {
    let operator = Operator::with_demo().set("log.filter=trace");
    let server = operator.serve();
    let phone = one_phone(&operator, &server).await;
    let _record = phone.report("金丝雀路 133 号");
    phone.sync().await;
    let metrics = client().get(format!("{}/metrics", server.url)).send().await;
    let metrics = metrics.unwrap().text().await.unwrap();
    assert!(
        metrics.contains(r#"onegrid_envelopes_total{verdict="accepted"}"#),
        "{metrics}"
    );
    let device = phone.replica().device().to_string();
    let member = phone.replica().own_member().unwrap().to_string();
    let log = server.stop();
    assert!(log.contains("request") && log.contains(SYNC_PATH), "{log}");
    for text in [&log, &metrics] {
        for canary in ["金丝雀", "志愿者", "127.0.0.1", &device, &member] {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
    }
}
