//! Templates on this phone, from the app and from the directory.
//!
//! An entry of the directory wins over a shipped template with its id and version, because the
//! server signed it and phones of every app version have it. Of two entries with one id and
//! version, the later one that the server signed wins, so that all phones show what the server
//! shows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::error::ReplicaError;
use super::table::template;
use crate::domain::content::{Content, FieldValue};
use crate::domain::directory::DirectoryEntry;
use crate::domain::form::{Answers, Template, TemplateEntry, TemplateId, Templates};
use crate::domain::kinds::FormSpec;
use crate::limits::TEMPLATES_CACHED;

/// Templates of the directory in memory, by the bytes that they were read from.
#[derive(Debug, Default)]
pub(in crate::replica) struct TemplateCache(RefCell<HashMap<Vec<u8>, TemplateEntry>>);

impl TemplateCache {
    /// `None` for an entry that this app cannot decode.
    fn read(&self, bytes: Vec<u8>) -> Option<TemplateEntry> {
        let mut known = self.0.borrow_mut();
        if let Some(entry) = known.get(&bytes) {
            return Some(entry.clone());
        }
        let DirectoryEntry::Template(entry) = minicbor::decode(&bytes).ok()? else {
            return None;
        };
        if known.len() >= TEMPLATES_CACHED {
            known.clear();
        }
        known.insert(bytes, entry.clone());
        Some(entry)
    }
}

/// A version of a template; `None` while it is not on this phone.
pub(in crate::replica) fn find(
    conn: &Connection,
    cache: &TemplateCache,
    id: &TemplateId,
    version: u32,
) -> Result<Option<TemplateEntry>, ReplicaError> {
    let stored = template::get(conn, id.as_str(), version)?;
    let published = stored.and_then(|bytes| cache.read(bytes));
    Ok(published.or_else(|| Templates::default().get(id, version)))
}

/// The form of a record: its kind's parts, and the template as the content names it.
#[derive(Debug, Clone)]
pub(in crate::replica) struct FormOf {
    pub(in crate::replica) spec: &'static FormSpec,
    pub(in crate::replica) id: TemplateId,
    pub(in crate::replica) version: u32,
    /// `None` while the template is not on this phone.
    pub(in crate::replica) entry: Option<TemplateEntry>,
}

/// A form whose template is not on this phone.
pub(in crate::replica) const NO_TEMPLATE: &str = "form.no_template";
/// A form whose template needs a newer app.
pub(in crate::replica) const NEWER_TEMPLATE: &str = "form.newer_template";

impl FormOf {
    /// The form that content names; `None` where the kind has none, or where the content names no template.
    pub(in crate::replica) fn content(
        conn: &Connection,
        cache: &TemplateCache,
        content: &Content,
    ) -> Result<Option<Self>, ReplicaError> {
        let Some(spec) = content.kind().spec().and_then(|kind| kind.form) else {
            return Ok(None);
        };
        let id = content.text(spec.template).and_then(|id| id.parse().ok());
        let version = content.number(spec.version);
        let version = version.and_then(|version| u32::try_from(version).ok());
        let Some((id, version)) = id.zip(version) else {
            return Ok(None);
        };
        let entry = find(conn, cache, &id, version)?;
        Ok(Some(Self {
            spec,
            id,
            version,
            entry,
        }))
    }

    /// The template, where this app reads it.
    pub(in crate::replica) fn template(&self) -> Option<&Arc<Template>> {
        self.entry.as_ref()?.template()
    }

    /// The template, or the code that says why the form opens for reading alone.
    pub(in crate::replica) fn readable(&self) -> Result<&Arc<Template>, &'static str> {
        match &self.entry {
            None => Err(NO_TEMPLATE),
            Some(entry) => entry.template().ok_or(NEWER_TEMPLATE),
        }
    }
}

/// The answers in the content of a record.
pub(in crate::replica) fn answers(template: &Template, content: &Content) -> Answers {
    let values: Vec<(&str, FieldValue)> = content
        .details()
        .answers
        .iter()
        .map(|(key, text)| (key.as_str(), FieldValue::Text(text.clone())))
        .collect();
    let fields = values.iter().map(|(key, value)| (*key, value));
    Answers::read(template, template.version(), fields).with_row_devices(content.row_devices())
}
