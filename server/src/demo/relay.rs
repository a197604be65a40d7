//! A wire between a phone and the server that is cut at a chosen moment.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// When the wire is cut, counted on the connection of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// After so many bytes of the phone.
    Upload(usize),
    /// When the server answers a message of at least so many bytes: it has stored it, and the phone does not
    /// hear of it.
    Answer(usize),
}

/// A relay that listens.
pub(super) struct Relay {
    listener: TcpListener,
    server: SocketAddr,
}

impl Relay {
    /// Listens on a free port in front of the server.
    pub(super) async fn bind(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, server })
    }

    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Passes bytes on until the moment has come; then returns, with the wire cut. The moment of an upload
    /// counts bytes since the last answer, so handshakes do not add up.
    pub(super) async fn until(self, cut: Cut) -> std::io::Result<()> {
        loop {
            let (mut phone, _) = self.listener.accept().await?;
            let mut server = TcpStream::connect(self.server).await?;
            if pass(&mut phone, &mut server, cut).await? {
                return Ok(());
            }
        }
    }
}

/// Passes bytes on; whether the moment came (else the connection ended by itself).
async fn pass(phone: &mut TcpStream, server: &mut TcpStream, cut: Cut) -> std::io::Result<bool> {
    let (mut up, mut down) = (vec![0; 4_096], vec![0; 4_096]);
    let mut message = 0;
    loop {
        tokio::select! {
            read = phone.read(&mut up) => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(false);
                }
                message += bytes;
                if matches!(cut, Cut::Upload(at) if message >= at) {
                    // A part of it arrives, the rest never does.
                    server.write_all(&up[..bytes / 2]).await?;
                    return Ok(true);
                }
                server.write_all(&up[..bytes]).await?;
            }
            read = server.read(&mut down) => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(false);
                }
                if matches!(cut, Cut::Answer(at) if message >= at) {
                    return Ok(true);
                }
                message = 0;
                phone.write_all(&down[..bytes]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// Sends `upload` through a relay to a server that answers `ok`; what the server got, what the phone got.
    async fn through(cut: Cut, upload: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::bind(server.local_addr().unwrap()).await.unwrap();
        let address = relay.address().unwrap();
        let all = upload.len();
        let serve = tokio::spawn(async move {
            let (mut socket, _) = server.accept().await.unwrap();
            let (mut got, mut part) = (Vec::new(), [0; 64]);
            while got.len() < all {
                match socket.read(&mut part).await {
                    Ok(0) | Err(_) => return got,
                    Ok(bytes) => got.extend_from_slice(&part[..bytes]),
                }
            }
            let _ = socket.write_all(b"ok").await;
            // Open until the other side has gone.
            let _ = socket.read(&mut part).await;
            got
        });
        let phone = async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(upload).await.unwrap();
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer).await;
            answer
        };
        let (cut, answer) = tokio::join!(relay.until(cut), phone);
        cut.unwrap();
        (serve.await.unwrap(), answer)
    }

    #[tokio::test]
    async fn an_upload_is_cut_in_the_middle() {
        let (server, phone) = through(Cut::Upload(10), &[7; 40]).await;
        assert!(server.len() < 40, "{}", server.len());
        assert!(phone.is_empty());
    }

    #[tokio::test]
    async fn an_answer_is_lost_after_the_whole_upload_has_arrived() {
        let (server, phone) = through(Cut::Answer(10), &[7; 40]).await;
        assert_eq!(server, [7; 40]);
        assert!(phone.is_empty());
    }
}
