//! Members and their grants. A change of grants creates new certificates for all devices of the member.

use std::collections::BTreeSet;

use onegrid_core::domain::directory::{Access, Directory, DirectoryEntry, MemberName};
use onegrid_core::domain::role::Grant;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{AreaId, Hash, MemberId};
use onegrid_core::limits::ACCESS_STREAMS_MAX;
use onegrid_core::trust::sign::{Authority, PublicKey};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::signed_entry::SignedEntry;

use super::{audit, devices};
use crate::directory;
use crate::directory::routing::{At, read_by};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::store::{Entry, MemberRow, NewEntry, Reader, StoreResult, Writer};

/// Code of the directory entry for “this member's grants have changed”. Its position decides whether an
/// author had seen the change.
const GRANTS_CHANGED: u16 = 7;

/// A member as an administrator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// OneGrid's id of the person, not the office's.
    pub id: MemberId,
    /// Name that colleagues see.
    pub public_name: Option<String>,
    /// Area whose directory carries the name.
    pub area: AreaId,
    /// All roles of the member.
    pub grants: Vec<Grant>,
}

/// Derives the id of a member from the id that an office uses. Each import derives the same id, and another
/// deployment derives a different one.
#[must_use]
pub fn id_of_external(authority: &Authority, external_id: &str) -> MemberId {
    MemberId::v8(&Hash::of(&[
        b"onegrid.member",
        authority.0.as_bytes(),
        external_id.as_bytes(),
    ]))
}

/// Writes a member, and returns whether anything changed.
pub fn put(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    actor: &str,
    now_ms: i64,
    places: &mut Places,
) -> Result<bool> {
    let known = tx.member(described.id)?;
    let same_grants = known
        .as_ref()
        .is_some_and(|known| known.grants == described.grants);
    let same = same_grants
        && known.as_ref().is_some_and(|known| {
            known.public_name == described.public_name && known.area == described.area
        });
    if same {
        return Ok(false);
    }
    // A member who moves leaves the directory of the previous area.
    let moved = known.as_ref().filter(|known| known.area != described.area);
    let names: Vec<DirectoryEntry> = moved
        .map(|known| (known.area, None))
        .into_iter()
        .chain([(described.area, described.public_name.clone())])
        .map(|(area, public_name)| {
            DirectoryEntry::MemberName(MemberName {
                member: described.id,
                public_name,
                area,
            })
        })
        .collect();
    directory::publish(tx, keys, &names)?;
    if known.is_some() && !same_grants {
        let payload =
            minicbor::to_vec((described.id, now_ms)).expect("writing CBOR to memory does not fail");
        let changed = DirectoryEntry::Unknown {
            code: GRANTS_CHANGED,
            payload,
        };
        directory::publish(tx, keys, &[changed])?;
    }
    let granted_at = match &known {
        Some(known) if same_grants => known.granted_at,
        _ => directory::mark(tx)?,
    };
    let granted_ms = match &known {
        Some(known) if same_grants => known.changed_ms,
        _ => now_ms,
    };
    tx.put_member(&MemberRow {
        id: described.id,
        public_name: described.public_name.clone(),
        area: described.area,
        grants: described.grants.clone(),
        granted_at,
        changed_ms: granted_ms,
    })?;
    if !same_grants {
        let before = known.as_ref().map_or(&[][..], |known| &known.grants);
        if reissue(tx, keys, described, now_ms)? {
            announce(tx, keys, described, before, places, now_ms)?;
        }
        directory::bump_policy(tx)?;
    }
    let action = if known.is_some() {
        "member.changed"
    } else {
        "member.added"
    };
    audit::note(tx, now_ms, actor, action, &described.id.to_string())?;
    Ok(true)
}

/// Issues new certificates for all phones of the member, and returns whether there is any phone. The phones'
/// sessions end: with its next session a phone gets the new certificate, before it reads that its roles have
/// changed.
fn reissue(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    now_ms: i64,
) -> Result<bool> {
    let mark = directory::mark(tx)?;
    let mut any = false;
    for device in tx.devices_of(described.id)? {
        if device.revoked_ms.is_some() {
            continue;
        }
        let key = PublicKey::from_bytes(&device.public_key)
            .map_err(|error| Problem::new("store.damaged").because(&error))?;
        let grants = described.grants.clone();
        let certificate = devices::issue(tx, keys, &key, described.id, grants, mark, now_ms)?;
        devices::put(tx, &certificate, now_ms)?;
        tx.end_sessions(device.id)?;
        any = true;
    }
    Ok(any)
}

/// Announces lost and gained streams to the member, in the member's own stream.
fn announce(
    tx: &mut dyn Writer,
    keys: &Keys,
    described: &MemberDescription,
    before: &[Grant],
    places: &mut Places,
    now_ms: i64,
) -> StoreResult<()> {
    let directory = places.at(tx)?;
    let at = At { directory, now_ms };
    let had = read_by(described.id, before, at);
    let has = read_by(described.id, &described.grants, at);
    let only = |one: &BTreeSet<StreamId>, other: &BTreeSet<StreamId>| {
        let rest = one.difference(other).copied();
        rest.take(ACCESS_STREAMS_MAX).collect()
    };
    let access = DirectoryEntry::Access(Access {
        member: described.id,
        at_ms: now_ms,
        lost: only(&had, &has),
        gained: only(&has, &had),
    });
    let data = SignedEntry::sign(&access, keys.receipts(), keys.authority()).to_bytes();
    let (entry, adds) = (Entry::Directory(data), Digest::EMPTY);
    tx.append(StreamId::Member(described.id), &[NewEntry { entry, adds }])?;
    Ok(())
}

/// The directory, read on first use.
#[derive(Debug, Default)]
pub struct Places(Option<Directory>);

impl Places {
    /// Wraps a directory that was already read.
    #[must_use]
    pub fn known(directory: Directory) -> Self {
        Self(Some(directory))
    }

    fn at(&mut self, tx: &dyn Reader) -> StoreResult<&Directory> {
        let known = match self.0.take() {
            Some(known) => known,
            None => directory::read(tx)?,
        };
        Ok(self.0.insert(known))
    }
}
