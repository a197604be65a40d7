//! Invitations whose codes cannot be handed over, and lists of people.

use std::io::{Error, Write};

use super::*;

const ADDRESS: [&str; 2] = ["--address", "https://grid.example"];

fn open_count(desk: &Desk) -> usize {
    desk.lines(&["invitations", "list", "--json"]).len()
}

fn all_on(sheet: &str) -> Vec<&str> {
    [&["invite", "--all-new", "--sheet", sheet][..], &ADDRESS].concat()
}

/// A lost code leaves no invitation behind, because `--all-new` leaves out people with an open
/// one.
#[test]
fn sheet_that_cannot_be_written_invites_nobody() {
    let desk = Desk::with_demo();
    let lost = desk.path("absent/sheet.html");
    desk.refused(&all_on(&lost), "invite.sheet_unwritable");
    assert_eq!(open_count(&desk), 0);
    // The page of a command that was cut off may hold codes that work.
    let sheet = desk.path("sheet.html");
    let part = desk.path("sheet.html.part");
    std::fs::write(&part, "codes").unwrap();
    desk.refused(&all_on(&sheet), "invite.sheet_cut_off");
    assert_eq!(open_count(&desk), 0);
    std::fs::remove_file(&part).unwrap();
    desk.ok(&all_on(&sheet));
    assert_eq!(open_count(&desk), 8);
    assert!(!std::path::Path::new(&part).exists());
}

/// A closed pipe.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(Error::other("closed"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn invitation_that_nobody_reads_is_cancelled() {
    let desk = Desk::with_demo();
    let (data, mut err) = (desk.path("data"), Vec::new());
    for args in [&["--all-new", "--json"][..], &["demo-lead"]] {
        let args = [&["onegrid", "invite"], args].concat();
        let code = run(Process {
            args: args.into_iter().map(OsString::from).collect(),
            env: vec![("ONEGRID_STORE__PATH".to_owned(), data.clone())],
            default_file: None,
            out: &mut Closed,
            err: &mut err,
        });
        assert_ne!(code, 0);
        assert_eq!(open_count(&desk), 0);
    }
}

#[test]
fn list_with_unknown_people_names_every_row() {
    let desk = Desk::with_demo();
    desk.ok(&["members", "disable", "demo-volunteer-1", "--yes"]);
    let list = desk.path("list.csv");
    let rows = "工号,姓名\nnobody,甲\ndemo-lead,乙\ndemo-volunteer-1,丙\nno-one,丁\n";
    std::fs::write(&list, rows).unwrap();
    let ask = ["invite", "--from", &list, "--json"];
    let ran = desk.run(&ask);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("[invite.list_wrong]"), "{}", ran.err);
    let rows = ran.out.lines();
    let rows: Vec<serde_json::Value> = rows.map(|row| serde_json::from_str(row).unwrap()).collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (&row["line"], &row["code"]))
        .collect();
    let told = serde_json::json!(told);
    let expected = serde_json::json!([
        [2, "registry.unknown_member"],
        [4, "registry.member_disabled"],
        [5, "registry.unknown_member"],
    ]);
    assert_eq!(told, expected);
    assert_eq!(open_count(&desk), 0);
    let said = desk.run(&["invite", "--from", &list, "--lang", "en"]);
    assert!(said.out.contains("list.csv line 4"), "{}", said.out);
    // The sheet of an empty list.
    std::fs::write(&list, "").unwrap();
    desk.refused(&["invite", "--from", &list], "invite.list_wrong");
}

/// An id that is mistyped must not become the fate of a colleague.
#[test]
fn person_is_named_with_the_code() {
    let desk = Desk::with_demo();
    let shown = desk.ok(&["members", "show", "demo-lead"]);
    let name = shown.split_whitespace().nth(1).unwrap();
    let invited = desk.ok(&["invite", "demo-lead"]);
    let first = invited.lines().next().unwrap();
    assert!(
        first.contains(name) && first.contains("demo-lead"),
        "{first}"
    );
    let gone = desk.ok(&["members", "disable", "demo-lead", "--yes"]);
    assert!(gone.contains(name), "{gone}");
    let refused = desk.run(&["invite", "demo-lead"]);
    assert!(refused.err.contains("demo-lead"), "{}", refused.err);
}

/// A phone that scans the address of this machine would look for the server in itself.
#[test]
fn qr_code_never_leads_a_phone_to_itself() {
    let desk = Desk::with_demo();
    let member = "demo-volunteer-1";
    let invited = desk.lines(&["invite", member, "--json"]);
    assert_eq!(invited[0]["qr"], serde_json::Value::Null, "{invited:?}");
    let before = desk.lines(&["invitations", "list", "--json"]).len();
    for address in ["http://127.0.0.1:8787", "https://localhost", "[::1]:8787"] {
        desk.refused(
            &["invite", member, "--address", address],
            "invite.only_this_machine",
        );
    }
    assert_eq!(desk.lines(&["invitations", "list", "--json"]).len(), before);
    let local = ["invite", member, "--for-this-machine", "--json"];
    assert!(desk.lines(&local)[0]["qr"].is_string());
    let real = [
        "invite",
        member,
        "--address",
        "https://grid.example",
        "--json",
    ];
    assert!(desk.lines(&real)[0]["qr"].is_string());
}

#[test]
fn many_are_invited_on_a_sheet_and_each_once() {
    let desk = Desk::with_demo();
    desk.refused(&["invite"], "cli.missing_argument");
    desk.refused(&["invite", "--all-new"], "invite.sheet_needed");
    let sheet = desk.path("sheet.html");
    let all = ["invite", "--all-new", "--sheet", &sheet];
    desk.refused(&all, "invite.sheet_without_address");
    assert_eq!(desk.lines(&["invitations", "list", "--json"]).len(), 0);
    let address = ["--address", "https://grid.example"];
    let said = desk.ok(&[&all[..], &address].concat());
    assert!(said.contains("Wrote 8 invitations"), "{said}");
    let page = std::fs::read_to_string(&sheet).unwrap();
    assert_eq!(page.matches("<article>").count(), 8);
    let open = desk.lines(&["invitations", "list", "--json"]);
    assert_eq!(open.len(), 8);
    let again = desk.ok(&["invite", "--all-new", "--json"]);
    assert_eq!(again, "", "all are invited already");
    desk.refused(
        &[&["invite", "demo-lead", "--sheet", &sheet][..], &address].concat(),
        "invite.sheet_exists",
    );

    let id = open[0]["invitation"].as_str().unwrap();
    desk.refused(&["invitations", "cancel", "0"], "invitations.unknown");
    desk.ok(&["invitations", "cancel", &id[..12]]);
    assert_eq!(desk.lines(&["invitations", "list", "--json"]).len(), 7);
    let rest = desk.lines(&["invitations", "cancel", "--all", "--yes", "--json"]);
    assert_eq!(rest[0]["cancelled"], 7);
    let list = desk.path("list.csv");
    std::fs::write(
        &list,
        "\u{feff}demo-lead,x\r\ndemo-volunteer-1\r\ndemo-lead\r\n",
    )
    .unwrap();
    let listed = desk.lines(&["invite", "--from", &list, "--json"]);
    let ids: Vec<_> = listed
        .iter()
        .map(|one| one["external_id"].clone())
        .collect();
    assert_eq!(ids, ["demo-lead", "demo-volunteer-1"]);
    let area = ["invite", "--area", "330105013003", "--json"];
    let in_area = desk.lines(&area);
    assert!(!in_area.is_empty() && in_area.len() < 7, "{in_area:?}");
}
