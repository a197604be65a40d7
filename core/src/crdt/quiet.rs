//! Runs foreign code that may panic on hostile input, and catches the panic.
//!
//! A panic hook belongs to the process, so the core installs none and the host's hook stays in place. The
//! hook can ask [`is_guarded`] and then be silent. The panic is caught here anyway, and its message may quote
//! content.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; `None` when it panicked.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    GUARDED.set(outer);
    result
}

/// Whether a panic of this thread, now, ends inside the gate. Such a panic is a refused change of another
/// author, and no bug. The panic hook of a host asks this.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_panic_ends_at_the_guard_and_the_flag_is_reset() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(
            guarded(|| -> u8 { panic!("canary of hostile bytes") }),
            None
        );
        assert!(!is_guarded());
        let inner = guarded(|| guarded(|| -> u8 { panic!("canary of hostile bytes") }).is_none());
        assert_eq!(inner, Some(true));
        let other = std::thread::spawn(|| panic!("a panic of our own")).join();
        assert!(other.is_err());
    }

    /// The host of the test below: it sets its own hook before it uses the core.
    #[test]
    #[ignore = "run by the test below, in a process of its own"]
    fn host_with_a_hook_of_its_own() {
        std::panic::set_hook(Box::new(|panic| {
            let whose = if is_guarded() { "guarded" } else { "own" };
            eprintln!("host's hook: {whose}: {}", panic.location().unwrap().line());
        }));
        a_panic_ends_at_the_guard_and_the_flag_is_reset();
    }

    /// Every panic reaches the hook of the host, and the hook can recognise a panic that the gate catches.
    #[test]
    fn panic_hook_of_the_host_stays_in_place() {
        let name = "crdt::quiet::tests::host_with_a_hook_of_its_own";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        assert_eq!(
            printed.matches("host's hook: guarded").count(),
            2,
            "{printed}"
        );
        assert_eq!(printed.matches("host's hook: own").count(), 1, "{printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
