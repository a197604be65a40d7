//! The host's vault behind a thread and a time limit.
//!
//! The replica writes its marker in the middle of a transaction, so it holds its own lock then. A vault that
//! hangs, throws or calls the SDK must not block the app. So its calls run on a thread of their own, one after
//! the other, each caller gives up after [`LIMIT`], and a call into the SDK from that thread is refused at once.
//! A call that hangs keeps its thread, and the next call gets a new one, at most [`THREADS_MAX`] in all.
//! If a caller gives up before its call begins, the call is left out, so no secret is saved late and out of order.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use onegrid_core::vault as core;
use zeroize::Zeroizing;

use crate::error::{Answer, OneGridError};
use crate::host::{KeyVault, VaultError};

/// The time limit of a call of the vault.
const LIMIT: Duration = Duration::from_secs(10);
/// The limit of waiting calls of a vault that hangs; a further call fails at once.
const CALLS_WAITING_MAX: usize = 16;
/// Threads for a vault whose calls hang; then further calls wait for one of them.
const THREADS_MAX: usize = 4;

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Refuses a call from within a callback that a thread of the SDK waits for.
pub(crate) fn refuse_in_callback() -> Answer<()> {
    if IN_CALLBACK.get() {
        return Err(OneGridError::of("phone.called_back_in"));
    }
    Ok(())
}

type Work = Box<dyn FnOnce(&dyn KeyVault) + Send>;

/// A call of the vault that waits for its turn.
struct Job {
    work: Work,
    /// Set when the caller no longer waits.
    given_up: Arc<AtomicBool>,
}

/// The vault, as the core uses it.
pub(crate) struct GuardedVault {
    host: Arc<dyn KeyVault>,
    jobs: Mutex<Option<SyncSender<Job>>>,
    limit: Duration,
    /// Each thread that works for the vault holds a clone.
    threads: Arc<()>,
}

impl GuardedVault {
    pub(crate) fn new(host: Arc<dyn KeyVault>) -> Self {
        Self {
            host,
            jobs: Mutex::new(None),
            limit: LIMIT,
            threads: Arc::new(()),
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn KeyVault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, core::VaultFault> {
        let (answer, answered) = sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        self.send(Job {
            work: Box::new(move |vault| drop(answer.send(work(vault)))),
            given_up: Arc::clone(&given_up),
        })?;
        match answered.recv_timeout(self.limit) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => {
                given_up.store(true, Ordering::Release);
                // The next call gets a new thread, until too many of them hang.
                if Arc::strong_count(&self.threads) <= THREADS_MAX {
                    *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                tracing::warn!(code = "vault.failed", "the vault did not answer");
                Err(core::VaultFault::Failed)
            }
        }
    }

    fn send(&self, job: Job) -> Result<(), core::VaultFault> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.is_none() {
            let (sender, receiver) = sync_channel(CALLS_WAITING_MAX);
            let (host, thread) = (Arc::clone(&self.host), Arc::clone(&self.threads));
            std::thread::Builder::new()
                .name("onegrid-vault".to_owned())
                .spawn(move || {
                    work_off(&*host, &receiver);
                    drop(thread);
                })
                .map_err(|_| core::VaultFault::Failed)?;
            *jobs = Some(sender);
        }
        // The call is refused when the vault hangs and too many calls wait.
        let sent = jobs.as_ref().map(|jobs| jobs.try_send(job));
        sent.and_then(Result::ok).ok_or(core::VaultFault::Failed)
    }
}

fn work_off(host: &dyn KeyVault, jobs: &Receiver<Job>) {
    IN_CALLBACK.set(true);
    while let Ok(job) = jobs.recv() {
        if !job.given_up.load(Ordering::Acquire) {
            // A vault that panics drops the answer, so its caller gets an error at once.
            drop(catch_unwind(AssertUnwindSafe(|| (job.work)(host))));
        }
    }
}

fn fault(error: &VaultError) -> core::VaultFault {
    match error {
        VaultError::KeyGone => core::VaultFault::KeyGone,
        VaultError::Locked => core::VaultFault::Locked,
        VaultError::Failed { reason } => {
            tracing::warn!(code = "vault.failed", reason, "the vault failed");
            core::VaultFault::Failed
        }
    }
}

impl core::KeyVault for GuardedVault {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, core::VaultFault> {
        let name = name.to_owned();
        let loaded = self.ask(move |vault| vault.load(name))?;
        Ok(loaded.map(Zeroizing::new))
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), core::VaultFault> {
        let (name, secret) = (name.to_owned(), secret.to_vec());
        self.ask(move |vault| vault.save(name, secret))
    }

    fn remove(&self, name: &str) -> Result<(), core::VaultFault> {
        let name = name.to_owned();
        self.ask(move |vault| vault.remove(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::{HashMap, HashSet};
    use std::thread::ThreadId;

    use onegrid_core::vault::{KeyVault as _, VaultFault};

    use super::*;

    #[derive(Default)]
    struct Odd {
        kept: Mutex<HashMap<String, Vec<u8>>>,
    }

    impl KeyVault for Odd {
        fn load(&self, name: String) -> Result<Option<Vec<u8>>, VaultError> {
            match name.as_str() {
                "gone" => Err(VaultError::KeyGone),
                "panics" => panic!("the host's own bug"),
                "calls" => {
                    let refused = refuse_in_callback().unwrap_err();
                    Ok(Some(refused.code().as_bytes().to_vec()))
                }
                _ => Ok(self.kept.lock().unwrap().get(&name).cloned()),
            }
        }

        fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError> {
            self.kept.lock().unwrap().insert(name, secret);
            Ok(())
        }

        fn remove(&self, name: String) -> Result<(), VaultError> {
            self.kept.lock().unwrap().remove(&name);
            Ok(())
        }
    }

    #[test]
    fn vault_that_throws_or_panics_or_calls_back_costs_one_call() {
        let vault = GuardedVault::new(Arc::new(Odd::default()));
        vault.save("key", b"secret").unwrap();
        assert_eq!(vault.load("gone").unwrap_err(), VaultFault::KeyGone);
        assert_eq!(vault.load("panics").unwrap_err(), VaultFault::Failed);
        let refused = vault.load("calls").unwrap().unwrap();
        assert_eq!(refused.as_slice(), b"phone.called_back_in");
        assert!(
            refuse_in_callback().is_ok(),
            "other threads are not concerned"
        );
        assert_eq!(vault.load("key").unwrap().unwrap().as_slice(), b"secret");
        vault.remove("key").unwrap();
        assert!(vault.load("key").unwrap().is_none());
    }

    /// A vault whose first save waits until the test says so.
    struct Slow {
        started: SyncSender<()>,
        release: Mutex<Receiver<()>>,
        saved: Mutex<Vec<Vec<u8>>>,
        threads: Mutex<HashSet<ThreadId>>,
    }

    impl KeyVault for Slow {
        fn load(&self, _: String) -> Result<Option<Vec<u8>>, VaultError> {
            Ok(self.saved.lock().unwrap().last().cloned())
        }

        fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError> {
            self.threads
                .lock()
                .unwrap()
                .insert(std::thread::current().id());
            if name == "hangs" {
                self.started.try_send(()).ok();
                // Until the test ends.
                self.release.lock().unwrap().recv().unwrap_err();
            }
            self.saved.lock().unwrap().push(secret);
            Ok(())
        }

        fn remove(&self, _: String) -> Result<(), VaultError> {
            Ok(())
        }
    }

    #[test]
    fn vault_that_hangs_costs_one_call_and_few_threads() {
        let (started, has_started) = sync_channel(THREADS_MAX);
        let (release, released) = sync_channel(THREADS_MAX);
        let slow = Arc::new(Slow {
            started,
            release: Mutex::new(released),
            saved: Mutex::default(),
            threads: Mutex::default(),
        });
        let mut vault = GuardedVault::new(Arc::clone(&slow) as Arc<dyn KeyVault>);
        let (short, long) = (Duration::from_millis(500), Duration::from_mins(5));
        vault.limit = short;
        // A call whose thread gets no turn within the limit is given up before the vault hangs.
        while has_started.try_recv().is_err() {
            assert_eq!(vault.save("hangs", b"1").unwrap_err(), VaultFault::Failed);
        }
        vault.limit = long;
        vault.save("key", b"2").unwrap();
        assert_eq!(*slow.saved.lock().unwrap(), [b"2".to_vec()]);
        vault.limit = short;
        for _ in 0..2 * THREADS_MAX {
            assert_eq!(vault.save("hangs", b"3").unwrap_err(), VaultFault::Failed);
        }
        let threads = slow.threads.lock().unwrap().len();
        assert!(threads <= THREADS_MAX + 1, "{threads} threads");
        drop(release);
    }
}
