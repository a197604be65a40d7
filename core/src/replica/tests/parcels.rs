//! Parcels: undelivered work for the server that the phone in between may not read.

use super::meeting::{ids, meet};
use super::server::Server;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::Audience;
use crate::domain::content::Field;
use crate::id::RecordId;
use crate::limits::{PARCEL_AGE_MS_MAX, PARCEL_REST_MS_FIRST, PARCELS_CARRIED_MAX, TEXT_CHARS_MAX};
use crate::sync::port::{PeerPort, StarPort};
use crate::trust::parcel::{ParcelKey, SealedParcel};
use crate::wire::envelope::RawEnvelope;
use crate::wire::frame;
use crate::wire::message::Bundle;
use crate::wire::parcel::{Parcel, ParcelOutcome};

/// A report that no unit may read.
fn restricted(title: &str) -> Draft {
    Draft {
        audience: Audience::Restricted,
        ..draft(title)
    }
}

/// The parcels that a phone carries.
fn carried(phone: &mut FilePhone) -> Vec<Vec<u8>> {
    phone.replica().parcels(usize::MAX, NOW + 100).unwrap()
}

/// The content of a parcel, as the server opens it.
fn opened(town: &Deployment, bytes: &[u8]) -> Bundle {
    let sealed = SealedParcel::from_bytes(bytes).unwrap();
    let content = town.parcels.open(&sealed, town.authority()).unwrap();
    frame::decode(&content, content.len()).unwrap()
}

fn hashes(bundle: &Bundle) -> Vec<crate::id::EnvelopeId> {
    let hashes = bundle.envelopes.iter().map(RawEnvelope::hash);
    hashes.map(|hash| hash.envelope_id()).collect()
}

#[test]
fn courier_carries_what_it_may_not_read_and_learns_nothing() {
    let town = Deployment::new();
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    let secret = worker.replica().report(&restricted("线索"), NOW).unwrap();
    let edit = [FieldEdit::text(Field::Title, "another title")];
    worker.replica().edit(secret, &edit, NOW + 1).unwrap();
    assert_eq!(meet(&mut worker, &mut handler).unwrap(), (0, 0));
    let parcels = carried(&mut handler);
    assert_eq!(parcels.len(), 1);
    // Neither the words, nor the record, nor the author, nor an envelope shows.
    let mut planted: Vec<Vec<u8>> = vec![
        "线索".into(),
        b"another title".to_vec(),
        secret.0.to_vec(),
        worker.person.device().0.to_vec(),
        worker.person.member().0.to_vec(),
        worker.person.key().public().as_bytes().to_vec(),
    ];
    let envelopes = ids(&mut worker, secret);
    planted.extend(envelopes.iter().map(|id| id.0.to_vec()));
    for part in planted {
        let shows = parcels[0].windows(part.len()).any(|window| window == part);
        assert!(!shows, "{part:?}");
    }
    assert!(handler.replica().row(secret).unwrap().is_none());
    assert_eq!(handler.replica().undelivered().unwrap(), 0);
    // The server finds all of it, with the certificate, and the author still has it.
    let bundle = opened(&town, &parcels[0]);
    let mut inside = hashes(&bundle);
    inside.sort_unstable();
    assert_eq!(inside, envelopes);
    assert_eq!(bundle.certificates.len(), 1);
    assert_eq!(worker.replica().undelivered().unwrap(), 2);
}

#[test]
fn parcel_holds_only_what_goes_no_other_way() {
    let town = Deployment::new();
    let (mut worker, mut colleague) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_XU));
    let open = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    assert_eq!(meet(&mut worker, &mut colleague).unwrap(), (0, 1));
    assert!(carried(&mut colleague).is_empty(), "it came openly");
    let secret = worker.replica().report(&restricted("线索"), NOW).unwrap();
    meet(&mut colleague, &mut worker).unwrap();
    let parcels = carried(&mut colleague);
    let bundle = opened(&town, &parcels[0]);
    assert_eq!(hashes(&bundle), ids(&mut worker, secret));
    assert!(!hashes(&bundle).contains(&ids(&mut worker, open)[0]));
}

#[test]
fn later_meeting_replaces_the_parcel_of_the_same_author() {
    let town = Deployment::new();
    let (mut worker, mut second, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(GRID_WORKER_XU),
        town.phone(HANDLER_LU),
    );
    worker.replica().report(&restricted("a"), NOW).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    let first = carried(&mut handler);
    meet(&mut handler, &mut worker).unwrap();
    assert_eq!(carried(&mut handler), first, "the same bytes");
    worker.replica().report(&restricted("b"), NOW + 1).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    let grown = carried(&mut handler);
    assert_eq!(grown.len(), 1);
    assert_eq!(opened(&town, &grown[0]).envelopes.len(), 2);
    second.replica().report(&restricted("c"), NOW + 2).unwrap();
    meet(&mut second, &mut handler).unwrap();
    assert_eq!(carried(&mut handler).len(), 2, "another author");
}

#[test]
fn courier_passes_no_parcel_on() {
    let town = Deployment::new();
    let (mut worker, mut handler, mut third) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(HANDLER_LU),
        town.phone(GRID_WORKER_XU),
    );
    worker.replica().report(&restricted("a"), NOW).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    meet(&mut handler, &mut third).unwrap();
    meet(&mut third, &mut handler).unwrap();
    assert_eq!(carried(&mut handler).len(), 1);
    assert!(carried(&mut third).is_empty());
}

#[test]
fn phone_behind_a_restored_server_makes_no_parcel() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    worker.replica().report(&restricted("a"), NOW + 1).unwrap();
    server.generation = 2;
    let answer = server.exchange_without_upload(&mut worker);
    worker.replica().apply(&answer, NOW + 2).unwrap();
    assert!(worker.replica().is_behind().unwrap());
    meet(&mut worker, &mut handler).unwrap();
    assert!(carried(&mut handler).is_empty());
    worker.replica().catch_up(NOW + 3).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    assert_eq!(carried(&mut handler).len(), 1);
}

/// A parcel with any content, for the key of the deployment or another one.
fn made(town: &Deployment, n: u8, key: &ParcelKey) -> Parcel {
    let maker = crate::trust::parcel::ParcelMaker::of(&SecretKey::from_seed(&[n; 32]));
    let bytes = maker.seal(&[n], &key.public(), town.authority());
    Parcel {
        tag: [n; 16],
        bytes: bytes.unwrap(),
    }
}

/// The certificate of the phone with this number.
fn peer(town: &Deployment, n: u8) -> Certificate {
    let key = SecretKey::from_seed(&[n; 32]).public();
    let facts = facts(&key, VOLUNTEER_WANG.member(), vec![VOLUNTEER_WANG.grant()]);
    town.certify(&facts)
}

/// However often one phone comes with other tags, it has one parcel here.
#[test]
fn tags_of_one_phone_displace_no_other_parcel() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let count = u8::try_from(PARCELS_CARRIED_MAX).unwrap() + 1;
    let first = made(&town, 200, &town.parcels);
    let replica = handler.replica();
    replica.take_parcel(&first, &peer(&town, 200), NOW).unwrap();
    for n in 0..count {
        let parcel = made(&town, n, &town.parcels);
        let from = peer(&town, 100);
        replica.take_parcel(&parcel, &from, NOW + 1).unwrap();
    }
    let last = made(&town, count - 1, &town.parcels);
    assert_eq!(carried(&mut handler), [first.bytes, last.bytes]);
}

#[test]
fn parcel_that_is_not_taken_now_rests_longer_each_time() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let parcel = made(&town, 1, &town.parcels);
    let hash = crate::id::Hash::of(&[&parcel.bytes]);
    let from = peer(&town, 1);
    let mut now = NOW;
    handler.replica().take_parcel(&parcel, &from, now).unwrap();
    let due = |handler: &mut FilePhone, now| handler.replica().parcels(0, now).unwrap().len();
    for doublings in 0..4 {
        assert_eq!(due(&mut handler, now), 1);
        handler.replica().put_off_parcels(&[hash], now).unwrap();
        // The same parcel once more rests on.
        handler.replica().take_parcel(&parcel, &from, now).unwrap();
        let length = PARCEL_REST_MS_FIRST << doublings;
        assert_eq!(due(&mut handler, now + length - 1), 0);
        now += length;
    }
    let newer = made(&town, 2, &town.parcels);
    handler.replica().put_off_parcels(&[hash], now).unwrap();
    handler.replica().take_parcel(&newer, &from, now).unwrap();
    assert_eq!(due(&mut handler, now), 1, "newer work does not rest");
}

#[test]
fn carried_parcels_are_bounded_and_the_oldest_goes() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let count = u8::try_from(PARCELS_CARRIED_MAX).unwrap() + 1;
    for n in 0..count {
        let parcel = made(&town, n, &town.parcels);
        let from = peer(&town, n);
        let taken = handler
            .replica()
            .take_parcel(&parcel, &from, NOW + i64::from(n));
        assert!(taken.unwrap());
    }
    let mut kept = Vec::new();
    loop {
        let next = carried(&mut handler);
        if next.is_empty() {
            break;
        }
        let hashes: Vec<_> = next
            .iter()
            .map(|bytes| crate::id::Hash::of(&[bytes]))
            .collect();
        kept.extend(hashes.iter().copied());
        let answered: Vec<_> = hashes
            .iter()
            .map(|hash| (*hash, ParcelOutcome::Taken))
            .collect();
        handler
            .replica()
            .forget_parcels(&answered, NOW + 100)
            .unwrap();
    }
    let expected = (1..count).map(|n| made(&town, n, &town.parcels).bytes);
    let expected: Vec<_> = expected
        .map(|bytes| crate::id::Hash::of(&[&bytes]))
        .collect();
    assert_eq!(kept, expected);
    assert_eq!(handler.replica().parcel_counts().unwrap().dropped, 1);
}

#[test]
fn old_parcel_is_dropped_unsent() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let parcel = made(&town, 1, &town.parcels);
    let from = peer(&town, 1);
    handler.replica().take_parcel(&parcel, &from, NOW).unwrap();
    let last = NOW + PARCEL_AGE_MS_MAX - 1;
    assert_eq!(handler.replica().parcels(0, last).unwrap().len(), 1);
    assert!(handler.replica().parcels(0, last + 1).unwrap().is_empty());
    handler.replica().forget_parcels(&[], last + 1).unwrap();
    assert!(handler.replica().parcels(0, NOW).unwrap().is_empty());
}

/// Hash and bytes of a parcel that this phone carries.
fn received(
    phone: &mut FilePhone,
    parcel: &Parcel,
    from: &Certificate,
    now_ms: i64,
) -> (crate::id::Hash, u64) {
    let taken = phone.replica().take_parcel(parcel, from, now_ms);
    assert!(taken.unwrap());
    (
        crate::id::Hash::of(&[&parcel.bytes]),
        parcel.bytes.len() as u64,
    )
}

#[test]
fn courier_counts_parcels_by_their_end() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let counts = |phone: &mut FilePhone| phone.replica().parcel_counts().unwrap();
    assert_eq!(counts(&mut handler), ParcelCounts::default());
    let parcels: Vec<_> = (0..4).map(|n| made(&town, n, &town.parcels)).collect();
    let got: Vec<_> = parcels
        .iter()
        .zip(0_u8..)
        .map(|(parcel, n)| {
            let now_ms = NOW + i64::from(n);
            received(&mut handler, parcel, &peer(&town, n), now_ms)
        })
        .collect();
    let here = ParcelCounts {
        carried: 4,
        bytes: got.iter().map(|(_, bytes)| bytes).sum(),
        oldest_ms: Some(NOW),
        ..ParcelCounts::default()
    };
    assert_eq!(counts(&mut handler), here);
    let answered = [
        (got[0].0, ParcelOutcome::Taken),
        (got[1].0, ParcelOutcome::Known),
        (got[2].0, ParcelOutcome::NotOpened),
        // A newer parcel of the same author took its place meanwhile.
        (crate::id::Hash([9; 32]), ParcelOutcome::Taken),
    ];
    handler.replica().forget_parcels(&answered, NOW).unwrap();
    let left = ParcelCounts {
        carried: 1,
        bytes: got[3].1,
        oldest_ms: Some(NOW + 3),
        taken: 2,
        refused: 1,
        dropped: 0,
    };
    assert_eq!(counts(&mut handler), left);
    handler.reopen();
    assert_eq!(counts(&mut handler), left);
    let late_ms = NOW + 3 + PARCEL_AGE_MS_MAX;
    handler.replica().forget_parcels(&[], late_ms).unwrap();
    let dropped = ParcelCounts {
        taken: 2,
        refused: 1,
        dropped: 1,
        ..ParcelCounts::default()
    };
    assert_eq!(counts(&mut handler), dropped);
}

#[test]
fn bytes_that_are_no_parcel_are_not_carried() {
    let town = Deployment::new();
    let mut handler = town.phone(HANDLER_LU);
    let other = made(&town, 1, &ParcelKey::from_seed([6; 32]));
    let garbage = Parcel {
        tag: [2; 16],
        bytes: vec![7; 5_000],
    };
    for parcel in [other, garbage] {
        let from = peer(&town, 1);
        let taken = handler.replica().take_parcel(&parcel, &from, NOW);
        assert!(!taken.unwrap());
    }
    assert!(carried(&mut handler).is_empty());
}

/// Some five thousand letters that do not compress well.
fn letters(n: u32) -> String {
    let letter = |at: u32| char::from_u32(0x4e00 + (at * 7_919 + n * 977) % 20_000);
    (0..5_000).filter_map(letter).collect()
}

/// A week of work does not fit one parcel: its beginning goes, parents first.
#[test]
fn large_outbox_gives_its_beginning_as_a_parcel() {
    let town = Deployment::new();
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    let mut records: Vec<RecordId> = Vec::new();
    for n in 0..44 {
        let mut draft = restricted(&n.to_string());
        draft.content.details_mut().description = letters(n).as_str().into();
        records.push(worker.replica().report(&draft, NOW).unwrap());
    }
    meet(&mut worker, &mut handler).unwrap();
    let bundle = opened(&town, &carried(&mut handler)[0]);
    let count = bundle.envelopes.len();
    assert!((2..44).contains(&count), "{count}");
    for (record, id) in records.iter().zip(hashes(&bundle)) {
        assert_eq!(ids(&mut worker, *record), [id]);
    }
}

/// Own words that build on more than fits wait. Other work goes.
#[test]
fn large_foreign_past_stops_no_other_parcel() {
    let town = Deployment::new();
    let (mut worker, mut colleague, mut handler) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(GRID_WORKER_XU),
        town.phone(HANDLER_LU),
    );
    let record = colleague.replica().report(&draft("a"), NOW).unwrap();
    for n in 0..120 {
        let words: String = letters(n).chars().take(TEXT_CHARS_MAX).collect();
        let replica = colleague.replica();
        let at = NOW + i64::from(n);
        replica.comment(record, said(&words), at).unwrap();
    }
    meet(&mut colleague, &mut worker).unwrap();
    let words = said("看过了");
    worker.replica().comment(record, words, NOW + 160).unwrap();
    let tip = worker
        .replica()
        .report(&restricted("线索"), NOW + 161)
        .unwrap();
    meet(&mut worker, &mut handler).unwrap();
    let parcels = carried(&mut handler);
    assert_eq!(parcels.len(), 1);
    assert_eq!(hashes(&opened(&town, &parcels[0])), ids(&mut worker, tip));
}

/// The server was restored to a time before the author enrolled.
#[test]
fn parcel_brings_a_certificate_that_the_server_knew() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut handler) = (town.phone(GRID_WORKER_CHEN), town.phone(HANDLER_LU));
    worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    server.settle(&mut worker);
    worker.replica().report(&restricted("a"), NOW + 1).unwrap();
    meet(&mut worker, &mut handler).unwrap();
    let bundle = opened(&town, &carried(&mut handler)[0]);
    assert_eq!((bundle.envelopes.len(), bundle.certificates.len()), (1, 1));
}
