//! The file: wrong key, damage, full disk, newer schema, rescue.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::server::Server;
use super::*;
use crate::replica::table::outbox_copy as table;
use crate::sync::port::{OutboxAsk, StarPort};
use crate::wire::envelope::RawEnvelope;

/// A phone with records in a closed file, the log written back.
fn filled(records: usize) -> FilePhone {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    for n in 0..records {
        phone
            .replica()
            .report(&draft(&format!("隐患 {n}")), NOW)
            .unwrap();
    }
    phone.close();
    phone
}

fn open(phone: &mut FilePhone) -> Result<Replica, ReplicaError> {
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
    // Without the marker (a new phone) it is a wrong key as well, so no file may be set aside for it.
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
    assert_eq!(code(open(&mut phone)), "replica.lost");
    fs::remove_file(second(&phone)).unwrap();
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
    assert_eq!(rescued.undelivered().unwrap(), 3, "from the second copy");
    rescued.report(&draft("x"), NOW).unwrap();
}

#[test]
fn a_lost_file_costs_nothing_that_is_not_delivered() {
    let mut phone = filled(3);
    fs::remove_file(phone.path()).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.lost");
    let options = phone.options();
    let (mut rescued, _) = Replica::rescue(options, NOW).unwrap();
    assert_eq!(rescued.undelivered().unwrap(), 3);
    assert_eq!(rescued.count(&Filter::default()).unwrap(), 3);
    rescued.report(&draft("x"), NOW).unwrap();
}

#[test]
fn a_lost_or_empty_file_is_not_rescued_with_a_wrong_key() {
    let mut phone = filled(3);
    for empty in [false, true] {
        fs::remove_file(phone.path()).unwrap();
        if empty {
            fs::write(phone.path(), b"").unwrap();
        }
        let copy = fs::read(second(&phone)).unwrap();
        let mut options = phone.options();
        options.file_key = FileKey::new([0xee; 32]);
        assert!(matches!(
            Replica::rescue(options, NOW),
            Err(ReplicaError::WrongKey)
        ));
        assert_eq!(fs::read(second(&phone)).unwrap(), copy);
        let options = phone.options();
        let (rescued, _) = Replica::rescue(options, NOW).unwrap();
        assert_eq!(rescued.undelivered().unwrap(), 3);
        rescued.close().unwrap();
    }
}

#[test]
fn new_replica_beside_a_second_file_is_refused() {
    let mut phone = filled(3);
    fs::remove_file(phone.path()).unwrap();
    let copy = fs::read(second(&phone)).unwrap();
    let options = phone.options();
    assert_eq!(code(Replica::create(options)), "replica.lost");
    assert_eq!(fs::read(second(&phone)).unwrap(), copy);
    let options = phone.options();
    let (fresh, _) = Replica::start_over(options).unwrap();
    assert_eq!(fresh.undelivered().unwrap(), 0);
    let aside = phone.database.path().join("replica.db.aside-1.outbox");
    assert_eq!(fs::read(aside).unwrap(), copy);
}

#[test]
fn damage_of_any_one_page_costs_nothing_that_is_not_delivered() {
    let town = Deployment::new();
    let mut other = town.phone(VOLUNTEER_ZHAO);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    for n in 0..12 {
        let replica = phone.replica();
        let record = replica
            .report(&draft(&format!("隐患 {n}")), NOW + n)
            .unwrap();
        replica
            .comment(record, said(&"补充".repeat(40)), NOW + n)
            .unwrap();
        other
            .replica()
            .report(&draft(&format!("别人的 {n}")), NOW + n)
            .unwrap();
    }
    meeting::meet(&mut phone, &mut other).unwrap();
    let undelivered = phone.replica().undelivered().unwrap();
    assert_eq!(undelivered, 36, "own work and what the other phone gave");
    let outbox = outbox(phone.replica());
    phone.close();

    let whole = fs::read(phone.path()).unwrap();
    let whole_second = fs::read(second(&phone)).unwrap();
    for (file, bytes) in [(phone.path(), &whole), (second(&phone), &whole_second)] {
        for page in 0..bytes.len() as u64 / 4_096 {
            fs::write(phone.path(), &whole).unwrap();
            fs::write(second(&phone), &whole_second).unwrap();
            damage_at(&file, page);
            let damaged = fs::read(&file).unwrap();
            // The page may be one that only a later use reads, so the person meets the damage there.
            let mut opened = false;
            let used = open(&mut phone).and_then(|mut replica| {
                opened = true;
                replica.rebuild()?;
                replica.report(&draft("之后"), NOW)?;
                Ok(replica)
            });
            let mut replica = used.unwrap_or_else(|error| {
                assert_eq!(error.code(), "replica.damaged");
                let options = phone.options();
                let (mut rescued, rescue) = Replica::rescue(options, NOW).unwrap();
                if !opened {
                    let evidence = fs::read(rescue.set_aside).unwrap();
                    assert_eq!(evidence, damaged, "the evidence is as it was");
                }
                rescued.report(&draft("之后"), NOW).unwrap();
                rescued
            });
            let what = format!("page {page} of {}", file.display());
            // The new report is own work, so it goes before the work of others.
            let mut left = self::outbox(&mut replica);
            left.retain(|envelope| outbox.contains(envelope));
            assert_eq!(left, outbox, "{what}");
            // When the app rests the second copy is read whole, and made anew where it was the damaged one.
            replica.rest().unwrap();
            let count = replica.undelivered().unwrap();
            drop(replica);
            let key = phone.file_key();
            let copy = crate::replica::open::open_damaged(&second(&phone), &key).unwrap();
            table::check(&copy).unwrap();
            assert_eq!(
                table::envelopes(&copy).unwrap().len() as u64,
                count,
                "{what}"
            );
            drop(copy);
            fs::remove_file(phone.path()).unwrap();
        }
    }
}

#[test]
fn the_second_copy_holds_what_is_not_delivered_and_no_more() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let in_copy = |phone: &mut FilePhone| {
        phone.close();
        let kept = crate::replica::open::open_damaged(&second(phone), &phone.file_key());
        let kept = table::envelopes(&kept.unwrap()).unwrap().len();
        phone.reopen();
        kept
    };
    phone.replica().report(&draft("一"), NOW).unwrap();
    phone.replica().report(&draft("二"), NOW).unwrap();
    assert_eq!(in_copy(&mut phone), 2);
    server.settle(&mut phone);
    assert_eq!(in_copy(&mut phone), 0);
    phone.replica().report(&draft("三"), NOW).unwrap();
    assert_eq!(in_copy(&mut phone), 1);
}

/// Returns the outbox, in the order of sending.
fn outbox(replica: &mut Replica) -> Vec<RawEnvelope> {
    let ask = OutboxAsk {
        bytes_max: usize::MAX,
        envelopes_max: usize::MAX,
        without: &BTreeSet::new(),
    };
    let bundle = StarPort::outbox(replica, &ask).unwrap();
    assert!(!bundle.certificates.is_empty());
    bundle.envelopes
}

pub(super) fn second(phone: &FilePhone) -> PathBuf {
    phone.database.path().join("replica.db.outbox")
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
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
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
    let conn = crate::replica::open::open_damaged(&phone.path(), &phone.file_key()).unwrap();
    conn.pragma_update(None, "user_version", 9_999).unwrap();
    drop(conn);
    let before = fs::read(phone.path()).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.newer_schema");
    assert_eq!(fs::read(phone.path()).unwrap(), before);
}

#[test]
fn a_second_process_is_kept_out() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    phone.replica().report(&draft("x"), NOW).unwrap();
    assert_eq!(code(open(&mut phone)), "replica.in_use");
}

pub(super) fn damage(phone: &FilePhone, page: u64) {
    damage_at(&phone.path(), page);
}

fn damage_at(path: &Path, page: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    // The salt of the first page stays, because without it no page could be read.
    let from = page * 4_096 + if page == 0 { 64 } else { 8 };
    file.write_all_at(&[0x5a; 512], from).unwrap();
}

/// Two invitations arrive at once, one from another deployment. The second one must not lock the person
/// out.
#[test]
fn enrolment_in_another_deployment_is_refused() {
    let (town, other) = (Deployment::new(), Deployment::of_root(77));
    let mut phone = town.phone(VOLUNTEER_WANG);
    let foreign = other
        .phone(VOLUNTEER_WANG)
        .replica()
        .certificate()
        .unwrap()
        .clone();
    let refused = phone
        .replica()
        .enrol(&other.anchors, &other.secrets, &foreign);
    assert!(
        matches!(refused, Err(ReplicaError::BadInput)),
        "{refused:?}"
    );
    phone.close();
    let (reopened, _) = Replica::open_or_recover(phone.options(), NOW).unwrap();
    assert_eq!(reopened.anchors().unwrap().root(), &town.root.public());
}

/// The same phone is invited again as another person. The content of the file is the first person's.
#[test]
fn enrolment_of_another_member_is_refused() {
    let town = Deployment::new();
    let mut phone = town.phone(VOLUNTEER_WANG);
    let key = VOLUNTEER_WANG.key().public();
    let grants = vec![VOLUNTEER_WANG.grant()];
    let other = town.certify(&facts(&key, VOLUNTEER_ZHAO.member(), grants));
    let refused = phone.replica().enrol(&town.anchors, &town.secrets, &other);
    assert!(
        matches!(refused, Err(ReplicaError::BadInput)),
        "{refused:?}"
    );
    assert_eq!(phone.replica().own_member(), Some(VOLUNTEER_WANG.member()));
}

/// `SQLCipher` finishes its start after `SQLite` lets other threads in, so a second one could come too early. The
/// start happens once in a process, so each round is a process.
#[test]
fn first_openings_of_a_process_run_together() {
    const NAME: &str = "replica::tests::file::first_openings_of_a_process_run_together";
    const FOLDER: &str = "ONEGRID_FIRST_OPENINGS";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let (barrier, folder) = (std::sync::Barrier::new(8), Path::new(&folder));
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (barrier, path) = (&barrier, folder.join(n.to_string()));
                scope.spawn(move || {
                    barrier.wait();
                    crate::replica::open::second(&path, &FileKey::new([11; 32])).unwrap();
                });
            }
        });
        return;
    }
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let process = process.args(["--exact", NAME]).env(FOLDER, folder.path());
        let ended = process.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success(), "round {round}: {said}");
        assert!(folder.path().join("7").exists(), "the test ran");
    }
}
