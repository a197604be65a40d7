//! A leaked key of the server: its signatures count until the list without it arrives.

use super::*;
use crate::domain::directory::{DirectoryEntry, Revocation};
use crate::id::RecordId;
use crate::replica::table::envelope;
use crate::sync::port::{Handover, PeerPort};
use crate::trust::certificate::ServerKey;
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::signed_entry::SignedEntry;
use crate::wire::verdict::{Attestation, AttestedEnvelope, Status, Verdict, VoidReason};

/// Makes the list of this number: the town's own key, and perhaps another one for receipts.
fn list(town: &Deployment, number: u64, other: Option<&SecretKey>) -> ServerKeys {
    let entry = |key: &SecretKey, purpose| ServerKey::new(&key.public(), purpose, 0, 1_000);
    let own = ServerPurpose::SIGNING.map(|purpose| entry(&town.server, purpose));
    let other = other.map(|key| entry(key, ServerPurpose::Receipts));
    let keys = own.into_iter().chain(other).collect();
    ServerKeys::sign(&town.root, number, keys)
}

/// Another phone hands over a verdict on the first envelope of a record.
fn hear(
    phone: &mut FilePhone,
    town: &Deployment,
    record: RecordId,
    by: &SecretKey,
    verdict: Verdict,
) {
    let stored = envelope::of_record(phone.replica().conn().unwrap(), record).unwrap();
    let raw = stored[0].raw.clone();
    let line = AttestedEnvelope {
        hash: raw.hash(),
        verdict,
        at: Vec::new(),
    };
    let (generation, authority) = (verdict.generation, town.anchors.authority());
    let attestation = Attestation::sign(generation, NOW, vec![line], by, authority);
    let given = Handover {
        give_back: GiveBack {
            attestations: vec![attestation],
            ..GiveBack::default()
        },
        bundle: Bundle {
            certificates: Vec::new(),
            envelopes: vec![raw],
        },
        ..Handover::default()
    };
    let peer = phone.replica().certificate().unwrap().clone();
    phone.replica().apply_peer(&given, &peer, NOW).unwrap();
}

fn verdict(phone: &mut FilePhone, record: RecordId) -> Option<Verdict> {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    loaded.nodes()[0].verdict
}

#[test]
fn forged_verdict_yields_once_its_key_left() {
    let town = Deployment::new();
    let leaked = SecretKey::from_seed(&[66; 32]);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let before = list(&town, 2, Some(&leaked));
    phone.replica().adopt_keys(&before).unwrap();
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    let of = |status, generation| Verdict {
        status,
        at_ms: NOW,
        generation,
    };
    let forged = of(Status::Void(VoidReason::NotPermitted), 1_000);
    let (unbeatable, true_one) = (of(forged.status, 1_001), of(Status::Accepted, 1));
    hear(&mut phone, &town, record, &leaked, unbeatable);
    assert_eq!(
        verdict(&mut phone, record),
        None,
        "above the bound of the key"
    );
    hear(&mut phone, &town, record, &leaked, forged);
    hear(&mut phone, &town, record, &town.server, true_one);
    assert_eq!(verdict(&mut phone, record), Some(forged));
    // A list that is not newer, or not the root's, changes nothing.
    phone.replica().adopt_keys(&list(&town, 2, None)).unwrap();
    let mut of_another = list(&Deployment::of_root(77), 9, None);
    phone.replica().adopt_keys(&of_another).unwrap();
    of_another.number = 10;
    phone.replica().adopt_keys(&of_another).unwrap();
    assert_eq!(verdict(&mut phone, record), Some(forged));

    phone.replica().adopt_keys(&list(&town, 3, None)).unwrap();
    assert_eq!(verdict(&mut phone, record).unwrap().generation, 0);
    hear(&mut phone, &town, record, &leaked, forged);
    assert_eq!(verdict(&mut phone, record).unwrap().generation, 0);
    while phone.replica().rebuild_slice().unwrap() > 0 {}
    let doubted = phone.replica().row(record).unwrap().unwrap();
    hear(&mut phone, &town, record, &town.server, true_one);
    assert_eq!(verdict(&mut phone, record), Some(true_one));
    let healed = phone.replica().row(record).unwrap().unwrap();
    assert_ne!(doubted.digest, healed.digest);
}

#[test]
fn newer_list_survives_restart() {
    let town = Deployment::new();
    let mut phone = town.phone(GRID_WORKER_CHEN);
    phone.replica().adopt_keys(&list(&town, 7, None)).unwrap();
    phone.close();
    let (reopened, _) = Replica::open_or_recover(phone.options(), NOW).unwrap();
    assert_eq!(reopened.anchors().unwrap().list().number, 7);
}

/// A restored server and other phones take the revocation only under a key of today.
#[test]
fn revocation_is_kept_under_the_newest_key() {
    let town = Deployment::new();
    let leaked = SecretKey::from_seed(&[66; 32]);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    phone
        .replica()
        .adopt_keys(&list(&town, 2, Some(&leaked)))
        .unwrap();
    let entry = DirectoryEntry::Revocation(Revocation {
        device: VOLUNTEER_WANG.device(),
        revoked_at_ms: NOW,
    });
    let authority = town.anchors.authority();
    let [before, after] = [&leaked, &town.server]
        .map(|key| minicbor::to_vec(SignedEntry::sign(&entry, key, authority)).unwrap());
    for bytes in [&before, &after] {
        phone
            .replica()
            .apply_revocations(std::slice::from_ref(bytes), NOW)
            .unwrap();
    }
    phone.replica().adopt_keys(&list(&town, 3, None)).unwrap();
    assert_eq!(PeerPort::revocations(phone.replica()).unwrap(), [after]);
}
