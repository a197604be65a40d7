//! What the passing of time brings: cases that are overdue.

use std::collections::BTreeSet;

use onegrid_core::id::RecordId;

use super::automatic;
use super::plan::Plan;
use crate::error::Result;
use crate::limits::DUE_PER_TICK_MAX;
use crate::server::Server;

impl Server {
    /// Looks at cases whose deadline has passed, at most [`DUE_PER_TICK_MAX`]; gives how many moves were
    /// made. To be called again and again with the time.
    pub fn tick(&self, now_ms: i64) -> Result<usize> {
        self.cut_revoked()?;
        let due = self
            .store
            .read(|tx| tx.records_due(now_ms, DUE_PER_TICK_MAX))?;
        let mut made = 0;
        for id in due {
            made += self.look_again(id, now_ms)?;
        }
        Ok(made)
    }

    fn look_again(&self, id: RecordId, now_ms: i64) -> Result<usize> {
        let locked = self.records.lock(BTreeSet::from([id]));
        let ground = self.store.read(|tx| self.bare_ground(tx))?;
        let (mut record, before) = self.open_record(id)?;
        let fresh = automatic::moves(self, &mut record, &ground, now_ms)?;
        let made = fresh.len();
        let view = self.project(&record, &ground, now_ms);
        let plan = Plan {
            fresh,
            view,
            ..Plan::of(record, before)
        };
        // Should the ground have shifted, the next tick finds the record due again.
        let committed = self.commit(vec![plan], &ground, now_ms)?;
        drop(locked);
        if let Some(committed) = committed {
            self.wakeups.notify(&committed.touched);
        }
        Ok(made)
    }
}
