//! Changes in bytes that no app writes: the same meaning spelled differently, claims by run length, insertions of many
//! characters, fields that no app knows.

use onegrid_core::crdt::{ActorId, Document, FieldEdit};
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::id::DeviceId;

use super::chunk::{ACTION, Chunk, KEY_TEXT, VALUE, VALUE_META, leb};

/// A key of an answer, and a key of the same length that no app knows.
const KNOWN_KEY: &str = "answer.zzzzzz";
const NEWER_KEY: &str = "future.zzzzzz";

/// A change that counts nowhere, whatever its author may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    /// One row of the action column as a run of one in place of a literal. A document that imported it would have
    /// another hash after it is loaded again.
    OtherSpelling,
    /// A column that claims 2^40 rows.
    Claim,
    /// An insertion of several characters at once.
    ManyCharacters,
}

impl Odd {
    pub(super) const ALL: [Self; 3] = [Self::OtherSpelling, Self::Claim, Self::ManyCharacters];

    /// Makes the change; `None` if the honest edit has another form than expected.
    pub(super) fn change(self, document: &Document, actor: ActorId) -> Option<Vec<u8>> {
        match self {
            Self::OtherSpelling => {
                let chunk = Chunk::of(&severity(document, actor)?)?;
                let literal = chunk.column(ACTION)? == [0x7f, 1];
                literal.then(|| chunk.with(ACTION, &[1, 1]).raw())
            }
            Self::Claim => {
                let chunk = Chunk::of(&severity(document, actor)?)?;
                let run = [leb(1 << 40), vec![1]].concat();
                Some(chunk.with(ACTION, &run).raw())
            }
            Self::ManyCharacters => {
                let chunk = Chunk::of(&one_more_letter(document, actor)?)?;
                // One value: a text of one byte.
                let one = chunk.column(VALUE_META)? == [0x7f, 0x16];
                let many = "燃气abc".as_bytes();
                let length = u64::try_from(many.len()).ok()?;
                let meta = [vec![0x7f], leb(length << 4 | 6)].concat();
                one.then(|| chunk.with(VALUE_META, &meta).with(VALUE, many).raw())
            }
        }
    }
}

/// Returns an edit of a field that no app knows.
pub(super) fn newer_field(document: &Document, actor: ActorId, words: &str) -> Option<Vec<u8>> {
    let (_, id) = KNOWN_KEY.split_once('.')?;
    let edit = FieldEdit::text(Field::Answer(id.to_owned()), words);
    let chunk = Chunk::of(&document.edit(actor, &[edit]).ok()?)?;
    let keys = chunk.column(KEY_TEXT)?;
    let known = KNOWN_KEY.as_bytes();
    let at = keys.windows(known.len()).position(|part| part == known)?;
    let mut keys = keys.to_vec();
    keys[at..at + known.len()].copy_from_slice(NEWER_KEY.as_bytes());
    Some(chunk.with(KEY_TEXT, &keys).raw())
}

/// Returns the newest change of another device.
pub(super) fn of_another(document: &Document, device: &DeviceId) -> Option<Vec<u8>> {
    let foreign = document
        .changes()
        .zip(document.raw_changes())
        .filter(|(change, _)| !change.actor.device().matches(device));
    foreign.last().map(|(_, raw)| raw)
}

/// Returns an edit of one value.
fn severity(document: &Document, actor: ActorId) -> Option<Vec<u8>> {
    [4, 3].into_iter().find_map(|number| {
        let edit = FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(number));
        document.edit(actor, &[edit]).ok()
    })
}

/// Returns an edit that puts one letter into the description.
fn one_more_letter(document: &Document, actor: ActorId) -> Option<Vec<u8>> {
    let words = match document.field(&Field::Description) {
        Some(FieldValue::Text(words)) => words,
        _ => String::new(),
    };
    let edit = FieldEdit::text(Field::Description, format!("{words}x"));
    document.edit(actor, &[edit]).ok()
}
