//! `certificate` and `anchor`: the authors of the stored envelopes, and the list of server keys.

use rusqlite::{Connection, OptionalExtension, Row};

use super::meta::{self, Name};
use super::{Sql, cbor, fixed, to_cbor};
use crate::id::{DeviceId, Hash, MemberId};
use crate::trust::certificate::{Certificate, RawCertificate, ServerKeys};
use crate::trust::peer_session::MeetingSecrets;

/// Stores a verified certificate. A stored one gets the signature, which may be of a newer key.
pub(in crate::replica) fn insert(conn: &Connection, certificate: &Certificate) -> Sql<()> {
    let facts = certificate.facts();
    let raw = certificate.raw();
    conn.prepare_cached(
        "INSERT INTO certificate (hash, device, member, facts, signature)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (hash) DO UPDATE SET signature = excluded.signature",
    )?
    .execute((
        certificate.hash().as_bytes(),
        facts.device.as_bytes(),
        facts.member.as_ref().map(|member| &member.0),
        &raw.facts,
        &raw.signature,
    ))
    .map(drop)
}

pub(in crate::replica) fn get(conn: &Connection, hash: Hash) -> Sql<Option<RawCertificate>> {
    conn.prepare_cached("SELECT facts, signature FROM certificate WHERE hash = ?1")?
        .query_row([hash.as_bytes()], raw)
        .optional()
}

/// The certificates of a device, and of all devices of its member.
pub(in crate::replica) fn of_member(
    conn: &Connection,
    member: Option<MemberId>,
    device: DeviceId,
) -> Sql<Vec<Hash>> {
    conn.prepare_cached("SELECT hash FROM certificate WHERE device = ?1 OR member = ?2")?
        .query_map(
            (device.as_bytes(), member.as_ref().map(|member| &member.0)),
            |row| Ok(Hash(fixed(row, 0)?)),
        )?
        .collect()
}

/// Notes that the server has a certificate since this generation.
pub(in crate::replica) fn set_known_in(conn: &Connection, hash: Hash, generation: u32) -> Sql<()> {
    conn.prepare_cached("UPDATE certificate SET known_in = ?2 WHERE hash = ?1 AND known_in < ?2")?
        .execute((hash.as_bytes(), generation))
        .map(drop)
}

/// The generation since which the server has a certificate; 0 when this is not known.
pub(in crate::replica) fn known_in(conn: &Connection, hash: Hash) -> Sql<u32> {
    conn.prepare_cached("SELECT known_in FROM certificate WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// The key of the only row of `anchor`.
const LIST: &[u8] = b"list";

/// Stores the list of server keys in place of the one before.
pub(in crate::replica) fn put_server_keys(conn: &Connection, list: &ServerKeys) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO anchor (key, bytes) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes",
    )?
    .execute((LIST, to_cbor(list)))
    .map(drop)
}

/// The newest list of server keys.
pub(in crate::replica) fn server_keys(conn: &Connection) -> Sql<Option<ServerKeys>> {
    conn.prepare_cached("SELECT bytes FROM anchor WHERE key = ?1")?
        .query_row([LIST], |row| cbor(row, 0))
        .optional()
}

/// Stores the secrets that only phones of the deployment know.
pub(in crate::replica) fn put_secrets(conn: &Connection, secrets: &MeetingSecrets) -> Sql<()> {
    meta::put(conn, Name::MeetingSecrets, &to_cbor(secrets))
}

/// Returns the secrets that only phones of the deployment know. Without them the phone meets no other phone
/// until its next session.
pub(in crate::replica) fn secrets(conn: &Connection) -> Sql<Option<MeetingSecrets>> {
    let stored = meta::get(conn, Name::MeetingSecrets)?;
    Ok(stored.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

fn raw(row: &Row<'_>) -> Sql<RawCertificate> {
    Ok(RawCertificate {
        facts: row.get(0)?,
        signature: fixed(row, 1)?,
    })
}
