//! One connection to the server: made with a limit of its own, its bytes counted at the socket.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address::Address;
use super::error::NetError;
use super::meter::{Meter, Metered, Pulse};

/// How long a connection may take to be made, name and TLS included: several lost packets on a line with a
/// round trip of seconds.
const CONNECT: Duration = Duration::from_secs(20);
/// Head start of one family of addresses before the other one is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(300);
/// Bytes that the operating system buffers before it sends them. With little, progress that is seen here is
/// progress on the line.
const SEND_BUFFER: u32 = 32 * 1_024;

/// A connection, with or without TLS.
pub(super) enum Stream {
    Plain(Metered<TcpStream>),
    Tls(Box<TlsStream<Metered<TcpStream>>>),
}

/// Connects; any failure, also of the certificate, means that the server cannot be reached.
pub(super) async fn connect(
    address: &Address,
    tls: &Arc<ClientConfig>,
    meter: &Meter,
    pulse: &Pulse,
) -> Result<Stream, NetError> {
    let connected = async {
        let tcp = dial(address).await?;
        tcp.set_nodelay(true)?;
        let counted = Metered::new(tcp, meter.clone(), pulse.clone());
        if !address.is_tls() {
            return Ok(Stream::Plain(counted));
        }
        let name = ServerName::try_from(address.name().to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, counted);
        Ok(Stream::Tls(Box::new(stream.await?)))
    };
    let connected: Result<io::Result<Stream>, _> = timeout(CONNECT, connected).await;
    match connected {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(_)) | Err(_) => Err(NetError::Offline),
    }
}

/// Tries the addresses of the family that the system prefers, and soon the other family beside it.
async fn dial(address: &Address) -> io::Result<TcpStream> {
    let found = lookup_host((address.name(), address.port())).await?;
    let found: Vec<SocketAddr> = found.collect();
    let preferred = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|one| one.is_ipv6() == preferred);
    if second.is_empty() {
        return one_of(&first).await;
    }
    let mut preferred = pin!(one_of(&first));
    tokio::select! {
        connected = &mut preferred => match connected {
            Ok(stream) => Ok(stream),
            Err(_) => one_of(&second).await,
        },
        () = sleep(HEAD_START) => {
            let mut other = pin!(one_of(&second));
            tokio::select! {
                connected = &mut preferred => match connected {
                    Ok(stream) => Ok(stream),
                    Err(_) => other.await,
                },
                connected = &mut other => match connected {
                    Ok(stream) => Ok(stream),
                    Err(_) => preferred.await,
                },
            }
        }
    }
}

/// The first of these that answers.
async fn one_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let connected = async {
            let socket = socket?;
            socket.set_send_buffer_size(SEND_BUFFER)?;
            socket.connect(*address).await
        };
        match connected.await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
