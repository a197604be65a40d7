//! Meetings over TCP: in a hotspot that one of the phones opens, or in the network of an office.

use std::future::{poll_fn, ready};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::code::{Hotspot, MeetingCode, is_nearby};
use super::discovery::Service;
use super::drive::{MeetingDriver, MeetingProgress, MeetingReport, Side};
use super::error::MeetingError;
use super::pipe::{BytePipe, TcpPipe};
use crate::limits::{MEETING_ADDRESSES_MAX, MEETING_CALLS_MAX, MEETING_PAUSE_MS_FIRST};
use crate::sync::peer::PeerError;
use crate::sync::port::PeerPort;
use crate::system::OsRandom;
use crate::trust::meeting_key::{Commitment, MeetingKey};

/// Waits for other phones under one shown code. The phones are met one after the other, each in a
/// call of [`MeetingDriver::accept`].
pub struct MeetingListener {
    socket: TcpListener,
    address: SocketAddr,
    key: Arc<MeetingKey>,
    service: Service,
    /// Failed calls since the last phone that was met.
    failed: AtomicU32,
}

impl MeetingListener {
    /// Listens at an address of this phone, on a free port. Runs inside a runtime of tokio.
    pub async fn bind(address: IpAddr) -> Result<Self, MeetingError> {
        let socket = TcpListener::bind((address, 0)).await;
        let socket = socket.map_err(|_| MeetingError::CannotListen)?;
        let address = socket
            .local_addr()
            .map_err(|_| MeetingError::CannotListen)?;
        Ok(Self {
            key: Arc::new(MeetingKey::generate(&mut OsRandom)),
            service: Service::new(address.port(), &mut OsRandom),
            socket,
            address,
            failed: AtomicU32::new(0),
        })
    }

    /// The address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The announcement for the discovery of the host.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The code for the screen. `addresses` are the addresses of this phone where it listens at all
    /// of them; at one address they are left out. The code holds those that a caller can reach.
    pub fn code(
        &self,
        hotspot: Option<Hotspot>,
        addresses: &[IpAddr],
    ) -> Result<MeetingCode, MeetingError> {
        let own = [self.address.ip()];
        let addresses = if own[0].is_unspecified() {
            addresses
        } else {
            &own
        };
        let nearby = addresses
            .iter()
            .filter(|address| self.answers_at(**address));
        let addresses: Vec<SocketAddr> = nearby
            .take(MEETING_ADDRESSES_MAX)
            .map(|address| SocketAddr::new(*address, self.address.port()))
            .collect();
        MeetingCode::new(hotspot, addresses, self.key.commitment())
            .ok_or(MeetingError::CannotListen)
    }

    /// Whether a caller reaches this listener at an address of a code. A code has no zones, so a
    /// link-local address of IPv6 leads nowhere; and 0.0.0.0 listens for IPv4 alone.
    fn answers_at(&self, address: IpAddr) -> bool {
        let is_reachable = match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(ip) => self.address.is_ipv6() && !ip.is_unicast_link_local(),
        };
        is_reachable && is_nearby(address)
    }
}

/// Reads addresses with ports that the discovery of the host found.
pub fn parse_addresses(texts: &[String]) -> Result<Vec<SocketAddr>, MeetingError> {
    let addresses = texts.iter().map(|text| {
        let address: SocketAddr = text.parse().map_err(|_| MeetingError::BadAddress)?;
        let usable = is_nearby(address.ip()) && address.port() != 0;
        usable.then_some(address).ok_or(MeetingError::BadAddress)
    });
    addresses.collect()
}

/// A call of another phone that has not proved its key yet. Its connection ends with it.
type Call = Pin<Box<dyn Future<Output = Introduction> + Send>>;

/// The end of the first part of a call.
enum Introduction {
    /// The other phone has proved its key; this is the rest of the meeting.
    Proved(Meeting),
    /// The call has ended before that.
    Ended(Result<MeetingReport, MeetingError>),
}

/// A meeting under way.
struct Meeting {
    rest: Pin<Box<dyn Future<Output = Result<MeetingReport, MeetingError>> + Send>>,
    progress: watch::Receiver<MeetingProgress>,
}

/// Closes a connection when its call is left.
struct Closing(Arc<TcpPipe>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The calls under way, the oldest first.
#[derive(Default)]
struct Calls(Vec<Call>);

impl Calls {
    /// Adds a call. Returns whether the oldest one gave way to it.
    fn add(&mut self, call: Call) -> bool {
        let is_full = self.0.len() >= MEETING_CALLS_MAX;
        if is_full {
            drop(self.0.remove(0));
        }
        self.0.push(call);
        is_full
    }

    /// Waits for the first of them.
    async fn next(&mut self) -> Introduction {
        poll_fn(|context| {
            for (place, call) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(ended) = call.as_mut().poll(context) {
                    drop(self.0.remove(place));
                    return Poll::Ready(ended);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl<P: PeerPort + Clone + Send + Sync + 'static> MeetingDriver<P> {
    /// Waits for the next phone and meets it. Some calls are answered at the same time until one of
    /// the phones has proved its key, so a silent stranger delays no other phone. The other calls end
    /// then. After too many failed calls in a row the listener pauses between calls. Afterwards it
    /// waits for the next phone with another call.
    ///
    /// # Errors
    /// A fault of this phone, and any end of the meeting with a phone that has proved its key.
    pub async fn accept(&self, listener: &MeetingListener) -> Result<MeetingReport, MeetingError> {
        self.progress.send_replace(MeetingProgress::default());
        let mut calls = Calls::default();
        let mut free = Instant::now();
        loop {
            let introduced = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(MeetingError::Cancelled),
                introduced = calls.next() => introduced,
                accepted = async {
                    sleep_until(free).await;
                    listener.socket.accept().await
                } => {
                    let pipe = accepted.map(|(stream, _)| TcpPipe::new(stream));
                    let gave_way = match pipe {
                        Ok(Ok(pipe)) => calls.add(self.answer(listener, Arc::new(pipe))),
                        _ => true,
                    };
                    if gave_way {
                        free = self.failed(listener, MeetingError::Broken);
                    }
                    continue;
                }
            };
            match introduced {
                Introduction::Proved(meeting) => {
                    drop(calls);
                    listener.failed.store(0, Ordering::Relaxed);
                    return self.follow(meeting).await;
                }
                Introduction::Ended(Err(error)) if !is_own_fault(error) => {
                    free = self.failed(listener, error);
                }
                Introduction::Ended(ended) => return ended,
            }
        }
    }

    /// Answers a call until the other phone has proved its key.
    fn answer(&self, listener: &MeetingListener, pipe: Arc<TcpPipe>) -> Call {
        let side = Side::Listener(Some(Arc::clone(&listener.key)));
        let driver = self.clone().with_progress(watch::Sender::default());
        let mut progress = driver.progress();
        let mut rest = Box::pin(async move {
            let closing = Closing(pipe);
            let pipe: Arc<dyn BytePipe> = Arc::<TcpPipe>::clone(&closing.0);
            driver.over(pipe, side).await
        });
        Box::pin(async move {
            let proved = tokio::select! {
                biased;
                proved = async {
                    progress.wait_for(|progress| progress.is_introduced).await.is_ok()
                } => proved,
                ended = &mut rest => {
                    if !progress.borrow().is_introduced {
                        return Introduction::Ended(ended);
                    }
                    let rest = Box::pin(ready(ended));
                    return Introduction::Proved(Meeting { rest, progress });
                }
            };
            if !proved {
                return Introduction::Ended(rest.await);
            }
            Introduction::Proved(Meeting { rest, progress })
        })
    }

    /// Shows the progress of a meeting until it ends.
    async fn follow(&self, meeting: Meeting) -> Result<MeetingReport, MeetingError> {
        let Meeting {
            mut rest,
            mut progress,
        } = meeting;
        loop {
            let seen = *progress.borrow_and_update();
            self.progress.send_replace(seen);
            tokio::select! {
                biased;
                ended = &mut rest => {
                    self.progress.send_replace(*progress.borrow());
                    return ended;
                }
                changed = progress.changed() => if changed.is_err() {
                    return rest.await;
                },
            }
        }
    }

    /// Counts a failed call. Returns when the listener takes the next one.
    fn failed(&self, listener: &MeetingListener, error: MeetingError) -> Instant {
        tracing::info!(code = error.code(), "a call of another phone failed");
        let earlier = listener.failed.fetch_add(1, Ordering::Relaxed);
        let further = (earlier + 1).checked_sub(self.pace.tries_max);
        let pause_ms = further.map_or(0, |further| MEETING_PAUSE_MS_FIRST << further.min(16));
        Instant::now() + Duration::from_millis(pause_ms.min(self.pace.pause_ms_max))
    }
}

/// Whether this phone itself cannot meet any other, so that the next call would fail too.
fn is_own_fault(error: MeetingError) -> bool {
    let of_replica = matches!(
        error,
        MeetingError::Peer(PeerError::Port(_) | PeerError::NoSecret)
    );
    of_replica || error == MeetingError::Cancelled
}

impl<P: PeerPort + Clone + Send + 'static> MeetingDriver<P> {
    /// Calls the phone that listens at one of these addresses, the first that answers. With the
    /// commitment of a code it meets only the phone that showed the code.
    pub async fn call(
        &self,
        addresses: &[SocketAddr],
        expected: Option<Commitment>,
    ) -> Result<MeetingReport, MeetingError> {
        let stream = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(MeetingError::Cancelled),
            stream = self.reach(addresses) => stream?,
        };
        let pipe = Arc::new(TcpPipe::new(stream)?);
        self.over(pipe, Side::Caller(expected)).await
    }

    async fn reach(&self, addresses: &[SocketAddr]) -> Result<TcpStream, MeetingError> {
        let patience = Duration::from_millis(self.pace.connect_ms_max);
        for address in addresses.iter().take(MEETING_ADDRESSES_MAX) {
            if let Ok(Ok(stream)) = timeout(patience, TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
        Err(MeetingError::Unreachable)
    }
}
