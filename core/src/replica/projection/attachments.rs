//! The descriptions of photos and recordings in a record, and the rows that follow from them.
//!
//! | description | its file | row |
//! |---|---|---|
//! | counts, or waits for a review | any | stays |
//! | does not count, or is gone | own, here, and the server may lack it | stays for its author |
//! | does not count, or is gone | any other | goes, with its file |

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::identity::Own;
use super::super::table::attachment::{
    self, AttachmentState, Described, DescribedRow, Facts, Standing,
};
use crate::domain::case::Event;
use crate::domain::case::payload::Attach;
use crate::id::{EnvelopeId, Hash};
use crate::limits::{PHOTO_PIXELS_MAX, PHOTO_SIDE_MAX, RECORDING_MS_MAX};
use crate::media::{MediaType, thumbnail_is_sound};
use crate::record::{Node, NodeBody, Record};
use crate::wire::verdict::Status;

/// The description of a file that applies.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Description<'a> {
    node: &'a Node,
    attach: &'a Attach,
    media: MediaType,
    described: Described,
    /// Its place in the order of the fold.
    at: usize,
}

impl Description<'_> {
    /// Whether it counts, or waits for a review.
    pub(in crate::replica) fn stands(&self) -> bool {
        self.described != Described::Void
    }

    fn standing(&self, own: &Own) -> Standing {
        let verdict = self.node.verdict.map(|verdict| verdict.status.code());
        Standing {
            described: self.described,
            envelope: Some(self.node.id),
            own: own.device == Some(self.node.author),
            void: verdict.filter(|_| !self.stands()),
        }
    }

    fn facts(&self) -> Facts {
        let thumbnail = self.attach.thumbnail.as_ref();
        Facts {
            media: self.media,
            bytes: self.attach.bytes.into(),
            salt: self.attach.salt,
            extent: self
                .attach
                .extent
                .filter(|extent| is_possible(self.media, *extent)),
            thumbnail: thumbnail.filter(|bytes| thumbnail_is_sound(bytes)).cloned(),
        }
    }

    /// The best comes first: the best standing, of accepted ones the first that the server
    /// accepted, and then the first in the order of the fold. The order of the fold alone would not
    /// do, because each author chooses it by the parents that an envelope names.
    fn rank(&self) -> (u8, (u32, i64), usize, EnvelopeId) {
        let accepted = self
            .node
            .verdict
            .filter(|_| self.described == Described::Accepted);
        let accepted = accepted.map_or((0, 0), |verdict| (verdict.generation, verdict.at_ms));
        (preference(self.described), accepted, self.at, self.node.id)
    }
}

/// Whether a photo or recording may have this extent.
fn is_possible(media: MediaType, (a, b): (u32, u32)) -> bool {
    match media {
        MediaType::Jpeg => {
            let is_side = |side: u32| (1..=u32::from(PHOTO_SIDE_MAX)).contains(&side);
            is_side(a) && is_side(b) && u64::from(a) * u64::from(b) <= PHOTO_PIXELS_MAX
        }
        MediaType::M4a => u64::from(a) <= RECORDING_MS_MAX,
    }
}

/// Returns the description of each file of a record. Of several with one id the best one applies.
pub(in crate::replica) fn descriptions(record: &Record) -> BTreeMap<Hash, Description<'_>> {
    let mut found: BTreeMap<Hash, Description<'_>> = BTreeMap::new();
    for description in all(record) {
        let known = found.entry(description.attach.id).or_insert(description);
        if description.rank() < known.rank() {
            *known = description;
        }
    }
    found
}

/// The facts of the descriptions of one file that count or wait for a review, the best one first.
pub(in crate::replica) fn standing_facts(record: &Record, id: Hash) -> Vec<Facts> {
    let mut found = all(record);
    found.retain(|one| one.attach.id == id && one.stands());
    found.sort_by_key(Description::rank);
    found.iter().map(Description::facts).collect()
}

/// All descriptions of a record. Types of a newer app are left out.
fn all(record: &Record) -> Vec<Description<'_>> {
    let mut places: Option<BTreeMap<EnvelopeId, usize>> = None;
    let mut found = Vec::new();
    for node in record.nodes() {
        let NodeBody::Event { event, .. } = &node.body else {
            continue;
        };
        let Event::Attach(attach) = &**event else {
            continue;
        };
        let Some(media) = attach.media_type() else {
            continue;
        };
        let places = places.get_or_insert_with(|| places_of(record));
        found.push(Description {
            node,
            attach,
            media,
            described: described(node),
            at: places.get(&node.id).copied().unwrap_or(usize::MAX),
        });
    }
    found
}

fn places_of(record: &Record) -> BTreeMap<EnvelopeId, usize> {
    let timeline = record.state().map(|state| &state.timeline);
    let items = timeline.into_iter().flatten().enumerate();
    items.map(|(at, item)| (item.id, at)).collect()
}

fn described(node: &Node) -> Described {
    match node.verdict.map(|verdict| verdict.status) {
        Some(status) if status.is_accepted() => Described::Accepted,
        Some(Status::Held(_)) => Described::Held,
        None if node.counts() => Described::Provisional,
        None if node.waits => Described::Held,
        Some(_) | None => Described::Void,
    }
}

/// The best comes first.
fn preference(described: Described) -> u8 {
    match described {
        Described::Accepted => 0,
        Described::Provisional => 1,
        Described::Held => 2,
        Described::Void | Described::No => 3,
    }
}

/// Writes the rows of a record.
pub(super) fn write(conn: &Connection, record: &Record, own: &Own) -> Result<(), ReplicaError> {
    let mut described = descriptions(record);
    for row in attachment::of_record(conn, record.id())? {
        match described.remove(&row.id) {
            Some(description) => follow(conn, &row, &description, own)?,
            None if row.own && row.is_undelivered => {
                let standing = Standing {
                    described: Described::No,
                    envelope: None,
                    own: true,
                    void: None,
                };
                if row.described != standing.described {
                    attachment::set_standing(conn, row.no, &standing)?;
                }
            }
            None => attachment::delete(conn, row.no)?,
        }
    }
    for (id, description) in described.into_iter().filter(|(_, one)| one.stands()) {
        let (facts, standing) = (description.facts(), description.standing(own));
        let staged = standing.own.then(|| attachment::file(conn, None, id));
        if let Some(staged) = staged.transpose()?.flatten() {
            // An older copy of the replica has come back, from before the photo was described.
            attachment::describe(conn, staged.no, record.id(), description.node.id)?;
            attachment::set_standing(conn, staged.no, &standing)?;
            continue;
        }
        let made_ms = description.node.clock_ms;
        attachment::insert(conn, (record.id(), id), &facts, &standing, made_ms)?;
    }
    Ok(())
}

/// Changes the row of a description where the description has changed.
fn follow(
    conn: &Connection,
    row: &DescribedRow,
    description: &Description<'_>,
    own: &Own,
) -> Result<(), ReplicaError> {
    let standing = description.standing(own);
    let stays = description.stands() || (row.is_undelivered && (row.own || standing.own));
    if !stays {
        return Ok(attachment::delete(conn, row.no)?);
    }
    if row.envelope != standing.envelope {
        if row.state == AttachmentState::Arriving {
            // The bytes are described otherwise now.
            attachment::drop_file(conn, row.no, AttachmentState::Wanted)?;
        }
        // The facts of a file that is here stay, because the file has proven them.
        attachment::set_facts(conn, row.no, &description.facts())?;
    }
    if (row.described, row.envelope) != (standing.described, standing.envelope) {
        attachment::set_standing(conn, row.no, &standing)?;
    }
    Ok(())
}
