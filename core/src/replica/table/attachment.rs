//! `attachment`: photos and recordings that records describe or that wait for their first use, and
//! the sealed files of those that are here.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::meta;
use super::{Sql, bad_value, fixed, fixed_or_none};
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::media::MediaType;
use crate::media::sealed::SealKey;
use crate::sync::file_port::{FilesLeft, Giver};
use crate::wire::transfer::FileName;

coded_enum! {
    /// How far a photo or recording has got on its way from or to this phone.
    AttachmentState, u8 {
        /// It waits for its first use: no record names it yet.
        Staged = 1, "staged";
        /// It is here, and the server does not have it.
        Waiting = 2, "waiting";
        /// It is here, and the server has it.
        Delivered = 3, "delivered";
        /// It is not here.
        Absent = 4, "absent";
        /// It is not here, and was asked for.
        Wanted = 5, "wanted";
        /// A part of it is here.
        Arriving = 6, "arriving";
    }
}

/// The standing of the description of a file in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) enum Described {
    /// There is none here.
    No = 0,
    /// No server has judged it.
    Provisional = 1,
    /// It waits for a review.
    Held = 2,
    /// The server has accepted it.
    Accepted = 3,
    /// It does not count.
    Void = 4,
}

/// A photo or recording as a host shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentInfo {
    /// Hash over salt and content.
    pub id: Hash,
    /// The record; `None` while it is staged.
    pub record: Option<RecordId>,
    /// The type.
    pub media: MediaType,
    /// Bytes of the content.
    pub bytes: u64,
    /// Pixels from left to right as shown, for a photo whose author gave them.
    pub width: Option<u32>,
    /// Pixels from top to bottom as shown, for a photo whose author gave them.
    pub height: Option<u32>,
    /// Length of a recording in milliseconds, if its author gave it.
    pub duration_ms: Option<u32>,
    /// How far it has got.
    pub state: AttachmentState,
    /// Whether the file is here, and the server said in its present generation that it has it.
    /// After a restore of the server a delivered file waits for that.
    pub is_confirmed: bool,
    /// When the server said that it has the file, ms UTC by the clock of this phone.
    pub delivered_ms: Option<i64>,
    /// The code of the refusal, where the server refused the file or its description.
    pub refusal: Option<String>,
    /// Whether there is a small picture.
    pub has_thumbnail: bool,
}

/// The name of a sealed file, random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) struct Place(pub(in crate::replica) [u8; 16]);

/// Name and key of a sealed file.
#[derive(Debug, Clone)]
pub(in crate::replica) struct SealedFile {
    pub(in crate::replica) place: Place,
    pub(in crate::replica) key: SealKey,
}

/// Everything that a description says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Facts {
    pub(in crate::replica) media: MediaType,
    pub(in crate::replica) bytes: u64,
    pub(in crate::replica) salt: [u8; 16],
    pub(in crate::replica) extent: Option<(u32, u32)>,
    /// Only one that may be shown.
    pub(in crate::replica) thumbnail: Option<Vec<u8>>,
}

/// A row, as far as its file is concerned.
#[derive(Debug, Clone)]
pub(in crate::replica) struct FileRow {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) id: Hash,
    pub(in crate::replica) facts: Facts,
    pub(in crate::replica) state: AttachmentState,
    pub(in crate::replica) file: Option<SealedFile>,
    /// Plain bytes in the file.
    pub(in crate::replica) here: u64,
    /// Bytes behind them.
    pub(in crate::replica) tail: Vec<u8>,
    /// The generation of the receipt.
    pub(in crate::replica) receipt: Option<u32>,
}

impl FileRow {
    /// The file, if all of it is here and was checked.
    pub(in crate::replica) fn whole(&self) -> Option<&SealedFile> {
        let is_whole = !self.is_asked_for() && self.here == self.facts.bytes;
        self.file.as_ref().filter(|_| is_whole)
    }

    /// Whether it is on its way to this phone.
    pub(in crate::replica) fn is_asked_for(&self) -> bool {
        [AttachmentState::Wanted, AttachmentState::Arriving].contains(&self.state)
    }
}

/// The bytes of a download that one giver has sent.
#[derive(Debug, Clone, Default)]
pub(in crate::replica) struct FilePart {
    pub(in crate::replica) file: Option<SealedFile>,
    /// Plain bytes in the file.
    pub(in crate::replica) here: u64,
    /// Bytes behind them.
    pub(in crate::replica) tail: Vec<u8>,
}

impl FilePart {
    /// Bytes that have arrived.
    pub(in crate::replica) fn bytes(&self) -> u64 {
        self.here + self.tail.len() as u64
    }
}

/// The standing of a description, as stored or to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) struct Standing {
    pub(in crate::replica) described: Described,
    pub(in crate::replica) envelope: Option<EnvelopeId>,
    /// Whether this phone described it.
    pub(in crate::replica) own: bool,
    /// The verdict on a description that does not count.
    pub(in crate::replica) void: Option<&'static str>,
}

/// The row of a description of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) struct DescribedRow {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) id: Hash,
    pub(in crate::replica) described: Described,
    pub(in crate::replica) envelope: Option<EnvelopeId>,
    pub(in crate::replica) own: bool,
    /// Whether the file is here, and the server has not said in its present generation that it has
    /// it.
    pub(in crate::replica) is_undelivered: bool,
    pub(in crate::replica) state: AttachmentState,
}

const INFO: &str = "SELECT id, record, media, bytes, extent_a, extent_b, state, receipt_ms,
     coalesce(void, refusal), thumbnail IS NOT NULL, receipt_generation FROM attachment ";
const FILE: &str = "SELECT no, id, media, bytes, salt, extent_a, extent_b, thumbnail, state, file,
     key, here, tail, record, receipt_generation FROM attachment ";
/// A file that is here and that the server may lack. The present generation is parameter 1.
const UNDELIVERED: &str = "(state = 2 OR (state = 3 AND receipt_generation IS NOT ?1))";
/// The next number in the order of requests and openings.
const NEXT_TURN: &str = "(SELECT coalesce(max(turn), 0) + 1 FROM attachment)";

/// Stores a file that is whole and waits for its first use.
pub(in crate::replica) fn stage(
    conn: &Connection,
    id: Hash,
    facts: &Facts,
    file: &SealedFile,
    now_ms: i64,
) -> Sql<()> {
    let extent = facts.extent.unzip();
    conn.prepare_cached(
        "INSERT INTO attachment (id, media, bytes, salt, extent_a, extent_b, thumbnail, described,
           own, state, file, key, here, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 1, 1, ?8, ?9, ?3, ?10)",
    )?
    .execute(params![
        id.as_bytes(),
        facts.media.code(),
        stored(facts.bytes),
        facts.salt,
        extent.0,
        extent.1,
        facts.thumbnail,
        file.place.0,
        file.key.as_bytes(),
        now_ms,
    ])
    .map(drop)
}

/// Stores a description whose file is not here.
pub(in crate::replica) fn insert(
    conn: &Connection,
    (record, id): (RecordId, Hash),
    facts: &Facts,
    standing: &Standing,
    made_ms: i64,
) -> Sql<()> {
    let extent = facts.extent.unzip();
    conn.prepare_cached(
        "INSERT INTO attachment (record, id, media, bytes, salt, extent_a, extent_b, thumbnail,
           described, envelope, own, void, state, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 4, ?13)",
    )?
    .execute(params![
        record.as_bytes(),
        id.as_bytes(),
        facts.media.code(),
        stored(facts.bytes),
        facts.salt,
        extent.0,
        extent.1,
        facts.thumbnail,
        standing.described as u8,
        standing.envelope.as_ref().map(EnvelopeId::as_bytes),
        standing.own,
        standing.void,
        made_ms,
    ])
    .map(drop)
}

/// A record describes a file that is here; the server does not have it.
pub(in crate::replica) fn describe(
    conn: &Connection,
    no: i64,
    record: RecordId,
    envelope: EnvelopeId,
) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET record = ?2, envelope = ?3, described = 1, own = 1, void = NULL,
           refusal = NULL, state = 2 WHERE no = ?1",
    )?
    .execute((no, record.as_bytes(), envelope.as_bytes()))
    .map(drop)
}

/// Sets the standing of a description. A phone that described a file once stays one of its authors.
pub(in crate::replica) fn set_standing(conn: &Connection, no: i64, standing: &Standing) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET described = ?2, envelope = ?3, own = max(own, ?4), void = ?5
         WHERE no = ?1",
    )?
    .execute(params![
        no,
        standing.described as u8,
        standing.envelope.as_ref().map(EnvelopeId::as_bytes),
        standing.own,
        standing.void,
    ])
    .map(drop)
}

/// Sets the facts of a description whose file is not here.
pub(in crate::replica) fn set_facts(conn: &Connection, no: i64, facts: &Facts) -> Sql<()> {
    let extent = facts.extent.unzip();
    conn.prepare_cached(
        "UPDATE attachment SET media = ?2, bytes = ?3, salt = ?4, extent_a = ?5, extent_b = ?6,
           thumbnail = ?7 WHERE no = ?1 AND file IS NULL",
    )?
    .execute(params![
        no,
        facts.media.code(),
        stored(facts.bytes),
        facts.salt,
        extent.0,
        extent.1,
        facts.thumbnail,
    ])
    .map(drop)
}

/// Sets width and height, or length, as the file itself has them.
pub(in crate::replica) fn set_extent(conn: &Connection, no: i64, extent: (u32, u32)) -> Sql<()> {
    conn.prepare_cached("UPDATE attachment SET extent_a = ?2, extent_b = ?3 WHERE no = ?1")?
        .execute((no, extent.0, extent.1))
        .map(drop)
}

/// The descriptions of a record.
pub(in crate::replica) fn of_record(conn: &Connection, record: RecordId) -> Sql<Vec<DescribedRow>> {
    conn.prepare_cached(&format!(
        "SELECT no, id, described, envelope, own, {UNDELIVERED}, state
         FROM attachment WHERE record = ?2"
    ))?
    .query_map(params![meta::generation(conn)?, record.as_bytes()], |row| {
        Ok(DescribedRow {
            no: row.get(0)?,
            id: Hash(fixed(row, 1)?),
            described: described(row, 2)?,
            envelope: fixed_or_none(row, 3)?.map(EnvelopeId),
            own: row.get(4)?,
            is_undelivered: row.get(5)?,
            state: coded(row, 6, AttachmentState::from_code)?,
        })
    })?
    .collect()
}

pub(in crate::replica) fn delete(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attachment WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

/// Forgets the files of a record, except own files that the server may lack.
pub(in crate::replica) fn delete_record(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached(&format!(
        "DELETE FROM attachment WHERE record = ?2 AND NOT (own = 1 AND {UNDELIVERED})"
    ))?
    .execute(params![meta::generation(conn)?, record.as_bytes()])
    .map(drop)
}

/// Forgets the files of records that are not here, except own files that the server may lack.
pub(in crate::replica) fn delete_lost(conn: &Connection) -> Sql<()> {
    conn.prepare_cached(&format!(
        "DELETE FROM attachment WHERE record IS NOT NULL AND NOT (own = 1 AND {UNDELIVERED})
           AND NOT EXISTS (SELECT 1 FROM record WHERE record.id = attachment.record)"
    ))?
    .execute([meta::generation(conn)?])
    .map(drop)
}

/// Forgets an own file whose description does not count, or whose record is not here. Returns
/// whether there was one.
pub(in crate::replica) fn delete_void(conn: &Connection, record: RecordId, id: Hash) -> Sql<bool> {
    conn.prepare_cached(
        "DELETE FROM attachment WHERE record = ?1 AND id = ?2 AND own = 1 AND state IN (2, 3)
           AND (described IN (0, 4)
             OR NOT EXISTS (SELECT 1 FROM record WHERE record.id = attachment.record))",
    )?
    .execute([record.as_bytes().as_slice(), id.as_bytes()])
    .map(|deleted| deleted == 1)
}

/// A file by its record, or a staged one.
pub(in crate::replica) fn info(
    conn: &Connection,
    record: Option<RecordId>,
    id: Hash,
) -> Sql<Option<AttachmentInfo>> {
    conn.prepare_cached(&format!("{INFO} WHERE record IS ?1 AND id = ?2"))?
        .query_row(
            params![bytes_of(record.as_ref()), id.as_bytes()],
            to_info(conn)?,
        )
        .optional()
}

/// The files of a record, or the staged ones, oldest first.
pub(in crate::replica) fn infos(
    conn: &Connection,
    record: Option<RecordId>,
) -> Sql<Vec<AttachmentInfo>> {
    conn.prepare_cached(&format!("{INFO} WHERE record IS ?1 ORDER BY made_ms, id"))?
        .query_map([bytes_of(record.as_ref())], to_info(conn)?)?
        .collect()
}

/// Own files that stay here although the server does not take them, oldest first: the server refused the file, its
/// description does not count, or its record is not here.
pub(in crate::replica) fn refused(conn: &Connection) -> Sql<Vec<AttachmentInfo>> {
    conn.prepare_cached(&format!(
        "{INFO} WHERE own = 1 AND state IN (2, 3) AND record IS NOT NULL
           AND (refusal IS NOT NULL OR described IN (0, 4)
             OR NOT EXISTS (SELECT 1 FROM record WHERE record.id = attachment.record))
         ORDER BY made_ms, id"
    ))?
    .query_map([], to_info(conn)?)?
    .collect()
}

pub(in crate::replica) fn thumbnail(
    conn: &Connection,
    record: Option<RecordId>,
    id: Hash,
) -> Sql<Option<Vec<u8>>> {
    let found = conn
        .prepare_cached("SELECT thumbnail FROM attachment WHERE record IS ?1 AND id = ?2")?
        .query_row(params![bytes_of(record.as_ref()), id.as_bytes()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(found.flatten())
}

/// A row with its file, by record or staged.
pub(in crate::replica) fn file(
    conn: &Connection,
    record: Option<RecordId>,
    id: Hash,
) -> Sql<Option<FileRow>> {
    conn.prepare_cached(&format!("{FILE} WHERE record IS ?1 AND id = ?2"))?
        .query_row(params![bytes_of(record.as_ref()), id.as_bytes()], to_file)
        .optional()
}

/// A whole file that this record may describe now: a staged one, or one whose description does not
/// count.
pub(in crate::replica) fn undescribed(
    conn: &Connection,
    record: RecordId,
    id: Hash,
) -> Sql<Option<FileRow>> {
    conn.prepare_cached(&format!(
        "{FILE} WHERE id = ?2 AND here = bytes AND file IS NOT NULL AND state NOT IN (5, 6)
           AND (record IS NULL OR (record = ?1 AND described IN (0, 4))) ORDER BY record DESC LIMIT 1"
    ))?
    .query_row([record.as_bytes().as_slice(), id.as_bytes()], to_file)
    .optional()
}

/// Asks for a file that is not here, after those that were asked for before. Returns whether it was
/// absent.
pub(in crate::replica) fn want(conn: &Connection, record: RecordId, id: Hash) -> Sql<bool> {
    conn.prepare_cached(&format!(
        "UPDATE attachment SET state = 5, turn = {NEXT_TURN}
         WHERE record = ?1 AND id = ?2 AND state = 4"
    ))?
    .execute([record.as_bytes().as_slice(), id.as_bytes()])
    .map(|changed| changed == 1)
}

/// The file was opened just now.
pub(in crate::replica) fn set_opened(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached(&format!(
        "UPDATE attachment SET turn = {NEXT_TURN} WHERE no = ?1"
    ))?
    .execute([no])
    .map(drop)
}

/// The file goes, with the part of other phones, and the row is in this state from now on.
pub(in crate::replica) fn drop_file(conn: &Connection, no: i64, state: AttachmentState) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attachment_part WHERE no = ?1")?
        .execute([no])?;
    conn.prepare_cached(
        "UPDATE attachment SET state = ?2, file = NULL, key = NULL, here = 0, tail = NULL,
           receipt_generation = NULL, receipt_ms = NULL WHERE no = ?1",
    )?
    .execute((no, state.code()))
    .map(drop)
}

/// The bytes of a download that this giver has sent.
pub(in crate::replica) fn part(conn: &Connection, row: &FileRow, giver: Giver) -> Sql<FilePart> {
    if giver == Giver::Server {
        return Ok(FilePart {
            file: row.file.clone(),
            here: row.here,
            tail: row.tail.clone(),
        });
    }
    let found = conn
        .prepare_cached("SELECT file, key, here, tail FROM attachment_part WHERE no = ?1")?
        .query_row([row.no], |row| {
            Ok(FilePart {
                file: Some(SealedFile {
                    place: Place(fixed(row, 0)?),
                    key: SealKey::from_bytes(fixed(row, 1)?),
                }),
                here: row.get::<_, i64>(2)?.unsigned_abs(),
                tail: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The file has arrived from this giver so far.
pub(in crate::replica) fn set_arrived(
    conn: &Connection,
    (no, giver): (i64, Giver),
    file: &SealedFile,
    (here, tail): (u64, &[u8]),
) -> Sql<()> {
    let values = params![
        no,
        file.place.0,
        file.key.as_bytes(),
        stored(here),
        Some(tail).filter(|tail| !tail.is_empty()),
    ];
    if giver == Giver::Server {
        return conn
            .prepare_cached(
                "UPDATE attachment SET state = 6, file = ?2, key = ?3, here = ?4, tail = ?5
                 WHERE no = ?1",
            )?
            .execute(values)
            .map(drop);
    }
    conn.prepare_cached(
        "INSERT INTO attachment_part (no, file, key, here, tail) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (no) DO UPDATE SET file = ?2, key = ?3, here = ?4, tail = ?5",
    )?
    .execute(values)?;
    conn.prepare_cached("UPDATE attachment SET state = 6 WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

/// The part of this giver goes; the other one stays.
pub(in crate::replica) fn drop_part(conn: &Connection, no: i64, giver: Giver) -> Sql<()> {
    let part = match giver {
        Giver::Server => {
            "UPDATE attachment SET file = NULL, key = NULL, here = 0, tail = NULL WHERE no = ?1"
        }
        Giver::Phone => "DELETE FROM attachment_part WHERE no = ?1",
    };
    conn.prepare_cached(part)?.execute([no])?;
    conn.prepare_cached(
        "UPDATE attachment SET state = 5 WHERE no = ?1 AND file IS NULL
           AND NOT EXISTS (SELECT 1 FROM attachment_part WHERE no = ?1)",
    )?
    .execute([no])
    .map(drop)
}

/// The part of other phones becomes the file in the place of the server's part.
pub(in crate::replica) fn keep_part(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET (file, key, here) =
           (SELECT file, key, here FROM attachment_part WHERE no = ?1) WHERE no = ?1",
    )?
    .execute([no])
    .map(drop)
}

/// The server has the whole file, and it is here too. Without a generation the server did not say
/// so.
pub(in crate::replica) fn set_delivered(
    conn: &Connection,
    no: i64,
    generation: Option<u32>,
    now_ms: i64,
) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET state = 3, tail = NULL, refusal = NULL, receipt_generation = ?2,
           receipt_ms = coalesce(receipt_ms, ?3) WHERE no = ?1",
    )?
    .execute((no, generation, generation.map(|_| now_ms)))
    .map(drop)
}

/// The server lacks the file, so it waits to be sent.
pub(in crate::replica) fn set_lacking(conn: &Connection, name: &FileName) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET state = 2, refusal = NULL, receipt_generation = NULL,
           receipt_ms = NULL WHERE record = ?1 AND id = ?2 AND state = 3",
    )?
    .execute([name.record.as_bytes().as_slice(), name.id.as_bytes()])
    .map(drop)
}

/// Notes a refusal for good. Returns whether it is the first.
pub(in crate::replica) fn set_refused(conn: &Connection, name: &FileName, code: &str) -> Sql<bool> {
    conn.prepare_cached(
        "UPDATE attachment SET refusal = ?3 WHERE record = ?1 AND id = ?2 AND refusal IS NULL",
    )?
    .execute(params![name.record.as_bytes(), name.id.as_bytes(), code])
    .map(|changed| changed == 1)
}

/// Sends a refused file again. Returns whether there was one.
pub(in crate::replica) fn forget_refusal(
    conn: &Connection,
    record: RecordId,
    id: Hash,
) -> Sql<bool> {
    conn.prepare_cached(
        "UPDATE attachment SET refusal = NULL
         WHERE record = ?1 AND id = ?2 AND state = 2 AND refusal IS NOT NULL",
    )?
    .execute([record.as_bytes().as_slice(), id.as_bytes()])
    .map(|changed| changed == 1)
}

/// Sends all refused files again, except damaged ones.
pub(in crate::replica) fn forget_refusals(conn: &Connection) -> Sql<()> {
    conn.prepare_cached(
        "UPDATE attachment SET refusal = NULL WHERE refusal IS NOT NULL
           AND refusal <> 'media.unreadable'",
    )?
    .execute([])
    .map(drop)
}

/// Files that the server takes now, with their bytes, the smallest first.
pub(in crate::replica) fn uploads(conn: &Connection, rows_max: usize) -> Sql<Vec<(FileName, u64)>> {
    conn.prepare_cached(
        "SELECT record, id, bytes FROM attachment WHERE state = 2 AND refusal IS NULL
           AND (described = 3 OR (described = 2 AND own = 1)) ORDER BY bytes, record, id LIMIT ?1",
    )?
    .query_map([limit(rows_max)], |row| {
        Ok((to_name(row)?, row.get::<_, i64>(2)?.unsigned_abs()))
    })?
    .collect()
}

/// Files that were asked for, in the order of the requests: those that the server gives, or all that another
/// phone may give.
pub(in crate::replica) fn downloads(
    conn: &Connection,
    from: Giver,
    rows_max: usize,
) -> Sql<Vec<(FileName, FileRow)>> {
    let given = match from {
        Giver::Server => "(described = 3 OR (described = 2 AND own = 1))",
        Giver::Phone => "described IN (1, 2, 3)",
    };
    conn.prepare_cached(&format!(
        "{FILE} WHERE state IN (5, 6) AND {given} ORDER BY turn LIMIT ?1"
    ))?
    .query_map([limit(rows_max)], |row| {
        let record = RecordId(fixed(row, 13)?);
        let file = to_file(row)?;
        let id = file.id;
        Ok((FileName { record, id }, file))
    })?
    .collect()
}

/// Whole files with no receipt of this generation, in ascending order after a name.
pub(in crate::replica) fn unconfirmed(
    conn: &Connection,
    generation: u32,
    after: Option<&FileName>,
    rows_max: usize,
) -> Sql<Vec<FileName>> {
    let (record, id) = after.map_or((&[][..], &[][..]), |name| {
        (name.record.as_bytes().as_slice(), name.id.as_bytes())
    });
    conn.prepare_cached(
        "SELECT record, id FROM attachment WHERE state = 3 AND receipt_generation IS NOT ?1
           AND (record, id) > (?2, ?3) ORDER BY record, id LIMIT ?4",
    )?
    .query_map(params![generation, record, id, limit(rows_max)], to_name)?
    .collect()
}

/// Numbers and bytes of the files that may be removed, because the server has them in this
/// generation; the one opened longest ago first.
pub(in crate::replica) fn removable(conn: &Connection, generation: u32) -> Sql<Vec<(i64, u64)>> {
    conn.prepare_cached(
        "SELECT no, bytes FROM attachment WHERE state = 3 AND receipt_generation = ?1
         ORDER BY turn, made_ms",
    )?
    .query_map([generation], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?
    .collect()
}

/// Notes the first sync that finds a file staged.
pub(in crate::replica) fn note_staged(conn: &Connection, server_ms: i64) -> Sql<()> {
    conn.prepare_cached("UPDATE attachment SET seen_ms = ?1 WHERE state = 1 AND seen_ms IS NULL")?
        .execute([server_ms])
        .map(drop)
}

/// Removes files that a sync before an instant found staged. Returns the number of files.
pub(in crate::replica) fn delete_staged(conn: &Connection, before_ms: i64) -> Sql<usize> {
    conn.prepare_cached("DELETE FROM attachment WHERE state = 1 AND seen_ms < ?1")?
        .execute([before_ms])
}

/// Names of all files that rows have.
pub(in crate::replica) fn places(conn: &Connection) -> Sql<BTreeSet<Place>> {
    conn.prepare_cached(
        "SELECT file FROM attachment WHERE file IS NOT NULL
         UNION ALL SELECT file FROM attachment_part",
    )?
    .query_map([], |row| fixed(row, 0).map(Place))?
    .collect()
}

/// A file that the server does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) struct UndeliveredFile {
    pub(in crate::replica) place: Place,
    pub(in crate::replica) record: Option<RecordId>,
    pub(in crate::replica) id: Hash,
}

impl UndeliveredFile {
    pub(super) fn read(row: &Row<'_>) -> Sql<Self> {
        Ok(Self {
            place: Place(fixed(row, 0)?),
            record: fixed_or_none(row, 1)?.map(RecordId),
            id: Hash(fixed(row, 2)?),
        })
    }
}

/// The files that the server does not have.
pub(in crate::replica) fn undelivered(conn: &Connection) -> Sql<BTreeSet<UndeliveredFile>> {
    conn.prepare_cached("SELECT file, record, id FROM attachment WHERE state IN (1, 2)")?
        .query_map([], UndeliveredFile::read)?
        .collect()
}

/// Whether a row has this file, or another one for its name, or has given it up.
pub(in crate::replica) fn has(conn: &Connection, file: &UndeliveredFile) -> Sql<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM attachment WHERE file = ?1
           OR (record IS ?2 AND id = ?3 AND file IS NOT NULL)
         UNION ALL SELECT 1 FROM attachment_garbage WHERE file = ?1",
    )?
    .exists(params![
        file.place.0,
        bytes_of(file.record.as_ref()),
        file.id.as_bytes()
    ])
}

/// Makes place for a row that comes back: a row of the same name without a file goes.
pub(in crate::replica) fn make_place(conn: &Connection, file: &UndeliveredFile) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attachment WHERE record IS ?1 AND id = ?2 AND file IS NULL")?
        .execute(params![bytes_of(file.record.as_ref()), file.id.as_bytes()])
        .map(drop)
}

/// Names of files whose rows have given them up.
pub(in crate::replica) fn garbage(conn: &Connection) -> Sql<Vec<Place>> {
    conn.prepare_cached("SELECT file FROM attachment_garbage")?
        .query_map([], |row| fixed(row, 0).map(Place))?
        .collect()
}

/// The file is gone from the disk.
pub(in crate::replica) fn forget_garbage(conn: &Connection, place: Place) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attachment_garbage WHERE file = ?1")?
        .execute([place.0])
        .map(drop)
}

/// Counts the files that are still to be transferred.
pub(in crate::replica) fn left(conn: &Connection) -> Sql<FilesLeft> {
    conn.prepare_cached(
        "SELECT count(*) FILTER (WHERE state = 2), coalesce(sum(bytes) FILTER (WHERE state = 2), 0),
           count(*) FILTER (WHERE state <> 2),
           coalesce(sum(bytes - here - coalesce(length(tail), 0)) FILTER (WHERE state <> 2), 0)
         FROM attachment WHERE state IN (2, 5, 6) AND refusal IS NULL AND described IN (1, 2, 3)",
    )?
    .query_row([], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(FilesLeft {
            uploads: count(0)?,
            upload_bytes: count(1)?,
            downloads: count(2)?,
            download_bytes: count(3)?,
        })
    })
}

fn bytes_of(record: Option<&RecordId>) -> Option<&[u8]> {
    record.map(|record| record.as_bytes().as_slice())
}

fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn limit(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX)
}

fn coded<T>(row: &Row<'_>, column: usize, of: fn(u8) -> Option<T>) -> Sql<T> {
    of(row.get(column)?).ok_or_else(|| bad_value(column))
}

fn described(row: &Row<'_>, column: usize) -> Sql<Described> {
    match row.get::<_, u8>(column)? {
        0 => Ok(Described::No),
        1 => Ok(Described::Provisional),
        2 => Ok(Described::Held),
        3 => Ok(Described::Accepted),
        4 => Ok(Described::Void),
        _ => Err(bad_value(column)),
    }
}

fn to_name(row: &Row<'_>) -> Sql<FileName> {
    Ok(FileName {
        record: RecordId(fixed(row, 0)?),
        id: Hash(fixed(row, 1)?),
    })
}

/// Reads a row of [`INFO`] under the present generation.
fn to_info(conn: &Connection) -> Sql<impl Fn(&Row<'_>) -> Sql<AttachmentInfo> + use<>> {
    let generation = meta::generation(conn)?;
    Ok(move |row: &Row<'_>| info_of(row, generation))
}

fn info_of(row: &Row<'_>, generation: Option<u32>) -> Sql<AttachmentInfo> {
    let state = coded(row, 6, AttachmentState::from_code)?;
    let receipt: Option<u32> = row.get(10)?;
    let media = coded(row, 2, MediaType::from_code)?;
    let (a, b): (Option<u32>, Option<u32>) = (row.get(4)?, row.get(5)?);
    let is_photo = media == MediaType::Jpeg;
    Ok(AttachmentInfo {
        id: Hash(fixed(row, 0)?),
        record: fixed_or_none(row, 1)?.map(RecordId),
        media,
        bytes: row.get::<_, i64>(3)?.unsigned_abs(),
        width: a.filter(|_| is_photo),
        height: b.filter(|_| is_photo),
        duration_ms: a.filter(|_| !is_photo),
        state,
        is_confirmed: state == AttachmentState::Delivered
            && receipt.is_some()
            && receipt == generation,
        delivered_ms: row.get(7)?,
        refusal: row.get(8)?,
        has_thumbnail: row.get(9)?,
    })
}

fn to_file(row: &Row<'_>) -> Sql<FileRow> {
    let place = fixed_or_none(row, 9)?.map(Place);
    let key = fixed_or_none(row, 10)?.map(SealKey::from_bytes);
    let extent: (Option<u32>, Option<u32>) = (row.get(5)?, row.get(6)?);
    Ok(FileRow {
        no: row.get(0)?,
        id: Hash(fixed(row, 1)?),
        facts: Facts {
            media: coded(row, 2, MediaType::from_code)?,
            bytes: row.get::<_, i64>(3)?.unsigned_abs(),
            salt: fixed(row, 4)?,
            extent: extent.0.zip(extent.1),
            thumbnail: row.get(7)?,
        },
        state: coded(row, 8, AttachmentState::from_code)?,
        file: place.zip(key).map(|(place, key)| SealedFile { place, key }),
        here: row.get::<_, i64>(11)?.unsigned_abs(),
        tail: row.get::<_, Option<Vec<u8>>>(12)?.unwrap_or_default(),
        receipt: row.get(14)?,
    })
}
