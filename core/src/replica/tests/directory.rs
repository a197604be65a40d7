//! The directory by need: areas, units, people, categories, and the grid of a position.

use super::server::Server;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::area::{AreaLevel, AreaVersion};
use crate::domain::areas::AreaEntry;
use crate::domain::areas::test_support::square;
use crate::domain::category::Category;
use crate::domain::content::Field;
use crate::domain::directory::{DirectoryEntry, MemberName};
use crate::domain::names::Names;
use crate::domain::unit::{Unit, UnitKind};

pub(super) fn names(zh: &str, en: &str) -> Names {
    Names::new(zh, Some(en)).unwrap()
}

fn area_entry(n: u8, level: AreaLevel, parent: Option<u8>, code: &str) -> AreaEntry {
    AreaEntry {
        id: area(n),
        level,
        parent: parent.map(area),
        version: AreaVersion {
            code: code.parse().unwrap(),
            names: names(&format!("区域{n}"), &format!("Area {n}")),
            boundary: None,
            valid_from_ms: 0,
            valid_to_ms: None,
        },
        successors: Vec::new(),
    }
}

fn grid(n: u8, lat_e7: i32, lon_e7: i32) -> AreaEntry {
    let code = format!("330105013051{n:03}");
    let mut entry = area_entry(n, AreaLevel::Grid, Some(3), &code);
    entry.version.boundary = Some(square(lat_e7, lon_e7, 10_000));
    entry
}

/// A district, two towns, a village, and three grids of about 100 m in a row, the last far away.
pub(super) fn publish_areas(server: &mut Server<'_>) {
    let entries = [
        area_entry(1, AreaLevel::District, None, "330105000000"),
        area_entry(8, AreaLevel::Town, Some(1), "330105014000"),
        area_entry(2, AreaLevel::Town, Some(1), "330105013000"),
        area_entry(3, AreaLevel::Village, Some(2), "330105013051"),
        grid(4, 302_700_000, 1_201_600_000),
        grid(5, 302_700_000, 1_201_610_000),
        grid(6, 310_000_000, 1_220_000_000),
    ];
    for entry in entries {
        server.publish(&DirectoryEntry::Area(entry));
    }
}

pub(super) fn publish_unit(server: &mut Server<'_>, id: UnitId, zh: &str, en: &str, of: u8) {
    server.publish(&DirectoryEntry::Unit(Unit {
        id,
        names: names(zh, en),
        kind: UnitKind::Utility,
        area: area(of),
        dissolved_at_ms: None,
    }));
}

pub(super) fn publish_person(server: &mut Server<'_>, person: Person, name: Option<&str>) {
    server.publish(&DirectoryEntry::MemberName(MemberName {
        member: person.member(),
        public_name: name.map(str::to_owned),
        area: area(3),
    }));
}

fn fix(lat: f64, lon: f64, accuracy_m: Option<u32>) -> Position {
    Position::from_degrees(lat, lon, Datum::Wgs84, accuracy_m, 0).unwrap()
}

#[test]
fn areas_are_read_level_by_level_as_in_force() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    let mut renamed = area_entry(2, AreaLevel::Town, Some(1), "330105013000");
    renamed.version.valid_from_ms = NOW;
    renamed.version.names = names("新街道", "New town");
    server.publish(&DirectoryEntry::Area(renamed));
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let replica = phone.replica();
    let below = |parent: Option<u8>, now_ms| -> Vec<String> {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let parent = parent.map(area);
            let page = replica.areas(parent, now_ms, after.as_ref(), 1).unwrap();
            seen.extend(page.items.into_iter().map(|one| one.zh));
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    };
    assert_eq!(below(None, NOW), ["区域1"]);
    assert_eq!(below(Some(1), NOW - 1), ["区域2", "区域8"], "by code");
    assert_eq!(below(Some(1), NOW), ["新街道", "区域8"]);
    assert_eq!(below(Some(3), NOW), ["区域4", "区域5", "区域6"]);
    assert_eq!(replica.area_path(area(4)).unwrap(), Some(home()));
    assert_eq!(replica.area_path(area(77)).unwrap(), None);
    let path: Vec<String> = replica
        .area_path_names(&home())
        .unwrap()
        .into_iter()
        .map(|(_, _, en)| en)
        .collect();
    assert_eq!(path, ["Area 1", "New town", "Area 3", "Area 4"]);
    assert_eq!(replica.area(area(2), NOW).unwrap().unwrap().zh, "新街道");
}

#[test]
fn units_and_people_are_found_by_name_and_area() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    publish_unit(&mut server, GAS, "燃气公司", "Gas company", 2);
    publish_unit(&mut server, TEAM, "武林义警队", "Wulin team", 3);
    publish_unit(
        &mut server,
        UnitId([0x73; 16]),
        "朝鸣消防站",
        "Fire station",
        8,
    );
    for n in 0..5 {
        let person = VOLUNTEER_WANG.like(100 + n);
        publish_person(&mut server, person, Some(&format!("张三{n}")));
    }
    publish_person(&mut server, VOLUNTEER_ZHAO.like(130), Some("李四"));
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let replica = phone.replica();
    let units = |typed: &str, of: Option<u8>| -> Vec<UnitId> {
        let page = replica.units(typed, of.map(area), NOW, None, 9).unwrap();
        page.items.into_iter().map(|one| one.id).collect()
    };
    assert_eq!(units("燃气", None), [GAS]);
    assert_eq!(units("gas", None), [GAS]);
    assert_eq!(
        units("", Some(2)),
        [TEAM, GAS],
        "of the town and its village"
    );
    assert_eq!(units("", Some(3)), [TEAM]);
    assert_eq!(units("。", None), []);
    assert_eq!(replica.unit_name(GAS).unwrap().unwrap().1, "Gas company");
    let mut people = Vec::new();
    let mut after = None;
    loop {
        let page = replica.people("张三", after.as_ref(), 2).unwrap();
        people.extend(page.items.into_iter().map(|one| one.zh));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(people, ["张三0", "张三1", "张三2", "张三3", "张三4"]);
    let token = replica.people("张三", None, 2).unwrap().next.unwrap();
    let other = replica.people("李", Some(&token), 2).unwrap_err();
    assert_eq!(other.code(), "list.bad_token");
    assert_eq!(
        replica
            .member_name(VOLUNTEER_ZHAO.like(130).member())
            .unwrap()
            .unwrap()
            .0,
        "李四"
    );
}

#[test]
fn renamed_and_withdrawn_names_are_found_no_more() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    publish_unit(&mut server, GAS, "燃气公司", "Gas company", 2);
    publish_person(&mut server, VOLUNTEER_ZHAO.like(130), Some("李四"));
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);

    publish_person(&mut server, VOLUNTEER_ZHAO.like(130), None);
    publish_unit(&mut server, GAS, "新奥燃气", "ENN", 2);
    server.sync(&mut phone);
    let replica = phone.replica();
    assert!(replica.people("李四", None, 2).unwrap().items.is_empty());
    assert_eq!(
        replica
            .member_name(VOLUNTEER_ZHAO.like(130).member())
            .unwrap(),
        None
    );
    assert!(
        replica
            .units("公司", None, NOW, None, 9)
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(
        replica
            .units("新奥", None, NOW, None, 9)
            .unwrap()
            .items
            .len(),
        1
    );
}

#[test]
fn position_finds_its_grid_or_asks() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let replica = phone.replica();
    let first = home();
    let second = home().with_grid(area(5)).unwrap();
    let exact = replica
        .locate(&fix(30.2705, 120.1605, Some(8)), NOW)
        .unwrap();
    assert_eq!(exact.grid, Some(first));
    assert!(!exact.needs_confirmation && exact.candidates.is_empty());

    let vague = replica
        .locate(&fix(30.2705, 120.1605, Some(60)), NOW)
        .unwrap();
    assert_eq!(vague.grid, Some(first));
    assert!(vague.needs_confirmation);
    let found: Vec<AreaPath> = vague.candidates.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, [first, second], "nearest first");
    assert!((vague.candidates[1].1 - 48.0).abs() < 1.0);
    let unknown = replica.locate(&fix(30.2705, 120.1605, None), NOW).unwrap();
    assert!(unknown.needs_confirmation && unknown.candidates.len() == 2);

    let beside = replica
        .locate(&fix(30.2713, 120.1605, Some(8)), NOW)
        .unwrap();
    assert_eq!(beside.grid, None);
    assert!(beside.needs_confirmation);
    assert_eq!(beside.candidates[0].0, first);
    let nowhere = replica.locate(&fix(10.0, 10.0, Some(8)), NOW).unwrap();
    assert!(nowhere.needs_confirmation && nowhere.candidates.is_empty());
}

/// The boundary of a distant grid is no CBOR any more, and no code reads it.
#[test]
fn locating_reads_no_boundary_that_is_far_away() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let replica = phone.replica();
    let spoil = "UPDATE directory SET bytes = x'ff' WHERE kind = 1 AND zh = '区域6'";
    replica.conn().unwrap().execute_batch(spoil).unwrap();
    let here = fix(30.2705, 120.1605, None);
    assert!(replica.locate(&here, NOW).unwrap().grid.is_some());
    assert!(replica.locate(&fix(31.0005, 122.0005, None), NOW).is_err());
}

#[test]
fn dissolved_grid_is_found_no_more() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    let mut ended = grid(4, 302_700_000, 1_201_600_000);
    ended.version.valid_to_ms = Some(NOW);
    server.publish(&DirectoryEntry::Area(ended));
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let here = fix(30.2705, 120.1605, Some(8));
    let at = |now_ms| {
        phone
            .replica
            .as_ref()
            .unwrap()
            .locate(&here, now_ms)
            .unwrap()
            .grid
    };
    assert_eq!(at(NOW - 1), Some(home()));
    assert_eq!(at(NOW), None);
}

#[test]
fn own_categories_are_named_and_searched() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let mut lantern = hazard("着火", "");
    lantern.details_mut().category = Some("lantern".into());
    let record = phone
        .replica()
        .report(&Draft::staff(lantern, home()), NOW)
        .unwrap();
    server.settle(&mut phone);
    let found = |phone: &mut FilePhone, typed: &str| {
        phone.replica().search(typed, None, 9).unwrap().rows.len()
    };
    assert_eq!(found(&mut phone, "孔明灯"), 0);
    for (code, class, zh, en) in [
        ("lantern", Some("festival"), "孔明灯", "sky lantern"),
        ("festival", None, "节庆", "festival"),
    ] {
        server.publish(&DirectoryEntry::Category(Category {
            code: code.parse().unwrap(),
            class: class.map(|class| class.parse().unwrap()),
            names: names(zh, en),
            standard_code: None,
            retired: false,
        }));
    }
    server.sync(&mut phone);
    while phone.replica().rebuild_slice().unwrap() > 0 {}
    assert_eq!(found(&mut phone, "孔明灯"), 1);
    assert_eq!(found(&mut phone, "sky"), 1);
    let all = phone.replica().categories().unwrap();
    let own = all.iter().find(|one| one.code == "lantern").unwrap();
    assert_eq!(
        (own.class.as_deref(), own.zh.as_str()),
        (Some("festival"), "孔明灯")
    );
    assert!(
        all.iter().any(|one| one.code == "gas"),
        "the built-in ones too"
    );

    let mut other = town.phone(GRID_WORKER_LIN);
    server.sync(&mut other);
    let set = |phone: &mut FilePhone, code: &str, now_ms| {
        let edit = FieldEdit::text(Field::Category, code);
        phone.replica().edit(record, &[edit], now_ms).unwrap();
    };
    set(&mut phone, "gas", NOW + 1);
    set(&mut other, "festival", NOW + 1);
    server.settle(&mut phone);
    server.settle(&mut other);
    server.settle(&mut phone);
    let cards = phone.replica().view(record).unwrap().unwrap().conflicts;
    assert!(cards[0].zh.contains("节庆"), "{}", cards[0].zh);
    assert!(cards[0].en.contains("festival"), "{}", cards[0].en);
}

#[test]
fn own_grants_are_told_in_words() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    publish_unit(&mut server, GAS, "燃气公司", "Gas company", 2);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let mut gas = town.phone(HANDLER_LU);
    server.sync(&mut worker);
    server.sync(&mut gas);
    let grants = worker.replica().own_grants().unwrap();
    assert_eq!(grants[0].zh, "专职网格员（区域1 › 区域2 › 区域3 › 区域4）");
    let grants = gas.replica().own_grants().unwrap();
    assert_eq!(grants[0].en, "handler (Gas company)");
}

#[test]
fn every_role_has_a_name() {
    for role in Role::ALL {
        for lang in crate::texts::Lang::ALL {
            let name = crate::replica::projection::names::role(*role, lang);
            assert!(!name.is_empty(), "{role}");
        }
    }
}

/// A request holds a limited number of revocations, so the newest go first.
#[test]
fn newest_revocations_are_given_back_first() {
    use crate::domain::directory::Revocation;
    use crate::sync::port::StarPort;
    use crate::wire::signed_entry::SignedEntry;

    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut devices = [66, 67, 68].map(|n| SecretKey::from_seed(&[n; 32]).public().device());
    devices.sort_unstable();
    for (device, revoked_at_ms) in devices.into_iter().zip(NOW..) {
        let revoked = Revocation {
            device,
            revoked_at_ms,
        };
        server.publish(&DirectoryEntry::Revocation(revoked));
    }
    let mut phone = town.phone(GRID_WORKER_CHEN);
    server.sync(&mut phone);
    let told = StarPort::revocations(&*phone.replica()).unwrap();
    let at: Vec<i64> = told
        .iter()
        .map(|bytes| {
            let signed = SignedEntry::from_bytes(bytes).unwrap();
            match signed.verify(&town.anchors).unwrap() {
                DirectoryEntry::Revocation(revoked) => revoked.revoked_at_ms,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(at, [NOW + 2, NOW + 1, NOW]);
}
