//! The file: wrong key, damage, full disk, newer schema, rescue.

use std::fs;
use std::os::unix::fs::FileExt;

use super::*;

/// A phone with records in a closed file, the log written back.
fn filled(records: usize) -> Phone {
    let mut phone = Town::new().volunteer(11);
    for n in 0..records {
        phone
            .replica()
            .report(&draft(&format!("隐患 {n}")), NOW)
            .unwrap();
    }
    phone.close();
    phone
}

fn open(phone: &mut Phone) -> Result<Replica, ReplicaError> {
    let options = phone.options();
    Replica::open(options)
}

fn code(result: Result<Replica, ReplicaError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "opened")
}

#[test]
fn a_wrong_key_is_told_from_damage_and_touches_nothing() {
    let mut phone = filled(3);
    let before = fs::read(phone.path()).unwrap();
    let mut options = phone.options();
    options.file_key = FileKey::new([0xee; 32]);
    assert_eq!(code(Replica::open(options)), "replica.wrong_key");
    // Without the marker (a new phone) it is a wrong key as well: nothing may be set aside for it.
    fs::remove_file(phone.marker()).unwrap();
    let mut options = phone.options();
    options.file_key = FileKey::new([0xee; 32]);
    assert_eq!(code(Replica::open(options)), "replica.wrong_key");
    let mut options = phone.options();
    options.file_key = FileKey::new([0xee; 32]);
    assert!(matches!(
        Replica::rescue(options, NOW),
        Err(ReplicaError::WrongKey)
    ));
    assert_eq!(fs::read(phone.path()).unwrap(), before);
    assert_eq!(code(open(&mut phone)), "opened");
}

#[test]
fn the_file_is_not_readable_without_its_key() {
    let phone = filled(3);
    let bytes = fs::read(phone.path()).unwrap();
    let title = "隐患 1".as_bytes();
    assert!(!bytes.windows(title.len()).any(|window| window == title));
    assert!(!bytes.starts_with(b"SQLite format 3"));
}

#[test]
fn missing_empty_and_truncated_files_each_have_their_code() {
    let mut phone = filled(40);
    let whole = fs::read(phone.path()).unwrap();

    fs::write(phone.path(), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.damaged");
    fs::write(phone.path(), &whole[..2_000]).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.damaged");
    fs::write(phone.path(), b"").unwrap();
    assert_eq!(code(open(&mut phone)), "replica.empty_file");
    fs::remove_file(phone.path()).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.missing");
}

#[test]
fn a_damaged_first_page_is_damage_and_no_wrong_key() {
    let mut phone = filled(3);
    damage(&phone, 0);
    assert_eq!(code(open(&mut phone)), "replica.damaged");
    let options = phone.options();
    let (mut rescued, rescue) = Replica::rescue(options, NOW).unwrap();
    assert!(rescue.incomplete && rescue.set_aside.exists());
    assert_eq!(rescued.notices().unwrap()[0].code, "replica.rescued");
    assert_eq!(rescued.undelivered().unwrap(), 0, "nothing could be read");
    assert!(matches!(
        rescued.report(&draft("x"), NOW),
        Err(ReplicaError::NotEnrolled)
    ));
}

#[test]
fn a_damaged_page_is_set_aside_and_what_is_readable_is_saved() {
    let mut phone = filled(60);
    let pages = fs::metadata(phone.path()).unwrap().len() / 4_096;
    let whole = fs::read(phone.path()).unwrap();
    let (mut kept_all, mut lost_much) = (0, 0);
    for page in (1..pages).step_by(3) {
        fs::write(phone.path(), &whole).unwrap();
        damage(&phone, page);
        let damaged = fs::read(phone.path()).unwrap();
        let options = phone.options();
        let (mut rescued, rescue) = Replica::rescue(options, NOW).unwrap();
        assert_eq!(
            fs::read(&rescue.set_aside).unwrap(),
            damaged,
            "the evidence is as it was"
        );
        let rows = rescued.count(&Filter::default()).unwrap();
        assert_eq!(
            rescued.undelivered().unwrap(),
            rows,
            "every record saved is in the outbox"
        );
        lost_much += usize::from(rows < 30);
        kept_all += usize::from(rows == 60);
        if rescued.certificate().is_some() {
            rescued.report(&draft("after"), NOW).unwrap();
        }
        drop(rescued);
        fs::remove_file(phone.path()).unwrap();
    }
    // The one page that leads to all envelopes may be hit; any other costs what stood on it.
    assert!(lost_much <= 1, "{lost_much} pages cost most of the records");
    assert!(kept_all > 0, "damage of projections alone costs no record");
}

#[test]
fn a_lost_key_sets_the_file_aside_and_begins_anew() {
    let mut phone = filled(2);
    let before = fs::read(phone.path()).unwrap();
    let mut options = phone.options();
    options.file_key = FileKey::new([0xcc; 32]);
    let (fresh, aside) = Replica::start_over(options).unwrap();
    assert_eq!(fs::read(aside.unwrap()).unwrap(), before);
    assert_eq!(fresh.count(&Filter::default()).unwrap(), 0);
}

#[test]
fn a_full_disk_refuses_whole_writes_with_its_code() {
    let mut phone = Town::new().volunteer(11);
    let first = phone.replica().report(&draft("先到的"), NOW).unwrap();
    let limit = phone.replica().pages().unwrap() + 3;
    phone.replica().limit_pages(limit).unwrap();
    let mut stored = 1;
    let refused = loop {
        match phone.replica().report(&draft(&"满".repeat(60)), NOW) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 500, "the limit was never met");
    };
    assert_eq!(refused.code(), "replica.disk_full");
    assert_eq!(phone.replica().count(&Filter::default()).unwrap(), stored);
    assert_eq!(
        phone.replica().undelivered().unwrap(),
        stored,
        "no envelope without its record"
    );
    assert!(phone.replica().view(first).unwrap().is_some());
    phone.replica().limit_pages(1_000_000).unwrap();
    phone.replica().report(&draft("又有空间"), NOW).unwrap();
    let rows = phone.replica().rows().unwrap();
    phone.replica().rebuild().unwrap();
    assert_eq!(phone.replica().rows().unwrap(), rows);
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let mut phone = filled(1);
    let conn = crate::replica::open::open_damaged(&phone.path(), &FileKey::new([11; 32])).unwrap();
    conn.pragma_update(None, "user_version", 9_999).unwrap();
    drop(conn);
    let before = fs::read(phone.path()).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.newer_schema");
    assert_eq!(fs::read(phone.path()).unwrap(), before);
}

#[test]
fn a_second_process_is_kept_out() {
    let mut phone = Town::new().volunteer(11);
    phone.replica().report(&draft("x"), NOW).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.in_use");
}

fn damage(phone: &Phone, page: u64) {
    let file = fs::OpenOptions::new()
        .write(true)
        .open(phone.path())
        .unwrap();
    // The salt of the first page stays: without it nothing at all could be read.
    let from = page * 4_096 + if page == 0 { 64 } else { 8 };
    file.write_all_at(&[0x5a; 512], from).unwrap();
}
