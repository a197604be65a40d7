//! A relay on this machine: it carries each connection to the next of its targets, as a balancer does, and can be cut
//! like a network.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const PIECE_BYTES: usize = 64 * 1_024;

/// The end of a relayed connection.
#[derive(Debug, Clone)]
pub enum Target {
    /// Host and port.
    Port(String),
    /// A socket in the file system.
    Socket(PathBuf),
}

/// A running relay; dropping it ends all of its connections.
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    targets: Vec<Target>,
    is_cut: AtomicBool,
    has_ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// One direction of a target.
enum Way {
    Port(TcpStream),
    Socket(UnixStream),
}

impl Relay {
    /// Starts on a free port.
    ///
    /// # Panics
    /// If the machine has no free port.
    #[must_use]
    pub fn to(targets: Vec<Target>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            targets,
            is_cut: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || serve(&listener, &shared));
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    /// Host and port of the relay.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and refuses new ones until [`Self::mend`].
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        self.state.end_all();
    }

    /// Carries connections again.
    pub fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.has_ended.store(true, Ordering::SeqCst);
        self.state.end_all();
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn end_all(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(listener: &TcpListener, state: &Arc<State>) {
    for (turn, stream) in listener.incoming().enumerate() {
        if state.has_ended.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = stream {
            // A target that is gone ends the connection.
            let _ = carry(stream, turn, state);
        }
    }
}

fn carry(near: TcpStream, turn: usize, state: &Arc<State>) -> std::io::Result<()> {
    let mut open = state.open.lock().unwrap_or_else(PoisonError::into_inner);
    if state.is_cut.load(Ordering::SeqCst) {
        return Ok(());
    }
    let far = Way::to(&state.targets[turn % state.targets.len()])?;
    near.set_nodelay(true)?;
    open.push(near.try_clone()?);
    let (near_in, far_in) = (near.try_clone()?, far.try_clone()?);
    std::thread::spawn(move || pass(Way::Port(near_in), far));
    std::thread::spawn(move || pass(far_in, Way::Port(near)));
    Ok(())
}

/// Passes bytes on until one side ends, and then ends the other.
fn pass(mut from: Way, mut to: Way) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write(&piece[..count]).is_err() {
            break;
        }
    }
    from.end();
    to.end();
}

impl Way {
    fn to(target: &Target) -> std::io::Result<Self> {
        match target {
            Target::Port(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(Self::Port(stream))
            }
            Target::Socket(path) => UnixStream::connect(path).map(Self::Socket),
        }
    }

    fn try_clone(&self) -> std::io::Result<Self> {
        match self {
            Self::Port(stream) => stream.try_clone().map(Self::Port),
            Self::Socket(stream) => stream.try_clone().map(Self::Socket),
        }
    }

    fn read(&mut self, piece: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Port(stream) => stream.read(piece),
            Self::Socket(stream) => stream.read(piece),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Port(stream) => stream.write_all(bytes),
            Self::Socket(stream) => stream.write_all(bytes),
        }
    }

    fn end(&self) {
        // It may have ended already.
        let _ = match self {
            Self::Port(stream) => stream.shutdown(Shutdown::Both),
            Self::Socket(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}
