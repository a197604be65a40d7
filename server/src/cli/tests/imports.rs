//! Reports of imports, and the words and codes in them.

use super::*;

/// The report is a promise, so it has to name the same things before and after.
#[test]
fn dry_run_names_the_parent_of_new_areas() {
    let desk = Desk::with_demo();
    let folder = desk.path("areas");
    std::fs::create_dir(&folder).unwrap();
    let rows = "code,level,parent,name\n330105099000,town,330105000000,东一街道\n\
                330105099001,village,330105099000,东一社区\n";
    std::fs::write(format!("{folder}/areas.csv"), rows).unwrap();
    let dry = desk.ok(&["import", "areas", &folder, "--dry-run"]);
    assert!(dry.contains("330105099001 东一社区: "), "{dry}");
    assert!(
        dry.contains("330105099000\n"),
        "the code of the parent: {dry}"
    );
    assert!(dry.contains("would be imported"), "{dry}");
    let real = desk.ok(&["import", "areas", &folder]);
    let changes = |said: &str| -> Vec<String> {
        let lines = said.lines().filter(|line| line.starts_with("new"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(changes(&dry), changes(&real));
    let absent = desk.run(&["import", "areas", &desk.path("nowhere")]);
    assert!(absent.out.contains("nowhere"), "{}", absent.out);
    assert!(absent.out.contains("import.no_folder"), "{}", absent.out);
}

#[test]
fn unusable_table_has_no_rest() {
    let desk = Desk::with_demo();
    let file = desk.path("m.csv");
    let import = ["import", "members", &file];
    let header = "external_id,public_name,role,areas,unit\n";
    std::fs::write(&file, header).unwrap();
    desk.refused(&import, "import.nothing_taken");
    assert!(desk.run(&import).out.contains("import.no_rows"));
    // Rows as the file has them, also those that another pass found.
    let village = "３３０１０５０１３００３";
    let rows = format!(
        "a,甲,mediator,{village},\n,乙,mediator,{village},\nb,丙,mediator,{village},,,x\nc,丁,king,,\n"
    );
    std::fs::write(&file, format!("{header}{rows}")).unwrap();
    let ran = desk.run(&["import", "members", &file, "--json"]);
    assert!(ran.err.contains("[import.rest_taken]"), "{}", ran.err);
    let said: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
    let bad = said["bad"].as_array().unwrap();
    let found: Vec<_> = bad.iter().map(|row| (&row["line"], &row["code"])).collect();
    let expected = serde_json::json!([
        [3, "import.no_external_id"],
        [4, "import.too_many_cells"],
        [5, "import.unknown_role"],
    ]);
    assert_eq!(serde_json::json!(found), expected);
    assert_eq!(said["changed"], 1, "full-width digits are digits");
    let given = serde_json::json!([
        {"role": "mediator", "area": "330105013003", "unit": null, "zone": null}
    ]);
    assert_eq!(said["changes"][0]["grants_added"], given);
}

#[test]
fn role_is_found_by_the_word_of_lists() {
    let desk = Desk::with_demo();
    for lang in ["zh", "en"] {
        let shown = desk.lines(&[
            "members",
            "show",
            "demo-grid-worker",
            "--json",
            "--lang",
            lang,
        ]);
        assert_eq!(shown[0]["grants"][0]["role"], "grid_worker");
        assert!(shown[0]["area_code"].as_str().unwrap().starts_with("3301"));
    }
    for role in ["grid worker", "Grid worker", "专职网格员", "grid_worker"] {
        let found = desk.lines(&["members", "list", "--role", role, "--json"]);
        assert!(!found.is_empty(), "{role}");
    }
    assert_eq!(
        desk.run(&["members", "list", "--role", "村社负责人"]).code,
        0
    );
    let unknown = desk.run(&["members", "list", "--role", "king"]);
    assert!(unknown.err.contains("grid_worker"), "{}", unknown.err);
    let bare = desk.run(&["members", "roles", "add", "demo-lead", "--role", "mediator"]);
    assert!(!bare.err.contains("[]"), "{}", bare.err);
    let nobody = desk.run(&["members", "show", "10001"]);
    assert!(nobody.err.contains("members search"), "{}", nobody.err);
}

#[test]
fn list_of_a_month_is_imported_once() {
    let desk = Desk::with_demo();
    let file = desk.path("list.csv");
    let rows = "编号,社区,事由,当事人,化解期限\n\
                1,330105013003,楼上漏水,张三、李四,2025-03-31\n\
                2,330105013003,噪声,,3月底\n";
    std::fs::write(&file, rows).unwrap();
    let import = ["import", "disputes", &file, "--month", "2025-03"];
    let dry = desk.run(&[&import[..], &["--dry-run"]].concat());
    assert!(dry.out.contains("1 would be imported"), "{}", dry.out);
    assert!(dry.err.contains("[import.rows_wrong]"), "{}", dry.err);
    let real = desk.run(&import);
    assert!(
        real.out.contains("line 3 column “化解期限”"),
        "{}",
        real.out
    );
    assert!(real.out.contains("import.no_day"), "{}", real.out);
    assert!(real.out.contains("1 imported, 0 unchanged"), "{}", real.out);
    let again = desk.run(&import);
    assert!(
        again.out.contains("0 imported, 1 unchanged"),
        "{}",
        again.out
    );
    let all = [dry, real, again];
    assert!(
        all.iter()
            .all(|ran| !ran.out.contains("张三") && !ran.err.contains("张三"))
    );
    let json = desk.run(&[&import[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(said["bad"][0]["code"], "import.no_day");
    desk.refused(
        &["import", "disputes", &file, "--month", "2025-13"],
        "month.malformed",
    );
    desk.refused(
        &["import", "disputes", &file, "--month", "9999-01"],
        "import.month_ahead",
    );
}
