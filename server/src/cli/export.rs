//! `onegrid export`: the records as lines of JSON, for whoever evaluates them elsewhere.
//!
//! It holds what the projections hold: no texts, no names, no authors.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use onegrid_core::domain::case::Stage;
use onegrid_core::domain::kind::RecordKind;

use super::Context;
use crate::error::{Phrase, Problem, Result};
use crate::store::RecordRow;

/// Records that are read at once.
const STEP: usize = 500;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "FILE", help = "cli.arg_export_to")]
    to: PathBuf,
}

/// Writes a new file, one record a line, in the order of their ids, out of one snapshot.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let failed = |error: std::io::Error| {
        Problem::new("data.unusable")
            .with("path", args.to.display())
            .because(&error)
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.to)
        .map_err(failed)?;
    let mut out = BufWriter::new(file);
    let count = server.store().read::<_, Problem>(|tx| {
        let (mut after, mut count) = (None, 0_u64);
        loop {
            let rows = tx.records(after, STEP)?;
            let Some(last) = rows.last() else {
                return Ok(count);
            };
            after = Some(last.id);
            for row in &rows {
                writeln!(out, "{}", line(row)).map_err(failed)?;
                count += 1;
            }
        }
    })?;
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    context.say(
        &Phrase::new("export.done")
            .with("count", count)
            .with("path", args.to.display()),
    )
}

fn line(row: &RecordRow) -> serde_json::Value {
    let home: Vec<String> = row.home.ids().iter().map(ToString::to_string).collect();
    serde_json::json!({
        "record": row.id.to_string(),
        "kind": RecordKind::from_code(row.kind).map(RecordKind::name),
        "home": home,
        "created_ms": row.created_ms,
        "changed_ms": row.changed_ms,
        "open": row.open,
        "state": Stage::from_code(row.state).map(Stage::name),
        "category": row.category,
        "latitude_e7": row.position.map(|(latitude, _)| latitude),
        "longitude_e7": row.position.map(|(_, longitude)| longitude),
        "due_ms": row.due_ms,
        "digest": row.digest.to_string(),
    })
}
