//! The directory by need: areas below one, units and people by name, and the grid of a position. The
//! directory is never read whole.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::search;
use super::super::table::area::{self, Above, AreaInfo};
use super::super::table::directory_name::{self, Ask, Named};
use super::super::table::{directory, pending, template};
use super::super::token::{PageToken, Place, QueryMark};
use super::names;
use crate::domain::area::AreaLevel;
use crate::domain::areas::AreaEntry;
use crate::domain::directory::DirectoryEntry;
use crate::domain::polygon::GeoPoint;
use crate::domain::position::{CONFIRM_ACCURACY_M, Position};
use crate::domain::unit::UnitKind;
use crate::domain::{AreaPath, Grant};
use crate::id::{AreaId, MemberId, UnitId};
use crate::limits::{
    LIST_ROWS_MAX, LOCATE_CANDIDATES_MAX, LOCATE_RADIUS_M_MAX, LOCATE_RADIUS_M_UNKNOWN,
    LOCATE_ROWS_MAX,
};
use crate::texts::Lang;

/// One page of anything but records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; absent at the end.
    pub next: Option<PageToken>,
}

/// A unit as screens show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitInfo {
    /// The stable id.
    pub id: UnitId,
    /// Its sort.
    pub kind: UnitKind,
    /// The area that it belongs to and works in.
    pub area: AreaId,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
}

/// A colleague as screens show one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonInfo {
    /// The person.
    pub id: MemberId,
    /// The area whose directory carries the name.
    pub area: AreaId,
    /// The public name.
    pub zh: String,
    /// The public name where English is read.
    pub en: String,
}

/// A category as screens show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryInfo {
    /// Its code.
    pub code: String,
    /// The code of its class; none for a class.
    pub class: Option<String>,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
    /// The category is not offered for new records any more.
    pub retired: bool,
}

/// A grant of the person in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantWords {
    /// The grant.
    pub grant: Grant,
    /// Role and place in Chinese.
    pub zh: String,
    /// Role and place in English.
    pub en: String,
}

/// The place of a position in the grids.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The grid that holds the point.
    pub grid: Option<AreaPath>,
    /// Grids within the accuracy of the fix with their distance in metres, nearest first; where the person
    /// has to choose.
    pub candidates: Vec<(AreaPath, f64)>,
    /// Whether the person has to confirm the grid: the accuracy is worse than 50 m or unknown, or no grid
    /// holds the point.
    pub needs_confirmation: bool,
}

/// Writes the rows of a directory entry that screens read.
pub(in crate::replica) fn project(
    conn: &Connection,
    key: &[u8],
    entry: &DirectoryEntry,
) -> Result<(), ReplicaError> {
    match entry {
        DirectoryEntry::Area(entry) => area::put(conn, key, entry)?,
        DirectoryEntry::Unit(unit) => {
            let named = Named {
                id: unit.id.0,
                area: unit.area,
                sort: unit.kind.code(),
                zh: unit.names.zh().to_owned(),
                en: unit.names.en().to_owned(),
                dissolved_ms: unit.dissolved_at_ms,
            };
            put(conn, names::UNITS, &named)?;
        }
        DirectoryEntry::Template(entry) => {
            template::put(conn, entry.id().as_str(), entry.version(), key)?;
        }
        DirectoryEntry::MemberName(name) => match &name.public_name {
            None => directory_name::delete(conn, names::MEMBERS, &name.member.0)?,
            Some(public) => {
                let named = Named {
                    id: name.member.0,
                    area: name.area,
                    sort: 0,
                    zh: public.clone(),
                    en: public.clone(),
                    dissolved_ms: None,
                };
                put(conn, names::MEMBERS, &named)?;
            }
        },
        _ => {}
    }
    Ok(())
}

/// Makes all of these rows again from the stored entries. Returns how many entries were left out,
/// because this app cannot decode them.
pub(in crate::replica) fn project_all(conn: &Connection) -> Result<usize, ReplicaError> {
    area::clear(conn)?;
    directory_name::clear(conn)?;
    template::clear(conn)?;
    let mut left_out = 0;
    for kind in PROJECTED {
        for (key, bytes) in directory::keyed(conn, kind)? {
            match minicbor::decode(&bytes) {
                Ok(entry) => project(conn, &key, &entry)?,
                Err(_) => left_out += 1,
            }
        }
    }
    Ok(left_out)
}

/// The kinds of entries that [`project`] knows.
pub(in crate::replica) const PROJECTED: [u16; 4] =
    [names::AREAS, names::UNITS, names::MEMBERS, names::TEMPLATES];

/// A category has a new name, so the records that are searched by its name are made again, slice by slice.
pub(in crate::replica) fn category_renamed(
    conn: &Connection,
    code: &str,
) -> Result<(), ReplicaError> {
    Ok(pending::fill_category(conn, code)?)
}

fn put(conn: &Connection, kind: u16, named: &Named) -> Result<(), ReplicaError> {
    let words = search::index_words([named.zh.as_str(), named.en.as_str()]);
    Ok(directory_name::put(conn, kind, named, &words)?)
}

impl Reader {
    /// The areas directly below one as they are now, in the order of their codes; without a parent the
    /// districts.
    pub fn areas(
        &self,
        parent: Option<AreaId>,
        now_ms: i64,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<AreaInfo>, ReplicaError> {
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let mark = QueryMark::of("areas", &parent);
        let after = after.map(|token| token.place(mark)).transpose()?;
        let after = after.map_or((i64::MIN, i64::MIN), |place| (place.value, place.no));
        let found = area::children(self.conn()?, parent, now_ms, after, rows_max + 1)?;
        let found = found
            .into_iter()
            .map(|(info, (value, no))| (info, Place { value, no }))
            .collect();
        Ok(page(mark, found, rows_max))
    }

    /// An area as it is now.
    pub fn area(&self, id: AreaId, now_ms: i64) -> Result<Option<AreaInfo>, ReplicaError> {
        Ok(area::at(self.conn()?, id, now_ms)?)
    }

    /// Returns an area with those above it; `None` while the directory does not hold all of them.
    pub fn area_path(&self, id: AreaId) -> Result<Option<AreaPath>, ReplicaError> {
        path(self.conn()?, id)
    }

    /// The names of the areas of a path, Chinese and English, from the district down.
    pub fn area_path_names(
        &self,
        path: &AreaPath,
    ) -> Result<Vec<(AreaId, String, String)>, ReplicaError> {
        let conn = self.conn()?;
        let mut found = Vec::new();
        for id in path.ids() {
            let zh = names::area(conn, *id, Lang::Zh)?;
            let en = names::area(conn, *id, Lang::En)?;
            found.push((*id, zh, en));
        }
        Ok(found)
    }

    /// Units by name, those that have not been dissolved; with an area, the units of it and of the areas
    /// below it.
    pub fn units(
        &self,
        typed: &str,
        area: Option<AreaId>,
        now_ms: i64,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<UnitInfo>, ReplicaError> {
        let page = self.named((names::UNITS, area), typed, now_ms, after, rows_max)?;
        Ok(mapped(page, |named| UnitInfo {
            id: UnitId(named.id),
            kind: UnitKind::from_code(named.sort),
            area: named.area,
            zh: named.zh,
            en: named.en,
        }))
    }

    /// Colleagues by name, as far as this phone may know them.
    pub fn people(
        &self,
        typed: &str,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<PersonInfo>, ReplicaError> {
        let page = self.named((names::MEMBERS, None), typed, 0, after, rows_max)?;
        Ok(mapped(page, |named| PersonInfo {
            id: MemberId(named.id),
            area: named.area,
            zh: named.zh,
            en: named.en,
        }))
    }

    /// The categories of the deployment: its own and those that every phone knows, classes first.
    pub fn categories(&self) -> Result<Vec<CategoryInfo>, ReplicaError> {
        let mut all = names::BUILT_IN.clone();
        let mut waiting = Vec::new();
        for bytes in directory::of_kind(self.conn()?, names::CATEGORIES)? {
            match minicbor::decode(&bytes) {
                Ok(DirectoryEntry::Category(category)) => waiting.push(category),
                Ok(_) => return Err(ReplicaError::Inconsistent),
                Err(_) => tracing::warn!("a category that cannot be decoded is left out"),
            }
        }
        // Classes must be known before their categories.
        waiting.sort_by_key(|category| category.class.is_some());
        for category in waiting {
            if let Err(error) = all.apply(category) {
                tracing::warn!(code = error.code(), "a category fits nowhere");
            }
        }
        Ok(all
            .iter()
            .map(|category| CategoryInfo {
                code: category.code.as_str().to_owned(),
                class: category
                    .class
                    .as_ref()
                    .map(|class| class.as_str().to_owned()),
                zh: category.names.zh().to_owned(),
                en: category.names.en().to_owned(),
                retired: category.retired,
            })
            .collect())
    }

    /// The public name of a colleague, Chinese and English; `None` while this phone may not know it.
    pub fn member_name(&self, id: MemberId) -> Result<Option<(String, String)>, ReplicaError> {
        let name = directory::names(self.conn()?, names::MEMBERS, &id.0)?;
        Ok(name.filter(|(zh, _)| !zh.is_empty()))
    }

    /// The name of a unit, Chinese and English.
    pub fn unit_name(&self, id: UnitId) -> Result<Option<(String, String)>, ReplicaError> {
        Ok(directory::names(self.conn()?, names::UNITS, &id.0)?)
    }

    /// The name of a category, Chinese and English.
    pub fn category_name(&self, code: &str) -> Result<Option<(String, String)>, ReplicaError> {
        names::category(self.conn()?, code)
    }

    /// The person's grants in words: role, and where it is held.
    pub fn own_grants(&self) -> Result<Vec<GrantWords>, ReplicaError> {
        let conn = self.conn()?;
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let mut words = Vec::new();
        for grant in &own.facts().grants {
            words.push(GrantWords {
                grant: grant.clone(),
                zh: names::grant(conn, grant, Lang::Zh)?,
                en: names::grant(conn, grant, Lang::En)?,
            });
        }
        Ok(words)
    }

    /// Returns the grid of a position, and the grids to choose from where the position alone does not
    /// decide.
    pub fn locate(&self, position: &Position, now_ms: i64) -> Result<Located, ReplicaError> {
        self.at_once(|conn| locate(conn, position, now_ms))
    }

    fn named(
        &self,
        (kind, area): (u16, Option<AreaId>),
        typed: &str,
        now_ms: i64,
        after: Option<&PageToken>,
        rows_max: usize,
    ) -> Result<Page<Named>, ReplicaError> {
        let conn = self.conn()?;
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        let mark = QueryMark::of("names", &(kind, area, typed));
        let after = after.map(|token| token.place(mark)).transpose()?;
        if let Some(place) = after
            && !directory_name::has(conn, place.no)?
        {
            return Err(ReplicaError::BadToken);
        }
        let words = search::query(typed);
        if words.is_none() && !typed.trim().is_empty() {
            return Ok(page(mark, Vec::new(), rows_max));
        }
        let found = directory_name::find(
            conn,
            &Ask {
                kind,
                words: words.as_deref(),
                area,
                now_ms,
                after: after.map(|place| place.no),
                rows_max: rows_max + 1,
            },
        )?;
        let found = found
            .into_iter()
            .map(|(named, no)| (named, Place { value: 0, no }))
            .collect();
        Ok(page(mark, found, rows_max))
    }
}

/// Cuts a page and names the start of the next one.
fn page<T>(mark: QueryMark, mut found: Vec<(T, Place)>, rows_max: usize) -> Page<T> {
    let more = found.len() > rows_max;
    found.truncate(rows_max);
    let next = found.last().filter(|_| more);
    let next = next.map(|(_, place)| PageToken::of(mark, *place));
    let items = found.into_iter().map(|(item, _)| item).collect();
    Page { items, next }
}

fn mapped<T, U>(page: Page<T>, map: impl Fn(T) -> U) -> Page<U> {
    Page {
        items: page.items.into_iter().map(map).collect(),
        next: page.next,
    }
}

fn path(conn: &Connection, id: AreaId) -> Result<Option<AreaPath>, ReplicaError> {
    let mut ids = vec![id];
    let mut next = id;
    loop {
        match area::above(conn, next)? {
            Above::Nothing => break,
            Above::Area(parent) if ids.len() < AreaLevel::ALL.len() => {
                ids.push(parent);
                next = parent;
            }
            Above::Unknown | Above::Area(_) => return Ok(None),
        }
    }
    ids.reverse();
    Ok(AreaPath::new(&ids).ok())
}

fn locate(conn: &Connection, position: &Position, now_ms: i64) -> Result<Located, ReplicaError> {
    let point = position.to_wgs84().point();
    let accuracy_m = position.accuracy_m();
    let exact = accuracy_m.is_some_and(|metres| metres <= CONFIRM_ACCURACY_M);
    let radius_m = accuracy_m
        .unwrap_or(LOCATE_RADIUS_M_UNKNOWN)
        .clamp(CONFIRM_ACCURACY_M, LOCATE_RADIUS_M_MAX);
    let near = grids_within(conn, point, radius_m, now_ms)?;
    // On a common edge the lowest id wins, as everywhere.
    let holding = near.iter().filter(|(_, metres)| *metres == 0.0);
    let grid = holding.map(|(id, _)| *id).min();
    let needs_confirmation = !exact || grid.is_none();
    let mut candidates = Vec::new();
    if needs_confirmation {
        for (id, metres) in near.into_iter().take(LOCATE_CANDIDATES_MAX) {
            candidates.extend(path(conn, id)?.map(|path| (path, metres)));
        }
    }
    Ok(Located {
        grid: match grid {
            Some(id) => path(conn, id)?,
            None => None,
        },
        candidates,
        needs_confirmation,
    })
}

/// Grids within a distance of a point, nearest first; at equal distance by id. Only the boundaries whose
/// box is that near are read.
fn grids_within(
    conn: &Connection,
    point: GeoPoint,
    radius_m: u32,
    now_ms: i64,
) -> Result<Vec<(AreaId, f64)>, ReplicaError> {
    let mut found = Vec::new();
    for (id, key) in area::grids_near(conn, &point.around(radius_m), now_ms, LOCATE_ROWS_MAX)? {
        let Some(bytes) = directory::get(conn, names::AREAS, &key)? else {
            continue;
        };
        let entry = minicbor::decode(&bytes).map_err(|_| ReplicaError::Inconsistent)?;
        let DirectoryEntry::Area(AreaEntry { version, .. }) = entry else {
            return Err(ReplicaError::Inconsistent);
        };
        let Some(boundary) = version.boundary else {
            continue;
        };
        let metres = boundary.distance_m(point);
        if metres <= f64::from(radius_m) {
            found.push((id, metres));
        }
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    Ok(found)
}
