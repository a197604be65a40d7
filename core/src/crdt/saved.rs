//! The gate of saved documents: one uncompressed document chunk, its rows counted before it is loaded.

use automerge::Automerge;

use super::chunk::{CHUNK_DOCUMENT, bounded, open_chunk, read_actor, read_table};
use super::columns::{self, Run};
use super::error::{GateError, Limit};
use super::quiet;
use super::reader::Reader;
use crate::limits::{
    CHANGE_DEPS_MAX, SAVED_ACTORS_MAX, SAVED_BYTES_MAX, SAVED_CHANGES_MAX, SAVED_OPS_MAX,
    SAVED_TEXT_BYTES_MAX,
};

/// Heads of a saved document. Each may have another author.
const HEADS_MAX: usize = SAVED_ACTORS_MAX;

/// Loads a saved document. The caller checks which changes it holds and whether they are sound.
pub(super) fn load(bytes: &[u8]) -> Result<Automerge, GateError> {
    count(bytes)?;
    quiet::guarded(|| Automerge::load(bytes).ok())
        .flatten()
        .ok_or(GateError::Rejected)
}

/// Checks kind, length and checksum, and that no column claims more rows than the limits allow.
fn count(bytes: &[u8]) -> Result<(), GateError> {
    let chunk = open_chunk(bytes, CHUNK_DOCUMENT, SAVED_BYTES_MAX)?;
    let mut reader = Reader::new(chunk.data);
    let actors = bounded(reader.unsigned()?, SAVED_ACTORS_MAX, Limit::Actors)?;
    for _ in 0..actors {
        read_actor(&mut reader)?;
    }
    let heads = bounded(reader.unsigned()?, HEADS_MAX, Limit::Dependencies)?;
    reader.take(heads as u64 * 32)?;
    let changes = read_table(&mut reader, 16)?;
    let operations = read_table(&mut reader, 24)?;
    let mut text_bytes = 0_usize;
    for (spec, len) in changes {
        let limit = Rows {
            rows: SAVED_CHANGES_MAX,
            grouped: SAVED_CHANGES_MAX * CHANGE_DEPS_MAX,
        };
        count_column(spec, reader.take(len)?, limit, &mut text_bytes)?;
    }
    for (spec, len) in operations {
        let limit = Rows {
            rows: SAVED_OPS_MAX,
            grouped: SAVED_OPS_MAX,
        };
        count_column(spec, reader.take(len)?, limit, &mut text_bytes)?;
    }
    for _ in 0..heads {
        reader.unsigned()?;
    }
    if reader.is_empty() {
        Ok(())
    } else {
        Err(GateError::Malformed("bytes after the end"))
    }
}

#[derive(Clone, Copy)]
struct Rows {
    rows: usize,
    /// Rows of the columns of a group, and the sum of its counts.
    grouped: usize,
}

fn count_column(
    spec: u64,
    data: &[u8],
    limit: Rows,
    text_bytes: &mut usize,
) -> Result<(), GateError> {
    // The low three bits give the type of a column.
    match spec & 0b111 {
        0 => {
            let mut sum = 0_u64;
            columns::walk(data, limit.rows, Reader::unsigned, |run| {
                let (times, value) = match run {
                    Run::Repeat(times, value) => (times as u64, value.unwrap_or(0)),
                    Run::Single(value, _) => (1, value),
                };
                sum = sum.saturating_add(value.saturating_mul(times));
                bounded(sum, limit.grouped, Limit::Operations).map(drop)
            })?;
        }
        1 | 2 => drop(columns::walk(
            data,
            limit.grouped,
            Reader::unsigned,
            |_| Ok(()),
        )?),
        3 => drop(columns::walk(data, limit.grouped, Reader::signed, |_| {
            Ok(())
        })?),
        4 => drop(columns::boolean_runs(data, limit.rows)?),
        5 => {
            columns::walk(data, limit.rows, columns::text, |run| {
                let (times, len) = match run {
                    Run::Repeat(times, text) => (times, text.map_or(0, str::len)),
                    Run::Single(text, _) => (1, text.len()),
                };
                add_text(text_bytes, len.saturating_mul(times))
            })?;
        }
        6 => {
            columns::walk(data, limit.rows, Reader::unsigned, |run| {
                let (times, meta) = match run {
                    Run::Repeat(times, meta) => (times, meta.unwrap_or(0)),
                    Run::Single(meta, _) => (1, meta),
                };
                let len = usize::try_from(meta >> 4).unwrap_or(usize::MAX);
                add_text(text_bytes, len.saturating_mul(times))
            })?;
        }
        _ => {}
    }
    Ok(())
}

fn add_text(sum: &mut usize, len: usize) -> Result<(), GateError> {
    *sum = sum.saturating_add(len);
    if *sum > SAVED_TEXT_BYTES_MAX {
        Err(GateError::TooLarge(Limit::Text))
    } else {
        Ok(())
    }
}
