//! Parcels that couriers bring: their content is judged like any upload, and a bad one does no harm.

use minicbor::bytes::ByteVec;
use onegrid_core::limits::{PARCEL_CONTENT_BYTES_MAX, PARCEL_ENVELOPES_MAX};
use onegrid_core::trust::parcel::{ParcelKey, ParcelMaker};
use onegrid_core::trust::sign::Authority;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::frame;
use onegrid_core::wire::message::{Bundle, SyncRequest};
use onegrid_core::wire::parcel::ParcelOutcome;

use super::*;
use crate::limits::DEVICE_DAY_PARCELS_MAX;

/// The bundle as its author's phone seals it.
fn sealed(author: &SyncPhone, bundle: &Bundle) -> Vec<u8> {
    let to = author.keys.anchors().parcel_key().unwrap();
    sealed_to(author, bundle, to, author.keys.authority())
}

fn sealed_to(author: &SyncPhone, bundle: &Bundle, to: &[u8; 32], authority: &Authority) -> Vec<u8> {
    let content = frame::encode(bundle, PARCEL_CONTENT_BYTES_MAX).unwrap();
    let maker = ParcelMaker::of(&author.key);
    maker.seal(&content, to, authority).unwrap()
}

/// The courier's request with these parcels, and the outcomes.
fn bring(courier: &mut SyncPhone, world: &TestServer, parcels: &[Vec<u8>]) -> Vec<ParcelOutcome> {
    let request = SyncRequest {
        parcels: Some(parcels.iter().cloned().map(ByteVec::from).collect()),
        ..courier.ask(None, 0)
    };
    let answer = courier.send(&world.server, &request).unwrap();
    assert_eq!(answer.receipt, None, "the courier gets no verdicts");
    answer.parcels.unwrap_or_default()
}

fn status(world: &TestServer, envelope: &Envelope) -> Option<Status> {
    let stored = world.server.store().read(|tx| tx.verdict(envelope.id()));
    stored.unwrap().map(|(_, verdict)| verdict.status)
}

#[test]
fn parcel_is_ingested_once_and_its_author_gets_the_verdict() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let child = author.act(genesis.record(), &[genesis.id()], &comment("on it"));
    let parcel = sealed(&author, &author.bundle(&[&genesis, &child]));
    let parcels = [parcel.clone()];
    assert_eq!(
        bring(&mut courier, &world, &parcels),
        [ParcelOutcome::Taken]
    );
    assert_eq!(
        bring(&mut courier, &world, &parcels),
        [ParcelOutcome::Known]
    );
    let mut other = world.phone(VOLUNTEER_ZHAO);
    assert_eq!(bring(&mut other, &world, &parcels), [ParcelOutcome::Known]);
    for envelope in [&genesis, &child] {
        assert_eq!(status(&world, envelope), Some(Status::Accepted));
    }
    let answer = author.push(&world.server, &[&genesis, &child]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    digests_are_right(&world);
}

#[test]
fn content_counts_to_its_author_not_to_its_courier() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let parcel = sealed(&author, &author.bundle(&[&genesis]));
    bring(&mut courier, &world, &[parcel]);
    let written = |phone: &SyncPhone| {
        let device = phone.certificate.facts().device;
        let day = crate::ingest::ration::day_of(NOW);
        let amount = world.server.store().read(|tx| tx.written(day, device));
        amount.unwrap().envelopes
    };
    assert_eq!((written(&author), written(&courier)), (1, 0));
}

#[test]
fn bad_parcels_are_refused_by_code_and_the_good_one_is_taken() {
    use ParcelOutcome::{Malformed, NotOpened, Taken, TooLarge, UnknownKey};
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let bundle = author.bundle(&[&genesis]);
    let good = sealed(&author, &bundle);
    let to = *author.keys.anchors().parcel_key().unwrap();
    let elsewhere = Authority(onegrid_core::id::Hash([9; 32]));
    let of_another = sealed_to(&author, &bundle, &to, &elsewhere);
    let unknown = ParcelKey::from_seed([9; 32]).public();
    let to_another = sealed_to(&author, &bundle, &unknown, author.keys.authority());
    let mut altered = good.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let maker = ParcelMaker::of(&author.key);
    let no_bundle = maker.seal(b"no frame", &to, author.keys.authority());
    let huge = vec![7; onegrid_core::limits::PARCEL_BYTES_MAX + 1];
    let outcomes = bring(
        &mut courier,
        &world,
        &[
            of_another,
            to_another,
            altered,
            no_bundle.unwrap(),
            b"garbage".to_vec(),
            huge,
            good,
        ],
    );
    let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.refusal()).collect();
    assert_eq!(
        outcomes,
        [
            NotOpened, UnknownKey, NotOpened, Malformed, Malformed, TooLarge, Taken
        ],
        "{codes:?}"
    );
    assert_eq!(status(&world, &genesis), Some(Status::Accepted));
}

/// A parcel lets no member act for another: signatures and certificates decide, as in an upload.
#[test]
fn forged_content_is_stored_nowhere() {
    let world = TestServer::new();
    let (mut author, mut thief) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let mut raw = genesis.raw().clone();
    raw.signature[5] ^= 1;
    let forged = sealed(&thief, &author.raw_bundle(vec![raw]));
    assert_eq!(bring(&mut thief, &world, &[forged]), [ParcelOutcome::Taken]);
    assert_eq!(status(&world, &genesis), None);
    let answer = author.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
}

#[test]
fn parcel_without_its_parents_stores_nothing() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let child = author.act(genesis.record(), &[genesis.id()], &comment("on it"));
    let parcel = sealed(&author, &author.bundle(&[&child]));
    let brought = std::slice::from_ref(&parcel);
    let outcomes = bring(&mut courier, &world, brought);
    assert_eq!(outcomes, [ParcelOutcome::MissingParents]);
    assert_eq!(status(&world, &child), None);
    // The same bytes are welcome once the parents have come by another way.
    let answer = author.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let outcomes = bring(&mut courier, &world, brought);
    assert_eq!(outcomes, [ParcelOutcome::Taken]);
    assert_eq!(status(&world, &child), Some(Status::Accepted));
    let outcomes = bring(&mut courier, &world, brought);
    assert_eq!(outcomes, [ParcelOutcome::Known]);
}

#[test]
fn courier_with_too_many_parcels_is_refused_until_tomorrow() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let garbage = |n: u64| n.to_be_bytes().to_vec();
    let most: Vec<Vec<u8>> = (0..DEVICE_DAY_PARCELS_MAX).map(garbage).collect();
    for part in most.chunks(16) {
        let outcomes = bring(&mut courier, &world, part);
        assert_eq!(outcomes, [ParcelOutcome::Malformed; 16]);
    }
    let genesis = author.report("gas");
    let parcel = sealed(&author, &author.bundle(&[&genesis]));
    let outcomes = bring(&mut courier, &world, std::slice::from_ref(&parcel));
    assert_eq!(outcomes, [ParcelOutcome::TooMany]);
    assert_eq!(status(&world, &genesis), None);
    // Another courier brings it, and the own work of the first one is taken.
    let mut other = world.phone(VOLUNTEER_ZHAO);
    assert_eq!(bring(&mut other, &world, &[parcel]), [ParcelOutcome::Taken]);
    let own = courier.report("own");
    assert!(courier.push(&world.server, &[&own]).receipt.is_some());
}

/// The author is revoked before the parcel arrives: its late work waits for a person.
#[test]
fn parcel_of_a_revoked_author_is_held() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let parcel = sealed(&author, &author.bundle(&[&genesis]));
    let device = author.certificate.facts().device;
    world.server.revoke(device, "admin", NOW).unwrap();
    assert_eq!(
        bring(&mut courier, &world, &[parcel]),
        [ParcelOutcome::Taken]
    );
    let status = status(&world, &genesis);
    assert_eq!(status, Some(Status::Held(HeldReason::Revoked)));
}

#[test]
fn envelope_of_a_newer_app_stays_out_of_its_parcel() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let mut newer = genesis.raw().clone();
    newer.header = vec![0x82, 9, 1];
    let raw = vec![newer.clone(), genesis.raw().clone()];
    let parcel = sealed(&author, &author.raw_bundle(raw));
    assert_eq!(
        bring(&mut courier, &world, &[parcel]),
        [ParcelOutcome::Taken]
    );
    assert_eq!(status(&world, &genesis), Some(Status::Accepted));
    let unread = world.server.store().read(|tx| tx.unread(&newer));
    assert_eq!(unread.unwrap(), None);
}

#[test]
fn parcel_without_parents_counts_each_time() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    let child = author.act(genesis.record(), &[genesis.id()], &comment("on it"));
    let parcel = sealed(&author, &author.bundle(&[&child]));
    // Equal bytes are looked at once in a request.
    let twice = [parcel.clone(), parcel];
    for _ in 0..DEVICE_DAY_PARCELS_MAX {
        let outcomes = bring(&mut courier, &world, &twice);
        assert_eq!(outcomes, [ParcelOutcome::MissingParents; 2]);
    }
    let outcomes = bring(&mut courier, &world, &twice);
    assert_eq!(outcomes, [ParcelOutcome::TooMany; 2]);
}

#[test]
fn parcel_with_too_many_envelopes_is_refused() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let genesis = author.report("gas");
    // A whole envelope is so large that fewer fill a parcel, so only a hostile author comes here.
    let empty = RawEnvelope {
        header: Vec::new(),
        body: Vec::new(),
        signature: [0; 64],
    };
    let mut raw = vec![empty; PARCEL_ENVELOPES_MAX];
    raw.push(genesis.raw().clone());
    let parcel = sealed(&author, &author.raw_bundle(raw));
    let outcomes = bring(&mut courier, &world, &[parcel]);
    assert_eq!(outcomes, [ParcelOutcome::TooLarge]);
    assert_eq!(status(&world, &genesis), None);
}

#[test]
fn parcel_that_was_put_off_is_looked_at_again() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(HANDLER_LU));
    let mut none = crate::ingest::ration::Ceilings::default();
    none.refused.envelopes = 0;
    let full = world.reopened().with_ceilings(none);
    let genesis = author.report("gas");
    let parcel = sealed(&author, &author.bundle(&[&genesis]));
    let request = SyncRequest {
        parcels: Some(vec![parcel.clone().into()]),
        ..courier.ask(None, 0)
    };
    let answer = courier.send(&full, &request).unwrap();
    assert_eq!(answer.parcels, Some(vec![ParcelOutcome::Later]));
    let outcomes = bring(&mut courier, &world, &[parcel]);
    assert_eq!(outcomes, [ParcelOutcome::Taken]);
    assert_eq!(status(&world, &genesis), Some(Status::Accepted));
}

#[test]
fn parcel_that_fails_here_holds_no_other_up() {
    let world = TestServer::new();
    let (mut author, mut other) = (world.phone(VOLUNTEER_WANG), world.phone(VOLUNTEER_SUN));
    let mut courier = world.phone(HANDLER_LU);
    let first = author.report("first");
    author.push(&world.server, &[&first]);
    let device = author.certificate.facts().device;
    let negative = "UPDATE written SET envelopes = -1 WHERE device = ?1";
    world.spoil(negative, &device.0);
    let (bad, good) = (author.report("bad"), other.report("good"));
    let parcels = [
        sealed(&author, &author.bundle(&[&bad])),
        sealed(&other, &other.bundle(&[&good])),
    ];
    let outcomes = bring(&mut courier, &world, &parcels);
    assert_eq!(outcomes, [ParcelOutcome::Later, ParcelOutcome::Taken]);
    assert_eq!(status(&world, &good), Some(Status::Accepted));
}

/// Two authors write upon an envelope that waits for a newer server.
#[test]
fn waiting_envelopes_count_to_their_authors() {
    let world = TestServer::new();
    let (mut author, mut other) = (world.phone(VOLUNTEER_WANG), world.phone(VOLUNTEER_SUN));
    let mut courier = world.phone(HANDLER_LU);
    let genesis = author.report("gas");
    author.push(&world.server, &[&genesis]);
    let comes_first = author.act(genesis.record(), &[genesis.id()], &comment("newer"));
    let mut newer = comes_first.raw().clone();
    newer.header = vec![0x82, 9, 1];
    let request = author.ask(Some(author.raw_bundle(vec![newer.clone()])), 0);
    author.send(&world.server, &request).unwrap();
    let parent = newer.hash().envelope_id();
    let one = author.act(genesis.record(), &[parent], &comment("one"));
    let upon = other.act(genesis.record(), &[one.id()], &comment("other"));
    let mut bundle = author.bundle(&[&one, &upon]);
    bundle
        .certificates
        .extend(other.bundle(&[&upon]).certificates);
    let parcel = sealed(&author, &bundle);
    let outcomes = bring(&mut courier, &world, &[parcel]);
    assert_eq!(outcomes, [ParcelOutcome::Taken]);
    let waits = |phone: &SyncPhone| {
        let device = phone.certificate.facts().device;
        let amount = world.server.store().read(|tx| tx.unread_of(device));
        amount.unwrap().envelopes
    };
    assert_eq!((waits(&author), waits(&other), waits(&courier)), (2, 1, 0));
}
