//! Projections that another version of the app made are made again in slices.

use super::*;

/// Changes a file as if an older app had left it: some rows differ, and no mark declares them right.
fn as_an_older_app_left_it(phone: &mut FilePhone) {
    let conn = phone.replica().conn().unwrap();
    conn.execute_batch(
        "UPDATE record SET title = '旧', due_ms = 5; DELETE FROM record_area;
         INSERT INTO record_search (record_search) VALUES ('delete-all');
         DELETE FROM meta WHERE name = 'projections';",
    )
    .unwrap();
}

fn titles(replica: &Replica) -> Vec<String> {
    let rows = replica.rows().unwrap();
    let mut titles: Vec<String> = rows.into_iter().map(|row| row.title).collect();
    titles.sort();
    titles
}

fn with_records(count: u8) -> (FilePhone, Vec<RecordRow>) {
    let mut phone = Deployment::new().phone(GRID_WORKER_CHEN);
    for n in 0..count {
        phone
            .replica()
            .report(&draft(&format!("消防{n:03}")), NOW)
            .unwrap();
    }
    let rows = phone.replica().rows().unwrap();
    as_an_older_app_left_it(&mut phone);
    (phone, rows)
}

#[test]
fn projections_of_an_older_app_are_made_again() {
    let (mut phone, rows) = with_records(3);
    let replica = phone.reopen();
    assert_eq!(
        titles(replica),
        ["旧", "旧", "旧"],
        "reads give what is there"
    );
    assert_eq!(replica.rebuilding().unwrap(), Some(Rebuilding { left: 3 }));
    assert_eq!(replica.rebuild_slice().unwrap(), 0);
    assert_eq!(replica.rebuilding().unwrap(), None);
    assert_eq!(replica.rows().unwrap(), rows);
    assert_eq!(replica.search("消防", None, 9).unwrap().rows.len(), 3);
    let of_the_village = Filter {
        area: Some(area(3)),
        ..Filter::default()
    };
    assert_eq!(replica.count(&of_the_village).unwrap(), 3);
    phone.reopen();
    assert_eq!(phone.replica().rebuilding().unwrap(), None, "once");
}

#[test]
fn interrupted_rebuilding_goes_on_where_it_was() {
    let (mut phone, rows) = with_records(150);
    let left = phone.reopen().rebuild_slice().unwrap();
    assert_eq!(
        left,
        150 - u64::try_from(crate::limits::REBUILD_SLICE_ROWS).unwrap()
    );
    phone.crash();
    let replica = phone.reopen();
    assert_eq!(replica.rebuilding().unwrap(), Some(Rebuilding { left }));
    let good = titles(replica)
        .iter()
        .filter(|title| *title != "旧")
        .count();
    assert_eq!(good, crate::limits::REBUILD_SLICE_ROWS);
    let new = replica.report(&draft("新的"), NOW + 1).unwrap();
    let mut slices = 0;
    while replica.rebuild_slice().unwrap() > 0 {
        slices += 1;
    }
    assert_eq!(slices, 1, "two slices in all");
    assert!(replica.row(new).unwrap().is_some());
    let again: Vec<RecordRow> = replica
        .rows()
        .unwrap()
        .into_iter()
        .filter(|row| row.id != new)
        .collect();
    assert_eq!(again, rows);
}

#[test]
fn rebuilding_whole_leaves_nothing_pending() {
    let (mut phone, rows) = with_records(3);
    let replica = phone.reopen();
    replica.rebuild().unwrap();
    assert_eq!(replica.rebuilding().unwrap(), None);
    assert_eq!(replica.rows().unwrap(), rows);
}

#[test]
fn fresh_file_has_nothing_to_rebuild() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    assert_eq!(phone.replica().rebuilding().unwrap(), None);
}

/// An entry that this app cannot decode costs its own rows alone, and the person is told once.
#[test]
fn entry_that_cannot_be_decoded_is_left_out() {
    const CODE: &str = "incident.directory_entry";
    let (mut phone, rows) = with_records(3);
    let stream = crate::domain::stream::StreamId::DirectoryBase.to_bytes();
    for kind in [1, 3, 4, 6, 9] {
        let row = crate::replica::table::directory::Entry {
            kind,
            key: vec![kind.to_be_bytes()[1]; 16],
            zh: String::new(),
            en: String::new(),
            bytes: vec![0xff; 9],
        };
        crate::replica::table::directory::put(phone.replica().conn().unwrap(), &stream, &row)
            .unwrap();
    }
    let told = |replica: &Replica| {
        let notices = replica.notices().unwrap();
        let told = notices.into_iter().filter(|notice| notice.code == CODE);
        told.map(|notice| (notice.at_ms > 0, notice.detail))
            .collect::<Vec<_>>()
    };
    let replica = phone.reopen();
    assert_eq!(replica.rebuild_slice().unwrap(), 0);
    assert_eq!(replica.rows().unwrap(), rows);
    assert_eq!(
        told(replica),
        [(true, "4".to_owned())],
        "categories have no rows"
    );
    replica.rebuild().unwrap();
    assert_eq!(replica.rows().unwrap(), rows);
    assert_eq!(told(replica).len(), 1, "until it was seen");
    assert!(!replica.categories().unwrap().is_empty());
}
