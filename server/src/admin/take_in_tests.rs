#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use onegrid_core::domain::unit::UnitKind;
use onegrid_core::domain::{Role, Scope};
use onegrid_core::fixtures::NOW;
use onegrid_core::id::MemberId;
use onegrid_core::texts::Lang;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use rust_xlsxwriter::Workbook;

use super::*;
use crate::admin::wording::Wording;
use crate::directory::unit_id;
use crate::keys::Keys;
use crate::rules::Rules;
use crate::store::Store;
use crate::store::sqlite::{SqliteOptions, SqliteStore};

const AREAS: &str = "code,level,parent,name,name_en\n\
    330105000000,district,,拱墅区,Gongshu\n\
    330105013000,town,330105000000,武林街道,Wulin\n\
    330105013003,village,330105013000,中北社区,Zhongbei\n\
    330105013004,village,330105013000,环北社区,Huanbei\n\
    330105013003001,grid,330105013003,第一网格,Grid 1\n";
const UNITS: &str = "external_id,kind,name,area\nteam-1,team,武林大妈,330105013003\n\
    gas,utility,燃气公司,330105013000\n";
const HEADER: &str = "external_id,public_name,role,areas,unit\n";
const PEOPLE: &str = "7,民警甲,mediator,330105013003,\n\
    7,民警甲,station_head,330105013003,\n\
    8,阿姨乙,volunteer,330105013003,team-1\n\
    9,网格员丙,grid_worker,330105013003001,\n";

/// A deployment with a few areas, units and people.
struct Office {
    _folder: tempfile::TempDir,
    server: Server,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (keys, _) = Keys::create(NOW - 1_000, &mut rng).unwrap();
        let path = folder.path().join("onegrid.db");
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        Server::prepare(&store, &keys, NOW).unwrap();
        let server = Server::open(store, keys, Rules::none()).unwrap();
        let office = Self {
            _folder: folder,
            server,
        };
        let areas = office.areas(AREAS, Mode::Strict, NOW - 10);
        assert_eq!((areas.changed, areas.bad.len()), (5, 0));
        let units = office.units(UNITS, Mode::Strict);
        assert_eq!((units.changed, units.bad.len()), (2, 0));
        let people = office.people(&format!("{HEADER}{PEOPLE}"), Mode::Strict);
        assert_eq!((people.changed, people.bad.len()), (3, 0));
        office
    }

    fn areas(&self, table: &str, mode: Mode, now_ms: i64) -> Outcome {
        let files = AreaFiles {
            table: table.as_bytes().to_vec(),
            boundaries: BTreeMap::new(),
        };
        let order = Order {
            mode,
            actor: "zhang",
            now_ms,
        };
        import_areas(&self.server, &files, Datum::Wgs84, order, &mut |_, _| {}).unwrap()
    }

    fn units(&self, table: &str, mode: Mode) -> Outcome {
        let bytes = table.as_bytes();
        import_units(
            &self.server,
            "units.csv",
            bytes,
            order(mode),
            &mut |_, _| {},
        )
        .unwrap()
    }

    fn people(&self, table: &str, mode: Mode) -> Outcome {
        self.people_of("members.csv", table.as_bytes(), mode)
    }

    fn people_of(&self, file: &str, bytes: &[u8], mode: Mode) -> Outcome {
        import_members(&self.server, file, bytes, order(mode), &mut |_, _| {}).unwrap()
    }

    /// Imports people with their new names.
    fn renamed(&self, table: &str, mode: Mode) -> Outcome {
        let file = ("members.csv", table.as_bytes());
        let names = Renaming::Wanted;
        import_members_with(&self.server, file, names, order(mode), &mut |_, _| {}).unwrap()
    }

    fn id(&self, external_id: &str) -> MemberId {
        id_of_external(self.server.keys().authority(), external_id)
    }

    fn roles(&self, external_id: &str) -> Vec<Role> {
        let member = self.id(external_id);
        let row = self.server.store().read(|tx| tx.member(member)).unwrap();
        let grants = row.map(|row| row.grants).unwrap_or_default();
        grants.iter().map(|grant| grant.role).collect()
    }

    /// Lines of the audit log, which grows with each change.
    fn lines(&self) -> u64 {
        let last = self.server.store().read(|tx| tx.audit_last()).unwrap();
        last.map_or(0, |row| row.no)
    }

    fn said(&self, outcome: &Outcome, lang: Lang) -> Vec<String> {
        let directory = known(&self.server).unwrap();
        let wording = Wording {
            directory: &directory,
            lang,
        };
        let changes = outcome.changes.iter();
        changes.map(|change| change.say(wording)).collect()
    }
}

fn order(mode: Mode) -> Order<'static> {
    Order {
        mode,
        actor: "zhang",
        now_ms: NOW,
    }
}

const CHANGED: &str = "7,民警甲,mediator,330105013004,\n\
    8,阿姨乙二,volunteer,330105013003,team-1\n\
    9,网格员丙,grid_worker,330105013003001,\n\
    10,新人丁,handler,,gas\n";

#[test]
fn dry_run_tells_each_change_and_makes_none() {
    let office = Office::new();
    let before = office.lines();
    let table = format!("{HEADER}{CHANGED}");
    let dry = office.renamed(&table, Mode::DryRun);
    assert_eq!(office.lines(), before, "nothing is written");
    assert_eq!((dry.changed, dry.unchanged), (3, 1));
    assert_eq!(
        office.said(&dry, Lang::En),
        [
            "changed: 7 民警甲: moved from Zhongbei 330105013003 to Huanbei 330105013004; \
             gets mediator (Huanbei 330105013004); \
             loses mediator (Zhongbei 330105013003), station head (Zhongbei 330105013003)",
            "changed: 8 阿姨乙二: renamed (was “阿姨乙”)",
            "new: 10 新人丁: gets handler (燃气公司)",
        ]
    );
    assert!(office.said(&dry, Lang::Zh)[1].contains("改名（原“阿姨乙”）"));
    let real = office.renamed(&table, Mode::Rest);
    assert_eq!(real.changes, dry.changes, "both print the same report");
    assert_eq!((real.changed, real.unchanged), (3, 1));
    assert_eq!(office.roles("7"), [Role::Mediator]);
    let again = office.renamed(&table, Mode::DryRun);
    assert_eq!((again.changes.len(), again.unchanged), (0, 4));
}

#[test]
fn dry_run_covers_units_and_areas() {
    let office = Office::new();
    let before = office.lines();
    let units = "external_id,kind,name,area\nteam-1,team,武林好邻居,330105013004\n\
        fire,department,消防,330105013000\n";
    let dry = office.units(units, Mode::DryRun);
    assert_eq!(
        office.said(&dry, Lang::En),
        [
            "changed: team-1 武林好邻居: renamed (was “武林大妈”); \
             moved from Zhongbei 330105013003 to Huanbei 330105013004",
            "new: fire 消防: Wulin 330105013000",
        ]
    );
    let areas = "code,level,parent,name,name_en,successors\n\
        330105013003,village,330105013000,中北新社区,Zhongbei,\n\
        330105013004,village,330105013000,环北社区,Huanbei,330105013003\n";
    let dry = office.areas(areas, Mode::DryRun, NOW);
    let said = office.said(&dry, Lang::En);
    assert_eq!(
        said,
        [
            "changed: 330105013003 中北新社区: renamed (was “中北社区”)",
            "changed: 330105013004 环北社区: dissolved, taken over by Zhongbei 330105013003",
        ]
    );
    assert_eq!(office.lines(), before);
    let real = office.areas(areas, Mode::Rest, NOW);
    assert_eq!(real.changes, dry.changes);
    assert!(office.lines() > before);
}

/// A typo in one role took this role away.
#[test]
fn bad_row_takes_no_role_away() {
    let office = Office::new();
    let typo = PEOPLE.replace("station_head", "station_haed");
    let outcome = office.people(&format!("{HEADER}{typo}11,戊,handler,,gas\n"), Mode::Rest);
    assert_eq!(outcome.bad.len(), 1);
    let bad = &outcome.bad[0];
    assert_eq!((bad.line(), bad.code), (Some(3), "import.unknown_role"));
    assert_eq!(
        (&*bad.value, bad.column.as_deref()),
        ("station_haed", Some("role"))
    );
    assert_eq!(outcome.held_back, ["7"]);
    assert_eq!(office.roles("7"), [Role::Mediator, Role::StationHead]);
    assert_eq!(office.roles("11"), [Role::Handler], "others are imported");
    assert_eq!((outcome.changed, outcome.unchanged), (1, 2));
}

/// A column with a misspelt heading is missing for everybody.
#[test]
fn file_with_a_gap_takes_no_role_away() {
    let office = Office::new();
    let rows = "7,民警甲,mediator,330105013003,\n8,阿姨乙,volunteer,330105013003,team-1\n\
        12,己,mediator,330105013004,\n,庚,mediator,330105013004,\n";
    let outcome = office.people(&format!("{HEADER}{rows}"), Mode::Rest);
    let codes: Vec<_> = outcome.bad.iter().map(|bad| bad.code).collect();
    assert_eq!(codes, ["import.would_take_roles", "import.no_external_id"]);
    assert_eq!(outcome.bad[0].line(), Some(2));
    assert_eq!(office.roles("7"), [Role::Mediator, Role::StationHead]);
    assert_eq!(
        office.roles("12"),
        [Role::Mediator],
        "new people lose nothing"
    );
    let whole = rows.replace(",庚,", "13,庚,");
    office.people(&format!("{HEADER}{whole}"), Mode::Rest);
    assert_eq!(office.roles("7"), [Role::Mediator], "a whole file counts");
}

/// An office keeps its list in a workbook: a title, numbers, and a name over several rows.
#[test]
fn workbook_reads_like_the_table() {
    let office = Office::new();
    let mut book = Workbook::new();
    let plain = rust_xlsxwriter::Format::new();
    let sheet = book.add_worksheet();
    sheet
        .merge_range(0, 0, 0, 4, "武林街道人员名单", &plain)
        .unwrap();
    for (column, heading) in ["编号", "姓名", "角色", "区域代码", "单位编号"]
        .iter()
        .enumerate()
    {
        sheet
            .write(1, u16::try_from(column).unwrap(), *heading)
            .unwrap();
    }
    sheet.merge_range(2, 0, 3, 0, "", &plain).unwrap();
    sheet.write(2, 0, 7).unwrap();
    sheet.merge_range(2, 1, 3, 1, "民警甲", &plain).unwrap();
    sheet.write(2, 2, "调解员").unwrap();
    sheet.write(2, 3, 330_105_013_003_i64).unwrap();
    sheet.write(3, 2, "站长").unwrap();
    sheet.write(3, 3, 330_105_013_003_i64).unwrap();
    sheet.write(4, 0, 14).unwrap();
    sheet.write(4, 1, "辛").unwrap();
    sheet.write(4, 2, "处置人员").unwrap();
    sheet
        .write(4, 4, rust_xlsxwriter::Formula::new("=\"gas\""))
        .unwrap();
    sheet.write(5, 0, 15).unwrap();
    sheet.write(5, 1, "壬").unwrap();
    sheet.write(5, 2, "处置人员").unwrap();
    sheet.write(5, 4, "gas").unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let outcome = office.people_of("人员.xlsx", &bytes, Mode::Rest);
    assert_eq!((outcome.changed, outcome.unchanged), (1, 1));
    let bad = &outcome.bad[0];
    assert_eq!((bad.line(), bad.code), (Some(5), "import.formula_cell"));
    assert_eq!(bad.column.as_deref(), Some("单位编号"));
    assert_eq!(outcome.held_back, ["14"]);
    assert_eq!(office.roles("15"), [Role::Handler]);
}

#[test]
fn import_leaves_a_person_switched_off() {
    let office = Office::new();
    let member = office.id("8");
    office.server.disable_member(member, "zhang", NOW).unwrap();
    let outcome = office.renamed(&format!("{HEADER}{CHANGED}"), Mode::Rest);
    let said = office.said(&outcome, Lang::En);
    assert!(
        said[1].ends_with("; is switched off and stays so"),
        "{said:?}"
    );
    let row = office.server.store().read(|tx| tx.member(member)).unwrap();
    let row = row.unwrap();
    assert_eq!(row.public_name.as_deref(), Some("阿姨乙二"));
    assert_eq!(row.disabled_ms, Some(NOW));
}

#[test]
fn ids_of_the_office_are_noted_for_people_and_units() {
    let office = Office::new();
    let ids = office.server.store().read(|tx| {
        let person = tx.external_id(office.id("7").0)?;
        Ok::<_, crate::store::StoreError>((person, tx.external_id(unit_id("gas").0)?))
    });
    let ids = ids.unwrap();
    assert_eq!(
        (ids.0.as_deref(), ids.1.as_deref()),
        (Some("7"), Some("gas"))
    );
}

#[test]
fn kind_of_a_unit_changes_only_on_demand() {
    let office = Office::new();
    let table = "external_id,kind,name,area\ngas,department,燃气公司,330105013000\n";
    let kind = || known(&office.server).unwrap().units[&unit_id("gas")].kind;
    let refused = office.units(table, Mode::Rest);
    assert_eq!(refused.bad[0].code, "import.kind_differs");
    assert_eq!(kind(), UnitKind::Utility);
    let file = ("units.csv", table.as_bytes());
    let wanted = KindChange::Wanted;
    let done = import_units_with(
        &office.server,
        file,
        wanted,
        order(Mode::Rest),
        &mut |_, _| {},
    )
    .unwrap();
    let said = office.said(&done, Lang::En);
    assert_eq!(
        said,
        ["changed: gas 燃气公司: kind changed from utility to department"]
    );
    assert_eq!(kind(), UnitKind::Department);
}

#[test]
fn lists_of_people_are_filtered() {
    use crate::admin::people::{self, Filter};

    let office = Office::new();
    let directory = known(&office.server).unwrap();
    let area = |code: &str| Some(directory.areas.by_code(code.parse().unwrap()).unwrap().id());
    let ids = |filter: &Filter| -> Vec<String> {
        let found = people::find(&office.server, filter).unwrap();
        found.people.iter().map(people::Person::shown_id).collect()
    };
    assert_eq!(ids(&Filter::default()), ["7", "8", "9"]);
    let grid = Filter {
        area: area("330105013003001"),
        ..Filter::default()
    };
    assert_eq!(ids(&grid), ["9"]);
    let village = Filter {
        area: area("330105013003"),
        role: Some(Role::Volunteer),
        ..Filter::default()
    };
    assert_eq!(ids(&village), ["8"]);
    let elsewhere = Filter {
        area: area("330105013004"),
        ..Filter::default()
    };
    assert_eq!(ids(&elsewhere), [""; 0]);
    let team = Filter {
        unit: Some(unit_id("team-1")),
        ..Filter::default()
    };
    assert_eq!(ids(&team), ["8"]);
    let named = Filter {
        text: Some("网格员".to_owned()),
        ..Filter::default()
    };
    assert_eq!(ids(&named), ["9"]);
    office
        .server
        .disable_member(office.id("9"), "zhang", NOW)
        .unwrap();
    let off = |disabled| Filter {
        disabled: Some(disabled),
        ..Filter::default()
    };
    assert_eq!(ids(&off(true)), ["9"]);
    assert_eq!(ids(&off(false)), ["7", "8"]);
}

#[test]
fn grid_role_lies_in_the_area_of_its_village() {
    let office = Office::new();
    let member = office.id("9");
    let row = office.server.store().read(|tx| tx.member(member)).unwrap();
    let row = row.unwrap();
    let Scope::Area(path) = &row.grants[0].scope else {
        panic!("{row:?}");
    };
    assert_eq!(path.village(), Some(row.area));
}

/// A table without the optional column says nothing about English names.
#[test]
fn missing_column_keeps_english_names() {
    let office = Office::new();
    let areas = AREAS.replace(",name_en\n", "\n");
    let areas: Vec<String> = areas
        .lines()
        .map(|line| line.split(',').take(4).collect::<Vec<_>>().join(","))
        .collect();
    let areas = areas.join("\n") + "\n";
    let same = office.areas(&areas, Mode::DryRun, NOW);
    assert_eq!((same.changed, same.unchanged), (0, 5));
    let renamed = office.areas(&areas.replace("中北社区", "新社区"), Mode::DryRun, NOW);
    assert_eq!(
        office.said(&renamed, Lang::En),
        ["changed: 330105013003 新社区: renamed (was “中北社区”)"]
    );
    let named = "external_id,kind,name,name_en,area\ngas,utility,燃气公司,Gas,330105013000\n";
    let outcome = office.units(named, Mode::Rest);
    let said = "changed: gas 燃气公司: English name changed from “燃气公司” to “Gas”";
    assert_eq!(office.said(&outcome, Lang::En), [said]);
    let plain = "external_id,kind,name,area\ngas,utility,燃气公司,330105013000\n";
    let outcome = office.units(plain, Mode::Rest);
    assert_eq!((outcome.changed, outcome.unchanged), (0, 1));
    // A column with an empty cell takes the name away.
    let emptied = named.replace("Gas", "");
    let outcome = office.units(&emptied, Mode::Rest);
    assert_eq!(outcome.changed, 1);
}

/// Two colleagues work at the same time. The import writes a person only as its report said.
#[test]
fn change_of_a_colleague_meanwhile_stays() {
    use crate::limits::SLICE_ROWS_MAX;

    let office = Office::new();
    let mut table = HEADER.to_owned();
    for n in 0..=SLICE_ROWS_MAX {
        table.extend(["x", &n.to_string(), ",人员,handler,,gas\n"]);
    }
    table.push_str(&CHANGED.replace("阿姨乙二", "阿姨乙"));
    let member = office.id("7");
    let mut is_first = true;
    let mut meanwhile = |_: usize, _: usize| {
        if std::mem::take(&mut is_first) {
            let alter = |described: &mut MemberDescription| {
                described.grants.remove(1);
                Ok(())
            };
            let later = NOW + 1;
            let done = office.server.change_member(member, "li", later, alter);
            assert!(done.unwrap());
        }
    };
    let bytes = table.as_bytes();
    let order = order(Mode::Rest);
    let done = import_members(&office.server, "members.csv", bytes, order, &mut meanwhile);
    let outcome = done.unwrap();
    let row = office.server.store().read(|tx| tx.member(member)).unwrap();
    let row = row.unwrap();
    assert_eq!(row.grants.len(), 1, "the colleague took one");
    let areas = known(&office.server).unwrap().areas;
    let village = areas.by_code("330105013003".parse().unwrap()).unwrap().id();
    assert_eq!(row.area, village, "the import would have moved the person");
    let bad: Vec<_> = outcome.bad.iter().map(|bad| bad.code).collect();
    assert_eq!(bad, ["import.changed_meanwhile"]);
    assert_eq!(outcome.held_back, ["7"]);
    assert_eq!(
        outcome.changed,
        SLICE_ROWS_MAX + 2,
        "the others are imported"
    );
    assert!(
        !office
            .said(&outcome, Lang::En)
            .iter()
            .any(|line| line.contains("民警甲"))
    );
    assert_eq!(office.roles("10"), [Role::Handler]);
}

/// The lines of the audit log are in the order of their times.
#[test]
fn lines_of_a_long_import_follow_the_clock() {
    use crate::limits::SLICE_ROWS_MAX;

    let office = Office::new();
    let mut table = HEADER.to_owned();
    for n in 0..=SLICE_ROWS_MAX {
        table.extend(["x", &n.to_string(), ",人员,handler,,gas\n"]);
    }
    let mut is_first = true;
    let mut wait = |_: usize, _: usize| {
        if std::mem::take(&mut is_first) {
            let begun = std::time::Instant::now();
            while begun.elapsed().as_millis() < 20 {
                std::hint::spin_loop();
            }
        }
    };
    let order = order(Mode::Rest);
    import_members(&office.server, "m.csv", table.as_bytes(), order, &mut wait).unwrap();
    let last = office.server.store().read(|tx| tx.audit_last()).unwrap();
    assert!(last.unwrap().at_ms >= NOW + 20);
}

/// Offices use ids again, and type the wrong one. The phone of one person must not become another's.
#[test]
fn other_name_over_a_stored_id_is_held_back() {
    let office = Office::new();
    let row = "8,李二二,mediator,330105013004,\n9,网格员丙,mediator,330105013003,\n";
    let table = format!("{HEADER}{row}");
    let outcome = office.people(&table, Mode::Rest);
    let bad: Vec<_> = outcome
        .bad
        .iter()
        .map(|bad| (bad.line(), bad.code))
        .collect();
    assert_eq!(bad, [(Some(2), "import.name_differs")]);
    assert_eq!(&*outcome.bad[0].value, "8");
    assert_eq!(outcome.held_back, ["8"]);
    assert_eq!(office.roles("8"), [Role::Volunteer, Role::Volunteer]);
    assert_eq!(office.roles("9"), [Role::Mediator], "others are imported");
    let outcome = office.renamed(&table, Mode::Rest);
    assert_eq!((outcome.changed, outcome.bad.len()), (1, 0));
    assert_eq!(office.roles("8"), [Role::Mediator]);
}
