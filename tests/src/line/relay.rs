//! The relay that carries connections over a line.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::schedule::Schedule;
use super::{Profile, SEGMENT_BYTES};

/// Bytes in the receive buffers of the relay's sockets. They are few, so a sender feels how narrow
/// the line is.
const RECEIVE_BUFFER: u32 = 4_096;
/// Segments on their way in one direction.
const ON_THE_WAY: usize = 64;
/// A timer wakes up to this much too late, so shorter waits are joined. The schedule itself is exact.
const TIMER: Duration = Duration::from_millis(5);

/// A line to a server. It is removed when dropped.
pub struct Line {
    address: SocketAddr,
    way: Arc<Way>,
    task: JoinHandle<()>,
}

struct Way {
    server: String,
    start: Instant,
    round_trip: Duration,
    up: Direction,
    down: Direction,
    connections: AtomicU64,
    /// The number of cuts of all connections.
    cuts: watch::Sender<u64>,
}

struct Direction {
    schedule: Mutex<Schedule>,
    bytes: AtomicU64,
    /// Told of every segment.
    passed: Notify,
}

impl Line {
    /// Opens a line to the server at this URL. Call it inside a runtime.
    ///
    /// # Errors
    /// If this machine has no free socket.
    pub fn to(url: &str, profile: Profile) -> io::Result<Self> {
        let server = url.split_once("://").map_or(url, |(_, rest)| rest);
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(64)?;
        let address = listener.local_addr()?;
        let direction = |number| Direction {
            schedule: Mutex::new(Schedule::new(profile, number)),
            bytes: AtomicU64::new(0),
            passed: Notify::new(),
        };
        let way = Arc::new(Way {
            server: server.trim_end_matches('/').to_owned(),
            start: Instant::now(),
            round_trip: profile.round_trip,
            up: direction(0),
            down: direction(1),
            connections: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&way), profile.cut_every));
        Ok(Self { address, way, task })
    }

    /// Returns the URL of the server behind the line; `scheme` is that server's own.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Cuts every connection now.
    pub fn cut(&self) {
        self.way.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Returns the number of cuts.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        *self.way.cuts.borrow()
    }

    /// Returns the number of connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.way.connections.load(Ordering::SeqCst)
    }

    /// Returns the bytes that were put on the line: to the server and from it.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        let of = |direction: &Direction| direction.bytes.load(Ordering::SeqCst);
        (of(&self.way.up), of(&self.way.down))
    }

    /// Waits until so many bytes were put on the line to the server.
    pub async fn until_sent(&self, bytes: u64) {
        loop {
            let passed = self.way.up.passed.notified();
            if self.bytes().0 >= bytes {
                return;
            }
            passed.await;
        }
    }

    /// Returns the number of lost segments of both directions.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        let of = |direction: &Direction| direction.schedule().stalls();
        of(&self.way.up) + of(&self.way.down)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Direction {
    fn schedule(&self) -> std::sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, way: Arc<Way>, cut_every: Option<Duration>) {
    let cutting = async {
        let Some(every) = cut_every else {
            return pending().await;
        };
        let mut next = tokio::time::interval_at(way.start + every, every);
        loop {
            next.tick().await;
            way.cuts.send_modify(|cuts| *cuts += 1);
        }
    };
    let accepting = async {
        while let Ok((near, _)) = listener.accept().await {
            way.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(connection(near, Arc::clone(&way)));
        }
    };
    tokio::select! {
        () = cutting => {}
        () = accepting => {}
    }
}

async fn connection(near: TcpStream, way: Arc<Way>) {
    let mut cuts = way.cuts.subscribe();
    let begun = Instant::now() + way.round_trip;
    let carried = async {
        let far = TcpStream::connect(&way.server).await?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.into_split();
        // The opening of a connection takes a round trip before its first byte.
        tokio::try_join!(
            carry(near_in, far_out, &way, &way.up, begun),
            carry(far_in, near_out, &way, &way.down, begun),
        )?;
        io::Result::Ok(())
    };
    tokio::select! {
        // Either end may be gone, or the line is cut, so both sockets are closed.
        _ = carried => {}
        _ = cuts.changed() => {}
    }
}

/// Carries one direction of one connection.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: &Way,
    direction: &Direction,
    begun: Instant,
) -> io::Result<()> {
    let (segments, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let sending = async move {
        loop {
            let mut segment = vec![0; SEGMENT_BYTES];
            let count = from.read(&mut segment).await?;
            if count == 0 {
                return io::Result::Ok(());
            }
            segment.truncate(count);
            direction.bytes.fetch_add(count as u64, Ordering::SeqCst);
            direction.passed.notify_waiters();
            let now = Instant::now().max(begun) - way.start;
            let slot = direction.schedule().put(now, count);
            if segments
                .send((way.start + slot.arrived, segment))
                .await
                .is_err()
            {
                return Ok(());
            }
            if way.start + slot.sent > Instant::now() + TIMER {
                until(way.start + slot.sent).await;
            }
        }
    };
    let receiving = async move {
        while let Some((arrived, segment)) = arriving.recv().await {
            until(arrived).await;
            to.write_all(&segment).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(sending, receiving)?;
    Ok(())
}

async fn until(instant: Instant) {
    // Only the time ends this wait.
    let _ = timeout_at(instant, pending::<()>()).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A server that returns every byte that it receives.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        url
    }

    async fn dial(line: &Line) -> TcpStream {
        TcpStream::connect(line.address).await.unwrap()
    }

    #[tokio::test]
    async fn bytes_arrive_whole_in_order_and_are_counted() {
        let profile = Profile {
            lost_per_mille: 200,
            ..Profile::perfect()
        };
        let line = Line::to(&echo().await, profile).unwrap();
        let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut from, mut to) = dial(&line).await.into_split();
        let writing = async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let mut came = Vec::new();
        let (read, ()) = tokio::join!(from.read_to_end(&mut came), writing);
        read.unwrap();
        assert!(came == sent, "{} of {} bytes", came.len(), sent.len());
        assert_eq!(line.bytes(), (100_000, 100_000));
        assert!(line.stalls() > 0);
        assert_eq!((line.connections(), line.cuts()), (1, 0));
    }

    #[tokio::test]
    async fn cut_ends_every_connection_and_new_ones_work() {
        let line = Line::to(&echo().await, Profile::perfect()).unwrap();
        let (mut first, mut second) = (dial(&line).await, dial(&line).await);
        let mut byte = [0];
        for socket in [&mut first, &mut second] {
            socket.write_all(b"x").await.unwrap();
            socket.read_exact(&mut byte).await.unwrap();
        }
        line.cut();
        for socket in [&mut first, &mut second] {
            let ended = socket.read(&mut byte).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        }
        let mut third = dial(&line).await;
        third.write_all(b"y").await.unwrap();
        third.read_exact(&mut byte).await.unwrap();
        assert_eq!((byte, line.cuts(), line.connections()), ([b'y'], 1, 3));
    }
}
