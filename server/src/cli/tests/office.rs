//! Commands of an office that change the structure, and the names in the audit log.

use super::*;

#[test]
fn village_is_merged_only_on_a_yes() {
    let desk = Desk::with_demo();
    let (from, into) = ("330105013003", "330105013004");
    let merge = ["areas", "merge", from, "--into", into];
    let asked = desk.run(&merge);
    assert_eq!(asked.code, 4, "{}", asked.err);
    assert!(asked.err.contains("[cli.not_confirmed]"), "{}", asked.err);
    assert!(asked.out.contains("areas below"), "{}", asked.out);
    let below = |code: &str| {
        let shown = desk.lines(&["areas", "show", code, "--json"]);
        shown[0]["below"].as_u64().unwrap()
    };
    let (before, grids) = (below(into), below(from));
    assert!(grids > 0, "nothing has moved yet");
    let done = desk.lines(&[&merge[..], &["--yes", "--json"]].concat());
    assert_eq!(done[0]["areas"], grids);
    assert!(done[0]["people"].as_u64().unwrap() >= 4, "{done:?}");
    assert_eq!((below(from), below(into)), (0, before + grids));
    let ended = desk.lines(&["areas", "list", "--dissolved", "--json"]);
    assert_eq!(ended[0]["code"], from);
    let people = desk.lines(&["members", "list", "--area", from, "--json"]);
    assert_eq!(people, Vec::<serde_json::Value>::new());
    desk.refused(&[&merge[..], &["--yes"]].concat(), "registry.area_ended");
}

#[test]
fn areas_and_units_are_dissolved() {
    let desk = Desk::with_demo();
    let full = ["areas", "dissolve", "330105013003", "--yes"];
    desk.refused(&full, "registry.area_not_empty");
    let said = desk.run(&full).out;
    for named in ["330105013003001", "demo-grid-worker"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    let town = [
        "areas",
        "dissolve",
        "330105013003",
        "--heir",
        "330105013000",
    ];
    desk.refused(&town, "registry.heir_misfit");
    let grids = desk.lines(&["areas", "list", "--level", "grid", "--json"]);
    let holds = |grid: &serde_json::Value| {
        let code = grid["code"].as_str().unwrap();
        let shown = desk.lines(&["areas", "show", code, "--json"]);
        shown[0]["people"] != 0
    };
    let empty = grids.iter().find(|grid| !holds(grid)).unwrap();
    let code = empty["code"].as_str().unwrap();
    let done = desk.lines(&["areas", "dissolve", code, "--yes", "--json"]);
    assert_eq!(done[0]["code"], code);
    desk.refused(&["areas", "dissolve", code], "registry.area_ended");

    let unit = ["units", "dissolve", "wulin-aunties"];
    desk.refused(&unit, "cli.not_confirmed");
    let done = desk.lines(&[&unit[..], &["--yes", "--json"]].concat());
    assert_eq!(done[0]["people"], 3);
    let shown = desk.lines(&["units", "show", "wulin-aunties", "--json"]);
    assert_eq!(shown[0]["people"], serde_json::json!([]));
    assert!(shown[0]["dissolved_ms"].is_i64(), "{shown:?}");
}

/// Members who stay in a dissolved village are found by no list, and their invitations lead nowhere.
#[test]
fn table_dissolves_no_village_with_people_in_it() {
    let desk = Desk::with_demo();
    let (from, into) = ("330105013003", "330105013004");
    let folder = desk.path("areas");
    std::fs::create_dir(&folder).unwrap();
    let head = "code,level,parent,name,successors";
    let row = format!("{from},village,330105013000,某社区,{into}");
    let write = |rows: &str| {
        std::fs::write(format!("{folder}/areas.csv"), format!("{head}\n{rows}\n")).unwrap();
    };
    write(&row);
    let import = ["import", "areas", &folder];
    let refused = desk.run(&[&import[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(refused.out.trim()).unwrap();
    let bad = &said["bad"][0];
    assert_eq!(
        (&bad["code"], &bad["line"]),
        (&"import.area_not_empty".into(), &2.into())
    );
    let reason = bad["reason"].as_str().unwrap();
    assert!(
        reason.contains("330105013003001"),
        "the grids are named: {reason}"
    );
    let ended = desk.lines(&["areas", "list", "--dissolved", "--json"]);
    assert_eq!(ended, Vec::<serde_json::Value>::new());

    desk.ok(&["areas", "merge", from, "--into", into, "--yes"]);
    let people = desk.path("m.csv");
    let rows = format!("external_id,public_name,role,areas\nz1,甲,mediator,{from}\n");
    std::fs::write(&people, rows).unwrap();
    let late = desk.run(&["import", "members", &people]);
    assert!(late.out.contains("import.area_ended"), "{}", late.out);
    let units = desk.path("u.csv");
    std::fs::write(
        &units,
        format!("external_id,name,kind,area\nu1,队,team,{from}\n"),
    )
    .unwrap();
    let late = desk.run(&["import", "units", &units]);
    assert!(late.out.contains("import.area_ended"), "{}", late.out);
    write(&format!("{from}009,grid,{from},新网格,"));
    let late = desk.run(&import);
    assert!(late.out.contains("import.area_ended"), "{}", late.out);
    let role = [
        "members",
        "roles",
        "add",
        "demo-lead",
        "--role",
        "mediator",
        "--area",
        from,
    ];
    desk.refused(&role, "registry.role_refused");
    let there = ["members", "move", "demo-lead", "--area", from];
    desk.refused(&there, "registry.area_ended");
}

/// The person who ran the command answers for it, not a word that stands for all.
#[test]
fn audit_log_names_the_actor_of_copies() {
    let desk = Desk::with_demo();
    desk.ok(&["admins", "add", "zhang", "--role", "operator"]);
    let by = ["--actor", "zhang"];
    desk.ok(&[&["admins", "add", "cai", "--role", "auditor"][..], &by].concat());
    let copy = desk.path("copy");
    desk.ok(&[&["backup", &copy][..], &by].concat());
    desk.ok(&[&["restore", &copy][..], &by].concat());
    for action in ["server.backup", "server.restored"] {
        let search = ["audit", "search", "--action", action, "--json"];
        let found = desk.lines(&[&search[..], &["--actor", "cai"]].concat());
        assert_eq!(found.len(), 1, "{action}");
        assert_eq!(found[0]["actor"], "zhang", "{action}");
    }
}

#[test]
fn structure_is_changed_by_registrars_alone() {
    let desk = Desk::with_demo();
    desk.ok(&["admins", "add", "zhang", "--role", "operator"]);
    let by = ["--actor", "zhang"];
    desk.ok(&[&["areas", "list", "--level", "town"][..], &by].concat());
    for args in [
        &["areas", "merge", "330105013003", "--into", "330105013004"][..],
        &["areas", "dissolve", "330105013003"],
        &["units", "dissolve", "wulin-aunties"],
    ] {
        desk.refused(&[args, &["--yes"], &by].concat(), "admin.role_missing");
    }
}

/// Another program holds the database. The command could open it a moment later, so its account is asked all the
/// same.
#[test]
fn locked_database_lets_no_command_pass() {
    let desk = Desk::with_demo();
    desk.ok(&["admins", "add", "zhang", "--role", "operator"]);
    let database = std::path::Path::new(&desk.path("data")).join("onegrid.db");
    let holder = rusqlite::Connection::open(database).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let list = ["members", "list", "--actor", "zhang"];
    desk.refused(&list, "admin.role_missing");
}
