//! Requests over HTTP/1.1 with as few headers as possible, one at a time, over a connection that is kept warm.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::connection::{Stream, connect};
use super::error::NetError;
use super::meter::{LOOK_EVERY, Meter, Pulse, Traffic};
use crate::limits::{ARRIVAL_BYTES_MAX, RESPONSE_BYTES_MAX};
use crate::sync::transfer::{FileRequest, HEADERS_READ};
use crate::system::now_ms;
use crate::trust::request_mac::MAC_HEADER;

/// How long one request may take in all, however busy its line is.
const REQUEST: Duration = Duration::from_mins(10);
/// How long an unused connection is kept: mobile networks forget idle ones without a word.
const KEEP: Duration = Duration::from_mins(2);

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
    /// The authorities that TLS trusts.
    pub roots: Roots,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) mac: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Its connection, kept from an earlier request, ended before a byte of an answer came. The other side closes
    /// an idle connection when it likes, so this says nothing about the line: ask again at once.
    Stale,
    /// Anything else.
    Failed(NetError),
}

impl From<NetError> for Unanswered {
    fn from(error: NetError) -> Self {
        Self::Failed(error)
    }
}

impl From<Unanswered> for NetError {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Stale => Self::Offline,
            Unanswered::Failed(error) => error,
        }
    }
}

/// A connection that waits for the next request.
struct Warm {
    sender: SendRequest<Full<Bytes>>,
    pulse: Pulse,
    /// Whether it has answered a request already.
    kept: bool,
    used: Instant,
    used_ms: i64,
    task: Abort,
}

/// Closes a connection as soon as it is dropped, also in the middle of a request.
struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The client.
pub(super) struct Http {
    tls: Arc<ClientConfig>,
    address: Address,
    meter: Meter,
    warm: Mutex<Option<Warm>>,
}

impl Http {
    pub(super) fn new(config: &NetConfig) -> Result<Self, NetError> {
        Ok(Self {
            tls: Arc::new(tls(&config.roots)?),
            address: config.address.clone(),
            meter: Meter::default(),
            warm: Mutex::new(None),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    /// A connection of its own, for wake-ups.
    pub(super) async fn connect(&self, pulse: &Pulse) -> Result<Stream, NetError> {
        connect(&self.address, &self.tls, &self.meter, pulse).await
    }

    /// Makes a connection where none is kept. When this fails, no request has left the phone.
    pub(super) async fn warm_up(&self) -> Result<(), NetError> {
        let warm = self.warm_connection().await?;
        *self.warm.lock().await = Some(warm);
        Ok(())
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, Unanswered> {
        let request = Request::builder().method(Method::GET).uri(path);
        self.exchange(request, Vec::new(), || {}).await
    }

    /// Sends a body and reads the answer; `look` is called every second meanwhile.
    pub(super) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        look: impl Fn(),
    ) -> Result<Reply, Unanswered> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(CONTENT_TYPE, media_type);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.exchange(request, body, look).await
    }

    /// Sends a request about a file; `look` is called every second until the head of the answer is here.
    pub(super) async fn open(
        &self,
        request: FileRequest,
        look: impl Fn(),
    ) -> Result<Reception<'_>, Unanswered> {
        let mut built = Request::builder().method(request.method).uri(&request.path);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        self.begin(built, request.body, look).await
    }

    async fn exchange(
        &self,
        request: hyper::http::request::Builder,
        body: Vec<u8>,
        look: impl Fn(),
    ) -> Result<Reply, Unanswered> {
        let mut reception = self.begin(request, body, &look).await?;
        let mac = reception.headers.get(MAC_HEADER);
        let mac = mac.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, body) = (reception.status, reception.rest(&look).await?);
        reception.finish().await;
        Ok(Reply { status, mac, body })
    }

    async fn begin(
        &self,
        request: hyper::http::request::Builder,
        body: Vec<u8>,
        look: impl Fn(),
    ) -> Result<Reception<'_>, Unanswered> {
        let until = Instant::now() + REQUEST;
        let request = request.header(HOST, self.address.host());
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|_| NetError::BadAddress)?;
        let mut warm = self.warm_connection().await?;
        let (pulse, kept) = (warm.pulse.clone(), warm.kept);
        let answered = async {
            match warm.sender.send_request(request).await {
                Ok(response) => Ok(response),
                Err(_) if kept => Err(Unanswered::Stale),
                Err(_) => Err(NetError::Offline.into()),
            }
        };
        let response = tokio::select! {
            answered = timeout_at(until, answered) => answered.map_err(|_| NetError::Offline)??,
            () = pulse.until_silent(look) => return Err(NetError::Offline.into()),
        };
        let (head, body) = response.into_parts();
        Ok(Reception {
            http: self,
            warm,
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            left: Bytes::new(),
            is_broken: false,
            until,
            looked: Instant::now(),
        })
    }

    /// The connection of the last request where it can still be used, else a new one.
    async fn warm_connection(&self) -> Result<Warm, NetError> {
        let kept = self.warm.lock().await.take();
        if let Some(mut warm) = kept
            && warm.is_fresh()
            && warm.sender.ready().await.is_ok()
        {
            return Ok(warm);
        }
        let pulse = Pulse::new();
        let stream = self.connect(&pulse).await?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NetError::Offline)?;
        let task = tokio::spawn(async move {
            // An error of the connection is seen by its request.
            let _ = connection.await;
        });
        Ok(Warm {
            sender,
            pulse,
            kept: false,
            used: Instant::now(),
            used_ms: now_ms(),
            task: Abort(task),
        })
    }
}

impl Warm {
    /// By both clocks: one of them may stop while the device sleeps.
    fn is_fresh(&self) -> bool {
        let slept_ms = now_ms().saturating_sub(self.used_ms);
        let keep_ms = i64::try_from(KEEP.as_millis()).unwrap_or(i64::MAX);
        !self.task.0.is_finished() && self.used.elapsed() < KEEP && (0..keep_ms).contains(&slept_ms)
    }
}

/// An answer whose head is here and whose body is arriving. Its connection is closed when it is dropped before
/// [`Reception::finish`].
pub(super) struct Reception<'a> {
    http: &'a Http,
    warm: Warm,
    pub(super) status: u16,
    headers: HeaderMap,
    body: Incoming,
    /// Bytes that came with the last piece and are not handed out yet.
    left: Bytes,
    is_broken: bool,
    until: Instant,
    looked: Instant,
}

impl Reception<'_> {
    /// The headers that a transfer reads, each where it stands once.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let once = |name: &'static str| {
            let mut values = self.headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?.to_owned();
            values.next().is_none().then_some((name, value))
        };
        HEADERS_READ.into_iter().filter_map(once).collect()
    }

    /// The next bytes of the body, at most [`ARRIVAL_BYTES_MAX`], and that many except at its end; `None` after
    /// it. Bytes that came before the line broke are handed out before the error.
    pub(super) async fn piece(&mut self, look: impl Fn()) -> Result<Option<Bytes>, NetError> {
        let mut piece: Vec<u8> = Vec::new();
        while piece.len() < ARRIVAL_BYTES_MAX && !self.is_broken {
            if self.left.is_empty() {
                match self.frame(&look).await {
                    Ok(Some(bytes)) => self.left = bytes,
                    Ok(None) => break,
                    Err(_) => self.is_broken = true,
                }
            }
            let room = ARRIVAL_BYTES_MAX - piece.len();
            let part = self.left.split_to(room.min(self.left.len()));
            if piece.is_empty() && part.len() == ARRIVAL_BYTES_MAX {
                return Ok(Some(part));
            }
            piece.extend_from_slice(&part);
        }
        if !piece.is_empty() {
            return Ok(Some(piece.into()));
        }
        if self.is_broken {
            return Err(NetError::Offline);
        }
        Ok(None)
    }

    /// The rest of the body.
    pub(super) async fn rest(&mut self, look: impl Fn()) -> Result<Vec<u8>, NetError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.frame(&look).await? {
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(NetError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Keeps the connection for the next request. The body must have been read.
    pub(super) async fn finish(self) {
        let mut warm = self.warm;
        self.http.meter.answered();
        warm.kept = true;
        (warm.used, warm.used_ms) = (Instant::now(), now_ms());
        *self.http.warm.lock().await = Some(warm);
    }

    async fn frame(&mut self, look: impl Fn()) -> Result<Option<Bytes>, NetError> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            look();
        }
        let pulse = self.warm.pulse.clone();
        let next = async {
            while let Some(frame) = self.body.frame().await {
                let frame = frame.map_err(|_| NetError::Offline)?;
                if let Ok(chunk) = frame.into_data()
                    && !chunk.is_empty()
                {
                    return Ok(Some(chunk));
                }
            }
            Ok(None)
        };
        tokio::select! {
            next = timeout_at(self.until, next) => next.map_err(|_| NetError::Offline)?,
            () = pulse.until_silent(look) => Err(NetError::Offline),
        }
    }
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
