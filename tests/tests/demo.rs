//! The demo as a newcomer runs it: the stories to the end, with and without a killed server, and its page
//! over HTTP.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

fn demo() -> Command {
    Command::new(onegrid_tests::onegrid::binary().with_file_name("onegrid-demo"))
}

fn once(arguments: &[&str]) -> Output {
    let mut command = demo();
    command.arg("--once").args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn plays(arguments: &[&str], words: &[&str]) {
    let output = once(arguments);
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{shown}\n{said}");
    for word in words {
        assert!(shown.contains(word), "{word} is missing in:\n{shown}");
    }
    assert!(!shown.contains('{'), "a placeholder is left:\n{shown}");
}

#[test]
fn the_stories_come_out_right_and_everybody_agrees_at_the_end() {
    plays(
        &["--lang", "zh"],
        &[
            "仅存本机",
            "冲突卡",
            "摘要一致",
            "7 部手机与服务器在 12 条记录的摘要和状态上完全一致",
        ],
    );
}

#[test]
fn a_server_killed_in_the_middle_of_an_upload_loses_nothing_acknowledged() {
    plays(
        &["--kill-server", "--lang", "en"],
        &[
            "halfway through the upload",
            "the receipt lost",
            "digests equal",
            "7 phones and the server agree",
        ],
    );
}

/// A demo with its page; it ends with the test.
struct Demo {
    child: Child,
    url: String,
    // Open to the end, because the demo prints a last line when it stops.
    _shown: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start() -> Self {
        let mut command = demo();
        command.args(["--lang", "en"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .find_map(|line| {
                let line = line.unwrap();
                let rest = line.strip_prefix("Open ")?;
                Some(rest.split(' ').next()?.to_owned())
            })
            .unwrap();
        Self {
            child,
            url,
            _shown: lines,
        }
    }

    async fn get(&self, path: &str) -> Value {
        let text = self.text(path).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn text(&self, path: &str) -> String {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Returns the row of a record in a phone's list; `Null` if it is not there.
    async fn row(&self, phone: &str, record: &str) -> Value {
        let state = self.get("/api/state").await;
        let phones = state["phones"].as_array().unwrap();
        let phone = phones.iter().find(|one| one["name"] == phone).unwrap();
        let rows = phone["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == record);
        row.cloned().unwrap_or(Value::Null)
    }

    /// Looks again at every event of the page until the row is as wanted.
    async fn until(&self, phone: &str, record: &str, wanted: impl Fn(&Value) -> bool) {
        let url = format!("{}/api/events", self.url);
        let mut events = reqwest::get(url).await.unwrap();
        while events.chunk().await.unwrap().is_some() {
            if wanted(&self.row(phone, record).await) {
                return;
            }
        }
        panic!("the page ended before {phone} showed it");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // SIGINT, as with Ctrl-C, so that its folder and its server are removed too.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reports_switches_offline_and_shows_how_far_a_report_has_got() {
    // Only the first provider of a process counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo = Demo::start();
    let page = demo.text("/").await;
    assert!(page.contains("<main"), "{page}");
    for file in ["/style.css", "/words.js", "/app.js"] {
        let text = demo.text(file).await;
        for outside in ["http://", "https://", "@import"] {
            let own = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!own.contains(outside), "{file} loads {outside}");
        }
    }
    let map = demo.get("/api/map").await;
    let grids = map["grids"].as_array().unwrap();
    assert_eq!(grids.len(), 24);
    let corners = grids[0]["points"].as_array().unwrap();
    let middle = |axis: usize| {
        let sum: f64 = corners.iter().map(|p| p[axis].as_f64().unwrap()).sum();
        sum / f64::from(u32::try_from(corners.len()).unwrap())
    };
    let at = [middle(0), middle(1)];

    let (status, _) = demo
        .post("/api/phones/volunteer-1/online", json!({ "online": false }))
        .await;
    assert_eq!(status, 200);
    let report = json!({ "title": "A test", "category": "gas", "at": at });
    let (status, done) = demo.post("/api/phones/volunteer-1/report", report).await;
    assert_eq!(status, 200, "{done}");
    let record = done["record"].as_str().unwrap().to_owned();
    assert_eq!(demo.row("volunteer-1", &record).await["ladder"], 0);
    assert_eq!(demo.row("dispatcher", &record).await, Value::Null);

    demo.post("/api/phones/volunteer-1/online", json!({ "online": true }))
        .await;
    demo.until("volunteer-1", &record, |row| row["ladder"] == 1)
        .await;
    demo.until("dispatcher", &record, |row| !row.is_null())
        .await;
    let path = format!("/api/phones/dispatcher/records/{record}");
    demo.post(&format!("{path}/open"), json!({})).await;
    demo.until("volunteer-1", &record, |row| row["ladder"] == 2)
        .await;
    let moves = demo.get(&path).await["moves"].clone();
    assert!(moves.to_string().contains("dispatch"), "{moves}");
    let dispatch = json!({ "move": "dispatch", "given": { "unit": "gas-company" } });
    let (status, said) = demo.post(&format!("{path}/act"), dispatch).await;
    assert_eq!(status, 200, "{said}");
    demo.until("gas", &record, |row| row["stage"] == "dispatched")
        .await;

    // A refusal of the rules comes back as a sentence, and nothing changes.
    let path = format!("/api/phones/volunteer-1/records/{record}/act");
    let (status, said) = demo.post(&path, json!({ "move": "close" })).await;
    assert_eq!(status, 409);
    assert_eq!(said["code"], "may.role");
    assert!(!said["says"]["zh"].as_str().unwrap().is_empty());
    let outside = json!({ "title": "far", "category": "gas", "at": [-90.0, -90.0] });
    let (status, said) = demo.post("/api/phones/volunteer-1/report", outside).await;
    assert_eq!((status, said["code"].as_str()), (409, Some("demo.outside")));
}
