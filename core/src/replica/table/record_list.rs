//! Lists and counts over `record`: filters become conditions with bound values, pages go by key.
//!
//! The table that narrows the most drives the query, and `CROSS JOIN` keeps the planner from turning that
//! around: words by the search index, a place by the R*Tree, own work by the assignments, an area by its
//! list.

use minicbor::Encode;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::token::Place;
use super::Sql;
use super::record::{COLUMNS, LIST_COLUMNS, RecordRow, due, read};
use crate::domain::point::GeoPoint;
use crate::id::AreaId;

/// The parties of open assignments, as a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode)]
#[cbor(index_only)]
pub enum Assigned {
    /// Of the person.
    #[n(1)]
    Me,
    /// Of a unit of the person's grants.
    #[n(2)]
    MyUnits,
    /// Of either.
    #[n(3)]
    MeOrMyUnits,
}

/// A place and a distance from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode)]
#[cbor(array)]
pub struct Near {
    /// Latitude, 1e-7 degrees WGS-84.
    #[n(0)]
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees WGS-84.
    #[n(1)]
    pub lon_e7: i32,
    /// Distance in metres, at most [`crate::limits::NEAR_RADIUS_M_MAX`].
    #[n(2)]
    pub radius_m: u32,
}

impl Near {
    /// The distance of a place (1e-7 degrees WGS-84) in whole metres, as the order by distance has it. It
    /// is computed on a plane, which is accurate to a metre within some kilometres.
    #[must_use]
    pub fn distance_m(&self, (lat_e7, lon_e7): (i32, i32)) -> u32 {
        const METRES_PER_E7: f64 = 0.011_132;
        let north = (f64::from(lat_e7) - f64::from(self.lat_e7)) * METRES_PER_E7;
        let shrink = (f64::from(self.lat_e7) / 1e7).to_radians().cos();
        let east = (f64::from(lon_e7) - f64::from(self.lon_e7)) * METRES_PER_E7 * shrink;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most twice around the earth"
        )]
        let metres = north.hypot(east).round() as u32;
        metres
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode)]
#[cbor(index_only)]
pub enum ListOrder {
    /// Newest change first.
    #[default]
    #[n(1)]
    NewestChange,
    /// Earliest deadline first, then records without one.
    #[n(2)]
    Due,
    /// Nearest first; only with [`Filter::near`].
    #[n(3)]
    Distance,
}

/// The records to list, and their order. Every filter that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
#[cbor(array)]
pub struct Filter {
    /// Stable codes of kinds; empty means any.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub kinds: Vec<u8>,
    /// Stable codes of stages; empty means any.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub stages: Vec<u8>,
    /// `true`: a person still has to work on it; `false`: no work is left.
    #[n(2)]
    pub open: Option<bool>,
    /// Category code.
    #[n(3)]
    pub category: Option<String>,
    /// Home or responsible area, or one above it.
    #[n(4)]
    pub area: Option<AreaId>,
    /// Made by this phone's member.
    #[n(5)]
    pub mine: bool,
    /// A part of it has not reached the server.
    #[n(6)]
    pub undelivered: bool,
    /// It has a conflict that people have to settle.
    #[n(7)]
    pub in_conflict: bool,
    /// A person still has to take a step on it.
    #[n(8)]
    pub assigned: Option<Assigned>,
    /// Its next deadline is before this instant, ms UTC. With [`Filter::assigned`], the next deadline of
    /// those assignments counts.
    #[n(9)]
    pub due_before_ms: Option<i64>,
    /// Its next deadline has passed at this instant, ms UTC.
    #[n(10)]
    pub overdue_at_ms: Option<i64>,
    /// It is near a place.
    #[n(11)]
    pub near: Option<Near>,
    /// It has all these words: Chinese ones of any length, English ones by their beginning.
    #[n(12)]
    pub words: Option<String>,
    /// The order.
    #[n(13)]
    pub order: ListOrder,
}

/// A filter as the database understands it.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Selection<'a> {
    pub(in crate::replica) filter: &'a Filter,
    /// The parties that [`Filter::assigned`] means.
    pub(in crate::replica) parties: &'a [[u8; 17]],
    /// The expression that [`Filter::words`] means.
    pub(in crate::replica) words: Option<&'a str>,
}

/// A statement under construction.
struct Query {
    from: String,
    condition: String,
    values: Vec<Value>,
    /// The deadline that counts in this list.
    due: &'static str,
    /// The values of [`ListOrder::NewestChange`].
    newest: (&'static str, &'static str),
    /// Squared distance in metres.
    distance: Option<String>,
}

pub(in crate::replica) fn page(
    conn: &Connection,
    selection: &Selection<'_>,
    after: Option<Place>,
    rows_max: usize,
) -> Sql<(Vec<RecordRow>, Option<Place>)> {
    let (sql, values) = page_sql(selection, after, rows_max);
    let mut rows: Vec<(RecordRow, Place)> = conn
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| {
            let shown = RecordRow {
                due_ms: due(row.get(LIST_COLUMNS)?),
                ..read(row)?
            };
            let value = match selection.filter.order {
                ListOrder::NewestChange => shown.updated_ms,
                ListOrder::Due => row.get(LIST_COLUMNS)?,
                ListOrder::Distance => row.get::<_, f64>(LIST_COLUMNS + 1)?.to_bits().cast_signed(),
            };
            let no = row.get(21)?;
            Ok((shown, Place { value, no }))
        })?
        .collect::<Sql<_>>()?;
    let more = rows.len() > rows_max;
    rows.truncate(rows_max);
    let next = rows.last().filter(|_| more).map(|(_, place)| *place);
    Ok((rows.into_iter().map(|(row, _)| row).collect(), next))
}

pub(in crate::replica) fn page_sql(
    selection: &Selection<'_>,
    after: Option<Place>,
    rows_max: usize,
) -> (String, Vec<Value>) {
    let mut query = Query::of(selection);
    let distance = query.distance.clone().unwrap_or_else(|| "0.0".to_owned());
    let (newest, number) = query.newest;
    let (value, number, direction) = match selection.filter.order {
        ListOrder::NewestChange => (newest, number, "DESC"),
        ListOrder::Due => (query.due, "record.no", "ASC"),
        ListOrder::Distance => (distance.as_str(), "record.no", "ASC"),
    };
    if let Some(place) = after {
        let bound = match selection.filter.order {
            ListOrder::Distance => Value::from(f64::from_bits(place.value.cast_unsigned())),
            _ => Value::from(place.value),
        };
        let (bound, no) = (query.bind(bound), query.bind(place.no));
        let beyond = if direction == "DESC" { "<" } else { ">" };
        query
            .condition
            .extend([" AND (", value, ", ", number, ") ", beyond]);
        query.condition.extend([" (", &bound, ", ", &no, ")"]);
    }
    let limit = query.bind(i64::try_from(rows_max + 1).unwrap_or(i64::MAX));
    let Query {
        from,
        condition,
        values,
        due,
        ..
    } = query;
    let sql = format!(
        "SELECT {COLUMNS}, {due}, {distance} FROM {from} WHERE {condition}
         ORDER BY {value} {direction}, {number} {direction} LIMIT {limit}"
    );
    (sql, values)
}

pub(in crate::replica) fn count(conn: &Connection, selection: &Selection<'_>) -> Sql<u64> {
    let query = Query::of(selection);
    let sql = format!(
        "SELECT count(*) FROM {} WHERE {}",
        query.from, query.condition
    );
    conn.prepare_cached(&sql)?
        .query_row(params_from_iter(query.values), |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Records by stage, for the head of a list.
pub(in crate::replica) fn count_by_stage(
    conn: &Connection,
    selection: &Selection<'_>,
) -> Sql<Vec<(u8, u64)>> {
    let query = Query::of(selection);
    let sql = format!(
        "SELECT record.state, count(*) FROM {} WHERE {} GROUP BY record.state",
        query.from, query.condition
    );
    conn.prepare_cached(&sql)?
        .query_map(params_from_iter(query.values), |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect()
}

impl Query {
    fn of(selection: &Selection<'_>) -> Self {
        let filter = selection.filter;
        let mut query = Self {
            from: "record".to_owned(),
            condition: "1".to_owned(),
            values: Vec::new(),
            due: "record.due_ms",
            newest: ("record.updated_ms", "record.no"),
            distance: None,
        };
        if filter.assigned.is_some() {
            query.due = "own.due_ms";
        }
        query.drive(selection);
        query.columns(filter);
        query.deadlines(filter);
        if let Some(near) = &filter.near {
            query.near(near);
        }
        query
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn bind_all(&mut self, values: impl IntoIterator<Item = Value>) -> String {
        let marks: Vec<String> = values.into_iter().map(|value| self.bind(value)).collect();
        marks.join(", ")
    }

    /// Chooses the table that drives the query, and joins the others to it.
    fn drive(&mut self, selection: &Selection<'_>) {
        let filter = selection.filter;
        let mut drivers = Vec::new();
        if let Some(words) = selection.words {
            let words = self.bind(words.to_owned());
            self.condition.extend([" AND record_search MATCH ", &words]);
            drivers.push(("record_search".to_owned(), "record_search.rowid"));
        }
        if filter.assigned.is_some() {
            let parties = selection.parties.iter().map(|party| party.to_vec().into());
            let parties = self.bind_all(parties);
            let own = format!(
                "(SELECT record, min(due_ms) AS due_ms FROM record_assignment
                  WHERE party IN ({parties}) GROUP BY record) AS own"
            );
            drivers.push((own, "own.record"));
        }
        if filter.near.is_some() && drivers.is_empty() {
            drivers.push(("record_map AS map".to_owned(), "map.no"));
        }
        if let Some(area) = filter.area {
            let area = self.bind(area.as_bytes().to_vec());
            if drivers.is_empty() {
                self.condition.extend([" AND area.area = ", &area]);
                if filter.order == ListOrder::NewestChange {
                    self.newest = ("area.updated_ms", "area.record");
                }
                drivers.push(("record_area AS area".to_owned(), "area.record"));
            } else {
                self.condition.extend([
                    " AND EXISTS (SELECT 1 FROM record_area AS a WHERE a.area = ",
                    &area,
                    " AND a.updated_ms = record.updated_ms AND a.record = record.no)",
                ]);
            }
        }
        let deadline = filter.due_before_ms.is_some() || filter.overdue_at_ms.is_some();
        let mut numbers = drivers.iter().map(|(_, number)| *number);
        if let Some(first) = numbers.next() {
            let mut joins = vec![format!("record.no = {first}")];
            joins.extend(numbers.map(|number| format!("{number} = {first}")));
            let tables: Vec<&str> = drivers.iter().map(|(table, _)| table.as_str()).collect();
            let tables = tables.join(" CROSS JOIN ");
            self.from = format!("{tables} CROSS JOIN record ON {}", joins.join(" AND "));
        } else if deadline {
            "record INDEXED BY record_by_due".clone_into(&mut self.from);
        }
    }

    fn columns(&mut self, filter: &Filter) {
        for (column, codes) in [("kind", &filter.kinds), ("state", &filter.stages)] {
            if !codes.is_empty() {
                let codes = codes.iter().map(|code| Value::from(i64::from(*code)));
                let codes = self.bind_all(codes);
                self.condition
                    .extend([" AND record.", column, " IN (", &codes, ")"]);
            }
        }
        if let Some(open) = filter.open {
            let open = self.bind(i64::from(open));
            self.condition.extend([" AND record.open = ", &open]);
        }
        if let Some(category) = &filter.category {
            let category = self.bind(category.clone());
            self.condition
                .extend([" AND record.category = ", &category]);
        }
        for (wanted, condition) in [
            (filter.mine, " AND record.mine = 1"),
            (filter.undelivered, " AND record.undelivered > 0"),
            (filter.in_conflict, " AND record.conflicts > 0"),
        ] {
            if wanted {
                self.condition.push_str(condition);
            }
        }
    }

    fn deadlines(&mut self, filter: &Filter) {
        let due = self.due;
        if let Some(before_ms) = filter.due_before_ms {
            let before = self.bind(before_ms);
            self.condition.extend([" AND ", due, " < ", &before]);
        }
        if let Some(at_ms) = filter.overdue_at_ms {
            let at = self.bind(at_ms);
            self.condition.extend([" AND ", due, " <= ", &at]);
        }
    }

    fn near(&mut self, near: &Near) {
        let Ok(centre) = GeoPoint::new(near.lat_e7, near.lon_e7) else {
            self.condition.push_str(" AND 0");
            return;
        };
        let around = centre.around(near.radius_m);
        let (lat, lon) = if self.from.starts_with("record_map") {
            ("map.lat_min", "map.lon_min")
        } else {
            ("record.lat_e7", "record.lon_e7")
        };
        for (column, min, max) in [
            (lat, around.min.lat_e7(), around.max.lat_e7()),
            (lon, around.min.lon_e7(), around.max.lon_e7()),
        ] {
            let (min, max) = (self.bind(i64::from(min)), self.bind(i64::from(max)));
            self.condition
                .extend([" AND ", column, " BETWEEN ", &min, " AND ", &max]);
        }
        let (north_m, east_m) = centre.metres_per_e7();
        let lat = self.bind(i64::from(near.lat_e7));
        let lon = self.bind(i64::from(near.lon_e7));
        let (north, east) = (self.bind(north_m), self.bind(east_m));
        let y = format!("((record.lat_e7 - {lat}) * {north})");
        let x = format!("((record.lon_e7 - {lon}) * {east})");
        let distance = format!("({y} * {y} + {x} * {x})");
        let radius = self.bind(f64::from(near.radius_m).powi(2));
        self.condition.extend([" AND ", &distance, " <= ", &radius]);
        self.distance = Some(distance);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::replica::migrate;

    /// A file with some thousand rows and the statistics of a phone that has been in use.
    fn filled(analysed: bool) -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn).unwrap();
        conn.execute_batch(
            "WITH RECURSIVE n (no) AS (VALUES (1) UNION ALL SELECT no + 1 FROM n WHERE no < 3000)
             INSERT INTO record (no, id, kind, audience, state, open, category, severity, title,
               address, genesis_ms, created_ms, updated_ms, mine, undelivered, provisional,
               conflicts, needs_review, newer, ladder, digest, lat_e7, lon_e7, due_ms)
             SELECT no, CAST(no AS BLOB), no % 4, 1, no % 15, no % 2, 'c' || (no % 30), 1, '', '',
               0, 0, no, no % 50 = 0, no % 90 = 0, 0, no % 70 = 0, 0, 0, 1, x'00',
               302700000 + no, 1201600000 + no, 1000 + no FROM n;
             INSERT INTO record_area SELECT CAST(no % 7 AS BLOB), updated_ms, no FROM record;
             INSERT INTO record_assignment SELECT CAST(x'01' || (no % 40) AS BLOB), no, id, due_ms
               FROM record;
             INSERT INTO record_map SELECT no, lat_e7, lat_e7, lon_e7, lon_e7 FROM record;
             INSERT INTO record_search (rowid, words) SELECT no, 'w' || (no % 9) FROM record;",
        )
        .unwrap();
        if analysed {
            conn.execute_batch("ANALYZE;").unwrap();
        }
        conn
    }

    fn plan(conn: &Connection, filter: &Filter, after: Option<Place>) -> Vec<String> {
        let selection = Selection {
            filter,
            parties: &[[1; 17], [2; 17]],
            words: filter.words.as_deref(),
        };
        let (sql, values) = page_sql(&selection, after, 50);
        conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap()
            .query_map(params_from_iter(values), |row| row.get(3))
            .unwrap()
            .collect::<Sql<_>>()
            .unwrap()
    }

    #[rustfmt::skip]
    fn filters() -> Vec<(&'static str, Filter)> {
        let all = Filter::default;
        let near = Some(Near { lat_e7: 302_700_000, lon_e7: 1_201_600_000, radius_m: 500 });
        let (distance, due) = (ListOrder::Distance, ListOrder::Due);
        let (area, words) = (Some(AreaId([1; 16])), Some("w1".to_owned()));
        let assigned = Some(Assigned::Me);
        vec![
            ("open", Filter { open: Some(true), ..all() }),
            ("kind", Filter { kinds: vec![1], ..all() }),
            ("category", Filter { category: Some("c1".into()), ..all() }),
            ("stage", Filter { stages: vec![1], ..all() }),
            ("mine", Filter { mine: true, ..all() }),
            ("undelivered", Filter { undelivered: true, ..all() }),
            ("conflict", Filter { in_conflict: true, ..all() }),
            ("area", Filter { area, ..all() }),
            ("assigned", Filter { assigned, ..all() }),
            ("my due", Filter { assigned, order: due, ..all() }),
            ("due before", Filter { due_before_ms: Some(1_010), ..all() }),
            ("overdue", Filter { overdue_at_ms: Some(1_010), order: due, ..all() }),
            ("near", Filter { near, ..all() }),
            ("nearest", Filter { near, order: distance, ..all() }),
            ("words", Filter { words: words.clone(), ..all() }),
            ("words near", Filter { near, words, ..all() }),
        ]
    }

    /// `SCAN record` reads every row, by any index. A driver of its own table narrows it.
    #[test]
    fn no_filtered_list_scans_the_table() {
        let place = Some(Place {
            value: 1_500,
            no: 1_500,
        });
        for analysed in [false, true] {
            let conn = filled(analysed);
            for ((name, filter), after) in filters()
                .into_iter()
                .flat_map(|one| [(one.clone(), None), (one, place)])
            {
                let plan = plan(&conn, &filter, after);
                let scans = |line: &String| {
                    let whole = line.starts_with("SCAN record") || line.starts_with("SCAN area");
                    // The partial indexes hold exactly the rows of their filter.
                    let partial = ["record_mine", "record_undelivered", "record_in_conflict"]
                        .iter()
                        .any(|index| line.contains(index));
                    whole && !partial && !line.contains("VIRTUAL TABLE INDEX")
                };
                assert!(
                    !plan.iter().any(scans),
                    "{name} analysed {analysed}: {plan:#?}"
                );
                let virtual_whole = |line: &String| line.ends_with("VIRTUAL TABLE INDEX 2:");
                assert!(!plan.iter().any(virtual_whole), "{name}: {plan:#?}");
            }
        }
    }

    /// A page of these reads no more rows than it shows.
    #[test]
    fn lists_in_the_order_of_an_index_are_not_sorted() {
        for analysed in [false, true] {
            let conn = filled(analysed);
            let all = Filter::default;
            let due = ListOrder::Due;
            for filter in [
                all(),
                Filter {
                    order: due,
                    ..all()
                },
                Filter {
                    area: Some(AreaId([1; 16])),
                    ..all()
                },
                Filter {
                    open: Some(true),
                    ..all()
                },
                Filter {
                    mine: true,
                    ..all()
                },
                Filter {
                    overdue_at_ms: Some(1_010),
                    order: due,
                    ..all()
                },
            ] {
                let plan = plan(&conn, &filter, None);
                let sorted = plan.iter().any(|line| line.contains("TEMP B-TREE"));
                assert!(!sorted, "analysed {analysed} {filter:?}: {plan:#?}");
            }
        }
    }
}
