//! Records of the rows of an office's list. The server's own author makes them, with the source “API”.
//!
//! **Invariant.** A row makes one record, however often its list is imported. The envelopes of a row follow
//! from the list, the month, the id of the row and its content alone, so a restored server makes the same
//! ones. The store remembers the record of each row, so a row with other content makes no second record.

use std::collections::HashMap;

use onegrid_core::crdt::{ActorId, build_genesis};
use onegrid_core::domain::content::{Content, Field, FieldValue};
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::kinds::ListSpec;
use onegrid_core::domain::month::Month;
use onegrid_core::domain::{AreaPath, Audience, Source};
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::record::NodeBody;
use onegrid_core::wire::body::{Body, Genesis};
use onegrid_core::wire::envelope::{Envelope, FORMAT_VERSION, Header, SUITE_ED25519_SHA256};
use onegrid_core::wire::message::Bundle;

use super::{Intake, ingest};
use crate::error::{Problem, Result};
use crate::limits::LIST_ROWS_A_BUNDLE;
use crate::records::load;
use crate::registry::{audit, import};
use crate::store::StoreError;

/// A row that becomes a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// Line of the file, for reports.
    pub line: u64,
    /// Id of the row in the list.
    pub id: String,
    /// The area, with the areas above.
    pub home: AreaPath,
    /// Content of the record, with month and id of the row.
    pub content: Content,
    /// Names of people, if the row has some.
    pub names: Option<String>,
}

/// A list and its month.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// The list.
    pub list: &'static ListSpec,
    /// The month.
    pub month: Month,
}

/// The result for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowResult {
    /// Its record is new.
    New,
    /// Its record has this content since an earlier import.
    Known,
    /// Its record was made with other content.
    Differs,
    /// The server's own rules refuse the record, with this code.
    Refused(&'static str),
}

/// A record that a row makes.
struct Draft {
    /// Names the record in the store.
    key: [u8; 16],
    home: AreaPath,
    audience: Audience,
    linked: Option<RecordId>,
    content: Content,
}

/// Compares the rows with the records that earlier imports made, and stores nothing.
pub(crate) fn compare(intake: &Intake, listed: Listed, rows: &[ListRow]) -> Result<Vec<RowResult>> {
    let compared = rows.iter().map(|row| {
        let made = known_of(intake, &draft_of(intake, listed, row))?;
        let names = names_of(intake, listed, row, RecordId([0; 16]));
        let names = names.map(|names| known_of(intake, &names)).transpose()?;
        Ok(match (made, names) {
            (None, _) => RowResult::New,
            (Some((_, true)), None | Some(Some((_, true)))) => RowResult::Known,
            (Some(_), _) => RowResult::Differs,
        })
    });
    compared.collect()
}

/// Makes the records of the rows that have none.
pub(crate) fn put(
    intake: &Intake,
    listed: Listed,
    rows: &[ListRow],
    (actor, now_ms): (&str, i64),
) -> Result<Vec<RowResult>> {
    let mut results = compare(intake, listed, rows)?;
    let fresh = rows.iter().zip(&mut results);
    let mut fresh: Vec<_> = fresh
        .filter(|(_, result)| **result == RowResult::New)
        .collect();
    for slice in fresh.chunks_mut(LIST_ROWS_A_BUNDLE) {
        put_slice(intake, listed, slice, now_ms)?;
    }
    let made = results.iter().filter(|one| **one == RowResult::New).count();
    if made > 0 {
        let (actor, subject) = (
            actor.to_owned(),
            format!("{} {}", listed.list.name, listed.month),
        );
        let subject = format!("{subject} {made}");
        intake.shared.store.write::<_, StoreError>(move |tx| {
            audit::note(tx, now_ms, &actor, "list.imported", &subject)
        })?;
    }
    Ok(results)
}

fn put_slice(
    intake: &Intake,
    listed: Listed,
    slice: &mut [(&ListRow, &mut RowResult)],
    now_ms: i64,
) -> Result<()> {
    let keys = &intake.shared.keys;
    let (mut envelopes, mut ids, mut row_of) = (Vec::new(), Vec::new(), HashMap::new());
    for (place, (row, _)) in slice.iter().enumerate() {
        let draft = draft_of(intake, listed, row);
        let main = seal(intake, listed, &draft)?;
        let names = names_of(intake, listed, row, main.record());
        ids.push((draft.key, main.record().to_string()));
        row_of.insert(main.hash(), place);
        envelopes.push(main.raw().clone());
        if let Some(names) = names {
            let sealed = seal(intake, listed, &names)?;
            ids.push((names.key, sealed.record().to_string()));
            row_of.insert(sealed.hash(), place);
            envelopes.push(sealed.raw().clone());
        }
    }
    let bundle = Bundle {
        certificates: vec![keys.author_certificate().raw().clone()],
        envelopes,
    };
    let result = ingest(intake, bundle, &HashMap::new(), now_ms)?;
    for line in result.lines {
        let status = line.verdict.status;
        if let Some(place) = row_of.get(&line.hash).filter(|_| !status.is_accepted()) {
            *slice[*place].1 = RowResult::Refused(status.code());
        }
    }
    import::note_external_ids(&intake.shared, ids)?;
    Ok(())
}

/// The key of the record that a row makes.
fn key(intake: &Intake, listed: Listed, part: &str, row: &ListRow) -> [u8; 16] {
    let month = listed.month.to_string();
    let authority = intake.shared.keys.authority();
    // The lengths keep two fields from running into each other.
    let fields = [listed.list.name, part, &month, &row.id];
    let spelled: Vec<Vec<u8>> = fields
        .iter()
        .map(|field| [&(field.len() as u64).to_be_bytes()[..], field.as_bytes()].concat())
        .collect();
    Hash::of(&[b"onegrid.list", authority.0.as_bytes(), &spelled.concat()]).first16()
}

fn draft_of(intake: &Intake, listed: Listed, row: &ListRow) -> Draft {
    Draft {
        key: key(intake, listed, "record", row),
        home: row.home,
        audience: Audience::Staff,
        linked: None,
        content: row.content.clone(),
    }
}

/// The restricted record with the names of people, linked to the record of the row.
fn names_of(intake: &Intake, listed: Listed, row: &ListRow, record: RecordId) -> Option<Draft> {
    let (names, kind) = (row.names.clone()?, listed.list.names_kind.spec()?);
    Some(Draft {
        key: key(intake, listed, "names", row),
        home: row.home,
        audience: Audience::Restricted,
        linked: Some(record),
        content: kind.content([(Field::Title, FieldValue::Text(names))]),
    })
}

/// The record that an earlier import made of a row, and whether the row still says the same.
fn known_of(intake: &Intake, draft: &Draft) -> Result<Option<(RecordId, bool)>> {
    let shared = &intake.shared;
    let found = shared.store.read::<_, StoreError>(|tx| {
        let id = tx.external_id(draft.key)?.and_then(|id| id.parse().ok());
        let Some(id) = id else { return Ok(None) };
        // A restored store may remember the row and lack the record, which phones give back.
        let record = load(tx, &shared.certificates, id)?;
        Ok((!record.nodes().is_empty()).then_some((id, record)))
    })?;
    let Some((id, record)) = found else {
        return Ok(None);
    };
    let first = record.nodes().first().and_then(|node| match &node.body {
        NodeBody::Genesis { change, .. } => Some(change.info.as_ref()?.hash),
        _ => None,
    });
    let content = record.genesis().and_then(|facts| {
        let content = record
            .document()?
            .content_at(facts.kind.spec()?, &[first?])?;
        Some((facts.home, content))
    });
    let same = content.is_some_and(|(home, content)| {
        home == draft.home && content.fields() == draft.content.fields()
    });
    Ok(Some((id, same)))
}

fn seal(intake: &Intake, listed: Listed, draft: &Draft) -> Result<Envelope> {
    let keys = &intake.shared.keys;
    let failed = |error: &dyn std::error::Error| Problem::new("server.internal").because(error);
    let device = keys.author().public().device();
    let mut epoch = [0; 8];
    epoch.copy_from_slice(&draft.key[..8]);
    let content = build_genesis(&draft.content, ActorId::new(&device, epoch));
    let body = Body::Genesis(Genesis {
        nonce: draft.key,
        kind: draft.content.kind(),
        home: draft.home,
        audience: draft.audience,
        team: None,
        source: Source::Api,
        named: Vec::new(),
        linked: draft.linked,
        content: content.map_err(|error| failed(&error))?,
    });
    let header = Header {
        version: FORMAT_VERSION,
        suite: SUITE_ED25519_SHA256,
        body_kind: 0,
        record: None,
        author: device,
        certificate: keys.author_certificate().hash(),
        grant: 0,
        parents: Vec::new(),
        directory_seen: DirectoryMark::default(),
        clock_ms: listed.month.begin_ms(),
    };
    Envelope::seal(header, &body, keys.author(), keys.authority()).map_err(|error| failed(&error))
}
