//! Templates of checklists: every version is stored, and published in the directory.

use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::form::{Template, shipped};

use super::audit;
use crate::directory;
use crate::error::{Problem, Result};
use crate::limits::{TEMPLATES_MAX, TEMPLATES_MIB_MAX};
use crate::shared::Shared;
use crate::store::{TemplateRow, Writer};

/// Result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// The version is new: it is stored and published.
    Published,
    /// The same version with the same content is stored already.
    Known,
    /// The version is stored with other content. A version never changes, because records name it.
    Taken,
    /// A newer version is stored, so this one comes too late.
    Older {
        /// The newest version.
        newest: u32,
    },
}

/// Actor of the templates that the program brings along.
const PROGRAM: &str = "server";

/// Stores and publishes a version of a template.
pub fn put(shared: &Shared, template: &Template, actor: &str, now_ms: i64) -> Result<PutResult> {
    let (keys, actor, template) = (Arc::clone(&shared.keys), actor.to_owned(), template.clone());
    let done = shared.store.write::<_, Problem>(move |tx| {
        let known = judged(tx, &template)?;
        if known != PutResult::Published {
            return Ok(known);
        }
        let stored = tx.templates(("", 0), TEMPLATES_MAX)?;
        if stored.len() >= TEMPLATES_MAX {
            return Err(Problem::new("template.too_many").with("max", TEMPLATES_MAX));
        }
        let bytes = template.to_bytes();
        let all: usize = stored.iter().map(|row| row.bytes.len()).sum();
        if all + bytes.len() > TEMPLATES_MIB_MAX * 1_024 * 1_024 {
            return Err(Problem::new("template.too_much").with("max", TEMPLATES_MIB_MAX));
        }
        let row = TemplateRow {
            id: template.id().to_string(),
            version: template.version(),
            hash: template.hash(),
            bytes,
            imported_ms: now_ms,
            imported_by: actor.clone(),
        };
        let subject = format!("{} {}", row.id, row.version);
        let entry = DirectoryEntry::Template(template.clone().into());
        let fits = entry.check_size();
        fits.map_err(|error| Problem::new(error.code()).because(&error))?;
        if directory::read(tx)?.apply(entry.clone()).is_err() {
            return Ok(PutResult::Taken);
        }
        tx.put_template(&row)?;
        directory::publish(tx, &keys, &[entry])?;
        audit::note(tx, now_ms, &actor, "template.published", &subject)?;
        Ok(PutResult::Published)
    })?;
    if done == PutResult::Published {
        shared.wakeups.notify_all();
    }
    Ok(done)
}

/// Compares with the stored versions; [`PutResult::Published`] if the version is new.
fn judged(tx: &dyn Writer, template: &Template) -> Result<PutResult> {
    let (id, version) = (template.id(), template.version());
    if let Some(row) = tx.template(id, version)? {
        let same = row.bytes == template.to_bytes();
        return Ok(if same {
            PutResult::Known
        } else {
            PutResult::Taken
        });
    }
    // Phones bring a shipped template along, so its version has this content before it is
    // published.
    let is_other = |one: &Template| (one.id(), one.version()) == (id, version) && one != template;
    if shipped().iter().any(is_other) {
        return Ok(PutResult::Taken);
    }
    Ok(match tx.newest_template(id)? {
        Some(row) if row.version > version => PutResult::Older {
            newest: row.version,
        },
        _ => PutResult::Published,
    })
}

/// Publishes the templates that the program brings along, after `init` and after each upgrade. A version
/// that the administrator imported under the same id stays.
pub fn put_shipped(shared: &Shared, now_ms: i64) -> Result<()> {
    for template in shipped() {
        if put(shared, &template, PROGRAM, now_ms)? == PutResult::Taken {
            tracing::warn!(
                id = %template.id(),
                version = template.version(),
                "a shipped template has the version of an imported one and was left out"
            );
        }
    }
    Ok(())
}
