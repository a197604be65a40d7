#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use super::*;
use crate::id::Hash;
use crate::wire::verdict::{Attestation, AttestedEnvelope, Status, Verdict, VoidReason};

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

fn receipts(n: u8, from_ms: i64, until_ms: Option<i64>, generation_max: u32) -> ServerKey {
    let public = key(n).public();
    ServerKey {
        until_ms,
        ..ServerKey::new(&public, ServerPurpose::Receipts, from_ms, generation_max)
    }
}

fn anchors(number: u64, keys: Vec<ServerKey>) -> Anchors {
    let root = key(1);
    Anchors::new(root.public(), ServerKeys::sign(&root, number, keys)).unwrap()
}

fn void(by: u8, generation: u32, time_ms: i64) -> Attestation {
    let line = AttestedEnvelope {
        hash: Hash([7; 32]),
        verdict: Verdict {
            status: Status::Void(VoidReason::NotPermitted),
            at_ms: time_ms,
            generation,
        },
        at: Vec::new(),
    };
    let authority = Authority::of_root(&key(1).public());
    Attestation::sign(generation, time_ms, vec![line], &key(by), &authority)
}

#[test]
fn key_outside_its_time_vouches_for_nothing() {
    let anchors = anchors(1, vec![receipts(2, 100, Some(200), 9)]);
    for (time_ms, good) in [(99, false), (100, true), (200, true), (201, false)] {
        assert_eq!(
            void(2, 1, time_ms).verify(&anchors).is_ok(),
            good,
            "{time_ms}"
        );
    }
}

#[test]
fn leaked_key_signs_no_unbeatable_verdict() {
    let before = anchors(1, vec![receipts(2, 0, None, 1_000)]);
    assert!(void(2, 1_000, 5).verify(&before).is_ok());
    for generation in [1_001, u32::MAX] {
        assert_eq!(
            void(2, generation, 5).verify(&before),
            Err(SignatureError::BadKey)
        );
    }
    // A verdict hides no higher generation than its attestation shows.
    let mut hidden = void(2, 1_000, 5);
    hidden.envelopes[0].verdict.generation = u32::MAX;
    let authority = before.authority();
    let hidden = Attestation::sign(1_000, 5, hidden.envelopes, &key(2), authority);
    assert_eq!(hidden.verify(&before), Err(SignatureError::BadKey));
    // The next list leaves the key out.
    let list = ServerKeys::sign(&key(1), 2, vec![receipts(3, 0, None, 2_000)]);
    let after = before.updated(&list).unwrap();
    assert_eq!(
        void(2, 1_000, 5).verify(&after),
        Err(SignatureError::BadKey)
    );
    let overruling = void(3, 1_001, 6);
    assert!(overruling.verify(&after).is_ok());
    let forged = void(2, 1_000, i64::MAX).envelopes[0].verdict;
    assert!(overruling.envelopes[0].verdict.is_later_than(&forged));
}

#[test]
fn list_only_grows_newer_and_only_by_the_root() {
    let now = anchors(5, vec![receipts(2, 0, None, 9)]);
    let list = |root: u8, number| ServerKeys::sign(&key(root), number, Vec::new());
    for (root, number, taken) in [(1, 4, false), (1, 5, false), (9, 6, false), (1, 6, true)] {
        let updated = now.updated(&list(root, number));
        assert_eq!(updated.is_some(), taken, "root {root}, number {number}");
    }
    let mut altered = ServerKeys::sign(&key(1), 6, vec![receipts(2, 0, Some(5), 9)]);
    altered.keys[0].until_ms = None;
    assert!(now.updated(&altered).is_none());
}

#[test]
fn list_at_its_limit_is_taken_and_past_it_refused() {
    let root = key(1);
    for (count, good) in [(SERVER_KEYS_MAX, true), (SERVER_KEYS_MAX + 1, false)] {
        let list = ServerKeys::sign(&root, 1, vec![receipts(2, 0, None, 9); count]);
        assert_eq!(Anchors::new(root.public(), list).is_ok(), good, "{count}");
    }
}
