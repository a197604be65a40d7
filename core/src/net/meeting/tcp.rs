//! Meetings over TCP: in a hotspot that one of the phones opens, or in the network of an office.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::code::{Hotspot, MeetingCode, is_nearby};
use super::discovery::Service;
use super::drive::{MeetingDriver, MeetingReport, Side};
use super::error::MeetingError;
use super::pipe::TcpPipe;
use crate::limits::MEETING_ADDRESSES_MAX;
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
    /// of them; at one address they are left out.
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
        let nearby = addresses.iter().filter(|address| is_nearby(**address));
        let addresses: Vec<SocketAddr> = nearby
            .take(MEETING_ADDRESSES_MAX)
            .map(|address| SocketAddr::new(*address, self.address.port()))
            .collect();
        MeetingCode::new(hotspot, addresses, self.key.commitment())
            .ok_or(MeetingError::CannotListen)
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

impl<P: PeerPort + Clone + Send + 'static> MeetingDriver<P> {
    /// Waits for the next phone and meets it. Calls that end before the other phone has proved its
    /// key are left, and the wait continues, until too many of them failed. Afterwards the listener
    /// waits for the next phone with another call.
    pub async fn accept(&self, listener: &MeetingListener) -> Result<MeetingReport, MeetingError> {
        loop {
            if listener.failed.load(Ordering::Relaxed) >= self.pace.tries_max {
                return Err(MeetingError::TooManyTries);
            }
            let accepted = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(MeetingError::Cancelled),
                accepted = listener.socket.accept() => accepted,
            };
            let side = Side::Listener(Some(Arc::clone(&listener.key)));
            let ended = match accepted.map(|(stream, _)| TcpPipe::new(stream)) {
                Ok(Ok(pipe)) => self.over(Arc::new(pipe), side).await,
                _ => Err(MeetingError::Broken),
            };
            match ended {
                Err(MeetingError::Cancelled) => return Err(MeetingError::Cancelled),
                Err(error) if !self.progress.borrow().is_introduced => {
                    tracing::info!(code = error.code(), "a call of another phone failed");
                    listener.failed.fetch_add(1, Ordering::Relaxed);
                }
                ended => return ended,
            }
        }
    }

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
