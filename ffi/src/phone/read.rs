//! Questions: lists, counts, search, the map, a record and its story, the tally, notices.

use onegrid_core::domain::RecordKind;
use onegrid_core::domain::kinds::stages;
use onegrid_core::id::EnvelopeId;
use onegrid_core::limits::NEAR_RADIUS_M_MAX;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{self, Filter, ListOrder, PageToken, Reader};
use onegrid_core::texts::{Lang, say};

use super::{Phone, id, maybe_id, show};
use crate::error::{Answer, OneGridError};
use crate::types::{
    AssignedTo, MapPage, MapPoint, MapWindow, MoveOption, Near, Notice, Notification, Order, Query,
    RecordDetail, RecordPage, RecordRow, StageCount, Tally, TimelinePage, Uncounted, Word,
};

/// The limit of rows in one answer.
pub(super) const ROWS_MAX: u32 = 200;

#[uniffi::export]
impl Phone {
    /// Returns a page of records. `page` is the `next` of the page before; `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token` for a page of another query; `input.bad_value` for an unknown kind, stage or
    /// category, a radius over 100 km, or the order by distance without `near`.
    pub fn list(&self, query: Query, page: Option<String>, rows: u32) -> Answer<RecordPage> {
        self.0.read(|reader| {
            let now = now_ms();
            let filter = filter(&query, now)?;
            let after = token(page);
            let found = reader.list(&filter, after.as_ref(), limit(rows))?;
            page_of(reader, found, &filter, now)
        })
    }

    /// Returns the number of records that pass a query.
    pub fn count(&self, query: Query) -> Answer<u64> {
        self.0
            .read(|reader| Ok(reader.count(&filter(&query, now_ms())?)?))
    }

    /// Returns the number of records that pass a query, by stage; stages without records are left out.
    pub fn count_by_stage(&self, query: Query) -> Answer<Vec<StageCount>> {
        self.0.read(|reader| {
            let counts = reader.count_by_stage(&filter(&query, now_ms())?)?;
            let counts = counts.into_iter().map(|(stage, count)| StageCount {
                stage: show::stage(stage),
                count,
            });
            Ok(counts.collect())
        })
    }

    /// Returns the records that contain all the words, newest change first. Finds Chinese words of any length
    /// and English words by their beginning.
    pub fn search(&self, text: String, page: Option<String>, rows: u32) -> Answer<RecordPage> {
        self.0.read(|reader| {
            let after = token(page);
            let found = reader.search(&text, after.as_ref(), limit(rows))?;
            page_of(reader, found, &Filter::default(), now_ms())
        })
    }

    /// Returns the records inside a window of the map.
    ///
    /// Errors: `position.out_of_range`.
    pub fn map(&self, window: MapWindow) -> Answer<MapPage> {
        self.0.read(|reader| {
            let found = reader.map(&map_window(&window)?)?;
            Ok(MapPage {
                points: found.points.iter().map(map_point).collect(),
                cut: found.cut,
            })
        })
    }

    /// Returns open work of this member and the member's units that is due within this time (ms) or overdue,
    /// the most urgent first.
    pub fn due(&self, within_ms: i64, rows: u32) -> Answer<Vec<RecordRow>> {
        self.0.read(|reader| {
            let now = now_ms();
            let rows = reader.due(now, within_ms, limit(rows))?;
            rows.iter()
                .map(|row| show::row(reader, row, None, now))
                .collect()
        })
    }

    /// Returns the page of a record.
    ///
    /// Errors: `replica.no_record` if the record is not on this phone.
    pub fn record(&self, record: String) -> Answer<RecordDetail> {
        self.0.read(|reader| {
            let view = reader.view(id(&record)?)?;
            show::detail(reader, &view.ok_or_else(no_record)?, now_ms())
        })
    }

    /// Returns a page of a record's story, in the order that counts. `rows` is 1 to 200.
    ///
    /// Errors: `replica.no_record`, `list.bad_token`.
    pub fn timeline(
        &self,
        record: String,
        page: Option<String>,
        rows: u32,
    ) -> Answer<TimelinePage> {
        self.0.read(|reader| {
            let after: Option<EnvelopeId> = maybe_id(page.as_ref())?;
            let found = reader.timeline(id(&record)?, after, limit(rows))?;
            let found = found.ok_or_else(no_record)?;
            Ok(TimelinePage {
                items: found.entries.into_iter().map(show::timeline_item).collect(),
                next: found.next.map(|next| next.to_string()),
            })
        })
    }

    /// Returns every move on a record: whether this member may make it now, and why not.
    pub fn moves(&self, record: String) -> Answer<Vec<MoveOption>> {
        let acting_as = self.0.acting_as().clone();
        self.0.read(|reader| {
            let options = reader.moves(id(&record)?, acting_as.as_ref())?;
            Ok(options.into_iter().map(show::move_option).collect())
        })
    }

    /// Returns “148 recorded, 148 counted”: the member's work between two times (ms UTC), and how much of it
    /// counts.
    pub fn tally(&self, since_ms: Option<i64>, until_ms: Option<i64>) -> Answer<Tally> {
        self.0.read(|reader| {
            let tally = reader.tally(since_ms, until_ms)?;
            let counts = &tally.entries;
            let (recorded, counted) = (counts.recorded.to_string(), counts.counted.to_string());
            let sentence = |lang| {
                let values = [("recorded", &*recorded), ("counted", &*counted)];
                say("tally.counted", lang, &values)
            };
            Ok(Tally {
                recorded: counts.recorded,
                counted: counts.counted,
                waiting: counts.waiting,
                held: counts.held,
                zh: sentence(Lang::Zh),
                en: sentence(Lang::En),
                uncounted: tally.uncounted.into_iter().map(uncounted).collect(),
            })
        })
    }

    /// Returns the notices that the person has not seen, oldest first, at most 200.
    pub fn notices(&self) -> Answer<Vec<Notice>> {
        self.0
            .read(|reader| Ok(reader.notices()?.into_iter().map(notice).collect()))
    }

    /// Returns the notifications that were not taken, oldest first, with a number above `after`.
    pub fn notifications(&self, after: i64, rows: u32) -> Answer<Vec<Notification>> {
        self.0.read(|reader| notifications(reader, after, rows))
    }

    /// Returns the number of envelopes here that no server has judged: the member's own and those carried for
    /// others.
    pub fn undelivered(&self) -> Answer<u64> {
        self.0.read(|reader| Ok(reader.undelivered()?))
    }
}

pub(super) fn notifications(reader: &Reader, after: i64, rows: u32) -> Answer<Vec<Notification>> {
    let found = reader.notifications(after, limit(rows))?;
    Ok(found
        .into_iter()
        .map(|one| {
            let word = Word::of("notify", one.kind.name());
            Notification {
                no: one.no,
                at_ms: one.at_ms,
                code: format!("notify.{}", one.kind.name()),
                zh: word.zh,
                en: word.en,
                record: one.record.map(|record| record.to_string()),
            }
        })
        .collect())
}

fn notice(notice: replica::Notice) -> Notice {
    let word = Word::coded(&notice.code);
    Notice {
        no: notice.no,
        at_ms: notice.at_ms,
        code: notice.code,
        zh: word.zh,
        en: word.en,
        record: notice.record.map(|record| record.to_string()),
        detail: notice.detail,
    }
}

fn uncounted(one: replica::Uncounted) -> Uncounted {
    Uncounted {
        record: one.record.to_string(),
        words: one.words,
        code: one.code,
        zh: one.zh,
        en: one.en,
    }
}

pub(super) fn no_record() -> OneGridError {
    OneGridError::of("replica.no_record")
}

/// Returns the error of a value that a question cannot use.
pub(super) fn invalid(input: &str) -> OneGridError {
    OneGridError::with("input.bad_value", &[("field", input)])
}

pub(super) fn limit(rows: u32) -> usize {
    rows.clamp(1, ROWS_MAX) as usize
}

pub(super) fn token(page: Option<String>) -> Option<PageToken> {
    page.map(PageToken::new)
}

fn page_of(
    reader: &Reader,
    found: replica::ListPage,
    filter: &Filter,
    now: i64,
) -> Answer<RecordPage> {
    let rows = found.rows.iter();
    Ok(RecordPage {
        rows: rows
            .map(|row| show::row(reader, row, filter.near, now))
            .collect::<Answer<_>>()?,
        next: found.next.map(|next| next.to_string()),
    })
}

fn filter(query: &Query, now: i64) -> Answer<Filter> {
    let kind = |name: &String| RecordKind::from_name(name).map(RecordKind::code);
    let stage = |name: &String| stages::code_of(name);
    let near = near(query.near.as_ref())?;
    let order = match query.order.unwrap_or(Order::Newest) {
        Order::Newest => ListOrder::NewestChange,
        Order::Due => ListOrder::Due,
        Order::Distance if near.is_none() => return Err(invalid("near")),
        Order::Distance => ListOrder::Distance,
    };
    let all = |names: &[String], code: &dyn Fn(&String) -> Option<u8>, input| {
        let codes: Option<Vec<u8>> = names.iter().map(code).collect();
        codes.ok_or_else(|| invalid(input))
    };
    Ok(Filter {
        kinds: all(&query.kinds, &kind, "kind")?,
        stages: all(&query.stages, &stage, "stage")?,
        open: query.open,
        category: query.category.clone(),
        area: maybe_id(query.area.as_ref())?,
        mine: query.mine,
        undelivered: query.undelivered,
        in_conflict: query.in_conflict,
        assigned: query.assigned.map(|assigned| match assigned {
            AssignedTo::Me => replica::Assigned::Me,
            AssignedTo::MyUnits => replica::Assigned::MyUnits,
        }),
        due_before_ms: query.due_before_ms,
        overdue_at_ms: query.overdue.then_some(now),
        near,
        words: None,
        order,
    })
}

/// Converts a circle.
pub(super) fn near(near: Option<&Near>) -> Answer<Option<replica::Near>> {
    let Some(near) = near else {
        return Ok(None);
    };
    if near.radius_m == 0 || near.radius_m > NEAR_RADIUS_M_MAX {
        return Err(invalid("radius_m"));
    }
    let point = near.position.checked()?.to_wgs84().point();
    Ok(Some(replica::Near {
        lat_e7: point.lat_e7(),
        lon_e7: point.lon_e7(),
        radius_m: near.radius_m,
    }))
}

fn map_window(window: &MapWindow) -> Answer<replica::MapWindow> {
    let e7 = |degrees: f64, most: f64| {
        if degrees.is_finite() && degrees.abs() <= most {
            #[allow(
                clippy::cast_possible_truncation,
                reason = "within ±1.8e9, as just checked"
            )]
            let rounded = (degrees * 1e7).round() as i32;
            Ok(rounded)
        } else {
            Err(OneGridError::of("position.out_of_range"))
        }
    };
    Ok(replica::MapWindow {
        lat_min_e7: e7(window.south, 90.0)?,
        lat_max_e7: e7(window.north, 90.0)?,
        lon_min_e7: e7(window.west, 180.0)?,
        lon_max_e7: e7(window.east, 180.0)?,
    })
}

fn map_point(point: &replica::MapPoint) -> MapPoint {
    MapPoint {
        record: point.record.to_string(),
        lat: f64::from(point.lat_e7) / 1e7,
        lon: f64::from(point.lon_e7) / 1e7,
        stage: stages::name_of(point.stage).to_owned(),
        severity: point.severity,
    }
}
