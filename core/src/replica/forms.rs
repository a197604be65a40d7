//! Templates on this phone: the shipped ones, and those of the directory.
//!
//! A shipped template wins over an entry of the directory with its id and version, because answers that were
//! written without a network refer to it. Of two entries with one id and version, the later one that the
//! server signed wins, so that all phones show what the server shows.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::Connection;

use super::error::ReplicaError;
use super::reader::Reader;
use super::table::template;
use crate::domain::directory::DirectoryEntry;
use crate::domain::form::{Template, TemplateEntry, TemplateId, Templates};
use crate::limits::TEMPLATES_CACHED;

/// The newest version of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateInfo {
    /// The stable id.
    pub id: TemplateId,
    /// The newest version that this app reads; `None` where all versions need a newer app.
    pub template: Option<Arc<Template>>,
    /// A version above it that needs a newer app.
    pub newer_version: Option<u32>,
}

/// Templates of the directory in memory, by the bytes that they were read from.
#[derive(Debug, Default)]
pub(in crate::replica) struct TemplateCache(RefCell<HashMap<Vec<u8>, TemplateEntry>>);

impl TemplateCache {
    fn read(&self, bytes: Vec<u8>) -> Result<TemplateEntry, ReplicaError> {
        let mut known = self.0.borrow_mut();
        if let Some(entry) = known.get(&bytes) {
            return Ok(entry.clone());
        }
        let DirectoryEntry::Template(entry) =
            minicbor::decode(&bytes).map_err(|_| ReplicaError::Inconsistent)?
        else {
            return Err(ReplicaError::Inconsistent);
        };
        if known.len() >= TEMPLATES_CACHED {
            known.clear();
        }
        known.insert(bytes, entry.clone());
        Ok(entry)
    }
}

/// A version of a template; `None` while it is not on this phone.
pub(in crate::replica) fn find(
    conn: &Connection,
    cache: &TemplateCache,
    id: &TemplateId,
    version: u32,
) -> Result<Option<TemplateEntry>, ReplicaError> {
    if let Some(shipped) = Templates::default().get(id, version) {
        return Ok(Some(shipped));
    }
    let stored = template::get(conn, id.as_str(), version)?;
    stored.map(|bytes| cache.read(bytes)).transpose()
}

impl Reader {
    /// A version of a template; `None` while it is not on this phone. Each version stays, because records
    /// refer to it.
    pub fn template(
        &self,
        id: &TemplateId,
        version: u32,
    ) -> Result<Option<TemplateEntry>, ReplicaError> {
        find(self.conn()?, &self.certificates.templates, id, version)
    }

    /// The newest version of each template, in the order of ids. `volunteer` leaves out the templates that
    /// volunteers may not use.
    pub fn templates(&self, volunteer: bool) -> Result<Vec<TemplateInfo>, ReplicaError> {
        let mut names: BTreeMap<TemplateId, Vec<u32>> = BTreeMap::new();
        let shipped = Templates::default().all();
        let shipped = shipped.iter().map(|one| (one.id().clone(), one.version()));
        let stored = template::all(self.conn()?)?;
        let stored = stored
            .into_iter()
            .filter_map(|(id, version)| Some((id.parse().ok()?, version)));
        for (id, version) in shipped.chain(stored) {
            names.entry(id).or_default().push(version);
        }
        let mut infos = Vec::with_capacity(names.len());
        for (id, mut versions) in names {
            versions.sort_unstable();
            let info = self.newest(id, &versions)?;
            let hidden = |template: &Arc<Template>| volunteer && !template.is_for_volunteers();
            if !info.template.as_ref().is_some_and(hidden) {
                infos.push(info);
            }
        }
        Ok(infos)
    }

    fn newest(&self, id: TemplateId, versions: &[u32]) -> Result<TemplateInfo, ReplicaError> {
        let mut newer_version = None;
        for version in versions.iter().rev() {
            match self.template(&id, *version)? {
                Some(TemplateEntry::Known(template)) => {
                    return Ok(TemplateInfo {
                        id,
                        template: Some(template),
                        newer_version,
                    });
                }
                Some(TemplateEntry::Newer { .. }) => {
                    newer_version = newer_version.or(Some(*version));
                }
                None => {}
            }
        }
        Ok(TemplateInfo {
            id,
            template: None,
            newer_version,
        })
    }
}
