//! A meeting in files: a phone that no pipe reaches asks for a bundle file, and imports it.
//!
//! ```text
//!  B: ask ──▶ request (QR code or file) ──▶ A: make ──▶ bundle file ──▶ B: import
//! ```
//!
//! The file passes through a share sheet, a USB stick or a chat. It holds the records that both may
//! read and that B lacks or has otherwise, as far as A can tell: a request that is a file names the
//! state of B's records, a QR code does not. Revocations are first, as in a meeting. Everything else
//! goes through the same admission as in a meeting and is provisional until the verdict.
//!
//! An import that fails in the middle keeps the part before; the same file continues it. Nothing is
//! ever removed by an import.
//!
//! **Not here:** encryption and signatures (`trust::bundle_seal`), files and pipes.

use std::collections::HashSet;

use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::peer_error::{PeerError, PeerReport};
use super::peer_message::PeerMessage;
use super::port::{GiveAsk, Handover, Identity, PeerPort, PortError};
use crate::base32;
use crate::id::RecordId;
use crate::limits::{
    BUNDLE_CONTENT_BYTES_MAX, BUNDLE_DIGESTS_MAX, BUNDLE_REQUEST_CODE_CHARS_MAX,
    BUNDLE_REQUESTS_MAX, GIVE_BACK_DIRECTORY_MAX, PEER_GIVE_BYTES, PEER_MESSAGE_BYTES_MAX,
    PEER_RECORDS_MAX,
};
use crate::trust::bundle_seal::{
    OpenedBundle, OpenedRequest, PendingRequest, RecordDigest, RequestDraft, SealError, shortened,
};
use crate::trust::certificate::Certificate;
use crate::trust::peer_session::Me;
use crate::wire::frame::{self, FrameError};

/// The beginning of a request as the text of a QR code.
const CODE_PREFIX: &str = "ONEGRIDR1:";
/// The beginning of the text of a request of any version.
const CODE_PREFIX_ANY: &str = "ONEGRIDR";

coded_error! {
    /// Why a request or a bundle file could not be made or used. Everything that was imported before
    /// stays.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum BundleError {
        /// The request or file is refused.
        #[error(transparent)]
        Seal(SealError),
        /// The other phone was revoked.
        #[error("peer.revoked")]
        Revoked,
        /// The other phone shows a certificate of another deployment, or a wrong signature.
        #[error("peer.not_proved")]
        NotProved,
        /// A message of the file cannot be read.
        #[error(transparent)]
        Frame(#[from] FrameError),
        /// The replica failed.
        #[error(transparent)]
        Port(#[from] PortError),
        /// This phone has to sync once before it meets another one.
        #[error("peer.no_secret")]
        NoSecret,
        /// The request is too long for a QR code, so it must be a file.
        #[error("bundle.too_long_for_code")]
        TooLongForCode,
        /// The file was imported before.
        #[error("bundle.imported_before")]
        ImportedBefore,
    }
}

/// The refusals that are about the other phone have the codes of a meeting.
impl From<SealError> for BundleError {
    fn from(error: SealError) -> Self {
        let SealError::Session(session) = error else {
            return Self::Seal(error);
        };
        match PeerError::from(session) {
            PeerError::Revoked => Self::Revoked,
            PeerError::NotProved => Self::NotProved,
            _ => Self::Seal(error),
        }
    }
}

/// A replica that also keeps the requests whose answers it can open.
pub trait BundlePort: PeerPort {
    /// The requests, the oldest first.
    fn pending_requests(&self) -> Result<Vec<PendingRequest>, PortError>;

    /// Stores these requests in place of the earlier ones.
    fn keep_requests(&mut self, requests: &[PendingRequest]) -> Result<(), PortError>;
}

/// A bundle file, and how much it holds.
#[derive(Debug)]
pub struct BundleFile {
    /// The bytes of the file.
    pub file: Vec<u8>,
    /// The phone that can open it.
    pub peer: Certificate,
    /// Envelopes in it.
    pub given: u32,
    /// Whether the file became full before everything was in it. The oldest records are left out.
    pub more: bool,
}

/// Makes a request as the text of a QR code.
pub fn ask_by_code(
    port: &mut dyn BundlePort,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<String, BundleError> {
    let identity = port.identity()?;
    let (pending, bytes) = RequestDraft::new(rng).seal(me(&identity)?, None, now_ms, rng);
    let code = format!("{CODE_PREFIX}{}", base32::encode(&bytes));
    if code.len() > BUNDLE_REQUEST_CODE_CHARS_MAX {
        return Err(BundleError::TooLongForCode);
    }
    keep(port, pending, now_ms)?;
    Ok(code)
}

/// Makes a request as a file. It names the state of the records here, so the answer is small.
pub fn ask_by_file(
    port: &mut dyn BundlePort,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, BundleError> {
    let identity = port.identity()?;
    let draft = RequestDraft::new(rng);
    let mut items = port.shared_items(&identity.certificate, &draft.digests())?;
    // The newest ones count most where there are too many.
    items.reverse();
    items.truncate(BUNDLE_DIGESTS_MAX);
    let mut held: Vec<RecordDigest> = items
        .iter()
        .map(|item| shortened(&item.digest.to_bytes()))
        .collect();
    // In this order they tell nothing about the times of the records.
    held.sort_unstable();
    let (pending, bytes) = draft.seal(me(&identity)?, Some(&held), now_ms, rng);
    keep(port, pending, now_ms)?;
    Ok(bytes)
}

/// Answers a request, which is a file or the text of a QR code.
pub fn make(
    port: &mut dyn PeerPort,
    request: &[u8],
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<BundleFile, BundleError> {
    let identity = port.identity()?;
    let bytes = request_bytes(request)?;
    let request = OpenedRequest::open(&bytes, me(&identity)?, now_ms)?;
    admit(port, request.peer())?;
    if let Some(list) = request.newer_keys() {
        port.adopt_keys(list)?;
    }
    let identity = port.identity()?;
    let peer = request.peer();
    let held: HashSet<&RecordDigest> = request.held().unwrap_or_default().iter().collect();
    let mut items = port.shared_items(peer, &request.digests())?;
    items.retain(|item| !held.contains(&shortened(&item.digest.to_bytes())));
    // The newest records come first, because a full file leaves out the rest.
    items.reverse();
    let records: Vec<RecordId> = items.iter().map(|item| item.record).collect();
    let mut content = Content::new(port)?;
    for some in records.chunks(PEER_RECORDS_MAX) {
        if !content.give(port, some, peer)? {
            break;
        }
    }
    Ok(BundleFile {
        file: request.seal(me(&identity)?, &content.messages, rng)?,
        peer: peer.clone(),
        given: content.given,
        more: content.is_full,
    })
}

/// Imports a bundle file that answers a request of this phone. Returns the phone that made it, and
/// the counts.
pub fn import(
    port: &mut dyn BundlePort,
    file: &[u8],
    now_ms: i64,
) -> Result<(Certificate, PeerReport), BundleError> {
    drop_expired(port, now_ms)?;
    let identity = port.identity()?;
    let (number, opened) = open(port, file, me(&identity)?, now_ms)?;
    let OpenedBundle {
        peer,
        newer_keys,
        messages,
    } = opened;
    if let Some(list) = &newer_keys {
        port.adopt_keys(list)?;
    }
    let mut report = PeerReport {
        bytes_down: file.len() as u64,
        ..PeerReport::default()
    };
    admit(port, &peer)?;
    for message in messages {
        report.messages += 1;
        match frame::decode(&message, PEER_MESSAGE_BYTES_MAX)? {
            PeerMessage::Revocations(entries) => {
                let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_vec()).collect();
                port.apply_revocations(&entries, now_ms)?;
                // The file itself may bring the news that its phone is revoked.
                admit(port, &peer)?;
            }
            PeerMessage::Give { give_back, bundle } => {
                let given = Handover {
                    give_back,
                    bundle,
                    ..Handover::default()
                };
                let applied = port.apply_peer(&given, &peer, now_ms)?;
                report.taken = report.taken.saturating_add(applied.pulled);
            }
            _ => return Err(FrameError::Shape.into()),
        }
    }
    let mut requests = port.pending_requests()?;
    if let Some(request) = requests.get_mut(number) {
        request.note_import(file);
        port.keep_requests(&requests)?;
    }
    Ok((peer, report))
}

/// Drops the requests that are too old, with the private keys that open their answers. The host does it at each
/// sync, and an import does it before anything else.
pub fn drop_expired(port: &mut dyn BundlePort, now_ms: i64) -> Result<(), PortError> {
    let mut requests = port.pending_requests()?;
    let count = requests.len();
    requests.retain(|request| request.is_alive(now_ms));
    if requests.len() < count {
        port.keep_requests(&requests)?;
    }
    Ok(())
}

/// The messages of a file in the making.
struct Content {
    messages: Vec<Vec<u8>>,
    bytes: usize,
    given: u32,
    is_full: bool,
}

/// How a file takes a message.
enum Pushed {
    Added,
    /// It is too large for any file, so the file goes on without it.
    TooLarge,
    /// The file has no room for it.
    Full,
}

impl Content {
    /// Begins with the revocations.
    fn new(port: &dyn PeerPort) -> Result<Self, BundleError> {
        let mut entries = port.revocations()?;
        entries.truncate(GIVE_BACK_DIRECTORY_MAX);
        let entries = entries.into_iter().map(ByteVec::from).collect();
        let mut content = Self {
            messages: Vec::new(),
            bytes: 0,
            given: 0,
            is_full: false,
        };
        content.push(&PeerMessage::Revocations(entries))?;
        Ok(content)
    }

    /// Adds some records. Returns whether there is room for more.
    fn give(
        &mut self,
        port: &dyn PeerPort,
        records: &[RecordId],
        peer: &Certificate,
    ) -> Result<bool, BundleError> {
        let mut ask = GiveAsk {
            records: records.to_vec(),
            ..GiveAsk::default()
        };
        while !ask.is_empty() {
            ask.bytes_max = PEER_GIVE_BYTES;
            let given = port.give_to_peer(&ask, peer)?;
            if given.is_empty() {
                break;
            }
            let count = u32::try_from(given.bundle.envelopes.len()).unwrap_or(u32::MAX);
            ask = given.left;
            let message = PeerMessage::Give {
                give_back: given.give_back,
                bundle: given.bundle,
            };
            match self.push(&message)? {
                Pushed::Added => self.given = self.given.saturating_add(count),
                Pushed::TooLarge => {}
                Pushed::Full => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Adds a message unless it or the file would become too large.
    fn push(&mut self, message: &PeerMessage) -> Result<Pushed, BundleError> {
        let frame = match frame::encode(message, PEER_MESSAGE_BYTES_MAX) {
            Err(FrameError::TooLarge) => {
                self.is_full = true;
                return Ok(Pushed::TooLarge);
            }
            frame => frame?,
        };
        if self.bytes + frame.len() > BUNDLE_CONTENT_BYTES_MAX {
            self.is_full = true;
            return Ok(Pushed::Full);
        }
        self.bytes += frame.len();
        self.messages.push(frame);
        Ok(Pushed::Added)
    }
}

/// The bytes of a request, from a file or from the text of a QR code.
fn request_bytes(request: &[u8]) -> Result<Vec<u8>, SealError> {
    let text = std::str::from_utf8(request).unwrap_or_default().trim();
    let is_code = text
        .get(..CODE_PREFIX_ANY.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(CODE_PREFIX_ANY));
    if !is_code {
        return Ok(request.to_vec());
    }
    if text.len() > BUNDLE_REQUEST_CODE_CHARS_MAX {
        return Err(SealError::NotARequest);
    }
    let (start, rest) = text
        .split_at_checked(CODE_PREFIX.len())
        .ok_or(SealError::NotARequest)?;
    if !start.eq_ignore_ascii_case(CODE_PREFIX) {
        return Err(SealError::Newer);
    }
    base32::decode(rest).ok_or(SealError::NotARequest)
}

/// Opens a file with the request that it answers. Returns the number of that request too.
fn open(
    port: &dyn BundlePort,
    file: &[u8],
    me: Me<'_>,
    now_ms: i64,
) -> Result<(usize, OpenedBundle), BundleError> {
    let mut refused = SealError::NoRequest;
    for (number, request) in port.pending_requests()?.iter().enumerate() {
        if !request.is_alive(now_ms) {
            continue;
        }
        if request.has_imported(file) {
            return Err(BundleError::ImportedBefore);
        }
        match request.open(file, me) {
            Ok(Some(opened)) => return Ok((number, opened)),
            Ok(None) => {}
            Err(error) => refused = error,
        }
    }
    if refused == SealError::NoRequest {
        refused = PendingRequest::refusal(file);
    }
    Err(refused.into())
}

/// Keeps a request beside the others that are not too old.
fn keep(
    port: &mut dyn BundlePort,
    request: PendingRequest,
    now_ms: i64,
) -> Result<(), BundleError> {
    let mut requests = port.pending_requests()?;
    requests.retain(|request| request.is_alive(now_ms));
    let surplus = (requests.len() + 1).saturating_sub(BUNDLE_REQUESTS_MAX);
    requests.drain(..surplus);
    requests.push(request);
    Ok(port.keep_requests(&requests)?)
}

fn admit(port: &dyn PeerPort, peer: &Certificate) -> Result<(), BundleError> {
    if port.is_revoked(peer)? {
        return Err(BundleError::Revoked);
    }
    Ok(())
}

fn me(identity: &Identity) -> Result<Me<'_>, BundleError> {
    Ok(Me {
        key: &identity.key,
        certificate: &identity.certificate,
        anchors: &identity.anchors,
        secrets: identity.secrets.as_ref().ok_or(BundleError::NoSecret)?,
    })
}
