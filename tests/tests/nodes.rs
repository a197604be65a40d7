//! A deployment on a database server: it moves there and back, two nodes serve it, a node and the database die, and
//! phones lose nothing. The binary, the sockets, the replicas and the database are real.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::net::{Roots, now_ms};
use onegrid_server::admin::data_dir::DataDir;
use onegrid_server::admin::migrate;
use onegrid_server::config::{DatabaseConfig, DatabaseUrl};
use onegrid_tests::onegrid::{OnlinePhone, Operator, Serving, way_to};
use onegrid_tests::postgres::Postgres;

/// A deployment with the people of the demo, on a database server.
fn on_postgres(postgres: &Postgres) -> Operator {
    let operator = Operator::with_demo();
    let url = postgres.url();
    let moved = operator.json(&["migrate", "--to", &url, "--yes", "--json"]);
    assert!(moved["rows"].as_u64().unwrap() > 1_000, "{moved}");
    operator.set(&format!("store.url={url}"))
}

/// Starts one node more: a folder of its own, the same keys, and the same folder of photos.
fn second_node(operator: &Operator) -> Serving {
    let folder = operator.path("second");
    std::fs::create_dir(&folder).unwrap();
    let keys = "server.keys";
    std::fs::copy(operator.path("data").join(keys), folder.join(keys)).unwrap();
    let path = format!("store.path={}", folder.display());
    let files = format!("files.path={}", operator.path("data/blobs").display());
    operator.serve_with(&[&path, &files])
}

async fn enrolled(operator: &Operator, member: &str, node: &Serving) -> OnlinePhone {
    let way = way_to(&node.url, Roots::default());
    let code = operator.invite(member);
    let phone = OnlinePhone::enrol(&code, &way).await.unwrap();
    phone.sync().await;
    phone
}

fn records(operator: &Operator) -> serde_json::Value {
    operator.json(&["status", "--json"])["records"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_moves_to_a_database_server_and_back() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let operator = on_postgres(&postgres);
    // A server that is started without the address finds no database, and not yesterday's.
    let stale = Operator::new().run(&[
        "status",
        "--set",
        &format!("store.path={}", operator.path("data").display()),
    ]);
    assert!(stale.err.contains("data.not_prepared"), "{stale:?}");
    let url = postgres.url();
    for (args, code) in [
        (
            &["migrate", "--to", "mysql://x/y", "--yes"][..],
            "store.address",
        ),
        (&["migrate", "--to", &url, "--yes"], "data.not_prepared"),
        (&["init", "--root-key", "other.key"], "init.on_server"),
        (&["restore", "nowhere"], "restore.on_server"),
    ] {
        let ran = operator.run(args);
        assert!(ran.code != 0 && ran.err.contains(code), "{args:?}: {ran:?}");
    }
    let node = operator.serve();
    let volunteer = enrolled(&operator, "demo-volunteer-1", &node).await;
    let record = volunteer.report("五个气瓶");
    volunteer.sync().await;
    operator.ok(&["backup", "yesterday"]);
    node.stop();
    let wrong = operator.json(&["verify", "--json"])["wrong"].clone();
    assert_eq!(wrong, serde_json::json!([]));

    // A backup of the database server is restored like every other.
    let elsewhere = Operator::new();
    let backup = operator.path("yesterday");
    elsewhere.ok(&["restore", backup.to_str().unwrap()]);
    assert_eq!(records(&elsewhere), 1);
    let wrong = elsewhere.json(&["verify", "--json"])["wrong"].clone();
    assert_eq!(wrong, serde_json::json!([]));

    let early = operator.run(&["migrate", "--to", "sqlite", "--yes"]);
    assert!(early.err.contains("migrate.served"), "{early:?}");
    let data = DataDir::at(&operator.path("data"));
    let from = DatabaseConfig {
        url: DatabaseUrl::parse(&url).unwrap(),
        password: None,
    };
    let later_ms = now_ms() + 3_600_000;
    migrate::to_folder(&data, &from, "admin", later_ms, &mut |_, _| {}).unwrap();
    let back = Operator::new().set(&format!("store.path={}", data.path().display()));
    assert_eq!(records(&back), 1);
    let node = back.serve();
    let mut volunteer = volunteer;
    volunteer.move_to(&way_to(&node.url, Roots::default()));
    let after = volunteer.report("回到文件夹之后");
    volunteer.sync().await;
    assert_eq!(records(&back), 2);
    for record in [record, after] {
        assert!(volunteer.title(record).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_two_nodes_see_each_other_and_survive_one() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let operator = on_postgres(&postgres);
    let (one, two) = (operator.serve(), second_node(&operator));
    let mut volunteer = enrolled(&operator, "demo-volunteer-1", &one).await;
    let worker = enrolled(&operator, "demo-grid-worker", &two).await;
    let running = worker.live().await;
    let mut status = worker.driver.status();
    let record = volunteer.report("电动车飞线充电");
    volunteer.sync().await;
    // A hint of the first node wakes the phone of the second.
    while worker.title(record).is_none() {
        status.changed().await.unwrap();
    }
    // The node dies, and its phone continues at the other one.
    one.kill();
    let after = volunteer.report("节点死后");
    volunteer.move_to(&way_to(&two.url, Roots::default()));
    volunteer.sync().await;
    while worker.title(after).is_none() {
        status.changed().await.unwrap();
    }
    worker.driver.cancel();
    running.await.unwrap();
    assert_eq!(records(&operator), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn database_that_dies_under_load_loses_nothing_acknowledged() {
    const REPORTS: usize = 40;
    const CRASHES: [usize; 3] = [8, 18, 30];
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let operator = on_postgres(&postgres);
    let (one, two) = (operator.serve(), second_node(&operator));
    let volunteer = enrolled(&operator, "demo-volunteer-1", &one).await;
    let worker = enrolled(&operator, "demo-grid-worker", &two).await;
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut sent = Vec::new();
    for number in 0..REPORTS {
        if CRASHES.contains(&number) {
            let record = volunteer.report("崩溃的时候");
            // The crash meets the request at some instant of its way.
            let syncing = tokio::spawn({
                let driver = volunteer.driver.clone();
                async move { driver.sync_once().await.is_ok() }
            });
            postgres.crash();
            let _ = syncing.await.unwrap();
            sent.push(record);
            for node in [&one, &two] {
                let health = loop {
                    let asked = client.get(format!("{}/healthz", node.url)).send().await;
                    let asked = asked.unwrap();
                    if asked.status() != 200 {
                        break asked.text().await.unwrap();
                    }
                };
                assert!(health.contains("store.unavailable"), "{health}");
            }
            assert!(volunteer.driver.sync_once().await.is_err());
            postgres.start_again();
        }
        sent.push(volunteer.report(&format!("报告 {number}")));
        // Nodes find the database again by themselves.
        while volunteer.replica().undelivered().unwrap() > 0 {
            let _ = volunteer.driver.sync_once().await;
        }
    }
    for node in [&one, &two] {
        loop {
            let asked = client.get(format!("{}/healthz", node.url)).send().await;
            if asked.unwrap().status() == 200 {
                break;
            }
        }
    }
    worker.sync().await;
    assert!(sent.iter().all(|record| worker.title(*record).is_some()));
    assert_eq!(records(&operator), sent.len());
    let wrong = operator.json(&["verify", "--json"])["wrong"].clone();
    assert_eq!(wrong, serde_json::json!([]));
    eprintln!(
        "{} crashes, {} reports, none lost",
        CRASHES.len(),
        sent.len()
    );
}
