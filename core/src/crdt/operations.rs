//! The operations of a change, read from its columns. Rows are counted, values have the type that they claim,
//! and ids name actors that the change names.

use std::ops::Range;

use super::chunk::{bounded, read_table};
use super::columns;
use super::error::{GateError, Limit};
use super::reader::Reader;
use crate::limits::{CHANGE_OPS_MAX, CHANGE_TEXT_BYTES_MAX, CONTENT_KEY_BYTES_MAX};

/// An operation's id inside a change: index into the change's table of actors, and counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpRef {
    /// 0 is the author, `n` the `n`-th of the other actors.
    pub(super) actor: usize,
    pub(super) counter: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    MakeMap,
    MakeText,
    Set,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Map(&'a str),
    /// The start of a text.
    Head,
    /// After (for an insertion) or at this character of a text.
    Element(OpRef),
}

#[derive(Debug, Clone)]
pub(super) struct Op<'a> {
    /// `None` is the root map.
    pub(super) container: Option<OpRef>,
    pub(super) key: Key<'a>,
    pub(super) insert: bool,
    pub(super) action: Action,
    /// A text of exactly one character: the only value that a text may hold.
    pub(super) value_is_character: bool,
    /// Range in `ParsedChange::preds`.
    pub(super) preds: Range<usize>,
}

/// The data of the columns of a change; an absent column is empty.
#[derive(Default)]
pub(super) struct Columns<'a> {
    container_actor: &'a [u8],
    container_counter: &'a [u8],
    key_actor: &'a [u8],
    key_counter: &'a [u8],
    key_text: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_meta: &'a [u8],
    value: &'a [u8],
    pred_count: &'a [u8],
    pred_actor: &'a [u8],
    pred_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, GateError> {
        let mut columns = Self::default();
        for (spec, len) in read_table(reader, 16)? {
            let slot = match spec {
                0x01 => &mut columns.container_actor,
                0x02 => &mut columns.container_counter,
                0x11 => &mut columns.key_actor,
                0x13 => &mut columns.key_counter,
                0x15 => &mut columns.key_text,
                0x34 => &mut columns.insert,
                0x42 => &mut columns.action,
                0x56 => &mut columns.value_meta,
                0x57 => &mut columns.value,
                0x70 => &mut columns.pred_count,
                0x71 => &mut columns.pred_actor,
                0x73 => &mut columns.pred_counter,
                0x94 | 0xa5 => return Err(GateError::Unsupported("marks on text")),
                _ => return Err(GateError::Unsupported("a column of an unknown kind")),
            };
            *slot = reader.take(len)?;
        }
        Ok(columns)
    }

    /// Counts the operations. The cost depends on the real length of the bytes, not on the length that they
    /// claim.
    pub(super) fn count(&self) -> Result<usize, GateError> {
        match columns::count(self.action, CHANGE_OPS_MAX)? {
            0 => Err(GateError::Malformed("a change without operations")),
            count => Ok(count),
        }
    }

    /// The operations, and the ids of the values that they replace.
    pub(super) fn operations(&self, actors: usize) -> Result<(Vec<Op<'a>>, Vec<OpRef>), GateError> {
        let count = self.count()?;
        let actions = columns::unsigned(self.action, count)?;
        let containers = references(
            columns::unsigned(self.container_actor, count)?,
            columns::unsigned(self.container_counter, count)?,
            count,
            actors,
        )?;
        let elements = elements(
            columns::unsigned(self.key_actor, count)?,
            columns::deltas(self.key_counter, count)?,
            count,
            actors,
        )?;
        let keys = columns::texts(self.key_text, count, CHANGE_TEXT_BYTES_MAX)?;
        let keys = filled(keys, count)?;
        let inserts = columns::booleans(self.insert, count)?;
        let values = self.values(count)?;
        let (pred_counts, preds) = self.preds(count, actors)?;
        all_named(actors, &containers, &elements, &preds)?;
        if inserts.len() != count {
            return Err(ROWS);
        }
        let mut ops = Vec::with_capacity(count);
        let mut pred = 0;
        for row in 0..count {
            let preds = pred..pred + pred_counts[row];
            pred = preds.end;
            let key = match (keys[row], elements[row]) {
                (Some(text), None) if text.is_empty() || text.len() > CONTENT_KEY_BYTES_MAX => {
                    return Err(GateError::Unsupported("an empty or very long key"));
                }
                (Some(text), None) => Key::Map(text),
                (None, Some(key)) => key,
                _ => return Err(GateError::Malformed("an operation has one key")),
            };
            let action = match actions[row] {
                Some(0) => Action::MakeMap,
                Some(1) => Action::Set,
                Some(3) => Action::Delete,
                Some(4) => Action::MakeText,
                Some(_) => return Err(GateError::Unsupported("an action of an unknown kind")),
                None => return Err(ROWS),
            };
            let (value_is_null, value_is_character) = values[row];
            if action != Action::Set && !value_is_null {
                return Err(GateError::Malformed("a value where none belongs"));
            }
            let (container, insert) = (containers[row], inserts[row]);
            ops.push(Op {
                container,
                key,
                insert,
                action,
                value_is_character,
                preds,
            });
        }
        Ok((ops, preds))
    }

    /// Tells for each row whether the value is null and whether it is a text of one character. Checks the
    /// type of every value.
    fn values(&self, count: usize) -> Result<Vec<(bool, bool)>, GateError> {
        let metas = columns::unsigned(self.value_meta, count)?;
        if metas.len() != count {
            return Err(ROWS);
        }
        let mut values = Reader::new(self.value);
        let mut out = Vec::with_capacity(count);
        for meta in metas {
            let meta = meta.ok_or(ROWS)?;
            let bytes = values.take(meta >> 4)?;
            check_value(meta & 0x0f, bytes)?;
            let is_character = meta & 0x0f == VALUE_TEXT && one_character(bytes);
            out.push((meta == 0, is_character));
        }
        if values.is_empty() {
            Ok(out)
        } else {
            Err(GateError::Malformed("values left over"))
        }
    }

    fn preds(&self, count: usize, actors: usize) -> Result<(Vec<usize>, Vec<OpRef>), GateError> {
        let groups = columns::unsigned(self.pred_count, count)?;
        if groups.len() != count {
            return Err(ROWS);
        }
        let mut counts = Vec::with_capacity(count);
        let mut total = 0_usize;
        for group in groups {
            let group = bounded(group.ok_or(ROWS)?, CHANGE_OPS_MAX, Limit::Operations)?;
            total += group;
            if total > CHANGE_OPS_MAX {
                return Err(GateError::TooLarge(Limit::Operations));
            }
            counts.push(group);
        }
        let counters = columns::deltas(self.pred_counter, total)?;
        let indices = columns::unsigned(self.pred_actor, total)?;
        if counters.len() != total || indices.len() != total {
            return Err(ROWS);
        }
        let preds = indices
            .into_iter()
            .zip(counters)
            .map(|(actor, counter)| op_ref(actor.ok_or(ROWS)?, counter.ok_or(ROWS)?, actors))
            .collect::<Result<_, _>>()?;
        Ok((counts, preds))
    }
}

const ROWS: GateError = GateError::Malformed("columns have different numbers of rows");
const VALUE_TEXT: u64 = 6;

fn one_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
}

/// Every name must be used, because saving the document does not write back an unused name.
fn all_named(
    actors: usize,
    containers: &[Option<OpRef>],
    elements: &[Option<Key<'_>>],
    preds: &[OpRef],
) -> Result<(), GateError> {
    let mut named = vec![false; actors];
    named[0] = true;
    for container in containers.iter().flatten() {
        named[container.actor] = true;
    }
    for element in elements.iter().flatten() {
        if let Key::Element(element) = element {
            named[element.actor] = true;
        }
    }
    for pred in preds {
        named[pred.actor] = true;
    }
    if named.contains(&false) {
        Err(GateError::Malformed("an author that no operation names"))
    } else {
        Ok(())
    }
}

/// An absent column stands for rows without a value; a present one has every row, and some value.
fn filled<T: Copy>(column: Vec<Option<T>>, count: usize) -> Result<Vec<Option<T>>, GateError> {
    match column.len() {
        0 => Ok(vec![None; count]),
        len if len == count && column.iter().any(Option::is_some) => Ok(column),
        _ => Err(ROWS),
    }
}

fn op_ref(actor: u64, counter: i64, actors: usize) -> Result<OpRef, GateError> {
    let actor = usize::try_from(actor).unwrap_or(usize::MAX);
    let counter = u64::try_from(counter).unwrap_or(0);
    if actor >= actors || counter == 0 {
        return Err(GateError::Malformed("an operation id that can not be"));
    }
    Ok(OpRef { actor, counter })
}

fn references(
    indices: Vec<Option<u64>>,
    counters: Vec<Option<u64>>,
    count: usize,
    actors: usize,
) -> Result<Vec<Option<OpRef>>, GateError> {
    filled(indices, count)?
        .into_iter()
        .zip(filled(counters, count)?)
        .map(|pair| match pair {
            (None, None) => Ok(None),
            (Some(actor), Some(counter)) => {
                let counter = i64::try_from(counter).unwrap_or(0);
                op_ref(actor, counter, actors).map(Some)
            }
            _ => Err(GateError::Malformed("half an operation id")),
        })
        .collect()
}

fn elements(
    indices: Vec<Option<u64>>,
    counters: Vec<Option<i64>>,
    count: usize,
    actors: usize,
) -> Result<Vec<Option<Key<'static>>>, GateError> {
    filled(indices, count)?
        .into_iter()
        .zip(filled(counters, count)?)
        .map(|pair| match pair {
            (None, None) => Ok(None),
            // The start of a text is counter 0 without an actor.
            (None, Some(0)) => Ok(Some(Key::Head)),
            (Some(actor), Some(counter)) => {
                op_ref(actor, counter, actors).map(|element| Some(Key::Element(element)))
            }
            _ => Err(GateError::Malformed("half an operation id")),
        })
        .collect()
}

fn check_value(kind: u64, bytes: &[u8]) -> Result<(), GateError> {
    let mut reader = Reader::new(bytes);
    match kind {
        // null, false, true
        0..=2 => {}
        3 => drop(reader.unsigned()?),
        4 | 9 => drop(reader.signed()?),
        VALUE_TEXT => {
            std::str::from_utf8(bytes).map_err(|_| GateError::Malformed("a text is not UTF-8"))?;
            return Ok(());
        }
        7 => return Ok(()),
        _ => return Err(GateError::Unsupported("a value of an unknown kind")),
    }
    if reader.is_empty() {
        Ok(())
    } else {
        Err(GateError::Malformed("a value is too long"))
    }
}
