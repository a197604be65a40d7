//! The first thread through everything: the command line makes a deployment, phones enrol with it, one
//! phone reports without network, and another sees the report. The binary, the sockets and the encrypted
//! replicas are real.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload::Comment;
use onegrid_core::net::{Roots, now_ms};
use onegrid_tests::onegrid::{OnlinePhone, Operator, binary, way_to};
use onegrid_tests::postgres::chosen_nodes;

/// Enrols a volunteer and a grid worker and syncs them with the server.
async fn two_phones(operator: &Operator, url: &str) -> (OnlinePhone, OnlinePhone) {
    let way = way_to(url, Roots::default());
    let mut phones = Vec::new();
    for member in ["demo-volunteer-1", "demo-grid-worker"] {
        let phone = OnlinePhone::enrol(&operator.invite(member), &way)
            .await
            .unwrap();
        phone.sync().await;
        phones.push(phone);
    }
    let worker = phones.pop().unwrap();
    (phones.pop().unwrap(), worker)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_phone_reported_offline_another_sees_after_both_synced() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let (volunteer, worker) = two_phones(&operator, &server.url).await;

    let record = volunteer.report("五个气瓶");
    assert_eq!(volunteer.replica().undelivered().unwrap(), 1);
    assert_eq!(worker.title(record), None, "nothing has been sent yet");

    let report = volunteer.sync().await;
    assert_eq!(report.pushed, 1);
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
    worker.sync().await;
    assert_eq!(worker.title(record).as_deref(), Some("五个气瓶"));

    // The other direction: the worker's comment reaches the volunteer.
    let comment = Comment {
        text: Some(Text::new("马上去").unwrap()),
        attachments: Vec::new(),
        mentions: Vec::new(),
    };
    worker.replica().comment(record, comment, now_ms()).unwrap();
    worker.sync().await;
    volunteer.sync().await;
    let view = volunteer.replica().view(record).unwrap().unwrap();
    assert_eq!(view.comments.len(), 1);
    assert_eq!(view.comments[0].text, "马上去");

    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["serving"], true, "{status}");
    assert_eq!(status["records"], 1, "{status}");
    assert_eq!(
        operator.json(&["verify", "--json"])["wrong"],
        serde_json::json!([])
    );
    server.stop();
}

/// The program of `examples/phone`, run as its page says: with the server, without it, and with it again.
#[test]
fn smallest_phone_reports_and_delivers() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let code = operator.invite("demo-volunteer-1");
    let phone = |url: &str| {
        let mut command = std::process::Command::new(binary().with_file_name("onegrid-phone"));
        command.arg(operator.path("phone")).args([&code, url]);
        command.output().unwrap()
    };
    let url = server.url.clone();
    let first = phone(&url);
    let said = String::from_utf8(first.stdout).unwrap();
    assert!(first.status.success(), "{said}");
    assert!(said.contains("delivered: 1, equal: true"), "{said}");
    assert_eq!(operator.json(&["status", "--json"])["records"], 1);

    server.stop();
    let offline = phone(&url);
    assert_eq!(offline.status.code(), Some(1));
    assert_eq!(offline.stderr.as_slice(), b"sync.offline\n");

    let server = operator.serve();
    let again = phone(&server.url);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(said.contains("delivered: 2, equal: true"), "{said}");
    assert_eq!(operator.json(&["status", "--json"])["records"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_with_nothing_new_is_one_round_trip_under_a_kilobyte() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let (volunteer, _worker) = two_phones(&operator, &server.url).await;
    let record = volunteer.report("楼道堆物");
    volunteer.sync().await;
    // The automatic moves of the server (routing, deadlines) have arrived by now.
    volunteer.sync().await;
    assert!(volunteer.title(record).is_some());
    let before = volunteer.driver.traffic();
    let report = volunteer.sync().await;
    let after = volunteer.driver.traffic();
    assert_eq!(after.round_trips - before.round_trips, 1);
    assert_eq!((report.pushed, report.pulled), (0, 0));
    let bytes = (after.bytes_up - before.bytes_up) + (after.bytes_down - before.bytes_down);
    assert!(bytes < 1_000, "{bytes} bytes, headers included");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_waits_is_woken_by_what_another_brings() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let (volunteer, worker) = two_phones(&operator, &server.url).await;
    let running = worker.live().await;
    let mut status = worker.driver.status();
    let record = volunteer.report("电动车飞线充电");
    volunteer.sync().await;
    while worker.title(record).is_none() {
        status.changed().await.unwrap();
    }
    worker.driver.cancel();
    running.await.unwrap();
}
#[tokio::test(flavor = "multi_thread")]
async fn the_server_restored_from_an_old_backup_gets_back_what_it_lost() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let (mut volunteer, mut worker) = two_phones(&operator, &server.url).await;
    let before = volunteer.report("备份之前");
    volunteer.sync().await;
    operator.ok(&["backup", "yesterday"]);
    let after = volunteer.report("备份之后");
    volunteer.sync().await;
    worker.sync().await;

    let refused = operator.run(&["restore", "yesterday"]);
    let code = match chosen_nodes() {
        None => "data.served",
        Some(_) => "restore.on_server",
    };
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains(code), "{refused:?}");
    server.kill();
    let operator = operator.restored("yesterday");
    let server = operator.serve();
    assert_eq!(operator.json(&["status", "--json"])["records"], 1);

    let way = way_to(&server.url, Roots::default());
    for phone in [&mut volunteer, &mut worker] {
        phone.move_to(&way);
        phone.sync().await;
    }
    volunteer.sync().await;
    for phone in [&volunteer, &worker] {
        assert_eq!(phone.title(before).as_deref(), Some("备份之前"));
        assert_eq!(phone.title(after).as_deref(), Some("备份之后"));
    }
    assert_eq!(operator.json(&["status", "--json"])["records"], 2);
    assert_eq!(
        operator.json(&["verify", "--json"])["wrong"],
        serde_json::json!([])
    );
}
