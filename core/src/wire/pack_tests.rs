#![allow(clippy::unwrap_used, reason = "tests")]
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::columns::Columns;
use super::super::pack::{PackContent, PackEvent};
use super::super::pack_columns;
use super::super::samples::{START_MS, Samples, bytes, damage};
use super::super::verdict::{HeldReason, Status, Verdict, VoidReason};
use super::*;
use crate::domain::Text;
use crate::domain::case::{OnBehalfOf, Party};
use crate::id::{EnvelopeId, UnitId};
use crate::trust::sign::SignatureError;

fn read_batch(bytes: &[u8], certificates: &[RawCertificate]) -> Result<PackBatch, PackError> {
    decode_batch(bytes, certificates, &mut ())
}

fn some_packs(samples: &mut Samples, count: usize) -> Vec<Pack> {
    (0..count).map(|_| samples.hazard().pack(1_500)).collect()
}

/// A pack that has everything that a pack may have.
fn odd_pack(samples: &mut Samples) -> Pack {
    let mut pack = loop {
        let pack = samples.hazard().pack(0);
        if pack.entries.len() > 7 {
            break pack;
        }
    };
    let earlier = pack.entries[1].id;
    pack.entries[2].parents = vec![0, 1];
    pack.entries[3].parents = vec![0];
    pack.entries[4].verdict.status = Status::Void(VoidReason::Clone);
    pack.entries[4].verdict.generation = 9;
    pack.entries[4].content = PackContent::Stub {
        body_kind: 2,
        change: Some(Hash([5; 32])),
    };
    pack.entries[5].content = PackContent::Change {
        actor: 3,
        seq: u64::MAX,
        replaces: Some(EnvelopeId([8; 16])),
    };
    pack.entries[5].clock_ms = i64::MIN;
    let party = Party::Unit(UnitId([1; 16]));
    pack.entries[6].content = PackContent::Event(PackEvent {
        code: u16::MAX,
        fold_version: 200,
        // Two ids of earlier entries, one of none, and the beginning of one at the end.
        data: [
            &[0x84, 0x50][..],
            &earlier.0,
            &[0x50],
            &[6; 16],
            &[0x50],
            &earlier.0,
            &[0x50],
            &earlier.0[..15],
        ]
        .concat(),
        on_behalf_of: Some(OnBehalfOf {
            party,
            reason: Text::new("手机没电").unwrap(),
        }),
        replaces: Some(earlier),
    });
    pack.entries[7].content = PackContent::Stub {
        body_kind: 77,
        change: None,
    };
    pack
}

#[test]
fn a_pack_comes_back_and_has_one_spelling() {
    let mut samples = Samples::new(1);
    let mut packs = some_packs(&mut samples, 20);
    packs.push(odd_pack(&mut samples));
    for pack in packs {
        let bytes = pack.to_bytes().unwrap();
        let again = Pack::from_bytes(&bytes).unwrap();
        assert_eq!(again, pack);
        assert_eq!(again.to_bytes().unwrap(), bytes);
    }
    let case = samples.hazard();
    let pack = case.pack(0);
    assert_eq!(pack.record(), Some(case.envelopes[0].record()));
    assert_eq!(
        pack.digest(),
        pack.entries
            .iter()
            .map(|entry| (entry.id, entry.verdict))
            .collect()
    );
    assert!(pack.covers(&pack));
    let mut older = pack.clone();
    older.entries[0].verdict.at_ms -= 1;
    assert!(pack.covers(&older) && !older.covers(&pack));
}

/// The content would be lost with the other pack.
#[test]
fn pack_covers_only_what_it_is_whole_for() {
    let mut samples = Samples::new(7);
    let pack = samples.hazard().pack(0);
    let mut void = pack.clone();
    let last = void.entries.last_mut().unwrap();
    last.verdict = Verdict {
        status: Status::Void(VoidReason::Limit),
        at_ms: last.verdict.at_ms + 1,
        ..last.verdict
    };
    last.content = PackContent::Stub {
        body_kind: 2,
        change: None,
    };
    assert!(void.covers(&void));
    assert!(!void.covers(&pack) && !pack.covers(&void));
}

#[test]
fn a_batch_gives_every_pack_its_own_bytes_back() {
    let mut samples = Samples::new(2);
    let mut packs: Vec<Vec<u8>> = some_packs(&mut samples, 30)
        .iter()
        .map(|pack| pack.to_bytes().unwrap())
        .collect();
    packs.push(odd_pack(&mut samples).to_bytes().unwrap());
    packs.push(b"of a newer server".to_vec());
    let certificates: Vec<_> = samples.devices[..2]
        .iter()
        .map(|device| device.certificate.raw().clone())
        .collect();
    let batch = PackBatch::sign(
        packs,
        4,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    for certificates in [&[][..], &certificates] {
        let bytes = encode_batch(&batch, certificates);
        let again = read_batch(&bytes, certificates).unwrap();
        assert_eq!(again, batch);
        again.verify(&samples.deployment.anchors).unwrap();
    }
    let shared = encode_batch(&batch, &[]).len();
    let alone: usize = batch.packs.iter().map(Vec::len).sum();
    assert!(shared < alone, "{shared} < {alone}");
}

#[test]
fn some_packs_of_a_batch_can_be_passed_on_with_its_proof() {
    let mut samples = Samples::new(3);
    let packs: Vec<Vec<u8>> = some_packs(&mut samples, 5)
        .iter()
        .map(|pack| pack.to_bytes().unwrap())
        .collect();
    let whole = PackBatch::sign(
        packs.clone(),
        1,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let some = PackBatch {
        proof: whole.proof.clone(),
        packs: vec![packs[3].clone(), packs[1].clone()],
    };
    let some = read_batch(&encode_batch(&some, &[]), &[]).unwrap();
    assert_eq!(some.proof, whole.proof);
    some.verify(&samples.deployment.anchors).unwrap();

    let mut foreign = some.clone();
    foreign.packs[0] = samples.hazard().pack(0).to_bytes().unwrap();
    assert_eq!(
        foreign.verify(&samples.deployment.anchors),
        Err(PackError::NotListed)
    );
    let mut forged = some;
    forged.proof.time_ms += 1;
    let refused = PackError::Signature(SignatureError::BadSignature);
    assert_eq!(forged.verify(&samples.deployment.anchors), Err(refused));
}

#[test]
fn what_can_not_be_a_pack_is_not_written() {
    let mut samples = Samples::new(4);
    let good = odd_pack(&mut samples);
    let spoil: [fn(&mut Pack); 9] = [
        |pack| pack.entries.clear(),
        |pack| pack.entries[1].id = pack.entries[0].id,
        |pack| pack.entries[1].parents = vec![1],
        |pack| pack.entries[1].parents = vec![],
        |pack| pack.entries[0].parents = vec![0],
        |pack| pack.entries[3].parents = vec![1, 0],
        |pack| pack.entries[3].parents = vec![1, 1],
        |pack| pack.entries[1].verdict.status = Status::Held(HeldReason::Newer),
        |pack| pack.entries[1].content = PackContent::Genesis { actor: 0 },
    ];
    for (index, spoil) in spoil.into_iter().enumerate() {
        let mut pack = good.clone();
        spoil(&mut pack);
        assert_eq!(
            pack.to_bytes(),
            Err(PackError::Malformed),
            "spoilt in way {index}"
        );
    }
}

#[test]
fn damaged_packs_are_refused_or_read_as_something_and_never_panic() {
    let mut samples = Samples::new(5);
    let whole = odd_pack(&mut samples).to_bytes().unwrap();
    let batch = vec![whole.clone(), samples.hazard().pack(0).to_bytes().unwrap()];
    let batch = PackBatch::sign(
        batch,
        1,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let together = encode_batch(&batch, &[]);
    for len in 0..whole.len() {
        assert!(Pack::from_bytes(&whole[..len]).is_err(), "cut at {len}");
    }
    for len in 0..together.len() {
        assert!(read_batch(&together[..len], &[]).is_err(), "cut at {len}");
    }
    for seed in 0..4_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut one, mut many) = (whole.clone(), together.clone());
        for _ in 0..=seed % 4 {
            damage(&mut rng, &mut one);
            damage(&mut rng, &mut many);
        }
        if let Ok(pack) = Pack::from_bytes(&one) {
            let again = Pack::from_bytes(&pack.to_bytes().unwrap());
            assert_eq!(again, Ok(pack), "seed {seed}");
        }
        if let Ok(batch) = read_batch(&many, &[]) {
            assert_eq!(
                read_batch(&encode_batch(&batch, &[]), &[]),
                Ok(batch),
                "seed {seed}"
            );
        }
        let noise: [u8; 120] = bytes(&mut rng);
        assert!(Pack::from_bytes(&[&[VERSION][..], &noise].concat()).is_err());
        assert!(read_batch(&[&[VERSION][..], &noise].concat(), &[]).is_err());
    }
}

#[test]
fn a_small_batch_can_not_grow_into_large_packs() {
    let mut samples = Samples::new(6);
    let mut pack = samples.hazard().pack(0);
    pack.entries.truncate(1);
    pack.document.clear();
    pack.genesis.named = (0..200).map(|n| crate::id::MemberId([n; 16])).collect();
    let packs: Vec<Vec<u8>> = (0..500_u16)
        .map(|n| {
            pack.entries[0].id.0[..2].copy_from_slice(&n.to_be_bytes());
            pack.to_bytes().unwrap()
        })
        .collect();
    let batch = PackBatch::sign(
        packs,
        1,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let lever = encode_forms(&batch, &[], true);
    assert!(lever.len() * 60 < batch.packs.iter().map(Vec::len).sum());
    assert_eq!(read_batch(&lever, &[]), Err(PackError::Malformed));
    let honest = encode_batch(&batch, &[]);
    assert_eq!(
        read_batch(&honest, &[]),
        Ok(batch),
        "an honest sender sends them as they are"
    );
}

#[test]
fn batches_that_grow_too_much_together_are_refused() {
    use super::super::frame::{self, FrameError};
    use super::super::message::GiveBack;
    use crate::limits::REQUEST_BYTES_MAX;
    let mut samples = Samples::new(30);
    let mut pack = samples.hazard().pack(0);
    pack.entries.truncate(1);
    pack.document.clear();
    pack.genesis.named = (0..200).map(|n| crate::id::MemberId([n; 16])).collect();
    let packs: Vec<Vec<u8>> = (0..10_u8)
        .map(|n| {
            pack.entries[0].id.0[0] = n;
            pack.to_bytes().unwrap()
        })
        .collect();
    let batch = PackBatch::sign(
        packs,
        1,
        START_MS,
        &samples.deployment.server,
        samples.deployment.authority(),
    );
    let frame_of = |count: usize| {
        let message = GiveBack {
            packs: vec![batch.clone(); count],
            ..GiveBack::default()
        };
        frame::encode(&message, REQUEST_BYTES_MAX).unwrap()
    };
    let read = |frame: &[u8]| frame::decode::<GiveBack>(frame, REQUEST_BYTES_MAX);
    assert_eq!(read(&frame_of(2)).unwrap().packs.len(), 2);
    // Each of them is as before, and a few bytes in the frame.
    let many = frame_of(60);
    assert!(many.len() < 20_000, "{} bytes", many.len());
    assert_eq!(read(&many), Err(FrameError::Shape));
}

#[test]
fn counts_beyond_the_limit_or_beyond_the_bytes_are_refused() {
    for count in [0, 60_000, 70_000, u64::MAX] {
        let mut out = Columns::<{ pack_columns::COLUMNS }>::new();
        out.uint(pack_columns::COUNTS, count);
        let mut bytes = vec![VERSION];
        out.finish(&mut bytes);
        assert_eq!(Pack::from_bytes(&bytes), Err(PackError::Malformed));
    }
}
