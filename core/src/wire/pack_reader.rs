//! Reads packs from columns, trusting nothing. Its mirror is [`super::pack_writer`].

use minicbor::Decode;

use super::columns::{Column, ColumnError};
use super::intern::{Actor, read_actor};
use super::pack::{Pack, PackContent, PackEntry, PackError, PackEvent};
use super::pack_columns::{
    ACTORS, BLOBS, CLOCKS, CODES, COLUMNS, COUNTS, DATA, DOCUMENTS, EXTRAS, FACTS, FLAGS,
    HAS_EXTRAS, HAS_FOLD, HAS_PARENTS, HAS_SEQ, HAS_STATUS, IDS, IS, IS_CHANGE, IS_EVENT,
    IS_GENESIS, LENGTHS, LISTED, Last, NEW, ON_BEHALF, PARENTS, RAW_IDS, REFERS, REPLACES_ENTRY,
    REPLACES_OTHER, SAME, SAME_TIME, SEQS, STATUSES, STUBS, TIMES, WRITERS,
};
use super::pack_writer::{check, follows};
use super::status::status_of;
use super::verdict::{Status, Verdict};
use crate::domain::case::{GenesisFacts, OnBehalfOf};
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::{BODY_BYTES_MAX, PACK_ENTRIES_MAX, PACK_FACTS_BYTES_MAX, PARENTS_MAX};

/// The entry that this one replaces, the person on whose behalf it is, and the ids taken
/// out of its data, each with the number of bytes before it.
type Extras = (
    Option<EnvelopeId>,
    Option<OnBehalfOf>,
    Vec<(usize, EnvelopeId)>,
);

/// The columns of packs that are being read, one pack after the other.
pub(super) struct PackReader<'a> {
    columns: [Column<'a>; COLUMNS],
    named: &'a [(Hash, Option<DeviceId>)],
    blobs: Vec<&'a [u8]>,
    actors: Vec<Actor>,
    actor: Option<Actor>,
    last: Last,
}

impl<'a> PackReader<'a> {
    /// From the columns of a writer that knew the same certificates.
    pub(super) fn new(
        bytes: &'a [u8],
        named: &'a [(Hash, Option<DeviceId>)],
    ) -> Result<Self, PackError> {
        Ok(Self {
            columns: Column::split(bytes)?,
            named,
            blobs: Vec::new(),
            actors: Vec::new(),
            actor: None,
            last: Last::default(),
        })
    }

    /// The next pack.
    pub(super) fn pack(&mut self) -> Result<Pack, PackError> {
        let count = self.columns[COUNTS].count(PACK_ENTRIES_MAX)?;
        let home = parse(self.blob()?)?;
        let (kind, audience, team, source, named, linked) = parse(self.blob()?)?;
        let genesis = GenesisFacts {
            kind,
            home,
            audience,
            team,
            source,
            named,
            linked,
        };
        let len = self.columns[LENGTHS].len()?;
        let document = self.columns[DOCUMENTS].raw(len)?.to_vec();
        self.last.seqs.clear();
        let mut entries: Vec<PackEntry> = Vec::new();
        for _ in 0..count {
            let entry = self.entry(&entries)?;
            entries.push(entry);
        }
        let pack = Pack {
            genesis,
            document,
            entries,
        };
        check(&pack).map(|()| pack)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ColumnError> {
        self.columns.iter().try_for_each(Column::end)
    }

    fn blob(&mut self) -> Result<&'a [u8], ColumnError> {
        if let Some(index) = self.columns[FACTS].len()?.checked_sub(1) {
            return self.blobs.get(index).copied().ok_or(ColumnError);
        }
        let len = self.columns[LENGTHS].count(PACK_FACTS_BYTES_MAX)?;
        let blob = self.columns[BLOBS].raw(len)?;
        self.blobs.push(blob);
        Ok(blob)
    }

    fn entry(&mut self, before: &[PackEntry]) -> Result<PackEntry, PackError> {
        let flags = self.columns[FLAGS].byte()?;
        let content = self.content(flags, before)?;
        let id = EnvelopeId(self.columns[IDS].array()?);
        let index = before.len();
        let parents = self.parents(flags, index)?;
        let (author, certificate, grant) = self.actor()?;
        let clock_ms = self.columns[CLOCKS].delta(self.last.clock_base(index))?;
        self.last.note_clock(index, clock_ms);
        let mut status = Status::Accepted;
        if flags & HAS_STATUS != 0 {
            status = status_of(self.columns[STATUSES].uint()?).ok_or(PackError::Malformed)?;
            self.last.generation = self.columns[STATUSES].number()?;
        }
        if flags & SAME_TIME == 0 {
            self.last.time_ms = self.columns[TIMES].delta(clock_ms)?;
        }
        let verdict = Verdict {
            status,
            at_ms: self.last.time_ms,
            generation: self.last.generation,
        };
        Ok(PackEntry {
            id,
            parents,
            author,
            certificate,
            grant,
            clock_ms,
            verdict,
            content,
        })
    }

    fn parents(&mut self, flags: u8, index: usize) -> Result<Vec<u32>, PackError> {
        if flags & HAS_PARENTS == 0 {
            let before = index
                .checked_sub(1)
                .and_then(|before| u32::try_from(before).ok());
            return Ok(before.into_iter().collect());
        }
        let column = &mut self.columns[PARENTS];
        let mut parents = Vec::new();
        for _ in 0..column.count(PARENTS_MAX)? {
            let parent = index
                .checked_sub(column.len()?)
                .ok_or(PackError::Malformed)?;
            parents.push(u32::try_from(parent).map_err(|_| PackError::Malformed)?);
        }
        // Parents with a shorter spelling must use that spelling.
        if follows(index, &parents) {
            Err(PackError::Malformed)
        } else {
            Ok(parents)
        }
    }

    fn actor(&mut self) -> Result<Actor, PackError> {
        let actor = match self.columns[ACTORS].uint()? {
            SAME => self.actor.ok_or(PackError::Malformed)?,
            NEW => {
                let (low, high) = self.columns.split_at_mut(RAW_IDS);
                let actor = read_actor(&mut low[ACTORS], &mut high[0], self.named)?;
                self.actors.push(actor);
                actor
            }
            index => {
                let index = usize::try_from(index - LISTED).map_err(|_| PackError::Malformed)?;
                *self.actors.get(index).ok_or(PackError::Malformed)?
            }
        };
        self.actor = Some(actor);
        Ok(actor)
    }

    fn content(&mut self, flags: u8, before: &[PackEntry]) -> Result<PackContent, PackError> {
        Ok(match flags & IS {
            IS_GENESIS => {
                let actor = self.columns[WRITERS].number()?;
                self.last.note_seq(actor, 1);
                PackContent::Genesis { actor }
            }
            IS_CHANGE => {
                let actor = self.columns[WRITERS].number()?;
                let seq = if flags & HAS_SEQ == 0 {
                    self.last.seq(actor)
                } else {
                    self.columns[SEQS].uint()?
                };
                self.last.note_seq(actor, seq);
                let (replaces, on_behalf_of, refers) = self.extras(flags, before)?;
                if on_behalf_of.is_some() || !refers.is_empty() {
                    return Err(PackError::Malformed);
                }
                PackContent::Change {
                    actor,
                    seq,
                    replaces,
                }
            }
            IS_EVENT => {
                let code = self.columns[CODES].number()?;
                if flags & HAS_FOLD != 0 {
                    self.last.fold_version = self.columns[CODES].byte()?;
                }
                let len = self.columns[LENGTHS].len()?;
                let data = self.columns[DATA].raw(len)?;
                let (replaces, on_behalf_of, refers) = self.extras(flags, before)?;
                let data = with_ids(data, &refers)?;
                let fold_version = self.last.fold_version;
                PackContent::Event(PackEvent {
                    code,
                    fold_version,
                    data,
                    on_behalf_of,
                    replaces,
                })
            }
            _ => {
                let body_kind = self.columns[STUBS].byte()?;
                let change = match self.columns[STUBS].byte()? {
                    0 => None,
                    1 => Some(Hash(self.columns[RAW_IDS].array()?)),
                    _ => return Err(PackError::Malformed),
                };
                PackContent::Stub { body_kind, change }
            }
        })
    }

    fn extras(&mut self, flags: u8, before: &[PackEntry]) -> Result<Extras, PackError> {
        if flags & HAS_EXTRAS == 0 {
            return Ok((None, None, Vec::new()));
        }
        let extras = self.columns[EXTRAS].byte()?;
        let replaces = match extras & !(ON_BEHALF | REFERS) {
            0 => None,
            REPLACES_ENTRY => {
                let index = self.columns[EXTRAS].len()?;
                Some(before.get(index).ok_or(PackError::Malformed)?.id)
            }
            REPLACES_OTHER => Some(EnvelopeId(self.columns[RAW_IDS].array()?)),
            _ => return Err(PackError::Malformed),
        };
        let on_behalf_of = if extras & ON_BEHALF == 0 {
            None
        } else {
            let len = self.columns[EXTRAS].len()?;
            Some(parse(self.columns[EXTRAS].raw(len)?)?)
        };
        let mut refers = Vec::new();
        if extras & REFERS != 0 {
            for _ in 0..self.columns[EXTRAS].count(BODY_BYTES_MAX / EnvelopeId::LEN)? {
                let gap = self.columns[EXTRAS].len()?;
                let index = self.columns[EXTRAS].len()?;
                refers.push((gap, before.get(index).ok_or(PackError::Malformed)?.id));
            }
        }
        Ok((replaces, on_behalf_of, refers))
    }
}

/// Puts the ids back into the data that they were taken out of.
fn with_ids(data: &[u8], refers: &[(usize, EnvelopeId)]) -> Result<Vec<u8>, PackError> {
    let mut rest = Column::new(data);
    let mut whole = Vec::new();
    for (gap, id) in refers {
        whole.extend_from_slice(rest.raw(*gap)?);
        whole.extend_from_slice(&id.0);
    }
    whole.extend_from_slice(rest.rest());
    Ok(whole)
}

fn parse<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, PackError> {
    crate::cbor::canonical::check(bytes).map_err(|_| PackError::Malformed)?;
    minicbor::decode(bytes).map_err(|_| PackError::Malformed)
}
