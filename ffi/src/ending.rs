//! Closes every replica at the end of the process.
//!
//! When the process ends, `SQLCipher` frees the memory that all its connections share, in a handler of
//! `atexit`. A thread that uses a replica at that moment would crash the host. Handlers run in reverse order,
//! and this one is registered after a first replica was opened, so it runs before.
//!
//! OpenSSL has such a handler too. The handler frees the data of every thread, and a thread that ends at that
//! moment frees its data too, so the process dies of a double free. Therefore OpenSSL is asked to leave its
//! memory to the system, before a first replica uses it. A host that started the same OpenSSL earlier decides
//! on its own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::Duration;

use crate::error::{Answer, OneGridError, guarded};
use crate::phone::Inner;

/// The time that the end of the process waits for replicas to close. If the host ends the process within a call
/// of this library, it waits that long.
const WAIT: Duration = Duration::from_secs(5);

/// The replicas that are open in this process.
static REGISTER: Mutex<Register> = Mutex::new(Register {
    open: 0,
    ended: false,
    phones: Vec::new(),
});
/// Notified after each replica that closes.
static CLOSED: Condvar = Condvar::new();

struct Register {
    /// Replicas that are open or about to be.
    open: usize,
    /// Whether the process ends; then no replica opens any more.
    ended: bool,
    phones: Vec<Weak<Inner>>,
}

fn register() -> MutexGuard<'static, Register> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The permission to have a replica open. The process does not end while one is held.
#[derive(Debug)]
pub(crate) struct Open(());

impl Open {
    /// Asks for the permission, before a replica is opened.
    pub(crate) fn ask() -> Answer<Self> {
        static ASKED: Once = Once::new();
        let mut register = register();
        if register.ended {
            return Err(OneGridError::of("phone.shut"));
        }
        register.open += 1;
        drop(register);
        ASKED.call_once(leave_openssl_alone_at_exit);
        Ok(Self(()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        register().open -= 1;
        CLOSED.notify_all();
    }
}

/// Registers a phone, which is shut when the process ends.
pub(crate) fn shut_at_end(phone: &Arc<Inner>) {
    static REGISTERED: Once = Once::new();
    let mut register = register();
    register.phones.retain(|phone| phone.strong_count() > 0);
    register.phones.push(Arc::downgrade(phone));
    drop(register);
    REGISTERED.call_once(at_exit);
}

#[allow(
    unsafe_code,
    reason = "the standard library has no way to run code at the end of the process"
)]
fn at_exit() {
    // SAFETY: `atexit` takes any function that does not unwind, and `end` catches every panic.
    let refused = unsafe { libc::atexit(end) };
    if refused != 0 {
        tracing::warn!(code = "phone.bug", "replicas are not closed at the end");
    }
}

/// `OPENSSL_INIT_NO_ATEXIT` of `openssl/crypto.h`, since OpenSSL 1.1.1.
const NO_ATEXIT: u64 = 0x0008_0000;

#[allow(unsafe_code, reason = "OpenSSL is a library in C")]
unsafe extern "C" {
    /// Starts OpenSSL with these options; 1 when it did. The settings may be null.
    fn OPENSSL_init_crypto(options: u64, settings: *const libc::c_void) -> libc::c_int;
}

#[allow(
    unsafe_code,
    reason = "SQLCipher starts OpenSSL without this option, and has none to set it"
)]
fn leave_openssl_alone_at_exit() {
    // SAFETY: every thread may call this function at any time, and null stands for no settings.
    let started = unsafe { OPENSSL_init_crypto(NO_ATEXIT, std::ptr::null()) };
    if started != 1 {
        tracing::warn!(code = "phone.bug", "OpenSSL frees its memory at the end");
    }
}

extern "C" fn end() {
    // A panic here must not reach the C library, and no caller is left to get the error.
    drop(guarded(|| {
        let phones: Vec<_> = {
            let mut register = register();
            register.ended = true;
            register.phones.drain(..).collect()
        };
        // This runs on a thread of its own, because the present one may be in the middle of a call that a
        // replica waits for.
        std::thread::spawn(move || {
            for phone in phones.iter().filter_map(Weak::upgrade) {
                drop(phone.shut());
            }
        });
        let still_open = CLOSED.wait_timeout_while(register(), WAIT, |register| register.open > 0);
        drop(still_open);
        Ok(())
    }));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::device::open_device;
    use crate::testing::MemoryVault;
    use crate::types::{DeviceConfig, Query};

    /// Names the folder of a process that ends in the middle of its work.
    const FOLDER: &str = "ONEGRID_TEST_ENDING";
    /// Set for a process whose threads end together with it.
    const ENDING_THREADS: &str = "ONEGRID_TEST_ENDING_THREADS";

    /// A process that ends while its threads read without a pause, and while one of two phones is dropped.
    #[test]
    fn ending_process() {
        let Ok(folder) = std::env::var(FOLDER) else {
            return;
        };
        let config = DeviceConfig {
            folder,
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::new(MemoryVault::default())).unwrap();
        let mut phones: Vec<_> = ["a", "b"]
            .into_iter()
            .map(|name| {
                let account = device.add_account(name.to_owned(), None).unwrap();
                device.open_account(account.slot, None).unwrap().phone
            })
            .collect();
        let (started, reading) = std::sync::mpsc::channel();
        for phone in &phones {
            let (phone, started) = (Arc::clone(phone), started.clone());
            std::thread::spawn(move || {
                while phone.list(Query::default(), None, 50).is_ok() {
                    // Only the first message has a receiver.
                    let _ = started.send(());
                }
            });
        }
        for _ in &phones {
            reading.recv().unwrap();
        }
        let dropped = phones.pop();
        std::thread::spawn(move || drop(dropped));
        std::process::exit(0);
    }

    #[allow(unsafe_code, reason = "OpenSSL is a library in C")]
    unsafe extern "C" {
        fn RAND_bytes(bytes: *mut u8, count: libc::c_int) -> libc::c_int;
    }

    /// A process that ends while threads that used OpenSSL end, as each page of a replica does.
    #[test]
    #[allow(unsafe_code, reason = "OpenSSL is a library in C")]
    fn ending_threads() {
        const THREADS: u32 = 64;
        if std::env::var_os(ENDING_THREADS).is_none() {
            return;
        }
        drop(Open::ask().unwrap());
        let ready = Arc::new(std::sync::Barrier::new(THREADS as usize + 1));
        for thread in 0..THREADS {
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || {
                let mut bytes = [0_u8; 16];
                // SAFETY: there is room for 16 bytes.
                assert_eq!(unsafe { RAND_bytes(bytes.as_mut_ptr(), 16) }, 1);
                ready.wait();
                // The loop spreads the ends of the threads over the end of the process.
                (0..thread * 50).for_each(|_| std::hint::spin_loop());
            });
        }
        ready.wait();
        std::process::exit(0);
    }

    /// One in ten of these processes crashed while OpenSSL freed its memory.
    #[test]
    fn process_ends_well_beside_ending_threads() {
        for _ in 0..100 {
            let ended = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ending::tests::ending_threads"])
                .env(ENDING_THREADS, "1")
                .output()
                .unwrap();
            assert!(ended.status.success(), "{ended:?}");
        }
    }

    /// Returns the names of all files below a folder.
    fn files(folder: &std::path::Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                names.extend(files(&entry.path()));
            } else {
                names.push(entry.file_name().into_string().unwrap());
            }
        }
        names
    }

    #[test]
    fn process_with_open_phones_ends_well() {
        // In memory if possible, because the end waits for files only so long, and a busy disk may take longer.
        let memory = std::path::Path::new("/dev/shm");
        for _ in 0..10 {
            let folder = if memory.is_dir() {
                tempfile::tempdir_in(memory).unwrap()
            } else {
                tempfile::tempdir().unwrap()
            };
            let ended = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ending::tests::ending_process"])
                .env(FOLDER, folder.path())
                .output()
                .unwrap();
            assert!(ended.status.success(), "{ended:?}");
            let left = files(folder.path());
            assert!(
                left.iter()
                    .any(|name| Path::new(name).extension() == Some("db".as_ref())),
                "{left:?}"
            );
            // A closed replica has written its log back.
            let logs = left.iter().filter(|name| name.ends_with("-wal"));
            assert_eq!(logs.count(), 0, "{left:?}");
        }
    }
}
