//! A deployment on a database server: it moves there and back, two nodes serve it, a node and the database die, and
//! phones lose nothing. The binary, the sockets, the replicas and the database are real.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::net::{Roots, now_ms};
use onegrid_server::admin::data_dir::DataDir;
use onegrid_server::admin::migrate;
use onegrid_tests::onegrid::{OnlinePhone, Operator, Serving, way_to};
use onegrid_tests::postgres::{Postgres, config_of};
use onegrid_tests::relay::{Relay, Target};

/// A deployment with the people of the demo, on a database server.
fn on_postgres(url: &str) -> Operator {
    let operator = Operator::with_demo().onto_server(url, 1);
    let status = operator.json(&["status", "--json"]);
    assert!(status["members"].as_u64().unwrap() > 5, "{status}");
    operator
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
    let operator = on_postgres(&postgres.url());
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
    let from = config_of(&url);
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
    let operator = on_postgres(&postgres.url());
    let (one, two) = (operator.serve(), operator.serve_further(1, &[]));
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

/// Phones that report all the time through two nodes.
struct Load {
    operator: Operator,
    nodes: Vec<Serving>,
    phones: Vec<OnlinePhone>,
    client: reqwest::Client,
    reported: usize,
    faults: usize,
}

impl Load {
    async fn over(operator: Operator) -> Self {
        const PHONES: usize = 4;
        let nodes = vec![operator.serve(), operator.serve_further(1, &[])];
        let mut phones = Vec::new();
        for number in 0..PHONES {
            let node = &nodes[number % nodes.len()];
            phones.push(enrolled(&operator, "demo-volunteer-1", node).await);
        }
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            operator,
            nodes,
            phones,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            reported: 0,
            faults: 0,
        }
    }

    /// Each phone reports, and all of them deliver at the same time, until every report is acknowledged.
    async fn deliver(&mut self) {
        self.report();
        self.acknowledge().await;
    }

    fn report(&mut self) {
        for phone in &self.phones {
            let _ = phone.report("飞线充电");
            self.reported += 1;
        }
    }

    async fn acknowledge(&self) {
        let waiting = |phone: &OnlinePhone| phone.replica().undelivered().unwrap();
        while self.phones.iter().any(|phone| waiting(phone) > 0) {
            // Nodes find the database again by themselves.
            self.sync_all().await;
        }
    }

    async fn sync_all(&self) {
        let mut syncs = tokio::task::JoinSet::new();
        for phone in &self.phones {
            let driver = phone.driver.clone();
            syncs.spawn(async move { driver.sync_once().await.is_ok() });
        }
        syncs.join_all().await;
    }

    /// Something breaks while the phones deliver, at some instant of their requests. Until `mend`, both nodes say so.
    async fn break_off(&mut self, fault: impl FnOnce(), mend: impl FnOnce()) {
        self.report();
        tokio::join!(self.sync_all(), async { fault() });
        self.until_health("store.unavailable").await;
        assert!(self.phones[0].driver.sync_once().await.is_err());
        mend();
        self.faults += 1;
        self.acknowledge().await;
    }

    async fn until_health(&self, said: &str) {
        for node in &self.nodes {
            loop {
                let asked = self
                    .client
                    .get(format!("{}/healthz", node.url))
                    .send()
                    .await;
                let asked = asked.unwrap();
                let is_good = asked.status() == 200;
                let text = asked.text().await.unwrap();
                if (said.is_empty() && is_good) || (!said.is_empty() && text.contains(said)) {
                    break;
                }
                assert!(is_good || text.contains("store."), "{text}");
            }
        }
    }

    /// Every acknowledged report is there once, and each phone has the digests of the server.
    async fn end(self) {
        self.until_health("").await;
        let worker = enrolled(&self.operator, "demo-grid-worker", &self.nodes[1]).await;
        assert!(worker.sync().await.equal);
        for phone in &self.phones {
            assert!(phone.sync().await.equal, "the digests are equal");
        }
        assert_eq!(records(&self.operator), self.reported);
        let wrong = self.operator.json(&["verify", "--json"])["wrong"].clone();
        assert_eq!(wrong, serde_json::json!([]));
        let (faults, acknowledged) = (self.faults, self.reported);
        eprintln!("{faults} faults, {acknowledged} acknowledgements, none lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn database_that_dies_under_load_loses_nothing_acknowledged() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut load = Load::over(on_postgres(&postgres.url())).await;
    for _ in 0..3 {
        load.deliver().await;
        load.break_off(|| postgres.crash(), || postgres.start_again())
            .await;
        load.deliver().await;
    }
    load.end().await;
}

/// The standby has each commit before a phone hears of it, so its promotion loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn standby_that_is_promoted_has_everything_acknowledged() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut load = Load::over(on_postgres(&postgres.with_standby())).await;
    for _ in 0..4 {
        load.deliver().await;
    }
    load.break_off(|| postgres.crash(), || postgres.promote_standby())
        .await;
    load.deliver().await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn network_that_is_cut_loses_nothing_acknowledged() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let network = Relay::to(vec![Target::Socket(postgres.socket())]);
    let url = format!(
        "postgres://onegrid@{}/postgres?sslmode=disable",
        network.address()
    );
    let mut load = Load::over(on_postgres(&url)).await;
    for _ in 0..3 {
        load.deliver().await;
        load.break_off(|| network.cut(), || network.mend()).await;
    }
    load.end().await;
}

/// Half of the phones lose their node in the middle of their requests, and continue at the other one.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_killed_under_load_loses_nothing_acknowledged() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut load = Load::over(on_postgres(&postgres.url())).await;
    for _ in 0..3 {
        load.deliver().await;
        load.report();
        let killed = load.nodes.remove(0);
        tokio::join!(load.sync_all(), async { killed.kill() });
        load.nodes.insert(0, load.operator.serve());
        let way = way_to(&load.nodes[0].url, Roots::default());
        for phone in load.phones.iter_mut().step_by(2) {
            phone.move_to(&way);
        }
        load.faults += 1;
        load.acknowledge().await;
    }
    load.end().await;
}
