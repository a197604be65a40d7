//! Work of administrators that a restore undoes.

use super::*;

const VILLAGE: &str = "330105013003";

/// A day of an office.
fn work(desk: &Desk) {
    desk.ok(&["members", "disable", "demo-volunteer-1", "--yes"]);
    let mediator = ["demo-lead", "--role", "mediator", "--area", VILLAGE];
    desk.ok(&[&["members", "roles", "add"][..], &mediator].concat());
    desk.ok(&[
        "members",
        "roles",
        "take",
        "demo-grid-worker",
        "--role",
        "grid_worker",
    ]);
    let file = desk.path("m.csv");
    let header = "external_id,public_name,role,areas,unit\n";
    std::fs::write(&file, format!("{header}new 1,乙,mediator,{VILLAGE},\n")).unwrap();
    desk.ok(&["import", "members", &file]);
    desk.ok(&["admins", "add", "zhang", "--role", "operator"]);
    let li = ["admins", "add", "li", "--role", "registrar"];
    desk.ok(&[&li[..], &["--actor", "zhang"]].concat());
}

/// A person who was dismissed must not work again unnoticed.
#[test]
fn restore_tells_the_work_that_phones_lack() {
    let desk = Desk::with_demo();
    let copy = desk.path("copy");
    desk.ok(&["backup", &copy]);
    let as_zhang = ["--actor", "zhang"];
    work(&desk);

    let back = [&["restore", &copy, "--json"][..], &as_zhang].concat();
    let told = desk.lines(&back).remove(0);
    let commands: Vec<&str> = told["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command.as_str().unwrap())
        .collect();
    assert_eq!(
        commands[0],
        "onegrid members disable demo-volunteer-1 --yes"
    );
    let taken = "onegrid members roles take demo-grid-worker --role grid_worker --area ";
    assert!(
        commands[1..4]
            .iter()
            .all(|command| command.starts_with(taken))
    );
    assert_eq!(
        commands[4],
        format!("onegrid members roles add demo-lead --role mediator --area {VILLAGE}")
    );
    assert_eq!(
        commands[5..],
        [
            "onegrid admins add zhang --role operator",
            "onegrid admins add li --role registrar",
        ]
    );
    assert_eq!(told["absent"], serde_json::json!(["'new 1'"]));
    let log = told["audit"].as_array().unwrap();
    let actions: Vec<_> = log
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions[0], "member.disabled", "the first after the backup");
    assert!(actions.contains(&"admin.added"), "{actions:?}");

    // The commands do the work once more.
    assert_eq!(
        desk.lines(&["members", "list", "--disabled", "--json"])
            .len(),
        0
    );
    for command in &commands[..6] {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        desk.ok(&words);
    }
    let off = [&["members", "list", "--disabled", "--json"][..], &as_zhang].concat();
    desk.refused(&off, "admin.role_missing");
    let words: Vec<&str> = commands[6].split(' ').skip(1).collect();
    desk.ok(&[&words[..], &as_zhang].concat());
    let off = ["members", "list", "--disabled", "--json", "--actor", "li"];
    assert_eq!(desk.lines(&off)[0]["external_id"], "demo-volunteer-1");
}

#[test]
fn restore_without_previous_data_says_that_nobody_knows() {
    let desk = Desk::with_demo();
    let copy = desk.path("copy");
    desk.ok(&["backup", &copy]);
    let data = desk.path("data");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    let ran = desk.run(&["restore", &copy]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("[restore.lost_unknown]"), "{}", ran.err);
    let again = desk.run(&["restore", &copy]);
    assert!(!again.err.contains("restore.lost"), "{}", again.err);
}
