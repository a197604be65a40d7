//! Lists of checklists: due near a place, overdue in one's own areas, planned for a day, about one subject, and
//! counts for each person. They read projections and load no record.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::projection::form_rows;
use super::super::projection::places::Page;
use super::super::reader::Reader;
use super::super::table::form_list::{self, DueFilter, FormItem, Found};
use super::super::table::record_list::Near;
use super::super::token::{PageToken, QueryMark};
use super::conflict::name_of;
use crate::domain::Scope;
use crate::domain::kinds::FormStanding;
use crate::id::{AreaId, MemberId, RecordId};
use crate::limits::{LIST_ROWS_MAX, NEAR_RADIUS_M_MAX};
use crate::texts::Lang;

/// The forms of one person in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormCounts {
    /// The person; `None` when withheld from this phone.
    pub member: Option<MemberId>,
    /// The name of the person, Chinese and English.
    pub name: (String, String),
    /// Planned in the period and not begun.
    pub planned: u64,
    /// Begun in the period and not ended.
    pub begun: u64,
    /// Done in the period.
    pub done: u64,
    /// Tried in vain in the period.
    pub in_vain: u64,
    /// Called off in the period.
    pub called_off: u64,
}

impl Reader {
    /// The due dates of checklists: near a place in the order of distance, else in the order of dates. A
    /// subject with an open form is due when that form is planned, and else when its last form says so.
    pub fn due_forms(
        &self,
        filter: &DueFilter,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<FormItem>, ReplicaError> {
        let too_far = |near: Near| near.radius_m > NEAR_RADIUS_M_MAX;
        if filter.near.is_some_and(too_far) {
            return Err(ReplicaError::BadInput);
        }
        // The clock advances while a person scrolls.
        let timeless = DueFilter {
            before_ms: i64::from(filter.before_ms != 0),
            ..filter.clone()
        };
        let mark = QueryMark::of("due", &timeless);
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let after = after.map(|token| token.place(mark)).transpose()?;
        let areas = self.own_areas();
        self.at_once(|conn| {
            let found = match &filter.near {
                None => form_list::due(conn, filter, &areas, after, rows_max + 1)?,
                Some(near) => {
                    let is_next = |one: &Found| {
                        let at = (one.place.value, one.place.no);
                        after.is_none_or(|after| at > (after.value, after.no))
                    };
                    near_in_rings(near.radius_m, rows_max, |radius_m| {
                        let near = Near { radius_m, ..*near };
                        let mut found = form_list::due_near(conn, filter, &near, &areas)?;
                        found.retain(is_next);
                        Ok(found)
                    })?
                }
            };
            page_of(conn, mark, found, rows_max)
        })
    }

    /// The forms that are planned from one instant on and before another (ms UTC), in the order of their
    /// times; with a person those alone that this person planned.
    pub fn planned_forms(
        &self,
        span_ms: (i64, i64),
        member: Option<MemberId>,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<FormItem>, ReplicaError> {
        let mark = QueryMark::of("planned", &(span_ms.0, span_ms.1, member));
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let after = after.map(|token| token.place(mark)).transpose()?;
        self.at_once(|conn| {
            let found = form_list::planned(conn, span_ms, member, after, rows_max + 1)?;
            page_of(conn, mark, found, rows_max)
        })
    }

    /// The forms about one subject, the newest first. `record` is the subject or one of its forms. A subject
    /// that was merged into another one shares its forms.
    pub fn forms_about(
        &self,
        record: RecordId,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<FormItem>, ReplicaError> {
        let mark = QueryMark::of("about", &record);
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let after = after.map(|token| token.place(mark)).transpose()?;
        self.at_once(|conn| {
            let place = match form_rows::row_of(conn, record)? {
                Some(form) => form.place,
                None => form_rows::surviving(conn, record)?.0,
            };
            let found = form_list::of_place(conn, &place, after, rows_max + 1)?;
            page_of(conn, mark, found, rows_max)
        })
    }

    /// The number of forms by person, from one instant on and before another (ms UTC).
    pub fn form_counts(&self, span_ms: (i64, i64)) -> Result<Vec<FormCounts>, ReplicaError> {
        let conn = self.conn()?;
        let mut people: Vec<FormCounts> = Vec::new();
        for (member, standing, count) in form_list::counts(conn, span_ms)? {
            if people.last().is_none_or(|last| last.member != member) {
                people.push(FormCounts {
                    member,
                    name: (
                        name_of(conn, member, Lang::Zh)?,
                        name_of(conn, member, Lang::En)?,
                    ),
                    planned: 0,
                    begun: 0,
                    done: 0,
                    in_vain: 0,
                    called_off: 0,
                });
            }
            let Some(person) = people.last_mut() else {
                continue;
            };
            *match standing {
                FormStanding::Planned => &mut person.planned,
                FormStanding::Begun => &mut person.begun,
                FormStanding::Done => &mut person.done,
                FormStanding::InVain => &mut person.in_vain,
                FormStanding::CalledOff => &mut person.called_off,
            } = count;
        }
        Ok(people)
    }

    /// The areas of the person's own roles.
    fn own_areas(&self) -> Vec<AreaId> {
        let grants = self.certificate().map(|own| own.facts().grants.as_slice());
        let areas = grants.unwrap_or_default().iter();
        let mut areas: Vec<AreaId> = areas
            .filter_map(|grant| match &grant.scope {
                Scope::Area(path) => Some(path.leaf()),
                Scope::Zone { .. } | Scope::Unit(_) => None,
            })
            .collect();
        areas.sort_unstable();
        areas.dedup();
        areas
    }
}

/// Reads a page in the state of the file that the rows were found in, because a commit meanwhile may remove one.
/// Looks in a small circle first, because a full page of near forms needs no look at the far ones. A smaller
/// circle counts without its last metres, which distances are rounded by.
fn near_in_rings(
    radius_m: u32,
    rows_max: usize,
    mut within: impl FnMut(u32) -> Result<Vec<Found>, ReplicaError>,
) -> Result<Vec<Found>, ReplicaError> {
    const ROUNDED_M: u32 = 2;
    for part in [8, 4, 2] {
        let ring_m = radius_m / part;
        let mut found = within(ring_m)?;
        found.retain(|one| {
            one.distance_m
                .is_some_and(|metres| metres + ROUNDED_M <= ring_m)
        });
        if found.len() > rows_max {
            return Ok(found);
        }
    }
    within(radius_m)
}

fn page_of(
    conn: &Connection,
    mark: QueryMark,
    mut found: Vec<Found>,
    rows_max: usize,
) -> Result<Page<FormItem>, ReplicaError> {
    let more = found.len() > rows_max;
    found.truncate(rows_max);
    let last = found.last().filter(|_| more);
    Ok(Page {
        next: last.map(|last| PageToken::of(mark, last.place)),
        items: form_list::items(conn, &found)?,
    })
}
