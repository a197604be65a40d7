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
            "附上 2 张照片",
            "拍摄位置已从照片里去掉",
            "服务器的回执",
            "志愿者乙遇到队长甲：带去 2 条，带回 1 条",
            "3 条全部到达服务器，各只一条",
            "2 张原图送达",
            "8 部手机与服务器在 99 条记录的摘要和状态上完全一致",
        ],
    );
}

/// Scenario 7: every figure comes from the phones.
const ROUND: [&str; 10] = [
    "40 residents",
    "volunteer A's phone has 1",
    "6 answers are missing",
    "version 2 (",
    "39 visits made, 1 met nobody",
    "these visits keep version 1",
    "both phones show a conflict card",
    "shows the hazard as “closed”",
    "网格员甲 made 39, and 1 met nobody; the phone holds 0 names and 0 private notes",
    "40 residents have a date for the next visit",
];

#[test]
fn a_server_killed_in_the_middle_of_an_upload_loses_nothing_acknowledged() {
    let words = [
        "halfway through the upload",
        "the receipt lost",
        "digests equal",
        "8 phones and the server agree",
    ];
    plays(
        &["--kill-server", "--lang", "en"],
        &[&words[..], &ROUND[..]].concat(),
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

    /// Returns the media type and the bytes of a picture.
    async fn picture(&self, path: &str) -> (u16, String, Vec<u8>) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        let media = answer.headers()["content-type"].to_str().unwrap();
        let (status, media) = (answer.status().as_u16(), media.to_owned());
        (status, media, answer.bytes().await.unwrap().to_vec())
    }

    /// Takes a sample photo on a phone; returns its id.
    async fn sample_photo(&self, phone: &str) -> String {
        let path = format!("/api/phones/{phone}/photos/sample");
        let (status, photo) = self.post(&path, json!({ "at": null, "taken": 0 })).await;
        assert_eq!(status, 200, "{photo}");
        assert_eq!(photo["place_removed"], true, "{photo}");
        photo["id"].as_str().unwrap().to_owned()
    }

    async fn phone(&self, name: &str) -> Value {
        let state = self.get("/api/state").await;
        let phones = state["phones"].as_array().unwrap();
        let phone = phones.iter().find(|one| one["name"] == name).unwrap();
        phone.clone()
    }

    /// Returns the row of a record in a phone's lists; `Null` if it is not there.
    async fn row(&self, phone: &str, record: &str) -> Value {
        let phone = self.phone(phone).await;
        let lists = ["rows", "visits"].map(|list| phone[list].as_array().unwrap());
        let row = lists.into_iter().flatten().find(|row| row["id"] == record);
        row.cloned().unwrap_or(Value::Null)
    }

    /// Presses a button of a visit; returns the page of the visit after it.
    async fn press(&self, visit: &str, what: &str, body: Value) -> Value {
        let (status, said) = self.post(&format!("{visit}/{what}"), body).await;
        assert_eq!(status, 200, "{what}: {said}");
        self.get(visit).await
    }

    async fn answer(&self, visit: &str, question: &str, answer: &str) -> Value {
        let given = json!({ "form": { "key": question, "answer": answer } });
        self.press(visit, "answer", given).await
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

    /// Looks again at every event of the page until the only photo of a record has this state.
    async fn until_photo(&self, path: &str, state: &str) {
        let url = format!("{}/api/events", self.url);
        let mut events = reqwest::get(url).await.unwrap();
        while events.chunk().await.unwrap().is_some() {
            if self.get(path).await["photos"][0]["state"] == state {
                return;
            }
        }
        panic!("the page ended before the photo was {state}");
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

fn middle_of_first_grid(map: &Value) -> [f64; 2] {
    let corners = map["grids"][0]["points"].as_array().unwrap();
    [0, 1].map(|axis| {
        let sum: f64 = corners.iter().map(|p| p[axis].as_f64().unwrap()).sum();
        sum / f64::from(u32::try_from(corners.len()).unwrap())
    })
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
    assert_eq!(map["grids"].as_array().unwrap().len(), 24);
    let at = middle_of_first_grid(&map);

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

/// Returns a question of a visit's page; `Null` while it is not shown.
fn question(page: &Value, key: &str) -> Value {
    let mut questions = page["form"]["questions"].as_array().unwrap().iter();
    let found = questions.find(|one| one["key"] == key);
    found.cloned().unwrap_or(Value::Null)
}

/// The visit that the story left for the page: its questions follow the answers, a wrong answer is named in
/// words, a missing one keeps it from its end, and a finding becomes a hazard that both pages show.
#[tokio::test(flavor = "multi_thread")]
#[allow(
    clippy::too_many_lines,
    reason = "one walk over the page, step by step"
)]
async fn page_fills_in_a_visit_and_reports_hazard() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo = Demo::start();
    let worker = demo.phone("worker").await;
    let planned = &worker["visits"][0];
    assert_eq!(planned["stage"], "planned", "{planned}");
    assert_ne!(planned["title"], "", "the visitor knows the name");
    let record = planned["id"].as_str().unwrap().to_owned();
    demo.until("supervisor", &record, |row| !row.is_null())
        .await;
    assert_eq!(demo.row("supervisor", &record).await["title"], "");
    let visit = format!("/api/phones/worker/records/{record}");
    let page = demo.press(&visit, "act", json!({ "move": "start" })).await;
    assert_eq!(question(&page, "stove"), Value::Null, "not shown yet");

    let page = demo.answer(&visit, "contact", "met").await;
    assert_eq!(question(&page, "stove")["required"], true);
    assert_eq!(question(&page, "knocks"), Value::Null);
    assert_eq!(page["form"]["version"], 2, "the version of mid-week");
    let progress = page["form"]["progress"].clone();
    assert_eq!(progress["answered"], 1, "{progress}");
    let (status, said) = demo
        .post(&format!("{visit}/act"), json!({ "move": "finish" }))
        .await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("form.incomplete"))
    );

    let page = demo.answer(&visit, "room_temperature", "60").await;
    let problem = question(&page, "room_temperature")["problem"].clone();
    assert_eq!(problem["code"], "form.too_big");
    assert!(problem["en"].as_str().unwrap().contains("45"), "{problem}");
    let (status, said) = demo
        .post(
            &format!("{visit}/answer"),
            json!({ "form": { "key": "room_temperature", "answer": "warm" } }),
        )
        .await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("form.wrong_type"))
    );
    for (key, answer) in [
        ("room_temperature", "18.5"),
        ("mood", "good"),
        ("medicine", "yes"),
        ("food", "yes"),
        ("stove", "no"),
        ("wires", "no"),
        ("way_out", "yes"),
        ("emergency_button", "yes"),
    ] {
        demo.answer(&visit, key, answer).await;
    }
    let found =
        json!({ "form": { "key": "stove", "title": "A valve", "category": "gas", "lang": "en" } });
    let (status, found) = demo.post(&format!("{visit}/finding"), found).await;
    assert_eq!(status, 200, "{found}");
    let hazard = found["record"].as_str().unwrap();
    let noted = json!({ "form": { "text": "private words" } });
    demo.press(&visit, "note", noted).await;
    let page = demo.press(&visit, "act", json!({ "move": "finish" })).await;
    assert_eq!(page["row"]["stage"], "finished");
    assert!(page["linked"].to_string().contains(hazard));
    assert!(page["linked"].to_string().contains("private words"));

    demo.until("dispatcher", hazard, |row| !row.is_null()).await;
    demo.until("supervisor", &record, |row| row["stage"] == "finished")
        .await;
    let seen = demo
        .get(&format!("/api/phones/supervisor/records/{record}"))
        .await;
    assert!(seen["linked"].to_string().contains(hazard));
    assert!(!seen["linked"].to_string().contains("private words"));
    assert!(seen["form"]["read_only"].is_object(), "{seen}");
    let of_hazard = demo
        .get(&format!("/api/phones/dispatcher/records/{hazard}"))
        .await;
    assert!(of_hazard["linked"].to_string().contains(&record));
    let words = of_hazard["description"].as_str().unwrap();
    assert!(words.contains("Are stove and gas valve closed?"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_plans_visits_with_rows_and_without_meeting() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo = Demo::start();
    let offered = demo.get("/api/phones/worker/templates").await;
    let volunteers = demo.get("/api/phones/volunteer-1/templates").await;
    let ids = |all: &Value| all.to_string().matches("\"id\"").count();
    assert!(ids(&volunteers) < ids(&offered), "fewer for volunteers");
    let grid = middle_of_first_grid(&demo.get("/api/map").await);
    let plan = json!({ "template": "shop_gas_fire", "title": "A shop", "at": grid });
    let (status, said) = demo.post("/api/phones/volunteer-1/visit", plan).await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("form.not_for_role"))
    );
    let nameless = json!({ "template": "building_walk", "title": " ", "at": grid });
    let (status, said) = demo.post("/api/phones/worker/visit", nameless).await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("form.no_subject"))
    );

    let plan = json!({ "template": "building_walk", "title": "A building", "at": grid });
    let (status, made) = demo.post("/api/phones/worker/visit", plan).await;
    assert_eq!(status, 200, "{made}");
    let record = made["record"].as_str().unwrap();
    let visit = format!("/api/phones/worker/records/{record}");
    let page = demo.get(&visit).await;
    let all = page["form"]["questions"].as_array().unwrap();
    let repeat = all.iter().find(|one| one["type"] == "repeat").unwrap();
    let given = json!({ "form": { "key": repeat["key"] } });
    let page = demo.press(&visit, "add_row", given).await;
    let in_row = |page: &Value| {
        let all = page["form"]["questions"].as_array().unwrap();
        let row = all.iter().find(|one| one["row"].is_string());
        row.map(|one| one["row"].clone())
    };
    let row = in_row(&page).expect("a row with its questions");
    let given = json!({ "form": { "key": row } });
    let page = demo.press(&visit, "remove_row", given).await;
    assert_eq!(in_row(&page), None);

    let moves = page["moves"].to_string();
    assert!(moves.contains("nobody_home"), "{moves}");
    let absent = json!({ "move": "not_met", "given": { "reason": "nobody_home" } });
    let page = demo.press(&visit, "act", absent).await;
    assert_eq!(page["row"]["stage"], "not_met");
}

/// A photo with the report of a phone without network: it goes to another phone as a small picture, and to the
/// command room in full when both have a network.
#[tokio::test(flavor = "multi_thread")]
#[allow(
    clippy::too_many_lines,
    reason = "one walk over the page, step by step"
)]
async fn page_shows_photos_and_lets_phones_meet() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo = Demo::start();
    let at = middle_of_first_grid(&demo.get("/api/map").await);
    let (taken, other) = ("/api/phones/volunteer-1", "/api/phones/volunteer-2");
    for phone in [taken, other] {
        let offline = json!({ "online": false });
        demo.post(&format!("{phone}/online"), offline).await;
    }
    let photo = demo.sample_photo("volunteer-1").await;
    let unused = demo.sample_photo("volunteer-1").await;
    let staged = format!("{taken}/photos/{unused}");
    let (status, media, _) = demo.picture(&staged).await;
    assert_eq!((status, media.as_str()), (200, "image/jpeg"));
    let removed = reqwest::Client::new()
        .delete(format!("{}{staged}", demo.url))
        .send();
    assert_eq!(removed.await.unwrap().status(), 200);
    assert_eq!(demo.picture(&staged).await.0, 409, "it is gone");
    let (status, said) = demo.post(&format!("{taken}/photos"), json!({})).await;
    assert_eq!(
        (status, said["code"].as_str()),
        (409, Some("media.unknown")),
        "only pictures"
    );

    let photos = json!([{ "id": photo, "caption": "Five cylinders" }]);
    let report = json!({ "title": "A test", "category": "gas", "at": at, "photos": photos });
    let (status, done) = demo.post(&format!("{taken}/report"), report).await;
    assert_eq!(status, 200, "{done}");
    let record = done["record"].as_str().unwrap().to_owned();
    let path = |phone: &str| format!("{phone}/records/{record}");
    let page = demo.get(&path(taken)).await;
    let shown = &page["photos"][0];
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["caption"], "Five cylinders");
    assert_eq!(shown["place_removed"], true);
    let left = demo.phone("volunteer-1").await["files_left"].clone();
    assert_eq!(
        (&left["files"], &left["bytes"]),
        (&json!(1), &shown["bytes"])
    );

    let meets = json!({ "with": "volunteer-2" });
    let (status, met) = demo.post(&format!("{taken}/meet"), meets).await;
    assert_eq!(status, 200, "{met}");
    let brought = &met["ends"][1]["records"][0];
    assert_eq!(brought["id"], record.as_str());
    assert_eq!(brought["photos"][0]["state"], "absent");
    assert_eq!(demo.get("/api/state").await["meetings"][0], met);
    let small = format!("{}/photos/{photo}/small", path(other));
    let (status, media, picture) = demo.picture(&small).await;
    assert_eq!((status, media.as_str()), (200, "image/jpeg"));
    assert!(picture.starts_with(&[0xff, 0xd8]));
    let full = format!("{}/photos/{photo}/full", path(other));
    let (status, _, said) = demo.picture(&full).await;
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!((status, said["code"].as_str()), (409, Some("media.absent")));
    let (status, _) = demo
        .post(&format!("{taken}/meet"), json!({ "with": "volunteer-1" }))
        .await;
    assert_eq!(status, 409, "nobody meets oneself");

    let online = json!({ "online": true });
    demo.post(&format!("{taken}/online"), online).await;
    demo.until_photo(&path(taken), "delivered").await;
    demo.until("dispatcher", &record, |row| row["photos"] == 1)
        .await;
    let room = path("/api/phones/dispatcher");
    let page = demo.get(&room).await;
    assert_eq!(page["photos"][0]["state"], "absent");
    assert_eq!(
        page["photos"][0]["place_removed"], false,
        "not by this phone"
    );
    let told = page["timeline"].as_array().unwrap();
    let added = told.iter().find(|entry| entry["what"] == "attach").unwrap();
    assert_eq!(added["photos"], json!([photo]));
    let want = json!({ "photo": photo });
    let (status, said) = demo.post(&format!("{room}/want"), want).await;
    assert_eq!(status, 200, "{said}");
    demo.until_photo(&room, "delivered").await;
    let here = demo.picture(&format!("{room}/photos/{photo}/full")).await;
    let there = format!("{}/photos/{photo}/full", path(taken));
    assert_eq!(here, demo.picture(&there).await);
}
