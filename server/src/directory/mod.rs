//! The directory of a deployment: areas, zones, units, categories, revocations, templates. Each entry goes into its
//! stream, and the newest entry for each name is kept for new phones.

pub mod heirs;
pub mod moves;
pub mod routing;

use std::sync::{Arc, PoisonError, RwLock};

use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::directory::{Directory, DirectoryEntry, Revocation};
use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{DeviceId, Hash, MemberId, UnitId};
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::signed_entry::SignedEntry;

use self::moves::Moves;
use crate::keys::Keys;
use crate::store::{CurrentEntry, Entry, NewEntry, Reader, StoreError, StoreResult, Writer};

/// Code of an entry that tells whose grants changed; phones pass it on unread.
const GRANTS_CHANGED: u16 = 7;
/// Code of an entry with a line of the audit log; phones pass it on unread.
pub(crate) const AUDIT_ANCHOR: u16 = 10;

pub(crate) const POLICY: &str = "policy";
/// Key of the note of the generation.
pub(crate) const GENERATION: &str = "generation";

/// Stream that carries an entry.
#[must_use]
pub fn stream_of(entry: &DirectoryEntry) -> StreamId {
    match entry {
        DirectoryEntry::MemberName(name) => StreamId::DirectoryVillage(name.area),
        DirectoryEntry::Access(access) => StreamId::Member(access.member),
        _ => StreamId::DirectoryBase,
    }
}

/// Name of the subject of an entry; a later entry with this name replaces it.
fn name_of(entry: &DirectoryEntry) -> Vec<u8> {
    let start = |ms: i64| ms.to_be_bytes().to_vec();
    let rest = match entry {
        DirectoryEntry::Area(area) => [&area.id.0[..], &start(area.version.valid_from_ms)].concat(),
        DirectoryEntry::Zone(zone) => [&zone.id.0[..], &start(zone.version.valid_from_ms)].concat(),
        DirectoryEntry::Unit(unit) => unit.id.0.to_vec(),
        DirectoryEntry::Category(category) => category.code.as_str().as_bytes().to_vec(),
        DirectoryEntry::Revocation(revocation) => revocation.device.0.to_vec(),
        DirectoryEntry::MemberName(name) => name.member.0.to_vec(),
        DirectoryEntry::Access(access) => access.member.0.to_vec(),
        DirectoryEntry::Template(template) => {
            let version = template.version().to_be_bytes();
            [template.id().as_str().as_bytes(), &[0], &version].concat()
        }
        // The newest change of a member's grants says all that the earlier ones did.
        DirectoryEntry::Unknown {
            code: GRANTS_CHANGED,
            payload,
        } => minicbor::decode::<(MemberId, i64)>(payload)
            .map_or_else(|_| Hash::of(&[payload]).0.to_vec(), |(id, _)| id.0.to_vec()),
        DirectoryEntry::Unknown {
            code: AUDIT_ANCHOR, ..
        } => Vec::new(),
        DirectoryEntry::Unknown { payload, .. } => Hash::of(&[payload]).0.to_vec(),
    };
    [&entry.code().to_be_bytes()[..], &rest].concat()
}

/// Derives the id of a unit from the id that an office uses.
#[must_use]
pub fn unit_id(external_id: &str) -> UnitId {
    UnitId::v8(&Hash::of(&[b"onegrid.unit", external_id.as_bytes()]))
}

/// Publishes entries that change the directory, and returns their number. A change of the base counts as a
/// change of the policy; a name of a member changes no right.
pub fn publish(tx: &mut dyn Writer, keys: &Keys, entries: &[DirectoryEntry]) -> StoreResult<usize> {
    let mut published = 0;
    let mut touches_base = false;
    for entry in entries {
        let (stream, name) = (stream_of(entry), name_of(entry));
        // Ed25519 is deterministic, so equal entries have equal bytes.
        let data = SignedEntry::sign(entry, keys.receipts(), keys.authority()).to_bytes();
        if tx
            .current_of(stream, &name)?
            .is_some_and(|known| known.data == data)
        {
            continue;
        }
        let line = NewEntry {
            entry: Entry::Directory(data.clone()),
            adds: Digest::EMPTY,
        };
        let head = tx.append(stream, &[line])?;
        tx.set_current(stream, &name, head.position, Some(&data))?;
        published += 1;
        touches_base |= stream == StreamId::DirectoryBase;
    }
    if touches_base {
        bump_policy(tx)?;
    }
    Ok(published)
}

/// Counter of all changes to permissions: directory, grants, revocations. A decision that was prepared
/// under an older count is made again.
pub fn policy(tx: &dyn Reader) -> StoreResult<u64> {
    number(tx, POLICY)
}

/// Counts a change to permissions.
pub fn bump_policy(tx: &mut dyn Writer) -> StoreResult<()> {
    let next = policy(tx)? + 1;
    tx.set_meta(POLICY, &next.to_be_bytes())
}

/// Generation of the server's data; every restore raises it.
pub fn generation(tx: &dyn Reader) -> StoreResult<u32> {
    u32::try_from(number(tx, GENERATION)?).map_err(|_| StoreError::Row("generation"))
}

/// Reads the note of a generation.
pub(crate) fn generation_in(note: &[u8]) -> Option<u32> {
    let bytes = note.try_into().ok()?;
    u32::try_from(u64::from_be_bytes(bytes)).ok()
}

/// Sets the generation of the server's data.
pub fn set_generation(tx: &mut dyn Writer, generation: u32) -> StoreResult<()> {
    tx.set_meta(GENERATION, &u64::from(generation).to_be_bytes())
}

/// Present generation and position of the directory.
pub fn mark(tx: &dyn Reader) -> StoreResult<DirectoryMark> {
    Ok(DirectoryMark {
        generation: generation(tx)?,
        position: tx.head(StreamId::DirectoryBase)?.position,
    })
}

fn number(tx: &dyn Reader, name: &str) -> StoreResult<u64> {
    let Some(bytes) = tx.meta(name)? else {
        return Ok(0);
    };
    let bytes = bytes
        .try_into()
        .map_err(|_| StoreError::Row("a number of the store's notes"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// The directory at one count of the policy.
#[derive(Debug, Default)]
pub struct View {
    /// Count of the policy at which the directory was read.
    pub policy: u64,
    /// Areas, zones, units, categories and revocations; no names of members.
    pub directory: Directory,
    /// Areas that got another parent lately.
    pub moves: Moves,
}

/// Cache of the newest view; a change of the policy makes it outdated.
#[derive(Debug, Default)]
pub struct Views(RwLock<Option<Arc<View>>>);

impl Views {
    /// Starts with a view, which serves while its policy is the present one.
    #[must_use]
    pub fn starting_with(view: Arc<View>) -> Self {
        Self(RwLock::new(Some(view)))
    }

    /// View of this snapshot.
    pub fn at(&self, tx: &dyn Reader) -> StoreResult<Arc<View>> {
        let policy = policy(tx)?;
        let known = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(view) = known.filter(|view| view.policy == policy) {
            return Ok(view);
        }
        let view = Arc::new(View {
            policy,
            directory: read(tx)?,
            moves: Moves::read(tx)?,
        });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        Ok(view)
    }
}

/// Reads the base directory.
pub fn read(tx: &dyn Reader) -> StoreResult<Directory> {
    let mut entries = Vec::new();
    let mut after = 0;
    loop {
        let page = tx.current(StreamId::DirectoryBase, after, ENTRIES_A_STEP)?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for entry in &page {
            entries.push(entry_of(&entry.data)?);
        }
    }
    let (directory, left) = Directory::of(entries);
    if left > 0 {
        tracing::warn!(count = left, "entries of the directory that fit nowhere");
    }
    Ok(directory)
}

/// Time of a device's revocation, ms UTC. A restored store may know the revocation before it knows the
/// device.
pub fn revoked_ms(tx: &dyn Reader, device: DeviceId) -> StoreResult<Option<i64>> {
    let name = name_of(&DirectoryEntry::Revocation(Revocation {
        device,
        revoked_at_ms: 0,
    }));
    let Some(known) = tx.current_of(StreamId::DirectoryBase, &name)? else {
        return Ok(None);
    };
    Ok(match entry_of(&known.data)? {
        DirectoryEntry::Revocation(revocation) => Some(revocation.revoked_at_ms),
        _ => None,
    })
}

/// Current entry of the base directory under the name of this one.
pub(crate) fn current_like(
    tx: &dyn Reader,
    entry: &DirectoryEntry,
) -> StoreResult<Option<CurrentEntry>> {
    tx.current_of(StreamId::DirectoryBase, &name_of(entry))
}

fn entry_of(data: &[u8]) -> StoreResult<DirectoryEntry> {
    let damaged = StoreError::Row("an entry of the directory");
    let signed = SignedEntry::from_bytes(data).map_err(|_| damaged.clone())?;
    minicbor::decode(&signed.entry).map_err(|_| damaged)
}

const ENTRIES_A_STEP: usize = 500;
