//! A person's own work that a verdict made void: written again where the person is not at fault, otherwise
//! shown to the person. No typed word is dropped without the person seeing it.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::error::ReplicaError;
use super::super::load;
use super::super::projection::notify;
use super::super::table::envelope::{self, Origin};
use super::words::Wording;
use super::write::Writing;
use super::{attach, edit};
use crate::crdt::{Candidate, ChangeInfo, Document, FieldEdit};
use crate::dag::Walk;
use crate::domain::RecordKind;
use crate::domain::case::Event;
use crate::domain::content::Content;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::record::{Node, NodeBody, Record};
use crate::texts::{Lang, say};
use crate::wire::body::Body;
use crate::wire::envelope::{Envelope, RawEnvelope};
use crate::wire::verdict::{Status, VoidReason};

/// Deals with every own envelope of a record whose latest verdict, new in this transaction, is not
/// “accepted”. `fresh` names them, parents first.
pub(in crate::replica) fn own_not_accepted(
    writing: &mut Writing<'_>,
    record: RecordId,
    fresh: &[(EnvelopeId, Status)],
) -> Result<(), ReplicaError> {
    renounce_where_a_number_is_taken(writing, record, fresh)?;
    for (id, status) in fresh {
        let Some((edits, words)) = written(writing, record, *id)? else {
            continue;
        };
        let (is_again, by) = chain_of(writing, record, *id)?;
        if let Some(by) = by {
            // A copy of this phone has written the words again.
            envelope::set_rewritten(writing.conn, *id, by)?;
            writing.tell("replica.rewritten", (record, Some(by)), &words)?;
            continue;
        }
        // Words are written again once. Void for the second time, they are left to the person.
        let again = !is_again
            && matches!(
                status,
                Status::Void(VoidReason::Clone | VoidReason::VoidParent | VoidReason::BadParents)
            );
        let rewritten = match &edits {
            Some(edits) if again && !edits.is_empty() => {
                match edit::change(writing, record, edits, Some(*id)) {
                    Ok(by) => Some(by),
                    // The rules no longer allow it, or the record says the same already. The person is told
                    // below.
                    Err(
                        ReplicaError::NotAllowed(_)
                        | ReplicaError::BadContent(_)
                        | ReplicaError::NoRecord
                        | ReplicaError::NeedsNewerApp,
                    ) => None,
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        };
        if let Some(by) = rewritten {
            envelope::set_rewritten(writing.conn, *id, by)?;
            writing.tell("replica.rewritten", (record, Some(by)), &words)?;
        } else {
            writing.tell(status.code(), (record, Some(*id)), &words)?;
            let news = notify::not_accepted(*status, (record, *id), writing.now_ms);
            notify::tell(writing.conn, &news)?;
        }
    }
    Ok(())
}

/// Whether an envelope repeats the words of an earlier one, and the own envelope that repeats its words.
fn chain_of(
    writing: &mut Writing<'_>,
    record: RecordId,
    id: EnvelopeId,
) -> Result<(bool, Option<EnvelopeId>), ReplicaError> {
    let device = writing.device();
    let record = writing.record(record)?;
    let is_again = record.node(id).is_some_and(|node| node.replaces.is_some());
    let mut nodes = record.nodes().iter();
    let by = nodes.find(|node| node.replaces == Some(id) && node.author == device);
    Ok((is_again, by.map(|node| node.id)))
}

/// A change that is not in the document keeps its number in the sequence of its actor, and the next write
/// of this phone would use the same number. So the phone writes under another epoch.
pub(in crate::replica) fn renounce_where_a_number_is_taken(
    writing: &mut Writing<'_>,
    record: RecordId,
    fresh: &[(EnvelopeId, Status)],
) -> Result<(), ReplicaError> {
    for (id, _) in fresh {
        let is_change = if let Some(stored) = envelope::get(writing.conn, *id)? {
            let parsed = Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?;
            stored.origin == Origin::Own && matches!(parsed.body(), Body::Change(_))
        } else {
            let node = writing.record(record)?.node(*id);
            node.is_some_and(|node| matches!(node.body, NodeBody::Change(_)))
        };
        if is_change {
            return writing.renounce_epoch();
        }
    }
    Ok(())
}

/// The fields that a change wrote, and the words for the person.
pub(super) type Written = (Option<Vec<FieldEdit>>, String);

/// Returns this person's words in an envelope, single or in a pack. `None` where they have been written
/// again already, or another person wrote them.
fn written(
    writing: &mut Writing<'_>,
    record: RecordId,
    id: EnvelopeId,
) -> Result<Option<Written>, ReplicaError> {
    let (conn, certificates) = (writing.conn, writing.certificates);
    let templates = &certificates.templates;
    let stored = envelope::get(conn, id)?;
    let record = writing.record(record)?;
    let Some(stored) = stored else {
        let again = record.nodes().iter().any(|node| node.replaces == Some(id));
        let node = record.node(id).filter(|_| !again);
        let wording = Wording::of(conn, templates, record)?;
        return node
            .map(|node| written_in(&wording, record, node))
            .transpose();
    };
    if stored.origin != Origin::Own || stored.rewritten.is_some() {
        return Ok(None);
    }
    let parsed = Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?;
    let edits = edits_in(record, &parsed);
    let wording = Wording::of(conn, templates, record)?;
    let words = words(&wording, &parsed, edits.as_deref())?;
    Ok(Some((edits, words)))
}

/// Returns the words from the record alone, because a pack keeps the content of its envelopes and not their
/// bytes.
pub(super) fn written_in(
    wording: &Wording<'_>,
    record: &Record,
    node: &Node,
) -> Result<Written, ReplicaError> {
    let info = node.change().and_then(|change| change.info.as_ref());
    let document = info.and_then(|info| past_of(record, info.hash));
    Ok(match &node.body {
        NodeBody::Change(_) => {
            let edits = info
                .zip(document)
                .map(|(info, document)| document.written_by(&info.hash))
                .unwrap_or_default();
            let words = wording.edits(&edits, Lang::default())?;
            (Some(edits), words)
        }
        NodeBody::Genesis { facts, .. } => (None, words_of_report(document, facts.kind)),
        NodeBody::Event { event, .. } => (None, words_of_event(event)),
        NodeBody::Unknown | NodeBody::Malformed => (None, String::new()),
    })
}

/// Returns the fields that a change wrote, by its record; `None` for any other event.
pub(super) fn edits_in(record: &Record, envelope: &Envelope) -> Option<Vec<FieldEdit>> {
    let Body::Change(change) = envelope.body() else {
        return None;
    };
    let Ok(info) = crate::crdt::inspect(&change.change) else {
        return Some(Vec::new());
    };
    let document = past_of(record, info.hash);
    Some(document.map_or_else(Vec::new, |document| document.written_by(&info.hash)))
}

/// A document of one change and its past alone, so that a copy's change under the same number is not in
/// it. The past may hold void changes.
fn past_of(record: &Record, hash: Hash) -> Option<Arc<Document>> {
    let mut raw: HashMap<Hash, (Vec<u8>, DeviceId, ChangeInfo)> = HashMap::new();
    let by_hash: HashMap<Hash, DeviceId> = record
        .nodes()
        .iter()
        .filter_map(|node| Some((node.change()?.info.as_ref()?.hash, node.author)))
        .collect();
    if let Some(document) = record.document() {
        for (change, bytes) in document.changes().zip(document.raw_changes()) {
            let author = by_hash.get(&change.hash)?;
            let info = document.change(&change.hash)?.clone();
            raw.insert(change.hash, (bytes, *author, info));
        }
    }
    for node in record.nodes() {
        let Some(change) = node.change() else {
            continue;
        };
        if let (Some(bytes), Some(info)) = (&change.raw, &change.info) {
            raw.entry(info.hash)
                .or_insert_with(|| (bytes.clone(), node.author, info.clone()));
        }
    }
    let mut batch = Vec::new();
    let mut walk = Walk::from_ids([hash]);
    while let Some(next) = walk.next() {
        let (raw, author, info) = raw.get(&next)?;
        batch.push(Candidate {
            raw,
            author: *author,
        });
        walk.extend(info.deps.iter().copied());
    }
    Document::rebuild(&batch).0
}

/// The person's own words in an envelope.
pub(super) fn words(
    wording: &Wording<'_>,
    envelope: &Envelope,
    edits: Option<&[FieldEdit]>,
) -> Result<String, ReplicaError> {
    Ok(match envelope.body() {
        Body::Change(_) => wording.edits(edits.unwrap_or_default(), Lang::default())?,
        Body::Event(event) => match Event::decode(event.code, event.fold_version, &event.data) {
            Ok(event) => words_of_event(&event),
            Err(_) => String::new(),
        },
        Body::Genesis(genesis) => {
            let author = envelope.header().author;
            let document = Document::genesis(&genesis.content, author).ok();
            words_of_report(document.map(Arc::new), genesis.kind)
        }
        Body::Unknown(..) => String::new(),
    })
}

/// The words of an envelope that is in no record, because its parents are not here.
pub(in crate::replica) fn words_alone(
    writing: &Writing<'_>,
    record: RecordId,
    raw: RawEnvelope,
) -> Result<String, ReplicaError> {
    let parsed = Envelope::parse(raw).map_err(|_| ReplicaError::Inconsistent)?;
    let known = load::record(writing.conn, writing.certificates, record)?;
    let wording = match &known {
        Some(record) => Wording::of(writing.conn, &writing.certificates.templates, record)?,
        None => Wording::plain(writing.conn),
    };
    let edits = known.and_then(|record| edits_in(&record, &parsed));
    words(&wording, &parsed, edits.as_deref())
}

fn words_of_event(event: &Event) -> String {
    if let Event::Attach(attach) = event {
        let code = attach.media_type().map(attach::words_of);
        return code.map_or(String::new(), |code| say(code, Lang::default(), &[]));
    }
    event
        .words()
        .map(|text| text.as_str().to_owned())
        .unwrap_or_default()
}

fn words_of_report(document: Option<Arc<Document>>, kind: RecordKind) -> String {
    let content = document
        .zip(kind.spec())
        .map(|(document, kind)| document.content(kind));
    let details = content.as_ref().map(Content::details);
    details
        .map(|details| {
            let title = details.title.clone().unwrap_or_default();
            format!("{title}\n{}", details.description)
                .trim()
                .to_owned()
        })
        .unwrap_or_default()
}
