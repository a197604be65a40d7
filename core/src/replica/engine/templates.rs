//! The templates that a person may fill in, and those that records refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::error::ReplicaError;
use super::super::forms;
use super::super::reader::Reader;
use super::super::table::template;
use crate::domain::Grant;
use crate::domain::form::{Template, TemplateEntry, TemplateId, Templates};

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

impl Reader {
    /// A version of a template; `None` while it is not on this phone. Each version stays, because records
    /// refer to it.
    pub fn template(
        &self,
        id: &TemplateId,
        version: u32,
    ) -> Result<Option<TemplateEntry>, ReplicaError> {
        forms::find(self.conn()?, &self.certificates.templates, id, version)
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

    /// Whether the person may fill in a template: under one role, or without one under any of the person's roles.
    #[must_use]
    pub fn may_fill(&self, template: &Template, acting_as: Option<&Grant>) -> bool {
        let own = self.certificate().map(|own| own.facts().grants.as_slice());
        let grants = match acting_as {
            Some(grant) => std::slice::from_ref(grant),
            None => own.unwrap_or_default(),
        };
        grants.iter().any(|grant| template.is_for(grant.role))
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
