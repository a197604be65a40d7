//! Wulin street as a phone knows it: from a point to the areas around it, and a schematic map.

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::{Area, AreaLevel};
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::domain::position::Datum;
use serde_json::{Value, json};

use onegrid_server::admin::import::areas::{AreaFiles, AreaOptions, parse_areas};
use onegrid_server::error::{Problem, Result};

/// Code of Wulin street.
const WULIN: &str = "330105013000";
/// Width of the map in its own units; the height follows from the area.
const MAP_WIDTH: f64 = 600.0;
const MAP_MARGIN: f64 = 12.0;

/// The division, and the parts of it that a map of Wulin street needs.
pub(crate) struct Place {
    areas: Areas,
    frame: Frame,
}

/// Degrees to units of the map; north is up.
#[derive(Debug, Clone, Copy)]
struct Frame {
    west: f64,
    north: f64,
    per_degree: f64,
    squeeze: f64,
    height: f64,
}

impl Place {
    pub(crate) fn read(files: &AreaFiles) -> Result<Self> {
        let options = AreaOptions {
            valid_from_ms: 0,
            datum: Datum::Wgs84,
        };
        let import = parse_areas(files, &Areas::new(), options, &mut |_, _| {});
        let mut areas = Areas::new();
        for entry in import.good {
            let applied = areas.apply(entry);
            applied.map_err(|error| Problem::new("demo.bad_seed").with("code", error.code()))?;
        }
        let frame = Frame::of(&areas).ok_or_else(|| bad_seed("directory.unknown_area"))?;
        Ok(Self { areas, frame })
    }

    /// Returns the areas around a point of Wulin street, down to the grid.
    pub(crate) fn path_at(&self, point: GeoPoint) -> Option<AreaPath> {
        let path = self.areas.path(self.areas.grid_at(point, 0)?)?;
        path.contains(town(&self.areas)?.id()).then_some(path)
    }

    /// Returns the Chinese name of an area.
    pub(crate) fn name(&self, path: &AreaPath) -> String {
        let area = self.areas.get(path.leaf());
        area.map(|area| area.newest().names.zh().to_owned())
            .unwrap_or_default()
    }

    /// Returns the grids of Wulin street as outlines, in units of the map.
    pub(crate) fn map(&self) -> Value {
        let grids: Vec<Value> = grids(&self.areas)
            .map(|(village, grid)| {
                let outline = outline(grid);
                let points: Vec<[f64; 2]> =
                    outline.iter().map(|at| self.frame.of_point(*at)).collect();
                json!({
                    "name": grid.newest().names.zh(),
                    "village": village.newest().names.zh(),
                    "village_code": village.newest().code.to_string(),
                    "points": points,
                })
            })
            .collect();
        json!({ "width": MAP_WIDTH, "height": self.frame.height, "grids": grids })
    }

    /// Returns a position in units of the map.
    pub(crate) fn on_map(&self, lat_e7: i32, lon_e7: i32) -> Option<[f64; 2]> {
        let point = GeoPoint::new(lat_e7, lon_e7).ok()?;
        Some(self.frame.of_point(point))
    }

    /// Returns the point of the map, if it lies in Wulin street.
    pub(crate) fn point_at(&self, x: f64, y: f64) -> Option<GeoPoint> {
        let lon = self.frame.west + (x - MAP_MARGIN) / self.frame.per_degree / self.frame.squeeze;
        let lat = self.frame.north - (y - MAP_MARGIN) / self.frame.per_degree;
        let point = GeoPoint::from_degrees(lat, lon).ok()?;
        self.path_at(point).map(|_| point)
    }
}

impl Frame {
    fn of(areas: &Areas) -> Option<Self> {
        let corners: Vec<GeoPoint> = grids(areas).flat_map(|(_, grid)| outline(grid)).collect();
        let least = |of: fn(GeoPoint) -> f64| corners.iter().map(|at| of(*at)).reduce(f64::min);
        let most = |of: fn(GeoPoint) -> f64| corners.iter().map(|at| of(*at)).reduce(f64::max);
        let (west, east) = (least(GeoPoint::lon)?, most(GeoPoint::lon)?);
        let (south, north) = (least(GeoPoint::lat)?, most(GeoPoint::lat)?);
        // A degree of longitude is shorter than one of latitude.
        let squeeze = north.to_radians().cos();
        let per_degree = (MAP_WIDTH - 2.0 * MAP_MARGIN) / ((east - west) * squeeze);
        Some(Self {
            west,
            north,
            per_degree,
            squeeze,
            height: ((north - south) * per_degree + 2.0 * MAP_MARGIN).round(),
        })
    }

    fn of_point(&self, point: GeoPoint) -> [f64; 2] {
        let x = (point.lon() - self.west) * self.squeeze * self.per_degree + MAP_MARGIN;
        let y = (self.north - point.lat()) * self.per_degree + MAP_MARGIN;
        [(x * 10.0).round() / 10.0, (y * 10.0).round() / 10.0]
    }
}

fn town(areas: &Areas) -> Option<&Area> {
    areas.by_code(WULIN.parse().ok()?)
}

/// Returns the grids of Wulin street with their villages.
fn grids(areas: &Areas) -> impl Iterator<Item = (&Area, &Area)> {
    town(areas)
        .into_iter()
        .flat_map(|town| areas.children(town.id()))
        .flat_map(|village| {
            areas
                .children(village.id())
                .map(move |grid| (village, grid))
        })
        .filter(|(_, grid)| grid.level() == AreaLevel::Grid)
}

fn outline(area: &Area) -> Vec<GeoPoint> {
    let boundary = area.newest().boundary.as_ref();
    let ring = boundary.and_then(|boundary| boundary.polygons().first()?.rings().next());
    ring.map(|ring| ring.corners().to_vec()).unwrap_or_default()
}

fn bad_seed(code: &'static str) -> Problem {
    Problem::new("demo.bad_seed").with("code", code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use onegrid_server::admin::seed;

    #[test]
    fn the_map_shows_the_grids_of_wulin_street_and_leads_back_to_them() {
        let place = Place::read(&seed::gongshu()).unwrap();
        let map = place.map();
        assert_eq!(map["grids"].as_array().unwrap().len(), 24);
        let point = GeoPoint::from_degrees(30.312_15, 120.118_78).unwrap();
        let path = place.path_at(point).unwrap();
        assert_eq!(place.name(&path), "竹竿巷第1网格");
        let [x, y] = place.on_map(point.lat_e7(), point.lon_e7()).unwrap();
        let back = place.point_at(x, y).unwrap();
        assert!(back.distance_m(point) < 5.0);
        assert_eq!(place.point_at(-50.0, -50.0), None, "outside the street");
    }
}
