//! Columns of a chunk. Rows are counted before they are written out, so that a run length is never believed.
//! A column of a change has the one form that automerge writes, because every other form would come back as
//! another change when the document is saved and loaded.
//!
//! A column is a sequence of runs. `n value` repeats a value n times, `-n v1 … vn` gives n values, `0 n`
//! stands for n rows without a value; a boolean column alternates between counts of false and true, starting
//! with false.

use super::error::{GateError, Limit};
use super::reader::Reader;

/// One run of a column.
pub(super) enum Run<T> {
    /// The value, so many times.
    Repeat(usize, Option<T>),
    /// One value of a literal run; the flag says that the run begins with it.
    Single(T, bool),
}

const LONG_FORM: GateError = GateError::Malformed("a column is not in its shortest form");

/// Walks a run-length column; refuses it as soon as it claims more than `rows_max` rows.
pub(super) fn walk<'a, T>(
    data: &'a [u8],
    rows_max: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, GateError>,
    mut on_run: impl FnMut(Run<T>) -> Result<(), GateError>,
) -> Result<usize, GateError> {
    let mut reader = Reader::new(data);
    let mut rows = 0_usize;
    let mut claim = |count: u64| {
        let count = usize::try_from(count).map_err(|_| GateError::TooLarge(Limit::Operations))?;
        rows = rows.saturating_add(count);
        if rows > rows_max {
            return Err(GateError::TooLarge(Limit::Operations));
        }
        Ok(count)
    };
    while !reader.is_empty() {
        match reader.signed()? {
            0 => {
                let count = claim(reader.unsigned()?)?;
                if count == 0 {
                    return Err(GateError::Malformed("an empty run"));
                }
                on_run(Run::Repeat(count, None))?;
            }
            count if count > 0 => {
                let count = claim(count.unsigned_abs())?;
                let value = read(&mut reader)?;
                on_run(Run::Repeat(count, Some(value)))?;
            }
            literal => {
                for at in 0..claim(literal.unsigned_abs())? {
                    let value = read(&mut reader)?;
                    on_run(Run::Single(value, at == 0))?;
                }
            }
        }
    }
    Ok(rows)
}

/// Counts the rows of a run-length column and writes none of them out.
pub(super) fn count(data: &[u8], rows_max: usize) -> Result<usize, GateError> {
    walk(data, rows_max, Reader::unsigned, |_| Ok(()))
}

/// Writes out a run-length column of a change.
pub(super) fn rows<'a, T: Copy + PartialEq>(
    data: &'a [u8],
    rows_max: usize,
    read: impl FnMut(&mut Reader<'a>) -> Result<T, GateError>,
) -> Result<Vec<Option<T>>, GateError> {
    let mut out: Vec<Option<T>> = Vec::new();
    let mut after_literal = false;
    walk(data, rows_max, read, |run| {
        let (count, value, literal) = match run {
            Run::Repeat(1, Some(_)) => return Err(LONG_FORM),
            Run::Repeat(count, value) => (count, value, false),
            Run::Single(value, starts) if !(starts && after_literal) => (1, Some(value), true),
            Run::Single(..) => return Err(LONG_FORM),
        };
        if out.last().is_some_and(|before| *before == value) {
            return Err(LONG_FORM);
        }
        out.resize(out.len() + count, value);
        after_literal = literal;
        Ok(())
    })?;
    Ok(out)
}

/// A column of unsigned numbers.
pub(super) fn unsigned(data: &[u8], rows_max: usize) -> Result<Vec<Option<u64>>, GateError> {
    rows(data, rows_max, Reader::unsigned)
}

/// A column of numbers. Each row gives the difference to the row before.
pub(super) fn deltas(data: &[u8], rows_max: usize) -> Result<Vec<Option<i64>>, GateError> {
    let mut out = rows(data, rows_max, Reader::signed)?;
    let mut sum = 0_i64;
    for row in out.iter_mut().flatten() {
        sum = sum
            .checked_add(*row)
            .ok_or(GateError::Malformed("a counter overflows"))?;
        *row = sum;
    }
    Ok(out)
}

/// A column of texts; `bytes_max` bounds the bytes once repetition is written out.
pub(super) fn texts(
    data: &[u8],
    rows_max: usize,
    bytes_max: usize,
) -> Result<Vec<Option<&str>>, GateError> {
    let out = rows(data, rows_max, text)?;
    let bytes = out
        .iter()
        .flatten()
        .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
    if bytes > bytes_max {
        Err(GateError::TooLarge(Limit::Text))
    } else {
        Ok(out)
    }
}

/// One length-prefixed text.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, GateError> {
    let len = reader.unsigned()?;
    std::str::from_utf8(reader.take(len)?).map_err(|_| GateError::Malformed("a text is not UTF-8"))
}

/// A column of booleans; returns the counts of its alternating runs, false first.
pub(super) fn boolean_runs(data: &[u8], rows_max: usize) -> Result<Vec<usize>, GateError> {
    let mut reader = Reader::new(data);
    let mut runs = Vec::new();
    let mut rows = 0_usize;
    while !reader.is_empty() {
        let count = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        if count == 0 && !runs.is_empty() {
            return Err(GateError::Malformed("an empty run"));
        }
        rows = rows.saturating_add(count);
        if rows > rows_max {
            return Err(GateError::TooLarge(Limit::Operations));
        }
        runs.push(count);
    }
    Ok(runs)
}

/// Writes out a column of booleans.
pub(super) fn booleans(data: &[u8], rows_max: usize) -> Result<Vec<bool>, GateError> {
    let mut out = Vec::new();
    for (index, count) in boolean_runs(data, rows_max)?.into_iter().enumerate() {
        out.resize(out.len() + count, index % 2 == 1);
    }
    Ok(out)
}
