//! Takes a change of a content document apart and joins it again with a matching checksum, to make hostile bytes.

use onegrid_core::id::Hash;
use sha2::{Digest as _, Sha256};

/// The column with the text of each key.
pub(super) const KEY_TEXT: u64 = 0x15;
/// The column with the action of each operation.
pub(super) const ACTION: u64 = 0x42;
/// The column with type and length of each value.
pub(super) const VALUE_META: u64 = 0x56;
/// The column with the values.
pub(super) const VALUE: u64 = 0x57;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Magic bytes and checksum precede the type.
const TYPE_AT: usize = 8;

/// The parts of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    kind: u8,
    pub(super) deps: Vec<Hash>,
    pub(super) actor: Vec<u8>,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    others: Vec<Vec<u8>>,
    pub(super) columns: Vec<(u64, Vec<u8>)>,
}

impl Chunk {
    /// Takes an honest change apart: one without time, message and trailing bytes.
    pub(super) fn of(raw: &[u8]) -> Option<Self> {
        let mut at = Cursor {
            rest: raw.get(TYPE_AT..)?,
        };
        let kind = *at.take(1)?.first()?;
        at.number()?;
        let mut deps = Vec::new();
        for _ in 0..at.number()? {
            deps.push(Hash(at.take(32)?.try_into().ok()?));
        }
        let actor = at.prefixed()?;
        let (seq, start_op, time) = (at.number()?, at.number()?, at.number()?);
        let message = at.prefixed()?;
        let mut others = Vec::new();
        for _ in 0..at.number()? {
            others.push(at.prefixed()?);
        }
        let mut table = Vec::new();
        for _ in 0..at.number()? {
            table.push((at.number()?, at.number()?));
        }
        let mut columns = Vec::new();
        for (spec, length) in table {
            columns.push((spec, at.take(usize::try_from(length).ok()?)?.to_vec()));
        }
        (time == 0 && message.is_empty() && at.rest.is_empty()).then_some(Self {
            kind,
            deps,
            actor,
            seq,
            start_op,
            others,
            columns,
        })
    }

    /// Returns the data of a column.
    pub(super) fn column(&self, spec: u64) -> Option<&[u8]> {
        let found = self.columns.iter().find(|(known, _)| *known == spec);
        found.map(|(_, data)| data.as_slice())
    }

    /// Replaces the data of a column that is there.
    pub(super) fn with(mut self, spec: u64, data: &[u8]) -> Self {
        for (known, old) in &mut self.columns {
            if *known == spec {
                *old = data.to_vec();
            }
        }
        self
    }

    /// Joins the parts.
    pub(super) fn raw(&self) -> Vec<u8> {
        let mut body = unsigned(self.deps.len());
        self.deps.iter().for_each(|dep| body.extend(dep.0));
        prefixed(&mut body, &self.actor);
        body.extend(leb(self.seq));
        body.extend(leb(self.start_op));
        // No time and no message.
        body.extend([0, 0]);
        body.extend(unsigned(self.others.len()));
        self.others
            .iter()
            .for_each(|other| prefixed(&mut body, other));
        body.extend(unsigned(self.columns.len()));
        for (spec, data) in &self.columns {
            body.extend(leb(*spec));
            body.extend(unsigned(data.len()));
        }
        self.columns.iter().for_each(|(_, data)| body.extend(data));
        let mut tail = vec![self.kind];
        tail.extend(unsigned(body.len()));
        tail.extend(body);
        let checksum = Sha256::digest(&tail);
        [&MAGIC[..], &checksum[..4], &tail].concat()
    }
}

fn prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(unsigned(bytes.len()));
    out.extend(bytes);
}

fn unsigned(value: usize) -> Vec<u8> {
    leb(value as u64)
}

/// Writes a LEB128 number.
pub(super) fn leb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Reads a LEB128 number.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn prefixed(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        Some(self.take(length)?.to_vec())
    }
}
