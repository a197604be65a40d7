//! A pipe of bytes between two phones, as the host or TCP supplies it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// The pipe broke, or the host's code failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("meeting.broken")]
pub struct PipeBroken;

/// A pipe to another phone, such as a Bluetooth socket. Its calls block.
pub trait BytePipe: Send + Sync + 'static {
    /// Waits for bytes and returns at most `bytes_max`, as soon as there are any. Returns none when
    /// the other phone has closed the pipe.
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, PipeBroken>;

    /// Writes all of the bytes.
    fn write(&self, bytes: &[u8]) -> Result<(), PipeBroken>;

    /// Closes the pipe after the written bytes have left. A `read` or `write` on another thread then
    /// returns. A second call has no effect.
    fn close(&self);
}

/// A TCP connection as a pipe.
pub(super) struct TcpPipe(TcpStream);

impl TcpPipe {
    /// Takes over a connection of the runtime.
    pub(super) fn new(stream: tokio::net::TcpStream) -> Result<Self, PipeBroken> {
        let stream = stream.into_std().map_err(|_| PipeBroken)?;
        stream.set_nonblocking(false).map_err(|_| PipeBroken)?;
        stream.set_nodelay(true).map_err(|_| PipeBroken)?;
        Ok(Self(stream))
    }
}

impl BytePipe for TcpPipe {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, PipeBroken> {
        let mut buffer = vec![0; bytes_max];
        let count = (&self.0).read(&mut buffer).map_err(|_| PipeBroken)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), PipeBroken> {
        (&self.0).write_all(bytes).map_err(|_| PipeBroken)
    }

    fn close(&self) {
        // A connection that is closed already stays so.
        drop(self.0.shutdown(Shutdown::Both));
    }
}
