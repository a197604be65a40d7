//! A wire between a phone and the server that is cut at a chosen moment.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The moment at which the wire is cut: at the first message of the phone that begins with these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// While the message is on its way, so the server gets a part of it.
    Upload(&'static [u8]),
    /// When the server answers the message, so the server has stored it and the phone does not hear of that.
    Answer(&'static [u8]),
}

/// Both ends of a wire that carries nothing any more; they close when it is dropped.
pub(crate) struct Dead {
    _phone: TcpStream,
    _server: TcpStream,
}

/// A relay that listens.
pub(crate) struct Relay {
    listener: TcpListener,
    server: SocketAddr,
}

impl Relay {
    /// Listens on a free port in front of the server.
    pub(crate) async fn bind(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, server })
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Passes bytes on until the moment of the cut.
    pub(crate) async fn until(self, cut: Cut) -> std::io::Result<Dead> {
        loop {
            let (mut phone, _) = self.listener.accept().await?;
            let mut server = TcpStream::connect(self.server).await?;
            if pass(&mut phone, &mut server, cut).await? {
                return Ok(Dead {
                    _phone: phone,
                    _server: server,
                });
            }
        }
    }
}

/// Passes bytes on; returns true at the moment of the cut, and false if the connection ended before.
async fn pass(phone: &mut TcpStream, server: &mut TcpStream, cut: Cut) -> std::io::Result<bool> {
    let (mut up, mut down) = (vec![0; 4_096], vec![0; 4_096]);
    let (mut begins, mut meant) = (true, false);
    let (Cut::Upload(head) | Cut::Answer(head)) = cut;
    loop {
        tokio::select! {
            read = phone.read(&mut up) => {
                let bytes = read?;
                if bytes == 0 {
                    return Ok(false);
                }
                meant |= begins && up.starts_with(head);
                begins = false;
                if meant && matches!(cut, Cut::Upload(_)) {
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
                if meant {
                    return Ok(true);
                }
                begins = true;
                phone.write_all(&down[..bytes]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// Sends `upload` through a relay to a server that answers `ok`; returns the bytes at the server and at
    /// the phone.
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
            // The socket is open until the other side has closed.
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
        let cut = async { drop(relay.until(cut).await.unwrap()) };
        let ((), answer) = tokio::join!(cut, phone);
        (serve.await.unwrap(), answer)
    }

    #[tokio::test]
    async fn an_upload_is_cut_in_the_middle() {
        let (server, phone) = through(Cut::Upload(&[7; 8]), &[7; 40]).await;
        assert!(server.len() < 40, "{}", server.len());
        assert!(phone.is_empty());
    }

    #[tokio::test]
    async fn an_answer_is_lost_after_the_whole_upload_has_arrived() {
        let (server, phone) = through(Cut::Answer(&[7; 8]), &[7; 40]).await;
        assert_eq!(server, [7; 40]);
        assert!(phone.is_empty());
    }
}
