//! The one address of a testbed, and the line behind it.
//!
//! ```text
//!  phone ──▶ Gate ──▶ server (or another one, or nothing at all)
//! ```
//!
//! A gate never depends on a clock: it is up or down, cuts connections after a number of bytes, or holds the
//! bytes back at a mark until it is opened. So a test can stop a sync in its middle without a sleep. Slow and
//! lossy lines are in [`crate::line`].

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest wait for bytes to reach a mark.
const HELD_WAIT: Duration = Duration::from_mins(5);
/// Bytes that are passed on at once.
const STEP_BYTES: usize = 4_096;

/// The state of the line from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// Bytes are passed on.
    #[default]
    Open,
    /// No network, so connections end at once, and there are no new ones.
    Down,
    /// Each connection ends after this many bytes to the phone.
    CutEvery(u64),
    /// This many more bytes reach phones; then every byte waits, and connections stay open.
    HoldAfter(u64),
}

/// Bytes that went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    /// From phones.
    pub(super) up: u64,
    /// To phones.
    pub(super) down: u64,
    /// Connections that were made.
    pub(super) connections: u64,
}

#[derive(Default)]
struct State {
    server: Option<SocketAddr>,
    way: Way,
    /// Bytes that may still reach phones before the mark of [`Way::HoldAfter`].
    left: u64,
    /// Whether the mark is reached.
    held: bool,
    counted: Counted,
    open: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A gate that listens. Its threads end with the process.
pub(super) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Gate {
    /// Listens on a free port of this machine.
    pub(super) fn listen() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let taking = Arc::clone(&shared);
        std::thread::spawn(move || {
            for phone in listener.incoming().flatten() {
                // A connection that fails is a connection that ends.
                let _ = pass(&taking, phone);
            }
        });
        Ok(Self { address, shared })
    }

    /// Returns the address of the gate.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads to this server from now on, or to none. Connections to the earlier server end.
    pub(super) fn lead_to(&self, server: Option<SocketAddr>) {
        let mut state = self.shared.state();
        state.server = server;
        state.cut();
    }

    /// Changes the state of the line. Connections that wait at a mark continue, or end.
    pub(super) fn set(&self, way: Way) {
        let mut state = self.shared.state();
        state.way = way;
        state.held = false;
        state.left = match way {
            Way::HoldAfter(bytes) => bytes,
            _ => 0,
        };
        if way == Way::Down {
            state.cut();
        }
        self.shared.changed.notify_all();
    }

    /// Waits until the mark is reached; returns whether it is.
    pub(super) fn wait_held(&self) -> bool {
        let state = self.shared.state();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, HELD_WAIT, |state| !state.held);
        waited.unwrap_or_else(PoisonError::into_inner).0.held
    }

    /// Returns the bytes and connections so far.
    pub(super) fn counted(&self) -> Counted {
        self.shared.state().counted
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many of these bytes may now reach a phone that got `before` bytes on this connection; waits
    /// at a mark. `None` ends the connection.
    fn allow(&self, bytes: usize, before: u64) -> Option<usize> {
        let mut state = self.state();
        loop {
            match state.way {
                Way::Open => break,
                Way::Down => return None,
                Way::CutEvery(most) => {
                    let left = most.saturating_sub(before);
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    return (left > 0).then_some(left.min(bytes));
                }
                Way::HoldAfter(_) if state.left > 0 => {
                    let left = usize::try_from(state.left).unwrap_or(usize::MAX);
                    let now = left.min(bytes);
                    state.left -= now as u64;
                    return Some(now);
                }
                Way::HoldAfter(_) => {
                    state.held = true;
                    self.changed.notify_all();
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        Some(bytes)
    }
}

impl State {
    fn cut(&mut self) {
        for connection in self.open.drain(..) {
            // The connection may be over already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// Connects a phone with the server, if the line is up.
fn pass(shared: &Arc<Shared>, phone: TcpStream) -> std::io::Result<()> {
    let mut state = shared.state();
    let server = match (state.way, state.server) {
        (Way::Down, _) | (_, None) => return Ok(()),
        (_, Some(server)) => server,
    };
    let server = TcpStream::connect(server)?;
    phone.set_nodelay(true)?;
    server.set_nodelay(true)?;
    state.counted.connections += 1;
    state.open.retain(|stream| stream.peer_addr().is_ok());
    state.open.extend([phone.try_clone()?, server.try_clone()?]);
    drop(state);
    let (up_from, up_to) = (phone.try_clone()?, server.try_clone()?);
    let (up, down) = (Arc::clone(shared), Arc::clone(shared));
    std::thread::spawn(move || {
        carry(up_from, up_to, |bytes, _| {
            up.state().counted.up += bytes as u64;
            Some(bytes)
        });
    });
    std::thread::spawn(move || {
        carry(server, phone, |bytes, before| {
            let now = down.allow(bytes, before)?;
            down.state().counted.down += now as u64;
            Some(now)
        });
    });
    Ok(())
}

/// Carries bytes until one side is done; `allow` returns how many of the waiting bytes may pass.
fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    mut allow: impl FnMut(usize, u64) -> Option<usize>,
) {
    let mut buffer = [0; STEP_BYTES];
    let mut carried = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => {
                // The other direction may still have bytes to send.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut done = 0;
        while done < read {
            let Some(now) = allow(read - done, carried) else {
                end(&from, &to);
                return;
            };
            if to.write_all(&buffer[done..done + now]).is_err() {
                end(&from, &to);
                return;
            }
            done += now;
            carried += now as u64;
        }
    }
    end(&from, &to);
}

fn end(from: &TcpStream, to: &TcpStream) {
    for stream in [from, to] {
        // The connection may be over already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    const WORD: &[u8] = b"0123456789";

    /// Makes a gate before a server that sends ten bytes to everybody and then waits for the end.
    fn gate() -> Gate {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let gate = Gate::listen().unwrap();
        gate.lead_to(Some(server.local_addr().unwrap()));
        std::thread::spawn(move || {
            for mut socket in server.incoming().flatten() {
                // The phone may be gone.
                let _ = socket.write_all(WORD);
                let _ = socket.read(&mut [0]);
            }
        });
        gate
    }

    fn call(gate: &Gate) -> TcpStream {
        TcpStream::connect(gate.address()).unwrap()
    }

    fn heard(mut socket: &TcpStream, bytes: usize) -> Vec<u8> {
        let mut heard = vec![0; bytes];
        socket.read_exact(&mut heard).unwrap();
        heard
    }

    /// Reads everything until the connection ends.
    fn all(mut socket: TcpStream) -> Vec<u8> {
        let mut heard = Vec::new();
        let _ = socket.read_to_end(&mut heard);
        heard
    }

    #[test]
    fn open_gate_passes_and_counts_bytes() {
        let gate = gate();
        let socket = call(&gate);
        assert_eq!(heard(&socket, 10), WORD);
        assert_eq!(gate.counted().down, 10);
        assert_eq!(gate.counted().connections, 1);
    }

    #[test]
    fn gate_that_is_down_ends_every_connection() {
        let gate = gate();
        let before = call(&gate);
        assert_eq!(heard(&before, 10), WORD);
        gate.set(Way::Down);
        assert!(all(before).is_empty());
        assert!(all(call(&gate)).is_empty());
        gate.set(Way::Open);
        assert_eq!(heard(&call(&gate), 10), WORD);
    }

    #[test]
    fn cut_ends_each_connection_after_its_bytes() {
        let gate = gate();
        gate.set(Way::CutEvery(4));
        for _ in 0..2 {
            assert_eq!(all(call(&gate)), &WORD[..4]);
        }
    }

    #[test]
    fn held_bytes_arrive_once_the_gate_is_opened() {
        let gate = gate();
        gate.set(Way::HoldAfter(4));
        let socket = call(&gate);
        assert_eq!(heard(&socket, 4), &WORD[..4]);
        assert!(gate.wait_held());
        gate.set(Way::Open);
        assert_eq!(heard(&socket, 6), &WORD[4..]);
    }
}
