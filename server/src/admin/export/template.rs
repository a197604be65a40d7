//! One template of checklists as a new file: a workbook, or canonical JSON where the name ends so.

use std::path::Path;

use onegrid_core::domain::form::{Template, TemplateId};

use super::writer::write_new;
use crate::admin::xlsform::to_workbook;
use crate::error::{Problem, Result};
use crate::server::Server;

/// Writes a version of a template, the newest one by default, into a new file. Returns the version.
pub fn export_template(server: &Server, id: &str, version: Option<u32>, to: &Path) -> Result<u32> {
    let unknown = || Problem::new("template.unknown").with("id", id);
    let name: TemplateId = id.parse().map_err(|_| unknown())?;
    let row = server.store().read::<_, Problem>(|tx| {
        Ok(match version {
            Some(version) => tx.template(&name, version)?,
            None => tx.newest_template(&name)?,
        })
    })?;
    let row = row.ok_or_else(unknown)?;
    let is_json = to
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let bytes = if is_json {
        row.bytes
    } else {
        let template = Template::parse(&row.bytes);
        to_workbook(&template.map_err(|error| {
            let item = error.item().unwrap_or(id).to_owned();
            Problem::new("template.unreadable")
                .with("id", id)
                .with("item", item)
        })?)?
    };
    write_new(to, &bytes)?;
    Ok(row.version)
}
