//! Sessions: a mutual handshake opens them, and every request looks its session up in the store, so
//! that a revocation ends sessions on every node at once.

use std::sync::{Arc, Mutex, PoisonError};

use onegrid_core::id::{DeviceId, MemberId};
use onegrid_core::limits::HANDSHAKE_MS_MAX;
use onegrid_core::trust::certificate::{Certificate, RawCertificate};
use onegrid_core::trust::channel::ChannelKey;
use onegrid_core::trust::request_mac::RequestTag;
use onegrid_core::trust::session::{
    HandshakeKey, ServerHandshake, Session, SessionError, SessionId,
};
use rand_core::CryptoRng;

use super::renewal::{self, is_outdated};
use super::{audit, devices, revocation};
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::shared::Shared;
use crate::store::{MemberRow, Reader, SessionRow, Store, StoreResult, Writer};

/// The keys that seal the states of handshakes. They are notes of the store, one for each span of time, so a phone
/// begins at one node and ends at another.
///
/// **Invariant:** only a proved phone takes memory here. A state lives in its phone, at most as long as its key. A
/// handshake opens one session on all nodes together, because its session has a name that follows from it, and
/// the transaction that stores the session refuses a name that exists.
#[derive(Default)]
pub struct Handshakes(Mutex<Option<Era>>);

/// A span of time with a key of its own.
#[derive(Clone)]
struct Era {
    number: i64,
    key: Arc<HandshakeKey>,
}

impl Era {
    /// Number of the span that contains this time, ms UTC.
    fn at(now_ms: i64) -> i64 {
        now_ms.div_euclid(HANDSHAKE_MS_MAX)
    }

    /// Name of the note of a span.
    fn note(number: i64) -> String {
        format!("{HANDSHAKE_KEY}{}", number.rem_euclid(ERAS_KEPT))
    }

    /// Reads the key of this span; `None` if the note has the key of another one.
    fn read(tx: &dyn Reader, number: i64) -> StoreResult<Option<Self>> {
        let note = tx.meta(&Self::note(number))?;
        let key = note.and_then(|note| {
            let (of, key) = note.split_first_chunk::<8>()?;
            let key: &[u8; 32] = key.try_into().ok()?;
            (i64::from_be_bytes(*of) == number).then(|| HandshakeKey::from_bytes(key))
        });
        Ok(key.map(Arc::new).map(|key| Self { number, key }))
    }
}

impl Handshakes {
    /// Returns the key of the present span. The first node that asks for it draws it.
    fn key(
        &self,
        store: &Arc<dyn Store>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Arc<HandshakeKey>> {
        let number = Era::at(now_ms);
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(era) = newest.as_ref().filter(|era| era.number == number) {
            return Ok(Arc::clone(&era.key));
        }
        let mut drawn = [0; 32];
        rng.fill_bytes(&mut drawn);
        let era = match store.read(|tx| Era::read(tx, number))? {
            Some(era) => era,
            None => store.write::<_, Problem>(move |tx| {
                if let Some(era) = Era::read(tx, number)? {
                    return Ok(era);
                }
                let note = [&number.to_be_bytes()[..], &drawn].concat();
                tx.set_meta(&Era::note(number), &note)?;
                let key = Arc::new(HandshakeKey::from_bytes(&drawn));
                Ok(Era { number, key })
            })?,
        };
        let key = Arc::clone(&era.key);
        *newest = Some(era);
        Ok(key)
    }
}

/// Opens the state that a proof carries. The clock of another node may be a little ahead or behind.
fn open(store: &Arc<dyn Store>, bytes: &[u8], now_ms: i64) -> Result<ServerHandshake> {
    let now = Era::at(now_ms);
    let eras = store.read(|tx| {
        let near = [now, now - 1, now + 1].into_iter();
        let found = near.map(|number| Era::read(tx, number));
        found.collect::<StoreResult<Vec<_>>>()
    })?;
    let mut last = SessionError::HandshakeOver;
    for era in eras.into_iter().flatten() {
        match ServerHandshake::open(bytes, &era.key) {
            Ok(state) => return Ok(state),
            Err(error) => last = error,
        }
    }
    Err(refused(last))
}

/// Begins the names of notes in the store: number of a span of time, and the key of its handshakes.
const HANDSHAKE_KEY: &str = "handshake_key_";
/// Spans whose keys have notes of their own: the present one, and the neighbours for clocks that are apart.
const ERAS_KEPT: i64 = 4;

/// Answers the first message of a handshake.
pub fn hello(
    shared: &Shared,
    handshakes: &Handshakes,
    bytes: &[u8],
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>> {
    let (keys, sealing) = (&shared.keys, handshakes.key(&shared.store, now_ms, rng)?);
    let (_, answer) = ServerHandshake::answer(
        bytes,
        keys.receipts(),
        keys.anchors(),
        &sealing,
        now_ms,
        rng,
    )
    .map_err(refused)?;
    Ok(answer)
}

/// Answers the second message of a handshake and opens the session.
pub fn prove(shared: &Shared, bytes: &[u8], now_ms: i64) -> Result<Vec<u8>> {
    let state = open(&shared.store, bytes, now_ms)?;
    let id = SessionId::of(state.id());
    let proven = state
        .finish(
            bytes,
            shared.keys.authority(),
            now_ms,
            |raw| certified(shared, raw),
            |certificate| admits(&shared.store, certificate),
        )
        .map_err(refused)?;
    let (device, member) = {
        let facts = proven.certificate().facts();
        (facts.device, facts.member)
    };
    let shown = proven.certificate().raw().clone();
    welcome_back(shared, proven.certificate(), now_ms)?;
    let newest = renewal::newest_certificate(shared, device, now_ms)?;
    let generation = shared.generation()?;
    let newer = newest.filter(|newest| *newest.raw() != shown);
    let newer = newer.map(|certificate| certificate.raw().clone());
    let secrets = shared.keys.secrets().clone();
    let (session, grant) = proven.grant(generation, secrets, newer, now_ms, id);
    let row = SessionRow {
        id: session.id.0,
        device,
        secret: *session.key.as_bytes(),
        expires_ms: session.expires_ms,
    };
    shared.store.write::<_, Problem>(move |tx| {
        // Checked again inside the transaction, because a revocation may have happened in between.
        if is_cut_off(tx, device, member)? {
            return Err(refused(SessionError::Revoked));
        }
        // A copy of a proof would open a second session under the same key.
        if tx.session(row.id)?.is_some() {
            return Err(refused(SessionError::HandshakeOver));
        }
        tx.sweep_sessions(now_ms)?;
        tx.put_session(&row)?;
        Ok(())
    })?;
    Ok(grant)
}

/// Returns the device of the session that the headers of a request name. It is claimed, not proved,
/// because the code covers the body.
pub fn claimed(
    store: &Arc<dyn Store>,
    (session, mac): (&str, &str),
    now_ms: i64,
) -> Result<DeviceId> {
    let tag = RequestTag::parse(session, mac).map_err(refused)?;
    let row = store.read(|tx| tx.session(tag.session.0))?;
    let session = session_of(&row.ok_or_else(|| refused(SessionError::Unknown))?);
    if session.is_over(now_ms) {
        return Err(refused(SessionError::Expired));
    }
    Ok(session.device)
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
pub(crate) fn prolong(shared: &Shared, session: &Session, now_ms: i64) -> Result<Option<i64>> {
    let whole = onegrid_core::limits::SESSION_MS;
    if session.expires_ms.saturating_sub(now_ms) > whole / 2 {
        return Ok(None);
    }
    let outdated = shared.store.read::<_, Problem>(|tx| {
        let newest = devices::newest(tx, session.device)?;
        let outdated = newest.map(|newest| is_outdated(&shared.views, tx, &newest, now_ms));
        Ok(outdated.transpose()?.unwrap_or(false))
    })?;
    if outdated {
        // The session is left to end, because with the next one the phone gets a new certificate.
        return Ok(None);
    }
    let expires_ms = now_ms.saturating_add(whole);
    let (id, device) = (session.id.0, session.device);
    shared.store.write::<_, Problem>(move |tx| {
        let row = tx
            .session(id)?
            .ok_or_else(|| refused(SessionError::Unknown))?;
        let member = tx.device(device)?.and_then(|known| known.member);
        if is_cut_off(tx, device, member)? {
            return Err(refused(SessionError::Revoked));
        }
        tx.put_session(&SessionRow { expires_ms, ..row })?;
        Ok(())
    })?;
    Ok(Some(expires_ms))
}

/// The certificate as the phone shows it, where this deployment issued it. One that the store has
/// counts whatever key signed it: the grant brings it under a key of today.
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
    let (device, member) = (certificate.facts().device, certificate.facts().member);
    let cut_off = store.read(|tx| match tx.device(device)? {
        Some(_) => is_cut_off(tx, device, member),
        // The server takes it in first, so that the device of a member who is switched off is
        // revoked.
        None => is_revoked(tx, device),
    });
    match cut_off {
        Ok(false) if member.is_some() => Ok(()),
        Ok(false) => Err(SessionError::BadCertificate),
        Ok(true) => Err(SessionError::Revoked),
        // An unreadable store admits no device; the phone tries again.
        Err(_) => Err(SessionError::HandshakeOver),
    }
}

/// Adds a device again that a restored store does not know, if this deployment signed its
/// certificate.
fn welcome_back(shared: &Shared, certificate: &Certificate, now_ms: i64) -> Result<()> {
    let device = certificate.facts().device;
    if shared.store.read(|tx| tx.device(device))?.is_some() {
        return Ok(());
    }
    let (certificate, keys) = (certificate.clone(), Arc::clone(&shared.keys));
    let revoked = shared
        .store
        .write::<_, Problem>(move |tx| take_in(tx, &keys, &certificate, now_ms))?;
    if revoked {
        revocation::cut_off(shared, &[device]);
    }
    Ok(())
}

/// Adds an unknown device by its certificate, and its member if unknown. The device of a member who
/// is switched off is revoked at once, like those that the server knew on that day. Returns whether
/// it was.
fn take_in(
    tx: &mut dyn Writer,
    keys: &Keys,
    certificate: &Certificate,
    now_ms: i64,
) -> Result<bool> {
    let facts = certificate.facts();
    if tx.device(facts.device)?.is_some() {
        return Ok(false);
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
            disabled_ms: None,
        })?;
    }
    directory::bump_policy(tx)?;
    audit::note(
        tx,
        now_ms,
        "server",
        "device.taken_in",
        &facts.device.to_string(),
    )?;
    match tx.device(facts.device)? {
        Some(row) if is_switched_off(tx, row.member)? => {
            revocation::revoke_in(tx, keys, &row, "server", now_ms)
        }
        _ => Ok(false),
    }
}

/// Whether the device is revoked or its member switched off. The member is asked too, because the
/// store may not have known the device when the member was switched off.
fn is_cut_off(tx: &dyn Reader, device: DeviceId, member: Option<MemberId>) -> StoreResult<bool> {
    Ok(is_revoked(tx, device)? || is_switched_off(tx, member)?)
}

/// Whether this is a member who is switched off.
pub(super) fn is_switched_off(tx: &dyn Reader, member: Option<MemberId>) -> StoreResult<bool> {
    let row = member.map(|member| tx.member(member)).transpose()?;
    Ok(row.flatten().is_some_and(|row| row.disabled_ms.is_some()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{NOW, VOLUNTEER_WANG};
    use onegrid_core::trust::session::ClientHandshake;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::ingest::tests::world::{SyncPhone, TestServer};
    use crate::store::sqlite::SqliteEnd;
    use crate::store::{CopyEnd as _, TABLES};

    /// Begins a handshake, and returns the proof of the phone.
    fn begin(world: &TestServer, phone: &SyncPhone, now_ms: i64, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let (client, hello) = ClientHandshake::start(world.keys.authority(), rng);
        let answer = world.server.handle_hello(&hello, now_ms, rng).unwrap();
        let (anchors, key) = (world.keys.anchors(), VOLUNTEER_WANG.key());
        let (_, proof) = client
            .prove(&answer, anchors, &key, &phone.certificate)
            .unwrap();
        proof
    }

    /// A copy of a proof would open a second session under the same key, and answer requests of the
    /// first one.
    #[test]
    fn proof_opens_one_session_while_its_key_lives() {
        let world = TestServer::new();
        let phone = world.phone(VOLUNTEER_WANG);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let prove = |proof: &[u8], now_ms| {
            let granted = world.server.handle_prove(proof, now_ms);
            granted.map(drop).map_err(|problem| problem.code())
        };
        let over = Err("session.handshake_over");
        let (first, slow) = (
            begin(&world, &phone, NOW, &mut rng),
            begin(&world, &phone, NOW, &mut rng),
        );
        assert_eq!(prove(&first, NOW + 10), Ok(()));
        assert_eq!(prove(&first, NOW + 11), over);
        // A handshake of the end of one key is good for its whole time, and once.
        let late = begin(&world, &phone, NOW + HANDSHAKE_MS_MAX - 1, &mut rng);
        begin(&world, &phone, NOW + HANDSHAKE_MS_MAX, &mut rng);
        assert_eq!(prove(&slow, NOW + HANDSHAKE_MS_MAX + 1), over, "too late");
        assert_eq!(prove(&late, NOW + 2 * HANDSHAKE_MS_MAX - 1), Ok(()));
        assert_eq!(prove(&late, NOW + 2 * HANDSHAKE_MS_MAX - 1), over);
        assert_eq!(prove(&first, NOW + 20), over, "also with a clock set back");
        begin(&world, &phone, NOW + 3 * HANDSHAKE_MS_MAX, &mut rng);
        for proof in [&first, &late] {
            assert_eq!(prove(proof, NOW + 20), over, "the key is gone");
        }
    }

    /// The phone meets another node after each message, and a node that was stopped meanwhile.
    #[test]
    fn handshake_begins_at_one_node_and_ends_once_at_another() {
        let world = TestServer::new();
        let phone = world.phone(VOLUNTEER_WANG);
        let other = world.reopened();
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let proof = begin(&world, &phone, NOW, &mut rng);
        // Its clock is ahead.
        let grant = other.handle_prove(&proof, NOW + 20_000).unwrap();
        assert!(!grant.is_empty());
        for (node, at_ms) in [(&*world.server, NOW + 10), (&other, NOW + 11)] {
            let again = node.handle_prove(&proof, at_ms).unwrap_err();
            assert_eq!(again.code(), "session.handshake_over");
        }
    }

    #[test]
    fn begun_handshakes_take_no_memory() {
        let world = TestServer::new();
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let file = world.folder().join("onegrid.db");
        let contents = || {
            let end = SqliteEnd::open(&file, None).unwrap();
            TABLES
                .iter()
                .map(|table| end.rows(table, None, usize::MAX).unwrap())
                .collect::<Vec<_>>()
        };
        let before = contents();
        let begin = |rng: &mut ChaCha20Rng| {
            let (_, sent) = ClientHandshake::start(world.keys.authority(), rng);
            world.server.handle_hello(&sent, NOW, rng).unwrap();
        };
        begin(&mut rng);
        let first = contents();
        assert!(before != first, "the key of this minute");
        for _ in 0..100 {
            begin(&mut rng);
        }
        assert!(first == contents());
    }
}
