//! Wrong PINs: counted before they are looked at, slowed down, never fatal.

use super::*;
use crate::limits::{PIN_PAUSE_MS_FIRST, PIN_PAUSE_MS_MAX, PIN_TRIES_FREE};

fn wrong(device: &Device, slot: Slot, now_ms: i64) -> VaultError {
    device.unlock(slot, Some("0000"), now_ms).unwrap_err()
}

#[test]
fn right_pin_opens_and_no_pin_is_asked_for() {
    let mut device = Device::new(20);
    let made = device.create("A", Some("4711"));
    let without = device.unlock(made.slot(), None, NOW).unwrap_err();
    assert_eq!(without, VaultError::PinNeeded);
    let refused = wrong(&device, made.slot(), NOW);
    let expected = VaultError::WrongPin {
        tries: 1,
        until_ms: None,
    };
    assert_eq!(refused, expected);
    assert!(device.unlock(made.slot(), Some("４７１１"), NOW).is_ok());
    assert_eq!(wrong(&device, made.slot(), NOW), expected, "counted anew");
}

#[test]
fn fifth_wrong_pin_begins_growing_pauses() {
    let mut device = Device::new(21);
    let made = device.create("A", Some("4711"));
    let slot = made.slot();
    for _ in 1..PIN_TRIES_FREE {
        assert_eq!(wrong(&device, slot, NOW).until_ms(), None);
    }
    let (mut now, mut pause) = (NOW, PIN_PAUSE_MS_FIRST);
    for more in 0..12 {
        let refused = wrong(&device, slot, now);
        let until_ms = now + pause;
        let expected = VaultError::WrongPin {
            tries: PIN_TRIES_FREE + more,
            until_ms: Some(until_ms),
        };
        assert_eq!(refused, expected);
        // Neither the right PIN nor a restart of the app helps during the pause.
        let early = device.unlock(slot, Some("4711"), until_ms - 1).unwrap_err();
        assert_eq!(early, VaultError::PinWait { until_ms });
        let told = device.start().pin_wait(slot, until_ms - 1).unwrap();
        assert_eq!(told, Some(until_ms));
        now = until_ms;
        pause = (pause * 2).min(PIN_PAUSE_MS_MAX);
    }
    assert_eq!(
        keys(&device.unlock(slot, Some("4711"), now).unwrap()),
        keys(&made)
    );
    assert_eq!(device.start().pin_wait(slot, now).unwrap(), None);
    assert_eq!(wrong(&device, slot, now).until_ms(), None);
}

#[test]
fn clock_set_back_neither_ends_nor_prolongs_a_pause() {
    let mut device = Device::new(22);
    let slot = device.create("A", Some("4711")).slot();
    for _ in 0..PIN_TRIES_FREE {
        wrong(&device, slot, NOW);
    }
    let earlier = NOW - 10 * 365 * 86_400_000;
    let until_ms = earlier + PIN_PAUSE_MS_FIRST;
    let refused = device.unlock(slot, Some("4711"), earlier).unwrap_err();
    assert_eq!(refused, VaultError::PinWait { until_ms });
    let refused = device.unlock(slot, Some("4711"), until_ms - 1).unwrap_err();
    assert_eq!(
        refused,
        VaultError::PinWait { until_ms },
        "it is not moved on"
    );
    assert!(device.unlock(slot, Some("4711"), until_ms).is_ok());
}

#[test]
fn try_that_can_not_be_counted_is_not_made() {
    let mut device = Device::new(23);
    let slot = device.create("A", Some("4711")).slot();
    device.vault.fail_after(0, Failure::Before);
    for pin in ["4711", "0000"] {
        let refused = device.unlock(slot, Some(pin), NOW).unwrap_err();
        assert_eq!(refused, VaultError::Failed, "right and wrong look the same");
    }
    device.vault.recover();
    // The phone goes off right after the count: the try has cost one.
    device.vault.fail_after(0, Failure::After);
    device.unlock(slot, Some("0000"), NOW).unwrap_err();
    device.vault.recover();
    let refused = wrong(&device, slot, NOW);
    assert!(matches!(refused, VaultError::WrongPin { tries: 2, .. }));
}

#[test]
fn damaged_count_costs_one_pause() {
    let mut device = Device::new(24);
    let slot = device.create("A", Some("4711")).slot();
    device.vault.put(&format!("{slot}.tries"), b"noise");
    let until_ms = NOW + PIN_PAUSE_MS_FIRST;
    let refused = device.unlock(slot, Some("4711"), NOW).unwrap_err();
    assert_eq!(refused, VaultError::PinWait { until_ms });
    assert!(device.unlock(slot, Some("4711"), until_ms).is_ok());
}

#[test]
fn pin_can_be_changed_set_and_taken_off() {
    let mut device = Device::new(25);
    let made = device.create("A", Some("4711"));
    let slot = made.slot();
    let changes = [
        (Some("4711"), Some("2580")),
        (Some("2580"), None),
        (None, Some("13579")),
    ];
    for (old, new) in changes {
        let accounts = device.start();
        let (old, new) = (old.map(pin), new.map(pin));
        if old.is_some() {
            let bad = pin("0000");
            let refused = accounts.change_pin(slot, Some(&bad), new.as_ref(), NOW, &mut device.rng);
            assert!(matches!(refused, Err(VaultError::WrongPin { .. })));
        }
        accounts
            .change_pin(slot, old.as_ref(), new.as_ref(), NOW, &mut device.rng)
            .unwrap();
        assert_eq!(accounts.has_pin(slot).unwrap(), new.is_some());
        let opened = accounts.unlock(slot, new.as_ref(), NOW).unwrap();
        assert_eq!(keys(&opened), keys(&made), "files stay readable");
        if new.is_some() && old.is_some() {
            let refused = accounts.unlock(slot, old.as_ref(), NOW);
            assert!(matches!(refused, Err(VaultError::WrongPin { .. })));
        }
    }
}

#[test]
fn forgotten_pin_sets_the_old_account_aside() {
    let mut device = Device::new(26);
    let made = device.create("Li Wei", Some("4711"));
    std::fs::write(made.replica_path(), b"undelivered").unwrap();
    let accounts = device.start();
    let fresh = accounts
        .start_over(made.slot(), Some(&pin("2580")), &mut device.rng)
        .unwrap();
    assert_ne!(keys(&fresh), keys(&made));
    assert!(
        !fresh.replica_path().exists(),
        "nothing of the old one is in it"
    );
    assert_eq!(device.names(), ["Li Wei"]);
    let aside = accounts.set_aside().unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(
        (aside[0].slot, aside[0].name.as_str()),
        (made.slot(), "Li Wei")
    );
    // The PIN comes to mind after all.
    accounts.take_back(made.slot()).unwrap();
    let opened = device.unlock(made.slot(), Some("4711"), NOW).unwrap();
    assert_eq!(keys(&opened), keys(&made));
    assert_eq!(
        std::fs::read(opened.replica_path()).unwrap(),
        b"undelivered"
    );
}
