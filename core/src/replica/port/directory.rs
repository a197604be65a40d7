//! Entries of the directory and of bulletins.

use std::cmp::Reverse;

use minicbor::Decoder;
use rusqlite::Connection;

use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::projection::{form_rows, notify, places};
use super::super::reader::Reader;
use super::super::table::notification::News;
use super::super::table::{bulletin, directory, notice};
use crate::domain::directory::DirectoryEntry;
use crate::domain::notification::NotificationKind;
use crate::domain::stream::StreamId;
use crate::id::Hash;
use crate::texts::Lang;
use crate::wire::signed_entry::SignedEntry;

/// The revocations as received, the newest first, because a message holds a limited number of them.
pub(super) fn revocations(conn: &Connection) -> Result<Vec<Vec<u8>>, rusqlite::Error> {
    let mut all = directory::revocations(conn)?;
    all.sort_by_cached_key(|bytes| {
        // They were verified when they were stored.
        let entry = SignedEntry::from_bytes(bytes).map(|signed| signed.entry);
        match entry.map(|entry| minicbor::decode(&entry)) {
            Ok(Ok(DirectoryEntry::Revocation(revocation))) => Reverse(revocation.revoked_at_ms),
            _ => Reverse(i64::MIN),
        }
    });
    Ok(all)
}

/// Stores an entry that the server signed; another one is left out.
pub(super) fn store(
    writing: &Writing<'_>,
    stream: &StreamId,
    bytes: &[u8],
) -> Result<(), ReplicaError> {
    let read = SignedEntry::from_bytes(bytes)
        .and_then(|signed| Ok((signed.verify(writing.anchors())?, signed.entry)));
    let Ok((entry, plain)) = read else {
        tracing::warn!(
            code = "wire.directory_entry",
            "an entry of the directory was left out"
        );
        return Ok(());
    };
    if let DirectoryEntry::Access(access) = &entry {
        // This is news and not part of the directory. The list of streams in the answer removes streams.
        let change = format!("-{} +{}", access.lost.len(), access.gained.len());
        let about = (None, None);
        notice::insert(
            writing.conn,
            access.at_ms,
            "replica.access_changed",
            about,
            &change,
        )?;
        return tell(
            writing,
            NotificationKind::AccessChanged,
            &plain,
            access.at_ms,
        );
    }
    if let DirectoryEntry::Revocation(revocation) = &entry {
        directory::put_revocation(writing.conn, revocation.device, bytes)?;
        if revocation.device == writing.device() {
            let cause = &revocation.device.0;
            let at_ms = revocation.revoked_at_ms;
            tell(writing, NotificationKind::Revoked, cause, at_ms)?;
        }
    }
    let (key, zh, en) = key_and_names(&entry);
    let before = directory::names_of_key(writing.conn, entry.code(), &key)?;
    // After a restore the server gives its whole directory again.
    let is_fresh_template = matches!(entry, DirectoryEntry::Template(_))
        && directory::get(writing.conn, entry.code(), &key)?.as_ref() != Some(&plain);
    places::project(writing.conn, &key, &entry)?;
    let row = directory::Entry {
        kind: entry.code(),
        key,
        zh,
        en,
        bytes: plain,
    };
    directory::put(writing.conn, &stream.to_bytes(), &row)?;
    if let DirectoryEntry::Template(template) = &entry
        && is_fresh_template
    {
        form_rows::template_arrived(writing.conn, template)?;
    }
    if let DirectoryEntry::Category(category) = &entry
        && before.is_none_or(|before| before != (row.zh, row.en))
    {
        places::category_renamed(writing.conn, category.code.as_str())?;
    }
    Ok(())
}

/// Notes news that concerns no record.
pub(super) fn tell(
    writing: &Writing<'_>,
    kind: NotificationKind,
    cause: &[u8],
    at_ms: i64,
) -> Result<(), ReplicaError> {
    let news = News {
        kind,
        cause: Hash::of(&[cause]).first16(),
        at_ms,
        record: None,
        envelope: None,
    };
    notify::tell(writing.conn, &news)
}

/// Stores a bulletin. It is a CBOR array whose first item is the 16-byte id of its subject. A later
/// bulletin on the same subject replaces it.
pub(super) fn store_bulletin(
    writing: &Writing<'_>,
    stream: &StreamId,
    bytes: &[u8],
) -> Result<(), ReplicaError> {
    let mut decoder = Decoder::new(bytes);
    let subject = decoder
        .array()
        .and_then(|_| decoder.bytes().map(<[u8]>::to_vec));
    let subject = subject
        .ok()
        .filter(|subject| subject.len() == 16)
        .unwrap_or_else(|| Hash::of(&[bytes]).first16().to_vec());
    Ok(bulletin::put(
        writing.conn,
        &stream.to_bytes(),
        &subject,
        bytes,
    )?)
}

fn key_and_names(entry: &DirectoryEntry) -> (Vec<u8>, String, String) {
    let named = |key: Vec<u8>, names: &crate::domain::names::Names| {
        (key, names.zh().to_owned(), names.en().to_owned())
    };
    match entry {
        DirectoryEntry::Area(area) => named(
            version_key(&area.id.0, area.version.valid_from_ms),
            &area.version.names,
        ),
        DirectoryEntry::Zone(zone) => named(
            version_key(&zone.id.0, zone.version.valid_from_ms),
            &zone.names,
        ),
        DirectoryEntry::Unit(unit) => named(unit.id.0.to_vec(), &unit.names),
        DirectoryEntry::Category(category) => {
            named(category.code.as_str().as_bytes().to_vec(), &category.names)
        }
        DirectoryEntry::Revocation(revocation) => {
            (revocation.device.0.to_vec(), String::new(), String::new())
        }
        DirectoryEntry::MemberName(name) => {
            let shown = name.public_name.clone().unwrap_or_default();
            (name.member.0.to_vec(), shown.clone(), shown)
        }
        DirectoryEntry::Access(access) => (access.member.0.to_vec(), String::new(), String::new()),
        DirectoryEntry::Template(entry) => {
            let version = entry.version().to_be_bytes();
            let key = [entry.id().as_str().as_bytes(), &[0], &version].concat();
            let title = entry.template().map(|template| template.title());
            let words =
                |lang| title.map_or_else(String::new, |title| title.in_lang(lang).to_owned());
            (key, words(Lang::Zh), words(Lang::En))
        }
        DirectoryEntry::Unknown { payload, .. } => (
            Hash::of(&[payload]).first16().to_vec(),
            String::new(),
            String::new(),
        ),
    }
}

/// Versions of one entry sort by the start of their validity.
fn version_key(id: &[u8; 16], from_ms: i64) -> Vec<u8> {
    let mut key = id.to_vec();
    key.extend((from_ms.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    key
}

impl Reader {
    /// The bulletins of a stream as the server published them.
    pub fn bulletins(&self, stream: &StreamId) -> Result<Vec<Vec<u8>>, ReplicaError> {
        Ok(bulletin::all(self.conn()?, &stream.to_bytes())?)
    }
}
