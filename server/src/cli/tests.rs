#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod accounts;
mod office;

use clap::CommandFactory as _;
use onegrid_core::texts;

use super::*;

mod imports;
mod invitations;
mod restored;

struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn run_with(env: &[(&str, &str)], args: &[&str]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(Process {
        args: std::iter::once("onegrid")
            .chain(args.iter().copied())
            .map(OsString::from)
            .collect(),
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        default_file: None,
        out: &mut out,
        err: &mut err,
    });
    Ran {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

#[test]
fn the_flag_beats_the_variable_which_beats_the_locale_which_beats_the_default() {
    let english = [("LANG", "en_US.UTF-8")];
    let both = [("LANG", "en_US.UTF-8"), ("ONEGRID_LANG", "zh")];
    assert!(run_with(&[], &["--help"]).out.contains("用法"));
    assert!(run_with(&english, &["--help"]).out.contains("Usage"));
    assert!(run_with(&both, &["--help"]).out.contains("用法"));
    assert!(
        run_with(&both, &["--help", "--lang", "en"])
            .out
            .contains("Usage")
    );
    assert!(
        run_with(&both, &["--lang=en", "nonsense"])
            .err
            .contains("There is no command")
    );
}

/// On a full disk a phone can still be revoked, and nothing else takes the room.
#[test]
fn reserve_of_the_disk_is_for_commands_that_take_rights() {
    let full = || Err(Problem::new("store.full"));
    let runs = |release: bool| {
        let mut count = 0;
        let done = with_reserve(
            &mut count,
            |_| release,
            |count| {
                *count += 1;
                if *count == 1 { full() } else { Ok(()) }
            },
        );
        (done.map_err(|problem| problem.code()), count)
    };
    assert_eq!(runs(true), (Ok(()), 2));
    assert_eq!(runs(false), (Err("store.full"), 1));
    let is_urgent = |args: &[&str]| {
        let line = Line::try_parse_from([&["onegrid"][..], args].concat()).unwrap();
        line.command.is_urgent()
    };
    assert!(is_urgent(&["revoke", "0123456789abcdef"]));
    assert!(is_urgent(&["members", "disable", "7"]));
    assert!(is_urgent(&["invitations", "cancel", "--all"]));
    assert!(!is_urgent(&["members", "list"]) && !is_urgent(&["backup", "copy"]));

    let desk = Desk::with_demo();
    let reserve = crate::blobs::reserve::Reserve::of(&desk.folder.path().join("data/blobs"));
    std::fs::create_dir_all(desk.path("data/blobs")).unwrap();
    reserve.keep(1 << 40).unwrap();
    desk.ok(&["members", "disable", "demo-lead", "--yes"]);
    assert_eq!(reserve.lacking_bytes(), 0, "there is room without it");
}

#[test]
fn every_sentence_of_the_help_is_in_the_table() {
    fn walk(command: &clap::Command) {
        let about = command.get_about().map(ToString::to_string);
        let name = command.get_name();
        assert!(
            about
                .as_deref()
                .is_some_and(|code| texts::text(code, Lang::Zh).is_some()),
            "`onegrid {name}`: about = {about:?} is no code of texts.tsv"
        );
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string);
            assert!(
                help.as_deref()
                    .is_some_and(|code| texts::text(code, Lang::Zh).is_some()),
                "`onegrid {name}` {}: help = {help:?} is no code of texts.tsv",
                arg.get_id()
            );
        }
        command.get_subcommands().for_each(walk);
    }
    Line::command().debug_assert();
    walk(&Line::command());
}

#[test]
fn help_and_version_are_results() {
    let help = run_with(&[], &["check-config", "--help", "--lang", "en"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("where it comes from") && help.out.contains("--config"));
    assert!(!help.out.contains("cli."), "{}", help.out);
    let version = run_with(&[], &["--version"]);
    assert_eq!(
        (
            version.code,
            version.out.contains(env!("CARGO_PKG_VERSION"))
        ),
        (0, true)
    );
}

#[test]
fn a_command_line_that_is_not_understood_is_a_coded_problem_with_exit_2() {
    for (args, code) in [
        (&[][..], "cli.missing_command"),
        (&["chekc-config"], "cli.unknown_command"),
        (&["check-config", "--confg", "x"], "cli.unknown_argument"),
        (&["check-config", "--lang", "fr"], "cli.invalid_value"),
        (&["check-config", "--config"], "cli.missing_argument"),
        (
            &["check-config", "--config", "a", "--config", "b"],
            "cli.conflict",
        ),
        (
            &["check-config", "--set", "server.listn=1"],
            "config.unknown_key",
        ),
    ] {
        let ran = run_with(&[], args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(
            ran.err.contains(&format!("[{code}]")),
            "{args:?}: {}",
            ran.err
        );
        assert!(ran.out.is_empty());
        assert!(
            !ran.err.contains('{'),
            "a placeholder stayed empty: {}",
            ran.err
        );
    }
    let similar = run_with(&[], &["chekc-config", "--lang", "en"]).err;
    assert!(similar.contains("check-config"), "{similar}");
}

#[test]
fn check_config_prints_a_file_that_says_the_same_again() {
    let env = [("ONEGRID_LIMITS__REQUESTS_MAX", "77")];
    let args = [
        "check-config",
        "--lang",
        "en",
        "--set",
        "store.path=a \"b\" 数据",
    ];
    let first = run_with(&env, &args);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("requests_max = 77"), "{}", first.out);
    assert!(
        first
            .out
            .contains("environment variable ONEGRID_LIMITS__REQUESTS_MAX")
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("onegrid.toml");
    std::fs::write(&file, &first.out).unwrap();
    let again = run_with(
        &[("ONEGRID_CONFIG", file.to_str().unwrap())],
        &["check-config"],
    );
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.out.contains("requests_max = 77"), "{}", again.out);
    assert!(again.out.contains(r#"a \"b\" 数据"#) || again.out.contains("a \"b\" 数据"));
}

#[test]
fn check_config_reads_what_the_configuration_names() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let set = format!("rules.path={}", rules.display());
    let args = ["check-config", "--lang", "en", "--set", &set];
    let absent = run_with(&[], &args);
    assert_ne!(absent.code, 0);
    assert!(absent.err.contains("rules.unreadable"), "{}", absent.err);
    std::fs::write(&rules, "version = 1\nsurprise = 1\n").unwrap();
    let wrong = run_with(&[], &args);
    assert!(wrong.err.contains("rules.malformed"), "{}", wrong.err);
    assert!(wrong.err.contains("Line 2"), "{}", wrong.err);
    std::fs::write(&rules, "version = 1\n").unwrap();
    assert_eq!(run_with(&[], &args).code, 0);
}

#[test]
fn a_file_that_cannot_be_used_exits_with_3_and_names_the_cause() {
    let missing = run_with(&[], &["check-config", "--config", "no/such.toml"]);
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("config.unreadable") && missing.err.contains("no/such.toml"));
    let flags = [
        "--set",
        "server.tls_cert=no/a.pem",
        "--set",
        "server.tls_key=no/b.pem",
    ];
    let tls = run_with(&[], &[&["check-config"][..], &flags].concat());
    assert_eq!(tls.code, 3, "{}", tls.err);
    assert!(tls.err.contains("config.tls_unreadable"));
}

/// Words of every command that has no commands below it.
fn leaves(command: &clap::Command, before: &[String], found: &mut Vec<(Vec<String>, bool)>) {
    for sub in command.get_subcommands() {
        let words = [before, &[sub.get_name().to_owned()]].concat();
        if sub.has_subcommands() {
            leaves(sub, &words, found);
        } else {
            let has_json = sub.get_arguments().any(|arg| arg.get_id() == "json");
            found.push((words, has_json));
        }
    }
}

fn all_leaves() -> Vec<(Vec<String>, bool)> {
    let mut found = Vec::new();
    leaves(&Line::command(), &[], &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn help_command_shows_the_help_of_each() {
    for lang in ["en", "zh"] {
        let same = |help: &[&str], flag: &[&str]| {
            let help = run_with(&[("ONEGRID_LANG", lang)], help);
            assert_eq!((help.code, help.err.as_str()), (0, ""));
            assert_eq!(help.out, run_with(&[("ONEGRID_LANG", lang)], flag).out);
            help.out
        };
        let whole = same(&["help"], &["--help"]);
        assert!(whole.contains(if lang == "en" { "Usage" } else { "用法" }));
        assert!(whole.contains("  help "), "{whole}");
        same(&["help", "import"], &["import", "--help"]);
        same(&["help", "import", "areas"], &["import", "areas", "--help"]);
        same(&["help", "help"], &["help", "--help"]);
    }
    let flag = run_with(&[], &["help", "status", "--lang", "en"]);
    assert!(flag.out.contains("Usage"), "{}", flag.out);
    let misspelt = run_with(&[], &["help", "chekc-config", "--lang", "en"]);
    assert_eq!(misspelt.code, 2);
    assert!(misspelt.err.contains("[cli.unknown_command]"));
    assert!(misspelt.err.contains("check-config"), "{}", misspelt.err);
}

/// Names of the options, in the order of a help text.
fn options_of(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim_start);
    let options = lines.filter(|line| line.starts_with('-'));
    let names = options.filter_map(|line| line.split_once("--"));
    let ends = |c: char| !(c.is_ascii_lowercase() || c == '-');
    names
        .map(|(_, name)| name.split(ends).next().unwrap_or_default())
        .collect()
}

#[test]
fn help_lists_own_options_before_common_ones() {
    for (words, _) in all_leaves() {
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.extend(["--help", "--lang", "en"]);
        let help = run_with(&[], &args).out;
        let options = options_of(&help);
        let own = options.len() - 5;
        let common = ["lang", "config", "set", "actor", "help"];
        assert_eq!(options[own..], common, "{help}");
        assert_eq!(options.get(own - 1), Some(&"json"), "{help}");
    }
    let whole = run_with(&[], &["--help"]).out;
    let expected = ["lang", "config", "set", "actor", "help", "version"];
    assert_eq!(options_of(&whole), expected, "{whole}");
    let areas = run_with(&[], &["import", "areas", "--help"]).out;
    let own = &options_of(&areas)[..5];
    let expected = ["datum", "dry-run", "strict", "progress", "json"];
    assert_eq!(own, expected, "{areas}");
}

#[test]
fn every_command_prints_json() {
    for (words, has_json) in all_leaves() {
        assert!(has_json, "onegrid {}: has no --json", words.join(" "));
    }
}

#[test]
fn check_config_says_in_json_where_values_come_from() {
    let env = [("ONEGRID_LIMITS__REQUESTS_MAX", "77")];
    let ran = run_with(
        &env,
        &["check-config", "--json", "--set", "server.plain=true"],
    );
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.err);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let setting = |name: &str| said["settings"][name].clone();
    assert_eq!(said["usable"], true);
    let limit = setting("limits.requests_max");
    assert_eq!(
        (&limit["value"], &limit["from"]),
        (&77.into(), &"environment".into())
    );
    assert_eq!(limit["variable"], "ONEGRID_LIMITS__REQUESTS_MAX");
    let plain = setting("server.plain");
    assert_eq!(
        (&plain["value"], &plain["from"]),
        (&true.into(), &"command_line".into())
    );
    let absent = setting("rules.path");
    assert_eq!(
        (&absent["value"], &absent["from"]),
        (&().into(), &"default".into())
    );
}

#[test]
fn every_command_without_a_deployment_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let request = folder.path().join("request");
    let request = request.to_str().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("absent")] {
        let path = path.to_str().unwrap();
        for args in [
            &["status"][..],
            &["verify"],
            &["devices"],
            &["readings"],
            &["backup", request],
            &["export", request],
            &["invite", "someone"],
            &["renew", "0123456789"],
            &["revoke", "0123456789"],
            &["review", "list"],
            &["import", "areas", "nowhere"],
            &["members", "list"],
            &["invitations", "list"],
            &["admins", "list"],
            &["audit", "list"],
            &["areas", "list"],
            &["units", "list"],
            &["keys", "list"],
            &["keys", "request", request],
        ] {
            let ran = run_with(&[("ONEGRID_STORE__PATH", path)], args);
            assert!(
                ran.err.contains("[data.not_prepared]"),
                "{args:?}: {}",
                ran.err
            );
            assert_eq!(ran.code, 3, "{args:?}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The folder is meant for one user, and one path of it cannot be changed.
#[cfg(unix)]
#[test]
fn warning_names_the_path_that_others_can_open() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let root = folder.path().join("root.key");
    let env = [("ONEGRID_STORE__PATH", data.to_str().unwrap())];
    let init = run_with(&env, &["init", "--root-key", root.to_str().unwrap()]);
    assert_eq!((init.code, init.err.as_str()), (0, ""));
    let shared = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(&data, shared).unwrap();
    let status = run_with(&env, &["status", "--json"]);
    assert_eq!(status.code, 0, "{}", status.err);
    assert!(
        status.err.contains("[data.open_to_others]"),
        "{}",
        status.err
    );
    assert!(
        status.err.contains(data.to_str().unwrap()),
        "{}",
        status.err
    );
}

/// A deployment in a folder, with commands over it.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn with_demo() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let root = desk.path("root.key");
        desk.ok(&["init", "--seed", "demo", "--root-key", &root]);
        desk
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Ran {
        let data = self.path("data");
        let env = [
            ("ONEGRID_STORE__PATH", data.as_str()),
            ("ONEGRID_LANG", "en"),
        ];
        run_with(&env, args)
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
        ran.out
    }

    fn lines(&self, args: &[&str]) -> Vec<serde_json::Value> {
        let out = self.ok(args);
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn refused(&self, args: &[&str], code: &str) {
        let ran = self.run(args);
        assert_ne!(ran.code, 0, "{args:?}: {}", ran.out);
        assert!(
            ran.err.contains(&format!("[{code}]")),
            "{args:?}: {}",
            ran.err
        );
    }
}

#[test]
fn people_are_listed_shown_and_changed() {
    let desk = Desk::with_demo();
    let all = desk.lines(&["members", "list", "--json"]);
    assert_eq!(all.len(), 8);
    let pages: Vec<usize> = ["1", "2", "3"]
        .map(|page| {
            let args = [
                "members",
                "list",
                "--per-page",
                "3",
                "--page",
                page,
                "--json",
            ];
            desk.lines(&args).len()
        })
        .to_vec();
    assert_eq!(pages, [3, 3, 2]);
    let footer = desk.ok(&["members", "list", "--per-page", "3"]);
    assert!(footer.contains("Page 1 of 3, 8 in all"), "{footer}");
    let found = desk.lines(&["members", "search", "GRID-worker", "--json"]);
    assert_eq!(found[0]["external_id"], "demo-grid-worker");
    let volunteers = desk.lines(&["members", "list", "--role", "志愿者", "--json"]);
    assert!(volunteers.len() >= 2, "{volunteers:?}");
    let nobody = desk.ok(&["members", "search", "nobody"]);
    assert!(nobody.contains("Nothing matches"), "{nobody}");

    let member = "demo-grid-worker";
    let village = "330105013004";
    let add = [
        "members", "roles", "add", member, "--role", "mediator", "--area", village,
    ];
    let said = desk.ok(&add);
    assert!(said.contains("mediator ("), "{said}");
    desk.refused(&[&add[..7], &["123"]].concat(), "registry.role_refused");
    desk.refused(
        &["members", "roles", "take", member, "--role", "guard"],
        "registry.role_not_held",
    );
    desk.ok(&["members", "roles", "take", member, "--role", "mediator"]);
    let shown = desk.lines(&["members", "show", member, "--json"]);
    let roles = shown[0]["roles"].to_string();
    assert!(
        !roles.contains("mediator") && roles.contains("grid worker"),
        "{roles}"
    );
    desk.refused(
        &["members", "move", member, "--area", "330105013000"],
        "registry.other_level",
    );
    let moved = desk.lines(&["members", "move", member, "--area", village, "--json"]);
    assert!(
        moved[0]["area"].as_str().unwrap().ends_with(village),
        "{moved:?}"
    );
}

#[test]
fn person_is_switched_off_only_on_a_yes() {
    let desk = Desk::with_demo();
    let member = "demo-volunteer-1";
    desk.lines(&["invite", member, "--json"]);
    let off = ["members", "disable", member, "--yes"];
    let done = desk.lines(&[&off[..], &["--json"]].concat());
    assert_eq!(done[0]["cancelled"], 1, "{done:?}");
    let listed = desk.lines(&["members", "list", "--disabled", "--json"]);
    assert_eq!(listed.len(), 1);
    desk.refused(&["invite", member], "registry.member_disabled");
    let on = desk.lines(&["members", "enable", member, "--json"]);
    assert!(on[0]["code"].is_string(), "{on:?}");
    let none = desk.lines(&["members", "list", "--disabled", "--json"]);
    assert_eq!(none.len(), 0);
}

#[test]
fn accounts_name_the_actor_and_bound_the_commands() {
    let desk = Desk::with_demo();
    let actor = |action: &str| {
        let found = desk.lines(&[
            "audit", "search", "--action", action, "--json", "--actor", "cai",
        ]);
        let actor = found.last().unwrap()["actor"].as_str();
        actor.unwrap().to_owned()
    };
    desk.refused(&["members", "list", "--actor", "made-up"], "admin.unknown");
    desk.ok(&["invite", "demo-lead"]);
    desk.ok(&["admins", "add", "zhang", "--role", "operator"]);
    desk.refused(&["members", "list"], "admin.actor_missing");
    let as_zhang = ["--actor", "zhang"];
    desk.ok(&[
        &["admins", "add", "li", "--role", "registrar"][..],
        &as_zhang,
    ]
    .concat());
    desk.ok(&[
        &["admins", "add", "cai", "--role", "auditor"][..],
        &as_zhang,
    ]
    .concat());
    assert!(actor("invitation.made").starts_with("os:"));
    desk.refused(
        &["members", "list", "--actor", "zhang"],
        "admin.role_missing",
    );
    desk.refused(&["audit", "list", "--actor", "li"], "admin.role_missing");
    desk.refused(&["backup", "copy", "--actor", "li"], "admin.role_missing");
    desk.ok(&["invite", "demo-lead", "--actor", "li"]);
    assert_eq!(actor("invitation.made"), "li");
    let data = desk.path("data");
    let env = [
        ("ONEGRID_STORE__PATH", data.as_str()),
        ("ONEGRID_ACTOR", "li"),
    ];
    let by_variable = run_with(&env, &["members", "list"]);
    assert_eq!(by_variable.code, 0, "{}", by_variable.err);
    let listed = desk.lines(&["admins", "list", "--json", "--actor", "zhang"]);
    let names: Vec<_> = listed.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["cai", "li", "zhang"]);
    desk.ok(&["admins", "disable", "li", "--actor", "zhang"]);
    desk.refused(&["members", "list", "--actor", "li"], "admin.is_disabled");
    // A command without data of people needs no account.
    desk.ok(&["status"]);
    let log = desk.path("log.csv");
    let out = desk.ok(&["audit", "export", &log, "--by", "zhang", "--actor", "cai"]);
    assert!(out.contains("Wrote 3 lines"), "{out}");
}

#[test]
fn dry_run_of_the_command_changes_nothing() {
    let desk = Desk::with_demo();
    let file = desk.path("m.csv");
    let header = "external_id,public_name,role,areas,unit\n";
    let rows = "new-1,网格员乙,grid_worker,330105013003001,\nnew-2,丙,king,,\n";
    std::fs::write(&file, format!("{header}{rows}")).unwrap();
    let dry = desk.run(&["import", "members", &file, "--dry-run"]);
    assert_eq!(dry.code, 3);
    assert!(
        dry.err
            .contains("1 problem: the rows with a problem would be left out"),
        "{}",
        dry.err
    );
    for part in [
        "line 3",
        "1 person was left out whole, because a row is wrong",
        "new: new-1 网格员乙: gets grid worker",
        "This was a dry run",
    ] {
        assert!(dry.out.contains(part), "{part}: {}", dry.out);
    }
    assert_eq!(desk.lines(&["members", "list", "--json"]).len(), 8);
    let conflict = ["import", "members", &file, "--dry-run", "--strict"];
    desk.refused(&conflict, "cli.conflict");
    let real = desk.run(&["import", "members", &file, "--json"]);
    let said: serde_json::Value = serde_json::from_str(real.out.trim()).unwrap();
    assert_eq!(
        said["changes"][0]["roles_added"].as_array().unwrap().len(),
        1
    );
    assert_eq!(said["held_back"], serde_json::json!(["new-2"]));
    assert_eq!(desk.lines(&["members", "list", "--json"]).len(), 9);
}

#[test]
fn areas_and_units_are_listed_and_shown() {
    let desk = Desk::with_demo();
    let towns = desk.lines(&["areas", "list", "--level", "town", "--json"]);
    assert_eq!(towns.len(), 18, "the streets of the district");
    let under = ["areas", "list", "--under", "330105013003", "--json"];
    let grids = desk.lines(&under);
    assert!(!grids.is_empty());
    for grid in &grids {
        assert_eq!(
            (&grid["level"], &grid["parent"]),
            (&"grid".into(), &"330105013003".into())
        );
    }
    assert_eq!(desk.ok(&["areas", "list", "--dissolved", "--json"]), "");
    let shown = desk.lines(&["areas", "show", "330105013003", "--json"]);
    assert_eq!(shown[0]["below"], grids.len());
    assert!(shown[0]["people"].as_u64().unwrap() >= 4, "{shown:?}");
    let said = desk.ok(&["areas", "show", "330105013003"]);
    assert!(
        said.contains("since ") && said.contains("people live or hold"),
        "{said}"
    );
    desk.refused(&["areas", "show", "1"], "registry.unknown_area");
    let units = desk.lines(&["units", "list", "--json"]);
    assert_eq!(units.len(), 6);
    let teams = desk.lines(&["units", "list", "--kind", "team", "--json"]);
    assert_eq!(teams[0]["external_id"], "wulin-aunties");
    let team = desk.lines(&["units", "show", "wulin-aunties", "--json"]);
    assert_eq!(team[0]["people"].as_array().unwrap().len(), 3);
    desk.refused(&["units", "show", "nobody"], "registry.unknown_unit");
}
