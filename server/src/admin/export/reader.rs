//! The reading rights of one member now, for an export in that member's name.

use std::collections::{BTreeSet, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{Hash, MemberId, RecordId};

use crate::directory::routing::{At, read_by};
use crate::error::{Problem, Result};
use crate::server::Server;
use crate::store::{Reader, StoreResult};

/// Streams that the member may read.
pub(super) struct Permit(BTreeSet<StreamId>);

impl Permit {
    pub(super) fn of(
        server: &Server,
        tx: &dyn Reader,
        member: MemberId,
        now_ms: i64,
    ) -> Result<Self> {
        let row = tx
            .member(member)?
            .ok_or_else(|| Problem::new("registry.unknown_member").with("member", member))?;
        let view = server.shared.views.at(tx)?;
        let at = At {
            directory: &view.directory,
            now_ms,
        };
        Ok(Self(read_by(member, &row.grants, at)))
    }

    /// Certificates of the authors whom the member may know in this record; `None` if the member may not
    /// read the record. As in the feed, a member who is only dispatched does not learn the reporter.
    pub(super) fn shown(
        &self,
        tx: &dyn Reader,
        record: RecordId,
    ) -> StoreResult<Option<HashSet<Hash>>> {
        let mut shown = None;
        for stream in tx.record_streams(record)? {
            if self.0.contains(&stream) {
                let known: &mut HashSet<Hash> = shown.get_or_insert_default();
                known.extend(tx.shown(stream, record)?);
            }
        }
        Ok(shown)
    }
}
