//! The reading rights of one member now, for an export in that member's name.

use std::collections::{BTreeSet, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{Hash, MemberId, RecordId};

use crate::directory::heirs::with_former_areas;
use crate::directory::routing::{At, read_by};
use crate::error::{Problem, Result};
use crate::server::Server;
use crate::store::{Reader, StoreResult};

/// The member, and the streams that it may read.
pub(in crate::admin) struct Permit {
    pub(in crate::admin) member: MemberId,
    streams: BTreeSet<StreamId>,
}

/// The part of a record that a member may read.
pub(super) struct Shown {
    /// One of the member's streams that has it.
    pub(super) stream: StreamId,
    /// Certificates of the authors whom the member may know.
    pub(super) authors: HashSet<Hash>,
}

impl Permit {
    pub(in crate::admin) fn of(
        server: &Server,
        tx: &dyn Reader,
        member: MemberId,
        now_ms: i64,
    ) -> Result<Self> {
        let row = tx
            .member(member)?
            .ok_or_else(|| Problem::new("registry.unknown_member").with("member", member))?;
        if row.disabled_ms.is_some() {
            return Err(Problem::new("export.reader_disabled").with("member", member));
        }
        let view = server.shared.views.at(tx)?;
        let at = At {
            directory: &view.directory,
            now_ms,
        };
        let grants = with_former_areas(&row.grants, &view.directory.areas, now_ms);
        Ok(Self {
            member,
            streams: read_by(member, &grants, at),
        })
    }

    /// Whether the member may read a stream.
    pub(in crate::admin) fn reads(&self, stream: StreamId) -> bool {
        self.streams.contains(&stream)
    }

    /// The readable part of this record; `None` for a record of others. As in the feed, a member
    /// who is only dispatched does not learn the reporter.
    pub(super) fn shown(&self, tx: &dyn Reader, record: RecordId) -> StoreResult<Option<Shown>> {
        let mut shown: Option<Shown> = None;
        for stream in tx.record_streams(record)? {
            if self.streams.contains(&stream) {
                let known = shown.get_or_insert_with(|| Shown {
                    stream,
                    authors: HashSet::new(),
                });
                known.authors.extend(tx.shown(stream, record)?);
            }
        }
        Ok(shown)
    }
}
