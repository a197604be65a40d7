//! Lists, counts, map and search. They read projections and load no record.

use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::search;
use super::super::table::envelope;
use super::super::table::record::{self, RecordRow};
use super::super::table::record_assignment::party_key;
use super::super::table::record_list::{self, Assigned, Filter, ListOrder, Selection};
use super::super::table::record_map::{self, MapPage, MapWindow};
use super::super::token::{PageToken, QueryMark};
use crate::domain::case::Party;
use crate::id::RecordId;
use crate::limits::{FILTER_CODES_MAX, LIST_ROWS_MAX, MAP_POINTS_MAX, NEAR_RADIUS_M_MAX};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The rows, in the order of the filter.
    pub rows: Vec<RecordRow>,
    /// Where the next page begins; absent at the end.
    pub next: Option<PageToken>,
}

impl ListPage {
    const EMPTY: Self = Self {
        rows: Vec::new(),
        next: None,
    };
}

impl Reader {
    /// A page of records in the order of the filter; at most 200 rows.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<ListPage, ReplicaError> {
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let mark = mark(filter);
        let after = after.map(|token| token.place(mark)).transpose()?;
        let page = self.select(filter, |selection| {
            let found = record_list::page(self.conn()?, selection, after, rows_max)?;
            let (rows, next) = found;
            let next = next.map(|place| PageToken::of(mark, place));
            Ok(ListPage { rows, next })
        })?;
        Ok(page.unwrap_or(ListPage::EMPTY))
    }

    /// How many records pass a filter.
    pub fn count(&self, filter: &Filter) -> Result<u64, ReplicaError> {
        let count = self.select(filter, |selection| {
            Ok(record_list::count(self.conn()?, selection)?)
        })?;
        Ok(count.unwrap_or(0))
    }

    /// The number of records that pass a filter, by stable code of their stage.
    pub fn count_by_stage(&self, filter: &Filter) -> Result<Vec<(u8, u64)>, ReplicaError> {
        let counts = self.select(filter, |selection| {
            Ok(record_list::count_by_stage(self.conn()?, selection)?)
        })?;
        Ok(counts.unwrap_or_default())
    }

    /// The records inside a window of the map, at most 5,000; where there are more, a part of them from all
    /// over the window.
    pub fn map(&self, window: &MapWindow) -> Result<MapPage, ReplicaError> {
        Ok(record_map::window(self.conn()?, window, MAP_POINTS_MAX)?)
    }

    /// Records with all the words, newest change first; at most 200. Chinese words of any length, English
    /// words by their beginning.
    pub fn search(
        &self,
        typed: &str,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<ListPage, ReplicaError> {
        let filter = Filter {
            words: Some(typed.to_owned()),
            ..Filter::default()
        };
        self.list(&filter, after, rows_max)
    }

    /// Open assignments of the person and its units whose deadline has passed or comes within this time, the
    /// earliest first; at most 200.
    pub fn due(
        &self,
        now_ms: i64,
        within_ms: i64,
        rows_max: usize,
    ) -> Result<Vec<RecordRow>, ReplicaError> {
        let filter = Filter {
            assigned: Some(Assigned::MeOrMyUnits),
            due_before_ms: Some(now_ms.saturating_add(within_ms.max(0)).saturating_add(1)),
            order: ListOrder::Due,
            ..Filter::default()
        };
        Ok(self.list(&filter, None, rows_max)?.rows)
    }

    /// The row of one record.
    pub fn row(&self, record: RecordId) -> Result<Option<RecordRow>, ReplicaError> {
        Ok(record::get(self.conn()?, record)?)
    }

    /// Every row in the order of ids, for comparing replicas.
    pub fn rows(&self) -> Result<Vec<RecordRow>, ReplicaError> {
        Ok(record::all(self.conn()?)?)
    }

    /// The number of envelopes here that no server has judged: this phone's own, and those that it carries
    /// for others.
    pub fn undelivered(&self) -> Result<u64, ReplicaError> {
        Ok(envelope::count_unjudged(self.conn()?)?)
    }

    /// Asks with a checked filter; `None` where no record can pass it.
    fn select<T>(
        &self,
        filter: &Filter,
        ask: impl FnOnce(&Selection<'_>) -> Result<T, ReplicaError>,
    ) -> Result<Option<T>, ReplicaError> {
        check(filter)?;
        let parties = self.own_parties(filter.assigned);
        if filter.assigned.is_some() && parties.is_empty() {
            return Ok(None);
        }
        let words = filter.words.as_deref().map(search::query);
        if words == Some(None) {
            return Ok(None);
        }
        ask(&Selection {
            filter,
            parties: &parties,
            words: words.flatten().as_deref(),
        })
        .map(Some)
    }

    fn own_parties(&self, assigned: Option<Assigned>) -> Vec<[u8; 17]> {
        let (me, units) = match assigned {
            None => (false, false),
            Some(Assigned::Me) => (true, false),
            Some(Assigned::MyUnits) => (false, true),
            Some(Assigned::MeOrMyUnits) => (true, true),
        };
        let member = self.own_member().filter(|_| me).map(Party::Member);
        let grants = self.certificate().map(|own| own.facts().grants.as_slice());
        let units = grants
            .unwrap_or_default()
            .iter()
            .filter_map(|grant| grant.scope.unit())
            .filter(|_| units)
            .map(Party::Unit);
        let mut parties: Vec<_> = member
            .into_iter()
            .chain(units)
            .map(|p| party_key(&p))
            .collect();
        parties.sort_unstable();
        parties.dedup();
        parties
    }
}

fn check(filter: &Filter) -> Result<(), ReplicaError> {
    let codes = filter.kinds.len().max(filter.stages.len());
    let too_far = filter
        .near
        .is_some_and(|near| near.radius_m > NEAR_RADIUS_M_MAX);
    let nowhere = filter.order == ListOrder::Distance && filter.near.is_none();
    if codes > FILTER_CODES_MAX || too_far || nowhere {
        return Err(ReplicaError::BadInput);
    }
    Ok(())
}

/// Names the query that a page token belongs to. The clock advances while a person scrolls, so the instants
/// of deadlines are left out.
pub(in crate::replica) fn mark(filter: &Filter) -> QueryMark {
    let timeless = Filter {
        due_before_ms: filter.due_before_ms.map(|_| 0),
        overdue_at_ms: filter.overdue_at_ms.map(|_| 0),
        ..filter.clone()
    };
    QueryMark::of("records", &timeless)
}
