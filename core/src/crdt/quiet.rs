//! Runs foreign code that may panic on hostile input: the panic is caught and says nothing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `work`; `None` when it panicked.
///
/// The panic hook that was in place before stays in place for every other panic: ours asks a flag of
/// its own thread and is silent only while `work` runs.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    QUIET.set(outer);
    result
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
        assert!(!QUIET.get());
        let inner = guarded(|| guarded(|| -> u8 { panic!("canary of hostile bytes") }).is_none());
        assert_eq!(inner, Some(true));
        let other = std::thread::spawn(|| panic!("a panic of our own")).join();
        assert!(other.is_err());
    }

    /// Runs the test above in a process of its own and reads what it prints.
    #[test]
    fn a_guarded_panic_prints_nothing_and_any_other_does() {
        let name = "crdt::quiet::tests::a_panic_ends_at_the_guard_and_the_flag_is_reset";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success());
        assert!(printed.contains("a panic of our own"), "{printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
