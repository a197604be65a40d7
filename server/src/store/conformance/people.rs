//! Members, ids of the office, accounts and invitations.

use onegrid_core::domain::directory::DirectoryMark;

use super::*;

pub(crate) fn member_keeps_its_switch_and_office_id(backend: &dyn Backend) {
    let store = backend.open();
    let row = |disabled_ms| MemberRow {
        id: MemberId([3; 16]),
        public_name: Some("王阿姨".to_owned()),
        area: AreaId([1; 16]),
        grants: Vec::new(),
        granted_at: DirectoryMark::default(),
        changed_ms: 5,
        disabled_ms,
    };
    let noted = store.write::<_, StoreError>(move |tx| {
        tx.put_member(&row(Some(9)))?;
        Ok([
            tx.put_external_id([3; 16], "W-7")?,
            tx.put_external_id([3; 16], "W-7")?,
            tx.put_external_id([3; 16], "W-8")?,
        ])
    });
    assert_eq!(
        noted.unwrap(),
        [true, false, true],
        "the same id is no news"
    );
    let again = backend.open();
    again
        .read::<_, StoreError>(|tx| {
            assert_eq!(tx.member(MemberId([3; 16]))?, Some(row(Some(9))));
            assert_eq!(tx.external_id([3; 16])?.as_deref(), Some("W-8"));
            assert_eq!(tx.external_id([4; 16])?, None);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn accounts_of_administrators_are_ordered_by_name(backend: &dyn Backend) {
    let store = backend.open();
    let row = |name: &str, roles| AdminRow {
        name: name.to_owned(),
        roles,
        added_ms: 7,
        disabled_ms: (roles == 4).then_some(8),
    };
    store
        .write::<_, StoreError>(move |tx| {
            tx.put_admin(&row("zhang", 1))?;
            tx.put_admin(&row("li", 2))?;
            tx.put_admin(&row("li", 4))
        })
        .unwrap();
    let rows = store.read(|tx| tx.admins()).unwrap();
    assert_eq!(rows, [row("li", 4), row("zhang", 1)]);
}

pub(crate) fn invitations_are_paged_and_used_ones_stay(backend: &dyn Backend) {
    let store = backend.open();
    let row = |n: u8| InvitationRow {
        id: [n; 16],
        data: vec![n],
        expires_ms: 9,
        redeemed_by: (n == 2).then_some(DeviceId([1; 16])),
        redeemed_ms: (n == 2).then_some(4),
    };
    store
        .write::<_, StoreError>(move |tx| {
            for n in [3, 0, 2, 0xff] {
                tx.put_invitation(&row(n))?;
            }
            Ok(())
        })
        .unwrap();
    let page = |after, count| store.read(|tx| tx.invitations(after, count)).unwrap();
    assert_eq!(page(None, 2), [row(0), row(2)]);
    assert_eq!(page(Some([2; 16]), 9), [row(3), row(0xff)]);
    let dropped = store
        .write::<_, StoreError>(|tx| Ok([2, 3, 3].map(|n| tx.drop_invitation([n; 16]).unwrap())));
    assert_eq!(dropped.unwrap(), [false, true, false]);
    assert_eq!(page(None, 9), [row(0), row(2), row(0xff)]);
}
