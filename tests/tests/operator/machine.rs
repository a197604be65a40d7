//! Every command answers programs in JSON, with the keys that docs/operations.md lists.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::net::{Roots, now_ms};
use onegrid_tests::onegrid::{OnlinePhone, Operator, way_to};
use onegrid_tests::postgres::Postgres;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/operations.md");

type Keys = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Keys by command, from the table of the page.
fn documented() -> Keys {
    let section = PAGE.split_once("## Results for programs").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let quoted = |cell: &'static str| cell.split('`').skip(1).step_by(2);
    let mut keys = Keys::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        for command in quoted(cells[0]) {
            keys.insert(command, quoted(cells[1]).collect());
        }
    }
    keys
}

/// Runs a command with `--json` and compares the keys of each line.
fn compare(operator: &Operator, left: &mut Keys, command: &str, args: &[&str]) -> Vec<Value> {
    let words: Vec<&str> = command.split(' ').collect();
    let ran = operator.run(&[&words[..], args, &["--json"]].concat());
    let documented = left.remove(command);
    let documented = documented.unwrap_or_else(|| panic!("{command} is not in the page"));
    let said: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{command}: {ran:?}")))
        .collect();
    assert!(!said.is_empty(), "{command}: {ran:?}");
    for value in &said {
        let keys = value.as_object().unwrap().keys().map(String::as_str);
        assert_eq!(keys.collect::<BTreeSet<_>>(), documented, "{command}");
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_every_command_has_the_documented_keys() {
    let operator = Operator::new();
    let mut left = documented();
    let mut look = |command: &str, args: &[&str]| compare(&operator, &mut left, command, args);
    look("init", &["--seed", "demo", "--root-key", "root.key"]);
    look("check-config", &[]);
    look("import areas", &["nowhere"]);
    std::fs::write(operator.path("empty.csv"), b"").unwrap();
    look("import units", &["empty.csv"]);
    look("import members", &["empty.csv"]);
    look("import templates", &["empty.csv"]);
    look("export template", &["care_visit", "care_visit.xlsx"]);

    people(&mut look);

    let server = operator.serve();
    let way = way_to(&server.url, Roots::default());
    let invited = look("invite", &["demo-volunteer-1"]);
    let phone = OnlinePhone::enrol(invited[0]["code"].as_str().unwrap(), &way).await;
    let phone = phone.unwrap();
    let reader = OnlinePhone::enrol(&operator.invite("demo-grid-worker"), &way).await;
    let reader = reader.unwrap();
    let _ = phone.ask_for_help("求助");
    phone.sync().await;
    reader.sync().await;
    // A clock that is years ahead makes the report wait for a person.
    let _ = phone.report_at("未来", now_ms() + 3 * 366 * 24 * 3_600_000);
    phone.sync().await;
    let device = phone.replica().device().to_string();
    look("readings", &[]);
    look("devices", &[]);
    look("devices list", &[]);
    look("devices show", &[&device]);
    look("review list", &[]);
    look("review refuse", &["--device", &device]);
    look("review accept", &["--device", &device]);
    look("renew", &[&device]);
    look("revoke", &[&device]);
    look("export", &["outline.jsonl"]);
    look("backup", &["copy"]);
    look("status", &[]);
    look("verify", &[]);
    look("keys list", &[]);
    look("keys request", &["request", "--retire", "receipts"]);
    look("keys sign", &["request", "list", "--root-key", "root.key"]);
    server.stop();
    look("keys install", &["list"]);
    look("restore", &["copy"]);
    accounts(&operator, &mut look);
    match Postgres::start() {
        Some(postgres) => {
            let url = postgres.url();
            look("migrate", &["--to", &url, "--yes", "--actor", "zhang"]);
        }
        None => drop(left.remove("migrate")),
    }
    // `Operator::serve` has read the line of the server.
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["serve"]);
}

/// The commands for people, invitations, areas, units and logs.
fn people(look: &mut impl FnMut(&str, &[&str]) -> Vec<Value>) {
    look("members list", &[]);
    look("members search", &["demo"]);
    look("members show", &["demo-lead"]);
    let area = ["--area", "330105013004"];
    look(
        "members roles add",
        &[&["demo-lead", "--role", "mediator"][..], &area].concat(),
    );
    look("members roles take", &["demo-lead", "--role", "mediator"]);
    look(
        "members move",
        &[&["demo-supervisor"][..], &["--area", "330105012000"]].concat(),
    );
    look("members disable", &["demo-handler-gas", "--yes"]);
    look("members enable", &["demo-handler-gas"]);
    look("invitations list", &[]);
    look("invitations cancel", &["--all", "--yes"]);
    look("areas list", &[]);
    look("areas show", &["330105013003"]);
    look("units list", &[]);
    look("units show", &["wulin-aunties"]);
    let into = ["330105013002", "--into", "330105013001", "--yes"];
    look("areas merge", &into);
    look("areas dissolve", &["330105013001001", "--yes"]);
    look("units dissolve", &["gas-company", "--yes"]);
    look("audit list", &[]);
    look("audit search", &["--action", "member."]);
    look("audit export", &["log.csv"]);
}

/// The commands for accounts of administrators.
fn accounts(operator: &Operator, look: &mut impl FnMut(&str, &[&str]) -> Vec<Value>) {
    look("admins add", &["zhang", "--role", "operator,registrar"]);
    look("admins list", &["--actor", "zhang"]);
    look(
        "admins roles",
        &["zhang", "--role", "operator", "--actor", "zhang"],
    );
    operator.ok(&[
        "admins", "add", "li", "--role", "auditor", "--actor", "zhang",
    ]);
    look("admins disable", &["li", "--actor", "zhang"]);
    look("admins enable", &["li", "--actor", "zhang"]);
}
