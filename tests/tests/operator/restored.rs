//! A backup takes the place of the data: with a generation that never was, and without the invitations of before.

use onegrid_core::net::{NetError, Roots, now_ms};
use onegrid_server::admin::backup::restore;
use onegrid_server::admin::data_dir::DataDir;
use onegrid_tests::onegrid::{OnlinePhone, Operator, way_to};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_backup_of_another_deployment_is_refused_and_what_was_there_is_kept() {
    let (ours, theirs) = (Operator::with_demo(), Operator::with_demo());
    ours.ok(&["backup", "copy"]);
    theirs.ok(&["backup", "copy"]);
    assert_eq!(ours.run(&["backup", "copy"]).code, 3);
    let copy = theirs.path("copy");
    let foreign = ours.run(&["restore", copy.to_str().unwrap()]);
    assert!(
        foreign.err.contains("keys.of_another_deployment"),
        "{foreign:?}"
    );
    assert_ne!(foreign.code, 0);
    assert_eq!(ours.run(&["restore", "nowhere"]).code, 3);
    let generation = |operator: &Operator| {
        operator.json(&["status", "--json"])["generation"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(generation(&ours), 1);
    ours.ok(&["restore", "copy"]);
    let first = generation(&ours);
    ours.ok(&["restore", "copy"]);
    assert!(generation(&ours) > first, "no generation comes twice");
    ours.ok(&["verify"]);
    std::fs::remove_dir_all(ours.path("data")).unwrap();
    ours.ok(&["restore", "copy"]);
    ours.ok(&["verify"]);
}

#[test]
fn a_clock_that_went_back_does_not_take_the_generation_with_it() {
    let operator = Operator::with_demo();
    operator.ok(&["backup", "copy"]);
    let (data, copy) = (DataDir::at(&operator.path("data")), operator.path("copy"));
    let now = now_ms();
    let first = restore(&data, &copy, None, now).unwrap().generation;
    std::fs::remove_dir_all(data.path()).unwrap();
    let behind = restore(&data, &copy, None, now - HOUR_MS).unwrap_err();
    assert_eq!(behind.code(), "restore.clock_behind");
    assert!(!data.database().exists());
    let told = restore(&data, &copy, Some(first), now - HOUR_MS).unwrap();
    assert_eq!(told.generation, first + 1);

    let above = (first + 1_000).to_string();
    let said = operator.out(&["restore", "copy", "--above", &above]);
    let next = format!("generation {}", first + 1_001);
    assert!(said.contains(&next), "{said}");
    let refused = operator.run(&["restore", "copy", "--above", "4000000000"]);
    assert!(
        refused.err.contains("keys.generation_not_listed"),
        "{refused:?}"
    );
    operator.ok(&["verify"]);
}

#[test]
fn a_restore_that_was_broken_off_remembers_the_generation_that_it_set_aside() {
    let operator = Operator::with_demo();
    operator.ok(&["backup", "copy"]);
    let (data, copy) = (DataDir::at(&operator.path("data")), operator.path("copy"));
    let now = now_ms();
    let first = restore(&data, &copy, None, now + HOUR_MS).unwrap();
    let aside = operator.path("data/onegrid.db.before-1");
    std::fs::rename(data.database(), aside).unwrap();
    let second = restore(&data, &copy, None, now).unwrap();
    assert!(second.generation > first.generation, "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_of_before_lets_nobody_in_and_who_had_used_it_comes_back() {
    let operator = Operator::with_demo();
    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let [used, open] = ["demo-volunteer-1", "demo-lead"].map(|member| operator.invite(member));
    operator.ok(&["backup", "copy"]);
    let mut phone = OnlinePhone::enrol(&used, &way).await.unwrap();
    let record = phone.report("备份之后");
    phone.sync().await;
    server.kill();
    let said = operator.out(&["restore", "copy"]);
    assert!(said.contains("no longer valid"), "{said}");

    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    for code in [&used, &open] {
        let stranger = OnlinePhone::enrol(code, &way).await.err();
        let unknown = NetError::Refused("enrolment.unknown".to_owned());
        assert_eq!(stranger, Some(unknown));
    }
    phone.move_to(&way);
    phone.sync().await;
    assert!(phone.title(record).is_some());
    let status = operator.json(&["status", "--json"]);
    assert_eq!(
        (&status["devices"], &status["records"]),
        (&1.into(), &1.into())
    );
    OnlinePhone::enrol(&operator.invite("demo-lead"), &way)
        .await
        .unwrap();
    operator.ok(&["verify"]);
}

#[test]
fn a_server_does_not_open_what_a_restore_is_about_to_replace() {
    let operator = Operator::with_demo();
    let data = DataDir::at(&operator.path("data"));
    let _restoring = data.lock().unwrap();
    std::fs::write(data.database(), "on its way out, unreadable").unwrap();
    let ran = operator.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(ran.err.contains("data.served"), "{ran:?}");
}
