//! Requests over HTTP with as few headers as possible, and the count of their bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::address::Address;
use super::error::NetError;
use crate::limits::RESPONSE_BYTES_MAX;
use crate::trust::request_mac::MAC_HEADER;

/// Pause without a byte after which a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept.
const KEEP: Duration = Duration::from_mins(10);

/// Which authorities may certify the server's TLS key.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// The public ones (Mozilla's list, built in).
    #[default]
    Public,
    /// Only these, PEM: a deployment with an authority of its own.
    Pinned(Vec<u8>),
}

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Where.
    pub address: Address,
    /// Whom TLS trusts.
    pub roots: Roots,
}

/// Bytes that went over the wire: request and status lines, headers and bodies as HTTP/1.1 writes them, TLS
/// and TCP not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Sent.
    pub bytes_up: u64,
    /// Received.
    pub bytes_down: u64,
    /// Requests that were answered.
    pub round_trips: u64,
}

#[derive(Debug, Default)]
struct Counters {
    up: AtomicU64,
    down: AtomicU64,
    round_trips: AtomicU64,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) mac: Option<String>,
    pub(super) body: Vec<u8>,
}

/// The client. It keeps connections warm; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    tls: Arc<ClientConfig>,
    address: Address,
    counters: Arc<Counters>,
}

impl Http {
    pub(super) fn new(config: &NetConfig) -> Result<Self, NetError> {
        let tls = tls(&config.roots)?;
        let mut with_protocols = tls.clone();
        with_protocols.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(with_protocols)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .pool_idle_timeout(KEEP)
            .build()
            .map_err(|_| NetError::BadRoots)?;
        let address = config.address.clone();
        Ok(Self {
            client,
            tls: Arc::new(tls),
            address,
            counters: Arc::default(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The TLS configuration without protocol names, for `WebSocket`s.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_up: self.counters.up.load(Ordering::Relaxed),
            bytes_down: self.counters.down.load(Ordering::Relaxed),
            round_trips: self.counters.round_trips.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, NetError> {
        self.read(self.client.get(self.address.url(path))).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Reply, NetError> {
        let mut request = self
            .client
            .post(self.address.url(path))
            .header(CONTENT_TYPE, media_type);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.read(request.body(body)).await
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Result<Reply, NetError> {
        let request = request.build().map_err(|_| NetError::BadAddress)?;
        let up = self.request_bytes(&request);
        let offline = |_: reqwest::Error| NetError::Offline;
        let mut response = self.client.execute(request).await.map_err(offline)?;
        self.counters.up.fetch_add(up, Ordering::Relaxed);
        let status = response.status();
        let mac = response
            .headers()
            .get(MAC_HEADER)
            .and_then(|value| value.to_str().ok());
        let mac = mac.map(str::to_owned);
        let reason = status.canonical_reason().unwrap_or_default().len();
        let head = "HTTP/1.1 200 \r\n\r\n".len() + reason + header_bytes(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(offline)? {
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(NetError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        self.counters
            .down
            .fetch_add((head + body.len()) as u64, Ordering::Relaxed);
        self.counters.round_trips.fetch_add(1, Ordering::Relaxed);
        Ok(Reply {
            status: status.as_u16(),
            mac,
            body,
        })
    }

    fn request_bytes(&self, request: &reqwest::Request) -> u64 {
        let line = request.method().as_str().len() + request.url().path().len();
        let fixed = " HTTP/1.1\r\n\r\n ".len()
            + "host: \r\naccept: */*\r\n".len()
            + self.address.host().len();
        let body = request
            .body()
            .and_then(reqwest::Body::as_bytes)
            .map_or(0, <[u8]>::len);
        let length = if body == 0 {
            0
        } else {
            "content-length: \r\n".len() + body.to_string().len()
        };
        (line + fixed + length + header_bytes(request.headers()) + body) as u64
    }
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

fn tls(roots: &Roots) -> Result<ClientConfig, NetError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Pinned(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| NetError::BadRoots)?;
                store.add(certificate).map_err(|_| NetError::BadRoots)?;
            }
            if store.is_empty() {
                return Err(NetError::BadRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| NetError::BadRoots)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_roots_must_be_certificates() {
        assert!(tls(&Roots::Public).is_ok());
        for bad in [
            &b""[..],
            b"no certificate",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        ] {
            assert_eq!(
                tls(&Roots::Pinned(bad.to_vec())).err(),
                Some(NetError::BadRoots)
            );
        }
    }
}
