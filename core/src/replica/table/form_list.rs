//! Lists over `form` and `form_due`. A list first finds the numbers of its rows, and then reads the rows of
//! one page.

use minicbor::Encode;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::token::Place;
use super::form::{self, FORM_COLUMNS, FormRow};
use super::record::{self, LIST_COLUMNS, RecordRow};
use super::record_list::Near;
use super::{Sql, fixed_or_none};
use crate::domain::kinds::FormStanding;
use crate::domain::point::GeoPoint;
use crate::id::{AreaId, MemberId};

/// The due dates to list. Every filter that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
#[cbor(array)]
pub struct DueFilter {
    /// Due before this instant, ms UTC; 0 lists all due dates.
    #[n(0)]
    pub before_ms: i64,
    /// The subject is near a place. Then the list is in the order of distance, and without it in the order of
    /// due dates.
    #[n(1)]
    pub near: Option<Near>,
    /// In an area of the person's own roles.
    #[n(2)]
    pub in_my_areas: bool,
    /// In this area, or in one below it.
    #[n(3)]
    pub area: Option<AreaId>,
    /// The id of a template.
    #[n(4)]
    pub template: Option<String>,
}

/// A checklist in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormItem {
    /// The row of the record.
    pub row: RecordRow,
    /// The checklist.
    pub form: FormRow,
    /// When it is due, ms UTC: the planned time of an open form, else the date that the last form set. Only
    /// lists of due dates have it.
    pub due_ms: Option<i64>,
    /// Name and address of the subject, from its record where this phone may read it, else from the form.
    pub subject: (String, String),
    /// Latitude and longitude of the form, else of its subject, 1e-7 degrees WGS-84.
    pub at: Option<(i32, i32)>,
    /// Distance in metres; only in a list near a place.
    pub distance_m: Option<u32>,
}

/// A row of a list before it is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Found {
    pub(in crate::replica) place: Place,
    pub(in crate::replica) due_ms: Option<i64>,
    pub(in crate::replica) distance_m: Option<u32>,
}

/// A count of forms of one person.
pub(in crate::replica) type Count = (Option<MemberId>, FormStanding, u64);

struct Query {
    condition: String,
    values: Vec<Value>,
}

impl Query {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Both the filters of the due dates, over `d`, `record` and the areas.
    fn of(filter: &DueFilter, my_areas: &[AreaId]) -> Self {
        let mut query = Self {
            condition: "1".to_owned(),
            values: Vec::new(),
        };
        if filter.before_ms != 0 {
            let before = query.bind(filter.before_ms);
            query.condition.extend([" AND d.due_ms < ", &before]);
        }
        if let Some(template) = &filter.template {
            let template = query.bind(template.clone());
            query.condition.extend([" AND d.template = ", &template]);
        }
        if let Some(area) = filter.area {
            query.in_areas(&[area]);
        }
        if filter.in_my_areas {
            query.in_areas(my_areas);
        }
        query
    }

    fn in_areas(&mut self, areas: &[AreaId]) {
        let areas: Vec<String> = areas
            .iter()
            .map(|area| self.bind(area.as_bytes().to_vec()))
            .collect();
        self.condition.extend([
            " AND EXISTS (SELECT 1 FROM record_area AS a WHERE a.area IN (",
            &areas.join(", "),
            ") AND a.updated_ms = record.updated_ms AND a.record = record.no)",
        ]);
    }
}

/// The due dates in their order, after a place in it.
pub(in crate::replica) fn due(
    conn: &Connection,
    filter: &DueFilter,
    my_areas: &[AreaId],
    after: Option<Place>,
    rows_max: usize,
) -> Sql<Vec<Found>> {
    let mut query = Query::of(filter, my_areas);
    if let Some(place) = after {
        let (value, no) = (query.bind(place.value), query.bind(place.no));
        let bound = [" AND (d.due_ms, d.record) > (", &value, ", ", &no, ")"];
        query.condition.extend(bound);
    }
    let limit = query.bind(i64::try_from(rows_max).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT d.record, d.due_ms FROM form_due AS d INDEXED BY form_due_in_time
           CROSS JOIN record ON record.no = d.record
         WHERE {} ORDER BY d.due_ms, d.record LIMIT {limit}",
        query.condition
    );
    conn.prepare_cached(&sql)?
        .query_map(params_from_iter(query.values), |row| {
            let (no, due_ms) = (row.get(0)?, row.get(1)?);
            Ok(Found {
                place: Place { value: due_ms, no },
                due_ms: Some(due_ms),
                distance_m: None,
            })
        })?
        .collect()
}

/// All due dates near a place, the nearest first, at equal distance the earliest. A form without a position
/// of its own is where its subject is.
pub(in crate::replica) fn due_near(
    conn: &Connection,
    filter: &DueFilter,
    near: &Near,
    my_areas: &[AreaId],
) -> Sql<Vec<Found>> {
    let Ok(centre) = GeoPoint::new(near.lat_e7, near.lon_e7) else {
        return Ok(Vec::new());
    };
    let around = centre.around(near.radius_m);
    let mut query = Query::of(filter, my_areas);
    let edges = [
        around.min.lat_e7(),
        around.max.lat_e7(),
        around.min.lon_e7(),
        around.max.lon_e7(),
    ]
    .map(|edge| query.bind(i64::from(edge)));
    let [south, north, west, east] = edges;
    let sql = format!(
        "WITH near (no) AS MATERIALIZED (
           SELECT no FROM record_map
           WHERE lat_min BETWEEN {south} AND {north} AND lon_min BETWEEN {west} AND {east}),
         candidate (place, template) AS (
           SELECT own.place, own.template FROM near CROSS JOIN form_due AS own ON own.record = near.no
           UNION
           SELECT here.place, here.template FROM near CROSS JOIN record AS r ON r.no = near.no
             CROSS JOIN form_due AS here ON here.place = r.id)
         SELECT d.record, d.due_ms, coalesce(record.lat_e7, s.lat_e7),
           coalesce(record.lon_e7, s.lon_e7)
         FROM candidate AS c
           CROSS JOIN form_due AS d ON d.place = c.place AND d.template = c.template
           CROSS JOIN record ON record.no = d.record
           LEFT JOIN record AS s ON s.id = d.place
         WHERE {}",
        query.condition
    );
    let found: Vec<Found> = conn
        .prepare_cached(&sql)?
        .query_map(params_from_iter(query.values), |row| {
            let (lat, lon): (Option<i32>, Option<i32>) = (row.get(2)?, row.get(3)?);
            let due_ms = row.get(1)?;
            let distance_m = lat.zip(lon).map(|at| near.distance_m(at));
            let value = order(distance_m.unwrap_or(u32::MAX), due_ms);
            Ok(Found {
                place: Place {
                    value,
                    no: row.get(0)?,
                },
                due_ms: Some(due_ms),
                distance_m,
            })
        })?
        .collect::<Sql<_>>()?;
    let within = |found: &Found| {
        found
            .distance_m
            .is_some_and(|metres| metres <= near.radius_m)
    };
    let mut found: Vec<Found> = found.into_iter().filter(within).collect();
    found.sort_unstable_by_key(|found| (found.place.value, found.place.no));
    Ok(found)
}

/// Distance, then due date, as one number.
fn order(distance_m: u32, due_ms: i64) -> i64 {
    const DUE_BITS: u32 = 42;
    let due_ms = due_ms.clamp(0, (1 << DUE_BITS) - 1);
    i64::from(distance_m.min(1 << 20)) << DUE_BITS | due_ms
}

/// The forms that are planned from one instant on and before another, in this order.
pub(in crate::replica) fn planned(
    conn: &Connection,
    (from_ms, to_ms): (i64, i64),
    member: Option<MemberId>,
    after: Option<Place>,
    rows_max: usize,
) -> Sql<Vec<Found>> {
    let after = after.unwrap_or(Place {
        value: i64::MIN,
        no: 0,
    });
    conn.prepare_cached(
        "SELECT record, planned_ms FROM form INDEXED BY form_planned
         WHERE standing = 1 AND planned_ms >= ?1 AND planned_ms < ?2 AND (planned_ms, record) > (?3, ?4)
           AND (?5 IS NULL OR member = ?5)
         ORDER BY planned_ms, record LIMIT ?6",
    )?
    .query_map(
        (
            from_ms,
            to_ms,
            after.value,
            after.no,
            member.map(|id| id.0),
            i64::try_from(rows_max).unwrap_or(i64::MAX),
        ),
        found,
    )?
    .collect()
}

/// The forms about one subject, the newest first.
pub(in crate::replica) fn of_place(
    conn: &Connection,
    place: &[u8; 16],
    after: Option<Place>,
    rows_max: usize,
) -> Sql<Vec<Found>> {
    let after = after.unwrap_or(Place {
        value: i64::MAX,
        no: i64::MAX,
    });
    conn.prepare_cached(
        "SELECT record, at_ms FROM form WHERE place = ?1 AND (at_ms, record) < (?2, ?3)
         ORDER BY at_ms DESC, record DESC LIMIT ?4",
    )?
    .query_map(
        (
            place,
            after.value,
            after.no,
            i64::try_from(rows_max).unwrap_or(i64::MAX),
        ),
        found,
    )?
    .collect()
}

/// The number of forms by person and standing whose time is from one instant on and before another.
pub(in crate::replica) fn counts(
    conn: &Connection,
    (since_ms, until_ms): (i64, i64),
) -> Sql<Vec<Count>> {
    conn.prepare_cached(
        "SELECT member, standing, count(*) FROM form WHERE at_ms >= ?1 AND at_ms < ?2
         GROUP BY member, standing ORDER BY member, standing",
    )?
    .query_map((since_ms, until_ms), |row| {
        let standing = FormStanding::from_code(row.get(1)?);
        Ok((
            fixed_or_none(row, 0)?.map(MemberId),
            standing.ok_or_else(|| super::bad_value(1))?,
            row.get::<_, i64>(2)?.unsigned_abs(),
        ))
    })?
    .collect()
}

/// Reads the rows of a page.
pub(in crate::replica) fn items(conn: &Connection, page: &[Found]) -> Sql<Vec<FormItem>> {
    let sql = format!(
        "SELECT {}, {}, s.title, s.address, s.lat_e7, s.lon_e7 FROM record
           CROSS JOIN form ON form.record = record.no LEFT JOIN record AS s ON s.id = form.place
         WHERE record.no = ?1",
        record::COLUMNS,
        form::COLUMNS
    );
    let mut one = conn.prepare_cached(&sql)?;
    let mut items = Vec::with_capacity(page.len());
    for found in page {
        let item = one.query_row([found.place.no], |row| {
            let shown = record::read(row)?;
            let after = LIST_COLUMNS + FORM_COLUMNS;
            let title: Option<String> = row.get(after)?;
            let address: Option<String> = row.get(after + 1)?;
            let lat: Option<i32> = row.get(after + 2)?;
            let lon: Option<i32> = row.get(after + 3)?;
            Ok(FormItem {
                form: form::read(row, LIST_COLUMNS)?,
                due_ms: found.due_ms,
                subject: (
                    title.unwrap_or_else(|| shown.title.clone()),
                    address.unwrap_or_else(|| shown.address.clone()),
                ),
                at: shown.at.or(lat.zip(lon)),
                distance_m: found.distance_m,
                row: shown,
            })
        })?;
        items.push(item);
    }
    Ok(items)
}

fn found(row: &rusqlite::Row<'_>) -> Sql<Found> {
    Ok(Found {
        place: Place {
            value: row.get(1)?,
            no: row.get(0)?,
        },
        due_ms: None,
        distance_m: None,
    })
}
