//! Data built into the binary, so that a new deployment is not empty: the division of Gongshu, and the
//! units and people of the demo.

use std::collections::BTreeMap;

use onegrid_core::domain::area::AreaLevel;

use super::import::areas::AreaFiles;

/// `units.csv` of the demo.
pub const DEMO_UNITS: &[u8] = include_bytes!("../../seed/demo/units.csv");
/// `members.csv` of the demo.
pub const DEMO_MEMBERS: &[u8] = include_bytes!("../../seed/demo/members.csv");

/// Areas of Gongshu district, Hangzhou.
#[must_use]
pub fn gongshu() -> AreaFiles {
    let boundaries: [(AreaLevel, &[u8]); 4] = [
        (
            AreaLevel::District,
            include_bytes!("../../seed/gongshu/districts.geojson"),
        ),
        (
            AreaLevel::Town,
            include_bytes!("../../seed/gongshu/towns.geojson"),
        ),
        (
            AreaLevel::Village,
            include_bytes!("../../seed/gongshu/villages.geojson"),
        ),
        (
            AreaLevel::Grid,
            include_bytes!("../../seed/gongshu/grids.geojson"),
        ),
    ];
    AreaFiles {
        table: include_bytes!("../../seed/gongshu/areas.csv").to_vec(),
        boundaries: boundaries
            .into_iter()
            .map(|(level, bytes)| (level, bytes.to_vec()))
            .collect::<BTreeMap<_, _>>(),
    }
}
