//! One call opens a replica in any state of its files, and reports how.

use std::collections::BTreeMap;
use std::fs;

use super::file::{damage, second};
use super::*;
use crate::replica::{open, rescue};

fn filled() -> FilePhone {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    for n in 0..3 {
        let draft = draft(&format!("隐患 {n}"));
        phone.replica().report(&draft, NOW + n).unwrap();
    }
    phone.close();
    phone
}

fn found(phone: &mut FilePhone) -> Result<(Replica, WayBack), ReplicaError> {
    let options = phone.options();
    Replica::open_or_recover(options, NOW)
}

fn with_key(phone: &mut FilePhone, n: u8) -> Result<WayBack, &'static str> {
    let mut options = phone.options();
    options.file_key = FileKey::new([n; 32]);
    let found = Replica::open_or_recover(options, NOW);
    found.map(|(_, way)| way).map_err(|error| error.code())
}

/// Name and bytes of every file, except the lock.
fn files(phone: &FilePhone) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(phone.database.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|ending| ending != "lock"))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn well_file_is_opened() {
    let mut phone = filled();
    let (replica, way) = found(&mut phone).unwrap();
    assert_eq!(way, WayBack::Opened);
    assert_eq!(replica.undelivered().unwrap(), 3);
    assert!(replica.notices().unwrap().is_empty());
}

#[test]
fn nothing_at_all_gives_a_fresh_replica() {
    let mut phone = filled();
    for path in files(&phone).into_keys() {
        fs::remove_file(path).unwrap();
    }
    let (replica, way) = found(&mut phone).unwrap();
    assert_eq!(way, WayBack::Fresh { lost: true });
    assert!(replica.own_member().is_none());
    drop(replica);
    let mut new = FilePhone::new(VOLUNTEER_ZHAO);
    new.close();
    for path in files(&new).into_keys() {
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(new.marker()).unwrap();
    assert_eq!(found(&mut new).unwrap().1, WayBack::Fresh { lost: false });
}

#[test]
fn lost_or_empty_file_comes_from_the_second() {
    for empty in [false, true] {
        let mut phone = filled();
        let copy = fs::read(second(&phone)).unwrap();
        fs::remove_file(phone.path()).unwrap();
        if empty {
            fs::write(phone.path(), b"").unwrap();
        }
        let (mut replica, way) = found(&mut phone).unwrap();
        let WayBack::FromSecondFile(rescue) = way else {
            panic!("{way:?}");
        };
        assert_eq!(replica.undelivered().unwrap(), 3);
        assert!(replica.own_member().is_some(), "enrolled as before");
        assert_eq!(replica.notices().unwrap()[0].code, "replica.rescued");
        replica.report(&draft("之后"), NOW).unwrap();
        let aside = crate::replica::site::with_suffix(&rescue.set_aside, ".outbox");
        assert_eq!(fs::read(aside).unwrap(), copy);
        replica.close().unwrap();
        assert_eq!(found(&mut phone).unwrap().1, WayBack::Opened);
    }
}

#[test]
fn damaged_file_is_rescued_and_set_aside() {
    let mut phone = filled();
    damage(&phone, 0);
    let evidence = fs::read(phone.path()).unwrap();
    let (replica, way) = found(&mut phone).unwrap();
    let WayBack::Rescued(rescue) = way else {
        panic!("{way:?}");
    };
    assert_eq!(fs::read(rescue.set_aside).unwrap(), evidence);
    assert_eq!(replica.undelivered().unwrap(), 3);
}

#[test]
fn interrupted_rescue_is_finished() {
    let mut phone = filled();
    damage(&phone, 0);
    let site = phone.site();
    rescue::build(&site, NOW).unwrap();
    rescue::declare(&site).unwrap();
    let (replica, way) = found(&mut phone).unwrap();
    let WayBack::Resumed { set_aside } = way else {
        panic!("{way:?}");
    };
    assert!(set_aside.exists());
    assert_eq!(replica.undelivered().unwrap(), 3);
    assert_eq!(replica.notices().unwrap()[0].code, "replica.rescued");
}

#[test]
fn wrong_key_touches_nothing_in_any_state() {
    for marker in [true, false] {
        for state in 0..3 {
            let mut phone = filled();
            match state {
                0 => {}
                1 => damage(&phone, 0),
                _ => fs::remove_file(phone.path()).unwrap(),
            }
            if !marker {
                fs::remove_file(phone.marker()).unwrap();
            }
            let before = files(&phone);
            let what = format!("state {state}, marker {marker}");
            assert_eq!(
                with_key(&mut phone, 0xee),
                Err("replica.wrong_key"),
                "{what}"
            );
            assert_eq!(files(&phone), before, "{what}");
        }
    }
}

#[test]
fn newer_schema_and_second_process_are_refused() {
    let mut phone = filled();
    let conn = open::open_damaged(&phone.path(), &phone.file_key()).unwrap();
    conn.pragma_update(None, "user_version", 9_999).unwrap();
    drop(conn);
    let before = files(&phone);
    let refused = found(&mut phone).unwrap_err();
    assert_eq!(refused.code(), "replica.newer_schema");
    assert_eq!(files(&phone), before);

    let mut phone = filled();
    phone.reopen();
    let refused = found(&mut phone).unwrap_err();
    assert_eq!(refused.code(), "replica.in_use");
}

/// The app is killed between the two moves of the last step of a rescue.
#[test]
fn resumed_rescue_names_the_file_set_aside() {
    let mut phone = filled();
    damage(&phone, 0);
    let site = phone.site();
    rescue::build(&site, NOW).unwrap();
    rescue::declare(&site).unwrap();
    let moved = crate::replica::salvage::set_aside(&site, &site.path).unwrap();
    let (_, way) = found(&mut phone).unwrap();
    let WayBack::Resumed { set_aside } = way else {
        panic!("{way:?}");
    };
    assert_eq!(set_aside, moved);
    assert!(set_aside.exists());
}
