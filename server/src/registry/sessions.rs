//! Sessions: a mutual handshake opens them, and every request looks its session up in the store, so that a
//! revocation ends sessions on every node at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::DeviceId;
use onegrid_core::trust::certificate::{Certificate, RawCertificate};
use onegrid_core::trust::channel::ChannelKey;
use onegrid_core::trust::request_mac::RequestTag;
use onegrid_core::trust::session::{
    HandshakeId, ServerHandshake, Session, SessionError, SessionId,
};
use rand_core::CryptoRng;

use super::renewal::{self, is_due};
use super::{audit, devices};
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::HANDSHAKES_WAITING_MAX;
use crate::shared::Shared;
use crate::store::{MemberRow, Reader, SessionRow, Store, StoreResult, Writer};

/// Handshakes whose second message has not arrived.
#[derive(Default)]
pub struct Handshakes(Mutex<HashMap<HandshakeId, ServerHandshake>>);

/// Answers the first message of a handshake.
pub fn hello(
    keys: &Keys,
    handshakes: &Handshakes,
    bytes: &[u8],
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>> {
    let (state, answer) =
        ServerHandshake::answer(bytes, keys.receipts(), keys.anchors(), now_ms, rng)
            .map_err(refused)?;
    let mut waiting = handshakes.0.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.len() >= HANDSHAKES_WAITING_MAX {
        waiting.retain(|_, state| state.ends_ms() >= now_ms);
    }
    if waiting.len() >= HANDSHAKES_WAITING_MAX {
        return Err(Problem::new("http.busy"));
    }
    waiting.insert(state.id(), state);
    Ok(answer)
}

/// Answers the second message of a handshake and opens the session.
pub fn prove(
    shared: &Shared,
    handshakes: &Handshakes,
    bytes: &[u8],
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>> {
    let id = ServerHandshake::named_by(bytes).map_err(refused)?;
    let state = handshakes
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id)
        .ok_or_else(|| refused(SessionError::HandshakeOver))?;
    let proven = state
        .finish(
            bytes,
            shared.keys.authority(),
            now_ms,
            |raw| certified(shared, raw),
            |certificate| admits(&shared.store, certificate),
        )
        .map_err(refused)?;
    let device = proven.certificate().facts().device;
    let shown = proven.certificate().raw().clone();
    welcome_back(&shared.store, proven.certificate(), now_ms)?;
    let newest = renewal::newest_certificate(shared, device, now_ms)?;
    let generation = shared.generation()?;
    let newer = newest.filter(|newest| *newest.raw() != shown);
    let newer = newer.map(|certificate| certificate.raw().clone());
    let secrets = shared.keys.secrets().clone();
    let (session, grant) = proven.grant(generation, secrets, newer, now_ms, rng);
    let row = SessionRow {
        id: session.id.0,
        device,
        secret: *session.key.as_bytes(),
        expires_ms: session.expires_ms,
    };
    shared.store.write::<_, Problem>(move |tx| {
        // Checked again inside the transaction, because a revocation may have happened in between.
        if is_revoked(tx, device)? {
            return Err(refused(SessionError::Revoked));
        }
        tx.sweep_sessions(now_ms)?;
        tx.put_session(&row)?;
        Ok(())
    })?;
    Ok(grant)
}

/// Checks the two headers of a request against its session.
pub fn authenticate(
    store: &Arc<dyn Store>,
    (session, mac): (&str, &str),
    (method, path): (&str, &str),
    body: &[u8],
    now_ms: i64,
) -> Result<(Session, RequestTag)> {
    let tag = RequestTag::parse(session, mac).map_err(refused)?;
    let row = store.read(|tx| tx.session(tag.session.0))?;
    let row = row.ok_or_else(|| refused(SessionError::Unknown))?;
    let session = session_of(&row);
    session
        .check_request(&tag, method, path, body, now_ms)
        .map_err(refused)?;
    Ok((session, tag))
}

/// Prolongs a session in the second half of its time, and returns the new end.
pub(crate) fn prolong(
    store: &Arc<dyn Store>,
    session: &Session,
    now_ms: i64,
) -> Result<Option<i64>> {
    let whole = onegrid_core::limits::SESSION_MS;
    if session.expires_ms.saturating_sub(now_ms) > whole / 2 {
        return Ok(None);
    }
    let newest = store.read::<_, Problem>(|tx| Ok(devices::newest(tx, session.device)?))?;
    if newest.is_some_and(|newest| is_due(&newest, now_ms)) {
        // The session is left to end, because with the next one the phone gets a new certificate.
        return Ok(None);
    }
    let expires_ms = now_ms.saturating_add(whole);
    let (id, device) = (session.id.0, session.device);
    store.write::<_, Problem>(move |tx| {
        let row = tx
            .session(id)?
            .ok_or_else(|| refused(SessionError::Unknown))?;
        if is_revoked(tx, device)? {
            return Err(refused(SessionError::Revoked));
        }
        tx.put_session(&SessionRow { expires_ms, ..row })?;
        Ok(())
    })?;
    Ok(Some(expires_ms))
}

/// The certificate as the phone shows it, where this deployment issued it. One that the store has counts
/// whatever key signed it: the grant brings it under a key of today.
fn certified(shared: &Shared, raw: RawCertificate) -> Option<Certificate> {
    let verified = Certificate::verify(raw.clone(), shared.keys.anchors()).ok();
    verified.or_else(|| {
        let shown = Certificate::from_store(raw).ok()?;
        shared.certificate(shown.hash()).ok()?.map(|_| shown)
    })
}

fn admits(
    store: &Arc<dyn Store>,
    certificate: &Certificate,
) -> std::result::Result<(), SessionError> {
    let device = certificate.facts().device;
    let revoked = store.read(|tx| is_revoked(tx, device));
    match revoked {
        Ok(false) if certificate.facts().member.is_some() => Ok(()),
        Ok(false) => Err(SessionError::BadCertificate),
        Ok(true) => Err(SessionError::Revoked),
        // An unreadable store admits no device; the phone tries again.
        Err(_) => Err(SessionError::HandshakeOver),
    }
}

/// Adds a device again that a restored store does not know, if this deployment signed its certificate.
fn welcome_back(store: &Arc<dyn Store>, certificate: &Certificate, now_ms: i64) -> Result<()> {
    let device = certificate.facts().device;
    if store.read(|tx| tx.device(device))?.is_some() {
        return Ok(());
    }
    let certificate = certificate.clone();
    store.write::<_, Problem>(move |tx| Ok(take_in(tx, &certificate, now_ms)?))
}

/// Adds an unknown device by its certificate, and its member if unknown.
pub(crate) fn take_in(
    tx: &mut dyn Writer,
    certificate: &Certificate,
    now_ms: i64,
) -> StoreResult<()> {
    let facts = certificate.facts();
    if tx.device(facts.device)?.is_some() {
        return Ok(());
    }
    devices::put(tx, certificate, now_ms)?;
    if let Some(member) = facts.member.filter(|_| facts.issued_at.generation > 0)
        && tx.member(member)?.is_none()
        && let Some(area) = facts.grants.iter().find_map(|grant| match &grant.scope {
            onegrid_core::domain::role::Scope::Area(path) => Some(path.leaf()),
            _ => None,
        })
    {
        tx.put_member(&MemberRow {
            id: member,
            public_name: None,
            area,
            grants: facts.grants.clone(),
            granted_at: facts.issued_at,
            changed_ms: facts.issued_ms,
        })?;
    }
    directory::bump_policy(tx)?;
    audit::note(
        tx,
        now_ms,
        "server",
        "device.taken_in",
        &facts.device.to_string(),
    )
}

fn is_revoked(tx: &dyn Reader, device: DeviceId) -> StoreResult<bool> {
    Ok(devices::revoked_ms(tx, device)?.is_some())
}

fn session_of(row: &SessionRow) -> Session {
    Session {
        id: SessionId(row.id),
        key: ChannelKey::from_bytes(row.secret),
        device: row.device,
        certificate: onegrid_core::id::Hash([0; 32]),
        expires_ms: row.expires_ms,
    }
}

fn refused(error: SessionError) -> Problem {
    Problem::new(error.code())
}
