//! A vault that is locked, and app data restored onto a phone whose key store is another one.

use super::*;
use crate::fixtures::{Deployment, GRID_WORKER_CHEN, facts, hazard, home};
use crate::replica::{Draft, Epoch, Replica, ReplicaError};

#[test]
fn locked_vault_is_told_and_harmless() {
    let mut device = Device::new(60);
    let made = device.create("A", Some("4711"));
    for (fault, error) in [
        (VaultFault::Locked, VaultError::Locked),
        (VaultFault::KeyGone, VaultError::KeyGone),
        (VaultFault::Failed, VaultError::Failed),
    ] {
        device.vault.answer_with(fault);
        let refused = device.unlock(made.slot(), Some("4711"), NOW).err();
        assert_eq!(refused, Some(error));
        assert_eq!(device.names(), ["A"], "the list needs no vault");
        device.vault.recover();
        let opened = device.unlock(made.slot(), Some("4711"), NOW).unwrap();
        assert_eq!(keys(&opened), keys(&made));
    }
}

#[test]
fn restored_folder_without_secrets_says_key_gone() {
    let mut device = Device::new(61);
    let made = device.create("A", Some("4711"));
    std::fs::write(made.replica_path(), b"sealed").unwrap();
    device.vault = MemoryVault::default();
    let refused = device.unlock(made.slot(), Some("4711"), NOW).err();
    assert_eq!(refused, Some(VaultError::KeyGone));
    let fresh = device
        .start()
        .start_over(made.slot(), None, &mut device.rng)
        .unwrap();
    assert!(device.unlock(fresh.slot(), None, NOW).is_ok());
    let aside = device
        .path()
        .join(format!("{}.aside/replica.db", made.slot()));
    assert_eq!(std::fs::read(aside).unwrap(), b"sealed");
}

#[test]
fn replica_opens_with_the_accounts_keys_only() {
    let mut device = Device::new(62);
    let first = device.create("A", Some("4711"));
    let second = device.create("B", None);
    let entropy = || Box::new(ChaCha20Rng::seed_from_u64(1));
    Replica::create(first.options(entropy()))
        .unwrap()
        .close()
        .unwrap();
    let opened = device.unlock(first.slot(), Some("4711"), NOW).unwrap();
    let replica = Replica::open(opened.options(entropy())).unwrap();
    assert_eq!(replica.device(), first.signer().public().device());
    replica.close().unwrap();
    let mut crossed = second.options(entropy());
    crossed.path = first.replica_path();
    let refused = Replica::open(crossed).unwrap_err();
    assert!(matches!(refused, ReplicaError::WrongKey), "{refused:?}");
}

/// The epoch is kept from one orderly run to the next, and a marker that is gone costs a new one.
#[test]
fn marker_in_the_vault_guards_the_epoch() {
    let mut device = Device::new(63);
    let made = device.create("A", None);
    let entropy = |run| Box::new(ChaCha20Rng::seed_from_u64(run));
    let mut replica = Replica::create(made.options(entropy(0))).unwrap();
    enrol(&mut replica, &made);
    let mut epochs = vec![write(replica)];
    for run in 1..4 {
        if run == 2 {
            device.vault.forget(&format!("{}.marker", made.slot()));
        }
        epochs.push(write(Replica::open(made.options(entropy(run))).unwrap()));
    }
    assert_eq!(epochs[0], epochs[1], "an orderly rest");
    assert_ne!(epochs[1], epochs[2], "the marker was not restored");
    assert_eq!(epochs[2], epochs[3]);
}

fn enrol(replica: &mut Replica, account: &Unlocked) {
    let deployment = Deployment::new();
    let key = account.signer().public();
    let grants = vec![GRID_WORKER_CHEN.grant()];
    let own = deployment.certify(&facts(&key, GRID_WORKER_CHEN.member(), grants));
    replica
        .enrol(&deployment.anchors, &deployment.secrets, &own)
        .unwrap();
}

/// Writes one report, closes the replica, and tells the epoch that it wrote under.
fn write(mut replica: Replica) -> Epoch {
    let draft = Draft::staff(hazard("gas").into(), home());
    replica.report(&draft, NOW).unwrap();
    let epoch = replica.epoch().unwrap().unwrap();
    replica.close().unwrap();
    epoch
}

#[test]
fn marker_that_can_not_be_written_names_the_vault() {
    let mut device = Device::new(64);
    let made = device.create("A", None);
    device.vault.answer_with(VaultFault::Locked);
    let entropy = Box::new(ChaCha20Rng::seed_from_u64(1));
    let refused = Replica::create(made.options(entropy)).unwrap_err();
    let ReplicaError::Marker(source) = refused else {
        panic!("{refused:?}");
    };
    let source = source
        .get_ref()
        .and_then(|e| e.downcast_ref::<VaultError>());
    assert_eq!(source, Some(&VaultError::Locked));
}
