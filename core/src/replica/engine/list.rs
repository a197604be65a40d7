//! Lists, counts, map and search: reads of projections, no record is loaded.

use super::super::error::ReplicaError;
use super::super::search;
use super::super::table::record::{self, RecordRow};
use super::super::table::record_list::{self, Filter, ListPage, PageKey};
use super::super::table::record_map::{self, MapPoint, MapWindow};
use super::super::table::{envelope, record_search};
use super::Replica;
use crate::id::RecordId;
use crate::limits::{LIST_ROWS_MAX, MAP_POINTS_MAX};

impl Replica {
    /// A page of records, newest change first; at most 200 rows.
    pub fn list(
        &self,
        filter: &Filter,
        after: Option<PageKey>,
        rows_max: usize,
    ) -> Result<ListPage, ReplicaError> {
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        Ok(record_list::page(&self.conn, filter, after, rows_max)?)
    }

    /// How many records pass a filter.
    pub fn count(&self, filter: &Filter) -> Result<u64, ReplicaError> {
        Ok(record_list::count(&self.conn, filter)?)
    }

    /// How many records pass a filter, by stable code of their stage.
    pub fn count_by_stage(&self, filter: &Filter) -> Result<Vec<(u8, u64)>, ReplicaError> {
        Ok(record_list::count_by_stage(&self.conn, filter)?)
    }

    /// The records inside a window of the map, at most 5,000.
    pub fn map(&self, window: &MapWindow) -> Result<Vec<MapPoint>, ReplicaError> {
        Ok(record_map::window(&self.conn, window, MAP_POINTS_MAX)?)
    }

    /// Records with all the words, newest change first; at most 200. Chinese words of any length, English
    /// words by their beginning.
    pub fn search(&self, typed: &str, rows_max: usize) -> Result<Vec<RecordRow>, ReplicaError> {
        let Some(expression) = search::query(typed) else {
            return Ok(Vec::new());
        };
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        Ok(record_search::find(&self.conn, &expression, rows_max)?)
    }

    /// The row of one record.
    pub fn row(&self, record: RecordId) -> Result<Option<RecordRow>, ReplicaError> {
        Ok(record::get(&self.conn, record)?)
    }

    /// Every row in the order of ids: for comparing replicas.
    pub fn rows(&self) -> Result<Vec<RecordRow>, ReplicaError> {
        Ok(record::all(&self.conn)?)
    }

    /// Envelopes here that no server has judged: this phone's own and those of others that it carries.
    pub fn undelivered(&self) -> Result<u64, ReplicaError> {
        Ok(envelope::count_unjudged(&self.conn)?)
    }
}
