//! Takes change chunks apart and joins them again with a matching checksum, to make hostile bytes.

use crate::id::Hash;

pub(super) const KEY_COUNTER: u64 = 0x13;
pub(super) const KEY_TEXT: u64 = 0x15;
pub(super) const INSERT: u64 = 0x34;
pub(super) const ACTION: u64 = 0x42;
pub(super) const VALUE_META: u64 = 0x56;
pub(super) const VALUE: u64 = 0x57;
pub(super) const PRED_COUNT: u64 = 0x70;
pub(super) const PRED_ACTOR: u64 = 0x71;
pub(super) const PRED_COUNTER: u64 = 0x73;

/// The parts of a change chunk.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) kind: u8,
    pub(super) deps: Vec<Hash>,
    pub(super) actor: Vec<u8>,
    pub(super) seq: u64,
    pub(super) start_op: u64,
    pub(super) time: i64,
    pub(super) message: String,
    pub(super) others: Vec<Vec<u8>>,
    pub(super) columns: Vec<(u64, Vec<u8>)>,
    pub(super) trailing: Vec<u8>,
}

impl Chunk {
    pub(super) fn of(raw: &[u8]) -> Self {
        let mut at = Cursor { rest: &raw[8..] };
        let kind = at.take(1)[0];
        at.unsigned();
        let deps = (0..at.unsigned())
            .map(|_| Hash(at.take(32).try_into().unwrap()))
            .collect();
        let actor = at.prefixed();
        let (seq, start_op, time) = (at.unsigned(), at.unsigned(), at.signed());
        let message = String::from_utf8(at.prefixed()).unwrap();
        let others = (0..at.unsigned()).map(|_| at.prefixed()).collect();
        let table: Vec<(u64, u64)> = (0..at.unsigned())
            .map(|_| (at.unsigned(), at.unsigned()))
            .collect();
        let columns = table
            .into_iter()
            .map(|(spec, len)| (spec, at.take(usize::try_from(len).unwrap()).to_vec()))
            .collect();
        let trailing = at.rest.to_vec();
        Self {
            kind,
            deps,
            actor,
            seq,
            start_op,
            time,
            message,
            others,
            columns,
            trailing,
        }
    }

    pub(super) fn column(mut self, spec: u64, data: &[u8]) -> Self {
        self.columns.retain(|(known, _)| *known != spec);
        if !data.is_empty() {
            self.columns.push((spec, data.to_vec()));
            self.columns.sort_by_key(|(spec, _)| *spec);
        }
        self
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = unsigned(self.deps.len() as u64);
        self.deps.iter().for_each(|dep| out.extend(dep.0));
        put_prefixed(&mut out, &self.actor);
        out.extend(unsigned(self.seq));
        out.extend(unsigned(self.start_op));
        out.extend(signed(self.time));
        put_prefixed(&mut out, self.message.as_bytes());
        out.extend(unsigned(self.others.len() as u64));
        self.others
            .iter()
            .for_each(|other| put_prefixed(&mut out, other));
        out.extend(unsigned(self.columns.len() as u64));
        for (spec, data) in &self.columns {
            out.extend(unsigned(*spec));
            out.extend(unsigned(data.len() as u64));
        }
        self.columns.iter().for_each(|(_, data)| out.extend(data));
        out.extend(&self.trailing);
        out
    }

    pub(super) fn raw(&self) -> Vec<u8> {
        seal(self.kind, &self.body())
    }
}

/// Magic, checksum, type and length around a body.
pub(super) fn seal(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut tail = vec![kind];
    tail.extend(unsigned(body.len() as u64));
    tail.extend(body);
    let mut out = vec![0x85, 0x6f, 0x4a, 0x83];
    out.extend(&Hash::of(&[&tail]).0[..4]);
    out.extend(tail);
    out
}

pub(super) fn unsigned(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

pub(super) fn signed(mut value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

/// `count` rows with this value.
pub(super) fn run(count: i64, value: &[u8]) -> Vec<u8> {
    let mut out = signed(count);
    out.extend(value);
    out
}

fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(unsigned(bytes.len() as u64));
    out.extend(bytes);
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn unsigned(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }

    /// Only zero: real changes carry no time.
    fn signed(&mut self) -> i64 {
        assert_eq!(self.take(1)[0], 0);
        0
    }

    fn prefixed(&mut self) -> Vec<u8> {
        let len = usize::try_from(self.unsigned()).unwrap();
        self.take(len).to_vec()
    }
}
