//! Each call of the vault may fail or be the last before the phone goes off: no account is lost by it.

use super::*;

/// Runs `step` with the vault failing at every place in turn, and `check` after a restart with a vault that
/// works again, until the step succeeds without a failure.
fn at_every_place(
    prepare: impl Fn(&mut Device) -> Slot,
    step: impl Fn(&Accounts, Slot, &mut ChaCha20Rng) -> Result<(), VaultError>,
    check: impl Fn(&Device, Slot, Result<(), VaultError>),
) {
    for failure in [Failure::Before, Failure::After] {
        for calls in 0.. {
            let mut device = Device::new(40);
            let slot = prepare(&mut device);
            device.vault.fail_after(calls, failure);
            let done = step(&device.start(), slot, &mut device.rng.clone());
            device.vault.recover();
            check(&device, slot, done);
            let (names, folders) = (device.vault.names(), device.start().list().unwrap());
            for name in names {
                let slot: Slot = name.split('.').next().unwrap().parse().unwrap();
                let aside = device.start().set_aside().unwrap();
                let known = folders.iter().chain(&aside).any(|a| a.slot == slot);
                assert!(known, "a secret without account is left: {name}");
            }
            if done.is_ok() && calls > 5 {
                break;
            }
        }
    }
}

fn with_pin(device: &mut Device) -> Slot {
    device.create("A", Some("4711")).slot()
}

fn opens(device: &Device, slot: Slot, pin: &str) -> bool {
    device.unlock(slot, Some(pin), NOW).is_ok()
}

#[test]
fn failing_creation_leaves_the_others_and_no_rest() {
    at_every_place(
        with_pin,
        |accounts, _, rng| accounts.create("B", None, rng).map(drop),
        |device, slot, done| {
            assert!(opens(device, slot, "4711"));
            let names = device.names();
            assert_eq!(names.contains(&"B".to_owned()), done.is_ok(), "{names:?}");
        },
    );
}

#[test]
fn failing_change_of_pin_leaves_the_old_or_the_new() {
    at_every_place(
        with_pin,
        |accounts, slot, rng| {
            accounts.change_pin(slot, Some(&pin("4711")), Some(&pin("2580")), NOW, rng)
        },
        |device, slot, done| {
            let (old, new) = (opens(device, slot, "4711"), opens(device, slot, "2580"));
            assert!(old != new, "one of them opens it");
            assert!(new || done.is_err());
        },
    );
}

#[test]
fn failing_start_over_keeps_the_old_account() {
    at_every_place(
        with_pin,
        |accounts, slot, rng| accounts.start_over(slot, None, rng).map(drop),
        |device, slot, done| {
            let accounts = device.start();
            if done.is_ok() {
                accounts.take_back(slot).unwrap();
            }
            assert!(opens(device, slot, "4711"));
            assert_eq!(
                accounts.list().unwrap().len(),
                1 + usize::from(done.is_ok())
            );
        },
    );
}

#[test]
fn failing_wipe_is_finished_by_the_next_start() {
    at_every_place(
        |device| {
            let slot = with_pin(device);
            device.unlock(slot, Some("0000"), NOW).unwrap_err();
            slot
        },
        |accounts, slot, _| accounts.wipe(slot),
        |device, _, _| {
            assert!(device.start().list().unwrap().is_empty());
            assert!(device.vault.names().is_empty());
        },
    );
}

/// The phone goes off between the vault and the name of a new account: nothing is left of it, and nothing
/// else is touched.
#[test]
fn creation_cut_off_before_the_name_is_cleared() {
    let mut device = Device::new(41);
    let cut_off = device.create("A", None);
    let kept = device.create("B", None);
    std::fs::rename(
        cut_off.folder().join("name"),
        cut_off.folder().join(".name.next"),
    )
    .unwrap();
    assert_eq!(device.names(), ["B"]);
    assert_eq!(device.vault.names(), [kept.slot().to_string()]);
    assert!(!cut_off.folder().exists());
}

#[test]
fn account_whose_name_is_lost_stays() {
    let mut device = Device::new(42);
    let made = device.create("A", None);
    std::fs::write(made.replica_path(), b"work").unwrap();
    let name = made.folder().join("name");
    for damage in [None, Some(vec![0xff; 10]), Some(vec![b'a'; 10_000])] {
        match damage {
            None => std::fs::remove_file(&name).unwrap(),
            Some(bytes) => std::fs::write(&name, bytes).unwrap(),
        }
        assert_eq!(device.names(), [made.slot().to_string()]);
        assert_eq!(
            keys(&device.unlock(made.slot(), None, NOW).unwrap()),
            keys(&made)
        );
    }
    device.start().rename(made.slot(), "A").unwrap();
    assert_eq!(device.names(), ["A"]);
}

#[test]
fn start_over_that_a_crash_cut_off_is_finished_by_the_next_start() {
    let mut device = Device::new(73);
    let old = device.create("A", None);
    let fresh = device.create("A", None);
    // Power was lost between the name of the new account and setting the old one aside.
    let mark = fresh.folder().join(".replaces");
    std::fs::write(&mark, old.slot().to_string()).unwrap();
    let accounts = device.start();
    let slots = |accounts: Vec<Account>| -> Vec<Slot> {
        accounts.into_iter().map(|account| account.slot).collect()
    };
    assert_eq!(slots(accounts.list().unwrap()), [fresh.slot()]);
    assert_eq!(slots(accounts.set_aside().unwrap()), [old.slot()]);
    assert!(!mark.exists());
    // An account that a person takes back later stays.
    accounts.take_back(old.slot()).unwrap();
    assert_eq!(device.start().list().unwrap().len(), 2);
}
