//! A relay to the server that counts every byte that TCP carries, HTTP heads included.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counting relay in front of a server, on loopback.
pub(super) struct Wire {
    address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    up: AtomicU64,
    down: AtomicU64,
}

/// Bytes that went over a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes {
    /// To the server.
    pub(super) up: u64,
    /// From the server.
    pub(super) down: u64,
}

impl Bytes {
    pub(super) fn both(self) -> u64 {
        self.up + self.down
    }
}

impl Sub for Bytes {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            up: self.up - before.up,
            down: self.down - before.down,
        }
    }
}

impl Wire {
    /// Opens a wire to the server at this URL.
    pub(super) fn to(url: &str) -> Self {
        let server = url.split_once("://").unwrap().1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            counters: Arc::default(),
        };
        let counters = Arc::clone(&wire.counters);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&server) else {
                    continue;
                };
                join(&near, &far, &counters, |counters| &counters.up);
                join(&far, &near, &counters, |counters| &counters.down);
            }
        });
        wire
    }

    /// Returns the URL of the wire, which phones use in place of the server's.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the bytes so far.
    pub(super) fn counted(&self) -> Bytes {
        Bytes {
            up: self.counters.up.load(Ordering::SeqCst),
            down: self.counters.down.load(Ordering::SeqCst),
        }
    }
}

/// Carries bytes from one end to the other, and counts them before it passes them on.
fn join(
    from: &TcpStream,
    to: &TcpStream,
    counters: &Arc<Counters>,
    counter: fn(&Counters) -> &AtomicU64,
) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    to.set_nodelay(true).unwrap();
    let counters = Arc::clone(counters);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1_024];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            counter(&counters).fetch_add(count as u64, Ordering::SeqCst);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The other end may be gone already.
        let _ = to.shutdown(Shutdown::Write);
    });
}
