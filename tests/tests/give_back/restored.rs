//! A person who enrolled after the backup: the restored server does not know the device, and answers that the
//! device was revoked.

use onegrid_core::wire::verdict::{HeldReason, Status};
use onegrid_server::store::StoreError;
use onegrid_tests::town::{GRID, Met, STREET, Town, VILLAGE};

use super::story::*;

#[test]
fn a_phone_that_enrolled_after_the_backup_and_was_revoked_stays_out() {
    let mut town = Town::small(41).with_categories();
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut carrier = town.enrol("grid", "grid_worker", GRID, "");
    for phone in [&mut room, &mut carrier] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    let mut lost = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let delivered = report(&mut town, &mut lost, "delivered before");
    lost.sync(&mut town);
    let carried = report(&mut town, &mut lost, "carried by somebody else");
    assert!(matches!(carrier.meet(&mut lost, &town), Met::Whole(..)));
    town.pass(1_000);
    let now = town.now_ms;
    town.server().revoke(lost.device(), "admin", now).unwrap();
    room.sync(&mut town);
    assert!(room.replica().row(delivered).unwrap().is_some());

    town.restore(&backup);
    assert!(room.sync(&mut town).equal, "the revocation comes back");
    let refused = lost.try_sync(&mut town);
    assert_eq!(refused, Err("session.revoked".to_owned()));
    carrier.sync(&mut town);
    let held = town.store().read::<_, StoreError>(|tx| {
        let waiting = tx.reviews_open(10)?;
        let verdicts = waiting.iter().map(|one| tx.verdict(one.envelope));
        verdicts.collect::<Result<Vec<_>, _>>()
    });
    let held: Vec<_> = held.unwrap().into_iter().flatten().collect();
    assert!(!held.is_empty());
    for (_, verdict) in held {
        assert_eq!(verdict.status, Status::Held(HeldReason::Revoked));
    }
    assert_eq!(there(&town, carried), []);
    // The record that the phone had delivered before stays.
    assert_ne!(there(&town, delivered), []);
    assert!(room.sync(&mut town).equal);
    assert!(room.replica().row(carried).unwrap().is_none());
    is_whole(&town);
}
