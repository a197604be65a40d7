#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::domain::areas::test_support::{area, small_district};
use crate::domain::form::{Template, shipped};
use crate::domain::names::Names;
use crate::domain::unit::UnitKind;
use crate::domain::zone::ZoneVersion;
use crate::id::ZoneId;

const VILLAGE: &str = "330105013051";

fn unit(area: AreaId) -> Unit {
    Unit {
        id: UnitId([2; 16]),
        names: Names::new("燃气公司", Some("Gas company")).unwrap(),
        kind: UnitKind::Utility,
        area,
        dissolved_at_ms: None,
    }
}

fn member_name(public_name: Option<&str>) -> MemberName {
    MemberName {
        member: MemberId([4; 16]),
        public_name: public_name.map(str::to_owned),
        area: area(VILLAGE),
    }
}

fn revocation(revoked_at_ms: i64) -> DirectoryEntry {
    DirectoryEntry::Revocation(Revocation {
        device: DeviceId([3; 16]),
        revoked_at_ms,
    })
}

fn template_json(format: u32, id: &str, version: u32, title: &str) -> String {
    let head = format!(
        r#"{{"format":{format},"id":"{id}","version":{version},"title":{{"zh":"{title}"}}"#
    );
    head + r#","items":[{"type":"text","id":"a","label":{"zh":"问"}}]}"#
}

fn template(version: u32, title: &str) -> TemplateEntry {
    let json = template_json(1, "sample", version, title);
    Template::parse(json.as_bytes()).unwrap().into()
}

fn newer_template() -> TemplateEntry {
    TemplateEntry::Newer {
        id: "sample".parse().unwrap(),
        version: 3,
        bytes: template_json(2, "sample", 3, "新").into_bytes(),
    }
}

fn one_of_each() -> Vec<DirectoryEntry> {
    let mut all: Vec<DirectoryEntry> = small_district()
        .entries()
        .map(DirectoryEntry::Area)
        .collect();
    all.push(DirectoryEntry::Zone(ZoneEntry {
        id: ZoneId([7; 16]),
        names: Names::new("中片区", None).unwrap(),
        version: ZoneVersion {
            areas: [area(VILLAGE)].into(),
            valid_from_ms: 0,
            valid_to_ms: None,
        },
    }));
    all.push(DirectoryEntry::Unit(unit(area(VILLAGE))));
    all.extend(
        Categories::built_in()
            .iter()
            .cloned()
            .map(DirectoryEntry::Category),
    );
    all.push(revocation(100));
    all.push(DirectoryEntry::MemberName(member_name(Some("志愿者甲"))));
    all.push(DirectoryEntry::Access(Access {
        member: MemberId([4; 16]),
        at_ms: 5,
        lost: vec![StreamId::AreaStaff(area(VILLAGE))],
        gained: Vec::new(),
    }));
    all.push(DirectoryEntry::Template(template(2, "样表")));
    all.push(DirectoryEntry::Template(newer_template()));
    all.push(DirectoryEntry::Unknown {
        code: 900,
        payload: vec![1, 2, 3],
    });
    all
}

#[test]
fn every_entry_survives_its_bytes_and_applies() {
    let mut directory = Directory::default();
    for entry in one_of_each() {
        let bytes = minicbor::to_vec(&entry).unwrap();
        let read: DirectoryEntry = minicbor::decode(&bytes).unwrap();
        assert_eq!(read, entry);
        assert_eq!(minicbor::to_vec(&read).unwrap(), bytes);
        directory.apply(read).unwrap();
    }
    assert_eq!(directory.areas, small_district());
    assert_eq!(directory.categories, Categories::built_in());
    assert_eq!(directory.units.len(), 1);
    assert_eq!(directory.zones.iter().count(), 1);
    assert_eq!(directory.member_names.len(), 1);
}

#[test]
fn entries_in_any_order_make_the_same_directory_and_what_fits_nowhere_is_counted() {
    let mut entries = one_of_each();
    let (forward, left) = Directory::of(entries.clone());
    assert_eq!(left, 0);
    entries.reverse();
    entries.push(DirectoryEntry::Unit(unit(AreaId([9; 16]))));
    assert_eq!(Directory::of(entries), (forward, 1));
}

#[test]
fn the_later_of_two_entries_holds_though_only_the_earlier_had_to_wait_for_an_area() {
    let mut areas: Vec<_> = small_district().entries().collect();
    let last = areas.pop().unwrap();
    let zone = |name, place| {
        DirectoryEntry::Zone(ZoneEntry {
            id: ZoneId([7; 16]),
            names: Names::new(name, None).unwrap(),
            version: ZoneVersion {
                areas: [place].into(),
                valid_from_ms: 0,
                valid_to_ms: None,
            },
        })
    };
    let zones = [zone("旧名", last.id), zone("新名", areas[0].id)];
    let areas = areas.into_iter().map(DirectoryEntry::Area);
    let entries = areas.chain(zones).chain([DirectoryEntry::Area(last)]);
    let (directory, left) = Directory::of(entries.collect());
    assert_eq!(left, 0);
    let known = directory.zones.get(ZoneId([7; 16])).unwrap();
    assert_eq!(known.names, Names::new("新名", None).unwrap());
}

#[test]
fn codes_on_the_wire_never_change() {
    let mut codes: Vec<u16> = one_of_each().iter().map(DirectoryEntry::code).collect();
    codes.dedup();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 8, 9, 900]);
    // [5, h'82 50 03… 18 64']: the layout of a revocation, byte by byte.
    let mut expected = vec![0x82, 0x05, 0x54, 0x82, 0x50];
    expected.extend([3; 16]);
    expected.extend([0x18, 0x64]);
    assert_eq!(minicbor::to_vec(revocation(100)).unwrap(), expected);
}

#[test]
fn cut_or_padded_entries_are_refused_without_a_panic() {
    for entry in one_of_each() {
        let bytes = minicbor::to_vec(&entry).unwrap();
        for end in 0..bytes.len() {
            assert!(
                minicbor::decode::<DirectoryEntry>(&bytes[..end]).is_err(),
                "cut at {end}"
            );
        }
        if let DirectoryEntry::Unknown { .. } = entry {
            continue;
        }
        let mut payload = entry.payload();
        payload.push(0);
        assert!(
            DirectoryEntry::from_parts(entry.code(), &payload).is_err(),
            "padded"
        );
    }
    let long = DirectoryEntry::Unknown {
        code: 900,
        payload: vec![0; DIRECTORY_ENTRY_BYTES_MAX + 1],
    };
    assert!(minicbor::decode::<DirectoryEntry>(&minicbor::to_vec(long).unwrap()).is_err());
}

#[test]
fn flipped_bits_never_panic() {
    let mut decoded = 0;
    for entry in one_of_each() {
        let bytes = minicbor::to_vec(&entry).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = minicbor::decode::<DirectoryEntry>(&flipped) {
                // Bytes that still decode may be refused, but must not panic.
                let _ = Directory::default().apply(read);
                decoded += 1;
            }
        }
    }
    assert!(decoded > 0, "the flipped bits reach what is decoded");
}

#[test]
fn a_device_stays_revoked_from_the_earliest_instant() {
    let mut directory = Directory::default();
    for at_ms in [200, 100, 300] {
        directory.apply(revocation(at_ms)).unwrap();
    }
    assert_eq!(directory.revoked[&DeviceId([3; 16])], 100);
}

#[test]
fn a_withdrawn_name_is_gone() {
    let mut directory = Directory {
        areas: small_district(),
        ..Directory::default()
    };
    for name in [Some("志愿者甲"), Some("志愿者乙"), None] {
        directory
            .apply(DirectoryEntry::MemberName(member_name(name)))
            .unwrap();
        let known = directory.member_names.get(&MemberId([4; 16]));
        assert_eq!(known.and_then(|known| known.public_name.as_deref()), name);
    }
}

#[test]
fn a_unit_in_no_area_is_refused() {
    let mut directory = Directory {
        areas: small_district(),
        ..Directory::default()
    };
    let error = directory
        .apply(DirectoryEntry::Unit(unit(AreaId([9; 16]))))
        .unwrap_err();
    assert_eq!(error.code(), "directory.unknown_area");
    assert!(directory.units.is_empty());
}

#[test]
fn kinds_of_units_have_stable_numbers_and_keep_unknown_ones() {
    for word in UnitKind::words() {
        let kind: UnitKind = word.parse().unwrap();
        assert_eq!(UnitKind::from_code(kind.code()), kind);
        assert_eq!(kind.to_string(), word);
    }
    let team: UnitKind = "team".parse().unwrap();
    assert_eq!(team.code(), 7);
    assert_eq!(UnitKind::from_code(700), UnitKind::Unknown(700));
    assert_eq!(UnitKind::Unknown(700).code(), 700);
    assert!("gang".parse::<UnitKind>().is_err());
}

#[test]
fn every_code_has_a_sentence_in_both_languages() {
    use crate::texts::{Lang, text};
    let sources = [
        include_str!("area.rs"),
        include_str!("zone.rs"),
        include_str!("polygon.rs"),
        include_str!("geometry.rs"),
        include_str!("position.rs"),
        include_str!("category.rs"),
        include_str!("names.rs"),
        include_str!("directory.rs"),
    ];
    let heads = sources
        .iter()
        .flat_map(|source| source.split("#[error(\"").skip(1));
    let codes: Vec<&str> = heads
        .filter_map(|head| head.split([':', '"', ' ']).next())
        .filter(|word| word.contains('.'))
        .collect();
    assert!(codes.len() > 30, "the scan finds the codes: {codes:?}");
    for code in codes {
        assert!(
            Lang::ALL.iter().all(|lang| text(code, *lang).is_some()),
            "{code} has no sentence"
        );
    }
}

#[test]
fn changed_content_of_template_version_is_refused() {
    let mut directory = Directory::default();
    let known = template(2, "样表");
    let apply = |directory: &mut Directory, entry: TemplateEntry| {
        directory.apply(DirectoryEntry::Template(entry))
    };
    apply(&mut directory, known.clone()).unwrap();
    apply(&mut directory, known.clone()).unwrap();
    let refused = apply(&mut directory, template(2, "另一张表")).unwrap_err();
    assert_eq!(refused.code(), "directory.template_changed");
    let id = "sample".parse().unwrap();
    assert_eq!(directory.templates.get(&id, 2), Some(known));
    apply(&mut directory, template(3, "另一张表")).unwrap();
    assert_eq!(directory.templates.published().count(), 2);

    let ours = shipped().remove(0);
    let json = template_json(1, ours.id().as_str(), ours.version(), "别的");
    let other = Template::parse(json.as_bytes()).unwrap();
    let known = |directory: &Directory| {
        let entry = directory.templates.get(ours.id(), ours.version());
        entry.unwrap().template().unwrap().as_ref().clone()
    };
    assert_eq!(known(&directory), ours, "without an entry");
    apply(&mut directory, other.clone().into()).unwrap();
    assert_eq!(known(&directory), other, "the signed entry wins");
    assert!(apply(&mut directory, ours.clone().into()).is_err());
    let all = directory.templates.all().into_iter();
    let named = all.filter(|entry| entry.id() == ours.id());
    assert_eq!(named.collect::<Vec<_>>(), [other.into()]);
}

#[test]
fn wrong_template_in_an_entry_is_refused() {
    let canonical = template_json(1, "sample", 2, "样表");
    let read = |id: &str, version: u32, json: &str| {
        let mut payload = Vec::new();
        let mut e = minicbor::Encoder::new(&mut payload);
        e.array(3).unwrap().str(id).unwrap().u32(version).unwrap();
        e.bytes(json.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let mut e = minicbor::Encoder::new(&mut bytes);
        e.array(2).unwrap().u16(9).unwrap().bytes(&payload).unwrap();
        minicbor::decode::<DirectoryEntry>(&bytes)
    };
    assert!(read("sample", 2, &canonical).is_ok());
    let newer = template_json(2, "sample", 2, "样表");
    assert!(read("sample", 2, &newer).is_ok(), "kept for a newer app");
    for (id, version, json) in [
        ("other", 2, canonical.as_str()),
        ("sample", 3, canonical.as_str()),
        ("Sample", 2, canonical.as_str()),
        ("sample", 0, newer.as_str()),
        (
            "sample",
            2,
            &canonical.replace("{\"format\"", "{ \"format\""),
        ),
        ("sample", 2, "{}"),
        ("sample", 2, &" ".repeat(crate::limits::FORM_BYTES_MAX + 1)),
    ] {
        assert!(read(id, version, json).is_err(), "{id} {version}");
    }
}
