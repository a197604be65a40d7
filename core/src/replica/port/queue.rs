//! The order of the outbox. The work of this phone goes before the work that it carries for others, because
//! another phone could bring more than a bad line ever delivers.

use std::collections::{HashMap, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::envelope;
use crate::dag::{Dag, descendants, places};
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::wire::envelope::Header;

/// Rows that are read from the outbox at a time.
const ROWS: usize = 256;

/// An envelope of the outbox, without its content.
pub(super) struct Queued {
    pub(super) id: EnvelopeId,
    pub(super) record: RecordId,
    pub(super) certificate: Hash,
    pub(super) is_own: bool,
    pub(super) is_carried: bool,
    pub(super) bytes: usize,
    parents: Vec<EnvelopeId>,
}

/// The whole outbox, in the order of writing.
pub(super) struct Queue {
    pub(super) items: Vec<Queued>,
    /// The envelopes of the outbox that each builds on.
    dag: Dag,
}

impl Replica {
    pub(super) fn queue(&self) -> Result<Queue, ReplicaError> {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let rows = envelope::unjudged_headers(self.conn()?, after, ROWS)?;
            let Some(last) = rows.last() else { break };
            after = last.no;
            for row in rows {
                let header: Header =
                    minicbor::decode(&row.header).map_err(|_| ReplicaError::Inconsistent)?;
                items.push(Queued {
                    id: row.id,
                    record: row.record,
                    certificate: header.certificate,
                    is_own: row.origin == envelope::Origin::Own,
                    is_carried: row.carried,
                    bytes: row.bytes,
                    parents: header.parents,
                });
            }
        }
        Ok(Queue::of(items))
    }
}

impl Queue {
    fn of(items: Vec<Queued>) -> Self {
        let place_of: HashMap<EnvelopeId, usize> = places(items.iter().map(|item| item.id));
        let mut dag = Dag::with_capacity(items.len());
        for item in &items {
            let here = item.parents.iter().filter_map(|id| place_of.get(id));
            dag.push(here.map(|place| Some(*place)));
        }
        Self { items, dag }
    }

    /// The envelopes of the outbox that one builds on directly.
    pub(super) fn parents(&self, place: usize) -> &[usize] {
        self.dag.parents(place)
    }

    /// All places, parents first, as near to the order of writing as that allows.
    pub(super) fn by_place(&self) -> Vec<usize> {
        self.dag.by_place()
    }

    /// All places, parents first: own work that builds on no undelivered work of others, then the other own work
    /// with everything that it builds on, then the rest.
    pub(super) fn own_first(&self) -> Vec<usize> {
        let mut order = self.by_place();
        let mut builds_on_others = vec![false; self.items.len()];
        for &place in &order {
            let parents = self.parents(place);
            builds_on_others[place] =
                !self.items[place].is_own || parents.iter().any(|&parent| builds_on_others[parent]);
        }
        let turn = |place: usize| match (self.items[place].is_own, builds_on_others[place]) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        };
        let mut turns: Vec<u8> = (0..self.items.len()).map(turn).collect();
        for &place in order.iter().rev() {
            for &parent in self.parents(place) {
                turns[parent] = turns[parent].min(turns[place]);
            }
        }
        order.sort_by_key(|&place| turns[place]);
        order
    }

    /// Returns the envelopes, and all of the outbox that builds on them.
    pub(super) fn with_descendants(
        &self,
        of: impl IntoIterator<Item = EnvelopeId>,
    ) -> HashSet<EnvelopeId> {
        let links = self.items.iter().flat_map(|item| {
            let parents = item.parents.iter();
            parents.map(|parent| (*parent, item.id))
        });
        descendants(of, links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: &[(u8, bool, &[u8])]) -> Queue {
        let items = items.iter().map(|(id, is_own, parents)| Queued {
            id: EnvelopeId([*id; 16]),
            record: RecordId([0; 16]),
            certificate: Hash([0; 32]),
            is_own: *is_own,
            is_carried: false,
            bytes: 1,
            parents: parents.iter().map(|id| EnvelopeId([*id; 16])).collect(),
        });
        Queue::of(items.collect())
    }

    #[test]
    fn own_work_goes_first_with_its_past() {
        let queue = queue(&[
            (1, false, &[]),
            (2, false, &[9]),
            (3, true, &[1]),
            (4, true, &[9]),
            (5, false, &[4]),
            (6, true, &[3, 4]),
            // A child that arrived before its parent.
            (7, true, &[8]),
            (8, false, &[]),
        ]);
        let order = queue.own_first();
        let ids: Vec<u8> = order.iter().map(|&at| queue.items[at].id.0[0]).collect();
        assert_eq!(ids, [4, 1, 3, 6, 8, 7, 2, 5]);
    }
}
