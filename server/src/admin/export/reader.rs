//! What one member may read now, for an export in that member's name.

use std::collections::{BTreeSet, HashSet};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{Hash, MemberId, RecordId};

use crate::error::{Problem, Result};
use crate::feed::routing::{At, read_by};
use crate::server::Server;
use crate::store::{Reader, StoreResult};

/// The streams of a member.
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
        let view = server.views.at(tx)?;
        let at = At {
            directory: &view.directory,
            now_ms,
        };
        Ok(Self(read_by(member, &row.grants, at)))
    }

    /// The certificates of authors whom the member may know in this record, as in the feed: who is only
    /// dispatched does not learn who reported. `None` where the record itself is not the member's to read.
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
