//! The testbed as the suites of all languages see it: a child process that is commanded by lines, and real
//! phones that enrol through it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::Path;

use onegrid_core::net::{NetConfig, NetError, Roots};
use onegrid_core::replica::Filter;
use onegrid_tests::onegrid::{OnlinePhone, way_to};
use onegrid_tests::testbed::Client;
use serde_json::{Value, json};

fn start(arguments: &[&str]) -> Client {
    Client::start(env!("CARGO_BIN_EXE_testbed"), arguments)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn way(testbed: &mut Client) -> NetConfig {
    let address = testbed.ok("address", &json!({}));
    let roots = address["tls_roots"].as_str().map_or(Roots::Public, |path| {
        Roots::Pinned(std::fs::read(path).unwrap())
    });
    way_to(&text(&address, "address"), roots)
}

async fn phone(testbed: &mut Client, who: &str) -> OnlinePhone {
    let invited = testbed.ok("invite", &json!({ "who": who }));
    let way = way(testbed);
    let phone = OnlinePhone::enrol(&text(&invited, "qr"), &way)
        .await
        .unwrap();
    phone.sync().await;
    phone
}

fn refused(testbed: &mut Client, command: &str, with: &Value) -> String {
    testbed.ask(command, with).unwrap_err().code
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_reports_and_the_server_view_knows() {
    let mut testbed = start(&[]);
    let phone = phone(&mut testbed, "volunteer-1").await;
    let record = phone.report("五个气瓶");
    let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
    assert_eq!(view["known"], false, "{view}");
    phone.sync().await;
    let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
    assert_eq!(
        (&view["known"], &view["stage"], &view["open"]),
        (&json!(true), &json!("reported"), &json!(true)),
        "{view}"
    );
    assert_eq!(view["void"], 0, "{view}");
    let person = testbed.ok("person", &json!({ "who": "volunteer-1" }));
    assert_eq!(
        person["devices"],
        json!([phone.replica().device().to_string()])
    );
    let verified = testbed.ok("server_verify", &json!({}));
    assert_eq!(verified["wrong"], json!([]), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_on_a_dead_line_is_offline() {
    let mut testbed = start(&[]);
    let phone = phone(&mut testbed, "volunteer-1").await;
    testbed.ok("line", &json!({ "up": false }));
    let record = phone.report("没有网络");
    assert_eq!(phone.driver.sync_once().await, Err(NetError::Offline));
    testbed.ok("line", &json!({ "up": true }));
    phone.sync().await;
    let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
    assert_eq!(view["known"], true, "{view}");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_sync_waits_at_the_mark() {
    let mut testbed = start(&[]);
    testbed.ok("records", &json!({ "n": 200 }));
    let invited = testbed.ok("invite", &json!({ "who": "grid-worker" }));
    let way = way(&mut testbed);
    let phone = OnlinePhone::enrol(&text(&invited, "code"), &way)
        .await
        .unwrap();
    testbed.ok("line", &json!({ "hold_after": 20_000 }));
    let driver = phone.driver.clone();
    let syncing = tokio::spawn(async move { driver.sync_once().await });
    testbed.ok("line_held", &json!({}));
    assert!(!syncing.is_finished());
    testbed.ok("line", &json!({ "up": true }));
    assert!(syncing.await.unwrap().unwrap().equal);
    assert_eq!(phone.replica().count(&Filter::default()).unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_sync_ends_on_a_cut_line() {
    let mut testbed = start(&[]);
    testbed.ok("records", &json!({ "n": 500 }));
    let invited = testbed.ok("invite", &json!({ "who": "grid-worker" }));
    let way = way(&mut testbed);
    let phone = OnlinePhone::enrol(&text(&invited, "code"), &way)
        .await
        .unwrap();
    let before = testbed.ok("line", &json!({ "cut_every": 90_000 }));
    let mut tries = 0;
    let report = loop {
        tries += 1;
        assert!(tries < 100, "it never ends");
        match phone.driver.sync_once().await {
            Ok(report) => break report,
            Err(error) => eprintln!("{error} {:?}", testbed.ok("traffic", &json!({}))),
        }
    };
    assert!(report.equal && tries > 1, "{tries} {report:?}");
    assert_eq!(phone.replica().count(&Filter::default()).unwrap(), 500);
    let after = testbed.ok("traffic", &json!({}));
    assert!(after["connections"].as_u64() > before["connections"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_server_comes_back_at_the_same_address() {
    let mut testbed = start(&[]);
    let phone = phone(&mut testbed, "volunteer-1").await;
    let before = testbed.ok("address", &json!({}));
    testbed.ok("kill_server", &json!({}));
    assert_eq!(
        refused(&mut testbed, "stop_server", &json!({})),
        "testbed.not_running"
    );
    assert_eq!(phone.driver.sync_once().await, Err(NetError::Offline));
    let after = testbed.ok("start_server", &json!({}));
    assert_eq!(before["address"], after["address"]);
    assert_ne!(before["pid"], after["pid"]);
    assert_eq!(
        refused(&mut testbed, "start_server", &json!({})),
        "testbed.running"
    );
    phone.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_server_is_refilled_by_the_phone() {
    let mut testbed = start(&[]);
    let phone = phone(&mut testbed, "volunteer-1").await;
    testbed.ok("backup", &json!({}));
    let record = phone.report("备份之后");
    phone.sync().await;
    testbed.ok("restore", &json!({}));
    let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
    assert_eq!(view["known"], false, "{view}");
    phone.sync().await;
    let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
    assert_eq!(view["known"], true, "{view}");
    assert_eq!(
        refused(&mut testbed, "restore", &json!({ "name": "none" })),
        "backup.none"
    );
    phone.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_phone_keeps_its_later_work() {
    let mut testbed = start(&[]);
    let phone = phone(&mut testbed, "volunteer-1").await;
    let before = phone.report("之前");
    phone.sync().await;
    let after = phone.report("之后");
    let revoked = testbed.ok("revoke", &json!({ "who": "volunteer-1" }));
    assert_eq!(revoked["revoked"], 1);
    let refused = phone.driver.sync_once().await.unwrap_err();
    assert_eq!(refused.code(), "session.revoked");
    for (record, known) in [(before, true), (after, false)] {
        let view = testbed.ok("server_view", &json!({ "record": record.to_string() }));
        assert_eq!(view["known"], known, "{view}");
    }
    assert_eq!(phone.replica().undelivered().unwrap(), 1);
    let again = testbed.ok("revoke", &json!({ "who": "volunteer-1" }));
    assert_eq!(again["revoked"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_foreign_invitations_are_refused() {
    let mut testbed = start(&[]);
    let way = way(&mut testbed);
    let code = |error: NetError| error.code().to_owned();
    let invited = testbed.ok("invite", &json!({ "who": "volunteer-1" }));
    testbed.ok("expire_invitation", &json!({ "code": invited["code"] }));
    let expired = OnlinePhone::enrol(&text(&invited, "qr"), &way).await.err();
    assert_eq!(expired.map(code).as_deref(), Some("enrolment.expired"));
    let foreign = testbed.ok("foreign_invitation", &json!({}));
    for form in ["qr", "code"] {
        let refused = OnlinePhone::enrol(&text(&foreign, form), &way).await.err();
        let refused = refused.map(code).unwrap();
        assert!(refused.starts_with("enrolment."), "{form} {refused}");
    }
    // The other way round: our invitation, and a server of another deployment behind the address.
    let invited = testbed.ok("invite", &json!({ "who": "volunteer-1" }));
    testbed.ok("route", &json!({ "to": "foreign" }));
    assert!(
        OnlinePhone::enrol(&text(&invited, "qr"), &way)
            .await
            .is_err()
    );
    testbed.ok("route", &json!({ "to": "own" }));
    assert!(
        OnlinePhone::enrol(&text(&invited, "qr"), &way)
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_enrols_over_tls_with_the_pinned_root() {
    let mut testbed = start(&["--tls"]);
    let phone = phone(&mut testbed, "dispatcher").await;
    assert!(phone.sync().await.equal);
}

#[test]
fn bad_requests_are_answered_by_code() {
    let mut testbed = start(&[]);
    for (line, code) in [
        ("nonsense", "testbed.not_json"),
        ("{}", "testbed.not_json"),
        (r#"{"do":"dance"}"#, "testbed.unknown_command"),
        (r#"{"do":"invite"}"#, "testbed.bad_argument"),
        (
            r#"{"do":"invite","with":{"who":"x"}}"#,
            "testbed.unknown_person",
        ),
        (r#"{"do":"records","with":{"n":0}}"#, "testbed.bad_argument"),
        (
            r#"{"do":"backup","with":{"name":"../x"}}"#,
            "testbed.bad_argument",
        ),
        (
            r#"{"do":"server_view","with":{"record":"x"}}"#,
            "testbed.bad_argument",
        ),
        (
            r#"{"do":"route","with":{"to":"x"}}"#,
            "testbed.bad_argument",
        ),
    ] {
        assert_eq!(testbed.ask_line(line).unwrap_err().code, code, "{line}");
    }
    testbed.ok("now", &json!({}));
}

#[test]
fn ended_testbed_leaves_neither_server_nor_folder() {
    for how in ["input", "shutdown", "signal"] {
        let mut testbed = start(&[]);
        let address = testbed.ok("address", &json!({}));
        let folder = text(&address, "folder");
        assert!(Path::new(&folder).is_dir());
        if how == "shutdown" {
            testbed.ok("shutdown", &json!({}));
        }
        let code = if how == "signal" {
            testbed.terminate()
        } else {
            testbed.end()
        };
        assert_eq!(code, 0, "{how}");
        assert!(!Path::new(&folder).exists(), "{how}");
        // Its ports are free, because both processes have ended; other listeners may have them by now.
        let process = format!("/proc/{}", address["pid"]);
        assert!(!Path::new(&process).exists(), "{how}");
    }
}
