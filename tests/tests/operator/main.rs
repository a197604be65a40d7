//! What an operator does with a deployment, by the real binary: import, invite, revoke, back up, stop.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod machine;
mod prepared;
mod restored;
mod rotated;
mod templates;

use std::path::PathBuf;

use onegrid_core::net::{NetError, Roots, State};
use onegrid_core::texts::{Lang, codes, text};
use onegrid_core::trust::invitation::Ticket;
use onegrid_tests::onegrid::{OnlinePhone, Operator, way_to};

#[test]
fn every_bad_row_is_named_and_the_rest_is_taken_or_nothing() {
    let operator = Operator::with_demo();
    let header = "external_id,public_name,role,areas,unit\n";
    let good = "new-1,网格员乙,grid_worker,330105013003001,\n";
    let bad = "new-2,网格员丙,king,330105013003001,\nnew-3,网格员丁,grid_worker,999999999999999,\n";
    std::fs::write(operator.path("m.csv"), format!("{header}{good}{bad}")).unwrap();
    let members = |operator: &Operator| operator.json(&["status", "--json"])["members"].clone();
    let before = members(&operator);

    let strict = operator.run(&["import", "members", "m.csv", "--strict"]);
    assert_eq!(strict.code, 3, "{strict:?}");
    assert!(strict.err.contains("import.nothing_taken"), "{strict:?}");
    for line in ["line 3", "line 4"] {
        assert!(strict.out.contains(line), "{strict:?}");
    }
    assert_eq!(members(&operator), before);

    let rest = operator.run(&["import", "members", "m.csv", "--progress"]);
    assert_eq!(rest.code, 3, "{rest:?}");
    assert!(rest.err.contains("import.rest_taken"), "{rest:?}");
    assert!(rest.err.contains("100 %"), "{rest:?}");
    assert_eq!(members(&operator), before.as_u64().unwrap() + 1);

    let again = operator.run(&["import", "members", "m.csv", "--json"]);
    let said: serde_json::Value = serde_json::from_str(again.out.trim()).unwrap();
    assert_eq!(
        (&said["changed"], &said["unchanged"]),
        (&0.into(), &1.into())
    );
    assert_eq!(said["bad"].as_array().unwrap().len(), 2);
    let chinese = operator.run(&["--lang", "zh", "import", "members", "m.csv"]);
    assert!(chinese.out.contains("第3行"), "{chinese:?}");
}

#[test]
fn files_that_can_not_be_read_change_nothing() {
    let operator = Operator::with_demo();
    std::fs::write(operator.path("noise.csv"), [0xff, 0xfe, 0, 0xd8, 0x80]).unwrap();
    std::fs::write(operator.path("empty.csv"), b"").unwrap();
    std::fs::create_dir(operator.path("areas")).unwrap();
    let before = operator.out(&["status"]);
    for (args, code) in [
        (&["import", "members", "nowhere.csv"][..], "import.no_file"),
        (&["import", "members", "noise.csv"], "import.nothing_taken"),
        (&["import", "units", "empty.csv"], "import.nothing_taken"),
        (&["import", "areas", "areas"], "import.nothing_taken"),
        (&["import", "areas", "nowhere"], "import.nothing_taken"),
    ] {
        let ran = operator.run(args);
        assert_eq!(ran.code, 3, "{args:?}: {ran:?}");
        assert!(ran.err.contains(code), "{args:?}: {ran:?}");
    }
    assert_eq!(operator.out(&["status"]), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_lets_one_phone_in() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let nobody = operator.run(&["invite", "nobody"]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
    let code = operator.invite("demo-lead");
    let first = OnlinePhone::enrol(&code, &way).await.unwrap();
    first.sync().await;
    let second = OnlinePhone::enrol(&code, &way).await.err().unwrap();
    assert_eq!(second, NetError::Refused("enrolment.used".to_owned()));
    let here = ["--address", &server.url, "--for-this-machine"];
    let qr = operator.json(&[&["invite", "demo-lead", "--json"][..], &here].concat());
    let third = OnlinePhone::enrol(qr["qr"].as_str().unwrap(), &way)
        .await
        .unwrap();
    third.sync().await;
    let devices = operator.out(&["devices", "--member", "demo-lead", "--json"]);
    assert_eq!(devices.lines().count(), 2, "{devices}");
}

/// The server took a free port, so the configuration does not know it.
#[tokio::test(flavor = "multi_thread")]
async fn invitation_holds_the_port_of_the_running_server() {
    let operator = Operator::with_demo().set("server.listen=127.0.0.1:0");
    let here = ["invite", "demo-lead", "--for-this-machine"];
    let unknown = operator.json(&[&here[..], &["--json"]].concat());
    assert_eq!(unknown["qr"], serde_json::Value::Null, "no server runs");
    let said = operator.out(&here);
    assert!(said.contains("start the server first"), "{said}");
    let server = operator.serve();
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["address"], server.url.as_str());
    let invited = operator.json(&[&here[..], &["--json"]].concat());
    let way = way_to(&server.url, Roots::default());
    let qr = invited["qr"].as_str().unwrap();
    let ticket = Ticket::parse(qr).unwrap();
    assert_eq!(ticket.address.as_deref(), Some(server.url.as_str()));
    OnlinePhone::enrol(qr, &way).await.unwrap().sync().await;
    server.stop();
    assert_eq!(
        operator.json(&["status", "--json"])["address"],
        serde_json::Value::Null
    );
}

#[test]
fn invitation_to_an_impossible_address_is_refused() {
    let operator = Operator::with_demo();
    for address in [
        "http://127.0.0.1:0",
        "https://grid.example:70000",
        "ftp://grid.example",
        "https://a@grid.example",
        "https://grid.example/path",
        "https://",
    ] {
        let ran = operator.run(&["invite", "demo-lead", "--address", address]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("[invite.bad_address]"), "{ran:?}");
        assert_eq!(ran.out, "", "nobody is invited");
    }
    for address in [
        "https://grid.example",
        "http://[2001:db8::1]:8787",
        "grid.example:443",
    ] {
        operator.ok(&["invite", "demo-lead", "--address", address]);
    }
    let local = operator.run(&["invite", "demo-lead", "--address", "http://[::1]:8787"]);
    assert_eq!(local.code, 2, "{local:?}");
    assert!(
        local.err.contains("[invite.only_this_machine]"),
        "{local:?}"
    );
}

#[test]
fn one_bad_row_is_told_in_the_singular() {
    let operator = Operator::with_demo();
    let table = "external_id,public_name,role,areas,unit\nnew-2,网格员丙,king,330105013003001,\n";
    std::fs::write(operator.path("m.csv"), table).unwrap();
    let ran = operator.run(&["import", "members", "m.csv"]);
    assert!(
        ran.err.contains("1 problem; nothing was imported"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_phone_is_cut_off_and_what_it_sends_later_waits() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let phone = OnlinePhone::enrol(&operator.invite("demo-volunteer-1"), &way)
        .await
        .unwrap();
    let kept = phone.report("送达之前");
    phone.sync().await;
    let running = phone.live().await;
    let mut status = phone.driver.status();

    let device = phone.replica().device().to_string();
    let said = operator.out(&["revoke", &device[..8]]);
    assert!(said.contains(&device), "{said}");
    // Nothing is done here: the wake-up connection ends, the phone asks, and hears why.
    // The code stays while the phone asks once more, so only a waiting phone has been told.
    let told = status.wait_for(|status| {
        status.state == State::Waiting && status.code.as_deref() == Some("session.revoked")
    });
    drop(told.await.unwrap());
    phone.driver.cancel();
    running.await.unwrap();

    assert!(
        phone.title(kept).is_some(),
        "nothing is deleted on the phone"
    );
    let status = operator.json(&["status", "--json"]);
    assert_eq!(status["records"], 1, "what it had delivered stays");
    assert!(operator.out(&["revoke", &device]).contains("before"));
    server.stop();
}

fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data/tls")
        .join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_pin_the_own_authority_sync_over_tls_and_others_do_not() {
    let operator = Operator::with_demo()
        .set(&format!("server.tls_cert={}", tls("server.pem").display()))
        .set(&format!("server.tls_key={}", tls("server.key").display()));
    let server = operator.serve();
    assert!(server.url.starts_with("https://"));
    let pem = std::fs::read(tls("ca.pem")).unwrap();
    let way = way_to(&server.url, Roots::Pinned(pem));
    let code = operator.invite("demo-volunteer-1");
    let stranger = way_to(&server.url, Roots::Public);
    assert_eq!(
        OnlinePhone::enrol(&code, &stranger).await.err(),
        Some(NetError::Offline)
    );
    let phone = OnlinePhone::enrol(&code, &way).await.unwrap();
    let record = phone.report("加密的路上");
    phone.sync().await;
    assert!(phone.title(record).is_some());
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_stop_closes_what_waits_and_ends_with_0() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let phone = OnlinePhone::enrol(&operator.invite("demo-volunteer-1"), &way)
        .await
        .unwrap();
    phone.sync().await;
    let running = phone.live().await;
    server.stop();
    phone.driver.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_has_one_server() {
    let operator = Operator::with_demo();
    let _server = operator.serve();
    let second = operator.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 3, "{second:?}");
    assert!(second.err.contains("data.served"), "{second:?}");
}

#[test]
fn a_damaged_store_is_found_and_named() {
    let operator = Operator::with_demo();
    let sound = operator.out(&["verify"]);
    assert!(sound.contains("Everything fits together"), "{sound}");
    let store = rusqlite::Connection::open(operator.path("data/onegrid.db")).unwrap();
    store
        .execute("UPDATE audit SET action = 'nothing' WHERE no = 2", [])
        .unwrap();
    drop(store);
    let found = operator.run(&["verify"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.err.contains("verify.wrong"), "{found:?}");
    assert!(found.out.contains("Line 2 of the audit log"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_accepted_or_refused_by_its_id_or_all_of_a_phone_and_the_author_is_told() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let invited = operator.invite("demo-volunteer-1");
    let phone = OnlinePhone::enrol(&invited, &way).await.unwrap();
    let reader = operator.invite("demo-grid-worker");
    let reader = OnlinePhone::enrol(&reader, &way).await.unwrap();
    phone.sync().await;
    // A clock that is years ahead: four reports wait for a person.
    let ahead = onegrid_core::net::now_ms() + 3 * 366 * 24 * 3_600_000;
    let records: Vec<_> = (0..4)
        .map(|n| phone.report_at(&format!("未来 {n}"), ahead))
        .collect();
    phone.sync().await;
    let list = || {
        let out = operator.out(&["review", "list", "--json"]);
        out.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    let waiting = list();
    assert_eq!(waiting.len(), 4);
    assert!(waiting.iter().all(|one| one["reason"] == "held.clock"));
    let id_of = |n: usize| {
        let record = records[n].to_string();
        let one = waiting.iter().find(|one| one["record"] == record.as_str());
        one.unwrap()["envelope"].as_str().unwrap().to_owned()
    };
    operator.ok(&["review", "accept", &id_of(0)]);
    operator.ok(&["review", "refuse", &id_of(1)]);
    let twice = operator.run(&["review", "accept", &id_of(0)]);
    assert_eq!(twice.code, 3, "{twice:?}");
    assert!(twice.err.contains("review.not_waiting"), "{twice:?}");
    assert_eq!(list().len(), 2);
    let nothing = operator.run(&["review", "accept"]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let device = phone.replica().device().to_string();
    let all = ["review", "accept", "--device", &device];
    let asked = operator.run(&all);
    assert!(asked.err.contains("cli.not_confirmed"), "{asked:?}");
    assert_eq!(list().len(), 2, "a question decides nothing");
    let said = operator.out(&[&all[..], &["--yes"]].concat());
    assert!(said.contains('2'), "{said}");
    assert_eq!(list(), Vec::<serde_json::Value>::new());
    phone.sync().await;
    reader.sync().await;
    for (n, there) in [true, false, true, true].into_iter().enumerate() {
        assert_eq!(reader.title(records[n]).is_some(), there, "{n}");
    }
    let told = phone.replica().notices().unwrap();
    let refused = told.iter().filter(|one| one.code == "refused.rejected");
    assert_eq!(
        refused.map(|one| one.record).collect::<Vec<_>>(),
        [Some(records[1])]
    );
    operator.ok(&["verify"]);
}

/// An export needs names that are free: `outline.jsonl` exists, and so does one half of `half.csv`.
fn export_overwrites_nothing(operator: &Operator) {
    let again = operator.run(&["export", "outline.jsonl"]);
    assert_eq!(again.code, 3, "nothing is overwritten: {again:?}");
    assert!(again.err.contains("[export.exists]"), "{again:?}");
    std::fs::write(operator.path("half.history.csv"), "kept").unwrap();
    let half = [
        "export",
        "half.csv",
        "--format",
        "csv",
        "--as",
        "demo-grid-worker",
    ];
    let half = operator.run(&half);
    assert!(half.err.contains("half.history.csv exists"), "{half:?}");
    assert!(!operator.path("half.csv").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_exported_as_somebody_may_read_them_and_who_read_is_on_record() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let invited = operator.invite("demo-volunteer-1");
    let phone = OnlinePhone::enrol(&invited, &way).await.unwrap();
    let record = phone.report("=HYPERLINK(\"http://x\",\"点我\")");
    let asked = phone.ask_for_help("怕人知道");
    phone.sync().await;
    let reader = operator.invite("demo-grid-worker");
    let reader = OnlinePhone::enrol(&reader, &way).await.unwrap();
    reader.sync().await;

    operator.ok(&["export", "outline.jsonl"]);
    let outline = std::fs::read_to_string(operator.path("outline.jsonl")).unwrap();
    assert_eq!(outline.lines().count(), 2);
    assert!(!outline.contains("HYPERLINK") && !outline.contains("怕人"));
    export_overwrites_nothing(&operator);

    let args = [
        "export",
        "cases.csv",
        "--format",
        "csv",
        "--as",
        "demo-grid-worker",
        "--progress",
    ];
    let ran = operator.run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("100 %"), "{ran:?}");
    let table = std::fs::read_to_string(operator.path("cases.csv")).unwrap();
    assert!(table.starts_with('\u{feff}'));
    assert!(table.contains("\"'=HYPERLINK(\"\"http"), "{table}");
    assert!(table.contains("怕人知道") && table.contains(&record.to_string()));
    let history = std::fs::read_to_string(operator.path("cases.history.csv")).unwrap();
    assert!(history.contains(",report,"), "{history}");

    operator.ok(&[
        "export",
        "map.geojson",
        "--format",
        "geojson",
        "--as",
        "demo-grid-worker",
    ]);
    let map = std::fs::read(operator.path("map.geojson")).unwrap();
    let map: serde_json::Value = serde_json::from_slice(&map).unwrap();
    assert_eq!(map["features"].as_array().unwrap().len(), 2);
    assert_eq!(
        map["features"][0]["properties"]["history"][0]["what"],
        "report"
    );
    // A handler without a dispatch reads nothing.
    let said = operator.out(&["export", "none.jsonl", "--as", "demo-handler-urban"]);
    assert!(said.contains('2'), "{said}");
    assert_eq!(std::fs::read(operator.path("none.jsonl")).unwrap(), b"");

    let lines = operator.out(&["readings", "--record", &asked.to_string(), "--json"]);
    assert!(
        lines.contains(&reader.replica().device().to_string()),
        "{lines}"
    );
    let hazard = operator.out(&["readings", "--record", &record.to_string(), "--json"]);
    assert_eq!(hazard, "");
    let device = phone.replica().device().to_string();
    operator.ok(&["renew", &device]);
    phone.sync().await;
    operator.ok(&["verify"]);
}

#[test]
fn every_sentence_stands_in_both_languages() {
    for code in codes() {
        for lang in Lang::ALL {
            assert!(
                text(code, lang).is_some_and(|text| !text.is_empty()),
                "{code}"
            );
        }
    }
}

/// Without a terminal there is no answer, so the command needs `--yes`.
#[test]
fn irreversible_command_without_an_answer_does_nothing() {
    let operator = Operator::with_demo();
    let ran = operator.run(&["members", "disable", "demo-lead"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("[cli.not_confirmed]"), "{ran:?}");
    let listed = operator.out(&["members", "list", "--disabled", "--json"]);
    assert_eq!(listed, "");
    operator.ok(&["members", "disable", "demo-lead", "--yes"]);
}

/// An office imports while phones work: each slice lets the server write.
#[tokio::test(flavor = "multi_thread")]
async fn phone_syncs_while_a_large_import_runs() {
    let operator = Operator::with_demo();
    let mut table = "external_id,public_name,role,areas,unit\n".to_owned();
    for n in 0..6_000 {
        let row = format!("v-{n},志愿者{n},volunteer,330105013003,wulin-aunties\n");
        table.push_str(&row);
    }
    std::fs::write(operator.path("crowd.csv"), table).unwrap();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let invited = operator.invite("demo-grid-worker");
    let phone = OnlinePhone::enrol(&invited, &way).await.unwrap();
    let mut longest = std::time::Duration::ZERO;
    std::thread::scope(|scope| {
        let import = scope.spawn(|| operator.run(&["import", "members", "crowd.csv", "--json"]));
        let handle = tokio::runtime::Handle::current();
        let mut syncs = 0;
        while !import.is_finished() {
            let _ = phone.report(&format!("第 {syncs} 条"));
            let begun = std::time::Instant::now();
            tokio::task::block_in_place(|| handle.block_on(phone.sync()));
            longest = longest.max(begun.elapsed());
            syncs += 1;
        }
        let ran = import.join().unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(syncs > 3, "the phone worked beside the import: {syncs}");
    });
    // The measured bound is half a second; a loaded machine is slower, and one transaction took 7 s.
    assert!(longest.as_secs() < 3, "a phone waited {longest:?}");
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
    server.stop();
}
